/** Functions of neural networks under the names of `jax.nn`. */
export * from "./functions.js";
export * from "./activations.js";
export * from "./attention.js";
export * as initializers from "./initializers.js";
