/**
 * Floating formats that JavaScript has no typed array for: float16, bfloat16, the float8 family and
 * float4. Decoding is by table, encoding rounds to nearest even. Called by hostArray.ts.
 */
import type { DType } from "./dtypes.js";

/** Dtypes whose values are decoded into float32 (every value of theirs is exact there). */
export const smallFloatDTypes = [
  "float4_e2m1fn",
  "float8_e3m4",
  "float8_e4m3",
  "float8_e4m3b11fnuz",
  "float8_e4m3fn",
  "float8_e4m3fnuz",
  "float8_e5m2",
  "float8_e5m2fnuz",
  "float8_e8m0fnu",
  "bfloat16",
  "float16",
] as const satisfies readonly DType[];

export type SmallFloatDType = (typeof smallFloatDTypes)[number];

export function isSmallFloat(dtype: DType): dtype is SmallFloatDType {
  return (smallFloatDTypes as readonly DType[]).includes(dtype);
}

/**
 * How a format spends its special bit patterns, as the suffixes of the dtype names say:
 * ieee: infinities and NaNs in the top exponent; fn: finite, NaN is all ones; fnuz: finite, no
 * negative zero, whose pattern is the only NaN; finite: neither infinity nor NaN; powers: exponent
 * alone, unsigned, no zero, NaN is all ones.
 */
type SpecialValues = "ieee" | "fn" | "fnuz" | "finite" | "powers";

interface SmallFloatFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  readonly special: SpecialValues;
}

const formats: Readonly<Record<SmallFloatDType, SmallFloatFormat>> = {
  float4_e2m1fn: { exponentBits: 2, mantissaBits: 1, bias: 1, special: "finite" },
  float8_e3m4: { exponentBits: 3, mantissaBits: 4, bias: 3, special: "ieee" },
  float8_e4m3: { exponentBits: 4, mantissaBits: 3, bias: 7, special: "ieee" },
  float8_e4m3b11fnuz: { exponentBits: 4, mantissaBits: 3, bias: 11, special: "fnuz" },
  float8_e4m3fn: { exponentBits: 4, mantissaBits: 3, bias: 7, special: "fn" },
  float8_e4m3fnuz: { exponentBits: 4, mantissaBits: 3, bias: 8, special: "fnuz" },
  float8_e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, special: "ieee" },
  float8_e5m2fnuz: { exponentBits: 5, mantissaBits: 2, bias: 16, special: "fnuz" },
  float8_e8m0fnu: { exponentBits: 8, mantissaBits: 0, bias: 127, special: "powers" },
  bfloat16: { exponentBits: 8, mantissaBits: 7, bias: 127, special: "ieee" },
  float16: { exponentBits: 5, mantissaBits: 10, bias: 15, special: "ieee" },
};

/**
 * The value of one bit pattern of `dtype`. Bits above the format's width are ignored, as in files
 * that store float4 in a byte.
 */
export function decodeSmallFloat(dtype: SmallFloatDType, bits: number): number {
  const { exponentBits, mantissaBits, bias, special } = formats[dtype];
  if (special === "powers") return (bits & 0xff) === 0xff ? NaN : 2 ** ((bits & 0xff) - bias);
  const signBit = 1 << (exponentBits + mantissaBits);
  const magnitude = bits & (signBit - 1);
  const negative = (bits & signBit) !== 0;
  const exponent = magnitude >> mantissaBits;
  const mantissa = magnitude & ((1 << mantissaBits) - 1);
  const topExponent = exponent === (1 << exponentBits) - 1;
  if (special === "ieee" && topExponent) {
    if (mantissa !== 0) return NaN;
    return negative ? -Infinity : Infinity;
  }
  if (special === "fn" && magnitude === signBit - 1) return NaN;
  if (special === "fnuz" && magnitude === 0) return negative ? NaN : 0;
  const value =
    exponent === 0
      ? mantissa * 2 ** (1 - bias - mantissaBits)
      : (mantissa + (1 << mantissaBits)) * 2 ** (exponent - bias - mantissaBits);
  return negative ? -value : value;
}

/** Bits of the largest finite magnitude. */
function largestFinite({ exponentBits, mantissaBits, special }: SmallFloatFormat): number {
  const allOnes = (1 << (exponentBits + mantissaBits)) - 1;
  switch (special) {
    case "ieee":
      return allOnes - (1 << mantissaBits);
    case "fn":
    case "powers":
      return allOnes - 1;
    case "fnuz":
    case "finite":
      return allOnes;
  }
}

const float64Scratch = new Float64Array(1);
const float64Words = new Uint32Array(float64Scratch.buffer);
const littleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** floor(log2(value)) of a positive finite number, at least -1023 (all subnormals). */
function exponentOf(value: number): number {
  float64Scratch[0] = value;
  return (((float64Words[littleEndianHost ? 1 : 0] ?? 0) >>> 20) & 0x7ff) - 1023;
}

/** Rounds a non-negative number to the nearest integer, ties to even. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * The bit pattern of `dtype` nearest to `value`, ties to even, rounded once from float64. Overflow
 * gives what ml_dtypes gives: infinity where the format has it, else NaN, else (float4) the largest
 * value.
 */
export function encodeSmallFloat(dtype: SmallFloatDType, value: number): number {
  const format = formats[dtype];
  const { exponentBits, mantissaBits, bias, special } = format;
  if (special === "powers") return encodePower(value, bias);
  const signBit = 1 << (exponentBits + mantissaBits);
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? signBit : 0;
  const largest = largestFinite(format);
  const magnitude = Math.abs(value);
  let bits: number;
  if (magnitude < Infinity) {
    const exponent = magnitude === 0 ? 1 - bias : Math.max(exponentOf(magnitude), 1 - bias);
    // Adding, not or-ing: a mantissa that rounds up to the next power of two carries over.
    bits =
      (exponent + bias - 1) * 2 ** mantissaBits +
      roundHalfEven(magnitude * 2 ** (mantissaBits - exponent));
  } else {
    bits = largest + 1;
  }
  switch (special) {
    case "ieee":
      if (Number.isNaN(value)) return largest + 1 + (1 << (mantissaBits - 1));
      return sign + Math.min(bits, largest + 1);
    case "fn":
      return Number.isNaN(value) ? signBit - 1 : sign + Math.min(bits, largest + 1);
    case "fnuz":
      if (Number.isNaN(value) || bits > largest) return signBit;
      return bits === 0 ? 0 : sign + bits;
    case "finite":
      return Number.isNaN(value) ? signBit : sign + Math.min(bits, largest);
  }
}

function encodePower(value: number, bias: number): number {
  if (!(value > 0) || value === Infinity) return 0xff;
  const exponent = exponentOf(value);
  if (exponent + bias < 0) return 0;
  // Half way between two powers goes up, as in ml_dtypes: there is no mantissa to be even.
  const up = value / 2 ** exponent >= 1.5;
  return Math.min(exponent + bias + (up ? 1 : 0), 0xff);
}

const decodeTables = new Map<SmallFloatDType, Float32Array>();

/** All values of `dtype` by bit pattern: 256 entries, or 65536 for the 16-bit formats. */
export function decodeTable(dtype: SmallFloatDType): Float32Array {
  const known = decodeTables.get(dtype);
  if (known !== undefined) return known;
  const sixteenBits = dtype === "float16" || dtype === "bfloat16";
  const table = Float32Array.from({ length: sixteenBits ? 65536 : 256 }, (_, bits) =>
    decodeSmallFloat(dtype, bits),
  );
  decodeTables.set(dtype, table);
  return table;
}
