// The runtime loader: arguments by name, in order and as pytrees; results as pytrees; refusals.
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { loadModel, type LoadedModel } from "../../src/runtime/index.js";
import { useBackend } from "../support/backends.js";
import { handlerOf, importCase, shapePolyCase } from "./shapePolyCases.js";

beforeAll(() => useBackend("cpu"));

const load = (name: string, options: Parameters<typeof loadModel>[1] = {}): Promise<LoadedModel> =>
  loadModel(handlerOf(importCase(shapePolyCase(name))), options);

/** The code and message of what an action throws. */
async function failureOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    return `${code ?? "no code"}: ${message}`;
  }
  return "no failure";
}

describe("a model of two arguments", () => {
  test("takes them by name, in order and as arguments of the function", async () => {
    const model = await load("concat_batch");
    const [x, y] = [tf.ones([2, 3]), tf.zeros([4, 3])];
    const [first] = model.inputs.map(({ name }) => name);
    expect(model.inputs.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      [first, "float32", ["a", 3]],
      [model.inputs[1]?.name, "float32", ["b", 3]],
    ]);
    const named = Object.fromEntries(
      model.inputs.map(({ name }, index) => [name, index === 0 ? x : y]),
    );
    const [ordered] = model.execute([x, y]);
    const [byName] = await model.executeAsync(named);
    const predicted = await model.predict(x, y);
    for (const result of [ordered, byName, predicted]) {
      expect((result as tf.Tensor).shape).toEqual([6, 3]);
    }
    expect(model.mode).toBe("execute");
    expect(model.dimensionVariables).toEqual(["a", "b"]);
    expect(model.check([x, y])).toEqual(
      new Map([
        ["a", 2],
        ["b", 4],
      ]),
    );
    model.dispose();
  });

  test("refuses what it does not take", async () => {
    const model = await load("concat_batch");
    const [x, y] = [tf.ones([2, 3]), tf.zeros([4, 3])];
    const name = model.inputs[0]?.name ?? "";
    expect(await failureOf(() => model.execute([x]))).toBe(
      "shape-mismatch: Expected 2 arguments and called with 1.",
    );
    expect(await failureOf(() => model.execute({ [name]: x }))).toMatch(
      /^no-such-argument: The argument .* is missing\.$/,
    );
    expect(
      await failureOf(() => model.execute({ [name]: x, [model.inputs[1]?.name ?? ""]: y, z: y })),
    ).toBe("no-such-argument: The model has no argument z.");
    expect(await failureOf(() => model.execute([x, tf.zeros([4, 3], "int32")]))).toBe(
      "dtype-mismatch: Dtype mismatch for args[1]: expected float32 and called with int32",
    );
    expect(await failureOf(() => model.execute([x, tf.zeros([4])]))).toBe(
      "shape-mismatch: Rank mismatch for args[1]: expected (b, 3) and called with (4,)",
    );
    expect(await failureOf(() => model.predict(x))).toBe(
      "pytree-mismatch: args[1] is missing, expected a tensor.",
    );
    expect(await failureOf(() => model.predict(x, y, y))).toBe(
      "pytree-mismatch: The model takes 2 arguments and was called with 3.",
    );
    model.dispose();
  });
});

test("results come as the pytree of the function", async () => {
  const model = await load("dict_output");
  const result = await model.predict(tf.ones([3, 2]));
  expect(result).toMatchObject({
    n: expect.any(tf.Tensor) as unknown,
    sum: expect.any(tf.Tensor) as unknown,
    x2: [expect.any(tf.Tensor), expect.any(tf.Tensor)],
  });
  model.dispose();
});

describe("checks of sizes", () => {
  test("a call that does not fit is refused with JAX's message", async () => {
    const model = await load("bad_multiple");
    expect(await failureOf(() => model.execute(tf.zeros([7])))).toBe(
      "shape-mismatch: Input shapes do not match the polymorphic shapes specification. " +
        "Division had remainder 1 when computing the value of 'b'. " +
        "Using the following polymorphic shapes specifications: args[0].shape = (3*b,). " +
        "Obtained dimension variables: . Please see https://docs.jax.dev/en/latest/export/" +
        "shape_poly.html#shape-assertion-errors for more details.",
    );
    model.dispose();
  });

  test("they can be switched off, where the graph does not check", async () => {
    const item = shapePolyCase("bad_constraint_ge");
    const off = { disabledChecks: ["shape_assertions"] } as const;
    const byLoader = await loadModel(handlerOf(importCase(item)), off);
    expect(byLoader.check([tf.zeros([1])])).toEqual(new Map());
    const byConversion = await loadModel(handlerOf(importCase(item), off));
    expect(byConversion.metadata.disabledChecks).toEqual(["shape_assertions"]);
    expect(byConversion.execute([tf.zeros([1])])).toHaveLength(1);
    byLoader.dispose();
    byConversion.dispose();
  });
});

test("other models are refused", async () => {
  const artifacts: tf.io.ModelArtifacts = {
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: { dtype: { type: "DT_FLOAT" } } },
        { name: "y", op: "Identity", input: ["x"], attr: {} },
      ],
      versions: { producer: 1 },
    },
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
    format: "graph-model",
  };
  const before = tf.memory().numTensors;
  expect(await failureOf(() => loadModel(tf.io.fromMemory(artifacts)))).toBe(
    "model-format: jax2tfjs did not make this model",
  );
  expect(tf.memory().numTensors).toBe(before);
});

test("dispose frees the weights", async () => {
  const before = tf.memory().numTensors;
  const model = await load("layer_norm");
  const [result] = model.execute(tf.ones([2, 3]));
  tf.dispose([result as tf.Tensor]);
  model.dispose();
  expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 1);
});
