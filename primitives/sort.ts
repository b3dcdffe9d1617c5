/**
 * Records of sort, top_k and approx_top_k. All are stable permutations made by TopKV2; several keys
 * are sorted one after the other, the least significant first.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import {
  greaterEqual,
  less,
  printDim,
  printShape,
  shapeEquals,
  shapeSize,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { isComplex, isFloat } from "../src/ir/dtypes.js";
import { valuesOf } from "../src/ir/hostArray.js";
import type { SortParams } from "../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { permute, reshapeTo } from "./shape.js";
import { unaryBatch } from "./shapeTransforms.js";
import { sortKeys } from "./sortKeys.js";
import { selectionJvp, sortBatch, sortJvp } from "./sortTransforms.js";
import {
  at,
  checkAxis,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  moveData,
  shapeMismatch,
  upTo,
  withoutAxes,
  withSize,
} from "./support.js";

/** Views tensors of a shape as rows along one axis, and back. */
interface Rows {
  readonly shape: Shape;
  toRows(tf: Tf, x: Tensor): Tensor;
  /** Rows that may have become shorter, in the original order of dimensions. */
  fromRows(tf: Tf, rows: Tensor): Tensor;
}

function rowsAlong(shape: Shape, axis: number): Rows {
  const others = withoutAxes(shape, [axis]);
  const order = [...upTo(shape.length).filter((place) => place !== axis), axis];
  const size = at(shape, axis);
  return {
    shape: [shapeSize(others), size],
    toRows: (tf, x) => reshapeTo(tf, permute(tf, x, order), [shapeSize(others), size]),
    fromRows: (tf, rows) => {
      const moved = reshapeTo(tf, rows, [...others, at(rows.shape, 1)]);
      return permute(
        tf,
        moved,
        upTo(shape.length).map((place) => order.indexOf(place)),
      );
    },
  };
}

/** Picks from each row. */
function pickFromRows(tf: Tf, rows: Tensor, places: Tensor): Tensor {
  return at(rows.shape, 0) === 1
    ? reshapeTo(
        tf,
        tf.gather(
          reshapeTo(tf, rows, [at(rows.shape, 1)]),
          reshapeTo(tf, places, [at(places.shape, 1)]),
          0,
        ),
        places.shape,
      )
    : tf.gather(rows, places, 1, 1);
}

/** The permutation (of each row) that sorts by keys, the most significant first; `count` places. */
function sortingOrder(tf: Tf, keys: readonly Tensor[], count: Dim): Tensor {
  let order: Tensor | null = null;
  for (const [index, key] of [...keys].reverse().entries()) {
    const isLast = index === keys.length - 1;
    const current: Tensor = order === null ? key : pickFromRows(tf, key, order);
    const { indices } = tf.topK(current, isLast ? count : at(key.shape, 1));
    order = order === null ? indices : pickFromRows(tf, order, indices);
  }
  if (order === null) throw new Error("internal error: sort without keys");
  return order;
}

/** `x` in another order along an axis. */
function reorder(tf: Tf, x: GraphValue, order: Tensor, rows: Rows, out: ShapedArray): GraphValue {
  return moveData(tf, [x], out, (parts) =>
    rows.fromRows(tf, pickFromRows(tf, rows.toRows(tf, at(parts, 0)), order)),
  );
}

/** The one row that all rows along an axis are, as an iota for argsort; null if they may differ. */
function commonRow(tf: Tf, x: GraphValue, axis: number): Tensor | null {
  if (isComplex(x.aval.dtype)) return null;
  const tensor = tf.broadcastable(x);
  const { shape } = tensor;
  const place = shape.length - (x.aval.shape.length - axis);
  const isRow = shape.every((size, i) => (i === place ? size !== 1 : size === 1));
  return place >= 0 && isRow ? reshapeTo(tf, tensor, [at(shape, place)]) : null;
}

