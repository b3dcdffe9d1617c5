/**
 * Integer arithmetic on int32 tensors as JAX does it: narrow types wrap, uint32 is an int32 bit
 * pattern, division truncates. Products on cpu go through float64 and quotients on wasm through
 * float32, so the plain kernels are used only where those are exact.
 */
import { bitsOf, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { wrapInteger } from "./fold.js";

export const int = (tf: Tf, value: number): Tensor => tf.scalar(value | 0, "int32");

export const intMin = -(2 ** 31);

export const add = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("AddV2", x, y);
export const sub = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("Sub", x, y);
export const both = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("LogicalAnd", x, y);
export const isNegative = (tf: Tf, x: Tensor): Tensor => tf.binary("Less", x, int(tf, 0));
export const lowBits = (tf: Tf, x: Tensor, bits: number): Tensor =>
  tf.binary("FloorMod", x, int(tf, 2 ** bits));

export const isUnsigned = (dtype: DType): boolean => kindOf(dtype) === "unsigned";
/** Not all of int32's bits: such values are kept in range by `wrap`. */
export const isNarrow = (dtype: DType): boolean => bitsOf(dtype) < 32;

/** The one value of all elements of a known tensor, or null. */
export function knownInteger(x: Tensor): number | null {
  if (x.value === null || x.dtype !== "int32") return null;
  const values = asInt32(x.value, { overflow: "wrap" });
  const [first = null] = values;
  return values.every((value) => value === first) ? first : null;
}

/** True if no element of a known tensor is this value. */
export function neverEquals(x: Tensor, value: number): boolean {
  return x.value !== null && !asInt32(x.value, { overflow: "wrap" }).includes(value);
}

/** Brings a result back into the range of a narrow type. */
export function wrap(tf: Tf, x: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  if (bits >= 32) return x;
  if (isUnsigned(dtype)) return lowBits(tf, x, bits);
  const known = knownInteger(x);
  if (known !== null && x.shape.length === 0) return int(tf, wrapInteger(known, dtype));
  const half = int(tf, 2 ** (bits - 1));
  return sub(tf, lowBits(tf, add(tf, x, half), bits), half);
}

/** `wrap` for integers, nothing for floats. */
export const wrapIfInteger = (tf: Tf, x: Tensor, dtype: DType): Tensor =>
  isInteger(dtype) ? wrap(tf, x, dtype) : x;

/** The bits of a narrow value as a number >= 0; 32-bit values are left as they are. */
export function unsignedBits(tf: Tf, x: Tensor, dtype: DType): Tensor {
  return isNarrow(dtype) && !isUnsigned(dtype) ? lowBits(tf, x, bitsOf(dtype)) : x;
}

/** x < y for uint32 bit patterns: the signed answer, turned around where the signs differ. */
export function unsignedLess(tf: Tf, x: Tensor, y: Tensor): Tensor {
  const signedLess = tf.binary("Less", x, y);
  const knownX = knownInteger(x);
  const knownY = knownInteger(y);
  if (knownX !== null && knownX >= 0) return tf.binary("NotEqual", signedLess, isNegative(tf, y));
  if (knownY !== null && knownY >= 0) return tf.binary("NotEqual", signedLess, isNegative(tf, x));
  const signsDiffer = tf.binary("NotEqual", isNegative(tf, x), isNegative(tf, y));
  return tf.binary("NotEqual", signedLess, signsDiffer);
}

/** True if a known factor keeps products below the limits of the kernels' floats. */
function isSmallFactor(x: Tensor, bits: number): boolean {
  const known = knownInteger(x);
  if (known === null) return false;
  return Math.abs(known) < 2 ** bits || Number.isInteger(Math.log2(Math.abs(known)));
}

/** x = high * radix + low with |low| <= radix / 2, so that small numbers stay small. */
function splitFactor(tf: Tf, x: Tensor, radix: number): readonly [high: Tensor, low: Tensor] {
  const [factor, half] = [int(tf, radix), int(tf, radix / 2)];
  const low = sub(tf, tf.binary("FloorMod", add(tf, x, half), factor), half);
  // A multiple of the radix: also float32 divides it exactly.
  return [tf.binary("FloorDiv", sub(tf, x, low), factor), low];
}

/** x * y to the low bits of the type; narrow products are still to be wrapped. */
export function multiply(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const product = (left: Tensor, right: Tensor): Tensor => tf.binary("Mul", left, right);
  if (isNarrow(dtype)) {
    // float32 products of the GPU backends are exact to 24 bits.
    const onGpu = tf.backends.has("webgl") || tf.backends.has("webgpu");
    const exact = !onGpu || bitsOf(dtype) <= 8 || isSmallFactor(x, 8) || isSmallFactor(y, 8);
    if (exact) return product(x, y);
    const [high, low] = splitFactor(tf, x, 256);
    const upper = product(wrap(tf, product(high, y), dtype), int(tf, 256));
    return add(tf, wrap(tf, product(low, y), dtype), wrap(tf, upper, dtype));
  }
  // float64 products of cpu are exact to 53 bits: one factor may have 22.
  if (!tf.backends.has("cpu") || isSmallFactor(x, 22) || isSmallFactor(y, 22)) {
    return product(x, y);
  }
  const [high, low] = splitFactor(tf, x, 65536);
  return add(tf, product(low, y), product(product(high, y), int(tf, 65536)));
}

/** floor(x / y) for y != 0. */
export function floorDivide(tf: Tf, x: Tensor, y: Tensor, narrow: boolean): Tensor {
  const quotient = tf.binary("FloorDiv", x, y);
  if (narrow || !(tf.backends.has("wasm") || tf.backends.has("webgl"))) return quotient;
  // wasm divides float32 numbers, and webgl adds 1 to odd ones from 2^23 on. What the quotient leaves
  // over is small, except beside a large divisor, where the (exact) remainder makes it a multiple of
  // the divisor.
  const rest = sub(tf, x, tf.binary("Mul", quotient, y));
  const divisor = knownInteger(y);
  const small = divisor !== null && Math.abs(divisor) <= 2 ** 22;
  const multiple = small ? rest : sub(tf, rest, tf.binary("FloorMod", rest, y));
  return add(tf, quotient, tf.binary("FloorDiv", multiple, y));
}

/** Floor of x / 2^k for 0 <= k <= 31. */
function halve(tf: Tf, x: Tensor, k: number, narrow: boolean): Tensor {
  if (k === 0) return x;
  if (k === 31) return sub(tf, int(tf, 0), tf.cast(isNegative(tf, x), "int32"));
  const divisor = int(tf, 2 ** k);
  if (narrow || !tf.backends.has("wasm") || k < 7) return floorDivide(tf, x, divisor, narrow);
  return tf.binary("FloorDiv", sub(tf, x, lowBits(tf, x, k)), divisor);
}

/** The divisor with 1 where it is 0, since kernels trap or give anything there. */
function withoutZero(tf: Tf, y: Tensor): { readonly safe: Tensor; readonly isZero: Tensor | null } {
  if (neverEquals(y, 0)) return { safe: y, isZero: null };
  const isZero = tf.binary("Equal", y, int(tf, 0));
  return { safe: tf.select(isZero, int(tf, 1), y), isZero };
}

function signedDivide(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const known = knownInteger(y);
  const lowest = bitsOf(dtype) === 32 ? intMin : NaN;
  if (known === 1) return x;
  if (known === lowest) return tf.cast(tf.binary("Equal", x, y), "int32");
  if (known === -1) return wrap(tf, sub(tf, int(tf, 0), x), dtype);
  const { safe, isZero } = withoutZero(tf, y);
  // TensorFlow itself traps on -2^31 / -1.
  const trapped = tf.backends.has("tensorflow") && !isNarrow(dtype) && !neverEquals(y, -1);
  const minusOne = trapped ? tf.binary("Equal", y, int(tf, -1)) : null;
  const divisor = minusOne === null ? safe : tf.select(minusOne, int(tf, 1), safe);
  const floor = floorDivide(tf, x, divisor, isNarrow(dtype));
  const inexact = tf.binary("NotEqual", tf.binary("Mul", floor, divisor), x);
  const up = tf.cast(both(tf, inexact, isNegative(tf, floor)), "int32");
  let quotient = add(tf, floor, up);
  if (tf.backends.has("wasm") && bitsOf(dtype) === 32 && !neverEquals(y, intMin)) {
    // The correction of float32 quotients overflows beside the lowest divisor.
    const isLowest = tf.binary("Equal", y, int(tf, intMin));
    quotient = tf.select(isLowest, tf.cast(tf.binary("Equal", x, y), "int32"), quotient);
  }
  if (minusOne !== null) quotient = tf.select(minusOne, sub(tf, int(tf, 0), x), quotient);
  if (!neverEquals(y, -1)) quotient = wrap(tf, quotient, dtype);
  return isZero === null ? quotient : tf.select(isZero, int(tf, -1), quotient);
}

function unsignedDivide32(tf: Tf, x: Tensor, y: Tensor): Tensor {
  const known = knownInteger(y);
  if (known !== null && known > 0 && Number.isInteger(Math.log2(known))) {
    return shiftRightLogical(tf, x, int(tf, Math.log2(known)), "uint32");
  }
  // Halves are small enough for signed division; the last bit is brought down by hand.
  const positive = known !== null && known > 0;
  const isPositive = positive ? null : tf.binary("Greater", y, int(tf, 0));
  const divisor = isPositive === null ? y : tf.select(isPositive, y, int(tf, 1));
  const half = shiftRightLogical(tf, x, int(tf, 1), "uint32");
  const halfQuotient = floorDivide(tf, half, divisor, false);
  const left = sub(tf, half, tf.binary("Mul", halfQuotient, divisor));
  const two = int(tf, 2);
  const rest = add(tf, tf.binary("Mul", left, two), lowBits(tf, x, 1));
  const fits = (dividend: Tensor, by: Tensor): Tensor =>
    tf.cast(tf.unary("LogicalNot", unsignedLess(tf, dividend, by)), "int32");
  const quotient = add(tf, tf.binary("Mul", halfQuotient, two), fits(rest, divisor));
  if (isPositive === null) return quotient;
  const largeOrZero = tf.select(isNegative(tf, y), fits(x, y), int(tf, -1));
  return tf.select(isPositive, quotient, largeOrZero);
}

/** `lax.div` on integers: truncates; x / 0 is -1, or all ones if unsigned, as XLA has it. */
export function divide(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  if (!isUnsigned(dtype)) return signedDivide(tf, x, y, dtype);
  if (!isNarrow(dtype)) return unsignedDivide32(tf, x, y);
  const { safe, isZero } = withoutZero(tf, y);
  const quotient = tf.binary("FloorDiv", x, safe);
  const allOnes = int(tf, 2 ** bitsOf(dtype) - 1);
  return isZero === null ? quotient : tf.select(isZero, allOnes, quotient);
}

/** `lax.rem` on integers: the sign of the dividend; x rem 0 is x. */
export function remainder(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const known = knownInteger(y);
  const powerOfTwo = known !== null && known > 0 && Number.isInteger(Math.log2(known));
  if (powerOfTwo && isUnsigned(dtype)) return lowBits(tf, x, Math.log2(known));
  const quotient = divide(tf, x, y, dtype);
  // No larger than x: exact on every backend.
  const rest = sub(tf, x, tf.binary("Mul", quotient, y));
  // Only the lowest value divided by -1 leaves the range.
  return isUnsigned(dtype) || neverEquals(y, -1) ? rest : wrap(tf, rest, dtype);
}

/** A table of powers, looked up by shift amounts that are in range. */
function lookUp(tf: Tf, table: readonly number[], index: Tensor): Tensor {
  const values = tf.constant(
    table.map((value) => value | 0),
    "int32",
    [table.length],
  );
  return tf.gather(values, index, 0);
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, k) => k);

