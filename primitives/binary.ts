/**
 * Records of two arguments: arithmetic, extrema, powers and the angle of a vector.
 */
import { bitsOf, isFloat, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import { none } from "../src/ir/primitive.js";
import type { Tensor } from "../src/ir/tf.js";
import { highProduct } from "./bitMath.js";
import * as complexMath from "./complexMath.js";
import { accepts, constantLike, elementwise, stretch, type TangentRule } from "./factories.js";
import * as floats from "./floatMath.js";
import * as integers from "./integerMath.js";
import { at, dtypeMismatch } from "./support.js";
import * as words from "./wordMath.js";

type Two = readonly [Tensor, Tensor];
const two = (args: readonly Tensor[]): Two => [at(args, 0), at(args, 1)];

const tangentOf: TangentRule<NoParams> = (_o, tangent) => tangent;

export const add = elementwise<NoParams>({
  name: "add",
  accepts: [accepts.number, accepts.number],
  tangents: [tangentOf, tangentOf],
  transpose: [(_o, ct) => ct, (_o, ct) => ct],
  tfjs: (tf, args, { dtype }) =>
    integers.wrapIfInteger(tf, tf.binary("AddV2", ...two(args)), dtype),
  complex: (tf, args) => complexMath.add(tf, at(args, 0), at(args, 1)),
  words: (tf, args) => words.addWords(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) + at(args, 1),
});

/** The sum of cotangents that JAX's own transformations add up. */
export const addAny = elementwise<NoParams>({
  name: "add_any",
  accepts: [accepts.number, accepts.number],
  tangents: [tangentOf, tangentOf],
  transpose: [(_o, ct) => ct, (_o, ct) => ct],
  tfjs: (tf, args, { dtype }) =>
    integers.wrapIfInteger(tf, tf.binary("AddV2", ...two(args)), dtype),
  complex: (tf, args) => complexMath.add(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) + at(args, 1),
});

export const sub = elementwise<NoParams>({
  name: "sub",
  accepts: [accepts.number, accepts.number],
  tangents: [tangentOf, (o, t) => o.neg(t)],
  transpose: [(_o, ct) => ct, (o, ct) => o.neg(ct)],
  tfjs: (tf, args, { dtype }) => integers.wrapIfInteger(tf, tf.binary("Sub", ...two(args)), dtype),
  complex: (tf, args) => complexMath.sub(tf, at(args, 0), at(args, 1)),
  words: (tf, args) => words.subtractWords(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) - at(args, 1),
});

/** x * y; integer products above 2^53 keep their low 32 bits. */
function foldProduct(x: number, y: number, dtype: DType): number {
  const product = x * y;
  const wraps = isInteger(dtype) && bitsOf(dtype) <= 32 && !Number.isSafeInteger(product);
  return wraps ? Math.imul(x, y) : product;
}

export const mul = elementwise<NoParams>({
  name: "mul",
  accepts: [accepts.number, accepts.number],
  tangents: [
    (o, t, primals) => o.mul(t, at(primals, 1)),
    (o, t, primals) => o.mul(at(primals, 0), t),
  ],
  transpose: [(o, ct, known) => o.mul(ct, known(1)), (o, ct, known) => o.mul(known(0), ct)],
  tfjs: (tf, args, { dtype }) =>
    isInteger(dtype)
      ? integers.wrap(tf, integers.multiply(tf, ...two(args), dtype), dtype)
      : tf.binary("Mul", ...two(args)),
  complex: (tf, args) => complexMath.mul(tf, at(args, 0), at(args, 1)),
  words: (tf, args) => words.multiplyWords(tf, at(args, 0), at(args, 1)),
  fold: (args, dtype) => foldProduct(at(args, 0), at(args, 1), dtype),
});

export const mulhi = elementwise<NoParams>({
  name: "mulhi",
  accepts: [accepts.integer, accepts.integer],
  tangents: "zero",
  transpose: none("mulhi is not linear"),
  tfjs: (tf, args, { dtype }) => highProduct(tf, ...two(args), dtype),
  words: (tf, args) => words.highWord(tf, at(args, 0), at(args, 1)),
  fold: (args, dtype) => {
    const product = BigInt(at(args, 0)) * BigInt(at(args, 1));
    return Number(product >> BigInt(bitsOf(dtype)));
  },
});

function foldQuotient(x: number, y: number, dtype: DType): number {
  if (!isInteger(dtype)) return x / y;
  if (y !== 0) return Math.trunc(x / y);
  return kindOf(dtype) === "unsigned" ? 2 ** bitsOf(dtype) - 1 : -1;
}

export const div = elementwise<NoParams>({
  name: "div",
  accepts: [accepts.number, accepts.number],
  tangents: [
    (o, t, primals) => o.div(t, at(primals, 1)),
    (o, t, primals) => {
      const [x, y] = [at(primals, 0), at(primals, 1)];
      return o.mul(o.mul(o.neg(t), x), o.integerPow(y, -2));
    },
  ],
  transpose: [(o, ct, known) => o.div(ct, known(1)), null],
  tfjs: (tf, args, { dtype }) =>
    isInteger(dtype) ? integers.divide(tf, ...two(args), dtype) : floats.divide(tf, ...two(args)),
  complex: (tf, args) => complexMath.div(tf, at(args, 0), at(args, 1)),
  words: (tf, args) => words.quotientOfWords(tf, at(args, 0), at(args, 1)),
  fold: (args, dtype) => foldQuotient(at(args, 0), at(args, 1), dtype),
});

export const rem = elementwise<NoParams>({
  name: "rem",
  accepts: [accepts.integerOrFloat, accepts.integerOrFloat],
  tangents: [
    tangentOf,
    (o, t, primals) => {
      const ratio = o.div(at(primals, 0), at(primals, 1));
      return o.mul(o.neg(t), o.mul(o.sign(ratio), o.floor(o.abs(ratio))));
    },
  ],
  transpose: none("rem is not linear"),
  tfjs: (tf, args, { dtype }) =>
    isInteger(dtype)
      ? integers.remainder(tf, ...two(args), dtype)
      : floats.remainder(tf, ...two(args)),
  words: (tf, args) => words.restOfWords(tf, at(args, 0), at(args, 1)),
  fold: (args, dtype) =>
    isInteger(dtype) && at(args, 1) === 0 ? at(args, 0) : at(args, 0) % at(args, 1),
});

/** 1 where x is the extremum, 1/2 where y is too: the share of the tangent that x gets. */
export function balancedShare(o: Ops, x: Value, result: Value, y: Value): Value {
  const { shape, dtype } = result.aval;
  const chosen = (other: Value, yes: number, no: number): Value =>
    o.selectN(
      o.eq(stretch(o, other, shape), result),
      o.full(shape, no, dtype),
      o.full(shape, yes, dtype),
    );
  return o.div(chosen(x, 1, 0), chosen(y, 2, 1));
}

function extremum(name: "max" | "min") {
  const op = name === "max" ? "Maximum" : "Minimum";
  const pick = name === "max" ? Math.max : Math.min;
  return elementwise<NoParams>({
    name,
    accepts: [accepts.any, accepts.any],
    tangents: [
      (o, t, primals, result) => o.mul(t, balancedShare(o, at(primals, 0), result, at(primals, 1))),
      (o, t, primals, result) => o.mul(t, balancedShare(o, at(primals, 1), result, at(primals, 0))),
    ],
    transpose: none(`${name} is not linear`),
    tfjs: (tf, args, { dtype }) => {
      const [x, y] = two(args);
      if (dtype === "bool") return tf.binary(name === "max" ? "LogicalOr" : "LogicalAnd", x, y);
      if (isFloat(dtype)) return floats.extremum(tf, op, x, y);
      if (dtype !== "uint32") return tf.binary(op, x, y);
      const less = integers.unsignedLess(tf, x, y);
      return name === "max" ? tf.select(less, y, x) : tf.select(less, x, y);
    },
    words: (tf, args) => {
      const [x, y] = [at(args, 0), at(args, 1)];
      const [first, second] = name === "max" ? [y, x] : [x, y];
      return words.selectWords(tf, words.lessWords(tf, first, second), x, y);
    },
    // Complex numbers are ordered by real part, then by imaginary part.
    complex: (tf, args) => {
      const [x, y] = [at(args, 0), at(args, 1)];
      const [first, second] = name === "max" ? [y, x] : [x, y];
      return complexMath.select(tf, complexMath.less(tf, first, second), x, y);
    },
    fold: (args) => pick(at(args, 0), at(args, 1)),
  });
}

export const max = extremum("max");
export const min = extremum("min");

/** x, with 1 in place of 0. */
const replaceZero = (o: Ops, x: Value): Value => {
  const isZero = o.eq(x, constantLike(o, x, 0));
  return o.selectN(isZero, x, o.full(x.aval.shape, 1, x.aval.dtype));
};

/**
 * A value of a short floating type rounded to it. Elsewhere they are left unrounded; an exponent
 * that becomes a whole number by rounding decides whether a power exists.
 */
function rounded(o: Ops, value: Value): Value {
  if (value.aval.dtype === "bfloat16") return o.reducePrecision(value, 8, 7);
  return value.aval.dtype === "float16" ? o.reducePrecision(value, 5, 10) : value;
}

export const pow = elementwise<NoParams>({
  name: "pow",
  accepts: [accepts.floatOrComplex, accepts.number],
  sameTypes: false,
  checkTypes: (inputs) => {
    const [x, y] = [at(inputs, 0).dtype, at(inputs, 1).dtype];
    if (x === y || isInteger(y)) return;
    throw dtypeMismatch(
      "the first argument to pow must have an inexact dtype (float or complex), and the second " +
        "argument must have an inexact or integer dtype, and two inexact dtypes must match, but " +
        `got ${x} and ${y} respectively.`,
    );
  },
  tangents: [
    (o, t, primals, result) => {
      const [x, y] = [at(primals, 0), at(primals, 1)];
      const exponent = o.convertElementType(y, x.aval.dtype);
      const previous = rounded(o, o.sub(exponent, constantLike(o, x, 1)));
      if (!isInteger(y.aval.dtype)) return o.mul(t, o.mul(exponent, o.pow(x, previous)));
      const { shape, dtype } = result.aval;
      const wide = stretch(o, exponent, shape);
      const slope = o.mul(replaceZero(o, wide), o.pow(x, previous));
      const isZero = o.eq(wide, constantLike(o, wide, 0));
      return o.mul(t, o.selectN(isZero, slope, o.full(shape, 0, dtype)));
    },
    (o, t, primals, result) => o.mul(t, o.mul(o.log(replaceZero(o, at(primals, 0))), result)),
  ],
  transpose: none("pow is not linear"),
  tfjs: (tf, args, { inputs }) => {
    const [x, y] = two(args);
    const exponent = at(inputs, 1);
    if (exponent.aval.dtype !== "uint32") return floats.pow(tf, x, tf.cast(y, "float32"));
    const number = tf.exactIntegers
      ? integers.unsignedToFloat(tf, y)
      : words.wordToFloat(tf, tf.limbs(exponent));
    return floats.pow(tf, x, number);
  },
  complex: (tf, args) => complexMath.pow(tf, at(args, 0), at(args, 1)),
});

function atan2Tangent(sign: 1 | -1): TangentRule<NoParams> {
  return (o, t, primals) => {
    const [x, y] = [at(primals, 0), at(primals, 1)];
    const other = sign === 1 ? y : o.neg(x);
    return o.mul(t, o.div(other, o.add(o.square(x), o.square(y))));
  };
}

export const atan2 = elementwise<NoParams>({
  name: "atan2",
  accepts: [accepts.floatOrComplex, accepts.floatOrComplex],
  tangents: [atan2Tangent(1), atan2Tangent(-1)],
  transpose: none("atan2 is not linear"),
  tfjs: (tf, args) => floats.atan2(tf, ...two(args)),
  // -i log((x + i y) / sqrt(x² + y²)), for y = first and x = second argument.
  complex: (tf, args) => complexMath.atan2(tf, at(args, 0), at(args, 1)),
});
