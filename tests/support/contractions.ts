// The recorded equations of dot_general, conv_general_dilated, windowed reductions and their
// gradients (scripts/data/make_contractions.py), and how their arrays become tensors and back.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { mul } from "../../primitives/binary.js";
import { registry } from "../../primitives/index.js";
import type { SelectAndScatterAddParams } from "../../primitives/selectAndScatter.js";
import { at } from "../../primitives/support.js";
import { shapedArray } from "../../src/ir/aval.js";
import {
  addDims,
  parseDim,
  strideDim,
  symbolicScope,
  type Dim,
  type Shape,
} from "../../src/ir/dims.js";
import { isComplex, isDType, isFloat, type DType } from "../../src/ir/dtypes.js";
import { hostArray, type HostArray, valuesOf } from "../../src/ir/hostArray.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { ConvDimensionNumbers, DotDimensionNumbers, Params } from "../../src/ir/params.js";
import { repositoryRoot } from "./paths.js";
import { program } from "./runLowered.js";

export interface StoredArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: string;
}

/** One equation, its inputs and what JAX computes. */
export interface Case {
  readonly primitive: string;
  readonly params: Params;
  readonly inputs: readonly StoredArray[];
  readonly output: StoredArray;
  readonly rtol: number;
}

export const cases = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/contractions.json.gz"))).toString(
    "utf8",
  ),
) as readonly Case[];

export function decode({ dtype, shape, data }: StoredArray): HostArray {
  if (!isDType(dtype)) throw new Error(`no dtype: ${dtype}`);
  return hostArray(dtype, shape, new Uint8Array(Buffer.from(data, "base64")));
}

/** The numbers of an array; real and imaginary parts of complex ones alternate. */
export const numbersOf = (array: HostArray): readonly number[] =>
  Array.from(valuesOf(array), Number);

/** The tensors that carry numbers: two for complex ones, the int32 of the same bits for uint32. */
export function tensorsOf(
  dtype: DType,
  sizes: readonly number[],
  numbers: readonly number[],
): readonly tf.Tensor[] {
  const shape = [...sizes];
  if (isComplex(dtype)) {
    return [0, 1].map((part) =>
      tf.tensor(
        numbers.filter((_, index) => index % 2 === part),
        shape,
        "float32",
      ),
    );
  }
  if (dtype === "bool") return [tf.tensor([...numbers], shape, "bool")];
  if (isFloat(dtype)) return [tf.tensor(Float32Array.from(numbers), shape, "float32")];
  return [
    tf.tensor(
      Int32Array.from(numbers, (value) => value | 0),
      shape,
      "int32",
    ),
  ];
}

/** Real and imaginary parts interleaved again. */
export function interleave(outputs: readonly ArrayLike<number>[]): readonly number[] {
  const [first, second] = outputs;
  if (first === undefined) return [];
  const real = Array.from(first);
  return second === undefined ? real : real.flatMap((value, index) => [value, second[index] ?? 0]);
}

/** `(x, y) -> x * y`: the computation of the recorded general reduce_window. */
function product(dtype: DType): ClosedJaxpr {
  const scalar = shapedArray(dtype, []);
  return program([scalar, scalar], (builder, inputs) => builder.bind(mul, inputs, {}));
}

/** The shapes of the inputs, or with dimension variables where this primitive has free choice. */
export function shapesOf({ primitive, params, inputs }: Case, symbolic: boolean): readonly Shape[] {
  const shapes = inputs.map((input): Dim[] => [...input.shape]);
  const [first = [], second = []] = shapes;
  if (!symbolic) return shapes;
  const scope = symbolicScope();
  const rename = (shape: Dim[], dims: readonly number[], prefix: string): void =>
    dims.forEach((dim, index) => (shape[dim] = parseDim(`${prefix}${index}`, scope)));
  const every = (shape: Shape): readonly number[] => shape.map((_, dim) => dim);
  if (primitive === "dot_general") {
    const [contracting, batch] = params.dimension_numbers as DotDimensionNumbers;
    rename(first, every(first), "m");
    rename(second, every(second), "n");
    shapes.forEach((shape, side) => {
      rename(shape, contracting[side] ?? [], "k");
      rename(shape, batch[side] ?? [], "b");
    });
  } else if (primitive === "conv_general_dilated") {
    const { lhs_spec } = params.dimension_numbers as ConvDimensionNumbers;
    const [batch = 0, , ...spatial] = lhs_spec;
    rename(first, params.batch_group_count === 1 ? [batch, ...spatial] : spatial, "s");
  } else if (primitive === "select_and_scatter_add") {
    rename(second, every(second), "d");
    const windows = params as SelectAndScatterAddParams;
    first.forEach((_, dim) => {
      const [low, high] = at(windows.padding, dim);
      const padded = addDims(at(second, dim), addDims(low, high));
      first[dim] = strideDim(
        padded,
        at(windows.window_dimensions, dim),
        at(windows.window_strides, dim),
      );
    });
  } else {
    for (const shape of shapes) rename(shape, every(shape), "d");
  }
  return shapes;
}

/** The equation as a program over its inputs, of the recorded sizes or of symbolic ones. */
export function programOf(test: Case, symbolic = false): ClosedJaxpr {
  const record = registry.get(test.primitive);
  if (record === undefined) throw new Error(`no primitive ${test.primitive}`);
  const shapes = shapesOf(test, symbolic);
  const dtypeOf = ({ dtype }: StoredArray): DType => {
    if (!isDType(dtype)) throw new Error(`no dtype: ${dtype}`);
    return dtype;
  };
  const general =
    test.primitive === "reduce_window" ? { jaxpr: product(dtypeOf(test.output)) } : {};
  const avals = test.inputs.map((input, index) => shapedArray(dtypeOf(input), at(shapes, index)));
  return program(avals, (builder, values) =>
    builder.bind(record, values, { ...test.params, ...general }),
  );
}
