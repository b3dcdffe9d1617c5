/**
 * Scatter on flattened rows: sums through ScatterNd, unique writes through TensorScatterUpdate, and
 * combiners with repeated rows through sorting and a segmented scan. Used by scatter.ts.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { addDims, subDims, type Dim } from "../src/ir/dims.js";
import { isComplex, isFloat } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { identityOf, type Monoid } from "./reduce.js";
import type { RowNumbers } from "./scatterLayout.js";
import { at, moveData } from "./support.js";
import { halvingSteps } from "./treeReduce.js";

/** Operand rows [N, P], update rows [M, P] and where they go. */
export interface RowScatter {
  readonly operand: GraphValue;
  readonly updates: GraphValue;
  readonly numbers: RowNumbers;
}

/** New value from old value and update, on whole arrays. */
export type Combiner = (o: Ops, old: Value, update: Value) => Value;

/** Up to this many updates, pairs are compared; sorting is cheaper beyond. */
const MAX_PAIRWISE = 512;
/** Up to this many elements, all rows are compared with all updates. */
const MAX_DENSE = 1 << 18;
/** Up to this many updates, a combiner of unknown kind is applied one by one. */
const MAX_UNROLLED = 64;

const column = (tf: Tf, vector: Tensor): Tensor => tf.reshape(vector, [at(vector.shape, 0), 1]);
const countOf = (value: GraphValue): Dim => at(value.aval.shape, 0);

/** Row numbers with `sentinel` for dropped updates. */
function withSentinel(tf: Tf, { rows, kept }: RowNumbers, sentinel: Dim): Tensor {
  return kept === null ? rows : tf.select(kept, rows, tf.dim(sentinel));
}

/** Writes update rows whose kept row numbers are all different. */
export function writeRows(tf: Tf, { operand, updates, numbers }: RowScatter): GraphValue {
  if (countOf(updates) === 0) return operand;
  const count = countOf(operand);
  const places = column(tf, withSentinel(tf, numbers, count));
  return moveData(tf, [operand, updates], operand.aval, (parts) => {
    const x = at(parts, 0);
    if (numbers.kept === null) return tf.tensorScatterUpdate(x, places, at(parts, 1));
    // Dropped updates go to a row of their own behind the last.
    const more = tf.pad(
      x,
      [
        [0, 1],
        [0, 0],
      ],
      x.dtype === "bool" ? false : 0,
    );
    const written = tf.tensorScatterUpdate(more, places, at(parts, 1));
    return tf.slice(written, [0, 0], operand.aval.shape);
  });
}

/** Sums of the updates of each row. */
export function sumRows(tf: Tf, { operand, updates, numbers }: RowScatter): GraphValue {
  const { aval } = operand;
  const places = column(tf, numbers.rows);
  const kept = numbers.kept === null ? null : column(tf, numbers.kept);
  const sum = (part: Tensor): Tensor => {
    const zero = tf.scalar(0, isComplex(aval.dtype) ? "float32" : part.dtype);
    const masked = kept === null ? part : tf.select(kept, part, zero);
    return tf.scatterNd(places, masked, aval.shape);
  };
  if (!isComplex(aval.dtype)) return tf.value(sum(tf.tensor(updates)), aval);
  const { re, im } = tf.pair(updates);
  const whole = (part: Tensor): Tensor => tf.broadcastTo(part, updates.aval.shape);
  return tf.fromPair(sum(whole(re)), sum(whole(im)), aval);
}

/** Rows of the operand that updates go to. */
function takeRows(tf: Tf, operand: GraphValue, rows: Tensor): GraphValue {
  const shape = [at(rows.shape, 0), at(operand.aval.shape, 1)];
  const aval = shapedArray(operand.aval.dtype, shape);
  return moveData(tf, [operand], aval, (parts) => tf.gather(at(parts, 0), rows, 0));
}

/** Updates in another order. */
function reorder(tf: Tf, updates: GraphValue, order: Tensor): GraphValue {
  return moveData(tf, [updates], updates.aval, (parts) => tf.gather(at(parts, 0), order, 0));
}

