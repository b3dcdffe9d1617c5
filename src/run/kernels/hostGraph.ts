/**
 * The graph of a function of tfjs for arguments of given types, for `callTfjs`.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ShapedArray } from "../../ir/aval.js";
import { evaluateDim } from "../../ir/dims.js";
import type { HostGraph } from "../../ir/hostGraph.js";
import { tfDtypeOf } from "../../lower/tf/carriers.js";
import { recordKernels } from "./record.js";
import { SizeFitter, type Environment } from "./sizes.js";
import { translateRecording } from "./translate.js";
import { unifyGraphs } from "./unify.js";

/**
 * What `run` computes for arguments of these types, found by running it on zeros: once more than
 * needed, and with symbolic sizes at several values of them.
 *
 * @param names of weights, by the data of their tensors; tfjs's variables have names of their own
 * @throws Jax2TfjsError `call-tfjs` for what no graph model has, or what differs from run to run
 */
export function hostGraph(
  name: string,
  run: (inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
  inputs: readonly ShapedArray[],
  names: ReadonlyMap<object, string>,
): HostGraph {
  const fitter = new SizeFitter(inputs);
  const known = new Map(names);
  for (const variable of Object.values(tf.engine().registeredVariables)) {
    known.set(variable.dataId, variable.name);
  }
  const graphs = fitter.environments.map((env) => recordAt(name, run, inputs, env, known));
  return unifyGraphs(name, graphs, fitter);
}

function recordAt(
  name: string,
  run: (inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
  inputs: readonly ShapedArray[],
  env: Environment,
  names: ReadonlyMap<object, string>,
): HostGraph {
  const graphs: HostGraph[] = [];
  tf.tidy(() => {
    const zeros = inputs.map(({ shape, dtype }) =>
      tf.zeros(
        shape.map((dim) => evaluateDim(dim, env)),
        tfDtypeOf(dtype) ?? "int32",
      ),
    );
    const nameOf = ({ dataId }: tf.Tensor): string | undefined => names.get(dataId);
    graphs.push(translateRecording(name, recordKernels(name, run, zeros, nameOf, env.size === 0)));
  });
  const [graph] = graphs;
  if (graph === undefined) throw new Error("internal error: nothing was recorded");
  return graph;
}
