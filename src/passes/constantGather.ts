/**
 * Gathers from places that are known, or that repeat: slices, and smaller gathers that are spread
 * out afterwards. Part of the rows of `optimize`.
 */
import {
  addDims,
  boundsOf,
  dimEquals,
  shapeEquals,
  subDims,
  type Dim,
  type Shape,
} from "../ir/dims.js";
import { elementCount, toNumbers, type HostArray } from "../ir/hostArray.js";
import { isInteger } from "../ir/dtypes.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { GatherParams } from "../ir/params.js";
import { integerBounds } from "./bounds.js";
import { literalArray } from "./fold.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt } from "./simplify.js";
import { repeatedPart, spreadTo } from "./spread.js";

const gatherParams = (equation: Equation): GatherParams =>
  equation.params as unknown as GatherParams;

/** Axes of the result that come from the indices, in their order. */
const indexAxes = (rank: number, { dimension_numbers: numbers }: GatherParams): readonly number[] =>
  Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => !numbers.offset_dims.includes(axis),
  );

/** Indices that repeat along some of their dimensions need to be looked up once only. */
const repeatedIndices: Row = {
  name: "repeated-indices",
  primitives: ["gather"],
  rewrite: (o, equation, match) => {
    const [x, indices] = [inputAt(equation, 0), inputAt(equation, 1)];
    const params = gatherParams(equation);
    const numbers = params.dimension_numbers;
    const { shape } = indices.aval;
    const vectorAxis = shape.length - 1;
    const varying = varyingAxes(indices, match);
    if (varying === null) return null;
    const isKept = (axis: number): boolean =>
      axis === vectorAxis ||
      shape[axis] === 1 ||
      varying.includes(axis) ||
      numbers.start_indices_batching_dims.includes(axis);
    const kept = shape.flatMap((_, axis) => (isKept(axis) ? [axis] : []));
    if (kept.length === shape.length) return null;
    // A gather from no place at all has no first one to look up.
    if (shape.some((dim, axis) => !isKept(axis) && boundsOf(dim)[0] < 1)) return null;
    const out = equation.outputs[0]?.aval.shape ?? [];
    const axes = indexAxes(out.length, params);
    const dropped = axes.filter((_, index) => !kept.includes(index));
    const renumber = (axis: number): number => axis - dropped.filter((gone) => gone < axis).length;
    const first = firstAlong(o, indices, kept);
    const result = o.gather(x, first, {
      ...params,
      dimension_numbers: {
        ...numbers,
        offset_dims: numbers.offset_dims.map(renumber),
        start_indices_batching_dims: numbers.start_indices_batching_dims.map((axis) =>
          kept.indexOf(axis),
        ),
      },
    });
    const dims = out.flatMap((_, axis) => (dropped.includes(axis) ? [] : [axis]));
    const small = dims.map((axis) => out[axis] ?? 0);
    return [spreadTo(o, { source: result, dims }, out, small)];
  },
};

/** The axes along which indices may differ; null if they may differ along all. */
function varyingAxes(indices: Value, match: Match): readonly number[] | null {
  const made = match.made(indices, "broadcast_in_dim");
  const [source] = made?.inputs ?? [];
  if (made !== undefined && source !== undefined) {
    const dims = made.params.broadcast_dimensions as readonly number[];
    return dims.filter((_, axis) => source.aval.shape[axis] !== 1);
  }
  const array = match.constant(indices);
  return array === undefined ? null : (repeatedPart(array)?.dims ?? null);
}

/** The first of the elements along axes that are not kept. */
function firstAlong(o: Ops, x: Value, kept: readonly number[]): Value {
  const { shape } = x.aval;
  const limits = shape.map((dim, axis) => (kept.includes(axis) ? dim : 1));
  const cut = o.slice(
    x,
    shape.map(() => 0),
    limits,
  );
  return o.reshape(
    cut,
    kept.map((axis) => shape[axis] ?? 1),
  );
}

/** Along one axis of the operand: where to start, how many elements, how far apart. */
interface Range {
  readonly start: number;
  readonly count: Dim;
  readonly step: number;
  /** The dimension of the indices that moves along the axis; null if none does. */
  readonly index: number | null;
}

/** Known places that lie in equal steps along the axes of the operand are a slice. */
const knownPlaces: Row = {
  name: "known-places",
  primitives: ["gather"],
  rewrite: (o, equation, match) => {
    const [x, indices] = [inputAt(equation, 0), inputAt(equation, 1)];
    const params = gatherParams(equation);
    const out = equation.outputs[0]?.aval.shape ?? [];
    if (params.dimension_numbers.operand_batching_dims.length > 0) return null;
    if (out.some((dim) => boundsOf(dim)[0] < 1)) return null;
    const known = knownIndices(indices, match);
    const ranges = known === null ? null : placeRanges(x.aval.shape, known, params);
    return ranges === null ? null : cutOut(o, x, ranges, params, out);
  },
};

/** Indices above this many are not searched. */
const maxSearched = 65536;

