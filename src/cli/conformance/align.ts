/**
 * Singular vectors and eigenvectors are unique up to a factor of absolute value 1 each. Their
 * derivatives have the same factors, so they are compared after ours are turned like JAX's.
 */
import { isComplex, isFloat } from "../../ir/dtypes.js";
import { fromNumbers, hostArray, toNumbers, valuesOf, type HostArray } from "../../ir/hostArray.js";

/** A matrix of factors for each element: real and imaginary part in turn. */
export type Factors = Float64Array;

/** Values as complex numbers, real and imaginary part in turn. */
function complexValues(array: HostArray): Float64Array {
  if (isComplex(array.dtype)) return Float64Array.from(valuesOf(array) as Float32Array);
  const numbers = toNumbers(array);
  const values = new Float64Array(2 * numbers.length);
  numbers.forEach((value, index) => (values[2 * index] = value));
  return values;
}

/** Where the vectors of a matrix lie: the place of element `index` of vector `vector`. */
type Layout = (vector: number, index: number) => number;

/** Factors for each element, and how far the worst vector is from a turned one of JAX's. */
interface Turn {
  readonly factors: Factors;
  readonly error: number;
}

/** The factors that turn `ours` into `theirs` vector by vector, as well as they can. */
function turn(
  ours: Float64Array,
  theirs: Float64Array,
  [vectors, length]: readonly [number, number],
  place: Layout,
): Turn {
  const factors = new Float64Array(ours.length);
  let error = 0;
  for (let vector = 0; vector < vectors; vector++) {
    let [re, im] = [0, 0];
    for (let index = 0; index < length; index++) {
      const at = 2 * place(vector, index);
      const [a, b, c, d] = [ours[at] ?? 0, ours[at + 1] ?? 0, theirs[at] ?? 0, theirs[at + 1] ?? 0];
      re += c * a + d * b;
      im += d * a - c * b;
    }
    const size = Math.hypot(re, im);
    // Unit vectors that differ by a factor alone have a product of absolute value 1.
    error = Math.max(error, Math.abs(size - 1));
    for (let index = 0; index < length; index++) {
      const at = 2 * place(vector, index);
      factors[at] = re / size;
      factors[at + 1] = im / size;
    }
  }
  return { factors, error };
}

/**
 * The factors by which each element of a result must be multiplied to be JAX's, if its columns or
 * rows are unit vectors that differ from JAX's by a factor; null for other results.
 */
export function factorsOf(ours: HostArray, theirs: HostArray): Factors | null {
  const { shape } = ours;
  const [rows, columns] = shape.slice(-2);
  if (rows === undefined || columns === undefined) return null;
  if (!isFloat(ours.dtype) && !isComplex(ours.dtype)) return null;
  const [left, right] = [complexValues(ours), complexValues(theirs)];
  const matrix = 2 * rows * columns;
  const factors = new Float64Array(left.length);
  for (let start = 0; start < left.length; start += matrix) {
    const [a, b] = [left.subarray(start, start + matrix), right.subarray(start, start + matrix)];
    const byColumns = turn(a, b, [columns, rows], (vector, at) => at * columns + vector);
    const byRows = turn(a, b, [rows, columns], (vector, at) => vector * columns + at);
    const best = byRows.error < byColumns.error ? byRows : byColumns;
    if (!(best.error < 1e-2)) return null;
    factors.set(best.factors, start);
  }
  return factors;
}

/** An array with each element multiplied by its factor. */
export function turned(array: HostArray, factors: Factors | null): HostArray {
  if (factors === null) return array;
  const values = complexValues(array);
  const products = new Float64Array(values.length);
  for (let at = 0; at < values.length; at += 2) {
    const [a, b] = [values[at] ?? 0, values[at + 1] ?? 0];
    const [c, d] = [factors[at] ?? 1, factors[at + 1] ?? 0];
    products[at] = a * c - b * d;
    products[at + 1] = a * d + b * c;
  }
  if (isComplex(array.dtype)) return fromNumbers(array.dtype, array.shape, products);
  const real = products.filter((_, index) => index % 2 === 0);
  return fromNumbers(array.dtype, array.shape, real);
}

/**
 * Eigenvalues come in any order. The places in each row of a result that JAX's values have in ours;
 * null if the rows do not hold the same values.
 */
export function orderOf(ours: HostArray, theirs: HostArray): readonly number[] | null {
  const [left, right] = [complexValues(ours), complexValues(theirs)];
  const length = ours.shape.at(-1) ?? 0;
  const places: number[] = [];
  for (let start = 0; start < left.length / 2; start += length) {
    const free = new Set(Array.from({ length }, (_, index) => start + index));
    for (let index = start; index < start + length; index++) {
      const distance = (place: number): number =>
        Math.hypot(
          (left[2 * place] ?? NaN) - (right[2 * index] ?? NaN),
          (left[2 * place + 1] ?? NaN) - (right[2 * index + 1] ?? NaN),
        );
      const [nearest] = [...free].sort((a, b) => distance(a) - distance(b));
      if (nearest === undefined || !(distance(nearest) < 1e-3)) return null;
      free.delete(nearest);
      places.push(nearest);
    }
  }
  return places;
}

/** An array with the elements at these places, in their order. */
export function reordered(array: HostArray, places: readonly number[]): HostArray {
  const width = array.bytes.length / places.length;
  const bytes = new Uint8Array(array.bytes.length);
  places.forEach((place, index) => {
    bytes.set(array.bytes.subarray(place * width, (place + 1) * width), index * width);
  });
  return hostArray(array.dtype, array.shape, bytes);
}

/** The inverse of an order. */
export function inverseOrder(places: readonly number[]): readonly number[] {
  const inverse = places.map(() => 0);
  places.forEach((place, index) => (inverse[place] = index));
  return inverse;
}
