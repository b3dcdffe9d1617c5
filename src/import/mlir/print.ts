/**
 * Prints a module in MLIR's generic form, character by character as MLIR does (without locations),
 * so that what was read can be compared with what MLIR reads. Also used to look at modules.
 */
import { inherentAttributes } from "./operationSchemas.js";
import {
  type MlirAttribute,
  type MlirBlock,
  type MlirModule,
  type MlirOperation,
  type MlirRegion,
  type MlirValue,
} from "./ir.js";
import { functionType, namedAttributes, type PrintOptions, printType } from "./printAttribute.js";
import { quoted } from "./quoted.js";

/**
 * The module's text in generic form.
 *
 * Constants of more than `largeElementsLimit` elements are elided as MLIR elides them.
 */
export function printMlirModule(
  module: MlirModule,
  options: PrintOptions = { largeElementsLimit: 64 },
): string {
  const printer = new Printer(nameValues(module.operation), options);
  printer.operation(module.operation, "");
  return printer.text();
}

/**
 * Names of all values. MLIR numbers the values of a region before those of the regions inside, and
 * visits regions from a stack: the last one first.
 */
function nameValues(root: MlirOperation): ReadonlyMap<MlirValue, string> {
  const names = new Map<MlirValue, string>();
  let nextValue = 0;
  let nextArgument = 0;
  const nameResults = ({ results }: MlirOperation): void => {
    const [first] = results;
    if (first === undefined) return;
    const name = `%${nextValue++}`;
    results.forEach((result, i) => names.set(result, results.length > 1 ? `${name}#${i}` : name));
  };
  nameResults(root);
  const stack: MlirRegion[] = [...root.regions];
  for (let region = stack.pop(); region !== undefined; region = stack.pop()) {
    region.blocks.forEach((block, i) => {
      for (const argument of block.arguments) {
        names.set(argument, i === 0 ? `%arg${nextArgument++}` : `%${nextValue++}`);
      }
      block.operations.forEach(nameResults);
    });
    for (const block of region.blocks) {
      for (const operation of block.operations) stack.push(...operation.regions);
    }
  }
  return names;
}

class Printer {
  readonly #names: ReadonlyMap<MlirValue, string>;
  readonly #options: PrintOptions;
  readonly #parts: string[] = [];

  constructor(names: ReadonlyMap<MlirValue, string>, options: PrintOptions) {
    this.#names = names;
    this.#options = options;
  }

  text(): string {
    return `${this.#parts.join("")}\n`;
  }

  #name(value: MlirValue): string {
    return this.#names.get(value) ?? "%<unknown>";
  }

  operation(operation: MlirOperation, indent: string): void {
    const { name, operands, results, successors, regions } = operation;
    const [first] = results;
    if (first !== undefined) {
      const group = this.#name(first).replace(/#0$/, "");
      this.#parts.push(results.length > 1 ? `${group}:${results.length} = ` : `${group} = `);
    }
    this.#parts.push(
      `${quoted(name)}(${operands.map((operand) => this.#name(operand)).join(", ")})`,
    );
    if (successors.length > 0) {
      this.#parts.push(`[${successors.map((block) => `^bb${block}`).join(", ")}]`);
    }
    const { inherent, discardable } = splitAttributes(operation);
    if (inherent.size > 0) {
      this.#parts.push(` <{${namedAttributes(inherent, this.#options)}}>`);
    }
    if (regions.length > 0) {
      this.#parts.push(" (");
      regions.forEach((region, i) => {
        if (i > 0) this.#parts.push(", ");
        this.#region(region, indent);
      });
      this.#parts.push(")");
    }
    if (discardable.size > 0) {
      this.#parts.push(` {${namedAttributes(discardable, this.#options)}}`);
    }
    const types = functionType(
      operands.map(({ type }) => type),
      results.map(({ type }) => type),
    );
    this.#parts.push(` : ${types}`);
  }

  #region({ blocks }: MlirRegion, indent: string): void {
    this.#parts.push("{\n");
    blocks.forEach((block, i) => {
      const hasHeader = i > 0 || block.arguments.length > 0 || block.operations.length === 0;
      if (hasHeader) this.#blockHeader(block, i, blocks, indent);
      for (const operation of block.operations) {
        this.#parts.push(`${indent}  `);
        this.operation(operation, `${indent}  `);
        this.#parts.push("\n");
      }
    });
    this.#parts.push(`${indent}}`);
  }

  #blockHeader(
    block: MlirBlock,
    index: number,
    blocks: readonly MlirBlock[],
    indent: string,
  ): void {
    const declared = block.arguments.map(
      (argument) => `${this.#name(argument)}: ${printType(argument.type)}`,
    );
    const list = declared.length === 0 ? "" : `(${declared.join(", ")})`;
    this.#parts.push(`${indent}^bb${index}${list}:${predecessorComment(index, blocks)}\n`);
  }
}

function predecessorComment(index: number, blocks: readonly MlirBlock[]): string {
  const predecessors = blocks.flatMap((block, i) =>
    (block.operations.at(-1)?.successors ?? [])
      .filter((successor) => successor === index)
      .map(() => `^bb${i}`),
  );
  if (predecessors.length === 0) return index === 0 ? "" : "  // no predecessors";
  if (predecessors.length === 1) return `  // pred: ${predecessors.join("")}`;
  return `  // ${predecessors.length} preds: ${predecessors.join(", ")}`;
}

/** MLIR prints the attributes an operation defines (its properties) apart from all others. */
function splitAttributes({ name, attributes }: MlirOperation): {
  inherent: Map<string, MlirAttribute>;
  discardable: Map<string, MlirAttribute>;
} {
  const known = inherentAttributes(name);
  const inherent = new Map<string, MlirAttribute>();
  const discardable = new Map<string, MlirAttribute>();
  for (const [key, value] of attributes) {
    (known.has(key) ? inherent : discardable).set(key, value);
  }
  return { inherent, discardable };
}
