/** Linear algebra of `numpy`, under the names of `jnp.linalg`. */
import { dimEquals, printShape, type Dim } from "../ir/dims.js";
import { isComplex } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import * as records from "../../primitives/linalg/index.js";
import { at, choice, invalid, optionsOf } from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { contract, matmul } from "./contractions.js";
import { arrayValue, callNamed, callNamedOne, out, type NestedArray } from "./convert.js";
import { diagonalMask, diagonal } from "./creation.js";
import { scalarLike, selectValues } from "./elementwise.js";
import { promoteInexact, toType } from "./promotion.js";
import { axesOf, keepDimensions, type ReduceOptions } from "./reductions.js";

function floating(x: NestedArray): Value {
  return at(promoteInexact([arrayValue(x)]), 0);
}

function requireSquare(name: string, value: Value): Dim {
  const [rows, columns] = value.aval.shape.slice(-2);
  if (rows !== undefined && columns !== undefined && dimEquals(rows, columns)) return rows;
  throw invalid(
    `Argument to ${name} must have shape [..., n, n], got ${printShape(value.aval.shape)}`,
  );
}

function swapLast(value: Value): Value {
  const rank = value.aval.shape.length;
  const order = value.aval.shape.map((_, axis) => axis);
  return o.transpose(value, [...order.slice(0, -2), rank - 1, rank - 2]);
}

/** How the size of a vector or matrix is measured: `fro`, 1, 2, Infinity … */
export type NormOrder = number | "fro" | null;

export interface NormOptions extends ReduceOptions {
  readonly ord?: NormOrder;
}

function sumSquares(value: Value, axes: readonly number[]): Value {
  const squares = isComplex(value.aval.dtype)
    ? o.real(o.mul(value, o.conj(value)))
    : o.mul(value, value);
  return o.reduceSum(squares, axes);
}

function vectorNorm(value: Value, ord: NormOrder, axes: readonly number[]): Value {
  if (ord === null || ord === 2) return o.sqrt(sumSquares(value, axes));
  if (typeof ord !== "number") throw invalid(`Invalid order '${ord}' for vector norm.`);
  const size = o.abs(value);
  if (ord === Infinity) return o.reduceMax(size, axes);
  if (ord === -Infinity) return o.reduceMin(size, axes);
  if (ord === 1) return o.reduceSum(size, axes);
  if (ord === 0) return o.reduceSum(toType(o.ne(value, scalarLike(value, 0)), "float32"), axes);
  const powers = o.pow(size, scalarLike(size, ord));
  return o.pow(o.reduceSum(powers, axes), scalarLike(size, 1 / ord));
}

function matrixNorm(value: Value, ord: NormOrder, axes: readonly number[]): Value {
  const [row, column] = [at(axes, 0), at(axes, 1)];
  const inner = (axis: number, removed: number): number => axis - Number(axis > removed);
  if (ord === null || ord === "fro") return o.sqrt(sumSquares(value, axes));
  if (ord === 1) return o.reduceMax(o.reduceSum(o.abs(value), [row]), [inner(column, row)]);
  if (ord === Infinity)
    return o.reduceMax(o.reduceSum(o.abs(value), [column]), [inner(row, column)]);
  throw invalid(`matrix norm of order ${ord} is not supported`, "use fro, 1 or Infinity, or svd");
}

/** The norm of a vector or matrix; of all elements by default. JAX's `jnp.linalg.norm`. */
export function norm(x: NestedArray, options: NormOptions = {}): ArrayValue {
  const {
    ord = null,
    axis = null,
    keepdims = false,
  } = optionsOf("norm", options, ["ord", "axis", "keepdims"]);
  const body = (value: Value): Value => {
    const { shape } = value.aval;
    const axes = axesOf(axis, shape.length);
    const isFlat = ord === null && axis === null;
    const isMatrix = axes.length === 2 && !isFlat;
    if (axes.length > 2 && !isFlat) throw invalid("norm takes one or two axes");
    const result = isMatrix ? matrixNorm(value, ord, axes) : vectorNorm(value, ord, axes);
    return keepdims ? keepDimensions(result, shape, axes) : result;
  };
  const key = `${String(ord)} ${JSON.stringify(axis)} ${keepdims}`;
  return out(callNamedOne("norm", key, body, [floating(x)]));
}

