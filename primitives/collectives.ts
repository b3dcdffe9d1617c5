/**
 * Collectives: what a function mapped over a named axis computes from all of its rows (`psum`). They
 * become plain operations where `vmap` meets the axis, so they have no rule for tfjs.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { divideExactDims, mulDims, requireConstant, type Dim, type Shape } from "../src/ir/dims.js";
import { isComplex } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import {
  definePrimitive,
  none,
  type CollectiveRule,
  type MaybeZero,
  type NoRule,
  type Primitive,
} from "../src/ir/primitive.js";
import { toFront } from "./callTransforms.js";
import { at, invalid, upTo } from "./support.js";

type Axis = { readonly name: string; readonly size: Dim };
type Batched = { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] };

const unbound = none("an axis name means something under vmap with this axisName alone");

const single = (values: readonly Value[]): Value => at(values, 0);
const one = (value: Value, dim: number | null): Batched => ({ outputs: [value], dims: [dim] });

/** The size of an axis as a number of a type. */
function sizeAs(o: Ops, size: Dim, { dtype }: ShapedArray): Value {
  if (typeof size !== "number") return o.convertElementType(o.dimAsValue(size), dtype);
  return isComplex(dtype) ? o.literal({ re: size, im: 0 }, dtype) : o.literal(size, dtype);
}

// --- psum, pmax, pmin ------------------------------------------------------------------------------

export type ReductionParams = {
  readonly axes: readonly string[];
  readonly axis_index_groups: null;
};

interface ReductionSpec {
  readonly name: string;
  readonly isLinear: boolean;
  readonly rows: (o: Ops, x: Value, dim: number) => Value;
  /** The same value in all rows. */
  readonly same: (o: Ops, x: Value, size: Dim) => Value;
}

const withoutDerivative = (name: string): NoRule =>
  none(`Differentiation rule for '${name}' not implemented`);

function reductionOver(spec: ReductionSpec): Primitive<ReductionParams> {
  const { name, isLinear } = spec;
  const collective: CollectiveRule<ReductionParams> = {
    axes: ({ axes }) => axes,
    batch: (o, inputs, dims, axis, params) => {
      const [x, dim] = [single(inputs), dims[0] ?? null];
      const local = dim === null ? spec.same(o, x, axis.size) : spec.rows(o, x, dim);
      const rest = params.axes.filter((other) => other !== axis.name);
      if (rest.length === 0) return one(local, null);
      return one(single(o.bind(record, [local], { ...params, axes: rest })), null);
    },
  };
  const record: Primitive<ReductionParams> = definePrimitive<ReductionParams>({
    name,
    abstractEval: (inputs) => inputs.map((aval) => ({ ...aval, weakType: false })),
    jvp: isLinear
      ? (o, primals, tangents, params) => ({
          primals: o.bind(record, primals, params),
          tangents: tangents.map((tangent) =>
            tangent === null ? null : single(o.bind(record, [tangent], params)),
          ),
        })
      : withoutDerivative(name),
    // Each row's cotangent reaches all rows.
    transpose: isLinear
      ? (o, [cotangent = null], _inputs, params) => [
          cotangent === null ? null : single(o.bind(record, [cotangent], params)),
        ]
      : withoutDerivative(name),
    batch: (o, inputs, dims, params) => ({ outputs: o.bind(record, inputs, params), dims }),
    tfjs: unbound,
    collective,
  });
  return record;
}

export const psum = reductionOver({
  name: "psum",
  isLinear: true,
  rows: (o, x, dim) => o.reduceSum(x, [dim]),
  same: (o, x, size) => o.mul(x, sizeAs(o, size, x.aval)),
});

export const pmax = reductionOver({
  name: "pmax",
  isLinear: false,
  rows: (o, x, dim) => o.reduceMax(x, [dim]),
  same: (_o, x) => x,
});

export const pmin = reductionOver({
  name: "pmin",
  isLinear: false,
  rows: (o, x, dim) => o.reduceMin(x, [dim]),
  same: (_o, x) => x,
});

// --- What moves rows -------------------------------------------------------------------------------

/** A primitive of one argument that is linear. */
interface MovementSpec<P> {
  readonly name: string;
  readonly shape: (shape: Shape, params: P) => Shape;
  readonly axisOf: (params: P) => readonly string[];
  /** Over the axis: the argument has its batch dimension first. */
  readonly rows: (o: Ops, x: Value, axis: Axis, params: P) => Batched;
  readonly transpose: (o: Ops, cotangent: Value, params: P) => Value;
  /** For a batch dimension of another axis, first in the argument; it stays first. */
  readonly shifted: (params: P) => P;
}

