/**
 * Forward derivatives, jaxpr to jaxpr: walks a program once and lets each record's jvp rule emit
 * the value and its tangent side by side.
 */
import { kindOf, type DType } from "../ir/dtypes.js";
import type { Atom, ClosedJaxpr, Equation, Var } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import { isNoRule, type MaybeZero } from "../ir/primitive.js";
import { copyEquation, missingRule, startBuilding, type Building } from "./building.js";

/** Whether values of a dtype have tangents: floating and complex ones do. */
export function isDifferentiable(dtype: DType): boolean {
  const kind = kindOf(dtype);
  return kind === "float" || kind === "complex";
}

interface Dual {
  readonly primal: Value;
  readonly tangent: MaybeZero;
}

/**
 * Evaluates a program on values with tangents, adding to a program under construction.
 *
 * @throws Jax2TfjsError `no-jvp-rule`
 */
export function evaluateJvp(
  { builder, o }: Building,
  program: ClosedJaxpr,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const { jaxpr, consts } = program;
  const values = new Map<Var, Dual>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, { primal: o.constant(array), tangent: null });
  });
  jaxpr.invars.forEach((variable, index) => {
    const primal = primals[index];
    if (primal === undefined) throw new Error("internal error: missing primal");
    values.set(variable, { primal, tangent: tangents[index] ?? null });
  });
  const read = (atom: Atom): Dual => {
    if (atom.kind === "literal") return { primal: atom, tangent: null };
    const value = values.get(atom);
    if (value === undefined) throw new Error("internal error: variable before its definition");
    return value;
  };
  for (const equation of jaxpr.equations) {
    builder.source = equation.source;
    const inputs = equation.inputs.map(read);
    const results = jvpEquation({ builder, o }, equation, inputs);
    equation.outputs.forEach((variable, index) => {
      const result = results[index];
      if (result !== undefined) values.set(variable, result);
    });
  }
  const outputs = jaxpr.outvars.map(read);
  return {
    primals: outputs.map(({ primal }) => primal),
    tangents: outputs.map(({ tangent }) => tangent),
  };
}

function jvpEquation(
  { builder, o }: Building,
  equation: Equation,
  inputs: readonly Dual[],
): readonly Dual[] {
  const primals = inputs.map(({ primal }) => primal);
  const tangents = inputs.map(({ tangent }) => tangent);
  if (tangents.every((tangent) => tangent === null)) {
    const outputs = copyEquation(builder, equation, primals);
    return outputs.map((primal) => ({ primal, tangent: null }));
  }
  const rule = equation.primitive.jvp;
  if (isNoRule(rule)) throw missingRule("jvp", equation, rule.reason);
  const result = rule(o, primals, tangents, equation.params);
  return result.primals.map((primal, index) => ({
    primal,
    tangent: isDifferentiable(primal.aval.dtype) ? (result.tangents[index] ?? null) : null,
  }));
}

/** A tangent as a value: zeros where it is a symbolic zero. */
export function instantiate(o: Ops, tangent: MaybeZero, like: Value): Value {
  return tangent ?? o.full(like.aval.shape, 0, like.aval.dtype);
}

/** A program and its tangents as one program. */
export interface JvpProgram {
  /** Inputs: all primals, then the tangents of the inputs marked. */
  readonly program: ClosedJaxpr;
  /** Which outputs have tangents; those follow the primal outputs, in order. */
  readonly outputTangents: readonly boolean[];
}

/**
 * The program that computes a program's outputs and their derivatives in a direction.
 *
 * @param active which inputs have a tangent (floating or complex ones)
 * @param instantiated outputs whose tangent is wanted even if it is zero; default: none
 *
 * JAX's counterpart is `jvp_jaxpr`.
 */
export function jvpProgram(
  program: ClosedJaxpr,
  active: readonly boolean[],
  instantiated: readonly boolean[] = [],
): JvpProgram {
  const building = startBuilding();
  const { builder, o } = building;
  const { invars } = program.jaxpr;
  const primals = invars.map((variable) => builder.input(variable.aval));
  const tangents = invars.map((variable, index): MaybeZero =>
    active[index] === true ? builder.input({ ...variable.aval, weakType: false }) : null,
  );
  const results = evaluateJvp(building, program, primals, tangents);
  const outputs = results.tangents.map((tangent, index): MaybeZero => {
    const primal = results.primals[index];
    if (primal === undefined || instantiated[index] !== true) return tangent;
    return isDifferentiable(primal.aval.dtype) ? instantiate(o, tangent, primal) : null;
  });
  const present = outputs.filter((tangent) => tangent !== null);
  return {
    program: builder.build([...results.primals, ...present]),
    outputTangents: outputs.map((tangent) => tangent !== null),
  };
}
