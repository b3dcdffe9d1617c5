"""Records what JAX computes with the elementwise primitives, for tests/primitives/elementwise*.

Usage: python scripts/data/make_elementwise.py | gzip -9n > tests/data/elementwise.json.gz
Needs jax. A case holds a primitive with its parameters as printed in a jaxpr, and arrays as base64
of their little-endian bytes. `known` lists the inputs to be given as literals (they are uniform),
`jvp` is the derivative in the direction of `tangents`, `subnormals` marks what needs such numbers.
"""

import base64
import itertools
import json
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax
from jax._src.lax import lax as internal_lax

CASES = []
NAN, INF = float("nan"), float("inf")
FLOATS = [
    NAN,
    INF,
    -INF,
    0.0,
    -0.0,
    1e-30,
    1e-8,
    -1e-5,
    1e-3,
    0.25,
    -0.25,
    0.49999997,
    0.5,
    -0.5,
    0.75,
    0.999,
    1.0,
    -1.0,
    1.5,
    -1.5,
    2.0,
    2.5,
    -2.5,
    3.0,
    -3.7,
    7.3,
    -7.3,
    20.0,
    -20.0,
    88.0,
    -87.0,
    100.5,
    1234.5,
    3e9,
    -3e9,
    2147483648.0,
    1e10,
    -1e10,
    1e19,
    3e38,
    -3e38,
]
SHORT = [
    NAN,
    INF,
    -INF,
    0.0,
    -0.0,
    1e-30,
    -0.5,
    0.5,
    1.0,
    -1.0,
    2.0,
    -2.5,
    3.0,
    7.3,
    -88.0,
    1e10,
    3e38,
]
SMOOTH = [-2.3, -1.1, -0.7, -0.2, 0.1, 0.3, 0.6, 0.9, 1.2, 2.4, 3.3]
POSITIVE = [0.1, 0.3, 0.6, 0.9, 1.2, 2.4, 3.3, 6.1, 12.5]
UNIT = [-0.95, -0.6, -0.1, 0.05, 0.4, 0.8]


def describe(x):
    x = np.asarray(x)
    return {
        "dtype": str(x.dtype),
        "shape": list(x.shape),
        "bytes": base64.b64encode(np.ascontiguousarray(x).tobytes()).decode(),
    }


def case(name, f, inputs, params=None, rtol=0.0, atol=0.0, tangents=None, **extra):
    inputs = [jnp.asarray(x) for x in inputs]
    entry = {
        "primitive": name,
        "params": params or {},
        "inputs": [describe(x) for x in inputs],
        "rtol": rtol,
        "atol": atol,
        **extra,
    }
    if tangents is None:
        out = f(*inputs)
    else:
        tangents = [jnp.asarray(t) for t in tangents]
        out, tangent = jax.jvp(f, tuple(inputs), tuple(tangents))
        entry["tangents"] = [describe(t) for t in tangents]
        entry["jvp"] = describe(tangent)
    entry["outputs"] = [describe(out)]
    CASES.append(entry)


def floats(values, dtype):
    return np.array(values, np.float32).astype(dtype)


def integers(dtype, short=False):
    info = np.iinfo(dtype)
    values = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 5, 7, 10, 100]
    if not short:
        values += [
            info.max // 2,
            info.max // 3,
            info.max - 255,
            16777217,
            33554431,
            65535,
            65536,
            123456789,
            987654321,
            2147483648,
            3000000000,
        ]
    values += [-v for v in values]
    return np.array(sorted({v for v in values if info.min <= v <= info.max}), dtype)


def pairs(values, other=None):
    a, b = zip(*itertools.product(values, values if other is None else other))
    return np.array(a, values.dtype), np.array(b, values.dtype if other is None else other.dtype)


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32]
SMALL_FLOATS = [ml_dtypes.bfloat16, np.float16]


def direction(values):
    return floats(np.linspace(-1.0, 1.3, len(values)), np.float32)


