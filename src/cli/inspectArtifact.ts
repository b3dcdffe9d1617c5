/**
 * Describes an artifact: where it comes from, its signature, parameters, operations and cost. Of an
 * artifact that cannot be imported it still shows what the header and the module say. Called by
 * inspect.
 */
import { artifactKind, readExported, type ExportedProgram } from "../import/exported.js";
import { printMlirModule } from "../import/mlir/print.js";
import { readMlirModule } from "../import/mlir/reader.js";
import type { MlirModule, MlirOperation } from "../import/mlir/ir.js";
import type { Program, ProgramValue } from "../import/program.js";
import { printDim } from "../ir/dims.js";
import { kindOf } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { countEquations } from "../ir/jaxpr.js";
import { printJaxpr } from "../ir/print.js";
import { avalBytes, costOf, operationCounts, sortedCounts, type Cost } from "./cost.js";
import { readFile } from "./files.js";
import type { InspectCommandOptions } from "./inspect.js";
import { checkDimensionNames, importArtifact } from "./load.js";
import {
  errorData,
  formatBytes,
  formatCount,
  plural,
  print,
  printError,
  printJson,
  printWarnings,
  table,
} from "./terminal.js";

/** What is known before, or without, the import of the program. */
interface Header {
  readonly bytes: Uint8Array;
  readonly exported: ExportedProgram | null;
  readonly module: MlirModule;
}

function readHeader(bytes: Uint8Array): Header {
  const exported = artifactKind(bytes) === "mlir-bytecode" ? null : readExported(bytes);
  return { bytes, exported, module: readMlirModule(exported?.mlirModuleSerialized ?? bytes) };
}

/** Prints the description of an artifact; an artifact that cannot be imported sets exit code 1. */
export function inspectArtifact(path: string, options: InspectCommandOptions): void {
  const header = readHeader(readFile(path, "the artifact"));
  if (options.mlir === true) {
    print(printMlirModule(header.module).trimEnd());
    return;
  }
  let program: Program | undefined;
  let failure: Jax2TfjsError | undefined;
  try {
    program = importArtifact(header.bytes);
    checkDimensionNames(program, options.set);
  } catch (error) {
    if (!(error instanceof Jax2TfjsError) || program !== undefined) throw error;
    failure = error;
  }
  if (options.jaxpr === true) {
    if (program === undefined) throw failure ?? new Error("internal error: no program");
    print(printJaxpr(program.jaxpr));
    return;
  }
  const description = {
    ...describeHeader(path, header),
    ...(program === undefined ? {} : describeProgram(program, options.set)),
    ...(failure === undefined ? {} : { error: errorData(failure) }),
  };
  if (options.json === true) printJson(description);
  else {
    printHeader(description);
    if (program !== undefined) printProgram(describeProgram(program, options.set));
    printOperations(description.operations, program === undefined ? "operation" : "equation");
  }
  printWarnings(program?.warnings ?? [], options);
  if (failure === undefined) return;
  printError(failure, { ...options, json: false });
  process.exitCode = 1;
}

type HeaderDescription = ReturnType<typeof describeHeader>;

function describeHeader(path: string, { bytes, exported, module }: Header) {
  return {
    file: path,
    kind: exported === null ? "stablehlo" : "jax.export",
    bytes: bytes.byteLength,
    name: exported?.functionName ?? "main",
    jaxVersion: exported?.jaxVersion ?? null,
    callingConventionVersion: exported?.callingConventionVersion ?? null,
    serializationVersion: exported?.serializationVersion ?? null,
    producer: module.producer,
    bytecodeVersion: module.bytecodeVersion,
    platforms: exported?.platforms ?? [],
    devices: exported?.nrDevices ?? 1,
    effects: [...(exported?.orderedEffects ?? []), ...(exported?.unorderedEffects ?? [])],
    disabledSafetyChecks: exported?.disabledSafetyChecks ?? [],
    storedVjp: exported !== null && exported.vjp !== null,
    operations: Object.fromEntries(moduleOperations(module)),
  };
}

/** Operations of a module by name, those in regions included. */
function moduleOperations(module: MlirModule): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const pending: MlirOperation[] = [module.operation];
  for (let op = pending.pop(); op !== undefined; op = pending.pop()) {
    if (op !== module.operation) counts.set(op.name, (counts.get(op.name) ?? 0) + 1);
    for (const region of op.regions) {
      for (const block of region.blocks) pending.push(...block.operations);
    }
  }
  return sortedCounts(counts);
}

interface ValueDescription {
  readonly name: string;
  readonly path: readonly string[];
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
  readonly bytes: number;
  readonly used?: boolean;
}

function describeValue({ name, keyPath, dtype, aval }: ProgramValue): ValueDescription {
  // JAX does not count the words of a typed key among its sizes.
  const sizes = kindOf(dtype) === "key" ? aval.shape.slice(0, -1) : aval.shape;
  const shape = sizes.map((dim) => (typeof dim === "number" ? dim : printDim(dim)));
  return { name, path: keyPath, dtype, shape, bytes: avalBytes(aval) };
}

interface ArgumentDescription {
  /** Position or keyword. */
  readonly argument: string;
  readonly leaves: number;
  readonly elements: number;
  /** Of the leaves whose sizes are known. */
  readonly bytes: number;
}

