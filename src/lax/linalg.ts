/** `lax.linalg`: decompositions of matrices and solutions of systems, in leading batch dimensions. */
import * as primitives from "../../primitives/linalg/index.js";
import { isComplex } from "../ir/dtypes.js";
import type { Dim } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import { at, bindAll, bindOne, operands } from "./arguments.js";

/** The transposed matrices, conjugated if complex. */
function adjoint(x: Value): Value {
  const rank = x.aval.shape.length;
  const axes = x.aval.shape.map((_, axis) => axis);
  const swapped = [...axes.slice(0, -2), rank - 1, rank - 2];
  const transposed = o.transpose(x, swapped);
  return isComplex(x.aval.dtype) ? o.conj(transposed) : transposed;
}

/** (x + x^H) / 2 */
function symmetrized(x: Value): Value {
  if (x.aval.shape.length < 2) return x;
  const { dtype } = x.aval;
  const two = isComplex(dtype) ? o.literal({ re: 2, im: 0 }, dtype) : o.literal(2, dtype);
  return o.div(o.add(x, adjoint(x)), two);
}

/** Zeros above the diagonal. */
function lowerTriangle(x: Value): Value {
  const { shape, dtype } = x.aval;
  const rank = shape.length;
  const isLower = o.ge(o.iota("int32", shape, rank - 2), o.iota("int32", shape, rank - 1));
  return o.selectN(isLower, o.full(shape, 0, dtype), x);
}

/** A matrix, made symmetric if that is wanted. */
const symmetric = (x: ArrayLike, isWanted: boolean): Value =>
  isWanted ? symmetrized(toValue(x)) : toValue(x);

export interface SymmetrizeOptions {
  /** Take (x + x^H) / 2 first. Default: true. */
  readonly symmetrizeInput?: boolean;
}

/** The lower triangular `l` with `l l^H = a`. JAX's `lax.linalg.cholesky`. */
export function cholesky(
  a: ArrayLike,
  { symmetrizeInput = true }: SymmetrizeOptions = {},
): ArrayValue {
  const factor = bindOne(primitives.cholesky, [symmetric(a, symmetrizeInput)], {});
  return fromValue(lowerTriangle(factor));
}

/** The Cholesky factor of `r^T r + w w^T`. JAX's `lax.linalg.cholesky_update`. */
export function choleskyUpdate(r: ArrayLike, w: ArrayLike): ArrayValue {
  return fromValue(bindOne(primitives.choleskyUpdate, operands(r, w), {}));
}

export interface EigOptions {
  readonly computeLeftEigenvectors?: boolean;
  readonly computeRightEigenvectors?: boolean;
}

/**
 * Eigenvalues, then left and right eigenvectors (those asked for) of general matrices.
 * JAX's `lax.linalg.eig`.
 */
export function eig(
  x: ArrayLike,
  { computeLeftEigenvectors = true, computeRightEigenvectors = true }: EigOptions = {},
): ArrayValue[] {
  return bindAll(primitives.eig, [toValue(x)], {
    compute_left_eigenvectors: computeLeftEigenvectors,
    compute_right_eigenvectors: computeRightEigenvectors,
    enable_eigvec_derivs: false,
    implementation: null,
  });
}

export interface EighOptions extends SymmetrizeOptions {
  /** Look at the lower triangle. Default: true. */
  readonly lower?: boolean;
  readonly sortEigenvalues?: boolean;
  readonly subsetByIndex?: readonly [begin: number, end: number] | null;
}

/** `[v, w]`: eigenvectors (columns) and eigenvalues, ascending. JAX's `lax.linalg.eigh`. */
export function eigh(x: ArrayLike, options: EighOptions = {}): [ArrayValue, ArrayValue] {
  const { lower = true, sortEigenvalues = true, symmetrizeInput = true } = options;
  const results = bindAll(primitives.eigh, [symmetric(x, symmetrizeInput)], {
    lower,
    sort_eigenvalues: sortEigenvalues,
    subset_by_index: options.subsetByIndex ?? null,
    algorithm: null,
  });
  return [at(results, 0), at(results, 1)];
}

