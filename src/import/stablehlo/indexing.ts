/**
 * Gather and scatter. StableHLO's gather clamps its start indices (mode "clip") and its scatter
 * skips what is out of bounds (mode "fill"); the clamps and masks JAX adds around them stay.
 */
import type { Dim } from "../../ir/dims.js";
import type { Atom } from "../../ir/jaxpr.js";
import type { GatherParams, ScatterParams } from "../../ir/params.js";
import type { MlirOperation } from "../mlir/ir.js";
import {
  booleanAttribute,
  integersAttribute,
  invalidModule,
  structuredAttribute,
} from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { unsupportedOperation } from "./diagnostics.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { binaryCombiner, importRegion, isOnArguments, regionExpressions } from "./regions.js";
import { avalOf, type Imported } from "./values.js";

/** Indices with the index vector in the last dimension, where JAX has it. */
function indicesAtom(block: BlockImporter, op: MlirOperation, vectorDim: number): Atom {
  const indices = block.atom(
    block.operand(op, op.name === "stablehlo.scatter" ? scatterIndices(op) : 1),
  );
  const { shape } = indices.aval;
  if (vectorDim === shape.length - 1) return indices;
  if (vectorDim === shape.length) return block.reshape(indices, [...shape, 1]);
  const others = shape.map((_, axis) => axis).filter((axis) => axis !== vectorDim);
  return block.bindOne("transpose", [indices], { permutation: [...others, vectorDim] });
}

/** Scatter has n operands, the indices, n updates. */
function scatterIndices(op: MlirOperation): number {
  return (op.operands.length - 1) / 2;
}

function gather(
  block: BlockImporter,
  op: MlirOperation,
  sliceSizes: readonly Dim[],
): readonly Imported[] {
  const numbers = structuredAttribute(op, "dimension_numbers", "gatherDimensionNumbers");
  const indices = indicesAtom(block, op, numbers.indexVectorDim);
  const operand = block.atom(block.operand(op, 0));
  const params: GatherParams = {
    dimension_numbers: {
      offset_dims: numbers.offsetDims,
      collapsed_slice_dims: numbers.collapsedSliceDims,
      start_index_map: numbers.startIndexMap,
      operand_batching_dims: numbers.operandBatchingDims,
      start_indices_batching_dims: numbers.startIndicesBatchingDims,
    },
    slice_sizes: sliceSizes,
    indices_are_sorted: booleanAttribute(op, "indices_are_sorted"),
    unique_indices: false,
    mode: "clip",
    fill_value: null,
  };
  return block.emit(op, "gather", [operand, indices], params);
}

/** The named scatters, by the operation that combines the old element with the update. */
const scatterNames: Readonly<Record<string, string>> = {
  add: "scatter-add",
  multiply: "scatter-mul",
  maximum: "scatter-max",
  minimum: "scatter-min",
};

const importScatter: OperationImporter = (block, op) => {
  const count = scatterIndices(op);
  if (!Number.isInteger(count) || count < 1) throw invalidModule("a scatter lacks operands");
  const numbers = structuredAttribute(op, "scatter_dimension_numbers", "scatterDimensionNumbers");
  const indices = indicesAtom(block, op, numbers.indexVectorDim);
  const params: ScatterParams = {
    dimension_numbers: {
      update_window_dims: numbers.updateWindowDims,
      inserted_window_dims: numbers.insertedWindowDims,
      scatter_dims_to_operand_dims: numbers.scatterDimsToOperandDims,
      operand_batching_dims: numbers.inputBatchingDims,
      scatter_indices_batching_dims: numbers.scatterIndicesBatchingDims,
    },
    indices_are_sorted: booleanAttribute(op, "indices_are_sorted"),
    unique_indices: booleanAttribute(op, "unique_indices"),
    mode: "fill",
    update_jaxpr: null,
  };
  const [region] = op.regions;
  if (region === undefined) throw invalidModule("a scatter has no combiner");
  const results = regionExpressions(block, region);
  return Array.from({ length: count }, (_, index) => {
    const inputs = [
      block.atom(block.operand(op, index)),
      indices,
      block.atom(block.operand(op, count + 1 + index)),
    ];
    const result = results[index];
    if (result?.kind === "argument" && result.index === count + index) {
      return { kind: "atom", atom: block.bindOne("scatter", inputs, params) };
    }
    const combiner =
      result === undefined ? undefined : binaryCombiner(result, index, count + index);
    const isBool = inputs[0]?.aval.dtype === "bool";
    let name = combiner === undefined || isBool ? undefined : scatterNames[combiner];
    if (isOnArguments(result, "subtract", index, count + index)) name = "scatter-sub";
    if (name !== undefined) return { kind: "atom", atom: block.bindOne(name, inputs, params) };
    if (count > 1) {
      throw unsupportedOperation(
        op,
        block.sourceText,
        "a scatter of several arrays combines them in a way that is not supported",
      );
    }
    const combine = importRegion(block, op, region, 2);
    return {
      kind: "atom",
      atom: block.bindOne("scatter", inputs, { ...params, update_jaxpr: combine }),
    };
  });
};

export const indexingOperations: OperationTable = {
  "stablehlo.gather": (block, op) => {
    const sizes = integersAttribute(op, "slice_sizes");
    if (sizes.length !== avalOf(block.value(block.operand(op, 0))).shape.length) {
      throw invalidModule("the slice sizes of a gather are not as many as the dimensions");
    }
    return gather(block, op, sizes);
  },
  "stablehlo.dynamic_gather": (block, op) => gather(block, op, block.dims(op, 2)),
  "stablehlo.scatter": importScatter,
};
