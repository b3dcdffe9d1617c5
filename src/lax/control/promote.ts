/** Types of carried values that begin as numbers without type. Used by the loops of this folder. */
import type { ShapedArray } from "../../ir/aval.js";
import { isInteger } from "../../ir/dtypes.js";
import type { Value } from "../../ir/ops.js";
import { convertValue, isWeakScalar } from "../arguments.js";

/**
 * Values whose weak type does not hold what a step of a loop makes of them, in the type of that.
 * null: there are none.
 */
export function promoteWeak(
  values: readonly Value[],
  results: readonly ShapedArray[],
): readonly Value[] | null {
  const promoted = values.map((value, index) => {
    const result = results[index];
    const { aval } = value;
    if (result === undefined || !aval.weakType || aval.dtype === result.dtype) return value;
    const fits = isWeakScalar(value) && Number.isInteger(value.value);
    // A weak float stays one beside integers, unless it is a whole number that was written down.
    if (isInteger(result.dtype) && aval.dtype === "float32" && !fits) return value;
    const converted = convertValue(value, result.dtype, result.weakType);
    return converted.aval.dtype === result.dtype ? converted : value;
  });
  return promoted.some((value, index) => value !== values[index]) ? promoted : null;
}
