/**
 * The QR iteration: complex Schur forms T = Q^H A Q of square matrices, T upper triangular. Called
 * by eig and schur. Complex throughout, matrices in blocks.
 */
import { definePrimitive, none } from "../../src/ir/primitive.js";
import type { Tensor, Tf } from "../../src/ir/tf.js";
import * as complex from "../complexMath.js";
import type { Pair } from "../factories.js";
import { at, upTo } from "../support.js";
import { toHessenberg } from "./hessenberg.js";
import { pick } from "./jacobi.js";
import { repeat } from "./loop.js";
import { batchOf, eye, joinColumns, keep, maskOf, reshapeInner } from "./matrices.js";
import { normalize } from "./ordering.js";
import { accumulate, reflectionFactor, triangularize } from "./reflectors.js";

type StepParams = { readonly n: number };

/** Subdiagonal entries below this part of their neighbours count as zeros. */
const negligible = 2 ** -23;
/** The same for neighbours that are zeros themselves; the largest entry is 1. */
const leastEntry = 2 ** -25;
/** Steps per row, as in LAPACK; two or three are usual. */
const stepsPerRow = 30;

/** Entries around the places i of the subdiagonal, i = 1 … n - 1: [batch, 8, n - 1]. */
function neighbours(tf: Tf, h: Tensor, n: number): Tensor {
  const place = (row: number, column: number, part: number): number =>
    2 * row * 2 * n + 2 * column + part;
  const entries = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const;
  const tables = entries.flatMap(([down, right]) =>
    [0, 1].map((part) => upTo(n - 1).map((index) => place(index + down, index + right, part))),
  );
  return pick(tf, h, 2, tables.flat(), [8, n - 1]);
}

/** Which places of the subdiagonal are not zero yet, as 1 and 0: [batch, n - 1]. */
function openPlaces(tf: Tf, around: readonly Tensor[]): Tensor {
  const size = (index: number): Tensor =>
    tf.binary(
      "AddV2",
      tf.unary("Abs", at(around, 2 * index)),
      tf.unary("Abs", at(around, 2 * index + 1)),
    );
  const beside = tf.binary("AddV2", size(0), size(3));
  const bound = tf.binary(
    "AddV2",
    tf.binary("Mul", beside, tf.scalar(negligible, "float32")),
    tf.scalar(leastEntry, "float32"),
  );
  return tf.cast(tf.binary("Greater", size(2), bound), "float32");
}

/**
 * Wilkinson's shift: the eigenvalue of [[a, b], [c, d]] nearer to d, for the last block that is not
 * triangular yet. Every tenth step another number, which gets out of cycles.
 */
function shiftOf(tf: Tf, counter: Tensor, entries: readonly Tensor[]): Pair {
  const entry = (index: number): Pair => ({
    re: at(entries, 2 * index),
    im: at(entries, 2 * index + 1),
  });
  const [a, b, c, d] = [entry(0), entry(1), entry(2), entry(3)];
  const half = complex.scale(tf, complex.sub(tf, a, d), 0.5);
  const product = complex.mul(tf, b, c);
  const root = complex.sqrt(tf, complex.add(tf, complex.mul(tf, half, half), product));
  const times = (x: Tensor, y: Tensor): Tensor => tf.binary("Mul", x, y);
  const plus = (x: Tensor, y: Tensor): Tensor => tf.binary("AddV2", x, y);
  // The larger one of half ± root.
  const along = plus(times(half.re, root.re), times(half.im, root.im));
  const isOpposite = tf.binary("Less", along, tf.scalar(0, "float32"));
  const signed = complex.select(tf, isOpposite, complex.neg(tf, root), root);
  const divisor = complex.add(tf, half, signed);
  const modulus = plus(times(divisor.re, divisor.re), times(divisor.im, divisor.im));
  const turned = complex.mul(tf, product, complex.conj(tf, divisor));
  const wilkinson = {
    re: tf.binary("Sub", d.re, tf.binary("DivNoNan", turned.re, modulus)),
    im: tf.binary("Sub", d.im, tf.binary("DivNoNan", turned.im, modulus)),
  };
  const size = plus(tf.unary("Abs", c.re), tf.unary("Abs", c.im));
  const other = { re: plus(d.re, times(size, tf.scalar(0.75, "float32"))), im: d.im };
  const phase = tf.binary("FloorMod", counter, tf.scalar(10, "int32"));
  const isTenth = tf.binary("Equal", phase, tf.scalar(9, "int32"));
  return complex.select(tf, isTenth, other, wilkinson);
}

