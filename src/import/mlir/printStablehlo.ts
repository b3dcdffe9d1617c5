/**
 * Attributes of StableHLO as MLIR prints them. Called by printAttribute.ts.
 */
import { unreachable } from "../../ir/errors.js";
import { floatText } from "./floats.js";
import {
  type ConvDimensionNumbers,
  type MlirAttribute,
  type MlirEnumAttribute,
  type MlirType,
  type ResultAccuracy,
} from "./ir.js";
import { quoted } from "./quoted.js";

/** Prints the types and attributes inside an attribute. */
export interface NestedPrinter {
  readonly attribute: (attribute: MlirAttribute) => string;
  readonly type: (type: MlirType) => string;
}

const integers = (values: readonly number[]): string => `[${values.join(", ")}]`;

/** A structure of StableHLO: fields that are zero or empty are left out. */
function struct(name: string, entries: readonly (readonly [string, number | readonly number[]])[]) {
  const shown = entries.flatMap(([key, value]) => {
    if (typeof value === "number") return value === 0 ? [] : [`${key} = ${value}`];
    return value.length === 0 ? [] : [`${key} = ${integers(value)}`];
  });
  return `#stablehlo.${name}<${shown.join(", ")}>`;
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

/** An attribute of StableHLO; `print` prints what it contains. */
export function printStablehloAttribute(
  attribute: StablehloAttribute,
  print: NestedPrinter,
): string {
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
        `#stablehlo.dot_algorithm<lhs_precision_type = ${print.type(attribute.lhsPrecisionType)}, ` +
        `rhs_precision_type = ${print.type(attribute.rhsPrecisionType)}, ` +
        `accumulation_type = ${print.type(attribute.accumulationType)}, ` +
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
      return meshText(attribute, print);
  }
}

function meshText(
  attribute: Extract<
    StablehloAttribute,
    { kind: "subAxisInfo" | "axisRef" | "meshAxis" | "mesh" | "replicaGroupMeshAxes" }
  >,
  print: NestedPrinter,
): string {
  const stripped = (inner: MlirAttribute): string =>
    print.attribute(inner).replace(/^#stablehlo\.[a-z_]+/, "");
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
      const devices = deviceIds === null ? "" : `, device_ids=${print.attribute(deviceIds)}`;
      return `#stablehlo.mesh<axes=[${axes.map(stripped).join(", ")}]${devices}>`;
    }
    case "replicaGroupMeshAxes": {
      const [mesh, axes] = [attribute.mesh, attribute.axes].map(print.attribute);
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
