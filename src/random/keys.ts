/**
 * Random keys: typed ones (`key<fry>[]`, JAX's `jax.random.key`) and raw ones, their uint32 words
 * (`jax.random.PRNGKey`). Every function takes both and gives keys of the kind it was given. Called
 * by the distributions of this folder.
 */
import { hashKey, printShape, shapeSize, type Dim, type Shape } from "../ir/dims.js";
import { isInteger, isKey, type DType } from "../ir/dtypes.js";
import { fromNumbers, hostArray } from "../ir/hostArray.js";
import type { Value } from "../ir/ops.js";
import {
  checkKeyWords,
  keyType,
  randomBits,
  randomClone,
  randomFoldIn,
  randomSeed,
  randomSplit,
  randomUnwrap,
  randomWrap,
  type KeyImpl,
} from "../../primitives/randomKeys.js";
import { seedNumbers } from "../../primitives/randomGenerators.js";
import { callError } from "../api/calls.js";
import {
  at,
  bindOne,
  convertValue,
  invalid,
  isSize,
  isWeakScalar,
  optionsOf,
} from "../lax/arguments.js";
import { arrayValue, out, type NestedArray } from "../numpy/convert.js";
import { describeValue, type ArrayLike, type ArrayValue } from "../trace/arrays.js";
import { isTracing, o, toValue } from "../trace/trace.js";

/** JAX's generators of random numbers. */
export type RandomImpl = "threefry2x32" | "rbg" | "unsafe_rbg";

const impls: Readonly<Record<RandomImpl, KeyImpl>> = {
  threefry2x32: "fry",
  rbg: "rbg",
  unsafe_rbg: "urbg",
};

/** JAX's names of generators that are not here. */
const absentImpls = ["philox2x32", "philox4x32", "threefry4x32"];

export interface KeyOptions {
  /** The generator. Default: threefry2x32, or the one that the type of words belongs to. */
  readonly impl?: RandomImpl;
}

function resolveImpl(name: string): KeyImpl {
  const known = Object.entries(impls).find(([own]) => own === name)?.[1];
  if (known !== undefined) return known;
  const names = Object.keys(impls).map((own) => `"${own}"`);
  throw invalid(
    absentImpls.includes(name)
      ? `the PRNG implementation "${name}" is not supported`
      : `unrecognized PRNG implementation "${name}"`,
    `use one of ${names.join(", ")}`,
  );
}

/** The type of a generator's keys. JAX's `jax.random.key_dtype`. */
export function keyDtype(impl: RandomImpl = "threefry2x32"): DType {
  return keyType(resolveImpl(impl));
}

/** The name of the generator of keys; raw keys are threefry2x32's. JAX's `jax.random.key_impl`. */
export function keyImpl(keys: ArrayLike): RandomImpl {
  const { dtype } = keysArgument(keys).keys.aval;
  const found = Object.entries(impls).find(([, short]) => keyType(short) === dtype);
  return (found?.[0] ?? "threefry2x32") as RandomImpl;
}

function seedValue(name: string, seed: ArrayLike): Value {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw invalid(`a seed must be a whole number, got ${seed}`);
  }
  if (typeof seed === "number" || typeof seed === "bigint") {
    // Without x64, JAX keeps 32 bits of a seed.
    return o.literal(Number(BigInt.asIntN(32, BigInt(seed))), "int32");
  }
  const value = toValue(seed);
  const { shape, dtype } = value.aval;
  if (shape.length > 0) {
    throw invalid(
      `${name} accepts a scalar seed, but was given an array of shape ${printShape(shape)} != ()`,
      "use vmap for several seeds",
    );
  }
  if (!isInteger(dtype)) throw invalid(`PRNG key seed must be an integer; got ${dtype}`);
  return value;
}

/** A known seed outside of traces gives its words without running anything. */
function knownWords(seed: ArrayLike, impl: KeyImpl): Uint32Array | null {
  if (isTracing() || (typeof seed !== "number" && typeof seed !== "bigint")) return null;
  return seedNumbers(Number(BigInt.asUintN(32, BigInt(seed))), impl);
}

/**
 * A typed key from a whole number. JAX's `jax.random.key`.
 *
 * @throws Jax2TfjsError `invalid-parameter`
 */
