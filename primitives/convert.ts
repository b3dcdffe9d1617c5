/**
 * Conversions between element types: `convert_element_type` (saturating and rounding as XLA does),
 * `bitcast_convert_type` and `reduce_precision`.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { dimEquals, isStaticShape, printShape, type Shape } from "../src/ir/dims.js";
import {
  bitsOf,
  isComplex,
  isDType,
  isFloat,
  isInteger,
  kindOf,
  storageBytesOf,
  type DType,
} from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import {
  elementCount,
  fromNumbers,
  hostArray,
  toNumbers,
  valuesOf,
  type HostArray,
} from "../src/ir/hostArray.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import { isSmallFloat } from "../src/ir/smallFloats.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import {
  floatFromLimbs,
  floatToLimbs,
  fromBits,
  joinBits,
  joinLimbs,
  splitBits,
  splitLimbs,
  toBits,
} from "./bitcast.js";
import { checkCount, elementwise, elementwiseBatch, accepts } from "./factories.js";
import { float } from "./floatMath.js";
import { encodeNumbers, integerLimits, wrapInteger } from "./fold.js";
import * as integers from "./integerMath.js";
import { reduceTo, roundToSmallFloat } from "./precision.js";
import { at, dtypeMismatch, invalid, shapeMismatch } from "./support.js";
import { floatToWord, wordToFloat, wordToSigned, type Word } from "./wordMath.js";

function requireDtype(name: string, dtype: string): DType {
  if (isDType(dtype)) return dtype;
  throw invalid(`${name}: ${dtype} is no element type`);
}

// --- convert_element_type ------------------------------------------------------------------------

export type ConvertElementTypeParams = { readonly new_dtype: string; readonly weak_type: boolean };

/** NaN becomes 0: cpu and wasm do so in the cast, the others do not. */
function withoutNan(tf: Tf, x: Tensor): Tensor {
  const exact = [...tf.backends].every((backend) => backend === "cpu" || backend === "wasm");
  return exact ? x : tf.select(tf.unary("IsNan", x), float(tf, 0), x);
}

/** Float to integer: truncates, saturates. The kernels wrap, saturate or give -2^31 instead. */
function floatToInteger(tf: Tf, x: Tensor, dtype: DType): Tensor {
  const number = withoutNan(tf, x);
  if (dtype === "int32") {
    const low = tf.binary("Maximum", number, float(tf, -(2 ** 31)));
    const isLarge = tf.binary("GreaterEqual", number, float(tf, 2 ** 31));
    return tf.select(isLarge, integers.int(tf, 2 ** 31 - 1), tf.cast(low, "int32"));
  }
  if (dtype === "uint32") {
    const clipped = tf.binary("Maximum", number, float(tf, 0));
    const upper = tf.binary("GreaterEqual", clipped, float(tf, 2 ** 31));
    const lowered = tf.binary("Sub", clipped, float(tf, 2 ** 32));
    const pattern = tf.cast(tf.select(upper, lowered, clipped), "int32");
    const isLarge = tf.binary("GreaterEqual", number, float(tf, 2 ** 32));
    return tf.select(isLarge, integers.int(tf, -1), pattern);
  }
  const [low, high] = integerLimits(dtype);
  const raised = tf.binary("Maximum", number, float(tf, low));
  return tf.cast(tf.binary("Minimum", raised, float(tf, high)), "int32");
}

/** True if every value of one float type is a value of the other. */
function widens(from: DType, to: DType): boolean {
  if (from === to || !isSmallFloat(to)) return true;
  return to === "bfloat16" || to === "float16"
    ? bitsOf(from) < 16 && from !== "float8_e8m0fnu"
    : false;
}

/** True if every value of the integer type is a value of the other one. */
function containsIntegers(from: DType, to: DType): boolean {
  const [low, high] = integerLimits(from);
  const [lowest, highest] = integerLimits(to);
  return low >= lowest && high <= highest;
}

function convertTensor(tf: Tf, x: Tensor, from: DType, to: DType): Tensor {
  const source = kindOf(from);
  if (to === "bool") return tf.cast(x, "bool");
  if (isFloat(to)) {
    const number = from === "uint32" ? integers.unsignedToFloat(tf, x) : tf.cast(x, "float32");
    const exact = source === "bool" || (isFloat(from) && widens(from, to));
    return exact || !isSmallFloat(to) ? number : roundToSmallFloat(tf, number, to);
  }
  if (source === "bool") return tf.cast(x, "int32");
  if (isFloat(from)) return floatToInteger(tf, x, to);
  return bitsOf(to) >= 32 || containsIntegers(from, to) ? x : integers.wrap(tf, x, to);
}

