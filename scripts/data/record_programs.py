"""Records what JAX computes for the programs of tests/programs, and the jaxprs it prints.

    python scripts/data/record_programs.py tests/data/programs.json.gz

Every function below has its counterpart of the same name in TypeScript. Results are flattened; a
float is recorded as JAX's float32. The jaxprs are printed without the parameters that only JAX has.
"""

import gzip
import json
import re
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import grad, hessian, jacfwd, jacrev, jit, jvp, lax, vjp, vmap
from jax import random

jax.config.update("jax_platforms", "cpu")

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


# --- Autodidax --------------------------------------------------------------------------------


def wave(x):
    y = jnp.sin(x) * 2.0
    return -y + x


@program
def autodidaxJvp():
    third = grad(grad(grad(jnp.sin)))
    return [*jvp(wave, (3.0,), (1.0,)), grad(grad(wave))(3.0), third(3.0), grad(third)(3.0)]


@program
def autodidaxBatch():
    slope = lambda x: jvp(wave, (x,), (1.0,))[1]
    xs = jnp.arange(3.0)
    return [vmap(wave)(xs), vmap(slope)(xs), jacfwd(lambda x: jnp.sin(x) * x)(xs)]


@program
def autodidaxTrees():
    def f(tree):
        z = tree["a"] * jnp.sin(tree["b"][0])
        return {"hi": z, "there": [tree["b"][0], z + tree["b"][1]]}

    point = {"a": 3.0, "b": [0.5, 2.0]}
    direction = {"a": 1.0, "b": [2.0, -1.0]}
    return list(jvp(f, (point,), (direction,)))


@program
def autodidaxJit():
    inner = jit(lambda x: jnp.cos(x) * x)
    outer = jit(lambda x: inner(x) + jnp.sin(inner(x)))
    xs = jnp.array([0.5, 1.5])
    return [outer(2.0), grad(outer)(2.0), vmap(outer)(xs), jit(vmap(grad(outer)))(xs)]


@program
def autodidaxLinearize():
    y, linear = jax.linearize(lambda x: jnp.sin(x) * jnp.exp(x), 0.7)
    return [y, linear(1.0), linear(2.5)]


@program
def autodidaxVjp():
    f = lambda x, y: jnp.sum(jnp.sin(x) * y) + jnp.prod(y)
    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.5, -1.0, 2.0])
    out, pull = vjp(f, x, y)
    return [out, *pull(2.0), grad(f, (0, 1))(x, y), hessian(f)(x, y)]


@program
def autodidaxCond():
    f = lambda x: lax.cond(x > 0, lambda v: jnp.sin(v) * 3.0, lambda v: v * v, x)
    xs = jnp.array([-2.0, 0.5, 1.0])
    return [f(1.0), f(-1.0), grad(f)(1.0), grad(f)(-1.5), vmap(f)(xs), vmap(grad(f))(xs)]


# --- Automatic differentiation ------------------------------------------------------------------

INPUTS = jnp.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
TARGETS = jnp.array([True, True, False, True])
WEIGHTS = jnp.array([0.3, -0.2, 0.8])


def predict(w, b):
    return jax.nn.sigmoid(jnp.dot(INPUTS, w) + b)


def logisticLoss(w, b):
    p = predict(w, b)
    likelihood = p * TARGETS + (1 - p) * (1 - TARGETS)
    return -jnp.sum(jnp.log(likelihood))


@program
def tanhDerivatives():
    return [grad(jnp.tanh)(2.0), grad(grad(jnp.tanh))(2.0), grad(grad(grad(jnp.tanh)))(2.0)]


@program
def logisticGradients():
    both = grad(logisticLoss, (0, 1))(WEIGHTS, 0.1)
    value, own = jax.value_and_grad(logisticLoss)(WEIGHTS, 0.1)
    return [grad(logisticLoss)(WEIGHTS, 0.1), grad(logisticLoss, 1)(WEIGHTS, 0.1), both, value, own]


@program
def gradientOfDict():
    loss = lambda params: logisticLoss(params["w"], params["b"])
    return grad(loss)({"w": WEIGHTS, "b": 0.1})


@program
def hessianVectorProducts():
    f = lambda x: jnp.sum(jnp.tanh(x) ** 2) * jnp.sum(x * x)
    x, v = jnp.array([0.3, -0.7, 1.1]), jnp.array([1.0, 2.0, -0.5])
    forward = jvp(grad(f), (x,), (v,))[1]
    reverse = grad(lambda y: jnp.vdot(grad(f)(y), v))(x)
    return [forward, reverse, hessian(f)(x) @ v]


@program
def jacobians():
    f = lambda w: predict(w, 0.1)
    return [jacfwd(f)(WEIGHTS), jacrev(f)(WEIGHTS), hessian(f)(WEIGHTS)]


@program
def jacobianOfTrees():
    f = lambda p: {"y": p["w"] * p["b"], "z": jnp.sum(p["w"]) ** 2}
    return jacrev(f)({"w": WEIGHTS, "b": jnp.float32(2.0)})


@program
def matrixJacobianProducts():
    f = lambda w: predict(w, 0.1)
    rows = jnp.array([[1.0, 0.0, 2.0, -1.0], [0.5, 1.0, 0.0, 3.0]])
    _, pull = vjp(f, WEIGHTS)
    push = lambda v: jvp(f, (WEIGHTS,), (v,))[1]
    return [vmap(pull)(rows)[0], vmap(push)(jnp.eye(3))]


@program
def perExampleGradients():
    def loss(w, x, y):
        return (jnp.dot(x, w) - y) ** 2

    ys = jnp.array([1.0, 0.0, -1.0, 2.0])
    return vmap(grad(loss), in_axes=(None, 0, 0))(WEIGHTS, INPUTS, ys)


@program
def temporalDifference():
    value = lambda theta, state: jnp.dot(theta, state)

    def loss(theta, before, reward, after):
        target = lax.stop_gradient(reward + value(theta, after))
        return -0.5 * (target - value(theta, before)) ** 2

    theta = jnp.array([0.1, -0.1, 0.0])
    return grad(loss)(theta, jnp.array([1.0, 2.0, -1.0]), 1.0, jnp.array([2.0, 1.0, 0.0]))


