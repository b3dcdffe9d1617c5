/**
 * VHLO operations upgraded to StableHLO and func operations of the current version: names,
 * attributes that are grouped into structures, index lists, and default values left out. The
 * differences between the versions of an operation are only attributes that older ones lack.
 * Called by operations.ts for each operation read.
 */
import { corrupt } from "./cursor.js";
import { integerElements } from "./elements.js";
import {
  type MlirAttribute,
  type MlirDenseArray,
  type MlirOperation,
  type MlirType,
} from "./ir.js";
import { removeDefaults } from "./defaults.js";

/** Attributes of an operation while it is being upgraded. */
export type AttributeMap = Map<string, MlirAttribute>;

const i1: MlirType = { kind: "integer", width: 1, signedness: "signless" };
const i64: MlirType = { kind: "integer", width: 64, signedness: "signless" };

/** Attributes that VHLO stores as one-dimensional tensors and StableHLO as arrays. */
const arrayAttributes: Readonly<Record<string, readonly string[]>> = {
  broadcast: ["broadcast_sizes"],
  broadcast_in_dim: ["broadcast_dimensions"],
  convolution: ["lhs_dilation", "rhs_dilation", "window_reversal", "window_strides"],
  dynamic_broadcast_in_dim: [
    "broadcast_dimensions",
    "known_expanding_dimensions",
    "known_nonexpanding_dimensions",
  ],
  dynamic_conv: ["lhs_dilation", "rhs_dilation", "window_reversal", "window_strides"],
  dynamic_slice: ["slice_sizes"],
  fft: ["fft_length"],
  gather: ["slice_sizes"],
  map: ["dimensions"],
  pad: ["edge_padding_high", "edge_padding_low", "interior_padding"],
  reduce: ["dimensions"],
  reduce_window: ["base_dilations", "window_dilations", "window_dimensions", "window_strides"],
  reverse: ["dimensions"],
  select_and_scatter: ["window_dimensions", "window_strides"],
  slice: ["limit_indices", "start_indices", "strides"],
  transpose: ["permutation"],
};

/** Attributes that group others into one structure. */
const groupers: Readonly<Record<string, (attributes: AttributeMap) => void>> = {
  convolution: groupConvDimensionNumbers,
  dot_general: groupDotDimensionNumbers,
  dynamic_conv: groupDynamicConv,
  dynamic_gather: groupGatherDimensionNumbers,
  gather: groupGatherDimensionNumbers,
  recv: groupChannelHandle,
  scatter: groupScatterDimensionNumbers,
  send: groupChannelHandle,
};

/** Functions and their terminators come from another dialect. */
const functionOperations: Readonly<Record<string, string>> = {
  call: "func.call",
  func: "func.func",
};

const vhloName = /^vhlo\.(.+)_v\d+$/;

/** Upgrades one operation; `parent` is the (upgraded or stored) name of the one around it. */
export function upgradeOperation(operation: MlirOperation, parent: string): MlirOperation {
  const base = vhloName.exec(operation.name)?.[1];
  if (base === undefined) return { ...operation, attributes: sorted(operation.attributes) };
  const attributes = new Map(operation.attributes);
  removeDefaults(base, attributes);
  groupers[base]?.(attributes);
  for (const name of arrayAttributes[base] ?? []) toArray(attributes, name);
  upgradeSingleAttributes(base, attributes);
  return { ...operation, name: stablehloName(base, parent), attributes: sorted(attributes) };
}

function stablehloName(base: string, parent: string): string {
  if (base === "return") {
    const inFunction = parent === "vhlo.func_v1" || parent === "func.func";
    return inFunction ? "func.return" : "stablehlo.return";
  }
  return functionOperations[base] ?? `stablehlo.${base}`;
}

