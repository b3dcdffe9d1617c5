// The functions of the shape-polymorphic corpus, written with our functions under the names of its
// cases (scripts/oracle/shape_poly.py has the originals). Traced by symbolicCases.test.ts.
import {
  dims,
  grad,
  jit,
  jvp,
  lax,
  nn,
  numpy as np,
  random,
  vmap,
  type ArrayValue,
  type Dim,
} from "../../src/index.js";

export type CaseFunction = (...arrays: ArrayValue[]) => unknown;

const size = (x: ArrayValue, axis = 0): Dim => np.size(x, axis);
/** A size as an array. */
const value = (dim: Dim): ArrayValue => lax.dimAsValue(dim);
const conv1d = { dimensionNumbers: ["NWC", "WIO", "NWC"] } as const;
const sumOf = (...arrays: ArrayValue[]): ArrayValue =>
  arrays.map((x) => np.sum(x)).reduce((total, x) => np.add(total, x));
const addValue = (x: ArrayValue, dim: Dim): ArrayValue => np.add(x, value(dim));

const dimensions: Readonly<Record<string, CaseFunction>> = {
  reshape_flatten: (x) => np.reshape(x, -1),
  reshape_keep_batch: (x) => np.reshape(x, [size(x), -1]),
  reshape_merge_two: (x) => np.reshape(x, [dims.multiply(size(x), size(x, 1)), 3]),
  reshape_split_multiple: (x) => np.reshape(x, [dims.floorDivide(size(x), 4), 4]),
  reshape_square: (x) => np.reshape(x, dims.power(size(x), 2)),
  reshape_divisible: (x) => np.reshape(x, [dims.floorDivide(size(x), 2), 2]),
  squeeze_expand: (x) => np.index(np.squeeze(x, 1), ":", null, null),
  dim_as_value: (x) => np.multiply(np.array(value(size(x))), x),
  dim_product_value: (x) => np.divide(np.sum(x), value(dims.multiply(size(x), size(x, 1)))),
  dim_floordiv_value: (x) => addValue(x, dims.floorDivide(size(x), 3)),
  dim_floordiv_neg: (x) => addValue(x, dims.floorDivide(dims.subtract(2, size(x)), 3)),
  dim_mod_value: (x) => addValue(x, dims.mod(size(x), 3)),
  dim_mod_neg_divisor: (x) => addValue(x, dims.mod(size(x), -3)),
  dim_power_value: (x) => np.multiply(x, value(dims.power(size(x), 3))),
  dim_min_value: (x) => addValue(x, dims.min(size(x), 4)),
  dim_max_of_two: (x, y) => np.add(np.zeros(dims.max(size(x), size(y))), sumOf(x, y)),
  dim_difference: (x) => np.add(np.zeros(dims.subtract(size(x), 1)), np.sum(x)),
  dim_compare_where: (x) => np.where(np.greater(value(size(x)), 3), x, np.negative(x)),
  dim_to_int32_array: (x) => np.array([size(x), size(x, 1), dims.size(lax.shape(x))].map(value)),
  static_result: (x) => np.multiply(np.ones(3), value(size(x))),
  no_input_use: (x) => np.zeros([size(x), 2]),
  unused_arg: (_, y) => np.multiply(y, 2),
  offset_dims: (x, y) => np.add(np.index(x, "1:"), y),
  affine_dims: (x, y) => np.add(np.sum(x), y),
};

