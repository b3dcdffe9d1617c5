/** Products and contractions of `numpy`: everything that becomes a `dot_general`. */
import { dimEquals, printShape, type Dim } from "../ir/dims.js";
import type { DotDimensionNumbers } from "../ir/params.js";
import type { Value } from "../ir/ops.js";
import {
  at,
  canonicalAxes,
  canonicalAxis,
  choice,
  invalid,
  wholeNumber,
} from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "./convert.js";
import { promoteDtypes, toType } from "./promotion.js";
import { ravel } from "./shapes.js";

/** A contraction that adds in the type of its operands. */
export function contract(x: Value, y: Value, dimensionNumbers: DotDimensionNumbers): Value {
  return o.dotGeneral(x, y, {
    dimension_numbers: dimensionNumbers,
    precision: null,
    preferred_element_type: x.aval.dtype,
  });
}

function two(x: NestedArray, y: NestedArray): readonly [Value, Value] {
  const [left, right] = promoteDtypes([arrayValue(x), arrayValue(y)]);
  if (left === undefined || right === undefined) throw new Error("internal error: two arguments");
  return [left, right];
}

const rank = (value: Value): number => value.aval.shape.length;

/** The last dimension of `x` with the second to last (or only) one of `y`. JAX's `jnp.dot`. */
export function dot(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(x, y);
  if (rank(left) === 0 || rank(right) === 0) return out(o.mul(left, right));
  const place = Math.max(0, rank(right) - 2);
  return out(
    contract(left, right, [
      [[rank(left) - 1], [place]],
      [[], []],
    ]),
  );
}

/** The sum of products of all elements; `x` is conjugated. JAX's `jnp.vdot`. */
export function vdot(x: NestedArray, y: NestedArray): ArrayValue {
  const first = arrayValue(x);
  const flat = first.aval.dtype.startsWith("complex") ? o.conj(first) : first;
  return dot(ravel(out(flat)), ravel(y));
}

/** Sums over the last dimension of both. JAX's `jnp.inner`. */
export function inner(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(x, y);
  if (rank(left) === 0 || rank(right) === 0) return out(o.mul(left, right));
  return out(
    contract(left, right, [
      [[rank(left) - 1], [rank(right) - 1]],
      [[], []],
    ]),
  );
}

/** All products of elements of two vectors. JAX's `jnp.outer`. */
export function outer(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(ravel(x), ravel(y));
  const [rows, columns] = [at(left.aval.shape, 0), at(right.aval.shape, 0)];
  return out(
    o.mul(o.broadcastInDim(left, [rows, 1], [0]), o.broadcastInDim(right, [1, columns], [1])),
  );
}

/** Which dimensions of a batch belong to which operand of `matmul`. */
interface BatchPlan {
  readonly leftBatch: number[];
  readonly rightBatch: number[];
  readonly leftSqueezed: number[];
  readonly rightSqueezed: number[];
  readonly shared: number[];
  readonly leftOnly: number[];
  readonly rightOnly: number[];
}

function planBatch(left: Value, right: Value, leftRank: number, rightRank: number): BatchPlan {
  const plan: BatchPlan = {
    leftBatch: [],
    rightBatch: [],
    leftSqueezed: [],
    rightSqueezed: [],
    shared: [],
    leftOnly: [],
    rightOnly: [],
  };
  const count = Math.max(leftRank, rightRank);
  for (let index = 0; index < count; index++) {
    const [a, b] = [index - count + leftRank, index - count + rightRank];
    const [size, other]: (Dim | null)[] = [
      a < 0 ? null : at(left.aval.shape, a),
      b < 0 ? null : at(right.aval.shape, b),
    ];
    if (size === null || size === undefined) plan.rightOnly.push(index);
    else if (other === null || other === undefined) plan.leftOnly.push(index);
    else if (dimEquals(size, other)) {
      plan.leftBatch.push(a);
      plan.rightBatch.push(b);
      plan.shared.push(index);
    } else if (size === 1) {
      plan.rightOnly.push(index);
      plan.leftSqueezed.push(a);
    } else if (other === 1) {
      plan.leftOnly.push(index);
      plan.rightSqueezed.push(b);
    } else {
      throw invalid(`incompatible shapes for matmul: ${String(size)} and ${String(other)}`);
    }
  }
  return plan;
}

