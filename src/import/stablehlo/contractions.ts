/**
 * Products and convolutions: `dot_general`, the old `dot`, `convolution` and its dynamic form.
 */
import type { Dim } from "../../ir/dims.js";
import type {
  ConvDimensionNumbers,
  ConvGeneralDilatedParams,
  DotGeneralParams,
} from "../../ir/params.js";
import type { MlirOperation } from "../mlir/ir.js";
import {
  integerAttribute,
  integersAttribute,
  pairsAttribute,
  precisionAttribute,
  structuredAttribute,
} from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { resultDType } from "./elementwise.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import type { Imported } from "./values.js";

const importDotGeneral: OperationImporter = (block, op) => {
  const numbers = structuredAttribute(op, "dot_dimension_numbers", "dotDimensionNumbers");
  return dot(block, op, [
    [numbers.lhsContractingDimensions, numbers.rhsContractingDimensions],
    [numbers.lhsBatchingDimensions, numbers.rhsBatchingDimensions],
  ]);
};

/** `dot` contracts the last dimension of the left with the first of the right operand. */
const importDot: OperationImporter = (block, op) => {
  const rank = block.atom(block.operand(op, 0)).aval.shape.length;
  return dot(block, op, [
    [[rank - 1], [0]],
    [[], []],
  ]);
};

function dot(
  block: BlockImporter,
  op: MlirOperation,
  dimensionNumbers: DotGeneralParams["dimension_numbers"],
): readonly Imported[] {
  const params: DotGeneralParams = {
    dimension_numbers: dimensionNumbers,
    precision: precisionAttribute(op),
    preferred_element_type: resultDType(op),
  };
  return block.emit(op, "dot_general", block.operands(op, 2), params);
}

function convolutionNumbers(op: MlirOperation): ConvDimensionNumbers {
  const numbers = structuredAttribute(op, "dimension_numbers", "convDimensionNumbers");
  return {
    lhs_spec: [
      numbers.inputBatchDimension,
      numbers.inputFeatureDimension,
      ...numbers.inputSpatialDimensions,
    ],
    rhs_spec: [
      numbers.kernelOutputFeatureDimension,
      numbers.kernelInputFeatureDimension,
      ...numbers.kernelSpatialDimensions,
    ],
    out_spec: [
      numbers.outputBatchDimension,
      numbers.outputFeatureDimension,
      ...numbers.outputSpatialDimensions,
    ],
  };
}

function convolution(
  block: BlockImporter,
  op: MlirOperation,
  padding: readonly (readonly [Dim, Dim])[],
): readonly Imported[] {
  const dimensionNumbers = convolutionNumbers(op);
  const ones = dimensionNumbers.lhs_spec.slice(2).map(() => 1);
  const reversal = integersAttribute(
    op,
    "window_reversal",
    ones.map(() => 0),
  );
  const params: ConvGeneralDilatedParams = {
    window_strides: integersAttribute(op, "window_strides", ones),
    padding,
    lhs_dilation: integersAttribute(op, "lhs_dilation", ones),
    rhs_dilation: integersAttribute(op, "rhs_dilation", ones),
    window_reversal: reversal.some((value) => value !== 0)
      ? reversal.map((value) => value !== 0)
      : null,
    dimension_numbers: dimensionNumbers,
    feature_group_count: integerAttribute(op, "feature_group_count", 1),
    batch_group_count: integerAttribute(op, "batch_group_count", 1),
    precision: precisionAttribute(op),
    preferred_element_type: resultDType(op),
  };
  const operands = [0, 1].map((index) => block.atom(block.operand(op, index)));
  return block.emit(op, "conv_general_dilated", operands, params);
}

const importConvolution: OperationImporter = (block, op) => {
  const rank = convolutionNumbers(op).lhs_spec.length - 2;
  return convolution(block, op, pairsAttribute(op, "padding", rank));
};

const importDynamicConvolution: OperationImporter = (block, op) =>
  convolution(block, op, pairsOf(block.dims(op, 2)));

/** Low and high padding in turn, as pairs. */
export function pairsOf(flat: readonly Dim[]): readonly (readonly [Dim, Dim])[] {
  const pairs: (readonly [Dim, Dim])[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    pairs.push([flat[index] ?? 0, flat[index + 1] ?? 0]);
  }
  return pairs;
}

export const contractionOperations: OperationTable = {
  "stablehlo.dot_general": importDotGeneral,
  "stablehlo.dot": importDot,
  "stablehlo.convolution": importConvolution,
  "stablehlo.dynamic_conv": importDynamicConvolution,
};
