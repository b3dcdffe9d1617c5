/**
 * The batching rules of dynamic_slice and dynamic_update_slice: starts that differ from row to row
 * make them a gather and a scatter. Used by dynamic.ts.
 */
import type { Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { GatherParams, ScatterParams } from "../src/ir/params.js";
import { batchAtFront, sizeOfBatch, type BatchDims } from "./batching.js";
import { gatherBatch } from "./gatherTransforms.js";
import { batchScatter } from "./scatterTransforms.js";
import { at, upTo } from "./support.js";

/** Values over a batch, and where their batch dimensions are. */
interface Batched {
  readonly outputs: readonly Value[];
  readonly dims: BatchDims;
}

/**
 * Scalar starts, one for each dimension, as one vector of indices; with a batch dimension in front
 * if any of them has one.
 */
function indexVectors(
  o: Ops,
  starts: readonly Value[],
  dims: BatchDims,
): { readonly indices: Value; readonly dim: number | null } {
  const batched = starts.findIndex((_, index) => (dims[index] ?? null) !== null);
  const batch = batched < 0 ? [] : [at(at(starts, batched).aval.shape, 0)];
  const columns = starts.map((start) =>
    o.broadcastInDim(
      start,
      [...batch, 1],
      start.aval.shape.map((_, axis) => axis),
    ),
  );
  return {
    indices: o.concatenate(columns, batch.length),
    dim: batched < 0 ? null : 0,
  };
}

function zeroLike(o: Ops, starts: readonly Value[]): Value {
  return o.literal(0, at(starts, 0).aval.dtype);
}

/** `vmap` of dynamic_slice: a gather of one window for each row. Inputs: operand, then starts. */
export function batchDynamicSlice(
  o: Ops,
  [operand, ...starts]: readonly Value[],
  [operandDim = null, ...startDims]: BatchDims,
  sliceSizes: Shape,
): Batched {
  if (operand === undefined) throw new Error("internal error: missing operand");
  if (starts.length === 0) return { outputs: [operand], dims: [operandDim] };
  if (startDims.every((dim) => dim === null)) {
    const dim = operandDim ?? 0;
    const size = at(operand.aval.shape, dim);
    const allStarts = starts.toSpliced(dim, 0, zeroLike(o, starts));
    const outputs = [o.dynamicSlice(operand, allStarts, sliceSizes.toSpliced(dim, 0, size))];
    return { outputs, dims: [dim] };
  }
  const { indices, dim } = indexVectors(o, starts, startDims);
  const all = upTo(sliceSizes.length);
  const params: GatherParams = {
    dimension_numbers: {
      offset_dims: all,
      collapsed_slice_dims: [],
      start_index_map: all,
      operand_batching_dims: [],
      start_indices_batching_dims: [],
    },
    slice_sizes: sliceSizes,
    indices_are_sorted: true,
    unique_indices: true,
    mode: "clip",
    fill_value: null,
  };
  return gatherBatch(o, [operand, indices], [operandDim, dim], params);
}

/** `vmap` of dynamic_update_slice: a scatter of one window for each row. */
export function batchDynamicUpdateSlice(
  o: Ops,
  inputs: readonly Value[],
  dims: BatchDims,
): Batched {
  const [operand, update, ...starts] = inputs;
  const [operandDim = null, updateDim = null, ...startDims] = dims;
  if (operand === undefined || update === undefined) throw new Error("internal error: no operands");
  const size = sizeOfBatch(inputs, dims);
  if (starts.length === 0) {
    return { outputs: [batchAtFront(o, update, updateDim, size)], dims: [0] };
  }
  if (startDims.every((dim) => dim === null)) {
    const allStarts = [zeroLike(o, starts), ...starts];
    const [x, y] = [
      batchAtFront(o, operand, operandDim, size),
      batchAtFront(o, update, updateDim, size),
    ];
    return { outputs: [o.dynamicUpdateSlice(x, y, allStarts)], dims: [0] };
  }
  const { indices, dim } = indexVectors(o, starts, startDims);
  const all = upTo(starts.length);
  const params: ScatterParams = {
    dimension_numbers: {
      update_window_dims: all,
      inserted_window_dims: [],
      scatter_dims_to_operand_dims: all,
      operand_batching_dims: [],
      scatter_indices_batching_dims: [],
    },
    indices_are_sorted: true,
    unique_indices: true,
    mode: "clip",
    update_jaxpr: null,
  };
  const operands = [operand, indices, update];
  return batchScatter(o, "replace", operands, [operandDim, dim, updateDim], params);
}
