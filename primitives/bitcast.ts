/**
 * Reading the bits of numbers and making numbers from bits, which no TensorFlow op that tfjs runs
 * can do: exponents are found by logarithm and corrected, so all finite float32 bits are exact.
 */
import type { Shape } from "../src/ir/dims.js";
import { bitsOf, isFloat, kindOf, type DType } from "../src/ir/dtypes.js";
import { isSmallFloat, decodeTable, type SmallFloatDType } from "../src/ir/smallFloats.js";
import { fromNumbers, type HostArray } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { float } from "./floatMath.js";
import * as integers from "./integerMath.js";
import { roundToSmallFloat } from "./precision.js";
import type { Word } from "./wordMath.js";

const { add, sub, int } = integers;

/** A floating format as fields of bits; `bias` is that of the exponent field. */
interface Fields {
  readonly mantissaBits: number;
  readonly bias: number;
  readonly infinity: number;
}

/** 2^-126 … 2^127. */
const powers = Array.from({ length: 254 }, (_, index) => 2 ** (index - 126));

/** x / 2^(place - 126). GPUs divide inexactly even by powers of two, so there it takes two products. */
function overPower(tf: Tf, x: Tensor, place: Tensor): Tensor {
  const lookUp = (values: readonly number[]): Tensor =>
    tf.gather(tf.constant(values, "float32", [values.length]), place, 0);
  if (tf.exactIntegers) return tf.binary("RealDiv", x, lookUp(powers));
  const halves = powers.map((_, index) => Math.trunc((index - 126) / 2));
  const half = tf.binary("Mul", x, lookUp(halves.map((exponent) => 2 ** -exponent)));
  const rest = halves.map((exponent, index) => 2 ** (exponent - (index - 126)));
  return tf.binary("Mul", half, lookUp(rest));
}

/** A magnitude as exponent field and significand; the leading one is a step of the exponent field. */
interface Magnitude {
  /** int32, one too small for numbers that have a leading one. */
  readonly exponent: Tensor;
  /** float32, the mantissa as a whole number, with the leading one. */
  readonly significand: Tensor;
  /** Where neither holds: infinity and NaN. */
  readonly isFinite: Tensor;
}

/** Takes the magnitude of floats apart that the format holds exactly. */
function magnitudeOf(tf: Tf, x: Tensor, { mantissaBits, bias }: Fields): Magnitude {
  const lowest = 1 - bias;
  // Infinity and NaN are put in last; until then they must not become indices.
  const isFinite = tf.unary("IsFinite", x);
  const magnitude = tf.select(isFinite, tf.unary("Abs", x), float(tf, 1));
  const atLeast = (value: Tensor, low: number): Tensor =>
    tf.binary("Maximum", value, float(tf, low));
  const logarithm = tf.unary("Log", atLeast(magnitude, 2 ** lowest));
  const estimate = tf.unary("Floor", tf.binary("Mul", logarithm, float(tf, Math.LOG2E)));
  const clipped = tf.binary("Minimum", atLeast(estimate, lowest), float(tf, 127));
  const guess = tf.cast(clipped, "int32");
  const ratio = overPower(tf, magnitude, add(tf, guess, int(tf, 126)));
  // The logarithm may be off by one near powers of two.
  const high = tf.binary("GreaterEqual", ratio, float(tf, 2));
  const isLow = tf.binary("Less", ratio, float(tf, 1));
  const low = integers.both(tf, isLow, tf.binary("Greater", guess, int(tf, lowest)));
  const one = (condition: Tensor): Tensor => tf.cast(condition, "int32");
  const exponent = sub(tf, add(tf, guess, one(high)), one(low));
  const factor = tf.select(high, float(tf, 0.5), tf.select(low, float(tf, 2), float(tf, 1)));
  const significand = tf.binary(
    "Mul",
    tf.binary("Mul", ratio, factor),
    float(tf, 2 ** mantissaBits),
  );
  return { exponent: add(tf, exponent, int(tf, bias - 1)), significand, isFinite };
}

/**
 * The bits of the magnitude of floats: exponent field and mantissa as one integer, which is linear
 * in x between two powers of two.
 */