/** `[h, taus]`: the Hessenberg form with its reflectors. JAX's `lax.linalg.hessenberg`. */
export function hessenberg(a: ArrayLike): [ArrayValue, ArrayValue] {
  const results = bindAll(primitives.hessenberg, [toValue(a)], {});
  return [at(results, 0), at(results, 1)];
}

/** The product of elementary reflectors. JAX's `lax.linalg.householder_product`. */
export function householderProduct(a: ArrayLike, taus: ArrayLike): ArrayValue {
  return fromValue(bindOne(primitives.householderProduct, operands(a, taus), {}));
}

/** `[a, taus]`: R, and below its diagonal the reflectors of Q. JAX's `geqrf`. */
export function geqrf(a: ArrayLike): [ArrayValue, ArrayValue] {
  const results = bindAll(primitives.geqrf, [toValue(a)], {});
  return [at(results, 0), at(results, 1)];
}

/** `[a, jpvt, taus]`: as `geqrf`, with columns exchanged. JAX's `geqp3`. */
export function geqp3(a: ArrayLike, jpvt: ArrayLike): [ArrayValue, ArrayValue, ArrayValue] {
  const results = bindAll(primitives.geqp3, [toValue(a), toValue(jpvt)], { use_magma: null });
  return [at(results, 0), at(results, 1), at(results, 2)];
}

export interface OrmqrOptions {
  readonly left?: boolean;
  readonly transpose?: boolean;
}

/** The product of `c` with the Q of reflectors. JAX's `ormqr`. */
export function ormqr(
  a: ArrayLike,
  taus: ArrayLike,
  c: ArrayLike,
  { left = true, transpose = false }: OrmqrOptions = {},
): ArrayValue {
  return fromValue(bindOne(primitives.ormqr, operands(a, taus, c), { left, transpose }));
}

/** `[lu, pivots, permutation]` with partial pivoting. JAX's `lax.linalg.lu`. */
export function lu(x: ArrayLike): [ArrayValue, ArrayValue, ArrayValue] {
  const results = bindAll(primitives.lu, [toValue(x)], {});
  return [at(results, 0), at(results, 1), at(results, 2)];
}

/** Exchanges of rows as a permutation. JAX's `lax.linalg.lu_pivots_to_permutation`. */
export function luPivotsToPermutation(pivots: ArrayLike, permutationSize: Dim): ArrayValue {
  const params = { permutation_size: permutationSize };
  return fromValue(bindOne(primitives.luPivotsToPermutation, [toValue(pivots)], params));
}

export interface QrOptions {
  readonly pivoting?: boolean;
  readonly fullMatrices?: boolean;
}

/** `[q, r]`, with pivoting `[q, r, p]`. JAX's `lax.linalg.qr`. */
export function qr(
  x: ArrayLike,
  { pivoting = false, fullMatrices = true }: QrOptions = {},
): ArrayValue[] {
  const params = { pivoting, full_matrices: fullMatrices, use_magma: null };
  return bindAll(primitives.qr, [toValue(x)], params);
}

export interface SchurOptions {
  readonly computeSchurVectors?: boolean;
}

/** `[t]` or `[t, v]`: the Schur form and its vectors. JAX's `lax.linalg.schur`. */
export function schur(
  x: ArrayLike,
  { computeSchurVectors = true }: SchurOptions = {},
): ArrayValue[] {
  return bindAll(primitives.schur, [toValue(x)], {
    compute_schur_vectors: computeSchurVectors,
    sort_eig_vals: false,
    select_callable: null,
  });
}

export interface SvdOptions {
  readonly fullMatrices?: boolean;
  readonly computeUv?: boolean;
  readonly subsetByIndex?: readonly [begin: number, end: number] | null;
}

