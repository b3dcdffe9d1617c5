/** Contractions of `lax`: products of matrices and tensors, convolutions. */
import { convGeneralDilated as convPrimitive } from "../../primitives/conv.js";
import { dotGeneral as dotPrimitive } from "../../primitives/dot.js";
import { dilateDim, printShape, type Dim, type Shape } from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import { bindOne, at, canonicalDtype, invalid, operands } from "./arguments.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, shapeOf } from "../trace/trace.js";
import { paddingOf, type Padding } from "./padding.js";

export interface ContractionOptions {
  /** "DEFAULT", "HIGH" or "HIGHEST": kept in the jaxpr; tfjs computes in float32 always. */
  readonly precision?: string | null;
  /** The type of the result. Default: that of the arguments. */
  readonly preferredElementType?: DType | null;
}

const common = ({ precision = null, preferredElementType = null }: ContractionOptions) => ({
  precision,
  preferred_element_type:
    preferredElementType === null ? null : canonicalDtype(preferredElementType),
});

/** Contracting dimensions of both sides, then batch dimensions of both sides. */
export type DotDimensionNumbers = readonly [
  contracting: readonly [lhs: readonly number[], rhs: readonly number[]],
  batch: readonly [lhs: readonly number[], rhs: readonly number[]],
];

/**
 * Sums products over the contracting dimensions. The result has the batch dimensions, those that
 * remain of `lhs`, and those of `rhs`.
 *
 * JAX's counterpart is `lax.dot_general`.
 */
export function dotGeneral(
  lhs: ArrayLike,
  rhs: ArrayLike,
  dimensionNumbers: DotDimensionNumbers,
  options: ContractionOptions = {},
): ArrayValue {
  const inputs = operands(lhs, rhs);
  const params = { dimension_numbers: dimensionNumbers, ...common(options) };
  return fromValue(bindOne(dotPrimitive, inputs, params));
}

export interface DotOptions extends ContractionOptions {
  readonly dimensionNumbers?: DotDimensionNumbers;
}

/** Products of vectors and matrices; with dimension numbers `dotGeneral`. JAX's `lax.dot`. */
export function dot(
  lhs: ArrayLike,
  rhs: ArrayLike,
  { dimensionNumbers, ...options }: DotOptions = {},
): ArrayValue {
  if (dimensionNumbers !== undefined) return dotGeneral(lhs, rhs, dimensionNumbers, options);
  const [left, right] = [shapeOf(lhs), shapeOf(rhs)];
  const isValid = [left, right].every(({ length }) => length === 1 || length === 2);
  if (!isValid || String(left.at(-1)) !== String(right[0])) {
    throw invalid(`Incompatible shapes for dot: got ${printShape(left)} and ${printShape(right)}.`);
  }
  const numbers = [
    [[left.length - 1], [0]],
    [[], []],
  ] as const;
  return dotGeneral(lhs, rhs, numbers, options);
}

/** Products of matrices in leading batch dimensions. JAX's `lax.batch_matmul`. */
export function batchMatmul(
  lhs: ArrayLike,
  rhs: ArrayLike,
  options: ContractionOptions = {},
): ArrayValue {
  const [left, right] = [shapeOf(lhs), shapeOf(rhs)];
  if (Math.min(left.length, right.length) < 2) {
    throw invalid(
      `Arguments to batch_matmul must be at least 2D, got ${left.length}, ${right.length}`,
    );
  }
  if (left.length !== right.length) {
    throw invalid(
      `Arguments to batch_matmul must have same ndim, got ${left.length}, ${right.length}`,
    );
  }
  const batch = left.slice(2).map((_, axis) => axis);
  return dotGeneral(
    lhs,
    rhs,
    [
      [[left.length - 1], [left.length - 2]],
      [batch, batch],
    ],
    options,
  );
}

// --- Convolutions --------------------------------------------------------------------------------

/** JAX's `lax.ConvDimensionNumbers`: batch or output features, input features, spatial dimensions. */
export interface ConvDimensionNumbers {
  readonly lhsSpec: readonly number[];
  readonly rhsSpec: readonly number[];
  readonly outSpec: readonly number[];
}

/** As texts: `["NHWC", "HWIO", "NHWC"]`. */
export type ConvLayouts = readonly [lhs: string, rhs: string, out: string];

export interface ConvOptions extends ContractionOptions {
  /** Zeros between neighbours of `lhs`: a transposed convolution. Default: 1 per dimension. */
  readonly lhsDilation?: readonly number[];
  /** Gaps between neighbours of `rhs`. Default: 1 per dimension. */
  readonly rhsDilation?: readonly number[];
  /** Default: `["NCHW", "OIHW", "NCHW"]`, with as many spatial dimensions as there are. */
  readonly dimensionNumbers?: ConvDimensionNumbers | ConvLayouts | null;
  readonly featureGroupCount?: number;
  readonly batchGroupCount?: number;
}

