// The laws: forward derivatives are linear and are slopes, reverse ones are their transpose, a batch
// is its rows. Checked on one example of an equation, on the current backend.
import * as tf from "@tensorflow/tfjs-core";
import { shapedArray, type ShapedArray } from "../../../src/ir/aval.js";
import { isComplex } from "../../../src/ir/dtypes.js";
import { fromNumbers } from "../../../src/ir/hostArray.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";
import { printJaxpr } from "../../../src/ir/print.js";
import type { Ops, Value } from "../../../src/ir/ops.js";
import type { Primitive } from "../../../src/ir/primitive.js";
import "../../../src/run/install.js";
import { rememberType, type ArrayValue } from "../../../src/trace/arrays.js";
import { asValue, evaluateProgram, fromValue } from "../../../src/trace/trace.js";
import {
  batchProgram,
  isDifferentiable,
  jvpProgram,
  vjpProgram,
} from "../../../src/transform/index.js";
import { compareArrays, comparisonKind } from "../../support/compare.js";
import { at, build } from "../programs.js";
import {
  randomSource,
  sizeOf,
  upTo,
  type Draw,
  type Example,
  type Numbers,
  type Random,
} from "./draw.js";

/** An array as the evaluator takes it. Short floats are not rounded: tangents stay linear. */
function toValue({ dtype, shape, numbers }: Numbers): Value {
  if (dtype !== "float16" && dtype !== "bfloat16") {
    return asValue(fromNumbers(dtype, shape, numbers));
  }
  const tensor = tf.tensor([...numbers], [...shape], "float32");
  rememberType(tensor as unknown as ArrayValue, shapedArray(dtype, shape));
  return asValue(tensor);
}

const numbersOf = (value: Value): readonly number[] => Array.from(fromValue(value).dataSync());

/** The results of a program, in order. Its inputs stay as they are. */
export function evaluate(program: ClosedJaxpr, args: readonly Numbers[]): readonly Numbers[] {
  let found: readonly Numbers[] = [];
  tf.tidy(() => {
    const inputs = args.map(toValue);
    const before = inputs.map(numbersOf);
    found = evaluateProgram(program, inputs).map((value, index) => {
      const { dtype } = at(program.jaxpr.outvars, index).aval;
      return { dtype, shape: fromValue(value).shape, numbers: numbersOf(value) };
    });
    if (inputs.every((input, index) => numbersOf(input).join() === at(before, index).join()))
      return;
    throw new Error("running the program changed its inputs");
  });
  return found;
}

type Check = (label: string, found: Numbers, wanted: Numbers, tolerance: number) => void;

/** Compares relative to the largest number of the array. */
const expectEqual: Check = (label, found, wanted, tolerance) => {
  const largest = Math.max(1, ...wanted.numbers.filter(Number.isFinite).map(Math.abs));
  const bounds = { rtol: tolerance, atol: tolerance * largest };
  const kind = comparisonKind(wanted.dtype);
  const { agrees, summary } = compareArrays(found.numbers, wanted.numbers, kind, bounds);
  const sameShape = found.shape.join() === wanted.shape.join();
  if (agrees && sameShape) return;
  const shapes = sameShape ? "" : `: shape [${found.shape.join()}] not [${wanted.shape.join()}]`;
  throw new Error(`${label}${shapes}: ${summary}`);
};

/** Arrays of one shape as one array with a new dimension. */
export function stack(rows: readonly Numbers[], dim: number): Numbers {
  const { dtype, shape } = at(rows, 0);
  const inside = sizeOf(shape.slice(dim)) * (isComplex(dtype) ? 2 : 1);
  const numbers = upTo(sizeOf(shape.slice(0, dim))).flatMap((place) =>
    rows.flatMap((row) => row.numbers.slice(place * inside, (place + 1) * inside)),
  );
  return { dtype, shape: shape.toSpliced(dim, 0, rows.length), numbers };
}