@program
def straightThrough():
    def f(x):
        zero = x - lax.stop_gradient(x)
        return zero + lax.stop_gradient(jnp.round(x))

    return [f(3.2), grad(f)(3.2), grad(lambda x: jnp.round(x))(3.2)]


@program
def gradientsOfIntegers():
    f = lambda n, x: x * n.astype(jnp.float32) * x
    _, pull = vjp(lambda x: f(jnp.int32(3), x), 2.0)
    return [pull(1.0)[0], grad(f, 1)(jnp.int32(3), 2.0)]


@program
def taylorOfSin():
    def coefficient(f, n):
        for _ in range(n):
            f = grad(f)
        return f(0.3)

    return [coefficient(jnp.sin, n) for n in range(5)]


@program
def safeWhere():
    unsafe = lambda x: jnp.where(x > 0, jnp.log(x), 0.0)
    safe = lambda x: jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)
    return [grad(unsafe)(2.0), grad(unsafe)(0.0), grad(safe)(0.0), vmap(safe)(jnp.array([-1.0, 0.5]))]


# --- Custom derivative rules ----------------------------------------------------------------------


@jax.custom_jvp
def log1pexp(x):
    return jnp.log(1.0 + jnp.exp(x))


@log1pexp.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return log1pexp(x), (1 - 1 / (1 + jnp.exp(x))) * t


@program
def stableLog1pexp():
    xs = jnp.arange(3.0)
    return [log1pexp(3.0), grad(log1pexp)(3.0), grad(log1pexp)(100.0), vmap(jit(grad(log1pexp)))(xs), grad(grad(log1pexp))(1.0)]


@program
def customAtBoundary():
    @jax.custom_jvp
    def f(x):
        return x / (1 + jnp.sqrt(x))

    @f.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        root = jnp.sqrt(x)
        return f(x), ((root + 2) / (2 * (root + 1) ** 2)) * t

    return [f(0.0), grad(f)(0.0), grad(f)(2.0)]


@program
def clippedGradient():
    @jax.custom_vjp
    def clip(x, low, high):
        return x

    clip.defvjp(lambda x, low, high: (x, (low, high)), lambda bounds, g: (jnp.clip(g, *bounds), None, None))
    f = lambda x: jnp.sum(clip(jnp.sin(x * 8.0), -0.75, 0.75) * 2.0)
    return grad(f)(jnp.linspace(0.0, 2.0, 5))


@program
def customProduct():
    @jax.custom_jvp
    def f(x, y):
        return jnp.sin(x) * y

    f.defjvps(lambda t, out, x, y: jnp.cos(x) * t * y, lambda t, out, x, y: jnp.sin(x) * t)
    return [f(2.0, 3.0), grad(f)(2.0, 3.0), grad(f, 1)(2.0, 3.0), jvp(f, (2.0, 3.0), (1.0, -1.0))[1]]


@program
def fixedPointImplicit():
    def iterate(f, a, x):
        return lax.while_loop(lambda c: jnp.abs(c[0] - c[1]) > 1e-6, lambda c: (c[1], f(a, c[1])), (x, f(a, x)))[1]

    newton = lambda a, x: 0.5 * (x + a / x)

    @jax.custom_vjp
    def root(a):
        return iterate(newton, a, a)

    def backward(residuals, g):
        a, x = residuals
        _, pull_a = vjp(lambda v: newton(v, x), a)
        adjoint = lambda u: g + vjp(lambda y: newton(a, y), x)[1](u)[0]
        u = lax.fori_loop(0, 20, lambda i, w: adjoint(w), g)
        return pull_a(u)

    root.defvjp(lambda a: (lambda x: (x, (a, x)))(root(a)), backward)
    return [root(2.0), grad(root)(2.0), vmap(grad(root))(jnp.array([1.0, 3.0, 5.0]))]


@program
def implicitRoot():
    def solve(c):
        return lax.fori_loop(0, 12, lambda i, x: x - (x**3 + x - c) / (3 * x**2 + 1), jnp.float32(1.0))

    @jax.custom_jvp
    def root(c):
        return solve(c)

    @root.defjvp
    def _(primals, tangents):
        x = root(primals[0])
        return x, tangents[0] / (3 * x**2 + 1)

    return [root(3.0), grad(root)(3.0), grad(grad(root))(3.0)]


@program
def customStatic():
    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def apply(f, x):
        return f(x)

    apply.defvjp(lambda f, x: (f(x), x), lambda f, x, g: (2.0 * g * jnp.cos(x),))
    return [apply(jnp.sin, 1.0), grad(lambda x: apply(jnp.sin, x))(1.0)]


# --- Control flow -------------------------------------------------------------------------------


@program
def newtonSquareRoot():
    def root(a):
        state = lax.while_loop(lambda s: jnp.abs(s * s - a) > 1e-4 * a, lambda s: 0.5 * (s + a / s), a)
        return state

    return [root(2.0), vmap(root)(jnp.array([1.0, 4.0, 9.0, 50.0]))]


