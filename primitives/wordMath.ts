/**
 * uint32 arithmetic on limbs, two int32 tensors of 16 bits each, for the backends that keep int32 in
 * float32: no intermediate number reaches 2^24, so all of it is exact there. Used by the elementwise
 * records where not all target backends have exact integers.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";
import { bitAnd, countLeadingZeros, populationCount as countOnes } from "./bitMath.js";
import { add, both, int, knownInteger, lowBits, sub } from "./integerMath.js";

/** A word as limbs: `high` and `low` are 0 … 65535. */
export interface Word {
  readonly high: Tensor;
  readonly low: Tensor;
}

const times = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("Mul", x, y);
const floor = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("FloorDiv", x, y);
const low16 = (tf: Tf, x: Tensor): Tensor => lowBits(tf, x, 16);
/** What is carried out of the lower 16 bits; -1 where a difference is negative. */
const carry = (tf: Tf, x: Tensor): Tensor => floor(tf, x, int(tf, 65536));
const asInt = (tf: Tf, x: Tensor): Tensor => tf.cast(x, "int32");
const number = (tf: Tf, value: number): Tensor => tf.scalar(value, "float32");

export const wordOf = (tf: Tf, value: number): Word => ({
  high: int(tf, value >>> 16),
  low: int(tf, value & 65535),
});

/** The number of a word that is known and the same everywhere, or null. */
export function knownWord({ high, low }: Word): number | null {
  const [upper, lower] = [knownInteger(high), knownInteger(low)];
  return upper === null || lower === null ? null : upper * 65536 + lower;
}

export function addWords(tf: Tf, x: Word, y: Word): Word {
  const low = add(tf, x.low, y.low);
  return { high: low16(tf, add(tf, add(tf, x.high, y.high), carry(tf, low))), low: low16(tf, low) };
}

export function subtractWords(tf: Tf, x: Word, y: Word): Word {
  const low = sub(tf, x.low, y.low);
  return { high: low16(tf, add(tf, sub(tf, x.high, y.high), carry(tf, low))), low: low16(tf, low) };
}

/** The bytes of 16 bits; known factors below 256 have none above. */
function bytesOf(tf: Tf, x: Tensor): readonly [low: Tensor, high: Tensor | null] {
  const known = knownInteger(x);
  if (known !== null) {
    return [int(tf, known & 255), known < 256 ? null : int(tf, known >> 8)];
  }
  return [lowBits(tf, x, 8), floor(tf, x, int(tf, 256))];
}

/** The low 16 bits of a product of 16 bits each. */
function lowProduct(tf: Tf, x: Tensor, y: Tensor): Tensor {
  if (knownInteger(y) === 0) return y;
  const [first, second] = bytesOf(tf, y);
  const lower = times(tf, x, first);
  if (second === null) return low16(tf, lower);
  const upper = times(tf, lowBits(tf, times(tf, x, second), 8), int(tf, 256));
  return low16(tf, add(tf, lower, upper));
}

/**
 * Floor division by a power of two of numbers up to 2^24. WebGL's FloorDiv rounds what it divides to
 * whole numbers in a way that adds 1 to odd ones from 2^23 on; its FloorMod does not.
 */
const floorWide = (tf: Tf, x: Tensor, power: number): Tensor =>
  floor(tf, sub(tf, x, lowBits(tf, x, power)), int(tf, 2 ** power));

/** The product of 16 bits each as a word. */
function fullProduct(tf: Tf, x: Tensor, y: Tensor): Word {
  const [first, second] = bytesOf(tf, y);
  const lower = times(tf, x, first);
  if (second === null) return { high: floorWide(tf, lower, 16), low: low16(tf, lower) };
  const upper = times(tf, x, second);
  // At most 255 × 65535 + 255 × 256, just below 2^24.
  const sum = add(tf, lower, times(tf, lowBits(tf, upper, 8), int(tf, 256)));
  return { high: add(tf, floorWide(tf, sum, 16), floorWide(tf, upper, 8)), low: low16(tf, sum) };
}

export function multiplyWords(tf: Tf, x: Word, y: Word): Word {
  if (knownWord(x) !== null && knownWord(y) === null) return multiplyWords(tf, y, x);
  const { high, low } = fullProduct(tf, x.low, y.low);
  const crossed = add(tf, lowProduct(tf, x.high, y.low), lowProduct(tf, x.low, y.high));
  return { high: low16(tf, add(tf, high, crossed)), low };
}

/** The upper 32 of the 64 bits of a product. */
export function highWord(tf: Tf, x: Word, y: Word): Word {
  if (knownWord(x) !== null && knownWord(y) === null) return highWord(tf, y, x);
  const lowest = fullProduct(tf, x.low, y.low);
  const [left, right] = [fullProduct(tf, x.high, y.low), fullProduct(tf, x.low, y.high)];
  const middle = add(tf, add(tf, lowest.high, left.low), right.low);
  const top = fullProduct(tf, x.high, y.high);
  const low = add(tf, add(tf, add(tf, top.low, left.high), right.high), carry(tf, middle));
  return { high: add(tf, top.high, carry(tf, low)), low: low16(tf, low) };
}

