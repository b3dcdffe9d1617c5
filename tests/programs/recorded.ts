/** What JAX computed and printed for the programs of this folder: tests/data/programs.json.gz. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { repositoryRoot } from "../support/paths.js";

/** One recorded array; `text` has the numbers where some are no JSON numbers. */
export interface RecordedArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | boolean | null)[];
  readonly text?: readonly string[];
}

interface Recorded {
  readonly jax: string;
  readonly programs: Readonly<Record<string, readonly RecordedArray[]>>;
  readonly jaxprs: Readonly<Record<string, string>>;
}

export const recorded = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/programs.json.gz"))).toString(),
) as Recorded;

/** The numbers of a recorded array. */
export function numbersOf({ values, text }: RecordedArray): readonly number[] {
  return values.map((value, index) => {
    if (value !== null) return Number(value);
    const written = text?.[index] ?? "nan";
    return written.includes("inf") ? (written.startsWith("-") ? -Infinity : Infinity) : NaN;
  });
}
