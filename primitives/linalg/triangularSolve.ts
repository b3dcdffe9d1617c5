/**
 * The record of `triangular_solve`: systems of equations with triangular matrices.
 */
import { shapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape, shapeSize } from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { definePrimitive, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tf } from "../../src/ir/tf.js";
import { addTangents } from "../factories.js";
import { at, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import {
  blocks,
  fromColumns,
  fromRows,
  matrixSize,
  parts,
  toBlocks,
  toColumns,
  toRows,
  unitOf,
} from "./matrices.js";
import { solveTriangular } from "./triangular.js";
import { triangularSolveTangent, type SolveTriangular } from "./triangularJvp.js";
import { knownCount, linalgBatch, operandsOf, sizesOf } from "./types.js";

export type TriangularSolveParams = {
  /** op(A) X = B, else X op(A) = B. */
  readonly left_side: boolean;
  readonly lower: boolean;
  readonly transpose_a: boolean;
  readonly conjugate_a: boolean;
  readonly unit_diagonal: boolean;
};

function lower(tf: Tf, a: GraphValue, b: GraphValue, params: TriangularSolveParams): GraphValue {
  const [n] = matrixSize("triangular_solve", a);
  const unit = unitOf(a);
  const leftSide = params.left_side;
  const transpose = params.transpose_a;
  // Transposition of blocks conjugates: undone beforehand where it is not asked for.
  const conjugate = unit === 2 && params.conjugate_a !== transpose;
  const matrix = conjugate ? conjugateBlocks(tf, a) : toBlocks(tf, a);
  const x = solveTriangular(tf, matrix, leftSide ? toColumns(tf, b) : toRows(tf, b), n, unit, {
    leftSide,
    transpose,
    lower: params.lower,
    unitDiagonal: params.unit_diagonal,
  });
  return leftSide ? fromColumns(tf, x, b.aval) : fromRows(tf, x, b.aval);
}

function conjugateBlocks(tf: Tf, a: GraphValue) {
  const { re, im } = parts(tf, a);
  return blocks(tf, re, tf.unary("Neg", im));
}

/** Up to 32 rows by the inverse of A: more than 40 nodes are the blocks of larger matrices. */
export const triangularSolve: Primitive<TriangularSolveParams> =
  definePrimitive<TriangularSolveParams>({
    name: "triangular_solve",
    abstractEval: (inputs, params) => {
      const operands = operandsOf("triangular_solve", inputs, [2, 2]);
      const [rows, columns] = sizesOf(operands, 0);
      const [a, b] = operands.sizes.map(printShape);
      if (!dimEquals(rows, columns)) {
        throw shapeMismatch(
          `The first input to triangular_solve must be a square matrix. Got shape ${a}.`,
        );
      }
      const common = at(sizesOf(operands, 1), params.left_side ? 0 : 1);
      if (!dimEquals(columns, common)) {
        throw shapeMismatch(
          `Incompatible shapes for arguments to triangular_solve: ${a} and ${b}.`,
        );
      }
      return [shapedArray(operands.dtype, at(inputs, 1).shape)];
    },
    jvp: (o, primals, [ofMatrix = null, ofRight = null], params) => {
      const [a, b] = [at(primals, 0), at(primals, 1)];
      const x = at(o.bind(triangularSolve, [a, b], params), 0);
      const tangent = addTangents(o, [
        ofMatrix === null ? null : triangularSolveTangent(o, ofMatrix, [a, x], params, solveWith),
        ofRight === null ? null : solveWith(o, a, ofRight, params),
      ]);
      return { primals: [x], tangents: [tangent] };
    },
    transpose: (o, [cotangent = null], inputs, params) => {
      const a = at(inputs, 0);
      if (a.kind !== "known") {
        throw new Jax2TfjsError("not-linear", "triangular_solve is not linear in its matrix", {
          primitive: "triangular_solve",
        });
      }
      if (cotangent === null) return [null, null];
      const swapped = { ...params, transpose_a: !params.transpose_a };
      return [null, at(o.bind(triangularSolve, [a.value, cotangent], swapped), 0)];
    },
    batch: linalgBatch(() => triangularSolve),
    tfjs: (tf, inputs, params, outs) => {
      const out = at(outs, 0);
      if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
      return [lower(tf, at(inputs, 0), at(inputs, 1), params)];
    },
    limits: [
      {
        when: "a singular matrix",
        effect: "NaN also where JAX has finite or infinite numbers",
        why: "the inverse of the matrix is multiplied, which joins all rows",
      },
    ],
    flops: ([a, b]) => knownCount(b?.shape ?? []) * Number(shapeSize(a?.shape.slice(-1) ?? [])),
  });

/** `triangular_solve` as the derivative rules call it: what is not said is false. */
export const solveWith: SolveTriangular = (o, a, b, options) =>
  at(
    o.bind(triangularSolve, [a, b], {
      left_side: false,
      lower: false,
      transpose_a: false,
      conjugate_a: false,
      unit_diagonal: false,
      ...options,
    }),
    0,
  );
