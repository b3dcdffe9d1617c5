/**
 * The records of QR decompositions: `geqrf`, `geqp3`, `householder_product`, `ormqr` and `qr`.
 */
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import {
  dimEquals,
  less,
  lessEqual,
  minDim,
  printShape,
  subDims,
  type Dim,
} from "../../src/ir/dims.js";
import { isInteger } from "../../src/ir/dtypes.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { GraphValue, Tf } from "../../src/ir/tf.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { at, dtypeMismatch, emptyValue, isEmptyShape, shapeMismatch } from "../support.js";
import { block, composedJvp, conjugate, takeColumns } from "./algebra.js";
import {
  cut,
  eye,
  fromBlocks,
  fromColumns,
  fromRows,
  knownSizes,
  matrixSize,
  toBlocks,
  toColumns,
  toRows,
  unitOf,
} from "./matrices.js";
import { pack, packedFactors, packedMatrix, unpack } from "./packed.js";
import { pivotedColumns } from "./pivotedColumns.js";
import { triangularize } from "./reflectors.js";
import { composeHouseholder, composeOrmqr, qrTangents, reflectorTangents } from "./qrJvp.js";
import { knownCount, linalgBatch, operandsOf, sizesOf, splitShapes } from "./types.js";

/** How many columns are reflected: the last row of a real matrix is triangular already. */
const reflectedColumns = (m: number, n: number, unit: number): number =>
  unit === 1 ? Math.min(m - 1, n) : Math.min(m, n);

function lowerGeqrf(tf: Tf, a: GraphValue, outs: readonly ShapedArray[]): readonly GraphValue[] {
  const [matrix, factors] = [at(outs, 0), at(outs, 1)];
  if (isEmptyShape(matrix.shape)) return [emptyValue(tf, matrix), zeros(tf, factors)];
  const [m, n] = matrixSize("geqrf", a);
  const unit = unitOf(a);
  const count = reflectedColumns(m, n, unit);
  if (count === 0) return [a, zeros(tf, factors)];
  const triangular = triangularize(tf, toBlocks(tf, a), m, count, unit);
  const options = { offset: 0, twoSided: false, factors: Math.min(m, n) };
  const packed = pack(tf, triangular, [m, n], unit, options);
  return [packedMatrix(tf, packed, matrix), packedFactors(tf, packed, factors)];
}

const zeros = (tf: Tf, out: ShapedArray): GraphValue => emptyValue(tf, out);

/** Tangents of a matrix of reflectors and of their factors; JAX differentiates `qr` as a whole. */
function factorTangents(
  o: Ops,
  a: Value,
  [packed, taus]: readonly Value[],
  tangent: Value,
): readonly [packed: Value, taus: Value] {
  if (packed === undefined || taus === undefined) throw new Error("internal error: factors");
  const { shape } = a.aval;
  const [m = 0, n = 0] = shape.slice(-2);
  const reflectors = block(o, packed, [0, m], [0, minDim(m, n)]);
  const q = at(o.bind(householderProduct, [reflectors, taus], {}), 0);
  return reflectorTangents(o, { a, q, packed, taus }, tangent);
}

/**
 * About 20 nodes for each column (25 for complex numbers): each reflector needs all before it. The
 * signs are LAPACK's.
 */
export const geqrf: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "geqrf",
  manyNodes: "One reflector after the other; TensorFlow.js has no kernel for it.",
  abstractEval: (inputs) => {
    const operands = operandsOf("geqrf", inputs, [2]);
    const [m, n] = sizesOf(operands, 0);
    const { batch, dtype } = operands;
    return [shapedArray(dtype, at(inputs, 0).shape), shapedArray(dtype, [...batch, minDim(m, n)])];
  },
  jvp: (o, [a], [tangent = null], params) => {
    if (a === undefined || tangent === null) throw new Error("internal error: jvp of geqrf");
    const outputs = o.bind(geqrf, [a], params);
    return { primals: outputs, tangents: factorTangents(o, a, outputs, tangent) };
  },
  transpose: none("geqrf is not linear"),
  batch: linalgBatch(() => geqrf),
  tfjs: (tf, inputs, _params, outs) => lowerGeqrf(tf, at(inputs, 0), outs),
  limits: [
    {
      when: "columns whose norm is above 1e19 or below 1e-19",
      effect: "infinity, NaN or zeros",
      why: "squares of float32 numbers overflow and underflow; LAPACK scales the columns",
    },
  ],
  flops: ([x]) => (4 * knownCount(x?.shape ?? []) * knownCount(x?.shape.slice(-1) ?? [])) / 3,
});

