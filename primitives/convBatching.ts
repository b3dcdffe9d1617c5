/**
 * The batching rule of conv_general_dilated, which has no batch dimensions besides one: a batch of
 * images joins their batch, a batch of filters their output features, a batch of both the groups.
 * Used by conv.ts.
 */
import {
  divideExactDims,
  mulDims,
  requireConstant,
  shapeSize,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import type { DType } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ConvGeneralDilatedParams } from "../src/ir/params.js";
import type { BatchRule } from "../src/ir/primitive.js";
import { sizeOfBatch, type BatchDims } from "./batching.js";
import { mergeDimension, splitDimension } from "./convTransforms.js";
import { batchToFront } from "./factories.js";
import { at, upTo } from "./support.js";

type ConvParams = ConvGeneralDilatedParams;

/** Size and position of the batch dimension of one operand. */
interface Batch {
  readonly size: Dim;
  readonly dim: number;
}

/**
 * Merges a batch dimension into another one, inside the groups that this other one consists of:
 * `[groups, rest]` becomes `[groups, batch, rest]`.
 */
function mergeInsideGroups(o: Ops, x: Value, from: number, into: number, groups: number): Value {
  if (groups === 1) return mergeDimension(o, x, from, into);
  const place = into + (from <= into ? 1 : 0);
  const split = splitDimension(o, x, place, groups);
  const merged = mergeDimension(o, split, from + (place < from ? 1 : 0), into + 1);
  return mergeDimension(o, merged, into, into);
}

function batchedLhs(o: Ops, lhs: Value, rhs: Value, { size, dim }: Batch, params: ConvParams) {
  const { lhs_spec, out_spec } = params.dimension_numbers;
  const merged = mergeInsideGroups(o, lhs, dim, at(lhs_spec, 0), params.batch_group_count);
  const out = o.convGeneralDilated(merged, rhs, params);
  const place = at(out_spec, 0);
  return { outputs: [splitDimension(o, out, place, size)], dims: [place] };
}

function batchedRhs(o: Ops, lhs: Value, rhs: Value, { size, dim }: Batch, params: ConvParams) {
  const { rhs_spec, out_spec } = params.dimension_numbers;
  const groups = Math.max(params.feature_group_count, params.batch_group_count);
  const merged = mergeInsideGroups(o, rhs, dim, at(rhs_spec, 0), groups);
  const out = o.convGeneralDilated(lhs, merged, params);
  const place = at(out_spec, 1);
  if (groups === 1) return { outputs: [splitDimension(o, out, place, size)], dims: [place] };
  // [groups, batch, rest] to [batch, groups, rest]
  const grouped = splitDimension(o, out, place, groups);
  const split = splitDimension(o, grouped, place + 1, size);
  return { outputs: [mergeDimension(o, split, place, place + 1)], dims: [place] };
}

function batchedBoth(
  o: Ops,
  lhs: Value,
  rhs: Value,
  size: number,
  dims: readonly [number, number],
  params: ConvParams,
) {
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  const { feature_group_count, batch_group_count } = params;
  const groupsBatch = batch_group_count > 1;
  const newLhs = mergeDimension(o, lhs, dims[0], at(lhs_spec, groupsBatch ? 0 : 1));
  const newRhs = mergeDimension(o, rhs, dims[1], at(rhs_spec, 0));
  const out = o.convGeneralDilated(newLhs, newRhs, {
    ...params,
    feature_group_count: feature_group_count * (groupsBatch ? 1 : size),
    batch_group_count: batch_group_count * (groupsBatch ? size : 1),
  });
  const place = at(out_spec, 1);
  return { outputs: [splitDimension(o, out, place, size)], dims: [place] };
}

/** Filters that each pick one element of the window: [features * window, 1, window...]. */
function pickingFilters(o: Ops, features: Dim, window: Shape, dtype: DType): Value {
  const size = shapeSize(window);
  const square = [size, size];
  const diagonal = o.eq(o.iota("int32", square, 0), o.iota("int32", square, 1));
  const picks = o.reshape(o.convertElementType(diagonal, dtype), [size, 1, ...window]);
  const shape = picks.aval.shape;
  const repeated = o.broadcastInDim(
    picks,
    [features, ...shape],
    shape.map((_, dim) => dim + 1),
  );
  return o.reshape(repeated, [mulDims(features, size), 1, ...window]);
}