@program
def collatz():
    def steps(n):
        def body(state):
            value, count = state
            even = value % 2 == 0
            return jnp.where(even, value // 2, 3 * value + 1), count + 1

        return lax.while_loop(lambda s: s[0] != 1, body, (n, jnp.int32(0)))[1]

    return [steps(jnp.int32(27)), vmap(steps)(jnp.array([1, 6, 7, 9], jnp.int32))]


@program
def foriSum():
    f = lambda x: lax.fori_loop(0, 5, lambda i, s: s + x**2 * jnp.sin(s), 1.0)
    return [f(0.5), grad(f)(0.5), grad(grad(f))(0.5)]


@program
def scanCumulative():
    step = lambda carry, x: (carry * 0.5 + x, carry + x)
    xs = jnp.array([1.0, 2.0, 3.0, 4.0])
    last, ys = lax.scan(step, 0.0, xs)
    total = lambda v: jnp.sum(lax.scan(step, 0.0, v)[1] ** 2)
    return [last, ys, grad(total)(xs), hessian(total)(xs)]


@program
def scanReverse():
    step = lambda c, x: (c * 0.9 + x, c)
    return list(lax.scan(step, 1.0, jnp.arange(4.0), reverse=True))


@program
def recurrentNetwork():
    def run(w, xs):
        def step(h, x):
            h = jnp.tanh(w["h"] @ h + w["x"] * x)
            return h, jnp.sum(h)

        _, outputs = lax.scan(step, jnp.zeros(2), xs)
        return jnp.sum(outputs**2)

    w = {"h": jnp.array([[0.5, -0.3], [0.2, 0.7]]), "x": jnp.array([1.0, -1.0])}
    xs = jnp.array([0.1, 0.4, -0.6, 1.2])
    return [run(w, xs), grad(run)(w, xs), vmap(lambda s: run(w, xs * s))(jnp.array([1.0, 2.0]))]


@program
def switchBranches():
    f = lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, lambda v: v * v], x)
    indices = jnp.array([0, 1, 2, 5], jnp.int32)
    return [vmap(f, (0, None))(indices, 0.7), grad(f, 1)(jnp.int32(2), 3.0)]


@program
def associativeProducts():
    xs = jnp.array([1.0, 2.0, 0.5, 3.0, -1.0])
    return lax.associative_scan(jnp.multiply, xs)


@program
def checkpointedChain():
    layer = jax.checkpoint(lambda x: jnp.sin(jnp.sin(x) * 2.0))
    f = lambda x: layer(layer(layer(x)))
    return [f(0.4), grad(f)(0.4)]


# --- Pytrees and state --------------------------------------------------------------------------


def mlp(params, x):
    for layer in params[:-1]:
        x = jax.nn.relu(x @ layer["weights"] + layer["biases"])
    return x @ params[-1]["weights"] + params[-1]["biases"]


def mlpParams():
    keys = random.split(random.PRNGKey(0), 3)
    sizes = [(1, 8), (8, 8), (8, 1)]
    return [
        {"weights": random.normal(k, s) * np.float32(np.sqrt(2 / s[0])), "biases": jnp.ones(s[1])}
        for k, s in zip(keys, sizes)
    ]


@program
def mlpTraining():
    params = mlpParams()
    xs = jnp.linspace(-1.0, 1.0, 16)[:, None]
    loss = lambda p: jnp.mean((mlp(p, xs) - xs**2) ** 2)
    update = jit(lambda p: jax.tree.map(lambda w, g: w - 0.05 * g, p, grad(loss)(p)))
    losses = [loss(params)]
    for _ in range(10):
        params = update(params)
        losses.append(loss(params))
    return [jnp.stack(losses), params]


@program
def treeArithmetic():
    tree = {"a": [jnp.array([1.0, 2.0]), 3.0], "b": (4.0, None)}
    total = jax.tree.reduce(lambda s, x: s + jnp.sum(x), tree, 0.0)
    return [jax.tree.map(lambda x, y: x * y, tree, tree), total]


@program
def counterState():
    step = jit(lambda n: (n, n + 1))
    state, seen = jnp.int32(0), []
    for _ in range(4):
        value, state = step(state)
        seen.append(value)
    return [jnp.stack(seen), state]


@program
def linearRegression():
    noise = random.normal(random.PRNGKey(1), (20, 1)) * 0.1
    xs = jnp.linspace(-1.0, 1.0, 20)[:, None]
    ys = 3.0 * xs - 1.0 + noise
    loss = lambda p: jnp.mean((p["weight"] * xs + p["bias"] - ys) ** 2)
    update = jit(lambda p: jax.tree.map(lambda w, g: w - 0.1 * g, p, grad(loss)(p)))
    params = {"weight": jnp.float32(0.0), "bias": jnp.float32(0.0)}
    for _ in range(20):
        params = update(params)
    return [params, loss(params)]


# --- Vectorisation --------------------------------------------------------------------------------


@program
def convolveRows():
    def convolve(x, w):
        return jnp.stack([jnp.dot(x[i - 1 : i + 2], w) for i in range(1, len(x) - 1)])

    x, w = jnp.arange(5.0), jnp.array([2.0, 3.0, 4.0])
    xs, ws = jnp.stack([x, x * 0.5]), jnp.stack([w, -w])
    return [
        convolve(x, w),
        vmap(convolve)(xs, ws),
        vmap(convolve, in_axes=1)(xs.T, ws.T),
        vmap(convolve, in_axes=[0, None])(xs, w),
        vmap(convolve, out_axes=1)(xs, ws),
    ]


@program
def pairwiseDistances():
    distance = lambda a, b: jnp.sqrt(jnp.sum((a - b) ** 2) + 1e-3)
    table = vmap(vmap(distance, (None, 0)), (0, None))
    return [table(INPUTS, INPUTS[:2]), grad(lambda p: jnp.sum(table(p, p)))(INPUTS)]


@program
def polynomialByHorner():
    coefficients = jnp.array([2.0, -1.0, 0.5, 3.0])
    p = lambda x: lax.scan(lambda y, c: (y * x + c, None), 0.0, coefficients)[0]
    xs = jnp.linspace(-1.0, 1.0, 5)
    return [vmap(p)(xs), vmap(grad(p))(xs), vmap(grad(grad(p)))(xs)]


@program
def ensembleTraining():
    xs = jnp.linspace(0.0, 1.0, 6)
    loss = lambda w: jnp.mean((w[0] * xs + w[1] - jnp.sin(3.0 * xs)) ** 2)
    step = vmap(lambda w: w - 0.3 * grad(loss)(w))
    members = random.normal(random.PRNGKey(3), (4, 2))
    return lax.fori_loop(0, 25, lambda i, w: step(w), members)


# --- Solvers and optimisers -----------------------------------------------------------------------

rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 10.0 * (x[1] - x[0] ** 2) ** 2


@program
def newtonMethod():
    x = jnp.array([-0.5, 1.0])
    path = [x]
    for _ in range(5):
        x = x - jnp.linalg.solve(hessian(rosenbrock)(x), grad(rosenbrock)(x))
        path.append(x)
    return jnp.stack(path)


@program
def conjugateGradient():
    a = jnp.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]])

    def solve(b):
        def body(state):
            x, r, p, k = state
            ap = a @ p
            alpha = jnp.vdot(r, r) / jnp.vdot(p, ap)
            rest = r - alpha * ap
            beta = jnp.vdot(rest, rest) / jnp.vdot(r, r)
            return x + alpha * p, rest, rest + beta * p, k + 1

        go_on = lambda s: jnp.logical_and(jnp.vdot(s[1], s[1]) > 1e-8, s[3] < 10)
        return lax.while_loop(go_on, body, (jnp.zeros(3), b, b, jnp.int32(0)))[0]

    b = jnp.array([1.0, 2.0, 3.0])
    return [solve(b), jnp.linalg.solve(a, b)]


@program
def momentumDescent():
    def step(state, _):
        x, v = state
        v = 0.8 * v - 0.01 * grad(rosenbrock)(x)
        return (x + v, v), rosenbrock(x)

    (x, _), losses = lax.scan(step, (jnp.array([-0.5, 1.0]), jnp.zeros(2)), None, length=20)
    return [x, losses]


@program
def adamOptimiser():
    def step(state, i):
        x, m, v = state
        g = grad(rosenbrock)(x)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        t = i + 1.0
        update = (m / (1.0 - 0.9**t)) / (jnp.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
        return (x - 0.05 * update, m, v), rosenbrock(x)

    start = jnp.array([-0.5, 1.0])
    (x, _, _), losses = lax.scan(step, (start, jnp.zeros(2), jnp.zeros(2)), jnp.arange(30.0))
    return [x, losses]


@program
def gaussNewton():
    ts = jnp.linspace(0.0, 2.0, 8)
    ys = 2.0 * jnp.exp(-1.3 * ts)
    residual = lambda p: p[0] * jnp.exp(p[1] * ts) - ys
    p = jnp.array([1.0, -0.5])
    for _ in range(5):
        j, r = jacfwd(residual)(p), residual(p)
        p = p - jnp.linalg.solve(j.T @ j, j.T @ r)
    return p


@program
def powerIteration():
    a = jnp.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 1.0]])

    def body(i, v):
        w = a @ v
        return w / jnp.linalg.norm(w)

    v = lax.fori_loop(0, 30, body, jnp.ones(3))
    return [v @ a @ v, jnp.abs(v)]


@program
def bisection():
    f = lambda x: jnp.cos(x) - x

    def body(i, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        above = f(middle) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    return lax.fori_loop(0, 18, body, (jnp.float32(0.0), jnp.float32(1.0)))


# --- Simulation and statistics --------------------------------------------------------------------


def lotkaVolterra(state, params):
    x, y = state[0], state[1]
    return jnp.stack([params[0] * x - params[1] * x * y, params[2] * x * y - params[3] * y])


def integrate(params, steps=25, h=0.1):
    def step(s, _):
        k1 = lotkaVolterra(s, params)
        k2 = lotkaVolterra(s + 0.5 * h * k1, params)
        k3 = lotkaVolterra(s + 0.5 * h * k2, params)
        k4 = lotkaVolterra(s + h * k3, params)
        s = s + (h / 6.0) * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return s, s

    return lax.scan(step, jnp.array([1.0, 0.5]), None, length=steps)[1]


@program
def rungeKutta():
    params = jnp.array([1.1, 0.4, 0.1, 0.4])
    return [integrate(params), grad(lambda p: jnp.sum(integrate(p)[-1]))(params)]


@program
def leapfrogPendulum():
    force = lambda q: -grad(lambda x: -jnp.cos(x))(q)

    def step(state, _):
        q, p = state
        p = p + 0.05 * force(q)
        q = q + 0.1 * p
        p = p + 0.05 * force(q)
        return (q, p), 0.5 * p * p - jnp.cos(q)

    (q, p), energies = lax.scan(step, (1.0, 0.0), None, length=20)
    return [q, p, energies]


@program
def heatEquation():
    def step(u, _):
        return u.at[1:-1].add(0.2 * (u[2:] - 2.0 * u[1:-1] + u[:-2])), None

    start = jnp.zeros(9).at[4].set(1.0)
    run = lambda u: lax.scan(step, u, None, length=10)[0]
    return [run(start), grad(lambda u: jnp.sum(run(u) ** 2))(start)]


@program
def kalmanFilter():
    f = jnp.array([[1.0, 0.1], [0.0, 1.0]])
    q = 0.01 * jnp.eye(2)
    ys = jnp.array([0.1, 0.25, 0.28, 0.45, 0.5, 0.62])

    def likelihood(noise):
        def step(state, y):
            mean, cov = state
            mean, cov = f @ mean, f @ cov @ f.T + q
            s = cov[0, 0] + noise
            gain = cov[:, 0] / s
            error = y - mean[0]
            log_p = -0.5 * (error**2 / s + jnp.log(2.0 * jnp.pi * s))
            mean = mean + gain * error
            cov = cov - jnp.outer(gain, cov[0])
            return (mean, cov), (log_p, mean)

        (_, cov), (log_ps, means) = lax.scan(step, (jnp.zeros(2), jnp.eye(2)), ys)
        return jnp.sum(log_ps), (means, cov)

    value, aux = likelihood(0.1)
    return [value, aux, grad(lambda r: likelihood(r)[0])(0.1)]


@program
def gaussianProcess():
    xs = jnp.linspace(-1.0, 1.0, 6)
    ys = jnp.sin(3.0 * xs)
    kernel = lambda a, b, p: p["scale"] ** 2 * jnp.exp(-0.5 * ((a[:, None] - b[None]) / p["length"]) ** 2)

    def marginal(p):
        k = kernel(xs, xs, p) + 0.05 * jnp.eye(6)
        chol = jnp.linalg.cholesky(k)
        alpha = jnp.linalg.solve(k, ys)
        return 0.5 * ys @ alpha + jnp.sum(jnp.log(jnp.diag(chol)))

    p = {"length": jnp.float32(0.5), "scale": jnp.float32(1.2)}
    at = jnp.array([-0.5, 0.1, 0.7])
    mean = kernel(at, xs, p) @ jnp.linalg.solve(kernel(xs, xs, p) + 0.05 * jnp.eye(6), ys)
    return [marginal(p), grad(marginal)(p), mean]


@program
def hiddenMarkov():
    transition = jnp.log(jnp.array([[0.7, 0.3], [0.4, 0.6]]))
    emission = jnp.log(jnp.array([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]]))
    start = jnp.log(jnp.array([0.6, 0.4]))
    seen = jnp.array([0, 1, 2, 0, 2], jnp.int32)

    def likelihood(transition):
        def step(alpha, o):
            moved = jax.nn.logsumexp(alpha[:, None] + transition, axis=0)
            return moved + emission[:, o], None

        alpha = lax.scan(step, start + emission[:, seen[0]], seen[1:])[0]
        return jax.nn.logsumexp(alpha)

    return [likelihood(transition), grad(likelihood)(transition)]


