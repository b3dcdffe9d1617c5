/**
 * Data movement on arrays in plain memory, for the `fold` rules: strided views (broadcast,
 * transpose, slice, reverse), concatenation and strided writes, on whole elements of any dtype.
 */
import { isStaticShape, type Shape } from "../src/ir/dims.js";
import { storageBytesOf } from "../src/ir/dtypes.js";
import { elementCount, hostArray, type HostArray } from "../src/ir/hostArray.js";

/** Strides of a C-ordered array, in elements. */
export function rowMajorStrides(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/** Calls `visit` with the strided position of each element of `shape`, in C order. */
export function forEachPosition(
  shape: readonly number[],
  offset: number,
  strides: readonly number[],
  visit: (position: number, index: number) => void,
): void {
  const count = elementCount(shape);
  const counters = new Array<number>(shape.length).fill(0);
  let position = offset;
  for (let index = 0; index < count; index++) {
    visit(position, index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0;
      const next = (counters[axis] ?? 0) + 1;
      position += stride;
      if (next < (shape[axis] ?? 0)) {
        counters[axis] = next;
        break;
      }
      position -= next * stride;
      counters[axis] = 0;
    }
  }
}

/** The array with elements `array[offset + index · strides]`; null if the shape is symbolic. */
export function stridedView(
  array: HostArray,
  shape: Shape,
  offset: number,
  strides: readonly number[],
): HostArray | null {
  if (!isStaticShape(shape)) return null;
  const width = storageBytesOf(array.dtype);
  const bytes = new Uint8Array(elementCount(shape) * width);
  forEachPosition(shape, offset, strides, (position, index) => {
    const start = position * width;
    for (let byte = 0; byte < width; byte++) {
      bytes[index * width + byte] = array.bytes[start + byte] ?? 0;
    }
  });
  return hostArray(array.dtype, shape, bytes);
}

/** A copy of `target` with `source` written to `offset + index · strides`. */
export function stridedWrite(
  target: HostArray,
  source: HostArray,
  offset: number,
  strides: readonly number[],
): HostArray {
  const width = storageBytesOf(target.dtype);
  const bytes = target.bytes.slice();
  forEachPosition(source.shape, offset, strides, (position, index) => {
    for (let byte = 0; byte < width; byte++) {
      bytes[position * width + byte] = source.bytes[index * width + byte] ?? 0;
    }
  });
  return hostArray(target.dtype, target.shape, bytes);
}

/** Position of the first element of a block that starts at `begin`. */
export function positionOf(begin: readonly number[], strides: readonly number[]): number {
  return begin.reduce((sum, start, axis) => sum + start * (strides[axis] ?? 0), 0);
}

/** The same bytes under another shape; null if the shape is symbolic. */
export function reshaped(array: HostArray, shape: Shape): HostArray | null {
  return isStaticShape(shape) ? hostArray(array.dtype, shape, array.bytes) : null;
}
