/**
 * Float arithmetic on tensors where a tfjs kernel departs from JAX: NaN in maxima, 0/0 on webgl,
 * small arguments of expm1 and log1p. Every helper is one node wherever the kernels are right.
 */
import { asFloat32 } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";

export const float = (tf: Tf, value: number): Tensor => tf.scalar(value, "float32");

/** True if any of these backends is a target. */
export const targets = (tf: Tf, ...backends: readonly ("cpu" | "wasm" | "webgl" | "webgpu")[]) =>
  backends.some((backend) => tf.backends.has(backend));

/** True if the tensor is a known constant whose elements all pass the test. */
export function knownToBe(x: Tensor, test: (value: number) => boolean): boolean {
  return x.value !== null && x.dtype === "float32" && asFloat32(x.value).every(test);
}

const isNumber = (value: number): boolean => !Number.isNaN(value);

/** The sum, product … of tensors from left to right. */
export function chain(tf: Tf, op: string, first: Tensor, ...rest: readonly Tensor[]): Tensor {
  return rest.reduce((result, tensor) => tf.binary(op, result, tensor), first);
}

/** Horner's scheme: coefficients of the highest power first. */
export function polynomial(tf: Tf, x: Tensor, coefficients: readonly number[]): Tensor {
  const [leading = 0, ...rest] = coefficients;
  return rest.reduce(
    (sum, coefficient) => tf.binary("AddV2", tf.binary("Mul", sum, x), float(tf, coefficient)),
    float(tf, leading),
  );
}

/** Maximum or Minimum that is NaN if either argument is: the wasm kernel keeps the first one. */
export function extremum(tf: Tf, op: "Maximum" | "Minimum", x: Tensor, y: Tensor): Tensor {
  if (!tf.backends.has("wasm") || knownToBe(y, isNumber)) return tf.binary(op, x, y);
  if (knownToBe(x, isNumber)) return tf.binary(op, y, x);
  return tf.select(tf.unary("IsNan", y), y, tf.binary(op, x, y));
}

/** x / y. The webgl kernel gives 1 where x equals y, also for 0/0 and inf/inf. */
export function divide(tf: Tf, x: Tensor, y: Tensor): Tensor {
  const quotient = tf.binary("RealDiv", x, y);
  const ordinary = (value: number): boolean => value !== 0 && Number.isFinite(value);
  if (!tf.backends.has("webgl") || knownToBe(x, ordinary) || knownToBe(y, ordinary)) {
    return quotient;
  }
  // Of all numbers only 0 and the infinities equal their own half.
  const zeroOrInfinite = tf.binary("Equal", tf.binary("Mul", x, float(tf, 0.5)), x);
  const undefinedRatio = tf.binary("LogicalAnd", tf.binary("Equal", x, y), zeroOrInfinite);
  return tf.select(undefinedRatio, float(tf, NaN), quotient);
}

/** -1, 0 or 1; zeros and NaN stay as they are. The kernels make NaN 0, wasm also small numbers. */
export function sign(tf: Tf, x: Tensor): Tensor {
  const zero = float(tf, 0);
  const below = tf.select(tf.binary("Less", x, zero), float(tf, -1), x);
  return tf.select(tf.binary("Greater", x, zero), float(tf, 1), below);
}

/** The magnitude with the sign of x. */
export function withSignOf(tf: Tf, x: Tensor, magnitude: Tensor): Tensor {
  return tf.select(tf.binary("Less", x, float(tf, 0)), tf.unary("Neg", magnitude), magnitude);
}

/** Rounds half away from zero; adding 0.5 first would be wrong just below 0.5. */
export function roundAway(tf: Tf, x: Tensor): Tensor {
  const magnitude = tf.unary("Abs", x);
  const below = tf.unary("Floor", magnitude);
  const up = tf.binary("GreaterEqual", tf.binary("Sub", magnitude, below), float(tf, 0.5));
  const rounded = tf.binary("AddV2", below, tf.cast(up, "float32"));
  return withSignOf(tf, x, rounded);
}

/** Uses a polynomial times x near zero, where a kernel loses relative accuracy. */
function nearZero(
  tf: Tf,
  x: Tensor,
  limit: number,
  coefficients: readonly number[],
  elsewhere: Tensor,
): Tensor {
  const small = tf.binary("Less", tf.unary("Abs", x), float(tf, limit));
  const series = tf.binary("Mul", x, polynomial(tf, x, coefficients));
  return tf.select(small, series, elsewhere);
}

/** exp(x) - 1. The GPU kernels subtract from the exponential, which loses small arguments. */
export function expm1(tf: Tf, x: Tensor): Tensor {
  const plain = tf.unary("Expm1", x);
  if (!targets(tf, "webgl", "webgpu")) return plain;
  return nearZero(tf, x, 0.06, [1 / 24, 1 / 6, 1 / 2, 1], plain);
}

/** The natural logarithm. GPUs may give any number for 0. */
export function log(tf: Tf, x: Tensor): Tensor {
  const plain = tf.unary("Log", x);
  if (!targets(tf, "webgl", "webgpu")) return plain;
  return tf.select(tf.binary("Equal", x, float(tf, 0)), float(tf, -Infinity), plain);
}

/**
 * log(1 + x). The wasm and GPU kernels add first, which loses small arguments; those of GPUs give
 * any number below -1, where that of the logarithm gives NaN.
 */
export function log1p(tf: Tf, x: Tensor): Tensor {
  const gpu = targets(tf, "webgl", "webgpu");
  const plain = gpu ? log(tf, tf.binary("AddV2", x, float(tf, 1))) : tf.unary("Log1p", x);
  if (!gpu && !targets(tf, "wasm")) return plain;
  return nearZero(tf, x, 0.04, [1 / 5, -1 / 4, 1 / 3, -1 / 2, 1], plain);
}

