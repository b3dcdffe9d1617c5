/**
 * Tells whether the bodies of two scans do the same with different constants, rows and carried
 * values. Called by mergeLoops.ts.
 */
import { avalEquals } from "../ir/aval.js";
import type { Atom, Var } from "../ir/jaxpr.js";
import { atomKey, Numbering, paramKey } from "../ir/keys.js";
import { inputsOf, type Scan } from "./scans.js";

/** The variables of the second body by those of the first; null if the bodies do different things. */
export function pairBodies(a: Scan, b: Scan): ReadonlyMap<Var, Var> | null {
  const [left, right] = [a.body.jaxpr, b.body.jaxpr];
  if (left.equations.length !== right.equations.length) return null;
  const kinds = [inputsOf(a), inputsOf(b)] as const;
  const kindOf = (variable: Var, side: 0 | 1): string => {
    const { consts, carry, rows } = kinds[side];
    if (consts.includes(variable)) return "constant";
    if (rows.includes(variable)) return "row";
    return `carry ${carry.indexOf(variable)}`;
  };
  const pairing = new Map<Var, Var>();
  const taken = new Set<Var>();
  const pair = (x: Var, y: Var): boolean => {
    if (pairing.has(x) || taken.has(y) || !avalEquals(x.aval, y.aval)) return false;
    pairing.set(x, y);
    taken.add(y);
    return true;
  };
  const numbering = new Numbering();
  const agree = (x: Atom | undefined, y: Atom | undefined): boolean => {
    if (x === undefined || y === undefined) return false;
    if (x.kind === "literal" || y.kind === "literal") {
      return x.kind === y.kind && atomKey(x, numbering) === atomKey(y, numbering);
    }
    const known = pairing.get(x);
    if (known !== undefined) return known === y;
    return kindOf(x, 0) === kindOf(y, 1) && pair(x, y);
  };
  const same = left.equations.every((equation, index) => {
    const other = right.equations[index];
    return (
      other?.primitive.name === equation.primitive.name &&
      other.inputs.length === equation.inputs.length &&
      paramKey(equation.params, numbering) === paramKey(other.params, numbering) &&
      equation.inputs.every((atom, place) => agree(atom, other.inputs[place])) &&
      equation.outputs.every((output, place) => {
        const twin = other.outputs[place];
        return twin !== undefined && pair(output, twin);
      })
    );
  });
  const sameResults = left.outvars.every((atom, index) => agree(atom, right.outvars[index]));
  return same && sameResults && pairing.size >= left.invars.length ? pairing : null;
}
