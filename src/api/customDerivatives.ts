/**
 * Functions with derivative rules of their own: `customJvp`, `customVjp`. The rules are traced when a
 * derivative is taken, so they may call the function itself.
 */
import { customJvpCall, customVjpCall } from "../../primitives/customDerivatives.js";
import { avalEquals, printAval, type ShapedArray } from "../ir/aval.js";
import { isComplex, isFloat } from "../ir/dtypes.js";
import { closedJaxpr, type ClosedJaxpr, type Literal } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { LazyProgram } from "../ir/params.js";
import { isConcrete, isTensorLike } from "../trace/arrays.js";
import { asValue, fromValue, o, Tracer, traceProgram } from "../trace/trace.js";
import {
  flatten,
  leafCount,
  printTree,
  treeEquals,
  unflatten,
  type TreeDef,
} from "../tree/pytree.js";
import { currentAxes, withAxes, type NamedAxis } from "./axes.js";
import {
  callError,
  flattenArguments,
  Float0Array,
  nameOf,
  traceCall,
  unflattenValues,
  type TracedCall,
} from "./calls.js";
import { named } from "./derivatives.js";
import { withConstants } from "./jit.js";
import type { Arguments, Arrays, Traceable } from "./types.js";

export interface CustomOptions {
  /**
   * Arguments that are no arrays, but functions or settings; rules get them first. They must not be
   * or contain traced arrays.
   */
  readonly nondiffArgnums?: readonly number[];
}

type AnyFunction = (...args: never[]) => unknown;

const isDifferentiable = ({ dtype }: ShapedArray): boolean => isFloat(dtype) || isComplex(dtype);
const active = (avals: readonly ShapedArray[]): readonly ShapedArray[] =>
  avals.filter(isDifferentiable).map((aval) => ({ ...aval, weakType: false }));

/** A call of a function with rules of its own. */
interface CustomCall {
  readonly name: string;
  readonly traced: TracedCall;
  readonly inTree: TreeDef;
  readonly values: readonly Value[];
  readonly inTypes: readonly ShapedArray[];
  readonly outTypes: readonly ShapedArray[];
  readonly staticArgs: readonly unknown[];
  /** Puts all arguments together from those that are arrays. */
  readonly allArguments: (arrays: readonly unknown[]) => readonly unknown[];
  readonly axes: readonly NamedAxis[];
}

function startCall(
  f: AnyFunction,
  kind: "jvp" | "vjp",
  args: readonly unknown[],
  nondiffArgnums: readonly number[],
): CustomCall {
  const statics = nondiffArgnums.map((position) =>
    position < 0 ? position + args.length : position,
  );
  const isStatic = (index: number): boolean => statics.includes(index);
  const staticArgs = args.filter((_, index) => isStatic(index));
  if (flatten(staticArgs)[0].some((leaf) => leaf instanceof Tracer)) throw tracedStatic(kind);
  const { values, inTree } = flattenArguments(args.filter((_, index) => !isStatic(index)));
  const inTypes = values.map(({ aval }) => aval);
  const allArguments = (arrays: readonly unknown[]): readonly unknown[] => {
    let next = 0;
    return args.map((arg, index) => (isStatic(index) ? arg : arrays[next++]));
  };
  const name = nameOf(f);
  const whole = named(name, (...arrays: unknown[]) => f(...(allArguments(arrays) as never[])));
  const traced = traceCall(whole, inTree, inTypes);
  const outTypes = traced.program.jaxpr.outvars.map(({ aval }) => aval);
  const axes = currentAxes();
  return { name, traced, inTree, values, inTypes, outTypes, staticArgs, allArguments, axes };
}

function tracedStatic(kind: "jvp" | "vjp"): Error {
  return callError(
    "traced-static",
    `Found a JAX Tracer object passed as an argument to a custom_${kind} function in a position ` +
      `indicated by nondiff_argnums as non-differentiable. Tracers cannot be passed as ` +
      `non-differentiable arguments to custom_${kind} functions; instead, nondiff_argnums should ` +
      `only be used for arguments that can't be or contain JAX tracers, e.g. function-valued ` +
      `arguments. In particular, array-valued arguments should typically not be indicated as ` +
      `nondiff_argnums.`,
  );
}

