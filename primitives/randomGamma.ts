/**
 * Record of random_gamma: samples of the gamma distribution by rejection (Marsaglia and Tsang, "A
 * simple method for generating gamma variables", 2000), with the draws that JAX makes, one key per
 * sample. Called by src/random.
 */
import { shapeSize, type Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import { isKey } from "../src/ir/dtypes.js";
import { batchAtFront, sizeOfBatch } from "./batching.js";
import { checkCount } from "./factories.js";
import { randomGammaGrad } from "./incomplete.js";
import { generators } from "./randomGenerators.js";
import { implOf, keyWordsAt, type KeyImpl } from "./randomKeys.js";
import { at, dtypeMismatch } from "./support.js";

export type RandomGammaParams = { readonly log_space: boolean };

const f32 = (o: Ops, value: number): Value => o.literal(Math.fround(value), "float32");

/** Words as numbers from 0 to 1. */
function unitFloats(o: Ops, words: Value): Value {
  const mantissa = o.shiftRightLogical(words, o.literal(9, "uint32"));
  const floats = o.bitcastConvertType(o.or(mantissa, o.literal(0x3f800000, "uint32")), "float32");
  return o.sub(floats, f32(o, 1));
}

/** One number from 0 to 1 of each key `[n, words]`. */
const uniform = (o: Ops, impl: KeyImpl, keys: Value): Value =>
  unitFloats(o, generators[impl].bits(o, keys, []));

/** One standard normal number of each key. */
function normal(o: Ops, impl: KeyImpl, keys: Value): Value {
  const low = f32(o, -(1 - 2 ** -24));
  const draws = o.add(o.mul(uniform(o, impl, keys), o.sub(f32(o, 1), low)), low);
  return o.mul(f32(o, Math.SQRT2), o.erfInv(o.max(low, draws)));
}

function splitKeys(o: Ops, impl: KeyImpl, keys: Value, count: number): readonly Value[] {
  const split = generators[impl].split(o, keys, [count]);
  return Array.from({ length: count }, (_, place) => keyWordsAt(o, split, place));
}

/** `select` between values of several dimensions, element by element of the first. */
function choose(o: Ops, which: Value, no: Value, yes: Value): Value {
  const { shape } = yes.aval;
  const wide = which.aval.shape.length < shape.length ? o.broadcastInDim(which, shape, [0]) : which;
  return o.selectN(wide, no, yes);
}

interface LoopSpec {
  readonly consts: readonly Value[];
  readonly initial: readonly Value[];
  /** For each element, whether it goes on. */
  readonly goesOn: (o: Ops, consts: readonly Value[], state: readonly Value[]) => Value;
  readonly step: (o: Ops, consts: readonly Value[], state: readonly Value[]) => readonly Value[];
}

/** A loop until no element goes on; those that are done keep their values. */
function loopWhereNeeded(o: Ops, spec: LoopSpec): readonly Value[] {
  const { consts, initial } = spec;
  const types = [...consts, ...initial].map(({ aval }) => aval);
  const parts = (values: readonly Value[]): readonly [readonly Value[], readonly Value[]] => [
    values.slice(0, consts.length),
    values.slice(consts.length),
  ];
  const condition = o.programs.build(types, (inner, values) => [
    inner.reduceOr(spec.goesOn(inner, ...parts(values)), [0]),
  ]);
  const body = o.programs.build(types, (inner, values) => {
    const [own, state] = parts(values);
    const active = spec.goesOn(inner, own, state);
    const next = spec.step(inner, own, state);
    return state.map((old, index) => choose(inner, active, old, at(next, index)));
  });
  return o.while(condition, consts, body, consts, initial);
}

/** Normal numbers x of which 1 + c x is positive, and these sums. */
function positiveCubeRoots(
  o: Ops,
  impl: KeyImpl,
  keys: Value,
  c: Value,
): readonly [x: Value, v: Value] {
  const { shape } = c.aval;
  const results = loopWhereNeeded(o, {
    consts: [c],
    initial: [keys, o.full(shape, 0, "float32"), o.full(shape, -1, "float32")],
    goesOn: (inner, _consts, state) => inner.le(at(state, 2), f32(inner, 0)),
    step: (inner, consts, state) => {
      const [next, own] = splitKeys(inner, impl, at(state, 0), 2);
      if (next === undefined || own === undefined) throw new Error("internal error: two keys");
      const x = normal(inner, impl, own);
      return [next, x, inner.add(f32(inner, 1), inner.mul(x, at(consts, 0)))];
    },
  });
  return [at(results, 1), at(results, 2)];
}

/** Whether a candidate is refused: X is the square of a normal number, V the cube, U a chance. */
function isRefused(o: Ops, d: Value, [x, v, u]: readonly [Value, Value, Value]): Value {
  const one = f32(o, 1);
  const roughly = o.ge(u, o.sub(one, o.mul(f32(o, 0.0331), o.mul(x, x))));
  const bound = o.add(o.mul(x, f32(o, 0.5)), o.mul(d, o.add(o.sub(one, v), o.log(v))));
  return o.and(roughly, o.ge(o.log(u), bound));
}

/** Samples for keys `[n, words]` and shapes of the distribution `[n]`. */
function gammaSamples(o: Ops, impl: KeyImpl, keys: Value, alphas: Value, logSpace: boolean): Value {
  const { shape } = alphas.aval;
  const one = f32(o, 1);
  const full = (value: number): Value => o.full(shape, value, "float32");
  const isLarge = o.ge(alphas, one);
  const raised = o.selectN(isLarge, o.add(alphas, one), alphas);
  const third = f32(o, 1 / 3);
  const d = o.sub(raised, third);
  const c = o.div(third, o.sqrt(d));
  const [start, boostKeys] = splitKeys(o, impl, keys, 2);
  if (start === undefined || boostKeys === undefined) throw new Error("internal error: two keys");
  const results = loopWhereNeeded(o, {
    consts: [c, d],
    initial: [start, full(0), full(1), full(2)],
    goesOn: (inner, consts, state) =>
      isRefused(inner, at(consts, 1), [at(state, 1), at(state, 2), at(state, 3)]),
    step: (inner, consts, state) => {
      const [next, xKeys, uKeys] = splitKeys(inner, impl, at(state, 0), 3);
      if (next === undefined || xKeys === undefined || uKeys === undefined) {
        throw new Error("internal error: three keys");
      }
      const [x, v] = positiveCubeRoots(inner, impl, xKeys, at(consts, 0));
      const cube = inner.mul(inner.mul(v, v), v);
      return [next, inner.mul(x, x), cube, uniform(inner, impl, uKeys)];
    },
  });
  const volume = at(results, 2);
  // Shapes below 1 are sampled as those above: x^(1/alpha) of a number from 0 to 1 corrects that.
  const draws = o.sub(one, uniform(o, impl, boostKeys));
  const power = o.div(one, alphas);
  if (!logSpace) {
    const boost = o.selectN(isLarge, o.pow(draws, power), full(1));
    return o.mul(o.mul(d, volume), boost);
  }
  const logs = o.log1p(o.neg(uniform(o, impl, boostKeys)));
  const isNone = o.or(isLarge, o.eq(logs, f32(o, 0)));
  const boost = o.selectN(isNone, o.mul(logs, power), full(0));
  return o.add(o.add(o.log(d), o.log(volume)), boost);
}

/** Smallest normal float32 number. */
const tiny = 2 ** -126;

/** How a sample changes with the shape of the distribution. */
function gammaGradient(o: Ops, sample: Value, alphas: Value, logSpace: boolean): Value {
  const derivative = (x: Value): Value => at(o.bind(randomGammaGrad, [alphas, x], {}), 0);
  if (!logSpace) return derivative(sample);
  const plain = o.exp(sample);
  const isZero = o.eq(plain, f32(o, 0));
  const positive = o.selectN(isZero, plain, o.full(plain.aval.shape, tiny, "float32"));
  return o.div(derivative(positive), positive);
}

const flatKeys = (o: Ops, keys: Value, count: Shape[number]): Value =>
  o.reshape(keys, [count, at(keys.aval.shape, keys.aval.shape.length - 1)]);

export const randomGamma: Primitive<RandomGammaParams> = definePrimitive<RandomGammaParams>({
  name: "random_gamma",
  abstractEval: (inputs) => {
    checkCount("random_gamma", inputs, 2);
    const [key, alphas] = [at(inputs, 0), at(inputs, 1)];
    if (!isKey(key.dtype)) throw dtypeMismatch(`random_gamma takes keys, got ${key.dtype}`);
    return [{ ...alphas, weakType: false }];
  },
  jvp: (o, primals, tangents, params) => {
    const sample = at(o.bind(randomGamma, primals, params), 0);
    const tangent = tangents[1] ?? null;
    if (tangent === null) return { primals: [sample], tangents: [null] };
    const gradient = gammaGradient(o, sample, at(primals, 1), params.log_space);
    return { primals: [sample], tangents: [o.mul(tangent, gradient)] };
  },
  transpose: none("random_gamma is not linear"),
  batch: (o, inputs, dims, params) => {
    const size = sizeOfBatch(inputs, dims);
    const values = inputs.map((value, index) => batchAtFront(o, value, dims[index] ?? null, size));
    return { outputs: o.bind(randomGamma, values, params), dims: [0] };
  },
  tfjs: none("needs none: a program of other primitives takes its place"),
  carried: (o, inputs, { log_space: logSpace }, types) => {
    const [keys, alphas] = [at(inputs, 0), at(inputs, 1)];
    const impl = implOf(at(types, 0).dtype);
    const rank = at(types, 0).shape.length;
    const { shape } = alphas.aval;
    const size = shapeSize(shape);
    const own = generators[impl].split(o, keys, [shapeSize(shape.slice(rank))]);
    const flat = o.reshape(alphas, [size]);
    return [o.reshape(gammaSamples(o, impl, flatKeys(o, own, size), flat, logSpace), shape)];
  },
});
