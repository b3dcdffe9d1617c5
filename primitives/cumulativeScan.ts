/**
 * Inclusive scans with any associative combination of one or several arrays: what cumprod, cummax,
 * cummin and cumlogsumexp are where TensorFlow has no kernel, and what their derivatives are.
 * Used by cumulative.ts and cumulativeTransforms.ts.
 */
import { minDim, negDim, subDims, type Dim } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { at, withSize } from "./support.js";
import { halvingSteps, type Combine } from "./treeReduce.js";

export type CumulativeParams = { readonly axis: number; readonly reverse: boolean };

/** The elements `start, start + stride, …` below `limit` along an axis. */
function pieceOf(o: Ops, x: Value, axis: number, start: Dim, limit: Dim, stride = 1): Value {
  const { shape } = x.aval;
  const begin = shape.map((_, index) => (index === axis ? start : 0));
  const steps = shape.map((_, index) => (index === axis ? stride : 1));
  return o.slice(x, begin, withSize(shape, axis, limit), stride === 1 ? null : steps);
}

/** The elements moved `distance` places along the axis, with `fill` moving in. */
function shifted(o: Ops, x: Value, axis: number, distance: Dim, fill: Value): Value {
  const config = x.aval.shape.map((_, index) =>
    index === axis ? ([distance, negDim(distance), 0] as const) : ([0, 0, 0] as const),
  );
  return o.pad(x, fill, config);
}

/**
 * Like `shifted`, but the elements at the border stay where they are: for max and min, which
 * elements do not change when they meet themselves, and where a fill value may not be exact.
 */
function shiftedKeeping(
  o: Ops,
  x: Value,
  { axis, reverse }: CumulativeParams,
  distance: Dim,
): Value {
  const size = at(x.aval.shape, axis);
  const rest = subDims(size, distance);
  return reverse
    ? o.concatenate([pieceOf(o, x, axis, distance, size), pieceOf(o, x, axis, rest, size)], axis)
    : o.concatenate([pieceOf(o, x, axis, 0, distance), pieceOf(o, x, axis, 0, rest)], axis);
}

/**
 * Every element is combined with the one 1, 2, 4, … places before it.
 *
 * @param fills scalars that change nothing when they come before an element; null: elements that
 *   have none before them may be combined with themselves
 */
export function scanByDoubling(
  o: Ops,
  xs: readonly Value[],
  fills: readonly Value[] | null,
  params: CumulativeParams,
  combine: Combine,
): readonly Value[] {
  const { axis, reverse } = params;
  const size = at(at(xs, 0).aval.shape, axis);
  let result = xs;
  for (let step = 0; step < halvingSteps(size); step++) {
    const distance = typeof size === "number" ? 2 ** step : minDim(2 ** step, size);
    const before = result.map((x, index) =>
      fills === null
        ? shiftedKeeping(o, x, params, distance)
        : shifted(o, x, axis, reverse ? negDim(distance) : distance, at(fills, index)),
    );
    result = combine(before, result);
  }
  return result;
}

/** The elements of two arrays in turns; the second may be shorter by one. */
function interleave(o: Ops, even: Value, odd: Value, axis: number, size: number): Value {
  const half = Math.ceil(size / 2);
  const zero = o.literal(0, odd.aval.dtype);
  const missing = size % 2;
  const config = odd.aval.shape.map((_, index) => [0, index === axis ? missing : 0, 0] as const);
  const pair = [even, missing === 0 ? odd : o.pad(odd, zero, config)].map((x) =>
    o.reshape(x, x.aval.shape.toSpliced(axis + 1, 0, 1)),
  );
  const apart = o.concatenate(pair, axis + 1);
  const joined = o.reshape(apart, withSize(even.aval.shape, axis, 2 * half));
  return missing === 0 ? joined : pieceOf(o, joined, axis, 0, size);
}

/** Neighbours are combined, their scan gives the odd places, and one more step the even ones. */
function scanPairs(
  o: Ops,
  xs: readonly Value[],
  axis: number,
  size: number,
  combine: Combine,
): readonly Value[] {
  if (size < 2) return xs;
  const every = (items: readonly Value[], start: number, limit: number, stride: number) =>
    items.map((x) => pieceOf(o, x, axis, start, limit, stride));
  const half = Math.floor(size / 2);
  const pairs = combine(every(xs, 0, size - 1, 2), every(xs, 1, size, 2));
  const odd = scanPairs(o, pairs, axis, half, combine);
  const first = every(xs, 0, 1, 1);
  if (size === 2) return first.map((x, index) => o.concatenate([x, at(odd, index)], axis));
  const before = size % 2 === 0 ? every(odd, 0, half - 1, 1) : odd;
  const later = combine(before, every(xs, 2, size, 2));
  return first.map((x, index) => {
    const even = o.concatenate([x, at(later, index)], axis);
    return interleave(o, even, at(odd, index), axis, size);
  });
}

/**
 * `jax.lax.associative_scan` along an axis of known size, combining in the same order: where equal
 * elements share a derivative, the order decides the shares.
 */
export function associativeScan(
  o: Ops,
  xs: readonly Value[],
  { axis, reverse }: CumulativeParams,
  size: number,
  combine: Combine,
): readonly Value[] {
  const turned = (items: readonly Value[]): readonly Value[] =>
    reverse ? items.map((x) => o.rev(x, [axis])) : items;
  return turned(scanPairs(o, turned(xs), axis, size, combine));
}
