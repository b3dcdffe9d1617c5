/**
 * The type of the tables that say how each operation is imported: one file per family, joined in
 * operations.ts.
 */
import type { MlirOperation } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import type { Imported } from "./values.js";

/** Imports one operation: gives what each of its results is. */
export type OperationImporter = (block: BlockImporter, op: MlirOperation) => readonly Imported[];

export type OperationTable = Readonly<Record<string, OperationImporter>>;
