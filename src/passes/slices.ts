/**
 * Slices that together cut an array into pieces (gates of a recurrent cell, query/key/value, the
 * steps of a sequence) become one `split` or `unstack`; pieces put together again one `stack`.
 */
import { concatenate, split, stack, unstack } from "../../primitives/slice.js";
import { dimEquals } from "../ir/dims.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";
import { mapPrograms, removeUnused } from "../ir/cleanup.js";
import { asCut, partitions, type Partition } from "./cuts.js";
import { sinkSlices } from "./sinkSlices.js";
import { usesOf } from "./uses.js";

/** Joins cuts into splits, after moving elementwise equations from the pieces to the whole. */
export function joinSlices(program: ClosedJaxpr): ClosedJaxpr {
  let current = program;
  for (let round = 0; round < 4; round++) {
    const sunk = sinkSlices(current);
    if (sunk === current) break;
    current = removeUnused(sunk);
  }
  return stackPieces(splitPartitions(current));
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

/**
 * Steps of a sequence that are all split in the same way are steps of the parts of the sequence:
 * it is split once.
 */
export function splitSequences(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const { users, returned } = usesOf(jaxpr);
  const gone = new Set<Equation>();
  const equations = jaxpr.equations.flatMap((equation): readonly Equation[] => {
    if (gone.has(equation)) return [];
    const splits = equation.primitive.name === "unstack" ? equalSplits(equation, users) : null;
    const [first] = splits ?? [];
    const [x] = equation.inputs;
    const isReturned = equation.outputs.some((output) => returned.has(output));
    if (splits === null || first === undefined || x === undefined || isReturned) return [equation];
    for (const own of splits) gone.add(own);
    const [steps, inner] = [Number(equation.params.axis), Number(first.params.axis)];
    const axis = inner < steps ? inner : inner + 1;
    const sizes = first.params.sizes as readonly number[];
    const parts = sizes.map((size) =>
      newVar({
        ...x.aval,
        shape: x.aval.shape.map((dim, index) => (index === axis ? size : dim)),
      }),
    );
    return [
      { ...first, inputs: [x], outputs: parts, params: { sizes, axis } },
      ...parts.map((part, index) => ({
        ...equation,
        inputs: [part],
        outputs: splits.flatMap(({ outputs }) => outputs[index] ?? []),
      })),
    ];
  });
  return closedJaxpr({ ...jaxpr, equations }, program.consts);
}

/** The splits of all pieces of an `unstack`, if that is all that is done with them; else null. */
function equalSplits(
  { outputs }: Equation,
  users: ReadonlyMap<Atom, readonly Equation[]>,
): readonly Equation[] | null {
  const splits = outputs.map((piece) => {
    const [user, ...others] = users.get(piece) ?? [];
    return user?.primitive.name === "split" && others.length === 0 ? user : null;
  });
  if (!splits.every((own) => own !== null)) return null;
  const key = ({ params }: Equation): string => JSON.stringify([params.axis, params.sizes]);
  const [first] = splits;
  if (first === undefined || outputs.length <= first.outputs.length) return null;
  return splits.every((own) => key(own) === key(first)) ? splits : null;
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
  const { definitions, users, returned } = usesOf(jaxpr);
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
