/**
 * Entry point of the MLIR bytecode reader: bytes of a portable StableHLO artifact to a module of
 * StableHLO operations. Called by the importer.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { readContainer } from "./container.js";
import { corrupt } from "./cursor.js";
import { type MlirModule } from "./ir.js";
import { OperationReader } from "./operations.js";
import { makeTables } from "./table.js";
import { upgradeOperation } from "./upgrade.js";

/** The first bytes of MLIR bytecode: `ML`, 0xEF, `R`. */
export const mlirMagic: readonly number[] = [0x4d, 0x4c, 0xef, 0x52];

/** True if `bytes` begin as MLIR bytecode does. */
export function isMlirBytecode(bytes: Uint8Array): boolean {
  return mlirMagic.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads MLIR bytecode (all versions up to 6) that holds a portable StableHLO artifact, upgrading
 * its VHLO operations to StableHLO. Constants of the result are views of `bytes`, not copies.
 *
 * Throws `artifact-empty`, `artifact-truncated`, `artifact-corrupt`, `artifact-not-mlir`,
 * `artifact-version-unsupported` (newer bytecode), and `unknown-op` (a newer VHLO operation).
 */
export function readMlirModule(bytes: Uint8Array): MlirModule {
  if (bytes.length === 0) {
    throw new Jax2TfjsError("artifact-empty", "the MLIR module is empty (0 bytes)");
  }
  if (!isMlirBytecode(bytes)) {
    throw new Jax2TfjsError("artifact-not-mlir", "the module is not MLIR bytecode", {
      fix: "give the bytes of Exported.mlir_module_serialized or of Exported.serialize()",
    });
  }
  const container = readContainer(bytes);
  const reader = new OperationReader(container, makeTables(container), upgradeOperation);
  const [operation, ...others] = reader.readTopLevel();
  if (operation === undefined || others.length > 0 || operation.name !== "builtin.module") {
    throw corrupt("the file does not contain exactly one module");
  }
  const { version: bytecodeVersion, producer } = container;
  return { operation, bytecodeVersion, producer };
}
