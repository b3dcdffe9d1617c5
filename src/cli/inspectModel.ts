/**
 * Describes a saved graph model: signature, weights, nodes per op, origin. Called by inspect.
 */
import { dirname } from "node:path";
import { Jax2TfjsError } from "../ir/errors.js";
import { byteLengthOf } from "../ir/hostArray.js";
import { isDType } from "../ir/dtypes.js";
import { interfaceOf, type ModelDescription } from "../run/modelFiles.js";
import type { SignatureLeaf } from "../run/signature.js";
import { sortedCounts } from "./cost.js";
import type { InspectCommandOptions } from "./inspect.js";
import { expectedWeightBytes, readDescription } from "./savedModel.js";
import { formatBytes, plural, print, printJson, printWarnings, table } from "./terminal.js";

/** Prints the description of the model whose model.json is at `path`. */
export function inspectModel(path: string, options: InspectCommandOptions): void {
  if (options.jaxpr === true || options.mlir === true) {
    throw new Jax2TfjsError("usage", "a saved model holds TensorFlow nodes, no jaxpr", {
      fix: "give the artifact that it was converted from",
    });
  }
  const description = describeModel(path, readDescription(path));
  if (options.json === true) printJson(description);
  else printModel(description);
  printWarnings(description.warnings, options);
}

type Description = ReturnType<typeof describeModel>;

function describeModel(path: string, model: ModelDescription) {
  const { inputs, outputs, allInputs, needsAsync, constraints, inputKeys, outputKeys } =
    interfaceOf(model);
  const leaves = (all: readonly SignatureLeaf[], keys: readonly (readonly string[])[]) =>
    all.map(({ name, dtype, shape }, index) => ({
      name,
      dtype,
      shape,
      tensors: keys[index] ?? [],
    }));
  const { metadata, json } = model;
  const warnings = metadata?.warnings;
  return {
    directory: dirname(path),
    kind: "graph-model",
    convertedBy: typeof json.convertedBy === "string" ? json.convertedBy : null,
    name: typeof metadata?.name === "string" ? metadata.name : null,
    source: metadata?.source ?? null,
    backends: metadata?.backends ?? null,
    execute: needsAsync ? "executeAsync" : "execute",
    inputs: leaves(inputs, inputKeys),
    outputs: leaves(outputs, outputKeys),
    parameters: allInputs.length - inputs.length,
    constraints,
    weights: model.weights.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      bytes: isDType(dtype) ? byteLengthOf(dtype, shape) : 0,
    })),
    weightBytes: expectedWeightBytes(model),
    files: ["model.json", ...model.weightPaths],
    nodes: model.nodes.length,
    functions: model.functionNodes.length,
    operations: Object.fromEntries(nodeCounts(model)),
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
  };
}

function nodeCounts(model: ModelDescription): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { op } of [model.nodes, ...model.functionNodes].flat()) {
    counts.set(op, (counts.get(op) ?? 0) + 1);
  }
  return sortedCounts(counts);
}

function printModel(model: Description): void {
  const rows = (leaves: Description["inputs"]): string[] =>
    table(
      leaves.map(({ name, dtype, shape, tensors }) => [
        name,
        `${dtype}[${shape.join(",")}]`,
        // Complex values, and uint32 where it may run on a GPU, cross the border in two parts.
        ...(tensors.length > 1 ? [`as ${tensors.join(" and ")}`] : []),
      ]),
    );
  const weights = model.weights.map(({ name, dtype, shape, bytes }) => [
    name,
    `${dtype}[${shape.join(",")}]`,
    formatBytes(bytes),
  ]);
  const constraints =
    model.constraints.length > 0 ? [`constraints  ${model.constraints.join(", ")}`] : [];
  print(
    `${model.directory}: graph model${model.name === null ? "" : ` of ${model.name}`}`,
    ...table([
      ["written by", model.convertedBy ?? "unknown"],
      ["run with", `model.${model.execute}`],
      ["files", `model.json, ${plural(model.files.length - 1, "weight file")}`],
    ]),
    "inputs",
    ...rows(model.inputs),
    "outputs",
    ...rows(model.outputs),
    ...constraints,
    `${plural(model.weights.length, "weight")}, ${formatBytes(model.weightBytes)}`,
    ...table(weights),
    `${plural(model.nodes, "node")}, ${plural(model.functions, "function")}`,
    ...table(Object.entries(model.operations).map(([op, count]) => [op, String(count)])),
  );
}