const shapes: Readonly<Record<string, CaseFunction>> = {
  concat_batch: (x, y) => np.concatenate([x, y]),
  concat_same: (x) => np.concatenate([x, x, x]),
  concat_feature: (x, y) => np.concatenate([x, y], 1),
  stack_batch: (x, y) => np.stack([x, y], 1),
  tile_dim_reps: (x) =>
    np.add(np.tile(np.arange(3, null, 1, { dtype: "float32" }), [size(x), 1]), x),
  repeat_static: (x) => np.repeat(x, 3, 0),
  broadcast_to: (x) => np.broadcastTo(x, [4, ...lax.shape(x)]),
  broadcast_add: (x, y) => np.add(x, y),
  broadcast_in_dim: (x) => lax.broadcastInDim(x, [size(x), 4, size(x)], [0]),
  expand_outer: (x, y) => np.multiply(np.index(x, ":", null), np.index(y, null, ":")),
  ones_like: (x) => np.subtract(np.onesLike(x), x),
  full_symbolic: (x) => np.add(np.full([size(x), dims.add(size(x, 1), 1)], 2.5), np.sum(x)),
  eye_symbolic: (x) => np.matmul(np.eye(size(x)), x),
  tri_mask: (x) => np.where(np.tril(np.ones([size(x), size(x)], { dtype: "bool" })), x, 0),
  iota_batch: (x) => np.add(x, np.arange(size(x))),
  arange_step: (x) => np.add(np.arange(0, dims.multiply(2, size(x)), 2), np.astype(x, "int32")),
  iota_2d: (x) => lax.broadcastedIota("int32", [size(x), 3, size(x, 1)], 2),
  linspace_values: (x) => np.add(np.divide(np.arange(size(x)), value(size(x))), x),
  meshgrid: (x, y) => np.meshgrid([x, y]),
  pad_const: (x) =>
    np.pad(
      x,
      [
        [1, 2],
        [0, 1],
      ],
      { constantValues: 3 },
    ),
  pad_interior: (x) =>
    lax.pad(x, 0.5, [
      [1, 0, 2],
      [0, 0, 1],
    ]),
  pad_negative: (x) => lax.pad(x, 0, [[-1, -1, 0]]),
  pad_reflect: (x) =>
    np.pad(
      x,
      [
        [0, 0],
        [2, 2],
      ],
      { mode: "reflect" },
    ),
  pad_edge: (x) =>
    np.pad(
      x,
      [
        [2, 1],
        [0, 0],
      ],
      { mode: "edge" },
    ),
  flip: (x) => np.flip(x, 0),
  swap_and_reshape: (x) => np.reshape(np.swapaxes(x, 0, 1), [4, -1]),
};

const indexing: Readonly<Record<string, CaseFunction>> = {
  slice_prefix: (x) => np.index(x, ":2"),
  slice_drop_first: (x) => np.index(x, "1:"),
  slice_drop_last: (x) => np.index(x, ":-1"),
  slice_stride: (x) => np.index(x, "::2"),
  slice_stride_offset: (x) => np.index(x, "1::3"),
  slice_last: (x) => np.index(x, -1),
  slice_in_dim_mid: (x) => lax.sliceInDim(x, 1, dims.subtract(size(x), 1)),
  dynamic_slice: (x, i) => lax.dynamicSlice(x, [i, 0], [size(x), 2]),
  dynamic_slice_static_size: (x, i) => lax.dynamicSliceInDim(x, i, 2),
  dynamic_update_slice: (x, y, i) => lax.dynamicUpdateSlice(x, y, [0, i]),
  dynamic_update_row: (x, y, i) => lax.dynamicUpdateSliceInDim(x, y, i, 0),
  take_rows: (x, i) => np.take(x, i, { axis: 0 }),
  take_clip: (x, i) => np.take(x, i, { axis: 0, mode: "clip" }),
  take_along_axis: (x, i) => np.takeAlongAxis(x, i, 1),
  gather_pairs: (x, i) => np.index(x, np.arange(size(x)), i),
  gather_static_table: (i) =>
    np.index(np.reshape(np.arange(0, 12, 1, { dtype: "float32" }), [6, 2]), i),
  gather_oob_fill: (x, i) => {
    const position = np.where(np.less(i, 0), np.add(i, value(size(x))), i);
    const numbers = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0] };
    const options = { mode: "fill", fillValue: -7 } as const;
    return lax.gather(x, np.expandDims(position, 1), numbers, [1, 2], options);
  },
  scatter_add_batch: (x, i) => np.add(np.at(np.zeros(size(x)), i).add(1), x),
  segment_sum: (x, i) => np.at(np.zeros([4, 2]), i).add(x),
  where_mask: (x, m) => np.where(m, x, 0),
  length_mask: (x, n) => {
    const isWithin = np.less(np.expandDims(np.arange(size(x, 1)), 0), np.expandDims(n, 1));
    return np.where(isWithin, x, 0);
  },
  one_hot_symbolic: (i, x) => nn.oneHot(i, size(x)),
};

