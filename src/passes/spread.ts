/**
 * Computes on small arrays what is then spread over a larger shape: operations on broadcast values
 * move in front of the broadcast, where constants meet and fold. Part of the rows of `optimize`.
 */
import { boundsOf, dimEquals, shapeEquals, type Dim, type Shape } from "../ir/dims.js";
import { isFloat } from "../ir/dtypes.js";
import { elementCount, hostArray, type HostArray } from "../ir/hostArray.js";
import { newVar, type Atom, type Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { DotGeneralParams } from "../ir/params.js";
import { scalarOf } from "./fold.js";
import { foldKnown } from "./foldFunctions.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt, numbersParam } from "./simplify.js";

/** A value that repeats a smaller one: `source`, without sizes of 1, lies along `dims` of it. */
export interface Spread {
  readonly source: Value;
  readonly dims: readonly number[];
}

/** Constants above this many elements are not searched for repetition. */
const maxSearched = 65536;

const isLong = (dim: Dim | undefined): boolean => dim !== 1;

/** The axes whose sizes are not 1. */
const longAxes = (shape: Shape): readonly number[] =>
  shape.flatMap((dim, axis) => (isLong(dim) ? [axis] : []));

/** How a value repeats a smaller one; null where it may not repeat anything. */
export function spreadOf(o: Ops, value: Value, match: Match): Spread | null {
  if (value.aval.shape.length === 0) return { source: value, dims: [] };
  const made = match.made(value, "broadcast_in_dim");
  if (made === undefined) return spreadConstant(o, value, match);
  const source = inputAt(made, 0);
  const axes = longAxes(source.aval.shape);
  const dims = numbersParam(made, "broadcast_dimensions");
  const kept = axes.map((axis) => dims[axis] ?? 0);
  return { source: withoutUnits(o, source), dims: kept };
}

function withoutUnits(o: Ops, source: Value): Value {
  const { shape } = source.aval;
  return shape.includes(1) ? o.reshape(source, shape.filter(isLong)) : source;
}

/** A constant whose rows, say, are all equal. */
function spreadConstant(o: Ops, value: Value, match: Match): Spread | null {
  const array = match.constant(value);
  if (array === undefined) return null;
  const repeated = repeatedPart(array);
  if (repeated === null) return null;
  const { part, dims } = repeated;
  const scalar = dims.length === 0 ? scalarOf(part) : undefined;
  return { source: scalar === undefined ? o.constant(part) : o.literal(scalar, part.dtype), dims };
}

/** The part of an array that it repeats along its other axes, and the axes of the part. */
export function repeatedPart(
  array: HostArray,
): { readonly part: HostArray; readonly dims: readonly number[] } | null {
  const { shape, bytes, dtype } = array;
  const count = elementCount(shape);
  if (count < 2 || count > maxSearched) return null;
  const width = bytes.length / count;
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const isRepeated = (axis: number): boolean => {
    const [size, stride] = [shape[axis] ?? 1, strides[axis] ?? 1];
    for (let index = 0; index < count; index++) {
      const first = index - (Math.floor(index / stride) % size) * stride;
      for (let byte = 0; byte < width; byte++) {
        if (bytes[index * width + byte] !== bytes[first * width + byte]) return false;
      }
    }
    return true;
  };
  const axes = longAxes(shape);
  const dims = axes.filter((axis) => !isRepeated(axis));
  if (dims.length === axes.length) return null;
  const sizes = dims.map((axis) => shape[axis] ?? 1);
  const picked = new Uint8Array(elementCount(sizes) * width);
  for (let flat = 0; flat < elementCount(sizes); flat++) {
    let [rest, index] = [flat, 0];
    for (const axis of [...dims].reverse()) {
      const size = shape[axis] ?? 1;
      index += (rest % size) * (strides[axis] ?? 1);
      rest = Math.floor(rest / size);
    }
    picked.set(bytes.subarray(index * width, (index + 1) * width), flat * width);
  }
  return { part: hostArray(dtype, sizes, picked), dims };
}

/** `source` along `dims` of `shape`, unless it has that shape already. */
export function spreadTo(
  o: Ops,
  { source, dims }: Spread,
  shape: Shape,
  known: readonly Dim[] = source.aval.shape,
): Value {
  return shapeEquals(known, shape) ? source : o.broadcastInDim(source, shape, dims);
}

/** `iota` of several dimensions is one of one dimension, spread. */
const flatIota: Row = {
  name: "flat-iota",
  primitives: ["iota"],
  rewrite: (o, equation, match) => {
    const shape = equation.outputs[0]?.aval.shape ?? [];
    const dimension = Number(equation.params.dimension);
    const size = shape[dimension];
    const dtype = equation.outputs[0]?.aval.dtype;
    if (shape.length < 2 || size === undefined || dtype === undefined) return null;
    const line: Equation = {
      ...equation,
      params: { ...equation.params, shape: [size], dimension: 0 },
      outputs: [newVar({ shape: [size], dtype, weakType: false })],
    };
    const [made] = foldKnown(o, line, match) ?? o.bind(line.primitive, [], line.params);
    return made === undefined ? null : [o.broadcastInDim(made, shape, [dimension])];
  },
};

/** Elementwise operations on values that all repeat along some dimension. */
const beforeSpread: Row = {
  name: "before-spread",
  primitives: null,
  rewrite: (o, equation, match) => {
    const [output, ...others] = equation.outputs;
    if (equation.primitive.traits?.elementwise !== true || others.length > 0) return null;
    const shape = output?.aval.shape ?? [];
    if (output === undefined || shape.length === 0 || equation.inputs.length === 0) return null;
    if (!equation.inputs.every((input) => mayBeSpread(input, match))) return null;
    const spreads = equation.inputs.map((input) => spreadOf(o, input, match));
    if (!spreads.every((spread) => spread !== null)) return null;
    const used = new Set(spreads.flatMap(({ dims }) => dims));
    const dims = [...used].sort((a, b) => a - b);
    if (longAxes(shape).every((axis) => used.has(axis))) return null;
    const small = dims.map((axis) => shape[axis] ?? 1);
    const inputs = spreads.map((spread) =>
      spreadTo(o, { ...spread, dims: spread.dims.map((dim) => dims.indexOf(dim)) }, small),
    );
    const inner: Equation = {
      ...equation,
      inputs: inputs as unknown as readonly Atom[],
      outputs: [newVar({ ...output.aval, shape: small })],
    };
    const [made] =
      foldKnown(o, inner, match) ?? o.bind(equation.primitive, inputs, equation.params);
    return made === undefined ? null : [o.broadcastInDim(made, shape, dims)];
  },
};

/** A quick look, before anything is made. */
const mayBeSpread = (value: Value, match: Match): boolean =>
  value.aval.shape.length === 0 ||
  match.constant(value) !== undefined ||
  match.made(value, "broadcast_in_dim") !== undefined;

/** A view of a repeated value is a view of what is repeated. */
const viewOfSpread: Row = {
  name: "view-of-spread",
  primitives: ["reshape", "squeeze", "transpose", "slice"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    if (match.made(x, "broadcast_in_dim") === undefined) return null;
    const spread = spreadOf(o, x, match);
    const shape = equation.outputs[0]?.aval.shape ?? [];
    const viewed = spread === null ? null : viewedSpread(o, equation, spread, x.aval.shape, shape);
    return viewed === null ? null : [o.broadcastInDim(viewed.source, shape, viewed.dims)];
  },
};

function viewedSpread(
  o: Ops,
  equation: Equation,
  { source, dims }: Spread,
  from: Shape,
  to: Shape,
): Spread | null {
  switch (equation.primitive.name) {
    case "transpose": {
      const permutation = numbersParam(equation, "permutation");
      const moved = dims.map((dim) => permutation.indexOf(dim));
      const sorted = [...moved].sort((a, b) => a - b);
      const isSame = sorted.every((dim, index) => dim === moved[index]);
      const order = sorted.map((dim) => moved.indexOf(dim));
      return { source: isSame ? source : o.transpose(source, order), dims: sorted };
    }
    case "slice":
      return sliced(o, equation, { source, dims }, from);
    default: {
      if (dims.length === 0) return { source, dims };
      const [old, now] = [longAxes(from), longAxes(to)];
      const isSame =
        old.length === now.length &&
        old.every((axis, index) => dimEquals(from[axis] ?? 0, to[now[index] ?? 0] ?? -1));
      return isSame ? { source, dims: dims.map((dim) => now[old.indexOf(dim)] ?? 0) } : null;
    }
  }
}

function sliced(o: Ops, equation: Equation, spread: Spread, from: Shape): Spread | null {
  const { source, dims } = spread;
  const starts = equation.params.start_indices as readonly Dim[];
  const limits = equation.params.limit_indices as readonly Dim[];
  const strides = equation.params.strides as readonly number[] | null;
  const isWhole = dims.every(
    (dim) => dimEquals(starts[dim] ?? 0, 0) && dimEquals(limits[dim] ?? 0, from[dim] ?? -1),
  );
  const isDense = dims.every((dim) => (strides?.[dim] ?? 1) === 1);
  if (isWhole && isDense) return spread;
  const begin = dims.map((dim) => starts[dim] ?? 0);
  const end = dims.map((dim) => limits[dim] ?? 0);
  const cut = o.slice(source, begin, end, isDense ? null : dims.map((dim) => strides?.[dim] ?? 1));
  const kept = longAxes(cut.aval.shape);
  return { source: withoutUnits(o, cut), dims: kept.map((axis) => dims[axis] ?? 0) };
}

const idempotent = ["reduce_max", "reduce_min", "reduce_and", "reduce_or"];

/** Reductions over sizes of 1, and those over repetitions that repetition does not change. */
const reductionOfSpread: Row = {
  name: "reduction-of-spread",
  primitives: [...idempotent, "reduce_sum", "reduce_prod"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    const { shape } = x.aval;
    const axes = numbersParam(equation, "axes");
    const output = equation.outputs[0];
    if (output === undefined || axes.length === 0 || output.aval.dtype !== x.aval.dtype)
      return null;
    // Reductions of floats are parts of patterns (softmax) that are recovered later.
    const isUnit = !isFloat(x.aval.dtype) && axes.every((axis) => shape[axis] === 1);
    if (isUnit) return [o.reshape(x, output.aval.shape)];
    if (!idempotent.includes(equation.primitive.name) || !mayBeSpread(x, match)) return null;
    const spread = spreadOf(o, x, match);
    if (spread === null || axes.some((axis) => spread.dims.includes(axis))) return null;
    if (axes.some((axis) => boundsOf(shape[axis] ?? 0)[0] < 1)) return null;
    const dims = spread.dims.map((dim) => dim - axes.filter((axis) => axis < dim).length);
    return [spreadTo(o, { ...spread, dims }, output.aval.shape)];
  },
};

/** A product with the same number everywhere that sums nothing up multiplies by that number. */
const productWithUniform: Row = {
  name: "product-with-uniform",
  primitives: ["dot_general"],
  rewrite: (o, equation, match) => {
    const output = equation.outputs[0];
    const params = equation.params as unknown as DotGeneralParams;
    const [[left, right], batch] = params.dimension_numbers;
    if (output === undefined || left.length > 0 || right.length > 0) return null;
    for (const side of [0, 1] as const) {
      const [x, uniform] = [inputAt(equation, side), inputAt(equation, 1 - side)];
      const factor = match.scalar(uniform);
      if (typeof factor !== "number" || x.aval.dtype !== output.aval.dtype) continue;
      if (uniform.aval.dtype !== output.aval.dtype) continue;
      const paired = batch[side];
      const free = x.aval.shape.flatMap((_, axis) => (paired.includes(axis) ? [] : [axis]));
      const others = uniform.aval.shape.length - paired.length;
      const moved = o.transpose(x, [...paired, ...free]);
      const offset = side === 0 ? paired.length : paired.length + others;
      const dims = [...paired.map((_, index) => index), ...free.map((_, index) => offset + index)];
      const spread = spreadTo(o, { source: moved, dims }, output.aval.shape);
      return [factor === 1 ? spread : o.mul(spread, o.literal(factor, output.aval.dtype))];
    }
    return null;
  },
};

/** Equal numbers put side by side are that number, spread. */
const uniformPieces: Row = {
  name: "uniform-pieces",
  primitives: ["concatenate", "stack"],
  rewrite: (o, equation, match) => {
    const output = equation.outputs[0];
    const [first, ...others] = equation.inputs;
    const value = first === undefined ? undefined : match.scalar(first);
    if (output === undefined || value === undefined || typeof value === "object") return null;
    const isSame = others.every((other) => Object.is(match.scalar(other), value));
    return isSame ? [o.full(output.aval.shape, value, output.aval.dtype)] : null;
  },
};

export const spreadRows: readonly Row[] = [
  uniformPieces,
  flatIota,
  viewOfSpread,
  reductionOfSpread,
  productWithUniform,
  beforeSpread,
];
