/**
 * conv_general_dilated: shape rule, and the choice of how each dtype is computed. The convolution
 * of float32 tensors itself is in convLowering.ts.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import {
  addDims,
  dilateDim,
  dimEquals,
  floordivDims,
  modDims,
  printShape,
  shapeSize,
  strideDim,
  type Dim,
  type Shape,
} from "../src/ir/dims.js";
import {
  bitsOf,
  isComplex,
  isDType,
  isFloat,
  isInteger,
  kindOf,
  type DType,
} from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ConvGeneralDilatedParams } from "../src/ir/params.js";
import { definePrimitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { convBatch } from "./convBatching.js";
import { convJvp, convTranspose } from "./convTransforms.js";
import { convolve } from "./convLowering.js";
import type { Convolution } from "./convNode.js";
import { exactConvolution } from "./convIntegers.js";
import { complexParts, floatOperand } from "./productOperands.js";
import { at, emptyValue } from "./support.js";
import { isNegative } from "./windowArithmetic.js";

type ConvParams = ConvGeneralDilatedParams;

function problem(code: string, message: string): Jax2TfjsError {
  return new Jax2TfjsError(code, message, { primitive: "conv_general_dilated" });
}

function checkFeatures(lhs: Shape, rhs: Shape, params: ConvParams): void {
  const { lhs_spec, rhs_spec } = params.dimension_numbers;
  const { feature_group_count: groups, batch_group_count: batchGroups } = params;
  if (!(groups > 0)) {
    throw problem(
      "invalid-parameter",
      `conv_general_dilated feature_group_count must be a positive integer, got ${groups}.`,
    );
  }
  const lhsFeatures = at(lhs, at(lhs_spec, 1));
  if (modDims(lhsFeatures, groups) !== 0) {
    throw problem(
      "shape-mismatch",
      "conv_general_dilated feature_group_count must divide lhs feature dimension size, but " +
        `${groups} does not divide ${String(lhsFeatures)}.`,
    );
  }
  const rhsFeatures = at(rhs, at(rhs_spec, 1));
  if (!dimEquals(floordivDims(lhsFeatures, groups), rhsFeatures)) {
    throw problem(
      "shape-mismatch",
      "conv_general_dilated lhs feature dimension size divided by feature_group_count must equal " +
        `the rhs input feature dimension size, but ${String(lhsFeatures)} // ${groups} != ` +
        `${String(rhsFeatures)}.`,
    );
  }
  const outFeatures = at(rhs, at(rhs_spec, 0));
  const checkMultiple = (name: string, count: number): void => {
    if (modDims(outFeatures, count) === 0) return;
    throw problem(
      "shape-mismatch",
      "conv_general_dilated rhs output feature dimension size must be a multiple of " +
        `${name}, but ${String(outFeatures)} is not a multiple of ${count}.`,
    );
  };
  checkMultiple("feature_group_count", groups);
  if (!(batchGroups > 0)) {
    throw problem(
      "invalid-parameter",
      `conv_general_dilated batch_group_count must be a positive integer, got ${batchGroups}.`,
    );
  }
  const batch = at(lhs, at(lhs_spec, 0));
  if (modDims(batch, batchGroups) !== 0) {
    throw problem(
      "shape-mismatch",
      "conv_general_dilated batch_group_count must divide lhs batch dimension size, but " +
        `${batchGroups} does not divide ${String(batch)}.`,
    );
  }
  checkMultiple("batch_group_count", batchGroups);
  if (batchGroups > 1 && groups > 1) {
    throw problem(
      "invalid-parameter",
      "At most one of batch_group_count and feature_group_count may be > 1, got " +
        `batch_group_count=${batchGroups} and feature_group_count=${groups}`,
    );
  }
}

/** The number of spatial dimensions, once all parameters are seen to have as many entries. */
function checkParameters(lhs: Shape, rhs: Shape, params: ConvParams): number {
  if (lhs.length !== rhs.length || lhs.length < 2) {
    throw problem(
      "shape-mismatch",
      "conv_general_dilated lhs and rhs must have the same number of dimensions, but got " +
        `${printShape(lhs)} and ${printShape(rhs)}.`,
    );
  }
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  for (const spec of [lhs_spec, rhs_spec, out_spec]) {
    if (spec.toSorted((a, b) => a - b).some((dim, i) => dim !== i) || spec.length !== lhs.length) {
      throw problem(
        "invalid-parameter",
        `conv_general_dilated dimension_numbers ${printShape(spec)} must be a permutation of the ` +
          `${lhs.length} dimensions`,
      );
    }
  }
  const spatial = lhs.length - 2;
  if (params.window_strides.length !== spatial) {
    throw problem(
      "invalid-parameter",
      "conv_general_dilated window and window_strides must have the same number of dimensions, " +
        `but got ${spatial} and ${params.window_strides.length}`,
    );
  }
  if (params.padding.length !== spatial) {
    throw problem(
      "invalid-parameter",
      "Wrong number of explicit pads for convolution: expected " +
        `${spatial}, got ${params.padding.length}.`,
    );
  }
  const factors = [params.window_strides, params.lhs_dilation, params.rhs_dilation];
  for (const list of factors) {
    if (list.length === spatial && list.every((n) => Number.isSafeInteger(n) && n >= 1)) continue;
    throw problem(
      "invalid-parameter",
      `conv_general_dilated strides and dilations must be ${spatial} positive integers, got ` +
        `${printShape(list)}.`,
    );
  }
  return spatial;
}

