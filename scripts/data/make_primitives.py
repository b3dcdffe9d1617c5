"""Writes tests/data/primitives.json.gz: random equations of the primitives that move, reduce, index
and sort, each with JAX's results. Parameters are as in a printed jaxpr.

    python scripts/data/make_primitives.py [--seed N] [--rounds N] [--out FILE]

Needs jax. Recorded with jax 0.10.2 on the CPU.
"""

import argparse
import gzip
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src.lax import lax as lax_internal
from jax._src.lax import slicing

DTYPES = ["float32", "int32", "bool", "complex64", "uint32", "int8", "uint8", "bfloat16"]
INDEX_DTYPES = ["int32", "int32", "uint32", "int8", "uint8"]
MODES = {
    "clip": lax.GatherScatterMode.CLIP,
    "fill": lax.GatherScatterMode.FILL_OR_DROP,
    "promise_in_bounds": lax.GatherScatterMode.PROMISE_IN_BOUNDS,
}


def number(value):
    """A number as JSON can hold it: NaN, infinities and -0.0 are strings."""
    if isinstance(value, float) and not np.isfinite(value):
        return "nan" if np.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, float) and value == 0 and np.signbit(value):
        return "-0"
    return value


def encode(array):
    array = np.asarray(array)
    name = array.dtype.name
    values = array.astype(np.float32) if name == "bfloat16" else array
    if name.startswith("complex"):
        values = np.stack([values.real, values.imag], -1)
    flat = values.ravel()
    # The shortest decimals that read back as the same float32.
    data = [number(float(str(v)) if flat.dtype == np.float32 else v.item()) for v in flat]
    return {"dtype": name, "shape": list(array.shape), "data": data}


def integers(values):
    return [int(value) for value in values]


