/**
 * Index arithmetic that the indexing records share: int32 index tensors, clamping, known indices.
 */
import { shapeSize, subDims, type Dim, type Shape } from "../src/ir/dims.js";
import { kindOf } from "../src/ir/dtypes.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { at } from "./support.js";

/** Integers as one int32 tensor (uint32: its bit pattern), possibly smaller than the value. */
export function indexTensor(tf: Tf, value: GraphValue): Tensor {
  return tf.broadcastable(value);
}

/** Index values known at conversion time, as JAX counts them (uint32 above 2^31 stays large). */
export function knownIndices(tf: Tf, value: GraphValue): readonly number[] | null {
  const tensor = indexTensor(tf, value);
  if (tensor.value === null) return null;
  const integers = [...asInt32(tensor.value, { overflow: "wrap" })];
  return kindOf(value.aval.dtype) === "unsigned" ? integers.map((index) => index >>> 0) : integers;
}

/** A scalar index known at conversion time. */
export function knownIndex(tf: Tf, value: GraphValue): number | null {
  const known = knownIndices(tf, value);
  return known === null ? null : at(known, 0);
}

/**
 * Indices limited to `0 … last`. Unsigned indices with the highest bit set look negative as int32,
 * but mean the far end.
 */
export function clampIndex(tf: Tf, index: Tensor, last: Dim, unsigned: boolean): Tensor {
  const zero = tf.scalar(0, "int32");
  if (last === 0) return tf.fill(index.shape, 0, "int32");
  const end = tf.dim(last);
  const low = unsigned
    ? tf.select(tf.binary("Less", index, zero), end, index)
    : tf.binary("Maximum", index, zero);
  return tf.binary("Minimum", low, end);
}

/** One component of a start index: the dimension it moves along, with its room and weight. */
export interface Component {
  /** Size of the dimension. */
  readonly size: Dim;
  /** Size of the window along it. */
  readonly window: Dim;
  /** What one step is worth in the flattened index. */
  readonly stride: Dim;
}

/** Strides of `sizes` flattened in C order. */
export function flatStrides(sizes: Shape): readonly Dim[] {
  return sizes.map((_, axis) => shapeSize(sizes.slice(axis + 1)));
}

/** The highest start of each component. */
function lastStarts(tf: Tf, components: readonly Component[]): Tensor {
  return tf.shapeVector(components.map(({ size, window }) => subDims(size, window)));
}

/**
 * Start vectors (last dimension: components) as one clamped index each into the flattened
 * dimensions; the last dimension goes away.
 */
export function flattenStarts(
  tf: Tf,
  starts: Tensor,
  components: readonly Component[],
  unsigned: boolean,
): Tensor {
  const shape = starts.shape.slice(0, -1);
  const [first] = components;
  if (first === undefined) return tf.fill(shape, 0, "int32");
  if (components.length === 1) {
    const clamped = clampIndex(
      tf,
      tf.reshape(starts, shape),
      subDims(first.size, first.window),
      unsigned,
    );
    return first.stride === 1 ? clamped : tf.binary("Mul", clamped, tf.dim(first.stride));
  }
  const zero = tf.scalar(0, "int32");
  const last = lastStarts(tf, components);
  const low = unsigned
    ? tf.select(tf.binary("Less", starts, zero), last, starts)
    : tf.binary("Maximum", starts, zero);
  const clamped = tf.binary("Minimum", low, last);
  const weights = tf.shapeVector(components.map((component) => component.stride));
  return tf.reduce("Sum", tf.binary("Mul", clamped, weights), [shape.length]);
}

/** Bool tensor: true for start vectors whose whole window lies in bounds. */
export function startsInBounds(
  tf: Tf,
  starts: Tensor,
  components: readonly Component[],
  unsigned = false,
): Tensor {
  const shape = starts.shape.slice(0, -1);
  const [first] = components;
  if (first === undefined) return tf.fill(shape, true, "bool");
  // An unsigned index above 2^31 looks negative, and is out of bounds either way.
  if (components.length === 1) {
    // The limited index is there anyway, for the gather itself.
    const index = tf.reshape(starts, shape);
    const last = subDims(first.size, first.window);
    return tf.binary("Equal", index, clampIndex(tf, index, last, unsigned));
  }
  const inside = tf.binary(
    "LogicalAnd",
    tf.binary("GreaterEqual", starts, tf.scalar(0, "int32")),
    tf.binary("LessEqual", starts, lastStarts(tf, components)),
  );
  return tf.reduce("All", inside, [shape.length]);
}

/** Positions inside a window relative to its start, as flattened indices; null for single elements. */
export function windowOffsets(tf: Tf, windows: readonly Component[]): Tensor | null {
  let offsets: Tensor | null = null;
  for (const [axis, { window, stride }] of windows.entries()) {
    const steps =
      stride === 1 ? tf.range(window) : tf.binary("Mul", tf.range(window), tf.dim(stride));
    const trailing = windows.slice(axis + 1).map(() => 1);
    const placed = trailing.length === 0 ? steps : tf.reshape(steps, [window, ...trailing]);
    offsets = offsets === null ? placed : tf.binary("AddV2", offsets, placed);
  }
  return offsets;
}
