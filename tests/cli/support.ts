// Files and folders for the tests of the command line: models of the oracle, and damaged variants.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fields } from "../../src/import/exportedSchema.js";
import { oracleRoot } from "../support/oracle.js";
import { runCli, type CliOptions, type CliResult } from "../support/cli.js";

export interface ModelFolder {
  readonly artifact: string;
  readonly params: string;
  readonly reference: string;
}

/** The files of a model of the corpus: `public/models/mlp`. */
export function modelFolder(path: string): ModelFolder {
  const folder = join(oracleRoot(), path);
  return {
    artifact: join(folder, "model.jaxexport"),
    params: join(folder, "params.safetensors"),
    reference: join(folder, "ref.npz"),
  };
}

export const mlp = (): ModelFolder => modelFolder("public/models/mlp");

export const readBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

/** Everything in a folder, sorted, hidden files included. */
export const listing = (folder: string): string[] => readdirSync(folder).sort();

/** Writes a file into a folder. Returns its path. */
export function writeInto(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Runs a command with `--json` and parses what it prints. */
export async function runJson(
  args: readonly string[],
  options?: CliOptions,
): Promise<CliResult & { readonly json: unknown }> {
  const result = await runCli([...args, "--json"], options);
  return { ...result, json: JSON.parse(result.stdout) };
}

/** The same bytes with every occurrence of one text replaced by another of the same length. */
export function withText(bytes: Uint8Array, from: string, to: string): Uint8Array {
  if (from.length !== to.length) throw new Error("the texts must be equally long");
  const text = Buffer.from(bytes).toString("latin1");
  if (!text.includes(from)) throw new Error(`there is no ${from} in the file`);
  return new Uint8Array(Buffer.from(text.replaceAll(from, to), "latin1"));
}

/** An artifact that says it has another calling convention. */
export function withCallingConvention(bytes: Uint8Array, version: number): Uint8Array {
  const changed = bytes.slice();
  const view = new DataView(changed.buffer);
  const root = view.getUint32(0, true);
  const slots = root - view.getInt32(root, true) + 4;
  const offset = view.getUint16(slots + 2 * fields.exported.callingConventionVersion, true);
  if (offset === 0) throw new Error("the artifact does not state its calling convention");
  view.setUint16(root + offset, version, true);
  return changed;
}

/** Pseudo-random bytes, the same for the same seed. */
export function randomBytes(length: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** A file in the safetensors format: the header, and as many bytes of data. */
export function safetensors(header: unknown, dataBytes: number, headerBytes?: number): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes ?? text.length), true);
  file.set(text, 8);
  return file;
}
