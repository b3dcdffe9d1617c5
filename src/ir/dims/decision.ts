/**
 * Lower and upper bounds of symbolic dimensions, by JAX's procedure (shape_poly_decision.py):
 * terms are eliminated, largest first, with constraints `c >= 0` or `c == 0`. Constraints come
 * from the scope, and from what is known of the terms of the question (variables are >= 1, a
 * remainder is below its divisor, …). Incomplete but sound. Called by operations.ts.
 */
import { Jax2TfjsError } from "../errors.js";
import { inconclusive, unsatisfiable } from "./errors.js";
import {
  type Bounds,
  ceilDivide,
  floorDivideBounds,
  multiplyBounds,
  nothingKnown,
  withoutInexact,
} from "./intervals.js";
import {
  combineTerms,
  exact,
  floorDivide,
  fromOperation,
  fromTerm,
  linearCombination,
  modulo,
  mulDims,
  subDims,
  termsOf,
  addDims,
} from "./arithmetic.js";
import {
  type Comparator,
  type Dim,
  type DimFactor,
  type DimTerm,
  type SymbolicScope,
  type Weighted,
  BoundsPrecision,
  DimExpr,
  constantValue,
  isConstantTerm,
  singleFactor,
  termOf,
} from "./expr.js";

/** The search is exponential in bad cases: after this many steps we stop with what we have. */
const MAX_STEPS = 20_000;
const MAX_CONSTRAINTS = 512;
const MAX_CACHED_BOUNDS = 1 << 16;

/** `expr >= 0` or `expr == 0`. */
interface KnownConstraint {
  readonly comparator: Comparator;
  readonly expr: DimExpr;
}

/** A constraint scaled (> 0) so that `term * coefficient * termScale + expr * scale` has no `term`. */
interface Elimination extends KnownConstraint {
  readonly scale: number;
  readonly termScale: number;
}

function sufficient(precision: BoundsPrecision, lower: number, upper: number): boolean {
  switch (precision) {
    case BoundsPrecision.signOrZero:
      return lower >= 0 || upper <= 0;
    case BoundsPrecision.sign:
      return lower >= 0 || upper < 0;
    case BoundsPrecision.best:
      return false;
  }
}

/** Sign of a coefficient; never 0. */
function sign(coefficient: number): number {
  return coefficient >= 0 ? 1 : -1;
}

/** What is known about terms while one question is answered. */
class Decision {
  readonly scope: SymbolicScope;
  /** The terms whose own properties were added. */
  private readonly processed: Set<string>;
  private readonly termBounds: Map<string, Bounds>;
  /** Constraints of several terms, by their leading term. */
  private readonly constraints: Map<string, readonly KnownConstraint[]>;
  private constraintCount: number;
  private steps = 0;

  constructor(scope: SymbolicScope, from?: Decision) {
    this.scope = scope;
    this.processed = new Set(from?.processed);
    this.termBounds = new Map(from?.termBounds);
    this.constraints = new Map(from?.constraints);
    this.constraintCount = from?.constraintCount ?? 0;
  }

  /** The state that knows the scope's constraints and nothing else. */
  static forScope(scope: SymbolicScope): Decision {
    if (!scope.initialized || scope.constraints.length === 0) {
      return new Decision(scope).withExplicitConstraints();
    }
    let state = scope.decisionState;
    if (!(state instanceof Decision)) {
      state = new Decision(scope).withExplicitConstraints();
      scope.decisionState = state;
    }
    return new Decision(scope, state as Decision);
  }

  private withExplicitConstraints(): this {
    for (const constraint of this.scope.constraints) {
      if (typeof constraint.difference !== "number") this.addImplicit(constraint.difference);
      this.add(constraint.comparator, constraint.difference, 0, constraint.text);
      this.scope.boundsCache.clear();
    }
    return this;
  }

  /** Adds `left >= right` (or `==`), and what follows from it and each known constraint. */
  private add(comparator: Comparator, left: Dim, right: Dim, text?: string): void {
    // Infinite bounds are plain numbers here; they say nothing.
    if (left === Infinity || right === -Infinity) return;
    const difference = unlessOverflow(() => subDims(left, right));
    if (difference === undefined) return;
    const constant = constantValue(difference);
    if (typeof difference === "number" || constant !== undefined) {
      if ((constant ?? 0) < 0) {
        const description = text ?? `${left.toString()} >= ${right.toString()}`;
        throw unsatisfiable(`Unsatisfiable constraint: ${description}`);
      }
      return;
    }
    this.store(comparator, difference, text);
    for (const derived of this.combineWithKnown(comparator, difference, text)) {
      this.store(derived.comparator, derived.expr, undefined);
    }
  }

