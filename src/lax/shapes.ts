/** Functions of `lax` that make arrays, and change, cut, join and pad their shapes. */
import * as iotas from "../../primitives/iota.js";
import { pad as padPrimitive } from "../../primitives/pad.js";
import * as slices from "../../primitives/slice.js";
import {
  dimEquals,
  divideShapeSizes,
  mulDims,
  printShape,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { unflattenValues } from "../api/calls.js";
import type { Arrays } from "../api/types.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, shapeOf, toValue, typeOf } from "../trace/trace.js";
import { flatten } from "../tree/pytree.js";
import {
  at,
  bindAll,
  bindOne,
  canonicalAxes,
  canonicalAxis,
  canonicalDtype,
  convertValue,
  invalid,
  operands,
  unary,
} from "./arguments.js";

const positions = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

// --- What an array is ----------------------------------------------------------------------------

/** The element type by JAX's name, which tfjs may not have: `uint8`. JAX's `lax.dtype`. */
export function dtype(x: ArrayLike): DType {
  return typeOf(x).dtype;
}

/** The sizes; dimension expressions where shapes are symbolic. JAX's `numpy.shape`. */
export function shape(x: ArrayLike): Shape {
  return shapeOf(x);
}

/** The size along a dimension as an int32 scalar; JAX's `dim_as_value` if it is symbolic. */
export function dimAsValue(dim: Dim): ArrayValue {
  return fromValue(o.dimAsValue(dim));
}

// --- Making arrays -------------------------------------------------------------------------------

/** An array of one value, by default of its type. JAX's `lax.full`. */
export function full(sizes: Shape, fillValue: ArrayLike, dtype?: DType): ArrayValue {
  const value = toValue(fillValue);
  if (value.aval.shape.length > 0) {
    throw invalid(
      `full must be called with scalar fill_value, got fill_value.shape ` +
        `${printShape(value.aval.shape)}.`,
    );
  }
  const isWeak = dtype === undefined && value.aval.weakType;
  const scalar = convertValue(value, dtype ?? value.aval.dtype, isWeak);
  return fromValue(sizes.length === 0 ? scalar : o.broadcastInDim(scalar, sizes, []));
}

/** An array of one value with the shape and type of another. JAX's `lax.full_like`. */
export function fullLike(
  x: ArrayLike,
  fillValue: ArrayLike,
  { dtype, shape: sizes }: { readonly dtype?: DType; readonly shape?: Shape } = {},
): ArrayValue {
  const like = typeOf(x);
  const filled = full(sizes ?? like.shape, fillValue, dtype ?? like.dtype);
  return filled;
}

/** An array whose contents are open (zeros here). JAX's `lax.empty`. */
export function empty(sizes: Shape, dtype: DType): ArrayValue {
  return fromValue(bindOne(iotas.empty, [], { shape: sizes, dtype: canonicalDtype(dtype) }));
}

/** 0, 1, …, `size` - 1. JAX's `lax.iota`. */
export function iota(dtype: DType, size: Dim): ArrayValue {
  return broadcastedIota(dtype, [size], 0);
}

/** 0, 1, … along a dimension. JAX's `lax.broadcasted_iota`. */
export function broadcastedIota(dtype: DType, sizes: Shape, dimension: number): ArrayValue {
  return fromValue(o.iota(canonicalDtype(dtype), sizes, dimension));
}

// --- Handing values on ---------------------------------------------------------------------------

/** A copy. JAX's `copy`. */
export const copy = unary((x) => bindOne(iotas.copy, [x], {}));

/**
 * The arrays of a pytree, which no optimization moves across. JAX's `lax.optimization_barrier`.
 */
export function optimizationBarrier<const T>(operand: T): Arrays<T> {
  const [leaves, tree] = flatten(operand);
  const values = leaves.map((leaf) => toValue(leaf as ArrayLike));
  return unflattenValues(tree, o.bind(iotas.optimizationBarrier, values, {})) as Arrays<T>;
}

/** `y`, once `x` is there. JAX's `tie`. */
export function tie(x: ArrayLike, y: ArrayLike): ArrayValue {
  return fromValue(bindOne(iotas.tie, [toValue(x), toValue(y)], {}));
}

// --- Shapes --------------------------------------------------------------------------------------

/** Places the dimensions of an array in a larger shape, and repeats. JAX's `lax.broadcast_in_dim`. */
export function broadcastInDim(
  operand: ArrayLike,
  sizes: Shape,
  broadcastDimensions: readonly number[],
): ArrayValue {
  const value = toValue(operand);
  const { shape: own } = value.aval;
  const isSame =
    own.length === sizes.length &&
    own.every((dim, axis) => dimEquals(dim, at(sizes, axis)) && broadcastDimensions[axis] === axis);
  return fromValue(isSame ? value : o.broadcastInDim(value, sizes, broadcastDimensions));
}

/** Adds leading dimensions. JAX's `lax.broadcast`. */
export function broadcast(operand: ArrayLike, sizes: Shape): ArrayValue {
  const own = shapeOf(operand);
  const places = own.map((_, axis) => axis + sizes.length);
  return broadcastInDim(operand, [...sizes, ...own], places);
}

/** The shape that arrays of these shapes have together. JAX's `lax.broadcast_shapes`. */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((sizes) => sizes.length));
  return positions(rank).map((axis) => {
    const dims = shapes.flatMap((sizes) => sizes[axis - rank + sizes.length] ?? []);
    const wide = dims.filter((dim) => dim !== 1);
    const size = wide[0] ?? 1;
    if (wide.every((dim) => dimEquals(dim, size))) return size;
    throw invalid(
      `Incompatible shapes for broadcasting: shapes=[${shapes.map(printShape).join(", ")}]`,
    );
  });
}

