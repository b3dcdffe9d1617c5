/** The cases of scripts/data/record_random.py, as one writes them here. */
import { grad, jit, jvp, vmap } from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;
const impls = ["threefry2x32", "rbg", "unsafe_rbg"] as const;

export interface Keys {
  readonly key: A;
  readonly raw: A;
  readonly keys: A;
}

/** The keys that cases draw with. */
export function makeKeys(): Keys {
  return {
    key: random.key(42),
    raw: random.PRNGKey(42),
    keys: random.split(random.key(1), 3),
  };
}

const range = (size: number): A => np.arange(0, size, 1, { dtype: "float32" });
const matrix = (): A => np.reshape(range(12), [4, 3]);

function generatorCases(impl: random.RandomImpl): unknown {
  const k = random.key(5, { impl });
  const ks = random.split(k, 3);
  const numbers = np.arange(3);
  return [
    k,
    random.PRNGKey(5, { impl }),
    ks,
    random.split(k, [2, 2]),
    random.foldIn(k, 9),
    random.bits(k, [5]),
    random.bits(k, [3], { dtype: "uint16" }),
    random.bits(k, [2, 3], { dtype: "uint8" }),
    random.bits(k),
    random.normal(k, [3]),
    vmap((own: A) => random.bits(own, [2]))(ks),
    vmap((own: A) => random.split(own))(ks),
    vmap((own: A, n: A) => random.foldIn(own, n))(ks, numbers),
    vmap((own: A, n: A) => random.foldIn(own, n), { inAxes: [null, 0] })(k, numbers),
    vmap((own: A, n: A) => random.foldIn(own, n), { inAxes: [0, null] })(ks, np.int32(4)),
    vmap(vmap((own: A) => random.uniform(own)))(random.split(k, [2, 2])),
  ];
}

const seeds = [0, 7, -1, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40 + 3];

const keyCases: Readonly<Record<string, (keys: Keys) => unknown>> = {
  "keys/seeds": () => [
    ...seeds.map((seed) => random.key(seed)),
    ...seeds.map((seed) => random.PRNGKey(seed)),
    vmap((seed: A) => random.key(seed))(np.arange(3)),
    random.key(lax.convertElementType(200, "uint8")),
    random.key(lax.convertElementType(-3, "int8")),
  ],
  ...Object.fromEntries(impls.map((impl) => [`keys/${impl}`, () => generatorCases(impl)] as const)),
  "keys/data": ({ key, raw, keys }) => [
    random.keyData(keys),
    random.keyData(raw),
    random.wrapKeyData(random.split(raw)),
    random.wrapKeyData(Uint32Array.of(0, 1, 2, 3), { impl: "rbg" }),
    random.clone(key),
    random.clone(raw),
  ],
  "keys/raw": ({ raw }) => [
    random.split(raw),
    random.split(raw, [2, 2]),
    random.foldIn(raw, 3),
    random.bits(raw, [3]),
    random.normal(raw, [3]),
    vmap((k: A) => random.normal(k, [2]))(random.split(raw, 3)),
  ],
  "keys/moved": ({ key, keys }) => {
    const m = random.split(key, [2, 3]);
    const first = np.index(keys, np.slice(0, 1));
    return [
      np.index(keys, 0),
      np.index(keys, -1),
      np.index(keys, np.slice(1, null)),
      np.index(keys, np.array([2n, 0n])),
      jit((k: A, i: A) => np.index(k, i))(keys, np.int32(1)),
      np.reshape(m, [3, 2]),
      np.reshape(m, [-1]),
      np.transpose(m),
      np.squeeze(np.index(m, np.slice(null, null), np.slice(0, 1)), 1),
      np.expandDims(keys, 1),
      np.broadcastTo(key, [2]),
      np.concatenate([keys, first]),
      np.stack([key, np.index(keys, 0)]),
      np.where(np.array([true, false, true]), keys, key),
      lax.select(true, key, np.index(keys, 0)),
      lax.rev(keys, [0]),
      lax.dynamicSlice(keys, [1], [2]),
      lax.dynamicUpdateSlice(keys, first, [2]),
      np.at(keys, 0).set(key),
      lax.eq(keys, lax.rev(keys, [0])),
      np.notEqual(keys, key),
      lax.eq(key, key),
    ];
  },
  "keys/control": ({ key, keys }) => {
    const step = (k: A, x: A): readonly [A, A] => {
      const [next, own] = random.splitKeys(k);
      if (next === undefined || own === undefined) throw new Error("two keys");
      return [next, np.multiply(random.normal(own), x)];
    };
    const chain = (k: A, n: A): A => lax.foriLoop(0, n, (i: A, own: A) => random.foldIn(own, i), k);
    const firstOfSplit = (k: A): A => np.index(random.split(k), 0);
    return [
      lax.scan(step, key, range(3)),
      lax.scan((_: A, k: A) => [k, random.uniform(k)] as const, key, keys),
      lax.scan((c: A, k: A) => [c, firstOfSplit(k)] as const, np.int32(0), keys),
      lax.cond(true, (k: A) => k, firstOfSplit, key),
      lax.cond(false, (k: A) => k, firstOfSplit, key),
      lax.whileLoop(
        ([count]) => lax.lt(count, 3),
        ([count, k]) => {
          const [, own] = random.splitKeys(k);
          return [lax.add(count, 1), own] as const;
        },
        [np.int32(0), key] as const,
      ),
      jit(chain)(key, np.int32(3)),
      vmap(chain)(keys, np.arange(3)),
      lax.map((k: A) => random.uniform(k, [2]), keys),
      vmap((p: A, k: A) =>
        lax.cond(
          p,
          (own: A) => own,
          (own: A) => random.foldIn(own, 1),
          k,
        ),
      )(np.array([true, false, true]), keys),
      jit(() => random.foldIn(np.index(keys, 1), 2))(),
    ];
  },
  "keys/derivatives": ({ key, keys }) => {
    const f = (x: A, k: A): A => np.sum(np.sin(np.multiply(x, random.normal(k, [3]))));
    const chain = (x: A, k: A): A => {
      const step = (c: A, own: A): readonly [A, A] => [
        np.add(np.multiply(c, random.uniform(own)), x),
        c,
      ];
      return lax.scan(step, x, random.split(k, 4))[0];
    };
    const at = np.float32(1.5);
    return [
      grad(f)(at, key),
      vmap(grad(f), { inAxes: [null, 0] })(at, keys),
      jvp((x: A) => f(x, key), [at], [np.float32(1)]),
      grad(chain)(np.float32(0.5), key),
      grad(grad((x: A) => f(x, key)))(at),
    ];
  },
};

