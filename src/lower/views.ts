/**
 * Moves reshapes behind elementwise nodes, on the finished graph, where that lets them meet another
 * reshape and go: `Reshape, Log, Reshape` is `Log, Reshape`. Reductions that lose dimensions which a
 * later reshape puts back keep them instead.
 */
import { dimEquals, shapeEquals, type Shape } from "../ir/dims.js";
import type { NodeDef } from "./graph.js";
import { nodeOf, pruneNodes, slotOf } from "./prune.js";

const elementwiseOps: ReadonlySet<string> = new Set(
  (
    "Abs AddV2 Atan2 Ceil Cos Cosh Div Elu Equal Erf Exp Expm1 Floor FloorDiv FloorMod Greater " +
    "GreaterEqual IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogicalAnd LogicalNot " +
    "LogicalOr Maximum Minimum Mul Neg NotEqual Pow RealDiv Reciprocal Relu Relu6 Round Rsqrt " +
    "SelectV2 Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square SquaredDifference Sub Tan Tanh"
  ).split(" "),
);
const reductionOps: ReadonlySet<string> = new Set(["Mean", "Sum", "Max", "Min", "Prod"]);

/** Kernels of the GPU backends choose between tensors of at most this rank. */
const maxRank = 4;

/** Each round may bring reshapes together for the next. */
const maxRounds = 12;

/** Axes of a reduction, if they are constant. */
export type ConstantAxes = (reference: string) => readonly number[] | null;

/** How a node of shape `shape` can be computed in another shape. */
interface Flat {
  readonly shape: Shape;
  /** Group of connected nodes that change together. */
  group: Group;
}

/** Connected nodes that are computed in the other shape together, or not at all. */
class Group {
  parent: Group | null = null;
  /** Nodes that the change saves. */
  gain = 0;
  /** A tensor that holds the old shape: the operand of a reshape that goes. */
  oldShape: string | undefined;
  /** Whether a node outside needs the old shape. */
  needsOldShape = false;
  /** Sources of the reshapes that go; their shapes must not change at the same time. */
  readonly sources = new Set<string>();

  root(): Group {
    return this.parent === null ? this : this.parent.root();
  }

  join(other: Group): void {
    const [own, theirs] = [this.root(), other.root()];
    if (own !== theirs) theirs.parent = own;
  }
}

/** Whether a node reads another as the operand of a reshape alone: it then does not see the shape. */
function reshapes(user: NodeDef, name: string): boolean {
  return user.op === "Reshape" && user.input[0] === name && user.input[1] !== name;
}

/** A graph, and what its nodes could be computed as. */
class Views {
  readonly nodes: ReadonlyMap<string, NodeDef>;
  readonly #users = new Map<string, NodeDef[]>();
  readonly #flat = new Map<string, Flat>();
  readonly #results: ReadonlySet<string>;

  constructor(
    readonly list: readonly NodeDef[],
    results: readonly string[],
    readonly axesOf: ConstantAxes,
  ) {
    this.nodes = new Map(list.map((node) => [node.name, node]));
    this.#results = new Set(results.map(nodeOf));
    for (const node of list) {
      for (const name of new Set(node.input.map(nodeOf))) {
        const users = this.#users.get(name);
        if (users === undefined) this.#users.set(name, [node]);
        else users.push(node);
      }
    }
    for (const node of list) {
      if (this.#results.has(node.name) || node.outputs.length !== 1) continue;
      if (reductionOps.has(node.op)) this.#findReduction(node);
      else if (elementwiseOps.has(node.op)) this.#findElementwise(node);
    }
    for (const node of list) this.#count(node);
  }

  shapeOf(reference: string): Shape | undefined {
    return this.nodes.get(nodeOf(reference))?.outputs[slotOf(reference)]?.shape;
  }

  users(name: string): readonly NodeDef[] {
    return this.#users.get(name) ?? [];
  }

  flat(name: string): Flat | undefined {
    return this.#flat.get(name);
  }

  group(name: string): Group | undefined {
    return this.#flat.get(name)?.group.root();
  }

  #findReduction(node: NodeDef): void {
    const [input, axes] = node.input;
    const shape = input === undefined ? undefined : this.shapeOf(input);
    const reduced = axes === undefined ? null : this.axesOf(axes);
    const keeps = node.attr.keep_dims;
    if (shape === undefined || reduced === null || keeps === undefined) return;
    if (!("b" in keeps) || keeps.b || shape.length > maxRank) return;
    const kept = shape.map((dim, axis) => (reduced.includes(axis) ? 1 : dim));
    this.#flat.set(node.name, { shape: kept, group: new Group() });
  }

