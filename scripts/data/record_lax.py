"""Records what JAX computes for the cases of tests/lax.

    python scripts/data/record_lax.py tests/data/lax.json.gz

Every case has its counterpart of the same name in tests/lax. Inputs are the same sines on both
sides; results are flattened, and NaN and infinities are written as strings.
"""

import gzip
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import grad, hessian, jit, jvp, lax, vjp, vmap

jax.config.update("jax_platforms", "cpu")

CASES = {}


def case(name):
    def add(f):
        CASES[name] = f
        return f

    return add


def data(*shape, seed=0.0):
    count = int(np.prod(shape, dtype=np.int64))
    values = np.sin(1.7 * np.arange(1, count + 1) + seed)
    return jnp.asarray(values.astype(np.float32).reshape(shape))


def ints(*shape, modulus=7):
    count = int(np.prod(shape, dtype=np.int64))
    return jnp.asarray((np.arange(count) * 5 % modulus - 2).astype(np.int32).reshape(shape))


# --- Elementwise ------------------------------------------------------------------------------

UNARY = (
    "neg sign abs floor ceil exp exp2 expm1 sin cos tan asin acos atan sinh cosh tanh asinh atanh "
    "logistic cbrt square erf erfc erf_inv bessel_i0e bessel_i1e is_finite"
).split()
POSITIVE = "log log1p sqrt rsqrt acosh lgamma digamma".split()
BINARY = "add sub mul div rem max min atan2 eq ne lt le gt ge nextafter".split()
PARAMETRIC = "igamma igammac".split()
INTEGER = (
    "bitwise_and bitwise_or bitwise_xor shift_left shift_right_arithmetic shift_right_logical add "
    "div rem"
).split()

for name in UNARY:
    CASES[f"unary/{name}"] = lambda name=name: getattr(lax, name)(data(5) * 0.9)
for name in POSITIVE:
    CASES[f"unary/{name}"] = lambda name=name: getattr(lax, name)(data(5) + 2.5)
for name in BINARY:
    CASES[f"binary/{name}"] = lambda name=name: getattr(lax, name)(data(2, 3), data(2, 3, seed=1.0))
for name in PARAMETRIC:
    CASES[f"binary/{name}"] = lambda name=name: getattr(lax, name)(data(4) + 2, data(4, seed=1.0) + 2)
for name in INTEGER:
    CASES[f"integer/{name}"] = lambda name=name: getattr(lax, name)(ints(6), ints(6, modulus=5) + 3)
for name in ("bitwise_not", "population_count", "clz"):
    CASES[f"integer/{name}"] = lambda name=name: getattr(lax, name)(ints(6))


@case("elementwise/rest")
def _():
    x, y = data(4), data(4, seed=2.0)
    z = lax.complex(x, y)
    return [
        lax.round(x * 3),
        lax.round(x * 3, lax.RoundingMethod.TO_NEAREST_EVEN),
        lax.pow(x, 2),
        lax.pow(x + 2, y),
        lax.integer_pow(x, -3),
        lax.reciprocal(x),
        lax.betainc(x + 2, y + 2, jnp.float32([0.1, 0.4, 0.6, 0.9])),
        lax.real(z * z),
        lax.imag(lax.conj(z)),
        lax.select(x > y, x, y),
        lax.select_n(jnp.int32([0, 1, 2, 1]), x, y, x + y),
        lax.clamp(-0.5, x, 0.5),
        lax.convert_element_type(x * 10, jnp.int32),
        lax.bitcast_convert_type(x, jnp.int32),
        lax.reduce_precision(x, 5, 4),
        lax.add(x, 2.0),
        lax.mul(ints(3), 2),
    ]


# --- Shapes and slices ------------------------------------------------------------------------


