/**
 * The operation section of MLIR bytecode: operations, regions, blocks and values. Values are
 * numbered within the nearest isolated region; nested regions continue the numbers of theirs.
 * Called by reader.ts.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { bytecodeVersions, type Container, type OperationName } from "./container.js";
import { type Cursor, corrupt, sectionId } from "./cursor.js";
import { EntryReader, type Tables } from "./entryReader.js";
import {
  type MlirAttribute,
  type MlirBlock,
  type MlirBlockArgument,
  type MlirLocation,
  type MlirOperation,
  type MlirRegion,
  type MlirType,
  type MlirValue,
} from "./ir.js";
import { propertySchema } from "./operationSchemas.js";

/** What an operation contains of an operation encoding, by bit. */
const has = {
  attributes: 0x01,
  results: 0x02,
  operands: 0x04,
  successors: 0x08,
  regions: 0x10,
  useListOrders: 0x20,
  properties: 0x40,
} as const;

/** Regions nest by one level per loop or branch of the program. */
const deepestRegion = 200;

const unknownLocation: MlirLocation = { kind: "unknown" };

/** A value whose type is not known before its definition has been read. */
interface MutableValue {
  readonly id: number;
  type: MlirType;
}

const undefinedType: MlirType = {
  kind: "opaque",
  dialect: "",
  text: null,
  bytes: new Uint8Array(),
};

/** Values defined directly in one region, and references to those not defined yet. */
interface RegionValues {
  /** Number of the first value. */
  readonly base: number;
  readonly size: number;
  readonly defined: MutableValue[];
  readonly forward: Map<number, MutableValue>;
}

/** The regions between an isolated region and the current position, outermost first. */
type Scope = RegionValues[];

interface Context {
  readonly scope: Scope;
  readonly blockCount: number;
  readonly parent: string;
  readonly depth: number;
}

/** Turns an operation as stored into one of the result; null drops it. */
export type Upgrade = (operation: MlirOperation, parent: string) => MlirOperation;

export class OperationReader {
  readonly #container: Container;
  readonly #tables: Tables;
  readonly #upgrade: Upgrade;
  #nextId = 0;

  constructor(container: Container, tables: Tables, upgrade: Upgrade) {
    this.#container = container;
    this.#tables = tables;
    this.#upgrade = upgrade;
  }

  /** The operations at the top of the file. */
  readTopLevel(): readonly MlirOperation[] {
    const cursor = this.#container.operations;
    const scope: Scope = [{ base: 0, size: 0, defined: [], forward: new Map() }];
    return this.#readBlock(cursor, { scope, blockCount: 1, parent: "", depth: 0 }).operations;
  }

  #readRegion(cursor: Cursor, scope: Scope, parent: string, depth: number): MlirRegion {
    if (depth > deepestRegion) throw corrupt(`regions nest deeper than ${deepestRegion} levels`);
    const blockCount = cursor.count("blocks");
    if (blockCount === 0) return { blocks: [] };
    const size = cursor.count("values");
    const outer = scope.at(-1);
    const base = outer === undefined ? 0 : outer.base + outer.size;
    const values: RegionValues = { base, size, defined: [], forward: new Map() };
    scope.push(values);
    const blocks: MlirBlock[] = [];
    for (let i = 0; i < blockCount; i++) {
      blocks.push(this.#readBlock(cursor, { scope, blockCount, parent, depth }));
    }
    scope.pop();
    if (values.forward.size > 0) throw corrupt("a value is used but never defined");
    return { blocks };
  }

