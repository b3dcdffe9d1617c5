import { describe, expect, it } from "vitest";
import { dotGeneral } from "../../primitives/dot.js";
import { printAval, shapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import type { DotDimensionNumbers } from "../../src/ir/params.js";

const scope = symbolicScope();
const symbolic = (text: string): Shape => parseShape(text, scope);

function typeOf(
  lhs: readonly [DType, Shape],
  rhs: readonly [DType, Shape],
  dimension_numbers: DotDimensionNumbers,
  preferred_element_type: string | null = null,
): string {
  const [out] = dotGeneral.abstractEval([shapedArray(...lhs), shapedArray(...rhs)], {
    dimension_numbers,
    precision: null,
    preferred_element_type,
  });
  return out === undefined ? "" : printAval(out);
}

const matrices: DotDimensionNumbers = [
  [[1], [0]],
  [[], []],
];

describe("dot_general: types", () => {
  it("orders dimensions batch, left, right", () => {
    const numbers: DotDimensionNumbers = [
      [[3], [3]],
      [
        [0, 2],
        [0, 2],
      ],
    ];
    const q = symbolic("b, t, 4, 16");
    expect(typeOf(["float32", q], ["float32", symbolic("b, s, 4, 16")], numbers)).toBe(
      "f32[b,4,t,s]",
    );
    expect(typeOf(["bfloat16", [2, 3]], ["bfloat16", [3, 5]], matrices, "float32")).toBe(
      "f32[2,5]",
    );
  });

  it.each([
    ["float32", "complex64", "c64[4,6]"],
    ["int32", "float16", "f16[4,6]"],
    ["int32", "uint16", "i32[4,6]"],
    ["int32", "uint32", "i32[4,6]"],
    ["int8", "uint16", "u16[4,6]"],
    ["float16", "bfloat16", "bf16[4,6]"],
    ["bool", "bool", "bool[4,6]"],
  ] as const)("%s by %s gives %s", (lhs, rhs, expected) => {
    expect(typeOf([lhs, [4, 3]], [rhs, [3, 6]], matrices)).toBe(expected);
  });

  it.each<[string, Shape, Shape, DotDimensionNumbers, string | null]>([
    [
      "contracting dimensions to have the same shape, got (3,) and (4,).",
      [2, 3],
      [4, 5],
      matrices,
      null,
    ],
    [
      "lhs dimension numbers to be nonnegative and less than the number of axes of the lhs value, " +
        "got lhs_batch of () and lhs_contracting of (2,) for lhs of rank 2",
      [2, 3],
      [3, 5],
      [
        [[2], [0]],
        [[], []],
      ],
      null,
    ],
    [
      "rhs contracting dimensions to be distinct, got rhs_contracting (0, 0).",
      [3, 3],
      [3, 5],
      [
        [
          [0, 1],
          [0, 0],
        ],
        [[], []],
      ],
      null,
    ],
    [
      "lhs batch dimensions to be disjoint from contracting dimensions, got lhs_batch (1,) and " +
        "lhs_contracting (1,).",
      [2, 3],
      [3, 5],
      [
        [[1], [0]],
        [[1], [1]],
      ],
      null,
    ],
    [
      "equal numbers of lhs_batch and rhs_batch dimensions, got lhs_batch (0,) and rhs_batch ().",
      [2, 3],
      [3, 5],
      [
        [[1], [0]],
        [[0], []],
      ],
      null,
    ],
    [
      "lhs batch dimensions and rhs batch dimensions to have the same shape, got (2,) and (4,).",
      [2, 3],
      [3, 4],
      [
        [[1], [0]],
        [[0], [1]],
      ],
      null,
    ],
  ])("%s", (message, lhs, rhs, numbers, preferred) => {
    const act = (): string => typeOf(["float32", lhs], ["float32", rhs], numbers, preferred);
    expect(act).toThrow(`dot_general requires ${message}`);
  });

  it("refuses narrower preferred types of integers", () => {
    const act = (): string => typeOf(["int32", [2, 3]], ["int32", [3, 2]], matrices, "int8");
    expect(act).toThrow("`preferred_element_type` must not be narrower than the original type");
  });
});
