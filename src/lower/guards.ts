/**
 * Nodes that make a graph fail, rather than give numbers, for inputs whose sizes do not fit the
 * symbolic shapes: TensorFlow.js has no assert op, but a Reshape to another number of elements and a
 * SplitV to another size fail on every backend. Called by lowerProgram on the finished nodes.
 *
 * The first input size that is a variable alone tells its value; all other symbolic sizes and the
 * constraints are checked. A model with only a symbolic batch in one input needs no guard.
 */
import {
  isSymbolic,
  negDim,
  shapeEquals,
  variablesOf,
  type Dim,
  type DimExpr,
  type SymbolicScope,
} from "../ir/dims.js";
import type { Tensor, Tf } from "../ir/tf.js";
import type { GraphCore } from "./core.js";
import type { NodeDef } from "./graph.js";
import { nodeOf } from "./prune.js";

/** The variable that a size consists of. */
export function plainVariable(dim: DimExpr): string | undefined {
  const [term, ...others] = dim.terms;
  if (term === undefined || others.length > 0 || term[1] !== 1) return undefined;
  const [factor, ...more] = term[0].factors;
  if (factor === undefined || more.length > 0 || factor[1] !== 1) return undefined;
  return factor[0].kind === "variable" ? factor[0].name : undefined;
}

/** An input with the axes whose sizes must be checked. */
interface Checked {
  readonly input: Tensor;
  readonly axes: readonly number[];
}

function checkedInputs(inputs: readonly Tensor[]): readonly Checked[] {
  const known = new Set<string>();
  return inputs.map((input) => ({
    input,
    axes: input.shape.flatMap((dim, axis) => {
      if (!isSymbolic(dim)) return [];
      const name = plainVariable(dim);
      if (name === undefined || known.has(name)) return [axis];
      known.add(name);
      return [];
    }),
  }));
}

/** Negative constraints times this are below any size. */
const steep = 2 ** 22;

/**
 * Adds guards for the sizes of inputs.
 *
 * @param inputs the placeholders with symbolic sizes, in order
 * @param nodes the finished nodes of the main graph
 */
export function guardShapes(
  core: GraphCore,
  tf: Tf,
  inputs: readonly Tensor[],
  nodes: readonly NodeDef[],
): readonly NodeDef[] {
  const guards = new Guards(core, tf, nodes);
  const checked = checkedInputs(inputs);
  const unchecked = checked.filter(({ axes }) => axes.length === 0).map(({ input }) => input);
  // Sizes must not be read from the very tensors that are checked.
  core.sizedInputs.splice(0, core.sizedInputs.length, ...unchecked);
  const names = new Set(checked.flatMap(({ input, axes }) => (axes.length > 0 ? input.node : [])));
  for (const { input, axes } of checked) {
    const [axis, ...others] = axes;
    if (axis === undefined || !guards.isUsed(input)) continue;
    if (others.length > 0 || !guards.reshape(input, names)) guards.splitEach(input, axes);
  }
  const [first] = inputs;
  if (first !== undefined) {
    const shapes = inputs.flatMap(({ shape }) => shape);
    guards.constrain(first, new Set(shapes.flatMap(variablesOf)));
  }
  return guards.finish();
}

class Guards {
  readonly #replaced = new Map<string, Tensor>();
  /** The real parts of complex inputs that no node reads part by part. */
  readonly #complexParts = new Map<string, Tensor>();
  /** Nodes that read the inputs themselves. */
  readonly #own = new Set<string>();

  constructor(
    readonly core: GraphCore,
    readonly tf: Tf,
    readonly nodes: readonly NodeDef[],
  ) {}

  isUsed(input: Tensor): boolean {
    return this.nodes.some((node) => node.input.includes(input.node));
  }

