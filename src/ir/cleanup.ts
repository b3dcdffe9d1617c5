/**
 * Passes that change no value: inlining of calls, removal of unused equations, sharing of equal
 * ones. Each takes a program and returns a program.
 */
import type { HostArray } from "./hostArray.js";
import {
  closedJaxpr,
  isClosedJaxpr,
  newVar,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Jaxpr,
  type Var,
} from "./jaxpr.js";
import type { ParamValue, Params } from "./params.js";
import { atomKey, Numbering, paramKey } from "./keys.js";

/** Maps every inner program of the parameters. */
export function mapPrograms(params: Params, map: (program: ClosedJaxpr) => ClosedJaxpr): Params {
  if (subJaxprs(params).length === 0) return params;
  const visit = (value: ParamValue): ParamValue => {
    if (isClosedJaxpr(value)) return map(value);
    return Array.isArray(value) ? value.map((item: ParamValue) => visit(item)) : value;
  };
  return Object.fromEntries(Object.entries(params).map(([key, value]) => [key, visit(value)]));
}

/** Replaces calls (`jit` and its like) by the equations of the program they call. */
export function inlineCalls(program: ClosedJaxpr): ClosedJaxpr {
  const equations: Equation[] = [];
  const constvars: Var[] = [...program.jaxpr.constvars];
  const consts: HostArray[] = [...program.consts];
  const hoisted = new Map<HostArray, Var>();
  program.consts.forEach((array, index) => {
    const variable = constvars[index];
    if (variable !== undefined) hoisted.set(array, variable);
  });

  function hoist(array: HostArray, like: Var): Var {
    const known = hoisted.get(array);
    if (known !== undefined) return known;
    const variable = newVar(like.aval);
    hoisted.set(array, variable);
    constvars.push(variable);
    consts.push(array);
    return variable;
  }

  function walk(jaxpr: Jaxpr, values: Map<Var, Atom>): readonly Atom[] {
    const read = (atom: Atom): Atom =>
      atom.kind === "literal" ? atom : (values.get(atom) ?? atom);
    for (const equation of jaxpr.equations) {
      const inputs = equation.inputs.map(read);
      const key = equation.primitive.traits?.inlines;
      const inner = key === undefined ? undefined : equation.params[key];
      if (!isClosedJaxpr(inner)) {
        const outputs = equation.outputs.map((variable) => newVar(variable.aval));
        equation.outputs.forEach((variable, index) => {
          const copy = outputs[index];
          if (copy !== undefined) values.set(variable, copy);
        });
        const params = mapPrograms(equation.params, inlineCalls);
        equations.push({ ...equation, inputs, outputs, params });
        continue;
      }
      const innerValues = new Map<Var, Atom>();
      inner.jaxpr.invars.forEach((variable, index) => {
        const input = inputs[index];
        if (input !== undefined) innerValues.set(variable, input);
      });
      inner.jaxpr.constvars.forEach((variable, index) => {
        const array = inner.consts[index];
        if (array !== undefined) innerValues.set(variable, hoist(array, variable));
      });
      const results = walk(inner.jaxpr, innerValues);
      equation.outputs.forEach((variable, index) => {
        const result = results[index];
        if (result !== undefined) values.set(variable, result);
      });
    }
    return jaxpr.outvars.map(read);
  }

  const outvars = walk(program.jaxpr, new Map());
  return closedJaxpr({ constvars, invars: program.jaxpr.invars, equations, outvars }, consts);
}

/** Removes equations and constants that no result needs; inputs stay. */
export function removeUnused(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const needed = new Set<Atom>(jaxpr.outvars);
  const kept: Equation[] = [];
  for (const equation of [...jaxpr.equations].reverse()) {
    const isNeeded =
      equation.primitive.traits?.effectful === true ||
      equation.outputs.some((variable) => needed.has(variable));
    if (!isNeeded) continue;
    equation.inputs.forEach((atom) => needed.add(atom));
    kept.push({ ...equation, params: mapPrograms(equation.params, removeUnused) });
  }
  const constants = jaxpr.constvars.flatMap((variable, index) => {
    const array = program.consts[index];
    return array !== undefined && needed.has(variable) ? [{ variable, array }] : [];
  });
  return closedJaxpr(
    { ...jaxpr, constvars: constants.map(({ variable }) => variable), equations: kept.reverse() },
    constants.map(({ array }) => array),
  );
}

/** Computes equal equations once. */
export function shareEqual(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const numbering = new Numbering();
  const first = new Map<string, Equation>();
  const values = new Map<Var, Var>();
  const read = (atom: Atom): Atom => (atom.kind === "literal" ? atom : (values.get(atom) ?? atom));
  const equations: Equation[] = [];
  for (const original of jaxpr.equations) {
    const equation = {
      ...original,
      inputs: original.inputs.map(read),
      params: mapPrograms(original.params, shareEqual),
    };
    const inputs = equation.inputs.map((atom) => atomKey(atom, numbering)).join(" ");
    const params = paramKey(original.params, numbering);
    const key = `${equation.primitive.name}${params} ${inputs}`;
    const known = first.get(key);
    if (known === undefined || equation.primitive.traits?.effectful === true) {
      first.set(key, equation);
      equations.push(equation);
      continue;
    }
    original.outputs.forEach((variable, index) => {
      const same = known.outputs[index];
      if (same !== undefined) values.set(variable, same);
    });
  }
  return closedJaxpr({ ...jaxpr, equations, outvars: jaxpr.outvars.map(read) }, program.consts);
}