/** The function's program with what it closes over first, and the inputs of the equation. */
function equationOf({ traced, values }: CustomCall): {
  readonly program: ClosedJaxpr;
  readonly inputs: readonly Value[];
} {
  const { jaxpr, consts } = traced.program;
  const count = jaxpr.invars.length - traced.captured.length;
  const invars = [...jaxpr.invars.slice(count), ...jaxpr.invars.slice(0, count)];
  return {
    program: closedJaxpr({ ...jaxpr, invars }, consts),
    inputs: [...traced.captured, ...values],
  };
}

/** Traces a rule. What it takes from around it must be arrays with values. */
function traceRule(
  { axes }: CustomCall,
  name: string,
  avals: readonly ShapedArray[],
  body: (inputs: readonly Value[]) => readonly Value[],
): ClosedJaxpr {
  const { program, captured } = withAxes(axes, () => traceProgram(body, avals, name));
  if (!captured.every(isConcrete)) {
    throw callError(
      "captured-tracer",
      `the derivative rule ${name} uses a traced array from around it`,
      "pass the array to the function as an argument, and give its derivative in the rule",
    );
  }
  return withConstants({ program, captured, outTree: { kind: "none" }, outPaths: [] });
}

/** Values of a pytree for a rule: `float0` where there is no derivative. */
function withFloat0(
  tree: TreeDef,
  avals: readonly ShapedArray[],
  given: readonly Value[],
): unknown {
  let next = 0;
  const leaves = avals.map((aval) => {
    const value = isDifferentiable(aval) ? given[next++] : undefined;
    return value === undefined
      ? new Float0Array(aval.shape as readonly number[])
      : fromValue(value);
  });
  return unflatten(tree, leaves);
}

/** What a rule gave for a derivative of this type; numbers take the type. */
function derivativeLeaf(leaf: unknown, aval: ShapedArray): Value {
  if (leaf instanceof Float0Array) return o.full(aval.shape, 0, aval.dtype);
  const value = asValue(leaf);
  const literal = value as Partial<Literal>;
  if (literal.kind !== "literal" || typeof literal.value !== "number") return value;
  if (aval.shape.length > 0) return value;
  return isComplex(aval.dtype) ? value : o.literal(literal.value, aval.dtype);
}

function isPair(result: unknown): result is readonly [unknown, unknown] {
  return Array.isArray(result) && result.length === 2;
}

const sameTree = (a: TreeDef, b: TreeDef): boolean => treeEquals(a, b) || looseEquals(a, b);

/** Lists count as tuples. */
function looseEquals(a: TreeDef, b: TreeDef): boolean {
  const strip = (tree: TreeDef): string => printTree(tree).replaceAll(/[[(]|,?\)|\]/g, "|");
  return leafCount(a) === leafCount(b) && strip(a) === strip(b);
}

// --- customJvp -------------------------------------------------------------------------------------

/** `rule(primals, tangents)` gives the results and their tangents; static arguments come before. */
export type JvpRule<Args extends readonly unknown[]> = (
  primals: Args,
  tangents: Args,
) => readonly [primalsOut: unknown, tangentsOut: unknown];

/** The part of the tangent that one argument contributes: `rule(tangent, result, ...primals)`. */
export type TangentRule = ((...args: never[]) => unknown) | null;

/** A function with a forward rule. */
export interface CustomJvp<Args extends readonly unknown[], Result> {
  (...args: Arguments<Args>): Arrays<Result>;
  /** Sets the rule. Gives back the function. */
  defjvp(rule: JvpRule<Args>): CustomJvp<Args, Result>;
  // Apart, so that the parameters of a rule have types of their own.
  // eslint-disable-next-line @typescript-eslint/unified-signatures
  defjvp(rule: (...args: never[]) => readonly [unknown, unknown]): CustomJvp<Args, Result>;
  /** Sets one rule per argument; null for no contribution. */
  defjvps(...rules: readonly TangentRule[]): CustomJvp<Args, Result>;
}

/**
 * A function with a forward derivative rule, which reverse mode transposes.
 *
 * ```ts
 * const f = customJvp((x: ArrayValue) => lax.log(lax.add(1, lax.exp(x))));
 * f.defjvp(([x], [t]) => [f(x), lax.mul(t, lax.logistic(x))]);
 * ```
 *
 * @throws Jax2TfjsError when called: `rule-missing`; when differentiated: `rule-result`,
 * `closed-over-derivative`, `captured-tracer`
 *
 * JAX's counterpart is `jax.custom_jvp`.
 */
