/** Checks of scatter, with JAX's messages. */
import {
  dimEquals,
  greaterEqual,
  printDim,
  printShape,
  shapeEquals,
  type Shape,
} from "../src/ir/dims.js";
import type { ScatterParams } from "../src/ir/params.js";
import { checkDisjoint, checkInRange, checkNoDuplicates, checkSorted } from "./indexingChecks.js";
import { at, invalid, shapeMismatch, upTo } from "./support.js";

function checkRanks(operand: Shape, indices: Shape, updates: Shape, params: ScatterParams): void {
  const { dimension_numbers: numbers } = params;
  if (indices.length === 0) {
    throw shapeMismatch(
      "Scatter index leaf dimension must be within [0, rank(indices) + 1). rank(indices) is 0 and " +
        "scatter index leaf dimension is -1.",
    );
  }
  const rank = indices.length - 1 + numbers.update_window_dims.length;
  if (updates.length !== rank) {
    throw shapeMismatch(`Updates tensor must be of rank ${rank}; got ${updates.length}.`);
  }
  const windowRank =
    numbers.update_window_dims.length +
    numbers.inserted_window_dims.length +
    numbers.operand_batching_dims.length;
  if (operand.length !== windowRank) {
    throw invalid(
      `Scatter op has window of size ${windowRank}; doesn't match operand of rank ${operand.length}.`,
    );
  }
}

function checkWindowDims(operand: Shape, updates: Shape, params: ScatterParams): void {
  const { update_window_dims: windows, inserted_window_dims: inserted } = params.dimension_numbers;
  checkSorted(windows, "scatter", "update_window_dims");
  checkNoDuplicates(windows, "scatter", "update_window_dims");
  checkInRange(windows, updates.length, "scatter", "update_window_dims");
  checkSorted(inserted, "scatter", "inserted_window_dims");
  checkNoDuplicates(inserted, "scatter", "inserted_window_dims");
  checkInRange(inserted, operand.length, "scatter", "inserted_window_dims");
}

function checkBatching(operand: Shape, indices: Shape, params: ScatterParams): void {
  const { dimension_numbers: numbers } = params;
  const { operand_batching_dims: own, scatter_indices_batching_dims: paired } = numbers;
  checkNoDuplicates(own, "scatter", "operand_batching_dims");
  checkSorted(own, "scatter", "operand_batching_dims");
  checkInRange(own, operand.length, "scatter", "operand_batching_dims");
  checkDisjoint([numbers.inserted_window_dims, own], "scatter", [
    "inserted_window_dims",
    "operand_batching_dims",
  ]);
  checkDisjoint([numbers.scatter_dims_to_operand_dims, own], "scatter", [
    "scatter_dims_to_operand_dims",
    "operand_batching_dims",
  ]);
  checkNoDuplicates(paired, "scatter", "scatter_indices_batching_dims");
  checkInRange(paired, indices.length, "scatter", "scatter_indices_batching_dims");
  if (paired.includes(indices.length - 1)) {
    throw invalid(
      "Scatter op cannot have the index vector dimension as a batching dimension; got " +
        `${printShape(paired)}.`,
    );
  }
  if (own.length !== paired.length) {
    throw invalid(
      "Scatter op requires equal numbers of operand_batching_dims and " +
        `scatter_indices_batching_dims, got ${printShape(own)} and ${printShape(paired)}.`,
    );
  }
  const ownShape = own.map((axis) => at(operand, axis));
  const pairedShape = paired.map((axis) => at(indices, axis));
  if (!shapeEquals(ownShape, pairedShape)) {
    throw shapeMismatch(
      "Scatter op requires operand batching dimensions and indices batching dimensions to have " +
        `the same shape, got ${printShape(ownShape)} and ${printShape(pairedShape)}.`,
    );
  }
}

function checkIndexMap(operand: Shape, indices: Shape, params: ScatterParams): void {
  const { scatter_dims_to_operand_dims: map } = params.dimension_numbers;
  const vectorDim = indices.length - 1;
  if (!dimEquals(map.length, at(indices, vectorDim))) {
    throw shapeMismatch(
      `Scatter op has ${map.length} elements in scatter_dims_to_operand_dims and the bound of ` +
        `dimension index_vector_dim=${vectorDim} of indices is ` +
        `${printDim(at(indices, vectorDim))}. These two numbers must be equal`,
    );
  }
  for (const [place, axis] of map.entries()) {
    if (Number.isInteger(axis) && axis >= 0 && axis < operand.length) continue;
    throw invalid(
      `Invalid scatter_dims_to_operand_dims mapping; domain is [0, ${operand.length}), got: ` +
        `${place}->${axis}.`,
    );
  }
  checkNoDuplicates(map, "scatter", "scatter_dims_to_operand_dims");
}

/** Operand dimensions that the window dimensions of the updates belong to, in order. */
export function windowOperandDims(operandRank: number, params: ScatterParams): readonly number[] {
  const { inserted_window_dims, operand_batching_dims } = params.dimension_numbers;
  return upTo(operandRank).filter(
    (axis) => !inserted_window_dims.includes(axis) && !operand_batching_dims.includes(axis),
  );
}

function checkUpdates(operand: Shape, indices: Shape, updates: Shape, params: ScatterParams): void {
  const { update_window_dims: windows } = params.dimension_numbers;
  const owners = windowOperandDims(operand.length, params);
  for (const [place, axis] of windows.entries()) {
    const bound = at(operand, at(owners, place));
    if (greaterEqual(bound, at(updates, axis))) continue;
    throw shapeMismatch(
      "Bounds of the window dimensions of updates must not exceed the bounds of the corresponding " +
        `dimensions of operand. For dimension ${axis}, updates bound is ` +
        `${printDim(at(updates, axis))}, operand bound is ${printDim(bound)}.`,
    );
  }
  const scattered = upTo(updates.length).filter((axis) => !windows.includes(axis));
  for (const [place, axis] of scattered.entries()) {
    if (dimEquals(at(updates, axis), at(indices, place))) continue;
    throw shapeMismatch(
      "Bounds of the scatter dimensions of updates must be the same as the bounds of the " +
        `corresponding dimensions of scatter indices. For scatter dimension ${axis}, updates ` +
        `bound is ${printDim(at(updates, axis))}, indices bound is ${printDim(at(indices, place))}.`,
    );
  }
}

/**
 * Checks the shapes of scatter; the result has the operand's shape.
 *
 * @throws Jax2TfjsError `invalid-parameter`, `shape-mismatch`
 */
export function checkScatter(
  operand: Shape,
  indices: Shape,
  updates: Shape,
  params: ScatterParams,
): void {
  checkRanks(operand, indices, updates, params);
  checkWindowDims(operand, updates, params);
  checkBatching(operand, indices, params);
  checkIndexMap(operand, indices, params);
  checkUpdates(operand, indices, updates, params);
}
