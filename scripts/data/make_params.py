"""Writes tests/data/params: small parameter files as the real libraries write them.

Usage: python scripts/data/make_params.py tests/data/params
Needs jax, flax, optax, safetensors, msgpack, numpy and ml_dtypes. The output is deterministic.

  arrays.json        what each of the files below holds: name, dtype, shape and the elements as hex,
                     little-endian, C order; and the error code for files that are refused
  dtypes.*           every dtype; orders.npz: byte and axis orders; *.npy: header versions
  zip_*.npz          the same arrays in the varieties of zip
  small_floats.npz   what ml_dtypes makes of every bit pattern, and of numbers to be rounded
  trees.json         trees with the files that hold them: key path, dtype, shape of every leaf;
                     all elements of a leaf are its number in flattened order
"""

import io
import json
import os
import struct
import sys
import zipfile

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import ml_dtypes
import msgpack
import numpy as np
import optax
import safetensors.numpy
from flax import nnx
from flax.serialization import msgpack_serialize, to_bytes
from numpy.lib import format as npy_format

OUT = sys.argv[1]
SMALL_FLOATS = [
    "float4_e2m1fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn",
    "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "bfloat16", "float16",
]
NATIVE = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]
descriptions = {}


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def sample(name, shape):
    """Numbers of a dtype that use its range, the same in every run."""
    dtype = dtype_of(name)
    rng = np.random.RandomState(len(name) + 7 * len(shape))
    if name == "bool":
        return np.asarray(rng.rand(*shape) < 0.5)
    if name.startswith(("int", "uint")):
        info = ml_dtypes.iinfo(dtype)
        x = rng.rand(*shape) * (float(info.max) - float(info.min)) / 1.01 + float(info.min) / 1.01
        return np.asarray(x).astype(np.int64 if info.min < 0 else np.uint64).astype(dtype)
    x = rng.randn(*shape) * 3
    if "complex" in name:
        x = x + 1j * rng.randn(*shape)
    return np.asarray(x).astype(dtype)


def hex_of(array):
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    return array.astype(array.dtype.newbyteorder("<")).tobytes().hex()


def describe(file, arrays, names=None, **extra):
    """Records what a file holds; `names` overrides the dtype names the reader shall give."""
    descriptions[file] = {
        "arrays": [
            {
                "name": key,
                "dtype": (names or {}).get(key, np.asarray(x).dtype.name),
                "shape": list(np.shape(x)),
                "hex": hex_of(x),
            }
            for key, x in arrays.items()
        ],
        **extra,
    }


def write(file, data):
    with open(os.path.join(OUT, file), "wb") as f:
        f.write(data)


def refuse(file, data, code):
    write(file, data)
    descriptions[file] = {"error": code}


# NumPy files ---------------------------------------------------------------------------------


def npz_bytes(arrays, compressed=False):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def npy_bytes(array, version=None):
    buffer = io.BytesIO()
    npy_format.write_array(buffer, np.asanyarray(array), version=version)
    return buffer.getvalue()


