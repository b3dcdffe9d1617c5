// Converts recorded models, saves them, and runs them the two ways that users do: the saved files
// through plain tf.loadGraphModel, and equation by equation. Conversions are shared between tests.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadGraphModel, type GraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { fileHandler } from "../../examples/snippets/fileHandler.js";
import { convert, type ConvertedModel } from "../../src/convert.js";
import type { BoundParameter } from "../../src/import/params/bind.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import { importExported, type Program } from "../../src/import/program.js";
import { kindOf, storageBytesOf } from "../../src/ir/dtypes.js";
import { valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import { saveModelToFolder } from "../../src/node/saveModel.js";
import { bindArgument } from "../../src/parameters.js";
import { loadEager } from "../../src/run/eagerProgram.js";
import { interfaceOf, parseModelJson } from "../../src/run/modelFiles.js";
import { arrayOf, tensorsOf } from "../../src/run/tensors.js";
import type { NodeBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import { readOracle } from "../support/oracle.js";
import { recordedRuns, type RecordedModel } from "./recordedModels.js";

export interface Conversion {
  readonly program: Program;
  readonly parameters: readonly BoundParameter[];
  readonly model: ConvertedModel;
  /** Where the model is saved. */
  readonly folder: string;
}

/** Imports an artifact and binds its parameter file to argument 0. */
export function importRecorded(path: string): Pick<Conversion, "program" | "parameters"> {
  const program = importExported(readOracle(`${path}/model.jaxexport`));
  const file = readParameters(readOracle(`${path}/params.safetensors`), "params.safetensors");
  return { program, parameters: bindArgument(program, file) };
}

/** Converts models on first use and keeps them, saved below one temporary folder. */
export class Conversions {
  readonly #root = mkdtempSync(join(tmpdir(), "jax2tfjs-models-"));
  readonly #known = new Map<string, Conversion>();

  /** @throws Jax2TfjsError where the model cannot be converted */
  get({ path }: RecordedModel): Conversion {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const { program, parameters } = importRecorded(path);
    const model = convert(program, { parameters });
    const folder = join(this.#root, path.replaceAll("/", "-"));
    saveModelToFolder(model, folder);
    const conversion = { program, parameters, model, folder };
    this.#known.set(path, conversion);
    return conversion;
  }

  dispose(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Runs the saved model at every recorded batch size and compares with JAX. */
export async function checkGraph(model: RecordedModel, conversion: Conversion): Promise<void> {
  const text = readFileSync(join(conversion.folder, "model.json"), "utf8");
  const { inputKeys, outputKeys, outputs, needsAsync } = interfaceOf(parseModelJson(text));
  const loaded = await loadGraphModel(fileHandler(conversion.folder));
  try {
    for (const run of recordedRuns(model)) {
      const feeds: tf.NamedTensorMap = {};
      run.inputs.forEach((array, index) => {
        const keys = inputKeys[index] ?? [];
        tensorsOf(array, keys.length === 2 ? 2 : 1).forEach((tensor, part) => {
          feeds[keys[part] ?? `missing key of input ${index}`] = tensor;
        });
      });
      const results = await execute(loaded, feeds, outputKeys.flat(), needsAsync);
      const actual: HostArray[] = [];
      for (const [index, leaf] of outputs.entries()) {
        actual.push(
          await arrayOf(
            leaf,
            (outputKeys[index] ?? []).flatMap((key) => results.get(key) ?? []),
          ),
        );
      }
      tf.dispose(feeds);
      tf.dispose([...results.values()]);
      expectRecorded(model, run.batch, actual, run.outputs);
    }
  } finally {
    loaded.dispose();
  }
}

async function execute(
  model: GraphModel,
  feeds: tf.NamedTensorMap,
  keys: readonly string[],
  needsAsync: boolean,
): Promise<ReadonlyMap<string, tf.Tensor>> {
  const names = [...keys];
  const result = needsAsync ? await model.executeAsync(feeds, names) : model.execute(feeds, names);
  const tensors = Array.isArray(result) ? result : [result];
  return new Map(tensors.map((tensor, index) => [names[index] ?? "", tensor]));
}

/** Runs the program one equation at a time at every recorded batch size and compares with JAX. */
export async function checkEager(
  model: RecordedModel,
  { program, parameters }: Pick<Conversion, "program" | "parameters">,
  backend: NodeBackend,
): Promise<void> {
  const loaded = loadEager(program, { backend, parameters });
  try {
    for (const run of recordedRuns(model)) {
      expectRecorded(model, run.batch, await loaded.run(run.inputs), run.outputs);
    }
  } finally {
    loaded.dispose();
  }
}

/** Compares one run's results with the recorded ones, dtypes and shapes included. */
export function expectRecorded(
  { meta }: RecordedModel,
  batch: number,
  actual: readonly HostArray[],
  expected: readonly HostArray[],
): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((array, index) => {
    const found = actual[index];
    const label = `batch ${batch}, output ${index}`;
    expect(`${label}: ${describeArray(found)}`).toBe(`${label}: ${describeArray(array)}`);
    if (found === undefined) return;
    expectAgrees(label, valuesOf(found), valuesOf(array), array.dtype, meta);
  });
}

/** Typed keys are recorded as their words. */
function describeArray(array: HostArray | undefined): string {
  if (array === undefined) return "nothing";
  const { dtype, shape } = array;
  if (kindOf(dtype) !== "key") return `${dtype}[${shape.join(",")}]`;
  return `uint32[${[...shape, storageBytesOf(dtype) / 4].join(",")}]`;
}
