/**
 * Parameter files on disk, for Node alone: only headers are read when a file is opened, arrays when
 * they are asked for. Called by the command line and by Node programs.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { Jax2TfjsError } from "../../ir/errors.js";
import { type ByteSource, requireRange } from "../../files/byteSource.js";
import type { ParameterFile } from "./parameterFile.js";
import { readParameterSource } from "./readParameters.js";

/** The most that one system call may read. */
const mostBytesPerRead = 2 ** 30;

/**
 * Opens a parameter file: safetensors, npz, npy or Flax msgpack, told apart by content. Close it
 * when its leaves have been read.
 *
 * @throws Jax2TfjsError `file-open` if there is no such file, else as `readParameters`.
 */
export function openParameterFile(path: string): ParameterFile {
  const { descriptor, byteLength } = open(path);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  const source: ByteSource = {
    byteLength,
    name: basename(path),
    read(offset, length) {
      requireRange(this, offset, length);
      if (!isOpen) throw new Jax2TfjsError("file-open", `${this.name} is closed already`);
      return readFully(descriptor, this, offset, length);
    },
  };
  try {
    return { ...readParameterSource(source), close };
  } catch (error) {
    close();
    throw error;
  }
}

function open(path: string): { readonly descriptor: number; readonly byteLength: number } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const status = fstatSync(descriptor);
    if (status.isFile()) return { descriptor, byteLength: status.size };
  } catch (cause) {
    if (descriptor !== undefined) closeSync(descriptor);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Jax2TfjsError("file-open", `${path} cannot be opened (${reason})`, { cause });
  }
  closeSync(descriptor);
  throw new Jax2TfjsError("file-open", `${path} is no file`, {
    fix:
      "give a single file; an Orbax checkpoint (a folder) must be restored in Python and saved " +
      "with safetensors.numpy.save_file or flax.serialization.to_bytes",
  });
}

function readFully(
  descriptor: number,
  source: ByteSource,
  offset: number,
  length: number,
): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const wanted = Math.min(length - filled, mostBytesPerRead);
    const got = readSync(descriptor, bytes, filled, wanted, offset + filled);
    if (got === 0) {
      throw new Jax2TfjsError("file-truncated", `${source.name} became shorter while it was read`);
    }
    filled += got;
  }
  return bytes;
}
