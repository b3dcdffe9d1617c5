/** Distributions of whole numbers. */
import type { Shape } from "../ir/dims.js";
import { isInteger, type DType } from "../ir/dtypes.js";
import { fromNumbers } from "../ir/hostArray.js";
import { canonicalDtype, invalid, optionsOf, unary } from "../lax/arguments.js";
import { whileLoop } from "../lax/control/loops.js";
import { scan } from "../lax/control/scan.js";
import { arrayValue, out, type NestedArray } from "../numpy/convert.js";
import { full, fullLike, zeros, zerosLike } from "../numpy/creation.js";
import * as np from "../numpy/elementwise.js";
import { take } from "../numpy/indexing.js";
import { broadcastValue } from "../numpy/promotion.js";
import { any } from "../numpy/reductions.js";
import { moveaxis } from "../numpy/shapes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { drawNamed, parametersOf, shapeOfDraw, uniform, type DrawOptions } from "./draws.js";
import { keysOf, keyValue, shapeKey, split } from "./keys.js";

export interface CountOptions extends DrawOptions {
  /** Default: int32. */
  readonly dtype?: DType;
}

function requireInteger(name: string, dtype: DType): void {
  if (isInteger(dtype)) return;
  throw invalid(`dtype argument to \`${name}\` must be an int dtype, got ${dtype}`);
}

const lgamma = unary((x) => o.lgamma(x));
const float = (value: number, like: ArrayValue): ArrayValue => fullLike(like, value);
const most = 2 ** 31 - 1;

/** Keys of a key, for the steps of a loop. */
const nextKeys = (key: ArrayValue, count: number): readonly ArrayValue[] =>
  keysOf(arrayValue(key), count).map(out);

function item<T>(items: readonly T[], place: number): T {
  const found = items[place];
  if (found === undefined) throw new Error("internal error: a missing item");
  return found;
}

/** Poisson numbers of small means: how many uniform numbers have a product above exp(-mean). */
function poissonByProducts(key: ArrayValue, lam: ArrayValue, shape: Shape, to: DType): ArrayValue {
  const draw = (k: ArrayValue, mean: ArrayValue): ArrayValue => {
    const limit = np.negative(mean);
    const init = [np.astype(0, "int32"), zeros(shape, { dtype: to }), k, zeros(shape)] as const;
    const [, counts] = whileLoop(
      ([step, , , logs]) => np.logicalAnd(any(np.greater(logs, limit)), np.less(step, most)),
      ([step, count, current, logs]) => {
        const keys = nextKeys(current, 2);
        const more = np.where(np.greater(logs, limit), np.add(count, 1), count);
        const sums = np.add(logs, np.log(uniform(item(keys, 1), shape)));
        return [np.add(step, 1), more, item(keys, 0), sums] as const;
      },
      init,
    );
    return np.astype(np.subtract(counts, 1), to);
  };
  const parameters = `${shapeKey(shape)} ${to}`;
  return drawNamed("_poisson_knuth", parameters, draw, [key, lam].map(arrayValue));
}

/** Poisson numbers of large means by transformed rejection (Hörmann, 1993). */
function poissonByRejection(key: ArrayValue, lam: ArrayValue, shape: Shape, to: DType): ArrayValue {
  const draw = (k: ArrayValue, mean: ArrayValue): ArrayValue => {
    const logMean = np.log(mean);
    const b = np.add(0.931, np.multiply(2.53, np.sqrt(mean)));
    const a = np.add(-0.059, np.multiply(0.02483, b));
    const inverseAlpha = np.add(1.1239, np.divide(1.1328, np.subtract(b, 3.4)));
    const vr = np.subtract(0.9277, np.divide(3.6224, np.subtract(b, 2)));
    const attempt = (keyU: ArrayValue, keyV: ArrayValue): readonly [ArrayValue, ArrayValue] => {
      const u = np.subtract(uniform(keyU, shape), 0.5);
      const v = uniform(keyV, shape);
      const shifted = np.subtract(0.5, np.abs(u));
      const stretched = np.add(np.divide(np.multiply(2, a), shifted), b);
      const count = np.floor(np.add(np.add(np.multiply(stretched, u), mean), 0.43));
      const density = np.add(np.divide(a, np.multiply(shifted, shifted)), b);
      const s = np.log(np.divide(np.multiply(v, inverseAlpha), density));
      const t = np.subtract(
        np.add(np.negative(mean), np.multiply(count, logMean)),
        lgamma(np.add(count, 1)),
      );
      const surely = np.logicalAnd(np.greaterEqual(shifted, 0.07), np.lessEqual(v, vr));
      const isRefused = np.logicalOr(
        np.less(count, 0),
        np.logicalAnd(np.less(shifted, 0.013), np.greater(v, shifted)),
      );
      const isBelow = np.logicalAnd(np.logicalNot(isRefused), np.lessEqual(s, t));
      return [count, np.logicalOr(surely, isBelow)];
    };
    return np.astype(untilAccepted(k, shape, attempt), to);
  };
  const parameters = `${shapeKey(shape)} ${to}`;
  return drawNamed("_poisson_rejection", parameters, draw, [key, lam].map(arrayValue));
}

