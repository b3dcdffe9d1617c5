// Reshapes move behind elementwise nodes where that saves nodes, and nowhere else.
import { describe, expect, test } from "vitest";
import type { NodeDef } from "../../src/lower/graph.js";
import { pruneNodes } from "../../src/lower/prune.js";
import { moveViews } from "../../src/lower/views.js";

type Shape = readonly number[];

function node(name: string, op: string, input: readonly string[], shape: Shape): NodeDef {
  const attr = op === "Mean" ? { keep_dims: { b: false } } : {};
  return { name, op, input, attr, outputs: [{ dtype: "float32", shape }] };
}

/** The graph after the pass, one line per node that is not a constant. */
function moved(nodes: readonly NodeDef[]): readonly string[] {
  let count = 0;
  const axes = (name: string): readonly number[] | null => (name === "axes" ? [1] : null);
  const result = moveViews(nodes, ["y"], axes, (hint) => `${hint}_${count++}`);
  return pruneNodes(result, ["y"])
    .filter(({ op }) => op !== "Const")
    .map(({ name, op, input, outputs }) => {
      const shape = outputs[0]?.shape.join("x") ?? "";
      return `${name} = ${op}(${input.join(", ")}) ${shape}`;
    });
}

const x = node("x", "Placeholder", [], [6, 4]);
const shapes = [
  node("cube", "Const", [], [3]),
  node("flat", "Const", [], [2]),
  node("axes", "Const", [], [1]),
  node("zero", "Const", [], []),
  node("bias", "Const", [], [4]),
];
const view = node("view", "Reshape", ["x", "cube"], [2, 3, 4]);

describe("reshapes", () => {
  test("around elementwise nodes go", () => {
    const nodes = [
      ...[x, ...shapes, view],
      node("a", "Mul", ["view", "view"], [2, 3, 4]),
      node("b", "AddV2", ["a", "bias"], [2, 3, 4]),
      node("c", "Maximum", ["zero", "b"], [2, 3, 4]),
      node("back", "Reshape", ["c", "flat"], [6, 4]),
      node("y", "Identity", ["back"], [6, 4]),
    ];
    expect(moved(nodes)).toEqual([
      "x = Placeholder() 6x4",
      "a = Mul(x, x) 6x4",
      "b = AddV2(a, bias) 6x4",
      "c = Maximum(zero, b) 6x4",
      "y = Identity(c) 6x4",
    ]);
  });

  test("meet further down", () => {
    const nodes = [
      ...[x, ...shapes, view],
      node("a", "Log", ["view"], [2, 3, 4]),
      node("again", "Reshape", ["a", "other"], [2, 12]),
      node("y", "Identity", ["again"], [2, 12]),
    ];
    expect(moved(nodes)).toEqual([
      "x = Placeholder() 6x4",
      "a = Log(x) 6x4",
      "again = Reshape(a, other) 2x12",
      "y = Identity(again) 2x12",
    ]);
  });

  test("of two operands become one", () => {
    const nodes = [
      ...[x, node("w", "Placeholder", [], [6, 4]), ...shapes, view],
      node("other", "Reshape", ["w", "cube"], [2, 3, 4]),
      node("a", "Sub", ["view", "other"], [2, 3, 4]),
      node("y", "Identity", ["a"], [2, 3, 4]),
    ];
    expect(moved(nodes)).toEqual([
      "x = Placeholder() 6x4",
      "w = Placeholder() 6x4",
      "a = Sub(x, w) 6x4",
      "a/Reshape_0 = Reshape(a, cube) 2x3x4",
      "y = Identity(a/Reshape_0) 2x3x4",
    ]);
  });

  test("after a reduction: it keeps its dimensions", () => {
    const nodes = [
      ...[x, ...shapes],
      node("mean", "Mean", ["x", "axes"], [6]),
      node("a", "Neg", ["mean"], [6]),
      node("kept", "Reshape", ["a", "column"], [6, 1]),
      node("y", "Sub", ["x", "kept"], [6, 4]),
    ];
    const result = moveViews(
      nodes,
      ["y"],
      () => [1],
      (hint) => hint,
    );
    expect(moved(nodes)).toEqual([
      "x = Placeholder() 6x4",
      "mean = Mean(x, axes) 6x1",
      "a = Neg(mean) 6x1",
      "y = Sub(x, a) 6x4",
    ]);
    expect(result.find(({ name }) => name === "mean")?.attr.keep_dims).toEqual({ b: true });
  });
});

describe("reshapes stay", () => {
  test("where nothing is saved", () => {
    const nodes = [...[x, ...shapes, view], node("y", "Log", ["view"], [2, 3, 4])];
    expect(moved(nodes)).toEqual([
      "x = Placeholder() 6x4",
      "view = Reshape(x, cube) 2x3x4",
      "y = Log(view) 2x3x4",
    ]);
  });

  test("before operands that are broadcast along several dimensions", () => {
    const nodes = [
      ...[x, ...shapes, view, node("row", "Placeholder", [], [3, 4])],
      node("a", "AddV2", ["view", "row"], [2, 3, 4]),
      node("back", "Reshape", ["a", "flat"], [6, 4]),
      node("y", "Identity", ["back"], [6, 4]),
    ];
    expect(moved(nodes)).toContain("a = AddV2(view, row) 2x3x4");
  });

  test("before nodes that read the shape", () => {
    const nodes = [
      ...[x, ...shapes, view],
      node("a", "Log", ["view"], [2, 3, 4]),
      node("size", "Shape", ["a"], [3]),
      node("y", "Identity", ["size"], [3]),
    ];
    expect(moved(nodes)).toContain("a = Log(view) 2x3x4");
  });
});
