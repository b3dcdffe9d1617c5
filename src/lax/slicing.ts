/** Functions of `lax` that read and write parts of arrays: slices, gather, scatter. */
import { gather as gatherPrimitive } from "../../primitives/gather.js";
import * as scatters from "../../primitives/scatter.js";
import { addDims, printShape, type Dim, type Shape } from "../ir/dims.js";
import { isComplex, isFloat, kindOf, type DType } from "../ir/dtypes.js";
import { shapedArray } from "../ir/aval.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { traceCall } from "../api/calls.js";
import { withConstants } from "../api/jit.js";
import type { TreeDef } from "../tree/pytree.js";
import type { GatherScatterMode as Mode, ScatterParams } from "../ir/params.js";
import type { Primitive } from "../ir/primitive.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, shapeOf, toValue } from "../trace/trace.js";
import {
  at,
  bindOne,
  canonicalAxis,
  convertValue,
  indexValue,
  integerRange,
  invalid,
  operands,
} from "./arguments.js";

// --- Slices --------------------------------------------------------------------------------------

/** The part from `startIndices` up to `limitIndices`. JAX's `lax.slice`. */
export function slice(
  operand: ArrayLike,
  startIndices: readonly Dim[],
  limitIndices: readonly Dim[],
  strides: readonly number[] | null = null,
): ArrayValue {
  return fromValue(o.slice(toValue(operand), startIndices, limitIndices, strides));
}

/** An index counted from the end if it is negative, and kept within the dimension. */
function boundedIndex(index: Dim, size: Dim): Dim {
  if (typeof index !== "number") return index;
  const start = index < 0 ? addDims(size, index) : index;
  if (typeof start !== "number") return start;
  if (start < 0) return 0;
  return typeof size === "number" ? Math.min(start, size) : start;
}

/**
 * The part of an array along one dimension; indices may be negative, `null` for the limit is the end.
 * JAX's `lax.slice_in_dim`.
 */
export function sliceInDim(
  operand: ArrayLike,
  startIndex: Dim | null,
  limitIndex: Dim | null,
  stride = 1,
  axis = 0,
): ArrayValue {
  const shape = shapeOf(operand);
  const place = canonicalAxis(axis, shape.length);
  const size = at(shape, place);
  const start = boundedIndex(startIndex ?? 0, size);
  const limit = limitIndex === null ? size : boundedIndex(limitIndex, size);
  const starts = shape.map((_, dimension): Dim => (dimension === place ? start : 0));
  return slice(
    operand,
    starts,
    shape.with(place, limit),
    shape.map((_, dimension) => (dimension === place ? stride : 1)),
  );
}

/** One slice along a dimension, by a constant index. JAX's `lax.index_in_dim`. */
export function indexInDim(
  operand: ArrayLike,
  index: number,
  axis = 0,
  keepdims = true,
): ArrayValue {
  const shape = shapeOf(operand);
  const place = canonicalAxis(axis, shape.length);
  const size = at(shape, place);
  const wrapped = index < 0 ? addDims(index, size) : index;
  const isOutside = typeof size === "number" && !(Number(wrapped) >= 0 && Number(wrapped) < size);
  if (isOutside) {
    throw invalid(`index ${index} is out of bounds for axis ${axis} with size ${size}`);
  }
  const part = sliceInDim(operand, wrapped, addDims(wrapped, 1), 1, place);
  return keepdims ? part : fromValue(o.squeeze(toValue(part), [place]));
}

/** Negative constant indices count from the end, as in JAX. */
function startValues(starts: readonly ArrayLike[], shape: Shape): readonly Value[] {
  if (starts.length !== shape.length) {
    throw invalid(
      `Length of start indices must match number of operand dimensions: got indices length ` +
        `${starts.length} and operand shape ${printShape(shape)}`,
    );
  }
  return starts.map((start, axis) => {
    const index = indexValue(start);
    const size = at(shape, axis);
    if (typeof start === "number" || typeof start === "bigint") {
      if (start >= 0) return index;
      return o.add(o.dimAsValue(size), index);
    }
    if (kindOf(index.aval.dtype) === "unsigned") return index;
    const whole = o.dimAsValue(size);
    const wide =
      index.aval.dtype === whole.aval.dtype ? whole : o.convertElementType(whole, index.aval.dtype);
    const zero = o.literal(0, index.aval.dtype);
    return o.selectN(o.lt(index, zero), index, o.add(index, wide));
  });
}

