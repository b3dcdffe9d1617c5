import type { GraphModel } from "@tensorflow/tfjs-converter";
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";

/** Runs any converted model: inputs and outputs by the names in its signature. */
export async function run(
  model: GraphModel,
  inputs: NamedTensorMap,
  outputs: string[],
): Promise<Tensor[]> {
  const { jax2tfjs } = model.metadata as { jax2tfjs: { execute: "execute" | "executeAsync" } };
  const results = await model[jax2tfjs.execute](inputs, outputs);
  return Array.isArray(results) ? results : [results];
}