  private store(comparator: Comparator, expr: DimExpr, text: string | undefined): void {
    const [leading, second] = expr.terms;
    if (leading === undefined) return;
    const [term, coefficient] = leading;
    if (expr.terms.length === 1 || (expr.terms.length === 2 && isConstant(second))) {
      this.storeTermBounds(
        comparator,
        term,
        coefficient,
        second?.[1] ?? 0,
        text ?? `${expr.toString()} >= 0`,
      );
      return;
    }
    const known = this.constraints.get(term.key) ?? [];
    const isKnown = known.some((c) => c.comparator === comparator && c.expr.key === expr.key);
    if (isKnown || this.constraintCount >= MAX_CONSTRAINTS) return;
    this.constraintCount++;
    this.constraints.set(term.key, [...known, { comparator, expr }]);
  }

  /** Keeps `constant + coefficient * term >= 0` (or `== 0`). */
  private storeTermBounds(
    comparator: Comparator,
    term: DimTerm,
    coefficient: number,
    constant: number,
    text: string,
  ): void {
    let [lower, upper] = this.termBounds.get(term.key) ?? nothingKnown;
    if (comparator === "eq") {
      if (modulo(constant, coefficient) !== 0) {
        throw unsatisfiable(`Unsatisfiable constraint: ${text}`);
      }
      const value = -floorDivide(constant, coefficient) + 0;
      lower = Math.max(lower, value);
      upper = Math.min(upper, value);
    } else if (coefficient > 0) {
      lower = Math.max(lower, ceilDivide(-constant, coefficient));
    } else {
      upper = Math.min(upper, floorDivide(-constant, coefficient));
    }
    if (lower > upper) throw unsatisfiable(`Unsatisfiable constraint: ${text}`);
    this.termBounds.set(term.key, [lower, upper]);
  }

  /** The known constraints that can eliminate `term` from a sum holding `term * coefficient`. */
  private eliminations(
    term: DimTerm,
    coefficient: number,
    candidates: Iterable<readonly KnownConstraint[]>,
  ): Elimination[] {
    const result: Elimination[] = [];
    const scale = Math.abs(coefficient);
    const push = (comparator: Comparator, expr: DimExpr, termScale: number): void => {
      result.push({ comparator, expr, scale, termScale });
    };
    // Not normalised: rules might bring the term back, and the elimination would never end.
    const within = (k: number, constant: number): DimExpr =>
      new DimExpr(combineTerms([[term, k]], 1, termsOf(constant), 1), this.scope);
    const [lower, upper] = this.termBounds.get(term.key) ?? nothingKnown;
    const comparator = lower === upper ? "eq" : "geq";
    if (lower > -Infinity) push(comparator, within(1, -lower), -sign(coefficient));
    if (upper < Infinity && lower !== upper) push("geq", within(-1, upper), sign(coefficient));
    for (const constraints of candidates) {
      for (const known of constraints) {
        const item = known.expr.terms.find(([t]) => t === term || t.key === term.key);
        if (item === undefined) continue;
        push(known.comparator, known.expr, exact(-item[1] * sign(coefficient)));
      }
    }
    return result;
  }

  private combineWithKnown(
    comparator: Comparator,
    expr: DimExpr,
    text: string | undefined,
  ): KnownConstraint[] {
    const derived = new Map<string, KnownConstraint>();
    for (const [term, coefficient] of expr.terms) {
      if (isConstantTerm(term)) continue;
      for (const known of this.eliminations(term, coefficient, this.constraints.values())) {
        if (known.termScale <= 0 && comparator !== "eq") continue;
        const result = comparator === "eq" && known.comparator === "eq" ? "eq" : "geq";
        const sum = unlessOverflow(() =>
          linearCombination(expr, known.termScale, known.expr, known.scale),
        );
        if (sum === undefined) continue;
        if (typeof sum !== "number")
          derived.set(result + sum.key, { comparator: result, expr: sum });
        else if (sum < 0 || (result === "eq" && sum !== 0)) {
          const description = text ?? `${expr.toString()} >= 0`;
          throw unsatisfiable(`Unsatisfiable constraints: ${description}`);
        }
      }
    }
    return [...derived.values()];
  }

