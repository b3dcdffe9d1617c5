/**
 * From a TypeScript function to a program, as importing an artifact gives one: what `convert` saves.
 * JAX's counterpart is `jax.export.export`.
 */
import {
  callError,
  flattenArguments,
  nameOf,
  ShapeDtypeStruct,
  traceCall,
  unflattenValues,
} from "./api/calls.js";
import { withConstants } from "./api/jit.js";
import type { Traceable } from "./api/types.js";
import { carriedAval, shapedArray, type ShapedArray } from "./ir/aval.js";
import { isKey } from "./ir/dtypes.js";
import type { Value } from "./ir/ops.js";
import { at } from "./lax/arguments.js";
import { keyImpls, keyType, randomUnwrap, randomWrap } from "../primitives/randomKeys.js";
import { isSymbolic, printDim, symbolicScope, variablesOf, type SymbolicScope } from "./ir/dims.js";
import type { ClosedJaxpr } from "./ir/jaxpr.js";
import { substituteProgram } from "./ir/substitute.js";
import { solveDims, symbolicShape, unifyShapes, type DimPlan } from "./ir/shapeSpec.js";
import type { Program, ProgramInput, ProgramValue, TreeDescription } from "./import/program.js";
import { atUserLine } from "./trace/source.js";
import { carryKeys } from "./passes/carryKeys.js";
import { prepareForDerivatives } from "./passes/prepare.js";
import { evaluateProgram, isTracing, o, typeOf } from "./trace/trace.js";
import {
  broadcastPrefix,
  flattenWithPath,
  leafCount,
  printTree,
  type TreeDef,
} from "./tree/pytree.js";

/** Shapes with names in place of sizes. */
export type PolymorphicShapes =
  string | null | readonly PolymorphicShapes[] | { readonly [key: string]: PolymorphicShapes };

export interface ExportOptions {
  /** The program's name. Default: the function's. */
  readonly name?: string;
  /**
   * Symbolic sizes: one text for all arrays (`"b, ..."`), or a pytree of texts, a prefix of the
   * arguments. `_` takes the actual size; null means actual sizes. Default: actual sizes.
   */
  readonly polymorphicShapes?: PolymorphicShapes;
  /** What is known of the sizes: `["b >= 2"]`. */
  readonly polymorphicConstraints?: readonly string[];
}

/** Types of arguments with symbolic sizes in place of actual ones. */
export interface SymbolicArguments {
  readonly inTree: TreeDef;
  readonly avals: readonly ShapedArray[];
  readonly paths: readonly string[];
  readonly scope: SymbolicScope;
}

const isShapeText = (value: unknown): boolean => typeof value === "string" || value === null;

/** @throws Jax2TfjsError `dimension-syntax` and others of `symbolicShape`, `pytree-mismatch` */
export function exportedTypes(
  args: readonly unknown[],
  { polymorphicShapes = null, polymorphicConstraints = [] }: ExportOptions,
): SymbolicArguments {
  const [leaves, inTree] = flattenWithPath(args);
  const given = leaves.map(({ value }) =>
    value instanceof ShapeDtypeStruct ? value.aval : typeOf(value),
  );
  const known = given.flatMap(({ shape }) => shape.filter(isSymbolic))[0];
  const scope = known?.scope ?? symbolicScope(polymorphicConstraints);
  const texts = broadcastPrefix(polymorphicShapes, args, "polymorphicShapes", isShapeText);
  const avals = given.map((aval, index) => {
    const text = texts[index];
    if (typeof text !== "string") return aval;
    const shape = symbolicShape(text, { scope, like: aval.shape });
    return shapedArray(aval.dtype, shape, aval.weakType);
  });
  return { inTree, avals, paths: leaves.map(({ path }) => path), scope };
}

/**
 * Traces a function to a program for arguments of these types. Arrays that the function takes from
 * around it become weights.
 *
 * @param args example arguments: arrays or `ShapeDtypeStruct`s
 *
 * ```ts
 * const program = exportFunction(predict, { polymorphicShapes: [null, "b, ..."] })(params, x);
 * await saveModel(convert(program, { parameters: bindTree(program, params) }), "web_model");
 * ```
 *
 * JAX's counterpart is `jax.export.export`.
 */
export function exportFunction<Args extends readonly unknown[]>(
  f: Traceable<Args, unknown>,
  options: ExportOptions = {},
): (...args: readonly unknown[]) => Program {
  const program = (args: readonly unknown[]): Program => {
    const { inTree, avals, paths, scope } = exportedTypes(args, options);
    const name = options.name ?? nameOf(f);
    const traced = traceCall(f, inTree, avals);
    const typed = withConstants(traced);
    // Keys are their words in a program, as in one of an artifact; only its inputs tell.
    const jaxpr = carryKeys(typed);
    const inputs = typed.jaxpr.invars.map(({ aval }, index): ProgramInput => ({
      ...programValue(`args${paths[index] ?? ""}`, paths[index] ?? "", aval),
      used: isUsed(jaxpr.jaxpr, index),
    }));
    const outputs = typed.jaxpr.outvars.map(({ aval }, index) => {
      const path = traced.outPaths[index] ?? "";
      return programValue(`result${path}`, path, aval);
    });
    const specified = inputs.filter(({ aval }) => aval.shape.some(isSymbolic));
    // Refused now rather than at the first call.
    solveDims(
      inputs.map((input) => ({ name: input.name, shape: input.aval.shape })),
      name,
    );
    return {
      name,
      jaxpr,
      inputs,
      outputs,
      inTree: {
        kind: "tuple",
        children: [
          { ...describeTree(inTree), kind: "tuple" },
          { kind: "dict", keys: [], children: [] },
        ],
      },
      outTree: describeTree(traced.outTree),
      dimensionVariables: [
        ...new Set(inputs.flatMap(({ aval }) => aval.shape.flatMap(variablesOf))),
      ],
      scope,
      shapeSpecifications: specified.map(({ name: input, aval: { shape } }) => {
        const sizes = shape.map(printDim).join(", ");
        return `${input}.shape = (${sizes}${shape.length === 1 ? "," : ""})`;
      }),
      constraints: scope.constraintTexts,
      shapeAssertions: [],
      source: {
        format: "traced",
        producer: "jax2tfjs",
        bytecodeVersion: 0,
        callingConventionVersion: null,
        serializationVersion: null,
        jaxVersion: null,
      },
      platforms: [],
      platform: null,
      effects: [],
      warnings: [],
      hasVjp: false,
    };
  };
  return (...args) => atUserLine(() => program(args));
}

