/**
 * Eigenvalues and eigenvectors from complex Schur forms. Called by eig.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { at, upTo } from "../support.js";
import { pick } from "./jacobi.js";
import {
  batchOf,
  joinColumns,
  partsOfRows,
  reshapeInner,
  rowsOfBlocks,
  type Parts,
} from "./matrices.js";
import { triangularInverse } from "./triangular.js";

/** Differences of eigenvalues below this count as this, as in LAPACK; the largest entry is 1. */
const leastDifference = 2 ** -23;

/** The numbers on the diagonal: [batch, n]. */
export function diagonalOfBlocks(tf: Tf, t: Tensor, n: number): Parts {
  const places = [0, 1].flatMap((part) => upTo(n).map((index) => 2 * index * (2 * n + 1) + part));
  const both = pick(tf, t, 2, places, [2, n]);
  const rows = tf.unpack(both, both.shape.length - 2);
  return { re: at(rows, 0), im: at(rows, 1) };
}

/** Constants [n, 2 n, width], by k, row and column (in entries). */
function tableFor(
  tf: Tf,
  n: number,
  width: number,
  dtype: "bool" | "float32",
  value: (k: number, row: number, column: number, isEqualPart: boolean) => number,
): Tensor {
  const size = 2 * n * width;
  const numbers = Float32Array.from({ length: n * size }, (_, index) => {
    const [k, rest] = [Math.floor(index / size), index % size];
    const [row, column] = [Math.floor(rest / width), rest % width];
    return value(k, Math.floor(row / 2), Math.floor(column / 2), row % 2 === column % 2);
  });
  return tf.constant(numbers, dtype, [n, 2 * n, width]);
}

/** [batch, n, n, 1] as [batch, n, 2 n, 1]: each number twice. */
function twiceEach(tf: Tf, x: Tensor, n: number): Tensor {
  const column = reshapeInner(tf, x, 2, [n, n, 1]);
  return reshapeInner(tf, joinColumns(tf, [column, column]), 3, [n, 2 * n, 1]);
}

/**
 * Eigenvectors of upper triangular matrices (blocks), one for each diagonal entry t_k: solutions of
 * (T - t_k) x = 0 with x_k = 1 and zeros below, for all k at once as systems with n × n matrices.
 */
export function triangularVectors(tf: Tf, t: Tensor, n: number): Tensor {
  const size = 2 * n;
  const { re, im } = diagonalOfBlocks(tf, t, n);
  const axis = re.shape.length;
  const differences = (part: Tensor): Tensor =>
    tf.binary("Sub", reshapeInner(tf, part, 1, [1, n]), reshapeInner(tf, part, 1, [n, 1]));
  const [dRe, dIm] = [differences(re), differences(im)];
  const largest = tf.binary("Maximum", tf.unary("Abs", dRe), tf.unary("Abs", dIm));
  const isTiny = tf.binary("Less", largest, tf.scalar(leastDifference, "float32"));
  const safe = tf.select(isTiny, tf.scalar(leastDifference, "float32"), dRe);
  // Row k of `safe` and `dIm` is the diagonal of the k-th system.
  const whole = reshapeInner(tf, t, 2, [1, size, size]);
  const isInner = tableFor(tf, n, size, "bool", (k, row, column) =>
    Number(row < column && column < k),
  );
  const identity = tableFor(tf, n, size, "float32", (_, row, column, isEqual) =>
    Number(row === column && isEqual),
  );
  const outside = tf.select(isInner, whole, identity);
  const isDiagonal = (equal: boolean) => (k: number, row: number, column: number, same: boolean) =>
    Number(row === column && row < k && same === equal);
  const real = tf.select(
    tableFor(tf, n, size, "bool", isDiagonal(true)),
    twiceEach(tf, safe, n),
    outside,
  );
  // [re, im] above [-im, re].
  const signs = upTo(size).map((row) => (row % 2 === 0 ? 1 : -1));
  const imaginary = tf.binary(
    "Mul",
    twiceEach(tf, dIm, n),
    tf.constant(signs, "float32", [size, 1]),
  );
  const systems = tf.select(tableFor(tf, n, size, "bool", isDiagonal(false)), imaginary, real);
  const options = { lower: false, unitDiagonal: false };
  const inverse = triangularInverse(tf, systems, n, 2, options);
  const columns = reshapeInner(tf, t, 2, [size, n, 2]);
  const order = [...upTo(axis - 1), axis, axis - 1, axis + 1];
  const above = tf.unary("Neg", tf.transpose(columns, order));
  const isAbove = tableFor(tf, n, 2, "bool", (k, row) => Number(row < k));
  const unit = tableFor(tf, n, 2, "float32", (k, row, _, isEqual) => Number(row === k && isEqual));
  const solved = tf.matMul(inverse, tf.select(isAbove, above, unit));
  return reshapeInner(tf, tf.transpose(solved, order), 3, [size, size]);
}

