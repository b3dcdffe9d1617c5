/**
 * The records of `hessenberg` and `tridiagonal`: similarity by reflectors.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape, subDims } from "../../src/ir/dims.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { at, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import {
  blocks,
  cut,
  fromParts,
  joinBatch,
  keep,
  maskOf,
  matrixSize,
  parts,
  toBlocks,
  transposed,
  unitOf,
  type Unit,
} from "./matrices.js";
import { numbersOf, pack, packedFactors, packedMatrix, type Packed } from "./packed.js";
import {
  collect,
  reflectColumns,
  reflectorOf,
  reflectRows,
  type Reflector,
  type Triangular,
} from "./reflectors.js";
import { knownCount, linalgBatch, operandsOf, realPart, sizesOf } from "./types.js";

/** Q^H A Q with zeros below the subdiagonal. Null where nothing is to be done. */
export function toHessenberg(tf: Tf, a: Tensor, n: number, unit: Unit): Triangular | null {
  // The last subdiagonal entry of a complex matrix is made real, as LAPACK does.
  const count = unit === 1 ? n - 2 : n - 1;
  if (count <= 0) return null;
  let r = a;
  const reflectors: Reflector[] = [];
  for (let j = 0; j < count; j++) {
    const column = cut(tf, r, [0, unit * n], [unit * j, unit * (j + 1)]);
    const reflector = reflectorOf(tf, column, n, j + 1, unit);
    reflectors.push(reflector);
    r = reflectColumns(tf, reflectRows(tf, r, reflector, unit), reflector, unit);
  }
  return { r, ...collect(tf, reflectors) };
}

function packHessenberg(tf: Tf, a: Tensor, n: number, unit: Unit): Packed | null {
  const reduced = toHessenberg(tf, a, n, unit);
  if (reduced === null) return null;
  return pack(tf, reduced, [n, n], unit, { offset: 1, twoSided: true, factors: n - 1 });
}

/** About 22 nodes for each column: each reflector needs all before it. */
export const hessenberg: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "hessenberg",
  abstractEval: (inputs) => {
    const operands = operandsOf("hessenberg", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns)) {
      throw shapeMismatch(
        "Argument to Hessenberg reduction must have shape [..., n, n], " +
          `got shape ${printShape(at(operands.sizes, 0))}`,
      );
    }
    const { batch, dtype } = operands;
    return [
      shapedArray(dtype, at(inputs, 0).shape),
      shapedArray(dtype, [...batch, subDims(columns, 1)]),
    ];
  },
  jvp: none("JAX has no derivative of hessenberg"),
  transpose: none("hessenberg is not linear"),
  batch: linalgBatch(() => hessenberg),
  tfjs: (tf, inputs, _params, outs) => {
    const [a, matrix, factors] = [at(inputs, 0), at(outs, 0), at(outs, 1)];
    if (isEmptyShape(matrix.shape)) return [emptyValue(tf, matrix), emptyValue(tf, factors)];
    const [n] = matrixSize("hessenberg", a);
    const packed = packHessenberg(tf, toBlocks(tf, a), n, unitOf(a));
    if (packed === null) return [a, emptyValue(tf, factors)];
    return [packedMatrix(tf, packed, matrix), packedFactors(tf, packed, factors)];
  },
  flops: ([x]) => (10 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? [])) / 3,
});

export type TridiagonalParams = { readonly lower: boolean };

/** The whole of self-adjoint matrices (blocks) of which one triangle is given. */
export function selfAdjoint(tf: Tf, a: Tensor, n: number, unit: Unit, lower: boolean): Tensor {
  const given = maskOf(tf, [n, n], unit, (row, column) => (lower ? row >= column : row <= column));
  const whole = tf.select(given, a, transposed(tf, a));
  if (unit === 1) return whole;
  // Imaginary parts on the diagonal are not looked at.
  const size = unit * n;
  const isReal = Float32Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    const sameEntry = Math.floor(row / unit) === Math.floor(column / unit);
    return Number(!sameEntry || row === column);
  });
  return keep(tf, tf.constant(isReal, "bool", [size, size]), whole);
}

/** The numbers at column - row = -offset of joined matrices: [batch, n - offset]. */
function diagonalOf(tf: Tf, x: Tensor, n: number, offset: number): Tensor {
  const place = maskOf(tf, [n, n], 1, (row, column) => row === column + offset);
  const sums = tf.reduce("Sum", keep(tf, place, x), [x.shape.length - 2]);
  const outer = sums.shape.slice(0, -1);
  return tf.slice(
    sums,
    sums.shape.map(() => 0),
    [...outer, n - offset],
  );
}

