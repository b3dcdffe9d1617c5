/**
 * Records which kernels a function of tfjs runs, on which tensors. Used to save `callTfjs`: the
 * calls are translated to nodes (translate.ts) for one or several sizes (unify.ts).
 *
 * tfjs has no hook for this, so two methods of its engine are replaced while the function runs.
 */
import * as tf from "@tensorflow/tfjs-core";
import { callError } from "../../api/calls.js";

/** Where a tensor comes from: an argument, a result of an earlier call, or neither. */
export type Origin =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "result"; readonly call: number; readonly slot: number }
  | { readonly kind: "held"; readonly tensor: HeldTensor };

/** A tensor that no recorded kernel made. */
export interface HeldTensor {
  readonly dtype: tf.DataType;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  /** True if it was there before the function ran. */
  readonly outer: boolean;
  readonly name: string | undefined;
}

export interface TensorType {
  readonly dtype: tf.DataType;
  readonly shape: readonly number[];
}

export interface KernelInput extends TensorType {
  readonly origin: Origin;
}

export interface KernelCall {
  readonly kernel: string;
  readonly inputs: ReadonlyMap<string, KernelInput>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly outputs: readonly TensorType[];
}

export interface Recording {
  readonly calls: readonly KernelCall[];
  readonly results: readonly KernelInput[];
}

/**
 * Finds out the kernels that `run` calls.
 *
 * @param nameOf names of tensors that the function holds
 * @param isStatic true if all sizes are known: then what does not depend on arguments and weights is
 * a constant; else it may depend on sizes
 */
