/** Functions of `numpy` that rearrange, join and split arrays. */
import {
  addDims,
  dimEquals,
  floordivDims,
  hashKey,
  isSymbolic,
  modDims,
  printDim,
  printShape,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import * as shapePrimitives from "../../primitives/slice.js";
import { callError } from "../api/calls.js";
import {
  at,
  canonicalAxes,
  canonicalAxis,
  choice,
  invalid,
  isSize,
  optionsOf,
} from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, listOf, out, type NestedArray } from "./convert.js";
import { toShape, type ShapeLike } from "./creation.js";
import { axesOf, type Axis } from "./reductions.js";
import { broadcastShapes, broadcastValue, promoteDtypes, toType } from "./promotion.js";

/** The number of dimensions. JAX's `jnp.ndim`. */
export function ndim(x: NestedArray): number {
  return arrayValue(x).aval.shape.length;
}

/** The sizes; they may be dimension expressions. JAX's `jnp.shape`. */
export function shape(x: NestedArray): Shape {
  return arrayValue(x).aval.shape;
}

/** The number of elements, along one axis if that is given. JAX's `jnp.size`. */
export function size(x: NestedArray, axis?: number): Dim {
  const sizes = arrayValue(x).aval.shape;
  return axis === undefined ? shapeSize(sizes) : at(sizes, canonicalAxis(axis, sizes.length));
}

/** The new sizes, with -1 replaced by what is left. */
function inferSizes(from: Shape, to: readonly Dim[]): Shape {
  const unknown = to.filter((size) => size === -1).length;
  if (unknown > 1) throw invalid("reshape can infer one size only: one -1");
  if (unknown === 0) return to;
  const known = shapeSize(to.filter((size) => size !== -1));
  const total = shapeSize(from);
  if (known === 0) throw invalid("reshape cannot infer a size beside a size of 0");
  const missing = floordivDims(total, known);
  return to.map((size) => (size === -1 ? missing : size));
}

function reshapeValue(value: Value, sizes: readonly Dim[]): Value {
  const from = value.aval.shape;
  const to = inferSizes(from, sizes);
  if (!isSymbolic(shapeSize(from)) && !dimEquals(shapeSize(from), shapeSize(to))) {
    throw callError(
      "shape-mismatch",
      `cannot reshape array of shape ${printShape(from)} into shape ${printShape(sizes)}`,
    );
  }
  const isSame = from.length === to.length && from.every((size, i) => dimEquals(size, at(to, i)));
  return isSame ? value : o.reshape(value, to);
}

export interface ReshapeOptions {
  /** "F": the first index changes fastest, in the array and in the result. Default: "C". */
  readonly order?: "C" | "F";
}

/** The elements in another shape; one size may be -1: what is left. JAX's `jnp.reshape`. */
export function reshape(
  x: NestedArray,
  sizes: ShapeLike,
  options: ReshapeOptions = {},
): ArrayValue {
  const { order = "C" } = optionsOf("reshape", options, ["order"]);
  choice(order, ["C", "F"], () => `Unexpected value for 'order' argument: ${order}.`);
  const wanted: readonly Dim[] = Array.isArray(sizes) ? (sizes as readonly Dim[]) : [sizes as Dim];
  // All but -1 must be sizes.
  toShape(wanted.map((size) => (size === -1 ? 0 : size)));
  const value = arrayValue(x);
  if (order === "C") return out(reshapeValue(value, wanted));
  return transpose(out(reshapeValue(arrayValue(transpose(x)), wanted.toReversed())));
}

/** All elements in one dimension. JAX's `jnp.ravel`. */
export function ravel(x: NestedArray): ArrayValue {
  return reshape(x, [-1]);
}

/** Reorders dimensions; without an order, reverses them. JAX's `jnp.transpose`. */
export function transpose(x: NestedArray, axes?: readonly number[] | null): ArrayValue {
  const value = arrayValue(x);
  const rank = value.aval.shape.length;
  const order = axes ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const permutation = canonicalAxes(order, rank);
  if (permutation.length !== rank) {
    throw invalid(`transpose takes ${rank} axes for ${printShape(value.aval.shape)}`);
  }
  return out(permuted(value, permutation));
}