  /** Bounds of a dimension, from the cache of the scope if those are good enough. */
  bounds(dim: Dim, precision: BoundsPrecision, addImplicit = false): Bounds {
    const constant = constantValue(dim);
    if (typeof dim === "number" || constant !== undefined) return [constant ?? 0, constant ?? 0];
    const cache = this.scope.boundsCache;
    const cached = cache.get(dim.key);
    if (cached !== undefined) {
      const { lower, upper } = cached;
      if (sufficient(precision, lower, upper) || cached.precision >= precision) {
        return [lower, upper];
      }
    }
    if (addImplicit) this.addImplicit(dim);
    const [lower, upper] = this.boundsOfTerms(dim.terms, precision);
    if (cache.size >= MAX_CACHED_BOUNDS) cache.clear();
    cache.set(dim.key, { lower, upper, precision });
    return [lower, upper];
  }

  private boundsOfTerms(terms: Weighted<DimTerm>, precision: BoundsPrecision): Bounds {
    const leading = terms[0];
    if (leading === undefined) return [0, 0];
    const [term, coefficient] = leading;
    if (isConstantTerm(term)) return [coefficient, coefficient];
    let [lower, upper] = nothingKnown;
    if (++this.steps > MAX_STEPS) return nothingKnown;
    const candidates = [this.constraints.get(term.key) ?? []];
    for (const known of this.eliminations(term, coefficient, candidates)) {
      // terms * termScale = rest - expr * scale, where expr >= 0 (or == 0) and scale > 0.
      const rest = unlessOverflow(() =>
        combineTerms(terms, known.termScale, known.expr.terms, known.scale),
      );
      if (rest === undefined) continue;
      const [restLower, restUpper] = this.boundsOfTerms(rest, BoundsPrecision.best);
      if (restUpper < Infinity) {
        if (known.termScale > 0) upper = Math.min(upper, floorDivide(restUpper, known.termScale));
        else lower = Math.max(lower, ceilDivide(restUpper, known.termScale));
      }
      if (restLower > -Infinity && known.comparator === "eq") {
        if (known.termScale > 0) lower = Math.max(lower, ceilDivide(restLower, known.termScale));
        else upper = Math.min(upper, floorDivide(restLower, known.termScale));
      }
      if (sufficient(precision, lower, upper)) return [lower, upper];
    }
    const factor = singleFactor(term);
    if (factor?.kind !== "operation") return [lower, upper];
    if (factor.operation !== "max" && factor.operation !== "min") return [lower, upper];
    const [withLeft, withRight] = factor.operands.map((operand) => {
      const rest = unlessOverflow(() =>
        combineTerms(terms.slice(1), 1, operand.terms, coefficient),
      );
      return rest === undefined ? nothingKnown : this.boundsOfTerms(rest, BoundsPrecision.best);
    }) as [Bounds, Bounds];
    // A negative coefficient turns a maximum into a minimum.
    const choose = (factor.operation === "max") === coefficient > 0 ? Math.max : Math.min;
    return [
      Math.max(lower, choose(withLeft[0], withRight[0])),
      Math.min(upper, choose(withLeft[1], withRight[1])),
    ];
  }

  /** Adds what is always true of the terms of `dim`. */
  private addImplicit(dim: DimExpr): void {
    for (const [term] of dim.terms) {
      if (!isConstantTerm(term)) this.addImplicitOfTerm(term);
    }
  }

  private addImplicitOfTerm(term: DimTerm): void {
    if (this.processed.has(term.key)) return;
    this.processed.add(term.key);
    const termDim = fromTerm(term, 1, this.scope);
    const factor = singleFactor(term);
    if (factor === undefined) {
      const [lower, upper] = this.boundsOfProduct(term);
      this.add("geq", termDim, lower);
      this.add("geq", upper, termDim);
    } else if (factor.kind === "variable") {
      this.add("geq", termDim, 1);
    } else {
      factor.operands.forEach((operand) => this.addImplicit(operand));
      this.addImplicitOfOperation(factor, termDim);
    }
  }