function movement<P>(spec: MovementSpec<P>): Primitive<P> {
  const record: Primitive<P> = definePrimitive<P>({
    name: spec.name,
    abstractEval: (inputs, params) => {
      const { shape, dtype } = at(inputs, 0);
      return [shapedArray(dtype, spec.shape(shape, params))];
    },
    jvp: (o, primals, tangents, params) => ({
      primals: o.bind(record, primals, params),
      tangents: tangents.map((tangent): MaybeZero =>
        tangent === null ? null : single(o.bind(record, [tangent], params)),
      ),
    }),
    transpose: (o, [cotangent = null], _inputs, params) => [
      cotangent === null ? null : spec.transpose(o, cotangent, params),
    ],
    batch: (o, inputs, dims, params) => {
      const [x, dim] = [single(inputs), dims[0] ?? null];
      const size = at(x.aval.shape, dim ?? 0);
      const front = toFront(o, x, dim, size);
      return one(single(o.bind(record, [front], spec.shifted(params))), 0);
    },
    tfjs: unbound,
    collective: {
      axes: spec.axisOf,
      batch: (o, inputs, dims, axis, params) => {
        const front = toFront(o, single(inputs), dims[0] ?? null, axis.size);
        return spec.rows(o, front, axis, params);
      },
    },
  });
  return record;
}

function permuted(o: Ops, x: Value, permutation: readonly number[]): Value {
  return permutation.every((axis, place) => axis === place) ? x : o.transpose(x, permutation);
}

/** Moves the first dimension to a place among the others. */
function fromFront(o: Ops, x: Value, to: number): Value {
  const rest = upTo(x.aval.shape.length).slice(1);
  return permuted(o, x, rest.toSpliced(to, 0, 0));
}

/** Joins dimension `axis` with the one after it. */
function joined(o: Ops, x: Value, axis: number): Value {
  const { shape } = x.aval;
  return o.reshape(x, shape.toSpliced(axis, 2, mulDims(at(shape, axis), at(shape, axis + 1))));
}

/** Splits dimension `axis` into `count` parts. */
function parted(o: Ops, x: Value, axis: number, count: Dim): Value {
  const { shape } = x.aval;
  const part = divideExactDims(at(shape, axis), count);
  return o.reshape(x, shape.toSpliced(axis, 1, count, part));
}

export type AllGatherParams = {
  readonly all_gather_dimension: number;
  readonly axis_index_groups: null;
  readonly axis_name: readonly string[];
  readonly axis_size: Dim;
  readonly tiled: boolean;
};

export const allGather: Primitive<AllGatherParams> = movement<AllGatherParams>({
  name: "all_gather",
  shape: (shape, { all_gather_dimension: dim, axis_size, tiled }) =>
    tiled
      ? shape.with(dim, mulDims(at(shape, dim), axis_size))
      : shape.toSpliced(dim, 0, axis_size),
  axisOf: ({ axis_name }) => axis_name,
  rows: (o, x, _axis, { all_gather_dimension: dim, tiled }) => {
    const moved = fromFront(o, x, dim);
    return one(tiled ? joined(o, moved, dim) : moved, null);
  },
  transpose: (o, cotangent, { all_gather_dimension, ...params }) =>
    single(
      o.bind(reduceScatter, [cotangent], { ...params, scatter_dimension: all_gather_dimension }),
    ),
  shifted: (params) => ({ ...params, all_gather_dimension: params.all_gather_dimension + 1 }),
});

export type ReduceScatterParams = {
  readonly axis_index_groups: null;
  readonly axis_name: readonly string[];
  readonly axis_size: Dim;
  readonly scatter_dimension: number;
  readonly tiled: boolean;
};

export const reduceScatter: Primitive<ReduceScatterParams> = movement<ReduceScatterParams>({
  name: "reduce_scatter",
  shape: (shape, { scatter_dimension: dim, axis_size, tiled }) =>
    tiled ? shape.with(dim, divideExactDims(at(shape, dim), axis_size)) : shape.toSpliced(dim, 1),
  axisOf: ({ axis_name }) => axis_name,
  rows: (o, x, { size }, { scatter_dimension: dim, tiled }) => {
    const sum = o.reduceSum(x, [0]);
    return one(tiled ? parted(o, sum, dim, size) : sum, dim);
  },
  transpose: (o, cotangent, { scatter_dimension, ...params }) =>
    single(o.bind(allGather, [cotangent], { ...params, all_gather_dimension: scatter_dimension })),
  shifted: (params) => ({ ...params, scatter_dimension: params.scatter_dimension + 1 }),
});

