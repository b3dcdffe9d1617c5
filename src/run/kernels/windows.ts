/**
 * Nodes for kernels of products, convolutions, windows and normalisations.
 */
import type { HostOperand } from "../../ir/hostGraph.js";
import { fromNumbers } from "../../ir/hostArray.js";
import type { Attrs } from "../../ir/tf.js";
import { vector, type KernelReader } from "./reader.js";

type Translation = (call: KernelReader) => readonly HostOperand[];

/** TensorFlow's padding of a kernel's `pad`. */
function padding(call: KernelReader): Attrs {
  if (call.isText("pad")) return { padding: { s: call.string("pad").toUpperCase() } };
  const pairs = call.isNumber("pad")
    ? [0, 1, 1, 0].map((spatial) => [spatial, spatial].map((side) => side * call.number("pad")))
    : call.pairs("pad");
  if (pairs.flat().every((amount) => amount === 0)) return { padding: { s: "VALID" } };
  return { padding: { s: "EXPLICIT" }, explicit_paddings: { listI: pairs.flat() } };
}

/** Padding of windows that know no explicit amounts. */
function namedPadding(call: KernelReader): Attrs {
  const attrs = padding(call);
  if ("explicit_paddings" in attrs) throw call.refuse("explicit padding");
  return attrs;
}

const spatial = (values: readonly number[]): { readonly listI: readonly number[] } => ({
  listI: [1, ...values, 1],
});

function channelsLast(call: KernelReader): void {
  if (call.isSet("dataFormat") && !call.string("dataFormat").endsWith("C")) {
    throw call.refuse(`the layout ${call.string("dataFormat")}`);
  }
  if (call.isSet("dimRoundingMode")) throw call.refuse("dimRoundingMode");
}

function convolution(call: KernelReader, op: string, rank: number): HostOperand {
  channelsLast(call);
  return call.node(op, [call.input("x"), call.input("filter")], call.output(), {
    strides: spatial(call.spatial("strides", rank)),
    dilations: spatial(call.spatial("dilations", rank)),
    data_format: { s: rank === 2 ? "NHWC" : "NDHWC" },
    ...(rank === 2 ? padding(call) : namedPadding(call)),
  });
}

const fusedActivations: Readonly<Record<string, string>> = {
  elu: "Elu",
  relu: "Relu",
  relu6: "Relu6",
  sigmoid: "Sigmoid",
};

/** Bias and activation of a fused kernel, as nodes of their own. */
function finished(call: KernelReader, product: HostOperand): HostOperand {
  const sum = call.has("bias") ? call.node("AddV2", [product, call.input("bias")]) : product;
  const activation = call.isSet("activation") ? call.string("activation") : "linear";
  if (activation === "linear") return sum;
  if (activation === "prelu") {
    return call.node("Prelu", [sum, call.input("preluActivationWeights")]);
  }
  if (activation === "leakyrelu") {
    const alpha = { f: call.isSet("leakyreluAlpha") ? call.number("leakyreluAlpha") : 0.2 };
    return call.node("LeakyRelu", [sum], call.output(), { alpha });
  }
  const op = fusedActivations[activation];
  if (op === undefined) throw call.refuse(`the activation ${activation}`);
  return call.node(op, [sum]);
}

/** Products of matrices; tfjs's fused ones are stacks of one. */
function product(call: KernelReader): HostOperand {
  const [a, b] = [{ b: call.flag("transposeA") }, { b: call.flag("transposeB") }];
  const shapes = [call.shape("a"), call.shape("b")];
  const isMatrix = shapes.every((shape) => shape.slice(0, -2).every((size) => size === 1));
  if (!isMatrix) {
    const attrs = { adj_x: a, adj_y: b };
    return call.node("BatchMatMulV2", [call.input("a"), call.input("b")], call.output(), attrs);
  }
  const output = { ...call.output(), shape: call.output().shape.slice(-2) };
  const matrices = [call.reshaped("a", -2), call.reshaped("b", -2)];
  const attrs = { transpose_a: a, transpose_b: b };
  const result = call.node("MatMul", matrices, output, attrs);
  return call.node("Reshape", [result, vector(call.output().shape.map(Number))]);
}

const pool =
  (op: string, rank: number): Translation =>
  (call) => {
    channelsLast(call);
    return call.same(op, [call.input("x")], {
      ksize: spatial(call.spatial("filterSize", rank)),
      strides: spatial(call.spatial("strides", rank)),
      ...namedPadding(call),
    });
  };

/** A vector of the channels of `x`, of one value. */
function channels(call: KernelReader, value: number): HostOperand {
  const count = call.shape("x").at(-1) ?? 0;
  return {
    kind: "constant",
    value: fromNumbers("float32", [count], new Float32Array(count).fill(value)),
  };
}

export const windowTranslations: Readonly<Record<string, Translation>> = {
  AvgPool: pool("AvgPool", 2),
  AvgPool3D: pool("AvgPool3D", 3),
  BatchMatMul: (call) => [product(call)],
  Conv2D: (call) => [convolution(call, "Conv2D", 2)],
  Conv2DBackpropInput: (call) => {
    channelsLast(call);
    const shape = vector(call.output().shape.map(Number));
    return call.same("Conv2DBackpropInput", [shape, call.input("filter"), call.input("dy")], {
      strides: spatial(call.spatial("strides", 2)),
      ...padding(call),
    });
  },
  Conv3D: (call) => [convolution(call, "Conv3D", 3)],
  DepthwiseConv2dNative: (call) => [convolution(call, "DepthwiseConv2dNative", 2)],
  Dilation2D: (call) =>
    call.same("Dilation2D", [call.input("x"), call.input("filter")], {
      strides: spatial(call.spatial("strides", 2)),
      rates: spatial(call.spatial("dilations", 2)),
      ...namedPadding(call),
    }),
  FusedBatchNorm: (call) => {
    const scale = call.has("scale") ? call.input("scale") : channels(call, 1);
    const offset = call.has("offset") ? call.input("offset") : channels(call, 0);
    const inputs = [call.input("x"), scale, offset, call.input("mean"), call.input("variance")];
    return call.same("FusedBatchNormV3", inputs, {
      epsilon: { f: call.isSet("varianceEpsilon") ? call.number("varianceEpsilon") : 0.001 },
    });
  },
  FusedConv2D: (call) => [finished(call, convolution(call, "Conv2D", 2))],
  FusedDepthwiseConv2D: (call) => [finished(call, convolution(call, "DepthwiseConv2dNative", 2))],
  LRN: (call) =>
    call.same("LRN", [call.input("x")], {
      depth_radius: { i: call.number("depthRadius") },
      bias: { f: call.number("bias") },
      alpha: { f: call.number("alpha") },
      beta: { f: call.number("beta") },
    }),
  MaxPool: pool("MaxPool", 2),
  MaxPool3D: pool("MaxPool3D", 3),
  _FusedMatMul: (call) => [finished(call, product(call))],
};
