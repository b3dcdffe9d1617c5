/**
 * What is known about the values of integers and booleans without running the program: comparisons
 * and limits that always turn out the same way. Part of the rows of `optimize`.
 */
import { boundsOf, DimExpr, type Dim } from "../ir/dims.js";
import { bitsOf, isInteger, kindOf, type DType } from "../ir/dtypes.js";
import { elementCount, toNumbers } from "../ir/hostArray.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt } from "./simplify.js";

type Bounds = readonly [low: number, high: number];

const maxDepth = 12;
const maxSearched = 65536;

/** Primitives whose results are elements of their first input. */
const views: ReadonlySet<string> = new Set([
  "broadcast_in_dim",
  "reshape",
  "transpose",
  "squeeze",
  "slice",
  "dynamic_slice",
  "rev",
  "copy",
  "split",
  "unstack",
  "reduce_max",
  "reduce_min",
  "stop_gradient",
]);

/** The least and largest number of a type; null for types that are not bool or integers. */
function limitsOf(dtype: DType): Bounds | null {
  if (dtype === "bool") return [0, 1];
  if (!isInteger(dtype)) return null;
  const bits = bitsOf(dtype);
  return kindOf(dtype) === "unsigned"
    ? [0, 2 ** bits - 1]
    : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** Between which numbers the elements of a value lie (bool: 0 and 1); null if it holds others. */
export function integerBounds(value: Value, match: Match, depth = 0): Bounds | null {
  const limits = limitsOf(value.aval.dtype);
  if (limits === null) return null;
  const scalar = match.scalar(value);
  if (typeof scalar === "number" || typeof scalar === "boolean") {
    return [Number(scalar), Number(scalar)];
  }
  const array = match.constant(value);
  if (array !== undefined) {
    const count = elementCount(array.shape);
    if (count === 0 || count > maxSearched) return limits;
    let [low, high] = [Infinity, -Infinity];
    for (const element of toNumbers(array)) {
      low = Math.min(low, element);
      high = Math.max(high, element);
    }
    return [low, high];
  }
  const equation = depth > maxDepth ? undefined : match.definition(value);
  if (equation === undefined) return limits;
  const slot = equation.outputs.findIndex((output) => output === value);
  const found = resultBounds(equation, slot, (input) => integerBounds(input, match, depth + 1));
  // What leaves the limits of the type wraps around.
  if (found === null || !(found[0] >= limits[0] && found[1] <= limits[1])) return limits;
  return found;
}

/** The bounds of a size: none is larger than an int32. */
function sizeBounds(size: Dim): Bounds {
  const [low, high] = boundsOf(size);
  return [low, Math.min(high, 2 ** 31 - 1)];
}

/** The bounds of a result of an equation by those of its inputs; null where nothing is known. */
function resultBounds(
  equation: Equation,
  slot: number,
  boundsAt: (input: Value) => Bounds | null,
): Bounds | null {
  const { name } = equation.primitive;
  const { inputs, params } = equation;
  const of = (index: number): Bounds | null => {
    const input = inputs[index];
    return input === undefined ? null : boundsAt(input);
  };
  if (views.has(name)) return of(0);
  const [x, y] = [of(0), of(1)];
  switch (name) {
    case "iota": {
      const size = (params.shape as readonly Dim[])[Number(params.dimension)] ?? 0;
      return [0, Math.max(sizeBounds(size)[1] - 1, 0)];
    }
    case "dim_as_value": {
      const { dim } = params;
      return typeof dim === "number" || dim instanceof DimExpr ? sizeBounds(dim) : null;
    }
    case "argmax":
    case "argmin": {
      const [axis = 0] = params.axes as readonly number[];
      const size = inputs[0]?.aval.shape[axis] ?? 0;
      return [0, Math.max(sizeBounds(size)[1] - 1, 0)];
    }
    case "convert_element_type":
      return x;
    case "sort":
      return of(slot);
    case "top_k": {
      const size = inputs[0]?.aval.shape[Number(params.axis)] ?? 0;
      return slot === 0 ? x : [0, Math.max(sizeBounds(size)[1] - 1, 0)];
    }
    case "concatenate":
    case "stack":
      return hull(inputs.map(boundsAt));
    case "select_n":
      return hull(inputs.slice(1).map(boundsAt));
    case "clamp": {
      const high = of(2);
      if (x === null || y === null || high === null) return null;
      const limit = (value: number, [low, top]: Bounds): number =>
        Math.min(Math.max(value, low), top);
      return [limit(y[0], [x[0], high[0]]), limit(y[1], [x[1], high[1]])];
    }
    case "gather":
      return params.mode === "fill" ? null : x;
    default:
      return x === null || y === null ? null : arithmeticBounds(name, x, y);
  }
}

function hull(parts: readonly (Bounds | null)[]): Bounds | null {
  let [low, high] = [Infinity, -Infinity];
  for (const part of parts) {
    if (part === null) return null;
    low = Math.min(low, part[0]);
    high = Math.max(high, part[1]);
  }
  return low <= high ? [low, high] : null;
}

function arithmeticBounds(name: string, x: Bounds, y: Bounds): Bounds | null {
  switch (name) {
    case "add":
      return [x[0] + y[0], x[1] + y[1]];
    case "sub":
      return [x[0] - y[1], x[1] - y[0]];
    case "mul": {
      const products = x.flatMap((a) => y.map((b) => (a === 0 || b === 0 ? 0 : a * b)));
      return [Math.min(...products), Math.max(...products)];
    }
    case "max":
      return [Math.max(x[0], y[0]), Math.max(x[1], y[1])];
    case "min":
      return [Math.min(x[0], y[0]), Math.min(x[1], y[1])];
    case "rem": {
      // The result has the sign of the dividend.
      const largest = Math.max(Math.abs(y[0]), Math.abs(y[1])) - 1;
      if (y[0] <= 0) return null;
      return [Math.max(Math.min(x[0], 0), -largest), Math.min(Math.max(x[1], 0), largest)];
    }
    case "div":
      return x[0] >= 0 && y[0] > 0 ? [Math.floor(x[0] / y[1]), Math.floor(x[1] / y[0])] : null;
    case "and":
      return x[0] >= 0 && y[0] >= 0 ? [0, Math.min(x[1], y[1])] : null;
    default:
      return null;
  }
}

/** Whether a comparison holds for all numbers within bounds; undefined if that depends. */
function decide(name: string, x: Bounds, y: Bounds): boolean | undefined {
  const [less, more] = [x[1] < y[0], x[0] > y[1]];
  const [atMost, atLeast] = [x[1] <= y[0], x[0] >= y[1]];
  const isSame = atMost && atLeast && x[0] === x[1];
  switch (name) {
    case "lt":
      return less ? true : atLeast ? false : undefined;
    case "ge":
      return atLeast ? true : less ? false : undefined;
    case "gt":
      return more ? true : atMost ? false : undefined;
    case "le":
      return atMost ? true : more ? false : undefined;
    case "eq":
      return isSame ? true : less || more ? false : undefined;
    case "ne":
      return isSame ? false : less || more ? true : undefined;
    default:
      return undefined;
  }
}

const comparisons = ["lt", "le", "gt", "ge", "eq", "ne"];

/** Comparisons that bounds decide, and comparisons of what was a bool. */
const decidedComparison: Row = {
  name: "decided-comparison",
  primitives: comparisons,
  rewrite: (o, equation, match) => {
    const [x, y] = [inputAt(equation, 0), inputAt(equation, 1)];
    const { shape } = equation.outputs[0]?.aval ?? { shape: [] };
    const { name } = equation.primitive;
    const [left, right] = [integerBounds(x, match), integerBounds(y, match)];
    if (left !== null && right !== null) {
      const decided = decide(name, left, right);
      if (decided !== undefined) return [o.full(shape, decided, "bool")];
    }
    return comparedBool(o, name, x, y, match) ?? comparedBool(o, mirrored(name), y, x, match);
  },
};

const mirrors: Readonly<Record<string, string>> = { lt: "gt", gt: "lt", le: "ge", ge: "le" };
const mirrored = (name: string): string => mirrors[name] ?? name;

/** A bool, as such or as a number, compared with a number: the bool, or its opposite. */
function comparedBool(
  o: Ops,
  name: string,
  x: Value,
  y: Value,
  match: Match,
): readonly Value[] | null {
  const limit = match.scalar(y);
  const converted = match.made(x, "convert_element_type");
  const source = x.aval.dtype === "bool" ? x : converted?.inputs[0];
  if (source?.aval.dtype !== "bool" || limit === undefined || typeof limit === "object")
    return null;
  const bound = Number(limit);
  if (Number.isNaN(bound)) return null;
  const outcome = (value: number): boolean | undefined =>
    decide(name, [value, value], [bound, bound]);
  const [ifFalse, ifTrue] = [outcome(0), outcome(1)];
  if (ifFalse === undefined || ifTrue === undefined) return null;
  if (ifFalse === ifTrue) return [o.full(x.aval.shape, ifFalse, "bool")];
  return [ifTrue ? source : o.not(source)];
}

/** Limits that integers keep anyway, remainders of small numbers. */
const needlessLimit: Row = {
  name: "needless-limit",
  primitives: ["max", "min", "clamp", "rem"],
  rewrite: (_, equation, match) => {
    const { name } = equation.primitive;
    const output = equation.outputs[0];
    const fits = (value: Value): readonly Value[] | null =>
      value.aval.shape.length === output?.aval.shape.length ? [value] : null;
    const bounds = equation.inputs.map((input) => integerBounds(input, match));
    const [x, y, z] = bounds;
    if (x === null || y === null || x === undefined || y === undefined) return null;
    switch (name) {
      case "clamp":
        return z !== null && z !== undefined && y[0] >= x[1] && y[1] <= z[0]
          ? fits(inputAt(equation, 1))
          : null;
      case "rem":
        return x[0] >= 0 && x[1] < y[0] ? fits(inputAt(equation, 0)) : null;
      default: {
        const isFirst = name === "max" ? x[0] >= y[1] : x[1] <= y[0];
        const isSecond = name === "max" ? y[0] >= x[1] : y[1] <= x[0];
        if (isFirst) return fits(inputAt(equation, 0));
        return isSecond ? fits(inputAt(equation, 1)) : null;
      }
    }
  },
};

/** `and` and `or` with a known side, `not` twice, and a choice between the same. */
const knownLogic: Row = {
  name: "known-logic",
  primitives: ["and", "or", "not", "select_n", "add"],
  rewrite: (o, equation, match) => {
    const { name } = equation.primitive;
    const output = equation.outputs[0]?.aval;
    const fits = (value: Value): readonly Value[] | null =>
      value.aval.shape.length === output?.shape.length ? [value] : null;
    const x = inputAt(equation, 0);
    if (name === "not") {
      const inner = match.made(x, "not");
      return inner === undefined ? null : [inputAt(inner, 0)];
    }
    if (name === "select_n") {
      const [, first, ...others] = equation.inputs;
      if (first === undefined) return null;
      if (others.every((other) => other === first)) return fits(first);
      const [second] = others;
      const opposite = match.made(x, "not");
      if (second === undefined || opposite === undefined || x.aval.dtype !== "bool") return null;
      return [o.selectN(inputAt(opposite, 0), second, first)];
    }
    const y = inputAt(equation, 1);
    const [left, right] = [match.scalar(x), match.scalar(y)];
    if (name === "add") {
      // Adding a floating 0 would make -0 a +0.
      if (output === undefined || !isInteger(output.dtype)) return null;
      return right === 0 ? fits(x) : left === 0 ? fits(y) : null;
    }
    if (output?.dtype !== "bool") return null;
    if (x === y) return fits(x);
    for (const [known, other] of [
      [left, y],
      [right, x],
    ] as const) {
      if (typeof known !== "boolean") continue;
      return known === (name === "and") ? fits(other) : [o.full(output.shape, known, "bool")];
    }
    return null;
  },
};

export const boundsRows: readonly Row[] = [decidedComparison, needlessLimit, knownLogic];
