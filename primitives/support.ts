/**
 * Helpers of the records that move data (shape, indexing, sorting, reductions): checked list
 * access, error messages, and moving every tensor of a carrier in the same way.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { isSymbolic, shapeEquals, type Dim, type Shape } from "../src/ir/dims.js";
import { isComplex, kindOf, type DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";

/** The item at a place that is known to exist. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`internal error: no item ${index} of ${items.length}`);
  return item;
}

/** 0, 1, …, count - 1. */
export function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

export function invalid(message: string): Jax2TfjsError {
  return new Jax2TfjsError("invalid-parameter", message);
}

export function shapeMismatch(message: string): Jax2TfjsError {
  return new Jax2TfjsError("shape-mismatch", message);
}

export function dtypeMismatch(message: string): Jax2TfjsError {
  return new Jax2TfjsError("dtype-mismatch", message);
}

/** True if an array of this shape surely has no elements. */
export function isEmptyShape(shape: Shape): boolean {
  return shape.includes(0);
}

/** The shape without the dimensions at `axes`. */
export function withoutAxes(shape: Shape, axes: readonly number[]): Shape {
  return shape.filter((_, index) => !axes.includes(index));
}

/** The shape with another size at one place. */
export function withSize(shape: Shape, axis: number, size: Dim): Shape {
  return shape.map((dim, index) => (index === axis ? size : dim));
}

/** The shape filled up with leading ones to `rank` dimensions. */
export function alignRight(shape: Shape, rank: number): Shape {
  return [...new Array<number>(Math.max(0, rank - shape.length)).fill(1), ...shape];
}

/** True if every size is 1 (also of a scalar). */
export function isSingle(shape: Shape): boolean {
  return shape.every((dim) => dim === 1);
}

/** Throws in JAX's words unless `axis` is one of `rank` dimensions. */
export function checkAxis(axis: number, shape: Shape, message: string): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) throw invalid(message);
}

/** The tfjs element type that carries a real dtype. */
export function realTfDtype(dtype: DType): "float32" | "int32" | "bool" {
  switch (kindOf(dtype)) {
    case "bool":
      return "bool";
    case "signed":
    case "unsigned":
      return "int32";
    case "float":
      return "float32";
    case "complex":
    case "key":
    case "token":
    case "float0":
      throw dtypeMismatch(`no single TensorFlow.js tensor holds ${dtype}`);
  }
}

/** Several values moved alike, tensor by tensor of their carriers; `full`: broadcasts carried out. */
function movePartsWith(
  tf: Tf,
  inputs: readonly GraphValue[],
  out: ShapedArray,
  move: (parts: readonly Tensor[]) => Tensor,
  full: boolean,
): GraphValue {
  const complete = (tensor: Tensor, value: GraphValue): Tensor =>
    !full || shapeEquals(tensor.shape, value.aval.shape)
      ? tensor
      : tf.broadcastTo(tensor, value.aval.shape);
  if (isComplex(out.dtype)) {
    const pairs = inputs.map((value) => {
      const { re, im } = tf.pair(value);
      return { re: complete(re, value), im: complete(im, value) };
    });
    const re = move(pairs.map((pair) => pair.re));
    return tf.fromPair(re, move(pairs.map((pair) => pair.im)), out);
  }
  if (inputs.some((value) => value.carrier.kind === "limbs")) {
    const limbs = inputs.map((value) => {
      const { high, low } = tf.limbs(value);
      return { high: complete(high, value), low: complete(low, value) };
    });
    const high = move(limbs.map((limb) => limb.high));
    return tf.fromLimbs(high, move(limbs.map((limb) => limb.low)), out);
  }
  const tensors = inputs.map((value) => (full ? tf.tensor(value) : tf.broadcastable(value)));
  return tf.value(move(tensors), out);
}

/** Moves data alike in all tensors that carry the inputs; each tensor has its value's shape. */
export function moveData(
  tf: Tf,
  inputs: readonly GraphValue[],
  out: ShapedArray,
  move: (parts: readonly Tensor[]) => Tensor,
): GraphValue {
  return movePartsWith(tf, inputs, out, move, true);
}

/** Like `moveData` for one input, but pending broadcasts stay: tensors may be smaller. */
export function moveSmall(
  tf: Tf,
  input: GraphValue,
  out: ShapedArray,
  move: (part: Tensor) => Tensor,
): GraphValue {
  return movePartsWith(tf, [input], out, (parts) => move(at(parts, 0)), false);
}

/** Like `moveData`, but pending broadcasts stay: for what broadcasts its operands anyway. */
export function moveBroadcast(
  tf: Tf,
  inputs: readonly GraphValue[],
  out: ShapedArray,
  move: (parts: readonly Tensor[]) => Tensor,
): GraphValue {
  return movePartsWith(tf, inputs, out, move, false);
}

/** The known integers of a value, or null. */
export function knownIntegers(tf: Tf, value: GraphValue): readonly number[] | null {
  const tensor = tf.tensor(value);
  return tensor.value === null ? null : [...asInt32(tensor.value, { overflow: "wrap" })];
}

/** A value without elements. */
export function emptyValue(tf: Tf, out: ShapedArray): GraphValue {
  if (isComplex(out.dtype)) {
    const zeros = tf.fill(out.shape, 0, "float32");
    return tf.fromPair(zeros, zeros, out);
  }
  const dtype = realTfDtype(out.dtype);
  return tf.value(tf.fill(out.shape, dtype === "bool" ? false : 0, dtype), out);
}

/** A static size, or null. */
export function staticSize(dim: Dim): number | null {
  return isSymbolic(dim) ? null : dim;
}
