"""Records what JAX draws, and how it prints programs that draw, for the tests of tests/random.

    python scripts/data/record_random.py tests/data/random.json.gz

Every case, jaxpr and error has its counterpart of the same name in tests/random. Keys are written as
their words.
"""

import gzip
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import grad, jit, jvp, lax, random, vmap

from record_programs import print_jaxpr

jax.config.update("jax_platforms", "cpu")

CASES = {}
JAXPRS = {}
ERRORS = {}

KEY = random.key(42)
RAW = random.PRNGKey(42)
KEYS = random.split(random.key(1), 3)
IMPLS = ("threefry2x32", "rbg", "unsafe_rbg")


def case(name):
    def add(f):
        CASES[name] = f
        return f

    return add


# --- Keys ---------------------------------------------------------------------------------------

SEEDS = (0, 7, -1, 2**31 - 1, 2**32 - 1, 2**40 + 3)


@case("keys/seeds")
def _():
    return [random.key(s) for s in SEEDS] + [random.PRNGKey(s) for s in SEEDS] + [
        vmap(random.key)(jnp.arange(3)),
        random.key(np.uint8(200)),
        random.key(np.int8(-3)),
    ]


for impl in IMPLS:

    def generators(impl=impl):
        k = random.key(5, impl=impl)
        ks = random.split(k, 3)
        return [
            k,
            random.PRNGKey(5, impl=impl),
            ks,
            random.split(k, (2, 2)),
            random.fold_in(k, 9),
            random.bits(k, (5,)),
            random.bits(k, (3,), "uint16"),
            random.bits(k, (2, 3), "uint8"),
            random.bits(k),
            random.normal(k, (3,)),
            vmap(lambda k: random.bits(k, (2,)))(ks),
            vmap(random.split)(ks),
            vmap(random.fold_in)(ks, jnp.arange(3)),
            vmap(random.fold_in, (None, 0))(k, jnp.arange(3)),
            vmap(random.fold_in, (0, None))(ks, 4),
            vmap(vmap(lambda k: random.uniform(k)))(random.split(k, (2, 2))),
        ]

    CASES[f"keys/{impl}"] = generators


@case("keys/data")
def _():
    return [
        random.key_data(KEYS),
        random.key_data(RAW),
        random.wrap_key_data(random.split(RAW)),
        random.wrap_key_data(np.arange(4, dtype=np.uint32), impl="rbg"),
        random.clone(KEY),
        random.clone(RAW),
    ]


@case("keys/raw")
def _():
    return [
        random.split(RAW),
        random.split(RAW, (2, 2)),
        random.fold_in(RAW, 3),
        random.bits(RAW, (3,)),
        random.normal(RAW, (3,)),
        vmap(lambda k: random.normal(k, (2,)))(random.split(RAW, 3)),
    ]


@case("keys/moved")
def _():
    m = random.split(KEY, (2, 3))
    return [
        KEYS[0],
        KEYS[-1],
        KEYS[1:],
        KEYS[jnp.array([2, 0])],
        jit(lambda k, i: k[i])(KEYS, 1),
        m.reshape(3, 2),
        m.reshape(-1),
        m.T,
        jnp.squeeze(m[:, :1], 1),
        jnp.expand_dims(KEYS, 1),
        jnp.broadcast_to(KEY, (2,)),
        jnp.concatenate([KEYS, KEYS[:1]]),
        jnp.stack([KEY, KEYS[0]]),
        jnp.where(jnp.array([True, False, True]), KEYS, KEY),
        lax.select(True, KEY, KEYS[0]),
        lax.rev(KEYS, (0,)),
        lax.dynamic_slice(KEYS, (1,), (2,)),
        lax.dynamic_update_slice(KEYS, KEYS[:1], (2,)),
        KEYS.at[0].set(KEY),
        KEYS == KEYS[::-1],
        KEYS != KEY,
        KEY == KEY,
    ]


