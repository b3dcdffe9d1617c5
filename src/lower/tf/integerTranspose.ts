/**
 * Transpositions of int32 and bool for webgpu, whose kernel of Transpose is right for floats and for
 * plain matrices only: its shader passes integers where floats belong, and gives zeros. Its Cast to
 * float32 leaves integers as they are and says that they are floats: these are no better.
 */
import { isStaticShape, shapeSize, type Dim, type Shape } from "../../ir/dims.js";
import type { Tensor, TfDtype } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";

/** Up to this many elements are picked by a constant list of their places. */
const maxPicked = 65_536;
const half = 65_536;

/** The columns and rows if `permutation` only swaps two blocks of dimensions, as in a matrix. */
function matrixOf(shape: Shape, permutation: readonly number[]): readonly [Dim, Dim] | null {
  const moved = permutation.filter((axis) => shape[axis] !== 1);
  const start = moved.findIndex((axis, index) => axis < (moved[index - 1] ?? -1));
  const rotated = [...moved.slice(start), ...moved.slice(0, start)];
  if (rotated.some((axis, index) => axis < (rotated[index - 1] ?? -1))) return null;
  const size = (axes: readonly number[]): Dim => shapeSize(axes.map((axis) => shape[axis] ?? 1));
  return [size(moved.slice(0, start)), size(moved.slice(start))];
}

/** For each element of the result, its place among the operand's elements. */
function places(shape: readonly number[], permutation: readonly number[]): Int32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  let list = [0];
  for (const axis of permutation) {
    const [size = 1, stride = 0] = [shape[axis], strides[axis]];
    list = list.flatMap((place) => Array.from({ length: size }, (_, i) => place + i * stride));
  }
  return Int32Array.from(list);
}

interface Builders {
  readonly reshape: (x: Tensor, shape: Shape) => Tensor;
  /** Of float32. */
  readonly transpose: (x: Tensor, permutation: readonly number[]) => Tensor;
}

/** Ops that show the data of their first operand. */
const views: ReadonlySet<string> = new Set(["Reshape", "ExpandDims", "Identity"]);

function holdsIntegers(core: GraphCore, x: Tensor): boolean {
  const producer = core.producer(x);
  const [source] = producer?.inputs ?? [];
  if (producer === undefined || source === undefined) return false;
  if (producer.op === "Cast") return source.dtype === "int32" || source.dtype === "bool";
  return views.has(producer.op) && holdsIntegers(core, source);
}

/** Whether the kernel itself would be wrong on a target backend. */
export function needsCare(core: GraphCore, x: Tensor): boolean {
  if (!core.targets("webgpu")) return false;
  return x.dtype === "int32" || x.dtype === "bool" || holdsIntegers(core, x);
}

/** The transposition of a tensor that needs care, right on all target backends. */
export function transposeIntegers(
  core: GraphCore,
  { reshape, transpose }: Builders,
  x: Tensor,
  permutation: readonly number[],
): Tensor {
  if (x.dtype === "float32") {
    const one = core.numbers([1], "float32", []);
    const output = { dtype: x.dtype, shape: x.shape };
    return transpose(core.emitOne("Mul", [x, one], {}, output), permutation);
  }
  const shape = permutation.map((axis) => x.shape[axis] ?? 1);
  const matrix = matrixOf(x.shape, permutation);
  if (matrix !== null) {
    const [columns, rows] = matrix;
    const viewed = reshape(x, [rows, columns]);
    const output = { dtype: x.dtype, shape: [columns, rows] };
    const axes = core.numbers([1, 0], "int32", [2]);
    return reshape(core.emitOne("Transpose", [viewed, axes], {}, output), shape);
  }
  const cast = (tensor: Tensor, dtype: TfDtype): Tensor =>
    core.emitOne("Cast", [tensor], { DstT: { type: dtype } }, { dtype, shape: tensor.shape });
  if (isStaticShape(x.shape) && Number(shapeSize(x.shape)) <= maxPicked) {
    const flat = reshape(x, [shapeSize(x.shape)]);
    const list = places(x.shape, permutation);
    const indices = core.numbers(list, "int32", [list.length]);
    const picked = core.emitOne(
      "GatherV2",
      [flat, indices, core.numbers([0], "int32", [])],
      { batch_dims: { i: 0 } },
      { dtype: x.dtype, shape: [list.length] },
    );
    return reshape(picked, shape);
  }
  if (x.dtype === "bool") return cast(transpose(cast(x, "float32"), permutation), "bool");
  // Halves of 16 bits are exact as floats.
  const int32 = (op: string, left: Tensor, right: Tensor): Tensor =>
    core.emitOne(op, [left, right], {}, { dtype: "int32", shape: left.shape });
  const size = core.numbers([half], "int32", []);
  const high = int32("FloorDiv", x, size);
  const low = int32("Sub", x, int32("Mul", high, size));
  const [movedHigh, movedLow] = [high, low].map((part) =>
    cast(transpose(cast(part, "float32"), permutation), "int32"),
  );
  if (movedHigh === undefined || movedLow === undefined) throw new Error("internal error: no half");
  return int32("AddV2", int32("Mul", movedHigh, size), movedLow);
}
