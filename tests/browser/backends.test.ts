// Headless Chromium runs the browser backends: WebGL and WebGPU (in software), wasm and cpu.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inCi } from "../support/backends.js";
import { launchChromium, openTestPage, whyNoChromium, type TestPage } from "../support/chromium.js";

const source = `
  import "@tensorflow/tfjs-backend-cpu";
  import "@tensorflow/tfjs-backend-webgl";
  import "@tensorflow/tfjs-backend-webgpu";
  import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
  import * as tf from "@tensorflow/tfjs-core";
  setWasmPaths("/wasm/");
  globalThis.run = async (backend) => {
    if (!(await tf.setBackend(backend))) throw new Error("no backend " + backend);
    const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]]));
    return { backend: tf.getBackend(), values: Array.from(await product.data()) };
  };
`;

const reason = whyNoChromium();

describe(reason ?? "Chromium", { skip: reason !== undefined && !inCi }, () => {
  let browser: Browser;
  let testPage: TestPage;
  beforeAll(async () => {
    browser = await launchChromium();
    testPage = await openTestPage(browser, source);
  });
  afterAll(async () => {
    await testPage.close();
    await browser.close();
  });

  test.each(["webgl", "webgpu", "wasm", "cpu"])("multiplies matrices on %s", async (backend) => {
    const result: unknown = await testPage.page.evaluate(`run(${JSON.stringify(backend)})`);
    expect(result).toEqual({ backend, values: [19, 22, 43, 50] });
    expect(testPage.errors).toEqual([]);
  });

  test("the server answers nothing outside what it was given", async () => {
    const escape = await fetch(`${testPage.server.url}/wasm/..%2f..%2fpackage.json`);
    expect(escape.status).toBe(404);
    expect((await fetch(`${testPage.server.url}/nothing`)).status).toBe(404);
  });
});
