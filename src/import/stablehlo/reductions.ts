/**
 * `reduce`: the named reductions, argmax and argmin recognised by the shape of their bodies, and the
 * general form for the others.
 */
import type { MlirOperation } from "../mlir/ir.js";
import { integersAttribute, invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { complexExtremum } from "./complexOrder.js";
import { elementwise } from "./elementwise.js";
import { isIdentity } from "./identities.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import {
  binaryCombiner,
  importRegion,
  isArgument,
  isOnArguments,
  regionExpressions,
  type RegionExpression,
} from "./regions.js";
import { broadcastValue } from "./shapes.js";
import { avalOf, uniformNumber, type Imported } from "./values.js";

/** Combiner of the body: primitive that reduces, primitive that combines with an initial value. */
export const reductionNames: Readonly<Record<string, readonly [reduce: string, combine: string]>> =
  {
    add: ["reduce_sum", "add"],
    multiply: ["reduce_prod", "mul"],
    maximum: ["reduce_max", "max"],
    minimum: ["reduce_min", "min"],
    and: ["reduce_and", "and"],
    or: ["reduce_or", "or"],
    xor: ["reduce_xor", "xor"],
  };

/** What arithmetic on booleans means. */
export const booleanCombiners: Readonly<Record<string, string>> = {
  add: "or",
  multiply: "and",
  maximum: "or",
  minimum: "and",
};

/** The combiner as the named primitives have it: on booleans the logical one. */
export function combinerOf(
  expression: RegionExpression | undefined,
  dtype: string,
): string | undefined {
  const combiner = expression && binaryCombiner(expression, 0, 1);
  if (combiner === undefined || dtype !== "bool") return combiner;
  return booleanCombiners[combiner] ?? combiner;
}

const importReduce: OperationImporter = (block, op) => {
  const count = op.operands.length / 2;
  const [region] = op.regions;
  if (!Number.isInteger(count) || count < 1 || region === undefined) {
    throw invalidModule("a reduce lacks operands or its body");
  }
  const axes = integersAttribute(op, "dimensions");
  const results = regionExpressions(block, region);
  if (count === 1) {
    const named = importNamed(block, op, results[0], axes);
    if (named !== undefined) return [named];
  }
  if (count === 2) {
    const extremum = importArgExtremum(block, op, results, axes);
    if (extremum !== undefined) return extremum;
  }
  const computation = importRegion(block, op, region, 2 * count);
  const params = { dimensions: axes, jaxpr: computation };
  return block.emit(op, "reduce", block.atoms(op.operands), params);
};

function importNamed(
  block: BlockImporter,
  op: MlirOperation,
  body: RegionExpression | undefined,
  axes: readonly number[],
): Imported | undefined {
  const initial = block.value(block.operand(op, 1));
  const { dtype } = avalOf(initial);
  const combiner = combinerOf(body, dtype) ?? complexExtremum(body);
  const names = combiner === undefined ? undefined : reductionNames[combiner];
  if (combiner === undefined || names === undefined) return undefined;
  const x = block.atom(block.operand(op, 0));
  const sorted = [...axes].sort((a, b) => a - b);
  const reduced: Imported =
    axes.length === 0
      ? { kind: "atom", atom: x }
      : { kind: "atom", atom: block.bindOne(names[0], [x], { axes: sorted }) };
  if (isIdentity(initial, combiner)) return reduced;
  return elementwise(block, [reduced, initial], (inputs) => block.bindOne(names[1], inputs, {}));
}

/**
 * JAX's argmax and argmin: a reduction of (values, iota), which keeps the first index of the
 * extreme value, NaNs counting as more extreme than all.
 */
