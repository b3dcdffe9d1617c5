/**
 * Loops that count become `scan` again: exports hold every scan and every `fori_loop` as a `while`,
 * which has no reverse derivative. Called before a program is differentiated.
 */
import { scan } from "../../primitives/scan.js";
import { JaxprBuilder } from "../ir/builder.js";
import { inlineCalls, removeUnused } from "../ir/cleanup.js";
import { fromNumbers } from "../ir/hostArray.js";
import {
  closedJaxpr,
  isClosedJaxpr,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import { createOps } from "../lax/ops.js";
import { evaluateOnHost, foldConstants, scalarOf } from "./fold.js";
import { rewriteProgram, type Match, type Row } from "./rewrite.js";

/** Longer loops stay as they are: the order in which they read is looked at step by step. */
const maxTrips = 20000;

/** Loops with a known number of trips as scans, inner ones first; calls are inlined. */
export function raiseLoops(program: ClosedJaxpr): ClosedJaxpr {
  return removeUnused(rewriteProgram(inlineCalls(program), [foldConstants, raiseLoop]));
}

/** A loop that counts from `start` to `limit` in steps of one. */
interface Counted {
  readonly body: ClosedJaxpr;
  /** Values from outside: of the body's constants, then of the carried values. */
  readonly outer: readonly Value[];
  readonly constCount: number;
  /** Place of the counter among the carried values. */
  readonly counter: number;
  readonly start: number;
  readonly trips: number;
}

const raiseLoop: Row = {
  name: "raise-loop",
  primitives: ["while"],
  rewrite: (o, equation, match) => {
    const loop = asCounted(equation, match);
    if (loop === null) return null;
    return loop.trips === 0 ? loop.outer.slice(loop.constCount) : raised(o, loop);
  },
};

function knownInteger(value: Value | undefined, match: Match): number | null {
  if (value === undefined || value.aval.shape.length > 0) return null;
  const array = match.constant(value);
  const scalar = array === undefined ? match.scalar(value) : scalarOf(array);
  if (typeof scalar === "bigint") return Number(scalar);
  return typeof scalar === "number" && Number.isInteger(scalar) ? scalar : null;
}

function asCounted(equation: Equation, match: Match): Counted | null {
  const { cond_jaxpr: test, body_jaxpr: step, cond_nconsts, body_nconsts } = equation.params;
  if (!isClosedJaxpr(test) || !isClosedJaxpr(step)) return null;
  const [testCount, constCount] = [Number(cond_nconsts), Number(body_nconsts)];
  const condition = removeUnused(test).jaxpr;
  const body = removeUnused(step);
  const [comparison, ...others] = condition.equations;
  if (comparison?.primitive.name !== "lt" || others.length > 0) return null;
  if (condition.outvars[0] !== comparison.outputs[0]) return null;
  const [left, right] = comparison.inputs;
  const place = (atom: Atom | undefined): number =>
    condition.invars.findIndex((variable) => variable === atom);
  const counter = place(left) - testCount;
  if (counter < 0 || right === undefined) return null;
  const carryStart = testCount + constCount;
  const valueAt = (index: number): Value | undefined =>
    equation.inputs[index < testCount ? index : index + constCount];
  const limitPlace = place(right);
  const passesLimit =
    limitPlace < testCount ||
    body.jaxpr.outvars[limitPlace - testCount] ===
      body.jaxpr.invars[limitPlace - testCount + constCount];
  const limit = limitPlace < 0 ? right : passesLimit ? valueAt(limitPlace) : undefined;
  const end = knownInteger(limit, match);
  const start = knownInteger(equation.inputs[carryStart + counter], match);
  const trips = end === null || start === null ? -1 : Math.max(0, end - start);
  if (start === null || trips < 0 || trips > maxTrips) return null;
  if (!countsUp(body, constCount + counter, counter)) return null;
  return { body, outer: equation.inputs.slice(testCount), constCount, counter, start, trips };
}

/** True if the body adds one to the counter. */
function countsUp({ jaxpr }: ClosedJaxpr, input: number, output: number): boolean {
  const next = jaxpr.outvars[output];
  const made = jaxpr.equations.find(({ outputs }) => outputs.some((variable) => variable === next));
  if (made?.primitive.name !== "add") return false;
  const others = made.inputs.filter((atom) => atom !== jaxpr.invars[input]);
  const [one] = others;
  return others.length === 1 && one?.kind === "literal" && Number(one.value) === 1;
}

/** Rows of an array that are read or written one after the other. */
interface Rows {
  readonly equation: Equation;
  /** The body's input that is read from, or written to. */
  readonly array: Var;
  readonly first: number;
  readonly isReversed: boolean;
}

/** The scan that a counting loop is. */
function raised(o: Ops, loop: Counted): readonly Value[] {
  const { body, outer, constCount, counter, start, trips } = loop;
  const { invars, outvars } = body.jaxpr;
  const carried = invars.slice(constCount);
  const isPassed = (index: number): boolean => outvars[index] === carried[index];
  const fixed = new Set<Var>([
    ...invars.slice(0, constCount),
    ...carried.filter((_, index) => isPassed(index)),
  ]);
  const { reads, writes } = rowAccesses(loop, fixed);
  const written = new Map(writes.map((rows) => [rows.array, rows]));
  const kept = carried.filter(
    (variable, index) => index !== counter && !isPassed(index) && !written.has(variable),
  );
  const outerOf = (variable: Var): Value => {
    const value = outer[invars.indexOf(variable)];
    if (value === undefined) throw new Error("internal error: input of a loop without value");
    return value;
  };
  const counts = countingRows(o, invars[constCount + counter], start, trips);
  const step = scanBody(loop, [...fixed], kept, reads, writes);
  const isUsed = usedInputs(step);
  const used = [...fixed].filter((_, index) => isUsed(index));
  const invarsLeft = step.jaxpr.invars.filter((_, index) => index >= fixed.size || isUsed(index));
  const results = o.bind(
    scan,
    [
      ...used.map(outerOf),
      ...kept.map(outerOf),
      ...counts,
      ...reads.map((rows) => readRows(o, outerOf(rows.array), rows, trips)),
    ],
    {
      reverse: false,
      length: trips,
      jaxpr: closedJaxpr({ ...step.jaxpr, invars: invarsLeft }, step.consts),
      num_consts: used.length,
      num_carry: kept.length,
      linear: [...used, ...kept, ...counts, ...reads].map(() => false),
      unroll: 1,
    },
  );
  return carried.map((variable, index): Value => {
    if (index === counter) return o.literal(start + trips, variable.aval.dtype);
    if (isPassed(index)) return outerOf(variable);
    const rows = written.get(variable);
    if (rows === undefined) return results[kept.indexOf(variable)] ?? variable;
    const stacked = results[kept.length + writes.indexOf(rows)];
    return stacked === undefined ? variable : writeRows(o, outerOf(variable), stacked, rows, trips);
  });
}

/** Tells which inputs of a program have any effect. */
function usedInputs({ jaxpr }: ClosedJaxpr): (index: number) => boolean {
  const used = new Set<Atom | undefined>(jaxpr.outvars);
  jaxpr.equations.forEach(({ inputs }) => {
    inputs.forEach((atom) => used.add(atom));
  });
  return (index) => used.has(jaxpr.invars[index]);
}

/** The values of the counter, as an array. */
function countingRows(
  o: Ops,
  counter: Var | undefined,
  start: number,
  trips: number,
): readonly Value[] {
  if (counter === undefined) return [];
  const { dtype } = counter.aval;
  const counts = o.iota(dtype, [trips], 0);
  return [start === 0 ? counts : o.add(counts, o.literal(start, dtype))];
}

function readRows(o: Ops, array: Value, { first, isReversed }: Rows, trips: number): Value {
  const { shape } = array.aval;
  const zeros = shape.slice(1).map(() => 0);
  const low = isReversed ? first - trips + 1 : first;
  const part =
    low === 0 && shape[0] === trips
      ? array
      : o.slice(array, [low, ...zeros], [low + trips, ...shape.slice(1)]);
  return isReversed ? o.rev(part, [0]) : part;
}

function writeRows(o: Ops, array: Value, stacked: Value, rows: Rows, trips: number): Value {
  const { shape } = array.aval;
  const ordered = rows.isReversed ? o.rev(stacked, [0]) : stacked;
  if (shape[0] === trips) return ordered;
  const low = rows.isReversed ? rows.first - trips + 1 : rows.first;
  const starts = shape.map((_, axis) => o.literal(axis === 0 ? low : 0, "int32"));
  return o.dynamicUpdateSlice(array, ordered, starts);
}

/** The body on rows instead of arrays and places in them. */
function scanBody(
  { body, constCount, counter }: Counted,
  fixed: readonly Var[],
  kept: readonly Var[],
  reads: readonly Rows[],
  writes: readonly Rows[],
): ClosedJaxpr {
  const { jaxpr, consts } = body;
  const builder = new JaxprBuilder();
  const o = createOps({
    bind: (primitive, inputs, params) => builder.bind(primitive, inputs, params),
    constant: (array) => builder.constant(array),
  });
  const values = new Map<Var, Atom>();
  const count = jaxpr.invars[constCount + counter];
  for (const variable of [...fixed, ...kept, ...(count === undefined ? [] : [count])]) {
    values.set(variable, builder.input(variable.aval));
  }
  const rowInputs = reads.map(({ array }) =>
    builder.input({ ...array.aval, shape: array.aval.shape.slice(1) }),
  );
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, builder.constant(array));
  });
  const read = (atom: Atom): Atom => (atom.kind === "literal" ? atom : (values.get(atom) ?? atom));
  const skipped = new Set(writes.map(({ equation }) => equation));
  for (const equation of jaxpr.equations) {
    if (skipped.has(equation)) continue;
    builder.source = equation.source;
    const row = rowInputs[reads.findIndex((rows) => rows.equation === equation)];
    const [output] = equation.outputs;
    if (row !== undefined && output !== undefined) {
      values.set(output, o.reshape(row, output.aval.shape) as Atom);
      continue;
    }
    builder.push({ ...equation, inputs: equation.inputs.map(read) });
  }
  const next = kept.map((variable) => {
    const output = jaxpr.outvars[jaxpr.invars.indexOf(variable) - constCount];
    return output === undefined ? variable : read(output);
  });
  const stacked = writes.flatMap(({ equation: { inputs }, array }) => {
    const update = inputs[1];
    return update === undefined ? [] : [o.reshape(read(update), array.aval.shape.slice(1))];
  });
  return removeUnused(builder.build([...next, ...stacked]));
}

