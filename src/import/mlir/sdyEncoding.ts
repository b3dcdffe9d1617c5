/**
 * Bytecode encoding of the sharding dialect (sdy). Shardings mean nothing on the single device of a
 * TensorFlow.js program, so they are decoded to the text MLIR prints for them and kept as that.
 * Called by table.ts.
 */
import { corrupt } from "./cursor.js";
import { type EntryReader } from "./entryReader.js";
import { type MlirAttribute } from "./ir.js";

/** Texts contain texts; what is longer than this comes from a damaged file. */
const longestText = 1 << 20;

/** Per code: the name printed after `#sdy.`, and how the rest is read. */
const encodings: readonly (readonly [name: string, read: (reader: EntryReader) => string])[] = [
  ["manual_axes", (r) => braces(list(r, () => JSON.stringify(r.stringAttribute())))],
  ["mesh_axis", (r) => `${quoted(r.string())}=${r.cursor.signedVarint()}`],
  ["mesh", mesh],
  ["sub_axis_info", (r) => `(${r.cursor.signedVarint()})${r.cursor.signedVarint()}`],
  ["axis_ref", axisRef],
  ["dimension_sharding", dimensionSharding],
  ["sharding", (r) => sharding(r, "axes")],
  ["sharding_per_value", (r) => `<[${nested(r).join(", ")}]>`],
  ["dim_mapping", (r) => r.signedVarints().map(factor).join("")],
  ["tensor_mapping", (r) => `[${nested(r).join(", ")}]`],
  ["op_sharding_rule", shardingRule],
  ["axis_ref_list", (r) => braces(nested(r))],
  ["list_of_axis_ref_lists", (r) => `[${nested(r).join(", ")}]`],
  [
    "all_to_all_param",
    (r) => `${braces(nested(r))}: ${r.cursor.signedVarint()}->${r.cursor.signedVarint()}`,
  ],
  ["all_to_all_param_list", (r) => `[${nested(r).join(", ")}]`],
  ["sharding", (r) => sharding(r, "unreduced")],
  ["sharding_per_value", (r) => `<[${nested(r).join(", ")}]>`],
  ["sharding", (r) => sharding(r, "reduction")],
];

/** Decodes an sdy attribute. */
export function decodeSdyAttribute(reader: EntryReader): MlirAttribute | null {
  const encoding = encodings[reader.cursor.varint()];
  if (encoding === undefined) return null;
  const [name, read] = encoding;
  const contents = read(reader);
  if (contents.length > longestText) throw corrupt("a sharding attribute of impossible size");
  // MLIR's short form is for contents in angle brackets.
  const text = contents.startsWith("<") ? `#sdy.${name}${contents}` : `#sdy<${name}${contents}>`;
  const attribute: MlirAttribute = {
    kind: "opaque",
    dialect: "sdy",
    text,
    bytes: new Uint8Array(),
  };
  contentsOf.set(attribute, contents);
  return attribute;
}

/** The texts of sdy attributes as they are inside other sdy attributes: without their names. */
const contentsOf = new WeakMap<MlirAttribute, string>();

const quoted = (name: string): string => JSON.stringify(name);
const braces = (items: readonly string[]): string => `{${items.join(", ")}}`;

function list(reader: EntryReader, readOne: () => string): string[] {
  let size = 0;
  return reader.cursor.list("items", () => {
    const text = readOne();
    size += text.length;
    if (size > longestText) throw corrupt("a sharding attribute of impossible size");
    return text;
  });
}

/** An sdy attribute inside another; or a symbol. */
function stripped(attribute: MlirAttribute): string {
  if (attribute.kind === "symbolRef") return `@${attribute.root}`;
  const contents = contentsOf.get(attribute);
  if (contents === undefined) throw corrupt(`a sharding attribute contains ${attribute.kind}`);
  return contents;
}

const nested = (reader: EntryReader): string[] => list(reader, () => stripped(reader.attribute()));

function mesh(reader: EntryReader): string {
  const axes = nested(reader).join(", ");
  const devices = reader.signedVarints();
  return devices.length === 0 ? `<[${axes}]>` : `<[${axes}], device_ids=[${devices.join(", ")}]>`;
}

function axisRef(reader: EntryReader): string {
  const name = quoted(reader.string());
  const subAxis = reader.optionalAttribute();
  return subAxis === null ? name : `${name}:${stripped(subAxis)}`;
}

function dimensionSharding(reader: EntryReader): string {
  const axes = nested(reader);
  const closed = reader.cursor.byte() !== 0;
  const hasPriority = reader.cursor.varint();
  const priority = hasPriority % 2 === 1 ? `p${(hasPriority - 1) / 2}` : "";
  return braces(closed ? axes : [...axes, "?"]) + priority;
}

const reductions = ["", "max", "min"];

function sharding(reader: EntryReader, fields: "axes" | "unreduced" | "reduction"): string {
  const meshAttribute = reader.attribute();
  const meshText = stripped(meshAttribute);
  const parts = [
    meshAttribute.kind === "symbolRef" ? meshText : `mesh${meshText}`,
    `[${nested(reader).join(", ")}]`,
  ];
  const replicated = nested(reader);
  if (replicated.length > 0) parts.push(`replicated=${braces(replicated)}`);
  const unreduced = fields === "axes" ? [] : nested(reader);
  const reduction = fields === "reduction" ? reader.cursor.signedVarint() : 0;
  if (unreduced.length > 0) {
    parts.push(`unreduced=${reductions[reduction] ?? ""}${braces(unreduced)}`);
  }
  return `<${parts.join(", ")}>`;
}

/** Factors are called i to z, then z_1, z_2 and so on. */
function factor(index: number): string {
  const letters = "ijklmnopqrstuvwxyz";
  return letters[index] ?? `z_${index - letters.length + 1}`;
}

function shardingRule(reader: EntryReader): string {
  const sizes = reader.signedVarints();
  const operands = nested(reader).join(", ");
  const results = nested(reader).join(", ");
  let text = `(${operands})->(${results})`;
  if (sizes.length > 0) text += ` ${braces(sizes.map((size, i) => `${factor(i)}=${size}`))}`;
  for (const name of ["reduction", "need_replication", "permutation", "blocked_propagation"]) {
    const factors = reader.signedVarints();
    if (factors.length > 0) text += ` ${name}=${braces(factors.map(factor))}`;
  }
  return `<${text}${reader.cursor.byte() === 0 ? "" : ", custom"}>`;
}
