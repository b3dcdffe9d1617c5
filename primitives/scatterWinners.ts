/**
 * Puts one source value per window at the element that a comparison chooses in it: the gradient of
 * max pooling. Written with other primitives; called by selectAndScatter.ts.
 */
import {
  addDims,
  floordivDims,
  mulDims,
  negDim,
  shapeEquals,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import { fromNumbers } from "../src/ir/hostArray.js";
import type { LiteralValue } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { at, upTo } from "./support.js";
import { foldWindows, type WindowCombine } from "./windowFold.js";

export type Windows = {
  readonly window_dimensions: readonly Dim[];
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [low: Dim, high: Dim])[];
};

export interface ScatterRules {
  /** Whether the chosen element stays rather than the next one. */
  readonly keeps: (o: Ops, chosen: Value, element: Value) => Value;
  /** What padding is compared as; null: padding is never chosen. */
  readonly padding: LiteralValue | null;
  /** Value of elements that no window chose (a scalar); null: zero. */
  readonly initial: GraphValue | null;
  readonly scatter: (o: Ops, sum: Value, source: Value) => Value;
  /** `scatter` is addition. */
  readonly adds: boolean;
}

/** Where more windows than this overlap at an element, sources are scattered by index instead. */
const mostOverlaps = 16;

/** A dimension along which windows move, in padded coordinates. */
interface MovingAxis {
  readonly axis: number;
  readonly taps: number;
  readonly stride: number;
  /** Size with padding. */
  readonly size: Dim;
  readonly windows: Dim;
}

function movingAxes(operand: Shape, source: Shape, windows: Windows): readonly MovingAxis[] {
  return upTo(operand.length).flatMap((axis): readonly MovingAxis[] => {
    const taps = at(windows.window_dimensions, axis);
    const stride = at(windows.window_strides, axis);
    const [low, high] = at(windows.padding, axis);
    if (taps === 1 && stride === 1 && low === 0 && high === 0) return [];
    if (typeof taps !== "number") {
      throw new Jax2TfjsError(
        "symbolic-size",
        `select_and_scatter takes windows of static size only, not ${taps.toString()}`,
      );
    }
    const size = addDims(at(operand, axis), addDims(low, high));
    return [{ axis, taps, stride, size, windows: at(source, axis) }];
  });
}

/** What is put where. */
interface ScatterParts {
  /** Number of the chosen tap of each window. */
  readonly taps: Value;
  readonly source: Value;
  /** See `ScatterRules.initial`. */
  readonly background: Value | null;
  /** Shape of the operand with padding. */
  readonly padded: Shape;
  readonly axes: readonly MovingAxis[];
}

/** What one step along each moving axis adds to the number of a tap in its window. */
function tapWeights(axes: readonly MovingAxis[]): readonly number[] {
  return axes.map((_, index) => axes.slice(index + 1).reduce((count, { taps }) => count * taps, 1));
}

const zeroOf = (o: Ops, value: Value): Value =>
  o.literal(value.aval.dtype === "bool" ? false : 0, value.aval.dtype);

/**
 * Row-major number of the chosen tap of each window, -1 where there is none. It is float32, whose
 * strided slices are cheaper than those of int32 on wasm.
 */
function chosenTaps(
  tf: Tf,
  operand: GraphValue,
  windows: Windows,
  axes: readonly MovingAxis[],
  rules: ScatterRules,
): GraphValue {
  const { dtype, shape } = operand.aval;
  const config = windows.padding.map(([low, high]) => [low, high, 0] as const);
  const isPadded = config.some(([low, high]) => low !== 0 || high !== 0);
  const tracksPadding = isPadded && rules.padding === null;
  const tracked = tracksPadding ? 2 : 1;
  const operands = tf.inline([operand], (o, values) => {
    const fill = o.literal(rules.padding ?? 0, dtype);
    const padded = isPadded ? o.pad(at(values, 0), fill, config) : at(values, 0);
    if (!tracksPadding) return [padded];
    return [padded, o.pad(o.full(shape, true, "bool"), o.literal(false, "bool"), config)];
  });
  const weights = tapWeights(axes);
  const choose: WindowCombine = (o, left, right, shift) => {
    const stays = rules.keeps(o, at(left, 0), at(right, 0));
    const keep = tracksPadding ? o.and(at(left, 1), o.or(o.not(at(right, 1)), stays)) : stays;
    const ownShape = stays.aval.shape;
    const step =
      at(
        weights,
        axes.findIndex(({ axis }) => axis === shift.axis),
      ) * shift.distance;
    // Windows of a single tap carry no number yet: it is 0.
    const number = (tap: Value | undefined, offset: number): Value => {
      const added = o.full(ownShape, offset, "float32");
      return tap === undefined ? added : offset === 0 ? tap : o.add(tap, added);
    };
    const tap = o.selectN(keep, number(right[tracked], step), number(left[tracked], 0));
    const key = o.selectN(keep, at(right, 0), at(left, 0));
    return tracksPadding ? [key, o.or(at(left, 1), at(right, 1)), tap] : [key, tap];
  };
  const ones = shape.map(() => 1);
  const params = {
    window_dimensions: windows.window_dimensions,
    window_strides: windows.window_strides,
    padding: shape.map(() => [0, 0] as const),
    base_dilation: ones,
    window_dilation: ones,
  };
  // There is no padding left to do: the scalars to pad with are never looked at.
  const found = foldWindows(tf, operands, [], params, choose);
  const windowShape = at(found, 0).aval.shape;
  return at(
    tf.inline(found, (o, values) => {
      const tap = values[tracked] ?? o.full(windowShape, 0, "float32");
      if (!tracksPadding) return [tap];
      return [o.selectN(at(values, 1), o.full(windowShape, -1, "float32"), tap)];
    }),
    0,
  );
}

