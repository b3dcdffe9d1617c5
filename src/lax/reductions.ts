/** Functions of `lax` that reduce, accumulate and reduce over windows. */
import * as argReduce from "../../primitives/argReduce.js";
import * as cumulatives from "../../primitives/cumulative.js";
import { reduce as reducePrimitive } from "../../primitives/reduceGeneral.js";
import * as selecting from "../../primitives/selectAndScatter.js";
import * as windows from "../../primitives/window.js";
import { reduceWindow as reduceWindowPrimitive } from "../../primitives/windowGeneral.js";
import { shapedArray, type ShapedArray } from "../ir/aval.js";
import { addDims, dilateDim, strideDim, type Dim } from "../ir/dims.js";
import { isFloat, isInteger, type DType } from "../ir/dtypes.js";
import type { ClosedJaxpr, LiteralValue } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import type { ReduceWindowParams } from "../ir/params.js";
import type { Primitive } from "../ir/primitive.js";
import { callError, traceCall } from "../api/calls.js";
import { withConstants } from "../api/jit.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { asValue, fromValue, o, toValue } from "../trace/trace.js";
import { flatten, unflatten, type TreeDef } from "../tree/pytree.js";
import { at, bindOne, canonicalDtype, integerRange, invalid, unify } from "./arguments.js";
import { paddingOf, type Padding } from "./padding.js";

// --- Reductions ----------------------------------------------------------------------------------

type Reduction = (operand: ArrayLike, axes: readonly number[]) => ArrayValue;

const reductionBy =
  (op: (x: Value, axes: readonly number[]) => Value): Reduction =>
  (operand, axes) =>
    fromValue(op(toValue(operand), axes));

/** The sum over dimensions. JAX's `lax.reduce_sum`. */
export const reduceSum: Reduction = reductionBy((x, axes) => o.reduceSum(x, axes));
/** The product over dimensions. JAX's `lax.reduce_prod`. */
export const reduceProd: Reduction = reductionBy((x, axes) => o.reduceProd(x, axes));
/** The largest over dimensions. JAX's `lax.reduce_max`. */
export const reduceMax: Reduction = reductionBy((x, axes) => o.reduceMax(x, axes));
/** The smallest over dimensions. JAX's `lax.reduce_min`. */
export const reduceMin: Reduction = reductionBy((x, axes) => o.reduceMin(x, axes));
/** Logical or bitwise and over dimensions. JAX's `lax.reduce_and`. */
export const reduceAnd: Reduction = reductionBy((x, axes) => o.reduceAnd(x, axes));
/** Logical or bitwise or over dimensions. JAX's `lax.reduce_or`. */
export const reduceOr: Reduction = reductionBy((x, axes) => o.reduceOr(x, axes));
/** Logical or bitwise exclusive or over dimensions. JAX's `lax.reduce_xor`. */
export const reduceXor: Reduction = reductionBy((x, axes) => o.reduceXor(x, axes));

const argReductionBy =
  (primitive: Primitive<argReduce.ArgReduceParams>) =>
  (operand: ArrayLike, axis: number, indexDtype: DType = "int32"): ArrayValue => {
    const dtype = canonicalDtype(indexDtype);
    return fromValue(bindOne(primitive, [toValue(operand)], { axes: [axis], index_dtype: dtype }));
  };

/** Where the largest element is; the first NaN if there is one. JAX's `lax.argmax`. */
export const argmax = argReductionBy(argReduce.argmax);
/** Where the smallest element is; the first NaN if there is one. JAX's `lax.argmin`. */
export const argmin = argReductionBy(argReduce.argmin);

// --- Accumulation --------------------------------------------------------------------------------

export interface CumulativeOptions {
  /** From the end. Default: false. */
  readonly reverse?: boolean;
}

const cumulativeBy =
  (primitive: Primitive<cumulatives.CumulativeParams>) =>
  (operand: ArrayLike, axis = 0, { reverse = false }: CumulativeOptions = {}): ArrayValue =>
    fromValue(bindOne(primitive, [toValue(operand)], { axis, reverse }));

