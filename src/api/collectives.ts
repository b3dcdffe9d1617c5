/** Functions of all rows of a batch: `psum` and its like, in functions mapped with an `axisName`. */
import * as primitives from "../../primitives/collectives.js";
import { mulDims, printShape, type Dim } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import type { Primitive } from "../ir/primitive.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import { flatten, unflatten } from "../tree/pytree.js";
import { sizeOfAxis } from "./axes.js";
import { callError } from "./calls.js";
import type { Arrays } from "./types.js";

/** The name of a batch dimension, or several. */
export type AxisName = string | readonly string[];

const namesOf = (axisName: AxisName): readonly string[] =>
  typeof axisName === "string" ? [axisName] : axisName;

/** The number of rows of all named axes. */
function totalSize(axisName: AxisName): Dim {
  return namesOf(axisName).reduce((size: Dim, name) => mulDims(size, sizeOfAxis(name)), 1);
}

/** Applies a function of values to the arrays of a pytree. */
function mapArrays<T>(tree: T, f: (value: Value) => Value): Arrays<T> {
  const [leaves, structure] = flatten(tree);
  const results = leaves.map((leaf) => fromValue(f(toValue(leaf as ArrayLike))));
  return unflatten(structure, results) as Arrays<T>;
}

function only(values: readonly Value[]): Value {
  const [value] = values;
  if (value === undefined) throw new Error("internal error: a collective without result");
  return value;
}

const reductionBy =
  (primitive: Primitive<primitives.ReductionParams>) =>
  <const T>(x: T, axisName: AxisName): Arrays<T> => {
    totalSize(axisName);
    const params = { axes: namesOf(axisName), axis_index_groups: null };
    return mapArrays(x, (value) => only(o.bind(primitive, [value], params)));
  };

const sum = reductionBy(primitives.psum);

/**
 * The sum over the rows; of a number, the number of rows times it.
 *
 * @throws Jax2TfjsError `unbound-axis`
 *
 * JAX's counterpart is `lax.psum`.
 */
export function psum<const T>(x: T, axisName: AxisName): Arrays<T> {
  const size = totalSize(axisName);
  if (typeof x !== "number" || typeof size !== "number") return sum(x, axisName);
  return fromValue(o.literal(x * size, "float32")) as Arrays<T>;
}

/** The largest over the rows. JAX's counterpart is `lax.pmax`. */
export const pmax = reductionBy(primitives.pmax);
/** The smallest over the rows. JAX's counterpart is `lax.pmin`. */
export const pmin = reductionBy(primitives.pmin);

/** The mean over the rows. JAX's counterpart is `lax.pmean`. */
export function pmean<const T>(x: T, axisName: AxisName): Arrays<T> {
  const size = totalSize(axisName);
  const sums = sum(x, axisName);
  return mapArrays(sums, (value) => {
    const { dtype } = value.aval;
    const count =
      typeof size === "number" && dtype.startsWith("float")
        ? o.literal(size, dtype)
        : o.convertElementType(o.dimAsValue(size), dtype);
    return o.div(value, count);
  }) as unknown as Arrays<T>;
}

/** The number of rows as an int32 scalar. JAX's counterpart is `lax.axis_size`. */
export function axisSize(axisName: AxisName): ArrayValue {
  return fromValue(o.dimAsValue(totalSize(axisName)));
}

/** The number of the row, from 0. JAX's counterpart is `lax.axis_index`. */
export function axisIndex(axisName: string): ArrayValue {
  sizeOfAxis(axisName);
  return fromValue(only(o.bind(primitives.axisIndex, [], { axis_name: axisName })));
}

function oneAxis(axisName: AxisName): { readonly name: string; readonly size: Dim } {
  const [name, ...others] = namesOf(axisName);
  if (name !== undefined && others.length === 0) return { name, size: sizeOfAxis(name) };
  throw callError("invalid-parameter", "this collective takes one axis name");
}

function place(axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw callError(
    "invalid-parameter",
    `axis ${axis} is out of bounds for array of dimension ${rank}`,
  );
}

export interface AllGatherOptions {
  /** Where the rows are put. Default: 0. */
  readonly axis?: number;
  /** Join them along `axis` instead of stacking. Default: false. */
  readonly tiled?: boolean;
}

