/**
 * Records of the random number generators' hash, threefry2x32, and of the counters it is fed with.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { isStaticShape, shapeSize, type Shape } from "../src/ir/dims.js";
import { elementCount, fromNumbers, toNumbers, type HostArray } from "../src/ir/hostArray.js";
import type { NoParams } from "../src/ir/params.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import { broadcastShape, checkCount, elementwiseBatch } from "./factories.js";
import { rowMajorStrides, stridedView } from "./hostViews.js";
import { at, dtypeMismatch, emptyValue, isEmptyShape } from "./support.js";
import { threefryGraph, threefryWords } from "./threefry.js";

function checkWords(name: string, inputs: readonly ShapedArray[]): void {
  if (inputs.every(({ dtype }) => dtype === "uint32")) return;
  const list = inputs.map(({ dtype }) => dtype).join(", ");
  throw dtypeMismatch(`Arguments to ${name} must have uint32 type, got ${list}`);
}

/** An array repeated to a shape that it broadcasts to. */
function broadcastTo(array: HostArray, shape: Shape): Float64Array | null {
  const offset = shape.length - array.shape.length;
  const own = rowMajorStrides(array.shape);
  const strides = shape.map((_, axis) =>
    axis < offset || array.shape[axis - offset] === 1 ? 0 : (own[axis - offset] ?? 0),
  );
  const view = stridedView(array, shape, 0, strides);
  return view === null ? null : toNumbers(view);
}

function foldThreefry(inputs: readonly HostArray[], shape: Shape): readonly HostArray[] | null {
  if (!isStaticShape(shape)) return null;
  const words = inputs.map((input) => broadcastTo(input, shape));
  const count = elementCount(shape);
  const results = [new Uint32Array(count), new Uint32Array(count)];
  for (let index = 0; index < count; index++) {
    const [key0 = 0, key1 = 0, x0 = 0, x1 = 0] = words.map((values) => values?.[index] ?? 0);
    threefryWords(key0, key1, x0, x1).forEach((word, place) => {
      at(results, place)[index] = word;
    });
  }
  return results.map((values) => fromNumbers("uint32", shape, values));
}

export const threefry2x32: Primitive<NoParams> = definePrimitive<NoParams>({
  name: "threefry2x32",
  manyNodes: "20 rounds of additions, rotations and exclusive ors, as matrix products over bits.",
  abstractEval: (inputs) => {
    checkCount("threefry2x32", inputs, 4);
    checkWords("threefry2x32", inputs);
    const out = shapedArray("uint32", broadcastShape("threefry2x32", inputs));
    return [out, out];
  },
  jvp: (o, primals) => ({
    primals: o.bind(threefry2x32, primals, {}),
    tangents: [null, null],
  }),
  transpose: none("threefry2x32 is not linear"),
  batch: elementwiseBatch(() => threefry2x32),
  tfjs: (tf, inputs, _params, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return outs.map((aval) => emptyValue(tf, aval));
    const [key0, key1, x0, x1] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(inputs, 3)];
    const words = threefryGraph(tf, [key0, key1, x0, x1], out.shape);
    return words.map(({ high, low }) => tf.fromLimbs(high, low, out));
  },
  traits: { elementwise: true },
  // 20 rounds of one addition, rotation and exclusive or, each in the domain where it is one node.
  flops: (_inputs, _params, outs) => {
    const { shape } = at(outs, 0);
    return 60 * shape.reduce<number>((size, dim) => size * (typeof dim === "number" ? dim : 1), 1);
  },
  fold: (inputs, _params, outs) => foldThreefry(inputs, at(outs, 0).shape),
});

export type Iota2x32ShapeParams = { readonly shape: Shape };

/** Indices above this have a second word, and tfjs no way to count that far. */
const mostElements = 2 ** 31;

export const iota2x32Shape: Primitive<Iota2x32ShapeParams> = definePrimitive<Iota2x32ShapeParams>({
  name: "iota_2x32_shape",
  abstractEval: (inputs, { shape }) => {
    checkCount("iota_2x32_shape", inputs, 0);
    const out = shapedArray("uint32", shape);
    return [out, out];
  },
  jvp: (o, _primals, _tangents, params) => ({
    primals: o.bind(iota2x32Shape, [], params),
    tangents: [null, null],
  }),
  transpose: none("iota_2x32_shape has no inputs"),
  batch: (o, _inputs, _dims, params) => ({
    outputs: o.bind(iota2x32Shape, [], params),
    dims: [null, null],
  }),
  tfjs: (tf, _inputs, { shape }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(shape)) return outs.map((aval) => emptyValue(tf, aval));
    const low = tf.reshape(tf.range(shapeSize(shape)), shape);
    return [tf.value(tf.scalar(0, "int32"), out), tf.value(low, out)];
  },
  fold: (_inputs, { shape }) => {
    if (!isStaticShape(shape) || elementCount(shape) > mostElements) return null;
    const count = elementCount(shape);
    const low = Uint32Array.from({ length: count }, (_, index) => index);
    return [
      fromNumbers("uint32", shape, new Uint32Array(count)),
      fromNumbers("uint32", shape, low),
    ];
  },
});
