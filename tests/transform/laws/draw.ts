// Random equations: what generators of examples draw from. fast-check decides on all numbers, so a
// failing example is printed with its seed and made smaller.
import fc from "fast-check";
import { isComplex, type DType } from "../../../src/ir/dtypes.js";
import type { Ops, Value } from "../../../src/ir/ops.js";
import type { Params } from "../../../src/ir/params.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";

/** Numbers between 0 and 1. */
export type Random = () => number;

/** An array of static size; real and imaginary parts of complex numbers alternate. */
export interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

/** An input of an equation, and how its numbers are drawn: away from kinks and poles. */
export interface Input {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly sample: (random: Random) => readonly number[];
}

/** A step of a program, before or after an equation. */
export type Stage = (o: Ops, values: readonly Value[]) => readonly Value[];

/** An equation of the primitive that a generator stands for, and what to know when it is checked. */
export interface Example {
  readonly inputs: readonly Input[];
  readonly params?: Params;
  /** From what is drawn to what the equation takes: symmetric matrices. Part of the program. */
  readonly prepare?: Stage;
  /** What is used of the results, as JAX's functions do: a triangle. Part of the program. */
  readonly finish?: Stage;
  /** The inputs that have derivatives; default: the floating and complex ones. */
  readonly active?: readonly number[];
  /**
   * What slopes are taken of where results themselves jump or are free up to signs (vectors of
   * decompositions); false: results are steps, or JAX's derivative is not the slope.
   */
  readonly smooth?: false | Stage;
  /** False: forward derivatives only, as JAX. */
  readonly reverse?: false;
  /** The same function without a derivative rule of its own: its forward derivative is compared. */
  readonly plain?: ClosedJaxpr;
  /** Inputs in which the equation is linear, all together: it is transposed as it is, too. */
  readonly linear?: readonly number[];
  /** The inputs that may be batched; default: all. */
  readonly batched?: readonly number[];
  /** A named axis around the equation, for collectives. */
  readonly axis?: { readonly name: string; readonly size: number };
  /** Relative accuracy of values and of derivatives, where float32 gives less than usual. */
  readonly tolerance?: number;
}

export type Generator = (draw: Draw) => Example;
export type Generators = Readonly<Record<string, Generator>>;

/** Numbers between 0 and 1, the same for the same seed. */
export function randomSource(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // The upper bits are the random ones.
    return (state >>> 8) / 2 ** 24;
  };
}

/** Choices that fast-check makes. */
export class Draw {
  readonly #value: fc.GeneratorValue;

  constructor(value: fc.GeneratorValue) {
    this.#value = value;
  }

  /** A whole number, both ends included. */
  int(low: number, high: number): number {
    return low >= high ? low : this.#value(fc.integer, { min: low, max: high });
  }

  bool(): boolean {
    return this.int(0, 1) === 1;
  }

  /** True once in `count` times. */
  oneIn(count: number): boolean {
    return this.int(1, count) === count;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  seed(): number {
    return this.#value(fc.nat, { max: 1_000_000 });
  }

  /** Small sizes. */
  shape(minRank = 0, maxRank = 3, maxSize = 4): readonly number[] {
    const rank = this.int(minRank, maxRank);
    return Array.from({ length: rank }, () => this.int(1, maxSize));
  }

  /** A shape that may have no elements. */
  shapeOrEmpty(minRank = 0, maxRank = 3, maxSize = 4): readonly number[] {
    const shape = this.shape(minRank, maxRank, maxSize);
    return shape.length > 0 && this.oneIn(12) ? shape.with(this.axis(shape), 0) : shape;
  }

  axis(shape: readonly number[]): number {
    return this.int(0, shape.length - 1);
  }

  permutation(count: number): readonly number[] {
    const list = upTo(count);
    for (let last = count - 1; last > 0; last--) {
      const other = this.int(0, last);
      const [a = 0, b = 0] = [list[last], list[other]];
      list[last] = b;
      list[other] = a;
    }
    return list;
  }

  /** Some of the numbers below `count`, at least `least` of them, in ascending order. */
  subset(count: number, least = 0): readonly number[] {
    const size = this.int(least, count);
    return this.permutation(count)
      .slice(0, size)
      .toSorted((a, b) => a - b);
  }
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** Real numbers of an interval, or complex ones whose parts are in it. */
export function floats(
  shape: readonly number[],
  low = -1,
  high = 1,
  dtype: DType = "float32",
): Input {
  const count = sizeOf(shape) * (isComplex(dtype) ? 2 : 1);
  const sample = (random: Random): number[] =>
    Array.from({ length: count }, () => low + (high - low) * random());
  return { dtype, shape, sample };
}

/** Complex numbers of a rectangle. */
export function complexNumbers(
  shape: readonly number[],
  [left, right, bottom, top]: readonly [number, number, number, number],
): Input {
  const sample = (random: Random): number[] =>
    upTo(sizeOf(shape)).flatMap(() => [
      left + (right - left) * random(),
      bottom + (top - bottom) * random(),
    ]);
  return { dtype: "complex64", shape, sample };
}

/** Numbers of both signs whose magnitude is in an interval. */
export function signed(
  shape: readonly number[],
  low = 0.2,
  high = 1.5,
  dtype: DType = "float32",
): Input {
  const sample = (random: Random): number[] =>
    upTo(sizeOf(shape)).map(() => (random() < 0.5 ? -1 : 1) * (low + (high - low) * random()));
  return { dtype, shape, sample };
}

/** Numbers that all differ by more than a step of a difference quotient, in random order. */
export function distinct(
  shape: readonly number[],
  dtype: DType = "float32",
  offset = 0,
  step = 0.3,
): Input {
  const sample = (random: Random): number[] => {
    const count = sizeOf(shape);
    const order = upTo(count)
      .map((index) => [random(), index] as const)
      .sort(([a], [b]) => a - b);
    return order.map(
      ([, index]) => offset + (index - Math.floor(count / 2)) * step + 0.02 * random(),
    );
  };
  return { dtype, shape, sample };
}

/** Whole numbers, both ends included; 0 and 1 for bool. */
export function integers(
  shape: readonly number[],
  low: number,
  high: number,
  dtype: DType = "int32",
): Input {
  const sample = (random: Random): number[] =>
    upTo(sizeOf(shape)).map(() => low + Math.floor((high - low + 1) * random()));
  return { dtype, shape, sample };
}

export const bools = (shape: readonly number[]): Input => integers(shape, 0, 1, "bool");

/** Numbers that depend on their place, or on each other. */
export const sampled = (
  shape: readonly number[],
  sample: Input["sample"],
  dtype: DType = "float32",
): Input => ({ dtype, shape, sample });
