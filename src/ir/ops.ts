/**
 * What transformation rules, composite tfjs rules and the importer build programs with: one method
 * per primitive that rules commonly need, plus `bind` for any record. Implemented in src/lax/ops.ts
 * over any interpreter (a jaxpr being built, tracers).
 */
import type { ShapedArray } from "./aval.js";
import type { Dim, Shape } from "./dims.js";
import type { DType } from "./dtypes.js";
import type { HostArray } from "./hostArray.js";
import type { ClosedJaxpr, LiteralValue } from "./jaxpr.js";
import type {
  ConvGeneralDilatedParams,
  DotGeneralParams,
  GatherParams,
  ReduceWindowParams,
  ScatterParams,
  SortParams,
} from "./params.js";
import type { Primitive } from "./primitive.js";

/** Anything that stands for an array in a program under construction. */
export interface Value {
  readonly aval: ShapedArray;
}

type Unary = (x: Value) => Value;
type Binary = (x: Value, y: Value) => Value;

/** What an inner program becomes under the transformation that is calling the rule. */
export interface ProgramTransforms {
  /** A new program with inputs of the given types. */
  build(
    inputs: readonly ShapedArray[],
    body: (o: Ops, inputs: readonly Value[]) => readonly Value[],
  ): ClosedJaxpr;
  /**
   * The program that takes the primals, then the tangents of the inputs marked `active`, and gives
   * the primal outputs, then the tangents that are not zero (all of those `instantiated`).
   */
  jvp(
    program: ClosedJaxpr,
    active: readonly boolean[],
    instantiated: readonly boolean[],
  ): { readonly program: ClosedJaxpr; readonly outputTangents: readonly boolean[] };
  /**
   * Splits by known inputs: `known` gives known outputs then residuals, `unknown` takes residuals
   * first. Outputs marked in `unknownOutputs` come from the unknown part even if they are known.
   */
  split(
    program: ClosedJaxpr,
    knownInputs: readonly boolean[],
    unknownOutputs?: readonly boolean[],
  ): {
    readonly known: ClosedJaxpr;
    readonly unknown: ClosedJaxpr;
    readonly knownOutputs: readonly boolean[];
    readonly residualCount: number;
  };
  /**
   * The program that takes the inputs not marked `linear`, then a cotangent per output, and gives a
   * cotangent per linear input.
   */
  transpose(program: ClosedJaxpr, linear: readonly boolean[]): ClosedJaxpr;
  /** The program over a batch; batched outputs have their batch dimension first. */
  batch(
    program: ClosedJaxpr,
    size: Dim,
    inputDims: readonly (number | null)[],
    batchedOutputs: readonly boolean[],
  ): { readonly program: ClosedJaxpr; readonly batched: readonly boolean[] };
}

export interface Ops {
  /** Transformations of inner programs, for the rules of control flow and calls. */
  readonly programs: ProgramTransforms;

