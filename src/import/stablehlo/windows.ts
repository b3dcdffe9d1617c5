/**
 * `reduce_window` and `select_and_scatter`: pooling, the cumulative operations that JAX writes as
 * windows as long as the axis, and the general forms.
 */
import { dimEquals, isStaticShape, subDims, type Shape } from "../../ir/dims.js";
import type { ClosedJaxpr } from "../../ir/jaxpr.js";
import type { ReduceWindowParams } from "../../ir/params.js";
import type { MlirBlock, MlirOperation } from "../mlir/ir.js";
import {
  integersAttribute,
  invalidModule,
  pairsAttribute,
  symbolsAttribute,
} from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { complexExtremum } from "./complexOrder.js";
import { pairsOf } from "./contractions.js";
import { unsupportedOperation } from "./diagnostics.js";
import { isIdentity } from "./identities.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { combinerOf } from "./reductions.js";
import {
  blockExpressions,
  blockOf,
  importBlock,
  isArgument,
  isOnArguments,
  regionExpressions,
  type RegionExpression,
} from "./regions.js";
import { broadcastValue } from "./shapes.js";
import { avalOf, uniformNumber, type Imported } from "./values.js";

const windowNames: Readonly<Record<string, string>> = {
  add: "reduce_window_sum",
  maximum: "reduce_window_max",
  minimum: "reduce_window_min",
};

const cumulativeNames: Readonly<Record<string, string>> = {
  add: "cumsum",
  multiply: "cumprod",
  maximum: "cummax",
  minimum: "cummin",
  logaddexp: "cumlogsumexp",
};

const importReduceWindow: OperationImporter = (block, op) => {
  const count = op.operands.length / 2;
  const window = integersAttribute(op, "window_dimensions");
  const ones = window.map(() => 1);
  const params: ReduceWindowParams = {
    window_dimensions: window,
    window_strides: integersAttribute(op, "window_strides", ones),
    padding: pairsAttribute(op, "padding", window.length),
    base_dilation: integersAttribute(op, "base_dilations", ones),
    window_dilation: integersAttribute(op, "window_dilations", ones),
  };
  return reduceWindow(block, op, count, blockOf(op.regions[0]), params);
};

/**
 * JAX's form for symbolic windows: operands, initial values, then window dimensions, strides, base
 * and window dilations and padding as tensors; the body is a function.
 */
export const importDynamicReduceWindow: OperationImporter = (block, op) => {
  const count = (op.operands.length - 5) / 2;
  const [name] = symbolsAttribute(op, "called_computations");
  if (!Number.isInteger(count) || count < 1 || name === undefined) {
    throw invalidModule("stablehlo.dynamic_reduce_window lacks operands or its body");
  }
  const numbers = (index: number): readonly number[] => {
    const dims = block.dims(op, 2 * count + index);
    if (isStaticShape(dims)) return dims;
    throw unsupportedOperation(
      op,
      block.sourceText,
      "a stride or dilation of a window is symbolic",
    );
  };
  const params: ReduceWindowParams = {
    window_dimensions: block.dims(op, 2 * count),
    window_strides: numbers(1),
    base_dilation: numbers(2),
    window_dilation: numbers(3),
    padding: pairsOf(block.dims(op, 2 * count + 4)),
  };
  const body = block.module.function(name);
  return reduceWindow(block, op, count, blockOf(body.regions[0]), params);
};

function reduceWindow(
  block: BlockImporter,
  op: MlirOperation,
  count: number,
  body: MlirBlock,
  params: ReduceWindowParams,
): readonly Imported[] {
  const initial = op.operands.slice(count, 2 * count).map((operand) => block.value(operand));
  const results = blockExpressions(block, body);
  if (count === 1 && initial[0] !== undefined) {
    const named = importNamedWindow(block, op, results[0], initial[0], params);
    if (named !== undefined) return [named];
  }
  if (count === 2) {
    const selected = importSelectAndGather(block, op, results, initial, params);
    if (selected !== undefined) return selected;
  }
  const jaxpr = importBlock(block, op, body, 2 * count);
  const operands = block.atoms(op.operands.slice(0, 2 * count));
  return block.emit(op, "reduce_window", operands, { ...params, jaxpr });
}

function importNamedWindow(
  block: BlockImporter,
  op: MlirOperation,
  body: RegionExpression | undefined,
  initial: Imported,
  params: ReduceWindowParams,
): Imported | undefined {
  const { dtype } = avalOf(initial);
  const ofComplex = complexExtremum(body);
  const combiner =
    combinerOf(body, dtype) ?? ofComplex ?? (isLogAddExp(body) ? "logaddexp" : undefined);
  if (combiner === undefined) return undefined;
  const identity = combiner === "logaddexp" ? "maximum" : combiner;
  if (!isIdentity(initial, identity)) return undefined;
  const x = block.atom(block.operand(op, 0));
  const cumulative = cumulativeNames[combiner];
  const direction = cumulativeAxis(x.aval.shape, params);
  if (cumulative !== undefined && direction !== undefined) {
    return { kind: "atom", atom: block.bindOne(cumulative, [x], direction) };
  }
  // Windows of complex numbers have no named extrema.
  const name = ofComplex === undefined ? windowNames[combiner] : undefined;
  return name === undefined ? undefined : { kind: "atom", atom: block.bindOne(name, [x], params) };
}

