/** Programs of JAX's pages on custom derivative rules, control flow, pytrees and state. */
import {
  checkpoint,
  customJvp,
  customVjp,
  grad,
  hessian,
  jit,
  jvp,
  vjp,
  vmap,
} from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import * as tree from "../../src/tree/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;
type Scalar = (x: A) => A;

const vector = (...values: number[]): A => np.array(values);

const log1pexp = customJvp((x: A) => np.log(np.add(1, np.exp(x))));
log1pexp.defjvp(([x], [t]) => [
  log1pexp(x),
  np.multiply(np.subtract(1, np.divide(1, np.add(1, np.exp(x)))), t),
]);

export function stableLog1pexp(): unknown {
  const slope = grad(log1pexp as Scalar);
  return [
    log1pexp(3),
    slope(3),
    slope(100),
    vmap(jit(slope))(vector(0, 1, 2)),
    grad(slope as Scalar)(1),
  ];
}

export function customAtBoundary(): unknown {
  const f = customJvp((x: A) => np.divide(x, np.add(1, np.sqrt(x))));
  f.defjvp(([x], [t]) => {
    const root = np.sqrt(x);
    const below = np.multiply(2, np.power(np.add(root, 1), 2));
    return [f(x), np.multiply(np.divide(np.add(root, 2), below), t)];
  });
  return [f(0), grad(f as Scalar)(0), grad(f as Scalar)(2)];
}

export function clippedGradient(): unknown {
  const clip = customVjp((x: A, _low: A, _high: A) => x);
  clip.defvjp(
    (x: A, low: A, high: A) => [x, [low, high] as const],
    ([low, high], g: A) => [np.clip(g, low, high), null, null],
  );
  const f = (x: A): A =>
    np.sum(np.multiply(clip(np.sin(np.multiply(x, 8)), np.float32(-0.75), np.float32(0.75)), 2));
  return grad(f)(np.linspace(0, 2, 5));
}

export function customProduct(): unknown {
  const f = customJvp((x: A, y: A) => np.multiply(np.sin(x), y));
  f.defjvps(
    (t: A, _out: A, x: A, y: A) => np.multiply(np.multiply(np.cos(x), t), y),
    (t: A, _out: A, x: A) => np.multiply(np.sin(x), t),
  );
  const g = f as (x: A, y: A) => A;
  return [f(2, 3), grad(g)(2, 3), grad(g, { argnums: 1 })(2, 3), jvp(g, [2, 3], [1, -1])[1]];
}

export function fixedPointImplicit(): unknown {
  const newton = (a: A, x: A): A => np.multiply(0.5, np.add(x, np.divide(a, x)));
  const solve = (a: A): A => {
    const isFar = ([before, after]: readonly A[]): A =>
      np.greater(np.abs(np.subtract(before ?? a, after ?? a)), 1e-6);
    const step = ([, after]: readonly A[]): A[] => [after ?? a, newton(a, after ?? a)];
    return lax.whileLoop(isFar, step, [a, newton(a, a)])[1];
  };
  const root = customVjp((a: A) => solve(a));
  root.defvjp(
    (a: A) => {
      const x = root(a);
      return [x, [a, x] as const];
    },
    ([a, x], g: A) => {
      const [, pullA] = vjp((v: A) => newton(v, x), a);
      const [, pullX] = vjp((y: A) => newton(a, y), x);
      const u = lax.foriLoop(0, 20, (_, w: A) => np.add(g, pullX(w)[0]), g);
      return [pullA(u)[0]];
    },
  );
  const f = root as Scalar;
  return [root(np.float32(2)), grad(f)(2), vmap(grad(f))(vector(1, 3, 5))];
}

