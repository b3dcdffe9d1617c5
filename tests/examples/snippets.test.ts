// The snippets of the documentation do what it says; and the digits page's preprocessing reads drawn
// digits, in Node.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleFolder, readTestImages } from "../../examples/digits/digits.js";
import { drawingToImage, imageSide } from "../../examples/digits/page/preprocess.js";
import { run } from "../../examples/snippets/asynchronous.js";
import { convertFile } from "../../examples/snippets/convert.js";
import { largestValue } from "../../examples/snippets/debug.js";
import { fileHandler } from "../../examples/snippets/fileHandler.js";
import { logits } from "../../examples/snippets/node.js";
import { expectAgrees } from "../support/compare.js";
import { repositoryRoot } from "../support/paths.js";
import { drawings } from "./drawings.js";

const tolerance = { rtol: 1e-4, atol: 1e-4 };
const pixels = imageSide * imageSide;
const folder = mkdtempSync(join(tmpdir(), "jax2tfjs-snippets-"));
const model = join(folder, "model");

beforeAll(async () => {
  const artifact = join(exampleFolder, "model.jaxexport");
  await convertFile(artifact, join(exampleFolder, "params.safetensors"), model);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("snippets", () => {
  const test8 = readTestImages();
  const images = tf.tensor4d(test8.images.slice(0, 8 * pixels), [8, imageSide, imageSide, 1]);
  const expected = test8.logits.slice(0, 80);

  test("node.ts runs a saved model", async () => {
    const output = await (await logits(model, images)).data();
    expectAgrees("logits", output, expected, "float32", tolerance);
  });

  test("asynchronous.ts runs a model by the names in its signature", async () => {
    const loaded = await loadGraphModel(fileHandler(model));
    const [output] = await run(loaded, { args_0: images }, ["result"]);
    expectAgrees("logits", (await output?.data()) ?? [], expected, "float32", tolerance);
  });

  test("debug.ts names the equation with the largest value", async () => {
    const found = await largestValue(join(repositoryRoot, "examples/debug"));
    expect(found).toMatch(/^10\.00: .*reduce_sum.* from program\.py:13/);
  });
});

describe("drawings", () => {
  test("an empty one has no image", () => {
    expect(drawingToImage([])).toBeUndefined();
  });

  test("a dot is a round blot, whatever its place", () => {
    const image = drawingToImage([[{ x: 3, y: 400 }]]);
    expect(image).toEqual(drawingToImage([[{ x: 0, y: 0 }]]));
    expect(Math.max(...(image ?? []))).toBeGreaterThan(0.5);
  });

  test("size and place do not matter", () => {
    for (const { strokes } of drawings) {
      const moved = strokes.map((stroke) =>
        stroke.map(({ x, y }) => ({ x: x / 64 + 5, y: y / 64 - 3 })),
      );
      expect(drawingToImage(moved)).toEqual(drawingToImage(strokes));
    }
  });

  test.each(drawings)("$digit ($style) is read", async ({ digit, strokes }) => {
    const image = drawingToImage(strokes);
    if (image === undefined) throw new Error("an empty drawing");
    const output = await (await logits(model, tf.tensor4d(image, [1, 8, 8, 1]))).data();
    expect(output.indexOf(Math.max(...output))).toBe(digit);
  });
});
