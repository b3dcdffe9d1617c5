/**
 * The data of symbolic dimensions: scopes, and polynomials over variables and the atoms floordiv,
 * mod, max and min, with their total syntactic order and their printed form (both as in JAX's
 * shape_poly). Arithmetic is in arithmetic.ts; users import everything through ../dims.ts.
 */
import { Jax2TfjsError } from "../errors.js";

/** A dimension size: a known integer or a symbolic expression (never a constant expression). */
export type Dim = number | DimExpr;

/** The operations that do not simplify to polynomials; semantics are those of Python's integers. */
export type DimOperation = "floordiv" | "max" | "min" | "mod";

/** Values with integer weights, largest value first: terms of a sum, or factors of a product. */
export type Weighted<T> = readonly (readonly [value: T, weight: number])[];

/** A variable, or an operation that could not be simplified away. */
export type DimFactor =
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly size: number;
      readonly key: string;
    }
  | {
      readonly kind: "operation";
      readonly operation: DimOperation;
      readonly operands: readonly [DimExpr, DimExpr];
      readonly size: number;
      readonly key: string;
    };

/** A product of factors with exponents >= 1; the empty product is the constant 1. */
export interface DimTerm {
  readonly factors: Weighted<DimFactor>;
  /** The syntactic weight, which comes first in the term order. */
  readonly size: number;
  readonly key: string;
}

/** `==` or `>=`; `e1 <= e2` is kept as `e2 >= e1`. */
export type Comparator = "eq" | "geq";

/** A constraint that the user gave (or that follows from `mod(e, k) == 0`). */
export interface SymbolicConstraint {
  readonly comparator: Comparator;
  /** The text the user wrote, for messages and for serialization. */
  readonly text: string;
  /** Left minus right, normalised with respect to the constraints before this one only. */
  readonly difference: Dim;
}

/** `term * coefficient` is to be replaced by `replacement`. */
export interface NormalizationRule {
  readonly replacement: Weighted<DimTerm>;
  readonly coefficient: number;
}

/** How good bounds need to be before their computation may stop. */
export const BoundsPrecision = { signOrZero: 0, sign: 1, best: 2 } as const;
export type BoundsPrecision = (typeof BoundsPrecision)[keyof typeof BoundsPrecision];

export interface CachedBounds {
  readonly lower: number;
  readonly upper: number;
  readonly precision: BoundsPrecision;
}

/** Operations on larger operands are refused; it also limits how deeply they nest. */
const MAX_KEY_LENGTH = 8192;

let nextScopeId = 1;

/**
 * The world that symbolic dimensions live in: expressions of different scopes never mix. Holds the
 * constraints, and caches of what follows from them. Make one with `symbolicScope`.
 */
export class SymbolicScope {
  readonly id = nextScopeId++;
  readonly constraints: SymbolicConstraint[] = [];
  /** The constraints as the user wrote them, in order; enough to make an equal scope. */
  readonly constraintTexts: string[] = [];
  /** By the key of the term that is replaced. */
  readonly normalizationRules = new Map<string, NormalizationRule>();
  /** False while constraints are still being added. */
  initialized = false;
  readonly variables = new Map<string, Dim>();
  readonly boundsCache = new Map<string, CachedBounds>();
  readonly operationCache = new Map<string, Dim>();
  /** What decision.ts derived from the constraints; opaque here. */
  decisionState: object | undefined;

  /** Forgets everything derived, because the constraints changed. */
  clearCaches(): void {
    this.variables.clear();
    this.boundsCache.clear();
    this.operationCache.clear();
    this.decisionState = undefined;
  }

  /** A name and the constraints, as in messages about scopes. */
  toString(): string {
    const lines = this.constraints.map((constraint) => `\n  ${constraint.text}`);
    return `#${this.id}` + (lines.length > 0 ? ` with constraints:${lines.join("")}` : "");
  }
}

/**
 * An integer polynomial in normal form: terms with non-zero coefficients, largest first, the
 * constant last. Immutable; make them with `parseDim`, `symbolicShape` and the arithmetic of
 * dims.ts. Constant expressions occur only as operands of operations.
 */
export class DimExpr {
  readonly terms: Weighted<DimTerm>;
  readonly scope: SymbolicScope;
  readonly size: number;
  #key: string | undefined;
  #text: string | undefined;

  /** @internal `terms` must be sorted and normalised already. */
  constructor(terms: Weighted<DimTerm>, scope: SymbolicScope) {
    this.terms = terms;
    this.scope = scope;
    let size = 0;
    for (const [term, coefficient] of terms) size += 1 + Math.abs(coefficient) * term.size;
    this.size = size;
  }

  /** Identifies the expression within its scope. */
  get key(): string {
    this.#key ??= this.terms.map(([term, k]) => `${k}*${term.key}`).join("+");
    return this.#key;
  }

