/**
 * Sine, cosine and tangent. GPUs promise no more than 11 bits of them (and of nothing far from 0), so for
 * those backends they are polynomials; elsewhere they are the kernels.
 */
import type { Tensor, Tf } from "../src/ir/tf.js";
import { float, polynomial, targets } from "./floatMath.js";

/** Pi as numbers of few bits: whole multiples up to 2^14 of the first two are exact. */
const piParts = [3.140625, 9.67502593994140625e-4, 1.509957990978376e-7];

/** sin(r) / r in r², for |r| <= pi / 2; the error is below 1e-8. */
const sineSeries = [
  2.6051662762316408e-6, -1.9809046357530113e-4, 8.333050617328891e-3, -0.16666657969904763,
  0.9999999957158411,
];

const mul = (tf: Tf, x: Tensor, y: Tensor | number): Tensor =>
  tf.binary("Mul", x, typeof y === "number" ? float(tf, y) : y);
const plus = (tf: Tf, x: Tensor, y: number): Tensor => tf.binary("AddV2", x, float(tf, y));

/** sin(x + shift pi) for shift 0 or 1/2: the distance from the nearest zero decides. */
function sineByPolynomial(tf: Tf, x: Tensor, shift: 0 | 0.5): Tensor {
  const turns = mul(tf, x, 1 / Math.PI);
  const zero = tf.unary("Round", shift === 0 ? turns : plus(tf, turns, shift));
  const place = shift === 0 ? zero : plus(tf, zero, -shift);
  const distance = piParts.reduce((rest, part) => tf.binary("Sub", rest, mul(tf, place, part)), x);
  const series = polynomial(tf, mul(tf, distance, distance), sineSeries);
  // The sine falls through every other zero.
  const isOdd = tf.binary("Sub", zero, mul(tf, tf.unary("Floor", mul(tf, zero, 0.5)), 2));
  const slope = plus(tf, mul(tf, isOdd, -2), 1);
  return mul(tf, mul(tf, distance, series), slope);
}

export function sin(tf: Tf, x: Tensor): Tensor {
  return targets(tf, "webgl", "webgpu") ? sineByPolynomial(tf, x, 0) : tf.unary("Sin", x);
}

export function tan(tf: Tf, x: Tensor): Tensor {
  if (!targets(tf, "webgl", "webgpu")) return tf.unary("Tan", x);
  return tf.binary("RealDiv", sin(tf, x), cos(tf, x));
}

export function cos(tf: Tf, x: Tensor): Tensor {
  return targets(tf, "webgl", "webgpu") ? sineByPolynomial(tf, x, 0.5) : tf.unary("Cos", x);
}