/** Sums up to each place. JAX's `lax.cumsum`. */
export const cumsum = cumulativeBy(cumulatives.cumsum);
/** Products up to each place. JAX's `lax.cumprod`. */
export const cumprod = cumulativeBy(cumulatives.cumprod);
/** The largest up to each place. JAX's `lax.cummax`. */
export const cummax = cumulativeBy(cumulatives.cummax);
/** The smallest up to each place. JAX's `lax.cummin`. */
export const cummin = cumulativeBy(cumulatives.cummin);
/** `log(sum(exp(x)))` up to each place. JAX's `lax.cumlogsumexp`. */
export const cumlogsumexp = cumulativeBy(cumulatives.cumlogsumexp);

// --- Reductions by any function ------------------------------------------------------------------

/** Combines two values (pytrees of scalars as the operands) into one. */
export type Computation = (left: never, right: never) => unknown;

/** A function that combines scalars as a program: (accumulators, elements) -> accumulators. */
function scalarProgram(
  computation: Computation,
  tree: TreeDef,
  avals: readonly ShapedArray[],
): ClosedJaxpr {
  const scalars = avals.map((aval) => shapedArray(aval.dtype, []));
  const both: TreeDef = { kind: "tuple", children: [tree, tree] };
  const traced = traceCall(computation, both, [...scalars, ...scalars]);
  const program = withConstants(traced);
  if (program.jaxpr.invars.length !== 2 * avals.length) {
    throw callError(
      "captured-tracer",
      "the computation of a reduction must not use traced arrays from around it",
      "reductions combine two elements; use lax.scan for anything else",
    );
  }
  return program;
}

type Monoid = "add" | "mul" | "max" | "min" | "and" | "or" | "xor";

const monoids: ReadonlySet<string> = new Set(["add", "mul", "max", "min", "and", "or", "xor"]);

/** The primitive that a program of two scalars is, if it is one that has reductions of its own. */
function monoidOf({ jaxpr }: ClosedJaxpr): Monoid | null {
  const [equation] = jaxpr.equations;
  if (equation === undefined || jaxpr.equations.length !== 1) return null;
  if (!monoids.has(equation.primitive.name) || jaxpr.outvars[0] !== equation.outputs[0])
    return null;
  const isPair = jaxpr.invars.every((variable) => equation.inputs.includes(variable));
  return isPair && jaxpr.invars.length === 2 ? (equation.primitive.name as Monoid) : null;
}

/** The number that changes nothing. */
function identityOf(monoid: Monoid, dtype: DType): LiteralValue {
  const isBool = dtype === "bool";
  switch (monoid) {
    case "add":
    case "or":
    case "xor":
      return isBool ? false : 0;
    case "mul":
      return isBool ? true : 1;
    case "and":
      return isBool ? true : dtype.startsWith("u") ? integerRange(dtype)[1] : -1;
    case "max":
      if (isBool) return false;
      return isInteger(dtype) ? integerRange(dtype)[0] : -Infinity;
    case "min":
      if (isBool) return true;
      return isInteger(dtype) ? integerRange(dtype)[1] : Infinity;
  }
}

function isIdentity(value: Value, monoid: Monoid): boolean {
  const literal = value as { readonly kind?: unknown; readonly value?: unknown };
  const identity = identityOf(monoid, value.aval.dtype);
  return literal.kind === "literal" && literal.value === identity;
}

const monoidReductions: Readonly<Record<Monoid, (x: Value, axes: readonly number[]) => Value>> = {
  add: (x, axes) => o.reduceSum(x, axes),
  mul: (x, axes) => o.reduceProd(x, axes),
  max: (x, axes) => o.reduceMax(x, axes),
  min: (x, axes) => o.reduceMin(x, axes),
  and: (x, axes) => o.reduceAnd(x, axes),
  or: (x, axes) => o.reduceOr(x, axes),
  xor: (x, axes) => o.reduceXor(x, axes),
};

