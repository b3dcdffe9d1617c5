/**
 * The records of `lu` and `lu_pivots_to_permutation`: triangular factors with partial pivoting.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { less, minDim, printShape, type Dim } from "../../src/ir/dims.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { checkCount } from "../factories.js";
import { at, dtypeMismatch, emptyValue, invalid, isEmptyShape } from "../support.js";
import {
  batchOf,
  cut,
  fromRows,
  joinBatch,
  joinColumns,
  joinRows,
  knownSizes,
  matrixSize,
  reshapeInner,
  toRows,
  unitOf,
  type Unit,
} from "./matrices.js";
import { permutationOfPivots } from "./pivots.js";
import { luTangent } from "./triangularJvp.js";
import { solveWith } from "./triangularSolve.js";
import { knownCount, linalgBatch, operandsOf, sizesOf, splitShapes } from "./types.js";

export interface LuFactors {
  /** L below the diagonal, U above; complex entries side by side. */
  readonly packed: Tensor;
  /** [batch, min(m, n)]: the row that each one was exchanged with. */
  readonly pivots: Tensor;
}

/** Which row of a column to take: the first of largest |re| + |im|, as LAPACK does. */
function choosePivot(tf: Tf, column: Tensor, rows: number): { chosen: Tensor; index: Tensor } {
  const axis = column.shape.length - 1;
  const moduli = tf.unary("Abs", column);
  const size = column.shape[axis] === 1 ? moduli : tf.reduce("Sum", moduli, [axis], true);
  const index = tf.argReduce("ArgMax", size, axis - 1);
  const numbers = Array.from({ length: rows }, (_, row) => row);
  const iota = tf.constant(numbers, "int32", [rows, 1]);
  const place = reshapeInner(tf, index, 1, [1, 1]);
  return { chosen: tf.binary("Equal", iota, place), index };
}

/** Exchanges the first row with the chosen one; gives the new first row, and the others. */
function exchange(tf: Tf, rest: Tensor, chosen: Tensor): readonly [pivot: Tensor, others: Tensor] {
  const [rows, width] = rest.shape.slice(-2).map(Number);
  const axis = rest.shape.length - 2;
  const picked = tf.select(chosen, rest, tf.scalar(0, "float32"));
  const pivot = tf.reduce("Sum", picked, [axis], true);
  const first = cut(tf, rest, [0, 1], [0, width ?? 0]);
  const exchanged = tf.select(chosen, first, rest);
  return [pivot, cut(tf, exchanged, [1, rows ?? 0], [0, width ?? 0])];
}

/** The pivot's row as blocks of two rows: [re, im] and [-im, re] for each entry. */
function bothRows(tf: Tf, row: Tensor): Tensor {
  const width = Number(row.shape.at(-1));
  const entries = tf.reshape(row, [...batchOf(row, 2), width / 2, 2]);
  const turned = tf.reverse(entries, [entries.shape.length - 1]);
  const signs = tf.constant([-1, 1], "float32", [2]);
  const second = tf.reshape(tf.binary("Mul", turned, signs), row.shape);
  return joinRows(tf, [row, second]);
}

/** One step: divides the column below the pivot, and takes its product with the row from the rest. */
function eliminate(tf: Tf, pivot: Tensor, others: Tensor, j: number, unit: Unit): Tensor {
  const width = Number(pivot.shape.at(-1));
  const axis = pivot.shape.length - 1;
  const [before, behind] = [unit * j, width - unit * (j + 1)];
  const sizes = [before, unit, behind].filter((size) => size > 0);
  const pieces = tf.split(others, sizes, axis);
  const place = before > 0 ? 1 : 0;
  const row = unit === 1 ? pivot : bothRows(tf, pivot);
  const rowPieces = tf.split(row, sizes, axis);
  const [column, divisor] = [at(pieces, place), at(rowPieces, place)];
  const factor = unit === 1 ? tf.binary("DivNoNan", column, divisor) : ratio(tf, column, divisor);
  const left = before > 0 ? [at(pieces, 0)] : [];
  if (behind === 0) return joinColumns(tf, [...left, factor]);
  const [rest, above] = [at(pieces, place + 1), at(rowPieces, place + 1)];
  const product = unit === 1 ? tf.binary("Mul", factor, above) : tf.matMul(factor, above);
  return joinColumns(tf, [...left, factor, tf.binary("Sub", rest, product)]);
}

/** Complex numbers (rows of two) divided by one (a block). */
function ratio(tf: Tf, numbers: Tensor, divisor: Tensor): Tensor {
  const axes = [divisor.shape.length - 2];
  const modulus = tf.reduce("Sum", tf.unary("Square", divisor), axes, true);
  return tf.binary("DivNoNan", tf.matMul(numbers, divisor, { transposeY: true }), modulus);
}

/**
 * Row by row, all rows below at once. A column of zeros has no pivot: 0 / 0 counts as 0 there, so
 * that U gets a zero on its diagonal, as LAPACK's does.
 */
