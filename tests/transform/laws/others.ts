// Equations of collectives, under a `vmap` that names their axis, and of random words.
import { floats, integers, type Draw, type Generator, type Generators } from "./draw.js";
import { shapesOf } from "./elementwise.js";

const axisOf = (draw: Draw) => ({ name: "rows", size: draw.int(1, 3) });

const reduction: Generator = (draw) => {
  const axis = axisOf(draw);
  const dtype = draw.pick(["float32", "float32", "complex64", "int32"] as const);
  const shape = draw.shape(0, 2, 3);
  const input = dtype === "int32" ? integers(shape, -5, 5) : floats(shape, -1, 1, dtype);
  return { inputs: [input], params: { axes: [axis.name], axis_index_groups: null }, axis };
};

const extremum: Generator = (draw) => {
  const axis = axisOf(draw);
  const params = { axes: [axis.name], axis_index_groups: null };
  return { inputs: [floats(draw.shape(0, 2, 3))], params, axis };
};

const gathering: Generator = (draw) => {
  const axis = axisOf(draw);
  const tiled = draw.bool();
  const shape = draw.shape(tiled ? 1 : 0, 2, 3);
  const params = {
    all_gather_dimension: draw.int(0, shape.length - (tiled ? 1 : 0)),
    axis_index_groups: null,
    axis_name: [axis.name],
    axis_size: axis.size,
    tiled,
  };
  return { inputs: [floats(shape)], params, axis };
};

const scattering: Generator = (draw) => {
  const axis = axisOf(draw);
  const tiled = draw.bool();
  const shape = draw.shape(1, 3, 3);
  const dimension = draw.axis(shape);
  const size = axis.size * (tiled ? draw.int(1, 2) : 1);
  const params = {
    axis_index_groups: null,
    axis_name: [axis.name],
    axis_size: axis.size,
    scatter_dimension: dimension,
    tiled,
  };
  return { inputs: [floats(shape.with(dimension, size))], params, axis };
};

const permuting: Generator = (draw) => {
  const axis = axisOf(draw);
  const perm = draw.permutation(axis.size).map((target, source) => [source, target] as const);
  const params = { axis_name: [axis.name], perm };
  return { inputs: [floats(draw.shape(0, 2, 3))], params, axis };
};

const exchanging: Generator = (draw) => {
  const axis = axisOf(draw);
  const tiled = draw.bool();
  const shape = draw.shape(1, 3, 3);
  const split = draw.axis(shape);
  const size = axis.size * (tiled ? draw.int(1, 2) : 1);
  const params = {
    axis_index_groups: null,
    axis_name: axis.name,
    axis_size: axis.size,
    concat_axis: draw.axis(shape),
    split_axis: split,
    tiled,
  };
  return { inputs: [floats(shape.with(split, size))], params, axis };
};

const hash: Generator = (draw) => ({
  inputs: shapesOf(draw, 4).map((shape) => integers(shape, 0, 2 ** 32 - 1, "uint32")),
});

const words: Generator = (draw) => ({
  inputs: [integers([4], 0, 2 ** 32 - 1, "uint32")],
  params: {
    shape: draw.shape(0, 2),
    dtype: draw.pick(["uint8", "uint16", "uint32"]),
    algorithm: draw.pick(["DEFAULT", "THREE_FRY"]),
  },
  batched: [],
});

export const others: Generators = {
  psum: reduction,
  pmax: extremum,
  pmin: extremum,
  all_gather: gathering,
  reduce_scatter: scattering,
  ppermute: permuting,
  all_to_all: exchanging,
  threefry2x32: hash,
  rng_bit_generator: words,
};
