/**
 * Computes dimension variables from actual sizes, by JAX's algorithm: each dimension of an
 * argument is an equation, and an equation that is linear in its only unknown variable solves it.
 * What the equations say beyond that become checks of a call. Called by ../shapeSpec.ts.
 */
import { Jax2TfjsError } from "../errors.js";
import { floordivDims, modDims, mulDims, subDims, variableDim } from "./arithmetic.js";
import {
  type Comparator,
  type Dim,
  type DimExpr,
  type DimTerm,
  type SymbolicScope,
  singleFactor,
} from "./expr.js";
import {
  dimEquals,
  evaluateSymbolically,
  evaluateTerm,
  tryCompare,
  variablesOf,
} from "./operations.js";

export { evaluateSymbolically } from "./operations.js";

/** JAX's messages show the values of this many different expressions. */
const MAX_MESSAGE_VALUES = 32;

const specificationMismatch = "Input shapes do not match the polymorphic shapes specification. ";

/** `dim` specifies the size `name`, such as `args[0].shape[1]`. */
export interface DimEquation {
  readonly dim: DimExpr;
  readonly name: string;
}

/** Text and expressions whose values a message shows. */
type MessagePieces = readonly (string | Dim)[];

/** Something that must hold in a call: `left == right` or `left >= right`, in terms of sizes. */
export interface DimCheck {
  readonly comparator: Comparator;
  readonly left: Dim;
  readonly right: Dim;
  readonly message: MessagePieces;
  /** How much of the description of the solution the message shows. */
  readonly solutionPieces: number;
}

export interface DimSolution {
  /** The variables in terms of sizes, which are variables named like `args[0].shape[1]`. */
  readonly solution: ReadonlyMap<string, Dim>;
  /** In the order in which they are to be checked. */
  readonly checks: readonly DimCheck[];
  /** Describes how the variables were obtained. */
  readonly solutionMessage: MessagePieces;
}

/** A system of equations while it is being solved. */
class Solver {
  readonly solution = new Map<string, Dim>();
  readonly checks: DimCheck[] = [];
  readonly solutionMessage: (string | Dim)[] = [" Obtained dimension variables: "];

  constructor(
    private readonly scope: SymbolicScope,
    private readonly specifications: string,
  ) {}

  private check(comparator: Comparator, left: Dim, right: Dim, message: MessagePieces): void {
    const solutionPieces = this.solutionMessage.length;
    this.checks.push({ comparator, left, right, message, solutionPieces });
  }

  /** Uses an equation if at most one variable in it is unknown, and that one is linear. */
  process(equation: DimEquation): boolean {
    let rest: Dim = variableDim(equation.name, this.scope);
    let unknown: { readonly name: string; readonly coefficient: number } | undefined;
    for (const [term, coefficient] of equation.dim.terms) {
      const value = this.valueOf(term);
      if (value !== undefined) {
        rest = subDims(rest, mulDims(value, coefficient));
        continue;
      }
      const factor = singleFactor(term);
      if (factor?.kind !== "variable" || unknown !== undefined) return false;
      unknown = { name: factor.name, coefficient };
    }
    if (unknown === undefined) this.checkAgreement(equation);
    else this.solve(unknown.name, unknown.coefficient, rest, equation);
    return true;
  }

  private valueOf(term: DimTerm): Dim | undefined {
    try {
      return evaluateTerm(term, this.solution, this.scope, "throw");
    } catch (error) {
      const isUnknown =
        error instanceof Jax2TfjsError && error.code === "unknown-dimension-variable";
      if (isUnknown) return undefined;
      throw error;
    }
  }

  /** `name * coefficient == rest` */
  private solve(name: string, coefficient: number, rest: Dim, equation: DimEquation): void {
    let value = rest;
    if (coefficient !== 1) {
      value = floordivDims(rest, coefficient);
      const remainder = modDims(rest, coefficient);
      this.check("eq", remainder, 0, [
        `${specificationMismatch}Division had remainder `,
        remainder,
        ` when computing the value of '${name}'.${this.specifications}`,
      ]);
    }
    this.solution.set(name, value);
    this.solutionMessage.push(
      `'${name}' = `,
      value,
      ` from specification '${equation.dim.toString()}' for dimension ${equation.name} (= `,
      variableDim(equation.name, this.scope),
      "), ",
    );
    this.check("geq", value, 1, [
      `${specificationMismatch}Expected value >= 1 for dimension variable '${name}'.` +
        this.specifications,
    ]);
  }

