/**
 * Record of rng_bit_generator: blocks of random bits from a key and a counter, with the generators
 * and the layout of the words that XLA has on cpu. Composed of integer primitives.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { addDims, floordivDims, mulDims, shapeSize, type Dim, type Shape } from "../src/ir/dims.js";
import type { DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import { checkCount } from "./factories.js";
import { threefry2x32 } from "./random.js";
import { at, dtypeMismatch, invalid, shapeMismatch, upTo } from "./support.js";

export type RngBitGeneratorParams = {
  readonly shape: Shape;
  readonly dtype: DType;
  /** DEFAULT is what XLA takes on cpu: PHILOX. */
  readonly algorithm: "DEFAULT" | "THREE_FRY" | "PHILOX";
};

const word = (o: Ops, value: number): Value => o.literal(value >>> 0, "uint32");

/** The words of the key and of the counter as scalars. */
function stateWords(o: Ops, state: Value): readonly Value[] {
  return upTo(4).map((index) => o.squeeze(o.slice(state, [index], [index + 1]), [0]));
}

/** A number of 32-bit words, the lowest first, plus a number below 2^32: the carry goes on. */
function addToWords(o: Ops, words: readonly Value[], amount: Value): readonly Value[] {
  const { shape } = amount.aval;
  let carry = amount;
  return words.map((scalar, index) => {
    const before = shape.length === 0 ? scalar : o.broadcastInDim(scalar, shape, []);
    const sum = o.add(before, carry);
    if (index < words.length - 1) carry = o.convertElementType(o.lt(sum, before), "uint32");
    return sum;
  });
}

const stack = (o: Ops, scalars: readonly Value[]): Value =>
  o.concatenate(
    scalars.map((scalar) => o.reshape(scalar, [1])),
    0,
  );

const countOf = (o: Ops, count: Dim): Value => o.convertElementType(o.dimAsValue(count), "uint32");

// --- Philox 4x32 ---------------------------------------------------------------------------------

/** Both words of the product of words with a known one. */
function wideProduct(
  o: Ops,
  x: Value,
  factor: number,
): { readonly high: Value; readonly low: Value } {
  const { shape } = x.aval;
  const full = (value: number): Value => o.full(shape, value, "uint32");
  const lowHalf = (value: Value): Value => o.and(value, full(0xffff));
  const highHalf = (value: Value): Value => o.shiftRightLogical(value, full(16));
  const [low, high] = [lowHalf(x), highHalf(x)];
  const [factorLow, factorHigh] = [full(factor & 0xffff), full(factor >>> 16)];
  const crossed = [o.mul(high, factorLow), o.mul(low, factorHigh)];
  const middle = crossed
    .map(lowHalf)
    .reduce((sum, half) => o.add(sum, half), highHalf(o.mul(low, factorLow)));
  const carried = [...crossed, middle].map(highHalf);
  return {
    high: carried.reduce((sum, half) => o.add(sum, half), o.mul(high, factorHigh)),
    low: o.mul(x, full(factor)),
  };
}

/** Ten rounds on counters of four words, each [n] (Salmon et al., 2011). */
function philox(o: Ops, counter: readonly Value[], key: readonly [Value, Value]): readonly Value[] {
  const { shape } = at(counter, 0).aval;
  const spread = (scalar: Value): Value => o.broadcastInDim(scalar, shape, []);
  let [c0, c1, c2, c3] = [at(counter, 0), at(counter, 1), at(counter, 2), at(counter, 3)];
  for (const round of upTo(10)) {
    const key0 = o.add(key[0], word(o, Math.imul(0x9e3779b9, round)));
    const key1 = o.add(key[1], word(o, Math.imul(0xbb67ae85, round)));
    const first = wideProduct(o, c0, 0xd2511f53);
    const second = wideProduct(o, c2, 0xcd9e8d57);
    c0 = o.xor(o.xor(second.high, c1), spread(key0));
    c2 = o.xor(o.xor(first.high, c3), spread(key1));
    [c1, c3] = [second.low, first.low];
  }
  return [c0, c1, c2, c3];
}

function philoxBits(o: Ops, state: Value, shape: Shape): readonly [Value, Value] {
  const words = stateWords(o, state);
  const key = [at(words, 0), at(words, 1)] as const;
  const counter = [at(words, 2), at(words, 3)];
  const size = shapeSize(shape);
  const blocks = floordivDims(addDims(size, 3), 4);
  // The upper half of the counter starts as the key.
  const start = [...counter, ...key];
  const counters = addToWords(o, start, o.iota("uint32", [blocks], 0));
  const columns = philox(o, counters, key).map((column) => o.reshape(column, [blocks, 1]));
  const drawn = o.reshape(o.concatenate(columns, 1), [mulDims(blocks, 4)]);
  const next = addToWords(o, counter, countOf(o, blocks));
  return [stack(o, [...key, ...next]), o.reshape(o.slice(drawn, [0], [size]), shape)];
}

// --- Threefry 2x32 -------------------------------------------------------------------------------