const reductions: Readonly<Record<string, CaseFunction>> = {
  reduce_sum_batch: (x) => np.sum(x, { axis: 0 }),
  reduce_sum_all: (x) => np.sum(x),
  reduce_mean_batch: (x) => np.mean(x, { axis: 0 }),
  reduce_mean_all: (x) => np.mean(x),
  reduce_var: (x) => np.var(x, { axis: 0, ddof: 1 }),
  reduce_std: (x) => np.std(x, { axis: [0, 1] }),
  reduce_any_all: (x) => [
    np.any(np.greater(x, 1), { axis: 0 }),
    np.all(np.less(x, 1), { axis: 0 }),
  ],
  argmax_batch: (x) => np.argmax(x, { axis: 0 }),
  argmin_flat: (x) => np.argmin(x),
  logsumexp_symbolic: (x) => nn.logsumexp(x, { axis: 1 }),
  layer_norm: (x) => {
    const options = { axis: -1, keepdims: true };
    const deviation = np.sqrt(np.add(np.var(x, options), 1e-5));
    return np.divide(np.subtract(x, np.mean(x, options)), deviation);
  },
  cumsum_batch: (x) => np.cumsum(x, 0),
  cumsum_reverse: (x) => lax.cumsum(x, 0, { reverse: true }),
  cummax_batch: (x) => lax.cummax(x, 0),
  sort_batch: (x) => np.sort(x, { axis: 0 }),
  top_k_batch: (x) => lax.topK(x, 2),
  reduce_window: (x) => lax.reduceWindow(x, -Infinity, lax.max, [1, 2], [1, 2], "VALID"),
  reduce_window_symbolic: (x) => lax.reduceWindow(x, 0, lax.add, [3], [2], "SAME"),
  norm_axis0: (x) => np.linalg.norm(x, { axis: 0 }),
};

const scaledEye = (scale: number): ArrayValue => np.multiply(scale, np.eye(3));

const algebra: Readonly<Record<string, CaseFunction>> = {
  dot_batch: (x, w) => np.matmul(x, w),
  dot_inner: (x, y) => np.dot(x, y),
  dot_gram: (x) => np.matmul(x, np.transpose(x)),
  matmul_batched: (x, y) => np.matmul(x, y),
  einsum_outer: (x, y) => np.einsum("bi,bj->bij", x, y),
  tensordot: (x, y) => np.tensordot(x, y, 2),
  conv1d_batch: (x, w) => lax.convGeneralDilated(x, w, [1], "SAME", conv1d),
  conv1d_spatial: (x, w) => lax.convGeneralDilated(x, w, [1], "SAME", conv1d),
  conv1d_spatial_valid: (x, w) => lax.convGeneralDilated(x, w, [1], "VALID", conv1d),
  conv2d_image_size: (x, w) => {
    const padding = [
      [1, 1],
      [1, 1],
    ] as const;
    const layouts = ["NHWC", "HWIO", "NHWC"] as const;
    return lax.convGeneralDilated(x, w, [1, 1], padding, { dimensionNumbers: layouts });
  },
  avg_pool_image: (x) => {
    const window = [1, 2, 2, 1];
    return np.divide(lax.reduceWindow(x, 0, lax.add, window, window, "VALID"), 4);
  },
  cholesky_batch: (x) => np.linalg.cholesky(np.add(np.einsum("bij,bkj->bik", x, x), scaledEye(3))),
  triangular_solve_batch: (a, y) =>
    lax.linalg.triangularSolve(np.add(np.tril(a), scaledEye(4)), y, {
      leftSide: true,
      lower: true,
    }),
  solve_batch: (a, y) =>
    np.index(np.linalg.solve(np.add(a, scaledEye(6)), np.expandDims(y, -1)), "...", 0),
  fft_batch: (x) => np.abs(lax.fft(x, "RFFT", [8])),
};

