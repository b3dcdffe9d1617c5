/** What JAX drew and printed for the cases of this folder: scripts/data/record_random.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import * as lax from "../../src/lax/index.js";
import * as random from "../../src/random/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { leaves } from "../../src/tree/pytree.js";
import { repositoryRoot } from "../support/paths.js";

interface RecordedArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

interface Recorded {
  readonly cases: Readonly<Record<string, readonly RecordedArray[]>>;
  readonly jaxprs: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
}

export const recorded = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/random.json.gz"))).toString(),
) as Recorded;

/** The numbers of a result; keys are their words. */
function numbersOf(leaf: ArrayLike): readonly number[] {
  const dtype = lax.dtype(leaf);
  const array = dtype.startsWith("key<") ? random.keyData(leaf) : (leaf as ArrayValue);
  const isWords = dtype === "uint32" || dtype.startsWith("key<");
  return Array.from(array.dataSync(), (value) => (isWords ? value >>> 0 : value));
}

function parse(value: number | string): number {
  return typeof value === "string" ? Number(value.replace("inf", "Infinity")) : value;
}

/** Compares results (a pytree) with what JAX gave: types, shapes, words exactly, floats nearly. */
export function expectDrawn(name: string, results: unknown): void {
  const wanted = recorded.cases[name] ?? [];
  const found = leaves(results) as readonly ArrayLike[];
  const types = found.map((leaf) => `${lax.dtype(leaf)}[${lax.shape(leaf).join(",")}]`);
  expect(types).toEqual(wanted.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`));
  wanted.forEach(({ dtype, data }, index) => {
    const values = numbersOf(found[index] ?? 0);
    expect(values.length, `${name} ${index}`).toBe(data.length);
    const tolerance = /float|complex/.test(dtype) ? 2e-5 : 0;
    data.forEach((number, place) => {
      const [value, expected] = [values[place] ?? NaN, parse(number)];
      const isNear = Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected));
      expect(
        Object.is(value, expected) || isNear,
        `${name}, result ${index}, element ${place}: ${value}, JAX ${expected}`,
      ).toBe(true);
    });
  });
}
