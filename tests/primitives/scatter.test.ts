import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { sin } from "../../primitives/unary.js";
import { add, mul } from "../../primitives/binary.js";
import { scatter, scatterAdd, scatterMax, scatterMul } from "../../primitives/scatter.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import type { Shape } from "../../src/ir/dims.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import type { ScatterDimensionNumbers, ScatterParams } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import { describeOnBackend } from "../support/backends.js";
import { errorOf, opsOf, typesOf } from "../support/checks.js";
import { testRecorded } from "../support/recordedPrimitives.js";
import { lowered, program, run } from "../support/runLowered.js";

const f32 = (shape: Shape): ShapedArray => shapedArray("float32", shape);
const i32 = (shape: Shape): ShapedArray => shapedArray("int32", shape);

function params(
  changes: Partial<ScatterDimensionNumbers> = {},
  others: Partial<ScatterParams> = {},
): ScatterParams {
  return {
    dimension_numbers: {
      update_window_dims: [1],
      inserted_window_dims: [0],
      scatter_dims_to_operand_dims: [0],
      operand_batching_dims: [],
      scatter_indices_batching_dims: [],
      ...changes,
    },
    indices_are_sorted: false,
    unique_indices: false,
    mode: "fill",
    update_jaxpr: null,
    ...others,
  };
}

describe("types", () => {
  it("are the operand's", () => {
    expect(typesOf(scatter, [f32([5, 2]), i32([3, 1]), f32([3, 2])], params())).toBe("f32[5,2]");
  });

  it.each<[string, readonly ShapedArray[], ScatterParams]>([
    [
      "dtype-mismatch: lax.scatter requires arguments to have the same dtypes, got float32, int32.",
      [f32([5, 2]), i32([3, 1]), i32([3, 2])],
      params(),
    ],
    [
      "shape-mismatch: Updates tensor must be of rank 2; got 1.",
      [f32([5, 2]), i32([3, 1]), f32([3])],
      params(),
    ],
    [
      "shape-mismatch: Bounds of the window dimensions of updates must not exceed the bounds of " +
        "the corresponding dimensions of operand. For dimension 1, updates bound is 3, operand " +
        "bound is 2.",
      [f32([5, 2]), i32([3, 1]), f32([3, 3])],
      params(),
    ],
    [
      "shape-mismatch: Bounds of the scatter dimensions of updates must be the same as the bounds " +
        "of the corresponding dimensions of scatter indices. For scatter dimension 0, updates " +
        "bound is 4, indices bound is 3.",
      [f32([5, 2]), i32([3, 1]), f32([4, 2])],
      params(),
    ],
    [
      "invalid-parameter: Invalid scatter_dims_to_operand_dims mapping; domain is [0, 2), got: " +
        "0->2.",
      [f32([5, 2]), i32([3, 1]), f32([3, 2])],
      params({ scatter_dims_to_operand_dims: [2] }),
    ],
  ])("%s", (expected, inputs, wrong) => {
    expect(errorOf(() => typesOf(scatter, inputs, wrong))).toBe(expected);
  });
});

/** Rows of 2 scattered into rows of 2, indices as an input or as a constant. */
async function rows(
  primitive: Primitive<ScatterParams>,
  indices: readonly number[],
  others: Partial<ScatterParams>,
  constant: boolean,
): Promise<readonly number[]> {
  const [count, rowCount] = [indices.length, 4];
  const x = Array.from({ length: 2 * rowCount }, (_, index) => index + 1);
  const updates = Array.from({ length: 2 * count }, (_, index) => (index % 7) - 2.5);
  const types = [f32([rowCount, 2]), f32([count, 2]), ...(constant ? [] : [i32([count, 1])])];
  const closed = program(types, (builder, [operand, update, places]) => {
    if (operand === undefined || update === undefined) return [];
    const where = places ?? builder.constant(fromNumbers("int32", [count, 1], indices));
    return builder.bind(primitive, [operand, where, update], params({}, others));
  });
  const feeds = [
    tf.tensor(x, [rowCount, 2]),
    tf.tensor(updates, [count, 2]),
    ...(constant ? [] : [tf.tensor([...indices], [count, 1], "int32")]),
  ];
  const [result] = await run(lowered(closed, ["cpu", "webgl"]), feeds);
  return [...(result ?? [])];
}

/** The same, one update after the other. */
function rowsInOrder(
  combine: (old: number, update: number) => number,
  indices: readonly number[],
): readonly number[] {
  const x = Array.from({ length: 8 }, (_, index) => index + 1);
  indices.forEach((row, place) => {
    for (const column of [0, 1]) {
      const at = 2 * row + column;
      const update = ((2 * place + column) % 7) - 2.5;
      if (row >= 0 && row < 4) x[at] = Math.fround(combine(x[at] ?? 0, update));
    }
  });
  return x;
}

