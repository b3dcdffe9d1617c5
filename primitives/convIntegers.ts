/**
 * Exact convolution of integers: digits as in integerProducts.ts, joined along the input features.
 * Called by conv.ts.
 */
import { boundsOf, floordivDims, mulDims } from "../src/ir/dims.js";
import type { DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { convolve } from "./convLowering.js";
import { summedSize, type Convolution } from "./convNode.js";
import { combineDigits, digitsOf, exactTerms, placesOf, wrapToDtype } from "./integerProducts.js";
import { at, staticSize, upTo } from "./support.js";

/**
 * `convolve` for int32 tensors that hold `dtypes`, wrapped to `out` as in JAX.
 *
 * @throws Jax2TfjsError `symbolic-size`, `integer-overflow` where sums cannot be kept exact
 */
export function exactConvolution(
  tf: Tf,
  x: Tensor,
  filter: Tensor,
  conv: Convolution,
  dtypes: readonly [DType, DType],
  out: DType,
): Tensor {
  const places = placesOf(out);
  const [left, right] = [
    digitsOf(tf, x, dtypes[0], places),
    digitsOf(tf, filter, dtypes[1], places),
  ];
  const terms = exactTerms(left.bounds, right.bounds, places);
  const product = (xs: readonly Tensor[], filters: readonly Tensor[]): Tensor => {
    const joined = joinFeatures(tf, xs, conv);
    const kernel =
      filters.length === 1 ? at(filters, 0) : tf.concat(filters, filter.shape.length - 2);
    return tf.cast(convolve(tf, joined, kernel, conv), "int32");
  };
  const chunks = featureChunks(filter, terms, conv);
  const sums = chunks.map(([begin, count]) => {
    const cut = (tensors: readonly Tensor[], fromEnd: number): readonly Tensor[] =>
      chunks.length === 1 ? tensors : tensors.map((t) => cutAxis(tf, t, fromEnd, begin, count));
    return combineDigits(tf, left, right, places, (xs, filters) =>
      product(cut(xs, 1), cut(filters, 2)),
    );
  });
  const sum = sums.reduce((total, part) => tf.binary("AddV2", total, part));
  return wrapToDtype(tf, sum, out);
}

function cutAxis(tf: Tf, x: Tensor, fromEnd: number, begin: number, count: number): Tensor {
  const axis = x.shape.length - fromEnd;
  const begins = x.shape.map((_, dim) => (dim === axis ? begin : 0));
  return tf.slice(
    x,
    begins,
    x.shape.map((size, dim) => (dim === axis ? count : size)),
  );
}

/** Digits of each group of features side by side. */
function joinFeatures(tf: Tf, xs: readonly Tensor[], conv: Convolution): Tensor {
  const first = at(xs, 0);
  if (xs.length === 1) return first;
  const groups = conv.featureGroups;
  const axis = first.shape.length - 1;
  if (groups === 1) return tf.concat(xs, axis);
  const features = at(first.shape, axis);
  const outer = first.shape.slice(0, -1);
  const split = xs.map((x) => tf.reshape(x, [...outer, groups, floordivDims(features, groups)]));
  return tf.reshape(tf.concat(split, axis + 1), [...outer, mulDims(features, xs.length)]);
}

/** Ranges of input features whose sums stay exact. */
function featureChunks(
  filter: Tensor,
  terms: number,
  conv: Convolution,
): readonly (readonly [begin: number, count: number])[] {
  const [, summed] = boundsOf(summedSize(filter.shape));
  const features = staticSize(filter.shape.at(-2) ?? 0);
  if (summed <= terms) return [[0, features ?? 0]];
  const taps = features === null ? Infinity : summed / features;
  const size = Math.floor(terms / taps);
  if (features === null || size < 1 || conv.featureGroups > 1) {
    throw new Jax2TfjsError(
      "integer-overflow",
      "this convolution of integers adds up more products than TensorFlow.js can add exactly",
      { fix: "convert the operands to float32 if rounding is acceptable" },
    );
  }
  return upTo(Math.ceil(features / size)).map((index) => [
    index * size,
    Math.min(size, features - index * size),
  ]);
}
