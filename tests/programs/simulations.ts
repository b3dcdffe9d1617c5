/** Programs of JAX's users: vectorisation, solvers, optimisers, simulation, statistics, layers. */
import { grad, hessian, jacfwd, vmap } from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;

const vector = (...values: number[]): A => np.array(values);
const { add, multiply, subtract, divide, matmul } = np;

/** The sum of several terms. */
const total = (...terms: readonly ArrayLike[]): A =>
  terms.slice(1).reduce<A>((sum, term) => add(sum, term), add(terms[0] ?? 0, 0));

const square = (x: A): A => np.power(x, 2);
const element = (x: A, ...place: (number | string)[]): A => np.index(x, ...place);

const inputs = (): A =>
  np.array([
    [0.52, 1.12, 0.77],
    [0.88, -1.08, 0.15],
    [0.52, 0.06, -1.3],
    [0.74, -2.49, 1.39],
  ]);

export function convolveRows(): unknown {
  const convolve = (x: A, w: A): A => {
    const rows = [1, 2, 3].map((i) => np.dot(np.index(x, np.slice(i - 1, i + 2)), w));
    return np.stack(rows);
  };
  const [x, w] = [vector(0, 1, 2, 3, 4), vector(2, 3, 4)];
  const [xs, ws] = [np.stack([x, multiply(x, 0.5)]), np.stack([w, np.negative(w)])];
  return [
    convolve(x, w),
    vmap(convolve)(xs, ws),
    vmap(convolve, { inAxes: 1 })(np.transpose(xs), np.transpose(ws)),
    vmap(convolve, { inAxes: [0, null] })(xs, w),
    vmap(convolve, { outAxes: 1 })(xs, ws),
  ];
}

export function pairwiseDistances(): unknown {
  const distance = (a: A, b: A): A => np.sqrt(add(np.sum(square(subtract(a, b))), 1e-3));
  const row = (a: A, points: A): A => vmap(distance, { inAxes: [null, 0] })(a, points);
  const table = (a: A, b: A): A => vmap(row, { inAxes: [0, null] })(a, b);
  const points = inputs();
  return [table(points, np.index(points, ":2")), grad((p: A) => np.sum(table(p, p)))(points)];
}

export function polynomialByHorner(): unknown {
  const coefficients = vector(2, -1, 0.5, 3);
  const p = (x: A): A =>
    lax.scan((y: A, c: A) => [add(multiply(y, x), c), null], np.float32(0), coefficients)[0];
  const xs = np.linspace(-1, 1, 5);
  return [vmap(p)(xs), vmap(grad(p))(xs), vmap(grad(grad(p)))(xs)];
}

export function ensembleTraining(): unknown {
  const xs = np.linspace(0, 1, 6);
  const loss = (w: A): A => {
    const line = add(multiply(element(w, 0), xs), element(w, 1));
    return np.mean(square(subtract(line, np.sin(multiply(3, xs)))));
  };
  const step = (ws: A): A => vmap((w: A) => subtract(w, multiply(0.3, grad(loss)(w))))(ws);
  return lax.foriLoop(0, 25, (_, ws: A) => step(ws), random.normal(random.PRNGKey(3), [4, 2]));
}

const rosenbrock = (x: A): A => {
  const [a, b] = [element(x, 0), element(x, 1)];
  return add(square(subtract(1, a)), multiply(10, square(subtract(b, square(a)))));
};

export function newtonMethod(): unknown {
  let x = vector(-0.5, 1);
  const path = [x];
  for (let step = 0; step < 5; step++) {
    x = subtract(x, np.linalg.solve(hessian(rosenbrock)(x), grad(rosenbrock)(x)));
    path.push(x);
  }
  return np.stack(path);
}

export function conjugateGradient(): unknown {
  const a = np.array([
    [4, 1, 0.5],
    [1, 3, -0.2],
    [0.5, -0.2, 2],
  ]);
  interface State {
    x: A;
    r: A;
    p: A;
    k: A;
  }
  const step = ({ x, r, p, k }: State): State => {
    const ap = matmul(a, p);
    const alpha = divide(np.vdot(r, r), np.vdot(p, ap));
    const rest = subtract(r, multiply(alpha, ap));
    const beta = divide(np.vdot(rest, rest), np.vdot(r, r));
    return {
      x: add(x, multiply(alpha, p)),
      r: rest,
      p: add(rest, multiply(beta, p)),
      k: add(k, 1),
    };
  };
  const isFar = ({ r, k }: State): A =>
    np.logicalAnd(np.greater(np.vdot(r, r), 1e-8), np.less(k, 10));
  const solve = (b: A): A =>
    lax.whileLoop(isFar, step, { x: np.zeros([3]), r: b, p: b, k: np.int32(0) }).x;
  const b = vector(1, 2, 3);
  return [solve(b), np.linalg.solve(a, b)];
}