/** A number on the diagonal: z I in blocks. */
function diagonalBlocks(tf: Tf, z: Pair, n: number): Tensor {
  const size = 2 * n;
  const turn = upTo(size * size).map((index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    if (Math.floor(row / 2) !== Math.floor(column / 2) || row === column) return 0;
    return row < column ? 1 : -1;
  });
  const number = (part: Tensor): Tensor => reshapeInner(tf, part, 1, [1, 1]);
  return tf.binary(
    "AddV2",
    tf.binary("Mul", number(z.re), eye(tf, [n, n], 2)),
    tf.binary("Mul", number(z.im), tf.constant(turn, "float32", [size, size])),
  );
}

/** The matrix with zeros where the subdiagonal is closed, and below it. */
function clean(tf: Tf, h: Tensor, open: Tensor, n: number): Tensor {
  const outer = batchOf(open, 1).map((): [number, number] => [0, 0]);
  const rows = reshapeInner(tf, tf.pad(open, [...outer, [1, 0]], 0), 1, [n, 1]);
  const twice = reshapeInner(tf, joinColumns(tf, [rows, rows]), 2, [2 * n, 1]);
  const isOpen = tf.binary("Greater", twice, tf.scalar(0.5, "float32"));
  const onSubdiagonal = maskOf(tf, [n, n], 2, (row, column) => row === column + 1);
  const above = maskOf(tf, [n, n], 2, (row, column) => row <= column);
  const kept = tf.binary("LogicalOr", above, tf.binary("LogicalAnd", onSubdiagonal, isOpen));
  return keep(tf, kept, h);
}

/** One step: the shifted matrix as Q R, then R Q; all of the batch alike. */
function stepOnce(tf: Tf, counter: Tensor, h: Tensor, q: Tensor, n: number): readonly Tensor[] {
  const around = neighbours(tf, h, n);
  const axis = around.shape.length - 1;
  const open = openPlaces(tf, tf.unpack(around, axis - 1));
  const all = open.shape.map((_, index) => index);
  const isAnyOpen = tf.reduce("Max", open, all);
  const places = tf.constant(
    upTo(n - 1).map((index) => index + 1),
    "float32",
    [n - 1],
  );
  const weights = tf.binary("Mul", open, places);
  const last = tf.reduce("Max", weights, [axis - 1], true);
  const isLast = reshapeInner(tf, tf.binary("Equal", places, last), 1, [1, n - 1]);
  const chosen = tf.reduce("Sum", keep(tf, isLast, around), [axis], true);
  const shift = diagonalBlocks(tf, shiftOf(tf, counter, tf.unpack(chosen, axis - 1)), n);
  const shifted = tf.binary("Sub", clean(tf, h, open, n), shift);
  const triangular = triangularize(tf, shifted, n, n - 1, 2);
  const { r, u } = triangular;
  const factor = reflectionFactor(tf, triangular, 2);
  const reflect = (x: Tensor): Tensor => {
    const inner = tf.matMul(tf.matMul(x, u), factor, { transposeY: true });
    return tf.binary("Sub", x, tf.matMul(inner, u, { transposeY: true }));
  };
  return [tf.binary("AddV2", reflect(r), shift), reflect(q), isAnyOpen];
}

/** The step of the loop: takes a counter, H, Q and whether H is not triangular yet. */
const qrStep = definePrimitive<StepParams>({
  name: "qr_step",
  abstractEval: (inputs) => inputs.slice(1),
  jvp: none("part of the lowering of eig and schur"),
  transpose: none("part of the lowering of eig and schur"),
  batch: none("part of the lowering of eig and schur"),
  tfjs: (tf, inputs, { n }, outs) => {
    const [counter, h, q] = inputs.map((input) => tf.tensor(input));
    if (counter === undefined || h === undefined || q === undefined) return [];
    return stepOnce(tf, counter, h, q, n).map((tensor, index) => tf.value(tensor, at(outs, index)));
  },
});

/** A = scale * Q T Q^H. */
export interface SchurForm {
  readonly t: Tensor;
  readonly q: Tensor;
  readonly scale: Tensor;
}

/** The complex Schur form of n × n matrices in blocks. */
export function complexSchur(tf: Tf, a: Tensor, n: number): SchurForm {
  const { scaled, scale } = normalize(tf, a);
  const identity = tf.broadcastTo(eye(tf, [n, n], 2), a.shape);
  if (n === 1) return { t: scaled, q: identity, scale };
  const reduced = toHessenberg(tf, scaled, n, 2);
  const h = reduced === null ? scaled : reduced.r;
  const q = reduced === null ? identity : accumulate(tf, reduced, [n, n], 2);
  const start = [h, q, tf.scalar(1, "float32")];
  const options = { limit: stepsPerRow * n, untilZero: true };
  const [t = h, basis = q] = repeat(tf, start, qrStep, { n }, options);
  const above = maskOf(tf, [n, n], 2, (row, column) => row <= column);
  return { t: keep(tf, above, t), q: basis, scale };
}
