/**
 * The record of gather, in full generality: indexed dimensions are flattened into one, start
 * vectors into one clamped index each, windows into index offsets, and one GatherV2 does the rest.
 */
import { shapedArray } from "../src/ir/aval.js";
import { dimEquals, mulDims, type Dim, type Shape } from "../src/ir/dims.js";
import { isComplex, isFloat, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import type { GatherParams } from "../src/ir/params.js";
import { definePrimitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { gatherShape } from "./gatherShape.js";
import { gatherBatch, gatherJvp, gatherTranspose } from "./gatherTransforms.js";
import {
  flattenStarts,
  flatStrides,
  startsInBounds,
  windowOffsets,
  type Component,
} from "./indices.js";
import { identityOf } from "./reduce.js";
import { permute, reshapeTo } from "./shape.js";
import {
  at,
  dtypeMismatch,
  emptyValue,
  isEmptyShape,
  moveData,
  realTfDtype,
  upTo,
} from "./support.js";
import { wordOf } from "./wordMath.js";

/** Where the dimensions of the operand go. */
interface Layout {
  /** Paired with dimensions of the indices. */
  readonly batch: readonly number[];
  /** Moved along by a component of the start vector. */
  readonly indexed: readonly number[];
  /** Taken whole, in front of the indexed dimensions and behind. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function layoutOf(
  operand: Shape,
  { dimension_numbers: numbers, slice_sizes }: GatherParams,
): Layout {
  const batch = numbers.operand_batching_dims;
  const indexed = [...numbers.start_index_map]
    .filter((axis) => !dimEquals(at(operand, axis), at(slice_sizes, axis)))
    .sort((a, b) => a - b);
  const whole = upTo(operand.length).filter(
    (axis) => !batch.includes(axis) && !indexed.includes(axis),
  );
  const first = indexed[0] ?? operand.length;
  return {
    batch,
    indexed,
    before: whole.filter((axis) => axis < first),
    after: whole.filter((axis) => axis > first),
  };
}

/** Components in the order of `start_index_map`; those with a full window weigh nothing. */
function componentsOf(
  operand: Shape,
  params: GatherParams,
  indexed: readonly number[],
): readonly Component[] {
  const strides = flatStrides(indexed.map((axis) => at(operand, axis)));
  return params.dimension_numbers.start_index_map.map((axis) => {
    const place = indexed.indexOf(axis);
    return {
      size: at(operand, axis),
      window: at(params.slice_sizes, axis),
      stride: place < 0 ? 0 : at(strides, place),
    };
  });
}

/** The operand as [batch, before, flattened indexed, after], cut where a whole window is shorter. */
function arrangeOperand(tf: Tf, x: Tensor, layout: Layout, sliceSizes: Shape): Tensor {
  const { batch, before, indexed, after } = layout;
  const size = x.shape.map((dim, axis) =>
    before.includes(axis) || after.includes(axis) ? at(sliceSizes, axis) : dim,
  );
  const isCut = size.some((dim, axis) => !dimEquals(dim, at(x.shape, axis)));
  const cut = isCut
    ? tf.slice(
        x,
        x.shape.map(() => 0),
        size,
      )
    : x;
  const moved = permute(tf, cut, [...batch, ...before, ...indexed, ...after]);
  const lead = batch.length + before.length;
  if (indexed.length === 1) return moved;
  const flat = indexed.reduce<Dim>((product, axis) => mulDims(product, at(size, axis)), 1);
  return tf.reshape(moved, [
    ...moved.shape.slice(0, lead),
    flat,
    ...moved.shape.slice(lead + indexed.length),
  ]);
}

/** A dimension of the result: of the indices or of the window in the operand. */
type Label = `index ${number}` | `window ${number}`;

/** Brings a tensor with labelled dimensions into the order of the result. */
function arrangeResult(
  tf: Tf,
  x: Tensor,
  labels: readonly Label[],
  params: GatherParams,
  out: Shape,
): Tensor {
  const { offset_dims, collapsed_slice_dims, operand_batching_dims } = params.dimension_numbers;
  const windowDims = upTo(params.slice_sizes.length).filter(
    (axis) => !collapsed_slice_dims.includes(axis) && !operand_batching_dims.includes(axis),
  );
  let [window, place] = [0, 0];
  const wanted = out.map((_, axis): Label =>
    offset_dims.includes(axis) ? `window ${at(windowDims, window++)}` : `index ${place++}`,
  );
  const present = wanted.filter((label) => labels.includes(label));
  const leftover = labels.filter((label) => !wanted.includes(label));
  // Collapsed whole dimensions have size 1: they go to the end, and away with the reshape.
  const order = [...present, ...leftover].map((label) => labels.indexOf(label));
  return reshapeTo(tf, permute(tf, x, order), out);
}

/** What a gather does, apart from moving the data: prepared once for all tensors of a carrier. */
interface Plan {
  readonly layout: Layout;
  readonly places: Tensor;
  readonly labels: readonly Label[];
}

function planGather(
  tf: Tf,
  operand: Shape,
  starts: Tensor,
  unsigned: boolean,
  params: GatherParams,
): Plan {
  const layout = layoutOf(operand, params);
  const { before, indexed, after } = layout;
  const components = componentsOf(operand, params, indexed);
  const paired = params.dimension_numbers.start_indices_batching_dims;
  const free = upTo(starts.shape.length - 1).filter((axis) => !paired.includes(axis));
  const order = [...paired, ...free, starts.shape.length - 1];
  let places = flattenStarts(tf, permute(tf, starts, order), components, unsigned);
  const windowed = indexed.filter((axis) => at(params.slice_sizes, axis) !== 1);
  const offsets = windowOffsets(
    tf,
    windowed.map((axis) => at(components, params.dimension_numbers.start_index_map.indexOf(axis))),
  );
  if (offsets !== null) {
    const spread = tf.reshape(places, [...places.shape, ...windowed.map(() => 1)]);
    places = tf.binary("AddV2", spread, offsets);
  }
  const labels: readonly Label[] = [
    ...paired.map((axis): Label => `index ${axis}`),
    ...before.map((axis): Label => `window ${axis}`),
    ...free.map((axis): Label => `index ${axis}`),
    ...windowed.map((axis): Label => `window ${axis}`),
    ...after.map((axis): Label => `window ${axis}`),
  ];
  return { layout, places, labels };
}

/** What JAX fills in for indices out of bounds when the program does not say. */
function fillValue(dtype: DType, given: number | boolean | null): number | boolean {
  if (given !== null) return given;
  if (isFloat(dtype) || isComplex(dtype)) return NaN;
  if (dtype === "bool") return true;
  return identityOf(kindOf(dtype) === "unsigned" ? "min" : "max", dtype);
}

function fillScalar(tf: Tf, fill: number | boolean, dtype: "float32" | "int32" | "bool"): Tensor {
  if (dtype === "bool") return tf.scalar(fill !== false && fill !== 0, dtype);
  return tf.scalar(dtype === "int32" ? Number(fill) | 0 : Number(fill), dtype);
}

/** The mask with dimensions of size 1 where the result has window dimensions. */
function placeMask(tf: Tf, mask: Tensor, offsetDims: readonly number[], rank: number): Tensor {
  let place = 0;
  const shape = upTo(rank).map((axis) => (offsetDims.includes(axis) ? 1 : at(mask.shape, place++)));
  return reshapeTo(tf, mask, shape);
}

export const gather = definePrimitive<GatherParams>({
  name: "gather",
  traits: { keys: true },
  abstractEval: (inputs, params) => {
    checkCount("gather", inputs, 2);
    const x = at(inputs, 0);
    const indices = at(inputs, 1);
    if (!isInteger(indices.dtype)) throw dtypeMismatch("indices must have an integer type");
    return [shapedArray(x.dtype, gatherShape(x.shape, indices.shape, params), x.weakType)];
  },
  jvp: gatherJvp,
  transpose: gatherTranspose,
  batch: gatherBatch,
  tfjs: (tf, inputs, params, outs) => {
    const x = at(inputs, 0);
    const indices = at(inputs, 1);
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const starts = tf.tensor(indices);
    const unsigned = kindOf(indices.aval.dtype) === "unsigned";
    const operand = x.aval.shape;
    const plan = planGather(tf, operand, starts, unsigned, params);
    const { batch, before } = plan.layout;
    const axis = batch.length + before.length;
    const gathered = moveData(tf, [x], out, (parts) => {
      const arranged = arrangeOperand(tf, at(parts, 0), plan.layout, params.slice_sizes);
      const taken = tf.gather(arranged, plan.places, axis, batch.length);
      return arrangeResult(tf, taken, plan.labels, params, out.shape);
    });
    if (params.mode !== "fill") return [gathered];
    const components = componentsOf(operand, params, plan.layout.indexed);
    const { offset_dims } = params.dimension_numbers;
    const inside = startsInBounds(tf, starts, components, unsigned);
    const mask = placeMask(tf, inside, offset_dims, out.shape.length);
    const fill = fillValue(x.aval.dtype, params.fill_value);
    if (isComplex(out.dtype)) {
      const { re, im } = tf.pair(gathered);
      const outside = [fillScalar(tf, fill, "float32"), tf.scalar(0, "float32")] as const;
      return [tf.fromPair(tf.select(mask, re, outside[0]), tf.select(mask, im, outside[1]), out)];
    }
    if (gathered.carrier.kind === "limbs") {
      const outside = wordOf(tf, Number(fill));
      const { high, low } = gathered.carrier;
      const upper = tf.select(mask, high, outside.high);
      return [tf.fromLimbs(upper, tf.select(mask, low, outside.low), out)];
    }
    const outside = fillScalar(tf, fill, realTfDtype(out.dtype));
    return [moveData(tf, [gathered], out, (parts) => tf.select(mask, at(parts, 0), outside))];
  },
  limits: [
    {
      when: "the indexed dimensions together have more than 2^24 elements, on webgl or webgpu",
      effect: "wrong elements",
      why: "int32 is float32 there",
    },
  ],
});
