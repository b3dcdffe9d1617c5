/**
 * Derivatives of functions: `jvp`, `vjp`, `linearize`, `grad` and what is made of them, under JAX's
 * names. Each traces its function, transforms the program, and evaluates it where it was called.
 */
import { printAval, type ShapedArray } from "../ir/aval.js";
import { isComplex, isFloat } from "../ir/dtypes.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import {
  linearizeProgram,
  pullbackProgram,
  type LinearizedProgram,
} from "../transform/linearizeProgram.js";
import { isDifferentiable, jvpProgram, transposeProgram } from "../transform/index.js";
import type { ArrayValue } from "../trace/arrays.js";
import { evaluateProgram, fromValue, o } from "../trace/trace.js";
import { flatten, unflatten, type TreeDef } from "../tree/pytree.js";
import {
  callError,
  flattenArguments,
  Float0Array,
  matchingValues,
  nameOf,
  traceCall,
  unflattenValues,
  type TracedCall,
} from "./calls.js";
import type { Arguments, Arrays, NoOptions, Traceable } from "./types.js";

const isActive = (value: Value): boolean => isDifferentiable(value.aval.dtype);

/** The types of a program's results. */
function resultTypes(program: ClosedJaxpr): readonly ShapedArray[] {
  return program.jaxpr.outvars.map((atom) => atom.aval);
}

/** A derivative as the user gets it: zeros where it does not depend, float0 for integers. */
function derivative(value: Value | null | undefined, aval: ShapedArray): ArrayValue {
  if (!isDifferentiable(aval.dtype)) return new Float0Array(aval.shape as readonly number[]);
  return fromValue(value ?? o.full(aval.shape, 0, aval.dtype));
}

function strong(aval: ShapedArray): ShapedArray {
  return { ...aval, weakType: false };
}

/** Splits the result `[out, aux]` of a function with auxiliary data. */
function withoutAux<Args extends readonly unknown[]>(
  f: Traceable<Args, unknown>,
  hasAux: boolean,
): {
  readonly f: Traceable<Args, unknown>;
  readonly split: (result: unknown) => [unknown, unknown];
} {
  if (!hasAux) return { f, split: (result) => [result, undefined] };
  const checked = (...args: Args): unknown => {
    const result = f(...args);
    if (Array.isArray(result) && result.length === 2) return result;
    throw callError(
      "invalid-result",
      `with hasAux, ${nameOf(f)} must return a pair: the result, and the auxiliary data`,
    );
  };
  Object.defineProperty(checked, "name", { value: f.name });
  return { f: checked, split: (result) => result as [unknown, unknown] };
}

/**
 * The result of a function and its derivative in a direction.
 *
 * @param primals the arguments @param tangents the direction: pytrees as the arguments, of the same
 * types; `Float0Array` for integers
 * @returns the result, and its tangents in the same structure
 * @throws Jax2TfjsError `pytree-mismatch`, `type-mismatch`, `no-jvp-rule`
 *
 * JAX's counterpart is `jax.jvp`.
 */
export function jvp<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  primals: Arguments<Args>,
  tangents: readonly unknown[],
): [Arrays<Result>, Arrays<Result>] {
  const { values, inTree } = flattenArguments(primals);
  const traced = traceCall(
    f,
    inTree,
    values.map((value) => value.aval),
  );
  const types = values.map(({ aval }) => aval);
  const directions = matchingValues(tangents, inTree, types, "tangents");
  const active = values.map((value, index) => isActive(value) && directions[index] !== null);
  const { program, outputTangents } = jvpProgram(traced.program, [
    ...active,
    ...traced.captured.map(() => false),
  ]);
  const given = directions.filter((value, index) => active[index] === true && value !== null);
  const results = evaluateProgram(program, [
    ...values,
    ...traced.captured,
    ...given.filter((value) => value !== null),
  ]);
  const outputs = results.slice(0, outputTangents.length);
  let next = outputTangents.length;
  const outTangents = resultTypes(traced.program).map((aval, index) =>
    derivative(outputTangents[index] === true ? results[next++] : null, aval),
  );
  return [
    unflattenValues(traced.outTree, outputs) as Arrays<Result>,
    unflatten(traced.outTree, outTangents) as Arrays<Result>,
  ];
}

/** A function linearized at a point. */
interface LinearizedCall {
  readonly linearized: LinearizedProgram;
  readonly traced: TracedCall;
  readonly inTree: TreeDef;
  readonly types: readonly ShapedArray[];
  readonly active: readonly boolean[];
  readonly outputs: readonly Value[];
  readonly residuals: readonly Value[];
}