export function key(seed: ArrayLike, options: KeyOptions = {}): ArrayValue {
  const { impl = "threefry2x32" } = optionsOf("key", options, ["impl"]);
  const short = resolveImpl(impl);
  const value = seedValue("key", seed);
  const words = knownWords(seed, short);
  if (words === null) return out(bindOne(randomSeed, [value], { impl: short }));
  const { bytes } = fromNumbers("uint32", [words.length], words);
  return out(o.constant(hostArray(keyType(short), [], bytes)));
}

/**
 * A raw key from a whole number: uint32 words. JAX's `jax.random.PRNGKey`.
 *
 * @throws Jax2TfjsError `invalid-parameter`
 */
export function PRNGKey(seed: ArrayLike, options: KeyOptions = {}): ArrayValue {
  const { impl = "threefry2x32" } = optionsOf("PRNGKey", options, ["impl"]);
  const short = resolveImpl(impl);
  const value = seedValue("PRNGKey", seed);
  const words = knownWords(seed, short);
  if (words !== null) return out(o.constant(fromNumbers("uint32", [words.length], words)));
  return out(unwrapped(bindOne(randomSeed, [value], { impl: short })));
}

const unwrapped = (keys: Value): Value => bindOne(randomUnwrap, [keys], {});

interface KeysArgument {
  /** Typed keys. */
  readonly keys: Value;
  /** Whether they were given as words. */
  readonly isRaw: boolean;
}

/** Keys of any shape, raw ones as typed ones. @throws Jax2TfjsError `invalid-key` */
function keysArgument(given: ArrayLike, impl: KeyImpl = "fry"): KeysArgument {
  const value = toValue(given);
  if (isKey(value.aval.dtype)) return { keys: value, isRaw: false };
  try {
    checkKeyWords(value.aval, impl);
  } catch (error) {
    throw callError(
      "invalid-key",
      error instanceof Error ? error.message : String(error),
      "make keys with random.key, random.split or random.foldIn",
    );
  }
  return { keys: bindOne(randomWrap, [value], { impl }), isRaw: true };
}

function singleKey(name: string, given: ArrayLike): KeysArgument {
  const argument = keysArgument(given);
  const { shape } = argument.keys.aval;
  if (shape.length === 0) return argument;
  throw callError(
    "invalid-key",
    `${name} accepts a single key, but was given a key array of shape ${printShape(shape)} != ()`,
    "use vmap for several keys",
  );
}

/** A key as a typed value. @param name of the function, for errors @throws Jax2TfjsError `invalid-key` */
export function keyValue(name: string, given: ArrayLike): Value {
  return singleKey(name, given).keys;
}

/** The words of keys, uint32 with one dimension more. JAX's `jax.random.key_data`. */
export function keyData(keys: ArrayLike): ArrayValue {
  return out(unwrapped(keysArgument(keys).keys));
}

/** Words as typed keys. JAX's `jax.random.wrap_key_data`. @throws Jax2TfjsError `invalid-key` */
export function wrapKeyData(words: ArrayLike, options: KeyOptions = {}): ArrayValue {
  const { impl = "threefry2x32" } = optionsOf("wrapKeyData", options, ["impl"]);
  const value = toValue(words);
  if (isKey(value.aval.dtype)) {
    throw callError("invalid-key", `wrapKeyData takes words, got ${value.aval.dtype}`);
  }
  return out(keysArgument(words, resolveImpl(impl)).keys);
}

/** The same keys again. JAX's `jax.random.clone`. */
export function clone(keys: ArrayLike): ArrayValue {
  const { keys: value, isRaw } = keysArgument(keys);
  return returned(bindOne(randomClone, [value], {}), isRaw);
}

const returned = (keys: Value, isRaw: boolean): ArrayValue => out(isRaw ? unwrapped(keys) : keys);

function checkCount(count: Dim): void {
  if (!isSize(count) || (typeof count === "number" && count < 0)) {
    throw invalid(`split into ${isSize(count) ? count.toString() : describeValue(count)} keys`);
  }
}

/** Several typed keys of one, an array of a shape. */
export function splitValue(keys: Value, shape: Shape): Value {
  return bindOne(randomSplit, [keys], { shape });
}

/** One of the keys of an array of one dimension. */
export function keyAt(keys: Value, row: number): Value {
  return o.squeeze(o.slice(keys, [row], [row + 1], [1]), [0]);
}

