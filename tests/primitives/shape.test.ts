import { describe, expect, it } from "vitest";
import { dynamicSlice, dynamicUpdateSlice } from "../../primitives/dynamic.js";
import { dimAsValue, iota, optimizationBarrier } from "../../primitives/iota.js";
import { pad } from "../../primitives/pad.js";
import { broadcastInDim, reshape, rev, squeeze, transpose } from "../../primitives/shape.js";
import { concatenate, slice, split, stack, tile, unstack } from "../../primitives/slice.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseDim, parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import { errorOf, opsOf, typesOf } from "../support/checks.js";
import { lowered, program } from "../support/runLowered.js";
import { testFolds, testRecorded } from "../support/recordedPrimitives.js";

const scope = symbolicScope();
const symbolic = (text: string): Shape => parseShape(text, scope);
const f32 = (shape: Shape): ShapedArray => shapedArray("float32", shape);
const i32 = shapedArray("int32", []);

describe("types with symbolic dimensions", () => {
  const x = f32(symbolic("b, 4, t"));

  it("keeps, moves and computes sizes", () => {
    const shape = symbolic("b, 2, t");
    expect(typesOf(broadcastInDim, [f32([1, 2])], { shape, broadcast_dimensions: [0, 1] })).toBe(
      "f32[b,2,t]",
    );
    expect(typesOf(reshape, [x], { new_sizes: symbolic("b, 4*t"), dimensions: null })).toBe(
      "f32[b,4*t]",
    );
    expect(typesOf(transpose, [x], { permutation: [2, 0, 1] })).toBe("f32[t,b,4]");
    expect(typesOf(squeeze, [f32(symbolic("1, b"))], { dimensions: [0] })).toBe("f32[b]");
    expect(typesOf(rev, [x], { dimensions: [0] })).toBe("f32[b,4,t]");
    expect(typesOf(concatenate, [x, x], { dimension: 2 })).toBe("f32[b,4,2*t]");
    expect(typesOf(tile, [x], { reps: [1, 2, 3] })).toBe("f32[b,8,3*t]");
    expect(typesOf(stack, [x, x], { axis: 1 })).toBe("f32[b,2,4,t]");
    expect(typesOf(unstack, [f32(symbolic("2, b"))], { axis: 0 })).toBe("f32[b] f32[b]");
    expect(typesOf(split, [x], { sizes: [1, 3], axis: 1 })).toBe("f32[b,1,t] f32[b,3,t]");
    expect(typesOf(iota, [], { dtype: "int32", shape: symbolic("b, 2"), dimension: 0 })).toBe(
      "i32[b,2]",
    );
    expect(typesOf(dimAsValue, [], { dim: parseDim("b", scope) })).toBe("~i32[]");
    expect(typesOf(optimizationBarrier, [x, i32], {})).toBe("f32[b,4,t] i32[]");
  });

  it("slices and pads", () => {
    const begin = symbolic("0, 1, 0");
    const end = symbolic("b, 4, t");
    expect(
      typesOf(slice, [x], { start_indices: begin, limit_indices: end, strides: [2, 2, 1] }),
    ).toBe("f32[floordiv(b - 1, 2) + 1,2,t]");
    const config = [
      [0, 1, 1],
      [-1, 0, 0],
      [parseDim("b", scope), 0, 0],
    ] as const;
    expect(typesOf(pad, [x, f32([])], { padding_config: config })).toBe("f32[2*b,3,t + b]");
    const starts = [i32, i32, i32];
    expect(typesOf(dynamicSlice, [x, ...starts], { slice_sizes: symbolic("1, 2, t") })).toBe(
      "f32[1,2,t]",
    );
    expect(typesOf(dynamicUpdateSlice, [x, f32(symbolic("1, 4, t")), ...starts], {})).toBe(
      "f32[b,4,t]",
    );
  });
});