def unary():
    smooth = {
        "exp": SMOOTH,
        "log": POSITIVE,
        "expm1": SMOOTH,
        "log1p": POSITIVE,
        "tanh": SMOOTH,
        "sin": SMOOTH,
        "cos": SMOOTH,
        "tan": SMOOTH,
        "asin": UNIT,
        "acos": UNIT,
        "atan": SMOOTH,
        "sinh": SMOOTH,
        "cosh": SMOOTH,
        "asinh": SMOOTH,
        "acosh": [1.1, 1.7, 3.3, 20.0],
        "atanh": UNIT,
        "logistic": SMOOTH,
        "sqrt": POSITIVE,
        "rsqrt": POSITIVE,
        "cbrt": SMOOTH,
        "square": SMOOTH,
        "exp2": SMOOTH,
        "neg": SMOOTH,
        "sign": SMOOTH,
        "abs": SMOOTH,
        "floor": SMOOTH,
        "ceil": SMOOTH,
        "erf": SMOOTH,
        "erfc": SMOOTH,
        "erf_inv": UNIT,
        "lgamma": POSITIVE,
        "digamma": POSITIVE,
        "bessel_i0e": SMOOTH + [5.0, -6.5],
        "bessel_i1e": SMOOTH + [5.0, -6.5],
    }
    exact = {"neg", "sign", "abs", "floor", "ceil", "sqrt"}
    special = {"erf", "erfc", "erf_inv", "lgamma", "digamma", "bessel_i0e", "bessel_i1e"}
    for name, points in smooth.items():
        f = getattr(lax, name)
        rtol = 0.0 if name in exact else 1e-4 if name in special else 2e-5
        values = FLOATS
        if name in ("sin", "cos", "tan"):
            values = [v for v in FLOATS if not 1e4 < abs(v) < INF]
        case(name, f, [floats(values, np.float32)], rtol=rtol, atol=0.0 if name in exact else 1e-6)
        case(name, f, [floats(SMOOTH, ml_dtypes.bfloat16)], rtol=1.6e-2, atol=1e-2)
        x = floats(points, np.float32)
        case(name, f, [x], rtol=1e-4, atol=1e-5, tangents=[direction(points)])
    for method in (0, 1):
        method_name = ["AWAY_FROM_ZERO", "TO_NEAREST_EVEN"][method]
        case(
            "round",
            lambda x: lax.round(x, lax.RoundingMethod(method)),
            [floats(FLOATS, np.float32)],
            {"rounding_method": method_name},
        )
    case("is_finite", lax.is_finite, [floats(FLOATS, np.float32)])
    for y in (-3, -1, 0, 1, 2, 3, 5, 8):
        case(
            "integer_pow",
            lambda x: lax.integer_pow(x, y),
            [floats(SHORT, np.float32)],
            {"y": y},
            rtol=1e-5,
            atol=1e-37,
        )
        case(
            "integer_pow",
            lambda x: lax.integer_pow(x, y),
            [floats(SMOOTH, np.float32)],
            {"y": y},
            rtol=1e-5,
            atol=1e-6,
            tangents=[direction(SMOOTH)],
        )
    for dtype in INTEGERS:
        x = integers(dtype)
        for name in ("neg", "sign", "not", "population_count", "clz", "square"):
            f = {"not": lax.bitwise_not}.get(name) or getattr(lax, name)
            case(name, f, [x])
        for y in (2, 3, 5):
            case("integer_pow", lambda x: lax.integer_pow(x, y), [x], {"y": y})
        if np.issubdtype(dtype, np.signedinteger):
            case("abs", lax.abs, [x])


