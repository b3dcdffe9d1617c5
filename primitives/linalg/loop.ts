/**
 * Loops over tensors, for iterations that would be too many nodes or whose number depends on the
 * numbers. Called by Jacobi's method and the QR iteration.
 */
import { shapedArray } from "../../src/ir/aval.js";
import { JaxprBuilder } from "../../src/ir/builder.js";
import type { Literal } from "../../src/ir/jaxpr.js";
import type { Primitive } from "../../src/ir/primitive.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { add } from "../binary.js";
import { gt, lt } from "../compare.js";
import { and } from "../integer.js";
import { at } from "../support.js";

const literal = (value: number, dtype: "int32" | "float32"): Literal => ({
  kind: "literal",
  value,
  aval: shapedArray(dtype, []),
});

/**
 * Runs `step` at most `limit` times: it takes the counter (int32) and the state, and gives the state.
 *
 * @param state float32 tensors; with `untilZero`, the last one is a scalar that ends the loop
 */
export function repeat<P>(
  tf: Tf,
  state: readonly Tensor[],
  step: Primitive<P>,
  params: P,
  { limit, untilZero }: { readonly limit: number; readonly untilZero: boolean },
): readonly Tensor[] {
  const avals = state.map(({ shape }) => shapedArray("float32", shape));
  const counter = shapedArray("int32", []);
  const test = new JaxprBuilder();
  const index = test.input(counter);
  const values = avals.map((aval) => test.input(aval));
  const isBelow = test.bind(lt, [index, literal(limit, "int32")], {});
  const last = values.at(-1);
  const isOpen =
    untilZero && last !== undefined ? test.bind(gt, [last, literal(0, "float32")], {}) : [];
  const condition = test.build(
    isOpen.length === 0 ? isBelow : test.bind(and, [...isBelow, ...isOpen], {}),
  );
  const builder = new JaxprBuilder();
  const inputs = [counter, ...avals].map((aval) => builder.input(aval));
  const next = builder.bind(add, [at(inputs, 0), literal(1, "int32")], {});
  const body = builder.build([...next, ...builder.bind(step, inputs, params)]);
  const start = [
    tf.value(tf.scalar(0, "int32"), counter),
    ...state.map((tensor, place) => tf.value(tensor, at(avals, place))),
  ];
  const results = tf.whileLoop(condition, [], body, [], start);
  return results.slice(1).map((result) => tf.tensor(result));
}
