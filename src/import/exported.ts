/**
 * Reader of JAX export artifacts: the bytes of `jax.export.Exported.serialize()`, of every
 * serialization version so far. Entry point of the importer, before the MLIR reader.
 */
import type { DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import {
  corruptArtifact,
  dtypesByNumber,
  fields,
  FlatBuffer,
  type FlatTable,
  memorySpaces,
} from "./exportedSchema.js";
import { isMlirBytecode } from "./mlir/reader.js";
import { leafCount, type PyTreeDef } from "./pytreeDef.js";

/** The type of an argument or result. */
export interface ExportedAval {
  /** Sizes; a symbolic one is its expression as JAX prints it (`b`, `2*b + 1`, `floordiv(a, 2)`). */
  readonly shape: readonly (number | string)[];
  readonly dtype: DType;
  readonly memorySpace: (typeof memorySpaces)[number];
}

/** Where an argument or result is placed, summarized: it has no meaning on one device. */
export type ExportedSharding =
  | { readonly kind: "unspecified" }
  | { readonly kind: "hlo"; readonly proto: Uint8Array }
  | {
      readonly kind: "named";
      readonly axes: readonly { readonly name: string; readonly size: number }[];
      /** Per dimension, the mesh axes it is split over. */
      readonly spec: readonly (readonly string[])[];
      readonly memoryKind: string | null;
    };

/** What an export artifact says about its function, with the module still as bytes. */
export interface ExportedProgram {
  readonly functionName: string;
  /** `((arg, arg, …), {kwarg: …})`. */
  readonly inTree: PyTreeDef;
  readonly outTree: PyTreeDef;
  /** Types of the flattened arguments and results. */
  readonly inAvals: readonly ExportedAval[];
  readonly outAvals: readonly ExportedAval[];
  readonly nrDevices: number;
  readonly inShardings: readonly ExportedSharding[];
  readonly outShardings: readonly ExportedSharding[];
  /** Lower-case platform names (`cpu`, `cuda`, `rocm`, `tpu`). */
  readonly platforms: readonly string[];
  readonly orderedEffects: readonly string[];
  readonly unorderedEffects: readonly string[];
  /** `platform`, `custom_call:<target>`. */
  readonly disabledSafetyChecks: readonly string[];
  /** MLIR bytecode: a view of the artifact. */
  readonly mlirModuleSerialized: Uint8Array;
  /** 9, or 10 (the same for functions on one device). */
  readonly callingConventionVersion: number;
  /** Positions of the flattened arguments that the module takes. */
  readonly moduleKeptVarIdx: readonly number[];
  /** The module's main function starts with dimension variables or a platform index. */
  readonly usesGlobalConstants: boolean;
  readonly serializationVersion: number;
  /** The JAX that wrote the artifact, if it says so. */
  readonly jaxVersion: string | null;
  /** The function that computes cotangents, if serialized with it. Read on first use. */
  readonly vjp: ExportedProgram | null;
}

/** Conventions for main's arguments: JAX still reads 9, and writes 10. */
const callingConventions = { oldest: 9, newest: 10 } as const;

/** Version 1 was never released; JAX wrote 2 and 3 for years, whatever the schema. */
const serializationVersions = { oldest: 2, newest: 12 } as const;

export type ArtifactKind =
  "empty" | "exported" | "mlir-bytecode" | "mlir-text" | "zip" | "pickle" | "npy" | "unknown";

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

/**
 * What a file is, by its first bytes: `exported` (JAX's `Exported.serialize()`), `mlir-bytecode`
 * (a bare StableHLO portable artifact, `.mlirbc`), or something that users confuse with these.
 * The contents are not checked.
 */
export function artifactKind(bytes: Uint8Array): ArtifactKind {
  if (bytes.length === 0) return "empty";
  if (isMlirBytecode(bytes)) return "mlir-bytecode";
  if (looksExported(bytes)) return "exported";
  if (startsWith(bytes, [0x50, 0x4b, 3, 4])) return "zip";
  if (startsWith(bytes, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59])) return "npy";
  const start = String.fromCharCode(...bytes.subarray(0, 64)).trimStart();
  if (/^(module\b|#loc|"builtin\.module"|\/\/)/.test(start)) return "mlir-text";
  if (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 9) <= 5) return "pickle";
  return "unknown";
}

/** The root table of an Exported is written last, and so lies right behind its vtable. */
const farthestRoot = 1024;

/** The root table of a flatbuffer with as many fields as an Exported has had from the beginning. */
function looksExported(bytes: Uint8Array): boolean {
  const buffer = new FlatBuffer(bytes);
  try {
    const { fieldCount } = buffer.root();
    return fieldCount > fields.exported.callingConventionVersion && fieldCount < 200;
  } catch (error) {
    // Cut off before the end of the root table: its offset is all there is to go by.
    const cut = error instanceof Jax2TfjsError && error.code === "artifact-truncated";
    return cut && bytes.length >= 4 && buffer.uint32(0, "its header") < farthestRoot;
  }
}

const kindAdvice: Partial<Record<ArtifactKind, string>> = {
  "mlir-bytecode":
    "this is a bare StableHLO module; read it with readMlirModule, or give the bytes of " +
    "jax.export.export(...)(...).serialize()",
  "mlir-text":
    "this is MLIR text; give the bytes of jax.export.export(...)(...).serialize() instead",
  zip: "this is a zip or npz file; parameters go into another argument",
  pickle: "this is a Python pickle; give the bytes of jax.export.export(...)(...).serialize()",
  npy: "this is an array; parameters go into another argument",
};

/**
 * Reads an artifact. The module is not decoded (see `readMlirModule`); nothing is executed and
 * nothing is unpickled.
 *
 * Throws `artifact-empty`, `artifact-not-exported` (something else), `artifact-truncated`,
 * `artifact-corrupt`, `artifact-version-unsupported` (a newer serialization or calling convention,
 * or a calling convention older than 9).
 */
export function readExported(bytes: Uint8Array): ExportedProgram {
  const kind = artifactKind(bytes);
  if (kind === "empty") {
    throw new Jax2TfjsError("artifact-empty", "the export artifact is empty (0 bytes)", {
      fix: "write the bytes that jax.export.export(...)(...).serialize() returns to the file",
    });
  }
  if (kind !== "exported") {
    throw new Jax2TfjsError(
      "artifact-not-exported",
      "the file is not the result of jax.export's Exported.serialize()",
      { fix: kindAdvice[kind] ?? "export with jax.export.export(jax.jit(f))(...).serialize()" },
    );
  }
  return readProgram(new FlatBuffer(bytes).root(), { nodes: largestTree });
}

/** More containers and leaves than any program has. */
const largestTree = 1 << 18;

/** How many tree nodes may still be read: shared nodes must not multiply without end. */
interface Budget {
  nodes: number;
}

function readProgram(table: FlatTable, budget: Budget): ExportedProgram {
  const field = fields.exported;
  const serializationVersion = table.uint16(field.serializationVersion);
  const callingConventionVersion = table.uint16(field.callingConventionVersion);
  checkVersions(serializationVersion, callingConventionVersion);
  const inAvals = readAvals(table, field.inAvalsIdxs, field.inAvals);
  const outAvals = readAvals(table, field.outAvalsIdxs, field.outAvals);
  const module = table.bytes(field.mlirModuleSerialized, "the MLIR module");
  if (module.length === 0) throw corruptArtifact("it has no MLIR module");
  const moduleKeptVarIdx = table.uint16s(field.moduleKeptVarIdx, "the kept arguments");
  if (moduleKeptVarIdx.some((index) => index >= inAvals.length)) {
    throw corruptArtifact("its module keeps an argument that the function does not have");
  }
  return {
    functionName: table.string(field.functionName, "the function name") ?? "",
    inTree: readTree(table, field.inTree, inAvals.length, "argument", budget),
    outTree: readTree(table, field.outTree, outAvals.length, "result", budget),
    inAvals,
    outAvals,
    nrDevices: table.uint32(field.nrDevices) || table.uint16(field.nrDevicesShort),
    inShardings: readShardings(table, field.inShardingsIdxs, field.inShardings),
    outShardings: readShardings(table, field.outShardingsIdxs, field.outShardings),
    platforms: table.strings(field.platforms, "the platforms"),
    orderedEffects: readEffects(table, field.orderedEffects),
    unorderedEffects: readEffects(table, field.unorderedEffects),
    disabledSafetyChecks: readDisabledChecks(table),
    mlirModuleSerialized: module,
    callingConventionVersion,
    moduleKeptVarIdx,
    usesGlobalConstants: table.uint8(field.usesGlobalConstants) !== 0,
    serializationVersion,
    jaxVersion: table.string(field.jaxVersion, "the JAX version"),
    get vjp() {
      const nested = table.table(field.vjp, "the vjp");
      const vjp = nested === null ? null : readProgram(nested, budget);
      Object.defineProperty(this, "vjp", { value: vjp, enumerable: true });
      return vjp;
    },
  };
}

function checkVersions(serialization: number, convention: number): void {
  const unsupported = (message: string, fix: string): Jax2TfjsError =>
    new Jax2TfjsError("artifact-version-unsupported", message, { fix });
  if (serialization > serializationVersions.newest) {
    throw unsupported(
      `the artifact has serialization version ${serialization}; the newest known here is ` +
        `${serializationVersions.newest}`,
      "use a newer jax2tfjs, or export with an older JAX",
    );
  }
  if (serialization < serializationVersions.oldest) {
    throw unsupported(
      `the artifact has serialization version ${serialization}; the oldest known here is ` +
        `${serializationVersions.oldest}`,
      "export again with JAX 0.4.35 or newer",
    );
  }
  if (convention > callingConventions.newest || convention < callingConventions.oldest) {
    throw unsupported(
      `the artifact has calling convention version ${convention}; known here are ` +
        `${callingConventions.oldest} to ${callingConventions.newest}`,
      convention < callingConventions.oldest
        ? "export again with JAX 0.4.35 or newer"
        : "use a newer jax2tfjs, or set JAX_EXPORT_CALLING_CONVENTION_VERSION=10 when exporting",
    );
  }
}

/** Newer artifacts list distinct types once and refer to them; older ones list them all. */
function readAvals(table: FlatTable, indexField: number, listField: number): ExportedAval[] {
  const indices = table.uint32s(indexField, "the types of arguments and results");
  if (indices.length === 0) {
    return table.tables(listField, "the types of arguments and results").map(readAval);
  }
  const unique = table.tables(fields.exported.uniqueAvals, "the types").map(readAval);
  return indices.map((index) => {
    const aval = unique[index];
    if (aval === undefined) throw corruptArtifact(`there is no type ${index}`);
    return aval;
  });
}

function readAval(table: FlatTable): ExportedAval {
  const number = table.uint8(fields.abstractValue.dtype);
  const dtype = dtypesByNumber[number];
  if (dtype === undefined) {
    throw new Jax2TfjsError(
      "artifact-version-unsupported",
      `the artifact uses element type number ${number}, which is not known here`,
      { fix: "use a newer jax2tfjs, or export with an older JAX" },
    );
  }
  const shape = table.strings(fields.abstractValue.shape, "a shape").map((size) => {
    if (/^\d+$/.test(size)) return Number(size);
    if (size.trim() === "") throw corruptArtifact("a dimension without size");
    return size;
  });
  const memorySpace = memorySpaces[table.uint8(fields.abstractValue.memorySpace)] ?? "unspecified";
  return { shape, dtype, memorySpace };
}

/** Deeper than any container a program has. */
const deepestTree = 128;

function readTree(
  table: FlatTable,
  field: number,
  leaves: number,
  what: "argument" | "result",
  budget: Budget,
): PyTreeDef {
  const root = table.table(field, `the ${what} tree`);
  if (root === null) throw corruptArtifact(`its ${what} tree is missing`);
  const tree = readTreeNode(root, budget, 0);
  const found = leafCount(tree);
  if (found !== leaves) {
    throw corruptArtifact(`its ${what} tree has ${found} leaves for ${leaves} ${what}s`);
  }
  return tree;
}

function readTreeNode(table: FlatTable, budget: Budget, depth: number): PyTreeDef {
  if (depth > deepestTree) throw corruptArtifact(`a tree nests deeper than ${deepestTree} levels`);
  if (budget.nodes-- <= 0) throw corruptArtifact(`its trees have more than ${largestTree} nodes`);
  const field = fields.pyTreeDef;
  const kind = table.uint8(field.kind);
  const children = table
    .tables(field.children, "a tree")
    .map((child) => readTreeNode(child, budget, depth + 1));
  switch (kind) {
    case 0:
      return { kind: "leaf" };
    case 1:
      return { kind: "none" };
    case 2:
      return { kind: "tuple", children };
    case 3:
      return { kind: "list", children };
    case 4: {
      const keys = table.strings(field.childrenNames, "a dictionary's keys");
      if (keys.length !== children.length) {
        throw corruptArtifact(`a dictionary has ${keys.length} keys, ${children.length} children`);
      }
      return { kind: "dict", keys, children };
    }
    case 5: {
      const name = table.string(field.customName, "a container's name") ?? "";
      const auxData = table.bytes(field.customAuxdata, `the data of ${name}`);
      const names = fieldNames(auxData, children.length);
      return { kind: "custom", name, fields: names, children, auxData };
    }
    default:
      throw corruptArtifact(`a tree node of unknown kind ${kind}`);
  }
}

/** Namedtuples and OrderedDicts store the names of their children as a JSON list. */
function fieldNames(auxData: Uint8Array, count: number): string[] | null {
  if (auxData[0] !== 0x5b) return null;
  let names: unknown;
  try {
    names = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(auxData));
  } catch {
    return null;
  }
  if (!Array.isArray(names) || names.length !== count) return null;
  return names.every((name): name is string => typeof name === "string") ? names : null;
}