def binary():
    f32 = pairs(floats(SHORT, np.float32))
    for name in ("add", "sub", "mul", "div", "rem", "max", "min", "pow", "atan2", "nextafter"):
        f = getattr(lax, name)
        rtol = {"pow": 2e-5, "atan2": 1e-5}.get(name, 1e-6)
        if name == "rem":
            a, b = pairs(floats([v for v in SHORT if not 1e9 < abs(v) < INF], np.float32))
            case(name, f, [a, b], rtol=1e-6)
        else:
            case(
                name,
                f,
                list(f32),
                rtol=0.0 if name in ("max", "min", "nextafter") else rtol,
                atol=1e-37,
            )
        if name == "nextafter":
            for dtype in SMALL_FLOATS:
                case(
                    name,
                    f,
                    list(pairs(floats([NAN, INF, -INF, 0, 1, -1, 2.5, 65504, -3e-5], dtype))),
                )
            continue
        points = POSITIVE if name == "pow" else SMOOTH
        a, b = pairs(floats(points, np.float32))
        if name in ("max", "min"):
            a, b = pairs(floats([1.0, 2.0, -3.0], np.float32))
        case(
            name,
            f,
            [a, b],
            rtol=1e-4,
            atol=1e-5,
            tangents=[direction(a), direction(b)[::-1].copy()],
        )
    base, exponent = pairs(
        floats([-2.5, -1.0, 0.0, 0.5, 1.0, 3.0], np.float32),
        np.array([-3, -1, 0, 1, 2, 7], np.int32),
    )
    case("pow", lax.pow, [base, exponent], rtol=1e-5)
    for dtype in INTEGERS:
        a, b = pairs(integers(dtype, short=np.dtype(dtype).itemsize > 4))
        for name in ("add", "sub", "mul", "div", "rem", "max", "min", "and", "or", "xor"):
            f = getattr(
                lax,
                {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}.get(name, name),
            )
            case(name, f, [a, b])
        for name in ("eq", "ne", "lt", "le", "gt", "ge"):
            case(name, getattr(lax, name), [a, b])
        bits = np.iinfo(dtype).bits
        amounts = [0, 1, 2, 5, 7, 8, 15, 16, 23, 30, 31, 32, 33, 63]
        amounts = [k for k in amounts if k <= np.iinfo(dtype).max]
        amounts += [-1] if np.issubdtype(dtype, np.signedinteger) else []
        a, b = pairs(integers(dtype), np.array(amounts, dtype))
        for name in ("shift_left", "shift_right_logical", "shift_right_arithmetic"):
            case(name, getattr(lax, name), [a, b])
        x = integers(dtype)
        # Known second arguments take shorter ways.
        for k in sorted({0, 1, 3, 7, bits // 2, bits - 1, bits, bits + 1} & set(range(128))):
            for name in ("shift_left", "shift_right_logical", "shift_right_arithmetic"):
                case(name, getattr(lax, name), [x, np.full_like(x, k)], known=[1])
        info = np.iinfo(dtype)
        masks = [0, 1, 15, 0x55, info.max, info.max - 1, info.min] + (
            [0xFF00FF, 0x7FFFFFFF, 0x12345678] if bits == 32 else []
        )
        masks += [-1, -16] if info.min < 0 else []
        for mask in sorted(set(masks)):
            for name in ("and", "or", "xor"):
                case(name, getattr(lax, "bitwise_" + name), [x, np.full_like(x, mask)], known=[1])
        divisors = [1, 2, 3, 7, 16, 100, info.max, 0] + (
            [-1, -2, -3, info.min] if info.min < 0 else [info.max - 1]
        )
        divisors += [65536, 1000003, 16777216, 33554433] if bits == 32 else []
        for divisor in divisors:
            for name in ("div", "rem", "mul", "max", "lt"):
                case(name, getattr(lax, name), [x, np.full_like(x, divisor)], known=[1])
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        case(name, getattr(lax, name), list(f32))
        a, b = pairs(np.array([False, True]))
        case(name, getattr(lax, name), [a, b])
    a, b = pairs(np.array([False, True]))
    for name in ("and", "or", "xor", "max", "min"):
        f = getattr(
            lax, {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}.get(name, name)
        )
        case(name, f, [a, b])
    case("not", lax.bitwise_not, [np.array([False, True])])


def rare():
    """Primitives without a function of their own in jax.lax."""
    bind = lambda name: lambda *args: getattr(internal_lax, name + "_p").bind(*args)
    for dtype in INTEGERS:
        a, b = pairs(integers(dtype))
        case("mulhi", bind("mulhi"), [a, b])
    ordered = floats([-INF, -3.0, -1e-30, 0.0, 1e-30, 2.0, INF, NAN], np.float32)
    for name in ("eq_to", "le_to", "lt_to"):
        case(name, bind(name), list(pairs(ordered)))
        case(name, bind(name), list(pairs(integers(np.uint32))))
    z = np.array([1 + 2j, 1 - 2j, -3 + 1j, 0.5 - 1j], np.complex64)
    for name in ("max", "min"):
        case(name, getattr(lax, name), list(pairs(z)))


def gamma():
    a = floats([0.01, 0.1, 0.5, 1.0, 2.5, 7.0, 15.0, 29.9, 31.0, 60.0, 150.0], np.float32)
    x = floats(
        [0.001, 0.1, 0.9, 1.1, 2.0, 6.0, 7.5, 14.0, 28.0, 33.0, 55.0, 70.0, 140.0, 170.0],
        np.float32,
    )
    special = floats([0.0, 1.0, INF, NAN, -1.0], np.float32)
    for name in ("igamma", "igammac", "igamma_grad_a"):
        f = getattr(lax, name)
        case(name, f, list(pairs(a, x)), rtol=2e-3 if "grad" in name else 5e-4, atol=1e-5)
        if "grad" not in name:
            case(name, f, list(pairs(special)), rtol=1e-4)
    p, q = pairs(floats([0.5, 2.0, 7.0], np.float32), floats([0.3, 1.5, 8.0], np.float32))
    case("igamma", lax.igamma, [p, q], rtol=1e-3, atol=1e-5, tangents=[direction(p), direction(q)])
    case(
        "igammac", lax.igammac, [p, q], rtol=1e-3, atol=1e-5, tangents=[direction(p), direction(q)]
    )
    grid = list(
        itertools.product(
            [0.1, 0.5, 1.0, 3.0, 20.0, 90.0],
            [0.2, 1.0, 2.5, 30.0, 80.0],
            [0.0, 0.01, 0.2, 0.5, 0.77, 0.99, 1.0],
        )
    )
    abx = [floats(v, np.float32) for v in zip(*grid)]
    case("regularized_incomplete_beta", lax.betainc, abx, rtol=1e-3, atol=1e-5)
    case(
        "regularized_incomplete_beta",
        lax.betainc,
        [
            floats(v, np.float32)
            for v in zip(
                *[
                    (0.0, 1, 0.5),
                    (1, 0.0, 0.5),
                    (-1, 1, 0.5),
                    (1, 1, 1.5),
                    (1, 1, NAN),
                    (INF, 1, 0.5),
                    (1, INF, 0.5),
                    (0.0, 0.0, 0.5),
                ]
            )
        ],
        rtol=1e-3,
    )
    s, q = pairs(
        floats([0.5, 1.0, 1.5, 2.0, 3.0, 7.5, 30.0], np.float32),
        floats([0.1, 0.9, 1.0, 2.5, 20.0, 0.0, -1.0, -1.5], np.float32),
    )
    case("zeta", lax.zeta, [s, q], rtol=1e-4, atol=1e-37)
    m, x = pairs(
        floats([0.0, 1.0, 2.0, 5.0, 0.5, -1.0], np.float32),
        floats([0.1, 0.9, 1.0, 2.5, 20.0], np.float32),
    )
    case("polygamma", lax.polygamma, [m, x], rtol=1e-4)


def conversions():
    for old in (np.bool_, *INTEGERS, np.float32, *SMALL_FLOATS):
        if old == np.bool_:
            x = np.array([False, True])
        elif np.issubdtype(old, np.integer):
            x = integers(old)
        else:
            values = FLOATS + [
                300.7,
                -300.7,
                1.9,
                -1.9,
                127.5,
                128.0,
                255.9,
                65503.9,
                65504,
                65519.9,
                65520,
                70000,
                2147483520.0,
                4294967040.0,
                4294967296.0,
                1.00390625,
                1.01171875,
                3.1415927,
                6e-5,
                3e-5,
                5.9e-8,
                2.9e-8,
            ]
            with np.errstate(all="ignore"):
                x = floats(values, old)
        for new in (
            np.bool_,
            *INTEGERS,
            np.float32,
            *SMALL_FLOATS,
            ml_dtypes.float8_e4m3fn,
            ml_dtypes.float8_e5m2,
        ):
            new_name = np.dtype(new).name
            case(
                "convert_element_type",
                lambda x: lax.convert_element_type(x, new),
                [x],
                {"new_dtype": new_name, "weak_type": False},
            )
    tiny = np.array([1, 0x7FFFFF, 0x00012345, 0x80000001], np.uint32)
    bits32 = np.array(
        [
            0,
            0x800000,
            0x80800000,
            0x3F800000,
            0x3F800001,
            0x3FFFFFFF,
            0x7F7FFFFF,
            0x7F800000,
            0x40490FDB,
            0xC0490FDB,
            0xFF7FFFFF,
            0xFF800000,
        ],
        np.uint32,
    )
    bits16 = np.array(
        [
            0,
            1,
            0x3FF,
            0x400,
            0x3C00,
            0x3C01,
            0x7BFF,
            0x7C00,
            0xC000,
            0xFBFF,
            0xFC00,
            0x1234,
            0x8001,
        ],
        np.uint16,
    )

    def cast(x, new, **extra):
        case(
            "bitcast_convert_type",
            lambda x: lax.bitcast_convert_type(x, new),
            [x],
            {"new_dtype": np.dtype(new).name},
            **extra
        )

    # TensorFlow and GPUs have no subnormal numbers.
    cast(tiny, np.float32, subnormals=True)
    cast(tiny.view(np.float32), np.uint32, subnormals=True)
    for new in (np.float32, np.int32, np.uint16, np.int16, np.uint8, np.int8):
        cast(bits32, new)
    for new in (np.uint32, np.int32, np.int16, np.uint8):
        cast(bits32.view(np.float32), new)
    for small in SMALL_FLOATS:
        cast(bits16, small)
        normal = (
            bits16
            if small is np.float16
            else np.array([b for b in bits16 if b & 0x7F80 or not b & 0x7F], np.uint16)
        )
        cast(normal.view(small), np.uint16)
        cast(normal.view(small), np.uint8)
    cast(bits32.view(np.uint8).reshape(-1, 4), np.uint32)
    cast(bits32.view(np.uint8).reshape(-1, 4), np.float32)
    cast(bits32.view(np.int16).reshape(-1, 2), np.int32)
    for exponent, mantissa in ((8, 7), (5, 10), (5, 2), (4, 3), (8, 23), (3, 5)):
        x = floats(
            [v for v in FLOATS if abs(v) > 1e-20 or v == 0]
            + [65519.9, 65520, 6.2e-5, 6e-5, 1.00390625, 1.01171875, 15.9, 240.0],
            np.float32,
        )
        case(
            "reduce_precision",
            lambda x: lax.reduce_precision(x, exponent, mantissa),
            [x],
            {"exponent_bits": exponent, "mantissa_bits": mantissa},
        )


def choices():
    x = floats(FLOATS, np.float32)
    case("clamp", lax.clamp, [np.full_like(x, -1.5), x, np.full_like(x, 3)])

    low, high = pairs(floats([NAN, -1.0, 2.0], np.float32))
    case("clamp", lax.clamp, [low, np.full_like(low, 0.5), high])
    case(
        "clamp",
        lax.clamp,
        [
            floats([0, 0, 0, 0], np.float32),
            floats([-1, 0.5, 0.7, 2], np.float32),
            floats([1, 1, 1, 1], np.float32),
        ],
        tangents=[direction([1, 2, 3, 4]), direction([1, 2, 3, 4]), direction([1, 2, 3, 4])],
        rtol=1e-6,
    )
    for dtype in INTEGERS:
        x = integers(dtype)
        info = np.iinfo(dtype)
        case(
            "clamp",
            lax.clamp,
            [np.full_like(x, max(info.min, -7)), x, np.full_like(x, info.max // 2)],
        )
    which = np.array([False, True, True, False])
    p, q = floats([1, NAN, 3, INF], np.float32), floats([5, 6, NAN, 8], np.float32)
    case("select_n", lax.select_n, [which, p, q])
    case("select_n", lax.select_n, [which, which, ~which])
    case("select_n", lax.select_n, [np.array(True), p, q])
    index = np.array([-1, 0, 1, 2, 5], np.int32)
    thirds = [np.full(5, k, np.int32) for k in (10, 20, 30)]
    case("select_n", lax.select_n, [index, *thirds])


def complex_numbers():
    parts = [0.0, 0.3, -0.7, 1.0, -2.5, 10.0]
    z = np.array([complex(a, b) for a in parts for b in parts], np.complex64)
    nice = z[np.abs(z) > 0.2]
    for name in (
        "neg",
        "sign",
        "abs",
        "exp",
        "exp2",
        "expm1",
        "log1p",
        "log",
        "logistic",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "sqrt",
        "rsqrt",
        "square",
        "real",
        "imag",
    ):
        f = getattr(lax, name)
        points = (
            z if name in ("neg", "abs", "exp", "square", "real", "imag", "sqrt", "sign") else nice
        )
        if name in ("atan", "atanh", "log1p", "rsqrt"):
            points = np.array(
                [w for w in nice if abs(w.real) != 1 and abs(w.imag) != 1], np.complex64
            )
        case(name, f, [points], rtol=2e-4, atol=1e-5)
        if name in ("neg", "exp", "log", "sin", "tanh", "sqrt", "square", "abs", "real", "imag"):
            inner = np.array([0.3 + 0.4j, -0.7 + 1.2j, 1.1 - 0.6j], np.complex64)
            tangent = np.array([1 - 0.5j, 0.3 + 1j, -0.7 + 0.2j], np.complex64)
            case(name, f, [inner], rtol=1e-4, atol=1e-5, tangents=[tangent])
    case("conj", lax.conj, [z], {"input_dtype": "complex64"})
    case("conj", lax.conj, [floats([1, -2], np.float32)], {"input_dtype": "float32"})
    a, b = pairs(nice[::2])
    for name in ("add", "sub", "mul", "div", "pow"):
        case(name, getattr(lax, name), [a, b], rtol=5e-4, atol=1e-5)
    for name in ("eq", "ne"):
        case(name, getattr(lax, name), [a, b])
    for y in (-2, 0, 3):
        case("integer_pow", lambda x: lax.integer_pow(x, y), [nice], {"y": y}, rtol=1e-4, atol=1e-5)
    case("complex", lax.complex, [floats(SMOOTH, np.float32), floats(SMOOTH[::-1], np.float32)])
    for new in ("float32", "int32", "bool"):
        case(
            "convert_element_type",
            lambda x: lax.convert_element_type(x, new),
            [z],
            {"new_dtype": new, "weak_type": False},
        )
    case(
        "convert_element_type",
        lambda x: lax.convert_element_type(x, "complex64"),
        [np.array([1, -2], np.int32)],
        {"new_dtype": "complex64", "weak_type": False},
    )
    case("select_n", lax.select_n, [np.array([True, False]), z[:2], z[4:6]])


for build in (unary, binary, rare, gamma, conversions, choices, complex_numbers):
    build()
json.dump(CASES, sys.stdout, separators=(",", ":"), allow_nan=False)
