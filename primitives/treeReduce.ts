/**
 * Reductions with any associative computation, in a logarithmic number of steps: neighbours are
 * combined pairwise, in order, until one element is left. Used by reduce, and by the named
 * reductions where no TensorFlow op fits.
 */
import { boundsOf, minDim, negDim, shapeSize, type Dim, type Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { at, upTo, withoutAxes } from "./support.js";

/** Combines accumulators elementwise: left ones come first. */
export type Combine = (left: readonly Value[], right: readonly Value[]) => readonly Value[];

/** Symbolic sizes are taken to stay below 2^24, the largest exact index on GPUs. */
const MAX_SYMBOLIC_STEPS = 24;

/** Steps of halving after which a size is surely 1. */
export function halvingSteps(size: Dim): number {
  const [, upper] = boundsOf(size);
  return Number.isFinite(upper) ? Math.ceil(Math.log2(Math.max(1, upper))) : MAX_SYMBOLIC_STEPS;
}

/** The reduced dimensions in front, as one. */
function gatherAxes(o: Ops, x: Value, axes: readonly number[], size: Dim, rest: Shape): Value {
  const kept = upTo(x.aval.shape.length).filter((axis) => !axes.includes(axis));
  const order = [...axes, ...kept];
  const inOrder = order.every((axis, place) => axis === place);
  const moved = inOrder ? x : o.transpose(x, order);
  return axes.length === 1 ? moved : o.reshape(moved, [size, ...rest]);
}

/** Element `which` (0 or 1) of each pair of neighbours along the first dimension. */
function halfOf(o: Ops, x: Value, half: number, which: 0 | 1): Value {
  const rest = x.aval.shape.slice(1);
  const pairs = o.reshape(x, [half, 2, ...rest]);
  const start = [0, which, ...rest.map(() => 0)];
  return o.squeeze(o.slice(pairs, start, [half, which + 1, ...rest]), [1]);
}

function sliceFront(o: Ops, x: Value, start: Dim, limit: Dim): Value {
  const rest = x.aval.shape.slice(1);
  return o.slice(x, [start, ...rest.map(() => 0)], [limit, ...rest]);
}

/** One halving step on arrays with the reduced dimension in front. */
function halve(o: Ops, xs: readonly Value[], size: number, combine: Combine): readonly Value[] {
  const half = Math.floor(size / 2);
  const even = size % 2 === 0 ? xs : xs.map((x) => sliceFront(o, x, 0, 2 * half));
  const combined = combine(
    even.map((x) => halfOf(o, x, half, 0)),
    even.map((x) => halfOf(o, x, half, 1)),
  );
  if (size % 2 === 0) return combined;
  return combined.map((x, index) =>
    o.concatenate([x, sliceFront(o, at(xs, index), size - 1, size)], 0),
  );
}

/**
 * One doubling step for a size that is not known: each element is combined with the one `distance`
 * places on, so that the first ends up with all of them.
 */
function double(
  o: Ops,
  xs: readonly Value[],
  initial: readonly Value[],
  distance: Dim,
  combine: Combine,
): readonly Value[] {
  const next = xs.map((x, index) =>
    o.pad(x, at(initial, index), [
      [negDim(distance), distance, 0],
      ...x.aval.shape.slice(1).map(() => [0, 0, 0] as const),
    ]),
  );
  return combine(xs, next);
}

/**
 * Reduces `operands` (of one shape) over `axes`. `initial` are scalars that do not change the
 * result when combined with it; they are the result where nothing is reduced.
 */
export function treeReduce(
  o: Ops,
  operands: readonly Value[],
  initial: readonly Value[],
  axes: readonly number[],
  combine: Combine,
): readonly Value[] {
  const shape = at(operands, 0).aval.shape;
  const sorted = [...axes].sort((a, b) => a - b);
  const rest = withoutAxes(shape, sorted);
  const size = shapeSize(sorted.map((axis) => at(shape, axis)));
  if (size === 0) return initial.map((value) => o.broadcastInDim(value, rest, []));
  let current = operands.map((x) => gatherAxes(o, x, sorted, size, rest));
  if (typeof size === "number") {
    for (let left = size; left > 1; left = Math.ceil(left / 2)) {
      current = [...halve(o, current, left, combine)];
    }
  } else {
    for (let step = 0; step < halvingSteps(size); step++) {
      current = [...double(o, current, initial, minDim(2 ** step, size), combine)];
    }
  }
  return current.map((x) => o.reshape(sliceFront(o, x, 0, 1), rest));
}
