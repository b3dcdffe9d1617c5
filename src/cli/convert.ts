/**
 * `jax2tfjs convert`: artifact to graph model on disk. Must not load tfjs, for the sake of its
 * start-up time.
 */
import { convert, type ConvertedModel } from "../convert.js";
import type { Program } from "../import/program.js";
import type { Backend } from "../ir/tf.js";
import { saveModelToFolder, type SavedModel } from "../node/saveModel.js";
import type { SafetyCheck } from "../runtime/callSignature.js";
import { readFile } from "./files.js";
import {
  bindParameterFiles,
  checkDimensionNames,
  importArtifact,
  type ParameterOptions,
} from "./load.js";
import {
  formatBytes,
  formatCount,
  plural,
  print,
  printJson,
  printWarnings,
  Progress,
  table,
  type CommonOptions,
} from "./terminal.js";

export interface ConvertCommandOptions extends ParameterOptions, CommonOptions {
  readonly backends?: readonly Backend[];
  readonly set?: ReadonlyMap<string, number>;
  readonly sync?: boolean;
  readonly unroll?: number;
  readonly force?: boolean;
  readonly shardBytes?: number;
  readonly weight_shard_size_bytes?: number;
  readonly strictDtypes?: boolean;
  readonly disableChecks?: readonly SafetyCheck[];
  readonly optimize: boolean;
}

/** Converts an artifact and prints a summary. */
export function convertCommand(
  artifact: string,
  outDir: string,
  options: ConvertCommandOptions,
): void {
  const start = performance.now();
  const progress = new Progress(options);
  try {
    progress.update("reading the artifact", true);
    const program = importArtifact(readFile(artifact, "the artifact"), options.strictDtypes);
    checkDimensionNames(program, options.set);
    const opened = bindParameterFiles(program, options);
    try {
      progress.update("converting", true);
      const { parameters } = opened;
      const model = convert(program, convertOptions(options, parameters));
      const saved = saveModelToFolder(model, outDir, {
        ...saveOptions(options),
        onProgress: (done, total) => {
          progress.update(`writing weights ${formatBytes(done)} of ${formatBytes(total)}`);
        },
      });
      progress.done();
      const seconds = (performance.now() - start) / 1000;
      report({ program, model, saved, seconds }, options);
    } finally {
      opened.close();
    }
  } finally {
    progress.done();
  }
}

function convertOptions(
  options: ConvertCommandOptions,
  parameters: NonNullable<Parameters<typeof convert>[1]>["parameters"],
): Parameters<typeof convert>[1] {
  return {
    ...(parameters === undefined ? {} : { parameters }),
    ...(options.backends === undefined ? {} : { backends: options.backends }),
    ...(options.set === undefined ? {} : { dimensions: options.set }),
    ...(options.unroll === undefined ? {} : { unrollBudget: options.unroll }),
    ...(options.disableChecks === undefined ? {} : { disabledChecks: options.disableChecks }),
    sync: options.sync ?? false,
    optimize: options.optimize,
  };
}

function saveOptions(options: ConvertCommandOptions): { force: boolean; shardBytes?: number } {
  const shardBytes = options.shardBytes ?? options.weight_shard_size_bytes;
  return { force: options.force ?? false, ...(shardBytes === undefined ? {} : { shardBytes }) };
}

interface Outcome {
  readonly program: Program;
  readonly model: ConvertedModel;
  readonly saved: SavedModel;
  readonly seconds: number;
}

function report(outcome: Outcome, options: ConvertCommandOptions): void {
  const { model } = outcome;
  printWarnings(model.warnings, options);
  if (options.json === true) printJson(summary(outcome));
  else if (options.quiet !== true) print(...summaryLines(outcome));
}

const tensorEntries = (
  entries: ConvertedModel["graph"]["inputs"],
): { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[] =>
  entries.map(({ key, dtype, shape }) => ({ name: key, dtype, shape }));

function nodeCount({ graph }: ConvertedModel): number {
  return graph.functions.reduce((sum, { nodes }) => sum + nodes.length, graph.nodes.length);
}

/** What `--json` prints. */
function summary({ model, saved, seconds }: Outcome): Readonly<Record<string, unknown>> {
  const { graph } = model;
  return {
    directory: saved.directory,
    files: saved.files,
    inputs: tensorEntries(graph.inputs),
    outputs: tensorEntries(graph.outputs),
    nodes: nodeCount(model),
    weights: graph.weights.length,
    weightBytes: saved.weightBytes,
    execute: graph.needsAsync ? "executeAsync" : "execute",
    warnings: model.warnings,
    seconds,
  };
}

/** More rows than this say less, not more. */
const mostRows = 12;

function entryLines(title: string, entries: ReturnType<typeof tensorEntries>): readonly string[] {
  const rows = entries
    .slice(0, mostRows)
    .map(({ name, dtype, shape }) => [name, `${dtype}[${shape.join(",").replaceAll("-1", "?")}]`]);
  const more = entries.length - rows.length;
  return [title, ...table(rows), ...(more > 0 ? [`  … ${more} more`] : [])];
}

function summaryLines({ program, model, saved, seconds }: Outcome): readonly string[] {
  const { graph } = model;
  const shards = saved.files.length - 1;
  const rows = [
    ["nodes", formatCount(nodeCount(model))],
    ["weights", `${formatCount(graph.weights.length)}, ${formatBytes(saved.weightBytes)}`],
    ["files", `model.json, ${plural(shards, "weight file")}`],
    ["run with", graph.needsAsync ? "model.executeAsync" : "model.execute"],
    ["time", `${seconds.toFixed(2)} s`],
  ];
  const name = program.name === "" ? "program" : program.name;
  return [
    `${name} -> ${saved.directory}`,
    ...entryLines("inputs", tensorEntries(graph.inputs)),
    ...entryLines("outputs", tensorEntries(graph.outputs)),
    ...table(rows, ""),
  ];
}
