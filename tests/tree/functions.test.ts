// The rest of jax.tree and jax.tree_util; the results were looked up in JAX.
import { expect, test } from "vitest";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import * as tree from "../../src/tree/index.js";

const nested = { b: [1, { c: 2 }], a: 3 };

test("reductions of leaves, in flattened order", () => {
  expect(tree.all({ a: true, b: [1, "x"] })).toBe(true);
  expect(tree.all({ a: true, b: [0] })).toBe(false);
  expect(tree.all(null)).toBe(true);
  expect(tree.reduce((sum: string, leaf: number) => sum + String(leaf), nested, "")).toBe("312");
  expect(tree.reduce((sum, leaf) => sum * 10 + leaf, nested)).toBe(312);
  expect(tree.reduceAssociative((left, right) => left + right, nested)).toBe(6);
  const pairs: string[] = [];
  const joined = tree.reduceAssociative(
    (left, right) => {
      pairs.push(`${String(left)},${String(right)}`);
      return left + right;
    },
    [1, 2, 3, 4, 5],
  );
  expect(joined).toBe(15);
  expect(pairs).toEqual(["1,2", "4,5", "3,9", "3,12"]);
  expect(tree.reduceAssociative((left: number) => left, [] as number[], 7)).toBe(7);
  expect(tree.allLeaves([1, 2])).toBe(true);
  expect(tree.allLeaves([1, [2]])).toBe(false);
});

test("leaves with the ways to them", () => {
  const paths = tree.leavesWithPath(nested).map(({ path, value }) => `${path}=${String(value)}`);
  expect(paths).toEqual(["['a']=3", "['b'][0]=1", "['b'][1]['c']=2"]);
  const named = tree.mapWithPath((path, leaf, other) => `${path}:${leaf + other}`, nested, nested);
  expect(named).toEqual({ a: "['a']:6", b: ["['b'][0]:2", { c: "['b'][1]['c']:4" }] });
});

test("inside out, and prefixes spread", () => {
  const outer = tree.structure([0, 0, 0]);
  const inner = tree.structure({ a: 0, b: [0] });
  const rows = [
    { a: 1, b: [2] },
    { a: 3, b: [4] },
    { a: 5, b: [6] },
  ];
  const turned = { a: [1, 3, 5], b: [[2, 4, 6]] };
  expect(tree.transpose(outer, inner, rows)).toEqual(turned);
  expect(tree.transpose(outer, null, rows)).toEqual(turned);
  const back = tree.transpose(inner, outer, turned);
  expect(back).toEqual(rows);
  expect(tree.broadcast({ a: 1, b: 2 }, { a: [0, 0], b: { c: 0 } })).toEqual({
    a: [1, 1],
    b: { c: 2 },
  });
});

test("structures", () => {
  const def = tree.structure(nested);
  expect(tree.treedefChildren(def).map(tree.printTree)).toEqual([
    "PyTreeDef(*)",
    "PyTreeDef([*, {'c': *}])",
  ]);
  expect(tree.treedefIsLeaf(tree.structure(1))).toBe(true);
  expect(tree.treedefIsLeaf(def)).toBe(false);
  expect(tree.printTree(tree.treedefTuple([tree.structure(1), tree.structure([2])]))).toBe(
    "PyTreeDef((*, [*]))",
  );
});

test("static classes are part of the structure", () => {
  class Settings {
    constructor(readonly size: number) {}
  }
  tree.registerStatic(Settings);
  const settings = new Settings(3);
  expect(tree.leaves([settings, 1])).toEqual([1]);
  expect(tree.map((x: number) => x + 1, [settings, 1] as unknown as number[])).toEqual([
    settings,
    2,
  ]);
  const [own, other] = [tree.structure(settings), tree.structure(new Settings(3))];
  expect(tree.treeEquals(own, tree.structure(settings))).toBe(true);
  expect(tree.treeEquals(own, other)).toBe(false);
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "none";
}

test("what does not fit", () => {
  const outer = tree.structure([0, 0]);
  const wrong: readonly (() => unknown)[] = [
    () => tree.reduce((sum: number, leaf: number) => sum + leaf, [] as number[]),
    () => tree.reduceAssociative((left: number) => left, [] as number[]),
    () => tree.mapWithPath((_, leaf) => leaf, [1], [1, 2]),
    () => tree.transpose(outer, null, [[1, 2], [1]]),
    () => tree.transpose(outer, null, { a: 1, b: 2 }),
    () => tree.transpose(outer, null, [1, 2, 3]),
    () => tree.broadcast([1, 2], [1, 2, 3]),
  ];
  expect(wrong.map(codeOf)).toEqual(wrong.map(() => "pytree-mismatch"));
});