/** Filters [size, output, input, window...] with their windows as the plain convolution has them. */
function reverseWindow(o: Ops, filters: Value, { window_reversal }: ConvParams): Value {
  const reversed = (window_reversal ?? []).flatMap((isReversed, dim) =>
    isReversed ? [dim + 3] : [],
  );
  return reversed.length === 0 ? filters : o.rev(filters, reversed);
}

/**
 * Convolutions of as many images and filters as a symbolic size says, where the number of groups
 * cannot be a parameter: the elements under each window side by side, times the filters. Operands
 * have the batch dimension first.
 */
function batchedPatches(o: Ops, lhs: Value, rhs: Value, params: ConvParams) {
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  const { batch_group_count } = params;
  const inner = (spec: readonly number[]): readonly number[] => spec.map((dim) => dim + 1);
  const spatial = upTo(lhs_spec.length - 2).map((dim) => dim + 2);
  const order = [0, 1, ...spatial];
  const size = at(lhs.aval.shape, 0);
  // Images as [size, batch, features, spatial...], then patches as [size batch, features taps, ...].
  let images = o.transpose(lhs, [0, ...inner(lhs_spec)]);
  if (batch_group_count > 1) {
    images = mergeDimension(o, splitDimension(o, images, 1, batch_group_count), 1, 2);
  }
  const [, batch = 0, features = 0] = images.aval.shape;
  const filters = reverseWindow(o, o.transpose(rhs, [0, ...inner(rhs_spec)]), params);
  const [, outputs = 0, inputs = 0, ...window] = filters.aval.shape;
  const groups = Math.max(params.feature_group_count, batch_group_count);
  const patches = o.convGeneralDilated(
    mergeDimension(o, images, 0, 0),
    pickingFilters(o, features, window, lhs.aval.dtype),
    {
      ...params,
      window_reversal: null,
      dimension_numbers: { lhs_spec: order, rhs_spec: order, out_spec: order },
      feature_group_count: requireConstant(features),
      batch_group_count: 1,
      preferred_element_type: null,
    },
  );
  const places = patches.aval.shape.slice(2);
  const summed = mulDims(inputs, shapeSize(window));
  const each = divideExactDims(outputs, groups);
  const product = o.dotGeneral(
    o.reshape(patches, [size, batch, groups, summed, ...places]),
    o.reshape(filters, [size, groups, each, summed]),
    {
      dimension_numbers: [
        [[3], [3]],
        [
          [0, 2],
          [0, 1],
        ],
      ],
      precision: params.precision,
      preferred_element_type: params.preferred_element_type,
    },
  );
  // From [size, groups, batch, spatial..., each] to the layout of the result.
  const last = places.length + 3;
  const moved = o.transpose(product, [0, 2, 1, last, ...places.map((_, dim) => dim + 3)]);
  const result = o.reshape(moved, [size, batch, outputs, ...places]);
  const permutation = [0, ...order.map((dim) => out_spec.indexOf(dim) + 1)];
  return { outputs: [o.transpose(result, permutation)], dims: [0] };
}

/** The result for a batch without elements: as long as one convolution's, without rows. */
function emptyBatch(o: Ops, inputs: readonly Value[], dims: BatchDims, params: ConvParams) {
  const [lhs, rhs] = inputs.map(({ aval }, index) => {
    const dim = dims[index] ?? null;
    return o.full(dim === null ? aval.shape : aval.shape.toSpliced(dim, 1), 0, aval.dtype);
  });
  if (lhs === undefined || rhs === undefined) throw new Error("internal error: two operands");
  const { shape, dtype } = o.convGeneralDilated(lhs, rhs, params).aval;
  return { outputs: [o.full([0, ...shape], 0, dtype)], dims: [0] };
}

/** The batching rule; JAX's, and for symbolic batches of both operands a product of patches. */
export const convBatch: BatchRule<ConvParams> = (o, inputs, dims, params) => {
  const [lhs, rhs] = [at(inputs, 0), at(inputs, 1)];
  const [left = null, right = null] = dims;
  const size = sizeOfBatch(inputs, dims);
  if (size === 0) return emptyBatch(o, inputs, dims, params);
  if (left === null) return batchedRhs(o, lhs, rhs, { size, dim: right ?? 0 }, params);
  if (right === null) return batchedLhs(o, lhs, rhs, { size, dim: left }, params);
  if (typeof size === "number") return batchedBoth(o, lhs, rhs, size, [left, right], params);
  return batchedPatches(o, batchToFront(o, lhs, left), batchToFront(o, rhs, right), params);
};
