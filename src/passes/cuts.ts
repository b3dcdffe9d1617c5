/**
 * Slices that cut one array along one axis into pieces. Used by the passes that join them.
 */
import { dimEquals, type Dim } from "../ir/dims.js";
import type { Equation, Var } from "../ir/jaxpr.js";
import type { Params } from "../ir/params.js";

/** A slice with stride 1 along one axis at a known place. */
export interface Cut {
  readonly operand: Var;
  readonly axis: number;
  readonly start: number;
  readonly limit: number;
}

/** Reads an equation as a cut; null if it is another equation or a more general slice. */
export function asCut(equation: Equation | undefined): Cut | null {
  const [operand] = equation?.inputs ?? [];
  if (equation?.primitive.name !== "slice" || operand?.kind !== "var") return null;
  const starts = equation.params.start_indices as readonly Dim[];
  const limits = equation.params.limit_indices as readonly Dim[];
  const strides = equation.params.strides as readonly number[] | null;
  if (strides?.some((stride) => stride !== 1) ?? false) return null;
  const { shape } = operand.aval;
  const cut = shape.flatMap((size, axis) =>
    starts[axis] === 0 && dimEquals(limits[axis] ?? -1, size) ? [] : [axis],
  );
  const [axis = 0, ...others] = cut;
  const [start, limit] = [starts[axis], limits[axis]];
  if (cut.length !== 1 || others.length > 0) return null;
  if (typeof start !== "number" || typeof limit !== "number") return null;
  return { operand, axis, start, limit };
}

/** Three and more cuts that make up this part of an array count as cutting it up whole. */
const mostOfIt = 0.75;

/** Cuts of one array along one axis, each place once, in order, with what they leave out. */
export interface Partition {
  readonly operand: Var;
  readonly axis: number;
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  /** Nothing is left out. */
  readonly isComplete: boolean;
}

export function partitionOf(cuts: readonly Cut[]): Partition | null {
  const [first] = cuts;
  if (first === undefined) return null;
  const { operand, axis } = first;
  const total = operand.aval.shape[axis];
  const limits = new Map<number, number>();
  for (const { start, limit } of cuts) {
    if ((limits.get(start) ?? limit) !== limit) return null;
    limits.set(start, limit);
  }
  if (typeof total !== "number" || limits.size < 2) return null;
  const starts: number[] = [];
  const sizes: number[] = [];
  const add = (start: number, limit: number): void => {
    starts.push(start);
    sizes.push(limit - start);
  };
  let [next, covered] = [0, 0];
  for (const [start, limit] of [...limits].sort((a, b) => a[0] - b[0])) {
    if (start < next) return null;
    if (start > next) add(next, start);
    add(start, limit);
    covered += limit - start;
    next = limit;
  }
  if (next < total) add(next, total);
  const isComplete = covered === total;
  if (!isComplete && (limits.size < 3 || covered < mostOfIt * total)) return null;
  return { operand, axis, starts, sizes, isComplete };
}

/** All partitions of a program, by the array and the axis that they cut. */
export function partitions(equations: readonly Equation[]): ReadonlyMap<Var, readonly Partition[]> {
  const cuts = new Map<Var, Map<number, Cut[]>>();
  for (const equation of equations) {
    const cut = asCut(equation);
    if (cut === null) continue;
    const byAxis = cuts.get(cut.operand) ?? new Map<number, Cut[]>();
    byAxis.set(cut.axis, [...(byAxis.get(cut.axis) ?? []), cut]);
    cuts.set(cut.operand, byAxis);
  }
  const result = new Map<Var, readonly Partition[]>();
  for (const [operand, byAxis] of cuts) {
    const found = [...byAxis.values()].flatMap((list) => partitionOf(list) ?? []);
    if (found.length > 0) result.set(operand, found);
  }
  return result;
}

/** The parameters of the `slice` that makes a cut. */
export function cutParams({ axis, start, limit }: Cut, operand: Var): Params {
  const { shape } = operand.aval;
  return {
    start_indices: shape.map((_, index) => (index === axis ? start : 0)),
    limit_indices: shape.map((size, index) => (index === axis ? limit : size)),
    strides: null,
  };
}
