/**
 * Types and attributes as MLIR prints them. Called by print.ts and for error messages.
 */
import { unreachable } from "../../ir/errors.js";
import { corrupt } from "./cursor.js";
import { elementBytes, elementCount, integerFromBits, rawElement } from "./elements.js";
import { floatText } from "./floats.js";
import {
  type MlirAttribute,
  type MlirDenseArray,
  type MlirDenseElements,
  type MlirQuantizedType,
  type MlirType,
} from "./ir.js";
import { printStablehloAttribute } from "./printStablehlo.js";
import { quoted } from "./quoted.js";

export interface PrintOptions {
  /** Constants of more elements than this are printed as `dense_resource<__elided__>`. */
  readonly largeElementsLimit: number;
}

/** What MLIR prints in hexadecimal when it does not elide it. */
const hexadecimalLimit = 100;

/** Structures that share parts can have texts far larger than the file they come from. */
const longestText = 1 << 22;

/** Joins texts, refusing results no honest module has. */
function join(parts: readonly string[], separator: string): string {
  let length = 0;
  for (const part of parts) length += part.length + separator.length;
  if (length > longestText) throw corrupt("the module's text would be impossibly long");
  return parts.join(separator);
}

const list = (parts: readonly string[]): string => join(parts, ", ");

const bareIdentifier = /^[A-Za-z_][A-Za-z0-9_$.]*$/;
const symbolText = (name: string): string => `@${bareIdentifier.test(name) ? name : quoted(name)}`;

const dimensions = (shape: readonly (number | null)[]): string =>
  shape.map((size) => `${size ?? "?"}x`).join("");

/** A type, e.g. `tensor<?x4xf32>`. */
export function printType(type: MlirType): string {
  switch (type.kind) {
    case "integer": {
      const prefix = { signless: "i", signed: "si", unsigned: "ui" }[type.signedness];
      return `${prefix}${type.width}`;
    }
    case "float":
      return type.name;
    case "index":
    case "none":
      return type.kind;
    case "token":
      return "!stablehlo.token";
    case "witness":
      return "!shape.witness";
    case "complex":
      return `complex<${printType(type.elementType)}>`;
    case "tensor": {
      const encoding = type.encoding === undefined ? "" : `, ${printAttribute(type.encoding)}`;
      return `tensor<${dimensions(type.shape)}${printType(type.elementType)}${encoding}>`;
    }
    case "unrankedTensor":
      return `tensor<*x${printType(type.elementType)}>`;
    case "vector": {
      const sizes = type.shape.map((size, i) => (type.scalableDims[i] ? `[${size}]x` : `${size}x`));
      return `vector<${sizes.join("")}${printType(type.elementType)}>`;
    }
    case "memref":
      return memref(dimensions(type.shape), type.elementType, [type.layout, type.memorySpace]);
    case "unrankedMemref":
      return memref("*x", type.elementType, [type.memorySpace]);
    case "tuple":
      return `tuple<${list(type.types.map(printType))}>`;
    case "function":
      return functionType(type.inputs, type.results);
    case "quantized":
      return quantizedType(type);
    case "future":
      return `!stablehlo.future<${list(type.types.map(printType))}>`;
    case "opaque":
      return type.text ?? `!${type.dialect}<${bytesText(type.bytes)}>`;
    default:
      return unreachable(type, "MLIR type");
  }
}

function memref(
  shape: string,
  elementType: MlirType,
  extra: readonly (MlirAttribute | undefined)[],
): string {
  const isIdentity = (text: string): boolean =>
    /^affine_map<\(((d\d+, )*d\d+)?\) -> \(\1\)>$/.test(text);
  const parts = extra
    .flatMap((attribute) => (attribute === undefined ? [] : [printAttribute(attribute)]))
    .filter((text) => !isIdentity(text));
  return `memref<${list([shape + printType(elementType), ...parts])}>`;
}

/** `(inputs) -> results`, a single result without parentheses. */
export function functionType(inputs: readonly MlirType[], results: readonly MlirType[]): string {
  const [first, ...others] = results;
  const single = first !== undefined && others.length === 0 && first.kind !== "function";
  const output = single ? printType(first) : `(${list(results.map(printType))})`;
  return `(${list(inputs.map(printType))}) -> ${output}`;
}

function quantizedType(type: MlirQuantizedType): string {
  const width = type.storageType.kind === "integer" ? type.storageType.width : 8;
  const bits = BigInt(width);
  const [low, high] = type.signed
    ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    : [0n, (1n << bits) - 1n];
  let storage = `${type.signed ? "i" : "u"}${width}`;
  if (type.storageMin !== low || type.storageMax !== high) {
    storage += `<${type.storageMin.toString()}:${type.storageMax.toString()}>`;
  }
  const parameters = type.scales.map((scale, i) => {
    const zeroPoint = type.zeroPoints[i] ?? 0n;
    return exponential(scale) + (zeroPoint === 0n ? "" : `:${zeroPoint.toString()}`);
  });
  const axis = type.quantizedDimension === null ? "" : `:${type.quantizedDimension}`;
  const values = type.quantizedDimension === null ? list(parameters) : `{${join(parameters, ",")}}`;
  return `!quant.uniform<${storage}:${printType(type.expressedType)}${axis}, ${values}>`;
}

/** C's `%e`. */
function exponential(value: number): string {
  return value.toExponential(6).replace(/e([+-])(\d)$/, "e$10$2");
}

