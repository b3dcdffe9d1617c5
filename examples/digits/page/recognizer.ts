// Loads the converted model and runs it, with plain TensorFlow.js: nothing of jax2tfjs is in the page.
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { loadGraphModel, type GraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { imageSide } from "./preprocess.js";

export const classes = 10;

setWasmPaths("wasm/");

export class Recognizer {
  readonly backend: string;
  readonly #model: GraphModel;

  private constructor(backend: string, model: GraphModel) {
    this.backend = backend;
    this.#model = model;
  }

  /**
   * Loads the model on a tfjs backend: wasm, webgl or cpu.
   * @throws Error if the backend does not start or the model is not there
   */
  static async load(url: string, backend: string): Promise<Recognizer> {
    if (!(await tf.setBackend(backend))) throw new Error(`${backend} does not work here`);
    await tf.ready();
    const recognizer = new Recognizer(backend, await loadGraphModel(url));
    // The first run compiles shaders; nobody should wait for that while drawing.
    await recognizer.logits(new Float32Array(imageSide * imageSide));
    return recognizer;
  }

  /** Ten logits per image; `images` holds any number of 8x8 images, pixels from 0 to 1. */
  async logits(images: Float32Array): Promise<Float32Array> {
    const output = tf.tidy(() => {
      const count = images.length / (imageSide * imageSide);
      return this.#model.predict(tf.tensor4d(images, [count, imageSide, imageSide, 1]));
    });
    if (!(output instanceof tf.Tensor)) throw new Error("the model has one output");
    const values = await output.data<"float32">();
    output.dispose();
    return values;
  }

  dispose(): void {
    this.#model.dispose();
  }
}

/** Probabilities of the classes. */
export function softmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The position of the largest number. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? -Infinity) > (values[best] ?? -Infinity)) best = index;
  }
  return best;
}
