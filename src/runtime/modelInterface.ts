/**
 * How a saved model is called, read from the metadata that jax2tfjs wrote into its model.json. Used
 * by the loader of this folder and, for the command line, by src/run.
 */
import { isDType } from "../ir/dtypes.js";
import { argumentPaths } from "./argumentPaths.js";
import {
  safetyChecks,
  storedDType,
  type CallSignature,
  type SafetyCheck,
  type SignatureLeaf,
} from "./callSignature.js";
import { corrupt, list, record, text, type JsonRecord } from "./json.js";
import { countLeaves, readTree, type TreeDescription } from "./pytree.js";

/** How a model is called: its signature, and the tensors that each leaf is made of. */
export interface ModelInterface extends CallSignature {
  /** Per input, the keys of its tensors in the model's signature: two for a complex pair. */
  readonly inputKeys: readonly (readonly string[])[];
  readonly outputKeys: readonly (readonly string[])[];
  readonly needsAsync: boolean;
  /** Positions of `inputs` among all flattened arguments. */
  readonly inputPositions: readonly number[];
  /** `((arg, …), {kwarg: …})`; null if the model does not tell. */
  readonly inTree: TreeDescription | null;
  readonly outTree: TreeDescription | null;
}

interface MetadataLeaf extends SignatureLeaf {
  /** Null for a bound parameter. */
  readonly keys: readonly string[] | null;
}

/** Leaves of the metadata; `paths` has what JAX's messages call them, where it is known. */
function readLeaves(
  value: unknown,
  what: string,
  paths: readonly string[] = [],
): readonly MetadataLeaf[] {
  return list(value, what).map((item, index) => {
    const { name, dtype, shape, tensors } = record(item, what);
    const element = text(dtype, "a dtype");
    if (!isDType(element)) throw corrupt(`${element} is no dtype`);
    const leafName = text(name, "a name");
    return {
      name: leafName,
      path: paths[index] ?? leafName,
      dtype: storedDType(element),
      shape: list(shape, "a shape").map((size) => {
        if (typeof size === "number" || typeof size === "string") return size;
        throw corrupt("a size is neither number nor text");
      }),
      keys: tensors === undefined ? null : list(tensors, "tensors").map((key) => text(key, "key")),
    };
  });
}

/** A tree of the metadata, if it has as many leaves as there are. */
function treeOf(value: unknown, leaves: readonly MetadataLeaf[]): TreeDescription | null {
  if (value === undefined) return null;
  const tree = readTree(value);
  return countLeaves(tree) === leaves.length ? tree : null;
}

function readChecks(value: unknown): readonly SafetyCheck[] {
  return list(value ?? [], "disabledChecks").map((item) => {
    const known = safetyChecks.find((check) => check === item);
    if (known === undefined) throw corrupt("disabledChecks holds an unknown check");
    return known;
  });
}

/**
 * How a model is called, from the metadata of jax2tfjs.
 *
 * @param metadata `userDefinedMetadata.jax2tfjs`
 * @throws Jax2TfjsError `model-corrupt`
 */
export function interfaceOfMetadata(metadata: JsonRecord): ModelInterface {
  const paths = metadata.inTree === undefined ? [] : argumentPaths(readTree(metadata.inTree));
  const inputs = readLeaves(metadata.inputs, "inputs", paths);
  const outputs = readLeaves(metadata.outputs, "outputs");
  const fed = inputs.filter((leaf) => leaf.keys !== null);
  return {
    inputs: fed,
    outputs,
    allInputs: inputs,
    constraints: list(metadata.constraints ?? [], "constraints").map((item) => text(item, "it")),
    disabledChecks: readChecks(metadata.disabledChecks),
    inputKeys: fed.map((leaf) => leaf.keys ?? []),
    outputKeys: outputs.map((leaf) => leaf.keys ?? []),
    needsAsync: metadata.execute === "executeAsync",
    inputPositions: fed.map((leaf) => inputs.indexOf(leaf)),
    inTree: treeOf(metadata.inTree, inputs),
    outTree: treeOf(metadata.outTree, outputs),
  };
}

/** Ops that only `executeAsync` runs: loops, conditionals and data-dependent sizes. */
export const asyncOps: ReadonlySet<string> = new Set([
  "StatelessWhile",
  "While",
  "StatelessIf",
  "If",
  "Switch",
  "Merge",
]);