@case("shapes")
def _():
    x = data(2, 3)
    return [
        lax.full((2, 2), 7, jnp.int32),
        lax.full_like(x, 2.5),
        lax.iota(jnp.int32, 4),
        lax.broadcasted_iota(jnp.float32, (2, 3), 1),
        lax.broadcast_in_dim(data(3), (2, 3), (1,)),
        lax.broadcast(x, (2,)),
        lax.reshape(x, (3, 2)),
        lax.reshape(x, (6,), dimensions=(1, 0)),
        lax.transpose(x, (1, 0)),
        lax.squeeze(data(1, 3, 1), (0, -1)),
        lax.expand_dims(x, (0, -1)),
        lax.collapse(data(2, 3, 2), 1),
        lax.rev(x, (1,)),
        lax.concatenate([x, x], 1),
        *lax.split(data(6), (2, 4)),
        lax.pad(x, 0.5, ((1, 0, 1), (-1, 2, 0))),
        lax.tile(x, (2, 1)),
    ]


@case("slices")
def _():
    x = data(4, 5)
    return [
        lax.slice(x, (1, 0), (3, 5), (1, 2)),
        lax.slice_in_dim(x, -3, None, 2, axis=1),
        lax.index_in_dim(x, -1, axis=0),
        lax.index_in_dim(x, 1, axis=1, keepdims=False),
        lax.dynamic_slice(x, (jnp.int32(3), 1), (2, 3)),
        lax.dynamic_slice(x, (jnp.int32(-2), -2), (2, 2)),
        lax.dynamic_slice_in_dim(x, jnp.int32(2), 2, axis=1),
        lax.dynamic_index_in_dim(x, jnp.int32(2), 0, False),
        lax.dynamic_update_slice(x, jnp.ones((2, 2)), (jnp.int32(1), 2)),
        lax.dynamic_update_slice_in_dim(x, jnp.ones((1, 5)), 2, 0),
        lax.dynamic_update_index_in_dim(x, jnp.ones(4), 3, 1),
    ]


@case("gather")
def _():
    x = data(4, 3)
    rows = lax.GatherDimensionNumbers(
        offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    index = jnp.int32([[2], [0], [9], [3]])
    take = lambda **options: lax.gather(x, index, rows, (1, 3), **options)
    return [
        take(),
        take(mode="clip"),
        take(mode="fill", fill_value=-1),
        lax.gather(ints(4, 3), index, rows, (1, 3)),
    ]


@case("scatter")
def _():
    x = data(4, 3)
    rows = lax.ScatterDimensionNumbers(
        update_window_dims=(1,), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,)
    )
    index = jnp.int32([[2], [0], [2], [9]])
    updates = data(4, 3, seed=3.0)
    functions = [lax.scatter_add, lax.scatter_mul, lax.scatter_min, lax.scatter_max, lax.scatter_sub]
    one = lax.scatter(x, jnp.int32([[1]]), jnp.ones((1, 3)), rows)
    clipped = lax.scatter_add(x, index, updates, rows, mode="clip")
    return [*(f(x, index, updates, rows) for f in functions), one, clipped]


# --- Reductions, windows, contractions, sorting -----------------------------------------------


@case("reductions")
def _():
    x = data(3, 4)
    bits = x > 0
    return [
        *(getattr(lax, f"reduce_{name}")(x, (0,)) for name in ("sum", "prod", "max", "min")),
        *(getattr(lax, f"reduce_{name}")(bits, (1,)) for name in ("and", "or", "xor")),
        lax.argmax(x, 1, jnp.int32),
        lax.argmin(x, 0, jnp.int32),
        lax.cumsum(x, 1),
        lax.cumprod(x, 0, reverse=True),
        lax.cummax(x, 1),
        lax.cummin(x, 1, reverse=True),
        lax.cumlogsumexp(x, 0),
        lax.reduce(x, 0.0, lax.add, (1,)),
        lax.reduce(x, -jnp.inf, lax.max, (0,)),
        lax.reduce(x, 1.0, lambda a, b: a * b + 0.0, (0, 1)),
        *lax.reduce(
            (x, lax.broadcasted_iota(jnp.int32, (3, 4), 1)),
            (-jnp.inf, 0),
            lambda a, b: (
                lax.select(a[0] >= b[0], a[0], b[0]),
                lax.select(a[0] >= b[0], a[1], b[1]),
            ),
            (1,),
        ),
    ]


