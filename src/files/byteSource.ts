/**
 * Random access to the bytes of a file, in memory or on disk, so that one reader serves the browser
 * and Node and weights need not be loaded to be found. Called by every reader of files here.
 */
import { Jax2TfjsError } from "../ir/errors.js";

/** Bytes that can be read from any place. */
export interface ByteSource {
  readonly byteLength: number;
  /** What to call it in errors: a file name, or "the file". */
  readonly name: string;
  /**
   * Bytes `offset` to `offset + length`: a view of memory, or freshly read from disk.
   *
   * @throws Jax2TfjsError `file-truncated` if they are not all there.
   */
  read(offset: number, length: number): Uint8Array;
}

/** How many bytes are held at a time when data are passed on in pieces. */
export const pieceBytes = 4 * 1024 * 1024;

/** A file that is already in memory; reads are views. */
export function memorySource(bytes: Uint8Array, name = "the file"): ByteSource {
  return {
    byteLength: bytes.byteLength,
    name,
    read(offset, length) {
      requireRange(this, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Refuses a range that is not wholly inside the source. */
export function requireRange(
  source: Pick<ByteSource, "byteLength" | "name">,
  offset: number,
  length: number,
): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || offset + length > source.byteLength) {
    throw new Jax2TfjsError(
      "file-truncated",
      `${source.name} ends at byte ${source.byteLength}, where bytes ${offset} to ` +
        `${offset + length} are expected`,
      { fix: "copy or download the file again: a part of it is missing" },
    );
  }
}

/** Reads forward through a source, a window at a time, with the number formats of binary files. */
export class ByteCursor {
  position: number;
  readonly end: number;
  private window: Uint8Array = new Uint8Array(0);
  private windowStart = 0;

  /** `end` (default: the end of the source) is a border that reads must not cross. */
  constructor(
    private readonly source: ByteSource,
    position = 0,
    end = source.byteLength,
    private readonly windowBytes = 64 * 1024,
  ) {
    requireRange(source, position, end - position);
    this.position = position;
    this.end = end;
  }

  /** Bytes left before the border. */
  get remaining(): number {
    return this.end - this.position;
  }

  /** The next `length` bytes; valid to keep, not to write to. */
  take(length: number): Uint8Array {
    if (length > this.remaining) this.refuse(length);
    let start = this.position - this.windowStart;
    if (start < 0 || start + length > this.window.byteLength) {
      const size = Math.max(length, Math.min(this.windowBytes, this.remaining));
      this.window = this.source.read(this.position, size);
      this.windowStart = this.position;
      start = 0;
    }
    this.position += length;
    return this.window.subarray(start, start + length);
  }

  /** Passes over `length` bytes without reading them. */
  skip(length: number): void {
    if (length > this.remaining) this.refuse(length);
    this.position += length;
  }

  uint8(): number {
    return this.take(1)[0] ?? 0;
  }

  /** A number of `size` bytes, read by a DataView method. */
  number<T>(size: number, get: (view: DataView) => T): T {
    const bytes = this.take(size);
    return get(new DataView(bytes.buffer, bytes.byteOffset, size));
  }

  private refuse(length: number): void {
    requireRange({ byteLength: this.end, name: this.source.name }, this.position, length);
  }
}
