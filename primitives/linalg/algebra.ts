/**
 * Matrix algebra with the lax-like methods, over any batch dimensions: what the derivative rules of
 * linalg/ are written with.
 */
import { maxDim, subDims, type Dim } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import type { MaybeZero } from "../../src/ir/primitive.js";
import { present, spreadTangents, typesOf } from "../callTransforms.js";
import { at, upTo } from "../support.js";

/** Product of matrices. */
export function matmul(o: Ops, x: Value, y: Value): Value {
  const rank = x.aval.shape.length;
  const batch = upTo(rank - 2);
  return o.dotGeneral(x, y, {
    dimension_numbers: [
      [[rank - 1], [rank - 2]],
      [batch, batch],
    ],
    precision: "HIGHEST",
    preferred_element_type: null,
  });
}

export function flip(o: Ops, x: Value): Value {
  const rank = x.aval.shape.length;
  return o.transpose(x, [...upTo(rank - 2), rank - 1, rank - 2]);
}

export const conjugate = (o: Ops, x: Value): Value => (isComplex(x.aval.dtype) ? o.conj(x) : x);

export const adjoint = (o: Ops, x: Value): Value => conjugate(o, flip(o, x));

export const realOf = (o: Ops, x: Value): Value => (isComplex(x.aval.dtype) ? o.real(x) : x);

/** The value in another element type; real to complex included. */
export const asType = (o: Ops, x: Value, dtype: DType): Value =>
  x.aval.dtype === dtype ? x : o.convertElementType(x, dtype);

export const constant = (o: Ops, x: Value, value: number): Value => o.literal(value, x.aval.dtype);

/** Column index minus row index, as large as a matrix. */
function offsets(o: Ops, { aval: { shape } }: Value): Value {
  const rank = shape.length;
  return o.sub(o.iota("int32", shape, rank - 1), o.iota("int32", shape, rank - 2));
}

const zerosLike = (o: Ops, { aval: { shape, dtype } }: Value): Value => o.full(shape, 0, dtype);

/** Zeros above diagonal `k`. */
export const lowerPart = (o: Ops, x: Value, k = 0): Value =>
  o.selectN(o.le(offsets(o, x), o.literal(k, "int32")), zerosLike(o, x), x);

/** Zeros below diagonal `k`. */
export const upperPart = (o: Ops, x: Value, k = 0): Value =>
  o.selectN(o.ge(offsets(o, x), o.literal(k, "int32")), zerosLike(o, x), x);

/** Ones on the diagonal of matrices as large as `x`. */
export const identityLike = (o: Ops, x: Value): Value =>
  asType(o, o.eq(offsets(o, x), o.literal(0, "int32")), x.aval.dtype);

/** The diagonals of square matrices. */
export function diagonalOf(o: Ops, x: Value): Value {
  const isDiagonal = o.eq(offsets(o, x), o.literal(0, "int32"));
  return o.reduceSum(o.selectN(isDiagonal, zerosLike(o, x), x), [x.aval.shape.length - 1]);
}

/** Vectors as rows: `x[..., None, :]`. */
export function asRow(o: Ops, x: Value): Value {
  const { shape } = x.aval;
  return o.reshape(x, shape.toSpliced(shape.length - 1, 0, 1));
}

/** Vectors as columns: `x[..., :, None]`. */
export const asColumn = (o: Ops, x: Value): Value => o.reshape(x, [...x.aval.shape, 1]);

/** A value stretched to the shape of another of the same rank. */
export function stretchLike(o: Ops, x: Value, like: Value): Value {
  const { shape } = like.aval;
  return o.broadcastInDim(x, shape, upTo(shape.length));
}

/** Rows of matrices in the order of a permutation: `x[permutation]` of each. */
export function takeRows(o: Ops, permutation: Value, x: Value): Value {
  const { shape } = permutation.aval;
  const rows = at(shape, shape.length - 1);
  const square = [...shape, rows];
  const wanted = o.broadcastInDim(permutation, square, upTo(shape.length));
  const index = o.iota(permutation.aval.dtype, square, shape.length);
  return matmul(o, asType(o, o.eq(wanted, index), x.aval.dtype), x);
}

/** Columns of matrices in the order of a permutation: `x[:, permutation]` of each. */
export const takeColumns = (o: Ops, permutation: Value, x: Value): Value =>
  flip(o, takeRows(o, permutation, flip(o, x)));

/** The rows and columns in the given ranges. */
export function block(
  o: Ops,
  x: Value,
  rows: readonly [Dim, Dim],
  columns: readonly [Dim, Dim],
): Value {
  const batch = x.aval.shape.slice(0, -2);
  const start = [...batch.map(() => 0), rows[0], columns[0]];
  return o.slice(x, start, [...batch, rows[1], columns[1]]);
}

/** Zeros added below and to the right, up to the given size. */
export function padMatrix(o: Ops, x: Value, rows: Dim, columns: Dim): Value {
  const { shape } = x.aval;
  const rank = shape.length;
  const missing = [subDims(rows, at(shape, rank - 2)), subDims(columns, at(shape, rank - 1))];
  const config = shape.map((_, axis): readonly [Dim, Dim, number] =>
    axis < rank - 2 ? [0, 0, 0] : [0, maxDim(0, at(missing, axis - rank + 2)), 0],
  );
  return o.pad(x, constant(o, x, 0), config);
}

/** The forward derivative of something composed of other primitives. */
export function composedJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  compose: (o: Ops, inputs: readonly Value[]) => readonly Value[],
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const program: ClosedJaxpr = o.programs.build(typesOf(primals), compose);
  const active = tangents.map((tangent) => tangent !== null);
  const derived = o.programs.jvp(program, active, []);
  const results = o.call("composed", derived.program, [...primals, ...present(tangents)]);
  const count = program.jaxpr.outvars.length;
  return {
    primals: results.slice(0, count),
    tangents: spreadTangents(results.slice(count), derived.outputTangents),
  };
}
