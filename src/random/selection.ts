/** Random orders and choices. */
import type { Dim, Shape } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import { at, canonicalAxis, invalid, optionsOf } from "../lax/arguments.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "../numpy/convert.js";
import { take } from "../numpy/indexing.js";
import { argmax, cumsum } from "../numpy/reductions.js";
import { toType, withRank } from "../numpy/promotion.js";
import { moveaxis } from "../numpy/shapes.js";
import { searchsorted } from "../numpy/sorting.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { gumbel, randint, type GumbelOptions } from "./basic.js";
import { floatLiteral, shapeOfDraw, uniform } from "./draws.js";
import { bitsValue, keyValue, staticSize, twoKeys } from "./keys.js";

/** Shuffles along a dimension by sorting with random keys, as often as makes ties harmless. */
function shuffleValue(key: Value, x: Value, axis: number): Value {
  const size = staticSize(x.aval.shape);
  const rounds = Math.ceil((3 * Math.log(Math.max(1, size))) / Math.log(2 ** 32 - 1));
  let [current, values] = [key, x];
  for (let round = 0; round < rounds; round++) {
    const [next, own] = twoKeys(current);
    const sortKeys = bitsValue(own, values.aval.shape);
    const params = { dimension: axis, is_stable: true, num_keys: 1 };
    values = at(o.sort([sortKeys, values], params), 1);
    current = next;
  }
  return values;
}

function shuffled(key: Value, x: Value, axis: number): ArrayValue {
  const body = (k: Value, values: Value): Value => shuffleValue(k, values, axis);
  return out(callNamedOne("_shuffle", String(axis), body, [key, x]));
}

export interface PermutationOptions {
  /** Shuffle each row along the axis by itself. Default: false. */
  readonly independent?: boolean;
}

/**
 * A random order: of 0 … x-1 for a number, of the rows of an array otherwise. JAX's
 * `jax.random.permutation`.
 */
export function permutation(
  key: ArrayLike,
  x: NestedArray,
  axis = 0,
  options: PermutationOptions = {},
): ArrayValue {
  const { independent = false } = optionsOf("permutation", options, ["independent"]);
  const own = keyValue("permutation", key);
  if (typeof x === "number") {
    if (!Number.isInteger(x) || x < 0) throw invalid(`permutation of ${x} elements`);
    return shuffled(own, o.iota("int32", [x], 0), 0);
  }
  const value = arrayValue(x);
  const { shape } = value.aval;
  if (shape.length === 0) throw invalid("x must be an integer or at least 1-dimensional");
  const place = canonicalAxis(axis, shape.length);
  if (independent || shape.length === 1) return shuffled(own, value, place);
  const order = shuffled(own, o.iota("int32", [at(shape, place)], 0), 0);
  return take(out(value), order, { axis: place });
}

export interface ChoiceOptions extends GumbelOptions {
  readonly shape?: Shape;
  /** Default: true. */
  readonly replace?: boolean;
  /** The probability of each element. Default: the same. */
  readonly p?: NestedArray;
  /** The dimension whose elements are chosen. Default: 0. */
  readonly axis?: number;
}

const choiceNames = ["axis", "mode", "p", "replace", "shape"] as const;

/** Positions of the chosen elements. */
function chosenPositions(
  key: ArrayLike,
  rows: number,
  shape: Shape,
  { replace = true, p, mode }: ChoiceOptions,
): ArrayValue {
  const count = staticSize(shape);
  if (p === undefined) return randint(key, shape, 0, rows);
  const chances = toType(arrayValue(p), "float32");
  if (chances.aval.shape.length !== 1 || chances.aval.shape[0] !== rows) {
    throw invalid("p must be None or a 1D vector with the same size as a.shape[axis].");
  }
  if (!replace) {
    const noise = arrayValue(gumbel(key, [rows], mode === undefined ? {} : { mode }));
    const [, positions] = o.topK(o.add(noise, o.log(chances)), count, 0);
    return out(o.reshape(positions, shape));
  }
  const total = arrayValue(cumsum(out(chances)));
  const last = o.squeeze(o.slice(total, [rows - 1], [rows]), [0]);
  const draws = o.mul(last, o.sub(floatLiteral(1), arrayValue(uniform(key, shape))));
  return searchsorted(out(total), out(draws));
}