/** All rows, in every row. JAX's counterpart is `lax.all_gather`. */
export function allGather<const T>(
  x: T,
  axisName: AxisName,
  { axis = 0, tiled = false }: AllGatherOptions = {},
): Arrays<T> {
  const { name, size } = oneAxis(axisName);
  return mapArrays(x, (value) => {
    const rank = value.aval.shape.length + (tiled ? 0 : 1);
    return only(
      o.bind(primitives.allGather, [value], {
        all_gather_dimension: place(axis, rank),
        axis_index_groups: null,
        axis_name: [name],
        axis_size: size,
        tiled,
      }),
    );
  });
}

export interface PsumScatterOptions {
  /** The dimension of which each row gets its part. Default: 0. */
  readonly scatterDimension?: number;
  readonly tiled?: boolean;
}

/** The sum over the rows, of which each row gets its part. JAX's counterpart is `lax.psum_scatter`. */
export function psumScatter<const T>(
  x: T,
  axisName: AxisName,
  { scatterDimension = 0, tiled = false }: PsumScatterOptions = {},
): Arrays<T> {
  const { name, size } = oneAxis(axisName);
  return mapArrays(x, (value) => {
    const dimension = place(scatterDimension, value.aval.shape.length);
    checkSplit("reduce_scatter", value, dimension, size, tiled);
    return only(
      o.bind(primitives.reduceScatter, [value], {
        axis_index_groups: null,
        axis_name: [name],
        axis_size: size,
        scatter_dimension: dimension,
        tiled,
      }),
    );
  });
}

function checkSplit(name: string, value: Value, axis: number, size: Dim, tiled: boolean): void {
  const own = value.aval.shape[axis];
  if (typeof own !== "number" || typeof size !== "number") return;
  if (tiled ? own % size === 0 : own === size) return;
  throw callError(
    "shape-mismatch",
    `${name} over an axis of size ${size} needs ${tiled ? "a multiple of it" : "that size"} at ` +
      `dimension ${axis}, got shape ${printShape(value.aval.shape)}`,
  );
}

/**
 * Sends rows to other rows.
 *
 * @param perm pairs [source, destination], one for each row
 *
 * JAX's counterpart is `lax.ppermute`.
 */
export function ppermute<const T>(
  x: T,
  axisName: AxisName,
  perm: readonly (readonly [source: number, destination: number])[],
): Arrays<T> {
  const { name } = oneAxis(axisName);
  const params = { axis_name: [name], perm };
  return mapArrays(x, (value) => only(o.bind(primitives.ppermute, [value], params)));
}

/**
 * Splits each row along `splitAxis`, sends part i to row i, and stacks what arrives along
 * `concatAxis`.
 *
 * JAX's counterpart is `lax.all_to_all`.
 */
export function allToAll<const T>(
  x: T,
  axisName: AxisName,
  splitAxis: number,
  concatAxis: number,
  { tiled = false }: { readonly tiled?: boolean } = {},
): Arrays<T> {
  const { name, size } = oneAxis(axisName);
  return mapArrays(x, (value) => {
    const rank = value.aval.shape.length;
    const split = place(splitAxis, rank);
    checkSplit("all_to_all", value, split, size, tiled);
    return only(
      o.bind(primitives.allToAll, [value], {
        axis_index_groups: null,
        axis_name: name,
        concat_axis: place(concatAxis, rank),
        split_axis: split,
        tiled,
        axis_size: size,
      }),
    );
  });
}

/** Row i gets what row `perm[i]` has. JAX's counterpart is `lax.pshuffle`. */
export function pshuffle<const T>(x: T, axisName: AxisName, perm: readonly number[]): Arrays<T> {
  const isComplete = perm.every((_, index) => perm.includes(index));
  if (!isComplete) {
    throw callError(
      "invalid-parameter",
      `\`perm\` does not represent a permutation: [${perm.join(", ")}]`,
    );
  }
  return ppermute(
    x,
    axisName,
    perm.map((source, target) => [source, target] as const),
  );
}

/** Swaps the mapped dimension with another one. JAX's counterpart is `lax.pswapaxes`. */
export function pswapaxes<const T>(x: T, axisName: AxisName, axis: number): Arrays<T> {
  return allToAll(x, axisName, axis, axis);
}

/** All rows get what one row has. JAX's counterpart is `lax.pbroadcast`. */
export function pbroadcast<const T>(x: T, axisName: string, source: number): Arrays<T> {
  const isSource = o.eq(toValue(axisIndex(axisName)), o.literal(source, "int32"));
  const own = mapArrays(x, (value) => {
    const { shape, dtype } = value.aval;
    const which = shape.length === 0 ? isSource : o.broadcastInDim(isSource, shape, []);
    return o.selectN(which, o.full(shape, 0, dtype), value);
  });
  return psum(own, axisName) as Arrays<T>;
}
