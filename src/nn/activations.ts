/** Further activation functions of `nn`, made of functions of `numpy`. */
import { hashKey } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import { at, canonicalAxis, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, out } from "../numpy/convert.js";
import * as np from "../numpy/elementwise.js";
import { promoteInexact } from "../numpy/promotion.js";
import { axesOf, type Axis } from "../numpy/reductions.js";
import { split } from "../numpy/shapes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { logsumexp, relu6, sigmoid, softplus } from "./functions.js";

function floating(x: ArrayLike): Value {
  return at(promoteInexact([arrayValue(x)]), 0);
}

/** `x` above 0, else `alpha * (exp(x / alpha) - 1)`. JAX's `jax.nn.celu`. */
export function celu(x: ArrayLike, alpha: ArrayLike = 1): ArrayValue {
  const value = out(floating(x));
  const below = np.expm1(np.divide(np.minimum(value, 0), alpha));
  return np.add(np.maximum(value, 0), np.multiply(alpha, below));
}

/** One half of a dimension times the sigmoid of the other. JAX's `jax.nn.glu`. */
export function glu(x: ArrayLike, axis = -1): ArrayValue {
  const value = floating(x);
  const place = canonicalAxis(axis, value.aval.shape.length);
  const size = at(value.aval.shape, place);
  if (typeof size === "number" && size % 2 !== 0) throw invalid("axis size must be divisible by 2");
  const [first, second] = split(out(value), 2, place);
  if (first === undefined || second === undefined) throw invalid(`glu along ${hashKey(size)}`);
  return np.multiply(first, sigmoid(second));
}

/** `x` kept between -1 and 1. JAX's `jax.nn.hard_tanh`. */
export function hardTanh(x: ArrayLike): ArrayValue {
  const value = out(arrayValue(x));
  return np.where(np.greater(value, 1), 1, np.where(np.less(value, -1), -1, value));
}

/** `relu6(x + 3) / 6`. JAX's `jax.nn.hard_sigmoid`. */
export function hardSigmoid(x: ArrayLike): ArrayValue {
  return np.divide(relu6(np.add(x, 3)), 6);
}

/** `x * hardSigmoid(x)`. JAX's `jax.nn.hard_silu`. */
export function hardSilu(x: ArrayLike): ArrayValue {
  const value = out(floating(x));
  return np.multiply(value, hardSigmoid(value));
}
/** JAX's `jax.nn.hard_swish`. */
export const hardSwish = hardSilu;

/** `x`. JAX's `jax.nn.identity`. */
export function identity(x: ArrayLike): ArrayValue {
  return out(arrayValue(x));
}

/** `log(1 - exp(-x))`, exact for small and large `x`. JAX's `jax.nn.log1mexp`. */
export function log1mexp(x: ArrayLike): ArrayValue {
  const value = out(floating(x));
  const minus = np.negative(value);
  return np.where(
    np.less(value, Math.fround(Math.LN2)),
    np.log(np.negative(np.expm1(minus))),
    np.log1p(np.negative(np.exp(minus))),
  );
}

/** The logarithm of the mean of `exp(x)`. JAX's `jax.nn.logmeanexp`. */
export function logmeanexp(
  x: ArrayLike,
  options: { readonly axis?: Axis | null; readonly keepdims?: boolean } = {},
): ArrayValue {
  const { axis = null, keepdims = false } = optionsOf("logmeanexp", options, ["axis", "keepdims"]);
  const { shape } = arrayValue(x).aval;
  const axes = axesOf(axis, shape.length);
  const count = axes.reduce((product, place) => product * Number(at(shape, place)), 1);
  return np.subtract(logsumexp(x, { axis, keepdims }), Math.fround(Math.log(count)));
}

/** `x * tanh(softplus(x))`. JAX's `jax.nn.mish`. */
export function mish(x: ArrayLike): ArrayValue {
  const value = out(floating(x));
  return np.multiply(value, np.tanh(softplus(value)));
}

/** 0 up to -1, `x` from 1, a parabola between. JAX's `jax.nn.sparse_plus`. */
export function sparsePlus(x: ArrayLike): ArrayValue {
  const value = out(floating(x));
  const between = np.divide(np.square(np.add(value, 1)), 4);
  return np.where(np.lessEqual(value, -1), 0, np.where(np.greaterEqual(value, 1), value, between));
}

/** The derivative of `sparsePlus`: 0 up to -1, 1 from 1. JAX's `jax.nn.sparse_sigmoid`. */
export function sparseSigmoid(x: ArrayLike): ArrayValue {
  return np.multiply(0.5, np.clip(np.add(x, 1), 0, 2));
}

/** `(x + sqrt(x^2 + b)) / 2`. JAX's `jax.nn.squareplus`. */
export function squareplus(x: ArrayLike, b: ArrayLike = 4): ArrayValue {
  const value = out(floating(x));
  return np.divide(np.add(value, np.sqrt(np.add(np.square(value), b))), 2);
}
