/**
 * The public interface of jax2tfjs: read what `jax.export` wrote, or trace functions written here in
 * JAX's style; transform them, convert them to TensorFlow.js graph models, run them, save them.
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
 * Works in Node and, but for the functions that say so, in browsers.
 */
import "./run/install.js";
import type { Traceable } from "./api/types.js";
import { convert as convertProgram, type ConvertedModel, type ConvertOptions } from "./convert.js";
import type { ParameterFile } from "./import/params/parameterFile.js";
import type * as NodeParameters from "./import/params/nodeFile.js";
import type { Program } from "./import/program.js";
import type * as NodeBackends from "./node/backends.js";
import type * as NodeSaving from "./node/saveModel.js";
import type { EagerOptions } from "./run/eagerProgram.js";
import {
  convertFunction,
  type ConvertedFunction,
  type ConvertFunctionOptions,
} from "./run/convertFunction.js";
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
export { allBackends, type ConvertedModel, type ConvertOptions } from "./convert.js";
export type { Backend } from "./ir/tf.js";
export { modelArtifacts, type GraphModelArtifacts } from "./run/modelFiles.js";
export type { SavedModel, SaveModelOptions } from "./node/saveModel.js";

// Functions written here.
export * from "./api/index.js";
export {
  exportFunction,
  programFunction,
  type ExportOptions,
  type PolymorphicShapes,
} from "./exportFunction.js";
export { bindTree } from "./parameters.js";
export type { ConvertedFunction, ConvertFunctionOptions } from "./run/convertFunction.js";
export {
  callTfjs,
  type CallTfjsOptions,
  type TfjsFunction,
  type TfjsModel,
} from "./run/callTfjs.js";
export { ComplexArray, WordArray } from "./run/evaluator.js";
export type { ArrayData, ArrayLike, ArrayValue, NumberArray } from "./trace/arrays.js";
export { Tracer } from "./trace/trace.js";
export * as dims from "./dims.js";
export * as lax from "./lax/index.js";
export * as numpy from "./numpy/index.js";
export * as random from "./random/index.js";
export * as nn from "./nn/index.js";
export * as tree from "./tree/index.js";
export { registerDataclass, registerPytreeNode } from "./tree/index.js";
export { symbolicShape, type SymbolicShapeOptions } from "./ir/shapeSpec.js";

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
 * Converts a program to a graph model, to save it or to load it into tfjs.
 *
 * @throws Jax2TfjsError naming the equation and its source line where the program holds what cannot
 * be converted (`no-tfjs-rule`, `missing-kernel`, `needs-async`, …)
 *
 * JAX's counterpart was `jax2tf.convert` followed by `tensorflowjs.converters.convert_jax`.
 */
export function convert(program: Program, options?: ConvertOptions): ConvertedModel;
/**
 * Converts a function to one on tensors of tfjs, which runs as one graph (with `eager`, equation by
 * equation) and which tfjs can differentiate: `tf.grad`, `tf.variableGrads` and optimizers see JAX's
 * derivative.
 *
 * JAX's counterpart was `jax2tf.convert`.
 */
export function convert<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  options?: ConvertFunctionOptions,
): ConvertedFunction<Args, Result>;
export function convert(
  what: Program | Traceable<readonly unknown[], unknown>,
  options: ConvertOptions & ConvertFunctionOptions = {},
): ConvertedModel | ConvertedFunction<readonly unknown[], unknown> {
  return typeof what === "function"
    ? convertFunction(what, options)
    : convertProgram(what, options);
}

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
