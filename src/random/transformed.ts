/** Distributions made of normal, uniform and exponential numbers by arithmetic. */
import type { Shape } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import { at, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, out, type NestedArray } from "../numpy/convert.js";
import { diagonal } from "../numpy/creation.js";
import { einsum } from "../numpy/einsum.js";
import * as np from "../numpy/elementwise.js";
import { cholesky, eigh, norm, qr, svd } from "../numpy/linalg.js";
import { broadcastShapes, broadcastValue } from "../numpy/promotion.js";
import { expandDims, matrixTranspose } from "../numpy/shapes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { exponential, normal, rademacher } from "./basic.js";
import { drawNamed, parametersOf, shapeOfDraw, uniform, type DrawOptions } from "./draws.js";
import { keyValue, shapeKey, twoKeys } from "./keys.js";

const shapesOf = (values: readonly Value[]): readonly Shape[] =>
  values.map(({ aval }) => aval.shape);

function twoKeyArrays(key: ArrayValue): readonly [ArrayValue, ArrayValue] {
  const [first, second] = twoKeys(arrayValue(key));
  return [out(first), out(second)];
}

/** Pareto numbers of shape `b`. JAX's `jax.random.pareto`. */
export function pareto(key: ArrayLike, b: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("pareto", options, ["shape"]);
  const parameters = parametersOf(b);
  const sizes = shapeOfDraw("pareto", shape, shapesOf(parameters));
  const draw = (k: ArrayValue, power: ArrayValue): ArrayValue =>
    np.exp(np.divide(exponential(k, sizes), power));
  return drawNamed("_pareto", shapeKey(sizes), draw, [keyValue("pareto", key), ...parameters]);
}

/** Lengths of vectors of three normal numbers. JAX's `jax.random.maxwell`. */
export function maxwell(key: ArrayLike, shape: Shape = []): ArrayValue {
  const draw = (k: ArrayValue): ArrayValue => norm(normal(k, [...shape, 3]), { axis: -1 });
  return drawNamed("_maxwell", shapeKey(shape), draw, [keyValue("maxwell", key)]);
}

/** Maxwell numbers of either sign, scaled and moved. JAX's `jax.random.double_sided_maxwell`. */
export function doubleSidedMaxwell(
  key: ArrayLike,
  loc: NestedArray,
  scale: NestedArray,
  shape: Shape = [],
): ArrayValue {
  const parameters = parametersOf(loc, scale);
  const own = broadcastShapes(...shapesOf(parameters));
  shapeKey(shape);
  // As in JAX, the dimensions of the parameters come after those asked for.
  const sizes = [...(shape.length === 0 ? own : shape), ...own];
  const draw = (k: ArrayValue, place: ArrayValue, factor: ArrayValue): ArrayValue => {
    const [keyMaxwell, keySign] = twoKeyArrays(k);
    const sign = rademacher(keySign, sizes, { dtype: "float32" });
    return np.add(np.multiply(np.multiply(sign, maxwell(keyMaxwell, sizes)), factor), place);
  };
  const values = [keyValue("double_sided_maxwell", key), ...parameters];
  return drawNamed("_double_sided_maxwell", shapeKey(sizes), draw, values);
}

/** Weibull numbers. JAX's `jax.random.weibull_min`. */
export function weibullMin(
  key: ArrayLike,
  scale: NestedArray,
  concentration: NestedArray,
  shape: Shape = [],
): ArrayValue {
  const draw = (k: ArrayValue, factor: ArrayValue, power: ArrayValue): ArrayValue => {
    const draws = np.negative(np.log1p(np.negative(uniform(k, shape))));
    return np.multiply(np.power(draws, np.divide(1, power)), factor);
  };
  const values = [keyValue("weibull_min", key), ...parametersOf(scale, concentration)];
  return drawNamed("_weibull_min", shapeKey(shape), draw, values);
}

/** Rayleigh numbers. JAX's `jax.random.rayleigh`. */
export function rayleigh(
  key: ArrayLike,
  scale: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("rayleigh", options, ["shape"]);
  const parameters = parametersOf(scale);
  const sizes = shapeOfDraw("rayleigh", shape, shapesOf(parameters));
  const draw = (k: ArrayValue, factor: ArrayValue): ArrayValue => {
    const root = np.sqrt(np.multiply(np.log(uniform(k, sizes)), -2));
    return np.multiply(factor, root);
  };
  return drawNamed("_rayleigh", shapeKey(sizes), draw, [keyValue("rayleigh", key), ...parameters]);
}

/** Wald (inverse Gaussian) numbers of a mean and scale 1. JAX's `jax.random.wald`. */
export function wald(key: ArrayLike, mean: NestedArray, options: DrawOptions = {}): ArrayValue {
  const { shape } = optionsOf("wald", options, ["shape"]);
  const parameters = parametersOf(mean);
  const sizes = shapeOfDraw("wald", shape, shapesOf(parameters));
  const draw = (k: ArrayValue, given: ArrayValue): ArrayValue => {
    const [keyNormal, keyUniform] = twoKeyArrays(k);
    const center = out(broadcastValue(arrayValue(given), sizes));
    const z = uniform(keyUniform, sizes);
    const y = np.square(normal(keyNormal, sizes));
    const squared = np.square(center);
    const root = np.sqrt(
      np.add(np.multiply(np.multiply(4, center), y), np.multiply(squared, np.square(y))),
    );
    const x = np.subtract(
      np.add(center, np.divide(np.multiply(squared, y), 2)),
      np.multiply(np.divide(center, 2), root),
    );
    const isNear = np.lessEqual(z, np.divide(center, np.add(center, x)));
    return np.where(isNear, x, np.divide(squared, x));
  };
  return drawNamed("_wald", shapeKey(sizes), draw, [keyValue("wald", key), ...parameters]);
}

