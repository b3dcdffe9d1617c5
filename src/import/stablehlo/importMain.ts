/**
 * Imports the main function of a module. Called by ../program.ts, which knows what the artifact says
 * about the arguments.
 */
import { printAval, type ShapedArray } from "../../ir/aval.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { newVar, type Atom, type ClosedJaxpr, type Var } from "../../ir/jaxpr.js";
import type { MlirBlockArgument, MlirModule, MlirOperation } from "../mlir/ir.js";
import { invalidModule } from "./attributes.js";
import { BlockImporter } from "./blockImporter.js";
import { globalConstant, wrappedMain } from "./calls.js";
import { nameOf } from "./locations.js";
import type { ModuleImporter } from "./moduleImporter.js";
import { blockOf } from "./regions.js";
import { symbolicValue } from "./shapeArithmetic.js";
import { canonicalDType, printType, tensorType, type TensorType } from "./types.js";
import { token } from "./values.js";

/** An argument of main that carries data. */
export interface MainArgument {
  readonly type: TensorType;
  /** As the location names it. */
  readonly name: string | undefined;
}

/** The platform index that JAX adds in front when exporting for several platforms. */
const platformIndexName = "_platform_index";

/**
 * @throws Jax2TfjsError `multi-device` for a program that is partitioned or replicated
 */
export function requireOneDevice(module: MlirModule, devices: number): void {
  let count = devices;
  for (const name of ["mhlo.num_partitions", "mhlo.num_replicas"]) {
    const attribute = module.operation.attributes.get(name);
    if (attribute?.kind === "integer") count = Math.max(count, Number(attribute.value));
  }
  if (count <= 1) return;
  throw new Jax2TfjsError("multi-device", `the program is for ${count} devices, not one`, {
    fix: "export it without shardings, or under a mesh of one device",
  });
}

function mainOf(importer: ModuleImporter): MlirOperation {
  const main = importer.functions.get("main");
  if (main !== undefined) return main;
  const [only, ...others] = importer.functions.values();
  if (only !== undefined && others.length === 0) return only;
  throw invalidModule("the module has no function main");
}

/** Positions of the arguments that carry data: no token, no platform index, no dimension. */
function dataPositions(main: MlirOperation): readonly number[] {
  return blockOf(main.regions[0]).arguments.flatMap((argument, index) =>
    argument.type.kind === "token" || globalConstant(main, index) !== undefined ? [] : [index],
  );
}

/** The function inside main that JAX names the arguments of, and how many it takes before them. */
function namedArguments(importer: ModuleImporter, main: MlirOperation) {
  const own = dataPositions(main).map((index) => blockOf(main.regions[0]).arguments[index]);
  const wrapped = importer.functions.get(wrappedMain);
  const inner = wrapped === undefined ? [] : blockOf(wrapped.regions[0]).arguments;
  return own.map((argument, index): MlirBlockArgument | undefined => {
    if (argument === undefined || nameOf(argument.location) !== undefined) return argument;
    return inner[inner.length - own.length + index] ?? argument;
  });
}

/** The arguments of main that carry data, in order. */
export function mainArguments(importer: ModuleImporter): readonly MainArgument[] {
  const main = mainOf(importer);
  const named = namedArguments(importer, main);
  return dataPositions(main).map((position, index) => {
    const argument = blockOf(main.regions[0]).arguments[position];
    if (argument === undefined) throw invalidModule("main lacks an argument");
    const location = named[index]?.location;
    return {
      type: tensorType(argument.type),
      name: location === undefined ? undefined : nameOf(location),
    };
  });
}

/**
 * Main as a program: its inputs are the arguments that carry data, of the given types (which may be
 * symbolic), its outputs the results that do.
 */
export function importMain(
  importer: ModuleImporter,
  inputTypes: readonly ShapedArray[],
  platformIndex: number,
): ClosedJaxpr {
  const main = mainOf(importer);
  const body = blockOf(main.regions[0]);
  const block = new BlockImporter(importer);
  const inputs: Var[] = [];
  for (const [index, argument] of body.arguments.entries()) {
    const constant = globalConstant(main, index);
    if (argument.type.kind === "token") block.define(argument, token);
    else if (constant === platformIndexName) {
      block.define(argument, symbolicValue([platformIndex], [], "int32"));
    } else if (constant !== undefined) {
      block.define(argument, block.dimensionVariable(constant));
    } else {
      const variable = newVar(inputType(argument, inputTypes[inputs.length]));
      const { dtype } = tensorType(argument.type);
      importer.noteNarrowed(dtype, `argument ${inputs.length} of main`);
      inputs.push(variable);
      block.define(argument, { kind: "atom", atom: variable });
    }
  }
  const results = importer.within("main", () => block.run(body));
  const outputs: Atom[] = [];
  for (const result of results) {
    const value = block.value(result);
    if (value.kind !== "token") outputs.push(block.materialise(value));
  }
  return block.finish(inputs, outputs);
}

/** The type that the artifact states, checked against the module's. */
function inputType(argument: MlirBlockArgument, aval: ShapedArray | undefined): ShapedArray {
  const { shape, dtype } = tensorType(argument.type);
  const fits =
    aval?.dtype === canonicalDType(dtype) &&
    aval.shape.length === shape.length &&
    aval.shape.every((size, axis) => typeof size !== "number" || (shape[axis] ?? size) === size);
  if (aval !== undefined && fits) return aval;
  const stated = aval === undefined ? "nothing" : printAval(aval);
  throw invalidModule(
    `the artifact says an argument is ${stated}, its module ${printType(argument.type)}`,
  );
}