function sorted(attributes: ReadonlyMap<string, MlirAttribute>): AttributeMap {
  const names = [...attributes.keys()];
  if (names.every((name, i) => i === 0 || (names[i - 1] ?? "") < name)) return new Map(attributes);
  return new Map([...attributes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function upgradeSingleAttributes(base: string, attributes: AttributeMap): void {
  if (base === "call") toSymbol(attributes, "callee");
  if (base === "composite") toSymbol(attributes, "decomposition");
  const computations = attributes.get("called_computations");
  if (base === "custom_call" && computations?.kind === "array") {
    const elements = computations.elements.map(symbol);
    attributes.set("called_computations", { kind: "array", elements });
  }
  if (base.startsWith("all_") || base.startsWith("collective_") || base === "reduce_scatter") {
    upgradeCollective(attributes);
  }
}

function upgradeCollective(attributes: AttributeMap): void {
  const channelId = attributes.get("channel_id");
  if (channelId !== undefined) {
    const handle = integer(channelId, "channel_id");
    attributes.delete("channel_id");
    attributes.set("channel_handle", { kind: "channelHandle", handle, type: 0n });
  }
  for (const name of ["has_dynamic_root", "use_global_device_ids"]) {
    const flag = attributes.get(name);
    if (flag?.kind !== "bool") continue;
    if (flag.value) attributes.set(name, { kind: "unit" });
    else attributes.delete(name);
  }
}

function symbol(attribute: MlirAttribute): MlirAttribute {
  if (attribute.kind !== "string") throw corrupt("a symbol is not stored as a string");
  return { kind: "symbolRef", root: attribute.value, nested: [] };
}

function toSymbol(attributes: AttributeMap, name: string): void {
  const value = attributes.get(name);
  if (value !== undefined) attributes.set(name, symbol(value));
}

function toArray(attributes: AttributeMap, name: string): void {
  const value = attributes.get(name);
  if (value === undefined) return;
  if (value.kind !== "denseElements") throw corrupt(`${name} is not a tensor`);
  const elementType = name === "window_reversal" ? i1 : i64;
  const array: MlirDenseArray = { kind: "denseArray", elementType, values: integerElements(value) };
  attributes.set(name, array);
}

/** Removes and returns an attribute that must be there. */
function takeAttribute(attributes: AttributeMap, name: string): MlirAttribute {
  const value = attributes.get(name);
  if (value === undefined) throw corrupt(`attribute ${name} is missing`);
  attributes.delete(name);
  return value;
}

function integer(attribute: MlirAttribute, name: string): bigint {
  if (attribute.kind !== "integer") throw corrupt(`${name} is not an integer`);
  return attribute.value;
}

const takeBigint = (attributes: AttributeMap, name: string): bigint =>
  integer(takeAttribute(attributes, name), name);

function safeNumber(value: bigint, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corrupt(`${name} is out of range (${value.toString()})`);
  return number;
}

const takeInteger = (attributes: AttributeMap, name: string): number =>
  safeNumber(takeBigint(attributes, name), name);

function takeIntegers(attributes: AttributeMap, name: string): number[] {
  const value = takeAttribute(attributes, name);
  if (value.kind !== "denseElements") throw corrupt(`${name} is not a tensor`);
  return integerElements(value).map((element) => safeNumber(element, name));
}

/** Index lists that the first version of an operation does not have are empty. */
const takeIntegersIfAny = (attributes: AttributeMap, name: string): number[] =>
  attributes.has(name) ? takeIntegers(attributes, name) : [];

function groupConvDimensionNumbers(attributes: AttributeMap): void {
  const one = (name: string): number => takeInteger(attributes, name);
  const several = (name: string): number[] => takeIntegers(attributes, name);
  attributes.set("dimension_numbers", {
    kind: "convDimensionNumbers",
    inputBatchDimension: one("input_batch_dimension"),
    inputFeatureDimension: one("input_feature_dimension"),
    inputSpatialDimensions: several("input_spatial_dimensions"),
    kernelInputFeatureDimension: one("kernel_input_feature_dimension"),
    kernelOutputFeatureDimension: one("kernel_output_feature_dimension"),
    kernelSpatialDimensions: several("kernel_spatial_dimensions"),
    outputBatchDimension: one("output_batch_dimension"),
    outputFeatureDimension: one("output_feature_dimension"),
    outputSpatialDimensions: several("output_spatial_dimensions"),
  });
}

/** The first version has its padding twice, as an attribute and as the operand that counts. */
function groupDynamicConv(attributes: AttributeMap): void {
  attributes.delete("padding");
  groupConvDimensionNumbers(attributes);
}

function groupDotDimensionNumbers(attributes: AttributeMap): void {
  const several = (name: string): number[] => takeIntegers(attributes, name);
  attributes.set("dot_dimension_numbers", {
    kind: "dotDimensionNumbers",
    lhsBatchingDimensions: several("lhs_batching_dimensions"),
    rhsBatchingDimensions: several("rhs_batching_dimensions"),
    lhsContractingDimensions: several("lhs_contracting_dimensions"),
    rhsContractingDimensions: several("rhs_contracting_dimensions"),
  });
  groupDotAlgorithm(attributes);
}

const dotAlgorithmParts = [
  "lhs_precision_type",
  "rhs_precision_type",
  "accumulation_type",
  "lhs_component_count",
  "rhs_component_count",
  "num_primitive_operations",
  "allow_imprecise_accumulation",
];

/** No algorithm is stored as the type `none` in each of its parts. */
function groupDotAlgorithm(attributes: AttributeMap): void {
  const count = attributes.get("lhs_component_count");
  if (count === undefined) return;
  if (count.kind === "type") {
    for (const part of dotAlgorithmParts) attributes.delete(part);
    return;
  }
  const type = (name: string): MlirType => {
    const value = takeAttribute(attributes, name);
    if (value.kind !== "type") throw corrupt(`${name} is not a type`);
    return value.type;
  };
  const one = (name: string): number => takeInteger(attributes, name);
  const imprecise = takeAttribute(attributes, "allow_imprecise_accumulation");
  if (imprecise.kind !== "bool") throw corrupt("allow_imprecise_accumulation is not a boolean");
  attributes.set("algorithm", {
    kind: "dotAlgorithm",
    lhsPrecisionType: type("lhs_precision_type"),
    rhsPrecisionType: type("rhs_precision_type"),
    accumulationType: type("accumulation_type"),
    lhsComponentCount: one("lhs_component_count"),
    rhsComponentCount: one("rhs_component_count"),
    numPrimitiveOperations: one("num_primitive_operations"),
    allowImpreciseAccumulation: imprecise.value,
  });
}

function groupGatherDimensionNumbers(attributes: AttributeMap): void {
  attributes.set("dimension_numbers", {
    kind: "gatherDimensionNumbers",
    offsetDims: takeIntegers(attributes, "offset_dims"),
    collapsedSliceDims: takeIntegers(attributes, "collapsed_slice_dims"),
    operandBatchingDims: takeIntegersIfAny(attributes, "operand_batching_dims"),
    startIndicesBatchingDims: takeIntegersIfAny(attributes, "start_indices_batching_dims"),
    startIndexMap: takeIntegers(attributes, "start_index_map"),
    indexVectorDim: takeInteger(attributes, "index_vector_dim"),
  });
}

function groupScatterDimensionNumbers(attributes: AttributeMap): void {
  attributes.set("scatter_dimension_numbers", {
    kind: "scatterDimensionNumbers",
    updateWindowDims: takeIntegers(attributes, "update_window_dims"),
    insertedWindowDims: takeIntegers(attributes, "inserted_window_dims"),
    inputBatchingDims: takeIntegersIfAny(attributes, "input_batching_dims"),
    scatterIndicesBatchingDims: takeIntegersIfAny(attributes, "scatter_indices_batching_dims"),
    scatterDimsToOperandDims: takeIntegers(attributes, "scatter_dims_to_operand_dims"),
    indexVectorDim: takeInteger(attributes, "index_vector_dim"),
  });
}

function groupChannelHandle(attributes: AttributeMap): void {
  const handle = takeBigint(attributes, "channel_id");
  const type = takeBigint(attributes, "channel_type");
  attributes.set("channel_handle", { kind: "channelHandle", handle, type });
}
