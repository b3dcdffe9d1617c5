// Derivatives and batches of dot_general, conv_general_dilated and windowed reductions over the
// recorded random equations: reverse against forward derivatives (also of the derivatives), batches
// against their rows, symbolic sizes against static ones.
import { describe, expect, it } from "vitest";
import { dimEquals, parseDim, symbolicScope } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import { batchProgram, isDifferentiable, vjpProgram } from "../../src/transform/index.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import { cases, decode, numbersOf, programOf, type Case } from "../support/contractions.js";
import { at } from "./programs.js";
import {
  checkAdjoint,
  checkBatch,
  evaluateNumbers,
  randomLike,
  randomSource,
  type Numbers,
} from "./properties.js";

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
    const [expected, found] = [
      await evaluateNumbers(fixed, args),
      await evaluateNumbers(symbolic, args),
    ];
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
