/**
 * Bytecode encodings of VHLO, the versioned dialect that portable StableHLO artifacts are written
 * in. Attributes and types are decoded straight to their StableHLO and builtin counterparts; what
 * operations make of them is upgrade.ts's business. Called by table.ts.
 */
import {
  dictionary,
  floatAttribute,
  integerAttribute,
  stringAttribute,
} from "./builtinEncoding.js";
import { corrupt } from "./cursor.js";
import { denseElements } from "./elements.js";
import { type EntryReader } from "./entryReader.js";
import { floatValue } from "./floats.js";
import { type EnumName, type FloatTypeName, type MlirAttribute, type MlirType } from "./ir.js";
import { floatType } from "./text.js";

/** Enumerations by their attribute code: StableHLO's name, and the members by value. */
const enums = new Map<number, readonly [EnumName, readonly string[]]>([
  [3, ["comparison_direction", ["EQ", "NE", "GE", "GT", "LE", "LT"]]],
  [4, ["comparison_type", ["NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"]]],
  [
    5,
    [
      "custom_call_api_version",
      [
        "API_VERSION_UNSPECIFIED",
        "API_VERSION_ORIGINAL",
        "API_VERSION_STATUS_RETURNING",
        "API_VERSION_STATUS_RETURNING_UNIFIED",
        "API_VERSION_TYPED_FFI",
      ],
    ],
  ],
  [7, ["fft_type", ["FFT", "IFFT", "RFFT", "IRFFT"]]],
  [11, ["precision", ["DEFAULT", "HIGH", "HIGHEST"]]],
  [12, ["rng_algorithm", ["DEFAULT", "THREE_FRY", "PHILOX"]]],
  [13, ["rng_distribution", ["", "UNIFORM", "NORMAL"]]],
  [16, ["transpose", ["TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"]]],
  [19, ["result_accuracy_mode", ["DEFAULT", "HIGHEST", "TOLERANCE"]]],
]);

const attributeCode = {
  array: 1,
  boolean: 2,
  dictionary: 6,
  float: 8,
  integer: 9,
  outputOperandAlias: 10,
  string: 14,
  tensor: 15,
  type: 17,
  typeExtensions: 18,
  resultAccuracy: 20,
  subAxisInfo: 21,
  axisRef: 22,
  replicaGroupMeshAxes: 23,
  meshAxis: 24,
  mesh: 25,
} as const;

/** Decodes a VHLO attribute. */
export function decodeVhloAttribute(reader: EntryReader): MlirAttribute | null {
  const code = reader.cursor.varint();
  const enumeration = enums.get(code);
  if (enumeration !== undefined) return enumAttribute(enumeration, reader.cursor.varint());
  switch (code) {
    case attributeCode.array:
      return { kind: "array", elements: reader.attributes() };
    case attributeCode.boolean:
      return { kind: "bool", value: reader.cursor.varint() !== 0 };
    case attributeCode.dictionary:
      return dictionary(reader, () => reader.stringAttribute());
    case attributeCode.float:
      return floatAttribute(reader.type(), reader);
    case attributeCode.integer:
      return integerAttribute(reader.type(), reader);
    case attributeCode.outputOperandAlias:
      return {
        kind: "outputOperandAlias",
        outputTupleIndices: reader.signedVarints(),
        operandIndex: reader.cursor.signedVarint(),
        operandTupleIndices: reader.signedVarints(),
      };
    case attributeCode.string:
      return stringAttribute(reader);
    case attributeCode.tensor:
      return denseElements(reader.type(), reader.cursor.blob());
    case attributeCode.type:
      return { kind: "type", type: reader.type() };
    case attributeCode.typeExtensions:
      return { kind: "typeExtensions", bounds: reader.shape() };
    case attributeCode.resultAccuracy:
      return resultAccuracy(reader);
    default:
      return meshAttribute(code, reader);
  }
}

function enumAttribute(
  [name, members]: readonly [EnumName, readonly string[]],
  value: number,
): MlirAttribute {
  const member = members[value];
  if (member === undefined || member === "") throw corrupt(`${name} has no member ${value}`);
  return { kind: "enum", dialect: "stablehlo", name, value: member };
}

function resultAccuracy(reader: EntryReader): MlirAttribute {
  const atol = floatValue("f64", reader.bits(64));
  const rtol = floatValue("f64", reader.bits(64));
  const ulps = reader.cursor.signedBigVarint();
  const mode = reader.attribute();
  if (mode.kind !== "enum") throw corrupt("a result accuracy without mode");
  return { kind: "resultAccuracy", atol, rtol, ulps, mode: mode.value };
}

