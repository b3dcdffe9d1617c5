/** The programs of JAX's Autodidax tutorial, and of its pages on automatic differentiation. */
import {
  grad,
  hessian,
  jacfwd,
  jacrev,
  jit,
  jvp,
  linearize,
  stopGradient,
  valueAndGrad,
  vjp,
  vmap,
} from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;
type Scalar = (x: A) => A;

const vector = (...values: number[]): A => np.array(values);

const wave = (x: A): A => {
  const y = np.multiply(np.sin(x), 2);
  return np.add(np.negative(y), x);
};

export function autodidaxJvp(): unknown {
  const third = grad(grad(grad(np.sin as Scalar)));
  return [...jvp(wave, [3], [1]), grad(grad(wave))(3), third(3), grad(third)(3)];
}

export function autodidaxBatch(): unknown {
  const slope = (x: A): A => jvp(wave, [x], [np.onesLike(x)])[1];
  const xs = vector(0, 1, 2);
  return [vmap(wave)(xs), vmap(slope)(xs), jacfwd((x: A) => np.multiply(np.sin(x), x))(xs)];
}

export function autodidaxTrees(): unknown {
  const f = (tree: { a: A; b: [A, A] }): unknown => {
    const z = np.multiply(tree.a, np.sin(tree.b[0]));
    return { hi: z, there: [tree.b[0], np.add(z, tree.b[1])] };
  };
  return jvp(f, [{ a: 3, b: [0.5, 2] }], [{ a: 1, b: [2, -1] }]);
}

export function autodidaxJit(): unknown {
  const inner = jit((x: A) => np.multiply(np.cos(x), x));
  const outer = jit((x: A) => np.add(inner(x), np.sin(inner(x))));
  const xs = vector(0.5, 1.5);
  return [outer(2), grad(outer)(2), vmap(outer)(xs), jit(vmap(grad(outer)))(xs)];
}

export function autodidaxLinearize(): unknown {
  const [y, linear] = linearize((x: A) => np.multiply(np.sin(x), np.exp(x)), 0.7);
  return [y, linear(1), linear(2.5)];
}

export function autodidaxVjp(): unknown {
  const f = (x: A, y: A): A => np.add(np.sum(np.multiply(np.sin(x), y)), np.prod(y));
  const [x, y] = [vector(1, 2, 3), vector(0.5, -1, 2)];
  const [result, pull] = vjp(f, x, y);
  return [result, ...pull(2), grad(f, { argnums: [0, 1] })(x, y), hessian(f)(x, y)];
}

export function autodidaxCond(): unknown {
  const f = (x: A): A =>
    lax.cond(
      np.greater(x, 0),
      (v: A) => np.multiply(np.sin(v), 3),
      (v: A) => np.multiply(v, v),
      x,
    );
  const xs = vector(-2, 0.5, 1);
  const at = (x: number): A => f(np.float32(x));
  return [at(1), at(-1), grad(f)(1), grad(f)(-1.5), vmap(f)(xs), vmap(grad(f))(xs)];
}

const inputs = (): A =>
  np.array([
    [0.52, 1.12, 0.77],
    [0.88, -1.08, 0.15],
    [0.52, 0.06, -1.3],
    [0.74, -2.49, 1.39],
  ]);
const weights = (): A => vector(0.3, -0.2, 0.8);
const targets = (): A => np.array([true, true, false, true]);

const predict = (w: A, b: ArrayLike): A => nn.sigmoid(np.add(np.dot(inputs(), w), b));

const logisticLoss = (w: A, b: A): A => {
  const p = predict(w, b);
  const hit = np.multiply(p, targets());
  const miss = np.multiply(np.subtract(1, p), np.logicalNot(targets()));
  return np.negative(np.sum(np.log(np.add(hit, miss))));
};

export function tanhDerivatives(): unknown {
  const tanh = np.tanh as Scalar;
  return [grad(tanh)(2), grad(grad(tanh))(2), grad(grad(grad(tanh)))(2)];
}

