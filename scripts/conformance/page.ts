// Runs in the browser: loads graph models given as text and bytes, and runs them on the GPU. Bundled
// by browserProgram.ts, which calls `conformancePage`.
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { isDType } from "../../src/ir/dtypes.js";
import { hostArray, type HostArray } from "../../src/ir/hostArray.js";
import { loadModelFiles } from "../../src/run/graphProgram.js";
import type { LoadedProgram } from "../../src/run/loaded.js";
import { parseModelJson } from "../../src/run/modelFiles.js";

/** An array on its way between Node and the page. */
export interface PageArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly base64: string;
}

/** What Node calls. */
export interface ConformancePage {
  start(backend: string, flags: Readonly<Record<string, boolean>>): Promise<string>;
  load(modelJson: string, weights: string): void;
  run(inputs: readonly PageArray[]): Promise<readonly PageArray[]>;
  dispose(): void;
}

function toBytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  // Not all at once: arguments go on the stack.
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

function fromPage({ dtype, shape, base64 }: PageArray): HostArray {
  if (!isDType(dtype)) throw new Error(`${dtype} is no dtype`);
  return hostArray(dtype, shape, toBytes(base64));
}

const toPage = ({ dtype, shape, bytes }: HostArray): PageArray => ({
  dtype,
  shape,
  base64: toBase64(bytes),
});

let loaded: LoadedProgram | undefined;

/** What the page's script makes global. */
export const conformancePage: ConformancePage = {
  start: async (backend, flags) => {
    for (const [name, value] of Object.entries(flags)) tf.env().set(name, value);
    tf.env().set("PROD", true);
    if (!(await tf.setBackend(backend))) throw new Error(`${backend} does not start`);
    await tf.ready();
    return tf.getBackend();
  },
  load: (modelJson, weights) => {
    loaded?.dispose();
    const description = parseModelJson(modelJson);
    loaded = loadModelFiles({ description, weightData: toBytes(weights).buffer });
  },
  run: async (inputs) => {
    if (loaded === undefined) throw new Error("no model is loaded");
    return (await loaded.run(inputs.map(fromPage))).map(toPage);
  },
  dispose: () => {
    loaded?.dispose();
    loaded = undefined;
  },
};
