/**
 * Evaluates operations on small integer and boolean tensors whose elements are known, maybe in
 * terms of dimension variables: how the sizes that a module computes become dimension expressions.
 * Called by the block importer before an operation is imported as data.
 */
import { shapedArray } from "../../ir/aval.js";
import { isStaticShape } from "../../ir/dims.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import { enumAttribute, integerAttribute, integersAttribute, invalidModule } from "./attributes.js";
import {
  binaryScalar,
  compareScalars,
  convertScalar,
  isDim,
  notScalar,
  unaryScalar,
  type ScalarOperation,
  type ScalarType,
  type SymbolicScalar,
} from "./symbolicScalar.js";
import { selectScalar } from "./symbolicSelect.js";
import { tensorType } from "./types.js";
import {
  avalOf,
  knownElements,
  MAX_KNOWN_ELEMENTS,
  scalarTypeOf,
  type Imported,
  type SymbolicValue,
} from "./values.js";

/** A tensor with known elements in row-major order. */
interface Known {
  readonly elements: readonly SymbolicScalar[];
  readonly shape: readonly number[];
  readonly type: ScalarType;
}

type Folded = Pick<Known, "elements" | "shape">;
type Rule = (
  op: MlirOperation,
  operands: readonly Known[],
  type: ScalarType,
) => Folded | null | undefined;

/** One scalar rule for each element; operands of shape () are repeated. */
function elementwise(
  rule: (scalars: readonly SymbolicScalar[], type: ScalarType) => SymbolicScalar | null,
): Rule {
  return (_op, operands, type) => {
    const shape = operands.find((operand) => operand.shape.length > 0)?.shape ?? [];
    const count = shape.reduce((product, size) => product * size, 1);
    const elements: SymbolicScalar[] = [];
    for (let index = 0; index < count; index++) {
      const scalars: SymbolicScalar[] = [];
      for (const operand of operands) {
        const scalar = operand.elements[operand.shape.length === 0 ? 0 : index];
        if (scalar === undefined) return null;
        scalars.push(scalar);
      }
      const result = rule(scalars, type);
      if (result === null) return null;
      elements.push(result);
    }
    return { elements, shape };
  };
}

const binary = (operation: ScalarOperation): Rule =>
  elementwise(([left = 0, right = 0], type) => binaryScalar(operation, left, right, type));

const unary = (operation: "neg" | "sign" | "abs"): Rule =>
  elementwise(([operand = 0], type) => unaryScalar(operation, operand, type));

const directions = { EQ: "eq", NE: "ne", LT: "lt", LE: "le", GT: "gt", GE: "ge" } as const;

/** The JAX name of a comparison direction. */
export function comparisonName(op: MlirOperation): (typeof directions)[keyof typeof directions] {
  const direction = enumAttribute(op, "comparison_direction");
  const isKnown = (name: string): name is keyof typeof directions =>
    Object.hasOwn(directions, name);
  if (!isKnown(direction)) throw invalidModule(`${direction} is no comparison`);
  return directions[direction];
}

/** Positions of all elements of `shape` in row-major order. */
function* positions(shape: readonly number[]): Generator<readonly number[]> {
  const position = shape.map(() => 0);
  const count = shape.reduce((product, size) => product * size, 1);
  for (let done = 0; done < count; done++) {
    yield position;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      if (next < (shape[axis] ?? 0)) {
        position[axis] = next;
        break;
      }
      position[axis] = 0;
    }
  }
}

/** Takes each result element from the place in `operand` that `source` says. */
function rearranged(
  operand: Known,
  shape: readonly number[],
  source: (position: readonly number[]) => readonly number[],
): Folded | null {
  const elements: SymbolicScalar[] = [];
  if (shape.reduce((product, size) => product * size, 1) > MAX_KNOWN_ELEMENTS) return null;
  for (const position of positions(shape)) {
    const from = source(position);
    const index = operand.shape.reduce((sum, size, axis) => sum * size + (from[axis] ?? 0), 0);
    const element = operand.elements[index];
    if (element === undefined) return null;
    elements.push(element);
  }
  return { elements, shape };
}

/** A shape operand as numbers, or null if a size is symbolic. */
function staticSizes(known: Known | undefined): readonly number[] | null {
  const sizes = known?.elements.filter((element) => typeof element === "number");
  return sizes !== undefined && sizes.length === known?.elements.length ? sizes : null;
}