/** All combinations of one of 0 … count - 1 for each count. */
function combinations(counts: readonly number[]): readonly (readonly number[])[] {
  return counts.reduce<readonly (readonly number[])[]>(
    (lists, count) => lists.flatMap((list) => upTo(count).map((value) => [...list, value])),
    [[]],
  );
}

/** A dimension of the operand cut into blocks of one stride: [blocks, stride]. */
interface Blocks {
  readonly shape: Shape;
  /** Position of each dimension of the operand (its blocks, where it is cut). */
  readonly position: readonly number[];
}

const blockCount = ({ size, stride }: MovingAxis): Dim =>
  floordivDims(addDims(size, stride - 1), stride);

function blocksOf(shape: Shape, axes: readonly MovingAxis[]): Blocks {
  const cut: Dim[] = [];
  const position = shape.map((size, axis) => {
    const moving = axes.find((other) => other.axis === axis);
    const place = cut.length;
    cut.push(moving === undefined ? size : blockCount(moving));
    if (moving !== undefined && moving.stride > 1) cut.push(moving.stride);
    return place;
  });
  return { shape: cut, position };
}

/** Number of each place of a block as a tap of the window that began `steps` blocks before. */
function ownTaps(
  o: Ops,
  rank: number,
  axes: readonly MovingAxis[],
  steps: readonly number[],
): Value {
  const shape = upTo(rank).flatMap((axis) => {
    const moving = axes.find((other) => other.axis === axis);
    return moving !== undefined && moving.stride > 1 ? [1, moving.stride] : [1];
  });
  const weights = tapWeights(axes);
  const numbers = combinations(axes.map(({ stride }) => stride)).map((places) => {
    const taps = places.map((place, index) => place + at(steps, index) * at(axes, index).stride);
    // Behind the window: no tap has this number.
    if (taps.some((tap, index) => tap >= at(axes, index).taps)) return -2;
    return taps.reduce((sum, tap, index) => sum + tap * at(weights, index), 0);
  });
  return o.constant(fromNumbers("float32", shape, numbers));
}

/** Values of windows at the block `steps` behind the one where the window begins, else `fill`. */
function shiftBlocks(
  o: Ops,
  x: Value,
  fill: Value,
  axes: readonly MovingAxis[],
  steps: readonly number[],
): Value {
  const config: (readonly [Dim, Dim, number])[] = x.aval.shape.map(() => [0, 0, 0]);
  const sizes = [...x.aval.shape];
  for (const [index, moving] of axes.entries()) {
    const step = at(steps, index);
    const blocks = blockCount(moving);
    const missing = subDims(blocks, moving.windows);
    // The windows moved by `step` end before the last block: exactly so many places are missing
    // behind them. Of symbolic sizes this is not seen, so there what is too much is cut off.
    const high = typeof missing === "number" ? missing - step : missing;
    config[moving.axis] = [step, high, 0];
    sizes[moving.axis] = blocks;
  }
  const moves = config.some(([low, high]) => low !== 0 || high !== 0);
  const moved = moves ? o.pad(x, fill, config) : x;
  if (shapeEquals(moved.aval.shape, sizes)) return moved;
  return o.slice(
    moved,
    sizes.map(() => 0),
    sizes,
  );
}

/**
 * Element by element: a place lies in few windows, those that begin in its block or in one of the
 * blocks before. For each of these, the source where the window chose the place.
 */
function gatherFromWindows(o: Ops, parts: ScatterParts, rules: ScatterRules): Value {
  const { taps, source, background, padded, axes } = parts;
  const rank = padded.length;
  const blocks = blocksOf(padded, axes);
  const spreadOut = (x: Value, dims: readonly number[]): Value =>
    o.broadcastInDim(x, blocks.shape, dims);
  const shifted = (x: Value, fill: Value, steps: readonly number[]): Value =>
    spreadOut(shiftBlocks(o, x, fill, axes, steps), blocks.position);
  const zero = zeroOf(o, source);
  const zeros = spreadOut(zero, []);
  let result: Value | null = background === null ? null : spreadOut(background, []);
  const overlaps = axes.map(({ taps: count, stride }) => Math.ceil(count / stride));
  for (const steps of combinations(overlaps).toReversed()) {
    const own = spreadOut(ownTaps(o, rank, axes, steps), upTo(blocks.shape.length));
    const chosen = o.eq(shifted(taps, o.literal(-1, "float32"), steps), own);
    const value = shifted(source, zero, steps);
    if (result === null) result = o.selectN(chosen, zeros, value);
    else if (rules.adds) result = rules.scatter(o, result, o.selectN(chosen, zeros, value));
    else result = o.selectN(chosen, result, rules.scatter(o, result, value));
  }
  const whole = padded.map((size, axis) => {
    const moving = axes.find((other) => other.axis === axis);
    return moving === undefined ? size : mulDims(blockCount(moving), moving.stride);
  });
  return o.reshape(result ?? zeros, whole);
}

