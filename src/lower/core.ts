/**
 * The heart of the node builder: emits nodes into scopes (the main graph or a function), shares
 * equal nodes, keeps constants and weights, and refuses ops that a target backend lacks. The tf
 * methods in src/lower/tf/ are built on it and know the shapes; nobody else emits nodes.
 */
import { isStaticShape, type Shape } from "../ir/dims.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { fromNumbers, type HostArray } from "../ir/hostArray.js";
import { noSource, type Equation, type SourceInfo } from "../ir/jaxpr.js";
import { printEquation, printSource } from "../ir/print.js";
import type { Attrs, Backend, Tensor, TfDtype } from "../ir/tf.js";
import type { FunctionDef, NodeDef, NodeOutput, Weight, WeightSource } from "./graph.js";
import { kernelTable } from "./kernelTable.js";

/** How a tensor was made, for the peephole rules of the builder. */
export interface Producer {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attrs: Attrs;
}

/** The main graph, or the body of a function: nodes see only nodes of their own scope. */
export class Scope {
  readonly nodes: NodeDef[] = [];
  readonly shared = new Map<string, readonly Tensor[]>();
  /** Outer tensors used inside a function, with the argument that brings each in. */
  readonly captures = new Map<Tensor, Tensor>();

  constructor(readonly parent: Scope | null) {}
}

const asyncOps: ReadonlySet<string> = new Set(["StatelessWhile", "StatelessIf"]);
const maxSharedBytes = 4096;

export interface CoreOptions {
  readonly backends: ReadonlySet<Backend>;
}

export class GraphCore {
  readonly backends: ReadonlySet<Backend>;
  readonly main = new Scope(null);
  readonly functions: FunctionDef[] = [];
  readonly weights = new Map<string, Weight>();
  /** Inputs with symbolic sizes: where the values of dimension variables are read. */
  readonly symbolicInputs: Tensor[] = [];
  /** Those of them whose shapes may stand for equal ones. */
  readonly sizedInputs: Tensor[] = [];
  scope: Scope = this.main;
  needsAsync = false;

  #equation: Equation | null = null;
  #source: SourceInfo = noSource;
  readonly #scopes = new WeakMap<Tensor, Scope>();
  readonly #producers = new WeakMap<Tensor, Producer>();
  readonly #names = new Map<string, number>();
  readonly #constants = new Map<string, Tensor>();
  readonly #arrays = new Map<HostArray, Tensor>();
  readonly #hostNumbers = new Map<number, Tensor>();

  constructor(options: CoreOptions) {
    this.backends = options.backends;
  }

  /** True if any of these backends is a target. */
  targets(...backends: readonly Backend[]): boolean {
    return backends.some((backend) => this.backends.has(backend));
  }

