/** Padding by name. Used by the windows and convolutions of this folder. */
import {
  addDims,
  floordivDims,
  maxDim,
  mulDims,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import { at, invalid } from "./arguments.js";

/** "VALID" (none), "SAME" (as many windows as strides fit), or amounts per dimension. */
export type Padding = "VALID" | "SAME" | "SAME_LOWER" | readonly (readonly [low: Dim, high: Dim])[];

/**
 * How much to pad before and after each dimension. JAX's `lax.padtype_to_pads`.
 *
 * @param windows their sizes with dilation
 */
export function paddingOf(
  padding: Padding,
  shape: Shape,
  windows: Shape,
  strides: readonly number[],
): readonly (readonly [low: Dim, high: Dim])[] {
  if (typeof padding !== "string") return padding;
  const name = padding.toUpperCase();
  if (name === "VALID") return shape.map(() => [0, 0] as const);
  if (name !== "SAME" && name !== "SAME_LOWER") {
    throw invalid(
      `Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got ${padding}.`,
    );
  }
  if (windows.length !== shape.length || strides.length !== shape.length) {
    throw invalid(
      `padding '${padding}' needs a window size and a stride for each of ${shape.length} dimensions`,
    );
  }
  return shape.map((size, axis) => {
    const stride = at(strides, axis);
    const count = floordivDims(addDims(size, stride - 1), stride);
    const covered = mulDims(subDims(count, 1), stride);
    const needed = subDims(covered, subDims(size, at(windows, axis)));
    const total = maxDim(needed, 0);
    const small = floordivDims(total, 2);
    const large = subDims(total, small);
    return name === "SAME" ? ([small, large] as const) : ([large, small] as const);
  });
}
