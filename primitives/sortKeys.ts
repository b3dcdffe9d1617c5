/**
 * Order as TopKV2 sees it: keys are brought into a form in which larger float32 or int32 numbers
 * come first and NaN is where JAX puts it. Used by sort.ts.
 */
import { kindOf, type DType } from "../src/ir/dtypes.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { flipSign } from "./reduce.js";
import { dtypeMismatch } from "./support.js";

/**
 * Numbers above half the largest float32, free to stand for infinity and NaN. TopKV2 needs finite
 * keys: on cpu and webgl it subtracts them, and two infinities would make NaN.
 */
const INFINITY_PLACE = 2e38;
const NAN_PLACE = 3e38;

/**
 * Half the number, with infinities and NaN at places of their own. Halving keeps all numbers apart
 * but the very smallest (subnormal) ones.
 */
function halved(tf: Tf, x: Tensor, factor: 0.5 | -0.5, nanPlace: number): Tensor {
  const half = tf.binary("Mul", x, tf.scalar(factor, "float32"));
  const low = tf.binary("Maximum", half, tf.scalar(-INFINITY_PLACE, "float32"));
  const bounded = tf.binary("Minimum", low, tf.scalar(INFINITY_PLACE, "float32"));
  return tf.select(tf.unary("IsNan", x), tf.scalar(nanPlace, "float32"), bounded);
}

/** `-1 - x`: turns the order of int32 around without overflow. */
function complement(tf: Tf, x: Tensor): Tensor {
  return tf.binary("Sub", tf.scalar(-1, "int32"), x);
}

/** A key for TopKV2: descending order of the result is the order wanted. */
function realKey(tf: Tf, x: Tensor, dtype: DType, order: "ascending" | "descending"): Tensor {
  const isAscending = order === "ascending";
  switch (kindOf(dtype)) {
    case "float":
      // NaN is the largest number: last in ascending order, first in descending order.
      return halved(tf, x, isAscending ? -0.5 : 0.5, isAscending ? -NAN_PLACE : NAN_PLACE);
    case "bool": {
      const integer = tf.cast(x, "int32");
      return isAscending ? complement(tf, integer) : integer;
    }
    case "signed":
    case "unsigned": {
      const integer = dtype === "uint32" ? flipSign(tf, x) : x;
      return isAscending ? complement(tf, integer) : integer;
    }
    case "complex":
    case "key":
    case "token":
    case "float0":
      throw dtypeMismatch(`values of type ${dtype} have no order`);
  }
}

/** The keys that a sort operand stands for, most significant first: complex numbers have two. */
export function sortKeys(
  tf: Tf,
  x: GraphValue,
  order: "ascending" | "descending",
): readonly Tensor[] {
  const { dtype, shape } = x.aval;
  if (dtype === "uint32" && !tf.exactIntegers) {
    // The number itself would be rounded to 24 bits there.
    const { high, low } = tf.limbs(x);
    return [high, low].map((limb) => realKey(tf, tf.broadcastTo(limb, shape), "int32", order));
  }
  if (kindOf(dtype) !== "complex") return [realKey(tf, tf.tensor(x), dtype, order)];
  const { re, im } = tf.pair(x);
  return [re, im].map((part) => realKey(tf, tf.broadcastTo(part, shape), "float32", order));
}
