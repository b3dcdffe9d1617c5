/**
 * `call_tfjs`: a function of tfjs, or a loaded graph model, called inside of a program. JAX's
 * counterpart was jax2tf's `call_tf`. src/run/callTfjs.ts binds it, with a backward rule around it.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { isStaticShape, printShape, shapeEquals, type Shape } from "../src/ir/dims.js";
import { isComplex, type DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { HostGraph, HostNode, HostOperand } from "../src/ir/hostGraph.js";
import type { HostFunction } from "../src/ir/params.js";
import { definePrimitive, none } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";

export type CallTfjsParams = {
  readonly function: HostFunction;
  readonly output_types: readonly { readonly dtype: DType; readonly shape: Shape }[];
};

const typesOf = ({ output_types }: CallTfjsParams): readonly ShapedArray[] =>
  output_types.map(({ dtype, shape }) => shapedArray(dtype, shape));

export const callTfjs = definePrimitive<CallTfjsParams>({
  name: "call_tfjs",
  abstractEval: (_, params) => typesOf(params),
  jvp: none("tfjs has no forward derivatives; use reverse mode (grad, vjp, jacrev)"),
  transpose: none("a function of tfjs is not known to be linear"),
  batch: none("a function of tfjs is not known row by row; call it on the whole batch"),
  tfjs: (tf, inputs, params) => {
    const graph = params.function.graph(inputs.map(({ aval }) => aval));
    const results = new Inliner(tf, inputs, graph).results();
    return typesOf(params).map((aval, index) => {
      const tensor = results[index];
      if (tensor !== undefined && shapeEquals(tensor.shape, aval.shape)) {
        return resultValue(tf, tensor, aval);
      }
      const actual = tensor === undefined ? "nothing" : printShape(tensor.shape);
      throw new Jax2TfjsError(
        "call-tfjs",
        `${params.function.name} gives ${actual} where ${printShape(aval.shape)} was said`,
        { fix: "give the outputShapeDtype that it has" },
      );
    });
  },
  manyNodes: "One node for each operation of the function.",
  eager: (control, inputs, params) => control.host(params.function, inputs, typesOf(params)),
  traits: { host: true },
});

/** Writes the nodes of a function into the graph. */
class Inliner {
  readonly #made: (readonly Tensor[])[] = [];

  constructor(
    readonly tf: Tf,
    readonly inputs: readonly GraphValue[],
    readonly graph: HostGraph,
  ) {}

  results(): readonly Tensor[] {
    for (const node of this.graph.nodes) this.#made.push(this.#node(node));
    return this.graph.results.map((result) => this.#tensor(result));
  }

  #node({ op, inputs, attrs, outputs }: HostNode): readonly Tensor[] {
    const [first] = inputs;
    const [output] = outputs;
    // The builder knows when a reshape needs no node, and how to write symbolic sizes.
    if (op === "Reshape" && first !== undefined && output !== undefined) {
      return [this.tf.reshape(this.#tensor(first), output.shape)];
    }
    const tensors = inputs.map((input) => this.#tensor(input));
    return this.tf.node(op, tensors, attrs, outputs);
  }

  #tensor(operand: HostOperand): Tensor {
    const { tf } = this;
    switch (operand.kind) {
      case "input":
        return inputTensor(tf, this.inputs[operand.index]);
      case "output": {
        const tensor = this.#made[operand.node]?.[operand.slot];
        if (tensor === undefined) throw new Error("internal error: nodes are out of order");
        return tensor;
      }
      case "constant":
        return tf.array(operand.value);
      case "weight":
        return tf.weight(operand.name, operand.value);
      case "filled":
        return tf.tensor(
          tf.value(
            tf.fill(operand.shape, operand.value, operand.dtype),
            shapedArray(operand.dtype, operand.shape),
          ),
        );
      case "sizes": {
        const { sizes, shape } = operand;
        if (isStaticShape(sizes)) return tf.constant(sizes, "int32", shape);
        const [only = 0] = sizes;
        return shape.length === 0 ? tf.dim(only) : tf.reshape(tf.shapeVector(sizes), shape);
      }
    }
  }
}

function inputTensor(tf: Tf, value: GraphValue | undefined): Tensor {
  if (value === undefined) throw new Error("internal error: a function of tfjs lacks an argument");
  if (!isComplex(value.aval.dtype)) return tf.tensor(value);
  const { re, im } = tf.pair(value);
  const { shape } = value.aval;
  const part = (tensor: Tensor): Tensor => tf.broadcastTo(tensor, shape);
  const output = { dtype: "complex64" as const, shape };
  const [tensor] = tf.node("Complex", [part(re), part(im)], {}, [output]);
  if (tensor === undefined) throw new Error("internal error: a node without result");
  return tensor;
}

function resultValue(tf: Tf, tensor: Tensor, aval: ShapedArray): GraphValue {
  if (!isComplex(aval.dtype)) return tf.value(tensor, aval);
  const output = { dtype: "float32" as const, shape: aval.shape };
  const [[re], [im]] = [
    tf.node("Real", [tensor], {}, [output]),
    tf.node("Imag", [tensor], {}, [output]),
  ];
  if (re === undefined || im === undefined)
    throw new Error("internal error: a node without result");
  return tf.fromPair(re, im, aval);
}
