/**
 * Comparisons: bool results, unsigned order for unsigned integers, and the total order of floats
 * that JAX's sort comparators use.
 */
import { isFloat, type DType } from "../src/ir/dtypes.js";
import type { NoParams } from "../src/ir/params.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { none, type CarriedRule, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { accepts, elementwise, type ElementwiseSpec } from "./factories.js";
import * as integers from "./integerMath.js";
import { at } from "./support.js";
import { equalWords, lessWords, type Word } from "./wordMath.js";

interface ComparisonSpec {
  readonly accepts: ElementwiseSpec<NoParams>["accepts"];
  readonly tfjs: (tf: Tf, x: Tensor, y: Tensor, dtype: DType) => Tensor;
  readonly complex?: NonNullable<ElementwiseSpec<NoParams>["complex"]>;
  readonly words: (tf: Tf, x: Word, y: Word) => Tensor;
  readonly fold: (x: number, y: number, dtype: DType) => boolean;
  readonly carried?: ElementwiseSpec<NoParams>["carried"];
  readonly limits?: ElementwiseSpec<NoParams>["limits"];
}

function comparison(name: string, spec: ComparisonSpec): Primitive<NoParams> {
  return elementwise<NoParams>({
    name,
    accepts: spec.accepts,
    result: () => "bool",
    tangents: "zero",
    transpose: none(`${name} is not linear`),
    tfjs: (tf, args, { dtype }) => spec.tfjs(tf, at(args, 0), at(args, 1), dtype),
    words: (tf, args) => spec.words(tf, at(args, 0), at(args, 1)),
    fold: (args, dtype) => spec.fold(at(args, 0), at(args, 1), dtype),
    ...(spec.complex === undefined ? {} : { complex: spec.complex }),
    ...(spec.carried === undefined ? {} : { carried: spec.carried }),
    ...(spec.limits === undefined ? {} : { limits: spec.limits }),
  });
}

const any = [accepts.anyOrKey, accepts.anyOrKey];
const ordered = [accepts.ordered, accepts.ordered];
const not = (tf: Tf, x: Tensor): Tensor => tf.unary("LogicalNot", x);

/** Comparisons of keys are those of all their words together. */
const ofWords =
  (
    compare: (o: Ops, x: Value, y: Value) => Value,
    join: (o: Ops, each: Value, axes: readonly number[]) => Value,
  ): CarriedRule<NoParams> =>
  (o, inputs, _params, types) => {
    const [x, y] = [at(inputs, 0), at(inputs, 1)];
    const rank = Math.max(...types.map(({ shape }) => shape.length));
    const shapes = types.map(({ shape }, index) => [
      ...(shape.length === rank ? shape : new Array<number>(rank).fill(1)),
      ...at(inputs, index).aval.shape.slice(-1),
    ]);
    const each = compare(o, o.reshape(x, at(shapes, 0)), o.reshape(y, at(shapes, 1)));
    return [join(o, each, [rank])];
  };

export const eq = comparison("eq", {
  accepts: any,
  carried: ofWords(
    (o, x, y) => o.eq(x, y),
    (o, each, axes) => o.reduceAnd(each, axes),
  ),
  tfjs: (tf, x, y) => tf.binary("Equal", x, y),
  complex: (tf, args) => {
    const [x, y] = [at(args, 0), at(args, 1)];
    return tf.binary("LogicalAnd", tf.binary("Equal", x.re, y.re), tf.binary("Equal", x.im, y.im));
  },
  words: equalWords,
  fold: (x, y) => x === y,
});

export const ne = comparison("ne", {
  accepts: any,
  carried: ofWords(
    (o, x, y) => o.ne(x, y),
    (o, each, axes) => o.reduceOr(each, axes),
  ),
  tfjs: (tf, x, y) => tf.binary("NotEqual", x, y),
  complex: (tf, args) => {
    const [x, y] = [at(args, 0), at(args, 1)];
    return tf.binary(
      "LogicalOr",
      tf.binary("NotEqual", x.re, y.re),
      tf.binary("NotEqual", x.im, y.im),
    );
  },
  words: (tf, x, y) => not(tf, equalWords(tf, x, y)),
  fold: (x, y) => x !== y,
});

