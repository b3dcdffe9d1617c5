/**
 * Exact evaluation of elementwise primitives on arrays in plain memory: how the importer and the
 * passes fold index arithmetic and literals without tfjs. Called by the records' `fold` rules.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { isStaticShape } from "../src/ir/dims.js";
import { bitsOf, kindOf, type DType } from "../src/ir/dtypes.js";
import { elementCount, fromNumbers, toNumbers, type HostArray } from "../src/ir/hostArray.js";

/** The integer with the same low bits that the dtype can hold; exact for |value| < 2^53. */
export function wrapInteger(value: number, dtype: DType): number {
  const range = 2 ** bitsOf(dtype);
  const low = value - Math.floor(value / range) * range;
  return (kindOf(dtype) === "signed" && low >= range / 2 ? low - range : low) + 0;
}

/** Smallest and largest value of an integer dtype of at most 32 bits. */
export function integerLimits(dtype: DType): readonly [low: number, high: number] {
  const bits = bitsOf(dtype);
  return kindOf(dtype) === "unsigned"
    ? [0, 2 ** bits - 1]
    : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** The elements as numbers, or null where a number cannot hold them exactly. */
function exactNumbers(array: HostArray): Float64Array | null {
  switch (kindOf(array.dtype)) {
    case "complex":
    case "key":
    case "token":
    case "float0":
      return null;
    case "bool":
    case "float":
      return toNumbers(array);
    case "signed":
    case "unsigned": {
      const numbers = toNumbers(array);
      const safe = bitsOf(array.dtype) <= 32 || numbers.every(Number.isSafeInteger);
      return safe ? numbers : null;
    }
  }
}

/** For each element of a broadcast result, the place of the element in a smaller array. */
function broadcastIndices(shape: readonly number[], full: readonly number[]): Int32Array | null {
  if (shape.length === full.length && shape.every((size, axis) => size === full[axis])) return null;
  const offset = full.length - shape.length;
  const places = new Int32Array(elementCount(full));
  const strides = new Array<number>(full.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1) strides[axis + offset] = stride;
    stride *= size;
  }
  const counter = new Array<number>(full.length).fill(0);
  let place = 0;
  for (let index = 0; index < places.length; index++) {
    places[index] = place;
    for (let axis = full.length - 1; axis >= 0; axis--) {
      const count = (counter[axis] ?? 0) + 1;
      place += strides[axis] ?? 0;
      if (count < (full[axis] ?? 1)) {
        counter[axis] = count;
        break;
      }
      place -= (strides[axis] ?? 0) * count;
      counter[axis] = 0;
    }
  }
  return places;
}

/**
 * Applies a function of numbers to broadcast arrays. Null if the result is not static, is complex,
 * or if a 64-bit integer is too large to be exact.
 */
export function foldElementwise(
  inputs: readonly HostArray[],
  out: ShapedArray,
  compute: (args: readonly number[]) => number | boolean,
): HostArray | null {
  const { shape, dtype } = out;
  if (!isStaticShape(shape)) return null;
  const columns = inputs.map(exactNumbers);
  const places = inputs.map((input) => broadcastIndices(input.shape, shape));
  const count = elementCount(shape);
  const results = new Float64Array(count);
  const args = new Array<number>(inputs.length).fill(0);
  for (let index = 0; index < count; index++) {
    for (let position = 0; position < columns.length; position++) {
      const column = columns[position];
      if (column === null || column === undefined) return null;
      args[position] = column[places[position]?.[index] ?? index] ?? 0;
    }
    results[index] = Number(compute(args));
  }
  return encodeNumbers(dtype, shape, results);
}

/** Numbers as an array of a dtype: integers wrap, floats round to nearest even. */
export function encodeNumbers(
  dtype: DType,
  shape: readonly number[],
  values: Float64Array,
): HostArray | null {
  switch (kindOf(dtype)) {
    case "complex":
    case "key":
    case "token":
    case "float0":
      return null;
    case "bool":
    case "float":
      return fromNumbers(dtype, shape, values);
    case "signed":
    case "unsigned":
      if (!values.every(Number.isSafeInteger)) return null;
      if (bitsOf(dtype) > 32 && dtype.startsWith("u") && values.some((value) => value < 0)) {
        return null;
      }
      return fromNumbers(
        dtype,
        shape,
        bitsOf(dtype) > 32 ? values : values.map((value) => wrapInteger(value, dtype)),
      );
  }
}
