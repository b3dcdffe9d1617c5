/**
 * What a saved model tells about itself beyond the signature: names and pytrees of inputs and
 * outputs, parameters, symbolic sizes, and how it must be run. The runtime loader and the command
 * line read it back.
 */
import { printDim } from "./ir/dims.js";
import type { Backend } from "./ir/tf.js";
import type { BoundParameter } from "./import/params/bind.js";
import type { Program } from "./import/program.js";
import type { Graph, SignatureEntry } from "./lower/graph.js";
import type { Json } from "./lower/modelJson.js";
import type { SafetyCheck } from "./runtime/callSignature.js";

export interface MetadataOptions {
  readonly version: string;
  readonly backends: readonly Backend[];
  readonly parameters: ReadonlyMap<number, BoundParameter>;
  readonly disabledChecks: readonly SafetyCheck[];
}

/** The `userDefinedMetadata` of model.json; ours is under the key `jax2tfjs`. */
export function modelMetadata(program: Program, graph: Graph, options: MetadataOptions): Json {
  const entryKeys = (entries: readonly SignatureEntry[], position: number): Json =>
    entries.filter((entry) => entry.position === position).map((entry) => entry.key);
  const describe =
    (entries: readonly SignatureEntry[]) =>
    (leaf: Program["inputs"][number] | Program["outputs"][number], position: number): Json => ({
      name: leaf.name,
      path: leaf.keyPath,
      dtype: leaf.dtype,
      shape: leaf.aval.shape.map((dim) => (typeof dim === "number" ? dim : printDim(dim))),
      ...parameterOrKeys(position, entries),
    });
  function parameterOrKeys(
    position: number,
    entries: readonly SignatureEntry[],
  ): Readonly<Record<string, Json>> {
    const bound = entries === graph.inputs ? options.parameters.get(position) : undefined;
    return bound === undefined
      ? { tensors: entryKeys(entries, position) }
      : { parameter: bound.name };
  }
  return {
    jax2tfjs: {
      version: options.version,
      name: program.name,
      source: program.source,
      backends: options.backends,
      execute: graph.needsAsync ? "executeAsync" : "execute",
      inputs: program.inputs.map(describe(graph.inputs)),
      outputs: program.outputs.map(describe(graph.outputs)),
      inTree: program.inTree,
      outTree: program.outTree,
      dimensionVariables: program.dimensionVariables,
      constraints: program.constraints,
      ...(options.disabledChecks.length === 0 ? {} : { disabledChecks: options.disabledChecks }),
      warnings: program.warnings,
    },
  };
}
