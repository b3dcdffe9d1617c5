// Random equations of dot_general, conv_general_dilated, windowed reductions and their gradients
// against the results of JAX (scripts/data/make_contractions.py), as graphs on each backend.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
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
import type { Backend } from "../../src/ir/tf.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import { repositoryRoot } from "../support/paths.js";
import { lowered, program, run } from "../support/runLowered.js";

interface StoredArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: string;
}

interface Case {
  readonly primitive: string;
  readonly params: Params;
  readonly inputs: readonly StoredArray[];
  readonly output: StoredArray;
  readonly rtol: number;
}

const file = join(repositoryRoot, "tests/data/contractions.json.gz");
const cases = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as readonly Case[];

function decode({ dtype, shape, data }: StoredArray): HostArray {
  if (!isDType(dtype)) throw new Error(`no dtype: ${dtype}`);
  return hostArray(dtype, shape, new Uint8Array(Buffer.from(data, "base64")));
}

const numbersOf = (array: HostArray): readonly number[] => Array.from(valuesOf(array), Number);

/** The tensors that carry an array: two for complex ones, the int32 of the same bits for uint32. */
function tensorsOf(array: HostArray): readonly tf.Tensor[] {
  const numbers = numbersOf(array);
  const shape = [...array.shape];
  if (isComplex(array.dtype)) {
    return [0, 1].map((part) =>
      tf.tensor(
        numbers.filter((_, index) => index % 2 === part),
        shape,
        "float32",
      ),
    );
  }
  if (array.dtype === "bool") return [tf.tensor([...numbers], shape, "bool")];
  if (isFloat(array.dtype)) return [tf.tensor(Float32Array.from(numbers), shape, "float32")];
  return [
    tf.tensor(
      Int32Array.from(numbers, (value) => value | 0),
      shape,
      "int32",
    ),
  ];
}

/** The recorded numbers as the graph's outputs hold them. */
function expectedNumbers(array: HostArray): readonly number[] {
  const numbers = numbersOf(array);
  return array.dtype === "uint32" ? numbers.map((value) => value | 0) : numbers;
}

/** Real and imaginary parts interleaved again. */
function interleave(outputs: readonly ArrayLike<number>[]): readonly number[] {
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
function shapesOf({ primitive, params, inputs }: Case, symbolic: boolean): readonly Shape[] {
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

async function check(
  test: Case,
  targets: readonly Backend[],
  sizes: "static" | "symbolic" = "static",
): Promise<void> {
  const inputs = test.inputs.map(decode);
  const output = decode(test.output);
  const record = registry.get(test.primitive);
  if (record === undefined) throw new Error(`no primitive ${test.primitive}`);
  const general = test.primitive === "reduce_window" ? { jaxpr: product(output.dtype) } : {};
  const shapes = shapesOf(test, sizes === "symbolic");
  const avals = inputs.map((input, index) => shapedArray(input.dtype, at(shapes, index)));
  const closed = program(avals, (builder, values) =>
    builder.bind(record, values, { ...test.params, ...general }),
  );
  if (sizes === "static") {
    expect(closed.jaxpr.outvars.map((atom) => atom.aval.shape)).toEqual([output.shape]);
  }
  const tensors = inputs.flatMap(tensorsOf);
  const actual = interleave(await run(lowered(closed, targets), tensors));
  tf.dispose([...tensors]);
  const expected = expectedNumbers(output);
  const largest = expected.reduce(
    (max, x) => Math.max(max, Number.isFinite(x) ? Math.abs(x) : 0),
    1,
  );
  const tolerance = { rtol: test.rtol, atol: test.rtol * largest };
  expectAgrees(test.primitive, actual, expected, output.dtype, tolerance);
}

const portable = ["cpu", "wasm", "webgl", "webgpu"] as const;

/** Name, index and case; several cases have one primitive. */
const table = cases.map((test, index) => [`${index} ${test.primitive}`, test] as const);

describeOnBackend("cpu", () => {
  it.each(table)("%s", (_, test) => check(test, ["cpu"]));
});

/** Windows of sizes that are too small have no elements: with symbolic sizes that is an error. */
const hasElements = table.filter(([, test]) => !test.output.shape.includes(0));

describeOnBackend("cpu", () => {
  it.each(hasElements)("%s of symbolic sizes", (_, test) => check(test, portable, "symbolic"));
});

describeOnBackend("wasm", () => {
  it.each(table)("%s", (_, test) => check(test, portable));
});

describeOnBackend("tensorflow", () => {
  it.each(table)("%s", (_, test) => check(test, ["tensorflow"]));
});