function importArgExtremum(
  block: BlockImporter,
  op: MlirOperation,
  results: readonly RegionExpression[],
  axes: readonly number[],
): readonly Imported[] | undefined {
  const kind = argExtremum(results);
  const [axis] = axes;
  const [values, indices, initialValue, initialIndex] = op.operands.map((o) => block.value(o));
  if (kind === undefined || axis === undefined || axes.length > 1) return undefined;
  if (indices?.kind !== "iota" || indices.dimension !== axis) return undefined;
  if (values === undefined || initialValue === undefined || initialIndex === undefined) {
    return undefined;
  }
  const combiner = kind === "argmax" ? "maximum" : "minimum";
  if (!isIdentity(initialValue, combiner) || uniformNumber(initialIndex) !== 0) return undefined;
  const x = block.materialise(values);
  const [valueResult] = op.results;
  const isNeeded = valueResult !== undefined && block.module.isUsed(valueResult);
  const reduce = combiner === "maximum" ? "reduce_max" : "reduce_min";
  const index = block.bindOne(kind, [x], { axes, index_dtype: indices.aval.dtype });
  if (isNeeded) {
    return [
      { kind: "atom", atom: block.bindOne(reduce, [x], { axes }) },
      { kind: "atom", atom: index },
    ];
  }
  // The extreme value is not used: anything of the right type takes its place.
  const unused = broadcastValue(block, initialValue, index.aval.shape, []);
  return [unused, { kind: "atom", atom: index }];
}

/** `argmax` or `argmin` if the body compares (value, index) pairs as JAX does. */
function argExtremum(results: readonly RegionExpression[]): "argmax" | "argmin" | undefined {
  const [value, index] = results;
  if (value?.kind !== "operation" || index?.kind !== "operation") return undefined;
  if (value.name !== "select" || index.name !== "select") return undefined;
  const [pickValue, onTrue, onFalse] = value.operands;
  const [pickIndex, newIndex, oldIndex] = index.operands;
  if (!isArgument(onTrue, 0) || !isArgument(onFalse, 2)) return undefined;
  if (!isArgument(newIndex, 1) || !isArgument(oldIndex, 3)) return undefined;
  const direction = extremeDirection(pickValue);
  if (direction === undefined || !keepsFirst(pickIndex, pickValue)) return undefined;
  return direction;
}

/** `x > acc` (argmax) or `x < acc` (argmin), for floats `| x != x`. */
function extremeDirection(
  predicate: RegionExpression | undefined,
): "argmax" | "argmin" | undefined {
  if (predicate?.kind !== "operation") return undefined;
  if (predicate.name === "or") {
    const [compared, isNan] = predicate.operands;
    return isOnArguments(isNan, "compare NE", 0, 0) ? extremeDirection(compared) : undefined;
  }
  if (isOnArguments(predicate, "compare GT", 0, 2)) return "argmax";
  return isOnArguments(predicate, "compare LT", 0, 2) ? "argmin" : undefined;
}

/** `pickValue | (x == acc & index < accIndex)`. */
function keepsFirst(
  predicate: RegionExpression | undefined,
  pickValue: RegionExpression | undefined,
): boolean {
  if (predicate?.kind !== "operation" || predicate.name !== "or") return false;
  const [first, tie] = predicate.operands;
  if (!sameExpression(first, pickValue)) return false;
  if (tie?.kind !== "operation" || tie.name !== "and") return false;
  const [equal, earlier] = tie.operands;
  return isOnArguments(equal, "compare EQ", 0, 2) && isOnArguments(earlier, "compare LT", 1, 3);
}

/** Structural equality; gives up (false) on expressions of more than a few thousand nodes. */
export function sameExpression(
  left: RegionExpression | undefined,
  right: RegionExpression | undefined,
  budget = { steps: 4096 },
): boolean {
  if (left === undefined || right === undefined || budget.steps-- <= 0) return false;
  if (left === right) return true;
  if (left.kind === "argument") return isArgument(right, left.index);
  if (left.kind === "literal") return right.kind === "literal" && left.value === right.value;
  return (
    left.kind === "operation" &&
    right.kind === "operation" &&
    left.name === right.name &&
    left.operands.length === right.operands.length &&
    left.operands.every((operand, index) => sameExpression(operand, right.operands[index], budget))
  );
}

export const reductionOperations: OperationTable = {
  "stablehlo.reduce": importReduce,
};
