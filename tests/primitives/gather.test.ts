import { describe, expect, it } from "vitest";
import { gather } from "../../primitives/gather.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { GatherDimensionNumbers, GatherParams } from "../../src/ir/params.js";
import { errorOf, opsOf, typesOf } from "../support/checks.js";
import { testRecorded } from "../support/recordedPrimitives.js";

const scope = symbolicScope();
const f32 = (shape: Shape): ShapedArray => shapedArray("float32", shape);
const i32 = (shape: Shape): ShapedArray => shapedArray("int32", shape);

function params(
  numbers: Partial<GatherDimensionNumbers>,
  slice_sizes: Shape,
  mode: GatherParams["mode"] = "clip",
): GatherParams {
  return {
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
  };
}

/** `x[indices]` along the first dimension of a matrix. */
const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0] };

describe("types", () => {
  it("puts windows between the dimensions of the indices", () => {
    const x = f32(parseShape("v, 16", scope));
    expect(typesOf(gather, [x, i32(parseShape("b, 1", scope))], params(rows, [1, 16]))).toBe(
      "f32[b,16]",
    );
    const columns = { offset_dims: [0], collapsed_slice_dims: [1], start_index_map: [1] };
    const sizes = parseShape("v, 1", scope);
    expect(typesOf(gather, [x, i32([5, 1])], params(columns, sizes))).toBe("f32[v,5]");
  });

  it.each<[string, ShapedArray, ShapedArray, GatherParams]>([
    [
      "dtype-mismatch: indices must have an integer type",
      f32([4, 2]),
      f32([3, 1]),
      params(rows, [1, 2]),
    ],
    [
      "shape-mismatch: Gather op has 1 elements in start_index_map and the bound of dimension " +
        "index_vector_dim=1 of indices is 2. These two numbers must be equal.",
      f32([4, 2]),
      i32([3, 2]),
      params(rows, [1, 2]),
    ],
    [
      "shape-mismatch: Slice size at index 1 in gather op is out of range, must be within " +
        "[0, 2 + 1), got 3.",
      f32([4, 2]),
      i32([3, 1]),
      params(rows, [1, 3]),
    ],
    [
      "invalid-parameter: Gather op can only collapse slice dims with bound 1, but bound is 2 for " +
        "index 0 at position 0.",
      f32([4, 2]),
      i32([3, 1]),
      params(rows, [2, 2]),
    ],
    [
      "invalid-parameter: collapsed_slice_dims and operand_batching_dims in gather op must be " +
        "disjoint; got: (0,) and (0,).",
      f32([4, 2]),
      i32([4, 1]),
      params({ ...rows, operand_batching_dims: [0], start_indices_batching_dims: [0] }, [1, 2]),
    ],
    [
      "invalid-parameter: Offset dimension 0 in gather op is out of bounds; got 2, but should have " +
        "been in [0, 2)",
      f32([4, 2]),
      i32([3, 1]),
      params({ ...rows, offset_dims: [2] }, [1, 2]),
    ],
    [
      "shape-mismatch: Gather op requires operand batching dimensions and indices batching " +
        "dimensions to have the same shape, got (4,) and (3,).",
      f32([4, 2]),
      i32([3, 1]),
      params(
        {
          start_index_map: [1],
          collapsed_slice_dims: [1],
          operand_batching_dims: [0],
          start_indices_batching_dims: [0],
        },
        [1, 1],
      ),
    ],
  ])("%s", (expected, x, indices, wrong) => {
    expect(errorOf(() => typesOf(gather, [x, indices], wrong))).toBe(expected);
  });
});

describe("graphs", () => {
  it("take rows with one GatherV2 behind the clamp", () => {
    expect(opsOf(gather, [f32([9, 4]), i32([3, 1])], params(rows, [1, 4]))).toBe(
      "Reshape Maximum Minimum GatherV2",
    );
  });

  it("take columns without transposing", () => {
    const columns = { offset_dims: [0], collapsed_slice_dims: [1], start_index_map: [1] };
    expect(opsOf(gather, [f32([9, 4]), i32([3, 1])], params(columns, [9, 1]))).toBe(
      "Reshape Maximum Minimum GatherV2",
    );
  });
});

describe("recorded results", () => {
  testRecorded("gather", (index) => index === 1);
});
