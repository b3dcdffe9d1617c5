/** The gamma distribution and those made of it. */
import type { Shape } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import { randomGamma } from "../../primitives/randomGamma.js";
import { bindOne, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import * as np from "../numpy/elementwise.js";
import { broadcastValue, toType } from "../numpy/promotion.js";
import { max, sum } from "../numpy/reductions.js";
import { expandDims } from "../numpy/shapes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { exponential, normal, rademacher } from "./basic.js";
import { drawNamed, parametersOf, shapeOfDraw, type DrawOptions } from "./draws.js";
import { keyValue, shapeKey, twoKeys } from "./keys.js";

function gammaDraw(
  name: string,
  key: ArrayLike,
  a: NestedArray,
  shape: Shape | undefined,
  log_space: boolean,
): ArrayValue {
  const alphas = arrayValue(a);
  const sizes = shapeOfDraw(name, shape, [alphas.aval.shape]);
  const body = (k: Value, given: Value): Value => {
    const wide = broadcastValue(toType(given, "float32"), sizes);
    return bindOne(randomGamma, [k, wide], { log_space });
  };
  const values = [keyValue(name, key), alphas];
  return out(callNamedOne("_gamma", `${shapeKey(sizes)} ${String(log_space)}`, body, values));
}

/** Gamma numbers of shape `a` and scale 1. JAX's `jax.random.gamma`. */
export function gamma(key: ArrayLike, a: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("gamma", options, ["shape"]);
  return gammaDraw("gamma", key, a, shape, false);
}

/** Logarithms of gamma numbers, exact where `a` is small. JAX's `jax.random.loggamma`. */
export function loggamma(key: ArrayLike, a: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("loggamma", options, ["shape"]);
  return gammaDraw("loggamma", key, a, shape, true);
}

/** Beta numbers. JAX's `jax.random.beta`. */
export function beta(
  key: ArrayLike,
  a: NestedArray,
  b: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("beta", options, ["shape"]);
  const parameters = parametersOf(a, b);
  const sizes = shapeOfDraw(
    "beta",
    shape,
    parameters.map(({ aval }) => aval.shape),
  );
  const body = (k: Value, first: Value, second: Value): Value => {
    const [keyA, keyB] = twoKeys(k);
    const logs = [
      loggamma(out(keyA), out(broadcastValue(first, sizes)), { shape: sizes }),
      loggamma(out(keyB), out(broadcastValue(second, sizes)), { shape: sizes }),
    ].map(arrayValue);
    const [logA, logB] = logs;
    if (logA === undefined || logB === undefined) throw new Error("internal error: two draws");
    const most = o.max(logA, logB);
    const [scaledA, scaledB] = [o.exp(o.sub(logA, most)), o.exp(o.sub(logB, most))];
    return o.div(scaledA, o.add(scaledA, scaledB));
  };
  const values = [keyValue("beta", key), ...parameters];
  return out(callNamedOne("_beta", shapeKey(sizes), body, values));
}

/** Numbers that add up to 1 along the last dimension, that of `alpha`. JAX's `jax.random.dirichlet`. */
export function dirichlet(
  key: ArrayLike,
  alpha: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("dirichlet", options, ["shape"]);
  const parameters = parametersOf(alpha);
  const own = parameters[0]?.aval.shape ?? [];
  if (own.length === 0) throw invalid("dirichlet requires alpha.ndim >= 1, got alpha.ndim == 0");
  const sizes = shapeOfDraw("dirichlet", shape, [own.slice(0, -1)]);
  const draw = (k: ArrayValue, a: ArrayValue): ArrayValue => {
    const logs = loggamma(k, a, { shape: [...sizes, ...own.slice(-1)] });
    const most = max(logs, { axis: -1, keepdims: true });
    const powers = np.exp(np.subtract(logs, out(o.stopGradient(arrayValue(most)))));
    return np.divide(powers, sum(powers, { axis: -1, keepdims: true }));
  };
  const values = [keyValue("dirichlet", key), ...parameters];
  return drawNamed("_dirichlet", shapeKey(sizes), draw, values);
}

/** Chi-square numbers of `df` degrees of freedom. JAX's `jax.random.chisquare`. */
export function chisquare(key: ArrayLike, df: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("chisquare", options, ["shape"]);
  const parameters = parametersOf(df);
  const sizes = shapeOfDraw("chisquare", shape, [parameters[0]?.aval.shape ?? []]);
  const draw = (k: ArrayValue, degrees: ArrayValue): ArrayValue =>
    np.multiply(np.exp(loggamma(k, np.divide(degrees, 2), { shape: sizes })), 2);
  const values = [keyValue("chisquare", key), ...parameters];
  return drawNamed("_chisquare", shapeKey(sizes), draw, values);
}

/** F numbers of two degrees of freedom. JAX's `jax.random.f`. */
export function f(
  key: ArrayLike,
  dfnum: NestedArray,
  dfden: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("f", options, ["shape"]);
  const parameters = parametersOf(dfnum, dfden);
  const own = parameters.map(({ aval }) => aval.shape);
  const sizes = shapeOfDraw("f", shape, own);
  const draw = (k: ArrayValue, numerator: ArrayValue, denominator: ArrayValue): ArrayValue => {
    const [keyDenominator, keyNumerator] = twoKeys(arrayValue(k)).map(out);
    if (keyDenominator === undefined || keyNumerator === undefined) {
      throw new Error("internal error: two keys");
    }
    const above = np.divide(chisquare(keyNumerator, numerator, { shape: sizes }), numerator);
    const below = np.divide(chisquare(keyDenominator, denominator, { shape: sizes }), denominator);
    return np.divide(above, below);
  };
  return drawNamed("_f", shapeKey(sizes), draw, [keyValue("f", key), ...parameters]);
}

/** Student's t numbers of `df` degrees of freedom. JAX's `jax.random.t`. */
export function t(key: ArrayLike, df: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("t", options, ["shape"]);
  const parameters = parametersOf(df);
  const sizes = shapeOfDraw("t", shape, [parameters[0]?.aval.shape ?? []]);
  const draw = (k: ArrayValue, degrees: ArrayValue): ArrayValue => {
    const [keyNormal, keyGamma] = twoKeys(arrayValue(k)).map(out);
    if (keyNormal === undefined || keyGamma === undefined) {
      throw new Error("internal error: two keys");
    }
    const half = np.divide(degrees, 2);
    const ratio = np.divide(half, gamma(keyGamma, half, { shape: sizes }));
    return np.multiply(normal(keyNormal, sizes), np.sqrt(ratio));
  };
  return drawNamed("_t", shapeKey(sizes), draw, [keyValue("t", key), ...parameters]);
}

/** Numbers with density proportional to `exp(-|x|^p)`. JAX's `jax.random.generalized_normal`. */
export function generalizedNormal(key: ArrayLike, p: NestedArray, shape: Shape = []): ArrayValue {
  const draw = (k: ArrayValue, power: ArrayValue): ArrayValue => {
    const [keyGamma, keySign] = twoKeys(arrayValue(k)).map(out);
    if (keyGamma === undefined || keySign === undefined)
      throw new Error("internal error: two keys");
    const inverse = np.divide(1, power);
    const size = gamma(keyGamma, inverse, { shape });
    return np.multiply(rademacher(keySign, shape, { dtype: "float32" }), np.power(size, inverse));
  };
  const values = [keyValue("generalized_normal", key), ...parametersOf(p)];
  return drawNamed("_generalized_normal", shapeKey(shape), draw, values);
}

/** Points of the unit ball of the `p`-norm in `d` dimensions. JAX's `jax.random.ball`. */
export function ball(key: ArrayLike, d: number, p: NestedArray = 2, shape: Shape = []): ArrayValue {
  if (!Number.isInteger(d) || d < 0) throw invalid(`ball in ${d} dimensions`);
  const draw = (k: ArrayValue, power: ArrayValue): ArrayValue => {
    const [keyPoint, keyRadius] = twoKeys(arrayValue(k)).map(out);
    if (keyPoint === undefined || keyRadius === undefined) {
      throw new Error("internal error: two keys");
    }
    const point = generalizedNormal(keyPoint, power, [...shape, d]);
    const size = sum(np.power(np.abs(point), power), { axis: -1 });
    const norm = np.power(np.add(size, exponential(keyRadius, shape)), np.divide(1, power));
    return np.divide(point, expandDims(norm, -1));
  };
  const values = [keyValue("ball", key), ...parametersOf(p)];
  return drawNamed("_ball", `${d} ${shapeKey(shape)}`, draw, values);
}