function meshAttribute(code: number, reader: EntryReader): MlirAttribute | null {
  const { cursor } = reader;
  switch (code) {
    case attributeCode.subAxisInfo:
      return {
        kind: "subAxisInfo",
        preSize: cursor.signedBigVarint(),
        size: cursor.signedBigVarint(),
      };
    case attributeCode.axisRef: {
      const name = reader.stringAttribute();
      const subAxisInfo = cursor.varint() === 0 ? null : reader.attribute();
      return { kind: "axisRef", name, subAxisInfo };
    }
    case attributeCode.replicaGroupMeshAxes: {
      const mesh = reader.attribute();
      const axes = reader.attribute();
      // A mesh given by name is a symbol.
      return mesh.kind === "string"
        ? {
            kind: "replicaGroupMeshAxes",
            mesh: { kind: "symbolRef", root: mesh.value, nested: [] },
            axes,
          }
        : { kind: "replicaGroupMeshAxes", mesh, axes };
    }
    case attributeCode.meshAxis:
      return { kind: "meshAxis", name: reader.stringAttribute(), size: cursor.signedBigVarint() };
    case attributeCode.mesh: {
      const axes = reader.attribute();
      if (axes.kind !== "array") throw corrupt("a mesh without axes");
      return { kind: "mesh", axes: axes.elements, deviceIds: reader.optionalAttribute() };
    }
    default:
      return null;
  }
}

/** Types without fields, by code. Signed integers become signless, as StableHLO has them. */
const simpleTypes = new Map<number, MlirType>([
  [0, { kind: "integer", width: 1, signedness: "signless" }],
  [9, { kind: "index" }],
  [22, { kind: "token" }],
  [26, { kind: "witness" }],
  [33, { kind: "none" }],
]);

function addFloats(codes: Readonly<Partial<Record<FloatTypeName, number>>>): void {
  for (const [name, code] of Object.entries(codes)) {
    simpleTypes.set(code, floatType(name as FloatTypeName));
  }
}

function addIntegers(
  signedness: "signless" | "unsigned",
  codes: readonly (readonly [number, number])[],
): void {
  for (const [width, code] of codes) simpleTypes.set(code, { kind: "integer", width, signedness });
}

addFloats({ bf16: 2, f16: 3, f32: 4, f64: 5, tf32: 34 });
addFloats({ f8E4M3FN: 6, f8E5M2: 7, f8E4M3FNUZ: 27, f8E5M2FNUZ: 28, f8E4M3B11FNUZ: 29 });
addFloats({ f8E4M3: 35, f8E3M4: 36, f4E2M1FN: 37, f6E2M3FN: 38, f6E3M2FN: 39, f8E8M0FNU: 40 });
addIntegers("signless", [
  [2, 31],
  [4, 10],
  [8, 11],
  [16, 12],
  [32, 13],
  [64, 14],
]);
addIntegers("unsigned", [
  [2, 32],
  [4, 15],
  [8, 16],
  [16, 17],
  [32, 18],
  [64, 19],
]);

const typeCode = {
  complex: 1,
  function: 8,
  rankedTensor: 20,
  rankedTensorWithEncoding: 21,
  tuple: 23,
  uniformQuantized: 24,
  unrankedTensor: 25,
  uniformQuantizedPerAxis: 30,
  rankedBuffer: 41,
  future: 42,
} as const;

/** Decodes a VHLO type. */
export function decodeVhloType(reader: EntryReader): MlirType | null {
  const code = reader.cursor.varint();
  const simple = simpleTypes.get(code);
  if (simple !== undefined) return simple;
  switch (code) {
    case typeCode.complex:
      return { kind: "complex", elementType: reader.type() };
    case typeCode.function:
      return { kind: "function", inputs: reader.types(), results: reader.types() };
    case typeCode.rankedTensor:
      return { kind: "tensor", shape: reader.shape(), elementType: reader.type() };
    case typeCode.rankedTensorWithEncoding: {
      const encoding = reader.attribute();
      return { kind: "tensor", shape: reader.shape(), elementType: reader.type(), encoding };
    }
    case typeCode.tuple:
      return { kind: "tuple", types: reader.types() };
    case typeCode.uniformQuantized:
    case typeCode.uniformQuantizedPerAxis:
      return quantized(reader, code === typeCode.uniformQuantizedPerAxis);
    case typeCode.unrankedTensor:
      return { kind: "unrankedTensor", elementType: reader.type() };
    case typeCode.rankedBuffer:
      return { kind: "memref", shape: reader.shape(), elementType: reader.type() };
    case typeCode.future:
      return { kind: "future", types: reader.types() };
    default:
      return null;
  }
}

function quantized(reader: EntryReader, perAxis: boolean): MlirType {
  const { cursor } = reader;
  const signed = cursor.varint() % 2 === 1;
  const storageType = reader.type();
  const expressedType = reader.type();
  const double = (): number => floatValue("f64", reader.bits(64));
  if (!perAxis) {
    const scales = [double()];
    const zeroPoints = [cursor.signedBigVarint()];
    const storageMin = cursor.signedBigVarint();
    const storageMax = cursor.signedBigVarint();
    const type = { signed, storageType, expressedType, quantizedDimension: null };
    return { kind: "quantized", ...type, scales, zeroPoints, storageMin, storageMax };
  }
  const quantizedDimension = cursor.varint();
  const storageMin = cursor.signedBigVarint();
  const storageMax = cursor.signedBigVarint();
  const scales = cursor.list("scales", double);
  const zeroPoints = cursor.list("zero points", () => cursor.signedBigVarint());
  const type = { signed, storageType, expressedType, quantizedDimension };
  return { kind: "quantized", ...type, scales, zeroPoints, storageMin, storageMax };
}