function resultShape(op: MlirOperation): readonly number[] | null {
  const type = op.results[0]?.type;
  if (type === undefined) return null;
  const { shape } = tensorType(type);
  return shape.every((size) => size !== null) ? shape : null;
}

function reshaped(operand: Known, shape: readonly number[] | null): Folded | null {
  if (shape === null) return null;
  const count = shape.reduce((product, size) => product * size, 1);
  return count === operand.elements.length ? { elements: operand.elements, shape } : null;
}

function broadcast(
  op: MlirOperation,
  operand: Known,
  shape: readonly number[] | null,
): Folded | null {
  if (shape === null) return null;
  const dimensions = integersAttribute(op, "broadcast_dimensions");
  return rearranged(operand, shape, (position) =>
    operand.shape.map((size, axis) => (size === 1 ? 0 : (position[dimensions[axis] ?? 0] ?? 0))),
  );
}

function concatenate(op: MlirOperation, operands: readonly Known[]): Folded | null {
  const axis = integerAttribute(op, "dimension");
  const [first] = operands;
  if (first === undefined) return null;
  const total = operands.reduce((sum, operand) => sum + (operand.shape[axis] ?? 0), 0);
  const shape = first.shape.map((size, place) => (place === axis ? total : size));
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const outer = shape.slice(0, axis).reduce((product, size) => product * size, 1);
  if (outer * total * inner > MAX_KNOWN_ELEMENTS) return null;
  const elements: SymbolicScalar[] = [];
  for (let row = 0; row < outer; row++) {
    for (const operand of operands) {
      const chunk = (operand.shape[axis] ?? 0) * inner;
      elements.push(...operand.elements.slice(row * chunk, (row + 1) * chunk));
    }
  }
  return { elements, shape };
}

function slice(op: MlirOperation, operand: Known): Folded | null {
  const starts = integersAttribute(op, "start_indices");
  const strides = integersAttribute(op, "strides");
  const shape = resultShape(op);
  if (shape === null) return null;
  return rearranged(operand, shape, (position) =>
    position.map((place, axis) => (starts[axis] ?? 0) + place * (strides[axis] ?? 1)),
  );
}

function dynamicSlice(op: MlirOperation, operands: readonly Known[]): Folded | null {
  const [operand, ...indices] = operands;
  const sizes = integersAttribute(op, "slice_sizes");
  if (operand === undefined) return null;
  const starts: number[] = [];
  for (const [axis, index] of indices.entries()) {
    const [start] = index.elements;
    if (typeof start !== "number") return null;
    const last = (operand.shape[axis] ?? 0) - (sizes[axis] ?? 0);
    starts.push(Math.min(Math.max(start, 0), last));
  }
  return rearranged(operand, sizes, (position) =>
    position.map((place, axis) => (starts[axis] ?? 0) + place),
  );
}