const transformations: Readonly<Record<string, CaseFunction>> = {
  cond_batch: (x, p) =>
    lax.cond(
      p,
      (v) => np.multiply(v, 2),
      (v) => np.subtract(v, 1),
      x,
    ),
  while_accumulate: (x) =>
    lax.whileLoop(
      ([count]) => np.less(count, 3),
      ([count, total]) => [np.add(count, 1), np.add(total, x)],
      [np.int32(0), np.zerosLike(x)],
    )[1],
  scan_over_batch: (x) =>
    lax.scan((s, v: ArrayValue) => [np.add(s, v), np.multiply(s, v)], np.zeros(2), x),
  scan_over_time: (x) =>
    lax.scan(
      (s, v: ArrayValue) => [np.add(np.multiply(0.5, s), v), np.sum(s, { axis: -1 })],
      np.zeros([size(x), 2]),
      np.swapaxes(x, 0, 1),
    ),
  map_over_batch: (x) => lax.map((v: ArrayValue) => np.sum(np.sin(v)), x),
  vmap_while: (x) =>
    vmap((v: ArrayValue) =>
      lax.whileLoop(
        (s) => np.less(s, 5),
        (s) => np.add(np.add(s, 1), np.multiply(v, v)),
        v,
      ),
    )(x),
  grad_mean_loss: (w, x, y) =>
    grad((v: ArrayValue) => np.mean(np.square(np.subtract(np.matmul(x, v), y))))(w),
  jvp_tanh: (x) => jvp((v: ArrayValue) => np.tanh(v), [x], [np.onesLike(x)])[1],
  nested_jit: (x) =>
    np.add(jit((v: ArrayValue) => np.multiply(np.reshape(v, -1), value(size(v))))(x), 1),
  random_uniform: (k, x) => np.add(random.uniform(k, lax.shape(x)), x),
  random_normal: (k, x) => np.add(random.normal(k, [size(x), 2]), x),
  random_split: (k, x) => random.split(k, size(x)),
  int_arithmetic: (x) => np.remainder(np.floorDivide(np.multiply(x, value(size(x))), 3), 5),
  bfloat16_mean: (x) => np.astype(np.mean(np.astype(x, "bfloat16"), { axis: 0 }), "float32"),
  dict_output: (x) => ({ sum: np.sum(x), n: value(size(x)), x2: [x, np.multiply(x, 2)] }),
  identity_passthrough: (x, y) => [y, x],
  constraint_bounded: (x) => np.index(x, np.slice(dims.subtract(8, dims.subtract(8, size(x))))),
};

/** Calls of these are refused for some sizes. */
const refusing: Readonly<Record<string, CaseFunction>> = {
  bad_square: sumOf,
  bad_same_dim_two_args: (x, y) => np.add(x, np.sum(y)),
  bad_multiple: (x) => np.reshape(x, [-1, 3]),
  bad_affine: sumOf,
  bad_affine_minus: sumOf,
  bad_zero_size: sumOf,
  bad_zero_size_multiple: sumOf,
  bad_static_dim: sumOf,
  bad_rank: sumOf,
  bad_constraint_ge: sumOf,
  bad_constraint_eq: sumOf,
  bad_constraint_sum: sumOf,
  bad_constraint_floordiv: sumOf,
  bad_product_dims: (x, y, z) => np.add(sumOf(x, y), z),
  bad_max_dims: (x, y, z) => np.add(sumOf(x, y), z),
  bad_three_inputs: (x, y, z) => np.matmul(np.matmul(x, y), z),
  bad_second_multiple: sumOf,
};

