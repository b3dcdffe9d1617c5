/**
 * Complex arithmetic on pairs of float32 tensors: no tfjs backend has complex kernels for these
 * functions, wasm has none at all.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";
import type { Pair } from "./factories.js";
import * as floats from "./floatMath.js";
import * as trigonometry from "./trigonometry.js";

const plus = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("AddV2", x, y);
const minus = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("Sub", x, y);
const times = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("Mul", x, y);
const over = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("RealDiv", x, y);
const negative = (tf: Tf, x: Tensor): Tensor => tf.unary("Neg", x);
const absolute = (tf: Tf, x: Tensor): Tensor => tf.unary("Abs", x);
const number = floats.float;

export const constant = (tf: Tf, re: number, im: number): Pair => ({
  re: number(tf, re),
  im: number(tf, im),
});

export const neg = (tf: Tf, z: Pair): Pair => ({ re: negative(tf, z.re), im: negative(tf, z.im) });
export const conj = (tf: Tf, z: Pair): Pair => ({ re: z.re, im: negative(tf, z.im) });
export const add = (tf: Tf, x: Pair, y: Pair): Pair => ({
  re: plus(tf, x.re, y.re),
  im: plus(tf, x.im, y.im),
});
export const sub = (tf: Tf, x: Pair, y: Pair): Pair => ({
  re: minus(tf, x.re, y.re),
  im: minus(tf, x.im, y.im),
});
export const mul = (tf: Tf, x: Pair, y: Pair): Pair => ({
  re: minus(tf, times(tf, x.re, y.re), times(tf, x.im, y.im)),
  im: plus(tf, times(tf, x.re, y.im), times(tf, x.im, y.re)),
});
export const scale = (tf: Tf, z: Pair, factor: number): Pair => ({
  re: times(tf, z.re, number(tf, factor)),
  im: times(tf, z.im, number(tf, factor)),
});
/** i z. */
export const timesI = (tf: Tf, z: Pair): Pair => ({ re: negative(tf, z.im), im: z.re });
/** -i z. */
const timesMinusI = (tf: Tf, z: Pair): Pair => ({ re: z.im, im: negative(tf, z.re) });

export function select(tf: Tf, condition: Tensor, x: Pair, y: Pair): Pair {
  return { re: tf.select(condition, x.re, y.re), im: tf.select(condition, x.im, y.im) };
}

/** Orders by real part, then by imaginary part, as JAX's complex maximum does. */
export function less(tf: Tf, x: Pair, y: Pair): Tensor {
  const tied = tf.binary("Equal", x.re, y.re);
  const byImaginary = tf.binary("LogicalAnd", tied, tf.binary("Less", x.im, y.im));
  return tf.binary("LogicalOr", tf.binary("Less", x.re, y.re), byImaginary);
}

/**
 * 1 + x² for x of 0 to 1, rounded once like the fused multiply-add of XLA. The square of the part
 * of x that is a multiple of 2^-11, plus 1, is exact; adding 6144 = 1.5 × 2^12 rounds to that part.
 */
function onePlusSquare(tf: Tf, x: Tensor): Tensor {
  const shift = number(tf, 6144);
  const head = minus(tf, plus(tf, x, shift), shift);
  const tail = times(tf, minus(tf, x, head), plus(tf, x, head));
  return plus(tf, plus(tf, number(tf, 1), times(tf, head, head)), tail);
}

/** |z| without overflow: the larger part times the root of 1 + ratio². */
export function magnitude(tf: Tf, z: Pair): Tensor {
  const [a, b] = [absolute(tf, z.re), absolute(tf, z.im)];
  const large = floats.extremum(tf, "Maximum", a, b);
  const small = floats.extremum(tf, "Minimum", a, b);
  const isZero = tf.binary("Equal", large, number(tf, 0));
  const ratio = over(tf, small, tf.select(isZero, number(tf, 1), large));
  const root = tf.unary("Sqrt", onePlusSquare(tf, ratio));
  // An infinite part makes it infinite, also beside NaN or another infinity.
  const infinite = tf.binary(
    "LogicalOr",
    tf.binary("Equal", a, number(tf, Infinity)),
    tf.binary("Equal", b, number(tf, Infinity)),
  );
  return tf.select(infinite, number(tf, Infinity), times(tf, large, root));
}

export const angle = (tf: Tf, z: Pair): Tensor => floats.atan2(tf, z.im, z.re);

