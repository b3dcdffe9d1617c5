/**
 * Choosing between arrays: `select_n` by a bool or an index, and `clamp`.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { isStaticShape, printShape, shapeEquals } from "../src/ir/dims.js";
import {
  isComplex,
  isFloat,
  isInteger,
  kindOf,
  storageBytesOf,
  type DType,
} from "../src/ir/dtypes.js";
import { elementCount, hostArray, toNumbers, type HostArray } from "../src/ir/hostArray.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import { definePrimitive, none, type MaybeZero, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import * as complexMath from "./complexMath.js";
import {
  accepts,
  addTangents,
  batchToFront,
  checkCount,
  checkSameTypes,
  constantLike,
} from "./factories.js";
import * as floats from "./floatMath.js";
import { foldElementwise } from "./fold.js";
import * as integers from "./integerMath.js";
import { at, dtypeMismatch, shapeMismatch } from "./support.js";
import { lessWords, selectWords } from "./wordMath.js";

// --- select_n ------------------------------------------------------------------------------------

function selectType([which, ...cases]: readonly ShapedArray[]): ShapedArray {
  const [first] = cases;
  if (which === undefined || first === undefined) {
    throw shapeMismatch("select must have at least one case");
  }
  if (cases.some((aval) => !shapeEquals(aval.shape, first.shape))) {
    const list = cases.map((aval) => printShape(aval.shape)).join(", ");
    throw shapeMismatch(`select cases must have the same shapes, got [${list}].`);
  }
  if (which.shape.length > 0 && !shapeEquals(which.shape, first.shape)) {
    throw shapeMismatch(
      "select `which` must be scalar or have the same shape as cases, got `which` shape " +
        `${printShape(which.shape)} but case shape ${printShape(first.shape)}.`,
    );
  }
  checkSameTypes("select", cases);
  if (which.dtype !== "bool" && !isInteger(which.dtype)) {
    throw dtypeMismatch(`select \`which\` must be boolean or integer type, got ${which.dtype}.`);
  }
  if (which.dtype === "bool" && cases.length > 2) {
    throw dtypeMismatch("select with boolean `which` cannot have > 2 cases.");
  }
  return shapedArray(
    first.dtype,
    first.shape,
    cases.every((aval) => aval.weakType),
  );
}

/** Chooses tensors by a bool or an index; indices out of range choose the nearest case. */
function chooseTensor(tf: Tf, which: Tensor, cases: readonly Tensor[]): Tensor {
  const [first, ...others] = cases;
  if (first === undefined) throw new Error("internal error: select_n without cases");
  return others.reduce((chosen, tensor, index) => {
    const reached =
      which.dtype === "bool" ? which : tf.binary("Greater", which, integers.int(tf, index));
    return tf.select(reached, tensor, chosen);
  }, first);
}

function selectTfjs(tf: Tf, inputs: readonly GraphValue[], out: ShapedArray): GraphValue {
  const which = tf.broadcastable(at(inputs, 0));
  const cases = inputs.slice(1);
  if (out.dtype === "uint32" && !tf.exactIntegers) {
    const words = cases.map((value) => tf.limbs(value));
    const choose = (limbs: readonly Tensor[]): Tensor => chooseTensor(tf, which, limbs);
    const high = choose(words.map((word) => word.high));
    return tf.fromLimbs(high, choose(words.map((word) => word.low)), out);
  }
  if (!isComplex(out.dtype)) {
    return tf.value(
      chooseTensor(
        tf,
        which,
        cases.map((value) => tf.broadcastable(value)),
      ),
      out,
    );
  }
  const pairs = cases.map((value) => tf.pair(value));
  const re = chooseTensor(
    tf,
    which,
    pairs.map((pair) => pair.re),
  );
  return tf.fromPair(
    re,
    chooseTensor(
      tf,
      which,
      pairs.map((pair) => pair.im),
    ),
    out,
  );
}

function selectBatch(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
): { readonly output: Value; readonly dim: number } {
  const sized = inputs.findIndex((_, index) => (dims[index] ?? null) !== null);
  const size = at(at(inputs, sized).aval.shape, at(dims, sized) ?? 0);
  const [which, ...cases] = inputs.map((value, index) => {
    const dim = dims[index] ?? null;
    if (dim !== null) return batchToFront(o, value, dim);
    const { shape } = value.aval;
    if (index === 0 && shape.length === 0) return value;
    return o.broadcastInDim(
      value,
      [size, ...shape],
      shape.map((_, axis) => axis + 1),
    );
  });
  const first = at(cases, 0);
  if (which === undefined) throw new Error("internal error: select_n without arguments");
  const { shape } = which.aval;
  const wide =
    shape.length > 0 && shape.length < first.aval.shape.length
      ? o.broadcastInDim(which, first.aval.shape, [0])
      : which;
  return { output: o.selectN(wide, ...cases), dim: 0 };
}

