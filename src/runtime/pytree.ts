/**
 * Pytrees of tensors by the description in a model's metadata: the arguments of a JAX function as
 * the flat list that the model takes, and its flat results as the value the function returned.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import { corrupt, list, record, text } from "./json.js";

/** The structure of a pytree, as JAX's `PyTreeDef`. */
export interface TreeDescription {
  readonly kind: "leaf" | "none" | "tuple" | "list" | "dict" | "custom";
  /** Of a dict, sorted as JAX does. */
  readonly keys?: readonly string[];
  /** The class of a custom node. */
  readonly name?: string;
  /** The fields of a custom node, where they have names. */
  readonly fields?: readonly string[];
  readonly children?: readonly TreeDescription[];
}

/**
 * A pytree with leaves of type `Leaf`: lists and tuples are arrays, dicts and custom nodes are
 * objects by their keys or fields (custom nodes without named fields are arrays), None is null.
 */
export type Tree<Leaf> =
  Leaf | null | undefined | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> };

/** Deeper trees are no JAX program's. */
const deepestTree = 500;

/** Reads a pytree of the metadata. @throws Jax2TfjsError `model-corrupt` */
export function readTree(value: unknown, depth = 0): TreeDescription {
  const { kind, keys, name, fields, children } = record(value, "a tree");
  const known = ["leaf", "none", "tuple", "list", "dict", "custom"] as const;
  const found = known.find((item) => item === kind);
  if (found === undefined || depth > deepestTree) throw corrupt("a tree of unknown kind");
  const texts = (items: unknown): readonly string[] =>
    list(items, "the keys of a tree").map((item) => text(item, "a key of a tree"));
  return {
    kind: found,
    ...(keys === undefined ? {} : { keys: texts(keys) }),
    ...(typeof name === "string" ? { name } : {}),
    ...(fields === undefined ? {} : { fields: texts(fields) }),
    children: list(children ?? [], "the children of a tree").map((child) =>
      readTree(child, depth + 1),
    ),
  };
}

export function countLeaves(tree: TreeDescription): number {
  if (tree.kind === "leaf") return 1;
  return (tree.children ?? []).reduce((sum, child) => sum + countLeaves(child), 0);
}

/** The names under which the children of a node are found; null for places in an array. */
function childNames(tree: TreeDescription): readonly string[] | null {
  if (tree.kind === "dict") return tree.keys ?? [];
  return tree.kind === "custom" ? (tree.fields ?? null) : null;
}

function mismatch(path: string, expected: string, value: unknown): Jax2TfjsError {
  const found = value === undefined ? "is missing" : `is ${describe(value)}`;
  return new Jax2TfjsError("pytree-mismatch", `${path} ${found}, expected ${expected}.`, {
    fix: "pass the arguments with the structure that the function had in JAX",
  });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const keys = Object.keys(value);
  return `an object with the keys ${keys.slice(0, 8).join(", ")}${keys.length > 8 ? ", …" : ""}`;
}

/** How leaves are told from nodes, and which leaves are wanted. */
export interface FlattenOptions<Leaf> {
  readonly isLeaf: (value: unknown) => value is Leaf;
  /** Whether the leaf at a position of the flat list is taken; others may be left out. */
  readonly isTaken: (position: number) => boolean;
}

/**
 * The taken leaves of a value in flattened order. Parts of the tree without taken leaves (bound
 * parameters) may be anything, and keys of them may be missing.
 *
 * @param path what messages call the value, such as `args[0]`
 * @param first the position of the first leaf
 * @throws Jax2TfjsError `pytree-mismatch` where the structure is another
 */
export function flattenTree<Leaf>(
  tree: TreeDescription,
  value: unknown,
  path: string,
  first: number,
  options: FlattenOptions<Leaf>,
): readonly Leaf[] {
  const count = countLeaves(tree);
  const positions = Array.from({ length: count }, (_, index) => first + index);
  if (!positions.some(options.isTaken)) return [];
  if (tree.kind === "leaf") {
    if (options.isLeaf(value)) return [value];
    throw mismatch(path, "a tensor", value);
  }
  const children = tree.children ?? [];
  const names = childNames(tree);
  if (names === null ? !Array.isArray(value) : !isObject(value)) {
    const expected = names === null ? `a list of ${children.length}` : keysText(names);
    throw mismatch(path, expected, value);
  }
  const known = new Set(names ?? children.map((_, index) => String(index)));
  const unknown = Object.keys(value as object).find((key) => !known.has(key));
  if (unknown !== undefined) {
    const expected = names === null ? `a list of ${children.length}` : keysText(names);
    throw mismatch(path, expected, value);
  }
  let next = first;
  return children.flatMap((child, index) => {
    const key = names?.[index] ?? String(index);
    const step = names === null ? `[${index}]` : `['${key}']`;
    const inner = (value as Readonly<Record<string, unknown>>)[key];
    const leaves = flattenTree(child, inner, path + step, next, options);
    next += countLeaves(child);
    return leaves;
  });
}

const keysText = (names: readonly string[]): string =>
  `an object with the keys ${names.join(", ")}`;

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value that a flat list of leaves makes. There must be as many leaves as the tree has. */
export function unflattenTree<Leaf>(tree: TreeDescription, leaves: readonly Leaf[]): Tree<Leaf> {
  let next = 0;
  const build = (node: TreeDescription): Tree<Leaf> => {
    if (node.kind === "leaf") return leaves[next++];
    if (node.kind === "none") return null;
    const children = (node.children ?? []).map(build);
    const names = childNames(node);
    if (names === null) return children;
    return Object.fromEntries(names.map((name, index) => [name, children[index]]));
  };
  return build(tree);
}
