// Every kernel of tfjs that callTfjs can save: the saved function gives what tfjs itself gives.
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  callTfjs,
  convert,
  exportFunction,
  modelArtifacts,
  useBackend,
  type ArrayLike,
} from "../../src/index.js";
import { translations } from "../../src/run/kernels/translations.js";

beforeAll(() => useBackend("cpu"));

type Case = readonly [
  name: string,
  f: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
  inputs: () => tf.Tensor[],
];

const row = (): tf.Tensor => tf.tensor1d([-2, -0.75, 0.25, 1.5, 3]);
const unit = (): tf.Tensor => tf.tensor1d([-0.9, -0.25, 0, 0.3, 0.75]);
const positive = (): tf.Tensor => tf.tensor1d([1, 1.5, 2.25, 3, 10]);
const whole = (): tf.Tensor => tf.tensor1d([3, -1, 4, 1, -5], "int32");
const flags = (): tf.Tensor => tf.tensor1d([true, false, true, true, false], "bool");
const matrix = (): tf.Tensor => tf.tensor2d([0.5, -1, 2, 3, -4, 5.5], [2, 3]);
const cube = (): tf.Tensor => tf.reshape(tf.linspace(-1, 1, 24), [2, 3, 4]);
const image = (): tf.Tensor => tf.reshape(tf.sin(tf.range(0, 64)), [1, 4, 4, 4]);
const volume = (): tf.Tensor => tf.reshape(tf.sin(tf.range(0, 54)), [1, 3, 3, 3, 2]);
const filter = (): tf.Tensor => tf.reshape(tf.cos(tf.range(0, 32)), [2, 2, 4, 2]);
const filter3d = (): tf.Tensor => tf.reshape(tf.cos(tf.range(0, 32)), [2, 2, 2, 2, 2]);

const on = (f: (x: tf.Tensor) => tf.Tensor, input: () => tf.Tensor = row): Case => [
  f.name,
  (x) => f(x),
  () => [input()],
];

const pair = (f: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor, left = row, right = positive): Case => [
  f.name,
  (x, y) => f(x, y),
  () => [left(), right()],
];

const gradOf = (name: string, f: (x: tf.Tensor) => tf.Tensor, input = row): Case => [
  name,
  (x) => tf.grad((t) => tf.sum(f(t)))(x),
  () => [input()],
];

