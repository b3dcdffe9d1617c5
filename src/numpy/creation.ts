/** Functions of `numpy` that make arrays. */
import {
  addDims,
  floordivDims,
  greater,
  isStaticShape,
  isSymbolic,
  maxDim,
  negDim,
  printShape,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import { isFloat, isInteger, type DType } from "../ir/dtypes.js";
import { fromNumbers, isHostArray } from "../ir/hostArray.js";
import type { LiteralValue } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { callError } from "../api/calls.js";
import {
  canonicalDtype,
  choice,
  invalid,
  isSize,
  optionsOf,
  wholeNumber,
} from "../lax/arguments.js";
import { describeValue, type ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, listOf, nestedValue, out, type NestedArray } from "./convert.js";
import { scalarLike, whereValues } from "./elementwise.js";
import { broadcastValue, toType } from "./promotion.js";

/** Sizes: one number for one dimension. */
export type ShapeLike = Dim | Shape;

const describeSize = (size: unknown): string => (isSize(size) ? String(size) : describeValue(size));

export function toShape(shape: ShapeLike): Shape {
  const sizes: Shape = Array.isArray(shape) ? (shape as Shape) : [shape as Dim];
  const list = sizes.map(describeSize).join(", ");
  if (!sizes.every(isSize)) {
    throw callError(
      "array-shape",
      `Shapes must be 1D sequences of concrete values of integer type, got (${list}).`,
    );
  }
  if (sizes.some((size) => typeof size === "number" && size < 0)) {
    throw callError("array-shape", `shape must have every element be nonnegative, got (${list}).`);
  }
  return sizes;
}

export interface DtypeOption {
  /** JAX's name of the element type. */
  readonly dtype?: DType | undefined;
}

/**
 * An array of JavaScript numbers: nested arrays, typed arrays, scalars, or arrays to be stacked.
 * Numbers are float32, truth values bool, bigints int32, unless a type is given. JAX's `jnp.array`.
 *
 * @throws Jax2TfjsError `array-shape` for rows of different shapes
 */
export function array(values: NestedArray, options: DtypeOption = {}): ArrayValue {
  const { dtype } = optionsOf("array", options, ["dtype"]);
  const wanted = dtype === undefined ? undefined : canonicalDtype(dtype);
  if (!Array.isArray(values)) {
    if (isHostArray(values) || typeof values === "object") {
      const value = arrayValue(values);
      return out(toType(value, wanted ?? value.aval.dtype, false));
    }
    return out(scalarOf(values, wanted));
  } else {
    const made = nestedValue(values as readonly unknown[], wanted);
    if ("aval" in made) return out(made);
    const items = made.items.map((item) => toRow(arrayValue(item)));
    const inner = items[0]?.aval.shape.slice(1) ?? [];
    const joined = toType(o.concatenate(items, 0), wanted ?? items[0]?.aval.dtype ?? "float32");
    return out(o.reshape(joined, [...made.shape, ...inner]));
  }
  throw invalid("no array can be made of this");
}

function toRow(value: Value): Value {
  const { shape } = value.aval;
  return o.broadcastInDim(
    value,
    [1, ...shape],
    shape.map((_, axis) => axis + 1),
  );
}

/** A scalar of a type of its own. */
function scalarOf(value: number | bigint | boolean, dtype: DType | undefined): Value {
  const given = arrayValue(value);
  return toType(given, dtype ?? given.aval.dtype);
}

/** As `array`; arrays stay as they are. JAX's `jnp.asarray`. */
export function asarray(values: NestedArray, options: DtypeOption = {}): ArrayValue {
  return array(values, options);
}

/** A scalar of type float32, so that it is not taken for a JavaScript number. */
export function float32(value: number): ArrayValue {
  return array(value, { dtype: "float32" });
}
/** A scalar of type int32. */
export function int32(value: number): ArrayValue {
  return array(value, { dtype: "int32" });
}

function filled(shape: ShapeLike, value: LiteralValue, dtype: DType = "float32"): ArrayValue {
  return out(o.full(toShape(shape), value, canonicalDtype(dtype)));
}

const zeroOf = (dtype: DType): LiteralValue => (dtype === "bool" ? false : 0);
const oneOf = (dtype: DType): LiteralValue => (dtype === "bool" ? true : 1);

/** JAX's `jnp.zeros`. */
export function zeros(shape: ShapeLike, options: DtypeOption = {}): ArrayValue {
  const { dtype = "float32" } = optionsOf("zeros", options, ["dtype"]);
  return filled(shape, zeroOf(dtype), dtype);
}

/** JAX's `jnp.ones`. */
export function ones(shape: ShapeLike, options: DtypeOption = {}): ArrayValue {
  const { dtype = "float32" } = optionsOf("ones", options, ["dtype"]);
  return filled(shape, oneOf(dtype), dtype);
}

/** JAX's `jnp.empty`: zeros. */
export const empty = zeros;

/** An array of one value, which may be an array to broadcast. JAX's `jnp.full`. */
export function full(shape: ShapeLike, value: NestedArray, options: DtypeOption = {}): ArrayValue {
  const { dtype } = optionsOf("full", options, ["dtype"]);
  const given = arrayValue(value);
  const typed = toType(given, canonicalDtype(dtype ?? given.aval.dtype));
  return out(broadcastValue(typed, toShape(shape)));
}

export interface LikeOptions extends DtypeOption {
  readonly shape?: ShapeLike;
}

/** JAX's `jnp.zeros_like`. */
export function zerosLike(x: NestedArray, options: LikeOptions = {}): ArrayValue {
  const { dtype, shape } = optionsOf("zerosLike", options, ["dtype", "shape"]);
  const { aval } = arrayValue(x);
  return zeros(shape ?? aval.shape, { dtype: dtype ?? aval.dtype });
}

/** JAX's `jnp.ones_like`. */
export function onesLike(x: NestedArray, options: LikeOptions = {}): ArrayValue {
  const { dtype, shape } = optionsOf("onesLike", options, ["dtype", "shape"]);
  const { aval } = arrayValue(x);
  return ones(shape ?? aval.shape, { dtype: dtype ?? aval.dtype });
}

/** JAX's `jnp.full_like`. */
export function fullLike(
  x: NestedArray,
  value: NestedArray,
  options: LikeOptions = {},
): ArrayValue {
  const { dtype, shape } = optionsOf("fullLike", options, ["dtype", "shape"]);
  const { aval } = arrayValue(x);
  return full(shape ?? aval.shape, value, { dtype: dtype ?? aval.dtype });
}

/** JAX's `jnp.empty_like`: zeros. */
export const emptyLike = zerosLike;

function symbolicRange(first: Dim, last: Dim, step: Dim, dtype: DType): Value {
  const isUpward = greater(step, 0);
  const gap = isUpward ? step : negDim(step);
  const distance = isUpward ? subDims(last, first) : subDims(first, last);
  const count = maxDim(0, floordivDims(addDims(distance, subDims(gap, 1)), gap));
  const scalar = (dim: Dim): Value =>
    typeof dim === "number" ? o.literal(dim, dtype) : toType(o.dimAsValue(dim), dtype);
  const places = o.iota(dtype, [count], 0);
  if (first === 0 && step === 1) return places;
  const wide = (dim: Dim): Value => o.broadcastInDim(scalar(dim), [count], []);
  const scaled = step === 1 ? places : o.mul(places, wide(step));
  return first === 0 ? scaled : o.add(scaled, wide(first));
}

/**
 * `start, start + step, …` below `stop`. As JavaScript has one type of numbers, whole ones count in
 * int32; `{ dtype: "float32" }` makes them floating. Bounds may be symbolic sizes. JAX's
 * `jnp.arange`.
 */
export function arange(
  start: Dim,
  stop?: Dim | null,
  step: Dim = 1,
  options: DtypeOption = {},
): ArrayValue {
  const { dtype } = optionsOf("arange", options, ["dtype"]);
  if (![start, stop ?? 0, step].every((bound) => isSize(bound) || typeof bound === "number")) {
    throw invalid(`arange takes numbers or sizes, got ${String(start)}`);
  }
  const [first, last] = stop === undefined || stop === null ? [0, start] : [start, stop];
  if (isSymbolic(first) || isSymbolic(last) || isSymbolic(step)) {
    return out(symbolicRange(first, last, step, canonicalDtype(dtype ?? "int32")));
  }
  const isWhole = [first, last, step].every(Number.isInteger);
  const type = canonicalDtype(dtype ?? (isWhole ? "int32" : "float32"));
  const count = Math.max(0, Math.ceil((last - first) / step));
  if (!Number.isSafeInteger(count)) {
    throw invalid(`arange from ${first} to ${last} in steps of ${step} has no end`);
  }
  if (first === 0 && step === 1 && (isFloat(type) || isInteger(type))) {
    return out(o.iota(type, [count], 0));
  }
  const numbers = Array.from({ length: count }, (_, index) => first + index * step);
  return out(o.constant(fromNumbers(type, [count], numbers)));
}

export interface LinspaceOptions extends DtypeOption {
  /** Whether the last number is `stop`. Default: true. */
  readonly endpoint?: boolean;
}

/** `count` numbers from `start` to `stop` in equal steps. JAX's `jnp.linspace`. */
export function linspace(
  start: NestedArray,
  stop: NestedArray,
  count = 50,
  options: LinspaceOptions = {},
): ArrayValue {
  const { endpoint = true, dtype = "float32" } = optionsOf("linspace", options, [
    "endpoint",
    "dtype",
  ]);
  if (!Number.isInteger(count) || count < 0) throw invalid(`linspace of ${count} numbers`);
  const type = canonicalDtype(dtype);
  const parts = endpoint ? count - 1 : count;
  const body = (first: Value, last: Value): Value => {
    const [low, high] = [toType(first, "float32"), toType(last, "float32")];
    if (count === 0) return o.full([0], 0, type);
    if (parts === 0) return toType(o.reshape(low, [1]), type);
    const column = o.iota("float32", [parts], 0);
    const place = o.div(column, scalarLike(column, parts));
    const near = o.mul(o.reshape(low, [1]), o.sub(scalarLike(place, 1), place));
    const inner = o.add(near, o.mul(o.reshape(high, [1]), place));
    const whole = endpoint ? o.concatenate([inner, o.broadcastInDim(high, [1], [])], 0) : inner;
    return toType(isInteger(type) ? o.floor(whole) : whole, type);
  };
  const values = [arrayValue(start), arrayValue(stop)];
  if (values.some(({ aval }) => aval.shape.length > 0)) {
    throw invalid("linspace takes numbers", "vmap it for arrays");
  }
  return out(callNamedOne("_linspace", `${count} ${endpoint} ${type}`, body, values));
}

/** `base ** linspace(start, stop)`. JAX's `jnp.logspace`. */
export function logspace(
  start: NestedArray,
  stop: NestedArray,
  count = 50,
  options: LinspaceOptions & { readonly base?: number } = {},
): ArrayValue {
  const { base = 10, ...others } = optionsOf("logspace", options, ["base", "endpoint", "dtype"]);
  const exponents = arrayValue(linspace(start, stop, count, others));
  return out(o.pow(o.full(exponents.aval.shape, base, "float32"), exponents));
}

/** True on the diagonal that lies `offset` above the main one. */
export function diagonalMask(rows: Dim, columns: Dim, offset: number, compare: "eq" | "ge"): Value {
  const row = o.iota("int32", [rows, columns], 0);
  const place = o.literal(wholeNumber("the offset of a diagonal", offset), "int32");
  // The order of equations is JAX's.
  if (compare === "ge") return o.ge(o.add(row, place), o.iota("int32", [rows, columns], 1));
  const column = o.iota("int32", [rows, columns], 1);
  return o.eq(o.add(row, place), column);
}

export interface DiagonalOptions extends DtypeOption {
  /** Which diagonal: above the main one if positive. */
  readonly k?: number;
}

/** Ones on a diagonal. JAX's `jnp.eye`. */
export function eye(rows: Dim, columns: Dim = rows, options: DiagonalOptions = {}): ArrayValue {
  const { k = 0, dtype = "float32" } = optionsOf("eye", options, ["k", "dtype"]);
  toShape([rows, columns]);
  return out(toType(diagonalMask(rows, columns, k, "eq"), canonicalDtype(dtype)));
}

/** The identity matrix. JAX's `jnp.identity`. */
export function identity(size: Dim, options: DtypeOption = {}): ArrayValue {
  return eye(size, size, options);
}

/** Ones at and below a diagonal. JAX's `jnp.tri`. */
export function tri(rows: Dim, columns: Dim = rows, options: DiagonalOptions = {}): ArrayValue {
  const { k = 0, dtype = "float32" } = optionsOf("tri", options, ["k", "dtype"]);
  toShape([rows, columns]);
  return out(toType(diagonalMask(rows, columns, k, "ge"), canonicalDtype(dtype)));
}

function triangle(name: string, x: NestedArray, k: number): ArrayValue {
  wholeNumber("the offset of a diagonal", k);
  const body = (value: Value): Value => {
    const { shape, dtype } = value.aval;
    const [rows, columns] = shape.slice(-2);
    if (rows === undefined || columns === undefined) {
      throw invalid(`Argument to ${name} must be at least 2D`);
    }
    const isLower = name === "tril";
    const below = diagonalMask(rows, columns, isLower ? k : k - 1, "ge");
    const batch = shape.slice(0, -2);
    const mask =
      batch.length === 0 ? below : o.broadcastInDim(below, shape, [batch.length, batch.length + 1]);
    const zero = o.full(shape, zeroOf(dtype), dtype);
    return isLower ? o.selectN(mask, zero, value) : o.selectN(mask, value, zero);
  };
  return out(callNamedOne(name, String(k), body, [arrayValue(x)]));
}

/** The lower triangle; zeros above. JAX's `jnp.tril`. */
export function tril(x: NestedArray, k = 0): ArrayValue {
  return triangle("tril", x, k);
}

/** The upper triangle; zeros below. JAX's `jnp.triu`. */
export function triu(x: NestedArray, k = 0): ArrayValue {
  return triangle("triu", x, k);
}

function diagonalMatrix(value: Value, k: number): Value {
  const size = value.aval.shape[0] ?? 0;
  if (typeof size !== "number") throw invalid("diag needs a known size");
  const padded = o.pad(value, o.literal(zeroOf(value.aval.dtype), value.aval.dtype), [
    [Math.max(0, -k), Math.max(0, k), 0],
  ]);
  const whole = size + Math.abs(k);
  const row = o.iota("int32", [whole, whole], 0);
  const column = o.iota("int32", [whole, whole], 1);
  const mask = o.eq(o.add(row, o.literal(k, "int32")), column);
  const spread = o.broadcastInDim(padded, [whole, 1], [0]);
  return whereValues(mask, spread, o.literal(zeroOf(value.aval.dtype), value.aval.dtype));
}

/** A vector as a diagonal matrix, or the diagonal of a matrix. JAX's `jnp.diag`. */
export function diag(x: NestedArray, k = 0): ArrayValue {
  wholeNumber("the offset of a diagonal", k);
  const value = arrayValue(x);
  if (value.aval.shape.length === 1) {
    return out(callNamedOne("_diag", String(k), (v) => diagonalMatrix(v, k), [value]));
  }
  if (value.aval.shape.length !== 2) throw invalid("diag input must be 1d or 2d");
  return diagonal(x, k);
}

/** The diagonal of a matrix (of the last two dimensions). JAX's `jnp.diagonal`. */
export function diagonal(x: NestedArray, k = 0): ArrayValue {
  wholeNumber("the offset of a diagonal", k);
  const value = arrayValue(x);
  const { shape, dtype } = value.aval;
  if (shape.length < 2 || !isStaticShape(shape)) {
    throw invalid("diagonal requires an array of at least two known dimensions");
  }
  const batch = shape.slice(0, -2);
  const [rows = 0, columns = 0] = shape.slice(-2);
  const count = Math.max(0, Math.min(rows - Math.max(0, -k), columns - Math.max(0, k)));
  const flat = o.reshape(value, [...batch, rows * columns]);
  const first = Math.max(0, k) + Math.max(0, -k) * columns;
  if (count === 0) return out(o.full([...batch, 0], zeroOf(dtype), dtype));
  const start = [...batch.map(() => 0), first];
  const limit = [...batch, first + (count - 1) * (columns + 1) + 1];
  return out(o.slice(flat, start, limit, [...batch.map(() => 1), columns + 1]));
}

/** Coordinate matrices of coordinate vectors. JAX's `jnp.meshgrid`. */
export function meshgrid(
  vectors: readonly NestedArray[],
  options: { readonly indexing?: "xy" | "ij" } = {},
): ArrayValue[] {
  const { indexing = "xy" } = optionsOf("meshgrid", options, ["indexing"]);
  const values = listOf("meshgrid", vectors).map(arrayValue);
  if (values.some(({ aval }) => aval.shape.length !== 1)) {
    const shapes = values.map(({ aval }) => printShape(aval.shape)).join(", ");
    throw invalid(`Arguments to jax.numpy.meshgrid must be 1D, got shapes [${shapes}]`);
  }
  choice(
    indexing,
    ["xy", "ij"],
    () => `Valid values for indexing are 'xy' and 'ij', got ${indexing}`,
  );
  const sizes = values.map(({ aval }) => aval.shape[0] ?? 1);
  const swap = indexing === "xy" && values.length >= 2;
  const place = (index: number): number => (swap && index < 2 ? 1 - index : index);
  const shape = sizes.map((_, axis) => sizes[place(axis)] ?? 1);
  return values.map((value, index) => out(o.broadcastInDim(value, shape, [place(index)])));
}
