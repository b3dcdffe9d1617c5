/**
 * Householder reflectors on matrices in blocks: triangularisation, and products of reflectors. Used
 * by QR, the singular value decomposition and the reductions to Hessenberg and tridiagonal form.
 *
 * Reflectors are kept as u = a / |a| + p e, where a is a column, e the unit vector of its row on the
 * diagonal and p the sign of the real part of a_e: the reflection I - u u^H / s with
 * s = 1 + p a_e / |a| puts -p |a| at that row and zeros below it (its adjoint has the conjugate of s).
 * A column of zeros has u = 0. Signs and phases are settled for all columns at once afterwards.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { mulDims, shapeSize } from "../../src/ir/dims.js";
import { batchOf, cut, eye, joinColumns, joinRows, keep, maskOf, type Unit } from "./matrices.js";
import { triangularInverse } from "./triangular.js";

/** The reflector of one column. */
export interface Reflector {
  /** [rows, unit], zeros above the place. */
  readonly u: Tensor;
  /** What u u^H is divided by: a block of real part 1 to 2. */
  readonly s: Tensor;
  /** p: 1 or -1, 0 for a column of zeros. [1, 1] */
  readonly sign: Tensor;
}

/** Ones (blocks of one) at one row of a column. */
function unitColumn(tf: Tf, rows: number, place: number, unit: Unit): Tensor {
  const values = Float32Array.from({ length: unit * rows * unit }, (_, index) =>
    Number(Math.floor(index / unit) === unit * place + (index % unit)),
  );
  return tf.constant(values, "float32", [unit * rows, unit]);
}

/**
 * Blocks from their first columns (re, -im). Both columns of computed blocks agree up to rounding
 * errors only, which is not enough where a column consists of nothing else.
 */
function asBlocks(tf: Tf, column: Tensor, rows: number, unit: Unit): Tensor {
  if (unit === 1) return column;
  const entries = tf.reshape(column, [mulDims(shapeSize(batchOf(column, 2)), rows), 2]);
  const both = tf.matMul(entries, tf.constant([1, 0, 0, 1, 0, -1, 1, 0], "float32", [2, 4]));
  return tf.reshape(both, [...batchOf(column, 2), 2 * rows, 2]);
}

/** The reflector that moves a column below `place` into its entry at `place`. */
export function reflectorOf(
  tf: Tf,
  column: Tensor,
  rows: number,
  place: number,
  unit: Unit,
): Reflector {
  const height = unit * rows;
  const first = cut(tf, column, [0, height], [0, 1]);
  const numbers = Array.from({ length: height }, (_, row) => Number(row >= unit * place));
  const below = tf.constant(numbers, "bool", [height, 1]);
  const masked = place === 0 ? first : keep(tf, below, first);
  const norm = tf.unary("Sqrt", tf.matMul(masked, masked, { transposeX: true }));
  const direction = asBlocks(tf, tf.binary("DivNoNan", masked, norm), rows, unit);
  const block = cut(tf, direction, [unit * place, unit * (place + 1)], [0, unit]);
  const alpha = cut(tf, block, [0, 1], [0, 1]);
  const positive = tf.binary("GreaterEqual", alpha, tf.scalar(0, "float32"));
  const signed = tf.select(positive, norm, tf.unary("Neg", norm));
  const sign = tf.binary("DivNoNan", signed, norm);
  const u = tf.binary(
    "AddV2",
    direction,
    tf.binary("Mul", sign, unitColumn(tf, rows, place, unit)),
  );
  const s = tf.binary("AddV2", tf.binary("Mul", sign, block), unitColumn(tf, 1, 0, unit));
  return { u, s, sign };
}

/** w / s for a row of blocks w. */
export function divideBlock(tf: Tf, w: Tensor, s: Tensor, unit: Unit): Tensor {
  if (unit === 1) return tf.binary("RealDiv", w, s);
  const modulus = tf.reduce("Sum", tf.unary("Square", s), [s.shape.length - 1], true);
  return tf.binary("RealDiv", tf.matMul(s, w, { transposeX: true }), modulus);
}

