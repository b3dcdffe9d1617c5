/** Attention and scaled products of `nn`. */
import type { Dim } from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import { dotGeneral, type DotDimensionNumbers } from "../lax/contractions.js";
import { scaledDot } from "../lax/raggedDot.js";
import { at, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue } from "../numpy/convert.js";
import { arange } from "../numpy/creation.js";
import { einsum } from "../numpy/einsum.js";
import * as np from "../numpy/elementwise.js";
import { expandDims, moveaxis, repeat, transpose } from "../numpy/shapes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { logsumexp, softmax } from "./functions.js";

export interface AttentionOptions {
  /** Added to the products, [batch or 1, heads or 1, T, S]. */
  readonly bias?: ArrayLike;
  /** Where positions see each other: true. Of the shape of `bias`. */
  readonly mask?: ArrayLike;
  /** Default: one over the root of the size of a head. */
  readonly scale?: number;
  /** Each position sees those before it and itself. Default: false. */
  readonly isCausal?: boolean;
  /** How many queries of each example count. */
  readonly querySeqLengths?: ArrayLike;
  /** How many keys and values of each example count. */
  readonly keyValueSeqLengths?: ArrayLike;
  /** How far positions see: to both sides, or [before, after]. */
  readonly localWindowSize?: number | readonly [before: number, after: number];
}

const attentionNames = [
  "bias",
  "mask",
  "scale",
  "isCausal",
  "querySeqLengths",
  "keyValueSeqLengths",
  "localWindowSize",
] as const;

interface Sizes {
  readonly query: Dim;
  readonly key: Dim;
}

/** Which positions see which, [1, 1, T, S] or [batch, 1, T, S]; null: all. */
function sees(
  { query, key }: Sizes,
  { mask, isCausal, querySeqLengths, keyValueSeqLengths, localWindowSize }: AttentionOptions,
): ArrayValue | null {
  const rows = expandDims(arange(query), 1);
  const columns = expandDims(arange(key), 0);
  const parts: ArrayLike[] = mask === undefined ? [] : [mask];
  if (isCausal === true) parts.push(np.greaterEqual(rows, columns));
  if (localWindowSize !== undefined) {
    const [before, after] =
      typeof localWindowSize === "number" ? [localWindowSize, localWindowSize] : localWindowSize;
    const isNear = np.lessEqual(rows, np.add(columns, BigInt(before)));
    parts.push(np.logicalAnd(isNear, np.greaterEqual(rows, np.subtract(columns, BigInt(after)))));
  }
  const perExample = (lengths: ArrayLike): ArrayValue => expandDims(lengths, [1, 2, 3]);
  if (querySeqLengths !== undefined) parts.push(np.less(rows, perExample(querySeqLengths)));
  if (keyValueSeqLengths !== undefined) {
    parts.push(np.less(columns, perExample(keyValueSeqLengths)));
  }
  const [first, ...others] = parts;
  if (first === undefined) return null;
  return others.reduce<ArrayValue>(
    (all, part) => np.logicalAnd(all, part),
    np.logicalAnd(first, true),
  );
}

/** Instead of what is masked: large and negative, yet finite. */
const hidden = Math.fround(-0.7 * 3.4028234663852886e38);

function scoresOf(query: ArrayLike, key: ArrayLike, options: AttentionOptions): ArrayValue {
  const { shape } = arrayValue(query).aval;
  const size = at(shape, 3);
  const scale = options.scale ?? 1 / Math.sqrt(Number(size));
  const plain = np.multiply(einsum("BTNH,BSNH->BNTS", query, key), Math.fround(scale));
  const scores = options.bias === undefined ? plain : np.add(plain, options.bias);
  const sizes = { query: at(shape, 1), key: at(arrayValue(key).aval.shape, 1) };
  const visible = sees(sizes, options);
  return visible === null ? scores : np.where(visible, scores, hidden);
}

/** Heads of keys that several heads of queries share, repeated for each. */
function headsFor(query: ArrayLike, shared: ArrayLike): ArrayLike {
  const [own, given] = [query, shared].map((array) => arrayValue(array).aval.shape[2]);
  if (typeof own !== "number" || typeof given !== "number" || own % given !== 0) {
    throw invalid(`attention: ${String(own)} heads of queries for ${String(given)} of keys`);
  }
  return own === given ? shared : repeat(shared, own / given, 2);
}

