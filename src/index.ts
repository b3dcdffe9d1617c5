/**
 * The public interface of jax2tfjs: read what `jax.export` wrote, convert it to a TensorFlow.js graph
 * model, run it, save it.
 *
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { bindArgument, convert, importExported, openParameters, saveModel } from "jax2tfjs";
 *
 * const program = importExported(readFileSync("model.jaxexport"));
 * const file = await openParameters("params.safetensors");
 * const model = convert(program, { parameters: bindArgument(program, file) });
 * await saveModel(model, "web_model");
 * file.close();
 * ```
 *
 * Works in Node and, but for the functions that say so, in browsers. tfjs is loaded when something
 * runs, not by an import of this module.
 */
import type { ConvertedModel } from "./convert.js";
import type { ParameterFile } from "./import/params/parameterFile.js";
import type * as NodeParameters from "./import/params/nodeFile.js";
import type { Program } from "./import/program.js";
import type * as NodeBackends from "./node/backends.js";
import type * as NodeSaving from "./node/saveModel.js";
import type { EagerOptions } from "./run/eagerProgram.js";
import type { LoadedProgram } from "./run/loaded.js";

export { version } from "./version.js";
export { Jax2TfjsError, type ErrorDetails, type SourceLocation } from "./ir/errors.js";

// Importing programs.
export {
  importExported,
  importModule,
  type ImportOptions,
  type Program,
  type ProgramInput,
  type ProgramSource,
  type ProgramValue,
  type TreeDescription,
} from "./import/program.js";
export { artifactKind, type ArtifactKind } from "./import/exported.js";
export type { ShapedArray } from "./ir/aval.js";
export type { Dim, Shape } from "./ir/dims.js";
export type { ClosedJaxpr, Equation, Jaxpr } from "./ir/jaxpr.js";
export { printEquation, printJaxpr, printSource } from "./ir/print.js";

// Parameters.
export { argumentNames, bindArgument, type BindFileOptions } from "./parameters.js";
export type { BoundParameter } from "./import/params/bind.js";
export { ParameterMismatchError, type ParameterProblem } from "./import/params/mismatch.js";
export type {
  ParameterFile,
  ParameterFormat,
  ParameterLeaf,
} from "./import/params/parameterFile.js";
export { readParameters } from "./import/params/readParameters.js";

// Converting and saving.
export { allBackends, convert, type ConvertedModel, type ConvertOptions } from "./convert.js";
export type { Backend } from "./ir/tf.js";
export { modelArtifacts, type GraphModelArtifacts } from "./run/modelFiles.js";
export type { SavedModel, SaveModelOptions } from "./node/saveModel.js";

// Arrays and running.
export type { DType } from "./ir/dtypes.js";
export { fromNumbers, hostArray, toNumbers, valuesOf, type HostArray } from "./ir/hostArray.js";
export { readNpz, writeNpz } from "./files/npz.js";
export type { LoadedProgram } from "./run/loaded.js";
export type { CallSignature, SignatureLeaf } from "./run/signature.js";
export type { EagerOptions } from "./run/eagerProgram.js";
export type { EagerValue, EquationEvent } from "./lower/eager.js";
export type { NodeBackend } from "./node/backends.js";

/**
 * A module that only works in Node. Its name is put together here so that bundlers for browsers,
 * where nobody calls it, do not follow it.
 */
async function nodeModule(folder: string, file: string): Promise<unknown> {
  const path = [".", folder, `${file}.js`].join("/");
  return import(/* @vite-ignore */ /* webpackIgnore: true */ path);
}

/**
 * Saves a model to a folder: model.json and weight files of at most `shardBytes` bytes (default
 * 4 MiB). It is written beside its place and renamed at the end: a failure leaves nothing behind,
 * and an existing folder as it was. Node only; in browsers see `modelArtifacts`.
 *
 * @throws Jax2TfjsError `output-exists` (without `force`), `write-failed`
 */
export async function saveModel(
  model: ConvertedModel,
  directory: string,
  options: NodeSaving.SaveModelOptions = {},
): Promise<NodeSaving.SavedModel> {
  const { saveModelToFolder } = (await nodeModule("node", "saveModel")) as typeof NodeSaving;
  return saveModelToFolder(model, directory, options);
}

/**
 * Opens a parameter file on disk: safetensors, npz or Flax msgpack, told apart by content. Arrays
 * are read when they are asked for; close it when they have been. Node only; in browsers see
 * `readParameters`.
 *
 * @throws Jax2TfjsError `file-open`, `file-format`, `file-truncated`, `file-corrupt`
 */
export async function openParameters(path: string): Promise<ParameterFile> {
  const module = (await nodeModule("import/params", "nodeFile")) as typeof NodeParameters;
  return module.openParameterFile(path);
}

/**
 * Makes a backend the current one of tfjs: `cpu`, `wasm`, or `tensorflow` where
 * `@tensorflow/tfjs-node` is installed. Node only; in browsers import the backend's package and
 * call `tf.setBackend`.
 *
 * @throws Jax2TfjsError `backend-missing`
 */
export async function useBackend(backend: NodeBackends.NodeBackend): Promise<void> {
  const module = (await nodeModule("node", "backends")) as typeof NodeBackends;
  await module.useBackend(backend);
}

/**
 * Loads a converted model into tfjs without writing it: what it computes is what the saved model
 * would. A backend of tfjs must be current.
 */
export async function loadGraph(model: ConvertedModel): Promise<LoadedProgram> {
  const { loadConverted } = await import("./run/graphProgram.js");
  return loadConverted(model);
}

/**
 * Prepares a program to run one equation at a time, for debugging: `onEquation` sees every equation
 * with its values. `backend` must be the current one of tfjs.
 */
export async function loadEager(program: Program, options: EagerOptions): Promise<LoadedProgram> {
  const { loadEager: load } = await import("./run/eagerProgram.js");
  return load(program, options);
}
