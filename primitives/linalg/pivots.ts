/**
 * Permutations from the exchanges of rows that a factorization made. Called by lu.ts.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { batchOf, reshapeInner } from "./matrices.js";
import { at } from "../support.js";

/** So many exchanges are multiplied together at a time: that many matrices are held at once. */
const chunkSize = 16;

/** 0, 1, …, count - 1 plus `first`. */
const numbers = (count: number, first = 0): readonly number[] =>
  Array.from({ length: count }, (_, index) => first + index);

/** The matrices that exchange row i with row pivots[i], for i from `first`: [batch, count, m, m]. */
function exchanges(tf: Tf, pivots: Tensor, count: number, first: number, m: number): Tensor {
  const axis = pivots.shape.length - 1;
  const padding = pivots.shape.map((_, index): [number, number] =>
    index === axis ? [0, count - Number(pivots.shape[axis])] : [0, 0],
  );
  const given = Number(pivots.shape[axis]);
  // Exchanges of a row with itself fill up the last chunk.
  const fill = numbers(count, first).map((row, index) => (index < given ? 0 : row));
  const padded = tf.pad(pivots, padding, 0);
  const all =
    given === count ? pivots : tf.binary("AddV2", padded, tf.constant(fill, "int32", [count]));
  const partners = reshapeInner(tf, all, 1, [count, 1]);
  const rows = tf.constant(numbers(count, first), "int32", [count, 1]);
  const columns = tf.constant(numbers(m), "int32", [m]);
  const isPartner = tf.binary("Equal", columns, partners);
  const moved = tf.select(isPartner, rows, columns);
  const isRow = tf.constant(
    numbers(count * m).map((index) => Number(Math.floor(index / m) + first === index % m)),
    "bool",
    [count, m],
  );
  const sources = reshapeInner(tf, tf.select(isRow, partners, moved), 2, [count, m, 1]);
  return tf.cast(tf.binary("Equal", sources, columns), "float32");
}

/** The product of `count` (a power of two) matrices, the last one leftmost, by a tree. */
function product(tf: Tf, matrices: Tensor, count: number, m: number): Tensor {
  let result = matrices;
  for (let left = count; left > 1; left /= 2) {
    const pairs = reshapeInner(tf, result, 3, [left / 2, 2, m, m]);
    const both = tf.unpack(pairs, pairs.shape.length - 3);
    result = tf.matMul(at(both, 1), at(both, 0));
  }
  return reshapeInner(tf, result, 3, [m, m]);
}

/**
 * The permutation of m rows that exchanging row i with row `pivots[..., i]`, i = 0, 1, …, makes:
 * exchanges are multiplied as matrices, so the number of nodes grows with the logarithm of theirs.
 */
export function permutationOfPivots(tf: Tf, pivots: Tensor, count: number, m: number): Tensor {
  let permutation: Tensor | null = null;
  for (let first = 0; first < count; first += chunkSize) {
    const given = Math.min(chunkSize, count - first);
    const size = 2 ** Math.ceil(Math.log2(given));
    const axis = pivots.shape.length - 1;
    const begin = pivots.shape.map((_, index) => (index === axis ? first : 0));
    const chunk = tf.slice(pivots, begin, [...batchOf(pivots, 1), given]);
    const matrix = product(tf, exchanges(tf, chunk, size, first, m), size, m);
    permutation = permutation === null ? matrix : tf.matMul(matrix, permutation);
  }
  if (permutation === null) throw new Error("internal error: a permutation without exchanges");
  const weights = tf.constant(numbers(m), "float32", [m]);
  const places = tf.binary("Mul", permutation, weights);
  return tf.cast(tf.reduce("Sum", places, [places.shape.length - 1]), "int32");
}
