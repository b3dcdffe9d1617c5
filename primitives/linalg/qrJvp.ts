/**
 * Derivatives of QR decompositions, also in LAPACK's form of reflectors. Used by the records of
 * qr.ts. Conventions: A = Q R, Q = H_1 H_2 ... with H_i = I - tau_i v_i v_i^H, so that
 * I - Q = V U with V the reflectors as columns and U upper triangular with diagonal tau.
 */
import { dimEquals, minDim, subDims, type Dim } from "../../src/ir/dims.js";
import { isComplex } from "../../src/ir/dtypes.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { at } from "../support.js";
import {
  adjoint,
  asColumn,
  asType,
  block,
  diagonalOf,
  identityLike,
  lowerPart,
  matmul,
  padMatrix,
  realOf,
  stretchLike,
  upperPart,
} from "./algebra.js";
import { solveWith } from "./triangularSolve.js";

const sizes = (x: Value): readonly [Dim, Dim] => {
  const { shape } = x.aval;
  return [at(shape, shape.length - 2), at(shape, shape.length - 1)];
};

/** Tangents of Q and R of matrices with at least as many rows as columns, Q without a full basis. */
export function thinQrTangents(
  o: Ops,
  q: Value,
  r: Value,
  tangent: Value,
): readonly [q: Value, r: Value] {
  const right = solveWith(o, r, tangent, {});
  const inner = matmul(o, adjoint(o, q), right);
  const strict = lowerPart(o, inner, -1);
  const skew = o.sub(strict, adjoint(o, strict));
  const turn = isComplex(inner.aval.dtype) ? o.add(skew, imaginaryDiagonal(o, inner)) : skew;
  const dq = o.add(matmul(o, q, o.sub(turn, inner)), right);
  return [dq, matmul(o, o.sub(inner, turn), r)];
}

/** The imaginary parts of the diagonal, as complex numbers on the diagonal. */
function imaginaryDiagonal(o: Ops, x: Value): Value {
  const real = asType(o, realOf(o, x), x.aval.dtype);
  return o.mul(identityLike(o, x), o.sub(x, real));
}

/** Tangents of Q and R; R may have more columns than rows. */
export function qrTangents(
  o: Ops,
  [q, r]: readonly [Value, Value],
  a: Value,
  tangent: Value,
): readonly [q: Value, r: Value] {
  const [m, n] = sizes(a);
  const k = minDim(m, n);
  if (dimEquals(k, n)) return thinQrTangents(o, q, r, tangent);
  const [dq, left] = thinQrTangents(
    o,
    q,
    block(o, r, [0, m], [0, m]),
    block(o, tangent, [0, m], [0, m]),
  );
  const rest = matmul(o, adjoint(o, dq), block(o, a, [0, m], [m, n]));
  const right = o.add(rest, matmul(o, adjoint(o, q), block(o, tangent, [0, m], [m, n])));
  return [dq, o.concatenate([left, right], a.aval.shape.length - 1)];
}

/**
 * Tangents of what `geqrf` gives: R and the reflectors in one matrix, and tau.
 *
 * @param q the first min(m, n) columns of Q
 */
