// Random numbers of functions in TypeScript on WebGL, whose int32 tensors hold 24 bits: keys and words
// are those of JAX all the same.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectDrawn, recorded } from "../random/recorded.js";
import type { Drawn } from "../random/results.js";
import { inCi } from "../support/backends.js";
import { launchChromium, openTestPage, whyNoChromium, type TestPage } from "../support/chromium.js";

const source = `
  import "@tensorflow/tfjs-backend-webgl";
  import * as tf from "@tensorflow/tfjs-core";
  import * as lax from "./src/lax/index.js";
  import "./src/run/install.js";
  import { cases, makeKeys } from "./tests/random/cases.js";
  import { drawnOf } from "./tests/random/results.js";
  globalThis.run = async (name) => {
    if (!(await tf.setBackend("webgl"))) throw new Error("no webgl");
    return drawnOf(cases[name](makeKeys()));
  };
  globalThis.divide = async (x, y) => {
    if (!(await tf.setBackend("webgl"))) throw new Error("no webgl");
    return drawnOf(lax.div(Int32Array.from(x), y.length === 1 ? y[0] : Int32Array.from(y)))[0].data;
  };
  globalThis.multiply = async (x, y) => {
    if (!(await tf.setBackend("webgl"))) throw new Error("no webgl");
    return drawnOf(lax.mul(Uint32Array.from(x), Uint32Array.from(y)))[0].data;
  };
`;

/** Loops until all samples are accepted: minutes in software GL. */
const slow = ["draws/gamma", "draws/counts"];

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

  test("words are multiplied exactly", async () => {
    let state = 1;
    const draw = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state ^ (state >>> 13)) >>> 0;
    };
    const count = 20_000;
    const [x, y] = [0, 1].map(() => Array.from({ length: count }, draw));
    if (x === undefined || y === undefined) throw new Error("two factors");
    const result: unknown = await testPage.page.evaluate(
      `multiply(${JSON.stringify(x)}, ${JSON.stringify(y)})`,
    );
    expect(result).toEqual(x.map((word, index) => Math.imul(word, y[index] ?? 0) >>> 0));
  });

  test("int32 numbers are divided exactly up to 2^24", async () => {
    const x = Array.from({ length: 4096 }, (_, index) => 2 ** 23 + 2047 * index);
    const y = x.map((_, index) => [256, 7, 3, 1000, 65536][index % 5] ?? 1);
    const divide = (left: readonly number[], right: readonly number[]): Promise<unknown> =>
      testPage.page.evaluate(`divide(${JSON.stringify(left)}, ${JSON.stringify(right)})`);
    expect(await divide(x, y)).toEqual(x.map((n, index) => Math.trunc(n / (y[index] ?? 1))));
    const odd = x.map((n) => n | 255);
    expect(await divide(odd, [256])).toEqual(odd.map((n) => Math.trunc(n / 256)));
  });

  const names = Object.keys(recorded.cases).filter((name) => !slow.includes(name));
  test.each(names)(
    "%s",
    async (name) => {
      const result: unknown = await testPage.page.evaluate(`run(${JSON.stringify(name)})`);
      // exp, log and their like have fewer bits on GPUs.
      expectDrawn(name, result as readonly Drawn[], { floats: 1e-3, integers: 2 ** -23 });
      expect(testPage.errors).toEqual([]);
    },
    300_000,
  );
});