/** Quotient by Smith's method: both are turned so that the divisor's real part is the larger one. */
export function div(tf: Tf, x: Pair, y: Pair): Pair {
  const wide = tf.binary("GreaterEqual", absolute(tf, y.re), absolute(tf, y.im));
  const dividend = select(tf, wide, x, timesMinusI(tf, x));
  const divisor = select(tf, wide, y, timesMinusI(tf, y));
  const ratio = floats.divide(tf, divisor.im, divisor.re);
  const denominator = plus(tf, divisor.re, times(tf, divisor.im, ratio));
  return {
    re: floats.divide(tf, plus(tf, dividend.re, times(tf, dividend.im, ratio)), denominator),
    im: floats.divide(tf, minus(tf, dividend.im, times(tf, dividend.re, ratio)), denominator),
  };
}

export function sign(tf: Tf, z: Pair): Pair {
  const size = magnitude(tf, z);
  const isZero = tf.binary("Equal", size, number(tf, 0));
  const divisor = tf.select(isZero, number(tf, 1), size);
  return { re: over(tf, z.re, divisor), im: over(tf, z.im, divisor) };
}

/** Real and imaginary part of e^a (cos b, sin b), real for b = 0 even where e^a is infinite. */
export function exp(tf: Tf, z: Pair): Pair {
  const size = tf.unary("Exp", z.re);
  const isReal = tf.binary("Equal", z.im, number(tf, 0));
  return {
    re: times(tf, size, trigonometry.cos(tf, z.im)),
    im: tf.select(isReal, number(tf, 0), times(tf, size, trigonometry.sin(tf, z.im))),
  };
}

export const log = (tf: Tf, z: Pair): Pair => ({
  re: tf.unary("Log", magnitude(tf, z)),
  im: angle(tf, z),
});

/** log(1 + z): the real part is log1p(a (2 + a) + b²) / 2 where that is small. */
export function log1p(tf: Tf, z: Pair): Pair {
  const shifted = { re: plus(tf, z.re, number(tf, 1)), im: z.im };
  const square = times(tf, z.re, plus(tf, z.re, number(tf, 2)));
  const excess = plus(tf, square, times(tf, z.im, z.im));
  const near = times(tf, floats.log1p(tf, excess), number(tf, 0.5));
  const isNear = tf.binary("Less", absolute(tf, excess), number(tf, 0.5));
  const { re, im } = log(tf, shifted);
  return { re: tf.select(isNear, near, re), im };
}

/** e^z - 1: expm1(a) cos b - 2 sin²(b / 2), and the imaginary part of e^z. */
export function expm1(tf: Tf, z: Pair): Pair {
  const sine = trigonometry.sin(tf, times(tf, z.im, number(tf, 0.5)));
  const correction = times(tf, times(tf, sine, sine), number(tf, 2));
  const main = times(tf, floats.expm1(tf, z.re), trigonometry.cos(tf, z.im));
  return { re: minus(tf, main, correction), im: exp(tf, z).im };
}

export function logistic(tf: Tf, z: Pair): Pair {
  const unit = constant(tf, 1, 0);
  return div(tf, unit, add(tf, unit, exp(tf, neg(tf, z))));
}

/** A product that is 0 where the second factor is 0, whatever the first one is. */
function zeroWins(tf: Tf, x: Tensor, y: Tensor): Tensor {
  return tf.select(tf.binary("Equal", y, number(tf, 0)), y, times(tf, x, y));
}

export const sinh = (tf: Tf, z: Pair): Pair => ({
  re: times(tf, floats.sinh(tf, z.re), trigonometry.cos(tf, z.im)),
  im: zeroWins(tf, tf.unary("Cosh", z.re), trigonometry.sin(tf, z.im)),
});

export const cosh = (tf: Tf, z: Pair): Pair => ({
  re: times(tf, tf.unary("Cosh", z.re), trigonometry.cos(tf, z.im)),
  im: zeroWins(tf, floats.sinh(tf, z.re), trigonometry.sin(tf, z.im)),
});

export const sin = (tf: Tf, z: Pair): Pair => timesMinusI(tf, sinh(tf, timesI(tf, z)));
export const cos = (tf: Tf, z: Pair): Pair => cosh(tf, timesI(tf, z));

/** With t = tanh a and T = tan b: (t (1 + T²) + i T / cosh² a) / (1 + t² T²). */
export function tanh(tf: Tf, z: Pair): Pair {
  const one = number(tf, 1);
  const real = tf.unary("Tanh", z.re);
  const imaginary = trigonometry.tan(tf, z.im);
  const square = times(tf, imaginary, imaginary);
  const denominator = plus(tf, one, times(tf, times(tf, real, real), square));
  const cosine = tf.unary("Cosh", z.re);
  const slope = over(tf, over(tf, one, cosine), cosine);
  return {
    re: over(tf, times(tf, real, plus(tf, one, square)), denominator),
    im: over(tf, times(tf, imaginary, slope), denominator),
  };
}

export const tan = (tf: Tf, z: Pair): Pair => timesMinusI(tf, tanh(tf, timesI(tf, z)));

