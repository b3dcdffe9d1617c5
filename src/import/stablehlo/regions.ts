/**
 * The small programs inside reductions, sorts and scatters: as expression trees, by whose shape the
 * named primitives are recognised, and as jaxprs where none is.
 */
import { shapedArray } from "../../ir/aval.js";
import { bitsOf, isFloat } from "../../ir/dtypes.js";
import { newVar, type ClosedJaxpr, type LiteralValue } from "../../ir/jaxpr.js";
import type { MlirBlock, MlirOperation, MlirRegion, MlirValue } from "../mlir/ir.js";
import { enumAttribute, invalidModule, symbolAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import { canonicalDType, tensorType } from "./types.js";
import { elementValue, type Imported } from "./values.js";

/** Larger programs are not looked at: no recognised form comes near. */
const MAX_EXPRESSIONS = 1000;

export type RegionExpression =
  | { readonly kind: "argument"; readonly index: number }
  | { readonly kind: "literal"; readonly value: LiteralValue }
  | {
      readonly kind: "operation";
      /** Without the dialect; comparisons add their direction: `compare LT`. */
      readonly name: string;
      readonly operands: readonly RegionExpression[];
    }
  | { readonly kind: "unknown" };

const unknown: RegionExpression = { kind: "unknown" };

/** The only block of a region. */
export function blockOf(region: MlirRegion | undefined): MlirBlock {
  const [block, ...others] = region?.blocks ?? [];
  if (block === undefined || others.length > 0) {
    throw invalidModule("a region does not consist of one block");
  }
  return block;
}

class ExpressionReader {
  #count = 0;
  constructor(readonly outer: BlockImporter) {}

  read(block: MlirBlock, operands: readonly RegionExpression[]): readonly RegionExpression[] {
    const values = new Map<MlirValue, RegionExpression>();
    for (const [index, argument] of block.arguments.entries()) {
      values.set(argument, operands[index] ?? unknown);
    }
    const of = (value: MlirValue) => values.get(value) ?? this.#captured(value);
    for (const op of block.operations) {
      if (op.name === "stablehlo.return" || op.name === "func.return") return op.operands.map(of);
      const results =
        ++this.#count > MAX_EXPRESSIONS ? [] : this.#operation(op, op.operands.map(of));
      for (const [index, result] of op.results.entries())
        values.set(result, results[index] ?? unknown);
    }
    return [];
  }

  #operation(
    op: MlirOperation,
    operands: readonly RegionExpression[],
  ): readonly RegionExpression[] {
    if (op.name === "stablehlo.constant") return [constant(op)];
    if (op.name === "func.call") {
      const name = symbolAttribute(op, "callee");
      const callee = this.outer.module.function(name);
      return this.outer.module.within(name, () => this.read(blockOf(callee.regions[0]), operands));
    }
    if (op.regions.length > 0 || op.results.length !== 1) return [];
    const name = op.name.replace(/^stablehlo\./, "");
    if (name === "convert" || name === "broadcast_in_dim" || name === "reshape") {
      // All values here are scalars. Computing in a wider float and rounding the result does not
      // change which primitive is meant: bfloat16 sums are written as float32 sums.
      const ofResult = operands[0]?.kind === "operation";
      return isTransparent(op, ofResult) ? operands : [{ kind: "operation", name, operands }];
    }
    const full = name === "compare" ? `compare ${enumAttribute(op, "comparison_direction")}` : name;
    return [{ kind: "operation", name: full, operands }];
  }

  /** A value from outside the region: only constants are looked at. */
  #captured(value: MlirValue): RegionExpression {
    const op = this.outer.module.definition(value);
    if (op?.name === "stablehlo.constant") return constant(op);
    const imported = this.outer.value(value);
    return imported.kind === "constant" && imported.splat ? literalOf(imported) : unknown;
  }
}

