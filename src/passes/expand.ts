/**
 * Puts programs of other primitives in place of equations that are no more than those (`scan`), so
 * that the passes that follow see, fold and unroll them.
 */
import { jitCall } from "../../primitives/call.js";
import { mapPrograms } from "../ir/cleanup.js";
import { closedJaxpr, subJaxprs, type ClosedJaxpr, type Equation } from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";

/** Replaces what expands by calls, inner programs included. */
export function expandEquations(program: ClosedJaxpr): ClosedJaxpr {
  const equations = program.jaxpr.equations.map(expandEquation);
  const isChanged = equations.some(
    (equation, index) => equation !== program.jaxpr.equations[index],
  );
  return isChanged ? closedJaxpr({ ...program.jaxpr, equations }, program.consts) : program;
}

function expandEquation(equation: Equation): Equation {
  const { primitive, params, inputs } = equation;
  const avals = inputs.map((atom) => atom.aval);
  const program = primitive.expand?.(avals, params) ?? null;
  if (program !== null) {
    const jaxpr = expandEquations(program);
    return { ...equation, primitive: erased(jitCall), params: { name: primitive.name, jaxpr } };
  }
  if (subJaxprs(params).length === 0) return equation;
  const expanded = mapPrograms(params, expandEquations);
  const before = subJaxprs(params);
  const isChanged = subJaxprs(expanded).some((inner, index) => inner !== before[index]);
  return isChanged ? { ...equation, params: expanded } : equation;
}
