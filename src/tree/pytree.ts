/**
 * Pytrees: nested containers of arrays. Plain objects are dicts (keys in order of their code units,
 * as JAX sorts them), arrays are lists, `tuple(...)` makes tuples, null and undefined are empty, and
 * classes can be registered; everything else is a leaf. JAX's counterpart is `jax.tree`.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import { isHostArray } from "../ir/hostArray.js";
import { registeredType, type NodeType } from "./registry.js";

/** A JAX tuple: an array that pytrees tell from a list. */
export class Tuple<Item = unknown> extends Array<Item> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** Makes a tuple, for arguments of programs whose pytrees have tuples. */
export function tuple<Items extends readonly unknown[]>(
  ...items: Items
): Tuple<Items[number]> & { [Index in keyof Items]: Items[Index] } {
  const made = new Tuple<Items[number]>();
  made.push(...items);
  return made as Tuple<Items[number]> & { [Index in keyof Items]: Items[Index] };
}

/** The structure of a pytree without its leaves. JAX's counterpart is `PyTreeDef`. */
export type TreeDef =
  | { readonly kind: "leaf" }
  | { readonly kind: "none" }
  | { readonly kind: "list" | "tuple"; readonly children: readonly TreeDef[] }
  | {
      readonly kind: "dict";
      readonly keys: readonly string[];
      readonly children: readonly TreeDef[];
    }
  | {
      readonly kind: "custom";
      readonly type: NodeType;
      readonly auxiliary: unknown;
      readonly children: readonly TreeDef[];
    };

const leaf: TreeDef = { kind: "leaf" };
const none: TreeDef = { kind: "none" };

/** Says of a node that it is to be taken as a leaf. */
export type IsLeaf = (value: unknown) => boolean;

function isPlainObject(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A node with its children, or null for a leaf. */
interface OpenNode {
  readonly children: readonly unknown[];
  close(children: readonly TreeDef[]): TreeDef;
  path(index: number): string;
}

function openNode(value: unknown): OpenNode | "none" | null {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "object" || isHostArray(value)) return null;
  if (Array.isArray(value)) {
    const kind = value instanceof Tuple ? "tuple" : "list";
    return {
      children: value,
      close: (children) => ({ kind, children }),
      path: (index) => `[${index}]`,
    };
  }
  const type = registeredType(value);
  if (type !== undefined) {
    const { children: parts, auxiliary } = type.flatten(value);
    return {
      children: parts,
      close: (children) => ({ kind: "custom", type, auxiliary, children }),
      path: (index) => type.childName(index),
    };
  }
  if (!isPlainObject(value)) return null;
  const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    children: keys.map((key) => value[key]),
    close: (children) => ({ kind: "dict", keys, children }),
    path: (index) => `['${keys[index] ?? ""}']`,
  };
}

/** A leaf with the way to it, as JAX prints it: `['Dense_0']['kernel']`. */
export interface LeafWithPath {
  readonly path: string;
  readonly value: unknown;
}

/**
 * Takes a pytree apart, with the key path of each leaf. JAX's counterpart is
 * `jax.tree.flatten_with_path`.
 *
 * @throws Jax2TfjsError `pytree-cycle` for an object that contains itself
 */
export function flattenWithPath(
  tree: unknown,
  isLeaf?: IsLeaf,
): readonly [leaves: readonly LeafWithPath[], structure: TreeDef] {
  const leaves: LeafWithPath[] = [];
  const open = new Set<unknown>();
  const visit = (value: unknown, path: string): TreeDef => {
    const node = isLeaf?.(value) === true ? null : openNode(value);
    if (node === "none") return none;
    if (node === null) {
      leaves.push({ path, value });
      return leaf;
    }
    if (open.has(value)) {
      throw new Jax2TfjsError(
        "pytree-cycle",
        `the pytree contains itself at ${path || "its root"}`,
      );
    }
    open.add(value);
    const children = node.children.map((child, index) => visit(child, path + node.path(index)));
    open.delete(value);
    return node.close(children);
  };
  const structure = visit(tree, "");
  return [leaves, structure];
}