/** Rows and columns, or numbers, in the opposite order. */
function flip(tf: Tf, x: Tensor, inner: number): Tensor {
  const rank = x.shape.length;
  return tf.reverse(x, inner === 2 ? [rank - 2, rank - 1] : [rank - 1]);
}

interface Tridiagonal {
  readonly re: Tensor;
  readonly im: Tensor | null;
  readonly taus: { readonly re: Tensor; readonly im: Tensor | null } | null;
}

function lowerTridiagonal(
  tf: Tf,
  a: GraphValue,
  lower: boolean,
  outs: readonly ShapedArray[],
): readonly GraphValue[] {
  const [matrix, diagonal, others, factors] = [at(outs, 0), at(outs, 1), at(outs, 2), at(outs, 3)];
  if (isEmptyShape(matrix.shape)) return outs.map((out) => emptyValue(tf, out));
  const [n] = matrixSize("tridiagonal", a);
  const unit = unitOf(a);
  // From the last column on: the same in opposite order.
  const turn = (x: Tensor, inner: number): Tensor => (lower ? x : flip(tf, x, inner));
  const given = toGiven(tf, a, (x) => turn(x, 2));
  const whole = selfAdjoint(tf, given.blocks, n, unit, true);
  const packed = packHessenberg(tf, whole, n, unit);
  const reduced: Tridiagonal =
    packed === null
      ? { ...numbersOf(tf, whole, unit), taus: null }
      : { ...packed.matrix, taus: packed.taus };
  const isGiven = maskOf(tf, [n, n], 1, (row, column) => row >= column);
  const combine = (own: Tensor, original: Tensor): Tensor =>
    turn(tf.select(isGiven, own, original), 2);
  const imaginary = reduced.im === null || given.im === null ? null : combine(reduced.im, given.im);
  const numbers = (x: Tensor, out: ShapedArray): GraphValue =>
    isEmptyShape(out.shape)
      ? emptyValue(tf, out)
      : tf.value(tf.reshape(turn(x, 1), out.shape), out);
  const tau = (part: Tensor): Tensor =>
    turn(tf.reshape(part, [...part.shape.slice(0, -2), n - 1]), 1);
  return [
    fromParts(tf, combine(reduced.re, given.re), imaginary, matrix),
    numbers(diagonalOf(tf, reduced.re, n, 0), diagonal),
    n === 1 ? emptyValue(tf, others) : numbers(diagonalOf(tf, reduced.re, n, 1), others),
    reduced.taus === null
      ? emptyValue(tf, factors)
      : fromParts(
          tf,
          tau(reduced.taus.re),
          reduced.taus.im === null ? null : tau(reduced.taus.im),
          factors,
        ),
  ];
}

/** A matrix in parts and in blocks. */
function toGiven(tf: Tf, a: GraphValue, turn: (x: Tensor) => Tensor) {
  if (unitOf(a) === 1) {
    const re = turn(joinBatch(tf, tf.tensor(a), 2));
    return { re, im: null, blocks: re };
  }
  const { re, im } = parts(tf, a);
  const [real, imaginary] = [turn(re), turn(im)];
  return { re: real, im: imaginary, blocks: blocks(tf, real, imaginary) };
}

/** About 22 nodes for each column: each reflector needs all before it. */
export const tridiagonal: Primitive<TridiagonalParams> = definePrimitive<TridiagonalParams>({
  name: "tridiagonal",
  abstractEval: (inputs) => {
    const operands = operandsOf("tridiagonal", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns) || dimEquals(columns, 0)) {
      throw shapeMismatch(
        "The input to tridiagonal must be a square matrix. " +
          `Got shape ${printShape(at(operands.sizes, 0))}.`,
      );
    }
    const { batch, dtype } = operands;
    const real = realPart(dtype);
    const shorter = [...batch, subDims(columns, 1)];
    return [
      shapedArray(dtype, at(inputs, 0).shape),
      shapedArray(real, [...batch, columns]),
      shapedArray(real, shorter),
      shapedArray(dtype, shorter),
    ];
  },
  jvp: none("JAX has no derivative of tridiagonal"),
  transpose: none("tridiagonal is not linear"),
  batch: linalgBatch(() => tridiagonal),
  tfjs: (tf, inputs, { lower }, outs) => lowerTridiagonal(tf, at(inputs, 0), lower, outs),
  flops: ([x]) => (8 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? [])) / 3,
});
