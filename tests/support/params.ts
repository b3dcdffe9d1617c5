// Parameter files written by NumPy, safetensors and Flax (tests/data/params, made by
// scripts/data/make_params.py), with what they hold.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DType } from "../../src/ir/dtypes.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { repositoryRoot } from "./paths.js";

const folder = join(repositoryRoot, "tests/data/params");

export interface RecordedArray {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The elements, little-endian C order. */
  readonly hex: string;
}

/** What a file holds, or the code of the error that it must give. */
export type RecordedFile =
  | { readonly arrays: readonly RecordedArray[]; readonly ignored?: readonly string[] }
  | { readonly error: string };

export interface RecordedTree {
  readonly files: readonly string[];
  readonly leaves: readonly {
    readonly path: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
  }[];
}

export const paramsPath = (file: string): string => join(folder, file);

export const readParamsFile = (file: string): Uint8Array =>
  new Uint8Array(readFileSync(paramsPath(file)));

const readJson = (file: string): unknown => JSON.parse(readFileSync(paramsPath(file), "utf8"));

export const recordedFiles = Object.entries(
  readJson("arrays.json") as Readonly<Record<string, RecordedFile>>,
);

export const recordedTrees = Object.entries(
  readJson("trees.json") as Readonly<Record<string, RecordedTree>>,
);

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** The code of the error that an action throws; other errors pass, none gives "none". */
export function errorCodeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "none";
}
