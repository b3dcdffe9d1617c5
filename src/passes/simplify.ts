/**
 * Rewrites that are exact for every input: identities, known predicates and indices, views of
 * views. Each row is independent of the others' order.
 */
import { stack } from "../../primitives/slice.js";
import { dimEquals, isStaticShape, shapeEquals, type Dim, type Shape } from "../ir/dims.js";
import { isFloat } from "../ir/dtypes.js";
import { isClosedJaxpr, type Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";

/** The n-th input; rows only run on equations that have it. */
export function inputAt(equation: Equation, index: number): Value {
  const input = equation.inputs[index];
  if (input === undefined)
    throw new Error(`internal error: ${equation.primitive.name} lacks input`);
  return input;
}

/** A parameter that is a list of numbers. */
export function numbersParam(equation: Equation, name: string): readonly number[] {
  const value = equation.params[name];
  return Array.isArray(value) ? (value as readonly number[]) : [];
}

function sameType(equation: Equation, value: Value): boolean {
  const out = equation.outputs[0]?.aval;
  return out?.dtype === value.aval.dtype && shapeEquals(out.shape, value.aval.shape);
}

/** Equations that give back their input. */
const identities: Row = {
  name: "identity",
  primitives: [
    "convert_element_type",
    "reshape",
    "broadcast_in_dim",
    "transpose",
    "copy",
    "copy_p",
  ],
  rewrite: (_, equation) => {
    const x = inputAt(equation, 0);
    if (!sameType(equation, x)) return null;
    if (equation.primitive.name === "transpose") {
      const moved = numbersParam(equation, "permutation").some((axis, index) => axis !== index);
      if (moved) return null;
    }
    return [x];
  },
};

/** `x * 1`, `x / 1`, `x - 0`, and `max(x, -inf)`, which are exact for every x. */
const neutralOperands: Row = {
  name: "neutral-operand",
  primitives: ["mul", "div", "sub", "max", "min"],
  rewrite: (_, equation, match) => {
    const [x, y] = [inputAt(equation, 0), inputAt(equation, 1)];
    const [left, right] = [match.scalar(x), match.scalar(y)];
    const { name } = equation.primitive;
    const keep = (value: Value): readonly Value[] | null =>
      sameType(equation, value) ? [value] : null;
    switch (name) {
      case "mul":
        return right === 1 ? keep(x) : left === 1 ? keep(y) : null;
      case "div":
        return right === 1 ? keep(x) : null;
      case "sub":
        return right === 0 && !Object.is(right, -0) ? keep(x) : null;
      default: {
        const neutral = name === "max" ? -Infinity : Infinity;
        if (!isFloat(x.aval.dtype)) return null;
        return right === neutral ? keep(x) : left === neutral ? keep(y) : null;
      }
    }
  },
};

/** A `select_n` or `cond` whose predicate is known. */
const knownPredicate: Row = {
  name: "known-predicate",
  primitives: ["select_n", "cond"],
  rewrite: (o, equation, match) => {
    const [which, ...rest] = equation.inputs;
    const value = which === undefined ? undefined : match.scalar(which);
    if (value === undefined || typeof value === "object") return null;
    if (equation.primitive.name === "select_n") {
      const chosen = rest[Number(value)];
      return chosen !== undefined && sameType(equation, chosen) ? [chosen] : null;
    }
    const branches = equation.params.branches;
    if (!Array.isArray(branches)) return null;
    const index = Math.min(Math.max(Number(value), 0), branches.length - 1);
    const branch: unknown = branches[index];
    return isClosedJaxpr(branch) ? o.call("branch", branch, rest) : null;
  },
};

/** For a reshape that only adds or drops dimensions of size 1: where each kept one came from. */
function unitReshape(from: Shape, to: Shape): readonly number[] | null {
  const sources = from.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const targets = to.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const same =
    sources.length === targets.length &&
    sources.every((axis, i) => dimEquals(from[axis] ?? 0, to[targets[i] ?? 0] ?? -1));
  if (!same) return null;
  return targets.map((axis) => axis);
}

/** A broadcast of a broadcast, or of a reshape that only adds dimensions of size 1, is one. */
const broadcastOfView: Row = {
  name: "broadcast-of-view",
  primitives: ["broadcast_in_dim"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    const shape = equation.outputs[0]?.aval.shape ?? [];
    const outer = numbersParam(equation, "broadcast_dimensions");
    const inner = match.made(x, "broadcast_in_dim");
    if (inner !== undefined) {
      const dims = numbersParam(inner, "broadcast_dimensions");
      const source = inputAt(inner, 0);
      return [
        o.broadcastInDim(
          source,
          shape,
          dims.map((dim) => outer[dim] ?? 0),
        ),
      ];
    }
    const view = match.made(x, "reshape");
    if (view === undefined) return null;
    const source = inputAt(view, 0);
    if (source.aval.shape.includes(1)) return null;
    const positions = unitReshape(source.aval.shape, x.aval.shape);
    if (positions === null) return null;
    return [
      o.broadcastInDim(
        source,
        shape,
        positions.map((axis) => outer[axis] ?? 0),
      ),
    ];
  },
};

/** Two transpositions are one; pieces stacked and moved are stacked where they belong. */
const transposeOfMoved: Row = {
  name: "transpose-of-moved",
  primitives: ["transpose"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    const outer = numbersParam(equation, "permutation");
    const inner = match.made(x, "transpose");
    if (inner !== undefined) {
      const first = numbersParam(inner, "permutation");
      return [
        o.transpose(
          inputAt(inner, 0),
          outer.map((axis) => first[axis] ?? 0),
        ),
      ];
    }
    const stacked = match.made(x, "stack");
    const axis = Number(stacked?.params.axis);
    const others = outer.filter((dimension) => dimension !== axis);
    const inOrder = others.every(
      (dimension, index) => index === 0 || dimension > (others[index - 1] ?? 0),
    );
    if (stacked === undefined || !inOrder) return null;
    return o.bind(stack, stacked.inputs, { axis: outer.indexOf(axis) });
  },
};

/** A reshape of a reshape is one, and one that only adds sizes of 1 a broadcast. */
const plainReshape: Row = {
  name: "plain-reshape",
  primitives: ["reshape"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    const shape = equation.outputs[0]?.aval.shape ?? [];
    const inner = match.made(x, "reshape");
    if (inner === undefined) {
      const isLine = x.aval.shape.length > 0 && !x.aval.shape.includes(1);
      const places = isLine ? unitReshape(x.aval.shape, shape) : null;
      return places === null || sameType(equation, x) ? null : [o.broadcastInDim(x, shape, places)];
    }
    const source = inputAt(inner, 0);
    return [shapeEquals(source.aval.shape, shape) ? source : o.reshape(source, shape)];
  },
};

/** Starts as literals, or null. */
function literalStarts(starts: readonly Value[], match: Match): readonly number[] | null {
  const values = starts.map((start) => match.scalar(start));
  return values.every((value) => typeof value === "number") ? values : null;
}

const clampStarts = (
  starts: readonly number[],
  shape: Shape,
  sizes: Shape,
): readonly number[] | null => {
  if (!isStaticShape(shape) || !isStaticShape(sizes)) return null;
  return starts.map((start, axis) =>
    Math.min(Math.max(start, 0), (shape[axis] ?? 0) - (sizes[axis] ?? 0)),
  );
};

/** Starts where only the axes with whole slices may be symbolic. */
function staticStarts(
  starts: readonly number[],
  shape: Shape,
  sizes: Shape,
): readonly number[] | null {
  const whole = (axis: number): boolean => dimEquals(shape[axis] ?? 0, sizes[axis] ?? -1);
  const masked = shape.map((dim, axis) => (whole(axis) ? 1 : dim));
  const maskedSizes = sizes.map((dim, axis) => (whole(axis) ? 1 : dim));
  const clamped = clampStarts(starts, masked, maskedSizes);
  return clamped?.map((start, axis) => (whole(axis) ? 0 : start)) ?? null;
}

/** `dynamic_slice` at a known place is `slice`. */
const staticSlice: Row = {
  name: "static-slice",
  primitives: ["dynamic_slice"],
  rewrite: (o, equation, match) => {
    const [x, ...starts] = equation.inputs;
    if (x === undefined) return null;
    const literal = literalStarts(starts, match);
    const sizes = equation.params.slice_sizes as readonly Dim[];
    const begin = literal === null ? null : staticStarts(literal, x.aval.shape, sizes);
    if (begin === null) return null;
    const limits = begin.map((start, axis): Dim => {
      const size = sizes[axis] ?? 0;
      return start === 0 ? size : start + Number(size);
    });
    return [o.slice(x, begin, limits)];
  },
};

/** One update of a chain, along one axis. */
interface Piece {
  readonly start: number;
  readonly update: Value;
}

/**
 * A chain of `dynamic_update_slice` at known places that together overwrite the whole array (the
 * stacked outputs of an unrolled scan) is a `concatenate`.
 */
const stackUpdates: Row = {
  name: "stack-updates",
  primitives: ["dynamic_update_slice"],
  rewrite: (o, equation, match) => {
    const pieces: Piece[] = [];
    let axis: number | null = null;
    let current: Equation | undefined = equation;
    const { shape } = equation.outputs[0]?.aval ?? { shape: [] };
    while (current !== undefined) {
      const [x, update, ...starts]: readonly Value[] = current.inputs;
      if (x === undefined || update === undefined) return null;
      const place = updatePlace(shape, update.aval.shape, starts, match);
      if (place === null || (axis !== null && place.axis !== axis)) return null;
      axis = place.axis;
      pieces.push({ start: place.start, update });
      const covered = coveringPieces(pieces, shape[axis], axis);
      if (covered !== null) return [concatenate(o, covered, axis)];
      current = match.made(x, "dynamic_update_slice");
    }
    return null;
  },
};

function concatenate(o: Ops, pieces: readonly Piece[], axis: number): Value {
  const updates = pieces.map(({ update }) => update);
  const [only] = updates;
  return updates.length === 1 && only !== undefined ? only : o.concatenate(updates, axis);
}

/** The one axis along which an update does not span the whole array, and where it starts. */
function updatePlace(
  shape: Shape,
  update: Shape,
  starts: readonly Value[],
  match: Match,
): { readonly axis: number; readonly start: number } | null {
  const partial = shape.flatMap((dim, axis) => (dimEquals(dim, update[axis] ?? -1) ? [] : [axis]));
  const [axis = 0, ...others] = partial;
  const startValue = starts[axis];
  const start = startValue === undefined ? undefined : match.scalar(startValue);
  const [size, length] = [shape[axis], update[axis]];
  if (others.length > 0 || typeof start !== "number") return null;
  if (typeof size !== "number" || typeof length !== "number") return null;
  return { axis, start: Math.min(Math.max(start, 0), size - length) };
}

/** Pieces in order if they cover the axis; later updates (first in the list) win whole. */
function coveringPieces(
  pieces: readonly Piece[],
  size: Dim | undefined,
  axis: number,
): readonly Piece[] | null {
  const starts = new Set<number>();
  const distinct = pieces.filter(({ start }) => !starts.has(start) && starts.add(start));
  const ordered = [...distinct].sort((a, b) => a.start - b.start);
  let next = 0;
  for (const { start, update } of ordered) {
    if (start !== next) return null;
    next += Number(update.aval.shape[axis] ?? 0);
  }
  return next === size ? ordered : null;
}

/** `reshape(x, ...)` of a slice etc. stays; a squeeze of a unit broadcast is a view of its input. */
export const simplifyRows: readonly Row[] = [
  identities,
  neutralOperands,
  knownPredicate,
  broadcastOfView,
  transposeOfMoved,
  plainReshape,
  staticSlice,
  stackUpdates,
];
