/**
 * Where batch dimensions go, for the batching rules of the records: bringing them to the front of
 * every input, and making room for one in lists of dimension numbers.
 */
import type { Dim } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { batchToFront } from "./factories.js";
import { at } from "./support.js";

/** Positions of batch dimensions; null: the same for all rows. */
export type BatchDims = readonly (number | null)[];

/** The size of the batch, from any batched input. */
export function sizeOfBatch(inputs: readonly Value[], dims: BatchDims): Dim {
  const index = dims.findIndex((dim) => dim !== null);
  return at(at(inputs, index).aval.shape, at(dims, index) ?? 0);
}

/** The value with its batch dimension in front; an unbatched one is repeated. */
export function batchAtFront(o: Ops, value: Value, dim: number | null, size: Dim): Value {
  if (dim !== null) return batchToFront(o, value, dim);
  const { shape } = value.aval;
  return o.broadcastInDim(
    value,
    [size, ...shape],
    shape.map((_, axis) => axis + 1),
  );
}

/** Dimension numbers after a dimension was put in at `inserted`. */
export function shiftDims(dims: readonly number[], inserted: number): readonly number[] {
  return dims.map((dim) => (dim >= inserted ? dim + 1 : dim));
}