function resultShape(lhs: Shape, rhs: Shape, params: ConvParams): Shape {
  const spatial = checkParameters(lhs, rhs, params);
  checkFeatures(lhs, rhs, params);
  const { lhs_spec, rhs_spec, out_spec } = params.dimension_numbers;
  const shape: Dim[] = new Array<Dim>(lhs.length).fill(0);
  shape[at(out_spec, 0)] = floordivDims(at(lhs, at(lhs_spec, 0)), params.batch_group_count);
  shape[at(out_spec, 1)] = at(rhs, at(rhs_spec, 0));
  for (let dim = 0; dim < spatial; dim++) {
    const size = dilateDim(at(lhs, at(lhs_spec, dim + 2)), at(params.lhs_dilation, dim));
    const window = dilateDim(at(rhs, at(rhs_spec, dim + 2)), at(params.rhs_dilation, dim));
    const [low, high] = at(params.padding, dim);
    const padded = addDims(size, addDims(low, high));
    if (isNegative(padded)) {
      throw problem(
        "invalid-parameter",
        "Negative padding is larger than the size of the corresponding dimension: got padding=" +
          `(${String(low)}, ${String(high)}) for a dimension of size ${String(size)}`,
      );
    }
    shape[at(out_spec, dim + 2)] = strideDim(padded, window, at(params.window_strides, dim));
  }
  return shape;
}

function preferredDtype(own: DType, preferred: string | null): DType {
  if (preferred === null) return own;
  if (!isDType(preferred)) {
    throw problem("invalid-parameter", `preferred_element_type ${preferred} is no dtype`);
  }
  const compatible =
    (isInteger(own) && isFloat(preferred)) ||
    (isInteger(own) && isInteger(preferred)) ||
    (isFloat(own) && isFloat(preferred)) ||
    (isComplex(own) && isComplex(preferred)) ||
    own === preferred;
  if (!compatible) {
    throw problem(
      "dtype-mismatch",
      "Input type is incompatible with `preferred_element_type`. The compatible combinations of " +
        "(input_type, preferred_element_type) are (integral, integral), (integral, floating), " +
        "(floating, floating), (complex, complex.",
    );
  }
  if (kindOf(own) === "signed" && kindOf(preferred) === "unsigned") {
    throw problem(
      "dtype-mismatch",
      "`preferred_element_type` must have the same signedness as the original type.",
    );
  }
  if (bitsOf(preferred) < bitsOf(own)) {
    throw problem(
      "dtype-mismatch",
      "`preferred_element_type` must not be narrower than the original type.",
    );
  }
  return preferred;
}

/** The parameters in the canonical order of dimensions: batch, spatial..., features. */
function canonicalProblem(params: ConvParams): Convolution {
  return {
    strides: params.window_strides,
    padding: params.padding,
    lhsDilation: params.lhs_dilation,
    rhsDilation: params.rhs_dilation,
    featureGroups: params.feature_group_count,
    batchGroups: params.batch_group_count,
  };
}

function transposed(tf: Tf, tensor: Tensor, permutation: readonly number[]): Tensor {
  return permutation.every((dim, index) => dim === index)
    ? tensor
    : tf.transpose(tensor, permutation);
}

/** [batch, spatial..., features] */
function arrangeInput(tf: Tf, lhs: Tensor, params: ConvParams): Tensor {
  const [batch = 0, feature = 0, ...spatial] = params.dimension_numbers.lhs_spec;
  return transposed(tf, lhs, [batch, ...spatial, feature]);
}

/** [spatial..., input features, output features] */
function arrangeFilter(tf: Tf, rhs: Tensor, params: ConvParams): Tensor {
  const [output = 0, input = 0, ...spatial] = params.dimension_numbers.rhs_spec;
  const reversed = spatial.filter((_, index) => params.window_reversal?.[index] === true);
  const filter = reversed.length === 0 ? rhs : tf.reverse(rhs, reversed);
  return transposed(tf, filter, [...spatial, input, output]);
}