/** Repeats an array along its dimensions. JAX's `lax.tile`. */
export function tile(operand: ArrayLike, reps: Shape): ArrayValue {
  return fromValue(bindOne(slices.tile, [toValue(operand)], { reps }));
}

/**
 * The elements in another shape. One size may be -1: what remains.
 *
 * @param options.dimensions the order in which the dimensions are read; JAX's default is theirs
 *
 * JAX's counterpart is `lax.reshape`.
 */
export function reshape(
  operand: ArrayLike,
  newSizes: Shape,
  { dimensions = null }: { readonly dimensions?: readonly number[] | null } = {},
): ArrayValue {
  const value = toValue(operand);
  const sizes = completedSizes(value.aval.shape, newSizes);
  if (dimensions !== null) {
    return fromValue(o.reshape(o.transpose(value, dimensions), sizes));
  }
  const { shape: own } = value.aval;
  const isSame =
    own.length === sizes.length && own.every((dim, axis) => dimEquals(dim, at(sizes, axis)));
  return fromValue(isSame ? value : o.reshape(value, sizes));
}

function completedSizes(own: Shape, sizes: Shape): Shape {
  const open = sizes.indexOf(-1);
  if (open < 0) return sizes;
  if (sizes.lastIndexOf(-1) !== open) {
    throw invalid(`reshape: at most one size may be -1, got ${printShape(sizes)}`);
  }
  const rest = sizes.toSpliced(open, 1);
  return sizes.with(open, divideShapeSizes(own, rest));
}

/** The dimensions in another order; reversed by default. JAX's `lax.transpose`. */
export function transpose(operand: ArrayLike, permutation?: readonly number[]): ArrayValue {
  const value = toValue(operand);
  const order = permutation ?? positions(value.aval.shape.length).toReversed();
  const isIdentity =
    order.length === value.aval.shape.length && order.every((axis, place) => axis === place);
  return fromValue(isIdentity ? value : o.transpose(value, order));
}

/** Without dimensions of size 1. JAX's `lax.squeeze`. */
export function squeeze(array: ArrayLike, dimensions: readonly number[]): ArrayValue {
  const value = toValue(array);
  const axes = canonicalAxes(dimensions, value.aval.shape.length).toSorted((a, b) => a - b);
  return fromValue(axes.length === 0 ? value : o.squeeze(value, axes));
}

/** With further dimensions of size 1, at positions of the result. JAX's `lax.expand_dims`. */
export function expandDims(array: ArrayLike, dimensions: readonly number[]): ArrayValue {
  const value = toValue(array);
  const { shape: own } = value.aval;
  const rank = own.length + dimensions.length;
  const added = new Set(canonicalAxes(dimensions, rank));
  const places = positions(rank).filter((axis) => !added.has(axis));
  const sizes = positions(rank).map((axis): Dim =>
    added.has(axis) ? 1 : at(own, places.indexOf(axis)),
  );
  return broadcastInDim(array, sizes, places);
}

/**
 * Joins neighbouring dimensions: those from `start` up to `stop` (without it; default: the last).
 * JAX's `lax.collapse`.
 */