export type PpermuteParams = {
  readonly axis_name: readonly string[];
  /** Pairs of the row that is read and the row that is written. */
  readonly perm: readonly (readonly [source: number, destination: number])[];
};

/** Rows in the order of a permutation. */
function permuteRows(o: Ops, x: Value, size: Dim, { perm }: PpermuteParams): Value {
  const count = requireConstant(size);
  const sources = upTo(count).map((row) => perm.find(([, to]) => to === row)?.[0]);
  if (perm.length !== count || sources.some((source) => source === undefined)) {
    throw invalid("Permutation doesn't match the axis size!");
  }
  const [, ...rest] = x.aval.shape;
  const rows = sources.map((source = 0) =>
    o.slice(x, [source, ...rest.map(() => 0)], [source + 1, ...rest]),
  );
  return rows.length === 1 ? single(rows) : o.concatenate(rows, 0);
}

export const ppermute: Primitive<PpermuteParams> = movement<PpermuteParams>({
  name: "ppermute",
  shape: (shape) => shape,
  axisOf: ({ axis_name }) => axis_name,
  rows: (o, x, { size }, params) => one(permuteRows(o, x, size, params), 0),
  transpose: (o, cotangent, { perm, ...params }) => {
    const inverse = perm.map(([source, destination]) => [destination, source] as const);
    return single(o.bind(ppermute, [cotangent], { ...params, perm: inverse }));
  },
  shifted: (params) => params,
});

export type AllToAllParams = {
  readonly axis_index_groups: null;
  readonly axis_name: string;
  readonly concat_axis: number;
  readonly split_axis: number;
  readonly tiled: boolean;
  readonly axis_size: Dim;
};

export const allToAll: Primitive<AllToAllParams> = movement<AllToAllParams>({
  name: "all_to_all",
  shape: (shape, { concat_axis, split_axis, tiled, axis_size }) => {
    if (!tiled) return shape.toSpliced(split_axis, 1).toSpliced(concat_axis, 0, axis_size);
    const cut = shape.with(split_axis, divideExactDims(at(shape, split_axis), axis_size));
    return cut.with(concat_axis, mulDims(at(cut, concat_axis), axis_size));
  },
  axisOf: ({ axis_name }) => [axis_name],
  rows: (o, x, { size }, { concat_axis, split_axis, tiled }) => {
    // Dimension 0 are the rows that send; the parts become the rows that receive.
    const parts = tiled ? parted(o, x, split_axis + 1, size) : x;
    const rest = upTo(parts.aval.shape.length).filter(
      (axis) => axis !== 0 && axis !== split_axis + 1,
    );
    const order = [split_axis + 1, ...rest.toSpliced(concat_axis, 0, 0)];
    const moved = permuted(o, parts, order);
    return one(tiled ? joined(o, moved, concat_axis + 1) : moved, 0);
  },
  transpose: (o, cotangent, params) => {
    const { concat_axis, split_axis } = params;
    const swapped = { ...params, concat_axis: split_axis, split_axis: concat_axis };
    return single(o.bind(allToAll, [cotangent], swapped));
  },
  shifted: (params) => ({
    ...params,
    concat_axis: params.concat_axis + 1,
    split_axis: params.split_axis + 1,
  }),
});

// --- axis_index ------------------------------------------------------------------------------------

export type AxisIndexParams = { readonly axis_name: string };

export const axisIndex: Primitive<AxisIndexParams> = definePrimitive<AxisIndexParams>({
  name: "axis_index",
  abstractEval: () => [shapedArray("int32", [])],
  jvp: (o, _primals, _tangents, params) => ({
    primals: o.bind(axisIndex, [], params),
    tangents: [null],
  }),
  transpose: none("axis_index has no inputs"),
  batch: (o, _inputs, _dims, params) => ({ outputs: o.bind(axisIndex, [], params), dims: [null] }),
  tfjs: unbound,
  collective: {
    axes: ({ axis_name }) => [axis_name],
    batch: (o, _inputs, _dims, { size }) => one(o.iota("int32", [size], 0), 0),
  },
});
