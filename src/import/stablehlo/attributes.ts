/**
 * Attributes of operations as plain values. Absent optional ones give their default; a malformed
 * one is the artifact's fault and an error that names operation and attribute.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { integerElements } from "../mlir/elements.js";
import type { MlirAttribute, MlirOperation } from "../mlir/ir.js";

/** The error for a module that is not valid StableHLO. */
export function invalidModule(message: string, source?: string): Jax2TfjsError {
  return new Jax2TfjsError("invalid-stablehlo", message, {
    ...(source === undefined ? {} : { source }),
    fix: "export the function again; if the artifact is intact, please report this",
  });
}

function wrong(op: MlirOperation, name: string): Jax2TfjsError {
  return invalidModule(`${op.name} has a missing or malformed attribute ${name}`);
}

function toNumber(value: bigint | number, op: MlirOperation, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw wrong(op, name);
  return number;
}

export function integerAttribute(op: MlirOperation, name: string, absent?: number): number {
  const attribute = op.attributes.get(name);
  if (attribute?.kind === "integer") return toNumber(attribute.value, op, name);
  if (attribute === undefined && absent !== undefined) return absent;
  throw wrong(op, name);
}

export function booleanAttribute(op: MlirOperation, name: string): boolean {
  const attribute = op.attributes.get(name);
  if (attribute === undefined) return false;
  if (attribute.kind === "bool") return attribute.value;
  if (attribute.kind === "unit") return true;
  if (attribute.kind === "integer") return attribute.value !== 0n;
  throw wrong(op, name);
}

/** Integers of `array<i64: …>`, of a dense tensor or of an array attribute. */
export function integersOf(attribute: MlirAttribute): readonly number[] | undefined {
  switch (attribute.kind) {
    case "denseArray":
      return attribute.values.map(Number);
    case "denseElements": {
      const elements = integerElements(attribute).map(Number);
      const count = attribute.type.shape.reduce<number>(
        (product, size) => product * (size ?? 0),
        1,
      );
      if (elements.length === count) return elements;
      const [only] = elements;
      return only === undefined ? undefined : Array.from({ length: count }, () => only);
    }
    case "array": {
      const values: number[] = [];
      for (const element of attribute.elements) {
        if (element.kind !== "integer") return undefined;
        values.push(Number(element.value));
      }
      return values;
    }
    default:
      return undefined;
  }
}

/** A list of integers; `absent` is the value (repeated by the caller) of a missing attribute. */
export function integersAttribute(
  op: MlirOperation,
  name: string,
  absent?: readonly number[],
): readonly number[] {
  const attribute = op.attributes.get(name);
  const values = attribute === undefined ? absent : integersOf(attribute);
  if (values?.every(Number.isSafeInteger) !== true) throw wrong(op, name);
  return values;
}

/** An `n x 2` tensor of integers (padding) as pairs. */
export function pairsAttribute(
  op: MlirOperation,
  name: string,
  absentCount: number,
): readonly (readonly [number, number])[] {
  const flat = integersAttribute(
    op,
    name,
    Array.from({ length: 2 * absentCount }, () => 0),
  );
  const pairs: (readonly [number, number])[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    pairs.push([flat[index] ?? 0, flat[index + 1] ?? 0]);
  }
  if (pairs.length !== absentCount) throw wrong(op, name);
  return pairs;
}

/** The value of an enumeration attribute such as `comparison_direction`. */
export function enumAttribute(op: MlirOperation, name: string, absent?: string): string {
  const attribute = op.attributes.get(name);
  if (attribute?.kind === "enum") return attribute.value;
  if (attribute === undefined && absent !== undefined) return absent;
  throw wrong(op, name);
}

export function stringAttribute(op: MlirOperation, name: string, absent?: string): string {
  const attribute = op.attributes.get(name);
  if (attribute?.kind === "string") return attribute.value;
  if (attribute === undefined && absent !== undefined) return absent;
  throw wrong(op, name);
}

/** The name that a symbol reference holds (`callee = @relu`). */
export function symbolAttribute(op: MlirOperation, name: string): string {
  const attribute = op.attributes.get(name);
  if (attribute?.kind !== "symbolRef") throw wrong(op, name);
  return attribute.nested.at(-1) ?? attribute.root;
}

/** The symbols of an array of references (`called_computations`). */
export function symbolsAttribute(op: MlirOperation, name: string): readonly string[] {
  const attribute = op.attributes.get(name);
  if (attribute?.kind !== "array") throw wrong(op, name);
  return attribute.elements.map((element) => {
    if (element.kind !== "symbolRef") throw wrong(op, name);
    return element.root;
  });
}

/** A structured attribute (`dotDimensionNumbers`, …) of the given kind. */
export function structuredAttribute<K extends MlirAttribute["kind"]>(
  op: MlirOperation,
  name: string,
  kind: K,
): Extract<MlirAttribute, { readonly kind: K }> {
  const attribute = op.attributes.get(name);
  if (attribute?.kind === kind) {
    return attribute as Extract<MlirAttribute, { readonly kind: K }>;
  }
  throw wrong(op, name);
}

/** JAX's precision parameter from `precision_config`: null for the default. */
export function precisionAttribute(op: MlirOperation): string | null {
  const attribute = op.attributes.get("precision_config");
  if (attribute === undefined) return null;
  if (attribute.kind !== "array") throw wrong(op, "precision_config");
  const values = attribute.elements.map((element) => {
    if (element.kind !== "enum") throw wrong(op, "precision_config");
    return element.value;
  });
  return values.find((value) => value !== "DEFAULT") ?? null;
}
