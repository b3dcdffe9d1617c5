/**
 * A whole program as a TensorFlow graph: inputs become placeholders or named weights, outputs end
 * in an Identity of their own. Called by `convert` (graph mode) and, per equation, by eager mode.
 */
import type { ShapedArray } from "../ir/aval.js";
import {
  mulDims,
  subDims,
  variableDim,
  variablesOf,
  isSymbolic,
  type Dim,
  type DimExpr,
  type Shape,
} from "../ir/dims.js";
import { isComplex } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { asInt32 } from "../ir/hostArray.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { Backend, GraphValue, Tensor, Tf, TfDtype } from "../ir/tf.js";
import { GraphCore, staticOrMinusOne } from "./core.js";
import { fuseNodes } from "./fuse.js";
import { guardShapes, plainVariable } from "./guards.js";
import type { FunctionDef, Graph, NodeDef, SignatureEntry, WeightSource } from "./graph.js";
import { createLowering } from "./lowerJaxpr.js";
import { separateHostValues, type NodeScope } from "./hostValues.js";
import { pruneNodes } from "./prune.js";
import { tfDtypeOf } from "./tf/carriers.js";
import { moveViews } from "./views.js";

/** One argument of the program: fed at each call, or bound to a parameter. */
export interface LowerInput {
  /** Name in the signature, or of the weight. */
  readonly key: string;
  readonly weight: WeightSource | null;
}

export interface LowerOptions {
  readonly program: ClosedJaxpr;
  readonly inputs: readonly LowerInput[];
  readonly outputs: readonly string[];
  readonly backends: ReadonlySet<Backend>;
  /**
   * How complex inputs and outputs appear in the signature: as complex64 tensors, which wasm does
   * not have, or as two float32 tensors `KEY/real` and `KEY/imag`.
   */
  readonly complexBorders: "complex64" | "pair";
  /**
   * How uint32 inputs appear in the signature where a backend is not exact in 32 bits: as one tensor
   * of the bits, or as two of 16 bits each, `KEY/high` and `KEY/low`, as outputs do. Default: whole.
   */
  readonly wordInputs?: "whole" | "halves";
  /** Make the graph fail where the sizes of inputs do not fit the symbolic shapes. Default: false. */
  readonly guards?: boolean;
}

/** Where dimension variables can be read: sizes of inputs, each of which may mention some. */
interface SizeSource {
  readonly tensor: Tensor;
  readonly axis: number;
  readonly dim: DimExpr;
}

/** Lowers a program to a graph. @throws Jax2TfjsError naming the equation that cannot be lowered */
export function lowerProgram(options: LowerOptions): Graph {
  const core = new GraphCore({ backends: options.backends });
  const solver = new DimensionSolver(core);
  const lowering = createLowering(core, (name) => solver.variable(lowering.tf, name));
  const { tf } = lowering;

  const border = new Border(core, tf, options);
  const args = options.program.jaxpr.invars.map(({ aval }, position): GraphValue => {
    const input = options.inputs[position];
    if (input === undefined) throw new Error("internal error: input without name");
    if (input.weight !== null) return weightValue(core, tf, input.key, aval, input.weight);
    return border.input(input.key, position, aval);
  });

  lowering.lower(options.program, args).forEach((result, position) => {
    border.output(options.outputs[position] ?? `output_${position}`, position, result);
  });
  const { inputs, outputs } = border;
  const references = outputs.map((output) => output.tensor);
  const finished = finishNodes(core, core.main.nodes, references);
  const nodes =
    options.guards === true ? guardShapes(core, tf, core.symbolicInputs, finished) : finished;
  const functions = core.functions.map((definition) => pruneFunction(core, definition));
  return {
    ...withWeights(core, { nodes, results: references }, functions),
    inputs,
    outputs,
    needsAsync: nodes.some((node) => node.op === "StatelessWhile" || node.op === "StatelessIf"),
  };
}

/** Drops, moves and fuses nodes of a finished scope. */
function finishNodes(
  core: GraphCore,
  nodes: readonly NodeDef[],
  results: readonly string[],
): readonly NodeDef[] {
  const axesOf = (reference: string): readonly number[] | null => {
    const weight = core.weights.get(reference);
    return weight === undefined || weight.parameter ? null : [...asInt32(weight.source.read())];
  };
  const needed = pruneNodes(nodes, results);
  const moved = moveViews(needed, results, axesOf, (hint) => core.uniqueName(hint));
  return pruneNodes(fuseNodes(moved, results, core.weights), results);
}

function pruneFunction(core: GraphCore, definition: FunctionDef): FunctionDef {
  const nodes = finishNodes(core, definition.nodes, Object.values(definition.ret));
  return { ...definition, nodes };
}

