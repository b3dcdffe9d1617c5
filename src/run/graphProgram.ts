/**
 * Runs graph models through tfjs's own loader, so that what runs is what a user's page would load:
 * converted models without writing them, and saved ones.
 */
import { loadGraphModelSync, type GraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { Jax2TfjsError } from "../ir/errors.js";
import type { HostArray } from "../ir/hostArray.js";
import type { DimPlan } from "../ir/shapeSpec.js";
import type { ConvertedModel } from "../convert.js";
import type { LoadedProgram } from "./loaded.js";
import {
  artifactsOf,
  interfaceOf,
  modelFilesOf,
  type ModelFiles,
  type ModelInterface,
} from "./modelFiles.js";
import { checkArguments, dimPlanOf, fitInput } from "./signature.js";
import { arrayOf, tensorsOf } from "./tensors.js";

/** Loads a converted model into tfjs, without writing it. */
export function loadConverted(model: ConvertedModel): LoadedProgram {
  return loadModelFiles(modelFilesOf(model));
}

/**
 * Loads a model into tfjs.
 *
 * @throws Jax2TfjsError `model-corrupt` if tfjs refuses it
 */
export function loadModelFiles(files: ModelFiles): LoadedProgram {
  return new GraphProgram(files);
}

class GraphProgram implements LoadedProgram {
  readonly signature: ModelInterface;
  readonly #model: GraphModel<tf.io.IOHandlerSync>;
  readonly #plan: DimPlan | null;

  constructor(files: ModelFiles) {
    this.signature = interfaceOf(files.description);
    const isChecked = this.signature.disabledChecks?.includes("shape_assertions") !== true;
    this.#plan = isChecked ? dimPlanOf(this.signature) : null;
    const artifacts = artifactsOf(files) as tf.io.ModelArtifacts;
    try {
      this.#model = loadGraphModelSync(tf.io.fromMemorySync(artifacts));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Jax2TfjsError("model-corrupt", `tfjs cannot load the model: ${reason}`, {
        fix: "convert the model again",
        cause: error,
      });
    }
  }

  get inputs(): LoadedProgram["inputs"] {
    return this.signature.inputs;
  }

  get outputs(): LoadedProgram["outputs"] {
    return this.signature.outputs;
  }

  check(inputs: readonly HostArray[]): ReadonlyMap<string, number> {
    return checkArguments(this.#plan, this.inputs, inputs);
  }

  async run(inputs: readonly HostArray[]): Promise<readonly HostArray[]> {
    this.check(inputs);
    const feeds: Record<string, tf.Tensor> = {};
    this.inputs.forEach((leaf, index) => {
      const array = inputs[index];
      const fitted = array === undefined ? undefined : fitInput(leaf, array);
      const keys = this.signature.inputKeys[index] ?? [];
      if (fitted === undefined) return;
      const tensors = tensorsOf(fitted, keys.length === 2 ? 2 : 1);
      keys.forEach((key, part) => {
        const tensor = tensors[part];
        if (tensor !== undefined) feeds[key] = tensor;
      });
    });
    const results = await this.#execute(feeds);
    try {
      return await this.#arrays(results);
    } finally {
      tf.dispose(feeds);
      tf.dispose([...results.values()]);
    }
  }

  /** Results by the keys of the signature. */
  async #execute(feeds: Record<string, tf.Tensor>): Promise<ReadonlyMap<string, tf.Tensor>> {
    const keys = this.signature.outputKeys.flat();
    if (keys.length === 0) return new Map();
    const results = this.signature.needsAsync
      ? await this.#model.executeAsync(feeds, keys)
      : this.#model.execute(feeds, keys);
    const tensors = Array.isArray(results) ? results : [results];
    return new Map(
      keys.flatMap((key, index) => {
        const tensor = tensors[index];
        return tensor === undefined ? [] : [[key, tensor] as const];
      }),
    );
  }

  async #arrays(results: ReadonlyMap<string, tf.Tensor>): Promise<readonly HostArray[]> {
    const arrays: HostArray[] = [];
    for (const [index, leaf] of this.outputs.entries()) {
      const keys = this.signature.outputKeys[index] ?? [];
      const tensors = keys.flatMap((key) => results.get(key) ?? []);
      arrays.push(await arrayOf(leaf, tensors));
    }
    return arrays;
  }

  dispose(): void {
    this.#model.dispose();
  }
}
