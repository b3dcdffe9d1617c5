/**
 * Runs one case and says whether its results are the recorded ones. Called by the worker process,
 * one case after the other, on the backend that is current.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convert, type ConvertedModel } from "../../convert.js";
import { readNpz } from "../../files/npz.js";
import { bindParameters, type BoundParameter } from "../../import/params/bind.js";
import { openParameterFile } from "../../import/params/nodeFile.js";
import type { ParameterFile } from "../../import/params/parameterFile.js";
import type { Program } from "../../import/program.js";
import { isDType } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { byteLengthOf, hostArray, type HostArray } from "../../ir/hostArray.js";
import type { Backend } from "../../ir/tf.js";
import { expectedLeaves } from "../../parameters.js";
import { loadEager } from "../../run/eagerProgram.js";
import { loadConverted } from "../../run/graphProgram.js";
import type { LoadedProgram } from "../../run/loaded.js";
import { compareArrays } from "../compare.js";
import { factorsOf, inverseOrder, orderOf, reordered, turned } from "./align.js";
import { importArtifact } from "../load.js";
import { messageOf } from "../terminal.js";
import {
  describedArray,
  type ArrayDescription,
  type ModelCase,
  type NamedCase,
  type PrimitiveCase,
  type ShapePolyCase,
  type Tolerances,
  type Transform,
} from "./corpus.js";
import { allClose, checkDecomposition } from "./reconstruct.js";
import { batchSize, rowOf, transformCase, type TransformedCase } from "./transformed.js";

export interface CaseOptions {
  readonly backend: Backend;
  readonly backends: readonly Backend[];
  readonly eager: boolean;
  /** Check a transformation of the programs instead of the programs. */
  readonly transform?: Transform;
  /** Where converted models run; default: on the current backend of this process. */
  readonly loadModel?: (model: ConvertedModel) => LoadedProgram;
}

export interface CaseOutcome {
  readonly status: "passed" | "failed" | "skipped";
  /** What failures are grouped by: an error code with its primitive, or `numbers`. */
  readonly cause: string;
  /** The whole message. */
  readonly message: string;
  /** Nodes of the converted model, if it came so far. */
  readonly nodes: number | null;
  readonly seconds: number;
}

/** A difference from the recorded results. */
class Difference extends Error {
  constructor(
    readonly kind: "numbers" | "refusal",
    message: string,
  ) {
    super(message);
    this.name = "Difference";
  }
}

/** Runs a case; whatever goes wrong is its outcome. */
export async function checkCase(named: NamedCase, options: CaseOptions): Promise<CaseOutcome> {
  const start = performance.now();
  const context: CaseContext = { options, nodes: null };
  let failure: Pick<CaseOutcome, "status" | "cause" | "message">;
  try {
    await runCase(named, context);
    failure = { status: "passed", cause: "", message: "" };
  } catch (error) {
    failure = { status: "failed", cause: causeOf(error), message: describe(error) };
  }
  return { ...failure, nodes: context.nodes, seconds: (performance.now() - start) / 1000 };
}

/** What is known of a case while it runs. */
interface CaseContext {
  readonly options: CaseOptions;
  nodes: number | null;
}

function causeOf(error: unknown): string {
  if (error instanceof Difference) return error.kind;
  if (error instanceof Jax2TfjsError) {
    const { primitive } = error.details;
    return primitive === undefined ? error.code : `${error.code}: ${primitive}`;
  }
  // Names and numbers of this case would make a group of its own of each.
  const line = messageOf(error).split("\n")[0] ?? "";
  return `crash: ${line.replace(/\d+/g, "N").slice(0, 100)}`;
}

