/**
 * The record of `schur`: A = Z T Z^H, T upper triangular, or for real matrices with blocks of two
 * rows for pairs of complex eigenvalues.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape } from "../../src/ir/dims.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { floatOperand } from "../productOperands.js";
import { at, emptyValue, invalid, isEmptyShape, shapeMismatch, upTo } from "../support.js";
import { toComplexBlocks } from "./eig.js";
import { normalizeVectors } from "./eigenvectors.js";
import { cut, fromBlocks, joinBatch, keep, maskOf, matrixSize, reshapeInner } from "./matrices.js";
import { complexSchur } from "./qrIteration.js";
import { knownCount, linalgBatch, operandsOf, sizesOf } from "./types.js";

export type SchurParams = {
  readonly compute_schur_vectors: boolean;
  readonly sort_eig_vals: boolean;
  readonly select_callable: null;
};

/**
 * A candidate shorter than this, after what is known is taken off, adds no direction. The parts of a
 * vector are exact to 1e-6, so what is left of shorter ones would be wrong by more than leaving them.
 */
const leastLength = 1e-2;

interface RealBasis {
  /** Orthonormal columns. */
  readonly z: Tensor;
  /** [batch, 1, n]: 1 where a column is the second of a pair. */
  readonly isSecond: Tensor;
}

/**
 * Real and imaginary parts of Schur vectors q_1, …, q_k span a real space that A maps into itself,
 * for each k: they are made orthonormal one after the other, leaving out what adds no direction.
 */
function realBasis(tf: Tf, q: Tensor, n: number): RealBasis {
  const vectors = normalizeVectors(tf, q);
  const zero = tf.scalar(0, "float32");
  let z = tf.binary("Mul", vectors.re, zero);
  let count: Tensor = reshapeInner(tf, cut(tf, z, [0, 1], [0, 1]), 2, [1, 1]);
  let isSecond = cut(tf, z, [0, 1], [0, n]);
  const places = tf.constant(upTo(n), "float32", [1, n]);
  for (let j = 0; j < 2 * n; j++) {
    const part = j % 2 === 0 ? vectors.re : vectors.im;
    const index = Math.floor(j / 2);
    let candidate = cut(tf, part, [0, n], [index, index + 1]);
    for (let pass = 0; pass < 2 && j > 0; pass++) {
      const known = tf.matMul(z, tf.matMul(z, candidate, { transposeX: true }));
      candidate = tf.binary("Sub", candidate, known);
    }
    const length = tf.unary("Sqrt", tf.matMul(candidate, candidate, { transposeX: true }));
    const isNew = tf.cast(
      tf.binary("Greater", length, tf.scalar(leastLength, "float32")),
      "float32",
    );
    const isPlace = tf.cast(tf.binary("Equal", places, count), "float32");
    const place = tf.binary("Mul", isPlace, isNew);
    const direction = tf.binary("DivNoNan", candidate, length);
    z = tf.binary("AddV2", z, tf.binary("Mul", direction, place));
    if (j % 2 === 1) isSecond = tf.binary("AddV2", isSecond, place);
    count = tf.binary("AddV2", count, isNew);
  }
  return { z, isSecond };
}

function realSchur(tf: Tf, x: GraphValue, n: number): readonly [t: Tensor, z: Tensor] {
  const a = joinBatch(tf, floatOperand(tf, x), 2);
  const { q } = complexSchur(tf, toComplexBlocks(tf, x), n);
  const { z, isSecond } = realBasis(tf, q, n);
  const form = tf.matMul(tf.matMul(z, a, { transposeX: true }), z);
  const above = maskOf(tf, [n, n], 1, (row, column) => row <= column);
  const below = maskOf(tf, [n, n], 1, (row, column) => row === column + 1);
  const rows = reshapeInner(tf, isSecond, 2, [n, 1]);
  const isPair = tf.binary("Greater", rows, tf.scalar(0.5, "float32"));
  const kept = tf.binary("LogicalOr", above, tf.binary("LogicalAnd", below, isPair));
  return [keep(tf, kept, form), z];
}

function lowerSchur(tf: Tf, x: GraphValue, outs: readonly ShapedArray[]): readonly GraphValue[] {
  const [n] = matrixSize("schur", x);
  const out = at(outs, 0);
  if (out.dtype.startsWith("complex")) {
    const { t, q, scale } = complexSchur(tf, toComplexBlocks(tf, x), n);
    return outs.map((type, index) =>
      fromBlocks(tf, index === 0 ? tf.binary("Mul", t, scale) : q, type),
    );
  }
  const both = realSchur(tf, x, n);
  return outs.map((type, index) => tf.value(tf.reshape(at(both, index), type.shape), type));
}

/** A loop of QR steps of about 25 nodes for each column; real matrices need 30 more for each. */
export const schur: Primitive<SchurParams> = definePrimitive<SchurParams>({
  name: "schur",
  abstractEval: (inputs, { compute_schur_vectors: vectors, sort_eig_vals: sorted }) => {
    const operands = operandsOf("schur", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns)) {
      throw shapeMismatch(
        "The input to schur must be a square matrix. " +
          `Got shape ${printShape(at(operands.sizes, 0))}.`,
      );
    }
    if (sorted) throw invalid("sort_eig_vals of schur is not supported, as in JAX");
    const form = shapedArray(operands.dtype, at(inputs, 0).shape);
    return vectors ? [form, form] : [form];
  },
  jvp: none("JAX has no derivative of schur"),
  transpose: none("schur is not linear"),
  batch: linalgBatch(() => schur),
  tfjs: (tf, inputs, _params, outs) => {
    const x = at(inputs, 0);
    if (isEmptyShape(x.aval.shape)) return outs.map((out) => emptyValue(tf, out));
    return lowerSchur(tf, x, outs);
  },
  limits: [
    {
      when: "always, from two rows on",
      effect: "the model needs executeAsync",
      why: "how many steps are needed depends on the matrix, so they are a loop",
    },
    {
      when: "real matrices with complex eigenvalues",
      effect: "blocks of two rows have unequal numbers on the diagonal; LAPACK makes them equal",
      why: "the form is one of many; eigenvalues and spaces are the same",
    },
    {
      when: "order of eigenvalues, signs and phases of vectors",
      effect: "not those of LAPACK",
      why: "they are free",
    },
  ],
  flops: ([x]) => 25 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? []),
});
