/**
 * Moves elementwise equations from the pieces of an array to the array itself, or to the part of it
 * that neighbouring pieces make up: one node for all gates of a recurrent cell.
 */
import { slice } from "../../primitives/slice.js";
import { hashKey } from "../ir/dims.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import { atomKey, Numbering, paramKey } from "../ir/keys.js";
import { erased } from "../ir/primitive.js";
import { asCut, cutParams, partitionOf, partitions, type Cut, type Partition } from "./cuts.js";
import { usesOf, type Uses } from "./uses.js";

/** One place of a partition to which an elementwise equation is applied. */
interface Applied {
  readonly equation: Equation;
  readonly cut: Cut;
}

/** An equation on a whole array, or on the part of it from `start` to `limit`. */
interface Whole {
  readonly equations: readonly Equation[];
  readonly result: Var;
  readonly start: number;
}

/**
 * `op(x[0:4], y[0:4])`, `op(x[4:8], y[4:8])`, … over a whole partition, or over neighbouring pieces
 * that nothing else uses, is one `op(x, y)` whose result is cut instead.
 */
export function sinkSlices(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const context = usesOf(jaxpr);
  const { definitions } = context;
  const groups = new Map<string, Applied[]>();
  const numbering = new Numbering();
  for (const equation of jaxpr.equations) {
    const applied = appliedToCuts(equation, definitions);
    if (applied === null) continue;
    const operands = equation.inputs.map((atom) => {
      const cut = asCut(definitions.get(atom));
      return cut === null ? atomKey(atom, numbering) : `#${atomKey(cut.operand, numbering)}`;
    });
    const params = paramKey(equation.params, numbering);
    const key = `${equation.primitive.name}${params} ${applied.cut.axis} ${operands.join(" ")}`;
    groups.set(key, [...(groups.get(key) ?? []), applied]);
  }
  const moved = new Map<Equation, { readonly whole: Whole; readonly cut: Cut }>();
  const whole = partitions(jaxpr.equations);
  for (const group of groups.values()) {
    const first = group[0];
    if (first === undefined) continue;
    const made =
      neighbours(group, context) ??
      (coversEnough(group, whole) ? wholeEquation(first, definitions) : null);
    if (made === null) continue;
    for (const applied of group) moved.set(applied.equation, { whole: made, cut: applied.cut });
  }
  if (moved.size === 0) return program;
  return closedJaxpr({ ...jaxpr, equations: applyMoves(jaxpr.equations, moved) }, program.consts);
}

/**
 * Whether applying the equation to the whole array is worth it: to all of its pieces, or to most of
 * them (three of a recurrent cell's four gates are logistic) where the rest is computed anyway.
 */
function coversEnough(
  group: readonly Applied[],
  whole: ReadonlyMap<Var, readonly Partition[]>,
): boolean {
  const partition = partitionOf(group.map(({ cut }) => cut));
  if (partition === null || partition.isComplete) return partition !== null;
  const { operand, axis } = partition;
  return whole.get(operand)?.some((other) => other.axis === axis && other.isComplete) ?? false;
}

/**
 * The equation on the part of the arrays that the pieces of a group make up, where the pieces lie
 * side by side, serve nothing else, and are more than two, or another equation follows on both: else
 * a node for the equation would only be exchanged for one that cuts its result.
 */
