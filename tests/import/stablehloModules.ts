// Makes StableHLO modules by hand, as the reader would give them: for forms that JAX does not write
// and for errors.
import { shapedArray } from "../../src/ir/aval.js";
import { symbolicScope, variableDim } from "../../src/ir/dims.js";
import { printJaxpr } from "../../src/ir/print.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type {
  MlirAttribute,
  MlirBlock,
  MlirLocation,
  MlirModule,
  MlirOperation,
  MlirTensorType,
  MlirType,
  MlirValue,
} from "../../src/import/mlir/ir.js";
import { importMain, mainArguments } from "../../src/import/stablehlo/importMain.js";
import { ModuleImporter } from "../../src/import/stablehlo/moduleImporter.js";
import { canonicalDType } from "../../src/import/stablehlo/types.js";

const unknown: MlirLocation = { kind: "unknown" };
let nextId = 0;

/** An element type by its MLIR name: `f32`, `i1`, `ui32`, `complex<f32>`. */
function elementType(name: string): MlirType {
  const complex = /^complex<(.+)>$/.exec(name)?.[1];
  if (complex !== undefined) return { kind: "complex", elementType: elementType(complex) };
  const integer = /^(u?)i(\d+)$/.exec(name);
  if (integer !== null) {
    const signedness = integer[1] === "u" ? "unsigned" : "signless";
    return { kind: "integer", width: Number(integer[2]), signedness };
  }
  return { kind: "float", name: name as "f32" };
}

/** `tensor("?x3xf32")`. */
export function tensor(text: string): MlirTensorType {
  const parts = text.split(/(?<=[\d?])x/);
  const shape = parts.slice(0, -1).map((size) => (size === "?" ? null : Number(size)));
  return { kind: "tensor", shape, elementType: elementType(parts.at(-1) ?? "") };
}

export const integer = (value: number | bigint): MlirAttribute => ({
  kind: "integer",
  type: elementType("i64"),
  value: BigInt(value),
});
export const integers = (...values: readonly number[]): MlirAttribute => ({
  kind: "denseArray",
  elementType: elementType("i64"),
  values: values.map(BigInt),
});
export const text = (value: string): MlirAttribute => ({ kind: "string", value });
export const flag = (value = true): MlirAttribute => ({ kind: "bool", value });
export const symbol = (root: string): MlirAttribute => ({ kind: "symbolRef", root, nested: [] });
export const dictionary = (entries: Readonly<Record<string, MlirAttribute>>): MlirAttribute => ({
  kind: "dictionary",
  entries: new Map(Object.entries(entries)),
});
export const choice = (name: string, value: string): MlirAttribute => ({
  kind: "enum",
  dialect: "stablehlo",
  name: name as "precision",
  value,
});

const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  i1: Uint8Array,
  i32: Int32Array,
  ui32: Uint32Array,
} as const;

/** A dense constant; one value for a larger shape is a splat. */
export function dense(type: MlirTensorType, values: readonly (number | bigint)[]): MlirAttribute {
  const { elementType: element } = type;
  const name =
    element.kind === "float"
      ? element.name
      : element.kind === "integer"
        ? `${element.signedness === "unsigned" ? "u" : ""}i${element.width}`
        : "";
  const array =
    name === "i64"
      ? BigInt64Array.from(values.map(BigInt))
      : arrays[name as keyof typeof arrays].from(values.map(Number));
  const bytes = new Uint8Array(array.buffer);
  return { kind: "denseElements", type, bytes, splat: values.length === 1 };
}

type Attributes = Readonly<Record<string, MlirAttribute>>;

/** Collects the operations of a block. */
export class BlockMaker {
  readonly operations: MlirOperation[] = [];
  location: MlirLocation = unknown;

  constructor(readonly args: readonly MlirValue[]) {}

  /** An operation with one result of the given type. */
  op(
    name: string,
    operands: readonly MlirValue[],
    type: string,
    attributes: Attributes = {},
    regions: readonly MlirBlock[] = [],
  ): MlirValue {
    const [result] = this.ops(name, operands, [type], attributes, regions);
    if (result === undefined) throw new Error("no result");
    return result;
  }

