/**
 * Tracing: running a TypeScript function on stand-ins for its arguments and writing down the
 * primitives it applies. There is one kind of tracer; a transformation traces its function to a
 * jaxpr, transforms that, and evaluates the result where it was called: in the trace around it, or,
 * outside of all traces, on tensors.
 */
import { printAval, type ShapedArray } from "../ir/aval.js";
import { JaxprBuilder } from "../ir/builder.js";
import type { Shape } from "../ir/dims.js";
import { isFloat } from "../ir/dtypes.js";
import type { Jax2TfjsError } from "../ir/errors.js";
import type { HostArray } from "../ir/hostArray.js";
import type { Atom, ClosedJaxpr, SourceInfo, Var } from "../ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../ir/ops.js";
import type { Primitive } from "../ir/primitive.js";
import { createOps } from "../lax/ops.js";
import {
  disposed,
  hostType,
  isConcrete,
  isHostArray,
  isTensorLike,
  notAnArray,
  scalarValue,
  tensorType,
  typedArrayValue,
  type ArrayData,
  type ArrayLike,
  type ArrayValue,
  type Concrete,
} from "./arrays.js";
import { atUserLine, callerSource } from "./source.js";
import { concretization, leakedTracer, notATensor } from "./tracerErrors.js";

/** Runs programs on tensors: given by the module that knows tfjs. */
export interface Evaluator {
  /** The results of a program, synchronously. Inputs are literals and concrete values. */
  evaluate(program: ClosedJaxpr, inputs: readonly Value[]): readonly ArrayValue[];
  /** A tensor of the current backend with these values. */
  tensor(array: HostArray): ArrayValue;
}

let evaluator: Evaluator | undefined;

/** Lets code that runs outside of traces compute. Called once, by the module that knows tfjs. */
export function provideEvaluator(given: Evaluator): void {
  evaluator = given;
}

function requireEvaluator(): Evaluator {
  if (evaluator === undefined) throw new Error("internal error: nothing to run programs with");
  return evaluator;
}

/** The program that a function is being written into. */
class Trace {
  readonly builder = new JaxprBuilder();
  /** What the function takes from around it, in the order of the extra inputs. */
  readonly captured: Value[] = [];
  readonly #capturedVars = new Map<unknown, Var>();
  readonly parent: Trace | null;
  /** The function, for messages. */
  readonly name: string;
  nameStack: string;
  isOpen = true;

  constructor(parent: Trace | null, name: string) {
    this.parent = parent;
    this.name = name;
    this.nameStack = parent?.nameStack ?? "";
  }

  /** A value as an atom of this program. */
  lift(value: Value): Atom {
    if (value instanceof Tracer) {
      if (value.trace === this) return value.atom;
      if (!value.trace.isOpen || !this.isInside(value.trace))
        throw leakedTracer(value.aval, value.trace.name, value.source);
      return value.atom.kind === "literal" ? value.atom : this.#capture(value, value);
    }
    if (isConcrete(value)) return this.#capture(value.array, value);
    const atom = value as Atom;
    if (atom.kind === "literal") return atom;
    throw new Error("internal error: a value of another program");
  }

  /** A literal as an input. */
  hoist(value: Value): Var {
    return this.#capture(value, value);
  }

  isInside(other: Trace): boolean {
    return this.parent === other || (this.parent?.isInside(other) ?? false);
  }

  #capture(key: unknown, value: Value): Var {
    const known = this.#capturedVars.get(key);
    if (known !== undefined) return known;
    const variable = this.builder.input(value.aval);
    this.#capturedVars.set(key, variable);
    this.captured.push(value);
    return variable;
  }
}

let current: Trace | null = null;

/** True while a function is being traced. */
export function isTracing(): boolean {
  return current !== null;
}

/**
 * The stand-in for an array while a function is traced. It has a type and no values. JAX's
 * counterpart is `jax.core.Tracer`.
 */
export class Tracer implements Value, ArrayValue {
  readonly aval: ShapedArray;
  /** @internal */
  readonly trace: Trace;
  /** @internal */
  readonly atom: Atom;
  /** @internal Where it was made. */
  readonly source: SourceInfo;

