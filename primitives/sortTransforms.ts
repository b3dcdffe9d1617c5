/**
 * Derivatives and batching rules of sort, top_k and approx_top_k: tangents go where their elements
 * go. Used by sort.ts.
 */
import type { Ops, Value } from "../src/ir/ops.js";
import type { GatherParams, SortParams } from "../src/ir/params.js";
import type { BatchRule, JvpRule, Primitive } from "../src/ir/primitive.js";
import { batchToFront } from "./factories.js";
import { at, upTo } from "./support.js";

/** The elements of `x` at `places` along an axis, each row of its own. */
function takeAlong(o: Ops, x: Value, places: Value, axis: number): Value {
  const { shape } = places.aval;
  const others = upTo(shape.length).filter((other) => other !== axis);
  const params: GatherParams = {
    dimension_numbers: {
      offset_dims: [],
      collapsed_slice_dims: [axis],
      start_index_map: [axis],
      operand_batching_dims: others,
      start_indices_batching_dims: others,
    },
    slice_sizes: shape.map(() => 1),
    indices_are_sorted: false,
    unique_indices: false,
    mode: "promise_in_bounds",
    fill_value: null,
  };
  return o.gather(x, o.reshape(places, [...shape, 1]), params);
}

/** Sorts the positions along with the operands: tangents are gathered from there. */
export const sortJvp: JvpRule<SortParams> = (o, primals, tangents, params) => {
  const { dimension } = params;
  const positions = o.iota("int32", at(primals, 0).aval.shape, dimension);
  const sorted = o.sort([...primals, positions], params);
  const places = at(sorted, primals.length);
  return {
    primals: sorted.slice(0, primals.length),
    tangents: primals.map((_, index) => {
      const tangent = tangents[index] ?? null;
      return tangent === null ? null : takeAlong(o, tangent, places, dimension);
    }),
  };
};

/** All operands with the batch dimension where the first batched one has it. */
export const sortBatch: BatchRule<SortParams> = (o, inputs, dims, params) => {
  const first = dims.findIndex((dim) => dim !== null);
  const batch = dims[first] ?? 0;
  const { shape } = at(inputs, first).aval;
  const kept = upTo(shape.length).filter((axis) => axis !== batch);
  const operands = inputs.map((input, index) => {
    const dim = dims[index] ?? null;
    if (dim === null) return o.broadcastInDim(input, shape, kept);
    if (dim === batch) return input;
    const front = batchToFront(o, input, dim);
    return o.transpose(front, [
      ...kept.slice(0, batch).map((axis) => axis + 1),
      0,
      ...kept.slice(batch),
    ]);
  });
  const dimension = params.dimension >= batch ? params.dimension + 1 : params.dimension;
  const outputs = o.sort(operands, { ...params, dimension });
  return { outputs, dims: outputs.map(() => batch) };
};

/** The derivative of primitives that give some elements along an axis and their indices. */
export function selectionJvp<P>(
  self: () => Primitive<P>,
  axisOf: (params: P) => number,
): JvpRule<P> {
  return (o, primals, [tangent = null], params) => {
    const outputs = o.bind(self(), primals, params);
    const taken = tangent === null ? null : takeAlong(o, tangent, at(outputs, 1), axisOf(params));
    return { primals: outputs, tangents: [taken, null] };
  };
}