function knownIndices(indices: Value, match: Match): HostArray | null {
  if (!isInteger(indices.aval.dtype)) return null;
  const array = match.constant(indices);
  if (array !== undefined) return elementCount(array.shape) > maxSearched ? null : array;
  const scalar = match.scalar(indices);
  const { shape, dtype } = indices.aval;
  if (typeof scalar !== "number" || !shape.every((dim) => dim === 1 || shape.length === 1)) {
    return null;
  }
  const [size = 1] = shape;
  if (typeof size !== "number") return null;
  const one = literalArray({
    kind: "literal",
    value: scalar,
    aval: { shape: [], dtype, weakType: false },
  });
  const bytes = new Uint8Array(one.bytes.length * size);
  for (let index = 0; index < size; index++) bytes.set(one.bytes, index * one.bytes.length);
  return { dtype, shape: shape.map((dim) => Number(dim)), bytes };
}

/** The range along each axis of the operand; null if the places are no such ranges. */
function placeRanges(
  operand: Shape,
  indices: HostArray,
  params: GatherParams,
): readonly Range[] | null {
  const { start_index_map: map } = params.dimension_numbers;
  const ranges: Range[] = operand.map((_, axis) => ({
    start: 0,
    count: params.slice_sizes[axis] ?? 0,
    step: 1,
    index: null,
  }));
  const values = toNumbers(indices);
  const taken = new Set<number>();
  for (const [component, axis] of map.entries()) {
    const window = params.slice_sizes[axis] ?? 0;
    const starts = componentStarts(values, component, map.length, params, [
      operand[axis] ?? 0,
      window,
    ]);
    const line = starts === null ? null : asLine(starts, indices.shape.slice(0, -1));
    if (line === null) return null;
    if (line.index === null) {
      ranges[axis] = { start: line.start, count: window, step: 1, index: null };
      continue;
    }
    const count = indices.shape[line.index] ?? 0;
    if (window !== 1 || line.step < 1 || taken.has(line.index)) return null;
    taken.add(line.index);
    ranges[axis] = { ...line, count };
  }
  const isPlaced = (index: number): boolean => indices.shape[index] === 1 || taken.has(index);
  const all = indices.shape.slice(0, -1).every((_, index) => isPlaced(index));
  return all ? ranges : null;
}

/** The starts along one axis as the gather uses them; null where they are filled or not known. */
function componentStarts(
  values: ArrayLike<number>,
  component: number,
  components: number,
  params: GatherParams,
  [size, window]: readonly [Dim, Dim],
): readonly number[] | null {
  if (dimEquals(size, window)) {
    if (params.mode === "fill") {
      for (let i = component; i < values.length; i += components) if (values[i] !== 0) return null;
    }
    return Array.from({ length: values.length / components }, () => 0);
  }
  const [least, most] = boundsOf(subDims(size, window));
  const starts: number[] = [];
  for (let i = component; i < values.length; i += components) {
    const value = values[i] ?? 0;
    const isInside = value >= 0 && value <= least;
    if (!isInside && (params.mode === "fill" || least !== most)) return null;
    starts.push(Math.min(Math.max(value, 0), least));
  }
  return starts;
}

/** Numbers over a shape that grow in equal steps along one dimension at most. */
function asLine(
  values: readonly number[],
  shape: readonly number[],
): { readonly start: number; readonly step: number; readonly index: number | null } | null {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const start = values[0] ?? 0;
  const steps = strides.map((stride, axis) =>
    (shape[axis] ?? 1) > 1 ? (values[stride] ?? 0) - start : 0,
  );
  const moving = steps.flatMap((step, axis) => (step === 0 ? [] : [axis]));
  const [index = null, ...others] = moving;
  if (others.length > 0) return null;
  const step = index === null ? 1 : (steps[index] ?? 1);
  const isLine = values.every((value, flat) => {
    if (index === null) return value === start;
    const place = Math.floor(flat / (strides[index] ?? 1)) % (shape[index] ?? 1);
    return value === start + place * step;
  });
  return isLine ? { start, step, index } : null;
}

/** Cuts the ranges out, and brings the axes into the order of the gather's result. */
function cutOut(
  o: Ops,
  x: Value,
  ranges: readonly Range[],
  params: GatherParams,
  out: Shape,
): readonly Value[] {
  const limits = ranges.map(({ start, count, step }, axis): Dim => {
    if (typeof count !== "number") return addDims(count, start);
    const size = x.aval.shape[axis];
    const limit = start + count * step;
    return typeof size === "number" ? Math.min(size, limit) : limit - step + 1;
  });
  const steps = ranges.map(({ step }) => step);
  const isDense = steps.every((step) => step === 1);
  const isWhole = ranges.every(({ start }) => start === 0) && shapeEquals(limits, x.aval.shape);
  const starts = ranges.map(({ start }) => start);
  const cut = isWhole && isDense ? x : o.slice(x, starts, limits, isDense ? null : steps);
  const { collapsed_slice_dims, offset_dims } = params.dimension_numbers;
  const fromIndices = indexAxes(out.length, params);
  const windows = ranges.flatMap((_, axis) => (collapsed_slice_dims.includes(axis) ? [] : [axis]));
  /** Where an axis of the operand goes; axes of size 1 without a place go last. */
  const place = (axis: number): number => {
    const index = ranges[axis]?.index ?? null;
    if (index !== null) return fromIndices[index] ?? 0;
    const window = windows.indexOf(axis);
    return window < 0 ? out.length : (offset_dims[window] ?? 0);
  };
  const order = ranges.map((_, axis) => axis).sort((a, b) => place(a) - place(b));
  const long = order.filter((axis) => cut.aval.shape[axis] !== 1);
  const inOrder = long.every((axis, index) => index === 0 || axis > (long[index - 1] ?? 0));
  const moved = inOrder ? cut : o.transpose(cut, order);
  return [shapeEquals(moved.aval.shape, out) ? moved : o.reshape(moved, out)];
}

