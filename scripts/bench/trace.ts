// Time to trace, differentiate and convert TypeScript functions, beside @jax-js/jax where it is
// installed (`npm install --no-save @jax-js/jax`); time of eager equations and of cached calls:
//   npm run bench:trace
// Each figure is the smallest of several rounds, all in one process.
import * as tf from "@tensorflow/tfjs-core";
import { loadGraphModelSync } from "@tensorflow/tfjs-converter";
import {
  convert,
  exportFunction,
  grad,
  jit,
  lax,
  makeJaxpr,
  modelArtifacts,
  numpy as np,
  useBackend,
  type ArrayLike,
  type ArrayValue,
} from "../../src/index.js";

const rounds = 30;

/** Smallest time of a call in milliseconds. */
function best(run: () => unknown, repetitions = rounds): number {
  const times = Array.from({ length: repetitions }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return Math.min(...times);
}

const milliseconds = (time: number): string => `${time.toFixed(3)} ms`.padStart(12);

function filled(shape: readonly number[]): tf.Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, index) => Math.sin(index)),
    [...shape],
  );
}

/** A program written for us, and for the other library, whose arrays count references. */
interface Bench {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly ours: (...args: ArrayValue[]) => ArrayValue;
  readonly theirs: (np: OtherNumpy) => (...args: OtherArray[]) => OtherArray;
}

interface OtherArray {
  readonly ref: OtherArray;
  mul(x: OtherArray | number): OtherArray;
  add(x: OtherArray | number): OtherArray;
  sub(x: OtherArray | number): OtherArray;
  div(x: OtherArray | number): OtherArray;
  sum(axis?: number): OtherArray;
}

interface OtherNumpy {
  tanh(x: OtherArray): OtherArray;
  sin(x: OtherArray): OtherArray;
  exp(x: OtherArray): OtherArray;
  matmul(x: OtherArray, y: OtherArray): OtherArray;
  matrixTranspose(x: OtherArray): OtherArray;
  square(x: OtherArray): OtherArray;
  zeros(shape: readonly number[]): OtherArray;
  ones(shape: readonly number[]): OtherArray;
}

interface OtherLibrary {
  readonly numpy: OtherNumpy;
  init(...devices: string[]): Promise<unknown>;
  makeJaxpr(f: (...args: OtherArray[]) => OtherArray): (...args: OtherArray[]) => unknown;
  grad(f: (...args: OtherArray[]) => OtherArray): (...args: OtherArray[]) => OtherArray;
}

const steps = 50;

const benches: readonly Bench[] = [
  {
    name: "mlp loss, 3 layers",
    shapes: [
      [32, 64],
      [64, 64],
      [64, 64],
      [64, 10],
    ],
    ours: (x, ...weights) => {
      let hidden: ArrayValue = x;
      for (const weight of weights) hidden = np.tanh(np.matmul(hidden, weight));
      return np.sum(np.square(hidden));
    },
    theirs:
      (jnp) =>
      (x, ...weights) => {
        let hidden = x;
        for (const weight of weights) hidden = jnp.tanh(jnp.matmul(hidden, weight));
        return jnp.square(hidden).sum();
      },
  },
  {
    name: "attention, one head",
    shapes: [
      [16, 32],
      [16, 32],
      [16, 32],
    ],
    ours: (query, key, value) => {
      const scores = np.exp(np.matmul(query, np.matrixTranspose(key)));
      const total = np.sum(scores, { axis: 1, keepdims: true });
      return np.sum(np.matmul(np.divide(scores, total), value));
    },
    theirs: (jnp) => (query, key, value) => {
      const scores = jnp.exp(jnp.matmul(query, jnp.matrixTranspose(key)));
      const total = jnp.matmul(scores.ref, jnp.ones([16, 1]));
      return jnp.matmul(scores.div(total), value).sum();
    },
  },
  {
    name: `pendulum, ${steps} steps written out`,
    shapes: [[8], [8]],
    ours: (start, speed) => {
      let [angle, velocity] = [start, speed];
      for (let step = 0; step < steps; step++) {
        velocity = np.subtract(velocity, np.multiply(np.sin(angle), 0.01));
        angle = np.add(angle, np.multiply(velocity, 0.01));
      }
      return np.sum(angle);
    },
    theirs: (jnp) => (start, speed) => {
      let [angle, velocity] = [start, speed];
      for (let step = 0; step < steps; step++) {
        velocity = velocity.sub(jnp.sin(angle.ref).mul(0.01));
        angle = angle.add(velocity.ref.mul(0.01));
      }
      // Its arrays are used up exactly once.
      return angle.add(velocity.mul(0)).sum();
    },
  },
];