const cases: readonly Case[] = [
  ...[tf.abs, tf.acos, tf.asin, tf.atanh].map((f) => on(f, unit)),
  ...[tf.acosh, tf.log, tf.rsqrt, tf.sqrt, tf.reciprocal].map((f) => on(f, positive)),
  ...[tf.asinh, tf.atan, tf.ceil, tf.cos, tf.cosh, tf.elu, tf.erf, tf.exp, tf.expm1].map((f) =>
    on(f),
  ),
  ...[tf.floor, tf.isFinite, tf.isInf, tf.isNaN, tf.neg, tf.onesLike, tf.relu].map((f) => on(f)),
  ...[tf.relu6, tf.round, tf.selu, tf.sigmoid, tf.sign, tf.sin, tf.sinh].map((f) => on(f)),
  ...[tf.softplus, tf.square, tf.tan, tf.tanh, tf.zerosLike, tf.step].map((f) => on(f)),
  on(tf.log1p, positive),
  on(tf.logicalNot, flags),
  ...[tf.add, tf.atan2, tf.equal, tf.floorDiv, tf.greater, tf.greaterEqual, tf.less].map((f) =>
    pair(f),
  ),
  ...[tf.lessEqual, tf.maximum, tf.minimum, tf.mod, tf.mul, tf.notEqual, tf.div].map((f) =>
    pair(f),
  ),
  ...[tf.squaredDifference, tf.sub, tf.prelu].map((f) => pair(f)),
  pair(tf.pow, positive, unit),
  pair(tf.logicalAnd, flags, flags),
  pair(tf.logicalOr, flags, flags),
  ["addN", (...xs) => tf.addN(xs), () => [row(), unit(), positive()]],
  [
    "complex",
    (x, y) => {
      const z = tf.complex(x, y);
      return [tf.real(z), tf.imag(z), tf.abs(z)];
    },
    () => [row(), positive()],
  ],
  [
    "gatherND",
    (x) =>
      tf.gatherND(
        x,
        tf.tensor2d(
          [
            [1, 2],
            [0, 0],
          ],
          [2, 2],
          "int32",
        ),
      ),
    () => [matrix()],
  ],
  [
    "tensorScatterUpdate",
    (x) => tf.tensorScatterUpdate(x, tf.tensor2d([[1], [3]], [2, 1], "int32"), tf.tensor1d([9, 8])),
    () => [row()],
  ],
  ["batchToSpaceND", (x) => tf.batchToSpaceND(x, [2], [[0, 0]]), () => [cube()]],
  ["spaceToBatchND", (x) => tf.spaceToBatchND(x, [2], [[1, 0]]), () => [cube()]],
  ["broadcastTo", (x) => tf.broadcastTo(x, [3, 5]), () => [row()]],
  ["cast", (x) => tf.cast(x, "int32"), () => [row()]],
  ["clipByValue", (x) => tf.clipByValue(x, -1, 1), () => [row()]],
  ["concat", (x, y) => tf.concat([x, y], 1), () => [matrix(), matrix()]],
  ["depthToSpace", (x) => tf.depthToSpace(x as tf.Tensor4D, 2), () => [image()]],
  ["einsum", (x, y) => tf.einsum("ij,kj->ik", x, y), () => [matrix(), matrix()]],
  ["expandDims", (x) => tf.expandDims(x, 1), () => [matrix()]],
  ["fill", (x) => tf.add(x, tf.fill([5], 2.5)), () => [row()]],
  ["gather", (x) => tf.gather(x, tf.tensor1d([2, 0], "int32"), 1), () => [matrix()]],
  ["linspace", (x) => tf.add(x, tf.linspace(0, 1, 5)), () => [row()]],
  ["lowerBound", (x) => tf.lowerBound(positive(), x), () => [row()]],
  ["upperBound", (x) => tf.upperBound(positive(), x), () => [row()]],
  ["mirrorPad", (x) => tf.mirrorPad(x, [[1, 2]], "reflect"), () => [row()]],
  ["oneHot", (x) => tf.oneHot(x, 5, 3, -1), () => [whole()]],
  ["stack", (x, y) => tf.stack([x, y], 1), () => [row(), unit()]],
  [
    "pad",
    (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        7,
      ),
    () => [matrix()],
  ],
  ["range", (x) => tf.add(x, tf.range(0, 5, 1, "float32")), () => [row()]],
  ["reshape", (x) => tf.reshape(x, [3, -1]), () => [matrix()]],
  ["resizeBilinear", (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [6, 3]), () => [image()]],
  [
    "resizeNearest",
    (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 3], false, true),
    () => [image()],
  ],
  ["reverse", (x) => tf.reverse(x, [0, 2]), () => [cube()]],
  [
    "scatterND",
    (x) => tf.scatterND(tf.tensor2d([[4], [1], [1], [0], [2]], [5, 1], "int32"), x, [6]),
    () => [row()],
  ],
  ["where", (c, x, y) => tf.where(c, x, y), () => [flags(), row(), unit()]],
  ["slice", (x) => tf.slice(x, [0, 1, 2], [2, -1, 1]), () => [cube()]],
  [
    "sparseToDense",
    (x) => tf.sparseToDense(tf.tensor1d([0, 2, 3, 5, 6], "int32"), x, [8], tf.scalar(-1)),
    () => [row()],
  ],
  ["split", (x) => tf.split(x, [1, 3], -1), () => [cube()]],
  [
    "stridedSlice",
    (x) => tf.stridedSlice(x, [0, 2], [2, 0], [1, -1], 0, 2, 0, 0, 0),
    () => [matrix()],
  ],
  ["tile", (x) => tf.tile(x, [2, 1]), () => [matrix()]],
  ["topk", (x) => Object.values(tf.topk(x, 2)), () => [matrix()]],
  ["transpose", (x) => tf.transpose(x, [2, 0, 1]), () => [cube()]],
  ["unstack", (x) => tf.unstack(x, 1), () => [matrix()]],
  [
    "unsortedSegmentSum",
    (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, 1, 0], "int32"), 4),
    () => [row()],
  ],
  ["all", (x) => tf.all(x), () => [flags()]],
  ["any", (x) => tf.any(x, 0, true), () => [flags()]],
  ["argMax", (x) => tf.argMax(x, 1), () => [cube()]],
  ["argMin", (x) => tf.argMin(x, 2), () => [cube()]],
  [
    "bincount",
    (x) => tf.bincount(tf.abs(x as tf.Tensor1D), positive() as tf.Tensor1D, 6),
    () => [whole()],
  ],
  [
    "denseBincount",
    (x) => tf.denseBincount(tf.abs(x as tf.Tensor1D), tf.tensor1d([]), 6, true),
    () => [whole()],
  ],
  ["cumsum", (x) => tf.cumsum(x, 1, true, true), () => [cube()]],
  ["cumprod", (x) => tf.cumprod(x, 1), () => [cube()]],
  ["max", (x) => tf.max(x, [0, 2]), () => [cube()]],
  ["min", (x) => tf.min(x, 1, true), () => [cube()]],
  ["mean", (x) => tf.mean(x), () => [cube()]],
  ["prod", (x) => tf.prod(x, 2), () => [cube()]],
  ["sum", (x) => tf.sum(x, -1), () => [cube()]],
  gradOf("gradient of elu", tf.elu),
  gradOf("gradient of relu", tf.relu),
  gradOf("gradient of gather", (x) => tf.mul(tf.gather(x, tf.tensor1d([0, 3, 3], "int32")), 2)),
  ["leakyRelu", (x) => tf.leakyRelu(x, 0.3), () => [row()]],
  ["softmax", (x) => tf.softmax(x), () => [cube()]],
  ["logSoftmax", (x) => tf.logSoftmax(x), () => [cube()]],
  ["BroadcastTo", (x) => tf.broadcastTo(x, [2, 2, 3]), () => [matrix()]],
  ["avgPool", (x) => tf.avgPool(x as tf.Tensor4D, 2, 1, "same"), () => [image()]],
  ["maxPool", (x) => tf.maxPool(x as tf.Tensor4D, [2, 1], 2, "valid"), () => [image()]],
  ["avgPool3d", (x) => tf.avgPool3d(x as tf.Tensor5D, 2, 1, "same"), () => [volume()]],
  ["maxPool3d", (x) => tf.maxPool3d(x as tf.Tensor5D, 2, 1, "valid"), () => [volume()]],
  ["matMul", (x, y) => tf.matMul(x, y, false, true), () => [matrix(), matrix()]],
  ["matMul of stacks", (x, y) => tf.matMul(x, y, true, false), () => [cube(), cube()]],
  [
    "conv2d",
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 1),
    () => [image(), filter()],
  ],
  [
    "conv2d dilated",
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same", "NHWC", 2),
    () => [image(), filter()],
  ],
  [
    "conv2dTranspose",
    (x, w) =>
      tf.conv2dTranspose(
        x as tf.Tensor4D,
        tf.transpose(w as tf.Tensor4D, [0, 1, 3, 2]),
        [1, 8, 8, 2],
        2,
        "same",
      ),
    () => [image(), filter()],
  ],
  [
    "conv3d",
    (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, "valid"),
    () => [volume(), filter3d()],
  ],
  [
    "depthwiseConv2d",
    (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, "same"),
    () => [image(), filter()],
  ],
  [
    "dilation2d",
    (x) => tf.dilation2d(x as tf.Tensor4D, tf.ones([2, 2, 4]), 1, "same"),
    () => [image()],
  ],
  [
    "batchNorm",
    (x) =>
      tf.batchNorm(
        x as tf.Tensor4D,
        tf.tensor1d([0, 1, 2, 3]),
        tf.tensor1d([1, 2, 3, 4]),
        undefined,
        undefined,
        1e-2,
      ),
    () => [image()],
  ],
  [
    "localResponseNormalization",
    (x) => tf.localResponseNormalization(x as tf.Tensor4D, 2, 1, 0.5, 0.4),
    () => [image()],
  ],
  ...(["relu", "elu", "relu6", "sigmoid", "leakyrelu", "linear", "prelu"] as const).map(
    (activation): Case => [
      `fused matMul with ${activation}`,
      (a, b) =>
        tf.fused.matMul({
          a: a,
          b: b,
          transposeB: true,
          bias: tf.tensor1d([0.5, -1]),
          activation,
          leakyreluAlpha: 0.1,
          ...(activation === "prelu" ? { preluActivationWeights: tf.tensor1d([0.3, 0.2]) } : {}),
        }),
      () => [matrix(), matrix()],
    ],
  ),
  [
    "fused conv2d",
    (x, w) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: "same",
        bias: tf.tensor1d([1, 2]),
        activation: "relu",
      }),
    () => [image(), filter()],
  ],
  [
    "fused depthwiseConv2d",
    (x, w) =>
      tf.fused.depthwiseConv2d({
        x: x as tf.Tensor4D,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: "valid",
        activation: "elu",
      }),
    () => [image(), filter()],
  ],
];

