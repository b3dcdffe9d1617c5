/**
 * Records of dynamic_slice and dynamic_update_slice. Starts known at conversion time become static
 * slices and joins; others become gathers and selections, which never read a tensor back from a
 * GPU (a Slice with a computed begin would).
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import {
  dimEquals,
  greaterEqual,
  isStaticShape,
  printShape,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { isInteger, kindOf } from "../src/ir/dtypes.js";
import { valuesOf, type HostArray } from "../src/ir/hostArray.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { NoParams } from "../src/ir/params.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { positionOf, rowMajorStrides, stridedView, stridedWrite } from "./hostViews.js";
import { clampIndex, indexTensor, knownIndex } from "./indices.js";
import { reshapeTo } from "./shape.js";
import { batchDynamicSlice, batchDynamicUpdateSlice } from "./sliceBatching.js";
import * as rules from "./sliceTransforms.js";
import {
  at,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  moveData,
  shapeMismatch,
  withSize,
} from "./support.js";

function checkStarts(name: string, operand: Shape, starts: readonly ShapedArray[]): void {
  if (starts.length !== operand.length) {
    throw invalid(
      `${name} start_indices must have length equal to the rank of operand, got ` +
        `${starts.length} indices for operand shape ${printShape(operand)}.`,
    );
  }
  if (starts.some((start) => start.shape.length !== 0)) {
    const found = starts.map((start) => printShape(start.shape)).join(", ");
    throw shapeMismatch(
      `start_indices arguments to ${name} must be scalars,  got indices of shapes ${found}`,
    );
  }
  const [first] = starts;
  if (starts.some((start) => start.dtype !== first?.dtype || !isInteger(start.dtype))) {
    const found = starts.map((start) => start.dtype).join(", ");
    throw dtypeMismatch(
      `index arguments to ${name} must be integers of the same type, got: ${found}`,
    );
  }
}

/** A place along one dimension: a number known at conversion time, or an int32 scalar. */
type Start =
  | { readonly kind: "known"; readonly begin: number }
  | { readonly kind: "computed"; readonly begin: Tensor };

/** Clamped starts of windows of `window` sizes in an array of shape `operand`. */
function clampedStarts(
  tf: Tf,
  operand: Shape,
  window: Shape,
  starts: readonly GraphValue[],
): readonly Start[] {
  return operand.map((dim, axis) => {
    const room = subDims(dim, at(window, axis));
    if (dimEquals(dim, at(window, axis))) return { kind: "known", begin: 0 };
    const start = at(starts, axis);
    const known = knownIndex(tf, start);
    if (known !== null && (known <= 0 || typeof room === "number")) {
      const last = typeof room === "number" ? room : 0;
      return { kind: "known", begin: Math.max(0, Math.min(known, last)) };
    }
    const unsigned = kindOf(start.aval.dtype) === "unsigned";
    return { kind: "computed", begin: clampIndex(tf, indexTensor(tf, start), room, unsigned) };
  });
}

/** Known starts, clamped. */
function hostStarts(
  operand: readonly number[],
  window: readonly number[],
  starts: readonly HostArray[],
): readonly number[] {
  return operand.map((size, axis) => {
    const start = Number(valuesOf(at(starts, axis))[0]);
    return Math.max(0, Math.min(start, size - at(window, axis)));
  });
}

/** The window of `sizes` that starts at `starts`. */
function sliceAt(tf: Tf, x: Tensor, starts: readonly Start[], sizes: Shape): Tensor {
  const begin = starts.map((start) => (start.kind === "known" ? start.begin : 0));
  const fixed = starts.map((start, axis) =>
    start.kind === "known" ? at(sizes, axis) : at(x.shape, axis),
  );
  const cuts = fixed.some((size, axis) => !dimEquals(size, at(x.shape, axis)));
  let result = cuts ? tf.slice(x, begin, fixed) : x;
  for (const [axis, start] of starts.entries()) {
    if (start.kind === "known") continue;
    const size = at(sizes, axis);
    const places =
      size === 1 ? tf.reshape(start.begin, [1]) : tf.binary("AddV2", tf.range(size), start.begin);
    result = tf.gather(result, places, axis);
  }
  return result;
}

