/**
 * Jacobi's method: rotations of disjoint pairs of rows or columns, n / 2 at once, in a fixed schedule
 * that meets every pair once in n - 1 rounds (a sweep). Used by eigh and svd.
 *
 * All rounds are alike: pair i is i and n / 2 + i, and the rotation also moves the columns round one
 * place (as players of a tournament move round the table), so a round is the same few nodes each
 * time and a loop can repeat it.
 */
import { definePrimitive, none } from "../../src/ir/primitive.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import { at, upTo } from "../support.js";
import { repeat } from "./loop.js";
import { reshapeInner, type Unit } from "./matrices.js";

/** Which decomposition: rows and columns of A, or columns of A alone. */
export type JacobiKind = "eigh" | "svd";

export type JacobiParams = {
  readonly kind: JacobiKind;
  /** Rows of A, in entries. */
  readonly m: number;
  /** Columns, even. */
  readonly n: number;
  readonly unit: Unit;
  readonly vectors: boolean;
  readonly rounds: number;
};

/** A and, if wanted, the product of all rotations. */
export interface Rotated {
  readonly a: Tensor;
  readonly v: Tensor | null;
}

/** Up to this many columns all rounds stand in the graph; beyond they are a loop. */
export const unrolledColumns = 32;

/** Measured: off-diagonal entries are below 1e-5 of the norm then, below 1e-6 as a rule. */
const sweepsFor = (n: number): number => (n <= 4 ? n : Math.ceil(Math.log2(n)) + 3);

/** Where column c comes from when all but the first move round: 0 1 2 / 3 4 5 -> 0 3 1 / 4 5 2. */
function rotationSchedule(n: number): readonly number[] {
  const half = n / 2;
  if (half === 1) return [0, 1];
  const top = [0, half, ...upTo(half - 2).map((index) => index + 1)];
  const bottom = [...upTo(half - 1).map((index) => half + index + 1), half - 1];
  return [...top, ...bottom];
}

/** Entries of a self-adjoint matrix that a round needs, as places in the flattened matrix. */
function pickTable(n: number, unit: Unit): readonly (readonly number[])[] {
  const half = n / 2;
  const width = unit * n;
  const place = (row: number, column: number, part: number): number =>
    unit * row * width + unit * column + part;
  const pairs = upTo(half);
  const tables = [
    pairs.map((index) => place(index, index, 0)),
    pairs.map((index) => place(half + index, half + index, 0)),
    pairs.map((index) => place(index, half + index, 0)),
  ];
  return unit === 1 ? tables : [...tables, pairs.map((index) => place(index, half + index, 1))];
}

/**
 * The rotation's matrix as places in a vector of cosines, sines (real part), their negatives, the
 * same for imaginary parts, and a zero at the end.
 */
function placeTable(n: number, unit: Unit): Int32Array {
  const half = n / 2;
  const size = unit * n;
  const zero = (unit === 1 ? 3 : 5) * half;
  const table = new Int32Array(size * size).fill(zero);
  const schedule = rotationSchedule(n);
  const block = (row: number, column: number, re: number, im: number, minusIm: number): void => {
    const target = schedule.indexOf(column);
    const set = (a: number, b: number, source: number): void => {
      table[(unit * row + a) * size + unit * target + b] = source;
    };
    set(0, 0, re);
    if (unit === 1) return;
    set(1, 1, re);
    set(0, 1, im);
    set(1, 0, minusIm);
  };
  for (const index of upTo(half)) {
    const [c, s, minusS] = [index, half + index, 2 * half + index];
    const [im, minusIm] = [3 * half + index, 4 * half + index];
    block(index, index, c, zero, zero);
    block(half + index, half + index, c, zero, zero);
    block(index, half + index, s, im, minusIm);
    // -conj(s)
    block(half + index, index, minusS, im, minusIm);
  }
  return table;
}

/** Takes places of the last `inner` dimensions, flattened. */
export function pick(
  tf: Tf,
  x: Tensor,
  inner: number,
  places: ArrayLike<number>,
  shape: readonly number[],
): Tensor {
  const size = x.shape.slice(x.shape.length - inner).reduce<number>((a, b) => a * Number(b), 1);
  const flat = reshapeInner(tf, x, inner, [size]);
  return tf.gather(flat, tf.constant(places, "int32", shape), flat.shape.length - 1);
}

/**
 * The rotations that make the picked entries of a self-adjoint matrix zero, by the smaller of the two
 * angles. t = 2 g / (d ± sqrt(d² + |2 g|²)) is the tangent, d the difference on the diagonal.
 */
