/**
 * The part of `Ops` that moves, reduces, contracts and controls, over an interpreter's `bind`.
 * Called by ops.ts alone.
 */
import * as argReduce from "../../primitives/argReduce.js";
import * as call from "../../primitives/call.js";
import * as control from "../../primitives/control.js";
import { convGeneralDilated } from "../../primitives/conv.js";
import * as cumulative from "../../primitives/cumulative.js";
import { dotGeneral } from "../../primitives/dot.js";
import * as dynamic from "../../primitives/dynamic.js";
import { gather } from "../../primitives/gather.js";
import { pad } from "../../primitives/pad.js";
import * as reductions from "../../primitives/reduce.js";
import { reduce } from "../../primitives/reduceGeneral.js";
import * as scatters from "../../primitives/scatter.js";
import * as shapes from "../../primitives/shape.js";
import * as slices from "../../primitives/slice.js";
import * as sorting from "../../primitives/sort.js";
import * as windows from "../../primitives/window.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Primitive } from "../ir/primitive.js";

/** Everything of `Ops` that is not elementwise. */
export type StructuralOps = Pick<
  Ops,
  | "broadcastInDim"
  | "reshape"
  | "transpose"
  | "squeeze"
  | "concatenate"
  | "slice"
  | "dynamicSlice"
  | "dynamicUpdateSlice"
  | "pad"
  | "rev"
  | "reduceSum"
  | "reduceProd"
  | "reduceMax"
  | "reduceMin"
  | "reduceAnd"
  | "reduceOr"
  | "reduceXor"
  | "argmax"
  | "argmin"
  | "reduce"
  | "cumsum"
  | "cumprod"
  | "cummax"
  | "cummin"
  | "cumlogsumexp"
  | "reduceWindowSum"
  | "reduceWindowMax"
  | "reduceWindowMin"
  | "dotGeneral"
  | "convGeneralDilated"
  | "gather"
  | "scatter"
  | "sort"
  | "topK"
  | "while"
  | "cond"
  | "call"
>;

const scatterPrimitives = {
  replace: scatters.scatter,
  add: scatters.scatterAdd,
  sub: scatters.scatterSub,
  mul: scatters.scatterMul,
  min: scatters.scatterMin,
  max: scatters.scatterMax,
} as const;

function first(values: readonly Value[]): Value {
  const [value] = values;
  if (value === undefined) throw new Error("internal error: an equation without results");
  return value;
}

/** The structural methods over an interpreter. */
export function structuralOps({ bind }: Pick<Ops, "bind">): StructuralOps {
  const one = <P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): Value =>
    first(bind(primitive, inputs, params));
  const reduction =
    (primitive: Primitive<reductions.ReduceParams>) => (x: Value, axes: readonly number[]) =>
      one(primitive, [x], { axes });
  const scan =
    (primitive: Primitive<cumulative.CumulativeParams>) =>
    (x: Value, axis: number, reverse: boolean) =>
      one(primitive, [x], { axis, reverse });

  return {
    broadcastInDim: (x, shape, dimensions) =>
      one(shapes.broadcastInDim, [x], { shape, broadcast_dimensions: dimensions }),
    reshape: (x, shape) => one(shapes.reshape, [x], { new_sizes: shape, dimensions: null }),
    transpose: (x, permutation) => one(shapes.transpose, [x], { permutation }),
    squeeze: (x, dimensions) => one(shapes.squeeze, [x], { dimensions }),
    concatenate: (operands, dimension) => one(slices.concatenate, operands, { dimension }),
    slice: (x, start, limit, strides = null) =>
      one(slices.slice, [x], { start_indices: start, limit_indices: limit, strides }),
    dynamicSlice: (x, starts, sizes) =>
      one(dynamic.dynamicSlice, [x, ...starts], { slice_sizes: sizes }),
    dynamicUpdateSlice: (x, update, starts) =>
      one(dynamic.dynamicUpdateSlice, [x, update, ...starts], {}),
    pad: (x, paddingValue, config) => one(pad, [x, paddingValue], { padding_config: config }),
    rev: (x, dimensions) => one(shapes.rev, [x], { dimensions }),

    reduceSum: reduction(reductions.reduceSum),
    reduceProd: reduction(reductions.reduceProd),
    reduceMax: reduction(reductions.reduceMax),
    reduceMin: reduction(reductions.reduceMin),
    reduceAnd: reduction(reductions.reduceAnd),
    reduceOr: reduction(reductions.reduceOr),
    reduceXor: reduction(reductions.reduceXor),
    argmax: (x, axis, indexDtype) =>
      one(argReduce.argmax, [x], { axes: [axis], index_dtype: indexDtype }),
    argmin: (x, axis, indexDtype) =>
      one(argReduce.argmin, [x], { axes: [axis], index_dtype: indexDtype }),
    reduce: (operands, initialValues, computation, dimensions) =>
      bind(reduce, [...operands, ...initialValues], { dimensions, jaxpr: computation }),
    cumsum: scan(cumulative.cumsum),
    cumprod: scan(cumulative.cumprod),
    cummax: scan(cumulative.cummax),
    cummin: scan(cumulative.cummin),
    cumlogsumexp: scan(cumulative.cumlogsumexp),
    reduceWindowSum: (x, params) => one(windows.reduceWindowSum, [x], params),
    reduceWindowMax: (x, params) => one(windows.reduceWindowMax, [x], params),
    reduceWindowMin: (x, params) => one(windows.reduceWindowMin, [x], params),

    dotGeneral: (lhs, rhs, params) => one(dotGeneral, [lhs, rhs], params),
    convGeneralDilated: (lhs, rhs, params) => one(convGeneralDilated, [lhs, rhs], params),
    gather: (operand, indices, params) => one(gather, [operand, indices], params),
    scatter: (kind, operand, indices, updates, params) =>
      one(scatterPrimitives[kind], [operand, indices, updates], params),
    sort: (operands, params) => bind(sorting.sort, operands, params),
    topK: (x, k, axis) => {
      const [values, indices] = bind(sorting.topK, [x], { k, axis });
      if (values === undefined || indices === undefined) {
        throw new Error("internal error: top_k gives two results");
      }
      return [values, indices];
    },

    while: (condition, conditionConsts, body, bodyConsts, initial) =>
      bind(control.whileLoop, [...conditionConsts, ...bodyConsts, ...initial], {
        cond_nconsts: conditionConsts.length,
        cond_jaxpr: condition,
        body_nconsts: bodyConsts.length,
        body_jaxpr: body,
      }),
    cond: (index, branches, operands) =>
      bind(control.condBranch, [index, ...operands], { branches }),
    call: (name, program, args) => bind(call.jitCall, args, { name, jaxpr: program }),
  };
}
