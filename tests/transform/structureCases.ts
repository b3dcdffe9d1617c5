// The programs whose derivatives and batches structureTransforms.test.ts checks: primitives that
// rearrange, cut, join, reduce, scan, sort and choose.
import { reduceXor } from "../../primitives/reduce.js";
import { reshape } from "../../primitives/shape.js";
import { split, stack, tile, unstack } from "../../primitives/slice.js";
import { approxTopK } from "../../primitives/sort.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { mulDims, type Dim } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { at, build } from "./programs.js";

/** Sizes `b` and `t`: numbers, or symbolic. */
export interface Sizes {
  readonly b: Dim;
  readonly t: Dim;
}

export interface Case {
  readonly title: string;
  /** `f32`, `c64`, `i32` or `bool`, then sizes: numbers, `b`, `t`. */
  readonly inputs: readonly string[];
  readonly body: (o: Ops, inputs: readonly Value[], sizes: Sizes) => readonly Value[];
  /** Sizes must be numbers; gradients have no slope to compare with, or none are taken. */
  readonly fixed?: boolean;
  readonly slope?: boolean;
  readonly derivative?: boolean;
}

const dtypes: Readonly<Record<string, DType>> = {
  f32: "float32",
  c64: "complex64",
  i32: "int32",
  bool: "bool",
};

function avalOf(text: string, sizes: Sizes): ShapedArray {
  const [kind = "", ...names] = text.split(" ");
  const dtype = dtypes[kind];
  if (dtype === undefined) throw new Error(`no dtype ${kind}`);
  const dim = (name: string): Dim =>
    name === "b" ? sizes.b : name === "t" ? sizes.t : Number(name);
  return shapedArray(dtype, names.map(dim));
}

/** The program of a case for these sizes. */
export function programOf({ inputs, body }: Case, sizes: Sizes): ClosedJaxpr {
  return build(
    inputs.map((text) => avalOf(text, sizes)),
    (o, values) => body(o, values, sizes),
  );
}

/** Makes linear primitives part of something that has second derivatives. */
const squared = (o: Ops, values: readonly Value[]): readonly Value[] =>
  values.map((value) => o.mul(value, value));

/** The first input. */
const x = (inputs: readonly Value[]): Value => at(inputs, 0);
const y = (inputs: readonly Value[]): Value => at(inputs, 1);
const z = (inputs: readonly Value[]): Value => at(inputs, 2);

const moves: readonly Case[] = [
  {
    title: "broadcast_in_dim",
    inputs: ["f32 b 1 t"],
    body: (o, v, { b, t }) => squared(o, [o.broadcastInDim(x(v), [3, b, 2, t], [1, 2, 3])]),
  },
  {
    title: "broadcast_in_dim in another order",
    inputs: ["f32 b 2"],
    body: (o, v, { b }) => squared(o, [o.broadcastInDim(x(v), [2, 3, b], [2, 0])]),
  },
  {
    title: "broadcast_in_dim of a scalar",
    inputs: ["f32"],
    body: (o, v, { b }) => squared(o, [o.broadcastInDim(x(v), [b], [])]),
  },
  {
    title: "reshape",
    inputs: ["c64 b 2 t"],
    body: (o, v, { b, t }) => squared(o, [o.reshape(x(v), [b, mulDims(2, t)])]),
  },
  {
    title: "reshape of a transpose",
    inputs: ["f32 b 2 3"],
    fixed: true,
    body: (o, v) =>
      squared(o, o.bind(reshape, [x(v)], { new_sizes: [6, 4], dimensions: [2, 0, 1] })),
  },
  {
    title: "transpose",
    inputs: ["f32 b 2 t"],
    body: (o, v) => squared(o, [o.transpose(x(v), [1, 2, 0])]),
  },
  {
    title: "squeeze",
    inputs: ["f32 b 1 t 1"],
    body: (o, v) => squared(o, [o.squeeze(x(v), [1, 3])]),
  },
  { title: "rev", inputs: ["f32 b 2 t"], body: (o, v) => squared(o, [o.rev(x(v), [0, 2])]) },
  {
    title: "slice with strides",
    inputs: ["f32 b 5"],
    body: (o, v, { b }) => squared(o, [o.slice(x(v), [0, 1], [b, 5], [2, 3])]),
  },
  {
    title: "concatenate",
    inputs: ["f32 b 2", "f32 t 2", "f32 b 2"],
    body: (o, v) => squared(o, [o.concatenate([x(v), y(v), x(v), z(v)], 0)]),
  },
  {
    title: "stack",
    inputs: ["f32 b 2", "f32 b 2"],
    body: (o, v) => squared(o, o.bind(stack, [x(v), y(v), x(v)], { axis: 1 })),
  },
  {
    title: "unstack",
    inputs: ["f32 b 3"],
    body: (o, v) => squared(o, o.bind(unstack, [x(v)], { axis: 1 }).slice(1)),
  },
  {
    title: "split",
    inputs: ["f32 b 6"],
    body: (o, v) => {
      const [first, , last] = o.bind(split, [x(v)], { sizes: [1, 3, 2], axis: 1 });
      return first === undefined || last === undefined ? [] : [o.mul(last, first)];
    },
  },
  {
    title: "tile",
    inputs: ["f32 b 2"],
    body: (o, v, { t }) => squared(o, o.bind(tile, [x(v)], { reps: [2, t] })),
  },
  {
    title: "pad",
    inputs: ["f32 b 3", "f32"],
    body: (o, v) => {
      const config = [[1, -1, 1] as const, [-1, 2, 0] as const];
      return squared(o, [o.pad(x(v), y(v), config)]);
    },
  },
  {
    title: "dynamic_slice",
    inputs: ["f32 b 5", "i32", "i32"],
    body: (o, v, { b }) => squared(o, [o.dynamicSlice(x(v), [y(v), z(v)], [b, 2])]),
  },
  {
    title: "dynamic_update_slice",
    inputs: ["f32 b 5", "f32 1 2", "i32", "i32"],
    body: (o, v) => squared(o, [o.dynamicUpdateSlice(x(v), y(v), [z(v), at(v, 3)])]),
  },
  {
    title: "stop_gradient",
    inputs: ["f32 b"],
    slope: false,
    body: (o, v) => [o.mul(x(v), o.stopGradient(x(v)))],
  },
];

