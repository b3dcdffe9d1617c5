/**
 * Elementwise operations: one table of names, and the few whose form differs (compare, select,
 * convert, clamp). Operands that are broadcast scalars stay scalars, as JAX writes them.
 */
import { shapedArray } from "../../ir/aval.js";
import type { Shape } from "../../ir/dims.js";
import { kindOf, type DType } from "../../ir/dtypes.js";
import type { Atom } from "../../ir/jaxpr.js";
import type { Params } from "../../ir/params.js";
import type { MlirOperation } from "../mlir/ir.js";
import { enumAttribute, integerAttribute, invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { selectedExtremum } from "./complexOrder.js";
import { isFlatIndex, upperWordOfCounter } from "./counters.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { comparisonName } from "./shapeArithmetic.js";
import { compareScalars } from "./symbolicScalar.js";
import { canonicalDType, tensorType } from "./types.js";
import {
  avalOf,
  constantValue,
  isUniform,
  scalarTypeOf,
  uniformNumber,
  type Imported,
} from "./values.js";
import { refuse64Bits } from "./wideIntegers.js";
import { integerExponent, logisticArgument } from "./writtenOut.js";

/** The element type of the only result. */
export function resultDType(op: MlirOperation): DType {
  const [result] = op.results;
  if (result === undefined) throw invalidModule(`${op.name} has no result`);
  return canonicalDType(tensorType(result.type).dtype);
}

/** Computes on scalars; the shape is put back by whoever needs the array. */
function onScalars(
  block: BlockImporter,
  scalars: readonly Atom[],
  shape: Shape,
  compute: (inputs: readonly Atom[]) => Atom,
): Imported {
  const scalar = compute(scalars);
  if (shape.length === 0) return { kind: "atom", atom: scalar };
  const aval = shapedArray(scalar.aval.dtype, shape);
  return { kind: "broadcast", source: scalar, dimensions: [], aval, origin: block.builder.source };
}

/**
 * Adds elementwise equations: operands that are equal everywhere are given as scalars, and if all
 * are, only scalars are computed with.
 */
export function elementwise(
  block: BlockImporter,
  operands: readonly Imported[],
  compute: (inputs: readonly Atom[]) => Atom,
): Imported {
  const full = operands.find((operand) => avalOf(operand).shape.length > 0 && !isUniform(operand));
  if (full === undefined) {
    const scalars = operands.map((operand) => block.uniformScalar(operand));
    const known = scalars.filter((scalar) => scalar !== undefined);
    if (known.length === operands.length) {
      const shaped = operands.find((operand) => avalOf(operand).shape.length > 0);
      return onScalars(block, known, shaped === undefined ? [] : avalOf(shaped).shape, compute);
    }
  }
  const inputs = operands.map(
    (operand) => block.uniformScalar(operand) ?? block.materialise(operand),
  );
  return { kind: "atom", atom: compute(inputs) };
}

function importElementwise(
  block: BlockImporter,
  op: MlirOperation,
  name: string,
  params: Params = {},
): readonly Imported[] {
  const operands = op.operands.map((operand) => block.value(operand));
  return [elementwise(block, operands, (inputs) => block.bindOne(name, inputs, params))];
}

const named =
  (name: string, params: Params = {}): OperationImporter =>
  (block, op) =>
    importElementwise(block, op, name, params);

/** The operation on booleans that arithmetic on `i1` means. */
const logical =
  (name: string, onBooleans: string): OperationImporter =>
  (block, op) =>
    importElementwise(block, op, resultDType(op) === "bool" ? onBooleans : name);

/** Bit patterns of 64-bit integers are lost in 32 bits: such operations are refused. */
const bitwise =
  (name: string): OperationImporter =>
  (block, op) => {
    const zero = upperWordOfCounter(block, op);
    if (zero !== null) return [zero];
    refuse64Bits(block, op);
    return importElementwise(block, op, name);
  };

const importCompare: OperationImporter = (block, op) => {
  const direction = comparisonName(op);
  const operands = op.operands.map((operand) => block.value(operand));
  const known = compareConstants(direction, operands);
  if (known !== undefined) return [known];
  if (enumAttribute(op, "compare_type", "NOTYPE") === "TOTALORDER") {
    return [elementwise(block, operands, (inputs) => totalOrder(block, direction, inputs))];
  }
  return [elementwise(block, operands, (inputs) => block.bindOne(direction, inputs, {}))];
};

/** Integers that are the same everywhere are compared now, whatever their shape. */
function compareConstants(
  direction: ReturnType<typeof comparisonName>,
  operands: readonly Imported[],
): Imported | undefined {
  const scalars: number[] = [];
  for (const operand of operands) {
    const scalar = uniformNumber(operand);
    if (scalar === undefined || operand.kind !== "constant") return undefined;
    if (scalarTypeOf(operand.array.dtype) === undefined) return undefined;
    scalars.push(scalar);
  }
  const [left, right] = scalars;
  const [first] = operands;
  if (left === undefined || right === undefined || first === undefined) return undefined;
  if (!Number.isSafeInteger(left) || !Number.isSafeInteger(right)) return undefined;
  const result = compareScalars(direction, left, right);
  const constant = constantValue("bool", [], Uint8Array.of(Number(result === true)), true);
  return { ...constant, aval: { ...constant.aval, shape: avalOf(first).shape } };
}

/** JAX has `eq_to`, `lt_to`, `le_to`; the others are those with operands or result turned round. */
function totalOrder(block: BlockImporter, direction: string, inputs: readonly Atom[]): Atom {
  const swapped = [...inputs].reverse();
  switch (direction) {
    case "ne":
      return block.bindOne("not", [block.bindOne("eq_to", inputs, {})], {});
    case "gt":
      return block.bindOne("lt_to", swapped, {});
    case "ge":
      return block.bindOne("le_to", swapped, {});
    default:
      return block.bindOne(`${direction}_to`, inputs, {});
  }
}

/** `select(p, a, b)` is `select_n(p, b, a)`, whose cases must have the full shape. */
const importSelect: OperationImporter = (block, op) => {
  const [predicate, onTrue, onFalse] = op.operands.map((operand) => block.value(operand));
  if (predicate === undefined || onTrue === undefined || onFalse === undefined) {
    throw invalidModule("stablehlo.select has fewer than three operands");
  }
  if (isUniform(predicate) && predicate.kind === "constant") {
    return [predicate.array.bytes[0] === 0 ? onFalse : onTrue];
  }
  if (
    predicate.kind === "symbolic" &&
    predicate.elements.every((e) => e === predicate.elements[0])
  ) {
    const [known] = predicate.elements;
    if (known === true) return [onTrue];
    if (known === false) return [onFalse];
  }
  if (isUniform(predicate) && isUniform(onTrue) && isUniform(onFalse)) {
    const reordered = [predicate, onFalse, onTrue];
    return [elementwise(block, reordered, (inputs) => block.bindOne("select_n", inputs, {}))];
  }
  const extremum =
    kindOf(avalOf(onTrue).dtype) === "complex" ? selectedExtremum(block, op) : undefined;
  if (extremum !== undefined) {
    const name = extremum === "maximum" ? "max" : "min";
    return [elementwise(block, [onTrue, onFalse], (inputs) => block.bindOne(name, inputs, {}))];
  }
  const which = block.uniformScalar(predicate) ?? block.materialise(predicate);
  const cases = [block.materialise(onFalse), block.materialise(onTrue)];
  return [{ kind: "atom", atom: block.bindOne("select_n", [which, ...cases], {}) }];
};

const importClamp: OperationImporter = (block, op) => {
  const operands = op.operands.map((operand) => block.value(operand));
  const [low, x, high] = operands;
  if (x !== undefined && isUniform(x) && !operands.every(isUniform)) {
    // Bounds may be scalars for an array, but not arrays for a scalar.
    const inputs = [low, high].map((bound) =>
      bound === undefined ? [] : (block.uniformScalar(bound) ?? block.materialise(bound)),
    );
    inputs.splice(1, 0, block.materialise(x));
    return [{ kind: "atom", atom: block.bindOne("clamp", inputs.flat(), {}) }];
  }
  return [elementwise(block, operands, (inputs) => block.bindOne("clamp", inputs, {}))];
};

/** Conversions within the computed type (int64 to int32) vanish. */
export const importConvert: OperationImporter = (block, op) => {
  const value = block.value(block.operand(op, 0));
  const dtype = resultDType(op);
  if (value.kind === "counter" && isFlatIndex(value)) {
    const [, low] = block.bind("iota_2x32_shape", [], { shape: value.aval.shape });
    if (low !== undefined && dtype === "uint32") return [{ kind: "atom", atom: low }];
  }
  if (avalOf(value).dtype === dtype && value.kind !== "symbolic") return [value];
  return [elementwise(block, [value], ([x]) => convert(block, x, dtype))];
};

function convert(block: BlockImporter, x: Atom | undefined, dtype: DType): Atom {
  if (x === undefined) throw invalidModule("a conversion has no operand");
  if (kindOf(x.aval.dtype) === "complex" && kindOf(dtype) !== "complex") {
    // StableHLO drops the imaginary part; JAX takes the real part first.
    return convert(block, block.bindOne("real", [x], {}), dtype);
  }
  if (x.aval.dtype === dtype) return x;
  return block.bindOne("convert_element_type", [x], { new_dtype: dtype, weak_type: false });
}

const importDivide: OperationImporter = (block, op) => {
  const argument = logisticArgument(block, op);
  if (argument === undefined) return importElementwise(block, op, "div", {});
  return [elementwise(block, [argument], (inputs) => block.bindOne("logistic", inputs, {}))];
};

const importPower: OperationImporter = (block, op) => {
  const exponent = integerExponent(block, op);
  if (exponent === undefined) return importElementwise(block, op, "pow", {});
  const operands = [block.value(block.operand(op, 0)), exponent];
  return [elementwise(block, operands, (inputs) => block.bindOne("pow", inputs, {}))];
};

const importReducePrecision: OperationImporter = (block, op) =>
  importElementwise(block, op, "reduce_precision", {
    exponent_bits: integerAttribute(op, "exponent_bits"),
    mantissa_bits: integerAttribute(op, "mantissa_bits"),
  });

/** Unary functions that StableHLO, CHLO and older custom calls name alike. */
export const unaryNames: Readonly<Record<string, string>> = {
  abs: "abs",
  acos: "acos",
  acosh: "acosh",
  asin: "asin",
  asinh: "asinh",
  atan: "atan",
  atanh: "atanh",
  bessel_i1e: "bessel_i1e",
  cbrt: "cbrt",
  ceil: "ceil",
  conj: "conj",
  cosh: "cosh",
  cosine: "cos",
  count_leading_zeros: "clz",
  digamma: "digamma",
  erf: "erf",
  erf_inv: "erf_inv",
  erfc: "erfc",
  exponential: "exp",
  exponential_minus_one: "expm1",
  floor: "floor",
  imag: "imag",
  is_finite: "is_finite",
  lgamma: "lgamma",
  log: "log",
  log_plus_one: "log1p",
  logistic: "logistic",
  negate: "neg",
  not: "not",
  popcnt: "population_count",
  real: "real",
  rsqrt: "rsqrt",
  sign: "sign",
  sine: "sin",
  sinh: "sinh",
  sqrt: "sqrt",
  square: "square",
  tan: "tan",
  tanh: "tanh",
};

const ofBits: ReadonlySet<string> = new Set(["count_leading_zeros", "popcnt"]);

const unary: OperationTable = Object.fromEntries(
  Object.entries(unaryNames).map(([name, primitive]) => [
    `stablehlo.${name}`,
    ofBits.has(name) ? bitwise(primitive) : named(primitive),
  ]),
);

export const elementwiseOperations: OperationTable = {
  ...unary,
  "stablehlo.round_nearest_afz": named("round", { rounding_method: "AWAY_FROM_ZERO" }),
  "stablehlo.round_nearest_even": named("round", { rounding_method: "TO_NEAREST_EVEN" }),
  "stablehlo.add": logical("add", "or"),
  "stablehlo.subtract": named("sub"),
  "stablehlo.multiply": logical("mul", "and"),
  "stablehlo.divide": importDivide,
  "stablehlo.remainder": named("rem"),
  "stablehlo.maximum": logical("max", "or"),
  "stablehlo.minimum": logical("min", "and"),
  "stablehlo.power": importPower,
  "stablehlo.atan2": named("atan2"),
  "stablehlo.complex": named("complex"),
  "stablehlo.and": named("and"),
  "stablehlo.or": named("or"),
  "stablehlo.xor": named("xor"),
  "stablehlo.shift_left": bitwise("shift_left"),
  "stablehlo.shift_right_logical": bitwise("shift_right_logical"),
  "stablehlo.shift_right_arithmetic": bitwise("shift_right_arithmetic"),
  "stablehlo.compare": importCompare,
  "stablehlo.select": importSelect,
  "stablehlo.clamp": importClamp,
  "stablehlo.convert": importConvert,
  "stablehlo.reduce_precision": importReducePrecision,
};
