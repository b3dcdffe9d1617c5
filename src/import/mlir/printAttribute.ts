/**
 * Types and attributes as MLIR prints them. Called by print.ts and for error messages.
 */
import { unreachable } from "../../ir/errors.js";
import { corrupt } from "./cursor.js";
import { elementBytes, elementCount, integerFromBits, rawElement } from "./elements.js";
import { floatText } from "./floats.js";
import {
  type ConvDimensionNumbers,
  type MlirAttribute,
  type MlirDenseArray,
  type MlirDenseElements,
  type MlirEnumAttribute,
  type MlirQuantizedType,
  type MlirType,
  type ResultAccuracy,
} from "./ir.js";

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
const encoder = new TextEncoder();

/** A string in quotes, all but printable ASCII escaped as bytes. */
export function quoted(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x5c) text += "\\\\";
    else if (byte >= 0x20 && byte < 0x7f && byte !== 0x22) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return `"${text}"`;
}

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

const integers = (values: readonly number[]): string => `[${values.join(", ")}]`;

/** A structure of StableHLO: fields that are zero or empty are left out. */
function struct(name: string, entries: readonly (readonly [string, number | readonly number[]])[]) {
  const shown = entries.flatMap(([key, value]) => {
    if (typeof value === "number") return value === 0 ? [] : [`${key} = ${value}`];
    return value.length === 0 ? [] : [`${key} = ${integers(value)}`];
  });
  return `#stablehlo.${name}<${shown.join(", ")}>`;
}

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
      return stablehloAttribute(attribute, options);
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

type StablehloAttribute = Extract<
  MlirAttribute,
  {
    kind:
      | "enum"
      | "dotDimensionNumbers"
      | "dotAlgorithm"
      | "convDimensionNumbers"
      | "gatherDimensionNumbers"
      | "scatterDimensionNumbers"
      | "channelHandle"
      | "outputOperandAlias"
      | "typeExtensions"
      | "resultAccuracy"
      | "subAxisInfo"
      | "axisRef"
      | "meshAxis"
      | "mesh"
      | "replicaGroupMeshAxes";
  }
>;

function stablehloAttribute(attribute: StablehloAttribute, options: PrintOptions): string {
  switch (attribute.kind) {
    case "enum":
      return enumText(attribute);
    case "dotDimensionNumbers":
      return struct("dot", [
        ["lhs_batching_dimensions", attribute.lhsBatchingDimensions],
        ["rhs_batching_dimensions", attribute.rhsBatchingDimensions],
        ["lhs_contracting_dimensions", attribute.lhsContractingDimensions],
        ["rhs_contracting_dimensions", attribute.rhsContractingDimensions],
      ]);
    case "dotAlgorithm":
      return (
        `#stablehlo.dot_algorithm<lhs_precision_type = ${printType(attribute.lhsPrecisionType)}, ` +
        `rhs_precision_type = ${printType(attribute.rhsPrecisionType)}, ` +
        `accumulation_type = ${printType(attribute.accumulationType)}, ` +
        `lhs_component_count = ${attribute.lhsComponentCount}, ` +
        `rhs_component_count = ${attribute.rhsComponentCount}, ` +
        `num_primitive_operations = ${attribute.numPrimitiveOperations}, ` +
        `allow_imprecise_accumulation = ${attribute.allowImpreciseAccumulation}>`
      );
    case "convDimensionNumbers":
      return convText(attribute);
    case "gatherDimensionNumbers":
      return struct("gather", [
        ["offset_dims", attribute.offsetDims],
        ["collapsed_slice_dims", attribute.collapsedSliceDims],
        ["operand_batching_dims", attribute.operandBatchingDims],
        ["start_indices_batching_dims", attribute.startIndicesBatchingDims],
        ["start_index_map", attribute.startIndexMap],
        ["index_vector_dim", attribute.indexVectorDim],
      ]);
    case "scatterDimensionNumbers":
      return struct("scatter", [
        ["update_window_dims", attribute.updateWindowDims],
        ["inserted_window_dims", attribute.insertedWindowDims],
        ["input_batching_dims", attribute.inputBatchingDims],
        ["scatter_indices_batching_dims", attribute.scatterIndicesBatchingDims],
        ["scatter_dims_to_operand_dims", attribute.scatterDimsToOperandDims],
        ["index_vector_dim", attribute.indexVectorDim],
      ]);
    case "channelHandle": {
      const { handle, type } = attribute;
      return `#stablehlo.channel_handle<handle = ${handle.toString()}, type = ${type.toString()}>`;
    }
    case "outputOperandAlias":
      return (
        "#stablehlo.output_operand_alias<output_tuple_indices = " +
        `${integers(attribute.outputTupleIndices)}, operand_index = ${attribute.operandIndex}, ` +
        `operand_tuple_indices = ${integers(attribute.operandTupleIndices)}>`
      );
    case "typeExtensions":
      return `#stablehlo.bounds<${attribute.bounds.map((bound) => bound ?? "?").join(", ")}>`;
    case "resultAccuracy":
      return resultAccuracyText(attribute);
    default:
      return meshText(attribute, options);
  }
}