/** `[u, s, vh]`, without `computeUv` `[s]`. JAX's `lax.linalg.svd`. */
export function svd(x: ArrayLike, options: SvdOptions = {}): ArrayValue[] {
  const { fullMatrices = true, computeUv = true, subsetByIndex = null } = options;
  const results = bindAll(primitives.svd, [toValue(x)], {
    full_matrices: fullMatrices,
    compute_uv: computeUv,
    subset_by_index: subsetByIndex,
    algorithm: null,
  });
  const [s, u, vh] = results;
  return s === undefined || u === undefined || vh === undefined ? results : [u, s, vh];
}

export interface SymmetricProductOptions {
  readonly alpha?: number;
  readonly beta?: number;
  /** Make the result symmetric. Default: false. */
  readonly symmetrizeOutput?: boolean;
}

/** `alpha a a^T + beta c`. JAX's `lax.linalg.symmetric_product`. */
export function symmetricProduct(
  a: ArrayLike,
  c: ArrayLike,
  { alpha = 1, beta = 0, symmetrizeOutput = false }: SymmetricProductOptions = {},
): ArrayValue {
  const result = bindOne(primitives.symmetricProduct, operands(a, c), { alpha, beta });
  return fromValue(symmetrizeOutput ? symmetrizeTriangle(result) : result);
}

/** The lower triangle on both sides. */
function symmetrizeTriangle(x: Value): Value {
  const { shape, dtype } = x.aval;
  const rank = shape.length;
  const rows = o.iota("int32", shape, rank - 2);
  const columns = o.iota("int32", shape, rank - 1);
  const zero = o.full(shape, 0, dtype);
  const strictlyUpper = o.selectN(o.lt(rows, columns), zero, adjoint(x));
  return o.add(lowerTriangle(x), strictlyUpper);
}

export interface TriangularSolveOptions {
  /** Solve op(a) x = b, else x op(a) = b. Default: false. */
  readonly leftSide?: boolean;
  readonly lower?: boolean;
  readonly transposeA?: boolean;
  readonly conjugateA?: boolean;
  /** The diagonal counts as ones. Default: false. */
  readonly unitDiagonal?: boolean;
}

/** Solves triangular systems; `b` may be a vector. JAX's `lax.linalg.triangular_solve`. */
export function triangularSolve(
  a: ArrayLike,
  b: ArrayLike,
  options: TriangularSolveOptions = {},
): ArrayValue {
  const { leftSide = false, lower = false, transposeA = false, unitDiagonal = false } = options;
  const inputs = operands(a, b);
  const [matrix, right] = [at(inputs, 0), at(inputs, 1)];
  const isVector = right.aval.shape.length === matrix.aval.shape.length - 1;
  const { shape } = right.aval;
  const place = leftSide ? shape.length : shape.length - 1;
  const columns = isVector ? o.reshape(right, shape.toSpliced(place, 0, 1)) : right;
  const solution = bindOne(primitives.triangularSolve, [matrix, columns], {
    left_side: leftSide,
    lower,
    transpose_a: transposeA,
    conjugate_a: (options.conjugateA ?? false) && isComplex(matrix.aval.dtype),
    unit_diagonal: unitDiagonal,
  });
  return fromValue(isVector ? o.reshape(solution, shape) : solution);
}

/** `[a, d, e, taus]`: the tridiagonal form of symmetric matrices. JAX's `lax.linalg.tridiagonal`. */
export function tridiagonal(
  a: ArrayLike,
  { lower = true }: { readonly lower?: boolean } = {},
): ArrayValue[] {
  return bindAll(primitives.tridiagonal, [toValue(a)], { lower });
}

/**
 * Solves tridiagonal systems: `dl` begins, and `du` ends, with a number that is not used.
 * JAX's `lax.linalg.tridiagonal_solve`.
 */
export function tridiagonalSolve(
  dl: ArrayLike,
  d: ArrayLike,
  du: ArrayLike,
  b: ArrayLike,
  { perturbSingular = false }: { readonly perturbSingular?: boolean } = {},
): ArrayValue {
  const inputs = operands(dl, d, du, b);
  const params = { perturb_singular: perturbSingular };
  return fromValue(bindOne(primitives.tridiagonalSolve, inputs, params));
}