/** A part whose place is computed; kept within the array. JAX's `lax.dynamic_slice`. */
export function dynamicSlice(
  operand: ArrayLike,
  startIndices: readonly ArrayLike[],
  sliceSizes: Shape,
): ArrayValue {
  const value = toValue(operand);
  return fromValue(o.dynamicSlice(value, startValues(startIndices, value.aval.shape), sliceSizes));
}

/** `dynamicSlice` along one dimension. JAX's `lax.dynamic_slice_in_dim`. */
export function dynamicSliceInDim(
  operand: ArrayLike,
  startIndex: ArrayLike,
  sliceSize: Dim,
  axis = 0,
): ArrayValue {
  const shape = shapeOf(operand);
  const place = canonicalAxis(axis, shape.length);
  const starts = shape.map((_, dimension): ArrayLike => (dimension === place ? startIndex : 0));
  return dynamicSlice(operand, starts, shape.with(place, sliceSize));
}

/** One slice along a dimension, by a computed index. JAX's `lax.dynamic_index_in_dim`. */
export function dynamicIndexInDim(
  operand: ArrayLike,
  index: ArrayLike,
  axis = 0,
  keepdims = true,
): ArrayValue {
  const part = dynamicSliceInDim(operand, index, 1, axis);
  if (keepdims) return part;
  return fromValue(o.squeeze(toValue(part), [canonicalAxis(axis, shapeOf(operand).length)]));
}

/** The array with a part written over. JAX's `lax.dynamic_update_slice`. */
export function dynamicUpdateSlice(
  operand: ArrayLike,
  update: ArrayLike,
  startIndices: readonly ArrayLike[],
): ArrayValue {
  const values = operands(operand, update);
  const [whole, part] = [at(values, 0), at(values, 1)];
  const starts = startValues(startIndices, whole.aval.shape);
  return fromValue(o.dynamicUpdateSlice(whole, part, starts));
}

/** `dynamicUpdateSlice` along one dimension. JAX's `lax.dynamic_update_slice_in_dim`. */
export function dynamicUpdateSliceInDim(
  operand: ArrayLike,
  update: ArrayLike,
  startIndex: ArrayLike,
  axis: number,
): ArrayValue {
  const shape = shapeOf(operand);
  const place = canonicalAxis(axis, shape.length);
  const starts = shape.map((_, dimension): ArrayLike => (dimension === place ? startIndex : 0));
  return dynamicUpdateSlice(operand, update, starts);
}

/** Writes one slice; `update` may lack the dimension. JAX's `lax.dynamic_update_index_in_dim`. */
export function dynamicUpdateIndexInDim(
  operand: ArrayLike,
  update: ArrayLike,
  index: ArrayLike,
  axis: number,
): ArrayValue {
  const shape = shapeOf(operand);
  const part = toValue(update);
  const place = canonicalAxis(axis, shape.length);
  const isWhole = part.aval.shape.length === shape.length;
  const sizes = part.aval.shape.toSpliced(place, 0, 1);
  const row = isWhole ? part : o.reshape(part, sizes);
  return dynamicUpdateSliceInDim(operand, fromValue(row), index, place);
}

// --- Gather --------------------------------------------------------------------------------------

/** JAX's `lax.GatherDimensionNumbers`. */
export interface GatherDimensionNumbers {
  readonly offsetDims: readonly number[];
  readonly collapsedSliceDims: readonly number[];
  readonly startIndexMap: readonly number[];
  readonly operandBatchingDims?: readonly number[];
  readonly startIndicesBatchingDims?: readonly number[];
}