/** Shift amounts, with `limit` for all that are out of 0 … limit - 1 (also the negative ones). */
function clampedAmount(tf: Tf, amount: Tensor, limit: number): Tensor {
  const high = tf.binary("Minimum", amount, int(tf, limit));
  return tf.select(isNegative(tf, amount), int(tf, limit), high);
}

const outOfRange = (amount: number, bits: number): boolean => amount < 0 || amount >= bits;

/** `lax.shift_left`: 0 if shifted by the width or more. */
export function shiftLeft(tf: Tf, x: Tensor, amount: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  const known = knownInteger(amount);
  if (known === 0) return x;
  const factor =
    known === null
      ? lookUp(tf, [...range(bits).map((k) => 2 ** k), 0], clampedAmount(tf, amount, bits))
      : int(tf, outOfRange(known, bits) ? 0 : 2 ** known);
  // Powers of two: exact also in the float64 products of cpu.
  return wrap(tf, tf.binary("Mul", x, factor), dtype);
}

/** `lax.shift_right_arithmetic`: copies of the sign bit come in, also for unsigned types. */
export function shiftRightArithmetic(tf: Tf, x: Tensor, amount: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  const narrow = isNarrow(dtype);
  const operand = narrow && isUnsigned(dtype) ? wrap(tf, x, signedType(bits)) : x;
  const known = knownInteger(amount);
  if (known !== null) {
    const k = outOfRange(known, bits) ? bits - 1 : known;
    return wrap(tf, halve(tf, operand, k, narrow), dtype);
  }
  const clamped = clampedAmount(tf, amount, bits - 1);
  // 2^31 is no int32: the whole shift is done as 30 and 1.
  const powers = range(bits).map((k) => 2 ** Math.min(k, 30));
  const quotient = floorDivide(tf, operand, lookUp(tf, powers, clamped), narrow);
  if (narrow) return wrap(tf, quotient, dtype);
  const whole = tf.binary("GreaterEqual", clamped, int(tf, 31));
  return tf.select(whole, halve(tf, x, 31, false), quotient);
}

