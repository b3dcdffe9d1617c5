/**
 * Abstract values: what is known of a value before the program runs. Every atom of a jaxpr has one.
 */
import { printDim, shapeEquals, type Shape } from "./dims.js";
import { bitsOf, isKey, shortName, type DType } from "./dtypes.js";

/** JAX's `ShapedArray`: element type, shape (sizes may be symbolic) and whether the type is weak. */
export interface ShapedArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly weakType: boolean;
}

/** Makes an abstract value. */
export function shapedArray(dtype: DType, shape: Shape, weakType = false): ShapedArray {
  return { shape, dtype, weakType };
}

/** As JAX prints it: `f32[b,10]`, with `~` before the type if it is weak. */
export function printAval(aval: ShapedArray): string {
  const weak = aval.weakType ? "~" : "";
  return `${weak}${shortName(aval.dtype)}[${aval.shape.map(printDim).join(",")}]`;
}

/**
 * The type of the tensors that stand for a value: a random key is its uint32 words, along one more
 * dimension at the end. JAX's counterpart is `physical_aval`.
 */
export function carriedAval(aval: ShapedArray): ShapedArray {
  const { shape, dtype } = aval;
  return isKey(dtype) ? shapedArray("uint32", [...shape, bitsOf(dtype) / 32]) : aval;
}

/** Same element type and same shape; weak types are not compared. */
export function avalEquals(a: ShapedArray, b: ShapedArray): boolean {
  return a.dtype === b.dtype && shapeEquals(a.shape, b.shape);
}
