"""Writes tests/data/exports.json.gz: small programs exported by JAX with its results, as regression
tests of the importer, the rules and the lowering. Arrays are base64 of their bytes.

    python scripts/data/make_exports.py
"""
import base64
import gzip
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

cases = []


def encode(array):
    array = np.asarray(array)
    data = base64.b64encode(array.tobytes()).decode()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


def case(name, function, *runs, shapes=None, refused=(), platform="cpu"):
    """A program with results for the inputs of each run; `shapes`: symbolic, with their constraints."""
    specs = [jax.ShapeDtypeStruct(np.shape(x), x.dtype) for x in runs[0]]
    if shapes is not None:
        scope = export.SymbolicScope(shapes[1])
        sizes = [export.symbolic_shape(shape, scope=scope) for shape in shapes[0]]
        specs = [jax.ShapeDtypeStruct(s, x.dtype) for s, x in zip(sizes, runs[0])]
    exported = export.export(jax.jit(function), platforms=[platform])(*specs)
    results = [jax.tree.leaves(jax.jit(function)(*inputs)) for inputs in runs]
    cases.append({
        "name": name,
        "artifact": base64.b64encode(bytes(exported.serialize())).decode(),
        "runs": [
            {"inputs": [encode(x) for x in inputs], "outputs": [encode(y) for y in outputs]}
            for inputs, outputs in zip(runs, results)
        ],
        "refused": [[encode(x) for x in inputs] for inputs in refused],
    })


def numbers(*shape, dtype=np.float32):
    count = int(np.prod(shape))
    return (np.sin(np.arange(count) * 1.7 + len(shape)) * 3).astype(dtype).reshape(shape)


def complexes(*shape):
    return (numbers(*shape) + 1j * numbers(*shape)[..., ::-1]).astype(np.complex64)


words = np.array([21476594, 2229334409, 1746914818, 2807744622, 2126415833, 7], np.uint32)
rows = np.array([[3], [1]], np.int32)

# Two writes into one array.
case("writesIntoOneArray", lambda x, i: (x.at[i[0]].set(1.0), x.at[i[1]].set(2.0)), [numbers(4, 2), rows])
# Words above 2^31: their order, and what is filled in.
case("argmaxOfWords", lambda x: (jnp.argmax(x), jnp.argmin(x), lax.argmax(x.reshape(2, 3), 1, jnp.int32)), [words])
case("wordsFilledIn", lambda x, i: x.at[i].get(mode="fill"), [words, np.array([2, 9, 3], np.int32)])
# Sizes of complex inputs are checked.
for name, function in {
    "complexPadded": lambda x, y: (jnp.pad(x, 1) * 2, y.T),
    "complexPassed": lambda x, y: (x, y),
}.items():
    case(
        name,
        function,
        [complexes(2, 3), complexes(3, 2)],
        [complexes(3, 4), complexes(4, 3)],
        shapes=(("a, b", "b, a"), ()),
        refused=[[complexes(2, 3), complexes(3, 3)]],
    )
# A reduction without dimensions leaves its operand.
case("reductionOfNothing", lambda x: lax.reduce(x, np.float32(1), lambda a, b: jnp.maximum(a, b) * 1.0, ()), [numbers(3)])
# An array of bounds for a scalar.
case("scalarClamped", jax.vmap(lax.clamp, (0, None, None)), [numbers(3), np.float32(0.5), np.float32(2)])
# TPU's own decomposition.
case("eigenvaluesOnTpu", jnp.linalg.eigvalsh, [numbers(3, 3) + 3 * np.eye(3, dtype=np.float32)], platform="tpu")
# Rows that repeat, in unknown number.
segments = lambda x, i: (jax.ops.segment_max(x, i, 4), jax.ops.segment_prod(x, i, 4), jax.ops.segment_min(x, i - 1, 3))
case(
    "segmentsOfUnknownNumber",
    segments,
    [numbers(5, 2), np.array([1, 3, 1, 0, 1], np.int32)],
    [numbers(1, 2), np.array([2], np.int32)],
    [np.where(np.arange(18).reshape(9, 2) == 5, np.float32("nan"), numbers(9, 2)), np.array([0, 0, 3, 0, 3, 0, 0, 5, 3], np.int32)],
    shapes=(("n, 2", "n"), ()),
)
# Scans along unknown sizes.
scans = lambda x, i: (lax.cummax(x, 1), lax.cummin(i, 0, reverse=True), lax.cumprod(i, 0), lax.cumlogsumexp(x, 1, reverse=True))
case(
    "scansOfUnknownSize",
    scans,
    [numbers(2, 1), np.array([3], np.int32)],
    [numbers(2, 6), np.array([3, -2, 1, 5, 0, 2], np.int32)],
    shapes=(("2, n", "n"), ()),
)

path = pathlib.Path(__file__).parents[2] / "tests/data/exports.json.gz"
path.write_bytes(gzip.compress(json.dumps(cases).encode(), 9, mtime=0))
