/**
 * A graph in the `graph-model` format of TensorFlow.js: the topology as JSON, weight
 * specifications, and the weights' bytes one after another. Writing them to disk is src/node's work.
 */
import { byteLengthOf } from "../ir/hostArray.js";
import type { AttrValue, Attrs, TfDtype } from "../ir/tf.js";
import { canonicalBytes } from "./arrays.js";
import type { FunctionDef, Graph, NodeDef, SignatureEntry, Weight } from "./graph.js";

const tfTypes: Readonly<Record<TfDtype, string>> = {
  float32: "DT_FLOAT",
  int32: "DT_INT32",
  bool: "DT_BOOL",
  complex64: "DT_COMPLEX64",
};

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TfDtype;
}

export interface WeightsGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

/** What model.json holds. */
export interface ModelJson {
  readonly format: "graph-model";
  readonly generatedBy: string;
  readonly convertedBy: string;
  readonly signature: Json;
  readonly modelTopology: Json;
  readonly weightsManifest: readonly WeightsGroup[];
  readonly userDefinedMetadata: Json;
}

const base64 = (text: string): string => btoa(text);
const shapeJson = (shape: readonly number[]): Json => ({
  dim: shape.map((size) => ({ size: String(size) })),
});

function attrJson(value: AttrValue): Json {
  if ("type" in value) return { type: tfTypes[value.type] };
  if ("i" in value) return { i: String(value.i) };
  if ("f" in value) return { f: value.f };
  if ("b" in value) return { b: value.b };
  if ("s" in value) return { s: base64(value.s) };
  if ("shape" in value) return { shape: shapeJson(value.shape) };
  if ("func" in value) return { func: { name: value.func, attr: {} } };
  if ("listI" in value) return { list: { i: value.listI.map(String) } };
  if ("listS" in value) return { list: { s: value.listS.map(base64) } };
  return { list: { type: value.listType.map((type) => tfTypes[type]) } };
}

function attrsJson(attrs: Attrs): Json {
  return Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, attrJson(value)]));
}

function nodeJson(node: NodeDef): Json {
  return {
    name: node.name,
    op: node.op,
    ...(node.input.length > 0 ? { input: node.input } : {}),
    attr: attrsJson(node.attr),
  };
}

function functionJson(definition: FunctionDef): Json {
  const args = (list: FunctionDef["inputs"]): Json =>
    list.map(({ name, dtype }) => ({ name, type: tfTypes[dtype] }));
  return {
    signature: {
      name: definition.name,
      inputArg: args(definition.inputs),
      outputArg: args(definition.outputs),
    },
    nodeDef: definition.nodes.map(nodeJson),
    ret: definition.ret,
  };
}

/** The GraphDef of a graph as JSON. */
export function topologyJson(graph: Graph): Json {
  return {
    node: graph.nodes.map(nodeJson),
    library: { function: graph.functions.map(functionJson) },
    versions: { producer: 1 },
  };
}

/** Inputs and outputs in flattened pytree order, under the names the user knows. */
export function signatureJson(graph: Graph): Json {
  const entries = (list: readonly SignatureEntry[]): Json =>
    Object.fromEntries(
      list.map(({ key, tensor, dtype, shape }) => [
        key,
        { name: `${tensor}:0`, dtype: tfTypes[dtype], tensorShape: shapeJson(shape) },
      ]),
    );
  return { inputs: entries(graph.inputs), outputs: entries(graph.outputs) };
}

export function weightSpecs(graph: Graph): readonly WeightSpec[] {
  return graph.weights.map(({ name, shape, dtype }) => ({ name, shape, dtype }));
}

/** Bytes of all weights together. */
export function weightsByteLength(graph: Graph): number {
  return graph.weights.reduce((sum, { dtype, shape }) => sum + byteLengthOf(dtype, shape), 0);
}

/** The bytes of one weight as the shards hold them. */
export function weightBytes(weight: Weight): Uint8Array {
  return canonicalBytes(weight.source.read(), weight.dtype).bytes;
}

export interface ModelJsonOptions {
  readonly version: string;
  readonly paths: readonly string[];
  readonly metadata: Json;
}

/** The content of model.json, whose shards are the files of `paths`. */
export function modelJson(graph: Graph, { version, paths, metadata }: ModelJsonOptions): ModelJson {
  return {
    format: "graph-model",
    generatedBy: `jax2tfjs ${version}`,
    convertedBy: `jax2tfjs ${version}`,
    signature: signatureJson(graph),
    modelTopology: topologyJson(graph),
    weightsManifest: [{ paths, weights: weightSpecs(graph) }],
    userDefinedMetadata: metadata,
  };
}