  #readBlock(cursor: Cursor, context: Context): MlirBlock {
    const countAndFlag = cursor.varint();
    const hasArguments = countAndFlag % 2 === 1;
    const count = Math.floor(countAndFlag / 2);
    if (count > cursor.remaining) throw corrupt("a block announces more operations than there are");
    const blockArguments = hasArguments ? this.#readArguments(cursor, context) : [];
    const operations: MlirOperation[] = [];
    for (let i = 0; i < count; i++) {
      const operation = this.#readOperation(cursor, context);
      if (operation !== null) operations.push(operation);
    }
    return { arguments: blockArguments, operations };
  }

  #readArguments(cursor: Cursor, context: Context): MlirBlockArgument[] {
    const { version } = this.#container;
    const blockArguments = cursor.list("block arguments", () => {
      const typeIndex = cursor.varint();
      if (version < bytecodeVersions.elidedUnknownLocations) {
        return this.#define(context, this.#tables.type(typeIndex), this.#readLocation(cursor));
      }
      const type = this.#tables.type(Math.floor(typeIndex / 2));
      const location = typeIndex % 2 === 1 ? this.#readLocation(cursor) : unknownLocation;
      return this.#define(context, type, location);
    });
    if (version >= bytecodeVersions.useListOrders && cursor.byte() !== 0) {
      skipUseListOrders(cursor, blockArguments.length);
    }
    return blockArguments;
  }

  #readLocation(cursor: Cursor): MlirLocation {
    return this.#tables.location(cursor.varint());
  }

  #readOperation(cursor: Cursor, context: Context): MlirOperation | null {
    const nameIndex = cursor.varint();
    const operationName = this.#container.operationNames[nameIndex];
    if (operationName === undefined) throw corrupt(`there is no operation name ${nameIndex}`);
    const name = fullName(operationName);
    const mask = cursor.byte();
    const location = this.#readLocation(cursor);
    const attributes = this.#readAttributes(cursor, mask, name, operationName);
    const resultTypes =
      mask & has.results ? cursor.list("results", () => this.#tables.type(cursor.varint())) : [];
    const operands =
      mask & has.operands
        ? cursor.list("operands", () => lookUp(cursor, context, this.#forward))
        : [];
    const successors =
      mask & has.successors
        ? cursor.list("successors", () => successor(cursor, context.blockCount))
        : [];
    if (mask & has.useListOrders && this.#container.version >= bytecodeVersions.useListOrders) {
      skipUseListOrders(cursor, resultTypes.length);
    }
    const regionsAndFlag = mask & has.regions ? cursor.varint() : 0;
    if (this.#foldCast(context, name, operands, resultTypes)) return null;
    const results = this.#defineResults(context, resultTypes);
    const regions = this.#readRegions(cursor, regionsAndFlag, name, context);
    return this.#upgrade(
      { name, operands, results, attributes, regions, successors, location },
      context.parent,
    );
  }

  #readRegions(
    cursor: Cursor,
    countAndIsolated: number,
    parent: string,
    context: Context,
  ): MlirRegion[] {
    const isolated = countAndIsolated % 2 === 1;
    const count = Math.floor(countAndIsolated / 2);
    if (count > cursor.remaining)
      throw corrupt("an operation announces more regions than there are");
    const regions: MlirRegion[] = [];
    if (count === 0) return regions;
    let inner = cursor;
    if (isolated && this.#container.version >= bytecodeVersions.isolatedRegionsInSections) {
      const section = cursor.section();
      if (section.id !== sectionId.ir) throw corrupt("a region is not in an operation section");
      inner = section.cursor;
    }
    const scope = isolated ? [] : context.scope;
    for (let i = 0; i < count; i++) {
      regions.push(this.#readRegion(inner, scope, parent, context.depth + 1));
    }
    return regions;
  }

  #readAttributes(
    cursor: Cursor,
    mask: number,
    name: string,
    operationName: OperationName,
  ): Map<string, MlirAttribute> {
    const attributes = new Map<string, MlirAttribute>();
    if (mask & has.attributes) addEntries(attributes, this.#tables.attribute(cursor.varint()));
    if (mask & has.properties) {
      const index = cursor.varint();
      const properties = this.#container.properties[index];
      if (properties === undefined) throw corrupt(`there are no properties ${index}`);
      const reader = new EntryReader(properties.restarted(), this.#tables, index);
      if (operationName.registered) this.#readProperties(reader, name, attributes);
      else addEntries(attributes, reader.attribute());
    } else if (operationName.dialect === "vhlo" && propertySchema(name) === undefined) {
      throw this.#unknownOperation(name);
    }
    return attributes;
  }

  #readProperties(reader: EntryReader, name: string, attributes: Map<string, MlirAttribute>): void {
    const schema = propertySchema(name);
    if (schema === undefined) throw this.#unknownOperation(name);
    for (const property of schema) {
      const value = property.optional ? reader.optionalAttribute() : reader.attribute();
      if (value !== null) attributes.set(property.name, value);
    }
    if (!reader.cursor.done) throw corrupt(`${name} has more properties than are known`);
  }

  #unknownOperation(name: string): Jax2TfjsError {
    if (/^(stablehlo|chlo|mhlo)\./.test(name)) {
      return new Jax2TfjsError(
        "artifact-not-portable",
        `the bytecode holds ${name}, not the versioned form of it (VHLO) that can be read anywhere`,
        { fix: "use jax.export's serialize(), or stablehlo.serialize_portable_artifact" },
      );
    }
    return new Jax2TfjsError(
      "unknown-op",
      `the artifact contains ${name}, which is not known here (written by ` +
        `${this.#container.producer})`,
      { primitive: name, fix: "export with an older JAX, or use a newer jax2tfjs" },
    );
  }

  readonly #forward = (values: RegionValues, index: number): MutableValue => {
    const value = values.forward.get(index) ?? { id: this.#nextId++, type: undefinedType };
    values.forward.set(index, value);
    return value;
  };

  /** Defines the next value of the current region. */
  #define<Extra extends MlirLocation | undefined>(
    context: Context,
    type: MlirType,
    location: Extra,
  ): Extra extends MlirLocation ? MlirBlockArgument : MlirValue;
  #define(context: Context, type: MlirType, location?: MlirLocation): MlirValue {
    const values = context.scope.at(-1);
    const index = values?.defined.length ?? 0;
    if (values === undefined || index >= values.size) {
      throw corrupt("a region defines more values than it announces");
    }
    const value: MutableValue = values.forward.get(index) ?? { id: this.#nextId++, type };
    values.forward.delete(index);
    value.type = type;
    values.defined.push(value);
    return location === undefined ? value : Object.assign(value, { location });
  }

  #defineResults(context: Context, types: readonly MlirType[]): MlirValue[] {
    // Results at the top level belong to no region and cannot be used.
    if (context.depth === 0) return types.map((type) => ({ id: this.#nextId++, type }));
    return types.map((type) => this.#define(context, type, undefined));
  }

  /**
   * Casts between VHLO types and the builtin types they stand for, written around operations of
   * other dialects, cast nothing once the types are upgraded: the operand takes the result's place.
   */
  #foldCast(
    context: Context,
    name: string,
    operands: readonly MlirValue[],
    resultTypes: readonly MlirType[],
  ): boolean {
    const values = context.scope.at(-1);
    if (name !== "builtin.unrealized_conversion_cast" || values === undefined) return false;
    if (operands.length !== resultTypes.length || context.depth === 0) return false;
    const start = values.defined.length;
    const foldable = operands.every(
      ({ type }, i) => sameType(type, resultTypes[i]) && !values.forward.has(start + i),
    );
    if (!foldable || start + operands.length > values.size) return false;
    for (const operand of operands) values.defined.push(operand);
    return true;
  }
}

const fullName = ({ dialect, name }: OperationName): string =>
  name === "" ? dialect : `${dialect}.${name}`;

function addEntries(attributes: Map<string, MlirAttribute>, dictionary: MlirAttribute): void {
  if (dictionary.kind !== "dictionary")
    throw corrupt("the attributes of an operation are no dictionary");
  for (const [name, value] of dictionary.entries) attributes.set(name, value);
}

/** The value an operand refers to, which may be defined later. */
function lookUp(
  cursor: Cursor,
  { scope }: Context,
  forward: (values: RegionValues, index: number) => MutableValue,
): MlirValue {
  const number = cursor.varint();
  for (let i = scope.length - 1; i >= 0; i--) {
    const values = scope[i];
    if (values === undefined || number < values.base) continue;
    const index = number - values.base;
    if (index >= values.size) break;
    return values.defined[index] ?? forward(values, index);
  }
  throw corrupt(`there is no value ${number}`);
}

function successor(cursor: Cursor, blockCount: number): number {
  const index = cursor.varint();
  if (index >= blockCount) throw corrupt(`there is no block ${index}`);
  return index;
}

/** The order of a value's uses has no meaning for the program. */
function skipUseListOrders(cursor: Cursor, valueCount: number): void {
  const listCount = valueCount > 1 ? cursor.count("use lists") : 1;
  for (let i = 0; i < listCount; i++) {
    if (valueCount > 1) cursor.varint();
    const countAndFlag = cursor.varint();
    const count = Math.floor(countAndFlag / 2);
    if (count > cursor.remaining) throw corrupt("a use list is longer than the section");
    for (let use = 0; use < count; use++) cursor.varint();
  }
}

/** Equality of the types that values have; of tuples one level, false where in doubt. */
function sameType(a: MlirType, b: MlirType | undefined, depth = 0): boolean {
  if (b === undefined) return false;
  if (a === b) return true;
  if (a.kind === "tensor" && b.kind === "tensor") {
    const sameShape =
      a.shape.length === b.shape.length && a.shape.every((n, i) => n === b.shape[i]);
    return sameShape && a.encoding === b.encoding && sameType(a.elementType, b.elementType, depth);
  }
  if (a.kind === "complex" && b.kind === "complex") {
    return depth < 2 && sameType(a.elementType, b.elementType, depth + 1);
  }
  if (a.kind === "tuple" && b.kind === "tuple") {
    const sameLength = depth === 0 && a.types.length === b.types.length;
    return sameLength && a.types.every((type, i) => sameType(type, b.types[i], 1));
  }
  if (a.kind === "float" && b.kind === "float") return a.name === b.name;
  if (a.kind === "integer" && b.kind === "integer") {
    return a.width === b.width && a.signedness === b.signedness;
  }
  return a.kind === b.kind && (a.kind === "index" || a.kind === "token");
}
