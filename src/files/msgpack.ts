/**
 * The heads of msgpack values (the format's specification of 2013): kind and length of a value, or
 * the whole value if it is a number. What follows a head is left to the caller, so that large
 * values can stay in the file. Called by the reader of Flax files.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import type { ByteCursor } from "./byteSource.js";

/** The beginning of a value. `length` counts entries of a map or array, else bytes. */
export type MsgpackHead =
  | { readonly kind: "map" | "array" | "text" | "bytes"; readonly length: number }
  | { readonly kind: "extension"; readonly length: number; readonly type: number }
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "nil" };

/**
 * Reads the head at the cursor, which is left behind it. Maps, arrays and runs of bytes are
 * refused if what is left of the file cannot hold them.
 *
 * @throws Jax2TfjsError `file-truncated`, or `file-corrupt` for the one byte that begins nothing.
 */
export function readMsgpackHead(cursor: ByteCursor, name: string): MsgpackHead {
  const head = readHead(cursor, name);
  if ("length" in head) {
    const least = head.length * (head.kind === "map" ? 2 : 1);
    if (least > cursor.remaining) {
      throw new Jax2TfjsError(
        "file-truncated",
        `${name} ends before the ${head.length} ${unitOf(head.kind)} that it announces`,
        { fix: "copy or download the file again: a part of it is missing" },
      );
    }
  }
  return head;
}

function unitOf(kind: "map" | "array" | "text" | "bytes" | "extension"): string {
  return kind === "map" || kind === "array" ? "values" : "bytes";
}

function readHead(cursor: ByteCursor, name: string): MsgpackHead {
  const tag = cursor.uint8();
  if (tag < 0x80) return { kind: "integer", value: BigInt(tag) };
  if (tag < 0x90) return { kind: "map", length: tag & 0x0f };
  if (tag < 0xa0) return { kind: "array", length: tag & 0x0f };
  if (tag < 0xc0) return { kind: "text", length: tag & 0x1f };
  if (tag >= 0xe0) return { kind: "integer", value: BigInt(tag - 0x100) };
  switch (tag) {
    case 0xc0:
      return { kind: "nil" };
    case 0xc2:
    case 0xc3:
      return { kind: "boolean", value: tag === 0xc3 };
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return { kind: "bytes", length: readLength(cursor, tag - 0xc4) };
    case 0xc7:
    case 0xc8:
    case 0xc9:
      return { kind: "extension", length: readLength(cursor, tag - 0xc7), type: cursor.uint8() };
    case 0xca:
      return { kind: "float", value: cursor.number(4, (view) => view.getFloat32(0)) };
    case 0xcb:
      return { kind: "float", value: cursor.number(8, (view) => view.getFloat64(0)) };
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return { kind: "extension", length: 1 << (tag - 0xd4), type: cursor.uint8() };
    case 0xd9:
    case 0xda:
    case 0xdb:
      return { kind: "text", length: readLength(cursor, tag - 0xd9) };
    case 0xdc:
    case 0xdd:
      return { kind: "array", length: readLength(cursor, tag - 0xdb) };
    case 0xde:
    case 0xdf:
      return { kind: "map", length: readLength(cursor, tag - 0xdd) };
    case 0xc1:
      throw new Jax2TfjsError("file-corrupt", `${name} is damaged: 0xc1 begins no msgpack value`);
    default:
      return { kind: "integer", value: readInteger(cursor, tag) };
  }
}

/** A length of 1, 2 or 4 bytes, big-endian, for `width` 0, 1, 2. */
function readLength(cursor: ByteCursor, width: number): number {
  if (width === 0) return cursor.uint8();
  if (width === 1) return cursor.number(2, (view) => view.getUint16(0));
  return cursor.number(4, (view) => view.getUint32(0));
}

/** Tags 0xcc to 0xcf: unsigned integers of 1, 2, 4, 8 bytes; 0xd0 to 0xd3: signed ones. */
function readInteger(cursor: ByteCursor, tag: number): bigint {
  const bits = 8 << (tag & 3);
  let value = 0n;
  for (const byte of cursor.take(bits / 8)) value = (value << 8n) | BigInt(byte);
  return tag < 0xd0 ? value : BigInt.asIntN(bits, value);
}
