/** Functions of `numpy` that sort and search. */
import { shapeEquals, shapeSize, type Dim } from "../ir/dims.js";
import { isComplex } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { at, canonicalAxis, choice, invalid, optionsOf } from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, out, type NestedArray } from "./convert.js";
import { scalarLike, whereValues } from "./elementwise.js";
import { promoteDtypes, toType } from "./promotion.js";

export interface SortOptions {
  /** Default: the last dimension; null sorts the flat array. */
  readonly axis?: number | null | undefined;
  readonly descending?: boolean | undefined;
}

function sorted(value: Value, others: readonly Value[], axis: number): readonly Value[] {
  return o.sort([value, ...others], { dimension: axis, is_stable: true, num_keys: 1 });
}

function flattened(value: Value, axis: number | null): readonly [Value, number] {
  const { shape } = value.aval;
  if (axis !== null) return [value, canonicalAxis(axis, shape.length)];
  return [shape.length === 1 ? value : o.reshape(value, [shapeSize(shape)]), 0];
}

/** The elements in ascending order, NaN last. JAX's `jnp.sort`. */
export function sort(x: NestedArray, options: SortOptions = {}): ArrayValue {
  const { axis = -1, descending = false } = optionsOf("sort", options, ["axis", "descending"]);
  const body = (value: Value): Value => {
    const [flat, place] = flattened(value, axis);
    const result = at(sorted(flat, [], place), 0);
    return descending ? o.rev(result, [place]) : result;
  };
  return out(callNamedOne("sort", `${axis} ${descending}`, body, [arrayValue(x)]));
}

/** The positions of the elements in ascending order; equal ones keep theirs. JAX's `jnp.argsort`. */
export function argsort(x: NestedArray, options: SortOptions = {}): ArrayValue {
  const { axis = -1, descending = false } = optionsOf("argsort", options, ["axis", "descending"]);
  const body = (value: Value): Value => {
    const [flat, place] = flattened(value, axis);
    const { shape } = flat.aval;
    // Reversed on both sides of the sort, equal elements keep their order.
    const keys = descending ? o.rev(flat, [place]) : flat;
    const positions = o.iota("int32", shape, place);
    const [, order] = sorted(keys, [descending ? o.rev(positions, [place]) : positions], place);
    if (order === undefined) throw new Error("internal error: sort of two operands");
    return descending ? o.rev(order, [place]) : order;
  };
  return out(callNamedOne("argsort", `${axis} ${descending}`, body, [arrayValue(x)]));
}

/**
 * Where each query belongs in sorted values, before (`left`) or after (`right`) equal ones: counts
 * the values below it. JAX's `jnp.searchsorted` with `method="compare_all"`.
 */
export function searchsorted(
  values: NestedArray,
  queries: NestedArray,
  options: { readonly side?: "left" | "right" } = {},
): ArrayValue {
  const { side = "left" } = optionsOf("searchsorted", options, ["side"]);
  choice(
    side,
    ["left", "right"],
    () => `invalid argument side='${side}', expected 'left' or 'right'`,
  );
  const [sortedValues, wanted] = promoteDtypes([arrayValue(values), arrayValue(queries)]);
  if (sortedValues === undefined || wanted === undefined || sortedValues.aval.shape.length !== 1) {
    throw invalid("searchsorted takes a sorted vector");
  }
  const body = (a: Value, v: Value): Value => {
    const size = at(a.aval.shape, 0);
    const { shape } = v.aval;
    const whole: Dim[] = [...shape, size];
    const column = o.broadcastInDim(a, whole, [shape.length]);
    const query = o.broadcastInDim(
      v,
      whole,
      shape.map((_, axis) => axis),
    );
    const isBelow = side === "left" ? o.lt(column, query) : o.le(column, query);
    return o.reduceSum(o.convertElementType(isBelow, "int32"), [shape.length]);
  };
  return out(callNamedOne("searchsorted", side, body, [sortedValues, wanted]));
}