@case("windows")
def _():
    x = data(5, 6)
    window = lambda f, init, *rest, **options: lax.reduce_window(x, init, f, *rest, **options)
    return [
        window(lax.add, 0.0, (2, 3), (1, 2), "VALID"),
        window(lax.add, 0.0, (2, 3), (2, 2), "SAME"),
        window(lax.max, -jnp.inf, (2, 2), (1, 1), "SAME_LOWER"),
        window(lax.min, jnp.inf, (2, 2), (2, 2), ((0, 1), (1, 0))),
        window(lax.add, 0.0, (2, 2), (1, 1), "VALID", window_dilation=(2, 1)),
        window(lambda a, b: a * b, 1.0, (2, 2), (1, 1), "VALID"),
    ]


@case("contractions")
def _():
    x, w = data(2, 6, 6, 3), data(3, 3, 3, 4, seed=1.0)
    layouts = ("NHWC", "HWIO", "NHWC")
    plain, kernel = data(1, 2, 5, 5), data(4, 2, 3, 3)
    return [
        lax.dot(data(3), data(3, seed=1.0)),
        lax.dot(data(2, 3), data(3, 2, seed=1.0)),
        lax.dot_general(data(2, 3, 4), data(2, 4, 2), (((2,), (1,)), ((0,), (0,)))),
        lax.batch_matmul(data(2, 3, 4), data(2, 4, 2)),
        lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=layouts),
        lax.conv_general_dilated(x, w, (2, 2), "VALID", dimension_numbers=layouts),
        lax.conv_general_dilated(
            x, w, (1, 1), ((2, 1), (0, 2)), rhs_dilation=(2, 1), dimension_numbers=layouts
        ),
        lax.conv_general_dilated(
            x, w, (1, 1), ((1, 1), (1, 1)), lhs_dilation=(2, 2), dimension_numbers=layouts
        ),
        lax.conv_general_dilated(
            data(1, 4, 4, 4), data(3, 3, 2, 6), (1, 1), "SAME",
            dimension_numbers=layouts, feature_group_count=2,
        ),
        lax.conv(plain, kernel, (1, 1), "SAME"),
    ]


