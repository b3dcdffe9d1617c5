import { describe, expect, it } from "vitest";
import { convGeneralDilated } from "../../primitives/conv.js";
import { printAval, shapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import type { ConvGeneralDilatedParams } from "../../src/ir/params.js";

const scope = symbolicScope();

/** NHWC by HWIO with stride 1 and no padding. */
const plain: ConvGeneralDilatedParams = {
  window_strides: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  lhs_dilation: [1, 1],
  rhs_dilation: [1, 1],
  window_reversal: null,
  dimension_numbers: { lhs_spec: [0, 3, 1, 2], rhs_spec: [3, 2, 0, 1], out_spec: [0, 3, 1, 2] },
  feature_group_count: 1,
  batch_group_count: 1,
  precision: null,
  preferred_element_type: null,
};

function typeOf(
  lhs: Shape,
  rhs: Shape,
  changes: Partial<ConvGeneralDilatedParams> = {},
  dtype: DType = "float32",
): string {
  const avals = [shapedArray(dtype, lhs), shapedArray(dtype, rhs)];
  const [out] = convGeneralDilated.abstractEval(avals, { ...plain, ...changes });
  return out === undefined ? "" : printAval(out);
}

describe("conv_general_dilated: types", () => {
  it.each<[string, Shape, Shape, Partial<ConvGeneralDilatedParams>]>([
    ["f32[2,6,8,5]", [2, 8, 10, 3], [3, 3, 3, 5], {}],
    ["f32[2,4,5,5]", [2, 8, 10, 3], [2, 2, 3, 5], { window_strides: [2, 2] }],
    ["f32[2,4,6,5]", [2, 8, 10, 3], [3, 3, 3, 5], { rhs_dilation: [2, 2] }],
    ["f32[2,13,17,5]", [2, 8, 10, 3], [3, 3, 3, 5], { lhs_dilation: [2, 2] }],
    ["f32[2,0,0,5]", [2, 2, 2, 3], [3, 3, 3, 5], {}],
    ["f32[2,6,8,6]", [2, 8, 10, 3], [3, 3, 1, 6], { feature_group_count: 3 }],
    ["f32[2,6,8,6]", [6, 8, 10, 3], [3, 3, 3, 6], { batch_group_count: 3 }],
    [
      "f32[5,2,8,10]",
      [8, 10, 3, 2],
      [5, 3, 3, 3],
      {
        padding: [
          [1, 1],
          [0, 2],
        ],
        dimension_numbers: {
          lhs_spec: [3, 2, 0, 1],
          rhs_spec: [0, 1, 2, 3],
          out_spec: [1, 0, 2, 3],
        },
      },
    ],
  ])("%s", (expected, lhs, rhs, changes) => {
    expect(typeOf(lhs, rhs, changes)).toBe(expected);
  });

  it("keeps symbolic sizes", () => {
    expect(typeOf(parseShape("b, h, 8, 3", scope), [3, 3, 3, 5])).toBe("f32[b,max(h - 2, 0),6,5]");
  });

  it("takes a preferred type", () => {
    const wide = { preferred_element_type: "float32" };
    expect(typeOf([1, 4, 4, 1], [2, 2, 1, 1], wide, "int8")).toBe("f32[1,3,3,1]");
    const narrow = (): string =>
      typeOf([1, 4, 4, 1], [2, 2, 1, 1], { preferred_element_type: "int8" }, "int32");
    expect(narrow).toThrow("must not be narrower than the original type");
    const real = (): string =>
      typeOf([1, 4, 4, 1], [2, 2, 1, 1], { preferred_element_type: "float32" }, "complex64");
    expect(real).toThrow("Input type is incompatible with `preferred_element_type`");
  });

  it.each<[string, Shape, Shape, Partial<ConvGeneralDilatedParams>]>([
    [
      "lhs and rhs must have the same number of dimensions, but got (2, 8, 3) and (3, 3, 3, 5).",
      [2, 8, 3],
      [3, 3, 3, 5],
      {},
    ],
    [
      "lhs feature dimension size divided by feature_group_count must equal the rhs input feature " +
        "dimension size, but 3 // 1 != 4.",
      [2, 8, 10, 3],
      [3, 3, 4, 5],
      {},
    ],
    [
      "feature_group_count must divide lhs feature dimension size, but 2 does not divide 3.",
      [2, 8, 10, 3],
      [3, 3, 3, 5],
      { feature_group_count: 2 },
    ],
    [
      "rhs output feature dimension size must be a multiple of feature_group_count, but 5 is not a " +
        "multiple of 3.",
      [2, 8, 10, 3],
      [3, 3, 1, 5],
      { feature_group_count: 3 },
    ],
    [
      "batch_group_count must divide lhs batch dimension size, but 3 does not divide 2.",
      [2, 8, 10, 3],
      [3, 3, 3, 6],
      { batch_group_count: 3 },
    ],
    [
      "feature_group_count must be a positive integer, got 0.",
      [2, 8, 10, 3],
      [3, 3, 3, 6],
      { feature_group_count: 0 },
    ],
    [
      "window and window_strides must have the same number of dimensions, but got 2 and 1",
      [2, 8, 10, 3],
      [3, 3, 3, 6],
      { window_strides: [1] },
    ],
    [
      "strides and dilations must be 2 positive integers, got (0, 1).",
      [2, 8, 10, 3],
      [3, 3, 3, 6],
      { window_strides: [0, 1] },
    ],
  ])("%s", (message, lhs, rhs, changes) => {
    expect(() => typeOf(lhs, rhs, changes)).toThrow(`conv_general_dilated ${message}`);
  });

  it("refuses padding that cuts more than there is", () => {
    const cut = {
      padding: [
        [-5, -4],
        [0, 0],
      ],
    } as const;
    expect(() => typeOf([2, 8, 10, 3], [3, 3, 3, 5], cut)).toThrow("Negative padding is larger");
  });
});
