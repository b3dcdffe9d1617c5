/**
 * Windowed reductions with any associative computation, one dimension after the other, in a number
 * of steps logarithmic in the window: windows of 2, 4, 8, … elements are put together. Used where
 * no pooling node fits, by reduce_window and by selectAndScatter.ts.
 */
import {
  addDims,
  boundsOf,
  dilateDim,
  dimEquals,
  mulDims,
  strideDim,
  subDims,
  type Dim,
} from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import { at, upTo } from "./support.js";
import { treeReduce } from "./treeReduce.js";

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

/** Up to this many taps, strided windows are put together from one strided slice per tap. */
const fewTaps = 4;

/** `count` elements along an axis, every `stride`-th from `begin` on. */
function sliceAxis(o: Ops, x: Value, axis: number, begin: Dim, count: Dim, stride: number): Value {
  const { shape } = x.aval;
  if (begin === 0 && stride === 1 && dimEquals(count, at(shape, axis))) return x;
  const starts = shape.map((_, dim): Dim => (dim === axis ? begin : 0));
  const last = addDims(begin, mulDims(subDims(count, 1), stride));
  const limits = shape.map((size, dim) => (dim === axis ? addDims(last, 1) : size));
  const strides = stride === 1 ? null : shape.map((_, dim) => (dim === axis ? stride : 1));
  return o.slice(x, starts, limits, strides);
}

/** Every element of a window by itself, in order. */
function foldTaps(
  o: Ops,
  xs: readonly Value[],
  window: AxisWindow,
  count: Dim,
  combine: WindowCombine,
): readonly Value[] {
  const { axis, taps, stride, dilation } = window;
  const parts = upTo(taps).map((tap) =>
    xs.map((x) => sliceAxis(o, x, axis, tap * dilation, count, stride)),
  );
  return parts.reduce<readonly Value[]>(
    (left, right, distance) => (distance === 0 ? right : combine(left, right, { axis, distance })),
    xs,
  );
}

/** Windows at every place, from windows of 1, 2, 4, … elements. */
function foldByDoubling(
  o: Ops,
  xs: readonly Value[],
  { axis, taps, dilation }: AxisWindow,
  combine: WindowCombine,
): readonly Value[] {
  const size = at(at(xs, 0).aval.shape, axis);
  const places = (covered: number): Dim => subDims(size, (covered - 1) * dilation);
  const shifted = (values: readonly Value[], distance: number, count: Dim): readonly Value[] =>
    values.map((value) => sliceAxis(o, value, axis, distance * dilation, count, 1));
  const join = (
    left: readonly Value[],
    right: readonly Value[],
    distance: number,
    covered: number,
  ): readonly Value[] =>
    combine(shifted(left, 0, places(covered)), shifted(right, distance, places(covered)), {
      axis,
      distance,
    });
  let power = xs;
  let powerTaps = 1;
  let result: readonly Value[] | null = null;
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
  o: Ops,
  xs: readonly Value[],
  window: AxisWindow,
  combine: WindowCombine,
): readonly Value[] {
  const { axis, taps, stride } = window;
  const size = at(at(xs, 0).aval.shape, axis);
  const count = strideDim(size, dilateDim(taps, window.dilation), stride);
  if (stride > 1 && taps <= fewTaps) return foldTaps(o, xs, window, count, combine);
  const everywhere = taps === 1 ? xs : foldByDoubling(o, xs, window, combine);
  return everywhere.map((x) => sliceAxis(o, x, axis, 0, count, stride));
}

/** The window is as long as the dimension, whose size is symbolic: an ordinary reduction. */
function foldWhole(
  o: Ops,
  xs: readonly Value[],
  padding: readonly Value[],
  axis: number,
  combine: WindowCombine,
): readonly Value[] {
  const shape = at(xs, 0).aval.shape.map((size, dim) => (dim === axis ? 1 : size));
  let distance = 1;
  const reduced = treeReduce(o, xs, padding, [axis], (left, right) => {
    const combined = combine(left, right, { axis, distance });
    distance *= 2;
    return combined;
  });
  return reduced.map((x) => o.reshape(x, shape));
}

/** Elements of the operands after base dilation and padding. */
export function padForWindows(
  o: Ops,
  xs: readonly Value[],
  padding: readonly Value[],
  params: ReduceWindowParams,
): readonly Value[] {
  const config = params.padding.map(
    ([low, high], dim) => [low, high, at(params.base_dilation, dim) - 1] as const,
  );
  if (config.every((amounts) => amounts.every((amount) => amount === 0))) return xs;
  return xs.map((x, index) => o.pad(x, at(padding, index), config));
}

/**
 * Combines the elements of each window of several operands of one shape, in their order; `padding`
 * are the scalars to pad with. The initial value of the reduction is not part of it.
 *
 * @throws Jax2TfjsError `symbolic-size` for windows of symbolic size other than a whole dimension
 */
export function foldWindows(
  o: Ops,
  operands: readonly Value[],
  padding: readonly Value[],
  params: ReduceWindowParams,
  combine: WindowCombine,
): readonly Value[] {
  let current = padForWindows(o, operands, padding, params);
  // The last dimension first: windows are read in row-major order.
  for (const axis of upTo(params.window_dimensions.length).toReversed()) {
    const taps = at(params.window_dimensions, axis);
    const size = at(at(current, 0).aval.shape, axis);
    const dilation = at(params.window_dilation, axis);
    const stride = at(params.window_strides, axis);
    if (taps === 1 && stride === 1) continue;
    if (typeof taps !== "number") {
      if (dimEquals(taps, size) && dilation === 1 && boundsOf(size)[0] >= 1) {
        current = foldWhole(o, current, padding, axis, combine);
        continue;
      }
      throw new Jax2TfjsError(
        "symbolic-size",
        `a window of symbolic size ${taps.toString()} must be as long as the (padded) dimension`,
      );
    }
    current = foldAxis(o, current, { axis, taps, stride, dilation }, combine);
  }
  return current;
}
