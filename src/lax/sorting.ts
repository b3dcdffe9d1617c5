/** Functions of `lax` that sort and choose the largest. */
import * as sorts from "../../primitives/sort.js";
import { printShape, type Dim } from "../ir/dims.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import { at, bindAll, canonicalAxis, invalid } from "./arguments.js";

export interface SortOptions {
  /** Default: the last. */
  readonly dimension?: number;
  /** Equal elements stay in order. Default: true. */
  readonly isStable?: boolean;
  /** How many of several operands decide, the first one first. Default: 1. */
  readonly numKeys?: number;
}

/**
 * Sorts along a dimension; several arrays go along with the first ones.
 *
 * JAX's counterpart is `lax.sort`.
 */
export function sort(operand: readonly ArrayLike[], options?: SortOptions): ArrayValue[];
export function sort(operand: ArrayLike, options?: SortOptions): ArrayValue;
export function sort(
  operand: ArrayLike | readonly ArrayLike[],
  { dimension = -1, isStable = true, numKeys = 1 }: SortOptions = {},
): ArrayValue | ArrayValue[] {
  const isList = Array.isArray(operand);
  const values = (isList ? (operand as readonly ArrayLike[]) : [operand as ArrayLike]).map(toValue);
  if (values.length === 0) throw invalid("Sort requires at least one operand");
  if (!(Number.isInteger(numKeys) && numKeys >= 1 && numKeys <= values.length)) {
    throw invalid(`num_keys=${numKeys} must be between 1 and len(operand)=${values.length}`);
  }
  const axis = canonicalAxis(dimension, at(values, 0).aval.shape.length);
  const params = { dimension: axis, is_stable: isStable, num_keys: numKeys };
  const results = bindAll(sorts.sort, values, params);
  return isList ? results : at(results, 0);
}

/** Sorts keys, and values with them. JAX's `lax.sort_key_val`. */
export function sortKeyVal(
  keys: ArrayLike,
  values: ArrayLike,
  dimension = -1,
  isStable = true,
): [ArrayValue, ArrayValue] {
  const sorted = sort([keys, values], { dimension, isStable });
  return [at(sorted, 0), at(sorted, 1)];
}

/** The `k` largest elements along an axis, and where they are. JAX's `lax.top_k`. */
export function topK(
  operand: ArrayLike,
  k: Dim,
  { axis = -1 }: { readonly axis?: number } = {},
): [ArrayValue, ArrayValue] {
  if (typeof k === "number" && k < 0)
    throw invalid(`k argument to top_k must be nonnegative, got ${k}`);
  const value = toValue(operand);
  if (value.aval.shape.length === 0) {
    throw invalid(`top_k operand must have >= 1 dimension, got ${printShape(value.aval.shape)}`);
  }
  const [values, indices] = o.topK(value, k, canonicalAxis(axis, value.aval.shape.length));
  return [fromValue(values), fromValue(indices)];
}

export interface ApproxOptions {
  readonly reductionDimension?: number;
  readonly recallTarget?: number;
  readonly reductionInputSizeOverride?: number;
  readonly aggregateToTopk?: boolean;
}

const approximately =
  (isMax: boolean) =>
  (operand: ArrayLike, k: number, options: ApproxOptions = {}): [ArrayValue, ArrayValue] => {
    const { reductionDimension = -1, recallTarget = 0.95 } = options;
    const value = toValue(operand);
    const results = bindAll(sorts.approxTopK, [value], {
      k,
      reduction_dimension: canonicalAxis(reductionDimension, value.aval.shape.length),
      recall_target: recallTarget,
      is_max_k: isMax,
      reduction_input_size_override: options.reductionInputSizeOverride ?? -1,
      aggregate_to_topk: options.aggregateToTopk ?? true,
    });
    return [at(results, 0), at(results, 1)];
  };

/** The `k` largest elements and where they are; exact here. JAX's `lax.approx_max_k`. */
export const approxMaxK = approximately(true);
/** The `k` smallest elements and where they are; exact here. JAX's `lax.approx_min_k`. */
export const approxMinK = approximately(false);
