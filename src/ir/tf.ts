/**
 * What a tfjs rule sees: tensors of the graph under construction and the node builder `tf`.
 * Implemented in src/lower; the builder alone knows the traps of the tfjs kernels, so rules state
 * what they want on whole shapes and never think of ranks, backends or missing kernels.
 */
import type { ShapedArray } from "./aval.js";
import type { Dim, Shape } from "./dims.js";
import type { HostArray } from "./hostArray.js";
import type { ClosedJaxpr } from "./jaxpr.js";
import type { Ops, Value } from "./ops.js";

/** Element types of tfjs tensors that graphs of ours use. */
export type TfDtype = "float32" | "int32" | "bool" | "complex64";

/** tfjs backends a model can be meant for. */
export type Backend = "cpu" | "wasm" | "webgl" | "webgpu" | "tensorflow";

/** One tensor of the graph. Opaque to rules but for type, shape and known value. */
export interface Tensor {
  readonly kind: "tensor";
  /** Name of the node. */
  readonly node: string;
  /** Which output of the node. */
  readonly slot: number;
  readonly dtype: TfDtype;
  readonly shape: Shape;
  /** Its value where known at conversion time. Weights are not known: they can be replaced. */
  readonly value: HostArray | null;
}

/** How a value of the jaxpr travels through the graph (DESIGN.md: carriers). */
export type Carrier =
  /** One tensor, whose shape may be smaller: it then stands for its broadcast to the aval's shape. */
  | { readonly kind: "tensor"; readonly tensor: Tensor }
  /** complex64 as two float32 tensors, each possibly smaller than the aval's shape. */
  | { readonly kind: "pair"; readonly re: Tensor; readonly im: Tensor }
  /** uint32 as two int32 tensors with 16 bits each. */
  | { readonly kind: "limbs"; readonly high: Tensor; readonly low: Tensor };

/** A value of the jaxpr in the graph. */
export interface GraphValue {
  readonly aval: ShapedArray;
  readonly carrier: Carrier;
}

export type AttrValue =
  | { readonly type: TfDtype }
  | { readonly i: number }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: string }
  | { readonly shape: readonly number[] }
  | { readonly func: string }
  | { readonly listI: readonly number[] }
  | { readonly listS: readonly string[] }
  | { readonly listType: readonly TfDtype[] };

export type Attrs = Readonly<Record<string, AttrValue>>;

/** Padding of a spatial window: TF's `VALID`/`SAME` or explicit amounts per spatial dimension. */
export type WindowPadding = "VALID" | "SAME" | readonly (readonly [number, number])[];

export type Activation = "Relu" | "Relu6" | "Elu" | "Sigmoid" | "LeakyRelu";

export interface Fusion {
  /** Rank-1 bias over the last dimension. */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  readonly leakyReluAlpha?: number;
}

/** The node builder. All shapes are JAX's; all methods fold where every input is a known constant. */
export interface Tf {
  /** Backends that the result must be right on. */
  readonly backends: ReadonlySet<Backend>;
  /** True if int32 arithmetic is exact to 32 bits on every target backend (cpu, wasm, tensorflow). */
  readonly exactIntegers: boolean;

  // --- values and carriers
  /** The value as one tensor of exactly its shape (a pending broadcast is carried out, once). */
  tensor(value: GraphValue): Tensor;
  /** The value as one tensor that broadcasts to its shape (for elementwise nodes). */
  broadcastable(value: GraphValue): Tensor;
  /** Wraps a tensor; its shape must equal or broadcast to the aval's shape. */
  value(tensor: Tensor, aval: ShapedArray): GraphValue;
  /** complex64 as (re, im), broadcastable. Real values get a zero imaginary part. */
  pair(value: GraphValue): { readonly re: Tensor; readonly im: Tensor };
  fromPair(re: Tensor, im: Tensor, aval: ShapedArray): GraphValue;
  /** uint32 as 16-bit limbs, broadcastable. */
  limbs(value: GraphValue): { readonly high: Tensor; readonly low: Tensor };
  fromLimbs(high: Tensor, low: Tensor, aval: ShapedArray): GraphValue;
  /** Builds with other primitives in place: composite rules are written with `o`, not with nodes. */
  inline(
    inputs: readonly GraphValue[],
    build: (o: Ops, inputs: readonly Value[]) => readonly Value[],
  ): readonly GraphValue[];

  // --- constants and dimensions
  scalar(value: number | boolean, dtype: TfDtype): Tensor;
  /** A small constant; equal ones share a node. */
  constant(values: ArrayLike<number>, dtype: TfDtype, shape: readonly number[]): Tensor;
  /** A constant array captured by the program; large ones become named weights. */
  array(value: HostArray): Tensor;
  /** An array that belongs to the program's parameters: a weight of its own under this name. */
  weight(name: string, value: HostArray): Tensor;
  fill(shape: Shape, value: number | boolean, dtype: TfDtype): Tensor;
  /** int32 scalar holding the size. */
  dim(dim: Dim): Tensor;
  /** int32 vector holding the shape. */
  shapeVector(shape: Shape): Tensor;
  /** int32 vector 0, step, …, (count - 1) * step. Default step: 1. */
  range(count: Dim, step?: Dim): Tensor;

  // --- elementwise: TF op name, broadcasting as TF does
  unary(op: string, x: Tensor): Tensor;
  binary(op: string, x: Tensor, y: Tensor): Tensor;
  /** Where `condition` (bool) holds `x`, else `y`; all three broadcast. */
  select(condition: Tensor, x: Tensor, y: Tensor): Tensor;
  /** To bool: `x != 0`; float to int32: truncates. */
  cast(x: Tensor, dtype: TfDtype): Tensor;

