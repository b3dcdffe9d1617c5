/**
 * Scans taken apart: body, constants, carried values, scanned arrays. Used by the passes that move
 * work out of loops and put loops together.
 */
import { scan, type ScanParams } from "../../primitives/scan.js";
import { removeUnused } from "../ir/cleanup.js";
import type { HostArray } from "../ir/hostArray.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";

/** A scan whose body has the inputs `consts`, `carry` and one row of each of `rows`, in this order. */
export interface Scan {
  readonly body: ClosedJaxpr;
  readonly consts: readonly Atom[];
  readonly carry: readonly Atom[];
  readonly rows: readonly Atom[];
  readonly length: number;
  /** Carried values, then stacked results. */
  readonly outputs: readonly Var[];
  readonly like: Equation;
}

/** Equations and constants that passes add to a program around its scans. */
export class Surroundings {
  readonly equations: Equation[] = [];
  readonly constvars: Var[] = [];
  readonly consts: HostArray[] = [];

  constant(array: HostArray): Var {
    const known = this.constvars[this.consts.indexOf(array)];
    if (known !== undefined) return known;
    const variable = newVar({ shape: array.shape, dtype: array.dtype, weakType: false });
    this.constvars.push(variable);
    this.consts.push(array);
    return variable;
  }

  /** Copies a program's equations; gives its results. */
  inline({ jaxpr, consts }: ClosedJaxpr, args: readonly Atom[]): readonly Atom[] {
    const values = new Map<Var, Atom>();
    jaxpr.invars.forEach((variable, index) => {
      const arg = args[index];
      if (arg !== undefined) values.set(variable, arg);
    });
    jaxpr.constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array !== undefined) values.set(variable, this.constant(array));
    });
    const read = (atom: Atom): Atom =>
      atom.kind === "literal" ? atom : (values.get(atom) ?? atom);
    for (const equation of jaxpr.equations) {
      const outputs = equation.outputs.map((variable) => {
        const copy = newVar(variable.aval);
        values.set(variable, copy);
        return copy;
      });
      this.equations.push({ ...equation, inputs: equation.inputs.map(read), outputs });
    }
    return jaxpr.outvars.map(read);
  }
}

/** Reads a scan; the constants of its body become constants around it. Null for other equations. */
export function readScan(equation: Equation, around: Surroundings): Scan | null {
  if (equation.primitive.name !== scan.name) return null;
  const params = equation.params as unknown as ScanParams;
  const { jaxpr: body, length, reverse, num_consts, num_carry } = params;
  if (reverse || typeof length !== "number") return null;
  const { inputs, outputs } = equation;
  const lifted = body.consts.map((array) => around.constant(array));
  const invars = [...body.jaxpr.constvars, ...body.jaxpr.invars];
  return withoutUnused({
    body: closedJaxpr({ ...body.jaxpr, constvars: [], invars }, []),
    consts: [...lifted, ...inputs.slice(0, num_consts)],
    carry: inputs.slice(num_consts, num_consts + num_carry),
    rows: inputs.slice(num_consts + num_carry),
    length,
    outputs,
    like: equation,
  });
}

/** The scan without equations, constants and rows that nothing needs. */
export function withoutUnused(loop: Scan): Scan {
  const { jaxpr } = removeUnused(loop.body);
  const used = new Set<Atom>(jaxpr.outvars);
  jaxpr.equations.forEach(({ inputs }) => {
    inputs.forEach((atom) => used.add(atom));
  });
  const { consts, carry, rows } = inputsOf({ ...loop, body: closedJaxpr(jaxpr) });
  const isUsed = ([variable]: readonly [Var, Atom]): boolean => used.has(variable);
  const keptConsts = pairs(consts, loop.consts).filter(isUsed);
  const keptRows = pairs(rows, loop.rows).filter(isUsed);
  const invars = [...keptConsts.map(([own]) => own), ...carry, ...keptRows.map(([own]) => own)];
  return {
    ...loop,
    body: closedJaxpr({ ...jaxpr, invars }),
    consts: keptConsts.map(([, outer]) => outer),
    rows: keptRows.map(([, outer]) => outer),
  };
}

function pairs(own: readonly Var[], outer: readonly Atom[]): readonly (readonly [Var, Atom])[] {
  return own.flatMap((variable, index) => {
    const atom = outer[index];
    return atom === undefined ? [] : [[variable, atom] as const];
  });
}

/** The body's inputs by what they are. */
export function inputsOf({ body, consts, carry }: Scan): {
  readonly consts: readonly Var[];
  readonly carry: readonly Var[];
  readonly rows: readonly Var[];
} {
  const { invars } = body.jaxpr;
  const start = consts.length + carry.length;
  return {
    consts: invars.slice(0, consts.length),
    carry: invars.slice(consts.length, start),
    rows: invars.slice(start),
  };
}

/** The equation that a scan is. */
export function scanEquation(loop: Scan): Equation {
  const { body, consts, carry, rows, length, outputs, like } = loop;
  const inputs = [...consts, ...carry, ...rows];
  const params: ScanParams = {
    reverse: false,
    length,
    jaxpr: body,
    num_consts: consts.length,
    num_carry: carry.length,
    linear: inputs.map(() => false),
    unroll: 1,
  };
  return { ...like, primitive: erased(scan), inputs, outputs, params };
}