/** Combines rows that are written at most once with their updates. */
export function combineUniqueRows(tf: Tf, scatter: RowScatter, combiner: Combiner): GraphValue {
  if (countOf(scatter.updates) === 0) return scatter.operand;
  const old = takeRows(tf, scatter.operand, scatter.numbers.rows);
  const combined = tf.inline([old, scatter.updates], (o, values) => [
    combiner(o, at(values, 0), at(values, 1)),
  ]);
  return writeRows(tf, { ...scatter, updates: at(combined, 0) });
}

/** Row numbers known at conversion time (-1: dropped). */
function knownRows({ rows, kept }: RowNumbers): readonly number[] | null {
  if (rows.value === null) return null;
  const numbers = [...asInt32(rows.value)];
  if (kept === null) return numbers;
  if (kept.value === null) return null;
  const flags = asInt32(kept.value);
  return numbers.map((row, index) => (flags[index] === 0 ? -1 : row));
}

/** Known updates in rounds without repeated rows, each as positions among the updates. */
function roundsOf(rows: readonly number[]): readonly (readonly number[])[] {
  const seen = new Map<number, number>();
  const rounds: number[][] = [];
  for (const [index, row] of rows.entries()) {
    if (row < 0) continue;
    const round = seen.get(row) ?? 0;
    seen.set(row, round + 1);
    (rounds[round] ??= []).push(index);
  }
  return rounds;
}

/** The updates at known positions, which go to known rows. */
function pick(
  tf: Tf,
  scatter: RowScatter,
  rows: readonly number[],
  positions: readonly number[],
): RowScatter {
  const targets = positions.map((index) => at(rows, index));
  const places = tf.constant(targets, "int32", [targets.length]);
  const all = positions.length === rows.length;
  const order = tf.constant(positions, "int32", [positions.length]);
  const aval = shapedArray(scatter.updates.aval.dtype, [
    positions.length,
    at(scatter.updates.aval.shape, 1),
  ]);
  const updates = all
    ? scatter.updates
    : moveData(tf, [scatter.updates], aval, (parts) => tf.gather(at(parts, 0), order, 0));
  return { operand: scatter.operand, updates, numbers: { rows: places, kept: null } };
}

/** Sorted by row, equal rows in the order of the updates reversed: the last update comes first. */
function sortLastFirst(tf: Tf, rows: Tensor): { readonly sorted: Tensor; readonly order: Tensor } {
  const count = at(rows.shape, 0);
  const { values, indices } = tf.topK(tf.reverse(rows, [0]), count);
  return { sorted: values, order: tf.binary("Sub", tf.dim(subDims(count, 1)), indices) };
}

/** Where a sorted vector changes: true for the first of equal numbers. */
function firstOfRun(tf: Tf, sorted: Tensor): Tensor {
  const count = at(sorted.shape, 0);
  const before = tf.pad(tf.slice(sorted, [0], [subDims(count, 1)]), [[1, 0]], -1);
  return tf.binary("NotEqual", sorted, before);
}

function and(tf: Tf, x: Tensor, y: Tensor | null): Tensor {
  return y === null ? x : tf.binary("LogicalAnd", x, y);
}

/** Keeps the last update of each row: JAX on the CPU applies updates in order. */
export function lastWins(tf: Tf, scatter: RowScatter): RowScatter {
  const { operand, updates, numbers } = scatter;
  const known = knownRows(numbers);
  if (known !== null) {
    const last = new Map(known.map((row, index) => [row, index]));
    const winners = known.flatMap((row, index) =>
      row >= 0 && last.get(row) === index ? [index] : [],
    );
    return pick(tf, scatter, known, winners);
  }
  const count = countOf(updates);
  const rows = withSentinel(tf, numbers, countOf(operand));
  if (typeof count === "number" && count <= MAX_PAIRWISE) {
    const across = tf.reshape(rows, [1, count]);
    const same = tf.binary("Equal", column(tf, rows), across);
    const range = tf.range(count);
    const later = tf.binary("Greater", tf.reshape(range, [1, count]), column(tf, range));
    const replaced = tf.reduce("Any", tf.binary("LogicalAnd", same, later), [1]);
    const kept = and(tf, tf.unary("LogicalNot", replaced), numbers.kept);
    return { operand, updates, numbers: { rows: numbers.rows, kept } };
  }
  const { sorted, order } = sortLastFirst(tf, rows);
  const first = firstOfRun(tf, sorted);
  const inside = numbers.kept === null ? null : tf.binary("Less", sorted, tf.dim(countOf(operand)));
  return {
    operand,
    updates: reorder(tf, updates, order),
    numbers: { rows: sorted, kept: and(tf, first, inside) },
  };
}

