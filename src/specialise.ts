/**
 * A program for some of its sizes alone: what JAX would have exported with numbers in place of these
 * dimension variables. Called by `convert` for its option `dimensions` and the `--set` of commands.
 */
import type { ShapedArray } from "./ir/aval.js";
import {
  isSymbolic,
  parseDim,
  printDim,
  substituteDims,
  symbolicScope,
  variableDim,
  variablesOf,
  type Dim,
  type Shape,
} from "./ir/dims.js";
import { Jax2TfjsError } from "./ir/errors.js";
import { substituteProgram } from "./ir/substitute.js";
import type { Program, ProgramValue } from "./import/program.js";
import { shapeSpecifications } from "./import/programValues.js";

/** Sizes by the name of the dimension variable. */
export type Sizes = ReadonlyMap<string, number>;

/**
 * The program with dimension variables replaced by sizes, in its types, its constraints and its
 * equations. Variables that are not in `sizes` stay.
 *
 * @throws Jax2TfjsError `no-such-dimension`; `shape-mismatch` for a size below 1, or sizes that
 * violate a constraint or make the size of an input negative
 */
export function specialise(program: Program, sizes: Sizes): Program {
  if (sizes.size === 0) return program;
  checkSizes(program, sizes);
  const constraints = program.constraints.flatMap((text) => specialiseConstraint(text, sizes));
  const scope = symbolicScope(constraints);
  const remaining = program.dimensionVariables.filter((name) => !sizes.has(name));
  const values = new Map<string, Dim>([
    ...remaining.map((name) => [name, variableDim(name, scope)] as const),
    ...sizes,
  ]);
  const shapeOf = ({ shape }: ShapedArray): Shape =>
    shape.map((dim) => substituteDims(dim, values));
  const sized = <T extends ProgramValue>(value: T): T => ({
    ...value,
    aval: { ...value.aval, shape: shapeOf(value.aval) },
  });
  const inputs = program.inputs.map(sized);
  for (const { name, aval } of inputs) checkNoneNegative(name, aval.shape, sizes);
  return {
    ...program,
    jaxpr: substituteProgram(program.jaxpr, values),
    inputs,
    outputs: program.outputs.map(sized),
    dimensionVariables: remaining,
    scope,
    constraints,
    shapeSpecifications: shapeSpecifications(inputs),
    shapeAssertions: remaining.length === 0 ? [] : program.shapeAssertions,
  };
}

function checkSizes(program: Program, sizes: Sizes): void {
  for (const [name, size] of sizes) {
    if (!program.dimensionVariables.includes(name)) {
      const names = program.dimensionVariables;
      throw new Jax2TfjsError(
        "no-such-dimension",
        `the program has no dimension variable ${name}`,
        {
          fix:
            names.length === 0 ? "leave it out" : `its dimension variables are ${names.join(", ")}`,
        },
      );
    }
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new Jax2TfjsError(
        "shape-mismatch",
        `Expected value >= 1 for dimension variable '${name}'. Got ${name}=${size}.`,
      );
    }
  }
}

function checkNoneNegative(name: string, shape: Shape, sizes: Sizes): void {
  if (shape.every((dim) => isSymbolic(dim) || dim >= 0)) return;
  const given = describe(sizes);
  throw new Jax2TfjsError("shape-mismatch", `${name} has a negative size where ${given}.`);
}

const describe = (sizes: Sizes): string =>
  [...sizes].map(([name, size]) => `${name} = ${size}`).join(", ");

/** The constraint about the variables that are left: none where it is about none of them. */
function specialiseConstraint(text: string, sizes: Sizes): readonly string[] {
  const sign = ["==", ">=", "<="].find((candidate) => text.includes(candidate)) ?? "==";
  const scope = symbolicScope();
  const [left = 0, right = 0] = text.split(sign).map((side) => parseDim(side, scope));
  const involved = [left, right].flatMap(variablesOf);
  if (!involved.some((name) => sizes.has(name))) return [text];
  const values = new Map<string, Dim>(sizes);
  const [first, second] = [substituteDims(left, values), substituteDims(right, values)];
  if (!isSymbolic(first) && !isSymbolic(second)) {
    if (holds(first, sign, second)) return [];
    const got = describe(new Map([...sizes].filter(([name]) => involved.includes(name))));
    throw new Jax2TfjsError("shape-mismatch", `The constraint ${text} does not hold for ${got}.`, {
      fix: "give sizes that the author of the program declared",
    });
  }
  const [a, b] = [printDim(first), printDim(second)];
  if (sign !== "==" || isOneTerm(first)) return [`${a} ${sign} ${b}`];
  if (isOneTerm(second)) return [`${b} == ${a}`];
  return [`${a} >= ${b}`, `${a} <= ${b}`];
}

const isOneTerm = (dim: Dim): boolean => isSymbolic(dim) && dim.terms.length === 1;

function holds(left: number, sign: string, right: number): boolean {
  const difference = left - right;
  return sign === "==" ? difference === 0 : sign === ">=" ? difference >= 0 : difference <= 0;
}