export const sort: Primitive<SortParams> = definePrimitive<SortParams>({
  name: "sort",
  manyNodes: "Each further key is a TopK and a gather per operand.",
  abstractEval: (inputs, { dimension, num_keys }) => {
    if (inputs.length === 0) throw invalid("sort requires at least one operand, got 0");
    const first = at(inputs, 0);
    if (inputs.some((input) => !shapeEquals(input.shape, first.shape))) {
      const shapes = inputs.map((input) => printShape(input.shape)).join(" ");
      throw shapeMismatch(`Arguments to sort must have equal shapes, got: ${shapes}`);
    }
    const outOfBounds = `dimension ${dimension} is out of bounds for array of shape ${printShape(first.shape)}`;
    checkAxis(dimension, first.shape, outOfBounds);
    if (!(Number.isInteger(num_keys) && num_keys >= 1 && num_keys <= inputs.length)) {
      throw invalid(`num_keys=${num_keys} must be between 1 and len(operand)=${inputs.length}`);
    }
    return inputs;
  },
  jvp: sortJvp,
  transpose: none("sort is not linear"),
  batch: sortBatch,
  tfjs: (tf, inputs, { dimension, num_keys }) => {
    const { shape } = at(inputs, 0).aval;
    const size = at(shape, dimension);
    if (size === 1 || isEmptyShape(shape)) return inputs;
    const rows = rowsAlong(shape, dimension);
    const keys = inputs
      .slice(0, num_keys)
      .flatMap((input) => sortKeys(tf, input, "ascending"))
      .map((key) => rows.toRows(tf, key));
    const order = sortingOrder(tf, keys, size);
    return inputs.map((input) => {
      const row = commonRow(tf, input, dimension);
      if (row === null) return reorder(tf, input, order, rows, input.aval);
      const isCount = row.value !== null && valuesOf(row.value).every((value, i) => value === i);
      const sorted = isCount && row.dtype === "int32" ? order : tf.gather(row, order, 0);
      return tf.value(rows.fromRows(tf, sorted), input.aval);
    });
  },
  limits: [
    {
      when: "integers beyond 2^24 in magnitude, on webgl or webgpu",
      effect: "close numbers may come in the wrong order",
      why: "int32 is float32 there",
    },
    {
      when: "float keys that are neighbouring subnormal numbers",
      effect: "they count as equal",
      why: "keys are halved to make room for NaN",
    },
  ],
});

export type TopKParams = { readonly k: Dim; readonly axis: number };

/** Values and indices of the first `count` elements in an order. */
function firstInOrder(
  tf: Tf,
  x: GraphValue,
  axis: number,
  count: Dim,
  order: "ascending" | "descending",
  outs: readonly ShapedArray[],
): readonly GraphValue[] {
  const [values, indices] = [at(outs, 0), at(outs, 1)];
  if (isEmptyShape(values.shape)) return [emptyValue(tf, values), emptyValue(tf, indices)];
  const rows = rowsAlong(x.aval.shape, axis);
  const keys = sortKeys(tf, x, order).map((key) => rows.toRows(tf, key));
  const places = sortingOrder(tf, keys, count);
  return [reorder(tf, x, places, rows, values), tf.value(rows.fromRows(tf, places), indices)];
}

export const topK: Primitive<TopKParams> = definePrimitive<TopKParams>({
  name: "top_k",
  abstractEval: (inputs, { k, axis }) => {
    checkCount("top_k", inputs, 1);
    const x = at(inputs, 0);
    if (isComplex(x.dtype)) throw dtypeMismatch("top_k is not compatible with complex inputs.");
    if (less(k, 0)) {
      throw invalid(`k argument to top_k must be nonnegative, got ${printDim(k)}`);
    }
    if (x.shape.length === 0) {
      throw shapeMismatch(`top_k operand must have >= 1 dimension, got ${printShape(x.shape)}`);
    }
    const outOfRange = `axis argument out of range: axis=${axis} for operand.shape=${printShape(x.shape)}`;
    checkAxis(axis, x.shape, outOfRange);
    if (!greaterEqual(at(x.shape, axis), k)) {
      throw invalid(
        "k argument to top_k must be no larger than size along axis; got " +
          `k=${printDim(k)} with shape=[${x.shape.join(", ")}] and axis=${axis}`,
      );
    }
    const shape = withSize(x.shape, axis, k);
    return [shapedArray(x.dtype, shape, x.weakType), shapedArray("int32", shape)];
  },
  jvp: selectionJvp(
    () => topK,
    (params) => params.axis,
  ),
  transpose: none("top_k is not linear"),
  batch: unaryBatch(
    () => topK,
    (batch, params) => ({
      params: { ...params, axis: params.axis >= batch ? params.axis + 1 : params.axis },
      dim: batch,
    }),
  ),
  tfjs: (tf, inputs, { k, axis }, outs) =>
    firstInOrder(tf, at(inputs, 0), axis, k, "descending", outs),
  limits: [
    {
      when: "zeros of both signs",
      effect: "they count as equal, in the order of their indices; JAX puts 0.0 before -0.0",
      why: "TopKV2 compares numbers",
    },
    {
      when: "NaN with its sign bit set",
      effect: "it comes first, as every NaN; JAX puts it last",
      why: "no TensorFlow.js op tells the sign of NaN",
    },
  ],
});

