/**
 * Kernels of tfjs as nodes of TensorFlow graphs: the way back from what tfjs's converter does when
 * it loads a model. Called for what record.ts saw.
 */
import { callError } from "../../api/calls.js";
import type { HostGraph, HostNode, HostOperand } from "../../ir/hostGraph.js";
import { fromNumbers } from "../../ir/hostArray.js";
import type { Attrs } from "../../ir/tf.js";
import { KernelReader, tfDtype, type NodeSink } from "./reader.js";
import type { HeldTensor, KernelInput, Recording } from "./record.js";
import { translations } from "./translations.js";

/** Constants from this many elements on, all of one value, are filled in by the graph. */
const filledFrom = 2;

/**
 * The nodes of a recording, all sizes as numbers.
 *
 * @param name of the function, for its weights without names and for errors
 * @throws Jax2TfjsError `call-tfjs` for a kernel that no node of a graph model stands for
 */
export function translateRecording(name: string, recording: Recording): HostGraph {
  const nodes: HostNode[] = [];
  const results: (readonly HostOperand[])[] = [];
  const held = new Map<HeldTensor, HostOperand>();

  const heldOperand = (tensor: HeldTensor): HostOperand => {
    const known = held.get(tensor);
    if (known !== undefined) return known;
    const operand = operandOf(name, tensor);
    held.set(tensor, operand);
    return operand;
  };

  const operand = ({ origin }: KernelInput): HostOperand => {
    switch (origin.kind) {
      case "input":
        return origin;
      case "held":
        return heldOperand(origin.tensor);
      case "result": {
        const result = results[origin.call]?.[origin.slot];
        if (result === undefined) throw new Error("internal error: a kernel's result is not known");
        return result;
      }
    }
  };

  const sink: NodeSink = {
    nodes: (op: string, inputs: readonly HostOperand[], attrs: Attrs, outputs) => {
      const node = nodes.length;
      nodes.push({ op, inputs, attrs, outputs });
      return outputs.map((_, slot) => ({ kind: "output", node, slot }));
    },
  };

  for (const call of recording.calls) {
    const translation = translations[call.kernel];
    if (translation === undefined) {
      throw callError(
        "call-tfjs",
        `${name} runs the kernel ${call.kernel}, which no operation of a graph model stands for: ` +
          "it runs, but cannot be saved",
        "write this part with numpy and lax",
      );
    }
    results.push(translation(new KernelReader(name, call, operand, sink)));
  }
  return { nodes, results: recording.results.map(operand) };
}

function operandOf(name: string, tensor: HeldTensor): HostOperand {
  const dtype = tfDtype(tensor.dtype);
  const value = fromNumbers(dtype, tensor.shape, tensor.values);
  if (tensor.outer) return { kind: "weight", name: tensor.name ?? `${name}/weight`, value };
  const first = tensor.values.length === 0 ? undefined : Number(tensor.values[0]);
  const isFilled =
    first !== undefined &&
    dtype !== "complex64" &&
    tensor.values.length >= filledFrom &&
    Array.prototype.every.call(tensor.values, (other: unknown) => Object.is(Number(other), first));
  if (isFilled) return { kind: "filled", shape: tensor.shape, value: first, dtype };
  return { kind: "constant", value };
}
