/**
 * Windowed reductions with any associative computation, one dimension after the other, in a number
 * of steps logarithmic in the window: windows of 2, 4, 8, … elements are put together. Used where
 * no pooling node fits, by reduce_window and by selectAndScatter.ts.
 */
import { shapedArray } from "../src/ir/aval.js";
import { boundsOf, dilateDim, dimEquals, strideDim, subDims, type Dim } from "../src/ir/dims.js";
import type { DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { LiteralValue } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { at, moveData, upTo, withSize } from "./support.js";
import { treeReduce } from "./treeReduce.js";
import { takeEvery, type AxisSlice } from "./windowArithmetic.js";

/** How far the right part of a window begins behind the left one. */
export interface WindowShift {
  readonly axis: number;
  /** In taps of the window. */
  readonly distance: number;
}

/**
 * Combines parts of windows elementwise: left ones come first. May return more values than it got:
 * what it finds out on the way.
 */
export type WindowCombine = (
  o: Ops,
  left: readonly Value[],
  right: readonly Value[],
  shift: WindowShift,
) => readonly Value[];

/** One dimension of a window. */
interface AxisWindow {
  readonly axis: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
}

type GraphValues = readonly GraphValue[];

/** Up to this many taps, strided windows are put together from one strided slice per tap. */
const fewTaps = 4;

/** A scalar of the graph. */
export function scalarValue(tf: Tf, value: LiteralValue, dtype: DType): GraphValue {
  return at(
    tf.inline([], (o) => [o.literal(value, dtype)]),
    0,
  );
}

/**
 * `count` elements along an axis, every `stride`-th from `begin` on. Not the primitive `slice`,
 * which refuses symbolic sizes that might be too small for the window.
 */
function sliceAxis(tf: Tf, x: GraphValue, slice: AxisSlice): GraphValue {
  const { shape, dtype } = x.aval;
  const { axis, begin, count, stride } = slice;
  if (begin === 0 && stride === 1 && dimEquals(count, at(shape, axis))) return x;
  const out = shapedArray(dtype, withSize(shape, axis, count));
  return moveData(tf, [x], out, (parts) => takeEvery(tf, at(parts, 0), [slice]));
}

function combineParts(
  tf: Tf,
  left: GraphValues,
  right: GraphValues,
  shift: WindowShift,
  combine: WindowCombine,
): GraphValues {
  return tf.inline([...left, ...right], (o, values) =>
    combine(o, values.slice(0, left.length), values.slice(left.length), shift),
  );
}

/** Every element of a window by itself, in order. */
function foldTaps(
  tf: Tf,
  xs: GraphValues,
  { axis, taps, stride, dilation }: AxisWindow,
  count: Dim,
  combine: WindowCombine,
): GraphValues {
  const parts = upTo(taps).map((tap) =>
    xs.map((x) => sliceAxis(tf, x, { axis, begin: tap * dilation, count, stride })),
  );
  return parts.reduce<GraphValues>(
    (left, right, distance) =>
      distance === 0 ? right : combineParts(tf, left, right, { axis, distance }, combine),
    xs,
  );
}

/** Windows at every place, from windows of 1, 2, 4, … elements. */
function foldByDoubling(
  tf: Tf,
  xs: GraphValues,
  { axis, taps, dilation }: AxisWindow,
  combine: WindowCombine,
): GraphValues {
  const size = at(at(xs, 0).aval.shape, axis);
  const places = (covered: number): Dim => {
    const reach = (covered - 1) * dilation;
    return covered === taps ? strideDim(size, reach + 1, 1) : subDims(size, reach);
  };
  const join = (
    left: GraphValues,
    right: GraphValues,
    distance: number,
    covered: number,
  ): GraphValues => {
    const count = places(covered);
    const shifted = (values: GraphValues, begin: number): GraphValues =>
      values.map((value) => sliceAxis(tf, value, { axis, begin, count, stride: 1 }));
    const later = shifted(right, distance * dilation);
    return combineParts(tf, shifted(left, 0), later, { axis, distance }, combine);
  };
  let power = xs;
  let powerTaps = 1;
  let result: GraphValues | null = null;
  let resultTaps = 0;
  for (let left = taps; ; left = Math.floor(left / 2)) {
    if (left % 2 === 1) {
      // The part found so far comes later in the window.
      const covered = resultTaps + powerTaps;
      result = result === null ? power : join(power, result, powerTaps, covered);
      resultTaps = covered;
    }
    if (left <= 1) return result ?? power;
    power = join(power, power, powerTaps, 2 * powerTaps);
    powerTaps *= 2;
  }
}

function foldAxis(
  tf: Tf,
  xs: GraphValues,
  window: AxisWindow,
  combine: WindowCombine,
): GraphValues {
  const { axis, taps, stride } = window;
  const size = at(at(xs, 0).aval.shape, axis);
  const count = strideDim(size, dilateDim(taps, window.dilation), stride);
  if (stride > 1 && taps <= fewTaps) return foldTaps(tf, xs, window, count, combine);
  const everywhere = taps === 1 ? xs : foldByDoubling(tf, xs, window, combine);
  return everywhere.map((x) => sliceAxis(tf, x, { axis, begin: 0, count, stride }));
}

/** The window is as long as the dimension, whose size is symbolic: an ordinary reduction. */
function foldWhole(
  tf: Tf,
  xs: GraphValues,
  padding: GraphValues,
  axis: number,
  combine: WindowCombine,
): GraphValues {
  const shape = withSize(at(xs, 0).aval.shape, axis, 1);
  return tf.inline([...xs, ...padding], (o, values) => {
    let distance = 1;
    const [operands, initial] = [values.slice(0, xs.length), values.slice(xs.length)];
    const reduced = treeReduce(o, operands, initial, [axis], (left, right) => {
      const combined = combine(o, left, right, { axis, distance });
      distance *= 2;
      return combined;
    });
    return reduced.map((x) => o.reshape(x, shape));
  });
}

/** Elements of the operands after base dilation and padding. */
function padForWindows(
  tf: Tf,
  xs: GraphValues,
  padding: GraphValues,
  params: ReduceWindowParams,
): GraphValues {
  const config = params.padding.map(
    ([low, high], dim) => [low, high, at(params.base_dilation, dim) - 1] as const,
  );
  if (config.every((amounts) => amounts.every((amount) => amount === 0))) return xs;
  return tf.inline([...xs, ...padding], (o, values) =>
    xs.map((_, index) => o.pad(at(values, index), at(values, xs.length + index), config)),
  );
}

/**
 * Combines the elements of each window of several operands of one shape, in their order; `padding`
 * are the scalars to pad with. The initial value of the reduction is not part of it.
 *
 * @throws Jax2TfjsError `symbolic-size` for windows of symbolic size other than a whole dimension
 */
export function foldWindows(
  tf: Tf,
  operands: readonly GraphValue[],
  padding: readonly GraphValue[],
  params: ReduceWindowParams,
  combine: WindowCombine,
): readonly GraphValue[] {
  let current = padForWindows(tf, operands, padding, params);
  // The last dimension first: windows are read in row-major order.
  for (const axis of upTo(params.window_dimensions.length).toReversed()) {
    const taps = at(params.window_dimensions, axis);
    const size = at(at(current, 0).aval.shape, axis);
    const dilation = at(params.window_dilation, axis);
    const stride = at(params.window_strides, axis);
    if (taps === 1 && stride === 1) continue;
    if (typeof taps !== "number") {
      if (dimEquals(taps, size) && dilation === 1 && boundsOf(size)[0] >= 1) {
        current = foldWhole(tf, current, padding, axis, combine);
        continue;
      }
      throw new Jax2TfjsError(
        "symbolic-size",
        `a window of symbolic size ${taps.toString()} must be as long as the (padded) dimension`,
      );
    }
    current = foldAxis(tf, current, { axis, taps, stride, dilation }, combine);
  }
  return current;
}