/** As many keys of a key. */
export function keysOf(value: Value, count: number): readonly Value[] {
  const keys = splitValue(value, [count]);
  return Array.from({ length: count }, (_, row) => keyAt(keys, row));
}

/** Two keys of a key. */
export function twoKeys(value: Value): readonly [Value, Value] {
  const [first, second] = keysOf(value, 2);
  if (first === undefined || second === undefined) throw new Error("internal error: two keys");
  return [first, second];
}

/**
 * New keys of a key, which must not be used again: an array of keys, raw for a raw key. JAX's
 * `jax.random.split`.
 */
export function split(given: ArrayLike, count: Dim | Shape = 2): ArrayValue {
  const shape = Array.isArray(count) ? (count as Shape) : [count as Dim];
  shape.forEach(checkCount);
  const { keys, isRaw } = singleKey("split", given);
  return returned(splitValue(keys, shape), isRaw);
}

/** As `split`, as a list: `const [next, own] = random.splitKeys(key)`. */
export function splitKeys(given: ArrayLike, count = 2): ArrayValue[] {
  checkCount(count);
  const { keys, isRaw } = singleKey("split", given);
  const all = splitValue(keys, [count]);
  if (!isRaw) return Array.from({ length: count }, (_, row) => out(keyAt(all, row)));
  const words = unwrapped(all);
  const width = at(words.aval.shape, 1);
  return Array.from({ length: count }, (_, row) =>
    out(o.squeeze(o.slice(words, [row, 0], [row + 1, width], [1, 1]), [0])),
  );
}

/** A key that also depends on a whole number: the step of a loop. JAX's `jax.random.fold_in`. */
export function foldIn(given: ArrayLike, data: NestedArray): ArrayValue {
  const { keys, isRaw } = singleKey("fold_in", given);
  return returned(bindOne(randomFoldIn, [keys, foldedNumber(data)], {}), isRaw);
}

function foldedNumber(data: NestedArray): Value {
  if (typeof data === "number" || typeof data === "bigint") {
    if (typeof data === "number" && !Number.isSafeInteger(data)) {
      throw invalid(`foldIn takes a whole number, got ${data}`);
    }
    return o.literal(Number(BigInt.asUintN(32, BigInt(data))), "uint32");
  }
  const value = arrayValue(data);
  const { shape, dtype } = value.aval;
  if (shape.length > 0) {
    throw invalid(
      `fold_in accepts a scalar, but was given an array of shape ${printShape(shape)} != ()`,
      "use vmap for several numbers",
    );
  }
  if (isWeakScalar(value) || !isInteger(dtype)) throw invalid(`foldIn takes no ${dtype}`);
  return convertValue(value, "uint32");
}

/** Random words of a shape: uint8, uint16 or uint32 ones. */
export function bitsValue(keys: Value, shape: Shape, width: 8 | 16 | 32 = 32): Value {
  return bindOne(randomBits, [keys], { bit_width: width, shape });
}

/** Random unsigned words. JAX's `jax.random.bits`. */
export function bits(
  given: ArrayLike,
  shape: Shape = [],
  options: { readonly dtype?: DType } = {},
): ArrayValue {
  const { dtype = "uint32" } = optionsOf("bits", options, ["dtype"]);
  shapeKey(shape);
  const width = dtype === "uint8" ? 8 : dtype === "uint16" ? 16 : 32;
  if (`uint${width}` !== dtype) {
    throw invalid(`dtype argument to bits must be uint8, uint16 or uint32, got ${dtype}`);
  }
  return out(bitsValue(keyValue("bits", given), shape, width));
}

/** Sizes as part of the key of a kept program: alike sizes of different scopes are different. */
export function shapeKey(shape: Shape): string {
  const given: unknown = shape;
  if (!Array.isArray(given)) {
    throw invalid(`a shape is a list of sizes, got ${describeValue(given)}`);
  }
  const wrong = given.findIndex((size) => !isSize(size));
  if (wrong >= 0) {
    throw invalid(
      "Shapes must be 1D sequences of concrete values of integer type, got " +
        `${describeValue(given[wrong])} among them`,
    );
  }
  return shape.map(hashKey).join(",");
}

/** How many elements a shape has. @throws for symbolic shapes */
export function staticSize(shape: Shape): number {
  const size: Dim = shapeSize(shape);
  if (typeof size === "number") return size;
  throw invalid("this needs known sizes");
}