export function customJvp<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  { nondiffArgnums = [] }: CustomOptions = {},
): CustomJvp<Args, Result> {
  let rule: AnyFunction | null = null;
  const name = nameOf(f);
  const call = (...args: readonly unknown[]): Arrays<Result> => {
    const given = rule;
    if (given === null) {
      throw callError(
        "rule-missing",
        `No JVP defined for custom_jvp function ${name} using defjvp.`,
        "call defjvp with the rule before the function is used",
      );
    }
    const custom = startCall(f, "jvp", args, nondiffArgnums);
    const { program, inputs } = equationOf(custom);
    const results = o.bind(customJvpCall, inputs, {
      call_jaxpr: program,
      jvp_jaxpr_fun: new LazyProgram(() => jvpRuleProgram(given, custom)),
      num_consts: custom.traced.captured.length,
    });
    return unflattenValues(custom.traced.outTree, results) as Arrays<Result>;
  };
  const whole = Object.assign(named(name, call), {
    defjvp: (given: AnyFunction): CustomJvp<Args, Result> => {
      rule = given;
      return whole;
    },
    defjvps: (...rules: readonly TangentRule[]): CustomJvp<Args, Result> => {
      rule = sumOfTangents(call, rules);
      return whole;
    },
  }) as CustomJvp<Args, Result>;
  return whole;
}

/** One rule out of one per argument. */
function sumOfTangents(
  f: (...args: readonly unknown[]) => unknown,
  rules: readonly TangentRule[],
): (primals: readonly unknown[], tangents: readonly unknown[]) => readonly [unknown, unknown] {
  return (primals, tangents) => {
    const result = f(...primals);
    const [leaves, tree] = flatten(result);
    const terms = rules.flatMap((rule, index) => {
      const tangent = tangents[index];
      if (rule === null || tangent instanceof Float0Array) return [];
      const term = rule(...([tangent, result, ...primals] as never[]));
      return [flatten(term)[0].map(asValue)];
    });
    const sums = leaves.map((leaf, index) => {
      const { aval } = asValue(leaf);
      const parts = terms.flatMap((term) => term[index] ?? []);
      const [first, ...others] = parts;
      if (first === undefined) return fromValue(o.full(aval.shape, 0, aval.dtype));
      return fromValue(others.reduce((sum, part) => o.add(sum, part), first));
    });
    return [result, unflatten(tree, sums)];
  };
}

/** From inputs and their tangents to outputs and theirs. */
function jvpRuleProgram(rule: AnyFunction, custom: CustomCall): ClosedJaxpr {
  const { name, inTree, inTypes, outTypes, staticArgs, traced } = custom;
  const where = `Custom JVP rule ${nameOf(rule)} for function ${name}`;
  const body = (inputs: readonly Value[]): readonly Value[] => {
    const primals = unflattenValues(inTree, inputs.slice(0, inTypes.length));
    const tangents = withFloat0(inTree, inTypes, inputs.slice(inTypes.length));
    const result = rule(...([...staticArgs, primals, tangents] as never[]));
    if (!isPair(result)) {
      throw callError(
        "rule-result",
        `${where} must produce a pair (list or tuple of length two) representing primal and ` +
          `tangent outputs, but got ${printTree(flatten(result)[1])}.`,
      );
    }
    const [primalLeaves, primalTree] = flatten(result[0]);
    const [tangentLeaves, tangentTree] = flatten(result[1]);
    if (!sameTree(primalTree, tangentTree)) {
      throw callError(
        "rule-result",
        `${where} must produce primal and tangent outputs with equal container (pytree) ` +
          `structures, but got ${printTree(primalTree)} and ${printTree(tangentTree)} respectively.`,
      );
    }
    if (!sameTree(primalTree, traced.outTree)) {
      throw callError(
        "rule-result",
        `${where} must produce a pair (list or tuple of length two) where the first element ` +
          `represents the primal output (equal in value to the output of the ` +
          `custom_jvp-decorated function ${name}, and in particular of the same container/pytree ` +
          `structure), but instead the JVP rule output's first element had container/pytree ` +
          `structure: ${printTree(primalTree)} while the custom_jvp-decorated function ${name} had ` +
          `output container/pytree structure: ${printTree(traced.outTree)}.`,
      );
    }
    const outputs = primalLeaves.map((leaf, index) =>
      checked(where, "primal", leaf, outTypes[index]),
    );
    const derivatives = tangentLeaves.flatMap((leaf, index) => {
      const aval = outTypes[index];
      if (aval === undefined || !isDifferentiable(aval)) return [];
      return [checked(where, "tangent", leaf, aval)];
    });
    return [...outputs, ...derivatives];
  };
  return traceRule(custom, nameOf(rule), [...inTypes, ...active(inTypes)], body);
}

