/**
 * Records of the reductions JAX names: reduce_sum, reduce_prod, reduce_max, reduce_min, reduce_and,
 * reduce_or, reduce_xor. Summing long float rows in stages (accuracy on wasm) is the node builder's.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { printShape, shapeEquals, shapeSize, type Shape } from "../src/ir/dims.js";
import { bitsOf, isComplex, isInteger, isKey, kindOf, type DType } from "../src/ir/dtypes.js";
import {
  definePrimitive,
  none,
  type JvpRule,
  type Limit,
  type NoRule,
  type Primitive,
} from "../src/ir/primitive.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import * as rules from "./reduceTransforms.js";
import { reshapeTo } from "./shape.js";
import { linearJvp } from "./shapeTransforms.js";
import {
  alignRight,
  at,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  realTfDtype,
  withoutAxes,
} from "./support.js";
import { treeReduce } from "./treeReduce.js";
import { foldReduction } from "./reduceFold.js";

export type ReduceParams = { readonly axes: readonly number[] };

/** The shape without the reduced dimensions. */
export function reducedShape(name: string, x: ShapedArray, axes: readonly number[]): Shape {
  if (new Set(axes).size !== axes.length) {
    throw invalid(`duplicate value in 'axes' of reduction: ${printShape(axes)}`);
  }
  if (axes.some((axis) => !(Number.isInteger(axis) && axis >= 0 && axis < x.shape.length))) {
    throw invalid(
      `reduction axes ${printShape(axes)} contains out-of-bounds indices for ${name} of shape ` +
        `${printShape(x.shape)}.`,
    );
  }
  return withoutAxes(x.shape, axes);
}

