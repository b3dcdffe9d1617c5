// Runs a program of a few equations as a graph on the current tfjs backend: what tests of single
// primitives need. Complex and uint32 values cross the border as `lowerProgram` says.
import * as tf from "@tensorflow/tfjs-core";
import { JaxprBuilder } from "../../src/ir/builder.js";
import type { ShapedArray } from "../../src/ir/aval.js";
import type { ClosedJaxpr, Var } from "../../src/ir/jaxpr.js";
import type { Value } from "../../src/ir/ops.js";
import type { Backend } from "../../src/ir/tf.js";
import { GraphRunner } from "../../src/lower/execute.js";
import type { Graph } from "../../src/lower/graph.js";
import { lowerProgram } from "../../src/lower/lowerProgram.js";

/** A program over inputs of the given types. */
export function program(
  avals: readonly ShapedArray[],
  build: (builder: JaxprBuilder, inputs: readonly Var[]) => readonly Value[],
): ClosedJaxpr {
  const builder = new JaxprBuilder();
  const inputs = avals.map((aval) => builder.input(aval));
  const { jaxpr, consts } = builder.build(build(builder, inputs));
  return { kind: "closed-jaxpr", jaxpr: { ...jaxpr, invars: inputs }, consts };
}

/** The graph of a program for these backends, complex values as pairs. */
export function lowered(closed: ClosedJaxpr, backends: readonly Backend[]): Graph {
  return lowerProgram({
    program: closed,
    inputs: closed.jaxpr.invars.map((_, index) => ({ key: `x${index}`, weight: null })),
    outputs: closed.jaxpr.outvars.map((_, index) => `y${index}`),
    backends: new Set(backends),
    complexBorders: "pair",
  });
}

/** Outputs without those that are the lower half of the one before, which is joined with it. */
function joinHalves(
  graph: Graph,
  values: readonly (Float32Array | Int32Array | Uint8Array)[],
): readonly (Float32Array | Int32Array | Uint8Array)[] {
  return graph.outputs.flatMap(({ part }, index) => {
    const [own, next] = [values[index], values[index + 1]];
    if (own === undefined || part === "low") return [];
    if (part !== "high") return [own];
    return [Int32Array.from(own, (high, place) => (high << 16) | (next?.[place] ?? 0))];
  });
}

/** Runs a graph; gives the values of its outputs in order, words of two halves as one int32. */
export async function run(
  graph: Graph,
  inputs: readonly tf.Tensor[],
): Promise<readonly (Float32Array | Int32Array | Uint8Array)[]> {
  const runner = new GraphRunner(graph);
  const outputs = await runner.run(inputs);
  const values = outputs.map((output) => output.dataSync());
  tf.dispose([...outputs]);
  runner.dispose();
  return joinHalves(graph, values);
}
