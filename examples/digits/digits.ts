// The example's files, and their conversion: used by run.ts and by buildPage.ts.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { convert } from "../../src/convert.js";
import { readNpz } from "../../src/files/npz.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import { importExported } from "../../src/import/program.js";
import { asFloat32, toNumbers } from "../../src/ir/hostArray.js";
import { saveModelToFolder, type SavedModel } from "../../src/node/saveModel.js";
import { bindArgument } from "../../src/parameters.js";

export const exampleFolder = dirname(fileURLToPath(import.meta.url));

const readBytes = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(exampleFolder, name)));

export interface DigitsModel extends SavedModel {
  readonly nodes: number;
  /** Numbers in the parameter file. */
  readonly parameters: number;
}

/** Converts model.jaxexport with params.safetensors and saves the model to `folder`. */
export function convertDigits(folder: string): DigitsModel {
  const program = importExported(readBytes("model.jaxexport"));
  const parameters = bindArgument(program, readParameters(readBytes("params.safetensors")));
  const model = convert(program, { parameters });
  return {
    ...saveModelToFolder(model, folder, { force: true }),
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
    images: asFloat32(images),
    labels: Array.from(toNumbers(labels)),
    logits: asFloat32(logits),
  };
}
