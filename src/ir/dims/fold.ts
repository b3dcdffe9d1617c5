/**
 * Walks a symbolic dimension, for those who turn one into something else, such as the graph
 * writer, which emits int32 arithmetic. Called through ../dims.ts.
 */
import {
  type Dim,
  type DimExpr,
  type DimFactor,
  type DimOperation,
  isConstantTerm,
} from "./expr.js";

/** What the parts of a dimension become. */
export interface DimAlgebra<T> {
  readonly constant: (value: number) => T;
  readonly variable: (name: string) => T;
  readonly add: (left: T, right: T) => T;
  readonly multiply: (left: T, right: T) => T;
  readonly operation: (operation: DimOperation, left: T, right: T) => T;
}

/** Computes a dimension in another algebra. Powers become repeated products. */
export function foldDim<T>(dim: Dim, algebra: DimAlgebra<T>): T {
  return typeof dim === "number" ? algebra.constant(dim) : foldExpr(dim, algebra);
}

function foldExpr<T>(expr: DimExpr, algebra: DimAlgebra<T>): T {
  const summands = expr.terms.map(([term, coefficient]) => {
    if (isConstantTerm(term)) return algebra.constant(coefficient);
    const factors = term.factors.flatMap(([factor, exponent]) => {
      const value = foldFactor(factor, algebra);
      return Array.from({ length: exponent }, () => value);
    });
    // The smallest factor first, as printed.
    factors.reverse();
    if (coefficient !== 1) factors.unshift(algebra.constant(coefficient));
    return factors.reduce((product, factor) => algebra.multiply(product, factor));
  });
  return summands.reduce((sum, summand) => algebra.add(sum, summand));
}

function foldFactor<T>(factor: DimFactor, algebra: DimAlgebra<T>): T {
  if (factor.kind === "variable") return algebra.variable(factor.name);
  const [left, right] = factor.operands;
  return algebra.operation(factor.operation, foldExpr(left, algebra), foldExpr(right, algebra));
}
