/**
 * The dictionary of options that custom calls carry.
 */
import type { MlirAttribute, MlirOperation } from "../mlir/ir.js";
import { invalidModule } from "./attributes.js";

/** The dictionary that describes a call: where it is depends on the version. */
export function configuration(op: MlirOperation): ReadonlyMap<string, MlirAttribute> {
  for (const name of ["mhlo.backend_config", "backend_config", "mhlo.attributes"]) {
    const attribute = op.attributes.get(name);
    if (attribute?.kind === "dictionary") return attribute.entries;
  }
  return new Map();
}

/** A number that the dictionary must hold. */
export function configurationNumber(op: MlirOperation, name: string): number {
  const attribute = configuration(op).get(name);
  if (attribute?.kind === "integer") return Number(attribute.value);
  throw invalidModule(`a custom call lacks ${name} in its configuration`);
}
