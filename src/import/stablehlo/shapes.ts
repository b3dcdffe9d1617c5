/**
 * Operations that make and rearrange arrays. The dynamic forms take their sizes from evaluated shape
 * arithmetic and become the same equations as the static ones.
 */
import { shapedArray } from "../../ir/aval.js";
import { dimEquals, isStaticShape, shapeEquals, type Dim, type Shape } from "../../ir/dims.js";
import { isInteger, storageBytesOf } from "../../ir/dtypes.js";
import type { Atom } from "../../ir/jaxpr.js";
import { elementCount } from "../../ir/hostArray.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import { integerAttribute, integersAttribute, invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import { resultDType } from "./elementwise.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { symbolicValue } from "./shapeArithmetic.js";
import { canonicalDType, tensorType } from "./types.js";
import {
  avalOf,
  constantValue,
  isUniform,
  scalarTypeOf,
  uniformConstant,
  type Imported,
} from "./values.js";
import { bitcastWords, refuse64Bits } from "./wideIntegers.js";

/** The static result shape of an operation. */
export function staticResultShape(op: MlirOperation): readonly number[] {
  const [result] = op.results;
  const shape = result === undefined ? [] : tensorType(result.type).shape;
  const sizes = shape.filter((size) => size !== null);
  if (result === undefined || sizes.length < shape.length) {
    throw invalidModule(`${op.name} has a result of unknown shape`);
  }
  return sizes;
}

function withShape(value: Imported, shape: Shape): Imported {
  if (value.kind !== "constant" && value.kind !== "broadcast") return value;
  return { ...value, aval: shapedArray(value.aval.dtype, shape) };
}

/** `broadcast_in_dim` of any value, put off until it is used as data. */
export function broadcastValue(
  block: BlockImporter,
  value: Imported,
  shape: Shape,
  dimensions: readonly number[],
): Imported {
  const { dtype, shape: from } = avalOf(value);
  if (isUniform(value)) return withShape(value, shape);
  const uniform = value.kind === "symbolic" ? uniformConstant(value) : undefined;
  if (uniform !== undefined) return withShape(uniform, shape);
  if (shapeEquals(from, shape) && dimensions.every((place, axis) => place === axis)) return value;
  const origin = block.builder.source;
  const aval = shapedArray(dtype, shape);
  const increasing = dimensions.every((place, axis) => place > (dimensions[axis - 1] ?? -1));
  if (value.kind === "broadcast" && increasing) {
    const composed = value.dimensions.map((place) => dimensions[place] ?? 0);
    return { ...value, dimensions: composed, aval, origin };
  }
  if (value.kind === "iota") {
    const place = dimensions[value.dimension];
    const size = from[value.dimension];
    if (place !== undefined && size !== undefined && dimEquals(size, shape[place] ?? NaN)) {
      return { kind: "iota", dimension: place, aval, origin };
    }
  }
  let source = block.materialise(value);
  if (!increasing) {
    const permutation = dimensions.map((_, axis) => axis);
    permutation.sort((a, b) => (dimensions[a] ?? 0) - (dimensions[b] ?? 0));
    source = block.bindOne("transpose", [source], { permutation });
  }
  const sorted = [...dimensions].sort((a, b) => a - b);
  return { kind: "broadcast", source, dimensions: sorted, aval, origin };
}

/** Where each size of `from` is in `to` if the latter only has more dimensions of size 1. */
function placesOfOnes(from: Shape, to: Shape): readonly number[] | undefined {
  const places: number[] = [];
  for (const [axis, size] of to.entries()) {
    const wanted = from[places.length];
    if (wanted !== undefined && dimEquals(size, wanted)) places.push(axis);
    else if (size !== 1) return undefined;
  }
  return places.length === from.length ? places : undefined;
}

