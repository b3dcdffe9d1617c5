/**
 * The outer structure of MLIR bytecode: header, sections, and the tables of strings, dialects,
 * operation names, properties and resources. Called by reader.ts; the attribute table, types and
 * operations are decoded elsewhere from what is found here.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { Cursor, corrupt, decodeUtf8, sectionId, truncated } from "./cursor.js";

/** The newest bytecode version this reader knows (operand segments as native properties). */
export const newestBytecodeVersion = 6;

/** Bytecode versions that changed the encoding. */
export const bytecodeVersions = {
  dialectVersioning: 1,
  isolatedRegionsInSections: 2,
  useListOrders: 3,
  elidedUnknownLocations: 4,
  nativeProperties: 5,
} as const;

export interface OperationName {
  readonly dialect: string;
  /** Without the dialect. */
  readonly name: string;
  /** The writer knew the operation, so that its properties have the operation's own encoding. */
  readonly registered: boolean;
}

/** An undecoded entry of the attribute and type table. */
export interface TableEntry {
  readonly dialect: string;
  /** Encoded by the dialect; otherwise NUL-terminated assembly text. */
  readonly customEncoding: boolean;
  readonly start: number;
  readonly end: number;
}

export interface Resource {
  readonly key: string;
  /** A view of the file, null when the resource is declared only or not a blob. */
  readonly bytes: Uint8Array | null;
}

export interface Container {
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly producer: string;
  readonly strings: StringTable;
  readonly operationNames: readonly OperationName[];
  readonly attributes: readonly TableEntry[];
  readonly types: readonly TableEntry[];
  readonly properties: readonly Cursor[];
  readonly resources: readonly Resource[];
  readonly operations: Cursor;
}

/** Strings of the file, decoded on first use. */
export class StringTable {
  readonly #views: readonly Uint8Array[];
  readonly #decoded: (string | undefined)[] = [];

  constructor(views: readonly Uint8Array[]) {
    this.#views = views;
  }

  /** The bytes of string `index`. */
  bytesAt(index: number): Uint8Array {
    const view = this.#views[index];
    if (view === undefined) throw corrupt(`there is no string ${index}`);
    return view;
  }

