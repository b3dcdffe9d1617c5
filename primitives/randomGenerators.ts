/**
 * What JAX's generators of random numbers do to the words of keys, whose last dimension they are:
 * threefry2x32 (with partitionable counters, JAX's default), rbg and unsafe_rbg. Called by the
 * records of random keys.
 */
import { mulDims, shapeSize, type Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { iota2x32Shape, threefry2x32 } from "./random.js";
import { rngBitGenerator } from "./rngBits.js";
import { at, upTo } from "./support.js";

interface Generator {
  /** Keys `[k…, words]` to `[k…, shape…, words]`. */
  split(o: Ops, keys: Value, shape: Shape): Value;
  /** Keys `[k…, words]` to random words `[k…, shape…]`. */
  bits(o: Ops, keys: Value, shape: Shape): Value;
}

/** One word of each key. */
function wordOf(o: Ops, keys: Value, place: number): Value {
  const { shape } = keys.aval;
  const last = shape.length - 1;
  const start = upTo(shape.length).map((axis) => (axis === last ? place : 0));
  const limit = shape.map((size, axis) => (axis === last ? place + 1 : size));
  return o.squeeze(o.slice(keys, start, limit), [last]);
}

/** Words side by side in a new last dimension. */
function joinWords(o: Ops, words: readonly Value[]): Value {
  const columns = words.map((word) => o.reshape(word, [...word.aval.shape, 1]));
  return o.concatenate(columns, at(words, 0).aval.shape.length);
}

function hash(o: Ops, words: readonly Value[]): readonly [Value, Value] {
  const results = o.bind(threefry2x32, words, {});
  return [at(results, 0), at(results, 1)];
}

/** The hash of the numbers 0, 1, … of a shape by each key. */
function hashCounters(o: Ops, keys: Value, shape: Shape): readonly [Value, Value] {
  const own = keys.aval.shape.slice(0, -1);
  const counters = o.bind(iota2x32Shape, [], { shape });
  const words = [wordOf(o, keys, 0), wordOf(o, keys, 1)];
  if (own.length === 0) return hash(o, [...words, ...counters]);
  const ones = (count: number): readonly number[] => new Array<number>(count).fill(1);
  return hash(o, [
    ...words.map((word) => o.reshape(word, [...own, ...ones(shape.length)])),
    ...counters.map((word) => o.reshape(word, [...ones(own.length), ...shape])),
  ]);
}

/** Keys of four words as two of two each: `[k…, 4]` to `[k…, 2, 2]`. */
const halves = (o: Ops, keys: Value): Value =>
  o.reshape(keys, [...keys.aval.shape.slice(0, -1), 2, 2]);

/** Random words by XLA's generator. Of several keys it takes the first, for all. */
function draw(o: Ops, keys: Value, shape: Shape): Value {
  const own = keys.aval.shape.slice(0, -1);
  const start = keys.aval.shape.map(() => 0);
  const limit = keys.aval.shape.map((_, axis) => (axis < own.length ? 1 : 4));
  const first = own.length === 0 ? keys : o.reshape(o.slice(keys, start, limit), [4]);
  const params = { shape: [...own, ...shape], dtype: "uint32", algorithm: "DEFAULT" } as const;
  return at(o.bind(rngBitGenerator, [first], params), 1);
}

const threefry: Generator = {
  split: (o, keys, shape) => joinWords(o, hashCounters(o, keys, shape)),
  bits: (o, keys, shape) => o.xor(...hashCounters(o, keys, shape)),
};

/** The last of ten draws counts, so that draws of neighbouring keys have little in common. */
const drawsPerKey = 10;

const rbg: Generator = {
  split: (o, keys, shape) => {
    const split = threefry.split(o, halves(o, keys), shape);
    // [k…, 2, shape…, 2]: the halves go next to their words.
    const own = keys.aval.shape.length - 1;
    const axes = upTo(split.aval.shape.length);
    const last = axes.length - 1;
    const order = [...axes.filter((axis) => axis !== own && axis !== last), own, last];
    return o.reshape(o.transpose(split, order), [...keys.aval.shape.slice(0, -1), ...shape, 4]);
  },
  bits: draw,
};

const unsafeRbg: Generator = {
  split: (o, keys, shape) => {
    const own = keys.aval.shape.slice(0, -1);
    const size = shapeSize(shape);
    const drawn = draw(o, keys, [mulDims(size, drawsPerKey), 4]);
    const strides = drawn.aval.shape.map((_, axis) => (axis === own.length ? drawsPerKey : 1));
    const start = strides.map(() => 0);
    const rows = o.slice(drawn, start, drawn.aval.shape, strides);
    return o.reshape(rows, [...own, ...shape, 4]);
  },
  bits: draw,
};

export const generators = { fry: threefry, rbg, urbg: unsafeRbg } as const;
type Impl = keyof typeof generators;

/** The words of the keys of whole numbers; the upper 32 bits of a number are 0 without x64. */
export function seedWords(o: Ops, seeds: Value, impl: Impl): Value {
  const low = o.convertElementType(seeds, "uint32");
  const half = joinWords(o, [o.full(low.aval.shape, 0, "uint32"), low]);
  return impl === "fry" ? half : o.concatenate([half, half], half.aval.shape.length - 1);
}

/** Repeats keys along dimensions that only the numbers have. */
function spread(o: Ops, keys: Value, shape: Shape): Value {
  const words = at(keys.aval.shape, keys.aval.shape.length - 1);
  const own = keys.aval.shape.length - 1;
  const dims = own === 0 ? [shape.length] : upTo(shape.length + 1);
  return o.broadcastInDim(keys, [...shape, words], dims);
}

/** The words of keys `[k…, words]` with whole numbers folded in; both broadcast to a shape. */
export function foldWords(o: Ops, impl: Impl, keys: Value, numbers: Value, shape: Shape): Value {
  const zero = o.literal(0, "uint32");
  if (impl === "fry") {
    return joinWords(o, hash(o, [wordOf(o, keys, 0), wordOf(o, keys, 1), zero, numbers]));
  }
  if (impl === "rbg") {
    const parts = halves(o, keys);
    const isOne = keys.aval.shape.length === 1;
    const ones = new Array<number>(isOne ? shape.length : 0).fill(1);
    const own = [0, 1].map((place) => wordOf(o, parts, place));
    const wide = own.map((word) => o.reshape(word, [...ones, ...word.aval.shape]));
    const isScalar = numbers.aval.shape.length === 0;
    const low = isScalar ? numbers : o.reshape(numbers, [...numbers.aval.shape, 1]);
    const words = [...wide, zero, low];
    return o.reshape(joinWords(o, hash(o, words)), [...shape, 4]);
  }
  const drawn = draw(o, seedWords(o, numbers, impl), [drawsPerKey, 4]);
  const rank = numbers.aval.shape.length;
  const start = drawn.aval.shape.map((_, axis) => (axis === rank ? drawsPerKey - 1 : 0));
  const last = o.squeeze(o.slice(drawn, start, drawn.aval.shape), [rank]);
  return o.xor(spread(o, keys, shape), spread(o, last, shape));
}

/** The words of the key of a known number from 0 to 2^32 - 1. */
export function seedNumbers(seed: number, impl: Impl): Uint32Array {
  return Uint32Array.from(impl === "fry" ? [0, seed] : [0, seed, 0, seed]);
}
