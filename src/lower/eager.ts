/**
 * Runs a program one equation at a time on the current tfjs backend, for debugging: each equation's
 * nodes make a tiny graph, run by the converter's executor and cached, so that what was looked at
 * here is what a saved model computes. Inner programs are stepped into.
 */
import { keep, type Tensor as TfjsTensor } from "@tensorflow/tfjs-core";
import { isComplex } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import {
  closedJaxpr,
  newVar,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Literal,
  type Var,
} from "../ir/jaxpr.js";
import { carriedAval, type ShapedArray } from "../ir/aval.js";
import type { HostArray } from "../ir/hostArray.js";
import type { EagerControl, EagerSteps } from "../ir/primitive.js";
import type { HostFunction } from "../ir/params.js";
import { printEquation, printSource } from "../ir/print.js";
import type { Backend } from "../ir/tf.js";
import { GraphRunner } from "./execute.js";
import { exactBackends } from "./tf/index.js";
import { lowerProgram } from "./lowerProgram.js";

/** A value while a program runs: one tensor, or two (`partsOf`). */
export interface EagerValue {
  readonly aval: ShapedArray;
  readonly tensors: readonly TfjsTensor[];
}

/** What the hook of eager mode sees after each equation. */
export interface EquationEvent {
  readonly equation: Equation;
  readonly inputs: readonly EagerValue[];
  readonly outputs: readonly EagerValue[];
  /** How many programs deep the equation is: 0 for the outermost. */
  readonly depth: number;
}

export interface EagerOptions {
  readonly backend: Backend;
  /** Called after each equation; the values are only valid during the call. */
  readonly onEquation?: (event: EquationEvent) => void | Promise<void>;
}

/**
 * An equation as a program of its own. Complex values cross its border as pairs of real arrays, since
 * not every backend holds complex tensors, and words as halves where int32 is not exact.
 */
interface StepProgram {
  readonly runner: GraphRunner;
  readonly outputs: readonly ShapedArray[];
}

export class EagerRunner {
  readonly #options: EagerOptions;
  readonly #steps = new Map<string, StepProgram>();
  readonly #byEquation = new WeakMap<Equation, StepProgram>();
  readonly #literals = new Map<string, EagerValue>();
  readonly #constants = new WeakMap<HostArray, EagerValue>();

  constructor(options: EagerOptions) {
    this.#options = options;
  }

