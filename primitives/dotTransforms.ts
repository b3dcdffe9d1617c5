/**
 * The derivatives and the batching rule of dot_general, and what it shares with convolutions: the
 * derivative of anything linear in each of two operands. Used by dot.ts and convTransforms.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { DotDimensionNumbers, DotGeneralParams } from "../src/ir/params.js";
import type {
  BatchRule,
  JvpRule,
  MaybeZero,
  TransposeInput,
  TransposeRule,
} from "../src/ir/primitive.js";
import { shiftDims } from "./batching.js";
import { addTangents } from "./factories.js";
import { at, upTo } from "./support.js";

/** The product rule: `apply(t, y) + apply(x, t)`. */
export function bilinearJvp<P>(
  apply: (o: Ops, lhs: Value, rhs: Value, params: P) => Value,
): JvpRule<P> {
  return (o, primals, [left = null, right = null], params) => {
    const [lhs, rhs] = [at(primals, 0), at(primals, 1)];
    const terms = [
      left === null ? null : apply(o, left, rhs, params),
      right === null ? null : apply(o, lhs, right, params),
    ];
    return { primals: [apply(o, lhs, rhs, params)], tangents: [addTangents(o, terms)] };
  };
}

/** What a bilinear primitive does with a cotangent: the operand asked for, and the known one. */
export type PullBack<P> = (
  o: Ops,
  cotangent: Value,
  wanted: ShapedArray,
  other: Value,
  params: P,
) => MaybeZero;

/** Transposition of a product in its linear operand; the other one is known. */
export function bilinearTranspose<P>(
  name: string,
  toLhs: PullBack<P>,
  toRhs: PullBack<P>,
): TransposeRule<P> {
  return (o, [cotangent = null], inputs, params) => {
    const [lhs, rhs] = [at(inputs, 0), at(inputs, 1)];
    if (cotangent === null) return [null, null];
    const pull = (rule: PullBack<P>, wanted: TransposeInput, other: TransposeInput): MaybeZero => {
      if (wanted.kind === "known") return null;
      if (other.kind === "known") return rule(o, cotangent, wanted.aval, other.value, params);
      throw new Jax2TfjsError("not-linear", `${name} is not linear in both operands together`, {
        primitive: name,
      });
    };
    return [pull(toLhs, lhs, rhs), pull(toRhs, rhs, lhs)];
  };
}

/** The value in the element type of the operand whose cotangent it is. */
export function asDtypeOf(o: Ops, value: Value, { dtype }: ShapedArray): Value {
  return value.aval.dtype === dtype ? value : o.convertElementType(value, dtype);
}

const without = (rank: number, ...used: readonly (readonly number[])[]): readonly number[] =>
  upTo(rank).filter((dim) => !used.some((dims) => dims.includes(dim)));

/** 0, 1, …, split into lists as long as the given ones. */
function numbered(...lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  let next = 0;
  return lists.map((list) => list.map(() => next++));
}

/** The permutation that undoes another. */
function inverse(permutation: readonly number[]): readonly number[] {
  return upTo(permutation.length).map((dim) => permutation.indexOf(dim));
}

/** The cotangent of the operand that comes first in `numbers`; the result may have it second. */
function pullToFirst(
  o: Ops,
  cotangent: Value,
  wanted: ShapedArray,
  other: Value,
  [[contracted, otherContracted], [batch, otherBatch]]: DotDimensionNumbers,
  params: DotGeneralParams,
  isSecond: boolean,
): Value {
  const kept = without(wanted.shape.length, contracted, batch);
  const otherKept = without(other.aval.shape.length, otherContracted, otherBatch);
  const places = isSecond ? numbered(batch, otherKept, kept) : numbered(batch, kept, otherKept);
  const product = o.dotGeneral(cotangent, other, {
    ...params,
    dimension_numbers: [
      [at(places, isSecond ? 1 : 2), otherKept],
      [at(places, 0), otherBatch],
    ],
  });
  // The product has the contracted dimensions last, in the order of the other operand.
  const order = upTo(contracted.length).toSorted(
    (a, b) => at(otherContracted, a) - at(otherContracted, b),
  );
  const dims = [...batch, ...kept, ...order.map((index) => at(contracted, index))];
  const back = inverse(dims);
  const isInOrder = back.every((axis, place) => axis === place);
  return asDtypeOf(o, isInOrder ? product : o.transpose(product, back), wanted);
}

export const dotJvp = bilinearJvp<DotGeneralParams>((o, lhs, rhs, params) =>
  o.dotGeneral(lhs, rhs, params),
);

export const dotTranspose = bilinearTranspose<DotGeneralParams>(
  "dot_general",
  (o, cotangent, wanted, other, params) =>
    pullToFirst(o, cotangent, wanted, other, params.dimension_numbers, params, false),
  (o, cotangent, wanted, other, params) => {
    const [[lhs, rhs], [lhsBatch, rhsBatch]] = params.dimension_numbers;
    const swapped: DotDimensionNumbers = [
      [rhs, lhs],
      [rhsBatch, lhsBatch],
    ];
    return pullToFirst(o, cotangent, wanted, other, swapped, params, true);
  },
);

/** A batch of both operands is one more batch dimension; of one of them, one more free dimension. */
export const dotBatch: BatchRule<DotGeneralParams> = (o, inputs, dims, params) => {
  const [lhs, rhs] = [at(inputs, 0), at(inputs, 1)];
  const [left = null, right = null] = dims;
  const [contracting, batch] = params.dimension_numbers;
  const shifted = ([ofLhs, ofRhs]: readonly [readonly number[], readonly number[]]) =>
    [
      left === null ? ofLhs : shiftDims(ofLhs, left),
      right === null ? ofRhs : shiftDims(ofRhs, right),
    ] as const;
  const newContracting = shifted(contracting);
  const [lhsBatch, rhsBatch] = shifted(batch);
  const bind = (newBatch: DotDimensionNumbers[1], dim: number) => {
    const numbers = { ...params, dimension_numbers: [newContracting, newBatch] as const };
    return { outputs: [o.dotGeneral(lhs, rhs, numbers)], dims: [dim] };
  };
  if (left !== null && right !== null) {
    return bind(
      [
        [left, ...lhsBatch],
        [right, ...rhsBatch],
      ],
      0,
    );
  }
  // Among the free dimensions of its operand the batch dimension keeps its place.
  const lhsFree = without(lhs.aval.shape.length, newContracting[0], lhsBatch);
  const rhsFree = without(rhs.aval.shape.length, newContracting[1], rhsBatch);
  const place =
    left !== null ? lhsFree.indexOf(left) : lhsFree.length + rhsFree.indexOf(right ?? 0);
  return bind([lhsBatch, rhsBatch], lhsBatch.length + place);
};
