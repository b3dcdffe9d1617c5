/**
 * Integers and booleans that are known without running the program: numbers, dimension expressions,
 * and operations on them that have no such form. With them the importer evaluates the shape
 * arithmetic of a module; used by shapeArithmetic.ts and by whoever needs a size.
 */
import {
  addDims,
  dimEquals,
  DimExpr,
  floordivDims,
  hashKey,
  maxDim,
  minDim,
  modDims,
  mulDims,
  negDim,
  subDims,
  tryCompare,
  type Dim,
} from "../../ir/dims.js";
import { Jax2TfjsError } from "../../ir/errors.js";

/** Element types of the values that are evaluated; unsigned and narrow integers are data. */
export type ScalarType = "bool" | "int32" | "int64";

/** Operations that nodes stand for, by the names of the JAX primitives that compute them. */
export type ScalarOperation =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "max"
  | "min"
  | "neg"
  | "sign"
  | "abs"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "and"
  | "or"
  | "xor"
  | "not"
  | "select"
  | "convert";

/** An operation whose result is no dimension expression, such as a division rounding to zero. */
export interface SymbolicNode {
  readonly kind: "node";
  readonly operation: ScalarOperation;
  readonly operands: readonly SymbolicScalar[];
  readonly type: ScalarType;
  /** Equal keys mean equal values. */
  readonly key: string;
  /** Operations in the whole expression. */
  readonly size: number;
}

/** Larger expressions are data: no size of a JAX program comes near. */
const MAX_NODE_SIZE = 256;

export type SymbolicScalar = Dim | boolean | SymbolicNode;

export function isNode(scalar: SymbolicScalar): scalar is SymbolicNode {
  return typeof scalar === "object" && !(scalar instanceof DimExpr);
}

/** True for numbers and dimension expressions. */
export function isDim(scalar: SymbolicScalar): scalar is Dim {
  return typeof scalar === "number" || scalar instanceof DimExpr;
}

/** Equal keys mean equal values; used to compare and to find imported functions again. */
export function scalarKey(scalar: SymbolicScalar): string {
  if (typeof scalar === "boolean") return scalar ? "true" : "false";
  return isNode(scalar) ? scalar.key : hashKey(scalar);
}

export function sameScalar(left: SymbolicScalar, right: SymbolicScalar): boolean {
  if (isDim(left) && isDim(right)) return dimEquals(left, right);
  return scalarKey(left) === scalarKey(right);
}

/** The operation kept as it is; null if the expression becomes too large. */
export function node(
  operation: ScalarOperation,
  operands: readonly SymbolicScalar[],
  type: ScalarType,
): SymbolicNode | null {
  const sizes = operands.map((operand) => (isNode(operand) ? operand.size : 0));
  const size = sizes.reduce((sum, inner) => sum + inner, 1);
  if (size > MAX_NODE_SIZE) return null;
  const key = `${operation}:${type}(${operands.map(scalarKey).join(",")})`;
  return { kind: "node", operation, operands, type, key, size };
}

/** An integer as its type holds it: 32-bit arithmetic wraps; 64-bit results must be exact. */
function wrapped(value: bigint, type: ScalarType): number | null {
  const result = BigInt.asIntN(type === "int32" ? 32 : 64, value);
  const number = Number(result);
  return Number.isSafeInteger(number) ? number : null;
}

type NumberOperation = (left: bigint, right: bigint) => bigint;

const numberOperations: Partial<Record<ScalarOperation, NumberOperation>> = {
  add: (left, right) => left + right,
  sub: (left, right) => left - right,
  mul: (left, right) => left * right,
  // XLA's division by zero gives -1, the remainder of it the dividend.
  div: (left, right) => (right === 0n ? -1n : left / right),
  rem: (left, right) => (right === 0n ? left : left % right),
  max: (left, right) => (left > right ? left : right),
  min: (left, right) => (left < right ? left : right),
  and: (left, right) => left & right,
  or: (left, right) => left | right,
  xor: (left, right) => left ^ right,
};

/** A Dim rule that may find its operands out of its reach. */
export function attempt(compute: () => Dim | undefined): Dim | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return undefined;
    throw error;
  }
}

function divideDims(left: Dim, right: Dim): Dim | undefined {
  // Truncating and flooring division agree where both operands are known not to be negative.
  if (tryCompare(left, ">=", 0) !== true || tryCompare(right, ">", 0) !== true) return undefined;
  return floordivDims(left, right);
}

function remainderDims(left: Dim, right: Dim): Dim | undefined {
  if (tryCompare(left, ">=", 0) !== true || tryCompare(right, ">", 0) !== true) return undefined;
  return modDims(left, right);
}

const dimOperations: Partial<Record<ScalarOperation, (left: Dim, right: Dim) => Dim | undefined>> =
  {
    add: addDims,
    sub: subDims,
    mul: mulDims,
    div: divideDims,
    rem: remainderDims,
    max: maxDim,
    min: minDim,
  };

/** `add`, `sub`, … on integers (or `and`, `or`, `xor` on booleans); null if it cannot be held. */
export function binaryScalar(
  operation: ScalarOperation,
  left: SymbolicScalar,
  right: SymbolicScalar,
  type: ScalarType,
): SymbolicScalar | null {
  if (type === "bool") return binaryBoolean(operation, left, right);
  if (typeof left === "number" && typeof right === "number") {
    const compute = numberOperations[operation];
    return compute === undefined ? null : wrapped(compute(BigInt(left), BigInt(right)), type);
  }
  if (isDim(left) && isDim(right)) {
    const compute = dimOperations[operation];
    const result = compute && attempt(() => compute(left, right));
    if (result !== undefined) return result;
  }
  if (numberOperations[operation] === undefined) return null;
  return node(operation, [left, right], type);
}

