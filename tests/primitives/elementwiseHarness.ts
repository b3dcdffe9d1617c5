// Runs single primitives as graphs on the current tfjs backend, on arrays in plain memory: what the
// elementwise tests need. The cases are what JAX computed (scripts/data/make_elementwise.py).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { registry } from "../../primitives/index.js";
import { shapedArray } from "../../src/ir/aval.js";
import { JaxprBuilder } from "../../src/ir/builder.js";
import { isDType } from "../../src/ir/dtypes.js";
import { hostArray, valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import type { Params } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import type { Backend } from "../../src/ir/tf.js";
import { createOps } from "../../src/lax/ops.js";
import { GraphRunner } from "../../src/lower/execute.js";
import { lowerProgram } from "../../src/lower/lowerProgram.js";
import { arrayOf, tensorsOf } from "../../src/run/tensors.js";
import { repositoryRoot } from "../support/paths.js";

interface StoredArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: string;
}

/** One primitive on one set of arguments. */
export interface ElementwiseCase {
  readonly primitive: string;
  readonly params: Params;
  readonly inputs: readonly StoredArray[];
  readonly outputs: readonly StoredArray[];
  readonly rtol: number;
  readonly atol: number;
  /** Inputs to be given as literals: their elements are all the same. */
  readonly known?: readonly number[];
  readonly tangents?: readonly StoredArray[];
  readonly jvp?: StoredArray;
  /** Needs numbers below 2^-126, which TensorFlow treats as zeros. */
  readonly subnormals?: boolean;
}

export function readCases(): readonly ElementwiseCase[] {
  const bytes = readFileSync(join(repositoryRoot, "tests/data/elementwise.json.gz"));
  return JSON.parse(gunzipSync(bytes).toString()) as readonly ElementwiseCase[];
}

export function toArray({ dtype, shape, bytes }: StoredArray): HostArray {
  if (!isDType(dtype)) throw new Error(`${dtype} is no dtype`);
  return hostArray(dtype, shape, new Uint8Array(Buffer.from(bytes, "base64")));
}

export function recordNamed(name: string): Primitive {
  const record = registry.get(name);
  if (record === undefined) throw new Error(`no record ${name}`);
  return record;
}

/** Builds a program with `o` over the arrays as inputs, runs it, and gives its results. */
export async function evaluate(
  inputs: readonly HostArray[],
  backends: readonly Backend[],
  build: (o: Ops, inputs: readonly Value[]) => readonly Value[],
): Promise<readonly HostArray[]> {
  const builder = new JaxprBuilder();
  const o = createOps({
    bind: (primitive, values, params) => builder.bind(primitive, values, params),
    constant: (value) => builder.constant(value),
  });
  const variables = inputs.map(({ dtype, shape }) => builder.input(shapedArray(dtype, shape)));
  const results = build(o, variables);
  const graph = lowerProgram({
    program: builder.build(results),
    inputs: inputs.map((_, index) => ({ key: `x${index}`, weight: null })),
    outputs: results.map((_, index) => `y${index}`),
    backends: new Set(backends),
    complexBorders: "pair",
  });
  const runner = new GraphRunner(graph);
  const fed = graph.inputs.map(({ position, part }) => {
    const array = inputs[position];
    const tensors = array === undefined ? [] : tensorsOf(array, 2);
    const tensor = part === "imag" ? tensors[1] : tensors[0];
    if (tensor === undefined) throw new Error(`no tensor for input ${position}`);
    return tensor;
  });
  const tensors = await runner.run(fed);
  const arrays = await Promise.all(
    results.map((value, index) =>
      arrayOf(
        { dtype: value.aval.dtype },
        tensors.filter((_, place) => graph.outputs[place]?.position === index),
      ),
    ),
  );
  runner.dispose();
  tf.dispose([...fed, ...tensors]);
  return arrays;
}

/** Runs a case: the results, and their tangents if the case has some. */
export async function runCase(
  test: ElementwiseCase,
  backends: readonly Backend[],
): Promise<readonly HostArray[]> {
  const record = recordNamed(test.primitive);
  const inputs = test.inputs.map(toArray);
  const tangents = (test.tangents ?? []).map(toArray);
  const isKnown = (index: number): boolean => test.known?.includes(index) ?? false;
  const fed = [...inputs.filter((_, index) => !isKnown(index)), ...tangents];
  return evaluate(fed, backends, (o, values) => {
    const rest = [...values];
    const take = (): Value => {
      const value = rest.shift();
      if (value === undefined) throw new Error("too few inputs");
      return value;
    };
    const args = inputs.map((array, index) =>
      isKnown(index) ? o.literal(Number(valuesOf(array)[0]), array.dtype) : take(),
    );
    if (test.tangents === undefined) return o.bind(record, args, test.params);
    if ("kind" in record.jvp) throw new Error(record.jvp.reason);
    const { primals, tangents: results } = record.jvp(o, args, tangents.map(take), test.params);
    return primals.flatMap((primal, index) => [
      primal,
      results[index] ?? o.full(primal.aval.shape, 0, primal.aval.dtype),
    ]);
  });
}