export type Geqp3Params = { readonly use_magma: boolean | null };

/** About 35 nodes for each column: the reflectors of `geqrf`, and the choice of the column. */
export const geqp3: Primitive<Geqp3Params> = definePrimitive<Geqp3Params>({
  name: "geqp3",
  abstractEval: (inputs) => {
    const [a, pivots] = [at(inputs, 0), at(inputs, 1)];
    const operands = operandsOf("geqp3", [a], [2]);
    if (!isInteger(pivots.dtype)) {
      throw dtypeMismatch(`geqp3 does not accept dtype ${pivots.dtype} at position 1.`);
    }
    splitShapes("geqp3", inputs, [2, 1]);
    const [m, n] = sizesOf(operands, 0);
    const { batch, dtype } = operands;
    return [
      shapedArray(dtype, a.shape),
      shapedArray(pivots.dtype, pivots.shape),
      shapedArray(dtype, [...batch, minDim(m, n)]),
    ];
  },
  jvp: (o, [a, pivots], [tangent = null], params) => {
    if (a === undefined || pivots === undefined || tangent === null) {
      throw new Error("internal error: jvp of geqp3");
    }
    const outputs = o.bind(geqp3, [a, pivots], params);
    const [packed, columns, taus] = [at(outputs, 0), at(outputs, 1), at(outputs, 2)];
    const order = o.sub(columns, o.literal(1, columns.aval.dtype));
    const [ofPacked, ofTaus] = factorTangents(
      o,
      takeColumns(o, order, a),
      [packed, taus],
      takeColumns(o, order, tangent),
    );
    return { primals: outputs, tangents: [ofPacked, null, ofTaus] };
  },
  transpose: none("geqp3 is not linear"),
  batch: linalgBatch(() => geqp3),
  tfjs: (tf, inputs, _params, outs) => {
    const a = at(inputs, 0);
    const [matrix, order, factors] = [at(outs, 0), at(outs, 1), at(outs, 2)];
    if (isEmptyShape(matrix.shape)) {
      return [emptyValue(tf, matrix), at(inputs, 1), zeros(tf, factors)];
    }
    const [m, n] = matrixSize("geqp3", a);
    const unit = unitOf(a);
    const { triangular, columns } = pivotedColumns(tf, toBlocks(tf, a), [m, n], unit);
    const options = { offset: 0, twoSided: false, factors: Math.min(m, n) };
    const packed = pack(tf, triangular, [m, n], unit, options);
    return [
      packedMatrix(tf, packed, matrix),
      tf.value(tf.reshape(columns, order.shape), order),
      packedFactors(tf, packed, factors),
    ];
  },
  limits: [
    {
      when: "columns fixed beforehand by jpvt",
      effect: "all columns count as free",
      why: "JAX itself always passes zeros",
    },
  ],
});

/** A few products of matrices and the inverse of a triangle, whatever the number of reflectors. */
export const householderProduct: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "householder_product",
  manyNodes: "One reflector after the other; TensorFlow.js has no kernel for it.",
  abstractEval: (inputs) => {
    const { dtype, sizes } = operandsOf("householder_product", inputs, [2, 1]);
    const [m, n] = sizesOf({ sizes }, 0);
    if (less(m, n)) {
      throw shapeMismatch(
        "The first argument to householder_product must have at least as many rows as columns, " +
          `got shape ${printShape(at(sizes, 0))}`,
      );
    }
    if (less(minDim(m, n), at(at(sizes, 1), 0))) {
      throw shapeMismatch(
        "The second argument to householder_product must not have more rows than the minimum of " +
          "the first argument's rows and columns.",
      );
    }
    return [shapedArray(dtype, at(inputs, 0).shape)];
  },
  jvp: (o, primals, tangents) =>
    composedJvp(o, primals, tangents, (inner, [a, taus]) =>
      a === undefined || taus === undefined ? [] : [composeHouseholder(inner, a, taus)],
    ),
  transpose: none("householder_product is not linear"),
  batch: linalgBatch(() => householderProduct),
  tfjs: (tf, inputs, _params, outs) => {
    const [a, taus, out] = [at(inputs, 0), at(inputs, 1), at(outs, 0)];
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const [m, n] = matrixSize("householder_product", a);
    const unit = unitOf(a);
    const [count = 0] = knownSizes("householder_product", taus.aval.shape, 1);
    const identity = eye(tf, [m, n], unit);
    if (count === 0) return [fromBlocks(tf, tf.broadcastTo(identity, toBlocks(tf, a).shape), out)];
    const { v, t } = unpack(tf, a, taus, [m, count]);
    const top = cut(tf, v, [0, unit * n], [0, unit * count]);
    const product = tf.matMul(tf.matMul(v, t), top, { transposeY: true });
    return [fromBlocks(tf, tf.binary("Sub", identity, product), out)];
  },
  flops: ([a, taus]) => 4 * knownCount(a?.shape ?? []) * knownCount(taus?.shape.slice(-1) ?? []),
});

