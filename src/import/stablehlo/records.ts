/**
 * The records that equations of an imported program refer to, by JAX's names.
 */
import { registry } from "../../../primitives/index.js";
import type { Primitive } from "../../ir/primitive.js";

/** The record of a primitive, or undefined if there is none. */
export function findPrimitive(name: string): Primitive | undefined {
  return registry.get(name);
}