/** `reshape` of any value: nothing, an added dimension of size 1, or an equation. */
export function reshapeValue(block: BlockImporter, value: Imported, shape: Shape): Imported {
  const { shape: from } = avalOf(value);
  if (isUniform(value)) return withShape(value, shape);
  if (shapeEquals(from, shape)) return value;
  const places = placesOfOnes(from, shape);
  if (places !== undefined) return broadcastValue(block, value, shape, places);
  return { kind: "atom", atom: block.reshape(block.materialise(value), shape) };
}

const importConstant: OperationImporter = (block, op) => {
  const [result] = op.results;
  const attribute = op.attributes.get("value");
  if (result === undefined || attribute === undefined) throw invalidModule("an empty constant");
  const { dtype } = tensorType(result.type);
  const shape = staticResultShape(op);
  if (attribute.kind === "denseElements") {
    return [constantValue(dtype, shape, attribute.bytes, attribute.splat)];
  }
  if (attribute.kind === "denseResource" && attribute.bytes !== null) {
    const expected = elementCount(shape) * storageBytesOf(dtype);
    if (attribute.bytes.byteLength === expected) {
      return [constantValue(dtype, shape, attribute.bytes, false)];
    }
  }
  throw unsupportedOperation(
    op,
    block.sourceText,
    `a constant is stored as ${attribute.kind}, which the importer does not read`,
    "export the function again with a current JAX",
  );
};

const importIota: OperationImporter = (block, op) => [
  iota(block, op, staticResultShape(op), integerAttribute(op, "iota_dimension")),
];

const importDynamicIota: OperationImporter = (block, op) => [
  iota(block, op, block.dims(op, 0), integerAttribute(op, "iota_dimension")),
];

function iota(block: BlockImporter, op: MlirOperation, shape: Shape, dimension: number): Imported {
  const aval = shapedArray(resultDType(op), shape);
  return { kind: "iota", dimension, aval, origin: block.builder.source };
}

const importTranspose: OperationImporter = (block, op) => {
  const value = block.value(block.operand(op, 0));
  const permutation = integersAttribute(op, "permutation");
  const { shape } = avalOf(value);
  if (permutation.every((axis, place) => axis === place)) return [value];
  if (isUniform(value)) {
    const permuted = permutation.map((axis) => shape[axis] ?? 0);
    return [withShape(value, permuted)];
  }
  return block.emit(op, "transpose", [block.materialise(value)], { permutation });
};

function sliceAtom(
  block: BlockImporter,
  x: Atom,
  starts: readonly Dim[],
  limits: readonly Dim[],
  strides: readonly number[],
): Imported {
  const params = {
    start_indices: starts,
    limit_indices: limits,
    strides: strides.every((stride) => stride === 1) ? null : strides,
  };
  return { kind: "atom", atom: block.bindOne("slice", [x], params) };
}

const importSlice: OperationImporter = (block, op) => [
  sliceAtom(
    block,
    block.atom(block.operand(op, 0)),
    integersAttribute(op, "start_indices"),
    integersAttribute(op, "limit_indices"),
    integersAttribute(op, "strides"),
  ),
];

/** A slice with sizes in operands: static where all are known, else JAX's `dynamic_slice`. */
const importRealDynamicSlice: OperationImporter = (block, op) => {
  const x = block.atom(block.operand(op, 0));
  const startOperand = block.operand(op, 1);
  const limitOperand = block.operand(op, 2);
  const strides = block.dims(op, 3);
  if (!isStaticShape(strides)) {
    throw unsupportedOperation(op, block.sourceText, "a slice has a symbolic stride");
  }
  const starts = block.knownDims(startOperand);
  const limits = block.knownDims(limitOperand);
  if (starts !== undefined && limits !== undefined) {
    return [sliceAtom(block, x, starts, limits, strides)];
  }
  const sizes = sliceSizes(block, startOperand, limitOperand);
  if (sizes === undefined || strides.some((stride) => stride !== 1)) {
    throw unsupportedOperation(
      op,
      block.sourceText,
      "the size of a slice is not known from the shapes of the inputs",
    );
  }
  const indices = startScalars(block, startOperand, sizes.length);
  return block.emit(op, "dynamic_slice", [x, ...indices], { slice_sizes: sizes });
};