/** Principal root: t = sqrt((|z| + |a|) / 2) and |b| / 2t, the larger one real for a >= 0. */
export function sqrt(tf: Tf, z: Pair): Pair {
  const half = number(tf, 0.5);
  const halves = { re: times(tf, z.re, half), im: times(tf, z.im, half) };
  const large = tf.unary("Sqrt", plus(tf, magnitude(tf, halves), absolute(tf, halves.re)));
  const isZero = tf.binary("Equal", large, number(tf, 0));
  const divisor = tf.select(isZero, number(tf, 1), large);
  const small = over(tf, absolute(tf, halves.im), divisor);
  const isRight = tf.binary("GreaterEqual", z.re, number(tf, 0));
  const imaginary = tf.select(isRight, small, large);
  const below = tf.binary("Less", z.im, number(tf, 0));
  return {
    re: tf.select(isRight, large, small),
    im: tf.select(below, negative(tf, imaginary), imaginary),
  };
}

export const rsqrt = (tf: Tf, z: Pair): Pair => div(tf, constant(tf, 1, 0), sqrt(tf, z));

/** x^y = exp(y log x); 0^y is 0, and 1 for y = 0. */
export function pow(tf: Tf, x: Pair, y: Pair): Pair {
  const zero = number(tf, 0);
  const isZero = (z: Pair): Tensor =>
    tf.binary("LogicalAnd", tf.binary("Equal", z.re, zero), tf.binary("Equal", z.im, zero));
  const base = select(tf, isZero(x), constant(tf, 1, 0), x);
  const power = exp(tf, mul(tf, y, log(tf, base)));
  const ofZero = tf.cast(isZero(y), "float32");
  return select(tf, isZero(x), { re: ofZero, im: zero }, power);
}

const onePlus = (tf: Tf, z: Pair): Pair => ({ re: plus(tf, z.re, number(tf, 1)), im: z.im });
/** Root of 1 - z, conjugated twice: b = 0 counts as above the cut, so -b must count as below. */
const rootOfOneMinus = (tf: Tf, z: Pair): Pair =>
  conj(tf, sqrt(tf, { re: minus(tf, number(tf, 1), z.re), im: z.im }));

// Kahan's formulas ("Branch cuts for complex elementary functions"), through two square roots.

export function asin(tf: Tf, z: Pair): Pair {
  const [left, right] = [rootOfOneMinus(tf, z), sqrt(tf, onePlus(tf, z))];
  return {
    re: floats.atan2(tf, z.re, mul(tf, left, right).re),
    im: floats.asinh(tf, mul(tf, conj(tf, left), right).im),
  };
}

export function acos(tf: Tf, z: Pair): Pair {
  const [left, right] = [rootOfOneMinus(tf, z), sqrt(tf, onePlus(tf, z))];
  return {
    re: times(tf, floats.atan2(tf, left.re, right.re), number(tf, 2)),
    im: floats.asinh(tf, mul(tf, conj(tf, right), left).im),
  };
}

export function acosh(tf: Tf, z: Pair): Pair {
  const left = sqrt(tf, { re: minus(tf, z.re, number(tf, 1)), im: z.im });
  const right = sqrt(tf, onePlus(tf, z));
  return {
    re: floats.asinh(tf, mul(tf, conj(tf, left), right).re),
    im: times(tf, floats.atan2(tf, left.im, right.re), number(tf, 2)),
  };
}

export const asinh = (tf: Tf, z: Pair): Pair => timesMinusI(tf, asin(tf, timesI(tf, z)));

/** log1p(4a / ((1 - a)² + b²)) / 4 and half the angle of (1 - a)(1 + a) - b² + 2b i. */
export function atanh(tf: Tf, z: Pair): Pair {
  const one = number(tf, 1);
  const [left, right] = [minus(tf, one, z.re), plus(tf, one, z.re)];
  const square = times(tf, z.im, z.im);
  const size = plus(tf, times(tf, left, left), square);
  const ratio = over(tf, times(tf, z.re, number(tf, 4)), size);
  const across = minus(tf, times(tf, left, right), square);
  const turn = floats.atan2(tf, times(tf, z.im, number(tf, 2)), across);
  return {
    re: times(tf, floats.log1p(tf, ratio), number(tf, 0.25)),
    im: times(tf, turn, number(tf, 0.5)),
  };
}

export const atan = (tf: Tf, z: Pair): Pair => timesMinusI(tf, atanh(tf, timesI(tf, z)));

/** -i log((x + i y) / sqrt(x² + y²)). */
export function atan2(tf: Tf, y: Pair, x: Pair): Pair {
  const size = sqrt(tf, add(tf, mul(tf, x, x), mul(tf, y, y)));
  return timesMinusI(tf, log(tf, div(tf, add(tf, x, timesI(tf, y)), size)));
}
