/**
 * Derivatives of eigenvalues, eigenvectors and singular values. Used by the records of `eig`, `eigh`
 * and `svd`; nondegenerate perturbation theory, as in JAX's rules.
 */
import { less } from "../../src/ir/dims.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { at, upTo } from "../support.js";
import {
  adjoint,
  asColumn,
  asRow,
  asType,
  constant,
  diagonalOf,
  flip,
  identityLike,
  matmul,
  realOf,
  stretchLike,
} from "./algebra.js";

/** 1 / (w_j - w_i), and zero on the diagonal; `like` has the shape of the matrices. */
function inverseDifferences(o: Ops, w: Value, like: Value): Value {
  const identity = asType(o, identityLike(o, like), w.aval.dtype);
  const [columns, rows] = [stretchLike(o, asRow(o, w), like), stretchLike(o, asColumn(o, w), like)];
  const differences = o.add(identity, o.sub(columns, rows));
  return o.sub(o.div(stretchScalar(o, constant(o, w, 1), like), differences), identity);
}

const stretchScalar = (o: Ops, scalar: Value, like: Value): Value =>
  o.broadcastInDim(scalar, like.aval.shape, []);

/** Of A = V diag(w) V^H, A self-adjoint: tangents of V and of w. */
export function eighTangents(
  o: Ops,
  vectors: Value,
  values: Value,
  tangent: Value,
): readonly [vectors: Value, values: Value] {
  const inner = matmul(o, matmul(o, adjoint(o, vectors), tangent), vectors);
  const { dtype } = vectors.aval;
  const factors = inverseDifferences(o, asType(o, values, dtype), vectors);
  return [matmul(o, vectors, o.mul(factors, inner)), diagonalOf(o, realOf(o, inner))];
}

/** Solves with general matrices: V^-1 X. */
export type SolveGeneral = (o: Ops, matrix: Value, right: Value) => Value;

/** Tangents of the eigenvalues alone: diag(V^-1 A' V). */
export function eigenvalueTangents(
  o: Ops,
  vectors: Value,
  tangent: Value,
  solve: SolveGeneral,
): Value {
  const product = o.mul(solve(o, vectors, tangent), flip(o, vectors));
  return o.reduceSum(product, [product.aval.shape.length - 1]);
}

/**
 * Tangents of eigenvalues and eigenvectors. Each vector is free up to a complex factor; the tangent
 * keeps it of norm 1 with a real component of largest modulus, as LAPACK's `geev` leaves it.
 */
export function eigTangents(
  o: Ops,
  [values, vectors]: readonly [Value, Value],
  tangent: Value,
  solve: SolveGeneral,
): readonly [values: Value, vectors: Value] {
  const inner = matmul(o, solve(o, vectors, tangent), vectors);
  const mixed = matmul(o, vectors, o.mul(inverseDifferences(o, values, vectors), inner));
  const { shape, dtype } = vectors.aval;
  const rank = shape.length;
  const largest = o.argmax(o.abs(vectors), rank - 2, "int32");
  const rows = o.iota("int32", shape, rank - 2);
  const mask = asType(o, o.eq(rows, stretchLike(o, asRow(o, largest), vectors)), dtype);
  const sum = (x: Value): Value => o.reduceSum(x, [rank - 2]);
  const real = o.neg(o.real(sum(o.mul(o.conj(vectors), mixed))));
  const turn = o.imag(sum(o.mul(mask, mixed)));
  const imaginary = o.neg(o.div(turn, o.real(sum(o.mul(mask, vectors)))));
  const factor = stretchLike(o, asRow(o, o.complex(real, imaginary)), vectors);
  return [diagonalOf(o, inner), o.add(mixed, o.mul(vectors, factor))];
}

/** Parts of A = U diag(s) V^H without full bases, and the tangent of A. */
export interface SingularValues {
  readonly s: Value;
  readonly u: Value;
  /** V^H. */
  readonly vt: Value;
  readonly tangent: Value;
}

/** Tangents of the singular values alone. */
export function singularValueTangents(o: Ops, { u, vt, tangent }: SingularValues): Value {
  return diagonalOf(o, realOf(o, singularTangent(o, { u, vt, tangent })));
}

const singularTangent = (
  o: Ops,
  { u, vt, tangent }: Pick<SingularValues, "u" | "vt" | "tangent">,
): Value => matmul(o, matmul(o, adjoint(o, u), tangent), adjoint(o, vt));

/** Tangents of s, U and V^H. */
export function svdTangents(o: Ops, { s, u, vt, tangent }: SingularValues): readonly Value[] {
  const { dtype } = u.aval;
  const inner = singularTangent(o, { u, vt, tangent });
  const [row, column] = [asRow(o, s), asColumn(o, s)].map((x) => stretchLike(o, x, inner));
  if (row === undefined || column === undefined) throw new Error("internal error: svd");
  const factors = asType(o, inverseSquares(o, row, column), dtype);
  const scaledColumns = o.mul(asType(o, row, dtype), inner);
  const scaledRows = o.mul(asType(o, column, dtype), inner);
  const even = (x: Value): Value => o.mul(factors, o.add(x, adjoint(o, x)));
  const half = stretchScalar(o, constant(o, inner, 0.5), inner);
  const odd = o.mul(half, o.sub(inner, adjoint(o, inner)));
  const phases = o.mul(odd, asType(o, inverseDiagonal(o, s, inner), dtype));
  const v = adjoint(o, vt);
  const left = matmul(o, u, o.add(even(scaledColumns), phases));
  const right = matmul(o, v, even(scaledRows));
  const { shape } = tangent.aval;
  const [m, n] = [at(shape, shape.length - 2), at(shape, shape.length - 1)];
  const isTall = less(n, m);
  const isWide = less(m, n);
  const du = isTall ? o.add(left, outside(o, matmul(o, tangent, v), u, s)) : left;
  const dv = isWide ? o.add(right, outside(o, matmul(o, adjoint(o, tangent), u), v, s)) : right;
  return [diagonalOf(o, realOf(o, inner)), du, adjoint(o, dv)];
}

/** 1 / (s_j^2 - s_i^2), zero on the diagonal. */
function inverseSquares(o: Ops, row: Value, column: Value): Value {
  const identity = identityLike(o, row);
  const differences = o.mul(o.add(row, column), o.sub(row, column));
  const one = stretchScalar(o, constant(o, row, 1), row);
  return o.sub(o.div(one, o.add(differences, identity)), identity);
}

/** 1 / s on the diagonal, zero where s is. */
function inverseDiagonal(o: Ops, s: Value, like: Value): Value {
  const isZero = asType(o, o.eq(s, o.full(s.aval.shape, 0, s.aval.dtype)), s.aval.dtype);
  const one = o.full(s.aval.shape, 1, s.aval.dtype);
  const inverse = o.sub(o.div(one, o.add(s, isZero)), isZero);
  const spread = o.broadcastInDim(inverse, like.aval.shape, upTo(s.aval.shape.length));
  return o.mul(spread, asType(o, identityLike(o, like), s.aval.dtype));
}

/** What of X lies outside of the space of an orthonormal basis, divided by s. */
function outside(o: Ops, x: Value, basis: Value, s: Value): Value {
  const rest = o.sub(x, matmul(o, basis, matmul(o, adjoint(o, basis), x)));
  return o.div(rest, stretchLike(o, asRow(o, asType(o, s, x.aval.dtype)), x));
}

/** (A + A^H) / 2. */
export function symmetrized(o: Ops, a: Value): Value {
  const half = stretchScalar(o, constant(o, a, 0.5), a);
  return o.mul(half, o.add(a, adjoint(o, a)));
}
