// What graphs for webgpu do around its kernels: integers are never transposed by its Transpose, and
// constants that the executor reads are not those that the GPU computes with.
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { createOps } from "../../src/lax/ops.js";
import type { Graph, NodeDef } from "../../src/lower/graph.js";
import { kernelTable } from "../../src/lower/kernelTable.js";
import { nodeOf } from "../../src/lower/prune.js";
import { useBackend } from "../../src/node/backends.js";
import { lowered, program, run } from "../support/runLowered.js";

beforeAll(() => useBackend("cpu"));

type Dtype = "int32" | "bool";

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 6 });

const shuffled = (rank: number, keys: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, axis) => axis).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));

function operand(dtype: Dtype, shape: readonly number[]): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  // Numbers of all 32 bits.
  const values = Int32Array.from({ length: size }, (_, i) => Math.imul(i + 1, 0x9e3779b9));
  return tf.tensor(dtype === "bool" ? values.map((v) => v & 1) : values, [...shape], dtype);
}

const ofOne = (aval: ShapedArray, build: (o: Ops, x: Value) => readonly Value[]): ClosedJaxpr =>
  program([aval], (builder, [x]) => (x === undefined ? [] : build(createOps(builder), x)));

const transposed = (dtype: Dtype, shape: readonly number[], permutation: number[]): ClosedJaxpr =>
  ofOne(shapedArray(dtype, shape), (o, x) => [o.transpose(x, permutation)]);

/** Transposes of integers that the kernel of webgpu gets wrong. */
const wrongTransposes = ({ nodes }: Graph): readonly NodeDef[] =>
  nodes.filter(
    ({ op, outputs: [output] }) =>
      op === "Transpose" && output?.dtype !== "float32" && (output?.shape.length ?? 0) > 2,
  );

describe("integers", () => {
  test.each(["int32", "bool"] as const)("transposition of %s", async (dtype) => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.array(fc.double(), { minLength: 6 }), async (shape, keys) => {
        const permutation = shuffled(shape.length, keys);
        const graph = lowered(transposed(dtype, shape, permutation), ["webgpu", "cpu"]);
        expect(wrongTransposes(graph)).toEqual([]);
        const x = operand(dtype, shape);
        const [actual] = await run(graph, [x]);
        expect(Array.from(actual ?? [])).toEqual(
          Array.from(tf.transpose(x, permutation).dataSync()),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("integers that only look like floats are computed with before", async () => {
    const closed = ofOne(shapedArray("int32", [2, 3, 4]), (o, x) => [
      o.transpose(o.convertElementType(x, "float32"), [0, 2, 1]),
      o.reduceSum(o.reshape(o.convertElementType(x, "float32"), [3, 2, 4]), [1]),
    ]);
    const graph = lowered(closed, ["webgpu", "cpu"]);
    const byName = new Map(graph.nodes.map((node) => [node.name, node]));
    const operands = graph.nodes
      .filter(({ op }) => op === "Transpose")
      .map(({ input: [operand] }) => byName.get(operand ?? "")?.op);
    expect(operands).toEqual(["Mul", "Mul"]);
    const x = operand("int32", [2, 3, 4]);
    const [moved, sums] = await run(graph, [x]);
    const float = tf.cast(x, "float32");
    expect(Array.from(moved ?? [])).toEqual(Array.from(tf.transpose(float, [0, 2, 1]).dataSync()));
    const wanted = tf.sum(tf.reshape(float, [3, 2, 4]), 1).dataSync();
    expect(Array.from(sums ?? [])).toEqual(Array.from(wanted));
  });

  test("large ones keep all 32 bits", async () => {
    const shape = [40, 50, 60];
    const graph = lowered(transposed("int32", shape, [1, 2, 0]), ["webgpu", "cpu"]);
    const swapped = lowered(transposed("int32", shape, [2, 1, 0]), ["webgpu", "cpu"]);
    expect([...wrongTransposes(graph), ...wrongTransposes(swapped)]).toEqual([]);
    const x = operand("int32", shape);
    for (const [each, permutation] of [
      [graph, [1, 2, 0]],
      [swapped, [2, 1, 0]],
    ] as const) {
      const [actual] = await run(each, [x]);
      const wanted = tf.transpose(x, [...permutation]).dataSync();
      expect(actual?.every((value, index) => value === wanted[index])).toBe(true);
    }
  });

  test("reductions and sums over inner axes have their axes last", async () => {
    const closed = ofOne(shapedArray("int32", [3, 4, 5]), (o, x) => [
      o.reduceMax(x, [1]),
      o.reduceMax(x, [0, 1]),
      o.argmax(x, 0, "int32"),
      o.cumsum(x, 1, false),
    ]);
    const x = tf.tensor3d(
      Int32Array.from({ length: 60 }, (_, i) => (i * 37) % 101),
      [3, 4, 5],
      "int32",
    );
    const graph = lowered(closed, ["webgpu", "cpu"]);
    expect(wrongTransposes(graph)).toEqual([]);
    const results = await run(graph, [x]);
    const wanted = [tf.max(x, 1), tf.max(x, [0, 1]), tf.argMax(x, 0), tf.cumsum(x, 1)];
    expect(results.map((result) => Array.from(result))).toEqual(
      wanted.map((result) => Array.from(result.dataSync())),
    );
    for (const { op, input } of graph.nodes) {
      if (!["Max", "ArgMax", "Cumsum"].includes(op)) continue;
      const axes = graph.weights.find(({ name }) => name === input[1])?.source.read().bytes;
      expect(axes?.[0]).not.toBe(op === "Max" ? 0 : 1);
    }
  });
});

test("constants of the executor are not those of the GPU", () => {
  const closed = ofOne(shapedArray("float32", [2, 3, 4]), (o, x) => [
    o.argmax(x, 2, "int32"),
    o.mul(o.argmax(x, 1, "int32"), o.literal(2, "int32")),
  ]);
  for (const [backend, shared] of [
    ["webgpu", 0],
    ["cpu", 1],
  ] as const) {
    const { nodes } = lowered(closed, [backend]);
    const constants = new Set(nodes.filter(({ op }) => op === "Const").map(({ name }) => name));
    const uses = nodes.flatMap(({ op, input }) =>
      input.flatMap((reference, index) => {
        const host = kernelTable[op]?.host.some(
          (at) => at === index || at === index - input.length,
        );
        return constants.has(nodeOf(reference)) ? [[nodeOf(reference), host] as const] : [];
      }),
    );
    const both = [...constants].filter((name) =>
      [true, false].every((host) => uses.some(([used, by]) => used === name && by === host)),
    );
    expect(both.length).toBe(shared);
  }
});
