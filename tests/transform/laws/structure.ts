// Equations of the primitives that move data: views, cuts, joins, dynamic slices, and the identities.
import { isDifferentiable } from "../../../src/transform/index.js";
import {
  bools,
  floats,
  integers,
  sizeOf,
  upTo,
  type Draw,
  type Example,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

/** An array of any type. */
export function anyArray(draw: Draw, shape: readonly number[]): Input {
  const dtype = draw.pick(["float32", "float32", "complex64", "int32", "bool", "uint8"] as const);
  if (dtype === "bool") return bools(shape);
  if (dtype === "int32" || dtype === "uint8") return integers(shape, 0, 50, dtype);
  return floats(shape, -1, 1, dtype);
}

/** An array of the type of another. */
function like({ dtype }: Input, shape: readonly number[]): Input {
  if (dtype === "bool") return bools(shape);
  return dtype.includes("int") ? integers(shape, 0, 50, dtype) : floats(shape, -1, 1, dtype);
}

const one =
  (params: (draw: Draw, shape: readonly number[]) => Example["params"], minRank = 0): Generator =>
  (draw) => {
    const shape = draw.shapeOrEmpty(minRank);
    const input = anyArray(draw, shape);
    const given = params(draw, shape);
    return { inputs: [input], ...(given === undefined ? {} : { params: given }) };
  };

const identity = one(() => undefined);

/** Of floats a function of one argument is linear. */
export const ifLinear = ([x]: readonly Input[]): Partial<Example> =>
  x !== undefined && isDifferentiable(x.dtype) ? { linear: [0] } : {};

const linearIdentity: Generator = (draw) => {
  const example = identity(draw);
  return { ...example, ...ifLinear(example.inputs) };
};

/** Several arrays that pass through. */
const identities: Generator = (draw) => {
  const inputs = upTo(draw.int(1, 3)).map(() => anyArray(draw, draw.shapeOrEmpty()));
  const linear = upTo(inputs.length).filter((_, index) =>
    isDifferentiable(inputs[index]?.dtype ?? "bool"),
  );
  return linear.length === inputs.length ? { inputs, linear } : { inputs };
};

const broadcast: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(0, 4);
  const kept = draw.subset(shape.length);
  const operand = kept.map((axis) => (draw.oneIn(4) ? 1 : (shape[axis] ?? 1)));
  // JAX wants the dimensions in ascending order.
  return {
    inputs: [anyArray(draw, operand)],
    params: { shape, broadcast_dimensions: kept },
  };
};

const reshaping: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(0, 4);
  // The same sizes in another order, some joined, and ones between them.
  const sizes = draw.permutation(shape.length).map((axis) => shape[axis] ?? 1);
  const joined =
    sizes.length > 1 && draw.bool() ? [sizeOf(sizes.slice(0, 2)), ...sizes.slice(2)] : sizes;
  const newSizes = draw.bool() ? joined.toSpliced(draw.int(0, joined.length), 0, 1) : joined;
  const dimensions = draw.oneIn(4) ? draw.permutation(shape.length) : null;
  return { inputs: [anyArray(draw, shape)], params: { new_sizes: newSizes, dimensions } };
};

const squeezing: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(0, 4);
  const dimensions = draw.subset(shape.length);
  const sizes = shape.map((size, axis) => (dimensions.includes(axis) ? 1 : size));
  return { inputs: [anyArray(draw, sizes)], params: { dimensions } };
};

const concatenation: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(1);
  const dimension = draw.axis(shape);
  const first = anyArray(draw, shape);
  const others = upTo(draw.int(0, 2)).map(() => like(first, shape.with(dimension, draw.int(0, 3))));
  return { inputs: [first, ...others], params: { dimension } };
};

const stacking: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const first = anyArray(draw, shape);
  const others = upTo(draw.int(0, 2)).map(() => like(first, shape));
  return { inputs: [first, ...others], params: { axis: draw.int(0, shape.length) } };
};

const splitting: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(1);
  const axis = draw.axis(shape);
  const sizes = upTo(draw.int(1, 3)).map(() => draw.int(0, 2));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return { inputs: [anyArray(draw, shape.with(axis, total))], params: { sizes, axis } };
};

const slicing: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(0, 3, 6);
  const start = shape.map((size) => draw.int(0, size));
  const limit = shape.map((size, axis) => draw.int(start[axis] ?? 0, size));
  const strides = draw.bool() ? shape.map(() => draw.int(1, 3)) : null;
  const params = { start_indices: start, limit_indices: limit, strides };
  return { inputs: [anyArray(draw, shape)], params };
};

const padding: Generator = (draw) => {
  const shape = draw.shapeOrEmpty(0, 3);
  const config = shape.map((size) => {
    const interior = draw.int(0, 2);
    const spread = size === 0 ? 0 : size + (size - 1) * interior;
    const low = draw.int(-1, 2);
    const high = draw.int(-1, 2);
    return low + high + spread < 0 ? [0, 0, interior] : [low, high, interior];
  });
  const operand = anyArray(draw, shape);
  return { inputs: [operand, like(operand, [])], params: { padding_config: config } };
};

/** Indices inside and, clamped, outside of an array. */
const start = (size: number): Input => integers([], -1, size + 1);

const dynamicSlicing: Generator = (draw) => {
  const shape = draw.shape(0, 3, 5);
  const sizes = shape.map((size) => draw.int(0, size));
  return {
    inputs: [anyArray(draw, shape), ...shape.map(start)],
    params: { slice_sizes: sizes },
  };
};

const dynamicUpdate: Generator = (draw) => {
  const shape = draw.shape(0, 3, 5);
  const sizes = shape.map((size) => draw.int(0, size));
  const operand = anyArray(draw, shape);
  return { inputs: [operand, like(operand, sizes), ...shape.map(start)] };
};

export const structure: Generators = {
  copy: linearIdentity,
  // Derivatives stop here.
  stop_gradient: (draw) => ({ ...identity(draw), smooth: false }),
  optimization_barrier: identities,
  tie: (draw) => {
    const [first, second] = [anyArray(draw, draw.shape()), anyArray(draw, draw.shapeOrEmpty())];
    const isLinear = isDifferentiable(second.dtype);
    return { inputs: [first, second], ...(isLinear ? { linear: [1] } : {}) };
  },
  name: one(() => ({ name: "kept" })),
  broadcast_in_dim: broadcast,
  reshape: reshaping,
  rev: one((draw, shape) => ({ dimensions: draw.subset(shape.length) })),
  squeeze: squeezing,
  transpose: one((draw, shape) => ({ permutation: draw.permutation(shape.length) })),
  concatenate: concatenation,
  stack: stacking,
  unstack: one((draw, shape) => ({ axis: draw.axis(shape) }), 1),
  split: splitting,
  tile: one((draw, shape) => ({ reps: shape.map(() => draw.int(0, 3)) })),
  slice: slicing,
  pad: padding,
  dynamic_slice: dynamicSlicing,
  dynamic_update_slice: dynamicUpdate,
};
