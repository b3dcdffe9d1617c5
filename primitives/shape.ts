/**
 * Records of the primitives that only rearrange one array: broadcast_in_dim, reshape, transpose,
 * squeeze, rev. Pending broadcasts (tensors smaller than their value) stay pending where they can.
 */
import { shapedArray } from "../src/ir/aval.js";
import { JaxprBuilder } from "../src/ir/builder.js";
import {
  dimEquals,
  printShape,
  shapeEquals,
  shapeSize,
  tryCompare,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { positionOf, reshaped, rowMajorStrides, stridedView } from "./hostViews.js";
import * as rules from "./shapeTransforms.js";
import { linearJvp } from "./shapeTransforms.js";
import {
  alignRight,
  at,
  invalid,
  isEmptyShape,
  isSingle,
  moveSmall,
  shapeMismatch,
  upTo,
  withoutAxes,
} from "./support.js";

/** Drops leading sizes of 1. */
function trimLeadingOnes(shape: Shape): Shape {
  const first = shape.findIndex((dim) => dim !== 1);
  return first < 0 ? [] : shape.slice(first);
}

/** True if the permutation only moves dimensions of size 1: the order of the elements stays. */
function keepsOrder(shape: Shape, permutation: readonly number[]): boolean {
  const long = permutation.filter((axis) => shape[axis] !== 1);
  return long.every((axis, place) => place === 0 || axis > at(long, place - 1));
}

/** Transposes, by a reshape where that is enough. */
export function permute(tf: Tf, x: Tensor, permutation: readonly number[]): Tensor {
  if (permutation.every((axis, place) => axis === place)) return x;
  // Transposing nothing divides by zero on wasm.
  const moves = !isEmptyShape(x.shape) && !keepsOrder(x.shape, permutation);
  if (moves) return tf.transpose(x, permutation);
  return tf.reshape(
    x,
    permutation.map((axis) => at(x.shape, axis)),
  );
}

/** Reshapes unless the shape is the same. */
export function reshapeTo(tf: Tf, x: Tensor, shape: Shape): Tensor {
  return shapeEquals(x.shape, shape) ? x : tf.reshape(x, shape);
}

export type BroadcastInDimParams = {
  readonly shape: Shape;
  readonly broadcast_dimensions: readonly number[];
};

function checkBroadcast(operand: Shape, { shape, broadcast_dimensions }: BroadcastInDimParams) {
  const dimensions = printShape(broadcast_dimensions);
  if (operand.length !== broadcast_dimensions.length) {
    throw invalid(
      "broadcast_in_dim broadcast_dimensions must have length equal to operand ndim; got " +
        `broadcast_dimensions ${dimensions} for operand ndim ${operand.length}.`,
    );
  }
  if (shape.length < operand.length) {
    throw shapeMismatch(
      "broadcast_in_dim target broadcast shape must have equal or higher rank to the operand " +
        `shape; got operand ndim ${operand.length} and target broadcast ndim ${shape.length}.`,
    );
  }
  const unique = new Set(broadcast_dimensions);
  if (
    unique.size !== broadcast_dimensions.length ||
    broadcast_dimensions.some((axis) => !(axis >= 0 && axis < shape.length))
  ) {
    throw invalid(
      "broadcast_in_dim broadcast_dimensions must be a subset of output dimensions, got " +
        `${dimensions} for operand ndim ${operand.length} and shape ${printShape(shape)}.`,
    );
  }
  const fits = operand.every(
    (dim, index) => dim === 1 || dimEquals(dim, at(shape, at(broadcast_dimensions, index))),
  );
  if (!fits) {
    throw shapeMismatch(
      "broadcast_in_dim operand dimension sizes must either be 1, or be equal to their " +
        "corresponding dimensions in the target broadcast shape; got operand of shape " +
        `${printShape(operand)}, target broadcast shape ${printShape(shape)}, ` +
        `broadcast_dimensions ${dimensions} `,
    );
  }
}

/** The small tensor with its dimensions at their places in the result, aligned to the right. */
function placeDimensions(
  tf: Tf,
  part: Tensor,
  operandRank: number,
  { shape, broadcast_dimensions }: BroadcastInDimParams,
): Tensor {
  const aligned = alignRight(part.shape, operandRank);
  const order = [...upTo(operandRank)].sort(
    (a, b) => at(broadcast_dimensions, a) - at(broadcast_dimensions, b),
  );
  const inOrder = order.every((axis, place) => axis === place);
  const ordered = inOrder ? part : permute(tf, reshapeTo(tf, part, aligned), order);
  const placed = new Array<Dim>(shape.length).fill(1);
  broadcast_dimensions.forEach((axis, index) => (placed[axis] = at(aligned, index)));
  return reshapeTo(tf, ordered, trimLeadingOnes(placed));
}

export const broadcastInDim: Primitive<BroadcastInDimParams> =
  definePrimitive<BroadcastInDimParams>({
    name: "broadcast_in_dim",
    abstractEval: (inputs, params) => {
      checkCount("broadcast_in_dim", inputs, 1);
      const x = at(inputs, 0);
      checkBroadcast(x.shape, params);
      return [shapedArray(x.dtype, params.shape, x.weakType)];
    },
    jvp: linearJvp(() => broadcastInDim),
    transpose: rules.broadcastTranspose,
    batch: rules.broadcastBatch(() => broadcastInDim),
    // TensorFlow broadcasts aligned to the right: the tensor stays small until someone needs it whole.
    tfjs: (tf, inputs, params, outs) => {
      const x = at(inputs, 0);
      const rank = x.aval.shape.length;
      return [moveSmall(tf, x, at(outs, 0), (part) => placeDimensions(tf, part, rank, params))];
    },
    fold: (inputs, { shape, broadcast_dimensions }) => {
      const x = at(inputs, 0);
      const own = rowMajorStrides(x.shape);
      const strides = new Array<number>(shape.length).fill(0);
      broadcast_dimensions.forEach((axis, index) => {
        if (at(x.shape, index) !== 1) strides[axis] = at(own, index);
      });
      const view = stridedView(x, shape, 0, strides);
      return view === null ? null : [view];
    },
    traits: { view: true },
  });

export type ReshapeParams = {
  readonly new_sizes: Shape;
  readonly dimensions: readonly number[] | null;
};

function checkPermutation(permutation: readonly number[], rank: number): boolean {
  const sorted = [...permutation].sort((a, b) => a - b);
  return sorted.length === rank && sorted.every((axis, place) => axis === place);
}

export const reshape: Primitive<ReshapeParams> = definePrimitive<ReshapeParams>({
  name: "reshape",
  abstractEval: (inputs, { new_sizes, dimensions }) => {
    checkCount("reshape", inputs, 1);
    const x = at(inputs, 0);
    if (new_sizes.some((dim) => tryCompare(dim, ">=", 0) === false)) {
      throw invalid(`reshape new_sizes must all be positive, got ${printShape(new_sizes)}.`);
    }
    if (dimensions !== null && !checkPermutation(dimensions, x.shape.length)) {
      throw invalid(
        "reshape dimensions must be a permutation of operand dimensions, got dimensions " +
          `${printShape(dimensions)} for shape ${printShape(x.shape)}.`,
      );
    }
    if (tryCompare(shapeSize(x.shape), "==", shapeSize(new_sizes)) === false) {
      throw shapeMismatch(
        `reshape total size must be unchanged, got new_sizes ${printShape(new_sizes)} for ` +
          `shape ${printShape(x.shape)}.`,
      );
    }
    return [shapedArray(x.dtype, new_sizes, x.weakType)];
  },
  jvp: linearJvp(() => reshape),
  transpose: rules.reshapeTranspose,
  batch: rules.reshapeBatch(() => reshape),
  tfjs: (tf, inputs, { new_sizes, dimensions }, outs) => {
    const x = at(inputs, 0);
    const whole = (part: Tensor): Tensor => {
      const full = shapeEquals(part.shape, x.aval.shape)
        ? part
        : tf.broadcastTo(part, x.aval.shape);
      return reshapeTo(tf, dimensions === null ? full : permute(tf, full, dimensions), new_sizes);
    };
    return [
      moveSmall(tf, x, at(outs, 0), (part) =>
        isSingle(part.shape) ? reshapeTo(tf, part, []) : whole(part),
      ),
    ];
  },
  fold: (inputs, { new_sizes, dimensions }) => {
    const result = dimensions === null ? reshaped(at(inputs, 0), new_sizes) : null;
    return result === null ? null : [result];
  },
  // So that passes have no other order than that of the elements to think of.
  expand: (inputs, { new_sizes, dimensions }) => {
    if (dimensions === null) return null;
    const builder = new JaxprBuilder();
    const x = builder.input(at(inputs, 0));
    const moved = builder.bind(transpose, [x], { permutation: dimensions });
    return builder.build(builder.bind(reshape, moved, { new_sizes, dimensions: null }));
  },
  traits: { view: true },
});

export type TransposeParams = { readonly permutation: readonly number[] };

export const transpose: Primitive<TransposeParams> = definePrimitive<TransposeParams>({
  name: "transpose",
  abstractEval: (inputs, { permutation }) => {
    checkCount("transpose", inputs, 1);
    const x = at(inputs, 0);
    if (!checkPermutation(permutation, x.shape.length)) {
      throw invalid(
        "transpose permutation isn't a permutation of operand dimensions, got permutation " +
          `${printShape(permutation)} for operand shape ${printShape(x.shape)}.`,
      );
    }
    const shape = permutation.map((axis) => at(x.shape, axis));
    return [shapedArray(x.dtype, shape, x.weakType)];
  },
  jvp: linearJvp(() => transpose),
  transpose: rules.transposeTranspose,
  batch: rules.transposeBatch(() => transpose),
  tfjs: (tf, inputs, { permutation }, outs) => [
    moveSmall(tf, at(inputs, 0), at(outs, 0), (part) => {
      if (isSingle(part.shape)) return part;
      const aligned = reshapeTo(tf, part, alignRight(part.shape, permutation.length));
      return permute(tf, aligned, permutation);
    }),
  ],
  fold: (inputs, { permutation }) => {
    const x = at(inputs, 0);
    const own = rowMajorStrides(x.shape);
    const shape = permutation.map((axis) => at(x.shape, axis));
    const strides = permutation.map((axis) => at(own, axis));
    const view = stridedView(x, shape, 0, strides);
    return view === null ? null : [view];
  },
  traits: { view: true },
});

export type SqueezeParams = { readonly dimensions: readonly number[] };

export const squeeze: Primitive<SqueezeParams> = definePrimitive<SqueezeParams>({
  name: "squeeze",
  abstractEval: (inputs, { dimensions }) => {
    checkCount("squeeze", inputs, 1);
    const x = at(inputs, 0);
    if (new Set(dimensions).size !== dimensions.length) {
      throw invalid(`dimensions are not unique: ${printShape(dimensions)}`);
    }
    if (dimensions.some((axis) => !(axis >= 0 && axis < x.shape.length))) {
      throw invalid(`dimensions outside range [0, ndim): ${printShape(dimensions)}`);
    }
    if (dimensions.some((axis) => at(x.shape, axis) !== 1)) {
      throw shapeMismatch(
        "cannot select an axis to squeeze out which has size not equal to one, got " +
          `shape=${printShape(x.shape)} and dimensions=${printShape(dimensions)}`,
      );
    }
    return [shapedArray(x.dtype, withoutAxes(x.shape, dimensions), x.weakType)];
  },
  jvp: linearJvp(() => squeeze),
  transpose: rules.squeezeTranspose,
  batch: rules.squeezeBatch(() => squeeze),
  tfjs: (tf, inputs, { dimensions }, outs) => {
    const x = at(inputs, 0);
    const rank = x.aval.shape.length;
    return [
      moveSmall(tf, x, at(outs, 0), (part) =>
        reshapeTo(
          tf,
          part,
          trimToSmall(part.shape, withoutAxes(alignRight(part.shape, rank), dimensions)),
        ),
      ),
    ];
  },
  fold: (inputs, _params, outs) => {
    const result = reshaped(at(inputs, 0), at(outs, 0).shape);
    return result === null ? null : [result];
  },
  traits: { view: true },
});

/** A pending broadcast loses its leading ones too; a whole tensor keeps them. */
function trimToSmall(before: Shape, after: Shape): Shape {
  return after.length < before.length ? after : trimLeadingOnes(after);
}

export type RevParams = { readonly dimensions: readonly number[] };

export const rev: Primitive<RevParams> = definePrimitive<RevParams>({
  name: "rev",
  abstractEval: (inputs, { dimensions }) => {
    checkCount("rev", inputs, 1);
    const x = at(inputs, 0);
    if (new Set(dimensions).size !== dimensions.length) {
      throw invalid(`rev dimensions must be unique, got ${printShape(dimensions)}.`);
    }
    if (dimensions.some((axis) => !(axis >= 0 && axis < x.shape.length))) {
      throw invalid(
        "rev dimensions must all be less than operand ndim, got dimensions " +
          `${printShape(dimensions)} for operand ndim ${x.shape.length}.`,
      );
    }
    return [x];
  },
  jvp: linearJvp(() => rev),
  transpose: rules.revTranspose,
  batch: rules.revBatch(() => rev),
  tfjs: (tf, inputs, { dimensions }, outs) => {
    const x = at(inputs, 0);
    const rank = x.aval.shape.length;
    return [
      moveSmall(tf, x, at(outs, 0), (part) => {
        const missing = rank - part.shape.length;
        const axes = dimensions
          .map((axis) => axis - missing)
          .filter((axis) => axis >= 0 && part.shape[axis] !== 1);
        return axes.length === 0 ? part : tf.reverse(part, axes);
      }),
    ];
  },
  fold: (inputs, { dimensions }) => {
    const x = at(inputs, 0);
    const own = rowMajorStrides(x.shape);
    const begin = x.shape.map((size, axis) => (dimensions.includes(axis) ? size - 1 : 0));
    const strides = own.map((stride, axis) => (dimensions.includes(axis) ? -stride : stride));
    const view = stridedView(x, x.shape, positionOf(begin, own), strides);
    return view === null ? null : [view];
  },
  traits: { view: true },
});
