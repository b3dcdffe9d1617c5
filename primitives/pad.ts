/** The record of pad: negative amounts cut, interior amounts spread the elements apart. */
import { shapedArray } from "../src/ir/aval.js";
import {
  addDims,
  isStaticShape,
  maxDim,
  mulDims,
  negDim,
  printShape,
  shapeEquals,
  shapeSize,
  subDims,
  tryCompare,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import { valuesOf, type HostArray } from "../src/ir/hostArray.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { positionOf, rowMajorStrides, stridedView, stridedWrite } from "./hostViews.js";
import { reshapeTo } from "./shape.js";
import { linearJvp } from "./shapeTransforms.js";
import { padBatch, padTranspose } from "./sliceTransforms.js";
import {
  at,
  dtypeMismatch,
  emptyValue,
  invalid,
  isEmptyShape,
  moveData,
  shapeMismatch,
  upTo,
  withSize,
} from "./support.js";

/** Amounts for one dimension; low and high may be negative. */
export type PaddingConfig = readonly (readonly [low: Dim, high: Dim, interior: number])[];

export type PadParams = { readonly padding_config: PaddingConfig };

function printConfig(config: PaddingConfig): string {
  return `(${config.map((amounts) => printShape(amounts)).join(", ")}${config.length === 1 ? "," : ""})`;
}

/** `max(0, 1 + factor * (size - 1))`, JAX's `dilate_dim`. */
export function dilatedSize(size: Dim, factor: number): Dim {
  return factor === 1 ? size : maxDim(addDims(mulDims(subDims(size, 1), factor), 1), 0);
}

function paddedShape(x: Shape, config: PaddingConfig): Shape {
  if (config.length !== x.length) {
    throw invalid(
      "length of padding_config must equal the number of axes of operand, got padding_config " +
        `${printConfig(config)} for operand shape ${printShape(x)}`,
    );
  }
  if (config.some(([, , interior]) => !(Number.isInteger(interior) && interior >= 0))) {
    throw invalid(
      `interior padding in padding_config must be nonnegative, got padding_config ${printConfig(config)}`,
    );
  }
  const shape = config.map(([low, high, interior], axis) =>
    addDims(addDims(low, high), dilatedSize(at(x, axis), interior + 1)),
  );
  if (shape.some((dim) => tryCompare(dim, ">=", 0) === false)) {
    throw shapeMismatch(
      `Dimension size after padding is not at least 0, got result shape ${printShape(shape)}, for ` +
        `padding_config ${printConfig(config)} and operand shape ${printShape(x)}`,
    );
  }
  return shape;
}

/** Puts `interior` padding elements between neighbours along `axis`. */
function spread(
  tf: Tf,
  x: Tensor,
  axis: number,
  interior: number,
  value: number | boolean,
): Tensor {
  const size = at(x.shape, axis);
  const outer = shapeSize(x.shape.slice(0, axis));
  const inner = shapeSize(x.shape.slice(axis + 1));
  const rows = tf.reshape(x, [mulDims(outer, size), 1, inner]);
  const widened = tf.pad(
    rows,
    [
      [0, 0],
      [0, interior],
      [0, 0],
    ],
    value,
  );
  const apart = tf.reshape(widened, [outer, mulDims(size, interior + 1), inner]);
  const long = dilatedSize(size, interior + 1);
  const cut = tf.slice(apart, [0, 0, 0], [outer, long, inner]);
  return tf.reshape(cut, withSize(x.shape, axis, long));
}

const negative = (dim: Dim): Dim => maxDim(negDim(dim), 0);
const positive = (dim: Dim): Dim => maxDim(dim, 0);

/** Pads with a value known at conversion time. */
export function padWith(tf: Tf, x: Tensor, config: PaddingConfig, value: number | boolean): Tensor {
  let spreadOut = x;
  for (const [axis, [, , interior]] of config.entries()) {
    if (interior > 0) spreadOut = spread(tf, spreadOut, axis, interior, value);
  }
  const cutLow = config.map(([low]) => negative(low));
  const cutHigh = config.map(([, high]) => negative(high));
  const amounts = config.map(([low, high]) => [positive(low), positive(high)] as const);
  const cutTo = (tensor: Tensor, size: Shape): Tensor =>
    shapeEquals(size, tensor.shape) ? tensor : tf.slice(tensor, cutLow, size);
  const padded = (tensor: Tensor): Tensor =>
    amounts.every(([low, high]) => low === 0 && high === 0)
      ? tensor
      : tf.pad(tensor, amounts, value);
  const kept = spreadOut.shape.map((dim, axis) =>
    subDims(subDims(dim, at(cutLow, axis)), at(cutHigh, axis)),
  );
  // Cutting first is cheaper, but more may be cut than the array has without its padding, and
  // symbolic amounts may turn out as either.
  const isEither = config.some(([low, high]) =>
    [low, high].some((amount) => negative(amount) !== 0 && positive(amount) !== 0),
  );
  const cutFits = kept.every((size) => tryCompare(size, ">=", 0) === true);
  if (cutFits && !isEither) return padded(cutTo(spreadOut, kept));
  const size = spreadOut.shape.map((dim, axis) => {
    const [low, high] = at(config, axis);
    return addDims(dim, addDims(low, high));
  });
  return cutTo(padded(spreadOut), size);
}

/** Bool tensor that broadcasts to the result: true where an element of the operand is. */
function presenceMask(tf: Tf, x: Shape, config: PaddingConfig): Tensor | null {
  let mask: Tensor | null = null;
  for (const [axis, amounts] of config.entries()) {
    if (amounts.every((amount) => amount === 0)) continue;
    const ones = tf.fill([at(x, axis)], 1, "int32");
    const present = tf.cast(padWith(tf, ones, [amounts], 0), "bool");
    const trailing = upTo(config.length - axis - 1).map(() => 1);
    const placed = reshapeTo(tf, present, [...present.shape, ...trailing]);
    mask = mask === null ? placed : tf.binary("LogicalAnd", mask, placed);
  }
  return mask;
}

/** The number that a known scalar tensor holds, as the tensor's own element type counts. */
export function knownScalar(tensor: Tensor): number | boolean | null {
  if (tensor.value === null) return null;
  const number = Number(valuesOf(tensor.value)[0]);
  if (tensor.dtype === "bool") return number !== 0;
  return tensor.dtype === "int32" ? number | 0 : number;
}

/** Pad takes its value as float32: larger integers would be rounded. */
function isExactInFloat(value: number | boolean): boolean {
  return typeof value === "boolean" || Math.fround(value) === value || Number.isNaN(value);
}

function padTensor(tf: Tf, x: Tensor, padding: Tensor, config: PaddingConfig): Tensor {
  const known = knownScalar(padding);
  if (known !== null && (padding.dtype !== "int32" || isExactInFloat(known))) {
    return padWith(tf, x, config, known);
  }
  const mask = presenceMask(tf, x.shape, config);
  const zeros = padWith(tf, x, config, x.dtype === "bool" ? false : 0);
  return mask === null ? zeros : tf.select(mask, zeros, padding);
}

/** Host form; null if a size is symbolic. */
function padHost(
  x: HostArray,
  padding: HostArray,
  config: PaddingConfig,
  shape: Shape,
): HostArray | null {
  if (!isStaticShape(shape)) return null;
  const background = stridedView(
    padding,
    shape,
    0,
    shape.map(() => 0),
  );
  const own = rowMajorStrides(x.shape);
  const strides = rowMajorStrides(shape);
  const first: number[] = [];
  const count: number[] = [];
  const places: number[] = [];
  for (const [axis, [low, , interior]] of config.entries()) {
    if (typeof low !== "number") return null;
    const step = interior + 1;
    const start = Math.ceil(Math.max(0, -low) / step);
    const end = Math.min(at(x.shape, axis) - 1, Math.floor((at(shape, axis) - 1 - low) / step));
    first.push(start);
    count.push(Math.max(0, end - start + 1));
    places.push(low + start * step);
  }
  const present = stridedView(x, count, positionOf(first, own), own);
  if (background === null || present === null) return null;
  const steps = strides.map((stride, axis) => stride * (at(config, axis)[2] + 1));
  return stridedWrite(background, present, positionOf(places, strides), steps);
}

export const pad: Primitive<PadParams> = definePrimitive<PadParams>({
  name: "pad",
  manyNodes: "Interior and negative padding of several dimensions take a few nodes each.",
  abstractEval: (inputs, { padding_config }) => {
    checkCount("pad", inputs, 2);
    const x = at(inputs, 0);
    const padding = at(inputs, 1);
    if (x.dtype !== padding.dtype) {
      throw dtypeMismatch(
        "pad operand and padding_value must be same dtype: got " +
          `${x.dtype} and ${padding.dtype}.`,
      );
    }
    if (padding.shape.length !== 0) {
      throw shapeMismatch(
        `padding_value must be a scalar; got np.shape(padding_value)=${printShape(padding.shape)}`,
      );
    }
    const weak = x.weakType && padding.weakType;
    return [shapedArray(x.dtype, paddedShape(x.shape, padding_config), weak)];
  },
  jvp: linearJvp(() => pad),
  transpose: padTranspose,
  batch: padBatch(() => pad),
  tfjs: (tf, inputs, { padding_config }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(out.shape)) return [emptyValue(tf, out)];
    const x = at(inputs, 0);
    const padding = at(inputs, 1);
    if (isEmptyShape(x.aval.shape)) {
      return [moveData(tf, [padding], out, (parts) => at(parts, 0))];
    }
    return [
      moveData(tf, [x, padding], out, (parts) =>
        padTensor(tf, at(parts, 0), at(parts, 1), padding_config),
      ),
    ];
  },
  fold: (inputs, { padding_config }, outs) => {
    const result = padHost(at(inputs, 0), at(inputs, 1), padding_config, at(outs, 0).shape);
    return result === null ? null : [result];
  },
});
