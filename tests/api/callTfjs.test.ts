// Functions of tfjs and loaded models inside of traced functions.
import { loadGraphModel, type GraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { beforeAll, describe, expect, test } from "vitest";
import {
  callTfjs,
  convert,
  dims,
  exportFunction,
  grad,
  jit,
  jvp,
  lax,
  modelArtifacts,
  numpy as np,
  ShapeDtypeStruct,
  useBackend,
  vmap,
  type ArrayValue,
} from "../../src/index.js";

beforeAll(() => useBackend("cpu"));

const cube = callTfjs((x) => tf.mul(tf.square(x), x)) as (x: ArrayValue | number) => ArrayValue;
const values = (array: ArrayValue): number[] => Array.from(array.dataSync());
const points = new Float32Array([1, 2, 3]);

test("runs as it is, in jit, and in converted functions", () => {
  expect(values(cube(2))).toEqual([8]);
  const f = (x: ArrayValue): ArrayValue => np.sum(np.add(cube(x), 1));
  expect(values(jit(f)(points))).toEqual([39]);
  expect(values(convert(f)(points))).toEqual([39]);
});

test("has tfjs's gradient", () => {
  const f = (x: ArrayValue): ArrayValue => np.sum(np.multiply(cube(np.sin(x)), 2));
  const expected = [1, 2, 3].map((x) => 6 * Math.sin(x) ** 2 * Math.cos(x));
  values(grad(f)(points)).forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index] ?? NaN, 4);
  });
});

test("a loaded model is a function", async () => {
  const tanh3 = (x: ArrayValue): ArrayValue => np.multiply(np.tanh(x), 3);
  const program = exportFunction(tanh3, { polymorphicShapes: "b" })(points);
  const artifacts = modelArtifacts(convert(program)) as tf.io.ModelArtifacts;
  const model = await loadGraphModel(tf.io.fromMemory(artifacts));
  const call = callTfjs(model) as (x: ArrayValue) => ArrayValue;
  const f = (x: ArrayValue): ArrayValue => np.sum(call(x));
  expect(values(f(tf.tensor1d([0.5])))[0]).toBeCloseTo(3 * Math.tanh(0.5), 5);
  expect(values(grad(f)(points))[0]).toBeCloseTo(3 * (1 - Math.tanh(1) ** 2), 4);
});

test("what it cannot do says so", () => {
  expect(() => jvp(cube, [1], [1])).toThrow(/forward-mode|forward derivatives/);
  expect(() => vmap(cube)(points)).toThrow("call it on the whole batch");
  const symbolic = exportFunction((x: ArrayValue) => cube(x), { polymorphicShapes: "b" });
  expect(() => symbolic(points)).toThrow("symbolic sizes are not known");
  const wrong = callTfjs((() => 1) as unknown as (x: tf.Tensor) => tf.Tensor);
  expect(() => wrong(1)).toThrow("must return tensors");
});

test("outputShapeDtype gives the types where sizes are symbolic", () => {
  const twice = callTfjs((x) => tf.add(x, x), {
    outputShapeDtype: new ShapeDtypeStruct([3]),
  }) as (x: ArrayValue) => ArrayValue;
  expect(values(convert((x: ArrayValue) => lax.neg(twice(x)))(points))).toEqual([-2, -4, -6]);
});

/** The function saved and loaded again, at sizes of its own. */
async function saved(
  f: (...args: ArrayValue[]) => ArrayValue,
  shapes: readonly Float32Array[] | readonly tf.Tensor[],
  polymorphicShapes?: string | readonly string[],
): Promise<{ readonly model: GraphModel; readonly artifacts: tf.io.ModelArtifacts }> {
  const options = polymorphicShapes === undefined ? {} : { polymorphicShapes };
  const program = exportFunction(f, options)(...(shapes as tf.Tensor[]));
  const artifacts = modelArtifacts(convert(program)) as tf.io.ModelArtifacts;
  return { model: await loadGraphModel(tf.io.fromMemory(artifacts)), artifacts };
}

const weightNames = ({ weightSpecs = [] }: tf.io.ModelArtifacts): string[] =>
  weightSpecs.map(({ name }) => name);

