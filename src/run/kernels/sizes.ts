/**
 * Sizes of a function that was run at several sizes, as expressions in the dimension variables.
 */
import type { ShapedArray } from "../../ir/aval.js";
import {
  addDims,
  boundsOf,
  evaluateDim,
  isSymbolic,
  mulDims,
  variableDim,
  variablesOf,
  type Dim,
  type DimExpr,
} from "../../ir/dims.js";

export type Environment = ReadonlyMap<string, number>;

/** Values for trying out: prime, so that products and sums of them are seldom equal. */
const primes = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73];

/** The dimension variables of a function's arguments, and what sizes are made of. */
export class SizeFitter {
  /** The values at which the function is run. At least two: all that it does must be repeatable. */
  readonly environments: readonly Environment[];
  readonly #known: readonly Dim[];
  /** 1, the variables and their products of two. */
  readonly #monomials: readonly Dim[];

  constructor(inputs: readonly ShapedArray[]) {
    const symbolic = inputs.flatMap(({ shape }) => shape.filter(isSymbolic));
    const variables = variablesIn(symbolic);
    this.#known = symbolic;
    this.#monomials = monomials(variables);
    const count = this.#monomials.length + 1;
    this.environments = Array.from({ length: count }, (_, sample) => {
      const values = variables.map((variable, index): readonly [string, number] => {
        const [lower] = boundsOf(variable);
        const value = primes[(sample * (index + 1) + index) % primes.length] ?? 3;
        return [String(variable), Math.max(lower, 1) - 1 + value];
      });
      return new Map(values);
    });
  }

  /** The size that has these values in the environments; null if there is no polynomial for it. */
  fit(values: readonly number[]): Dim | null {
    const [first = 0] = values;
    if (values.every((value) => value === first)) return first;
    const fits = (dim: Dim): boolean =>
      this.environments.every((env, sample) => evaluateDim(dim, env) === values[sample]);
    const known = this.#known.find(fits);
    if (known !== undefined) return known;
    const rows = this.environments
      .slice(0, this.#monomials.length)
      .map((env) => this.#monomials.map((monomial) => evaluateDim(monomial, env)));
    const coefficients = solve(rows, values);
    if (coefficients === null) return null;
    const dim = coefficients.reduce<Dim>((sum, coefficient, index) => {
      const monomial = this.#monomials[index] ?? 0;
      return addDims(sum, mulDims(monomial, coefficient));
    }, 0);
    return fits(dim) ? dim : null;
  }
}

function variablesIn(dims: readonly DimExpr[]): readonly Dim[] {
  const variables = new Map<string, Dim>();
  for (const dim of dims) {
    for (const name of variablesOf(dim)) variables.set(name, variableDim(name, dim.scope));
  }
  return [...variables.values()];
}

function monomials(variables: readonly Dim[]): readonly Dim[] {
  const products = variables.flatMap((left, index) =>
    variables.slice(index).map((right) => mulDims(left, right)),
  );
  return variables.length === 0 ? [1] : [1, ...variables, ...products];
}

/** Whole coefficients with `rows * coefficients = values`, by elimination; null if there are none. */
function solve(
  rows: readonly (readonly number[])[],
  values: readonly number[],
): readonly number[] | null {
  const system = rows.map((row, index) => [...row, values[index] ?? 0]);
  const count = rows.length;
  for (let column = 0; column < count; column += 1) {
    const pivots = system.slice(column);
    const pivot = pivots.reduce((best, row) =>
      Math.abs(row[column] ?? 0) > Math.abs(best[column] ?? 0) ? row : best,
    );
    const scale = pivot[column] ?? 0;
    if (Math.abs(scale) < 1e-9) return null;
    const place = system.indexOf(pivot);
    [system[column], system[place]] = [pivot, system[column] ?? pivot];
    for (const row of system) {
      if (row === pivot) continue;
      const factor = (row[column] ?? 0) / scale;
      pivot.forEach((value, index) => (row[index] = (row[index] ?? 0) - factor * value));
    }
  }
  const solution = system.map((row, index) => (row[count] ?? 0) / (row[index] ?? 1));
  const whole = solution.map(Math.round);
  const isWhole = whole.every((value, index) => Math.abs(value - (solution[index] ?? 0)) < 1e-3);
  return isWhole ? whole : null;
}
