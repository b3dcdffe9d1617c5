/**
 * Loads a saved model and calls it as JAX would call the function: arguments by name, in flattened
 * order or as pytrees, checked against the saved specification. The heart of `jax2tfjs/runtime`.
 */
import { loadGraphModel, type GraphModel } from "@tensorflow/tfjs-converter";
import { Tensor, type io, type NamedTensorMap } from "@tensorflow/tfjs-core";
import { isComplex, kindOf, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { DimPlan } from "../ir/shapeSpec.js";
import {
  checkCallArguments,
  dimPlanOf,
  type CheckedArgument,
  type SafetyCheck,
  type SignatureLeaf,
} from "./callSignature.js";
import { record, type JsonRecord } from "./json.js";
import { interfaceOfMetadata, type ModelInterface } from "./modelInterface.js";
import { countLeaves, flattenTree, unflattenTree, type Tree } from "./pytree.js";

/** Real and imaginary part of a complex argument or result, as two float32 tensors of one shape. */
export interface ComplexPair {
  readonly real: Tensor;
  readonly imag: Tensor;
}

/** Upper and lower 16 bits of a uint32 result, as two int32 tensors: exact on every backend. */
export interface WordHalves {
  readonly high: Tensor;
  readonly low: Tensor;
}

/** A flattened argument. Complex ones are pairs in models made for backends like wasm. */
export type ModelValue = Tensor | ComplexPair;

/** A flattened result. uint32 comes in halves from models made for webgl or webgpu. */
export type ModelResult = ModelValue | WordHalves;

/** Flattened arguments: one, all in order, or by name. */
export type ModelInputs = ModelValue | readonly ModelValue[] | Readonly<Record<string, ModelValue>>;

export interface LoadModelOptions extends io.LoadOptions {
  /**
   * Checks of calls to leave out, in addition to those that the conversion left out. Default: none.
   */
  readonly disabledChecks?: readonly SafetyCheck[];
}

/** What the conversion recorded: `userDefinedMetadata.jax2tfjs` of model.json. */
export type ModelMetadata = JsonRecord;

/**
 * Loads a model that `jax2tfjs` saved.
 *
 * ```ts
 * const model = await loadModel("model/model.json");
 * const logits = await model.predict(images);
 * ```
 *
 * A backend of tfjs must be current when it is called and run.
 *
 * @param source the URL of a model.json, or any `IOHandler` of tfjs
 * @throws Jax2TfjsError `model-format` for a model of another converter, `model-corrupt`; and what
 * `tf.loadGraphModel` throws where the files cannot be read
 */
export async function loadModel(
  source: string | io.IOHandler,
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const { disabledChecks = [], ...loadOptions } = options;
  const graph: GraphModel = await loadGraphModel(source, loadOptions);
  try {
    return new LoadedModel(graph, disabledChecks);
  } catch (error) {
    graph.dispose();
    throw error;
  }
}

/** A model that is ready to run. */
export class LoadedModel {
  /** The flattened arguments to feed, in order; bound parameters are none of them. */
  readonly inputs: readonly SignatureLeaf[];
  /** The flattened results, in order. */
  readonly outputs: readonly SignatureLeaf[];
  /** Which method of the graph model runs it: loops and conditionals need `executeAsync`. */
  readonly mode: "execute" | "executeAsync";
  readonly metadata: ModelMetadata;
  /** The model as tfjs loaded it, for what is not here: weights, intermediate tensors. */
  readonly graphModel: GraphModel;

  readonly #interface: ModelInterface;
  readonly #plan: DimPlan | null;

  /** Use `loadModel`. */
  constructor(graph: GraphModel, disabledChecks: readonly SafetyCheck[]) {
    const user = graph.metadata as unknown;
    const own = typeof user === "object" && user !== null ? (user as JsonRecord).jax2tfjs : null;
    if (own === undefined || own === null) {
      throw new Jax2TfjsError("model-format", "jax2tfjs did not make this model", {
        fix: "load it with tf.loadGraphModel",
      });
    }
    this.metadata = record(own, "userDefinedMetadata.jax2tfjs");
    const described = interfaceOfMetadata(this.metadata);
    this.#interface = described;
    this.inputs = described.inputs;
    this.outputs = described.outputs;
    this.mode = described.needsAsync ? "executeAsync" : "execute";
    const disabled = new Set([...disabledChecks, ...(described.disabledChecks ?? [])]);
    this.#plan = disabled.has("shape_assertions") ? null : dimPlanOf(described);
    this.graphModel = graph;
  }

  /** The names of the dimension variables, such as `b`; sizes that change from call to call. */
  get dimensionVariables(): readonly string[] {
    return this.#plan?.variables ?? [];
  }

  /**
   * Calls the model like the function it was made from: one argument per positional argument, each
   * a pytree (arrays for tuples and lists, objects for dicts), keyword arguments as an object behind
   * them. Arguments that were bound to parameters are left out. The arguments stay the caller's; so
   * do the results, as a pytree of the function's structure.
   *
   * @throws Jax2TfjsError `pytree-mismatch`, and as `check`
   */
  async predict(...args: readonly Tree<ModelValue>[]): Promise<Tree<ModelResult>> {
    const { outTree } = this.#interface;
    const outputs = await this.executeAsync(this.flatten(args));
    if (outTree === null) return outputs.length === 1 ? outputs[0] : outputs;
    return unflattenTree(outTree, outputs);
  }

  /**
   * Runs the model and gives its flattened results in order, at once.
   *
   * @param inputs the flattened arguments: in order, or by their names (those of `inputs`, or the
   * names of the model's tensors)
   * @throws Jax2TfjsError `needs-async` if the model has loops or conditionals, and as `check`
   */
  execute(inputs: ModelInputs): readonly ModelResult[] {
    if (this.mode === "executeAsync") {
      throw new Jax2TfjsError("needs-async", "the model holds loops or conditionals", {
        fix: "call executeAsync or predict",
      });
    }
    const feeds = this.#feeds(inputs);
    const keys = this.#interface.outputKeys.flat();
    return keys.length === 0 ? [] : this.#results(this.graphModel.execute(feeds, keys));
  }

  /** As `execute`, for every model: it takes `execute` where that is possible. */
  async executeAsync(inputs: ModelInputs): Promise<readonly ModelResult[]> {
    if (this.mode === "execute") return this.execute(inputs);
    const feeds = this.#feeds(inputs);
    const keys = this.#interface.outputKeys.flat();
    if (keys.length === 0) return [];
    return this.#results(await this.graphModel.executeAsync(feeds, keys));
  }

  /**
   * Checks arguments without running, as every call does.
   *
   * @returns the values of the dimension variables
   * @throws Jax2TfjsError with JAX's message: `shape-mismatch` (also for a number of arguments),
   * `dtype-mismatch`; `no-such-argument` for a name that the model does not take
   */
  check(inputs: ModelInputs): ReadonlyMap<string, number> {
    return this.#check(this.#ordered(inputs));
  }

  /**
   * Positional arguments (and keyword arguments as an object behind them) as the flat list that
   * `execute` takes.
   *
   * @throws Jax2TfjsError `pytree-mismatch` where their structure is not the function's
   */
  flatten(args: readonly Tree<ModelValue>[]): readonly ModelValue[] {
    const { inTree, inputPositions } = this.#interface;
    if (inTree === null) return args.filter(isModelValue);
    const taken = new Set(inputPositions);
    const options = { isLeaf: isModelValue, isTaken: (at: number): boolean => taken.has(at) };
    const [positional, keywords] = inTree.children ?? [];
    let [given, first] = [0, 0];
    const flat: ModelValue[] = [];
    const take = (tree: NonNullable<typeof positional>, path: string): void => {
      const count = countLeaves(tree);
      const positions = Array.from({ length: count }, (_, index) => first + index);
      if (positions.some((at) => taken.has(at))) {
        flat.push(...flattenTree(tree, args[given], path, first, options));
        given += 1;
      }
      first += count;
    };
    positional?.children?.forEach((tree, index) => {
      take(tree, `args[${index}]`);
    });
    if (keywords !== undefined) take(keywords, "kwargs");
    if (args.length > given) {
      throw new Jax2TfjsError(
        "pytree-mismatch",
        `The model takes ${given} arguments and was called with ${args.length}.`,
        { fix: "leave out the arguments that are bound to parameters" },
      );
    }
    return flat;
  }

  /** Frees the weights. */
  dispose(): void {
    this.graphModel.dispose();
  }

  #check(values: readonly ModelValue[]): ReadonlyMap<string, number> {
    const args = values.map((value, index): CheckedArgument => {
      const leaf = this.inputs[index];
      const isPair = this.#interface.inputKeys[index]?.length === 2;
      const { shape } = value instanceof Tensor ? value : value.real;
      if (leaf === undefined) return { shape, dtype: dtypeText(value), dtypeFits: true };
      return { shape, dtype: dtypeText(value), ...dtypeFit(leaf.dtype, value, isPair) };
    });
    return checkCallArguments(this.#plan, this.inputs, args);
  }

  /** The arguments in the order of `inputs`. */
  #ordered(inputs: ModelInputs): readonly ModelValue[] {
    if (inputs instanceof Tensor) return [inputs];
    if (isList(inputs)) return inputs;
    if (isModelValue(inputs) && this.inputs.length === 1) return [inputs];
    const { inputKeys } = this.#interface;
    const named = new Map<string, ModelValue>(Object.entries(inputs));
    const used = new Set<string>();
    const take = (name: string): ModelValue | undefined => {
      const value = named.get(name);
      if (value !== undefined) used.add(name);
      return value;
    };
    const ordered = this.inputs.map((leaf, index): ModelValue => {
      const [key = leaf.name, imag] = inputKeys[index] ?? [];
      const value = take(leaf.name) ?? take(key);
      if (value !== undefined && (imag === undefined || !(value instanceof Tensor))) return value;
      const second = imag === undefined ? undefined : take(imag);
      if (value instanceof Tensor && second instanceof Tensor) return { real: value, imag: second };
      if (value !== undefined) return value;
      throw new Jax2TfjsError("no-such-argument", `The argument ${leaf.name} is missing.`, {
        fix: `the model takes ${this.inputs.map(({ name }) => name).join(", ")}`,
      });
    });
    const unknown = [...named.keys()].find((name) => !used.has(name));
    if (unknown === undefined) return ordered;
    throw new Jax2TfjsError("no-such-argument", `The model has no argument ${unknown}.`, {
      fix: `it takes ${this.inputs.map(({ name }) => name).join(", ")}`,
    });
  }

  #feeds(inputs: ModelInputs): NamedTensorMap {
    const ordered = this.#ordered(inputs);
    this.#check(ordered);
    const feeds: NamedTensorMap = {};
    ordered.forEach((value, index) => {
      const [key, imag] = this.#interface.inputKeys[index] ?? [];
      if (key === undefined) return;
      feeds[key] = value instanceof Tensor ? value : value.real;
      if (imag !== undefined && !(value instanceof Tensor)) feeds[imag] = value.imag;
    });
    return feeds;
  }

  /** The results by the keys of each output. */
  #results(results: Tensor | Tensor[] | NamedTensorMap): readonly ModelResult[] {
    const tensors = results instanceof Tensor ? [results] : (results as readonly Tensor[]);
    let next = 0;
    return this.#interface.outputKeys.map((keys, index): ModelResult => {
      const [real, imag] = [tensors[next], tensors[next + 1]];
      next += keys.length;
      if (real === undefined) throw new Error("internal error: a missing result");
      if (keys.length !== 2 || imag === undefined) return real;
      const isWord = kindOf(this.outputs[index]?.dtype ?? "complex64") === "unsigned";
      return isWord ? { high: real, low: imag } : { real, imag };
    });
  }
}

