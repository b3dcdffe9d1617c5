/** Functions of `numpy` that reduce dimensions: sums, means, extrema, and running ones. */
import { shapeSize, type Dim, type Shape } from "../ir/dims.js";
import { isComplex, isFloat, isInteger, type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import {
  at,
  canonicalAxes,
  canonicalAxis,
  canonicalDtype,
  invalid,
  optionsOf,
} from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "./convert.js";
import { scalarLike, toBoolean, whereValues } from "./elementwise.js";
import { broadcastValue, toType } from "./promotion.js";

/** Which dimensions: one, several, or null for all. */
export type Axis = number | readonly number[] | null;

export interface ReduceOptions {
  /** Default: all dimensions. */
  readonly axis?: Axis | undefined;
  /** Keeps reduced dimensions with size 1. */
  readonly keepdims?: boolean | undefined;
}

export interface SumOptions extends ReduceOptions {
  /** The element type of the result, in which the sum is formed. */
  readonly dtype?: DType | undefined;
  /** Only elements where this holds count. */
  readonly where?: NestedArray | undefined;
}

const reduceNames = ["axis", "keepdims"] as const;
const sumNames = ["axis", "dtype", "keepdims", "where"] as const;
const varianceNames = ["axis", "ddof", "keepdims"] as const;

export function axesOf(axis: Axis | undefined, rank: number): readonly number[] {
  if (axis === undefined || axis === null) return Array.from({ length: rank }, (_, i) => i);
  return canonicalAxes(typeof axis === "number" ? [axis] : axis, rank).toSorted((a, b) => a - b);
}

/** Puts reduced dimensions back with size 1. */
export function keepDimensions(reduced: Value, shape: Shape, axes: readonly number[]): Value {
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  return o.broadcastInDim(
    reduced,
    shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
    kept,
  );
}

type Reduction = (x: Value, axes: readonly number[]) => Value;
const reduceSum: Reduction = (x, axes) => o.reduceSum(x, axes);
const reduceProd: Reduction = (x, axes) => o.reduceProd(x, axes);
const reduceMax: Reduction = (x, axes) => o.reduceMax(x, axes);
const reduceMin: Reduction = (x, axes) => o.reduceMin(x, axes);
const reduceAnd: Reduction = (x, axes) => o.reduceAnd(x, axes);
const reduceOr: Reduction = (x, axes) => o.reduceOr(x, axes);

function reduceWith(
  op: (value: Value, axes: readonly number[]) => Value,
  value: Value,
  { axis, keepdims = false }: ReduceOptions,
): Value {
  const { shape } = value.aval;
  const axes = axesOf(axis, shape.length);
  const reduced = op(value, axes);
  return keepdims ? keepDimensions(reduced, shape, axes) : reduced;
}

/** Small integers and truth values are summed as 32-bit integers. */
function sumType(dtype: DType): DType {
  if (dtype === "bool" || (isInteger(dtype) && !dtype.startsWith("u"))) return "int32";
  return isInteger(dtype) ? "uint32" : dtype;
}

/** float16 and bfloat16 are summed as float32. */
function computationType(dtype: DType): DType {
  return isFloat(dtype) ? "float32" : dtype;
}

function accumulate(
  op: (value: Value, axes: readonly number[]) => Value,
  neutral: number,
  x: NestedArray,
  options: SumOptions,
): Value {
  const value = arrayValue(x);
  const result = canonicalDtype(options.dtype ?? sumType(value.aval.dtype));
  const weak = value.aval.weakType && result === value.aval.dtype;
  const wide = toType(value, computationType(result), weak);
  const chosen =
    options.where === undefined
      ? wide
      : whereValues(arrayValue(options.where), wide, scalarLike(wide, neutral));
  return toType(reduceWith(op, chosen, options), result, weak);
}

/** JAX's `jnp.sum`. */
export function sum(x: NestedArray, options: SumOptions = {}): ArrayValue {
  return out(accumulate(reduceSum, 0, x, optionsOf("sum", options, sumNames)));
}

/** JAX's `jnp.prod`. */
export function prod(x: NestedArray, options: SumOptions = {}): ArrayValue {
  return out(accumulate(reduceProd, 1, x, optionsOf("prod", options, sumNames)));
}

/** How many elements each sum has, as a scalar of the type of a value. */
function countLike(value: Value, shape: Shape, axes: readonly number[]): Value {
  const count: Dim = shapeSize(axes.map((axis) => at(shape, axis)));
  if (typeof count === "number") return scalarLike(value, count);
  return o.convertElementType(o.dimAsValue(count), value.aval.dtype);
}

function meanValue(value: Value, options: SumOptions): Value {
  const { shape, dtype } = value.aval;
  const result = canonicalDtype(
    options.dtype ?? (isFloat(dtype) || isComplex(dtype) ? dtype : "float32"),
  );
  const axes = axesOf(options.axis, shape.length);
  const wide = toType(value, computationType(result));
  if (options.where !== undefined) {
    const mask = broadcastValue(toBoolean(arrayValue(options.where)), shape);
    const total = accumulate(reduceSum, 0, out(wide), { ...options, dtype: undefined });
    const count = reduceWith(reduceSum, toType(mask, wide.aval.dtype), options);
    return toType(o.div(total, count), result);
  }
  const total = reduceWith(reduceSum, wide, options);
  return toType(o.div(total, countLike(total, shape, axes)), result);
}

/** JAX's `jnp.mean`. */
export function mean(x: NestedArray, options: SumOptions = {}): ArrayValue {
  return out(meanValue(arrayValue(x), optionsOf("mean", options, sumNames)));
}

/** The mean with weights. JAX's `jnp.average`. */
export function average(
  x: NestedArray,
  options: { readonly axis?: number; readonly weights?: NestedArray } = {},
): ArrayValue {
  const { axis, weights } = optionsOf("average", options, ["axis", "weights"]);
  const value = arrayValue(x);
  if (weights === undefined) return mean(x, axis === undefined ? {} : { axis });
  const given = toType(arrayValue(weights), "float32");
  const { shape } = value.aval;
  const isRow = given.aval.shape.length === 1 && shape.length > 1;
  if (isRow && axis === undefined) throw invalid("average needs an axis for weights of one row");
  const place = canonicalAxis(axis ?? 0, Math.max(1, shape.length));
  const wide = isRow ? o.broadcastInDim(given, shape, [place]) : broadcastValue(given, shape);
  const places = axis === undefined ? {} : { axis };
  const total = reduceWith(reduceSum, o.mul(toType(value, "float32"), wide), places);
  return out(o.div(total, reduceWith(reduceSum, wide, places)));
}

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements. Default: 0. */
  readonly ddof?: number | undefined;
}

