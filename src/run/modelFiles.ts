/**
 * A graph model as files hold it: the content of model.json and the weights' bytes. From a converted
 * model in memory, or checked after reading; and what its metadata say about calling it.
 */
import { isDType, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { ConvertedModel } from "../convert.js";
import { weightBytes, weightsByteLength } from "../lower/modelJson.js";
import type { SignatureLeaf } from "../runtime/callSignature.js";
import { corrupt, list, record, text, type JsonRecord } from "../runtime/json.js";
import { asyncOps, interfaceOfMetadata, type ModelInterface } from "../runtime/modelInterface.js";

export type { ModelInterface } from "../runtime/modelInterface.js";

/** One tensor of the signature of a model. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A node of the graph, as far as it is read here. */
export interface TopologyNode {
  readonly name: string;
  readonly op: string;
}

/** A weight in the order of the weight files. */
export interface WeightEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The dtype in the weight files, where another converter quantized it. */
  readonly storedDtype: string;
  /** The entry as model.json has it. */
  readonly json: JsonRecord;
}

/** What model.json holds, checked as far as it is used. */
export interface ModelDescription {
  /** All of model.json. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly nodes: readonly TopologyNode[];
  readonly functionNodes: readonly (readonly TopologyNode[])[];
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  readonly outputs: ReadonlyMap<string, TensorInfo>;
  readonly weights: readonly WeightEntry[];
  readonly weightPaths: readonly string[];
  /** The metadata that jax2tfjs wrote; null for models of other converters. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

/** A model with the bytes of its weights. */
export interface ModelFiles {
  readonly description: ModelDescription;
  readonly weightData: ArrayBuffer;
}

/** What `tf.io.fromMemory` takes for a graph model. */
export interface GraphModelArtifacts {
  readonly modelTopology: object;
  readonly weightSpecs: readonly object[];
  readonly weightData: ArrayBuffer;
  readonly signature?: object;
  readonly userDefinedMetadata?: object;
  readonly format: string;
  readonly generatedBy: string;
  readonly convertedBy: string;
}

/** A converted model as its files would be, without writing them. */
export function modelFilesOf(model: ConvertedModel): ModelFiles {
  const total = weightsByteLength(model.graph);
  const weightData = new Uint8Array(total);
  let offset = 0;
  for (const weight of model.graph.weights) {
    const bytes = weightBytes(weight);
    weightData.set(bytes, offset);
    offset += bytes.byteLength;
  }
  // Through text, so that what is run is what would be read back.
  const text = JSON.stringify(model.modelJson(["group1-shard1of1.bin"]));
  return { description: parseModelJson(text), weightData: weightData.buffer };
}

/**
 * A converted model as tfjs takes it from memory, in browsers and in Node:
 * `tf.loadGraphModel(tf.io.fromMemory(modelArtifacts(model)))`, or for a handler that saves.
 */
export function modelArtifacts(model: ConvertedModel): GraphModelArtifacts {
  return artifactsOf(modelFilesOf(model));
}

/** Model files as tfjs takes them. */
export function artifactsOf({ description, weightData }: ModelFiles): GraphModelArtifacts {
  const { json, weights } = description;
  const { signature, userDefinedMetadata } = json;
  return {
    modelTopology: record(json.modelTopology, "modelTopology"),
    weightSpecs: weights.map((weight) => weight.json),
    weightData,
    ...(signature === undefined ? {} : { signature: record(signature, "signature") }),
    ...(userDefinedMetadata === undefined
      ? {}
      : { userDefinedMetadata: record(userDefinedMetadata, "userDefinedMetadata") }),
    format: "graph-model",
    generatedBy: text(json.generatedBy ?? "", "generatedBy"),
    convertedBy: text(json.convertedBy ?? "", "convertedBy"),
  };
}

/**
 * Reads the content of a model.json.
 *
 * @throws Jax2TfjsError `model-corrupt` if it is not JSON or lacks what every graph model has,
 * `model-format` for a layers model
 */
export function parseModelJson(source: string): ModelDescription {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    throw corrupt(error instanceof Error ? error.message : String(error));
  }
  const json = record(parsed, "it");
  if (json.format === "layers-model") {
    throw new Jax2TfjsError("model-format", "the model is a layers model, not a graph model", {
      fix: "give a folder that jax2tfjs convert or tensorflowjs_converter wrote as a graph model",
    });
  }
  const topology = record(json.modelTopology, "modelTopology");
  const library = topology.library === undefined ? {} : record(topology.library, "library");
  const functions = list(library.function ?? [], "library.function");
  const signature = json.signature === undefined ? {} : record(json.signature, "signature");
  const groups = list(json.weightsManifest ?? [], "weightsManifest").map((group) =>
    record(group, "a group of weightsManifest"),
  );
  const user = json.userDefinedMetadata;
  const own = user === undefined ? undefined : record(user, "userDefinedMetadata").jax2tfjs;
  return {
    json,
    nodes: readNodes(topology.node, "node"),
    functionNodes: functions.map((item) =>
      readNodes(record(item, "a function").nodeDef, "nodeDef"),
    ),
    inputs: readTensors(signature.inputs, "signature.inputs"),
    outputs: readTensors(signature.outputs, "signature.outputs"),
    weights: groups.flatMap((group) => list(group.weights, "weights").map(readWeight)),
    weightPaths: groups.flatMap((group) =>
      list(group.paths, "paths").map((path) => text(path, "a path of weightsManifest")),
    ),
    metadata: own === undefined ? null : record(own, "userDefinedMetadata.jax2tfjs"),
  };
}

