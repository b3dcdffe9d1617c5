/**
 * Bytecode encodings of MLIR's builtin attributes and types: a leading code, then the fields.
 * Called by table.ts. Codes that are not known give null, and the entry is kept as opaque.
 */
import { corrupt, decodeUtf8 } from "./cursor.js";
import {
  bitWidth,
  denseElements,
  elementBytes,
  integerFromBits,
  isBoolType,
  rawElement,
} from "./elements.js";
import { type EntryReader } from "./entryReader.js";
import { floatValue } from "./floats.js";
import {
  type FloatTypeName,
  type IntegerSignedness,
  type MlirAttribute,
  type MlirDenseArray,
  type MlirFloatAttribute,
  type MlirLocation,
  type MlirType,
} from "./ir.js";
import { floatType } from "./text.js";

const attributeCode = {
  array: 0,
  dictionary: 1,
  string: 2,
  stringWithType: 3,
  flatSymbolRef: 4,
  symbolRef: 5,
  type: 6,
  unit: 7,
  integer: 8,
  float: 9,
  callSiteLocation: 10,
  fileLineColumn: 11,
  fusedLocation: 12,
  fusedLocationWithMetadata: 13,
  nameLocation: 14,
  unknownLocation: 15,
  denseResource: 16,
  denseArray: 17,
  denseElements: 18,
  denseStrings: 19,
  sparseElements: 20,
  distinct: 21,
  fileLineColumnRange: 22,
} as const;

/** Decodes a builtin attribute. */
export function decodeBuiltinAttribute(reader: EntryReader): MlirAttribute | null {
  const code = reader.cursor.varint();
  const location = decodeLocation(code, reader);
  if (location !== null) return { kind: "location", location };
  switch (code) {
    case attributeCode.array:
      return { kind: "array", elements: reader.attributes() };
    case attributeCode.dictionary:
      return dictionary(reader, () => reader.stringAttribute());
    case attributeCode.string:
      return stringAttribute(reader);
    case attributeCode.stringWithType: {
      const text = stringAttribute(reader);
      return { ...text, type: reader.type() };
    }
    case attributeCode.flatSymbolRef:
      return { kind: "symbolRef", root: reader.stringAttribute(), nested: [] };
    case attributeCode.symbolRef:
      return {
        kind: "symbolRef",
        root: reader.stringAttribute(),
        nested: reader.attributes().map(flatSymbol),
      };
    case attributeCode.type:
      return { kind: "type", type: reader.type() };
    case attributeCode.unit:
      return { kind: "unit" };
    case attributeCode.integer:
      return integerAttribute(reader.type(), reader);
    case attributeCode.float:
      return floatAttribute(reader.type(), reader);
    default:
      return decodeElements(code, reader);
  }
}

function decodeElements(code: number, reader: EntryReader): MlirAttribute | null {
  switch (code) {
    case attributeCode.denseResource: {
      const type = reader.type();
      const { key, bytes } = reader.tables.resource(reader.cursor.varint());
      return { kind: "denseResource", type, key, bytes };
    }
    case attributeCode.denseArray:
      return denseArray(reader);
    case attributeCode.denseElements:
      return denseElements(reader.type(), reader.cursor.blob());
    case attributeCode.denseStrings:
      return denseStrings(reader);
    case attributeCode.sparseElements:
      return {
        kind: "sparseElements",
        type: reader.type(),
        indices: reader.attribute(),
        values: reader.attribute(),
      };
    case attributeCode.distinct:
      return { kind: "distinct", id: reader.index, referenced: reader.attribute() };
    default:
      return null;
  }
}

