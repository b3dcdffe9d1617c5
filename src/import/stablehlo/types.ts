/**
 * MLIR types as JAX types: element types by name, and which of them are computed in 32 bits. Used
 * by every part of the StableHLO importer.
 */
import { isDType, type DType } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { MlirType } from "../mlir/ir.js";

/** What an MLIR tensor type says; an unknown dimension is null. */
export interface TensorType {
  readonly shape: readonly (number | null)[];
  /** The element type in the module, 64-bit types included. */
  readonly dtype: DType;
}

const floatNames: ReadonlyMap<string, string> = new Map([
  ["bf16", "bfloat16"],
  ["f16", "float16"],
  ["f32", "float32"],
  ["f64", "float64"],
]);

/** An MLIR type as messages show it. */
export function printType(type: MlirType): string {
  switch (type.kind) {
    case "integer":
      return `${{ signless: "i", signed: "si", unsigned: "ui" }[type.signedness]}${type.width}`;
    case "float":
      return type.name;
    case "complex":
      return `complex<${printType(type.elementType)}>`;
    case "tensor": {
      const sizes = type.shape.map((size) => `${size ?? "?"}x`).join("");
      return `tensor<${sizes}${printType(type.elementType)}>`;
    }
    case "tuple":
      return `tuple<${type.types.map(printType).join(", ")}>`;
    case "opaque":
      return `!${type.dialect}${type.text === null ? "" : `.${type.text}`}`;
    default:
      return type.kind;
  }
}

function floatDType(name: string): string {
  return floatNames.get(name) ?? name.toLowerCase().replace(/^f(\d)/, "float$1_");
}

/** The JAX name of an element type, or undefined for one that JAX does not have. */
export function elementDType(type: MlirType): DType | undefined {
  let name: string | undefined;
  if (type.kind === "integer") {
    if (type.width === 1) name = "bool";
    else name = `${type.signedness === "unsigned" ? "u" : ""}int${type.width}`;
  } else if (type.kind === "float") {
    name = floatDType(type.name);
  } else if (type.kind === "index") {
    name = "int32";
  } else if (type.kind === "complex") {
    const part = elementDType(type.elementType);
    if (part === "float32") name = "complex64";
    if (part === "float64") name = "complex128";
  }
  return name !== undefined && isDType(name) ? name : undefined;
}

/**
 * Shape and element type of a tensor.
 *
 * @throws Jax2TfjsError `unsupported-type` for other types and for element types JAX does not have
 */
export function tensorType(type: MlirType): TensorType {
  if (type.kind === "tensor") {
    const dtype = elementDType(type.elementType);
    if (dtype !== undefined) return { shape: type.shape, dtype };
  }
  throw new Jax2TfjsError(
    "unsupported-type",
    `values of type ${printType(type)} are not supported`,
    {
      fix: "export the function with array arguments of JAX element types",
    },
  );
}

const narrowed: Partial<Record<DType, DType>> = {
  int64: "int32",
  uint64: "uint32",
  float64: "float32",
  complex128: "complex64",
};

/** The element type that a value is computed in: 64-bit types become their 32-bit ones. */
export function canonicalDType(dtype: DType): DType {
  return narrowed[dtype] ?? dtype;
}