function readEffects(table: FlatTable, field: number): string[] {
  return table
    .tables(field, "the effects")
    .map((effect) => effect.string(fields.effect.typeName, "an effect") ?? "");
}

function readDisabledChecks(table: FlatTable): string[] {
  const field = fields.disabledSafetyCheck;
  return table.tables(fields.exported.disabledChecks, "the disabled checks").map((check) => {
    const kind = check.uint8(field.kind);
    if (kind === 0) return "platform";
    if (kind === 1) return `custom_call:${check.string(field.customCallTarget, "a check") ?? ""}`;
    return kind === 2 ? "shape_assertions" : `unknown:${kind}`;
  });
}

function readShardings(
  table: FlatTable,
  indexField: number,
  listField: number,
): ExportedSharding[] {
  const meshes = table.tables(fields.exported.uniqueAbstractMeshes, "the meshes");
  const indices = table.uint32s(indexField, "the shardings");
  if (indices.length === 0) {
    return table
      .tables(listField, "the shardings")
      .map((sharding) => readSharding(sharding, meshes));
  }
  const unique = table
    .tables(fields.exported.uniqueNamedShardings, "the shardings")
    .map((sharding) => readNamedSharding(sharding, meshes));
  return indices.map((index) => {
    if (index === 0) return { kind: "unspecified" };
    const sharding = unique[index - 1];
    if (sharding === undefined) throw corruptArtifact(`there is no sharding ${index}`);
    return sharding;
  });
}

