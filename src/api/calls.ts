/**
 * What all transformations do with a user's function: take its arguments apart, trace it, check what
 * it returns, put results together.
 */
import { avalEquals, printAval, shapedArray, type ShapedArray } from "../ir/aval.js";
import type { Shape } from "../ir/dims.js";
import type { DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { printSource } from "../ir/print.js";
import { describeValue, type ArrayData, type ArrayValue } from "../trace/arrays.js";
import { atUserLine, callerSource } from "../trace/source.js";
import { asValue, fromValue, o, traceProgram, typeOf } from "../trace/trace.js";
import {
  flatten,
  flattenWithPath,
  printTree,
  treeEquals,
  unflatten,
  type LeafWithPath,
  type TreeDef,
} from "../tree/pytree.js";

/** The type of an array without the array. JAX's counterpart is `jax.ShapeDtypeStruct`. */
export class ShapeDtypeStruct {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly weakType: boolean;

  /** @param shape sizes, symbolic ones included @param dtype JAX's name of the element type */
  constructor(shape: Shape, dtype: DType = "float32", weakType = false) {
    this.shape = shape;
    this.dtype = dtype;
    this.weakType = weakType;
  }

  get aval(): ShapedArray {
    return shapedArray(this.dtype, this.shape, this.weakType);
  }
}

/** The place in the user's program that called us, for errors. */
export function callSite(): string {
  return printSource(callerSource(""));
}

/** An error about a call of one of our functions, with the user's line. */
export function callError(code: string, message: string, fix?: string): Jax2TfjsError {
  const source = callSite();
  return new Jax2TfjsError(code, message, { source, ...(fix === undefined ? {} : { fix }) });
}

/** A function's name as JAX prints it. */
export function nameOf(f: { readonly name: string }): string {
  return f.name === "" ? "<lambda>" : f.name;
}

/** Turns errors about one argument into ones that say which. */
function locate<T>(what: string, path: string, read: () => T): T {
  return atUserLine(() => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Jax2TfjsError) || error.code !== "not-an-array") throw error;
      const where = path === "" ? what : `${what}${path}`;
      throw new Jax2TfjsError(error.code, `${where}: ${error.message}`, error.details);
    }
  });
}

/** The arguments of a call, apart. */
export interface FlatArguments {
  readonly values: readonly Value[];
  readonly inTree: TreeDef;
  readonly paths: readonly string[];
}

/** @throws Jax2TfjsError `not-an-array` naming the argument */
export function flattenArguments(args: readonly unknown[], what = "args"): FlatArguments {
  const [leaves, inTree] = flattenWithPath(args);
  const values = leaves.map(({ path, value }) => locate(what, path, () => asValue(value)));
  return { values, inTree, paths: leaves.map(({ path }) => path) };
}

/** The types of arguments, which may be `ShapeDtypeStruct`s. */
export function typesOfArguments(args: readonly unknown[]): {
  readonly avals: readonly ShapedArray[];
  readonly inTree: TreeDef;
  readonly paths: readonly string[];
} {
  const [leaves, inTree] = flattenWithPath(args);
  const avals = leaves.map(({ path, value }) =>
    value instanceof ShapeDtypeStruct ? value.aval : locate("args", path, () => typeOf(value)),
  );
  return { avals, inTree, paths: leaves.map(({ path }) => path) };
}

/** A traced function with the structure of what it returned. */
export interface TracedCall {
  readonly program: ClosedJaxpr;
  readonly captured: readonly Value[];
  readonly outTree: TreeDef;
  readonly outPaths: readonly string[];
}

/** Runs a function on values put together, and takes its result apart. */
export function callFlat(
  f: (...args: never[]) => unknown,
  inTree: TreeDef,
  inputs: readonly Value[],
): { readonly leaves: readonly LeafWithPath[]; readonly outTree: TreeDef } {
  const args = unflatten(inTree, inputs.map(fromValue)) as never[];
  const result = f(...args);
  if (result instanceof Promise || (result as { then?: unknown } | null | undefined)?.then) {
    throw callError(
      "async-function",
      `${nameOf(f)} returned a Promise: traced functions are synchronous`,
      "await what is needed before the call, and pass it as an argument",
    );
  }
  if (result === undefined) {
    throw callError("not-an-array", `${nameOf(f)} returned nothing`, "return the result");
  }
  const [leaves, outTree] = flattenWithPath(result);
  return { leaves, outTree };
}

/** Traces a function on arguments of the given types. */
export function traceCall(
  f: (...args: never[]) => unknown,
  inTree: TreeDef,
  avals: readonly ShapedArray[],
  nameStack?: string,
): TracedCall {
  let outTree: TreeDef = { kind: "none" };
  let outPaths: readonly string[] = [];
  const name = nameOf(f);
  const body = (inputs: readonly Value[]): readonly Value[] => {
    const result = callFlat(f, inTree, inputs);
    outTree = result.outTree;
    outPaths = result.leaves.map(({ path }) => path);
    return result.leaves.map(({ path, value }) =>
      // A result that JAX gives as float0 is written as int32 zeros, which tfjs can hold.
      value instanceof Float0Array
        ? o.full(value.shape, 0, "int32")
        : locate(`the result of ${name}`, path, () => asValue(value)),
    );
  };
  const { program, captured } = traceProgram(body, avals, name, nameStack);
  return { program, captured, outTree, outPaths };
}

/** Values as a pytree for the user. */
export function unflattenValues(tree: TreeDef, values: readonly Value[]): unknown {
  return unflatten(tree, values.map(fromValue));
}

/**
 * The gradient of integers: no values, as JAX's `float0`. It has the shape of what it belongs to.
 */
export class Float0Array implements ArrayValue {
  readonly dtype = "float0";
  readonly shape: readonly number[];

  constructor(shape: readonly number[]) {
    this.shape = shape;
  }

  get size(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  dataSync(): ArrayData {
    return new Uint8Array(this.size);
  }

  data(): Promise<ArrayData> {
    return Promise.resolve(this.dataSync());
  }
}

/**
 * Leaves of a pytree that belongs to another one (tangents to primals), as values.
 *
 * @param what they are: "tangents"
 * @throws Jax2TfjsError `pytree-mismatch`, `type-mismatch`
 */
export function matchingValues(
  tree: unknown,
  expected: TreeDef,
  avals: readonly ShapedArray[],
  what: string,
): readonly (Value | null)[] {
  const [leaves, found] = flatten(tree);
  if (!treeEquals(expected, found)) {
    throw callError(
      "pytree-mismatch",
      `${what} must have the structure ${printTree(expected)}, found ${printTree(found)}`,
    );
  }
  return leaves.map((leaf, index) => {
    const aval = avals[index];
    if (leaf instanceof Float0Array || aval === undefined) return null;
    const value = locate(what, `[${index}]`, () => asValue(leaf));
    if (isMatching(value, aval)) return value;
    throw callError(
      "type-mismatch",
      `${what} must have the types of what they belong to: ${printAval(value.aval)} is given ` +
        `for ${printAval(aval)} (leaf ${index}, a ${describeValue(leaf)})`,
    );
  });
}

function isMatching(value: Value, aval: ShapedArray): boolean {
  return avalEquals(value.aval, aval);
}
