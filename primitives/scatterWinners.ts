/**
 * Puts one source value per window at the element that a comparison chooses in it: the gradient of
 * max pooling. Written with other primitives; called by selectAndScatter.ts.
 */
import {
  addDims,
  floordivDims,
  isStaticShape,
  mulDims,
  negDim,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import { fromNumbers } from "../src/ir/hostArray.js";
import type { LiteralValue } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { at, upTo } from "./support.js";
import { foldWindows } from "./windowFold.js";

export type Windows = {
  readonly window_dimensions: readonly Dim[];
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [low: Dim, high: Dim])[];
};

export interface ScatterRules {
  /** Whether the chosen element stays rather than the next one. */
  readonly keeps: (chosen: Value, element: Value) => Value;
  /** What padding is compared as; null: padding is never chosen. */
  readonly padding: LiteralValue | null;
  /** Value of elements that no window chose (a scalar); null: zero. */
  readonly initial: Value | null;
  readonly scatter: (sum: Value, source: Value) => Value;
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

/** Row-major number of each place among the moving axes, int32, 1 along all other dimensions. */
function placeNumbers(o: Ops, rank: number, axes: readonly MovingAxis[]): Value {
  const sizes = axes.map(({ size }) => size);
  const shape: Shape = upTo(rank).map((dim) => axes.find(({ axis }) => axis === dim)?.size ?? 1);
  if (isStaticShape(shape)) {
    const count = Number(shapeSize(shape));
    return o.constant(fromNumbers("int32", shape, upTo(count)));
  }
  const flat = o.iota("int32", [shapeSize(sizes)], 0);
  return o.reshape(flat, shape);
}

const zeroOf = (o: Ops, value: Value): Value =>
  o.literal(value.aval.dtype === "bool" ? false : 0, value.aval.dtype);

/** Number of the chosen place of each window. */
function winners(
  o: Ops,
  operand: Value,
  windows: Windows,
  axes: readonly MovingAxis[],
  rules: ScatterRules,
): Value {
  const rank = operand.aval.shape.length;
  const ones = new Array<number>(rank).fill(1);
  const { dtype } = operand.aval;
  const fill = o.literal(rules.padding ?? 0, dtype);
  const config = windows.padding.map(([low, high]) => [low, high, 0] as const);
  const isPadded = config.some(([low, high]) => low !== 0 || high !== 0);
  const padded = isPadded ? o.pad(operand, fill, config) : operand;
  const { shape } = padded.aval;
  const numbers = placeNumbers(o, rank, axes);
  const places = o.broadcastInDim(numbers, shape, upTo(rank));
  const choose = (left: readonly Value[], right: readonly Value[]): readonly Value[] => {
    const stays = rules.keeps(at(left, 0), at(right, 0));
    const keep = tracksPadding ? o.and(at(left, 2), o.or(o.not(at(right, 2)), stays)) : stays;
    const chosen = [0, 1].map((index) => o.selectN(keep, at(right, index), at(left, index)));
    return tracksPadding ? [...chosen, o.or(at(left, 2), at(right, 2))] : chosen;
  };
  const tracksPadding = isPadded && rules.padding === null;
  const operands = [padded, places];
  const fills = [fill, o.literal(-1, "int32")];
  if (tracksPadding) {
    const inside = o.full(operand.aval.shape, true, "bool");
    operands.push(o.pad(inside, o.literal(false, "bool"), config));
    fills.push(o.literal(false, "bool"));
  }
  const noPadding = ones.map(() => [0, 0] as const);
  const params = {
    window_dimensions: windows.window_dimensions,
    window_strides: windows.window_strides,
    padding: noPadding,
    base_dilation: ones,
    window_dilation: ones,
  };
  const [, place, found] = foldWindows(o, operands, fills, params, choose);
  if (place === undefined) throw new Error("internal error: no windows");
  if (found === undefined) return place;
  return o.selectN(found, o.full(place.aval.shape, -1, "int32"), place);
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

/** Extends to whole blocks with `fill`, and cuts into blocks. */
function toBlocks(o: Ops, x: Value, axes: readonly MovingAxis[], fill: Value): Value {
  const config = x.aval.shape.map((size, axis) => {
    const moving = axes.find((other) => other.axis === axis);
    if (moving === undefined) return [0, 0, 0] as const;
    return [0, subDims(mulDims(blockCount(moving), moving.stride), size), 0] as const;
  });
  const whole = config.some(([, high]) => high !== 0) ? o.pad(x, fill, config) : x;
  const { shape } = blocksOf(whole.aval.shape, axes);
  return o.reshape(whole, shape);
}

/**
 * Element by element: a place lies in few windows, those that begin in its block or in one of the
 * blocks before. For each of these, the source where the window chose the place.
 */
function gatherFromWindows(
  o: Ops,
  place: Value,
  source: Value,
  padded: Shape,
  axes: readonly MovingAxis[],
  rules: ScatterRules,
): Value {
  const rank = padded.length;
  const blocks = blocksOf(padded, axes);
  const numbers = placeNumbers(o, rank, axes);
  const own = o.broadcastInDim(
    toBlocks(o, numbers, axes, o.literal(-2, "int32")),
    blocks.shape,
    upTo(blocks.shape.length),
  );
  const shifted = (x: Value, fill: Value, steps: readonly number[]): Value => {
    const config = upTo(rank).map((axis) => {
      const index = axes.findIndex((other) => other.axis === axis);
      if (index < 0) return [0, 0, 0] as const;
      const moving = at(axes, index);
      const step = at(steps, index);
      return [step, subDims(subDims(blockCount(moving), moving.windows), step), 0] as const;
    });
    const moved = config.some(([low, high]) => low !== 0 || high !== 0)
      ? o.pad(x, fill, config)
      : x;
    return o.broadcastInDim(moved, blocks.shape, blocks.position);
  };
  const zero = zeroOf(o, source);
  const spread = o.broadcastInDim(rules.initial ?? zero, blocks.shape, []);
  let result: Value | null = rules.initial === null ? null : spread;
  const overlaps = axes.map(({ taps, stride }) => Math.ceil(taps / stride));
  for (const steps of combinations(overlaps).toReversed()) {
    const chosen = o.eq(shifted(place, o.literal(-1, "int32"), steps), own);
    const value = shifted(source, zero, steps);
    const zeros = o.broadcastInDim(zero, blocks.shape, []);
    if (result === null) result = o.selectN(chosen, zeros, value);
    else if (rules.adds) result = rules.scatter(result, o.selectN(chosen, zeros, value));
    else result = o.selectN(chosen, result, rules.scatter(result, value));
  }
  const whole = padded.map((size, axis) => {
    const moving = axes.find((other) => other.axis === axis);
    return moving === undefined ? size : mulDims(blockCount(moving), moving.stride);
  });
  return o.reshape(result ?? spread, whole);
}

/** By index: all sources of a row (the dimensions without windows) are added at their places. */
function scatterByIndex(
  o: Ops,
  place: Value,
  source: Value,
  padded: Shape,
  axes: readonly MovingAxis[],
  rules: ScatterRules,
): Value {
  const rank = padded.length;
  const moving = axes.map(({ axis }) => axis);
  const fixed = upTo(rank).filter((axis) => !moving.includes(axis));
  const order = [...fixed, ...moving];
  const rows = shapeSize(fixed.map((axis) => at(padded, axis)));
  const places = shapeSize(axes.map(({ size }) => size));
  const windows = shapeSize(axes.map((axis) => axis.windows));
  const flat = (x: Value): Value => o.reshape(o.transpose(x, order), [rows, windows]);
  const background = rules.initial ?? zeroOf(o, source);
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
  o: Ops,
  operand: Value,
  source: Value,
  windows: Windows,
  rules: ScatterRules,
): Value {
  const { shape } = operand.aval;
  const axes = movingAxes(shape, source.aval.shape, windows);
  const padded = shape.map((size, axis) => axes.find((m) => m.axis === axis)?.size ?? size);
  const place = winners(o, operand, windows, axes, rules);
  const overlaps = axes.reduce((count, { taps, stride }) => count * Math.ceil(taps / stride), 1);
  if (overlaps > mostOverlaps && !rules.adds) {
    throw new Jax2TfjsError(
      "unsupported-computation",
      `select_and_scatter with a computation other than addition and ${overlaps} windows at a place`,
    );
  }
  const scatter = overlaps > mostOverlaps ? scatterByIndex : gatherFromWindows;
  const result = scatter(o, place, source, padded, axes, rules);
  // Back from padded coordinates, and without what the last blocks have too much.
  const config = shape.map((size, axis) => {
    const [low] = at(windows.padding, axis);
    const end = subDims(addDims(size, low), at(result.aval.shape, axis));
    return [negDim(low), end, 0] as const;
  });
  if (config.every(([low, high]) => low === 0 && high === 0)) return result;
  return o.pad(result, rules.initial ?? zeroOf(o, source), config);
}
