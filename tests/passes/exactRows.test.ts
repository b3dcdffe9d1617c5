// Exact rewrites: what repeats is computed once, what is known is not computed at all.
import { beforeAll, describe, expect, test } from "vitest";
import * as lax from "../../src/lax/index.js";
import { useBackend } from "../../src/node/backends.js";
import * as np from "../../src/numpy/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { compared, float, integer, traced } from "../support/optimized.js";

beforeAll(() => useBackend("cpu"));

describe("gathers from known places", () => {
  const places: Readonly<Record<string, readonly [number[], readonly string[]]>> = {
    "a range": [[1, 2, 3], ["Slice"]],
    "all in order": [[0, 1, 2, 3, 4, 5], []],
    "every other": [[1, 3, 5], ["StridedSlice"]],
    "from the end": [[-3, -2, -1], ["Slice"]],
    "the same again and again": [
      [2, 2, 2],
      ["Slice", "BroadcastTo"],
    ],
    "no pattern": [[0, 1, 3], ["GatherV2"]],
    backwards: [[2, 1, 0], ["GatherV2"]],
  };
  test.each(Object.entries(places))("%s", async (_, [indices, expected]) => {
    const f = (x: ArrayValue): ArrayValue => np.take(x, indices, { axis: 0 });
    const { ops } = await compared(traced(f, float(6, 3)));
    expect(ops.filter((op) => op !== "Reshape")).toEqual(expected);
  });

  test("indices out of bounds give the fill value", async () => {
    const f = (x: ArrayValue): ArrayValue => np.take(x, [4, 5, 6], { axis: 0 });
    const { values } = await compared(traced(f, float(6, 2)));
    expect(values[0]?.slice(4)).toEqual([NaN, NaN]);
  });

  test("indices out of bounds are moved within", async () => {
    const f = (x: ArrayValue): ArrayValue => np.take(x, [4, 5, 6], { axis: 0, mode: "clip" });
    await compared(traced(f, float(6, 2)));
  });

  test("one place loses its axis in one node", async () => {
    const f = (x: ArrayValue): ArrayValue => np.index(x, np.slice(null), 2);
    const { ops } = await compared(traced(f, float(4, 5, 3)));
    expect(ops).toEqual(["GatherV2"]);
  });

  test("positions of an embedding are a part of its table", async () => {
    const f = (table: ArrayValue, x: ArrayValue): ArrayValue => {
      const positions = lax.broadcastedIota("int32", [2, 4], 1);
      return lax.add(x, np.take(table, positions, { axis: 0 }));
    };
    const { ops } = await compared(traced(f, float(7, 3), float(2, 4, 3)));
    expect(ops.toSorted()).toEqual(["AddV2", "Slice"]);
  });

  test("computed places keep their checks, with one comparison", async () => {
    const f = (x: ArrayValue, at: ArrayValue): ArrayValue => np.take(x, at, { axis: 0 });
    const { ops } = await compared(traced(f, float(5, 2), integer(3)));
    expect(ops.filter((op) => op.includes("Equal") || op.startsWith("Logical"))).toEqual(["Equal"]);
  });
});

describe("comparisons and limits that cannot turn out otherwise", () => {
  const rows = (): ArrayValue => lax.broadcastedIota("int32", [3, 4], 1);
  const cases: Readonly<Record<string, (x: ArrayValue) => ArrayValue>> = {
    "a count is not negative": (x) => np.where(lax.lt(rows(), 0), 0, x),
    "a count stays below its size": (x) => np.where(lax.le(rows(), 3), x, 0),
    "a remainder of small numbers": (x) => np.where(lax.eq(lax.rem(rows(), 4), rows()), x, 0),
    "limits that hold": (x) => np.where(lax.gt(lax.clamp(0, rows(), 3), rows()), 0, x),
    "a bool and true": (x) => np.where(lax.bitwiseAnd(lax.ge(rows(), 0), lax.lt(rows(), 9)), x, 0),
  };
  test.each(Object.entries(cases))("%s", async (_, f) => {
    const { ops } = await compared(traced(f, float(3, 4)));
    expect(ops).toEqual([]);
  });

  test("a bool as a number is compared as a bool", async () => {
    const f = (x: ArrayValue, y: ArrayValue): ArrayValue => {
      const mask = lax.convertElementType(lax.lt(x, y), "float32");
      return np.where(lax.gt(mask, 0), x, y);
    };
    const { ops } = await compared(traced(f, float(4), float(4)));
    expect(ops).toEqual(["Less", "SelectV2"]);
  });

  test("numbers that may wrap around are compared", async () => {
    const f = (x: ArrayValue): ArrayValue => lax.lt(lax.add(x, 1), x);
    const { ops } = await compared(traced(f, integer(3)));
    expect(ops).toContain("Less");
  });
});

describe("what repeats and what is known", () => {
  test("operations on repeated values come before the repetition", async () => {
    const f = (x: ArrayValue, y: ArrayValue): ArrayValue => {
      const [a, b] = [x, y].map((value) => lax.broadcastInDim(value, [5, 3, 4], [1]));
      return a === undefined || b === undefined ? x : lax.reduceMax(lax.mul(a, b), [0]);
    };
    const { ops } = await compared(traced(f, float(3), float(3)));
    expect(ops.slice(0, 1)).toEqual(["Mul"]);
    expect(ops.filter((op) => op === "Max")).toEqual([]);
  });

  test("angles of positions are numbers", async () => {
    const f = (x: ArrayValue): ArrayValue => {
      const angles = np.multiply(np.arange(6), 0.3);
      return np.add(np.multiply(x, lax.cos(angles)), lax.exp(lax.neg(angles)));
    };
    const { ops } = await compared(traced(f, float(2, 6)));
    expect(ops).toEqual(["Mul", "AddV2"]);
  });

  test("sizes put side by side are a constant", async () => {
    const f = (x: ArrayValue): ArrayValue =>
      lax.mul(x, lax.concatenate([lax.full([1], 2), lax.full([2], 3)], 0));
    const { ops } = await compared(traced(f, float(3)));
    expect(ops).toEqual(["Mul"]);
  });
});
