/** The shape rule that all windowed reductions share. Used by window*.ts and selectAndScatter.ts. */
import {
  addDims,
  dilateDim,
  printShape,
  strideDim,
  tryCompare,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import { at } from "./support.js";

function invalid(message: string): Jax2TfjsError {
  return new Jax2TfjsError("invalid-parameter", message);
}

/** Throws in JAX's words unless every entry is an integer of at least 1. */
export function checkPositive(primitive: string, name: string, list: readonly Dim[]): void {
  const isPositive = (dim: Dim): boolean =>
    typeof dim === "number"
      ? Number.isSafeInteger(dim) && dim >= 1
      : tryCompare(dim, ">=", 1) !== false;
  if (list.every(isPositive)) return;
  throw invalid(
    `${primitive} ${name} must have every element be strictly positive, got ${printShape(list)}.`,
  );
}

/** Shape of the result of a windowed reduction; throws `invalid-parameter` in JAX's words. */
export function windowedShape(operand: Shape, params: ReduceWindowParams): Shape {
  const { window_dimensions, window_strides, base_dilation, window_dilation, padding } = params;
  checkPositive("reduce_window", "window_dimensions", window_dimensions);
  checkPositive("reduce_window", "window_strides", window_strides);
  checkPositive("reduce_window", "base_dilation", base_dilation);
  checkPositive("reduce_window", "window_dilation", window_dilation);
  if (operand.length !== window_dimensions.length) {
    throw invalid(
      "reduce_window got the wrong number of window_dimensions for operand: got operand shape " +
        `${printShape(operand)} with window_dimensions ${printShape(window_dimensions)}.`,
    );
  }
  const perDimension = { window_strides, base_dilation, window_dilation };
  for (const [name, list] of Object.entries(perDimension)) {
    if (list.length === operand.length) continue;
    throw invalid(
      `reduce_window got inconsistent ${name} and window_dimensions: got ${name} ` +
        `${printShape(list)} and window_dimensions ${printShape(window_dimensions)}.`,
    );
  }
  if (padding.length !== operand.length) {
    throw invalid(
      `reduce_window got ${padding.length} pairs of padding for an operand of rank ${operand.length}.`,
    );
  }
  return operand.map((size, dim) => {
    const [low, high] = at(padding, dim);
    const padded = addDims(dilateDim(size, at(base_dilation, dim)), addDims(low, high));
    const window = dilateDim(at(window_dimensions, dim), at(window_dilation, dim));
    return strideDim(padded, window, at(window_strides, dim));
  });
}
