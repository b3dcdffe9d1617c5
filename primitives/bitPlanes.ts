/**
 * 32-bit words taken apart into bits and put together again, by float32 matrix products alone:
 * exact on every backend, also where int32 is float32 inside, and in few nodes. Used by threefry2x32
 * and by the bitwise operations on limbs.
 *
 * Sums [n, 3]: a word as L + 65536 H with columns L, H, L / 65536. L and H may be sums of up to 32
 * halves of words: what is carried beyond 32 bits does not count.
 * Planes [n, 32]: one column per bit, 1 for 0 and -1 for 1, so that products are exclusive ors. In
 * frame f, column c is the bit (c + f) mod 32: a rotated word has the same planes in another frame.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";

const bits = Array.from({ length: 32 }, (_, index) => index);

const bitOf = (column: number, frame: number): number => (column + frame) % 32;

/** Half of what a bit is worth in L, H and L / 65536. */
function halfWorth(bit: number): readonly [number, number, number] {
  return bit < 16 ? [2 ** (bit - 1), 0, 2 ** (bit - 17)] : [0, 2 ** (bit - 17), 0];
}

/** What planes that are all 0 (in the middle between the bits) are worth. */
export const middle: readonly number[] = [65535 / 2, 65535 / 2, 65535 / 131072];

/** The product of planes that gives sums, to which `middle` is to be added. */
function worthMatrix(tf: Tf, frame: number, word: number): Tensor {
  const rows = bits.flatMap((column) => {
    const bit = bitOf(column, frame);
    const sign = ((word >>> bit) & 1) === 1 ? 1 : -1;
    return halfWorth(bit).map((worth) => sign * worth);
  });
  return tf.constant(rows, "float32", [32, 3]);
}

/**
 * The sums of planes. `bias` is added: `middle`, with a word to add in the same form. The planes
 * may be those of x ^ word.
 */
export function sumsOfPlanes(
  tf: Tf,
  planes: Tensor,
  {
    frame = 0,
    word = 0,
    bias,
  }: { readonly frame?: number; readonly word?: number; readonly bias?: Tensor } = {},
): Tensor {
  const added = bias ?? tf.constant(middle, "float32", [3]);
  return tf.matMul(planes, worthMatrix(tf, frame, word), { bias: added });
}

/**
 * The planes of sums. A number u = (word + 1/2) / 2^(bit + 1) is nearest to an integer from above
 * if the bit is 0, from below if it is 1; the half keeps it off the middle.
 */
export function planesOfSums(tf: Tf, sums: Tensor, frame = 0): Tensor {
  return tf.unary("Sign", distances(tf, tf.unary("Floor", sums), frame));
}

/** The planes of `sums` times other planes: the exclusive or with another word. */
export function xorPlanes(tf: Tf, sums: Tensor, planes: Tensor, frame = 0): Tensor {
  const own = distances(tf, tf.unary("Floor", sums), frame);
  return tf.unary("Sign", tf.binary("Mul", own, planes));
}

/** Numbers with the signs of the planes. */
function distances(tf: Tf, floors: Tensor, frame: number): Tensor {
  const scale = (column: number): number => 2 ** -((bitOf(column, frame) % 16) + 1);
  const isLow = (column: number): boolean => bitOf(column, frame) < 16;
  const matrix = [
    ...bits.map((column) => (isLow(column) ? scale(column) : 0)),
    ...bits.map((column) => (isLow(column) ? 0 : scale(column))),
    // The carry out of L counts in H.
    ...bits.map((column) => (isLow(column) ? 0 : scale(column))),
  ];
  const halves = bits.map((column) => scale(column) / 2);
  const position = tf.matMul(floors, tf.constant(matrix, "float32", [3, 32]), {
    bias: tf.constant(halves, "float32", [32]),
  });
  return tf.binary("Sub", position, tf.unary("Round", position));
}

/** Sums of words that are given as columns (low, high) of 16 bits each: [n, 2 k] to [n, 3]. */
export function sumsOfColumns(tf: Tf, columns: Tensor, index: number, bias?: Tensor): Tensor {
  const width = columns.shape[1];
  if (typeof width !== "number") throw new Error("internal error: columns without number");
  const rows = new Array<number>(3 * width).fill(0);
  rows[6 * index] = 1;
  rows[6 * index + 2] = 1 / 65536;
  rows[6 * index + 4] = 1;
  const matrix = tf.constant(rows, "float32", [width, 3]);
  return tf.matMul(columns, matrix, bias === undefined ? {} : { bias });
}

/** Columns (low, high) of 16 bits each of several sums: k times [n, 3] to int32 [n, 2 k]. */
export function columnsOfSums(tf: Tf, sums: readonly Tensor[]): Tensor {
  const floors = tf.unary("Floor", tf.concat(sums, 1));
  const matrix = new Array<number>(6 * sums.length ** 2).fill(0);
  const width = 2 * sums.length;
  sums.forEach((_, index) => {
    matrix[3 * index * width + 2 * index] = 1;
    matrix[(3 * index + 1) * width + 2 * index + 1] = 1;
    matrix[(3 * index + 2) * width + 2 * index + 1] = 1;
  });
  const words = tf.matMul(floors, tf.constant(matrix, "float32", [3 * sums.length, width]));
  return tf.cast(tf.binary("FloorMod", words, tf.scalar(65536, "float32")), "int32");
}
