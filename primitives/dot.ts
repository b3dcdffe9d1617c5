/**
 * dot_general: products of arrays with contracting and batch dimensions. The layout (which operand
 * is transposed or reshaped how) is decided in dotLayout.ts, exact integers in integerProducts.ts.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { dimEquals, printShape, shapeEquals, shapeSize, type Shape } from "../src/ir/dims.js";
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
import type { DotDimensionNumbers, DotGeneralParams } from "../src/ir/params.js";
import { definePrimitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { dotBatch, dotJvp, dotTranspose } from "./dotTransforms.js";
import { arrangeOperand, arrangeResult, planDot, type DotPlan } from "./dotLayout.js";
import { exactMatrixProduct } from "./integerProducts.js";
import { complexParts, floatOperand } from "./productOperands.js";

function mismatch(code: string, message: string): Jax2TfjsError {
  return new Jax2TfjsError(code, message, { primitive: "dot_general" });
}

const list = (dims: readonly number[]): string => printShape(dims);

function checkOneSide(side: "lhs" | "rhs", aval: ShapedArray, numbers: DotDimensionNumbers): void {
  const index = side === "lhs" ? 0 : 1;
  const contracting = numbers[0][index];
  const batch = numbers[1][index];
  const rank = aval.shape.length;
  const isDimension = (dim: number): boolean => Number.isInteger(dim) && dim >= 0 && dim < rank;
  if (![...contracting, ...batch].every(isDimension)) {
    throw mismatch(
      "invalid-parameter",
      `dot_general requires ${side} dimension numbers to be nonnegative and less than the number ` +
        `of axes of the ${side} value, got ${side}_batch of ${list(batch)} and ` +
        `${side}_contracting of ${list(contracting)} for ${side} of rank ${rank}`,
    );
  }
  if (new Set(batch).size !== batch.length) {
    throw mismatch(
      "invalid-parameter",
      `dot_general requires ${side} batch dimensions to be distinct, got ${side}_batch ${list(batch)}.`,
    );
  }
  if (new Set(contracting).size !== contracting.length) {
    throw mismatch(
      "invalid-parameter",
      `dot_general requires ${side} contracting dimensions to be distinct, got ` +
        `${side}_contracting ${list(contracting)}.`,
    );
  }
  if (contracting.some((dim) => batch.includes(dim))) {
    throw mismatch(
      "invalid-parameter",
      `dot_general requires ${side} batch dimensions to be disjoint from contracting dimensions, ` +
        `got ${side}_batch ${list(batch)} and ${side}_contracting ${list(contracting)}.`,
    );
  }
}

const pick = (shape: Shape, dims: readonly number[]): Shape => dims.map((dim) => shape[dim] ?? 0);

function resultShape(lhs: ShapedArray, rhs: ShapedArray, numbers: DotDimensionNumbers): Shape {
  checkOneSide("lhs", lhs, numbers);
  checkOneSide("rhs", rhs, numbers);
  const [[lhsContracting, rhsContracting], [lhsBatch, rhsBatch]] = numbers;
  if (lhsBatch.length !== rhsBatch.length) {
    throw mismatch(
      "shape-mismatch",
      "dot_general requires equal numbers of lhs_batch and rhs_batch dimensions, got lhs_batch " +
        `${list(lhsBatch)} and rhs_batch ${list(rhsBatch)}.`,
    );
  }
  const [leftBatch, rightBatch] = [pick(lhs.shape, lhsBatch), pick(rhs.shape, rhsBatch)];
  if (!shapeEquals(leftBatch, rightBatch)) {
    throw mismatch(
      "shape-mismatch",
      "dot_general requires lhs batch dimensions and rhs batch dimensions to have the same shape, " +
        `got ${printShape(leftBatch)} and ${printShape(rightBatch)}.`,
    );
  }
  const left = pick(lhs.shape, lhsContracting);
  const right = pick(rhs.shape, rhsContracting);
  if (!shapeEquals(left, right)) {
    throw mismatch(
      "shape-mismatch",
      "dot_general requires contracting dimensions to have the same shape, " +
        `got ${printShape(left)} and ${printShape(right)}.`,
    );
  }
  const rest = (shape: Shape, used: readonly number[]): Shape =>
    shape.filter((_, dim) => !used.includes(dim));
  return [
    ...leftBatch,
    ...rest(lhs.shape, [...lhsContracting, ...lhsBatch]),
    ...rest(rhs.shape, [...rhsContracting, ...rhsBatch]),
  ];
}

/** Largest exponent and mantissa bits of the floating-point formats (`jnp.finfo`). */
const floatFormats: Readonly<Partial<Record<DType, readonly [maxexp: number, nmant: number]>>> = {
  float4_e2m1fn: [3, 1],
  float8_e3m4: [4, 4],
  float8_e4m3: [8, 3],
  float8_e4m3b11fnuz: [5, 3],
  float8_e4m3fn: [9, 3],
  float8_e4m3fnuz: [8, 3],
  float8_e5m2: [16, 2],
  float8_e5m2fnuz: [16, 2],
  float8_e8m0fnu: [128, 0],
  bfloat16: [128, 7],
  float16: [16, 10],
  float32: [128, 23],
  float64: [1024, 52],
  complex64: [128, 23],
  complex128: [1024, 52],
};

