/**
 * Exact arithmetic on symbolic dimensions: sums, products, powers and Python's floor division,
 * with the scope's equality constraints applied. What needs bounds (max, min, comparisons) is in
 * operations.ts. Called by everything in this folder and, through ../dims.ts, by the whole IR.
 */
import { Jax2TfjsError } from "../errors.js";
import {
  type Dim,
  type DimFactor,
  type DimOperation,
  type DimTerm,
  type SymbolicScope,
  type Weighted,
  DimExpr,
  checkSameScope,
  compareFactors,
  compareTerms,
  constantExpr,
  constantValue,
  isConstantTerm,
  operationFactor,
  termOf,
  unitTerm,
  variableFactor,
} from "./expr.js";

/** Products with more terms than this are refused: nobody writes them, and they grow quickly. */
const MAX_TERMS = 4096;
/** Polynomial division and powers stop after this many steps. */
const MAX_STEPS = 1024;
const MAX_CACHED_OPERATIONS = 1 << 16;

/** An integer result, or the error that it is too large to be exact. `-0` becomes `0`. */
export function exact(value: number): number {
  if (Number.isSafeInteger(value)) return value + 0;
  throw new Jax2TfjsError(
    "dimension-overflow",
    `A dimension or a coefficient of a symbolic dimension is ${value}, ` +
      "which is not an integer below 2^53 in magnitude.",
  );
}

/** Python's `//` on integers. */
export function floorDivide(dividend: number, divisor: number): number {
  return exact((dividend - modulo(dividend, divisor)) / divisor);
}

/** Python's `%` on integers: the sign is the divisor's. */
export function modulo(dividend: number, divisor: number): number {
  if (divisor === 0) {
    throw new Jax2TfjsError(
      "dimension-division-by-zero",
      `integer division or modulo by zero: ${dividend} by 0`,
    );
  }
  const remainder = dividend % divisor;
  return exact(remainder !== 0 && remainder < 0 !== divisor < 0 ? remainder + divisor : remainder);
}

/** `left * leftScale + right * rightScale` for sorted sums of terms or sorted products of factors. */
function mergeWeighted<T>(
  left: Weighted<T>,
  leftScale: number,
  right: Weighted<T>,
  rightScale: number,
  compare: (left: T, right: T) => number,
): Weighted<T> {
  const result: (readonly [T, number])[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const a = left[i];
    const b = right[j];
    if (a === undefined && b === undefined) return result;
    const order = a === undefined ? -1 : b === undefined ? 1 : compare(a[0], b[0]);
    let weight = 0;
    if (order >= 0 && a !== undefined) {
      weight += a[1] * leftScale;
      i++;
    }
    if (order <= 0 && b !== undefined) {
      weight += b[1] * rightScale;
      j++;
    }
    const item = order >= 0 ? a : b;
    if (weight !== 0 && item !== undefined) result.push([item[0], exact(weight)]);
  }
}

/** Sums of terms, not normalised. */
export function combineTerms(
  left: Weighted<DimTerm>,
  leftScale: number,
  right: Weighted<DimTerm>,
  rightScale: number,
): Weighted<DimTerm> {
  return mergeWeighted(left, leftScale, right, rightScale, compareTerms);
}

function multiplyTerms(left: DimTerm, right: DimTerm): DimTerm {
  if (isConstantTerm(left)) return right;
  if (isConstantTerm(right)) return left;
  return termOf(mergeWeighted(left.factors, 1, right.factors, 1, compareFactors));
}

/** The quotient of two terms if it is a term. */
function divideTerms(dividend: DimTerm, divisor: DimTerm): DimTerm | undefined {
  if (isConstantTerm(divisor)) return dividend;
  const factors = mergeWeighted(dividend.factors, 1, divisor.factors, -1, compareFactors);
  return factors.some(([, exponent]) => exponent <= 0) ? undefined : termOf(factors);
}

/** The terms of a dimension as a sum. */
export function termsOf(dim: Dim): Weighted<DimTerm> {
  if (typeof dim !== "number") return dim.terms;
  return dim === 0 ? [] : [[unitTerm, dim]];
}

/** Adds up terms in any order. */
function collectTerms(items: Iterable<readonly [DimTerm, number]>): Weighted<DimTerm> {
  const sums = new Map<string, [DimTerm, number]>();
  for (const [term, coefficient] of items) {
    const sum = sums.get(term.key);
    if (sum === undefined) sums.set(term.key, [term, coefficient]);
    else sum[1] = exact(sum[1] + coefficient);
  }
  const result = [...sums.values()].filter(([, coefficient]) => coefficient !== 0);
  return result.sort((a, b) => compareTerms(b[0], a[0]));
}