export type DynamicSliceParams = { readonly slice_sizes: Shape };

export const dynamicSlice: Primitive<DynamicSliceParams> = definePrimitive<DynamicSliceParams>({
  name: "dynamic_slice",
  abstractEval: (inputs, { slice_sizes }) => {
    if (inputs.length === 0) checkCount("dynamic_slice", inputs, 1);
    const x = at(inputs, 0);
    if (
      slice_sizes.length !== x.shape.length ||
      !x.shape.every((dim, axis) => greaterEqual(dim, at(slice_sizes, axis)))
    ) {
      throw shapeMismatch(
        "slice slice_sizes must be less than or equal to operand shape, got slice_sizes " +
          `${printShape(slice_sizes)} for operand shape ${printShape(x.shape)}.`,
      );
    }
    if (!slice_sizes.every((size) => greaterEqual(size, 0))) {
      throw invalid(
        "slice slice_sizes must be greater than or equal to zero, got slice_sizes of " +
          `${printShape(slice_sizes)}.`,
      );
    }
    checkStarts("dynamic_slice", x.shape, inputs.slice(1));
    return [shapedArray(x.dtype, slice_sizes, x.weakType)];
  },
  jvp: rules.dynamicSliceJvp,
  transpose: rules.dynamicSliceTranspose,
  batch: (o, inputs, dims, { slice_sizes }) => batchDynamicSlice(o, inputs, dims, slice_sizes),
  tfjs: (tf, inputs, { slice_sizes }, outs) => {
    const x = at(inputs, 0);
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const starts = clampedStarts(tf, x.aval.shape, slice_sizes, inputs.slice(1));
    return [moveData(tf, [x], out, (parts) => sliceAt(tf, at(parts, 0), starts, slice_sizes))];
  },
  fold: (inputs, { slice_sizes }) => {
    const x = at(inputs, 0);
    if (!isStaticShape(slice_sizes)) return null;
    const strides = rowMajorStrides(x.shape);
    const begin = hostStarts(x.shape, slice_sizes, inputs.slice(1));
    const view = stridedView(x, slice_sizes, positionOf(begin, strides), strides);
    return view === null ? null : [view];
  },
  traits: { view: true },
});

/** Replaces `[begin, begin + size)` of one axis after the other: the pieces around stay as they are. */
function joinAround(
  tf: Tf,
  x: Tensor,
  update: Tensor,
  starts: readonly Start[],
  axis: number,
): Tensor {
  const start = starts[axis];
  if (start === undefined) return update;
  const dim = at(x.shape, axis);
  const size = at(update.shape, axis);
  if (start.kind === "computed" || dimEquals(dim, size)) {
    return joinAround(tf, x, update, starts, axis + 1);
  }
  const piece = (begin: Dim, length: Dim): Tensor =>
    tf.slice(
      x,
      x.shape.map((_, index) => (index === axis ? begin : 0)),
      withSize(x.shape, axis, length),
    );
  const after = subDims(subDims(dim, size), start.begin);
  const others = starts.slice(axis + 1).some((_, index) => {
    const next = axis + 1 + index;
    return !dimEquals(at(x.shape, next), at(update.shape, next));
  });
  const middle = others
    ? joinAround(tf, piece(start.begin, size), update, starts, axis + 1)
    : update;
  const pieces = [middle];
  if (start.begin > 0) pieces.unshift(piece(0, start.begin));
  if (after !== 0) pieces.push(piece(subDims(dim, after), after));
  return tf.concat(pieces, axis);
}

