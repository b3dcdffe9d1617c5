import { loadModel } from "jax2tfjs/runtime";
import type * as tf from "@tensorflow/tfjs-core";

/** Attention of each query to as many keys as there are: `t` may differ from call to call. */
export async function attention(
  model: string | tf.io.IOHandler,
  query: tf.Tensor,
  keys: tf.Tensor,
  mask: tf.Tensor,
): Promise<tf.Tensor> {
  const loaded = await loadModel(model);
  try {
    return (await loaded.predict(query, keys, mask)) as tf.Tensor;
  } finally {
    loaded.dispose();
  }
}