  /** The expression as JAX prints it, for instance `2*b + 1` or `max(a, floordiv(b, 2))`. */
  toString(): string {
    this.#text ??= printTerms(this.terms);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** The product of nothing: the term of constants. */
export const unitTerm: DimTerm = { factors: [], size: 0, key: "1" };

const identifier = /^[\p{L}_][\p{L}\p{N}_]*$/u;

export function variableFactor(name: string): DimFactor {
  // Names of actual sizes ("args[0].shape[1]") are quoted so that keys stay unambiguous.
  const key = identifier.test(name) ? name : JSON.stringify(name);
  return { kind: "variable", name, size: 1, key };
}

export function operationFactor(operation: DimOperation, left: DimExpr, right: DimExpr): DimFactor {
  const key = `${operation}(${left.key},${right.key})`;
  if (key.length > MAX_KEY_LENGTH) {
    throw new Jax2TfjsError(
      "dimension-overflow",
      `A symbolic dimension with ${operation} is too large: it takes ${key.length} characters.`,
    );
  }
  const size = 1 + left.size + right.size;
  return { kind: "operation", operation, operands: [left, right], size, key };
}

/** A term from its factors, which must be sorted, largest first, with exponents >= 1. */
export function termOf(factors: Weighted<DimFactor>): DimTerm {
  if (factors.length === 0) return unitTerm;
  let size = 0;
  for (const [factor, exponent] of factors) size += 1 + exponent * factor.size;
  const key = factors.map(([factor, k]) => (k === 1 ? factor.key : `${factor.key}^${k}`)).join("*");
  return { factors, size, key };
}

/** The constant as an operand of an operation. */
export function constantExpr(value: number, scope: SymbolicScope): DimExpr {
  return new DimExpr([[unitTerm, value]], scope);
}

export function isConstantTerm(term: DimTerm): boolean {
  return term.factors.length === 0;
}

/** The only factor of a term, if it is one factor to the power 1. */
export function singleFactor(term: DimTerm): DimFactor | undefined {
  const first = term.factors[0];
  return term.factors.length === 1 && first?.[1] === 1 ? first[0] : undefined;
}

/** The value of an expression that is known to be constant (an operand may be), or undefined. */
export function constantValue(dim: Dim): number | undefined {
  if (typeof dim === "number") return dim;
  const leading = dim.terms[0];
  if (leading === undefined) return 0;
  return isConstantTerm(leading[0]) ? leading[1] : undefined;
}

/** Orders factors by size, then by name or operation and operands. Negative: left is smaller. */
export function compareFactors(left: DimFactor, right: DimFactor): number {
  if (left === right) return 0;
  if (left.size !== right.size) return left.size - right.size;
  if (left.kind === "variable" || right.kind === "variable") {
    // An operation is always larger than a variable, so here both are variables.
    return left.kind === "variable" && right.kind === "variable"
      ? compareText(left.name, right.name)
      : left.size - right.size;
  }
  if (left.operation !== right.operation) return compareText(left.operation, right.operation);
  const first = compareExprs(left.operands[0], right.operands[0]);
  return first !== 0 ? first : compareExprs(left.operands[1], right.operands[1]);
}

/** Orders terms by size, then factor by factor. */
export function compareTerms(left: DimTerm, right: DimTerm): number {
  if (left === right) return 0;
  if (left.size !== right.size) return left.size - right.size;
  return compareWeighted(left.factors, right.factors, compareFactors);
}

function compareExprs(left: DimExpr, right: DimExpr): number {
  if (left === right) return 0;
  if (left.size !== right.size) return left.size - right.size;
  return compareWeighted(left.terms, right.terms, compareTerms);
}

function compareWeighted<T>(
  left: Weighted<T>,
  right: Weighted<T>,
  compare: (left: T, right: T) => number,
): number {
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [leftItem, rightItem] = [left[i], right[i]];
    if (leftItem === undefined || rightItem === undefined) break;
    const order = compare(leftItem[0], rightItem[0]);
    if (order !== 0) return order;
    if (leftItem[1] !== rightItem[1]) return leftItem[1] - rightItem[1];
  }
  return left.length - right.length;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function printFactor(factor: DimFactor): string {
  if (factor.kind === "variable") return factor.name;
  const [left, right] = factor.operands;
  return `${factor.operation}(${left.toString()}, ${right.toString()})`;
}

/** A product as JAX prints it: the smallest factor first. */
export function printTerm(term: DimTerm): string {
  return term.factors
    .map(([factor, exponent]) => printFactor(factor) + (exponent === 1 ? "" : `^${exponent}`))
    .reverse()
    .join("*");
}

function printTerms(terms: Weighted<DimTerm>): string {
  const parts = terms.map(([term, coefficient]) => {
    const sign = coefficient > 0 ? "+" : "-";
    const size = Math.abs(coefficient);
    if (isConstantTerm(term)) return size === 0 ? "0" : `${sign} ${size}`;
    return size === 1 ? `${sign} ${printTerm(term)}` : `${sign} ${size}*${printTerm(term)}`;
  });
  const text = parts.join(" ");
  return text.startsWith("+ ") ? text.slice(2) : text;
}

/** The names of the variables that occur in `dim`, operands included, in order of appearance. */
export function collectVariables(dim: Dim, into: Set<string>): void {
  if (typeof dim === "number") return;
  for (const [term] of dim.terms) {
    for (const [factor] of term.factors) {
      if (factor.kind === "variable") into.add(factor.name);
      else factor.operands.forEach((operand) => collectVariables(operand, into));
    }
  }
}

/**
 * Refuses expressions of two scopes in one operation.
 *
 * @throws Jax2TfjsError `mixed-symbolic-scopes`
 */
export function checkSameScope(
  scope: SymbolicScope,
  other: DimExpr,
  when: string,
  scopeDescription = " ",
  otherDescription = "unknown",
): void {
  if (scope === other.scope) return;
  throw new Jax2TfjsError(
    "mixed-symbolic-scopes",
    `Invalid mixing of symbolic scopes ${when}.\n` +
      `Expected ${scopeDescription}scope ${scope.toString()}\n` +
      `and found for '${other.toString()}' (${otherDescription}) scope ${other.scope.toString()}\n` +
      "See https://docs.jax.dev/en/latest/export/shape_poly.html#user-specified-symbolic-constraints.",
    { fix: "create all the symbolic shapes of one function with the same scope" },
  );
}
