/**
 * What is shared while one module is imported: its functions, the functions already imported, the
 * scope of dimension variables, options and warnings. Made by importModule.ts.
 */
import type { SymbolicScope } from "../../ir/dims.js";
import type { DType } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { ClosedJaxpr } from "../../ir/jaxpr.js";
import type { MlirModule, MlirOperation, MlirValue } from "../mlir/ir.js";
import { invalidModule } from "./attributes.js";
import { canonicalDType } from "./types.js";
import type { Imported } from "./values.js";

/** Functions nested deeper than this are refused: no JAX program comes near. */
const MAX_CALL_DEPTH = 256;

export interface ModuleImportOptions {
  /** Refuse 64-bit values instead of computing in 32 bits. */
  readonly strictDtypes: boolean;
  /** Names of the dimension variables that the input types define. */
  readonly dimensionVariables: ReadonlySet<string>;
}

/** An input-shape condition that the module checks at run time. */
export interface ShapeAssertion {
  /** The message, with `{0}`, `{1}`, … for the values. */
  readonly message: string;
  /** The condition and the values of the message, printed as expressions. */
  readonly condition: string;
  readonly values: readonly string[];
}

/** A function imported for arguments of certain types and known contents. */
export interface FunctionInstance {
  readonly program: ClosedJaxpr;
  /** Per result of the function: a known value, or the position among the program's outputs. */
  readonly results: readonly (Imported | number)[];
}

export class ModuleImporter {
  readonly functions = new Map<string, MlirOperation>();
  readonly instances = new Map<string, FunctionInstance>();
  readonly shapeAssertions: ShapeAssertion[] = [];
  /** 64-bit element types of values that are computed in 32 bits. */
  readonly narrowed = new Set<DType>();
  #definitions: Map<MlirValue, MlirOperation> | undefined;
  #used: Set<MlirValue> | undefined;
  readonly #callStack: string[] = [];

  constructor(
    readonly module: MlirModule,
    readonly scope: SymbolicScope,
    readonly options: ModuleImportOptions,
  ) {
    for (const op of topLevelOperations(module)) {
      const name = op.attributes.get("sym_name");
      if (op.name === "func.func" && name?.kind === "string") this.functions.set(name.value, op);
    }
  }

  /** A function by its symbol. */
  function(name: string): MlirOperation {
    const found = this.functions.get(name);
    if (found === undefined)
      throw invalidModule(`the module calls @${name}, which it does not hold`);
    return found;
  }

  /** Runs `body` as the import of `name`, refusing recursion and absurd depths. */
  within<T>(name: string, body: () => T): T {
    if (this.#callStack.includes(name)) {
      throw invalidModule(`function @${name} calls itself, which StableHLO does not allow`);
    }
    if (this.#callStack.length >= MAX_CALL_DEPTH) {
      throw invalidModule(`functions call each other more than ${MAX_CALL_DEPTH} levels deep`);
    }
    this.#callStack.push(name);
    try {
      return body();
    } finally {
      this.#callStack.pop();
    }
  }

  /** The operation that defines a value; undefined for block arguments. */
  definition(value: MlirValue): MlirOperation | undefined {
    this.#definitions ??= this.#index().definitions;
    return this.#definitions.get(value);
  }

  /** True if some operation has the value as an operand. */
  isUsed(value: MlirValue): boolean {
    this.#used ??= this.#index().used;
    return this.#used.has(value);
  }

  /** Records that a 64-bit value is computed in 32 bits, or refuses it. */
  noteNarrowed(dtype: DType, source: string): void {
    if (canonicalDType(dtype) === dtype) return;
    if (this.options.strictDtypes) {
      throw new Jax2TfjsError("unsupported-dtype", `the program computes with ${dtype} values`, {
        source,
        fix:
          "export it with jax_enable_x64 off, or import it without strictDtypes to compute in " +
          canonicalDType(dtype),
      });
    }
    this.narrowed.add(dtype);
  }

  #index(): { definitions: Map<MlirValue, MlirOperation>; used: Set<MlirValue> } {
    const definitions = new Map<MlirValue, MlirOperation>();
    const used = new Set<MlirValue>();
    const pending = [this.module.operation];
    for (let op = pending.pop(); op !== undefined; op = pending.pop()) {
      for (const operand of op.operands) used.add(operand);
      for (const result of op.results) definitions.set(result, op);
      for (const region of op.regions) {
        for (const block of region.blocks) {
          for (const inner of block.operations) pending.push(inner);
        }
      }
    }
    this.#definitions = definitions;
    this.#used = used;
    return { definitions, used };
  }
}

/** The operations directly in the module: functions and meshes. */
export function topLevelOperations(module: MlirModule): readonly MlirOperation[] {
  return module.operation.regions.flatMap((region) =>
    region.blocks.flatMap((block) => block.operations),
  );
}

/** The messages of the shape assertions in the module, in order. */
export function shapeAssertionMessages(module: MlirModule): readonly string[] {
  return topLevelOperations(module).flatMap((callee) =>
    callee.regions.flatMap((region) =>
      region.blocks.flatMap((block) =>
        block.operations.flatMap((op) => {
          const target = op.attributes.get("call_target_name");
          const message = op.attributes.get("error_message");
          const isAssertion = target?.kind === "string" && target.value === "shape_assertion";
          return isAssertion && message?.kind === "string" ? [message.value] : [];
        }),
      ),
    ),
  );
}
