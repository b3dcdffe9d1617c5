/**
 * Rounding float32 tensors to fewer bits, by arithmetic alone: conversions to bfloat16, float16 and
 * float8, and `reduce_precision`.
 */
import { Jax2TfjsError } from "../src/ir/errors.js";
import {
  decodeSmallFloat,
  decodeTable,
  encodeSmallFloat,
  type SmallFloatDType,
} from "../src/ir/smallFloats.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { float, withSignOf } from "./floatMath.js";

/**
 * Rounds the significand to `mantissaBits` (ties to even) by Veltkamp's splitting: x * C - (x * C -
 * x). Above 2^100, where the product could overflow, the splitting is done on x * 2^-50.
 */
function roundSignificand(tf: Tf, x: Tensor, mantissaBits: number): Tensor {
  if (mantissaBits >= 23) return x;
  const factor = float(tf, 2 ** (23 - mantissaBits) + 1);
  const split = (value: Tensor): Tensor => {
    const product = tf.binary("Mul", value, factor);
    return tf.binary("Sub", product, tf.binary("Sub", product, value));
  };
  const magnitude = tf.unary("Abs", x);
  const small = tf.binary("Less", magnitude, float(tf, 2 ** 100));
  const scaled = split(tf.binary("Mul", x, float(tf, 2 ** -50)));
  const large = tf.binary("Mul", scaled, float(tf, 2 ** 50));
  const finite = tf.select(small, split(x), large);
  return tf.select(tf.unary("IsFinite", x), finite, x);
}

/** What rounding does beyond the ends of a format. */
interface FloatRange {
  readonly mantissaBits: number;
  readonly largest: number;
  /** The smallest number with a full significand. */
  readonly smallestNormal: number;
  /** What larger numbers become. */
  readonly overflow: number;
  /** Smaller numbers: multiples of the smallest one, or zero. */
  readonly subnormals: boolean;
}

function roundToRange(tf: Tf, x: Tensor, range: FloatRange): Tensor {
  let result = roundSignificand(tf, x, range.mantissaBits);
  if (range.smallestNormal > 2 ** -126) {
    const step = range.smallestNormal * 2 ** -range.mantissaBits;
    const below = tf.binary(
      "Less",
      tf.unary("Abs", range.subnormals ? x : result),
      float(tf, range.smallestNormal),
    );
    const tiny = range.subnormals
      ? roundToMultiple(tf, x, step)
      : tf.binary("Mul", x, float(tf, 0));
    result = tf.select(below, tiny, result);
  }
  if (range.largest < 2 ** 127) {
    const beyond = tf.binary("Greater", tf.unary("Abs", result), float(tf, range.largest));
    const replacement = withSignOf(tf, x, float(tf, range.overflow));
    result = tf.select(beyond, replacement, result);
  }
  return result;
}

function roundToMultiple(tf: Tf, x: Tensor, step: number): Tensor {
  const scaled = tf.binary("Mul", x, float(tf, 1 / step));
  return tf.binary("Mul", tf.unary("Round", scaled), float(tf, step));
}

function formatBits(dtype: SmallFloatDType): number {
  if (dtype === "bfloat16") return 7;
  if (dtype === "float16") return 10;
  return Number(/_e\dm(\d)/.exec(dtype)?.[1] ?? 0);
}

/** Rounds float32 values to those that a narrower type can hold, as XLA's conversions do. */
export function roundToSmallFloat(tf: Tf, x: Tensor, dtype: SmallFloatDType): Tensor {
  const mantissaBits = formatBits(dtype);
  if (dtype === "float8_e8m0fnu") {
    throw new Jax2TfjsError("no-tfjs-rule", "no TensorFlow.js rule rounds to float8_e8m0fnu", {
      fix: "convert to another type",
    });
  }
  const positive = [...decodeTable(dtype)].filter((value) => value > 0 && Number.isFinite(value));
  const largest = positive.reduce((max, value) => Math.max(max, value), 0);
  const smallest = positive.reduce((min, value) => Math.min(min, value), Infinity);
  return roundToRange(tf, x, {
    mantissaBits,
    largest,
    smallestNormal: smallest * 2 ** mantissaBits,
    overflow: decodeSmallFloat(dtype, encodeSmallFloat(dtype, Infinity)),
    subnormals: true,
  });
}

/** Rounds to a format with these bits, without subnormals, as XLA's reduce-precision does. */
export function reduceTo(tf: Tf, x: Tensor, exponentBits: number, mantissaBits: number): Tensor {
  const bits = Math.min(exponentBits, 8);
  const bias = 2 ** (bits - 1) - 1;
  return roundToRange(tf, x, {
    mantissaBits: Math.min(mantissaBits, 23),
    largest: bits === 8 ? Infinity : 2 ** bias * (2 - 2 ** -Math.min(mantissaBits, 23)),
    smallestNormal: 2 ** (1 - bias),
    overflow: Infinity,
    subnormals: false,
  });
}
