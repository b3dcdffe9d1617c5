// Derivatives and batches of dot_general, conv_general_dilated and windowed reductions over the
// recorded random equations: reverse against forward derivatives (also of the derivatives), batches
// against their rows, symbolic sizes against static ones.
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { dimEquals, parseDim, symbolicScope, type Dim } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { optimize } from "../../src/passes/optimize.js";
import {
  batchProgram,
  isDifferentiable,
  jvpProgram,
  vjpProgram,
} from "../../src/transform/index.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import {
  cases,
  decode,
  interleave,
  numbersOf,
  programOf,
  tensorsOf,
  type Case,
} from "../support/contractions.js";
import { lowered, run } from "../support/runLowered.js";
import { at } from "./programs.js";

/** An array of static size; real and imaginary parts of complex numbers alternate. */
interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

const portable = ["cpu", "wasm", "webgl", "webgpu"] as const;

/** Runs a program; results come back in order, complex ones interleaved. */
async function evaluate(
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
function randomSource(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1);

function randomArray(dtype: DType, shape: readonly number[], random: () => number): Numbers {
  const count = sizeOf(shape) * (isComplex(dtype) ? 2 : 1);
  const kind = isDifferentiable(dtype) ? (x: number) => x : (x: number) => Math.floor(4 * x + 4);
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

function randomLike(
  atoms: readonly { readonly aval: { readonly dtype: DType; readonly shape: readonly Dim[] } }[],
  random: () => number,
): readonly Numbers[] {
  return atoms.map(({ aval }) => randomArray(aval.dtype, staticShape(aval.shape), random));
}

/** `<ct, J t> = <Jᵀ ct, t>` for the derivative with respect to one input. */
async function checkAdjoint(
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
  const pushed = (await evaluate(forward.program, [...args, tangent])).slice(count);
  const [pulled] = (await evaluate(backward.program, [...args, ...cotangents])).slice(count);
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
  const bound = 1e-5 * (1e-3 + total.size + right.size);
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
async function checkBatch(
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
  const found = await evaluate(batched.program, inputs);
  const rows = await Promise.all(
    [0, 1].map((row) =>
      evaluate(
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

const argsOf = (test: Case): readonly Numbers[] =>
  test.inputs.map((input) => {
    const { dtype, shape } = decode(input);
    const numbers = numbersOf(decode(input)).map((n) => (dtype === "uint32" ? n | 0 : n));
    return { dtype, shape, numbers };
  });

/** Inputs that a reverse derivative exists for. */
function activeInputs({ primitive, params, inputs, output }: Case): readonly number[] {
  if (!isDifferentiable(output.dtype as DType) || primitive === "reduce_window") return [];
  const isDilated = (params.window_dilation as readonly number[] | undefined)?.some((n) => n > 1);
  if (isDilated === true && primitive !== "reduce_window_sum" && "select_prim" in params) return [];
  if (isDilated === true && /max|min/.test(primitive)) return [];
  if (/max|min/.test(primitive) && isComplex(output.dtype as DType)) return [];
  const isActive = (index: number): boolean => isDifferentiable(at(inputs, index).dtype as DType);
  const isProduct = primitive === "dot_general" || primitive === "conv_general_dilated";
  return isProduct ? inputs.map((_, index) => index).filter(isActive) : [0];
}

const table = cases.map((test, index) => [`${index} ${test.primitive}`, test, index] as const);
const differentiable = table.filter(([, test]) => activeInputs(test).length > 0);
const products = differentiable.filter(([, test]) => /dot_general|conv/.test(test.primitive));

/** Every `step`-th case from `first` on, to save time; all of them where EVERY_CASE is set. */
function some<T extends readonly [string, Case, number]>(
  list: readonly T[],
  first: number,
  step = 5,
): readonly T[] {
  if ((process.env.EVERY_CASE ?? "") !== "") return list;
  return list.filter((_, place) => place % step === first);
}

/** Batch dimensions to try: each input alone, and all of them, at places that differ. */
function placements(test: Case, seed: number): readonly (readonly (number | null)[])[] {
  const ranks = test.inputs.map((input) => input.shape.length);
  const place = (index: number): number => (seed + 2 * index) % (at(ranks, index) + 1);
  // Initial values of reduce_window and the parts of one operand go together.
  const isBatchable = (index: number): boolean =>
    test.primitive !== "reduce_window" || index < ranks.length / 2;
  const alone = ranks.flatMap((_, index) =>
    isBatchable(index)
      ? [ranks.map((_rank, other) => (other === index ? place(index) : null))]
      : [],
  );
  if (ranks.length === 1) return alone;
  return [...alone, ranks.map((_, index) => (isBatchable(index) ? place(index) : null))];
}

/** The adjoints of the two derivatives, in everything that they depend on. */
async function checkSecond(test: Case, seed: number): Promise<void> {
  const random = randomSource(seed);
  const program = programOf(test);
  for (const input of activeInputs(test)) {
    const active = program.jaxpr.invars.map((_variable, other) => other === input);
    const pulled = vjpProgram(program, active).program;
    const args = [...argsOf(test), ...randomLike(program.jaxpr.outvars, random)];
    for (const other of [1 - input, 2]) {
      if (isDifferentiable(at(args, other).dtype)) {
        await checkAdjoint(pulled, args, other, random);
      }
    }
  }
}

describeOnBackend("cpu", () => {
  describe("reverse is the transpose of forward", () => {
    it.each(some(differentiable, 0))("%s", async (_, test, index) => {
      const random = randomSource(index);
      for (const input of activeInputs(test)) {
        await checkAdjoint(programOf(test), argsOf(test), input, random);
      }
    });
  });

  describe("and so for second derivatives", () => {
    it.each(some(products, 1))("%s", (_, test, index) => checkSecond(test, index));
  });

  describe("a batch is its rows", () => {
    it.each(some(table, 2))("%s", async (_, test, index) => {
      const random = randomSource(index);
      for (const dims of placements(test, index)) {
        await checkBatch(programOf(test), argsOf(test), dims, random);
      }
    });
  });

  describe("a batch of gradients is its rows", () => {
    it.each(some(differentiable, 3))("%s", async (_, test, index) => {
      const random = randomSource(index);
      const program = programOf(test);
      const pulled = vjpProgram(
        program,
        program.jaxpr.invars.map((_variable, input) => activeInputs(test).includes(input)),
      ).program;
      const args = [...argsOf(test), ...randomLike(program.jaxpr.outvars, random)];
      const dims = args.map(({ shape }, input) => (index + input) % (shape.length + 1));
      await checkBatch(pulled, args, dims, random);
    });
  });

  describe("a batch of batches is its rows", () => {
    it.each(some(table, 4, 15))("%s", async (_, test, index) => {
      const random = randomSource(index);
      const dims = at(placements(test, index).toReversed(), 0);
      const { program } = batchProgram(programOf(test), 3, dims, [0]);
      const args = randomLike(program.jaxpr.invars, random);
      const outer = dims.map((dim) => (dim === null ? null : 0));
      await checkBatch(program, args, outer, random);
    });
  });
});

/** With symbolic sizes it is an error if there is no window. */
const hasElements = differentiable.filter(([, test]) => !test.output.shape.includes(0));

describeOnBackend("cpu", () => {
  it.each(some(hasElements, 0, 4))("gradients of %s of symbolic sizes", async (_, test, index) => {
    const random = randomSource(index);
    const [fixed, symbolic] = [false, true].map((isSymbolic) => {
      const program = programOf(test, isSymbolic);
      const active = program.jaxpr.invars.map((_variable, input) =>
        activeInputs(test).includes(input),
      );
      return vjpProgram(program, active).program;
    });
    if (fixed === undefined || symbolic === undefined) throw new Error("no programs");
    const args = randomLike(fixed.jaxpr.invars, random);
    const [expected, found] = [await evaluate(fixed, args), await evaluate(symbolic, args)];
    found.forEach((values, output) => {
      const { dtype } = at(fixed.jaxpr.outvars, output).aval;
      const tolerance = { rtol: 1e-5, atol: 1e-4 };
      expectAgrees(`output ${output}`, values, at(expected, output), dtype, tolerance);
    });
  });

  const withWindows = table.filter(([, test]) => !test.output.shape.includes(0));
  it.each(some(withWindows, 1))("batches of symbolic size of %s", async (_, test, index) => {
    const size = parseDim("n", symbolicScope());
    expect(dimEquals(size, 2)).toBe(false);
    for (const dims of placements(test, index)) {
      await checkBatch(programOf(test), argsOf(test), dims, randomSource(index), size);
    }
  });
});

/** Matrices of one row or column, whose data is the right operand of products in two shapes. */
const reshaped = products.filter(([, , index]) => [33, 48, 55].includes(index));

describeOnBackend("wasm", () => {
  it.each([...reshaped, ...some(products, 2, 10)])("second derivatives of %s", (_, test, index) =>
    checkSecond(test, index),
  );
});
