/**
 * What the loops and branches of `lax` share: traced functions as programs whose captured values come
 * first, and JAX's checks of what they return.
 */
import { avalEquals, type ShapedArray } from "../../ir/aval.js";
import { printDim, shapeEquals } from "../../ir/dims.js";
import type { Jax2TfjsError } from "../../ir/errors.js";
import { closedJaxpr, newVar, type Atom, type ClosedJaxpr } from "../../ir/jaxpr.js";
import type { Value } from "../../ir/ops.js";
import { callError, traceCall, type TracedCall } from "../../api/calls.js";
import { isConcrete } from "../../trace/arrays.js";
import { childrenOf, type TreeDef } from "../../tree/pytree.js";
import { at, isWeakScalar, retyped } from "../arguments.js";

/** A traced function as a program of its captured values, then its arguments. */
export interface Traced {
  readonly program: ClosedJaxpr;
  readonly captured: readonly Value[];
  readonly outTree: TreeDef;
  readonly outPaths: readonly string[];
  readonly avals: readonly ShapedArray[];
}

/** Traces a function on arguments of these types. */
export function traceBody(
  f: (...args: never[]) => unknown,
  args: TreeDef,
  avals: readonly ShapedArray[],
): Traced {
  return capturedFirst(traceCall(f, args, avals));
}

function capturedFirst({ program, captured, outTree, outPaths }: TracedCall): Traced {
  const { jaxpr, consts } = program;
  const count = jaxpr.invars.length - captured.length;
  const invars = [...jaxpr.invars.slice(count), ...jaxpr.invars.slice(0, count)];
  return {
    program: closedJaxpr({ ...jaxpr, invars }, consts),
    captured,
    outTree,
    outPaths,
    avals: jaxpr.outvars.map((atom) => atom.aval),
  };
}

/** A tuple of arguments. */
export function argumentsOf(...children: readonly TreeDef[]): TreeDef {
  return { kind: "tuple", children };
}

/** A program whose results that are numbers without type have these types where they can. */
export function withResultTypes(traced: Traced, wanted: readonly ShapedArray[]): Traced {
  const outvars = traced.program.jaxpr.outvars.map((atom, index): Atom => {
    const aval = wanted[index];
    if (aval === undefined || atom.kind !== "literal" || !isWeakScalar(atom)) return atom;
    return retyped(atom, aval.dtype, aval.weakType);
  });
  const { jaxpr, consts } = traced.program;
  return {
    ...traced,
    program: closedJaxpr({ ...jaxpr, outvars }, consts),
    avals: outvars.map((atom) => atom.aval),
  };
}

/** What a captured value is the same by. */
function identityOf(value: Value): unknown {
  return isConcrete(value) ? value.array : value;
}

/** Programs that all take the captured values of all of them. */
export function shareCaptured(branches: readonly Traced[]): {
  readonly programs: readonly ClosedJaxpr[];
  readonly captured: readonly Value[];
} {
  const captured = new Map<unknown, Value>();
  for (const branch of branches) {
    for (const value of branch.captured) captured.set(identityOf(value), value);
  }
  const all = [...captured.values()];
  const programs = branches.map((branch) => {
    const { jaxpr, consts } = branch.program;
    const own = new Map(
      branch.captured.map((value, index) => [identityOf(value), at(jaxpr.invars, index)]),
    );
    const shared = all.map((value) => own.get(identityOf(value)) ?? newVar(value.aval));
    const invars = [...shared, ...jaxpr.invars.slice(branch.captured.length)];
    return closedJaxpr({ ...jaxpr, invars }, consts);
  });
  return { programs, captured: all };
}

// --- Differences of structures and types -----------------------------------------------------------

interface Difference {
  readonly path: string;
  readonly first: string;
  readonly second: string;
  readonly why: string;
}

function describeNode(tree: TreeDef): string {
  switch (tree.kind) {
    case "leaf":
      return "pytree leaf";
    case "none":
      return "null";
    case "list":
    case "tuple":
      return "list";
    case "dict":
      return "dict";
    case "custom":
      return tree.type.name;
  }
}

/** Where two structures differ; lists count as tuples, for TypeScript has one literal for both. */
export function treeDifferences(a: TreeDef, b: TreeDef, path = ""): readonly Difference[] {
  const [first, second] = [describeNode(a), describeNode(b)];
  if (first !== second) return [{ path, first, second, why: "their types differ" }];
  const [left, right] = [childrenOf(a), childrenOf(b)];
  if (a.kind === "dict" && b.kind === "dict" && String(a.keys) !== String(b.keys)) {
    const keys = (tree: { readonly keys: readonly string[] }): string =>
      `dict with the keys [${tree.keys.map((key) => `'${key}'`).join(", ")}]`;
    return [{ path, first: keys(a), second: keys(b), why: "the keys do not match" }];
  }
  if (left.length !== right.length) {
    const sized = (tree: TreeDef): string =>
      `${describeNode(tree)} of length ${childrenOf(tree).length}`;
    return [{ path, first: sized(a), second: sized(b), why: "the lengths do not match" }];
  }
  return left.flatMap((child, index) => {
    const key = a.kind === "dict" ? `['${at(a.keys, index)}']` : `[${index}]`;
    return treeDifferences(child, at(right, index), path + key);
  });
}

