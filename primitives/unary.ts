/**
 * Records of one argument on real (and complex) numbers: signs, rounding, exponentials and
 * logarithms, roots and powers. The derivatives are JAX's formulas.
 */
import { isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import { none, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import * as complexMath from "./complexMath.js";
import {
  accepts,
  constantLike,
  elementwise,
  type Accepted,
  type ElementwiseContext,
  type ElementwiseSpec,
  type Pair,
} from "./factories.js";
import * as floats from "./floatMath.js";
import * as integers from "./integerMath.js";
import { at } from "./support.js";
import { cos as cosine, sin as sine, tan as tangent } from "./trigonometry.js";
import { multiplyWords, subtractWords, wordOf } from "./wordMath.js";

/** The part of a derivative rule that one-argument functions need: tangent, argument, result. */
type Derivative = (o: Ops, tangent: Value, x: Value, result: Value) => Value;

interface FunctionSpec {
  readonly accepts?: Accepted;
  readonly derivative: Derivative | "zero";
  readonly real: (tf: Tf, x: Tensor, context: ElementwiseContext<NoParams>) => Tensor;
  readonly complex?: (tf: Tf, x: Pair) => Pair;
  readonly result?: (dtype: DType) => DType;
  readonly fold?: (x: number, dtype: DType) => number | boolean;
  readonly limits?: ElementwiseSpec<NoParams>["limits"];
  readonly manyNodes?: string;
}

function unary(name: string, spec: FunctionSpec): Primitive<NoParams> {
  const { derivative, complex, fold } = spec;
  return elementwise<NoParams>({
    name,
    accepts: [spec.accepts ?? accepts.floatOrComplex],
    tangents:
      derivative === "zero"
        ? "zero"
        : [(o, tangent, primals, result) => derivative(o, tangent, at(primals, 0), result)],
    transpose: none(`${name} is not linear`),
    tfjs: (tf, args, context) => spec.real(tf, at(args, 0), context),
    ...(complex === undefined ? {} : { complex: (tf, args) => complex(tf, at(args, 0)) }),
    ...(spec.result === undefined ? {} : { result: spec.result }),
    ...(spec.limits === undefined ? {} : { limits: spec.limits }),
    ...(spec.manyNodes === undefined ? {} : { manyNodes: spec.manyNodes }),
    ...(fold === undefined ? {} : { fold: (args, dtype) => fold(at(args, 0), dtype) }),
  });
}

/** Why complex functions take many nodes. */
const complexFunction =
  "Complex arguments: TensorFlow.js has no complex kernels, so real ones compute both parts, with " +
  "care for large and small arguments.";

/** A tfjs rule that is one node. */
const node =
  (op: string) =>
  (tf: Tf, x: Tensor): Tensor =>
    tf.unary(op, x);

const one = (o: Ops, x: Value): Value => constantLike(o, x, 1);

// --- signs and rounding --------------------------------------------------------------------------

export const neg = elementwise<NoParams>({
  name: "neg",
  accepts: [accepts.number],
  tangents: [(o, t) => o.neg(t)],
  transpose: [(o, ct) => o.neg(ct)],
  tfjs: (tf, args, { dtype }) =>
    isInteger(dtype)
      ? integers.wrap(tf, integers.sub(tf, integers.int(tf, 0), at(args, 0)), dtype)
      : tf.unary("Neg", at(args, 0)),
  complex: (tf, args) => complexMath.neg(tf, at(args, 0)),
  words: (tf, args) => subtractWords(tf, wordOf(tf, 0), at(args, 0)),
  fold: (args) => -at(args, 0),
});

function integerSign(tf: Tf, x: Tensor, dtype: DType): Tensor {
  if (integers.isUnsigned(dtype)) {
    return tf.cast(tf.binary("NotEqual", x, integers.int(tf, 0)), "int32");
  }
  const atMostOne = tf.binary("Minimum", x, integers.int(tf, 1));
  return tf.binary("Maximum", atMostOne, integers.int(tf, -1));
}

export const sign = unary("sign", {
  accepts: accepts.number,
  derivative: "zero",
  real: (tf, x, { dtype }) => (isInteger(dtype) ? integerSign(tf, x, dtype) : floats.sign(tf, x)),
  complex: complexMath.sign,
  fold: (x) => (x > 0 ? 1 : x < 0 ? -1 : x),
});

/** Element type of the parts of a complex number; real types are their own. */
export function realType(dtype: DType): DType {
  if (dtype === "complex64") return "float32";
  return dtype === "complex128" ? "float64" : dtype;
}

export const abs = elementwise<NoParams>({
  name: "abs",
  accepts: [accepts.signedNumber],
  result: realType,
  tangents: [
    (o, t, primals, result) => {
      const x = at(primals, 0);
      if (kindOf(x.aval.dtype) !== "complex") {
        return o.selectN(o.ge(x, constantLike(o, x, 0)), o.neg(t), t);
      }
      const isZero = o.eq(result, constantLike(o, result, 0));
      const nonZero = o.selectN(isZero, result, o.full(result.aval.shape, 1, result.aval.dtype));
      const size = o.convertElementType(nonZero, x.aval.dtype);
      return o.real(o.mul(t, o.div(o.conj(x), size)));
    },
  ],
  transpose: none("abs is not linear"),
  tfjs: (tf, args, { dtype }) => {
    const operand = at(args, 0);
    if (!isInteger(dtype)) return tf.unary("Abs", operand);
    // The Abs kernels of int32 go through float32.
    const negated = integers.sub(tf, integers.int(tf, 0), operand);
    return integers.wrap(tf, tf.binary("Maximum", operand, negated), dtype);
  },
  complex: (tf, args) => complexMath.magnitude(tf, at(args, 0)),
  fold: (args) => Math.abs(at(args, 0)),
});

export const floor = unary("floor", {
  accepts: accepts.float,
  derivative: "zero",
  real: node("Floor"),
  fold: Math.floor,
});

export const ceil = unary("ceil", {
  accepts: accepts.float,
  derivative: "zero",
  real: node("Ceil"),
  fold: Math.ceil,
});

export type RoundParams = { readonly rounding_method: "AWAY_FROM_ZERO" | "TO_NEAREST_EVEN" };

function roundNumber(x: number, method: RoundParams["rounding_method"]): number {
  const magnitude = Math.abs(x);
  const below = Math.floor(magnitude);
  const rest = magnitude - below;
  const up = method === "AWAY_FROM_ZERO" || below % 2 !== 0 ? rest >= 0.5 : rest > 0.5;
  return Math.sign(x) * (up ? below + 1 : below);
}

export const round = elementwise<RoundParams>({
  name: "round",
  accepts: [accepts.float],
  tangents: "zero",
  transpose: none("round is not linear"),
  tfjs: (tf, args, { params }) =>
    params.rounding_method === "TO_NEAREST_EVEN"
      ? tf.unary("Round", at(args, 0))
      : floats.roundAway(tf, at(args, 0)),
  fold: (args, _dtype, params) => roundNumber(at(args, 0), params.rounding_method),
});

export const isFinite = unary("is_finite", {
  accepts: accepts.float,
  derivative: "zero",
  result: () => "bool",
  real: node("IsFinite"),
  fold: Number.isFinite,
});

// --- exponentials and logarithms -----------------------------------------------------------------

export const exp = unary("exp", {
  derivative: (o, t, _x, result) => o.mul(t, result),
  real: node("Exp"),
  complex: complexMath.exp,
});

export const exp2 = unary("exp2", {
  derivative: (o, t, x, result) => o.mul(o.log(constantLike(o, x, 2)), o.mul(t, result)),
  real: (tf, x) => tf.binary("Pow", floats.float(tf, 2), x),
  complex: (tf, x) => complexMath.exp(tf, complexMath.scale(tf, x, Math.LN2)),
});

const smallArguments = {
  when: "webgl or webgpu, |x| < 1e-3",
  effect: "the absolute error stays below 1e-6, the relative error does not",
  why: "the TensorFlow.js shaders combine exponentials near 1",
} as const;

export const expm1 = unary("expm1", {
  derivative: (o, t, x, result) => o.mul(t, o.add(result, one(o, x))),
  real: floats.expm1,
  complex: complexMath.expm1,
});

export const log = unary("log", {
  derivative: (o, t, x) => o.div(t, x),
  real: floats.log,
  complex: complexMath.log,
});

export const log1p = unary("log1p", {
  derivative: (o, t, x) => o.div(t, o.add(x, one(o, x))),
  real: floats.log1p,
  complex: complexMath.log1p,
});

export const logistic = unary("logistic", {
  derivative: (o, t, x, result) => o.mul(t, o.mul(result, o.sub(one(o, x), result))),
  real: node("Sigmoid"),
  complex: complexMath.logistic,
});

// --- trigonometric and hyperbolic functions ------------------------------------------------------

const largeArguments = {
  when: "webgl or webgpu, |x| > 1e4",
  effect: "the error grows with the argument",
  why: "the distance from a multiple of pi is taken in float32",
} as const;

export const sin = unary("sin", {
  derivative: (o, t, x) => o.mul(t, o.cos(x)),
  real: sine,
  complex: complexMath.sin,
  limits: [
    largeArguments,
    {
      when: "wasm, |x| < 1e-3",
      effect: "the absolute error stays below 2e-7, the relative error does not",
      why: "the TensorFlow.js kernels reduce all arguments by multiples of pi",
    },
  ],
});

export const cos = unary("cos", {
  derivative: (o, t, x) => o.neg(o.mul(t, o.sin(x))),
  real: cosine,
  complex: complexMath.cos,
  limits: [largeArguments],
});

export const tan = unary("tan", {
  derivative: (o, t, x, result) => o.mul(t, o.add(one(o, x), o.square(result))),
  real: tangent,
  complex: complexMath.tan,
  limits: [largeArguments],
});

/** Derivative of asin; that of acos is its negative. */
const asinDerivative: Derivative = (o, t, x) => o.mul(t, o.rsqrt(o.sub(one(o, x), o.square(x))));

export const asin = unary("asin", {
  manyNodes: complexFunction,
  derivative: asinDerivative,
  real: node("Asin"),
  complex: complexMath.asin,
});

export const acos = unary("acos", {
  manyNodes: complexFunction,
  derivative: (o, t, x, result) => o.neg(asinDerivative(o, t, x, result)),
  real: node("Acos"),
  complex: complexMath.acos,
});

export const atan = unary("atan", {
  derivative: (o, t, x) => o.div(t, o.add(one(o, x), o.square(x))),
  real: node("Atan"),
  complex: complexMath.atan,
});

export const sinh = unary("sinh", {
  derivative: (o, t, x) => o.mul(t, o.cosh(x)),
  real: floats.sinh,
  complex: complexMath.sinh,
});

export const cosh = unary("cosh", {
  derivative: (o, t, x) => o.mul(t, o.sinh(x)),
  real: node("Cosh"),
  complex: complexMath.cosh,
});

export const tanh = unary("tanh", {
  derivative: (o, t, x, result) => o.mul(o.add(t, o.mul(t, result)), o.sub(one(o, x), result)),
  real: node("Tanh"),
  complex: complexMath.tanh,
  limits: [smallArguments],
});

export const asinh = unary("asinh", {
  manyNodes: complexFunction,
  derivative: (o, t, x) => o.mul(t, o.rsqrt(o.add(o.square(x), one(o, x)))),
  real: floats.asinh,
  complex: complexMath.asinh,
});

export const acosh = unary("acosh", {
  manyNodes: complexFunction,
  derivative: (o, t, x) => o.mul(t, o.rsqrt(o.sub(o.square(x), one(o, x)))),
  real: floats.acosh,
  complex: complexMath.acosh,
});

export const atanh = unary("atanh", {
  derivative: (o, t, x) =>
    o.mul(o.div(one(o, x), o.add(one(o, x), x)), o.div(t, o.sub(one(o, x), x))),
  real: floats.atanh,
  complex: complexMath.atanh,
});

// --- roots and powers ----------------------------------------------------------------------------

export const sqrt = unary("sqrt", {
  derivative: (o, t, x, result) => o.mul(t, o.div(constantLike(o, x, 0.5), result)),
  real: node("Sqrt"),
  complex: complexMath.sqrt,
  fold: Math.sqrt,
});

export const rsqrt = unary("rsqrt", {
  manyNodes: complexFunction,
  derivative: (o, t, x, result) => o.mul(t, o.mul(constantLike(o, x, -0.5), o.div(result, x))),
  real: node("Rsqrt"),
  complex: complexMath.rsqrt,
});

export const cbrt = unary("cbrt", {
  accepts: accepts.float,
  derivative: (o, t, x, result) =>
    o.mul(t, o.mul(constantLike(o, x, 1 / 3), o.integerPow(result, -2))),
  real: floats.cbrt,
});

function timesItself(tf: Tf, x: Tensor, dtype: DType): Tensor {
  return isInteger(dtype)
    ? integers.wrap(tf, integers.multiply(tf, x, x, dtype), dtype)
    : tf.unary("Square", x);
}

/** Folds x * x in the type's own arithmetic. */
const foldProduct = (x: number, y: number, dtype: DType): number =>
  isInteger(dtype) && Math.abs(x * y) > Number.MAX_SAFE_INTEGER ? Math.imul(x, y) : x * y;

export const square = unary("square", {
  accepts: accepts.number,
  derivative: (o, t, x) => o.mul(t, o.mul(constantLike(o, x, 2), x)),
  real: (tf, x, { dtype }) => timesItself(tf, x, dtype),
  complex: (tf, x) => complexMath.mul(tf, x, x),
  fold: (x, dtype) => foldProduct(x, x, dtype),
});

export type IntegerPowParams = { readonly y: number };

/** x to a power >= 1 by repeated squaring, as JAX multiplies. */
function powerOf<T>(x: T, exponent: number, multiply: (a: T, b: T) => T): T {
  let result: T | null = null;
  let factor = x;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === null ? factor : multiply(result, factor);
    if (rest > 1) factor = multiply(factor, factor);
  }
  return result ?? x;
}

export const integerPow = elementwise<IntegerPowParams>({
  name: "integer_pow",
  accepts: [accepts.number],
  checkTypes: ([x], { y }) => {
    if (!Number.isSafeInteger(y)) {
      throw new Jax2TfjsError("invalid-parameter", `integer_pow: ${y} is no integer exponent`);
    }
    if (y < 0 && x !== undefined && isInteger(x.dtype)) {
      throw new Jax2TfjsError(
        "dtype-mismatch",
        `Integers cannot be raised to negative powers, got integer_pow(${x.dtype}, ${y})`,
      );
    }
  },
  tangents: [
    (o, t, primals, _result, { y }) => {
      const x = at(primals, 0);
      if (y === 0) return o.full(t.aval.shape, 0, t.aval.dtype);
      if (y === 1) return t;
      const power = y === 2 ? x : o.integerPow(x, y - 1);
      return o.mul(t, o.mul(constantLike(o, x, y), power));
    },
  ],
  transpose: none("integer_pow is not linear"),
  tfjs: (tf, args, { dtype, params: { y } }) => {
    const x = at(args, 0);
    if (isInteger(dtype)) {
      if (y === 0) return integers.int(tf, 1);
      return powerOf(x, y, (a, b) => integers.wrap(tf, integers.multiply(tf, a, b, dtype), dtype));
    }
    if (y === 0) return floats.float(tf, 1);
    const power = powerOf(x, Math.abs(y), (a, b) =>
      a === b ? tf.unary("Square", a) : tf.binary("Mul", a, b),
    );
    return y > 0 ? power : tf.binary("RealDiv", floats.float(tf, 1), power);
  },
  complex: (tf, args, { params: { y } }) => {
    const unit = complexMath.constant(tf, 1, 0);
    if (y === 0) return unit;
    const power = powerOf(at(args, 0), Math.abs(y), (a, b) => complexMath.mul(tf, a, b));
    return y > 0 ? power : complexMath.div(tf, unit, power);
  },
  words: (tf, args, { params: { y } }) =>
    y === 0 ? wordOf(tf, 1) : powerOf(at(args, 0), y, (a, b) => multiplyWords(tf, a, b)),
  fold: (args, dtype, { y }) => {
    if (y === 0) return 1;
    const power = powerOf(at(args, 0), Math.abs(y), (a, b) => foldProduct(a, b, dtype));
    return y > 0 ? power : 1 / power;
  },
});

// --- identities ----------------------------------------------------------------------------------

/** A record that gives back its argument. */
function identity(
  name: string,
  tangents: ElementwiseSpec<NoParams>["tangents"],
): Primitive<NoParams> {
  return elementwise<NoParams>({
    name,
    accepts: [accepts.any],
    tangents,
    transpose: [(_o, ct) => ct],
    tfjs: (_tf, args) => at(args, 0),
    complex: (_tf, args) => at(args, 0),
    words: (_tf, args) => at(args, 0),
    fold: (args) => at(args, 0),
    flopsPerElement: 0,
  });
}

/** What older versions of JAX print for `copy`. */
export const copyP = identity("copy_p", [(_o, t) => t]);
