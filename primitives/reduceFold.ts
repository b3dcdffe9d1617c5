/**
 * Host evaluation of the named reductions: exact for integers and bools, rounded once for float32.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { isStaticShape } from "../src/ir/dims.js";
import { bitsOf, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import { elementCount, fromNumbers, valuesOf, type HostArray } from "../src/ir/hostArray.js";
import { forEachPosition, rowMajorStrides } from "./hostViews.js";
import { at } from "./support.js";

/** Brings a number into the range of an integer dtype of at most 32 bits. */
function wrap(value: number, dtype: DType): number {
  const bits = bitsOf(dtype);
  if (kindOf(dtype) === "unsigned") return (value >>> 0) & (bits === 32 ? -1 : 2 ** bits - 1);
  return (value << (32 - bits)) >> (32 - bits);
}

type Monoid = "sum" | "prod" | "max" | "min" | "and" | "or" | "xor";

function step(monoid: Monoid, x: number, y: number): number {
  switch (monoid) {
    case "sum":
      return (x + y) | 0;
    case "prod":
      return Math.imul(x, y);
    case "max":
      return Math.max(x, y);
    case "min":
      return Math.min(x, y);
    case "and":
      return x & y;
    case "or":
      return x | y;
    case "xor":
      return x ^ y;
  }
}

/** One step in float64, which holds sums of float32 numbers far beyond their own precision. */
function floatStep(monoid: "sum" | "prod" | "max" | "min", x: number, y: number): number {
  switch (monoid) {
    case "sum":
      return x + y;
    case "prod":
      return x * y;
    case "max":
      return Math.max(x, y);
    case "min":
      return Math.min(x, y);
  }
}

function isArithmetic(monoid: Monoid): monoid is "sum" | "prod" | "max" | "min" {
  return monoid === "sum" || monoid === "prod" || monoid === "max" || monoid === "min";
}

/** The reduced array; null for other floats than float32, empty rows and symbolic shapes. */
export function foldReduction(
  monoid: Monoid,
  x: HostArray,
  axes: readonly number[],
  out: ShapedArray,
): readonly HostArray[] | null {
  const { dtype, shape } = x;
  if (!isInteger(dtype) && dtype !== "bool" && dtype !== "float32") return null;
  if (bitsOf(dtype) > 32 || !isStaticShape(out.shape) || elementCount(shape) === 0) return null;
  const values = Array.from(valuesOf(x), Number);
  const combine = (left: number, right: number): number =>
    dtype === "float32" && isArithmetic(monoid)
      ? floatStep(monoid, left, right)
      : step(monoid, left, right);
  const own = rowMajorStrides(shape);
  const kept = own.filter((_, axis) => !axes.includes(axis));
  const rowShape = axes.map((axis) => at(shape, axis));
  const rowStrides = axes.map((axis) => at(own, axis));
  const results: number[] = [];
  forEachPosition(out.shape, 0, kept, (start) => {
    const row: number[] = [];
    forEachPosition(rowShape, start, rowStrides, (position) => {
      row.push(at(values, position));
    });
    results.push(row.reduce(combine));
  });
  const wrapped = results.map((value) => {
    if (dtype === "bool" || dtype === "float32") return value;
    const narrow = wrap(value, dtype);
    return dtype === "uint32" ? narrow >>> 0 : narrow;
  });
  return [fromNumbers(dtype, out.shape, wrapped)];
}