/** A type as JAX's messages print it: `float32[3]`. */
export function longType(aval: ShapedArray): string {
  return `${aval.dtype}[${aval.shape.map(printDim).join(",")}]`;
}

function whyTypesDiffer(a: ShapedArray, b: ShapedArray): string {
  const reasons = [
    ...(a.dtype === b.dtype ? [] : ["the dtypes do not match"]),
    ...(shapeEquals(a.shape, b.shape) ? [] : ["the shapes do not match"]),
  ];
  return reasons.join(", and ");
}

function listed(lines: readonly string[]): string {
  const capital = (text: string): string => text.replace(/^the /, "The ");
  const [only] = lines;
  if (lines.length === 1 && only !== undefined) return `${capital(only)}.`;
  const last = lines.length - 1;
  return lines.map((line, index) => `  * ${line}${index === last ? "." : ";"}`).join("\n");
}

/** The types of the carried values before and after a step of a loop. */
export interface Carry {
  readonly tree: TreeDef;
  readonly avals: readonly ShapedArray[];
  readonly paths: readonly string[];
}

/**
 * Throws in JAX's words unless a loop's body gives what it gets.
 *
 * @param name of the function: "scan body"
 */
export function checkCarry(name: string, before: Carry, after: Omit<Carry, "paths">): void {
  const component = (path: string): string =>
    path === "" ? "the input carry" : `the input carry at path ${path}`;
  const structures = treeDifferences(before.tree, after.tree);
  if (structures.length > 0) {
    const lines = structures.map(
      ({ path, first, second, why }) =>
        `${component(path)} is a ${first} but the corresponding component of the carry output is a ` +
        `${second}, so ${why}`,
    );
    throw callError(
      "carry-mismatch",
      `${name} function carry input and carry output must have the same pytree structure, but they ` +
        `differ:\n\n${listed(lines)}\n\nRevise the function so that the carry output has the same ` +
        `pytree structure as the carry input.`,
    );
  }
  const types = before.avals.flatMap((aval, index) => {
    const other = at(after.avals, index);
    if (avalEquals(aval, other)) return [];
    return [
      `${component(before.paths[index] ?? "")} has type ${longType(aval)} but the corresponding ` +
        `output carry component has type ${longType(other)}, so ${whyTypesDiffer(aval, other)}`,
    ];
  });
  if (types.length === 0) return;
  throw callError(
    "carry-mismatch",
    `${name} function carry input and carry output must have equal types, but they differ:\n\n` +
      `${listed(types)}\n\nRevise the function so that all output types match the corresponding ` +
      `input types.`,
  );
}

/** The error about branches that return different things, or null. */
export function branchMismatch(
  name: string,
  [firstName, first]: readonly [string, Traced],
  [secondName, second]: readonly [string, Traced],
): Jax2TfjsError | null {
  const place = (path: string): string => (path === "" ? "" : ` at path ${path}`);
  const structures = treeDifferences(first.outTree, second.outTree);
  if (structures.length > 0) {
    const lines = structures.map(
      (difference) =>
        `${firstName} output${place(difference.path)} is a ${difference.first} but ${secondName} ` +
        `output${place(difference.path)} is a ${difference.second}, so ${difference.why}`,
    );
    return callError(
      "branch-mismatch",
      `${name} branch outputs must have the same pytree structure, but they differ:\n\n` +
        `${listed(lines)}\n\nRevise ${firstName} and/or ${secondName} so that they have the same ` +
        `pytree structure.`,
    );
  }
  const types = first.avals.flatMap((aval, index) => {
    const other = at(second.avals, index);
    if (avalEquals(aval, other)) return [];
    return [
      `the output of ${firstName}${place(first.outPaths[index] ?? "")} has type ${longType(aval)} ` +
        `but the corresponding output of ${secondName} has type ${longType(other)}, so ` +
        whyTypesDiffer(aval, other),
    ];
  });
  if (types.length === 0) return null;
  return callError(
    "branch-mismatch",
    `${name} branches must have equal output types but they differ.\n\n${listed(types)}\n\n` +
      `Revise ${firstName} and/or ${secondName} so that all output types match.`,
  );
}
