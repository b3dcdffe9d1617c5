// Checks that hold for the derivatives and the batches of any program: reverse is the transpose of
// forward, forward is the slope, a batch is its rows. Complex arrays are lists of numbers in which
// real and imaginary parts alternate.
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { ShapedArray } from "../../src/ir/aval.js";
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
import { expectAgrees } from "./compare.js";
import { interleave, tensorsOf } from "./contractions.js";
import { lowered, run } from "./runLowered.js";

/** An array of static size. */
export interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

function item<T>(items: readonly T[], index: number): T {
  const found = items[index];
  if (found === undefined) throw new Error(`no item ${index}`);
  return found;
}

/** Runs a program on the cpu backend, lowered for all; results come back in order. */
export async function evaluateProgram(
  program: ClosedJaxpr,
  args: readonly Numbers[],
): Promise<readonly (readonly number[])[]> {
  const optimized = optimize(program, { level: "required" });
  const graph = lowered(optimized, ["cpu", "wasm", "webgl", "webgpu"]);
  const tensors = args.flatMap((arg) => tensorsOf(arg.dtype, arg.shape, arg.numbers));
  const values = await run(graph, tensors);
  tf.dispose([...tensors]);
  return program.jaxpr.outvars.map((_, position) =>
    interleave(values.filter((_value, index) => graph.outputs[index]?.position === position)),
  );
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1);

