/**
 * Partial evaluation: a program is split by which of its inputs are known into what can be computed
 * first and the rest. Called by linearize.ts (values first, tangents later) and by the rules of
 * control flow for their inner programs.
 */
import type { HostArray } from "../ir/hostArray.js";
import {
  closedJaxpr,
  newVar,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import type { ProgramTransforms } from "../ir/ops.js";
import { removeUnused } from "../ir/cleanup.js";

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
 * Splits a program by which inputs are known. Equations whose record has a split rule are split
 * themselves; any other equation with an unknown input is unknown.
 *
 * @param unknownOutputs outputs that the unknown part must give even if they are known
 *
 * JAX's counterpart is `partial_eval_jaxpr_nounits`.
 */
export function splitProgramWith(
  programs: ProgramTransforms,
  program: ClosedJaxpr,
  knownInputs: readonly boolean[],
  unknownOutputs: readonly boolean[] = [],
): SplitProgram {
  const splitter = new Splitter(programs, program, knownInputs);
  program.jaxpr.equations.forEach((equation) => {
    splitter.add(equation);
  });
  return splitter.finish(unknownOutputs);
}

class Splitter {
  readonly #constvars: Var[];
  readonly #consts: HostArray[];
  readonly #isConstant: Set<Atom>;
  readonly #unknown: Set<Atom>;
  /** Made of literals alone: each part computes them for itself. */
  readonly #free = new Set<Atom>();
  readonly #renamed = new Map<Var, Atom>();
  readonly #first: Equation[] = [];
  readonly #second: Equation[] = [];

  constructor(
    readonly programs: ProgramTransforms,
    readonly program: ClosedJaxpr,
    readonly knownInputs: readonly boolean[],
  ) {
    const { constvars, invars } = program.jaxpr;
    this.#constvars = [...constvars];
    this.#consts = [...program.consts];
    this.#isConstant = new Set(constvars);
    this.#unknown = new Set(invars.filter((_, index) => knownInputs[index] !== true));
  }

  #read(atom: Atom): Atom {
    return atom.kind === "literal" ? atom : (this.#renamed.get(atom) ?? atom);
  }

  add(original: Equation): void {
    const equation = { ...original, inputs: original.inputs.map((atom) => this.#read(atom)) };
    const { inputs, outputs, primitive, params } = equation;
    const known = inputs.map((atom) => !this.#unknown.has(atom));
    if (known.every(Boolean)) {
      this.#first.push(equation);
      const isFree = inputs.every((atom) => atom.kind === "literal" || this.#free.has(atom));
      if (!isFree || subJaxprs(params).length > 0) return;
      if (primitive.traits?.effectful === true) return;
      this.#second.push(equation);
      outputs.forEach((output) => this.#free.add(output));
      return;
    }
    const avals = inputs.map((atom) => atom.aval);
    const parts = primitive.split?.(this.programs, avals, known, params) ?? null;
    if (parts === null) {
      this.#second.push(equation);
      outputs.forEach((output) => this.#unknown.add(output));
      return;
    }
    const early = this.#splice(
      this.#first,
      parts.known,
      inputs.filter((_, index) => known[index] === true),
    );
    const knownCount = parts.knownOutputs.filter(Boolean).length;
    const late = this.#splice(this.#second, parts.unknown, [
      ...early.slice(knownCount),
      ...inputs.filter((_, index) => known[index] !== true),
    ]);
    const [knownResults, unknownResults] = [early.values(), late.values()];
    outputs.forEach((output, index) => {
      const isKnown = parts.knownOutputs[index] === true;
      const result = (isKnown ? knownResults : unknownResults).next().value;
      if (result === undefined) throw new Error("internal error: missing result of a split");
      this.#renamed.set(output, result);
    });
  }

  /** Adds the equations of a program to a part, and gives its results. */
  #splice(part: Equation[], program: ClosedJaxpr, args: readonly Atom[]): readonly Atom[] {
    const { jaxpr, consts } = program;
    const values = new Map<Var, Atom>();
    jaxpr.invars.forEach((variable, index) => {
      const arg = args[index];
      if (arg !== undefined) values.set(variable, arg);
    });
    jaxpr.constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array !== undefined) values.set(variable, this.#constant(variable, array));
    });
    const read = (atom: Atom): Atom =>
      atom.kind === "literal" ? atom : (values.get(atom) ?? atom);
    const isLate = part === this.#second;
    for (const equation of jaxpr.equations) {
      const inputs = equation.inputs.map(read);
      const outputs = equation.outputs.map((variable) => newVar(variable.aval));
      equation.outputs.forEach((variable, index) => {
        const copy = outputs[index];
        if (copy !== undefined) values.set(variable, copy);
      });
      if (isLate) outputs.forEach((output) => this.#unknown.add(output));
      part.push({ ...equation, inputs, outputs });
    }
    return jaxpr.outvars.map(read);
  }

  #constant(like: Var, array: HostArray): Var {
    const existing = this.#constvars[this.#consts.indexOf(array)];
    if (existing !== undefined) return existing;
    const variable = newVar(like.aval);
    this.#constvars.push(variable);
    this.#consts.push(array);
    this.#isConstant.add(variable);
    return variable;
  }

  finish(unknownOutputs: readonly boolean[]): SplitProgram {
    const { invars } = this.program.jaxpr;
    const outvars = this.program.jaxpr.outvars.map((atom) => this.#read(atom));
    const knownOutputs = outvars.map(
      (atom, index) => !this.#unknown.has(atom) && unknownOutputs[index] !== true,
    );
    const lateOutputs = outvars.filter((_, index) => knownOutputs[index] !== true);
    const late = removeUnused(
      this.#part(
        invars.filter((_, index) => this.knownInputs[index] !== true),
        this.#second,
        lateOutputs,
      ),
    );
    const residuals = this.#residuals(late.jaxpr.equations, lateOutputs);
    const early = this.#part(
      invars.filter((_, index) => this.knownInputs[index] === true),
      this.#first,
      [...outvars.filter((_, index) => knownOutputs[index] === true), ...residuals],
    );
    return {
      known: removeUnused(early),
      unknown: closedJaxpr(
        { ...late.jaxpr, invars: [...residuals, ...late.jaxpr.invars] },
        late.consts,
      ),
      knownOutputs,
      residualCount: residuals.length,
    };
  }

  #part(
    invars: readonly Var[],
    equations: readonly Equation[],
    outvars: readonly Atom[],
  ): ClosedJaxpr {
    return closedJaxpr({ constvars: this.#constvars, invars, equations, outvars }, this.#consts);
  }

  /** The known values that the unknown part uses. */
  #residuals(equations: readonly Equation[], outvars: readonly Atom[]): readonly Var[] {
    const own = new Set<Atom>(equations.flatMap((equation) => equation.outputs));
    const residuals = new Set<Var>();
    const need = (atom: Atom): void => {
      if (atom.kind === "literal" || own.has(atom) || this.#isConstant.has(atom)) return;
      if (!this.#unknown.has(atom)) residuals.add(atom);
    };
    equations.forEach((equation) => {
      equation.inputs.forEach(need);
    });
    outvars.forEach(need);
    return [...residuals];
  }
}
