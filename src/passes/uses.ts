/**
 * Who makes and who uses the values of a program: what passes look up that see several equations.
 */
import type { Atom, Equation, Jaxpr } from "../ir/jaxpr.js";

export interface Uses {
  readonly definitions: ReadonlyMap<Atom, Equation>;
  /** In the order of the program; an equation that uses a value twice is there twice. */
  readonly users: ReadonlyMap<Atom, readonly Equation[]>;
  readonly returned: ReadonlySet<Atom>;
}

export function usesOf({ equations, outvars }: Jaxpr): Uses {
  const definitions = new Map<Atom, Equation>();
  const users = new Map<Atom, Equation[]>();
  for (const equation of equations) {
    for (const output of equation.outputs) definitions.set(output, equation);
    for (const input of equation.inputs) {
      const known = users.get(input);
      if (known === undefined) users.set(input, [equation]);
      else known.push(equation);
    }
  }
  return { definitions, users, returned: new Set<Atom>(outvars) };
}