  /**
   * Runs a program whose sizes are all known. Inputs stay the caller's; outputs are the caller's to
   * dispose of.
   */
  async run(program: ClosedJaxpr, args: readonly EagerValue[]): Promise<readonly EagerValue[]> {
    return runSteps(this.#run(program, args, 0));
  }

  /**
   * As `run`, without returning to the event loop: for backends that read results back
   * synchronously (all but webgpu).
   */
  runSync(program: ClosedJaxpr, args: readonly EagerValue[]): readonly EagerValue[] {
    return runStepsNow(this.#run(program, args, 0));
  }

  *#run(
    program: ClosedJaxpr,
    args: readonly EagerValue[],
    depth: number,
  ): EagerSteps<readonly EagerValue[]> {
    const { jaxpr, consts } = program;
    const values = new Map<Var, EagerValue>();
    jaxpr.invars.forEach((variable, index) => {
      const arg = args[index];
      if (arg !== undefined) values.set(variable, arg);
    });
    for (const [index, variable] of jaxpr.constvars.entries()) {
      const array = consts[index];
      if (array !== undefined) values.set(variable, yield* this.#constant(array));
    }
    const scope = new ValueScope(values, lastUses(program));
    for (const [position, equation] of jaxpr.equations.entries()) {
      const inputs: EagerValue[] = [];
      for (const atom of equation.inputs) inputs.push(yield* this.#read(atom, scope));
      const outputs = yield* this.#equation(equation, inputs, depth);
      equation.outputs.forEach((variable, index) => {
        const output = outputs[index];
        if (output !== undefined) scope.define(variable, output);
      });
      const { onEquation } = this.#options;
      if (onEquation !== undefined) {
        const call = (): unknown => onEquation({ equation, inputs, outputs, depth });
        yield { now: call, later: () => Promise.resolve(call()) };
      }
      scope.release(position);
    }
    const results: EagerValue[] = [];
    for (const atom of jaxpr.outvars) {
      const value = yield* this.#read(atom, scope);
      results.push({ ...value, tensors: value.tensors.map((tensor) => tensor.clone()) });
    }
    scope.releaseAll();
    return results;
  }

  *#read(atom: Atom, scope: ValueScope): EagerSteps<EagerValue> {
    return atom.kind === "literal" ? yield* this.#literal(atom) : scope.read(atom);
  }

  *#equation(
    equation: Equation,
    inputs: readonly EagerValue[],
    depth: number,
  ): EagerSteps<readonly EagerValue[]> {
    try {
      const { primitive, params } = equation;
      if (primitive.eager !== undefined) {
        const made = new Set<TfjsTensor>();
        const outputs = yield* primitive.eager(this.#control(depth, made), inputs, params);
        return ownOutputs(outputs, made);
      }
      const avals = inputs.map((input) => input.aval);
      const expanded = primitive.expand?.(avals, params) ?? null;
      if (expanded !== null) return yield* this.#run(expanded, inputs, depth + 1);
      const step = this.#step(equation);
      const tensors = yield* runGraph(
        step.runner,
        inputs.flatMap((input) => input.tensors),
      );
      return regroup(step.outputs, tensors, this.#options.backend);
    } catch (error) {
      if (error instanceof Jax2TfjsError) throw error;
      throw new Jax2TfjsError(
        "equation-failed",
        `${equation.primitive.name} failed: ${error instanceof Error ? error.message : String(error)}`,
        { equation: printEquation(equation), source: printSource(equation.source), cause: error },
      );
    }
  }

  /** @param made collects what inner programs give: it is this equation's to dispose of */
  #control(depth: number, made: Set<TfjsTensor>): EagerControl<EagerValue> {
    const run = this.#run.bind(this);
    return {
      run: function* (program, args) {
        const results = yield* run(program, args, depth + 1);
        for (const { tensors } of results) for (const tensor of tensors) made.add(tensor);
        return results;
      },
      release: (values) => {
        for (const tensor of values.flatMap(({ tensors }) => tensors)) {
          if (made.delete(tensor)) tensor.dispose();
        }
      },
      host: function* (call, inputs, outputs) {
        const results = yield* callHost(call, inputs, outputs);
        for (const { tensors } of results) for (const tensor of tensors) made.add(tensor);
        return results;
      },
      scalar: function* (value) {
        const [tensor] = value.tensors;
        if (tensor === undefined) throw new Error("internal error: a value without tensors");
        const values = yield* ask<ArrayLike<number>>(
          () => tensor.dataSync(),
          () => tensor.data(),
        );
        return Number(values[0]);
      },
    };
  }

  #step(equation: Equation): StepProgram {
    const known = this.#byEquation.get(equation);
    if (known !== undefined) return known;
    const shareable = subJaxprs(equation.params).length === 0;
    const key = shareable
      ? printEquation({ ...equation, source: { frames: [], nameStack: "" } })
      : null;
    const cached = key === null ? undefined : this.#steps.get(key);
    const step = cached ?? this.#compile(equation);
    this.#byEquation.set(equation, step);
    if (key !== null) this.#steps.set(key, step);
    return step;
  }

  #compile(equation: Equation): StepProgram {
    const invars = equation.inputs.map((atom) => newVar(atom.aval));
    const outvars = equation.outputs.map((variable) => newVar(variable.aval));
    // Literals stay in the equation, where rules see their values.
    const inputs = equation.inputs.map((atom, index) =>
      atom.kind === "literal" ? atom : (invars[index] ?? atom),
    );
    const program = closedJaxpr({
      constvars: [],
      invars,
      equations: [{ ...equation, inputs, outputs: outvars }],
      outvars,
    });
    const graph = lowerProgram({
      program,
      inputs: invars.map((_, index) => ({ key: `in${index}`, weight: null })),
      outputs: outvars.map((_, index) => `out${index}`),
      backends: new Set([this.#options.backend]),
      complexBorders: "pair",
      wordInputs: "halves",
    });
    return {
      runner: new GraphRunner(graph),
      outputs: outvars.map((variable) => variable.aval),
    };
  }

  /** A captured array as tensors; made once. */
  *#constant(array: HostArray): EagerSteps<EagerValue> {
    const known = this.#constants.get(array);
    if (known !== undefined) return known;
    const variable = newVar({ shape: array.shape, dtype: array.dtype, weakType: false });
    const program = closedJaxpr(
      { constvars: [variable], invars: [], equations: [], outvars: [variable] },
      [array],
    );
    const value = yield* this.#evaluate(program, variable.aval);
    this.#constants.set(array, value);
    return value;
  }

  *#literal(literal: Literal): EagerSteps<EagerValue> {
    const program = closedJaxpr({ constvars: [], invars: [], equations: [], outvars: [literal] });
    const key = `${literal.aval.dtype} ${JSON.stringify(literal.value, (_, value: unknown) =>
      typeof value === "bigint" || typeof value === "number" ? String(value) : value,
    )}`;
    const known = this.#literals.get(key);
    if (known !== undefined) return known;
    const value = yield* this.#evaluate(program, literal.aval);
    this.#literals.set(key, value);
    return value;
  }

