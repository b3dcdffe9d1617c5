/**
 * What the distributions of this folder share: named calls that draw, numbers from 0 to 1, and the
 * shapes of results.
 */
import { printShape, shapeEquals, type Shape } from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import { broadcastShapes, toType, withRank } from "../numpy/promotion.js";
import { scalarValue, type ArrayLike, type ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { bitsValue, keyValue, shapeKey } from "./keys.js";

/**
 * A function of arrays that JAX has as a `jit` of its own.
 *
 * @param parameters everything but the types that decides what is traced
 */
export function drawNamed(
  name: string,
  parameters: string,
  draw: (...arrays: ArrayValue[]) => ArrayValue,
  values: readonly Value[],
): ArrayValue {
  const body = (...inputs: Value[]): Value => arrayValue(draw(...inputs.map(out)));
  return out(callNamedOne(name, parameters, body, values));
}

export interface DrawOptions {
  /** Default: what the parameters broadcast to. */
  readonly shape?: Shape;
}

/** float32 arguments as values. */
export function parametersOf(...args: readonly NestedArray[]): readonly Value[] {
  return args.map((arg) => toType(arrayValue(arg), "float32"));
}

/** The shape of a draw: the one asked for, if the parameters broadcast to it. */
export function shapeOfDraw(
  name: string,
  shape: Shape | undefined,
  parameters: readonly Shape[],
): Shape {
  const own = broadcastShapes(...parameters);
  if (shape === undefined) return own;
  shapeKey(shape);
  const wide = broadcastShapes(shape, own);
  if (shapeEquals(wide, shape)) return shape;
  throw invalid(
    `${name} parameter shapes must be broadcast-compatible with shape argument, and the result of ` +
      `broadcasting the shapes must equal the shape argument, but got result ${printShape(wide)} ` +
      `for shape argument ${printShape(shape)}.`,
  );
}

/** Floating types that numbers are drawn in: bits of one, bits of its mantissa, the bits of 1. */
const formats: Readonly<Partial<Record<DType, readonly [number, number, number]>>> = {
  float32: [32, 23, 0x3f800000],
  float16: [16, 10, 0x3c00],
  bfloat16: [16, 7, 0x3f80],
};

/** A value of a type that is not weak. */
export function strongType(value: Value, dtype: DType): Value {
  if (value.aval.dtype === dtype && !value.aval.weakType) return value;
  return o.convertElementType(value, dtype);
}

/** Random mantissas give floats in [1, 2); less 1, in the range. */
function uniformValue(key: Value, low: Value, high: Value, shape: Shape, dtype: DType): Value {
  const format = formats[dtype];
  if (format === undefined)
    throw invalid(`dtype argument to uniform must be a float dtype, got ${dtype}`);
  const [width, mantissa, oneBits] = format;
  const word = width === 32 ? "uint32" : "uint16";
  const [from, to] = [low, high]
    .map((bound) => strongType(bound, dtype))
    .map((bound) => withRank(bound, shape.length));
  if (from === undefined || to === undefined) throw new Error("internal error: two bounds");
  const drawn = mantissa < 8 ? 8 : width === 32 ? 32 : 16;
  const bits = bitsValue(key, shape, drawn);
  const words = drawn === width ? bits : o.convertElementType(bits, word);
  const mantissas = o.shiftRightLogical(words, o.literal(drawn - mantissa, word));
  const floats = o.bitcastConvertType(o.or(mantissas, o.literal(oneBits, word)), dtype);
  const unit = o.sub(floats, o.literal(1, dtype));
  const scaled = o.add(o.mul(unit, o.sub(to, from)), from);
  return o.max(from, shape.length === 0 ? o.reshape(scaled, []) : scaled);
}

/** Numbers between two bounds, for a typed key. */
export function callUniform(
  key: Value,
  shape: Shape,
  low: Value,
  high: Value,
  dtype: DType = "float32",
): Value {
  const body = (k: Value, from: Value, to: Value): Value => uniformValue(k, from, to, shape, dtype);
  return callNamedOne("_uniform", `${shapeKey(shape)} ${dtype}`, body, [key, low, high]);
}

export const floatLiteral = (value: number, dtype: DType = "float32"): Value =>
  o.literal(value, dtype);

/** 0 and 1 without a type of their own, as Python's numbers are. */
export const weakFloat = (value: number): Value => scalarValue(value);

export interface UniformOptions {
  readonly minval?: NestedArray;
  readonly maxval?: NestedArray;
  /** float32, float16 or bfloat16. Default: float32. */
  readonly dtype?: DType;
}

/** Floating numbers from `minval` (0) up to `maxval` (1). JAX's `jax.random.uniform`. */
export function uniform(
  key: ArrayLike,
  shape: Shape = [],
  options: UniformOptions = {},
): ArrayValue {
  const {
    minval = 0,
    maxval = 1,
    dtype = "float32",
  } = optionsOf("uniform", options, ["minval", "maxval", "dtype"]);
  const bounds = [arrayValue(minval), arrayValue(maxval)] as const;
  return out(callUniform(keyValue("uniform", key), shape, ...bounds, dtype));
}
