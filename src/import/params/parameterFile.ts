/**
 * What every format of parameter file is read into: named leaves whose bytes are read on demand, so
 * that no second copy of the weights need be in memory. Made by the readers beside this file,
 * consumed by bind.ts and the writer of model shards.
 */
import type { DType } from "../../ir/dtypes.js";
import { type ByteSource, pieceBytes } from "../../files/byteSource.js";

/** `tree`: arrays in memory, in a pytree. */
export type ParameterFormat = "safetensors" | "npz" | "npy" | "flax-msgpack" | "tree";

/** One array of a parameter file. */
export interface ParameterLeaf {
  /** The key path joined with "/". */
  readonly name: string;
  /** The key path as the file has it; formats with flat names have one entry. */
  readonly path: readonly string[];
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes of the elements: the size of what `read` gives. */
  readonly byteLength: number;
  /**
   * `raw`: the file has a bare one-byte type, `dtype` is uint8 and the bytes are bits of some
   * one-byte type. `python`: a Python number, which JAX would round to the dtype it is used at.
   */
  readonly origin?: "raw" | "python";
  /** The elements, little-endian C order; a view of the file's bytes where possible. */
  read(): Uint8Array;
  /** The same in order, in pieces of a few MiB, each valid until the next is asked for. */
  pieces(): Iterable<Uint8Array>;
}

/** An open parameter file. */
export interface ParameterFile {
  readonly format: ParameterFormat;
  /** In the order of the file. */
  readonly leaves: readonly ParameterLeaf[];
  /** Names of entries that are no arrays of numbers (strings, other files); they are left alone. */
  readonly ignored: readonly string[];
  /** Lets the file go; leaves cannot be read afterwards. */
  close(): void;
}

/** What the reader of one format returns; who opened the source adds `close`. */
export type ParameterContents = Omit<ParameterFile, "close">;

/** Some consecutive bytes of a source. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A leaf whose bytes lie in the file as they are needed, in one range or several. */
export function rangeLeaf(
  source: ByteSource,
  description: Omit<ParameterLeaf, "byteLength" | "read" | "pieces">,
  ranges: readonly ByteRange[],
): ParameterLeaf {
  const byteLength = ranges.reduce((sum, range) => sum + range.length, 0);
  return {
    ...description,
    byteLength,
    read() {
      const [only, ...others] = ranges;
      if (only !== undefined && others.length === 0) return source.read(only.offset, only.length);
      const bytes = new Uint8Array(byteLength);
      let filled = 0;
      for (const { offset, length } of ranges) {
        bytes.set(source.read(offset, length), filled);
        filled += length;
      }
      return bytes;
    },
    *pieces() {
      for (const { offset, length } of ranges) {
        for (let done = 0; done < length; done += pieceBytes) {
          yield source.read(offset + done, Math.min(pieceBytes, length - done));
        }
      }
    },
  };
}