function rotation(tf: Tf, gram: Tensor, n: number, unit: Unit): Tensor {
  const half = n / 2;
  const tables = pickTable(n, unit);
  const picked = pick(tf, gram, 2, tables.flat(), [tables.length, half]);
  const axis = picked.shape.length - 1;
  const [first, second, ...others] = tf.unpack(picked, axis - 1);
  if (first === undefined || second === undefined) throw new Error("internal error: no pairs");
  const d = tf.binary("Sub", second, first);
  const twice = others.map((part) => tf.binary("AddV2", part, part));
  const sum = (parts: readonly Tensor[]): Tensor =>
    parts.map((part) => tf.unary("Square", part)).reduce((a, b) => tf.binary("AddV2", a, b));
  const root = tf.unary("Sqrt", sum([d, ...twice]));
  const isNegative = tf.binary("Less", d, tf.scalar(0, "float32"));
  const signed = tf.select(isNegative, tf.unary("Neg", root), root);
  const divisor = tf.binary("AddV2", d, signed);
  const tangents = twice.map((part) => tf.binary("DivNoNan", part, divisor));
  const one = tf.scalar(1, "float32");
  const cosine = tf.unary("Rsqrt", tf.binary("AddV2", sum(tangents), one));
  const sines = tangents.map((tangent) => tf.binary("Mul", cosine, tangent));
  const values = tf.concat(
    [cosine, ...sines.flatMap((sine) => [sine, tf.unary("Neg", sine)])],
    axis - 1,
  );
  const outer = values.shape.slice(0, -1).map((): [number, number] => [0, 0]);
  const padded = tf.pad(values, [...outer, [0, 1]], 0);
  const size = unit * n;
  return tf.gather(
    padded,
    tf.constant(placeTable(n, unit), "int32", [size, size]),
    padded.shape.length - 1,
  );
}

/** A few rounds. */
function rotate(tf: Tf, start: Rotated, params: JacobiParams): Rotated {
  const { kind, n, unit, vectors } = params;
  let { a, v } = start;
  for (let round = 0; round < params.rounds; round++) {
    const gram = kind === "eigh" ? a : tf.matMul(a, a, { transposeX: true });
    const turn = rotation(tf, gram, n, unit);
    const turned = tf.matMul(a, turn);
    a = kind === "eigh" ? tf.matMul(turn, turned, { transposeX: true }) : turned;
    if (vectors) v = v === null ? turn : tf.matMul(v, turn);
  }
  return { a, v };
}

/** The step of a loop of rounds: takes a counter, A and the vectors. Never seen outside of it. */
const jacobiRounds = definePrimitive<JacobiParams>({
  name: "jacobi_rounds",
  abstractEval: (inputs) => inputs.slice(1),
  jvp: none("part of the lowering of eigh and svd"),
  transpose: none("part of the lowering of eigh and svd"),
  batch: none("part of the lowering of eigh and svd"),
  tfjs: (tf, inputs, params, outs) => {
    const tensors = inputs.slice(1).map((input) => tf.tensor(input));
    const { a, v } = rotate(tf, { a: at(tensors, 0), v: tensors[1] ?? null }, params);
    return [a, v].flatMap((tensor, index) =>
      tensor === null ? [] : [tf.value(tensor, at(outs, index))],
    );
  },
});

/** The largest divisor up to `limit`. */
function divisorUpTo(count: number, limit: number): number {
  for (let divisor = limit; divisor > 1; divisor--) {
    if (count % divisor === 0) return divisor;
  }
  return 1;
}

/**
 * All sweeps. Afterwards every row and column is where it was, so that a row of zeros that made n
 * even can be cut off again.
 */
export function jacobi(tf: Tf, a: Tensor, params: Omit<JacobiParams, "rounds">): Rotated {
  const { n, unit, vectors } = params;
  const total = sweepsFor(n) * (n - 1);
  if (n <= unrolledColumns) return rotate(tf, { a, v: null }, { ...params, rounds: total });
  const rounds = divisorUpTo(total, 8);
  const size = unit * n;
  const identity = Float32Array.from({ length: size * size }, (_, index) =>
    Number(Math.floor(index / size) === index % size),
  );
  const outer = a.shape.slice(0, -2);
  const v = tf.broadcastTo(tf.constant(identity, "float32", [size, size]), [...outer, size, size]);
  const tensors = vectors ? [a, v] : [a];
  const steps = { limit: total / rounds, untilZero: false };
  const [rotated = a, product] = repeat(tf, tensors, jacobiRounds, { ...params, rounds }, steps);
  return { a: rotated, v: product ?? null };
}
