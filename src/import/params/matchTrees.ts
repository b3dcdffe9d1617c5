/**
 * Pairs expected leaves with the leaves of a file by the shape of the two trees, where the program
 * has custom pytree nodes whose children's names are not in the artifact (they may be in pickled
 * data, which is never read). Called by bind.ts after names have failed.
 */
import { dtypeFits, shapeFits } from "./convert.js";
import type { ExpectedLeaf } from "./expected.js";
import type { Match } from "./matchNames.js";
import { splitName } from "./names.js";
import type { ParameterFormat, ParameterLeaf } from "./parameterFile.js";

interface TreeNode {
  readonly children: Map<string, TreeNode>;
  /** Where this node is a leaf: its index. */
  leaf?: number;
  /** True if the children's names are places in a custom node. */
  unnamed?: boolean;
  typeName?: string | undefined;
}

/** Deeper names than this are no key paths. */
const deepest = 128;

/** The pairs that make the two trees equal, if there is exactly one way to do it. */
export function matchTrees(
  expected: readonly ExpectedLeaf[],
  leaves: readonly ParameterLeaf[],
  format: ParameterFormat,
): Match | undefined {
  const wanted = expectedTree(expected);
  const found = fileTree(leaves);
  if (wanted === undefined || found === undefined) return undefined;
  const pairs = new Unifier(expected, leaves, format).roots(wanted, found);
  return pairs === undefined ? undefined : new Map(pairs);
}

function expectedTree(expected: readonly ExpectedLeaf[]): TreeNode | undefined {
  const root: TreeNode = { children: new Map() };
  for (const [index, { path }] of expected.entries()) {
    let node = root;
    for (const entry of path) {
      const unnamed = typeof entry !== "string";
      if (node.unnamed !== undefined && node.unnamed !== unnamed) return undefined;
      node.unnamed = unnamed;
      if (unnamed) {
        node.typeName = entry.typeName;
        node = childOf(node, String(entry.index));
        continue;
      }
      const [first = "", ...others] = splitName(entry);
      node = childOf(node, first);
      for (const other of others) {
        node.unnamed = false;
        node = childOf(node, other);
      }
    }
    if (!place(node, index)) return undefined;
  }
  return root;
}

function fileTree(leaves: readonly ParameterLeaf[]): TreeNode | undefined {
  const root: TreeNode = { children: new Map() };
  for (const [index, { path }] of leaves.entries()) {
    const entries = path.flatMap(splitName);
    if (entries.length > deepest) return undefined;
    let node = root;
    for (const entry of entries) node = childOf(node, entry);
    if (!place(node, index)) return undefined;
  }
  return root;
}

function childOf(node: TreeNode, name: string): TreeNode {
  const known = node.children.get(name);
  if (known !== undefined) return known;
  const child: TreeNode = { children: new Map() };
  node.children.set(name, child);
  return child;
}

/** Makes a node a leaf, unless it is one already or has children. */
function place(node: TreeNode, index: number): boolean {
  if (node.leaf !== undefined || node.children.size > 0) return false;
  node.leaf = index;
  return true;
}

type Pairs = readonly (readonly [expected: number, file: number])[];

class Unifier {
  private readonly known = new Map<TreeNode, Map<TreeNode, Pairs | undefined>>();

  constructor(
    private readonly expected: readonly ExpectedLeaf[],
    private readonly leaves: readonly ParameterLeaf[],
    private readonly format: ParameterFormat,
  ) {}

  /** The trees themselves, or with one level more on either side (`params`). */
  roots(wanted: TreeNode, found: TreeNode): Pairs | undefined {
    const [onlyFound, ...otherFound] = found.children.values();
    const [onlyWanted, ...otherWanted] = wanted.children.values();
    const whole = this.pairs(wanted, found);
    if (whole !== undefined) return whole;
    if (onlyFound !== undefined && otherFound.length === 0) return this.pairs(wanted, onlyFound);
    if (onlyWanted !== undefined && otherWanted.length === 0) return this.pairs(onlyWanted, found);
    return undefined;
  }

  /** Pairs of leaves that make `wanted` and `found` the same tree. */
  private pairs(wanted: TreeNode, found: TreeNode): Pairs | undefined {
    let results = this.known.get(wanted);
    if (results === undefined) {
      results = new Map();
      this.known.set(wanted, results);
    }
    if (results.has(found)) return results.get(found);
    const result = this.unify(wanted, found);
    results.set(found, result);
    return result;
  }

