/**
 * Exact integer products on float32 kernels (wasm has no integer MatMul, and float32 is exact only
 * to 2^24): integers are cut into balanced base-256 digits, whose products are summed exactly and
 * put together with wrapping int32 arithmetic. Called by dot.ts and conv.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import {
  addDims,
  boundsOf,
  floordivDims,
  mulDims,
  subDims,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { bitsOf, kindOf, type DType } from "../src/ir/dtypes.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";

/** Sums of integers up to this magnitude are exact in float32. */
const exactFloatLimit = 2 ** 24;

/** An integer array as a sum: element = d0 + 256 d1 + 65536 d2 + …, modulo 2^32. */
export interface Digits {
  /** float32, least significant first. */
  readonly tensors: readonly Tensor[];
  /** Largest magnitude of each digit. */
  readonly bounds: readonly number[];
}

/** Largest magnitude of the digits of a dtype. One entry: the whole number is its only digit. */
function digitBounds(dtype: DType): readonly number[] {
  if (dtype === "bool") return [1];
  const bits = bitsOf(dtype);
  const unsigned = kindOf(dtype) === "unsigned";
  if (bits <= 8) return [unsigned ? 2 ** bits - 1 : 2 ** (bits - 1)];
  if (bits === 16) return unsigned ? [128, 256] : [128, 128];
  // uint32 travels as the int32 of the same bits, which is the same number modulo 2^32.
  return [128, 128, 128, 128];
}

/** Bounds of a known array may be smaller than those of its dtype. */
function boundsOfTensor(tensor: Tensor, dtype: DType): readonly number[] {
  const { value } = tensor;
  if (value === null || dtype === "bool") return digitBounds(dtype);
  const largest = asInt32(value, { overflow: "wrap" }).reduce(
    (m, x) => Math.max(m, Math.abs(x)),
    0,
  );
  return largest <= 256 ? [largest] : digitBounds(dtype);
}

/** Cuts an int32 (or bool) tensor that holds `dtype` into at most `count` digits. */
export function digitsOf(tf: Tf, tensor: Tensor, dtype: DType, count: number): Digits {
  const all = boundsOfTensor(tensor, dtype);
  if (all.length === 1) return { tensors: [tf.cast(tensor, "float32")], bounds: all };
  const bounds = all.slice(0, count);
  const [base, half] = [tf.scalar(256, "int32"), tf.scalar(128, "int32")];
  // The first digit is split off in int32; the rest has 24 significant bits and is exact in float32.
  const shifted = tf.binary("AddV2", tensor, half);
  const lowest = tf.binary("Sub", tf.binary("FloorMod", shifted, base), half);
  const tensors = [tf.cast(lowest, "float32")];
  const inverse = tf.scalar(1 / 256, "float32");
  let rest = tf.binary("Mul", tf.cast(tf.binary("Sub", tensor, lowest), "float32"), inverse);
  for (let index = 1; index < bounds.length; index++) {
    if (index === all.length - 1) {
      tensors.push(rest);
      break;
    }
    const quotient = tf.binary("Mul", rest, inverse);
    const higher = tf.unary("Floor", tf.binary("AddV2", quotient, tf.scalar(0.5, "float32")));
    tensors.push(tf.binary("Sub", rest, tf.binary("Mul", higher, tf.scalar(256, "float32"))));
    rest = higher;
  }
  return { tensors, bounds };
}

/** Pairs of digits whose product weighs 256^place. */
function pairsAt(place: number, left: readonly number[], right: readonly number[]) {
  return left
    .map((_, index) => [index, place - index] as const)
    .filter(([, other]) => other >= 0 && other < right.length);
}

/** Number of base-256 places that matter for a result dtype. */
export const placesOf = (dtype: DType): number => Math.ceil(bitsOf(dtype) / 8);

/** How many products of digits may be added in float32 without rounding, over all places. */
export function exactTerms(
  left: readonly number[],
  right: readonly number[],
  places: number,
): number {
  let terms = Infinity;
  for (let place = 0; place < places; place++) {
    const largest = pairsAt(place, left, right).reduce(
      (sum, [i, j]) => sum + (left[i] ?? 0) * (right[j] ?? 0),
      0,
    );
    terms = Math.min(terms, Math.floor(exactFloatLimit / Math.max(1, largest)));
  }
  return terms;
}

/**
 * Adds up the products of all pairs of digits: `product` gets, for each place, the digits of both
 * sides in matching order and returns the exact sum of their products as int32.
 */