function permuted(value: Value, permutation: readonly number[]): Value {
  return permutation.every((axis, index) => axis === index)
    ? value
    : o.transpose(value, permutation);
}

/** Swaps the last two dimensions. JAX's `jnp.matrix_transpose`. */
export function matrixTranspose(x: NestedArray): ArrayValue {
  return swapaxes(x, -1, -2);
}

/** Exchanges two dimensions. JAX's `jnp.swapaxes`. */
export function swapaxes(x: NestedArray, first: number, second: number): ArrayValue {
  const value = arrayValue(x);
  const rank = value.aval.shape.length;
  const [a, b] = [canonicalAxis(first, rank), canonicalAxis(second, rank)];
  const order = value.aval.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  return out(permuted(value, order));
}

/** Moves dimensions to other places. JAX's `jnp.moveaxis`. */
export function moveaxis(
  x: NestedArray,
  source: number | readonly number[],
  destination: number | readonly number[],
): ArrayValue {
  const value = arrayValue(x);
  const rank = value.aval.shape.length;
  const from = canonicalAxes(typeof source === "number" ? [source] : source, rank);
  const to = canonicalAxes(typeof destination === "number" ? [destination] : destination, rank);
  if (from.length !== to.length) throw invalid("moveaxis takes a destination per source");
  const order = value.aval.shape.map((_, axis) => axis).filter((axis) => !from.includes(axis));
  const pairs = to
    .map((place, index) => ({ place, axis: at(from, index) }))
    .sort((a, b) => a.place - b.place);
  for (const { place, axis } of pairs) order.splice(place, 0, axis);
  return out(permuted(value, order));
}

/** Adds dimensions of size 1. JAX's `jnp.expand_dims`. */
export function expandDims(x: NestedArray, axis: number | readonly number[]): ArrayValue {
  const value = arrayValue(x);
  const given = typeof axis === "number" ? [axis] : axis;
  const count = Array.isArray(given) ? given.length : 0;
  const rank = value.aval.shape.length + count;
  const added = canonicalAxes(given, rank);
  const kept = Array.from({ length: rank }, (_, place) => place).filter(
    (place) => !added.includes(place),
  );
  const sizes: Dim[] = Array.from({ length: rank }, () => 1);
  kept.forEach((place, index) => (sizes[place] = at(value.aval.shape, index)));
  return out(o.broadcastInDim(value, sizes, kept));
}

/** Removes dimensions of size 1. JAX's `jnp.squeeze`. */
export function squeeze(x: NestedArray, axis: Axis = null): ArrayValue {
  const value = arrayValue(x);
  const sizes = value.aval.shape;
  const axes =
    axis === null
      ? sizes.flatMap((size, place) => (size === 1 ? [place] : []))
      : axesOf(axis, sizes.length);
  return out(axes.length === 0 ? value : o.squeeze(value, axes));
}

/** The array stretched to a shape. JAX's `jnp.broadcast_to`. */
export function broadcastTo(x: NestedArray, sizes: ShapeLike): ArrayValue {
  return out(broadcastValue(arrayValue(x), toShape(sizes)));
}

/** Arrays stretched to their common shape. JAX's `jnp.broadcast_arrays`. */
export function broadcastArrays(...arrays: readonly NestedArray[]): ArrayValue[] {
  const values = arrays.map(arrayValue);
  const common = broadcastShapes(...values.map(({ aval }) => aval.shape));
  return values.map((value) => out(broadcastValue(value, common)));
}

function atLeast(rank: number, x: NestedArray): ArrayValue {
  const value = arrayValue(x);
  const missing = rank - value.aval.shape.length;
  return missing <= 0
    ? out(value)
    : expandDims(
        x,
        Array.from({ length: missing }, (_, axis) => axis),
      );
}

/** JAX's `jnp.atleast_1d`. */
export const atleast1d = (x: NestedArray): ArrayValue => atLeast(1, x);
/** JAX's `jnp.atleast_2d`. */
export const atleast2d = (x: NestedArray): ArrayValue => atLeast(2, x);

function someArrays(name: string, arrays: readonly NestedArray[]): readonly Value[] {
  if (listOf(name, arrays).length === 0) throw invalid(`need at least one array to ${name}`);
  return promoteDtypes(arrays.map(arrayValue));
}

