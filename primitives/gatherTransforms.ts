/**
 * The derivative and the batching rule of gather, and what scatter needs of it: gather and scatter
 * with the same dimension numbers are each other's transpose. Used by gather.ts,
 * scatterTransforms.ts and sliceBatching.ts.
 */
import type { Dim, Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type {
  GatherDimensionNumbers,
  GatherParams,
  ScatterDimensionNumbers,
  ScatterParams,
} from "../src/ir/params.js";
import type { BatchRule, JvpRule, TransposeRule } from "../src/ir/primitive.js";
import { batchToFront } from "./factories.js";
import { windowOperandDims } from "./scatterShape.js";
import { at, invalid } from "./support.js";

/** The scatter that puts back what a gather takes. */
function inverseScatter(params: GatherParams): ScatterParams {
  const numbers = params.dimension_numbers;
  const dimension_numbers: ScatterDimensionNumbers = {
    update_window_dims: numbers.offset_dims,
    inserted_window_dims: numbers.collapsed_slice_dims,
    scatter_dims_to_operand_dims: numbers.start_index_map,
    operand_batching_dims: numbers.operand_batching_dims,
    scatter_indices_batching_dims: numbers.start_indices_batching_dims,
  };
  return {
    dimension_numbers,
    indices_are_sorted: params.indices_are_sorted,
    unique_indices: params.unique_indices,
    mode: params.mode,
    update_jaxpr: null,
  };
}

/** The gather that takes what a scatter of `updates` would write; `fill` where nothing is written. */
export function inverseGather(
  operand: Shape,
  updates: Shape,
  params: ScatterParams,
  fill: GatherParams["fill_value"],
): GatherParams {
  const numbers = params.dimension_numbers;
  const owners = windowOperandDims(operand.length, params);
  const slice_sizes = operand.map((_, axis): Dim => {
    const place = owners.indexOf(axis);
    return place < 0 ? 1 : at(updates, at(numbers.update_window_dims, place));
  });
  const dimension_numbers: GatherDimensionNumbers = {
    offset_dims: numbers.update_window_dims,
    collapsed_slice_dims: numbers.inserted_window_dims,
    start_index_map: numbers.scatter_dims_to_operand_dims,
    operand_batching_dims: numbers.operand_batching_dims,
    start_indices_batching_dims: numbers.scatter_indices_batching_dims,
  };
  return {
    dimension_numbers,
    slice_sizes,
    indices_are_sorted: params.indices_are_sorted,
    unique_indices: params.unique_indices,
    mode: params.mode,
    fill_value: fill,
  };
}

/** Linear in the operand; what is filled in does not depend on it. */
export const gatherJvp: JvpRule<GatherParams> = (o, primals, [tangent = null], params) => {
  const [operand, indices] = [at(primals, 0), at(primals, 1)];
  const linear = { ...params, fill_value: 0 };
  return {
    primals: [o.gather(operand, indices, params)],
    tangents: [tangent === null ? null : o.gather(tangent, indices, linear)],
  };
};

export const gatherTranspose: TransposeRule<GatherParams> = (o, cotangents, inputs, params) => {
  const [cotangent = null] = cotangents;
  const [operand, indices] = [at(inputs, 0), at(inputs, 1)];
  if (cotangent === null || operand.kind === "known") return [null, null];
  if (indices.kind === "linear") throw invalid("gather is not linear in its indices");
  const zeros = o.full(operand.aval.shape, 0, operand.aval.dtype);
  return [o.scatter("add", zeros, indices.value, cotangent, inverseScatter(params)), null];
};

const shifted = (dims: readonly number[]): readonly number[] => dims.map((dim) => dim + 1);

/** A batch of operands: one more window dimension that is taken whole. */
function batchedOperand(o: Ops, operand: Value, indices: Value, params: GatherParams): Value {
  const numbers = params.dimension_numbers;
  return o.gather(operand, indices, {
    ...params,
    slice_sizes: [at(operand.aval.shape, 0), ...params.slice_sizes],
    dimension_numbers: {
      offset_dims: [0, ...shifted(numbers.offset_dims)],
      collapsed_slice_dims: shifted(numbers.collapsed_slice_dims),
      start_index_map: shifted(numbers.start_index_map),
      operand_batching_dims: shifted(numbers.operand_batching_dims),
      start_indices_batching_dims: numbers.start_indices_batching_dims,
    },
  });
}

/** A batch of indices: one more dimension of places, which may repeat. */
function batchedIndices(o: Ops, operand: Value, indices: Value, params: GatherParams): Value {
  const numbers = params.dimension_numbers;
  return o.gather(operand, indices, {
    ...params,
    unique_indices: false,
    indices_are_sorted: false,
    dimension_numbers: {
      ...numbers,
      offset_dims: shifted(numbers.offset_dims),
      start_indices_batching_dims: shifted(numbers.start_indices_batching_dims),
    },
  });
}

/** A batch of both: one more batching dimension. */
function batchedBoth(o: Ops, operand: Value, indices: Value, params: GatherParams): Value {
  const numbers = params.dimension_numbers;
  return o.gather(operand, indices, {
    ...params,
    slice_sizes: [at(operand.aval.shape, 0) === 0 ? 0 : 1, ...params.slice_sizes],
    dimension_numbers: {
      offset_dims: shifted(numbers.offset_dims),
      collapsed_slice_dims: shifted(numbers.collapsed_slice_dims),
      start_index_map: shifted(numbers.start_index_map),
      operand_batching_dims: [0, ...shifted(numbers.operand_batching_dims)],
      start_indices_batching_dims: [0, ...shifted(numbers.start_indices_batching_dims)],
    },
  });
}

export const gatherBatch: BatchRule<GatherParams> = (o, inputs, dims, params) => {
  const [operand, indices] = [at(inputs, 0), at(inputs, 1)];
  const [operandDim = null, indicesDim = null] = dims;
  const front = (value: Value, dim: number | null): Value =>
    dim === null ? value : batchToFront(o, value, dim);
  const batched =
    indicesDim === null ? batchedOperand : operandDim === null ? batchedIndices : batchedBoth;
  const result = batched(o, front(operand, operandDim), front(indices, indicesDim), params);
  return { outputs: [result], dims: [0] };
};
