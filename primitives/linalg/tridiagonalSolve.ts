/**
 * The record of `tridiagonal_solve`: systems of equations with three diagonals.
 */
import { shapedArray } from "../../src/ir/aval.js";
import { dimEquals } from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { definePrimitive, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../../src/ir/tf.js";
import { addTangents } from "../factories.js";
import { floatOperand } from "../productOperands.js";
import { at, emptyValue, isEmptyShape, shapeMismatch, upTo } from "../support.js";
import { luFactors } from "./lu.js";
import {
  blocks,
  columnsOfRows,
  cut,
  fromColumns,
  joinBatch,
  joinColumns,
  knownSizes,
  maskOf,
  partsOfRows,
  parts,
  reshapeInner,
  rowsOfParts,
  unitOf,
  type Unit,
} from "./matrices.js";
import { solveTriangular } from "./triangular.js";
import { tridiagonalProduct } from "./triangularJvp.js";
import { knownCount, linalgBatch, operandsOf } from "./types.js";

export type TridiagonalSolveParams = {
  /** Tiny pivots are replaced, so that singular systems have a finite solution. */
  readonly perturb_singular: boolean;
};

/** Beyond this many rows real systems are solved by reduction, without exchanges of rows. */
const eliminatedRows = 128;

/** A column of numbers. */
const columnOf = (tf: Tf, x: Tensor): Tensor => reshapeInner(tf, x, 1, [Number(x.shape.at(-1)), 1]);

/** The matrix with these diagonals: `lower` begins, and `upper` ends, with a number that is unused. */
function dense(tf: Tf, [lower, middle, upper]: readonly Tensor[], n: number): Tensor {
  const diagonals = [lower, middle, upper];
  let matrix: Tensor = tf.scalar(0, "float32");
  diagonals.forEach((diagonal, index) => {
    if (diagonal === undefined || (n === 1 && index !== 1)) return;
    const place = maskOf(tf, [n, n], 1, (row, column) => column - row === index - 1);
    matrix = tf.select(place, columnOf(tf, diagonal), matrix);
  });
  return matrix;
}

/** Elimination with exchanges of rows, right-hand sides included, as LAPACK does. */
function eliminate(
  tf: Tf,
  inputs: readonly GraphValue[],
  n: number,
  width: number,
  perturb: boolean,
): Tensor {
  const right = at(inputs, 3);
  const unit = unitOf(right);
  const [matrix, sides] =
    unit === 1
      ? [dense(tf, diagonalsOf(tf, inputs), n), joinBatch(tf, floatOperand(tf, right), 2)]
      : [complexMatrix(tf, inputs, n), rowsOfParts(tf, parts(tf, right))];
  const whole = joinColumns(tf, [matrix, sides]);
  const { packed } = luFactors(tf, whole, n, n + width, unit);
  const upper = cut(tf, packed, [0, n], [0, unit * n]);
  const reduced = cut(tf, packed, [0, n], [unit * n, unit * (n + width)]);
  const factor = unit === 1 ? upper : blocksOfRows(tf, upper);
  return solveTriangular(
    tf,
    perturb ? withoutTinyPivots(tf, factor, n, unit) : factor,
    unit === 1 ? reduced : columnsOfRows(tf, reduced),
    n,
    unit,
    { leftSide: true, lower: false, transpose: false, unitDiagonal: false },
  );
}

const diagonalsOf = (tf: Tf, inputs: readonly GraphValue[]): readonly Tensor[] =>
  inputs.slice(0, 3).map((input) => joinBatch(tf, floatOperand(tf, input), 1));

function complexMatrix(tf: Tf, inputs: readonly GraphValue[], n: number): Tensor {
  const diagonals = inputs.slice(0, 3).map((input) => parts(tf, input, 1));
  const re = dense(
    tf,
    diagonals.map((diagonal) => diagonal.re),
    n,
  );
  const im = dense(
    tf,
    diagonals.map((diagonal) => diagonal.im),
    n,
  );
  return rowsOfParts(tf, { re, im });
}

function blocksOfRows(tf: Tf, rows: Tensor): Tensor {
  const { re, im } = partsOfRows(tf, rows);
  return blocks(tf, re, im);
}

/** Pivots of U below its largest entry times the rounding unit become that. */
function withoutTinyPivots(tf: Tf, upper: Tensor, n: number, unit: Unit): Tensor {
  const size = unit * n;
  const rank = upper.shape.length;
  const above = maskOf(tf, [n, n], unit, (row, column) => column >= row);
  const moduli = tf.select(above, tf.unary("Abs", upper), tf.scalar(0, "float32"));
  const largest = tf.reduce("Max", moduli, [rank - 2, rank - 1], true);
  const least = tf.binary("Mul", largest, tf.scalar(2 ** -23, "float32"));
  const real = tf.constant(
    upTo(size * size).map((index) => Number(Math.floor(index / size) === index % size)),
    "bool",
    [size, size],
  );
  // For complex numbers the larger part of the pivot decides.
  const parts = unit === 1 ? moduli : blockMaxima(tf, moduli, n);
  const isTiny = tf.binary("LogicalAnd", real, tf.binary("Less", parts, least));
  return tf.select(isTiny, least, upper);
}

/** The larger part of each complex number, at all places of its block. */
function blockMaxima(tf: Tf, moduli: Tensor, n: number): Tensor {
  const pairs = reshapeInner(tf, moduli, 2, [2 * n, n, 2]);
  const maxima = tf.reduce("Max", pairs, [pairs.shape.length - 1], true);
  const both = tf.concat([maxima, maxima], maxima.shape.length - 1);
  return reshapeInner(tf, both, 3, [2 * n, 2 * n]);
}

/**
 * Cyclic reduction of all rows at once: each step takes out the neighbours at distance 1, 2, 4, …
 * until every row stands alone.
 */
function reduceRows(tf: Tf, inputs: readonly GraphValue[], n: number): Tensor {
  const columns = diagonalsOf(tf, inputs).map((diagonal) => columnOf(tf, diagonal));
  const inside = (column: Tensor, first: number, last: number): Tensor => {
    const numbers = upTo(n).map((row) => Number(row >= first && row < last));
    return tf.binary("Mul", column, tf.constant(numbers, "float32", [n, 1]));
  };
  const [lower, middle, upper] = [at(columns, 0), at(columns, 1), at(columns, 2)];
  const right = joinBatch(tf, floatOperand(tf, at(inputs, 3)), 2);
  let rows = joinColumns(tf, [inside(lower, 1, n), middle, inside(upper, 0, n - 1), right]);
  const width = Number(right.shape.at(-1));
  const axis = rows.shape.length - 1;
  const split = (x: Tensor): readonly Tensor[] => tf.split(x, [1, 1, 1, width], axis);
  for (let distance = 1; distance < n; distance *= 2) {
    const [a, d, c, b] = fourOf(split(rows));
    const [aboveA, aboveD, aboveC, aboveB] = fourOf(split(shiftRows(tf, rows, distance, n)));
    const [belowA, belowD, belowC, belowB] = fourOf(split(shiftRows(tf, rows, -distance, n)));
    const fromAbove = tf.unary("Neg", tf.binary("DivNoNan", a, aboveD));
    const fromBelow = tf.unary("Neg", tf.binary("DivNoNan", c, belowD));
    const plus = (x: Tensor, factor: Tensor, y: Tensor): Tensor =>
      tf.binary("AddV2", x, tf.binary("Mul", factor, y));
    rows = joinColumns(tf, [
      tf.binary("Mul", fromAbove, aboveA),
      plus(plus(d, fromAbove, aboveC), fromBelow, belowA),
      tf.binary("Mul", fromBelow, belowC),
      plus(plus(b, fromAbove, aboveB), fromBelow, belowB),
    ]);
  }
  const [, divisor, , solution] = fourOf(split(rows));
  return tf.binary("RealDiv", solution, divisor);
}

function fourOf(x: readonly Tensor[]): readonly [Tensor, Tensor, Tensor, Tensor] {
  return [at(x, 0), at(x, 1), at(x, 2), at(x, 3)];
}

/** Row i becomes row i - distance; zeros beyond the ends. */
function shiftRows(tf: Tf, rows: Tensor, distance: number, n: number): Tensor {
  const outer = rows.shape.slice(0, -2).map((): [number, number] => [0, 0]);
  const [low, high] = [Math.max(distance, 0), Math.max(-distance, 0)];
  const kept = cut(tf, rows, [high, n - low], [0, Number(rows.shape.at(-1))]);
  return tf.pad(kept, [...outer, [low, high], [0, 0]], 0);
}

/** The diagonals of the transposed matrix. */
function transposeDiagonals(o: Ops, lower: Value, upper: Value): readonly [Value, Value] {
  const { shape, dtype } = lower.aval;
  const zero = o.literal(0, dtype);
  const move = (x: Value, low: number): Value =>
    o.pad(
      x,
      zero,
      shape.map((_, axis): [number, number, number] =>
        axis === shape.length - 1 ? [low, -low, 0] : [0, 0, 0],
      ),
    );
  return [move(upper, 1), move(lower, -1)];
}

/** Elimination takes about 20 nodes for each row; reduction 25 for each doubling. */
export const tridiagonalSolve: Primitive<TridiagonalSolveParams> =
  definePrimitive<TridiagonalSolveParams>({
    name: "tridiagonal_solve",
    manyNodes: "The elimination goes row by row.",
    abstractEval: (inputs) => {
      const { sizes, dtype } = operandsOf("tridiagonal_solve", inputs, [1, 1, 1, 2]);
      const [lower, middle, upper, right] = sizes.map((size) => at(size, 0));
      if (middle === undefined || right === undefined) throw new Error("internal error: operands");
      if (![lower, upper].every((size) => size !== undefined && dimEquals(size, middle))) {
        throw shapeMismatch(
          "tridiagonal_solve requires that all diagonal arguments have the same shape.",
        );
      }
      if (!dimEquals(middle, right)) {
        throw shapeMismatch(
          "tridiagonal_solve requires that the leading ndim-1 dimensions of b equal the dimensions " +
            "of the diagonal arguments.",
        );
      }
      return [shapedArray(dtype, at(inputs, 3).shape)];
    },
    jvp: (o, primals, [below = null, middle = null, above = null, right = null], params) => {
      const x = at(o.bind(tridiagonalSolve, primals, params), 0);
      const product = tridiagonalProduct(o, [below, middle, above], x);
      const rest = addTangents(o, [right, product === null ? null : o.neg(product)]);
      if (rest === null) return { primals: [x], tangents: [null] };
      const tangent = o.bind(tridiagonalSolve, [...primals.slice(0, 3), rest], params);
      return { primals: [x], tangents: tangent };
    },
    transpose: (o, [cotangent = null], inputs, params) => {
      const values = inputs.slice(0, 3).map((input) => {
        if (input.kind === "known") return input.value;
        throw new Jax2TfjsError("not-linear", "tridiagonal_solve is not linear in its matrix", {
          primitive: "tridiagonal_solve",
        });
      });
      if (cotangent === null) return [null, null, null, null];
      const [lower, upper] = transposeDiagonals(o, at(values, 0), at(values, 2));
      const operands = [lower, at(values, 1), upper, cotangent];
      return [null, null, null, at(o.bind(tridiagonalSolve, operands, params), 0)];
    },
    batch: linalgBatch(() => tridiagonalSolve),
    tfjs: (tf, inputs, { perturb_singular: perturb }, outs) => {
      const out = at(outs, 0);
      if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
      const [n = 0, width = 0] = knownSizes("tridiagonal_solve", out.shape, 2);
      const isLong = n > eliminatedRows && unitOf({ aval: out }) === 1 && !perturb;
      const x = isLong ? reduceRows(tf, inputs, n) : eliminate(tf, inputs, n, width, perturb);
      return [fromColumns(tf, x, out)];
    },
    limits: [
      {
        when: `more than ${eliminatedRows} rows of real numbers`,
        effect: "rows are not exchanged: inaccurate unless the diagonal dominates",
        why: "exchanges take nodes for each row",
      },
    ],
    flops: (inputs) => 8 * knownCount(inputs[3]?.shape ?? []),
  });