const draws: Readonly<Record<string, (key: A) => unknown>> = {
  uniform: (k) => [
    random.uniform(k, [2, 3]),
    random.uniform(k, [3], { minval: -2, maxval: 5 }),
    random.uniform(k, [2, 3], { minval: range(3), maxval: 4 }),
    random.uniform(k, [5], { dtype: "float16" }),
    random.uniform(k, [5], { dtype: "bfloat16" }),
    random.uniform(k),
  ],
  normal: (k) => [
    random.normal(k, [2, 3]),
    random.normal(k),
    random.normal(k, [2], { dtype: "complex64" }),
    random.truncatedNormal(k, -1, 2, [5]),
    random.truncatedNormal(k, [-1, 0], 2),
  ],
  bernoulli: (k) => [
    random.bernoulli(k),
    random.bernoulli(k, 0.3, [7]),
    random.bernoulli(k, [0.1, 0.5, 0.9]),
    random.bernoulli(k, 0.3, [7], { mode: "high" }),
    random.rademacher(k, [6]),
    random.rademacher(k, [3], { dtype: "float32" }),
  ],
  randint: (k) => [
    random.randint(k, [6], 0, 10),
    random.randint(k, [4], -5, 5),
    random.randint(k, [3], [0n, 10n, 20n], 30),
    random.randint(k, [6], 0, 256, { dtype: "uint8" }),
    random.randint(k, [6], -128, 128, { dtype: "int8" }),
    random.randint(k, [4], 0, 2 ** 31 - 1),
    random.randint(k, [4], 5, 5),
    random.randint(k, [4], 0, 1000, { dtype: "uint32" }),
    random.randint(k, [], 0, 3),
  ],
  permutation: (k) => [
    random.permutation(k, 9),
    random.permutation(k, matrix()),
    random.permutation(k, matrix(), 1),
    random.permutation(k, matrix(), 1, { independent: true }),
  ],
  choice: (k) => {
    const p = [0.1, 0.2, 0.3, 0.4];
    return [
      random.choice(k, 9, { shape: [4] }),
      random.choice(k, 9, { shape: [4], replace: false }),
      random.choice(k, matrix(), { shape: [2, 2] }),
      random.choice(k, matrix(), { shape: [2], axis: 1 }),
      random.choice(k, matrix(), { shape: [2], replace: false, axis: 1 }),
      random.choice(k, 4, { shape: [5], p }),
      random.choice(k, 4, { shape: [2], replace: false, p }),
      random.choice(k, 4, { shape: [3], replace: false, p, mode: "high" }),
    ];
  },
  categorical: (k) => {
    const rows = [
      [0.1, 1, 0.5],
      [2, 0, 0.3],
    ];
    return [
      random.categorical(k, [0.1, 1, 0.5]),
      random.categorical(k, rows),
      random.categorical(k, rows, { axis: 0 }),
      random.categorical(k, [0.1, 1, 0.5], { shape: [6] }),
      random.categorical(k, rows, { shape: [4, 2] }),
      random.categorical(k, [0.1, 1, 0.5, 0.4], { shape: [3], replace: false }),
      random.categorical(k, rows, { shape: [2, 2], replace: false }),
      random.gumbel(k, [4]),
      random.gumbel(k, [4], { mode: "high" }),
    ];
  },
  transformed: (k) => [
    random.exponential(k, [4]),
    random.laplace(k, [4]),
    random.logistic(k, [4]),
    random.cauchy(k, [4]),
    random.pareto(k, 2, { shape: [4] }),
    random.pareto(k, [1, 2]),
    random.maxwell(k, [4]),
    random.doubleSidedMaxwell(k, 1, 2, [4]),
    random.doubleSidedMaxwell(k, [0, 0], 2, [3]),
    random.weibullMin(k, 2, 1.5, [4]),
    random.rayleigh(k, [1, 2]),
    random.wald(k, [1, 2]),
    random.triangular(k, 0, 0.3, 1, { shape: [4] }),
    random.lognormal(k, 0.5, { shape: [4] }),
    random.lognormal(k),
  ],
  matrices: (k) => [
    random.orthogonal(k, 3),
    random.orthogonal(k, 2, { shape: [2], m: 3 }),
    random.orthogonal(k, 3, { m: 2 }),
    random.multivariateNormal(
      k,
      [1, 2],
      [
        [2, 0.5],
        [0.5, 1],
      ],
    ),
    random.multivariateNormal(k, [0, 0], np.eye(2), { shape: [3] }),
  ],
  gamma: (k) => [
    random.gamma(k, 2.5, { shape: [5] }),
    random.gamma(k, [0.1, 1, 5, 50]),
    random.gamma(k, [0.3, 1.2], { shape: [3, 2] }),
    random.gamma(k, 0.7),
    random.loggamma(k, [0.001, 0.5, 3]),
    vmap((own: A) => random.gamma(own, [0.5, 2]))(random.split(k, 2)),
    random.beta(k, 2, 3, { shape: [4] }),
    random.beta(k, [0.1, 5], 1),
    random.dirichlet(k, [1, 2, 3]),
    random.dirichlet(k, [0.5, 2], { shape: [3] }),
    random.chisquare(k, 3, { shape: [4] }),
    random.f(k, 3, 5, { shape: [4] }),
    random.t(k, 4, { shape: [4] }),
    random.generalizedNormal(k, 1.5, [4]),
    random.ball(k, 3, 2, [2]),
    random.ball(k, 2, 1),
    grad((a: A) => random.gamma(k, a))(np.float32(2)),
    grad((a: A) => random.loggamma(k, a))(np.float32(0.5)),
  ],
  counts: (k) => [
    random.poisson(k, 3, { shape: [6] }),
    random.poisson(k, [0, 0.5, 9.9, 10, 250]),
    random.geometric(k, 0.3, { shape: [6] }),
    random.binomial(k, 10, 0.3, { shape: [6] }),
    random.binomial(k, [5, 100, 1000], [0.2, 0.5, 0.9]),
    random.binomial(k, [NaN, -1, Infinity], 0.5),
    random.multinomial(k, 20, [0.2, 0.3, 0.5]),
    random.multinomial(
      k,
      [5, 50],
      [
        [0.2, 0.8],
        [0.5, 0.5],
      ],
    ),
  ],
};

/** Every case by the name it is recorded under. */
export const cases: Readonly<Record<string, (keys: Keys) => unknown>> = {
  ...keyCases,
  ...Object.fromEntries(
    Object.entries(draws).map(([name, draw]) => [`draws/${name}`, ({ key }: Keys) => draw(key)]),
  ),
};