  private checkAgreement({ dim, name }: DimEquation): void {
    const size = variableDim(name, this.scope);
    const expected = evaluateSymbolically(dim, this.solution);
    this.check("eq", size, expected, [
      `${specificationMismatch}Found inconsistency between dimension size ${name} (= `,
      size,
      `) and the specification '${dim.toString()}' (= `,
      expected,
      `).${this.specifications}`,
    ]);
  }

  checkConstraints(): void {
    if (this.solution.size === 0) return;
    for (const { comparator, text, difference } of this.scope.constraints) {
      const value = evaluateSymbolically(difference, this.solution);
      const relation = comparator === "geq" ? "greater or equal" : "equal";
      this.check(comparator, value, 0, [
        `Input shapes do not match the symbolic shape constraint ${text}. ` +
          `Expected '${difference.toString()}' to be ${relation} to 0, but found `,
        value,
        `. ${this.specifications}`,
      ]);
    }
  }
}

/**
 * Solves the equations.
 *
 * @param shapes the symbolic shapes of the arguments, for messages
 * @throws Jax2TfjsError `unsolvable-dimensions`, `unknown-dimension-variable`
 */
export function solveEquations(
  equations: readonly DimEquation[],
  scope: SymbolicScope | undefined,
  shapes: string,
): DimSolution {
  if (scope === undefined) return { solution: new Map(), checks: [], solutionMessage: [] };
  const specifications = ` Using the following polymorphic shapes specifications: ${shapes}.`;
  const solver = new Solver(scope, specifications);
  let remaining = equations;
  while (remaining.length > 0) {
    const unprocessed = remaining.filter((equation) => !solver.process(equation));
    if (unprocessed.length === remaining.length) {
      throw unsolvable(unprocessed, solver.solution, specifications);
    }
    remaining = unprocessed;
  }
  solver.checkConstraints();
  const { solution, checks, solutionMessage } = solver;
  return { solution, checks, solutionMessage };
}

function unsolvable(
  equations: readonly DimEquation[],
  solution: ReadonlyMap<string, Dim>,
  specifications: string,
): Jax2TfjsError {
  const unknown = new Set(equations.flatMap(({ dim }) => variablesOf(dim)));
  solution.forEach((_, name) => unknown.delete(name));
  const names = [...unknown].sort().map((name) => `'${name}'`);
  const unprocessed = equations.map(
    ({ dim, name }) => `'${dim.toString()}' for dimension size ${name}`,
  );
  return new Jax2TfjsError(
    "unsolvable-dimensions",
    `Cannot solve for values of dimension variables {${names.join(", ")}}. ` +
      `We can only solve linear uni-variate constraints.${specifications}` +
      ` Unprocessed specifications: ${unprocessed.join(", ")}` +
      ". Please see https://docs.jax.dev/en/latest/export/shape_poly.html#dimension-variables-must-be-solvable-from-the-input-shapes for more details.",
    { fix: "add an argument with a dimension that is one of these variables" },
  );
}

/** Whether a check holds for actual sizes; what cannot be decided does not hold. */
export function isSatisfied(check: DimCheck, sizes: ReadonlyMap<string, Dim>): boolean {
  const left = evaluateSymbolically(check.left, sizes);
  const right = evaluateSymbolically(check.right, sizes);
  if (check.comparator === "eq") return dimEquals(left, right);
  return tryCompare(left, ">=", right) === true;
}

/** The message for a check that does not hold. */
export function describeFailure(
  solution: DimSolution,
  check: DimCheck,
  sizes: ReadonlyMap<string, Dim>,
): string {
  const shown = new Set<string>();
  const print = (piece: string | Dim): string => {
    if (typeof piece === "string") return piece;
    const key = piece.toString();
    if (!shown.has(key) && shown.size >= MAX_MESSAGE_VALUES) return "N/A";
    shown.add(key);
    return evaluateSymbolically(piece, sizes).toString();
  };
  const pieces = [...check.message, ...solution.solutionMessage.slice(0, check.solutionPieces)];
  return (
    pieces.map(print).join("") +
    ". Please see https://docs.jax.dev/en/latest/export/shape_poly.html#shape-assertion-errors for more details."
  );
}
