/**
 * The data model of an MLIR module as read from bytecode and upgraded to StableHLO: plain values
 * without behaviour. Produced by reader.ts, printed by print.ts, turned into a jaxpr by the
 * StableHLO importer.
 */

/** Signless (`i32`, the signed integers and bool of StableHLO), `si32`, or unsigned `ui32`. */
export type IntegerSignedness = "signless" | "signed" | "unsigned";

/** Floating-point types by their MLIR names. */
export const floatTypeNames = [
  "f4E2M1FN",
  "f6E2M3FN",
  "f6E3M2FN",
  "f8E3M4",
  "f8E4M3",
  "f8E4M3B11FNUZ",
  "f8E4M3FN",
  "f8E4M3FNUZ",
  "f8E5M2",
  "f8E5M2FNUZ",
  "f8E8M0FNU",
  "bf16",
  "f16",
  "f32",
  "tf32",
  "f64",
  "f80",
  "f128",
] as const;

export type FloatTypeName = (typeof floatTypeNames)[number];

export interface MlirIntegerType {
  readonly kind: "integer";
  /** Bits; bool is a signless integer of one bit. */
  readonly width: number;
  readonly signedness: IntegerSignedness;
}

export interface MlirFloatType {
  readonly kind: "float";
  readonly name: FloatTypeName;
}

export interface MlirComplexType {
  readonly kind: "complex";
  readonly elementType: MlirType;
}

export interface MlirTensorType {
  readonly kind: "tensor";
  /** A dimension of unknown size is null. */
  readonly shape: readonly (number | null)[];
  readonly elementType: MlirType;
  /** `#stablehlo.type_extensions` (dimension bounds) or whatever else the producer attached. */
  readonly encoding?: MlirAttribute;
}

export interface MlirUnrankedTensorType {
  readonly kind: "unrankedTensor";
  readonly elementType: MlirType;
}

export interface MlirVectorType {
  readonly kind: "vector";
  readonly shape: readonly number[];
  readonly scalableDims: readonly boolean[];
  readonly elementType: MlirType;
}

export interface MlirMemRefType {
  readonly kind: "memref";
  readonly shape: readonly (number | null)[];
  readonly elementType: MlirType;
  readonly layout?: MlirAttribute;
  readonly memorySpace?: MlirAttribute;
}

export interface MlirUnrankedMemRefType {
  readonly kind: "unrankedMemref";
  readonly elementType: MlirType;
  readonly memorySpace?: MlirAttribute;
}

export interface MlirTupleType {
  readonly kind: "tuple";
  readonly types: readonly MlirType[];
}

export interface MlirFunctionType {
  readonly kind: "function";
  readonly inputs: readonly MlirType[];
  readonly results: readonly MlirType[];
}

/** `!quant.uniform<…>`: per tensor when there is no quantized dimension. */
export interface MlirQuantizedType {
  readonly kind: "quantized";
  readonly signed: boolean;
  readonly storageType: MlirType;
  readonly expressedType: MlirType;
  readonly quantizedDimension: number | null;
  readonly scales: readonly number[];
  readonly zeroPoints: readonly bigint[];
  readonly storageMin: bigint;
  readonly storageMax: bigint;
}

/** `!stablehlo.future<…>`. */
export interface MlirFutureType {
  readonly kind: "future";
  readonly types: readonly MlirType[];
}

/** A type of a dialect that this reader does not know; `text` is its assembly form if stored. */
export interface MlirOpaqueType {
  readonly kind: "opaque";
  readonly dialect: string;
  readonly text: string | null;
  readonly bytes: Uint8Array;
}

export type MlirType =
  | MlirIntegerType
  | MlirFloatType
  | { readonly kind: "index" }
  | { readonly kind: "none" }
  | { readonly kind: "token" }
  | { readonly kind: "witness" }
  | MlirComplexType
  | MlirTensorType
  | MlirUnrankedTensorType
  | MlirVectorType
  | MlirMemRefType
  | MlirUnrankedMemRefType
  | MlirTupleType
  | MlirFunctionType
  | MlirQuantizedType
  | MlirFutureType
  | MlirOpaqueType;

export interface MlirIntegerAttribute {
  readonly kind: "integer";
  readonly type: MlirType;
  /** Sign-extended, except for unsigned types. */
  readonly value: bigint;
}

export interface MlirFloatAttribute {
  readonly kind: "float";
  readonly type: MlirType;
  readonly value: number;
  /** The exact bits, in the format of `type`. */
  readonly bits: bigint;
}

