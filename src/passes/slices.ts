/**
 * Slices that together cut an array into pieces (gates of a recurrent cell, query/key/value, the
 * steps of a sequence) become one `split` or `unstack`; pieces put together again one `stack`.
 */
import { concatenate, split, stack, unstack } from "../../primitives/slice.js";
import { dimEquals, hashKey, type Dim } from "../ir/dims.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";
import type { Params } from "../ir/params.js";
import { mapPrograms } from "../ir/cleanup.js";
import { atomKey, Numbering, paramKey } from "../ir/keys.js";

/** A slice with stride 1 along one axis at a known place. */
interface Cut {
  readonly operand: Var;
  readonly axis: number;
  readonly start: number;
  readonly limit: number;
}

/** Reads an equation as a cut; null if it is another equation or a more general slice. */
function asCut(equation: Equation | undefined): Cut | null {
  const [operand] = equation?.inputs ?? [];
  if (equation?.primitive.name !== "slice" || operand?.kind !== "var") return null;
  const starts = equation.params.start_indices as readonly Dim[];
  const limits = equation.params.limit_indices as readonly Dim[];
  const strides = equation.params.strides as readonly number[] | null;
  if (strides?.some((stride) => stride !== 1) ?? false) return null;
  const { shape } = operand.aval;
  const cut = shape.flatMap((size, axis) =>
    starts[axis] === 0 && dimEquals(limits[axis] ?? -1, size) ? [] : [axis],
  );
  const [axis = 0, ...others] = cut;
  const [start, limit] = [starts[axis], limits[axis]];
  if (cut.length !== 1 || others.length > 0) return null;
  if (typeof start !== "number" || typeof limit !== "number") return null;
  return { operand, axis, start, limit };
}

/** Three and more cuts that make up this part of an array count as cutting it up whole. */
const mostOfIt = 0.75;

/** Cuts of one array along one axis, each place once, in order, with what they leave out. */
interface Partition {
  readonly operand: Var;
  readonly axis: number;
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  /** Nothing is left out. */
  readonly isComplete: boolean;
}

function partitionOf(cuts: readonly Cut[]): Partition | null {
  const [first] = cuts;
  if (first === undefined) return null;
  const { operand, axis } = first;
  const total = operand.aval.shape[axis];
  const limits = new Map<number, number>();
  for (const { start, limit } of cuts) {
    if ((limits.get(start) ?? limit) !== limit) return null;
    limits.set(start, limit);
  }
  if (typeof total !== "number" || limits.size < 2) return null;
  const starts: number[] = [];
  const sizes: number[] = [];
  const add = (start: number, limit: number): void => {
    starts.push(start);
    sizes.push(limit - start);
  };
  let [next, covered] = [0, 0];
  for (const [start, limit] of [...limits].sort((a, b) => a[0] - b[0])) {
    if (start < next) return null;
    if (start > next) add(next, start);
    add(start, limit);
    covered += limit - start;
    next = limit;
  }
  if (next < total) add(next, total);
  const isComplete = covered === total;
  if (!isComplete && (limits.size < 3 || covered < mostOfIt * total)) return null;
  return { operand, axis, starts, sizes, isComplete };
}

/** All partitions of a program, by the array and the axis that they cut. */
function partitions(equations: readonly Equation[]): ReadonlyMap<Var, readonly Partition[]> {
  const cuts = new Map<Var, Map<number, Cut[]>>();
  for (const equation of equations) {
    const cut = asCut(equation);
    if (cut === null) continue;
    const byAxis = cuts.get(cut.operand) ?? new Map<number, Cut[]>();
    byAxis.set(cut.axis, [...(byAxis.get(cut.axis) ?? []), cut]);
    cuts.set(cut.operand, byAxis);
  }
  const result = new Map<Var, readonly Partition[]>();
  for (const [operand, byAxis] of cuts) {
    const found = [...byAxis.values()].flatMap((list) => partitionOf(list) ?? []);
    if (found.length > 0) result.set(operand, found);
  }
  return result;
}