/** `(x, u) -> x * 2 + u`, which depends on the order of updates. */
const doubled = program([f32([]), f32([])], (builder, [x, u]) => {
  if (x === undefined || u === undefined) return [];
  const two = { kind: "literal", value: 2, aval: f32([]) } as const;
  const [product] = builder.bind(mul, [x, two], {});
  return product === undefined ? [] : builder.bind(add, [product, u], {});
});

describeOnBackend("cpu", () => {
  const few = [2, 0, 2, 7, 1, -1, 2];
  const many = Array.from({ length: 900 }, (_, index) => (index * 7) % 6);

  it.each([
    ["few", few],
    ["many", many],
  ])("repeated rows: %s", async (_, indices) => {
    for (const constant of [false, true]) {
      expect(await rows(scatter, indices, {}, constant)).toEqual(
        rowsInOrder((_old, update) => update, indices),
      );
      expect(await rows(scatterAdd, indices, {}, constant)).toEqual(
        rowsInOrder((old, update) => old + update, indices),
      );
      expect(await rows(scatterMax, indices, {}, constant)).toEqual(rowsInOrder(Math.max, indices));
    }
  });

  it("a general computation is applied in order", async () => {
    for (const constant of [false, true]) {
      expect(await rows(scatter, few, { update_jaxpr: doubled }, constant)).toEqual(
        rowsInOrder((old, update) => 2 * old + update, few),
      );
    }
    const expected = rowsInOrder((old, update) => 2 * old + update, [3, 0]);
    const unique = { update_jaxpr: doubled, unique_indices: true };
    expect(await rows(scatter, [3, 0], unique, false)).toEqual(expected);
    expect(await rows(scatter, [3], unique, false)).toEqual(
      rowsInOrder((old, update) => 2 * old + update, [3]),
    );
  });

  it("the operand stays as it is", async () => {
    // The kernel of the cpu backend writes into its argument.
    const unique = params({}, { unique_indices: true });
    const closed = program([f32([3, 2]), i32([1, 1]), f32([1, 2])], (builder, inputs) =>
      builder.bind(scatter, inputs, unique),
    );
    const operand = tf.zeros([3, 2]);
    const inputs = [operand, tf.tensor([1], [1, 1], "int32"), tf.ones([1, 2])];
    const [result] = await run(lowered(closed, ["cpu"]), inputs);
    expect(Array.from(result ?? [])).toEqual([0, 0, 1, 1, 0, 0]);
    expect(Array.from(operand.dataSync())).toEqual([0, 0, 0, 0, 0, 0]);
    tf.dispose(inputs);
  });

  it("writes into one array do not mix", async () => {
    const unique = params({}, { unique_indices: true });
    const types = [f32([3, 1]), i32([1, 1]), i32([1, 1]), f32([1, 1])];
    const closed = program(types, (builder, [operand, first, second, update]) => {
      if (operand === undefined || update === undefined) return [];
      return [first, second].flatMap((indices) =>
        indices === undefined ? [] : builder.bind(scatter, [operand, indices, update], unique),
      );
    });
    const index = (value: number): tf.Tensor => tf.tensor([value], [1, 1], "int32");
    const inputs = [tf.zeros([3, 1]), index(0), index(2), tf.ones([1, 1])];
    const results = await run(lowered(closed, ["cpu"]), inputs);
    expect(results.map((values) => Array.from(values))).toEqual([
      [1, 0, 0],
      [0, 0, 1],
    ]);
    tf.dispose(inputs);
  });

  it("products of many repeated rows", async () => {
    const indices = [...many.slice(0, 6), ...many.slice(0, 6), ...many.slice(0, 6)];
    for (const constant of [false, true]) {
      expect(await rows(scatterMul, indices, {}, constant)).toEqual(
        rowsInOrder((old, update) => old * update, indices),
      );
    }
  });
});

describe("graphs", () => {
  it("apply a function to one element by selection", () => {
    const body = program([f32([]), f32([])], (builder, [x]) =>
      x === undefined ? [] : builder.bind(sin, [x], {}),
    );
    const numbers = { update_window_dims: [] };
    const inputs = [f32([5]), i32([1]), f32([])];
    const ops = opsOf(scatter, inputs, params(numbers, { update_jaxpr: body }), ["cpu"]);
    expect(ops).toBe("Equal Sin SelectV2");
  });

  it("refuse a general computation on many rows that may repeat", () => {
    const inputs = [f32([5, 2]), i32([65, 1]), f32([65, 2])];
    const action = (): string => opsOf(scatter, inputs, params({}, { update_jaxpr: doubled }));
    expect(errorOf(action)).toBe(
      "unsupported-computation: scatter with a general computation, 65 updates and indices that " +
        "may repeat",
    );
  });
});

describe("recorded results", () => {
  testRecorded("scatter", (index) => index === 1);
});