function decodeLocation(code: number, reader: EntryReader): MlirLocation | null {
  switch (code) {
    case attributeCode.callSiteLocation:
      return { kind: "callSite", callee: reader.location(), caller: reader.location() };
    case attributeCode.fileLineColumn: {
      const file = reader.stringAttribute();
      const line = reader.cursor.varint();
      const column = reader.cursor.varint();
      return { kind: "file", file, line, column, endLine: line, endColumn: column };
    }
    case attributeCode.fileLineColumnRange: {
      const file = reader.stringAttribute();
      const [line = 0, column = 0, third, fourth] = reader.cursor.list("positions", () =>
        reader.cursor.varint(),
      );
      // Three numbers are line, column, end column; four are line, column, end line, end column.
      const endLine = fourth === undefined ? line : (third ?? line);
      return { kind: "file", file, line, column, endLine, endColumn: fourth ?? third ?? column };
    }
    case attributeCode.fusedLocation:
      return { kind: "fused", locations: locations(reader) };
    case attributeCode.fusedLocationWithMetadata:
      return { kind: "fused", locations: locations(reader), metadata: reader.attribute() };
    case attributeCode.nameLocation:
      return { kind: "name", name: reader.stringAttribute(), child: reader.location() };
    case attributeCode.unknownLocation:
      return { kind: "unknown" };
    default:
      return null;
  }
}

const locations = (reader: EntryReader): MlirLocation[] =>
  reader.cursor.list("locations", () => reader.location());