  *#evaluate(program: ClosedJaxpr, aval: ShapedArray): EagerSteps<EagerValue> {
    const graph = lowerProgram({
      program,
      inputs: [],
      outputs: ["out0"],
      backends: new Set([this.#options.backend]),
      complexBorders: "pair",
      wordInputs: "halves",
    });
    const runner = new GraphRunner(graph);
    const tensors = yield* runGraph(runner, []);
    // Made inside of someone's tf.tidy, they outlive it.
    const kept = tensors.map((tensor) => keep(tensor.clone()));
    tensors.forEach((tensor) => {
      tensor.dispose();
    });
    const [value] = regroup([aval], kept, this.#options.backend);
    runner.dispose();
    if (value === undefined) throw new Error("internal error: a constant without value");
    return value;
  }

  /** Frees the cached graphs and literals. */
  dispose(): void {
    for (const step of this.#steps.values()) step.runner.dispose();
    this.#steps.clear();
    for (const { tensors } of this.#literals.values()) {
      for (const tensor of tensors) tensor.dispose();
    }
    this.#literals.clear();
  }
}

/** Calls a function of tfjs. Its results are kept by copies: it may return what it holds. */
function callHost(
  call: HostFunction,
  inputs: readonly EagerValue[],
  outputs: readonly ShapedArray[],
): EagerSteps<readonly EagerValue[]> {
  if (inputs.some(({ aval, tensors }) => aval.dtype === "uint32" && tensors.length > 1)) {
    const message = `${call.name} takes uint32 numbers, which are no tensor on this backend`;
    throw new Jax2TfjsError("call-tfjs", message, { fix: "convert them to float32 before" });
  }
  const run = (): readonly EagerValue[] => {
    const tensors = inputs.map(({ tensors: [first] }) => first);
    // callTfjs makes functions of tensors only.
    const results = call.call(tensors) as readonly TfjsTensor[];
    return outputs.map((aval, index) => {
      const result = results[index];
      if (result === undefined) {
        throw new Jax2TfjsError("call-tfjs", `${call.name} gave fewer results than when traced`);
      }
      return { aval, tensors: [result] };
    });
  };
  return ask(run, () => Promise.resolve(run()));
}

/** Results that are nobody else's: those that were inputs are copied, what is left is freed. */
function ownOutputs(outputs: readonly EagerValue[], made: Set<TfjsTensor>): readonly EagerValue[] {
  const own = outputs.map(({ aval, tensors }) => ({
    aval,
    // A tensor that is a result twice is handed out once.
    tensors: tensors.map((tensor) => (made.delete(tensor) ? tensor : tensor.clone())),
  }));
  for (const tensor of made) tensor.dispose();
  return own;
}

/** Waits for something: at once or later, as the driver wants it. */
function* ask<T>(now: () => T, later: () => Promise<T>): EagerSteps<T> {
  // The driver answers with what one of the two functions gave.
  return (yield { now, later }) as T;
}

function runGraph(
  runner: GraphRunner,
  tensors: readonly TfjsTensor[],
): EagerSteps<readonly TfjsTensor[]> {
  return ask(
    () => runner.runSync(tensors),
    () => runner.run(tensors),
  );
}

async function runSteps<T>(steps: EagerSteps<T>): Promise<T> {
  let state = steps.next();
  while (state.done !== true) {
    let answer: unknown;
    try {
      answer = await state.value.later();
    } catch (error) {
      state = steps.throw(error);
      continue;
    }
    state = steps.next(answer);
  }
  return state.value;
}

function runStepsNow<T>(steps: EagerSteps<T>): T {
  let state = steps.next();
  while (state.done !== true) {
    let answer: unknown;
    try {
      answer = state.value.now();
    } catch (error) {
      state = steps.throw(error);
      continue;
    }
    state = steps.next(answer);
  }
  return state.value;
}

/**
 * How many tensors stand for a value on a backend: complex numbers are two real ones; uint32 words,
 * and random keys of such, are two of 16 bits each where int32 is not exact.
 */
export function partsOf(aval: ShapedArray, backend: Backend): 1 | 2 {
  const { dtype } = carriedAval(aval);
  return isComplex(dtype) || (dtype === "uint32" && !exactBackends.has(backend)) ? 2 : 1;
}

/** Tensors, one after the other, as values of these types. */
export function regroup(
  avals: readonly ShapedArray[],
  tensors: readonly TfjsTensor[],
  backend: Backend,
): readonly EagerValue[] {
  let next = 0;
  return avals.map((aval) => {
    const count = partsOf(aval, backend);
    const own = tensors.slice(next, next + count);
    next += count;
    return { aval, tensors: own };
  });
}

/** For each equation, the variables that nothing needs after it. */
function lastUses({ jaxpr }: ClosedJaxpr): ReadonlyMap<number, readonly Var[]> {
  const last = new Map<Var, number>();
  jaxpr.equations.forEach((equation, position) => {
    for (const variable of equation.outputs) last.set(variable, position);
    for (const atom of equation.inputs) if (atom.kind === "var") last.set(atom, position);
  });
  for (const atom of jaxpr.outvars) if (atom.kind === "var") last.delete(atom);
  const byPosition = new Map<number, Var[]>();
  for (const [variable, position] of last) {
    byPosition.set(position, [...(byPosition.get(position) ?? []), variable]);
  }
  return byPosition;
}

/** Values of a running program; frees its own intermediate tensors after their last use. */
class ValueScope {
  readonly #own = new Set<Var>();

  constructor(
    readonly values: Map<Var, EagerValue>,
    readonly last: ReadonlyMap<number, readonly Var[]>,
  ) {}

  define(variable: Var, value: EagerValue): void {
    this.values.set(variable, value);
    this.#own.add(variable);
  }

  read(variable: Var): EagerValue {
    const value = this.values.get(variable);
    if (value === undefined) throw new Error("internal error: variable before its definition");
    return value;
  }

  release(position: number): void {
    for (const variable of this.last.get(position) ?? []) this.#free(variable);
  }

  releaseAll(): void {
    for (const variable of [...this.#own]) this.#free(variable);
  }

  #free(variable: Var): void {
    if (!this.#own.delete(variable)) return;
    this.values.get(variable)?.tensors.forEach((tensor) => {
      tensor.dispose();
    });
    this.values.delete(variable);
  }
}
