/** Distributions that are functions of uniform numbers, and whole numbers in a range. */
import type { Shape } from "../ir/dims.js";
import { isFloat, isInteger, type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { canonicalDtype, integerRange, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import { astype, clip, less, where } from "../numpy/elementwise.js";
import { toType, withRank } from "../numpy/promotion.js";
import { scalarValue, type ArrayLike, type ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { callUniform, floatLiteral, shapeOfDraw, strongType, weakFloat } from "./draws.js";
import { bitsValue, keyValue, shapeKey, twoKeys } from "./keys.js";

/** The number next to -1 towards 0. */
const aboveMinusOne: Readonly<Partial<Record<DType, number>>> = {
  float32: -(1 - 2 ** -24),
  float16: -(1 - 2 ** -11),
  bfloat16: -(1 - 2 ** -8),
};
const smallestNormal = 2 ** -126;

function normalReal(key: Value, shape: Shape, dtype: DType): Value {
  const low = aboveMinusOne[dtype];
  if (low === undefined) {
    throw invalid(`dtype argument to normal must be a float or complex dtype, got ${dtype}`);
  }
  const inner = (own: Value): Value => {
    const bounds = [floatLiteral(low, dtype), floatLiteral(1, dtype)] as const;
    const draws = callUniform(own, shape, ...bounds, dtype);
    return o.mul(floatLiteral(Math.fround(Math.SQRT2), dtype), o.erfInv(draws));
  };
  return callNamedOne("_normal_real", `${shapeKey(shape)} ${dtype}`, inner, [key]);
}

function normalComplex(key: Value, shape: Shape): Value {
  const [real, imag] = twoKeys(key).map((own) =>
    o.convertElementType(normalReal(own, shape, "float32"), "complex64"),
  );
  if (real === undefined || imag === undefined) throw new Error("internal error: two parts");
  const unit = o.literal({ re: 0, im: 1 }, "complex64");
  const root = o.literal({ re: Math.fround(Math.SQRT2), im: 0 }, "complex64");
  return o.div(o.add(real, o.mul(unit, imag)), root);
}

/** Standard normal numbers of type float32, float16, bfloat16 or complex64. JAX's `jax.random.normal`. */
export function normal(
  key: ArrayLike,
  shape: Shape = [],
  options: { readonly dtype?: DType } = {},
): ArrayValue {
  const { dtype = "float32" } = optionsOf("normal", options, ["dtype"]);
  const body = (k: Value): Value =>
    dtype === "complex64" ? normalComplex(k, shape) : normalReal(k, shape, dtype);
  const parameters = `${shapeKey(shape)} ${dtype}`;
  return out(callNamedOne("_normal", parameters, body, [keyValue("normal", key)]));
}

/** Normal numbers between two bounds. JAX's `jax.random.truncated_normal`. */
export function truncatedNormal(
  key: ArrayLike,
  lower: NestedArray,
  upper: NestedArray,
  shape?: Shape,
): ArrayValue {
  const bounds = [lower, upper].map((bound) => arrayValue(bound));
  const own = bounds.map(({ aval }) => aval.shape);
  const sizes = shapeOfDraw("truncated_normal", shape, own);
  const root = floatLiteral(Math.fround(Math.SQRT2));
  const body = (k: Value, first: Value, last: Value): Value => {
    const [low, high] = [toType(first, "float32"), toType(last, "float32")];
    const draws = callUniform(k, sizes, o.erf(o.div(low, root)), o.erf(o.div(high, root)));
    const values = o.mul(root, o.erfInv(draws));
    const inside = (bound: Value, towards: number): Value =>
      o.nextafter(o.stopGradient(bound), o.full(bound.aval.shape, towards, "float32"));
    return arrayValue(clip(out(values), out(inside(low, Infinity)), out(inside(high, -Infinity))));
  };
  const values = [keyValue("truncated_normal", key), ...bounds];
  return out(callNamedOne("_truncated_normal", shapeKey(sizes), body, values));
}

export interface BernoulliOptions {
  /** "high" also resolves probabilities below 2^-23. Default: "low". */
  readonly mode?: "low" | "high";
}

/** True with probability `p`. JAX's `jax.random.bernoulli`. */
export function bernoulli(
  key: ArrayLike,
  p: NestedArray = 0.5,
  shape?: Shape,
  options: BernoulliOptions = {},
): ArrayValue {
  const { mode = "low" } = optionsOf("bernoulli", options, ["mode"]);
  const given = arrayValue(p);
  if (!isFloat(given.aval.dtype)) {
    const { dtype } = given.aval;
    throw invalid(`bernoulli probability \`p\` must have a floating dtype, got ${dtype}.`);
  }
  const chance = toType(given, "float32");
  const sizes = shapeOfDraw("bernoulli", shape, [chance.aval.shape]);
  const body = (k: Value, limit: Value): Value => {
    const draw = (own: Shape): Value => callUniform(k, own, weakFloat(0), weakFloat(1));
    if (mode === "low") return arrayValue(less(out(draw(sizes)), out(limit)));
    const wide = withRank(limit, sizes.length);
    const pairs = draw([2, ...sizes]);
    const [coarse, fine] = [0, 1].map((row) => {
      const start = pairs.aval.shape.map((_, axis) => (axis === 0 ? row : 0));
      return o.squeeze(o.slice(pairs, start, [row + 1, ...sizes]), [0]);
    });
    if (coarse === undefined || fine === undefined) throw new Error("internal error: two draws");
    return o.lt(o.mul(fine, floatLiteral(2 ** -23)), o.sub(wide, coarse));
  };
  const values = [keyValue("bernoulli", key), chance];
  return out(callNamedOne("_bernoulli", `${shapeKey(sizes)} ${mode}`, body, values));
}

/** 1 or -1, of type int32 or another. JAX's `jax.random.rademacher`. */
export function rademacher(
  key: ArrayLike,
  shape: Shape = [],
  options: { readonly dtype?: DType } = {},
): ArrayValue {
  const { dtype = "int32" } = optionsOf("rademacher", options, ["dtype"]);
  const to = canonicalDtype(dtype);
  const body = (k: Value): Value => {
    const draws = o.convertElementType(arrayValue(bernoulli(out(k), 0.5, shape)), to);
    return o.sub(o.mul(o.literal(2, to), draws), o.literal(1, to));
  };
  const parameters = `${shapeKey(shape)} ${to}`;
  return out(callNamedOne("_rademacher", parameters, body, [keyValue("rademacher", key)]));
}

/** A whole number as JAX takes it: an int32 without type of its own. */
function boundValue(bound: NestedArray, dtype: DType): Value {
  if (typeof bound !== "number") return arrayValue(bound);
  if (!Number.isFinite(bound)) throw invalid(`the bound ${bound} of randint is no number`);
  if (!Number.isInteger(bound)) return scalarValue(BigInt(Math.trunc(bound)));
  const [low, high] = integerRange("int32");
  if (bound >= low && bound <= high) return scalarValue(BigInt(bound));
  const [least, most] = integerRange(dtype);
  if (bound >= least && bound <= most) return o.literal(bound, dtype);
  throw invalid(`the bound ${bound} of randint does not fit into ${dtype}`);
}

/** Within the ranges of its own type and of another, as an array of the other. */
function clipped(value: Value, dtype: DType): Value {
  const [low, high] = integerRange(value.aval.dtype);
  const [least, most] = integerRange(dtype);
  const bound = (number: number): ArrayValue => {
    const scalar = { kind: "literal", value: number, aval: { ...value.aval, shape: [] } } as const;
    return out(scalar);
  };
  const inside = clip(out(value), bound(Math.max(low, least)), bound(Math.min(high, most)));
  return strongType(arrayValue(inside), dtype);
}

function randintValue(key: Value, first: Value, last: Value, shape: Shape, dtype: DType): Value {
  const whole = (bound: Value): Value =>
    isInteger(bound.aval.dtype) ? bound : o.convertElementType(bound, "int32");
  const [from, to] = [whole(first), whole(last)];
  const limit = clipped(o.literal(integerRange(dtype)[1], dtype), to.aval.dtype);
  const isBeyond = o.gt(to, limit);
  const [least, most] = [clipped(from, dtype), clipped(to, dtype)];
  const [low, high] = [withRank(least, shape.length), withRank(most, shape.length)];
  const [higherKey, lowerKey] = twoKeys(key);
  const [higher, lower] = [bitsValue(higherKey, shape), bitsValue(lowerKey, shape)];
  const width = o.convertElementType(o.sub(high, low), "uint32");
  const isEmpty = o.le(high, low);
  const some = o.selectN(isEmpty, width, o.full(width.aval.shape, 1, "uint32"));
  const more = o.and(isBeyond, o.gt(high, low));
  // A whole range of 2^32 numbers is 0 here, and remainders by 0 are the number itself.
  const span = o.selectN(more, some, o.add(some, o.literal(1, "uint32")));
  const half = o.rem(o.literal(2 ** 16, "uint32"), span);
  const factor = o.rem(o.mul(half, half), span);
  const sum = o.add(o.mul(o.rem(higher, span), factor), o.rem(lower, span));
  return o.add(low, o.convertElementType(o.rem(sum, span), dtype));
}

/**
 * Whole numbers from `minval` up to, not including, `maxval`. JAX's `jax.random.randint`.
 *
 * @throws Jax2TfjsError `invalid-parameter`
 */
export function randint(
  key: ArrayLike,
  shape: Shape,
  minval: NestedArray,
  maxval: NestedArray,
  options: { readonly dtype?: DType } = {},
): ArrayValue {
  const { dtype = "int32" } = optionsOf("randint", options, ["dtype"]);
  const to = canonicalDtype(dtype);
  if (!isInteger(to)) throw invalid(`randint only accepts integer dtypes, got ${to}`);
  const [least, most] = integerRange(to);
  const isNarrow = most < 2 ** 31 - 1;
  const sampled = isNarrow ? "int32" : to;
  const bounds = [minval, maxval].map((bound, index) => {
    const value = boundValue(bound, sampled);
    if (!isNarrow) return value;
    return arrayValue(
      clip(astype(out(value), "int32"), least, index === 0 ? least + (most - least) : most + 1),
    );
  });
  const body = (k: Value, low: Value, high: Value): Value =>
    randintValue(k, low, high, shape, sampled);
  const sizes = bounds.map(({ aval }) => aval.shape);
  shapeOfDraw("randint", shape, sizes);
  const values = [keyValue("randint", key), ...bounds];
  const drawn = callNamedOne("_randint", `${shapeKey(shape)} ${sampled}`, body, values);
  return out(isNarrow ? o.convertElementType(drawn, to) : drawn);
}

export interface GumbelOptions {
  /** "high" and "highest" also give rare numbers, at the cost of a second draw. Default: "low". */
  readonly mode?: "low" | "high";
}

/** Standard Gumbel numbers. JAX's `jax.random.gumbel`. */
export function gumbel(key: ArrayLike, shape: Shape = [], options: GumbelOptions = {}): ArrayValue {
  const { mode = "low" } = optionsOf("gumbel", options, ["mode"]);
  const body = (k: Value): Value => {
    if (mode === "low") {
      const draws = callUniform(k, shape, floatLiteral(smallestNormal), weakFloat(1));
      return o.neg(o.log(o.neg(o.log(draws))));
    }
    const pairs = callUniform(k, [2, ...shape], weakFloat(0), weakFloat(1));
    const [high, low] = [0, 1].map((row) => {
      const start = pairs.aval.shape.map((_, axis) => (axis === 0 ? row : 0));
      return o.squeeze(o.slice(pairs, start, [row + 1, ...shape]), [0]);
    });
    if (high === undefined || low === undefined) throw new Error("internal error: two draws");
    const fine = o.add(
      o.add(high, o.mul(floatLiteral(2 ** -23), low)),
      floatLiteral(smallestNormal),
    );
    const draws = arrayValue(where(out(o.ge(high, floatLiteral(0.5))), out(high), out(fine)));
    return o.neg(o.log(o.neg(o.log1p(o.neg(draws)))));
  };
  const values = [keyValue("gumbel", key)];
  return out(callNamedOne("_gumbel", `${shapeKey(shape)} ${mode}`, body, values));
}

/** A distribution without parameters, of uniform numbers in a range. */
function ofUniform(
  name: string,
  minval: number,
  transform: (draws: Value) => Value,
): (key: ArrayLike, shape?: Shape) => ArrayValue {
  return (key, shape = []) => {
    const low = minval === 0 ? weakFloat(0) : floatLiteral(minval);
    const body = (k: Value): Value => transform(callUniform(k, shape, low, weakFloat(1)));
    return out(callNamedOne(`_${name}`, shapeKey(shape), body, [keyValue(name, key)]));
  };
}

/** Exponential numbers with mean 1. JAX's `jax.random.exponential`. */
export const exponential = ofUniform("exponential", 0, (draws) => o.neg(o.log1p(o.neg(draws))));

/** Laplace numbers with mean 0 and scale 1. JAX's `jax.random.laplace`. */
export const laplace = ofUniform("laplace", -1 + 2 ** -24, (draws) =>
  o.mul(o.sign(draws), o.log1p(o.neg(o.abs(draws)))),
);

/** Logistic numbers with mean 0 and scale 1. JAX's `jax.random.logistic`. */
export const logistic = ofUniform("logistic", smallestNormal, (draws) =>
  o.sub(o.log(draws), o.log1p(o.neg(draws))),
);

/** Cauchy numbers. JAX's `jax.random.cauchy`. */
export const cauchy = ofUniform("cauchy", 2 ** -23, (draws) =>
  o.tan(o.mul(floatLiteral(Math.fround(Math.PI)), o.sub(draws, floatLiteral(0.5)))),
);