def numpy_files():
    arrays = {name: sample(name, (2, 3)) for name in NATIVE}
    arrays |= {f"{name}_scalar": sample(name, ()) for name in NATIVE}
    arrays |= {f"{name}_empty": sample(name, (0, 4)) for name in ["bool", "int64", "float32"]}
    arrays["a/b/ß~'\"0"] = sample("float32", (1,))
    extra = {name: sample(name, (5,)) for name in SMALL_FLOATS + ["int4", "uint4", "int2", "uint2"]}
    # NumPy has no name for most of these: they become bare bytes.
    names = {
        name: "bfloat16" if name == "bfloat16" else name if name in ("float16", "float8_e5m2") else "uint8"
        for name in extra
    }
    everything = arrays | {f"extra_{k}": v for k, v in extra.items()}
    renamed = {f"extra_{k}": v for k, v in names.items()}
    for file, compressed in [("dtypes.npz", True), ("dtypes_stored.npz", False)]:
        write(file, npz_bytes(everything, compressed))
        describe(file, everything, renamed)

    orders = {}
    for name in NATIVE:
        dtype = dtype_of(name)
        x = sample(name, (2, 3, 4))
        orders[f"{name}_fortran"] = np.asfortranarray(x)
        orders[f"{name}_big"] = x.astype(dtype.newbyteorder(">"))
        orders[f"{name}_big_fortran"] = np.asfortranarray(x.astype(dtype.newbyteorder(">")))
    orders["vector_fortran"] = np.asfortranarray(sample("float32", (7,)))
    orders["empty_fortran"] = np.asfortranarray(sample("float32", (3, 0, 2)))
    orders["sliced"] = sample("int32", (6, 6))[::2, ::-2]
    write("orders.npz", npz_bytes(orders, True))
    describe("orders.npz", orders)

    x = sample("float32", (3, 2))
    for version in [(1, 0), (2, 0), (3, 0)]:
        file = f"version{version[0]}.npy"
        write(file, npy_bytes(x, version))
        describe(file, {"0": x})
    # One after the other in one file, as equinox.tree_serialise_leaves writes them.
    stream = {str(i): sample("float32", (i, 2)) for i in range(4)}
    stream["4"] = np.asfortranarray(sample("int32", (2, 3)))
    write("stream.npy", b"".join(npy_bytes(v) for v in stream.values()))
    describe("stream.npy", stream)

    refuse("objects.npy", npy_bytes(np.array([None, 1], object)), "file-unsupported")
    refuse("strings.npy", npy_bytes(np.array(["a", "bc"])), "file-unsupported")
    refuse("dates.npy", npy_bytes(np.array(["2020-01-01"], "M8[D]")), "file-unsupported")
    refuse("records.npy", npy_bytes(np.zeros(2, [("x", "<f4"), ("y", "<i4")])), "file-unsupported")
    refuse("longdouble.npy", npy_bytes(np.zeros(2, np.longdouble)), "file-unsupported")


