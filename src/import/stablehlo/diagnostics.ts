/**
 * What the importer says about an operation that it cannot import, and the check that every
 * equation has the type that the module gives it.
 */
import { printAval, type ShapedArray } from "../../ir/aval.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { MlirOperation, MlirType } from "../mlir/ir.js";
import { canonicalDType, printType, tensorType } from "./types.js";
import { avalOf, type Imported } from "./values.js";

/** `stablehlo.foo(tensor<2xf32>, tensor<i32>) -> tensor<2xf32>`. */
export function printOperation(op: MlirOperation): string {
  const operands = op.operands.map((operand) => printType(operand.type)).join(", ");
  const results = op.results.map((result) => printType(result.type)).join(", ");
  return `${op.name}(${operands}) -> ${op.results.length === 1 ? results : `(${results})`}`;
}

/** The error for an operation, or a form of it, that has no counterpart. */
export function unsupportedOperation(
  op: MlirOperation,
  source: string,
  what = `${op.name} is not supported`,
  fix = "rewrite this part of the function with other operations, or report the operation",
): Jax2TfjsError {
  return new Jax2TfjsError("unsupported-op", what, {
    primitive: op.name,
    equation: printOperation(op),
    source,
    fix,
  });
}

/** True if the module's type and the inferred one can be of the same value. */
function isCompatible(type: MlirType, aval: ShapedArray): boolean {
  if (type.kind === "token") return aval.dtype === "token";
  const { shape, dtype } = tensorType(type);
  if (canonicalDType(dtype) !== aval.dtype || shape.length !== aval.shape.length) return false;
  return shape.every((size, axis) => {
    const inferred = aval.shape[axis];
    return size === null || typeof inferred !== "number" || size === inferred;
  });
}

/**
 * Compares inferred types with the types that the module states.
 *
 * @throws Jax2TfjsError `import-type-mismatch`
 */
export function checkResults(
  op: MlirOperation,
  results: readonly Imported[],
  source: string,
): void {
  for (const [index, result] of op.results.entries()) {
    const imported = results[index];
    if (imported !== undefined && isCompatible(result.type, avalOf(imported))) continue;
    const found = imported === undefined ? "nothing" : printAval(avalOf(imported));
    throw new Jax2TfjsError(
      "import-type-mismatch",
      `${op.name} was imported as ${found}, but the module says ${printType(result.type)}`,
      {
        primitive: op.name,
        equation: printOperation(op),
        source,
        fix: "if the program computes in 64 bits, export it with jax_enable_x64 off; else report this",
      },
    );
  }
}