  private boundsOfProduct(term: DimTerm): Bounds {
    let product: Bounds = [1, 1];
    for (const [factor, exponent] of term.factors) {
      const factorTerm = termOf([[factor, 1]]);
      this.addImplicitOfTerm(factorTerm);
      const base = this.bounds(fromTerm(factorTerm, 1, this.scope), BoundsPrecision.best);
      const powers = base.map((bound) => bound ** exponent);
      // An even power of something that may be zero starts at zero.
      if (exponent % 2 === 0 && base[0] < 0 && base[1] > 0) powers.push(0);
      const candidates = powers.flatMap((a) => product.map((b) => multiplyBounds(a, b)));
      product = [Math.min(...candidates), Math.max(...candidates)];
    }
    return withoutInexact(product);
  }

  private addImplicitOfOperation(
    factor: Extract<DimFactor, { kind: "operation" }>,
    termDim: Dim,
  ): void {
    const [left, right] = factor.operands;
    switch (factor.operation) {
      case "mod": {
        const [lower, upper] = this.bounds(right, BoundsPrecision.sign);
        if (lower > 0) {
          this.add("geq", termDim, 0);
          this.add("geq", subDims(right, 1), termDim);
          this.add("geq", upper === Infinity ? Infinity : upper - 1, termDim);
        } else if (upper < 0) {
          this.add("geq", termDim, addDims(right, 1));
          this.add("geq", termDim, lower === -Infinity ? -Infinity : lower + 1);
          this.add("geq", 0, termDim);
        }
        return;
      }
      case "floordiv":
        this.addImplicitOfFloordiv(left, right, termDim);
        return;
      case "max":
      case "min": {
        const isMax = factor.operation === "max";
        const choose = isMax ? Math.max : Math.min;
        const [leftLower, leftUpper] = this.bounds(left, BoundsPrecision.best);
        const [rightLower, rightUpper] = this.bounds(right, BoundsPrecision.best);
        this.add("geq", termDim, choose(leftLower, rightLower));
        this.add("geq", choose(leftUpper, rightUpper), termDim);
        for (const operand of factor.operands) {
          if (isMax) this.add("geq", termDim, operand);
          else this.add("geq", operand, termDim);
        }
        return;
      }
    }
  }

  private addImplicitOfFloordiv(left: DimExpr, right: DimExpr, termDim: Dim): void {
    const leftBounds = this.bounds(left, BoundsPrecision.best);
    const rightBounds = this.bounds(right, BoundsPrecision.best);
    if (rightBounds[0] <= 0 && 0 <= rightBounds[1]) {
      throw inconclusive(`Possible division by 0 in division by ${right.toString()}`);
    }
    const candidates = leftBounds.flatMap((a) => rightBounds.map((b) => floorDivideBounds(a, b)));
    this.add("geq", termDim, Math.min(...candidates));
    this.add("geq", Math.max(...candidates), termDim);
    if (rightBounds[0] < 0) return;
    if (leftBounds[0] >= 0) this.add("geq", termDim, 0);
    const remainder = fromOperation("mod", left, right, this.scope);
    if (typeof remainder !== "number") this.addImplicit(remainder);
    const combined = unlessOverflow(() => addDims(mulDims(right, termDim), remainder));
    if (combined !== undefined) this.add("eq", left, combined);
  }
}

function isConstant(item: readonly [DimTerm, number] | undefined): boolean {
  return item !== undefined && isConstantTerm(item[0]);
}

/** Facts with coefficients that cannot be exact are left out, which loses precision only. */
function unlessOverflow<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof Jax2TfjsError && error.code === "dimension-overflow") return undefined;
    throw error;
  }
}

/**
 * Bounds of a dimension for all values of its variables that satisfy the scope's constraints.
 *
 * @throws Jax2TfjsError `inconclusive-dimension` for a possible division by zero,
 * `unsatisfiable-dimension-constraint` when constraints turn out to contradict each other
 */
export function decideBounds(dim: Dim, precision: BoundsPrecision): Bounds {
  if (typeof dim === "number") return [dim, dim];
  const cached = dim.scope.boundsCache.get(dim.key);
  if (cached !== undefined && dim.scope.initialized) {
    const { lower, upper } = cached;
    if (sufficient(precision, lower, upper) || cached.precision >= precision) return [lower, upper];
  }
  return Decision.forScope(dim.scope).bounds(dim, precision, true);
}
