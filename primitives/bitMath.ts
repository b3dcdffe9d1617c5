/**
 * Bitwise operations on int32 tensors, which no TensorFlow op that tfjs runs can do: arithmetic for
 * known masks, else byte by byte through one shared table.
 */
import { bitsOf, type DType } from "../src/ir/dtypes.js";
import { fromNumbers, type HostArray } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import {
  add,
  int,
  intMin,
  isNarrow,
  isNegative,
  isUnsigned,
  knownInteger,
  lowBits,
  shiftRightLogical,
  sub,
  unsignedBits,
  wrap,
} from "./integerMath.js";

let andTable: HostArray | null = null;

/** `a & b` at a * 256 + b. */
function byteAndTable(): HostArray {
  andTable ??= fromNumbers(
    "int32",
    [65536],
    Int32Array.from({ length: 65536 }, (_, index) => (index >> 8) & index & 255),
  );
  return andTable;
}

/** The bytes of a value, lowest first; `bits` is 8, 16 or 32. */
function bytesOf(tf: Tf, x: Tensor, bits: number): readonly Tensor[] {
  if (bits <= 8) return [x];
  if (bits <= 16) {
    return [lowBits(tf, x, 8), tf.binary("FloorDiv", x, int(tf, 256))];
  }
  const low = lowBits(tf, x, 16);
  const high = lowBits(tf, tf.binary("FloorDiv", sub(tf, x, low), int(tf, 65536)), 16);
  return [low, high].flatMap((limb) => bytesOf(tf, limb, 16));
}

/** Puts bytes together, lowest first. */
function joinBytes(tf: Tf, bytes: readonly Tensor[]): Tensor {
  const join = (low: Tensor, high: Tensor, factor: number): Tensor =>
    add(tf, low, tf.binary("Mul", high, int(tf, factor)));
  const [first, second, third, fourth] = bytes;
  if (first === undefined) throw new Error("internal error: no bytes");
  if (second === undefined) return first;
  const low = join(first, second, 256);
  if (third === undefined || fourth === undefined) return low;
  // The upper half as a signed number: where int32 is float32, small results stay exact.
  return join(low, wrap(tf, join(third, fourth, 256), "int16"), 65536);
}

/** The lowest `count` bits of a 32-bit value, also for 31 and 32. */
function lowMask(tf: Tf, x: Tensor, count: number): Tensor {
  if (count === 32) return x;
  if (count <= 30) return lowBits(tf, x, count);
  return add(tf, x, tf.select(isNegative(tf, x), int(tf, intMin), int(tf, 0)));
}

/** The runs of ones of a mask as (first bit, end), lowest first. */
function runsOf(mask: number): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === bit) last[1] = bit + 1;
    else runs.push([bit, bit + 1]);
  }
  return runs;
}

/** More runs of ones than this are done through the table. */
const maxRuns = 3;

/** x & mask by remainders, or null if the mask is too ragged. */
function andMask(tf: Tf, x: Tensor, mask: number): Tensor | null {
  const runs = runsOf(mask);
  if (runs.length > maxRuns) return null;
  const parts = runs.map(([first, end]) => {
    const upper = lowMask(tf, x, end);
    return first === 0 ? upper : sub(tf, upper, lowMask(tf, x, first));
  });
  return parts.length === 0
    ? tf.binary("Mul", x, int(tf, 0))
    : parts.reduce((sum, part) => add(tf, sum, part));
}

/** x & y. */
export function bitAnd(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const [knownX, knownY] = [knownInteger(x), knownInteger(y)];
  if (knownY !== null || knownX !== null) {
    const masked = andMask(tf, knownY === null ? y : x, knownY ?? knownX ?? 0);
    if (masked !== null) return masked;
  }
  const bits = bitsOf(dtype);
  const xBytes = bytesOf(tf, unsignedBits(tf, x, dtype), bits);
  const yBytes = bytesOf(tf, unsignedBits(tf, y, dtype), bits);
  const table = tf.array(byteAndTable());
  const bytes = xBytes.map((byte, index) => {
    const place = add(tf, tf.binary("Mul", byte, int(tf, 256)), yBytes[index] ?? byte);
    return tf.gather(table, place, 0);
  });
  const joined = joinBytes(tf, bytes);
  return isNarrow(dtype) && !isUnsigned(dtype) ? wrap(tf, joined, dtype) : joined;
}