function magnitudeBits(tf: Tf, x: Tensor, fields: Fields): Tensor {
  const { mantissaBits, infinity } = fields;
  const { exponent, significand, isFinite } = magnitudeOf(tf, x, fields);
  const field = tf.binary("Mul", exponent, int(tf, 2 ** mantissaBits));
  const finite = add(tf, field, tf.cast(significand, "int32"));
  const nan = infinity + 2 ** (mantissaBits - 1);
  const special = tf.select(tf.unary("IsNan", x), int(tf, nan), int(tf, infinity));
  return tf.select(isFinite, finite, special);
}

const float32Fields: Fields = { mantissaBits: 23, bias: 127, infinity: 0x7f800000 };

/** The bits of float32 as limbs, for backends that are not exact in 32 bits. */
export function floatToLimbs(tf: Tf, x: Tensor): Word {
  const { exponent, significand, isFinite } = magnitudeOf(tf, x, float32Fields);
  const upper = tf.unary("Floor", tf.binary("Mul", significand, float(tf, 2 ** -16)));
  const low = sub(tf, significand, tf.binary("Mul", upper, float(tf, 65536)));
  const field = tf.binary("Mul", exponent, int(tf, 128));
  const special = tf.select(tf.unary("IsNan", x), int(tf, 0x7fc0), int(tf, 0x7f80));
  const high = tf.select(isFinite, add(tf, field, tf.cast(upper, "int32")), special);
  const signBit = tf.binary(
    "Mul",
    tf.cast(tf.binary("Less", x, float(tf, 0)), "int32"),
    int(tf, 32768),
  );
  return {
    high: add(tf, high, signBit),
    low: tf.select(isFinite, tf.cast(low, "int32"), int(tf, 0)),
  };
}

/** float32 from its bits as limbs. */
export function floatFromLimbs(tf: Tf, { high, low }: Word): Tensor {
  const half = int(tf, 32768);
  const field = tf.binary("FloorMod", high, half);
  const mantissa = add(tf, tf.binary("Mul", integers.lowBits(tf, field, 7), int(tf, 65536)), low);
  const exponent = tf.binary("FloorDiv", field, int(tf, 128));
  const isNegative = tf.binary("GreaterEqual", high, half);
  return composeFloat(tf, { exponent, mantissa, isNegative });
}

function fieldsOf(dtype: DType): Fields | null {
  if (dtype === "float32") return float32Fields;
  if (dtype === "bfloat16") return { mantissaBits: 7, bias: 127, infinity: 0x7f80 };
  if (dtype === "float16") return { mantissaBits: 10, bias: 15, infinity: 0x7c00 };
  return null;
}

/** The bits of an 8-bit float: the place of its value among all values. */
function tableBits(tf: Tf, x: Tensor, dtype: SmallFloatDType): Tensor {
  const values = [...decodeTable(dtype).slice(0, 256)];
  const bits = tf.constant(values, "float32", [values.length]);
  const column = tf.reshape(x, [...x.shape, 1]);
  const same = tf.binary("Equal", column, bits);
  const codes = tf.constant(
    values.map((_, code) => code),
    "int32",
    [values.length],
  );
  const matching = tf.select(same, codes, int(tf, 0));
  return tf.reduce("Max", matching, [x.shape.length]);
}

/** The bits of a value as an integer: >= 0, or a uint32 pattern for 32-bit types. */
export function toBits(tf: Tf, x: Tensor, dtype: DType): Tensor {
  if (!isFloat(dtype)) return integers.unsignedBits(tf, x, dtype);
  const rounded = isSmallFloat(dtype) ? roundToSmallFloat(tf, x, dtype) : x;
  const fields = fieldsOf(dtype);
  if (fields === null && isSmallFloat(dtype)) return tableBits(tf, rounded, dtype);
  if (fields === null) throw new Error(`internal error: bits of ${dtype}`);
  const magnitude = magnitudeBits(tf, rounded, fields);
  const signBit = int(tf, 2 ** (bitsOf(dtype) - 1));
  const negative = tf.binary("Less", x, float(tf, 0));
  return add(tf, magnitude, tf.select(negative, signBit, int(tf, 0)));
}

const decodeArrays = new Map<DType, HostArray>();

function decodeArray(dtype: SmallFloatDType): HostArray {
  const known = decodeArrays.get(dtype);
  if (known !== undefined) return known;
  const values = decodeTable(dtype);
  const array = fromNumbers("float32", [values.length], values);
  decodeArrays.set(dtype, array);
  return array;
}