@case("sorting")
def _():
    x = data(3, 5)
    keys, values = lax.sort_key_val(ints(7), jnp.arange(7))
    return [
        lax.sort(x),
        lax.sort(x, dimension=0),
        *lax.sort((ints(7) // 2, ints(7, modulus=5), jnp.arange(7)), num_keys=2),
        keys,
        values,
        *lax.top_k(x, 2),
        *lax.approx_max_k(x, 2),
        *lax.approx_min_k(x, 2),
    ]


@case("linalg")
def _():
    a = data(3, 3)
    spd = a @ a.T + 3 * jnp.eye(3)
    upper = jnp.triu(a) + 2 * jnp.eye(3)
    b = data(3, 2, seed=2.0)
    lu, pivots, permutation = lax.linalg.lu(a)
    return [
        lax.linalg.cholesky(spd),
        lax.linalg.eigh(spd)[1],
        lu,
        pivots,
        permutation,
        lax.linalg.svd(a, compute_uv=False),
        lax.linalg.triangular_solve(upper, b, left_side=True),
        lax.linalg.triangular_solve(upper, b[:, 0], left_side=True, transpose_a=True),
        lax.linalg.tridiagonal_solve(data(4), data(4, seed=1.0) + 4, data(4, seed=2.0), data(4, 1)),
    ]


@case("fft")
def _():
    x = data(2, 8)
    z = lax.fft(x.astype(jnp.complex64), "fft", (8,))
    return [
        lax.real(z),
        lax.imag(z),
        lax.imag(lax.fft(x, "rfft", (8,))),
        lax.fft(lax.fft(x, "rfft", (8,)), "irfft", (8,)),
    ]


# --- Control flow -----------------------------------------------------------------------------


def affine(c, x):
    y = jnp.sin(c * 0.7 + x)
    return y, y * y


def last(x0, xs):
    c, ys = lax.scan(affine, x0, xs)
    return c + ys.sum()


@case("scan")
def _():
    xs = data(4)
    x0 = jnp.float32(0.3)
    pair = lambda c, x: ((c[0] + x["a"], c[1] * 0.5), {"y": c[0] * c[1]})
    return [
        *lax.scan(affine, x0, xs),
        *lax.scan(affine, x0, xs, reverse=True),
        lax.scan(lambda c, _: (c * 2, c), 1.0, None, length=4),
        lax.scan(pair, (0.0, jnp.ones(2)), {"a": xs}),
        lax.scan(affine, x0, xs, unroll=2),
        lax.map(lambda x: x * x, xs),
        lax.map(lambda x: x * x, data(5), batch_size=2),
        lax.fori_loop(0, 5, lambda i, c: c * 1.5 + i, 1.0),
        lax.fori_loop(3, 1, lambda i, c: c * 2, 1.0),
        jit(lambda n: lax.fori_loop(0, n, lambda i, c: c + i, 0))(5),
        lax.while_loop(lambda c: c < 100, lambda c: c * 3, 1),
        lax.associative_scan(jnp.multiply, data(7) + 1.5),
        lax.associative_scan(jnp.add, data(3, 4), reverse=True, axis=1),
    ]


@case("scan derivatives")
def _():
    xs = data(4)
    x0 = jnp.float32(0.3)
    both = lambda f: grad(f, argnums=(0, 1))(x0, xs)
    first = grad(last)
    second = grad(first)
    return [
        *both(last),
        second(x0, xs),
        grad(second)(x0, xs),
        hessian(lambda xs: last(x0, xs))(xs),
        *jvp(last, (x0, xs), (jnp.float32(1), xs)),
        vmap(first, in_axes=(0, None))(data(3), xs),
        vmap(grad(jit(last)), in_axes=(None, 0))(x0, data(2, 4)),
        jit(vmap(first, in_axes=(0, None)))(data(3), xs),
        grad(lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * x, x))(x0),
        grad(lambda x: lax.map(lambda y: jnp.sin(x * y), xs).sum())(x0),
        grad(lambda x: lax.associative_scan(jnp.multiply, x).sum())(xs),
    ]


@case("branches")
def _():
    pick = lambda p, x: lax.cond(p, lambda x: jnp.sin(x), lambda x: x * x, x)
    three = lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, lambda x: x * x * x], x)
    x = jnp.float32(0.7)
    closed = lambda x: lax.cond(x > 0, lambda: x * x, lambda: -x)
    index = jnp.int32([-1, 0, 1, 2, 5])
    return [
        pick(True, x),
        pick(False, x),
        pick(2.0, x),
        *(three(i, x) for i in (-3, 0, 1, 2, 9)),
        grad(pick, argnums=1)(True, x),
        grad(grad(pick, argnums=1), argnums=1)(True, x),
        vmap(pick)(jnp.array([True, False]), data(2)),
        vmap(grad(pick, argnums=1))(jnp.array([True, False]), data(2)),
        vmap(pick, in_axes=(None, 0))(True, data(2)),
        vmap(three, in_axes=(0, None))(index, x),
        vmap(grad(three, argnums=1), in_axes=(0, None))(index, x),
        grad(closed)(x),
        grad(closed)(-x),
    ]


@case("whileLoop")
def _():
    def steps(x):
        return lax.while_loop(
            lambda c: c[1] < 10.0, lambda c: (c[0] + 1, c[1] * x), (jnp.int32(0), jnp.float32(1))
        )

    xs = jnp.float32([1.5, 2.0, 3.0])
    return [
        steps(jnp.float32(1.5)),
        vmap(steps)(xs),
        vmap(lambda n: lax.fori_loop(0, n, lambda i, c: c * 2.0, 1.0))(jnp.arange(4)),
        jvp(lambda x: steps(x)[1], (jnp.float32(1.5),), (jnp.float32(1),)),
        vmap(lambda x: jvp(lambda x: steps(x)[1], (x,), (jnp.float32(1),))[1])(xs),
    ]


# --- Functions with rules of their own --------------------------------------------------------


