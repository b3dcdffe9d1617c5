import "@tensorflow/tfjs-backend-cpu";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { fileHandler } from "./fileHandler.js";

/** Runs a saved model with one input and one output on a batch of images. */
export async function logits(folder: string, images: tf.Tensor): Promise<tf.Tensor> {
  await tf.setBackend("cpu");
  const model = await loadGraphModel(fileHandler(folder));
  return model.predict(images) as tf.Tensor;
}