/** What a rule gave, if it has the type of the function's result. */
function checked(where: string, what: string, leaf: unknown, aval: ShapedArray | undefined): Value {
  if (aval === undefined) throw new Error("internal error: a result without type");
  const value = isDifferentiable(aval) ? derivativeLeaf(leaf, aval) : asValue(leaf);
  if (avalEquals(value.aval, aval)) return value;
  throw callError(
    "rule-result",
    `${where} must produce primal and tangent outputs with corresponding shapes and dtypes. ` +
      `Expected ${printAval(aval)} as a ${what} output but got ${printAval(value.aval)}.`,
  );
}

// --- customVjp -------------------------------------------------------------------------------------

/** A function with a backward rule. */
export interface CustomVjp<Args extends readonly unknown[], Result> {
  (...args: Arguments<Args>): Arrays<Result>;
  /**
   * Sets the rules: `fwd(...args)` gives the result and residuals, `bwd(residuals, cotangents)` a
   * list of one cotangent per argument (null for zeros); static arguments come before these two.
   * Gives back the function.
   */
  defvjp<Residuals>(
    fwd: (...args: Args) => readonly [unknown, Residuals],
    bwd: (residuals: Residuals, cotangents: Result) => readonly unknown[],
  ): CustomVjp<Args, Result>;
  defvjp(
    fwd: (...args: never[]) => readonly [unknown, unknown],
    bwd: (...args: never[]) => readonly unknown[],
  ): CustomVjp<Args, Result>;
}

interface VjpRules {
  readonly fwd: AnyFunction;
  readonly bwd: AnyFunction;
}

/**
 * A function with a reverse derivative rule. It has no forward derivatives.
 *
 * @throws Jax2TfjsError when called: `rule-missing`; when differentiated: `rule-result`,
 * `closed-over-derivative`, `captured-tracer`
 *
 * JAX's counterpart is `jax.custom_vjp`.
 */
export function customVjp<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  { nondiffArgnums = [] }: CustomOptions = {},
): CustomVjp<Args, Result> {
  let rules: VjpRules | null = null;
  const name = nameOf(f);
  const call = (...args: readonly unknown[]): Arrays<Result> => {
    const given = rules;
    if (given === null) {
      throw callError(
        "rule-missing",
        `No VJP defined for custom_vjp function ${name} using defvjp.`,
        "call defvjp with both rules before the function is used",
      );
    }
    const custom = startCall(f, "vjp", args, nondiffArgnums);
    const { program, inputs } = equationOf(custom);
    const forward = forwardRule(given.fwd, custom);
    const results = o.bind(customVjpCall, inputs, {
      call_jaxpr: program,
      fwd_jaxpr_thunk: forward.program,
      bwd: new LazyProgram(() => backwardProgram(given.bwd, custom, forward)),
      num_consts: custom.traced.captured.length,
    });
    return unflattenValues(custom.traced.outTree, results) as Arrays<Result>;
  };
  const whole = Object.assign(named(name, call), {
    defvjp: (fwd: AnyFunction, bwd: AnyFunction): CustomVjp<Args, Result> => {
      rules = { fwd, bwd };
      return whole;
    },
  }) as CustomVjp<Args, Result>;
  return whole;
}

/** The forward rule as a program of residuals, then outputs. */
interface ForwardRule {
  readonly program: LazyProgram;
  /** Known once the program is. */
  residualTree(): TreeDef;
}