export function momentumDescent(): unknown {
  const step = ([x, v]: [A, A]): [[A, A], A] => {
    const speed = subtract(multiply(0.8, v), multiply(0.01, grad(rosenbrock)(x)));
    return [[add(x, speed), speed], rosenbrock(x)];
  };
  const start: [A, A] = [vector(-0.5, 1), np.zeros([2])];
  const [state, losses] = lax.scan(step, start, null, { length: 20 });
  return [state[0], losses];
}

export function adamOptimiser(): unknown {
  const step = ([x, m, v]: [A, A, A], i: A): [[A, A, A], A] => {
    const g = grad(rosenbrock)(x);
    const mean = add(multiply(0.9, m), multiply(0.1, g));
    const spread = add(multiply(0.999, v), multiply(multiply(0.001, g), g));
    const t = add(i, 1);
    const direction = divide(mean, subtract(1, np.power(0.9, t)));
    const scale = np.sqrt(divide(spread, subtract(1, np.power(0.999, t))));
    const update = divide(direction, add(scale, 1e-8));
    return [[subtract(x, multiply(0.05, update)), mean, spread], rosenbrock(x)];
  };
  const start: [A, A, A] = [vector(-0.5, 1), np.zeros([2]), np.zeros([2])];
  const [state, losses] = lax.scan(step, start, np.arange(0, 30, 1, { dtype: "float32" }));
  return [state[0], losses];
}

export function gaussNewton(): unknown {
  const ts = np.linspace(0, 2, 8);
  const ys = multiply(2, np.exp(multiply(-1.3, ts)));
  const residual = (p: A): A =>
    subtract(multiply(element(p, 0), np.exp(multiply(element(p, 1), ts))), ys);
  let p = vector(1, -0.5);
  for (let step = 0; step < 5; step++) {
    const j = jacfwd(residual)(p);
    const normal = matmul(np.transpose(j), j);
    p = subtract(p, np.linalg.solve(normal, matmul(np.transpose(j), residual(p))));
  }
  return p;
}

export function powerIteration(): unknown {
  const a = np.array([
    [2, 1, 0],
    [1, 3, 1],
    [0, 1, 1],
  ]);
  const step = (_: A, v: A): A => {
    const w = matmul(a, v);
    return divide(w, np.linalg.norm(w));
  };
  const v = lax.foriLoop(0, 30, step, np.ones([3]));
  return [matmul(matmul(v, a), v), np.abs(v)];
}

export function bisection(): unknown {
  const f = (x: A): A => subtract(np.cos(x), x);
  const step = (_: A, [low, high]: [A, A]): [A, A] => {
    const middle = multiply(0.5, add(low, high));
    const isAbove = np.greater(f(middle), 0);
    return [np.where(isAbove, middle, low), np.where(isAbove, high, middle)];
  };
  const start: [A, A] = [np.float32(0), np.float32(1)];
  return lax.foriLoop(0, 18, step, start);
}

function lotkaVolterra(state: A, p: A): A {
  const [x, y] = [element(state, 0), element(state, 1)];
  const at = (place: number): A => element(p, place);
  const meeting = multiply(x, y);
  return np.stack([
    subtract(multiply(at(0), x), multiply(at(1), meeting)),
    subtract(multiply(at(2), meeting), multiply(at(3), y)),
  ]);
}

function integrate(p: A): A {
  const h = 0.1;
  const step = (s: A): [A, A] => {
    const k1 = lotkaVolterra(s, p);
    const k2 = lotkaVolterra(add(s, multiply(h / 2, k1)), p);
    const k3 = lotkaVolterra(add(s, multiply(h / 2, k2)), p);
    const k4 = lotkaVolterra(add(s, multiply(h, k3)), p);
    const slope = total(k1, multiply(2, k2), multiply(2, k3), k4);
    const next = add(s, multiply(h / 6, slope));
    return [next, next];
  };
  return lax.scan(step, vector(1, 0.5), null, { length: 25 })[1];
}

export function rungeKutta(): unknown {
  const p = vector(1.1, 0.4, 0.1, 0.4);
  return [integrate(p), grad((q: A) => np.sum(element(integrate(q), -1)))(p)];
}