export type ApproxTopKParams = {
  readonly k: number;
  readonly reduction_dimension: number;
  readonly recall_target: number;
  readonly is_max_k: boolean;
  readonly reduction_input_size_override: number;
  readonly aggregate_to_topk: boolean;
};

/** Number of candidates that XLA's ApproxTopK returns when it does not aggregate them. */
export function approxTopKSize(size: number, rank: number, params: ApproxTopKParams): number {
  const tiling = rank === 1 ? 1024 : 128;
  if (size <= tiling) return size;
  const override = params.reduction_input_size_override;
  const logical = override >= 0 ? override : size;
  const tiles = Math.ceil(size / tiling);
  if (params.k === 1) {
    const halvings = Math.ceil(Math.log2(Math.ceil(logical / tiling)));
    return tiling * Math.ceil(tiles / 2 ** halvings);
  }
  const wanted = (1 - params.k) / Math.log(params.recall_target);
  const windows = Math.floor(Math.min(Math.max(wanted, tiling), size));
  const halvings = Math.floor(Math.log2(Math.floor(logical / windows)));
  return halvings <= 0 ? size : tiling * Math.ceil(tiles / 2 ** halvings);
}

function approxShape(x: Shape, params: ApproxTopKParams): Shape {
  const axis = params.reduction_dimension;
  if (params.aggregate_to_topk) return withSize(x, axis, params.k);
  const size = at(x, axis);
  if (typeof size !== "number") {
    throw invalid(
      "approx_top_k with aggregate_to_topk=False not yet implemented when either the " +
        `\`k\` (${params.k}) or the  reduction dimension size (${printDim(size)}) are symbolic`,
    );
  }
  return withSize(x, axis, approxTopKSize(size, x.length, params));
}

/** Exact here: the approximation is for hardware that gains from it. */
export const approxTopK: Primitive<ApproxTopKParams> = definePrimitive<ApproxTopKParams>({
  name: "approx_top_k",
  abstractEval: (inputs, params) => {
    checkCount("approx_top_k", inputs, 1);
    const x = at(inputs, 0);
    const axis = params.reduction_dimension;
    if (!(params.k > 0)) throw invalid(`k must be positive, got ${params.k}`);
    if (x.shape.length === 0) {
      throw shapeMismatch(
        `approx_top_k operand must have >= 1 dimension, got ${printShape(x.shape)}`,
      );
    }
    checkAxis(axis, x.shape, `approx_top_k reduction_dimension ${axis} is out of range`);
    if (less(at(x.shape, axis), params.k)) {
      throw invalid(
        `k must be smaller than the size of reduction_dim ${printDim(at(x.shape, axis))}, got ${params.k}`,
      );
    }
    if (!isFloat(x.dtype)) throw dtypeMismatch("operand must be a floating type");
    const shape = approxShape(x.shape, params);
    return [shapedArray(x.dtype, shape, x.weakType), shapedArray("int32", shape)];
  },
  jvp: selectionJvp(
    () => approxTopK,
    (params) => params.reduction_dimension,
  ),
  transpose: none("approx_top_k is not linear"),
  batch: unaryBatch(
    () => approxTopK,
    (batch, params) => {
      const axis = params.reduction_dimension;
      const reduction_dimension = axis >= batch ? axis + 1 : axis;
      return { params: { ...params, reduction_dimension }, dim: batch };
    },
  ),
  tfjs: (tf, inputs, params, outs) => {
    const axis = params.reduction_dimension;
    const count = at(at(outs, 0).shape, axis);
    const order = params.is_max_k ? "descending" : "ascending";
    return firstInOrder(tf, at(inputs, 0), axis, count, order, outs);
  },
});