/** Numbers between two with the most around a third. JAX's `jax.random.triangular`. */
export function triangular(
  key: ArrayLike,
  left: NestedArray,
  mode: NestedArray,
  right: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("triangular", options, ["shape"]);
  const parameters = parametersOf(left, mode, right);
  const sizes = shapeOfDraw("triangular", shape, shapesOf(parameters));
  const [low, middle, high] = parameters.map((value) => out(broadcastValue(value, sizes)));
  if (low === undefined || middle === undefined || high === undefined) {
    throw new Error("internal error: three parameters");
  }
  const width = np.subtract(high, low);
  const draws = uniform(out(keyValue("triangular", key)), sizes);
  const rise = np.multiply(np.multiply(draws, width), np.subtract(middle, low));
  const fall = np.multiply(np.multiply(np.subtract(1, draws), width), np.subtract(high, middle));
  return np.where(
    np.less(draws, np.divide(np.subtract(middle, low), width)),
    np.add(low, np.sqrt(rise)),
    np.subtract(high, np.sqrt(fall)),
  );
}

/** Exponentials of normal numbers of deviation `sigma`. JAX's `jax.random.lognormal`. */
export function lognormal(
  key: ArrayLike,
  sigma: NestedArray = 1,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("lognormal", options, ["shape"]);
  const parameters = parametersOf(sigma);
  const sizes = shapeOfDraw("lognormal", shape, shapesOf(parameters));
  return np.exp(np.multiply(normal(key, sizes), out(at(parameters, 0))));
}

export interface OrthogonalOptions {
  /** Further dimensions, in front. */
  readonly shape?: Shape;
  /** Columns of a matrix that is not square. Default: `n`. */
  readonly m?: number;
}

/** Random orthogonal matrices, or orthonormal rows or columns. JAX's `jax.random.orthogonal`. */
export function orthogonal(key: ArrayLike, n: number, options: OrthogonalOptions = {}): ArrayValue {
  const { shape = [], m = n } = optionsOf("orthogonal", options, ["shape", "m"]);
  const draw = (k: ArrayValue): ArrayValue => {
    const [q, r] = qr(normal(k, [...shape, Math.max(n, m), Math.min(n, m)]));
    const signs = np.sign(diagonal(r));
    const x = np.multiply(q, expandDims(signs, -2));
    return n < m ? matrixTranspose(x) : x;
  };
  const parameters = `${shapeKey(shape)} ${n} ${m}`;
  return drawNamed("_orthogonal", parameters, draw, [keyValue("orthogonal", key)]);
}

export interface MultivariateNormalOptions extends DrawOptions {
  /** How a root of the covariances is found. Default: "cholesky". */
  readonly method?: "cholesky" | "eigh" | "svd";
}

function rootOf(covariance: ArrayValue, method: "cholesky" | "eigh" | "svd"): ArrayValue {
  switch (method) {
    case "cholesky":
      return cholesky(covariance);
    case "eigh": {
      const [values, vectors] = eigh(covariance);
      return np.multiply(vectors, expandDims(np.sqrt(values), -2));
    }
    case "svd": {
      const [u, s] = svd(covariance);
      return np.multiply(u, expandDims(np.sqrt(s), -2));
    }
  }
}

/**
 * Normal vectors of a mean and covariances; `shape` has the dimensions in front of the vectors'.
 * JAX's `jax.random.multivariate_normal`.
 */
export function multivariateNormal(
  key: ArrayLike,
  mean: NestedArray,
  cov: NestedArray,
  options: MultivariateNormalOptions = {},
): ArrayValue {
  const { shape, method = "cholesky" } = optionsOf("multivariateNormal", options, [
    "shape",
    "method",
  ]);
  const parameters = parametersOf(mean, cov);
  const [center = [], matrix = []] = shapesOf(parameters);
  if (center.length < 1) throw invalid("multivariate_normal requires mean.ndim >= 1");
  const size = at(center, center.length - 1);
  const isSquare = matrix.length >= 2 && matrix.slice(-2).every((dim) => dim === size);
  if (!isSquare) throw invalid("multivariate_normal requires cov.shape == (..., n, n)");
  const sizes = shapeOfDraw("multivariate_normal", shape, [
    center.slice(0, -1),
    matrix.slice(0, -2),
  ]);
  const draw = (k: ArrayValue, middle: ArrayValue, covariance: ArrayValue): ArrayValue => {
    const factor = rootOf(covariance, method);
    const draws = normal(k, [...sizes, size]);
    return np.add(middle, einsum("...ij,...j->...i", factor, draws));
  };
  const values = [keyValue("multivariate_normal", key), ...parameters];
  return drawNamed("_multivariate_normal", `${shapeKey(sizes)} ${method}`, draw, values);
}