/** Arrays one after the other along a dimension. JAX's `jnp.concatenate`. */
export function concatenate(arrays: readonly NestedArray[], axis: number | null = 0): ArrayValue {
  if (axis === null) return concatenate(listOf("concatenate", arrays).map(ravel), 0);
  const values = someArrays("concatenate", arrays);
  const rank = at(values, 0).aval.shape.length;
  if (rank === 0) throw invalid("zero-dimensional arrays cannot be concatenated", "use np.stack");
  const place = canonicalAxis(axis, rank);
  const [only] = values;
  return out(values.length === 1 && only !== undefined ? only : o.concatenate(values, place));
}

/** Arrays of one shape along a new dimension. JAX's `jnp.stack`. */
export function stack(arrays: readonly NestedArray[], axis = 0): ArrayValue {
  const values = someArrays("stack", arrays);
  const first = at(values, 0).aval.shape;
  const place = canonicalAxis(axis, first.length + 1);
  if (values.some(({ aval }) => printShape(aval.shape) !== printShape(first))) {
    throw callError(
      "shape-mismatch",
      `all input arrays must have the same shape, got ${values.map(({ aval }) => printShape(aval.shape)).join(", ")}`,
    );
  }
  return out(at(o.bind(shapePrimitives.stack, values, { axis: place }), 0));
}

/** Arrays below each other: vectors are rows. JAX's `jnp.vstack`. */
export function vstack(arrays: readonly NestedArray[]): ArrayValue {
  return concatenate(listOf("vstack", arrays).map(atleast2d), 0);
}

/** Arrays beside each other: vectors are joined. JAX's `jnp.hstack`. */
export function hstack(arrays: readonly NestedArray[]): ArrayValue {
  const wide = listOf("hstack", arrays).map(atleast1d);
  return concatenate(wide, wide.every((x) => x.shape.length === 1) ? 0 : 1);
}

/** Vectors as columns beside each other. JAX's `jnp.column_stack`. */
export function columnStack(arrays: readonly NestedArray[]): ArrayValue {
  return concatenate(
    listOf("column_stack", arrays).map((x) =>
      ndim(x) === 1 ? expandDims(x, 1) : out(arrayValue(x)),
    ),
    1,
  );
}

/**
 * Parts of an array along a dimension: a number of equal parts, or the positions where parts begin.
 * JAX's `jnp.split`.
 */
export function split(x: NestedArray, parts: number | readonly number[], axis = 0): ArrayValue[] {
  const value = arrayValue(x);
  const place = canonicalAxis(axis, value.aval.shape.length);
  const whole = at(value.aval.shape, place);
  if (typeof whole !== "number") throw invalid("split needs a known size");
  const given: unknown = parts;
  if (typeof given !== "number" && !(Array.isArray(given) && given.every(Number.isInteger))) {
    throw invalid("split takes a number of parts, or a list of positions");
  }
  if (typeof parts === "number" && (!Number.isInteger(parts) || parts < 1 || whole % parts !== 0)) {
    throw invalid(`array split does not result in an equal division: ${whole} by ${parts}`);
  }
  const borders =
    typeof parts === "number"
      ? Array.from({ length: parts - 1 }, (_, index) => ((index + 1) * whole) / parts)
      : parts.map((border) => Math.min(Math.max(border < 0 ? border + whole : border, 0), whole));
  const starts = [0, ...borders];
  const sizes = starts.map((start, index) => Math.max(0, (starts[index + 1] ?? whole) - start));
  return o.bind(shapePrimitives.split, [value], { sizes, axis: place }).map(out);
}

/** Copies of the array beside each other. JAX's `jnp.tile`. */
export function tile(x: NestedArray, repetitions: ShapeLike): ArrayValue {
  const value = arrayValue(x);
  const given = toShape(repetitions);
  const rank = Math.max(given.length, value.aval.shape.length);
  const counts = [...Array.from({ length: rank - given.length }, () => 1), ...given];
  const wide = arrayValue(atLeast(rank, out(value)));
  return out(at(o.bind(shapePrimitives.tile, [wide], { reps: counts }), 0));
}