/** Copies the bytes of the chosen elements: exact for every dtype. */
function foldSelect(inputs: readonly HostArray[], out: ShapedArray): HostArray | null {
  const [which, ...cases] = inputs;
  const { shape, dtype } = out;
  if (which === undefined || !isStaticShape(shape) || kindOf(dtype) === "key") return null;
  const choices = toNumbers(which);
  const size = storageBytesOf(dtype);
  const bytes = new Uint8Array(elementCount(shape) * size);
  for (let index = 0; index * size < bytes.length; index++) {
    const choice = choices[choices.length === 1 ? 0 : index] ?? 0;
    const source = cases[Math.min(Math.max(choice, 0), cases.length - 1)];
    if (source === undefined) return null;
    bytes.set(source.bytes.subarray(index * size, (index + 1) * size), index * size);
  }
  return hostArray(dtype, shape, bytes);
}

export const selectN: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "select_n",
  abstractEval: (inputs) => [selectType(inputs)],
  jvp: (o, primals, tangents) => {
    const [which, ...cases] = primals;
    const caseTangents = tangents.slice(1);
    if (which === undefined) throw new Error("internal error: select_n without arguments");
    const result = o.selectN(which, ...cases);
    const some = caseTangents.find((tangent): tangent is Value => tangent !== null);
    if (some === undefined) return { primals: [result], tangents: [null] };
    const zero = o.full(some.aval.shape, 0, some.aval.dtype);
    const filled = caseTangents.map((tangent) => tangent ?? zero);
    return { primals: [result], tangents: [o.selectN(which, ...filled)] };
  },
  transpose: (o, [cotangent = null], inputs) => {
    const [which, ...cases] = inputs;
    if (cotangent === null || which?.kind !== "known") return inputs.map(() => null);
    const zero = o.full(cotangent.aval.shape, 0, cotangent.aval.dtype);
    const last = cases.length - 1;
    const pulled = cases.map((input, index): MaybeZero => {
      if (input.kind === "known") return null;
      if (which.value.aval.dtype === "bool") {
        return index === 0
          ? o.selectN(which.value, cotangent, zero)
          : o.selectN(which.value, zero, cotangent);
      }
      const own = o.eq(
        o.clamp(constantLike(o, which.value, 0), which.value, constantLike(o, which.value, last)),
        constantLike(o, which.value, index),
      );
      return o.selectN(own, zero, cotangent);
    });
    return [null, ...pulled];
  },
  batch: (o, inputs, dims) => {
    const { output, dim } = selectBatch(o, inputs, dims);
    return { outputs: [output], dims: [dim] };
  },
  tfjs: (tf, inputs, _params, outs) => [selectTfjs(tf, inputs, at(outs, 0))],
  traits: { elementwise: true, keys: true },
  fold: (inputs, _params, outs) => {
    const folded = foldSelect(inputs, at(outs, 0));
    return folded === null ? null : [folded];
  },
});

// --- clamp ---------------------------------------------------------------------------------------

function clampType(inputs: readonly ShapedArray[]): ShapedArray {
  checkCount("clamp", inputs, 3);
  const [low, x, high] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  for (const [name, bound] of [["min", low] as const, ["max", high] as const]) {
    if (bound.shape.length > 0 && !shapeEquals(bound.shape, x.shape)) {
      throw shapeMismatch(
        `clamp requires ${name}.shape == operand.shape or ${name}.shape == (), got ` +
          `${name}.shape=${printShape(bound.shape)}, operand.shape=${printShape(x.shape)}.`,
      );
    }
  }
  inputs.forEach((aval, index) => {
    if (accepts.any.kinds.some((kind) => kind === kindOf(aval.dtype))) return;
    throw dtypeMismatch(`clamp does not accept dtype ${aval.dtype} at position ${index}.`);
  });
  checkSameTypes("clamp", inputs);
  return shapedArray(
    x.dtype,
    x.shape,
    inputs.every((aval) => aval.weakType),
  );
}