/** x < y in the order of the type. */
function less(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  if (dtype === "bool") return tf.binary("LogicalAnd", not(tf, x), y);
  return dtype === "uint32" ? integers.unsignedLess(tf, x, y) : tf.binary("Less", x, y);
}

/** x <= y in the order of the type. */
function lessEqual(tf: Tf, x: Tensor, y: Tensor, dtype: DType): Tensor {
  if (dtype === "bool") return tf.binary("LogicalOr", not(tf, x), y);
  return dtype === "uint32"
    ? not(tf, integers.unsignedLess(tf, y, x))
    : tf.binary("LessEqual", x, y);
}

/** For numbers: the kernel of its own keeps the graph readable. */
const swapped = (
  op: string,
  otherwise: (tf: Tf, x: Tensor, y: Tensor, dtype: DType) => Tensor,
): ComparisonSpec["tfjs"] => {
  return (tf, x, y, dtype) =>
    dtype === "bool" || dtype === "uint32" ? otherwise(tf, y, x, dtype) : tf.binary(op, x, y);
};

export const lt = comparison("lt", {
  accepts: ordered,
  tfjs: less,
  words: lessWords,
  fold: (x, y) => x < y,
});
export const le = comparison("le", {
  accepts: ordered,
  tfjs: lessEqual,
  words: (tf, x, y) => not(tf, lessWords(tf, y, x)),
  fold: (x, y) => x <= y,
});
export const gt = comparison("gt", {
  accepts: ordered,
  tfjs: swapped("Greater", less),
  words: (tf, x, y) => lessWords(tf, y, x),
  fold: (x, y) => x > y,
});
export const ge = comparison("ge", {
  accepts: ordered,
  tfjs: swapped("GreaterEqual", lessEqual),
  words: (tf, x, y) => not(tf, lessWords(tf, x, y)),
  fold: (x, y) => x >= y,
});

// --- total order: -NaN < -inf < … < -0 < 0 < … < inf < NaN ---------------------------------------

const totalOrderLimits = [
  {
    when: "floats",
    effect: "-0 equals 0, and all NaNs are equal and larger than all numbers",
    why: "TensorFlow.js has no way to read the sign bit of zeros and NaNs",
  },
] as const;

const isNan = (tf: Tf, x: Tensor): Tensor => tf.unary("IsNan", x);

export const eqTo = comparison("eq_to", {
  accepts: [accepts.ordered, accepts.ordered],
  tfjs: (tf, x, y, dtype) => {
    const equal = tf.binary("Equal", x, y);
    if (!isFloat(dtype)) return equal;
    return tf.binary("LogicalOr", equal, tf.binary("LogicalAnd", isNan(tf, x), isNan(tf, y)));
  },
  words: equalWords,
  fold: (x, y, dtype) => (isFloat(dtype) ? Object.is(x, y) : x === y),
  limits: totalOrderLimits,
});

export const leTo = comparison("le_to", {
  accepts: ordered,
  tfjs: (tf, x, y, dtype) => {
    const order = lessEqual(tf, x, y, dtype);
    return isFloat(dtype) ? tf.binary("LogicalOr", order, isNan(tf, y)) : order;
  },
  words: (tf, x, y) => not(tf, lessWords(tf, y, x)),
  fold: (x, y, dtype) => (isFloat(dtype) ? totalOrder(x, y) <= 0 : x <= y),
  limits: totalOrderLimits,
});

export const ltTo = comparison("lt_to", {
  accepts: ordered,
  tfjs: (tf, x, y, dtype) => {
    const order = less(tf, x, y, dtype);
    if (!isFloat(dtype)) return order;
    const beforeNan = tf.binary("LogicalAnd", isNan(tf, y), not(tf, isNan(tf, x)));
    return tf.binary("LogicalOr", order, beforeNan);
  },
  words: lessWords,
  fold: (x, y, dtype) => (isFloat(dtype) ? totalOrder(x, y) < 0 : x < y),
  limits: totalOrderLimits,
});

/** Negative: x comes first. NaNs of either sign come last: JavaScript does not tell them apart. */
function totalOrder(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  if (x === 0 && y === 0) return Number(Object.is(y, -0)) - Number(Object.is(x, -0));
  return Number(x > y) - Number(x < y);
}