@case("customJvp")
def _():
    @jax.custom_jvp
    def softplus(x):
        return jnp.log(1.0 + jnp.exp(x))

    @softplus.defjvp
    def _(primals, tangents):
        return softplus(*primals), tangents[0] * lax.logistic(primals[0])

    @jax.custom_jvp
    def product(x, y):
        return jnp.sin(x) * y

    product.defjvps(lambda t, ans, x, y: 2.0 * jnp.cos(x) * y * t, lambda t, ans, x, y: jnp.sin(x) * t)
    first = grad(softplus)
    x = jnp.float32(0.4)
    return [
        softplus(x),
        first(x),
        first(jnp.float32(100)),
        grad(first)(x),
        grad(grad(first))(x),
        jvp(softplus, (x,), (jnp.float32(2),)),
        vmap(first)(data(3)),
        vmap(grad(jit(softplus)))(data(3)),
        grad(product, argnums=(0, 1))(x, 3.0),
        grad(lambda x: lax.scan(lambda c, y: (softplus(c * y), c), x, data(3))[0])(x),
        grad(grad(lambda x: lax.scan(lambda c, y: (softplus(c * y), c), x, data(3))[0]))(x),
    ]


@case("customVjp")
def _():
    @jax.custom_vjp
    def f(x, y):
        return jnp.sin(x) * y

    f.defvjp(
        lambda x, y: (f(x, y), {"c": jnp.cos(x), "s": jnp.sin(x), "y": y}),
        lambda r, g: (2.0 * r["c"] * r["y"] * g, r["s"] * g),
    )
    x, y = jnp.float32(0.4), jnp.float32(3)
    return [
        f(x, y),
        grad(f, argnums=(0, 1))(x, y),
        grad(grad(f))(x, y),
        vmap(grad(f, argnums=(0, 1)), in_axes=(0, None))(data(3), y),
        grad(lambda y: vmap(f, in_axes=(0, None))(data(3), y).sum())(y),
        grad(lambda x: lax.scan(lambda c, z: (f(c, z), c), x, data(3))[0])(x),
        jit(grad(f))(x, y),
    ]


@case("solves")
def _():
    a = data(3, 3) + 3 * jnp.eye(3)
    b = data(3, seed=2.0)
    upper = lambda m, v: lax.linalg.triangular_solve(m, v, left_side=True)

    def solve(m, b):
        t = jnp.triu(m)
        return lax.custom_linear_solve(
            lambda x: t @ x,
            b,
            lambda _, b: upper(t, b),
            transpose_solve=lambda _, b: lax.linalg.triangular_solve(
                t, b, left_side=True, transpose_a=True
            ),
        )

    loss = lambda m, b: (solve(m, b) ** 2).sum()
    root = lambda a: lax.custom_root(
        lambda x: x * x - a,
        1.0,
        lambda f, x: lax.fori_loop(0, 12, lambda i, x: x - f(x) / (2.0 * x), x),
        lambda g, y: y / g(1.0),
    )
    return [
        solve(a, b),
        grad(loss, argnums=(0, 1))(a, b),
        grad(lambda b: grad(loss)(a, b).sum())(b),
        jvp(solve, (a, b), (a * a, b)),
        vmap(grad(loss), in_axes=(None, 0))(a, data(2, 3)),
        vmap(root)(jnp.float32([2.0, 9.0])),
        vmap(grad(root))(jnp.float32([2.0, 9.0])),
        grad(grad(root))(jnp.float32(9)),
    ]