@case("keys/control")
def _():
    def step(k, x):
        k, own = random.split(k)
        return k, random.normal(own) * x

    def chain(k, n):
        return lax.fori_loop(0, n, lambda i, k: random.fold_in(k, i), k)

    return [
        lax.scan(step, KEY, jnp.arange(3.0)),
        lax.scan(lambda c, k: (k, random.uniform(k)), KEY, KEYS),
        lax.scan(lambda c, k: (c, random.split(k)[0]), jnp.int32(0), KEYS),
        lax.cond(True, lambda k: k, lambda k: random.split(k)[0], KEY),
        lax.cond(False, lambda k: k, lambda k: random.split(k)[0], KEY),
        lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, random.split(s[1])[1]), (0, KEY)),
        jit(chain)(KEY, 3),
        vmap(chain)(KEYS, jnp.arange(3)),
        lax.map(lambda k: random.uniform(k, (2,)), KEYS),
        vmap(lambda p, k: lax.cond(p, lambda k: k, lambda k: random.fold_in(k, 1), k))(
            jnp.array([True, False, True]), KEYS
        ),
        jit(lambda: random.fold_in(KEYS[1], 2))(),
    ]


@case("keys/derivatives")
def _():
    f = lambda x, k: jnp.sum(jnp.sin(x * random.normal(k, (3,))))

    def chain(x, k):
        def step(c, k):
            return c * random.uniform(k) + x, c

        return lax.scan(step, x, random.split(k, 4))[0]

    return [
        grad(f)(1.5, KEY),
        vmap(grad(f), (None, 0))(1.5, KEYS),
        jvp(lambda x: f(x, KEY), (1.5,), (1.0,)),
        grad(chain)(0.5, KEY),
        grad(grad(lambda x: f(x, KEY)))(1.5),
    ]


# --- Distributions ------------------------------------------------------------------------------