  /** Names nodes after `equation` and blames it for errors while `action` runs. */
  within<T>(equation: Equation, action: () => T): T {
    const [outerEquation, outerSource] = [this.#equation, this.#source];
    this.#equation = equation;
    if (equation.source.nameStack !== "" || equation.source.frames.length > 0) {
      this.#source = equation.source;
    }
    try {
      return action();
    } catch (error) {
      throw this.#blame(error);
    } finally {
      this.#equation = outerEquation;
      this.#source = outerSource;
    }
  }

  /** An error about the equation being lowered. */
  error(code: string, message: string, fix?: string): Jax2TfjsError {
    const equation = this.#equation;
    return new Jax2TfjsError(code, message, {
      ...(equation === null
        ? {}
        : {
            primitive: equation.primitive.name,
            equation: printEquation(equation),
            source: printSource(this.#source),
          }),
      ...(fix === undefined ? {} : { fix }),
    });
  }

  #blame(error: unknown): unknown {
    if (!(error instanceof Jax2TfjsError) || error.details.equation !== undefined) return error;
    const own = this.error(error.code, error.message);
    return new Jax2TfjsError(error.code, error.message, {
      ...own.details,
      ...error.details,
      cause: error,
    });
  }

  /** How a tensor was made, unless it is an input. */
  producer(tensor: Tensor): Producer | undefined {
    return this.#producers.get(tensor);
  }

  /**
   * Emits a node; an equal node of the same scope is used again.
   *
   * @throws Jax2TfjsError `unknown-op`, `unknown-attribute`, `missing-kernel`
   */
  emit(
    op: string,
    inputs: readonly Tensor[],
    attrs: Attrs,
    outputs: readonly NodeOutput[],
  ): readonly Tensor[] {
    this.#checkOp(op, attrs);
    const local = inputs.map((input) => this.#bring(input));
    const references = local.map((tensor) => this.reference(tensor));
    const key = `${op}(${references.join(",")})${JSON.stringify(attrs)}`;
    const existing = this.scope.shared.get(key);
    if (existing !== undefined) return existing;
    const tensors = this.#emitNode(op, local, attrs, outputs);
    this.scope.shared.set(key, tensors);
    return tensors;
  }

  /** Emits a node that no other shares: the copy of a tensor for a kernel that writes into it. */
  emitCopy(op: string, inputs: readonly Tensor[], attrs: Attrs, output: NodeOutput): Tensor {
    this.#checkOp(op, attrs);
    const local = inputs.map((input) => this.#bring(input));
    const [tensor] = this.#emitNode(op, local, attrs, [output]);
    if (tensor === undefined) throw new Error(`internal error: ${op} without output`);
    return tensor;
  }

  #emitNode(
    op: string,
    inputs: readonly Tensor[],
    attrs: Attrs,
    outputs: readonly NodeOutput[],
  ): readonly Tensor[] {
    const name = this.uniqueName(this.#nameFor(op));
    const input = inputs.map((tensor) => this.reference(tensor));
    this.scope.nodes.push({ name, op, input, attr: attrs, outputs });
    if (asyncOps.has(op)) this.needsAsync = true;
    return outputs.map((output, slot) => {
      const tensor = this.#tensor(name, slot, output, null);
      this.#producers.set(tensor, { op, inputs, attrs });
      return tensor;
    });
  }

  /** Emits a node with one output. */
  emitOne(op: string, inputs: readonly Tensor[], attrs: Attrs, output: NodeOutput): Tensor {
    const [tensor] = this.emit(op, inputs, attrs, [output]);
    if (tensor === undefined) throw new Error(`internal error: ${op} without output`);
    return tensor;
  }

  /** How the input list of a node names a tensor. */
  reference(tensor: Tensor): string {
    return tensor.slot === 0 ? tensor.node : `${tensor.node}:${tensor.slot}`;
  }

  /** An input of the main graph. */
  placeholder(name: string, output: NodeOutput): Tensor {
    const unique = this.uniqueName(name);
    const shape = output.shape.map((dim) => (typeof dim === "number" ? dim : -1));
    const attrs: Attrs = { dtype: { type: output.dtype }, shape: { shape } };
    this.main.nodes.push({
      name: unique,
      op: "Placeholder",
      input: [],
      attr: attrs,
      outputs: [output],
    });
    return this.#tensor(unique, 0, output, null, this.main);
  }

  /** An argument of the function whose scope is current. */
  argument(name: string, output: NodeOutput): Tensor {
    return this.#tensor(this.uniqueName(name), 0, output, null);
  }

  /** A constant array; equal small ones share a node. Its value stays known to the builder. */
  constant(array: HostArray, dtype: TfDtype, hint = "const"): Tensor {
    const small = array.bytes.byteLength <= maxSharedBytes;
    const key = small
      ? `${dtype}:${array.dtype}[${array.shape.join(",")}]${Array.from(array.bytes).join(",")}`
      : null;
    const known = key === null ? this.#arrays.get(array) : this.#constants.get(key);
    if (known !== undefined) return this.#bring(known);
    const name = this.uniqueName(hint);
    const tensor = this.#weight(name, dtype, array.shape, { read: () => array }, false, array);
    if (key === null) this.#arrays.set(array, tensor);
    else this.#constants.set(key, tensor);
    return this.#bring(tensor);
  }

  /**
   * An int32 scalar that no other node shares with this one's readers: a kernel of the GPU that reads
   * a constant takes it there, after which small numbers with it are not computed on the CPU any more.
   */
  hostNumber(value: number): Tensor {
    const known = this.#hostNumbers.get(value);
    if (known !== undefined) return this.#bring(known);
    const array = fromNumbers("int32", [], [value]);
    const name = this.uniqueName("host_const");
    const tensor = this.#weight(name, "int32", [], { read: () => array }, false, array);
    this.#hostNumbers.set(value, tensor);
    return this.#bring(tensor);
  }

  /** Small constants from plain numbers (bool: 0 and 1). */
  numbers(values: ArrayLike<number>, dtype: TfDtype, shape: readonly number[]): Tensor {
    if (dtype === "complex64") throw new Error("internal error: complex constants are pairs");
    return this.constant(fromNumbers(dtype, shape, values), dtype);
  }

  /** A parameter of the program: a named weight whose value may be replaced after conversion. */
  parameter(name: string, dtype: TfDtype, shape: readonly number[], source: WeightSource): Tensor {
    return this.#weight(this.uniqueName(name), dtype, shape, source, true, null);
  }

  /** Runs `build` in the scope of a new function and gives back the scope with its result. */
  inFunction<T>(build: (scope: Scope) => T): { readonly scope: Scope; readonly result: T } {
    const outer = this.scope;
    const scope = new Scope(outer);
    this.scope = scope;
    try {
      return { scope, result: build(scope) };
    } finally {
      this.scope = outer;
    }
  }

  /** Like `inFunction`, but in a scope that exists already. */
  inScope<T>(scope: Scope, build: () => T): T {
    const outer = this.scope;
    this.scope = scope;
    try {
      return build();
    } finally {
      this.scope = outer;
    }
  }

  /** A tensor of an outer scope as seen from the current one. */
  bring(tensor: Tensor): Tensor {
    return this.#bring(tensor);
  }

  /** `hint`, made different from all names given before. */
  uniqueName(hint: string): string {
    const clean = hint.replace(/[:^\s]+/g, "_").replace(/^\/+|\/+$/g, "") || "node";
    const count = this.#names.get(clean) ?? 0;
    this.#names.set(clean, count + 1);
    if (count === 0) return clean;
    return this.uniqueName(`${clean}_${count}`);
  }

  #nameFor(op: string): string {
    const stack = this.#source.nameStack
      .split("/")
      .filter((part) => part !== "" && !/^(jit|jvp|vmap|transpose)\(.*\)$/.test(part))
      .slice(0, -1)
      .join("/");
    return stack === "" ? op : `${stack}/${op}`;
  }

  #weight(
    name: string,
    dtype: TfDtype,
    shape: readonly number[],
    source: WeightSource,
    parameter: boolean,
    value: HostArray | null,
  ): Tensor {
    this.weights.set(name, { name, dtype, shape, source, parameter });
    const attr: Attrs = { dtype: { type: dtype } };
    this.main.nodes.push({ name, op: "Const", input: [], attr, outputs: [{ dtype, shape }] });
    const tensor = this.#tensor(name, 0, { dtype, shape }, value, this.main);
    this.#producers.set(tensor, { op: "Const", inputs: [], attrs: attr });
    return tensor;
  }

  #tensor(
    node: string,
    slot: number,
    { dtype, shape }: NodeOutput,
    value: HostArray | null,
    scope: Scope = this.scope,
  ): Tensor {
    const tensor: Tensor = { kind: "tensor", node, slot, dtype, shape, value };
    this.#scopes.set(tensor, scope);
    return tensor;
  }

