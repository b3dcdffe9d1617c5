// Equations of linear algebra with JAX's results, recorded by scripts/data/make_linalg.py: runs them
// as graphs on the current backend. What is unique is compared with JAX's numbers; of eigenvectors,
// singular vectors and Schur forms, which are not, it is checked that they do what they should.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { registry } from "../../primitives/index.js";
import { compareArrays } from "../../src/cli/compare.js";
import { checkDecomposition } from "../../src/cli/conformance/reconstruct.js";
import {
  adjoint,
  at as elementOf,
  distance,
  identity,
  matricesOf,
  multiply,
  type Matrix,
} from "../../src/cli/conformance/matrices.js";
import { shapedArray } from "../../src/ir/aval.js";
import type { DType } from "../../src/ir/dtypes.js";
import { fromNumbers, valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import type { Params } from "../../src/ir/params.js";
import type { Backend } from "../../src/ir/tf.js";
import { GraphRunner } from "../../src/lower/execute.js";
import { arrayOf, tensorsOf } from "../../src/run/tensors.js";
import { repositoryRoot } from "./paths.js";
import { lowered, program } from "./runLowered.js";

interface EncodedArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** NaN and infinities are strings. */
  readonly data: readonly (number | string)[];
}

interface EncodedCase {
  readonly name: string;
  readonly params: Params;
  readonly inputs: readonly EncodedArray[];
  readonly outputs: readonly EncodedArray[];
}

/** A recorded equation. */
export interface LinalgCase {
  readonly name: string;
  readonly title: string;
  readonly params: Params;
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly HostArray[];
}

const words: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, "-inf": -Infinity };

function decode({ dtype, shape, data }: EncodedArray): HostArray {
  const numbers = data.map((value) => (typeof value === "string" ? (words[value] ?? NaN) : value));
  return fromNumbers(dtype, shape, numbers);
}

/** All recorded equations. */
export function recordedLinalg(): readonly LinalgCase[] {
  const bytes = readFileSync(join(repositoryRoot, "tests/data/linalg.json.gz"));
  const file = JSON.parse(gunzipSync(bytes).toString("utf8")) as { cases: readonly EncodedCase[] };
  return file.cases.map(({ name, params, inputs, outputs }, index) => {
    const types = inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`);
    return {
      name,
      title: `#${index} ${name} ${types.join(" ")} ${JSON.stringify(params)}`,
      params,
      inputs: inputs.map(decode),
      outputs: outputs.map(decode),
    };
  });
}

/** Runs an equation as a graph; gives its results and how many nodes the graph has. */
export async function runEquation(
  { name, params, inputs, outputs }: LinalgCase,
  backends: readonly Backend[],
): Promise<{ readonly results: readonly HostArray[]; readonly nodes: number }> {
  const primitive = registry.get(name);
  if (primitive === undefined) throw new Error(`no record of ${name}`);
  const avals = inputs.map(({ dtype, shape }) => shapedArray(dtype, shape));
  const graph = lowered(
    program(avals, (builder, variables) => builder.bind(primitive, variables, params)),
    backends,
  );
  const runner = new GraphRunner(graph);
  const feeds = inputs.flatMap((array) => tensorsOf(array, 2));
  const tensors = await runner.run(feeds);
  const results: HostArray[] = [];
  for (const [position, { dtype }] of outputs.entries()) {
    const own = tensors.filter((_, index) => graph.outputs[index]?.position === position);
    results.push(await arrayOf({ dtype }, own));
  }
  tf.dispose([...feeds, ...tensors]);
  runner.dispose();
  return { results, nodes: graph.nodes.length };
}

const largest = (array: HostArray): number =>
  Array.from(valuesOf(array), Number)
    .filter(Number.isFinite)
    .reduce((max, value) => Math.max(max, Math.abs(value)), 0);

/** What is wrong with the results, or nothing. */
export function problemOf(recorded: LinalgCase, results: readonly HostArray[]): string {
  const { name, inputs, outputs } = recorded;
  const shapes = (arrays: readonly HostArray[]): string =>
    arrays.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`).join(" ");
  if (shapes(results) !== shapes(outputs)) return `${shapes(results)}, not ${shapes(outputs)}`;
  if (!["eigh", "svd", "eig", "schur"].includes(name)) return difference(results, outputs);
  const scale = Math.max(...inputs.map(largest));
  const tolerance = { rtol: 1e-4, atol: 1e-4 * Math.max(scale, 1e-30) };
  if (name === "schur") return schurProblem(recorded, results, tolerance.atol);
  const flags = Object.entries(recorded.params).map(([key, value]) => `${key}_${pascal(value)}`);
  const decomposition = { inputs, actual: results, expected: outputs, tolerance };
  return checkDecomposition({ ...decomposition, group: name, name: flags.join("_") });
}

const pascal = (value: unknown): string =>
  value === true ? "True" : value === false ? "False" : String(value);

function difference(results: readonly HostArray[], outputs: readonly HostArray[]): string {
  const problems = outputs.flatMap((expected, index) => {
    const actual = results[index];
    if (actual === undefined) return [`no result ${index}`];
    const isExact = expected.dtype === "int32";
    const size = Math.max(1e-30, largest(expected));
    const tolerance = isExact ? { rtol: 0, atol: 0 } : { rtol: 1e-4, atol: 1e-4 * size };
    const { agrees, problem } = compareArrays(actual, expected, tolerance);
    return agrees ? [] : [`result ${index}: ${problem}`];
  });
  return problems.join("; ");
}

/** A = Z T Z^H with orthonormal Z, and T triangular but for 2 × 2 blocks of complex eigenvalues. */
function schurProblem(
  { inputs }: LinalgCase,
  results: readonly HostArray[],
  allowed: number,
): string {
  const [as, ts, zs] = [inputs[0], results[0], results[1]].map((array) =>
    array === undefined ? [] : matricesOf(array),
  );
  for (const [index, a] of (as ?? []).entries()) {
    const [t, z] = [ts?.[index], zs?.[index]];
    if (t === undefined || z === undefined) return "no Schur form";
    const error = distance(multiply(multiply(z, t), adjoint(z)), a);
    const skew = distance(multiply(adjoint(z), z), identity(z.columns));
    if (!(error <= allowed) || !(skew <= 1e-4)) return `errors ${error} of A, ${skew} of Z^H Z`;
    const problem = quasiTriangularProblem(t);
    if (problem !== "") return problem;
  }
  return "";
}

function quasiTriangularProblem(t: Matrix): string {
  const isReal = t.im.every((value) => value === 0);
  for (let row = 0; row < t.rows; row++) {
    for (let column = 0; column < row; column++) {
      const [re, im] = elementOf(t, row, column);
      if (re === 0 && im === 0) continue;
      if (row > column + 1 || !isReal) return `${re} + ${im} i below the diagonal`;
      const [a, b] = [elementOf(t, column, column)[0], elementOf(t, column, row)[0]];
      const d = elementOf(t, row, row)[0];
      if ((a - d) ** 2 + 4 * b * re > 0) return "a block of two rows has real eigenvalues";
    }
  }
  return "";
}
