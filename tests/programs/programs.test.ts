/** Programs written as one writes them in JAX, against the numbers that JAX computes for them. */
import { describe, expect, test } from "vitest";
import "../../src/run/install.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { leaves } from "../../src/tree/index.js";
import { useBackend } from "../support/backends.js";
import * as autodidax from "./autodidax.js";
import * as customRules from "./customRules.js";
import * as functions from "./functions.js";
import { numbersOf, recorded, type RecordedArray } from "./recorded.js";
import * as simulations from "./simulations.js";

const programs: Readonly<Record<string, () => unknown>> = {
  ...autodidax,
  ...customRules,
  ...simulations,
  ...functions,
};

/** Relative to numbers above 1, absolute below; float32 has 1.2e-7. */
const tolerance = 2e-5;

/** wasm repeats what differs from cpu: control flow, custom rules, random bits, linear algebra. */
const onWasm = [
  "autodidaxVjp",
  "stableLog1pexp",
  "scanCumulative",
  "mlpTraining",
  "kalmanFilter",
  "gaussianProcess",
  "numpyIndexing",
  "randomNumbers",
];

function values(leaf: unknown): { readonly shape: readonly number[]; readonly data: number[] } {
  if (typeof leaf === "number") return { shape: [], data: [leaf] };
  const array = leaf as ArrayValue;
  return { shape: array.shape, data: Array.from(array.dataSync()) };
}

function check(leaf: unknown, wanted: RecordedArray, place: number): void {
  const { shape, data } = values(leaf);
  expect(shape, `shape of result ${place}`).toEqual(wanted.shape);
  numbersOf(wanted).forEach((number, index) => {
    const found = data[index] ?? NaN;
    if (Object.is(found, number) || found === number) return;
    const error = Math.abs(found - number) / (1 + Math.abs(number));
    expect(error, `result ${place}[${index}]: ${found}, JAX ${number}`).toBeLessThan(tolerance);
  });
}

function run(name: string): void {
  const program = programs[name];
  const wanted = recorded.programs[name];
  if (program === undefined || wanted === undefined) throw new Error(`no program ${name}`);
  const results = leaves(program());
  expect(results.length).toBe(wanted.length);
  wanted.forEach((array, place) => {
    check(results[place], array, place);
  });
}

test("every recorded program is written here", () => {
  expect(Object.keys(programs).sort()).toEqual(Object.keys(recorded.programs).sort());
});

describe("cpu", () => {
  test.each(Object.keys(recorded.programs))("%s", async (name) => {
    await useBackend("cpu");
    run(name);
  });
});

describe("wasm", () => {
  test.each(onWasm)("%s", async (name) => {
    await useBackend("wasm");
    run(name);
  });
});
