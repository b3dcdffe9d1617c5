/**
 * Files that commands read and write: artifacts, saved models, npz files, each with one clear error.
 * Called by the commands.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Jax2TfjsError } from "../ir/errors.js";
import { readNpz } from "../files/npz.js";
import type { HostArray } from "../ir/hostArray.js";
import { messageOf } from "./terminal.js";

/** What is at a path; undefined if there is nothing, or a file where a folder should be. */
function statusOf(path: string): Stats | undefined {
  return existsSync(path) ? statSync(path) : undefined;
}

/**
 * Reads a whole file; `-` is standard input.
 *
 * @throws Jax2TfjsError `file-open`
 */
export function readFile(path: string, what: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path === "-" ? 0 : path));
  } catch (cause) {
    throw new Jax2TfjsError("file-open", `${what} ${path} cannot be read (${messageOf(cause)})`, {
      cause,
    });
  }
}

/** The model.json of a path that is a saved model (a folder with one, or the file); else undefined. */
export function modelJsonOf(path: string): string | undefined {
  if (path === "-") return undefined;
  const inside = join(path, "model.json");
  const status = statusOf(path);
  if (status?.isDirectory() === true) {
    if (existsSync(inside)) return inside;
    throw new Jax2TfjsError("file-open", `the folder ${path} holds no model.json`, {
      fix: "give a folder that convert wrote, or an artifact",
    });
  }
  return path.endsWith(".json") && status !== undefined ? path : undefined;
}

/**
 * Reads an npz file.
 *
 * @throws Jax2TfjsError `file-open`, or as `readNpz` does
 */
export function readArrays(path: string, what: string): ReadonlyMap<string, HostArray> {
  return readNpz(readFile(path, what), basename(path));
}

/**
 * Writes a file: beside its place first, then renamed, so that a failure leaves nothing
 * half-written. Devices and pipes are written directly.
 *
 * @throws Jax2TfjsError `write-failed`
 */
export function writeFile(path: string, bytes: Uint8Array | string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const status = statusOf(path);
    if (status !== undefined && !status.isFile()) {
      writeFileSync(path, bytes);
      return;
    }
    writeDurably(temporary, bytes);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new Jax2TfjsError("write-failed", `cannot write ${path}: ${messageOf(cause)}`, {
      fix: "choose a place that can be written, on a disk with enough free space",
      cause,
    });
  }
}

/** Some disks say that they are full only when the bytes really go to them. */
function writeDurably(path: string, bytes: Uint8Array | string): void {
  const file = openSync(path, "wx");
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
