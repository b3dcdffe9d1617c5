/**
 * Incomplete gamma and beta integrals, the Hurwitz zeta function and Bessel functions as TensorFlow
 * nodes. Sums and quadratures run along a new last dimension, so that their cost in nodes does not
 * grow with their length and no loop is needed.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";
import { float, log1p, polynomial, withSignOf } from "./floatMath.js";
import { digamma, lgamma } from "./specialMath.js";

const add = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("AddV2", x, typeof y === "number" ? float(tf, y) : y);
const sub = (tf: Tf, x: Tensor | number, y: Tensor): Tensor =>
  tf.binary("Sub", typeof x === "number" ? float(tf, x) : x, y);
const mul = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("Mul", x, typeof y === "number" ? float(tf, y) : y);
const div = (tf: Tf, x: Tensor | number, y: Tensor | number): Tensor =>
  tf.binary(
    "RealDiv",
    typeof x === "number" ? float(tf, x) : x,
    typeof y === "number" ? float(tf, y) : y,
  );
const least = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("Minimum", x, y);
const less = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("Less", x, typeof y === "number" ? float(tf, y) : y);
const equal = (tf: Tf, x: Tensor, y: number): Tensor => tf.binary("Equal", x, float(tf, y));
const either = (tf: Tf, ...conditions: readonly [Tensor, ...Tensor[]]): Tensor =>
  conditions.reduce((all, condition) => tf.binary("LogicalOr", all, condition));
const both = (tf: Tf, x: Tensor, y: Tensor): Tensor => tf.binary("LogicalAnd", x, y);
const not = (tf: Tf, x: Tensor): Tensor => tf.unary("LogicalNot", x);

/** The tensor with a last dimension of size 1. */
const column = (tf: Tf, x: Tensor): Tensor => tf.reshape(x, [...x.shape, 1]);
const row = (tf: Tf, values: readonly number[]): Tensor =>
  tf.constant(values, "float32", [values.length]);
const sumRows = (tf: Tf, x: Tensor): Tensor => tf.reduce("Sum", x, [x.shape.length - 1]);

