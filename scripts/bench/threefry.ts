/**
 * Compares ways to compute threefry2x32 in a graph: nodes, and time per call after warming up.
 * Run with `npx tsx scripts/bench/threefry.ts [backend ...]`; docs/BENCHMARKS.md quotes the result.
 *
 * - planes: what jax2tfjs emits (float32 sums and sign planes, exact on every backend)
 * - bytes: int32 words, exclusive or by a table of bytes (exact on cpu, wasm and tensorflow only)
 * - equations: the hash as jaxpr equations of adds, shifts and exclusive ors
 */
import * as tfjs from "@tensorflow/tfjs-core";
import { shapedArray } from "../../src/ir/aval.js";
import { JaxprBuilder } from "../../src/ir/builder.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import type { ClosedJaxpr, Var } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { definePrimitive, none, type Primitive } from "../../src/ir/primitive.js";
import type { NoParams } from "../../src/ir/params.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { createOps } from "../../src/lax/ops.js";
import { GraphRunner } from "../../src/lower/execute.js";
import { lowerProgram } from "../../src/lower/lowerProgram.js";
import { nodeBackends, useBackend, type NodeBackend } from "../../src/node/backends.js";
import { threefry2x32 } from "../../primitives/random.js";
import { threefryWords } from "../../primitives/threefry.js";

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
const parity = 0x1bd11bda;

/** The hash over any words with additions, rotations and exclusive ors. */
function hash<Word>(
  ops: {
    readonly add: (x: Word, y: Word) => Word;
    readonly rotateXor: (x: Word, y: Word, count: number) => Word;
    readonly xor: (x: Word, y: Word) => Word;
    readonly word: (value: number) => Word;
  },
  key: readonly [Word, Word],
  words: readonly [Word, Word],
): readonly [Word, Word] {
  const keys = [...key, ops.xor(ops.xor(key[0], key[1]), ops.word(parity))];
  const keyWord = (index: number): Word => keys[index % 3] ?? key[0];
  let [a, b] = [ops.add(words[0], key[0]), ops.add(words[1], key[1])];
  for (let group = 0; group < 5; group++) {
    for (const count of rotations[group % 2] ?? []) {
      a = ops.add(a, b);
      b = ops.rotateXor(a, b, count);
    }
    a = ops.add(a, keyWord(group + 1));
    b = ops.add(ops.add(b, keyWord(group + 2)), ops.word(group + 1));
  }
  return [a, b];
}

/** As equations. */
function byEquations(o: Ops, args: readonly Value[]): readonly Value[] {
  const word = (value: number): Value => o.literal(value, "uint32");
  const [k0, k1, x0, x1] = args;
  if (!k0 || !k1 || !x0 || !x1) throw new Error("four arguments");
  return hash(
    {
      add: o.add,
      xor: o.xor,
      word,
      rotateXor: (x, y, count) => {
        const left = o.shiftLeft(y, word(count));
        return o.xor(x, o.or(left, o.shiftRightLogical(y, word(32 - count))));
      },
    },
    [k0, k1],
    [x0, x1],
  );
}

const table = fromNumbers(
  "int32",
  [65536],
  Int32Array.from({ length: 65536 }, (_, index) => (index >> 8) ^ (index & 255)),
);

/** Bytes of words as [4, n]: exact also where int32 division goes through float32. */
function bytes(tf: Tf, x: Tensor): Tensor {
  const column = (values: readonly number[]): Tensor => tf.constant(values, "int32", [4, 1]);
  const top = tf.binary("Mul", x, column([2 ** 24, 2 ** 16, 2 ** 8, 1]));
  const rest = tf.binary("FloorMod", top, tf.scalar(2 ** 24, "int32"));
  const byte = tf.binary("FloorDiv", tf.binary("Sub", top, rest), tf.scalar(2 ** 24, "int32"));
  return tf.binary("FloorMod", byte, tf.scalar(256, "int32"));
}

function xorByTable(tf: Tf, x: Tensor, y: Tensor): Tensor {
  const place = tf.binary("Mul", bytes(tf, x), tf.scalar(256, "int32"));
  const found = tf.gather(tf.array(table), tf.binary("AddV2", place, bytes(tf, y)), 0);
  const factors = tf.constant([1, 256, 65536, 2 ** 24], "int32", [4, 1]);
  return tf.reduce("Sum", tf.binary("Mul", found, factors), [0]);
}

