/**
 * Transposed convolution: an input with zeros between its elements (`lhs_dilation`) as one
 * Conv2DBackpropInput node, where that says exactly the same. Called by convLowering.ts.
 */
import type { Dim, Shape } from "../src/ir/dims.js";
import type { Tensor, Tf, WindowPadding } from "../src/ir/tf.js";
import { outputSizes, type Convolution } from "./convNode.js";
import { at } from "./support.js";
import { isSamePadding, type PaddingPair } from "./windowArithmetic.js";

/**
 * The padding of the convolution whose gradient this is: with stride s = lhs_dilation and window k
 * it has k - 1 - low and k - 1 - high; up to s - 1 elements more at the end are never read.
 */
function forwardPadding(
  window: number,
  stride: number,
  [low, high]: PaddingPair,
): readonly [number, number] | null {
  if (typeof low !== "number" || typeof high !== "number") return null;
  const [before, after] = [window - 1 - low, window - 1 - high];
  if (before < 0 || after <= -stride) return null;
  return [before, Math.max(0, after)];
}

/** The result, or null where zeros must be put between the elements instead. */
export function transposedConvolution(
  tf: Tf,
  x: Tensor,
  filter: Tensor,
  conv: Convolution,
): Tensor | null {
  const plain = conv.strides.length === 2 && conv.featureGroups === 1;
  if (!plain || [...conv.strides, ...conv.rhsDilation].some((n) => n !== 1)) return null;
  const isNumber = (dim: Dim): dim is number => typeof dim === "number";
  const sizes = outputSizes(x.shape, filter.shape, conv).filter(isNumber);
  const windows = filter.shape.slice(0, 2).filter(isNumber);
  if (sizes.length < 2 || windows.length < 2) return null;
  const padding = windows.map((window, dim) =>
    forwardPadding(window, at(conv.lhsDilation, dim), at(conv.padding, dim)),
  );
  const known = padding.flatMap((pair) => (pair === null ? [] : [pair]));
  if (known.length < padding.length) return null;
  const strides = [at(conv.lhsDilation, 0), at(conv.lhsDilation, 1)] as const;
  const outShape = (spatial: readonly number[]): Shape => [
    at(x.shape, 0),
    ...spatial,
    at(filter.shape, 3),
  ];
  const reversed = windows.some((window) => window !== 1) ? tf.reverse(filter, [0, 1]) : filter;
  const swapped = tf.transpose(reversed, [0, 1, 3, 2]);
  const named = namedPadding(known, sizes, windows, strides);
  if (typeof named === "string" || !tf.backends.has("tensorflow")) {
    return tf.conv2DBackpropInput(outShape(sizes), swapped, x, { strides, padding: named });
  }
  // TensorFlow's own kernel takes no explicit padding: the padded result, and what is inside.
  const whole = sizes.map((size, dim) => at(known, dim).reduce((sum, n) => sum + n, size));
  const result = tf.conv2DBackpropInput(outShape(whole), swapped, x, { strides, padding: "VALID" });
  const begin = [0, ...known.map(([low]) => low), 0];
  return tf.slice(result, begin, outShape(sizes));
}

function namedPadding(
  padding: readonly (readonly [number, number])[],
  sizes: readonly number[],
  windows: readonly number[],
  strides: readonly number[],
): WindowPadding {
  if (padding.every(([low, high]) => low === 0 && high === 0)) return "VALID";
  const isSame = padding.every((pair, dim) =>
    isSamePadding(pair, at(sizes, dim), at(windows, dim), at(strides, dim)),
  );
  return isSame ? "SAME" : padding;
}
