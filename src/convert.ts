/**
 * From a program to a TensorFlow.js graph model: the stages in order. What users call is
 * re-exported by index.ts; writing to disk is src/node/saveModel.ts.
 */
import { Jax2TfjsError } from "./ir/errors.js";
import type { ClosedJaxpr } from "./ir/jaxpr.js";
import type { Backend } from "./ir/tf.js";
import type { Program } from "./import/program.js";
import type { BoundParameter } from "./import/params/bind.js";
import type { Graph } from "./lower/graph.js";
import { lowerProgram } from "./lower/lowerProgram.js";
import { modelJson, type Json, type ModelJson } from "./lower/modelJson.js";
import { hostArray } from "./ir/hostArray.js";
import { modelMetadata } from "./metadata.js";
import { optimize } from "./passes/optimize.js";
import type { SafetyCheck } from "./runtime/callSignature.js";
import { specialise, type Sizes } from "./specialise.js";
import { version } from "./version.js";

/** All backends of TensorFlow.js that graph models run on. */
export const allBackends: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];

export interface ConvertOptions {
  /**
   * Backends the model must be right on; fewer can mean fewer nodes. Default: all of them.
   */
  readonly backends?: readonly Backend[];
  /** Arrays for some of the inputs, which become named weights instead of inputs. */
  readonly parameters?: readonly BoundParameter[];
  /** Values for dimension variables: the model is then made for these sizes alone. */
  readonly dimensions?: Sizes;
  /**
   * Checks that the saved model is to do without, in its graph and where a loader reads its
   * specification. Default: none. JAX's counterpart: the `disabled_checks` of `jax.export.export`.
   */
  readonly disabledChecks?: readonly SafetyCheck[];
  /** Refuse a model that needs `executeAsync` (loops, conditionals). Default: false. */
  readonly sync?: boolean;
  /** Equations that unrolled loops may add. Default: 2000; 0 keeps all loops. */
  readonly unrollBudget?: number;
  /** Apply the optimizing passes. Default: true. */
  readonly optimize?: boolean;
}

/**
 * The name of an input or output in the signature: `args[0]` is `args_0`, `batch['image'].value`
 * is `batch/image/value`.
 */
export function signatureKey(name: string): string {
  return name
    .replace(/\[(\d+)\]/g, "_$1")
    .replace(/\[<flat index (\d+)>\]/g, "_$1")
    .replace(/\['([^']*)'\]/g, "/$1")
    .replace(/\./g, "/");
}

/** A converted model, not yet written. */
export interface ConvertedModel {
  readonly graph: Graph;
  /** The program as it was lowered, after all passes. */
  readonly program: ClosedJaxpr;
  readonly metadata: Json;
  readonly warnings: readonly string[];
  /** The content of model.json for weight files of these names. */
  modelJson(shardPaths: readonly string[]): ModelJson;
}

/**
 * Converts a program to a graph model.
 *
 * @param source an imported artifact
 * @throws Jax2TfjsError naming the equation and its source line where the program holds what cannot
 * be converted (`no-tfjs-rule`, `missing-kernel`, `needs-async`, …)
 *
 * JAX's counterpart was `jax2tf.convert` followed by `tensorflowjs.converters.convert_jax`.
 */
export function convert(source: Program, options: ConvertOptions = {}): ConvertedModel {
  const backends = new Set(options.backends ?? allBackends);
  const program = specialise(source, options.dimensions ?? new Map<string, number>());
  const lowered = optimize(program.jaxpr, {
    level: options.optimize === false ? "required" : "full",
    ...(options.unrollBudget === undefined ? {} : { unrollBudget: options.unrollBudget }),
  });
  const parameters = new Map(options.parameters?.map((bound) => [bound.position, bound]));
  const graph = lowerProgram({
    program: lowered,
    inputs: program.inputs.map((input, position) => {
      const bound = parameters.get(position);
      return bound === undefined
        ? { key: signatureKey(input.name), weight: null }
        : {
            key: bound.name,
            weight: { read: () => hostArray(bound.dtype, bound.shape, bound.read()) },
          };
    }),
    outputs: program.outputs.map((output) => signatureKey(output.name)),
    backends,
    complexBorders: backends.has("wasm") ? "pair" : "complex64",
    guards: options.disabledChecks?.includes("shape_assertions") !== true,
  });
  if (options.sync === true && graph.needsAsync) {
    throw new Jax2TfjsError(
      "needs-async",
      "the program holds a loop or a conditional that only executeAsync can run",
      { fix: "raise --unroll, or allow executeAsync by leaving out --sync" },
    );
  }
  const metadata = modelMetadata(program, graph, {
    version,
    backends: [...backends],
    parameters,
    disabledChecks: options.disabledChecks ?? [],
  });
  return {
    graph,
    program: lowered,
    metadata,
    warnings: program.warnings,
    modelJson: (paths) => modelJson(graph, { version, paths, metadata }),
  };
}
