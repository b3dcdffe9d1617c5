// Equations over symbolic sizes: one graph has to give, at every size, what the graph for exactly
// that size gives (which shape, reduce, gather, scatter and sort tests compare with JAX).
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { argmax } from "../../primitives/argReduce.js";
import * as cumulative from "../../primitives/cumulative.js";
import { dynamicSlice, dynamicUpdateSlice } from "../../primitives/dynamic.js";
import { gather } from "../../primitives/gather.js";
import { iota } from "../../primitives/iota.js";
import { pad } from "../../primitives/pad.js";
import { reduceAnd, reduceProd, reduceSum } from "../../primitives/reduce.js";
import { scatter, scatterAdd, scatterMax } from "../../primitives/scatter.js";
import { broadcastInDim, rev } from "../../primitives/shape.js";
import { concatenate, slice, tile } from "../../primitives/slice.js";
import { sort, topK } from "../../primitives/sort.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import {
  evaluateDim,
  isSymbolic,
  parseDim,
  parseShape,
  symbolicScope,
  type Dim,
  type Shape,
} from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import type { GatherParams, Params, ParamValue, ScatterParams } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import { describeOnBackend } from "../support/backends.js";
import { compareArrays } from "../support/compare.js";
import { lowered, program, run } from "../support/runLowered.js";

const scope = symbolicScope();
const shape = (text: string): Shape => parseShape(text, scope);
const dim = (text: string): Dim => parseDim(text, scope);

type Sizes = ReadonlyMap<string, number>;

interface Case {
  readonly title: string;
  readonly primitive: Primitive;
  readonly inputs: readonly (readonly [DType, Shape])[];
  readonly params: Params;
}

const cases: Case[] = [];

/** `inputs`: `f32 b,2` with the shape's text after the element type. */
function add<P>(
  title: string,
  primitive: Primitive<P>,
  inputs: readonly string[],
  params: P,
): void {
  const types = inputs.map((text) => {
    const [kind = "", sizes = ""] = text.split(/ (.*)/);
    return [kind === "i32" ? "int32" : "float32", sizes === "" ? [] : shape(sizes)] as const;
  });
  cases.push({ title, primitive: primitive as Primitive, inputs: types, params: params as Params });
}

const rowNumbers: ScatterParams = {
  dimension_numbers: {
    update_window_dims: [1],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
    operand_batching_dims: [],
    scatter_indices_batching_dims: [],
  },
  indices_are_sorted: false,
  unique_indices: false,
  mode: "fill",
  update_jaxpr: null,
};

const gatherParams = (
  numbers: Partial<GatherParams["dimension_numbers"]>,
  slice_sizes: Shape,
  mode: GatherParams["mode"],
): GatherParams => ({
  dimension_numbers: {
    offset_dims: [],
    collapsed_slice_dims: [],
    start_index_map: [],
    operand_batching_dims: [],
    start_indices_batching_dims: [],
    ...numbers,
  },
  slice_sizes,
  indices_are_sorted: false,
  unique_indices: false,
  mode,
  fill_value: null,
});

add("broadcast_in_dim", broadcastInDim, ["f32 b,"], {
  shape: shape("t, b, 2"),
  broadcast_dimensions: [1],
});
add("iota", iota, [], { dtype: "int32", shape: shape("b, 2"), dimension: 0 });
add("concatenate", concatenate, ["f32 b, 2", "f32 t, 2"], { dimension: 0 });
add("rev", rev, ["f32 b, 2"], { dimensions: [0] });
add("tile", tile, ["f32 b, 2"], { reps: [2, dim("t")] });
add("slice with strides", slice, ["f32 b, 5"], {
  start_indices: [0, 1],
  limit_indices: shape("b, 5"),
  strides: [2, 3],
});
add("pad inside", pad, ["f32 b, 2", "f32"], {
  padding_config: [
    [1, -1, 1],
    [0, 2, 0],
  ],
});
add("pad by a symbolic amount", pad, ["f32 b, 2", "f32"], {
  padding_config: [
    [dim("b"), -1, 0],
    [0, 2, 0],
  ],
});
add("dynamic_slice", dynamicSlice, ["f32 b, 5", "i32", "i32"], { slice_sizes: [1, 2] });
add("dynamic_slice of symbolic size", dynamicSlice, ["f32 b + 2, t", "i32", "i32"], {
  slice_sizes: shape("b, t"),
});
add("dynamic_update_slice", dynamicUpdateSlice, ["f32 b + 2, t", "f32 b, t", "i32", "i32"], {});
add("reduce_sum", reduceSum, ["f32 b, 2"], { axes: [0] });
add("reduce_prod of integers", reduceProd, ["i32 b, 2"], { axes: [0] });
add("reduce_and of integers", reduceAnd, ["i32 b, 2, t"], { axes: [0, 2] });
add("argmax", argmax, ["f32 b, 2"], { axes: [0], index_dtype: "int32" });
add("cumsum", cumulative.cumsum, ["f32 b, 2"], { axis: 0, reverse: true });
add("cummax", cumulative.cummax, ["f32 b, 2"], { axis: 0, reverse: false });
add("cummin of integers", cumulative.cummin, ["i32 b, 2"], { axis: 0, reverse: true });
add("cumlogsumexp", cumulative.cumlogsumexp, ["f32 b,"], { axis: 0, reverse: true });
add("sort", sort, ["f32 b, t", "i32 b, t"], { dimension: 0, is_stable: true, num_keys: 2 });
add("top_k", topK, ["f32 b, t + 3"], { k: 3, axis: 1 });
add("top_k of symbolic size", topK, ["f32 b, t + 3"], { k: dim("t"), axis: 1 });
add(
  "gather of one axis",
  gather,
  ["f32 b, 3, t", "i32 q, 1"],
  gatherParams(
    { offset_dims: [0, 2], collapsed_slice_dims: [1], start_index_map: [1] },
    shape("b, 1, t"),
    "fill",
  ),
);
add(
  "gather in batches",
  gather,
  ["f32 b, t", "i32 b, q, 1"],
  gatherParams(
    {
      collapsed_slice_dims: [1],
      start_index_map: [1],
      operand_batching_dims: [0],
      start_indices_batching_dims: [0],
    },
    [1, 1],
    "clip",
  ),
);
add(
  "gather of windows",
  gather,
  ["f32 b + 3, t + 3, 2", "i32 q, 2"],
  gatherParams(
    { offset_dims: [1, 2], collapsed_slice_dims: [0], start_index_map: [0, 1] },
    [1, dim("t"), 2],
    "fill",
  ),
);
add("scatter", scatter, ["f32 b, 3", "i32 q, 1", "f32 q, 3"], rowNumbers);
add("scatter-add", scatterAdd, ["f32 b, 3", "i32 q, 1", "f32 q, 3"], rowNumbers);
add("scatter-max", scatterMax, ["f32 b, 3", "i32 q, 1", "f32 q, 3"], {
  ...rowNumbers,
  mode: "clip",
});
add("scatter in batches", scatter, ["f32 b, t, 3", "i32 b, 1", "f32 b, 3"], {
  ...rowNumbers,
  dimension_numbers: {
    update_window_dims: [1],
    inserted_window_dims: [1],
    scatter_dims_to_operand_dims: [1],
    operand_batching_dims: [0],
    scatter_indices_batching_dims: [0],
  },
});

