/**
 * LAPACK's packed form of reflectors: vectors v with v = 1 at the diagonal, below the diagonal of
 * the matrix that they made, and factors tau: H = I - tau v v^H. Used by QR and the reductions.
 */
import type { ShapedArray } from "../../src/ir/aval.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { mul } from "../complexMath.js";
import type { Pair } from "../factories.js";
import {
  blocks,
  cut,
  eye,
  fromParts,
  joinBatch,
  keep,
  maskOf,
  partsOfRows,
  parts,
  reshapeInner,
  rowsOfBlocks,
  toBlocks,
  unitOf,
  type Unit,
} from "./matrices.js";
import type { Triangular } from "./reflectors.js";
import { triangularInverse } from "./triangular.js";
import { floatOperand } from "../productOperands.js";

/** Real numbers, or complex ones as real and imaginary part. */
export interface Numbers {
  readonly re: Tensor;
  readonly im: Tensor | null;
}

/** The entries of blocks. */
export function numbersOf(tf: Tf, x: Tensor, unit: Unit): Numbers {
  return unit === 1 ? { re: x, im: null } : partsOfRows(tf, rowsOfBlocks(tf, x, unit));
}

function mapParts(x: Numbers, apply: (part: Tensor) => Tensor): Numbers {
  return { re: apply(x.re), im: x.im === null ? null : apply(x.im) };
}

/** x times the inverse of y, which is one number for each column; zeros where y is 0. */
function divide(tf: Tf, x: Numbers, y: Numbers): Numbers {
  if (x.im === null || y.im === null) return { re: tf.binary("DivNoNan", x.re, y.re), im: null };
  const modulus = tf.binary("AddV2", tf.unary("Square", y.re), tf.unary("Square", y.im));
  const inverse: Pair = {
    re: tf.binary("DivNoNan", y.re, modulus),
    im: tf.binary("DivNoNan", tf.unary("Neg", y.im), modulus),
  };
  return mul(tf, { re: x.re, im: x.im }, inverse);
}

/** What LAPACK's routines give: the packed matrix and the factors. */
export interface Packed {
  readonly matrix: Numbers;
  readonly taus: Numbers;
}

export interface PackOptions {
  /** Rows between the diagonal and the places of the reflectors: 0 for QR, 1 for Hessenberg. */
  readonly offset: number;
  /** Reflectors act on columns as well (similarity). */
  readonly twoSided: boolean;
  /** How many factors there are; those beyond the reflectors are zeros. */
  readonly factors: number;
}

/**
 * The packed form of what `triangularize` made of m × n matrices. Where a column is zero already
 * LAPACK does not reflect, where ours only changed a sign: that is undone here.
 */
export function pack(
  tf: Tf,
  { r, u, signs, count }: Triangular,
  [m, n]: readonly [number, number],
  unit: Unit,
  { offset, twoSided, factors }: PackOptions,
): Packed {
  const size = [m, count] as const;
  const vectors = numbersOf(tf, u, unit);
  const rowAxis = u.shape.length - 2;
  const here = maskOf(tf, size, 1, (row, column) => row === column + offset);
  const below = maskOf(tf, size, 1, (row, column) => row > column + offset);
  const head = mapParts(vectors, (part) => tf.reduce("Sum", keep(tf, here, part), [rowAxis], true));
  // Whether nothing but a positive or negative number was in the column.
  const rest = mapParts(vectors, (part) => keep(tf, below, part));
  const amounts = mapParts(rest, (part) =>
    tf.reduce("Sum", tf.unary("Abs", part), [rowAxis], true),
  );
  const imaginary = [amounts.im, head.im].filter((part) => part !== null);
  const amount = imaginary.reduce(
    (sum, part) => tf.binary("AddV2", sum, tf.unary("Abs", part)),
    amounts.re,
  );
  const zero = tf.scalar(0, "float32");
  const isTrivial = tf.binary("Equal", amount, zero);
  const isFlipped = tf.binary("LogicalAnd", isTrivial, tf.binary("NotEqual", signs, zero));
  const flips = tf.select(isFlipped, tf.scalar(-1, "float32"), tf.scalar(1, "float32"));
  const tails = divide(tf, rest, head);
  const taus = mapParts(head, (part) =>
    padTo(tf, tf.select(isTrivial, zero, tf.binary("Mul", part, signs)), [1, factors], 0),
  );
  const rowSigns = padRows(tf, reshapeInner(tf, flips, 2, [count, 1]), m, offset);
  const columnSigns = reshapeInner(tf, rowSigns, 2, [1, m]);
  const upper = maskOf(tf, [m, n], 1, (row, column) => row <= column + offset);
  const reduced = numbersOf(tf, r, unit);
  const join = (whole: Tensor, tail: Tensor): Tensor => {
    const signed = tf.binary("Mul", whole, rowSigns);
    const right = twoSided ? tf.binary("Mul", signed, columnSigns) : signed;
    return tf.select(upper, right, padTo(tf, tail, [m, n], 0));
  };
  return {
    matrix: {
      re: join(reduced.re, tails.re),
      im: reduced.im === null || tails.im === null ? null : join(reduced.im, tails.im),
    },
    taus,
  };
}

