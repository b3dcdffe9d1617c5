/**
 * Records of random keys, arrays of `key<fry>` and its like: made from seeds or words, split, folded
 * with numbers, and made into random bits. Keys are carried as their uint32 words; `carried` says
 * what each primitive is then. Called by src/random.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { dimEquals, printShape, type Shape } from "../src/ir/dims.js";
import { bitsOf, isInteger, isKey, type DType } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import {
  definePrimitive,
  none,
  type CarriedRule,
  type JvpRule,
  type Primitive,
} from "../src/ir/primitive.js";
import { batchToFront, broadcastShape, checkCount, elementwiseBatch } from "./factories.js";
import { foldWords, generators, seedWords } from "./randomGenerators.js";
import { at, dtypeMismatch, invalid, upTo } from "./support.js";

/** JAX's short names of its generators: threefry2x32, rbg, unsafe_rbg. */
export const keyImpls = ["fry", "rbg", "urbg"] as const;
export type KeyImpl = (typeof keyImpls)[number];

export const keyType = (impl: KeyImpl): DType => `key<${impl}>`;

/** The generator of a key's type. */
export function implOf(dtype: DType): KeyImpl {
  const impl = keyImpls.find((name) => keyType(name) === dtype);
  if (impl === undefined) throw invalid(`${dtype} is no type of random keys`);
  return impl;
}

export const wordsOfImpl = (impl: KeyImpl): number => bitsOf(keyType(impl)) / 32;

const notLowered = none(
  "needs none: keys are carried as their words, and the hash takes the equation's place",
);

/** Random keys have no derivative. */
const noTangent =
  <P>(self: () => Primitive<P>): JvpRule<P> =>
  (o, primals, _tangents, params) => ({
    primals: o.bind(self(), primals, params),
    tangents: [null],
  });

interface KeySpec<P> {
  readonly name: string;
  readonly type: (inputs: readonly ShapedArray[], params: P) => ShapedArray;
  readonly carried: CarriedRule<P>;
  readonly batch?: (self: () => Primitive<P>) => ReturnType<typeof elementwiseBatch<P>>;
}

/** As elementwise primitives of one argument are batched, whatever dimensions they add at the end. */
const batchKeys =
  <P>(self: () => Primitive<P>): ReturnType<typeof elementwiseBatch<P>> =>
  (o, inputs, dims, params) => ({
    outputs: o.bind(self(), [batchToFront(o, at(inputs, 0), at(dims, 0) ?? 0)], params),
    dims: [0],
  });

function defineKeys<P>({ name, type, carried, batch = batchKeys }: KeySpec<P>): Primitive<P> {
  const record: Primitive<P> = definePrimitive<P>({
    name,
    abstractEval: (inputs, params) => [type(inputs, params)],
    jvp: noTangent(() => record),
    transpose: none(`${name} is not linear`),
    batch: batch(() => record),
    tfjs: notLowered,
    carried,
  });
  return record;
}

function requireKey(name: string, aval: ShapedArray): ShapedArray {
  if (isKey(aval.dtype)) return aval;
  throw dtypeMismatch(`${name} takes key array operand, got keys.dtype=${aval.dtype}`);
}

export type RandomImplParams = { readonly impl: KeyImpl };

/** Keys of whole numbers. */
export const randomSeed = defineKeys<RandomImplParams>({
  name: "random_seed",
  type: (inputs, { impl }) => {
    checkCount("random_seed", inputs, 1);
    const { dtype, shape } = at(inputs, 0);
    if (!isInteger(dtype)) throw dtypeMismatch(`PRNG key seed must be an integer; got ${dtype}`);
    return shapedArray(keyType(impl), shape);
  },
  carried: (o, inputs, { impl }) => [seedWords(o, at(inputs, 0), impl)],
});

/** Throws in JAX's words unless an array holds the words of keys. */
export function checkKeyWords({ dtype, shape }: ShapedArray, impl: KeyImpl): void {
  const problem = (message: string): Error =>
    dtypeMismatch(`JAX encountered invalid PRNG key data: expected ${message}`);
  if (shape.length < 1) throw problem(`key_data.ndim >= 1; got ndim=${shape.length}`);
  const words = wordsOfImpl(impl);
  if (!dimEquals(at(shape, shape.length - 1), words)) {
    throw problem(`key_data.shape to end with (${words},); got shape=${printShape(shape)}`);
  }
  if (dtype !== "uint32") throw problem(`key_data.dtype = uint32; got dtype=${dtype}`);
}