/** Numbers between -1 and 1, the same in every run. */
export function randomSource(seed: number): () => number {
  let state = (seed + 1) * 7919;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Integers are small; booleans are 0 or 1. */
export function randomArray(
  { dtype, shape }: { readonly dtype: DType; readonly shape: readonly Dim[] },
  random: () => number,
): Numbers {
  const sizes = shape.map((dim) => (typeof dim === "number" ? dim : Number.NaN));
  const count = sizeOf(sizes) * (isComplex(dtype) ? 2 : 1);
  const numbers = Array.from({ length: count }, () => {
    const number = random();
    if (isDifferentiable(dtype)) return number;
    return dtype === "bool" ? Number(number > 0) : Math.floor(4 * number);
  });
  return { dtype, shape: sizes, numbers };
}

export function randomLike(
  atoms: readonly { readonly aval: ShapedArray }[],
  random: () => number,
): readonly Numbers[] {
  return atoms.map(({ aval }) => randomArray(aval, random));
}

/** The real part of `<x, y>` without conjugation, and the size of what is added up. */
function inner({ dtype, numbers }: Numbers, other: readonly number[]) {
  expect(other.length).toBe(numbers.length);
  const terms = numbers.map((number, index) => {
    const product = number * item(other, index);
    return isComplex(dtype) && index % 2 === 1 ? -product : product;
  });
  return {
    sum: terms.reduce((sum, term) => sum + term, 0),
    size: terms.reduce((sum, term) => sum + Math.abs(term), 0),
  };
}

/** Which inputs a derivative is taken in: all that have one. */
export const activeInputs = (program: ClosedJaxpr): readonly boolean[] =>
  program.jaxpr.invars.map(({ aval }) => isDifferentiable(aval.dtype));

const everyOutput = (program: ClosedJaxpr): readonly boolean[] =>
  program.jaxpr.outvars.map(() => true);

/** The program and its pull-back, which takes the cotangents behind the inputs. */
export const pullBack = (program: ClosedJaxpr): ClosedJaxpr =>
  vjpProgram(program, activeInputs(program)).program;

/**
 * `<ct, J t> = <Jᵀ ct, t>`, in directions of all inputs and outputs together, and `J t` against the
 * slope of the program between two points close by.
 */
export async function checkDerivatives(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  random: () => number,
  { slope = true, tolerance = 5e-3 } = {},
): Promise<void> {
  const { invars, outvars } = program.jaxpr;
  const active = activeInputs(program);
  const tangents = randomLike(
    invars.filter((_, index) => active[index]),
    random,
  );
  const differentiable = outvars.filter(({ aval }) => isDifferentiable(aval.dtype));
  const cotangents = randomLike(differentiable, random);
  const forward = jvpProgram(program, active, everyOutput(program)).program;
  const pushed = (await evaluateProgram(forward, [...args, ...tangents])).slice(outvars.length);
  const pulled = await evaluateProgram(pullBack(program), [...args, ...cotangents]);
  const left = cotangents.map((cotangent, index) => inner(cotangent, item(pushed, index)));
  const right = tangents.map((tangent, index) =>
    inner(tangent, item(pulled, outvars.length + index)),
  );
  const total = (parts: typeof left): number => parts.reduce((sum, part) => sum + part.sum, 0);
  const size = [...left, ...right].reduce((sum, part) => sum + part.size, 0);
  expect(Math.abs(total(left) - total(right))).toBeLessThan(1e-5 * (1e-3 + size));
  if (slope) await checkSlope(program, args, tangents, pushed, tolerance);
}

/** Central differences of float32 numbers: good for two or three digits. */
async function checkSlope(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  tangents: readonly Numbers[],
  pushed: readonly (readonly number[])[],
  tolerance: number,
): Promise<void> {
  const step = 2e-3;
  const moved = (distance: number): readonly Numbers[] => {
    const rest = [...tangents];
    return args.map((arg) => {
      const tangent = isDifferentiable(arg.dtype) ? rest.shift() : undefined;
      if (tangent === undefined) return arg;
      const numbers = arg.numbers.map((n, index) => n + distance * item(tangent.numbers, index));
      return { ...arg, numbers };
    });
  };
  const [above, below] = [
    await evaluateProgram(program, moved(step)),
    await evaluateProgram(program, moved(-step)),
  ];
  const outputs = program.jaxpr.outvars.flatMap(({ aval }, index) =>
    isDifferentiable(aval.dtype) ? [{ dtype: aval.dtype, index }] : [],
  );
  outputs.forEach(({ dtype, index }, place) => {
    const low = item(below, index);
    const slope = item(above, index).map((value, at) => (value - item(low, at)) / (2 * step));
    const largest = Math.max(1, ...slope.map(Math.abs));
    const bounds = { rtol: tolerance, atol: tolerance * largest };
    expectAgrees(`slope of output ${index}`, item(pushed, place), slope, dtype, bounds);
  });
}

/** Arrays of one shape as one array with a new dimension. */
function stack(rows: readonly Numbers[], dim: number): Numbers {
  const { dtype, shape } = item(rows, 0);
  const inside = sizeOf(shape.slice(dim)) * (isComplex(dtype) ? 2 : 1);
  const outside = sizeOf(shape.slice(0, dim));
  const numbers = Array.from({ length: outside }, (_, place) =>
    rows.flatMap((row) => row.numbers.slice(place * inside, (place + 1) * inside)),
  ).flat();
  return { dtype, shape: shape.toSpliced(dim, 0, rows.length), numbers };
}

/** The batched program (of two rows) against the program applied to each row. */
export async function checkBatch(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  dims: readonly (number | null)[],
  random: () => number,
  size: Dim = 2,
): Promise<void> {
  const columns = args.map((arg, index) =>
    dims[index] === null ? [arg, arg] : [arg, randomArray(arg, random)],
  );
  const front = program.jaxpr.outvars.map(() => 0);
  const batched = batchProgram(program, size, dims, front).program;
  const inputs = columns.map((column, index) => {
    const dim = dims[index] ?? null;
    return dim === null ? item(column, 0) : stack(column, dim);
  });
  const found = await evaluateProgram(batched, inputs);
  const rowOf = (row: number): readonly Numbers[] => columns.map((column) => item(column, row));
  const rows = [await evaluateProgram(program, rowOf(0)), await evaluateProgram(program, rowOf(1))];
  found.forEach((values, output) => {
    const expected = rows.flatMap((row) => item(row, output));
    const largest = Math.max(1, ...expected.filter(Number.isFinite).map(Math.abs));
    const { dtype } = item(program.jaxpr.outvars, output).aval;
    const bounds = { rtol: 1e-5, atol: 1e-5 * largest };
    expectAgrees(`output ${output}`, values, expected, dtype, bounds);
  });
}
