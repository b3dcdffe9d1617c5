"""Writes tests/data/wide.json: small programs exported by JAX with 64-bit types enabled, in base64.

    python scripts/data/make_wide.py
"""
import base64
import json
import pathlib

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
from jax import export  # noqa: E402

f64, i64, u64 = (jax.ShapeDtypeStruct((3,), t) for t in (jnp.float64, jnp.int64, jnp.uint64))
c128 = jax.ShapeDtypeStruct((2,), jnp.complex128)


def artifact(function, *specs):
    exported = export.export(jax.jit(function), platforms=["cpu"])(*specs)
    return base64.b64encode(bytes(exported.serialize())).decode()


programs = {
    "float64": artifact(lambda x: x * 2.5 + 1.0, f64),
    "int64": artifact(lambda x: x + jnp.int64(7), i64),
    "uint64": artifact(lambda x: x * jnp.uint64(3), u64),
    "complex128": artifact(lambda x: x * x, c128),
    "largeInteger": artifact(lambda x: x + jnp.int64(2**40), i64),
    "largeIntegers": artifact(lambda x: x + jnp.array([1, 2**33, 3], jnp.int64), i64),
    "largeUnsigned": artifact(lambda x: x + jnp.uint64(2**32), u64),
    "largeFloat": artifact(lambda x: x * 1e300, f64),
    "largeFloats": artifact(lambda x: x * jnp.array([1.0, 1e300, 2.0]), f64),
    "infinity": artifact(lambda x: jnp.where(jnp.isinf(x), jnp.inf, x), f64),
}
path = pathlib.Path(__file__).parents[2] / "tests/data/wide.json"
path.write_text(json.dumps(programs, indent=1) + "\n")
