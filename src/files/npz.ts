/**
 * NumPy's npz format: a zip archive of npy files. Headers are read at once, elements on demand, one
 * array at a time. Called by the reader of parameter files, the oracle's loader and the CLI.
 */
import { type HostArray, hostArray } from "../ir/hostArray.js";
import { ByteCursor, type ByteSource, memorySource } from "./byteSource.js";
import {
  isPlain,
  longestNpyHeader,
  type NpyHeader,
  plainBytes,
  readNpyHeader,
  writeNpy,
} from "./npy.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { readZipEntry, writeZip, zipEntries, type ZipEntry, zipEntryPieces } from "./zip.js";

/** One array of an npz file, not read yet. */
export interface NpzMember {
  /** The name without `.npy`. */
  readonly name: string;
  readonly header: NpyHeader;
  /** The elements, little-endian C order: a view of memory where possible. */
  read(): Uint8Array;
  /** The same in pieces of a few MiB; a piece is valid until the next is asked for. */
  pieces(): Iterable<Uint8Array>;
}

export interface NpzDirectory {
  readonly members: readonly NpzMember[];
  /** Names of files in the archive that are no arrays. */
  readonly others: readonly string[];
}

/** Finds the arrays of an npz file without reading their elements. */
export function openNpz(source: ByteSource): NpzDirectory {
  const members: NpzMember[] = [];
  const others: string[] = [];
  for (const entry of zipEntries(source)) {
    if (entry.name.endsWith(".npy")) members.push(openMember(source, entry));
    else others.push(entry.name);
  }
  return { members, others };
}

function openMember(source: ByteSource, entry: ZipEntry): NpzMember {
  const label = `"${entry.name}" in ${source.name}`;
  const cursor =
    entry.compression === "stored"
      ? new ByteCursor(source, entry.dataOffset, entry.dataOffset + entry.byteLength, 1024)
      : new ByteCursor(memorySource(firstBytes(source, entry), label));
  const begin = cursor.position;
  const header = readNpyHeader(cursor, label);
  const headerBytes = cursor.position - begin;
  if (headerBytes + header.byteLength !== entry.byteLength) {
    throw new Jax2TfjsError(
      "file-corrupt",
      `${label} has ${entry.byteLength - headerBytes} bytes of elements; its header says ` +
        `${header.dtype}[${header.shape.join(",")}], ${header.byteLength} bytes`,
    );
  }
  const read = (): Uint8Array =>
    plainBytes(header, readZipEntry(source, entry).subarray(headerBytes));
  return {
    name: entry.name.slice(0, -".npy".length),
    header,
    read,
    pieces: () => (isPlain(header) ? elementPieces(source, entry, headerBytes) : [read()]),
  };
}

/** Enough of an entry's uncompressed bytes to hold the longest header. */
function firstBytes(source: ByteSource, entry: ZipEntry): Uint8Array {
  const first = new Uint8Array(Math.min(entry.byteLength, longestNpyHeader + 12));
  let filled = 0;
  for (const piece of zipEntryPieces(source, entry)) {
    first.set(piece.subarray(0, first.byteLength - filled), filled);
    filled += Math.min(piece.byteLength, first.byteLength - filled);
    if (filled === first.byteLength) break;
  }
  return first;
}

function* elementPieces(
  source: ByteSource,
  entry: ZipEntry,
  headerBytes: number,
): Generator<Uint8Array> {
  let toSkip = headerBytes;
  for (const piece of zipEntryPieces(source, entry)) {
    const rest = piece.subarray(Math.min(toSkip, piece.byteLength));
    toSkip -= piece.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

/**
 * All arrays of an npz file by name, in the order of the archive.
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt` or `file-unsupported`.
 */
export function readNpz(bytes: Uint8Array, name = "the file"): ReadonlyMap<string, HostArray> {
  const { members } = openNpz(memorySource(bytes, name));
  return new Map(
    members.map((member) => {
      const { dtype, shape } = member.header;
      return [member.name, hostArray(dtype, shape, member.read())];
    }),
  );
}

/** The npz file of named arrays, as `numpy.savez_compressed` (or, stored, `numpy.savez`) writes it. */
export function writeNpz(
  arrays: Iterable<readonly [name: string, array: HostArray]>,
  options: { readonly compress?: boolean } = {},
): Uint8Array {
  const files = Array.from(arrays, ([name, array]) => [`${name}.npy`, writeNpy(array)] as const);
  return writeZip(files, options);
}
