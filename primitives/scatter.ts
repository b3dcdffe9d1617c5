/**
 * Records of scatter, scatter-add, scatter-sub, scatter-mul, scatter-min and scatter-max, in full
 * generality. One window (per batch element) is selected into place; everything else is flattened
 * to rows (scatterLayout.ts) and written row by row (scatterRows.ts).
 */
import { shapedArray } from "../src/ir/aval.js";
import { isComplex, isInteger } from "../src/ir/dtypes.js";
import { valuesOf } from "../src/ir/hostArray.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ScatterParams } from "../src/ir/params.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import type { Monoid } from "./reduce.js";
import { mapScalarProgram } from "./scalarProgram.js";
import {
  fromRows,
  isSurelyUnique,
  layoutOf,
  rowNumbers,
  toRows,
  updateRows,
  type ScatterLayout,
} from "./scatterLayout.js";
import {
  combineRows,
  combineUniqueRows,
  lastWins,
  sumRows,
  writeRows,
  type RowScatter,
} from "./scatterRows.js";
import { checkScatter } from "./scatterShape.js";
import {
  scatterBatch,
  scatterJvp,
  scatterTranspose,
  type ScatterKind,
} from "./scatterTransforms.js";
import { isSingleWindow, prepareWindow } from "./scatterWindow.js";
import { at, dtypeMismatch, isEmptyShape, moveBroadcast, moveData, moveSmall } from "./support.js";

/** How an old value and an update make a new value. */
function combineElements(
  o: Ops,
  kind: ScatterKind,
  old: Value,
  update: Value,
  params: ScatterParams,
): Value {
  switch (kind) {
    case "replace": {
      const { update_jaxpr: program } = params;
      if (program === null) return update;
      return at(mapScalarProgram(o, program, [old, update], old.aval.shape), 0);
    }
    case "add":
      return o.add(old, update);
    case "sub":
      return o.sub(old, update);
    case "mul":
      return o.mul(old, update);
    case "min":
      return o.min(old, update);
    case "max":
      return o.max(old, update);
  }
}

/** The monoid whose order of application does not matter, if the kind is one. */
function monoidOf(kind: ScatterKind): Monoid | null {
  switch (kind) {
    case "mul":
      return "prod";
    case "min":
    case "max":
      return kind;
    case "add":
      return "sum";
    case "replace":
    case "sub":
      return null;
  }
}

/** True if the program gives back its second argument: plain replacement. */
function replaces(kind: ScatterKind, params: ScatterParams): boolean {
  if (kind !== "replace") return false;
  const program = params.update_jaxpr;
  return program === null || program.jaxpr.outvars[0] === program.jaxpr.invars[1];
}

/** One window per batch element: combined everywhere, selected where the window is. */
function scatterWindow(
  tf: Tf,
  kind: ScatterKind,
  x: GraphValue,
  indices: GraphValue,
  updates: GraphValue,
  layout: ScatterLayout,
  params: ScatterParams,
): GraphValue {
  const { mask, spread } = prepareWindow(tf, indices, layout, params);
  const update = isUniform(updates)
    ? moveSmall(tf, updates, x.aval, (part) => part)
    : moveData(tf, [updates], x.aval, (parts) => spread(at(parts, 0)));
  const isUpdate = replaces(kind, params) || (kind === "add" && isKnownZero(tf, x));
  const combined = isUpdate
    ? update
    : at(
        tf.inline([x, update], (o, values) => [
          combineElements(o, kind, at(values, 0), at(values, 1), params),
        ]),
        0,
      );
  if (mask === null) return combined;
  return moveBroadcast(tf, [combined, x], x.aval, (parts) =>
    tf.select(mask, at(parts, 0), at(parts, 1)),
  );
}

/** True if one number stands for all elements. */
function isUniform({ carrier }: GraphValue): boolean {
  return carrier.kind === "tensor" && carrier.tensor.shape.length === 0;
}

/** True if all elements are known to be zero: scatter-add then is the sums alone. */
function isKnownZero(tf: Tf, x: GraphValue): boolean {
  if (isComplex(x.aval.dtype) || x.carrier.kind !== "tensor") return false;
  const { value } = tf.broadcastable(x);
  return value !== null && value.shape.length === 0 && Number(valuesOf(value)[0]) === 0;
}

