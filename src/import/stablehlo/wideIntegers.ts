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
import { avalOf, constantValue, uniformNumber, type Imported } from "./values.js";

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

/** Largest values of expressions of iotas, sizes and constants. */
class UpperBounds {
  readonly #known = new Map<MlirValue, Dim | undefined>();

  constructor(readonly block: BlockImporter) {}

  of(value: MlirValue | undefined, depth = 0): Dim | undefined {
    if (value === undefined || depth > MAX_DEPTH) return undefined;
    if (this.#known.has(value)) return this.#known.get(value);
    const bound = this.#ofLeaf(value) ?? this.#ofOperation(value, depth + 1);
    this.#known.set(value, bound);
    return bound;
  }

  #ofLeaf(value: MlirValue): Dim | undefined {
    const imported = this.block.value(value);
    const number = uniformNumber(imported);
    if (number !== undefined) return nonNegative(Number.isSafeInteger(number) ? number : undefined);
    if (imported.kind === "iota") {
      const size = imported.aval.shape[imported.dimension];
      return size === undefined ? undefined : subDims(size, 1);
    }
    const known = this.block.knownDims(value);
    return known?.length === 1 ? nonNegative(known[0]) : undefined;
  }

  #ofOperation(value: MlirValue, depth: number): Dim | undefined {
    const op = this.block.module.definition(value);
    const [left, right] = op?.operands ?? [];
    switch (op?.name) {
      case "stablehlo.broadcast_in_dim":
      case "stablehlo.dynamic_broadcast_in_dim":
      case "stablehlo.convert":
      case "stablehlo.reshape":
        return this.of(left, depth);
      case "stablehlo.add":
        return combine(addDims, this.of(left, depth), this.of(right, depth));
      case "stablehlo.multiply":
        return combine(mulDims, this.of(left, depth), this.of(right, depth));
      default:
        return undefined;
    }
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
  if ((uniformNumber(block.value(amount)) ?? 0) < 32) return null;
  const { shape } = avalOf(block.value(counter));
  const bound = new UpperBounds(block).of(counter);
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
