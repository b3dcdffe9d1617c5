/** Reading and changing parts of arrays: `x[1:3, i]` and `x.at[i].set(v)` of JAX. */
import {
  addDims,
  dimEquals,
  maxDim,
  minDim,
  mulDims,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import { isFloat, type DType } from "../ir/dtypes.js";
import type { GatherScatterMode } from "../ir/params.js";
import type { Value } from "../ir/ops.js";
import { at, canonicalAxis, choice, integerRange, invalid, optionsOf } from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { isTracing, o } from "../trace/trace.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "./convert.js";
import { scalarLike, selectValues, whereValues } from "./elementwise.js";
import { planIndex, type DimensionIndex, type Index, type IndexPlan } from "./indexPlan.js";
import { broadcastValue, toType } from "./promotion.js";

/** A size as a scalar of the type of positions. */
function sizeLike(position: Value, size: Dim): Value {
  return typeof size === "number"
    ? scalarLike(position, size)
    : toType(o.dimAsValue(size), position.aval.dtype);
}

/** A position that counts from the end where it is negative. */
function fromFront(position: Value, size: Dim): Value {
  const whole = sizeLike(position, size);
  const isNegative = o.lt(position, scalarLike(position, 0));
  return selectValues(isNegative, o.add(position, whole), position);
}

/** A known or symbolic position as an array. */
function positionValue(position: Dim): Value {
  return typeof position === "number" ? o.literal(position, "int32") : o.dimAsValue(position);
}

/** Adds dimensions of size 1 to a result. */
function addAxes(value: Value, newAxes: readonly number[]): Value {
  if (newAxes.length === 0) return value;
  const rank = value.aval.shape.length + newAxes.length;
  const kept = Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => !newAxes.includes(axis),
  );
  const shape: Dim[] = Array.from({ length: rank }, () => 1);
  kept.forEach((axis, index) => (shape[axis] = at(value.aval.shape, index)));
  return o.broadcastInDim(value, shape, kept);
}

/** The bounds of the slice that a range is, in ascending order. */
function sliceBounds({
  start,
  stop,
  count,
  step,
}: Extract<DimensionIndex, { kind: "range" }>): readonly [low: Dim, high: Dim] {
  if (count === 0) return [0, 0];
  const last = addDims(start, mulDims(subDims(count, 1), step));
  // A range of unknown length may be empty: its bounds must not cross.
  if (step < 0) return [minDim(last, addDims(start, 1)), addDims(start, 1)];
  return [start, typeof count === "number" ? addDims(last, 1) : maxDim(start, stop)];
}

/** Positions and ranges that are known: a slice. */
function sliceStatic(value: Value, dimensions: readonly DimensionIndex[]): Value {
  const { shape } = value.aval;
  const start: Dim[] = [];
  const limit: Dim[] = [];
  const strides: number[] = [];
  const reversed: number[] = [];
  const removed: number[] = [];
  dimensions.forEach((index, axis) => {
    if (index.kind === "position") {
      start.push(index.position);
      limit.push(addDims(index.position, 1));
      strides.push(1);
      removed.push(axis);
    } else if (index.kind === "range") {
      if (index.step < 0) reversed.push(axis);
      const [low, high] = sliceBounds(index);
      start.push(low);
      limit.push(high);
      strides.push(Math.abs(index.step));
    }
  });
  const isWhole = limit.every(
    (size, axis) => start[axis] === 0 && dimEquals(size, at(shape, axis)),
  );
  const isDense = strides.every((stride) => stride === 1);
  const part = isWhole && isDense ? value : o.slice(value, start, limit, isDense ? null : strides);
  const turned = reversed.length > 0 ? o.rev(part, reversed) : part;
  return removed.length > 0 ? o.squeeze(turned, removed) : turned;
}

const isScalarArray = (index: DimensionIndex): boolean =>
  index.kind === "array" && index.value.aval.shape.length === 0;

const isDenseRange = (index: DimensionIndex): boolean => index.kind === "range" && index.step === 1;

/** Positions that are single unknown numbers: a dynamic slice. */
function sliceDynamic(value: Value, dimensions: readonly DimensionIndex[]): Value {
  const { shape } = value.aval;
  const removed = dimensions.flatMap((index, axis) => (index.kind === "range" ? [] : [axis]));
  const starts = dimensions.map((index, axis) => {
    const position =
      index.kind === "array"
        ? toType(index.value, index.value.aval.dtype)
        : positionValue(index.kind === "range" ? index.start : index.position);
    // JAX writes this for known positions too; outside of traces it would only cost time.
    return index.kind === "array" || isTracing() ? fromFront(position, at(shape, axis)) : position;
  });
  const sizes = dimensions.map((index) => (index.kind === "range" ? index.count : 1));
  return o.squeeze(o.dynamicSlice(value, starts, sizes), removed);
}

