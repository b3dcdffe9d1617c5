/**
 * Attributes and types that the writer stored as assembly text: the few that matter are recognised,
 * the others are kept as text.
 */
import {
  floatTypeNames,
  type FloatTypeName,
  type MlirAttribute,
  type MlirFloatType,
  type MlirType,
} from "./ir.js";

function isFloatTypeName(text: string): text is FloatTypeName {
  return (floatTypeNames as readonly string[]).includes(text);
}

/** The float type called `name`. */
export function floatType(name: FloatTypeName): MlirFloatType {
  return { kind: "float", name };
}

/** A type from its assembly form: small floats (which have no other encoding), or opaque. */
export function typeFromText(text: string, dialect: string, bytes: Uint8Array): MlirType {
  if (isFloatTypeName(text)) return floatType(text);
  if (text === "!stablehlo.token") return { kind: "token" };
  return { kind: "opaque", dialect, text, bytes };
}

/** An attribute from its assembly form. */
export function attributeFromText(text: string, dialect: string, bytes: Uint8Array): MlirAttribute {
  return { kind: "opaque", dialect, text, bytes };
}