interface ProgramDescription {
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
  /** Arguments that are containers of leaves: what `--params` binds. */
  readonly parameters: readonly ArgumentDescription[];
  readonly constants: { readonly count: number; readonly bytes: number };
  readonly dimensionVariables: readonly string[];
  readonly constraints: readonly string[];
  readonly equations: number;
  readonly operations: Readonly<Record<string, number>>;
  readonly cost: Cost & { readonly sizes: Readonly<Record<string, number>> };
  readonly warnings: readonly string[];
}

function describeProgram(
  program: Program,
  given: ReadonlyMap<string, number> = new Map(),
): ProgramDescription {
  const { jaxpr, inputs, outputs, dimensionVariables } = program;
  const sizes = new Map(dimensionVariables.map((name) => [name, given.get(name) ?? 1]));
  const { flops, bytesAccessed, countsInnerOnce } = costOf(jaxpr, sizes);
  return {
    inputs: inputs.map((input) => ({ ...describeValue(input), used: input.used })),
    outputs: outputs.map(describeValue),
    parameters: describeArguments(program),
    constants: {
      count: jaxpr.consts.length,
      bytes: jaxpr.consts.reduce((sum, array) => sum + array.bytes.byteLength, 0),
    },
    dimensionVariables,
    constraints: program.constraints,
    equations: countEquations(jaxpr.jaxpr),
    operations: Object.fromEntries(operationCounts(jaxpr)),
    cost: { flops, bytesAccessed, countsInnerOnce, sizes: Object.fromEntries(sizes) },
    warnings: program.warnings,
  };
}

function describeArguments({ inputs }: Program): readonly ArgumentDescription[] {
  const byArgument = new Map<string, ProgramValue[]>();
  for (const input of inputs) {
    const argument = input.keyPath[0] ?? "";
    if (input.keyPath.length < 2) continue;
    byArgument.set(argument, [...(byArgument.get(argument) ?? []), input]);
  }
  return [...byArgument].map(([argument, leaves]) => ({
    argument,
    leaves: leaves.length,
    elements: leaves.reduce((sum, { aval }) => sum + avalBytes({ ...aval, dtype: "bool" }), 0),
    bytes: leaves.reduce((sum, { aval }) => sum + avalBytes(aval), 0),
  }));
}

const orNone = (texts: readonly string[]): string => texts.join(", ") || "none";

function printHeader(header: HeaderDescription): void {
  const versions = [
    header.jaxVersion === null ? "" : `JAX ${header.jaxVersion}`,
    header.callingConventionVersion === null
      ? ""
      : `calling convention ${header.callingConventionVersion}, ` +
        `serialization ${header.serializationVersion ?? "?"}`,
    `${header.producer} (bytecode ${header.bytecodeVersion})`,
  ];
  const kind = header.kind === "stablehlo" ? "StableHLO artifact" : "JAX export artifact";
  print(
    `${header.file}: ${kind}, ${formatBytes(header.bytes)}`,
    ...table(
      [
        ["function", header.name],
        ["version", versions.filter((item) => item !== "").join(", ")],
        ["platforms", orNone(header.platforms)],
        ...(header.devices === 1 ? [] : [["devices", String(header.devices)]]),
        ["effects", orNone(header.effects)],
        ...(header.disabledSafetyChecks.length === 0
          ? []
          : [["unchecked", orNone(header.disabledSafetyChecks)]]),
        ["stored VJP", header.storedVjp ? "yes" : "no"],
      ],
      "  ",
    ),
  );
}

function valueRows(values: readonly ValueDescription[]): string[] {
  return table(
    values.map(({ name, dtype, shape, bytes, used }, index) => [
      String(index),
      name,
      `${dtype}[${shape.join(",")}]`,
      bytes === 0 ? "" : formatBytes(bytes),
      used === false ? "not used" : "",
    ]),
  );
}

function printProgram(program: ProgramDescription): void {
  print("inputs", ...valueRows(program.inputs), "outputs", ...valueRows(program.outputs));
  if (program.dimensionVariables.length > 0) {
    const constraints =
      program.constraints.length > 0 ? ` (${program.constraints.join(", ")})` : "";
    print(`dimension variables  ${program.dimensionVariables.join(", ")}${constraints}`);
  }
  for (const { argument, leaves, elements, bytes } of program.parameters) {
    const size = `${formatCount(elements)} elements, ${formatBytes(bytes)}`;
    print(`argument ${argument}  ${plural(leaves, "leaf").replace("leafs", "leaves")}, ${size}`);
  }
  const { constants, cost } = program;
  if (constants.count > 0) {
    print(`constants  ${plural(constants.count, "array")}, ${formatBytes(constants.bytes)}`);
  }
  const sizes = Object.entries(cost.sizes).map(([name, size]) => `${name}=${size}`);
  const at = sizes.length > 0 ? ` at ${sizes.join(", ")}` : "";
  const inner = cost.countsInnerOnce ? ", loops and branches counted once" : "";
  print(
    `cost${at}  ${formatCount(cost.flops)} FLOPs, ` +
      `${formatBytes(cost.bytesAccessed)} read and written${inner}`,
  );
}

function printOperations(operations: Readonly<Record<string, number>>, noun: string): void {
  const entries = Object.entries(operations);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  print(plural(total, noun), ...table(entries.map(([name, count]) => [name, String(count)])));
}
