/**
 * Derivatives and batching rules of the reductions: the named ones (reduce.ts) and reduce with a
 * general computation (reduceGeneral.ts).
 */
import { shapeSize } from "../src/ir/dims.js";
import { isComplex, isFloat } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { BatchRule, JvpRule, Primitive } from "../src/ir/primitive.js";
import { batchAtFront, shiftDims, sizeOfBatch } from "./batching.js";
import type { ReduceParams } from "./reduce.js";
import type { GeneralReduceParams } from "./reduceGeneral.js";
import { mapScalarProgram } from "./scalarProgram.js";
import { filled, unaryBatch, unaryTranspose } from "./shapeTransforms.js";
import { at, upTo, withoutAxes } from "./support.js";
import { treeReduce, type Combine } from "./treeReduce.js";

/** The dimensions that a reduction keeps. */
function keptAxes(rank: number, axes: readonly number[]): readonly number[] {
  return upTo(rank).filter((axis) => !axes.includes(axis));
}

export const reduceBatch = (self: () => Primitive<ReduceParams>): BatchRule<ReduceParams> =>
  unaryBatch(self, (batch, { axes }) => {
    const shifted = shiftDims(axes, batch);
    return {
      params: { axes: shifted },
      dim: batch - shifted.filter((axis) => axis < batch).length,
    };
  });

export const reduceSumTranspose = unaryTranspose<ReduceParams>((o, cotangent, shape, { axes }) =>
  o.broadcastInDim(cotangent, shape, keptAxes(shape.length, axes)),
);

/**
 * The tangent of a product: each element's tangent times the product of all others, which is that
 * of the elements before it times that of those behind it.
 */
function productTangent(o: Ops, x: Value, tangent: Value, axes: readonly number[]): Value {
  const { shape, dtype } = x.aval;
  if (axes.length === 0) return tangent;
  const kept = keptAxes(shape.length, axes);
  const order = [...kept, ...[...axes].sort((a, b) => a - b)];
  const inOrder = order.every((axis, place) => axis === place);
  const rest = kept.map((axis) => at(shape, axis));
  const size = shapeSize(axes.map((axis) => at(shape, axis)));
  const flat = (value: Value): Value => {
    const moved = inOrder ? value : o.transpose(value, order);
    return axes.length === 1 ? moved : o.reshape(moved, [...rest, size]);
  };
  const axis = kept.length;
  const one = o.literal(1, dtype);
  const row = flat(x);
  const others = (reverse: boolean): Value => {
    const [low, high] = reverse ? [-1, 1] : [1, -1];
    const config = row.aval.shape.map((_, index) =>
      index === axis ? ([low, high, 0] as const) : ([0, 0, 0] as const),
    );
    return o.pad(o.cumprod(row, axis, reverse), one, config);
  };
  const slope = size === 1 ? o.full(row.aval.shape, 1, dtype) : o.mul(others(false), others(true));
  return o.reduceSum(o.mul(flat(tangent), slope), [axis]);
}

/** The mean of the tangents of all elements that are the extremum. */
function chosenTangent(
  o: Ops,
  x: Value,
  tangent: Value,
  result: Value,
  axes: readonly number[],
): Value {
  const { shape, dtype } = x.aval;
  const wide = o.broadcastInDim(result, shape, keptAxes(shape.length, axes));
  const chosen = o.convertElementType(o.eq(x, wide), dtype);
  return o.div(o.reduceSum(o.mul(tangent, chosen), axes), o.reduceSum(chosen, axes));
}

/** The derivative of reduce_prod, reduce_max and reduce_min. */
export function reductionJvp(
  kind: "prod" | "extremum",
  self: () => Primitive<ReduceParams>,
): JvpRule<ReduceParams> {
  return (o, primals, [tangent = null], params) => {
    const x = at(primals, 0);
    const outputs = o.bind(self(), primals, params);
    if (tangent === null) return { primals: outputs, tangents: [null] };
    const pushed =
      kind === "prod"
        ? productTangent(o, x, tangent, params.axes)
        : chosenTangent(o, x, tangent, at(outputs, 0), params.axes);
    return { primals: outputs, tangents: [pushed] };
  };
}