function withBatch(x: ArrayLike): { readonly array: ArrayLike; readonly isSingle: boolean } {
  const { length } = arrayValue(x).aval.shape;
  if (length !== 3 && length !== 4) throw invalid("attention takes arrays of 3 or 4 dimensions");
  return length === 4 ? { array: x, isSingle: false } : { array: expandDims(x, 0), isSingle: true };
}

/**
 * Attention: a mean of the values, weighted by how queries and keys agree.
 *
 * @param query [batch, T, heads, size], or without batch
 * @param key [batch, S, heads of keys, size], of which each may serve several heads of queries
 * @param value as `key`
 *
 * JAX's counterpart is `jax.nn.dot_product_attention`.
 */
export function dotProductAttention(
  query: ArrayLike,
  key: ArrayLike,
  value: ArrayLike,
  options: AttentionOptions = {},
): ArrayValue {
  return attend(query, key, value, options).encoded;
}

/** As `dotProductAttention`, with the logarithms of the sums that weights were divided by. */
export function dotProductAttentionWithResidual(
  query: ArrayLike,
  key: ArrayLike,
  value: ArrayLike,
  options: AttentionOptions = {},
): [encoded: ArrayValue, residual: ArrayValue] {
  const { encoded, scores, isSingle } = attend(query, key, value, options);
  const residual = transpose(logsumexp(scores, { axis: -1 }), [0, 2, 1]);
  return [encoded, isSingle ? first(residual) : residual];
}

const first = (x: ArrayLike): ArrayValue => einsum("a...->...", x);

function attend(
  query: ArrayLike,
  key: ArrayLike,
  value: ArrayLike,
  options: AttentionOptions,
): { readonly encoded: ArrayValue; readonly scores: ArrayValue; readonly isSingle: boolean } {
  optionsOf("dotProductAttention", options, attentionNames);
  const { array: queries, isSingle } = withBatch(query);
  const keys = headsFor(queries, withBatch(key).array);
  const values = headsFor(queries, withBatch(value).array);
  const { querySeqLengths } = options;
  const scores = scoresOf(queries, keys, options);
  let encoded = einsum("BNTS,BSNH->BTNH", softmax(scores), values);
  if (querySeqLengths !== undefined) {
    const rows = arange(at(arrayValue(queries).aval.shape, 1));
    const counts = np.less(expandDims(rows, 0), expandDims(querySeqLengths, 1));
    encoded = np.multiply(encoded, expandDims(counts, [2, 3]));
  }
  return { encoded: isSingle ? first(encoded) : encoded, scores, isSingle };
}

/**
 * `(a * aScales) @ (b * bScales)` in batches, with one scale for neighbours along the contracted
 * dimension: `a` is [batch, m, k], `b` [batch, n, k]. JAX's `jax.nn.scaled_matmul`.
 */
export function scaledMatmul(
  a: ArrayLike,
  b: ArrayLike,
  aScales: ArrayLike,
  bScales: ArrayLike,
  options: { readonly preferredElementType?: DType } = {},
): ArrayValue {
  const { preferredElementType = "float32" } = optionsOf("scaledMatmul", options, [
    "preferredElementType",
  ]);
  return scaledDot(a, moveaxis(b, -1, -2), {
    lhsScale: aScales,
    rhsScale: moveaxis(bScales, -1, -2),
    preferredElementType,
  });
}

/** `dotGeneral` with a float32 result: scales for the blocks of GPUs are not here. JAX's `jax.nn.scaled_dot_general`. */
export function scaledDotGeneral(
  lhs: ArrayLike,
  rhs: ArrayLike,
  dimensionNumbers: DotDimensionNumbers,
  options: { readonly preferredElementType?: DType } = {},
): ArrayValue {
  const { preferredElementType = "float32" } = optionsOf("scaledDotGeneral", options, [
    "preferredElementType",
  ]);
  return dotGeneral(lhs, rhs, dimensionNumbers, { preferredElementType });
}