function rotate(tf: Tf, x: Tensor, count: number): Tensor {
  // Quotients of more than 24 bits are not exact on wasm, 2^31 is no int32.
  if (count > 16) return rotate(tf, rotate(tf, x, 16), count - 16);
  if (count === 1) return rotate(tf, rotate(tf, rotate(tf, x, 16), 15), 2);
  const right = 32 - count;
  const low = tf.binary("FloorMod", x, tf.scalar(2 ** right, "int32"));
  const quotient = tf.binary("FloorDiv", tf.binary("Sub", x, low), tf.scalar(2 ** right, "int32"));
  const high = tf.binary("FloorMod", quotient, tf.scalar(2 ** count, "int32"));
  return tf.binary("AddV2", tf.binary("Mul", low, tf.scalar(2 ** count, "int32")), high);
}

const byTable: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "threefry2x32",
  abstractEval: threefry2x32.abstractEval,
  jvp: none("for timing"),
  transpose: none("for timing"),
  batch: none("for timing"),
  tfjs: (tf, inputs, _params, outs) => {
    const [k0, k1, x0, x1] = inputs.map((input) =>
      tf.reshape(
        tf.tensor(input),
        [-1].slice(1).concat(input.aval.shape.length === 0 ? [1] : (input.aval.shape as number[])),
      ),
    );
    if (!k0 || !k1 || !x0 || !x1) throw new Error("four arguments");
    const results = hash<Tensor>(
      {
        add: (x, y) => tf.binary("AddV2", x, y),
        xor: (x, y) => xorByTable(tf, x, y),
        word: (value) => tf.constant([value | 0], "int32", [1]),
        rotateXor: (x, y, count) => xorByTable(tf, x, rotate(tf, y, count)),
      },
      [k0, k1],
      [x0, x1],
    );
    return results.map((result, index) =>
      tf.value(result, outs[index] ?? { shape: [], dtype: "uint32", weakType: false }),
    );
  },
});

const variants: Readonly<Record<string, (o: Ops, args: readonly Value[]) => readonly Value[]>> = {
  planes: (o, args) => o.bind(threefry2x32, args, {}),
  bytes: (o, args) => o.bind(byTable, args, {}),
  equations: byEquations,
};

function programOf(variant: string, count: number): ClosedJaxpr {
  const builder = new JaxprBuilder();
  const word = shapedArray("uint32", []);
  const words = shapedArray("uint32", [count]);
  const inputs: readonly Var[] = [word, word, words, words].map((aval) => builder.input(aval));
  const o = createOps({
    bind: (primitive, values, params) => builder.bind(primitive, values, params),
    constant: (value) => builder.constant(value),
  });
  return builder.build(variants[variant]?.(o, inputs) ?? []);
}

async function measure(variant: string, count: number, backend: NodeBackend): Promise<string> {
  const graph = lowerProgram({
    program: programOf(variant, count),
    inputs: ["k0", "k1", "x0", "x1"].map((key) => ({ key, weight: null })),
    outputs: ["y0", "y1"],
    backends: new Set([backend]),
    complexBorders: "pair",
  });
  const runner = new GraphRunner(graph);
  const counts = Int32Array.from({ length: count }, (_, index) => Math.imul(index, 0x9e3779b1));
  const inputs = [
    tfjs.scalar(12345, "int32"),
    tfjs.scalar(-6789, "int32"),
    tfjs.tensor(counts, [count], "int32"),
    tfjs.tensor(counts, [count], "int32"),
  ];
  let best = Infinity;
  for (let run = 0; run < (count > 1000 ? 6 : 40); run++) {
    const start = process.cpuUsage();
    const outputs = await runner.run(inputs);
    const last = (await outputs[1]?.data())?.at(-1) ?? 0;
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
    const expected = threefryWords(12345, -6789, counts.at(-1) ?? 0, counts.at(-1) ?? 0)[1];
    if (last >>> 0 !== expected) throw new Error(`${variant} is wrong: ${last >>> 0}`);
    tfjs.dispose([...outputs]);
  }
  runner.dispose();
  return [backend, variant, count, graph.nodes.length, best.toFixed(2)].join("\t");
}

const wanted = process.argv.slice(2);
console.log(["backend", "variant", "elements", "nodes", "ms"].join("\t"));
for (const backend of nodeBackends.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  await useBackend(backend);
  for (const variant of Object.keys(variants)) {
    for (const count of [1, 100, 1000, 10000]) {
      console.log(await measure(variant, count, backend));
    }
  }
}
