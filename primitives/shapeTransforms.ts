/**
 * Derivatives and batching rules of the primitives that rearrange one array (shape.ts), and the
 * helpers for primitives that are linear in all their inputs.
 */
import type { Shape } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type {
  BatchRule,
  JvpRule,
  MaybeZero,
  Primitive,
  TransposeRule,
} from "../src/ir/primitive.js";
import { shiftDims } from "./batching.js";
import { batchToFront } from "./factories.js";
import type {
  BroadcastInDimParams,
  ReshapeParams,
  RevParams,
  SqueezeParams,
  TransposeParams,
} from "./shape.js";
import { at, upTo } from "./support.js";

/** A tangent, or zeros of the type of a value. */
export function filled(o: Ops, tangent: MaybeZero, like: Value): Value {
  return tangent ?? o.full(like.aval.shape, 0, like.aval.dtype);
}

/** The derivative of a primitive that is linear in all inputs together: itself on the tangents. */
export function linearJvp<P>(self: () => Primitive<P>): JvpRule<P> {
  return (o, primals, tangents, params) => {
    const outputs = o.bind(self(), primals, params);
    if (tangents.every((tangent) => tangent === null)) {
      return { primals: outputs, tangents: outputs.map(() => null) };
    }
    const directions = tangents.map((tangent, index) => filled(o, tangent, at(primals, index)));
    return { primals: outputs, tangents: o.bind(self(), directions, params) };
  };
}

/** The transpose rule of a linear primitive of one input and one result. */
export function unaryTranspose<P>(
  pull: (o: Ops, cotangent: Value, shape: Shape, params: P) => Value,
): TransposeRule<P> {
  return (o, [cotangent = null], inputs, params) => {
    const input = at(inputs, 0);
    if (cotangent === null || input.kind === "known") return [null];
    return [pull(o, cotangent, input.aval.shape, params)];
  };
}

/** The batching rule of a primitive of one input: new parameters, and where the batch ends up. */
export function unaryBatch<P>(
  self: () => Primitive<P>,
  shift: (batch: number, params: P, shape: Shape) => { readonly params: P; readonly dim: number },
): BatchRule<P> {
  return (o, inputs, dims, params) => {
    const batch = dims[0] ?? null;
    if (batch === null) {
      const outputs = o.bind(self(), inputs, params);
      return { outputs, dims: outputs.map(() => null) };
    }
    const shifted = shift(batch, params, at(inputs, 0).aval.shape);
    const outputs = o.bind(self(), inputs, shifted.params);
    return { outputs, dims: outputs.map(() => shifted.dim) };
  };
}

/** The permutation that undoes another one. */
export function inversePermutation(permutation: readonly number[]): readonly number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

/** Sums over the dimensions that are new, or that were stretched from size 1. */
export const broadcastTranspose = unaryTranspose<BroadcastInDimParams>(
  (o, cotangent, shape, { broadcast_dimensions }) => {
    const kept = broadcast_dimensions.filter((_, axis) => shape[axis] !== 1);
    const summed = upTo(cotangent.aval.shape.length).filter((axis) => !kept.includes(axis));
    const sum = summed.length === 0 ? cotangent : o.reduceSum(cotangent, summed);
    // What is left has the order of the result; the operand's dimensions may be in another one.
    const order = [...kept].sort((a, b) => a - b);
    const inOrder = kept.every((axis, place) => axis === order[place]);
    const places = kept.map((axis) => order.indexOf(axis));
    const sorted = inOrder ? sum : o.transpose(sum, places);
    return kept.length === shape.length ? sorted : o.reshape(sorted, shape);
  },
);

export const broadcastBatch = (
  self: () => Primitive<BroadcastInDimParams>,
): BatchRule<BroadcastInDimParams> =>
  unaryBatch(self, (batch, { shape, broadcast_dimensions: dimensions }, operand) => {
    // Next to its old neighbour, so that the dimensions stay in order.
    const place = batch === 0 ? 0 : at(dimensions, batch - 1) + 1;
    const shifted = shiftDims(dimensions, place);
    const params = {
      shape: shape.toSpliced(place, 0, at(operand, batch)),
      broadcast_dimensions: shifted.toSpliced(batch, 0, place),
    };
    return { params, dim: place };
  });

export const reshapeTranspose = unaryTranspose<ReshapeParams>(
  (o, cotangent, shape, { dimensions }) => {
    if (dimensions === null) return o.reshape(cotangent, shape);
    const permuted = o.reshape(
      cotangent,
      dimensions.map((axis) => at(shape, axis)),
    );
    return o.transpose(permuted, inversePermutation(dimensions));
  },
);

/** Reshapes with the batch dimension in front. */
export const reshapeBatch =
  (self: () => Primitive<ReshapeParams>): BatchRule<ReshapeParams> =>
  (o, inputs, dims, { new_sizes, dimensions }) => {
    const front = batchToFront(o, at(inputs, 0), dims[0] ?? 0);
    const params = {
      new_sizes: [at(front.aval.shape, 0), ...new_sizes],
      dimensions: dimensions === null ? null : [0, ...shiftDims(dimensions, 0)],
    };
    return { outputs: o.bind(self(), [front], params), dims: [0] };
  };

export const transposeTranspose = unaryTranspose<TransposeParams>(
  (o, cotangent, _shape, { permutation }) =>
    o.transpose(cotangent, inversePermutation(permutation)),
);

export const transposeBatch = (
  self: () => Primitive<TransposeParams>,
): BatchRule<TransposeParams> =>
  unaryBatch(self, (batch, { permutation }) => ({
    params: { permutation: [batch, ...shiftDims(permutation, batch)] },
    dim: 0,
  }));

export const squeezeTranspose = unaryTranspose<SqueezeParams>((o, cotangent, shape) =>
  o.reshape(cotangent, shape),
);

export const squeezeBatch = (self: () => Primitive<SqueezeParams>): BatchRule<SqueezeParams> =>
  unaryBatch(self, (batch, { dimensions }) => {
    const shifted = shiftDims(dimensions, batch);
    const dim = batch - shifted.filter((axis) => axis < batch).length;
    return { params: { dimensions: shifted }, dim };
  });

export const revTranspose = unaryTranspose<RevParams>((o, cotangent, _shape, { dimensions }) =>
  o.rev(cotangent, dimensions),
);

export const revBatch = (self: () => Primitive<RevParams>): BatchRule<RevParams> =>
  unaryBatch(self, (batch, { dimensions }) => ({
    params: { dimensions: shiftDims(dimensions, batch) },
    dim: batch,
  }));