@program
def kMeans():
    points = random.normal(random.PRNGKey(5), (12, 2))

    def step(i, centers):
        distances = jnp.sum((points[:, None] - centers[None]) ** 2, axis=-1)
        member = jax.nn.one_hot(jnp.argmin(distances, axis=1), 3)
        return (member.T @ points) / jnp.maximum(jnp.sum(member, axis=0), 1.0)[:, None]

    return lax.fori_loop(0, 5, step, points[:3])


@program
def principalComponents():
    x = INPUTS - jnp.mean(INPUTS, axis=0)
    values, _ = jnp.linalg.eigh(x.T @ x)
    _, s, vt = jnp.linalg.svd(x, full_matrices=False)
    return [values[::-1], s**2, jnp.abs(vt)]


@program
def randomWalk():
    def step(position, key):
        position = position + jnp.where(random.bernoulli(key), 1.0, -1.0)
        return position, position

    return lax.scan(step, 0.0, random.split(random.PRNGKey(7), 12))[1]


@program
def metropolis():
    log_p = lambda x: -0.5 * jnp.sum(x**2)

    def step(state, key):
        propose, accept = random.split(key)
        candidate = state + 0.8 * random.normal(propose, (2,))
        ok = jnp.log(random.uniform(accept)) < log_p(candidate) - log_p(state)
        state = jnp.where(ok, candidate, state)
        return state, state

    return lax.scan(step, jnp.array([1.0, -1.0]), random.split(random.PRNGKey(11), 10))[1]


@program
def attention():
    keys = random.split(random.PRNGKey(2), 3)
    q, k, v = [random.normal(key, (2, 4, 3)) for key in keys]

    def attend(q, k, v):
        scores = jnp.einsum("bqd,bkd->bqk", q, k) / np.float32(np.sqrt(3.0))
        mask = jnp.tril(jnp.ones((4, 4), bool))
        weights = jax.nn.softmax(jnp.where(mask, scores, -1e9))
        return jnp.einsum("bqk,bkd->bqd", weights, v)

    return [attend(q, k, v), grad(lambda q: jnp.sum(attend(q, k, v) ** 2))(q)]


@program
def softmaxRegression():
    labels = jnp.array([0, 2, 1, 0], jnp.int32)
    loss = lambda w: -jnp.mean(jnp.sum(jax.nn.log_softmax(INPUTS @ w) * jax.nn.one_hot(labels, 3), axis=1))
    step = lambda i, w: w - 0.5 * grad(loss)(w)
    w = lax.fori_loop(0, 20, step, jnp.zeros((3, 3)))
    return [w, loss(w)]


@program
def layerNormalisation():
    def f(x):
        centered = x - jnp.mean(x, axis=-1, keepdims=True)
        return centered / jnp.sqrt(jnp.var(x, axis=-1, keepdims=True) + 1e-5)

    return [f(INPUTS), grad(lambda x: jnp.sum(f(x) ** 3))(INPUTS)]


@program
def gameOfLife():
    def step(board, _):
        around = sum(jnp.roll(board, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) - board
        return jnp.where((around == 3) | ((board == 1) & (around == 2)), 1, 0), None

    glider = jnp.zeros((6, 6), jnp.int32).at[jnp.array([0, 1, 2, 2, 2]), jnp.array([1, 2, 0, 1, 2])].set(1)
    return lax.scan(step, glider, None, length=4)[0]


# --- numpy, random and nn, function by function ---------------------------------------------------

A23 = jnp.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]])
V4 = jnp.array([0.5, -1.5, 2.5, 3.0])
I4 = jnp.array([7, -7, 3, 0], jnp.int32)
SQ = jnp.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]])


@program
def numpyElementwise():
    x, y = V4, jnp.array([2.0, 2.0, -2.0, 0.5])
    return [
        x // y, x % y, jnp.fmod(x, y), I4 // 2, I4 % 3, I4 // jnp.array([2, 2, -2, 1], jnp.int32),
        jnp.round(x), jnp.round(x * 1.234, 1), jnp.floor(x), jnp.ceil(x), jnp.trunc(x), jnp.sign(x),
        jnp.hypot(x, y), jnp.logaddexp(x, y), jnp.arctan2(x, y), jnp.sinc(x), jnp.heaviside(x, 0.5),
        jnp.log2(jnp.abs(x)), jnp.log10(jnp.abs(x)), jnp.reciprocal(x), jnp.float_power(jnp.abs(x), y),
        jnp.power(x, -2), jnp.exp2(x), jnp.cbrt(x), jnp.deg2rad(x), jnp.rad2deg(x), jnp.square(x),
        jnp.clip(x, -1.0, 2.0), jnp.nan_to_num(jnp.array([jnp.nan, jnp.inf, 1.0])), jnp.isclose(x, x + 1e-9),
        jnp.logical_xor(x > 0, y > 0), I4 & 5, I4 | 8, I4 ^ 3, ~I4, I4 << 2, I4 >> 1,
        jnp.select([x > 2, x > 0], [x, x * 10], -1.0), jnp.maximum(x, y), jnp.minimum(x, 0.0),
    ]