export type OrmqrParams = { readonly left: boolean; readonly transpose: boolean };

/** Q C, Q^H C, C Q or C Q^H without forming Q. */
export const ormqr: Primitive<OrmqrParams> = definePrimitive<OrmqrParams>({
  name: "ormqr",
  abstractEval: (inputs, { left }) => {
    const { sizes, dtype } = operandsOf("ormqr", inputs, [2, 1, 2]);
    const [a, c] = [at(sizes, 0), at(sizes, 2)];
    if (!dimEquals(at(a, 0), at(c, left ? 0 : 1))) {
      throw shapeMismatch(
        left
          ? "ormqr with left=True expects c to have the same number of rows as the Householder " +
              `matrix a. Got a shape ${printShape(a)} and c shape ${printShape(c)}.`
          : "ormqr with left=False expects c to have the same number of columns as the Householder " +
              `matrix a has rows. Got a shape ${printShape(a)} and c shape ${printShape(c)}.`,
      );
    }
    return [shapedArray(dtype, at(inputs, 2).shape)];
  },
  jvp: (o, primals, tangents, params) =>
    composedJvp(o, primals, tangents, (inner, [a, taus, c]) =>
      a === undefined || taus === undefined || c === undefined
        ? []
        : [composeOrmqr(inner, [a, taus, c], params)],
    ),
  transpose: (o, [cotangent = null], [a, taus], params) => {
    if (a?.kind !== "known" || taus?.kind !== "known") {
      throw new Jax2TfjsError("not-linear", "ormqr is linear in its last argument only", {
        primitive: "ormqr",
      });
    }
    if (cotangent === null) return [null, null, null];
    // The transpose, not the adjoint.
    const operands = [a.value, taus.value, conjugate(o, cotangent)];
    const product = o.bind(ormqr, operands, { ...params, transpose: !params.transpose });
    return [null, null, conjugate(o, at(product, 0))];
  },
  batch: linalgBatch(() => ormqr),
  tfjs: (tf, inputs, { left, transpose }, outs) => {
    const [a, taus, c, out] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(outs, 0)];
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const [m] = matrixSize("ormqr", a);
    const [count = 0] = knownSizes("ormqr", taus.aval.shape, 1);
    if (count === 0) return [c];
    const { v, t } = unpack(tf, a, taus, [m, count]);
    if (left) {
      const x = toColumns(tf, c);
      const inner = tf.matMul(t, tf.matMul(v, x, { transposeX: true }), { transposeX: transpose });
      return [fromColumns(tf, tf.binary("Sub", x, tf.matMul(v, inner)), out)];
    }
    const x = toRows(tf, c);
    const inner = tf.matMul(tf.matMul(x, v), t, { transposeY: transpose });
    return [fromRows(tf, tf.binary("Sub", x, tf.matMul(inner, v, { transposeY: true })), out)];
  },
});

export type QrParams = {
  readonly pivoting: boolean;
  readonly full_matrices: boolean;
  readonly use_magma: boolean | null;
};

/** Zeros below the diagonal. */
function upperTriangle(o: Ops, x: Value): Value {
  const { shape, dtype } = x.aval;
  const rank = shape.length;
  const index = (axis: number): Value => o.iota("int32", shape, axis);
  const above = o.le(index(rank - 2), index(rank - 1));
  return o.selectN(above, o.full(shape, 0, dtype), x);
}

