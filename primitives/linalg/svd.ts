/**
 * The record of `svd`: singular values and vectors.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, minDim, printShape } from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { definePrimitive, none, type JvpRule, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { at, emptyValue, invalid, isEmptyShape } from "../support.js";
import { jacobi, unrolledColumns } from "./jacobi.js";
import {
  cut,
  eye,
  fromBlocks,
  joinColumns,
  knownSizes,
  matrixSize,
  reshapeInner,
  toBlocks,
  transposed,
  unitOf,
  type Unit,
} from "./matrices.js";
import { normalize, orderColumns, orderMatrix, padMatrix } from "./ordering.js";
import { accumulate, triangularize } from "./reflectors.js";
import { singularValueTangents, svdTangents } from "./spectralJvp.js";
import { knownCount, linalgBatch, operandsOf, realPart, sizesOf } from "./types.js";

export type SvdParams = {
  readonly full_matrices: boolean;
  readonly compute_uv: boolean;
  readonly subset_by_index: readonly [begin: number, end: number] | null;
  readonly algorithm: string | null;
};

/** Factors of matrices with at least as many rows as columns. */
interface Factors {
  /** [batch, n], descending. */
  readonly values: Tensor;
  /** Left and right singular vectors as columns, in blocks. */
  readonly left: Tensor | null;
  readonly right: Tensor | null;
}

/** Squared norms of columns: [batch, n]. */
function columnNorms(tf: Tf, a: Tensor, n: number, unit: Unit): Tensor {
  const sums = tf.reduce("Sum", tf.unary("Square", a), [a.shape.length - 2]);
  if (unit === 1) return tf.unary("Sqrt", sums);
  const pairs = reshapeInner(tf, sums, 1, [n, 2]);
  return tf.unary("Sqrt", reshapeInner(tf, cut(tf, pairs, [0, n], [0, 1]), 2, [n]));
}

/**
 * Left vectors: the directions of orthogonal columns, largest first. Taken from reflectors, they are
 * orthonormal even where a column is zero, and go on to a whole basis.
 */
function leftVectors(
  tf: Tf,
  columns: Tensor,
  [m, n]: readonly [number, number],
  count: number,
  unit: Unit,
): Tensor {
  const triangular = triangularize(tf, columns, m, n, unit);
  const basis = accumulate(tf, triangular, [m, count], unit);
  const positive = tf.binary("Greater", triangular.signs, tf.scalar(0, "float32"));
  const signs = tf.select(positive, tf.scalar(-1, "float32"), tf.scalar(1, "float32"));
  const outer = signs.shape.slice(0, -1).map((): [number, number] => [0, 0]);
  const all = tf.pad(signs, [...outer, [0, count - n]], 1);
  if (unit === 1) return tf.binary("Mul", basis, all);
  const column = reshapeInner(tf, all, 2, [count, 1]);
  const twice = reshapeInner(tf, joinColumns(tf, [column, column]), 2, [1, 2 * count]);
  return tf.binary("Mul", basis, twice);
}

/** One-sided rotations make the columns orthogonal: A V = U S. */
function tallFactors(
  tf: Tf,
  a: Tensor,
  [m, n]: readonly [number, number],
  unit: Unit,
  { full_matrices: full, compute_uv: vectors }: SvdParams,
): Factors {
  const { scaled, scale } = normalize(tf, a);
  const missing = n % 2;
  const even = n + missing;
  const start = padMatrix(tf, scaled, 0, unit * missing);
  const rotated = jacobi(tf, start, { kind: "svd", m, n: even, unit, vectors });
  const norms = columnNorms(tf, rotated.a, even, unit);
  const sorted = tf.topK(norms, n);
  const values = tf.binary("Mul", sorted.values, reshapeInner(tf, scale, 2, [1]));
  if (rotated.v === null) return { values, left: null, right: null };
  const order = orderMatrix(tf, sorted.indices, n, even, unit);
  const columns = orderColumns(tf, rotated.a, order);
  const left = leftVectors(tf, columns, [m, n], full ? m : n, unit);
  const right = cut(tf, orderColumns(tf, rotated.v, order), [0, unit * n], [0, unit * n]);
  return { values, left, right };
}

