/**
 * The derivatives and the batching rule of conv_general_dilated: the cotangents of both operands
 * are convolutions again, and batches are folded into batch, features and groups. Used by conv.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import {
  addDims,
  dilateDim,
  divideExactDims,
  mulDims,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ConvGeneralDilatedParams } from "../src/ir/params.js";
import type { MaybeZero } from "../src/ir/primitive.js";
import { asDtypeOf, bilinearJvp, bilinearTranspose } from "./dotTransforms.js";
import { at, isEmptyShape } from "./support.js";
import type { PaddingPair } from "./windowArithmetic.js";

type ConvParams = ConvGeneralDilatedParams;

/** Moves dimension `from` away and into the dimension that then is number `into`, as its outer part. */
export function mergeDimension(o: Ops, x: Value, from: number, into: number): Value {
  const { shape } = x.aval;
  const rest = shape.map((_, dim) => dim).filter((dim) => dim !== from);
  const merged = rest.map((dim, index) =>
    index === into ? mulDims(at(shape, from), at(shape, dim)) : at(shape, dim),
  );
  const order = rest.toSpliced(into, 0, from);
  const moved = order.every((dim, index) => dim === index) ? x : o.transpose(x, order);
  return o.reshape(moved, merged);
}

/** Splits a dimension into an outer one of `size` and what remains behind it. */
export function splitDimension(o: Ops, x: Value, dim: number, size: Dim): Value {
  const { shape } = x.aval;
  return o.reshape(x, shape.toSpliced(dim, 1, size, divideExactDims(at(shape, dim), size)));
}

const pick = (shape: Shape, dims: readonly number[]): Shape => dims.map((dim) => at(shape, dim));

/** The first two dimensions swapped: batch and features, or output and input features. */
function swapFirst(spec: readonly number[]): readonly number[] {
  const [first = 0, second = 0, ...spatial] = spec;
  return [second, first, ...spatial];
}

/** Sizes along one spatial dimension, with the gaps of dilations and strides. */
interface Extents {
  readonly lhs: Dim;
  readonly window: Dim;
  readonly out: Dim;
  readonly low: Dim;
}

function extentsOf(lhs: Shape, rhs: Shape, out: Shape, params: ConvParams): readonly Extents[] {
  return params.window_strides.map((stride, dim) => ({
    lhs: dilateDim(at(lhs, dim), at(params.lhs_dilation, dim)),
    window: dilateDim(at(rhs, dim), at(params.rhs_dilation, dim)),
    out: dilateDim(at(out, dim), stride),
    low: at(at(params.padding, dim), 0),
  }));
}

/** Padding of the cotangent, so that a window over it visits all that an lhs element went to. */
export function lhsCotangentPadding({ lhs, window, out, low }: Extents): PaddingPair {
  const before = subDims(subDims(window, low), 1);
  const span = subDims(addDims(lhs, window), 1);
  return [before, subDims(subDims(span, out), before)];
}

/** Padding of the lhs, so that the cotangent as a window meets what each rhs element met. */
function rhsCotangentPadding({ lhs, window, out, low }: Extents): PaddingPair {
  const fromWindow = subDims(subDims(window, low), 1);
  return [low, addDims(subDims(out, lhs), fromWindow)];
}

const spatialOf = (spec: readonly number[]): readonly number[] => spec.slice(2);

/** Both operands as a convolution without reversed windows takes them. */
function reversedDims({ window_reversal, dimension_numbers }: ConvParams): readonly number[] {
  return spatialOf(dimension_numbers.rhs_spec).filter((_, dim) => window_reversal?.[dim] === true);
}

function reverse(o: Ops, x: Value, dims: readonly number[]): Value {
  return dims.length === 0 ? x : o.rev(x, dims);
}

/** In each group, output features become input features and the other way around. */
function swapGroupedFeatures(o: Ops, rhs: Value, spec: readonly number[], groups: number): Value {
  if (groups === 1) return rhs;
  const [output = 0, input = 0] = spec;
  return mergeDimension(o, splitDimension(o, rhs, output, groups), output, input);
}

function toLhs(
  o: Ops,
  cotangent: Value,
  wanted: ShapedArray,
  rhs: Value,
  params: ConvParams,
): MaybeZero {
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  const { feature_group_count, batch_group_count } = params;
  const extents = extentsOf(
    pick(wanted.shape, spatialOf(lhs_spec)),
    pick(rhs.aval.shape, spatialOf(rhs_spec)),
    pick(cotangent.aval.shape, spatialOf(out_spec)),
    params,
  );
  const groups = Math.max(feature_group_count, batch_group_count);
  const swapped = swapGroupedFeatures(o, rhs, rhs_spec, groups);
  // Where the windows are reversed already, reversing them once more leaves them as they are.
  const kept = reversedDims(params);
  const window = reverse(
    o,
    swapped,
    spatialOf(rhs_spec).filter((dim) => !kept.includes(dim)),
  );
  const out = o.convGeneralDilated(cotangent, asDtypeOf(o, window, cotangent.aval), {
    ...params,
    window_strides: params.lhs_dilation,
    padding: extents.map(lhsCotangentPadding),
    lhs_dilation: params.window_strides,
    window_reversal: null,
    dimension_numbers: { lhs_spec: out_spec, rhs_spec: swapFirst(rhs_spec), out_spec: lhs_spec },
    feature_group_count: groups,
    batch_group_count: 1,
  });
  const typed = asDtypeOf(o, out, wanted);
  if (batch_group_count === 1) return typed;
  // Groups of features are groups of the batch again.
  const [batch = 0, feature = 0] = lhs_spec;
  return mergeDimension(o, splitDimension(o, typed, feature, batch_group_count), feature, batch);
}

function toRhs(
  o: Ops,
  cotangent: Value,
  wanted: ShapedArray,
  lhs: Value,
  params: ConvParams,
): MaybeZero {
  if (isEmptyShape(cotangent.aval.shape)) return null;
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  const { feature_group_count, batch_group_count } = params;
  const extents = extentsOf(
    pick(lhs.aval.shape, spatialOf(lhs_spec)),
    pick(wanted.shape, spatialOf(rhs_spec)),
    pick(cotangent.aval.shape, spatialOf(out_spec)),
    params,
  );
  const out = o.convGeneralDilated(asDtypeOf(o, lhs, cotangent.aval), cotangent, {
    ...params,
    window_strides: params.rhs_dilation,
    padding: extents.map(rhsCotangentPadding),
    rhs_dilation: params.window_strides,
    window_reversal: null,
    dimension_numbers: {
      lhs_spec: swapFirst(lhs_spec),
      rhs_spec: swapFirst(out_spec),
      out_spec: swapFirst(rhs_spec),
    },
    feature_group_count: batch_group_count,
    batch_group_count: feature_group_count,
  });
  return asDtypeOf(o, reverse(o, out, reversedDims(params)), wanted);
}

export const convJvp = bilinearJvp<ConvParams>((o, lhs, rhs, params) =>
  o.convGeneralDilated(lhs, rhs, params),
);

export const convTranspose = bilinearTranspose<ConvParams>("conv_general_dilated", toLhs, toRhs);