// --- order ---------------------------------------------------------------------------------------

export function equalWords(tf: Tf, x: Word, y: Word): Tensor {
  return both(tf, tf.binary("Equal", x.high, y.high), tf.binary("Equal", x.low, y.low));
}

export function lessWords(tf: Tf, x: Word, y: Word): Tensor {
  const tied = both(tf, tf.binary("Equal", x.high, y.high), tf.binary("Less", x.low, y.low));
  return tf.binary("LogicalOr", tf.binary("Less", x.high, y.high), tied);
}

export function selectWords(tf: Tf, condition: Tensor, x: Word, y: Word): Word {
  return { high: tf.select(condition, x.high, y.high), low: tf.select(condition, x.low, y.low) };
}

// --- bits ----------------------------------------------------------------------------------------

const eachLimb = (x: Word, y: Word, combine: (a: Tensor, b: Tensor) => Tensor): Word => ({
  high: combine(x.high, y.high),
  low: combine(x.low, y.low),
});

export const andWords = (tf: Tf, x: Word, y: Word): Word =>
  eachLimb(x, y, (a, b) => bitAnd(tf, a, b, "uint16"));

export const orWords = (tf: Tf, x: Word, y: Word): Word =>
  eachLimb(x, y, (a, b) => {
    const known = knownInteger(b);
    return known === 0 ? a : sub(tf, add(tf, a, b), bitAnd(tf, a, b, "uint16"));
  });

export const xorWords = (tf: Tf, x: Word, y: Word): Word =>
  eachLimb(x, y, (a, b) => {
    const known = knownInteger(b);
    if (known === 0) return a;
    return sub(tf, add(tf, a, b), times(tf, bitAnd(tf, a, b, "uint16"), int(tf, 2)));
  });

export function notWord(tf: Tf, { high, low }: Word): Word {
  const turn = (limb: Tensor): Tensor => sub(tf, int(tf, 65535), limb);
  return { high: turn(high), low: turn(low) };
}

/** A small number as a word. */
const small = (tf: Tf, low: Tensor): Word => ({ high: int(tf, 0), low });

export function populationCount(tf: Tf, { high, low }: Word): Word {
  return small(tf, add(tf, countOnes(tf, high, "uint16"), countOnes(tf, low, "uint16")));
}

export function leadingZeros(tf: Tf, { high, low }: Word): Word {
  const isEmpty = asInt(tf, tf.binary("Equal", high, int(tf, 0)));
  const lower = times(tf, isEmpty, countLeadingZeros(tf, low, "uint16"));
  return small(tf, add(tf, countLeadingZeros(tf, high, "uint16"), lower));
}

const powers = Array.from({ length: 17 }, (_, k) => 2 ** k);

/** A shift by 0 … 15 places with the powers of two for it, known or per element. */
interface SmallShift {
  /** 2^k */
  readonly factor: Tensor;
  /** 2^(16 - k) */
  readonly rest: Tensor;
}

const shiftBy = (tf: Tf, k: number): SmallShift => ({
  factor: int(tf, 2 ** k),
  rest: int(tf, 2 ** (16 - k)),
});

function left(tf: Tf, { high, low }: Word, { factor, rest }: SmallShift): Word {
  const kept = (limb: Tensor): Tensor => times(tf, tf.binary("FloorMod", limb, rest), factor);
  return { high: add(tf, kept(high), floor(tf, low, rest)), low: kept(low) };
}

function right(tf: Tf, { high, low }: Word, { factor, rest }: SmallShift): Word {
  const down = times(tf, tf.binary("FloorMod", high, factor), rest);
  return { high: floor(tf, high, factor), low: add(tf, floor(tf, low, factor), down) };
}

/** Shifts by amounts that are words; 32 and more gives 0. */
function shift(tf: Tf, x: Word, amount: Word, toLeft: boolean): Word {
  const known = knownWord(amount);
  const zero = int(tf, 0);
  const half = (word: Word): Word =>
    toLeft ? { high: word.low, low: zero } : { high: zero, low: word.high };
  const move = toLeft ? left : right;
  if (known !== null) {
    if (known >= 32) return { high: times(tf, x.high, zero), low: times(tf, x.low, zero) };
    const start = known >= 16 ? half(x) : x;
    return known % 16 === 0 ? start : move(tf, start, shiftBy(tf, known % 16));
  }
  const isHalf = tf.binary("GreaterEqual", amount.low, int(tf, 16));
  const start = selectWords(tf, isHalf, half(x), x);
  const places = lowBits(tf, amount.low, 4);
  const table = tf.constant(powers, "int32", [powers.length]);
  const shifted = move(tf, start, {
    factor: tf.gather(table, places, 0),
    rest: tf.gather(table, sub(tf, int(tf, 16), places), 0),
  });
  const isInside = lessWords(tf, amount, wordOf(tf, 32));
  return selectWords(tf, isInside, shifted, { high: zero, low: zero });
}