/** Each element several times in a row. JAX's `jnp.repeat`. */
export function repeat(x: NestedArray, count: number, axis: number | null = null): ArrayValue {
  if (!Number.isInteger(count) || count < 0) throw invalid(`repeat by ${count}`);
  const value = arrayValue(axis === null && ndim(x) !== 1 ? ravel(x) : x);
  const sizes = value.aval.shape;
  const place = canonicalAxis(axis ?? 0, sizes.length);
  const wide = o.broadcastInDim(
    value,
    sizes.toSpliced(place + 1, 0, count),
    sizes.map((_, index) => (index > place ? index + 1 : index)),
  );
  const whole = shapeSize([at(sizes, place), count]);
  return out(o.reshape(wide, sizes.with(place, whole)));
}

function rollOne(value: Value, shift: number, axis: number): Value {
  const sizes = value.aval.shape;
  const whole = at(sizes, axis);
  const offset = whole === 0 ? 0 : modDims(shift, whole);
  if (offset === 0) return value;
  const ones = sizes.map(() => 1);
  const border = subDims(whole, offset);
  const start = sizes.map((_, index) => (index === axis ? border : 0));
  const limit = sizes.with(axis, border);
  const back = o.slice(value, start, sizes, ones);
  const front = o.slice(
    value,
    sizes.map(() => 0),
    limit,
    ones,
  );
  return o.concatenate([back, front], axis);
}

/** One whole number as a list. */
function listed(given: number | readonly number[]): readonly number[] {
  const list: unknown = typeof given === "number" ? [given] : given;
  if (Array.isArray(list) && list.every(Number.isInteger)) return list as readonly number[];
  throw invalid("roll takes whole numbers, or lists of them");
}

/** Shifts elements, the last ones to the front. JAX's `jnp.roll`. */
export function roll(
  x: NestedArray,
  shift: number | readonly number[],
  axis: Axis = null,
): ArrayValue {
  const [shiftCount, axisCount] = [listed(shift).length, listed(axis ?? 0).length];
  if (shiftCount !== axisCount && shiftCount !== 1 && axisCount !== 1) {
    throw invalid("shift and axis must be numbers or lists of the same length");
  }
  const body = (value: Value): Value => {
    const sizes = value.aval.shape;
    const shifts = listed(shift);
    if (axis === null) {
      const flat = sizes.length === 1 ? value : o.reshape(value, [shapeSize(sizes)]);
      const rolled = rollOne(
        flat,
        shifts.reduce((total, by) => total + by, 0),
        0,
      );
      return sizes.length === 1 ? rolled : o.reshape(rolled, sizes);
    }
    const given = typeof axis === "number" ? [axis] : axis;
    const axes = given.map((place) => canonicalAxis(place, sizes.length));
    const count = Math.max(shifts.length, axes.length);
    return Array.from({ length: count }).reduce<Value>(
      (current, _, index) =>
        rollOne(current, shifts[index] ?? at(shifts, 0), axes[index] ?? at(axes, 0)),
      value,
    );
  };
  const key = JSON.stringify([shift, axis]);
  return out(callNamedOne("_roll_static", key, body, [arrayValue(x)]));
}

/** Reverses dimensions. JAX's `jnp.flip`. */
export function flip(x: NestedArray, axis: Axis = null): ArrayValue {
  const given = arrayValue(x);
  const axes = axesOf(axis, given.aval.shape.length);
  const body = (value: Value): Value => o.rev(value, axes);
  return out(callNamedOne("_flip", axes.join(), body, [given]));
}

type PadPair = readonly [low: Dim, high: Dim];

/** How much is added around an array: one number, a pair, or a pair per dimension. */
export type PadWidth = Dim | PadPair | readonly PadPair[];

const isPairList = (width: PadPair | readonly PadPair[]): width is readonly PadPair[] =>
  width.every((item) => Array.isArray(item));