/** A constant tensor. */
export interface MlirDenseElements {
  readonly kind: "denseElements";
  readonly type: MlirTensorType | MlirVectorType;
  /**
   * Little-endian elements in row-major order: a view of the artifact, maybe not aligned. Booleans
   * take one byte (0 or 1) each, 2-bit and 4-bit types too. Of a splat, one element only.
   */
  readonly bytes: Uint8Array;
  /** All elements are equal and `bytes` holds one of them. */
  readonly splat: boolean;
}

/** A constant tensor whose bytes lie in the resource section. */
export interface MlirDenseResource {
  readonly kind: "denseResource";
  readonly type: MlirType;
  readonly key: string;
  /** A view of the artifact; null when the artifact does not hold the resource. */
  readonly bytes: Uint8Array | null;
}

/** `array<i64: 1, 2>`. Booleans are 0 and 1. */
export interface MlirDenseArray {
  readonly kind: "denseArray";
  readonly elementType: MlirType;
  readonly values: readonly bigint[] | readonly number[];
  /** The exact bits of floats. */
  readonly bits?: readonly bigint[];
}

/** A member of an enumeration, e.g. `#stablehlo<comparison_direction LT>`. */
export interface MlirEnumAttribute {
  readonly kind: "enum";
  readonly dialect: "stablehlo" | "chlo";
  readonly name: EnumName;
  readonly value: string;
}

export type EnumName =
  | "comparison_direction"
  | "comparison_type"
  | "custom_call_api_version"
  | "fft_type"
  | "precision"
  | "result_accuracy_mode"
  | "rng_algorithm"
  | "rng_distribution"
  | "transpose";

export interface DotDimensionNumbers {
  readonly kind: "dotDimensionNumbers";
  readonly lhsBatchingDimensions: readonly number[];
  readonly rhsBatchingDimensions: readonly number[];
  readonly lhsContractingDimensions: readonly number[];
  readonly rhsContractingDimensions: readonly number[];
}

export interface DotAlgorithm {
  readonly kind: "dotAlgorithm";
  readonly lhsPrecisionType: MlirType;
  readonly rhsPrecisionType: MlirType;
  readonly accumulationType: MlirType;
  readonly lhsComponentCount: number;
  readonly rhsComponentCount: number;
  readonly numPrimitiveOperations: number;
  readonly allowImpreciseAccumulation: boolean;
}

export interface ConvDimensionNumbers {
  readonly kind: "convDimensionNumbers";
  readonly inputBatchDimension: number;
  readonly inputFeatureDimension: number;
  readonly inputSpatialDimensions: readonly number[];
  readonly kernelInputFeatureDimension: number;
  readonly kernelOutputFeatureDimension: number;
  readonly kernelSpatialDimensions: readonly number[];
  readonly outputBatchDimension: number;
  readonly outputFeatureDimension: number;
  readonly outputSpatialDimensions: readonly number[];
}

export interface GatherDimensionNumbers {
  readonly kind: "gatherDimensionNumbers";
  readonly offsetDims: readonly number[];
  readonly collapsedSliceDims: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly startIndicesBatchingDims: readonly number[];
  readonly startIndexMap: readonly number[];
  readonly indexVectorDim: number;
}

export interface ScatterDimensionNumbers {
  readonly kind: "scatterDimensionNumbers";
  readonly updateWindowDims: readonly number[];
  readonly insertedWindowDims: readonly number[];
  readonly inputBatchingDims: readonly number[];
  readonly scatterIndicesBatchingDims: readonly number[];
  readonly scatterDimsToOperandDims: readonly number[];
  readonly indexVectorDim: number;
}

export interface ChannelHandle {
  readonly kind: "channelHandle";
  readonly handle: bigint;
  readonly type: bigint;
}

export interface OutputOperandAlias {
  readonly kind: "outputOperandAlias";
  readonly outputTupleIndices: readonly number[];
  readonly operandIndex: number;
  readonly operandTupleIndices: readonly number[];
}

export interface TypeExtensions {
  readonly kind: "typeExtensions";
  /** Upper bounds of the dimensions, null where there is none. */
  readonly bounds: readonly (number | null)[];
}

export interface ResultAccuracy {
  readonly kind: "resultAccuracy";
  readonly atol: number;
  readonly rtol: number;
  readonly ulps: bigint;
  readonly mode: string;
}