@program
def numpyReductions():
    a = A23
    return [
        jnp.sum(a, axis=0), jnp.prod(a, axis=1, keepdims=True), jnp.mean(a), jnp.var(a, axis=1), jnp.std(a, ddof=1),
        jnp.max(a, axis=-1), jnp.min(a), jnp.ptp(a, axis=0), jnp.all(a > -3), jnp.any(a > 2, axis=0),
        jnp.argmax(a), jnp.argmin(a, axis=1), jnp.argmax(a, axis=0, keepdims=True), jnp.count_nonzero(a > 0),
        jnp.cumsum(a), jnp.cumsum(a, axis=1), jnp.cumprod(a, axis=0), jnp.sum(I4 > 0), jnp.mean(I4),
        jnp.nansum(jnp.array([1.0, jnp.nan, 2.0])), jnp.nanmean(jnp.array([1.0, jnp.nan, 2.0])),
        jnp.nanmax(jnp.array([1.0, jnp.nan, 2.0])), jnp.average(V4, weights=jnp.array([1.0, 2.0, 3.0, 4.0])),
        jnp.trace(SQ), jnp.sum(a, where=a > 0), jnp.sum(a, axis=(0, 1), keepdims=True),
    ]


@program
def numpyShapes():
    a = A23
    return [
        jnp.reshape(a, (3, -1)), jnp.ravel(a), a.T, jnp.swapaxes(a, 0, 1), jnp.moveaxis(jnp.ones((2, 3, 4)), 0, -1)[0, 0],
        jnp.expand_dims(a, (0, 2)), jnp.squeeze(a[None, :, :1]), jnp.concatenate([a, a], axis=1), jnp.stack([V4, V4], axis=1),
        jnp.vstack([V4, V4]), jnp.hstack([V4, V4]), jnp.column_stack([V4, V4]), jnp.split(a, 3, axis=1), jnp.split(V4, [1, 3]),
        jnp.tile(V4, 2), jnp.tile(a, (2, 1, 2)), jnp.repeat(V4, 2), jnp.repeat(a, 2, axis=1), jnp.roll(V4, 1), jnp.roll(a, (1, 2), (0, 1)),
        jnp.flip(a), jnp.flip(a, 1), jnp.pad(a, 1), jnp.pad(V4, (1, 2), constant_values=5.0), jnp.pad(V4, 2, mode="edge"),
        jnp.pad(V4, 3, mode="reflect"), jnp.pad(V4, 3, mode="wrap"), jnp.broadcast_to(V4, (2, 4)), jnp.meshgrid(V4, jnp.arange(3.0)),
        jnp.eye(2, 3, k=1), jnp.tri(3), jnp.tril(SQ, -1), jnp.triu(SQ), jnp.diag(V4, 1), jnp.diag(SQ), jnp.diagonal(SQ, 1),
        jnp.arange(2, 9, 3), jnp.linspace(0.0, 1.0, 4, endpoint=False), jnp.logspace(0.0, 2.0, 3), jnp.full((2, 2), 7.0),
        jnp.identity(2), jnp.zeros_like(a), jnp.atleast_2d(V4),
    ]


@program
def numpyIndexing():
    a, i = A23, jnp.array([1, 0, -1], jnp.int32)
    return [
        a[1], a[-1, 0], a[:, 1], a[0, ::-1], a[::-1, ::2], a[..., None, 0], a[i], a[:, i], a[i, i], a[0, i], a[i[:2, None], i],
        jnp.take(a, i, axis=1), jnp.take(V4, jnp.array([0, 9])), jnp.take(V4, jnp.array([0, 9]), mode="clip"),
        jnp.take(V4, jnp.array([-1, 9]), mode="wrap"), jnp.take_along_axis(a, jnp.argsort(a, axis=1), axis=1),
        a.at[0].set(1.0), a.at[:, 1].add(V4[:2]), a.at[i[:2], i[:2]].multiply(2.0), V4.at[jnp.array([0, 0, 1])].add(1.0),
        V4.at[1:3].set(jnp.array([8.0, 9.0])), V4.at[::2].min(0.0), V4.at[-1].max(9.0), V4.at[10].set(1.0), a.at[0, ::-1].set(jnp.arange(3.0)),
    ]


@program
def numpySorting():
    x = jnp.array([3.0, -1.0, 2.0, -1.0, jnp.nan, 0.0])
    return [
        jnp.sort(x), jnp.argsort(x), jnp.sort(A23, axis=0), jnp.sort(V4, descending=True), jnp.argsort(jnp.array([1.0, 2.0, 1.0]), descending=True),
        jnp.searchsorted(jnp.array([0.0, 1.0, 2.0]), V4), jnp.searchsorted(jnp.array([0.0, 1.0, 2.0]), jnp.array([1.0]), side="right"),
        jnp.median(V4), jnp.median(A23, axis=1), jnp.quantile(V4, 0.3), jnp.diff(V4), jnp.diff(V4, n=2),
        jnp.interp(jnp.array([-1.0, 0.5, 1.5, 9.0]), jnp.array([0.0, 1.0, 2.0]), jnp.array([1.0, 3.0, 0.0])),
    ]


