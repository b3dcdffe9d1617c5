/**
 * Runs a graph in this process on the current tfjs backend, through the converter's own executor:
 * what runs here is what a saved model would run. Used by eager mode, `run` and constant checks.
 */
import { loadGraphModelSync, type GraphModel } from "@tensorflow/tfjs-converter";
import { io, keep, type Tensor as TfjsTensor } from "@tensorflow/tfjs-core";
import { Jax2TfjsError } from "../ir/errors.js";
import type { Graph } from "./graph.js";
import { topologyJson, weightBytes, weightsByteLength, weightSpecs } from "./modelJson.js";

function concatenatedWeights(graph: Graph): ArrayBuffer {
  const buffer = new Uint8Array(weightsByteLength(graph));
  let offset = 0;
  for (const weight of graph.weights) {
    const bytes = weightBytes(weight);
    buffer.set(bytes, offset);
    offset += bytes.length;
  }
  return buffer.buffer;
}

/** A graph loaded into tfjs. */
export class GraphRunner {
  readonly #model: GraphModel<io.IOHandlerSync>;
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #needsAsync: boolean;

  constructor(graph: Graph) {
    this.#inputs = graph.inputs.map((input) => input.tensor);
    this.#outputs = graph.outputs.map((output) => output.tensor);
    this.#needsAsync = graph.needsAsync;
    this.#model = loadGraphModelSync(
      io.fromMemorySync({
        modelTopology: topologyJson(graph) as object,
        weightSpecs: weightSpecs(graph).map((spec) => ({ ...spec, shape: [...spec.shape] })),
        weightData: concatenatedWeights(graph),
      }),
    );
    // A graph made inside of someone's tf.tidy outlives it.
    for (const tensors of Object.values(this.#model.weights)) tensors.forEach((one) => keep(one));
  }

  /** Runs the graph on tensors in the order of its inputs; gives the outputs in theirs. */
  async run(inputs: readonly TfjsTensor[]): Promise<readonly TfjsTensor[]> {
    const feeds = this.#feeds(inputs);
    const names = [...this.#outputs];
    const results = this.#needsAsync
      ? await this.#model.executeAsync(feeds, names)
      : this.#model.execute(feeds, names);
    return this.#ownResults(Array.isArray(results) ? results : [results], inputs);
  }

  /** Whether only `run` can run it. */
  get needsAsync(): boolean {
    return this.#needsAsync;
  }

  /**
   * As `run`, synchronously.
   *
   * @throws Jax2TfjsError `needs-async` for a graph with loops or conditionals
   */
  runSync(inputs: readonly TfjsTensor[]): readonly TfjsTensor[] {
    if (this.#needsAsync) {
      throw new Jax2TfjsError(
        "needs-async",
        "a loop in the graph of one equation runs only async",
        {
          fix: "convert the function and call the result with runAsync",
        },
      );
    }
    const results = this.#model.execute(this.#feeds(inputs), [...this.#outputs]);
    return this.#ownResults(Array.isArray(results) ? results : [results], inputs);
  }

  /**
   * Results that the caller may dispose: the converter's Identity gives back kept tensors (weights,
   * and inputs that somebody keeps) themselves instead of a copy.
   */
  #ownResults(
    results: readonly TfjsTensor[],
    inputs: readonly TfjsTensor[],
  ): readonly TfjsTensor[] {
    const others = new Set([...inputs, ...Object.values(this.#model.weights).flat()]);
    return results.map((tensor) => (others.has(tensor) ? tensor.clone() : tensor));
  }

  #feeds(inputs: readonly TfjsTensor[]): Record<string, TfjsTensor> {
    return Object.fromEntries(inputs.map((tensor, index) => [this.#inputs[index] ?? "", tensor]));
  }

  dispose(): void {
    this.#model.dispose();
  }
}
