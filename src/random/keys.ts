/**
 * Keys of random numbers and the bits they give: JAX's threefry generator with its partitionable
 * counters, bit for bit. Called by the distributions of index.ts.
 */
import { printAval } from "../ir/aval.js";
import { hashKey, shapeSize, type Dim, type Shape } from "../ir/dims.js";
import { fromNumbers } from "../ir/hostArray.js";
import type { Value } from "../ir/ops.js";
import { iota2x32Shape, threefry2x32 } from "../../primitives/random.js";
import { callError } from "../api/calls.js";
import { invalid } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o, toValue } from "../trace/trace.js";

/** The words of a seed: the high one is 0, or the sign of an int32. */
function wordsOfSeed(seed: number | bigint): readonly [number, number] {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw invalid(`a seed must be a whole number, got ${seed}`);
  }
  // Without x64, JAX keeps 32 bits of a seed.
  return [0, Number(BigInt.asUintN(32, BigInt(seed)))];
}

/**
 * A key from a whole number: two uint32 words. JAX's `jax.random.PRNGKey`; `jax.random.key` gives
 * the same words a type of their own.
 */
export function PRNGKey(seed: number | bigint): ArrayValue {
  return out(o.constant(fromNumbers("uint32", [2], [...wordsOfSeed(seed)])));
}

/** As `PRNGKey`: keys are arrays of two words here. JAX's `jax.random.key`. */
export const key = PRNGKey;

/** A key as a value. @throws Jax2TfjsError `invalid-key` */
export function keyValue(given: ArrayLike): Value {
  const value = toValue(given);
  const { shape, dtype } = value.aval;
  if (dtype === "uint32" && shape.length === 1 && shape[0] === 2) return value;
  throw callError(
    "invalid-key",
    `a random key must be two uint32 words, got ${printAval(value.aval)}`,
    "make keys with random.key, random.split or random.foldIn; vmap over several keys",
  );
}

function wordsOfKey(value: Value): readonly [Value, Value] {
  const word = (place: number): Value => o.squeeze(o.slice(value, [place], [place + 1]), [0]);
  return [word(0), word(1)];
}

function hash(value: Value, first: Value, second: Value): readonly [Value, Value] {
  const [high, low] = o.bind(threefry2x32, [...wordsOfKey(value), first, second], {});
  if (high === undefined || low === undefined) throw new Error("internal error: two words");
  return [high, low];
}

function hashCounters(value: Value, shape: Shape): readonly [Value, Value] {
  const [high, low] = o.bind(iota2x32Shape, [], { shape });
  if (high === undefined || low === undefined) throw new Error("internal error: two words");
  return hash(value, high, low);
}

/** Random 32-bit words of a shape. */
export function bitsValue(value: Value, shape: Shape): Value {
  return o.xor(...hashCounters(value, shape));
}

/** Several keys of one, rows of words. */
export function splitValue(value: Value, shape: Shape): Value {
  const words = hashCounters(value, shape);
  const column = words.map((word) =>
    o.broadcastInDim(
      word,
      [...shape, 1],
      shape.map((_, axis) => axis),
    ),
  );
  return o.concatenate(column, shape.length);
}

/** One row of keys. */
export function keyAt(keys: Value, row: number): Value {
  return o.squeeze(o.slice(keys, [row, 0], [row + 1, 2]), [0]);
}

/** Sizes as part of the key of a kept program: alike sizes of different scopes are different. */
export function shapeKey(shape: Shape): string {
  return shape.map(hashKey).join(",");
}

function checkCount(count: Dim): void {
  if (typeof count === "number" && (!Number.isInteger(count) || count < 0)) {
    throw invalid(`split into ${count} keys`);
  }
}

/** New keys of a key, which must not be used again: rows of an array. JAX's `jax.random.split`. */
export function split(given: ArrayLike, count: Dim = 2): ArrayValue {
  checkCount(count);
  const body = (value: Value): Value => splitValue(value, [count]);
  return out(callNamedOne("_threefry_split", hashKey(count), body, [keyValue(given)]));
}

/** As `split`, as a list: `const [next, own] = random.splitKeys(key)`. */
export function splitKeys(given: ArrayLike, count = 2): ArrayValue[] {
  const keys = arrayValue(split(given, count));
  return Array.from({ length: count }, (_, row) => out(keyAt(keys, row)));
}

/** A key that also depends on a whole number: the step of a loop. JAX's `jax.random.fold_in`. */
export function foldIn(given: ArrayLike, data: NestedArray): ArrayValue {
  const number =
    typeof data === "number" ? arrayValue(BigInt.asIntN(32, BigInt(data))) : arrayValue(data);
  if (number.aval.shape.length > 0) throw invalid("foldIn takes one number", "vmap over several");
  const body = (value: Value, count: Value): Value => {
    const low = o.convertElementType(count, "uint32");
    const words = hash(value, o.literal(0, "uint32"), low);
    return o.concatenate(
      words.map((word) => o.broadcastInDim(word, [1], [])),
      0,
    );
  };
  return out(callNamedOne("_threefry_fold_in", "", body, [keyValue(given), number]));
}

/** How many elements a shape has. @throws for symbolic shapes */
export function staticSize(shape: Shape): number {
  const size: Dim = shapeSize(shape);
  if (typeof size === "number") return size;
  throw invalid("this needs known sizes");
}

/** Random uint32 words. JAX's `jax.random.bits`. */
export function bits(given: ArrayLike, shape: Shape = []): ArrayValue {
  const body = (value: Value): Value => bitsValue(value, shape);
  return out(callNamedOne("_bits", shapeKey(shape), body, [keyValue(given)]));
}

/** The rows of a split into two keys. */
export function twoKeys(value: Value): readonly [Value, Value] {
  const keys = splitValue(value, [2]);
  return [keyAt(keys, 0), keyAt(keys, 1)];
}
