/**
 * Reverse derivatives: a program and its tangents are split into what can be computed first and
 * what is linear in the tangents (partial evaluation); the linear part is then run backwards.
 */
import { addAny } from "../../primitives/binary.js";
import { avalEquals } from "../ir/aval.js";
import {
  closedJaxpr,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Jaxpr,
  type Var,
} from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import { isNoRule, type MaybeZero, type TransposeInput } from "../ir/primitive.js";
import { inlineCalls, removeUnused } from "../ir/cleanup.js";
import { missingRule, startBuilding, type Building } from "./building.js";
import { evaluateJvp, instantiate, isDifferentiable, jvpProgram } from "./jvp.js";

/** A program split into a known part and a part that depends on unknown inputs. */
export interface SplitProgram {
  /** From the known inputs to the known outputs, then the residuals. */
  readonly known: ClosedJaxpr;
  /** From the residuals, then the unknown inputs, to the unknown outputs. */
  readonly unknown: ClosedJaxpr;
  readonly knownOutputs: readonly boolean[];
  readonly residualCount: number;
}

/**
 * Splits a program by which inputs are known. JAX's counterpart is `partial_eval_jaxpr_nounits`.
 */
export function splitProgram(program: ClosedJaxpr, knownInputs: readonly boolean[]): SplitProgram {
  const { jaxpr, consts } = program;
  const unknown = new Set<Var>(jaxpr.invars.filter((_, index) => knownInputs[index] !== true));
  const first: Equation[] = [];
  const second: Equation[] = [];
  for (const equation of jaxpr.equations) {
    const depends = equation.inputs.some((atom) => atom.kind === "var" && unknown.has(atom));
    if (depends) equation.outputs.forEach((output) => unknown.add(output));
    (depends ? second : first).push(equation);
  }
  const isUnknown = (atom: Atom): boolean => atom.kind === "var" && unknown.has(atom);
  const knownOutputs = jaxpr.outvars.map((atom) => !isUnknown(atom));
  const constvars = new Set<Atom>(jaxpr.constvars);
  const residuals = new Set<Var>();
  const need = (atom: Atom): void => {
    if (atom.kind === "var" && !unknown.has(atom) && !constvars.has(atom)) residuals.add(atom);
  };
  second.forEach((equation) => {
    equation.inputs.forEach(need);
  });
  const known: Jaxpr = {
    constvars: jaxpr.constvars,
    invars: jaxpr.invars.filter((_, index) => knownInputs[index] === true),
    equations: first,
    outvars: [...jaxpr.outvars.filter((atom) => !isUnknown(atom)), ...residuals],
  };
  const rest: Jaxpr = {
    constvars: jaxpr.constvars,
    invars: [...residuals, ...jaxpr.invars.filter((_, index) => knownInputs[index] !== true)],
    equations: second,
    outvars: jaxpr.outvars.filter(isUnknown),
  };
  return {
    known: removeUnused(closedJaxpr(known, consts)),
    unknown: removeUnused(closedJaxpr(rest, consts)),
    knownOutputs,
    residualCount: residuals.size,
  };
}

/** Adds cotangents of one value. */
function accumulate(o: Ops, left: MaybeZero, right: MaybeZero): MaybeZero {
  if (left === null) return right;
  if (right === null) return left;
  const [sum] = o.bind(addAny, [left, right], {});
  return sum ?? null;
}

/**
 * Runs a program that is linear in some inputs backwards, adding to a program under construction.
 *
 * @param inputs values of the non-linear inputs; null for the linear ones
 * @returns cotangents of the linear inputs (null: zero), null for the others
 * @throws Jax2TfjsError `no-transpose-rule`
 */
export function evaluateTransposed(
  building: Building,
  program: ClosedJaxpr,
  inputs: readonly (Value | null)[],
  cotangents: readonly MaybeZero[],
): readonly MaybeZero[] {
  const { builder, o } = building;
  const { jaxpr, consts } = program;
  const values = new Map<Var, Value>();
  const linear = new Set<Var>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, o.constant(array));
  });
  jaxpr.invars.forEach((variable, index) => {
    const value = inputs[index] ?? null;
    if (value === null) linear.add(variable);
    else values.set(variable, value);
  });
  const isLinear = (atom: Atom): boolean => atom.kind === "var" && linear.has(atom);
  const backwards: Equation[] = [];
  for (const equation of jaxpr.equations) {
    if (equation.inputs.some(isLinear)) {
      equation.outputs.forEach((output) => linear.add(output));
      backwards.push(equation);
      continue;
    }
    // What depends on no linear input is computed forwards.
    const args = equation.inputs.map((atom) => readValue(atom, values));
    const outputs = builder.append(
      { ...equation, inputs: args.map((value) => value as Atom) },
      equation.outputs.map((output) => output.aval),
    );
    equation.outputs.forEach((variable, index) => {
      const output = outputs[index];
      if (output !== undefined) values.set(variable, output);
    });
  }
  const collected = new Map<Var, MaybeZero>();
  const give = (atom: Atom, cotangent: MaybeZero): void => {
    if (atom.kind === "literal" || !linear.has(atom)) return;
    collected.set(atom, accumulate(o, collected.get(atom) ?? null, cotangent));
  };
  jaxpr.outvars.forEach((atom, index) => {
    give(atom, cotangents[index] ?? null);
  });
  for (const equation of backwards.reverse()) {
    builder.source = equation.source;
    const incoming = equation.outputs.map((output) => collected.get(output) ?? null);
    if (incoming.every((cotangent) => cotangent === null)) continue;
    const rule = equation.primitive.transpose;
    if (isNoRule(rule)) throw missingRule("transpose", equation, rule.reason);
    const args = equation.inputs.map((atom): TransposeInput =>
      isLinear(atom)
        ? { kind: "linear", aval: atom.aval }
        : { kind: "known", value: readValue(atom, values) },
    );
    const results = rule(o, incoming, args, equation.params);
    equation.inputs.forEach((atom, index) => {
      const result = results[index] ?? null;
      checkCotangent(equation, atom, result);
      give(atom, result);
    });
  }
  return jaxpr.invars.map((variable) => collected.get(variable) ?? null);
}