DRAWS = {
    "uniform": lambda k: [
        random.uniform(k, (2, 3)),
        random.uniform(k, (3,), minval=-2.0, maxval=5.0),
        random.uniform(k, (2, 3), minval=jnp.arange(3.0), maxval=4.0),
        random.uniform(k, (5,), jnp.float16),
        random.uniform(k, (5,), jnp.bfloat16),
        random.uniform(k),
    ],
    "normal": lambda k: [
        random.normal(k, (2, 3)),
        random.normal(k),
        random.normal(k, (2,), jnp.complex64),
        random.truncated_normal(k, -1.0, 2.0, (5,)),
        random.truncated_normal(k, jnp.array([-1.0, 0.0]), 2.0),
    ],
    "bernoulli": lambda k: [
        random.bernoulli(k),
        random.bernoulli(k, 0.3, (7,)),
        random.bernoulli(k, jnp.array([0.1, 0.5, 0.9])),
        random.bernoulli(k, 0.3, (7,), mode="high"),
        random.rademacher(k, (6,)),
        random.rademacher(k, (3,), jnp.float32),
    ],
    "randint": lambda k: [
        random.randint(k, (6,), 0, 10),
        random.randint(k, (4,), -5, 5),
        random.randint(k, (3,), jnp.array([0, 10, 20]), 30),
        random.randint(k, (6,), 0, 256, jnp.uint8),
        random.randint(k, (6,), -128, 128, jnp.int8),
        random.randint(k, (4,), 0, 2**31 - 1),
        random.randint(k, (4,), 5, 5),
        random.randint(k, (4,), 0, 1000, jnp.uint32),
        random.randint(k, (), 0, 3),
    ],
    "permutation": lambda k: [
        random.permutation(k, 9),
        random.permutation(k, jnp.arange(12.0).reshape(4, 3)),
        random.permutation(k, jnp.arange(12.0).reshape(4, 3), axis=1),
        random.permutation(k, jnp.arange(12.0).reshape(4, 3), axis=1, independent=True),
    ],
    "choice": lambda k: [
        random.choice(k, 9, (4,)),
        random.choice(k, 9, (4,), replace=False),
        random.choice(k, jnp.arange(12.0).reshape(4, 3), (2, 2)),
        random.choice(k, jnp.arange(12.0).reshape(4, 3), (2,), axis=1),
        random.choice(k, jnp.arange(12.0).reshape(4, 3), (2,), replace=False, axis=1),
        random.choice(k, 4, (5,), p=jnp.array([0.1, 0.2, 0.3, 0.4])),
        random.choice(k, 4, (2,), replace=False, p=jnp.array([0.1, 0.2, 0.3, 0.4])),
        random.choice(k, 4, (3,), replace=False, p=jnp.array([0.1, 0.2, 0.3, 0.4]), mode="high"),
    ],
    "categorical": lambda k: [
        random.categorical(k, jnp.array([0.1, 1.0, 0.5])),
        random.categorical(k, jnp.array([[0.1, 1.0, 0.5], [2.0, 0.0, 0.3]])),
        random.categorical(k, jnp.array([[0.1, 1.0, 0.5], [2.0, 0.0, 0.3]]), axis=0),
        random.categorical(k, jnp.array([0.1, 1.0, 0.5]), shape=(6,)),
        random.categorical(k, jnp.array([[0.1, 1.0, 0.5], [2.0, 0.0, 0.3]]), shape=(4, 2)),
        random.categorical(k, jnp.array([0.1, 1.0, 0.5, 0.4]), shape=(3,), replace=False),
        random.categorical(k, jnp.array([[0.1, 1.0, 0.5], [2.0, 0.0, 0.3]]), shape=(2, 2), replace=False),
        random.gumbel(k, (4,)),
        random.gumbel(k, (4,), mode="high"),
    ],
    "transformed": lambda k: [
        random.exponential(k, (4,)),
        random.laplace(k, (4,)),
        random.logistic(k, (4,)),
        random.cauchy(k, (4,)),
        random.pareto(k, 2.0, (4,)),
        random.pareto(k, jnp.array([1.0, 2.0])),
        random.maxwell(k, (4,)),
        random.double_sided_maxwell(k, 1.0, 2.0, (4,)),
        random.double_sided_maxwell(k, jnp.zeros(2), 2.0, (3,)),
        random.weibull_min(k, 2.0, 1.5, (4,)),
        random.rayleigh(k, jnp.array([1.0, 2.0])),
        random.wald(k, jnp.array([1.0, 2.0])),
        random.triangular(k, 0.0, 0.3, 1.0, (4,)),
        random.lognormal(k, 0.5, (4,)),
        random.lognormal(k),
    ],
    "matrices": lambda k: [
        random.orthogonal(k, 3),
        random.orthogonal(k, 2, (2,), m=3),
        random.orthogonal(k, 3, m=2),
        random.multivariate_normal(k, jnp.array([1.0, 2.0]), jnp.array([[2.0, 0.5], [0.5, 1.0]])),
        random.multivariate_normal(k, jnp.zeros(2), jnp.eye(2), (3,)),
    ],
    "gamma": lambda k: [
        random.gamma(k, 2.5, (5,)),
        random.gamma(k, jnp.array([0.1, 1.0, 5.0, 50.0])),
        random.gamma(k, jnp.array([0.3, 1.2]), (3, 2)),
        random.gamma(k, 0.7),
        random.loggamma(k, jnp.array([0.001, 0.5, 3.0])),
        vmap(lambda k: random.gamma(k, jnp.array([0.5, 2.0])))(random.split(k, 2)),
        random.beta(k, 2.0, 3.0, (4,)),
        random.beta(k, jnp.array([0.1, 5.0]), 1.0),
        random.dirichlet(k, jnp.array([1.0, 2.0, 3.0])),
        random.dirichlet(k, jnp.array([0.5, 2.0]), (3,)),
        random.chisquare(k, 3.0, (4,)),
        random.f(k, 3.0, 5.0, (4,)),
        random.t(k, 4.0, (4,)),
        random.generalized_normal(k, 1.5, (4,)),
        random.ball(k, 3, shape=(2,)),
        random.ball(k, 2, 1.0),
        grad(lambda a: random.gamma(k, a))(2.0),
        grad(lambda a: random.loggamma(k, a))(0.5),
    ],
    "counts": lambda k: [
        random.poisson(k, 3.0, (6,)),
        random.poisson(k, jnp.array([0.0, 0.5, 9.9, 10.0, 250.0])),
        random.geometric(k, 0.3, (6,)),
        random.binomial(k, 10.0, 0.3, (6,)),
        random.binomial(k, jnp.array([5.0, 100.0, 1000.0]), jnp.array([0.2, 0.5, 0.9])),
        random.binomial(k, jnp.array([jnp.nan, -1.0, jnp.inf]), 0.5),
        random.multinomial(k, 20.0, jnp.array([0.2, 0.3, 0.5])),
        random.multinomial(k, jnp.array([5.0, 50.0]), jnp.array([[0.2, 0.8], [0.5, 0.5]])),
    ],
}

