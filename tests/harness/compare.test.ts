// The comparison rule of the oracle corpus.
import { describe, expect, test } from "vitest";
import { compareArrays, comparisonKind, expectAgrees } from "../support/compare.js";

const loose = { rtol: 0.1, atol: 0.01 };
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe("float", () => {
  const agrees = (x: number, r: number): boolean => compareArrays([x], [r], "float", loose).agrees;
  test.each([
    [1.1, 1, true],
    [1.12, 1, false],
    [0.01, 0, true],
    [0.011, 0, false],
    [-0, 0, true],
    [nan, nan, true],
    [nan, 1, false],
    [1, nan, false],
    [inf, inf, true],
    [inf, -inf, false],
    [1, inf, false],
    [inf, 1, false],
  ])("%d against the recorded %d: %s", (x, r, expected) => expect(agrees(x, r)).toBe(expected));

  test("reports the element furthest outside and the largest errors", () => {
    const comparison = compareArrays([1, 5, 30], [1, 4, 10], "float", loose);
    expect(comparison).toMatchObject({
      agrees: false,
      mismatches: 2,
      worstIndex: 2,
      maxAbsoluteError: 20,
      maxRelativeError: 2,
    });
    expect(comparison.summary).toContain("2 of 3 differ, most at [2]: 30 instead of 10");
  });

  test("arrays of different lengths differ", () => {
    expect(compareArrays([1], [1, 1], "float", loose).agrees).toBe(false);
  });
});

describe("complex", () => {
  const agrees = (x: number[], r: number[]): boolean =>
    compareArrays(x, r, "complex", loose).agrees;
  test("by the modulus of the difference", () => {
    expect(agrees([3, 4.5], [3, 4])).toBe(true);
    expect(agrees([3.4, 4.4], [3, 4])).toBe(false);
  });
  test("one NaN part makes the number NaN", () => {
    expect(agrees([nan, 1], [2, nan])).toBe(true);
    expect(agrees([nan, 1], [2, 1])).toBe(false);
  });
  test("infinite parts are equal, the other part is close", () => {
    expect(agrees([inf, 1.05], [inf, 1])).toBe(true);
    expect(agrees([inf, 2], [inf, 1])).toBe(false);
    expect(agrees([1, 1], [inf, 1])).toBe(false);
  });
  test("indices are of numbers, not of parts", () => {
    expect(compareArrays([0, 0, 9, 0], [0, 0, 0, 0], "complex", loose).worstIndex).toBe(1);
  });
});

describe("integers and booleans", () => {
  test("must be equal whatever the tolerance", () => {
    expect(compareArrays([1, 2], [1, 2], "exact", loose).agrees).toBe(true);
    expect(compareArrays([100], [101], "exact", loose).agrees).toBe(false);
  });
  test("64-bit integers are compared without rounding", () => {
    const big = 2n ** 53n;
    expect(compareArrays([big], [big], "exact", loose).agrees).toBe(true);
    expect(compareArrays([big + 1n], [big], "exact", loose)).toMatchObject({
      agrees: false,
      worstIndex: 0,
    });
    expect(compareArrays([7], [7n], "exact", loose).agrees).toBe(true);
    expect(compareArrays([7.5], [7n], "exact", loose).agrees).toBe(false);
  });
});

test("the kind follows from the dtype's name", () => {
  expect(["float32", "bfloat16", "complex64", "uint8", "bool"].map(comparisonKind)).toEqual([
    "float",
    "float",
    "complex",
    "exact",
    "exact",
  ]);
  expect(() => comparisonKind("string")).toThrow("no comparison for dtype string");
});

test("expectAgrees names the array, the dtype and the bounds", () => {
  expect(() => expectAgrees("out_0", [1], [2], "float32", loose)).toThrow(
    "out_0 (float32, rtol 0.1, atol 0.01): 1 of 1 differ, most at [0]: 1 instead of 2",
  );
});
