/**
 * `sort`: comparators are recognised by their structure. JAX sorts ascending by the first keys, with
 * floats in total order (zeros equal, NaNs last); what compares the other way round is reversed.
 */
import type { Atom } from "../../ir/jaxpr.js";
import type { SortParams } from "../../ir/params.js";
import { booleanAttribute, integerAttribute, invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { isArgument, regionExpressions, type RegionExpression } from "./regions.js";
import { avalOf } from "./values.js";

/** By which operands a comparator orders, most significant first. */
export interface SortOrder {
  readonly keys: readonly number[];
  readonly descending: boolean;
}

/** The expression without JAX's canonical zeros and NaNs: the argument that is compared. */
function strip(expression: RegionExpression): RegionExpression {
  let current = expression;
  while (current.kind === "operation" && current.name === "select") {
    const [predicate, constant, inner] = current.operands;
    const isGuard =
      predicate?.kind === "operation" &&
      (predicate.name === "compare EQ" || predicate.name === "compare NE") &&
      constant?.kind === "literal";
    if (!isGuard || inner === undefined) break;
    current = inner;
  }
  return current;
}

/** Which part of which operand is compared: `x` (or its real or imaginary part). */
interface ComparedKey {
  readonly operand: number;
  readonly part: "real" | "imag" | "whole";
  /** The comparison's first operand is the second element. */
  readonly swapped: boolean;
}

function keyPart(
  expression: RegionExpression,
): { readonly argument: number; readonly part: ComparedKey["part"] } | undefined {
  const stripped = strip(expression);
  if (stripped.kind === "argument") return { argument: stripped.index, part: "whole" };
  if (stripped.kind !== "operation") return undefined;
  const { name } = stripped;
  const [operand] = stripped.operands;
  if ((name !== "real" && name !== "imag") || operand?.kind !== "argument") return undefined;
  return { argument: operand.index, part: name };
}

/** The key that a comparison of the two elements compares. */
function comparedKey(expression: RegionExpression | undefined): ComparedKey | undefined {
  if (expression?.kind !== "operation" || !expression.name.startsWith("compare ")) return undefined;
  const [left, right] = expression.operands;
  const first = left && keyPart(left);
  const second = right && keyPart(right);
  if (first === undefined || first.part !== second?.part) return undefined;
  const operand = Math.floor(first.argument / 2);
  if (operand !== Math.floor(second.argument / 2) || first.argument === second.argument) {
    return undefined;
  }
  return { operand, part: first.part, swapped: first.argument % 2 === 1 };
}

interface Comparison extends ComparedKey {
  readonly descending: boolean;
}

function strictComparison(expression: RegionExpression | undefined): Comparison | undefined {
  const key = comparedKey(expression);
  if (key === undefined || expression?.kind !== "operation") return undefined;
  if (expression.name === "compare LT") return { ...key, descending: key.swapped };
  return expression.name === "compare GT" ? { ...key, descending: !key.swapped } : undefined;
}

/** `a < b | (a == b & rest)`, from the most significant key on. */
function comparisons(expression: RegionExpression | undefined): readonly Comparison[] | undefined {
  const found: Comparison[] = [];
  let current = expression;
  for (;;) {
    const alone = strictComparison(current);
    if (alone !== undefined) return [...found, alone];
    if (current?.kind !== "operation" || current.name !== "or") return undefined;
    const [first, second] = current.operands;
    const strict = strictComparison(first);
    if (strict === undefined || second?.kind !== "operation" || second.name !== "and") {
      return undefined;
    }
    const [equal, rest] = second.operands;
    const key = equal?.kind === "operation" && equal.name === "compare EQ" && comparedKey(equal);
    if (!key || key.operand !== strict.operand || key.part !== strict.part) return undefined;
    found.push(strict);
    current = rest;
  }
}

/** The order of a comparator on `operands` operands, or undefined if it is not lexicographic. */
export function sortOrder(
  comparator: RegionExpression | undefined,
  isComplex: (operand: number) => boolean,
): SortOrder | undefined {
  const all = comparisons(comparator);
  const [first] = all ?? [];
  if (all === undefined || first === undefined) return undefined;
  if (all.some((comparison) => comparison.descending !== first.descending)) return undefined;
  const keys: number[] = [];
  for (let index = 0; index < all.length; index++) {
    const comparison = all[index];
    if (comparison === undefined || keys.includes(comparison.operand)) return undefined;
    if (isComplex(comparison.operand)) {
      const next = all[index + 1];
      const isPair = comparison.part === "real" && next?.part === "imag";
      if (!isPair || next.operand !== comparison.operand) return undefined;
      index++;
    } else if (comparison.part !== "whole") {
      return undefined;
    }
    keys.push(comparison.operand);
  }
  return { keys, descending: first.descending };
}

const importSort: OperationImporter = (block, op) => {
  const [region] = op.regions;
  if (region === undefined || op.operands.length === 0) {
    throw invalidModule("a sort lacks operands or its comparator");
  }
  const operands = block.atoms(op.operands);
  const [comparator] = regionExpressions(block, region);
  const isComplex = (index: number) => operands[index]?.aval.dtype === "complex64";
  const order = sortOrder(comparator, isComplex);
  if (order === undefined) {
    throw unsupportedOperation(
      op,
      block.sourceText,
      "a sort compares its elements in a way that is not supported",
      "sort with jax.lax.sort or jax.numpy.sort",
    );
  }
  const rank = avalOf(block.value(block.operand(op, 0))).shape.length;
  const dimension = integerAttribute(op, "dimension", -1);
  const results = sortBy(block, operands, order, {
    dimension: dimension < 0 ? dimension + rank : dimension,
    is_stable: booleanAttribute(op, "is_stable"),
    num_keys: order.keys.length,
  });
  return results.map((atom) => ({ kind: "atom", atom }));
};

/**
 * Sorts with the keys moved to the front, where JAX has them. Descending is ascending read backwards
 * (of the reversed array where equal elements must keep their order).
 */
export function sortBy(
  block: BlockImporter,
  operands: readonly Atom[],
  order: SortOrder,
  params: SortParams,
): readonly Atom[] {
  const rest = operands.map((_, index) => index).filter((index) => !order.keys.includes(index));
  const places = [...order.keys, ...rest];
  const reversal = { dimensions: [params.dimension] };
  const reverse = (x: Atom): Atom => block.bindOne("rev", [x], reversal);
  let inputs = places.map((index) => operands[index]).filter((atom) => atom !== undefined);
  if (order.descending && params.is_stable) inputs = inputs.map(reverse);
  let sorted: readonly Atom[] = block.bind("sort", inputs, params);
  if (order.descending) sorted = sorted.map(reverse);
  return operands.map((operand, index) => sorted[places.indexOf(index)] ?? operand);
}

export const sortingOperations: OperationTable = {
  "stablehlo.sort": importSort,
};

/** True if the comparator of two elements of one operand is `compare GT` (or LT if `least`). */
export function comparesPlainly(expression: RegionExpression | undefined, least: boolean): boolean {
  const name = least ? "compare LT" : "compare GT";
  return (
    expression?.kind === "operation" &&
    expression.name === name &&
    isArgument(expression.operands[0], 0) &&
    isArgument(expression.operands[1], 1)
  );
}