/** The smallest and the largest value of an integer dtype. */
function integerLimits(dtype: DType): readonly [number, number] {
  const bits = bitsOf(dtype);
  return kindOf(dtype) === "unsigned"
    ? [0, 2 ** bits - 1]
    : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

export type Monoid = "sum" | "prod" | "max" | "min" | "and" | "or" | "xor";

/** The value that changes nothing: the result of reducing no elements. */
export function identityOf(monoid: Monoid, dtype: DType): number | boolean {
  const isBool = dtype === "bool";
  switch (monoid) {
    case "sum":
      return 0;
    case "prod":
      return 1;
    case "max":
      if (isBool) return false;
      return isInteger(dtype) ? integerLimits(dtype)[0] : -Infinity;
    case "min":
      if (isBool) return true;
      return isInteger(dtype) ? integerLimits(dtype)[1] : Infinity;
    case "and":
      if (isBool) return true;
      return kindOf(dtype) === "unsigned" ? integerLimits(dtype)[1] : -1;
    case "or":
    case "xor":
      return isBool ? false : 0;
  }
}

/** The monoid's operation on values of a program under construction. */
export function combineWith(o: Ops, monoid: Monoid): (x: Value, y: Value) => Value {
  switch (monoid) {
    case "sum":
      return o.add;
    case "prod":
      return o.mul;
    case "max":
      return o.max;
    case "min":
      return o.min;
    case "and":
      return o.and;
    case "or":
      return o.or;
    case "xor":
      return o.xor;
  }
}

/** One pass of a TensorFlow reduction, dimensions of size 1 left to a reshape. */
function reduceTensor(
  tf: Tf,
  op: "Sum" | "Prod" | "Max" | "Min" | "All" | "Any",
  x: Tensor,
  axes: readonly number[],
): Tensor {
  const long = axes.filter((axis) => x.shape[axis] !== 1);
  const reduced = long.length === 0 ? x : tf.reduce(op, x, long);
  return reshapeTo(tf, reduced, withoutAxes(x.shape, axes));
}

/** Adds 2^31, which turns the order of uint32 bit patterns into that of int32 and back. */
export function flipSign(tf: Tf, x: Tensor): Tensor {
  return tf.binary("AddV2", x, tf.scalar(-(2 ** 31), "int32"));
}

/** Integer results of at least `bits` bits as JAX wraps them. */
export function wrapInteger(tf: Tf, x: Tensor, out: ShapedArray): GraphValue {
  if (!isInteger(out.dtype) || bitsOf(out.dtype) >= 32) return tf.value(x, out);
  const wide = tf.value(x, shapedArray("int32", out.shape));
  const narrow = tf.inline([wide], (o, values) => [o.convertElementType(at(values, 0), out.dtype)]);
  return at(narrow, 0);
}

/** Axes along which the tensor is a pending broadcast: all elements there are equal. */
function pendingAxes(small: Shape, shape: Shape, axes: readonly number[]): readonly number[] {
  return axes.filter((axis) => small[axis] === 1 && shape[axis] !== 1);
}

function sumPart(tf: Tf, part: Tensor, shape: Shape, axes: readonly number[]): Tensor {
  const x = reshapeTo(tf, part, alignRight(part.shape, shape.length));
  const pending = pendingAxes(x.shape, shape, axes);
  const sum = reduceTensor(tf, "Sum", x, axes);
  if (pending.length === 0) return sum;
  const count = tf.dim(shapeSize(pending.map((axis) => at(shape, axis))));
  return tf.binary("Mul", sum, x.dtype === "int32" ? count : tf.cast(count, "float32"));
}

function reduceSumRule(
  tf: Tf,
  x: GraphValue,
  axes: readonly number[],
  out: ShapedArray,
): GraphValue {
  if (isComplex(out.dtype)) {
    const { re, im } = tf.pair(x);
    const sum = (part: Tensor): Tensor => sumPart(tf, part, x.aval.shape, axes);
    return tf.fromPair(sum(re), sum(im), out);
  }
  return wrapInteger(tf, sumPart(tf, tf.broadcastable(x), x.aval.shape, axes), out);
}

/** max, min, and bool and/or: repeated elements change nothing, so broadcasts can stay pending. */
function reduceOrder(
  tf: Tf,
  op: "Max" | "Min" | "All" | "Any",
  x: GraphValue,
  axes: readonly number[],
  out: ShapedArray,
): GraphValue {
  const part = tf.broadcastable(x);
  const aligned = reshapeTo(tf, part, alignRight(part.shape, x.aval.shape.length));
  if (out.dtype !== "uint32") return tf.value(reduceTensor(tf, op, aligned, axes), out);
  return tf.value(flipSign(tf, reduceTensor(tf, op, flipSign(tf, aligned), axes)), out);
}

/** By pairs, with the primitive of the monoid. */
function reduceByTree(
  tf: Tf,
  monoid: Monoid,
  x: GraphValue,
  axes: readonly number[],
): readonly GraphValue[] {
  const { dtype } = x.aval;
  return tf.inline([x], (o, values) => {
    const combine = combineWith(o, monoid);
    return treeReduce(
      o,
      values,
      [o.literal(identityOf(monoid, dtype), dtype)],
      axes,
      (left, right) => [combine(at(left, 0), at(right, 0))],
    );
  });
}

/** Parity of bools. */
function xorOfBools(tf: Tf, x: GraphValue, axes: readonly number[], out: ShapedArray): GraphValue {
  const sum = reduceTensor(tf, "Sum", tf.cast(tf.tensor(x), "int32"), axes);
  const odd = tf.binary("FloorMod", sum, tf.scalar(2, "int32"));
  return tf.value(tf.cast(odd, "bool"), out);
}

function reduceRule(
  tf: Tf,
  monoid: Monoid,
  x: GraphValue,
  axes: readonly number[],
  out: ShapedArray,
): readonly GraphValue[] {
  if (shapeEquals(x.aval.shape, out.shape)) return [x];
  if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
  if (isEmptyShape(x.aval.shape)) return [identityValue(tf, monoid, out)];
  const { dtype } = out;
  // Where int32 is float32, only the primitives know words of 32 bits.
  if (dtype === "uint32" && !tf.exactIntegers) return reduceByTree(tf, monoid, x, axes);
  switch (monoid) {
    case "sum":
      return [reduceSumRule(tf, x, axes, out)];
    case "prod":
      // The cpu backend multiplies int32 as doubles: only the primitive `mul` knows how to wrap.
      if (isComplex(dtype) || isInteger(dtype)) return reduceByTree(tf, monoid, x, axes);
      return [tf.value(reduceTensor(tf, "Prod", tf.tensor(x), axes), out)];
    case "max":
    case "min": {
      if (isComplex(dtype)) return reduceByTree(tf, monoid, x, axes);
      const isMax = monoid === "max";
      if (dtype === "bool") return [reduceOrder(tf, isMax ? "Any" : "All", x, axes, out)];
      return [reduceOrder(tf, isMax ? "Max" : "Min", x, axes, out)];
    }
    case "and":
    case "or":
      if (dtype !== "bool") return reduceByTree(tf, monoid, x, axes);
      return [reduceOrder(tf, monoid === "and" ? "All" : "Any", x, axes, out)];
    case "xor":
      if (dtype !== "bool") return reduceByTree(tf, monoid, x, axes);
      return [xorOfBools(tf, x, axes, out)];
  }
}

/** The identity of the monoid in the result's shape. */
function identityValue(tf: Tf, monoid: Monoid, out: ShapedArray): GraphValue {
  const identity = identityOf(monoid, out.dtype);
  if (isComplex(out.dtype)) {
    return tf.fromPair(tf.scalar(identity, "float32"), tf.scalar(0, "float32"), out);
  }
  const dtype = realTfDtype(out.dtype);
  const value = dtype === "int32" ? Number(identity) | 0 : identity;
  return tf.value(tf.scalar(value, dtype), out);
}

function checkDtype(name: string, monoid: Monoid, dtype: DType): void {
  const isLogical = monoid === "and" || monoid === "or" || monoid === "xor";
  if (isLogical && dtype !== "bool" && !isInteger(dtype)) {
    throw dtypeMismatch(`logical reduction requires operand dtype bool or int, got ${dtype}.`);
  }
  if ((monoid === "sum" || monoid === "prod") && (dtype === "bool" || isKey(dtype))) {
    throw dtypeMismatch(
      `${name} does not accept dtype ${dtype}. Accepted dtypes are subtypes of number.`,
    );
  }
}

/** Forward derivatives; the logical reductions have none, as they take no floating operands. */
function derivativeOf(
  monoid: Monoid,
  self: () => Primitive<ReduceParams>,
): JvpRule<ReduceParams> | NoRule {
  switch (monoid) {
    case "sum":
      return linearJvp(self);
    case "prod":
      return rules.reductionJvp("prod", self);
    case "max":
    case "min":
      return rules.reductionJvp("extremum", self);
    case "and":
    case "or":
    case "xor":
      return none("logical operations have no derivative");
  }
}

const extremumLimit = (monoid: "max" | "min"): Limit => ({
  when: `all elements ${monoid === "max" ? "below -1e20" : "above 1e20"}, infinities say, on webgl`,
  effect: `the result is ${monoid === "max" ? "-1e20" : "1e20"}`,
  why: "the kernel starts from that number",
});

function reduction(monoid: Monoid): Primitive<ReduceParams> {
  const name = `reduce_${monoid}`;
  const isLogical = monoid === "and" || monoid === "or" || monoid === "xor";
  const record: Primitive<ReduceParams> = definePrimitive<ReduceParams>({
    name,
    abstractEval: (inputs, { axes }) => {
      checkCount(name, inputs, 1);
      const x = at(inputs, 0);
      checkDtype(name, monoid, x.dtype);
      const weak = isLogical ? false : x.weakType;
      return [shapedArray(x.dtype, reducedShape(name, x, axes), weak)];
    },
    jvp: derivativeOf(monoid, () => record),
    transpose:
      monoid === "sum" ? rules.reduceSumTranspose : none(`${name} is not linear in its operand`),
    batch: rules.reduceBatch(() => record),
    tfjs: (tf, inputs, { axes }, outs) => reduceRule(tf, monoid, at(inputs, 0), axes, at(outs, 0)),
    fold: (inputs, { axes }, outs) => foldReduction(monoid, at(inputs, 0), axes, at(outs, 0)),
    flops: (inputs) => {
      const size = shapeSize(at(inputs, 0).shape);
      return typeof size === "number" ? size : 0;
    },
    ...(monoid === "max" || monoid === "min" ? { limits: [extremumLimit(monoid)] } : {}),
  });
  return record;
}

export const reduceSum = reduction("sum");
export const reduceProd = reduction("prod");
export const reduceMax = reduction("max");
export const reduceMin = reduction("min");
export const reduceAnd = reduction("and");
export const reduceOr = reduction("or");
export const reduceXor = reduction("xor");
