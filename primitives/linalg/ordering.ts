/**
 * Scaling before, and sorting after, what Jacobi's method does. Used by eigh and svd.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { batchOf, reshapeInner, type Unit } from "./matrices.js";

/** Matrices divided by their largest entry, so that squares neither overflow nor vanish. */
export function normalize(tf: Tf, a: Tensor): { readonly scaled: Tensor; readonly scale: Tensor } {
  const rank = a.shape.length;
  const scale = tf.reduce("Max", tf.unary("Abs", a), [rank - 2, rank - 1], true);
  return { scaled: tf.binary("DivNoNan", a, scale), scale };
}

/** Zeros behind the last rows and columns. */
export function padMatrix(tf: Tf, a: Tensor, rows: number, columns: number): Tensor {
  const outer = batchOf(a, 2).map((): [number, number] => [0, 0]);
  return tf.pad(a, [...outer, [0, rows], [0, columns]], 0);
}

/** A matrix whose product with the adjoint from the right puts columns in the order of `indices`. */
export function orderMatrix(
  tf: Tf,
  indices: Tensor,
  count: number,
  depth: number,
  unit: Unit,
): Tensor {
  if (unit === 1) return tf.cast(tf.oneHot(indices, depth), "float32");
  const first = tf.binary("Mul", indices, tf.scalar(2, "int32"));
  const both = tf.binary(
    "AddV2",
    reshapeInner(tf, first, 1, [count, 1]),
    tf.constant([0, 1], "int32", [2]),
  );
  return tf.cast(tf.oneHot(reshapeInner(tf, both, 2, [2 * count]), 2 * depth), "float32");
}

/** Columns of a joined matrix in that order. */
export const orderColumns = (tf: Tf, x: Tensor, order: Tensor): Tensor =>
  tf.matMul(x, order, { transposeY: true });
