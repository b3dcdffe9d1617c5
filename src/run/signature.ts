/**
 * Arrays in memory against what a program or a saved model takes: dtypes that serve for others, and
 * the checks of a call. Used by everything in this folder and by the command line.
 */
import type { DType } from "../ir/dtypes.js";
import type { Jax2TfjsError } from "../ir/errors.js";
import { fromNumbers, hostArray, valuesOf, type HostArray } from "../ir/hostArray.js";
import type { DimPlan } from "../ir/shapeSpec.js";
import {
  argumentProblem,
  checkCallArguments,
  type CheckedArgument,
  type SignatureLeaf,
} from "../runtime/callSignature.js";

export {
  dimPlanOf,
  leafType,
  safetyChecks,
  storedDType,
  tupleText,
  type CallSignature,
  type SafetyCheck,
  type SignatureLeaf,
} from "../runtime/callSignature.js";

/** Dtypes that JAX narrows when 64-bit types are disabled, its default. */
const narrowed: Readonly<Partial<Record<DType, DType>>> = {
  float64: "float32",
  int64: "int32",
  uint64: "uint32",
  complex128: "complex64",
};

/** True if the bytes of `array` are those of the leaf's dtype, under a name that NumPy knows. */
function sameBits(dtype: DType, array: HostArray): boolean {
  if (dtype === "bfloat16") return array.dtype === "uint16";
  return /^float[48]_/.test(dtype) && array.dtype === "uint8";
}

/**
 * The array in the leaf's dtype. Dtypes must be equal, except that 64-bit arrays (NumPy's default)
 * serve for 32-bit inputs, as in JAX without x64, and that unsigned integers may hold the bits of
 * bfloat16 and float8. Undefined if the dtype is another.
 *
 * @throws Jax2TfjsError `array-value` for a 64-bit integer that does not fit
 */
export function fitInput(leaf: SignatureLeaf, array: HostArray): HostArray | undefined {
  const { dtype } = leaf;
  if (array.dtype === dtype) return array;
  if (sameBits(dtype, array)) return hostArray(dtype, array.shape, array.bytes);
  if (narrowed[array.dtype] === dtype || narrowed[dtype] === array.dtype) {
    return fromNumbers(dtype, array.shape, valuesOf(array));
  }
  return undefined;
}

function checkedArgument(leaf: SignatureLeaf, array: HostArray): CheckedArgument {
  const { shape, dtype } = array;
  const isNarrowed = narrowed[dtype] === leaf.dtype || narrowed[leaf.dtype] === dtype;
  return {
    shape,
    dtype,
    dtypeFits: dtype === leaf.dtype || isNarrowed || sameBits(leaf.dtype, array),
  };
}

/** All arguments that do not fit by themselves; symbolic sizes are not looked at. */
export function argumentProblems(
  leaves: readonly SignatureLeaf[],
  arrays: readonly HostArray[],
): readonly Jax2TfjsError[] {
  return leaves.flatMap((leaf, index) => {
    const array = arrays[index];
    const problem =
      array === undefined ? undefined : argumentProblem(leaf, checkedArgument(leaf, array));
    return problem === undefined ? [] : [problem];
  });
}

/**
 * Checks the arguments of a call.
 *
 * @param plan null where `shape_assertions` are switched off
 * @returns the values of the dimension variables
 * @throws Jax2TfjsError `shape-mismatch`, `dtype-mismatch` with JAX's message for the first
 * argument that does not fit, a size that disagrees with others, or a constraint
 */
export function checkArguments(
  plan: DimPlan | null,
  leaves: readonly SignatureLeaf[],
  arrays: readonly HostArray[],
): ReadonlyMap<string, number> {
  const args = arrays.map((array, index): CheckedArgument => {
    const leaf = leaves[index];
    const { shape, dtype } = array;
    return leaf === undefined ? { shape, dtype, dtypeFits: false } : checkedArgument(leaf, array);
  });
  return checkCallArguments(plan, leaves, args);
}