  ops(
    name: string,
    operands: readonly MlirValue[],
    types: readonly string[],
    attributes: Attributes = {},
    regions: readonly MlirBlock[] = [],
  ): readonly MlirValue[] {
    const results = types.map((type): MlirValue => ({ id: nextId++, type: typeOf(type) }));
    this.operations.push({
      name: name.includes(".") ? name : `stablehlo.${name}`,
      operands,
      results,
      attributes: new Map(Object.entries(attributes)),
      regions: regions.map((block) => ({ blocks: [block] })),
      successors: [],
      location: this.location,
    });
    return results;
  }

  constant(type: string, ...values: readonly (number | bigint)[]): MlirValue {
    return this.op("constant", [], type, { value: dense(tensor(type), values) });
  }

  compare(direction: string, left: MlirValue, right: MlirValue, kind = "SIGNED"): MlirValue {
    const shape = left.type.kind === "tensor" ? left.type.shape : [];
    const type = [...shape.map((size) => size ?? "?"), "i1"].join("x");
    return this.op("compare", [left, right], type, {
      comparison_direction: choice("comparison_direction", direction),
      compare_type: choice("comparison_type", kind),
    });
  }

  return(...values: readonly MlirValue[]): void {
    this.ops("return", values, []);
  }
}

const typeOf = (name: string): MlirType =>
  name === "token" ? { kind: "token" } : name.startsWith("!") ? tuple : tensor(name);
const tuple: MlirType = { kind: "tuple", types: [] };

/** A block with arguments of the given types. */
export function block(
  types: readonly string[],
  fill: (maker: BlockMaker, ...args: readonly MlirValue[]) => void,
): MlirBlock {
  const args = types.map((type) => ({ id: nextId++, type: typeOf(type), location: unknown }));
  const maker = new BlockMaker(args);
  fill(maker, ...args);
  return { arguments: args, operations: maker.operations };
}

/** `func.func`; the first function of a module should be `main`. */
export function func(
  name: string,
  types: readonly string[],
  fill: (maker: BlockMaker, ...args: readonly MlirValue[]) => void,
  attributes: Attributes = {},
): MlirOperation {
  return {
    name: "func.func",
    operands: [],
    results: [],
    attributes: new Map(Object.entries({ sym_name: text(name), ...attributes })),
    regions: [{ blocks: [block(types, fill)] }],
    successors: [],
    location: unknown,
  };
}

export function module(
  functions: readonly MlirOperation[],
  attributes: Attributes = {},
): MlirModule {
  const operation: MlirOperation = {
    name: "builtin.module",
    operands: [],
    results: [],
    attributes: new Map(Object.entries(attributes)),
    regions: [{ blocks: [{ arguments: [], operations: functions }] }],
    successors: [],
    location: unknown,
  };
  return { operation, bytecodeVersion: 6, producer: "tests" };
}

export interface ImportedModule {
  readonly jaxpr: ClosedJaxpr;
  readonly importer: ModuleImporter;
}

/** Imports a module; unknown sizes of main's arguments are `a`, `b`, … in order. */
export function importFunctions(
  functions: readonly MlirOperation[],
  strictDtypes = false,
): ImportedModule {
  const scope = symbolicScope([]);
  const options = { strictDtypes, dimensionVariables: new Set<string>() };
  const importer = new ModuleImporter(module(functions), scope, options);
  let unknowns = 0;
  const types = mainArguments(importer).map(({ type }) => {
    const shape = type.shape.map(
      (size) => size ?? variableDim(String.fromCharCode(97 + unknowns++), scope),
    );
    return shapedArray(canonicalDType(type.dtype), shape);
  });
  return { jaxpr: importMain(importer, types, 0), importer };
}

/** The printed program of a main function with the given arguments. */
export function printMain(
  types: readonly string[],
  fill: (maker: BlockMaker, ...args: readonly MlirValue[]) => void,
  others: readonly MlirOperation[] = [],
): string {
  return printJaxpr(importFunctions([func("main", types, fill), ...others]).jaxpr);
}