const seen = new Set<string>();

const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

test.each(cases)("%s", async (_, f, inputs) => {
  const tensors = inputs();
  const call = callTfjs(f) as (...args: ArrayLike[]) => ArrayLike | ArrayLike[];
  const profile = await tf.profile(() => listOf(f(...tensors)));
  for (const name of profile.kernelNames) seen.add(name);
  const model = convert(exportFunction(call)(...tensors), { backends: ["cpu"] });
  const loaded = await loadGraphModel(tf.io.fromMemory(modelArtifacts(model)));
  const feeds = Object.fromEntries(
    model.graph.inputs.map(({ tensor, position }) => [tensor, tensors[position]]),
  ) as tf.NamedTensorMap;
  const results = listOf(
    loaded.execute(
      feeds,
      model.graph.outputs.map(({ tensor }) => tensor),
    ),
  );
  const expected = listOf(f(...tensors));
  expect(results.map(({ shape, dtype }) => [shape, dtype])).toEqual(
    expected.map(({ shape, dtype }) => [shape, dtype]),
  );
  results.forEach((result, index) => {
    const wanted = expected[index]?.dataSync() ?? [];
    result.dataSync().forEach((value, place) => {
      expect(value).toBeCloseTo(Number(wanted[place]), 5);
    });
  });
});

afterAll(() => {
  const missing = Object.keys(translations).filter((name) => !seen.has(name));
  expect(missing).toEqual([]);
});
