// Keys as arguments and results of converted, saved and imported functions.
import { beforeAll, expect, test } from "vitest";
import { vjp } from "../../src/api/index.js";
import { convertFunction } from "../../src/run/convertFunction.js";
import { convert } from "../../src/convert.js";
import { exportFunction, programFunction } from "../../src/exportFunction.js";
import { printJaxpr } from "../../src/ir/print.js";
import type { EquationEvent } from "../../src/lower/eager.js";
import * as lax from "../../src/lax/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import { loadConverted } from "../../src/run/graphProgram.js";
import { loadEager } from "../../src/run/eagerProgram.js";
import "../../src/run/install.js";
import { fromNumbers, toNumbers } from "../../src/ir/hostArray.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { useBackend } from "../support/backends.js";

type A = ArrayValue;

beforeAll(async () => {
  await useBackend("cpu");
});

const numbers = (array: ArrayLike): readonly number[] => Array.from((array as A).dataSync());
const words = (keys: ArrayLike): readonly number[] =>
  Array.from(random.keyData(keys).dataSync(), (value) => value >>> 0);

/** Noise, and the key for the next step. */
function step(key: A, x: A): readonly [A, A] {
  const [next, own] = random.splitKeys(key);
  if (next === undefined || own === undefined) throw new Error("two keys");
  return [next, np.add(x, random.normal(own, [3]))];
}

test("a converted function takes and gives keys", () => {
  const [key, x] = [random.key(3), np.zeros([3])];
  const [wantedKey, wanted] = step(key, x);
  const run = convertFunction(step);
  const [next, noisy] = run(key, x) as unknown as readonly [A, A];
  expect(lax.dtype(next)).toBe("key<fry>");
  expect(lax.shape(next)).toEqual([]);
  expect(words(next)).toEqual(words(wantedKey));
  expect(numbers(noisy)).toEqual(numbers(wanted));
  // Its result is a key for the next call.
  const [, again] = run(next, noisy) as unknown as readonly [A, A];
  expect(numbers(again)).toEqual(numbers(step(wantedKey, wanted)[1]));
});

test("equation by equation, too", () => {
  const seen: string[] = [];
  const onEquation = ({ equation }: EquationEvent): void => {
    seen.push(equation.primitive.name);
  };
  const run = convertFunction(step, { eager: true, onEquation });
  const [next] = run(random.key(3), np.zeros([3])) as unknown as readonly [A, A];
  expect(words(next)).toEqual(words(step(random.key(3), np.zeros([3]))[0]));
  expect(seen).toContain("threefry2x32");
});

test("raw keys give raw keys", () => {
  const run = convertFunction(step);
  const [next] = run(random.PRNGKey(3), np.zeros([3])) as unknown as readonly [A, A];
  expect(lax.dtype(next)).toBe("uint32");
  expect(words(next)).toEqual(words(step(random.key(3), np.zeros([3]))[0]));
});

test("a program carries keys as words and says so", async () => {
  const program = exportFunction(step)(random.key(3), np.zeros([3]));
  expect(program.inputs.map(({ dtype }) => dtype)).toEqual(["key<fry>", "float32"]);
  expect(program.inputs[0]?.aval).toEqual({ dtype: "uint32", shape: [2], weakType: false });
  expect(program.outputs.map(({ dtype }) => dtype)).toEqual(["key<fry>", "float32"]);
  expect(printJaxpr(program.jaxpr)).not.toContain("key<");
  const [wantedKey, wanted] = step(random.key(3), np.zeros([3]));
  const inputs = [
    fromNumbers("uint32", [2], words(random.key(3))),
    fromNumbers("float32", [3], [0, 0, 0]),
  ];
  const saved = loadConverted(convert(program, { backends: ["cpu"] }));
  for (const loaded of [saved, loadEager(program, { backend: "cpu" })]) {
    const [next, noisy] = await loaded.run(inputs);
    if (next === undefined || noisy === undefined) throw new Error("two results");
    expect(Array.from(toNumbers(next))).toEqual(words(wantedKey));
    expect(Array.from(toNumbers(noisy))).toEqual(numbers(wanted));
  }
});

test("an imported program takes typed keys as arguments of a call", () => {
  const program = exportFunction(step)(random.key(3), np.zeros([3]));
  const call = programFunction(program);
  const [key, x] = [random.key(8), np.ones([3])];
  const [next, noisy] = call(key, x) as readonly [A, A];
  expect(lax.dtype(next)).toBe("key<fry>");
  expect(words(next)).toEqual(words(step(key, x)[0]));
  expect(numbers(noisy)).toEqual(numbers(step(key, x)[1]));
  const [same] = call(random.keyData(key), x) as readonly [A, A];
  expect(words(same)).toEqual(words(next));
});

test("keys that a program captures are constants", () => {
  const keys = random.split(random.key(1), 3);
  const program = exportFunction((i: A) => random.uniform(np.index(keys, i), [2]))(np.int32(1));
  const result = programFunction(program)(np.int32(2)) as A;
  expect(numbers(result)).toEqual(numbers(random.uniform(np.index(keys, 2), [2])));
});

test("derivatives leave keys alone, and keys of zeros are made as in JAX", () => {
  const key = random.key(3);
  const f = (k: A, x: A): A => np.sum(np.multiply(x, random.normal(k, [2])));
  const [ofKey, ofX] = vjp(f, key, np.ones([2]))[1](np.float32(1)) as unknown as readonly [A, A];
  expect([lax.dtype(ofKey), lax.shape(ofKey)]).toEqual(["float0", []]);
  expect(numbers(ofX)).toEqual(numbers(random.normal(key, [2])));
  expect(words(np.zerosLike(key))).toEqual([0, 0]);
  expect(words(np.zerosLike(random.split(key, 2)))).toEqual([0, 0, 0, 0]);
});

test("sizes may be symbolic", () => {
  const draw = (key: A, x: A): A =>
    np.add(random.uniform(key, np.shape(x)), random.normal(random.foldIn(key, 1), np.shape(x)));
  const run = convertFunction(draw, { polymorphicShapes: [null, "b, ..."] });
  const key = random.key(4);
  for (const size of [2, 5]) {
    const x = np.zeros([size, 2]);
    expect(numbers(run(key, x) as unknown as A)).toEqual(numbers(draw(key, x)));
  }
});
