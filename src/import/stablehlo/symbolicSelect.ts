/**
 * Selection between known scalars, which is how JAX writes floor division and modulo of sizes: from
 * division that rounds to zero, corrected where the signs differ. Called by shapeArithmetic.ts.
 */
import { floordivDims, maxDim, minDim, modDims, tryCompare, type Dim } from "../../ir/dims.js";
import {
  attempt,
  isDim,
  isNode,
  node,
  sameScalar,
  type ScalarOperation,
  type ScalarType,
  type SymbolicScalar,
} from "./symbolicScalar.js";

/** `select(predicate, onTrue, onFalse)`; recognises how JAX writes floor division and modulo. */
export function selectScalar(
  predicate: SymbolicScalar,
  onTrue: SymbolicScalar,
  onFalse: SymbolicScalar,
  type: ScalarType,
): SymbolicScalar | null {
  if (typeof predicate === "boolean") return predicate ? onTrue : onFalse;
  if (sameScalar(onTrue, onFalse)) return onTrue;
  return (
    recognizeFloorDivision(predicate, onTrue, onFalse) ??
    recognizeModulo(predicate, onTrue, onFalse) ??
    recognizeExtremum(predicate, onTrue, onFalse) ??
    node("select", [predicate, onTrue, onFalse], type)
  );
}

/** True for `candidate` being the node `operation(left, right)`. */
function isOperation(
  candidate: SymbolicScalar,
  operation: ScalarOperation,
  left: SymbolicScalar,
  right: SymbolicScalar,
): boolean {
  if (!isNode(candidate) || candidate.operation !== operation) return false;
  const [first, second] = candidate.operands;
  if (first === undefined || second === undefined) return false;
  return sameScalar(first, left) && sameScalar(second, right);
}

/** True if `predicate` mentions `rem(left, right) != 0`, possibly inside a conjunction. */
function asksForRemainder(predicate: SymbolicScalar, left: Dim, right: Dim): boolean {
  if (!isNode(predicate)) return false;
  if (predicate.operation === "and") {
    return predicate.operands.some((operand) => asksForRemainder(operand, left, right));
  }
  const [first, second] = predicate.operands;
  if (predicate.operation !== "ne" || first === undefined || second !== 0) return false;
  return isOperation(first, "rem", left, right);
}

/** The dimensions that a division or remainder is of. */
function dividedDims(
  scalar: SymbolicScalar,
  operation: "div" | "rem",
): readonly [left: Dim, right: Dim] | undefined {
  if (!isNode(scalar) || scalar.operation !== operation) return undefined;
  const [left, right] = scalar.operands;
  if (left === undefined || right === undefined) return undefined;
  return isDim(left) && isDim(right) ? [left, right] : undefined;
}

/**
 * `q = div(a, b); select(sign(a) != sign(b) & rem(a, b) != 0, q - 1, q)` is `floordiv(a, b)`. Where
 * the signs are known to differ only the remainder is asked for.
 */
function recognizeFloorDivision(
  predicate: SymbolicScalar,
  onTrue: SymbolicScalar,
  quotient: SymbolicScalar,
): Dim | undefined {
  const [left, right] = dividedDims(quotient, "div") ?? [];
  if (left === undefined || right === undefined) return undefined;
  if (!isOperation(onTrue, "sub", quotient, 1)) return undefined;
  if (!asksForRemainder(predicate, left, right)) return undefined;
  const asksForSigns = comparesSigns(predicate, left, right) || haveOppositeSigns(left, right);
  return asksForSigns ? attempt(() => floordivDims(left, right)) : undefined;
}

function haveOppositeSigns(left: Dim, right: Dim): boolean {
  const isNegative = (dim: Dim): boolean => tryCompare(dim, "<=", 0) === true;
  const isPositive = (dim: Dim): boolean => tryCompare(dim, ">=", 0) === true;
  return (isNegative(left) && isPositive(right)) || (isPositive(left) && isNegative(right));
}

/** True if `predicate` holds a comparison `!=` of the signs of the operands (one may be known). */
function comparesSigns(predicate: SymbolicScalar, left: Dim, right: Dim): boolean {
  if (!isNode(predicate)) return false;
  if (predicate.operation === "and") {
    return predicate.operands.some((operand) => comparesSigns(operand, left, right));
  }
  if (predicate.operation !== "ne") return false;
  return predicate.operands.some((operand) => {
    if (!isNode(operand) || operand.operation !== "sign") return false;
    const [inner] = operand.operands;
    return inner !== undefined && (sameScalar(inner, left) || sameScalar(inner, right));
  });
}

/** `r = rem(a, b); select((r < 0) != (b < 0) & r != 0, r + b, r)` is `mod(a, b)`. */
function recognizeModulo(
  predicate: SymbolicScalar,
  onTrue: SymbolicScalar,
  remainder: SymbolicScalar,
): Dim | undefined {
  const [left, right] = dividedDims(remainder, "rem") ?? [];
  if (left === undefined || right === undefined) return undefined;
  if (!isOperation(onTrue, "add", remainder, right)) return undefined;
  if (!asksForRemainder(predicate, left, right) || !asksForSign(predicate, remainder)) {
    return undefined;
  }
  return attempt(() => modDims(left, right));
}

/** True if `predicate` holds `remainder < 0`, in whatever way it is combined with `b < 0`. */
function asksForSign(predicate: SymbolicScalar, remainder: SymbolicScalar): boolean {
  if (!isNode(predicate)) return false;
  if (isOperation(predicate, "lt", remainder, 0)) return true;
  return (
    predicate.type === "bool" &&
    predicate.operands.some((operand) => asksForSign(operand, remainder))
  );
}

/** `select(a >= b, a, b)` and its kin are `max(a, b)` or `min(a, b)`. */
function recognizeExtremum(
  predicate: SymbolicScalar,
  onTrue: SymbolicScalar,
  onFalse: SymbolicScalar,
): Dim | undefined {
  if (!isNode(predicate) || !isDim(onTrue) || !isDim(onFalse)) return undefined;
  const [left, right] = predicate.operands;
  if (left === undefined || right === undefined) return undefined;
  const straight = sameScalar(left, onTrue) && sameScalar(right, onFalse);
  const crossed = sameScalar(left, onFalse) && sameScalar(right, onTrue);
  if (!straight && !crossed) return undefined;
  const greater = predicate.operation === "gt" || predicate.operation === "ge";
  if (!greater && predicate.operation !== "lt" && predicate.operation !== "le") return undefined;
  return attempt(() => (greater === straight ? maxDim(onTrue, onFalse) : minDim(onTrue, onFalse)));
}
