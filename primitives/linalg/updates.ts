/**
 * The records of `cholesky_update` and `symmetric_product`.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape } from "../../src/ir/dims.js";
import { isFloat } from "../../src/ir/dtypes.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { floatOperand } from "../productOperands.js";
import { at, dtypeMismatch, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import { cut, joinBatch, joinRows, matrixSize } from "./matrices.js";
import { knownCount, linalgBatch, operandsOf, sizesOf } from "./types.js";

function requireReal(name: string, inputs: readonly ShapedArray[]): void {
  const place = inputs.findIndex(({ dtype }) => !isFloat(dtype));
  if (place < 0) return;
  throw dtypeMismatch(
    `${name} does not accept dtype ${at(inputs, place).dtype} at position ${place}. ` +
      `Accepted dtypes at position ${place} are subtypes of floating.`,
  );
}

/** R of R^T R + w w^T: row k and what is left of w are rotated so that w_k becomes zero. */
function updateRows(tf: Tf, r: Tensor, w: Tensor, n: number): Tensor {
  const rows: Tensor[] = [];
  let rest = w;
  for (let k = 0; k < n; k++) {
    const row = cut(tf, r, [k, k + 1], [0, n]);
    const x = cut(tf, row, [0, 1], [k, k + 1]);
    const y = cut(tf, rest, [0, 1], [k, k + 1]);
    const squares = tf.binary("AddV2", tf.unary("Square", x), tf.unary("Square", y));
    const norm = tf.unary("Sqrt", squares);
    const isDone = tf.binary("Equal", y, tf.scalar(0, "float32"));
    const cosine = tf.select(isDone, tf.scalar(1, "float32"), tf.binary("DivNoNan", x, norm));
    const sine = tf.binary("DivNoNan", y, norm);
    const times = (factor: Tensor, value: Tensor): Tensor => tf.binary("Mul", factor, value);
    rows.push(tf.binary("AddV2", times(cosine, row), times(sine, rest)));
    rest = tf.binary("Sub", times(cosine, rest), times(sine, row));
  }
  return joinRows(tf, rows);
}

/** About 16 nodes for each row: each rotation needs the one before it. */
export const choleskyUpdate: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "cholesky_update",
  abstractEval: (inputs) => {
    requireReal("cholesky_update", inputs);
    const { batch, sizes, dtype } = operandsOf("cholesky_update", inputs, [2, 1]);
    const [r, w] = [at(sizes, 0), at(sizes, 1)];
    if (batch.length > 0) {
      throw shapeMismatch(
        "Input 0 to cholesky_update must have a rank of exactly 2, but got " +
          `shape=${printShape(at(inputs, 0).shape)}`,
      );
    }
    if (!dimEquals(at(r, 0), at(r, 1)) || !dimEquals(at(w, 0), at(r, 1))) {
      throw shapeMismatch(
        "Rank-1 update to Cholesky decomposition takes a square matrix and a vector of the same " +
          `size as input. Got shapes ${printShape(r)} and ${printShape(w)} instead`,
      );
    }
    return [shapedArray(dtype, at(inputs, 0).shape)];
  },
  jvp: none("JAX has no derivative of cholesky_update"),
  transpose: none("cholesky_update is not linear"),
  batch: none("JAX has no batching of cholesky_update"),
  tfjs: (tf, inputs, _params, outs) => {
    const [r, w, out] = [at(inputs, 0), at(inputs, 1), at(outs, 0)];
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const [n] = matrixSize("cholesky_update", r);
    const vector = tf.reshape(floatOperand(tf, w), [1, n]);
    return [tf.value(updateRows(tf, floatOperand(tf, r), vector, n), out)];
  },
  flops: ([r]) => 6 * knownCount(r?.shape ?? []),
});

export type SymmetricProductParams = { readonly alpha: number; readonly beta: number };

/** alpha A A^T + beta C. */
export const symmetricProduct: Primitive<SymmetricProductParams> =
  definePrimitive<SymmetricProductParams>({
    name: "symmetric_product",
    abstractEval: (inputs) => {
      requireReal("symmetric_product", inputs);
      const operands = operandsOf("symmetric_product", inputs, [2, 2]);
      const [rows] = sizesOf(operands, 0);
      const [height, width] = sizesOf(operands, 1);
      if (!dimEquals(rows, width) || !dimEquals(height, width)) {
        const [a, c] = operands.sizes.map(printShape);
        throw shapeMismatch(
          "symmetric_update expects a rectangular matrix of shape (m, n) and a square matrix of " +
            `shape (n, n). Got shapes ${a} and ${c}.`,
        );
      }
      return [shapedArray(operands.dtype, at(inputs, 1).shape)];
    },
    jvp: none("JAX has no derivative of symmetric_product"),
    transpose: none("symmetric_product is not linear"),
    batch: linalgBatch(() => symmetricProduct),
    tfjs: (tf, inputs, { alpha, beta }, outs) => {
      const out = at(outs, 0);
      if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
      const operand = (index: number): Tensor =>
        joinBatch(tf, floatOperand(tf, at(inputs, index)), 2);
      const a = operand(0);
      const product = tf.matMul(a, a, { transposeY: true });
      const scaled = (x: Tensor, factor: number): Tensor =>
        factor === 1 ? x : tf.binary("Mul", x, tf.scalar(factor, "float32"));
      const sum = tf.binary("AddV2", scaled(product, alpha), scaled(operand(1), beta));
      return [tf.value(tf.reshape(sum, out.shape), out)];
    },
    flops: ([a]) => 2 * knownCount(a?.shape ?? []) * knownCount(a?.shape.slice(-2, -1) ?? []),
  });