@case("collectives")
def _():
    x, m = data(3), data(3, 3)
    mapped = lambda f, *args: vmap(f, axis_name="i")(*args)
    turn = [(0, 1), (1, 2), (2, 0)]
    sums = lambda x: lax.psum(x * x, "i")
    return [
        mapped(sums, x),
        mapped(lambda x: lax.pmean(x, "i"), m),
        mapped(lambda x: lax.pmax(x, "i"), m),
        mapped(lambda x: lax.pmin(x, "i"), m),
        mapped(lambda x: lax.all_gather(x, "i", axis=1), m),
        mapped(lambda x: lax.all_gather(x, "i", tiled=True), m),
        mapped(lambda x: lax.psum_scatter(x, "i"), m),
        mapped(lambda x: lax.psum_scatter(x, "i", tiled=True), m),
        mapped(lambda x: lax.ppermute(x, "i", turn), m),
        mapped(lambda x: lax.all_to_all(x, "i", 0, 0), m),
        mapped(lambda x: lax.all_to_all(x, "i", 0, 1, tiled=True), data(3, 3, 2)),
        mapped(lambda x: x * lax.axis_index("i"), x),
        mapped(grad(sums), x),
        grad(lambda x: mapped(sums, x).sum())(x),
        mapped(lambda x: jvp(sums, (x,), (x,)), x),
        mapped(grad(lambda x: (lax.all_gather(x, "i") ** 2).sum()), x),
        mapped(grad(lambda x: lax.ppermute(x * x, "i", turn)), x),
        mapped(grad(lambda x: (lax.all_to_all(x, "i", 0, 0) ** 2 * x).sum()), m),
        mapped(lambda x: lax.fori_loop(0, 2, lambda i, c: c + lax.psum(c, "i"), x), x),
        vmap(vmap(lambda x: lax.psum(x, ("i", "j")), axis_name="j"), axis_name="i")(m),
        vmap(vmap(lambda x: lax.psum(x, "i"), axis_name="j"), axis_name="i")(m),
    ]


# --- Breadth ------------------------------------------------------------------------------------


@case("conv/transposed")
def _():
    x, k = data(1, 3, 4, 2), data(3, 2, 2, 3, seed=1.0)
    wide = data(2, 4, 5, 2)
    return [
        lax.conv_transpose(x, k, (2, 2), "SAME"),
        lax.conv_transpose(x, k, (2, 3), "VALID"),
        lax.conv_transpose(x, k, (1, 2), [(1, 2), (0, 1)]),
        lax.conv_transpose(x, k, (2, 2), "VALID", rhs_dilation=(2, 1)),
        lax.conv_transpose(x, data(3, 2, 3, 2), (2, 2), "SAME", transpose_kernel=True),
        lax.conv_transpose(x, k, (2, 2), [(1, 1), (0, 1)], use_consistent_padding=True),
        lax.conv_transpose(data(2, 5, 2), data(3, 2, 3), (2,), "SAME"),
        lax.conv_transpose(data(2, 2, 4, 5), data(3, 2, 3, 3), (2, 1), "SAME",
                           dimension_numbers=("NCHW", "OIHW", "NCHW")),
        grad(lambda k: lax.conv_transpose(wide, k, (2, 2), "SAME").sum())(k),
    ]


@case("conv/patches")
def _():
    x, nhwc = data(2, 3, 5, 6), ("NHWC", "OIHW", "NHWC")
    return [
        lax.conv_general_dilated_patches(x, (2, 3), (1, 1), "VALID"),
        lax.conv_general_dilated_patches(x, (2, 2), (2, 1), "SAME"),
        lax.conv_general_dilated_patches(x, (2, 2), (1, 1), [(0, 1), (1, 0)], rhs_dilation=(2, 1)),
        lax.conv_general_dilated_patches(data(2, 5, 6, 3), (2, 2), (1, 1), "VALID", dimension_numbers=nhwc),
        lax.conv_general_dilated_patches(data(1, 2, 7), (3,), (2,), "VALID"),
        lax.conv_general_dilated_local(data(2, 3, 4, 5), data(4, 12, 3, 4), (1, 1), "VALID", (2, 2)),
        lax.conv_general_dilated_local(data(2, 4, 5, 3), data(3, 4, 12, 4), (1, 1), "VALID", (2, 2),
                                       dimension_numbers=("NHWC", "HWIO", "NHWC")),
    ]


