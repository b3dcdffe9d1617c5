/**
 * Records that make arrays from nothing (iota, dim_as_value, empty) and that hand values on
 * (copy, stop_gradient, optimization_barrier, tie).
 */
import { shapedArray } from "../src/ir/aval.js";
import { isStaticShape, printShape, tryCompare, type Dim, type Shape } from "../src/ir/dims.js";
import { bitsOf, isComplex, isFloat, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import { elementCount, fromNumbers, valuesPerElement } from "../src/ir/hostArray.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { NoParams } from "../src/ir/params.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { forEachPosition } from "./hostViews.js";
import { at, dtypeMismatch, emptyValue, invalid, isEmptyShape, realTfDtype } from "./support.js";

export type IotaParams = {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly dimension: number;
};

/** Value of the n-th element: narrow integers wrap. */
function wrapIndex(index: number, dtype: DType): number {
  if (!isInteger(dtype) || bitsOf(dtype) >= 32) return index;
  const period = 2 ** bitsOf(dtype);
  const low = index % period;
  return kindOf(dtype) === "signed" && low >= period / 2 ? low - period : low;
}

/** 0, 1, … as int32 of the range of `dtype`. */
function indexVector(tf: Tf, size: Dim, dtype: DType): Tensor {
  const period = 2 ** bitsOf(dtype);
  const half = kindOf(dtype) === "signed" ? period / 2 : 0;
  const range = tf.range(size);
  const fits = bitsOf(dtype) >= 32 || tryCompare(size, "<=", period - half) === true;
  if (!isInteger(dtype) || fits) return range;
  if (half === 0) return tf.binary("FloorMod", range, tf.scalar(period, "int32"));
  const shifted = tf.binary("AddV2", range, tf.scalar(half, "int32"));
  const low = tf.binary("FloorMod", shifted, tf.scalar(period, "int32"));
  return tf.binary("Sub", low, tf.scalar(half, "int32"));
}

export const iota: Primitive<IotaParams> = definePrimitive<IotaParams>({
  name: "iota",
  abstractEval: (_inputs, { dtype, shape, dimension }) => {
    if (!isInteger(dtype) && !isFloat(dtype) && !isComplex(dtype)) {
      throw dtypeMismatch(
        `iota does not accept dtype ${dtype}. Accepted dtypes are subtypes of integer, floating, ` +
          "complexfloating.",
      );
    }
    if (!(Number.isInteger(dimension) && dimension >= 0 && dimension < shape.length)) {
      throw invalid(
        "iota dimension must be between 0 and len(shape), got " +
          `dimension=${dimension} for shape=${printShape(shape)}`,
      );
    }
    return [shapedArray(dtype, shape)];
  },
  jvp: (o, _primals, _tangents, params) => ({
    primals: o.bind(iota, [], params),
    tangents: [null],
  }),
  transpose: none("iota has no inputs"),
  batch: (o, _inputs, _dims, params) => ({ outputs: o.bind(iota, [], params), dims: [null] }),
  tfjs: (tf, _inputs, { dtype, shape, dimension }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(shape)) return [emptyValue(tf, out)];
    const integers = indexVector(tf, at(shape, dimension), dtype);
    const real = isComplex(dtype) ? "float32" : realTfDtype(dtype);
    const numbers = real === "int32" ? integers : tf.cast(integers, real);
    const trailing = shape.slice(dimension + 1).map(() => 1);
    const placed =
      trailing.length === 0 ? numbers : tf.reshape(numbers, [at(shape, dimension), ...trailing]);
    if (isComplex(dtype)) return [tf.fromPair(placed, tf.scalar(0, "float32"), out)];
    return [tf.value(placed, out)];
  },
  fold: (_inputs, { dtype, shape, dimension }) => {
    if (!isStaticShape(shape)) return null;
    const step = valuesPerElement(dtype);
    const values = new Float64Array(elementCount(shape) * step);
    const strides = shape.map((_, axis) => (axis === dimension ? 1 : 0));
    forEachPosition(shape, 0, strides, (position, index) => {
      values[index * step] = wrapIndex(position, dtype);
    });
    return [fromNumbers(dtype, shape, values)];
  },
});

export const dimAsValue: Primitive<{ readonly dim: Dim }> = definePrimitive<{ readonly dim: Dim }>({
  name: "dim_as_value",
  abstractEval: () => [shapedArray("int32", [], true)],
  jvp: (o, _primals, _tangents, params) => ({
    primals: o.bind(dimAsValue, [], params),
    tangents: [null],
  }),
  transpose: none("dim_as_value has no inputs"),
  batch: (o, _inputs, _dims, params) => ({ outputs: o.bind(dimAsValue, [], params), dims: [null] }),
  tfjs: (tf, _inputs, { dim }, outs) => [tf.value(tf.dim(dim), at(outs, 0))],
  fold: (_inputs, { dim }) => (typeof dim === "number" ? [fromNumbers("int32", [], [dim])] : null),
});

export type EmptyParams = { readonly dtype: DType; readonly shape: Shape };

/** JAX leaves the contents open; zeros here, as on its CPU. */
export const empty: Primitive<EmptyParams> = definePrimitive<EmptyParams>({
  name: "empty",
  abstractEval: (_inputs, { dtype, shape }) => [shapedArray(dtype, shape)],
  jvp: (o, _primals, _tangents, params) => ({
    primals: o.bind(empty, [], params),
    tangents: [null],
  }),
  transpose: none("empty has no inputs"),
  batch: (o, _inputs, _dims, params) => ({ outputs: o.bind(empty, [], params), dims: [null] }),
  tfjs: (tf, _inputs, _params, outs) => [emptyValue(tf, at(outs, 0))],
});

/** A primitive that gives back its inputs; its tangents and cotangents too. */
function identity(name: string): Primitive<NoParams> {
  const record: Primitive<NoParams> = definePrimitive<NoParams>({
    name,
    abstractEval: (inputs) => inputs,
    jvp: (_o, primals, tangents) => ({ primals, tangents }),
    transpose: (_o, cotangents) => cotangents,
    batch: (o, inputs, dims, params) => ({ outputs: o.bind(record, inputs, params), dims }),
    tfjs: (_tf, inputs) => inputs,
    fold: (inputs) => inputs,
    traits: { view: true },
  });
  return record;
}

/** Expresses a copy of an array at run time (`jnp.array(x, copy=True)`). */
export const copy = identity("copy");

/** JAX's barrier against reordering; a graph of ours is not reordered. */
export const optimizationBarrier = identity("optimization_barrier");

export const stopGradient: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "stop_gradient",
  abstractEval: (inputs) => inputs,
  jvp: (o, primals, _tangents, params) => ({
    primals: o.bind(stopGradient, primals, params),
    tangents: primals.map(() => null),
  }),
  transpose: none("stop_gradient has no derivative to transpose"),
  batch: (o, inputs, dims, params) => ({ outputs: o.bind(stopGradient, inputs, params), dims }),
  tfjs: (_tf, inputs) => inputs,
  fold: (inputs) => inputs,
  traits: { view: true },
});

/** `tie(x, y)` is y, but not before x is there. */
export const tie: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "tie",
  abstractEval: (inputs) => [at(inputs, 1)],
  jvp: (o, primals, tangents, params) => ({
    primals: o.bind(tie, primals, params),
    tangents: [at(tangents, 1)],
  }),
  transpose: (_o, cotangents) => [null, at(cotangents, 0)],
  batch: (o, inputs, dims, params) => ({
    outputs: o.bind(tie, inputs, params),
    dims: [at(dims, 1)],
  }),
  tfjs: (_tf, inputs) => [at(inputs, 1)],
});