/** Operands and initial values, apart and of one type each. */
function pairsOf(
  operands: unknown,
  initValues: unknown,
): {
  readonly arrays: readonly Value[];
  readonly initial: readonly Value[];
  readonly tree: TreeDef;
} {
  const [leaves, tree] = flatten(operands);
  const [initialLeaves] = flatten(initValues);
  if (leaves.length === 0) throw invalid("reduce found no operands");
  if (leaves.length !== initialLeaves.length) {
    throw invalid(
      `Operands must have the same tree structure as init_values: ${leaves.length} vs. ` +
        `${initialLeaves.length}`,
    );
  }
  const pairs = leaves.map((leaf, index) => unify([asValue(leaf), asValue(initialLeaves[index])]));
  return {
    arrays: pairs.map((pair) => at(pair, 0)),
    initial: pairs.map((pair) => at(pair, 1)),
    tree,
  };
}

/**
 * Reduces over dimensions by a function that combines two values; it must be associative, and
 * `initValues` change nothing.
 *
 * @param operands an array, or a pytree of arrays of one shape
 * @param initValues scalars in the same structure
 *
 * JAX's counterpart is `lax.reduce`.
 */
export function reduce<T>(
  operands: T,
  initValues: unknown,
  computation: Computation,
  dimensions: readonly number[],
): T extends ArrayLike ? ArrayValue : T {
  const { arrays, initial, tree } = pairsOf(operands, initValues);
  const avals = arrays.map(({ aval }) => aval);
  const program = scalarProgram(computation, tree, avals);
  const monoid = monoidOf(program);
  const results =
    monoid !== null && isIdentity(at(initial, 0), monoid)
      ? [monoidReductions[monoid](at(arrays, 0), dimensions)]
      : o.bind(reducePrimitive, [...arrays, ...initial], { dimensions, jaxpr: program });
  // The results have the structure of the operands.
  return unflatten(tree, results.map(fromValue)) as T extends ArrayLike ? ArrayValue : T;
}

// --- Windows -------------------------------------------------------------------------------------

export interface WindowOptions {
  readonly baseDilation?: readonly number[];
  readonly windowDilation?: readonly number[];
}

function windowParams(
  shape: readonly Dim[],
  windowDimensions: readonly Dim[],
  windowStrides: readonly number[],
  padding: Padding,
  { baseDilation, windowDilation }: WindowOptions,
): ReduceWindowParams {
  const ones = windowDimensions.map(() => 1);
  const dilation = windowDilation ?? ones;
  const sizes = windowDimensions.map((size, axis) => dilateDim(size, dilation[axis] ?? 1));
  return {
    window_dimensions: windowDimensions,
    window_strides: windowStrides,
    padding: paddingOf(padding, shape, sizes, windowStrides),
    base_dilation: baseDilation ?? ones,
    window_dilation: dilation,
  };
}

/**
 * Reduces over windows by a function that combines two values.
 *
 * @param operand an array, or a pytree of arrays of one shape
 * @param padding "VALID", "SAME", "SAME_LOWER", or [low, high] per dimension
 *
 * JAX's counterpart is `lax.reduce_window`.
 */