function forwardRule(fwd: AnyFunction, custom: CustomCall): ForwardRule {
  const { name, inTree, inTypes, outTypes, allArguments, traced } = custom;
  const where = `Custom VJP fwd rule ${nameOf(fwd)} for function ${name}`;
  let tree: TreeDef = { kind: "none" };
  const body = (inputs: readonly Value[]): readonly Value[] => {
    const arrays = unflattenValues(inTree, inputs) as readonly unknown[];
    const result = fwd(...(allArguments(arrays) as never[]));
    const [leaves, outTree] = isPair(result) ? flatten(result[0]) : flatten(result);
    if (!isPair(result) || !sameTree(outTree, traced.outTree)) {
      throw callError(
        "rule-result",
        `${where} must produce a pair (list or tuple of length two) where the first element ` +
          `represents the primal output (equal to the output of the custom_vjp-decorated function ` +
          `${name}) and the second element represents residuals (i.e. values stored from the ` +
          `forward pass for use on the backward pass), but instead the fwd rule output had ` +
          `container/pytree structure: ${printTree(flatten(result)[1])}.`,
      );
    }
    const [residuals, residualTree] = flatten(result[1]);
    tree = residualTree;
    const outputs = leaves.map((leaf, index) => checked(where, "primal", leaf, outTypes[index]));
    return [...residuals.map(asValue), ...outputs];
  };
  const program = new LazyProgram(() => traceRule(custom, nameOf(fwd), inTypes, body));
  return { program, residualTree: () => tree };
}

/** From residuals and cotangents of the outputs to cotangents of the inputs. */
function backwardProgram(bwd: AnyFunction, custom: CustomCall, forward: ForwardRule): ClosedJaxpr {
  const { name, inTree, inTypes, outTypes, staticArgs, traced } = custom;
  const { outvars } = forward.program.get().jaxpr;
  const residualTypes = outvars.slice(0, outvars.length - outTypes.length).map(({ aval }) => aval);
  const where = `Custom VJP bwd rule ${nameOf(bwd)} for function ${name}`;
  const body = (inputs: readonly Value[]): readonly Value[] => {
    const count = residualTypes.length;
    const residuals = unflattenValues(forward.residualTree(), inputs.slice(0, count));
    const cotangents = withFloat0(traced.outTree, outTypes, inputs.slice(count));
    const result = bwd(...([...staticArgs, residuals, cotangents] as never[]));
    const args = inTree.kind === "list" ? inTree.children : [];
    if (!Array.isArray(result) || isTensorLike(result) || result.length !== args.length) {
      throw callError(
        "rule-result",
        `${where} must produce an output with the same container (pytree) structure as the args ` +
          `tuple of the primal function, and in particular must produce a tuple of length equal to ` +
          `the number of arguments to the primal function, but got bwd output structure ` +
          `${printTree(flatten(result)[1])} for primal input structure ${printTree(inTree)}.`,
        "return a list with one cotangent per argument, also for one argument",
      );
    }
    let next = 0;
    return args.flatMap((tree, position) => {
      const avals = inTypes.slice(next, next + leafCount(tree));
      next += avals.length;
      return argumentCotangents(where, result[position], tree, avals, position);
    });
  };
  return traceRule(custom, nameOf(bwd), [...residualTypes, ...active(outTypes)], body);
}

/** Cotangents of the leaves of one argument, zeros for null. */
function argumentCotangents(
  where: string,
  given: unknown,
  tree: TreeDef,
  avals: readonly ShapedArray[],
  position: number,
): readonly Value[] {
  const isZero = (value: unknown): boolean => value === null || value === undefined;
  const [leaves, found] = flatten(given, isZero);
  const whole = isZero(given) ? avals.map(() => null) : leaves;
  if (whole.length !== avals.length) {
    throw callError(
      "rule-result",
      `${where} must produce an output with the same container (pytree) structure as the args ` +
        `tuple of the primal function, but at output[${position}] it has ${printTree(found)} for ` +
        `${printTree(tree)}.`,
    );
  }
  return avals.flatMap((aval, index) => {
    if (!isDifferentiable(aval)) return [];
    const leaf = whole[index];
    if (isZero(leaf)) return [o.full(aval.shape, 0, aval.dtype)];
    const value = derivativeLeaf(leaf, aval);
    if (avalEquals(value.aval, aval)) return [value];
    throw callError(
      "rule-result",
      `${where} must produce an output with the same shape/dtypes as the args tuple of the primal ` +
        `function, but at output[${position}] the bwd rule produced an output of type ` +
        `${printAval(value.aval)} corresponding to an input of type ${printAval(aval)}.`,
    );
  });
}