const bytesText = (bytes: Uint8Array): string =>
  quoted(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`);

/** An attribute; `elideType` drops the types that MLIR leaves out inside arrays (i64 and f64). */
export function printAttribute(
  attribute: MlirAttribute,
  options: PrintOptions = { largeElementsLimit: Infinity },
  elideType = false,
): string {
  const print = (inner: MlirAttribute): string => printAttribute(inner, options);
  switch (attribute.kind) {
    case "unit":
      return "unit";
    case "bool":
      return attribute.value ? "true" : "false";
    case "integer": {
      const text = attribute.value.toString();
      const type = printType(attribute.type);
      return elideType && type === "i64" ? text : `${text} : ${type}`;
    }
    case "float": {
      const { type, bits } = attribute;
      const text = type.kind === "float" ? floatText(type.name, bits) : String(attribute.value);
      return elideType && printType(type) === "f64" ? text : `${text} : ${printType(type)}`;
    }
    case "string": {
      const text = quoted(attribute.bytes ?? attribute.value);
      return attribute.type === undefined ? text : `${text} : ${printType(attribute.type)}`;
    }
    case "array":
      return `[${list(attribute.elements.map((inner) => printAttribute(inner, options, true)))}]`;
    case "dictionary":
      return `{${namedAttributes(attribute.entries, options)}}`;
    case "type":
      return printType(attribute.type);
    case "symbolRef":
      return [attribute.root, ...attribute.nested].map(symbolText).join("::");
    case "denseElements":
      return denseElementsText(attribute, options);
    case "denseResource": {
      const elided = resourceElements(attribute.type) > options.largeElementsLimit;
      const key = elided ? "__elided__" : attribute.key;
      return `dense_resource<${key}> : ${printType(attribute.type)}`;
    }
    case "denseArray":
      return denseArrayText(attribute);
    case "denseStrings": {
      const values = attribute.values.map(quoted);
      const text = attribute.splat ? (values[0] ?? "") : `[${list(values)}]`;
      return `dense<${text}> : ${printType(attribute.type)}`;
    }
    case "sparseElements": {
      const [indices, values] = [attribute.indices, attribute.values].map((part) =>
        part.kind === "denseElements" ? denseValues(part) : print(part),
      );
      return `sparse<${indices ?? ""}, ${values ?? ""}> : ${printType(attribute.type)}`;
    }
    case "distinct":
      return `distinct[${attribute.id}]<${print(attribute.referenced)}>`;
    case "location":
      return "loc(unknown)";
    case "opaque":
      return attribute.text ?? `#${attribute.dialect}<${bytesText(attribute.bytes)}>`;
    default:
      return printStablehloAttribute(attribute, { attribute: print, type: printType });
  }
}

/** `key = value, …`, a unit attribute as its key alone. */
export function namedAttributes(
  entries: ReadonlyMap<string, MlirAttribute>,
  options: PrintOptions,
): string {
  const parts = [...entries].map(([name, value]) => {
    const key = bareIdentifier.test(name) ? name : quoted(name);
    return value.kind === "unit" ? key : `${key} = ${printAttribute(value, options)}`;
  });
  return list(parts);
}

function denseArrayText({ elementType, values, bits }: MlirDenseArray): string {
  const texts = values.map((value: bigint | number, i) => {
    const floatBits = bits?.[i];
    if (elementType.kind === "float" && floatBits !== undefined) {
      return floatText(elementType.name, floatBits);
    }
    const isBool = elementType.kind === "integer" && elementType.width === 1;
    return isBool ? (value === 0n ? "false" : "true") : value.toString();
  });
  return `array<${printType(elementType)}${texts.length === 0 ? "" : `: ${texts.join(", ")}`}>`;
}

function resourceElements(type: MlirType): number {
  return type.kind === "tensor" || type.kind === "vector" ? elementCount(type) : 0;
}

function denseElementsText(attribute: MlirDenseElements, options: PrintOptions): string {
  const type = printType(attribute.type);
  const count = elementCount(attribute.type);
  if (!attribute.splat && count > options.largeElementsLimit) {
    return `dense_resource<__elided__> : ${type}`;
  }
  if (!attribute.splat && count > hexadecimalLimit) {
    const hex = Array.from(attribute.bytes, (byte) => byte.toString(16).padStart(2, "0"));
    return `dense<"0x${hex.join("").toUpperCase()}"> : ${type}`;
  }
  return `dense<${denseValues(attribute)}> : ${type}`;
}

/** The elements in nested brackets; one of them for a splat, nothing if there are none. */
function denseValues(attribute: MlirDenseElements): string {
  const { elementType, shape } = attribute.type;
  if (attribute.bytes.length === 0) return "";
  const size = elementBytes(elementType);
  const element = (i: number): string => elementText(elementType, attribute.bytes, i * size);
  if (attribute.splat) return element(0);
  const nest = (axis: number, start: number, count: number): string => {
    const length = shape[axis];
    if (length === undefined || length === null) return element(start);
    const step = length === 0 ? 0 : count / length;
    const parts = Array.from({ length }, (_, i) => nest(axis + 1, start + i * step, step));
    return `[${list(parts)}]`;
  };
  return nest(0, 0, elementCount(attribute.type));
}

function elementText(type: MlirType, bytes: Uint8Array, offset: number): string {
  if (type.kind === "complex") {
    const size = elementBytes(type.elementType);
    const real = elementText(type.elementType, bytes, offset);
    return `(${real},${elementText(type.elementType, bytes, offset + size)})`;
  }
  const bits = rawElement(bytes, offset, elementBytes(type));
  if (type.kind === "float") return floatText(type.name, bits);
  if (type.kind === "integer" && type.width === 1) return bits === 0n ? "false" : "true";
  return integerFromBits(type, bits).toString();
}
