/**
 * Unrolls loops whose trip count is known: in tfjs a loop iteration costs as much as ten to forty
 * nodes and forces executeAsync. Loops beyond the budget stay loops.
 */
import {
  closedJaxpr,
  countEquations,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Literal,
  type Var,
} from "../ir/jaxpr.js";
import type { HostArray } from "../ir/hostArray.js";
import type { Params } from "../ir/params.js";
import { inlineCalls, mapPrograms, removeUnused } from "../ir/cleanup.js";
import { evaluateOnHost, literalArray, scalarOf } from "./fold.js";

/** Equations that all unrolled loops of a program may add together, unless asked otherwise. */
export const defaultUnrollBudget = 2000;

/** A loop, taken apart. */
interface Loop {
  readonly condition: ClosedJaxpr;
  readonly body: ClosedJaxpr;
  readonly conditionConsts: readonly Atom[];
  readonly bodyConsts: readonly Atom[];
  readonly initial: readonly Atom[];
}

/** Reads a `while` by its parameters; null for any other equation. */
function asLoop(equation: Equation): Loop | null {
  const params: Params = equation.params;
  const { cond_jaxpr: condition, body_jaxpr: body } = params;
  const conditionCount = params.cond_nconsts;
  const bodyCount = params.body_nconsts;
  if (!isProgram(condition) || !isProgram(body)) return null;
  if (typeof conditionCount !== "number" || typeof bodyCount !== "number") return null;
  const start = conditionCount + bodyCount;
  return {
    condition,
    body,
    conditionConsts: equation.inputs.slice(0, conditionCount),
    bodyConsts: equation.inputs.slice(conditionCount, start),
    initial: equation.inputs.slice(start),
  };
}

const isProgram = (value: unknown): value is ClosedJaxpr =>
  (value as { kind?: unknown } | undefined)?.kind === "closed-jaxpr";

/** Unrolls what fits into `budget` equations, inner loops first. */
export function unrollLoops(program: ClosedJaxpr, budget = defaultUnrollBudget): ClosedJaxpr {
  return new Unroller(budget).program(program);
}

class Unroller {
  #budget: number;

  constructor(budget: number) {
    this.#budget = budget;
  }

  program(program: ClosedJaxpr): ClosedJaxpr {
    const equations: Equation[] = [];
    const renamed = new Map<Var, Atom>();
    const constvars = [...program.jaxpr.constvars];
    const consts = [...program.consts];
    const arrays = new Map<Var, HostArray>();
    constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array !== undefined) arrays.set(variable, array);
    });
    const read = (atom: Atom): Atom =>
      atom.kind === "literal" ? atom : (renamed.get(atom) ?? atom);
    const hostValue = (atom: Atom): HostArray | null =>
      atom.kind === "literal" ? literalArray(atom) : (arrays.get(atom) ?? null);

    for (const original of program.jaxpr.equations) {
      const equation: Equation = {
        ...original,
        inputs: original.inputs.map(read),
        params: mapPrograms(original.params, (inner) => this.program(inner)),
      };
      const loop = asLoop(equation);
      const trips = loop === null ? null : this.#countTrips(loop, hostValue);
      if (loop === null || trips === null) {
        equations.push(equation);
        continue;
      }
      const results = this.#unroll(loop, trips, equations, (array, like) => {
        const variable = newVar(like.aval);
        constvars.push(variable);
        consts.push(array);
        arrays.set(variable, array);
        return variable;
      });
      original.outputs.forEach((variable, index) => {
        const result = results[index];
        if (result !== undefined) renamed.set(variable, result);
      });
    }
    const outvars = program.jaxpr.outvars.map(read);
    const { invars } = program.jaxpr;
    return closedJaxpr({ constvars, invars, equations, outvars }, consts);
  }

  /**
   * The known part of the carried values at the start of each iteration, or null if the number of
   * iterations is not known or too large.
   */
  #countTrips(
    loop: Loop,
    hostValue: (atom: Atom) => HostArray | null,
  ): readonly (readonly (HostArray | null)[])[] | null {
    const size = Math.max(1, countEquations(loop.body.jaxpr));
    const limit = Math.floor(this.#budget / size);
    const test = removeUnused(loop.condition);
    const step = this.#knownPart(loop);
    const conditionConsts = loop.conditionConsts.map(hostValue);
    const bodyConsts = loop.bodyConsts.map(hostValue);
    const trips: (readonly (HostArray | null)[])[] = [];
    let carry: readonly (HostArray | null)[] = loop.initial.map((atom) =>
      isScalar(atom) ? hostValue(atom) : null,
    );
    for (;;) {
      const [decision] = evaluateOnHost(test, [...conditionConsts, ...carry]);
      const goesOn = decision === null || decision === undefined ? null : scalarOf(decision);
      if (goesOn === null) return null;
      if (goesOn === false) break;
      if (trips.length >= limit) return null;
      trips.push(carry);
      carry = evaluateOnHost(step, [...bodyConsts, ...carry]).map((value, index) =>
        isScalar(loop.initial[index]) ? value : null,
      );
    }
    this.#budget -= trips.length * size;
    return trips;
  }

  /** The body with calls inlined, as far as scalars need it: cheap to evaluate again and again. */
  #knownPart(loop: Loop): ClosedJaxpr {
    return inlineCalls(loop.body);
  }

  #unroll(
    loop: Loop,
    trips: readonly (readonly (HostArray | null)[])[],
    equations: Equation[],
    constant: (array: HostArray, like: Var) => Var,
  ): readonly Atom[] {
    const { jaxpr, consts } = loop.body;
    const constants = jaxpr.constvars.map((variable, index): Atom => {
      const array = consts[index];
      if (array === undefined) throw new Error("internal error: constant without value");
      return constant(array, variable);
    });
    let carry: readonly Atom[] = loop.initial;
    for (const known of trips) {
      const values = new Map<Var, Atom>();
      const args = [
        ...loop.bodyConsts,
        ...carry.map((atom, index) => literalOr(atom, known[index])),
      ];
      jaxpr.invars.forEach((variable, index) => {
        const arg = args[index];
        if (arg !== undefined) values.set(variable, arg);
      });
      jaxpr.constvars.forEach((variable, index) => {
        const value = constants[index];
        if (value !== undefined) values.set(variable, value);
      });
      const read = (atom: Atom): Atom =>
        atom.kind === "literal" ? atom : (values.get(atom) ?? atom);
      for (const equation of jaxpr.equations) {
        const outputs = equation.outputs.map((variable) => newVar(variable.aval));
        const inputs = equation.inputs.map(read);
        equation.outputs.forEach((variable, index) => {
          const copy = outputs[index];
          if (copy !== undefined) values.set(variable, copy);
        });
        equations.push({ ...equation, inputs, outputs });
      }
      carry = jaxpr.outvars.map(read);
    }
    return carry;
  }
}

const isScalar = (atom: Atom | undefined): boolean => atom?.aval.shape.length === 0;

/** The carried scalar as a literal where its value is known. */
function literalOr(atom: Atom, known: HostArray | null | undefined): Atom {
  if (known === null || known === undefined || known.shape.length > 0) return atom;
  const value = scalarOf(known);
  if (value === undefined) return atom;
  const literal: Literal = { kind: "literal", value, aval: atom.aval };
  return literal;
}