  bind<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): readonly Value[];

  // constants
  /** A scalar literal. */
  literal(value: LiteralValue, dtype: DType): Value;
  /** A captured constant array. */
  constant(value: HostArray): Value;
  /** `lax.full`: a scalar literal broadcast to `shape` (a bare literal for shape ()). */
  full(shape: Shape, value: LiteralValue, dtype: DType): Value;
  /** Value of a symbolic dimension as an int32 scalar (JAX's `dim_as_value`); a literal if static. */
  dimAsValue(dim: Dim): Value;
  iota(dtype: DType, shape: Shape, dimension: number): Value;

  // elementwise
  neg: Unary;
  sign: Unary;
  abs: Unary;
  floor: Unary;
  ceil: Unary;
  round(x: Value, method: "away_from_zero" | "to_nearest_even"): Value;
  isFinite: Unary;
  exp: Unary;
  exp2: Unary;
  expm1: Unary;
  log: Unary;
  log1p: Unary;
  sin: Unary;
  cos: Unary;
  tan: Unary;
  asin: Unary;
  acos: Unary;
  atan: Unary;
  sinh: Unary;
  cosh: Unary;
  tanh: Unary;
  asinh: Unary;
  acosh: Unary;
  atanh: Unary;
  logistic: Unary;
  sqrt: Unary;
  rsqrt: Unary;
  cbrt: Unary;
  square: Unary;
  integerPow(x: Value, exponent: number): Value;
  not: Unary;
  populationCount: Unary;
  clz: Unary;
  erf: Unary;
  erfc: Unary;
  erfInv: Unary;
  lgamma: Unary;
  digamma: Unary;
  real: Unary;
  imag: Unary;
  conj: Unary;
  complex: Binary;
  add: Binary;
  sub: Binary;
  mul: Binary;
  div: Binary;
  rem: Binary;
  max: Binary;
  min: Binary;
  pow: Binary;
  atan2: Binary;
  nextafter: Binary;
  and: Binary;
  or: Binary;
  xor: Binary;
  shiftLeft: Binary;
  shiftRightLogical: Binary;
  shiftRightArithmetic: Binary;
  eq: Binary;
  ne: Binary;
  lt: Binary;
  le: Binary;
  gt: Binary;
  ge: Binary;
  /** `select_n(which, ...cases)`: `which` is bool (two cases: false, true) or int32. */
  selectN(which: Value, ...cases: readonly Value[]): Value;
  clamp(low: Value, x: Value, high: Value): Value;
  convertElementType(x: Value, dtype: DType, weakType?: boolean): Value;
  bitcastConvertType(x: Value, dtype: DType): Value;
  reducePrecision(x: Value, exponentBits: number, mantissaBits: number): Value;

  // shape
  broadcastInDim(x: Value, shape: Shape, broadcastDimensions: readonly number[]): Value;
  reshape(x: Value, shape: Shape): Value;
  transpose(x: Value, permutation: readonly number[]): Value;
  squeeze(x: Value, dimensions: readonly number[]): Value;
  concatenate(operands: readonly Value[], dimension: number): Value;
  slice(
    x: Value,
    start: readonly Dim[],
    limit: readonly Dim[],
    strides?: readonly number[] | null,
  ): Value;
  dynamicSlice(x: Value, starts: readonly Value[], sizes: readonly Dim[]): Value;
  dynamicUpdateSlice(x: Value, update: Value, starts: readonly Value[]): Value;
  /** `config`: per dimension (low, high, interior). */
  pad(x: Value, paddingValue: Value, config: readonly (readonly [Dim, Dim, number])[]): Value;
  rev(x: Value, dimensions: readonly number[]): Value;

  // reductions and windows
  reduceSum(x: Value, axes: readonly number[]): Value;
  reduceProd(x: Value, axes: readonly number[]): Value;
  reduceMax(x: Value, axes: readonly number[]): Value;
  reduceMin(x: Value, axes: readonly number[]): Value;
  reduceAnd(x: Value, axes: readonly number[]): Value;
  reduceOr(x: Value, axes: readonly number[]): Value;
  reduceXor(x: Value, axes: readonly number[]): Value;
  argmax(x: Value, axis: number, indexDtype: DType): Value;
  argmin(x: Value, axis: number, indexDtype: DType): Value;
  /** General `lax.reduce`: `computation` maps (accumulators, elements) to accumulators. */
  reduce(
    operands: readonly Value[],
    initialValues: readonly Value[],
    computation: ClosedJaxpr,
    dimensions: readonly number[],
  ): readonly Value[];
  cumsum(x: Value, axis: number, reverse: boolean): Value;
  cumprod(x: Value, axis: number, reverse: boolean): Value;
  cummax(x: Value, axis: number, reverse: boolean): Value;
  cummin(x: Value, axis: number, reverse: boolean): Value;
  cumlogsumexp(x: Value, axis: number, reverse: boolean): Value;
  reduceWindowSum(x: Value, params: ReduceWindowParams): Value;
  reduceWindowMax(x: Value, params: ReduceWindowParams): Value;
  reduceWindowMin(x: Value, params: ReduceWindowParams): Value;

  // contractions, indexing, sorting
  dotGeneral(lhs: Value, rhs: Value, params: DotGeneralParams): Value;
  convGeneralDilated(lhs: Value, rhs: Value, params: ConvGeneralDilatedParams): Value;
  gather(operand: Value, indices: Value, params: GatherParams): Value;
  /** `kind` selects `scatter`, `scatter_add`, `scatter_mul`, `scatter_min`, `scatter_max`. */
  scatter(
    kind: "replace" | "add" | "sub" | "mul" | "min" | "max",
    operand: Value,
    indices: Value,
    updates: Value,
    params: ScatterParams,
  ): Value;
  sort(operands: readonly Value[], params: SortParams): readonly Value[];
  topK(x: Value, k: Dim, axis: number): readonly [Value, Value];

  // control flow and calls
  /** `while` with captured values first: `(cond_consts, body_consts, carry)`. */
  while(
    condition: ClosedJaxpr,
    conditionConsts: readonly Value[],
    body: ClosedJaxpr,
    bodyConsts: readonly Value[],
    initial: readonly Value[],
  ): readonly Value[];
  /** `cond`: `index` is int32 (clamped to the branches) or bool (false, true). */
  cond(
    index: Value,
    branches: readonly ClosedJaxpr[],
    operands: readonly Value[],
  ): readonly Value[];
  /** A named call (`pjit`). */
  call(name: string, program: ClosedJaxpr, args: readonly Value[]): readonly Value[];
  stopGradient: Unary;
}
