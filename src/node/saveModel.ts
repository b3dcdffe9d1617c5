/**
 * Writes a converted model to a folder: model.json and weight shards. Everything goes to a
 * temporary folder beside the target first and is renamed at the end, so that a failure leaves
 * nothing half-written and an existing folder as it was.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Jax2TfjsError } from "../ir/errors.js";
import type { ConvertedModel } from "../convert.js";
import { weightBytes, weightsByteLength } from "../lower/modelJson.js";

export interface SaveModelOptions {
  /** Replace an existing folder. Default: false. */
  readonly force?: boolean;
  /** Bytes per weight file. Default: 4 MiB, which browsers cache well. */
  readonly shardBytes?: number;
  /** Called as bytes of weights are written. */
  readonly onProgress?: (writtenBytes: number, totalBytes: number) => void;
}

export interface SavedModel {
  readonly directory: string;
  readonly files: readonly string[];
  readonly weightBytes: number;
}

const defaultShardBytes = 4 * 1024 * 1024;

/**
 * Saves a model to `directory` (model.json, group1-shard1of1.bin, …).
 *
 * @throws Jax2TfjsError `output-exists` if the folder exists and `force` is not set,
 * `write-failed` if it cannot be written (permissions, full disk); nothing is left behind then.
 */
export function saveModelToFolder(
  model: ConvertedModel,
  directory: string,
  options: SaveModelOptions = {},
): SavedModel {
  const target = resolve(directory);
  requireFree(target, options.force ?? false);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${Date.now()}.tmp`);
  const made: string[] = [];
  try {
    makeFolder(temporary, made);
    const saved = writeFiles(model, temporary, options);
    moveInPlace(temporary, target);
    return { ...saved, directory: target };
  } catch (error) {
    removeFolders(made);
    if (error instanceof Jax2TfjsError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Jax2TfjsError("write-failed", `cannot write ${directory}: ${reason}`, {
      fix: "choose a folder that can be written, on a disk with enough free space",
      cause: error,
    });
  }
}

function requireFree(target: string, force: boolean): void {
  if (!existsSync(target)) return;
  const isFolder = statSync(target).isDirectory();
  if (force && isFolder) return;
  const fix = "choose another folder, or replace it with --force";
  throw isFolder
    ? new Jax2TfjsError("output-exists", `${target} exists already`, { fix })
    : new Jax2TfjsError("output-exists", `${target} exists and is no folder`, {
        fix: "choose another folder",
      });
}

/**
 * Makes a folder and those above it that are missing, noting each. Not with `recursive`, which never
 * returns below /proc.
 */
function makeFolder(path: string, made: string[]): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolder(parent, made);
  mkdirSync(path);
  made.push(path);
}

/** Removes what a failed attempt made, the innermost folder with its content. */
function removeFolders(made: readonly string[]): void {
  for (const [index, path] of made.toReversed().entries()) {
    try {
      if (index === 0) rmSync(path, { recursive: true, force: true });
      else rmdirSync(path);
    } catch {
      // The first error is the one to report.
    }
  }
}

/** Puts the finished folder in its place; a folder that stood there is removed last. */
function moveInPlace(temporary: string, target: string): void {
  if (!existsSync(target)) {
    renameSync(temporary, target);
    return;
  }
  const replaced = `${temporary}.replaced`;
  renameSync(target, replaced);
  try {
    renameSync(temporary, target);
  } catch (error) {
    renameSync(replaced, target);
    throw error;
  }
  rmSync(replaced, { recursive: true, force: true });
}

function writeFiles(
  model: ConvertedModel,
  folder: string,
  { shardBytes = defaultShardBytes, onProgress }: SaveModelOptions,
): Omit<SavedModel, "directory"> {
  const total = weightsByteLength(model.graph);
  const count = Math.ceil(total / shardBytes);
  const paths = Array.from(
    { length: count },
    (_, index) => `group1-shard${index + 1}of${count}.bin`,
  );
  const writer = new ShardWriter(folder, paths, shardBytes);
  try {
    for (const weight of model.graph.weights) {
      writer.write(weightBytes(weight));
      onProgress?.(writer.written, total);
    }
  } finally {
    writer.close();
  }
  if (writer.written !== total) {
    throw new Error(`internal error: wrote ${writer.written} bytes of weights, not ${total}`);
  }
  writeAll(
    join(folder, "model.json"),
    new TextEncoder().encode(JSON.stringify(model.modelJson(paths))),
  );
  return { files: ["model.json", ...paths], weightBytes: total };
}

/** write(2) may take less than asked for. */
function writeFully(file: number, bytes: Uint8Array): void {
  let offset = 0;
  while (offset < bytes.length) offset += writeSync(file, bytes, offset);
}

function writeAll(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "w");
  try {
    writeFully(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** Cuts a stream of bytes into files of equal size. */
class ShardWriter {
  written = 0;
  #file: number | null = null;

  constructor(
    readonly folder: string,
    readonly paths: readonly string[],
    readonly shardBytes: number,
  ) {}

  write(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const used = this.written % this.shardBytes;
      if (used === 0) this.#next();
      const piece = bytes.subarray(offset, offset + this.shardBytes - used);
      if (this.#file === null) throw new Error("internal error: no open shard");
      writeFully(this.#file, piece);
      offset += piece.length;
      this.written += piece.length;
    }
  }

  #next(): void {
    this.close();
    const path = this.paths[Math.floor(this.written / this.shardBytes)];
    if (path === undefined) throw new Error("internal error: more weights than announced");
    this.#file = openSync(join(this.folder, path), "w");
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}