function scatterRowwise(
  tf: Tf,
  kind: ScatterKind,
  x: GraphValue,
  indices: GraphValue,
  updates: GraphValue,
  layout: ScatterLayout,
  params: ScatterParams,
): GraphValue {
  const { dtype } = x.aval;
  const rowsAval = shapedArray(dtype, [layout.rowCount, layout.rowSize]);
  const updatesAval = shapedArray(dtype, [layout.updateCount, layout.rowSize]);
  const scatter: RowScatter = {
    operand: moveData(tf, [x], rowsAval, (parts) => toRows(tf, at(parts, 0), layout)),
    updates: moveData(tf, [updates], updatesAval, (parts) =>
      updateRows(tf, at(parts, 0), layout, params),
    ),
    numbers: rowNumbers(tf, indices, layout, params),
  };
  const unflatten = (rows: GraphValue): GraphValue =>
    moveData(tf, [rows], x.aval, (parts) => fromRows(tf, at(parts, 0), layout));
  if (kind === "add" || kind === "sub") {
    const sums = unflatten(sumRows(tf, scatter));
    if (kind === "add" && isKnownZero(tf, x)) return sums;
    const combined = tf.inline([x, sums], (o, values) => [
      combineElements(o, kind, at(values, 0), at(values, 1), params),
    ]);
    return at(combined, 0);
  }
  const isUnique = isSurelyUnique(indices.aval.shape, params);
  if (replaces(kind, params)) {
    return unflatten(writeRows(tf, isUnique ? scatter : lastWins(tf, scatter)));
  }
  const combiner = (o: Ops, old: Value, update: Value): Value =>
    combineElements(o, kind, old, update, params);
  return unflatten(
    isUnique
      ? combineUniqueRows(tf, scatter, combiner)
      : combineRows(tf, scatter, monoidOf(kind), combiner),
  );
}

function scatterPrimitive(name: string, kind: ScatterKind): Primitive<ScatterParams> {
  return definePrimitive<ScatterParams>({
    name,
    traits: { keys: kind === "replace" },
    manyNodes:
      "Products and extrema of duplicate indices: rows are sorted and joined in doubling steps.",
    abstractEval: (inputs, params) => {
      checkCount(name, inputs, 3);
      const x = at(inputs, 0);
      const indices = at(inputs, 1);
      const updates = at(inputs, 2);
      if (!isInteger(indices.dtype)) throw dtypeMismatch("indices must have an integer type");
      if (x.dtype !== updates.dtype) {
        throw dtypeMismatch(
          `lax.scatter requires arguments to have the same dtypes, got ${x.dtype}, ${updates.dtype}.`,
        );
      }
      checkScatter(x.shape, indices.shape, updates.shape, params);
      return [shapedArray(x.dtype, x.shape, x.weakType && updates.weakType)];
    },
    jvp: scatterJvp(kind),
    transpose: scatterTranspose(kind),
    batch: scatterBatch(kind),
    tfjs: (tf, inputs, params) => {
      const x = at(inputs, 0);
      const indices = at(inputs, 1);
      const updates = at(inputs, 2);
      if (isEmptyShape(updates.aval.shape) || isEmptyShape(x.aval.shape)) return [x];
      const layout = layoutOf(x.aval.shape, indices.aval.shape, updates.aval.shape, params);
      const lower = isSingleWindow(indices.aval.shape, layout, params)
        ? scatterWindow
        : scatterRowwise;
      return [lower(tf, kind, x, indices, updates, layout, params)];
    },
    limits: [
      {
        when: "more than 2^24 operand rows, or integer sums beyond 2^24, on webgl or webgpu",
        effect: "wrong results",
        why: "int32 is float32 there",
      },
      {
        when: "a general computation, more than 64 updates, and indices that may repeat",
        effect: "error unsupported-computation",
        why: "updates have to be applied one after the other",
      },
    ],
  });
}

export const scatter = scatterPrimitive("scatter", "replace");
export const scatterAdd = scatterPrimitive("scatter-add", "add");
export const scatterSub = scatterPrimitive("scatter-sub", "sub");
export const scatterMul = scatterPrimitive("scatter-mul", "mul");
export const scatterMin = scatterPrimitive("scatter-min", "min");
export const scatterMax = scatterPrimitive("scatter-max", "max");