/** The finished scopes with the weights that they use. */
function withWeights(
  core: GraphCore,
  main: NodeScope,
  functions: readonly FunctionDef[],
): Pick<Graph, "nodes" | "functions" | "weights"> {
  const weights = usedWeights(core, [main.nodes, ...functions.map(({ nodes }) => nodes)]);
  if (!core.targets("webgpu")) return { nodes: main.nodes, functions, weights };
  const scopes = functions.map(({ nodes, ret }) => ({ nodes, results: Object.values(ret) }));
  const separated = separateHostValues([main, ...scopes], weights, (hint) => core.uniqueName(hint));
  const [nodes = [], ...bodies] = separated.scopes;
  return {
    nodes,
    functions: functions.map((definition, index) => ({
      ...definition,
      nodes: bodies[index] ?? definition.nodes,
    })),
    weights: separated.weights,
  };
}

/** All parameters, and the constants that are left. */
function usedWeights(core: GraphCore, scopes: readonly Graph["nodes"][]): Graph["weights"] {
  const used = new Set(
    scopes.flatMap((nodes) => nodes.filter((node) => node.op === "Const").map((node) => node.name)),
  );
  return [...core.weights.values()].filter((weight) => weight.parameter || used.has(weight.name));
}

/** Makes the placeholders and the final Identity nodes, and the signature's entries of both. */
class Border {
  readonly inputs: SignatureEntry[] = [];
  readonly outputs: SignatureEntry[] = [];

  constructor(
    readonly core: GraphCore,
    readonly tf: Tf,
    readonly options: Pick<LowerOptions, "complexBorders" | "wordInputs">,
  ) {}

  input(key: string, position: number, aval: ShapedArray): GraphValue {
    if (isComplex(aval.dtype) && this.options.complexBorders === "pair") {
      const real = this.#placeholder(`${key}/real`, position, "real", "float32", aval.shape);
      const imag = this.#placeholder(`${key}/imag`, position, "imag", "float32", aval.shape);
      return this.tf.fromPair(real, imag, aval);
    }
    const isHalved = this.options.wordInputs === "halves" && !this.tf.exactIntegers;
    if (aval.dtype === "uint32" && isHalved) {
      const high = this.#placeholder(`${key}/high`, position, "high", "int32", aval.shape);
      const low = this.#placeholder(`${key}/low`, position, "low", "int32", aval.shape);
      return this.tf.fromLimbs(high, low, aval);
    }
    const dtype = tfDtypeOf(aval.dtype);
    if (dtype === null) {
      const message = `no tensor holds the input ${key}: ${aval.dtype}`;
      throw new Jax2TfjsError("unsupported-input", message);
    }
    const tensor = this.#placeholder(key, position, "whole", dtype, aval.shape);
    return wordsOrValue(this.core, this.tf, tensor, aval);
  }

  #placeholder(
    key: string,
    position: number,
    part: SignatureEntry["part"],
    dtype: TfDtype,
    shape: Shape,
  ): Tensor {
    const tensor = this.core.placeholder(key, { dtype, shape });
    this.inputs.push(entry(key, position, part, tensor.node, tensor));
    if (shape.some(isSymbolic)) {
      this.core.sizedInputs.push(tensor);
      this.core.symbolicInputs.push(tensor);
    }
    return tensor;
  }

  output(key: string, position: number, value: GraphValue): void {
    if (isComplex(value.aval.dtype) && this.options.complexBorders === "pair") {
      const { re, im } = this.tf.pair(value);
      const whole = (part: Tensor): Tensor => this.tf.broadcastTo(part, value.aval.shape);
      this.#identity(`${key}/real`, position, "real", whole(re));
      this.#identity(`${key}/imag`, position, "imag", whole(im));
      return;
    }
    if (value.aval.dtype === "uint32" && !this.tf.exactIntegers) {
      const { high, low } = this.tf.limbs(value);
      const whole = (part: Tensor): Tensor => this.tf.broadcastTo(part, value.aval.shape);
      this.#identity(`${key}/high`, position, "high", whole(high));
      this.#identity(`${key}/low`, position, "low", whole(low));
      return;
    }
    this.#identity(key, position, "whole", this.tf.tensor(value));
  }

  /** One Identity per output: tfjs mixes up outputs that share a node, and disposes feeds. */
  #identity(key: string, position: number, part: SignatureEntry["part"], tensor: Tensor): void {
    const name = this.core.uniqueName(key);
    const { dtype, shape } = tensor;
    const input = [this.core.reference(tensor)];
    this.core.main.nodes.push({
      name,
      op: "Identity",
      input,
      attr: {},
      outputs: [{ dtype, shape }],
    });
    this.outputs.push(entry(key, position, part, name, tensor));
  }
}

function entry(
  key: string,
  position: number,
  part: SignatureEntry["part"],
  node: string,
  { dtype, shape }: Tensor,
): SignatureEntry {
  return { key, position, part, tensor: node, dtype, shape: staticOrMinusOne(shape) };
}