/** JAX's `lax.ScatterDimensionNumbers`. */
export interface ScatterDimensionNumbers {
  readonly updateWindowDims: readonly number[];
  readonly insertedWindowDims: readonly number[];
  readonly scatterDimsToOperandDims: readonly number[];
  readonly operandBatchingDims?: readonly number[];
  readonly scatterIndicesBatchingDims?: readonly number[];
}

/**
 * What indices out of bounds do: they are moved to the next place within (`clip`), read a fill value
 * or are not written (`fill`, `drop`), or do not occur. JAX's `lax.GatherScatterMode`.
 */
export type GatherScatterMode = "clip" | "fill" | "drop" | "promise_in_bounds";

const modes: ReadonlyMap<string, Mode> = new Map([
  ["clip", "clip"],
  ["fill", "fill"],
  ["drop", "fill"],
  ["promise_in_bounds", "promise_in_bounds"],
]);

function modeOf(mode: string): Mode {
  const known = modes.get(mode);
  if (known === undefined) throw invalid(`Unknown gather mode '${mode}'`);
  return known;
}

/** What JAX fills with: NaN, the smallest signed and the largest unsigned number, true. */
function defaultFill(dtype: DType): number | boolean {
  if (isFloat(dtype) || isComplex(dtype)) return NaN;
  switch (kindOf(dtype)) {
    case "signed":
      return integerRange(dtype)[0];
    case "unsigned":
      return integerRange(dtype)[1];
    default:
      return true;
  }
}

export interface GatherOptions {
  readonly indicesAreSorted?: boolean;
  readonly uniqueIndices?: boolean;
  /** Default: "promise_in_bounds", which moves indices within here and on JAX's CPU. */
  readonly mode?: GatherScatterMode;
  readonly fillValue?: number | boolean | null;
}

/** Reads slices of an array at computed places. JAX's `lax.gather`. */
export function gather(
  operand: ArrayLike,
  startIndices: ArrayLike,
  dimensionNumbers: GatherDimensionNumbers,
  sliceSizes: Shape,
  {
    indicesAreSorted = false,
    uniqueIndices = false,
    mode = "promise_in_bounds",
    fillValue = null,
  }: GatherOptions = {},
): ArrayValue {
  const value = toValue(operand);
  const parsed = modeOf(mode);
  const result = bindOne(gatherPrimitive, [value, indexValue(startIndices)], {
    dimension_numbers: {
      offset_dims: dimensionNumbers.offsetDims,
      collapsed_slice_dims: dimensionNumbers.collapsedSliceDims,
      start_index_map: dimensionNumbers.startIndexMap,
      operand_batching_dims: dimensionNumbers.operandBatchingDims ?? [],
      start_indices_batching_dims: dimensionNumbers.startIndicesBatchingDims ?? [],
    },
    slice_sizes: sliceSizes,
    indices_are_sorted: indicesAreSorted,
    unique_indices: uniqueIndices,
    mode: parsed,
    fill_value: parsed === "fill" ? (fillValue ?? defaultFill(value.aval.dtype)) : null,
  });
  return fromValue(result);
}

// --- Scatter -------------------------------------------------------------------------------------

export interface ScatterOptions {
  readonly indicesAreSorted?: boolean;
  readonly uniqueIndices?: boolean;
  /** Default: "drop". */
  readonly mode?: GatherScatterMode;
}

/** A function that combines updates with what is there. */
export type Scatter = (
  operand: ArrayLike,
  scatterIndices: ArrayLike,
  updates: ArrayLike,
  dimensionNumbers: ScatterDimensionNumbers,
  options?: ScatterOptions,
) => ArrayValue;

