// Shape specifications: parsing and its messages, solving for dimension variables, and the shapes
// of calls, against recorded messages of JAX (tests/data/dims.json).
import { describe, expect, it } from "vitest";
import { printShape, symbolicScope } from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import {
  type DimPlan,
  checkCall,
  parseSpecification,
  planFromSpecification,
  shapeToJson,
  solveDims,
  symbolicShape,
  symbolicShapes,
  unifyShapes,
} from "../../src/ir/shapeSpec.js";
import { messageOf, recordedDims } from "./recordedDims.js";

/** The Jax2TfjsError that `compute` throws. */
function errorOf(compute: () => unknown): Jax2TfjsError {
  try {
    compute();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error;
    throw error;
  }
  throw new Error("no error");
}

/** A plan for arguments args[0], args[1], … */
function planOf(shapes: readonly string[], constraints: readonly string[] = []): DimPlan {
  const scope = symbolicScope(constraints);
  return solveDims(
    shapes.map((text, i) => ({ name: `args[${i}]`, shape: symbolicShape(text, { scope }) })),
  );
}

describe("shapes as text", () => {
  for (const { text, like, result, error, fails } of recordedDims.shapes) {
    it(`${JSON.stringify(text)} like ${JSON.stringify(like)}`, () => {
      const compute = (): string[] =>
        symbolicShape(text, like === null ? {} : { like }).map((dim) => dim.toString());
      if (result !== undefined) expect(compute()).toEqual(result);
      else if (fails === true) expect(errorOf(compute).code).toBe("dimension-syntax");
      else expect(errorOf(compute).message).toBe(error);
    });
  }

  it("points at the character at fault", () => {
    const pointed = (text: string, like?: readonly number[]): string => {
      const { details } = errorOf(() => symbolicShape(text, like === undefined ? {} : { like }));
      return details.source ?? "";
    };
    expect(pointed("a, b $ 2")).toBe(
      ["character 6", "        a, b $ 2", "             ^"].join("\n"),
    );
    expect(pointed("a, b +")).toMatch(/^character 7\n/);
    expect(pointed("(a, b")).toMatch(/^character 6\n/);
    expect(pointed("b, 3, _", [1, 4, 5])).toMatch(/^character 4\n/);
    expect(pointed("b, _", [1])).toMatch(/^character 4\n/);
    expect(pointed("a, 99999999999999999999")).toMatch(/^character 4\n/);
    expect(pointed("a^99999")).toMatch(/^character 3\n/);
  });

  it("refuses deep nesting and long powers without running out of anything", () => {
    const deep = (n: number): string => "max(".repeat(n) + "a" + ", b)".repeat(n);
    expect(errorOf(() => symbolicShape(deep(100_000))).code).toBe("dimension-syntax");
    expect(errorOf(() => symbolicShape("(".repeat(100_000))).code).toBe("dimension-syntax");
    expect(errorOf(() => symbolicShape("a^100000")).code).toBe("dimension-overflow");
    expect(errorOf(() => symbolicShape("9^99")).code).toBe("dimension-overflow");
    const scope = symbolicScope(["a == b + c + d + e + f + g"]);
    expect(errorOf(() => symbolicShape("a^20", { scope })).code).toBe("dimension-overflow");
  });

  it("reads non_negative of older JAX as a maximum", () => {
    expect(printShape(symbolicShape("non_negative(b - 3), non_negative(b + 3)"))).toBe(
      "(max(b - 3, 0), b + 3)",
    );
  });

  it("reads sums as older JAX prints them", () => {
    expect(printShape(symbolicShape("b + -1*a + -2, -1*b^2 + 3"))).toBe("(b - a - 2, - b^2 + 3)");
  });

  it("takes either a scope or constraints", () => {
    const scope = symbolicScope();
    const error = errorOf(() => symbolicShape("a", { scope, constraints: ["a >= 2"] }));
    expect(error.message).toBe("Cannot specify both a `scope` and `constraints`.");
  });

  it("reads the shapes of several arguments in one scope", () => {
    const likes = [
      [1, 2],
      [3, 4],
    ];
    expect(symbolicShapes("b, ...", likes).map(printShape)).toEqual(["(b, 2)", "(b, 4)"]);
    expect(symbolicShapes(null, likes).map(printShape)).toEqual(["(1, 2)", "(3, 4)"]);
    expect(symbolicShapes([null, "_, c"], likes).map(printShape)).toEqual(["(1, 2)", "(3, c)"]);
    expect(errorOf(() => symbolicShapes(["b, ..."], likes)).code).toBe("shape-mismatch");
  });
});

