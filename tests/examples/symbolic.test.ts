// The example of docs/symbolic-shapes.md: one model for every batch and length, calls checked.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convert, importExported, modelArtifacts } from "jax2tfjs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { attention } from "../../examples/symbolic/attention.js";
import { useBackend } from "../support/backends.js";
import { repositoryRoot } from "../support/paths.js";

beforeAll(() => useBackend("cpu"));

const program = importExported(
  readFileSync(join(repositoryRoot, "examples/symbolic/attend.jaxexport")),
);
const handler = (): tf.io.IOHandler => tf.io.fromMemory(modelArtifacts(convert(program)));

test("attention to as many keys as there are", async () => {
  for (const [b, t] of [
    [1, 1],
    [2, 5],
    [3, 128],
  ] as const) {
    const mask = tf.ones([b, t], "bool");
    const result = await attention(handler(), tf.zeros([b, 8]), tf.ones([b, t, 8]), mask);
    expect(result.shape).toEqual([b, t]);
    expect((await result.data())[0]).toBeCloseTo(1 / t, 5);
  }
});

test("sizes that do not fit are refused in JAX's words", async () => {
  const call = attention(handler(), tf.zeros([2, 8]), tf.ones([3, 5, 8]), tf.ones([2, 5], "bool"));
  await expect(call).rejects.toThrow(
    "Found inconsistency between dimension size args[1].shape[0] (= 3) and the specification 'b'",
  );
  const long = attention(
    handler(),
    tf.zeros([2, 8]),
    tf.ones([2, 129, 8]),
    tf.ones([2, 129], "bool"),
  );
  await expect(long).rejects.toThrow("symbolic shape constraint t <= 128");
});
