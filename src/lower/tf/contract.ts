/**
 * Matrix products, convolutions and pooling, fused with bias and activation where the kernels of
 * all targets get the fused form right; otherwise as separate nodes.
 */
import { shapeEquals, type Shape } from "../../ir/dims.js";
import type { Activation, Attrs, AttrValue, Fusion, Tensor, Tf } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import type { DimensionOps } from "./dimensions.js";
import { sharesData } from "../fuse.js";
import type { ElementwiseOps } from "./elementwise.js";

export type ContractOps = Pick<
  Tf,
  "matMul" | "conv2D" | "depthwiseConv2D" | "conv2DBackpropInput" | "conv3D" | "pool"
>;

type Convolution = "Conv2D" | "DepthwiseConv2dNative";

const fusedNames: Readonly<Record<Convolution, string>> = {
  Conv2D: "_FusedConv2D",
  DepthwiseConv2dNative: "FusedDepthwiseConv2dNative",
};

export function contractOps(
  core: GraphCore,
  dimensions: DimensionOps,
  elementwise: ElementwiseOps,
): ContractOps {
  function activate(x: Tensor, activation: Activation, alpha: number | undefined): Tensor {
    if (activation !== "LeakyRelu") return elementwise.unary(activation, x);
    const attrs = { alpha: { f: alpha ?? 0.2 } };
    return core.emitOne("LeakyRelu", [x], attrs, { dtype: x.dtype, shape: x.shape });
  }

  /** Bias and activation as nodes of their own. */
  function unfused(x: Tensor, fusion: Fusion): Tensor {
    const biased = fusion.bias === undefined ? x : elementwise.binary("AddV2", x, fusion.bias);
    if (fusion.activation === undefined) return biased;
    return activate(biased, fusion.activation, fusion.leakyReluAlpha);
  }

  const hasFusion = (fusion: Fusion): fusion is Fusion & { readonly bias: Tensor } =>
    fusion.bias?.shape.length === 1 &&
    !sharesData.has(core.producer(fusion.bias)?.op ?? "Placeholder");

  function fusionAttrs(fusion: Fusion): Attrs {
    const names = ["BiasAdd", ...(fusion.activation === undefined ? [] : [fusion.activation])];
    const alpha: Record<string, AttrValue> =
      fusion.leakyReluAlpha === undefined ? {} : { leakyrelu_alpha: { f: fusion.leakyReluAlpha } };
    return { fused_ops: { listS: names }, num_args: { i: 1 }, ...alpha };
  }

  /** The data that a reshaped tensor shows in another shape. */
  function originOf(tensor: Tensor): Tensor {
    const producer = core.producer(tensor);
    const [source] = producer?.inputs ?? [];
    if (source === undefined || !sharesData.has(producer?.op ?? "")) return tensor;
    return producer?.op === "Unpack" ? tensor : originOf(source);
  }

  /** In which shape data was the right operand of a matrix product. */
  const rightShapes = new Map<Tensor, Shape>();

  /**
   * The right operand of a product of two matrices, also in dimensions of size 1. The wasm kernel keeps what it made of the data
   * when it saw it first, and takes it again whatever shape the data is shown in: another shape
   * needs data of its own. A reshaped input may have been seen in another graph.
   */
  function rightOperand(x: Tensor, y: Tensor): Tensor {
    const batches = [...x.shape.slice(0, -2), ...y.shape.slice(0, -2)];
    // Products of several matrices go another way.
    const isSingle = batches.every((size) => size === 1 || typeof size !== "number");
    if (!core.targets("wasm") || !isSingle) return y;
    const origin = originOf(y);
    const isInput = core.producer(origin) === undefined;
    const matrix = y.shape.slice(-2);
    const seen = rightShapes.get(origin) ?? (isInput ? origin.shape.slice(-2) : matrix);
    rightShapes.set(origin, seen);
    if (shapeEquals(seen, matrix)) return y;
    const once = core.numbers(
      y.shape.map(() => 1),
      "int32",
      [y.shape.length],
    );
    return core.emitOne("Tile", [y, once], {}, { dtype: y.dtype, shape: y.shape });
  }

  const matMul: Tf["matMul"] = (x, y, options = {}) => {
    const transposeX = options.transposeX ?? false;
    const transposeY = options.transposeY ?? false;
    const rank = x.shape.length;
    const rows = x.shape.at(transposeX ? -1 : -2) ?? 1;
    const columns = y.shape.at(transposeY ? -2 : -1) ?? 1;
    const inner = x.shape.at(transposeX ? -2 : -1) ?? 1;
    const shape = [...x.shape.slice(0, -2), rows, columns];
    const output = { dtype: x.dtype, shape } as const;
    if (inner === 0) return unfused(elementwise.fill(shape, 0, x.dtype), options);
    const right = transposeX || transposeY ? y : rightOperand(x, y);
    if (rank > 2) {
      const attrs = { adj_x: { b: transposeX }, adj_y: { b: transposeY } };
      return unfused(core.emitOne("BatchMatMulV2", [x, right], attrs, output), options);
    }
    const attrs = { transpose_a: { b: transposeX }, transpose_b: { b: transposeY } };
    // _FusedMatMul with a transposed operand is wrong on wasm.
    if (hasFusion(options) && !transposeX && !transposeY) {
      const fused = { ...attrs, ...fusionAttrs(options) };
      return core.emitOne("_FusedMatMul", [x, right, options.bias], fused, output);
    }
    return unfused(core.emitOne("MatMul", [x, right], attrs, output), options);
  };

  function paddingAttrs(padding: Parameters<Tf["conv2D"]>[2]["padding"]): Attrs {
    if (typeof padding === "string") return { padding: { s: padding } };
    const amounts = [0, 0, ...padding.flat(), 0, 0];
    return { padding: { s: "EXPLICIT" }, explicit_paddings: { listI: amounts } };
  }

  function convolution(
    op: Convolution,
    x: Tensor,
    filter: Tensor,
    options: Parameters<Tf["conv2D"]>[2],
  ): Tensor {
    const { strides, dilations, padding, outShape } = options;
    const attrs: Attrs = {
      strides: { listI: [1, ...strides, 1] },
      dilations: { listI: [1, ...dilations, 1] },
      data_format: { s: "NHWC" },
      ...paddingAttrs(padding),
    };
    const output = { dtype: "float32", shape: outShape } as const;
    // The fused depthwise kernel does not read leakyrelu_alpha.
    const leaky = options.activation === "LeakyRelu" && op === "DepthwiseConv2dNative";
    if (hasFusion(options) && !leaky) {
      const inputs = [x, filter, options.bias];
      return core.emitOne(fusedNames[op], inputs, { ...attrs, ...fusionAttrs(options) }, output);
    }
    return unfused(core.emitOne(op, [x, filter], attrs, output), options);
  }

  const conv2DBackpropInput: Tf["conv2DBackpropInput"] = (outShape, filter, x, options) => {
    const attrs: Attrs = {
      strides: { listI: [1, ...options.strides, 1] },
      ...paddingAttrs(options.padding),
    };
    const inputs = [dimensions.shapeVector(outShape), filter, x];
    return core.emitOne("Conv2DBackpropInput", inputs, attrs, {
      dtype: "float32",
      shape: outShape,
    });
  };

  const conv3D: Tf["conv3D"] = (x, filter, { strides, dilations, padding, outShape }) =>
    core.emitOne(
      "Conv3D",
      [x, filter],
      {
        strides: { listI: [1, ...strides, 1] },
        dilations: { listI: [1, ...dilations, 1] },
        padding: { s: padding },
        data_format: { s: "NDHWC" },
      },
      { dtype: "float32", shape: outShape },
    );

  const pool: Tf["pool"] = (op, x, { window, strides, padding, outShape }) =>
    core.emitOne(
      op,
      [x],
      {
        ksize: { listI: [1, ...window, 1] },
        strides: { listI: [1, ...strides, 1] },
        padding: { s: padding },
      },
      { dtype: x.dtype, shape: outShape },
    );

  return {
    matMul,
    conv2D: (x, filter, options) => convolution("Conv2D", x, filter, options),
    depthwiseConv2D: (x, filter, options) =>
      convolution("DepthwiseConv2dNative", x, filter, options),
    conv2DBackpropInput,
    conv3D,
    pool,
  };
}