/** Dimension numbers of the gather or scatter that an index is, with its start positions. */
interface GatherPlan {
  readonly starts: Value;
  readonly offsetDims: readonly number[];
  readonly collapsed: readonly number[];
  readonly startMap: readonly number[];
  readonly sliceSizes: readonly Dim[];
  readonly resultShape: Shape;
  /** No two positions are the same, and they ascend. */
  readonly isStatic: boolean;
}

interface Layout {
  /** Sizes of the result in order. */
  readonly sizes: Dim[];
  /** Where in the result the dimensions are that index arrays have. */
  readonly batchPlaces: number[];
  /** Where in the result the dimensions of the array are that are taken as ranges. */
  readonly windowPlaces: number[];
  /** Where the shared dimensions of the index arrays begin. */
  arrayPlace: number;
  /** The place of each range that is taken in steps, by dimension of the array. */
  readonly stepPlaces: Map<number, number>;
}

/** The order of the dimensions of the result, before new ones. */
function layOut({ dimensions, arrayShape, arraysFirst }: IndexPlan): Layout {
  const layout: Layout = {
    sizes: [],
    batchPlaces: [],
    windowPlaces: [],
    arrayPlace: -1,
    stepPlaces: new Map(),
  };
  const placeArrays = (): void => {
    layout.arrayPlace = layout.sizes.length;
    arrayShape.forEach((size) => {
      layout.batchPlaces.push(layout.sizes.length);
      layout.sizes.push(size);
    });
  };
  if (arraysFirst) placeArrays();
  dimensions.forEach((index, axis) => {
    if (index.kind === "range") {
      if (index.step === 1) layout.windowPlaces.push(layout.sizes.length);
      else {
        layout.stepPlaces.set(axis, layout.sizes.length);
        layout.batchPlaces.push(layout.sizes.length);
      }
      layout.sizes.push(index.count);
    } else if (layout.arrayPlace < 0) placeArrays();
  });
  return layout;
}

/** Turns an index into the parameters of a gather. */
function planGather(shape: Shape, plan: IndexPlan): GatherPlan {
  const layout = layOut(plan);
  const batchShape = layout.batchPlaces.map((place) => at(layout.sizes, place));
  const columnShape = [...batchShape, 1];
  const columns: Value[] = [];
  const startMap: number[] = [];
  const spread = (value: Value, place: number): Value => {
    const first = layout.batchPlaces.indexOf(place);
    const rank = value.aval.shape.length;
    return o.broadcastInDim(
      value,
      columnShape,
      Array.from({ length: rank }, (_, axis) => first + axis),
    );
  };
  plan.dimensions.forEach((index, axis) => {
    if (index.kind === "range" && index.step === 1) {
      if (index.start === 0 && dimEquals(index.count, at(shape, axis))) return;
      columns.push(spread(positionValue(index.start), 0));
    } else if (index.kind === "range") {
      const count = index.count;
      const steps = o.mul(o.literal(index.step, "int32"), o.iota("int32", [count], 0));
      const positions = o.add(positionValue(index.start), steps);
      columns.push(spread(positions, layout.stepPlaces.get(axis) ?? 0));
    } else if (index.kind === "position") {
      columns.push(spread(positionValue(index.position), 0));
    } else {
      const position = toType(fromFront(index.value, at(shape, axis)), index.value.aval.dtype);
      const typed = toType(position, "int32");
      const isScalar = typed.aval.shape.length === 0;
      const wide = isScalar ? typed : broadcastValue(typed, plan.arrayShape);
      columns.push(spread(wide, layout.arrayPlace));
    }
    startMap.push(axis);
  });
  const isTaken = (index: DimensionIndex): boolean => !isDenseRange(index);
  const [only, ...more] = columns;
  const empty = (): Value => o.full([...batchShape, 0], 0, "int32");
  const starts =
    only === undefined
      ? empty()
      : more.length === 0
        ? only
        : o.concatenate([only, ...more], batchShape.length);
  return {
    starts,
    offsetDims: layout.windowPlaces,
    collapsed: plan.dimensions.flatMap((index, axis) => (isTaken(index) ? [axis] : [])),
    startMap,
    sliceSizes: plan.dimensions.map((index) =>
      index.kind === "range" && index.step === 1 ? index.count : 1,
    ),
    resultShape: layout.sizes,
    isStatic: plan.dimensions.every((index) => index.kind !== "array" || isScalarArray(index)),
  };
}