  /** The input as far as it has been checked. */
  #current(input: Tensor): Tensor {
    return this.#replaced.get(input.node) ?? input;
  }

  #replace(input: Tensor, guard: Tensor): void {
    this.#replaced.set(input.node, guard);
    this.#own.add(guard.node);
  }

  /**
   * One size is checked by the number of elements, where a tensor tells the whole shape: to put one
   * together would take more nodes than a split.
   */
  reshape(input: Tensor, checked: ReadonlySet<string>): boolean {
    const { dtype, shape } = input;
    const sizes = this.#shapeOfEqual(input, checked);
    if (sizes === null) return false;
    const guard = this.core.emitOne("Reshape", [this.#current(input), sizes], {}, { dtype, shape });
    this.#replace(input, guard);
    return true;
  }

  /** The shape of a tensor that has the sizes of the input and is made from unchecked inputs. */
  #shapeOfEqual(input: Tensor, checked: ReadonlySet<string>): Tensor | null {
    const depends = new Set(checked);
    for (const node of this.nodes) {
      if (node.input.some((name) => depends.has(nodeOf(name)))) depends.add(node.name);
    }
    const found = this.nodes.find(
      ({ name, op, outputs }) =>
        !depends.has(name) &&
        op !== "Placeholder" &&
        shapeEquals(outputs[0]?.shape ?? [], input.shape),
    );
    const output = found?.outputs[0];
    if (found === undefined || output === undefined) return null;
    const tensor: Tensor = { kind: "tensor", node: found.name, slot: 0, value: null, ...output };
    const rank = output.shape.length;
    return this.core.emitOne("Shape", [tensor], {}, { dtype: "int32", shape: [rank] });
  }

  /** Several sizes are checked one by one: their product may be right by chance. */
  splitEach(input: Tensor, axes: readonly number[]): void {
    for (const axis of axes) this.#split(input, axis, this.tf.dim(input.shape[axis] ?? 0));
  }

  #split(input: Tensor, axis: number, size: Tensor): void {
    const part = this.#splittable(input);
    const { dtype, shape } = part;
    const sizes = this.tf.reshape(size, [1]);
    const place = this.core.numbers([axis], "int32", []);
    const inputs = [this.#current(part), sizes, place];
    this.#replace(part, this.core.emitOne("SplitV", inputs, {}, { dtype, shape }));
  }

  /** Complex tensors cannot be split everywhere: the node that takes their real part is checked. */
  #splittable(input: Tensor): Tensor {
    if (input.dtype !== "complex64") return input;
    const reader = this.nodes.find(
      (node) => node.input.includes(input.node) && (node.op === "Real" || node.op === "Imag"),
    );
    const output = reader?.outputs[0];
    if (reader !== undefined && output !== undefined) {
      return { kind: "tensor", node: reader.name, slot: 0, value: null, ...output };
    }
    const known = this.#complexParts.get(input.node);
    if (known !== undefined) return known;
    const { shape } = input;
    const part = (op: "Real" | "Imag"): Tensor =>
      this.core.emitCopy(op, [this.#current(input)], {}, { dtype: "float32", shape });
    const [re, im] = [part("Real"), part("Imag")];
    for (const { node } of [re, im]) this.#own.add(node);
    const whole = this.core.emitOne("Complex", [re, im], {}, { dtype: "complex64", shape });
    this.#replaced.set(input.node, whole);
    this.#complexParts.set(input.node, re);
    return re;
  }

  /** Makes a size of the input wrong where a constraint does not hold. */
  constrain(input: Tensor, variables: ReadonlySet<string>): void {
    const axis = input.shape.findIndex(isSymbolic);
    const dim = input.shape[axis];
    if (dim === undefined || !isSymbolic(dim) || !this.isUsed(input)) return;
    const zero = this.core.numbers([0], "int32", []);
    const differences = constraintsOf(dim.scope, variables);
    if (differences.length === 0) return;
    const least = differences.reduce<Tensor>(
      (smallest, difference) => this.tf.binary("Minimum", smallest, this.tf.dim(difference)),
      zero,
    );
    const wrong = this.tf.binary("Mul", least, this.core.numbers([steep], "int32", []));
    this.#split(input, axis, this.tf.binary("AddV2", this.tf.dim(dim), wrong));
  }

  /** The nodes, reading checked inputs, in an order in which each comes after what it reads. */
  finish(): readonly NodeDef[] {
    if (this.#replaced.size === 0) return this.nodes;
    const known = new Set(this.nodes.map(({ name }) => name));
    const added = this.core.main.nodes.filter(({ name }) => !known.has(name));
    const all = new Map([...this.nodes, ...added].map((node) => [node.name, node]));
    const own = this.#sizeNodes(all);
    const rewired = new Map(
      [...all].map(([name, node]) => {
        if (own.has(name)) return [name, node] as const;
        const input = node.input.map((read) => this.#replaced.get(read)?.node ?? read);
        return [name, { ...node, input }] as const;
      }),
    );
    return inOrder(rewired, [...known]);
  }

  /** The guards and what computes their sizes from shapes of inputs. */
  #sizeNodes(all: ReadonlyMap<string, NodeDef>): ReadonlySet<string> {
    const shapes = [...all.values()].filter(({ op }) => op === "Shape").map(({ name }) => name);
    return new Set([...this.#own, ...shapes]);
  }
}

/**
 * What must not be negative for the constraints of a scope to hold. Where an equality has replaced a
 * variable in all shapes, they say already what it says.
 */
function constraintsOf(scope: SymbolicScope, variables: ReadonlySet<string>): readonly Dim[] {
  return scope.constraints.flatMap(({ comparator, difference, text }) => {
    const isKnown = variablesOf(difference).every((name) => variables.has(name));
    if (!isSymbolic(difference) || !isKnown || !scope.constraintTexts.includes(text)) return [];
    return comparator === "geq" ? [difference] : [difference, negDim(difference)];
  });
}

/** The nodes that the named ones need, each after what it reads. */
function inOrder(all: ReadonlyMap<string, NodeDef>, names: readonly string[]): readonly NodeDef[] {
  const ordered = new Map<string, NodeDef>();
  const visit = (name: string): void => {
    const stack: { readonly node: NodeDef; next: number }[] = [];
    const push = (found: NodeDef | undefined): void => {
      if (found !== undefined && !ordered.has(found.name)) stack.push({ node: found, next: 0 });
    };
    push(all.get(name));
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const read = top.node.input[top.next++];
      if (read !== undefined) push(all.get(nodeOf(read)));
      else {
        ordered.set(top.node.name, top.node);
        stack.pop();
      }
    }
  };
  names.forEach(visit);
  return [...ordered.values()];
}
