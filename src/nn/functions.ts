/** Functions of neural networks: activations, softmax, normalisation. Called by index.ts and others here. */
import { hashKey, type Dim } from "../ir/dims.js";
import { isFloat, type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { customJvp } from "../api/customDerivatives.js";
import { stopGradient as stopGradientRecord } from "../../primitives/iota.js";
import { at, canonicalAxis, canonicalDtype, invalid, isSize, optionsOf } from "../lax/arguments.js";
import { arrayValue, callNamed, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import { logaddexp, scalarLike, selectValues } from "../numpy/elementwise.js";
import { promoteInexact, toType } from "../numpy/promotion.js";
import { axesOf, keepDimensions, type Axis } from "../numpy/reductions.js";
import { describeValue, type ArrayLike, type ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";

function floating(x: ArrayLike): Value {
  return at(promoteInexact([arrayValue(x)]), 0);
}

function zerosOf(x: Value): Value {
  return o.full(x.aval.shape, 0, x.aval.dtype);
}

const reluOf = customJvp(function relu(x: ArrayValue): ArrayValue {
  const body = (value: Value): Value => o.max(value, scalarLike(value, 0));
  return out(callNamedOne("relu", "", body, [arrayValue(x)]));
});
reluOf.defjvp(([x], [tangent]) => {
  const [value, change] = [arrayValue(x), arrayValue(tangent)];
  const isOn = o.gt(value, scalarLike(value, 0));
  return [reluOf(x), out(selectValues(isOn, change, zerosOf(change)))];
});

/** `max(x, 0)`, with derivative 0 at 0. JAX's `jax.nn.relu`. */
export function relu(x: ArrayLike): ArrayValue {
  return reluOf(out(arrayValue(x)));
}

/** relu up to 6. JAX's `jax.nn.relu6`. */
export function relu6(x: ArrayLike): ArrayValue {
  const value = floating(x);
  return out(o.min(o.max(value, scalarLike(value, 0)), scalarLike(value, 6)));
}

/** `1 / (1 + exp(-x))`. JAX's `jax.nn.sigmoid`. */
export function sigmoid(x: ArrayLike): ArrayValue {
  return out(o.logistic(floating(x)));
}

/** `log(sigmoid(x))`. JAX's `jax.nn.log_sigmoid`. */
export function logSigmoid(x: ArrayLike): ArrayValue {
  return out(o.neg(arrayValue(softplus(out(o.neg(floating(x)))))));
}

/** `log(1 + exp(x))`. JAX's `jax.nn.softplus`. */
export function softplus(x: ArrayLike): ArrayValue {
  return logaddexp(out(floating(x)), 0);
}

/** `x * sigmoid(x)`. JAX's `jax.nn.silu`. */
export function silu(x: ArrayLike): ArrayValue {
  return out(callNamedOne("silu", "", (v) => o.mul(v, o.logistic(v)), [floating(x)]));
}
/** JAX's `jax.nn.swish`. */
export const swish = silu;

/** JAX's `jax.nn.tanh`. */
export function tanh(x: ArrayLike): ArrayValue {
  return out(o.tanh(floating(x)));
}

/** `x / (1 + |x|)`. JAX's `jax.nn.soft_sign`. */
export function softSign(x: ArrayLike): ArrayValue {
  const value = floating(x);
  return out(o.div(value, o.add(o.abs(value), scalarLike(value, 1))));
}

export interface GeluOptions {
  /** The approximation by tanh. Default: true. */
  readonly approximate?: boolean;
}

function approximateGelu(value: Value): Value {
  const number = (x: number): Value => scalarLike(value, Math.fround(x));
  const cubic = o.mul(number(0.044715), o.integerPow(value, 3));
  const inner = o.mul(number(Math.sqrt(2 / Math.PI)), o.add(value, cubic));
  return o.mul(value, o.mul(number(0.5), o.add(number(1), o.tanh(inner))));
}

function exactGelu(value: Value): Value {
  const number = (x: number): Value => scalarLike(value, Math.fround(x));
  const tail = o.erfc(o.mul(o.neg(value), number(Math.SQRT1_2)));
  return o.mul(o.mul(number(0.5), value), tail);
}

/** `x` times the probability of a normal number below it. JAX's `jax.nn.gelu`. */
export function gelu(x: ArrayLike, options: GeluOptions = {}): ArrayValue {
  const { approximate = true } = optionsOf("gelu", options, ["approximate"]);
  const value = floating(x);
  return out(approximate ? approximateGelu(value) : exactGelu(value));
}

/** A parameter of an activation. */
function number(name: string, given: unknown): number {
  if (typeof given === "number") return given;
  throw invalid(`the parameter of ${name} must be a number, got ${describeValue(given)}`);
}

/** `x` above 0, else `slope * x`. JAX's `jax.nn.leaky_relu`. */
export function leakyRelu(x: ArrayLike, slope = 0.01): ArrayValue {
  const value = floating(x);
  const below = o.mul(scalarLike(value, number("leakyRelu", slope)), value);
  return out(selectValues(o.ge(value, scalarLike(value, 0)), value, below));
}

/** `x` above 0, else `alpha * (exp(x) - 1)`. JAX's `jax.nn.elu`. */
export function elu(x: ArrayLike, alpha = 1): ArrayValue {
  const factor = number("elu", alpha);
  const value = floating(x);
  const isAbove = o.gt(value, scalarLike(value, 0));
  const safe = selectValues(isAbove, zerosOf(value), value);
  return out(selectValues(isAbove, value, o.mul(scalarLike(value, factor), o.expm1(safe))));
}

/** elu with the constants that keep mean 0 and variance 1. JAX's `jax.nn.selu`. */
export function selu(x: ArrayLike): ArrayValue {
  const value = arrayValue(elu(x, 1.6732632423543772));
  return out(o.mul(scalarLike(value, 1.0507009873554805), value));
}

/** The largest of a dimension, kept, as a constant of the derivative. */
function shift(value: Value, axes: readonly number[]): Value {
  const largest = o.reduceMax(value, axes);
  const bounded = o.max(o.literal(-Infinity, value.aval.dtype), largest);
  const kept = keepDimensions(bounded, value.aval.shape, axes);
  return at(o.bind(stopGradientRecord, [kept], {}), 0);
}

export interface SoftmaxOptions {
  /** Default: the last dimension. */
  readonly axis?: Axis;
}

/** Positive numbers that add up to 1: `exp(x) / sum(exp(x))`. JAX's `jax.nn.softmax`. */
export function softmax(x: ArrayLike, options: SoftmaxOptions = {}): ArrayValue {
  const { axis = -1 } = optionsOf("softmax", options, ["axis"]);
  const value = floating(x);
  const { shape } = value.aval;
  const axes = axesOf(axis, shape.length);
  const powers = o.exp(o.sub(value, shift(value, axes)));
  return out(o.div(powers, keepDimensions(o.reduceSum(powers, axes), shape, axes)));
}

/** The logarithm of `softmax`. JAX's `jax.nn.log_softmax`. */
export function logSoftmax(x: ArrayLike, options: SoftmaxOptions = {}): ArrayValue {
  const { axis = -1 } = optionsOf("logSoftmax", options, ["axis"]);
  const body = (value: Value): Value => {
    const { shape } = value.aval;
    const axes = axesOf(axis, shape.length);
    const shifted = o.sub(value, shift(value, axes));
    const sum = o.reduceSum(o.exp(shifted), axes);
    return o.sub(shifted, o.log(keepDimensions(sum, shape, axes)));
  };
  return out(callNamedOne("log_softmax", JSON.stringify(axis), body, [floating(x)]));
}

export interface LogsumexpOptions {
  readonly axis?: Axis;
  readonly keepdims?: boolean;
}

/** `log(sum(exp(x)))` without overflow. JAX's `jax.nn.logsumexp`. */
export function logsumexp(x: ArrayLike, options: LogsumexpOptions = {}): ArrayValue {
  const { axis = null, keepdims = false } = optionsOf("logsumexp", options, ["axis", "keepdims"]);
  const value = floating(x);
  const { shape, dtype } = value.aval;
  const axes = axesOf(axis, shape.length);
  const largest = o.max(o.literal(-Infinity, dtype), o.reduceMax(value, axes));
  const zero = largest.aval.shape.length === 0 ? o.literal(0, dtype) : zerosOf(largest);
  const finite = o.selectN(o.isFinite(largest), zero, largest);
  const base = at(o.bind(stopGradientRecord, [finite], {}), 0);
  const powers = o.exp(o.sub(value, keepDimensions(base, shape, axes)));
  const result = o.add(o.log(o.reduceSum(powers, axes)), base);
  return out(keepdims ? keepDimensions(result, shape, axes) : result);
}

export interface OneHotOptions {
  readonly dtype?: DType;
  /** Where the dimension of the classes is. Default: last. */
  readonly axis?: number;
}

/** 1 at the place of each class, else 0. JAX's `jax.nn.one_hot`. */
export function oneHot(x: NestedArray, classes: Dim, options: OneHotOptions = {}): ArrayValue {
  const { dtype = "float32", axis = -1 } = optionsOf("oneHot", options, ["dtype", "axis"]);
  if (!isSize(classes) || (typeof classes === "number" && classes < 0)) {
    const given = isSize(classes) ? classes.toString() : describeValue(classes);
    throw invalid(`oneHot of ${given} classes`);
  }
  const given = arrayValue(x);
  const labels = isFloat(given.aval.dtype) ? toType(given, "int32") : given;
  const body = (value: Value): Value => {
    const { shape } = value.aval;
    const place = canonicalAxis(axis, shape.length + 1);
    const wide = o.broadcastInDim(
      value,
      shape.toSpliced(place, 0, 1),
      shape.map((_, i) => (i < place ? i : i + 1)),
    );
    const row: Dim[] = shape.map(() => 1);
    const columns = o.iota(value.aval.dtype, row.toSpliced(place, 0, classes), place);
    return o.convertElementType(o.eq(wide, columns), canonicalDtype(dtype));
  };
  return out(callNamedOne("_one_hot", `${hashKey(classes)} ${dtype} ${axis}`, body, [labels]));
}

/** `(x - mean) / sqrt(variance + epsilon)` along a dimension. JAX's `jax.nn.standardize`. */
export function standardize(
  x: ArrayLike,
  options: { readonly axis?: Axis; readonly epsilon?: number } = {},
): ArrayValue {
  const { axis = -1, epsilon = 1e-5 } = optionsOf("standardize", options, ["axis", "epsilon"]);
  const body = (value: Value): readonly Value[] => {
    const { shape } = value.aval;
    const axes = axesOf(axis, shape.length);
    const count = axes.reduce((product, place) => product * Number(at(shape, place)), 1);
    const mean = (of: Value): Value => {
      const sum = keepDimensions(o.reduceSum(of, axes), shape, axes);
      return o.div(sum, scalarLike(sum, count));
    };
    const center = mean(value);
    const variance = o.sub(mean(o.square(value)), o.square(center));
    const scale = o.rsqrt(o.add(variance, scalarLike(variance, epsilon)));
    return [o.mul(o.sub(value, center), scale)];
  };
  const key = `${JSON.stringify(axis)} ${epsilon}`;
  return out(at(callNamed("standardize", key, body, [floating(x)]), 0));
}
