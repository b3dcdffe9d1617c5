/**
 * Functions whose jaxprs are compared with JAX's, by the names of scripts/data/record_programs.py.
 */
import { grad, jit, jvp, linearTranspose, makeJaxpr, vjp, vmap } from "../../src/api/index.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;

/** A function with example arguments. */
function entry(f: (...args: never[]) => unknown, ...args: readonly unknown[]): ClosedJaxpr {
  return makeJaxpr(f as (...args: unknown[]) => unknown)(...args);
}

const x = new Float32Array([1, 1, 1]);
const m = (): A => np.ones([3, 4]);
const ones = (...shape: number[]): A => np.ones(shape);
const s = (): A => np.float32(1);
const ints = (...values: number[]): A => np.array(values, { dtype: "int32" });
const squareSum = (v: A): A => np.sum(np.power(np.sin(v), 2));

/** Each is made when it is asked for: a backend must be current. */
export const jaxprTable: Readonly<Record<string, () => ClosedJaxpr>> = {
  add: () => entry((v: A) => np.add(v, 1), x),
  broadcast: () => entry((v: A, w: A) => np.add(np.index(v, ":", null), w), x, m()),
  rankPromotion: () => entry((v: A, w: A) => np.multiply(v, np.transpose(w)), x, m()),
  power: () => entry((v: A) => np.add(np.power(v, 3), np.power(v, 2.5)), x),
  mean: () => entry((v: A) => np.mean(v), m()),
  meanKeepdims: () => entry((v: A) => np.mean(v, { axis: 1, keepdims: true }), m()),
  variance: () => entry((v: A) => np.var(v, { axis: 0 }), m()),
  where: () => entry((v: A) => np.where(np.greater(v, 0), v, 0), m()),
  clip: () => entry((v: A) => np.clip(v, -1, 1), x),
  softmax: () => entry((v: A) => nn.softmax(v), m()),
  logSoftmax: () => entry((v: A) => nn.logSoftmax(v), m()),
  gelu: () => entry((v: A) => nn.gelu(v), x),
  silu: () => entry((v: A) => nn.silu(v), x),
  oneHot: () => entry((v: A) => nn.oneHot(v, 4), ints(0, 1, 2)),
  dot: () => entry((v: A, w: A) => np.dot(v, w), x, m()),
  matmulBatch: () => entry((a: A, b: A) => np.matmul(a, b), ones(2, 3, 4), ones(2, 4, 5)),
  einsum: () => entry((a: A) => np.einsum("bij,bjk->bki", a, a), ones(2, 3, 3)),
  einsumDiagonal: () => entry((a: A) => np.einsum("ii->i", a), ones(3, 3)),
  outer: () => entry((v: A) => np.outer(v, v), x),
  tensordot: () => entry((v: A) => np.tensordot(v, v, [[0], [0]]), m()),
  concatenate: () => entry((v: A) => np.concatenate([v, np.multiply(v, 2)]), x),
  reverseSteps: () => entry((v: A) => np.index(v, 1, "::-2", null), m()),
  gather: () => entry((v: A, i: A) => np.index(v, i, "1:3"), m(), ints(0, 2)),
  dynamicIndex: () => entry((v: A, i: A) => np.index(v, i), m(), np.int32(1)),
  indexSet: () => entry((v: A) => np.at(v, 1).set(2), x),
  take: () => entry((v: A, i: A) => np.take(v, i), x, ints(0, 1)),
  cumsum: () => entry((v: A) => np.cumsum(v), x),
  argsort: () => entry((v: A) => np.argsort(v), x),
  tril: () => entry((v: A) => np.tril(v), m()),
  cholesky: () => entry((v: A) => np.linalg.cholesky(v), ones(2, 2)),
  norm: () => entry((v: A) => np.linalg.norm(v), x),
  linspace: () => entry((v: A) => np.add(v, np.linspace(0, 1, 3)), x),
  argmax: () => entry((v: A) => np.argmax(v), m()),
  jitNested: () =>
    entry(
      (v: A) => np.add(jit((y: A) => np.multiply(np.sin(y), 2), { name: "<lambda>" })(v), 1),
      x,
    ),
  scan: () =>
    entry(
      (v: A) => lax.scan((c: A, a: A) => [np.add(c, a), np.multiply(c, a)], np.float32(0), v),
      x,
    ),
  cond: () => entry((v: A) => lax.cond(np.greater(v, 0), np.sin, np.cos, v), s()),
  while: () =>
    entry(
      (v: A) =>
        lax.whileLoop(
          (c: A) => np.less(c, 10),
          (c: A) => np.multiply(c, 2),
          v,
        ),
      s(),
    ),
  grad: () => entry(grad(squareSum), x),
  gradDot: () =>
    entry(
      grad((v: A, w: A) => np.sum(np.dot(v, w))),
      x,
      m(),
    ),
  gradTanh: () => entry(grad(np.tanh), s()),
  gradGrad: () => entry(grad(grad(np.sin as (v: A) => A)), s()),
  jvp: () => entry((v: A, t: A) => jvp((y: A) => np.multiply(np.sin(y), y), [v], [t]), x, x),
  jvpExp: () => entry((v: A, t: A) => jvp(np.exp, [v], [t]), x, x),
  vjp: () => entry((v: A, g: A) => vjp((y: A) => np.multiply(np.cos(y), 2), v)[1](g), x, x),
  vmap: () =>
    entry(
      vmap((a: A, b: A) => np.dot(a, b)),
      m(),
      m(),
    ),
  vmapSum: () =>
    entry(
      vmap((a: A) => np.sum(np.multiply(a, 2))),
      m(),
    ),
  vmapGrad: () => entry(vmap(grad((v: A) => np.multiply(np.sin(v), v))), x),
  vmapUnmapped: () =>
    entry(
      vmap((a: A, b: A) => np.add(a, b), { inAxes: [0, null] }),
      m(),
      ones(4),
    ),
  linearTransposed: () =>
    entry(
      linearTranspose((v: A) => np.multiply(2, v), x),
      x,
    ),
  logsumexpRows: () => entry((v: A) => np.log(np.sum(np.exp(v), { axis: 1 })), m()),
};