function readValue(atom: Atom, values: ReadonlyMap<Var, Value>): Value {
  if (atom.kind === "literal") return atom;
  const value = values.get(atom);
  if (value === undefined) throw new Error("internal error: variable before its definition");
  return value;
}

function checkCotangent(equation: Equation, atom: Atom, cotangent: MaybeZero): void {
  if (cotangent === null || avalEquals(atom.aval, cotangent.aval)) return;
  throw missingRule(
    "transpose",
    equation,
    "internal error: its cotangent has another type than its input",
  );
}

/**
 * The program that runs a program backwards: it takes the inputs that are not `linear`, then a
 * cotangent per output, and gives a cotangent per linear input.
 */
export function transposeProgram(program: ClosedJaxpr, linear: readonly boolean[]): ClosedJaxpr {
  const building = startBuilding();
  const { builder, o } = building;
  const { invars, outvars } = program.jaxpr;
  const inputs = invars.map((variable, index) =>
    linear[index] === true ? null : builder.input(variable.aval),
  );
  const cotangents = outvars.map((atom) => builder.input({ ...atom.aval, weakType: false }));
  const results = evaluateTransposed(building, program, inputs, cotangents);
  const pulled = invars.flatMap((variable, index) =>
    linear[index] === true ? [instantiate(o, results[index] ?? null, variable)] : [],
  );
  return builder.build(pulled);
}

/** The error about an equation that computes values and tangents at once, as a loop does. */
function notReversible({ jaxpr }: ClosedJaxpr): Error {
  for (const equation of jaxpr.equations) {
    const rule = equation.primitive.transpose;
    if (isNoRule(rule)) return missingRule("transpose", equation, rule.reason);
  }
  return new Error("internal error: a result depends on tangents");
}

/** A program and its pull-back as one program. */
export interface VjpProgram {
  /**
   * Inputs: those of the program, then a cotangent per differentiable output. Outputs: those of the
   * program, then the cotangent of each active input.
   */
  readonly program: ClosedJaxpr;
  /** Which outputs take a cotangent. */
  readonly outputCotangents: readonly boolean[];
}

/**
 * The program that computes a program's outputs and pulls cotangents of them back to its active
 * inputs. JAX's counterpart is `jax.vjp` followed by the call of its result.
 *
 * @throws Jax2TfjsError `no-jvp-rule`, `no-transpose-rule`
 */
export function vjpProgram(original: ClosedJaxpr, active: readonly boolean[]): VjpProgram {
  // Values and tangents of a call are told apart by its equations.
  const program = inlineCalls(original);
  const count = program.jaxpr.invars.length;
  const outputCount = program.jaxpr.outvars.length;
  const { program: withTangents, outputTangents } = jvpProgram(program, active);
  const knownInputs = withTangents.jaxpr.invars.map((_, index) => index < count);
  const split = splitProgram(withTangents, knownInputs);
  const building = startBuilding();
  const { builder, o } = building;
  const inputs = program.jaxpr.invars.map((variable) => builder.input(variable.aval));
  const cotangents = program.jaxpr.outvars.map((atom): MaybeZero =>
    isDifferentiable(atom.aval.dtype) ? builder.input({ ...atom.aval, weakType: false }) : null,
  );
  // The known part computes primals and residuals; its tangents have no inputs left.
  const knownResults = evaluateJvp(building, split.known, inputs, []).primals;
  const residuals = knownResults.slice(knownResults.length - split.residualCount);
  // Outputs of the split program: primals (all known), then tangents, known (zero) or unknown.
  let nextKnown = 0;
  const tangentIsUnknown: boolean[] = [];
  const primals: Value[] = [];
  split.knownOutputs.forEach((isKnown, index) => {
    const value = isKnown ? knownResults[nextKnown++] : undefined;
    if (index < outputCount) {
      if (value === undefined) throw notReversible(split.unknown);
      primals.push(value);
    } else {
      tangentIsUnknown.push(!isKnown);
    }
  });
  let tangentIndex = 0;
  const incoming: MaybeZero[] = [];
  outputTangents.forEach((hasTangent, index) => {
    if (!hasTangent) return;
    if (tangentIsUnknown[tangentIndex] === true) incoming.push(cotangents[index] ?? null);
    tangentIndex += 1;
  });
  const linearCount = split.unknown.jaxpr.invars.length - split.residualCount;
  const linearInputs = Array.from({ length: linearCount }, () => null);
  const pulled = evaluateTransposed(
    building,
    split.unknown,
    [...residuals, ...linearInputs],
    incoming,
  ).slice(split.residualCount);
  let nextPulled = 0;
  const results: Value[] = [];
  inputs.forEach((input, index) => {
    if (active[index] === true) results.push(instantiate(o, pulled[nextPulled++] ?? null, input));
  });
  return {
    program: removeUnused(builder.build([...primals, ...results])),
    outputCotangents: cotangents.map((cotangent) => cotangent !== null),
  };
}
