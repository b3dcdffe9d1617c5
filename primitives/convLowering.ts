/**
 * Convolution of float32 tensors in canonical layout, [batch, spatial..., features] by
 * [spatial..., input features, output features], as tfjs convolution nodes: reduces every
 * combination of strides, padding, dilations and groups to what the kernels do. Called by conv.ts.
 */
import {
  addDims,
  dilateDim,
  floordivDims,
  mulDims,
  subDims,
  tryCompare,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { convolveGroups } from "./convGroups.js";
import { node2D, nodePadding, outputSizes, withSpatial, type Convolution } from "./convNode.js";
import { transposedConvolution } from "./convTransposed.js";
import { at, upTo } from "./support.js";
import {
  greatestCommonDivisor,
  padOrCut,
  spaceOut,
  takeEvery,
  type AxisSlice,
  type PaddingPair,
} from "./windowArithmetic.js";

const replaced = <T>(items: readonly T[], index: number, item: T): readonly T[] =>
  items.map((old, i) => (i === index ? item : old));

/** The convolution of any parameters. */
export function convolve(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const spatial = conv.strides.length;
  if (spatial < 2) return convolveLowRank(tf, x, filter, conv);
  if (conv.batchGroups > 1)
    return convolve(tf, groupBatch(tf, x, conv.batchGroups), filter, {
      ...conv,
      featureGroups: conv.batchGroups,
      batchGroups: 1,
    });
  if (conv.lhsDilation.some((factor) => factor > 1)) {
    const result = transposedConvolution(tf, x, filter, conv);
    return result ?? convolveSpacedOut(tf, x, filter, conv);
  }
  const simpler = simplify(x.shape, filter.shape, conv);
  if (simpler !== null) return convolve(tf, x, filter, simpler);
  const aligned = subsampleInput(tf, x, filter, conv);
  if (aligned !== null) return convolve(tf, aligned.x, filter, aligned.conv);
  if (conv.strides.some((s) => s > 1) && conv.rhsDilation.some((d) => d > 1)) {
    return convolveThenSubsample(tf, x, filter, conv);
  }
  // TensorFlow's own Conv3D knows no dilations.
  const dilated = conv.rhsDilation.some((d) => d > 1) && tf.backends.has("tensorflow");
  if (spatial > 3 || (spatial === 3 && (conv.featureGroups > 1 || dilated))) {
    return foldSpatial(tf, x, filter, conv);
  }
  if (spatial === 3) return convolve3D(tf, x, filter, conv);
  if (conv.featureGroups > 1) return convolveGroups(tf, x, filter, conv, convolve);
  return convolve2D(tf, x, filter, conv);
}

/** No or one spatial dimension: dimensions of size 1 in front. */
function convolveLowRank(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const missing = 2 - conv.strides.length;
  const ones = new Array<number>(missing).fill(1);
  const noPadding = ones.map((): PaddingPair => [0, 0]);
  const [batch, ...rest] = x.shape;
  const result = convolve(
    tf,
    tf.reshape(x, [batch ?? 1, ...ones, ...rest]),
    tf.reshape(filter, [...ones, ...filter.shape]),
    {
      ...conv,
      strides: [...ones, ...conv.strides],
      padding: [...noPadding, ...conv.padding],
      lhsDilation: [...ones, ...conv.lhsDilation],
      rhsDilation: [...ones, ...conv.rhsDilation],
    },
  );
  return tf.reshape(result, [at(result.shape, 0), ...result.shape.slice(1 + missing)]);
}

/** Groups of the batch as groups of features: [g n, ..., c] to [n, ..., g c]. */
function groupBatch(tf: Tf, x: Tensor, groups: number): Tensor {
  const [batch = 0, ...rest] = x.shape;
  const features = rest.at(-1) ?? 0;
  const each = floordivDims(batch, groups);
  const split = tf.reshape(x, [groups, each, ...rest]);
  const spatial = upTo(rest.length - 1).map((dim) => dim + 2);
  const moved = tf.transpose(split, [1, ...spatial, 0, rest.length + 1]);
  return tf.reshape(moved, [each, ...rest.slice(0, -1), mulDims(features, groups)]);
}

/** Zeros between the elements of the input, where no transposed convolution does it. */
function convolveSpacedOut(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  let spaced = x;
  const padding = conv.padding.map(([low, high], dim): PaddingPair => {
    const factor = at(conv.lhsDilation, dim);
    if (factor === 1 || x.shape[dim + 1] === 1) return [low, high];
    spaced = spaceOut(tf, spaced, dim + 1, factor, 0);
    const size = at(x.shape, dim + 1);
    if (tryCompare(size, ">=", 1) === true) return [low, addDims(high, 1 - factor)];
    // Without elements there is nothing behind the last one to take away.
    const exact = spaced.shape.with(dim + 1, dilateDim(size, factor));
    spaced = tf.slice(
      spaced,
      exact.map(() => 0),
      exact,
    );
    return [low, high];
  });
  return convolve(tf, spaced, filter, {
    ...conv,
    padding,
    lhsDilation: conv.lhsDilation.map(() => 1),
  });
}

/**
 * Drops dilations of a single tap and, where dilations are left, strides over a single window (the
 * kernels refuse strides together with dilations). Null if there is nothing to drop.
 */
function simplify(x: Shape, filter: Shape, conv: Convolution): Convolution | null {
  const rhsDilation = conv.rhsDilation.map((factor, dim) => (filter[dim] === 1 ? 1 : factor));
  const isDilated = rhsDilation.some((factor) => factor > 1);
  const sizes = outputSizes(x, filter, conv);
  const strides = conv.strides.map((stride, dim) => (isDilated && sizes[dim] === 1 ? 1 : stride));
  // With stride 1 again, padding that no window reaches must go, lest there be more windows.
  const padding = conv.padding.map(([low, high], dim): PaddingPair => {
    if (strides[dim] === conv.strides[dim]) return [low, high];
    const window = dilateDim(at(filter, dim), at(rhsDilation, dim));
    return [low, subDims(subDims(window, low), at(x, dim + 1))];
  });
  const same = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();
  if (same(strides, conv.strides) && same(rhsDilation, conv.rhsDilation)) return null;
  return { ...conv, strides, rhsDilation, padding };
}

/**
 * Where stride and filter dilation have a common divisor, windows meet only every such element of
 * the padded input: keeps these alone. (The kernels refuse strides together with dilations.)
 */
function subsampleInput(
  tf: Tf,
  x: Tensor,
  filter: Tensor,
  conv: Convolution,
): { readonly x: Tensor; readonly conv: Convolution } | null {
  const factors = conv.strides.map((stride, dim) =>
    greatestCommonDivisor(stride, at(conv.rhsDilation, dim)),
  );
  if (factors.every((factor) => factor === 1)) return null;
  const sizes = outputSizes(x.shape, filter.shape, conv);
  const spatialPadding = conv.padding.map((pair, dim): PaddingPair =>
    at(factors, dim) === 1 ? [0, 0] : pair,
  );
  const padded = padOrCut(tf, x, [[0, 0], ...spatialPadding, [0, 0]], 0);
  const slices = factors.flatMap((factor, dim): readonly AxisSlice[] => {
    if (factor === 1) return [];
    const windows = mulDims(addDims(at(sizes, dim), -1), at(conv.strides, dim) / factor);
    const taps = mulDims(addDims(at(filter.shape, dim), -1), at(conv.rhsDilation, dim) / factor);
    const count = addDims(addDims(windows, taps), 1);
    return [{ axis: dim + 1, begin: 0, count, stride: factor }];
  });
  const kept = takeEvery(tf, padded, slices);
  const scaled = (list: readonly number[]): readonly number[] =>
    list.map((value, dim) => value / at(factors, dim));
  return {
    x: kept,
    conv: {
      ...conv,
      strides: scaled(conv.strides),
      rhsDilation: scaled(conv.rhsDilation),
      padding: conv.padding.map((pair, dim) => (at(factors, dim) === 1 ? pair : [0, 0])),
    },
  };
}

/** Strides with dilations that have no common divisor: every window, then those asked for. */
function convolveThenSubsample(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const sizes = outputSizes(x.shape, filter.shape, conv);
  const everywhere = convolve(tf, x, filter, { ...conv, strides: conv.strides.map(() => 1) });
  const slices = conv.strides.map((stride, dim) => {
    return { axis: dim + 1, begin: 0, count: at(sizes, dim), stride };
  });
  return takeEvery(tf, everywhere, slices);
}

function convolve2D(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const node = node2D(tf, x, filter.shape, conv, at(filter.shape, 3));
  return tf.conv2D(node.x, filter, node.options);
}

function convolve3D(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const sizes = outputSizes(x.shape, filter.shape, conv);
  const { padding, x: given } = nodePadding(tf, x, filter.shape, conv);
  const explicit = typeof padding !== "string";
  const triple = (list: readonly number[]) => [at(list, 0), at(list, 1), at(list, 2)] as const;
  return tf.conv3D(
    explicit ? padOrCut(tf, given, [[0, 0], ...padding, [0, 0]], 0) : given,
    filter,
    {
      strides: triple(conv.strides),
      dilations: triple(conv.rhsDilation),
      padding: explicit ? "VALID" : padding,
      outShape: withSpatial(x.shape, sizes, at(filter.shape, 4)),
    },
  );
}

/**
 * One spatial dimension less: the taps of the first one become input features, its windows join
 * the batch. With an unknown number of taps (the filter may be a cotangent) all are taken at once,
 * for one window after the other.
 */
function foldSpatial(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const [taps, windows] = [at(filter.shape, 0), at(outputSizes(x.shape, filter.shape, conv), 0)];
  const noPadding = x.shape.map((): PaddingPair => [0, 0]);
  const padded = padOrCut(tf, x, replaced(noPadding, 1, at(conv.padding, 0)), 0);
  const [stride, dilation] = [at(conv.strides, 0), at(conv.rhsDilation, 0)];
  const filterRank = filter.shape.length;
  const order = [...upTo(filterRank - 3).map((dim) => dim + 1), 0, filterRank - 2, filterRank - 1];
  const inputFeatures = mulDims(at(filter.shape, filterRank - 2), taps);
  const foldedFilter = tf.reshape(tf.transpose(filter, order), [
    ...filter.shape.slice(1, -2),
    inputFeatures,
    at(filter.shape, filterRank - 1),
  ]);
  const rest: Convolution = {
    ...conv,
    strides: conv.strides.slice(1),
    padding: conv.padding.slice(1),
    lhsDilation: conv.lhsDilation.slice(1),
    rhsDilation: conv.rhsDilation.slice(1),
  };
  const batch = at(x.shape, 0);
  if (typeof taps === "number") {
    const slices = upTo(taps).map((tap) =>
      takeEvery(tf, padded, [{ axis: 1, begin: tap * dilation, count: windows, stride }]),
    );
    const folded = joinTaps(tf, slices, mulDims(batch, windows), conv.featureGroups);
    const result = convolve(tf, folded, foldedFilter, rest);
    return tf.reshape(result, [batch, windows, ...result.shape.slice(1)]);
  }
  if (typeof windows !== "number") {
    throw new Jax2TfjsError(
      "symbolic-size",
      "conv_general_dilated with more than three spatial dimensions (or three and groups) takes " +
        "filters or results of static size only",
    );
  }
  const results = upTo(windows).map((window) => {
    const slice: AxisSlice = { axis: 1, begin: window * stride, count: taps, stride: dilation };
    const folded = tapsAsFeatures(tf, takeEvery(tf, padded, [slice]), conv.featureGroups);
    const result = convolve(tf, folded, foldedFilter, rest);
    return tf.reshape(result, [batch, 1, ...result.shape.slice(1)]);
  });
  return results.length === 1 ? at(results, 0) : tf.concat(results, 1);
}

/** Slices [batch, windows, ..., features], one for each tap, as [rows, ..., taps features]. */
function joinTaps(tf: Tf, slices: readonly Tensor[], rows: Dim, groups: number): Tensor {
  const others = at(slices, 0).shape.slice(2);
  const features = others.at(-1) ?? 0;
  const spatial = others.slice(0, -1);
  const each = floordivDims(features, groups);
  // Input features of one group must stay together: [taps, groups, each] to [groups, taps, each].
  const parts = slices.map((slice) => tf.reshape(slice, [rows, ...spatial, groups, 1, each]));
  const rank = spatial.length + 4;
  const joined = parts.length === 1 ? at(parts, 0) : tf.concat(parts, rank - 2);
  return tf.reshape(joined, [rows, ...spatial, mulDims(features, slices.length)]);
}

/** All taps of one window, [batch, taps, ..., features], as [batch, ..., taps features]. */
function tapsAsFeatures(tf: Tf, slice: Tensor, groups: number): Tensor {
  const [batch = 0, taps = 0, ...others] = slice.shape;
  const features = others.at(-1) ?? 0;
  const spatial = others.slice(0, -1);
  const split = tf.reshape(slice, [
    batch,
    taps,
    ...spatial,
    groups,
    floordivDims(features, groups),
  ]);
  const last = spatial.length + 2;
  const places = spatial.map((_, dim) => dim + 2);
  const moved = tf.transpose(split, [0, ...places, last, 1, last + 1]);
  return tf.reshape(moved, [batch, ...spatial, mulDims(features, taps)]);
}
