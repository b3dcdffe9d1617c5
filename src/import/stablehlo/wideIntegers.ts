/**
 * 64-bit integers where their upper halves matter. JAX writes the counters of its random numbers as
 * uint64 and keys of random bit generators as pairs of words: both are recognised. Everything else
 * that looks at the bits of 64-bit values is refused, because they are computed in 32 bits.
 */
import {
  addDims,
  dimEquals,
  lessEqual,
  mulDims,
  shapeSize,
  subDims,
  tryCompare,
  type Dim,
} from "../../ir/dims.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import { canonicalDType, elementDType } from "./types.js";
import { avalOf, constantValue, elementValue, knownElements, type Imported } from "./values.js";

/** Expressions of counters are a few operations deep. */
const MAX_DEPTH = 64;

function isWide(value: MlirValue): boolean {
  if (value.type.kind !== "tensor") return false;
  const dtype = elementDType(value.type.elementType);
  return dtype !== undefined && canonicalDType(dtype) !== dtype;
}

/**
 * @throws Jax2TfjsError `unsupported-op` for an operation on the bits of 64-bit values
 */
export function refuse64Bits(
  block: BlockImporter,
  op: MlirOperation,
  values: readonly MlirValue[] = [...op.operands, ...op.results],
): void {
  if (!values.some(isWide)) return;
  throw unsupportedOperation(
    op,
    block.sourceText,
    `${op.name} works on the bits of 64-bit values, which are computed in 32 bits`,
    "export the function with jax_enable_x64 off",
  );
}

/** The largest value of an expression of iotas, sizes and constants, or undefined. */
function upperBound(block: BlockImporter, value: MlirValue, depth = 0): Dim | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const imported = block.value(value);
  if (imported.kind === "constant" && imported.splat) {
    const scalar = Number(elementValue(imported.array) as number | bigint);
    return Number.isSafeInteger(scalar) && scalar >= 0 ? scalar : undefined;
  }
  if (imported.kind === "iota") {
    const size = imported.aval.shape[imported.dimension];
    return size === undefined ? undefined : subDims(size, 1);
  }
  const known = knownElements(imported) === null ? undefined : block.knownDims(value);
  if (known?.length === 1) return nonNegative(known[0]);
  const op = block.module.definition(value);
  const of = (index: number): Dim | undefined => {
    const operand = op?.operands[index];
    return operand === undefined ? undefined : upperBound(block, operand, depth + 1);
  };
  switch (op?.name) {
    case "stablehlo.broadcast_in_dim":
    case "stablehlo.dynamic_broadcast_in_dim":
    case "stablehlo.convert":
    case "stablehlo.reshape":
      return of(0);
    case "stablehlo.add":
      return combine(addDims, of(0), of(1));
    case "stablehlo.multiply":
      return combine(mulDims, of(0), of(1));
    default:
      return undefined;
  }
}

function nonNegative(dim: Dim | undefined): Dim | undefined {
  return dim !== undefined && tryCompare(dim, ">=", 0) === true ? dim : undefined;
}

function combine(
  operation: (left: Dim, right: Dim) => Dim,
  left: Dim | undefined,
  right: Dim | undefined,
): Dim | undefined {
  if (left === undefined || right === undefined) return undefined;
  try {
    return operation(left, right);
  } catch (error) {
    if (error instanceof Jax2TfjsError) return undefined;
    throw error;
  }
}

/** True if a bound is below 2^32: as a number, or because it is below the size of an array. */
function fitsInWord(bound: Dim, shape: readonly Dim[]): boolean {
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
 * The upper half of a counter (`shift_right_logical` by 32 or more), which is zero: JAX splits
 * counters of as many values as the array has elements into two words. Null for anything else.
 */
export function upperHalfOfCounter(block: BlockImporter, op: MlirOperation): Imported | null {
  const [counter, amount] = op.operands;
  if (op.name !== "stablehlo.shift_right_logical" || !counter || !amount) return null;
  if (!isWide(counter)) return null;
  const shift = block.value(amount);
  if (shift.kind !== "constant" || !shift.splat) return null;
  if (Number(elementValue(shift.array) as number | bigint) < 32) return null;
  const { shape } = avalOf(block.value(counter));
  const bound = upperBound(block, counter);
  if (bound === undefined || !fitsInWord(bound, shape)) return null;
  const zero = constantValue("uint64", [], new Uint8Array(8), true);
  return { ...zero, aval: { ...zero.aval, shape } };
}

/** `bitcast_convert` between pairs of words and a 64-bit integer, or null for another one. */
export function bitcastWords(block: BlockImporter, op: MlirOperation): Imported | null {
  const [operand] = op.operands;
  const [result] = op.results;
  if (operand === undefined || result === undefined) return null;
  const value = block.value(operand);
  if (value.kind === "words") {
    return isWide(result) ? null : { kind: "atom", atom: value.words };
  }
  const aval = avalOf(value);
  const last = aval.shape.at(-1);
  if (!isWide(result) || aval.dtype !== "uint32" || last !== 2 || isWide(operand)) return null;
  const words = block.materialise(value);
  return { kind: "words", words, aval: { ...aval, shape: aval.shape.slice(0, -1) } };
}
