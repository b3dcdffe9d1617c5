/**
 * Derivatives of systems of equations and of the Cholesky and LU decompositions. Used by their
 * records; the formulas are those of JAX's rules.
 */
import { minDim, type Dim } from "../../src/ir/dims.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import type { MaybeZero } from "../../src/ir/primitive.js";
import { at } from "../support.js";
import {
  block,
  conjugate,
  constant,
  flip,
  identityLike,
  lowerPart,
  matmul,
  padMatrix,
  takeRows,
  upperPart,
} from "./algebra.js";

/** How a triangular system is to be solved: the parameters of `triangular_solve`. */
export interface TriangularSystem {
  readonly left_side: boolean;
  readonly lower: boolean;
  readonly transpose_a: boolean;
  readonly conjugate_a: boolean;
  readonly unit_diagonal: boolean;
}

/** Adds a triangular_solve equation. */
export type SolveTriangular = (
  o: Ops,
  a: Value,
  b: Value,
  options: Partial<TriangularSystem>,
) => Value;

/** The part of the tangent of X with op(A) X = B (or X op(A) = B) that comes from that of A. */
export function triangularSolveTangent(
  o: Ops,
  tangent: Value,
  [a, solution]: readonly [Value, Value],
  system: TriangularSystem,
  solve: SolveTriangular,
): Value {
  const k = system.unit_diagonal ? 1 : 0;
  const kept = system.lower ? lowerPart(o, tangent, -k) : upperPart(o, tangent, k);
  const turned = system.transpose_a ? flip(o, kept) : kept;
  const direction = o.neg(system.conjugate_a ? conjugate(o, turned) : turned);
  const inverse = (right: Value): Value => solve(o, a, right, system);
  return system.left_side
    ? inverse(matmul(o, direction, solution))
    : inverse(matmul(o, solution, direction));
}

/** Of A = L L^H: L' = L phi(L^-1 A' L^-H), arXiv 1602.07527. */
export function choleskyTangent(
  o: Ops,
  factor: Value,
  tangent: Value,
  solve: SolveTriangular,
): Value {
  const right = solve(o, factor, tangent, {
    left_side: false,
    transpose_a: true,
    conjugate_a: true,
    lower: true,
  });
  const both = solve(o, factor, right, { left_side: true, lower: true });
  const halves = o.add(constant(o, both, 1), identityLike(o, both));
  return matmul(o, factor, o.div(lowerPart(o, both), halves));
}

/**
 * Of P A = L U: L' = L tril(L^-1 P A' U^-1, -1), U' = triu(L^-1 P A' U^-1) U, by de Hoog, Anderssen
 * and Lukas, with both factors completed to square ones.
 */
export function luTangent(
  o: Ops,
  packed: Value,
  permutation: Value,
  tangent: Value,
  solve: SolveTriangular,
): Value {
  const { shape } = packed.aval;
  const [m, n] = [at(shape, shape.length - 2), at(shape, shape.length - 1)];
  const k: Dim = minDim(m, n);
  const strict = padMatrix(o, lowerPart(o, block(o, packed, [0, m], [0, k]), -1), m, m);
  const lower = o.add(strict, identityLike(o, strict));
  const top = padMatrix(o, upperPart(o, block(o, packed, [0, k], [0, n])), n, n);
  // Ones complete the diagonal of U where A has more columns than rows.
  const completed = identityLike(o, top);
  const inner = padMatrix(o, block(o, completed, [0, k], [0, k]), n, n);
  const upper = o.add(top, o.sub(completed, inner));
  const left = solve(o, lower, takeRows(o, permutation, tangent), {
    left_side: true,
    lower: true,
    unit_diagonal: true,
  });
  const both = solve(o, upper, left, { left_side: false, lower: false });
  return o.add(matmul(o, lower, lowerPart(o, both, -1)), matmul(o, upperPart(o, both), upper));
}

/** T x for the tridiagonal matrix with the given diagonals. */
export function tridiagonalProduct(
  o: Ops,
  [below, middle, above]: readonly [MaybeZero, MaybeZero, MaybeZero],
  x: Value,
): MaybeZero {
  const { shape } = x.aval;
  const rank = shape.length;
  const zero = constant(o, x, 0);
  const moved = (low: number): Value =>
    o.pad(
      x,
      zero,
      shape.map((_, axis): readonly [number, number, number] =>
        axis === rank - 2 ? [low, -low, 0] : [0, 0, 0],
      ),
    );
  const scaled = (diagonal: Value, rows: Value): Value =>
    o.mul(
      o.broadcastInDim(
        diagonal,
        shape,
        shape.slice(0, -1).map((_, axis) => axis),
      ),
      rows,
    );
  const terms = [
    below === null ? null : scaled(below, moved(1)),
    middle === null ? null : scaled(middle, x),
    above === null ? null : scaled(above, moved(-1)),
  ].filter((term) => term !== null);
  const [first, ...rest] = terms;
  return first === undefined ? null : rest.reduce((sum, term) => o.add(sum, term), first);
}

/** X of A X = B for a general A, by its LU decomposition. */
export function solveGeneral(
  o: Ops,
  [packed, permutation]: readonly [Value, Value],
  right: Value,
  solve: SolveTriangular,
): Value {
  const left = solve(o, packed, takeRows(o, permutation, right), {
    left_side: true,
    lower: true,
    unit_diagonal: true,
  });
  return solve(o, packed, left, { left_side: true, lower: false });
}