/** The axis along which the window covers all elements up to (or, reversed, from) each one. */
function cumulativeAxis(
  shape: Shape,
  params: ReduceWindowParams,
): { readonly axis: number; readonly reverse: boolean } | undefined {
  const steps = [params.window_strides, params.base_dilation, params.window_dilation];
  if (steps.some((numbers) => numbers.some((number) => number !== 1))) return undefined;
  const long = params.window_dimensions.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  const [axis, ...others] = long;
  if (axis === undefined || others.length > 0) return undefined;
  const size = shape[axis];
  const window = params.window_dimensions[axis];
  if (size === undefined || window === undefined || !dimEquals(size, window)) return undefined;
  const isUnpadded = params.padding.every(
    ([low, high], place) => place === axis || (low === 0 && high === 0),
  );
  const [low, high] = params.padding[axis] ?? [0, 0];
  const rest = subDims(size, 1);
  if (!isUnpadded) return undefined;
  if (dimEquals(low, rest) && high === 0) return { axis, reverse: false };
  if (low === 0 && dimEquals(high, rest)) return { axis, reverse: true };
  return undefined;
}

/**
 * `logaddexp(x, y)`: `d = x - y; select(d != d, x + y, max(x, y) + log1p(exp(-abs(d))))`.
 */
function isLogAddExp(body: RegionExpression | undefined): boolean {
  const [predicate, sum, result] = named(body, "select") ?? [];
  const isNan = named(predicate, "compare NE");
  if (isNan?.every((operand) => isOnArguments(operand, "subtract", 0, 1)) !== true) return false;
  const [largest, correction] = named(result, "add") ?? [];
  const [exponential] = named(correction, "log_plus_one") ?? [];
  const [negated] = named(exponential, "exponential") ?? [];
  const [distance] = named(negated, "negate") ?? [];
  const [difference] = named(distance, "abs") ?? [];
  return (
    isOnArguments(sum, "add", 0, 1) &&
    isOnArguments(largest, "maximum", 0, 1) &&
    isOnArguments(difference, "subtract", 0, 1)
  );
}

/** The operands of an expression that is the operation `name`. */
function named(
  expression: RegionExpression | undefined,
  name: string,
): readonly RegionExpression[] | undefined {
  return expression?.kind === "operation" && expression.name === name
    ? expression.operands
    : undefined;
}

/** The derivative of max pooling: the element of the second array where the first is extreme. */
function importSelectAndGather(
  block: BlockImporter,
  op: MlirOperation,
  results: readonly RegionExpression[],
  initial: readonly Imported[],
  params: ReduceWindowParams,
): readonly Imported[] | undefined {
  const [key, value] = results;
  const [predicate, newKey, oldKey] = named(key, "select") ?? [];
  const [samePredicate, newValue, oldValue] = named(value, "select") ?? [];
  const isPair =
    isArgument(newKey, 0) &&
    isArgument(oldKey, 2) &&
    isArgument(newValue, 1) &&
    isArgument(oldValue, 3);
  const select = selectPrimitive(predicate, 0, 2);
  if (!isPair || select === undefined || selectPrimitive(samePredicate, 0, 2) !== select) {
    return undefined;
  }
  const [initialKey, initialValue] = initial;
  const [keyResult] = op.results;
  if (initialKey === undefined || initialValue === undefined || keyResult === undefined) {
    return undefined;
  }
  if (!isIdentity(initialKey, select === "ge" ? "maximum" : "minimum")) return undefined;
  if (uniformNumber(initialValue) !== 0 || block.module.isUsed(keyResult)) return undefined;
  const [keys, values] = block.atoms(op.operands.slice(0, 2));
  if (keys === undefined || values === undefined) return undefined;
  const full = { ...params, select_prim: select };
  const atom = block.bindOne("select_and_gather_add", [values, keys], full);
  const unused = broadcastValue(block, initialKey, atom.aval.shape, []);
  return [unused, { kind: "atom", atom }];
}

/** `ge` or `le` if the expression compares the two arguments so. */
function selectPrimitive(
  expression: RegionExpression | undefined,
  left: number,
  right: number,
): "ge" | "le" | undefined {
  if (isOnArguments(expression, "compare GE", left, right)) return "ge";
  return isOnArguments(expression, "compare LE", left, right) ? "le" : undefined;
}

const importSelectAndScatter: OperationImporter = (block, op) => {
  const [selectRegion, scatterRegion] = op.regions;
  if (selectRegion === undefined || scatterRegion === undefined) {
    throw invalidModule("stablehlo.select_and_scatter lacks its bodies");
  }
  const [operand, source] = block.atoms(op.operands.slice(0, 2));
  if (operand === undefined || source === undefined) {
    throw invalidModule("stablehlo.select_and_scatter lacks operands");
  }
  const rank = operand.aval.shape.length;
  const ones = operand.aval.shape.map(() => 1);
  const params = {
    window_dimensions: integersAttribute(op, "window_dimensions", ones),
    window_strides: integersAttribute(op, "window_strides", ones),
    padding: pairsAttribute(op, "padding", rank),
  };
  const initial = block.value(block.operand(op, 2));
  const select = selectPrimitive(regionExpressions(block, selectRegion)[0], 0, 1);
  const combiner = combinerOf(regionExpressions(block, scatterRegion)[0], operand.aval.dtype);
  if (select !== undefined && combiner === "add" && uniformNumber(initial) === 0) {
    const full = { ...params, select_prim: select };
    return block.emit(op, "select_and_scatter_add", [source, operand], full);
  }
  const inner = (region: number): ClosedJaxpr =>
    importBlock(block, op, blockOf(op.regions[region]), 2);
  const general = { ...params, select_jaxpr: inner(0), scatter_jaxpr: inner(1) };
  const inputs = [operand, source, block.materialise(initial)];
  return block.emit(op, "select_and_scatter", inputs, general);
};

export const windowOperations: OperationTable = {
  "stablehlo.reduce_window": importReduceWindow,
  "stablehlo.select_and_scatter": importSelectAndScatter,
};