function varianceValue(value: Value, given: Value, options: VarianceOptions): Value {
  const { shape, dtype } = value.aval;
  const result = isFloat(dtype) || isComplex(dtype) ? dtype : "float32";
  const wide = toType(value, computationType(result));
  const centered = o.sub(wide, meanValue(wide, { axis: options.axis, keepdims: true }));
  const squares = isComplex(dtype) ? o.real(o.mul(centered, o.conj(centered))) : o.square(centered);
  const axes = axesOf(options.axis, shape.length);
  const ddof = toType(given, squares.aval.dtype);
  const count = o.sub(countLike(squares, shape, axes), ddof);
  const quotient = o.div(reduceWith(reduceSum, squares, options), count);
  const isPositive = o.gt(count, scalarLike(count, 0));
  const spread = whereValues(isPositive, quotient, nanLiteral());
  return toType(spread, isComplex(result) ? "float32" : result);
}

/** NaN as a number without a type of its own. */
function nanLiteral(): Value {
  return arrayValue(NaN);
}

function varianceKey({ axis, keepdims = false }: ReduceOptions): string {
  return `${JSON.stringify(axis ?? null)} ${keepdims}`;
}

function variance(value: Value, ddof: Value, options: VarianceOptions): Value {
  const body = (x: Value, given: Value): Value => varianceValue(x, given, options);
  return callNamedOne("_var", varianceKey(options), body, [value, ddof]);
}