/** The dimension along which pairs of words alternate: the first even one, else the longest. */
function pairedAxis(shape: readonly number[]): number {
  const even = shape.findIndex((size) => size % 2 === 0);
  return even >= 0 ? even : shape.indexOf(Math.max(...shape));
}

function threefryBits(o: Ops, state: Value, shape: Shape): readonly [Value, Value] {
  const sizes = shape.map((size) => {
    if (typeof size === "number") return size;
    throw new Jax2TfjsError("symbolic-size", "random bits by THREE_FRY need a known shape", {
      primitive: "rng_bit_generator",
      fix: "export with known sizes, or with the algorithm PHILOX",
    });
  });
  const dims = sizes.length === 0 ? [1] : sizes;
  const axis = pairedAxis(dims);
  const size = at(dims, axis);
  const half = dims.with(axis, Math.ceil(size / 2));
  const count = half.reduce((product, dim) => product * dim, 1);
  const [key0, key1, ...counter] = stateWords(o, state);
  if (key0 === undefined || key1 === undefined) throw new Error("internal error: a short state");
  const inputs = addToWords(o, counter, o.iota("uint32", [count], 0));
  const columns = o
    .bind(threefry2x32, [key0, key1, ...inputs], {})
    .map((column) => o.reshape(column, half.toSpliced(axis + 1, 0, 1)));
  const pairs = o.concatenate(columns, axis + 1);
  const drawn = o.reshape(pairs, half.with(axis, 2 * at(half, axis)));
  const cut = o.slice(
    drawn,
    dims.map(() => 0),
    dims,
  );
  const next = addToWords(o, counter, countOf(o, count));
  return [stack(o, [key0, key1, ...next]), o.reshape(cut, shape)];
}

const dtypes: readonly DType[] = ["uint8", "uint16", "uint32"];

/** XLA draws 32 bits for narrower words too. */
function randomBits(
  o: Ops,
  state: Value,
  { shape, dtype, algorithm }: RngBitGeneratorParams,
): readonly Value[] {
  const bits = algorithm === "THREE_FRY" ? threefryBits : philoxBits;
  const [next, drawn] = bits(o, state, shape);
  return [next, dtype === "uint32" ? drawn : o.convertElementType(drawn, dtype)];
}

export const rngBitGenerator: Primitive<RngBitGeneratorParams> =
  definePrimitive<RngBitGeneratorParams>({
    name: "rng_bit_generator",
    manyNodes:
      "PHILOX multiplies 32-bit words ten times over, in 16-bit halves; TensorFlow.js has no bitwise op.",
    abstractEval: (inputs, { shape, dtype, algorithm }) => {
      checkCount("rng_bit_generator", inputs, 1);
      const key = at(inputs, 0);
      checkKey(key);
      if (!dtypes.includes(dtype)) {
        throw dtypeMismatch(`rng_bit_generator: unsupported dtype ${dtype}`);
      }
      if (!["DEFAULT", "THREE_FRY", "PHILOX"].includes(algorithm)) {
        throw invalid(`rng_bit_generator: unknown algorithm ${algorithm}`);
      }
      return [key, shapedArray(dtype, shape)];
    },
    jvp: (o, primals, _tangents, params) => ({
      primals: o.bind(rngBitGenerator, primals, params),
      tangents: [null, null],
    }),
    transpose: none("rng_bit_generator is not linear"),
    // One draw for all, with the first key, as JAX does it.
    batch: (o, inputs, dims, params) => {
      const [keys, batch] = [at(inputs, 0), dims[0] ?? null];
      if (batch === null) {
        return { outputs: o.bind(rngBitGenerator, inputs, params), dims: [null, null] };
      }
      const rows = batch === 0 ? keys : o.transpose(keys, [1, 0]);
      const count = at(rows.aval.shape, 0);
      const first = o.squeeze(o.slice(rows, [0, 0], [1, 4]), [0]);
      const shape = [count, ...params.shape];
      const [next, drawn] = o.bind(rngBitGenerator, [first], { ...params, shape });
      if (next === undefined || drawn === undefined) throw new Error("internal error: no bits");
      const others = o.slice(rows, [1, 0], [count, 4]);
      return {
        outputs: [o.concatenate([o.reshape(next, [1, 4]), others], 0), drawn],
        dims: [0, 0],
      };
    },
    tfjs: (tf, inputs, params) =>
      tf.inline(inputs, (o, values) => randomBits(o, at(values, 0), params)),
    limits: [
      {
        when: "THREE_FRY for a shape with symbolic sizes",
        effect: "the conversion fails",
        why: "the order of the words depends on which sizes are even",
      },
    ],
    flops: (_inputs, { shape }) => {
      const size = shapeSize(shape);
      return typeof size === "number" ? 60 * size : 0;
    },
  });

function checkKey({ dtype, shape }: ShapedArray): void {
  if (dtype !== "uint32") {
    throw dtypeMismatch(`rng_bit_generator: key must have dtype uint32, got ${dtype}`);
  }
  if (shape.length !== 1 || shape[0] !== 4) {
    throw shapeMismatch(`rng_bit_generator: key must have shape (4,), got (${shape.join(", ")})`);
  }
}