function meshText(
  attribute: Extract<
    StablehloAttribute,
    { kind: "subAxisInfo" | "axisRef" | "meshAxis" | "mesh" | "replicaGroupMeshAxes" }
  >,
  options: PrintOptions,
): string {
  const stripped = (inner: MlirAttribute): string =>
    printAttribute(inner, options).replace(/^#stablehlo\.[a-z_]+/, "");
  switch (attribute.kind) {
    case "subAxisInfo":
      return `#stablehlo.sub_axis_info(${attribute.preSize.toString()})${attribute.size.toString()}`;
    case "axisRef": {
      const { name, subAxisInfo } = attribute;
      const sub = subAxisInfo === null ? "" : `, sub_axis_info = ${stripped(subAxisInfo)}`;
      return `#stablehlo.axis_ref<name = ${quoted(name)}${sub}>`;
    }
    case "meshAxis": {
      const { name, size } = attribute;
      return `#stablehlo.mesh_axis<name = ${quoted(name)}, size = ${size.toString()}>`;
    }
    case "mesh": {
      const { axes, deviceIds } = attribute;
      const devices =
        deviceIds === null ? "" : `, device_ids=${printAttribute(deviceIds, options)}`;
      return `#stablehlo.mesh<axes=[${list(axes.map(stripped))}]${devices}>`;
    }
    case "replicaGroupMeshAxes": {
      const [mesh, axes] = [attribute.mesh, attribute.axes].map((inner) =>
        printAttribute(inner, options),
      );
      return `#stablehlo.replica_group_mesh_axes<mesh = ${mesh ?? ""}, axes = ${axes ?? ""}>`;
    }
    default:
      return unreachable(attribute, "mesh attribute");
  }
}

/** The one enumeration that is stored as a number. */
const apiVersions = [
  "API_VERSION_UNSPECIFIED",
  "API_VERSION_ORIGINAL",
  "API_VERSION_STATUS_RETURNING",
  "API_VERSION_STATUS_RETURNING_UNIFIED",
  "API_VERSION_TYPED_FFI",
];

function enumText({ dialect, name, value }: MlirEnumAttribute): string {
  if (name === "custom_call_api_version") return `${apiVersions.indexOf(value)} : i32`;
  if (name === "result_accuracy_mode") return `#${dialect}.${name}<${value}>`;
  return `#${dialect}<${name} ${value}>`;
}

function resultAccuracyText({ atol, rtol, ulps, mode }: ResultAccuracy): string {
  const double = (value: number): string =>
    floatText("f64", new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n);
  const parts: string[] = [];
  if (atol !== 0) parts.push(`atol = ${double(atol)}`);
  if (rtol !== 0) parts.push(`rtol = ${double(rtol)}`);
  if (ulps !== 0n) parts.push(`ulps = ${ulps.toString()}`);
  parts.push(`mode = #stablehlo.result_accuracy_mode<${mode}>`);
  return `#stablehlo.result_accuracy<${parts.join(", ")}>`;
}

/** `#stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>`. */
function convText(conv: ConvDimensionNumbers): string {
  const labels = (
    spatial: readonly number[],
    first: readonly [number, string],
    second: readonly [number, string],
  ): string => {
    const names = new Map(spatial.map((dimension, i) => [dimension, String(i)]));
    for (const [dimension, label] of [first, second]) names.set(dimension, label);
    return `[${Array.from({ length: spatial.length + 2 }, (_, i) => names.get(i) ?? "?").join(", ")}]`;
  };
  const input = labels(
    conv.inputSpatialDimensions,
    [conv.inputBatchDimension, "b"],
    [conv.inputFeatureDimension, "f"],
  );
  const kernel = labels(
    conv.kernelSpatialDimensions,
    [conv.kernelInputFeatureDimension, "i"],
    [conv.kernelOutputFeatureDimension, "o"],
  );
  const output = labels(
    conv.outputSpatialDimensions,
    [conv.outputBatchDimension, "b"],
    [conv.outputFeatureDimension, "f"],
  );
  return `#stablehlo.conv<${input}x${kernel}->${output}>`;
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
