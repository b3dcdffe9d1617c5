/**
 * The structure of a function's arguments or results as JAX flattens it: what an export artifact
 * stores instead of Python containers. Read by exported.ts; used wherever leaves need names.
 */

/**
 * A pytree without its leaves. Dictionaries have one key per child, in JAX's (sorted) order; of
 * registered Python classes only the serialized name and, where stored as plain names, the names of
 * the fields are known (never anything pickled).
 */
export type PyTreeDef =
  | { readonly kind: "leaf" }
  | { readonly kind: "none" }
  | { readonly kind: "tuple"; readonly children: readonly PyTreeDef[] }
  | { readonly kind: "list"; readonly children: readonly PyTreeDef[] }
  | {
      readonly kind: "dict";
      readonly keys: readonly string[];
      readonly children: readonly PyTreeDef[];
    }
  | {
      readonly kind: "custom";
      /** The name the class was registered under for serialization. */
      readonly name: string;
      /** Names of the children (a namedtuple's fields, an OrderedDict's keys), if stored. */
      readonly fields: readonly string[] | null;
      readonly children: readonly PyTreeDef[];
      /** What the class stored about itself: opaque bytes, possibly a pickle; never executed. */
      readonly auxData: Uint8Array;
    };

/** One step from a container to a child, like the keys of `jax.tree_util.keystr`. */
export type PathKey =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "attribute"; readonly name: string }
  | { readonly kind: "flatIndex"; readonly index: number };

export type KeyPath = readonly PathKey[];

const orderedDict = "collections.OrderedDict";

function keyOfChild(tree: PyTreeDef, index: number): PathKey {
  if (tree.kind === "dict") return { kind: "key", key: tree.keys[index] ?? "" };
  if (tree.kind !== "custom") return { kind: "index", index };
  const field = tree.fields?.[index];
  if (field === undefined) return { kind: "flatIndex", index };
  return tree.name === orderedDict
    ? { kind: "key", key: field }
    : { kind: "attribute", name: field };
}

/** The children of a node, none for leaves. */
export function childrenOf(tree: PyTreeDef): readonly PyTreeDef[] {
  return tree.kind === "leaf" || tree.kind === "none" ? [] : tree.children;
}

/** For each leaf, in the order in which JAX flattens, the keys that lead to it. */
export function keyPaths(tree: PyTreeDef): KeyPath[] {
  const paths: KeyPath[] = [];
  const visit = (node: PyTreeDef, path: KeyPath): void => {
    if (node.kind === "leaf") paths.push(path);
    childrenOf(node).forEach((child, i) => {
      visit(child, [...path, keyOfChild(node, i)]);
    });
  };
  visit(tree, []);
  return paths;
}

/** The number of leaves. */
export function leafCount(tree: PyTreeDef): number {
  if (tree.kind === "leaf") return 1;
  return childrenOf(tree).reduce((count, child) => count + leafCount(child), 0);
}

/** A path as `jax.tree_util.keystr` writes it: `['params']['Dense_0'][0].mean`. */
export function keyPathText(path: KeyPath): string {
  return path
    .map((key) => {
      switch (key.kind) {
        case "key":
          return `[${pythonString(key.key)}]`;
        case "index":
          return `[${key.index}]`;
        case "attribute":
          return `.${key.name}`;
        case "flatIndex":
          return `[<flat index ${key.index}>]`;
      }
    })
    .join("");
}

/** Python's `repr` of a string of printable characters. */
function pythonString(text: string): string {
  const escaped = text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replace(/'/g, "\\'")}'` : `"${escaped}"`;
}