function gatherIndex(value: Value, plan: IndexPlan): Value {
  const gather = planGather(value.aval.shape, plan);
  return o.gather(value, gather.starts, {
    dimension_numbers: {
      offset_dims: gather.offsetDims,
      collapsed_slice_dims: gather.collapsed,
      start_index_map: gather.startMap,
      operand_batching_dims: [],
      start_indices_batching_dims: [],
    },
    slice_sizes: gather.sliceSizes,
    indices_are_sorted: gather.isStatic,
    unique_indices: gather.isStatic,
    mode: "promise_in_bounds",
    fill_value: null,
  });
}

/**
 * A part of an array: `index(x, 1)` is JAX's `x[1]`, `index(x, "1:3", null, i)` is `x[1:3, None, i]`.
 * Positions of index arrays that are out of bounds are clamped, as in JAX.
 *
 * @param indices positions, ranges (`np.slice(1, 3)` or `"1:3"`), null, `"..."`, integer arrays
 * @throws Jax2TfjsError `invalid-index`
 */
export function index(x: NestedArray, ...indices: readonly Index[]): ArrayValue {
  const value = arrayValue(x);
  const plan = planIndex(value.aval.shape, indices);
  const { dimensions } = plan;
  const arrays = dimensions.filter(({ kind }) => kind === "array");
  if (arrays.length === 0) return out(addAxes(sliceStatic(value, dimensions), plan.newAxes));
  const isDynamic = dimensions.every(
    (item) => isDenseRange(item) || item.kind === "position" || isScalarArray(item),
  );
  const part = isDynamic ? sliceDynamic(value, dimensions) : gatherIndex(value, plan);
  return out(addAxes(part, plan.newAxes));
}

type ScatterKind = "replace" | "add" | "sub" | "mul" | "min" | "max";

function scatterIndex(
  kind: ScatterKind,
  x: NestedArray,
  indices: readonly Index[],
  updates: NestedArray,
): ArrayValue {
  const value = arrayValue(x);
  const { shape, dtype, weakType } = value.aval;
  const plan = planIndex(shape, indices);
  const gather = planGather(shape, plan);
  const given = toType(arrayValue(updates), dtype, weakType);
  const wanted = [...gather.resultShape];
  for (const axis of plan.newAxes) wanted.splice(axis, 0, 1);
  const wide = broadcastValue(given, wanted);
  const fitting = plan.newAxes.length > 0 ? o.squeeze(wide, plan.newAxes) : wide;
  return out(
    o.scatter(kind, value, gather.starts, fitting, {
      dimension_numbers: {
        update_window_dims: gather.offsetDims,
        inserted_window_dims: gather.collapsed,
        scatter_dims_to_operand_dims: gather.startMap,
        operand_batching_dims: [],
        scatter_indices_batching_dims: [],
      },
      indices_are_sorted: gather.isStatic,
      unique_indices: gather.isStatic,
      mode: "fill",
      update_jaxpr: null,
    }),
  );
}

/** The part of an array that an index names, to be changed: the array itself stays as it is. */
export interface IndexUpdate {
  /** The part: `x.at[i].get()`. */
  get(): ArrayValue;
  /** The array with the part replaced: `x.at[i].set(v)`. */
  set(values: NestedArray): ArrayValue;
  /** With values added; a position named twice gets both: `x.at[i].add(v)`. */
  add(values: NestedArray): ArrayValue;
  subtract(values: NestedArray): ArrayValue;
  multiply(values: NestedArray): ArrayValue;
  divide(values: NestedArray): ArrayValue;
  min(values: NestedArray): ArrayValue;
  max(values: NestedArray): ArrayValue;
  /** With a function applied to the part; each position may be named once. */
  apply(f: (part: ArrayValue) => NestedArray): ArrayValue;
}

/**
 * Changes parts of arrays functionally: `at(x, i).set(v)` is JAX's `x.at[i].set(v)`. Positions out
 * of bounds are left out. The entries of the index are those of `index`.
 */
export function atIndex(x: NestedArray, ...indices: readonly Index[]): IndexUpdate {
  const change =
    (kind: ScatterKind) =>
    (values: NestedArray): ArrayValue =>
      scatterIndex(kind, x, indices, values);
  return {
    get: () => index(x, ...indices),
    set: change("replace"),
    add: change("add"),
    subtract: change("sub"),
    multiply: change("mul"),
    divide: (values) => {
      const ones = o.full(arrayValue(x).aval.shape, 1, arrayValue(x).aval.dtype);
      const divisors = scatterIndex("mul", out(ones), indices, values);
      return out(o.div(arrayValue(x), arrayValue(divisors)));
    },
    min: change("min"),
    max: change("max"),
    apply: (f) => change("replace")(f(index(x, ...indices))),
  };
}

/** How positions out of bounds are treated. */
export type TakeMode = "fill" | "clip" | "wrap";
const takeModes = ["fill", "clip", "wrap"] as const;