/** The sum of arrays of one shape, each times a factor. */
function combine(terms: readonly (readonly [factor: number, array: Numbers])[]): Numbers {
  const [, first] = at(terms, 0);
  const numbers = first.numbers.map((_, place) =>
    terms.reduce((sum, [factor, array]) => sum + factor * at(array.numbers, place), 0),
  );
  return { ...first, numbers };
}

/** Between -1 and 1. */
function randomLike({ dtype, shape }: ShapedArray, random: Random): Numbers {
  const sizes = shape.map(Number);
  const count = sizeOf(sizes) * (isComplex(dtype) ? 2 : 1);
  return { dtype, shape: sizes, numbers: Array.from({ length: count }, () => 2 * random() - 1) };
}

/** The real part of `<x, y>` without conjugation, and the size of what is added up. */
function inner(pairs: readonly (readonly [Numbers, Numbers])[]): readonly [number, number] {
  let [sum, size] = [0, 0];
  for (const [x, y] of pairs) {
    x.numbers.forEach((number, place) => {
      const product = number * at(y.numbers, place);
      sum += isComplex(x.dtype) && place % 2 === 1 ? -product : product;
      size += Math.abs(product);
    });
  }
  return [sum, size];
}

/** A difference quotient of fourth order takes values this many steps away. */
const step = 2 ** -6;
const offsets: readonly (readonly [steps: number, weight: number])[] = [
  [-2, 1 / 12],
  [-1, -2 / 3],
  [1, 2 / 3],
  [2, -1 / 12],
];

/** Numbers, with 0 where others are not finite: what is filled in has no slope. */
const whereFinite = (array: Numbers, others: Numbers): Numbers => ({
  ...array,
  numbers: array.numbers.map((number, place) =>
    Number.isFinite(at(others.numbers, place)) ? number : 0,
  ),
});

/** One example under examination. */
export class Laws {
  readonly #primitive: Primitive;
  readonly #example: Example;
  readonly #draw: Draw;
  readonly #random: Random;
  readonly #program: ClosedJaxpr;
  readonly #args: readonly Numbers[];
  readonly #tolerance: number;

  constructor(primitive: Primitive, example: Example, draw: Draw) {
    this.#primitive = primitive;
    this.#example = example;
    this.#draw = draw;
    this.#random = randomSource(draw.seed());
    this.#program = this.#build((_o, outputs) => outputs);
    this.#args = this.#sample();
    this.#tolerance = example.tolerance ?? 1e-5;
  }