describe("systems of equations", () => {
  for (const { constraints, shapes, printed, error, calls = [] } of recordedDims.systems) {
    const title = `(${shapes.join("), (")}) with [${constraints.join("; ")}]`;
    it(title.slice(0, 100), () => {
      if (error !== undefined) {
        expect(messageOf(() => planOf(shapes, constraints))).toBe(error);
        return;
      }
      const original = planOf(shapes, constraints);
      expect(original.arguments.map(({ shape }) => printShape(shape))).toEqual(printed);
      const copy: unknown = JSON.parse(JSON.stringify(original.specification));
      const restored = planFromSpecification(copy as typeof original.specification);
      expect(restored.specification).toEqual(original.specification);
      for (const call of calls) {
        for (const plan of [original, restored]) {
          const compute = (): ReadonlyMap<string, number> => checkCall(plan, call.shapes);
          if (call.error !== undefined) expect(messageOf(compute)).toBe(call.error);
          else expect(Object.fromEntries(compute())).toEqual(call.values);
        }
      }
    });
  }

  it("names what cannot be solved", () => {
    const error = errorOf(() => planOf(["a*b", "a + b"]));
    expect(error.code).toBe("unsolvable-dimensions");
    expect(error.message).toContain("Cannot solve for values of dimension variables {'a', 'b'}.");
  });

  it("refuses arguments of different scopes", () => {
    const [a, b] = [symbolicShape("a"), symbolicShape("b")];
    const compute = (): unknown =>
      solveDims(
        [
          { name: "args[0]", shape: a },
          { name: "args[1]['x']", shape: b },
        ],
        "f",
      );
    expect(errorOf(compute).code).toBe("mixed-symbolic-scopes");
    expect(messageOf(compute)).toBe(
      "Invalid mixing of symbolic scopes when exporting f.\n" +
        "Expected current (from args[0]) scope #\n" +
        "and found for 'b' (args[1]['x']) scope #\n" +
        "See https://docs.jax.dev/en/latest/export/shape_poly.html#user-specified-symbolic-constraints.",
    );
  });
});

describe("calls", () => {
  const plan = planOf(["b, 3", "2*b"]);

  it("checks the number of arguments, ranks and known sizes", () => {
    const message = (shapes: readonly (readonly number[])[]): string =>
      messageOf(() => checkCall(plan, shapes));
    expect(message([[2, 3]])).toBe("Expected 2 arguments and called with 1.");
    expect(message([[2], [4]])).toBe(
      "Rank mismatch for args[0]: expected (b, 3) and called with (2,)",
    );
    expect(message([[2, 4], [4]])).toBe(
      "Shape mismatch for args[0].shape[1] (expected same constant): " +
        "expected (b, 3) and called with (2, 4)",
    );
    expect(message([[2.5, 3], [5]])).toBe("args[0].shape[0] is 2.5.");
    expect(message([[-1, 3], [-2]])).toBe("args[0].shape[0] is -1.");
    expect(message([[NaN, 3], [4]])).toBe("args[0].shape[0] is NaN.");
  });

  it("needs no scope when everything is static", () => {
    const staticPlan = solveDims([{ name: "x", shape: [2, 3] }]);
    expect(checkCall(staticPlan, [[2, 3]]).size).toBe(0);
    expect(messageOf(() => checkCall(staticPlan, [[2, 4]]))).toContain("Shape mismatch for x");
    expect(planFromSpecification(staticPlan.specification).variables).toEqual([]);
  });

  it("may have symbolic shapes themselves", () => {
    const scope = symbolicScope();
    const call = (text: string, other: string): Record<string, string> => {
      const shapes = [text, other].map((t) => symbolicShape(t, { scope }));
      return Object.fromEntries(
        [...unifyShapes(plan, shapes)].map(([name, dim]) => [name, dim.toString()]),
      );
    };
    expect(call("n, 3", "2*n")).toEqual({ b: "n" });
    expect(call("4*n + 1, 3", "8*n + 2")).toEqual({ b: "4*n + 1" });
    expect(messageOf(() => call("n, 3", "m"))).toContain(
      "Found inconsistency between dimension size args[1].shape[0] (= m) " +
        "and the specification '2*b' (= 2*n).",
    );
    // Whether n - 3 is at least 1 is not known.
    expect(messageOf(() => call("n - 3, 3", "2*n - 6"))).toContain(
      "Expected value >= 1 for dimension variable 'b'.",
    );
    expect(messageOf(() => call("n, k", "2*n"))).toContain("(expected same constant)");
  });

  it("divides by zero with an error", () => {
    const division = planOf(["a, b, floordiv(a, b - 1)"]);
    expect(checkCall(division, [[6, 3, 3]]).get("b")).toBe(3);
    expect(errorOf(() => checkCall(division, [[6, 1, 3]])).code).toBe("dimension-division-by-zero");
  });

  it("refuses specifications that are not of the right form", () => {
    const good = JSON.parse(JSON.stringify(plan.specification)) as unknown;
    expect(parseSpecification(good)).toEqual(plan.specification);
    const [x] = [{ name: "x", shape: ["b"] }];
    const bad: unknown[] = [
      null,
      [],
      "b",
      {},
      { arguments: [x] },
      { arguments: [x], constraints: [1] },
      { arguments: { x }, constraints: [] },
      { arguments: [null], constraints: [] },
      { arguments: [{ name: 1, shape: [] }], constraints: [] },
      { arguments: [{ name: "x", shape: "b" }], constraints: [] },
      { arguments: [{ name: "x", shape: [1.5] }], constraints: [] },
      { arguments: [{ name: "x", shape: [-1] }], constraints: [] },
      { arguments: [{ name: "x", shape: [null] }], constraints: [] },
    ];
    for (const value of bad) {
      expect(errorOf(() => parseSpecification(value)).code, JSON.stringify(value)).toBe(
        "invalid-shape-specification",
      );
    }
    const syntax = { arguments: [{ name: "x", shape: ["b +"] }], constraints: [] };
    expect(errorOf(() => planFromSpecification(parseSpecification(syntax))).code).toBe(
      "dimension-syntax",
    );
  });

  it("keeps shapes as plain data", () => {
    expect(shapeToJson(symbolicShape("b, 3, 2*b"))).toEqual(["b", 3, "2*b"]);
  });
});
