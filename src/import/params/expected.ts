/**
 * What a program expects in its parameter file: the leaves of one argument, in flattened order.
 * Made by the importer from the pytree of the program's arguments, consumed by bind.ts.
 */
import type { DType } from "../../ir/dtypes.js";
import type { PyTreeDef } from "../pytreeDef.js";

/** Child number `index` of a custom pytree node whose children's names the artifact does not say. */
export interface UnnamedEntry {
  readonly index: number;
  /** The node's serialized name, such as `flax.nnx.State`. */
  readonly typeName?: string;
}

/** One step of a key path: a dict key, sequence index or attribute name as text, or an unnamed one. */
export type PathEntry = string | UnnamedEntry;

/** A leaf that the program takes. */
export interface ExpectedLeaf {
  /** From the argument (not the argument list) down to the leaf. */
  readonly path: readonly PathEntry[];
  readonly dtype: DType;
  /** Sizes; a text is a symbolic dimension, which any size fits. */
  readonly shape: readonly (number | string)[];
  /** The leaf's place among the flattened arguments of the program. */
  readonly position: number;
}

/** A path as text: entries joined with "/", unnamed ones by their index. */
export function joinPath(path: readonly PathEntry[]): string {
  return path.map((entry) => (typeof entry === "string" ? entry : String(entry.index))).join("/");
}

/** The path of every leaf of a tree, in flattened order. */
export function leafPaths(tree: PyTreeDef): readonly (readonly PathEntry[])[] {
  const paths: (readonly PathEntry[])[] = [];
  const visit = (node: PyTreeDef, path: readonly PathEntry[]): void => {
    if (node.kind === "leaf") paths.push(path);
    if (node.kind === "leaf" || node.kind === "none") return;
    for (const [index, child] of node.children.entries()) {
      visit(child, [...path, entryOfChild(node, index)]);
    }
  };
  visit(tree, []);
  return paths;
}

function entryOfChild(tree: PyTreeDef, index: number): PathEntry {
  if (tree.kind === "dict") return tree.keys[index] ?? String(index);
  if (tree.kind !== "custom") return String(index);
  return tree.fields?.[index] ?? { index, typeName: tree.name };
}
