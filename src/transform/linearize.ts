/**
 * Reverse derivatives: a program and its tangents are split into what can be computed first and
 * what is linear in the tangents (partial evaluation); the linear part is then run backwards.
 */
import { addAny } from "../../primitives/binary.js";
import { avalEquals } from "../ir/aval.js";
import type { Atom, ClosedJaxpr, Equation, Var } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import { isNoRule, type MaybeZero, type TransposeInput } from "../ir/primitive.js";
import { removeUnused } from "../ir/cleanup.js";
import { copyEquation, missingRule, startBuilding, type Building } from "./building.js";
import { evaluateJvp, instantiate, isDifferentiable, jvpProgram } from "./jvp.js";
import { splitProgramWith, type SplitProgram } from "./split.js";

export type { SplitProgram } from "./split.js";

/** Splits a program by which inputs are known; see `splitProgramWith`. */
export function splitProgram(
  program: ClosedJaxpr,
  knownInputs: readonly boolean[],
  unknownOutputs: readonly boolean[] = [],
): SplitProgram {
  return splitProgramWith(startBuilding().o.programs, program, knownInputs, unknownOutputs);
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
  // What depends on no linear input is computed forwards, also inside of calls and loops.
  const split = splitProgram(
    program,
    program.jaxpr.invars.map((_, index) => (inputs[index] ?? null) !== null),
  );
  const knownInputs = inputs.filter((value) => value !== null);
  const forwards = evaluateJvp(building, split.known, knownInputs, []).primals;
  const residuals = forwards.slice(forwards.length - split.residualCount);
  const pulled = transposeLinear(
    building,
    split.unknown,
    residuals,
    cotangents.filter((_, index) => split.knownOutputs[index] !== true),
  );
  let next = 0;
  return program.jaxpr.invars.map((_, index) =>
    (inputs[index] ?? null) === null ? (pulled[next++] ?? null) : null,
  );
}

/** Runs a program backwards all of whose equations are linear; its first inputs are residuals. */
function transposeLinear(
  { builder, o }: Building,
  { jaxpr, consts }: ClosedJaxpr,
  residuals: readonly Value[],
  cotangents: readonly MaybeZero[],
): readonly MaybeZero[] {
  const values = new Map<Var, Value>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, o.constant(array));
  });
  residuals.forEach((residual, index) => {
    const variable = jaxpr.invars[index];
    if (variable !== undefined) values.set(variable, residual);
  });
  const linearInputs = jaxpr.invars.slice(residuals.length);
  const linear = new Set<Var>(linearInputs);
  const isLinear = (atom: Atom): boolean => atom.kind === "var" && linear.has(atom);
  const backwards: Equation[] = [];
  for (const equation of jaxpr.equations) {
    builder.source = equation.source;
    if (equation.inputs.some(isLinear)) {
      equation.outputs.forEach((output) => linear.add(output));
      backwards.push(equation);
      continue;
    }
    const args = equation.inputs.map((atom) => readValue(atom, values));
    const outputs = copyEquation(builder, equation, args);
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
  return linearInputs.map((variable) => collected.get(variable) ?? null);
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
export function vjpProgram(program: ClosedJaxpr, active: readonly boolean[]): VjpProgram {
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