@case("conv/shapes")
def _():
    shapes = [
        lax.conv_shape_tuple((2, 3, 8, 9), (4, 3, 3, 2), (1, 2), "SAME"),
        lax.conv_shape_tuple((2, 3, 8, 9), (4, 3, 3, 2), (1, 2), [(1, 0), (0, 0)]),
        lax.conv_general_shape_tuple((2, 8, 9, 3), (3, 2, 3, 4), (2, 1), "VALID", ("NHWC", "HWIO", "NHWC")),
        lax.conv_transpose_shape_tuple((2, 8, 9, 3), (3, 2, 3, 4), (2, 1), "SAME", ("NHWC", "HWIO", "NHWC")),
        lax.conv_transpose_shape_tuple((2, 8, 9, 3), (3, 2, 3, 4), (2, 1), [(1, 1), (0, 1)], ("NHWC", "HWIO", "NCHW")),
        lax.reduce_window_shape_tuple((8, 9), (3, 2), (2, 1), [(0, 1), (1, 0)], (2, 1), (1, 2)),
        *lax.conv_general_permutations(("NHWC", "HWIO", "NCHW")),
        *lax.padtype_to_pads((8, 9), (3, 2), (2, 1), "SAME"),
    ]
    return [jnp.array(shape, jnp.int32) for shape in shapes]


@case("dot/ragged")
def _():
    sizes = jnp.array([2, 0, 3], jnp.int32)
    numbers = lax.RaggedDotDimensionNumbers
    mode2 = numbers((((0,), (0,)), ((), ())), [0], [])
    return [
        lax.ragged_dot(data(5, 4), data(3, 4, 2), sizes),
        lax.ragged_dot(data(6, 4), data(3, 4, 2), sizes),
        lax.ragged_dot_general(data(5, 4), data(5, 2), sizes, mode2),
        grad(lambda x: (lax.ragged_dot(x, data(3, 4, 2), sizes) ** 2).sum())(data(5, 4)),
        lax.scaled_dot(data(4, 8), data(8, 3), lhs_scale=data(4, 2) + 2, rhs_scale=data(2, 3) + 2,
                       preferred_element_type=jnp.float32),
        lax.scaled_dot(data(2, 4, 8), data(2, 8, 3), lhs_scale=data(2, 4, 4) + 2,
                       preferred_element_type=jnp.float32),
    ]


@case("scatter/apply")
def _():
    rows = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    points = lax.ScatterDimensionNumbers((), (0,), (0,))
    return [
        lax.scatter_apply(data(4, 3), jnp.array([[1], [3]]), lambda x: x * 2 + 1, rows, update_shape=(2, 3)),
        lax.scatter_apply(data(5), jnp.array([[1], [1], [4]]), lambda x: x * x, points, update_shape=(3,)),
        lax.index_take(data(4, 3), (jnp.array([0, -1, 5]), jnp.array([2, 1, -3])), (0, 1)),
        lax.index_take(data(4, 3, 2), (jnp.array([0, -1]),), (0,)),
    ]


@case("window/select")
def _():
    from jax._src.lax import windowed_reductions

    select = windowed_reductions._select_and_scatter
    x, source = data(4, 6), data(2, 3, seed=2.0)
    pads = [(0, 0), (0, 0)]
    return [
        select(x, lax.ge, (2, 2), (2, 2), pads, source, jnp.float32(0), lax.add),
        select(x, lax.le, (2, 2), (2, 2), pads, source, jnp.float32(1), lax.mul),
        select(x, lambda a, b: jnp.abs(a) >= jnp.abs(b), (3, 2), (1, 2), pads, data(2, 3), jnp.float32(0), lax.add),
    ]


@case("shapes/more")
def _():
    return [
        lax.broadcast_like(data(3), data(2, 3)),
        lax.broadcast_to_rank(data(3), 3),
        lax.shape_as_value((2, 3)),
        lax.shape_as_value(()),
        lax.random_gamma_grad(data(3) + 2, data(3, seed=1.0) + 2),
        lax.composite(lambda x: jnp.sin(x) * 2, "my.sine")(data(3)),
        lax.platform_dependent(data(3), cpu=jnp.sin, default=jnp.cos),
    ]