export function implicitRoot(): unknown {
  const cubic = (x: A): A => np.add(np.multiply(3, np.power(x, 2)), 1);
  const root = customJvp((c: A) =>
    lax.foriLoop(
      0,
      12,
      (_, x: A) => {
        const value = np.subtract(np.add(np.power(x, 3), x), c);
        return np.subtract(x, np.divide(value, cubic(x)));
      },
      np.float32(1),
    ),
  );
  root.defjvp(([c], [t]) => {
    const x = root(c);
    return [x, np.divide(t, cubic(x))];
  });
  const f = root as Scalar;
  return [root(3), grad(f)(3), grad(grad(f))(3)];
}

export function customStatic(): unknown {
  const apply = customVjp((f: Scalar, x: A) => f(x), { nondiffArgnums: [0] });
  apply.defvjp(
    (f: Scalar, x: A) => [f(x), x] as const,
    (_f: Scalar, x: A, g: A) => [np.multiply(np.multiply(2, g), np.cos(x))],
  );
  const sin = np.sin as Scalar;
  return [apply(sin, 1), grad((x: A) => apply(sin, x))(1)];
}

export function newtonSquareRoot(): unknown {
  const root = (a: A): A =>
    lax.whileLoop(
      (s: A) => np.greater(np.abs(np.subtract(np.multiply(s, s), a)), np.multiply(1e-4, a)),
      (s: A) => np.multiply(0.5, np.add(s, np.divide(a, s))),
      a,
    );
  return [root(np.float32(2)), vmap(root)(vector(1, 4, 9, 50))];
}

export function collatz(): unknown {
  const steps = (n: A): A => {
    const body = ([value, count]: readonly A[]): A[] => {
      const v = value ?? n;
      const isEven = np.equal(np.mod(v, 2), 0);
      const next = np.where(isEven, np.floorDivide(v, 2), np.add(np.multiply(3, v), 1));
      return [next, np.add(count ?? n, 1)];
    };
    return lax.whileLoop((s: readonly A[]) => np.notEqual(s[0] ?? n, 1), body, [n, np.int32(0)])[1];
  };
  return [steps(np.int32(27)), vmap(steps)(np.array([1n, 6n, 7n, 9n]))];
}

export function foriSum(): unknown {
  const f = (x: A): A =>
    lax.foriLoop(
      0,
      5,
      (_, s: A) => np.add(s, np.multiply(np.power(x, 2), np.sin(s))),
      np.float32(1),
    );
  return [f(np.float32(0.5)), grad(f)(0.5), grad(grad(f))(0.5)];
}

export function scanCumulative(): unknown {
  const step = (carry: A, x: A): [A, A] => [np.add(np.multiply(carry, 0.5), x), np.add(carry, x)];
  const xs = vector(1, 2, 3, 4);
  const [last, ys] = lax.scan(step, np.float32(0), xs);
  const total = (v: A): A => np.sum(np.power(lax.scan(step, np.float32(0), v)[1], 2));
  return [last, ys, grad(total)(xs), hessian(total)(xs)];
}

export function scanReverse(): unknown {
  const step = (c: A, x: A): [A, A] => [np.add(np.multiply(c, 0.9), x), c];
  return lax.scan(step, np.float32(1), vector(0, 1, 2, 3), { reverse: true });
}

export function recurrentNetwork(): unknown {
  const run = (w: { h: A; x: A }, xs: A): A => {
    const step = (h: A, x: A): [A, A] => {
      const next = np.tanh(np.add(np.matmul(w.h, h), np.multiply(w.x, x)));
      return [next, np.sum(next)];
    };
    return np.sum(np.power(lax.scan(step, np.zeros([2]), xs)[1], 2));
  };
  const w = {
    h: np.array([
      [0.5, -0.3],
      [0.2, 0.7],
    ]),
    x: vector(1, -1),
  };
  const xs = vector(0.1, 0.4, -0.6, 1.2);
  return [run(w, xs), grad(run)(w, xs), vmap((s: A) => run(w, np.multiply(xs, s)))(vector(1, 2))];
}

