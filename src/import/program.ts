/**
 * Programs as the rest of jax2tfjs sees them: a jaxpr with the names, types and pytrees of its
 * inputs and outputs. `importExported` reads the artifacts of jax.export, `importModule` bare
 * StableHLO artifacts. Used by convert.ts, the command line and the passes' tests.
 */
import { shapedArray, type ShapedArray } from "../ir/aval.js";
import {
  parseShape,
  symbolicScope,
  variableDim,
  variablesOf,
  type Shape,
  type SymbolicScope,
} from "../ir/dims.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { closedJaxpr, newVar, type ClosedJaxpr } from "../ir/jaxpr.js";
import { readExported } from "./exported.js";
import type { MlirModule } from "./mlir/ir.js";
import { readMlirModule } from "./mlir/reader.js";
import type { ExpectedLeaf } from "./params/expected.js";
import {
  describeInputs,
  describeOutputs,
  describeTree,
  expectedLeaves,
  physicalAval,
  shapeSpecifications,
  type ProgramInput,
  type ProgramValue,
  type TreeDescription,
} from "./programValues.js";
import type { PyTreeDef } from "./pytreeDef.js";
import { invalidModule } from "./stablehlo/attributes.js";
import {
  importMain,
  mainArguments,
  requireOneDevice,
  type MainArgument,
} from "./stablehlo/importMain.js";
import {
  ModuleImporter,
  shapeAssertionMessages,
  type ShapeAssertion,
} from "./stablehlo/moduleImporter.js";
import { canonicalDType } from "./stablehlo/types.js";

export type { ProgramInput, ProgramValue, TreeDescription } from "./programValues.js";
export type { ShapeAssertion } from "./stablehlo/moduleImporter.js";

/** Where a program comes from. */
export type ProgramSource = {
  readonly format: "jax.export" | "stablehlo" | "traced";
  /** Who wrote the module, e.g. `StableHLO_v1.13.0`; of traced functions, jax2tfjs. */
  readonly producer: string;
  readonly bytecodeVersion: number;
  readonly callingConventionVersion: number | null;
  readonly serializationVersion: number | null;
  readonly jaxVersion: string | null;
};

export interface Program {
  readonly name: string;
  /** Its inputs are all flattened arguments, in order, unused ones included. */
  readonly jaxpr: ClosedJaxpr;
  readonly inputs: readonly ProgramInput[];
  readonly outputs: readonly ProgramValue[];
  readonly inTree: TreeDescription;
  readonly outTree: TreeDescription;
  /** In order of their first appearance in the input types. */
  readonly dimensionVariables: readonly string[];
  /** The scope that the symbolic sizes belong to. */
  readonly scope: SymbolicScope;
  /** Per input with symbolic sizes: `args[0].shape = (b, 32)`. */
  readonly shapeSpecifications: readonly string[];
  /** Constraints on dimension variables, as the user wrote them. */
  readonly constraints: readonly string[];
  readonly shapeAssertions: readonly ShapeAssertion[];
  readonly source: ProgramSource;
  /** The platforms it was exported for, and the one it is imported as. */
  readonly platforms: readonly string[];
  readonly platform: string | null;
  readonly effects: readonly string[];
  readonly warnings: readonly string[];
  /** The artifact holds the function's vector-Jacobian product, too. */
  readonly hasVjp: boolean;
}

export interface ImportOptions {
  /** Refuse 64-bit values instead of computing them in 32 bits with a warning. Default: false. */
  readonly strictDtypes?: boolean;
}

/**
 * Imports an artifact of `jax.export`: the bytes of `Exported.serialize()`.
 *
 * @throws Jax2TfjsError `artifact-…` for other bytes, `multi-device`, `unsupported-op`,
 * `unsupported-custom-call`, `unsupported-type`, `unsupported-dtype` (with `strictDtypes`),
 * `value-out-of-range`, `data-dependent-shape`, `invalid-stablehlo`, `import-type-mismatch`
 */