/** Indices that surely lie in bounds need no fill value. */
const needlessFill: Row = {
  name: "needless-fill",
  primitives: ["gather"],
  rewrite: (o, equation, match) => {
    const [x, indices] = [inputAt(equation, 0), inputAt(equation, 1)];
    const params = gatherParams(equation);
    const bounds = params.mode === "fill" ? integerBounds(indices, match) : null;
    if (bounds === null || bounds[0] < 0) return null;
    const isInside = params.dimension_numbers.start_index_map.every((axis) => {
      const last = subDims(x.aval.shape[axis] ?? 0, params.slice_sizes[axis] ?? 0);
      return boundsOf(last)[0] >= bounds[1];
    });
    return isInside ? [o.gather(x, indices, { ...params, mode: "clip", fill_value: null })] : null;
  },
};

/**
 * A gather with limited indices under a choice of the fill value where they were out of bounds, as
 * exports write `mode="fill"`.
 */
const recoverFill: Row = {
  name: "recover-fill",
  primitives: ["select_n"],
  rewrite: (o, equation, match) => {
    const [which, outside, inside, ...others] = equation.inputs;
    if (which === undefined || outside === undefined || inside === undefined) return null;
    const made = match.made(inside, "gather");
    const fill = match.scalar(outside);
    if (made === undefined || others.length > 0) return null;
    if (typeof fill !== "number" && typeof fill !== "boolean") return null;
    const params = gatherParams(made);
    const [x, indices] = [inputAt(made, 0), inputAt(made, 1)];
    if (params.mode !== "clip") return null;
    const mask = maskOver(which, indexAxes(inside.aval.shape.length, params), match);
    if (mask === null || !checksBounds(mask, x, indices, params, match)) return null;
    return [o.gather(x, indices, { ...params, mode: "fill", fill_value: fill })];
  },
};

/** The mask over the indices that `which` spreads over the result. */
function maskOver(which: Value, axes: readonly number[], match: Match): Value | null {
  const spread = match.made(which, "broadcast_in_dim");
  if (spread === undefined) return axes.length === which.aval.shape.length ? which : null;
  const dims = spread.params.broadcast_dimensions as readonly number[];
  const isSame = dims.length === axes.length && dims.every((dim, index) => dim === axes[index]);
  const [source] = spread.inputs;
  const keeps = axes.every((axis, index) =>
    dimEquals(source?.aval.shape[index] ?? -1, which.aval.shape[axis] ?? 0),
  );
  return isSame && keeps && source !== undefined ? source : null;
}

/** Whether a mask is true exactly where all indices lie in bounds. */
function checksBounds(
  mask: Value,
  x: Value,
  indices: Value,
  params: GatherParams,
  match: Match,
): boolean {
  const all = match.made(mask, "reduce_and") ?? match.made(mask, "reshape");
  if (all === undefined) return false;
  const both = match.made(inputAt(all, 0), "and");
  if (both === undefined || !shapeEquals(inputAt(all, 0).aval.shape, indices.aval.shape)) {
    return false;
  }
  const { name } = all.primitive;
  const isOverVector =
    name === "reshape" ||
    shapeEquals(all.params.axes as readonly number[], [indices.aval.shape.length - 1]);
  const [first, second] = [inputAt(both, 0), inputAt(both, 1)];
  const low = match.made(first, "ge") ?? match.made(second, "ge");
  const high = match.made(first, "le") ?? match.made(second, "le");
  if (!isOverVector || low === undefined || high === undefined) return false;
  if (inputAt(low, 0) !== indices || inputAt(high, 0) !== indices) return false;
  const lasts = params.dimension_numbers.start_index_map.map((axis) =>
    subDims(x.aval.shape[axis] ?? 0, params.slice_sizes[axis] ?? 0),
  );
  const limit = inputAt(high, 1);
  const array = match.constant(limit);
  const numbers = array?.shape.length === 1 ? toNumbers(array) : null;
  const scalar = match.scalar(limit);
  const agrees = lasts.every((last, component) =>
    numbers === null ? scalar === last : numbers[component] === last,
  );
  return agrees && match.scalar(inputAt(low, 1)) === 0;
}

export const gatherRows: readonly Row[] = [repeatedIndices, knownPlaces, needlessFill, recoverFill];
