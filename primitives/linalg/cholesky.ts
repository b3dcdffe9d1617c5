/**
 * The record of `cholesky`: self-adjoint positive definite matrices as L L^H.
 */
import { shapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape } from "../../src/ir/dims.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { at, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import { lowerPart } from "./algebra.js";
import {
  cut,
  fromBlocks,
  joinColumns,
  maskOf,
  matrixSize,
  toBlocks,
  unitOf,
  type Unit,
} from "./matrices.js";
import { choleskyTangent } from "./triangularJvp.js";
import { solveWith } from "./triangularSolve.js";
import { knownCount, linalgBatch, operandsOf, sizesOf } from "./types.js";

/**
 * Columns of L from left to right: column c of the rest, with pivot p on the diagonal, is that of L
 * times the root of p, and c c^H / p is taken from the rest. What happens to rows above the diagonal
 * never reaches those below it, so nothing is masked until the end. Above the diagonal the result
 * is the matrix itself, as LAPACK leaves it.
 */
export function choleskyFactor(tf: Tf, a: Tensor, n: number, unit: Unit): Tensor {
  const height = unit * n;
  const columns: Tensor[] = [];
  const pivots: Tensor[] = [];
  let rest = a;
  for (let j = 0; j < height; j += unit) {
    const column = cut(tf, rest, [0, height], [j, j + unit]);
    const pivot = cut(tf, column, [j, j + 1], [0, 1]);
    columns.push(column);
    pivots.push(...Array.from({ length: unit }, () => pivot));
    if (j + unit === height) break;
    const scaled = tf.binary("RealDiv", column, pivot);
    rest = tf.binary("Sub", rest, tf.matMul(scaled, column, { transposeY: true }));
  }
  const diagonal = joinColumns(tf, pivots);
  const factor = tf.binary("RealDiv", joinColumns(tf, columns), tf.unary("Sqrt", diagonal));
  const lower = maskOf(tf, [n, n], unit, (row, column) => row >= column);
  return definite(tf, tf.select(lower, factor, a), diagonal);
}

/** NaN everywhere unless all pivots are positive, as JAX makes of LAPACK's `info`. */
function definite(tf: Tf, factor: Tensor, pivots: Tensor): Tensor {
  const positive = tf.binary("Greater", pivots, tf.scalar(0, "float32"));
  const all = tf.reduce("All", positive, [pivots.shape.length - 1], true);
  return tf.select(all, factor, tf.scalar(NaN, "float32"));
}

/** Five nodes for each column: more than 40 from 8 columns on, since each needs the one before. */
export const cholesky: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "cholesky",
  manyNodes: "A factorization in blocks: each column of a block takes a few nodes.",
  abstractEval: (inputs) => {
    const operands = operandsOf("cholesky", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns)) {
      throw shapeMismatch(
        "The input to cholesky must be a square matrix. " +
          `Got shape ${printShape(at(operands.sizes, 0))}.`,
      );
    }
    return [shapedArray(operands.dtype, at(inputs, 0).shape)];
  },
  jvp: (o, primals, [tangent = null], params) => {
    const factor = lowerPart(o, at(o.bind(cholesky, primals, params), 0));
    const derived = tangent === null ? null : choleskyTangent(o, factor, tangent, solveWith);
    return { primals: [factor], tangents: [derived] };
  },
  transpose: none("cholesky is not linear"),
  batch: linalgBatch(() => cholesky),
  tfjs: (tf, inputs, _params, outs) => {
    const [x, out] = [at(inputs, 0), at(outs, 0)];
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const [n] = matrixSize("cholesky", x);
    return [fromBlocks(tf, choleskyFactor(tf, toBlocks(tf, x), n, unitOf(x)), out)];
  },
  flops: ([x]) => (knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? [])) / 3,
});
