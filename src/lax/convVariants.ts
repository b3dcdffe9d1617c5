/**
 * Convolutions of `lax` that are made of `convGeneralDilated`: transposed ones, patches, kernels of
 * their own for each place; and the shapes of results.
 */
import { addDims, mulDims, strideDim, subDims, type Dim, type Shape } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, shapeOf, toValue } from "../trace/trace.js";
import { at, invalid, operands } from "./arguments.js";
import {
  convDimensionNumbers,
  convGeneralDilated,
  dotGeneral,
  type ContractionOptions,
  type ConvDimensionNumbers,
  type ConvLayouts,
  type ConvOptions,
} from "./contractions.js";
import { paddingOf, type Padding } from "./padding.js";

export interface ConvTransposeOptions extends ContractionOptions {
  readonly rhsDilation?: readonly number[];
  /** Default: channels last, `["NHWC", "HWIO", "NHWC"]` for two spatial dimensions. */
  readonly dimensionNumbers?: ConvDimensionNumbers | ConvLayouts;
  /** Turns the kernel around and swaps its channels: the derivative of a convolution with it. */
  readonly transposeKernel?: boolean;
  /** Takes amounts as those of the convolution that this one is the transpose of. */
  readonly useConsistentPadding?: boolean;
}

/** Channels last, by the number of dimensions. */
const channelsLast: Readonly<Record<number, ConvLayouts>> = {
  2: ["NC", "IO", "NC"],
  3: ["NHC", "HIO", "NHC"],
  4: ["NHWC", "HWIO", "NHWC"],
  5: ["NHWDC", "HWDIO", "NHWDC"],
};

function knownSize(size: Dim, what: string): number {
  if (typeof size === "number") return size;
  throw invalid(`${what} needs a known size`);
}

/** Zeros before and after a dimension that is filled up by a stride. */
function transposedPadding(
  size: number,
  stride: number,
  padding: "SAME" | "VALID" | readonly [low: Dim, high: Dim],
): readonly [number, number] {
  if (typeof padding !== "string") {
    const [low, high] = padding.map((amount) => size - knownSize(amount, "padding") - 1);
    return [low ?? 0, high ?? 0];
  }
  const all = size + stride - 2;
  if (padding === "VALID") return [size - 1, all + Math.max(size - stride, 0) - (size - 1)];
  const low = stride > size - 1 ? size - 1 : Math.ceil(all / 2);
  return [low, all - low];
}

/**
 * A convolution that enlarges: `strides` zeros less one go between neighbours.
 *
 * @param padding "SAME", "VALID", or what is added to the enlarged input
 *
 * JAX's counterpart is `lax.conv_transpose`.
 */
export function convTranspose(
  lhs: ArrayLike,
  rhs: ArrayLike,
  strides: readonly number[],
  padding: "SAME" | "VALID" | readonly (readonly [low: Dim, high: Dim])[],
  {
    rhsDilation,
    dimensionNumbers,
    transposeKernel = false,
    useConsistentPadding = false,
    ...options
  }: ConvTransposeOptions = {},
): ArrayValue {
  const [left, right] = operands(lhs, rhs);
  if (left === undefined || right === undefined) throw new Error("internal error: no operands");
  const layouts = dimensionNumbers ?? channelsLast[left.aval.shape.length];
  if (layouts === undefined) throw invalid("No 4+ dimensional dimension_number defaults.");
  const numbers = convDimensionNumbers(left.aval.shape, right.aval.shape, layouts);
  const spatial = numbers.rhsSpec.slice(2);
  const dilation = rhsDilation ?? spatial.map(() => 1);
  const isComputed = useConsistentPadding || typeof padding === "string";
  const pads = isComputed
    ? spatial.map((axis, index) => {
        const size = knownSize(at(right.aval.shape, axis), "convTranspose");
        const wide = (size - 1) * at(dilation, index) + 1;
        const own = typeof padding === "string" ? padding : at(padding, index);
        return transposedPadding(wide, at(strides, index), own);
      })
    : padding;
  const kernel = transposeKernel ? turnedKernel(right, numbers) : right;
  return convGeneralDilated(
    fromValue(left),
    fromValue(kernel),
    spatial.map(() => 1),
    pads,
    { ...options, lhsDilation: strides, rhsDilation: dilation, dimensionNumbers: numbers },
  );
}