/** Linear interpolation of the points (`xp`, `fp`), constant outside. JAX's `jnp.interp`. */
export function interp(x: NestedArray, xp: NestedArray, fp: NestedArray): ArrayValue {
  const values = promoteDtypes([x, xp, fp].map(arrayValue));
  const [query, places, heights] = values.map((value) => toType(value, "float32"));
  if (query === undefined || places === undefined || heights === undefined) {
    throw new Error("internal error: three arguments");
  }
  const [xShape, yShape] = [places.aval.shape, heights.aval.shape];
  if (xShape.length !== 1 || yShape.length !== 1 || !shapeEquals(xShape, yShape)) {
    throw invalid("xp and fp must be one-dimensional arrays of equal size");
  }
  const count = at(xShape, 0);
  if (typeof count !== "number" || count === 0) throw invalid("interp takes at least one point");
  const found = arrayValue(searchsorted(out(places), out(query), { side: "right" }));
  const last = scalarLike(found, Math.max(count - 1, 0));
  const upper = o.clamp(scalarLike(found, Math.min(1, count - 1)), found, last);
  const lower = o.max(o.sub(upper, scalarLike(found, 1)), scalarLike(found, 0));
  const pick = (table: Value, index: Value): Value => takeRows(table, index);
  const [x0, x1] = [pick(places, lower), pick(places, upper)];
  const [y0, y1] = [pick(heights, lower), pick(heights, upper)];
  const width = o.sub(x1, x0);
  const safe = whereValues(o.eq(width, scalarLike(width, 0)), scalarLike(width, 1), width);
  const line = o.add(y0, o.mul(o.div(o.sub(query, x0), safe), o.sub(y1, y0)));
  const first = o.slice(heights, [0], [1]);
  const final = o.slice(heights, [count - 1], [count]);
  const edge = (part: Value): Value => o.reshape(part, []);
  const low = o.slice(places, [0], [1]);
  const high = o.slice(places, [count - 1], [count]);
  const below = whereValues(o.lt(query, edge(low)), edge(first), line);
  return out(whereValues(o.gt(query, edge(high)), edge(final), below));
}

/** Elements of a vector at positions that are in range. */
export function takeRows(table: Value, index: Value): Value {
  const { shape } = index.aval;
  const starts = o.broadcastInDim(
    index,
    [...shape, 1],
    shape.map((_, axis) => axis),
  );
  return o.gather(table, starts, {
    dimension_numbers: {
      offset_dims: [],
      collapsed_slice_dims: [0],
      start_index_map: [0],
      operand_batching_dims: [],
      start_indices_batching_dims: [],
    },
    slice_sizes: [1],
    indices_are_sorted: false,
    unique_indices: false,
    mode: "promise_in_bounds",
    fill_value: null,
  });
}

/** The value below which a part `q` of the elements lies, interpolated. JAX's `jnp.quantile`. */
export function quantile(x: NestedArray, q: number, axis: number | null = null): ArrayValue {
  if (isComplex(arrayValue(x).aval.dtype)) {
    throw invalid("quantile does not support complex input, as the operation is poorly defined.");
  }
  if (!(q >= 0 && q <= 1)) throw invalid(`quantile ${q} is not between 0 and 1`);
  const [flat, place] = flattened(toType(arrayValue(x), "float32"), axis);
  const size = at(flat.aval.shape, place);
  if (typeof size !== "number" || size === 0) throw invalid("quantile needs a known size above 0");
  const ordered = at(sorted(flat, [], place), 0);
  const position = q * (size - 1);
  const row = (index: number): Value => {
    const start = ordered.aval.shape.map((_, i) => (i === place ? index : 0));
    const limit = ordered.aval.shape.with(place, index + 1);
    return o.squeeze(o.slice(ordered, start, limit), [place]);
  };
  const [low, high] = [row(Math.floor(position)), row(Math.ceil(position))];
  const weight = position - Math.floor(position);
  const near = o.mul(low, scalarLike(low, 1 - weight));
  return out(o.add(near, o.mul(high, scalarLike(high, weight))));
}

/** The middle element, or the mean of the two middle ones. JAX's `jnp.median`. */
export function median(x: NestedArray, axis: number | null = null): ArrayValue {
  return quantile(x, 0.5, axis);
}

/** The differences of neighbours along a dimension. JAX's `jnp.diff`. */
export function diff(x: NestedArray, options: { n?: number; axis?: number } = {}): ArrayValue {
  const { n = 1, axis = -1 } = optionsOf("diff", options, ["n", "axis"]);
  if (!Number.isInteger(n) || n < 0) throw invalid(`order must be non-negative but got ${n}`);
  const once = (value: Value): Value => {
    const { shape, dtype } = value.aval;
    const place = canonicalAxis(axis, shape.length);
    const size = at(shape, place);
    if (typeof size !== "number") throw invalid("diff needs a known size");
    const from = (start: number, stop: number): Value =>
      o.slice(
        value,
        shape.map((_, i) => (i === place ? start : 0)),
        shape.with(place, stop),
      );
    const [later, earlier] = [from(Math.min(1, size), size), from(0, Math.max(0, size - 1))];
    return dtype === "bool" ? o.ne(later, earlier) : o.sub(later, earlier);
  };
  const body = (value: Value): Value =>
    Array.from({ length: n }).reduce<Value>((current) => once(current), value);
  return out(callNamedOne("diff", `${n} ${axis}`, body, [arrayValue(x)]));
}
