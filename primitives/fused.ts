/**
 * Operations that TensorFlow has as one node and JAX writes as several. Only passes make them, on
 * the way to a graph, after all transformations; their names are ours.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { addDims } from "../src/ir/dims.js";
import type { NoParams } from "../src/ir/params.js";
import { definePrimitive, none } from "../src/ir/primitive.js";

const late = none("passes make this after all transformations; transform the original program");

const sameType = ([x]: readonly ShapedArray[]): readonly ShapedArray[] =>
  x === undefined ? [] : [shapedArray(x.dtype, x.shape)];

/** Softmax over the last dimension. */
export const softmax = definePrimitive<NoParams>({
  name: "softmax",
  abstractEval: sameType,
  jvp: late,
  transpose: late,
  batch: late,
  tfjs: (tf, [x], _, [out]) =>
    x === undefined || out === undefined ? [] : [tf.value(tf.softmax(tf.tensor(x)), out)],
});

/** Logarithm of the softmax over the last dimension. */
export const logSoftmax = definePrimitive<NoParams>({
  name: "log_softmax",
  abstractEval: sameType,
  jvp: late,
  transpose: late,
  batch: late,
  tfjs: (tf, [x], _, [out]) =>
    x === undefined || out === undefined ? [] : [tf.value(tf.logSoftmax(tf.tensor(x)), out)],
});

/** Mean over static axes (JAX: `reduce_sum` and `div`). */
export const mean = definePrimitive<{ readonly axes: readonly number[] }>({
  name: "mean",
  abstractEval: ([x], { axes }) =>
    x === undefined
      ? []
      : [
          shapedArray(
            x.dtype,
            x.shape.filter((_, axis) => !axes.includes(axis)),
          ),
        ],
  jvp: late,
  transpose: late,
  batch: late,
  tfjs: (tf, [x], { axes }, [out]) =>
    x === undefined || out === undefined
      ? []
      : [tf.value(tf.reduce("Mean", tf.tensor(x), axes), out)],
});

/**
 * `(x - mean) * rsqrt(variance + epsilon) * scale + offset` over the last of four dimensions;
 * inputs x, scale, offset, mean, variance.
 */
export const batchNorm = definePrimitive<{ readonly epsilon: number }>({
  name: "batch_norm",
  abstractEval: sameType,
  jvp: late,
  transpose: late,
  batch: late,
  tfjs: (tf, inputs, { epsilon }, [out]) => {
    if (out === undefined) return [];
    const tensors = inputs.map((input) => tf.tensor(input));
    const [result] = tf.node("FusedBatchNormV3", tensors, { epsilon: { f: epsilon } }, [
      { dtype: "float32", shape: out.shape },
    ]);
    return result === undefined ? [] : [tf.value(result, out)];
  },
});

export type MirrorMode = "REFLECT" | "SYMMETRIC";

export type MirrorPadParams = {
  /** Elements before and after, per axis. */
  readonly padding: readonly (readonly [before: number, after: number])[];
  /** Whether the outermost element is repeated ("SYMMETRIC") or not. */
  readonly mode: MirrorMode;
};

/** Reflections at the borders (JAX: `jnp.pad`, written as slices, reversals, concatenations). */
export const mirrorPad = definePrimitive<MirrorPadParams>({
  name: "mirror_pad",
  abstractEval: ([x], { padding }) =>
    x === undefined
      ? []
      : [
          shapedArray(
            x.dtype,
            x.shape.map((size, axis) => {
              const [before, after] = padding[axis] ?? [0, 0];
              return addDims(size, before + after);
            }),
          ),
        ],
  jvp: late,
  transpose: late,
  batch: late,
  tfjs: (tf, [x], { padding, mode }, [out]) => {
    if (x === undefined || out === undefined) return [];
    const paddings = tf.constant(padding.flat(), "int32", [padding.length, 2]);
    const [result] = tf.node("MirrorPad", [tf.tensor(x), paddings], { mode: { s: mode } }, [
      { dtype: "float32", shape: out.shape },
    ]);
    return result === undefined ? [] : [tf.value(result, out)];
  },
});