export function reflectorTangents(
  o: Ops,
  { a, q, packed, taus }: Readonly<Record<"a" | "q" | "packed" | "taus", Value>>,
  tangent: Value,
): readonly [packed: Value, taus: Value] {
  const [m, n] = sizes(a);
  const k = minDim(m, n);
  const r = upperPart(o, block(o, packed, [0, k], [0, n]));
  const [dq, dr] = qrTangents(o, [q, r], a, tangent);
  const upper = padMatrix(o, upperPart(o, dr), m, n);
  // The last row of a real square matrix needs no reflector: its tau is zero, and stays so.
  const isFixed = dimEquals(m, k) && !isComplex(a.aval.dtype);
  const count = isFixed ? subDims(k, 1) : k;
  if (count === 0) return [upper, o.full(taus.aval.shape, 0, taus.aval.dtype)];
  const columns = block(o, packed, [0, m], [0, count]);
  const v = o.add(lowerPart(o, columns, -1), identityLike(o, columns));
  const top = block(o, v, [0, count], [0, count]);
  const basis = block(o, q, [0, m], [0, count]);
  const difference = o.sub(identityLike(o, basis), basis);
  const inner = { left_side: true, lower: true, unit_diagonal: true };
  const u = upperPart(o, solveWith(o, top, block(o, difference, [0, count], [0, count]), inner));
  const change = o.neg(block(o, dq, [0, m], [0, count]));
  const left = solveWith(o, top, block(o, change, [0, count], [0, count]), inner);
  const both = solveWith(o, u, left, {});
  const du = matmul(o, upperPart(o, both), u);
  const dTop = matmul(o, top, lowerPart(o, both, -1));
  const rest = dimEquals(m, count) ? [] : [lowerRows(o, { change, v, u, du }, [count, m])];
  const rank = a.aval.shape.length;
  const dv = rest.length === 0 ? dTop : o.concatenate([dTop, ...rest], rank - 2);
  const reflectors = padMatrix(o, lowerPart(o, dv, -1), m, n);
  const dTaus = diagonalOf(o, du);
  return [o.add(upper, reflectors), isFixed ? padLast(o, dTaus) : dTaus];
}

/** Rows of the tangent of V below its triangle: from V' U + V U' = (I - Q)'. */
function lowerRows(
  o: Ops,
  { change, v, u, du }: Readonly<Record<"change" | "v" | "u" | "du", Value>>,
  rows: readonly [Dim, Dim],
): Value {
  const columns = [0, sizes(v)[1]] as const;
  const known = matmul(o, block(o, v, rows, columns), du);
  return solveWith(o, u, o.sub(block(o, change, rows, columns), known), {});
}

/** One zero more at the end of vectors. */
function padLast(o: Ops, x: Value): Value {
  const { shape, dtype } = x.aval;
  const last = shape.length - 1;
  const config = shape.map((_, axis): readonly [number, number, number] =>
    axis === last ? [0, 1, 0] : [0, 0, 0],
  );
  return o.pad(x, o.literal(0, dtype), config);
}

/** Reflectors as columns, and the triangular T of Q = I - V T V^H. */
function compactForm(o: Ops, a: Value, taus: Value): readonly [v: Value, t: Value] {
  const count = at(taus.aval.shape, taus.aval.shape.length - 1);
  const [m] = sizes(a);
  const columns = block(o, a, [0, m], [0, count]);
  const v = o.add(lowerPart(o, columns, -1), identityLike(o, columns));
  const products = upperPart(o, matmul(o, adjoint(o, v), v), 1);
  const scale = stretchLike(o, asColumn(o, taus), products);
  const identity = identityLike(o, products);
  const system = o.add(identity, o.mul(scale, products));
  const t = solveWith(o, system, o.mul(scale, identity), { left_side: true, unit_diagonal: true });
  return [v, t];
}

/** The first columns of Q as a program of matrix products. */
export function composeHouseholder(o: Ops, a: Value, taus: Value): Value {
  const [, n] = sizes(a);
  const [v, t] = compactForm(o, a, taus);
  const top = block(o, v, [0, n], [0, sizes(v)[1]]);
  return o.sub(identityLike(o, a), matmul(o, matmul(o, v, t), adjoint(o, top)));
}

/** Q C, Q^H C, C Q or C Q^H as a program of matrix products. */
export function composeOrmqr(
  o: Ops,
  [a, taus, c]: readonly [Value, Value, Value],
  { left, transpose }: { readonly left: boolean; readonly transpose: boolean },
): Value {
  const [v, t] = compactForm(o, a, taus);
  const inner = transpose ? adjoint(o, t) : t;
  if (left) return o.sub(c, matmul(o, v, matmul(o, inner, matmul(o, adjoint(o, v), c))));
  return o.sub(c, matmul(o, matmul(o, matmul(o, c, v), inner), adjoint(o, v)));
}
