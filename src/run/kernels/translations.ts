/**
 * The node, or the few nodes, that stand for each kernel of tfjs. Fused kernels come apart here:
 * the graph's own fusions put them together again. What is missing has no op in tfjs's converter.
 */
import type { HostOperand } from "../../ir/hostGraph.js";
import { fromNumbers } from "../../ir/hostArray.js";
import type { Attrs, TfDtype } from "../../ir/tf.js";
import { windowTranslations } from "./windows.js";
import { matrix, scalarSize, vector, type KernelReader } from "./reader.js";

/** Emits the nodes of one call. @returns its results */
export type Translation = (call: KernelReader) => readonly HostOperand[];

/** Kernels with the op's name and the same inputs, in this order. */
const sameName: Readonly<Record<string, readonly string[]>> = {
  Complex: ["real", "imag"],
  GatherNd: ["params", "indices"],
  Imag: ["input"],
  Prelu: ["x", "alpha"],
  Real: ["input"],
  TensorScatterUpdate: ["tensor", "indices", "updates"],
};

const unary: readonly string[] = (
  "Abs Acos Acosh Asin Asinh Atan Atanh Ceil ComplexAbs Cos Cosh Elu Erf Exp Expm1 Floor " +
  "IsFinite IsInf IsNan Log Log1p LogicalNot Neg OnesLike Reciprocal Relu Relu6 Round Rsqrt Selu " +
  "Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh ZerosLike"
).split(" ");

/** Kernel to op. */
const binary: Readonly<Record<string, string>> = {
  Add: "AddV2",
  Atan2: "Atan2",
  Equal: "Equal",
  FloorDiv: "FloorDiv",
  Greater: "Greater",
  GreaterEqual: "GreaterEqual",
  Less: "Less",
  LessEqual: "LessEqual",
  LogicalAnd: "LogicalAnd",
  LogicalOr: "LogicalOr",
  Maximum: "Maximum",
  Minimum: "Minimum",
  Mod: "FloorMod",
  Multiply: "Mul",
  NotEqual: "NotEqual",
  Pow: "Pow",
  RealDiv: "RealDiv",
  SquaredDifference: "SquaredDifference",
  Sub: "Sub",
};

const constant = (value: number, dtype: TfDtype = "float32"): HostOperand => ({
  kind: "constant",
  value: fromNumbers(dtype, [], [value]),
});

/** Axes as the converter reads them. */
function axes(call: KernelReader, key: string): HostOperand {
  if (call.isSet(key)) return vector(call.numbers(key));
  if (call.output().shape.some((size) => size !== 1)) throw call.refuse(`no ${key}`);
  return vector(call.shape("x").map((_, axis) => axis));
}

const reduction =
  (op: string, key = "axis"): Translation =>
  (call) =>
    call.same(op, [call.input("x"), axes(call, key)], {
      keep_dims: { b: call.flag("keepDims") },
    });

const argReduction =
  (op: string): Translation =>
  (call) =>
    call.same(op, [call.input("x"), scalarSize(call.number("axis"))]);

const cumulative =
  (op: string): Translation =>
  (call) =>
    call.same(op, [call.input("x"), scalarSize(call.number("axis"))], {
      exclusive: { b: call.flag("exclusive") },
      reverse: { b: call.flag("reverse") },
    });

const resize =
  (op: string): Translation =>
  (call) =>
    call.same(op, [call.input("images"), vector(call.numbers("size"))], {
      align_corners: { b: call.flag("alignCorners") },
      half_pixel_centers: { b: call.flag("halfPixelCenters") },
    });

const reshape: (input: string) => Translation = (input) => (call) =>
  call.same("Reshape", [call.input(input), vector(sizesOf(call.output().shape))]);

/** Recordings know all sizes. */
const sizesOf = (shape: readonly unknown[]): readonly number[] => shape.map(Number);

const padded = (values: readonly number[], rank: number): readonly number[] =>
  Array.from({ length: rank }, (_, axis) => values[axis] ?? 0);