export function switchBranches(): unknown {
  const branches = [np.sin as Scalar, np.cos as Scalar, (v: A): A => np.multiply(v, v)];
  const f = (i: A, x: A): A => lax.switch(i, branches, x);
  const indices = np.array([0n, 1n, 2n, 5n]);
  return [vmap(f, { inAxes: [0, null] })(indices, 0.7), grad(f, { argnums: 1 })(np.int32(2), 3)];
}

export function associativeProducts(): unknown {
  return lax.associativeScan((a: A, b: A) => np.multiply(a, b), vector(1, 2, 0.5, 3, -1));
}

export function checkpointedChain(): unknown {
  const layer = checkpoint((x: A) => np.sin(np.multiply(np.sin(x), 2)));
  const f = (x: A): A => layer(layer(layer(x)));
  return [f(np.float32(0.4)), grad(f)(0.4)];
}

interface Layer {
  weights: A;
  biases: A;
}

function mlp(params: readonly Layer[], input: A): A {
  return params.reduce((x, { weights, biases }, index) => {
    const y = np.add(np.matmul(x, weights), biases);
    return index === params.length - 1 ? y : nn.relu(y);
  }, input);
}

function mlpParams(): Layer[] {
  const sizes: [number, number][] = [
    [1, 8],
    [8, 8],
    [8, 1],
  ];
  const keys = random.splitKeys(random.PRNGKey(0), 3);
  return sizes.map(([rows, columns], index) => ({
    weights: np.multiply(random.normal(keys[index] ?? 0, [rows, columns]), Math.sqrt(2 / rows)),
    biases: np.ones([columns]),
  }));
}

/** A step of gradient descent on all leaves. */
const descend = <T>(params: T, gradients: unknown, rate: number): T =>
  tree.map(
    (w, g) => np.subtract(w as ArrayLike, np.multiply(rate, g as ArrayLike)),
    params,
    gradients,
  ) as T;

export function mlpTraining(): unknown {
  const xs = np.index(np.linspace(-1, 1, 16), ":", null);
  const loss = (p: Layer[]): A => np.mean(np.power(np.subtract(mlp(p, xs), np.power(xs, 2)), 2));
  const update = jit((p: Layer[]) => descend(p, grad(loss)(p), 0.05));
  let params = mlpParams();
  const losses = [loss(params)];
  for (let step = 0; step < 10; step++) {
    params = update(params);
    losses.push(loss(params));
  }
  return [np.stack(losses), params];
}

export function treeArithmetic(): unknown {
  const data = { a: [vector(1, 2), 3], b: tree.tuple(4, null) };
  const leaves = tree.leaves(data) as ArrayLike[];
  const total = leaves.reduce<A>((sum, leaf) => np.add(sum, np.sum(leaf)), np.float32(0));
  const product = tree.map((x, y) => np.multiply(x as ArrayLike, y as ArrayLike), data, data);
  return [product, total];
}

export function counterState(): unknown {
  const step = jit((n: A) => [n, np.add(n, 1)]);
  let state = np.int32(0);
  const seen: A[] = [];
  for (let index = 0; index < 4; index++) {
    const [value, next] = step(state);
    if (value !== undefined) seen.push(value);
    state = next ?? state;
  }
  return [np.stack(seen), state];
}

export function linearRegression(): unknown {
  const noise = np.multiply(random.normal(random.PRNGKey(1), [20, 1]), 0.1);
  const xs = np.index(np.linspace(-1, 1, 20), ":", null);
  const ys = np.add(np.subtract(np.multiply(3, xs), 1), noise);
  const loss = (p: { weight: A; bias: A }): A => {
    const fit = np.add(np.multiply(p.weight, xs), p.bias);
    return np.mean(np.power(np.subtract(fit, ys), 2));
  };
  const update = jit((p: { weight: A; bias: A }) => descend(p, grad(loss)(p), 0.1));
  let params = { weight: np.float32(0), bias: np.float32(0) };
  for (let step = 0; step < 20; step++) params = update(params);
  return [params, loss(params)];
}
