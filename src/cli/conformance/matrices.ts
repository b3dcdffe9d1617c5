/**
 * Complex matrices in float64, as much of them as the checks of decompositions need. Called by
 * reconstruct.ts.
 */
import { isComplex } from "../../ir/dtypes.js";
import { valuesOf, type HostArray } from "../../ir/hostArray.js";

/** A matrix; the imaginary parts are zero for real ones. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Row after row. */
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export function zeros(rows: number, columns: number): Matrix {
  const count = rows * columns;
  return { rows, columns, re: new Float64Array(count), im: new Float64Array(count) };
}

/** A matrix from its elements. */
export function matrix(
  rows: number,
  columns: number,
  element: (row: number, column: number) => readonly [re: number, im: number],
): Matrix {
  const result = zeros(rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [re, im] = element(row, column);
      result.re[row * columns + column] = re;
      result.im[row * columns + column] = im;
    }
  }
  return result;
}

export function at(m: Matrix, row: number, column: number): readonly [re: number, im: number] {
  const index = row * m.columns + column;
  return [m.re[index] ?? NaN, m.im[index] ?? NaN];
}

/** The matrices in the last two axes of an array, or the rows (`vectors`) in its last one. */
export function matricesOf(array: HostArray, vectors = false): readonly Matrix[] {
  const sizes = vectors ? [...array.shape.slice(0, -1), 1, array.shape.at(-1) ?? 1] : array.shape;
  const [rows = 1, columns = 1] = sizes.slice(-2);
  const count = sizes.slice(0, -2).reduce((product, size) => product * size, 1);
  const values = valuesOf(array);
  const complex = isComplex(array.dtype);
  return Array.from({ length: count }, (_, batch) =>
    matrix(rows, columns, (row, column) => {
      const index = (batch * rows + row) * columns + column;
      return complex
        ? [Number(values[2 * index]), Number(values[2 * index + 1])]
        : [Number(values[index]), 0];
    }),
  );
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const result = zeros(a.rows, b.columns);
  for (let row = 0; row < a.rows; row++) {
    for (let inner = 0; inner < a.columns; inner++) {
      const [re, im] = at(a, row, inner);
      for (let column = 0; column < b.columns; column++) {
        const [bRe, bIm] = at(b, inner, column);
        const index = row * b.columns + column;
        result.re[index] = (result.re[index] ?? 0) + re * bRe - im * bIm;
        result.im[index] = (result.im[index] ?? 0) + re * bIm + im * bRe;
      }
    }
  }
  return result;
}

/** The conjugate transpose. */
export function adjoint(m: Matrix): Matrix {
  return matrix(m.columns, m.rows, (row, column) => {
    const [re, im] = at(m, column, row);
    return [re, -im];
  });
}

export function identity(size: number): Matrix {
  return matrix(size, size, (row, column) => [row === column ? 1 : 0, 0]);
}

/** The first rows and columns. */
export function corner(m: Matrix, rows: number, columns: number): Matrix {
  return matrix(rows, columns, (row, column) => at(m, row, column));
}

/** Largest modulus of the differences; infinity if there is a NaN or the sizes differ. */
export function distance(a: Matrix, b: Matrix): number {
  if (a.rows !== b.rows || a.columns !== b.columns) return Infinity;
  let largest = 0;
  for (let index = 0; index < a.re.length; index++) {
    const error = Math.hypot(
      (a.re[index] ?? NaN) - (b.re[index] ?? NaN),
      (a.im[index] ?? NaN) - (b.im[index] ?? NaN),
    );
    if (Number.isNaN(error)) return Infinity;
    largest = Math.max(largest, error);
  }
  return largest;
}

/** Largest modulus of the elements. */
export function magnitude(m: Matrix): number {
  return distance(m, zeros(m.rows, m.columns));
}
