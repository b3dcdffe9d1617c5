// Symbolic dimensions against what JAX computes with them (tests/data/dims.json, made by
// scripts/data/make_dims.py): normal form, printing, bounds, comparisons and messages.
import { describe, expect, it } from "vitest";
import {
  type Dim,
  type SymbolicScope,
  addDims,
  boundsOf,
  dimEquals,
  divideShapeSizes,
  floordivDims,
  greater,
  greaterEqual,
  isSymbolic,
  less,
  lessEqual,
  maxDim,
  minDim,
  modDims,
  mulDims,
  negDim,
  parseDim,
  parseShape,
  powDim,
  printDim,
  subDims,
  symbolicScope,
} from "../../src/ir/dims.js";
import {
  type DimTree,
  type RecordedFailure,
  helpMessage,
  messageOf,
  recordedDims,
} from "./recordedDims.js";

const binary = {
  add: addDims,
  sub: subDims,
  mul: mulDims,
  floordiv: floordivDims,
  mod: modDims,
  max: maxDim,
  min: minDim,
} as const;

const comparisons = {
  ">=": greaterEqual,
  "<=": lessEqual,
  ">": greater,
  "<": less,
  "==": dimEquals,
} as const;

function build(tree: DimTree, scope: SymbolicScope): Dim {
  if (typeof tree === "number") return tree;
  if (typeof tree === "string") return parseDim(tree, scope);
  const [op, left, right = 0] = tree;
  if (op === "pow") return powDim(build(left, scope), right as number);
  const first = build(left, scope);
  return op === "neg" ? negDim(first) : binary[op](first, build(right, scope));
}

/** Checks that `compute` fails as JAX does. */
function expectFailure(compute: () => unknown, { error, help }: RecordedFailure): void {
  const message = messageOf(compute);
  if (error === "division by zero")
    expect(message).toContain(error.replace(" by", " or modulo by"));
  else expect(message).toBe(help === true ? error + helpMessage : error);
}

function infinite(bound: number | null, infinity: number): number {
  return bound ?? infinity;
}

describe("expressions", () => {
  for (const recorded of recordedDims.expressions) {
    const { constraints, tree } = recorded;
    it(`${JSON.stringify(tree)} with [${constraints.join("; ")}]`, () => {
      const compute = (): Dim => build(tree, symbolicScope(constraints));
      if ("error" in recorded) {
        expectFailure(compute, recorded);
        return;
      }
      const dim = compute();
      expect(printDim(dim)).toBe(recorded.result);
      if (recorded.bounds === undefined) return;
      if ("error" in recorded.bounds) {
        // We are total: where JAX fails, nothing is known.
        if (recorded.bounds.kind === "inconclusive") {
          expect(boundsOf(compute())).toEqual([-Infinity, Infinity]);
        } else expectFailure(() => boundsOf(compute()), recorded.bounds);
        return;
      }
      const [lower, upper] = recorded.bounds;
      const expected = [infinite(lower, -Infinity), infinite(upper, Infinity)];
      expect(boundsOf(compute())).toEqual(expected);
    });
  }
});

describe("printed expressions are read back", () => {
  it("as the same expression", () => {
    for (const recorded of recordedDims.expressions) {
      if ("error" in recorded) continue;
      const scope = symbolicScope();
      const dim = build(recorded.tree, scope);
      expect(dimEquals(parseDim(printDim(dim), scope), dim), printDim(dim)).toBe(true);
    }
  });
});

describe("comparisons", () => {
  for (const recorded of recordedDims.comparisons) {
    const { constraints, left, comparison, right } = recorded;
    const title = `${JSON.stringify(left)} ${comparison} ${JSON.stringify(right)}`;
    it(`${title} with [${constraints.join("; ")}]`, () => {
      const compute = (): boolean => {
        const scope = symbolicScope(constraints);
        return comparisons[comparison](build(left, scope), build(right, scope));
      };
      if ("error" in recorded) expectFailure(compute, recorded);
      else expect(compute()).toBe(recorded.result);
    });
  }
});

describe("mixing scopes", () => {
  for (const recorded of recordedDims.mixing) {
    it(recorded.operation, () => {
      const a = parseDim("a", symbolicScope());
      const b = parseDim("b", symbolicScope(["b >= 2"]));
      const operation = { ...binary, ...comparisons }[recorded.operation];
      const compute = (): Dim | boolean => operation(a, b);
      if ("error" in recorded) expectFailure(compute, recorded);
      else expect(compute()).toBe(recorded.result);
    });
  }
});

describe("division of sizes of shapes", () => {
  for (const recorded of recordedDims.divisions) {
    it(`(${recorded.dividend}) by (${recorded.divisor})`, () => {
      const scope = symbolicScope();
      const [dividend, divisor] = [recorded.dividend, recorded.divisor].map((text) =>
        parseShape(text, scope),
      );
      const compute = (): Dim => divideShapeSizes(dividend ?? [], divisor ?? []);
      if ("error" in recorded) expectFailure(compute, recorded);
      else expect(printDim(compute())).toBe(recorded.result);
    });
  }
});

describe("constraints", () => {
  for (const recorded of recordedDims.constraints) {
    it(`[${recorded.constraints.join("; ")}]`, () => {
      const { constraints, error } = recorded;
      if (error === undefined) {
        expect(symbolicScope(constraints).constraintTexts).toEqual(constraints);
        return;
      }
      const message = messageOf(() => symbolicScope(constraints));
      // Two messages of JAX are Python's about tuples, and one lacks the values it means to show.
      if (error.includes("unpack")) expect(message).toContain("where one is expected");
      else if (error.includes("{e1} == {e2}")) {
        expect(message).toMatch(
          /^Invalid equality constraint: .* == .*\. The left-hand-side must be/,
        );
      } else expect(message).toBe(error);
    });
  }
});

it("has recorded enough", () => {
  expect(
    recordedDims.expressions.filter((c) => "result" in c && isSymbolicText(c.result)).length,
  ).toBeGreaterThan(400);
  expect(recordedDims.comparisons.filter((c) => "error" in c).length).toBeGreaterThan(100);
});

function isSymbolicText(text: string): boolean {
  return isSymbolic(parseDim(text, symbolicScope()));
}
