/**
 * Imports the operations of one function or region into one jaxpr. Keeps what each MLIR value is,
 * makes equations of values only where they are used as data, and checks each equation's type
 * against the module's. The operations themselves are in the tables that operations.ts joins.
 */
import { printAval } from "../../ir/aval.js";
import { JaxprBuilder } from "../../ir/builder.js";
import { variableDim, type Dim } from "../../ir/dims.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import {
  closedJaxpr,
  newVar,
  noSource,
  withinCall,
  type Atom,
  type ClosedJaxpr,
  type SourceInfo,
  type Var,
} from "../../ir/jaxpr.js";
import type { Params } from "../../ir/params.js";
import { printSource } from "../../ir/print.js";
import type { MlirBlock, MlirOperation, MlirValue } from "../mlir/ir.js";
import { invalidModule } from "./attributes.js";
import { foldCounter } from "./counters.js";
import { checkResults, printOperation, unsupportedOperation } from "./diagnostics.js";
import { sourceOf } from "./locations.js";
import { Materialiser } from "./materialise.js";
import type { ModuleImporter } from "./moduleImporter.js";
import { operations } from "./operations.js";
import { findPrimitive } from "./records.js";
import { foldShapeArithmetic, symbolicValue } from "./shapeArithmetic.js";
import { dimOf, type ScalarType } from "./symbolicScalar.js";
import { elementDType } from "./types.js";
import { knownElements, type Imported } from "./values.js";

/** Regions nested deeper than this are refused. */
const MAX_REGION_DEPTH = 256;

export class BlockImporter {
  readonly builder = new JaxprBuilder();
  readonly module: ModuleImporter;
  readonly #parent: BlockImporter | null;
  readonly #depth: number;
  /** Of the call that the function is imported for. */
  readonly #callSource: SourceInfo;
  readonly #values = new Map<MlirValue, Imported>();
  readonly #data = new Materialiser(this);
  /** Variables of the enclosing jaxpr and what they are called here, in order of first use. */
  readonly #captures = new Map<Var, Var>();

