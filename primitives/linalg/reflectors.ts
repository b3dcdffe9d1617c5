/**
 * Householder reflectors on matrices in blocks: triangularisation, and products of reflectors. Used
 * by QR, the singular value decomposition and the reductions to Hessenberg and tridiagonal form.
 *
 * Reflectors are kept unscaled: u = a - b e, where a is a column, e the unit vector of its row on the
 * diagonal and b = -sign(Re a_e) |a|, the number that replaces a_e. The reflection is I - u u^H / s
 * with s = u^H a (its adjoint has the conjugate of s). Scaling, signs and phases are done for all
 * columns at once afterwards.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { cut, eye, joinColumns, joinRows, keep, maskOf, type Unit } from "./matrices.js";
import { triangularInverse } from "./triangular.js";

/** The reflector of one column. */
export interface Reflector {
  /** [rows, unit], zeros above the place. */
  readonly u: Tensor;
  /** u^H a: what u u^H is divided by; a block. */
  readonly s: Tensor;
  /** -b: the norm of the column with the sign of the real part at the place. [1, 1] */
  readonly t: Tensor;
}

/** Ones (blocks of one) at one row of a column. */
function unitColumn(tf: Tf, rows: number, place: number, unit: Unit): Tensor {
  const values = Float32Array.from({ length: unit * rows * unit }, (_, index) =>
    Number(Math.floor(index / unit) === unit * place + (index % unit)),
  );
  return tf.constant(values, "float32", [unit * rows, unit]);
}

/** The reflector that moves a column below `place` into its entry at `place`. */
export function reflectorOf(
  tf: Tf,
  column: Tensor,
  rows: number,
  place: number,
  unit: Unit,
): Reflector {
  const below = maskOf(tf, [rows, 1], unit, (row) => row >= place);
  const masked = place === 0 ? column : keep(tf, below, column);
  const height = unit * rows;
  const first = cut(tf, masked, [0, height], [0, 1]);
  const square = tf.matMul(first, first, { transposeX: true });
  const norm = tf.unary("Sqrt", square);
  const block = cut(tf, masked, [unit * place, unit * (place + 1)], [0, unit]);
  const alpha = cut(tf, block, [0, 1], [0, 1]);
  const positive = tf.binary("GreaterEqual", alpha, tf.scalar(0, "float32"));
  const t = tf.select(positive, norm, tf.unary("Neg", norm));
  const u = tf.binary("AddV2", masked, tf.binary("Mul", t, unitColumn(tf, rows, place, unit)));
  const product = tf.binary("Mul", t, block);
  const identity = unit === 1 ? square : tf.binary("Mul", square, unitColumn(tf, 1, 0, unit));
  return { u, s: tf.binary("AddV2", product, identity), t };
}

/** w / s for a row of blocks w; nothing where s is 0, which is a column of zeros. */
export function divideBlock(tf: Tf, w: Tensor, s: Tensor, unit: Unit): Tensor {
  if (unit === 1) return tf.binary("DivNoNan", w, s);
  const modulus = tf.reduce("Sum", tf.unary("Square", s), [s.shape.length - 1], true);
  return tf.binary("DivNoNan", tf.matMul(s, w, { transposeX: true }), modulus);
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
  const scaled = unit === 1 ? tf.binary("DivNoNan", u, s) : quotient(tf, u, s);
  return tf.binary("Sub", a, tf.matMul(w, scaled, { transposeY: true }));
}

/** u / s for a column of blocks. */
function quotient(tf: Tf, u: Tensor, s: Tensor): Tensor {
  const modulus = tf.reduce("Sum", tf.unary("Square", s), [s.shape.length - 2], true);
  return tf.binary("DivNoNan", tf.matMul(u, s, { transposeY: true }), modulus);
}

/** What makes a matrix triangular. */
export interface Triangular {
  /** The matrix after all reflections; rounding errors below the diagonal. */
  readonly r: Tensor;
  /** The reflectors' u side by side. */
  readonly u: Tensor;
  /** Their s below each other. */
  readonly s: Tensor;
  /** Their t side by side: [1, count]. */
  readonly t: Tensor;
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
    t: joinColumns(
      tf,
      reflectors.map(({ t }) => t),
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
    zeroTolerant: true,
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