class Generator:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.cases = []

    def add(self, group, name, params, inputs, function):
        inputs = [jnp.asarray(value) for value in inputs]
        outputs = function(*inputs)
        if not isinstance(outputs, (list, tuple)):
            outputs = [outputs]
        self.cases.append({
            "group": group,
            "name": name,
            "params": params,
            "inputs": [encode(value) for value in inputs],
            "outputs": [encode(value) for value in outputs],
        })

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def pick(self, choices):
        return choices[self.rng.integers(len(choices))]

    def size(self, low, high):
        """An integer between low and high, both included."""
        return int(self.rng.integers(low, high + 1))

    def shape(self, low, high, largest=5):
        rank = self.size(low, high)
        return tuple(0 if self.chance(0.03) else self.size(1, largest) for _ in range(rank))

    def axes(self, shape, probability=0.5):
        return [axis for axis in range(len(shape)) if self.chance(probability)]

    def array(self, shape, dtype):
        rng = self.rng
        if dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if dtype == "complex64":
            parts = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
            return np.asarray(parts, np.complex64)
        if dtype == "bfloat16":
            return jnp.asarray(rng.standard_normal(shape), jnp.bfloat16)
        if dtype == "float32":
            return np.asarray(rng.standard_normal(shape), np.float32)
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)

    def special(self, shape, dtype):
        """Few different numbers, NaN and infinities among floats: what sorting stumbles over."""
        array = np.asarray(self.array(shape, dtype))
        if dtype == "complex64":
            return (np.round(array.real) + 1j * np.round(array.imag)).astype(dtype)
        if dtype == "float32":
            array = np.round(array) + np.float32(0)
            for value in (np.nan, np.inf, -np.inf):
                array = np.where(self.rng.random(shape) < 0.1, value, array)
            return array.astype(np.float32)
        if dtype in ("int32", "int8") and self.chance(0.5):
            return (array % 3).astype(dtype)
        return array

    # --- shapes

    def broadcast(self, dtype):
        shape = list(self.shape(0, 3, 4))
        rank = len(shape) + self.size(0, 2)
        axes = sorted(integers(self.rng.choice(rank, len(shape), replace=False)))
        result = [self.size(1, 3) for _ in range(rank)]
        for index, axis in enumerate(axes):
            if self.chance(0.3):
                shape[index] = 1
            else:
                result[axis] = shape[index]
        params = {"shape": result, "broadcast_dimensions": axes}
        self.add("shape", "broadcast_in_dim", params, [self.array(shape, dtype)],
                 lambda x: lax.broadcast_in_dim(x, result, axes))

    def rearrange(self, dtype):
        shape = self.shape(1, 4)
        permutation = integers(self.rng.permutation(len(shape)))
        array = self.array(shape, dtype)
        self.add("shape", "transpose", {"permutation": permutation}, [array],
                 lambda x: lax.transpose(x, permutation))
        axes = self.axes(shape)
        self.add("shape", "rev", {"dimensions": axes}, [array], lambda x: lax.rev(x, axes))
        size = int(np.prod(shape))
        sizes = [size] if self.chance(0.5) else [1, size, 1]
        self.add("shape", "reshape", {"new_sizes": sizes, "dimensions": None}, [array],
                 lambda x: lax.reshape(x, sizes))
        single = [1 if axis in axes else size for axis, size in enumerate(shape)]
        self.add("shape", "squeeze", {"dimensions": axes}, [self.array(single, dtype)],
                 lambda x: lax.squeeze(x, axes))
        repeats = [self.size(1, 3) for _ in shape]
        self.add("shape", "tile", {"reps": repeats}, [array],
                 lambda x: lax_internal.tile_p.bind(x, reps=tuple(repeats)))
        if dtype != "bool":
            axis = self.size(0, len(shape) - 1)
            params = {"dtype": dtype, "shape": list(shape), "dimension": axis}
            self.add("shape", "iota", params, [], lambda: lax.broadcasted_iota(dtype, shape, axis))

    def cut(self, dtype):
        shape = self.shape(1, 4)
        array = self.array(shape, dtype)
        start = [self.size(0, size) for size in shape]
        limit = [self.size(low, size) for low, size in zip(start, shape)]
        for strides in (None, [self.size(1, 3) for _ in shape]):
            params = {"start_indices": start, "limit_indices": limit, "strides": strides}
            self.add("shape", "slice", params, [array],
                     lambda x, strides=strides: lax.slice(x, start, limit, strides))
        config = []
        for size in shape:
            interior = self.size(0, 2) if self.chance(0.4) else 0
            dilated = size + max(0, size - 1) * interior
            low, high = self.size(-3, 3), self.size(-3, 3)
            config.append((low, max(high, -low - dilated), interior))
        self.add("shape", "pad", {"padding_config": config}, [array, self.array((), dtype)],
                 lambda x, value: lax.pad(x, value, config))
        axis = self.size(0, len(shape) - 1)
        resized = lambda size: [size if at == axis else old for at, old in enumerate(shape)]
        pieces = [self.array(resized(self.size(0, 3)), dtype) for _ in range(self.size(1, 3))]
        self.add("shape", "concatenate", {"dimension": axis}, pieces,
                 lambda *xs: lax.concatenate(xs, axis))
        sizes = [self.size(0, 2) for _ in range(3)]
        self.add("shape", "split", {"sizes": sizes, "axis": axis},
                 [self.array(resized(sum(sizes)), dtype)],
                 lambda x: lax_internal.split_p.bind(x, sizes=tuple(sizes), axis=axis))

    def dynamic(self, dtype):
        shape = self.shape(1, 4)
        sizes = [self.size(1, size) if size else 0 for size in shape]
        index = self.pick(INDEX_DTYPES)
        low = 0 if index.startswith("u") else -3
        starts = [np.array(self.size(low, size + 2), index) for size in shape]
        array = self.array(shape, dtype)
        self.add("dynamic", "dynamic_slice", {"slice_sizes": sizes}, [array, *starts],
                 lambda x, *i: slicing.dynamic_slice_p.bind(x, *i, slice_sizes=tuple(sizes)))
        self.add("dynamic", "dynamic_update_slice", {}, [array, self.array(sizes, dtype), *starts],
                 lambda x, u, *i: slicing.dynamic_update_slice_p.bind(x, u, *i))

    # --- reductions

    def reduce(self, dtype):
        shape = self.shape(1, 4)
        axes = self.axes(shape)
        array = self.array(shape, dtype)
        exact = dtype not in ("float32", "complex64", "bfloat16")
        names = ["max", "min"]
        names += ["sum", "prod"] if dtype != "bool" else []
        names += ["and", "or", "xor"] if exact else []
        for name in names:
            primitive = getattr(lax_internal, f"reduce_{name}_p")
            extra = {"out_sharding": None} if name == "sum" else {}
            self.add("reduce", f"reduce_{name}", {"axes": axes}, [array],
                     lambda x: primitive.bind(x, axes=tuple(axes), **extra))
        if dtype == "complex64" or 0 in shape:
            return
        axis = self.size(0, len(shape) - 1)
        array = self.special(shape, dtype)
        for name in ("argmax", "argmin"):
            primitive = getattr(lax_internal, f"{name}_p")
            self.add("reduce", name, {"axes": [axis], "index_dtype": "int32"}, [array],
                     lambda x: primitive.bind(x, axes=(axis,), index_dtype=np.dtype("int32")))

    def cumulative(self, dtype):
        if dtype == "bool":
            return
        shape = self.shape(1, 4)
        axis = self.size(0, len(shape) - 1)
        reverse = self.chance(0.5)
        array = self.array(shape, dtype)
        names = ["cumsum", "cumprod", "cummax", "cummin"]
        names += ["cumlogsumexp"] if dtype in ("float32", "bfloat16") else []
        for name in names:
            self.add("cumulative", name, {"axis": axis, "reverse": reverse}, [array],
                     lambda x: getattr(lax, name)(x, axis=axis, reverse=reverse))

    # --- sorting

    def sort(self, dtype):
        shape = self.shape(1, 3, 6)
        axis = self.size(0, len(shape) - 1)
        count = self.size(1, 3)
        operands = [self.special(shape, dtype)]
        operands += [self.special(shape, self.pick(DTYPES[:-1])) for _ in range(count - 1)]
        params = {"dimension": axis, "is_stable": True, "num_keys": self.size(1, count)}
        self.add("sort", "sort", params, operands,
                 lambda *xs: list(lax_internal.sort_p.bind(*xs, **params)))
        if dtype != "complex64" and 0 not in shape:
            k = self.size(0, shape[axis])
            self.add("sort", "top_k", {"k": k, "axis": axis}, operands[:1],
                     lambda x: list(lax.top_k(x, k, axis=axis)))

    # --- indexing

    def windows(self):
        """Random dimension numbers that gather and scatter share."""
        batches = self.size(0, 2) if self.chance(0.4) else 0
        rank = self.size(max(1, batches), 4)
        shape = [self.size(1, 5) for _ in range(rank)]
        order = integers(self.rng.permutation(rank))
        batch, rest = sorted(order[:batches]), sorted(order[batches:])
        indexed = [axis for axis in rest if self.chance(0.7)] or rest[:1]
        indexed = integers(self.rng.permutation(indexed))
        places = batches + self.size(0, 2)
        index_shape = [self.size(1, 3) for _ in range(places)]
        paired = integers(self.rng.permutation(places)[:batches])
        for own, other in zip(batch, paired):
            index_shape[other] = shape[own]
        sizes, collapsed = [], []
        for axis in range(rank):
            choice = self.rng.random()
            size = 1 if axis in batch or choice < 0.4 else shape[axis]
            sizes.append(size if choice < 0.7 or size == 1 else self.size(1, size))
            if axis in rest and sizes[axis] == 1 and self.chance(0.7):
                collapsed.append(axis)
        window = [axis for axis in rest if axis not in collapsed]
        total = places + len(window)
        offsets = sorted(integers(self.rng.choice(total, len(window), replace=False)))
        return shape, batch, paired, indexed, index_shape, sizes, collapsed, window, offsets

    def index(self, dtype):
        shape, batch, paired, indexed, index_shape, sizes, collapsed, window, offsets = self.windows()
        index_dtype = self.pick(INDEX_DTYPES)
        mode = self.pick(list(MODES))
        outside = 2 if mode != "promise_in_bounds" and self.chance(0.5) else 0
        low = 0 if index_dtype.startswith("u") else -outside
        high = max([shape[axis] for axis in indexed], default=1) + outside
        index = self.rng.integers(low, high, (*index_shape, len(indexed))).astype(index_dtype)
        if mode == "promise_in_bounds":
            last = [shape[axis] - sizes[axis] for axis in indexed]
            index = np.clip(index, 0, last).astype(index_dtype) if indexed else index
        elif outside and index_dtype == "uint32" and index.size:
            index.flat[0] = 2**32 - 1
        array = self.array(shape, dtype)
        numbers = {
            "offset_dims": offsets, "collapsed_slice_dims": collapsed, "start_index_map": indexed,
            "operand_batching_dims": batch, "start_indices_batching_dims": paired,
        }
        params = {
            "dimension_numbers": numbers, "slice_sizes": sizes, "indices_are_sorted": False,
            "unique_indices": False, "mode": mode, "fill_value": None,
        }
        gather_numbers = lax.GatherDimensionNumbers(**{k: tuple(v) for k, v in numbers.items()})
        self.add("gather", "gather", params, [array, index],
                 lambda x, i: lax.gather(x, i, gather_numbers, sizes, mode=MODES[mode]))
        if not indexed:
            return
        kinds = ["scatter"] if dtype == "bool" else ["scatter", "scatter-add", "scatter-mul"]
        kinds += ["scatter-sub"] if dtype != "bool" else []
        kinds += ["scatter-min", "scatter-max"] if dtype not in ("bool", "complex64") else []
        kind = self.pick(kinds)
        spans, places = iter([sizes[axis] for axis in window]), iter(index_shape)
        rank = len(index_shape) + len(window)
        updates = [next(spans) if axis in offsets else next(places) for axis in range(rank)]
        numbers = {
            "update_window_dims": offsets, "inserted_window_dims": collapsed,
            "scatter_dims_to_operand_dims": indexed,
            "operand_batching_dims": batch, "scatter_indices_batching_dims": paired,
        }
        params = {
            "dimension_numbers": numbers, "indices_are_sorted": False, "unique_indices": False,
            "mode": mode, "update_jaxpr": None,
        }
        scatter_numbers = lax.ScatterDimensionNumbers(**{k: tuple(v) for k, v in numbers.items()})
        function = getattr(lax, kind.replace("-", "_"))
        self.add("scatter", kind, params, [array, index, self.array(updates, dtype)],
                 lambda x, i, u: function(x, i, u, scatter_numbers, mode=MODES[mode]))

    def round(self):
        dtype = self.pick(DTYPES)
        for family in (self.broadcast, self.rearrange, self.cut, self.dynamic, self.reduce,
                       self.cumulative, self.sort, self.index, self.index, self.index):
            family(dtype)


def main():
    default = pathlib.Path(__file__).parents[2] / "tests/data/primitives.json.gz"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument("--out", type=pathlib.Path, default=default)
    options = parser.parse_args()
    generator = Generator(options.seed)
    for _ in range(options.rounds):
        generator.round()
    text = json.dumps({"jax": jax.__version__, "cases": generator.cases}, separators=(",", ":"))
    if options.out.suffix == ".gz":
        options.out.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        options.out.write_text(text)
    print(len(generator.cases), "cases,", options.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