  constructor(
    module: ModuleImporter,
    parent: BlockImporter | null = null,
    callSource: SourceInfo = noSource,
  ) {
    this.module = module;
    this.#parent = parent;
    this.#callSource = parent === null ? callSource : parent.#callSource;
    this.#depth = parent === null ? 0 : parent.#depth + 1;
    if (this.#depth > MAX_REGION_DEPTH) throw invalidModule("regions are nested too deeply");
    if (parent !== null) this.builder.source = parent.builder.source;
  }

  /** An importer for a function: it sees nothing of this block. */
  fresh(): BlockImporter {
    return new BlockImporter(this.module, null, withinCall(this.#callSource, this.builder.source));
  }

  /** An importer for a region within this block, which may refer to the values here. */
  child(): BlockImporter {
    return new BlockImporter(this.module, this);
  }

  define(value: MlirValue, imported: Imported): void {
    this.#values.set(value, imported);
  }

  /** What a value is; values of enclosing blocks become captured variables. */
  value(value: MlirValue): Imported {
    const known = this.#values.get(value);
    if (known !== undefined) return known;
    if (this.#parent === null) throw invalidModule("an operation uses a value that is not defined");
    const captured = this.capture(this.#parent.value(value));
    this.#values.set(value, captured);
    return captured;
  }

  /** The value of the enclosing block as seen from here. */
  capture(outer: Imported): Imported {
    if (outer.kind === "atom") {
      return outer.atom.kind === "var" ? { kind: "atom", atom: this.#inner(outer.atom) } : outer;
    }
    if (outer.kind === "broadcast" && outer.source.kind === "var") {
      return { ...outer, source: this.#inner(outer.source) };
    }
    if (outer.kind === "words" && outer.words.kind === "var") {
      return { ...outer, words: this.#inner(outer.words) };
    }
    return outer;
  }

  #inner(outer: Var): Var {
    let inner = this.#captures.get(outer);
    if (inner === undefined) {
      inner = newVar(outer.aval);
      this.#captures.set(outer, inner);
    }
    return inner;
  }

  /** Captured variables: (outer, inner) in order of first use. */
  get captures(): readonly (readonly [outer: Var, inner: Var])[] {
    return [...this.#captures];
  }

  /** Where the current operation comes from, for messages: if it does not say, its caller does. */
  get sourceText(): string {
    const { source } = this.builder;
    return printSource(source.frames.length > 0 ? source : withinCall(this.#callSource, source));
  }

  // --- Values as data and as sizes --------------------------------------------------------------

  operand(op: MlirOperation, index: number): MlirValue {
    const operand = op.operands[index];
    if (operand === undefined) throw invalidModule(`${op.name} lacks operand ${index}`);
    return operand;
  }

  /** A value as an atom of the jaxpr. */
  atom(value: MlirValue): Atom {
    return this.materialise(this.value(value));
  }

  /** All operands of an operation, which must have `count` of them, as atoms. */
  operands(op: MlirOperation, count: number): readonly Atom[] {
    if (op.operands.length !== count) {
      throw invalidModule(`${op.name} has ${op.operands.length} operands, not ${count}`);
    }
    return this.atoms(op.operands);
  }

  atoms(values: readonly MlirValue[]): readonly Atom[] {
    return values.map((value) => this.atom(value));
  }

  materialise(value: Imported): Atom {
    return this.#data.atom(value);
  }

  /** The scalar that all elements of a value equal, if it is known to be one. */
  uniformScalar(value: Imported): Atom | undefined {
    return this.#data.uniformScalar(value);
  }

  /** The dimension variable of this name as a known scalar. */
  dimensionVariable(name: string, type: ScalarType = "int32"): Imported {
    return symbolicValue([variableDim(name, this.module.scope)], [], type);
  }

  /** Known sizes: the elements of an integer tensor as dimensions, or undefined for data. */
  knownDims(value: MlirValue): readonly Dim[] | undefined {
    const known = knownElements(this.value(value));
    if (known === null) return undefined;
    const dims: Dim[] = [];
    for (const element of known.elements) {
      const dim = dimOf(element);
      if (dim === undefined) return undefined;
      dims.push(dim);
    }
    return dims;
  }

  /**
   * Sizes that the result's shape needs.
   *
   * @throws Jax2TfjsError `data-dependent-shape` if they depend on data
   */
  dims(op: MlirOperation, operandIndex: number): readonly Dim[] {
    const dims = this.knownDims(this.operand(op, operandIndex));
    if (dims !== undefined) return dims;
    throw new Jax2TfjsError(
      "data-dependent-shape",
      `a size of ${op.name} is not known from the shapes of the inputs`,
      {
        primitive: op.name,
        equation: printOperation(op),
        source: this.sourceText,
        fix: "make the size a constant or an expression of dimension variables before exporting",
      },
    );
  }

  // --- Equations --------------------------------------------------------------------------------

  /** Adds an equation of the primitive with JAX's name `name`. */
  bind(name: string, inputs: readonly Atom[], params: Params): readonly Var[] {
    const primitive = findPrimitive(name);
    if (primitive === undefined) {
      throw new Jax2TfjsError("unsupported-op", `there is no primitive ${name} yet`, {
        primitive: name,
        equation: `${name}(${inputs.map(({ aval }) => printAval(aval)).join(", ")})`,
        source: this.sourceText,
        fix: "rewrite this part of the function with other operations",
      });
    }
    return this.builder.bind(primitive, inputs, params);
  }

  bindOne(name: string, inputs: readonly Atom[], params: Params): Var {
    const [result] = this.bind(name, inputs, params);
    if (result === undefined) throw new Error(`internal error: ${name} has no result`);
    return result;
  }

  reshape(x: Atom, shape: readonly Dim[]): Atom {
    return this.bindOne("reshape", [x], { new_sizes: shape, dimensions: null });
  }

  /** Adds the equation that an operation stands for; its results must have the module's types. */
  emit(_op: MlirOperation, name: string, inputs: readonly Atom[], params: Params): Imported[] {
    return this.bind(name, inputs, params).map((atom) => ({ kind: "atom", atom }));
  }

  /** Imports all operations of a block; gives the operands of its terminator. */
  run(block: MlirBlock): readonly MlirValue[] {
    for (const op of block.operations) {
      if (op.name === "func.return" || op.name === "stablehlo.return" || op.name === "sdy.return") {
        return op.operands;
      }
      this.#importOperation(op);
    }
    throw invalidModule("a block has no terminator");
  }

  #importOperation(op: MlirOperation): void {
    this.builder.source = sourceOf(op.location);
    const folded = foldShapeArithmetic(op, (value) => this.value(value)) ?? foldCounter(this, op);
    if (folded !== null && op.results[0] !== undefined) {
      this.define(op.results[0], folded);
      return;
    }
    const importer = operations.get(op.name);
    if (importer === undefined) throw unsupportedOperation(op, this.sourceText);
    const results = importer(this, op);
    checkResults(op, results, this.sourceText);
    for (const [index, result] of op.results.entries()) {
      const imported = results[index];
      if (imported === undefined) throw new Error(`internal error: results of ${op.name}`);
      if (imported.kind === "atom" || imported.kind === "broadcast") {
        const dtype = result.type.kind === "tensor" && elementDType(result.type.elementType);
        if (dtype) this.module.noteNarrowed(dtype, this.sourceText);
      }
      this.define(result, imported);
    }
  }

  /** The finished program with the given inputs. */
  finish(inputs: readonly Var[], outputs: readonly Atom[]): ClosedJaxpr {
    const built = this.builder.build(outputs);
    return closedJaxpr({ ...built.jaxpr, invars: inputs }, built.consts);
  }
}