describe("saved", () => {
  test("a function becomes nodes, its variables become weights with their names", async () => {
    const kernel = tf.variable(
      tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      true,
      "dense/kernel",
    );
    const bias = tf.variable(tf.tensor1d([0.5, -100]), true, "dense/bias");
    const dense = callTfjs((x) => tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, kernel), bias)));
    const f = (x: ArrayValue): ArrayValue => np.multiply(dense(np.negative(x)) as ArrayValue, 2);
    const x = tf.tensor2d([
      [0.1, 0.2, 0.3],
      [1, 2, 3],
    ]);
    const { model, artifacts } = await saved(f, [x]);
    expect(weightNames(artifacts)).toEqual(expect.arrayContaining(["dense/kernel", "dense/bias"]));
    const nodes = (artifacts.modelTopology as { node: { op: string }[] }).node.map(({ op }) => op);
    expect(nodes.filter((op) => op !== "Const").sort()).toEqual(
      ["Identity", "Mul", "Neg", "Placeholder", "_FusedMatMul"].sort(),
    );
    expect(values(model.predict(x) as tf.Tensor)).toEqual(values(f(x)));
  });

  test("its gradient, too", async () => {
    const kernel = tf.variable(tf.ones([2, 2, 1, 3]), true, "filters");
    const net = callTfjs((x) => {
      const convolved = tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, 1, "same");
      return tf.mean(tf.softplus(tf.elu(convolved)));
    }) as (x: ArrayValue) => ArrayValue;
    const f = grad((x: ArrayValue): ArrayValue => np.square(net(x)));
    const x = tf.reshape(tf.linspace(-1, 1, 16), [1, 4, 4, 1]);
    const { model, artifacts } = await saved(f, [x]);
    expect(weightNames(artifacts).filter((name) => name.startsWith("filters"))).toEqual([
      "filters",
    ]);
    const expected = values(f(x));
    expect(Math.max(...expected)).toBeGreaterThan(0.01);
    values(model.predict(x) as tf.Tensor).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? NaN, 5);
    });
  });

  test("a loaded model is inlined, at symbolic sizes", async () => {
    const w = new Float32Array([1, -1, 2, 0.5]);
    const inner = exportFunction((x: ArrayValue) => np.tanh(np.matmul(x, np.reshape(w, [2, 2]))), {
      polymorphicShapes: "b, _",
    })(tf.zeros([3, 2]));
    const artifacts = modelArtifacts(convert(inner)) as tf.io.ModelArtifacts;
    const model = await loadGraphModel(tf.io.fromMemory(artifacts));
    const call = (x: ArrayValue): ArrayValue => {
      const outputShapeDtype = new ShapeDtypeStruct(x.shape);
      return callTfjs(model, { outputShapeDtype })(x) as ArrayValue;
    };
    const f = (x: ArrayValue): ArrayValue => np.sum(call(x), { axis: 1 });
    const outer = await saved(f, [tf.zeros([3, 2])], "b, _");
    for (const batch of [1, 4]) {
      const x = tf.reshape(tf.linspace(-2, 2, 2 * batch), [batch, 2]);
      expect(values(outer.model.predict(x) as tf.Tensor)).toEqual(values(f(x)));
    }
  });

  test("sizes that depend on symbolic ones", async () => {
    const pairs = (x: ArrayValue): ArrayValue => {
      const [b = 0, n = 0] = x.shape;
      const outputShapeDtype = new ShapeDtypeStruct([dims.multiply(b, n), 1]);
      const call = callTfjs((t) => tf.mul(tf.reshape(t, [-1, 1]), tf.ones([t.size, 1])), {
        outputShapeDtype,
      });
      return call(x) as ArrayValue;
    };
    const { model } = await saved(pairs, [tf.zeros([3, 2])], "b, n");
    const x = tf.reshape(tf.range(0, 20), [4, 5]);
    expect(values(model.predict(x) as tf.Tensor)).toEqual(values(tf.range(0, 20)));
  });

  test("what no graph holds says so", () => {
    const refused = (f: (x: tf.Tensor) => tf.Tensor): (() => unknown) => {
      const call = callTfjs(f) as (x: ArrayValue) => ArrayValue;
      const program = exportFunction((x: ArrayValue) => call(x))(points);
      return () => convert(program);
    };
    expect(refused((x) => tf.scalar(x.dataSync()[0] ?? 0))).toThrow("reads values that depend on");
    expect(refused((x) => tf.add(x, tf.randomNormal([3])))).toThrow("is not the same each time");
    expect(refused((x) => tf.unique(x).values)).toThrow("the kernel Unique, which no operation");
  });
});
