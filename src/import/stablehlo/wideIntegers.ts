/**
 * 64-bit integers where their upper halves matter: keys of random bit generators, which JAX writes as
 * pairs of words, are recognised (and counters, in counters.ts). Everything else that looks at the
 * bits of 64-bit values is refused, because they are computed in 32 bits.
 */
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import { canonicalDType, elementDType } from "./types.js";
import { avalOf, type Imported } from "./values.js";

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