/** Where the dimensions are, from layouts. JAX's `lax.conv_dimension_numbers`. */
export function convDimensionNumbers(
  lhsShape: Shape,
  rhsShape: Shape,
  dimensionNumbers: ConvDimensionNumbers | ConvLayouts | null = null,
): ConvDimensionNumbers {
  if (lhsShape.length !== rhsShape.length) {
    throw invalid(
      `convolution requires lhs and rhs ndim to be equal, got ${lhsShape.length} and ` +
        `${rhsShape.length}.`,
    );
  }
  const identity = lhsShape.map((_, axis) => axis);
  if (dimensionNumbers === null) {
    return { lhsSpec: identity, rhsSpec: identity, outSpec: identity };
  }
  if (!Array.isArray(dimensionNumbers)) return dimensionNumbers as ConvDimensionNumbers;
  const [lhs, rhs, out] = dimensionNumbers as unknown as ConvLayouts;
  const features = [
    { layout: lhs, first: "N", second: "C", name: "lhs" },
    { layout: rhs, first: "O", second: "I", name: "rhs" },
    { layout: out, first: "N", second: "C", name: "output" },
  ];
  const spatial = Array.from(rhs).filter((letter) => letter !== "O" && letter !== "I");
  const specs = features.map(({ layout, first, second, name }) => {
    checkLayout(layout, lhsShape.length, first + second, spatial, name);
    return [first, second, ...spatial].map((letter) => layout.indexOf(letter));
  });
  return { lhsSpec: at(specs, 0), rhsSpec: at(specs, 1), outSpec: at(specs, 2) };
}

function checkLayout(
  layout: string,
  rank: number,
  own: string,
  spatial: readonly string[],
  name: string,
): void {
  if (layout.length !== rank) {
    throw invalid(
      `convolution dimension_numbers ${name} entry must have length ${rank}, one letter per ` +
        `dimension, got '${layout}'.`,
    );
  }
  const letters = new Set(layout);
  const isComplete = [...Array.from(own), ...spatial].every((letter) => letters.has(letter));
  if (letters.size === layout.length && isComplete) return;
  throw invalid(
    `convolution dimension_numbers must contain '${own}' and the spatial dimensions ` +
      `'${spatial.join("")}' once each, got '${layout}' for ${name}.`,
  );
}

/**
 * Convolution in any number of dimensions, with any layout, strides, dilations and groups.
 *
 * @param padding "VALID", "SAME", "SAME_LOWER", or [low, high] per spatial dimension
 *
 * JAX's counterpart is `lax.conv_general_dilated`.
 */
export function convGeneralDilated(
  lhs: ArrayLike,
  rhs: ArrayLike,
  windowStrides: readonly number[],
  padding: Padding,
  options: ConvOptions = {},
): ArrayValue {
  const inputs = operands(lhs, rhs);
  const [left, right] = inputs.map(({ aval }) => aval.shape);
  if (left === undefined || right === undefined) throw new Error("internal error: no operands");
  const numbers = convDimensionNumbers(left, right, options.dimensionNumbers ?? null);
  const ones = left.slice(2).map(() => 1);
  const { lhsDilation = ones, rhsDilation = ones } = options;
  if (typeof padding === "string" && lhsDilation.some((dilation) => dilation !== 1)) {
    throw invalid(
      "String padding is not implemented for transposed convolution using this op. Please either " +
        "exactly specify the required padding or use conv_transpose.",
    );
  }
  const sizes = numbers.lhsSpec.slice(2).map((axis): Dim => at(left, axis));
  const windows = numbers.rhsSpec
    .slice(2)
    .map((axis, index) => dilateDim(at(right, axis), rhsDilation[index] ?? 1));
  const result = bindOne(convPrimitive, inputs, {
    window_strides: windowStrides,
    padding: paddingOf(padding, sizes, windows, windowStrides),
    lhs_dilation: lhsDilation,
    rhs_dilation: rhsDilation,
    window_reversal: null,
    dimension_numbers: {
      lhs_spec: numbers.lhsSpec,
      rhs_spec: numbers.rhsSpec,
      out_spec: numbers.outSpec,
    },
    feature_group_count: options.featureGroupCount ?? 1,
    batch_group_count: options.batchGroupCount ?? 1,
    ...common(options),
  });
  return fromValue(result);
}

/** Convolution in JAX's default layout. JAX's `lax.conv`. */
export function conv(
  lhs: ArrayLike,
  rhs: ArrayLike,
  windowStrides: readonly number[],
  padding: Padding,
  options: ContractionOptions = {},
): ArrayValue {
  return convGeneralDilated(lhs, rhs, windowStrides, padding, options);
}

/** Convolution with dilations in JAX's default layout. JAX's `lax.conv_with_general_padding`. */
export function convWithGeneralPadding(
  lhs: ArrayLike,
  rhs: ArrayLike,
  windowStrides: readonly number[],
  padding: Padding,
  options: ConvOptions = {},
): ArrayValue {
  return convGeneralDilated(lhs, rhs, windowStrides, padding, options);
}