function floatFromBits(tf: Tf, bits: Tensor): Tensor {
  const field = integers.shiftRightLogical(tf, bits, int(tf, 23), "uint32");
  return composeFloat(tf, {
    exponent: integers.lowBits(tf, field, 8),
    mantissa: integers.lowBits(tf, bits, 23),
    isNegative: integers.isNegative(tf, bits),
  });
}

/** float32 from its fields: (1 + mantissa) 2^(exponent - 127), by a table of powers. */
function composeFloat(
  tf: Tf,
  fields: { readonly exponent: Tensor; readonly mantissa: Tensor; readonly isNegative: Tensor },
): Tensor {
  const { exponent, mantissa, isNegative } = fields;
  const scales = Array.from({ length: 256 }, (_, e) =>
    e === 255 ? Infinity : 2 ** (Math.max(e, 1) - 127),
  );
  const scale = tf.gather(tf.constant(scales, "float32", [256]), exponent, 0);
  const isNormal = tf.cast(tf.binary("Greater", exponent, int(tf, 0)), "float32");
  const fraction = tf.binary("Mul", tf.cast(mantissa, "float32"), float(tf, 2 ** -23));
  const magnitude = tf.binary("Mul", tf.binary("AddV2", fraction, isNormal), scale);
  const isNan = integers.both(
    tf,
    tf.binary("Equal", exponent, int(tf, 255)),
    tf.binary("Greater", mantissa, int(tf, 0)),
  );
  const number = tf.select(isNan, float(tf, NaN), magnitude);
  return tf.select(isNegative, tf.unary("Neg", number), number);
}

/** The value of a type whose bits are given as by `toBits`. */
export function fromBits(tf: Tf, bits: Tensor, dtype: DType): Tensor {
  if (isSmallFloat(dtype)) return tf.gather(tf.array(decodeArray(dtype)), bits, 0);
  if (isFloat(dtype)) return floatFromBits(tf, bits);
  return kindOf(dtype) === "signed" ? integers.wrap(tf, bits, dtype) : bits;
}

/** Cuts integers of `from` bits into pieces of `to` bits along a new last dimension, lowest first. */
export function splitBits(tf: Tf, bits: Tensor, from: number, to: number): Tensor {
  const pieces = Array.from({ length: from / to }, (_, index) => {
    const rest = integers.shiftRightLogical(tf, bits, int(tf, index * to), "uint32");
    return tf.reshape(integers.lowBits(tf, rest, to), [...bits.shape, 1]);
  });
  return tf.concat(pieces, bits.shape.length);
}

/** Joins the pieces along the last dimension into integers of `to` bits. */
export function joinBits(tf: Tf, bits: Tensor, from: number, to: number): Tensor {
  const factors = tf.constant(
    Array.from({ length: to / from }, (_, index) => 2 ** (index * from)),
    "int32",
    [to / from],
  );
  const axis = bits.shape.length - 1;
  const parts = tf.split(
    tf.binary("Mul", bits, factors),
    new Array<number>(to / from).fill(1),
    axis,
  );
  const sum = parts.reduce((total, part) => add(tf, total, part));
  return tf.reshape(sum, bits.shape.slice(0, axis));
}

/** `splitBits` of words. */
export function splitLimbs(tf: Tf, { high, low }: Word, shape: Shape, to: number): Tensor {
  const pieces = [low, high].flatMap((limb) =>
    to === 16 ? [limb] : [integers.lowBits(tf, limb, 8), tf.binary("FloorDiv", limb, int(tf, 256))],
  );
  return tf.pack(
    pieces.map((piece) => tf.broadcastTo(piece, shape)),
    shape.length,
  );
}

/** `joinBits` to words. */
export function joinLimbs(tf: Tf, bits: Tensor): Word {
  const pieces = tf.unpack(bits, bits.shape.length - 1);
  const join = (lower: Tensor | undefined, upper: Tensor | undefined): Tensor => {
    if (lower === undefined || upper === undefined) throw new Error("internal error: pieces");
    return add(tf, lower, tf.binary("Mul", upper, int(tf, 256)));
  };
  const [first, second, third, fourth] = pieces;
  if (first === undefined || second === undefined) throw new Error("internal error: no pieces");
  return third === undefined
    ? { low: first, high: second }
    : { low: join(first, second), high: join(third, fourth) };
}
