/** Checks and result shape of gather, with JAX's messages. */
import {
  dimEquals,
  greaterEqual,
  printDim,
  printShape,
  shapeEquals,
  type Shape,
} from "../src/ir/dims.js";
import type { GatherParams } from "../src/ir/params.js";
import { checkDisjoint, checkInRange, checkNoDuplicates, checkSorted } from "./indexingChecks.js";
import { at, invalid, isEmptyShape, shapeMismatch } from "./support.js";

function checkNumbers(
  operand: Shape,
  indices: Shape,
  { dimension_numbers: numbers }: GatherParams,
): void {
  const vectorDim = indices.length - 1;
  const rank = numbers.offset_dims.length + indices.length - 1;
  checkSorted(numbers.offset_dims, "gather", "offset_dims");
  checkNoDuplicates(numbers.offset_dims, "gather", "offset_dims");
  for (const [place, axis] of numbers.offset_dims.entries()) {
    if (axis >= 0 && axis < rank) continue;
    throw invalid(
      `Offset dimension ${place} in gather op is out of bounds; got ${axis}, but should have ` +
        `been in [0, ${rank})`,
    );
  }
  if (!dimEquals(numbers.start_index_map.length, at(indices, vectorDim))) {
    throw shapeMismatch(
      `Gather op has ${numbers.start_index_map.length} elements in start_index_map and the bound ` +
        `of dimension index_vector_dim=${vectorDim} of indices is ` +
        `${printDim(at(indices, vectorDim))}. These two numbers must be equal.`,
    );
  }
  for (const [place, axis] of numbers.start_index_map.entries()) {
    if (axis >= 0 && axis < operand.length) continue;
    throw invalid(
      `Invalid start_index_map; domain is [0, ${operand.length}), got: ${place}->${axis}.`,
    );
  }
  checkNoDuplicates(numbers.start_index_map, "gather", "start_index_map");
  checkSorted(numbers.collapsed_slice_dims, "gather", "collapsed_slice_dims");
  checkInRange(numbers.collapsed_slice_dims, operand.length, "gather", "collapsed_slice_dims");
  checkNoDuplicates(numbers.collapsed_slice_dims, "gather", "collapsed_slice_dims");
}

function checkBatching(
  operand: Shape,
  indices: Shape,
  { dimension_numbers: numbers }: GatherParams,
): void {
  const { operand_batching_dims: own, start_indices_batching_dims: paired } = numbers;
  checkNoDuplicates(own, "gather", "operand_batching_dims");
  checkSorted(own, "gather", "operand_batching_dims");
  checkInRange(own, operand.length, "gather", "operand_batching_dims");
  checkDisjoint([numbers.collapsed_slice_dims, own], "gather", [
    "collapsed_slice_dims",
    "operand_batching_dims",
  ]);
  checkDisjoint([numbers.start_index_map, own], "gather", [
    "start_index_map",
    "operand_batching_dims",
  ]);
  checkNoDuplicates(paired, "gather", "start_indices_batching_dims");
  checkInRange(paired, indices.length, "gather", "start_indices_batching_dims");
  if (paired.includes(indices.length - 1)) {
    throw invalid(
      "Gather op cannot have the index vector dimension as a batching dimension; got " +
        `${printShape(paired)}.`,
    );
  }
  if (own.length !== paired.length) {
    throw invalid(
      "Gather op requires equal numbers of operand_batching_dims and " +
        `start_indices_batching_dims, got ${printShape(own)} and ${printShape(paired)}.`,
    );
  }
  const ownShape = own.map((axis) => at(operand, axis));
  const pairedShape = paired.map((axis) => at(indices, axis));
  if (!shapeEquals(ownShape, pairedShape)) {
    throw shapeMismatch(
      "Gather op requires operand batching dimensions and indices batching dimensions to have " +
        `the same shape, got ${printShape(ownShape)} and ${printShape(pairedShape)}.`,
    );
  }
}

function checkSliceSizes(operand: Shape, indices: Shape, params: GatherParams): void {
  const { slice_sizes: sizes, dimension_numbers: numbers } = params;
  if (operand.length !== sizes.length) {
    throw invalid(
      "Gather op must have one slice size for every input dimension; got: " +
        `len(slice_sizes)=${sizes.length}, input_shape.rank=${operand.length}`,
    );
  }
  const { collapsed_slice_dims: collapsed, operand_batching_dims: batching } = numbers;
  if (sizes.length !== numbers.offset_dims.length + collapsed.length + batching.length) {
    throw invalid(
      "All components of the offset index in a gather op must either be a offset dimension or " +
        `explicitly collapsed/batching; got len(slice_sizes)=${sizes.length}, ` +
        `output_slice_sizes=${printShape(numbers.offset_dims)}, ` +
        `collapsed_slice_dims=${printShape(collapsed)}, ` +
        `operand_batching_dims=${printShape(batching)}.`,
    );
  }
  for (const [axis, size] of sizes.entries()) {
    const dim = at(operand, axis);
    if (isEmptyShape(indices) || (greaterEqual(size, 0) && greaterEqual(dim, size))) continue;
    throw shapeMismatch(
      `Slice size at index ${axis} in gather op is out of range, must be within ` +
        `[0, ${printDim(dim)} + 1), got ${printDim(size)}.`,
    );
  }
  for (const [place, axis] of collapsed.entries()) {
    if (dimEquals(at(sizes, axis), 1)) continue;
    throw invalid(
      "Gather op can only collapse slice dims with bound 1, but bound is " +
        `${printDim(at(sizes, axis))} for index ${axis} at position ${place}.`,
    );
  }
  for (const [place, axis] of batching.entries()) {
    if (at(sizes, axis) === 0 || at(sizes, axis) === 1) continue;
    throw invalid(
      "Gather op can only have operand batching dims with bound 0/1, but bound is " +
        `${printDim(at(sizes, axis))} for index ${axis} at position ${place}.`,
    );
  }
}

/**
 * The result shape of gather.
 *
 * @throws Jax2TfjsError `invalid-parameter`, `shape-mismatch`
 */
export function gatherShape(operand: Shape, indices: Shape, params: GatherParams): Shape {
  if (indices.length === 0) {
    throw shapeMismatch(
      "Gather index leaf dimension must be within [0, rank(indices) + 1). rank(indices) is 0 and " +
        "gather index leaf dimension is -1.",
    );
  }
  checkNumbers(operand, indices, params);
  checkBatching(operand, indices, params);
  checkSliceSizes(operand, indices, params);
  const { offset_dims, collapsed_slice_dims, operand_batching_dims } = params.dimension_numbers;
  const windows = params.slice_sizes.filter(
    (_, axis) => !collapsed_slice_dims.includes(axis) && !operand_batching_dims.includes(axis),
  );
  const places = indices.slice(0, -1);
  const rank = offset_dims.length + places.length;
  let [window, place] = [0, 0];
  return Array.from({ length: rank }, (_, axis) =>
    offset_dims.includes(axis) ? at(windows, window++) : at(places, place++),
  );
}