const structural: Readonly<Record<string, Translation>> = {
  AddN: (call) => call.same("AddN", call.list()),
  BatchToSpaceND: (call) =>
    call.same("BatchToSpaceND", [
      call.input("x"),
      vector(call.numbers("blockShape")),
      matrix(call.pairs("crops")),
    ]),
  Cast: (call) =>
    call.dtype("x") === call.output().dtype
      ? [call.input("x")]
      : call.same("Cast", [call.input("x")], { DstT: { type: call.output().dtype } }),
  ClipByValue: (call) =>
    call.same("ClipByValue", [
      call.input("x"),
      constant(call.number("clipValueMin")),
      constant(call.number("clipValueMax")),
    ]),
  Concat: (call) => {
    const inputs = call.list();
    return call.same("ConcatV2", [...inputs, scalarSize(call.number("axis"))], {
      N: { i: inputs.length },
    });
  },
  DepthToSpace: (call) =>
    call.same("DepthToSpace", [call.input("x")], {
      block_size: { i: call.number("blockSize") },
      data_format: { s: call.string("dataFormat") },
    }),
  Einsum: (call) => {
    const inputs = call.list();
    return call.same("Einsum", inputs, { equation: { s: call.string("equation") } });
  },
  ExpandDims: reshape("input"),
  Fill: (call) => [
    {
      kind: "filled",
      shape: call.output().shape,
      value: call.number("value"),
      dtype: call.output().dtype,
    },
  ],
  GatherV2: (call) => {
    const batchDims = call.isSet("batchDims") ? call.number("batchDims") : 0;
    const attrs: Attrs = { batch_dims: { i: batchDims } };
    const axis = scalarSize(call.number("axis"));
    return call.same("GatherV2", [call.input("x"), call.input("indices"), axis], attrs);
  },
  LinSpace: (call) =>
    call.same("LinSpace", [
      constant(call.number("start")),
      constant(call.number("stop")),
      scalarSize(call.number("num")),
    ]),
  MirrorPad: (call) =>
    call.same("MirrorPad", [call.input("x"), matrix(call.pairs("paddings"))], {
      mode: { s: call.string("mode").toUpperCase() },
    }),
  OneHot: (call) =>
    call.same(
      "OneHot",
      [
        call.input("indices"),
        scalarSize(call.number("depth")),
        constant(call.number("onValue")),
        constant(call.number("offValue")),
      ],
      { T: { type: call.output().dtype } },
    ),
  Pack: (call) => call.same("Pack", call.list(), { axis: { i: call.number("axis") } }),
  PadV2: (call) =>
    call.same("PadV2", [
      call.input("x"),
      matrix(call.pairs("paddings")),
      constant(call.number("constantValue"), call.output().dtype),
    ]),
  Range: (call) =>
    call.same(
      "Range",
      ["start", "stop", "step"].map((key) =>
        call.output().dtype === "int32" ? scalarSize(call.number(key)) : constant(call.number(key)),
      ),
      { Tidx: { type: call.output().dtype } },
    ),
  Reshape: reshape("x"),
  ResizeBilinear: resize("ResizeBilinear"),
  ResizeNearestNeighbor: resize("ResizeNearestNeighbor"),
  Reverse: (call) => call.same("ReverseV2", [call.input("x"), vector(call.numbers("dims"))]),
  ScatterNd: (call) =>
    call.same("ScatterNd", [
      call.input("indices"),
      call.input("updates"),
      vector(sizesOf(call.output().shape)),
    ]),
  SearchSorted: (call) => {
    const op = call.string("side") === "left" ? "LowerBound" : "UpperBound";
    return call.same(op, [call.input("sortedSequence"), call.input("values")]);
  },
  Select: (call) =>
    call.same("SelectV2", [call.input("condition"), call.input("t"), call.input("e")]),
  Slice: (call) => {
    const shape = sizesOf(call.output().shape);
    const begin = padded(call.numbers("begin"), shape.length);
    return call.same("Slice", [call.input("x"), vector(begin), vector(shape)]);
  },
  SpaceToBatchND: (call) =>
    call.same("SpaceToBatchND", [
      call.input("x"),
      vector(call.numbers("blockShape")),
      matrix(call.pairs("paddings")),
    ]),
  SparseToDense: (call) =>
    call.same("SparseToDense", [
      call.input("sparseIndices"),
      vector(sizesOf(call.output().shape)),
      call.input("sparseValues"),
      call.input("defaultValue"),
    ]),
  SplitV: (call) => {
    const outputs = call.outputs();
    const rank = call.shape("x").length;
    const axis = (call.number("axis") + rank) % rank;
    const sizes = outputs.map(({ shape }) => Number(shape[axis]));
    return call.same("SplitV", [call.input("x"), vector(sizes), scalarSize(axis)]);
  },
  StridedSlice: (call) => {
    const masks = ["begin", "end", "newAxis", "ellipsis", "shrinkAxis"] as const;
    const names = ["begin_mask", "end_mask", "new_axis_mask", "ellipsis_mask", "shrink_axis_mask"];
    const attrs = Object.fromEntries(
      masks.map((mask, index) => {
        const value = call.isSet(`${mask}Mask`) ? call.number(`${mask}Mask`) : 0;
        return [names[index] ?? mask, { i: value }];
      }),
    );
    const bounds = ["begin", "end", "strides"].map((key) => vector(call.numbers(key)));
    return call.same("StridedSlice", [call.input("x"), ...bounds], attrs);
  },
  Tile: (call) => call.same("Tile", [call.input("x"), vector(call.numbers("reps"))]),
  TopK: (call) =>
    call.same("TopKV2", [call.input("x"), scalarSize(call.number("k"))], {
      sorted: { b: call.flag("sorted") },
    }),
  Transpose: (call) => call.same("Transpose", [call.input("x"), vector(call.numbers("perm"))]),
  Unpack: (call) =>
    call.same("Unpack", [call.input("value")], { axis: { i: call.number("axis") } }),
  // Ids outside of the segments, which this kernel drops, are errors of ScatterNd.
  UnsortedSegmentSum: (call) => {
    const ids = call.shape("segmentIds");
    const column = { dtype: "int32" as const, shape: [...ids, 1] };
    const indices = call.node("Reshape", [call.input("segmentIds"), vector([...ids, 1])], column);
    const shape = vector(sizesOf(call.output().shape));
    return call.same("ScatterNd", [indices, call.input("x"), shape]);
  },
};

