/** Further functions of pytrees, under the names of `jax.tree` and `jax.tree_util`. */
import { Jax2TfjsError } from "../ir/errors.js";
import {
  broadcastPrefix,
  childrenOf,
  flatten,
  flattenWithPath,
  leafCount,
  leaves,
  structure,
  structureMismatch,
  treeEquals,
  unflatten,
  type IsLeaf,
  type LeafOf,
  type LeafWithPath,
  type MapLeaves,
  type TreeDef,
} from "./pytree.js";

/** Whether all leaves count as true, in JavaScript's sense. JAX's counterpart is `jax.tree.all`. */
export function all(tree: unknown, isLeaf?: IsLeaf): boolean {
  return leaves(tree, isLeaf).every(Boolean);
}

/** Whether none of several values is a container. JAX's counterpart is `jax.tree_util.all_leaves`. */
export function allLeaves(values: readonly unknown[], isLeaf?: IsLeaf): boolean {
  return values.every((value) => structure(value, isLeaf).kind === "leaf");
}

/** The leaves with the ways to them. JAX's counterpart is `jax.tree.leaves_with_path`. */
export function leavesWithPath(tree: unknown, isLeaf?: IsLeaf): readonly LeafWithPath[] {
  return flattenWithPath(tree, isLeaf)[0];
}

/**
 * As `map`, with the way to each leaf first: `['params'][0]`. JAX's counterpart is
 * `jax.tree.map_with_path`.
 *
 * @throws Jax2TfjsError `pytree-mismatch` if the structures differ
 */
export function mapWithPath<T, Result>(
  f: (path: string, leaf: LeafOf<NoInfer<T>>, ...others: LeafOf<NoInfer<T>>[]) => Result,
  tree: T,
  ...rest: readonly unknown[]
): MapLeaves<T, Result> {
  const [first, def] = flattenWithPath(tree);
  const others = rest.map((other) => {
    const [values, otherDef] = flatten(other);
    if (!treeEquals(def, otherDef)) throw structureMismatch(def, otherDef);
    return values;
  });
  const results = first.map(({ path, value }, index) =>
    f(path, value as LeafOf<T>, ...others.map((values) => values[index] as LeafOf<T>)),
  );
  return unflatten(def, results) as MapLeaves<T, Result>;
}

const noLeaves = (): Jax2TfjsError =>
  new Jax2TfjsError("pytree-mismatch", "reduce of a pytree without leaves needs a first value");

/**
 * Combines the leaves from the first on. JAX's counterpart is `jax.tree.reduce`.
 *
 * @param initializer default: the first leaf
 * @throws Jax2TfjsError `pytree-mismatch` without leaves and first value
 */
export function reduce<T, Result = LeafOf<T>>(
  f: (accumulated: Result, leaf: LeafOf<NoInfer<T>>) => Result,
  tree: T,
  ...initializer: [] | [Result]
): Result {
  const all = leaves(tree);
  const start = initializer.length === 1 ? initializer : all.slice(0, 1);
  if (start.length === 0) throw noLeaves();
  const rest = initializer.length === 1 ? all : all.slice(1);
  return rest.reduce<Result>((sum, leaf) => f(sum, leaf as LeafOf<T>), start[0] as Result);
}

/**
 * Combines the leaves half by half: a tree of calls as deep as the logarithm of their number. JAX's
 * counterpart is `jax.tree.reduce_associative`.
 *
 * @param identity the result for a pytree without leaves
 * @throws Jax2TfjsError `pytree-mismatch` without leaves and identity
 */
export function reduceAssociative<T>(
  f: (left: LeafOf<NoInfer<T>>, right: LeafOf<NoInfer<T>>) => LeafOf<NoInfer<T>>,
  tree: T,
  ...identity: [] | [LeafOf<NoInfer<T>>]
): LeafOf<T> {
  const values = leaves(tree).map((value) => ({ value: value as LeafOf<T> }));
  const combine = (from: number, to: number): LeafOf<T> => {
    const first = values[from];
    if (first === undefined) throw noLeaves();
    if (to - from === 1) return first.value;
    const middle = from + Math.floor((to - from) / 2);
    return f(combine(from, middle), combine(middle, to));
  };
  return values.length === 0 && identity.length === 1 ? identity[0] : combine(0, values.length);
}

/**
 * A pytree of pytrees turned inside out: of the outer structure in each place of the inner one, the
 * other way round. JAX's counterpart is `jax.tree.transpose`.
 *
 * @param inner default: the structure of the first part
 * @throws Jax2TfjsError `pytree-mismatch`
 */
export function transpose(outer: TreeDef, inner: TreeDef | null, tree: unknown): unknown {
  const outerCount = leafCount(outer);
  const parts = partsAt(outer, tree);
  const own = inner ?? structure(parts[0]);
  const rows = parts.map((part) => {
    const [values, def] = flatten(part);
    if (!treeEquals(def, own)) throw structureMismatch(own, def);
    return values;
  });
  const columns = Array.from({ length: leafCount(own) }, (_, column) =>
    unflatten(
      outer,
      Array.from({ length: outerCount }, (_unused, row) => rows[row]?.[column]),
    ),
  );
  return unflatten(own, columns);
}

/** What stands at the leaves of a structure. */
function partsAt(outer: TreeDef, tree: unknown): readonly unknown[] {
  if (outer.kind === "leaf") return [tree];
  if (outer.kind === "none") return [];
  const children = childrenOf(outer);
  // One level at a time: the children themselves are taken as leaves.
  const [values, def] = flatten(tree, (value) => value !== tree);
  if (values.length !== children.length || def.kind !== outer.kind) {
    throw structureMismatch(outer, structure(tree));
  }
  return children.flatMap((child, index) => partsAt(child, values[index]));
}

/**
 * The leaves of a prefix repeated to the structure of a whole pytree. JAX's counterpart is
 * `jax.tree.broadcast`.
 */
export function broadcast(prefix: unknown, tree: unknown, isLeaf?: IsLeaf): unknown {
  const values = broadcastPrefix(prefix, tree, "prefix", isLeaf);
  return unflatten(structure(tree, isLeaf), values);
}

/** The structures of the children. JAX's counterpart is `jax.tree_util.treedef_children`. */
export function treedefChildren(def: TreeDef): readonly TreeDef[] {
  return childrenOf(def);
}

/** Whether a structure is that of one leaf. JAX's counterpart is `jax.tree_util.treedef_is_leaf`. */
export function treedefIsLeaf(def: TreeDef): boolean {
  return def.kind === "leaf";
}

/** The structure of a tuple of pytrees. JAX's counterpart is `jax.tree_util.treedef_tuple`. */
export function treedefTuple(defs: readonly TreeDef[]): TreeDef {
  return { kind: "tuple", children: defs };
}