/**
 * Random elements of 0 … a-1, or of an array along a dimension. JAX's `jax.random.choice`.
 *
 * @throws Jax2TfjsError `invalid-parameter`
 */
export function choice(key: ArrayLike, a: NestedArray, options: ChoiceOptions = {}): ArrayValue {
  const { shape = [], replace = true, p, axis = 0 } = optionsOf("choice", options, choiceNames);
  const array = typeof a === "number" ? null : arrayValue(a);
  const place = array === null ? 0 : canonicalAxis(axis, array.aval.shape.length);
  const rows = array === null ? a : at(array.aval.shape, place);
  if (typeof rows !== "number") throw invalid("choice needs a known size");
  const count = staticSize(shape);
  if (count > 0 && rows <= 0) throw invalid("a must be greater than 0 unless no samples are taken");
  if (!replace && count > rows) {
    throw invalid(
      `Cannot take a larger sample (size ${count}) than population (size ${rows}) when ` +
        "'replace=False'",
    );
  }
  if (p !== undefined || replace) {
    const positions = chosenPositions(key, rows, shape, options);
    return array === null ? positions : take(out(array), positions, { axis: place });
  }
  const order = arrayValue(permutation(key, array === null ? rows : out(array), place));
  const own = order.aval.shape;
  const first = o.slice(
    order,
    own.map(() => 0),
    own.with(place, count),
  );
  return out(o.reshape(first, [...own.slice(0, place), ...shape, ...own.slice(place + 1)]));
}

export interface CategoricalOptions extends GumbelOptions {
  /** The dimension of the categories. Default: the last. */
  readonly axis?: number;
  /** Default: that of `logits` without the categories; further dimensions come first. */
  readonly shape?: Shape;
  /** Whether a category may be drawn more than once along the further dimensions. Default: true. */
  readonly replace?: boolean;
}

/** Categories with the probabilities `softmax(logits)`. JAX's `jax.random.categorical`. */
export function categorical(
  key: ArrayLike,
  logits: NestedArray,
  options: CategoricalOptions = {},
): ArrayValue {
  const {
    axis = -1,
    shape,
    replace = true,
    mode = "low",
  } = optionsOf("categorical", options, ["axis", "shape", "replace", "mode"]);
  const value = toType(arrayValue(logits), "float32");
  const own = value.aval.shape;
  const place = canonicalAxis(axis, own.length);
  const batch = own.toSpliced(place, 1);
  const wanted = shape ?? batch;
  shapeOfDraw("categorical", wanted, [batch]);
  const prefix: Dim[] = wanted.slice(0, wanted.length - batch.length);
  if (!replace) return withoutReplacement(key, value, place, prefix, mode);
  const inner = wanted.slice(wanted.length - batch.length).toSpliced(place, 0, at(own, place));
  const noise = arrayValue(gumbel(key, [...prefix, ...inner], { mode }));
  const wide = withRank(value, noise.aval.shape.length);
  return argmax(out(o.add(noise, wide)), { axis: place - own.length });
}

function withoutReplacement(
  key: ArrayLike,
  logits: Value,
  axis: number,
  prefix: Shape,
  mode: "low" | "high",
): ArrayValue {
  const { shape } = logits.aval;
  const [count, size] = [staticSize(prefix), at(shape, axis)];
  if (typeof size === "number" && count > size) {
    throw invalid(
      `Number of samples without replacement (${count}) cannot exceed number of categories ` +
        `(${size}).`,
    );
  }
  const noisy = o.add(logits, arrayValue(gumbel(key, shape, { mode })));
  const last = arrayValue(moveaxis(out(noisy), axis, -1));
  const [, positions] = o.topK(last, count, last.aval.shape.length - 1);
  const rank = positions.aval.shape.length;
  const front = o.transpose(positions, [
    rank - 1,
    ...Array.from({ length: rank - 1 }, (_, i) => i),
  ]);
  return out(o.reshape(front, [...prefix, ...shape.toSpliced(axis, 1)]));
}
