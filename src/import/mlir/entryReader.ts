/**
 * What the encodings of a dialect read an attribute or type entry with: primitives from the entry's
 * bytes, and references into the tables of strings, attributes, types and resources.
 */
import { type Cursor, corrupt } from "./cursor.js";
import { type Resource } from "./container.js";
import { type MlirAttribute, type MlirLocation, type MlirType } from "./ir.js";

/** The tables that entries refer to by index. */
export interface Tables {
  attribute(index: number): MlirAttribute;
  /** An attribute that must be a location; unknown where locations nest too deeply. */
  location(index: number): MlirLocation;
  type(index: number): MlirType;
  string(index: number): string;
  stringBytes(index: number): Uint8Array;
  resource(index: number): Resource;
}

export class EntryReader {
  readonly cursor: Cursor;
  readonly tables: Tables;
  /** Position of the entry in its table: the identity of a distinct attribute. */
  readonly index: number;

  constructor(cursor: Cursor, tables: Tables, index: number) {
    this.cursor = cursor;
    this.tables = tables;
    this.index = index;
  }

  attribute(): MlirAttribute {
    return this.tables.attribute(this.cursor.varint());
  }

  optionalAttribute(): MlirAttribute | null {
    const indexAndFlag = this.cursor.varint();
    return indexAndFlag % 2 === 1 ? this.tables.attribute((indexAndFlag - 1) / 2) : null;
  }

  attributes(): MlirAttribute[] {
    return this.cursor.list("attributes", () => this.attribute());
  }

  type(): MlirType {
    return this.tables.type(this.cursor.varint());
  }

  types(): MlirType[] {
    return this.cursor.list("types", () => this.type());
  }

  string(): string {
    return this.tables.string(this.cursor.varint());
  }

  /** An attribute that must be a string. */
  stringAttribute(): string {
    const attribute = this.attribute();
    if (attribute.kind !== "string") throw corrupt(`expected a string, found ${attribute.kind}`);
    return attribute.value;
  }

  /** An attribute that must be a location. */
  location(): MlirLocation {
    return this.tables.location(this.cursor.varint());
  }

  signedVarints(): number[] {
    return this.cursor.list("numbers", () => this.cursor.signedVarint());
  }

  /** Dimensions of a shape: null where the size is dynamic. */
  shape(): (number | null)[] {
    return this.cursor.list("dimensions", () => {
      const size = this.cursor.signedVarintOrDynamic();
      if (size !== null && size < 0) throw corrupt(`a dimension has size ${size}`);
      return size;
    });
  }

  staticShape(): number[] {
    return this.shape().map((size) => {
      if (size === null) throw corrupt("a dynamic dimension where a size is needed");
      return size;
    });
  }

  /** The bits of an integer of known width, unsigned. */
  bits(width: number): bigint {
    if (width <= 8) return BigInt(this.cursor.byte()) & ((1n << BigInt(width)) - 1n);
    if (width <= 64) return BigInt.asUintN(width, this.cursor.signedBigVarint());
    let value = 0n;
    this.cursor
      .list("words", () => this.cursor.signedBigVarint())
      .forEach((word, i) => (value |= BigInt.asUintN(64, word) << BigInt(64 * i)));
    return BigInt.asUintN(width, value);
  }
}

/** The location in `attribute`, which must be one. */
export function asLocation(attribute: MlirAttribute): MlirLocation {
  if (attribute.kind === "location") return attribute.location;
  if (attribute.kind === "opaque") return { kind: "opaque", text: attribute.text ?? "" };
  throw corrupt(`expected a location, found ${attribute.kind}`);
}