/** Takes a pytree apart. JAX's counterpart is `jax.tree.flatten`. */
export function flatten(
  tree: unknown,
  isLeaf?: IsLeaf,
): readonly [leaves: readonly unknown[], structure: TreeDef] {
  const [leaves, structure] = flattenWithPath(tree, isLeaf);
  return [leaves.map(({ value }) => value), structure];
}

/** The leaves in flattened order. JAX's counterpart is `jax.tree.leaves`. */
export function leaves(tree: unknown, isLeaf?: IsLeaf): readonly unknown[] {
  return flatten(tree, isLeaf)[0];
}

/** The structure without the leaves. JAX's counterpart is `jax.tree.structure`. */
export function structure(tree: unknown, isLeaf?: IsLeaf): TreeDef {
  return flatten(tree, isLeaf)[1];
}

/** The key paths of the leaves in flattened order, as JAX prints them: `['a'][0]`. */
export function keyPaths(tree: unknown, isLeaf?: IsLeaf): readonly string[] {
  return flattenWithPath(tree, isLeaf)[0].map(({ path }) => path);
}

export function childrenOf(def: TreeDef): readonly TreeDef[] {
  return def.kind === "leaf" || def.kind === "none" ? [] : def.children;
}

/** How many leaves a structure has. */
export function leafCount(def: TreeDef): number {
  if (def.kind === "leaf") return 1;
  return childrenOf(def).reduce((sum, child) => sum + leafCount(child), 0);
}

/**
 * Puts a pytree together. JAX's counterpart is `jax.tree.unflatten`.
 *
 * @throws Jax2TfjsError `pytree-mismatch` if there are fewer or more leaves than places
 */
export function unflatten(def: TreeDef, values: readonly unknown[]): unknown {
  const count = leafCount(def);
  if (count !== values.length) {
    throw new Jax2TfjsError(
      "pytree-mismatch",
      `${values.length} leaves for the structure ${printTree(def)}, which has ${count}`,
    );
  }
  let next = 0;
  const make = (node: TreeDef): unknown => {
    switch (node.kind) {
      case "leaf":
        return values[next++];
      case "none":
        return null;
      case "list":
        return node.children.map(make);
      case "tuple":
        return tuple(...node.children.map(make));
      case "dict": {
        const children = node.children.map(make);
        return Object.fromEntries(node.keys.map((key, index) => [key, children[index]]));
      }
      case "custom":
        return node.type.unflatten(node.auxiliary, node.children.map(make));
    }
  };
  return make(def);
}

function sameAuxiliary(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  return (
    Array.isArray(a) &&
    Array.isArray(b) &&
    a.length === b.length &&
    a.every((item, index) => Object.is(item, b[index]))
  );
}

/** Whether two structures are the same. */
export function treeEquals(a: TreeDef, b: TreeDef): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === "dict" && b.kind === "dict") {
    if (a.keys.length !== b.keys.length) return false;
    if (!a.keys.every((key, index) => key === b.keys[index])) return false;
  }
  if (a.kind === "custom" && b.kind === "custom") {
    if (a.type !== b.type || !sameAuxiliary(a.auxiliary, b.auxiliary)) return false;
  }
  const [left, right] = [childrenOf(a), childrenOf(b)];
  return (
    left.length === right.length &&
    left.every((child, index) => {
      const other = right[index];
      return other !== undefined && treeEquals(child, other);
    })
  );
}

function printNode(def: TreeDef): string {
  const children = childrenOf(def).map(printNode);
  switch (def.kind) {
    case "leaf":
      return "*";
    case "none":
      return "None";
    case "list":
      return `[${children.join(", ")}]`;
    case "tuple":
      return children.length === 1 ? `(${children.join("")},)` : `(${children.join(", ")})`;
    case "dict":
      return `{${def.keys.map((key, index) => `'${key}': ${children[index] ?? ""}`).join(", ")}}`;
    case "custom":
      return `CustomNode(${def.type.name}, [${children.join(", ")}])`;
  }
}

/** As JAX prints a structure: `PyTreeDef({'a': *, 'b': [*, *]})`. */
export function printTree(def: TreeDef): string {
  return `PyTreeDef(${printNode(def)})`;
}

