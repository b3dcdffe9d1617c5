/**
 * Sizes and elements of dense constants. Used where constants are read (to check their sizes), by
 * the upgrade (index lists stored as tensors) and by the printer.
 */
import { corrupt } from "./cursor.js";
import {
  type FloatTypeName,
  type MlirDenseElements,
  type MlirTensorType,
  type MlirType,
  type MlirVectorType,
} from "./ir.js";

/** Bits of the float types. */
export const floatWidths: Record<FloatTypeName, number> = {
  f4E2M1FN: 4,
  f6E2M3FN: 6,
  f6E3M2FN: 6,
  f8E3M4: 8,
  f8E4M3: 8,
  f8E4M3B11FNUZ: 8,
  f8E4M3FN: 8,
  f8E4M3FNUZ: 8,
  f8E5M2: 8,
  f8E5M2FNUZ: 8,
  f8E8M0FNU: 8,
  bf16: 16,
  f16: 16,
  f32: 32,
  tf32: 19,
  f64: 64,
  f80: 80,
  f128: 128,
};

/** Bits of an integer, index or float type; null for the others. */
export function bitWidth(type: MlirType): number | null {
  if (type.kind === "integer") return type.width;
  if (type.kind === "index") return 64;
  if (type.kind === "float") return floatWidths[type.name];
  return null;
}

/** Bytes that one element takes in dense constants. */
export function elementBytes(type: MlirType): number {
  if (type.kind === "complex") return 2 * elementBytes(type.elementType);
  if (type.kind === "quantized") return elementBytes(type.storageType);
  const width = bitWidth(type);
  if (width === null) throw corrupt(`a constant of ${type.kind} elements`);
  return Math.ceil(width / 8);
}

/** The number of elements of a type of static shape. */
export function elementCount(type: MlirTensorType | MlirVectorType): number {
  let count = 1;
  for (const size of type.shape) {
    if (size === null) throw corrupt("a constant of dynamic shape");
    if (size === 0) return 0;
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw corrupt("a constant of impossible size");
  return count;
}

export function isBoolType(type: MlirType): boolean {
  return type.kind === "integer" && type.width === 1;
}

/** A dense constant from its stored bytes, whose size must fit the type. */
export function denseElements(type: MlirType, stored: Uint8Array): MlirDenseElements {
  if (type.kind !== "tensor" && type.kind !== "vector") {
    throw corrupt(`a constant of type ${type.kind}`);
  }
  const count = elementCount(type);
  const bytes = isBoolType(type.elementType) ? unpackBooleans(stored, count) : stored;
  const size = elementBytes(type.elementType);
  const splat = bytes.length === size && count !== 0;
  if (!splat && bytes.length !== count * size) {
    throw corrupt(`a constant of ${count} elements of ${size} bytes has ${bytes.length} bytes`);
  }
  return { kind: "denseElements", type, bytes, splat };
}

/** Booleans are stored as bits (0xff: a splat of true), or as bytes by some writers. */
function unpackBooleans(stored: Uint8Array, count: number): Uint8Array {
  if (stored.length === 1 && count > 1 && (stored[0] === 0xff || stored[0] === 0)) {
    return Uint8Array.of(stored[0] === 0 ? 0 : 1);
  }
  if (stored.length === count) return stored.map((byte) => (byte === 0 ? 0 : 1));
  if (stored.length !== Math.ceil(count / 8)) {
    throw corrupt(`a constant of ${count} booleans has ${stored.length} bytes`);
  }
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = ((stored[i >> 3] ?? 0) >> (i & 7)) & 1;
  return bytes;
}

/** The bits of the element that starts at byte `offset`. */
export function rawElement(bytes: Uint8Array, offset: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0);
  return value;
}

/** An integer from its bits: sign-extended unless the type is unsigned. */
export function integerFromBits(type: MlirType, bits: bigint): bigint {
  const width = bitWidth(type) ?? 64;
  const unsigned = type.kind === "integer" && (type.signedness === "unsigned" || type.width === 1);
  return unsigned ? BigInt.asUintN(width, bits) : BigInt.asIntN(width, bits);
}

/** More indices than any operation has dimensions; a bound for damaged files. */
const longestIndexList = 1 << 12;

/** All elements of an integer (or boolean) constant, splats expanded. */
export function integerElements(attribute: MlirDenseElements): bigint[] {
  const { elementType } = attribute.type;
  const count = elementCount(attribute.type);
  if (count > longestIndexList) throw corrupt(`a list of ${count} numbers`);
  if (elementType.kind !== "integer" && elementType.kind !== "index") {
    throw corrupt("numbers that are not integers where integers are needed");
  }
  const size = elementBytes(elementType);
  return Array.from({ length: count }, (_, i) =>
    integerFromBits(elementType, rawElement(attribute.bytes, attribute.splat ? 0 : i * size, size)),
  );
}
