/**
 * Constants of discrete Fourier transforms, computed in float64: matrices, twiddle factors and
 * chirps. Used by fftLowering.ts. Complex numbers are laid out as [part, index]: part 0 is real.
 */
import { fromNumbers, type HostArray } from "../src/ir/hostArray.js";

/** The sign of the exponent: -1 for forward transforms, 1 for inverse ones. */
export type Direction = -1 | 1;

const known = new Map<string, HostArray>();

/** One array per key: equal constants of a graph are then one weight. */
function cached(key: string, make: () => HostArray): HostArray {
  const existing = known.get(key);
  if (existing !== undefined) return existing;
  const made = make();
  known.set(key, made);
  return made;
}

/** cos and sin of direction * 2 pi * index / n, with the angle reduced exactly. */
function unitRoot(index: number, n: number, direction: Direction): readonly [number, number] {
  const angle = (2 * Math.PI * (index % n)) / n;
  return [Math.cos(angle), direction * Math.sin(angle)];
}

export interface DftMatrixOptions {
  readonly n: number;
  readonly direction: Direction;
  /** 1 if the input is real, else 2. */
  readonly partsIn: 1 | 2;
  /** 1 if only the real part of the result is wanted, else 2. */
  readonly partsOut: 1 | 2;
  /** How many of the n results are wanted, from the first. */
  readonly outputs: number;
  /** Factor of the result. */
  readonly scale: number;
}

/** The matrix [partsIn * n, partsOut * outputs] that rows are multiplied by. */
export function dftMatrix(options: DftMatrixOptions): HostArray {
  const { n, direction, partsIn, partsOut, outputs, scale } = options;
  return cached(`dft ${JSON.stringify(options)}`, () => {
    const columns = partsOut * outputs;
    const values = new Float32Array(partsIn * n * columns);
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < outputs; k++) {
        const [cos, sin] = unitRoot(j * k, n, direction);
        values[j * columns + k] = scale * cos;
        if (partsOut === 2) values[j * columns + outputs + k] = scale * sin;
        if (partsIn === 1) continue;
        values[(n + j) * columns + k] = -scale * sin;
        if (partsOut === 2) values[(n + j) * columns + outputs + k] = scale * cos;
      }
    }
    return fromNumbers("float32", [partsIn * n, columns], values);
  });
}

/**
 * The matrix [2 * h, n] that takes the first h = n / 2 + 1 coefficients of a real signal to the
 * signal: all but the first (and the one in the middle) stand for their conjugates, too.
 */
export function halfSpectrumMatrix(n: number): HostArray {
  return cached(`half ${n}`, () => {
    const h = Math.floor(n / 2) + 1;
    const values = new Float32Array(2 * h * n);
    for (let k = 0; k < h; k++) {
      const weight = (k === 0 || 2 * k === n ? 1 : 2) / n;
      for (let j = 0; j < n; j++) {
        const [cos, sin] = unitRoot(j * k, n, 1);
        values[k * n + j] = weight * cos;
        values[(h + k) * n + j] = -weight * sin;
      }
    }
    return fromNumbers("float32", [2 * h, n], values);
  });
}

/** A factor (c + i s) per index as two arrays to multiply (re, im) and (im, re) with. */
export interface ComplexFactor {
  /** [c, c] */
  readonly straight: HostArray;
  /** [-s, s] */
  readonly crossed: HostArray;
}

function complexFactor(
  key: string,
  shape: readonly number[],
  factors: () => readonly (readonly [number, number])[],
): ComplexFactor {
  const build = (pick: (factor: readonly [number, number]) => readonly [number, number]) => () => {
    const inner = shape.at(-1) ?? 1;
    const list = factors();
    const values = new Float32Array(2 * list.length);
    // The parts are the second last dimension: [..., 2, inner].
    list.forEach((factor, index) => {
      const [re, im] = pick(factor);
      const row = Math.floor(index / inner);
      values[2 * row * inner + (index % inner)] = re;
      values[(2 * row + 1) * inner + (index % inner)] = im;
    });
    return fromNumbers("float32", [...shape.slice(0, -1), 2, inner], values);
  };
  return {
    straight: cached(
      `${key} straight`,
      build(([c]) => [c, c]),
    ),
    crossed: cached(
      `${key} crossed`,
      build(([, s]) => [-s, s]),
    ),
  };
}

/** exp(direction * 2 pi i * j * k / (n1 n2)) as [n2, 2, n1]: between the two stages of a split. */
export function twiddles(n1: number, n2: number, direction: Direction): ComplexFactor {
  return complexFactor(`twiddle ${n1} ${n2} ${direction}`, [n2, n1], () =>
    Array.from({ length: n1 * n2 }, (_, index) =>
      unitRoot(Math.floor(index / n1) * (index % n1), n1 * n2, direction),
    ),
  );
}

/** exp(direction * pi i * j^2 / n) for j < n. */
function chirpValue(j: number, n: number, direction: Direction): readonly [number, number] {
  // j^2 may leave the integers that float64 holds.
  return unitRoot(Number((BigInt(j) * BigInt(j)) % BigInt(2 * n)), 2 * n, direction);
}

/** The chirp that turns a transform of length n into a convolution, as [2, n]; `scale` included. */
export function chirp(n: number, direction: Direction, scale: number): ComplexFactor {
  return complexFactor(`chirp ${n} ${direction} ${scale}`, [n], () =>
    Array.from({ length: n }, (_, j) => {
      const [c, s] = chirpValue(j, n, direction);
      return [scale * c, scale * s];
    }),
  );
}

/** The transform, of length m (a power of two), of the chirp's conjugate, wrapped around. */
export function chirpSpectrum(n: number, m: number, direction: Direction): ComplexFactor {
  return complexFactor(`spectrum ${n} ${m} ${direction}`, [m], () => {
    const re = new Float64Array(m);
    const im = new Float64Array(m);
    for (let j = 0; j < n; j++) {
      const [c, s] = chirpValue(j, n, direction);
      for (const place of j === 0 ? [0] : [j, m - j]) {
        re[place] = c;
        im[place] = -s;
      }
    }
    return hostTransform(re, im);
  });
}

/** Forward transform of a power-of-two length in float64. */
function hostTransform(re: Float64Array, im: Float64Array): readonly (readonly [number, number])[] {
  const n = re.length;
  if (n === 1) return [[re[0] ?? 0, im[0] ?? 0]];
  const half = (values: Float64Array, offset: number): Float64Array =>
    Float64Array.from({ length: n / 2 }, (_, index) => values[2 * index + offset] ?? 0);
  const even = hostTransform(half(re, 0), half(im, 0));
  const odd = hostTransform(half(re, 1), half(im, 1));
  return Array.from({ length: n }, (_, k): readonly [number, number] => {
    const [evenRe, evenIm] = even[k % (n / 2)] ?? [0, 0];
    const [oddRe, oddIm] = odd[k % (n / 2)] ?? [0, 0];
    const [c, s] = unitRoot(k, n, -1);
    return [evenRe + c * oddRe - s * oddIm, evenIm + c * oddIm + s * oddRe];
  });
}