function lowerSvd(
  tf: Tf,
  x: GraphValue,
  params: SvdParams,
  outs: readonly ShapedArray[],
): readonly GraphValue[] {
  const [m, n] = matrixSize("svd", x);
  const unit = unitOf(x);
  const isTall = m >= n;
  const given = toBlocks(tf, x);
  const tall = isTall ? given : transposed(tf, given);
  const sizes = isTall ? ([m, n] as const) : ([n, m] as const);
  const { values, left, right } = tallFactors(tf, tall, sizes, unit, params);
  const out = at(outs, 0);
  const singular = tf.value(tf.reshape(values, out.shape), out);
  if (left === null || right === null) return [singular];
  const [u, v] = isTall ? [left, right] : [right, left];
  return [singular, fromBlocks(tf, u, at(outs, 1)), fromBlocks(tf, transposed(tf, v), at(outs, 2))];
}

/** Of matrices without rows or columns: any basis. */
function emptySvd(tf: Tf, outs: readonly ShapedArray[]): readonly GraphValue[] {
  return outs.map((out, index) => {
    if (index === 0 || isEmptyShape(out.shape)) return emptyValue(tf, out);
    const [rows = 0, columns = 0] = knownSizes("svd", out.shape, 2);
    const identity = tf.broadcastTo(eye(tf, [rows, columns], 1), out.shape);
    return unitOf({ aval: out }) === 1
      ? tf.value(identity, out)
      : tf.fromPair(identity, tf.scalar(0, "float32"), out);
  });
}

/** JAX's rule: there is no derivative of bases beyond the singular vectors. */
const svdJvp: JvpRule<SvdParams> = (o, primals, [tangent = null], params) => {
  const { compute_uv: vectors, full_matrices: full } = params;
  const [m, n] = at(primals, 0).aval.shape.slice(-2);
  if (vectors && full && (m === undefined || n === undefined || !dimEquals(m, n))) {
    throw new Jax2TfjsError(
      "no-jvp-rule",
      "Singular value decomposition JVP not implemented for full matrices",
    );
  }
  const outputs = o.bind(svd, primals, { ...params, full_matrices: false, compute_uv: true });
  const [s, u, vt] = [at(outputs, 0), at(outputs, 1), at(outputs, 2)];
  if (tangent === null) throw new Error("internal error: jvp without tangent");
  if (!vectors) {
    return { primals: [s], tangents: [singularValueTangents(o, { s, u, vt, tangent })] };
  }
  return { primals: outputs, tangents: svdTangents(o, { s, u, vt, tangent }) };
};

/**
 * About 24 nodes for each round of rotations, of which there are k - 1 in each of log2(k) + 3 sweeps
 * for k = min(m, n), and 20 for each left vector: TensorFlow.js has no kernel for any of it. From
 * k = 33 on the rounds are a loop.
 */
export const svd: Primitive<SvdParams> = definePrimitive<SvdParams>({
  name: "svd",
  manyNodes:
    "Jacobi's method: rounds of rotations, each a few matrix products, unrolled for small matrices.",
  abstractEval: (inputs, { full_matrices: full, compute_uv: vectors, subset_by_index: subset }) => {
    const operands = operandsOf("svd", inputs, [2]);
    const [m, n] = sizesOf(operands, 0);
    const rank = minDim(m, n);
    if (subset !== null && (subset[0] !== 0 || !dimEquals(subset[1], rank))) {
      throw invalid(`subset_by_index of svd is not supported, got ${printShape(subset)}`);
    }
    const { batch, dtype } = operands;
    const values = shapedArray(realPart(dtype), [...batch, rank]);
    if (!vectors) return [values];
    return [
      values,
      shapedArray(dtype, [...batch, m, full ? m : rank]),
      shapedArray(dtype, [...batch, full ? n : rank, n]),
    ];
  },
  jvp: svdJvp,
  transpose: none("svd is not linear"),
  batch: linalgBatch(() => svd),
  tfjs: (tf, inputs, params, outs) => {
    const x = at(inputs, 0);
    if (isEmptyShape(x.aval.shape)) return emptySvd(tf, outs);
    return lowerSvd(tf, x, params, outs);
  },
  limits: [
    {
      when: `more than ${unrolledColumns} rows and columns`,
      effect: "the model needs executeAsync",
      why: "the rotations are a loop, whose nodes TensorFlow.js runs asynchronously only",
    },
    {
      when: "signs and phases of singular vectors",
      effect: "not those of LAPACK",
      why: "they are free, and Jacobi's method finds others",
    },
  ],
  flops: ([x]) => 20 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? []),
});
