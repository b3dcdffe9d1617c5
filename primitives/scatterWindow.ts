/**
 * Scatter with one start (or one per batch element): no element is written twice, so operand and
 * update are combined everywhere and selected where the window lies. No transpositions, any
 * combiner. Used by scatter.ts.
 */
import { subDims, type Shape } from "../src/ir/dims.js";
import { kindOf } from "../src/ir/dtypes.js";
import type { ScatterParams } from "../src/ir/params.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { clampIndex, startsInBounds } from "./indices.js";
import { isKnownTrue, type ScatterLayout } from "./scatterLayout.js";
import { windowOperandDims } from "./scatterShape.js";
import { permute, reshapeTo } from "./shape.js";
import { at, upTo } from "./support.js";

/** True if there is one window per batch element, and windows are not gathered per batch element. */
export function isSingleWindow(
  indices: Shape,
  layout: ScatterLayout,
  params: ScatterParams,
): boolean {
  const { scatter_indices_batching_dims: paired } = params.dimension_numbers;
  const isOne = indices.slice(0, -1).every((size, axis) => size === 1 || paired.includes(axis));
  return isOne && (paired.length === 0 || layout.windowed.length === 0);
}

/** Ones, but the sizes of the batching dimensions where they are in the operand. */
function batchShape(layout: ScatterLayout, params: ScatterParams): Shape {
  const { operand_batching_dims: batch } = params.dimension_numbers;
  return layout.operand.map((dim, axis) => (batch.includes(axis) ? dim : 1));
}

/** Start vectors in the order of the operand's batching dimensions: [batch…, 1…, components]. */
function orderStarts(tf: Tf, starts: Tensor, params: ScatterParams): Tensor {
  const { scatter_indices_batching_dims: paired } = params.dimension_numbers;
  const vectorDim = starts.shape.length - 1;
  const rest = upTo(vectorDim).filter((axis) => !paired.includes(axis));
  return permute(tf, starts, [...paired, ...rest, vectorDim]);
}

/** A bool tensor that broadcasts to the operand: true inside the window. */
function windowMask(
  tf: Tf,
  indices: GraphValue,
  layout: ScatterLayout,
  params: ScatterParams,
): { readonly mask: Tensor | null; readonly relative: ReadonlyMap<number, Tensor> } {
  const { dimension_numbers: numbers, mode } = params;
  const starts = orderStarts(tf, tf.tensor(indices), params);
  const unsigned = kindOf(indices.aval.dtype) === "unsigned";
  const small = batchShape(layout, params);
  const vectorDim = starts.shape.length - 1;
  const zeros = starts.shape.map(() => 0);
  const relative = new Map<number, Tensor>();
  let mask: Tensor | null = null;
  const restrict = (condition: Tensor): void => {
    mask = mask === null ? condition : tf.binary("LogicalAnd", mask, condition);
  };
  const rowDims = layout.rowDims.filter((axis) => !numbers.operand_batching_dims.includes(axis));
  for (const axis of rowDims) {
    const component = numbers.scatter_dims_to_operand_dims.indexOf(axis);
    const [dim, window] = [at(layout.operand, axis), at(layout.windows, axis)];
    let start = tf.scalar(0, "int32");
    if (component >= 0) {
      const begin = zeros.with(vectorDim, component);
      const one = tf.slice(starts, begin, [...starts.shape.slice(0, -1), 1]);
      const placed = tf.reshape(one, small);
      const room = subDims(dim, window);
      start = mode === "clip" ? clampIndex(tf, placed, room, unsigned) : placed;
    }
    const trailing = layout.operand.slice(axis + 1).map(() => 1);
    const positions = tf.reshape(tf.range(dim), [dim, ...trailing]);
    const place = tf.binary("Sub", positions, start);
    if (window === 1) {
      restrict(tf.binary("Equal", positions, start));
    } else {
      relative.set(axis, tf.reshape(place, [dim]));
      restrict(tf.binary("GreaterEqual", place, tf.scalar(0, "int32")));
      restrict(tf.binary("Less", place, tf.dim(window)));
    }
  }
  // A single element out of bounds equals no position; a longer window must fit as a whole.
  const needsCheck = layout.components.some(({ window }, component) => {
    const axis = at(numbers.scatter_dims_to_operand_dims, component);
    return window !== 1 || !rowDims.includes(axis);
  });
  if (mode !== "clip" && needsCheck) {
    const inside = startsInBounds(tf, starts, layout.components);
    if (!isKnownTrue(inside)) restrict(tf.reshape(inside, small));
  }
  return { mask, relative };
}

/** The update with the operand's dimensions, spread to the places where its window may lie. */
function spreadUpdate(
  tf: Tf,
  update: Tensor,
  layout: ScatterLayout,
  params: ScatterParams,
  relative: ReadonlyMap<number, Tensor>,
): Tensor {
  const { dimension_numbers: numbers } = params;
  const owners = windowOperandDims(layout.operand.length, params);
  const scattered = upTo(update.shape.length).filter(
    (axis) => !numbers.update_window_dims.includes(axis),
  );
  const order: number[] = [];
  for (const axis of upTo(layout.operand.length)) {
    const batch = numbers.operand_batching_dims.indexOf(axis);
    const window = owners.indexOf(axis);
    if (batch >= 0) order.push(at(scattered, at(numbers.scatter_indices_batching_dims, batch)));
    if (window >= 0) order.push(at(numbers.update_window_dims, window));
  }
  const rest = upTo(update.shape.length).filter((axis) => !order.includes(axis));
  const shape = layout.operand.map((dim, axis) =>
    numbers.operand_batching_dims.includes(axis) ? dim : at(layout.windows, axis),
  );
  let result = reshapeTo(tf, permute(tf, update, [...order, ...rest]), shape);
  for (const [axis, place] of relative) {
    const last = subDims(at(layout.windows, axis), 1);
    result = tf.gather(result, clampIndex(tf, place, last, false), axis);
  }
  return result;
}

/** A prepared single-window scatter: where it writes (null: everywhere) and how to spread updates. */
export interface WindowScatter {
  readonly mask: Tensor | null;
  readonly spread: (update: Tensor) => Tensor;
}

export function prepareWindow(
  tf: Tf,
  indices: GraphValue,
  layout: ScatterLayout,
  params: ScatterParams,
): WindowScatter {
  const { mask, relative } = windowMask(tf, indices, layout, params);
  return { mask, spread: (update) => spreadUpdate(tf, update, layout, params, relative) };
}