function binaryBoolean(
  operation: ScalarOperation,
  left: SymbolicScalar,
  right: SymbolicScalar,
): SymbolicScalar | null {
  if (typeof right === "boolean" && typeof left !== "boolean") {
    return binaryBoolean(operation, right, left);
  }
  if (operation === "and" || operation === "or") {
    const neutral = operation === "and";
    if (left === neutral) return right;
    if (left === !neutral) return left;
    return sameScalar(left, right) ? left : node(operation, [left, right], "bool");
  }
  if (operation !== "xor") return null;
  if (left === false) return right;
  if (left === true) return notScalar(right);
  return node(operation, [left, right], "bool");
}

export function notScalar(operand: SymbolicScalar): SymbolicScalar | null {
  return typeof operand === "boolean" ? !operand : node("not", [operand], "bool");
}

/** `neg`, `sign`, `abs` of an integer. */
export function unaryScalar(
  operation: "neg" | "sign" | "abs",
  operand: SymbolicScalar,
  type: ScalarType,
): SymbolicScalar | null {
  if (typeof operand === "number") {
    if (operation === "sign") return Math.sign(operand);
    return wrapped(BigInt(operation === "neg" || operand < 0 ? -operand : operand), type);
  }
  if (operand instanceof DimExpr) {
    if (operation === "neg") return negDim(operand);
    const positive = tryCompare(operand, ">=", 1) === true;
    if (operation === "sign" && positive) return 1;
    if (operation === "sign" && tryCompare(operand, "<=", -1) === true) return -1;
    if (operation === "abs") {
      if (positive || tryCompare(operand, ">=", 0) === true) return operand;
      const negated = attempt(() => maxDim(operand, negDim(operand)));
      if (negated !== undefined) return negated;
    }
  }
  return typeof operand === "boolean" ? null : node(operation, [operand], type);
}

const comparisonSigns = { eq: "==", ne: "!=", lt: "<", le: "<=", gt: ">", ge: ">=" } as const;

export type ComparisonOperation = keyof typeof comparisonSigns;

/** A comparison of integers or booleans, decided where the bounds allow it. */
export function compareScalars(
  operation: ComparisonOperation,
  left: SymbolicScalar,
  right: SymbolicScalar,
): SymbolicScalar | null {
  if (isDim(left) && isDim(right)) {
    const known = tryCompare(left, comparisonSigns[operation], right);
    return known ?? node(operation, [left, right], "bool");
  }
  if (typeof left === "boolean" && typeof right === "boolean") {
    const decided = tryCompare(Number(left), comparisonSigns[operation], Number(right));
    if (decided !== undefined) return decided;
  }
  // Comparing a boolean with a known one: itself or its negation.
  if (typeof left === "boolean" && (operation === "eq" || operation === "ne")) {
    return compareScalars(operation, right, left);
  }
  if (typeof right === "boolean" && (operation === "eq" || operation === "ne")) {
    return right === (operation === "eq") ? left : notScalar(left);
  }
  if (scalarKey(left) === scalarKey(right)) {
    return operation === "eq" || operation === "le" || operation === "ge";
  }
  return node(operation, [left, right], "bool");
}

/** A conversion between int32, int64 and bool; null if the number does not fit. */
export function convertScalar(
  operand: SymbolicScalar,
  from: ScalarType,
  to: ScalarType,
): SymbolicScalar | null {
  if (from === to) return operand;
  if (to === "bool") {
    return typeof operand === "boolean" ? operand : compareScalars("ne", operand, 0);
  }
  if (typeof operand === "boolean") return Number(operand);
  if (typeof operand === "number") return wrapped(BigInt(operand), to);
  // Sizes are below 2^31: a dimension is the same in both types.
  return isDim(operand) ? operand : node("convert", [operand], to);
}

/**
 * The scalar as a dimension, if it has such a form: a truncating division of unknown sign is
 * `max(floordiv(a, b), 0) - max(floordiv(-a, b), 0)` for positive `b`.
 */
export function dimOf(scalar: SymbolicScalar): Dim | undefined {
  if (isDim(scalar)) return scalar;
  if (typeof scalar === "boolean") return undefined;
  const [first, second] = scalar.operands.map(dimOf);
  if (first === undefined) return undefined;
  if (scalar.operation === "convert") return first;
  if (second === undefined) return undefined;
  return attempt(() => {
    switch (scalar.operation) {
      case "add":
        return addDims(first, second);
      case "sub":
        return subDims(first, second);
      case "mul":
        return mulDims(first, second);
      case "max":
        return maxDim(first, second);
      case "min":
        return minDim(first, second);
      case "div":
        return truncatedQuotient(first, second);
      case "rem": {
        const quotient = truncatedQuotient(first, second);
        return quotient && subDims(first, mulDims(quotient, second));
      }
      default:
        return undefined;
    }
  });
}

function truncatedQuotient(left: Dim, right: Dim): Dim | undefined {
  if (tryCompare(right, ">", 0) !== true) return undefined;
  const positive = maxDim(floordivDims(left, right), 0);
  return subDims(positive, maxDim(floordivDims(negDim(left), right), 0));
}
