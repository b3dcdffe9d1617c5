/**
 * Reflections with a choice among the columns: the one with the largest rest comes next. Called by
 * geqp3.
 */
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { batchOf, cut, keep, maskOf, reshapeInner, type Unit } from "./matrices.js";
import { permutationOfPivots } from "./pivots.js";
import {
  collect,
  reflectorOf,
  reflectRows,
  type Reflector,
  type Triangular,
} from "./reflectors.js";

/** Which of the columns from j on has the largest rows from j on: [batch, 1]. */
function largestColumn(
  tf: Tf,
  a: Tensor,
  [m, n]: readonly [number, number],
  j: number,
  unit: Unit,
): Tensor {
  const rest = maskOf(tf, [m, n], unit, (row) => row >= j);
  const squares = tf.unary("Square", j === 0 ? a : keep(tf, rest, a));
  const sums = tf.reduce("Sum", squares, [a.shape.length - 2], true);
  const free = maskOf(tf, [1, n], unit, (_, column) => column >= j);
  const candidates = tf.select(oneRow(tf, free), sums, tf.scalar(-1, "float32"));
  return tf.argReduce("ArgMax", candidates, a.shape.length - 1);
}

/** The first of the two equal rows that a mask of blocks has. */
function oneRow(tf: Tf, mask: Tensor): Tensor {
  return cut(tf, mask, [0, 1], [0, Number(mask.shape[1])]);
}

/** Exchanges column j with the chosen one. */
function exchange(tf: Tf, a: Tensor, index: Tensor, n: number, j: number, unit: Unit): Tensor {
  const height = Number(a.shape.at(-2));
  const axis = a.shape.length - 1;
  const columns = reshapeInner(tf, a, 2, [height, n, unit]);
  const numbers = Array.from({ length: n }, (_, column) => column);
  const place = reshapeInner(tf, index, 1, [1, 1, 1]);
  const chosen = tf.binary("Equal", tf.constant(numbers, "int32", [n, 1]), place);
  const picked = tf.reduce(
    "Sum",
    tf.select(chosen, columns, tf.scalar(0, "float32")),
    [axis],
    true,
  );
  const own = reshapeInner(tf, cut(tf, a, [0, height], [unit * j, unit * (j + 1)]), 2, [
    height,
    1,
    unit,
  ]);
  const isOwn = tf.constant(
    numbers.map((column) => Number(column === j)),
    "bool",
    [n, 1],
  );
  const exchanged = tf.select(isOwn, picked, tf.select(chosen, own, columns));
  return reshapeInner(tf, exchanged, 3, [height, unit * n]);
}

/** A P = Q R: R and the reflectors, and which column (from 1) each one of A P is. */
export function pivotedColumns(
  tf: Tf,
  a: Tensor,
  [m, n]: readonly [number, number],
  unit: Unit,
): { readonly triangular: Triangular; readonly columns: Tensor } {
  const steps = Math.min(m, n);
  const reflectors: Reflector[] = [];
  const choices: Tensor[] = [];
  let r = a;
  for (let j = 0; j < steps; j++) {
    const index = largestColumn(tf, r, [m, n], j, unit);
    // Columns of blocks are counted one by one.
    const column = unit === 1 ? index : tf.binary("FloorDiv", index, tf.scalar(unit, "int32"));
    choices.push(column);
    r = exchange(tf, r, column, n, j, unit);
    const chosen = cut(tf, r, [0, unit * m], [unit * j, unit * (j + 1)]);
    const reflector = reflectorOf(tf, chosen, m, j, unit);
    reflectors.push(reflector);
    r = reflectRows(tf, r, reflector, unit);
  }
  const pivots = tf.concat(choices, batchOf(a, 2).length);
  const order = permutationOfPivots(tf, pivots, steps, n);
  return {
    triangular: { r, ...collect(tf, reflectors) },
    columns: tf.binary("AddV2", order, tf.scalar(1, "int32")),
  };
}
