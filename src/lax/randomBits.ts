/** Random bits of `lax`: the words that random numbers are made of. */
import * as random from "../../primitives/random.js";
import { rngBitGenerator as rngPrimitive } from "../../primitives/rngBits.js";
import { rngUniform as uniformPrimitive } from "../../primitives/rngUniform.js";
import type { Shape } from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, toValue } from "../trace/trace.js";
import { at, bindAll, bindOne, canonicalDtype, operands } from "./arguments.js";

export interface RngBitOptions {
  /** uint8, uint16, uint32 or a signed type of the same size. Default: uint32. */
  readonly dtype?: DType;
  /** "RNG_DEFAULT" is what XLA takes on cpu: Philox. */
  readonly algorithm?: "RNG_DEFAULT" | "RNG_THREE_FRY" | "RNG_PHILOX";
}

const algorithms = {
  RNG_DEFAULT: "DEFAULT",
  RNG_THREE_FRY: "THREE_FRY",
  RNG_PHILOX: "PHILOX",
} as const;

/** `[key, bits]`: random bits, and the key for the next ones. JAX's `lax.rng_bit_generator`. */
export function rngBitGenerator(
  key: ArrayLike,
  shape: Shape,
  { dtype = "uint32", algorithm = "RNG_DEFAULT" }: RngBitOptions = {},
): [ArrayValue, ArrayValue] {
  const results = bindAll(rngPrimitive, [toValue(key)], {
    shape,
    dtype: canonicalDtype(dtype),
    algorithm: algorithms[algorithm],
  });
  return [at(results, 0), at(results, 1)];
}

/** The Threefry-2x32 hash of counters by a key, all of uint32. JAX's `threefry2x32_p`. */
export function threefry2x32(
  key1: ArrayLike,
  key2: ArrayLike,
  count1: ArrayLike,
  count2: ArrayLike,
): [ArrayValue, ArrayValue] {
  const results = bindAll(random.threefry2x32, [key1, key2, count1, count2].map(toValue), {});
  return [at(results, 0), at(results, 1)];
}

/** The numbers 0, 1, … of a shape as two words each, the upper ones first. JAX's `iota_2x32_shape`. */
export function iota2x32Shape(shape: Shape): [ArrayValue, ArrayValue] {
  const results = bindAll(random.iota2x32Shape, [], { shape });
  return [at(results, 0), at(results, 1)];
}

/**
 * Numbers from `a` up to, not including, `b`, others at each run: tfjs's, as XLA's follow no key.
 * Use `random` for numbers that can be had again. JAX's `lax.rng_uniform`.
 */
export function rngUniform(a: ArrayLike, b: ArrayLike, shape: Shape): ArrayValue {
  return fromValue(bindOne(uniformPrimitive, operands(a, b), { shape }));
}