/** Name and value pairs; MLIR keeps dictionaries sorted by name. */
export function dictionary(
  reader: EntryReader,
  readName: () => string,
): MlirAttribute & { kind: "dictionary" } {
  const entries = reader.cursor.list("entries", (): [string, MlirAttribute] => [
    readName(),
    reader.attribute(),
  ]);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { kind: "dictionary", entries: new Map(entries) };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string from the string table; its bytes are kept when they are not UTF-8. */
export function stringAttribute(reader: EntryReader): MlirAttribute & { kind: "string" } {
  const index = reader.cursor.varint();
  const bytes = reader.tables.stringBytes(index);
  try {
    strictUtf8.decode(bytes);
  } catch {
    return { kind: "string", value: decodeUtf8(bytes), bytes };
  }
  return { kind: "string", value: reader.tables.string(index) };
}

function flatSymbol(attribute: MlirAttribute): string {
  if (attribute.kind !== "symbolRef") throw corrupt("a symbol reference is needed");
  return attribute.root;
}

/** An integer, or a boolean if its type has one bit. */
export function integerAttribute(type: MlirType, reader: EntryReader): MlirAttribute {
  const width = type.kind === "integer" || type.kind === "index" ? bitWidth(type) : null;
  if (width === null) throw corrupt(`an integer of type ${type.kind}`);
  const bits = reader.bits(width);
  if (isBoolType(type)) return { kind: "bool", value: bits !== 0n };
  return { kind: "integer", type, value: integerFromBits(type, bits) };
}

export function floatAttribute(type: MlirType, reader: EntryReader): MlirFloatAttribute {
  if (type.kind !== "float") throw corrupt(`a floating-point number of type ${type.kind}`);
  const bits = reader.bits(bitWidth(type) ?? 0);
  return { kind: "float", type, value: floatValue(type.name, bits), bits };
}

function denseArray(reader: EntryReader): MlirDenseArray {
  const elementType = reader.type();
  const count = reader.cursor.varint();
  const bytes = reader.cursor.blob();
  const size = elementBytes(elementType);
  if (bytes.length !== count * size) throw corrupt("an array whose size does not fit its data");
  const raw = Array.from({ length: count }, (_, i) => rawElement(bytes, i * size, size));
  if (elementType.kind === "float") {
    const { name } = elementType;
    const values = raw.map((bits) => floatValue(name, bits));
    return { kind: "denseArray", elementType, values, bits: raw };
  }
  const values = raw.map((bits) => integerFromBits(elementType, bits));
  return { kind: "denseArray", elementType, values };
}

function denseStrings(reader: EntryReader): MlirAttribute {
  const type = reader.type();
  const splat = reader.cursor.varint() !== 0;
  const values: string[] = [];
  // One index per element, to the end of the entry.
  while (!reader.cursor.done) values.push(reader.string());
  return { kind: "denseStrings", type, splat, values };
}

const typeCode = {
  integer: 0,
  index: 1,
  function: 2,
  complex: 9,
  memref: 10,
  memrefWithSpace: 11,
  none: 12,
  tensor: 13,
  tensorWithEncoding: 14,
  tuple: 15,
  unrankedMemref: 16,
  unrankedMemrefWithSpace: 17,
  unrankedTensor: 18,
  vector: 19,
  vectorWithScalableDims: 20,
} as const;

/** Float types by their code; small ones have one in newer bytecode only. */
const floatTypes = new Map<number, MlirType>(
  Object.entries({
    bf16: 3,
    f16: 4,
    f32: 5,
    f64: 6,
    f80: 7,
    f128: 8,
    tf32: 21,
    f8E5M2: 22,
    f8E4M3: 23,
    f8E4M3FN: 24,
    f8E5M2FNUZ: 25,
    f8E4M3FNUZ: 26,
    f8E4M3B11FNUZ: 27,
    f8E3M4: 28,
    f4E2M1FN: 29,
    f6E2M3FN: 30,
    f6E3M2FN: 31,
    f8E8M0FNU: 32,
  } satisfies Record<FloatTypeName, number>).map(([name, code]) => [
    code,
    floatType(name as FloatTypeName),
  ]),
);

/** Decodes a builtin type. */
export function decodeBuiltinType(reader: EntryReader): MlirType | null {
  const code = reader.cursor.varint();
  const float = floatTypes.get(code);
  if (float !== undefined) return float;
  switch (code) {
    case typeCode.integer:
      return integerType(reader.cursor.varint());
    case typeCode.index:
      return { kind: "index" };
    case typeCode.function:
      return { kind: "function", inputs: reader.types(), results: reader.types() };
    case typeCode.complex:
      return { kind: "complex", elementType: reader.type() };
    case typeCode.none:
      return { kind: "none" };
    case typeCode.tensor:
      return { kind: "tensor", shape: reader.shape(), elementType: reader.type() };
    case typeCode.tensorWithEncoding: {
      const encoding = reader.attribute();
      return { kind: "tensor", shape: reader.shape(), elementType: reader.type(), encoding };
    }
    case typeCode.tuple:
      return { kind: "tuple", types: reader.types() };
    case typeCode.unrankedTensor:
      return { kind: "unrankedTensor", elementType: reader.type() };
    default:
      return decodeMemoryType(code, reader);
  }
}

function decodeMemoryType(code: number, reader: EntryReader): MlirType | null {
  switch (code) {
    case typeCode.memref: {
      const shape = reader.shape();
      return { kind: "memref", shape, elementType: reader.type(), layout: reader.attribute() };
    }
    case typeCode.memrefWithSpace: {
      const memorySpace = reader.attribute();
      const shape = reader.shape();
      const elementType = reader.type();
      return { kind: "memref", shape, elementType, layout: reader.attribute(), memorySpace };
    }
    case typeCode.unrankedMemref:
      return { kind: "unrankedMemref", elementType: reader.type() };
    case typeCode.unrankedMemrefWithSpace: {
      const memorySpace = reader.attribute();
      return { kind: "unrankedMemref", elementType: reader.type(), memorySpace };
    }
    case typeCode.vector: {
      const shape = reader.staticShape();
      const scalableDims = shape.map(() => false);
      return { kind: "vector", shape, scalableDims, elementType: reader.type() };
    }
    case typeCode.vectorWithScalableDims: {
      const scalableDims = reader.cursor.list("flags", () => reader.cursor.byte() !== 0);
      const shape = reader.staticShape();
      return { kind: "vector", shape, scalableDims, elementType: reader.type() };
    }
    default:
      return null;
  }
}

const signednessNames: readonly IntegerSignedness[] = ["signless", "signed", "unsigned"];

/** The widest integer MLIR allows has 2^24 - 1 bits; nothing here has more than 128. */
const widestInteger = 4096;

function integerType(widthAndSignedness: number): MlirType {
  const signedness = signednessNames[widthAndSignedness % 4];
  const width = Math.floor(widthAndSignedness / 4);
  if (signedness === undefined || width < 1 || width > widestInteger) {
    throw corrupt(`an integer type of ${width} bits`);
  }
  return { kind: "integer", width, signedness };
}