export function reduceWindow<T>(
  operand: T,
  initValue: unknown,
  computation: Computation,
  windowDimensions: readonly Dim[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions = {},
): T extends ArrayLike ? ArrayValue : T {
  const { arrays, initial, tree } = pairsOf(operand, initValue);
  const { shape, dtype } = at(arrays, 0).aval;
  const params = windowParams(shape, windowDimensions, windowStrides, padding, options);
  const avals = arrays.map(({ aval }) => aval);
  const program = scalarProgram(computation, tree, avals);
  const monoid = monoidOf(program);
  const isMonoid = monoid !== null && isIdentity(at(initial, 0), monoid);
  const own =
    isMonoid && (isFloat(dtype) || isInteger(dtype)) ? windowPrimitives[monoid] : undefined;
  const results =
    own === undefined
      ? o.bind(reduceWindowPrimitive, [...arrays, ...initial], { ...params, jaxpr: program })
      : o.bind(own, [at(arrays, 0)], params);
  return unflatten(tree, results.map(fromValue)) as T extends ArrayLike ? ArrayValue : T;
}

const windowPrimitives: Partial<Record<Monoid, Primitive<ReduceWindowParams>>> = {
  add: windows.reduceWindowSum,
  max: windows.reduceWindowMax,
  min: windows.reduceWindowMin,
};

const windowReductionBy =
  (primitive: Primitive<ReduceWindowParams>) =>
  (
    operand: ArrayLike,
    windowDimensions: readonly Dim[],
    windowStrides: readonly number[],
    padding: Padding,
    options: WindowOptions = {},
  ): ArrayValue => {
    const value = toValue(operand);
    const { shape } = value.aval;
    const params = windowParams(shape, windowDimensions, windowStrides, padding, options);
    return fromValue(bindOne(primitive, [value], params));
  };

/** Sums over windows. JAX's `reduce_window_sum`. */
export const reduceWindowSum = windowReductionBy(windows.reduceWindowSum);
/** The largest of each window. JAX's `reduce_window_max`. */
export const reduceWindowMax = windowReductionBy(windows.reduceWindowMax);
/** The smallest of each window. JAX's `reduce_window_min`. */
export const reduceWindowMin = windowReductionBy(windows.reduceWindowMin);

/** How an element of a window is chosen: the largest ("ge") or the smallest ("le"). */
export type WindowChoice = selecting.SelectAndScatterAddParams["select_prim"];

/** The element of `tangents` where `operand` is chosen in each window. JAX's `select_and_gather_add`. */
export function selectAndGatherAdd(
  tangents: ArrayLike,
  operand: ArrayLike,
  choice: WindowChoice,
  windowDimensions: readonly Dim[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions = {},
): ArrayValue {
  const inputs = [toValue(tangents), toValue(operand)];
  const { shape } = at(inputs, 1).aval;
  const params = windowParams(shape, windowDimensions, windowStrides, padding, options);
  const whole = { ...params, select_prim: choice };
  return fromValue(bindOne(selecting.selectAndGatherAdd, inputs, whole));
}

/** Adds `source` to where `operand` is chosen in each window. JAX's `select_and_scatter_add`. */
export function selectAndScatterAdd(
  source: ArrayLike,
  operand: ArrayLike,
  choice: WindowChoice,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: readonly (readonly [low: number, high: number])[],
): ArrayValue {
  const inputs = [toValue(source), toValue(operand)];
  return fromValue(
    bindOne(selecting.selectAndScatterAdd, inputs, {
      select_prim: choice,
      window_dimensions: windowDimensions,
      window_strides: windowStrides,
      padding,
    }),
  );
}

/**
 * Chooses an element of each window of `operand` by `select`, which says whether the one chosen so
 * far stays, and puts `source` there: `scatter` combines what meets, starting with `initValue`. It
 * has no derivative, in JAX neither.
 *
 * JAX's counterpart is the primitive `select_and_scatter`.
 */
export function selectAndScatter(
  operand: ArrayLike,
  select: Computation,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: readonly (readonly [low: number, high: number])[],
  source: ArrayLike,
  initValue: ArrayLike,
  scatter: Computation,
): ArrayValue {
  const inputs = unify([operand, source, initValue].map(toValue));
  const leaf: TreeDef = { kind: "leaf" };
  const program = (computation: Computation): ClosedJaxpr =>
    scalarProgram(computation, leaf, [at(inputs, 0).aval]);
  const params = {
    select_jaxpr: program(select),
    scatter_jaxpr: program(scatter),
    window_dimensions: windowDimensions,
    window_strides: windowStrides,
    padding,
  };
  return fromValue(bindOne(selecting.selectAndScatter, inputs, params));
}

/** The shape of a reduction over windows. JAX's `lax.reduce_window_shape_tuple`. */
export function reduceWindowShapeTuple(
  operandShape: readonly Dim[],
  windowDimensions: readonly Dim[],
  windowStrides: readonly number[],
  padding: readonly (readonly [low: Dim, high: Dim])[],
  { baseDilation, windowDilation }: WindowOptions = {},
): readonly Dim[] {
  return operandShape.map((size, axis) => {
    const [low, high] = at(padding, axis);
    const padded = addDims(dilateDim(size, baseDilation?.[axis] ?? 1), addDims(low, high));
    const window = dilateDim(at(windowDimensions, axis), windowDilation?.[axis] ?? 1);
    return strideDim(padded, window, at(windowStrides, axis));
  });
}
