/**
 * What an index such as `x[1:3, None, i]` means for the dimensions of an array. Read by indexing.ts,
 * which turns plans into slices, gathers and scatters.
 */
import {
  addDims,
  floordivDims,
  greaterEqual,
  isSymbolic,
  maxDim,
  minDim,
  printDim,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import { isInteger } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { callError } from "../api/calls.js";
import { at, invalid, isWeakScalar } from "../lax/arguments.js";
import type { ArrayLike } from "../trace/arrays.js";
import { arrayValue, type NestedArray } from "./convert.js";
import { broadcastShapes } from "./promotion.js";

/** A range of positions, as Python's `slice`; null where it is open. */
export class Slice {
  readonly start: Dim | null;
  readonly stop: Dim | null;
  readonly step: number;

  constructor(start: Dim | null, stop: Dim | null, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

/**
 * The range `start:stop:step` for an index; null leaves an end open. With one argument, `:stop`.
 * Ends may be symbolic sizes. Python's `slice`.
 *
 * @throws Jax2TfjsError `invalid-index` for what is no whole number, or a step of 0
 */
export function slice(start: Dim | null, stop?: Dim | null, step = 1): Slice {
  const range = stop === undefined ? new Slice(null, start, step) : new Slice(start, stop, step);
  const numbers = [range.start ?? 0, range.stop ?? 0, step];
  const isWhole = numbers.every((number) => isSymbolic(number) || Number.isInteger(number));
  if (isWhole && step !== 0) return range;
  const texts = numbers.map(printDim).join(", ");
  throw callError("invalid-index", `slice(${texts}) is no range of positions`);
}

/** A new dimension of size 1 in an index. */
export const newaxis = null;
/** All dimensions that an index does not name. */
export const ellipsis = "...";

/**
 * One entry of an index: a position (negative ones count from the end), a range (`np.slice(1, 3)` or
 * as text: `"1:3"`, `":"`, `"::-1"`), `null` for a new dimension, `"..."` for the dimensions that
 * are not named, or an integer array.
 */
export type Index = number | string | Slice | null | ArrayLike | readonly NestedArray[];

/** What an index says about one dimension of the array. */
export type DimensionIndex =
  | {
      readonly kind: "range";
      readonly start: Dim;
      readonly stop: Dim;
      readonly count: Dim;
      readonly step: number;
    }
  | { readonly kind: "position"; readonly position: Dim }
  | { readonly kind: "array"; readonly value: Value };

/** An index, worked out for an array. */
export interface IndexPlan {
  /** One entry per dimension of the array. */
  readonly dimensions: readonly DimensionIndex[];
  /** Where the result has new dimensions of size 1. */
  readonly newAxes: readonly number[];
  /** The shape that the arrays of the index broadcast to. */
  readonly arrayShape: Shape;
  /** Whether the dimensions of the arrays come first in the result. */
  readonly arraysFirst: boolean;
}

/** Reads `1:3`, `::2`, `:`. */
function parseRange(text: string): Slice {
  const parts = text.split(":").map((part) => part.trim());
  const valid = parts.length >= 2 && parts.length <= 3 && parts.every((p) => /^(-?\d+)?$/.test(p));
  if (!valid) {
    throw callError(
      "invalid-index",
      `"${text}" is no index`,
      'write ranges as "1:3", ":" or "::2", and "..." for the rest of the dimensions',
    );
  }
  const [start, stop, step] = parts.map((part) => (part === "" ? null : Number(part)));
  return slice(start ?? null, stop ?? null, step ?? 1);
}

/** A position within a dimension: negative ones count from the end, further ones are the ends. */
function clampTo(position: Dim, size: Dim, isForward: boolean): Dim {
  if (greaterEqual(position, 0)) return minDim(isForward ? size : subDims(size, 1), position);
  return maxDim(isForward ? 0 : -1, addDims(size, position));
}

/** A range within a dimension, as Python's `slice.indices`. */
function resolveRange({ start, stop, step }: Slice, size: Dim): DimensionIndex {
  const isForward = step > 0;
  const [whole, none]: readonly [Dim, Dim] = isForward ? [0, size] : [subDims(size, 1), -1];
  const first = start === null ? whole : clampTo(start, size, isForward);
  const last = stop === null ? none : clampTo(stop, size, isForward);
  const distance = isForward ? subDims(last, first) : subDims(first, last);
  const gap = Math.abs(step);
  const count = floordivDims(maxDim(0, addDims(distance, gap - 1)), gap);
  return { kind: "range", start: first, stop: last, count, step };
}

function resolvePosition(position: number, size: Dim, axis: number): DimensionIndex {
  if (!Number.isInteger(position)) {
    throw callError("invalid-index", `${position} is no position of an array`);
  }
  if (typeof size !== "number") {
    return { kind: "position", position: position < 0 ? addDims(size, position) : position };
  }
  const found = position < 0 ? position + size : position;
  if (found >= 0 && found < size) return { kind: "position", position: found };
  throw callError(
    "invalid-index",
    `index ${position} is out of bounds for axis ${axis} with size ${size}`,
  );
}

type Entry = Slice | number | Value;

function readEntry(index: Index, place: number): Entry {
  if (typeof index === "number") return index;
  if (typeof index === "string") return parseRange(index);
  if (index instanceof Slice) return index;
  if (Array.isArray(index) && index.length === 0) {
    throw callError("invalid-index", "an empty array of positions has no type");
  }
  const isList = Array.isArray(index);
  const value = isList ? integerList(index as readonly NestedArray[]) : arrayValue(index);
  if (value.aval.dtype === "bool") {
    throw callError(
      "invalid-index",
      `boolean indices (entry ${place}) are not supported: shapes cannot depend on values`,
      "use np.where to select by a condition",
    );
  }
  if (isInteger(value.aval.dtype)) return value;
  if (isWeakScalar(value)) return Number(value.value);
  throw callError(
    "invalid-index",
    `indexer must have integer or boolean type, got ${value.aval.dtype} (entry ${place})`,
    'make positions with np.array([0, 2], { dtype: "int32" })',
  );
}

/** A list of JavaScript numbers as positions. */
function integerList(list: readonly NestedArray[]): Value {
  const isWhole = (item: NestedArray): boolean =>
    Array.isArray(item) ? item.every(isWhole) : typeof item === "number" && Number.isInteger(item);
  if (list.every(isWhole)) return arrayValue(toBigints(list));
  return arrayValue(list);
}

function toBigints(list: readonly NestedArray[]): readonly NestedArray[] {
  return list.map((item) => (Array.isArray(item) ? toBigints(item) : BigInt(item as number)));
}

/** Entries with `...` written out. */
function expandEllipsis(indices: readonly Index[], rank: number): readonly Index[] {
  const named = indices.filter((index) => index !== null && index !== ellipsis).length;
  if (named > rank) {
    throw callError(
      "invalid-index",
      `too many indices: the array is ${rank}-dimensional, but ${named} were indexed`,
    );
  }
  const places = indices.flatMap((index, place) => (index === ellipsis ? [place] : []));
  if (places.length > 1) throw invalid('an index can only have a single ellipsis ("...")');
  const rest = Array.from({ length: rank - named }, (): Index => ":");
  const [place] = places;
  return place === undefined ? [...indices, ...rest] : indices.toSpliced(place, 1, ...rest);
}

/**
 * Works an index out.
 *
 * @throws Jax2TfjsError `invalid-index` for positions out of bounds, too many entries, and entries
 * that are no index
 */
export function planIndex(shape: Shape, indices: readonly Index[]): IndexPlan {
  const entries = expandEllipsis(indices, shape.length);
  const dimensions: DimensionIndex[] = [];
  const newAxes: number[] = [];
  const arrayPlaces: number[] = [];
  const parsed = entries.map((index, place) => (index === null ? null : readEntry(index, place)));
  const arrays = parsed.filter((entry): entry is Value => isArrayEntry(entry));
  const arrayShape = broadcastShapes(...arrays.map(({ aval }) => aval.shape));
  parsed.forEach((entry, place) => {
    if (entry === null) return;
    const axis = dimensions.length;
    const size = at(shape, axis);
    if (entry instanceof Slice) dimensions.push(resolveRange(entry, size));
    else {
      // Beside arrays, a position is an array of no dimensions.
      if (arrays.length > 0) arrayPlaces.push(place);
      if (typeof entry === "number") dimensions.push(resolvePosition(entry, size, axis));
      else dimensions.push({ kind: "array", value: entry });
    }
  });
  const isSplit = arrayPlaces.some((place, i) => i > 0 && place !== at(arrayPlaces, i - 1) + 1);
  let position = isSplit ? arrayShape.length : 0;
  let isPlaced = isSplit;
  for (const entry of parsed) {
    if (entry === null) newAxes.push(position++);
    else if (entry instanceof Slice) position++;
    else if (arrays.length > 0 && !isPlaced) {
      position += arrayShape.length;
      isPlaced = true;
    }
  }
  return { dimensions, newAxes, arrayShape, arraysFirst: isSplit };
}

function isArrayEntry(entry: Entry | null): entry is Value {
  return typeof entry === "object" && entry !== null && !(entry instanceof Slice);
}