type Attempt = (keyU: ArrayValue, keyV: ArrayValue) => readonly [ArrayValue, ArrayValue];

/** Tries until every element was accepted once; the last accepted number of each counts. */
function untilAccepted(key: ArrayValue, shape: Shape, attempt: Attempt): ArrayValue {
  const init = [
    np.astype(0, "int32"),
    full(shape, -1, { dtype: "float32" }),
    full(shape, false, { dtype: "bool" }),
    key,
  ] as const;
  const [, results] = whileLoop(
    ([step, , accepted]) => np.logicalAnd(any(np.logicalNot(accepted)), np.less(step, most)),
    ([step, kept, accepted, current]) => {
      const keys = nextKeys(current, 3);
      const [count, isAccepted] = attempt(item(keys, 1), item(keys, 2));
      return [
        np.add(step, 1),
        np.where(isAccepted, count, kept),
        np.logicalOr(accepted, isAccepted),
        item(keys, 0),
      ] as const;
    },
    init,
  );
  return results;
}

/** Poisson numbers. JAX's `jax.random.poisson`, for keys of threefry2x32 as there. */
export function poisson(key: ArrayLike, lam: NestedArray, options: CountOptions = {}): ArrayValue {
  const { shape, dtype = "int32" } = optionsOf("poisson", options, ["shape", "dtype"]);
  const to = canonicalDtype(dtype);
  requireInteger("poisson", to);
  const own = keyValue("poisson", key);
  if (own.aval.dtype !== "key<fry>") {
    throw invalid(`poisson is only implemented for the threefry2x32 RNG, not ${own.aval.dtype}`);
  }
  const parameters = parametersOf(lam);
  const sizes = shape ?? item(parameters, 0).aval.shape;
  const wide = broadcastValue(item(parameters, 0), sizes);
  const draw = (k: ArrayValue, mean: ArrayValue): ArrayValue => {
    const isSmall = np.logicalOr(np.isnan(mean), np.less(mean, 10));
    const small = np.where(isSmall, mean, float(0, mean));
    const large = np.where(isSmall, float(1e5, mean), mean);
    const drawn = np.where(
      isSmall,
      poissonByProducts(k, small, sizes, to),
      poissonByRejection(k, large, sizes, to),
    );
    return np.where(np.equal(mean, 0), zerosLike(drawn), drawn);
  };
  return drawNamed("_poisson", `${shapeKey(sizes)} ${to}`, draw, [own, wide]);
}

/** How many trials of probability `p` until the first success. JAX's `jax.random.geometric`. */
export function geometric(key: ArrayLike, p: NestedArray, options: CountOptions = {}): ArrayValue {
  const { shape, dtype = "int32" } = optionsOf("geometric", options, ["shape", "dtype"]);
  const to = canonicalDtype(dtype);
  requireInteger("geometric", to);
  const parameters = parametersOf(p);
  const sizes = shapeOfDraw(
    "geometric",
    shape,
    parameters.map(({ aval }) => aval.shape),
  );
  const draw = (k: ArrayValue, chance: ArrayValue): ArrayValue => {
    const draws = uniform(k, sizes);
    const positive = np.where(np.equal(draws, 0), 1, draws);
    const rate = out(broadcastValue(arrayValue(np.log1p(np.negative(chance))), sizes));
    return np.astype(np.add(np.floor(np.divide(np.log(positive), rate)), 1), to);
  };
  const values = [keyValue("geometric", key), ...parameters];
  return drawNamed("_geometric", `${shapeKey(sizes)} ${to}`, draw, values);
}