for name, f in DRAWS.items():
    CASES[f"draws/{name}"] = lambda f=f: f(KEY)

# --- Jaxprs -------------------------------------------------------------------------------------


def jaxpr(name, f, *args):
    JAXPRS[name] = (f, args)


jaxpr("key", lambda s: random.key(s), 3)
jaxpr("keyRbg", lambda s: random.key(s, impl="rbg"), 3)
jaxpr("PRNGKey", lambda s: random.PRNGKey(s), 3)
jaxpr("keyConstant", lambda: random.key(3))
jaxpr("split", lambda k: random.split(k), KEY)
jaxpr("splitShape", lambda k: random.split(k, (2, 3)), KEY)
jaxpr("splitRaw", lambda k: random.split(k), RAW)
jaxpr("splitUnpacked", lambda k: tuple(random.split(k)), KEY)
jaxpr("splitUnsafe", lambda k: random.split(k), random.key(0, impl="unsafe_rbg"))
jaxpr("foldIn", lambda k: random.fold_in(k, 3), KEY)
jaxpr("foldInRaw", lambda k: random.fold_in(k, 3), RAW)
jaxpr("foldInTraced", lambda k, i: random.fold_in(k, i), KEY, 3)
jaxpr("bits", lambda k: random.bits(k, (3,)), KEY)
jaxpr("bitsRaw", lambda k: random.bits(k, (3,)), RAW)
jaxpr("bits16", lambda k: random.bits(k, (3,), "uint16"), KEY)
jaxpr("uniform", lambda k: random.uniform(k, (3,)), KEY)
jaxpr("uniformScalar", lambda k: random.uniform(k), KEY)
jaxpr("normal", lambda k: random.normal(k, (3,)), KEY)
jaxpr("normalRaw", lambda k: random.normal(k, (3,)), RAW)
jaxpr("bernoulli", lambda k: random.bernoulli(k, 0.5, (3,)), KEY)
jaxpr("randint", lambda k: random.randint(k, (3,), 0, 10), KEY)
jaxpr("permutation", lambda k: random.permutation(k, 7), KEY)
jaxpr("gumbel", lambda k: random.gumbel(k, (2,)), KEY)
jaxpr("exponential", lambda k: random.exponential(k, (2,)), KEY)
jaxpr("gamma", lambda k: random.gamma(k, 2.0, (3,)), KEY)
jaxpr("keyData", lambda k: random.key_data(k), KEYS)
jaxpr("keyDataRaw", lambda k: random.key_data(k), RAW)
jaxpr("wrapKeyData", lambda w: random.wrap_key_data(w), random.split(RAW))
jaxpr("clone", lambda k: random.clone(k), KEYS)
jaxpr("vmapKey", vmap(random.key), jnp.arange(3))
jaxpr("vmapSplit", vmap(lambda k: random.split(k)), KEYS)
jaxpr("vmapFoldIn", vmap(random.fold_in, (None, 0)), KEY, jnp.arange(3))
jaxpr("vmapBits", vmap(lambda k: random.bits(k, (2,))), KEYS)
jaxpr("vmapWrap", vmap(lambda k: random.bits(k)), random.split(RAW, 3))
jaxpr("index", lambda k: k[0], KEYS)
jaxpr("indexTraced", lambda k, i: k[i], KEYS, jnp.int32(0))
jaxpr("reshape", lambda k: k.reshape(3, 1), KEYS)
jaxpr("concatenate", lambda k: jnp.concatenate([k, k]), KEYS)
jaxpr("broadcast", lambda k: jnp.broadcast_to(k, (2,)), KEY)
jaxpr("select", lambda k: lax.select(True, k, k), KEY)
jaxpr("where", lambda p, k: jnp.where(p, k, k), jnp.array([True, False, True]), KEYS)
jaxpr("equal", lambda k: k == k, KEYS)
jaxpr("scan", lambda k, ks: lax.scan(lambda c, x: (x, random.bits(c)), k, ks), KEY, KEYS)
jaxpr("while", lambda k: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, random.fold_in(s[1], 7)), (0, k)), KEY)
jaxpr("cond", lambda p, k: lax.cond(p, lambda k: k, lambda k: random.fold_in(k, 1), k), True, KEY)
jaxpr("grad", grad(lambda x, k: x * random.normal(k)), jnp.float32(1.0), KEY)