@case("collectives/more")
def _():
    x, m = data(3), data(3, 3)
    return [
        vmap(lambda x: lax.pshuffle(x, "i", [2, 0, 1]), axis_name="i")(x),
        vmap(lambda x: lax.pswapaxes(x, "i", 0), axis_name="i")(m),
        vmap(lambda x: jnp.where(lax.axis_index("i") >= 0, lax.psum(x * (lax.axis_index("i") == 1), "i"), 0), axis_name="i")(m),
    ]


# --- nn -----------------------------------------------------------------------------------------


@case("nn/activations")
def _():
    nn, x = jax.nn, data(8) * 3
    names = "celu hard_tanh hard_sigmoid hard_silu hard_swish identity mish sparse_plus sparse_sigmoid squareplus"
    functions = [getattr(nn, name) for name in names.split()]
    return [
        *[f(x) for f in functions],
        nn.celu(x, 0.5),
        nn.squareplus(x, 1.0),
        nn.log1mexp(jnp.abs(x)),
        nn.glu(x),
        nn.glu(data(4, 3), axis=0),
        nn.logmeanexp(x),
        nn.logmeanexp(data(2, 3), axis=1, keepdims=True),
        *[grad(lambda x: f(x).sum())(x) for f in functions],
    ]


@case("nn/attention")
def _():
    attend = jax.nn.dot_product_attention
    q, k, v = data(2, 4, 4, 3), data(2, 5, 4, 3, seed=1.0), data(2, 5, 4, 3, seed=2.0)
    few, other = data(2, 5, 2, 3, seed=1.0), data(2, 5, 2, 3, seed=2.0)
    mask = data(2, 1, 4, 5) > -0.3
    return [
        attend(q, k, v),
        attend(q, few, other),
        attend(q, k, v, bias=data(1, 4, 4, 5), scale=0.5),
        attend(q, k, v, mask=mask),
        attend(q, k, v, is_causal=True),
        attend(q, k, v, local_window_size=1),
        attend(q, k, v, local_window_size=(2, 0)),
        attend(q, k, v, query_seq_lengths=jnp.array([2, 4]), key_value_seq_lengths=jnp.array([3, 5])),
        attend(q[0], k[0], v[0]),
        attend(q, k, v, return_residual=True),
        grad(lambda q: attend(q, k, v, is_causal=True).sum())(q),
        jax.nn.scaled_dot_general(data(2, 3), data(3, 4), (((1,), (0,)), ((), ()))),
    ]


@case("nn/initializers")
def _():
    init, key = jax.nn.initializers, jax.random.key(3)
    names = "glorot_uniform glorot_normal lecun_uniform lecun_normal he_uniform he_normal orthogonal delta_orthogonal"
    return [
        *[getattr(init, name)()(key, (3, 2, 4)) for name in names.split()],
        init.zeros(key, (2,)),
        init.ones(key, (2,)),
        init.constant(2.5)(key, (2,)),
        init.uniform()(key, (3,)),
        init.normal(0.5)(key, (3,)),
        init.truncated_normal(0.5, lower=-1.0, upper=1.5)(key, (3,)),
        init.variance_scaling(2.0, "fan_out", "normal")(key, (3, 4)),
        init.variance_scaling(2.0, "fan_geo_avg", "uniform", in_axis=0, out_axis=(1, 2), batch_axis=3)(key, (3, 4, 2, 2)),
        init.orthogonal(2.0, column_axis=0)(key, (4, 3)),
    ]


# --- Writing ------------------------------------------------------------------------------------


def encode(value):
    array = np.asarray(value)
    number = lambda x: x if np.isfinite(x) else str(x)
    values = array.astype(np.float64).ravel().tolist()
    if array.dtype in (np.int32, np.bool_):
        values = [int(x) for x in values]
    else:
        values = [number(float(f"{x:.8g}")) for x in values]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": values}


def main(path):
    recorded = {name: [encode(leaf) for leaf in jax.tree.leaves(f())] for name, f in CASES.items()}
    text = json.dumps({"jax": jax.__version__, "cases": recorded}, separators=(",", ":"))
    with open(path, "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))
    print(f"{len(recorded)} cases, jax {jax.__version__}")


if __name__ == "__main__":
    main(sys.argv[1])
