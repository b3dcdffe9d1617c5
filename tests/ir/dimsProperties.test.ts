// Random symbolic dimensions: normalisation keeps values, bounds and comparisons are never wrong,
// printed expressions are read back, and solved variables are the ones that sizes were made from.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Dim,
  type SymbolicScope,
  addDims,
  boundsOf,
  dimEquals,
  evaluateDim,
  floordivDims,
  isSymbolic,
  maxDim,
  minDim,
  modDims,
  mulDims,
  parseDim,
  powDim,
  printDim,
  subDims,
  substituteDims,
  symbolicScope,
  tryCompare,
  variableDim,
} from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { checkCall, planFromSpecification, solveDims } from "../../src/ir/shapeSpec.js";

const numRuns = Number(process.env.JAX2TFJS_PROPERTY_RUNS ?? 1000);
const names = ["a", "b", "c"] as const;

type Op = "add" | "floordiv" | "max" | "min" | "mod" | "mul" | "sub";
type Tree =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "power"; readonly base: Tree; readonly exponent: number }
  | { readonly kind: "operation"; readonly op: Op; readonly left: Tree; readonly right: Tree };

const dimOperations: Readonly<Record<Op, (left: Dim, right: Dim) => Dim>> = {
  add: addDims,
  sub: subDims,
  mul: mulDims,
  floordiv: floordivDims,
  mod: modDims,
  max: maxDim,
  min: minDim,
};

/** The same on numbers; NaN for a division by zero. */
const numberOperations: Readonly<Record<Op, (left: number, right: number) => number>> = {
  add: (left, right) => left + right,
  sub: (left, right) => left - right,
  mul: (left, right) => left * right,
  floordiv: (left, right) => (right === 0 ? NaN : Math.floor(left / right)),
  mod: (left, right) => (right === 0 ? NaN : left - right * Math.floor(left / right)),
  max: (left, right) => Math.max(left, right),
  min: (left, right) => Math.min(left, right),
};

const leaf: fc.Arbitrary<Tree> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...names).map((name): Tree => ({ kind: "variable", name })),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: -4, max: 9 }).map((value): Tree => ({ kind: "number", value })),
  },
);

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.record({
      kind: fc.constant("operation" as const),
      op: fc.constantFrom<Op>("add", "sub", "mul", "floordiv", "mod", "max", "min"),
      left: tie("tree"),
      right: tie("tree"),
    }),
    fc.record({
      kind: fc.constant("power" as const),
      base: leaf,
      exponent: fc.integer({ min: 0, max: 3 }),
    }),
    // Squares of what may be negative.
    fc.record({
      kind: fc.constant("power" as const),
      base: tie("tree"),
      exponent: fc.integer({ min: 1, max: 2 }),
    }),
  ),
}));

const valuation = fc
  .tuple(
    ...names.map(() => fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 99 }))),
  )
  .map((values) => new Map(names.map((name, i) => [name as string, values[i] ?? 1])));

function valueOf(t: Tree, env: ReadonlyMap<string, number>): number {
  switch (t.kind) {
    case "number":
      return t.value;
    case "variable":
      return env.get(t.name) ?? NaN;
    case "power":
      return valueOf(t.base, env) ** t.exponent;
    case "operation":
      return numberOperations[t.op](valueOf(t.left, env), valueOf(t.right, env));
  }
}

function build(t: Tree, scope: SymbolicScope): Dim {
  switch (t.kind) {
    case "number":
      return t.value;
    case "variable":
      return variableDim(t.name, scope);
    case "power":
      return powDim(build(t.base, scope), t.exponent);
    case "operation":
      return dimOperations[t.op](build(t.left, scope), build(t.right, scope));
  }
}