// --- Binomial ------------------------------------------------------------------------------------

/** log(k!) less Stirling's formula, for k from 0 to 9. */
const stirlingTails = [
  0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
  0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.010411265261972,
  0.00925546218271273, 0.00833056343336287,
];

function stirlingTail(k: ArrayValue): ArrayValue {
  const isSmall = np.lessEqual(k, 9);
  const small = np.clip(k, 0, 9);
  const next = np.add(small, 1);
  const squared = np.multiply(next, next);
  const inner = np.subtract(1 / 360, np.divide(1 / 1260, squared));
  const series = np.divide(np.subtract(1 / 12, np.divide(inner, squared)), next);
  const tails = out(o.constant(fromNumbers("float32", [stirlingTails.length], stirlingTails)));
  const known = take(tails, np.astype(np.floor(small), "int32"), { axis: 0 });
  return np.where(isSmall, known, series);
}

/** Sums of geometric numbers until they exceed the count. */
function binomialByInversion(
  key: ArrayValue,
  count: ArrayValue,
  prob: ArrayValue,
  shape: Shape,
): ArrayValue {
  const rate = np.log1p(np.negative(prob));
  const init = [np.astype(0, "int32"), zeros(shape), zeros(shape), key] as const;
  const [, numbers] = whileLoop(
    ([step, , sums]) => np.logicalAnd(any(np.lessEqual(sums, count)), np.less(step, most)),
    ([step, number, sums, current]) => {
      const [own, next] = nextKeys(current, 2);
      if (own === undefined || next === undefined) throw new Error("internal error: two keys");
      const isInside = np.lessEqual(sums, count);
      const geometricNumber = np.ceil(np.divide(np.log(uniform(own, shape)), rate));
      return [
        np.add(step, 1),
        np.where(isInside, np.add(number, 1), number),
        np.add(sums, geometricNumber),
        next,
      ] as const;
    },
    init,
  );
  return np.subtract(numbers, 1);
}

/** Transformed rejection with squeeze (Hörmann, 1993). */
function binomialByRejection(
  key: ArrayValue,
  count: ArrayValue,
  prob: ArrayValue,
  shape: Shape,
): ArrayValue {
  const mean = np.multiply(count, prob);
  const deviation = np.sqrt(np.multiply(mean, np.subtract(1, prob)));
  const b = np.add(1.15, np.multiply(2.53, deviation));
  const a = np.add(np.add(-0.0873, np.multiply(0.0248, b)), np.multiply(0.01, prob));
  const c = np.add(mean, 0.5);
  const vr = np.subtract(0.92, np.divide(4.2, b));
  const ratio = np.divide(prob, np.subtract(1, prob));
  const alpha = np.multiply(np.add(2.83, np.divide(5.1, b)), deviation);
  const m = np.floor(np.multiply(np.add(count, 1), prob));
  const rest = (k: ArrayValue): ArrayValue => np.add(np.subtract(count, k), 1);
  return untilAccepted(key, shape, (keyU, keyV) => {
    const u = np.subtract(uniform(keyU, shape), 0.5);
    const v = uniform(keyV, shape);
    const us = np.subtract(0.5, np.abs(u));
    const surely = np.logicalAnd(np.greaterEqual(us, 0.07), np.lessEqual(v, vr));
    const k = np.floor(np.add(np.multiply(np.add(np.divide(np.multiply(2, a), us), b), u), c));
    const isRefused = np.logicalOr(np.less(k, 0), np.greater(k, count));
    const density = np.add(np.divide(a, np.multiply(us, us)), b);
    const log = np.log(np.divide(np.multiply(v, alpha), density));
    const terms = [
      np.multiply(np.add(m, 0.5), np.log(np.divide(np.add(m, 1), np.multiply(ratio, rest(m))))),
      np.multiply(np.add(count, 1), np.log(np.divide(rest(m), rest(k)))),
      np.multiply(np.add(k, 0.5), np.log(np.divide(np.multiply(ratio, rest(k)), np.add(k, 1)))),
      stirlingTail(m),
      stirlingTail(np.subtract(count, m)),
      np.negative(stirlingTail(k)),
      np.negative(stirlingTail(np.subtract(count, k))),
    ];
    const bound = terms.reduce((sum, term) => np.add(sum, term));
    const isBelow = np.logicalAnd(np.logicalNot(isRefused), np.lessEqual(log, bound));
    return [k, np.logicalOr(surely, isBelow)];
  });
}