const signedType = (bits: number): DType => (bits === 16 ? "int16" : bits === 8 ? "int8" : "int4");

/** `lax.shift_right_logical`: zeros come in. */
export function shiftRightLogical(tf: Tf, x: Tensor, amount: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  const known = knownInteger(amount);
  if (known === 0) return x;
  if (known !== null && outOfRange(known, bits)) return tf.binary("Mul", x, int(tf, 0));
  if (isNarrow(dtype)) {
    const operand = unsignedBits(tf, x, dtype);
    const powers = [...range(bits).map((k) => 2 ** k), 2 ** bits];
    const divisor =
      known === null ? lookUp(tf, powers, clampedAmount(tf, amount, bits)) : int(tf, 2 ** known);
    const quotient = tf.binary("FloorDiv", operand, divisor);
    return known === null ? wrap(tf, quotient, dtype) : quotient;
  }
  if (known === 31) return tf.cast(isNegative(tf, x), "int32");
  if (known !== null && known > 1) return lowBits(tf, halve(tf, x, known, false), 32 - known);
  // The arithmetic shift is 2^(32-k) too small where x stands for a number of 2^31 or more.
  const shifted = shiftRightArithmetic(tf, x, amount, dtype);
  if (known !== null) {
    return add(tf, shifted, tf.select(isNegative(tf, x), int(tf, intMin), int(tf, 0)));
  }
  const clamped = clampedAmount(tf, amount, 32);
  const missing = lookUp(tf, [0, ...range(31).map((k) => 2 ** (31 - k)), 0], clamped);
  const logical = add(tf, shifted, tf.select(isNegative(tf, x), missing, int(tf, 0)));
  return tf.select(tf.binary("Equal", clamped, int(tf, 32)), int(tf, 0), logical);
}

/** A uint32 bit pattern as float32, rounded once. */
export function unsignedToFloat(tf: Tf, x: Tensor): Tensor {
  const high = tf.cast(shiftRightLogical(tf, x, int(tf, 16), "uint32"), "float32");
  const low = tf.cast(lowBits(tf, x, 16), "float32");
  return add(tf, tf.binary("Mul", high, tf.scalar(65536, "float32")), low);
}