/** The dimension, or undefined where it divides by zero, overflows or may divide by zero. */
function tryBuild(t: Tree, scope: SymbolicScope): Dim | undefined {
  try {
    return build(t, scope);
  } catch (error) {
    const codes = ["dimension-division-by-zero", "dimension-overflow", "inconclusive-dimension"];
    if (error instanceof Jax2TfjsError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** Only values that numbers hold exactly. */
function exactValue(t: Tree, env: ReadonlyMap<string, number>): number | undefined {
  const value = valueOf(t, env) + 0;
  return Number.isSafeInteger(value) && Math.abs(value) < 2 ** 40 ? value : undefined;
}

/** The value, or undefined where a step of its computation is too large to be exact. */
function tryEvaluate(dim: Dim, env: ReadonlyMap<string, number>): number | undefined {
  try {
    return evaluateDim(dim, env);
  } catch (error) {
    if (error instanceof Jax2TfjsError && error.code === "dimension-overflow") return undefined;
    throw error;
  }
}

/** Checks the value of a dimension where both ways to compute it are exact. */
function expectValue(dim: Dim, env: ReadonlyMap<string, number>, expected?: number): void {
  if (expected === undefined) return;
  expect(tryEvaluate(dim, env) ?? expected).toBe(expected);
}

/** Constraints that a valuation may satisfy, and whether it does. */
const constraints: readonly (readonly [
  text: string,
  holds: (a: number, b: number, c: number) => boolean,
  /** Makes a valuation satisfy an equality. */
  repair?: (env: Map<string, number>) => void,
])[] = [
  ["a >= b", (a, b) => a >= b],
  ["b >= 4", (_, b) => b >= 4],
  ["c <= 16", (_a, _b, c) => c <= 16],
  ["2*a + 1 >= 3*b", (a, b) => 2 * a + 1 >= 3 * b],
  ["a*b >= c", (a, b, c) => a * b >= c],
  ["floordiv(a, 2) <= 10", (a) => Math.floor(a / 2) <= 10],
  ["max(a, b) <= c + 20", (a, b, c) => Math.max(a, b) <= c + 20],
  ["min(a, c) >= 2", (a, _, c) => Math.min(a, c) >= 2],
  ["mod(a, 4) == 0", (a) => a % 4 === 0, (env) => env.set("a", 4 * (env.get("a") ?? 1))],
  ["c == 2*b", (_, b, c) => c === 2 * b, (env) => env.set("c", 2 * (env.get("b") ?? 1))],
];

const constrained = fc
  .tuple(
    fc.subarray(
      constraints.map((_, i) => i),
      { maxLength: 4 },
    ),
    fc.array(valuation, { minLength: 4, maxLength: 12 }),
  )
  .map(([indices, envs]) => {
    const chosen = constraints.filter((_, i) => indices.includes(i));
    const repaired = envs.map((env) => {
      const copy = new Map(env);
      for (const [, , repair] of chosen) repair?.(copy);
      return copy;
    });
    const [a, b, c] = names;
    return {
      texts: chosen.map(([text]) => text),
      valuations: repaired.filter((env) =>
        chosen.every(([, holds]) => holds(env.get(a) ?? 0, env.get(b) ?? 0, env.get(c) ?? 0)),
      ),
    };
  });

describe("random dimensions", () => {
  it("have the value of what they were made from", () => {
    fc.assert(
      fc.property(tree, fc.array(valuation, { minLength: 3, maxLength: 3 }), (t, envs) => {
        const dim = tryBuild(t, symbolicScope());
        fc.pre(dim !== undefined);
        for (const env of envs) {
          expectValue(dim, env, exactValue(t, env));
        }
      }),
      { numRuns },
    );
  });

  it("are printed and read back", () => {
    fc.assert(
      fc.property(tree, (t) => {
        const scope = symbolicScope();
        const dim = tryBuild(t, scope);
        fc.pre(dim !== undefined);
        expect(dimEquals(parseDim(printDim(dim), scope), dim)).toBe(true);
        const again = parseDim(printDim(dim), symbolicScope());
        expect(printDim(again)).toBe(printDim(dim));
      }),
      { numRuns },
    );
  });

  it("have values within their bounds, under constraints", () => {
    fc.assert(
      fc.property(tree, constrained, (t, { texts, valuations }) => {
        fc.pre(valuations.length > 0);
        const dim = tryBuild(t, symbolicScope(texts));
        fc.pre(dim !== undefined);
        const [lower, upper] = boundsOf(dim);
        for (const env of valuations) {
          const value = exactValue(t, env);
          if (value === undefined) continue;
          expectValue(dim, env, value);
          expect(value).toBeGreaterThanOrEqual(lower);
          expect(value).toBeLessThanOrEqual(upper);
        }
      }),
      { numRuns: 2 * numRuns },
    );
  });

  it("compare as their values do", () => {
    fc.assert(
      fc.property(tree, tree, constrained, (left, right, { texts, valuations }) => {
        const scope = symbolicScope(texts);
        const [l, r] = [tryBuild(left, scope), tryBuild(right, scope)];
        fc.pre(l !== undefined && r !== undefined && valuations.length > 0);
        const answers = (["<", "<=", "==", "!=", ">=", ">"] as const).map((comparison) => {
          try {
            return [comparison, tryCompare(l, comparison, r)] as const;
          } catch {
            return [comparison, undefined] as const;
          }
        });
        const equal = dimEquals(l, r);
        for (const env of valuations) {
          const [x, y] = [exactValue(left, env), exactValue(right, env)];
          if (x === undefined || y === undefined) continue;
          if (equal) expect(x).toBe(y);
          const truth = {
            "<": x < y,
            "<=": x <= y,
            "==": x === y,
            "!=": x !== y,
            ">=": x >= y,
            ">": x > y,
          };
          for (const [comparison, answer] of answers) {
            if (answer !== undefined) expect(answer, comparison).toBe(truth[comparison]);
          }
        }
      }),
      { numRuns },
    );
  });

  it("are the same whether substituted first or evaluated at once", () => {
    fc.assert(
      fc.property(tree, tree, valuation, (t, replacement, env) => {
        const scope = symbolicScope();
        const [dim, value] = [tryBuild(t, scope), tryBuild(replacement, scope)];
        fc.pre(dim !== undefined && value !== undefined);
        const a = exactValue(replacement, env);
        fc.pre(a !== undefined && a >= 1);
        let substituted: Dim;
        try {
          substituted = substituteDims(dim, new Map([["a", value]]));
        } catch (error) {
          fc.pre(!(error instanceof Jax2TfjsError));
          throw error;
        }
        const expected = exactValue(t, new Map([...env, ["a", a]]));
        expectValue(substituted, env, expected);
      }),
      { numRuns },
    );
  });
});

describe("random calls", () => {
  it("give back the values that their shapes were made from", () => {
    const coefficient = fc.integer({ min: -3, max: 5 });
    const linear = fc.tuple(coefficient, coefficient, coefficient, fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.array(linear, { minLength: 1, maxLength: 5 }), valuation, (rows, env) => {
        const scope = symbolicScope();
        const shape = rows.map((row) =>
          [...names, 1 as const].reduce<Dim>((sum, name, i) => {
            const variable = name === 1 ? 1 : variableDim(name, scope);
            return addDims(sum, mulDims(variable, row[i] ?? 0));
          }, 0),
        );
        const sizes = shape.map((dim) => evaluateDim(dim, env));
        fc.pre(sizes.every((size) => size >= 0) && shape.some(isSymbolic));
        let plan;
        try {
          plan = solveDims([{ name: "x", shape }]);
        } catch (error) {
          expect((error as Jax2TfjsError).code).toBe("unsolvable-dimensions");
          return;
        }
        for (const each of [plan, planFromSpecification(plan.specification)]) {
          for (const [name, value] of checkCall(each, [sizes])) expect(value).toBe(env.get(name));
        }
      }),
      { numRuns },
    );
  });
});

describe("random text", () => {
  it("is read or refused with an error of ours", () => {
    const piece = fc.constantFrom(
      ..."a b 2 17 + - * ^ ( ) , _ ... max( min( floordiv( mod( non_negative( $ ' # == . \n".split(
        " ",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const scope = symbolicScope();
        try {
          printDim(parseDim(pieces.join(" "), scope));
        } catch (error) {
          expect(error).toBeInstanceOf(Jax2TfjsError);
        }
      }),
      { numRuns: 4 * numRuns },
    );
  });
});
