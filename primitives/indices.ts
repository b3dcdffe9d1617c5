/**
 * Index arithmetic that the indexing records share: int32 index tensors, clamping, known indices.
 */
import { type Dim } from "../src/ir/dims.js";
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
  if (last === 0) return tf.binary("Mul", index, zero);
  const end = tf.dim(last);
  const low = unsigned
    ? tf.select(tf.binary("Less", index, zero), end, index)
    : tf.binary("Maximum", index, zero);
  return tf.binary("Minimum", low, end);
}
