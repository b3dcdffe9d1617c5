/**
 * Zip archives (PKWARE's APPNOTE 6.3): the directory, entries stored or deflated, zip64. Nothing in
 * the archive is trusted: sizes, offsets and checksums are all checked. Called by npz.ts and the
 * reader of parameter files.
 */
import { Inflate, zipSync, type Zippable } from "fflate";
import { Jax2TfjsError } from "../ir/errors.js";
import { ByteCursor, type ByteSource, pieceBytes, requireRange } from "./byteSource.js";
import { crc32 } from "./crc32.js";

/** One file of an archive, as its directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly compression: "stored" | "deflated";
  /** Where the (compressed) data lie. */
  readonly dataOffset: number;
  readonly compressedBytes: number;
  /** Size once uncompressed. */
  readonly byteLength: number;
  readonly crc32: number;
}

const localSignature = 0x04034b50;
const directorySignature = 0x02014b50;
const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const locator64Signature = 0x07064b50;
const endBytes = 22;
const locator64Bytes = 20;
const longestComment = 0xffff;
/** deflate cannot shrink further: a block of 258-byte copies takes two bits each. */
const largestDeflateRatio = 1032;

const corrupt = (source: ByteSource, what: string): Jax2TfjsError =>
  new Jax2TfjsError("file-corrupt", `${source.name} is a damaged zip archive: ${what}`, {
    fix: "write or download the file again",
  });

/** True if the bytes begin as a zip archive does (an empty one has only its end record). */
export function startsAsZip(bytes: Uint8Array): boolean {
  const [first, second, third, fourth] = bytes;
  if (first !== 0x50 || second !== 0x4b) return false;
  return (third === 3 && fourth === 4) || (third === 5 && fourth === 6);
}

/**
 * The entries of an archive, in the order of its directory, without folders.
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt`, or `file-unsupported` for encrypted or
 * split archives and other compressions.
 */
export function zipEntries(source: ByteSource): readonly ZipEntry[] {
  const { count, offset, byteLength } = findDirectory(source);
  requireRange(source, offset, byteLength);
  // Each record takes 46 bytes at least, so a huge count cannot pass.
  if (count * 46 > byteLength)
    throw corrupt(source, `its directory has no room for ${count} files`);
  const cursor = new ByteCursor(source, offset, offset + byteLength);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    const entry = readDirectoryRecord(source, cursor);
    if (names.has(entry.name)) throw corrupt(source, `two files are called "${entry.name}"`);
    names.add(entry.name);
    if (!entry.name.endsWith("/")) entries.push(entry);
  }
  refuseOverlaps(source, entries, offset);
  return entries;
}

interface Directory {
  readonly count: number;
  readonly offset: number;
  readonly byteLength: number;
}

