// The laws: forward derivatives are linear and are slopes, reverse ones are their transpose, a batch
// is its rows. Checked on one example of an equation, on the current backend.
import { shapedArray } from "../../../src/ir/aval.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";
import { isNoRule, type Primitive, type TransposeInput } from "../../../src/ir/primitive.js";
import { printJaxpr } from "../../../src/ir/print.js";
import {
  batchProgram,
  isDifferentiable,
  jvpProgram,
  vjpProgram,
} from "../../../src/transform/index.js";
import { at, build } from "../programs.js";
import { combine, evaluate, expectEqual, inner, randomLike, stack, whereFinite } from "./arrays.js";
import {
  randomSource,
  upTo,
  type Draw,
  type Example,
  type Numbers,
  type Random,
  type Stage,
} from "./draw.js";

/** A program under examination, at some point. */
interface Subject {
  readonly program: ClosedJaxpr;
  /** The same without derivative rules of its own. */
  readonly plain: ClosedJaxpr;
  readonly args: readonly Numbers[];
}

const unchanged: Stage = (_o, values) => values;

/** A difference quotient of fourth order takes values this many steps away. */
const step = 2 ** -6;
const offsets: readonly (readonly [steps: number, weight: number])[] = [
  [-2, 1 / 12],
  [-1, -2 / 3],
  [1, 2 / 3],
  [2, -1 / 12],
];

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
    this.#program = this.#build(unchanged);
    this.#args = this.#sample();
    this.#tolerance = example.tolerance ?? 1e-5;
  }

  /** All laws that the rules of the primitive make hold. */
  async check(): Promise<void> {
    const { jvp, batch } = this.#primitive;
    const { linear } = this.#example;
    try {
      if (linear !== undefined) await this.#checkTransposed(linear);
      if (typeof jvp === "function" && this.#activeInputs().length > 0) {
        const [program, args] = [this.#program, this.#args];
        const plain = this.#example.plain ?? program;
        await this.#checkDerivatives({ program, plain, args }, true);
      }
      if (typeof batch === "function" && this.#batchedInputs().length > 0) {
        await this.#checkBatches();
      }
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
  #build(body: Stage): ClosedJaxpr {
    const { inputs, params = {}, prepare = unchanged, finish = unchanged } = this.#example;
    const avals = inputs.map(({ dtype, shape }) => shapedArray(dtype, shape));
    return build(avals, (o, values) => {
      const outputs = o.bind(this.#primitive, prepare(o, values), params);
      return body(o, finish(o, outputs));
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

  async #checkDerivatives({ program, plain, args }: Subject, withSlope: boolean): Promise<void> {
    const candidates = this.#activeInputs();
    const chosen = this.#draw.subset(candidates.length, 1).map((index) => at(candidates, index));
    const active = args.map((_, index) => chosen.includes(index));
    const everything = plain.jaxpr.outvars.map(() => true);
    const forward = this.#runnable(jvpProgram(plain, active, everything).program);
    const [count, outputs] = [args.length, program.jaxpr.outvars.length];
    const directions = (): readonly Numbers[] =>
      forward.jaxpr.invars.slice(count).map(({ aval }) => randomLike(aval, this.#random));
    const push = async (given: readonly Numbers[]): Promise<readonly Numbers[]> =>
      evaluate(forward, [...args, ...given]);

    const tangents = directions();
    const pushed = await push(tangents);
    const values = await evaluate(this.#runnable(program), args);
    values.forEach((value, index) => {
      expectEqual(`value ${index} of jvp`, at(pushed, index), value, this.#tolerance);
    });
    await this.#checkLinearity(tangents, directions(), pushed.slice(outputs), async (given) =>
      (await push(given)).slice(outputs),
    );
    if (withSlope) await this.#checkSlope(plain, active, tangents);
    if (this.#example.reverse !== false) {
      await this.#checkAdjoint({ program, plain, args }, active, tangents, pushed.slice(outputs));
    }
  }

  /** `J(a s + b t) = a J s + b J t` */
  async #checkLinearity(
    first: readonly Numbers[],
    second: readonly Numbers[],
    pushed: readonly Numbers[],
    push: (tangents: readonly Numbers[]) => Promise<readonly Numbers[]>,
  ): Promise<void> {
    const [a, b] = [2 * this.#random() - 1, 2 * this.#random() - 1];
    const other = await push(second);
    const sum = await push(
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
  async #checkSlope(
    source: ClosedJaxpr,
    active: readonly boolean[],
    tangents: readonly Numbers[],
  ): Promise<void> {
    const { smooth } = this.#example;
    if (smooth === false) return;
    const smoothed = smooth === undefined ? source : this.#build(smooth);
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
    const points: (readonly [weight: number, values: readonly Numbers[]])[] = [];
    for (const [steps, weight] of offsets) {
      points.push([weight, await evaluate(plain, moved(steps))]);
    }
    const all = await evaluate(forward, [...this.#args, ...tangents]);
    const pushed = all.slice(everything.length);
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
  async #checkAdjoint(
    { program, args }: Subject,
    active: readonly boolean[],
    tangents: readonly Numbers[],
    pushed: readonly Numbers[],
  ): Promise<void> {
    const backward = this.#runnable(vjpProgram(program, active).program);
    const [count, outputs] = [args.length, program.jaxpr.outvars.length];
    const cotangents = backward.jaxpr.invars
      .slice(count)
      .map(({ aval }) => randomLike(aval, this.#random));
    const results = await evaluate(backward, [...args, ...cotangents]);
    const values = await evaluate(this.#runnable(program), args);
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

  /** `<c, A x> = <Aᵀ c, x>` for the equation itself: its rule, which calls of it may not reach. */
  async #checkTransposed(linear: readonly number[]): Promise<void> {
    const backward = this.#transposed(linear);
    const known = this.#args.filter((_, index) => !linear.includes(index));
    const cotangents = backward.jaxpr.invars
      .slice(known.length)
      .map(({ aval }) => randomLike(aval, this.#random));
    const values = await evaluate(this.#program, this.#args);
    const pulled = await evaluate(backward, [...known, ...cotangents]);
    const [left, leftSize] = inner(cotangents.map((each, index) => [each, at(values, index)]));
    const pairs = linear.map((input, index) => [at(this.#args, input), at(pulled, index)] as const);
    const [right, rightSize] = inner(pairs);
    if (Math.abs(left - right) < this.#tolerance * (1 + leftSize + rightSize)) return;
    throw new Error(`not the transpose: <c, A x> = ${left}, <Aᵀ c, x> = ${right}`);
  }

  /** The transpose rule as a program of the known inputs, then the cotangents. */
  #transposed(linear: readonly number[]): ClosedJaxpr {
    const { transpose } = this.#primitive;
    if (isNoRule(transpose)) throw new Error("no transpose rule");
    const { invars, outvars } = this.#program.jaxpr;
    const known = invars.filter((_, index) => !linear.includes(index));
    const avals = [...known, ...outvars].map(({ aval }) => aval);
    return build(avals, (o, values) => {
      const knownValues = values.slice(0, known.length).values();
      const inputs = invars.map(({ aval }, index): TransposeInput => {
        if (linear.includes(index)) return { kind: "linear", aval };
        return { kind: "known", value: knownValues.next().value ?? at(values, 0) };
      });
      const cotangents = values.slice(known.length);
      const pulled = transpose(o, cotangents, inputs, this.#example.params ?? {});
      return linear.map((input) => {
        const { shape, dtype } = at(invars, input).aval;
        return pulled[input] ?? o.full(shape, 0, dtype);
      });
    });
  }

  async #checkBatches(): Promise<void> {
    const batch = await this.#checkBatch(this.#program);
    const { jvp } = this.#primitive;
    const candidates = this.#activeInputs();
    if (typeof jvp !== "function" || candidates.length === 0 || !this.#draw.oneIn(3)) return;
    if (this.#draw.bool()) {
      // The other way round: derivatives of the batched program.
      await this.#checkDerivatives(batch, false);
      return;
    }
    const active = this.#args.map((_, index) => candidates.includes(index));
    // The pull-back as a program of its own: a batch of gradients is the gradients of the rows.
    const { reverse } = this.#example;
    const derived =
      reverse === false
        ? jvpProgram(this.#program, active).program
        : vjpProgram(this.#program, active).program;
    await this.#checkBatch(derived);
  }

  /** The batched program against the program applied to each row. */
  async #checkBatch(program: ClosedJaxpr): Promise<Subject> {
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
    const whole = batchProgram(program, size, dims, front).program;
    const batched = this.#runnable(whole);
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
    const found = await evaluate(batched, inputs);
    const expected: (readonly Numbers[])[] = [];
    for (const row of rows) expected.push(await evaluate(rowProgram, row));
    found.forEach((array, output) => {
      const wanted = stack(
        expected.map((results) => at(results, output)),
        offset,
      );
      const label = `result ${output} of a batch (${dims.map(String).join()})`;
      expectEqual(label, array, wanted, this.#tolerance);
    });
    const { plain } = this.#example;
    const other = plain === undefined ? whole : batchProgram(plain, size, dims, front).program;
    return { program: whole, plain: other, args: inputs };
  }
}