function padPairs(width: PadWidth, rank: number): readonly PadPair[] {
  const isList = Array.isArray as (given: PadWidth) => given is PadPair | readonly PadPair[];
  const given = isList(width) ? width : ([width, width] as const);
  const pairs = (isPairList(given) ? given : [given]).map((pair): PadPair => {
    const sizes: readonly Dim[] = pair;
    const [low, high = low] = sizes;
    if (low !== undefined && high !== undefined && sizes.length <= 2) return [low, high];
    throw invalid(
      `jnp.pad: pad_width with nd=${rank} has unsupported shape (${sizes.length},). Valid shapes ` +
        `are (${rank}, 2), (1, 2), (2,), (1,), or ().`,
    );
  });
  const wide = pairs.length === 1 ? Array.from({ length: rank }, () => at(pairs, 0)) : pairs;
  const isCount = (size: Dim): boolean => isSize(size) && (typeof size !== "number" || size >= 0);
  if (!wide.flat().every(isSize)) throw invalid("the pad width must be sizes, or pairs of them");
  if (wide.length !== rank || !wide.flat().every(isCount)) {
    throw invalid(`the pad width ${pairsText(pairs)} does not fit an array of rank ${rank}`);
  }
  return wide;
}

const pairsText = (pairs: readonly PadPair[]): string =>
  `[${pairs.map((pair) => `[${pair.map(printDim).join(",")}]`).join(",")}]`;

export type PadMode = "constant" | "edge" | "reflect" | "wrap";
const padModes = ["constant", "edge", "reflect", "wrap"] as const;

export interface PadOptions {
  readonly mode?: PadMode;
  /** What is added with mode `constant`. Default: 0. */
  readonly constantValues?: NestedArray;
}

/** Positions along one dimension from which a padded one takes its elements. */
function paddedPositions(
  whole: number,
  [low, high]: readonly [number, number],
  mode: PadMode,
): number[] {
  const period = mode === "reflect" ? Math.max(1, 2 * (whole - 1)) : whole;
  return Array.from({ length: low + whole + high }, (_, index) => {
    const position = index - low;
    if (mode === "edge") return Math.min(Math.max(position, 0), whole - 1);
    const within = ((position % period) + period) % period;
    return mode === "reflect" && within >= whole ? period - within : within;
  });
}

/** Adds elements around an array. JAX's `jnp.pad`. */
export function pad(x: NestedArray, width: PadWidth, options: PadOptions = {}): ArrayValue {
  const { mode = "constant", constantValues = 0 } = optionsOf("pad", options, [
    "mode",
    "constantValues",
  ]);
  const value = arrayValue(x);
  const pairs = padPairs(width, value.aval.shape.length);
  choice(mode, padModes, () => `Unimplemented padding mode '${mode}' for np.pad.`);
  if (mode !== "constant" && "constantValues" in options) {
    throw invalid(`unsupported keyword arguments for mode '${mode}': {'constant_values'}`);
  }
  if (mode !== "constant") return out(padByPosition(value, pairs, mode));
  const body = (array: Value, filling: Value): Value =>
    o.pad(
      array,
      toType(filling, array.aval.dtype),
      pairs.map(([low, high]) => [low, high, 0] as const),
    );
  const filling = arrayValue(constantValues);
  const key = pairs.flat().map(hashKey).join();
  return out(callNamedOne("_pad", key, body, [value, filling]));
}

function padByPosition(value: Value, pairs: readonly PadPair[], mode: PadMode): Value {
  return pairs.reduce((current, [low, high], axis) => {
    if (low === 0 && high === 0) return current;
    const { shape } = current.aval;
    const whole = at(shape, axis);
    if (typeof low !== "number" || typeof high !== "number" || whole === 0) {
      const sizes = [whole, low, high].map(printDim);
      throw invalid(`cannot pad size ${sizes[0]} by ${sizes[1]} and ${sizes[2]} in mode ${mode}`);
    }
    const row = (start: Dim): Value =>
      o.slice(
        current,
        shape.map((_, index) => (index === axis ? start : 0)),
        shape.with(axis, addDims(start, 1)),
      );
    if (typeof whole === "number") {
      return o.concatenate(paddedPositions(whole, [low, high], mode).map(row), axis);
    }
    if (mode !== "edge") throw invalid(`mode ${mode} of pad needs a known size`);
    const copies = (count: number, start: Dim): Value[] =>
      Array.from({ length: count }, () => row(start));
    const parts = [...copies(low, 0), current, ...copies(high, subDims(whole, 1))];
    return o.concatenate(parts, axis);
  }, value);
}