/** (e - 1/e) / 2 through expm1 where the kernel subtracts two exponentials near 1. */
export function sinh(tf: Tf, x: Tensor): Tensor {
  const plain = tf.unary("Sinh", x);
  if (!targets(tf, "webgl", "webgpu")) return plain;
  const square = tf.binary("Mul", x, x);
  const small = tf.binary("Less", tf.unary("Abs", x), float(tf, 0.5));
  const series = polynomial(tf, square, [1 / 5040, 1 / 120, 1 / 6, 1]);
  return tf.select(small, tf.binary("Mul", x, series), plain);
}

/** sign(x) log(|x| + sqrt(x² + 1)): the GPU kernels overflow and lose small and negative x. */
export function asinh(tf: Tf, x: Tensor): Tensor {
  if (!targets(tf, "webgl", "webgpu")) return tf.unary("Asinh", x);
  const magnitude = tf.unary("Abs", x);
  const square = tf.binary("Mul", x, x);
  const root = tf.unary("Sqrt", tf.binary("AddV2", square, float(tf, 1)));
  const fraction = tf.binary("RealDiv", square, tf.binary("AddV2", root, float(tf, 1)));
  const moderate = log1p(tf, tf.binary("AddV2", magnitude, fraction));
  const huge = tf.binary("AddV2", tf.unary("Log", magnitude), float(tf, Math.LN2));
  const isHuge = tf.binary("Greater", magnitude, float(tf, 1e9));
  return withSignOf(tf, x, tf.select(isHuge, huge, moderate));
}

/** log(x + sqrt(x² - 1)): the GPU kernels overflow for large x. */
export function acosh(tf: Tf, x: Tensor): Tensor {
  const plain = tf.unary("Acosh", x);
  if (!targets(tf, "webgl", "webgpu")) return plain;
  const huge = tf.binary("AddV2", tf.unary("Log", x), float(tf, Math.LN2));
  return tf.select(tf.binary("Greater", x, float(tf, 1e9)), huge, plain);
}

/** log1p(2x / (1 - x)) / 2: the GPU kernels subtract two logarithms near 0. */
export function atanh(tf: Tf, x: Tensor): Tensor {
  if (!targets(tf, "webgl", "webgpu")) return tf.unary("Atanh", x);
  const magnitude = tf.unary("Abs", x);
  const twice = tf.binary("Mul", magnitude, float(tf, 2));
  const ratio = tf.binary("RealDiv", twice, tf.binary("Sub", float(tf, 1), magnitude));
  const half = tf.binary("Mul", log1p(tf, ratio), float(tf, 0.5));
  return withSignOf(tf, x, half);
}

/** Cube root: a power of |x|, improved by one Newton step, with the sign of x. */
export function cbrt(tf: Tf, x: Tensor): Tensor {
  const magnitude = tf.unary("Abs", x);
  const root = tf.binary("Pow", magnitude, float(tf, 1 / 3));
  const quotient = tf.binary("RealDiv", magnitude, tf.binary("Mul", root, root));
  const step = tf.binary("Mul", tf.binary("Sub", root, quotient), float(tf, 1 / 3));
  // Zero and infinity equal their half; the step is 0/0 or inf/inf for them.
  const special = tf.binary("Equal", tf.binary("Mul", x, float(tf, 0.5)), x);
  const better = tf.select(special, root, tf.binary("Sub", root, step));
  return withSignOf(tf, x, better);
}

/** C's fmod: the sign of the dividend; TensorFlow's FloorMod has the divisor's. */
export function remainder(tf: Tf, x: Tensor, y: Tensor): Tensor {
  const magnitude = tf.binary("FloorMod", tf.unary("Abs", x), tf.unary("Abs", y));
  return withSignOf(tf, x, magnitude);
}

/**
 * x^y. cpu gives NaN for 1 to the power of NaN and ±1 to that of infinity, which are 1; the GPU
 * kernels give 0 for 0 to a negative power.
 */
export function pow(tf: Tf, x: Tensor, y: Tensor): Tensor {
  let result = tf.binary("Pow", x, y);
  const one = float(tf, 1);
  if (!knownToBe(y, Number.isFinite) && !knownToBe(x, (value) => Math.abs(value) !== 1)) {
    const minusOne = tf.binary("Equal", x, float(tf, -1));
    const isOne = tf.binary(
      "LogicalOr",
      tf.binary("Equal", x, one),
      tf.binary("LogicalAnd", minusOne, tf.unary("IsInf", y)),
    );
    result = tf.select(isOne, one, result);
  }
  const safe = knownToBe(y, (value) => value >= 0) || knownToBe(x, (value) => value !== 0);
  if (!targets(tf, "webgl", "webgpu") || safe) return result;
  const isZero = tf.binary("Equal", x, float(tf, 0));
  const pole = tf.binary("LogicalAnd", isZero, tf.binary("Less", y, float(tf, 0)));
  const power = tf.binary("Pow", x, tf.unary("Neg", y));
  return tf.select(pole, tf.binary("RealDiv", one, power), result);
}

/** Angle of (x, y). WebGL drivers give pi for y = -0 beside a positive x. */
export function atan2(tf: Tf, y: Tensor, x: Tensor): Tensor {
  const angle = tf.binary("Atan2", y, x);
  if (!targets(tf, "webgl")) return angle;
  const zero = float(tf, 0);
  const isZero = tf.binary(
    "LogicalAnd",
    tf.binary("Equal", y, zero),
    tf.binary("Greater", x, zero),
  );
  return tf.select(isZero, y, angle);
}