function readSharding(table: FlatTable, meshes: readonly FlatTable[]): ExportedSharding {
  const named = table.table(fields.sharding.namedSharding, "a sharding");
  if (named !== null) return readNamedSharding(named, meshes);
  const proto = table.bytes(fields.sharding.hloShardingProto, "a sharding");
  return proto.length === 0 ? { kind: "unspecified" } : { kind: "hlo", proto };
}

function readNamedSharding(table: FlatTable, meshes: readonly FlatTable[]): ExportedSharding {
  const field = fields.namedSharding;
  const mesh =
    meshes[table.uint32(field.abstractMeshIdx)] ?? table.table(field.mesh, "a sharding's mesh");
  const spec = table.table(field.spec, "a sharding's spec");
  if (mesh === null || spec === null) throw corruptArtifact("a sharding without mesh or spec");
  const sizes = mesh.uint32s(fields.abstractMesh.axisSizes, "a mesh");
  const names = mesh.strings(fields.abstractMesh.axisNames, "a mesh");
  return {
    kind: "named",
    axes: names.map((name, i) => ({ name, size: sizes[i] ?? 1 })),
    spec: spec
      .tables(fields.partitionSpec.partitions, "a sharding's spec")
      .map((axis) => axis.strings(fields.partitionSpecOneAxis.axes, "a sharding's spec")),
    memoryKind: table.string(field.memoryKind, "a memory kind"),
  };
}
