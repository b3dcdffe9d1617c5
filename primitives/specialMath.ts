/**
 * Special functions as TensorFlow nodes. Coefficients are the published ones (Numerical Recipes,
 * Giles 2010, Lanczos with g = 7, Abramowitz and Stegun); float32 accuracy.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";
import { chain, float, polynomial } from "./floatMath.js";
import * as trigonometry from "./trigonometry.js";

const add = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("AddV2", x, typeof y === "number" ? float(tf, y) : y);
const sub = (tf: Tf, x: Tensor | number, y: Tensor): Tensor =>
  tf.binary("Sub", typeof x === "number" ? float(tf, x) : x, y);
const mul = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("Mul", x, typeof y === "number" ? float(tf, y) : y);
const div = (tf: Tf, x: Tensor | number, y: Tensor): Tensor =>
  tf.binary("RealDiv", typeof x === "number" ? float(tf, x) : x, y);

/**
 * 1 - erf(x) without cancellation: t exp(-x² + P(t)) for t = 2 / (2 + |x|), relative error 1.2e-7
 * (Numerical Recipes, erfcc).
 */
export function erfc(tf: Tf, x: Tensor): Tensor {
  const magnitude = tf.unary("Abs", x);
  const t = div(tf, 2, add(tf, magnitude, 2));
  const exponent = polynomial(
    tf,
    t,
    [
      0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418,
      0.37409196, 1.00002368, -1.26551223,
    ],
  );
  const gaussian = tf.unary("Exp", sub(tf, exponent, tf.unary("Square", x)));
  const tail = mul(tf, t, gaussian);
  const isNegative = tf.binary("Less", x, float(tf, 0));
  return tf.select(isNegative, sub(tf, 2, tail), tail);
}

/** Inverse of erf: polynomials in w = -log(1 - x²) (Giles, "Approximating the erfinv function"). */
export function erfInv(tf: Tf, x: Tensor): Tensor {
  const product = mul(tf, sub(tf, 1, x), add(tf, x, 1));
  const w = tf.unary("Neg", tf.unary("Log", product));
  const central = polynomial(
    tf,
    add(tf, w, -2.5),
    [
      2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
      -0.00417768164, 0.246640727, 1.50140941,
    ],
  );
  const tail = polynomial(
    tf,
    add(tf, tf.unary("Sqrt", w), -3),
    [
      -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
      0.00943887047, 1.00167406, 2.83297682,
    ],
  );
  const isCentral = tf.binary("Less", w, float(tf, 5));
  const result = mul(tf, tf.select(isCentral, central, tail), x);
  const isEnd = tf.binary("Equal", tf.unary("Abs", x), float(tf, 1));
  return tf.select(isEnd, mul(tf, x, Infinity), result);
}

const lanczosG = 7;
const lanczosBase = 0.9999999999998099;
const lanczosCoefficients = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
] as const;

/** |x| mod 1, mirrored into 0 … 1/2: sin(pi x) has the same magnitude. */
function distanceToInteger(tf: Tf, x: Tensor): Tensor {
  const magnitude = tf.unary("Abs", x);
  const fraction = sub(tf, magnitude, tf.unary("Floor", magnitude));
  return tf.binary("Minimum", fraction, sub(tf, 1, fraction));
}

/** sin(x); near 0, where the wasm kernel has no relative accuracy, x itself. */
function smallSine(tf: Tf, x: Tensor): Tensor {
  const isSmall = tf.binary("Less", tf.unary("Abs", x), float(tf, 1e-3));
  const cubic = mul(tf, x, sub(tf, 1, mul(tf, mul(tf, x, x), 1 / 6)));
  return tf.select(isSmall, cubic, trigonometry.sin(tf, x));
}

/** log |gamma(x)|: Lanczos for x >= 1/2, else by reflection. */
export function lgamma(tf: Tf, x: Tensor): Tensor {
  const reflected = tf.binary("Less", x, float(tf, 0.5));
  const z = tf.select(reflected, tf.unary("Neg", x), add(tf, x, -1));
  const series = lanczosCoefficients
    .map((coefficient, index) => div(tf, coefficient, add(tf, z, index + 1)))
    .reduce((sum, term) => add(tf, sum, term), float(tf, lanczosBase));
  const t = add(tf, z, lanczosG + 0.5);
  const logT = tf.unary("Log", t);
  // (z + 1/2) log t - t, with the subtraction inside so that it does not overflow early.
  const main = mul(tf, sub(tf, add(tf, z, 0.5), div(tf, t, logT)), logT);
  const direct = chain(
    tf,
    "AddV2",
    main,
    float(tf, Math.log(2 * Math.PI) / 2),
    tf.unary("Log", series),
  );
  const sine = smallSine(tf, mul(tf, distanceToInteger(tf, x), Math.PI));
  const reflection = sub(tf, sub(tf, Math.log(Math.PI), tf.unary("Log", sine)), direct);
  const isPole = tf.binary("Equal", sine, float(tf, 0));
  const mirrored = tf.select(isPole, float(tf, Infinity), reflection);
  const result = tf.select(reflected, mirrored, direct);
  const infinite = tf.binary("Equal", tf.unary("Abs", x), float(tf, Infinity));
  return tf.select(infinite, float(tf, Infinity), result);
}

const digammaShift = 6;

/** Derivative of lgamma: upward recurrence, then the asymptotic series; reflection below 1/2. */
export function digamma(tf: Tf, x: Tensor): Tensor {
  const reflected = tf.binary("Less", x, float(tf, 0.5));
  const z = tf.select(reflected, sub(tf, 1, x), x);
  const y = add(tf, z, digammaShift);
  const inverse = div(tf, 1, y);
  const square = mul(tf, inverse, inverse);
  const series = polynomial(tf, square, [-1 / 240, 1 / 252, -1 / 120, 1 / 12]);
  const asymptotic = sub(
    tf,
    sub(tf, tf.unary("Log", y), mul(tf, inverse, 0.5)),
    mul(tf, square, series),
  );
  const steps = Array.from({ length: digammaShift }, (_, k) =>
    div(tf, 1, k === 0 ? z : add(tf, z, k)),
  );
  const upward = steps.reduce((sum, step) => add(tf, sum, step));
  const direct = sub(tf, asymptotic, upward);
  // pi cot(pi x) from the signed distance to the nearest integer.
  const nearest = sub(tf, x, tf.unary("Round", x));
  const angle = mul(tf, nearest, Math.PI);
  const cotangent = mul(tf, div(tf, trigonometry.cos(tf, angle), smallSine(tf, angle)), Math.PI);
  const mirrored = sub(tf, direct, cotangent);
  const result = tf.select(reflected, mirrored, direct);
  // At 0, -1, -2 … the two sides disagree about the sign of infinity.
  const isPole = tf.binary(
    "LogicalAnd",
    tf.binary("LessEqual", x, float(tf, 0)),
    tf.binary("Equal", nearest, float(tf, 0)),
  );
  return tf.select(isPole, float(tf, NaN), result);
}