async function otherLibrary(): Promise<OtherLibrary | null> {
  try {
    // By a variable, so that the compiler does not look for what need not be installed.
    const name = "@jax-js/jax";
    const library = (await import(name)) as OtherLibrary;
    await library.init("cpu");
    return library;
  } catch (error) {
    console.log(`@jax-js/jax is not measured: ${error instanceof Error ? error.message : ""}`);
    return null;
  }
}

function measureTheirs(library: OtherLibrary, bench: Bench): readonly [number, number] {
  const f = bench.theirs(library.numpy);
  const args = (): OtherArray[] => bench.shapes.map((shape) => library.numpy.zeros(shape));
  const trace = best(() => library.makeJaxpr(f)(...args()));
  const gradient = best(() => library.makeJaxpr(library.grad(f))(...args()));
  return [trace, gradient];
}

await useBackend("cpu");
const other = await otherLibrary();
console.log("                                         trace        grad     convert");
for (const bench of benches) {
  const args = bench.shapes.map(filled);
  const trace = best(() => makeJaxpr(bench.ours)(...args));
  const gradient = best(() => makeJaxpr(grad(bench.ours))(...args));
  const converted = best(() => convert(exportFunction(bench.ours)(...args)), 10);
  console.log(`${bench.name.padEnd(34)}${[trace, gradient, converted].map(milliseconds).join("")}`);
  if (other === null) continue;
  try {
    const theirs = measureTheirs(other, bench);
    const ratios = [trace, gradient].map((time, index) => time / (theirs[index] ?? NaN));
    console.log(`${"  @jax-js/jax".padEnd(34)}${theirs.map(milliseconds).join("")}`);
    console.log(
      `${"  ours / theirs".padEnd(34)}${ratios.map((ratio) => ratio.toFixed(2).padStart(12)).join("")}`,
    );
  } catch (error) {
    console.log(`  @jax-js/jax fails: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const x = filled([64]);
const y = filled([64]);
const count = 200;
const perCall = (run: () => unknown): number =>
  best(() => {
    tf.tidy(() => {
      for (let index = 0; index < count; index++) run();
      return [];
    });
  }, 10) / count;

const loss = (a: ArrayLike, b: ArrayLike): ArrayValue => lax.add(lax.mul(lax.sin(a), b), a);
const program = exportFunction(loss)(x, y);
const model = loadGraphModelSync(
  tf.io.fromMemorySync(modelArtifacts(convert(program, { backends: ["cpu"] }))),
);
const feeds = Object.fromEntries(model.inputs.map(({ name }, index) => [name, [x, y][index] ?? x]));
const converted = convert(loss);
const jitted = jit(loss);
const bare = perCall(() => model.execute(feeds));
console.log(`eager equation (lax.sin)          ${milliseconds(perCall(() => lax.sin(x)))}`);
console.log(`bare tf.sin                       ${milliseconds(perCall(() => tf.sin(x)))}`);
console.log(`cached call: convert(f)           ${milliseconds(perCall(() => converted(x, y)))}`);
console.log(`cached call: jit(f)               ${milliseconds(perCall(() => jitted(x, y)))}`);
console.log(`bare GraphModel.execute           ${milliseconds(bare)}`);
