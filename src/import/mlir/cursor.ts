/**
 * Bounds-checked reading of MLIR bytecode: bytes, prefix varints, blobs and sections. Everything
 * that takes a length or a count from the file goes through here, so that no damaged file can read
 * out of bounds or allocate more than it holds. Used by all of the bytecode reader.
 */
import { Jax2TfjsError } from "../../ir/errors.js";

/** The file ends before something it announces. */
export function truncated(what: string): Jax2TfjsError {
  return new Jax2TfjsError("artifact-truncated", `the MLIR bytecode ends inside ${what}`, {
    fix: "copy the artifact again in full (binary mode), or export it again",
  });
}

/** The file contradicts itself. */
export function corrupt(message: string): Jax2TfjsError {
  return new Jax2TfjsError("artifact-corrupt", `the MLIR bytecode is damaged: ${message}`, {
    fix: "copy the artifact again in full (binary mode), or export it again",
  });
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Decodes UTF-8, replacing what is invalid. */
export function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

export interface Section {
  readonly id: number;
  readonly cursor: Cursor;
}

const alignmentPadding = 0xcb;

/** A position in a range of the file. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #what: string;
  #at: number;

  /** Reads `bytes` from `start` to `end`; `what` names the range in error messages. */
  constructor(bytes: Uint8Array, start: number, end: number, what: string) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#what = what;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** Offset from the start of the file. */
  get offset(): number {
    return this.#at;
  }

  /** A cursor at the same position, for entries that are read more than once. */
  restarted(): Cursor {
    return new Cursor(this.#bytes, this.#at, this.#end, this.#what);
  }

  byte(): number {
    const value = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (value === undefined) throw truncated(this.#what);
    this.#at++;
    return value;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.remaining) throw truncated(this.#what);
    const view = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }

  /** A cursor over the next `length` bytes, which this cursor skips. */
  slice(length: number, what: string): Cursor {
    if (length > this.remaining) throw truncated(what);
    const inner = new Cursor(this.#bytes, this.#at, this.#at + length, what);
    this.#at += length;
    return inner;
  }

  /** An unsigned varint of any size (up to 64 bits). */
  bigVarint(): bigint {
    const first = this.byte();
    if (first & 1) return BigInt(first >> 1);
    const extra = first === 0 ? 8 : Math.clz32(first & -first) ^ 31;
    let value = 0n;
    const rest = this.take(extra);
    for (let i = extra - 1; i >= 0; i--) value = (value << 8n) | BigInt(rest[i] ?? 0);
    if (first === 0) return value;
    return ((value << 8n) | BigInt(first)) >> BigInt(extra + 1);
  }

  /** An unsigned varint that must be a safe integer: an index, a count or a size. */
  varint(): number {
    const first = this.#at < this.#end ? (this.#bytes[this.#at] ?? 0) : 0;
    if (first & 1) {
      this.#at++;
      return first >> 1;
    }
    if (first & 2) {
      const rest = this.#at + 1 < this.#end ? this.#bytes[this.#at + 1] : undefined;
      if (rest === undefined) throw truncated(this.#what);
      this.#at += 2;
      return ((rest << 8) | first) >> 2;
    }
    const value = this.bigVarint();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw corrupt(`a number in ${this.#what} is out of range (${value.toString()})`);
    }
    return Number(value);
  }

  /** A zigzag varint of 64 bits. */
  signedBigVarint(): bigint {
    const value = this.bigVarint();
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  /** A zigzag varint that must be a safe integer, or the 64-bit "dynamic" marker as null. */
  signedVarintOrDynamic(): number | null {
    const value = this.signedBigVarint();
    if (value === -(1n << 63n)) return null;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw corrupt(`a number in ${this.#what} is out of range (${value.toString()})`);
    }
    return number;
  }

  signedVarint(): number {
    const value = this.signedVarintOrDynamic();
    if (value === null) throw corrupt(`a number in ${this.#what} is out of range`);
    return value;
  }

  /** A count of things that take at least `bytesEach` bytes each in this range. */
  count(what: string, bytesEach = 1): number {
    const count = this.varint();
    if (count * bytesEach > this.remaining) {
      throw corrupt(`${this.#what} announces ${count} ${what} in ${this.remaining} bytes`);
    }
    return count;
  }

  /** `readOne` applied `count` times, the count being read first. */
  list<T>(what: string, readOne: () => T): T[] {
    const count = this.count(what);
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(readOne());
    return items;
  }

  /** A byte range preceded by its size. */
  blob(): Uint8Array {
    return this.take(this.varint());
  }

  /** The bytes up to the next NUL, which is skipped. */
  nulTerminated(): Uint8Array {
    const at = this.#bytes.indexOf(0, this.#at);
    if (at < 0 || at >= this.#end) throw truncated(this.#what);
    const view = this.#bytes.subarray(this.#at, at);
    this.#at = at + 1;
    return view;
  }

  /** Skips the padding before data aligned with respect to the start of the file. */
  skipPadding(alignment: number): void {
    if (alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
      throw corrupt(`alignment ${alignment} in ${this.#what} is not a power of two`);
    }
    const padding = this.take((alignment - (this.#at % alignment)) % alignment);
    if (padding.some((byte) => byte !== alignmentPadding)) {
      throw corrupt(`${this.#what} has no padding where data must be aligned`);
    }
  }

  /** The next section: its id and its contents. */
  section(): Section {
    const header = this.byte();
    const length = this.varint();
    if (header & 0x80) this.skipPadding(this.varint());
    const id = header & 0x7f;
    return { id, cursor: this.slice(length, sectionNames[id] ?? `section ${id}`) };
  }
}

/** Ids of the sections of MLIR bytecode. */
export const sectionId = {
  string: 0,
  dialect: 1,
  attributeType: 2,
  attributeTypeOffset: 3,
  ir: 4,
  resource: 5,
  resourceOffset: 6,
  dialectVersions: 7,
  properties: 8,
} as const;

const sectionNames: Record<number, string> = {
  0: "the string section",
  1: "the dialect section",
  2: "the attribute and type section",
  3: "the attribute and type offset section",
  4: "the operation section",
  5: "the resource section",
  6: "the resource offset section",
  7: "a dialect version section",
  8: "the properties section",
};
