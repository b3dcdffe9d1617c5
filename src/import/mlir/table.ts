/**
 * The table of attributes and types of a bytecode file, decoded on demand and once. Guards against
 * entries that contain themselves and against nesting deeper than the call stack can take.
 */
import { type Container, type TableEntry } from "./container.js";
import { Cursor, corrupt, decodeUtf8 } from "./cursor.js";
import { decodeBuiltinAttribute, decodeBuiltinType } from "./builtinEncoding.js";
import { asLocation, EntryReader, type Tables } from "./entryReader.js";
import { type MlirAttribute, type MlirType } from "./ir.js";
import { decodeSdyAttribute } from "./sdyEncoding.js";
import { attributeFromText, typeFromText } from "./text.js";
import { decodeVhloAttribute, decodeVhloType } from "./vhloEncoding.js";

/** Far more than attributes nest, and little enough for the call stack. */
const maximalDepth = 300;

/** Locations nest by one level per Python frame: what is deeper still is left out. */
const maximalLocationDepth = 200;

const pending = Symbol("entry being decoded");

type Slot<T> = T | typeof pending | undefined;

/** Makes the tables of `container`. */
export function makeTables(container: Container): Tables {
  const attributes: Slot<MlirAttribute>[] = [];
  const types: Slot<MlirType>[] = [];
  let depth = 0;

  function resolve<T>(
    slots: Slot<T>[],
    entries: readonly TableEntry[],
    index: number,
    what: string,
    decode: (entry: TableEntry, reader: EntryReader) => T,
  ): T {
    const known = slots[index];
    if (known === pending) throw corrupt(`${what} ${index} contains itself`);
    if (known !== undefined) return known;
    const entry = entries[index];
    if (entry === undefined) throw corrupt(`there is no ${what} ${index}`);
    if (depth >= maximalDepth) throw corrupt(`attributes nest deeper than ${maximalDepth} levels`);
    slots[index] = pending;
    depth++;
    const cursor = new Cursor(container.bytes, entry.start, entry.end, `${what} ${index}`);
    const value = decode(entry, new EntryReader(cursor, tables, index));
    depth--;
    slots[index] = value;
    return value;
  }

  const tables: Tables = {
    attribute: (index) =>
      resolve(attributes, container.attributes, index, "attribute", (entry, reader) =>
        decodeAttribute(container, entry, reader),
      ),
    location: (index) =>
      depth >= maximalLocationDepth ? { kind: "unknown" } : asLocation(tables.attribute(index)),
    type: (index) =>
      resolve(types, container.types, index, "type", (entry, reader) =>
        decodeType(container, entry, reader),
      ),
    string: (index) => container.strings.at(index),
    stringBytes: (index) => container.strings.bytesAt(index),
    resource: (index) => {
      const resource = container.resources[index];
      if (resource === undefined) throw corrupt(`there is no resource ${index}`);
      return resource;
    },
  };
  return tables;
}

function decodeAttribute(
  container: Container,
  entry: TableEntry,
  reader: EntryReader,
): MlirAttribute {
  const bytes = container.bytes.subarray(entry.start, entry.end);
  if (!entry.customEncoding) {
    return attributeFromText(decodeUtf8(reader.cursor.nulTerminated()), entry.dialect, bytes);
  }
  const known = decodeCustomAttribute(entry.dialect, reader);
  if (known === null) return { kind: "opaque", dialect: entry.dialect, text: null, bytes };
  if (!reader.cursor.done) throw corrupt(`data after attribute ${reader.index}`);
  return known;
}

function decodeCustomAttribute(dialect: string, reader: EntryReader): MlirAttribute | null {
  switch (dialect) {
    case "builtin":
      return decodeBuiltinAttribute(reader);
    case "vhlo":
      return decodeVhloAttribute(reader);
    case "sdy":
      return decodeSdyAttribute(reader);
    default:
      return null;
  }
}

function decodeType(container: Container, entry: TableEntry, reader: EntryReader): MlirType {
  const bytes = container.bytes.subarray(entry.start, entry.end);
  if (!entry.customEncoding) {
    return typeFromText(decodeUtf8(reader.cursor.nulTerminated()), entry.dialect, bytes);
  }
  const known =
    entry.dialect === "builtin"
      ? decodeBuiltinType(reader)
      : entry.dialect === "vhlo"
        ? decodeVhloType(reader)
        : null;
  if (known === null) return { kind: "opaque", dialect: entry.dialect, text: null, bytes };
  if (!reader.cursor.done) throw corrupt(`data after type ${reader.index}`);
  return known;
}