  // --- shape
  reshape(x: Tensor, shape: Shape): Tensor;
  broadcastTo(x: Tensor, shape: Shape): Tensor;
  transpose(x: Tensor, permutation: readonly number[]): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  split(x: Tensor, sizes: readonly number[], axis: number): readonly Tensor[];
  /** The slices along an axis of known size, without that axis. */
  unpack(x: Tensor, axis: number): readonly Tensor[];
  /** Tensors of one shape along a new axis. */
  pack(tensors: readonly Tensor[], axis: number): Tensor;
  /** Static or symbolic begin, size per dimension, stride 1. */
  slice(x: Tensor, begin: readonly Dim[], size: readonly Dim[]): Tensor;
  /** Positive strides, any rank. */
  stridedSlice(
    x: Tensor,
    begin: readonly Dim[],
    end: readonly Dim[],
    strides: readonly number[],
  ): Tensor;
  /** `begin` is an int32 vector computed in the graph, already clamped to be in bounds. */
  dynamicSlice(x: Tensor, begin: Tensor, size: readonly Dim[]): Tensor;
  /** Non-negative amounts (low, high) per dimension. */
  pad(x: Tensor, padding: readonly (readonly [Dim, Dim])[], value: number | boolean): Tensor;
  reverse(x: Tensor, axes: readonly number[]): Tensor;
  tile(x: Tensor, repeats: readonly Dim[]): Tensor;

  // --- reductions
  reduce(
    op: "Sum" | "Prod" | "Max" | "Min" | "Mean" | "All" | "Any",
    x: Tensor,
    axes: readonly number[],
    keepDims?: boolean,
  ): Tensor;
  argReduce(op: "ArgMax" | "ArgMin", x: Tensor, axis: number): Tensor;
  cumulative(
    op: "Cumsum" | "Cumprod",
    x: Tensor,
    axis: number,
    options: { readonly reverse: boolean; readonly exclusive: boolean },
  ): Tensor;
  softmax(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;

  // --- contractions
  /** Rank >= 2, equal batch dimensions, last two dimensions contracted as matrices. float32. */
  matMul(
    x: Tensor,
    y: Tensor,
    options?: { readonly transposeX?: boolean; readonly transposeY?: boolean } & Fusion,
  ): Tensor;
  /** NHWC by HWIO. */
  conv2D(
    x: Tensor,
    filter: Tensor,
    options: {
      readonly strides: readonly [number, number];
      readonly dilations: readonly [number, number];
      readonly padding: WindowPadding;
      readonly outShape: Shape;
    } & Fusion,
  ): Tensor;
  /** NHWC by HW(in)(multiplier). */
  depthwiseConv2D(
    x: Tensor,
    filter: Tensor,
    options: {
      readonly strides: readonly [number, number];
      readonly dilations: readonly [number, number];
      readonly padding: WindowPadding;
      readonly outShape: Shape;
    } & Fusion,
  ): Tensor;
  /** Gradient of conv2D to its input (transposed convolution): filter HW(out)(in). */
  conv2DBackpropInput(
    outShape: Shape,
    filter: Tensor,
    x: Tensor,
    options: {
      readonly strides: readonly [number, number];
      readonly padding: WindowPadding;
    },
  ): Tensor;
  /** NDHWC by DHWIO. */
  conv3D(
    x: Tensor,
    filter: Tensor,
    options: {
      readonly strides: readonly [number, number, number];
      readonly dilations: readonly [number, number, number];
      readonly padding: "VALID" | "SAME";
      readonly outShape: Shape;
    },
  ): Tensor;
  /** NHWC or NDHWC, VALID or SAME; AvgPool leaves padding out of its count. */
  pool(
    op: "MaxPool" | "AvgPool" | "MaxPool3D" | "AvgPool3D",
    x: Tensor,
    options: {
      readonly window: readonly number[];
      readonly strides: readonly number[];
      readonly padding: "VALID" | "SAME";
      readonly outShape: Shape;
    },
  ): Tensor;

  // --- indexing and sorting; indices must already be in bounds
  gather(x: Tensor, indices: Tensor, axis: number, batchDims?: number): Tensor;
  gatherNd(x: Tensor, indices: Tensor): Tensor;
  /** Sums updates of equal indices into zeros of `shape`. */
  scatterNd(indices: Tensor, updates: Tensor, shape: Shape): Tensor;
  /** Indices must be unique. */
  tensorScatterUpdate(x: Tensor, indices: Tensor, updates: Tensor): Tensor;
  /** Along the last dimension, descending, ties by lower index. */
  topK(x: Tensor, k: Dim): { readonly values: Tensor; readonly indices: Tensor };
  oneHot(indices: Tensor, depth: number): Tensor;

  // --- control flow
  /** A loop node (`StatelessWhile`); captured values are passed through. */
  whileLoop(
    condition: ClosedJaxpr,
    conditionConsts: readonly GraphValue[],
    body: ClosedJaxpr,
    bodyConsts: readonly GraphValue[],
    initial: readonly GraphValue[],
  ): readonly GraphValue[];
  /** A conditional node (`StatelessIf`); false branch first, as in JAX's `cond`. */
  ifElse(
    predicate: Tensor,
    falseBranch: ClosedJaxpr,
    trueBranch: ClosedJaxpr,
    operands: readonly GraphValue[],
  ): readonly GraphValue[];
  /** Lowers an inner program in place. */
  call(program: ClosedJaxpr, args: readonly GraphValue[]): readonly GraphValue[];

  /** Any other op of the tfjs converter; checked against its op table. */
  node(
    op: string,
    inputs: readonly Tensor[],
    attrs: Attrs,
    outs: readonly { readonly dtype: TfDtype; readonly shape: Shape }[],
  ): readonly Tensor[];
}
