/** Records of argmax and argmin: the first NaN wins, then the first extreme element. */
import { shapedArray } from "../src/ir/aval.js";
import { less, printShape } from "../src/ir/dims.js";
import { isComplex, isFloat, isInteger, type DType } from "../src/ir/dtypes.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { flipSign } from "./reduce.js";
import {
  at,
  checkAxis,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  shapeMismatch,
  withoutAxes,
} from "./support.js";

export type ArgReduceParams = { readonly axes: readonly number[]; readonly index_dtype: DType };

/** TensorFlow.js never lets NaN win; JAX always does. */
function argReduceFloat(tf: Tf, op: "ArgMax" | "ArgMin", x: Tensor, axis: number): Tensor {
  const isNan = tf.unary("IsNan", x);
  const firstNan = tf.argReduce("ArgMax", tf.cast(isNan, "int32"), axis);
  const anyNan = tf.reduce("Any", isNan, [axis]);
  return tf.select(anyNan, firstNan, tf.argReduce(op, x, axis));
}

function argReduceTensor(
  tf: Tf,
  op: "ArgMax" | "ArgMin",
  x: Tensor,
  axis: number,
  dtype: DType,
): Tensor {
  if (x.shape[axis] === 1) return tf.fill(withoutAxes(x.shape, [axis]), 0, "int32");
  if (isFloat(dtype)) return argReduceFloat(tf, op, x, axis);
  if (dtype === "bool") return tf.argReduce(op, tf.cast(x, "int32"), axis);
  // The order of uint32 bit patterns is that of int32 with the sign flipped.
  return tf.argReduce(op, dtype === "uint32" ? flipSign(tf, x) : x, axis);
}

/** The first of the extreme low halves among the extreme high halves. */
function argReduceWords(tf: Tf, op: "ArgMax" | "ArgMin", x: GraphValue, axis: number): Tensor {
  const { shape } = x.aval;
  if (shape[axis] === 1) return tf.fill(withoutAxes(shape, [axis]), 0, "int32");
  const { high, low } = tf.limbs(x);
  const upper = tf.broadcastTo(high, shape);
  const extreme = tf.reduce(op === "ArgMax" ? "Max" : "Min", upper, [axis], true);
  const candidates = tf.binary("Equal", upper, extreme);
  const loser = tf.scalar(op === "ArgMax" ? -1 : 65536, "int32");
  return tf.argReduce(op, tf.select(candidates, tf.broadcastTo(low, shape), loser), axis);
}

function argReduction(name: "argmax" | "argmin"): Primitive<ArgReduceParams> {
  const op = name === "argmax" ? "ArgMax" : "ArgMin";
  const record: Primitive<ArgReduceParams> = definePrimitive<ArgReduceParams>({
    name,
    abstractEval: (inputs, { axes, index_dtype }) => {
      checkCount(name, inputs, 1);
      const x = at(inputs, 0);
      if (axes.length !== 1) throw invalid(`${name} takes one axis, got ${printShape(axes)}`);
      const axis = at(axes, 0);
      checkAxis(axis, x.shape, `Invalid axis ${axis} for operand shape ${printShape(x.shape)}`);
      if (less(at(x.shape, axis), 1)) {
        throw shapeMismatch(
          "argmin and argmax require non-empty reduced dimension. " +
            `operand.shape=${printShape(x.shape)} axis=${axis}`,
        );
      }
      if (!isInteger(index_dtype)) {
        throw dtypeMismatch(`index_dtype must be an integer type, but got ${index_dtype}`);
      }
      if (isComplex(x.dtype)) {
        throw dtypeMismatch(`${name} does not accept dtype ${x.dtype}.`);
      }
      return [shapedArray(index_dtype, withoutAxes(x.shape, [axis]))];
    },
    jvp: (o, primals, _tangents, params) => ({
      primals: o.bind(record, primals, params),
      tangents: [null],
    }),
    transpose: none(`${name} has no derivative`),
    batch: (o, inputs, dims, params) => {
      const batch = dims[0] ?? null;
      if (batch === null) return { outputs: o.bind(record, inputs, params), dims: [null] };
      const axis = at(params.axes, 0);
      const axes = [axis >= batch ? axis + 1 : axis];
      const place = axis < batch ? batch - 1 : batch;
      return { outputs: o.bind(record, inputs, { ...params, axes }), dims: [place] };
    },
    tfjs: (tf, inputs, { axes }, outs) => {
      const x = at(inputs, 0);
      const out = at(outs, 0);
      if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
      if (x.aval.dtype === "uint32" && !tf.exactIntegers) {
        return [tf.value(argReduceWords(tf, op, x, at(axes, 0)), out)];
      }
      return [tf.value(argReduceTensor(tf, op, tf.tensor(x), at(axes, 0), x.aval.dtype), out)];
    },
    limits: [
      {
        when: "int32 beyond 2^24 in magnitude, on webgl or webgpu",
        effect: "close numbers count as equal",
        why: "int32 is float32 there",
      },
      {
        when: "index_dtype has fewer bits than the axis needs",
        effect: "indices do not wrap",
        why: "all integers travel as int32",
      },
    ],
  });
  return record;
}

export const argmax = argReduction("argmax");
export const argmin = argReduction("argmin");
