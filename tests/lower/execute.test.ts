// Results of a graph belong to the caller: disposing them leaves inputs and weights as they are.
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { shapedArray } from "../../src/ir/aval.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import { EagerRunner } from "../../src/lower/eager.js";
import { GraphRunner } from "../../src/lower/execute.js";
import { useBackend } from "../../src/node/backends.js";
import { lowered, program } from "../support/runLowered.js";

beforeAll(() => useBackend("cpu"));

test("results that are inputs or constants can be disposed", () => {
  const closed = program([shapedArray("float32", [2])], (builder, [x]) => {
    const known = builder.constant(fromNumbers("float32", [2], [3, 4]));
    return x === undefined ? [] : [x, known];
  });
  const runner = new GraphRunner(lowered(closed, ["cpu"]));
  const input = tf.keep(tf.tensor1d([1, 2]));
  for (let round = 0; round < 2; round++) {
    const results = runner.runSync([input]);
    expect(results.map((result) => Array.from(result.dataSync()))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    tf.dispose([...results]);
  }
  expect(Array.from(input.dataSync())).toEqual([1, 2]);
  runner.dispose();
});

test("numbers of a program that is stepped through outlive someone's tf.tidy", () => {
  const scalar = shapedArray("float32", []);
  const closed = program([scalar], (_builder, [x]) => {
    const half = { kind: "literal", value: 0.5, aval: scalar } as const;
    return x === undefined ? [] : [x, half];
  });
  const runner = new EagerRunner({ backend: "cpu" });
  const input = { aval: scalar, tensors: [tf.keep(tf.scalar(2))] };
  const half = (): number | undefined => {
    const [, result] = runner.runSync(closed, [input]);
    return result?.tensors[0]?.dataSync()[0];
  };
  let inside: number | undefined;
  tf.tidy(() => {
    inside = half();
  });
  expect([inside, half()]).toEqual([0.5, 0.5]);
  runner.dispose();
  tf.dispose([...input.tensors]);
});