/** All rows against all updates: small problems in a few nodes. */
function combineDense(tf: Tf, scatter: RowScatter, monoid: Monoid, combiner: Combiner): GraphValue {
  const { operand, updates, numbers } = scatter;
  const [rowCount, rowSize] = [countOf(operand), at(operand.aval.shape, 1)];
  const count = countOf(updates);
  const rows = tf.reshape(withSentinel(tf, numbers, rowCount), [1, count, 1]);
  const mask = tf.binary("Equal", tf.reshape(tf.range(rowCount), [rowCount, 1, 1]), rows);
  const shape = [rowCount, count, rowSize];
  const hits = tf.value(mask, shapedArray("bool", shape));
  const { dtype } = operand.aval;
  // The greatest of infinities only is finite on webgl: rows that nothing goes to keep what they hold.
  const keepsRows = isFloat(dtype) && (monoid === "max" || monoid === "min") && !tf.exactIntegers;
  const combined = tf.inline([operand, updates, hits], (o, values) => {
    const [old, update, hit] = [at(values, 0), at(values, 1), at(values, 2)];
    const spread = o.broadcastInDim(update, shape, [1, 2]);
    const nothing = o.full(shape, identityOf(monoid, dtype), dtype);
    const masked = o.selectN(hit, nothing, spread);
    const result = combiner(o, old, reduceMonoid(o, monoid, masked));
    return [keepsRows ? o.selectN(o.reduceOr(hit, [1]), old, result) : result];
  });
  return at(combined, 0);
}

function reduceMonoid(o: Ops, monoid: Monoid, x: Value): Value {
  switch (monoid) {
    case "max":
      return o.reduceMax(x, [1]);
    case "min":
      return o.reduceMin(x, [1]);
    case "prod":
      return o.reduceProd(x, [1]);
    case "sum":
      return o.reduceSum(x, [1]);
    case "and":
      return o.reduceAnd(x, [1]);
    case "or":
      return o.reduceOr(x, [1]);
    case "xor":
      return o.reduceXor(x, [1]);
  }
}

/** The place of the first update of each one's row, among updates sorted by row, last row first. */
function startsOfRuns(tf: Tf, sorted: Tensor, rowCount: Dim): Tensor {
  const ones = tf.fill(sorted.shape, 1, "int32");
  const counts = tf.scatterNd(column(tf, sorted), ones, [rowCount]);
  const starts = tf.cumulative("Cumsum", counts, 0, { reverse: true, exclusive: true });
  return tf.gather(starts, sorted, 0);
}

/**
 * Combines runs of equal rows; the last element of each run then holds the whole run. After step n
 * each element holds the 2^n before it, as far as they are in its run.
 */
function segmentedScan(
  tf: Tf,
  updates: GraphValue,
  starts: Tensor,
  monoid: Monoid,
  combiner: Combiner,
): GraphValue {
  const { aval } = updates;
  const count = at(aval.shape, 0);
  const range = tf.range(count);
  // To combine some twice changes nothing, but for sums and the like.
  const isIdempotent = monoid !== "sum" && monoid !== "prod" && monoid !== "xor";
  const identity = identityOf(monoid, aval.dtype);
  let result = updates;
  for (let step = 0; step < halvingSteps(count); step++) {
    const before = tf.binary("Sub", range, tf.scalar(2 ** step, "int32"));
    const places = tf.binary("Maximum", before, starts);
    const taken = moveData(tf, [result], aval, (parts) => tf.gather(at(parts, 0), places, 0));
    const inRun = isIdempotent
      ? []
      : [tf.value(tf.binary("Equal", before, places), shapedArray("bool", [count]))];
    const combined = tf.inline([taken, result, ...inRun], (o, [earlier, later, isNear]) => {
      if (earlier === undefined || later === undefined) return [];
      if (isNear === undefined) return [combiner(o, earlier, later)];
      const nothing = o.full(aval.shape, identity, aval.dtype);
      const near = o.broadcastInDim(isNear, aval.shape, [0]);
      return [combiner(o, o.selectN(near, nothing, earlier), later)];
    });
    result = at(combined, 0);
  }
  return result;
}

