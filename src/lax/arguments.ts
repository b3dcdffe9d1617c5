/**
 * What the functions of `lax` do with their arguments before they bind: scalars without a type of
 * their own take the type of the arrays they meet, element types get their 32-bit names, axes are
 * counted from the front. Called by all files of this folder.
 */
import { shapedArray } from "../ir/aval.js";
import { DimExpr, printShape, type Dim } from "../ir/dims.js";
import { isComplex, isDType, isFloat, isInteger, type DType } from "../ir/dtypes.js";
import type { Jax2TfjsError } from "../ir/errors.js";
import type { Value } from "../ir/ops.js";
import type { Primitive } from "../ir/primitive.js";
import { callError } from "../api/calls.js";
import {
  describeValue,
  type ArrayLike,
  type ArrayValue,
  type WeakScalar,
} from "../trace/arrays.js";
import { asValue, fromValue, o, toValue } from "../trace/trace.js";

/** The item at a place that is known to exist. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error("internal error: missing item");
  return item;
}

/** An error about a parameter, with the user's line. */
export function invalid(message: string, fix?: string): Jax2TfjsError {
  return callError("invalid-parameter", message, fix);
}

/**
 * The options of a call, once they are seen to be an object with names that the function knows:
 * a misspelled option must not be one that is left out.
 *
 * @param name of the function, as JAX's message has it
 */
export function optionsOf<T extends object>(
  name: string,
  options: T,
  known: readonly (keyof T & string)[],
): T {
  const given: unknown = options;
  const list = known.map((option) => `${option}: …`).join(", ");
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(
      `${name}() takes its options as an object, got ${describeValue(given)}`,
      `write { ${list} }`,
    );
  }
  const unknown = Object.keys(given).find((option) => !known.some((other) => other === option));
  if (unknown === undefined) return options;
  throw invalid(`${name}() got an unexpected keyword argument '${unknown}'`, `write { ${list} }`);
}

/** One of the texts that an option may be. @throws Jax2TfjsError `invalid-parameter` */
export function choice<T extends string>(
  given: T,
  known: readonly T[],
  message: (names: string) => string,
): T {
  if (known.includes(given)) return given;
  throw invalid(message(known.map((name) => `'${name}'`).join(", ")));
}

/** True for a whole number or a symbolic size: what sizes are given as. */
export function isSize(value: unknown): value is Dim {
  return Number.isInteger(value) || value instanceof DimExpr;
}

/** A whole number, for what is no size. @param what for the message: "the offset of diag" */
export function wholeNumber(what: string, value: number): number {
  if (Number.isInteger(value)) return value;
  throw invalid(`${what} must be a whole number, got ${describeValue(value)}`);
}

/** True for a JavaScript number or bigint: it has no type of its own yet. */
export function isWeakScalar(value: Value): value is WeakScalar {
  return (value as { kind?: unknown }).kind === "literal" && value.aval.weakType;
}

/** JAX without x64 has 32-bit types only. */
export function canonicalDtype(dtype: DType): DType {
  if (!isDType(dtype)) {
    throw invalid(`data type ${describeValue(dtype)} not understood`, "dtypes are JAX's names");
  }
  switch (dtype) {
    case "int64":
      return "int32";
    case "uint64":
      return "uint32";
    case "float64":
      return "float32";
    case "complex128":
      return "complex64";
    default:
      return dtype;
  }
}

/** Smallest and largest number of an integer type. */
export function integerRange(dtype: DType): readonly [low: number, high: number] {
  const bits = Number(/\d+$/.exec(dtype)?.[0]);
  return dtype.startsWith("u") ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** A scalar without type as one of a type; itself where the type cannot hold it. */
export function retyped(value: WeakScalar, dtype: DType, weakType: boolean): WeakScalar {
  const number = Number(value.value);
  const aval = shapedArray(dtype, [], weakType);
  if (isFloat(dtype)) return { ...value, aval };
  if (isComplex(dtype)) return { ...value, value: { re: number, im: 0 }, aval };
  if (!isInteger(dtype) || !Number.isInteger(number)) return value;
  const [low, high] = integerRange(dtype);
  return number >= low && number <= high ? { ...value, aval } : value;
}

/**
 * Arguments that must have one type, as values: JavaScript numbers take the type of the others
 * (whole ones that of integers, too).
 */
export function operands(...args: readonly ArrayLike[]): readonly Value[] {
  return unify(args.map(toValue));
}

/** As `operands`, for values. */
export function unify(values: readonly Value[]): readonly Value[] {
  const typed = values.filter((value) => !isWeakScalar(value));
  const weakFloat = values.find((value) => value.aval.dtype === "float32");
  const dtype = typed[0]?.aval.dtype ?? (weakFloat ?? values[0])?.aval.dtype;
  if (dtype === undefined) return values;
  const isWeak = typed.every((value) => value.aval.weakType);
  return values.map((value) => (isWeakScalar(value) ? retyped(value, dtype, isWeak) : value));
}

/** A value converted to a type; numbers without type become literals of it. */
export function convertValue(value: Value, to: DType, weakType = false): Value {
  const dtype = canonicalDtype(to);
  if (isWeakScalar(value) && dtype !== "bool") {
    const literal = retyped(value, dtype, weakType);
    if (literal.aval.dtype === dtype) return literal;
  }
  if (value.aval.dtype === dtype && value.aval.weakType === weakType) return value;
  return o.convertElementType(value, dtype, weakType);
}

/** A position: whole JavaScript numbers are int32. */
export function indexValue(index: unknown): Value {
  const value = asValue(index);
  return isWeakScalar(value) ? retyped(value, "int32", false) : value;
}

/** An axis that may be counted from the end. */
export function canonicalAxis(axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis)) throw invalid(`an axis must be an integer, got ${String(axis)}`);
  throw invalid(`axis ${axis} is out of bounds for array of dimension ${rank}`);
}

/** Several axes, each of them at most once. */
export function canonicalAxes(axes: readonly number[], rank: number): readonly number[] {
  const given: unknown = axes;
  if (!Array.isArray(given)) {
    throw invalid(`axes must be integers, or a list of them, got ${describeValue(given)}`);
  }
  const canonical = axes.map((axis) => canonicalAxis(axis, rank));
  if (new Set(canonical).size === canonical.length) return canonical;
  throw invalid(`duplicate value in axes: ${printShape(axes)}`);
}

/** The result of a primitive with one result. */
export function bindOne<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): Value {
  return at(o.bind(primitive, inputs, params), 0);
}

/** All results of a primitive, for users. */
export function bindAll<P>(
  primitive: Primitive<P>,
  inputs: readonly Value[],
  params: P,
): ArrayValue[] {
  return o.bind(primitive, inputs, params).map(fromValue);
}

/** A function of one array. */
export const unary =
  (op: (x: Value) => Value) =>
  (x: ArrayLike): ArrayValue =>
    fromValue(op(toValue(x)));

/** A function of two arrays of one type. */
export const binary =
  (op: (x: Value, y: Value) => Value) =>
  (x: ArrayLike, y: ArrayLike): ArrayValue => {
    const [left, right] = operands(x, y);
    if (left === undefined || right === undefined) throw new Error("internal error: no operands");
    return fromValue(op(left, right));
  };
