import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { io } from "@tensorflow/tfjs-core";

/** Loads a saved model from disk with plain TensorFlow.js: `tf.loadGraphModel(fileHandler(folder))`. */
export function fileHandler(folder: string): io.IOHandler {
  return {
    load: async () => {
      const json = JSON.parse(await readFile(join(folder, "model.json"), "utf8")) as io.ModelJSON;
      return io.getModelArtifactsForJSON(json, async (manifest) => {
        const paths = manifest.flatMap((group) => group.paths);
        const shards = await Promise.all(paths.map((path) => readFile(join(folder, path))));
        const weights = new Uint8Array(Buffer.concat(shards));
        return [manifest.flatMap((group) => group.weights), weights.buffer];
      });
    },
  };
}