const isList = (inputs: ModelInputs): inputs is readonly ModelValue[] => Array.isArray(inputs);

function isModelValue(value: unknown): value is ModelValue {
  if (value instanceof Tensor) return true;
  if (typeof value !== "object" || value === null) return false;
  const { real, imag } = value as Partial<ComplexPair>;
  return real instanceof Tensor && imag instanceof Tensor;
}

/** Whether a value's tensors are those that carry a JAX dtype in tfjs, and what to do if not. */
function dtypeFit(
  dtype: DType,
  value: ModelValue,
  isPair: boolean,
): Pick<CheckedArgument, "dtypeFits" | "fix"> {
  if (!isComplex(dtype)) {
    const carrier = carrierOf(dtype);
    const isCarrier = value instanceof Tensor && value.dtype === carrier;
    return { dtypeFits: isCarrier, fix: `pass a tensor of tfjs's dtype ${carrier}` };
  }
  if (!isPair) {
    const isJoined = value instanceof Tensor && value.dtype === "complex64";
    return { dtypeFits: isJoined, fix: "pass tf.complex(real, imag)" };
  }
  const fits =
    !(value instanceof Tensor) &&
    value.real.dtype === "float32" &&
    value.imag.dtype === "float32" &&
    value.real.shape.join() === value.imag.shape.join();
  const fix = "pass { real, imag }, float32 tensors of one shape: some backends have no complex64";
  return { dtypeFits: fits, fix };
}

/** The dtype of the tensors in which tfjs holds values of a JAX dtype that is not complex. */
function carrierOf(dtype: DType): "float32" | "int32" | "bool" {
  switch (kindOf(dtype)) {
    case "bool":
    case "float0":
      return "bool";
    case "signed":
    case "unsigned":
    case "key":
      return "int32";
    case "float":
    case "complex":
    case "token":
      return "float32";
  }
}

function dtypeText(value: ModelValue): string {
  return value instanceof Tensor ? value.dtype : `a pair of ${value.real.dtype}`;
}