function linearizeCall(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  wanted: (index: number) => boolean = () => true,
): LinearizedCall {
  const { values, inTree } = flattenArguments(args);
  const types = values.map(({ aval }) => aval);
  const traced = traceCall(f, inTree, types);
  const active = values.map((value, index) => isActive(value) && wanted(index));
  const linearized = linearizeProgram(traced.program, [
    ...active,
    ...traced.captured.map(() => false),
  ]);
  const results = evaluateProgram(linearized.forward, [...values, ...traced.captured]);
  return {
    linearized,
    traced,
    inTree,
    types,
    active,
    outputs: results.slice(0, linearized.outputCount),
    residuals: results.slice(linearized.outputCount),
  };
}

/** Pulls cotangents of the outputs (null: zero) back to the inputs. */
function pullBack(
  { linearized, active, residuals }: LinearizedCall,
  transposed: ClosedJaxpr,
  cotangents: readonly (Value | null)[],
): readonly (Value | null)[] {
  const { outputTangents, linear } = linearized;
  let next = 0;
  const given = outputTangents.flatMap((present, index) => {
    if (!present) return [];
    const like = linear.jaxpr.outvars[next++];
    const cotangent = cotangents[index] ?? null;
    if (like === undefined) throw new Error("internal error: a tangent without type");
    return [cotangent ?? o.full(like.aval.shape, 0, like.aval.dtype)];
  });
  const results = evaluateProgram(transposed, [...residuals, ...given]);
  let position = 0;
  return active.map((isWanted) => (isWanted ? (results[position++] ?? null) : null));
}

/** Options of functions whose function may return auxiliary data. */
export interface AuxOptions {
  /** The function returns a pair: its result, and data that is handed through. Default: false. */
  readonly hasAux?: boolean;
}

/** Pulls cotangents of a result back to one per argument. */
export type Pullback<Args extends readonly unknown[]> = (cotangents: unknown) => {
  -readonly [Index in keyof Args]: Arrays<Args[Index]>;
};

/**
 * The result of a function, and the function that pulls cotangents of it back to its arguments.
 *
 * @returns `[result, pullback]`, with `hasAux` `[result, pullback, aux]`
 * @throws Jax2TfjsError `no-jvp-rule`, `no-transpose-rule`, `not-reversible`
 *
 * JAX's counterpart is `jax.vjp`.
 */
export function vjp<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  ...primals: Arguments<Args>
): [Arrays<Result>, Pullback<Args>] {
  const call = linearizeCall(f, primals);
  return [
    unflattenValues(call.traced.outTree, call.outputs) as Arrays<Result>,
    makePullback<Args>(call, call.traced.outTree, resultTypes(call.traced.program)),
  ];
}

/** As `vjp`, for a function that returns `[result, aux]`: gives `[result, pullback, aux]`. */
export function vjpWithAux<Args extends readonly unknown[], Result, Aux>(
  f: Traceable<Args, readonly [Result, Aux]>,
  ...primals: Arguments<Args>
): [Arrays<Result>, Pullback<Args>, Arrays<Aux>] {
  const { f: checked, split } = withoutAux(f, true);
  const call = linearizeCall(checked, primals);
  const whole = unflattenValues(call.traced.outTree, call.outputs);
  const [result, aux] = split(whole);
  const [leaves, outTree] = flatten(result);
  const types = resultTypes(call.traced.program).slice(0, leaves.length);
  return [result as Arrays<Result>, makePullback<Args>(call, outTree, types), aux as Arrays<Aux>];
}

function makePullback<Args extends readonly unknown[]>(
  call: LinearizedCall,
  outTree: TreeDef,
  outTypes: readonly ShapedArray[],
): Pullback<Args> {
  let transposed: ClosedJaxpr | undefined;
  return (cotangents) => {
    const types = outTypes.map(strong);
    const given = matchingValues(cotangents, outTree, types, "cotangents");
    transposed ??= pullbackProgram(call.linearized);
    const results = pullBack(call, transposed, given);
    const arrays = call.types.map((aval, index) => derivative(results[index], aval));
    return unflatten(call.inTree, arrays) as ReturnType<Pullback<Args>>;
  };
}

/**
 * The result of a function, and its derivative as a linear function of tangents. What does not
 * depend on the tangents is computed once.
 *
 * JAX's counterpart is `jax.linearize`.
 */
export function linearize<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  ...primals: Arguments<Args>
): [Arrays<Result>, (...tangents: Arguments<Args>) => Arrays<Result>] {
  const call = linearizeCall(f, primals);
  const { linearized, traced, inTree, types, active, residuals } = call;
  const outTypes = resultTypes(traced.program);
  return [
    unflattenValues(traced.outTree, call.outputs) as Arrays<Result>,
    (...tangents) => {
      const given = matchingValues(tangents, inTree, types, "tangents");
      const directions = given.flatMap((value, index) => {
        const aval = types[index];
        if (active[index] !== true || aval === undefined) return [];
        return [value ?? o.full(aval.shape, 0, aval.dtype)];
      });
      const results = evaluateProgram(linearized.linear, [...residuals, ...directions]);
      let next = 0;
      const arrays = outTypes.map((aval, index) =>
        derivative(linearized.outputTangents[index] === true ? results[next++] : null, aval),
      );
      return unflatten(traced.outTree, arrays) as Arrays<Result>;
    },
  ];
}