function readNodes(value: unknown, what: string): readonly TopologyNode[] {
  return list(value ?? [], what).map((item) => {
    const { name, op } = record(item, what);
    return { name: text(name, "a node's name"), op: text(op, "a node's op") };
  });
}

function readSizes(value: unknown): readonly number[] {
  return list(value, "a shape").map((size) => {
    const number = typeof size === "object" && size !== null ? (size as JsonRecord).size : size;
    const parsed = typeof number === "string" ? Number(number) : number;
    if (typeof parsed === "number" && Number.isInteger(parsed) && parsed >= -1) return parsed;
    throw corrupt("a size is no number");
  });
}

const dtypeOfEnum: Readonly<Record<string, string>> = {
  DT_FLOAT: "float32",
  DT_INT32: "int32",
  DT_BOOL: "bool",
  DT_COMPLEX64: "complex64",
};

function readTensors(value: unknown, what: string): ReadonlyMap<string, TensorInfo> {
  const entries = Object.entries(value === undefined ? {} : record(value, what));
  return new Map(
    entries.map(([key, item]) => {
      const { name, dtype, tensorShape } = record(item, `${what}.${key}`);
      const shape = tensorShape === undefined ? {} : record(tensorShape, "tensorShape");
      const info: TensorInfo = {
        name: text(name, "the name of a tensor"),
        dtype: dtypeOfEnum[text(dtype, "the dtype of a tensor")] ?? String(dtype),
        shape: readSizes(shape.dim ?? []),
      };
      return [key, info];
    }),
  );
}

function readWeight(value: unknown): WeightEntry {
  const json = record(value, "a weight");
  const { name, dtype, shape, quantization } = json;
  const element = text(dtype, "the dtype of a weight");
  const stored = quantization === undefined ? dtype : record(quantization, "quantization").dtype;
  return {
    name: text(name, "the name of a weight"),
    dtype: element,
    shape: readSizes(shape),
    storedDtype: text(stored, "the quantized dtype of a weight"),
    json,
  };
}

/** How a model is called, from the metadata of jax2tfjs or, without them, from its signature. */
export function interfaceOf(description: ModelDescription): ModelInterface {
  const { metadata } = description;
  if (metadata === null) return foreignInterface(description);
  return interfaceOfMetadata(metadata);
}

/** A model of another converter: one leaf per tensor, unknown sizes as variables of their own. */
function foreignInterface(description: ModelDescription): ModelInterface {
  let unknown = 0;
  const leaves = (tensors: ReadonlyMap<string, TensorInfo>): readonly SignatureLeaf[] =>
    [...tensors].map(([key, { dtype, shape }]) => {
      if (!isDType(dtype)) {
        const message = `the model takes or gives ${dtype} tensors (${key})`;
        throw new Jax2TfjsError("model-format", message, {
          fix: "only tensors of numbers and booleans are supported",
        });
      }
      const sizes = shape.map((size) => (size < 0 ? `d${unknown++}` : size));
      return { name: key, path: key, dtype: dtype satisfies DType, shape: sizes };
    });
  const [inputs, outputs] = [leaves(description.inputs), leaves(description.outputs)];
  const nodes = [description.nodes, ...description.functionNodes].flat();
  return {
    inputs,
    outputs,
    allInputs: inputs,
    constraints: [],
    inputKeys: inputs.map(({ name }) => [name]),
    outputKeys: outputs.map(({ name }) => [name]),
    inputPositions: inputs.map((_, index) => index),
    inTree: null,
    outTree: null,
    needsAsync: nodes.some(({ op }) => asyncOps.has(op)),
  };
}