/** Joins cuts into splits, after moving elementwise equations from the pieces to the whole. */
export function joinSlices(program: ClosedJaxpr): ClosedJaxpr {
  let current = program;
  for (let round = 0; round < 4; round++) {
    const sunk = sinkSlices(current);
    if (sunk === current) break;
    current = sunk;
  }
  return stackPieces(splitPartitions(current));
}

/** One place of a partition to which an elementwise equation is applied. */
interface Applied {
  readonly equation: Equation;
  readonly cut: Cut;
}

/**
 * `op(x[0:4], y[0:4])`, `op(x[4:8], y[4:8])`, … over a whole partition is one `op(x, y)` whose
 * result is cut instead.
 */
function sinkSlices(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const definitions = new Map<Atom, Equation>();
  for (const equation of jaxpr.equations) {
    for (const output of equation.outputs) definitions.set(output, equation);
  }
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
  const moved = new Map<Equation, { readonly whole: Equation; readonly cut: Cut }>();
  const whole = partitions(jaxpr.equations);
  for (const group of groups.values()) {
    const first = group[0];
    if (first === undefined || !coversEnough(group, whole)) continue;
    const equation = wholeEquation(first, definitions);
    for (const applied of group) moved.set(applied.equation, { whole: equation, cut: applied.cut });
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
): Equation {
  const inputs = equation.inputs.map((atom) => asCut(definitions.get(atom))?.operand ?? atom);
  const outputs = equation.outputs.map((output) =>
    newVar({ ...output.aval, shape: cut.operand.aval.shape }),
  );
  return { ...equation, inputs, outputs };
}

function applyMoves(
  equations: readonly Equation[],
  moved: ReadonlyMap<Equation, { readonly whole: Equation; readonly cut: Cut }>,
): readonly Equation[] {
  const slice = equations.find(({ primitive }) => primitive.name === "slice")?.primitive;
  const emitted = new Set<Equation>();
  return equations.flatMap((equation) => {
    const move = moved.get(equation);
    const result = move?.whole.outputs[0];
    if (move === undefined || result === undefined || slice === undefined) return [equation];
    const params = cutParams(move.cut, result);
    const piece: Equation = { ...equation, primitive: slice, inputs: [result], params };
    if (emitted.has(move.whole)) return [piece];
    emitted.add(move.whole);
    return [move.whole, piece];
  });
}

function cutParams({ axis, start, limit }: Cut, operand: Var): Params {
  const { shape } = operand.aval;
  return {
    start_indices: shape.map((_, index) => (index === axis ? start : 0)),
    limit_indices: shape.map((size, index) => (index === axis ? limit : size)),
    strides: null,
  };
}

/** Replaces the cuts of each partition by one `split`, or `unstack` where pieces lose the axis. */
function splitPartitions(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const found = partitions(jaxpr.equations);
  const pieces = new Map<Partition, readonly Var[]>();
  const renamed = new Map<Atom, Atom>();
  const read = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  const equations: Equation[] = [];
  for (const original of jaxpr.equations) {
    const cut = asCut(original);
    const partition = found
      .get(cut?.operand ?? newVar(original.outputs[0]?.aval ?? emptyAval))
      ?.find(({ axis, starts }) => axis === cut?.axis && starts.includes(cut.start));
    const inputs = original.inputs.map(read);
    if (cut === null || partition === undefined) {
      const params = mapPrograms(original.params, joinSlices);
      equations.push({ ...original, inputs, params });
      continue;
    }
    let outputs = pieces.get(partition);
    if (outputs === undefined) {
      const made = splitEquation(partition, inputs, original);
      equations.push(made);
      outputs = made.outputs;
      pieces.set(partition, outputs);
    }
    const [output] = original.outputs;
    const piece = outputs[partition.starts.indexOf(cut.start)];
    if (output !== undefined && piece !== undefined) renamed.set(output, piece);
  }
  const outvars = jaxpr.outvars.map(read);
  return closedJaxpr({ ...jaxpr, equations, outvars }, program.consts);
}

const emptyAval = { shape: [], dtype: "bool", weakType: false } as const;

function splitEquation(partition: Partition, inputs: readonly Atom[], like: Equation): Equation {
  const { operand, axis, sizes } = partition;
  const outputs = sizes.map((size) =>
    newVar({
      ...operand.aval,
      shape: operand.aval.shape.map((dim, index) => (index === axis ? size : dim)),
    }),
  );
  return { ...like, primitive: erased(split), inputs, outputs, params: { sizes, axis } };
}

/** Where a reshape (or broadcast) drops or adds one dimension of size 1; null for other changes. */
function unitAxis(small: Atom, large: Atom): number | null {
  const [from, to] = [small.aval.shape, large.aval.shape];
  if (to.length !== from.length + 1) return null;
  for (let axis = 0; axis < to.length; axis++) {
    const same = from.every((dim, index) =>
      dimEquals(dim, to[index < axis ? index : index + 1] ?? -1),
    );
    if (to[axis] === 1 && same) return axis;
  }
  return null;
}

/**
 * A split into pieces of size 1 that are all reshaped to lose the axis is an `unstack`; a
 * `concatenate` of pieces that all gained the axis is a `stack`.
 */
function stackPieces(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const definitions = new Map<Atom, Equation>();
  const users = new Map<Atom, Equation[]>();
  for (const equation of jaxpr.equations) {
    for (const output of equation.outputs) definitions.set(output, equation);
    for (const input of equation.inputs) users.set(input, [...(users.get(input) ?? []), equation]);
  }
  const returned = new Set<Atom>(jaxpr.outvars);
  const renamed = new Map<Atom, Atom>();
  const read = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  const equations = jaxpr.equations.flatMap((original): readonly Equation[] => {
    const equation = { ...original, inputs: original.inputs.map(read) };
    if (equation.primitive.name === "split") {
      return [unstacked(equation, users, returned, renamed) ?? equation];
    }
    if (equation.primitive.name === concatenate.name) {
      return [stacked(equation, original, definitions, read) ?? equation];
    }
    const [output] = equation.outputs;
    return output !== undefined && renamed.has(output) ? [] : [equation];
  });
  const outvars = jaxpr.outvars.map(read);
  return closedJaxpr({ ...jaxpr, equations, outvars }, program.consts);
}

function unstacked(
  equation: Equation,
  users: ReadonlyMap<Atom, readonly Equation[]>,
  returned: ReadonlySet<Atom>,
  renamed: Map<Atom, Atom>,
): Equation | null {
  const axis = Number(equation.params.axis);
  const reshapes = equation.outputs.map((piece) => {
    const own = users.get(piece) ?? [];
    const isDropped = own.every(({ primitive, outputs: [output] }) => {
      const drops = primitive.name === "reshape" || primitive.name === "squeeze";
      return drops && output !== undefined && unitAxis(output, piece) === axis;
    });
    return isDropped && !returned.has(piece) ? own : null;
  });
  if (!reshapes.every((own) => own !== null)) return null;
  const outputs = equation.outputs.map((piece, index) => {
    const shape = piece.aval.shape.filter((_, dimension) => dimension !== axis);
    const variable = newVar({ ...piece.aval, shape });
    for (const { outputs: reshaped } of reshapes[index] ?? []) {
      for (const output of reshaped) renamed.set(output, variable);
    }
    return variable;
  });
  return { ...equation, primitive: erased(unstack), outputs, params: { axis } };
}

function stacked(
  equation: Equation,
  original: Equation,
  definitions: ReadonlyMap<Atom, Equation>,
  read: (atom: Atom) => Atom,
): Equation | null {
  const axis = Number(equation.params.dimension);
  if (equation.inputs.length < 2) return null;
  const pieces = original.inputs.map((atom) => {
    const made = definitions.get(atom);
    const [inner] = made?.inputs ?? [];
    const adds = made?.primitive.name === "reshape" || made?.primitive.name === "broadcast_in_dim";
    return adds && inner !== undefined && unitAxis(inner, atom) === axis ? read(inner) : null;
  });
  if (!pieces.every((piece) => piece !== null)) return null;
  return { ...equation, primitive: erased(stack), inputs: pieces, params: { axis } };
}
