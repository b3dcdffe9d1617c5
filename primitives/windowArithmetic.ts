/**
 * Sizes of windows that slide over a dimension, and spacing out (interior padding) of tensors.
 * Shared by convolutions (conv.ts) and windowed reductions (window.ts).
 */
import {
  addDims,
  dimEquals,
  floordivDims,
  maxDim,
  mulDims,
  shapeEquals,
  shapeSize,
  subDims,
  tryCompare,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { at } from "./support.js";

export type PaddingPair = readonly [low: Dim, high: Dim];

/** True if the dimension is surely negative. */
export const isNegative = (dim: Dim): boolean => tryCompare(dim, "<", 0) === true;

/** TensorFlow's (and JAX's) `SAME` padding: as many windows as `size / stride`, rounded up. */
function samePadding(size: Dim, window: Dim, stride: number): PaddingPair {
  const count = floordivDims(addDims(size, stride - 1), stride);
  const covered = addDims(mulDims(subDims(count, 1), stride), window);
  const total = maxDim(subDims(covered, size), 0);
  const low = floordivDims(total, 2);
  return [low, subDims(total, low)];
}

/**
 * True if `SAME` means this padding, on every backend: where windows leave out elements, Conv3D of
 * all backends and the convolutions of wasm compute a negative amount.
 */
export function isSamePadding(pair: PaddingPair, size: Dim, window: Dim, stride: number): boolean {
  if (tryCompare(window, ">=", stride) !== true) return false;
  const [low, high] = samePadding(size, window, stride);
  return dimEquals(pair[0], low) && dimEquals(pair[1], high);
}

/** Pads and, for negative amounts, cuts; `padding` is per dimension of `x`. */
export function padOrCut(
  tf: Tf,
  x: Tensor,
  padding: readonly PaddingPair[],
  value: number | boolean,
): Tensor {
  const cut = (amount: Dim): Dim => maxDim(mulDims(amount, -1), 0);
  const add = (amount: Dim): Dim => maxDim(amount, 0);
  const begin = padding.map(([low]) => cut(low));
  const added = padding.map(([low, high]): PaddingPair => [add(low), add(high)]);
  const isEither = padding.some((pair) =>
    pair.some((amount) => cut(amount) !== 0 && add(amount) !== 0),
  );
  const padded = (tensor: Tensor): Tensor =>
    added.some(([low, high]) => low !== 0 || high !== 0) ? tf.pad(tensor, added, value) : tensor;
  const sliced = (tensor: Tensor, size: Shape): Tensor =>
    shapeEquals(size, tensor.shape) ? tensor : tf.slice(tensor, begin, size);
  if (isEither) {
    // Symbolic amounts that turn out as either: the size says what is left.
    const size = x.shape.map((dim, axis) => addDims(dim, addDims(...at(padding, axis))));
    return sliced(padded(x), size);
  }
  const size = x.shape.map((dim, axis) =>
    subDims(dim, addDims(at(begin, axis), cut(at(padding, axis)[1]))),
  );
  return padded(sliced(x, size));
}

/** `count` elements along an axis, every `stride`-th from `begin` on. */
export interface AxisSlice {
  readonly axis: number;
  readonly begin: Dim;
  readonly count: Dim;
  readonly stride: number;
}

/** Slices several axes at once. */
export function takeEvery(tf: Tf, x: Tensor, slices: readonly AxisSlice[]): Tensor {
  const begin: Dim[] = x.shape.map(() => 0);
  const end: Dim[] = [...x.shape];
  const strides: number[] = x.shape.map(() => 1);
  for (const slice of slices) {
    const isSingle = slice.count === 1;
    const span = isSingle ? 0 : mulDims(subDims(slice.count, 1), slice.stride);
    begin[slice.axis] = slice.begin;
    end[slice.axis] = addDims(addDims(slice.begin, span), 1);
    strides[slice.axis] = isSingle ? 1 : slice.stride;
  }
  if (strides.some((stride) => stride > 1)) return tf.stridedSlice(x, begin, end, strides);
  const size = end.map((limit, axis) => subDims(limit, begin[axis] ?? 0));
  return shapeEquals(size, x.shape) ? x : tf.slice(x, begin, size);
}

/**
 * Puts `factor - 1` copies of `value` behind every element along an axis: the size is multiplied by
 * `factor`, so the last `factor - 1` elements are padding too.
 */
export function spaceOut(
  tf: Tf,
  x: Tensor,
  axis: number,
  factor: number,
  value: number | boolean,
): Tensor {
  if (factor === 1) return x;
  const size = x.shape[axis] ?? 0;
  const before = shapeSize(x.shape.slice(0, axis + 1));
  const after = shapeSize(x.shape.slice(axis + 1));
  const rows = tf.reshape(x, [before, 1, after]);
  const padded = tf.pad(
    rows,
    [
      [0, 0],
      [0, factor - 1],
      [0, 0],
    ],
    value,
  );
  const shape: Shape = x.shape.map((dim, d) => (d === axis ? mulDims(size, factor) : dim));
  return tf.reshape(padded, shape);
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
