// Builds small programs with the lax-like methods and runs them on the cpu backend: what the tests
// of transformations share.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { expect } from "vitest";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import type { Shape } from "../../src/ir/dims.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { optimize } from "../../src/passes/optimize.js";
import { startBuilding } from "../../src/transform/building.js";
import { isDifferentiable, vjpProgram } from "../../src/transform/index.js";
import { lowered, run } from "../support/runLowered.js";

export const f32 = (...shape: Shape): ShapedArray => shapedArray("float32", shape);
export const i32 = (...shape: Shape): ShapedArray => shapedArray("int32", shape);

/** A program over inputs of the given types. */
export function build(
  avals: readonly ShapedArray[],
  body: (o: Ops, inputs: readonly Value[]) => readonly Value[],
): ClosedJaxpr {
  const { builder, o } = startBuilding();
  const inputs = avals.map((aval) => builder.input(aval));
  return builder.build(body(o, inputs));
}

/** The item at a place that a test knows to exist. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

export interface EvaluateOptions {
  readonly level?: "required" | "full";
  readonly unrollBudget?: number;
}

/** Runs a program of static sizes on flat numbers. */
export async function evaluate(
  program: ClosedJaxpr,
  args: readonly (readonly number[])[],
  { level = "required", unrollBudget = 2000 }: EvaluateOptions = {},
): Promise<readonly (readonly number[])[]> {
  await tf.setBackend("cpu");
  const optimized = optimize(program, { level, unrollBudget });
  const tensors = optimized.jaxpr.invars.map(({ aval }, index) =>
    tf.tensor([...at(args, index)], [...(aval.shape as number[])], aval.dtype as "float32"),
  );
  const results = await run(lowered(optimized, ["cpu"]), tensors);
  tf.dispose(tensors);
  return results.map((values) => [...values]);
}

/** The gradient of a program's first output, a scalar, as a program. */
export function gradient(program: ClosedJaxpr, argument: number): ClosedJaxpr {
  const active = program.jaxpr.invars.map((_, index) => index === argument);
  const { program: pulled } = vjpProgram(program, active);
  const count = program.jaxpr.outvars.length;
  return build(
    program.jaxpr.invars.map((variable) => variable.aval),
    (o, inputs) => {
      const cotangents = program.jaxpr.outvars.flatMap(({ aval }, index) =>
        isDifferentiable(aval.dtype) ? [o.full(aval.shape, index === 0 ? 1 : 0, aval.dtype)] : [],
      );
      return o.call("vjp", pulled, [...inputs, ...cotangents]).slice(count);
    },
  );
}

/** Compares lists of numbers with JAX's, up to float32 rounding. */
export function expectNear(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
  tolerance = 1e-4,
): void {
  expect(found.map((values) => values.length)).toEqual(wanted.map((values) => values.length));
  found.forEach((values, output) => {
    values.forEach((value, index) => {
      const target = at(at(wanted, output), index);
      const message = `output ${output}, element ${index}: ${value}, JAX has ${target}`;
      expect(Math.abs(value - target), message).toBeLessThan(tolerance * (1 + Math.abs(target)));
    });
  });
}
