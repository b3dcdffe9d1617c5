/**
 * Moves out of a scan what does not need its carried values: weights put side by side, and products
 * of the scanned rows with weights, which become one product of the whole sequence.
 */
import { batchProgram } from "../transform/index.js";
import { closedJaxpr, newVar, type Atom, type Equation, type Var } from "../ir/jaxpr.js";
import { joinWeights } from "./products.js";
import { inputsOf, withoutUnused, type Scan, type Surroundings } from "./scans.js";

/** On what a value of the body depends: on constants only, on scanned rows, on carried values. */
type Kind = "fixed" | "row" | "state";

/** The scan with less work in its body; what moves out is added to the surroundings. */
export function hoistProducts(loop: Scan, around: Surroundings): Scan {
  const weights = new Set<Atom>(inputsOf(loop).consts);
  const joined: Scan = { ...loop, body: joinWeights(loop.body, { given: weights, minUses: 1 }) };
  const { jaxpr } = joined.body;
  const kinds = kindsOf(joined);
  const kindOf = (atom: Atom): Kind =>
    atom.kind === "literal" ? "fixed" : (kinds.get(atom) ?? "fixed");
  const definitions = new Map<Atom, Equation>();
  for (const equation of jaxpr.equations) {
    for (const output of equation.outputs) definitions.set(output, equation);
  }
  const fixed = jaxpr.equations.filter(
    ({ primitive, inputs, outputs: [output] }) =>
      output !== undefined &&
      kindOf(output) === "fixed" &&
      primitive.name !== "broadcast_in_dim" &&
      inputs.some((atom) => atom.kind === "var"),
  );
  const products = rowProducts(jaxpr.equations, kindOf);
  if (fixed.length === 0 && products.length === 0) return withoutUnused(joined);
  const needed = ancestors([...fixed, ...products], definitions);
  const before = jaxpr.equations.filter((equation) => needed.has(equation));
  return withoutUnused(moved(joined, before, fixed, products, around));
}

function kindsOf(loop: Scan): ReadonlyMap<Var, Kind> {
  const kinds = new Map<Var, Kind>();
  const { consts, carry, rows } = inputsOf(loop);
  for (const variable of consts) kinds.set(variable, "fixed");
  for (const variable of carry) kinds.set(variable, "state");
  for (const variable of rows) kinds.set(variable, "row");
  for (const { inputs, outputs, primitive } of loop.body.jaxpr.equations) {
    const own = inputs.flatMap((atom) => (atom.kind === "var" ? [kinds.get(atom)] : []));
    const isState = own.includes("state") || primitive.traits?.effectful === true;
    const kind = isState ? "state" : own.includes("row") ? "row" : "fixed";
    for (const output of outputs) kinds.set(output, kind);
  }
  return kinds;
}

/** Products of rows, and the sums that add something fixed to them. */
function rowProducts(
  equations: readonly Equation[],
  kindOf: (atom: Atom) => Kind,
): readonly Equation[] {
  const found = new Set<Atom>();
  return equations.filter(({ primitive, inputs, outputs }) => {
    const [output] = outputs;
    if (output === undefined || kindOf(output) !== "row") return false;
    const isProduct = primitive.name === "dot_general";
    const isBiased =
      primitive.name === "add" &&
      inputs.some((atom) => found.has(atom)) &&
      inputs.every((atom) => found.has(atom) || kindOf(atom) === "fixed");
    if (isProduct || isBiased) found.add(output);
    return isProduct || isBiased;
  });
}

/** Equations and all that they depend on. */
function ancestors(
  equations: readonly Equation[],
  definitions: ReadonlyMap<Atom, Equation>,
): ReadonlySet<Equation> {
  const found = new Set<Equation>();
  const pending = [...equations];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const input of next.inputs) {
      const made = definitions.get(input);
      if (made !== undefined) pending.push(made);
    }
  }
  return found;
}

/** Puts `before` in front of the scan; the body gets what `fixed` and `products` give as inputs. */
function moved(
  loop: Scan,
  before: readonly Equation[],
  fixed: readonly Equation[],
  products: readonly Equation[],
  around: Surroundings,
): Scan {
  const { jaxpr } = loop.body;
  const { consts, carry, rows } = inputsOf(loop);
  const fixedResults = fixed.flatMap(({ outputs }) => outputs);
  const rowResults = products.flatMap(({ outputs }) => outputs);
  const prepare = closedJaxpr({
    constvars: [],
    invars: [...consts, ...rows],
    equations: before,
    outvars: [...fixedResults, ...rowResults],
  });
  const dims = [...consts.map(() => null), ...rows.map(() => 0)];
  const wanted = [...fixedResults.map(() => null), ...rowResults.map(() => 0)];
  const { program } = batchProgram(prepare, loop.length, dims, wanted);
  const results = around.inline(program, [...loop.consts, ...loop.rows]);
  const renamed = new Map<Atom, Var>();
  const inner = (variable: Var): Var => {
    const copy = newVar(variable.aval);
    renamed.set(variable, copy);
    return copy;
  };
  const newConsts = fixedResults.map(inner);
  const newRows = rowResults.map(inner);
  const read = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  const gone = new Set([...fixed, ...products]);
  const equations = jaxpr.equations
    .filter((equation) => !gone.has(equation))
    .map((equation) => ({ ...equation, inputs: equation.inputs.map(read) }));
  const invars = [...consts, ...newConsts, ...carry, ...rows, ...newRows];
  return {
    ...loop,
    body: closedJaxpr({ constvars: [], invars, equations, outvars: jaxpr.outvars.map(read) }),
    consts: [...loop.consts, ...results.slice(0, fixedResults.length)],
    rows: [...loop.rows, ...results.slice(fixedResults.length)],
  };
}
