// Derivatives and batches of the primitives that rearrange, cut, join, reduce, scan and sort: by what
// must hold for any program (tests/support/transformChecks.ts), also for derivatives of derivatives,
// batches of batches, batches of gradients and symbolic sizes.
import { describe, expect, it } from "vitest";
import { shapedArray } from "../../src/ir/aval.js";
import { addDims, parseDim, symbolicScope } from "../../src/ir/dims.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { batchProgram } from "../../src/transform/index.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import {
  activeInputs,
  checkBatch,
  checkDerivatives,
  evaluateProgram,
  pullBack,
  randomLike,
  randomSource,
  type Numbers,
} from "../support/transformChecks.js";
import { at, build } from "./programs.js";
import { cases, programOf, type Case, type Sizes } from "./structureCases.js";

const numbers: Sizes = { b: 4, t: 3 };
const differentiable = cases.filter((test) => test.derivative !== false);

const titled = (list: readonly Case[]) =>
  list.map((test) => [test.title, test, cases.indexOf(test)] as const);

/** Batch dimensions: each input alone, then all of them, at places that differ. */
function placements({ jaxpr }: ClosedJaxpr, seed: number): readonly (readonly (number | null)[])[] {
  const place = (index: number): number =>
    (seed + 2 * index) % (at(jaxpr.invars, index).aval.shape.length + 1);
  const alone = jaxpr.invars.map((_, index) =>
    jaxpr.invars.map((_variable, other) => (other === index ? place(index) : null)),
  );
  const all = jaxpr.invars.map((_, index) => place(index));
  return alone.length === 1 ? alone : [...alone, all];
}

/** The last one, to save time; all of them where EVERY_CASE is set. */
function some<T>(items: readonly T[]): readonly T[] {
  return (process.env.EVERY_CASE ?? "") === "" ? items.slice(-1) : items;
}

function pullBackWithArgs(test: Case, random: () => number) {
  const program = programOf(test, numbers);
  const pulled = pullBack(program);
  return { pulled, args: randomLike(pulled.jaxpr.invars, random) };
}

describeOnBackend("cpu", () => {
  it.each(titled(differentiable))("derivatives of %s", async (_, test, seed) => {
    const random = randomSource(seed + 1000);
    const program = programOf(test, numbers);
    const args = randomLike(program.jaxpr.invars, random);
    const options = { slope: test.slope ?? true };
    await checkDerivatives(program, args, random, options);
  });

  it.each(titled(differentiable))("second derivatives of %s", async (_, test, seed) => {
    const random = randomSource(seed + 100);
    const { pulled, args } = pullBackWithArgs(test, random);
    await checkDerivatives(pulled, args, random, { slope: test.slope ?? true, tolerance: 2e-2 });
  });

  it.each(titled(cases))("a batch of %s is its rows", async (_, test, seed) => {
    const random = randomSource(seed + 200);
    const program = programOf(test, numbers);
    const args = randomLike(program.jaxpr.invars, random);
    for (const dims of placements(program, seed)) await checkBatch(program, args, dims, random);
  });

  it.each(titled(cases))("a batch of batches of %s is its rows", async (_, test, seed) => {
    const random = randomSource(seed + 300);
    const program = programOf(test, numbers);
    const dims = at(placements(program, seed).toReversed(), 0);
    const outputs = program.jaxpr.outvars.map(() => 0);
    const batched = batchProgram(program, 3, dims, outputs).program;
    const args = randomLike(batched.jaxpr.invars, random);
    for (const outer of some(placements(batched, seed + 1))) {
      await checkBatch(batched, args, outer, random);
    }
  });

  it.each(titled(differentiable))("a batch of gradients of %s", async (_, test, seed) => {
    const random = randomSource(seed + 400);
    const { pulled, args } = pullBackWithArgs(test, random);
    for (const dims of some(placements(pulled, seed))) {
      await checkBatch(pulled, args, dims, random);
    }
  });

  const symbolic = titled(cases.filter((test) => test.fixed !== true));
  it.each(symbolic)("gradients and batches of %s of symbolic sizes", async (_, test, seed) => {
    const random = randomSource(seed + 500);
    const scope = symbolicScope();
    const unknown = { b: parseDim("b", scope), t: parseDim("t", scope) };
    const transformed = [numbers, unknown].map((sizes) => {
      const program = programOf(test, sizes);
      const dims = program.jaxpr.invars.map(() => 0);
      const outputs = program.jaxpr.outvars.map(() => 0);
      const batched = batchProgram(program, addDims(sizes.b, 1), dims, outputs).program;
      return activeInputs(program).includes(true) && test.derivative !== false
        ? pullBack(batched)
        : batched;
    });
    const [fixed, found] = [at(transformed, 0), at(transformed, 1)];
    const args = randomLike(fixed.jaxpr.invars, random);
    const expected = await evaluateProgram(fixed, args);
    (await evaluateProgram(found, args)).forEach((values, output) => {
      const { dtype } = at(fixed.jaxpr.outvars, output).aval;
      const bounds = { rtol: 1e-5, atol: 1e-4 };
      expectAgrees(`output ${output}`, values, at(expected, output), dtype, bounds);
    });
  });
});

describe("where JAX's rules decide", () => {
  const vector = (...values: readonly number[]): Numbers => ({
    dtype: "float32",
    shape: [values.length],
    numbers: values,
  });
  const scalarGradient = async (body: (o: Ops, value: Value) => Value, values: Numbers) => {
    const program = build([shapedArray("float32", values.shape)], (o, v) => [body(o, at(v, 0))]);
    const shape = program.jaxpr.outvars[0]?.aval.shape as readonly number[];
    const ones = Array.from({ length: shape.reduce((n, size) => n * size, 1) }, () => 1);
    const cotangent: Numbers = { dtype: "float32", shape, numbers: ones };
    return at(await evaluateProgram(pullBack(program), [values, cotangent]), 1);
  };

  it("products with zeros have the derivative of the other factors", async () => {
    const product = (o: Ops, value: Value): Value => o.reduceProd(value, [0]);
    expect(await scalarGradient(product, vector(0, 2, 3))).toEqual([6, 0, 0]);
    expect(await scalarGradient(product, vector(0, 2, 0))).toEqual([0, 0, 0]);
    expect(await scalarGradient(product, vector())).toEqual([]);
  });

  it("equal extrema share the derivative", async () => {
    const largest = (o: Ops, value: Value): Value => o.reduceMax(value, [0]);
    expect(await scalarGradient(largest, vector(2, 1, 2, 0))).toEqual([0.5, 0, 0.5, 0]);
    // As jax.grad of the sum of lax.cummax: pairs first.
    const running = (o: Ops, value: Value): Value => o.cummax(value, 0, false);
    expect(await scalarGradient(running, vector(1, 1, 1))).toEqual([1.75, 0.75, 0.5]);
  });

  it("running logarithms of sums have slopes behind a -inf", async () => {
    const running = (o: Ops, value: Value): Value => o.cumlogsumexp(value, 0, false);
    const found = await scalarGradient(running, vector(-Infinity, 0, 0));
    expect(found.map((value) => Math.round(value * 1e4) / 1e4)).toEqual([1, 1.5, 0.5]);
  });
});