/** JAX counts `ddof` as an integer where it is whole. */
function ddofValue(ddof: number): Value {
  return arrayValue(Number.isInteger(ddof) ? BigInt(ddof) : ddof);
}

/** The variance. JAX's `jnp.var`. */
export function var_(x: NestedArray, options: VarianceOptions = {}): ArrayValue {
  optionsOf("var", options, varianceNames);
  return out(variance(arrayValue(x), ddofValue(options.ddof ?? 0), options));
}

/** The standard deviation. JAX's `jnp.std`. */
export function std(x: NestedArray, options: VarianceOptions = {}): ArrayValue {
  optionsOf("std", options, varianceNames);
  const body = (value: Value, ddof: Value): Value => o.sqrt(variance(value, ddof, options));
  const values = [arrayValue(x), ddofValue(options.ddof ?? 0)];
  return out(callNamedOne("_std", varianceKey(options), body, values));
}

function requireElements(name: string, value: Value, axis: Axis | undefined): void {
  const axes = axesOf(axis, value.aval.shape.length);
  if (axes.some((place) => at(value.aval.shape, place) === 0)) {
    throw invalid(`zero-size array to reduction operation ${name} which has no identity`);
  }
}

const extremum =
  (name: string, op: (value: Value, axes: readonly number[]) => Value) =>
  (x: NestedArray, options: ReduceOptions = {}): ArrayValue => {
    const value = arrayValue(x);
    requireElements(name, value, optionsOf(name, options, reduceNames).axis);
    return out(reduceWith(op, value, options));
  };

/** The largest element; NaN if one is. JAX's `jnp.max`. */
export const max = extremum("max", reduceMax);
/** The smallest element; NaN if one is. JAX's `jnp.min`. */
export const min = extremum("min", reduceMin);
/** JAX's `jnp.amax`. */
export const amax = max;
/** JAX's `jnp.amin`. */
export const amin = min;

/** The difference of the largest and the smallest element. JAX's `jnp.ptp`. */
export function ptp(x: NestedArray, options: ReduceOptions = {}): ArrayValue {
  return out(o.sub(arrayValue(max(x, options)), arrayValue(min(x, options))));
}

/** Whether all elements hold. JAX's `jnp.all`. */
export function all(x: NestedArray, options: ReduceOptions = {}): ArrayValue {
  return out(
    reduceWith(reduceAnd, toBoolean(arrayValue(x)), optionsOf("all", options, reduceNames)),
  );
}

/** Whether any element holds. JAX's `jnp.any`. */
export function any(x: NestedArray, options: ReduceOptions = {}): ArrayValue {
  return out(
    reduceWith(reduceOr, toBoolean(arrayValue(x)), optionsOf("any", options, reduceNames)),
  );
}

/** How many elements are not zero. JAX's `jnp.count_nonzero`. */
export function countNonzero(x: NestedArray, options: ReduceOptions = {}): ArrayValue {
  const given = optionsOf("countNonzero", options, reduceNames);
  return out(reduceWith(reduceSum, toType(toBoolean(arrayValue(x)), "int32"), given));
}

export interface ArgOptions {
  readonly axis?: number | null | undefined;
  readonly keepdims?: boolean | undefined;
}

const position =
  (name: string, op: (x: Value, axis: number) => Value) =>
  (x: NestedArray, options: ArgOptions = {}): ArrayValue => {
    const { axis, keepdims = false } = optionsOf(name, options, reduceNames);
    const value = arrayValue(x);
    const { shape } = value.aval;
    const isFlat = axis === undefined || axis === null;
    const flat = isFlat && shape.length !== 1 ? o.reshape(value, [shapeSize(shape)]) : value;
    const place = canonicalAxis(axis ?? 0, flat.aval.shape.length);
    if (at(flat.aval.shape, place) === 0) throw invalid(`attempt to get ${name} of an empty array`);
    const found = op(flat, place);
    if (!keepdims) return out(found);
    return out(keepDimensions(found, shape, axesOf(axis, shape.length)));
  };

