// Equations of collectives, under a `vmap` that names their axis, of random words and of keys.
import { randomUnwrap, randomWrap } from "../../../primitives/randomKeys.js";
import type { Params } from "../../../src/ir/params.js";
import {
  floats,
  integers,
  type Draw,
  type Generator,
  type Generators,
  type Input,
  type Stage,
} from "./draw.js";
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

/** Words as keys: threefry's, for a batch of the other generators' is drawn from one key. */
const asKeys: Stage = (o, [words, ...rest]) =>
  words === undefined ? [] : [...o.bind(randomWrap, [words], { impl: "fry" }), ...rest];
const asWords: Stage = (o, keys) => keys.flatMap((key) => o.bind(randomUnwrap, [key], {}));

const keyWords = (shape: readonly number[]): Input =>
  integers([...shape, 2], 0, 2 ** 32 - 1, "uint32");

/** A function of keys, and perhaps of more; `givesKeys`: its results are keys, too. */
const ofKeys =
  (givesKeys: boolean, params: (draw: Draw) => Params = () => ({})): Generator =>
  (draw) => ({
    inputs: [keyWords(draw.shape(0, 2, 3))],
    prepare: asKeys,
    params: params(draw),
    ...(givesKeys ? { finish: asWords } : {}),
  });

const foldIn: Generator = (draw) => {
  const shape = draw.shape(0, 2, 3);
  const number = integers(shape, 0, 1000, draw.pick(["uint32", "int32"]));
  return { inputs: [keyWords(shape), number], prepare: asKeys, finish: asWords };
};

const gammaSamples: Generator = (draw) => {
  const shape = draw.shape(0, 1, 3);
  const alphas = floats([...shape, ...draw.shape(0, 1, 2)], 0.5, 3);
  return {
    inputs: [keyWords(shape), alphas],
    prepare: asKeys,
    params: { log_space: draw.bool() },
    // Derivatives are those of the distribution: draws that are rejected make samples jump.
    smooth: false,
    tolerance: 1e-4,
  };
};

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
  random_seed: (draw) => ({
    inputs: [integers(draw.shape(0, 2, 3), 0, 1000, draw.pick(["int32", "uint32"]))],
    params: { impl: "fry" },
    finish: asWords,
  }),
  random_wrap: (draw) => ({
    inputs: [keyWords(draw.shape(0, 2, 3))],
    params: { impl: "fry" },
    finish: asWords,
  }),
  random_unwrap: ofKeys(false),
  random_clone: ofKeys(true),
  random_split: ofKeys(true, (draw) => ({ shape: draw.shape(0, 2, 3) })),
  random_fold_in: foldIn,
  random_bits: ofKeys(false, (draw) => ({
    bit_width: draw.pick([8, 16, 32]),
    shape: draw.shape(0, 2, 3),
  })),
  random_gamma: gammaSamples,
};
