/**
 * What a program costs: operations by primitive, floating point operations, bytes moved. Called by
 * inspect.
 */
import type { ShapedArray } from "../ir/aval.js";
import { elementCount } from "../ir/hostArray.js";
import { storageBytesOf } from "../ir/dtypes.js";
import { isStaticShape } from "../ir/dims.js";
import { subJaxprs, type ClosedJaxpr, type Equation } from "../ir/jaxpr.js";
import { substituteProgram } from "../ir/substitute.js";

/** Equations per primitive, those of inner programs included, most frequent first. */
export function operationCounts(program: ClosedJaxpr): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const visit = ({ jaxpr }: ClosedJaxpr): void => {
    for (const { primitive, params } of jaxpr.equations) {
      counts.set(primitive.name, (counts.get(primitive.name) ?? 0) + 1);
      subJaxprs(params).forEach(visit);
    }
  };
  visit(program);
  return sortedCounts(counts);
}

/** Counts with the largest first, equal ones by name. */
export function sortedCounts(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const byName = ([a, m]: [string, number], [b, n]: [string, number]): number =>
    n - m || (a < b ? -1 : 1);
  return new Map([...counts].sort(byName));
}

export interface Cost {
  /** Multiplications, additions and so on; a fused multiply-add counts as two. */
  readonly flops: number;
  /** Bytes of all arguments and results of equations: what would be moved without fusion. */
  readonly bytesAccessed: number;
  /** True if loops are counted as one iteration, and all branches of conditionals are counted. */
  readonly countsInnerOnce: boolean;
}

/** The cost of a program for sizes of its dimension variables, all of which must be given. */
export function costOf(program: ClosedJaxpr, sizes: ReadonlyMap<string, number>): Cost {
  const counter = new CostCounter();
  counter.program(sizes.size === 0 ? program : substituteProgram(program, sizes));
  return counter;
}

class CostCounter implements Cost {
  flops = 0;
  bytesAccessed = 0;
  countsInnerOnce = false;

  program({ jaxpr }: ClosedJaxpr): void {
    for (const equation of jaxpr.equations) this.equation(equation);
  }

  equation({ primitive, inputs, outputs, params }: Equation): void {
    const inner = subJaxprs(params);
    const inAvals = inputs.map((atom) => atom.aval);
    const outAvals = outputs.map((variable) => variable.aval);
    if (primitive.flops !== undefined) {
      this.flops += primitive.flops(inAvals, params, outAvals);
    } else {
      if (inner.length > 0 && primitive.traits?.inlines === undefined) this.countsInnerOnce = true;
      for (const program of inner) this.program(program);
      if (inner.length > 0) return;
    }
    for (const aval of [...inAvals, ...outAvals]) this.bytesAccessed += avalBytes(aval);
  }
}

/** Bytes of an array of this type; 0 if its sizes are not known. */
export function avalBytes({ shape, dtype }: Pick<ShapedArray, "shape" | "dtype">): number {
  return isStaticShape(shape) ? elementCount(shape) * storageBytesOf(dtype) : 0;
}
