/**
 * Inverses of triangular matrices, and systems of equations with them, as a few matrix products.
 * Used by triangular_solve, cholesky, QR and the other solvers.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import {
  cut,
  eye,
  joinColumns,
  joinRows,
  keep,
  maskOf,
  transposed,
  type Unit,
} from "./matrices.js";

export interface TriangularOptions {
  readonly lower: boolean;
  /** The diagonal counts as ones, whatever it holds. */
  readonly unitDiagonal: boolean;
}

/** The inverses of the entries on the diagonal, zeros elsewhere. */
function diagonalInverse(tf: Tf, a: Tensor, n: number, unit: Unit): Tensor {
  const onDiagonal = maskOf(tf, [n, n], unit, (row, column) => row === column);
  if (unit === 1) {
    const safe = tf.select(onDiagonal, a, tf.scalar(1, "float32"));
    return tf.binary("RealDiv", eye(tf, [n, n], 1), safe);
  }
  // 1 / z is the conjugate of z divided by its squared modulus.
  const entries = keep(tf, onDiagonal, a);
  const axis = entries.shape.length - 1;
  const moduli = tf.reduce("Sum", tf.unary("Square", entries), [axis], true);
  return tf.binary("RealDiv", transposed(tf, entries), moduli);
}

/**
 * The inverse of triangular n × n matrices, by joining inverses of blocks of 1, 2, 4, … rows: four
 * nodes for each doubling. Only the triangle that `options` name is read.
 *
 * inv([[A, 0], [C, B]]) = [[inv A, 0], [-inv B C inv A, inv B]], for all pairs of blocks at once:
 * X - X C X, where X holds the inverses of the blocks and C what joins them. The errors are those of
 * substitution times the condition of the blocks; a series of powers would cancel digits instead.
 */
export function triangularInverse(
  tf: Tf,
  a: Tensor,
  n: number,
  unit: Unit,
  { lower, unitDiagonal }: TriangularOptions,
): Tensor {
  let inverse: Tensor | null = unitDiagonal ? null : diagonalInverse(tf, a, n, unit);
  for (let size = 1; size < n; size *= 2) {
    const block = (index: number): number => Math.floor(index / size);
    const mask = maskOf(tf, [n, n], unit, (row, column) => {
      const [high, low] = lower ? [block(row), block(column)] : [block(column), block(row)];
      return high === low + 1 && low % 2 === 0;
    });
    const link = keep(tf, mask, a);
    if (inverse === null) {
      inverse = tf.binary("Sub", eye(tf, [n, n], unit), link);
    } else {
      const product: Tensor = tf.matMul(tf.matMul(inverse, link), inverse);
      inverse = tf.binary("Sub", inverse, product);
    }
  }
  return inverse ?? tf.broadcastTo(eye(tf, [n, n], unit), a.shape);
}

export interface SolveOptions extends TriangularOptions {
  /** Solves op(A) X = B, else X op(A) = B. */
  readonly leftSide: boolean;
  /** op(A) is the (conjugate, for blocks) transpose of A. */
  readonly transpose: boolean;
}

/** Up to this many rows the whole inverse is formed; beyond, that of blocks on the diagonal. */
const blockSize = 32;

/** Solves with triangular matrices (blocks); the right-hand side in blocks, rows or columns. */
export function solveTriangular(
  tf: Tf,
  a: Tensor,
  b: Tensor,
  n: number,
  unit: Unit,
  options: SolveOptions,
): Tensor {
  const { leftSide, transpose } = options;
  if (n === 1 && options.unitDiagonal) return b;
  if (n <= blockSize) {
    const inverse = triangularInverse(tf, a, n, unit, options);
    return leftSide
      ? tf.matMul(inverse, b, { transposeX: transpose })
      : tf.matMul(b, inverse, { transposeY: transpose });
  }
  return substitute(tf, a, b, n, unit, options);
}

/** Substitution block by block: what is solved is taken from the rest of the right-hand side. */
function substitute(
  tf: Tf,
  a: Tensor,
  b: Tensor,
  n: number,
  unit: Unit,
  options: SolveOptions,
): Tensor {
  const { leftSide, transpose, lower } = options;
  const isForward = (lower !== transpose) === leftSide;
  const count = Math.ceil(n / blockSize);
  const size = unit * Math.ceil(n / count);
  const total = unit * n;
  const ranges = Array.from({ length: count }, (_, index): readonly [number, number] => [
    index * size,
    Math.min(total, (index + 1) * size),
  ]);
  if (!isForward) ranges.reverse();
  const along = (x: Tensor, [begin, end]: readonly [number, number]): Tensor => {
    const others = Number(x.shape.at(leftSide ? -1 : -2));
    return leftSide ? cut(tf, x, [begin, end], [0, others]) : cut(tf, x, [0, others], [begin, end]);
  };
  let rest = b;
  let offset = 0;
  const solved = ranges.map((range) => {
    const [begin, end] = range;
    const diagonal = cut(tf, a, range, range);
    const here = along(rest, [begin - offset, end - offset]);
    const x = solveTriangular(tf, diagonal, here, (end - begin) / unit, unit, options);
    const left: readonly [number, number] = isForward ? [end, total] : [0, begin];
    if (left[0] < left[1]) {
      // op(A) at (left, range) from the left, at (range, left) from the right.
      const atRows = leftSide !== transpose ? left : range;
      const panel = cut(tf, a, atRows, atRows === left ? range : left);
      const product = leftSide
        ? tf.matMul(panel, x, { transposeX: transpose })
        : tf.matMul(x, panel, { transposeY: transpose });
      const others = along(rest, [left[0] - offset, left[1] - offset]);
      rest = tf.binary("Sub", others, product);
      offset = left[0];
    }
    return x;
  });
  if (!isForward) solved.reverse();
  return leftSide ? joinRows(tf, solved) : joinColumns(tf, solved);
}
