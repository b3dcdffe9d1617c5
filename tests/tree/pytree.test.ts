// Pytrees: taking apart, putting together, printing as JAX does, registered classes, errors.
import { expect, test } from "vitest";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import * as tree from "../../src/tree/index.js";
import { broadcastPrefix } from "../../src/tree/pytree.js";

class Layer {
  constructor(
    readonly weight: number,
    readonly bias: number,
    readonly activation: string,
  ) {}
}
tree.registerDataclass(Layer, { dataFields: ["weight", "bias"], metaFields: ["activation"] });

class Pair {
  constructor(
    readonly left: number,
    readonly right: number,
  ) {}
}
tree.registerPytreeNode(
  Pair,
  ({ left, right }) => [[left, right], "pair"],
  (_, [left, right]) => new Pair(left as number, right as number),
);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "no error";
}

test.each([
  [1, "PyTreeDef(*)"],
  [null, "PyTreeDef(None)"],
  [[1, [2, 3]], "PyTreeDef([*, [*, *]])"],
  [tree.tuple(1, 2), "PyTreeDef((*, *))"],
  [tree.tuple(1), "PyTreeDef((*,))"],
  [{ b: 1, a: [2, null] }, "PyTreeDef({'a': [*, None], 'b': *})"],
  [new Layer(1, 2, "relu"), "PyTreeDef(CustomNode(Layer, [*, *]))"],
  [new Float32Array(2), "PyTreeDef(*)"],
])("%j has the structure %s", (value, printed) => {
  const [leaves, structure] = tree.flatten(value);
  expect(tree.printTree(structure)).toBe(printed);
  expect(tree.unflatten(structure, leaves)).toEqual(value);
});

test("dicts are in the order of their keys, as in JAX", () => {
  expect(tree.leaves({ b: 1, a: 2, B: 3, "10": 4, "9": 5 })).toEqual([4, 5, 3, 2, 1]);
});

test("key paths", () => {
  const value = { params: [1, { w: 2 }], layer: new Layer(3, 4, "tanh"), pair: new Pair(5, 6) };
  expect(tree.keyPaths(value)).toEqual([
    "['layer'].weight",
    "['layer'].bias",
    "['pair'][<flat index 0>]",
    "['pair'][<flat index 1>]",
    "['params'][0]",
    "['params'][1]['w']",
  ]);
});

test("map keeps containers and classes", () => {
  const doubled = tree.map((x) => 2 * Number(x), { a: [1, 2], l: new Layer(3, 4, "relu") });
  expect(doubled).toEqual({ a: [2, 4], l: new Layer(6, 8, "relu") });
  expect(doubled.l).toBeInstanceOf(Layer);
  expect(tree.map((x: number, y: number) => x - y, [5, 6], [1, 2])).toEqual([4, 4]);
});

test("isLeaf stops the descent", () => {
  const isPair = (value: unknown): boolean => value instanceof Pair;
  expect(tree.leaves([new Pair(1, 2)], isPair)).toEqual([new Pair(1, 2)]);
});

test("static fields tell structures apart", () => {
  const structures = ["relu", "relu", "tanh"].map((name) => tree.structure(new Layer(1, 2, name)));
  const [a, b, c] = structures;
  if (a === undefined || b === undefined || c === undefined) throw new Error("three structures");
  expect(tree.treeEquals(a, b)).toBe(true);
  expect(tree.treeEquals(a, c)).toBe(false);
});

test("prefixes spread over what is below them", () => {
  const isAxis = (value: unknown): boolean => value === null || typeof value === "number";
  expect(broadcastPrefix([0, null], [[1, 2], { a: 3 }], "inAxes", isAxis)).toEqual([0, 0, null]);
  const wrong = (): unknown => broadcastPrefix([0], [[1], [2]], "inAxes", isAxis);
  expect(codeOf(wrong)).toBe("pytree-mismatch");
});

test("errors", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  expect(codeOf(() => tree.flatten(loop))).toBe("pytree-cycle");
  expect(codeOf(() => tree.unflatten(tree.structure([1, 2]), [1]))).toBe("pytree-mismatch");
  expect(codeOf(() => tree.map((x: number) => x, [1], [1, 2]))).toBe("pytree-mismatch");
  const again = (): void => {
    tree.registerDataclass(Layer, { dataFields: [] });
  };
  expect(codeOf(again)).toBe("pytree-registered");
});