function neighbours(group: readonly Applied[], context: Uses): Whole | null {
  const [first] = group;
  const isWhole = partitionOf(group.map(({ cut }) => cut))?.isComplete ?? false;
  if (first === undefined || group.length < 2 || isWhole) return null;
  const ordered = group.toSorted((a, b) => a.cut.start - b.cut.start);
  const isRow = ordered.every(
    ({ cut }, index) => index === 0 || cut.start === ordered[index - 1]?.cut.limit,
  );
  const own = new Set(group.map(({ equation }) => equation));
  const servesOnly = (piece: Atom): boolean =>
    !context.returned.has(piece) && (context.users.get(piece) ?? []).every((user) => own.has(user));
  const pieces = group.flatMap(({ equation }) =>
    equation.inputs.filter((atom) => atom.aval.shape.length > 0),
  );
  const isWorth = group.length > 2 || isFollowed(group, context);
  if (!isRow || !pieces.every(servesOnly) || !isWorth) return null;
  const [start, limit] = [ordered[0]?.cut.start ?? 0, ordered.at(-1)?.cut.limit ?? 0];
  const cuts: Equation[] = [];
  const inputs = first.equation.inputs.map((atom): Atom => {
    const cut = asCut(context.definitions.get(atom));
    if (cut === null) return atom;
    const part: Cut = { ...cut, start, limit };
    const output = newVar(cutAval(part));
    cuts.push({
      ...first.equation,
      primitive: erased(slice),
      inputs: [cut.operand],
      outputs: [output],
      params: cutParams(part, cut.operand),
    });
    return output;
  });
  const outputs = first.equation.outputs.map((output) =>
    newVar({ ...output.aval, shape: cutAval({ ...first.cut, start, limit }).shape }),
  );
  const [result] = outputs;
  if (result === undefined) return null;
  return { equations: [...cuts, { ...first.equation, inputs, outputs }], result, start };
}

function cutAval({ operand, axis, start, limit }: Cut): Var["aval"] {
  const shape = operand.aval.shape.map((dim, index) => (index === axis ? limit - start : dim));
  return { ...operand.aval, shape };
}

/** Whether the same elementwise equation follows on the result for each piece. */
function isFollowed(group: readonly Applied[], { users }: Uses): boolean {
  const next = group.map(({ equation }) => {
    const [user, ...others] = equation.outputs.flatMap((output) => users.get(output) ?? []);
    const isAlone = user?.inputs.filter((atom) => atom.aval.shape.length > 0).length === 1;
    const isSimple = user?.primitive.traits?.elementwise === true && isAlone;
    return others.length === 0 && isSimple ? user.primitive.name : null;
  });
  return next[0] !== null && next.every((name) => name === next[0]);
}

/** The cut that all non-scalar inputs of an elementwise equation share, of arrays of one shape. */
function appliedToCuts(
  equation: Equation,
  definitions: ReadonlyMap<Atom, Equation>,
): Applied | null {
  if (equation.primitive.traits?.elementwise !== true || equation.outputs.length !== 1) return null;
  let shared: Cut | null = null;
  for (const atom of equation.inputs) {
    if (atom.aval.shape.length === 0) continue;
    const cut = asCut(definitions.get(atom));
    if (cut === null) return null;
    if (shared !== null && !sameCut(shared, cut)) return null;
    shared ??= cut;
  }
  return shared === null ? null : { equation, cut: shared };
}

function sameCut(a: Cut, b: Cut): boolean {
  const shapeKey = (cut: Cut): string => cut.operand.aval.shape.map(hashKey).join();
  return (
    a.axis === b.axis && a.start === b.start && a.limit === b.limit && shapeKey(a) === shapeKey(b)
  );
}

function wholeEquation(
  { equation, cut }: Applied,
  definitions: ReadonlyMap<Atom, Equation>,
): Whole | null {
  const inputs = equation.inputs.map((atom) => asCut(definitions.get(atom))?.operand ?? atom);
  const outputs = equation.outputs.map((output) =>
    newVar({ ...output.aval, shape: cut.operand.aval.shape }),
  );
  const [result] = outputs;
  if (result === undefined) return null;
  return { equations: [{ ...equation, inputs, outputs }], result, start: 0 };
}

function applyMoves(
  equations: readonly Equation[],
  moved: ReadonlyMap<Equation, { readonly whole: Whole; readonly cut: Cut }>,
): readonly Equation[] {
  const emitted = new Set<Whole>();
  return equations.flatMap((equation) => {
    const move = moved.get(equation);
    if (move === undefined) return [equation];
    const { whole, cut } = move;
    const own = { ...cut, start: cut.start - whole.start, limit: cut.limit - whole.start };
    const params = cutParams(own, whole.result);
    const piece = { ...equation, primitive: erased(slice), inputs: [whole.result], params };
    if (emitted.has(whole)) return [piece];
    emitted.add(whole);
    return [...whole.equations, piece];
  });
}