function turnedKernel(kernel: Value, { rhsSpec }: ConvDimensionNumbers): Value {
  const [outs = 0, ins = 0, ...spatial] = rhsSpec;
  const axes = kernel.aval.shape.map((_, axis) => axis);
  const turned = spatial.length === 0 ? kernel : o.rev(kernel, spatial);
  return o.transpose(turned, axes.with(outs, ins).with(ins, outs));
}

type PatchOptions = Omit<ConvOptions, "featureGroupCount" | "batchGroupCount">;

/**
 * The patches that a convolution looks at: for each place, all elements of its window, as features,
 * those of one input feature side by side. JAX's `lax.conv_general_dilated_patches`.
 */
export function convGeneralDilatedPatches(
  lhs: ArrayLike,
  filterShape: readonly number[],
  windowStrides: readonly number[],
  padding: Padding,
  options: PatchOptions = {},
): ArrayValue {
  const value = toValue(lhs);
  const { shape, dtype } = value.aval;
  const whole: Shape = [1, 1, ...filterShape];
  const numbers = convDimensionNumbers(shape, whole, options.dimensionNumbers ?? null);
  const size = filterShape.reduce((product, length) => product * length, 1);
  const channels = knownSize(at(shape, at(numbers.lhsSpec, 1)), "convGeneralDilatedPatches");
  const rows = o.iota("int32", [size, size], 0);
  const eye = o.convertElementType(o.eq(rows, o.iota("int32", [size, size], 1)), dtype);
  const kernels = o.reshape(o.broadcastInDim(eye, [channels, size, size], [1, 2]), [
    channels * size,
    1,
    ...filterShape,
  ]);
  // The dimensions are (outputs, inputs, spatial): each goes where the kernel's layout has it.
  const order = whole.map((_, axis) => numbers.rhsSpec.indexOf(axis));
  return convGeneralDilated(
    fromValue(value),
    fromValue(o.transpose(kernels, order)),
    windowStrides,
    padding,
    { ...options, dimensionNumbers: numbers, featureGroupCount: channels },
  );
}

/**
 * A convolution whose kernel differs from place to place: `rhs` has the places of the result as its
 * spatial dimensions, and `inputs * window` features. JAX's `lax.conv_general_dilated_local`.
 */
export function convGeneralDilatedLocal(
  lhs: ArrayLike,
  rhs: ArrayLike,
  windowStrides: readonly number[],
  padding: Padding,
  filterShape: readonly number[],
  options: PatchOptions = {},
): ArrayValue {
  const patches = convGeneralDilatedPatches(lhs, filterShape, windowStrides, padding, options);
  const whole: Shape = [1, 1, ...filterShape];
  const numbers = convDimensionNumbers(shapeOf(lhs), whole, options.dimensionNumbers ?? null);
  const places = numbers.outSpec
    .slice(2)
    .map((axis, index) => [axis, at(numbers.rhsSpec, index + 2)] as const)
    .toSorted(([first], [second]) => first - second);
  const product = toValue(
    dotGeneral(
      patches,
      rhs,
      [
        [[at(numbers.outSpec, 1)], [at(numbers.rhsSpec, 1)]],
        [places.map(([axis]) => axis), places.map(([, axis]) => axis)],
      ],
      { precision: options.precision ?? null },
    ),
  );
  // The places come first, then batch and output features, which go where the layout has them.
  const rank = numbers.outSpec.length;
  const [batch = 0, features = 1] = numbers.outSpec;
  const free = product.aval.shape.map((_, axis) => axis).slice(0, rank - 2);
  let next = 0;
  const order = product.aval.shape.map((_, axis) => {
    if (axis === batch) return rank - 2;
    return axis === features ? rank - 1 : at(free, next++);
  });
  return fromValue(o.transpose(product, order));
}

