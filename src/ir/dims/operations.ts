/**
 * Operations on symbolic dimensions that need bounds or values: max, min, comparisons, equality,
 * evaluation and substitution. Called through ../dims.ts by the whole IR.
 */
import { Jax2TfjsError } from "../errors.js";
import {
  addDims,
  cachedOperation,
  floordivDims,
  fromOperation,
  linearCombination,
  modDims,
  mulDims,
  powDim,
  subDims,
  variableDim,
} from "./arithmetic.js";
import { decideBounds } from "./decision.js";
import { inconclusive } from "./errors.js";
import { type Bounds } from "./intervals.js";
import {
  type Dim,
  type DimExpr,
  type DimFactor,
  type DimOperation,
  type DimTerm,
  type SymbolicScope,
  BoundsPrecision,
  checkSameScope,
  collectVariables,
  isConstantTerm,
} from "./expr.js";

/** Whether a dimension is an expression (and so not known as a number). */
export function isSymbolic(dim: Dim): dim is DimExpr {
  return typeof dim !== "number";
}

/**
 * Whether two dimensions are equal for all values of their variables. Total and sound for `true`;
 * `false` also stands for "not known to be equal", as in JAX. Different scopes are never equal.
 */
export function dimEquals(left: Dim, right: Dim): boolean {
  if (left === right) return true;
  // Expressions are never constant, so an expression and a number differ somewhere.
  if (typeof left === "number" || typeof right === "number") return false;
  if (left.scope !== right.scope) return false;
  if (left.size === right.size && left.key === right.key) return true;
  if (left.scope.normalizationRules.size === 0) return false;
  return linearCombination(left, 1, right, -1) === 0;
}

/**
 * Bounds `[lower, upper]` of a dimension for all values of its variables, `±Infinity` where none
 * is known. Sound, not always tight.
 */
export function boundsOf(dim: Dim): Bounds {
  if (typeof dim === "number") return [dim, dim];
  try {
    return decideBounds(dim, BoundsPrecision.best);
  } catch (error) {
    // A possible division by zero: nothing can be said.
    if (isInconclusive(error)) return [-Infinity, Infinity];
    throw error;
  }
}

function isInconclusive(error: unknown): boolean {
  return error instanceof Jax2TfjsError && error.code === "inconclusive-dimension";
}

/** Decides `left >= right`, which messages describe as `description`. */
function decideGreaterEqual(left: Dim, right: Dim, description: () => string): boolean {
  if (typeof left === "number" && typeof right === "number") return left >= right;
  if (typeof left !== "number" && typeof right !== "number" && left.scope !== right.scope) {
    checkSameScope(left.scope, right, `when comparing ${description()}`);
  }
  const difference = subDims(left, right);
  const [lower, upper] = decideBounds(difference, BoundsPrecision.sign);
  if (lower >= 0) return true;
  if (upper < 0) return false;
  const scope = typeof left === "number" ? (right as DimExpr).scope : left.scope;
  const describeScope =
    scope.constraints.length > 0 ? `\nUsing symbolic scope ${scope.toString()}` : "";
  throw inconclusive(
    `Symbolic dimension comparison ${description()} is inconclusive.${describeScope}`,
  );
}

/** The comparison as Python shows it: with a number on the left it is turned around. */
function describe(left: Dim, comparison: string, right: Dim, reflected: string): string {
  return typeof left === "number"
    ? `'${right.toString()}' ${reflected} '${left}'`
    : `'${left.toString()}' ${comparison} '${right.toString()}'`;
}

/**
 * `left >= right` for all values of the variables.
 *
 * @throws Jax2TfjsError `inconclusive-dimension` when it depends on the values (or is not found
 * out), with the message of JAX's InconclusiveDimensionOperation; `mixed-symbolic-scopes`
 */
export function greaterEqual(left: Dim, right: Dim): boolean {
  return decideGreaterEqual(left, right, () => describe(left, ">=", right, "<="));
}

/** `left <= right`; see `greaterEqual`. */
export function lessEqual(left: Dim, right: Dim): boolean {
  return decideGreaterEqual(right, left, () => describe(left, "<=", right, ">="));
}

/** `left > right`; see `greaterEqual`. */
export function greater(left: Dim, right: Dim): boolean {
  return !decideGreaterEqual(right, left, () => describe(left, ">", right, "<"));
}

