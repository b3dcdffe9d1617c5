/**
 * Records of the primitives that cut and join arrays at static places: slice, concatenate, split,
 * stack, unstack, tile.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import {
  addDims,
  dimEquals,
  floordivDims,
  greaterEqual,
  isStaticShape,
  maxDim,
  mulDims,
  printShape,
  requireConstant,
  shapeEquals,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { byteLengthOf, hostArray, type HostArray } from "../src/ir/hostArray.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { positionOf, reshaped, rowMajorStrides, stridedView, stridedWrite } from "./hostViews.js";
import { reshapeTo } from "./shape.js";
import { linearJvp } from "./shapeTransforms.js";
import * as rules from "./sliceTransforms.js";
import {
  alignRight,
  at,
  checkAxis,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  moveData,
  moveSmall,
  shapeMismatch,
  upTo,
  withoutAxes,
  withSize,
} from "./support.js";

export type SliceParams = {
  readonly start_indices: Shape;
  readonly limit_indices: Shape;
  readonly strides: readonly number[] | null;
};

/** `max(0, (size - 1) // stride + 1)`, JAX's `stride_dim` with a window of 1. */
export function stridedSize(size: Dim, stride: number): Dim {
  if (stride === 1) return size;
  return maxDim(addDims(floordivDims(subDims(size, 1), stride), 1), 0);
}

function checkSlice(x: Shape, { start_indices: start, limit_indices: limit }: SliceParams): void {
  if (x.length !== start.length) {
    throw invalid(
      "slice start_indices must have length equal to the number of dimensions of the operand, " +
        `got indices ${printShape(start)} for operand shape ${printShape(x)}.`,
    );
  }
  if (start.length !== limit.length) {
    throw invalid(
      "slice limit_indices must have the same length as start_indices, got start_indices " +
        `${printShape(start)} and limit_indices ${printShape(limit)}.`,
    );
  }
  if (!x.every((dim, axis) => greaterEqual(dim, at(limit, axis)))) {
    throw shapeMismatch(
      "slice limit_indices must be less than or equal to operand shape, got limit_indices " +
        `${printShape(limit)} for operand shape ${printShape(x)}.`,
    );
  }
  if (!start.every((dim) => greaterEqual(dim, 0))) {
    throw invalid(
      "slice start_indices must be greater than or equal to zero, got start_indices of " +
        `${printShape(start)}.`,
    );
  }
  if (!limit.every((dim, axis) => greaterEqual(dim, at(start, axis)))) {
    throw invalid(
      "slice limit_indices must be greater than or equal to start_indices, got start_indices " +
        `${printShape(start)} and limit_indices ${printShape(limit)}.`,
    );
  }
}

function sliceShape(x: Shape, params: SliceParams): Shape {
  checkSlice(x, params);
  const { start_indices, limit_indices, strides } = params;
  if (strides !== null && strides.length !== x.length) {
    throw invalid(
      "slice strides must have length equal to the number of dimensions of the operand, got " +
        `strides ${printShape(strides)} for operand shape ${printShape(x)}.`,
    );
  }
  if (strides?.some((stride) => !(Number.isInteger(stride) && stride >= 1)) === true) {
    throw invalid(`slice strides must be positive, got ${printShape(strides)}`);
  }
  return limit_indices.map((limit, axis) =>
    stridedSize(subDims(limit, at(start_indices, axis)), strides?.[axis] ?? 1),
  );
}

export const slice: Primitive<SliceParams> = definePrimitive<SliceParams>({
  name: "slice",
  abstractEval: (inputs, params) => {
    checkCount("slice", inputs, 1);
    const x = at(inputs, 0);
    return [shapedArray(x.dtype, sliceShape(x.shape, params), x.weakType)];
  },
  jvp: linearJvp(() => slice),
  transpose: rules.sliceTranspose,
  batch: rules.sliceBatch(() => slice),
  tfjs: (tf, inputs, { start_indices: start, limit_indices: limit, strides }, outs) => {
    const x = at(inputs, 0);
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    if (shapeEquals(x.aval.shape, out.shape)) return [x];
    const step = strides?.some((stride) => stride !== 1) === true ? strides : null;
    return [
      moveData(tf, [x], out, (parts) =>
        step === null
          ? tf.slice(at(parts, 0), start, out.shape)
          : tf.stridedSlice(at(parts, 0), start, limit, step),
      ),
    ];
  },
  fold: (inputs, { start_indices, strides }, outs) => {
    const x = at(inputs, 0);
    if (!isStaticShape(start_indices)) return null;
    const own = rowMajorStrides(x.shape);
    const steps = own.map((stride, axis) => stride * (strides?.[axis] ?? 1));
    const view = stridedView(x, at(outs, 0).shape, positionOf(start_indices, own), steps);
    return view === null ? null : [view];
  },
  traits: { view: true },
});

