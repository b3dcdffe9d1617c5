/** What JAX drew and printed for the cases of this folder: scripts/data/record_random.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import { repositoryRoot } from "../support/paths.js";
import type { Drawn } from "./results.js";

interface Recorded {
  readonly cases: Readonly<Record<string, readonly Drawn[]>>;
  readonly jaxprs: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
}

export const recorded = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/random.json.gz"))).toString(),
) as Recorded;

const parse = (value: number | string): number => Number(String(value).replace(/inf$/, "Infinity"));

const typeOf = ({ dtype, shape }: Drawn): string => `${dtype}[${shape.join(",")}]`;

export interface Tolerance {
  readonly floats: number;
  /** Of int32 numbers, relative: those above 2^24 are rounded on GPUs. */
  readonly integers: number;
}

function toleranceOf(dtype: string, { floats, integers }: Tolerance): number {
  if (dtype === "int32") return integers;
  return /float|complex/.test(dtype) ? floats : 0;
}

/** Compares results with what JAX gave: types, shapes, words exactly, floats nearly. */
export function expectDrawn(
  name: string,
  found: readonly Drawn[],
  tolerance: Tolerance = { floats: 2e-5, integers: 0 },
): void {
  const wanted = recorded.cases[name] ?? [];
  expect(found.map(typeOf)).toEqual(wanted.map(typeOf));
  wanted.forEach(({ dtype, data }, index) => {
    const values = found[index]?.data ?? [];
    expect(values.length, `${name} ${index}`).toBe(data.length);
    const allowed = toleranceOf(dtype, tolerance);
    data.forEach((number, place) => {
      const [value, expected] = [parse(values[place] ?? NaN), parse(number)];
      const isNear = Math.abs(value - expected) <= allowed * Math.max(1, Math.abs(expected));
      expect(
        Object.is(value, expected) || isNear,
        `${name}, result ${index}, element ${place}: ${value}, JAX ${expected}`,
      ).toBe(true);
    });
  });
}