/** A computation on scalars, for pairs of arrays. */
function combineBy(o: Ops, program: ClosedJaxpr): Combine {
  return (left, right) => {
    return mapScalarProgram(o, program, [...left, ...right], at(left, 0).aval.shape);
  };
}

/**
 * Reduces by halves with the initial values combined in once; over no dimensions, without them, as
 * JAX does.
 *
 * @param initial scalars, or arrays of the shape that is left after the reduction
 * @param fills scalars for places without elements, where sizes are symbolic
 */
function reduceWithInitial(
  o: Ops,
  operands: readonly Value[],
  initial: readonly Value[],
  fills: readonly Value[],
  dimensions: readonly number[],
  combine: Combine,
): readonly Value[] {
  if (dimensions.length === 0) return operands;
  const rest = withoutAxes(at(operands, 0).aval.shape, dimensions);
  const spread = initial.map((value) =>
    value.aval.shape.length === rest.length ? value : o.broadcastInDim(value, rest, []),
  );
  const size = shapeSize(dimensions.map((axis) => at(at(operands, 0).aval.shape, axis)));
  if (size === 0) return spread;
  return combine(spread, treeReduce(o, operands, fills, dimensions, combine));
}

/**
 * The derivative of a general reduction: values and tangents are reduced together, by the
 * derivative of the computation.
 */
export function generalReduceJvp(
  self: () => Primitive<GeneralReduceParams>,
): JvpRule<GeneralReduceParams> {
  return (o, primals, tangents, params) => {
    const { dimensions, jaxpr } = params;
    const outputs = o.bind(self(), primals, params);
    const count = outputs.length;
    const active = outputs.map(({ aval }) => isFloat(aval.dtype) || isComplex(aval.dtype));
    const derived = o.programs.jvp(jaxpr, [...active, ...active], active).program;
    const isActive = (_: unknown, index: number): boolean => active[index] === true;
    const directions = primals.map((primal, index) => filled(o, tangents[index] ?? null, primal));
    const operands = [...primals.slice(0, count), ...directions.slice(0, count).filter(isActive)];
    const initial = [...primals.slice(count), ...directions.slice(count).filter(isActive)];
    // The derivative takes both values, then both tangents.
    const combine: Combine = (left, right) => {
      const values = [...left.slice(0, count), ...right.slice(0, count)];
      const args = [...values, ...left.slice(count), ...right.slice(count)];
      return mapScalarProgram(o, derived, args, at(left, 0).aval.shape);
    };
    const fills = initial.map((value, index) =>
      index < count ? value : o.literal(0, value.aval.dtype),
    );
    const reduced = reduceWithInitial(o, operands, initial, fills, dimensions, combine);
    let next = count;
    return {
      primals: outputs,
      tangents: active.map((has) => (has ? at(reduced, next++) : null)),
    };
  };
}

/** Initial values that differ from row to row are combined in after the reduction. */
export function generalReduceBatch(
  self: () => Primitive<GeneralReduceParams>,
): BatchRule<GeneralReduceParams> {
  return (o, inputs, dims, { dimensions, jaxpr }) => {
    const count = inputs.length / 2;
    const size = sizeOfBatch(inputs, dims);
    const atFront = (index: number): Value =>
      batchAtFront(o, at(inputs, index), dims[index] ?? null, size);
    const operands = upTo(count).map(atFront);
    const shifted = shiftDims(dimensions, 0);
    const batched = operands.map(() => 0);
    if (upTo(count).every((index) => (dims[count + index] ?? null) === null)) {
      const params = { dimensions: shifted, jaxpr };
      return {
        outputs: o.bind(self(), [...operands, ...inputs.slice(count)], params),
        dims: batched,
      };
    }
    const { shape } = at(operands, 0).aval;
    if (shifted.some((axis) => typeof shape[axis] !== "number")) {
      throw new Jax2TfjsError(
        "no-batch-rule",
        "reduce over a symbolic dimension cannot be batched in its initial values",
        { primitive: "reduce", fix: "combine the initial values after the reduction" },
      );
    }
    const rest = withoutAxes(shape, shifted);
    const initial = upTo(count).map((index) => o.broadcastInDim(atFront(count + index), rest, [0]));
    const outputs = reduceWithInitial(o, operands, initial, [], shifted, combineBy(o, jaxpr));
    return { outputs, dims: batched };
  };
}
