// Inputs and results of the cases that scripts/data/record_lax.py recorded from JAX.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import * as lax from "../../src/lax/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { leaves } from "../../src/tree/pytree.js";
import { repositoryRoot } from "../support/paths.js";

interface Recorded {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

const path = join(repositoryRoot, "tests/data/lax.json.gz");
const file = JSON.parse(gunzipSync(readFileSync(path)).toString()) as {
  readonly cases: Readonly<Record<string, readonly Recorded[]>>;
};

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The sines that the script takes as data. */
export function data(shape: readonly number[], seed = 0): ArrayValue {
  const values = Float32Array.from({ length: product(shape) }, (_, index) =>
    Math.sin(1.7 * (index + 1) + seed),
  );
  return lax.reshape(values, shape);
}

/** Integers between -2 and `modulus` - 3. */
export function ints(shape: readonly number[], modulus = 7): ArrayValue {
  const values = Int32Array.from(
    { length: product(shape) },
    (_, index) => ((index * 5) % modulus) - 2,
  );
  return lax.reshape(values, shape);
}

/** A float32 scalar whose type is not weak. */
export const f32 = (value: number): ArrayValue => lax.convertElementType(value, "float32");

/** Names of cases of a family: `unary/sin`. */
export function namesOf(family: string): readonly string[] {
  return Object.keys(file.cases).filter((name) => name.startsWith(`${family}/`));
}

/** Compares results (a pytree) with what JAX gave, in order. */
export function expectRecorded(name: string, results: unknown, tolerance = 2e-5): void {
  const wanted = file.cases[name] ?? [];
  const found = leaves(results) as readonly ArrayLike[];
  expect(found.map((leaf) => lax.shape(leaf))).toEqual(wanted.map(({ shape }) => shape));
  expect(found.map((leaf) => lax.dtype(leaf))).toEqual(wanted.map(({ dtype }) => dtype));
  wanted.forEach(({ data: numbers }, index) => {
    const values = Array.from((found[index] as ArrayValue).dataSync());
    numbers.forEach((number, place) => {
      const expected =
        typeof number === "string" ? Number(number.replace("inf", "Infinity")) : number;
      const value = values[place] ?? NaN;
      const isSame = Object.is(value, expected) || value === expected;
      const isNear = Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected));
      expect(
        isSame || isNear,
        `${name}, result ${index}, element ${place}: ${value}, JAX ${expected}`,
      ).toBe(true);
    });
  });
}
