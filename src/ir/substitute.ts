/**
 * Replaces dimension variables in a program by sizes: in every type and every parameter. Used by
 * eager mode (sizes of this call) and by `convert --set`.
 */
import type { ShapedArray } from "./aval.js";
import { DimExpr, substituteDims, type Dim } from "./dims.js";
import { isHostArray } from "./hostArray.js";
import {
  closedJaxpr,
  isClosedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "./jaxpr.js";
import { HostFunction, LazyProgram, type ParamValue, type Params } from "./params.js";

/** Sizes by the name of the variable. */
export type DimEnv = ReadonlyMap<string, Dim>;

/** The program with the variables of `env` replaced everywhere, inner programs included. */
export function substituteProgram(program: ClosedJaxpr, env: DimEnv): ClosedJaxpr {
  return new Substitution(env).program(program);
}

class Substitution {
  readonly #programs = new Map<ClosedJaxpr, ClosedJaxpr>();

  constructor(readonly env: DimEnv) {}

  program(program: ClosedJaxpr): ClosedJaxpr {
    const known = this.#programs.get(program);
    if (known !== undefined) return known;
    const { jaxpr, consts } = program;
    const variables = new Map<Var, Var>();
    const define = (variable: Var): Var => {
      const copy = newVar(this.aval(variable.aval));
      variables.set(variable, copy);
      return copy;
    };
    const read = (atom: Atom): Atom =>
      atom.kind === "literal" ? atom : (variables.get(atom) ?? atom);
    const constvars = jaxpr.constvars.map(define);
    const invars = jaxpr.invars.map(define);
    const equations = jaxpr.equations.map((equation): Equation => ({
      ...equation,
      inputs: equation.inputs.map(read),
      params: this.params(equation.params),
      outputs: equation.outputs.map(define),
    }));
    const outvars = jaxpr.outvars.map(read);
    const result = closedJaxpr({ constvars, invars, equations, outvars }, consts);
    this.#programs.set(program, result);
    return result;
  }

  aval(aval: ShapedArray): ShapedArray {
    if (aval.shape.every((dim) => typeof dim === "number")) return aval;
    return { ...aval, shape: aval.shape.map((dim) => substituteDims(dim, this.env)) };
  }

  params(params: Params): Params {
    return Object.fromEntries(
      Object.entries(params).map(([key, value]) => [key, this.value(value)]),
    );
  }

  value(value: ParamValue): ParamValue {
    if (value instanceof DimExpr) return substituteDims(value, this.env);
    if (isClosedJaxpr(value)) return this.program(value);
    if (value instanceof HostFunction) return value;
    if (value instanceof LazyProgram) return new LazyProgram(() => this.program(value.get()));
    if (value === null || typeof value !== "object" || isHostArray(value)) return value;
    if (isParamList(value)) return value.map((item) => this.value(item));
    return this.params(value);
  }
}

function isParamList(value: ParamValue): value is readonly ParamValue[] {
  return Array.isArray(value);
}