/**
 * The transpose of a function that is linear in all of its arguments.
 *
 * @param primals arrays or `ShapeDtypeStruct`s: only their types matter
 * @throws Jax2TfjsError `no-transpose-rule` where the function is not linear
 *
 * JAX's counterpart is `jax.linear_transpose`.
 */
export function linearTranspose<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  ...primals: Arguments<Args>
): Pullback<Args> {
  const { values, inTree } = flattenArguments(primals);
  const types = values.map(({ aval }) => aval);
  const traced = traceCall(f, inTree, types);
  const linear = [...types.map(() => true), ...traced.captured.map(() => false)];
  const transposed = transposeProgram(traced.program, linear);
  const outTypes = resultTypes(traced.program).map(strong);
  return (cotangents) => {
    const given = matchingValues(cotangents, traced.outTree, outTypes, "cotangents");
    const results = evaluateProgram(transposed, [
      ...traced.captured,
      ...given.map((value, index) => value ?? zeroOf(outTypes[index])),
    ]);
    const arrays = types.map((aval, index) => derivative(results[index], aval));
    return unflatten(inTree, arrays) as ReturnType<Pullback<Args>>;
  };
}

function zeroOf(aval: ShapedArray | undefined): Value {
  if (aval === undefined) throw new Error("internal error: a result without type");
  return o.full(aval.shape, 0, aval.dtype);
}

/** Options of `grad` and its like. */
export interface GradOptions {
  /** Which arguments to differentiate: a position, or several. Default: 0. */
  readonly argnums?: number | readonly number[];
  /** The function returns `[result, aux]`. Default: false. */
  readonly hasAux?: boolean;
  /** The function is complex differentiable, and complex arguments are meant. Default: false. */
  readonly holomorphic?: boolean;
  /** Integer arguments have the gradient `float0` instead of being an error. Default: false. */
  readonly allowInt?: boolean;
}

/** The type of the gradient for the chosen arguments. */
export type Gradient<Args extends readonly unknown[], Options> = Options extends {
  readonly argnums: infer Numbers;
}
  ? Numbers extends readonly number[]
    ? { -readonly [Index in keyof Numbers]: Arrays<Args[Numbers[Index] & number]> }
    : Numbers extends number
      ? Arrays<Args[Numbers]>
      : Arrays<Args[0]>
  : Arrays<Args[0]>;

/** What `valueAndGrad` gives first: the value, with `hasAux` the pair of value and data. */
export type ValueOf<Result, Options> = Options extends { readonly hasAux: true }
  ? Result extends readonly [infer Value, infer Aux]
    ? [Arrays<Value>, Arrays<Aux>]
    : never
  : Arrays<Result>;

/** What `grad` gives: the gradient, with `hasAux` the pair of gradient and data. */
export type GradOf<Args extends readonly unknown[], Result, Options> = Options extends {
  readonly hasAux: true;
}
  ? Result extends readonly [unknown, infer Aux]
    ? [Gradient<Args, Options>, Arrays<Aux>]
    : never
  : Gradient<Args, Options>;

/**
 * The function that gives the value of `f` and its gradient.
 *
 * @throws Jax2TfjsError when called: `grad-not-scalar`, `grad-dtype`, `argnums`
 *
 * JAX's counterpart is `jax.value_and_grad`.
 */
export function valueAndGrad<
  Args extends readonly unknown[],
  Result,
  const Options extends GradOptions = NoOptions,