export function leapfrogPendulum(): unknown {
  const force = (q: A): A => np.negative(grad((x: A) => np.negative(np.cos(x)))(q));
  const step = ([q, p]: [A, A]): [[A, A], A] => {
    const half = add(p, multiply(0.05, force(q)));
    const moved = add(q, multiply(0.1, half));
    const whole = add(half, multiply(0.05, force(moved)));
    const energy = subtract(multiply(multiply(0.5, whole), whole), np.cos(moved));
    return [[moved, whole], energy];
  };
  const start: [A, A] = [np.float32(1), np.float32(0)];
  const [state, energies] = lax.scan(step, start, null, { length: 20 });
  return [...state, energies];
}

export function heatEquation(): unknown {
  const step = (u: A): [A, null] => {
    const middle = np.index(u, "1:-1");
    const bend = add(subtract(np.index(u, "2:"), multiply(2, middle)), np.index(u, ":-2"));
    return [np.at(u, "1:-1").add(multiply(0.2, bend)), null];
  };
  const start = np.at(np.zeros([9]), 4).set(1);
  const run = (u: A): A => lax.scan(step, u, null, { length: 10 })[0];
  return [run(start), grad((u: A) => np.sum(square(run(u))))(start)];
}

export function kalmanFilter(): unknown {
  const f = np.array([
    [1, 0.1],
    [0, 1],
  ]);
  const q = multiply(0.01, np.eye(2));
  const ys = vector(0.1, 0.25, 0.28, 0.45, 0.5, 0.62);
  const filter = (noise: A): [A, [A, A]] => {
    const step = ([mean, cov]: [A, A], y: A): [[A, A], [A, A]] => {
      const predicted = matmul(f, mean);
      const spread = add(matmul(matmul(f, cov), np.transpose(f)), q);
      const s = add(element(spread, 0, 0), noise);
      const gain = divide(element(spread, ":", 0), s);
      const error = subtract(y, element(predicted, 0));
      const surprise = add(divide(square(error), s), np.log(multiply(2 * np.pi, s)));
      const updated = add(predicted, multiply(gain, error));
      const rest = subtract(spread, np.outer(gain, element(spread, 0)));
      return [
        [updated, rest],
        [multiply(-0.5, surprise), updated],
      ];
    };
    const start: [A, A] = [np.zeros([2]), np.eye(2)];
    const [[, cov], [logs, means]] = lax.scan(step, start, ys);
    return [np.sum(logs), [means, cov]];
  };
  const noise = np.float32(0.1);
  return [...filter(noise), grad((r: A) => filter(r)[0])(noise)];
}

export function gaussianProcess(): unknown {
  interface Hyper {
    length: A;
    scale: A;
  }
  const xs = np.linspace(-1, 1, 6);
  const ys = np.sin(multiply(3, xs));
  const jitter = multiply(0.05, np.eye(6));
  const kernel = (a: A, b: A, p: Hyper): A => {
    const gap = divide(subtract(np.index(a, ":", null), np.index(b, null)), p.length);
    return multiply(square(p.scale), np.exp(multiply(-0.5, square(gap))));
  };
  const marginal = (p: Hyper): A => {
    const k = add(kernel(xs, xs, p), jitter);
    const factor = np.linalg.cholesky(k);
    const alpha = np.linalg.solve(k, ys);
    const fit = multiply(0.5, np.dot(ys, alpha));
    return add(fit, np.sum(np.log(np.diag(factor))));
  };
  const p = { length: np.float32(0.5), scale: np.float32(1.2) };
  const alpha = np.linalg.solve(add(kernel(xs, xs, p), jitter), ys);
  const mean = matmul(kernel(vector(-0.5, 0.1, 0.7), xs, p), alpha);
  return [marginal(p), grad(marginal)(p), mean];
}

export function hiddenMarkov(): unknown {
  const transition = np.log(
    np.array([
      [0.7, 0.3],
      [0.4, 0.6],
    ]),
  );
  const emission = np.log(
    np.array([
      [0.1, 0.4, 0.5],
      [0.6, 0.3, 0.1],
    ]),
  );
  const start = np.log(vector(0.6, 0.4));
  const likelihood = (t: A): A => {
    const step = (alpha: A, seen: A): [A, null] => {
      const moved = nn.logsumexp(add(np.index(alpha, ":", null), t), { axis: 0 });
      return [add(moved, np.index(emission, ":", seen)), null];
    };
    const first = add(start, np.index(emission, ":", 0));
    return nn.logsumexp(lax.scan(step, first, np.array([1n, 2n, 0n, 2n]))[0]);
  };
  return [likelihood(transition), grad(likelihood)(transition)];
}