export const shiftLeft = (tf: Tf, x: Word, amount: Word): Word => shift(tf, x, amount, true);
export const shiftRight = (tf: Tf, x: Word, amount: Word): Word => shift(tf, x, amount, false);

const isTop = (tf: Tf, { high }: Word): Tensor => tf.binary("GreaterEqual", high, int(tf, 32768));

/** Copies of the highest bit come in. */
export function shiftRightArithmetic(tf: Tf, x: Word, amount: Word): Word {
  const bounded = selectWords(tf, lessWords(tf, amount, wordOf(tf, 31)), amount, wordOf(tf, 31));
  const known = knownWord(amount);
  const places = known === null ? bounded : wordOf(tf, Math.min(known, 31));
  // ~(~x >> k) where the highest bit is set.
  const turned = selectWords(tf, isTop(tf, x), notWord(tf, x), x);
  const shifted = shiftRight(tf, turned, places);
  return selectWords(tf, isTop(tf, x), notWord(tf, shifted), shifted);
}

// --- other types ---------------------------------------------------------------------------------

/** float32, rounded once. */
export function wordToFloat(tf: Tf, { high, low }: Word): Tensor {
  const upper = times(tf, tf.cast(high, "float32"), number(tf, 65536));
  return add(tf, upper, tf.cast(low, "float32"));
}

/** The word of a float that is a whole number from 0 to below 2^32. */
function wholeToWord(tf: Tf, x: Tensor): Word {
  const high = tf.unary("Floor", times(tf, x, number(tf, 2 ** -16)));
  const low = sub(tf, x, times(tf, high, number(tf, 65536)));
  return { high: asInt(tf, high), low: asInt(tf, low) };
}

/** Truncates and saturates; NaN is 0. */
export function floatToWord(tf: Tf, x: Tensor): Word {
  const finite = tf.select(tf.unary("IsNan", x), number(tf, 0), x);
  const positive = tf.binary("Maximum", finite, number(tf, 0));
  const isLarge = tf.binary("GreaterEqual", positive, number(tf, 2 ** 32));
  const whole = tf.unary("Floor", tf.select(isLarge, number(tf, 0), positive));
  return selectWords(tf, isLarge, wordOf(tf, 0xffffffff), wholeToWord(tf, whole));
}

/** int32 of the same bits: exact where the number is below 2^24 in magnitude. */
export function wordToSigned(tf: Tf, { high, low }: Word): Tensor {
  const half = int(tf, 32768);
  const signed = sub(tf, low16(tf, add(tf, high, half)), half);
  return add(tf, times(tf, signed, int(tf, 65536)), low);
}

// --- division ------------------------------------------------------------------------------------

/** Quotient and rest by floats: twice an estimate that is never too large, then the last step. */
function divideWords(tf: Tf, x: Word, y: Word): { readonly quotient: Word; readonly rest: Word } {
  const isZero = equalWords(tf, y, wordOf(tf, 0));
  const divisor = selectWords(tf, isZero, wordOf(tf, 1), y);
  const scale = tf.binary("RealDiv", number(tf, 1 - 2 ** -20), wordToFloat(tf, divisor));
  let quotient = wordOf(tf, 0);
  let rest = x;
  for (let step = 0; step < 2; step++) {
    const estimate = tf.unary("Floor", times(tf, wordToFloat(tf, rest), scale));
    const part = wholeToWord(tf, estimate);
    quotient = step === 0 ? part : addWords(tf, quotient, part);
    rest = subtractWords(tf, rest, multiplyWords(tf, part, divisor));
  }
  const fits = tf.unary("LogicalNot", lessWords(tf, rest, divisor));
  quotient = addWords(tf, quotient, small(tf, asInt(tf, fits)));
  rest = selectWords(tf, fits, subtractWords(tf, rest, divisor), rest);
  return {
    quotient: selectWords(tf, isZero, wordOf(tf, 0xffffffff), quotient),
    rest: selectWords(tf, isZero, x, rest),
  };
}

const knownShift = (y: Word): number | null => {
  const known = knownWord(y);
  if (known === null || known === 0) return null;
  const power = Math.log2(known);
  return Number.isInteger(power) ? power : null;
};

/** x / y; all ones for y = 0. */
export function quotientOfWords(tf: Tf, x: Word, y: Word): Word {
  const places = knownShift(y);
  return places === null ? divideWords(tf, x, y).quotient : shiftRight(tf, x, wordOf(tf, places));
}

/** x mod y; x for y = 0. */
export function restOfWords(tf: Tf, x: Word, y: Word): Word {
  const places = knownShift(y);
  return places === null
    ? divideWords(tf, x, y).rest
    : andWords(tf, x, wordOf(tf, 2 ** places - 1));
}
