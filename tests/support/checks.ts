// Small helpers of the tests of single primitives: printed result types and errors, ops of graphs.
import { printAval, type ShapedArray } from "../../src/ir/aval.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import type { Params } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import type { Backend } from "../../src/ir/tf.js";
import { lowered, program } from "./runLowered.js";

/** Result types of an equation, as JAX prints them. */
export function typesOf<P>(
  primitive: Primitive<P>,
  inputs: readonly ShapedArray[],
  params: P,
): string {
  return primitive
    .abstractEval(inputs, params as Params)
    .map(printAval)
    .join(" ");
}

/** `code: message` of the error that an action throws. */
export function errorOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return `${error.code}: ${error.message}`.trim();
    throw error;
  }
  return "no error";
}

/** Ops of the graph of one equation, without inputs, constants and outputs. */
export function opsOf<P>(
  primitive: Primitive<P>,
  inputs: readonly ShapedArray[],
  params: P,
  backends: readonly Backend[] = ["cpu", "wasm", "webgl"],
): string {
  const closed = program(inputs, (builder, values) => builder.bind(primitive, values, params));
  return lowered(closed, backends)
    .nodes.map((node) => node.op)
    .filter((op) => !["Placeholder", "Const", "Identity"].includes(op))
    .join(" ");
}