function describe(error: unknown): string {
  if (error instanceof Jax2TfjsError) return error.report();
  if (error instanceof Difference) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function runCase(named: NamedCase, context: CaseContext): Promise<void> {
  const { case: item } = named;
  switch (item.kind) {
    case "primitive":
      return runPrimitive(named.group, item.folder, item.data, context);
    case "shape-poly":
      return runShapePoly(item.folder, item.data, context);
    case "model":
      return runModel(item.folder, item.data, context);
  }
}

const readBytes = (folder: string, file: string): Uint8Array =>
  new Uint8Array(readFileSync(join(folder, file)));

function load(
  program: Program,
  context: CaseContext,
  parameters: readonly BoundParameter[] = [],
): LoadedProgram {
  const { backend, backends, eager, loadModel = loadConverted } = context.options;
  if (eager) return loadEager(program, { backend, parameters });
  const model = convert(program, { backends, parameters });
  const { nodes, functions } = model.graph;
  context.nodes = functions.reduce((sum, inner) => sum + inner.nodes.length, nodes.length);
  return loadModel(model);
}

async function runPrimitive(
  group: string,
  folder: string,
  data: PrimitiveCase,
  context: CaseContext,
): Promise<void> {
  const program = importArtifact(readBytes(folder, data.file));
  const arrays = readNpz(readBytes(folder, data.npz), data.npz);
  const read = (description: ArrayDescription): HostArray => describedArray(arrays, description);
  const { transform } = context.options;
  if (transform !== undefined) {
    const transformed = transformCase(transform, program, data, read);
    return runTransformed(group, data, transformed, context, read);
  }
  const loaded = load(program, context);
  try {
    const inputs = data.inputs.map(read);
    const actual = await loaded.run(inputs);
    comparePrimitive(group, data, inputs, actual, data.outputs.map(read));
  } finally {
    loaded.dispose();
  }
}

function comparePrimitive(
  group: string,
  data: PrimitiveCase,
  inputs: readonly HostArray[],
  actual: readonly HostArray[],
  expected: readonly HostArray[],
): void {
  if (data.check === "reconstruct") {
    const { name } = data;
    const decomposition = { group, name, inputs, actual, expected, tolerance: data };
    const problem = allClose(decomposition) ? "" : checkDecomposition(decomposition);
    if (problem !== "") throw new Difference("numbers", problem);
  } else if (data.check === "shape") compareTypes(actual, expected);
  else compareOutputs(actual, expected, data);
}

async function runTransformed(
  group: string,
  data: PrimitiveCase,
  transformed: TransformedCase,
  context: CaseContext,
  read: (description: ArrayDescription) => HostArray,
): Promise<void> {
  const { program, inputs, expected, tolerance } = transformed;
  const { transform } = context.options;
  const loaded = load(program, context);
  try {
    const results = await loaded.run(inputs);
    const wanted = [...expected.values()];
    if (transform === "vmap") {
      const actual = chosen(results, expected);
      for (let row = 0; row < batchSize; row++) {
        const rows = [inputs, actual, wanted].map((all) => all.map((array) => rowOf(array, row)));
        const [rowInputs = [], rowActual = [], rowWanted = []] = rows;
        comparePrimitive(group, data, rowInputs, rowActual, rowWanted);
      }
      return;
    }
    if (data.check !== "reconstruct") {
      compareOutputs(chosen(results, expected), wanted, tolerance);
      return;
    }
    const turn = (array: HostArray, place: number): HostArray => {
      const index = transformed.outputOf.get(place);
      const [own, description] = [results[index ?? -1], data.outputs[index ?? -1]];
      if (own === undefined || description === undefined) return array;
      const recorded = read(description);
      const factors = factorsOf(own, recorded);
      const places = factors === null ? orderOf(own, recorded) : null;
      if (places === null) return turned(array, factors);
      // A result is put into JAX's order, a cotangent in JAX's order into ours.
      return reordered(array, transform === "jvp" ? places : inverseOrder(places));
    };
    const aligned = transform === "jvp" ? results.map(turn) : await loaded.run(inputs.map(turn));
    compareOutputs(chosen(aligned, expected), wanted, tolerance);
  } finally {
    loaded.dispose();
  }
}

/** The results that something was recorded for. */
function chosen(
  results: readonly HostArray[],
  expected: ReadonlyMap<number, HostArray>,
): readonly HostArray[] {
  return [...expected.keys()].flatMap((place) => results[place] ?? []);
}

function compareTypes(actual: readonly HostArray[], expected: readonly HostArray[]): void {
  const type = (array: HostArray | undefined): string =>
    array === undefined ? "nothing" : `${array.dtype}[${array.shape.join(",")}]`;
  expected.forEach((array, index) => {
    if (type(actual[index]) === type(array)) return;
    throw new Difference(
      "numbers",
      `output ${index} is ${type(actual[index])}, not ${type(array)}`,
    );
  });
}

function compareOutputs(
  actual: readonly HostArray[],
  expected: readonly HostArray[],
  tolerance: Tolerances,
  where = "",
): void {
  if (actual.length !== expected.length) {
    throw new Difference("numbers", `${actual.length} outputs instead of ${expected.length}`);
  }
  const problems = expected.flatMap((array, index) => {
    const found = actual[index];
    const comparison = found === undefined ? null : compareArrays(found, array, tolerance);
    if (comparison === null || comparison.agrees) return [];
    return [`${where}output ${index}: ${comparison.problem}`];
  });
  if (problems.length > 0) throw new Difference("numbers", problems.join("\n"));
}

async function runShapePoly(
  folder: string,
  data: ShapePolyCase,
  context: CaseContext,
): Promise<void> {
  const loaded = load(importArtifact(readBytes(folder, data.file)), context);
  try {
    const arrays = readNpz(readBytes(folder, data.npz), data.npz);
    for (const run of data.runs) {
      const inputs = run.inputs.map((description) => describedArray(arrays, description));
      const expected = run.outputs.map((description) => describedArray(arrays, description));
      const sizes = Object.entries(run.dims).map(([name, size]) => `${name}=${size}`);
      compareOutputs(await loaded.run(inputs), expected, data, `${sizes.join(", ")}: `);
    }
    for (const refusal of data.errors) checkRefusal(loaded, refusal);
  } finally {
    loaded.dispose();
  }
}

function checkRefusal(
  loaded: LoadedProgram,
  { inputs, message, assertion }: ShapePolyCase["errors"][number],
): void {
  // A constraint is checked by the exported program itself; JAX's own message hides which.
  const wanted = assertion ?? message;
  const arrays = inputs.map(({ dtype, shape }) => {
    if (!isDType(dtype)) throw new Jax2TfjsError("corpus-corrupt", `${dtype} is no dtype`);
    return hostArray(dtype, shape, new Uint8Array(byteLengthOf(dtype, shape)));
  });
  const shapes = inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`).join(", ");
  try {
    loaded.check(arrays);
  } catch (error) {
    const found = messageOf(error);
    if (found === wanted) return;
    throw new Difference(
      "refusal",
      `${shapes} is refused with\n  ${found}\ninstead of\n  ${wanted}`,
    );
  }
  throw new Difference("refusal", `${shapes} is not refused with\n  ${wanted}`);
}

async function runModel(folder: string, data: ModelCase, context: CaseContext): Promise<void> {
  const program = importArtifact(readBytes(folder, "model.jaxexport"));
  const hasParameters = data.args.some(({ kind }) => kind === "param");
  const file = hasParameters ? openParameterFile(join(folder, "params.safetensors")) : null;
  try {
    const loaded = load(program, context, file === null ? [] : bindModel(program, data, file));
    try {
      const arrays = readNpz(readBytes(folder, "ref.npz"), "ref.npz");
      for (const { batch, inputs, outputs } of data.ref) {
        const actual = await loaded.run(inputs.map((input) => describedArray(arrays, input)));
        const expected = outputs.map((output) => describedArray(arrays, output));
        compareOutputs(actual, expected, data, `batch ${batch}: `);
      }
    } finally {
      loaded.dispose();
    }
  } finally {
    file?.close();
  }
}

/** As a user binds them: to argument 0 by key path; leaves of several arguments by their names. */
function bindModel(
  program: Program,
  { args }: ModelCase,
  file: ParameterFile,
): readonly BoundParameter[] {
  const isParameter = (position: number): boolean => args[position]?.kind === "param";
  const first = program.inputs.every(
    ({ keyPath }, position) => isParameter(position) === (keyPath[0] === "0"),
  );
  if (first) return bindParameters(expectedLeaves(program, 0), file);
  const expected = program.inputs.flatMap(({ aval }, position) => {
    const arg = args[position];
    if (arg?.kind !== "param") return [];
    const shape = aval.shape.map((size) => (typeof size === "number" ? size : String(size)));
    return [{ path: [arg.key], dtype: aval.dtype, shape, position }];
  });
  return bindParameters(expected, file);
}
