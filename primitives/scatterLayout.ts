/**
 * How a scatter is flattened: the operand becomes rows [N, P], the updates rows [M, P], and every
 * update row gets the number of the operand row it goes to. Used by scatter.ts.
 */
import { dimEquals, mulDims, shapeSize, type Dim, type Shape } from "../src/ir/dims.js";
import { kindOf } from "../src/ir/dtypes.js";
import { valuesOf } from "../src/ir/hostArray.js";
import type { ScatterParams } from "../src/ir/params.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import {
  flattenStarts,
  flatStrides,
  startsInBounds,
  windowOffsets,
  type Component,
} from "./indices.js";
import { windowOperandDims } from "./scatterShape.js";
import { permute, reshapeTo } from "./shape.js";
import { at, upTo } from "./support.js";

/** Static facts of a scatter: where dimensions go. */
export interface ScatterLayout {
  readonly operand: Shape;
  /** Size of the update window along each operand dimension. */
  readonly windows: Shape;
  /** Operand dimensions that become the row number, and those that make up a row. */
  readonly rowDims: readonly number[];
  readonly insideDims: readonly number[];
  readonly rowCount: Dim;
  readonly updateCount: Dim;
  readonly rowSize: Dim;
  /** For each component of a start vector. */
  readonly components: readonly Component[];
  /** Row dimensions with windows of more than one element. */
  readonly windowed: readonly number[];
  readonly strides: readonly Dim[];
}

export function layoutOf(
  operand: Shape,
  indices: Shape,
  updates: Shape,
  params: ScatterParams,
): ScatterLayout {
  const { dimension_numbers: numbers } = params;
  const owners = windowOperandDims(operand.length, params);
  const windows = operand.map((_, axis) => {
    const place = owners.indexOf(axis);
    return place < 0 ? 1 : at(updates, at(numbers.update_window_dims, place));
  });
  const batch = numbers.operand_batching_dims;
  const rowDims = upTo(operand.length).filter(
    (axis) => batch.includes(axis) || !dimEquals(at(operand, axis), at(windows, axis)),
  );
  const insideDims = upTo(operand.length).filter((axis) => !rowDims.includes(axis));
  const rowShape = rowDims.map((axis) => at(operand, axis));
  const strides = flatStrides(rowShape);
  const strideOf = (axis: number): Dim => strides[rowDims.indexOf(axis)] ?? 0;
  const windowed = rowDims.filter((axis) => at(windows, axis) !== 1);
  return {
    operand,
    windows,
    rowDims,
    insideDims,
    rowCount: shapeSize(rowShape),
    updateCount: mulDims(
      shapeSize(indices.slice(0, -1)),
      shapeSize(windowed.map((axis) => at(windows, axis))),
    ),
    rowSize: shapeSize(insideDims.map((axis) => at(operand, axis))),
    components: numbers.scatter_dims_to_operand_dims.map((axis) => ({
      size: at(operand, axis),
      window: at(windows, axis),
      stride: strideOf(axis),
    })),
    windowed,
    strides: operand.map((_, axis) => strideOf(axis)),
  };
}

/** The operand as rows. */
export function toRows(tf: Tf, x: Tensor, layout: ScatterLayout): Tensor {
  const { rowDims, insideDims, rowCount, rowSize } = layout;
  return reshapeTo(tf, permute(tf, x, [...rowDims, ...insideDims]), [rowCount, rowSize]);
}

/** Rows back in the operand's shape. */
export function fromRows(tf: Tf, rows: Tensor, layout: ScatterLayout): Tensor {
  const { operand, rowDims, insideDims } = layout;
  const order = [...rowDims, ...insideDims];
  const moved = reshapeTo(
    tf,
    rows,
    order.map((axis) => at(operand, axis)),
  );
  return permute(
    tf,
    moved,
    operand.map((_, axis) => order.indexOf(axis)),
  );
}