/** What an equality constraint says `term * coefficient` is to be replaced by, if anything. */
function replacementOf(
  term: DimTerm,
  coefficient: number,
  scope: SymbolicScope,
): Weighted<DimTerm> | undefined {
  const rule = scope.normalizationRules.get(term.key);
  if (rule !== undefined && coefficient % rule.coefficient === 0) {
    const scale = coefficient / rule.coefficient;
    return rule.replacement.map(([t, k]) => [t, exact(k * scale)]);
  }
  if (term.factors.length <= 1) return undefined;
  for (const power of term.factors) {
    const powerTerm = termOf([power]);
    const factorRule = scope.normalizationRules.get(powerTerm.key);
    if (factorRule === undefined || coefficient % factorRule.coefficient !== 0) continue;
    const others = termOf(term.factors.filter((other) => other !== power));
    const scale = coefficient / factorRule.coefficient;
    return factorRule.replacement.map(([t, k]) => [multiplyTerms(t, others), exact(k * scale)]);
  }
  return undefined;
}

/** The dimension with these sorted terms: equality constraints applied (once, as JAX does). */
export function fromTerms(terms: Weighted<DimTerm>, scope: SymbolicScope): Dim {
  let result = terms;
  if (scope.normalizationRules.size > 0) {
    for (const item of terms) {
      const replacement = replacementOf(item[0], item[1], scope);
      if (replacement === undefined) continue;
      result = collectTerms([...terms.filter((other) => other !== item), ...replacement]);
      break;
    }
  }
  const leading = result[0];
  if (leading === undefined) return 0;
  if (isConstantTerm(leading[0])) return leading[1];
  return new DimExpr(result, scope);
}

/** The dimension that is one term. */
export function fromTerm(term: DimTerm, coefficient: number, scope: SymbolicScope): Dim {
  return coefficient === 0 ? 0 : fromTerms([[term, coefficient]], scope);
}

/** The variable `name` of `scope` (or what an equality constraint says it is). */
export function variableDim(name: string, scope: SymbolicScope): Dim {
  let dim = scope.variables.get(name);
  if (dim === undefined) {
    dim = fromTerm(termOf([[variableFactor(name), 1]]), 1, scope);
    scope.variables.set(name, dim);
  }
  return dim;
}

/** A dimension as an operand in `scope`. */
export function operandOf(dim: Dim, operation: string, scope: SymbolicScope): DimExpr {
  if (typeof dim === "number") return constantExpr(exact(dim), scope);
  checkSameScope(scope, dim, `for operation ${operation}`);
  return dim;
}

/** The operation kept as an atom, without simplification. */
export function fromOperation(
  operation: DimOperation,
  left: Dim,
  right: Dim,
  scope: SymbolicScope,
): Dim {
  const operands = [left, right].map((dim) => operandOf(dim, operation, scope)) as [
    DimExpr,
    DimExpr,
  ];
  const factor: DimFactor = operationFactor(operation, ...operands);
  return fromTerm(termOf([[factor, 1]]), 1, scope);
}

/** Keeps what was computed for an operation in the scope, because max and min ask for bounds. */
export function cachedOperation(
  operation: DimOperation,
  left: Dim,
  right: Dim,
  compute: () => Dim,
): Dim {
  const scope = typeof left === "number" ? (right as DimExpr).scope : left.scope;
  if (typeof left !== "number" && typeof right !== "number" && left.scope !== right.scope) {
    return compute();
  }
  const key = `${operation}:${typeof left === "number" ? left : left.key},${
    typeof right === "number" ? right : right.key
  }`;
  let result = scope.operationCache.get(key);
  if (result === undefined) {
    result = compute();
    if (scope.operationCache.size >= MAX_CACHED_OPERATIONS) scope.operationCache.clear();
    scope.operationCache.set(key, result);
  }
  return result;
}

/** `left * leftScale + right * rightScale` in normal form; the scales are not 0. */
export function linearCombination(
  left: Dim,
  leftScale: number,
  right: Dim,
  rightScale: number,
): Dim {
  if (typeof left === "number") {
    if (typeof right === "number") return exact(left * leftScale + right * rightScale);
    return fromTerms(combineTerms(termsOf(left), leftScale, right.terms, rightScale), right.scope);
  }
  if (typeof right !== "number") checkSameScope(left.scope, right, "for linear combination");
  return fromTerms(combineTerms(left.terms, leftScale, termsOf(right), rightScale), left.scope);
}

/** `left + right`. */
export function addDims(left: Dim, right: Dim): Dim {
  if (typeof left === "number" && typeof right === "number") return exact(left + right);
  if (right === 0) return left;
  if (left === 0) return right;
  return linearCombination(left, 1, right, 1);
}

/** `left - right`. */
export function subDims(left: Dim, right: Dim): Dim {
  if (typeof left === "number" && typeof right === "number") return exact(left - right);
  if (right === 0) return left;
  return linearCombination(left, 1, right, -1);
}

/** `-dim`. */
export function negDim(dim: Dim): Dim {
  return typeof dim === "number" ? exact(-dim) : linearCombination(dim, -1, 0, 1);
}

