import "@tensorflow/tfjs-backend-webgl";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";

setWasmPaths("wasm/"); // where the .wasm files of the backend's package are served
await tf.setBackend("wasm"); // or "webgl", "webgpu"
const model = await loadGraphModel("model/model.json");

/** Ten logits for one image of 8x8 pixels. */
export async function logits(pixels: Float32Array): Promise<Float32Array> {
  const output = tf.tidy(() => model.predict(tf.tensor4d(pixels, [1, 8, 8, 1])) as tf.Tensor);
  const values = await output.data<"float32">();
  output.dispose();
  return values;
}
