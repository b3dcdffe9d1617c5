// Makes export artifacts field by field, sound or not, with the flatbuffers library.
import { Builder } from "flatbuffers";
import { fields } from "../../src/import/exportedSchema.js";

/** A pytree as the schema has it. */
export interface TreeNode {
  readonly kind: number;
  readonly children?: readonly TreeNode[];
  readonly names?: readonly string[];
  readonly customName?: string;
  readonly auxData?: Uint8Array;
}

export interface ArtifactParts {
  readonly serializationVersion?: number;
  readonly callingConventionVersion?: number;
  readonly functionName?: string;
  readonly inTree?: TreeNode | null;
  readonly outTree?: TreeNode;
  readonly inAvals?: readonly AvalParts[];
  readonly outAvals?: readonly AvalParts[];
  readonly uniqueAvals?: readonly AvalParts[];
  readonly inAvalsIdxs?: readonly number[];
  readonly nrDevicesShort?: number;
  readonly nrDevices?: number;
  readonly hloShardings?: readonly (Uint8Array | null)[];
  readonly effects?: readonly string[];
  readonly checks?: readonly (readonly [kind: number, target?: string])[];
  readonly module?: Uint8Array;
  readonly keptVarIdx?: readonly number[];
  readonly jaxVersion?: string;
  readonly vjp?: ArtifactParts;
}

export interface AvalParts {
  readonly shape: readonly string[];
  readonly dtype: number;
}

const leaf: TreeNode = { kind: 0 };

function bytesVector(builder: Builder, bytes: Uint8Array): number {
  return builder.createByteVector(bytes);
}

function offsets(builder: Builder, items: readonly number[]): number {
  builder.startVector(4, items.length, 4);
  for (const item of items.toReversed()) builder.addOffset(item);
  return builder.endVector();
}

function numbers(builder: Builder, items: readonly number[], size: 2 | 4): number {
  builder.startVector(size, items.length, size);
  for (const item of items.toReversed()) {
    if (size === 2) builder.addInt16(item);
    else builder.addInt32(item);
  }
  return builder.endVector();
}

function writeTree(builder: Builder, node: TreeNode): number {
  const field = fields.pyTreeDef;
  const children = offsets(
    builder,
    (node.children ?? []).map((child) => writeTree(builder, child)),
  );
  const names = offsets(
    builder,
    (node.names ?? []).map((name) => builder.createString(name)),
  );
  const customName = node.customName === undefined ? 0 : builder.createString(node.customName);
  const auxData = node.auxData === undefined ? 0 : bytesVector(builder, node.auxData);
  builder.startObject(5);
  builder.addFieldInt8(field.kind, node.kind, 0);
  builder.addFieldOffset(field.children, children, 0);
  builder.addFieldOffset(field.childrenNames, names, 0);
  builder.addFieldOffset(field.customName, customName, 0);
  builder.addFieldOffset(field.customAuxdata, auxData, 0);
  return builder.endObject();
}

function writeAval(builder: Builder, { shape, dtype }: AvalParts): number {
  const sizes = offsets(
    builder,
    shape.map((size) => builder.createString(size)),
  );
  builder.startObject(4);
  builder.addFieldOffset(fields.abstractValue.shape, sizes, 0);
  builder.addFieldInt8(fields.abstractValue.dtype, dtype, 0);
  return builder.endObject();
}

function writeSharding(builder: Builder, proto: Uint8Array | null): number {
  const bytes = proto === null ? 0 : bytesVector(builder, proto);
  builder.startObject(3);
  builder.addFieldOffset(fields.sharding.hloShardingProto, bytes, 0);
  return builder.endObject();
}

function writeEffect(builder: Builder, name: string): number {
  const typeName = builder.createString(name);
  builder.startObject(1);
  builder.addFieldOffset(fields.effect.typeName, typeName, 0);
  return builder.endObject();
}

function writeCheck(builder: Builder, [kind, target]: readonly [number, string?]): number {
  const name = target === undefined ? 0 : builder.createString(target);
  builder.startObject(2);
  builder.addFieldInt8(fields.disabledSafetyCheck.kind, kind, 0);
  builder.addFieldOffset(fields.disabledSafetyCheck.customCallTarget, name, 0);
  return builder.endObject();
}

function writeArtifact(builder: Builder, parts: ArtifactParts): number {
  const field = fields.exported;
  const inAvals = parts.inAvals ?? [{ shape: ["2"], dtype: 10 }];
  const outAvals = parts.outAvals ?? [{ shape: [], dtype: 10 }];
  const list = <T>(items: readonly T[], write: (builder: Builder, item: T) => number): number =>
    offsets(
      builder,
      items.map((item) => write(builder, item)),
    );
  const entries: [number, number][] = [
    [field.functionName, builder.createString(parts.functionName ?? "f")],
    [field.outTree, writeTree(builder, parts.outTree ?? leaf)],
    [field.inAvals, list(inAvals, writeAval)],
    [field.outAvals, list(outAvals, writeAval)],
    [field.inShardings, list(parts.hloShardings ?? [], writeSharding)],
    [field.platforms, offsets(builder, [builder.createString("cpu")])],
    [field.orderedEffects, list(parts.effects ?? [], writeEffect)],
    [field.disabledChecks, list(parts.checks ?? [], writeCheck)],
    [field.mlirModuleSerialized, bytesVector(builder, parts.module ?? Uint8Array.of(1, 2, 3))],
    [field.moduleKeptVarIdx, numbers(builder, parts.keptVarIdx ?? [0], 2)],
  ];
  if (parts.inTree !== null) {
    entries.push([field.inTree, writeTree(builder, parts.inTree ?? leaf)]);
  }
  if (parts.uniqueAvals !== undefined) {
    entries.push([field.uniqueAvals, list(parts.uniqueAvals, writeAval)]);
  }
  if (parts.inAvalsIdxs !== undefined) {
    entries.push([field.inAvalsIdxs, numbers(builder, parts.inAvalsIdxs, 4)]);
  }
  if (parts.jaxVersion !== undefined) {
    entries.push([field.jaxVersion, builder.createString(parts.jaxVersion)]);
  }
  if (parts.vjp !== undefined) entries.push([field.vjp, writeArtifact(builder, parts.vjp)]);
  builder.startObject(27);
  builder.addFieldInt16(field.serializationVersion, parts.serializationVersion ?? 3, 0);
  builder.addFieldInt16(field.callingConventionVersion, parts.callingConventionVersion ?? 10, 0);
  builder.addFieldInt16(field.nrDevicesShort, parts.nrDevicesShort ?? 1, 0);
  builder.addFieldInt32(field.nrDevices, parts.nrDevices ?? 0, 0);
  for (const [number, offset] of entries) builder.addFieldOffset(number, offset, 0);
  return builder.endObject();
}

/** The bytes of an artifact; what is not given is that of a sound function of one argument. */
export function artifactBytes(parts: ArtifactParts = {}): Uint8Array {
  const builder = new Builder(1024);
  builder.finish(writeArtifact(builder, parts));
  return builder.asUint8Array();
}