function symmetric(value: Value): Value {
  const other = swapLast(value);
  const sum = o.add(value, isComplex(value.aval.dtype) ? o.conj(other) : other);
  return o.div(sum, scalarLike(sum, 2));
}

/** The lower triangular `l` with `l lᵀ = x`. JAX's `jnp.linalg.cholesky`. */
export function cholesky(x: NestedArray): ArrayValue {
  const body = (value: Value): Value => {
    const size = requireSquare("cholesky", value);
    const factor = at(o.bind(records.cholesky, [symmetric(value)], {}), 0);
    const mask = diagonalMask(size, size, 0, "ge");
    const { shape, dtype } = factor.aval;
    const wide =
      shape.length === 2
        ? mask
        : o.broadcastInDim(mask, shape, [shape.length - 2, shape.length - 1]);
    return selectValues(wide, factor, o.full(shape, 0, dtype));
  };
  return out(callNamedOne("cholesky", "", body, [floating(x)]));
}

interface SolveSide {
  readonly lower: boolean;
  readonly unit?: boolean;
  readonly transpose?: boolean;
}

function solveTriangle(
  a: Value,
  b: Value,
  { lower, unit = false, transpose = false }: SolveSide,
): Value {
  const params = {
    left_side: true,
    lower,
    transpose_a: transpose,
    conjugate_a: false,
    unit_diagonal: unit,
  };
  return at(o.bind(records.triangularSolve, [a, b], params), 0);
}

/** Rows in another order, for each matrix of a batch. */
function permuteRows(value: Value, permutation: Value): Value {
  const { shape } = value.aval;
  const batch = shape.slice(0, -2).map((_, axis) => axis);
  const row = shape.length - 2;
  const order = permutation.aval.shape;
  const starts = o.reshape(permutation, [...order, 1]);
  return o.gather(value, starts, {
    dimension_numbers: {
      offset_dims: [row + 1],
      collapsed_slice_dims: [row],
      start_index_map: [row],
      operand_batching_dims: batch,
      start_indices_batching_dims: batch,
    },
    slice_sizes: shape.map((size, axis) => (axis === row + 1 ? size : 1)),
    indices_are_sorted: false,
    unique_indices: true,
    mode: "promise_in_bounds",
    fill_value: null,
  });
}

function factorize(a: Value): readonly [lu: Value, pivots: Value, permutation: Value] {
  const [lu, pivots, permutation] = o.bind(records.lu, [a], {});
  if (lu === undefined || pivots === undefined || permutation === undefined) {
    throw new Error("internal error: lu has three results");
  }
  return [lu, pivots, permutation];
}

function solveMatrix(a: Value, b: Value): Value {
  const [lu, , permutation] = factorize(a);
  const rows = permuteRows(b, permutation);
  return solveTriangle(lu, solveTriangle(lu, rows, { lower: true, unit: true }), { lower: false });
}

function broadcastBatch(value: Value, batch: readonly Dim[]): Value {
  const { shape } = value.aval;
  if (shape.length === batch.length + 2) return value;
  const offset = batch.length + 2 - shape.length;
  return o.broadcastInDim(
    value,
    [...batch, ...shape.slice(-2)],
    shape.map((_, axis) => axis + offset),
  );
}

/**
 * Solves `a x = b` by LU factors; `b` is a vector or a matrix of columns. JAX's `jnp.linalg.solve`.
 *
 * @throws Jax2TfjsError `invalid-parameter` if `a` is not square
 */
export function solve(a: NestedArray, b: NestedArray): ArrayValue {
  const body = (matrix: Value, right: Value): Value => {
    const rows = requireSquare("solve", matrix);
    if (right.aval.shape.length === 0) throw invalid("solve takes no number as right side");
    const isVector = right.aval.shape.length === 1;
    const columns = isVector ? o.broadcastInDim(right, [at(right.aval.shape, 0), 1], [0]) : right;
    const [one, other] = [matrix.aval.shape.slice(0, -2), columns.aval.shape.slice(0, -2)];
    const batch = one.length >= other.length ? one : other;
    if (!dimEquals(at(columns.aval.shape, columns.aval.shape.length - 2), rows)) {
      const shapes = [matrix, right].map(({ aval }) => printShape(aval.shape)).join(" and ");
      throw invalid(`solve needs as many rows in b as in a, got shapes ${shapes}`);
    }
    const result = solveMatrix(broadcastBatch(matrix, batch), broadcastBatch(columns, batch));
    return isVector ? o.squeeze(result, [result.aval.shape.length - 1]) : result;
  };
  const values = promoteInexact([arrayValue(a), arrayValue(b)]);
  return out(callNamedOne("solve", "", body, values));
}