function checkSameDtypes(name: string, inputs: readonly ShapedArray[]): void {
  if (inputs.some((input) => input.dtype !== at(inputs, 0).dtype)) {
    const found = inputs.map((input) => input.dtype).join(", ");
    throw dtypeMismatch(`${name} requires arguments to have the same dtypes, got ${found}.`);
  }
}

export type ConcatenateParams = { readonly dimension: number };

function concatenateShape(shapes: readonly Shape[], dimension: number): Shape {
  const first = at(shapes, 0);
  const listed = shapes.map(printShape).join(", ");
  if (shapes.some((shape) => shape.length !== first.length)) {
    throw shapeMismatch(
      `Cannot concatenate arrays with different numbers of dimensions: got ${listed}.`,
    );
  }
  const outOfBounds = `concatenate dimension out of bounds: dimension ${dimension} for shapes ${listed}.`;
  checkAxis(dimension, first, outOfBounds);
  const rest = withoutAxes(first, [dimension]);
  if (!shapes.every((shape) => shapeEquals(withoutAxes(shape, [dimension]), rest))) {
    throw shapeMismatch(
      "Cannot concatenate arrays with shapes that differ in dimensions other than the one being " +
        `concatenated: concatenating along dimension ${dimension} for shapes ${listed}.`,
    );
  }
  const size = shapes.reduce<Dim>((sum, shape) => addDims(sum, at(shape, dimension)), 0);
  return withSize(first, dimension, size);
}

/** Concatenates host arrays; null if a shape is symbolic. */
function concatenateHost(
  inputs: readonly HostArray[],
  dimension: number,
  out: ShapedArray,
): HostArray | null {
  const zeros = emptyHost(out);
  if (zeros === null) return null;
  const strides = rowMajorStrides(zeros.shape);
  let result = zeros;
  let start = 0;
  for (const input of inputs) {
    result = stridedWrite(result, input, start * at(strides, dimension), strides);
    start += at(input.shape, dimension);
  }
  return result;
}

/** An array of zero bytes. */
export function emptyHost(out: ShapedArray): HostArray | null {
  if (!isStaticShape(out.shape)) return null;
  return hostArray(out.dtype, out.shape, new Uint8Array(byteLengthOf(out.dtype, out.shape)));
}

export const concatenate: Primitive<ConcatenateParams> = definePrimitive<ConcatenateParams>({
  name: "concatenate",
  abstractEval: (inputs, { dimension }) => {
    if (inputs.length === 0) throw invalid("concatenate expects at least one operand, got 0.");
    checkSameDtypes("concatenate", inputs);
    const shapes = inputs.map((input) => input.shape);
    const weak = inputs.every((input) => input.weakType);
    return [shapedArray(at(inputs, 0).dtype, concatenateShape(shapes, dimension), weak)];
  },
  jvp: linearJvp(() => concatenate),
  transpose: rules.concatenateTranspose,
  batch: rules.concatenateBatch(() => concatenate),
  tfjs: (tf, inputs, { dimension }, outs) => {
    const out = at(outs, 0);
    const present = inputs.filter((input) => !isEmptyShape(input.aval.shape));
    if (present.length === 0) return [emptyValue(tf, out)];
    if (present.length === 1) return [at(present, 0)];
    return [moveData(tf, present, out, (parts) => tf.concat(parts, dimension))];
  },
  fold: (inputs, { dimension }, outs) => {
    const result = concatenateHost(inputs, dimension, at(outs, 0));
    return result === null ? null : [result];
  },
  traits: { view: true },
});

export type StackParams = { readonly axis: number };

export const stack: Primitive<StackParams> = definePrimitive<StackParams>({
  name: "stack",
  abstractEval: (inputs, { axis }) => {
    if (inputs.length === 0) throw invalid("stack expects at least one operand, got 0.");
    checkSameDtypes("stack", inputs);
    const first = at(inputs, 0);
    if (inputs.some((input) => !shapeEquals(input.shape, first.shape))) {
      const found = inputs.map((input) => printShape(input.shape)).join(", ");
      throw shapeMismatch(`All input arrays must have the same shape. Got ${found}.`);
    }
    checkAxis(axis, [...first.shape, 1], `stack axis ${axis} is out of bounds`);
    const shape = first.shape.toSpliced(axis, 0, inputs.length);
    return [
      shapedArray(
        first.dtype,
        shape,
        inputs.every((input) => input.weakType),
      ),
    ];
  },
  jvp: linearJvp(() => stack),
  transpose: rules.stackTranspose(() => unstack),
  batch: rules.stackBatch(() => stack),
  tfjs: (tf, inputs, { axis }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    return [moveData(tf, inputs, out, (parts) => tf.pack(parts, axis))];
  },
  traits: { view: true },
});

/** The pieces of a value along an axis, each reshaped to its result type; equal nodes are shared. */
function cut(
  tf: Tf,
  x: GraphValue,
  sizes: readonly number[],
  axis: number,
  outs: readonly ShapedArray[],
): readonly GraphValue[] {
  return outs.map((out, index) => {
    if (isEmptyShape(out.shape)) return emptyValue(tf, out);
    return moveData(tf, [x], out, (parts) =>
      reshapeTo(tf, at(tf.split(at(parts, 0), sizes, axis), index), out.shape),
    );
  });
}

