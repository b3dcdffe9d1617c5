// `convert` of functions: results, tfjs gradients, symbolic sizes, eager mode, memory; functions as
// programs that are saved, and programs as functions.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import { describe, expect, test } from "vitest";
import {
  bindTree,
  convert,
  exportFunction,
  fromNumbers,
  grad,
  importExported,
  jit,
  modelArtifacts,
  programFunction,
  ShapeDtypeStruct,
  tree,
  vmap,
  type ArrayLike,
  type ArrayValue,
} from "../../src/index.js";
import { add, max, mul, sin, tanh } from "../../src/lax/elementwise.js";
import { reduceSum } from "../../src/lax/reductions.js";
import { fromValue, o, toValue } from "../../src/trace/trace.js";
import { describeOnBackend } from "../support/backends.js";
import { readOracle } from "../support/oracle.js";

const sum = (x: ArrayLike): ArrayValue => {
  const { shape } = toValue(x).aval;
  return reduceSum(
    x,
    shape.map((_, axis) => axis),
  );
};
const dot = (x: ArrayLike, y: ArrayLike): ArrayValue =>
  fromValue(
    o.dotGeneral(toValue(x), toValue(y), {
      dimension_numbers: [
        [[1], [0]],
        [[], []],
      ],
      precision: null,
      preferred_element_type: "float32",
    }),
  );

const f = (x: ArrayValue): ArrayValue => sum(mul(sin(x), x));
const derivative = (x: number): number => Math.cos(x) * x + Math.sin(x);
const second = (x: number): number => 2 * Math.cos(x) - x * Math.sin(x);
const points = [1, 2, 3];

function expectClose(array: ArrayValue | tf.Tensor, expected: readonly number[]): void {
  const values = Array.from(array.dataSync());
  expect(values).toHaveLength(expected.length);
  values.forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index] ?? NaN, 4);
  });
}

describeOnBackend("cpu", suite);
describeOnBackend("wasm", suite);

