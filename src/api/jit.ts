/**
 * `jit` and what looks at a function without running it: `makeJaxpr`, `evalShape`, `closureConvert`.
 */
import { printAval } from "../ir/aval.js";
import { closedJaxpr, type ClosedJaxpr } from "../ir/jaxpr.js";
import { isKey } from "../ir/dtypes.js";
import { fromNumbers, hostArray } from "../ir/hostArray.js";
import type { Value } from "../ir/ops.js";
import { isConcrete, type ArrayValue } from "../trace/arrays.js";
import { evaluateProgram, isTracing, o } from "../trace/trace.js";
import { flatten, printTree, unflatten } from "../tree/pytree.js";
import {
  callError,
  flattenArguments,
  nameOf,
  ShapeDtypeStruct,
  traceCall,
  typesOfArguments,
  unflattenValues,
  type TracedCall,
} from "./calls.js";
import { named } from "./derivatives.js";
import type { Arguments, Arrays, Traceable } from "./types.js";

export interface JitOptions {
  /** Arguments that are no arrays: another value traces the function again. */
  readonly staticArgnums?: number | readonly number[];
  /** The name in jaxprs. Default: the function's. */
  readonly name?: string;
}

/** Static arguments by identity, or by value where they are text, numbers or truth values. */
class StaticKeys {
  readonly #numbers = new Map<unknown, number>();

  of(value: unknown): number {
    const known = this.#numbers.get(value) ?? this.#numbers.size;
    this.#numbers.set(value, known);
    return known;
  }
}

/**
 * A function that is traced once per types of its arguments. In a trace it becomes a named call;
 * outside it runs as one graph.
 *
 * JAX's counterpart is `jax.jit`.
 */
export function jit<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  { staticArgnums = [], name = nameOf(f) }: JitOptions = {},
): (...args: Arguments<Args>) => Arrays<Result> {
  const statics = typeof staticArgnums === "number" ? [staticArgnums] : staticArgnums;
  const keys = new StaticKeys();
  const traces = new Map<string, TracedCall>();
  const call = f as unknown as (...args: unknown[]) => unknown;
  return named(name, (...args) => {
    const isStatic = (index: number): boolean =>
      statics.includes(index) || statics.includes(index - args.length);
    const dynamic = args.filter((_, index) => !isStatic(index));
    const { values, inTree } = flattenArguments(dynamic);
    const whole = (...arrays: unknown[]): unknown => {
      let next = 0;
      return call(...args.map((arg, index) => (isStatic(index) ? arg : arrays[next++])));
    };
    Object.defineProperty(whole, "name", { value: name });
    const avals = values.map(({ aval }) => aval);
    const trace = (): TracedCall => traceCall(whole, inTree, avals, `jit(${name})`);
    if (isTracing()) {
      // What the function takes from around it may be tracers of this trace: it is traced anew.
      const traced = trace();
      const results = o.call(name, traced.program, [...values, ...traced.captured]);
      return unflattenValues(traced.outTree, results) as Arrays<Result>;
    }
    const fixed = args.flatMap((arg, index) => (isStatic(index) ? [keys.of(arg)] : []));
    const key = `${printTree(inTree)} ${avals.map(printAval).join(" ")} ${fixed.join(",")}`;
    const traced = traces.get(key) ?? trace();
    traces.set(key, traced);
    const results = evaluateProgram(traced.program, [...values, ...traced.captured]);
    return unflattenValues(traced.outTree, results) as Arrays<Result>;
  });
}

/** A concrete array as a constant of a program. */
function constantOf(value: Value): ReturnType<typeof fromNumbers> {
  if (!isConcrete(value)) throw new Error("internal error: a traced value as a constant");
  const { aval, array } = value;
  const shape = aval.shape as readonly number[];
  const values = array.dataSync();
  if (!isKey(aval.dtype) && aval.dtype !== "uint32") return fromNumbers(aval.dtype, shape, values);
  // Tensors hold words as int32 numbers of the same bits.
  const words = Uint32Array.from(values, (value) => value >>> 0);
  const { bytes } = fromNumbers("uint32", [words.length], words);
  return hostArray(aval.dtype, shape, bytes);
}

/** A traced call whose captured arrays are constants of the program. */
export function withConstants({ program, captured }: TracedCall): ClosedJaxpr {
  const { jaxpr, consts } = program;
  const first = jaxpr.invars.length - captured.length;
  const arrays = captured.map((value) => (isConcrete(value) ? constantOf(value) : null));
  const isConstant = (index: number): boolean => index >= first && arrays[index - first] !== null;
  return closedJaxpr(
    {
      ...jaxpr,
      constvars: [...jaxpr.constvars, ...jaxpr.invars.filter((_, index) => isConstant(index))],
      invars: jaxpr.invars.filter((_, index) => !isConstant(index)),
    },
    [...consts, ...arrays.filter((array) => array !== null)],
  );
}

/**
 * The jaxpr of a function for arguments of these types; print it with `printJaxpr`.
 *
 * @returns a function of example arguments: arrays, or `ShapeDtypeStruct`s
 *
 * JAX's counterpart is `jax.make_jaxpr`.
 */
export function makeJaxpr<Args extends readonly unknown[]>(
  f: Traceable<Args, unknown>,
): (...args: unknown[]) => ClosedJaxpr {
  return (...args) => {
    const { avals, inTree } = typesOfArguments(args);
    return withConstants(traceCall(f, inTree, avals));
  };
}

/**
 * The types of a function's results, without running it: a pytree of `ShapeDtypeStruct`s.
 *
 * JAX's counterpart is `jax.eval_shape`.
 */
export function evalShape<Args extends readonly unknown[]>(
  f: Traceable<Args, unknown>,
  ...args: readonly unknown[]
): unknown {
  const { avals, inTree } = typesOfArguments(args);
  const { program, outTree } = traceCall(f, inTree, avals);
  const types = program.jaxpr.outvars.map(
    ({ aval }) => new ShapeDtypeStruct(aval.shape, aval.dtype, aval.weakType),
  );
  return unflatten(outTree, types);
}

/**
 * Makes what a function takes from around it arguments: gives the function of the arguments and of
 * the arrays found, and these arrays.
 *
 * JAX's counterpart is `jax.closure_convert`.
 */
export function closureConvert<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  ...examples: Arguments<Args>
): [(...args: readonly unknown[]) => Arrays<Result>, ArrayValue[]] {
  const { values, inTree } = flattenArguments(examples);
  const traced = traceCall(
    f,
    inTree,
    values.map(({ aval }) => aval),
  );
  const converted = (...args: readonly unknown[]): Arrays<Result> => {
    const count = args.length - traced.captured.length;
    const [own, hoisted] = [args.slice(0, count), args.slice(count)];
    const [, tree] = flatten(own);
    if (printTree(tree) !== printTree(inTree)) {
      throw callError("pytree-mismatch", "the arguments differ from the examples");
    }
    const inputs = [...flattenArguments(own).values, ...flattenArguments(hoisted).values];
    return unflattenValues(
      traced.outTree,
      evaluateProgram(traced.program, inputs),
    ) as Arrays<Result>;
  };
  const arrays = traced.captured.map((value) => {
    const [array] = flatten(unflattenValues({ kind: "leaf" }, [value]))[0];
    return array as ArrayValue;
  });
  return [converted, arrays];
}