/** Points and weights of Gauss-Legendre quadrature on 0 … 1. */
function gaussLegendre(count: number): readonly (readonly [point: number, weight: number])[] {
  return Array.from({ length: count }, (_, index) => {
    let x = Math.cos((Math.PI * (index + 0.75)) / (count + 0.5));
    let slope = 1;
    for (let step = 0; step < 50; step++) {
      let [previous, value] = [1, x];
      for (let n = 2; n <= count; n++) {
        [previous, value] = [value, ((2 * n - 1) * x * value - (n - 1) * previous) / n];
      }
      slope = (count * (x * value - previous)) / (x * x - 1);
      const change = value / slope;
      x -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    return [(1 - x) / 2, 1 / ((1 - x * x) * slope * slope)];
  });
}

const quadrature = gaussLegendre(32);
/** The sum along the last dimension is used below this a: it then needs this many terms at most. */
const seriesLimit = 30;
const seriesTerms = 44;

/** What is computed of the incomplete gamma integral: its value, or its derivative by a. */
type GammaPart = "value" | "derivative";

interface GammaArguments {
  readonly a: Tensor;
  readonly x: Tensor;
  /** x^a e^-x / gamma(a). */
  readonly factor: Tensor;
  readonly part: GammaPart;
}

/** P(a, x) for small a and x: the power series. */
function gammaSeries(tf: Tf, { a, x, factor, part }: GammaArguments): Tensor {
  const steps = Array.from({ length: seriesTerms }, (_, k) => k + 1);
  const divisors = add(tf, column(tf, a), row(tf, steps));
  const axis = divisors.shape.length - 1;
  const ratios = div(tf, column(tf, x), divisors);
  const terms = tf.cumulative("Cumprod", ratios, ratios.shape.length - 1, {
    reverse: false,
    exclusive: false,
  });
  const outside = div(tf, factor, a);
  if (part === "value") return mul(tf, outside, add(tf, sumRows(tf, terms), 1));
  // d log(term) / da = log x - digamma(a + n + 1), which grows by 1 / (a + n) each time.
  const start = sub(tf, tf.unary("Log", x), digamma(tf, add(tf, a, 1)));
  const inverses = div(tf, 1, divisors);
  const sums = tf.cumulative("Cumsum", inverses, axis, { reverse: false, exclusive: false });
  const weighted = mul(tf, terms, sub(tf, column(tf, start), sums));
  return mul(tf, outside, add(tf, sumRows(tf, weighted), start));
}

/**
 * The integral of t^(a-1) e^-t / gamma(a) from x upwards (direction 1) or down to where it has
 * vanished (direction -1), as quadrature over a length chosen by how fast it falls off.
 */
function gammaQuadrature(
  tf: Tf,
  { a, x, factor, part }: GammaArguments,
  direction: 1 | -1,
): Tensor {
  const before = add(tf, a, -1);
  const rate = div(tf, mul(tf, sub(tf, x, before), direction), x);
  const width = add(tf, mul(tf, tf.unary("Sqrt", a), 6.5), 18);
  const falling = div(tf, 25, tf.binary("Maximum", rate, float(tf, 1e-6)));
  const reach = least(tf, width, falling);
  const length = direction === 1 ? reach : least(tf, reach, x);
  const points = row(
    tf,
    quadrature.map(([point]) => direction * point),
  );
  const offsets = mul(tf, column(tf, length), points);
  const logRatio = log1p(tf, div(tf, offsets, column(tf, x)));
  const exponent = sub(tf, mul(tf, column(tf, before), logRatio), offsets);
  const weights = row(
    tf,
    quadrature.map(([, weight]) => weight),
  );
  let integrand = mul(tf, tf.unary("Exp", exponent), weights);
  if (part === "derivative") {
    const slope = sub(tf, tf.unary("Log", x), digamma(tf, a));
    integrand = mul(tf, integrand, add(tf, logRatio, column(tf, slope)));
  }
  return mul(tf, div(tf, mul(tf, factor, length), x), sumRows(tf, integrand));
}

/** P (or its derivative by a) below the peak, Q (or its derivative) above it. */
function gammaBranches(
  tf: Tf,
  a: Tensor,
  x: Tensor,
  part: GammaPart,
  scale: Tensor | null = null,
): { readonly isUpper: Tensor; readonly lower: Tensor; readonly upper: Tensor } {
  const logFactor = sub(tf, sub(tf, mul(tf, a, tf.unary("Log", x)), x), lgamma(tf, a));
  const factor = scale ?? tf.unary("Exp", logFactor);
  const args: GammaArguments = { a, x, factor, part };
  const isUpper = both(tf, not(tf, less(tf, x, 1)), less(tf, a, x));
  const series = gammaSeries(tf, args);
  const lower = tf.select(less(tf, a, seriesLimit), series, gammaQuadrature(tf, args, -1));
  return { isUpper, lower, upper: gammaQuadrature(tf, args, 1) };
}

/** Where the integral is no number: negative arguments, a = x = 0, NaN. */
function gammaUndefined(tf: Tf, a: Tensor, x: Tensor): Tensor {
  const zeros = both(tf, equal(tf, a, 0), equal(tf, x, 0));
  const nan = either(tf, tf.unary("IsNan", a), tf.unary("IsNan", x));
  return either(tf, less(tf, x, 0), less(tf, a, 0), zeros, nan);
}

/** Regularized lower incomplete gamma function P(a, x). */
export function igamma(tf: Tf, a: Tensor, x: Tensor): Tensor {
  const { isUpper, lower, upper } = gammaBranches(tf, a, x, "value");
  let result = tf.select(isUpper, sub(tf, 1, upper), lower);
  const isOne = either(tf, equal(tf, x, Infinity), equal(tf, a, 0));
  result = tf.select(isOne, float(tf, 1), result);
  const isZero = both(tf, equal(tf, x, 0), tf.unary("LogicalNot", equal(tf, a, 0)));
  result = tf.select(isZero, float(tf, 0), result);
  return tf.select(gammaUndefined(tf, a, x), float(tf, NaN), result);
}

/** Regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x). */
export function igammac(tf: Tf, a: Tensor, x: Tensor): Tensor {
  const { isUpper, lower, upper } = gammaBranches(tf, a, x, "value");
  let result = tf.select(isUpper, upper, sub(tf, 1, lower));
  result = tf.select(equal(tf, x, 0), float(tf, 1), result);
  const isZero = either(tf, equal(tf, x, Infinity), equal(tf, a, 0));
  result = tf.select(isZero, float(tf, 0), result);
  return tf.select(gammaUndefined(tf, a, x), float(tf, NaN), result);
}

/** Derivative of P(a, x) by a. */
export function igammaGradA(tf: Tf, a: Tensor, x: Tensor): Tensor {
  const { isUpper, lower, upper } = gammaBranches(tf, a, x, "derivative");
  let result = tf.select(isUpper, tf.unary("Neg", upper), lower);
  const isZero = either(tf, equal(tf, x, 0), equal(tf, x, Infinity));
  result = tf.select(isZero, float(tf, 0), result);
  const undefinedHere = either(tf, gammaUndefined(tf, a, x), equal(tf, a, 0));
  return tf.select(undefinedHere, float(tf, NaN), result);
}

/**
 * How a sample x of the gamma distribution changes with its parameter a: -(dP/da) / (dP/dx). Both
 * have the factor x^a e^-x / gamma(a), which is left out of them.
 */
export function randomGammaGrad(tf: Tf, a: Tensor, x: Tensor): Tensor {
  const { isUpper, lower, upper } = gammaBranches(tf, a, x, "derivative", x);
  const result = tf.select(isUpper, upper, tf.unary("Neg", lower));
  const isZero = equal(tf, x, 0);
  const undefinedHere = either(tf, gammaUndefined(tf, a, x), equal(tf, a, 0));
  return tf.select(undefinedHere, float(tf, NaN), tf.select(isZero, float(tf, 0), result));
}

const betaTerms = 40;

/** Partial numerators of the continued fraction for x below the peak (DLMF 8.17.22). */
function betaNumerators(tf: Tf, a: Tensor, b: Tensor, x: Tensor): readonly Tensor[] {
  const m = row(
    tf,
    Array.from({ length: betaTerms }, (_, index) => index),
  );
  const [left, right, at] = [column(tf, a), column(tf, b), column(tf, x)];
  const twice = add(tf, left, mul(tf, m, 2));
  const odd = div(
    tf,
    mul(tf, mul(tf, add(tf, left, m), add(tf, add(tf, left, right), m)), tf.unary("Neg", at)),
    mul(tf, twice, add(tf, twice, 1)),
  );
  const evenTop = mul(tf, mul(tf, m, sub(tf, right, m)), at);
  const even = div(tf, evenTop, mul(tf, add(tf, twice, -1), twice));
  const split = (tensor: Tensor): readonly Tensor[] => {
    const axis = tensor.shape.length - 1;
    const parts = tf.split(tensor, new Array<number>(betaTerms).fill(1), axis);
    return parts.map((part) => tf.reshape(part, part.shape.slice(0, -1)));
  };
  const [odds, evens] = [split(odd), split(even)];
  // d_1 = odd(0), d_2 = even(1), d_3 = odd(1) …
  return odds.flatMap((first, index) => {
    const next = evens[index + 1];
    return next === undefined ? [first] : [first, next];
  });
}

/** Regularized incomplete beta function I_x(a, b). */
export function regularizedIncompleteBeta(tf: Tf, a: Tensor, b: Tensor, x: Tensor): Tensor {
  const direct = less(tf, x, div(tf, add(tf, a, 1), add(tf, add(tf, a, b), 2)));
  const [p, q] = [tf.select(direct, a, b), tf.select(direct, b, a)];
  const z = tf.select(direct, x, sub(tf, 1, x));
  const fraction = [...betaNumerators(tf, p, q, z)]
    .reverse()
    .reduce((rest, numerator) => add(tf, div(tf, numerator, rest), 1), float(tf, 1));
  const logBeta = sub(tf, add(tf, lgamma(tf, p), lgamma(tf, q)), lgamma(tf, add(tf, p, q)));
  const logLeft = mul(tf, p, tf.unary("Log", z));
  const logRight = mul(tf, q, log1p(tf, tf.unary("Neg", z)));
  const factor = tf.unary("Exp", sub(tf, add(tf, logLeft, logRight), logBeta));
  const tail = div(tf, div(tf, factor, p), fraction);
  let result = tf.select(direct, tail, sub(tf, 1, tail));
  const isZero = (value: Tensor): Tensor => equal(tf, value, 0);
  const one = either(tf, equal(tf, x, 1), isZero(a), equal(tf, b, Infinity));
  const zero = either(tf, isZero(x), isZero(b), equal(tf, a, Infinity));
  result = tf.select(one, float(tf, 1), tf.select(zero, float(tf, 0), result));
  const bothSides = either(
    tf,
    both(tf, isZero(a), either(tf, isZero(b), isZero(x))),
    both(tf, isZero(b), equal(tf, x, 1)),
    both(tf, equal(tf, a, Infinity), either(tf, equal(tf, b, Infinity), equal(tf, x, 1))),
    both(tf, equal(tf, b, Infinity), isZero(x)),
  );
  const outside = either(
    tf,
    less(tf, a, 0),
    less(tf, b, 0),
    less(tf, x, 0),
    tf.binary("Greater", x, float(tf, 1)),
    tf.unary("IsNan", a),
    tf.unary("IsNan", b),
    tf.unary("IsNan", x),
  );
  return tf.select(either(tf, bothSides, outside), float(tf, NaN), result);
}

const zetaTerms = 9;
/** B(2j) / (2j)!, j = 1 … 8: the coefficients of the Euler-Maclaurin formula. */
const bernoulliOverFactorial = [
  1 / 12,
  -1 / 720,
  1 / 30240,
  -1 / 1209600,
  1 / 47900160,
  -691 / 1307674368000,
  1 / 74724249600,
  -3617 / 10670622842880000,
];

/** Hurwitz zeta function: nine terms, then the Euler-Maclaurin formula for the rest. */
export function zeta(tf: Tf, x: Tensor, q: Tensor): Tensor {
  const exponent = tf.unary("Neg", x);
  const steps = Array.from({ length: zetaTerms }, (_, k) => k);
  const terms = tf.binary("Pow", add(tf, column(tf, q), row(tf, steps)), column(tf, exponent));
  const a = add(tf, q, zetaTerms);
  const power = tf.binary("Pow", a, exponent);
  const integral = div(tf, mul(tf, power, a), add(tf, x, -1));
  let rest = add(tf, integral, mul(tf, power, 0.5));
  let term = div(tf, mul(tf, power, x), a);
  bernoulliOverFactorial.forEach((coefficient, index) => {
    rest = add(tf, rest, mul(tf, term, coefficient));
    const next = mul(tf, add(tf, x, 2 * index + 1), add(tf, x, 2 * index + 2));
    term = div(tf, mul(tf, term, next), mul(tf, a, a));
  });
  const sum = add(tf, sumRows(tf, terms), rest);
  // At q = 0, -1, … only even exponents have a (positive) pole; other q < 0 need an integer one.
  const half = mul(tf, x, 0.5);
  const isEven = tf.binary("Equal", half, tf.unary("Floor", half));
  const isInteger = (value: Tensor): Tensor => tf.binary("Equal", value, tf.unary("Floor", value));
  const negative = tf.binary("LessEqual", q, float(tf, 0));
  const pole = tf.select(isEven, float(tf, Infinity), float(tf, NaN));
  const ofInteger = tf.select(both(tf, negative, isInteger(q)), pole, sum);
  const powerOfNegative = both(
    tf,
    both(tf, negative, not(tf, isInteger(q))),
    not(tf, isInteger(x)),
  );
  const noNumber = either(tf, less(tf, x, 1), powerOfNegative);
  const finite = tf.select(noNumber, float(tf, NaN), ofInteger);
  return tf.select(equal(tf, x, 1), float(tf, Infinity), finite);
}

/** m-th derivative of digamma: (-1)^(m+1) m! zeta(m + 1, x). */
export function polygamma(tf: Tf, m: Tensor, x: Tensor): Tensor {
  const half = mul(tf, m, 0.5);
  const isEven = tf.binary("Equal", half, tf.unary("Floor", half));
  const sign = tf.select(isEven, float(tf, -1), float(tf, 1));
  const factorial = tf.unary("Exp", lgamma(tf, add(tf, m, 1)));
  const series = mul(tf, mul(tf, sign, factorial), zeta(tf, add(tf, m, 1), x));
  const result = tf.select(equal(tf, m, 0), digamma(tf, x), series);
  const noOrder = tf.binary("NotEqual", m, tf.unary("Floor", m));
  return tf.select(either(tf, less(tf, m, 0), noOrder), float(tf, NaN), result);
}

/** Splits at 3.75 (Abramowitz and Stegun 9.8.1 – 9.8.4); both parts are scaled by e^-|x|. */
function scaledBessel(
  tf: Tf,
  x: Tensor,
  small: readonly number[],
  large: readonly number[],
): Tensor {
  const magnitude = tf.unary("Abs", x);
  const ratio = div(tf, x, 3.75);
  const decay = tf.unary("Exp", tf.unary("Neg", magnitude));
  const central = mul(tf, polynomial(tf, mul(tf, ratio, ratio), small), decay);
  const safe = tf.binary("Maximum", magnitude, float(tf, 3.75));
  const tail = mul(tf, polynomial(tf, div(tf, 3.75, safe), large), tf.unary("Rsqrt", safe));
  return tf.select(less(tf, magnitude, 3.75), central, tail);
}

/** e^-|x| I0(x). */
export function besselI0e(tf: Tf, x: Tensor): Tensor {
  return scaledBessel(
    tf,
    x,
    [0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1],
    [
      0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281, -0.00157565, 0.00225319,
      0.01328592, 0.39894228,
    ],
  );
}

/** e^-|x| I1(x). */
export function besselI1e(tf: Tf, x: Tensor): Tensor {
  const magnitude = tf.unary("Abs", x);
  const ratio = div(tf, x, 3.75);
  const decay = tf.unary("Exp", tf.unary("Neg", magnitude));
  const series = polynomial(
    tf,
    mul(tf, ratio, ratio),
    [0.00032411, 0.00301532, 0.02658733, 0.15084934, 0.51498869, 0.87890594, 0.5],
  );
  const central = mul(tf, mul(tf, series, x), decay);
  const safe = tf.binary("Maximum", magnitude, float(tf, 3.75));
  const outer = polynomial(
    tf,
    div(tf, 3.75, safe),
    [
      -0.00420059, 0.01787654, -0.02895312, 0.02282967, -0.01031555, 0.00163801, -0.00362018,
      -0.03988024, 0.39894228,
    ],
  );
  const tail = withSignOf(tf, x, mul(tf, outer, tf.unary("Rsqrt", safe)));
  return tf.select(less(tf, magnitude, 3.75), central, tail);
}
