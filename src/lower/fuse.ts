/**
 * Merges bias and activation into matrix products and convolutions, on the finished graph, where
 * each node's consumers are known. Only forms that every tfjs backend computes right are made.
 */
import { dimEquals } from "../ir/dims.js";
import { asFloat32 } from "../ir/hostArray.js";
import type { Activation, Attrs } from "../ir/tf.js";
import type { NodeDef, Weight } from "./graph.js";
import { nodeOf } from "./prune.js";

const fusedOps: Readonly<Record<string, string>> = {
  MatMul: "_FusedMatMul",
  Conv2D: "_FusedConv2D",
  DepthwiseConv2dNative: "FusedDepthwiseConv2dNative",
};
/**
 * What may give a tensor over data of another shape: the fused kernels of wasm take the rank of a
 * bias from its data.
 */
export const sharesData: ReadonlySet<string> = new Set([
  "Reshape",
  "Unpack",
  "Placeholder",
  "Identity",
]);
const fusedNames: ReadonlySet<string> = new Set(Object.values(fusedOps));

/** A graph being rewritten: nodes by name, with how often each is used. */
class Rewriter {
  readonly nodes: Map<string, NodeDef>;
  readonly #uses = new Map<string, number>();

  constructor(
    nodes: readonly NodeDef[],
    results: readonly string[],
    readonly weights: ReadonlyMap<string, Weight>,
  ) {
    this.nodes = new Map(nodes.map((node) => [node.name, node]));
    for (const node of nodes) node.input.forEach((input) => this.#count(input));
    results.forEach((result) => this.#count(result));
  }

  #count(reference: string): void {
    const name = nodeOf(reference);
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  get(reference: string | undefined): NodeDef | undefined {
    return reference === undefined || reference.includes(":")
      ? undefined
      : this.nodes.get(reference);
  }

  usedOnce(node: NodeDef): boolean {
    return this.#uses.get(node.name) === 1;
  }

  /** The value of a scalar constant, if the reference is one. */
  scalar(reference: string | undefined): number | undefined {
    const node = this.get(reference);
    const weight = node?.op === "Const" ? this.weights.get(node.name) : undefined;
    if (weight === undefined || weight.parameter || weight.dtype !== "float32") return undefined;
    if (weight.shape.some((size) => size !== 1)) return undefined;
    return asFloat32(weight.source.read())[0];
  }
}

/** The producer that a fusion goes into, seen through a Reshape that keeps the last dimension. */
interface Target {
  readonly product: NodeDef;
  readonly reshape: NodeDef | null;
}

function target(graph: Rewriter, reference: string | undefined): Target | null {
  const node = graph.get(reference);
  if (node === undefined || !graph.usedOnce(node)) return null;
  if (node.op !== "Reshape") return { product: node, reshape: null };
  const inner = graph.get(node.input[0]);
  const outer = node.outputs[0]?.shape.at(-1);
  const last = inner?.outputs[0]?.shape.at(-1);
  if (inner === undefined || outer === undefined || last === undefined) return null;
  if (!graph.usedOnce(inner) || !dimEquals(outer, last)) return null;
  return { product: inner, reshape: node };
}

/**
 * Puts the fused product in the place of `node`: through a Reshape, the product keeps its own
 * place in the order and the Reshape takes the name of what it replaces.
 */
function replace(
  graph: Rewriter,
  node: NodeDef,
  { product, reshape }: Target,
  fused: NodeDef,
): void {
  if (reshape === null) {
    graph.nodes.set(node.name, { ...fused, name: node.name });
    graph.nodes.delete(product.name);
    return;
  }
  graph.nodes.set(product.name, fused);
  graph.nodes.set(node.name, { ...reshape, name: node.name });
  graph.nodes.delete(reshape.name);
}

function canTakeBias(product: NodeDef): boolean {
  if (product.op === "MatMul")
    return !flag(product.attr, "transpose_a") && !flag(product.attr, "transpose_b");
  return product.op in fusedOps;
}

function flag(attrs: Attrs, name: string): boolean {
  const attr = attrs[name];
  return attr !== undefined && "b" in attr && attr.b;
}

/** `AddV2(product, bias)` -> fused product with `BiasAdd`. */
function fuseBias(graph: Rewriter, node: NodeDef): boolean {
  if (node.op !== "AddV2") return false;
  for (const [side, other] of [
    [node.input[0], node.input[1]],
    [node.input[1], node.input[0]],
  ]) {
    const found = target(graph, side);
    const bias = graph.get(other);
    const biasShape = bias?.outputs[0]?.shape;
    if (found === null || bias === undefined || biasShape?.length !== 1) continue;
    const channels = found.product.outputs[0]?.shape.at(-1);
    const isRightSize = channels !== undefined && dimEquals(biasShape[0] ?? -1, channels);
    if (sharesData.has(bias.op)) continue;
    if (!isRightSize || !canTakeBias(found.product)) continue;
    // Moved into the place of the product, the bias must exist there: only weights surely do.
    if (found.reshape !== null && bias.op !== "Const") continue;
    replace(graph, node, found, {
      ...found.product,
      op: fusedOps[found.product.op] ?? found.product.op,
      input: [...found.product.input, bias.name],
      attr: { ...found.product.attr, fused_ops: { listS: ["BiasAdd"] }, num_args: { i: 1 } },
    });
    return true;
  }
  return false;
}

/** Which activation a node is, and what it is applied to. */
function activationOf(
  graph: Rewriter,
  node: NodeDef,
): { readonly activation: Activation; readonly input: string | undefined } | null {
  const [first, second] = node.input;
  switch (node.op) {
    case "Sigmoid":
    case "Elu":
    case "Relu":
    case "Relu6":
      return { activation: node.op, input: first };
    case "Maximum":
      if (graph.scalar(second) === 0) return { activation: "Relu", input: first };
      if (graph.scalar(first) === 0) return { activation: "Relu", input: second };
      return null;
    case "Minimum": {
      const [value, limit] = graph.scalar(second) === undefined ? [second, first] : [first, second];
      const inner = graph.get(value);
      if (graph.scalar(limit) !== 6 || inner === undefined) return null;
      const attr = inner.attr.fused_ops;
      const isRelu = attr !== undefined && "listS" in attr && attr.listS[1] === "Relu";
      return isRelu ? { activation: "Relu6", input: value } : null;
    }
    default:
      return null;
  }
}

/** An activation after a fused bias joins it. */
function fuseActivation(graph: Rewriter, node: NodeDef): boolean {
  const found = activationOf(graph, node);
  if (found === null) return false;
  const place = target(graph, found.input);
  if (place === null || !fusedNames.has(place.product.op)) return false;
  const attr = place.product.attr.fused_ops;
  const names = attr !== undefined && "listS" in attr ? attr.listS : [];
  const upgrade = found.activation === "Relu6" && names[1] === "Relu";
  if (names.length !== 1 && !upgrade) return false;
  replace(graph, node, place, {
    ...place.product,
    attr: { ...place.product.attr, fused_ops: { listS: ["BiasAdd", found.activation] } },
  });
  return true;
}

/**
 * Fuses what can be fused.
 *
 * @param results references that must keep their names (outputs of the graph or function)
 */
export function fuseNodes(
  nodes: readonly NodeDef[],
  results: readonly string[],
  weights: ReadonlyMap<string, Weight>,
): readonly NodeDef[] {
  const graph = new Rewriter(nodes, results, weights);
  for (const { name } of nodes) {
    const node = graph.nodes.get(name);
    if (node === undefined) continue;
    if (!fuseBias(graph, node)) fuseActivation(graph, node);
  }
  return nodes.flatMap(({ name }) => graph.nodes.get(name) ?? []);
}
