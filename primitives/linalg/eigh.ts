/**
 * The record of `eigh`: eigenvalues and eigenvectors of self-adjoint matrices.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape, type Dim } from "../../src/ir/dims.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tf } from "../../src/ir/tf.js";
import { at, emptyValue, invalid, isEmptyShape, shapeMismatch, upTo } from "../support.js";
import { selfAdjoint } from "./hessenberg.js";
import { jacobi, pick, unrolledColumns } from "./jacobi.js";
import { cut, fromBlocks, matrixSize, reshapeInner, toBlocks, unitOf } from "./matrices.js";
import { normalize, orderColumns, orderMatrix, padMatrix } from "./ordering.js";
import { eighTangents, symmetrized } from "./spectralJvp.js";
import { knownCount, linalgBatch, operandsOf, realPart, sizesOf } from "./types.js";

export type EighParams = {
  /** Which triangle of the matrix is looked at. */
  readonly lower: boolean;
  readonly sort_eigenvalues: boolean;
  readonly subset_by_index: readonly [begin: number, end: number] | null;
  readonly algorithm: string | null;
};

/** All of them: JAX has parts on TPU only. */
function checkSubset(name: string, subset: readonly [number, number] | null, size: Dim): void {
  if (subset === null || (subset[0] === 0 && dimEquals(subset[1], size))) return;
  throw invalid(`subset_by_index of ${name} is not supported, got ${printShape(subset)}`);
}

function lowerEigh(
  tf: Tf,
  x: GraphValue,
  { lower }: EighParams,
  [vectors, values]: readonly [ShapedArray, ShapedArray],
): readonly GraphValue[] {
  const [n] = matrixSize("eigh", x);
  const unit = unitOf(x);
  const given = selfAdjoint(tf, toBlocks(tf, x), n, unit, lower);
  const { scaled, scale } = normalize(tf, given);
  const missing = n === 1 ? 1 : n % 2;
  const even = n + missing;
  const start = padMatrix(tf, scaled, unit * missing, unit * missing);
  const { a, v } = jacobi(tf, start, { kind: "eigh", m: even, n: even, unit, vectors: true });
  if (v === null) throw new Error("internal error: eigh without vectors");
  const width = unit * even;
  const diagonal = upTo(n).map((index) => unit * index * (width + 1));
  const found = pick(tf, a, 2, diagonal, [n]);
  const sorted = tf.topK(tf.unary("Neg", found), n);
  const order = orderMatrix(tf, sorted.indices, n, even, unit);
  const columns = cut(tf, orderColumns(tf, v, order), [0, unit * n], [0, unit * n]);
  const negative = tf.unary("Neg", reshapeInner(tf, scale, 2, [1]));
  const w = tf.binary("Mul", sorted.values, negative);
  return [fromBlocks(tf, columns, vectors), tf.value(tf.reshape(w, values.shape), values)];
}

/**
 * About 25 nodes for each round of rotations, of which there are n - 1 in each of log2(n) + 3
 * sweeps: TensorFlow.js has no kernel for any of it. From 34 rows on the rounds are a loop.
 */
export const eigh: Primitive<EighParams> = definePrimitive<EighParams>({
  name: "eigh",
  manyNodes:
    "Jacobi's method: rounds of rotations, each a few matrix products, unrolled for small matrices.",
  abstractEval: (inputs, params) => {
    const operands = operandsOf("eigh", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns)) {
      throw shapeMismatch(
        "Argument to symmetric eigendecomposition must have shape [..., n, n], " +
          `got shape ${printShape(at(operands.sizes, 0))}`,
      );
    }
    checkSubset("eigh", params.subset_by_index, columns);
    const { batch, dtype } = operands;
    return [
      shapedArray(dtype, at(inputs, 0).shape),
      shapedArray(realPart(dtype), [...batch, columns]),
    ];
  },
  jvp: (o, primals, [tangent = null], params) => {
    const outputs = o.bind(eigh, [symmetrized(o, at(primals, 0))], params);
    if (tangent === null) return { primals: outputs, tangents: [null, null] };
    const tangents = eighTangents(o, at(outputs, 0), at(outputs, 1), tangent);
    return { primals: outputs, tangents };
  },
  transpose: none("eigh is not linear"),
  batch: linalgBatch(() => eigh),
  tfjs: (tf, inputs, params, outs) => {
    const [x, vectors, values] = [at(inputs, 0), at(outs, 0), at(outs, 1)];
    if (isEmptyShape(vectors.shape)) return [emptyValue(tf, vectors), emptyValue(tf, values)];
    return lowerEigh(tf, x, params, [vectors, values]);
  },
  limits: [
    {
      when: `more than ${unrolledColumns} rows`,
      effect: "the model needs executeAsync",
      why: "the rotations are a loop, whose nodes TensorFlow.js runs asynchronously only",
    },
    {
      when: "signs and phases of eigenvectors",
      effect: "not those of LAPACK",
      why: "they are free, and Jacobi's method finds others",
    },
  ],
  flops: ([x]) => 10 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? []),
});
