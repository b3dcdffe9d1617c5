/**
 * Makes scopes of symbolic dimensions from constraints written as text. Equalities become
 * normalisation rules, inequalities facts for decision.ts. Called by ../shapeSpec.ts, the importer
 * and users.
 */
import { Jax2TfjsError } from "../errors.js";
import { fromOperation, linearCombination, mulDims, subDims, termsOf } from "./arithmetic.js";
import { unsatisfiable } from "./errors.js";
import {
  type Comparator,
  type Dim,
  type DimTerm,
  SymbolicScope,
  constantValue,
  printTerm,
  singleFactor,
} from "./expr.js";
import { parseDim } from "./parse.js";

interface ParsedConstraint {
  readonly comparator: Comparator;
  readonly text: string;
  readonly left: Dim;
  readonly right: Dim;
}

/**
 * A new scope with constraints of the form `e1 >= e2`, `e1 <= e2` or `e1 == e2`. The left side of
 * an equality must be one term, such as `a`, `4*b` or `mod(b, 2)`; it is replaced by the right
 * side wherever it occurs.
 *
 * @throws Jax2TfjsError `invalid-dimension-constraint`, `unsatisfiable-dimension-constraint`,
 * `dimension-syntax`
 */
export function symbolicScope(constraints: readonly string[] = []): SymbolicScope {
  const scope = new SymbolicScope();
  for (const text of constraints) {
    addConstraint(scope, parseConstraint(text, scope));
    scope.constraintTexts.push(text);
    scope.clearCaches();
  }
  scope.initialized = true;
  return scope;
}

function parseConstraint(text: string, scope: SymbolicScope): ParsedConstraint {
  // JAX looks for the signs in this order.
  const sign = ["==", ">=", "<="].find((candidate) => text.includes(candidate));
  if (sign === undefined) {
    throw new Jax2TfjsError(
      "invalid-dimension-constraint",
      "Constraint parsing error: must contain one of '==' or '>=' or '<='",
      { source: `constraint '${text}'` },
    );
  }
  const position = text.indexOf(sign);
  const first = parseDim(text.slice(0, position), scope);
  const second = parseDim(text.slice(position + sign.length), scope);
  const [left, right] = sign === "<=" ? [second, first] : [first, second];
  return { comparator: sign === "==" ? "eq" : "geq", text, left, right };
}

function addConstraint(scope: SymbolicScope, constraint: ParsedConstraint): void {
  const { comparator, text, left, right } = constraint;
  const difference = subDims(left, right);
  const constant = constantValue(difference);
  if (constant !== undefined) {
    if (comparator === "eq" ? constant !== 0 : constant < 0) {
      throw unsatisfiable(`Unsatisfiable explicit constraint: ${text}`);
    }
    return;
  }
  if (comparator === "eq") addNormalizationRule(scope, constraint);
  scope.constraints.push({ comparator, text, difference });
}

function addNormalizationRule(scope: SymbolicScope, { left, right }: ParsedConstraint): void {
  const [leading, ...others] = typeof left === "number" ? [] : left.terms;
  if (leading === undefined || others.length > 0) {
    throw new Jax2TfjsError(
      "invalid-dimension-constraint",
      `Invalid equality constraint: ${left.toString()} == ${right.toString()}. ` +
        "The left-hand-side must be of the form `term * coefficient`.",
    );
  }
  const [term, coefficient] = leading;
  if (scope.normalizationRules.has(term.key)) {
    throw new Jax2TfjsError(
      "invalid-dimension-constraint",
      `Found multiple equality constraints with the same left-hand-side: ${printTerm(term)}`,
    );
  }
  scope.normalizationRules.set(term.key, { replacement: termsOf(right), coefficient });
  scope.clearCaches();
  if (coefficient === 1 && right === 0) addDivisibility(scope, term);
}

/** From `mod(e, k) == 0` follows `k*floordiv(e, k) == e`. */
function addDivisibility(scope: SymbolicScope, term: DimTerm): void {
  const factor = singleFactor(term);
  if (factor?.kind !== "operation" || factor.operation !== "mod") return;
  const [dividend, divisor] = factor.operands;
  const k = constantValue(divisor);
  if (k === undefined) return;
  const left = mulDims(fromOperation("floordiv", dividend, divisor, scope), k);
  const right = linearCombination(dividend, 1, 0, 1);
  const text = `${left.toString()} == ${right.toString()}`;
  addConstraint(scope, { comparator: "eq", text, left, right });
}
