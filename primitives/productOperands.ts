/**
 * Operands of dot_general and conv_general_dilated as float32 tensors, whatever their dtype.
 */
import { isComplex } from "../src/ir/dtypes.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";

/** True for complex values, which travel as (re, im). */
export function isPair(value: GraphValue): boolean {
  return isComplex(value.aval.dtype);
}

/** A real value as one float32 tensor of its whole shape. */
export function floatOperand(tf: Tf, value: GraphValue): Tensor {
  const tensor = tf.tensor(value);
  if (tensor.dtype === "float32") return tensor;
  const float = tf.cast(tensor, "float32");
  if (value.aval.dtype !== "uint32") return float;
  // uint32 travels as the int32 of the same bits.
  const negative = tf.binary("Less", float, tf.scalar(0, "float32"));
  return tf.select(negative, tf.binary("AddV2", float, tf.scalar(2 ** 32, "float32")), float);
}

/** A complex value as two float32 tensors of its whole shape. */
export function floatPair(tf: Tf, value: GraphValue): { readonly re: Tensor; readonly im: Tensor } {
  const { re, im } = tf.pair(value);
  const { shape } = value.aval;
  return { re: tf.broadcastTo(re, shape), im: tf.broadcastTo(im, shape) };
}

/** A complex product that is linear in both operands, from products of real tensors. */
export function complexParts(
  tf: Tf,
  lhs: GraphValue,
  rhs: GraphValue,
  product: (x: Tensor, y: Tensor) => Tensor,
): { readonly re: Tensor; readonly im: Tensor } {
  if (!isPair(lhs) && !isPair(rhs)) {
    const re = product(floatOperand(tf, lhs), floatOperand(tf, rhs));
    return { re, im: tf.scalar(0, "float32") };
  }
  if (!isPair(lhs)) {
    const [x, y] = [floatOperand(tf, lhs), floatPair(tf, rhs)];
    return { re: product(x, y.re), im: product(x, y.im) };
  }
  const x = floatPair(tf, lhs);
  if (!isPair(rhs)) {
    const y = floatOperand(tf, rhs);
    return { re: product(x.re, y), im: product(x.im, y) };
  }
  const y = floatPair(tf, rhs);
  return {
    re: tf.binary("Sub", product(x.re, y.re), product(x.im, y.im)),
    im: tf.binary("AddV2", product(x.re, y.im), product(x.im, y.re)),
  };
}