/** True for a widening of a float and for the rounding of a computed one. */
function isTransparent(op: MlirOperation, ofResult: boolean): boolean {
  const [operand] = op.operands;
  const [result] = op.results;
  if (operand === undefined || result === undefined) return false;
  if (op.name !== "stablehlo.convert") return true;
  const { dtype: from } = tensorType(operand.type);
  const { dtype: to } = tensorType(result.type);
  if (from === to) return true;
  return isFloat(from) && isFloat(to) && (ofResult || bitsOf(from) < bitsOf(to));
}

function constant(op: MlirOperation): RegionExpression {
  const attribute = op.attributes.get("value");
  const [result] = op.results;
  if (attribute?.kind !== "denseElements" || result === undefined) return unknown;
  const { dtype, shape } = tensorType(result.type);
  if (shape.length > 0) return unknown;
  const value = elementValue({ dtype, shape: [], bytes: attribute.bytes });
  return value === undefined ? unknown : { kind: "literal", value };
}

function literalOf(value: Imported & { readonly kind: "constant" }): RegionExpression {
  const scalar = elementValue(value.array);
  return scalar === undefined ? unknown : { kind: "literal", value: scalar };
}

/** What each result of a region is in terms of its arguments; calls are looked into. */
export function regionExpressions(
  block: BlockImporter,
  region: MlirRegion,
): readonly RegionExpression[] {
  return blockExpressions(block, blockOf(region));
}

export function blockExpressions(
  outer: BlockImporter,
  block: MlirBlock,
): readonly RegionExpression[] {
  const operands = block.arguments.map((_, index) => ({ kind: "argument", index }) as const);
  return new ExpressionReader(outer).read(block, operands);
}

export function isArgument(expression: RegionExpression | undefined, index: number): boolean {
  return expression?.kind === "argument" && expression.index === index;
}

/** True for the operation `name` on arguments `left` and `right`, in this order. */
export function isOnArguments(
  expression: RegionExpression | undefined,
  name: string,
  left: number,
  right: number,
): boolean {
  return (
    expression?.kind === "operation" &&
    expression.name === name &&
    expression.operands.length === 2 &&
    isArgument(expression.operands[0], left) &&
    isArgument(expression.operands[1], right)
  );
}

const commutative: ReadonlySet<string> = new Set([
  "add",
  "multiply",
  "maximum",
  "minimum",
  "and",
  "or",
  "xor",
]);

/** The commutative operation that combines two arguments (in any order), or undefined. */
export function binaryCombiner(
  expression: RegionExpression,
  left: number,
  right: number,
): string | undefined {
  if (expression.kind !== "operation" || !commutative.has(expression.name)) return undefined;
  const { name } = expression;
  const found = isOnArguments(expression, name, left, right);
  return found || isOnArguments(expression, name, right, left) ? name : undefined;
}

/**
 * A region of scalar arguments as a program; it may refer to constants of the enclosing block only.
 *
 * @throws Jax2TfjsError `unsupported-op` if it refers to computed values
 */
export function importRegion(
  outer: BlockImporter,
  op: MlirOperation,
  region: MlirRegion | undefined,
  argumentCount: number,
): ClosedJaxpr {
  return importBlock(outer, op, blockOf(region), argumentCount);
}

export function importBlock(
  outer: BlockImporter,
  op: MlirOperation,
  block: MlirBlock,
  argumentCount: number,
): ClosedJaxpr {
  if (block.arguments.length !== argumentCount) {
    throw invalidModule(`a region of ${op.name} does not have ${argumentCount} arguments`);
  }
  const inner = outer.child();
  const inputs = block.arguments.map((argument) => {
    const variable = newVar(shapedArray(canonicalDType(tensorType(argument.type).dtype), []));
    inner.define(argument, { kind: "atom", atom: variable });
    return variable;
  });
  const outputs = inner.atoms(inner.run(block));
  if (inner.captures.length > 0) {
    throw unsupportedOperation(
      op,
      outer.sourceText,
      `the program inside ${op.name} uses a computed value from outside of it`,
      "pass the value as an operand instead of closing over it",
    );
  }
  return inner.finish(inputs, outputs);
}