/** Which arrays are read and written row by row. */
function rowAccesses(
  loop: Counted,
  fixed: ReadonlySet<Var>,
): { readonly reads: readonly Rows[]; readonly writes: readonly Rows[] } {
  const { jaxpr } = loop.body;
  const carried = jaxpr.invars.slice(loop.constCount);
  const candidates = jaxpr.equations.filter((equation) => {
    const [array, update] = equation.inputs;
    if (array?.kind !== "var" || typeof array.aval.shape[0] !== "number") return false;
    const { name } = equation.primitive;
    if (name === "dynamic_slice") {
      const sizes = equation.outputs[0]?.aval.shape ?? [];
      return fixed.has(array) && isOneRow(sizes, array);
    }
    if (name !== "dynamic_update_slice" || update === undefined) return false;
    const index = carried.indexOf(array);
    if (index < 0 || jaxpr.outvars[index] !== equation.outputs[0]) return false;
    return isOneRow(update.aval.shape, array) && isUsedOnce(loop.body, array, equation);
  });
  const all = placesOf(loop, candidates);
  const isRead = ({ equation }: Rows): boolean => equation.primitive.name === "dynamic_slice";
  return { reads: all.filter(isRead), writes: all.filter((rows) => !isRead(rows)) };
}

/** Sizes of one whole row of an array. */
function isOneRow(sizes: readonly unknown[], { aval: { shape } }: Var): boolean {
  return sizes[0] === 1 && sizes.slice(1).every((size, axis) => size === shape[axis + 1]);
}