@program
def numpyContractions():
    a, b = A23, A23.T
    c = jnp.arange(24.0).reshape(2, 3, 4) / 10.0
    return [
        jnp.dot(a, b), jnp.matmul(c, jnp.ones((4, 2))), jnp.matmul(V4, c.swapaxes(1, 2)), jnp.inner(a, a), jnp.outer(V4, V4[:2]),
        jnp.vdot(a, a), jnp.tensordot(c, c, axes=([0, 2], [0, 2])), jnp.einsum("bij,bkj->bik", c, c), jnp.einsum("ij->ji", a),
        jnp.einsum("bij->j", c), jnp.einsum("ij,jk,kl->il", a, SQ, b), jnp.einsum("...j,j", c, V4), jnp.einsum("ii", SQ),
        jnp.kron(a, jnp.eye(2)), jnp.cross(SQ[0], SQ[1]), jnp.convolve(V4, V4[:2]), jnp.convolve(V4, V4[:3], mode="same"), jnp.convolve(V4, V4[:2], mode="valid"),
    ]


@program
def numpyLinalg():
    q, r = jnp.linalg.qr(SQ)
    sign, log = jnp.linalg.slogdet(SQ)
    return [
        jnp.linalg.solve(SQ, jnp.arange(3.0)), jnp.linalg.inv(SQ), jnp.linalg.det(SQ), jnp.linalg.det(SQ[:2, :2]), sign, log,
        jnp.linalg.cholesky(SQ), jnp.abs(r), jnp.matmul(q, r), jnp.linalg.eigh(SQ)[0], jnp.linalg.svd(A23)[1],
        jnp.linalg.norm(A23), jnp.linalg.norm(A23, axis=1), jnp.linalg.norm(V4, ord=1), jnp.linalg.norm(V4, ord=jnp.inf), jnp.linalg.norm(V4, ord=3),
        jnp.linalg.norm(SQ, ord=1), jnp.linalg.matrix_power(SQ, 3), jnp.linalg.pinv(A23), grad(lambda m: jnp.linalg.det(m))(SQ),
        grad(lambda m: jnp.linalg.slogdet(m)[1])(SQ), jacrev(jnp.linalg.inv)(SQ[:2, :2]),
    ]


@program
def randomNumbers():
    k = random.PRNGKey(42)
    words = lambda x: x.astype(jnp.int32)
    return [
        words(random.split(k, 3)), words(random.fold_in(k, 7)), words(random.bits(k, (3,))), random.uniform(k, (2, 3)),
        random.uniform(k, (3,), minval=-2.0, maxval=5.0), random.normal(k, (2, 3)), random.bernoulli(k, 0.3, (6,)),
        random.randint(k, (6,), 0, 10), random.randint(k, (3,), -1000000, 1000000), random.permutation(k, 8), random.permutation(k, SQ),
        random.gumbel(k, (3,)), random.exponential(k, (3,)), random.laplace(k, (3,)), random.truncated_normal(k, -1.0, 1.0, (3,)),
        random.categorical(k, SQ), random.categorical(k, SQ, shape=(2, 3)), random.choice(k, 5, (3,), replace=False),
        random.choice(k, 3, (5,), p=jnp.array([0.1, 0.2, 0.7])), random.rademacher(k, (5,)).astype(jnp.int32),
        vmap(lambda key: random.normal(key, (2,)))(random.split(k, 2)),
    ]


@program
def nnFunctions():
    x = V4
    return [
        jax.nn.relu(x), jax.nn.relu6(x * 3), jax.nn.sigmoid(x), jax.nn.log_sigmoid(x), jax.nn.softplus(x), jax.nn.silu(x), jax.nn.soft_sign(x),
        jax.nn.gelu(x), jax.nn.gelu(x, approximate=False), jax.nn.leaky_relu(x), jax.nn.elu(x), jax.nn.selu(x), jax.nn.softmax(A23, axis=0),
        jax.nn.log_softmax(A23), jax.nn.logsumexp(A23, axis=1, keepdims=True), jax.nn.one_hot(jnp.array([0, 2]), 3), jax.nn.standardize(A23),
        vmap(grad(jax.nn.relu))(jnp.array([-1.0, 0.0, 1.0])), vmap(grad(jax.nn.softplus))(x), grad(lambda v: jax.nn.logsumexp(v))(x),
    ]


# --- jaxprs ---------------------------------------------------------------------------------------

X = jnp.ones(3)
M = jnp.ones((3, 4))
S = jnp.float32(1.0)
JAXPRS = {}


def jaxpr(name, f, *args):
    JAXPRS[name] = (f, args)