  at(index: number): string {
    return (this.#decoded[index] ??= decodeUtf8(this.bytesAt(index)));
  }
}

/**
 * Reads the header and the tables.
 *
 * Throws `artifact-truncated`, `artifact-corrupt`, and `artifact-version-unsupported` when the
 * bytecode is newer than this reader.
 */
export function readContainer(bytes: Uint8Array): Container {
  const file = new Cursor(bytes, 0, bytes.length, "the header");
  file.take(4);
  const version = file.varint();
  const producer = decodeUtf8(file.nulTerminated());
  if (version > newestBytecodeVersion) {
    throw new Jax2TfjsError(
      "artifact-version-unsupported",
      `the module is in MLIR bytecode version ${version} (written by ${producer}); ` +
        `the newest version known here is ${newestBytecodeVersion}`,
      { fix: "export with an older JAX, or use a newer jax2tfjs" },
    );
  }
  const sections = readSections(file);
  const required = (id: number, name: string): Cursor => {
    const cursor = sections.get(id);
    if (cursor === undefined) throw truncated(`the file (${name} section is missing)`);
    return cursor;
  };
  const strings = readStrings(required(sectionId.string, "string"));
  const { dialects, operationNames } = readDialects(
    required(sectionId.dialect, "dialect"),
    strings,
    version,
  );
  const { attributes, types } = readTableOffsets(
    required(sectionId.attributeTypeOffset, "attribute offset"),
    required(sectionId.attributeType, "attribute"),
    dialects,
  );
  return {
    bytes,
    version,
    producer,
    strings,
    operationNames,
    attributes,
    types,
    properties: readProperties(sections.get(sectionId.properties)),
    resources: readResources(
      sections.get(sectionId.resource),
      sections.get(sectionId.resourceOffset),
      strings,
      dialects,
    ),
    operations: required(sectionId.ir, "operation"),
  };
}

function readSections(file: Cursor): Map<number, Cursor> {
  const sections = new Map<number, Cursor>();
  while (!file.done) {
    const { id, cursor } = file.section();
    if (id > sectionId.properties) throw corrupt(`unknown section ${id}`);
    if (sections.has(id)) throw corrupt(`section ${id} occurs twice`);
    sections.set(id, cursor);
  }
  return sections;
}

function readStrings(cursor: Cursor): StringTable {
  const count = cursor.count("strings");
  const sizes: number[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const size = cursor.varint();
    if (size < 1) throw corrupt("a string without its final NUL");
    sizes.push(size);
    total += size;
  }
  if (total !== cursor.remaining) {
    throw corrupt(`the strings take ${total} bytes, the section has ${cursor.remaining}`);
  }
  // Sizes are stored from the last string to the first, the data from the first to the last.
  const views: Uint8Array[] = [];
  for (let i = count - 1; i >= 0; i--) {
    const size = sizes[i] ?? 1;
    views.push(cursor.take(size).subarray(0, size - 1));
  }
  return new StringTable(views);
}

function dialectAt(dialects: readonly string[], index: number): string {
  const dialect = dialects[index];
  if (dialect === undefined) throw corrupt(`there is no dialect ${index}`);
  return dialect;
}

function readDialects(
  cursor: Cursor,
  strings: StringTable,
  version: number,
): { dialects: string[]; operationNames: OperationName[] } {
  const dialects = cursor.list("dialects", () => {
    const index = cursor.varint();
    if (version < bytecodeVersions.dialectVersioning) return strings.at(index);
    // Dialect versions do not change how anything known here is read; they are skipped.
    if (index % 2 === 1 && cursor.section().id !== sectionId.dialectVersions) {
      throw corrupt("a dialect version is missing");
    }
    return strings.at(Math.floor(index / 2));
  });
  if (version >= bytecodeVersions.elidedUnknownLocations) cursor.varint();
  const operationNames: OperationName[] = [];
  while (!cursor.done) {
    const dialect = dialectAt(dialects, cursor.varint());
    const count = cursor.count("operation names");
    for (let i = 0; i < count; i++) {
      const index = cursor.varint();
      const flagged = version >= bytecodeVersions.nativeProperties;
      operationNames.push({
        dialect,
        name: strings.at(flagged ? Math.floor(index / 2) : index),
        registered: !flagged || index % 2 === 1,
      });
    }
  }
  return { dialects, operationNames };
}

function readTableOffsets(
  offsets: Cursor,
  table: Cursor,
  dialects: readonly string[],
): { attributes: TableEntry[]; types: TableEntry[] } {
  const attributeCount = offsets.count("attributes");
  const typeCount = offsets.count("types");
  const readEntries = (count: number): TableEntry[] => {
    const entries: TableEntry[] = [];
    while (entries.length < count) {
      const dialect = dialectAt(dialects, offsets.varint());
      const groupSize = offsets.count("table entries");
      if (entries.length + groupSize > count) throw corrupt("too many attributes or types");
      for (let i = 0; i < groupSize; i++) {
        const sizeAndFlag = offsets.varint();
        const start = table.offset;
        table.take(Math.floor(sizeAndFlag / 2));
        const customEncoding = sizeAndFlag % 2 === 1;
        entries.push({ dialect, customEncoding, start, end: table.offset });
      }
    }
    return entries;
  };
  const attributes = readEntries(attributeCount);
  const types = readEntries(typeCount);
  if (!offsets.done) throw corrupt("data after the attribute and type offsets");
  return { attributes, types };
}

function readProperties(cursor: Cursor | undefined): Cursor[] {
  if (cursor === undefined || cursor.done) return [];
  const entries = cursor.list("properties", () =>
    cursor.slice(cursor.varint(), "the properties of an operation"),
  );
  if (cursor.remaining > 0) throw corrupt("data after the properties");
  return entries;
}

const blobResource = 0;

function readResources(
  data: Cursor | undefined,
  offsets: Cursor | undefined,
  strings: StringTable,
  dialects: readonly string[],
): Resource[] {
  if (data === undefined || offsets === undefined) {
    if (data !== offsets) throw truncated("the file (a resource section is missing)");
    return [];
  }
  const readGroup = (): Resource[] =>
    offsets.list("resources", () => {
      const key = strings.at(offsets.varint());
      const entry = data.slice(offsets.varint(), `resource ${key}`);
      const kind = offsets.byte();
      return { key, bytes: entry.done || kind !== blobResource ? null : readBlob(entry) };
    });
  // Resources of external providers cannot be referred to by attributes.
  const externalGroups = offsets.count("resource groups");
  for (let i = 0; i < externalGroups; i++) {
    strings.at(offsets.varint());
    readGroup();
  }
  const resources: Resource[] = [];
  while (!offsets.done) {
    dialectAt(dialects, offsets.varint());
    for (const resource of readGroup()) resources.push(resource);
  }
  return resources;
}

function readBlob(entry: Cursor): Uint8Array {
  const alignment = entry.varint();
  const size = entry.varint();
  entry.skipPadding(alignment);
  return entry.take(size);
}