/** JAX's composition of the other primitives. */
function composeQr(o: Ops, a: Value, { pivoting, full_matrices: full }: QrParams): Value[] {
  const { shape } = a.aval;
  const batch = shape.slice(0, -2);
  const [m = 0, n = 0] = shape.slice(-2);
  const factored = pivoting
    ? o.bind(geqp3, [a, o.full([...batch, n], 0, "int32")], { use_magma: null })
    : o.bind(geqrf, [a], {});
  const [packed, taus] = [at(factored, 0), at(factored, pivoting ? 2 : 1)];
  const order = pivoting ? [o.sub(at(factored, 1), o.literal(1, "int32"))] : [];
  const first = (rows: Dim, columns: Dim): Value =>
    o.slice(
      packed,
      shape.map(() => 0),
      [...batch, rows, columns],
    );
  if (less(m, n)) {
    const q = at(o.bind(householderProduct, [first(m, m), taus], {}), 0);
    return [q, upperTriangle(o, packed), ...order];
  }
  if (!full) {
    const q = at(o.bind(householderProduct, [packed, taus], {}), 0);
    return [q, upperTriangle(o, first(n, n)), ...order];
  }
  const config = shape.map((_, axis): [Dim, Dim, number] =>
    axis === shape.length - 1 ? [0, subDims(m, n), 0] : [0, 0, 0],
  );
  const wide = o.pad(packed, o.literal(0, a.aval.dtype), config);
  const q = at(o.bind(householderProduct, [wide, taus], {}), 0);
  return [q, upperTriangle(o, packed), ...order];
}

/** Identity and zeros, for matrices without rows or columns. */
function emptyQr(tf: Tf, outs: readonly ShapedArray[]): readonly GraphValue[] {
  const [q, r] = [at(outs, 0), at(outs, 1)];
  const order = outs.slice(2).map((out) => emptyValue(tf, out));
  const [rows = 0, columns = 0] = knownSizes("qr", q.shape, 2);
  if (isEmptyShape(q.shape)) return [emptyValue(tf, q), emptyValue(tf, r), ...order];
  const identity = tf.broadcastTo(eye(tf, [rows, columns], 1), q.shape);
  const value = q.dtype.startsWith("complex")
    ? tf.fromPair(identity, tf.scalar(0, "float32"), q)
    : tf.value(identity, q);
  return [value, emptyValue(tf, r), ...order];
}

export const qr: Primitive<QrParams> = definePrimitive<QrParams>({
  name: "qr",
  abstractEval: (inputs, { pivoting, full_matrices: full }) => {
    const operands = operandsOf("qr", inputs, [2]);
    const [m, n] = sizesOf(operands, 0);
    const { batch, dtype } = operands;
    const k = full ? m : minDim(m, n);
    const order = pivoting ? [shapedArray("int32", [...batch, n])] : [];
    return [shapedArray(dtype, [...batch, m, k]), shapedArray(dtype, [...batch, k, n]), ...order];
  },
  jvp: (o, primals, [tangent = null], params) => {
    const a = at(primals, 0);
    const [m = 0, n = 0] = a.aval.shape.slice(-2);
    if (params.full_matrices && !lessEqual(m, n)) {
      return composedJvp(o, primals, [tangent], (inner, inputs) =>
        composeQr(inner, at(inputs, 0), params),
      );
    }
    const outputs = o.bind(qr, primals, params);
    if (tangent === null) throw new Error("internal error: jvp without tangent");
    const [q, r, order] = [at(outputs, 0), at(outputs, 1), outputs[2]];
    const inOrder = (x: Value): Value => (order === undefined ? x : takeColumns(o, order, x));
    const tangents = qrTangents(o, [q, r], inOrder(a), inOrder(tangent));
    return { primals: outputs, tangents: order === undefined ? tangents : [...tangents, null] };
  },
  transpose: none("qr is not linear"),
  batch: linalgBatch(() => qr),
  tfjs: (tf, inputs, params, outs) => {
    const a = at(inputs, 0);
    if (isEmptyShape(a.aval.shape)) return emptyQr(tf, outs);
    matrixSize("qr", a);
    return tf.inline(inputs, (o, xs) => composeQr(o, at(xs, 0), params));
  },
});