/** Words as keys. */
export const randomWrap = defineKeys<RandomImplParams>({
  name: "random_wrap",
  type: (inputs, { impl }) => {
    checkCount("random_wrap", inputs, 1);
    const words = at(inputs, 0);
    checkKeyWords(words, impl);
    return shapedArray(keyType(impl), words.shape.slice(0, -1));
  },
  carried: (_o, inputs) => inputs,
});

/** Keys as words. */
export const randomUnwrap = defineKeys<NoParams>({
  name: "random_unwrap",
  type: (inputs) => {
    checkCount("random_unwrap", inputs, 1);
    const { dtype, shape } = requireKey("random_unwrap", at(inputs, 0));
    return shapedArray("uint32", [...shape, bitsOf(dtype) / 32]);
  },
  carried: (_o, inputs) => inputs,
});

/** The same keys under another name, for JAX's checks that none is used twice. */
export const randomClone = defineKeys<NoParams>({
  name: "random_clone",
  type: (inputs) => {
    checkCount("random_clone", inputs, 1);
    return requireKey("random_clone", at(inputs, 0));
  },
  carried: (_o, inputs) => inputs,
});

export type RandomSplitParams = { readonly shape: Shape };

/** An array of new keys of each key. */
export const randomSplit = defineKeys<RandomSplitParams>({
  name: "random_split",
  type: (inputs, { shape }) => {
    checkCount("random_split", inputs, 1);
    const keys = requireKey("random_split", at(inputs, 0));
    return shapedArray(keys.dtype, [...keys.shape, ...shape]);
  },
  carried: (o, inputs, { shape }, types) => [
    generators[implOf(at(types, 0).dtype)].split(o, at(inputs, 0), shape),
  ],
});

/** A new key of each key and whole number. */
export const randomFoldIn = defineKeys<NoParams>({
  name: "random_fold_in",
  type: (inputs) => {
    checkCount("random_fold_in", inputs, 2);
    const { dtype } = requireKey("random_fold_in", at(inputs, 0));
    return shapedArray(dtype, broadcastShape("random_fold_in", inputs));
  },
  carried: (o, inputs, _params, types) => {
    const shape = broadcastShape("random_fold_in", types);
    const impl = implOf(at(types, 0).dtype);
    const numbers = o.convertElementType(at(inputs, 1), "uint32");
    return [foldWords(o, impl, at(inputs, 0), numbers, shape)];
  },
  batch: elementwiseBatch,
});

export type RandomBitsParams = { readonly bit_width: number; readonly shape: Shape };

/** An array of random words of each key. */
export const randomBits = defineKeys<RandomBitsParams>({
  name: "random_bits",
  type: (inputs, { bit_width: width, shape }) => {
    checkCount("random_bits", inputs, 1);
    const keys = requireKey("random_bits", at(inputs, 0));
    if (width !== 8 && width !== 16 && width !== 32) {
      throw invalid("requires 8-, 16-, 32- or 64-bit field width; 64 bits need JAX's x64 mode");
    }
    return shapedArray(`uint${width}`, [...keys.shape, ...shape]);
  },
  carried: (o, inputs, { bit_width: width, shape }, types) => {
    const { dtype } = at(types, 0);
    const words = generators[implOf(dtype)].bits(o, at(inputs, 0), shape);
    return [width === 32 ? words : o.convertElementType(words, width === 8 ? "uint8" : "uint16")];
  },
});

/** The words of one key of a row of keys: `[…, n, words]` at a place. */
export function keyWordsAt(o: Ops, keys: Value, place: number): Value {
  const { shape } = keys.aval;
  const axis = shape.length - 2;
  const start = upTo(shape.length).map((dim) => (dim === axis ? place : 0));
  const limit = shape.map((size, dim) => (dim === axis ? place + 1 : size));
  return o.squeeze(o.slice(keys, start, limit), [axis]);
}
