/**
 * Finds and reads the cases of a corpus in the oracle's format (scripts/oracle/README.md): lists of
 * cases (`cases.json`) of primitives and shape-polymorphic programs, and models (`meta.json`).
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isDType } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { hostArray, type HostArray } from "../../ir/hostArray.js";
import { messageOf } from "../terminal.js";

/** An array in an npz file. */
export interface ArrayDescription {
  readonly key: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface Tolerances {
  readonly rtol: number;
  readonly atol: number;
}

/** One program of a group of primitives. */
export interface PrimitiveCase extends Tolerances {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly npz: string;
  readonly inputs: readonly ArrayDescription[];
  readonly outputs: readonly ArrayDescription[];
  readonly check?: "close" | "reconstruct" | "shape";
  readonly note?: string;
  /** Whether derivatives and a batch were recorded. */
  readonly jvp?: boolean;
  readonly vjp?: boolean;
  readonly vmap?: boolean;
  readonly tangents?: readonly ArrayDescription[];
  readonly jvp_outputs?: readonly ArrayDescription[];
  readonly cotangents?: readonly ArrayDescription[];
  readonly vjp_outputs?: readonly ArrayDescription[];
  readonly deriv_rtol?: number;
  readonly deriv_atol?: number;
  readonly batch_inputs?: readonly ArrayDescription[];
  readonly batch_outputs?: readonly ArrayDescription[];
}

/** The transformations whose results the corpus holds. */
export const transforms = ["jvp", "vjp", "vmap"] as const;
export type Transform = (typeof transforms)[number];

/** One program with symbolic shapes. */
export interface ShapePolyCase extends Tolerances {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly npz: string;
  readonly runs: readonly {
    readonly dims: Readonly<Record<string, number>>;
    readonly inputs: readonly ArrayDescription[];
    readonly outputs: readonly ArrayDescription[];
  }[];
  readonly errors: readonly {
    readonly inputs: readonly Omit<ArrayDescription, "key">[];
    readonly message: string;
    readonly assertion?: string | null;
  }[];
}

/** A model, whose files lie beside its meta.json. */
export interface ModelCase extends Tolerances {
  readonly name: string;
  readonly args: readonly (
    | { readonly kind: "param"; readonly key: string }
    | { readonly kind: "input"; readonly index: number }
  )[];
  readonly ref: readonly {
    readonly batch: number;
    readonly inputs: readonly ArrayDescription[];
    readonly outputs: readonly ArrayDescription[];
  }[];
}

export type Case =
  | { readonly kind: "primitive"; readonly folder: string; readonly data: PrimitiveCase }
  | { readonly kind: "shape-poly"; readonly folder: string; readonly data: ShapePolyCase }
  | { readonly kind: "model"; readonly folder: string; readonly data: ModelCase };

/** A case with its identity in reports. */
export interface NamedCase {
  readonly group: string;
  readonly id: string;
  readonly name: string;
  readonly case: Case;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Jax2TfjsError("corpus-corrupt", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * All cases below the folders, in the order of their paths.
 *
 * @throws Jax2TfjsError `file-open` for a folder that is not there or holds no cases,
 * `corpus-corrupt`
 */
export function findCases(folders: readonly string[]): readonly NamedCase[] {
  return folders.flatMap((folder) => {
    const root = resolve(folder);
    if (!existsSync(root) || !statSync(root).isDirectory()) {
      throw new Jax2TfjsError("file-open", `${folder} is no folder`);
    }
    const found = casesBelow(root);
    if (found.length > 0) return found;
    throw new Jax2TfjsError("file-open", `there are no cases below ${folder}`, {
      fix: "give a folder with cases.json or meta.json files in the format of the oracle",
    });
  });
}

function casesBelow(folder: string): readonly NamedCase[] {
  const own = [...listedCases(folder), ...modelCase(folder)];
  const inner = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return [...own, ...inner.flatMap((name) => casesBelow(join(folder, name)))];
}

function listedCases(folder: string): readonly NamedCase[] {
  const path = join(folder, "cases.json");
  if (!existsSync(path)) return [];
  const list = readJson(path);
  if (!Array.isArray(list)) {
    throw new Jax2TfjsError("corpus-corrupt", `${path} holds no list of cases`);
  }
  const group = basename(folder);
  return (list as readonly (PrimitiveCase | ShapePolyCase)[]).map((data): NamedCase => {
    const { id, name } = data;
    if ("runs" in data) return { group, id, name, case: { kind: "shape-poly", folder, data } };
    return { group, id, name, case: { kind: "primitive", folder, data } };
  });
}

function modelCase(folder: string): readonly NamedCase[] {
  const path = join(folder, "meta.json");
  if (!existsSync(path) || !existsSync(join(folder, "model.jaxexport"))) return [];
  const data = readJson(path) as ModelCase;
  const id = basename(folder);
  return [{ group: modelGroup(folder), id, name: id, case: { kind: "model", folder, data } }];
}

/** `models`, `wild`, `versions/0.6.2`. */
function modelGroup(folder: string): string {
  const parent = dirname(folder);
  const above = basename(dirname(parent));
  return above === "versions" ? `versions/${basename(parent)}` : basename(parent);
}

/** An array of an npz file as its description says: NumPy holds bfloat16 as its bits. */
export function describedArray(
  arrays: ReadonlyMap<string, HostArray>,
  { key, dtype, shape }: ArrayDescription,
): HostArray {
  const array = arrays.get(key);
  if (array === undefined || !isDType(dtype)) {
    throw new Jax2TfjsError("corpus-corrupt", `there is no array ${key} of type ${dtype}`);
  }
  return hostArray(dtype, shape, array.bytes);
}