function binomialDraw(key: ArrayValue, n: ArrayValue, p: ArrayValue, shape: Shape): ArrayValue {
  const [given, prob] = [n, p].map((array) => out(broadcastValue(arrayValue(array), shape)));
  if (given === undefined || prob === undefined) throw new Error("internal error: two parameters");
  const isHalf = np.less(prob, 0.5);
  const q = np.where(isHalf, prob, np.subtract(1, prob));
  const isBadCount = np.logicalOr(np.isnan(given), np.less(given, 0));
  const isInfinite = np.isinf(given);
  const [isNan, isNegative] = [np.isnan(q), np.less(q, 0)];
  const safe = np.where(np.logicalOr(isNan, isNegative), float(0.01, q), q);
  const byInversion = np.logicalOr(isBadCount, np.lessEqual(np.multiply(given, safe), 10));
  const count = np.floor(given);
  const small = np.where(byInversion, count, float(0, count));
  const large = np.where(byInversion, float(1e4, count), count);
  const largeProb = np.where(byInversion, float(0.5, safe), safe);
  const drawn = np.where(
    byInversion,
    binomialByInversion(key, small, safe, shape),
    binomialByRejection(key, large, largeProb, shape),
  );
  const isInvalid = np.logicalOr(np.logicalOr(isNegative, isNan), isBadCount);
  const checked = np.where(isInvalid, float(NaN, drawn), drawn);
  const unbounded = np.logicalAnd(isInfinite, np.logicalNot(isInvalid));
  const samples = np.where(unbounded, float(Infinity, checked), checked);
  const isDirect = [isBadCount, isNan, isInfinite].reduce(
    (either, other) => np.logicalOr(either, other),
    isHalf,
  );
  return np.where(isDirect, samples, np.subtract(count, samples));
}

/** How many of `n` trials of probability `p` succeed, as float32. JAX's `jax.random.binomial`. */
export function binomial(
  key: ArrayLike,
  n: NestedArray,
  p: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("binomial", options, ["shape"]);
  const parameters = parametersOf(n, p);
  const sizes = shapeOfDraw(
    "binomial",
    shape,
    parameters.map(({ aval }) => aval.shape),
  );
  const values = [keyValue("binomial", key), ...parameters];
  const draw = (k: ArrayValue, count: ArrayValue, prob: ArrayValue): ArrayValue =>
    binomialDraw(k, count, prob, sizes);
  return drawNamed("_binomial", shapeKey(sizes), draw, values);
}

/**
 * How many of `n` trials fall into each category, of probabilities `p` along the last dimension, as
 * float32. JAX's `jax.random.multinomial`.
 */
export function multinomial(
  key: ArrayLike,
  n: NestedArray,
  p: NestedArray,
  options: DrawOptions = {},
): ArrayValue {
  const { shape } = optionsOf("multinomial", options, ["shape"]);
  const [trials, chances] = parametersOf(n, p);
  if (trials === undefined || chances === undefined) throw new Error("internal error: two");
  const sizes = shape ?? chances.aval.shape;
  const count = sizes.at(-1);
  if (typeof count !== "number") throw invalid("multinomial needs a known number of categories");
  const start = out(broadcastValue(trials, sizes.slice(0, -1)));
  const rows = arrayValue(moveaxis(out(broadcastValue(chances, sizes)), -1, 0));
  const remaining = out(o.cumsum(rows, 0, true));
  const ratios = np.divide(out(rows), np.where(np.equal(remaining, 0), 1, remaining));
  const keys = split(out(keyValue("multinomial", key)), count);
  const [, counts] = scan(
    (rest: ArrayValue, [ratio, own]: readonly [ArrayValue, ArrayValue]) => {
      const drawn = binomial(own, rest, np.clip(ratio, 0, 1));
      return [np.subtract(rest, drawn), drawn] as const;
    },
    start,
    [ratios, keys] as const,
  );
  return moveaxis(counts, 0, -1);
}
