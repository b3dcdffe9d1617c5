/**
 * The runtime loader, `jax2tfjs/runtime`: loads saved models in browsers and in Node and calls them
 * as JAX would. Depends on `@tensorflow/tfjs-core` and `@tensorflow/tfjs-converter` alone. It is not
 * needed to run a model: plain `tf.loadGraphModel` does that, without the checks of sizes.
 */
export {
  loadModel,
  type ComplexPair,
  type LoadedModel,
  type LoadModelOptions,
  type ModelInputs,
  type ModelMetadata,
  type ModelResult,
  type ModelValue,
  type WordHalves,
} from "./loadModel.js";
export type { SafetyCheck, SignatureLeaf } from "./callSignature.js";
export type { Tree } from "./pytree.js";
export { Jax2TfjsError, type ErrorDetails } from "../ir/errors.js";
