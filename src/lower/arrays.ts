/**
 * Arrays in the types that tfjs holds: what a weight's bytes are in the model's shards and what the
 * builder knows of a constant.
 */
import { isComplex, type DType } from "../ir/dtypes.js";
import { asFloat32, asInt32, fromNumbers, hostArray, type HostArray } from "../ir/hostArray.js";
import type { TfDtype } from "../ir/tf.js";

/** The dtype name under which a tfjs type's bytes are described. */
const hostDtype: Readonly<Record<TfDtype, DType>> = {
  float32: "float32",
  int32: "int32",
  bool: "bool",
  complex64: "complex64",
};

/**
 * The array in a tfjs type: floats as float32, integers as int32 (uint32 as its bit pattern), bool
 * as bytes 0 and 1. No copy where the type is the same already.
 *
 * @throws Jax2TfjsError `array-value` for a 64-bit integer that does not fit.
 */
export function canonicalBytes(array: HostArray, dtype: TfDtype): HostArray {
  const target = hostDtype[dtype];
  if (array.dtype === target) return array;
  switch (dtype) {
    case "float32":
      return fromNumbers("float32", array.shape, asFloat32(array));
    case "int32": {
      const overflow = array.dtype === "uint32" ? "wrap" : "error";
      return fromNumbers("int32", array.shape, asInt32(array, { overflow }));
    }
    case "bool":
      return hostArray("bool", array.shape, array.bytes);
    case "complex64":
      if (!isComplex(array.dtype)) throw new Error(`internal error: ${array.dtype} as complex64`);
      return hostArray("complex64", array.shape, array.bytes);
  }
}