function weightValue(
  core: GraphCore,
  tf: Tf,
  key: string,
  aval: ShapedArray,
  source: WeightSource,
): GraphValue {
  const dtype = tfDtypeOf(aval.dtype);
  const shape = staticOrMinusOne(aval.shape);
  if (dtype === null || shape.includes(-1)) {
    throw new Jax2TfjsError(
      "unsupported-parameter",
      `the parameter ${key} has a type or a symbolic shape that no weight can have`,
    );
  }
  if (isComplex(aval.dtype)) {
    throw new Jax2TfjsError(
      "unsupported-parameter",
      `the parameter ${key} is complex, which TensorFlow.js weights are not on every backend`,
      { fix: "pass real and imaginary parts as two parameters" },
    );
  }
  return wordsOrValue(core, tf, core.parameter(key, dtype, shape, source), aval);
}

/**
 * A tensor from outside as a value; uint32 as limbs where some target backend keeps int32 in
 * float32. There, tensors from outside start in the memory of the CPU, and products and sums of small
 * ones are computed on the CPU, in 32 bits. So the lower half is taken from the product by 2^16 (which
 * pushes the upper half out), and only then the number itself, now rounded to 24 bits, is used: in a
 * copy, so that the tensor and the constants stay where they are for the next call.
 */
function wordsOrValue(core: GraphCore, tf: Tf, tensor: Tensor, aval: ShapedArray): GraphValue {
  if (aval.dtype !== "uint32" || tf.exactIntegers) return tf.value(tensor, aval);
  const number = (value: number): Tensor => tf.scalar(value, "int32");
  const { shape } = tensor;
  const onHost = (op: "Mul" | "AddV2", value: number): Tensor =>
    core.emitOne(op, [tensor, core.hostNumber(value)], {}, { dtype: "int32", shape });
  const signedLow = tf.binary("FloorDiv", onHost("Mul", 65536), number(65536));
  const low = tf.binary("FloorMod", signedLow, number(65536));
  const rest = tf.binary("Sub", onHost("AddV2", 32768), low);
  const high = tf.binary("FloorMod", tf.binary("FloorDiv", rest, number(65536)), number(65536));
  return tf.fromLimbs(high, low, aval);
}

/** Solves each dimension variable from one input size that is linear in it. */
class DimensionSolver {
  readonly #solving = new Set<string>();

  constructor(readonly core: GraphCore) {}

  #sources(): readonly SizeSource[] {
    return this.core.symbolicInputs.flatMap((tensor) =>
      tensor.shape.flatMap((dim, axis) => (isSymbolic(dim) ? { tensor, axis, dim } : [])),
    );
  }

  /** The value of a variable as an int32 scalar of the graph. */
  variable(tf: Tf, name: string): Tensor {
    const sources = this.#sources().filter(({ dim }) => this.#slope(dim, name) !== null);
    const source = sources.find(({ dim }) => plainVariable(dim) === name) ?? sources[0];
    const slope = source === undefined ? null : this.#slope(source.dim, name);
    if (source === undefined || slope === null || this.#solving.has(name)) {
      throw this.core.error(
        "unsolvable-dimension",
        `Cannot solve for values of dimension variables {'${name}'}.`,
        `make one input's size linear in ${name}`,
      );
    }
    this.#solving.add(name);
    try {
      return this.core.inScope(this.core.main, () => this.#solve(tf, name, source, slope));
    } finally {
      this.#solving.delete(name);
    }
  }

  #solve(tf: Tf, name: string, { tensor, axis, dim }: SizeSource, slope: number): Tensor {
    const rank = tensor.shape.length;
    const shape = this.core.emitOne("Shape", [tensor], {}, { dtype: "int32", shape: [rank] });
    const size = tf.gather(shape, tf.scalar(axis, "int32"), 0);
    const rest = subDims(dim, mulDims(variableDim(name, dim.scope), slope));
    const shifted = rest === 0 ? size : tf.binary("Sub", size, tf.dim(rest));
    if (plainVariable(dim) === name) return size;
    // Variables are at least 1: where the size is smaller than it can be, a guard sees it.
    const one = this.core.numbers([1], "int32", []);
    if (slope === 1) return tf.binary("Maximum", shifted, one);
    const half = tf.binary("AddV2", tf.cast(shifted, "float32"), tf.scalar(0.5, "float32"));
    const quotient = tf.binary("Mul", half, tf.scalar(1 / slope, "float32"));
    return tf.binary("Maximum", tf.cast(tf.unary("Floor", quotient), "int32"), one);
  }

  /** The coefficient of a variable in a size that is linear in it, else null. */
  #slope(dim: DimExpr, name: string): number | null {
    const own = dim.terms.find(
      ([term]) =>
        term.factors.length === 1 &&
        term.factors[0]?.[1] === 1 &&
        term.factors[0][0].kind === "variable" &&
        term.factors[0][0].name === name,
    );
    if (own === undefined) return null;
    const rest: Dim = subDims(dim, mulDims(variableDim(name, dim.scope), own[1]));
    return variablesOf(rest).includes(name) ? null : own[1];
  }
}
