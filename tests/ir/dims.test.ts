// Symbolic dimensions: examples of JAX's documentation on shape polymorphism, values,
// substitution, keys, errors and limits. What JAX computes in many more cases: dimsJax.test.ts.
import { describe, expect, it } from "vitest";
import {
  type Dim,
  type DimExpr,
  type SymbolicScope,
  addDims,
  boundsOf,
  dilateDim,
  dimEquals,
  divideExactDims,
  evaluateDim,
  floordivDims,
  foldDim,
  greaterEqual,
  hashKey,
  isStaticShape,
  isSymbolic,
  maxDim,
  minDim,
  modDims,
  mulDims,
  negDim,
  nonNegativeDim,
  parseDim,
  parseShape,
  powDim,
  printDim,
  requireConstant,
  shapeEquals,
  shapeSize,
  strideDim,
  subDims,
  substituteDims,
  symbolicScope,
  tryCompare,
  variablesOf,
} from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { messageOf } from "./recordedDims.js";

function codeOf(compute: () => unknown): string {
  try {
    compute();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "(no error)";
}

/** Reads dimensions in one scope. */
function reader(constraints: readonly string[] = []): (text: string) => Dim {
  const scope = symbolicScope(constraints);
  return (text) => parseDim(text, scope);
}

describe("numbers", () => {
  it("stay numbers, with Python's division", () => {
    expect(addDims(2, 3)).toBe(5);
    expect(subDims(2, 3)).toBe(-1);
    expect(mulDims(-2, 0)).toBe(0);
    expect(negDim(0)).toBe(0);
    expect([floordivDims(-7, 2), modDims(-7, 2)]).toEqual([-4, 1]);
    expect([floordivDims(7, -2), modDims(7, -2)]).toEqual([-4, -1]);
    expect([floordivDims(0, -2), modDims(-4, 2)]).toEqual([0, 0]);
    expect([maxDim(2, 3), minDim(2, 3), powDim(2, 10)]).toEqual([3, 2, 1024]);
    expect(divideExactDims(12, 4)).toBe(3);
  });

  it("are exact or refused", () => {
    expect(codeOf(() => mulDims(2 ** 40, 2 ** 40))).toBe("dimension-overflow");
    expect(codeOf(() => addDims(Number.MAX_SAFE_INTEGER, 1))).toBe("dimension-overflow");
    expect(codeOf(() => addDims(0.5, 1))).toBe("dimension-overflow");
    expect(codeOf(() => powDim(10, 40))).toBe("dimension-overflow");
    expect(floordivDims(Number.MAX_SAFE_INTEGER, 2)).toBe(2 ** 52 - 1);
    expect(codeOf(() => floordivDims(3, 0))).toBe("dimension-division-by-zero");
    expect(codeOf(() => modDims(3, 0))).toBe("dimension-division-by-zero");
  });
});

describe("documented behaviour", () => {
  const dim = reader();

  it("is an integer polynomial", () => {
    expect(printDim(addDims(mulDims(dim("a"), 2), dim("b - a")))).toBe("b + a");
    expect(subDims(dim("a + 1"), dim("a"))).toBe(1);
    expect(isSymbolic(dim("a"))).toBe(true);
    expect(isSymbolic(subDims(dim("a"), dim("a")))).toBe(false);
    expect(`${dim("2*b + 1").toString()} ${JSON.stringify(dim("b^2"))}`).toBe('2*b + 1 "b^2"');
  });

  it("compares where the answer is the same for all values", () => {
    expect(greaterEqual(dim("b + 1"), dim("b"))).toBe(true);
    expect(tryCompare(dim("b"), ">=", 1)).toBe(true);
    expect(tryCompare(dim("b"), ">=", 2)).toBeUndefined();
    expect(tryCompare(dim("b"), "<", 1)).toBe(false);
    expect(tryCompare(dim("a"), "<=", dim("a + b"))).toBe(true);
    expect(tryCompare(dim("a"), ">", dim("a + b"))).toBe(false);
    expect(tryCompare(dim("a"), "==", dim("b"))).toBeUndefined();
    expect(tryCompare(dim("a"), "!=", dim("b"))).toBeUndefined();
    expect(tryCompare(dim("a"), "==", dim("a + 1"))).toBe(false);
    expect(tryCompare(dim("a"), "!=", 0)).toBe(true);
    expect(tryCompare(3, "==", 3)).toBe(true);
  });

  it("says what is inconclusive as JAX does", () => {
    expect(messageOf(() => greaterEqual(dim("a"), dim("b")))).toMatch(
      /^Symbolic dimension comparison 'a' >= 'b' is inconclusive\.\n/,
    );
    expect(codeOf(() => greaterEqual(dim("a"), dim("b")))).toBe("inconclusive-dimension");
    const scope = symbolicScope(["a >= 4", "b >= a"]);
    const message = messageOf(() => greaterEqual(parseDim("a", scope), 10));
    expect(message).toContain("\nUsing symbolic scope # with constraints:\n  a >= 4\n  b >= a\n");
    expect(messageOf(() => requireConstant(dim("a + 1")))).toMatch(
      /^Symbolic dimension 'a \+ 1' used in a context that requires a constant\n/,
    );
  });

  it("equality is total, and false where it is not known", () => {
    expect(dimEquals(dim("a"), dim("b"))).toBe(false);
    expect(dimEquals(dim("a*b + a"), mulDims(dim("a"), dim("b + 1")))).toBe(true);
    expect(dimEquals(dim("a"), 1)).toBe(false);
    expect(dimEquals(2, 2)).toBe(true);
    expect(dimEquals(dim("a"), reader()("a"))).toBe(false);
    // Chained rules are applied once when an expression is made, and again by the comparison.
    const chained = reader(["a == b", "b == c"]);
    expect(dimEquals(chained("a"), chained("c"))).toBe(true);
  });

  it("uses constraints", () => {
    const constrained = reader(["a >= b", "b >= 16", "mod(b, 4) == 0", "a*c == d + 1"]);
    expect(boundsOf(constrained("a"))).toEqual([16, Infinity]);
    expect(boundsOf(constrained("b - a"))).toEqual([-Infinity, 0]);
    expect(printDim(constrained("4*floordiv(b, 4)"))).toBe("b");
    expect(printDim(mulDims(constrained("a"), constrained("2*c")))).toBe("2*d + 2");
    expect(constrained("mod(b, 4)")).toBe(0);
    expect(printDim(maxDim(constrained("a"), constrained("b")))).toBe("a");
  });

  it("divides sizes of shapes, or says what remains", () => {
    const scope = symbolicScope();
    expect(printDim(shapeSize(parseShape("b, 4, 2*a", scope)))).toBe("8*a*b");
    expect(shapeSize([])).toBe(1);
    expect(messageOf(() => divideExactDims(dim("b"), 2))).toBe(
      "Cannot divide evenly the sizes of shapes (b,) and (2,). The remainder mod(b, 2) should be 0.",
    );
    expect(codeOf(() => divideExactDims(7, 2))).toBe("inconclusive-dimension");
  });

  it("powers", () => {
    expect(printDim(powDim(dim("b"), 3))).toBe("b^3");
    expect(messageOf(() => powDim(dim("b"), -1))).toBe(
      "Symbolic dimension cannot be raised to negative powers: 'b' ** '-1'",
    );
    expect(messageOf(() => powDim(dim("b"), 1.5))).toBe(
      "Symbolic dimension cannot be raised to non-integer powers: 'b' ** '1.5'",
    );
  });

  it("non_negative is a maximum with 0", () => {
    expect(printDim(nonNegativeDim(dim("b - 2")))).toBe("max(b - 2, 0)");
    expect(printDim(nonNegativeDim(dim("b")))).toBe("b");
    expect(nonNegativeDim(dim("mod(b, 3) - 3"))).toBe(0);
  });
});

describe("values", () => {
  const dim = reader();
  const env = new Map([
    ["a", 7],
    ["b", 3],
  ]);

  it("are computed with Python's division", () => {
    const value = (text: string): number => evaluateDim(dim(text), env);
    expect(value("2*a^2*b - 4")).toBe(290);
    expect(value("floordiv(b - a, 3)")).toBe(-2);
    expect(value("mod(b - a, 3)")).toBe(2);
    expect(value("max(a, b) - min(a, b)")).toBe(4);
    expect(evaluateDim(5, env)).toBe(5);
    expect(codeOf(() => value("floordiv(a, b - 3)"))).toBe("dimension-division-by-zero");
    expect(codeOf(() => evaluateDim(dim("a^16"), new Map([["a", 1e6]])))).toBe(
      "dimension-overflow",
    );
  });

  it("need every variable", () => {
    expect(messageOf(() => evaluateDim(dim("a + c"), env))).toBe(
      "Encountered dimension variable 'c' that is not appearing in the shapes of the function arguments.\n" +
        "The following dimension variables are appearing in the shapes of the function arguments: ['a', 'b'].\n" +
        "Please see https://docs.jax.dev/en/latest/export/shape_poly.html#dimension-variables-must-be-solvable-from-the-input-shapes for more details.",
    );
    // What an equality constraint replaces needs no value.
    const constrained = reader(["a == 2*b"]);
    expect(evaluateDim(constrained("a + 1"), new Map([["b", 3]]))).toBe(7);
  });

  it("may be other dimensions", () => {
    const scope = symbolicScope();
    const [n, m] = [parseDim("n", scope), parseDim("m", scope)];
    const substitution = new Map<string, Dim>([
      ["a", mulDims(n, 4)],
      ["b", addDims(m, 1)],
    ]);
    expect(printDim(substituteDims(dim("floordiv(a, 2) + b"), substitution))).toBe("2*n + m + 1");
    expect(printDim(substituteDims(dim("max(a, b)"), substitution))).toBe("max(4*n, m + 1)");
    const two = new Map<string, Dim>([["a", 2]]);
    expect(printDim(substituteDims(dim("a*b + c"), two))).toBe("c + 2*b");
    expect(substituteDims(dim("mod(a, 2)"), two)).toBe(0);
    expect(substituteDims(3, two)).toBe(3);
    expect(codeOf(() => substituteDims(dim("a + c"), new Map([["a", n]])))).toBe(
      "mixed-symbolic-scopes",
    );
  });

  it("belong to the variables", () => {
    expect(variablesOf(dim("c + floordiv(b, max(a, 2)) + c^2"))).toEqual(["a", "b", "c"]);
    expect(variablesOf(4)).toEqual([]);
  });
});

describe("walks", () => {
  it("give every part of a dimension", () => {
    const dim = reader();
    const text = (t: string): string =>
      foldDim<string>(dim(t), {
        constant: String,
        variable: (name) => name.toUpperCase(),
        add: (left, right) => `${left} + ${right}`,
        multiply: (left, right) => `${left} * ${right}`,
        operation: (operation, left, right) => `${operation}(${left}; ${right})`,
      });
    expect(text("2*a^2*b - floordiv(b, 2) + max(a, 3) - 1")).toBe(
      "max(A; 3) + -1 * floordiv(B; 2) + 2 * A * A * B + -1",
    );
    expect(text("7")).toBe("7");
  });
});

describe("windows", () => {
  it("are counted as JAX does", () => {
    const dim = reader();
    expect(printDim(dilateDim(dim("b"), 2))).toBe("2*b - 1");
    expect(printDim(dilateDim(dim("b"), 1))).toBe("b");
    expect([dilateDim(5, 3), dilateDim(0, 3)]).toEqual([13, 0]);
    expect(printDim(strideDim(dim("b"), 1, 1))).toBe("b");
    expect(printDim(strideDim(dim("b"), 3, 2))).toBe("floordiv(b - 3, 2) + 1");
    expect(printDim(strideDim(dim("b"), 7, 2))).toBe("max(floordiv(b - 7, 2) + 1, 0)");
    expect([strideDim(10, 3, 2), strideDim(2, 3, 1)]).toEqual([4, 0]);
  });
});

describe("keys and shapes", () => {
  it("have the same key exactly when they are equal", () => {
    const dim = reader();
    expect(hashKey(dim("a + b"))).toBe(hashKey(addDims(dim("b"), dim("a"))));
    expect(hashKey(dim("a"))).not.toBe(hashKey(dim("b")));
    expect(hashKey(dim("a"))).not.toBe(hashKey(reader()("a")));
    expect(hashKey(3)).toBe("3");
  });

  it("are compared by rank and size", () => {
    const dim = reader();
    expect(shapeEquals([dim("a"), 3], [dim("a"), 3])).toBe(true);
    expect(shapeEquals([dim("a"), 3], [dim("a")])).toBe(false);
    expect(shapeEquals([dim("a")], [dim("b")])).toBe(false);
    expect(isStaticShape([1, 2])).toBe(true);
    expect(isStaticShape([1, dim("a")])).toBe(false);
  });

  it("parseDim reads one dimension", () => {
    expect(codeOf(() => reader()("a, b"))).toBe("dimension-syntax");
    expect(codeOf(() => reader()(""))).toBe("dimension-syntax");
  });
});

describe("constraints that contradict each other", () => {
  it("are found when something is asked", () => {
    const dim = reader(["a >= 5", "a <= 3"]);
    expect(codeOf(() => boundsOf(dim("a")))).toBe("unsatisfiable-dimension-constraint");
    expect(codeOf(() => reader(["3 >= 4"]))).toBe("unsatisfiable-dimension-constraint");
    expect(codeOf(() => reader(["a > 4"]))).toBe("invalid-dimension-constraint");
    expect(codeOf(() => reader(["a + b == 4"]))).toBe("invalid-dimension-constraint");
  });
});

describe("limits", () => {
  /** Applies `step` until it throws; the code, or what it threw instead. */
  function repeat(scope: SymbolicScope, step: (dim: Dim) => Dim, times: number): string {
    return codeOf(() => {
      let dim = parseDim("b", scope);
      for (let i = 0; i < times; i++) dim = step(dim);
    });
  }

  it("keep expressions from growing without end", () => {
    const scope = symbolicScope();
    const squared = repeat(scope, (d) => modDims(addDims(d, 1), mulDims(d, d)), 100);
    expect(squared).toBe("dimension-overflow");
    expect(repeat(scope, (d) => floordivDims(addDims(d, 1), 2), 5000)).toBe("dimension-overflow");
    const sum = parseDim(Array.from({ length: 100 }, (_, i) => `v${i}`).join(" + "), scope);
    expect(repeat(scope, (d) => mulDims(d, sum), 5)).toBe("dimension-overflow");
  });

  it("keep questions from taking forever", () => {
    const names = Array.from({ length: 24 }, (_, i) => `v${i}`);
    const constraints = names.flatMap((name, i) =>
      names.slice(i + 1).map((other) => `2*${name} + ${i} >= ${other}`),
    );
    const dim = reader(constraints);
    const start = performance.now();
    const question = dim(
      names
        .map((name, i) => `${i % 2 === 0 ? "" : "-"}${name}`)
        .join(" + ")
        .replaceAll("+ -", "- "),
    );
    const [lower, upper] = boundsOf(question);
    expect(lower).toBeLessThanOrEqual(upper);
    expect(tryCompare(dim("v0 + v1"), ">=", 2)).toBe(true);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it("stop divisions that rules keep from ending", () => {
    const dim = reader(["a == 2*a"]);
    expect(codeOf(() => floordivDims(dim("a") as DimExpr, 2))).toMatch(
      /dimension-overflow|no error/,
    );
  });
});