/** Row-major number of the chosen place of each window among the moving axes, int32. */
function placesOf(o: Ops, taps: Value, axes: readonly MovingAxis[]): Value {
  const { shape } = taps.aval;
  const numbers = (value: number): Value => o.full(shape, value, "int32");
  const weights = tapWeights(axes);
  let rest = o.convertElementType(taps, "int32");
  let places = numbers(0);
  for (const [index, { axis, stride, size }] of axes.entries()) {
    const weight = numbers(at(weights, index));
    const windows = o.iota("int32", shape, axis);
    const place = o.add(o.mul(windows, numbers(stride)), o.div(rest, weight));
    rest = o.rem(rest, weight);
    const length = o.broadcastInDim(o.dimAsValue(size), shape, []);
    places = o.add(o.mul(places, length), place);
  }
  // -1: no tap was chosen, nothing is scattered.
  return o.selectN(o.lt(taps, o.full(shape, 0, "float32")), places, numbers(-1));
}

/** By index: all sources of a row (the dimensions without windows) are added at their places. */
function scatterByIndex(o: Ops, parts: ScatterParts): Value {
  const { taps, source, padded, axes } = parts;
  const rank = padded.length;
  const place = placesOf(o, taps, axes);
  const moving = axes.map(({ axis }) => axis);
  const fixed = upTo(rank).filter((axis) => !moving.includes(axis));
  const order = [...fixed, ...moving];
  const rows = shapeSize(fixed.map((axis) => at(padded, axis)));
  const places = shapeSize(axes.map(({ size }) => size));
  const windows = shapeSize(axes.map((axis) => axis.windows));
  const flat = (x: Value): Value => o.reshape(o.transpose(x, order), [rows, windows]);
  const background = parts.background ?? zeroOf(o, source);
  const sums = o.scatter(
    "add",
    o.broadcastInDim(background, [rows, places], []),
    o.reshape(flat(place), [rows, windows, 1]),
    flat(source),
    {
      dimension_numbers: {
        update_window_dims: [],
        inserted_window_dims: [1],
        scatter_dims_to_operand_dims: [1],
        operand_batching_dims: [0],
        scatter_indices_batching_dims: [0],
      },
      indices_are_sorted: false,
      unique_indices: false,
      mode: "fill",
      update_jaxpr: null,
    },
  );
  const apart = o.reshape(
    sums,
    order.map((axis) => at(padded, axis)),
  );
  const back = upTo(rank).map((axis) => order.indexOf(axis));
  return o.transpose(apart, back);
}

/**
 * `select_and_scatter`: for each window the source at the chosen place of the operand, sources at
 * one place put together by `rules.scatter`.
 *
 * @throws Jax2TfjsError `symbolic-size` for windows of symbolic size, `unsupported-computation`
 *   where many windows overlap and are not added
 */
export function scatterWinners(
  tf: Tf,
  operand: GraphValue,
  source: GraphValue,
  windows: Windows,
  rules: ScatterRules,
): readonly GraphValue[] {
  const { shape } = operand.aval;
  const axes = movingAxes(shape, source.aval.shape, windows);
  const padded = shape.map((size, axis) => axes.find((m) => m.axis === axis)?.size ?? size);
  const overlaps = axes.reduce((count, axis) => count * Math.ceil(axis.taps / axis.stride), 1);
  if (overlaps > mostOverlaps && !rules.adds) {
    throw new Jax2TfjsError(
      "unsupported-computation",
      `select_and_scatter with a computation other than addition and ${overlaps} windows at a place`,
    );
  }
  const chosen = chosenTaps(tf, operand, windows, axes, rules);
  const inputs = [chosen, source, ...(rules.initial === null ? [] : [rules.initial])];
  return tf.inline(inputs, (o, values) => {
    const background = values[2] ?? null;
    const parts = { taps: at(values, 0), source: at(values, 1), background, padded, axes };
    const result =
      overlaps > mostOverlaps ? scatterByIndex(o, parts) : gatherFromWindows(o, parts, rules);
    // Back from padded coordinates, and without what the last blocks have too much.
    const config = shape.map((size, axis) => {
      const [low] = at(windows.padding, axis);
      const end = subDims(addDims(size, low), at(result.aval.shape, axis));
      return [negDim(low), end, 0] as const;
    });
    if (config.every(([low, high]) => low === 0 && high === 0)) return [result];
    return [o.pad(result, background ?? zeroOf(o, parts.source), config)];
  });
}
