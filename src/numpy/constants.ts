/** Numbers and limits of `numpy`. */
import { bitsOf, isFloat, isInteger, type DType } from "../ir/dtypes.js";
import { canonicalDtype, integerRange, invalid } from "../lax/arguments.js";

export const pi = Math.PI;
export const e = Math.E;
export const inf = Infinity;
export const nan = NaN;

/** Limits of a floating type. */
export interface FloatLimits {
  readonly bits: number;
  /** The distance from 1 to the next number. */
  readonly eps: number;
  readonly max: number;
  readonly min: number;
  /** The smallest normal number above 0. */
  readonly tiny: number;
}

/** Limits of a floating type. JAX's `jnp.finfo`. */
export function finfo(dtype: DType): FloatLimits {
  const type = canonicalDtype(dtype);
  const layouts: Partial<Record<DType, readonly [exponent: number, mantissa: number]>> = {
    float32: [8, 23],
    bfloat16: [8, 7],
    float16: [5, 10],
  };
  const layout = layouts[type];
  if (!isFloat(type) || layout === undefined) throw invalid(`finfo takes no ${type}`);
  const [exponent, mantissa] = layout;
  const largest = 2 ** (exponent - 1) - 1;
  const max = (2 - 2 ** -mantissa) * 2 ** largest;
  return { bits: bitsOf(type), eps: 2 ** -mantissa, max, min: -max, tiny: 2 ** (1 - largest) };
}

/** Limits of an integer type. JAX's `jnp.iinfo`. */
export function iinfo(dtype: DType): {
  readonly bits: number;
  readonly min: number;
  readonly max: number;
} {
  const type = canonicalDtype(dtype);
  if (!isInteger(type)) throw invalid(`iinfo takes no ${type}`);
  const [min, max] = integerRange(type);
  return { bits: bitsOf(type), min, max };
}
