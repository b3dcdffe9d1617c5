// The snippets of docs/jax-in-typescript.md. Run with `npx tsx examples/snippets/typescript.ts`.
import * as tf from "@tensorflow/tfjs-core";
import {
  bindTree,
  callTfjs,
  convert,
  customJvp,
  exportFunction,
  grad,
  jit,
  lax,
  makeJaxpr,
  numpy as np,
  printJaxpr,
  random,
  saveModel,
  tree,
  useBackend,
  vmap,
  type ArrayValue,
} from "jax2tfjs";

await useBackend("cpu");

// A function in JAX's style: arrays in, arrays out, nothing else.
interface Params {
  readonly w: ArrayValue;
  readonly b: ArrayValue;
}
const predict = (params: Params, x: ArrayValue): ArrayValue =>
  np.add(np.matmul(x, params.w), params.b);
const loss = (params: Params, x: ArrayValue, y: ArrayValue): ArrayValue =>
  np.mean(np.square(np.subtract(predict(params, x), y)));

// Gradients have the structure of the argument they belong to.
const step = jit((params: Params, x: ArrayValue, y: ArrayValue) => {
  const gradient = grad(loss)(params, x, y);
  return tree.map((p, g) => np.subtract(p, np.multiply(g, 0.1)), params, gradient);
});

const x = tf.tensor2d([1, 2, 3, 4], [4, 1]);
const y = tf.tensor2d([3, 5, 7, 9], [4, 1]);
let params: Params = { w: tf.zeros([1, 1]), b: tf.zeros([1]) };
for (let index = 0; index < 500; index++) params = step(params, x, y);
console.log("w, b:", params.w.dataSync()[0]?.toFixed(2), params.b.dataSync()[0]?.toFixed(2));

// What was traced, as JAX prints it.
console.log(printJaxpr(makeJaxpr(grad((t: ArrayValue) => np.sin(t)))(1)));

// Per-example gradients: vmap of grad, over the examples and not over the parameters.
const perExample = vmap(grad(loss), { inAxes: [null, 0, 0] })(params, x, y);
console.log("per example:", perExample.w.shape);

// Loops that can be differentiated.
const power = (base: ArrayValue): ArrayValue =>
  lax.foriLoop(0, 5, (_, value: ArrayValue) => np.multiply(value, base), np.onesLike(base));
console.log("d(t^5)/dt at 2:", grad(power)(2).dataSync()[0]);

// Random numbers: those that JAX draws with the same key.
const noisy = (key: ArrayValue, input: ArrayValue): ArrayValue =>
  np.add(input, random.normal(key, np.shape(input)));
const keys = random.split(random.key(42), 4);
console.log("noise:", vmap(noisy)(keys, x).shape);

// A derivative of one's own.
const log1pexp = customJvp((t: ArrayValue) => np.log(np.add(1, np.exp(t))));
log1pexp.defjvp(([t], [dt]) => [
  log1pexp(t),
  np.multiply(np.subtract(1, np.divide(1, np.add(1, np.exp(t)))), dt),
]);
console.log("log1pexp' at 100:", grad(log1pexp)(100).dataSync()[0]);

// A function for tfjs: one graph, and tfjs's optimizers see JAX's derivative.
const weight = tf.variable(tf.scalar(0));
const error = convert((a: ArrayValue, b: ArrayValue) =>
  np.mean(np.square(np.subtract(np.multiply(a, weight), b))),
);
const optimizer = tf.train.sgd(0.05);
for (let index = 0; index < 100; index++) {
  optimizer.minimize(() => error(x, y) as tf.Scalar, false, [weight]);
}
console.log("trained by tfjs:", weight.dataSync()[0]?.toFixed(2));

// tfjs inside of JAX: its operations and variables become part of the saved graph.
const shift = tf.variable(tf.scalar(1.5), false, "shift");
const shifted = callTfjs((t) => tf.add(tf.sigmoid(t), shift));
const around = convert(exportFunction((t: ArrayValue) => np.sqrt(shifted(t) as ArrayValue))(x));
console.log("weights of a function of tfjs:", around.graph.weights.map(({ name }) => name).join());

// Saved with the parameters as named weights, for every batch size.
const program = exportFunction(predict, { polymorphicShapes: [null, "batch, _"] })(params, x);
const model = convert(program, { parameters: bindTree(program, params) });
const saved = await saveModel(model, process.argv[2] ?? "web_model", { force: true });
console.log("saved:", saved.directory !== "");