/** What the types take for a leaf: arrays of any kind, numbers, truth values. */
export type LeafValue = { readonly dtype: string } | ArrayBufferView | number | bigint | boolean;

/** The leaves of a pytree type. */
export type LeafOf<T> = T extends LeafValue
  ? T
  : T extends null | undefined
    ? never
    : T extends readonly (infer Item)[]
      ? LeafOf<Item>
      : T extends object
        ? LeafOf<T[keyof T]>
        : T;

/** A pytree type with other leaves. */
export type MapLeaves<T, Leaf> = [T] extends [LeafValue] ? Leaf : MapParts<T, Leaf>;

/** The same for one member of a union after the other. */
type MapParts<T, Leaf> = T extends LeafValue
  ? Leaf
  : T extends null | undefined
    ? T
    : T extends object
      ? { -readonly [Key in keyof T]: MapLeaves<T[Key], Leaf> }
      : Leaf;

/**
 * Applies a function to the leaves of one or several pytrees of the same structure. JAX's
 * counterpart is `jax.tree.map`.
 *
 * @throws Jax2TfjsError `pytree-mismatch` if the structures differ
 */
export function map<T, Result>(
  f: (leaf: LeafOf<NoInfer<T>>, ...others: LeafOf<NoInfer<T>>[]) => Result,
  tree: T,
  ...rest: readonly unknown[]
): MapLeaves<T, Result> {
  const [first, def] = flatten(tree);
  const others = rest.map((other) => {
    const [values, otherDef] = flatten(other);
    if (!treeEquals(def, otherDef)) throw structureMismatch(def, otherDef);
    return values;
  });
  // The leaves are those of T by the way T was taken apart.
  const results = first.map((value, index) =>
    f(value as LeafOf<T>, ...others.map((values) => values[index] as LeafOf<T>)),
  );
  return unflatten(def, results) as MapLeaves<T, Result>;
}

export function structureMismatch(expected: TreeDef, found: TreeDef): Jax2TfjsError {
  return new Jax2TfjsError(
    "pytree-mismatch",
    `the pytrees differ: ${printTree(found)} where ${printTree(expected)} was expected`,
  );
}

/**
 * Spreads the leaves of a prefix over the leaves of a whole pytree: `0` for `[x, y]` gives `[0, 0]`.
 * JAX's counterpart is `jax.tree_util.broadcast_prefix`.
 *
 * @param what names the prefix in the error: "in_axes"
 * @throws Jax2TfjsError `pytree-mismatch` if `prefix` is no prefix
 */
export function broadcastPrefix(
  prefix: unknown,
  tree: unknown,
  what: string,
  isLeaf: IsLeaf = () => false,
): readonly unknown[] {
  const result: unknown[] = [];
  const visit = (part: unknown, value: unknown, path: string): void => {
    const wanted = isLeaf(part) ? null : openNode(part);
    if (wanted === null) {
      leaves(value).forEach(() => result.push(part));
      return;
    }
    const given = openNode(value);
    if (wanted === "none" && given === "none") return;
    if (
      wanted === "none" ||
      given === "none" ||
      given === null ||
      !sameContainer(part, wanted, value, given)
    ) {
      throw new Jax2TfjsError(
        "pytree-mismatch",
        `${what} is no prefix of the pytree it is for, at ${path || "its root"}: ` +
          `${printTree(structure(part, isLeaf))} for ${printTree(structure(value))}`,
      );
    }
    wanted.children.forEach((child, index) => {
      visit(child, given.children[index], path + given.path(index));
    });
  };
  visit(prefix, tree, "");
  return result;
}

function sameContainer(part: unknown, wanted: OpenNode, value: unknown, given: OpenNode): boolean {
  if (wanted.children.length !== given.children.length) return false;
  // A list is taken for a tuple and the other way round: TypeScript has one literal for both.
  if (Array.isArray(part) && Array.isArray(value)) return true;
  const children = wanted.children.map((): TreeDef => leaf);
  return treeEquals(wanted.close(children), given.close(children));
}
