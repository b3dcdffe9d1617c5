/**
 * The derivatives and the batching rules of windowed reductions and of the selections that are the
 * derivatives of windowed extrema. Used by window.ts, windowGeneral.ts and selectAndScatter.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { dilateDim } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import { batchAtFront, sizeOfBatch, type BatchDims } from "./batching.js";
import { lhsCotangentPadding } from "./convTransforms.js";
import { at } from "./support.js";

/** The parameters that all windowed operations have. */
interface WindowShape {
  readonly window_dimensions: ReduceWindowParams["window_dimensions"];
  readonly window_strides: readonly number[];
  readonly padding: ReduceWindowParams["padding"];
}

/** Windows with one more dimension, along which they have size 1. */
export function insertWindowDim<P extends WindowShape>(params: P, dim: number): P {
  return {
    ...params,
    window_dimensions: params.window_dimensions.toSpliced(dim, 0, 1),
    window_strides: params.window_strides.toSpliced(dim, 0, 1),
    padding: params.padding.toSpliced(dim, 0, [0, 0]),
  };
}

/** The same for windows with dilations. */
export function insertDilatedWindowDim<P extends ReduceWindowParams>(params: P, dim: number): P {
  return {
    ...insertWindowDim(params, dim),
    base_dilation: params.base_dilation.toSpliced(dim, 0, 1),
    window_dilation: params.window_dilation.toSpliced(dim, 0, 1),
  };
}

/** Inputs that must all have the batch dimension: all get it in front. */
export function allAtFront(o: Ops, inputs: readonly Value[], dims: BatchDims): readonly Value[] {
  const size = sizeOfBatch(inputs, dims);
  return inputs.map((input, index) => batchAtFront(o, input, dims[index] ?? null, size));
}

/**
 * The cotangent of the operand of a windowed sum: the sums of the cotangents of all windows that an
 * element is in, which are windows over the cotangents with zeros between and around them.
 */
export function transposeWindowSum(
  o: Ops,
  cotangent: Value,
  operand: ShapedArray,
  params: ReduceWindowParams,
): Value {
  const { window_dimensions, window_strides, base_dilation, window_dilation } = params;
  const config = window_strides.map((stride, dim) => {
    const [low, high] = lhsCotangentPadding({
      lhs: dilateDim(at(operand.shape, dim), at(base_dilation, dim)),
      window: dilateDim(at(window_dimensions, dim), at(window_dilation, dim)),
      out: dilateDim(at(cotangent.aval.shape, dim), stride),
      low: at(at(params.padding, dim), 0),
    });
    return [low, high, stride - 1] as const;
  });
  const padded = o.pad(cotangent, o.literal(0, cotangent.aval.dtype), config);
  return o.reduceWindowSum(padded, {
    window_dimensions,
    window_strides: base_dilation,
    padding: config.map(() => [0, 0]),
    base_dilation: config.map(() => 1),
    window_dilation,
  });
}