  #findElementwise(node: NodeDef): void {
    const shape = node.outputs[0]?.shape ?? [];
    let flat: Shape | null = null;
    let hasVectors = false;
    const joined: Group[] = [];
    for (const reference of node.input) {
      const own = this.shapeOf(reference);
      if (own === undefined) return;
      if (own.length === 0) continue;
      if (!shapeEquals(own, shape)) {
        if (own.length !== 1) return;
        hasVectors = true;
        continue;
      }
      const view = this.viewOf(reference);
      if (view === null || (flat !== null && !shapeEquals(flat, view.shape))) return;
      flat = view.shape;
      if (view.group !== null) joined.push(view.group);
    }
    if (flat === null || flat.length > Math.max(maxRank, shape.length)) return;
    if (hasVectors && !dimEquals(flat.at(-1) ?? 1, shape.at(-1) ?? 1)) return;
    const group = new Group();
    for (const other of joined) group.join(other);
    this.#flat.set(node.name, { shape: flat, group });
  }

  /** What an input is a view of: the operand of a reshape, or a node that changes along. */
  viewOf(reference: string): { readonly shape: Shape; readonly group: Group | null } | null {
    const flat = this.#flat.get(reference);
    if (flat !== undefined) return flat;
    const node = this.nodes.get(reference);
    const [source] = node?.op === "Reshape" ? node.input : [];
    const shape = source === undefined ? undefined : this.shapeOf(source);
    return shape === undefined ? null : { shape, group: null };
  }

  /** Adds what a node means for the groups around it. */
  #count(node: NodeDef): void {
    const group = this.group(node.name);
    if (group !== undefined) {
      const outside = this.users(node.name).some(
        (user) => this.group(user.name) !== group && !reshapes(user, node.name),
      );
      if (outside) {
        group.gain -= 1;
        group.needsOldShape = true;
      }
      return;
    }
    const [source, operand] = node.input;
    const shape = node.outputs[0]?.shape;
    if (node.op !== "Reshape" || source === undefined || shape === undefined) return;
    const groups = new Set(this.users(node.name).map((user) => this.group(user.name)));
    for (const group of groups) {
      if (group === undefined || !this.#showsOldShape(node.name, shape, group)) continue;
      group.oldShape ??= operand;
      group.sources.add(source);
      if (groups.size === 1) group.gain += 1;
    }
    const before = this.group(source);
    if (before !== undefined && shapeEquals(this.#flat.get(source)?.shape ?? [], shape)) {
      before.gain += 1;
    }
  }

  /** Whether a reshaped operand has the shape of a node that reads it: others are broadcast. */
  #showsOldShape(name: string, shape: Shape, group: Group): boolean {
    if (shape.length === 0) return false;
    return this.users(name).some(
      (user) =>
        this.group(user.name) === group &&
        elementwiseOps.has(user.op) &&
        shapeEquals(user.outputs[0]?.shape ?? [], shape),
    );
  }

  /** Groups to change now: worth it, possible, and independent of each other. */
  accepted(): ReadonlySet<Group> {
    const groups = new Set([...this.#flat.keys()].flatMap((name) => this.group(name) ?? []));
    const accepted = new Set<Group>();
    const kept = new Set<Group>();
    for (const group of groups) {
      const isPossible = !group.needsOldShape || group.oldShape !== undefined;
      if (group.gain <= 0 || !isPossible || kept.has(group)) continue;
      const before = [...group.sources].flatMap((source) => this.group(source) ?? []);
      if (before.some((other) => accepted.has(other))) continue;
      for (const other of before) kept.add(other);
      accepted.add(group);
    }
    return accepted;
  }
}

/**
 * Moves reshapes where that makes the graph smaller.
 *
 * @param results references that must keep their names and shapes
 * @param uniqueName a name that no other node has
 */
export function moveViews(
  nodes: readonly NodeDef[],
  results: readonly string[],
  axesOf: ConstantAxes,
  uniqueName: (hint: string) => string,
): readonly NodeDef[] {
  let current = nodes;
  for (let round = 0; round < maxRounds; round++) {
    const views = new Views(current, results, axesOf);
    const accepted = views.accepted();
    if (accepted.size === 0) return current;
    current = pruneNodes(withoutChains(moved(views, accepted, uniqueName), results), results);
  }
  return current;
}

function moved(
  views: Views,
  accepted: ReadonlySet<Group>,
  uniqueName: (hint: string) => string,
): readonly NodeDef[] {
  const changes = (name: string): boolean => {
    const group = views.group(name);
    return group !== undefined && accepted.has(group);
  };
  /** Changed nodes that others read in their old shape. */
  const renamed = new Map<string, string>();
  const read = (reference: string): string => renamed.get(reference) ?? reference;
  /** An operand of a changed node, itself changed or no longer reshaped. */
  const flattened = (reference: string, shape: Shape): string => {
    if (changes(reference)) return reference;
    const node = views.nodes.get(reference);
    const [source] = node?.op === "Reshape" ? node.input : [];
    const own = views.shapeOf(reference) ?? [];
    return source === undefined || own.length === 0 || !shapeEquals(own, shape)
      ? read(reference)
      : source;
  };
  return views.list.flatMap((node): readonly NodeDef[] => {
    const { name, op, outputs } = node;
    const flat = views.flat(name);
    const [output] = outputs;
    if (flat === undefined || output === undefined || !changes(name)) {
      const input = node.input.map((reference, index) =>
        op === "Reshape" && index === 0 ? reference : read(reference),
      );
      return [{ ...node, input }];
    }
    const isReduction = reductionOps.has(op);
    const here: NodeDef = {
      ...node,
      input: node.input.map((from) => (isReduction ? read(from) : flattened(from, output.shape))),
      attr: isReduction ? { ...node.attr, keep_dims: { b: true } } : node.attr,
      outputs: [{ ...output, shape: flat.shape }],
    };
    const needsOld = views
      .users(name)
      .some((user) => views.group(user.name) !== flat.group.root() && !reshapes(user, name));
    const operand = flat.group.root().oldShape;
    if (!needsOld || operand === undefined) return [here];
    const view = uniqueName(`${name}/Reshape`);
    renamed.set(name, view);
    return [here, { name: view, op: "Reshape", input: [name, operand], attr: {}, outputs }];
  });
}

/** A reshape of a reshape is one; a reshape to the shape that there is already is none. */
function withoutChains(nodes: readonly NodeDef[], results: readonly string[]): readonly NodeDef[] {
  const kept = new Set(results.map(nodeOf));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const renamed = new Map<string, string>();
  return nodes.map((original): NodeDef => {
    const input = original.input.map((reference) => renamed.get(reference) ?? reference);
    const [source, ...operands] = input;
    if (original.op !== "Reshape" || source === undefined) return { ...original, input };
    const inner = byName.get(source);
    const from = inner?.op === "Reshape" ? (inner.input[0] ?? source) : source;
    const node = { ...original, input: [from, ...operands] };
    byName.set(node.name, node);
    const before = byName.get(nodeOf(from))?.outputs[slotOf(from)]?.shape;
    const after = original.outputs[0]?.shape;
    const isSame = before !== undefined && after !== undefined && shapeEquals(before, after);
    if (isSame && !kept.has(node.name)) renamed.set(node.name, from);
    return node;
  });
}