const scatterBy =
  (primitive: Primitive<ScatterParams>, program: ClosedJaxpr | null = null): Scatter =>
  (operand, scatterIndices, updates, dimensionNumbers, options = {}) => {
    const values = operands(operand, updates);
    const { indicesAreSorted = false, uniqueIndices = false, mode = "drop" } = options;
    const inputs = [at(values, 0), indexValue(scatterIndices), at(values, 1)];
    const result = bindOne(primitive, inputs, {
      dimension_numbers: {
        update_window_dims: dimensionNumbers.updateWindowDims,
        inserted_window_dims: dimensionNumbers.insertedWindowDims,
        scatter_dims_to_operand_dims: dimensionNumbers.scatterDimsToOperandDims,
        operand_batching_dims: dimensionNumbers.operandBatchingDims ?? [],
        scatter_indices_batching_dims: dimensionNumbers.scatterIndicesBatchingDims ?? [],
      },
      indices_are_sorted: indicesAreSorted,
      unique_indices: uniqueIndices,
      mode: modeOf(mode),
      update_jaxpr: program,
    });
    return fromValue(result);
  };

/**
 * Applies a function of one element to slices, once for each time that they are named. It has no
 * derivative, in JAX neither.
 *
 * JAX's counterpart is `lax.scatter_apply`.
 */
export function scatterApply(
  operand: ArrayLike,
  scatterIndices: ArrayLike,
  func: (x: ArrayValue) => ArrayLike,
  dimensionNumbers: ScatterDimensionNumbers,
  { updateShape = [], ...options }: ScatterOptions & { readonly updateShape?: Shape } = {},
): ArrayValue {
  const { dtype } = toValue(operand).aval;
  const scalar = shapedArray(dtype, []);
  const both: TreeDef = { kind: "tuple", children: [{ kind: "leaf" }, { kind: "leaf" }] };
  const apply = (x: ArrayValue): ArrayValue => fromValue(convertValue(toValue(func(x)), dtype));
  const program = withConstants(traceCall(apply, both, [scalar, scalar]));
  if (program.jaxpr.invars.length !== 2) {
    throw invalid("the function of scatterApply must not use traced arrays from around it");
  }
  const unused = fromValue(o.full(updateShape, dtype === "bool" ? false : 0, dtype));
  const whole = scatterBy(scatters.scatter, program);
  return whole(operand, scatterIndices, unused, dimensionNumbers, options);
}

/**
 * Slices of size 1 at positions along some dimensions, one row of positions per dimension; negative
 * ones count from the end. JAX's `lax.index_take`.
 */
export function indexTake(
  src: ArrayLike,
  idxs: readonly ArrayLike[],
  axes: readonly number[],
): ArrayValue {
  const value = toValue(src);
  const { shape } = value.aval;
  const columns = idxs.map((index) => {
    const row = toValue(index);
    return o.reshape(row, [...row.aval.shape, 1]);
  });
  const places = o.concatenate(columns, 1);
  const sizes = axes.map((axis) => o.broadcastInDim(o.dimAsValue(at(shape, axis)), [1], []));
  const limit = o.broadcastInDim(o.concatenate(sizes, 0), places.aval.shape, [1]);
  const wrapped = o.rem(o.add(o.rem(places, limit), limit), limit);
  const sliceSizes = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const numbers = {
    offsetDims: shape.slice(axes.length).map((_, axis) => axis + 1),
    collapsedSliceDims: axes,
    startIndexMap: axes,
  };
  return gather(fromValue(value), fromValue(wrapped), numbers, sliceSizes);
}

/** Writes updates over slices; the last one stays where several meet. JAX's `lax.scatter`. */
export const scatter: Scatter = scatterBy(scatters.scatter);
/** Adds updates to slices. JAX's `lax.scatter_add`. */
export const scatterAdd: Scatter = scatterBy(scatters.scatterAdd);
/** Subtracts updates from slices. JAX's `lax.scatter_sub`. */
export const scatterSub: Scatter = scatterBy(scatters.scatterSub);
/** Multiplies slices by updates. JAX's `lax.scatter_mul`. */
export const scatterMul: Scatter = scatterBy(scatters.scatterMul);
/** Keeps the smaller of slices and updates. JAX's `lax.scatter_min`. */
export const scatterMin: Scatter = scatterBy(scatters.scatterMin);
/** Keeps the larger of slices and updates. JAX's `lax.scatter_max`. */
export const scatterMax: Scatter = scatterBy(scatters.scatterMax);
