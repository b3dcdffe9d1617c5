/**
 * How the rules of linear algebra see their operands: batches of matrices as float32 tensors of rank
 * 2 or 3, of known size, complex entries as 2 × 2 blocks of real ones. Used by every file of linalg/.
 *
 * A complex number a + b i is the block [[a, b], [-b, a]]: sums, products and inverses of such
 * blocks are those of the numbers, and transposition conjugates. So an algorithm written for blocks
 * of `unit` rows and columns does real and complex matrices alike, with equally many nodes.
 */
import type { ShapedArray } from "../../src/ir/aval.js";
import {
  floordivDims,
  mulDims,
  printShape,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../../src/ir/dims.js";
import { isComplex } from "../../src/ir/dtypes.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { floatOperand, floatPair } from "../productOperands.js";
import { at } from "../support.js";

/** Rows and columns that one entry takes: 1 for real matrices, 2 for complex ones. */
export type Unit = 1 | 2;

export const unitOf = (value: { readonly aval: ShapedArray }): Unit =>
  isComplex(value.aval.dtype) ? 2 : 1;

/**
 * The last `count` sizes of a shape, which must be known.
 *
 * @throws Jax2TfjsError `symbolic-size`
 */
export function knownSizes(primitive: string, shape: Shape, count: number): readonly number[] {
  return shape.slice(shape.length - count).map((dim) => {
    if (typeof dim === "number") return dim;
    throw new Jax2TfjsError(
      "symbolic-size",
      `${primitive} needs matrices of known size, got shape ${printShape(shape)}`,
      {
        primitive,
        fix: "export with fixed sizes of the matrices; batch dimensions may stay symbolic",
      },
    );
  });
}

/** Rows and columns of a matrix. */
export function matrixSize(primitive: string, value: GraphValue): readonly [number, number] {
  const [rows, columns] = knownSizes(primitive, value.aval.shape, 2);
  return [rows ?? 0, columns ?? 0];
}

/** All dimensions before the last `inner` ones as one, or none at all where there are none. */
export function joinBatch(tf: Tf, x: Tensor, inner: number): Tensor {
  const outer = x.shape.length - inner;
  if (outer <= 1) return x;
  return tf.reshape(x, [shapeSize(x.shape.slice(0, outer)), ...x.shape.slice(outer)]);
}

/** The batch dimension of a joined tensor, if it has one. */
export const batchOf = (x: Tensor, inner: number): Shape =>
  x.shape.slice(0, x.shape.length - inner);

/** A joined tensor with other sizes after the batch dimension. */
export function reshapeInner(tf: Tf, x: Tensor, inner: number, shape: Shape): Tensor {
  return tf.reshape(x, [...batchOf(x, inner), ...shape]);
}

// --- between values and blocks -------------------------------------------------------------------

/** Real and imaginary part of complex numbers. */
export interface Parts {
  readonly re: Tensor;
  readonly im: Tensor;
}

/** Real and imaginary part of matrices (or of vectors, with `inner` 1), joined. */
export function parts(tf: Tf, value: GraphValue, inner = 2): Parts {
  const { re, im } = floatPair(tf, value);
  return { re: joinBatch(tf, re, inner), im: joinBatch(tf, im, inner) };
}

/** Complex entries next to each other: rows [re, im, re, im, …], the upper halves of blocks. */
export function rowsOfParts(tf: Tf, { re, im }: Parts): Tensor {
  const [rows = 1, columns = 1] = re.shape.slice(-2);
  const packed = tf.pack([re, im], re.shape.length);
  return reshapeInner(tf, packed, 3, [rows, mulDims(2, columns)]);
}

/** Blocks [[re, im], [-im, re]] of joined parts. */
export function blocks(tf: Tf, re: Tensor, im: Tensor): Tensor {
  const rank = re.shape.length;
  const [rows = 1, columns = 1] = re.shape.slice(-2);
  const top = tf.pack([re, im], rank);
  const bottom = tf.pack([tf.unary("Neg", im), re], rank);
  const packed = tf.pack([top, bottom], rank - 1);
  return reshapeInner(tf, packed, 4, [mulDims(2, rows), mulDims(2, columns)]);
}

/** Matrices of a value as blocks. */
export function toBlocks(tf: Tf, value: GraphValue): Tensor {
  if (unitOf(value) === 1) return joinBatch(tf, floatOperand(tf, value), 2);
  const { re, im } = parts(tf, value);
  return blocks(tf, re, im);
}

/** Matrices of a value as rows with complex entries side by side: the upper halves of the blocks. */
export function toRows(tf: Tf, value: GraphValue): Tensor {
  if (unitOf(value) === 1) return joinBatch(tf, floatOperand(tf, value), 2);
  return rowsOfParts(tf, parts(tf, value));
}

/** Matrices of a value as columns of (im, re): the right halves of the blocks. */
export function toColumns(tf: Tf, value: GraphValue): Tensor {
  if (unitOf(value) === 1) return joinBatch(tf, floatOperand(tf, value), 2);
  return columnsOfParts(tf, parts(tf, value));
}

/** Columns of (im, re), the right halves of blocks. */
export function columnsOfParts(tf: Tf, { re, im }: Parts): Tensor {
  const [rows = 1, columns = 1] = re.shape.slice(-2);
  const packed = tf.pack([im, re], re.shape.length - 1);
  return reshapeInner(tf, packed, 3, [mulDims(2, rows), columns]);
}

/** Real and imaginary part from rows with complex entries side by side. */
export function partsOfRows(tf: Tf, rows: Tensor): Parts {
  const [height = 1, width = 1] = rows.shape.slice(-2);
  const pairs = reshapeInner(tf, rows, 2, [height, floordivDims(width, 2), 2]);
  const both = tf.unpack(pairs, pairs.shape.length - 1);
  return { re: at(both, 0), im: at(both, 1) };
}

/** Columns of (im, re) from rows with complex entries side by side. */
export function columnsOfRows(tf: Tf, rows: Tensor): Tensor {
  return columnsOfParts(tf, partsOfRows(tf, rows));
}

/** The upper halves of blocks, and real matrices as they are. */
export function rowsOfBlocks(tf: Tf, x: Tensor, unit: Unit): Tensor {
  if (unit === 1) return x;
  const [height = 1, width = 1] = x.shape.slice(-2);
  const outer = batchOf(x, 2);
  const zeros = x.shape.map(() => 0);
  const strides = [...outer.map(() => 1), 2, 1];
  return tf.stridedSlice(x, zeros, [...outer, height, width], strides);
}

/** The value of a type from joined parts, or from a joined real tensor. */
export function fromParts(tf: Tf, re: Tensor, im: Tensor | null, out: ShapedArray): GraphValue {
  const real = tf.reshape(re, out.shape);
  return im === null ? tf.value(real, out) : tf.fromPair(real, tf.reshape(im, out.shape), out);
}

export function fromRows(tf: Tf, rows: Tensor, out: ShapedArray): GraphValue {
  if (!isComplex(out.dtype)) return fromParts(tf, rows, null, out);
  const { re, im } = partsOfRows(tf, rows);
  return fromParts(tf, re, im, out);
}

export function fromBlocks(tf: Tf, x: Tensor, out: ShapedArray): GraphValue {
  return fromRows(tf, rowsOfBlocks(tf, x, isComplex(out.dtype) ? 2 : 1), out);
}

/** From columns of (im, re). */
export function fromColumns(tf: Tf, columns: Tensor, out: ShapedArray): GraphValue {
  if (!isComplex(out.dtype)) return fromParts(tf, columns, null, out);
  const [height = 1, width = 1] = columns.shape.slice(-2);
  const pairs = reshapeInner(tf, columns, 2, [floordivDims(height, 2), 2, width]);
  const both = tf.unpack(pairs, pairs.shape.length - 2);
  return fromParts(tf, at(both, 1), at(both, 0), out);
}

// --- parts of matrices ---------------------------------------------------------------------------

/** From the first to before the second. */
export type Range = readonly [begin: Dim, end: Dim];

/** The rows and columns in the given ranges of each matrix. */
export function cut(tf: Tf, x: Tensor, rows: Range, columns: Range): Tensor {
  const outer = batchOf(x, 2);
  const begin = [...outer.map(() => 0), rows[0], columns[0]];
  return tf.slice(x, begin, [...outer, subDims(rows[1], rows[0]), subDims(columns[1], columns[0])]);
}

/** Matrices beside each other. */
export function joinColumns(tf: Tf, pieces: readonly Tensor[]): Tensor {
  return tf.concat(pieces, at(pieces, 0).shape.length - 1);
}

/** Matrices below each other. */
export function joinRows(tf: Tf, pieces: readonly Tensor[]): Tensor {
  return tf.concat(pieces, at(pieces, 0).shape.length - 2);
}

export const transposed = (tf: Tf, x: Tensor): Tensor => {
  const axes = x.shape.map((_, axis) => axis);
  return tf.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};

/** A constant matrix of booleans; rows and columns are counted in entries. */
export function maskOf(
  tf: Tf,
  [rows, columns]: readonly [number, number],
  unit: Unit,
  test: (row: number, column: number) => boolean,
): Tensor {
  const value = (row: number, column: number): number => Number(test(row, column));
  return tf.constant(tabulate(rows, columns, unit, value), "bool", [unit * rows, unit * columns]);
}

function tabulate(
  rows: number,
  columns: number,
  unit: Unit,
  value: (row: number, column: number) => number,
): Float32Array {
  const width = unit * columns;
  return Float32Array.from({ length: unit * rows * width }, (_, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    return value(Math.floor(row / unit), Math.floor(column / unit));
  });
}

/** A constant with ones (blocks of one) at the diagonal `column - row = offset`. */
export function eye(tf: Tf, [rows, columns]: readonly [number, number], unit: Unit): Tensor {
  const [height, width] = [unit * rows, unit * columns];
  const ones = Float32Array.from({ length: height * width }, (_, index) =>
    Number(Math.floor(index / width) === index % width),
  );
  return tf.constant(ones, "float32", [height, width]);
}

/** `x` where the mask holds, zeros elsewhere; NaN outside of the mask does no harm. */
export const keep = (tf: Tf, mask: Tensor, x: Tensor): Tensor =>
  tf.select(mask, x, tf.scalar(0, "float32"));
