// A converted model that runs on webgl or webgpu in a page of headless Chromium, with the face of any other
// loaded program: the comparison with recorded results is that of `jax2tfjs conformance`.
import type { Browser } from "playwright-core";
import type { ConvertedModel } from "../../src/convert.js";
import { isDType } from "../../src/ir/dtypes.js";
import { hostArray, type HostArray } from "../../src/ir/hostArray.js";
import { weightBytes } from "../../src/lower/modelJson.js";
import type { LoadedProgram } from "../../src/run/loaded.js";
import { interfaceOf, parseModelJson } from "../../src/run/modelFiles.js";
import { checkArguments, dimPlanOf } from "../../src/run/signature.js";
import { launchChromium, openTestPage, type TestPage } from "../../tests/support/chromium.js";
import type { ConformancePage, PageArray } from "./page.js";

declare global {
  var conformancePage: ConformancePage;
}

const source = `
  import { conformancePage } from "./scripts/conformance/page.ts";
  Object.assign(globalThis, { conformancePage });
`;

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const toPage = ({ dtype, shape, bytes }: HostArray): PageArray => ({
  dtype,
  shape,
  base64: toBase64(bytes),
});

function fromPage({ dtype, shape, base64 }: PageArray): HostArray {
  if (!isDType(dtype)) throw new Error(`${dtype} is no dtype`);
  return hostArray(dtype, shape, new Uint8Array(Buffer.from(base64, "base64")));
}

/** Flags of tfjs by name, such as WEBGL_CPU_FORWARD. */
export type Flags = Readonly<Record<string, boolean>>;

/** Backends that need a browser. */
export type BrowserBackend = "webgl" | "webgpu";

/** Programs may be run in a page until this many were: textures and shaders pile up. */
const runsPerPage = 100;

/** A browser with one page; the page is replaced when it has run enough or is broken. */
export class BrowserRunner {
  #browser: Browser | undefined;
  #page: TestPage | undefined;
  #runs = 0;

  constructor(
    readonly backend: BrowserBackend,
    readonly flags: Flags = {},
  ) {}

  /** Where `checkCase` runs converted models. */
  readonly loadModel = (model: ConvertedModel): LoadedProgram => {
    const text = JSON.stringify(model.modelJson(["weights.bin"]));
    const weights = Buffer.concat(model.graph.weights.map(weightBytes));
    const signature = interfaceOf(parseModelJson(text));
    const plan = dimPlanOf(signature);
    const { inputs, outputs } = signature;
    const check = (arrays: readonly HostArray[]): ReadonlyMap<string, number> =>
      checkArguments(plan, inputs, arrays);
    return {
      signature,
      inputs,
      outputs,
      check,
      run: async (arrays) => {
        check(arrays);
        const { page } = await this.#readyPage();
        const call = { text, weights: toBase64(weights), arrays: arrays.map(toPage) };
        const results = await page.evaluate(async ({ text, weights, arrays }) => {
          conformancePage.load(text, weights);
          try {
            return await conformancePage.run(arrays);
          } finally {
            conformancePage.dispose();
          }
        }, call);
        return results.map(fromPage);
      },
      dispose: () => undefined,
    };
  };

  async #readyPage(): Promise<TestPage> {
    if (this.#runs++ % runsPerPage === 0) await this.reset();
    if (this.#page !== undefined) return this.#page;
    this.#browser = await launchChromium();
    this.#page = await openTestPage(this.#browser, source);
    const start = { backend: this.backend, flags: this.flags };
    await this.#page.page.evaluate(
      ({ backend, flags }) => conformancePage.start(backend, flags),
      start,
    );
    return this.#page;
  }

  /** Ends the browser; the next run starts another. */
  async reset(): Promise<void> {
    const [browser, page] = [this.#browser, this.#page];
    [this.#browser, this.#page] = [undefined, undefined];
    await page?.server.close();
    await browser?.close();
  }
}