/** A word as a number of another type that is not complex. */
function convertWord(tf: Tf, word: Word, to: DType): Tensor {
  if (to === "bool") return tf.cast(integers.add(tf, word.high, word.low), "bool");
  if (isFloat(to)) return convertTensor(tf, wordToFloat(tf, word), "float32", to);
  return bitsOf(to) >= 32 ? wordToSigned(tf, word) : integers.wrap(tf, word.low, to);
}

/** Conversions from and to uint32 where int32 is not exact. */
function convertThroughLimbs(tf: Tf, input: GraphValue, out: ShapedArray): GraphValue {
  const from = input.aval.dtype;
  if (from === out.dtype) return { ...input, aval: out };
  if (from === "uint32") {
    const word = tf.limbs(input);
    if (!isComplex(out.dtype)) return tf.value(convertWord(tf, word, out.dtype), out);
    return tf.fromPair(wordToFloat(tf, word), float(tf, 0), out);
  }
  if (isFloat(from) || isComplex(from)) {
    const number = isComplex(from) ? tf.pair(input).re : tf.broadcastable(input);
    const { high, low } = floatToWord(tf, number);
    return tf.fromLimbs(high, low, out);
  }
  const { high, low } = tf.limbs(tf.value(tf.cast(tf.broadcastable(input), "int32"), out));
  return tf.fromLimbs(high, low, out);
}

function convertValue(tf: Tf, input: GraphValue, out: ShapedArray): GraphValue {
  const from = input.aval.dtype;
  const to = out.dtype;
  if (!tf.exactIntegers && (from === "uint32" || to === "uint32")) {
    return convertThroughLimbs(tf, input, out);
  }
  if (isComplex(to)) {
    if (isComplex(from)) return { ...input, aval: out };
    const re = convertTensor(tf, tf.broadcastable(input), from, "float32");
    return tf.fromPair(re, float(tf, 0), out);
  }
  if (!isComplex(from)) {
    return tf.value(convertTensor(tf, tf.broadcastable(input), from, to), out);
  }
  // The imaginary part is dropped, also on the way to bool.
  return tf.value(convertTensor(tf, tf.pair(input).re, "float32", to), out);
}

/** Saturated and truncated (floats) or wrapped (integers) as the conversion has it. */
function convertNumber(value: number, from: DType, to: DType): number {
  if (to === "bool") return Number(value !== 0);
  if (!isInteger(to)) return value;
  if (isInteger(from) || from === "bool") return bitsOf(to) > 32 ? value : wrapInteger(value, to);
  if (Number.isNaN(value)) return 0;
  const [low, high] = integerLimits(to);
  return Math.min(Math.max(Math.trunc(value), low), high) + 0;
}

function foldConvert(input: HostArray, to: DType): HostArray | null {
  const from = input.dtype;
  if (from === to) return input;
  if ([from, to].some((dtype) => isComplex(dtype) || kindOf(dtype) === "key")) return null;
  // 64-bit values beyond 2^53 are not exact as numbers.
  const numbers = toNumbers(input);
  if (bitsOf(from) > 32 && isInteger(from)) {
    if (isInteger(to)) return foldWideInteger(input, to);
    if (!numbers.every(Number.isSafeInteger)) return null;
  }
  if (bitsOf(to) > 32 && isFloat(from)) return null;
  return encodeNumbers(
    to,
    input.shape,
    numbers.map((value) => convertNumber(value, from, to)),
  );
}

function foldWideInteger(input: HostArray, to: DType): HostArray {
  const width = bitsOf(to);
  const convert = (value: bigint): bigint =>
    kindOf(to) === "signed" ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
  const values = Array.from(valuesOf(input) as ArrayLike<bigint>, convert);
  return fromNumbers(to, input.shape, width > 32 ? values : values.map(Number));
}