/** JAX writes the limit as start + sizes. */
function sliceSizes(
  block: BlockImporter,
  start: MlirValue,
  limit: MlirValue,
): readonly Dim[] | undefined {
  const sum = block.module.definition(limit);
  if (sum?.name !== "stablehlo.add") return undefined;
  const size = sum.operands.find((operand) => operand !== start);
  if (size === undefined || !sum.operands.includes(start)) return undefined;
  return block.knownDims(size);
}

/** The elements of a vector of start indices; JAX stacks and clamps them, which is undone. */
function startScalars(block: BlockImporter, start: MlirValue, count: number): readonly Atom[] {
  const clamp = block.module.definition(start);
  const inner = clamp?.name === "stablehlo.clamp" ? clamp.operands[1] : undefined;
  const low = clamp?.name === "stablehlo.clamp" ? clamp.operands[0] : undefined;
  const isClamped = low !== undefined && block.knownDims(low)?.every((dim) => dim === 0) === true;
  const stacked = isClamped && inner !== undefined ? inner : start;
  const concatenation = block.module.definition(stacked);
  if (concatenation?.name === "stablehlo.concatenate") {
    const scalars = concatenation.operands.map((part) => {
      const reshape = block.module.definition(part);
      const [scalar] = reshape?.name === "stablehlo.reshape" ? reshape.operands : [];
      return scalar !== undefined && tensorType(scalar.type).shape.length === 0
        ? block.atom(scalar)
        : undefined;
    });
    const known = scalars.filter((scalar) => scalar !== undefined);
    if (known.length === count && scalars.length === count) return known;
  }
  const vector = block.atom(stacked);
  return Array.from({ length: count }, (_, index) => {
    const params = { start_indices: [index], limit_indices: [index + 1], strides: null };
    return block.reshape(block.bindOne("slice", [vector], params), []);
  });
}

const importDynamicSlice: OperationImporter = (block, op) => {
  const [operand, ...starts] = op.operands;
  if (operand === undefined) throw invalidModule("stablehlo.dynamic_slice has no operand");
  const x = block.atom(operand);
  const sizes = integersAttribute(op, "slice_sizes");
  const known = starts.map((start) => block.knownDims(start)?.[0]);
  const { shape } = x.aval;
  const clamped = known.map((start, axis) => {
    const size = shape[axis];
    if (typeof start !== "number" || typeof size !== "number") return undefined;
    return Math.min(Math.max(start, 0), size - (sizes[axis] ?? 0));
  });
  const numbers = clamped.filter((start) => start !== undefined);
  if (numbers.length === shape.length) {
    const limits = numbers.map((start, axis) => start + (sizes[axis] ?? 0));
    return [
      sliceAtom(
        block,
        x,
        numbers,
        limits,
        numbers.map(() => 1),
      ),
    ];
  }
  return block.emit(op, "dynamic_slice", [x, ...block.atoms(starts)], { slice_sizes: sizes });
};

const importPad: OperationImporter = (block, op) =>
  pad(
    block,
    op,
    integersAttribute(op, "edge_padding_low"),
    integersAttribute(op, "edge_padding_high"),
    integersAttribute(op, "interior_padding"),
  );

const importDynamicPad: OperationImporter = (block, op) => {
  const interior = block.dims(op, 4);
  if (!isStaticShape(interior)) {
    throw unsupportedOperation(op, block.sourceText, "the interior padding is symbolic");
  }
  return pad(block, op, block.dims(op, 2), block.dims(op, 3), interior);
};

function pad(
  block: BlockImporter,
  op: MlirOperation,
  low: readonly Dim[],
  high: readonly Dim[],
  interior: readonly number[],
): readonly Imported[] {
  const x = block.atom(block.operand(op, 0));
  const value = block.atom(block.operand(op, 1));
  const config = low.map((size, axis) => [size, high[axis] ?? 0, interior[axis] ?? 0] as const);
  return block.emit(op, "pad", [x, value], { padding_config: config });
}