/** `left * right`. */
export function mulDims(left: Dim, right: Dim): Dim {
  if (typeof left === "number") {
    if (typeof right === "number") return exact(left * right);
    return scaleExpr(right, left);
  }
  if (typeof right === "number") return scaleExpr(left, right);
  checkSameScope(left.scope, right, "for operation mul");
  if (left.terms.length * right.terms.length > MAX_TERMS) {
    throw new Jax2TfjsError(
      "dimension-overflow",
      `The product of two symbolic dimensions of ${left.terms.length} and ${right.terms.length} ` +
        "terms is too large.",
    );
  }
  const products: [DimTerm, number][] = [];
  for (const [leftTerm, leftCoefficient] of left.terms) {
    for (const [rightTerm, rightCoefficient] of right.terms) {
      const coefficient = exact(leftCoefficient * rightCoefficient);
      products.push([multiplyTerms(leftTerm, rightTerm), coefficient]);
    }
  }
  return fromTerms(collectTerms(products), left.scope);
}

function scaleExpr(expr: DimExpr, scale: number): Dim {
  if (scale === 1) return expr;
  return scale === 0 ? 0 : linearCombination(expr, scale, 0, 1);
}

/**
 * `base` to an integer power >= 0.
 *
 * @throws Jax2TfjsError `invalid-dimension-power` for other exponents, `dimension-overflow`
 */
export function powDim(base: Dim, exponent: number): Dim {
  if (!Number.isInteger(exponent)) {
    throw new Jax2TfjsError(
      "invalid-dimension-power",
      `Symbolic dimension cannot be raised to non-integer powers: '${base.toString()}' ** '${exponent}'`,
    );
  }
  if (exponent < 0) {
    throw new Jax2TfjsError(
      "invalid-dimension-power",
      `Symbolic dimension cannot be raised to negative powers: '${base.toString()}' ** '${exponent}'`,
    );
  }
  if (typeof base === "number") return exact(base ** exponent);
  if (exponent > MAX_STEPS) {
    throw new Jax2TfjsError(
      "dimension-overflow",
      `The exponent ${exponent} of a symbolic dimension is larger than ${MAX_STEPS}.`,
    );
  }
  let result: Dim = 1;
  for (let i = 0; i < exponent; i++) result = mulDims(result, base);
  return result;
}

/** `floor(left / right)`, simplified when the division leaves no (or a constant) remainder. */
export function floordivDims(left: Dim, right: Dim): Dim {
  if (typeof left === "number" && typeof right === "number") return floorDivide(left, right);
  return divmodExpr(left, right, "floordiv");
}

/** `left - right * floordiv(left, right)`, simplified as `floordivDims` is. */
export function modDims(left: Dim, right: Dim): Dim {
  if (typeof left === "number" && typeof right === "number") return modulo(left, right);
  return divmodExpr(left, right, "mod");
}

function divmodExpr(left: Dim, right: Dim, want: "floordiv" | "mod"): Dim {
  if (right === 1) return want === "floordiv" ? left : 0;
  return cachedOperation(want, left, right, () => {
    const scope = typeof left === "number" ? (right as DimExpr).scope : left.scope;
    const result = dividePolynomials(left, right, scope);
    if (result !== undefined) return result[want];
    // JAX makes both atoms, the quotient first, and says so when scopes differ.
    operandOf(right, "floordiv", scope);
    return fromOperation(want, left, right, scope);
  });
}

/**
 * Long division by the leading term of the divisor. Succeeds if a symbolic divisor leaves nothing
 * and a constant one leaves a constant.
 */
function dividePolynomials(
  left: Dim,
  right: Dim,
  scope: SymbolicScope,
): { readonly floordiv: Dim; readonly mod: number } | undefined {
  let dividend = left;
  let quotient: Dim = 0;
  const divisor = typeof right === "number" ? right : constantValue(right);
  for (let step = 0; constantValue(dividend) === undefined; step++) {
    const leading = termsOf(dividend)[0];
    const divisorLeading =
      divisor === undefined ? termsOf(right)[0] : ([unitTerm, divisor] as const);
    if (leading === undefined || divisorLeading === undefined || step >= MAX_STEPS)
      return undefined;
    const term = divideTerms(leading[0], divisorLeading[0]);
    if (term === undefined || modulo(leading[1], divisorLeading[1]) !== 0) return undefined;
    const part = fromTerm(term, leading[1] / divisorLeading[1], scope);
    quotient = addDims(quotient, part);
    dividend = subDims(dividend, mulDims(part, right));
  }
  const rest = constantValue(dividend) ?? 0;
  if (divisor === undefined) return rest === 0 ? { floordiv: quotient, mod: 0 } : undefined;
  return { floordiv: addDims(quotient, floorDivide(rest, divisor)), mod: modulo(rest, divisor) };
}
