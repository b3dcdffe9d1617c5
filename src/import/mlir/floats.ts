/**
 * MLIR's floating-point formats: from bits to exact value, and the decimal text MLIR prints.
 * Exact integer arithmetic throughout, because the printed text must be what MLIR prints.
 */
import { type FloatTypeName } from "./ir.js";

/**
 * How a format spends special bit patterns: infinities and NaNs in the top exponent (ieee); finite
 * with NaN in the all-ones pattern (allOnes); NaN in the pattern of negative zero (negativeZero);
 * neither infinity nor NaN (none).
 */
type Specials = "ieee" | "allOnes" | "negativeZero" | "none";

interface FloatFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  readonly specials: Specials;
  readonly signed?: false;
  /** The leading bit of the significand is stored. */
  readonly explicitLeadingBit?: true;
}

const format = (
  exponentBits: number,
  mantissaBits: number,
  bias: number,
  specials: Specials,
): FloatFormat => ({ exponentBits, mantissaBits, bias, specials });

const formats: Record<FloatTypeName, FloatFormat> = {
  f4E2M1FN: format(2, 1, 1, "none"),
  f6E2M3FN: format(2, 3, 1, "none"),
  f6E3M2FN: format(3, 2, 3, "none"),
  f8E3M4: format(3, 4, 3, "ieee"),
  f8E4M3: format(4, 3, 7, "ieee"),
  f8E4M3B11FNUZ: format(4, 3, 11, "negativeZero"),
  f8E4M3FN: format(4, 3, 7, "allOnes"),
  f8E4M3FNUZ: format(4, 3, 8, "negativeZero"),
  f8E5M2: format(5, 2, 15, "ieee"),
  f8E5M2FNUZ: format(5, 2, 16, "negativeZero"),
  f8E8M0FNU: { ...format(8, 0, 127, "allOnes"), signed: false },
  bf16: format(8, 7, 127, "ieee"),
  f16: format(5, 10, 15, "ieee"),
  f32: format(8, 23, 127, "ieee"),
  tf32: format(8, 10, 127, "ieee"),
  f64: format(11, 52, 1023, "ieee"),
  f80: { ...format(15, 63, 16383, "ieee"), explicitLeadingBit: true },
  f128: format(15, 112, 16383, "ieee"),
};