const afterSqueeze = (axes: readonly number[], squeezed: readonly number[]): readonly number[] =>
  axes.map((axis) => axis - squeezed.filter((removed) => removed < axis).length);

/** Matrix products over batches; vectors are rows or columns. JAX's `jnp.matmul`. */
export function matmul(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(x, y);
  if (rank(left) === 0 || rank(right) === 0) {
    throw invalid("matmul takes arrays of one dimension or more", "use np.multiply for scalars");
  }
  const [isLeftMatrix, isRightMatrix] = [rank(left) > 1, rank(right) > 1];
  const leftRank = isLeftMatrix ? rank(left) - 2 : 0;
  const rightRank = isRightMatrix ? rank(right) - 2 : 0;
  const plan = planBatch(left, right, leftRank, rightRank);
  const count = Math.max(leftRank, rightRank);
  if (isLeftMatrix) plan.leftOnly.push(count);
  if (isRightMatrix) plan.rightOnly.push(count + Number(isLeftMatrix));
  const order = [...plan.shared, ...plan.leftOnly, ...plan.rightOnly];
  const permutation = order.map((_, place) => order.indexOf(place));
  const a = plan.leftSqueezed.length > 0 ? o.squeeze(left, plan.leftSqueezed) : left;
  const b = plan.rightSqueezed.length > 0 ? o.squeeze(right, plan.rightSqueezed) : right;
  const product = contract(a, b, [
    [[rank(a) - 1], [rank(b) - 1 - Number(isRightMatrix)]],
    [
      afterSqueeze(plan.leftBatch, plan.leftSqueezed),
      afterSqueeze(plan.rightBatch, plan.rightSqueezed),
    ],
  ]);
  const isIdentity = permutation.every((axis, index) => axis === index);
  return out(isIdentity ? product : o.transpose(product, permutation));
}

/** How many dimensions, or which ones of each, `tensordot` sums over. */
export type TensordotAxes =
  number | readonly [number | readonly number[], number | readonly number[]];

/** Sums over chosen dimensions of both arrays. JAX's `jnp.tensordot`. */
export function tensordot(x: NestedArray, y: NestedArray, axes: TensordotAxes = 2): ArrayValue {
  const [left, right] = two(x, y);
  if (typeof axes === "number") {
    if (
      wholeNumber("the number of axes of tensordot", axes) < 0 ||
      axes > Math.min(rank(left), rank(right))
    ) {
      throw invalid(`tensordot over ${axes} dimensions of arrays that have fewer`);
    }
    const last = Array.from({ length: axes }, (_, index) => rank(left) - axes + index);
    const first = Array.from({ length: axes }, (_, index) => index);
    return out(
      contract(left, right, [
        [last, first],
        [[], []],
      ]),
    );
  }
  const pairs: unknown = axes;
  if (!Array.isArray(pairs) || pairs.length !== 2) {
    throw invalid("tensordot takes a number of axes, or the axes of each array");
  }
  const [a, b] = axes.map((item) => (typeof item === "number" ? [item] : item));
  const own = canonicalAxes(a ?? [], rank(left));
  const other = canonicalAxes(b ?? [], rank(right));
  return out(
    contract(left, right, [
      [own, other],
      [[], []],
    ]),
  );
}