/** Host pieces along an axis; null if a shape is symbolic. */
function cutHost(
  x: HostArray,
  sizes: readonly number[],
  axis: number,
  outs: readonly ShapedArray[],
): readonly HostArray[] | null {
  const strides = rowMajorStrides(x.shape);
  const pieces: HostArray[] = [];
  let start = 0;
  for (const [index, size] of sizes.entries()) {
    const shape = x.shape.map((dim, place) => (place === axis ? size : dim));
    const piece = stridedView(x, shape, start * at(strides, axis), strides);
    const result = piece === null ? null : reshaped(piece, at(outs, index).shape);
    if (result === null) return null;
    pieces.push(result);
    start += size;
  }
  return pieces;
}

export type UnstackParams = { readonly axis: number };

export const unstack: Primitive<UnstackParams> = definePrimitive<UnstackParams>({
  name: "unstack",
  abstractEval: (inputs, { axis }) => {
    checkCount("unstack", inputs, 1);
    const x = at(inputs, 0);
    if (x.shape.length === 0) {
      throw invalid(
        "unstack requires arrays with rank > 0, however a scalar array of shape " +
          `${printShape(x.shape)} was passed.`,
      );
    }
    checkAxis(axis, x.shape, `unstack axis ${axis} is out of bounds for ${printShape(x.shape)}`);
    const count = requireConstant(at(x.shape, axis));
    const piece = shapedArray(x.dtype, withoutAxes(x.shape, [axis]), x.weakType);
    return upTo(count).map(() => piece);
  },
  jvp: linearJvp(() => unstack),
  transpose: rules.unstackTranspose(() => stack),
  batch: rules.unstackBatch(() => unstack),
  tfjs: (tf, inputs, { axis }, outs) => {
    const x = at(inputs, 0);
    return outs.map((out, index) =>
      isEmptyShape(out.shape)
        ? emptyValue(tf, out)
        : moveData(tf, [x], out, (parts) => at(tf.unpack(at(parts, 0), axis), index)),
    );
  },
  fold: (inputs, { axis }, outs) => {
    const sizes = outs.map(() => 1);
    return cutHost(at(inputs, 0), sizes, axis, outs);
  },
  traits: { view: true },
});

export type SplitParams = { readonly sizes: readonly number[]; readonly axis: number };

export const split: Primitive<SplitParams> = definePrimitive<SplitParams>({
  name: "split",
  abstractEval: (inputs, { sizes, axis }) => {
    checkCount("split", inputs, 1);
    const x = at(inputs, 0);
    checkAxis(axis, x.shape, `split axis ${axis} is out of bounds for ${printShape(x.shape)}`);
    if (sizes.some((size) => !(Number.isInteger(size) && size >= 0))) {
      throw invalid(`Sizes passed to split must be nonnegative, got [${sizes.join(", ")}]`);
    }
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (!dimEquals(total, at(x.shape, axis))) {
      throw shapeMismatch(
        `Sum of sizes ${total} must be equal to dimension ${axis} of the operand shape ` +
          `[${x.shape.join(", ")}]`,
      );
    }
    return sizes.map((size) => shapedArray(x.dtype, withSize(x.shape, axis, size), x.weakType));
  },
  jvp: linearJvp(() => split),
  transpose: rules.splitTranspose,
  batch: rules.splitBatch(() => split),
  tfjs: (tf, inputs, { sizes, axis }, outs) => cut(tf, at(inputs, 0), sizes, axis, outs),
  fold: (inputs, { sizes, axis }, outs) => cutHost(at(inputs, 0), sizes, axis, outs),
  traits: { view: true },
});

export type TileParams = { readonly reps: Shape };

export const tile: Primitive<TileParams> = definePrimitive<TileParams>({
  name: "tile",
  abstractEval: (inputs, { reps }) => {
    checkCount("tile", inputs, 1);
    const x = at(inputs, 0);
    if (x.shape.length !== reps.length) {
      throw invalid(
        `reps length must be equal to the ndim of x, got len(reps)=${reps.length} and ` +
          `x.ndim=${x.shape.length}.`,
      );
    }
    const shape = x.shape.map((dim, axis) => mulDims(dim, at(reps, axis)));
    return [shapedArray(x.dtype, shape, x.weakType)];
  },
  jvp: linearJvp(() => tile),
  transpose: rules.tileTranspose,
  batch: rules.tileBatch(() => tile),
  tfjs: (tf, inputs, { reps }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    return [
      moveSmall(tf, at(inputs, 0), out, (part) => {
        const small = alignRight(part.shape, reps.length);
        if (small.every((dim) => dim === 1)) return part;
        const kept = reps.map((count, axis) => (small[axis] === 1 ? 1 : count));
        return tf.tile(reshapeTo(tf, part, small), kept);
      }),
    ];
  },
  traits: { view: true },
});