export function recordKernels(
  name: string,
  run: (inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
  inputs: readonly tf.Tensor[],
  nameOf: (tensor: tf.Tensor) => string | undefined,
  isStatic: boolean,
): Recording {
  const recorder = new Recorder(name, inputs, nameOf, isStatic);
  return recorder.record(() => run(inputs));
}

type Engine = ReturnType<typeof tf.engine>;

class Recorder {
  readonly #calls: KernelCall[] = [];
  readonly #origins = new Map<number, Origin>();
  /** Copies of tensors, to what they are copies of. */
  readonly #copies = new Map<number, number>();
  /** Data that depend on the arguments. */
  readonly #dependent = new WeakSet<object>();
  /** The calls that made them. */
  readonly #dependentCalls = new Set<number>();
  readonly #firstInner: number;
  readonly #isStatic: boolean;
  readonly #name: string;
  readonly #nameOf: (tensor: tf.Tensor) => string | undefined;
  #depth = 0;

  constructor(
    name: string,
    inputs: readonly tf.Tensor[],
    nameOf: (tensor: tf.Tensor) => string | undefined,
    isStatic: boolean,
  ) {
    this.#isStatic = isStatic;
    this.#name = name;
    this.#nameOf = nameOf;
    inputs.forEach((input, index) => {
      this.#origins.set(input.id, { kind: "input", index });
      this.#dependent.add(input.dataId);
    });
    const marker = tf.scalar(0);
    this.#firstInner = marker.id;
    marker.dispose();
  }

  record(run: () => readonly tf.Tensor[]): Recording {
    const engine = tf.engine();
    const record = this.#runKernel.bind(this, engine.runKernel.bind(engine));
    const [readSync, read] = [engine.readSync.bind(engine), engine.read.bind(engine)];
    engine.runKernel = record as typeof engine.runKernel;
    engine.readSync = (dataId) => readSync(this.#readable(dataId));
    engine.read = (dataId) => read(this.#readable(dataId));
    try {
      const results = run();
      return { calls: this.#calls, results: results.map((result) => this.#input(result)) };
    } finally {
      // They are methods of the class: without these properties they are seen again.
      for (const method of ["runKernel", "readSync", "read"])
        Reflect.deleteProperty(engine, method);
    }
  }

  #runKernel(
    runKernel: Engine["runKernel"],
    kernel: string,
    inputs: tf.NamedTensorMap,
    attrs?: tf.NamedAttrMap,
  ): tf.Tensor | tf.Tensor[] {
    // A kernel of several steps may call others: its own call says it all. Copies made for
    // gradients are made inside of kernels, too.
    const isInner = this.#depth > 0;
    const isCopy = kernel === "Identity";
    const known = isInner || isCopy ? new Map<string, KernelInput>() : this.#inputs(inputs);
    this.#depth += 1;
    let result: tf.Tensor | tf.Tensor[];
    try {
      result = runKernel(kernel, inputs, attrs);
    } finally {
      this.#depth -= 1;
    }
    const outputs = Array.isArray(result) ? result : [result];
    if (isCopy) this.#noteCopy(Object.values(inputs), outputs);
    else if (isInner || (this.#isStatic && this.#isConstant(known))) return result;
    else this.#note(kernel, known, attrs ?? {}, outputs);
    return result;
  }

  #isConstant(inputs: ReadonlyMap<string, KernelInput>): boolean {
    return [...inputs.values()].every(
      ({ origin }) => origin.kind === "held" && !origin.tensor.outer,
    );
  }

  #noteCopy([source]: readonly tf.Tensor[], [copy]: readonly tf.Tensor[]): void {
    if (source !== undefined && copy !== undefined) this.#copies.set(copy.id, source.id);
  }

  #note(
    kernel: string,
    inputs: ReadonlyMap<string, KernelInput>,
    attrs: tf.NamedAttrMap,
    outputs: readonly tf.Tensor[],
  ): void {
    const call = this.#calls.length;
    const types = outputs.map(({ dtype, shape }) => ({ dtype, shape: [...shape] }));
    this.#calls.push({ kernel, inputs, attrs: { ...attrs }, outputs: types });
    // Calls come in order: those that made the inputs are noted.
    const isDependent = [...inputs.values()].some(({ origin }) => this.#depends(origin));
    if (isDependent) this.#dependentCalls.add(call);
    outputs.forEach((output, slot) => {
      this.#origins.set(output.id, { kind: "result", call, slot });
      if (isDependent) this.#dependent.add(output.dataId);
    });
  }

  #depends(origin: Origin): boolean {
    if (origin.kind === "result") return this.#dependentCalls.has(origin.call);
    return origin.kind === "input";
  }

  #inputs(inputs: tf.NamedTensorMap): ReadonlyMap<string, KernelInput> {
    const known = new Map<string, KernelInput>();
    for (const [key, tensor] of Object.entries(inputs)) {
      // Optional inputs are passed as undefined or null.
      if (tensor instanceof tf.Tensor) known.set(key, this.#input(tensor));
    }
    return known;
  }

  #input(tensor: tf.Tensor): KernelInput {
    const type = { dtype: tensor.dtype, shape: [...tensor.shape] };
    return { ...type, origin: this.#originOf(tensor) };
  }

  #source(id: number): number {
    let source = id;
    for (let next = this.#copies.get(source); next !== undefined; next = this.#copies.get(next)) {
      source = next;
    }
    return source;
  }

  #originOf(tensor: tf.Tensor): Origin {
    const id = this.#source(tensor.id);
    const known = this.#origins.get(id);
    if (known !== undefined) return known;
    const held = this.#held(tensor, id < this.#firstInner);
    this.#origins.set(id, held);
    return held;
  }

  #held(tensor: tf.Tensor, outer: boolean): Origin {
    const { dtype, shape } = tensor;
    if (dtype === "string") {
      throw callError("call-tfjs", `${this.#name} works on strings, which graphs do not hold`);
    }
    const name = outer ? this.#nameOf(tensor) : undefined;
    const values = tensor.dataSync();
    return { kind: "held", tensor: { dtype, shape: [...shape], values, outer, name } };
  }

  #readable<DataId extends object>(dataId: DataId): DataId {
    if (this.#depth === 0 && this.#dependent.has(dataId)) {
      throw callError(
        "call-tfjs",
        `${this.#name} reads values that depend on its arguments (dataSync, data, array …): what it ` +
          "does with them is not in the graph",
        "use operations of tfjs in place of JavaScript values",
      );
    }
    return dataId;
  }
}