/** A general reduction with a computation of two arguments for each operand. */
function generalReduce(
  operands: number,
  computation: (o: Ops, left: readonly Value[], right: readonly Value[]) => readonly Value[],
  dtype: DType = "float32",
): Case["body"] {
  return (o, inputs) => {
    const scalars = Array.from({ length: 2 * operands }, () => shapedArray(dtype, []));
    const program = o.programs.build(scalars, (inner, args) =>
      computation(inner, args.slice(0, operands), args.slice(operands)),
    );
    return o.reduce(inputs.slice(0, operands), inputs.slice(operands), program, [0, 2]);
  };
}

const reductions: readonly Case[] = [
  {
    title: "reduce_sum",
    inputs: ["f32 b 2 t"],
    body: (o, v) => squared(o, [o.reduceSum(x(v), [0, 2])]),
  },
  {
    title: "reduce_prod",
    inputs: ["f32 b 2 t"],
    body: (o, v) => [o.reduceProd(x(v), [0, 2]), o.reduceProd(x(v), [1])],
  },
  {
    title: "reduce_prod of complex numbers",
    inputs: ["c64 b 3"],
    fixed: true,
    body: (o, v) => [o.reduceProd(x(v), [1])],
  },
  {
    title: "reduce_max",
    inputs: ["f32 b 2 t"],
    body: (o, v) => squared(o, [o.reduceMax(x(v), [0, 2]), o.reduceMin(x(v), [1])]),
  },
  {
    title: "reduce_and, reduce_or, reduce_xor",
    inputs: ["bool b 2 t"],
    derivative: false,
    body: (o, v) => [
      o.reduceAnd(x(v), [0]),
      o.reduceOr(x(v), [1, 2]),
      ...o.bind(reduceXor, [x(v)], { axes: [0, 1] }),
    ],
  },
  {
    title: "argmax and argmin",
    inputs: ["f32 b 3 t"],
    derivative: false,
    body: (o, v) => [o.argmax(x(v), 1, "int32"), o.argmin(x(v), 0, "int32")],
  },
  {
    title: "reduce with a computation",
    inputs: ["f32 b 2 t", "f32"],
    fixed: true,
    body: generalReduce(1, (o, [a], [b]) =>
      a === undefined || b === undefined ? [] : [o.add(o.add(a, b), o.mul(a, b))],
    ),
  },
  {
    title: "reduce of two operands",
    inputs: ["f32 b 2 t", "f32 b 2 t", "f32", "f32"],
    fixed: true,
    // Products of dual numbers: the first operand also acts on the second.
    body: generalReduce(2, (o, [a, c], [b, d]) =>
      a === undefined || b === undefined || c === undefined || d === undefined
        ? []
        : [o.mul(a, b), o.add(o.mul(a, d), o.mul(c, b))],
    ),
  },
  ...[false, true].flatMap((reverse): readonly Case[] => [
    {
      title: `cumsum ${reverse ? "from behind" : ""}`,
      inputs: ["f32 b t"],
      body: (o, v) => squared(o, [o.cumsum(x(v), 1, reverse)]),
    },
    {
      title: `cumprod ${reverse ? "from behind" : ""}`,
      inputs: ["f32 b t"],
      body: (o, v) => [o.cumprod(x(v), 1, reverse)],
    },
    {
      title: `cummax and cummin ${reverse ? "from behind" : ""}`,
      inputs: ["f32 b t"],
      body: (o, v) => squared(o, [o.cummax(x(v), 0, reverse), o.cummin(x(v), 0, reverse)]),
    },
    {
      title: `cumlogsumexp ${reverse ? "from behind" : ""}`,
      inputs: ["f32 b t"],
      body: (o, v) => [o.cumlogsumexp(x(v), 0, reverse)],
    },
    {
      title: `scans of complex numbers ${reverse ? "from behind" : ""}`,
      inputs: ["c64 b 5"],
      fixed: true,
      body: (o, v) => [
        o.cumsum(x(v), 1, reverse),
        o.cumprod(x(v), 1, reverse),
        o.cummax(x(v), 1, reverse),
        o.cumlogsumexp(x(v), 1, reverse),
      ],
    },
  ]),
];