/** Fills up with a value below and to the right. */
function padTo(
  tf: Tf,
  x: Tensor,
  [rows, columns]: readonly [number, number],
  value: number,
): Tensor {
  const [height = 0, width = 0] = x.shape.slice(-2).map(Number);
  const outer = x.shape.slice(0, -2).map((): [number, number] => [0, 0]);
  return tf.pad(x, [...outer, [0, rows - height], [0, columns - width]], value);
}

/** Signs of all rows: ones before the first place and after the last one. */
function padRows(tf: Tf, signs: Tensor, m: number, offset: number): Tensor {
  const outer = signs.shape.slice(0, -2).map((): [number, number] => [0, 0]);
  const behind = m - offset - Number(signs.shape.at(-2));
  return tf.pad(signs, [...outer, [offset, behind], [0, 0]], 1);
}

export function packedMatrix(tf: Tf, { matrix }: Packed, out: ShapedArray): GraphValue {
  return fromParts(tf, matrix.re, matrix.im, out);
}

export function packedFactors(tf: Tf, { taus }: Packed, out: ShapedArray): GraphValue {
  return fromParts(tf, taus.re, taus.im, out);
}

// --- from the packed form ------------------------------------------------------------------------

/** Q = H_1 H_2 … as I - V T V^H. */
export interface CompactProduct {
  /** The vectors beside each other, in blocks. */
  readonly v: Tensor;
  readonly t: Tensor;
  readonly count: number;
}

/** Reads vectors and factors: T = inv(I + D striu(V^H V)) D, where D has tau on its diagonal. */
export function unpack(
  tf: Tf,
  a: GraphValue,
  taus: GraphValue,
  [m, count]: readonly [number, number],
): CompactProduct {
  const unit = unitOf(a);
  const below = maskOf(tf, [m, count], unit, (row, column) => row > column);
  const given = cut(tf, toBlocks(tf, a), [0, unit * m], [0, unit * count]);
  const v = tf.select(below, given, eye(tf, [m, count], unit));
  const products = tf.matMul(v, v, { transposeX: true });
  const options = { lower: false, unitDiagonal: true } as const;
  if (unit === 1) {
    const factors = joinBatch(tf, floatOperand(tf, taus), 1);
    const scaled = tf.binary("Mul", reshapeInner(tf, factors, 1, [count, 1]), products);
    const inverse = triangularInverse(tf, scaled, count, unit, options);
    const t = tf.binary("Mul", inverse, reshapeInner(tf, factors, 1, [1, count]));
    return { v, t, count };
  }
  const { re, im } = parts(tf, taus, 1);
  const diagonal = (part: Tensor): Tensor =>
    tf.binary("Mul", reshapeInner(tf, part, 1, [1, count]), eye(tf, [count, count], 1));
  const factors = blocks(tf, diagonal(re), diagonal(im));
  const scaled = tf.matMul(factors, products);
  const inverse = triangularInverse(tf, scaled, count, unit, options);
  return { v, t: tf.matMul(inverse, factors), count };
}
