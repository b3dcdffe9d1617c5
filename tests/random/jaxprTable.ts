/** Functions whose jaxprs scripts/data/record_random.py records. */
import { grad, makeJaxpr, vmap } from "../../src/api/index.js";
import type { Traceable } from "../../src/api/types.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import * as lax from "../../src/lax/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import { ShapeDtypeStruct } from "../../src/api/calls.js";
import type { ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;

const key = new ShapeDtypeStruct([], "key<fry>");
const keys = new ShapeDtypeStruct([3], "key<fry>");
const raw = new ShapeDtypeStruct([2], "uint32");
const int = new ShapeDtypeStruct([], "int32", true);
const numbers = new ShapeDtypeStruct([3], "int32");

const of = (f: (...args: A[]) => unknown, ...args: readonly unknown[]): (() => ClosedJaxpr) => {
  const traceable = f as unknown as Traceable<readonly unknown[], unknown>;
  return () => makeJaxpr(traceable)(...args);
};

export const jaxprTable: Readonly<Record<string, () => ClosedJaxpr>> = {
  key: of((s) => random.key(s), int),
  keyRbg: of((s) => random.key(s, { impl: "rbg" }), int),
  PRNGKey: of((s) => random.PRNGKey(s), int),
  keyConstant: of(() => random.key(3)),
  split: of((k) => random.split(k), key),
  splitShape: of((k) => random.split(k, [2, 3]), key),
  splitRaw: of((k) => random.split(k), raw),
  splitUnpacked: of((k) => random.splitKeys(k), key),
  splitUnsafe: of((k) => random.split(k), new ShapeDtypeStruct([], "key<urbg>")),
  foldIn: of((k) => random.foldIn(k, 3), key),
  foldInRaw: of((k) => random.foldIn(k, 3), raw),
  foldInTraced: of((k, i) => random.foldIn(k, i), key, int),
  bits: of((k) => random.bits(k, [3]), key),
  bitsRaw: of((k) => random.bits(k, [3]), raw),
  bits16: of((k) => random.bits(k, [3], { dtype: "uint16" }), key),
  uniform: of((k) => random.uniform(k, [3]), key),
  uniformScalar: of((k) => random.uniform(k), key),
  normal: of((k) => random.normal(k, [3]), key),
  normalRaw: of((k) => random.normal(k, [3]), raw),
  bernoulli: of((k) => random.bernoulli(k, 0.5, [3]), key),
  randint: of((k) => random.randint(k, [3], 0, 10), key),
  permutation: of((k) => random.permutation(k, 7), key),
  gumbel: of((k) => random.gumbel(k, [2]), key),
  exponential: of((k) => random.exponential(k, [2]), key),
  gamma: of((k) => random.gamma(k, 2, { shape: [3] }), key),
  keyData: of((k) => random.keyData(k), keys),
  keyDataRaw: of((k) => random.keyData(k), raw),
  wrapKeyData: of((w) => random.wrapKeyData(w), new ShapeDtypeStruct([2, 2], "uint32")),
  clone: of((k) => random.clone(k), keys),
  vmapKey: of(
    vmap((s: A) => random.key(s)),
    numbers,
  ),
  vmapSplit: of(
    vmap((k: A) => random.split(k)),
    keys,
  ),
  vmapFoldIn: of(
    (k, n) => vmap((own: A, i: A) => random.foldIn(own, i), { inAxes: [null, 0] })(k, n),
    key,
    numbers,
  ),
  vmapBits: of(
    vmap((k: A) => random.bits(k, [2])),
    keys,
  ),
  vmapWrap: of(
    vmap((k: A) => random.bits(k)),
    new ShapeDtypeStruct([3, 2], "uint32"),
  ),
  index: of((k) => np.index(k, 0), keys),
  indexTraced: of((k, i) => np.index(k, i), keys, new ShapeDtypeStruct([], "int32")),
  reshape: of((k) => np.reshape(k, [3, 1]), keys),
  concatenate: of((k) => np.concatenate([k, k]), keys),
  broadcast: of((k) => np.broadcastTo(k, [2]), key),
  select: of((k) => lax.select(true, k, k), key),
  where: of((p, k) => np.where(p, k, k), new ShapeDtypeStruct([3], "bool"), keys),
  equal: of((k) => np.equal(k, k), keys),
  scan: of((k, ks) => lax.scan((c: A, x: A) => [x, random.bits(c)] as const, k, ks), key, keys),
  while: of(
    (k) =>
      lax.whileLoop(
        ([i]) => lax.lt(i, 3),
        ([i, own]) => [lax.add(i, 1), random.foldIn(own, 7)] as const,
        [0n, k] as const,
      ),
    key,
  ),
  cond: of(
    (p, k) =>
      lax.cond(
        p,
        (own: A) => own,
        (own: A) => random.foldIn(own, 1),
        k,
      ),
    new ShapeDtypeStruct([], "bool"),
    key,
  ),
  grad: of(
    (x, k) => grad((y: A, own: A) => np.multiply(y, random.normal(own)))(x, k),
    new ShapeDtypeStruct([], "float32"),
    key,
  ),
};