/** JAX's order of operand types: the larger one decides the type of the result. */
function typeProperties(dtype: DType): readonly number[] {
  const [maxexp, nmant] = floatFormats[dtype] ?? [-1, -1];
  const bits = dtype === "bool" ? 1 : isComplex(dtype) ? bitsOf(dtype) / 2 : bitsOf(dtype);
  return [Number(isComplex(dtype)), maxexp, nmant, bits, Number(kindOf(dtype) !== "unsigned")];
}

function compareProperties(left: DType, right: DType): number {
  const rightProperties = typeProperties(right);
  for (const [index, value] of typeProperties(left).entries()) {
    const difference = value - (rightProperties[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function resultDtype(lhs: DType, rhs: DType, preferred: string | null): DType {
  const order = compareProperties(lhs, rhs);
  if (order === 0 && lhs !== rhs) {
    throw mismatch("dtype-mismatch", `lax.dot_general argument type error: ${lhs}, ${rhs}`);
  }
  const own = order >= 0 ? lhs : rhs;
  if (preferred === null || preferred === own) return own;
  if (!isDType(preferred)) {
    throw mismatch("invalid-parameter", `preferred_element_type ${preferred} is no dtype`);
  }
  const width = (dtype: DType): number => (dtype === "bool" ? 1 : bitsOf(dtype));
  if (!isFloat(own) && width(preferred) < width(own)) {
    throw mismatch(
      "dtype-mismatch",
      "`preferred_element_type` must not be narrower than the original type, got " +
        `preferred_element_type of ${preferred} for result type of ${own}.`,
    );
  }
  return preferred;
}

/** Sum of products over the contracting dimensions, for operands of the plan's layout. */
function multiply(tf: Tf, plan: DotPlan, left: Tensor, right: Tensor): Tensor {
  if (plan.kind === "elementwise") {
    const product = tf.binary("Mul", left, right);
    return plan.sumAxes.length === 0 ? product : tf.reduce("Sum", product, plan.sumAxes);
  }
  return tf.matMul(left, right, {
    transposeX: plan.left.transposed,
    transposeY: plan.right.transposed,
  });
}

function realProduct(tf: Tf, plan: DotPlan, lhs: Tensor, rhs: Tensor): Tensor {
  const left = arrangeOperand(tf, lhs, plan.left);
  const right = arrangeOperand(tf, rhs, plan.right);
  return arrangeResult(tf, multiply(tf, plan, left, right), plan);
}

function integerProduct(
  tf: Tf,
  lhs: GraphValue,
  rhs: GraphValue,
  numbers: DotDimensionNumbers,
  out: ShapedArray,
): Tensor {
  const plan = planDot(tf, lhs.aval, rhs.aval, numbers, out.shape, { plainMatrices: true });
  const left = arrangeOperand(tf, tf.tensor(lhs), plan.left);
  const right = arrangeOperand(tf, tf.tensor(rhs), plan.right);
  const dtypes = [lhs.aval.dtype, rhs.aval.dtype] as const;
  return arrangeResult(tf, exactMatrixProduct(tf, left, right, dtypes, out), plan);
}

/** Sizes of the contracted dimensions, multiplied. */
function contractedSize(lhs: ShapedArray, numbers: DotDimensionNumbers) {
  return shapeSize(pick(lhs.shape, numbers[0][0]));
}

export const dotGeneral = definePrimitive<DotGeneralParams>({
  name: "dot_general",
  manyNodes: "Integer products are summed in pieces that are exact in float32.",
  abstractEval: ([lhs, rhs], params) => {
    if (lhs === undefined || rhs === undefined) {
      throw mismatch("invalid-parameter", "dot_general takes two operands");
    }
    const shape = resultShape(lhs, rhs, params.dimension_numbers);
    const dtype = resultDtype(lhs.dtype, rhs.dtype, params.preferred_element_type);
    return [shapedArray(dtype, shape, lhs.weakType && rhs.weakType)];
  },
  jvp: dotJvp,
  transpose: dotTranspose,
  batch: dotBatch,
  tfjs: (tf, [lhs, rhs], params, [out]) => {
    if (lhs === undefined || rhs === undefined || out === undefined) return [];
    const numbers = params.dimension_numbers;
    const contracted = contractedSize(lhs.aval, numbers);
    const empty = out.shape.includes(0) || dimEquals(contracted, 0);
    const plan = planDot(tf, lhs.aval, rhs.aval, numbers, out.shape);
    switch (kindOf(out.dtype)) {
      case "float": {
        if (empty) return [tf.value(tf.fill(out.shape, 0, "float32"), out)];
        const [x, y] = [floatOperand(tf, lhs), floatOperand(tf, rhs)];
        return [tf.value(realProduct(tf, plan, x, y), out)];
      }
      case "complex": {
        const zero = (): Tensor => tf.fill(out.shape, 0, "float32");
        if (empty) return [tf.fromPair(zero(), zero(), out)];
        const parts = complexParts(tf, lhs, rhs, (x, y) => realProduct(tf, plan, x, y));
        return [tf.fromPair(parts.re, parts.im, out)];
      }
      case "bool": {
        if (empty) return [tf.value(tf.fill(out.shape, false, "bool"), out)];
        // JAX: the disjunction of conjunctions; a sum of zeros and ones is positive exactly then.
        const sum = realProduct(tf, plan, floatOperand(tf, lhs), floatOperand(tf, rhs));
        return [tf.value(tf.binary("NotEqual", sum, tf.scalar(0, "float32")), out)];
      }
      case "signed":
      case "unsigned": {
        if (empty) return [tf.value(tf.fill(out.shape, 0, "int32"), out)];
        return [tf.value(integerProduct(tf, lhs, rhs, numbers, out), out)];
      }
      case "float0":
      case "token":
      case "key":
        throw mismatch("dtype-mismatch", `dot_general does not take ${out.dtype}`);
    }
  },
  limits: [
    {
      when: "int32 or uint32 results on webgl or webgpu",
      effect: "exact only while the result stays within 2^24",
      why: "these backends hold int32 in float32",
    },
  ],
  flops: ([lhs], params, [out]) => {
    if (lhs === undefined || out === undefined) return 0;
    const sizes = [...out.shape, contractedSize(lhs, params.dimension_numbers)];
    const product = sizes.reduce<number>(
      (size, dim) => size * (typeof dim === "number" ? dim : 1),
      2,
    );
    return isComplex(out.dtype) ? 4 * product : isInteger(out.dtype) ? product : product;
  },
});
