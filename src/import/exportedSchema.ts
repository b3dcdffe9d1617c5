/**
 * The flatbuffer schema of `jax.export.Exported.serialize()` as tables of field numbers and
 * enumerations, and bounds-checked access to flatbuffer tables. Used by exported.ts.
 *
 * Field numbers are fixed by the schema and only ever added to, so one table serves all versions.
 */
import type { DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";

/** Fields of the tables, in schema order. */
export const fields = {
  exported: {
    serializationVersion: 0,
    functionName: 1,
    inTree: 2,
    inAvals: 3,
    outTree: 4,
    outAvals: 5,
    nrDevicesShort: 6,
    inShardings: 7,
    outShardings: 8,
    platforms: 9,
    orderedEffects: 10,
    unorderedEffects: 11,
    disabledChecks: 12,
    mlirModuleSerialized: 13,
    callingConventionVersion: 14,
    moduleKeptVarIdx: 15,
    usesGlobalConstants: 16,
    vjp: 17,
    nrDevices: 18,
    uniqueAvals: 19,
    uniqueAbstractMeshes: 20,
    uniqueNamedShardings: 21,
    inAvalsIdxs: 22,
    outAvalsIdxs: 23,
    inShardingsIdxs: 24,
    outShardingsIdxs: 25,
    jaxVersion: 26,
  },
  pyTreeDef: { kind: 0, children: 1, childrenNames: 2, customName: 3, customAuxdata: 4 },
  abstractValue: { kind: 0, shape: 1, dtype: 2, memorySpace: 3 },
  sharding: { kind: 0, hloShardingProto: 1, namedSharding: 2 },
  namedSharding: { mesh: 0, spec: 1, memoryKind: 2, abstractMeshIdx: 3 },
  abstractMesh: { axisSizes: 0, axisNames: 1, axisTypes: 2 },
  partitionSpec: { partitions: 0, reduced: 1, unreduced: 2 },
  partitionSpecOneAxis: { axes: 0 },
  effect: { typeName: 0 },
  disabledSafetyCheck: { kind: 0, customCallTarget: 1 },
} as const;

/** Element types by their number in the schema. */
export const dtypesByNumber: readonly DType[] = [
  "bool",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "float16",
  "float32",
  "float64",
  "complex64",
  "complex128",
  "bfloat16",
  "int4",
  "uint4",
  "float8_e4m3b11fnuz",
  "float8_e4m3fn",
  "float8_e4m3fnuz",
  "float8_e5m2",
  "float8_e5m2fnuz",
  "float0",
  "float8_e4m3",
  "float8_e3m4",
  "float8_e8m0fnu",
  "float4_e2m1fn",
  "key<fry>",
  "key<rbg>",
  "key<urbg>",
];

export const memorySpaces = ["unspecified", "device", "host", "any"] as const;

/** The artifact contradicts itself. */
export function corruptArtifact(message: string): Jax2TfjsError {
  return new Jax2TfjsError("artifact-corrupt", `the export artifact is damaged: ${message}`, {
    fix: "copy the artifact again in full (binary mode), or export it again",
  });
}

function truncatedArtifact(what: string): Jax2TfjsError {
  return new Jax2TfjsError("artifact-truncated", `the export artifact ends inside ${what}`, {
    fix: "copy the artifact again in full (binary mode), or export it again",
  });
}

/** The whole artifact, with checked reads. */
export class FlatBuffer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #check(at: number, size: number, what: string): void {
    if (at + size > this.bytes.length) throw truncatedArtifact(what);
  }

  uint8(at: number, what: string): number {
    this.#check(at, 1, what);
    return this.#view.getUint8(at);
  }

  uint16(at: number, what: string): number {
    this.#check(at, 2, what);
    return this.#view.getUint16(at, true);
  }

  uint32(at: number, what: string): number {
    this.#check(at, 4, what);
    return this.#view.getUint32(at, true);
  }

  int32(at: number, what: string): number {
    this.#check(at, 4, what);
    return this.#view.getInt32(at, true);
  }

  slice(at: number, size: number, what: string): Uint8Array {
    this.#check(at, size, what);
    return this.bytes.subarray(at, at + size);
  }

  /** The table that the offset at the start of the buffer points to. */
  root(): FlatTable {
    return new FlatTable(this, this.uint32(0, "its header"), "the artifact's root");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A table: fields found through a vtable, absent ones having a default. */
export class FlatTable {
  readonly #buffer: FlatBuffer;
  readonly #at: number;
  readonly #vtable: number;
  readonly #vtableSize: number;
  readonly #size: number;
  readonly #what: string;

  constructor(buffer: FlatBuffer, at: number, what: string) {
    this.#buffer = buffer;
    this.#at = at;
    this.#what = what;
    this.#vtable = at - buffer.int32(at, what);
    if (this.#vtable < 0) throw corruptArtifact(`${what} has no vtable`);
    this.#vtableSize = buffer.uint16(this.#vtable, what);
    this.#size = buffer.uint16(this.#vtable + 2, what);
    if (this.#vtableSize < 4 || this.#vtableSize % 2 !== 0 || this.#size < 4) {
      throw corruptArtifact(`${what} has a vtable of impossible size`);
    }
    buffer.slice(this.#vtable, this.#vtableSize, what);
    buffer.slice(at, this.#size, what);
  }

  /** How many fields the writer knew. */
  get fieldCount(): number {
    return (this.#vtableSize - 4) / 2;
  }

  /** Position of a field's value, or null if the field is absent. */
  #position(field: number, size: number): number | null {
    if (field >= this.fieldCount) return null;
    const offset = this.#buffer.uint16(this.#vtable + 4 + 2 * field, this.#what);
    if (offset === 0) return null;
    if (offset < 4 || offset + size > this.#size) {
      throw corruptArtifact(`field ${field} of ${this.#what} is outside of it`);
    }
    return this.#at + offset;
  }

  uint8(field: number): number {
    const at = this.#position(field, 1);
    return at === null ? 0 : this.#buffer.uint8(at, this.#what);
  }

  uint16(field: number): number {
    const at = this.#position(field, 2);
    return at === null ? 0 : this.#buffer.uint16(at, this.#what);
  }

  uint32(field: number): number {
    const at = this.#position(field, 4);
    return at === null ? 0 : this.#buffer.uint32(at, this.#what);
  }

  /** Position that an offset field points to. */
  #target(field: number): number | null {
    const at = this.#position(field, 4);
    return at === null ? null : at + this.#buffer.uint32(at, this.#what);
  }

  table(field: number, what: string): FlatTable | null {
    const at = this.#target(field);
    return at === null ? null : new FlatTable(this.#buffer, at, what);
  }

  /** Start and length of a vector, whose elements must all be there; absent ones are empty. */
  #vector(field: number, elementSize: number, what: string): { start: number; length: number } {
    const at = this.#target(field);
    if (at === null) return { start: 0, length: 0 };
    const length = this.#buffer.uint32(at, what);
    this.#buffer.slice(at + 4, length * elementSize, what);
    return { start: at + 4, length };
  }

  /** A byte vector, as a view. */
  bytes(field: number, what: string): Uint8Array {
    const { start, length } = this.#vector(field, 1, what);
    return this.#buffer.slice(start, length, what);
  }

  uint16s(field: number, what: string): number[] {
    const { start, length } = this.#vector(field, 2, what);
    return Array.from({ length }, (_, i) => this.#buffer.uint16(start + 2 * i, what));
  }

  uint32s(field: number, what: string): number[] {
    const { start, length } = this.#vector(field, 4, what);
    return Array.from({ length }, (_, i) => this.#buffer.uint32(start + 4 * i, what));
  }

  tables(field: number, what: string): FlatTable[] {
    const { start, length } = this.#vector(field, 4, what);
    return Array.from({ length }, (_, i) => {
      const at = start + 4 * i;
      return new FlatTable(this.#buffer, at + this.#buffer.uint32(at, what), what);
    });
  }

  #stringAt(at: number, what: string): string {
    const bytes = this.#buffer.slice(at + 4, this.#buffer.uint32(at, what), what);
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new Jax2TfjsError("artifact-corrupt", `${what} is not valid UTF-8`, { cause });
    }
  }

  /** A string, or null if absent. */
  string(field: number, what: string): string | null {
    const at = this.#target(field);
    return at === null ? null : this.#stringAt(at, what);
  }

  strings(field: number, what: string): string[] {
    const { start, length } = this.#vector(field, 4, what);
    return Array.from({ length }, (_, i) => {
      const at = start + 4 * i;
      return this.#stringAt(at + this.#buffer.uint32(at, what), what);
    });
  }
}