/** The product of two matrices block by block. JAX's `jnp.kron`. */
export function kron(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(x, y);
  const whole = Math.max(rank(left), rank(right));
  const sizes = (value: Value): Dim[] => [
    ...Array.from({ length: whole - rank(value) }, () => 1),
    ...value.aval.shape,
  ];
  const [a, b] = [sizes(left), sizes(right)];
  const places = Array.from({ length: whole }, (_, axis) => axis);
  const interleaved = places.flatMap((axis) => [at(a, axis), at(b, axis)]);
  const spread = (value: Value, offset: number): Value =>
    o.broadcastInDim(
      value,
      interleaved,
      value.aval.shape.map((_, axis) => 2 * (axis + whole - rank(value)) + offset),
    );
  const product = o.mul(spread(left, 0), spread(right, 1));
  const result = places.map((axis) => {
    const [size, other] = [at(a, axis), at(b, axis)];
    if (typeof size !== "number" || typeof other !== "number")
      throw invalid("kron needs known sizes");
    return size * other;
  });
  return out(o.reshape(product, result));
}

/** Vectors perpendicular to two vectors of three (last dimension). JAX's `jnp.cross`. */
export function cross(x: NestedArray, y: NestedArray): ArrayValue {
  const [left, right] = two(x, y);
  const part = (value: Value, index: number): Value => {
    const axis = canonicalAxis(-1, rank(value));
    if (at(value.aval.shape, axis) !== 3) throw invalid("cross takes vectors of three numbers");
    const start = value.aval.shape.map((_, place) => (place === axis ? index : 0));
    return o.slice(value, start, value.aval.shape.with(axis, index + 1));
  };
  const component = (i: number, j: number): Value =>
    o.sub(o.mul(part(left, i), part(right, j)), o.mul(part(left, j), part(right, i)));
  return out(o.concatenate([component(1, 2), component(2, 0), component(0, 1)], rank(left) - 1));
}

/** Which part of a convolution is kept. */
export type ConvolveMode = "full" | "same" | "valid";
const convolveModes = ["full", "same", "valid"] as const;

function convolveRow(x: Value, y: Value, mode: ConvolveMode): Value {
  const [n, m] = [at(x.aval.shape, 0), at(y.aval.shape, 0)];
  if (typeof m !== "number" || typeof n !== "number") throw invalid("convolve needs known sizes");
  const low = mode === "full" ? m - 1 : mode === "same" ? Math.floor(m / 2) : 0;
  const high = mode === "full" ? m - 1 : mode === "same" ? m - Math.floor(m / 2) - 1 : 0;
  const result = o.convGeneralDilated(
    o.broadcastInDim(x, [1, 1, n], [2]),
    o.broadcastInDim(o.rev(y, [0]), [1, 1, m], [2]),
    {
      window_strides: [1],
      padding: [[low, high]],
      lhs_dilation: [1],
      rhs_dilation: [1],
      window_reversal: null,
      dimension_numbers: { lhs_spec: [0, 1, 2], rhs_spec: [0, 1, 2], out_spec: [0, 1, 2] },
      feature_group_count: 1,
      batch_group_count: 1,
      precision: null,
      preferred_element_type: null,
    },
  );
  return o.squeeze(result, [0, 1]);
}

/** The convolution of two vectors. JAX's `jnp.convolve`. */
export function convolve(x: NestedArray, y: NestedArray, mode: ConvolveMode = "full"): ArrayValue {
  const [left, right] = two(x, y);
  if (rank(left) !== 1 || rank(right) !== 1) throw invalid("convolve takes vectors");
  const [n, m] = [at(left.aval.shape, 0), at(right.aval.shape, 0)];
  choice(mode, convolveModes, () => "mode must be one of ['full', 'same', 'valid']");
  if (n === 0 || m === 0) {
    const shapes = [left, right].map(({ aval }) => printShape(aval.shape));
    throw invalid(`convolve: inputs cannot be empty, got shapes ${shapes.join(" and ")}.`);
  }
  const isSwapped = typeof n === "number" && typeof m === "number" && n < m;
  const values = isSwapped ? [right, left] : [left, right];
  const floating = values.map((value) =>
    toType(value, value.aval.dtype === "bool" ? "float32" : value.aval.dtype),
  );
  return out(callNamedOne("convolve", mode, (a, b) => convolveRow(a, b, mode), floating));
}