/** From [batch, spatial..., features] to the layout of the result. */
function arrangeOutput(tf: Tf, result: Tensor, params: ConvParams): Tensor {
  const [batch = 0, feature = 0, ...spatial] = params.dimension_numbers.out_spec;
  const permutation = new Array<number>(spatial.length + 2).fill(0);
  for (const [from, to] of [batch, ...spatial, feature].entries()) permutation[to] = from;
  return transposed(tf, result, permutation);
}

function realConvolution(tf: Tf, lhs: Tensor, rhs: Tensor, params: ConvParams): Tensor {
  const x = arrangeInput(tf, lhs, params);
  const filter = arrangeFilter(tf, rhs, params);
  return arrangeOutput(tf, convolve(tf, x, filter, canonicalProblem(params)), params);
}

function integerConvolution(
  tf: Tf,
  lhs: GraphValue,
  rhs: GraphValue,
  params: ConvParams,
  out: ShapedArray,
): Tensor {
  const x = arrangeInput(tf, tf.tensor(lhs), params);
  const filter = arrangeFilter(tf, tf.tensor(rhs), params);
  const dtypes = [lhs.aval.dtype, rhs.aval.dtype] as const;
  const result = exactConvolution(tf, x, filter, canonicalProblem(params), dtypes, out.dtype);
  return arrangeOutput(tf, result, params);
}

export const convGeneralDilated = definePrimitive<ConvParams>({
  name: "conv_general_dilated",
  manyNodes:
    "Integers are convolved in pieces of 8 to 12 bits, exact in float32; groups without a kernel take turns.",
  abstractEval: ([lhs, rhs], params) => {
    if (lhs === undefined || rhs === undefined) {
      throw problem("invalid-parameter", "conv_general_dilated takes two operands");
    }
    const shape = resultShape(lhs.shape, rhs.shape, params);
    if (lhs.dtype !== rhs.dtype) {
      throw problem(
        "dtype-mismatch",
        "conv_general_dilated requires arguments to have the same dtypes, got " +
          `${lhs.dtype}, ${rhs.dtype}.`,
      );
    }
    const dtype = preferredDtype(lhs.dtype, params.preferred_element_type);
    return [shapedArray(dtype, shape, lhs.weakType && rhs.weakType)];
  },
  jvp: convJvp,
  transpose: convTranspose,
  batch: convBatch,
  tfjs: (tf, [lhs, rhs], params, [out]) => {
    if (lhs === undefined || rhs === undefined || out === undefined) return [];
    if (out.shape.includes(0)) return [emptyValue(tf, out)];
    if (lhs.aval.shape.includes(0) || rhs.aval.shape.includes(0)) return [zeros(tf, out)];
    if (isComplex(out.dtype)) {
      const parts = complexParts(tf, lhs, rhs, (x, y) => realConvolution(tf, x, y, params));
      return [tf.fromPair(parts.re, parts.im, out)];
    }
    if (isInteger(out.dtype)) {
      return [tf.value(integerConvolution(tf, lhs, rhs, params, out), out)];
    }
    const sum = realConvolution(tf, floatOperand(tf, lhs), floatOperand(tf, rhs), params);
    if (isFloat(out.dtype)) return [tf.value(sum, out)];
    return [tf.value(tf.binary("NotEqual", sum, tf.scalar(0, "float32")), out)];
  },
  limits: [
    {
      when: "int32 or uint32 results on webgl or webgpu",
      effect: "exact only while the result stays within 2^24",
      why: "these backends hold int32 in float32",
    },
    {
      when: "a symbolic spatial size is so small at run time that there is no window",
      effect: "TensorFlow.js throws, where JAX gives an array without elements",
      why: "the kernels do not make convolutions of no windows",
    },
  ],
  flops: ([_lhs, rhs], params, [out]) => {
    if (rhs === undefined || out === undefined) return 0;
    const perElement = rhs.shape.filter((_, dim) => dim !== params.dimension_numbers.rhs_spec[0]);
    const size = shapeSize([...out.shape, ...perElement].filter((dim) => typeof dim === "number"));
    return (isComplex(out.dtype) ? 8 : 2) * (typeof size === "number" ? size : 1);
  },
});

function zeros(tf: Tf, out: ShapedArray): GraphValue {
  if (isComplex(out.dtype)) {
    const zero = tf.scalar(0, "float32");
    return tf.fromPair(zero, zero, out);
  }
  const dtype = isFloat(out.dtype) ? "float32" : isInteger(out.dtype) ? "int32" : "bool";
  return tf.value(tf.scalar(dtype === "bool" ? false : 0, dtype), out);
}
