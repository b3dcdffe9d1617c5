import { describe, expect, it } from "vitest";
import { selectAndGatherAdd, selectAndScatterAdd } from "../../primitives/selectAndScatter.js";
import { reduceWindowMax, reduceWindowSum } from "../../primitives/window.js";
import { printAval, shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { ReduceWindowParams } from "../../src/ir/params.js";

const scope = symbolicScope();

function windowOf(
  window: readonly number[],
  changes: Partial<ReduceWindowParams> = {},
): ReduceWindowParams {
  const ones = window.map(() => 1);
  return {
    window_dimensions: window,
    window_strides: ones,
    padding: window.map(() => [0, 0]),
    base_dilation: ones,
    window_dilation: ones,
    ...changes,
  };
}

const print = (avals: readonly ShapedArray[]): string => avals.map(printAval).join(" ");
const maxType = (shape: Shape, params: ReduceWindowParams): string =>
  print(reduceWindowMax.abstractEval([shapedArray("float32", shape)], params));

describe("reduce_window_*: types", () => {
  it.each<[string, Shape, ReduceWindowParams]>([
    ["f32[1,3,3,2]", [1, 4, 4, 2], windowOf([1, 2, 2, 1])],
    ["f32[1,2,2,2]", [1, 4, 4, 2], windowOf([1, 2, 2, 1], { window_strides: [1, 2, 2, 1] })],
    ["f32[7]", [4], windowOf([2], { base_dilation: [2], padding: [[0, 1]] })],
    ["f32[2]", [4], windowOf([2], { window_dilation: [2] })],
    ["f32[0]", [2], windowOf([3])],
  ])("%s", (expected, shape, params) => {
    expect(maxType(shape, params)).toBe(expected);
  });

  it("keeps symbolic sizes", () => {
    const shape = parseShape("b, 4", scope);
    expect(maxType(shape, windowOf([1, 2]))).toBe("f32[b,3]");
  });

  it.each<[string, ReduceWindowParams]>([
    [
      "got the wrong number of window_dimensions for operand: got operand shape (4, 6) with " +
        "window_dimensions (2,).",
      windowOf([2]),
    ],
    [
      "got inconsistent window_strides and window_dimensions: got window_strides (1,) and " +
        "window_dimensions (2, 2).",
      windowOf([2, 2], { window_strides: [1] }),
    ],
    [
      "window_dimensions must have every element be strictly positive, got (0, 2).",
      windowOf([0, 2]),
    ],
    ["got 1 pairs of padding for an operand of rank 2.", windowOf([2, 2], { padding: [[0, 0]] })],
  ])("%s", (message, params) => {
    expect(() => maxType([4, 6], params)).toThrow(`reduce_window ${message}`);
  });

  it("sums numbers only", () => {
    const act = (): unknown =>
      reduceWindowSum.abstractEval([shapedArray("bool", [4])], windowOf([2]));
    expect(act).toThrow("operand to reduce_window_sum must have a number dtype, got bool");
  });
});

describe("select_and_*: types", () => {
  const windows = {
    select_prim: "ge",
    window_dimensions: [2, 2],
    window_strides: [2, 2],
    padding: [
      [0, 0],
      [0, 0],
    ],
  } as const;
  const float = (...shape: number[]): ShapedArray => shapedArray("float32", shape);

  it("gives the operand's shape to gradients", () => {
    expect(print(selectAndScatterAdd.abstractEval([float(2, 3), float(4, 6)], windows))).toBe(
      "f32[4,6]",
    );
  });

  it("wants one source element for each window", () => {
    const act = (): unknown =>
      selectAndScatterAdd.abstractEval([float(3, 3), float(4, 6)], windows);
    expect(act).toThrow("source must have one element for each window, (2, 3), got (3, 3).");
  });

  it("wants tangents of the operand's shape", () => {
    const params = { ...windowOf([2, 2]), select_prim: "le" } as const;
    const act = (): unknown => selectAndGatherAdd.abstractEval([float(4, 5), float(4, 6)], params);
    expect(act).toThrow("tangents and operand shapes must match, got (4, 5) and (4, 6).");
    expect(print(selectAndGatherAdd.abstractEval([float(4, 6), float(4, 6)], params))).toBe(
      "f32[3,5]",
    );
  });
});
