/**
 * Loads the tfjs backends of Node: cpu and wasm come with this package, tensorflow is used where
 * `@tensorflow/tfjs-node` is installed.
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { Jax2TfjsError } from "../ir/errors.js";

const require = createRequire(import.meta.url);

/** The backends that run in Node. */
export const nodeBackends = ["cpu", "wasm", "tensorflow"] as const;
export type NodeBackend = (typeof nodeBackends)[number];

async function register(backend: NodeBackend): Promise<void> {
  switch (backend) {
    case "cpu":
      await import("@tensorflow/tfjs-backend-cpu");
      // Its first use advises Node users to install tfjs-node, unless this field is false.
      Reflect.set(tf.findBackend("cpu"), "firstUse", false);
      return;
    case "wasm": {
      const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
      setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
      return;
    }
    case "tensorflow":
      process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
      try {
        // Through require: the package is optional, so the compiler may not find its types.
        require("@tensorflow/tfjs-node");
      } catch (error) {
        throw new Jax2TfjsError("backend-missing", "@tensorflow/tfjs-node does not load", {
          fix: "npm install @tensorflow/tfjs-node, or use --backend cpu or wasm",
          cause: error,
        });
      }
      return;
  }
}

const registered = new Set<NodeBackend>();

/**
 * Makes a backend the current one of tfjs, loading it first.
 *
 * @throws Jax2TfjsError `backend-missing` if it is not installed or does not start
 */
export async function useBackend(backend: NodeBackend): Promise<void> {
  if (!registered.has(backend)) {
    await register(backend);
    registered.add(backend);
  }
  // Gradients of pooling and others are looked up by name; production mode skips NaN checks.
  tf.env().set("PROD", true);
  if (!(await tf.setBackend(backend))) {
    throw new Jax2TfjsError("backend-missing", `the tfjs backend ${backend} did not start`);
  }
  await tf.ready();
}
