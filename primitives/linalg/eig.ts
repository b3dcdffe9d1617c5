/**
 * The record of `eig`: eigenvalues and eigenvectors of square matrices.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { definePrimitive, none, type JvpRule, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { floatOperand } from "../productOperands.js";
import { at, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import { adjoint, asType } from "./algebra.js";
import {
  conjugatePairs,
  diagonalOfBlocks,
  leftTriangularVectors,
  normalizeVectors,
  triangularVectors,
} from "./eigenvectors.js";
import {
  blocks,
  fromParts,
  joinBatch,
  matrixSize,
  reshapeInner,
  toBlocks,
  unitOf,
} from "./matrices.js";
import { lu } from "./lu.js";
import { complexSchur } from "./qrIteration.js";
import { eigenvalueTangents, eigTangents } from "./spectralJvp.js";
import { solveGeneral } from "./triangularJvp.js";
import { solveWith } from "./triangularSolve.js";
import { knownCount, linalgBatch, operandsOf, sizesOf } from "./types.js";

export type EigParams = {
  readonly compute_left_eigenvectors: boolean;
  readonly compute_right_eigenvectors: boolean;
  readonly enable_eigvec_derivs: boolean;
  readonly implementation: string | null;
};

/** A matrix in complex blocks, also if it is real. */
export function toComplexBlocks(tf: Tf, x: GraphValue): Tensor {
  if (unitOf(x) === 2) return toBlocks(tf, x);
  const re = joinBatch(tf, floatOperand(tf, x), 2);
  return blocks(tf, re, tf.binary("Mul", re, tf.scalar(0, "float32")));
}

function lowerEig(
  tf: Tf,
  x: GraphValue,
  params: EigParams,
  outs: readonly ShapedArray[],
): readonly GraphValue[] {
  const [n] = matrixSize("eig", x);
  const { t, q, scale } = complexSchur(tf, toComplexBlocks(tf, x), n);
  const diagonal = diagonalOfBlocks(tf, t, n);
  const values = unitOf(x) === 1 ? conjugatePairs(tf, diagonal, n) : diagonal;
  const factor = reshapeInner(tf, scale, 2, [1]);
  const scaled = (part: Tensor): Tensor => tf.binary("Mul", part, factor);
  const vectors = (triangular: Tensor, out: ShapedArray): GraphValue => {
    const { re, im } = normalizeVectors(tf, tf.matMul(q, triangular));
    return fromParts(tf, re, im, out);
  };
  const results = [fromParts(tf, scaled(values.re), scaled(values.im), at(outs, 0))];
  if (params.compute_left_eigenvectors) {
    results.push(vectors(leftTriangularVectors(tf, t, n), at(outs, 1)));
  }
  if (params.compute_right_eigenvectors) {
    results.push(vectors(triangularVectors(tf, t, n), at(outs, outs.length - 1)));
  }
  return results;
}

const complexOf = (dtype: DType): DType => {
  if (isComplex(dtype)) return dtype;
  return dtype === "float64" ? "complex128" : "complex64";
};

/** JAX's rule: vectors have derivatives only where the caller vouches for the assumptions. */
const eigJvp: JvpRule<EigParams> = (o, primals, [tangent = null], params) => {
  const { compute_left_eigenvectors: left, compute_right_eigenvectors: right } = params;
  if ((left || right) && !params.enable_eigvec_derivs) {
    throw new Jax2TfjsError(
      "no-jvp-rule",
      "Derivatives of non-symmetric eigenvectors are only valid under assumptions on the input " +
        "that JAX cannot check (see the enable_eigvec_derivs argument to jax.lax.linalg.eig). Pass " +
        "enable_eigvec_derivs=True to jax.lax.linalg.eig to opt in. See " +
        "https://github.com/jax-ml/jax/issues/2748 for discussion.",
    );
  }
  if (tangent === null) throw new Error("internal error: jvp without tangent");
  const outputs = o.bind(eig, primals, { ...params, compute_right_eigenvectors: true });
  const values = at(outputs, 0);
  const vectors = at(outputs, outputs.length - 1);
  const direction = asType(o, tangent, vectors.aval.dtype);
  const solve = (inner: Ops, matrix: Value, b: Value): Value => {
    const factors = inner.bind(lu, [matrix], {});
    return solveGeneral(inner, [at(factors, 0), at(factors, 2)], b, solveWith);
  };
  if (!left && !right) {
    return { primals: [values], tangents: [eigenvalueTangents(o, vectors, direction, solve)] };
  }
  const [ofValues, ofRight] = eigTangents(o, [values, vectors], direction, solve);
  if (!left) return { primals: outputs, tangents: [ofValues, ofRight] };
  const adjointValues = o.conj(values);
  const leftVectors = at(outputs, 1);
  const [, ofLeft] = eigTangents(o, [adjointValues, leftVectors], adjoint(o, direction), solve);
  if (!right) return { primals: [values, leftVectors], tangents: [ofValues, ofLeft] };
  return { primals: outputs, tangents: [ofValues, ofLeft, ofRight] };
};

/** A loop of QR steps of about 25 nodes for each column: its length depends on the numbers. */
export const eig: Primitive<EigParams> = definePrimitive<EigParams>({
  name: "eig",
  manyNodes:
    "The QR iteration and back substitution, step by step; TensorFlow.js has no kernel for it.",
  abstractEval: (inputs, params) => {
    const operands = operandsOf("eig", inputs, [2]);
    const [rows, columns] = sizesOf(operands, 0);
    if (!dimEquals(rows, columns)) {
      throw shapeMismatch(
        "The input to eig must be a square matrix. " +
          `Got shape ${printShape(at(operands.sizes, 0))}.`,
      );
    }
    const dtype = complexOf(operands.dtype);
    const wanted = [params.compute_left_eigenvectors, params.compute_right_eigenvectors];
    const vectors = shapedArray(dtype, at(inputs, 0).shape);
    return [
      shapedArray(dtype, [...operands.batch, columns]),
      ...wanted.filter((want) => want).map(() => vectors),
    ];
  },
  jvp: eigJvp,
  transpose: none("eig is not linear"),
  batch: linalgBatch(() => eig),
  tfjs: (tf, inputs, params, outs) => {
    const x = at(inputs, 0);
    if (isEmptyShape(x.aval.shape)) return outs.map((out) => emptyValue(tf, out));
    return lowerEig(tf, x, params, outs);
  },
  limits: [
    {
      when: "always, from two rows on",
      effect: "the model needs executeAsync",
      why: "how many steps are needed depends on the matrix, so they are a loop",
    },
    {
      when: "defective matrices (fewer eigenvectors than rows)",
      effect: "eigenvalues and eigenvectors are accurate to a root of the rounding error",
      why: "so it is with LAPACK, but other errors are found",
    },
    {
      when: "order of eigenvalues, signs and phases of eigenvectors",
      effect: "not those of LAPACK",
      why: "they are free",
    },
  ],
  flops: ([x]) => 25 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? []),
});
