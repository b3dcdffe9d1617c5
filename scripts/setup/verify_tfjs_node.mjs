// Checks that @tensorflow/tfjs-node works and shares one tfjs-core with this package: the backend
// must be usable from an ESM import of tfjs-core, and agree with the cpu backend on a few kernels.
// Run by tfjs-node.sh; --quiet prints nothing.
import assert from "node:assert";
import { createRequire } from "node:module";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
const nodeBackend = createRequire(import.meta.url)("@tensorflow/tfjs-node");
assert.strictEqual(nodeBackend.engine(), tf.engine(), "tfjs-node brought a tfjs-core of its own");

// Else its first use prints the advice to install tfjs-node.
Object.assign(tf.findBackend("cpu"), { firstUse: false });

const normal = (shape, seed) => tf.randomNormal(shape, 0, 1, "float32", seed);
const kernels = {
  matMul: () => tf.matMul(normal([17, 33], 1), normal([33, 5], 2)),
  conv2d: () => tf.conv2d(normal([2, 9, 9, 3], 3), normal([3, 3, 3, 4], 4), 2, "same"),
  maxPool: () => tf.maxPool(normal([2, 9, 9, 3], 5), 3, 2, "same"),
  softmax: () => tf.softmax(normal([4, 7], 6)),
  gatherND: () =>
    tf.gatherND(
      normal([17, 33], 7),
      tf.tensor2d(
        [
          [0, 1],
          [16, 32],
        ],
        [2, 2],
        "int32",
      ),
    ),
  rfft: () => tf.imag(tf.rfft(normal([3, 16], 8))),
};

const results = {};
for (const backend of ["cpu", "tensorflow"]) {
  assert(await tf.setBackend(backend), `no backend ${backend}`);
  results[backend] = {};
  for (const [name, run] of Object.entries(kernels)) results[backend][name] = await run().data();
}
for (const name of Object.keys(kernels)) {
  const expected = results.cpu[name];
  results.tensorflow[name].forEach((value, index) => {
    const error = Math.abs(value - expected[index]) / (1 + Math.abs(expected[index]));
    assert(error < 1e-4, `${name}[${index}] differs by ${error}`);
  });
}
if (!process.argv.includes("--quiet")) {
  console.log(
    `tfjs-node ${nodeBackend.version["tfjs-node"]} on TensorFlow ` +
      `${nodeBackend.backend().binding.TF_Version} agrees with the cpu backend`,
  );
}