  /** @internal */
  constructor(trace: Trace, atom: Atom, source: SourceInfo) {
    this.aval = atom.aval;
    this.trace = trace;
    this.atom = atom;
    this.source = source;
  }

  get shape(): readonly number[] {
    // Sizes may be expressions, which code on plain sizes must not meet: they refuse to be numbers.
    return this.aval.shape as readonly number[];
  }

  get dtype(): string {
    return this.aval.dtype;
  }

  get size(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get rank(): number {
    return this.shape.length;
  }

  dataSync(): ArrayData {
    throw this.#concretization("its values");
  }

  /** Throws, for a promise that is rejected while a function is traced has no one to await it. */
  data(): Promise<ArrayData> {
    throw this.#concretization("its values");
  }

  valueOf(): never {
    throw this.#concretization("a JavaScript number or boolean");
  }

  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    throw this.#concretization("a JavaScript number or boolean");
  }

  /** What iterates over an array, or copies it, would find nothing. */
  [Symbol.iterator](): Iterator<never> {
    throw this.#concretization("something to iterate over");
  }

  arraySync(): never {
    throw this.#concretization("its values");
  }

  array(): never {
    throw this.#concretization("its values");
  }

  toJSON(): never {
    throw this.#concretization("JSON");
  }

  toString(): string {
    return `Tracer<${printAval(this.aval)}>`;
  }

  /** Nothing to free, for code that also runs on tensors. */
  dispose(): void {
    // Tracers hold no memory.
  }

  /** By this name tfjs tells tensors from other objects; its operations then ask for `dataId`. */
  throwIfDisposed(): never {
    throw this.#notATensor();
  }

  get dataId(): never {
    throw this.#notATensor();
  }

  #notATensor(): Jax2TfjsError {
    return notATensor(this.aval, this.trace.name);
  }

  #concretization(what: string): Jax2TfjsError {
    return concretization(this.aval, this.trace.name, what);
  }
}

/** @throws Jax2TfjsError `not-an-array` */
export function toValue(array: ArrayLike): Value {
  return atUserLine(() => asValue(array));
}

/** As `toValue`, for what users hand in: anything. */
export function asValue(array: unknown): Value {
  if (array instanceof Tracer) return array;
  if (typeof array === "number" || typeof array === "bigint" || typeof array === "boolean") {
    return scalarValue(array);
  }
  if (isTensorLike(array)) return concrete(array);
  const host = isHostArray(array) ? array : typedArrayValue(array);
  if (host === null) throw notAnArray(array);
  return o.constant(host);
}

function concrete(array: ArrayValue): Concrete {
  if ((array as { readonly isDisposed?: unknown }).isDisposed === true) throw disposed(array);
  return { kind: "concrete", aval: tensorType(array), array };
}

/** A value as users get it: a tracer inside of a trace, else a tensor. */
export function fromValue(value: Value): ArrayValue {
  if (value instanceof Tracer) return value;
  if (isConcrete(value)) return value.array;
  if (current !== null) return new Tracer(current, current.lift(value), callerSource(""));
  // A literal outside of traces.
  const builder = new JaxprBuilder();
  const [array] = requireEvaluator().evaluate(builder.build([value]), []);
  if (array === undefined) throw new Error("internal error: a program without results");
  return array;
}

function bind<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): readonly Value[] {
  const trace = current;
  if (trace === null) return bindConcrete(primitive, inputs, params);
  const source = callerSource(trace.nameStack);
  const atoms = inputs.map((input) => trace.lift(input));
  trace.builder.source = source;
  return trace.builder
    .bind(primitive, atoms, params)
    .map((variable) => new Tracer(trace, variable, source));
}

function isFloatingLiteral(value: Value): boolean {
  return !(value instanceof Tracer) && !isConcrete(value) && isFloat(value.aval.dtype);
}

/** One equation as a program of its own. */
function bindConcrete<P>(
  primitive: Primitive<P>,
  inputs: readonly Value[],
  params: P,
): readonly Value[] {
  const trace = new Trace(null, primitive.name);
  // Floating numbers become inputs, so that the graph serves for all of them; rules look at the
  // values of integers (indices, sizes) and of what is written into parameters.
  const atoms = inputs.map((input) =>
    isFloatingLiteral(input) ? trace.hoist(input) : trace.lift(input),
  );
  trace.builder.source = callerSource("");
  const outputs = trace.builder.bind(primitive, atoms, params);
  return evaluateProgram(trace.builder.build(outputs), trace.captured);
}

