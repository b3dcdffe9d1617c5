/**
 * Intervals of integers with infinite ends, for decision.ts.
 */
import { exact, floorDivide } from "./arithmetic.js";

/** `[lower, upper]`, infinite where nothing is known. */
export type Bounds = readonly [lower: number, upper: number];

export const nothingKnown: Bounds = [-Infinity, Infinity];

/** The quotient rounded up. */
export function ceilDivide(dividend: number, divisor: number): number {
  return exact(-floorDivide(-dividend, divisor));
}

/** `a * b` where an infinite bound times zero is zero. */
export function multiplyBounds(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

/** `floor(a / b)`; for infinite operands, its limit. */
export function floorDivideBounds(a: number, b: number): number {
  const negative = a >= 0 !== b >= 0;
  if (Number.isFinite(a)) {
    if (Number.isFinite(b)) return floorDivide(a, b);
    return negative ? -1 : 0;
  }
  return negative ? -Infinity : Infinity;
}

/** A bound that is too large to be exact says nothing. */
export function withoutInexact([lower, upper]: Bounds): Bounds {
  return [
    Number.isSafeInteger(lower) || lower === Infinity ? lower + 0 : -Infinity,
    Number.isSafeInteger(upper) || upper === -Infinity ? upper + 0 : Infinity,
  ];
}