/** The inverse matrix. JAX's `jnp.linalg.inv`. */
export function inv(a: NestedArray): ArrayValue {
  const body = (matrix: Value): Value => {
    const size = requireSquare("inv", matrix);
    const { shape, dtype } = matrix.aval;
    const unit = toType(diagonalMask(size, size, 0, "eq"), dtype);
    const wide =
      shape.length === 2
        ? unit
        : o.broadcastInDim(unit, shape, [shape.length - 2, shape.length - 1]);
    return solveMatrix(matrix, wide);
  };
  return out(callNamedOne("inv", "", body, [floating(a)]));
}

function element(value: Value, row: number, column: number): Value {
  const rank = value.aval.shape.length;
  const batch = value.aval.shape.slice(0, -2);
  const zeros = batch.map(() => 0);
  const part = o.slice(value, [...zeros, row, column], [...batch, row + 1, column + 1]);
  return o.squeeze(part, [rank - 2, rank - 1]);
}

function smallDeterminant(value: Value): Value {
  return o.sub(
    o.mul(element(value, 0, 0), element(value, 1, 1)),
    o.mul(element(value, 0, 1), element(value, 1, 0)),
  );
}

/** The diagonal of the factor U, and the sign of the exchanges of rows. */
function pivotsOf(value: Value): { readonly diagonal: Value; readonly sign: Value } {
  const [lu, pivots] = factorize(value);
  const pivotDiagonal = arrayValue(diagonal(out(lu)));
  const { shape } = pivots.aval;
  const last = shape.length - 1;
  const isMoved = toType(o.ne(pivots, o.iota("int32", shape, last)), "int32");
  const count = o.reduceSum(isMoved, [last]);
  const isOdd = o.eq(o.rem(count, scalarLike(count, 2)), scalarLike(count, 1));
  const one = o.full(isOdd.aval.shape, 1, value.aval.dtype);
  return { diagonal: pivotDiagonal, sign: selectValues(isOdd, o.neg(one), one) };
}

/** The determinant. JAX's `jnp.linalg.det`. */
export function det(a: NestedArray): ArrayValue {
  const body = (value: Value): Value => {
    const size = requireSquare("det", value);
    if (size === 2) return smallDeterminant(value);
    const { diagonal: factors, sign } = pivotsOf(value);
    return o.mul(sign, o.reduceProd(factors, [factors.aval.shape.length - 1]));
  };
  return out(callNamedOne("det", "", body, [floating(a)]));
}

/** The sign and the logarithm of the determinant's size. JAX's `jnp.linalg.slogdet`. */
export function slogdet(a: NestedArray): [ArrayValue, ArrayValue] {
  const body = (value: Value): readonly Value[] => {
    requireSquare("slogdet", value);
    const { diagonal: factors, sign } = pivotsOf(value);
    const last = factors.aval.shape.length - 1;
    const signs = o.mul(sign, o.reduceProd(o.sign(factors), [last]));
    return [signs, o.reduceSum(o.log(o.abs(factors)), [last])];
  };
  const results = callNamed("slogdet", "", (value) => body(value), [floating(a)]).map(out);
  return [at(results, 0), at(results, 1)];
}

/** `q` and `r` with `q r = x`. JAX's `jnp.linalg.qr`. */
export function qr(
  x: NestedArray,
  options: { readonly mode?: "reduced" | "complete" } = {},
): [ArrayValue, ArrayValue] {
  const { mode = "reduced" } = optionsOf("qr", options, ["mode"]);
  choice(mode, ["reduced", "complete"], () => `Unsupported QR decomposition mode '${mode}'`);
  const params = { pivoting: false, full_matrices: mode === "complete", use_magma: null };
  const results = callNamed("qr", mode, (value) => o.bind(records.qr, [value], params), [
    floating(x),
  ]).map(out);
  return [at(results, 0), at(results, 1)];
}

export interface SvdOptions {
  /** Default: true. */
  readonly fullMatrices?: boolean;
}

