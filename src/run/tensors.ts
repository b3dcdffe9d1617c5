/**
 * Arrays in memory to tfjs tensors and back: how each JAX dtype crosses the border of a model.
 * Complex values are one complex64 tensor or two float32 tensors; uint32 is an int32 bit pattern, or
 * two int32 tensors with the upper and lower 16 bits; narrower integers are int32, narrower floats
 * float32.
 */
import * as tf from "@tensorflow/tfjs-core";
import { carriedAval } from "../ir/aval.js";
import { kindOf, type DType } from "../ir/dtypes.js";
import { asFloat32, asInt32, fromNumbers, valuesOf, type HostArray } from "../ir/hostArray.js";
import type { SignatureLeaf } from "./signature.js";

/** A new array of the sizes, for tfjs, which takes no readonly ones. */
const mutable = (shape: readonly number[]): number[] => [...shape];

function realTensor(values: Float32Array, shape: readonly number[]): tf.Tensor {
  return tf.tensor(values, mutable(shape), "float32");
}

/** Real and imaginary parts from interleaved numbers. */
function splitComplex(array: HostArray): readonly [Float32Array, Float32Array] {
  const values = valuesOf(array);
  const count = values.length / 2;
  const [real, imag] = [new Float32Array(count), new Float32Array(count)];
  for (let index = 0; index < count; index++) {
    real[index] = Number(values[2 * index]);
    imag[index] = Number(values[2 * index + 1]);
  }
  return [real, imag];
}

/**
 * The tensors of an argument, on the current backend. The caller disposes of them.
 *
 * @param parts 2 for complex values as two real tensors
 * @throws Jax2TfjsError `array-value` for a 64-bit integer that does not fit into 32 bits
 */
export function tensorsOf(array: HostArray, parts: 1 | 2): readonly tf.Tensor[] {
  const { dtype, shape } = array;
  switch (kindOf(dtype)) {
    case "complex": {
      const [real, imag] = splitComplex(array).map((part) => realTensor(part, shape));
      if (real === undefined || imag === undefined) return [];
      if (parts === 2) return [real, imag];
      const joined = tf.complex(real, imag);
      tf.dispose([real, imag]);
      return [joined];
    }
    case "bool": {
      const values = Uint8Array.from(array.bytes, (byte) => (byte === 0 ? 0 : 1));
      return [tf.tensor(values, mutable(shape), "bool")];
    }
    case "signed":
    case "unsigned": {
      const wraps = dtype === "uint32" || dtype === "uint64";
      const narrow = dtype === "uint64" ? fromNumbers("uint32", shape, valuesOf(array)) : array;
      const values = asInt32(narrow, { overflow: wraps ? "wrap" : "error" });
      return [tf.tensor(values, mutable(shape), "int32")];
    }
    case "float":
      return [realTensor(asFloat32(array), shape)];
    case "key": {
      const sizes = carriedAval({ ...array, weakType: false }).shape as readonly number[];
      return [tf.tensor(Int32Array.from(valuesOf(array) as Uint32Array), mutable(sizes), "int32")];
    }
    case "float0":
    case "token":
      throw new Error(`internal error: a ${dtype} array for a tensor`);
  }
}

/**
 * The tensors that stand for a value in a running program (`partsOf` of src/lower/eager.ts): as
 * `tensorsOf`, but words in two parts are their upper and lower 16 bits.
 */
export function valueTensors(array: HostArray, parts: 1 | 2): readonly tf.Tensor[] {
  const { dtype, shape } = carriedAval({ ...array, weakType: false });
  if (parts === 1 || dtype !== "uint32") return tensorsOf(array, parts);
  const words = valuesOf(array) as Uint32Array;
  return [
    Int32Array.from(words, (word) => word >>> 16),
    Int32Array.from(words, (word) => word & 65535),
  ].map((half) => tf.tensor(half, mutable(shape as readonly number[]), "int32"));
}

/** The values of real and imaginary part in turn. */
function interleave(real: ArrayLike<number>, imag: ArrayLike<number>): Float32Array {
  const values = new Float32Array(2 * real.length);
  for (let index = 0; index < real.length; index++) {
    values[2 * index] = real[index] ?? 0;
    values[2 * index + 1] = imag[index] ?? 0;
  }
  return values;
}

/** Words from their upper and lower 16 bits. */
export function joinHalves(high: ArrayLike<number>, low: ArrayLike<number>): Uint32Array {
  return Uint32Array.from(high, (upper, index) => upper * 65536 + (low[index] ?? 0));
}

/** int32 numbers as the unsigned numbers of the same bits. */
function unsignedBits(values: ArrayLike<number>): Uint32Array {
  return Uint32Array.from(values, (value) => value >>> 0);
}

/**
 * A result as an array of its JAX dtype, read from its tensors, which stay the caller's.
 *
 * @throws Jax2TfjsError `array-value` if a number is none of the dtype, as only a wrong model gives
 */
export async function arrayOf(
  leaf: Pick<SignatureLeaf, "dtype">,
  tensors: readonly tf.Tensor[],
): Promise<HostArray> {
  const [first, second] = tensors;
  if (first === undefined) throw new Error("internal error: a result without tensor");
  const { dtype } = leaf;
  const { shape } = first;
  const values = await first.data();
  switch (kindOf(dtype)) {
    case "complex":
      // The data of a complex64 tensor are interleaved already.
      if (second === undefined) return fromNumbers(dtype, shape, values);
      return fromNumbers(dtype, shape, interleave(values, await second.data()));
    case "key":
    case "float0":
    case "token":
      throw new Error(`internal error: a result of type ${dtype}`);
    case "unsigned":
      if (second !== undefined) {
        return fromNumbers(dtype, shape, joinHalves(values, await second.data()));
      }
      return fromNumbers(dtype, shape, isWide(dtype) ? unsignedBits(values) : values);
    case "bool":
    case "signed":
    case "float":
      return fromNumbers(dtype, shape, values);
  }
}

function isWide(dtype: DType): boolean {
  return dtype === "uint32" || dtype === "uint64";
}