export interface TakeOptions {
  /** Default: null, the flat array. */
  readonly axis?: number | null | undefined;
  /** `fill` gives NaN (the smallest integer) out of bounds. Default: fill. */
  readonly mode?: TakeMode;
}

/** What JAX fills in for positions out of bounds. */
function fillValue(dtype: DType): number | boolean {
  if (isFloat(dtype) || dtype.startsWith("complex")) return NaN;
  if (dtype === "bool") return true;
  return dtype.startsWith("u") ? integerRange(dtype)[1] : integerRange(dtype)[0];
}

function wrapped(mode: TakeMode, position: Value, size: Dim): Value {
  if (mode === "clip") return position;
  const whole = sizeLike(position, size);
  if (mode === "fill") {
    const isNegative = o.lt(position, scalarLike(position, 0));
    return whereValues(isNegative, o.add(position, whole), position);
  }
  const divisor =
    whole.aval.shape.length === position.aval.shape.length
      ? whole
      : o.broadcastInDim(whole, position.aval.shape, []);
  return o.rem(o.add(o.rem(position, divisor), divisor), divisor);
}

const gatherMode = (mode: TakeMode): GatherScatterMode => (mode === "fill" ? "fill" : "clip");

/** Rows (or other parts along a dimension) at positions. JAX's `jnp.take`. */
export function take(
  x: NestedArray,
  positions: NestedArray,
  options: TakeOptions = {},
): ArrayValue {
  const { axis = null, mode = "fill" } = optionsOf("take", options, ["axis", "mode"]);
  choice(mode, takeModes, () => `Invalid mode '${mode}' for np.take`);
  const body = (given: Value, index: Value): Value => {
    const value = axis === null ? flatten(given) : given;
    const { shape, dtype } = value.aval;
    const place = canonicalAxis(axis ?? 0, shape.length);
    const rank = index.aval.shape.length;
    const position = wrapped(mode, index, at(shape, place));
    const starts = o.broadcastInDim(
      position,
      [...index.aval.shape, 1],
      index.aval.shape.map((_, i) => i),
    );
    const offsets = shape.flatMap((_, i) => (i < place ? [i] : i > place ? [i + rank - 1] : []));
    return o.gather(value, starts, {
      dimension_numbers: {
        offset_dims: offsets,
        collapsed_slice_dims: [place],
        start_index_map: [place],
        operand_batching_dims: [],
        start_indices_batching_dims: [],
      },
      slice_sizes: shape.with(place, 1),
      indices_are_sorted: false,
      unique_indices: false,
      mode: gatherMode(mode),
      fill_value: mode === "fill" ? fillValue(dtype) : null,
    });
  };
  const values = [arrayValue(x), positionsValue(positions)];
  return out(callNamedOne("_take", `${String(axis)} ${mode}`, body, values));
}

function flatten(value: Value): Value {
  if (value.aval.shape.length === 1) return value;
  return o.reshape(value, [shapeSize(value.aval.shape)]);
}

/** Positions: JavaScript's numbers are integers here. */
function positionsValue(positions: NestedArray): Value {
  const value = arrayValue(positions);
  if (
    value.aval.dtype === "float32" &&
    (typeof positions === "number" || Array.isArray(positions))
  ) {
    return toType(value, "int32");
  }
  if (/^u?int/.test(value.aval.dtype)) return value;
  throw invalid(`positions must be integers, got ${value.aval.dtype}`);
}

/** One element per position along a dimension, row by row. JAX's `jnp.take_along_axis`. */
export function takeAlongAxis(x: NestedArray, positions: NestedArray, axis = -1): ArrayValue {
  const body = (value: Value, index: Value): Value => {
    const { shape, dtype } = value.aval;
    const place = canonicalAxis(axis, shape.length);
    const batch = shape.map((_, i) => i).filter((i) => i !== place);
    const common = index.aval.shape;
    if (common.length !== shape.length) throw invalid("take_along_axis needs equal ranks");
    batch.forEach((i) => {
      if (!dimEquals(at(common, i), at(shape, i))) {
        throw invalid("take_along_axis needs equal sizes except along the axis");
      }
    });
    const starts = o.reshape(fromFront(index, at(shape, place)), [...common, 1]);
    return o.gather(value, starts, {
      dimension_numbers: {
        offset_dims: [],
        collapsed_slice_dims: [place],
        start_index_map: [place],
        operand_batching_dims: batch,
        start_indices_batching_dims: batch,
      },
      slice_sizes: shape.map(() => 1),
      indices_are_sorted: false,
      unique_indices: false,
      mode: "fill",
      fill_value: fillValue(dtype),
    });
  };
  const values = [arrayValue(x), positionsValue(positions)];
  return out(callNamedOne("take_along_axis", String(axis), body, values));
}