export function combineDigits(
  tf: Tf,
  left: Digits,
  right: Digits,
  places: number,
  product: (left: readonly Tensor[], right: readonly Tensor[]) => Tensor,
): Tensor {
  let result: Tensor | null = null;
  for (let place = places - 1; place >= 0; place--) {
    if (result !== null) result = tf.binary("Mul", result, tf.scalar(256, "int32"));
    const pairs = pairsAt(place, left.bounds, right.bounds);
    if (pairs.length === 0) continue;
    const digits = (of: Digits, indices: readonly number[]): readonly Tensor[] =>
      indices.flatMap((index) => of.tensors[index] ?? []);
    const sum = product(
      digits(
        left,
        pairs.map(([i]) => i),
      ),
      digits(
        right,
        pairs.map(([, j]) => j),
      ),
    );
    result = result === null ? sum : tf.binary("AddV2", result, sum);
  }
  if (result === null) throw new Error("internal error: a product without digits");
  return result;
}

/** Reduces an int32 tensor to the range of a narrower integer dtype, as JAX wraps. */
export function wrapToDtype(tf: Tf, tensor: Tensor, dtype: DType): Tensor {
  const bits = bitsOf(dtype);
  if (bits >= 32) return tensor;
  const modulus = tf.scalar(2 ** bits, "int32");
  if (kindOf(dtype) === "unsigned") return tf.binary("FloorMod", tensor, modulus);
  const half = tf.scalar(2 ** (bits - 1), "int32");
  const shifted = tf.binary("FloorMod", tf.binary("AddV2", tensor, half), modulus);
  return tf.binary("Sub", shifted, half);
}

/** [..., rows, inner] as [chunks, ..., rows, chunk], filled up with zeros (`axis`: that of inner). */
function chunked(tf: Tf, matrix: Tensor, axis: number, chunk: number): Tensor {
  const inner = matrix.shape[axis] ?? 0;
  const chunks = floordivDims(addDims(inner, chunk - 1), chunk);
  const missing = subDims(mulDims(chunks, chunk), inner);
  const padding = matrix.shape.map((_, dim): readonly [Dim, Dim] =>
    dim === axis ? [0, missing] : [0, 0],
  );
  const padded = missing === 0 ? matrix : tf.pad(matrix, padding, 0);
  const split: Shape = [
    ...matrix.shape.slice(0, axis),
    chunks,
    chunk,
    ...matrix.shape.slice(axis + 1),
  ];
  const others = split.map((_, dim) => dim).filter((dim) => dim !== axis);
  return tf.transpose(tf.reshape(padded, split), [axis, ...others]);
}

/** The chunk to cut `inner` into, or null where one exact sum takes it all. */
function chunkSize(inner: Dim, terms: number): number | null {
  const [, largest] = boundsOf(inner);
  if (largest <= terms) return null;
  if (typeof inner !== "number") return terms;
  return Math.ceil(inner / Math.ceil(inner / terms));
}

/**
 * Exact product of integer matrices [..., rows, inner] by [..., inner, columns], wrapped to the
 * result's dtype as in JAX.
 *
 * @param dtypes what the int32 (or bool) tensors hold
 */
export function exactMatrixProduct(
  tf: Tf,
  left: Tensor,
  right: Tensor,
  dtypes: readonly [left: DType, right: DType],
  out: ShapedArray,
): Tensor {
  const places = placesOf(out.dtype);
  const terms = exactTerms(
    boundsOfTensor(left, dtypes[0]).slice(0, places),
    boundsOfTensor(right, dtypes[1]).slice(0, places),
    places,
  );
  const rank = left.shape.length;
  const chunk = chunkSize(left.shape[rank - 1] ?? 0, terms);
  const x = chunk === null ? left : chunked(tf, left, rank - 1, chunk);
  const y = chunk === null ? right : chunked(tf, right, rank - 2, chunk);
  const product = (lefts: readonly Tensor[], rights: readonly Tensor[]): Tensor => {
    const axis = chunk === null ? rank - 1 : rank;
    const sum = tf.matMul(join(tf, lefts, axis), join(tf, rights, axis - 1));
    const exact = tf.cast(sum, "int32");
    return chunk === null ? exact : tf.reduce("Sum", exact, [0]);
  };
  const digits = [digitsOf(tf, x, dtypes[0], places), digitsOf(tf, y, dtypes[1], places)] as const;
  return wrapToDtype(tf, combineDigits(tf, digits[0], digits[1], places, product), out.dtype);
}

/** Concatenates unless there is but one tensor. */
export function join(tf: Tf, tensors: readonly Tensor[], axis: number): Tensor {
  const [only] = tensors;
  return only !== undefined && tensors.length === 1 ? only : tf.concat(tensors, axis);
}
