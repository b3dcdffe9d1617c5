/**
 * Calls of private functions and composites. A function becomes a `jit` equation, imported once per
 * types and known contents of its arguments; what it computes of sizes alone is evaluated.
 */
import { newVar, type Atom, type Var } from "../../ir/jaxpr.js";
import type { MlirAttribute, MlirOperation } from "../mlir/ir.js";
import { invalidModule, stringAttribute, symbolAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { elementwise, unaryNames } from "./elementwise.js";
import type { FunctionInstance } from "./moduleImporter.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { findPrimitive } from "./records.js";
import { isThreefry } from "./random.js";
import { blockOf } from "./regions.js";
import { tensorType } from "./types.js";
import {
  avalOf,
  knownElements,
  MAX_KNOWN_ELEMENTS,
  scalarTypeOf,
  specialisationKey,
  type Imported,
} from "./values.js";

/** What JAX calls the exported function inside of the `main` that checks its input shapes. */
export const wrappedMain = "_wrapped_jax_export_main";

/** The dimension variable that an argument of a function is, by JAX's attribute. */
export function globalConstant(callee: MlirOperation, index: number): string | undefined {
  const attributes = callee.attributes.get("arg_attrs");
  if (attributes?.kind !== "array") return undefined;
  const entry: MlirAttribute | undefined = attributes.elements[index];
  const name = entry?.kind === "dictionary" ? entry.entries.get("jax.global_constant") : undefined;
  return name?.kind === "string" ? name.value : undefined;
}

/** Runs the body of a function as a part of this block. */
function inline(
  block: BlockImporter,
  name: string,
  callee: MlirOperation,
  args: readonly Imported[],
): readonly Imported[] {
  const body = blockOf(callee.regions[0]);
  return block.module.within(name, () => {
    for (const [index, argument] of body.arguments.entries()) {
      const value = args[index];
      if (value === undefined) throw invalidModule(`@${name} is called with too few arguments`);
      block.define(argument, dimensionArgument(block, callee, index, value));
    }
    return block.run(body).map((value) => block.value(value));
  });
}

/** Arguments that JAX says are dimension variables are these variables, however computed. */
function dimensionArgument(
  block: BlockImporter,
  callee: MlirOperation,
  index: number,
  value: Imported,
): Imported {
  const name = globalConstant(callee, index);
  if (name === undefined || !block.module.options.dimensionVariables.has(name)) return value;
  return block.dimensionVariable(name, scalarTypeOf(avalOf(value).dtype));
}

/** True for functions that compute sizes: everything known goes in, small integers come out. */
function isShapeFunction(op: MlirOperation, args: readonly Imported[]): boolean {
  if (args.length === 0 || !args.every((value) => knownElements(value) !== null)) return false;
  return op.results.every((result) => {
    if (result.type.kind !== "tensor") return false;
    const { shape, dtype } = tensorType(result.type);
    const count = shape.reduce<number>((product, size) => product * (size ?? Infinity), 1);
    return count <= MAX_KNOWN_ELEMENTS && scalarTypeOf(dtype) !== undefined;
  });
}

const importCall: OperationImporter = (block, op) => {
  const name = symbolAttribute(op, "callee");
  const args = op.operands.map((operand) => block.value(operand));
  if (name === wrappedMain || isShapeFunction(op, args)) {
    return inline(block, name, block.module.function(name), args);
  }
  return callFunction(block, name, displayName(block, name), args);
};

/** JAX appends `_3` where a name occurs again. */
function displayName(block: BlockImporter, name: string): string {
  const base = name.replace(/_\d+$/, "");
  return base !== name && block.module.functions.has(base) ? base : name;
}

/** A `jit` equation that calls the function. */
export function callFunction(
  block: BlockImporter,
  name: string,
  shownName: string,
  args: readonly Imported[],
): readonly Imported[] {
  const instance = functionInstance(block, name, args);
  const { program, results } = instance;
  const inputs = args.filter(isData).map((value) => block.materialise(value));
  const outputs = isTrivial(instance)
    ? forwarded(instance, inputs)
    : isThreefry(program)
      ? block.bind("threefry2x32", inputs, {})
      : block.bind("jit", inputs, { name: shownName, jaxpr: program });
  return results.map((result) => {
    if (typeof result !== "number") return result;
    const atom = outputs[result];
    if (atom === undefined) throw new Error(`internal error: results of @${name}`);
    return { kind: "atom", atom };
  });
}

/** Known sizes and tokens are no operands of the call. */
function isData(value: Imported): boolean {
  return value.kind !== "symbolic" && value.kind !== "token";
}

/** True if the function computes nothing. */
function isTrivial({ program }: FunctionInstance): boolean {
  return program.jaxpr.equations.length === 0 && program.jaxpr.constvars.length === 0;
}

function forwarded({ program }: FunctionInstance, inputs: readonly Atom[]): readonly Atom[] {
  return program.jaxpr.outvars.map((atom) => {
    const input = atom.kind === "var" ? inputs[program.jaxpr.invars.indexOf(atom)] : atom;
    if (input === undefined) throw new Error("internal error: an output that is no input");
    return input;
  });
}

function functionInstance(
  block: BlockImporter,
  name: string,
  args: readonly Imported[],
): FunctionInstance {
  const { module } = block;
  const key = `${name}(${args.map(specialisationKey).join(";")})`;
  let instance = module.instances.get(key);
  if (instance === undefined) {
    instance = module.within(name, () => importFunction(block, name, args));
    module.instances.set(key, instance);
  }
  return instance;
}

function importFunction(
  block: BlockImporter,
  name: string,
  args: readonly Imported[],
): FunctionInstance {
  const callee = block.module.function(name);
  const body = blockOf(callee.regions[0]);
  if (body.arguments.length !== args.length) {
    throw invalidModule(`@${name} takes ${body.arguments.length} arguments, not ${args.length}`);
  }
  const inner = block.fresh();
  const inputs: Var[] = [];
  for (const [index, argument] of body.arguments.entries()) {
    const value = args[index];
    if (value === undefined) continue;
    if (!isData(value)) {
      inner.define(argument, value);
      continue;
    }
    const variable = newVar({ ...avalOf(value), weakType: false });
    inputs.push(variable);
    inner.define(
      argument,
      dimensionArgument(inner, callee, index, { kind: "atom", atom: variable }),
    );
  }
  const outputs: Atom[] = [];
  const results = inner.run(body).map((returned): Imported | number => {
    const value = inner.value(returned);
    return isData(value) ? outputs.push(inner.materialise(value)) - 1 : value;
  });
  return { program: inner.finish(inputs, outputs), results };
}

// --- Composites ---------------------------------------------------------------------------------

/** Specified composites that are one elementwise primitive, besides the unary ones. */
const compositeNames: Readonly<Record<string, string>> = {
  next_after: "nextafter",
  polygamma: "polygamma",
  zeta: "zeta",
};

const importComposite: OperationImporter = (block, op) => {
  const name = stringAttribute(op, "name");
  const args = op.operands.map((operand) => block.value(operand));
  const chlo = name.startsWith("chlo.") ? name.slice("chlo.".length) : undefined;
  const primitive = chlo === undefined ? undefined : (unaryNames[chlo] ?? compositeNames[chlo]);
  if (primitive !== undefined && findPrimitive(primitive) !== undefined) {
    return [elementwise(block, args, (inputs) => block.bindOne(primitive, inputs, {}))];
  }
  if (chlo === "top_k" && findPrimitive("top_k") !== undefined) {
    return importTopK(block, op);
  }
  const decomposition = symbolAttribute(op, "decomposition");
  return callFunction(block, decomposition, name, args);
};

const importTopK: OperationImporter = (block, op) => {
  const attributes = op.attributes.get("composite_attributes");
  const k = attributes?.kind === "dictionary" ? attributes.entries.get("k") : undefined;
  if (k?.kind !== "integer") throw invalidModule("chlo.top_k lacks its attribute k");
  const x = block.atom(block.operand(op, 0));
  return block.emit(op, "top_k", [x], { k: Number(k.value), axis: x.aval.shape.length - 1 });
};

export const callOperations: OperationTable = {
  "func.call": importCall,
  "stablehlo.composite": importComposite,
};