/** A number as sign, and significand · 2^exponent. */
interface ExactFloat {
  readonly kind: "finite" | "infinite" | "nan";
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

function exactFloat(name: FloatTypeName, bits: bigint): ExactFloat {
  const { exponentBits, mantissaBits, bias, specials, signed, explicitLeadingBit } = formats[name];
  const storedMantissaBits = BigInt(mantissaBits + (explicitLeadingBit ? 1 : 0));
  const stored = bits & ((1n << storedMantissaBits) - 1n);
  const mantissa = stored & ((1n << BigInt(mantissaBits)) - 1n);
  const exponentField = Number((bits >> storedMantissaBits) & ((1n << BigInt(exponentBits)) - 1n));
  const topExponent = exponentField === 2 ** exponentBits - 1;
  const allOnes = topExponent && mantissa === (1n << BigInt(mantissaBits)) - 1n;
  const signBit = (bits >> (storedMantissaBits + BigInt(exponentBits))) & 1n;
  const negative = signed !== false && signBit === 1n;
  const special = (kind: "infinite" | "nan"): ExactFloat => ({
    kind,
    negative,
    significand: mantissa,
    exponent: 0,
  });
  if (specials === "ieee" && topExponent) return special(mantissa === 0n ? "infinite" : "nan");
  if (specials === "allOnes" && allOnes) return special("nan");
  if (specials === "negativeZero" && negative && exponentField === 0 && mantissa === 0n) {
    return special("nan");
  }
  // The format of powers of two alone has no subnormal numbers and no zero.
  const normal = exponentField !== 0 || signed === false;
  const leading = explicitLeadingBit ? stored - mantissa : normal ? 1n << BigInt(mantissaBits) : 0n;
  const exponent = (normal ? exponentField : 1) - bias - mantissaBits;
  return { kind: "finite", negative, significand: leading + mantissa, exponent };
}

/** The value of `bits` as a JavaScript number (exact up to f64, rounded above). */
export function floatValue(name: FloatTypeName, bits: bigint): number {
  if (name === "f64") return new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
  const { kind, negative, significand, exponent } = exactFloat(name, bits);
  const sign = negative ? -1 : 1;
  if (kind === "nan") return NaN;
  if (kind === "infinite") return sign * Infinity;
  // Two steps, as 2^exponent alone may be too small for a number although the product is not.
  const half = Math.trunc(exponent / 2);
  return sign * (Number(significand) * 2 ** half) * 2 ** (exponent - half);
}

/** Decimal digits, the least significant first, without trailing zeros: value = digits · 10^exponent. */
interface Decimal {
  digits: string;
  exponent: number;
}

/** 59/196 is the approximation of log10(2) that LLVM rounds by; its digits depend on it. */
const bitsPerDigits = [196n, 59n] as const;

const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

/** The decimal expansion of significand · 2^exponent with at most `precision` digits. */
function decimalOf(significand: bigint, exponent: number, precision: number): Decimal {
  let value = significand;
  let power = exponent;
  while ((value & 1n) === 0n) {
    value >>= 1n;
    power++;
  }
  let tens = 0;
  if (power >= 0) value <<= BigInt(power);
  else {
    value *= 5n ** BigInt(-power);
    tens = power;
  }
  // Digits far beyond the precision are dropped by division, as LLVM does.
  const [bits, digits] = bitsPerDigits;
  const needed = (BigInt(precision) * bits + digits - 1n) / digits;
  const length = BigInt(bitLength(value));
  if (length > needed) {
    const removable = ((length - needed) * digits) / bits;
    value /= 10n ** removable;
    tens += Number(removable);
  }
  return roundDecimal(value.toString(), tens, precision);
}

function roundDecimal(text: string, tens: number, precision: number): Decimal {
  let digits = text;
  let exponent = tens;
  if (digits.length > precision) {
    const dropped = digits.slice(precision);
    digits = digits.slice(0, precision);
    exponent += dropped.length;
    if (dropped >= "5") digits = (BigInt(digits) + 1n).toString();
  }
  const trimmed = digits.replace(/0+$/, "");
  return { digits: trimmed, exponent: exponent + digits.length - trimmed.length };
}

/** `d.ddde+XX` with `precision` digits after the point. */
function scientific({ digits, exponent }: Decimal, precision: number): string {
  const power = exponent + digits.length - 1;
  const fraction = digits.slice(1).padEnd(precision, "0");
  const magnitude = Math.abs(power).toString().padStart(2, "0");
  return `${digits.charAt(0)}.${fraction}e${power < 0 ? "-" : "+"}${magnitude}`;
}

const maximalPadding = 3;

/** The shortest of LLVM's natural forms: `0.797884583`, `9.99999974E-6`, `16777216`. */
function natural({ digits, exponent }: Decimal, precision: number): string {
  const count = digits.length;
  const leading = exponent + count - 1;
  const useScientific =
    exponent >= 0
      ? exponent > maximalPadding || count + exponent > precision
      : leading < 0 && -leading > maximalPadding;
  if (useScientific) {
    const fraction = count === 1 ? "0" : digits.slice(1);
    return `${digits.charAt(0)}.${fraction}E${leading < 0 ? "-" : "+"}${Math.abs(leading)}`;
  }
  if (exponent >= 0) return digits + "0".repeat(exponent);
  const whole = exponent + count;
  if (whole > 0) return `${digits.slice(0, whole)}.${digits.slice(whole)}`;
  return `0.${"0".repeat(-whole)}${digits}`;
}

/** True if `decimal`, rounded to `name`, is the number significand · 2^exponent again. */
function roundTrips(decimal: Decimal, name: FloatTypeName, exact: ExactFloat): boolean {
  // Compares |decimal - value| with half the spacing of the format around the value.
  const { significand, exponent } = exact;
  const shift = exponent - 1;
  let value = significand * 2n;
  let parsed = BigInt(decimal.digits);
  let half = 1n;
  if (shift >= 0) {
    value <<= BigInt(shift);
    half <<= BigInt(shift);
  } else parsed <<= BigInt(-shift);
  if (decimal.exponent >= 0) parsed *= 10n ** BigInt(decimal.exponent);
  else {
    const scale = 10n ** BigInt(-decimal.exponent);
    value *= scale;
    half *= scale;
  }
  // Below a power of two the spacing is half of that above, unless the number is subnormal.
  const { mantissaBits, bias } = formats[name];
  const powerOfTwo =
    significand === 1n << BigInt(mantissaBits) && exponent > 1 - bias - mantissaBits;
  const difference = parsed - value;
  if (difference < 0n && powerOfTwo) return -difference * 2n <= half;
  const distance = difference < 0n ? -difference : difference;
  return distance < half || (distance === half && significand % 2n === 0n);
}

/** The bits in hexadecimal, as MLIR prints what has no decimal form. */
function hexadecimal(name: FloatTypeName, bits: bigint): string {
  const { exponentBits, mantissaBits, signed, explicitLeadingBit } = formats[name];
  const width =
    exponentBits + mantissaBits + (signed === false ? 0 : 1) + (explicitLeadingBit ? 1 : 0);
  return `0x${bits
    .toString(16)
    .toUpperCase()
    .padStart(Math.ceil(width / 4), "0")}`;
}

/** The text MLIR prints for a float: six digits if they are exact, all that matter otherwise. */
export function floatText(name: FloatTypeName, bits: bigint): string {
  const exact = exactFloat(name, bits);
  if (exact.kind !== "finite") return hexadecimal(name, bits);
  const sign = exact.negative ? "-" : "";
  if (exact.significand === 0n) return `${sign}0.000000e+00`;
  const short = decimalOf(exact.significand, exact.exponent, 6);
  if (roundTrips(short, name, exact)) return sign + scientific(short, 6);
  const precision = 2 + Math.floor(((formats[name].mantissaBits + 1) * 59) / 196);
  const long = natural(decimalOf(exact.significand, exact.exponent, precision), precision);
  return long.includes(".") ? sign + long : hexadecimal(name, bits);
}