/** x | y = x + y - (x & y), to the low 32 bits. */
export function bitOr(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  return sub(tf, add(tf, x, y), bitAnd(tf, x, y, dtype));
}

/** x ^ y = x + y - 2 (x & y), to the low 32 bits. */
export function bitXor(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  if (knownInteger(y) === -1) return bitNot(tf, x, dtype);
  const common = bitAnd(tf, x, y, dtype);
  return sub(tf, add(tf, x, y), tf.binary("Mul", common, int(tf, 2)));
}

/** All bits turned around: -1 - x, or the largest value - x. */
export function bitNot(tf: Tf, x: Tensor, dtype: DType): Tensor {
  const allOnes = isUnsigned(dtype) && isNarrow(dtype) ? 2 ** bitsOf(dtype) - 1 : -1;
  return sub(tf, int(tf, allOnes), x);
}

function countBits(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest >>>= 1) count += rest & 1;
  return count;
}

/** The number of ones. */
export function populationCount(tf: Tf, x: Tensor, dtype: DType): Tensor {
  const counts = tf.constant(
    Array.from({ length: 256 }, (_, byte) => countBits(byte)),
    "int32",
    [256],
  );
  return bytesOf(tf, unsignedBits(tf, x, dtype), bitsOf(dtype))
    .map((byte) => tf.gather(counts, byte, 0))
    .reduce((sum, count) => add(tf, sum, count));
}

/** The number of zeros above the highest one; the width for 0. */
export function countLeadingZeros(tf: Tf, x: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  const lengths = tf.constant(
    Array.from({ length: 256 }, (_, byte) => 32 - Math.clz32(byte)),
    "int32",
    [256],
  );
  const bytes = bytesOf(tf, unsignedBits(tf, x, dtype), bits);
  // The highest byte that is not zero decides.
  const length = bytes
    .map((byte, index) => {
      const own = tf.gather(lengths, byte, 0);
      if (index === 0) return own;
      const some = tf.cast(tf.binary("Greater", byte, int(tf, 0)), "int32");
      return add(tf, own, tf.binary("Mul", some, int(tf, 8 * index)));
    })
    .reduce((longest, own) => tf.binary("Maximum", longest, own));
  return sub(tf, int(tf, bits), length);
}

/** The high half of the product of two integers. */
export function highProduct(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  const unsigned = isUnsigned(dtype);
  const down = (value: Tensor, amount: number): Tensor =>
    shiftRightLogical(tf, value, int(tf, amount), "uint32");
  const times = (a: Tensor, b: Tensor): Tensor => tf.binary("Mul", a, b);
  if (bits <= 16) {
    const product = times(x, y);
    if (unsigned) return down(product, bits);
    const low = lowBits(tf, product, bits);
    return tf.binary("FloorDiv", sub(tf, product, low), int(tf, 2 ** bits));
  }
  const half = (value: Tensor): readonly [low: Tensor, high: Tensor] => [
    lowBits(tf, value, 16),
    down(value, 16),
  ];
  const [[xLow, xHigh], [yLow, yHigh]] = [half(x), half(y)];
  const carried = add(tf, times(xHigh, yLow), down(times(xLow, yLow), 16));
  const middle = add(tf, times(xLow, yHigh), lowBits(tf, carried, 16));
  const high = add(tf, times(xHigh, yHigh), add(tf, down(carried, 16), down(middle, 16)));
  if (unsigned) return high;
  const ifNegative = (test: Tensor, other: Tensor): Tensor =>
    tf.select(isNegative(tf, test), other, int(tf, 0));
  return sub(tf, sub(tf, high, ifNegative(x, y)), ifNegative(y, x));
}