/** `u`, the singular values, and `vᴴ`. JAX's `jnp.linalg.svd`. */
export function svd(
  x: NestedArray,
  options: SvdOptions = {},
): [u: ArrayValue, s: ArrayValue, vh: ArrayValue] {
  const { fullMatrices = true } = optionsOf("svd", options, ["fullMatrices"]);
  const params = {
    full_matrices: fullMatrices,
    compute_uv: true,
    subset_by_index: null,
    algorithm: null,
  };
  const body = (value: Value): readonly Value[] => o.bind(records.svd, [value], params);
  const results = callNamed("svd", String(fullMatrices), body, [floating(x)]).map(out);
  return [at(results, 1), at(results, 0), at(results, 2)];
}

export interface EighOptions {
  /** The triangle that is read where the matrix is not made symmetric first. Default: "L". */
  readonly UPLO?: "L" | "U";
  /** Take (x + xᴴ) / 2 first. Default: true. */
  readonly symmetrizeInput?: boolean;
}

/** Eigenvalues, ascending, and eigenvectors of symmetric matrices. JAX's `jnp.linalg.eigh`. */
export function eigh(
  x: NestedArray,
  options: EighOptions = {},
): [eigenvalues: ArrayValue, eigenvectors: ArrayValue] {
  const { UPLO = "L", symmetrizeInput = true } = optionsOf("eigh", options, [
    "UPLO",
    "symmetrizeInput",
  ]);
  choice(UPLO, ["L", "U"], () => `UPLO must be one of None, 'L', or 'U', got ${UPLO}`);
  const params = {
    lower: UPLO === "L",
    sort_eigenvalues: true,
    subset_by_index: null,
    algorithm: null,
  };
  const body = (value: Value): readonly Value[] => {
    requireSquare("eigh", value);
    return o.bind(records.eigh, [symmetrizeInput ? symmetric(value) : value], params);
  };
  const key = `${UPLO} ${symmetrizeInput}`;
  const results = callNamed("eigh", key, body, [floating(x)]).map(out);
  return [at(results, 1), at(results, 0)];
}

/** Eigenvalues of symmetric matrices, ascending. JAX's `jnp.linalg.eigvalsh`. */
export function eigvalsh(x: NestedArray): ArrayValue {
  return eigh(x)[0];
}

/** A matrix multiplied by itself. JAX's `jnp.linalg.matrix_power`. */
export function matrixPower(x: NestedArray, exponent: number): ArrayValue {
  const value = arrayValue(x);
  const size = requireSquare("matrix_power", value);
  if (!Number.isInteger(exponent)) throw invalid(`matrix_power by ${exponent}`);
  let base: ArrayValue = exponent < 0 ? inv(x) : out(value);
  let rest = Math.abs(exponent);
  let result: ArrayValue | null = null;
  while (rest > 0) {
    if (rest % 2 === 1) result = result === null ? base : matmul(result, base);
    rest = Math.floor(rest / 2);
    if (rest > 0) base = matmul(base, base);
  }
  return result ?? out(toType(diagonalMask(size, size, 0, "eq"), value.aval.dtype));
}

/** The pseudo-inverse by singular values. JAX's `jnp.linalg.pinv`. */
export function pinv(x: NestedArray, options: { readonly rtol?: number } = {}): ArrayValue {
  const { rtol } = optionsOf("pinv", options, ["rtol"]);
  const [u, s, vh] = svd(x, { fullMatrices: false }).map(arrayValue);
  if (u === undefined || s === undefined || vh === undefined) throw new Error("internal error");
  if (s.aval.shape.length !== 1) throw invalid("pinv takes one matrix", "vmap it for batches");
  const sizes = arrayValue(x).aval.shape.map(Number);
  const limit = rtol ?? 10 * Math.max(...sizes) * 2 ** -23;
  const smallest = o.mul(o.reduceMax(s, [0]), scalarLike(s, limit));
  const isLarge = o.gt(s, smallest);
  const { shape } = s.aval;
  const safe = selectValues(isLarge, s, o.full(shape, 1, s.aval.dtype));
  const inverse = selectValues(
    isLarge,
    o.div(scalarLike(s, 1), safe),
    o.full(shape, 0, s.aval.dtype),
  );
  const scaled = o.mul(o.broadcastInDim(inverse, u.aval.shape, [1]), u);
  return out(
    contract(swapLast(vh), swapLast(scaled), [
      [[1], [0]],
      [[], []],
    ]),
  );
}