  private unify(wanted: TreeNode, found: TreeNode): Pairs | undefined {
    if (wanted.leaf !== undefined) return this.unifyLeaf(wanted.leaf, found);
    if (found.leaf !== undefined) {
      // An nnx Variable on the program's side alone.
      const inner = wanted.unnamed === true ? onlyChild(wanted) : onlyChild(wanted, "value");
      return inner === undefined ? undefined : this.pairs(inner, found);
    }
    if (wanted.unnamed === true) return this.unifyUnnamed(wanted, found);
    if (wanted.children.size !== found.children.size) return undefined;
    return this.all(wanted, (name) => found.children.get(name));
  }

  private unifyLeaf(index: number, found: TreeNode): Pairs | undefined {
    if (found.leaf === undefined) {
      const inner = onlyChild(found, "value");
      return inner?.leaf === undefined ? undefined : this.unifyLeaf(index, inner);
    }
    const [expected, leaf] = [this.expected[index], this.leaves[found.leaf]];
    if (expected === undefined || leaf === undefined) return undefined;
    const fits = shapeFits(expected, leaf) && dtypeFits(expected.dtype, leaf, this.format);
    return fits ? [[index, found.leaf]] : undefined;
  }

  /** A custom node: its children are known by number alone. */
  private unifyUnnamed(wanted: TreeNode, found: TreeNode): Pairs | undefined {
    const only = onlyChild(wanted);
    if (only !== undefined) {
      const inner = onlyChild(found);
      const both = inner === undefined ? undefined : this.pairs(only, inner);
      return both ?? this.pairs(only, found);
    }
    if (wanted.children.size !== found.children.size) return undefined;
    if ([...wanted.children.keys()].every((name) => found.children.has(name))) {
      return this.all(wanted, (name) => found.children.get(name));
    }
    if (hasSortedChildren(wanted)) {
      const names = sortedKeys([...found.children.keys()]);
      return this.all(wanted, (place) => found.children.get(names[Number(place)] ?? ""));
    }
    return this.all(wanted, (_, child) => this.onlyFit(child, found));
  }

  /** The one child of `found` that fits; none if several do: a guess could be silently wrong. */
  private onlyFit(wanted: TreeNode, found: TreeNode): TreeNode | undefined {
    let fit: TreeNode | undefined;
    for (const candidate of found.children.values()) {
      if (this.pairs(wanted, candidate) === undefined) continue;
      if (fit !== undefined) return undefined;
      fit = candidate;
    }
    return fit;
  }

  /** The pairs of all children, each with its own partner. */
  private all(
    wanted: TreeNode,
    partnerOf: (name: string, child: TreeNode) => TreeNode | undefined,
  ): Pairs | undefined {
    const pairs: (readonly [number, number])[] = [];
    const used = new Set<TreeNode>();
    for (const [name, child] of wanted.children) {
      const partner = partnerOf(name, child);
      if (partner === undefined || used.has(partner)) return undefined;
      used.add(partner);
      const childPairs = this.pairs(child, partner);
      if (childPairs === undefined) return undefined;
      for (const pair of childPairs) pairs.push(pair);
    }
    return pairs;
  }
}

/** The single child of a node, if it is called `name` (when given). */
function onlyChild(node: TreeNode, name?: string): TreeNode | undefined {
  const [only, ...others] = node.children;
  if (only === undefined || others.length > 0) return undefined;
  return name === undefined || only[0] === name ? only[1] : undefined;
}

/** nnx flattens a State in the order of its sorted keys; other custom nodes have their own order. */
function hasSortedChildren({ typeName }: TreeNode): boolean {
  return typeName !== undefined && /\bnnx\b.*State$/.test(typeName);
}

/** As Python sorts: integers by value, texts by code point. */
function sortedKeys(keys: readonly string[]): readonly string[] {
  if (keys.every((key) => /^\d+$/.test(key))) {
    return [...keys].sort((a, b) => Number(a) - Number(b));
  }
  const points = (text: string): readonly number[] =>
    Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return [...keys].sort((a, b) => compareNumbers(points(a), points(b)));
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