/** True if nothing but one equation sees a value, and nothing else but the loop its result. */
function isUsedOnce({ jaxpr }: ClosedJaxpr, array: Var, user: Equation): boolean {
  const uses = (atom: Atom | undefined): number =>
    jaxpr.equations.flatMap(({ inputs }) => inputs).filter((input) => input === atom).length +
    jaxpr.outvars.filter((output) => output === atom).length;
  return uses(array) === 1 && uses(user.outputs[0]) === 1;
}

/** Looks at where each candidate reads or writes in every step; keeps those that go row by row. */
function placesOf(
  { body, constCount, counter, start, trips }: Counted,
  candidates: readonly Equation[],
): readonly Rows[] {
  const startsOf = (equation: Equation): readonly Atom[] =>
    equation.inputs.slice(equation.primitive.name === "dynamic_slice" ? 1 : 2);
  const outvars = candidates.flatMap((equation) => startsOf(equation));
  const program = removeUnused(closedJaxpr({ ...body.jaxpr, outvars }, body.consts));
  const dtype = body.jaxpr.invars[constCount + counter]?.aval.dtype ?? "int32";
  const steps = Array.from({ length: candidates.length === 0 ? 0 : trips }, (_, step) => {
    const args = body.jaxpr.invars.map((_variable, index) =>
      index === constCount + counter ? fromNumbers(dtype, [], [start + step]) : null,
    );
    return evaluateOnHost(program, args).map((array) =>
      array === null ? null : Number(scalarOf(array)),
    );
  });
  let next = 0;
  return candidates.flatMap((equation): readonly Rows[] => {
    const from = next;
    next += startsOf(equation).length;
    const [array] = equation.inputs;
    if (array?.kind !== "var") return [];
    const rows = steps.map((places) => places[from]);
    const others = steps.every((places) => places.slice(from + 1, next).every((at) => at === 0));
    const first = rows[0] ?? null;
    const size = Number(array.aval.shape[0]);
    if (first === null || !others) return [];
    for (const isReversed of [false, true]) {
      const follows = rows.every((at, step) => at === (isReversed ? first - step : first + step));
      const last = isReversed ? first - trips + 1 : first + trips - 1;
      const isInside = Math.min(first, last) >= 0 && Math.max(first, last) < size;
      if (follows && isInside) return [{ equation, array, first, isReversed }];
    }
    return [];
  });
}