/** `left < right`; see `greaterEqual`. */
export function less(left: Dim, right: Dim): boolean {
  return !decideGreaterEqual(left, right, () => describe(left, "<", right, ">"));
}

const comparisons = {
  "==": dimEqualsOrThrow,
  "!=": (left: Dim, right: Dim): boolean => !dimEqualsOrThrow(left, right),
  ">=": greaterEqual,
  "<=": lessEqual,
  ">": greater,
  "<": less,
} as const;

/**
 * The answer to a comparison, or undefined when it depends on the values of the variables (or is
 * not found out).
 *
 * @throws Jax2TfjsError `mixed-symbolic-scopes`
 */
export function tryCompare(
  left: Dim,
  comparison: keyof typeof comparisons,
  right: Dim,
): boolean | undefined {
  try {
    return comparisons[comparison](left, right);
  } catch (error) {
    if (isInconclusive(error)) return undefined;
    throw error;
  }
}

/** Equality with three outcomes, the third being `inconclusive-dimension`. */
function dimEqualsOrThrow(left: Dim, right: Dim): boolean {
  if (dimEquals(left, right)) return true;
  const [lower, upper] = decideBounds(subDims(left, right), BoundsPrecision.best);
  if (lower === 0 && upper === 0) return true;
  if (lower > 0 || upper < 0) return false;
  throw inconclusive(
    `Symbolic dimension comparison ${describe(left, "==", right, "==")} is inconclusive.`,
  );
}

/**
 * The larger of two dimensions: one of them if the bounds tell which, else `max(left, right)`.
 *
 * @throws Jax2TfjsError `mixed-symbolic-scopes`, `inconclusive-dimension` (a possible division by 0)
 */
export function maxDim(left: Dim, right: Dim): Dim {
  return extremum("max", left, right);
}

/** The smaller of two dimensions; see `maxDim`. */
export function minDim(left: Dim, right: Dim): Dim {
  return extremum("min", left, right);
}

function extremum(operation: "max" | "min", left: Dim, right: Dim): Dim {
  if (typeof left === "number" && typeof right === "number") {
    return operation === "max" ? Math.max(left, right) : Math.min(left, right);
  }
  return cachedOperation(operation, left, right, () => {
    // JAX asks the symbolic operand, and keeps the order in the result.
    const [self, other] = typeof left === "number" ? [right, left] : [left, right];
    const [lower, upper] = decideBounds(subDims(self, other), BoundsPrecision.signOrZero);
    if (lower >= 0) return operation === "max" ? self : other;
    if (upper <= 0) return operation === "max" ? other : self;
    const scope = typeof left === "number" ? (right as DimExpr).scope : left.scope;
    return fromOperation(operation, left, right, scope);
  });
}

/** `max(dim, 0)`: what older JAX versions print as `non_negative(dim)`. */
export function nonNegativeDim(dim: Dim): Dim {
  return maxDim(dim, 0);
}

/**
 * `left / right` where nothing remains.
 *
 * @throws Jax2TfjsError `inconclusive-dimension` when the remainder is not known to be 0
 */
export function divideExactDims(left: Dim, right: Dim): Dim {
  return divideShapeSizes([left], [right]);
}

/**
 * The number of elements of `dividend` over that of `divisor`; 1 when both are equal (also 0).
 *
 * @throws Jax2TfjsError `inconclusive-dimension` when the remainder is not known to be 0
 */
export function divideShapeSizes(dividend: readonly Dim[], divisor: readonly Dim[]): Dim {
  const [left, right] = [shapeSize(dividend), shapeSize(divisor)];
  if (dimEquals(left, right)) return 1;
  const remainder = modDims(left, right);
  if (remainder !== 0) {
    throw new Jax2TfjsError(
      "inconclusive-dimension",
      `Cannot divide evenly the sizes of shapes ${printShape(dividend)} and ` +
        `${printShape(divisor)}. The remainder ${remainder.toString()} should be 0.`,
    );
  }
  return floordivDims(left, right);
}

/** The product of the dimensions: the number of elements. */
export function shapeSize(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>((size, dim) => mulDims(size, dim), 1);
}