export function luFactors(tf: Tf, a: Tensor, m: number, n: number, unit: Unit): LuFactors {
  const steps = Math.min(m, n);
  const rows: Tensor[] = [];
  const indices: Tensor[] = [];
  let rest = a;
  for (let j = 0; j < steps; j++) {
    const left = m - j;
    if (left === 1) {
      rows.push(rest);
      indices.push(tf.fill([...batchOf(rest, 2), 1], 0, "int32"));
      continue;
    }
    const column = cut(tf, rest, [0, left], [unit * j, unit * (j + 1)]);
    const { chosen, index } = choosePivot(tf, column, left);
    const [pivot, others] = exchange(tf, rest, chosen);
    rows.push(pivot);
    indices.push(index);
    rest = eliminate(tf, pivot, others, j, unit);
  }
  if (m > steps) rows.push(rest);
  const counted = Array.from({ length: steps }, (_, j) => j);
  const offsets = tf.constant(counted, "int32", [steps]);
  const places = tf.concat(indices, batchOf(a, 2).length);
  return { packed: joinRows(tf, rows), pivots: tf.binary("AddV2", places, offsets) };
}

function lower(tf: Tf, x: GraphValue, outs: readonly ShapedArray[]): readonly GraphValue[] {
  const [packedType, pivotsType, permutationType] = [at(outs, 0), at(outs, 1), at(outs, 2)];
  if (isEmptyShape(x.aval.shape)) return emptyFactors(tf, outs);
  const [m, n] = matrixSize("lu", x);
  const { packed, pivots } = luFactors(tf, toRows(tf, x), m, n, unitOf(x));
  const permutation = permutationOfPivots(tf, pivots, Math.min(m, n), m);
  return [
    fromRows(tf, packed, packedType),
    tf.value(tf.reshape(pivots, pivotsType.shape), pivotsType),
    tf.value(tf.reshape(permutation, permutationType.shape), permutationType),
  ];
}

/** Of matrices without elements: nothing is exchanged. */
function emptyFactors(tf: Tf, outs: readonly ShapedArray[]): readonly GraphValue[] {
  const [packed, pivots, permutation] = [at(outs, 0), at(outs, 1), at(outs, 2)];
  const unchanged = isEmptyShape(permutation.shape)
    ? emptyValue(tf, permutation)
    : tf.value(tf.range(at(permutation.shape, permutation.shape.length - 1)), permutation);
  return [emptyValue(tf, packed), emptyValue(tf, pivots), unchanged];
}

/**
 * About 20 nodes for each column: each needs the one before it, and the choice, exchange and
 * elimination of rows have no kernel in TensorFlow.js.
 */
export const lu: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "lu",
  manyNodes: "Pivoting goes column by column; TensorFlow.js has no kernel for it.",
  abstractEval: (inputs) => {
    const operands = operandsOf("lu", inputs, [2]);
    const [m, n] = sizesOf(operands, 0);
    const { batch, dtype } = operands;
    return [
      shapedArray(dtype, at(inputs, 0).shape),
      shapedArray("int32", [...batch, minDim(m, n)]),
      shapedArray("int32", [...batch, m]),
    ];
  },
  jvp: (o, primals, [tangent = null], params) => {
    const outputs = o.bind(lu, primals, params);
    const [packed, permutation] = [at(outputs, 0), at(outputs, 2)];
    const derived = tangent === null ? null : luTangent(o, packed, permutation, tangent, solveWith);
    return { primals: outputs, tangents: [derived, null, null] };
  },
  transpose: none("lu is not linear"),
  batch: linalgBatch(() => lu),
  tfjs: (tf, inputs, _params, outs) => lower(tf, at(inputs, 0), outs),
  flops: ([x]) => (2 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? [])) / 3,
});

export type PermutationParams = { readonly permutation_size: Dim };

export const luPivotsToPermutation: Primitive<PermutationParams> =
  definePrimitive<PermutationParams>({
    name: "lu_pivots_to_permutation",
    abstractEval: (inputs, { permutation_size: size }) => {
      checkCount("lu_pivots_to_permutation", inputs, 1);
      const pivots = at(inputs, 0);
      if (pivots.dtype !== "int32") {
        throw dtypeMismatch(
          `lu_pivots_to_permutation does not accept dtype ${pivots.dtype}. ` +
            "Accepted dtypes are subtypes of int32.",
        );
      }
      const { batch, sizes } = splitShapes("lu_pivots_to_permutation", inputs, [1]);
      const count = at(at(sizes, 0), 0);
      if (less(size, count)) {
        throw invalid(
          `Output permutation size ${printShape([size])} has to exceed the trailing dimension of ` +
            `the pivots. Got pivots size ${String(count)}`,
        );
      }
      return [shapedArray("int32", [...batch, size])];
    },
    jvp: (o, primals, _tangents, params) => ({
      primals: o.bind(luPivotsToPermutation, primals, params),
      tangents: [null],
    }),
    transpose: none("lu_pivots_to_permutation has no derivative"),
    batch: linalgBatch(() => luPivotsToPermutation),
    tfjs: (tf, inputs, { permutation_size: size }, outs) => {
      const [pivots, out] = [at(inputs, 0), at(outs, 0)];
      if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
      const [count = 0] = knownSizes("lu_pivots_to_permutation", pivots.aval.shape, 1);
      const [rows = 0] = knownSizes("lu_pivots_to_permutation", [size], 1);
      if (count === 0) return [tf.value(tf.range(rows), out)];
      const joined = joinBatch(tf, tf.tensor(pivots), 1);
      const permutation = permutationOfPivots(tf, joined, count, rows);
      return [tf.value(tf.reshape(permutation, out.shape), out)];
    },
  });
