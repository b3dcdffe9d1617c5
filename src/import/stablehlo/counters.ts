/**
 * The 64-bit counters that JAX feeds its random number generator: sums of multiples of iotas. They
 * are kept as such until a word of them is taken, because 64-bit integers are computed in 32 bits.
 */
import type { ShapedArray } from "../../ir/aval.js";
import {
  addDims,
  dimEquals,
  lessEqual,
  mulDims,
  shapeSize,
  subDims,
  tryCompare,
  type Dim,
  type Shape,
} from "../../ir/dims.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { MlirOperation } from "../mlir/ir.js";
import { integersAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { dimOf } from "./symbolicScalar.js";
import { elementDType } from "./types.js";
import {
  avalOf,
  constantValue,
  uniformNumber,
  type CounterValue,
  type Imported,
} from "./values.js";

/** `constant + sum of coefficient * iota(dimension)`. */
type LinearForm = Pick<CounterValue, "constant" | "terms">;

/** A value as a linear form with coefficients that are not negative; null for anything else. */
function linearForm(value: Imported): LinearForm | null {
  if (value.kind === "counter") return value;
  if (value.kind === "iota") return { terms: new Map([[value.dimension, 1]]), constant: 0 };
  if (value.kind === "symbolic") {
    const [first] = value.elements;
    const dim = first === undefined ? undefined : dimOf(first);
    if (dim === undefined || value.elements.length !== 1) return null;
    return tryCompare(dim, ">=", 0) === true ? { terms: new Map(), constant: dim } : null;
  }
  const number = uniformNumber(value);
  if (number === undefined || !Number.isSafeInteger(number) || number < 0) return null;
  return { terms: new Map(), constant: number };
}

function add(left: LinearForm, right: LinearForm): LinearForm {
  const terms = new Map(left.terms);
  for (const [dimension, coefficient] of right.terms) {
    terms.set(dimension, addDims(terms.get(dimension) ?? 0, coefficient));
  }
  return { terms, constant: addDims(left.constant, right.constant) };
}

function multiply(left: LinearForm, right: LinearForm): LinearForm | null {
  if (left.terms.size > 0 && right.terms.size > 0) return null;
  const [form, factor] = left.terms.size > 0 ? [left, right.constant] : [right, left.constant];
  const terms = [...form.terms].map(([axis, value]) => [axis, mulDims(value, factor)] as const);
  return { terms: new Map(terms), constant: mulDims(form.constant, factor) };
}

function broadcast(
  form: LinearForm,
  from: Shape,
  shape: Shape,
  dimensions: readonly number[],
): LinearForm | null {
  const terms = new Map<number, Dim>();
  for (const [axis, coefficient] of form.terms) {
    const place = dimensions[axis];
    if (place === undefined || !dimEquals(from[axis] ?? NaN, shape[place] ?? NaN)) return null;
    terms.set(place, coefficient);
  }
  return { terms, constant: form.constant };
}

/** The linear form of an operation's result, if its operands have one. */
function resultForm(
  op: MlirOperation,
  operands: readonly Imported[],
  shape: Shape,
): LinearForm | null {
  const [left, right] = operands.map(linearForm);
  const [first] = operands;
  if (left === undefined || left === null || first === undefined) return null;
  switch (op.name) {
    case "stablehlo.add":
      return right ? add(left, right) : null;
    case "stablehlo.multiply":
      return right ? multiply(left, right) : null;
    case "stablehlo.convert":
      return left;
    case "stablehlo.broadcast_in_dim":
    case "stablehlo.dynamic_broadcast_in_dim": {
      const dimensions = integersAttribute(op, "broadcast_dimensions");
      return broadcast(left, avalOf(first).shape, shape, dimensions);
    }
    default:
      return null;
  }
}

/** The shape of the result, from the operands. */
function resultShape(block: BlockImporter, op: MlirOperation, first: Imported): Shape | undefined {
  if (op.name === "stablehlo.dynamic_broadcast_in_dim") {
    return op.operands[1] === undefined ? undefined : block.knownDims(op.operands[1]);
  }
  if (op.name !== "stablehlo.broadcast_in_dim") return avalOf(first).shape;
  const type = op.results[0]?.type;
  const sizes = type?.kind === "tensor" ? type.shape : [];
  const known = sizes.filter((size) => size !== null);
  return known.length === sizes.length ? known : undefined;
}

/** The result of an operation on uint64 counters, or null if it is none. */
export function foldCounter(block: BlockImporter, op: MlirOperation): CounterValue | null {
  const type = op.results[0]?.type;
  if (type?.kind !== "tensor" || elementDType(type.elementType) !== "uint64") return null;
  const data = op.name === "stablehlo.dynamic_broadcast_in_dim" ? 1 : op.operands.length;
  const operands = op.operands.slice(0, data).map((operand) => block.value(operand));
  const [first] = operands;
  if (first === undefined || operands.every(({ kind }) => kind === "constant")) return null;
  const shape = resultShape(block, op, first);
  try {
    const form = shape === undefined ? null : resultForm(op, operands, shape);
    if (form === null || shape === undefined) return null;
    const aval: ShapedArray = { shape, dtype: "uint32", weakType: false };
    return { kind: "counter", ...form, aval };
  } catch (error) {
    if (error instanceof Jax2TfjsError && error.code === "dimension-overflow") return null;
    throw error;
  }
}

/** True if the largest value is below 2^32: as a number, or below the size of the array. */
function fitsInWord(form: LinearForm, shape: Shape): boolean {
  let bound = form.constant;
  for (const [axis, coefficient] of form.terms) {
    bound = addDims(bound, mulDims(coefficient, subDims(shape[axis] ?? 1, 1)));
  }
  if (typeof bound === "number") return bound < 2 ** 32;
  const last = subDims(shapeSize(shape), 1);
  try {
    return dimEquals(bound, last) || lessEqual(bound, last);
  } catch (error) {
    if (error instanceof Jax2TfjsError) return false;
    throw error;
  }
}

/**
 * The upper word of a counter (`shift_right_logical` by 32 or more), which is zero: JAX counts the
 * elements of an array. Null for anything else.
 */
export function upperWordOfCounter(block: BlockImporter, op: MlirOperation): Imported | null {
  const [counter, amount] = op.operands;
  const type = op.results[0]?.type;
  if (op.name !== "stablehlo.shift_right_logical" || !counter || !amount) return null;
  if (type?.kind !== "tensor" || elementDType(type.elementType) !== "uint64") return null;
  if ((uniformNumber(block.value(amount)) ?? 0) < 32) return null;
  const value = block.value(counter);
  const form = linearForm(value);
  const { shape } = avalOf(value);
  if (form === null || !fitsInWord(form, shape)) return null;
  const zero = constantValue("uint32", [], new Uint8Array(4), true);
  return { ...zero, aval: { ...zero.aval, shape } };
}

/** True if the counter numbers the elements of its array in row-major order. */
export function isFlatIndex({ terms, constant, aval: { shape } }: CounterValue): boolean {
  if (constant !== 0) return false;
  let stride: Dim = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && !dimEquals(terms.get(axis) ?? 0, stride)) return false;
    stride = mulDims(stride, size);
  }
  return shape.length > 0;
}
