/**
 * Arguments of functions of this folder as values: arrays, numbers, and nested JavaScript arrays of
 * numbers. Called by every file here.
 */
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { DType } from "../ir/dtypes.js";
import { fromNumbers } from "../ir/hostArray.js";
import { printAval, shapedArray, type ShapedArray } from "../ir/aval.js";
import type { Value } from "../ir/ops.js";
import { callError } from "../api/calls.js";
import { describeValue, type ArrayLike, type ArrayValue } from "../trace/arrays.js";
import { atUserLine } from "../trace/source.js";
import { asValue, evaluateProgram, fromValue, isTracing, o, traceProgram } from "../trace/trace.js";

/** Nested JavaScript arrays of numbers (or of truth values, or of arrays to be stacked). */
export type NestedArray = ArrayLike | readonly NestedArray[];

/** Deeper arrays than this are no arrays that tfjs has kernels for. */
const mostDimensions = 32;

interface Nested {
  readonly shape: readonly number[];
  readonly items: readonly unknown[];
}

function flattenNested(value: unknown, depth: number): Nested {
  if (!Array.isArray(value)) return { shape: [], items: [value] };
  if (depth > mostDimensions) {
    throw callError("array-shape", "the nested array is too deep, or contains itself");
  }
  const rows = value.map((item) => flattenNested(item, depth + 1));
  const inner = rows[0]?.shape ?? [];
  if (rows.some(({ shape }) => shape.join() !== inner.join())) {
    throw callError(
      "array-shape",
      "the rows of a nested array must have one shape",
      "fill them up",
    );
  }
  return { shape: [rows.length, ...inner], items: rows.flatMap(({ items }) => items) };
}

/** The element type of JavaScript values. */
function typeOfItems(items: readonly unknown[]): DType {
  if (items.length > 0 && items.every((item) => typeof item === "boolean")) return "bool";
  return items.length > 0 && items.every((item) => typeof item === "bigint") ? "int32" : "float32";
}

/** Nested JavaScript arrays of numbers as a value; null if they hold arrays. */
export function nestedValue(value: readonly unknown[], dtype?: DType): Value | Nested {
  const nested = flattenNested(value, 0);
  const isPlain = nested.items.every((item) =>
    ["number", "bigint", "boolean"].includes(typeof item),
  );
  if (!isPlain) return nested;
  const numbers = nested.items.map(Number);
  return o.constant(fromNumbers(dtype ?? typeOfItems(nested.items), nested.shape, numbers));
}

/** An argument as a value. @throws Jax2TfjsError `not-an-array` */
export function arrayValue(value: unknown): Value {
  if (!Array.isArray(value)) return atUserLine(() => asValue(value));
  const made = nestedValue(value);
  if ("aval" in made) return made;
  throw callError(
    "not-an-array",
    "a JavaScript array that holds arrays is no array",
    "use np.array, np.stack or np.concatenate",
  );
}

/** Several arrays that a function takes as a list. */
export function listOf(name: string, arrays: readonly NestedArray[]): readonly NestedArray[] {
  const given: unknown = arrays;
  if (Array.isArray(given)) return arrays;
  throw callError("not-an-array", `${name} takes a list of arrays, got ${describeValue(given)}`);
}

const programs = new Map<string, ClosedJaxpr>();

/** Programs kept for calls by name: more than this and the oldest go. */
const mostPrograms = 2000;

function remember(key: string, program: ClosedJaxpr): ClosedJaxpr {
  programs.set(key, program);
  const [oldest] = programs.keys();
  if (programs.size > mostPrograms && oldest !== undefined) programs.delete(oldest);
  return program;
}

function typeKey(aval: ShapedArray): string {
  return printAval(aval);
}

/**
 * Calls a function that JAX has as a `jit` of its own: in a trace it becomes a named call, outside
 * it runs as one graph. It must not look at anything but its arguments and what `key` tells.
 *
 * @param name as JAX prints it @param key everything but the types that decides what is traced
 */
export function callNamed(
  name: string,
  key: string,
  f: (...values: Value[]) => readonly Value[],
  values: readonly Value[],
): readonly Value[] {
  const avals = values.map(({ aval }) => shapedArray(aval.dtype, aval.shape, aval.weakType));
  const whole = `${name} ${key} ${avals.map(typeKey).join(" ")}`;
  const isSymbolic = avals.some(({ shape }) => shape.some((size) => typeof size !== "number"));
  const trace = (): ClosedJaxpr => {
    const { program, captured } = traceProgram(
      (inputs) => f(...inputs),
      avals,
      name,
      `jit(${name})`,
    );
    if (captured.length > 0) throw new Error(`internal error: ${name} took an array from outside`);
    return program;
  };
  // Sizes that are expressions print alike in different scopes.
  const program = isSymbolic ? trace() : (programs.get(whole) ?? remember(whole, trace()));
  return isTracing() ? o.call(name, program, values) : evaluateProgram(program, values);
}

/** As `callNamed`, for functions of one result. */
export function callNamedOne(
  name: string,
  key: string,
  f: (...values: Value[]) => Value,
  values: readonly Value[],
): Value {
  const [result] = callNamed(name, key, (...inputs) => [f(...inputs)], values);
  if (result === undefined) throw new Error("internal error: a function without result");
  return result;
}

/** A value for the user. */
export function out(value: Value): ArrayValue {
  return fromValue(value);
}