/** `x[indices]` on a vector, as JAX writes `shape[axes]`: one index per result element. */
function gatherVector(op: MlirOperation, operands: readonly Known[]): Folded | null {
  const [operand, indices] = operands;
  const numbers = op.attributes.get("dimension_numbers");
  const shape = resultShape(op);
  if (numbers?.kind !== "gatherDimensionNumbers" || numbers.offsetDims.length > 0) return null;
  if (operand?.shape.length !== 1 || shape === null) return null;
  const places = staticSizes(indices);
  if (places?.length !== shape.reduce((a, b) => a * b, 1)) return null;
  const elements: SymbolicScalar[] = [];
  for (const place of places) {
    const element = operand.elements[Math.min(Math.max(place, 0), operand.elements.length - 1)];
    if (element === undefined) return null;
    elements.push(element);
  }
  return { elements, shape };
}

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["stablehlo.add", binary("add")],
  ["stablehlo.subtract", binary("sub")],
  ["stablehlo.multiply", binary("mul")],
  ["stablehlo.divide", binary("div")],
  ["stablehlo.remainder", binary("rem")],
  ["stablehlo.maximum", binary("max")],
  ["stablehlo.minimum", binary("min")],
  ["stablehlo.and", binary("and")],
  ["stablehlo.or", binary("or")],
  ["stablehlo.xor", binary("xor")],
  ["stablehlo.negate", unary("neg")],
  ["stablehlo.sign", unary("sign")],
  ["stablehlo.abs", unary("abs")],
  [
    "stablehlo.not",
    elementwise(([operand = 0], type) => (type === "bool" ? notScalar(operand) : null)),
  ],
  [
    "stablehlo.compare",
    (op, operands, type) => {
      const name = comparisonName(op);
      const rule = elementwise(([left = 0, right = 0]) => compareScalars(name, left, right));
      return rule(op, operands, type);
    },
  ],
  [
    "stablehlo.select",
    elementwise(([predicate = 0, onTrue = 0, onFalse = 0], type) =>
      selectScalar(predicate, onTrue, onFalse, type),
    ),
  ],
  [
    "stablehlo.clamp",
    elementwise(([low = 0, operand = 0, high = 0], type) => {
      const raised = binaryScalar("max", low, operand, type);
      return raised === null ? null : binaryScalar("min", raised, high, type);
    }),
  ],
  [
    "stablehlo.convert",
    (op, operands, type) => {
      const from = operands[0]?.type ?? type;
      return elementwise(([operand = 0]) => convertScalar(operand, from, type))(op, operands, type);
    },
  ],
  ["stablehlo.reshape", (op, [x]) => x && reshaped(x, resultShape(op))],
  ["stablehlo.dynamic_reshape", (_op, [x, sizes]) => x && reshaped(x, staticSizes(sizes))],
  ["stablehlo.broadcast_in_dim", (op, [x]) => x && broadcast(op, x, resultShape(op))],
  [
    "stablehlo.dynamic_broadcast_in_dim",
    (op, [x, sizes]) => x && broadcast(op, x, staticSizes(sizes)),
  ],
  ["stablehlo.concatenate", concatenate],
  ["stablehlo.slice", (op, [x]) => x && slice(op, x)],
  ["stablehlo.dynamic_slice", dynamicSlice],
  ["stablehlo.gather", gatherVector],
  [
    "stablehlo.transpose",
    (op, [x]) => {
      const permutation = integersAttribute(op, "permutation");
      if (x === undefined) return null;
      const shape = permutation.map((axis) => x.shape[axis] ?? 0);
      return rearranged(x, shape, (position) =>
        x.shape.map((_, axis) => position[permutation.indexOf(axis)] ?? 0),
      );
    },
  ],
]);

/** Of these, constants alone are kept as they are: the result is again a constant or a broadcast. */
const keepsConstants: ReadonlySet<string> = new Set([
  "stablehlo.broadcast_in_dim",
  "stablehlo.dynamic_broadcast_in_dim",
  "stablehlo.reshape",
  "stablehlo.dynamic_reshape",
]);

/**
 * The result of an operation whose operands are all known, or null if it is data or cannot be
 * evaluated.
 */
export function foldShapeArithmetic(
  op: MlirOperation,
  valueOf: (value: MlirValue) => Imported,
): SymbolicValue | null {
  const rule = rules.get(op.name);
  const [result] = op.results;
  if (rule === undefined || result === undefined) return null;
  const operands: Known[] = [];
  for (const operand of op.operands) {
    const value = valueOf(operand);
    if (value.kind !== "symbolic" && value.kind !== "constant") return null;
    if (operands.length === 0 && value.kind === "constant" && keepsConstants.has(op.name)) {
      return null;
    }
    const known = knownElements(value);
    const { shape } = avalOf(value);
    if (known === null || !isStaticShape(shape)) return null;
    operands.push({ ...known, shape });
  }
  const { dtype } = tensorType(result.type);
  const type = scalarTypeOf(dtype);
  if (type === undefined) return null;
  const folded = rule(op, operands, type);
  if (!folded || folded.elements.length > MAX_KNOWN_ELEMENTS) return null;
  return symbolicValue(folded.elements, folded.shape, type);
}

/** A known tensor; its data form is int32 or bool. */
export function symbolicValue(
  elements: readonly SymbolicScalar[],
  shape: readonly number[],
  type: ScalarType,
): SymbolicValue {
  const aval = shapedArray(type === "bool" ? "bool" : "int32", shape);
  return { kind: "symbolic", elements, type, aval };
}

/** True if all elements are numbers or dimension expressions. */
export function areDims(elements: readonly SymbolicScalar[]): boolean {
  return elements.every(isDim);
}