export const caseFunctions: ReadonlyMap<string, CaseFunction> = new Map(
  [dimensions, shapes, indexing, reductions, algebra, transformations, refusing].flatMap((table) =>
    Object.entries(table),
  ),
);

/** Functions of an array [b, 5], b >= 2, of the kinds that the corpus has few of. */
export const furtherFunctions: Readonly<Record<string, (x: ArrayValue) => ArrayValue>> = {
  sliceHalf: (x) => np.index(x, np.slice(dims.floorDivide(np.size(x, 0), 2))),
  sliceFromHalf: (x) => np.index(x, np.slice(dims.floorDivide(np.size(x, 0), 2), null)),
  sliceNegative: (x) => np.index(x, "-2:"),
  sliceMiddle: (x) => np.index(x, "1:-1"),
  sliceBeyond: (x) => np.index(x, ":4"),
  sliceEmpty: (x) => np.index(x, "4:2"),
  sliceReversed: (x) => np.index(x, "::-1"),
  sliceReversedSteps: (x) => np.index(x, "::-3"),
  sliceReversedEnd: (x) => np.index(x, "-2::-1"),
  sliceReversedTail: (x) => np.index(x, ":-3:-1"),
  sliceAndArray: (x) => np.index(x, "1:", [0, -1]),
  stepsAndArray: (x) => np.index(x, "::2", [0, 3]),
  arrayOfPositions: (x) => np.index(x, [0, -1, 1]),
  beforeLast: (x) => np.index(x, -2),
  lastOfRow: (x) => np.index(x, -1, [1, 2]),
  setSlice: (x) => np.at(x, "1:").set(7),
  addToLast: (x) => np.at(x, -1, ":").add(1),
  setSteps: (x) => np.at(x, "::2").multiply(2),
  rollForward: (x) => np.roll(x, 1, 0),
  rollBackward: (x) => np.roll(x, -3, 0),
  rollFlat: (x) => np.roll(x, 2),
  rangeBounds: (x) => np.arange(2, dims.add(np.size(x, 0), 2)),
  rangeDown: (x) => np.arange(np.size(x, 0), 0, -2),
  rangeSteps: (x) => np.arange(1, np.size(x), 3, { dtype: "float32" }),
  padBySize: (x) =>
    np.pad(
      x,
      [
        [0, np.size(x, 0)],
        [1, 0],
      ],
      { constantValues: 2 },
    ),
  padBoth: (x) => np.pad(x, dims.subtract(np.size(x, 0), 1)),
  padEdge: (x) => np.pad(x, 2, { mode: "edge" }),
  tileBySize: (x) => np.tile(x, [1, np.size(x, 0)]),
  takeFlat: (x) => np.take(x, [0, 7, -1]),
  takeWrapped: (x) => np.take(x, [-11, 9, 20], { axis: 0, mode: "wrap" }),
  oneHot: (x) => nn.oneHot(np.arange(5), np.size(x, 0)),
  trueDivision: (x) => np.multiply(x, np.divide(lax.dimAsValue(np.size(x, 0)), 2)),
  loopOverSize: (x) =>
    lax.foriLoop(
      0,
      lax.dimAsValue(np.size(x, 0)),
      (i, v: ArrayValue) => np.add(np.multiply(v, 0.5), i),
      x,
    ),
  split: (x) => np.concatenate(np.split(x, [1, 3], 1).toReversed(), 1),
  median: (x) => np.median(x, 1),
  triangle: (x) => np.triu(np.matmul(x, np.transpose(x)), 1),
};

/** Cases without a function of ours, and why. */
export const notExpressible: ReadonlyMap<string, string> = new Map([
  ["image_resize_batch", "there is no jax.image"],
]);
