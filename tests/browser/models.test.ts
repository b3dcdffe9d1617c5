// Converted models in headless Chromium, loaded by plain TensorFlow.js from a web server: on wasm, webgl
// and webgpu they give what JAX recorded, at every recorded batch size.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kindOf, type DType } from "../../src/ir/dtypes.js";
import { fromNumbers, toNumbers, type HostArray } from "../../src/ir/hostArray.js";
import { interfaceOf, modelFilesOf } from "../../src/run/modelFiles.js";
import { Conversions, expectRecorded } from "../oracle/convertedModels.js";
import { expectedFailures } from "../oracle/expectedFailures.js";
import {
  recordedModel,
  recordedModels,
  recordedRuns,
  type RecordedModel,
} from "../oracle/recordedModels.js";
import { inCi } from "../support/backends.js";
import {
  launchChromium,
  openTestPage,
  whyNoChromium,
  type Content,
  type TestPage,
} from "../support/chromium.js";

const models = [
  ...recordedModels("public"),
  recordedModel("wild/jraph_gat"),
  recordedModel("wild/hf_gpt2_lm"),
].filter(({ path }) => !(path in expectedFailures));

/** A tensor on its way to or from the page. */
interface PageTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** What the page's `runModel` gives. */
interface Answer {
  readonly backend: string;
  readonly results: readonly PageTensor[];
}

const source = `
  import "@tensorflow/tfjs-backend-webgl";
  import "@tensorflow/tfjs-backend-webgpu";
  import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
  import { loadGraphModel } from "@tensorflow/tfjs-converter";
  import * as tf from "@tensorflow/tfjs-core";
  setWasmPaths("/wasm/");
  globalThis.runModel = async ({ backend, url, inputs, outputs, needsAsync }) => {
    if (!(await tf.setBackend(backend))) throw new Error("no backend " + backend);
    const model = await loadGraphModel(url);
    const feeds = Object.fromEntries(Object.entries(inputs).map(([key, { dtype, shape, values }]) =>
      [key, tf.tensor(values, shape, dtype)]));
    const execute = () => needsAsync
      ? model.executeAsync(feeds, outputs)
      : model.execute(feeds, outputs);
    // The second call with the same tensors counts: some are on the GPU by then.
    tf.dispose(await execute());
    const results = await execute();
    const read = [results].flat().map(async (tensor) =>
      ({ dtype: tensor.dtype, shape: tensor.shape, values: Array.from(await tensor.data()) }));
    const values = await Promise.all(read);
    tf.dispose([feeds, results]);
    model.dispose();
    return { backend: tf.getBackend(), results: values };
  };
`;

/** Tensor types are float32, int32 and bool; uint32 numbers travel as the int32 of the same bits. */
function toPage(array: HostArray): PageTensor {
  const { dtype, shape } = array;
  const values = Array.from(toNumbers(array));
  if (dtype === "bool") return { dtype, shape, values };
  if (kindOf(dtype) === "float") return { dtype: "float32", shape, values };
  return { dtype: "int32", shape, values: values.map((value) => value | 0) };
}

function toHost(dtype: DType, shape: readonly number[], values: readonly number[]): HostArray {
  return fromNumbers(
    dtype,
    shape,
    dtype === "uint32" ? values.map((value) => value >>> 0) : values,
  );
}

/** A result from its tensors: words come as their upper and lower 16 bits. */
function resultOf(dtype: DType, parts: readonly PageTensor[]): HostArray {
  const [first, second] = parts;
  if (first === undefined) throw new Error("a result without tensors");
  const { shape, values } = first;
  if (second === undefined) return toHost(dtype, shape, values);
  const words = values.map((high, index) => high * 65536 + (second.values[index] ?? 0));
  return fromNumbers(dtype, shape, words);
}

const reason = whyNoChromium();

describe(reason ?? "models", { skip: reason !== undefined && !inCi }, () => {
  const conversions = new Conversions();
  let browser: Browser;
  let testPage: TestPage;
  beforeAll(async () => {
    const folders = models.map((model): readonly [string, Content] => [
      `/${model.path}/`,
      { path: conversions.get(model).folder },
    ]);
    browser = await launchChromium();
    testPage = await openTestPage(browser, source, Object.fromEntries(folders));
  });
  afterAll(async () => {
    await testPage.close();
    await browser.close();
    conversions.dispose();
  });

  describe("wasm", () => {
    test.each(models)("$path", (model) => check(model, "wasm"));
  });

  describe("webgl", () => {
    test.each(models)("$path", (model) => check(model, "webgl"));
  });

  describe("webgpu", () => {
    test.each(models)("$path", (model) => check(model, "webgpu"));
  });

  async function check(model: RecordedModel, backend: string): Promise<void> {
    const { description } = modelFilesOf(conversions.get(model).model);
    const { inputKeys, outputKeys, outputs, needsAsync } = interfaceOf(description);
    for (const run of recordedRuns(model)) {
      const call = {
        backend,
        url: `/${model.path}/model.json`,
        inputs: Object.fromEntries(
          run.inputs.map((array, index): readonly [string, PageTensor] => [
            inputKeys[index]?.[0] ?? "",
            toPage(array),
          ]),
        ),
        outputs: outputKeys.flat(),
        needsAsync,
      };
      const answer = await testPage.page.evaluate<Answer>(`runModel(${JSON.stringify(call)})`);
      expect(answer.backend).toBe(backend);
      let next = 0;
      const actual = outputKeys.map((keys, index) => {
        const parts = answer.results.slice(next, (next += keys.length));
        return resultOf(outputs[index]?.dtype ?? "float32", parts);
      });
      expectRecorded(model, run.batch, actual, run.outputs);
    }
    expect(testPage.errors).toEqual([]);
  }
});