export function importExported(bytes: Uint8Array, options: ImportOptions = {}): Program {
  const exported = readExported(bytes);
  const module = readMlirModule(exported.mlirModuleSerialized);
  requireOneDevice(module, exported.nrDevices);
  const scope = scopeOf(module);
  const types = exported.inAvals.map((aval) => physicalAval(aval, scope));
  const kept = exported.moduleKeptVarIdx;
  const importer = new ModuleImporter(module, scope, {
    strictDtypes: options.strictDtypes ?? false,
    dimensionVariables: new Set(variablesIn(types)),
  });
  const platform = exported.platforms.includes("cpu") ? "cpu" : exported.platforms[0];
  const keptTypes = kept.map((index) => {
    const type = types[index];
    if (type === undefined)
      throw invalidModule(`the module takes argument ${index}, of which there is none`);
    return type;
  });
  const platformIndex = Math.max(0, exported.platforms.indexOf(platform ?? ""));
  const main = importMain(importer, keptTypes, platformIndex);
  const names = new Map(
    mainArguments(importer).map(({ name }, place) => [kept[place] ?? -1, name] as const),
  );
  const jaxpr = withAllInputs(main, types, kept);
  const inputs = describeInputs(exported, types, names);
  return {
    name: exported.functionName,
    jaxpr,
    inputs,
    outputs: describeOutputs(exported.outTree, exported.outAvals, jaxpr),
    inTree: describeTree(exported.inTree),
    outTree: describeTree(exported.outTree),
    ...dimensionsOf(inputs, importer),
    source: {
      ...moduleSource(module),
      format: "jax.export",
      callingConventionVersion: exported.callingConventionVersion,
      serializationVersion: exported.serializationVersion,
      jaxVersion: exported.jaxVersion,
    },
    platforms: exported.platforms,
    platform: platform ?? null,
    effects: [...exported.orderedEffects, ...exported.unorderedEffects],
    warnings: warningsOf(importer),
    hasVjp: exported.vjp !== null,
  };
}

/**
 * Imports a bare portable StableHLO artifact (MLIR bytecode). Unknown sizes of main's arguments
 * become dimension variables: those that the module's shape assertions name, else `d0`, `d1`, …
 *
 * @throws Jax2TfjsError as `importExported`, `artifact-not-mlir` for other bytes
 */
export function importModule(bytes: Uint8Array, options: ImportOptions = {}): Program {
  const module = readMlirModule(bytes);
  requireOneDevice(module, 1);
  const scope = scopeOf(module);
  const importer = new ModuleImporter(module, scope, {
    strictDtypes: options.strictDtypes ?? false,
    dimensionVariables: new Set(),
  });
  const args = mainArguments(importer);
  const shapes = statedShapes(module, args, scope) ?? freshShapes(args, scope);
  const types = args.map(({ type }, index) =>
    shapedArray(canonicalDType(type.dtype), shapes[index] ?? []),
  );
  const jaxpr = importMain(importer, types, 0);
  const inputs = args.map(({ name, type }, index): ProgramInput => ({
    name: name ?? `args[${index}]`,
    keyPath: [String(index)],
    aval: types[index] ?? shapedArray(type.dtype, []),
    dtype: type.dtype,
    used: true,
  }));
  const outTree = tupleOf(jaxpr.jaxpr.outvars.length);
  const outAvals = jaxpr.jaxpr.outvars.map(({ aval }) => aval);
  const moduleName = module.operation.attributes.get("sym_name");
  return {
    name: moduleName?.kind === "string" ? moduleName.value : "main",
    jaxpr,
    inputs,
    outputs: describeOutputs(outTree, outAvals, jaxpr),
    inTree: describeTree(tupleOf(inputs.length)),
    outTree: describeTree(outTree),
    ...dimensionsOf(inputs, importer),
    source: {
      ...moduleSource(module),
      format: "stablehlo",
      callingConventionVersion: null,
      serializationVersion: null,
      jaxVersion: null,
    },
    platforms: [],
    platform: null,
    effects: [],
    warnings: warningsOf(importer),
    hasVjp: false,
  };
}

/** Shapes with a new variable for each unknown size. */
function freshShapes(args: readonly MainArgument[], scope: SymbolicScope): readonly Shape[] {
  let unknown = 0;
  return args.map(({ type }) =>
    type.shape.map((size) => size ?? variableDim(`d${unknown++}`, scope)),
  );
}

