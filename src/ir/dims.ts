/**
 * Symbolic dimensions with JAX's semantics, normal form, printing and messages: the sizes that
 * shapes are made of. The one entry to the files in dims/; imported by the whole IR.
 *
 * A dimension variable stands for an unknown integer >= 1. Operations take numbers and expressions
 * alike and give numbers whenever the result is constant.
 */
import { addDims, floordivDims, mulDims, subDims } from "./dims/arithmetic.js";
import type { Dim } from "./dims/expr.js";
import { dimEquals, maxDim } from "./dims/operations.js";

export type { Bounds } from "./dims/intervals.js";
export { type DimAlgebra, foldDim } from "./dims/fold.js";
export type { Dim, DimFactor, DimOperation, DimTerm } from "./dims/expr.js";
export type { LikeShape } from "./dims/parse.js";
export { DimExpr, SymbolicScope } from "./dims/expr.js";
export { symbolicScope } from "./dims/scope.js";
export { parseDim, parseShape } from "./dims/parse.js";
export {
  addDims,
  floordivDims,
  modDims,
  mulDims,
  negDim,
  powDim,
  subDims,
  variableDim,
} from "./dims/arithmetic.js";
export {
  boundsOf,
  dimEquals,
  divideExactDims,
  divideShapeSizes,
  evaluateDim,
  greater,
  greaterEqual,
  isSymbolic,
  less,
  lessEqual,
  maxDim,
  minDim,
  nonNegativeDim,
  printShape,
  requireConstant,
  shapeSize,
  substituteDims,
  tryCompare,
  variablesOf,
} from "./dims/operations.js";

/** The sizes of an array. */
export type Shape = readonly Dim[];

/** A dimension as JAX prints it. */
export function printDim(dim: Dim): string {
  return dim.toString();
}

/** A key for maps: dimensions with the same key are equal; equal ones have the same key unless
 * constraints `a == b` are chained. Expressions of different scopes have different keys. */
export function hashKey(dim: Dim): string {
  return typeof dim === "number" ? String(dim) : `${dim.key}@${dim.scope.id}`;
}

/** Whether two shapes have the same rank and dimensions known to be equal (see `dimEquals`). */
export function shapeEquals(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((dim, i) => dimEquals(dim, right[i] ?? NaN));
}

/** Whether all dimensions are numbers. */
export function isStaticShape(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === "number");
}

/** The size of an axis with `dilation - 1` elements put between its elements; 0 stays 0. */
export function dilateDim(dim: Dim, dilation: Dim): Dim {
  if (dilation === 1) return dim;
  return maxDim(addDims(1, mulDims(dilation, subDims(dim, 1))), 0);
}

/** How many windows fit in an axis: `max(0, floordiv(dim - windowSize, stride) + 1)`. */
export function strideDim(dim: Dim, windowSize: Dim, stride: Dim): Dim {
  return maxDim(addDims(floordivDims(subDims(dim, windowSize), stride), 1), 0);
}