/** The directory's place, from the record at the end of the archive. */
function findDirectory(source: ByteSource): Directory {
  const tailBytes = Math.min(source.byteLength, endBytes + longestComment);
  const tailOffset = source.byteLength - tailBytes;
  const tail = source.read(tailOffset, tailBytes);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  for (let at = tailBytes - endBytes; at >= 0; at--) {
    if (view.getUint32(at, true) !== endSignature) continue;
    if (at + endBytes + view.getUint16(at + 20, true) !== tailBytes) continue;
    const directory = {
      count: view.getUint16(at + 10, true),
      byteLength: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const large =
      directory.count === 0xffff ||
      directory.byteLength === 0xffffffff ||
      directory.offset === 0xffffffff;
    const directory64 = large ? findDirectory64(source, tailOffset + at) : undefined;
    if (directory64 !== undefined) return directory64;
    if (view.getUint16(at + 4, true) !== 0) {
      throw new Jax2TfjsError(
        "file-unsupported",
        `${source.name} is a part of a split zip archive`,
      );
    }
    return directory;
  }
  throw new Jax2TfjsError(
    "file-truncated",
    `${source.name} is a zip archive without its end: there is no directory`,
    { fix: "copy or download the file again: a part of it is missing" },
  );
}

/** The zip64 directory record, if the end record at `endOffset` has a locator before it. */
function findDirectory64(source: ByteSource, endOffset: number): Directory | undefined {
  if (endOffset < locator64Bytes) return undefined;
  const locator = new ByteCursor(source, endOffset - locator64Bytes, endOffset);
  if (uint32(locator) !== locator64Signature) return undefined;
  locator.skip(4);
  const record = new ByteCursor(source, uint64(source, locator));
  if (uint32(record) !== end64Signature) throw corrupt(source, "no zip64 directory record");
  record.skip(28);
  const count = uint64(source, record);
  const byteLength = uint64(source, record);
  return { count, byteLength, offset: uint64(source, record) };
}

const uint16 = (cursor: ByteCursor): number => cursor.number(2, (view) => view.getUint16(0, true));
const uint32 = (cursor: ByteCursor): number => cursor.number(4, (view) => view.getUint32(0, true));

function uint64(source: ByteSource, cursor: ByteCursor): number {
  const value = cursor.number(8, (view) => Number(view.getBigUint64(0, true)));
  if (!Number.isSafeInteger(value)) throw corrupt(source, "a size above 2^53");
  return value;
}

function readDirectoryRecord(source: ByteSource, cursor: ByteCursor): ZipEntry {
  if (uint32(cursor) !== directorySignature) throw corrupt(source, "a bad directory record");
  cursor.skip(4);
  const flags = uint16(cursor);
  const method = uint16(cursor);
  cursor.skip(4);
  const checksum = uint32(cursor);
  const sizes = { compressed: uint32(cursor), plain: uint32(cursor) };
  const nameBytes = uint16(cursor);
  const extraBytes = uint16(cursor);
  const commentBytes = uint16(cursor);
  cursor.skip(8);
  const localOffset = uint32(cursor);
  const name = decodeName(cursor.take(nameBytes));
  const extra = cursor.take(extraBytes);
  cursor.skip(commentBytes);
  if ((flags & 1) !== 0) {
    throw new Jax2TfjsError("file-unsupported", `"${name}" in ${source.name} is encrypted`);
  }
  if (method !== 0 && method !== 8) {
    throw new Jax2TfjsError(
      "file-unsupported",
      `"${name}" in ${source.name} is compressed by method ${method}; only deflate is read`,
      { fix: "write the archive with numpy.savez or numpy.savez_compressed" },
    );
  }
  const large = readZip64Extra(source, extra, [sizes.plain, sizes.compressed, localOffset]);
  const [byteLength = 0, compressedBytes = 0, headerOffset = 0] = large;
  if (method === 0 && byteLength !== compressedBytes) {
    throw corrupt(source, `"${name}" is stored, but its two sizes differ`);
  }
  // The sizes that the directory declares are allocated, so they must be possible.
  if (byteLength > compressedBytes * largestDeflateRatio) {
    throw corrupt(source, `"${name}" cannot grow from ${compressedBytes} to ${byteLength} bytes`);
  }
  return {
    name,
    compression: method === 0 ? "stored" : "deflated",
    dataOffset: findData(source, name, headerOffset, compressedBytes),
    compressedBytes,
    byteLength,
    crc32: checksum,
  };
}

/** zip64 puts each 32-bit field that is all ones into an extra field, in this order. */
function readZip64Extra(
  source: ByteSource,
  extra: Uint8Array,
  fields: readonly number[],
): readonly number[] {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let next = at + 4;
    const end = Math.min(next + view.getUint16(at + 2, true), extra.byteLength);
    return fields.map((field) => {
      if (field !== 0xffffffff) return field;
      if (next + 8 > end) throw corrupt(source, "a short zip64 field");
      const value = Number(view.getBigUint64(next, true));
      next += 8;
      if (!Number.isSafeInteger(value)) throw corrupt(source, "a size above 2^53");
      return value;
    });
  }
  return fields;
}