/** Left eigenvectors, as the right ones of the transposed matrix in opposite order. */
export function leftTriangularVectors(tf: Tf, t: Tensor, n: number): Tensor {
  const rank = t.shape.length;
  const axes = upTo(rank);
  const swapped = tf.transpose(t, [...axes.slice(0, -2), rank - 1, rank - 2]);
  const flip = (x: Tensor): Tensor => tf.reverse(x, [rank - 2, rank - 1]);
  return flip(triangularVectors(tf, flip(swapped), n));
}

/**
 * Columns of length 1 whose largest entry is real, as LAPACK's are: real matrices get real vectors
 * for real eigenvalues.
 */
export function normalizeVectors(tf: Tf, vectors: Tensor): Parts {
  const { re, im } = partsOfRows(tf, rowsOfBlocks(tf, vectors, 2));
  const rows = re.shape.length - 2;
  const n = Number(re.shape.at(-1));
  const peak = tf.binary("Maximum", tf.unary("Abs", re), tf.unary("Abs", im));
  const scale = tf.reduce("Max", peak, [rows], true);
  const [x, y] = [tf.binary("RealDiv", re, scale), tf.binary("RealDiv", im, scale)];
  const moduli = tf.binary("AddV2", tf.unary("Square", x), tf.unary("Square", y));
  const norm = tf.unary("Sqrt", tf.reduce("Sum", moduli, [rows], true));
  const index = tf.argReduce("ArgMax", moduli, rows);
  const place = tf.reshape(index, [...batchOf(re, 2), 1, n]);
  const isLargest = tf.binary("Equal", tf.constant(upTo(n), "int32", [n, 1]), place);
  const chosen = (part: Tensor): Tensor =>
    tf.reduce("Sum", tf.select(isLargest, part, tf.scalar(0, "float32")), [rows], true);
  const [a, b] = [chosen(x), chosen(y)];
  const modulus = tf.unary(
    "Sqrt",
    tf.binary("AddV2", tf.unary("Square", a), tf.unary("Square", b)),
  );
  const divisor = tf.binary("Mul", modulus, norm);
  const [c, s] = [tf.binary("RealDiv", a, divisor), tf.binary("RealDiv", b, divisor)];
  const times = (left: Tensor, right: Tensor): Tensor => tf.binary("Mul", left, right);
  return {
    re: tf.binary("AddV2", times(x, c), times(y, s)),
    im: tf.binary("Sub", times(y, c), times(x, s)),
  };
}

/**
 * Eigenvalues of real matrices: real, or exactly conjugate pairs. Each becomes the mean of itself and
 * the conjugate of the one nearest to its own conjugate.
 */
export function conjugatePairs(tf: Tf, { re, im }: Parts, n: number): Parts {
  const rows = (part: Tensor): Tensor => reshapeInner(tf, part, 1, [n, 1]);
  const columns = (part: Tensor): Tensor => reshapeInner(tf, part, 1, [1, n]);
  const across = tf.unary("Square", tf.binary("Sub", rows(re), columns(re)));
  const upward = tf.unary("Square", tf.binary("AddV2", rows(im), columns(im)));
  const distances = tf.binary("AddV2", across, upward);
  const axis = distances.shape.length - 1;
  const partner = reshapeInner(tf, tf.argReduce("ArgMin", distances, axis), 1, [n, 1]);
  const isPartner = tf.binary("Equal", tf.constant(upTo(n), "int32", [n]), partner);
  const other = (part: Tensor): Tensor =>
    tf.reduce("Sum", tf.select(isPartner, columns(part), tf.scalar(0, "float32")), [axis]);
  const half = (x: Tensor): Tensor => tf.binary("Mul", x, tf.scalar(0.5, "float32"));
  return {
    re: half(tf.binary("AddV2", re, other(re))),
    im: half(tf.binary("Sub", im, other(im))),
  };
}
