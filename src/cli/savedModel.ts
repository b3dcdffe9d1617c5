/**
 * Reads a model that `convert` (or tensorflowjs_converter) saved: model.json and its weight files.
 * Called by inspect, run and verify.
 */
import { dirname, join } from "node:path";
import { Jax2TfjsError } from "../ir/errors.js";
import { byteLengthOf } from "../ir/hostArray.js";
import { isDType } from "../ir/dtypes.js";
import { parseModelJson, type ModelDescription, type ModelFiles } from "../run/modelFiles.js";
import { readFile } from "./files.js";

/** Reads model.json alone. @throws Jax2TfjsError `file-open`, `model-corrupt`, `model-format` */
export function readDescription(path: string): ModelDescription {
  return parseModelJson(new TextDecoder().decode(readFile(path, "the model")));
}

/** Bytes of all weights, as the specifications say. */
export function expectedWeightBytes(description: ModelDescription): number {
  return description.weights.reduce((total, { name, storedDtype, shape }) => {
    if (isDType(storedDtype)) return total + byteLengthOf(storedDtype, shape);
    throw new Jax2TfjsError("model-format", `the weight ${name} has dtype ${storedDtype}`, {
      fix: "only weights of numbers and booleans are supported",
    });
  }, 0);
}

/**
 * Reads a saved model with its weights.
 *
 * @param path of its model.json
 * @throws Jax2TfjsError as `readDescription`; `model-corrupt` if the weight files have another size
 * than model.json says, or lie outside the model's folder
 */
export function readSavedModel(path: string): ModelFiles {
  const description = readDescription(path);
  const expected = expectedWeightBytes(description);
  const weightData = new Uint8Array(expected);
  let filled = 0;
  for (const name of description.weightPaths) {
    if (/^([/\\]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)/.test(name)) {
      throw new Jax2TfjsError("model-corrupt", `the weight file ${name} is not in the folder`);
    }
    const bytes = readFile(join(dirname(path), name), "the weight file");
    if (filled + bytes.byteLength <= expected) weightData.set(bytes, filled);
    filled += bytes.byteLength;
  }
  if (filled !== expected) {
    throw new Jax2TfjsError(
      "model-corrupt",
      `the weight files hold ${filled} bytes; model.json says ${expected}`,
      { fix: "copy the whole folder again, or convert the model again" },
    );
  }
  return { description, weightData: weightData.buffer };
}
