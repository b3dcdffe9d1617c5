/**
 * Windowed sums, maxima and minima of float32 tensors as tfjs pooling nodes. Called by window.ts;
 * what does not fit is folded by windowFold.ts.
 */
import {
  dilateDim,
  dimEquals,
  shapeEquals,
  shapeSize,
  strideDim,
  tryCompare,
  addDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { node2D } from "./convNode.js";
import { at, staticSize, upTo } from "./support.js";
import { isSamePadding, padOrCut, type PaddingPair } from "./windowArithmetic.js";

export type PoolKind = "sum" | "max" | "min";

/** Pooling nodes look at every element of a window; windows of more than this are folded instead. */
const mostTaps = { sum: 64, max: 256, min: 256 } as const;

/** One dimension of the window. */
interface PoolAxis {
  readonly axis: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: PaddingPair;
}

interface PoolPlan {
  /** Dimensions that the window covers whole: an ordinary reduction. */
  readonly whole: readonly number[];
  /** One or two neighbouring dimensions for each pooling node. */
  readonly groups: readonly (readonly PoolAxis[])[];
}

/** Neighbouring dimensions in pairs, as far as a pair of windows has not too many taps. */
function pairUp(axes: readonly PoolAxis[], limit: number): readonly (readonly PoolAxis[])[] {
  const groups: (readonly PoolAxis[])[] = [];
  for (const axis of axes) {
    const last = groups.at(-1);
    const [only] = last ?? [];
    const fits =
      last?.length === 1 && only?.axis === axis.axis - 1 && only.taps * axis.taps <= limit;
    if (fits) groups[groups.length - 1] = [only, axis];
    else groups.push([axis]);
  }
  return groups;
}

/** Which nodes to use, or null where pooling nodes do not say it. */
export function planPool(kind: PoolKind, x: Shape, params: ReduceWindowParams): PoolPlan | null {
  const whole: number[] = [];
  const axes: PoolAxis[] = [];
  for (const axis of upTo(x.length)) {
    const window = at(params.window_dimensions, axis);
    const stride = at(params.window_strides, axis);
    const padding = at(params.padding, axis);
    const isPadded = padding[0] !== 0 || padding[1] !== 0;
    if (window === 1 && stride === 1 && !isPadded && at(params.base_dilation, axis) === 1) continue;
    if (at(params.base_dilation, axis) !== 1) return null;
    const dilation = window === 1 ? 1 : at(params.window_dilation, axis);
    if (dimEquals(window, at(x, axis)) && !isPadded && dilation === 1) {
      whole.push(axis);
      continue;
    }
    const taps = staticSize(window);
    if (taps === null || (kind !== "sum" && dilation !== 1)) return null;
    if (taps > mostTaps[kind] || (stride > 1 && dilation > 1)) return null;
    // The kernels of some backends give a finite number for windows of nothing but padding.
    const reaches = padding.every((amount) => tryCompare(amount, "<", taps) === true);
    if (kind !== "sum" && !reaches) return null;
    axes.push({ axis, taps, stride, dilation, padding });
  }
  const groups = pairUp(axes, mostTaps[kind]);
  const clash = (group: readonly PoolAxis[]): boolean =>
    group.some((a) => a.stride > 1) && group.some((a) => a.dilation > 1);
  return groups.some(clash) ? null : { whole, groups };
}

/** The number of windows along a dimension. */
function countOf(size: Dim, { taps, stride, dilation, padding }: PoolAxis): Dim {
  const padded = addDims(size, addDims(padding[0], padding[1]));
  return strideDim(padded, dilateDim(taps, dilation), stride);
}

const pairOf = (a: number, b: number | undefined): readonly [number, number] => [a, b ?? 1];

function reshapeTo(tf: Tf, x: Tensor, shape: Shape): Tensor {
  return shapeEquals(x.shape, shape) ? x : tf.reshape(x, shape);
}

/** Max pooling of [n, h, w, c]; padding other than `SAME` is carried out with `lowest`. */
function maxPool(
  tf: Tf,
  x: Tensor,
  axes: readonly [PoolAxis, PoolAxis | null],
  outShape: Shape,
  lowest: number,
): Tensor {
  const pairs = axes.map((axis): PaddingPair => axis?.padding ?? [0, 0]);
  const isSame = pairs.every((pair, index) => {
    const axis = axes[index];
    if (axis === null || axis === undefined) return true;
    return isSamePadding(pair, at(x.shape, index + 1), axis.taps, axis.stride);
  });
  const needsPadding = pairs.some(([low, high]) => low !== 0 || high !== 0);
  const padded = isSame || !needsPadding ? x : padOrCut(tf, x, [[0, 0], ...pairs, [0, 0]], lowest);
  return tf.pool("MaxPool", padded, {
    window: pairOf(axes[0].taps, axes[1]?.taps),
    strides: pairOf(axes[0].stride, axes[1]?.stride),
    padding: needsPadding && isSame ? "SAME" : "VALID",
    outShape,
  });
}

/**
 * Sums of [n, h, w, c]. AvgPool times the number of taps is exact only for powers of two (and 49
 * ones must sum up to 49), other windows are convolutions with ones.
 */
function sumPool(
  tf: Tf,
  x: Tensor,
  axes: readonly [PoolAxis, PoolAxis | null],
  outShape: Shape,
): Tensor {
  const window = pairOf(axes[0].taps, axes[1]?.taps);
  const strides = pairOf(axes[0].stride, axes[1]?.stride);
  const dilations = pairOf(axes[0].dilation, axes[1]?.dilation);
  const pairs = axes.map((axis): PaddingPair => axis?.padding ?? [0, 0]);
  const taps = window[0] * window[1];
  if (Number.isInteger(Math.log2(taps)) && dilations.every((d) => d === 1)) {
    const padded = padOrCut(tf, x, [[0, 0], ...pairs, [0, 0]], 0);
    const means = tf.pool("AvgPool", padded, { window, strides, padding: "VALID", outShape });
    return tf.binary("Mul", means, tf.scalar(taps, "float32"));
  }
  const ones = tf.fill([...window, at(x.shape, 3), 1], 1, "float32");
  const node = node2D(
    tf,
    x,
    ones.shape,
    { ...plain, strides, padding: pairs, rhsDilation: dilations },
    at(x.shape, 3),
  );
  return tf.depthwiseConv2D(node.x, ones, node.options);
}

/** A convolution without groups or spaced-out input. */
const plain = { lhsDilation: [1, 1], featureGroups: 1, batchGroups: 1 };

function poolGroup(
  tf: Tf,
  kind: "sum" | "max",
  x: Tensor,
  group: readonly PoolAxis[],
  lowest: number,
): Tensor {
  const first = at(group, 0);
  const second = group[1] ?? null;
  const end = first.axis + group.length;
  const height = at(x.shape, first.axis);
  const width = second === null ? 1 : at(x.shape, second.axis);
  const before = shapeSize(x.shape.slice(0, first.axis));
  const after = shapeSize(x.shape.slice(end));
  const counts = group.map((axis) => countOf(at(x.shape, axis.axis), axis));
  const outShape = [before, at(counts, 0), counts[1] ?? 1, after];
  const input = reshapeTo(tf, x, [before, height, width, after]);
  const axes = [first, second] as const;
  const pooled =
    kind === "max"
      ? maxPool(tf, input, axes, outShape, lowest)
      : sumPool(tf, input, axes, outShape);
  return reshapeTo(tf, pooled, [...x.shape.slice(0, first.axis), ...counts, ...x.shape.slice(end)]);
}

/**
 * The windowed reduction of a float32 tensor by a plan of `planPool`. `identity` is what padding
 * counts as (not infinite where integers are carried).
 */
export function poolWindows(
  tf: Tf,
  kind: PoolKind,
  x: Tensor,
  plan: PoolPlan,
  identity: number,
): Tensor {
  if (kind === "min") {
    const negated = poolWindows(tf, "max", tf.unary("Neg", x), plan, -identity);
    return tf.unary("Neg", negated);
  }
  const op = kind === "sum" ? "Sum" : "Max";
  const long = plan.whole.filter((axis) => x.shape[axis] !== 1);
  const reduced = long.length === 0 ? x : tf.reduce(op, x, long, true);
  return plan.groups.reduce((y, group) => poolGroup(tf, kind, y, group, identity), reduced);
}
