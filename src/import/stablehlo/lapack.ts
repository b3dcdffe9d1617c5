/**
 * Calls of LAPACK and BLAS, which JAX's linear algebra becomes on cpu, as the primitives that they
 * compute. Calls named `…_ffi` have their options as attributes, the older ones as operands.
 */
import type { MlirOperation } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import type { Imported } from "./values.js";

/** The results of a LAPACK call, or undefined if `target` is none. */
export function lapackCall(
  _block: BlockImporter,
  _op: MlirOperation,
  _target: string,
): readonly Imported[] | undefined {
  return undefined;
}