export const convertElementType: Primitive<ConvertElementTypeParams> =
  definePrimitive<ConvertElementTypeParams>({
    name: "convert_element_type",
    manyNodes: "8-bit floats are found among all their values.",
    abstractEval: (inputs, params) => {
      checkCount("convert_element_type", inputs, 1);
      const { shape, dtype } = at(inputs, 0);
      const to = requireDtype("convert_element_type", params.new_dtype);
      const plain = (kind: string): boolean => kind !== "key" && kind !== "token";
      if (dtype !== to && (!plain(kindOf(dtype)) || !plain(kindOf(to)))) {
        throw dtypeMismatch(`Cannot convert_element_type from ${dtype} to ${to}`);
      }
      return [shapedArray(to, shape, params.weak_type)];
    },
    jvp: (o, primals, tangents, params) => {
      const x = at(primals, 0);
      const to = requireDtype("convert_element_type", params.new_dtype);
      const result = o.convertElementType(x, to, params.weak_type);
      const tangent = tangents[0] ?? null;
      const differentiable = isFloat(to) || isComplex(to);
      return {
        primals: [result],
        tangents: [
          tangent === null || !differentiable
            ? null
            : o.convertElementType(tangent, to, params.weak_type),
        ],
      };
    },
    transpose: (o, [cotangent = null], inputs) => {
      const input = at(inputs, 0);
      if (cotangent === null || input.kind === "known") return [null];
      const { dtype, weakType } = input.aval;
      if (!isFloat(dtype) && !isComplex(dtype)) return [null];
      return [o.convertElementType(cotangent, dtype, weakType)];
    },
    batch: elementwiseBatch(() => convertElementType),
    tfjs: (tf, inputs, _params, outs) => [convertValue(tf, at(inputs, 0), at(outs, 0))],
    traits: { elementwise: true },
    limits: [
      {
        when: "webgl or webgpu, integers beyond 2^24",
        effect: "rounded to 24 bits",
        why: "the GPU backends keep int32 in float32",
      },
    ],
    fold: (inputs, _params, outs) => {
      const folded = foldConvert(at(inputs, 0), at(outs, 0).dtype);
      return folded === null ? null : [folded];
    },
  });

// --- bitcast_convert_type ------------------------------------------------------------------------

export type BitcastConvertTypeParams = { readonly new_dtype: string };

function bitcastShape({ shape, dtype }: ShapedArray, to: DType): Shape {
  const [oldBits, newBits] = [bitsOf(dtype), bitsOf(to)];
  if (oldBits === newBits) return shape;
  if (oldBits > newBits) return [...shape, oldBits / newBits];
  const last = shape.at(-1) ?? 1;
  if (!dimEquals(last, newBits / oldBits)) {
    throw shapeMismatch(
      `Attempting to convert array of shape ${printShape(shape)} from ${dtype} of size ${oldBits} ` +
        `bits to ${to} of size ${newBits}, bits but ${last.toString()} * ${oldBits} != ${newBits}`,
    );
  }
  return shape.slice(0, -1);
}

/** The bits of a 32-bit value as limbs. */
function limbsOf(tf: Tf, input: GraphValue): Word {
  if (isFloat(input.aval.dtype)) return floatToLimbs(tf, tf.broadcastable(input));
  return tf.limbs({ ...input, aval: { ...input.aval, dtype: "uint32" } });
}

/** The 32-bit value whose bits are the limbs. */
function fromLimbs(tf: Tf, word: Word, out: ShapedArray): GraphValue {
  if (out.dtype === "uint32") return tf.fromLimbs(word.high, word.low, out);
  return tf.value(isFloat(out.dtype) ? floatFromLimbs(tf, word) : wordToSigned(tf, word), out);
}

/** From or to 32 bits where int32 is not exact. */
function bitcastThroughLimbs(tf: Tf, input: GraphValue, out: ShapedArray): GraphValue {
  const [oldBits, newBits] = [bitsOf(input.aval.dtype), bitsOf(out.dtype)];
  if (oldBits === newBits) return fromLimbs(tf, limbsOf(tf, input), out);
  if (oldBits === 32) {
    const pieces = splitLimbs(tf, limbsOf(tf, input), input.aval.shape, newBits);
    return tf.value(fromBits(tf, pieces, out.dtype), out);
  }
  return fromLimbs(tf, joinLimbs(tf, toBits(tf, tf.tensor(input), input.aval.dtype)), out);
}

function bitcastTensor(tf: Tf, input: GraphValue, out: ShapedArray): Tensor {
  const from = input.aval.dtype;
  const [oldBits, newBits] = [bitsOf(from), bitsOf(out.dtype)];
  const sameWidth = oldBits === newBits;
  const x = sameWidth ? tf.broadcastable(input) : tf.tensor(input);
  if (sameWidth && oldBits === 32 && isInteger(from) && isInteger(out.dtype)) return x;
  const bits = toBits(tf, x, from);
  if (sameWidth) return fromBits(tf, bits, out.dtype);
  const regrouped =
    oldBits > newBits
      ? splitBits(tf, bits, oldBits, newBits)
      : joinBits(tf, bits, oldBits, newBits);
  return fromBits(tf, regrouped, out.dtype);
}