let transforms: ProgramTransforms | undefined;

/** Gives rules that bind equations while tracing the transformations of inner programs. */
export function provideTraceTransforms(given: ProgramTransforms): void {
  transforms = given;
}

function requireTransforms(): ProgramTransforms {
  if (transforms === undefined) throw new Error("internal error: no transformations provided");
  return transforms;
}

/** The lax-like methods on whatever is current: the innermost trace, or tensors. */
export const o: Ops = createOps({
  bind,
  constant: (array) => {
    const trace = current;
    if (trace === null) return concrete(requireEvaluator().tensor(array));
    return new Tracer(trace, trace.builder.constant(array), callerSource(""));
  },
  programs: {
    build: (...args) => requireTransforms().build(...args),
    jvp: (...args) => requireTransforms().jvp(...args),
    split: (...args) => requireTransforms().split(...args),
    transpose: (...args) => requireTransforms().transpose(...args),
    batch: (...args) => requireTransforms().batch(...args),
  },
});

/** A traced function. */
export interface TracedProgram {
  /** Its inputs: the arguments, then what the function took from around it. */
  readonly program: ClosedJaxpr;
  readonly captured: readonly Value[];
}

/**
 * Traces a function on values of the given types.
 *
 * @param name of the function, for messages and name stacks
 */
export function traceProgram(
  f: (inputs: readonly Value[]) => readonly Value[],
  avals: readonly ShapedArray[],
  name: string,
  nameStack?: string,
): TracedProgram {
  const parent = current;
  const trace = new Trace(parent, name);
  if (nameStack !== undefined) trace.nameStack = joinNames(trace.nameStack, nameStack);
  current = trace;
  try {
    const source = callerSource("");
    const inputs = avals.map((aval) => new Tracer(trace, trace.builder.input(aval), source));
    const outputs = f(inputs).map((output) => trace.lift(output));
    return { program: trace.builder.build(outputs), captured: trace.captured };
  } finally {
    trace.isOpen = false;
    current = parent;
  }
}

function joinNames(outer: string, inner: string): string {
  return outer === "" ? inner : `${outer}/${inner}`;
}

/** Evaluates a program where it is called: adds its equations to the current trace, or runs it. */
export function evaluateProgram(program: ClosedJaxpr, inputs: readonly Value[]): readonly Value[] {
  const trace = current;
  if (trace === null) {
    return atUserLine(() => requireEvaluator().evaluate(program, inputs)).map(concrete);
  }
  const { builder } = trace;
  const { jaxpr, consts } = program;
  const atoms = new Map<Atom, Atom>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) atoms.set(variable, builder.constant(array));
  });
  jaxpr.invars.forEach((variable, index) => {
    const input = inputs[index];
    if (input === undefined) throw new Error("internal error: missing input");
    atoms.set(variable, trace.lift(input));
  });
  const read = (atom: Atom): Atom => {
    if (atom.kind === "literal") return atom;
    const known = atoms.get(atom);
    if (known === undefined) throw new Error("internal error: variable before its definition");
    return known;
  };
  for (const equation of jaxpr.equations) {
    const outputs = builder.append(
      { ...equation, inputs: equation.inputs.map(read) },
      equation.outputs.map(({ aval }) => aval),
    );
    equation.outputs.forEach((variable, index) => {
      const output = outputs[index];
      if (output !== undefined) atoms.set(variable, output);
    });
  }
  const source = callerSource("");
  return jaxpr.outvars.map((atom) => new Tracer(trace, read(atom), source));
}

/** The JAX type of what a user handed in. @throws Jax2TfjsError `not-an-array` */
export function typeOf(array: unknown): ShapedArray {
  return hostType(array) ?? asValue(array).aval;
}

/** The sizes, which may be dimension expressions. */
export function shapeOf(array: ArrayLike): Shape {
  return typeOf(array).shape;
}