/** The first position of the largest element. JAX's `jnp.argmax`. */
export const argmax = position("argmax", (x, axis) => o.argmax(x, axis, "int32"));
/** The first position of the smallest element. JAX's `jnp.argmin`. */
export const argmin = position("argmin", (x, axis) => o.argmin(x, axis, "int32"));

function cumulative(
  name: string,
  x: NestedArray,
  axis: number | null | undefined,
  op: (x: Value, axis: number) => Value,
): ArrayValue {
  const body = (value: Value): Value => {
    const { shape, dtype } = value.aval;
    const isFlat = axis === undefined || axis === null;
    const flat = isFlat && shape.length !== 1 ? o.reshape(value, [shapeSize(shape)]) : value;
    const typed = dtype === "bool" ? toType(flat, "int32") : flat;
    return op(typed, canonicalAxis(axis ?? 0, flat.aval.shape.length));
  };
  return out(callNamedOne(name, String(axis), body, [arrayValue(x)]));
}

/** Running sums along a dimension (null: of the flat array). JAX's `jnp.cumsum`. */
export function cumsum(x: NestedArray, axis: number | null = null): ArrayValue {
  return cumulative("cumsum", x, axis, (value, place) => o.cumsum(value, place, false));
}

/** Running products along a dimension (null: of the flat array). JAX's `jnp.cumprod`. */
export function cumprod(x: NestedArray, axis: number | null = null): ArrayValue {
  return cumulative("cumprod", x, axis, (value, place) => o.cumprod(value, place, false));
}

const withoutNan =
  (neutral: number, op: (x: NestedArray, options: ReduceOptions) => ArrayValue) =>
  (x: NestedArray, options: ReduceOptions = {}): ArrayValue => {
    const value = arrayValue(x);
    return op(out(whereValues(o.ne(value, value), scalarLike(value, neutral), value)), options);
  };

/** The sum of what is no NaN. JAX's `jnp.nansum`. */
export const nansum = withoutNan(0, sum);
/** The product of what is no NaN. JAX's `jnp.nanprod`. */
export const nanprod = withoutNan(1, prod);
/** The largest of what is no NaN. JAX's `jnp.nanmax`. */
export const nanmax = withoutNan(-Infinity, max);
/** The smallest of what is no NaN. JAX's `jnp.nanmin`. */
export const nanmin = withoutNan(Infinity, min);

/** The mean of what is no NaN. JAX's `jnp.nanmean`. */
export function nanmean(x: NestedArray, options: ReduceOptions = {}): ArrayValue {
  optionsOf("nanmean", options, reduceNames);
  const value = arrayValue(x);
  const count = reduceWith(reduceSum, toType(o.eq(value, value), value.aval.dtype), options);
  return out(o.div(arrayValue(nansum(x, options)), count));
}

/** The sum of the diagonal. JAX's `jnp.trace`. */
export function trace(x: NestedArray, offset = 0): ArrayValue {
  const body = (value: Value): Value => {
    const { shape, dtype } = value.aval;
    const [rows, columns] = shape;
    if (rows === undefined || columns === undefined || shape.length !== 2) {
      throw invalid("trace takes a matrix");
    }
    const row = o.iota("int32", [rows, columns], 0);
    const column = o.iota("int32", [rows, columns], 1);
    const mask = o.eq(o.add(row, o.literal(offset, "int32")), column);
    const kept = whereValues(mask, value, o.full(shape, 0, dtype));
    return o.reduceSum(kept, [0, 1]);
  };
  return out(callNamedOne("trace", String(offset), body, [arrayValue(x)]));
}