/** The reflection from the left: A - u (u^H A) / s. */
export function reflectRows(tf: Tf, a: Tensor, { u, s }: Reflector, unit: Unit): Tensor {
  const w = tf.matMul(u, a, { transposeX: true });
  return tf.binary("Sub", a, tf.matMul(u, divideBlock(tf, w, s, unit)));
}

/** The adjoint of the reflection from the right: A - (A u) u^H / conj(s). */
export function reflectColumns(tf: Tf, a: Tensor, { u, s }: Reflector, unit: Unit): Tensor {
  // (u / s)^H is u^H / conj(s).
  const w = tf.matMul(a, u);
  const scaled = unit === 1 ? tf.binary("RealDiv", u, s) : quotient(tf, u, s);
  return tf.binary("Sub", a, tf.matMul(w, scaled, { transposeY: true }));
}

/** u / s for a column of blocks. */
function quotient(tf: Tf, u: Tensor, s: Tensor): Tensor {
  const modulus = tf.reduce("Sum", tf.unary("Square", s), [s.shape.length - 2], true);
  return tf.binary("RealDiv", tf.matMul(u, s, { transposeY: true }), modulus);
}

/** What makes a matrix triangular. */
export interface Triangular {
  /** The matrix after all reflections; rounding errors below the diagonal. */
  readonly r: Tensor;
  /** The reflectors' u side by side. */
  readonly u: Tensor;
  /** Their s below each other. */
  readonly s: Tensor;
  /** Their signs side by side: [1, count]. */
  readonly signs: Tensor;
  readonly count: number;
}

/** Reflects the first `count` columns of m rows one after the other. */
export function triangularize(tf: Tf, a: Tensor, m: number, count: number, unit: Unit): Triangular {
  let r = a;
  const reflectors: Reflector[] = [];
  for (let j = 0; j < count; j++) {
    const column = cut(tf, r, [0, unit * m], [unit * j, unit * (j + 1)]);
    const reflector = reflectorOf(tf, column, m, j, unit);
    reflectors.push(reflector);
    r = reflectRows(tf, r, reflector, unit);
  }
  return { r, ...collect(tf, reflectors) };
}

/** Reflectors beside each other. */
export function collect(tf: Tf, reflectors: readonly Reflector[]): Omit<Triangular, "r"> {
  return {
    u: joinColumns(
      tf,
      reflectors.map(({ u }) => u),
    ),
    s: joinRows(
      tf,
      reflectors.map(({ s }) => s),
    ),
    signs: joinColumns(
      tf,
      reflectors.map(({ sign }) => sign),
    ),
    count: reflectors.length,
  };
}

/**
 * The adjoint of the middle factor of all reflections: Q = H_1 H_2 … is I - U F U^H, and F^H is the
 * inverse of the lower triangle of U^H U with s on its diagonal ("UT transform").
 */
export function reflectionFactor(
  tf: Tf,
  { u, s, count }: Pick<Triangular, "u" | "s" | "count">,
  unit: Unit,
): Tensor {
  const products = tf.matMul(u, u, { transposeX: true });
  const onDiagonal = maskOf(tf, [count, count], unit, (row, column) => row === column);
  const repeats = s.shape.map((_, axis) => (axis === s.shape.length - 1 ? count : 1));
  const diagonal = unit === 1 ? s : tf.tile(s, repeats);
  const triangle = tf.select(onDiagonal, diagonal, products);
  return triangularInverse(tf, triangle, count, unit, {
    lower: true,
    unitDiagonal: false,
  });
}

/** The first `columns` columns of Q = H_1 H_2 … for m rows. */
export function accumulate(
  tf: Tf,
  triangular: Pick<Triangular, "u" | "s" | "count">,
  [m, columns]: readonly [number, number],
  unit: Unit,
): Tensor {
  const { u, count } = triangular;
  const factor = reflectionFactor(tf, triangular, unit);
  const top = cut(tf, u, [0, unit * columns], [0, unit * count]);
  const inner = tf.matMul(factor, top, { transposeX: true, transposeY: true });
  return tf.binary("Sub", eye(tf, [m, columns], unit), tf.matMul(u, inner));
}