  /** All laws that the rules of the primitive make hold. */
  check(): void {
    const { jvp, batch } = this.#primitive;
    try {
      if (typeof jvp === "function" && this.#activeInputs().length > 0) this.#checkDerivatives();
      if (typeof batch === "function" && this.#batchedInputs().length > 0) this.#checkBatches();
    } catch (error) {
      const args = this.#args.map(({ dtype, shape, numbers }) => {
        const shown = numbers.slice(0, 12).map((number) => number.toPrecision(4));
        return `  ${dtype}[${shape.join()}] ${shown.join(" ")}`;
      });
      const text = [printJaxpr(this.#program), ...args].join("\n");
      throw new Error(`${(error as Error).message}\n${text}`, { cause: error });
    }
  }

  /** The equation, and what is computed from its results. */
  #build(body: (o: Ops, outputs: readonly Value[]) => readonly Value[]): ClosedJaxpr {
    const { inputs, params = {}, prepare } = this.#example;
    const avals = inputs.map(({ dtype, shape }) => shapedArray(dtype, shape));
    return build(avals, (o, values) => {
      const prepared = prepare === undefined ? values : prepare(o, values);
      return body(o, o.bind(this.#primitive, prepared, params));
    });
  }

  /** Numbers for all inputs: one array of each row of the named axis. */
  #sample(): readonly Numbers[] {
    const { inputs, axis } = this.#example;
    return inputs.map(({ dtype, shape, sample }) => {
      const row = (): Numbers => ({ dtype, shape, numbers: sample(this.#random) });
      return axis === undefined ? row() : stack(upTo(axis.size).map(row), 0);
    });
  }

  /** What can be run: collectives under a `vmap` that names their axis. */
  #runnable(program: ClosedJaxpr): ClosedJaxpr {
    const { axis } = this.#example;
    if (axis === undefined) return program;
    const front = program.jaxpr.invars.map(() => 0);
    const wanted = program.jaxpr.outvars.map(() => 0);
    return batchProgram(program, axis.size, front, wanted, axis.name).program;
  }

  #activeInputs(): readonly number[] {
    const { inputs, active } = this.#example;
    const all = upTo(inputs.length).filter((index) => isDifferentiable(at(inputs, index).dtype));
    return active ?? all;
  }

  #batchedInputs(): readonly number[] {
    return this.#example.batched ?? upTo(this.#example.inputs.length);
  }

  #checkDerivatives(): void {
    const candidates = this.#activeInputs();
    const chosen = this.#draw.subset(candidates.length, 1).map((index) => at(candidates, index));
    const active = this.#args.map((_, index) => chosen.includes(index));
    const source = this.#example.plain ?? this.#program;
    const everything = source.jaxpr.outvars.map(() => true);
    const forward = this.#runnable(jvpProgram(source, active, everything).program);
    const [count, outputs] = [this.#args.length, this.#program.jaxpr.outvars.length];
    const directions = (): readonly Numbers[] =>
      forward.jaxpr.invars.slice(count).map(({ aval }) => randomLike(aval, this.#random));
    const push = (tangents: readonly Numbers[]): readonly Numbers[] =>
      evaluate(forward, [...this.#args, ...tangents]);

    const tangents = directions();
    const pushed = push(tangents);
    const values = evaluate(this.#runnable(this.#program), this.#args);
    values.forEach((value, index) => {
      expectEqual(`value ${index} of jvp`, at(pushed, index), value, this.#tolerance);
    });
    this.#checkLinearity(tangents, directions(), pushed.slice(outputs), (given) =>
      push(given).slice(outputs),
    );
    this.#checkSlope(active, tangents);
    if (this.#example.reverse !== false) {
      this.#checkAdjoint(active, tangents, pushed.slice(outputs));
    }
  }

  /** `J(a s + b t) = a J s + b J t` */
  #checkLinearity(
    first: readonly Numbers[],
    second: readonly Numbers[],
    pushed: readonly Numbers[],
    push: (tangents: readonly Numbers[]) => readonly Numbers[],
  ): void {
    const [a, b] = [2 * this.#random() - 1, 2 * this.#random() - 1];
    const other = push(second);
    const sum = push(
      first.map((tangent, index) =>
        combine([
          [a, tangent],
          [b, at(second, index)],
        ]),
      ),
    );
    sum.forEach((found, index) => {
      const wanted = combine([
        [a, at(pushed, index)],
        [b, at(other, index)],
      ]);
      expectEqual(`tangent ${index} of a sum`, found, wanted, this.#tolerance);
    });
  }

  /** `J t` against differences of values along `t`. */
  #checkSlope(active: readonly boolean[], tangents: readonly Numbers[]): void {
    const { smooth } = this.#example;
    if (smooth === false) return;
    const smoothed = smooth === undefined ? this.#program : this.#build(smooth);
    const everything = smoothed.jaxpr.outvars.map(() => true);
    const forward = this.#runnable(jvpProgram(smoothed, active, everything).program);
    const plain = this.#runnable(smoothed);
    const moved = (steps: number): readonly Numbers[] => {
      let next = 0;
      return this.#args.map((arg, index) =>
        active[index] === true
          ? combine([
              [1, arg],
              [steps * step, at(tangents, next++)],
            ])
          : arg,
      );
    };
    const points = offsets.map(
      ([steps, weight]) => [weight, evaluate(plain, moved(steps))] as const,
    );
    const pushed = evaluate(forward, [...this.#args, ...tangents]).slice(everything.length);
    let next = 0;
    smoothed.jaxpr.outvars.forEach(({ aval }, output) => {
      if (!isDifferentiable(aval.dtype)) return;
      const slope = combine(
        points.map(([weight, values]) => [weight / step, at(values, output)] as const),
      );
      const derivative = at(pushed, next++);
      const tolerance = Math.max(1e-3, 100 * this.#tolerance);
      expectEqual(
        `slope ${output}`,
        whereFinite(derivative, slope),
        whereFinite(slope, slope),
        tolerance,
      );
    });
  }

  /** `<c, J t> = <Jᵀ c, t>` */
  #checkAdjoint(
    active: readonly boolean[],
    tangents: readonly Numbers[],
    pushed: readonly Numbers[],
  ): void {
    const backward = this.#runnable(vjpProgram(this.#program, active).program);
    const [count, outputs] = [this.#args.length, this.#program.jaxpr.outvars.length];
    const cotangents = backward.jaxpr.invars
      .slice(count)
      .map(({ aval }) => randomLike(aval, this.#random));
    const results = evaluate(backward, [...this.#args, ...cotangents]);
    const values = evaluate(this.#runnable(this.#program), this.#args);
    values.forEach((value, index) => {
      expectEqual(`value ${index} of vjp`, at(results, index), value, this.#tolerance);
    });
    const [left, leftSize] = inner(cotangents.map((each, index) => [each, at(pushed, index)]));
    const [right, rightSize] = inner(
      tangents.map((each, index) => [each, at(results, outputs + index)]),
    );
    const bound = this.#tolerance * (1 + leftSize + rightSize);
    if (Math.abs(left - right) < bound) return;
    throw new Error(`vjp is not the transpose of jvp: <c, J t> = ${left}, <Jᵀ c, t> = ${right}`);
  }

  #checkBatches(): void {
    this.#checkBatch(this.#program);
    const { jvp } = this.#primitive;
    const candidates = this.#activeInputs();
    if (typeof jvp !== "function" || candidates.length === 0 || !this.#draw.oneIn(3)) return;
    const active = this.#args.map((_, index) => candidates.includes(index));
    // The pull-back as a program of its own: a batch of gradients is the gradients of the rows.
    const { reverse } = this.#example;
    const derived =
      reverse === false
        ? jvpProgram(this.#program, active).program
        : vjpProgram(this.#program, active).program;
    this.#checkBatch(derived);
  }

  /** The batched program against the program applied to each row. */
  #checkBatch(program: ClosedJaxpr): void {
    const { axis } = this.#example;
    const count = this.#args.length;
    const { invars, outvars } = program.jaxpr;
    const extra = upTo(invars.length).slice(count);
    const candidates = [...this.#batchedInputs(), ...extra];
    const chosen = this.#draw.subset(candidates.length, 1).map((index) => at(candidates, index));
    const size = this.#draw.int(1, 3);
    const dims = invars.map(({ aval }, index) =>
      chosen.includes(index) ? this.#draw.int(0, aval.shape.length) : null,
    );
    const rowProgram = this.#runnable(program);
    const front = outvars.map(() => 0);
    const batched = this.#runnable(batchProgram(program, size, dims, front).program);
    // Rows of the named axis come before those of the batch.
    const offset = axis === undefined ? 0 : 1;
    const sampleRow = (): readonly Numbers[] => [
      ...this.#sample(),
      ...rowProgram.jaxpr.invars.slice(count).map(({ aval }) => randomLike(aval, this.#random)),
    ];
    const first = sampleRow();
    const rows = upTo(size).map(() =>
      sampleRow().map((array, index) =>
        (dims[index] ?? null) === null ? at(first, index) : array,
      ),
    );
    const inputs = dims.map((dim, index) =>
      dim === null
        ? at(first, index)
        : stack(
            rows.map((row) => at(row, index)),
            dim + offset,
          ),
    );
    const found = evaluate(batched, inputs);
    const expected = rows.map((row) => evaluate(rowProgram, row));
    found.forEach((array, output) => {
      const wanted = stack(
        expected.map((results) => at(results, output)),
        offset,
      );
      const label = `result ${output} of a batch (${dims.map(String).join()})`;
      expectEqual(label, array, wanted, this.#tolerance);
    });
  }
}
