// Single equations with JAX's results, recorded by scripts/data/make_primitives.py: runs them as
// graphs on every backend of this machine and compares. Used by the tests of primitives that move,
// reduce, index and sort.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { registry } from "../../primitives/index.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import type { DType } from "../../src/ir/dtypes.js";
import { asFloat32, fromNumbers, valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import type { Params } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import type { Backend } from "../../src/ir/tf.js";
import { GraphRunner } from "../../src/lower/execute.js";
import { arrayOf, tensorsOf } from "../../src/run/tensors.js";
import { describeOnBackend, nodeBackends } from "./backends.js";
import { compareArrays, comparisonKind } from "./compare.js";
import { repositoryRoot } from "./paths.js";
import { lowered, program } from "./runLowered.js";

interface EncodedArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** NaN, infinities and -0.0 are strings. */
  readonly data: readonly (number | boolean | string)[];
}

interface RecordedCase {
  readonly group: string;
  readonly name: string;
  readonly params: Params;
  readonly inputs: readonly EncodedArray[];
  readonly outputs: readonly EncodedArray[];
}

/** A recorded equation. */
export interface PrimitiveCase {
  readonly group: string;
  readonly title: string;
  readonly primitive: Primitive;
  readonly params: Params;
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly HostArray[];
}

const words: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  "-0": -0,
};

function decode({ dtype, shape, data }: EncodedArray): HostArray {
  const numbers = data.map((value) =>
    typeof value === "string" ? (words[value] ?? Number.NaN) : Number(value),
  );
  return fromNumbers(dtype, shape, numbers);
}

let cases: readonly PrimitiveCase[] | undefined;

/** All recorded equations of a group. */
export function recordedPrimitives(group: string): readonly PrimitiveCase[] {
  cases ??= readCases();
  return cases.filter((recorded) => recorded.group === group);
}

function readCases(): readonly PrimitiveCase[] {
  const bytes = readFileSync(join(repositoryRoot, "tests/data/primitives.json.gz"));
  const file = JSON.parse(gunzipSync(bytes).toString("utf8")) as {
    readonly cases: readonly RecordedCase[];
  };
  return file.cases.map((recorded, index) => {
    const primitive = registry.get(recorded.name);
    if (primitive === undefined) throw new Error(`no record of ${recorded.name}`);
    const types = recorded.inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`);
    return {
      group: recorded.group,
      title: `#${index} ${recorded.name} ${types.join(" ")} ${JSON.stringify(recorded.params)}`,
      primitive,
      params: recorded.params,
      inputs: recorded.inputs.map(decode),
      outputs: recorded.outputs.map(decode),
    };
  });
}

const avalOf = (array: HostArray): ShapedArray => shapedArray(array.dtype, array.shape);

/** Sums and products may be rounded in another order; data movement may not. */
function toleranceOf(group: string, dtype: DType): { rtol: number; atol: number } {
  if (group !== "reduce" && group !== "cumulative" && group !== "scatter") {
    return { rtol: 0, atol: 0 };
  }
  const tolerance = dtype === "bfloat16" ? 3e-2 : 1e-5;
  return { rtol: tolerance, atol: tolerance };
}

/** What differs from the recorded result, or null. */
async function runCase(
  recorded: PrimitiveCase,
  backends: readonly Backend[],
  isConstant: (index: number, array: HostArray) => boolean,
): Promise<string | null> {
  const fed = recorded.inputs.filter((array, index) => !isConstant(index, array));
  const closed = program(fed.map(avalOf), (builder, variables) => {
    let next = 0;
    const operands = recorded.inputs.map((array, index) => {
      if (isConstant(index, array)) return builder.constant(array);
      const variable = variables[next++];
      if (variable === undefined) throw new Error("no variable");
      return variable;
    });
    return builder.bind(recorded.primitive, operands, recorded.params);
  });
  const graph = lowered(closed, backends);
  const runner = new GraphRunner(graph);
  const feeds = fed.flatMap((array) => tensorsOf(array, 2));
  const results = await runner.run(feeds);
  const problems: string[] = [];
  for (const [position, expected] of recorded.outputs.entries()) {
    const own = results.filter((_, index) => graph.outputs[index]?.position === position);
    const actual = await arrayOf({ dtype: expected.dtype }, own);
    const { agrees, summary } = compareArrays(
      valuesOf(actual),
      valuesOf(expected),
      comparisonKind(expected.dtype),
      toleranceOf(recorded.group, expected.dtype),
    );
    const shapes = [actual, expected].map((array) => array.shape.join(","));
    if (shapes[0] !== shapes[1]) problems.push(`shape ${shapes.join(" instead of ")}`);
    else if (!agrees) problems.push(`result ${position}: ${summary}`);
  }
  tf.dispose([...feeds, ...results]);
  runner.dispose();
  return problems.length === 0 ? null : `${recorded.title}: ${problems.join("; ")}`;
}

/** Runs the equations; gives a line for each that fails. */
async function failuresOf(
  group: string,
  backends: readonly Backend[],
  isConstant: (index: number, array: HostArray) => boolean,
): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const recorded of recordedPrimitives(group)) {
    try {
      const problem = await runCase(recorded, backends, isConstant);
      if (problem !== null) failures.push(problem);
    } catch (error) {
      failures.push(`${recorded.title}: ${String(error)}`);
    }
  }
  return failures;
}

const allBackends: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];

/**
 * Tests that the recorded equations of a group give JAX's results on each backend, converted for
 * all backends and for that one alone; `indices` says which inputs are indices, which are also
 * tried as constants.
 */
export function testRecorded(
  group: string,
  indices: (index: number, array: HostArray) => boolean = () => false,
): void {
  for (const backend of nodeBackends) {
    describeOnBackend(backend, () => {
      it(`${group}: recorded results, converted for all backends`, async () => {
        expect(await failuresOf(group, allBackends, () => false)).toEqual([]);
      });
      it(`${group}: recorded results, converted for ${backend}`, async () => {
        expect(await failuresOf(group, [backend], indices)).toEqual([]);
      });
    });
  }
}

/** Sums and products of floats, which XLA computes in an order of its own. */
function dependsOnOrder(primitive: string, { dtype }: HostArray): boolean {
  return dtype === "float32" && (primitive === "reduce_sum" || primitive === "reduce_prod");
}

const isEqual = (array: HostArray, expected: HostArray): boolean =>
  Buffer.compare(array.bytes, expected.bytes) === 0;

function isNear(array: HostArray, expected: HostArray): boolean {
  const wanted = asFloat32(expected);
  return asFloat32(array).every((value, index) => {
    const other = wanted[index] ?? NaN;
    return Object.is(value, other) || Math.abs(value - other) <= 1e-6 * Math.abs(other);
  });
}

/** Compares the host evaluation of recorded equations (where there is one) with JAX's results. */
export function testFolds(group: string): void {
  it(`${group}: folds exactly`, () => {
    const folded: string[] = [];
    for (const { primitive, params, inputs, outputs, title } of recordedPrimitives(group)) {
      const results = primitive.fold?.(inputs, params, outputs.map(avalOf)) ?? null;
      results?.forEach((array, index) => {
        const expected = outputs[index];
        const same = dependsOnOrder(primitive.name, array) ? isNear : isEqual;
        const sameShape = array.shape.join() === expected?.shape.join();
        if (expected === undefined || !sameShape || !same(array, expected)) folded.push(title);
      });
    }
    expect(folded).toEqual([]);
  });
}