/** A shape as Python prints the tuple: `(b, 3)`, `(b,)`, `()`. */
export function printShape(shape: readonly Dim[]): string {
  return `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
}

/**
 * A dimension as a number.
 *
 * @throws Jax2TfjsError `inconclusive-dimension` if it is symbolic
 */
export function requireConstant(dim: Dim): number {
  if (typeof dim === "number") return dim;
  throw inconclusive(
    `Symbolic dimension '${dim.toString()}' used in a context that requires a constant`,
  );
}

/** What to do about variables without a value. */
type Missing = "keep" | "throw";

/**
 * The value of a dimension.
 *
 * @param env the values of the variables
 * @throws Jax2TfjsError `unknown-dimension-variable`, `dimension-division-by-zero`,
 * `dimension-overflow`
 */
export function evaluateDim(dim: Dim, env: ReadonlyMap<string, number>): number {
  if (typeof dim === "number") return dim;
  // With values for all variables every step gives a number.
  return requireConstant(evaluateExpr(dim, env, "throw"));
}

/** Like `substituteDims`, but every variable must be in `env`. */
export function evaluateSymbolically(dim: Dim, env: ReadonlyMap<string, Dim>): Dim {
  return typeof dim === "number" ? dim : evaluateExpr(dim, env, "throw");
}

/**
 * `dim` with variables replaced by dimensions and simplified again; variables that `env` does not
 * have stay.
 *
 * @throws Jax2TfjsError `mixed-symbolic-scopes`, `dimension-division-by-zero`,
 * `dimension-overflow`, `inconclusive-dimension` (a possible division by 0)
 */
export function substituteDims(dim: Dim, env: ReadonlyMap<string, Dim>): Dim {
  return typeof dim === "number" ? dim : evaluateExpr(dim, env, "keep");
}

function evaluateExpr(expr: DimExpr, env: ReadonlyMap<string, Dim>, missing: Missing): Dim {
  let sum: Dim = 0;
  for (const [term, coefficient] of expr.terms) {
    sum = addDims(sum, mulDims(evaluateTerm(term, env, expr.scope, missing), coefficient));
  }
  return sum;
}

/** The value of a term, as `evaluateSymbolically`. */
export function evaluateTerm(
  term: DimTerm,
  env: ReadonlyMap<string, Dim>,
  scope: SymbolicScope,
  missing: Missing,
): Dim {
  if (isConstantTerm(term)) return 1;
  let product: Dim = 1;
  for (const [factor, exponent] of term.factors) {
    product = mulDims(product, powDim(evaluateFactor(factor, env, scope, missing), exponent));
  }
  return product;
}

function evaluateFactor(
  factor: DimFactor,
  env: ReadonlyMap<string, Dim>,
  scope: SymbolicScope,
  missing: Missing,
): Dim {
  if (factor.kind === "variable") return evaluateVariable(factor.name, env, scope, missing);
  const left = evaluateExpr(factor.operands[0], env, missing);
  const right = evaluateExpr(factor.operands[1], env, missing);
  return apply(factor.operation, left, right);
}

function apply(operation: DimOperation, left: Dim, right: Dim): Dim {
  switch (operation) {
    case "floordiv":
      return floordivDims(left, right);
    case "mod":
      return modDims(left, right);
    case "max":
      return maxDim(left, right);
    case "min":
      return minDim(left, right);
  }
}

function evaluateVariable(
  name: string,
  env: ReadonlyMap<string, Dim>,
  scope: SymbolicScope,
  missing: Missing,
): Dim {
  const value = env.get(name);
  if (value !== undefined) return value;
  // An equality constraint may say what the variable is.
  const normalized = variableDim(name, scope);
  if (typeof normalized === "number") return normalized;
  if (normalized.toString() !== name) return evaluateExpr(normalized, env, missing);
  if (missing === "keep") return normalized;
  throw new Jax2TfjsError(
    "unknown-dimension-variable",
    `Encountered dimension variable '${name}' that is not appearing in the shapes of the function arguments.\n` +
      "The following dimension variables are appearing in the shapes of the function arguments: " +
      `[${[...env.keys()].map((key) => `'${key}'`).join(", ")}].\n` +
      "Please see https://docs.jax.dev/en/latest/export/shape_poly.html#dimension-variables-must-be-solvable-from-the-input-shapes for more details.",
  );
}

/** The names of the variables in `dim`, sorted. */
export function variablesOf(dim: Dim): string[] {
  if (typeof dim === "number") return [];
  const names = new Set<string>();
  collectVariables(dim, names);
  return [...names].sort();
}
