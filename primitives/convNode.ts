/**
 * What convolutions share: their parameters in canonical layout, [batch, spatial..., features] by
 * [spatial..., input features, output features], and the attributes of tfjs convolution nodes.
 */
import { addDims, dilateDim, shapeSize, strideDim, type Dim, type Shape } from "../src/ir/dims.js";
import type { Tensor, Tf, WindowPadding } from "../src/ir/tf.js";
import { at, staticSize } from "./support.js";
import { isSamePadding, padOrCut, type PaddingPair } from "./windowArithmetic.js";

/** Parameters per spatial dimension, and group counts. */
export interface Convolution {
  readonly strides: readonly number[];
  readonly padding: readonly PaddingPair[];
  readonly lhsDilation: readonly number[];
  readonly rhsDilation: readonly number[];
  readonly featureGroups: number;
  readonly batchGroups: number;
}

/** Sizes of the spatial dimensions of the result. */
export function outputSizes(x: Shape, filter: Shape, conv: Convolution): Shape {
  return conv.strides.map((stride, dim) => {
    const [low, high] = at(conv.padding, dim);
    const size = dilateDim(at(x, dim + 1), at(conv.lhsDilation, dim));
    const window = dilateDim(at(filter, dim), at(conv.rhsDilation, dim));
    return strideDim(addDims(size, addDims(low, high)), window, stride);
  });
}

/** `[batch, spatial..., features]` with these spatial sizes. */
export const withSpatial = (x: Shape, sizes: Shape, features: Dim): Shape => [
  at(x, 0),
  ...sizes,
  features,
];

/** What a Conv2D node takes as padding; padding that no attribute can say is carried out. */
export function nodePadding(
  tf: Tf,
  x: Tensor,
  filter: Shape,
  conv: Convolution,
): { readonly x: Tensor; readonly padding: WindowPadding } {
  if (conv.padding.every(([low, high]) => low === 0 && high === 0)) return { x, padding: "VALID" };
  const isSame = conv.padding.every((pair, dim) => {
    const window = dilateDim(at(filter, dim), at(conv.rhsDilation, dim));
    return isSamePadding(pair, at(x.shape, dim + 1), window, at(conv.strides, dim));
  });
  if (isSame) return { x, padding: "SAME" };
  const amounts = conv.padding.map(([low, high]) => [staticSize(low), staticSize(high)] as const);
  const explicit = amounts.flatMap(([low, high]): (readonly [number, number])[] =>
    low === null || high === null || low < 0 || high < 0 ? [] : [[low, high]],
  );
  if (explicit.length === amounts.length) return { x, padding: explicit };
  return { x: padOrCut(tf, x, [[0, 0], ...conv.padding, [0, 0]], 0), padding: "VALID" };
}

function pairOf(list: readonly number[]): readonly [number, number] {
  return [at(list, 0), at(list, 1)];
}

/** Strides, dilations, padding and result shape of a Conv2D or DepthwiseConv2dNative node. */
export function node2D(
  tf: Tf,
  x: Tensor,
  filter: Shape,
  conv: Convolution,
  features: Dim,
): { readonly x: Tensor; readonly options: Parameters<Tf["conv2D"]>[2] } {
  const outShape = withSpatial(x.shape, outputSizes(x.shape, filter, conv), features);
  const padded = nodePadding(tf, x, filter, conv);
  const options = {
    strides: pairOf(conv.strides),
    dilations: pairOf(conv.rhsDilation),
    padding: padded.padding,
    outShape,
  };
  return { x: padded.x, options };
}

/** Elements of a filter that are summed up in one element of the result. */
export const summedSize = (filter: Shape): Dim => shapeSize(filter.slice(0, -1));