>(
  f: Traceable<Args, Result>,
  options?: Options,
): (...args: Arguments<Args>) => [ValueOf<Result, Options>, Gradient<Args, Options>] {
  const { argnums = 0, hasAux = false, holomorphic = false, allowInt = false } = options ?? {};
  const positions = typeof argnums === "number" ? [argnums] : argnums;
  const { f: checked } = withoutAux(f, hasAux);
  const traceable = checked as (...args: never[]) => unknown;
  return named(`value_and_grad(${nameOf(f)})`, (...args) => {
    const chosen = positions.map((position) => chosenArgument(position, args.length));
    const owners = args.flatMap((arg, position) => flatten(arg)[0].map(() => position));
    const call = linearizeCall(traceable, args, (index) => chosen.includes(owners[index] ?? -1));
    checkInputs(call, owners, chosen, { allowInt, holomorphic });
    const whole = unflattenValues(call.traced.outTree, call.outputs);
    const [result] = hasAux ? (whole as [unknown, unknown]) : [whole];
    checkScalar(flatten(result)[0].length, call.outputs[0], nameOf(f), holomorphic);
    const output = call.outputs[0];
    if (output === undefined) throw new Error("internal error: a gradient without result");
    const seed = o.literal(1, output.aval.dtype);
    const results = pullBack(call, pullbackProgram(call.linearized), [seed]);
    const gradients = args.map((arg, position) => {
      const [leaves, tree] = flatten(arg);
      const first = owners.indexOf(position);
      const arrays = leaves.map((_, index) => {
        const aval = call.types[first + index];
        if (aval === undefined) throw new Error("internal error: an argument without type");
        return chosen.includes(position) ? derivative(results[first + index], aval) : null;
      });
      return chosen.includes(position) ? unflatten(tree, arrays) : null;
    });
    const wanted = chosen.map((position) => gradients[position]);
    const gradient = typeof argnums === "number" ? wanted[0] : wanted;
    // The types of both are computed from those of f and of the options.
    return [whole, gradient] as [ValueOf<Result, Options>, Gradient<Args, Options>];
  });
}

/**
 * The function that gives the gradient of `f`, which must return a scalar.
 *
 * @throws Jax2TfjsError when called: `grad-not-scalar`, `grad-dtype`, `argnums`
 *
 * JAX's counterpart is `jax.grad`.
 */
export function grad<
  Args extends readonly unknown[],
  Result,
  const Options extends GradOptions = NoOptions,
>(
  f: Traceable<Args, Result>,
  options?: Options,
): (...args: Arguments<Args>) => GradOf<Args, Result, Options> {
  const both = valueAndGrad<Args, Result, Options>(f, options);
  return named(`grad(${nameOf(f)})`, (...args) => {
    const [value, gradient] = both(...args);
    if (options?.hasAux !== true) return gradient as GradOf<Args, Result, Options>;
    const [, aux] = value as unknown as [unknown, unknown];
    return [gradient, aux] as unknown as GradOf<Args, Result, Options>;
  });
}

/** A function under a name, for messages. */
export function named<F extends (...args: never[]) => unknown>(name: string, f: F): F {
  Object.defineProperty(f, "name", { value: name, configurable: true });
  return f;
}

function chosenArgument(position: number, count: number): number {
  const chosen = position < 0 ? position + count : position;
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return chosen;
  throw callError(
    "argnums",
    `argnums names argument ${position} of a call with ${count} arguments`,
  );
}

function checkInputs(
  { types }: LinearizedCall,
  owners: readonly number[],
  chosen: readonly number[],
  { allowInt, holomorphic }: { readonly allowInt: boolean; readonly holomorphic: boolean },
): void {
  types.forEach((aval, index) => {
    if (!chosen.includes(owners[index] ?? -1)) return;
    const { dtype } = aval;
    if (holomorphic && !isComplex(dtype)) {
      throw callError(
        "grad-dtype",
        `grad with holomorphic=True requires inputs with complex dtype, but got ${dtype}.`,
      );
    }
    if (isFloat(dtype) || (isComplex(dtype) && holomorphic)) return;
    if (!isDifferentiable(dtype)) {
      if (allowInt) return;
      throw callError(
        "grad-dtype",
        `grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of ` +
          `np.inexact), but got ${dtype}.`,
        "for integer inputs, pass allowInt: true, or convert them to floats",
      );
    }
    // Complex inputs of a real function: JAX's convention, the conjugate of the usual gradient.
  });
}

function checkScalar(
  count: number,
  output: Value | undefined,
  name: string,
  holomorphic: boolean,
): void {
  if (count !== 1 || output === undefined) {
    throw callError(
      "grad-not-scalar",
      `Gradient only defined for scalar-output functions. ${name} returned ${count} arrays.`,
      "return one scalar; with further data, pass hasAux: true",
    );
  }
  const { aval } = output;
  if (aval.shape.length !== 0) {
    const sizes = printAval(aval).replace(/^[^[]*\[(.*)\]$/, "$1");
    throw callError(
      "grad-not-scalar",
      "Gradient only defined for scalar-output functions. " +
        `Output had shape: (${sizes}${aval.shape.length === 1 ? "," : ""}).`,
      "sum the result, or use jacrev",
    );
  }
  const valid = holomorphic ? isComplex(aval.dtype) : isFloat(aval.dtype);
  if (valid) return;
  throw callError(
    "grad-dtype",
    `grad requires real-valued outputs (output dtype that is a sub-dtype of np.floating), ` +
      `but got ${aval.dtype}.`,
    isComplex(aval.dtype) ? "for holomorphic functions, pass holomorphic: true" : undefined,
  );
}
