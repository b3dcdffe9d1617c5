// The tfjs backends that tests run on in Node: cpu, wasm and tensorflow (tfjs-node). All three
// register with the one @tensorflow/tfjs-core that the sources import.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, beforeEach, describe } from "vitest";

const require = createRequire(import.meta.url);

/** The backends that run in Node, in the order in which tests use them. */
export const nodeBackends = ["cpu", "wasm", "tensorflow"] as const;
export type NodeBackend = (typeof nodeBackends)[number];

/** True where `CI` is set: there a missing backend fails tests, elsewhere they are skipped. */
export const inCi = (process.env.CI ?? "") !== "";

/** Why `backend` cannot be used on this machine; `undefined` when it can. */
export function whyMissing(backend: NodeBackend): string | undefined {
  if (backend !== "tensorflow") return undefined;
  try {
    const folder = dirname(require.resolve("@tensorflow/tfjs-node/package.json"));
    if (existsSync(join(folder, "lib/napi-v8/tfjs_binding.node"))) return undefined;
  } catch {
    // Not installed at all: the same remedy.
  }
  return "@tensorflow/tfjs-node is not installed; run `npm run setup:tfjs-node`";
}

const registered = new Set<NodeBackend>();

async function register(backend: NodeBackend): Promise<void> {
  switch (backend) {
    case "cpu":
      await import("@tensorflow/tfjs-backend-cpu");
      // Its first use advises Node users to install tfjs-node, unless this field is false.
      Object.assign(tf.findBackend("cpu"), { firstUse: false });
      return;
    case "wasm": {
      const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
      setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
      return;
    }
    case "tensorflow":
      process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
      // Through require: the package is optional, so the compiler may not find its types.
      require("@tensorflow/tfjs-node");
      return;
  }
}

/**
 * Loads `backend` and makes it the current one of tfjs-core.
 * @throws Error when it is missing or does not start.
 */
export async function useBackend(backend: NodeBackend): Promise<void> {
  const reason = whyMissing(backend);
  if (reason !== undefined) throw new Error(reason);
  if (!registered.has(backend)) {
    await register(backend);
    registered.add(backend);
  }
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs backend ${backend} did not start`);
  await tf.ready();
}

/**
 * A `describe` block that runs on `backend`. Without the backend its tests fail in CI and are
 * skipped elsewhere, with the reason in the block's title.
 */
export function describeOnBackend(backend: NodeBackend, body: () => void): void {
  const reason = whyMissing(backend);
  const skip = reason !== undefined && !inCi;
  describe(skip ? `${backend} (skipped: ${reason})` : backend, { skip }, () => {
    // The backend is there for the `beforeAll` hooks of `body`, and again for each test, which may
    // have come after one that changed it. Where it is missing each test fails by itself.
    if (reason === undefined) beforeAll(() => useBackend(backend));
    beforeEach(() => useBackend(backend));
    body();
  });
}
