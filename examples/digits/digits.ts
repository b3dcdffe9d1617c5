// The example's files, and their conversion: used by run.ts and by buildPage.ts.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  bindArgument,
  convert,
  importExported,
  readNpz,
  readParameters,
  saveModel,
  toNumbers,
  type SavedModel,
} from "jax2tfjs";

export const exampleFolder = dirname(fileURLToPath(import.meta.url));

const readBytes = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(exampleFolder, name)));

export interface DigitsModel extends SavedModel {
  readonly nodes: number;
  /** Numbers in the parameter file. */
  readonly parameters: number;
}

/** Converts model.jaxexport with params.safetensors and saves the model to `folder`. */
export async function convertDigits(folder: string): Promise<DigitsModel> {
  const program = importExported(readBytes("model.jaxexport"));
  const parameters = bindArgument(program, readParameters(readBytes("params.safetensors")));
  const model = convert(program, { parameters });
  return {
    ...(await saveModel(model, folder, { force: true })),
    nodes: model.graph.nodes.length,
    parameters: parameters.reduce((count, { byteLength }) => count + byteLength / 4, 0),
  };
}

export interface TestImages {
  /** 8x8 pixels each, one image after the other, 0 (paper) to 1 (ink). */
  readonly images: Float32Array;
  readonly labels: readonly number[];
  /** What JAX computed: ten numbers per image. */
  readonly logits: Float32Array;
}

/** The test images that train.py wrote, with JAX's logits. */
export function readTestImages(): TestImages {
  const arrays = readNpz(readBytes("test.npz"));
  const [images, labels, logits] = ["images", "labels", "logits"].map((name) => arrays.get(name));
  if (images === undefined || labels === undefined || logits === undefined) {
    throw new Error("test.npz lacks an array");
  }
  return {
    images: Float32Array.from(toNumbers(images)),
    labels: Array.from(toNumbers(labels)),
    logits: Float32Array.from(toNumbers(logits)),
  };
}
