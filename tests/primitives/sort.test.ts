import { describe, expect, it } from "vitest";
import { approxTopK, approxTopKSize, sort, topK } from "../../primitives/sort.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseDim, parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import { errorOf, typesOf } from "../support/checks.js";
import { testRecorded } from "../support/recordedPrimitives.js";

const scope = symbolicScope();
const f32 = (shape: Shape): ShapedArray => shapedArray("float32", shape);

const approximate = {
  k: 10,
  reduction_dimension: 0,
  recall_target: 0.95,
  is_max_k: true,
  reduction_input_size_override: -1,
  aggregate_to_topk: false,
};

describe("types", () => {
  it("keep or cut the sorted dimension", () => {
    const x = f32(parseShape("b, t", scope));
    const keys = { dimension: 1, is_stable: true, num_keys: 1 };
    expect(typesOf(sort, [x, shapedArray("int32", x.shape)], keys)).toBe("f32[b,t] i32[b,t]");
    const wide = f32(parseShape("b, t + 3", scope));
    expect(typesOf(topK, [wide], { k: 3, axis: 1 })).toBe("f32[b,3] i32[b,3]");
    expect(typesOf(topK, [wide], { k: parseDim("t", scope), axis: 1 })).toBe("f32[b,t] i32[b,t]");
    expect(typesOf(approxTopK, [f32([2000])], { ...approximate, aggregate_to_topk: true })).toBe(
      "f32[10] i32[10]",
    );
  });

  // Sizes that jax 0.10.2 gives (jax._src.lib._jax.approx_top_k_reduction_output_size).
  it.each([
    [1000, 1, 10, 0.95, 1000],
    [2000, 1, 10, 0.95, 2000],
    [100000, 1, 10, 0.95, 2048],
    [100000, 2, 10, 0.95, 256],
    [500, 2, 10, 0.95, 256],
    [500, 2, 1, 0.95, 128],
    [5000, 2, 7, 0.8, 256],
  ])(
    "approx_top_k of %i elements, rank %i, k=%i, recall %f: %i",
    (size, rank, k, recall, result) => {
      expect(approxTopKSize(size, rank, { ...approximate, k, recall_target: recall })).toBe(result);
    },
  );

  it.each<[string, () => unknown]>([
    [
      "shape-mismatch: Arguments to sort must have equal shapes, got: (2,) (3,)",
      () => typesOf(sort, [f32([2]), f32([3])], { dimension: 0, is_stable: true, num_keys: 1 }),
    ],
    [
      "invalid-parameter: num_keys=2 must be between 1 and len(operand)=1",
      () => typesOf(sort, [f32([2])], { dimension: 0, is_stable: true, num_keys: 2 }),
    ],
    [
      "invalid-parameter: k argument to top_k must be no larger than size along axis; got k=3 with " +
        "shape=[2] and axis=0",
      () => typesOf(topK, [f32([2])], { k: 3, axis: 0 }),
    ],
    [
      "dtype-mismatch: top_k is not compatible with complex inputs.",
      () => typesOf(topK, [shapedArray("complex64", [2])], { k: 1, axis: 0 }),
    ],
    [
      "dtype-mismatch: operand must be a floating type",
      () => typesOf(approxTopK, [shapedArray("int32", [20])], approximate),
    ],
  ])("%s", (expected, action) => {
    expect(errorOf(action)).toBe(expected);
  });
});

describe("recorded results", () => {
  testRecorded("sort");
});
