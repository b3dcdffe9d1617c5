/**
 * Linear algebra and Fourier transforms that StableHLO has operations for, and random bits.
 */
import { shapeSize, type Shape } from "../../ir/dims.js";
import type { MlirOperation } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { booleanAttribute, enumAttribute, integersAttribute, invalidModule } from "./attributes.js";
import { tensorType } from "./types.js";
import type { Imported } from "./values.js";
import { refuse64Bits } from "./wideIntegers.js";

const importFft: OperationImporter = (block, op) =>
  block.emit(op, "fft", block.operands(op, 1), {
    fft_type: enumAttribute(op, "fft_type"),
    fft_lengths: integersAttribute(op, "fft_length"),
  });

/** JAX's cholesky gives the lower factor; the upper one is its conjugate transpose. */
const importCholesky: OperationImporter = (block, op) => {
  const x = block.atom(block.operand(op, 0));
  if (booleanAttribute(op, "lower")) {
    return block.emit(op, "cholesky", [x], {});
  }
  const rank = x.aval.shape.length;
  const permutation = x.aval.shape.map((_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  const adjoint = (y: typeof x) => {
    const transposed = block.bindOne("transpose", [y], { permutation });
    const isComplex = y.aval.dtype === "complex64";
    return isComplex ? block.bindOne("conj", [transposed], {}) : transposed;
  };
  const lower = block.bindOne("cholesky", [adjoint(x)], {});
  return [{ kind: "atom", atom: adjoint(lower) }];
};

const importTriangularSolve: OperationImporter = (block, op) => {
  const transpose = enumAttribute(op, "transpose_a");
  return block.emit(op, "triangular_solve", block.operands(op, 2), {
    left_side: booleanAttribute(op, "left_side"),
    lower: booleanAttribute(op, "lower"),
    transpose_a: transpose !== "NO_TRANSPOSE",
    conjugate_a: transpose === "ADJOINT",
    unit_diagonal: booleanAttribute(op, "unit_diagonal"),
  });
};

const importRngBitGenerator: OperationImporter = (block, op) => {
  const shape = op.results[1] === undefined ? [] : tensorType(op.results[1].type).shape;
  return randomBits(
    block,
    op,
    shape.map((size) => size ?? 0),
  );
};

/** The form for symbolic shapes has the shape as an operand. */
export const importDynamicRngBitGenerator: OperationImporter = (block, op) =>
  randomBits(block, op, block.dims(op, 1));

/** The state is one vector of words, as JAX has it; StableHLO's are 64-bit integers. */
function randomBits(block: BlockImporter, op: MlirOperation, shape: Shape): readonly Imported[] {
  const [, bits] = op.results;
  if (bits === undefined) throw invalidModule(`${op.name} lacks results`);
  const state = block.value(block.operand(op, 0));
  refuse64Bits(block, op, state.kind === "words" ? [bits] : undefined);
  const { dtype } = tensorType(bits.type);
  const params = { shape, dtype, algorithm: enumAttribute(op, "rng_algorithm") };
  if (state.kind !== "words") {
    return block.emit(op, "rng_bit_generator", [block.materialise(state)], params);
  }
  const { words, aval } = state;
  const key = block.reshape(words, [shapeSize(words.aval.shape)]);
  const [next, drawn] = block.bind("rng_bit_generator", [key], params);
  if (next === undefined || drawn === undefined) throw new Error("internal error: random bits");
  const nextWords = block.reshape(next, words.aval.shape);
  return [
    { kind: "words", words: nextWords, aval },
    { kind: "atom", atom: drawn },
  ];
}

export const linalgOperations: OperationTable = {
  "stablehlo.fft": importFft,
  "stablehlo.cholesky": importCholesky,
  "stablehlo.triangular_solve": importTriangularSolve,
  "stablehlo.rng_bit_generator": importRngBitGenerator,
};