/** Sorts the updates by row and reduces each run, then writes rows once. */
function combineSorted(
  tf: Tf,
  scatter: RowScatter,
  monoid: Monoid,
  combiner: Combiner,
): GraphValue {
  const { operand, numbers } = scatter;
  const rowCount = countOf(operand);
  const count = countOf(scatter.updates);
  const { values, indices } = tf.topK(withSentinel(tf, numbers, rowCount), count);
  const updates = reorder(tf, scatter.updates, indices);
  const starts = startsOfRuns(tf, values, numbers.kept === null ? rowCount : addDims(rowCount, 1));
  const reduced = segmentedScan(tf, updates, starts, monoid, combiner);
  const after = tf.pad(tf.slice(values, [1], [subDims(count, 1)]), [[0, 1]], -1);
  const last = tf.binary("NotEqual", values, after);
  const inside = numbers.kept === null ? null : tf.binary("Less", values, tf.dim(rowCount));
  const bounded =
    numbers.kept === null ? values : tf.binary("Minimum", values, tf.dim(subDims(rowCount, 1)));
  return combineUniqueRows(
    tf,
    { operand, updates: reduced, numbers: { rows: bounded, kept: and(tf, last, inside) } },
    combiner,
  );
}

/** One update after the other, each selected into place. */
function combineInOrder(
  tf: Tf,
  scatter: RowScatter,
  count: number,
  combiner: Combiner,
): GraphValue {
  const { operand, updates, numbers } = scatter;
  const [rowCount, rowSize] = [countOf(operand), at(operand.aval.shape, 1)];
  const rows = withSentinel(tf, numbers, rowCount);
  const range = column(tf, tf.range(rowCount));
  const rowAval: ShapedArray = shapedArray(updates.aval.dtype, [1, rowSize]);
  let result = operand;
  for (let index = 0; index < count; index++) {
    const row = tf.slice(rows, [index], [1]);
    const mask = tf.value(tf.binary("Equal", range, row), shapedArray("bool", [rowCount, rowSize]));
    const update = moveData(tf, [updates], rowAval, (parts) =>
      tf.slice(at(parts, 0), [index, 0], [1, rowSize]),
    );
    const combined = tf.inline([result, update, mask], (o, values) => {
      const old = at(values, 0);
      const spread = o.broadcastInDim(at(values, 1), old.aval.shape, [0, 1]);
      return [o.selectN(at(values, 2), old, combiner(o, old, spread))];
    });
    result = at(combined, 0);
  }
  return result;
}

/**
 * Combines rows with updates that may go to the same row. `monoid` names the combiner if it is one.
 *
 * @throws Jax2TfjsError `unsupported-computation` for many updates with another combiner
 */
export function combineRows(
  tf: Tf,
  scatter: RowScatter,
  monoid: Monoid | null,
  combiner: Combiner,
): GraphValue {
  const known = knownRows(scatter.numbers);
  const rounds = known === null ? null : roundsOf(known);
  if (known !== null && rounds !== null && (rounds.length <= 8 || monoid === null)) {
    return rounds.reduce<GraphValue>(
      (operand, positions) =>
        combineUniqueRows(tf, pick(tf, { ...scatter, operand }, known, positions), combiner),
      scatter.operand,
    );
  }
  const count = countOf(scatter.updates);
  if (monoid === null) {
    if (typeof count === "number" && count <= MAX_UNROLLED) {
      return combineInOrder(tf, scatter, count, combiner);
    }
    throw new Jax2TfjsError(
      "unsupported-computation",
      `scatter with a general computation, ${String(count)} updates and indices that may repeat`,
      { primitive: "scatter", fix: "promise unique_indices=True, or write the update as a scan" },
    );
  }
  const [rowCount, rowSize] = scatter.operand.aval.shape;
  const elements = [rowCount, count, rowSize].reduce<number>(
    (product, size) => (typeof size === "number" ? product * size : Infinity),
    1,
  );
  return elements <= MAX_DENSE
    ? combineDense(tf, scatter, monoid, combiner)
    : combineSorted(tf, scatter, monoid, combiner);
}
