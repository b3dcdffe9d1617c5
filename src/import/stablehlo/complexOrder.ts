/**
 * Maxima and minima of complex numbers, which StableHLO has no operation for: JAX writes them out as
 * comparisons of the real parts, then of the imaginary ones. Recognised, they are differentiated as
 * JAX does. Used by elementwise.ts, reductions.ts and windows.ts.
 */
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import { enumAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { isArgument, type RegionExpression } from "./regions.js";

/** The name of StableHLO's operation on real numbers. */
export type Extremum = "maximum" | "minimum";

/** The operands of an expression that is the operation `name`. */
function operandsOf(
  expression: RegionExpression | undefined,
  name: string,
): readonly RegionExpression[] | undefined {
  return expression?.kind === "operation" && expression.name === name
    ? expression.operands
    : undefined;
}

/** True for the comparison of one part (`real` or `imag`) of arguments 0 and 1. */
function comparesParts(
  expression: RegionExpression | undefined,
  direction: string,
  part: "real" | "imag",
): boolean {
  const operands = operandsOf(expression, `compare ${direction}`) ?? [];
  const matches = operands.map((operand, index) =>
    isArgument(operandsOf(operand, part)?.[0], index),
  );
  return matches.length === 2 && !matches.includes(false);
}

/** `select(x.re == y.re, x.im > y.im, x.re > y.re)` for x = argument 0 and y = argument 1. */
function orderOf(predicate: RegionExpression | undefined): Extremum | undefined {
  const [sameReal, byImaginary, byReal] = operandsOf(predicate, "select") ?? [];
  if (!comparesParts(sameReal, "EQ", "real")) return undefined;
  const directions = [
    ["GT", "maximum"],
    ["LT", "minimum"],
  ] as const;
  const found = directions.find(
    ([direction]) =>
      comparesParts(byImaginary, direction, "imag") && comparesParts(byReal, direction, "real"),
  );
  return found?.[1];
}

/** The extremum of arguments 0 and 1 (complex numbers) that an expression is, if any. */
export function complexExtremum(expression: RegionExpression | undefined): Extremum | undefined {
  const [predicate, onTrue, onFalse] = operandsOf(expression, "select") ?? [];
  return isArgument(onTrue, 0) && isArgument(onFalse, 1) ? orderOf(predicate) : undefined;
}

/** Deeper expressions are not looked at: predicate, comparison, part, argument. */
const DEPTH = 4;

/** What a value is in terms of `args`. */
function expressionOf(
  block: BlockImporter,
  value: MlirValue,
  args: readonly MlirValue[],
  depth: number,
): RegionExpression {
  const index = args.indexOf(value);
  if (index >= 0) return { kind: "argument", index };
  const op = block.module.definition(value);
  if (op === undefined || depth === 0 || op.regions.length > 0) return { kind: "unknown" };
  const name = op.name.replace(/^stablehlo\./, "");
  const operands = op.operands.map((operand) => expressionOf(block, operand, args, depth - 1));
  const full = name === "compare" ? `compare ${enumAttribute(op, "comparison_direction")}` : name;
  return { kind: "operation", name: full, operands };
}

/** The extremum of its last two operands that a `select` of complex numbers is, if any. */
export function selectedExtremum(block: BlockImporter, op: MlirOperation): Extremum | undefined {
  const [predicate, onTrue, onFalse] = op.operands;
  if (predicate === undefined || onTrue === undefined || onFalse === undefined) return undefined;
  return orderOf(expressionOf(block, predicate, [onTrue, onFalse], DEPTH));
}