/** Selects between operand and update by comparing positions with the computed starts. */
function selectAt(tf: Tf, x: Tensor, update: Tensor, starts: readonly Start[]): Tensor {
  let spread = update;
  let mask: Tensor | null = null;
  for (const [axis, start] of starts.entries()) {
    if (start.kind === "known") continue;
    const dim = at(x.shape, axis);
    const size = at(update.shape, axis);
    const relative = tf.binary("Sub", tf.range(dim), start.begin);
    const inside =
      size === 1
        ? tf.binary("Equal", relative, tf.scalar(0, "int32"))
        : tf.binary(
            "LogicalAnd",
            tf.binary("GreaterEqual", relative, tf.scalar(0, "int32")),
            tf.binary("Less", relative, tf.dim(size)),
          );
    if (size !== 1)
      spread = tf.gather(spread, clampIndex(tf, relative, subDims(size, 1), false), axis);
    const trailing = x.shape.slice(axis + 1).map(() => 1);
    const placed = reshapeTo(tf, inside, [dim, ...trailing]);
    mask = mask === null ? placed : tf.binary("LogicalAnd", mask, placed);
  }
  return mask === null ? spread : tf.select(mask, spread, x);
}

/** Writes `update` into `x`: known axes by joining pieces, computed ones by selection. */
function updateAt(tf: Tf, x: Tensor, update: Tensor, starts: readonly Start[]): Tensor {
  const isKnown = starts.map(
    (start, axis) =>
      start.kind === "known" && !dimEquals(at(x.shape, axis), at(update.shape, axis)),
  );
  if (!starts.some((start) => start.kind === "computed")) {
    return joinAround(tf, x, update, starts, 0);
  }
  if (!isKnown.includes(true)) return selectAt(tf, x, update, starts);
  const begin = starts.map((start) => (start.kind === "known" ? start.begin : 0));
  const size = x.shape.map((dim, axis) => (at(isKnown, axis) ? at(update.shape, axis) : dim));
  const window = selectAt(tf, tf.slice(x, begin, size), update, starts);
  return joinAround(tf, x, window, starts, 0);
}

export const dynamicUpdateSlice: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "dynamic_update_slice",
  traits: { keys: true },
  abstractEval: (inputs) => {
    if (inputs.length < 2) checkCount("dynamic_update_slice", inputs, 2);
    const x = at(inputs, 0);
    const update = at(inputs, 1);
    if (x.shape.length !== update.shape.length) {
      throw shapeMismatch(
        "dynamic_update_slice update must have the same rank as operand, got update shape " +
          `${printShape(update.shape)} for operand shape ${printShape(x.shape)}.`,
      );
    }
    if (!x.shape.every((dim, axis) => greaterEqual(dim, at(update.shape, axis)))) {
      throw shapeMismatch(
        "dynamic_update_slice update shape must be smaller than operand shape, got update shape " +
          `${printShape(update.shape)} for operand shape ${printShape(x.shape)}.`,
      );
    }
    if (x.dtype !== update.dtype) {
      throw dtypeMismatch(
        "dynamic_update_slice requires arguments to have the same dtypes, got " +
          `${x.dtype}, ${update.dtype}.`,
      );
    }
    checkStarts("dynamic_update_slice", x.shape, inputs.slice(2));
    return [shapedArray(x.dtype, x.shape, x.weakType && update.weakType)];
  },
  jvp: rules.dynamicUpdateSliceJvp,
  transpose: rules.dynamicUpdateSliceTranspose,
  batch: batchDynamicUpdateSlice,
  tfjs: (tf, inputs, _params, outs) => {
    const x = at(inputs, 0);
    const update = at(inputs, 1);
    if (isEmptyShape(update.aval.shape)) return [x];
    const starts = clampedStarts(tf, x.aval.shape, update.aval.shape, inputs.slice(2));
    return [
      moveData(tf, [x, update], at(outs, 0), (parts) =>
        updateAt(tf, at(parts, 0), at(parts, 1), starts),
      ),
    ];
  },
  fold: (inputs) => {
    const x = at(inputs, 0);
    const update = at(inputs, 1);
    const strides = rowMajorStrides(x.shape);
    const begin = hostStarts(x.shape, update.shape, inputs.slice(2));
    return [stridedWrite(x, update, positionOf(begin, strides), strides)];
  },
});
