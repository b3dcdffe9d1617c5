// Functions of tfjs and loaded models inside of traced functions.
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { beforeAll, expect, test } from "vitest";
import {
  callTfjs,
  convert,
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
  const program = exportFunction((x: ArrayValue) => cube(x))(points);
  expect(() => convert(program)).toThrow("it runs, but cannot be saved");
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
