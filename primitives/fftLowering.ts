/**
 * Fourier transforms as matrix products, which every tfjs backend has and computes in float32: one
 * product for short lengths, two stages with twiddle factors for composite ones (Cooley and Tukey),
 * a convolution for long prime ones (Bluestein). Called by the rule of `fft`.
 */
import { mulDims, type Dim } from "../src/ir/dims.js";
import type { HostArray } from "../src/ir/hostArray.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import {
  chirp,
  chirpSpectrum,
  dftMatrix,
  halfSpectrumMatrix,
  twiddles,
  type ComplexFactor,
  type Direction,
} from "./dftTables.js";

/** Rows of numbers: a tensor [rows, parts, n]; parts is 1 for real numbers, 2 for complex ones. */
export type Rows = Tensor;

/** Up to this many elements the matrix of a transform is a constant of its own. */
const smallMatrix = 2 ** 16;
/** A length that cannot be split is still done by one matrix up to this size. */
const largeMatrix = 2 ** 20;

const rowsOf = (x: Rows): Dim => x.shape[0] ?? 1;
const partsOf = (x: Rows): 1 | 2 => (x.shape[1] === 1 ? 1 : 2);

export interface DftOptions {
  readonly n: number;
  readonly direction: Direction;
  readonly partsOut: 1 | 2;
  readonly outputs: number;
  readonly scale: number;
}

/** [rows, parts, n] times a matrix [parts * n, partsOut * outputs]. */
function product(tf: Tf, x: Rows, matrix: HostArray, partsOut: number, outputs: number): Rows {
  const rows = rowsOf(x);
  const width = matrix.shape[0] ?? 1;
  const flat = tf.matMul(tf.reshape(x, [rows, width]), tf.array(matrix));
  return tf.reshape(flat, [rows, partsOut, outputs]);
}

/** x * (c + i s), where the factor has the shape of the last dimensions of x: [..., 2, n]. */
function multiply(tf: Tf, x: Tensor, factor: ComplexFactor): Tensor {
  const straight = tf.binary("Mul", x, tf.array(factor.straight));
  const swapped = tf.reverse(x, [x.shape.length - 2]);
  return tf.binary("AddV2", straight, tf.binary("Mul", swapped, tf.array(factor.crossed)));
}

/** The factors of n nearest to each other: n1 <= n2; n1 is 1 for primes. */
export function splitLength(n: number): readonly [n1: number, n2: number] {
  for (let n1 = Math.floor(Math.sqrt(n)); n1 > 1; n1--) {
    if (n % n1 === 0) return [n1, n / n1];
  }
  return [1, n];
}

/** Transforms [rows, parts, n] to [rows, partsOut, outputs]. */
export function dft(tf: Tf, x: Rows, options: DftOptions): Rows {
  const { n, direction, partsOut, outputs, scale } = options;
  const partsIn = partsOf(x);
  const matrixSize = partsIn * n * partsOut * outputs;
  const [n1] = splitLength(n);
  if (matrixSize <= smallMatrix || (n1 === 1 && matrixSize <= largeMatrix)) {
    return product(tf, x, dftMatrix({ ...options, partsIn }), partsOut, outputs);
  }
  const whole =
    n1 === 1 ? bluestein(tf, x, n, direction, scale) : twoStages(tf, x, { ...options, outputs: n });
  return first(tf, whole, partsOut, outputs);
}

/** The first results and parts alone. */
function first(tf: Tf, x: Rows, parts: number, outputs: number): Rows {
  return tf.slice(x, [0, 0, 0], [rowsOf(x), parts, outputs]);
}

/** Index j = n2 j1 + j2 of the input and k = k1 + n1 k2 of the output. */
function twoStages(tf: Tf, x: Rows, { n, direction, partsOut, scale }: DftOptions): Rows {
  const rows = rowsOf(x);
  const parts = partsOf(x);
  const [n1, n2] = splitLength(n);
  const columns = tf.transpose(tf.reshape(x, [rows, parts, n1, n2]), [0, 3, 1, 2]);
  const inner = dft(tf, tf.reshape(columns, [mulDims(rows, n2), parts, n1]), {
    n: n1,
    direction,
    partsOut: 2,
    outputs: n1,
    scale: 1,
  });
  const turned = multiply(tf, tf.reshape(inner, [rows, n2, 2, n1]), twiddles(n1, n2, direction));
  const lines = tf.transpose(turned, [0, 3, 2, 1]);
  const outer = dft(tf, tf.reshape(lines, [mulDims(rows, n1), 2, n2]), {
    n: n2,
    direction,
    partsOut,
    outputs: n2,
    scale,
  });
  const ordered = tf.transpose(tf.reshape(outer, [rows, n1, partsOut, n2]), [0, 2, 3, 1]);
  return tf.reshape(ordered, [rows, partsOut, n]);
}

/** The transform as a convolution with a chirp, by transforms of a power of two. */
function bluestein(tf: Tf, x: Rows, n: number, direction: Direction, scale: number): Rows {
  const m = 2 ** Math.ceil(Math.log2(2 * n - 1));
  const zeroPart = [0, 2 - partsOf(x)] as const;
  const complex = tf.pad(x, [[0, 0], zeroPart, [0, 0]], 0);
  const modulated = multiply(tf, complex, chirp(n, direction, 1));
  const padded = tf.pad(
    modulated,
    [
      [0, 0],
      [0, 0],
      [0, m - n],
    ],
    0,
  );
  const whole = { n: m, partsOut: 2, outputs: m } as const;
  const spectrum = dft(tf, padded, { ...whole, direction: -1, scale: 1 });
  const filtered = multiply(tf, spectrum, chirpSpectrum(n, m, direction));
  const convolved = dft(tf, filtered, { ...whole, direction: 1, scale: 1 / m });
  return multiply(tf, first(tf, convolved, 2, n), chirp(n, direction, scale));
}

/** Real rows [rows, 1, n] from their first n / 2 + 1 coefficients [rows, 2, n / 2 + 1]. */
export function inverseRealDft(tf: Tf, x: Rows, n: number): Rows {
  const rows = rowsOf(x);
  const h = Math.floor(n / 2) + 1;
  if (2 * h * n <= smallMatrix) return product(tf, x, halfSpectrumMatrix(n), 1, n);
  // The other coefficients are the conjugates of these, in reverse.
  const rest = tf.reverse(tf.slice(x, [0, 0, 1], [rows, 2, n - h]), [2]);
  const conjugate = tf.binary("Mul", rest, tf.constant([1, -1], "float32", [2, 1]));
  const whole = tf.concat([x, conjugate], 2);
  return dft(tf, whole, { n, direction: 1, partsOut: 1, outputs: n, scale: 1 / n });
}