// --- Shapes of results ---------------------------------------------------------------------------

/** How much padding by name is. JAX's `lax.padtype_to_pads`. */
export function padtypeToPads(
  inShape: Shape,
  windowShape: Shape,
  windowStrides: readonly number[],
  padding: "VALID" | "SAME" | "SAME_LOWER",
): readonly (readonly [low: Dim, high: Dim])[] {
  return paddingOf(padding, inShape, windowShape, windowStrides);
}

/** Where layouts have their dimensions: `convDimensionNumbers` as lists. JAX's `lax.conv_general_permutations`. */
export function convGeneralPermutations(
  layouts: ConvLayouts,
): readonly [lhs: readonly number[], rhs: readonly number[], out: readonly number[]] {
  const shape = Array.from(layouts[0], () => 1);
  const { lhsSpec, rhsSpec, outSpec } = convDimensionNumbers(shape, shape, layouts);
  return [lhsSpec, rhsSpec, outSpec];
}

/** The shape of a convolution in JAX's default layout. JAX's `lax.conv_shape_tuple`. */
export function convShapeTuple(
  lhsShape: Shape,
  rhsShape: Shape,
  strides: readonly number[],
  padding: Padding,
  batchGroupCount = 1,
): Shape {
  const pads = paddingOf(padding, lhsShape.slice(2), rhsShape.slice(2), strides);
  if (pads.length !== lhsShape.length - 2) {
    throw invalid(
      `Wrong number of explicit pads for convolution: expected ${lhsShape.length - 2}, got ` +
        `${pads.length}.`,
    );
  }
  const batch = knownSize(at(lhsShape, 0), "convShapeTuple") / batchGroupCount;
  const spatial = lhsShape.slice(2).map((size, index) => {
    const [low, high] = at(pads, index);
    const padded = addDims(size, addDims(low, high));
    return strideDim(padded, at(rhsShape, index + 2), at(strides, index));
  });
  return [batch, at(rhsShape, 0), ...spatial];
}

const taken = (shape: Shape, axes: readonly number[]): Shape => axes.map((axis) => at(shape, axis));

/** Puts sizes in the order (batch, features, spatial) where a layout has them. */
function placed(sizes: Shape, spec: readonly number[]): Shape {
  return sizes.map((_, axis) => at(sizes, spec.indexOf(axis)));
}

/** The shape of a convolution with any layout. JAX's `lax.conv_general_shape_tuple`. */
export function convGeneralShapeTuple(
  lhsShape: Shape,
  rhsShape: Shape,
  windowStrides: readonly number[],
  padding: Padding,
  layouts: ConvLayouts,
): Shape {
  const [lhs, rhs, out] = convGeneralPermutations(layouts);
  const sizes = convShapeTuple(taken(lhsShape, lhs), taken(rhsShape, rhs), windowStrides, padding);
  return placed(sizes, out);
}

/** The shape of a transposed convolution. JAX's `lax.conv_transpose_shape_tuple`. */
export function convTransposeShapeTuple(
  lhsShape: Shape,
  rhsShape: Shape,
  windowStrides: readonly number[],
  padding: "SAME" | "VALID" | readonly (readonly [low: number, high: number])[],
  layouts: ConvLayouts,
): Shape {
  const [lhs, rhs, out] = convGeneralPermutations(layouts);
  const [left, right] = [taken(lhsShape, lhs), taken(rhsShape, rhs)];
  const spatial = right.slice(2).map((size, index): Dim => {
    const kernel = knownSize(size, "convTransposeShapeTuple");
    const stride = at(windowStrides, index);
    const [low, high] =
      typeof padding === "string" ? transposedPadding(kernel, stride, padding) : at(padding, index);
    const enlarged = mulDims(subDims(at(left, index + 2), 1), stride);
    return addDims(enlarged, 2 - kernel + low + high);
  });
  return placed([at(left, 0), at(right, 0), ...spatial], out);
}