/** The updates as rows, in the order of the indices and, inside one window, of the operand. */
export function updateRows(
  tf: Tf,
  updates: Tensor,
  layout: ScatterLayout,
  params: ScatterParams,
): Tensor {
  const { update_window_dims: windowDims } = params.dimension_numbers;
  const owners = windowOperandDims(layout.operand.length, params);
  const updateDim = (axis: number): number => at(windowDims, owners.indexOf(axis));
  const scattered = upTo(updates.shape.length).filter((axis) => !windowDims.includes(axis));
  const isInside = (axis: number): boolean => layout.insideDims.includes(axis);
  const order = [
    ...scattered,
    ...owners.filter((axis) => !isInside(axis)).map(updateDim),
    ...owners.filter(isInside).map(updateDim),
  ];
  return reshapeTo(tf, permute(tf, updates, order), [layout.updateCount, layout.rowSize]);
}

/** Where update rows go. */
export interface RowNumbers {
  /** int32 [M], in bounds. */
  readonly rows: Tensor;
  /** bool [M]: false for updates that JAX drops; null if none is. */
  readonly kept: Tensor | null;
}

/** Adds the place along batching dimensions, which the indices do not hold. */
function addBatchPlaces(
  tf: Tf,
  starts: Tensor,
  layout: ScatterLayout,
  params: ScatterParams,
): Tensor {
  const { operand_batching_dims: own, scatter_indices_batching_dims: paired } =
    params.dimension_numbers;
  let result = starts;
  for (const [place, axis] of own.entries()) {
    const indexAxis = at(paired, place);
    const stride = at(layout.strides, axis);
    const range = tf.range(at(layout.operand, axis));
    const steps = stride === 1 ? range : tf.binary("Mul", range, tf.dim(stride));
    const trailing = starts.shape.slice(indexAxis + 1).map(() => 1);
    const placed = tf.reshape(steps, [at(layout.operand, axis), ...trailing]);
    result = tf.binary("AddV2", result, placed);
  }
  return result;
}

/** Repeats a value per start vector for each element of its window, as a vector. */
function perElement(tf: Tf, perStart: Tensor, offsets: Tensor | null, count: Dim): Tensor {
  if (offsets === null) return reshapeTo(tf, perStart, [count]);
  const ones = offsets.shape.map(() => 1);
  const spread = tf.reshape(perStart, [...perStart.shape, ...ones]);
  const whole = tf.broadcastTo(spread, [...perStart.shape, ...offsets.shape]);
  return reshapeTo(tf, whole, [count]);
}

/** True if a bool tensor is known to hold true only. */
export function isKnownTrue(tensor: Tensor): boolean {
  return (
    tensor.value !== null && Array.from(valuesOf(tensor.value), Number).every((bit) => bit !== 0)
  );
}

export function rowNumbers(
  tf: Tf,
  indices: GraphValue,
  layout: ScatterLayout,
  params: ScatterParams,
): RowNumbers {
  const starts = tf.tensor(indices);
  const unsigned = kindOf(indices.aval.dtype) === "unsigned";
  const flat = flattenStarts(tf, starts, layout.components, unsigned);
  const placed = addBatchPlaces(tf, flat, layout, params);
  const offsets = windowOffsets(
    tf,
    layout.windowed.map((axis) => ({
      size: at(layout.operand, axis),
      window: at(layout.windows, axis),
      stride: at(layout.strides, axis),
    })),
  );
  const rows =
    offsets === null
      ? reshapeTo(tf, placed, [layout.updateCount])
      : reshapeTo(
          tf,
          tf.binary(
            "AddV2",
            tf.reshape(placed, [...placed.shape, ...offsets.shape.map(() => 1)]),
            offsets,
          ),
          [layout.updateCount],
        );
  if (params.mode === "clip") return { rows, kept: null };
  const inside = startsInBounds(tf, starts, layout.components);
  if (isKnownTrue(inside)) return { rows, kept: null };
  return { rows, kept: perElement(tf, inside, offsets, layout.updateCount) };
}

/** True if no operand element can be written twice. */
export function isSurelyUnique(indices: Shape, params: ScatterParams): boolean {
  if (params.unique_indices) return true;
  const { scatter_indices_batching_dims: paired } = params.dimension_numbers;
  return indices.slice(0, -1).every((size, axis) => size === 1 || paired.includes(axis));
}