# --- Errors -------------------------------------------------------------------------------------


def error(name, f, *args):
    try:
        jax.make_jaxpr(f)(*args)
    except Exception as e:  # noqa: BLE001
        ERRORS[name] = str(e).split("\n")[0]
    else:
        raise AssertionError(f"{name} is no error")


error("add", lambda k: k + k, KEYS)
error("addLax", lambda k: lax.add(k, k), KEYS)
error("mul", lambda k: lax.mul(k, k), KEYS)
error("neg", lambda k: -k, KEYS)
error("sin", lambda k: lax.sin(k), KEYS)
error("lt", lambda k: lax.lt(k, k), KEYS)
error("max", lambda k: lax.max(k, k), KEYS)
error("reduceSum", lambda k: lax.reduce_sum(k, axes=(0,)), KEYS)
error("convert", lambda k: lax.convert_element_type(k, jnp.uint32), KEYS)
error("clamp", lambda k: lax.clamp(k, k, k), KEY)
error("where", lambda k: jnp.where(True, k, 0), KEY)
error("grad", grad(lambda k: random.normal(k)), KEY)
error("splitMany", lambda k: random.split(k), KEYS)
error("normalMany", lambda k: random.normal(k), KEYS)
error("foldInMany", lambda k: random.fold_in(k, jnp.arange(3)), KEY)
error("floatKey", lambda k: random.normal(k), jnp.zeros(2))
error("keyMany", lambda s: random.key(s), jnp.zeros(2, int))
error("poissonRbg", lambda k: random.poisson(k, 3.0), random.key(0, impl="rbg"))
error("branches", lambda p, k: lax.cond(p, lambda: k, lambda: RAW), True, KEY)


def encode(value):
    value = jnp.asarray(value)
    if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        words = np.asarray(random.key_data(value))
        return {"dtype": str(value.dtype), "shape": list(value.shape), "data": words.ravel().tolist()}
    array = np.asarray(value)
    if array.dtype.kind == "c":
        values = array.view(np.float32).ravel().tolist()
    elif array.dtype.kind in "iub":
        values = [int(x) for x in array.ravel().tolist()]
    else:
        values = array.astype(np.float64).ravel().tolist()
        values = [float(f"{x:.8g}") if np.isfinite(x) else str(x) for x in values]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": values}


def main(path):
    cases = {name: [encode(leaf) for leaf in jax.tree.leaves(f())] for name, f in CASES.items()}
    jaxprs = {name: print_jaxpr(f, args) for name, (f, args) in JAXPRS.items()}
    recorded = {"jax": jax.__version__, "cases": cases, "jaxprs": jaxprs, "errors": ERRORS}
    text = json.dumps(recorded, separators=(",", ":"))
    with open(path, "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))
    print(f"{len(cases)} cases, {len(jaxprs)} jaxprs, {len(ERRORS)} errors, jax {jax.__version__}")


if __name__ == "__main__":
    main(sys.argv[1])
