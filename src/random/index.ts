/**
 * Random numbers under the names of `jax.random`: for the same key, the numbers that JAX draws
 * (with `jax_threefry_partitionable`, its default).
 */
import { type Dim, type Shape } from "../ir/dims.js";
import { type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { at, canonicalAxis, integerRange, invalid } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import { argmax, cumsum } from "../numpy/reductions.js";
import { take } from "../numpy/indexing.js";
import { searchsorted } from "../numpy/sorting.js";
import { broadcastShapes, toType, withRank } from "../numpy/promotion.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { bitsValue, keyValue, shapeKey, staticSize, twoKeys } from "./keys.js";

export { bits, foldIn, key, PRNGKey, split, splitKeys } from "./keys.js";

const one = 0x3f800000;
const smallestNormal = 2 ** -126;

/** Bits as floats in [1, 2), less 1, in a range. */
function uniformValue(key: Value, low: Value, high: Value, shape: Shape): Value {
  const [from, to] = [low, high].map((bound) => withRank(toType(bound, "float32"), shape.length));
  if (from === undefined || to === undefined) throw new Error("internal error: two bounds");
  const words = o.shiftRightLogical(bitsValue(key, shape), o.literal(9, "uint32"));
  const floats = o.sub(
    o.bitcastConvertType(o.or(words, o.literal(one, "uint32")), "float32"),
    o.literal(1, "float32"),
  );
  return o.max(from, o.add(o.mul(floats, o.sub(to, from)), from));
}

function callUniform(key: Value, shape: Shape, low: Value, high: Value): Value {
  const body = (k: Value, from: Value, to: Value): Value => uniformValue(k, from, to, shape);
  return callNamedOne("_uniform", shapeKey(shape), body, [key, low, high]);
}

const floatLiteral = (value: number): Value => o.literal(value, "float32");

export interface RangeOptions {
  readonly minval?: NestedArray;
  readonly maxval?: NestedArray;
}

/** float32 numbers from `minval` (0) up to `maxval` (1). JAX's `jax.random.uniform`. */
export function uniform(
  key: ArrayLike,
  shape: Shape = [],
  { minval = 0, maxval = 1 }: RangeOptions = {},
): ArrayValue {
  return out(callUniform(keyValue(key), shape, arrayValue(minval), arrayValue(maxval)));
}

/** The numbers next to -1 and 1 towards 0. */
const aboveMinusOne = -(1 - 2 ** -24);

function normalValue(key: Value, shape: Shape): Value {
  const body = (k: Value): Value => {
    const inner = (own: Value): Value => {
      const draws = callUniform(own, shape, floatLiteral(aboveMinusOne), floatLiteral(1));
      return o.mul(floatLiteral(Math.fround(Math.SQRT2)), o.erfInv(draws));
    };
    return callNamedOne("_normal_real", shapeKey(shape), inner, [k]);
  };
  return callNamedOne("_normal", shapeKey(shape), body, [key]);
}

/** Standard normal numbers. JAX's `jax.random.normal`. */
export function normal(key: ArrayLike, shape: Shape = []): ArrayValue {
  return out(normalValue(keyValue(key), shape));
}

/** Normal numbers between two bounds. JAX's `jax.random.truncated_normal`. */
export function truncatedNormal(
  key: ArrayLike,
  lower: NestedArray,
  upper: NestedArray,
  shape?: Shape,
): ArrayValue {
  const bounds = [lower, upper].map((bound) => toType(arrayValue(bound), "float32"));
  const sizes = shape ?? broadcastShapes(...bounds.map(({ aval }) => aval.shape));
  const root = floatLiteral(Math.fround(Math.SQRT2));
  const body = (k: Value, low: Value, high: Value): Value => {
    const draws = callUniform(k, sizes, o.erf(o.div(low, root)), o.erf(o.div(high, root)));
    const values = o.mul(root, o.erfInv(draws));
    const inside = (bound: Value, towards: number): Value =>
      withRank(o.nextafter(bound, o.full(bound.aval.shape, towards, "float32")), sizes.length);
    return o.min(inside(high, -Infinity), o.max(inside(low, Infinity), values));
  };
  return out(callNamedOne("_truncated_normal", shapeKey(sizes), body, [keyValue(key), ...bounds]));
}

/** True with probability `p`. JAX's `jax.random.bernoulli`. */
export function bernoulli(key: ArrayLike, p: NestedArray = 0.5, shape?: Shape): ArrayValue {
  const chance = toType(arrayValue(p), "float32");
  const sizes = shape ?? chance.aval.shape;
  const body = (k: Value, limit: Value): Value =>
    o.lt(callUniform(k, sizes, floatLiteral(0), floatLiteral(1)), withRank(limit, sizes.length));
  return out(callNamedOne("_bernoulli", shapeKey(sizes), body, [keyValue(key), chance]));
}

/** 1 or -1. JAX's `jax.random.rademacher`. */
export function rademacher(key: ArrayLike, shape: Shape = []): ArrayValue {
  const draws = toType(arrayValue(bernoulli(key, 0.5, shape)), "int32");
  return out(o.sub(o.mul(o.literal(2, "int32"), draws), o.literal(1, "int32")));
}

function randintValue(key: Value, low: Value, high: Value, shape: Shape, dtype: DType): Value {
  const word = (number: number): Value => o.literal(number, "uint32");
  const [first, second] = twoKeys(key);
  const [higher, lower] = [bitsValue(first, shape), bitsValue(second, shape)];
  const whole = o.convertElementType(o.sub(high, low), "uint32");
  const isEmpty = o.le(high, low);
  const span = o.selectN(isEmpty, whole, o.full(whole.aval.shape, 1, "uint32"));
  const half = o.rem(word(2 ** 16), span);
  const factor = o.rem(o.mul(half, half), span);
  const sum = o.add(o.mul(o.rem(higher, span), factor), o.rem(lower, span));
  return o.add(low, o.convertElementType(o.rem(sum, span), dtype));
}

/**
 * Whole numbers from `minval` up to, not including, `maxval`: of type int32 or uint32. JAX's
 * `jax.random.randint`.
 */
export function randint(
  key: ArrayLike,
  shape: Shape,
  minval: NestedArray,
  maxval: NestedArray,
  { dtype = "int32" }: { readonly dtype?: DType } = {},
): ArrayValue {
  if (dtype !== "int32" && dtype !== "uint32") throw invalid(`randint gives no ${dtype}`);
  const bounds = [minval, maxval].map((bound) => {
    if (typeof bound !== "number") return toType(arrayValue(bound), dtype);
    const [least, most] = integerRange(dtype);
    return o.literal(Math.min(Math.max(Math.trunc(bound), least), most), dtype);
  });
  // The bound above the largest number cannot be written as one.
  const isAll = typeof maxval === "number" && maxval > integerRange(dtype)[1];
  if (isAll) throw invalid(`maxval ${String(maxval)} is above the range of ${dtype}`);
  const body = (k: Value, low: Value, high: Value): Value => {
    const [from, to] = [withRank(low, shape.length), withRank(high, shape.length)];
    return randintValue(k, from, to, shape, dtype);
  };
  return out(
    callNamedOne("_randint", `${shapeKey(shape)} ${dtype}`, body, [keyValue(key), ...bounds]),
  );
}

/** Shuffles along a dimension by sorting with random keys, as often as makes ties harmless. */
function shuffleValue(key: Value, x: Value, axis: number): Value {
  const size = staticSize(x.aval.shape);
  const rounds = Math.ceil((3 * Math.log(Math.max(1, size))) / Math.log(2 ** 32 - 1));
  let [current, values] = [key, x];
  for (let round = 0; round < rounds; round++) {
    const [next, own] = twoKeys(current);
    const sortKeys = bitsValue(own, values.aval.shape);
    const params = { dimension: axis, is_stable: true, num_keys: 1 };
    values = at(o.sort([sortKeys, values], params), 1);
    current = next;
  }
  return values;
}

function shuffled(key: ArrayLike, x: Value, axis: number): ArrayValue {
  const body = (k: Value, values: Value): Value => shuffleValue(k, values, axis);
  return out(callNamedOne("_shuffle", String(axis), body, [keyValue(key), x]));
}

/**
 * A random order: of 0 … x-1 for a number, of the rows of an array otherwise. JAX's
 * `jax.random.permutation`.
 */
export function permutation(key: ArrayLike, x: NestedArray, axis = 0): ArrayValue {
  if (typeof x === "number") {
    if (!Number.isInteger(x) || x < 0) throw invalid(`permutation of ${x} elements`);
    return shuffled(key, o.iota("int32", [x], 0), 0);
  }
  const value = arrayValue(x);
  const { shape } = value.aval;
  const place = canonicalAxis(axis, Math.max(1, shape.length));
  if (shape.length === 1) return shuffled(key, value, 0);
  const order = shuffled(key, o.iota("int32", [at(shape, place)], 0), 0);
  return take(out(value), order, { axis: place });
}

export interface ChoiceOptions {
  readonly shape?: Shape;
  /** Default: true. */
  readonly replace?: boolean;
  /** The probability of each element. Default: the same. */
  readonly p?: NestedArray;
}

/** Random elements of 0 … a-1, or of the rows of an array. JAX's `jax.random.choice`. */
export function choice(
  key: ArrayLike,
  a: NestedArray,
  { shape = [], replace = true, p }: ChoiceOptions = {},
): ArrayValue {
  const rows = typeof a === "number" ? a : at(arrayValue(a).aval.shape, 0);
  if (typeof rows !== "number") throw invalid("choice needs a known size");
  const pick = (positions: ArrayValue): ArrayValue =>
    typeof a === "number" ? positions : take(a, positions, { axis: 0 });
  if (!replace) {
    if (p !== undefined) throw invalid("choice without replacement takes no probabilities");
    const count = staticSize(shape);
    if (count > rows) throw invalid(`choice of ${count} out of ${rows} without replacement`);
    const order = arrayValue(permutation(key, rows));
    return pick(out(o.reshape(o.slice(order, [0], [count]), shape)));
  }
  if (p === undefined) return pick(randint(key, shape, 0, rows));
  const total = arrayValue(cumsum(p));
  const last = o.squeeze(o.slice(total, [rows - 1], [rows]), [0]);
  const draws = o.mul(last, o.sub(floatLiteral(1), arrayValue(uniform(key, shape))));
  return pick(searchsorted(out(total), out(draws)));
}

/** Standard Gumbel numbers. JAX's `jax.random.gumbel`. */
export function gumbel(key: ArrayLike, shape: Shape = []): ArrayValue {
  const body = (k: Value): Value => {
    const draws = callUniform(k, shape, floatLiteral(smallestNormal), floatLiteral(1));
    return o.neg(o.log(o.neg(o.log(draws))));
  };
  return out(callNamedOne("_gumbel", shapeKey(shape), body, [keyValue(key)]));
}

export interface CategoricalOptions {
  /** The dimension of the categories. Default: the last. */
  readonly axis?: number;
  /** Default: that of `logits` without the categories; further dimensions come first. */
  readonly shape?: Shape;
}

/** Categories with the probabilities `softmax(logits)`. JAX's `jax.random.categorical`. */
export function categorical(
  key: ArrayLike,
  logits: NestedArray,
  { axis = -1, shape }: CategoricalOptions = {},
): ArrayValue {
  const value = toType(arrayValue(logits), "float32");
  const own = value.aval.shape;
  const place = canonicalAxis(axis, own.length);
  const batch = own.toSpliced(place, 1);
  const wanted = shape ?? batch;
  const prefix: Dim[] = wanted.slice(0, wanted.length - batch.length);
  const noise = arrayValue(gumbel(key, [...prefix, ...own]));
  const wide = withRank(value, noise.aval.shape.length);
  return argmax(out(o.add(noise, wide)), { axis: place + prefix.length });
}

/** Exponential numbers with mean 1. JAX's `jax.random.exponential`. */
export function exponential(key: ArrayLike, shape: Shape = []): ArrayValue {
  const body = (k: Value): Value => {
    const draws = callUniform(k, shape, floatLiteral(0), floatLiteral(1));
    return o.neg(o.log1p(o.neg(draws)));
  };
  return out(callNamedOne("_exponential", shapeKey(shape), body, [keyValue(key)]));
}

/** Laplace numbers with mean 0 and scale 1. JAX's `jax.random.laplace`. */
export function laplace(key: ArrayLike, shape: Shape = []): ArrayValue {
  const body = (k: Value): Value => {
    const low = floatLiteral(-1 + 2 ** -23);
    const draws = callUniform(k, shape, low, floatLiteral(1));
    return o.mul(o.sign(draws), o.log1p(o.neg(o.abs(draws))));
  };
  return out(callNamedOne("_laplace", shapeKey(shape), body, [keyValue(key)]));
}
