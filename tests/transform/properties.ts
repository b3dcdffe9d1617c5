// Properties that derivatives and batches of every program have, checked with random numbers: reverse
// is the transpose of forward, a batch is its rows. Shared by the tests of transformations.
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { Dim } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { optimize } from "../../src/passes/optimize.js";
import {
  batchProgram,
  isDifferentiable,
  jvpProgram,
  vjpProgram,
} from "../../src/transform/index.js";
import { expectAgrees } from "../support/compare.js";
import { interleave, tensorsOf } from "../support/contractions.js";
import { lowered, run } from "../support/runLowered.js";
import { at } from "./programs.js";

/** An array of static size; real and imaginary parts of complex numbers alternate. */
export interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

const portable = ["cpu", "wasm", "webgl", "webgpu"] as const;

/** Runs a program; results come back in order, complex ones interleaved. */
export async function evaluateNumbers(
  program: ClosedJaxpr,
  args: readonly Numbers[],
): Promise<readonly (readonly number[])[]> {
  const optimized = optimize(program, { level: "required" });
  const graph = lowered(optimized, portable);
  const tensors = args.flatMap((arg) => tensorsOf(arg.dtype, arg.shape, arg.numbers));
  const values = await run(graph, tensors);
  tf.dispose([...tensors]);
  return program.jaxpr.outvars.map((_, position) =>
    interleave(values.filter((_value, index) => graph.outputs[index]?.position === position)),
  );
}

/** Numbers between -1 and 1, the same in every run. */
export function randomSource(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1);

export function randomArray(dtype: DType, shape: readonly number[], random: () => number): Numbers {
  const count = sizeOf(shape) * (isComplex(dtype) ? 2 : 1);
  const integer = (x: number): number =>
    dtype === "int32" ? Math.floor(5 * x + 3) : Math.floor(4 * x + 4);
  const kind = isDifferentiable(dtype) ? (x: number) => x : integer;
  const numbers = Array.from({ length: count }, () => kind(random()));
  return { dtype, shape, numbers: dtype === "bool" ? numbers.map((n) => n % 2) : numbers };
}

/** `<x, y>`, without conjugation, and the size of what is added up. */
function inner({ dtype, numbers }: Numbers, other: readonly number[]) {
  expect(other.length).toBe(numbers.length);
  const sum = { re: 0, im: 0, size: 0 };
  const step = isComplex(dtype) ? 2 : 1;
  for (let index = 0; index < numbers.length; index += step) {
    const [a, b] =
      step === 2 ? [numbers[index] ?? 0, numbers[index + 1] ?? 0] : [numbers[index] ?? 0, 0];
    const [c, d] = step === 2 ? [other[index] ?? 0, other[index + 1] ?? 0] : [other[index] ?? 0, 0];
    sum.re += a * c - b * d;
    sum.im += a * d + b * c;
    sum.size += Math.hypot(a, b) * Math.hypot(c, d);
  }
  return sum;
}

const staticShape = (shape: readonly Dim[]): readonly number[] =>
  shape.map((dim) => (typeof dim === "number" ? dim : Number.NaN));

export function randomLike(
  atoms: readonly { readonly aval: { readonly dtype: DType; readonly shape: readonly Dim[] } }[],
  random: () => number,
): readonly Numbers[] {
  return atoms.map(({ aval }) => randomArray(aval.dtype, staticShape(aval.shape), random));
}

/** `<ct, J t> = <Jᵀ ct, t>` for the derivative with respect to one input. */
export async function checkAdjoint(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  input: number,
  random: () => number,
): Promise<void> {
  const active = program.jaxpr.invars.map((_, index) => index === input);
  const everything = program.jaxpr.outvars.map(() => true);
  const forward = jvpProgram(program, active, everything);
  const backward = vjpProgram(program, active);
  const [tangent] = randomLike([at(program.jaxpr.invars, input)], random);
  if (tangent === undefined) throw new Error("no tangent");
  const differentiable = program.jaxpr.outvars.filter(({ aval }) => isDifferentiable(aval.dtype));
  const cotangents = randomLike(differentiable, random);
  const count = program.jaxpr.outvars.length;
  const pushed = (await evaluateNumbers(forward.program, [...args, tangent])).slice(count);
  const [pulled] = (await evaluateNumbers(backward.program, [...args, ...cotangents])).slice(count);
  if (pulled === undefined) throw new Error("no cotangent");
  const left = cotangents.map((cotangent, index) => inner(cotangent, at(pushed, index)));
  const right = inner(tangent, pulled);
  const total = left.reduce(
    (sum, part) => ({
      re: sum.re + part.re,
      im: sum.im + part.im,
      size: sum.size + part.size,
    }),
    { re: 0, im: 0, size: 0 },
  );
  const bound = 1e-5 * (0.1 + total.size + right.size);
  expect(Math.abs(total.re - right.re)).toBeLessThan(bound);
  // Between real and complex arrays the real part alone is pulled back.
  if (![tangent, ...cotangents].every(({ dtype }) => isComplex(dtype))) return;
  expect(Math.abs(total.im - right.im)).toBeLessThan(bound);
}

/** Arrays of one shape as one array with a new dimension. */
function stack(rows: readonly Numbers[], dim: number): Numbers {
  const { dtype, shape } = at(rows, 0);
  const inside = sizeOf(shape.slice(dim)) * (isComplex(dtype) ? 2 : 1);
  const outside = sizeOf(shape.slice(0, dim));
  const numbers = Array.from({ length: outside }, (_, place) =>
    rows.flatMap((row) => row.numbers.slice(place * inside, (place + 1) * inside)),
  ).flat();
  return { dtype, shape: shape.toSpliced(dim, 0, rows.length), numbers };
}

/** The batched program against the program applied to each row. */
export async function checkBatch(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  dims: readonly (number | null)[],
  random: () => number,
  size: Dim = 2,
): Promise<void> {
  const columns = args.map((arg, index) =>
    dims[index] === null ? [arg, arg] : [arg, randomArray(arg.dtype, arg.shape, random)],
  );
  const wanted = program.jaxpr.outvars.map(() => 0);
  const batched = batchProgram(program, size, dims, wanted);
  const inputs = columns.map((column, index) => {
    const dim = dims[index] ?? null;
    return dim === null ? at(column, 0) : stack(column, dim);
  });
  const found = await evaluateNumbers(batched.program, inputs);
  const rows = await Promise.all(
    [0, 1].map((row) =>
      evaluateNumbers(
        program,
        columns.map((column) => at(column, row)),
      ),
    ),
  );
  found.forEach((values, output) => {
    const expected = rows.flatMap((row) => at(row, output));
    const largest = Math.max(1, ...expected.filter(Number.isFinite).map(Math.abs));
    const { dtype } = at(program.jaxpr.outvars, output).aval;
    const tolerance = { rtol: 1e-5, atol: 1e-5 * largest };
    expectAgrees(`output ${output}`, values, expected, dtype, tolerance);
  });
}