export function logisticGradients(): unknown {
  const w = weights();
  const both = grad(logisticLoss, { argnums: [0, 1] })(w, 0.1);
  const [value, own] = valueAndGrad(logisticLoss)(w, 0.1);
  return [grad(logisticLoss)(w, 0.1), grad(logisticLoss, { argnums: 1 })(w, 0.1), both, value, own];
}

export function gradientOfDict(): unknown {
  const loss = (params: { w: A; b: A }): A => logisticLoss(params.w, params.b);
  return grad(loss)({ w: weights(), b: 0.1 });
}

export function hessianVectorProducts(): unknown {
  const f = (x: A): A => np.multiply(np.sum(np.power(np.tanh(x), 2)), np.sum(np.multiply(x, x)));
  const [x, v] = [vector(0.3, -0.7, 1.1), vector(1, 2, -0.5)];
  const forward = jvp(grad(f), [x], [v])[1];
  const reverse = grad((y: A) => np.vdot(grad(f)(y), v))(x);
  return [forward, reverse, np.dot(hessian(f)(x), v)];
}

export function jacobians(): unknown {
  const f = (w: A): A => predict(w, 0.1);
  const w = weights();
  return [jacfwd(f)(w), jacrev(f)(w), hessian(f)(w)];
}

export function jacobianOfTrees(): unknown {
  const f = (p: { w: A; b: A }): unknown => ({
    y: np.multiply(p.w, p.b),
    z: np.power(np.sum(p.w), 2),
  });
  return jacrev(f)({ w: weights(), b: 2 });
}

export function matrixJacobianProducts(): unknown {
  const f = (w: A): A => predict(w, 0.1);
  const rows = np.array([
    [1, 0, 2, -1],
    [0.5, 1, 0, 3],
  ]);
  const [, pull] = vjp(f, weights());
  const push = (v: A): A => jvp(f, [weights()], [v])[1];
  return [vmap((g: A) => pull(g)[0])(rows), vmap(push)(np.eye(3))];
}

export function perExampleGradients(): unknown {
  const loss = (w: A, x: A, y: A): A => np.power(np.subtract(np.dot(x, w), y), 2);
  const ys = vector(1, 0, -1, 2);
  return vmap(grad(loss), { inAxes: [null, 0, 0] })(weights(), inputs(), ys);
}

export function temporalDifference(): unknown {
  const value = (theta: A, state: A): A => np.dot(theta, state);
  const loss = (theta: A, before: A, reward: A, after: A): A => {
    const target = stopGradient(np.add(reward, value(theta, after)));
    return np.multiply(-0.5, np.power(np.subtract(target, value(theta, before)), 2));
  };
  return grad(loss)(vector(0.1, -0.1, 0), vector(1, 2, -1), 1, vector(2, 1, 0));
}

export function straightThrough(): unknown {
  const f = (x: A): A => {
    const zero = np.subtract(x, stopGradient(x));
    return np.add(zero, stopGradient(np.round(x)));
  };
  return [f(np.float32(3.2)), grad(f)(3.2), grad((x: A) => np.round(x))(3.2)];
}

export function gradientsOfIntegers(): unknown {
  const f = (n: A, x: A): A => np.multiply(np.multiply(x, np.astype(n, "float32")), x);
  const [, pull] = vjp((x: A) => f(np.int32(3), x), 2);
  return [pull(1)[0], grad(f, { argnums: 1 })(np.int32(3), 2)];
}

export function taylorOfSin(): unknown {
  const derivative = (n: number): Scalar => (n === 0 ? np.sin : grad(derivative(n - 1)));
  return [0, 1, 2, 3, 4].map((n) => derivative(n)(np.float32(0.3)));
}

export function safeWhere(): unknown {
  const unsafe = (x: A): A => np.where(np.greater(x, 0), np.log(x), 0);
  const safe = (x: A): A => {
    const inside = np.where(np.greater(x, 0), x, 1);
    return np.where(np.greater(x, 0), np.log(inside), 0);
  };
  return [grad(unsafe)(2), grad(unsafe)(0), grad(safe)(0), vmap(safe)(vector(-1, 0.5))];
}
