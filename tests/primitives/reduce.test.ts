import { describe, expect, it } from "vitest";
import * as tf from "@tensorflow/tfjs-core";
import { argmax } from "../../primitives/argReduce.js";
import { cumsum } from "../../primitives/cumulative.js";
import { reduceMax, reduceOr, reduceSum } from "../../primitives/reduce.js";
import { reduce } from "../../primitives/reduceGeneral.js";
import { add, max, mul } from "../../primitives/binary.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Value } from "../../src/ir/ops.js";
import type { NoParams } from "../../src/ir/params.js";
import { definePrimitive, none } from "../../src/ir/primitive.js";
import { describeOnBackend } from "../support/backends.js";
import { errorOf, opsOf, typesOf } from "../support/checks.js";
import { testFolds, testRecorded } from "../support/recordedPrimitives.js";
import { lowered, program, run } from "../support/runLowered.js";

const scope = symbolicScope();
const array = (dtype: DType, shape: Shape): ShapedArray => shapedArray(dtype, shape);
const scalar = (dtype: DType): ShapedArray => shapedArray(dtype, []);

/** A computation on scalars of the given types. */
function computation(dtypes: readonly DType[], build: Parameters<typeof program>[1]): ClosedJaxpr {
  return program(dtypes.map(scalar), build);
}

const first = (values: readonly Value[]): Value => {
  const [value] = values;
  if (value === undefined) throw new Error("no value");
  return value;
};

describe("types", () => {
  it("drops the reduced dimensions", () => {
    const x = array("float32", parseShape("b, 4, t", scope));
    expect(typesOf(reduceSum, [x], { axes: [0, 2] })).toBe("f32[4]");
    expect(typesOf(argmax, [x], { axes: [1], index_dtype: "int32" })).toBe("i32[b,t]");
    expect(typesOf(cumsum, [x], { axis: 2, reverse: false })).toBe("f32[b,4,t]");
  });

  it.each<[string, () => unknown]>([
    [
      "invalid-parameter: duplicate value in 'axes' of reduction: (0, 0)",
      () => typesOf(reduceSum, [array("float32", [2])], { axes: [0, 0] }),
    ],
    [
      "invalid-parameter: reduction axes (1,) contains out-of-bounds indices for reduce_max of " +
        "shape (2,).",
      () => typesOf(reduceMax, [array("float32", [2])], { axes: [1] }),
    ],
    [
      "dtype-mismatch: logical reduction requires operand dtype bool or int, got float32.",
      () => typesOf(reduceOr, [array("float32", [2])], { axes: [0] }),
    ],
    [
      "dtype-mismatch: reduce_sum does not accept dtype bool. Accepted dtypes are subtypes of " +
        "number.",
      () => typesOf(reduceSum, [array("bool", [2])], { axes: [0] }),
    ],
    [
      "shape-mismatch: argmin and argmax require non-empty reduced dimension. " +
        "operand.shape=(0, 2) axis=0",
      () => typesOf(argmax, [array("float32", [0, 2])], { axes: [0], index_dtype: "int32" }),
    ],
    [
      "invalid-parameter: axis 1 is out of bounds for array of shape (2,)",
      () => typesOf(cumsum, [array("float32", [2])], { axis: 1, reverse: false }),
    ],
    [
      "shape-mismatch: reduce found non-scalar initial value: [(2,)]",
      () =>
        typesOf(reduce, [array("float32", [2]), array("float32", [2])], {
          dimensions: [0],
          jaxpr: computation(["float32", "float32"], (builder, xs) => builder.bind(add, xs, {})),
        }),
    ],
  ])("%s", (expected, action) => {
    expect(errorOf(action)).toBe(expected);
  });
});

describe("graphs", () => {
  it("are one node where TensorFlow has one", () => {
    expect(opsOf(reduceSum, [array("float32", [2, 3])], { axes: [1] })).toBe("Sum");
    expect(opsOf(reduceMax, [array("int32", [2, 3])], { axes: [0] })).toBe("Max");
    expect(opsOf(cumsum, [array("float32", [2, 3])], { axis: 1, reverse: true })).toBe("Cumsum");
  });

  it("are constants for reductions of nothing", () => {
    expect(opsOf(reduceMax, [array("float32", [2, 0])], { axes: [1] })).toBe("");
  });
});

describeOnBackend("cpu", () => {
  it("reduce: applies a computation in order, the initial value once", async () => {
    // (a, b) and (c, d) stand for the maps x -> a x + b: composing them does not commute.
    const compose = computation(["int32", "int32", "int32", "int32"], (builder, [a, b, c, d]) => {
      if (a === undefined || b === undefined || c === undefined || d === undefined) return [];
      const slope = first(builder.bind(mul, [c, a], {}));
      const moved = first(builder.bind(mul, [c, b], {}));
      return [slope, first(builder.bind(add, [moved, d], {}))];
    });
    const closed = program([array("int32", [2, 5]), array("int32", [2, 5])], (builder, [x, y]) => {
      if (x === undefined || y === undefined) return [];
      const literal = (value: number): Value =>
        ({ kind: "literal", value, aval: scalar("int32") }) as Value;
      const inputs = [x, y, literal(1), literal(100)];
      return builder.bind(reduce, inputs, { dimensions: [1], jaxpr: compose });
    });
    const slopes = [2, 3, 1, 2, 1, 1, 1, 1, 1, 2];
    const moves = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5];
    const expected = [0, 5].map((row) =>
      moves
        .slice(row, row + 5)
        .reduce((value, move, index) => (slopes[row + index] ?? 0) * value + move, 100),
    );
    const [, results] = await run(lowered(closed, ["cpu"]), [
      tf.tensor(slopes, [2, 5], "int32"),
      tf.tensor(moves, [2, 5], "int32"),
    ]);
    expect([...(results ?? [])]).toEqual(expected);
  });

  it("reduce: spreads scalars over whole arrays", async () => {
    const clipped = computation(["float32", "float32"], (builder, [x, y]) => {
      if (x === undefined || y === undefined) return [];
      const limit = { kind: "literal", value: 2.5, aval: scalar("float32") } as Value;
      const larger = first(builder.bind(max, [x, y], {}));
      return [first(builder.bind(max, [larger, limit], {}))];
    });
    const closed = program([array("float32", [3, 2]), scalar("float32")], (builder, inputs) =>
      builder.bind(reduce, inputs, { dimensions: [0], jaxpr: clipped }),
    );
    const [results] = await run(lowered(closed, ["cpu"]), [
      tf.tensor([1, 2, 3, -1, 2, 0], [3, 2]),
      tf.scalar(-Infinity),
    ]);
    expect([...(results ?? [])]).toEqual([3, 2.5]);
  });
});

it("reduce: refuses computations that are not elementwise", () => {
  const opaque = definePrimitive<NoParams>({
    name: "opaque",
    abstractEval: (inputs) => inputs.slice(0, 1),
    jvp: none("a test"),
    transpose: none("a test"),
    batch: none("a test"),
    tfjs: (_tf, inputs) => inputs.slice(0, 1),
  });
  const body = computation(["float32", "float32"], (builder, xs) => builder.bind(opaque, xs, {}));
  const inputs = [array("float32", [4]), scalar("float32")];
  expect(errorOf(() => opsOf(reduce, inputs, { dimensions: [0], jaxpr: body }))).toBe(
    "unsupported-computation: opaque inside a computation on scalars cannot be applied to whole " +
      "arrays",
  );
});

describe("recorded results", () => {
  testFolds("reduce");
  testRecorded("reduce");
  testRecorded("cumulative");
});
