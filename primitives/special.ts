/**
 * Special functions of one argument: the error function and its relatives, logarithm and
 * derivatives of the gamma function, Bessel functions.
 */
import type { DType } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import { none, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { accepts, constantLike, elementwise, type ElementwiseSpec } from "./factories.js";
import { floatFromLimbs, floatToLimbs, fromBits, toBits } from "./bitcast.js";
import { float, withSignOf } from "./floatMath.js";
import { polygamma } from "./incomplete.js";
import * as integers from "./integerMath.js";
import * as math from "./specialMath.js";
import { at } from "./support.js";
import { addWords, selectWords, wordOf } from "./wordMath.js";

interface SpecialSpec {
  readonly derivative: (o: Ops, tangent: Value, x: Value, result: Value) => Value;
  readonly tfjs: (tf: Tf, x: Tensor) => Tensor;
  readonly limits?: ElementwiseSpec<NoParams>["limits"];
  /** Rough count of operations, for `inspect`. */
  readonly flops: number;
}

function special(name: string, spec: SpecialSpec): Primitive<NoParams> {
  return elementwise<NoParams>({
    name,
    accepts: [accepts.float],
    tangents: [
      (o, tangent, primals, result) => spec.derivative(o, tangent, at(primals, 0), result),
    ],
    transpose: none(`${name} is not linear`),
    tfjs: (tf, args) => spec.tfjs(tf, at(args, 0)),
    flopsPerElement: spec.flops,
    ...(spec.limits === undefined ? {} : { limits: spec.limits }),
  });
}

/** c exp(-x²) times the tangent. */
const gaussian = (o: Ops, tangent: Value, x: Value, factor: number): Value =>
  o.mul(constantLike(o, x, factor), o.mul(tangent, o.exp(o.neg(o.square(x)))));

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

export const erf = special("erf", {
  derivative: (o, t, x) => gaussian(o, t, x, twoOverRootPi),
  tfjs: (tf, x) => tf.unary("Erf", x),
  flops: 8,
  limits: [
    {
      when: "cpu, webgl or webgpu",
      effect: "absolute error up to 1.5e-7, so small results have few correct digits",
      why: "the TensorFlow.js kernels use a five-term approximation",
    },
  ],
});

export const erfc = special("erfc", {
  derivative: (o, t, x) => gaussian(o, t, x, -twoOverRootPi),
  tfjs: math.erfc,
  flops: 30,
});

export const erfInv = special("erf_inv", {
  derivative: (o, t, x, result) => {
    const slope = o.exp(o.square(result));
    return o.mul(constantLike(o, x, Math.sqrt(Math.PI) / 2), o.mul(t, slope));
  },
  tfjs: math.erfInv,
  flops: 40,
});

export const lgamma = special("lgamma", {
  derivative: (o, t, x) => o.mul(t, o.digamma(x)),
  tfjs: math.lgamma,
  flops: 60,
});

export const digamma = special("digamma", {
  derivative: (o, t, x) => o.mul(t, at(o.bind(polygamma, [constantLike(o, x, 1), x], {}), 0)),
  tfjs: math.digamma,
  flops: 50,
});

/** The next larger (or smaller) magnitude. */
function neighbourMagnitude(tf: Tf, x: Tensor, isUp: Tensor, dtype: DType): Tensor {
  if (dtype === "float32" && !tf.exactIntegers) {
    const step = selectWords(tf, isUp, wordOf(tf, 1), wordOf(tf, -1));
    return floatFromLimbs(tf, addWords(tf, floatToLimbs(tf, x), step));
  }
  const step = tf.select(isUp, integers.int(tf, 1), integers.int(tf, -1));
  return fromBits(tf, integers.add(tf, toBits(tf, x, dtype), step), dtype);
}

/** The neighbour of x towards y: one step in the bits of its magnitude. */
function neighbour(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  const zero = float(tf, 0);
  const isZero = tf.binary("Equal", x, zero);
  const outward = tf.binary("Equal", tf.binary("Greater", y, x), tf.binary("Greater", x, zero));
  const isUp = tf.binary("LogicalOr", outward, isZero);
  const magnitude = neighbourMagnitude(tf, tf.unary("Abs", x), isUp, dtype);
  const next = withSignOf(tf, tf.select(isZero, y, x), magnitude);
  const isNan = tf.binary("LogicalOr", tf.unary("IsNan", x), tf.unary("IsNan", y));
  const result = tf.select(tf.binary("Equal", x, y), y, next);
  return tf.select(isNan, float(tf, NaN), result);
}

export const nextafter = elementwise<NoParams>({
  name: "nextafter",
  accepts: [accepts.float, accepts.float],
  tangents: none("nextafter has no derivative in JAX"),
  transpose: none("nextafter is not linear"),
  tfjs: (tf, args, { dtype }) => neighbour(tf, at(args, 0), at(args, 1), dtype),
  flopsPerElement: 60,
});