square_sum = lambda x: jnp.sum(jnp.sin(x) ** 2)
jaxpr("add", lambda x: x + 1.0, X)
jaxpr("broadcast", lambda x, m: x[:, None] + m, X, M)
jaxpr("rankPromotion", lambda x, m: x * m.T, X, M)
jaxpr("power", lambda x: x**3 + x**2.5, X)
jaxpr("mean", lambda m: jnp.mean(m), M)
jaxpr("meanKeepdims", lambda m: jnp.mean(m, axis=1, keepdims=True), M)
jaxpr("variance", lambda m: jnp.var(m, axis=0), M)
jaxpr("where", lambda m: jnp.where(m > 0, m, 0.0), M)
jaxpr("clip", lambda x: jnp.clip(x, -1.0, 1.0), X)
jaxpr("softmax", lambda m: jax.nn.softmax(m), M)
jaxpr("logSoftmax", lambda m: jax.nn.log_softmax(m), M)
jaxpr("gelu", lambda x: jax.nn.gelu(x), X)
jaxpr("silu", lambda x: jax.nn.silu(x), X)
jaxpr("oneHot", lambda i: jax.nn.one_hot(i, 4), jnp.arange(3))
jaxpr("dot", lambda x, m: jnp.dot(x, m), X, M)
jaxpr("matmulBatch", lambda a, b: jnp.matmul(a, b), jnp.ones((2, 3, 4)), jnp.ones((2, 4, 5)))
jaxpr("einsum", lambda a: jnp.einsum("bij,bjk->bki", a, a), jnp.ones((2, 3, 3)))
jaxpr("einsumDiagonal", lambda a: jnp.einsum("ii->i", a), jnp.ones((3, 3)))
jaxpr("outer", lambda x: jnp.outer(x, x), X)
jaxpr("tensordot", lambda m: jnp.tensordot(m, m, axes=([0], [0])), M)
jaxpr("concatenate", lambda x: jnp.concatenate([x, x * 2.0]), X)
jaxpr("reverseSteps", lambda m: m[1, ::-2, None], M)
jaxpr("gather", lambda m, i: m[i, 1:3], M, jnp.array([0, 2]))
jaxpr("dynamicIndex", lambda m, i: m[i], M, jnp.int32(1))
jaxpr("indexSet", lambda x: x.at[1].set(2.0), X)
jaxpr("take", lambda x, i: jnp.take(x, i), X, jnp.array([0, 1]))
jaxpr("cumsum", lambda x: jnp.cumsum(x), X)
jaxpr("argsort", lambda x: jnp.argsort(x), X)
jaxpr("tril", lambda m: jnp.tril(m), M)
jaxpr("cholesky", lambda a: jnp.linalg.cholesky(a), jnp.eye(2))
jaxpr("norm", lambda x: jnp.linalg.norm(x), X)
jaxpr("linspace", lambda x: x + jnp.linspace(0.0, 1.0, 3), X)
jaxpr("argmax", lambda m: jnp.argmax(m), M)
jaxpr("jitNested", lambda x: jit(lambda y: jnp.sin(y) * 2.0)(x) + 1.0, X)
jaxpr("scan", lambda x: lax.scan(lambda c, a: (c + a, c * a), jnp.float32(0.0), x), X)
jaxpr("cond", lambda s: lax.cond(s > 0.0, jnp.sin, jnp.cos, s), S)
jaxpr("while", lambda s: lax.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, s), S)
jaxpr("grad", grad(square_sum), X)
jaxpr("gradDot", grad(lambda x, m: jnp.sum(jnp.dot(x, m))), X, M)
jaxpr("gradTanh", grad(jnp.tanh), S)
jaxpr("gradGrad", grad(grad(jnp.sin)), S)
jaxpr("jvp", lambda x, t: jvp(lambda y: jnp.sin(y) * y, (x,), (t,)), X, X)
jaxpr("jvpExp", lambda x, t: jvp(jnp.exp, (x,), (t,)), X, X)
jaxpr("vjp", lambda x, g: vjp(lambda y: jnp.cos(y) * 2.0, x)[1](g), X, X)
jaxpr("vmap", vmap(lambda a, b: jnp.dot(a, b)), M, M)
jaxpr("vmapSum", vmap(lambda a: jnp.sum(a * 2.0)), M)
jaxpr("vmapGrad", vmap(grad(lambda s: jnp.sin(s) * s)), X)
jaxpr("vmapUnmapped", vmap(lambda a, b: a + b, in_axes=(0, None)), M, jnp.ones(4))
jaxpr("linearTransposed", jax.linear_transpose(lambda x: 2.0 * x, X), X)
jaxpr("logsumexpRows", lambda m: jnp.log(jnp.sum(jnp.exp(m), axis=1)), M)

# Parameters of JAX that our primitives do not have.
DROPPED = {
    "out_sharding", "sharding", "update_consts", "update_jaxpr", "symbolic_zeros", "accuracy",
    "out_dtype", "jvp_jaxpr_fun", "in_shardings", "out_shardings",
}
KEPT_BY_PRINTER = {"jit": {"in_shardings", "out_shardings"}, "custom_jvp_call": {"jvp_jaxpr_fun"}, "custom_vjp_call": {"jvp_jaxpr_fun"}}


def without_extras(jaxpr, seen):
    """The jaxpr without parameters that only JAX has; shared programs stay shared."""
    if id(jaxpr) in seen:
        return seen[id(jaxpr)]
    equations = []
    for eqn in jaxpr.eqns:
        params = {}
        for key, value in eqn.params.items():
            if key in DROPPED - KEPT_BY_PRINTER.get(eqn.primitive.name, set()):
                if key in ("accuracy", "out_dtype", "sharding") and eqn.primitive.name not in ("iota", "reshape", "split"):
                    params[key] = value
                continue
            params[key] = rewritten(value, seen)
        equations.append(eqn.replace(params=params))
    result = jaxpr.replace(eqns=equations)
    seen[id(jaxpr)] = result
    return result


def rewritten(value, seen):
    if hasattr(value, "jaxpr") and hasattr(value, "consts"):
        return value.replace(jaxpr=without_extras(value.jaxpr, seen))
    if hasattr(value, "eqns"):
        return without_extras(value, seen)
    if isinstance(value, tuple) and any(hasattr(item, "jaxpr") for item in value):
        return tuple(rewritten(item, seen) for item in value)
    return value


def print_jaxpr(f, args):
    closed = jax.make_jaxpr(f)(*args)
    text = without_extras(closed.jaxpr, {}).pretty_print(use_color=False)
    # Artefacts of NumPy scalars, and the addition of tangents, which is an `add` here.
    text = re.sub(r"np\.int64\((-?\d+)\)", r"\1", text).replace(" = add_any ", " = add ")
    return "\n".join(line.rstrip() for line in text.split("\n"))


def encode(value):
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    numbers = [None if isinstance(v, float) and not np.isfinite(v) else v for v in array.ravel().tolist()]
    text = [str(v) for v in array.ravel().tolist()] if None in numbers else None
    entry = {"dtype": str(array.dtype), "shape": list(array.shape), "values": numbers}
    return entry if text is None else {**entry, "text": text}


def main(path):
    programs = {}
    for name, f in PROGRAMS.items():
        programs[name] = [encode(leaf) for leaf in jax.tree.leaves(f())]
    jaxprs = {name: print_jaxpr(f, args) for name, (f, args) in JAXPRS.items()}
    recorded = {"jax": jax.__version__, "programs": programs, "jaxprs": jaxprs}
    data = json.dumps(recorded, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(gzip.compress(data, 9, mtime=0))
    print(f"{len(programs)} programs, {len(jaxprs)} jaxprs")


if __name__ == "__main__":
    main(sys.argv[1])