const reductions: Readonly<Record<string, Translation>> = {
  All: reduction("All"),
  Any: reduction("Any"),
  ArgMax: argReduction("ArgMax"),
  ArgMin: argReduction("ArgMin"),
  Bincount: (call) =>
    call.same("Bincount", [
      call.input("x"),
      scalarSize(call.number("size")),
      call.input("weights"),
    ]),
  Cumprod: cumulative("Cumprod"),
  Cumsum: cumulative("Cumsum"),
  DenseBincount: (call) =>
    call.same(
      "DenseBincount",
      [call.input("x"), scalarSize(call.number("size")), call.input("weights")],
      { binary_output: { b: call.flag("binaryOutput") } },
    ),
  Max: reduction("Max", "reductionIndices"),
  Mean: reduction("Mean"),
  Min: reduction("Min"),
  Prod: reduction("Prod"),
  Sum: reduction("Sum"),
};

const activations: Readonly<Record<string, Translation>> = {
  EluGrad: (call) => {
    const [dy, y, output] = [call.input("dy"), call.input("y"), call.output()];
    const isPositive = call.node("GreaterEqual", [y, constant(0)], { ...output, dtype: "bool" });
    const slope = call.node("AddV2", [y, constant(1)]);
    return call.same("SelectV2", [isPositive, dy, call.node("Mul", [dy, slope])]);
  },
  LeakyRelu: (call) =>
    call.same("LeakyRelu", [call.input("x")], { alpha: { f: call.number("alpha") } }),
  Softmax: (call) => {
    const last = call.shape("logits").length - 1;
    const axis = call.isSet("dim") ? call.number("dim") : last;
    if (axis !== last && axis !== -1) throw call.refuse(`the axis ${axis}`);
    return call.same("Softmax", [call.input("logits")]);
  },
  Step: (call) => {
    const [x, output] = [call.input("x"), call.output()];
    const flags = { ...output, dtype: "bool" as const };
    const isPositive = call.node("Greater", [x, constant(0)], flags);
    const alpha = constant(call.isSet("alpha") ? call.number("alpha") : 0);
    const step = call.node("SelectV2", [isPositive, constant(1), alpha]);
    return call.same("SelectV2", [call.node("IsNan", [x], flags), x, step]);
  },
};

function entries(): readonly (readonly [string, Translation])[] {
  return [
    ...unary.map((op): [string, Translation] => [op, (call) => call.same(op, [call.input("x")])]),
    ...Object.entries(sameName).map(([op, inputs]): [string, Translation] => [
      op,
      (call) =>
        call.same(
          op,
          inputs.map((input) => call.input(input)),
        ),
    ]),
    ...Object.entries(binary).map(([kernel, op]): [string, Translation] => [
      kernel,
      (call) => call.same(op, [call.input("a"), call.input("b")]),
    ]),
    ...[structural, reductions, activations, windowTranslations].flatMap((table) =>
      Object.entries(table),
    ),
  ];
}

/** How each kernel is written, by its name. */
export const translations: Readonly<Partial<Record<string, Translation>>> =
  Object.fromEntries(entries());