/**
 * The symbolic shapes that the module's shape assertions quote (`args[0].shape = (b, 32)`), in the
 * order of the arguments with unknown sizes; undefined if they do not fit these.
 */
function statedShapes(
  module: MlirModule,
  args: readonly MainArgument[],
  scope: SymbolicScope,
): readonly Shape[] | undefined {
  const [message] = shapeAssertionMessages(module);
  const text = /shapes specifications: ([^]*?)\. Obtained/.exec(message ?? "")?.[1] ?? "";
  const stated = [...text.matchAll(/\.shape = \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g)];
  const dynamic = args.filter(({ type }) => type.shape.includes(null));
  if (stated.length !== dynamic.length) return undefined;
  try {
    const shapes = stated.map((found) => parseShape(found[1] ?? "", scope));
    let next = 0;
    const all = args.map(({ type }) => {
      const shape = type.shape.includes(null) ? shapes[next++] : undefined;
      return shape ?? type.shape.map((size) => size ?? 1);
    });
    const fits = all.every((shape, index) => {
      const sizes = args[index]?.type.shape ?? [];
      return shape.length === sizes.length && sizes.every((n, i) => n === null || n === shape[i]);
    });
    return fits ? all : undefined;
  } catch (error) {
    if (error instanceof Jax2TfjsError) return undefined;
    throw error;
  }
}

/**
 * What a parameter file for one positional argument must hold, for `bindParameters`.
 *
 * @throws Jax2TfjsError `no-such-argument`
 */
export function expectedParameters(program: Program, argument: number): readonly ExpectedLeaf[] {
  return expectedLeaves(program.inTree, program.inputs, argument);
}

function tupleOf(count: number): PyTreeDef {
  return { kind: "tuple", children: Array.from({ length: count }, () => ({ kind: "leaf" })) };
}

/** A scope with the constraints that the module's shape assertions quote: nowhere else are they. */
function scopeOf(module: MlirModule): SymbolicScope {
  const constraints = shapeAssertionMessages(module).flatMap((message) => {
    const found = /symbolic shape constraint (.+?)\. Expected '/.exec(message);
    return found?.[1] === undefined ? [] : [found[1]];
  });
  return symbolicScope([...new Set(constraints)]);
}

function variablesIn(types: readonly ShapedArray[]): readonly string[] {
  return [...new Set(types.flatMap(({ shape }) => shape.flatMap(variablesOf)))];
}

function dimensionsOf(
  inputs: readonly ProgramInput[],
  { scope, shapeAssertions }: ModuleImporter,
): Pick<
  Program,
  "dimensionVariables" | "scope" | "shapeSpecifications" | "constraints" | "shapeAssertions"
> {
  return {
    dimensionVariables: variablesIn(inputs.map(({ aval }) => aval)),
    scope,
    shapeSpecifications: shapeSpecifications(inputs),
    constraints: scope.constraintTexts,
    shapeAssertions,
  };
}

function moduleSource(module: MlirModule): Pick<ProgramSource, "producer" | "bytecodeVersion"> {
  return { producer: module.producer, bytecodeVersion: module.bytecodeVersion };
}

/** The program with an input for each flattened argument, also those that main does not take. */
function withAllInputs(
  { jaxpr, consts }: ClosedJaxpr,
  types: readonly ShapedArray[],
  kept: readonly number[],
): ClosedJaxpr {
  const invars = types.map((type, index) => {
    const place = kept.indexOf(index);
    return (place < 0 ? undefined : jaxpr.invars[place]) ?? newVar(type);
  });
  return closedJaxpr({ ...jaxpr, invars }, consts);
}

function warningsOf({ narrowed }: ModuleImporter): readonly string[] {
  if (narrowed.size === 0) return [];
  const names = [...narrowed].sort();
  const computed = names.map(canonicalDType);
  return [
    `${names.join(", ")} values are computed as ${computed.join(", ")}: ` +
      "export with jax_enable_x64 off to see in JAX what that changes",
  ];
}