/** The data follow the local header, whose name and extra field may differ from the directory's. */
function findData(source: ByteSource, name: string, offset: number, byteLength: number): number {
  requireRange(source, offset, 30);
  const header = source.read(offset, 30);
  const view = new DataView(header.buffer, header.byteOffset, 30);
  if (view.getUint32(0, true) !== localSignature) {
    throw corrupt(source, `"${name}" does not begin where the directory says`);
  }
  const dataOffset = offset + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  requireRange(source, dataOffset, byteLength);
  return dataOffset;
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** Overlapping entries would make a small archive grow without bound. */
function refuseOverlaps(source: ByteSource, entries: readonly ZipEntry[], border: number): void {
  const ordered = [...entries].sort((a, b) => a.dataOffset - b.dataOffset);
  let end = 0;
  for (const entry of ordered) {
    if (entry.dataOffset < end) throw corrupt(source, `"${entry.name}" overlaps another file`);
    end = entry.dataOffset + entry.compressedBytes;
  }
  if (end > border) throw corrupt(source, "files overlap the directory");
}

/**
 * The uncompressed bytes of an entry in pieces of a few MiB, in order; a piece is valid until the
 * next one is asked for. Size and checksum are checked when the last piece has been given.
 *
 * @throws Jax2TfjsError `file-corrupt` if the data are damaged.
 */
export function* zipEntryPieces(source: ByteSource, entry: ZipEntry): Generator<Uint8Array> {
  let checksum = 0;
  let total = 0;
  const pieces = entry.compression === "stored" ? storedPieces : inflatedPieces;
  for (const piece of pieces(source, entry)) {
    total += piece.byteLength;
    if (total > entry.byteLength) break;
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (total !== entry.byteLength) {
    throw corrupt(source, `"${entry.name}" does not have the declared ${entry.byteLength} bytes`);
  }
  if (checksum !== entry.crc32) throw corrupt(source, `the checksum of "${entry.name}" is wrong`);
}

function* storedPieces(source: ByteSource, entry: ZipEntry): Generator<Uint8Array> {
  for (let done = 0; done < entry.byteLength; done += pieceBytes) {
    const length = Math.min(pieceBytes, entry.byteLength - done);
    yield source.read(entry.dataOffset + done, length);
  }
}

/** Few enough compressed bytes a step that the result of one step stays small (66 MB at worst). */
const inflateStepBytes = 64 * 1024;

function* inflatedPieces(source: ByteSource, entry: ZipEntry): Generator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const inflate = new Inflate((piece) => ready.push(piece));
  for (let done = 0; done < entry.compressedBytes; done += inflateStepBytes) {
    const length = Math.min(inflateStepBytes, entry.compressedBytes - done);
    const last = done + length === entry.compressedBytes;
    try {
      inflate.push(source.read(entry.dataOffset + done, length), last);
    } catch (cause) {
      if (cause instanceof Jax2TfjsError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw corrupt(source, `"${entry.name}" cannot be uncompressed (${reason})`);
    }
    yield* ready;
    ready = [];
  }
}

/** All bytes of an entry: a view of memory for a stored entry in memory. */
export function readZipEntry(source: ByteSource, entry: ZipEntry): Uint8Array {
  if (entry.compression === "stored") {
    const bytes = source.read(entry.dataOffset, entry.byteLength);
    if (crc32(bytes) !== entry.crc32) {
      throw corrupt(source, `the checksum of "${entry.name}" is wrong`);
    }
    return bytes;
  }
  const bytes = new Uint8Array(entry.byteLength);
  let filled = 0;
  for (const piece of zipEntryPieces(source, entry)) {
    bytes.set(piece, filled);
    filled += piece.byteLength;
  }
  return bytes;
}

/** An archive of these files, deterministic (no times), deflated or stored. */
export function writeZip(
  files: Iterable<readonly [name: string, bytes: Uint8Array]>,
  { compress = true }: { readonly compress?: boolean } = {},
): Uint8Array {
  const contents: Zippable = Object.fromEntries(files);
  return zipSync(contents, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