function suite(): void {
  const total = points.reduce((value, x) => value + Math.sin(x) * x, 0);

  test("runs as one graph, and equation by equation", () => {
    expectClose(convert(f)(tf.tensor1d(points)), [total]);
    const seen: string[] = [];
    const eager = convert(f, {
      eager: true,
      onEquation: ({ equation }) =>
        seen.push(`${equation.primitive.name} ${equation.source.frames[0]?.file ?? ""}`),
    });
    expectClose(eager(tf.tensor1d(points)), [total]);
    expect(seen.map((text) => text.replace(/ .*\//, " "))).toEqual([
      "sin convert.test.ts",
      "mul convert.test.ts",
      "reduce_sum convert.test.ts",
    ]);
  });

  test("tf.grad sees JAX's derivative, to any order", () => {
    const g = tf.grad(convert(f));
    expectClose(g(tf.tensor1d(points)), points.map(derivative));
    const total = convert((x: ArrayValue) => sum(x));
    const gg = tf.grad((x: tf.Tensor) => total(g(x)));
    expectClose(gg(tf.tensor1d(points)), points.map(second));
    const ggg = tf.grad((x: tf.Tensor) => total(gg(x)));
    expectClose(
      ggg(tf.tensor1d(points)),
      points.map((x) => -3 * Math.sin(x) - x * Math.cos(x)),
    );
  });

  test("variables that the function takes from around it are trained", () => {
    const weight = tf.variable(tf.tensor1d([0.5, 1, 2]));
    const loss = convert((x: ArrayValue) => sum(mul(sin(weight), x)));
    const { value, grads } = tf.variableGrads(() => loss(tf.tensor1d(points)) as tf.Scalar);
    expectClose(value, [Math.sin(0.5) + 2 * Math.sin(1) + 3 * Math.sin(2)]);
    const gradient = grads[weight.name];
    if (gradient === undefined) throw new Error("no gradient");
    expectClose(gradient, [Math.cos(0.5), 2 * Math.cos(1), 3 * Math.cos(2)]);
    weight.assign(tf.tensor1d([0, 0, 0]));
    expectClose(loss(tf.tensor1d(points)), [0]);
  });

  test("several results have several cotangents", () => {
    const two = convert((x: ArrayValue): [ArrayValue, ArrayValue] => [mul(x, x), sin(x)]);
    const join = convert((x: ArrayValue, y: ArrayValue) => sum(add(x, y)));
    const g = tf.grad((x: tf.Tensor) => {
      const [square, sine] = two(x);
      return join(square, sine);
    });
    expectClose(
      g(tf.tensor1d(points)),
      points.map((x) => 2 * x + Math.cos(x)),
    );
  });

  test("one function for all sizes", () => {
    const poly = convert(f, { polymorphicShapes: "b", polymorphicConstraints: ["b >= 2"] });
    expectClose(poly(tf.tensor1d(points)), [total]);
    expectClose(poly(tf.tensor1d([1, 2])), [Math.sin(1) + 2 * Math.sin(2)]);
    expect(() => poly(tf.tensor1d([1]))).toThrow("b >= 2");
    const g = tf.grad(poly);
    expectClose(g(tf.tensor1d([1, 2])), [derivative(1), derivative(2)]);
  });

  test("converted functions are traced through", () => {
    const inner = convert(f);
    expectClose(grad((x: ArrayValue) => mul(inner(x), 2))(new Float32Array([1])), [
      2 * derivative(1),
    ]);
  });

  test("results of integers are int32 zeros as gradients", () => {
    const g = convert(
      grad((_: ArrayValue, y: ArrayValue) => mul(sum(y), sum(y)), {
        argnums: [0, 1],
        allowInt: true,
      }),
    );
    const [integers, floats] = g(tf.tensor1d([1, 2], "int32"), tf.tensor1d([3]));
    expect([integers.dtype, Array.from(integers.dataSync())]).toEqual(["int32", [0, 0]]);
    expectClose(floats, [6]);
  });

  test("tf.tidy frees results, and nothing else", () => {
    const x = tf.tensor1d(points);
    const g = jit(grad(f));
    g(x);
    const before = tf.memory().numTensors;
    for (let step = 0; step < 100; step++) {
      tf.tidy(() => {
        g(x);
        grad(f)(x);
      });
    }
    expect(tf.memory().numTensors).toBe(before);
    expectClose(g(x), points.map(derivative));
  });
}

describeOnBackend("cpu", () => {
  test("10,000 steps that nobody disposes of do not grow the memory", async () => {
    const collect = (globalThis as { gc?: () => void }).gc;
    const step = jit((x: ArrayValue) => add(mul(x, 0.5), 1));
    let x: ArrayValue = step(tf.ones([16]));
    const start = tf.memory().numTensors;
    let largest = 0;
    for (let index = 0; index < 10_000; index++) {
      x = step(x);
      if (index % 100 !== 99) continue;
      collect?.();
      await new Promise((resolve) => setTimeout(resolve, 0));
      largest = Math.max(largest, tf.memory().numTensors - start);
    }
    expectClose(
      x,
      Array.from({ length: 16 }, () => 2),
    );
    expect(collect).toBeTypeOf("function");
    expect(largest).toBeLessThan(500);
  }, 120_000);

  describe("programs", () => {
    const params = {
      dense: {
        kernel: fromNumbers(
          "float32",
          [4, 3],
          Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
        ),
        bias: fromNumbers("float32", [3], [0.1, -0.2, 0.3]),
      },
    };
    interface Params {
      readonly dense: { readonly kernel: ArrayLike; readonly bias: ArrayLike };
    }
    const predict = (p: Params, x: ArrayValue): ArrayValue =>
      max(add(dot(x, p.dense.kernel), vmapBias(p.dense.bias, x)), 0);
    const vmapBias = (bias: ArrayLike, x: ArrayValue): ArrayValue => {
      const { shape } = toValue(x).aval;
      return fromValue(o.broadcastInDim(toValue(bias), [shape[0] ?? 1, 3], [1]));
    };

    test("a saved function runs in plain tfjs at every size", async () => {
      const example = new ShapeDtypeStruct([1, 4]);
      const program = exportFunction(predict, { polymorphicShapes: [null, "b, _"] })(
        params,
        example,
      );
      const model = convert(program, { parameters: bindTree(program, params) });
      const artifacts = modelArtifacts(model) as tf.io.ModelArtifacts;
      const loaded = await loadGraphModel(tf.io.fromMemory(artifacts));
      expect(Object.keys(loaded.weights)).toEqual(
        expect.arrayContaining(["dense/kernel", "dense/bias"]),
      );
      for (const size of [1, 5]) {
        const x = tf.randomNormal([size, 4], 0, 1, "float32", size);
        const result = loaded.predict(x) as tf.Tensor;
        expectClose(result, Array.from(predict(params, x).dataSync()));
      }
    });

    test("an imported program has gradients and batches", () => {
      const program = importExported(readOracle("public/models/mlp/model.jaxexport"));
      const mlp = programFunction(program);
      const dense = (rows: number, columns: number): { bias: tf.Tensor; kernel: tf.Tensor } => ({
        bias: tf.zeros([columns]),
        kernel: tf.randomNormal([rows, columns], 0, 0.1, "float32", rows),
      });
      const weights = {
        params: { Dense_0: dense(32, 64), Dense_1: dense(64, 64), Dense_2: dense(64, 10) },
      };
      const x = tf.randomNormal([2, 32], 0, 1, "float32", 1);
      const loss = (p: typeof weights): ArrayValue => sum(tanh(mlp(p, x) as ArrayValue));
      const gradient = grad(loss)(weights);
      expect(tree.keyPaths(gradient)).toEqual(tree.keyPaths(weights));
      const step = (p: typeof weights, index: number, by: number): typeof weights => {
        const layer = p.params.Dense_2;
        const bias = Array.from({ length: 10 }, (_, i) => (i === index ? by : 0));
        return {
          params: { ...p.params, Dense_2: { kernel: layer.kernel, bias: tf.tensor1d(bias) } },
        };
      };
      const value = (index: number, by: number): number =>
        loss(step(weights, index, by)).dataSync()[0] ?? NaN;
      const differences = [0, 3].map((index) => (value(index, 0.01) - value(index, -0.01)) / 0.02);
      const bias = gradient.params.Dense_2.bias.dataSync();
      expect([bias[0] ?? NaN, bias[3] ?? NaN].map((x) => x.toFixed(2))).toEqual(
        differences.map((x) => x.toFixed(2)),
      );
      const rows = vmap((row: ArrayValue) => mlp(weights, row) as ArrayValue)(
        tf.stack([x, tf.mul(x, 2)]),
      );
      expect(rows.shape).toEqual([2, 2, 10]);
    });
  });
});