/** Parameters with their symbolic sizes replaced by numbers. */
function evaluated(value: ParamValue, sizes: Sizes): ParamValue {
  if (isSymbolic(value as Dim) && typeof value === "object" && value !== null && "terms" in value) {
    return evaluateDim(value as Dim, sizes);
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return (value as readonly ParamValue[]).map((item) => evaluated(item, sizes));
  }
  const entries = Object.entries(value as Params);
  return Object.fromEntries(entries.map(([key, item]) => [key, evaluated(item, sizes)]));
}

/** The equation as a program, with three more inputs that tell the sizes b, t and q. */
function programOf(recorded: Case, sizes: Sizes | null): ReturnType<typeof program> {
  const known = (text: Shape): Shape =>
    sizes === null ? text : text.map((size) => evaluateDim(size, sizes));
  const avals: ShapedArray[] = [
    ...recorded.inputs.map(([dtype, text]) => shapedArray(dtype, known(text))),
    ...["b,", "t,", "q,"].map((text) => shapedArray("float32", known(shape(text)))),
  ];
  const params =
    sizes === null ? recorded.params : (evaluated(recorded.params, sizes) as unknown as Params);
  return program(avals, (builder, values) =>
    builder.bind(recorded.primitive, values.slice(0, recorded.inputs.length), params),
  );
}

/** Deterministic numbers; integers also lie out of bounds of small dimensions. */
function feed(aval: ShapedArray, seed: number): tf.Tensor {
  const sizes = aval.shape as readonly number[];
  const count = sizes.reduce((product, size) => product * size, 1);
  const isInteger = aval.dtype === "int32";
  const values = Array.from({ length: count }, (_, index) =>
    isInteger ? ((index * 7 + seed * 3) % 5) - 1 : Math.sin(index * 3 + seed),
  );
  return tf.tensor(values, [...sizes], isInteger ? "int32" : "float32");
}

const runs: readonly Sizes[] = [
  [1, 1, 1],
  [2, 3, 4],
  [5, 4, 3],
  [8, 2, 7],
].map(([b = 1, t = 1, q = 1]) => new Map(Object.entries({ b, t, q })));

describeOnBackend("cpu", () => {
  it.each(cases.map((recorded) => [recorded.title, recorded] as const))(
    "%s",
    async (_, recorded) => {
      const symbolic = lowered(programOf(recorded, null), ["cpu", "wasm", "webgl", "tensorflow"]);
      for (const sizes of runs) {
        const closed = programOf(recorded, sizes);
        const feeds = closed.jaxpr.invars.map(({ aval }, index) => feed(aval, index));
        const expected = await run(lowered(closed, ["cpu"]), feeds);
        const actual = await run(symbolic, feeds);
        expected.forEach((values, index) => {
          const tolerance = { rtol: 1e-5, atol: 1e-5 };
          const { agrees, summary } = compareArrays(
            actual[index] ?? [],
            values,
            "float",
            tolerance,
          );
          expect(agrees, summary).toBe(true);
        });
        tf.dispose(feeds);
      }
    },
  );
});