export function kMeans(): unknown {
  const points = random.normal(random.PRNGKey(5), [12, 2]);
  const step = (_: A, centers: A): A => {
    const gaps = subtract(np.index(points, ":", null), np.index(centers, null));
    const member = nn.oneHot(np.argmin(np.sum(square(gaps), { axis: -1 }), { axis: 1 }), 3);
    const counts = np.maximum(np.sum(member, { axis: 0 }), 1);
    return divide(matmul(np.transpose(member), points), np.index(counts, ":", null));
  };
  return lax.foriLoop(0, 5, step, np.index(points, ":3"));
}

export function principalComponents(): unknown {
  const x = subtract(inputs(), np.mean(inputs(), { axis: 0 }));
  const [values] = np.linalg.eigh(matmul(np.transpose(x), x));
  const [, s, vt] = np.linalg.svd(x, { fullMatrices: false });
  return [np.index(values, "::-1"), square(s), np.abs(vt)];
}

export function randomWalk(): unknown {
  const step = (position: A, key: A): [A, A] => {
    const next = add(position, np.where(random.bernoulli(key), 1, -1));
    return [next, next];
  };
  return lax.scan(step, np.float32(0), random.split(random.PRNGKey(7), 12))[1];
}

export function metropolis(): unknown {
  const logP = (x: A): A => multiply(-0.5, np.sum(square(x)));
  const step = (state: A, key: A): [A, A] => {
    const keys = random.split(key);
    const [propose, accept] = [np.index(keys, 0), np.index(keys, 1)];
    const candidate = add(state, multiply(0.8, random.normal(propose, [2])));
    const gain = subtract(logP(candidate), logP(state));
    const next = np.where(np.less(np.log(random.uniform(accept)), gain), candidate, state);
    return [next, next];
  };
  return lax.scan(step, vector(1, -1), random.split(random.PRNGKey(11), 10))[1];
}

export function attention(): unknown {
  const draws = random.splitKeys(random.PRNGKey(2), 3).map((k) => random.normal(k, [2, 4, 3]));
  const [q, k, v] = draws as [A, A, A];
  const attend = (queries: A): A => {
    const scores = divide(np.einsum("bqd,bkd->bqk", queries, k), Math.sqrt(3));
    const mask = np.tril(np.ones([4, 4], { dtype: "bool" }));
    const shares = nn.softmax(np.where(mask, scores, -1e9));
    return np.einsum("bqk,bkd->bqd", shares, v);
  };
  return [attend(q), grad((queries: A) => np.sum(square(attend(queries))))(q)];
}

export function softmaxRegression(): unknown {
  const labels = nn.oneHot([0, 2, 1, 0], 3);
  const loss = (w: A): A => {
    const logs = multiply(nn.logSoftmax(matmul(inputs(), w)), labels);
    return np.negative(np.mean(np.sum(logs, { axis: 1 })));
  };
  const step = (_: A, w: A): A => subtract(w, multiply(0.5, grad(loss)(w)));
  const w = lax.foriLoop(0, 20, step, np.zeros([3, 3]));
  return [w, loss(w)];
}

export function layerNormalisation(): unknown {
  const f = (x: A): A => {
    const centered = subtract(x, np.mean(x, { axis: -1, keepdims: true }));
    const spread = np.var(x, { axis: -1, keepdims: true });
    return divide(centered, np.sqrt(add(spread, 1e-5)));
  };
  return [f(inputs()), grad((x: A) => np.sum(np.power(f(x), 3)))(inputs())];
}

export function gameOfLife(): unknown {
  const shifts = [-1, 0, 1].flatMap((i) => [-1, 0, 1].map((j) => [i, j] as const));
  const step = (board: A): [A, null] => {
    const all = total(...shifts.map((shift) => np.roll(board, shift, [0, 1])));
    const around = subtract(all, board);
    const stays = np.logicalAnd(np.equal(board, 1), np.equal(around, 2));
    const lives = np.logicalOr(np.equal(around, 3), stays);
    return [np.astype(lives, "int32"), null];
  };
  const empty = np.zeros([6, 6], { dtype: "int32" });
  const glider = np.at(empty, [0, 1, 2, 2, 2], [1, 2, 0, 1, 2]).set(1);
  return lax.scan(step, glider, null, { length: 4 })[0];
}