const importDimensionSize: OperationImporter = (block, op) => {
  const { shape } = avalOf(block.value(block.operand(op, 0)));
  const size = shape[integerAttribute(op, "dimension")];
  const [result] = op.results;
  if (size === undefined || result === undefined) throw invalidModule("no such dimension");
  const type = scalarTypeOf(tensorType(result.type).dtype);
  return [symbolicValue([size], [], type ?? "int32")];
};

const importBitcast: OperationImporter = (block, op) => {
  const words = bitcastWords(block, op);
  if (words !== null) return [words];
  refuse64Bits(block, op);
  const x = block.atom(block.operand(op, 0));
  const dtype = canonicalDType(resultDType(op));
  // Of floats it stays even where it changes nothing: derivatives do not pass through it.
  if (x.aval.dtype === dtype && isInteger(dtype)) return [{ kind: "atom", atom: x }];
  return block.emit(op, "bitcast_convert_type", [x], { new_dtype: dtype });
};

/** Passes the operand on: what the operation does does not matter on one device. */
export const importIdentity: OperationImporter = (block, op) =>
  op.operands.slice(0, op.results.length).map((operand) => block.value(operand));

export const shapeOperations: OperationTable = {
  "stablehlo.constant": importConstant,
  "stablehlo.iota": importIota,
  "stablehlo.dynamic_iota": importDynamicIota,
  "stablehlo.broadcast_in_dim": (block, op) => [
    broadcastValue(
      block,
      block.value(block.operand(op, 0)),
      staticResultShape(op),
      integersAttribute(op, "broadcast_dimensions"),
    ),
  ],
  "stablehlo.dynamic_broadcast_in_dim": (block, op) => [
    broadcastValue(
      block,
      block.value(block.operand(op, 0)),
      block.dims(op, 1),
      integersAttribute(op, "broadcast_dimensions"),
    ),
  ],
  "stablehlo.broadcast": (block, op) => {
    const value = block.value(block.operand(op, 0));
    const added = integersAttribute(op, "broadcast_sizes");
    const { shape } = avalOf(value);
    const places = shape.map((_, axis) => axis + added.length);
    return [broadcastValue(block, value, [...added, ...shape], places)];
  },
  "stablehlo.reshape": (block, op) => [
    reshapeValue(block, block.value(block.operand(op, 0)), staticResultShape(op)),
  ],
  "stablehlo.dynamic_reshape": (block, op) => [
    reshapeValue(block, block.value(block.operand(op, 0)), block.dims(op, 1)),
  ],
  "stablehlo.transpose": importTranspose,
  "stablehlo.slice": importSlice,
  "stablehlo.real_dynamic_slice": importRealDynamicSlice,
  "stablehlo.dynamic_slice": importDynamicSlice,
  "stablehlo.dynamic_update_slice": (block, op) => {
    const { shape } = avalOf(block.value(block.operand(op, 0)));
    const inputs = block.operands(op, 2 + shape.length);
    return block.emit(op, "dynamic_update_slice", inputs, {});
  },
  "stablehlo.pad": importPad,
  "stablehlo.dynamic_pad": importDynamicPad,
  "stablehlo.concatenate": (block, op) =>
    op.operands.length === 1
      ? importIdentity(block, op)
      : block.emit(op, "concatenate", block.atoms(op.operands), {
          dimension: integerAttribute(op, "dimension"),
        }),
  "stablehlo.reverse": (block, op) =>
    block.emit(op, "rev", block.operands(op, 1), {
      dimensions: integersAttribute(op, "dimensions"),
    }),
  "stablehlo.get_dimension_size": importDimensionSize,
  "stablehlo.bitcast_convert": importBitcast,
  "stablehlo.optimization_barrier": importIdentity,
};
