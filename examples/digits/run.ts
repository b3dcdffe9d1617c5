// The main job, once through: converts the committed artifact, loads the saved model with plain
// TensorFlow.js, runs the test images and compares with JAX. `npm run example:digits`.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { fileHandler } from "../snippets/fileHandler.js";
import { convertDigits, readTestImages, type TestImages } from "./digits.js";

const classes = 10;
/** Logits may differ so much: float32 sums in another order. */
const tolerance = 1e-4;

interface Score {
  readonly right: number;
  /** The largest difference from JAX's logits. */
  readonly difference: number;
}

function argmax(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}

function scoreOf(logits: Float32Array, test: TestImages): Score {
  const row = (index: number): Float32Array =>
    logits.subarray(index * classes, (index + 1) * classes);
  const right = test.labels.filter((label, index) => argmax(row(index)) === label).length;
  const differences = test.logits.map((expected, index) =>
    Math.abs((logits[index] ?? NaN) - expected),
  );
  return { right, difference: Math.max(...differences) };
}

/** Loads the saved model on a backend and runs all test images in one batch. */
async function runOn(backend: string, folder: string, test: TestImages): Promise<Score> {
  if (!(await tf.setBackend(backend))) throw new Error(`${backend} does not start`);
  // Else its first use prints an advertisement for tfjs-node.
  if (backend === "cpu") Object.assign(tf.backend(), { firstUse: false });
  const model = await loadGraphModel(fileHandler(folder));
  const images = tf.tensor4d(test.images, [test.labels.length, 8, 8, 1]);
  const output = model.predict(images);
  if (!(output instanceof tf.Tensor)) throw new Error("the model has one output");
  return scoreOf(await output.data<"float32">(), test);
}

async function main(folder: string): Promise<boolean> {
  const start = performance.now();
  const { nodes, parameters, weightBytes, files } = await convertDigits(folder);
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  console.log(`converted  model.jaxexport with ${parameters.toLocaleString("en")} parameters`);
  console.log(`           ${nodes} nodes, ${weightBytes} bytes of weights, ${seconds} s`);
  console.log(`saved      ${files.join(", ")}`);

  const test = readTestImages();
  const inJax = scoreOf(test.logits, test).right;
  console.log(`JAX        ${inJax} of ${test.labels.length} test images right`);
  let same = true;
  for (const backend of ["cpu", "wasm"]) {
    const { right, difference } = await runOn(backend, folder, test);
    same &&= right === inJax && difference < tolerance;
    console.log(
      `tfjs ${backend.padEnd(5)} ${right} of ${test.labels.length} right, ` +
        `logits differ from JAX's by at most ${difference.toExponential(1)}`,
    );
  }
  return same;
}

setWasmPaths(
  `${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"))}/`,
);
const folder = await mkdtemp(join(tmpdir(), "digits-"));
try {
  if (!(await main(folder))) {
    console.error("the converted model does not do what JAX does");
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true });
}
