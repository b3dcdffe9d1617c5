"""Writes tests/data/contractions.json.gz: random equations of dot_general, conv_general_dilated,
windowed reductions and their gradients, each with JAX's results. Parameters are as in a printed
jaxpr; arrays are base64 of their little-endian bytes.

    python scripts/data/make_contractions.py [--seed N] [--cases N] [--out FILE]

Needs jax and numpy. Recorded with jax 0.10.2 on the CPU.
"""

import argparse
import base64
import gzip
import json
import pathlib
import random

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src.lax import windowed_reductions as windowed

MAX_ELEMENTS = 1500

def encode(array):
    array = np.asarray(array)
    data = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def pairs(padding):
    return [[int(low), int(high)] for low, high in padding]


def hashable(value):
    return tuple(map(hashable, value)) if isinstance(value, (list, tuple)) else value


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.cases = []

    def array(self, shape, dtype, small=False):
        if dtype == "bool":
            return self.numpy.random(shape) < 0.5
        dtype = np.dtype(jnp.bfloat16 if dtype == "bfloat16" else dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            low, high = (max(limits.min, -9), 9) if small else (limits.min, limits.max)
            return self.numpy.integers(low, high, size=shape, dtype=dtype, endpoint=True)
        values = self.numpy.standard_normal(shape)
        if dtype.kind == "c":
            values = values + 1j * self.numpy.standard_normal(shape)
        return np.asarray(values).astype(dtype)

    def add(self, primitive, params, inputs, output, rtol=1e-5):
        """Keeps a case unless it is large or has no elements at all."""
        arrays = [*inputs, output]
        if sum(np.size(array) for array in arrays) > MAX_ELEMENTS:
            return
        self.cases.append(
            {
                "primitive": primitive,
                "params": params,
                "inputs": [encode(value) for value in inputs],
                "output": encode(output),
                "rtol": rtol,
            }
        )

    def dot(self):
        choice = self.rng.choice
        sizes = lambda count: [choice([1, 1, 2, 3, 4, 5]) for _ in range(count)]
        batch, contracted = sizes(choice([0, 0, 0, 1, 1, 2])), sizes(choice([0, 1, 1, 1, 2, 2, 3]))

        def operand(free):
            roles = [("batch", i, n) for i, n in enumerate(batch)]
            roles += [("contracted", i, n) for i, n in enumerate(contracted)]
            roles += [("free", i, n) for i, n in enumerate(free)]
            self.rng.shuffle(roles)
            where = {(role, index): place for place, (role, index, _) in enumerate(roles)}
            return (
                [size for _, _, size in roles],
                [where["contracted", i] for i in range(len(contracted))],
                [where["batch", i] for i in range(len(batch))],
            )

        lhs_shape, lhs_contracting, lhs_batch = operand(sizes(choice([0, 1, 1, 2])))
        rhs_shape, rhs_contracting, rhs_batch = operand(sizes(choice([0, 1, 1, 2])))
        others = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "complex64", "bool"]
        lhs_dtype = rhs_dtype = choice(["float32"] * 8 + others)
        preferred = None
        if lhs_dtype == "float32" and self.rng.random() < 0.15:
            rhs_dtype = "complex64"
        if lhs_dtype in ("int8", "uint8"):
            wide = {"int8": "int32", "uint8": "uint32"}[lhs_dtype]
            preferred = choice([None, wide, "float32"])
        numbers = ((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))
        self.add_dot(lhs_shape, rhs_shape, numbers, (lhs_dtype, rhs_dtype), preferred)

    def long_dot(self):
        """More terms than float32 can add exactly."""
        dtype = self.rng.choice(["int8", "uint8", "int16", "uint16", "int32", "uint32"])
        wide = "int32" if dtype.startswith("i") else "uint32"
        preferred = self.rng.choice([None, wide])
        size = self.rng.choice([300, 1100])
        self.add_dot([size], [size], (([0], [0]), ([], [])), (dtype, dtype), preferred)

    def add_dot(self, lhs_shape, rhs_shape, numbers, dtypes, preferred):
        lhs, rhs = self.array(lhs_shape, dtypes[0]), self.array(rhs_shape, dtypes[1])
        output = lax.dot_general(
            lhs,
            rhs,
            numbers,
            precision="highest",
            preferred_element_type=preferred and np.dtype(preferred),
        )
        params = {
            "dimension_numbers": numbers,
            "precision": None,
            "preferred_element_type": preferred,
        }
        self.add("dot_general", params, [lhs, rhs], output)

    def layout(self, shape, usual):
        """A physical order of the dimensions of `shape`, and the specification that undoes it."""
        order = list(usual)
        if self.rng.random() < 0.4:
            self.rng.shuffle(order)
        return [shape[dim] for dim in order], [order.index(dim) for dim in range(len(shape))]

    def conv(self):
        choice = self.rng.choice
        spatial = choice([0, 1, 1, 2, 2, 2, 2, 3, 3, 4])
        groups = choice([1, 1, 1, 1, 2, 3, 5, 6])
        batch_groups = choice([1, 1, 1, 2, 3]) if groups == 1 else 1
        each = choice([1, 1, 2, 3])
        outputs = groups * choice([1, 1, 2, 3]) * batch_groups
        sizes = [self.rng.randint(1, 4 if spatial >= 3 else 9) for _ in range(spatial)]
        window = [self.rng.randint(1, 3 if spatial >= 3 else 4) for _ in range(spatial)]
        some = lambda values, chance: (
            [choice(values) for _ in range(spatial)] if self.rng.random() < chance else [1] * spatial
        )
        strides = some([1, 1, 2, 3], 0.7)
        lhs_dilation = some([1, 1, 2, 3], 0.5)
        rhs_dilation = some([1, 1, 2, 3, 4], 0.5)
        dilated = [(n - 1) * d + 1 for n, d in zip(sizes, lhs_dilation)]
        reach = [(n - 1) * d + 1 for n, d in zip(window, rhs_dilation)]
        padding = choice(
            [
                [(0, 0)] * spatial,
                lax.padtype_to_pads(dilated, reach, strides, "SAME"),
                [(self.rng.randint(-1, 4), self.rng.randint(-1, 4)) for _ in range(spatial)],
            ]
        )
        if any(n + low + high < 0 for n, (low, high) in zip(dilated, padding)):
            return
        rank = spatial + 2
        last = [0, *range(2, rank), 1]
        lhs_shape, lhs_spec = self.layout([batch_groups * 2, groups * each, *sizes], last)
        rhs_order = [*range(2, rank), 1, 0]
        rhs_shape, rhs_spec = self.layout([outputs, each, *window], rhs_order)
        _, out_spec = self.layout([0] * rank, last)
        dtype = choice(["float32"] * 9 + ["int8", "int16", "int32", "complex64"])
        lhs, rhs = self.array(lhs_shape, dtype), self.array(rhs_shape, dtype)
        reversal = [self.rng.random() < 0.5 for _ in range(spatial)]
        reversal = reversal if self.rng.random() < 0.15 else None
        flipped = [rhs_spec[2 + i] for i in range(spatial) if reversal and reversal[i]]
        output = lax.conv_general_dilated(
            lhs,
            np.ascontiguousarray(np.flip(rhs, flipped)),
            strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            lax.ConvDimensionNumbers(tuple(lhs_spec), tuple(rhs_spec), tuple(out_spec)),
            groups,
            batch_groups,
            precision="highest",
        )
        params = {
            "window_strides": strides,
            "padding": pairs(padding),
            "lhs_dilation": lhs_dilation,
            "rhs_dilation": rhs_dilation,
            "window_reversal": reversal,
            "dimension_numbers": {
                "lhs_spec": lhs_spec,
                "rhs_spec": rhs_spec,
                "out_spec": out_spec,
            },
            "feature_group_count": groups,
            "batch_group_count": batch_groups,
            "precision": None,
            "preferred_element_type": None,
        }
        self.add("conv_general_dilated", params, [lhs, rhs], output)

    def window(self, shape, dilations, largest=3):
        choice = self.rng.choice
        rank = len(shape)
        dimensions = [choice([1, 1, 2, 2, size, largest]) for size in shape]
        strides = [choice([1, 1, 2, 3]) for _ in shape] if self.rng.random() < 0.6 else [1] * rank
        some = lambda values: (
            [choice(values) for _ in shape] if dilations and self.rng.random() < 0.3 else [1] * rank
        )
        base, dilation = some([1, 1, 2, 3]), some([1, 1, 2, 3])
        dilated = [(n - 1) * d + 1 for n, d in zip(shape, base)]
        reach = [(n - 1) * d + 1 for n, d in zip(dimensions, dilation)]
        padding = choice(
            [
                [(0, 0)] * rank,
                lax.padtype_to_pads(dilated, reach, strides, "SAME"),
                [choice([(0, 0), (0, 1), (1, 1), (2, 0)]) for _ in shape],
            ]
        )
        if any(n + sum(pad) < w for n, pad, w in zip(dilated, padding, reach)):
            return None
        return {
            "window_dimensions": dimensions,
            "window_strides": strides,
            "padding": pairs(padding),
            "base_dilation": base,
            "window_dilation": dilation,
        }

    def reduce_window(self):
        choice = self.rng.choice
        rank = choice([1, 2, 3, 4, 4, 4, 5])
        shape = [self.rng.randint(1, 6 if rank > 3 else 9) for _ in range(rank)]
        if rank == 1:
            shape = [self.rng.randint(50, 200)]
        window = self.window(shape, True, self.rng.randint(1, 40) if rank == 1 else 3)
        if window is None:
            return
        kind = choice(["sum", "max", "min", "sum", "max", "mul"])
        others = ["int8", "uint8", "int16", "int32", "uint32", "bool", "complex64", "bfloat16"]
        dtype = choice(["float32"] * 8 + others)
        if (kind in ("sum", "mul") and dtype == "bool") or (kind == "mul" and dtype == "bfloat16"):
            dtype = "float32"
        operand = self.array(shape, dtype)
        rtol = 3e-2 if dtype == "bfloat16" else 1e-5
        if kind == "mul":
            initial = np.asarray(choice([1, 2]), operand.dtype)
            arguments = [hashable(value) for value in window.values()]
            output = lax.reduce_window(operand, initial, lax.mul, *arguments)
            self.add("reduce_window", window, [operand, initial], output, 1e-4)
            return
        function = getattr(windowed, f"_reduce_window_{kind}")
        output = function(operand, *map(hashable, window.values()))
        self.add(f"reduce_window_{kind}", window, [operand], output, rtol)

    def select(self):
        choice = self.rng.choice
        shape = [self.rng.randint(1, 7) for _ in range(choice([1, 2, 3, 4, 4]))]
        gathers = self.rng.random() < 0.35
        window = self.window(shape, gathers, 5)
        if window is None:
            return
        # A window of nothing but padding chooses among its padding, which XLA leaves open.
        limits = [size - 1 for size in window["window_dimensions"]]
        window["padding"] = [
            [min(low, n), min(high, n)] for (low, high), n in zip(window["padding"], limits)
        ]
        name = choice(["ge", "le"])
        select = lax.ge_p if name == "ge" else lax.le_p
        params = {"select_prim": name, **window}
        if gathers:
            # No equal elements: among them XLA chooses by its own order of evaluation.
            tangents, operand = self.array(shape, "float32"), self.array(shape, "float32")
            arguments = [hashable(value) for value in window.values()]
            output = windowed._select_and_gather_add(tangents, operand, select, *arguments)
            self.add("select_and_gather_add", params, [tangents, operand], output)
            return
        del params["base_dilation"], params["window_dilation"]
        dtype = choice(["float32"] * 3 + ["int32", "uint8"])
        operand = self.array(shape, dtype)
        if self.rng.random() < 0.5:
            operand = np.round(operand) if dtype == "float32" else operand % np.array(3, dtype)
        arguments = [hashable(params[key]) for key in list(params)[1:]]
        sizes = windowed.reduce_window_shape_tuple(tuple(shape), *arguments)
        if 0 in sizes:
            return
        source = self.array(sizes, dtype, small=True)
        output = windowed._select_and_scatter_add(source, operand, select, *arguments)
        self.add("select_and_scatter_add", params, [source, operand], output)


def main():
    default = pathlib.Path(__file__).parents[2] / "tests/data/contractions.json.gz"
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=70, help="of each kind")
    parser.add_argument("--out", type=pathlib.Path, default=default)
    options = parser.parse_args()
    generator = Generator(options.seed)
    kinds = [generator.dot, generator.conv, generator.reduce_window, generator.select]
    for kind, count in [*((kind, options.cases) for kind in kinds), (generator.long_dot, 8)]:
        target = len(generator.cases) + count
        while len(generator.cases) < target:
            kind()
    text = json.dumps(generator.cases, separators=(",", ":"))
    options.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(generator.cases)} cases, {options.out.stat().st_size} bytes")


main()
