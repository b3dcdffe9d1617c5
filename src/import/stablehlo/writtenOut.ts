/**
 * Primitives that JAX writes out as several StableHLO operations, found again from the last of them:
 * their derivatives are not those of the parts. Used by elementwise.ts.
 */
import { isFloat, isInteger } from "../../ir/dtypes.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import { canonicalDType, tensorType } from "./types.js";
import { uniformNumber, type Imported } from "./values.js";

/** The operation that makes a value, if it has this name. */
function madeBy(
  block: BlockImporter,
  value: MlirValue | undefined,
  name: string,
): MlirOperation | undefined {
  const op = value === undefined ? undefined : block.module.definition(value);
  return op?.name === `stablehlo.${name}` ? op : undefined;
}

const isOne = (block: BlockImporter, value: MlirValue | undefined): boolean =>
  value !== undefined && uniformNumber(block.value(value)) === 1;

/**
 * x if a quotient is `1 / (1 + exp(-x))`: JAX's `logistic`, whose derivative is also a number where
 * `exp(-x)` is infinite.
 */
export function logisticArgument(block: BlockImporter, op: MlirOperation): Imported | undefined {
  const [one, divisor] = op.operands;
  if (divisor === undefined || !isFloat(canonicalDType(tensorType(divisor.type).dtype))) {
    return undefined;
  }
  const terms = madeBy(block, divisor, "add")?.operands ?? [];
  const other = terms.findIndex((term) => isOne(block, term));
  if (!isOne(block, one) || terms.length !== 2 || other < 0) return undefined;
  const [negated] = madeBy(block, terms[1 - other], "exponential")?.operands ?? [];
  const [argument] = madeBy(block, negated, "negate")?.operands ?? [];
  return argument === undefined ? undefined : block.value(argument);
}

/**
 * The integers that the exponent of a power was converted from: JAX's `pow` with integer exponents
 * has derivative 0 where the exponent is 0, also at 0.
 */
export function integerExponent(block: BlockImporter, op: MlirOperation): Imported | undefined {
  const [, exponent] = op.operands;
  const [source] = madeBy(block, exponent, "convert")?.operands ?? [];
  if (source === undefined || !isInteger(canonicalDType(tensorType(source.type).dtype))) {
    return undefined;
  }
  const value = block.value(source);
  // Counters and symbolic sizes are not arrays yet: they are converted as they are.
  return value.kind === "atom" ? value : undefined;
}
