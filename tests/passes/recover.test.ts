// Rows that recover what JAX writes as several equations: which nodes are left, and the numbers.
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { fft } from "../../primitives/fft.js";
import { shapedArray } from "../../src/ir/aval.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { createOps } from "../../src/lax/ops.js";
import { useBackend } from "../../src/node/backends.js";
import { optimize } from "../../src/passes/optimize.js";
import { lowered, program, run } from "../support/runLowered.js";

type Build = (o: Ops, x: Value) => Value;

/** Optimizes and runs a function of one float32 array that counts up by 0.25 from -1. */
async function results(
  shape: readonly number[],
  build: Build,
): Promise<{
  readonly ops: readonly string[];
  readonly values: number[];
  readonly plain: number[];
}> {
  const closed = program([shapedArray("float32", [...shape])], (builder, [x]) => {
    const o = createOps({
      bind: (primitive, inputs, params) => builder.bind(primitive, inputs, params),
      constant: (array) => builder.constant(array),
    });
    return x === undefined ? [] : [build(o, x)];
  });
  const input = (): tf.Tensor => {
    const count = shape.reduce((size, dim) => size * dim, 1);
    return tf.tensor(
      Float32Array.from({ length: count }, (_, index) => index / 4 - 1),
      [...shape],
    );
  };
  const graph = lowered(optimize(closed, { level: "full" }), ["cpu", "wasm", "webgl"]);
  const [values] = await run(graph, [input()]);
  const simple = lowered(optimize(closed, { level: "required" }), ["cpu", "wasm", "webgl"]);
  const [plain] = await run(simple, [input()]);
  const ops = graph.nodes.map((node) => node.op).filter((op) => op !== "Const");
  return { ops, values: Array.from(values ?? []), plain: Array.from(plain ?? []) };
}

function expectClose(values: readonly number[], expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  values.forEach((value, index) => {
    const other = expected[index] ?? NaN;
    expect(Math.abs(value - other)).toBeLessThan(1e-5 * (1 + Math.abs(other)));
  });
}

beforeAll(() => useBackend("cpu"));

/** `jnp.pad(x, ...)` of one axis, as JAX writes it. */
function mirrored(
  o: Ops,
  x: Value,
  axis: number,
  [before, after]: readonly number[],
  skip: number,
) {
  const cut = (y: Value, start: number, limit: number): Value => {
    const starts = y.aval.shape.map((_, index) => (index === axis ? start : 0));
    const limits = y.aval.shape.map((size, index) => (index === axis ? limit : size));
    return o.rev(o.slice(y, starts, limits), [axis]);
  };
  const left = o.concatenate([cut(x, skip, (before ?? 0) + skip), x], axis);
  const size = Number(left.aval.shape[axis]);
  const right = cut(left, size - (after ?? 0) - skip, size - skip);
  return o.concatenate([left, right], axis);
}

describe("reflections at the border", () => {
  test.each([
    ["reflect", 1],
    ["symmetric", 0],
  ])("%s in two axes is one node", async (_, skip) => {
    const { ops, values, plain } = await results([2, 5, 4], (o, x) =>
      mirrored(o, mirrored(o, x, 1, [2, 3], skip), 2, [1, 2], skip),
    );
    expect(ops).toEqual(["Placeholder", "MirrorPad", "Identity"]);
    expectClose(values, plain);
  });

  test("a rotation is left alone", async () => {
    const { ops, values, plain } = await results([6], (o, x) =>
      o.concatenate([o.slice(x, [2], [6]), o.slice(x, [0], [2])], 0),
    );
    expect(ops).not.toContain("MirrorPad");
    expectClose(values, plain);
  });

  test("reflections with different modes are left alone", async () => {
    const { ops, values, plain } = await results([2, 5, 4], (o, x) =>
      mirrored(o, mirrored(o, x, 1, [2, 3], 1), 2, [1, 2], 0),
    );
    expect(ops.filter((op) => op === "MirrorPad")).toHaveLength(2);
    expectClose(values, plain);
  });
});

describe("spectra", () => {
  const transform = (o: Ops, x: Value): Value => {
    const [result] = o.bind(fft, [x], { fft_type: "RFFT", fft_lengths: [8] });
    return result ?? x;
  };

  test("the power of a windowed spectrum needs two products", async () => {
    const window = fromNumbers("float32", [8], [0, 1, 2, 3, 3, 2, 1, 0]);
    const { ops, values, plain } = await results([3, 8], (o, x) => {
      const windowed = o.mul(x, o.broadcastInDim(o.constant(window), [3, 8], [1]));
      const size = o.abs(transform(o, windowed));
      return o.mul(size, size);
    });
    expect(ops).toEqual(["Placeholder", "MatMul", "MatMul", "Mul", "Mul", "AddV2", "Identity"]);
    expectClose(values, plain);
  });

  test.each<[string, Build]>([
    ["real", (o, x) => o.real(transform(o, x))],
    ["imag", (o, x) => o.imag(transform(o, x))],
    ["integer_pow", (o, x) => o.integerPow(o.abs(transform(o, x)), 2)],
    ["square", (o, x) => o.square(o.abs(transform(o, x)))],
    ["abs", (o, x) => o.abs(transform(o, x))],
  ])("%s of a spectrum", async (_, build) => {
    const { values, plain } = await results([2, 3, 8], build);
    expectClose(values, plain);
  });
});

describe("constants", () => {
  test("what depends on known arrays alone is one", async () => {
    const weights = fromNumbers("float32", [2, 3], [1, 2, 3, 4, 5, 6]);
    const { ops, values } = await results([2, 3], (o, x) => {
      const known = o.constant(weights);
      const total = o.broadcastInDim(o.reduceSum(known, [0]), [2, 3], [1]);
      const zero = o.broadcastInDim(o.literal(0, "float32"), [2, 3], []);
      const chosen = o.selectN(o.gt(known, o.literal(2, "float32")), zero, o.div(known, total));
      return o.mul(x, chosen);
    });
    expect(ops).toEqual(["Placeholder", "Mul", "Identity"]);
    expectClose(values, [0, 0, (-0.5 * 3) / 9, (-0.25 * 4) / 5, 0, (0.25 * 6) / 9]);
  });
});