export const bitcastConvertType: Primitive<BitcastConvertTypeParams> =
  definePrimitive<BitcastConvertTypeParams>({
    name: "bitcast_convert_type",
    manyNodes: "TensorFlow.js has no op that reads bits: exponent and mantissa are computed.",
    abstractEval: (inputs, params) => {
      checkCount("bitcast_convert_type", inputs, 1);
      const aval = at(inputs, 0);
      const to = requireDtype("bitcast_convert_type", params.new_dtype);
      const plain = (dtype: DType): boolean => isInteger(dtype) || isFloat(dtype);
      if (aval.dtype !== to && (!plain(aval.dtype) || !plain(to))) {
        throw dtypeMismatch(
          "lax.bitcast_convert_type does not support bool or complex values unless the operand and " +
            `destination types match. Got operand dtype=${aval.dtype}, new_dtype=${to}. ` +
            "Consider using the arr.view() method instead.",
        );
      }
      return [shapedArray(to, bitcastShape(aval, to))];
    },
    jvp: (o, primals, _tangents, params) => ({
      primals: o.bind(bitcastConvertType, primals, params),
      tangents: [null],
    }),
    transpose: none("bitcast_convert_type is not linear"),
    batch: (o, inputs, dims, params) => {
      const dim = dims[0] ?? 0;
      const x = at(inputs, 0);
      // A change of width works on the last dimension: the batch dimension goes first.
      const axes = x.aval.shape.map((_, axis) => axis);
      const front = dim === 0 ? x : o.transpose(x, [dim, ...axes.filter((axis) => axis !== dim)]);
      return { outputs: o.bind(bitcastConvertType, [front], params), dims: [0] };
    },
    tfjs: (tf, inputs, _params, outs) => {
      const [input, out] = [at(inputs, 0), at(outs, 0)];
      if (input.aval.dtype === out.dtype) return [{ ...input, aval: out }];
      const wide = [input.aval.dtype, out.dtype].filter((dtype) => bitsOf(dtype) === 32);
      const narrow = [input.aval.dtype, out.dtype].some((dtype) => bitsOf(dtype) < 8);
      if (!tf.exactIntegers && wide.length > 0 && !narrow) {
        return [bitcastThroughLimbs(tf, input, out)];
      }
      return [tf.value(bitcastTensor(tf, input, out), out)];
    },
    limits: [
      {
        when: "floats to integers",
        effect: "-0 is read as 0, every NaN as the canonical NaN",
        why: "TensorFlow.js has no way to read the sign bit of zeros and NaNs",
      },
    ],
    fold: (inputs, _params, outs) => {
      const [input, { dtype, shape }] = [at(inputs, 0), at(outs, 0)];
      const bytewise = [input.dtype, dtype].every(
        (type) => bitsOf(type) === 8 * storageBytesOf(type),
      );
      return bytewise && isStaticShape(shape) && elementCount(shape) >= 0
        ? [hostArray(dtype, shape, input.bytes)]
        : null;
    },
  });

// --- reduce_precision ----------------------------------------------------------------------------

export type ReducePrecisionParams = {
  readonly exponent_bits: number;
  readonly mantissa_bits: number;
};

export const reducePrecision = elementwise<ReducePrecisionParams>({
  name: "reduce_precision",
  accepts: [accepts.float],
  checkTypes: (_inputs, { exponent_bits, mantissa_bits }) => {
    if (!Number.isInteger(exponent_bits) || exponent_bits < 1) {
      throw new Jax2TfjsError(
        "invalid-parameter",
        `reduce_precision: exponent_bits must be positive; got ${exponent_bits}`,
      );
    }
    if (!Number.isInteger(mantissa_bits) || mantissa_bits < 0) {
      throw new Jax2TfjsError(
        "invalid-parameter",
        `reduce_precision: mantissa_bits must be non-negative; got ${mantissa_bits}`,
      );
    }
  },
  tangents: [
    (o, t, _primals, _result, p) => o.reducePrecision(t, p.exponent_bits, p.mantissa_bits),
  ],
  transpose: [(o, ct, _known, _aval, p) => o.reducePrecision(ct, p.exponent_bits, p.mantissa_bits)],
  tfjs: (tf, args, { params }) =>
    reduceTo(tf, at(args, 0), params.exponent_bits, params.mantissa_bits),
});