describe("errors in JAX's words", () => {
  const x = f32([2, 3]);

  it.each<[string, () => unknown]>([
    [
      "shape-mismatch: broadcast_in_dim operand dimension sizes must either be 1, or be equal to " +
        "their corresponding dimensions in the target broadcast shape; got operand of shape " +
        "(2, 3), target broadcast shape (2, 4), broadcast_dimensions (0, 1)",
      () => typesOf(broadcastInDim, [x], { shape: [2, 4], broadcast_dimensions: [0, 1] }),
    ],
    [
      "invalid-parameter: broadcast_in_dim broadcast_dimensions must be a subset of output " +
        "dimensions, got (0, 2) for operand ndim 2 and shape (2, 3).",
      () => typesOf(broadcastInDim, [x], { shape: [2, 3], broadcast_dimensions: [0, 2] }),
    ],
    [
      "shape-mismatch: reshape total size must be unchanged, got new_sizes (5,) for shape (2, 3).",
      () => typesOf(reshape, [x], { new_sizes: [5], dimensions: null }),
    ],
    [
      "invalid-parameter: transpose permutation isn't a permutation of operand dimensions, got " +
        "permutation (0, 0) for operand shape (2, 3).",
      () => typesOf(transpose, [x], { permutation: [0, 0] }),
    ],
    [
      "shape-mismatch: cannot select an axis to squeeze out which has size not equal to one, got " +
        "shape=(2, 3) and dimensions=(0,)",
      () => typesOf(squeeze, [x], { dimensions: [0] }),
    ],
    [
      "invalid-parameter: rev dimensions must be unique, got (0, 0).",
      () => typesOf(rev, [x], { dimensions: [0, 0] }),
    ],
    [
      "shape-mismatch: Cannot concatenate arrays with shapes that differ in dimensions other than " +
        "the one being concatenated: concatenating along dimension 0 for shapes (2, 3), (2, 4).",
      () => typesOf(concatenate, [x, f32([2, 4])], { dimension: 0 }),
    ],
    [
      "invalid-parameter: concatenate expects at least one operand, got 0.",
      () => typesOf(concatenate, [], { dimension: 0 }),
    ],
    [
      "shape-mismatch: slice limit_indices must be less than or equal to operand shape, got " +
        "limit_indices (2, 4) for operand shape (2, 3).",
      () => typesOf(slice, [x], { start_indices: [0, 0], limit_indices: [2, 4], strides: null }),
    ],
    [
      "shape-mismatch: Dimension size after padding is not at least 0, got result shape (-1, 3), " +
        "for padding_config ((-3, 0, 0), (0, 0, 0)) and operand shape (2, 3)",
      () =>
        typesOf(pad, [x, f32([])], {
          padding_config: [
            [-3, 0, 0],
            [0, 0, 0],
          ],
        }),
    ],
    [
      "shape-mismatch: Sum of sizes 2 must be equal to dimension 1 of the operand shape [2, 3]",
      () => typesOf(split, [x], { sizes: [1, 1], axis: 1 }),
    ],
    [
      "dtype-mismatch: index arguments to dynamic_slice must be integers of the same type, got: " +
        "int32, float32",
      () => typesOf(dynamicSlice, [x, i32, f32([])], { slice_sizes: [1, 1] }),
    ],
    [
      "shape-mismatch: dynamic_update_slice update shape must be smaller than operand shape, got " +
        "update shape (3, 3) for operand shape (2, 3).",
      () => typesOf(dynamicUpdateSlice, [x, f32([3, 3]), i32, i32], {}),
    ],
    [
      "invalid-parameter: iota dimension must be between 0 and len(shape), got dimension=1 for " +
        "shape=(3,)",
      () => typesOf(iota, [], { dtype: "int32", shape: [3], dimension: 1 }),
    ],
    [
      "invalid-parameter: transpose takes 1 arguments, got 2",
      () => typesOf(transpose, [x, x], { permutation: [1, 0] }),
    ],
  ])("%s", (expected, action) => {
    expect(errorOf(action)).toBe(expected);
  });
});

describe("graphs", () => {
  it("moves dimensions of size 1 by reshaping", () => {
    expect(opsOf(transpose, [f32([1, 4, 1])], { permutation: [1, 0, 2] })).toBe("Reshape");
  });

  it("leaves broadcasts to whoever needs them", () => {
    const closed = program([f32([3]), f32([2, 3])], (builder, [x, y]) => {
      if (x === undefined || y === undefined) return [];
      const params = { shape: [2, 3], broadcast_dimensions: [1] };
      const [wide] = builder.bind(broadcastInDim, [x], params);
      const [turned] = builder.bind(rev, [wide ?? x], { dimensions: [0] });
      const [joined] = builder.bind(concatenate, [turned ?? x, y], { dimension: 0 });
      return [joined ?? x];
    });
    const ops = lowered(closed, ["cpu"]).nodes.map((node) => node.op);
    expect(ops.filter((op) => op === "BroadcastTo")).toHaveLength(1);
    expect(ops).not.toContain("ReverseV2");
  });
});

const isIndex = (index: number, array: { readonly shape: readonly number[] }): boolean =>
  index > 0 && array.shape.length === 0;

describe("recorded results", () => {
  testFolds("shape");
  testFolds("dynamic");
  testRecorded("shape", isIndex);
  testRecorded("dynamic", isIndex);
});
