// The runtime loader in headless Chromium: bundled for a page, it loads a model by URL, runs it at
// several batch sizes and refuses a call in JAX's words.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toNumbers, valuesOf } from "../../src/ir/hostArray.js";
import { Conversions } from "../oracle/convertedModels.js";
import { recordedModel, recordedRuns } from "../oracle/recordedModels.js";
import { inCi } from "../support/backends.js";
import { launchChromium, openTestPage, whyNoChromium, type TestPage } from "../support/chromium.js";
import { expectAgrees } from "../support/compare.js";

const model = recordedModel("public/models/mlp");

const source = `
  import "@tensorflow/tfjs-backend-webgl";
  import * as tf from "@tensorflow/tfjs-core";
  import { loadModel } from "./src/runtime/index.ts";
  globalThis.predict = async (values, shape) => {
    await tf.setBackend("webgl");
    const model = await loadModel("/model/model.json");
    try {
      const result = await model.predict(tf.tensor(values, shape));
      return { shape: result.shape, values: Array.from(await result.data()) };
    } catch (error) {
      return { code: error.code, message: error.message };
    } finally {
      model.dispose();
    }
  };
`;

interface Answer {
  readonly shape?: readonly number[];
  readonly values?: readonly number[];
  readonly code?: string;
  readonly message?: string;
}

const reason = whyNoChromium();

describe(reason ?? "the runtime loader", { skip: reason !== undefined && !inCi }, () => {
  const conversions = new Conversions();
  let browser: Browser;
  let testPage: TestPage;
  beforeAll(async () => {
    browser = await launchChromium();
    const { folder } = conversions.get(model);
    testPage = await openTestPage(browser, source, { "/model/": { path: folder } });
  });
  afterAll(async () => {
    await testPage.close();
    await browser.close();
    conversions.dispose();
  });

  const predict = (values: readonly number[], shape: readonly number[]): Promise<Answer> =>
    testPage.page.evaluate<Answer>(`predict(${JSON.stringify(values)}, ${JSON.stringify(shape)})`);

  test("gives what JAX recorded at every batch size", async () => {
    for (const { batch, inputs, outputs } of recordedRuns(model)) {
      const [input, output] = [inputs[0], outputs[0]];
      if (input === undefined || output === undefined) throw new Error("no recorded arrays");
      const answer = await predict(Array.from(toNumbers(input)), input.shape);
      expect(answer.shape).toEqual(output.shape);
      const values = Float32Array.from(answer.values ?? []);
      expectAgrees(`batch ${batch}`, values, valuesOf(output), "float32", model.meta);
    }
  });

  test("refuses other sizes", async () => {
    expect(await predict([1, 2, 3], [1, 3])).toEqual({
      code: "shape-mismatch",
      message:
        "Shape mismatch for args[1].shape[1] (expected same constant): " +
        "expected (b, 32) and called with (1, 3)",
    });
    expect(testPage.errors).toEqual([]);
  });
});
