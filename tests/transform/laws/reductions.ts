// Equations of the primitives that reduce, scan along an axis, sort and choose.
import type { DType } from "../../../src/ir/dtypes.js";
import type { Ops, Value } from "../../../src/ir/ops.js";
import { shapedArray } from "../../../src/ir/aval.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";
import { at, build } from "../programs.js";
import { integerDTypes } from "./dtypes.js";
import {
  bools,
  distinct,
  floats,
  integers,
  signed,
  upTo,
  type Draw,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

const sums: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const dtype = draw.pick(["float32", "complex64", "int32", "uint8"] as const);
  const isInteger = dtype === "int32" || dtype === "uint8";
  const input = isInteger ? integers(shape, 0, 90, dtype) : floats(shape, -1, 1, dtype);
  return {
    inputs: [input],
    params: { axes: draw.permutation(shape.length).slice(0, draw.int(0, shape.length)) },
  };
};

const products: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const dtype = draw.pick(["float32", "float32", "complex64", "int32"] as const);
  const input =
    dtype === "int32"
      ? integers(shape, -3, 3)
      : dtype === "float32"
        ? signed(shape, 0.5, 1.2)
        : floats(shape, 0.2, 1, dtype);
  return { inputs: [input], params: { axes: draw.subset(shape.length) }, tolerance: 3e-5 };
};

/** An array without equal elements, or integers. */
function ordered(draw: Draw, shape: readonly number[], withBool = true): Input {
  if (draw.oneIn(4)) return integers(shape, 0, 5, draw.pick(integerDTypes));
  if (withBool && draw.oneIn(8)) return bools(shape);
  return distinct(shape);
}

const extrema: Generator = (draw) => {
  const shape = draw.shape();
  return { inputs: [ordered(draw, shape)], params: { axes: draw.subset(shape.length) } };
};

const logical: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const input = draw.bool() ? bools(shape) : integers(shape, 0, 100, draw.pick(integerDTypes));
  return { inputs: [input], params: { axes: draw.subset(shape.length) } };
};

const places: Generator = (draw) => {
  const shape = draw.shape(1);
  const axes = [draw.axis(shape)];
  return { inputs: [ordered(draw, shape)], params: { axes, index_dtype: "int32" } };
};

const running =
  (input: (draw: Draw, shape: readonly number[]) => Input, tolerance = 1e-5): Generator =>
  (draw) => {
    const shape = draw.shapeOrEmpty(1, 3, 5);
    const params = { axis: draw.axis(shape), reverse: draw.bool() };
    return { inputs: [input(draw, shape)], params, tolerance };
  };

const anyFloats = (draw: Draw, shape: readonly number[]): Input =>
  floats(shape, -1, 1, draw.pick(["float32", "complex64"] as const));

const anyNumbers = (draw: Draw, shape: readonly number[]): Input =>
  draw.oneIn(4) ? integers(shape, -3, 3) : anyFloats(draw, shape);

const sorting: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(1, 3, 5);
  const count = draw.int(1, 3);
  const keys = draw.int(1, count);
  // The first key decides where all numbers differ.
  const inputs = upTo(count).map((index) =>
    index === 0 && !draw.oneIn(4)
      ? distinct(shape)
      : index === 0
        ? integers(shape, 0, 3)
        : index < keys
          ? distinct(shape)
          : draw.bool()
            ? floats(shape, -1, 1, draw.pick(["float32", "complex64"] as const))
            : integers(shape, 0, 9),
  );
  const params = { dimension: draw.axis(shape), is_stable: true, num_keys: keys };
  return { inputs, params };
};

const largest: Generator = (draw) => {
  const shape = draw.shape(1, 3, 5);
  const axis = draw.axis(shape);
  const params = { k: draw.int(0, shape[axis] ?? 0), axis };
  return { inputs: [ordered(draw, shape, false)], params };
};

const nearlyLargest: Generator = (draw) => {
  const shape = draw.shape(1, 3, 5);
  const dimension = draw.axis(shape);
  const params = {
    k: draw.int(1, shape[dimension] ?? 1),
    reduction_dimension: dimension,
    recall_target: 0.95,
    is_max_k: draw.bool(),
    reduction_input_size_override: -1,
    aggregate_to_topk: true,
  };
  return { inputs: [distinct(shape)], params };
};

/** A computation of scalars, twice as many as there are operands. */
export function scalarProgram(
  dtypes: readonly DType[],
  body: (o: Ops, left: readonly Value[], right: readonly Value[]) => readonly Value[],
): ClosedJaxpr {
  const avals = [...dtypes, ...dtypes].map((dtype) => shapedArray(dtype, []));
  return build(avals, (o, args) =>
    body(o, args.slice(0, dtypes.length), args.slice(dtypes.length)),
  );
}

/** Associative computations: products, sums, and products of dual numbers. */
export const computations: Readonly<Record<string, ClosedJaxpr>> = {
  product: scalarProgram(["float32"], (o, [a], [b]) =>
    a === undefined || b === undefined ? [] : [o.mul(a, b)],
  ),
  probability: scalarProgram(["float32"], (o, [a], [b]) =>
    a === undefined || b === undefined ? [] : [o.sub(o.add(a, b), o.mul(a, b))],
  ),
  dual: scalarProgram(["float32", "float32"], (o, [a, c], [b, d]) =>
    a === undefined || b === undefined || c === undefined || d === undefined
      ? []
      : [o.mul(a, b), o.add(o.mul(a, d), o.mul(c, b))],
  ),
};

const general: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const jaxpr = at(Object.values(computations), draw.int(0, 2));
  const count = jaxpr.jaxpr.outvars.length;
  const inputs = [
    ...upTo(count).map(() => signed(shape, 0.5, 1.2)),
    ...upTo(count).map(() => signed([], 0.5, 1.2)),
  ];
  return { inputs, params: { dimensions: draw.subset(shape.length), jaxpr }, tolerance: 3e-5 };
};

export const reductions: Generators = {
  reduce_sum: sums,
  reduce_prod: products,
  reduce_max: extrema,
  reduce_min: extrema,
  reduce_and: logical,
  reduce_or: logical,
  reduce_xor: logical,
  argmax: places,
  argmin: places,
  cumsum: running(anyNumbers),
  cumprod: running(anyNumbers),
  cummax: running((draw, shape) => (draw.oneIn(4) ? integers(shape, -3, 3) : distinct(shape))),
  cummin: running((draw, shape) => (draw.oneIn(4) ? integers(shape, -3, 3) : distinct(shape))),
  cumlogsumexp: running(anyFloats, 3e-5),
  sort: sorting,
  top_k: largest,
  approx_top_k: nearlyLargest,
  reduce: general,
};