export function collapse(operand: ArrayLike, start: number, stop?: number): ArrayValue {
  const own = shapeOf(operand);
  const [from, to] = [start, stop ?? own.length].map((axis) =>
    axis < 0 ? axis + own.length : axis,
  );
  const [first, last] = [from ?? 0, to ?? 0];
  const joined = own.slice(first, last).reduce((product: Dim, dim) => mulDims(product, dim), 1);
  return reshape(operand, [...own.slice(0, first), joined, ...own.slice(last)]);
}

/** The other way round along dimensions. JAX's `lax.rev`. */
export function rev(operand: ArrayLike, dimensions: readonly number[]): ArrayValue {
  return fromValue(o.rev(toValue(operand), dimensions));
}

// --- Joining and padding -------------------------------------------------------------------------

/** Arrays one after the other along a dimension. JAX's `lax.concatenate`. */
export function concatenate(arrays: readonly ArrayLike[], dimension: number): ArrayValue {
  if (arrays.length === 0) throw invalid("concatenate requires a non-empty sequences of arrays");
  const values = operands(...arrays);
  return fromValue(values.length === 1 ? at(values, 0) : o.concatenate(values, dimension));
}

/** Arrays of one shape along a new dimension. JAX's `lax.stack`. */
export function stack(arrays: readonly ArrayLike[], axis = 0): ArrayValue {
  const values = operands(...arrays);
  const rank = (values[0]?.aval.shape.length ?? 0) + 1;
  return fromValue(bindOne(slices.stack, values, { axis: canonicalAxis(axis, rank) }));
}

/** The slices along a dimension, without it. JAX's `lax.unstack`. */
export function unstack(x: ArrayLike, axis = 0): ArrayValue[] {
  const value = toValue(x);
  const place = canonicalAxis(axis, value.aval.shape.length);
  return bindAll(slices.unstack, [value], { axis: place });
}

/** Cuts an array along a dimension into parts of these sizes. JAX's `lax.split`. */
export function split(operand: ArrayLike, sizes: readonly number[], axis = 0): ArrayValue[] {
  const value = toValue(operand);
  const place = canonicalAxis(axis, value.aval.shape.length);
  return bindAll(slices.split, [value], { sizes, axis: place });
}

/**
 * Adds elements around and between those of an array; negative amounts remove.
 *
 * @param paddingConfig per dimension how many before, after, and between neighbours
 *
 * JAX's counterpart is `lax.pad`.
 */
export function pad(
  operand: ArrayLike,
  paddingValue: ArrayLike,
  paddingConfig: readonly (readonly [low: Dim, high: Dim, interior: number])[],
): ArrayValue {
  const inputs: readonly Value[] = operands(operand, paddingValue);
  return fromValue(bindOne(padPrimitive, inputs, { padding_config: paddingConfig }));
}

/** An array broadcast to the shape of another. JAX's `lax.broadcast_like`. */
export function broadcastLike(arr: ArrayLike, likeArr: ArrayLike): ArrayValue {
  const value = toValue(arr);
  const shape = shapeOf(likeArr);
  const missing = shape.length - value.aval.shape.length;
  if (missing < 0)
    throw invalid(`cannot broadcast ${printShape(value.aval.shape)} to fewer dimensions`);
  const dimensions = value.aval.shape.map((_, axis) => axis + missing);
  return fromValue(o.broadcastInDim(value, shape, dimensions));
}

/** An array with ones in front of its sizes, up to a number of dimensions. JAX's `lax.broadcast_to_rank`. */
export function broadcastToRank(x: ArrayLike, rank: number): ArrayValue {
  const value = toValue(x);
  const missing = rank - value.aval.shape.length;
  if (missing <= 0) return fromValue(value);
  return broadcast(fromValue(value), new Array<number>(missing).fill(1));
}

/** A shape as an int32 array. JAX's `lax.shape_as_value`. */
export function shapeAsValue(sizes: Shape): ArrayValue {
  if (sizes.length === 0) return fromValue(o.full([0], 0, "int32"));
  const parts = sizes.map((size) => o.broadcastInDim(o.dimAsValue(size), [1], []));
  return fromValue(o.concatenate(parts, 0));
}

/** The array itself: tfjs has one device. JAX's `lax.with_sharding_constraint`. */
export function withShardingConstraint<const T>(x: T): T {
  return x;
}