function isUsed({ invars, equations, outvars }: Program["jaxpr"]["jaxpr"], index: number): boolean {
  const variable = invars[index];
  return (
    variable !== undefined &&
    (outvars.includes(variable) || equations.some(({ inputs }) => inputs.includes(variable)))
  );
}

/** Keys of a path: `[0]['w'].bias` has `0`, `w`, `bias`. */
function keysOf(path: string): readonly string[] {
  return [...path.matchAll(/\[<flat index (\d+)>\]|\['([^']*)'\]|\[(\d+)\]|\.([^.[]+)/g)].map(
    ([, flat, key, index, field]) => flat ?? key ?? index ?? field ?? "",
  );
}

function programValue(name: string, path: string, aval: ShapedArray): ProgramValue {
  return { name, keyPath: keysOf(path), aval: carriedAval(aval), dtype: aval.dtype };
}

/** A structure as plain data. */
export function describeTree(def: TreeDef): TreeDescription {
  switch (def.kind) {
    case "leaf":
    case "none":
      return { kind: def.kind };
    case "list":
    case "tuple":
      return { kind: def.kind, children: def.children.map(describeTree) };
    case "dict":
      return { kind: "dict", keys: def.keys, children: def.children.map(describeTree) };
    case "custom": {
      const { name } = def.type;
      const fields = def.children.map((_, index) => def.type.childName(index).replace(/^\./, ""));
      return { kind: "custom", name, fields, children: def.children.map(describeTree) };
    }
  }
}

/** The structure that plain data describes; registered classes come back as dicts or lists. */
export function treeOfDescription({ kind, keys, fields, children = [] }: TreeDescription): TreeDef {
  const parts = children.map(treeOfDescription);
  switch (kind) {
    case "leaf":
    case "none":
      return { kind };
    case "list":
    case "tuple":
      return { kind, children: parts };
    case "dict":
      return { kind: "dict", keys: keys ?? [], children: parts };
    case "custom":
      if (fields?.length !== parts.length) return { kind: "list", children: parts };
      return { kind: "dict", keys: fields, children: parts };
  }
}

const wordsOf = (keys: Value): Value => at(o.bind(randomUnwrap, [keys], {}), 0);

/**
 * A program as a function that can be called, traced and transformed: imported artifacts have
 * gradients and batches like functions written here.
 *
 * @returns a function of the program's positional arguments, and, if it has keyword arguments, an
 * object of them last; it gives a pytree of arrays
 * @throws Jax2TfjsError when called: `pytree-mismatch`, `shape-mismatch`, `type-mismatch`
 *
 * JAX's counterpart is `jax.export.Exported.call`.
 */
export function programFunction(program: Program): (...args: readonly unknown[]) => unknown {
  const [positional, keywords] = program.inTree.children ?? [];
  const outTree = treeOfDescription(program.outTree);
  const plan: DimPlan = solveDims(
    program.inputs.map(({ name, aval }) => ({ name, shape: aval.shape })),
    program.name,
  );
  const count = program.inputs.length;
  let prepared: ClosedJaxpr | undefined;
  const call = (...args: readonly unknown[]): unknown => {
    const { values, inTree } = flattenArguments(args);
    if (values.length !== count || leafCount(inTree) !== count) {
      const expected = [positional, keywords].flatMap((part) => part ?? []);
      throw callError(
        "pytree-mismatch",
        `${program.name} takes ${count} arrays, given ${values.length}: ` +
          expected.map((part) => printTree(treeOfDescription(part))).join(" and keywords "),
      );
    }
    const words = values.map((value) => (isKey(value.aval.dtype) ? wordsOf(value) : value));
    values.forEach(({ aval }, index) => {
      const input = program.inputs[index];
      const isTyped = isKey(aval.dtype) && aval.dtype === input?.dtype;
      if (input === undefined || isTyped || input.aval.dtype === aval.dtype) return;
      throw callError(
        "type-mismatch",
        `${input.name} of ${program.name} is ${input.aval.dtype}, given ${aval.dtype}`,
      );
    });
    const sizes = unifyShapes(
      plan,
      words.map(({ aval }) => aval.shape),
    );
    // A trace may be that of a derivative: written-out functions and loops are recognised first.
    if (isTracing()) prepared ??= prepareForDerivatives(program.jaxpr);
    const own = prepared ?? program.jaxpr;
    const sized = sizes.size === 0 ? own : substituteProgram(own, sizes);
    const results = evaluateProgram(sized, words).map((value, index) => {
      const impl = keyImpls.find((name) => keyType(name) === program.outputs[index]?.dtype);
      return impl === undefined ? value : at(o.bind(randomWrap, [value], { impl }), 0);
    });
    return unflattenValues(outTree, results);
  };
  Object.defineProperty(call, "name", { value: program.name });
  return call;
}
