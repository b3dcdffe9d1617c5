/**
 * `jax2tfjs run`: runs an artifact or a saved model on arrays of an npz file.
 */
import { writeNpz } from "../files/npz.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { HostArray } from "../ir/hostArray.js";
import type { LoadedProgram } from "../run/loaded.js";
import { leafType } from "../run/signature.js";
import { readArrays, writeFile } from "./files.js";
import { inputArrays } from "./inputArrays.js";
import { loadForRun, type RunOptions } from "./load.js";
import { arrayStatistics, describeStatistics, previewOf } from "./statistics.js";
import { print, printJson, Progress, table, type CommonOptions } from "./terminal.js";
import { EquationTrace } from "./trace.js";

export interface RunCommandOptions extends Omit<RunOptions, "onEquation">, CommonOptions {
  readonly inputs?: string;
  readonly out?: string;
  readonly trace?: boolean;
  readonly checkNans?: boolean;
}

/** Runs a program and prints a summary of its outputs. */
export async function runCommand(path: string, options: RunCommandOptions): Promise<void> {
  const traces = options.trace === true || options.checkNans === true;
  if (traces && options.eager !== true) {
    throw new Jax2TfjsError("usage", "--trace and --check-nans look at equations", {
      fix: "add --eager",
    });
  }
  const progress = new Progress(options);
  try {
    progress.update("loading", true);
    const given = options.inputs === undefined ? undefined : readArrays(options.inputs, "inputs");
    const trace = traces
      ? new EquationTrace({
          print: options.trace === true && options.json !== true && options.quiet !== true,
          keep: options.trace === true && options.json === true,
          checkNans: options.checkNans === true,
        })
      : undefined;
    const loaded = await loadForRun(path, {
      ...options,
      ...(trace === undefined ? {} : { onEquation: (event) => trace.add(event) }),
    });
    const inputs = inputArrays(given ?? new Map(), loaded.inputs);
    loaded.check(inputs);
    progress.update("running", true);
    if (trace !== undefined) progress.done();
    const start = performance.now();
    const outputs = await loaded.run(inputs);
    const seconds = (performance.now() - start) / 1000;
    progress.done();
    if (options.out !== undefined) writeFile(options.out, npzOf(loaded, outputs));
    report(loaded, outputs, { seconds, trace }, options);
    loaded.dispose();
  } finally {
    progress.done();
  }
}

function npzOf(loaded: LoadedProgram, outputs: readonly HostArray[]): Uint8Array {
  return writeNpz(
    outputs.map((array, index) => [loaded.outputs[index]?.name ?? `result_${index}`, array]),
  );
}

function report(
  loaded: LoadedProgram,
  outputs: readonly HostArray[],
  { seconds, trace }: { readonly seconds: number; readonly trace: EquationTrace | undefined },
  options: RunCommandOptions,
): void {
  if (options.json === true) {
    printJson({
      outputs: outputs.map((array, index) => ({
        name: loaded.outputs[index]?.name,
        dtype: array.dtype,
        shape: array.shape,
        ...arrayStatistics(array),
      })),
      backend: options.backend,
      seconds,
      ...(trace?.kept === undefined ? {} : { trace: trace.kept }),
    });
    return;
  }
  if (options.quiet === true) return;
  const rows = outputs.map((array, index) => {
    const statistics = arrayStatistics(array);
    return [
      loaded.outputs[index]?.name ?? "",
      leafType(array),
      statistics === null ? "" : describeStatistics(statistics),
      previewOf(array),
    ];
  });
  print(...table(rows, ""));
  if (options.out !== undefined) print(`written to ${options.out}`);
  print(`${options.backend}${options.eager === true ? ", eager" : ""}, ${seconds.toFixed(3)} s`);
}