  /** Makes a tensor of an outer scope usable here: constants by name, others as captures. */
  #bring(tensor: Tensor): Tensor {
    const owner = this.#scopes.get(tensor);
    if (owner === this.scope || owner === undefined) return tensor;
    const known = this.scope.captures.get(tensor);
    if (known !== undefined) return known;
    const isConst = this.#producers.get(tensor)?.op === "Const";
    const inner = isConst ? this.#constantHere(tensor) : this.#captured(tensor);
    if (!isConst) this.scope.captures.set(tensor, inner);
    return inner;
  }

  #captured(tensor: Tensor): Tensor {
    return this.#tensor(this.uniqueName(`${tensor.node}_captured`), 0, tensor, null);
  }

  /** Functions find constants by name among the weights, so the node is repeated, not the value. */
  #constantHere(tensor: Tensor): Tensor {
    const key = `const:${tensor.node}`;
    const known = this.scope.shared.get(key)?.[0];
    if (known !== undefined) return known;
    const attr: Attrs = { dtype: { type: tensor.dtype } };
    const output = { dtype: tensor.dtype, shape: tensor.shape };
    this.scope.nodes.push({ name: tensor.node, op: "Const", input: [], attr, outputs: [output] });
    const inner = this.#tensor(tensor.node, 0, tensor, tensor.value);
    this.#producers.set(inner, { op: "Const", inputs: [], attrs: attr });
    this.scope.shared.set(key, [inner]);
    return inner;
  }

  #checkOp(op: string, attrs: Attrs): void {
    const entry = kernelTable[op];
    if (entry === undefined) {
      throw this.error("unknown-op", `the TensorFlow.js converter does not execute the op ${op}`);
    }
    for (const name of Object.keys(attrs)) {
      if (!entry.attrs.includes(name)) {
        throw this.error("unknown-attribute", `TensorFlow.js does not read ${name} of ${op}`);
      }
    }
    const missing = entry.missing.filter((backend) => this.backends.has(backend));
    if (missing.length > 0) {
      const rest = [...this.backends].filter((backend) => !missing.includes(backend));
      throw this.error(
        "missing-kernel",
        `${op} has no kernel on the TensorFlow.js backend ${missing.join(", ")}`,
        rest.length > 0
          ? `convert for the other backends: --backends ${rest.join(",")}`
          : undefined,
      );
    }
  }
}

/** Sizes as numbers; -1 where a size is symbolic. */
export function staticOrMinusOne(shape: Shape): readonly number[] {
  return isStaticShape(shape) ? shape : shape.map((dim) => (typeof dim === "number" ? dim : -1));
}