function clampTensor(tf: Tf, low: Tensor, x: Tensor, high: Tensor, dtype: DType): Tensor {
  if (dtype === "bool") {
    return tf.binary("LogicalAnd", tf.binary("LogicalOr", x, low), high);
  }
  if (isFloat(dtype)) {
    return floats.extremum(tf, "Minimum", floats.extremum(tf, "Maximum", x, low), high);
  }
  if (dtype !== "uint32") return tf.binary("Minimum", tf.binary("Maximum", x, low), high);
  const raised = tf.select(integers.unsignedLess(tf, x, low), low, x);
  return tf.select(integers.unsignedLess(tf, high, raised), high, raised);
}

function clampWords(tf: Tf, inputs: readonly GraphValue[], out: ShapedArray): GraphValue {
  const words = inputs.map((value) => tf.limbs(value));
  const [low, x, high] = [at(words, 0), at(words, 1), at(words, 2)];
  const raised = selectWords(tf, lessWords(tf, x, low), low, x);
  const result = selectWords(tf, lessWords(tf, high, raised), high, raised);
  return tf.fromLimbs(result.high, result.low, out);
}

function clampTfjs(tf: Tf, inputs: readonly GraphValue[], out: ShapedArray): GraphValue {
  const [low, x, high] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  if (out.dtype === "uint32" && !tf.exactIntegers) return clampWords(tf, [low, x, high], out);
  if (!isComplex(out.dtype)) {
    const parts = [low, x, high].map((value) => tf.broadcastable(value));
    return tf.value(clampTensor(tf, at(parts, 0), at(parts, 1), at(parts, 2), out.dtype), out);
  }
  const [lower, z, upper] = [tf.pair(low), tf.pair(x), tf.pair(high)];
  const raised = complexMath.select(tf, complexMath.less(tf, z, lower), lower, z);
  const result = complexMath.select(tf, complexMath.less(tf, upper, raised), upper, raised);
  return tf.fromPair(result.re, result.im, out);
}

/** The tangent where the condition holds, else zero. */
function whereTangent(o: Ops, condition: Value, tangent: Value, like: Value): Value {
  const { shape, dtype } = like.aval;
  const wide = tangent.aval.shape.length === 0 ? o.broadcastInDim(tangent, shape, []) : tangent;
  const test =
    condition.aval.shape.length === 0 ? o.broadcastInDim(condition, shape, []) : condition;
  return o.selectN(test, o.full(shape, 0, dtype), wide);
}

export const clamp: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "clamp",
  abstractEval: (inputs) => [clampType(inputs)],
  jvp: (o, primals, tangents) => {
    const [low, x, high] = [at(primals, 0), at(primals, 1), at(primals, 2)];
    const result = o.clamp(low, x, high);
    const [lowTangent, xTangent, highTangent] = [tangents[0], tangents[1], tangents[2]];
    const where = (condition: () => Value, tangent: MaybeZero | undefined): MaybeZero =>
      tangent === null || tangent === undefined
        ? null
        : whereTangent(o, condition(), tangent, result);
    const terms = [
      where(() => o.and(o.gt(low, x), o.lt(low, high)), lowTangent),
      where(() => o.and(o.gt(x, low), o.lt(x, high)), xTangent),
      where(() => o.lt(high, x), highTangent),
    ];
    return { primals: [result], tangents: [addTangents(o, terms)] };
  },
  transpose: none("clamp is not linear"),
  batch: (o, inputs, dims) => {
    const sized = inputs.findIndex((_, index) => (dims[index] ?? null) !== null);
    const size = at(at(inputs, sized).aval.shape, at(dims, sized) ?? 0);
    const rank = (value: Value, index: number): number =>
      value.aval.shape.length - ((dims[index] ?? null) === null ? 0 : 1);
    const full = at(inputs, 1).aval.shape.filter((_, axis) => axis !== (dims[1] ?? null));
    const wide = inputs.map((value, index) => {
      const dim = dims[index] ?? null;
      if (dim === null && value.aval.shape.length === 0 && index !== 1) return value;
      const front = dim === null ? value : batchToFront(o, value, dim);
      const axes = Array.from(
        { length: rank(value, index) },
        (_, axis) => full.length - rank(value, index) + axis + 1,
      );
      return o.broadcastInDim(front, [size, ...full], dim === null ? axes : [0, ...axes]);
    });
    return { outputs: [o.clamp(at(wide, 0), at(wide, 1), at(wide, 2))], dims: [0] };
  },
  tfjs: (tf, inputs, _params, outs) => [clampTfjs(tf, inputs, at(outs, 0))],
  traits: { elementwise: true },
  fold: (inputs, _params, outs) => {
    const folded = foldElementwise(inputs, at(outs, 0), (args) =>
      Math.min(Math.max(at(args, 1), at(args, 0)), at(args, 2)),
    );
    return folded === null ? null : [folded];
  },
});