/** `#stablehlo.sub_axis_info`, `axis_ref`, `mesh_axis`, `mesh`, `replica_group_mesh_axes`. */
export type MeshAttribute =
  | { readonly kind: "subAxisInfo"; readonly preSize: bigint; readonly size: bigint }
  | { readonly kind: "axisRef"; readonly name: string; readonly subAxisInfo: MlirAttribute | null }
  | { readonly kind: "meshAxis"; readonly name: string; readonly size: bigint }
  | {
      readonly kind: "mesh";
      readonly axes: readonly MlirAttribute[];
      readonly deviceIds: MlirAttribute | null;
    }
  | {
      readonly kind: "replicaGroupMeshAxes";
      readonly mesh: MlirAttribute;
      readonly axes: MlirAttribute;
    };

/** An attribute of a dialect that this reader does not know; `text` is its assembly form if stored. */
export interface MlirOpaqueAttribute {
  readonly kind: "opaque";
  readonly dialect: string;
  readonly text: string | null;
  readonly bytes: Uint8Array;
}

export type MlirAttribute =
  | { readonly kind: "unit" }
  | { readonly kind: "bool"; readonly value: boolean }
  | MlirIntegerAttribute
  | MlirFloatAttribute
  | {
      readonly kind: "string";
      readonly value: string;
      /** The exact bytes, present when they are not valid UTF-8. */
      readonly bytes?: Uint8Array;
      /** Present when the string carries a type other than none. */
      readonly type?: MlirType;
    }
  | { readonly kind: "array"; readonly elements: readonly MlirAttribute[] }
  | { readonly kind: "dictionary"; readonly entries: ReadonlyMap<string, MlirAttribute> }
  | { readonly kind: "type"; readonly type: MlirType }
  | { readonly kind: "symbolRef"; readonly root: string; readonly nested: readonly string[] }
  | MlirDenseElements
  | MlirDenseResource
  | MlirDenseArray
  | {
      readonly kind: "denseStrings";
      readonly type: MlirType;
      readonly splat: boolean;
      readonly values: readonly string[];
    }
  | {
      readonly kind: "sparseElements";
      readonly type: MlirType;
      readonly indices: MlirAttribute;
      readonly values: MlirAttribute;
    }
  | { readonly kind: "distinct"; readonly id: number; readonly referenced: MlirAttribute }
  | { readonly kind: "location"; readonly location: MlirLocation }
  | MlirEnumAttribute
  | DotDimensionNumbers
  | DotAlgorithm
  | ConvDimensionNumbers
  | GatherDimensionNumbers
  | ScatterDimensionNumbers
  | ChannelHandle
  | OutputOperandAlias
  | TypeExtensions
  | ResultAccuracy
  | MeshAttribute
  | MlirOpaqueAttribute;

export type MlirLocation =
  | { readonly kind: "unknown" }
  | {
      readonly kind: "file";
      readonly file: string;
      readonly line: number;
      readonly column: number;
      readonly endLine: number;
      readonly endColumn: number;
    }
  | { readonly kind: "name"; readonly name: string; readonly child: MlirLocation }
  | { readonly kind: "callSite"; readonly callee: MlirLocation; readonly caller: MlirLocation }
  | {
      readonly kind: "fused";
      readonly locations: readonly MlirLocation[];
      readonly metadata?: MlirAttribute;
    }
  | { readonly kind: "opaque"; readonly text: string };

/** An SSA value: an operation's result or a block's argument. Identity is the object (or `id`). */
export interface MlirValue {
  /** Unique within the module. */
  readonly id: number;
  readonly type: MlirType;
}

export interface MlirBlockArgument extends MlirValue {
  readonly location: MlirLocation;
}

export interface MlirBlock {
  readonly arguments: readonly MlirBlockArgument[];
  readonly operations: readonly MlirOperation[];
}

export interface MlirRegion {
  readonly blocks: readonly MlirBlock[];
}

export interface MlirOperation {
  /** With the dialect: `stablehlo.add`, `func.func`, `func.call`, `builtin.module`. */
  readonly name: string;
  readonly operands: readonly MlirValue[];
  readonly results: readonly MlirValue[];
  /** Inherent (properties) and discardable attributes together, sorted by name. */
  readonly attributes: ReadonlyMap<string, MlirAttribute>;
  readonly regions: readonly MlirRegion[];
  /** Blocks of the enclosing region, by index. */
  readonly successors: readonly number[];
  readonly location: MlirLocation;
}

export interface MlirModule {
  /** The `builtin.module` operation. */
  readonly operation: MlirOperation;
  /** Version of the bytecode encoding, 0 to 6. */
  readonly bytecodeVersion: number;
  /** Who wrote it, e.g. `StableHLO_v1.13.0` or `MLIR22.0.0git`. */
  readonly producer: string;
}