class Unseekable(io.RawIOBase):
    """A stream, into which zipfile writes sizes behind the data."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


def zip_files():
    arrays = {"w": sample("float32", (16, 9)), "b": sample("float64", (9,))}

    def archive(target, compression, force_zip64=False, comment=b""):
        with zipfile.ZipFile(target, "w", compression) as z:
            for key, x in arrays.items():
                info = zipfile.ZipInfo(key + ".npy")
                info.compress_type = compression
                with z.open(info, "w", force_zip64=force_zip64) as f:
                    f.write(npy_bytes(x))
            z.comment = comment

    def save(file, *args, **kwargs):
        buffer = io.BytesIO()
        archive(buffer, *args, **kwargs)
        write(file, buffer.getvalue())
        describe(file, arrays)

    save("zip_local64.npz", zipfile.ZIP_DEFLATED, force_zip64=True)
    save("zip_comment.npz", zipfile.ZIP_STORED, comment=b"PK\x05\x06 is not here" + b"-" * 300)
    limit, count = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 100, 1
    buffer = io.BytesIO()
    archive(buffer, zipfile.ZIP_STORED, force_zip64=True)
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limit, count
    data = bytearray(buffer.getvalue())
    # An archive that needs zip64 has ones in the old record; zipfile leaves the small numbers.
    data[-14:-2] = b"\xff" * 12
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["w.npy", "b.npy"]
    write("zip_directory64.npz", bytes(data))
    describe("zip_directory64.npz", arrays)
    stream = Unseekable()
    archive(stream, zipfile.ZIP_DEFLATED)
    write("zip_stream.npz", bytes(stream.data))
    describe("zip_stream.npz", arrays)

    buffer = io.BytesIO()
    archive(buffer, zipfile.ZIP_LZMA)
    refuse("zip_lzma.npz", buffer.getvalue(), "file-unsupported")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr(zipfile.ZipInfo("archive/data.pkl"), b"\x80\x02}.")
    refuse("pytorch.pt", buffer.getvalue(), "file-format")


def small_floats():
    """decode/<name>: the float32 of every bit pattern; encode/<name>: bits of `numbers`, rounded."""
    rng = np.random.RandomState(3)
    numbers = [rng.randn(400) * 10.0 ** rng.randint(-12, 12, 400)]
    for name in SMALL_FLOATS:
        dtype = dtype_of(name)
        every = np.arange(65536 if dtype.itemsize == 2 else 256)
        values = every.astype(f"u{dtype.itemsize}").view(dtype).astype(np.float32)
        finite = np.unique(np.abs(values[np.isfinite(values)]).astype(np.float64))
        finite = finite[:: max(1, len(finite) // 60)]
        # Halfway between neighbours, and a little to either side.
        half = (finite[1:] + finite[:-1]) / 2
        numbers += [finite, half, half * (1 + 2e-7), half * (1 - 2e-7), finite[-1:] * [1.03, 1.2, 2]]
    numbers = np.concatenate(numbers).astype(np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3e38], np.float32)
    numbers = np.unique(np.concatenate([numbers, -numbers]))
    numbers = np.concatenate([numbers, special])
    arrays = {"numbers": numbers}
    for name in SMALL_FLOATS:
        dtype = dtype_of(name)
        every = np.arange(65536 if dtype.itemsize == 2 else 256)
        if name.startswith("float4"):
            every = every[:16]
        bits = f"u{dtype.itemsize}"
        arrays[f"decode/{name}"] = every.astype(bits).view(dtype).astype(np.float32)
        arrays[f"encode/{name}"] = numbers.astype(dtype).view(bits)
    write("small_floats.npz", npz_bytes(arrays, True))


# safetensors and msgpack ---------------------------------------------------------------------


def safetensors_files():
    names = [n for n in NATIVE if n != "complex128"]
    names += ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"]
    arrays = {name: sample(name, (2, 3)) for name in names}
    arrays |= {f"{name}_scalar": sample(name, ()) for name in names}
    arrays["empty"] = sample("float32", (0, 3))
    arrays['mlp/~/linear_0/w"\\\n😀'] = sample("float32", (2, 2))
    write("dtypes.safetensors", safetensors.numpy.save(arrays, {"format": "np", "note": "ß"}))
    describe("dtypes.safetensors", arrays)
    write("empty.safetensors", safetensors.numpy.save({}))
    describe("empty.safetensors", {})


def msgpack_files():
    names = NATIVE + [n for n in SMALL_FLOATS if n != "float16"] + ["int4", "uint4", "int2", "uint2"]
    tree = {"arrays": {name: sample(name, (2, 3)) for name in names}}
    tree["scalars"] = {name: sample(name, ())[()] for name in NATIVE}
    tree["zero_d"] = {"0": sample("float32", ()), "empty": {}, "none": None}
    tree["python"] = {
        "step": 7, "negative": -300, "big": 2**40, "huge": 2**64 - 1, "rate": 0.1, "flag": True,
        "complex": 1.5 - 2j,
    }
    tree["text"] = {"name": "adam", "bytes": b"\x00\x01"}
    tree["list"] = [sample("int32", (1,)), sample("int32", (2,))]
    arrays, dtypes = {}, {}

    def visit(node, path):
        if isinstance(node, dict):
            for key, child in node.items():
                visit(child, [*path, key])
        elif isinstance(node, list):
            for i, child in enumerate(node):
                visit(child, [*path, str(i)])
        elif node is not None and not isinstance(node, (str, bytes)):
            arrays["/".join(path)] = np.asarray(node)

    visit(tree, [])
    write("dtypes.msgpack", msgpack_serialize(tree))
    describe("dtypes.msgpack", arrays, dtypes, ignored=["text/name", "text/bytes"])

    whole = flax.serialization.MAX_CHUNK_SIZE
    flax.serialization.MAX_CHUNK_SIZE = 100
    chunked = {"a": {"w": sample("float32", (7, 9)), "b": sample("int16", (9,))}, "x": sample("bfloat16", (51,))}
    write("chunked.msgpack", msgpack_serialize(chunked))
    flax.serialization.MAX_CHUNK_SIZE = whole
    describe("chunked.msgpack", {"a/w": chunked["a"]["w"], "a/b": chunked["a"]["b"], "x": chunked["x"]})
    x = sample("float32", (2, 2))
    write("bare.msgpack", msgpack_serialize(x))
    describe("bare.msgpack", {"0": x})
    refuse("extension.msgpack", msgpack.packb({"a": msgpack.ExtType(9, b"abc")}), "file-unsupported")


# Trees ---------------------------------------------------------------------------------------


def numbered(tree):
    """The tree with every element of leaf i equal to i."""
    leaves, definition = jax.tree_util.tree_flatten(tree)
    return definition.unflatten(
        [jnp.full(jnp.shape(x), i, jnp.asarray(x).dtype) for i, x in enumerate(leaves)]
    )


def entry_text(entry):
    for attribute in ("key", "idx", "name"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    raise ValueError(entry)


def joined(tree, drop_value=False, separator="/"):
    """Names of the leaves in flattened order; the second of two equal ones gets #1."""
    result = {}
    for path, x in jax.tree_util.tree_flatten_with_path(tree)[0]:
        parts = [entry_text(entry) for entry in path]
        if drop_value and parts[-1] == "value":
            parts = parts[:-1]
        name, number = separator.join(parts), 0
        while name + (f"#{number}" if number else "") in result:
            number += 1
        result[name + (f"#{number}" if number else "")] = np.asarray(x)
    return result


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(3)(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        return nn.Dense(2, param_dtype=jnp.bfloat16)(x)


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(2, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.value = nnx.Linear(3, 2, rngs=rngs)


def reordered(tree):
    """A Flax file whose keys are not in the order in which JAX flattens, as older versions write."""

    def turn(node):
        if isinstance(node, dict):
            return {key: turn(node[key]) for key in reversed(node)}
        return np.asarray(node)

    pack = flax.serialization._msgpack_ext_pack
    return msgpack.packb(turn(tree), default=pack, strict_types=True)


def trees():
    cases = {}

    def add(name, tree, files):
        for file, data in files.items():
            write(file, data)
        leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
        cases[name] = {
            "files": list(files),
            "leaves": [
                {"path": jax.tree_util.keystr(path), "dtype": x.dtype.name, "shape": list(x.shape)}
                for path, x in leaves
            ],
        }

    def flat_files(stem, tree, **kwargs):
        names, leaves = joined(tree, **kwargs), [np.asarray(x) for x in jax.tree_util.tree_leaves(tree)]
        bits = [x.view(np.uint16) if x.dtype == ml_dtypes.bfloat16 else x for x in leaves]
        buffer = io.BytesIO()
        np.savez(buffer, *leaves)
        wide = io.BytesIO()
        widen = {"float32": np.float64, "int32": np.int64, "uint32": np.uint64}
        np.savez(wide, *[x.astype(widen.get(x.dtype.name, x.dtype)) for x in leaves])
        return {
            f"{stem}.safetensors": safetensors.numpy.save(names),
            f"{stem}_named.npz": npz_bytes(names, True),
            f"{stem}_bits.npz": npz_bytes(dict(zip(names, bits)), True),
            f"{stem}_positional.npz": buffer.getvalue(),
            f"{stem}_64bit.npz": wide.getvalue(),
            f"{stem}_stream.npy": b"".join(npy_bytes(x) for x in leaves),
            f"{stem}_numbered.safetensors": safetensors.numpy.save({str(i): x for i, x in enumerate(leaves)}),
        }

    variables = numbered(Net().init(jax.random.key(0), jnp.zeros((1, 4))))
    add("linen", variables, {
        **flat_files("linen", variables),
        "linen.msgpack": to_bytes(variables),
        "linen_prefix.msgpack": to_bytes({"model": variables}),
        "linen_dotted.safetensors": safetensors.numpy.save(joined(variables, separator=".")),
    })
    inner = numbered(variables["params"])
    add("linen_params", inner, {
        "linen_params.msgpack": to_bytes(inner),
        "linen_params_prefix.msgpack": to_bytes({"params": inner}),
    })

    optimizer = optax.adamw(optax.linear_schedule(0.1, 0.01, 5))
    blocks = {"blocks": [{"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)} for _ in range(12)], "e": jnp.zeros(3)}
    state = numbered((blocks, optimizer.init(blocks)))
    add("optax", state, {
        "optax.safetensors": safetensors.numpy.save(joined(state)),
        "optax.msgpack": to_bytes(state),
    })

    nnx_state = numbered(nnx.split(NnxNet(nnx.Rngs(0)))[1])
    pure = nnx.to_pure_dict(nnx_state)
    add("nnx", nnx_state, {
        "nnx.safetensors": safetensors.numpy.save(joined(nnx_state)),
        "nnx_plain.safetensors": safetensors.numpy.save(joined(nnx_state, drop_value=True)),
        "nnx_dotted.safetensors": safetensors.numpy.save(joined(nnx_state, drop_value=True, separator=".")),
        "nnx_pure.msgpack": msgpack_serialize(jax.tree_util.tree_map(np.asarray, pure)),
    })

    z = jnp.zeros
    collision = numbered({
        "enc": {"": {"b": z(3)}, "dense/w": z((2, 2))},
        "enc.dense.w": z(3),
        "enc/dense": {"w": z((2, 2))},
        'β~\'["0"]': z(3),
    })
    add("collision", collision, {
        "collision.safetensors": safetensors.numpy.save(joined(collision)),
        "collision.msgpack": to_bytes(collision),
        "collision_reordered.msgpack": reordered(collision),
        "collision_prefix.msgpack": reordered({"params": collision}),
    })

    haiku = numbered((
        {"mlp/~/linear_0": {"w": z((2, 3)), "b": z(3)}, "mlp/~/linear_1": {"w": z((3, 1)), "b": z(1)}},
        {"norm/~/mean_ema": {"counter": z((), jnp.int32), "hidden": z((1, 3))}},
    ))
    add("haiku", haiku, {
        "haiku.safetensors": safetensors.numpy.save(joined(haiku)),
        "haiku.msgpack": to_bytes(haiku),
    })

    holes = numbered({"layers": [(z((2, 2), jnp.bfloat16), None), (z((2, 1), jnp.float16), z((), jnp.uint8))],
                      "q": z((2, 2), jnp.int8), "zp": None, "nothing": {}})
    add("holes", holes, {"holes.safetensors": safetensors.numpy.save(joined(holes)), "holes.msgpack": to_bytes(holes)})

    python = {"step": 0, "rate": 0.1, "w": z(2)}
    shapes = {"step": z((), jnp.int32), "rate": z(()), "w": z(2)}
    add("python", shapes, {"python.msgpack": msgpack_serialize({"step": 1, "rate": 0.0, "w": np.full(2, 2.0, np.float32)})})
    assert list(python) == list(shapes)
    return cases


def main():
    os.makedirs(OUT, exist_ok=True)
    numpy_files()
    zip_files()
    small_floats()
    safetensors_files()
    msgpack_files()
    cases = trees()
    refuse("pickle.pkl", b"\x80\x04\x95\x00.", "file-format")
    refuse("hdf5.h5", b"\x89HDF\r\n\x1a\n" + bytes(8), "file-format")
    refuse("index.json", b'{"weight_map": {}}', "file-format")
    refuse("nothing.bin", b"", "file-truncated")
    refuse("noise.bin", struct.pack("<q", -1) + b"hello", "file-format")
    for file, content in [("arrays.json", descriptions), ("trees.json", cases)]:
        write(file, (json.dumps(content, indent=0) + "\n").encode())


main()