const choices: readonly Case[] = [
  {
    title: "sort",
    inputs: ["f32 b t", "f32 b t", "i32 b t"],
    body: (o, v) => {
      const params = { dimension: 0, is_stable: true, num_keys: 1 };
      const [keys, values] = o.sort(v, params);
      return keys === undefined || values === undefined ? [] : [o.mul(keys, values)];
    },
  },
  {
    title: "top_k",
    inputs: ["f32 b 5"],
    body: (o, v) => {
      const [values, places] = o.topK(x(v), 2, 1);
      return [o.mul(values, values), places];
    },
  },
  {
    title: "approx_top_k",
    inputs: ["f32 5 b"],
    body: (o, v) =>
      o.bind(approxTopK, [x(v)], {
        k: 2,
        reduction_dimension: 0,
        recall_target: 0.95,
        is_max_k: false,
        reduction_input_size_override: -1,
        aggregate_to_topk: true,
      }),
  },
  {
    title: "select_n by a scalar",
    inputs: ["bool", "f32 b 2", "f32 b 2"],
    body: (o, v) => squared(o, [o.selectN(x(v), y(v), z(v))]),
  },
  {
    title: "select_n of three cases",
    inputs: ["i32 b 2", "f32 b 2", "f32 b 2", "f32 b 2"],
    body: (o, v) => squared(o, [o.selectN(x(v), y(v), z(v), at(v, 3))]),
  },
  {
    title: "clamp between scalars",
    inputs: ["f32", "f32 b 2", "f32"],
    body: (o, v) => squared(o, [o.clamp(o.sub(x(v), o.literal(1, "float32")), y(v), z(v))]),
  },
  {
    title: "max and min with a scalar",
    inputs: ["f32 b 2", "f32"],
    body: (o, v) => squared(o, [o.max(x(v), y(v)), o.min(x(v), y(v))]),
  },
  {
    title: "arithmetic with a scalar",
    inputs: ["f32 b 2", "f32"],
    body: (o, v) => [o.div(o.mul(x(v), y(v)), o.add(o.exp(y(v)), o.square(x(v))))],
  },
  {
    title: "parts of complex numbers",
    inputs: ["c64 b 2"],
    fixed: true,
    body: (o, v) => [o.abs(x(v)), o.mul(o.conj(x(v)), x(v)), o.complex(o.imag(x(v)), o.real(x(v)))],
  },
  {
    title: "conversions",
    inputs: ["f32 b 2"],
    body: (o, v) => {
      const integers = o.convertElementType(x(v), "int32");
      const product = o.mul(o.convertElementType(integers, "float32"), x(v));
      return [o.convertElementType(o.convertElementType(product, "complex64"), "float32")];
    },
  },
];

export const cases: readonly Case[] = [...moves, ...reductions, ...choices];
