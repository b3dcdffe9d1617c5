/**
 * `jax2tfjs verify`: the results of an artifact or a saved model beside recorded ones.
 */
import { hostArray, type HostArray } from "../ir/hostArray.js";
import type { LoadedProgram } from "../run/loaded.js";
import { leafType } from "../run/signature.js";
import { compareArrays, type Comparison } from "./compare.js";
import { readArrays } from "./files.js";
import { loadForRun, type RunOptions } from "./load.js";
import { recordedRuns, type RecordedRun } from "./references.js";
import { formatNumber, print, printJson, Progress, table, type CommonOptions } from "./terminal.js";

export interface VerifyCommandOptions extends Omit<RunOptions, "onEquation">, CommonOptions {
  readonly reference: string;
  readonly rtol: number;
  readonly atol: number;
}

interface OutputResult extends Comparison {
  readonly run: string;
  readonly output: string;
  readonly type: string;
}

/** Compares all recorded outputs. @returns whether all agree */
export async function verifyCommand(path: string, options: VerifyCommandOptions): Promise<boolean> {
  const progress = new Progress(options);
  try {
    progress.update("loading", true);
    const arrays = readArrays(options.reference, "the reference");
    const loaded = await loadForRun(path, options);
    const results: OutputResult[] = [];
    for (const run of recordedRuns(arrays, loaded)) {
      progress.update(`running ${run.name}`, true);
      results.push(...(await compareRun(loaded, run, options)));
    }
    loaded.dispose();
    progress.done();
    report(results, options);
    return results.every(({ agrees }) => agrees);
  } finally {
    progress.done();
  }
}

async function compareRun(
  loaded: LoadedProgram,
  run: RecordedRun,
  tolerance: VerifyCommandOptions,
): Promise<readonly OutputResult[]> {
  const outputs = await loaded.run(run.inputs);
  return outputs.flatMap((actual, index): OutputResult[] => {
    const expected = run.outputs[index];
    if (expected === undefined) return [];
    const comparison = compareArrays(actual, recordedAs(actual, expected), tolerance);
    const output = loaded.outputs[index]?.name ?? String(index);
    return [{ run: run.name, output, type: leafType(expected), ...comparison }];
  });
}

/** NumPy files hold bfloat16 as uint16 where ml_dtypes is not at hand. */
export function recordedAs(actual: HostArray, expected: HostArray): HostArray {
  const holdsBits = actual.dtype === "bfloat16" && expected.dtype === "uint16";
  return holdsBits ? hostArray("bfloat16", expected.shape, expected.bytes) : expected;
}

function report(results: readonly OutputResult[], options: VerifyCommandOptions): void {
  const agrees = results.every((result) => result.agrees);
  const { rtol, atol, backend } = options;
  if (options.json === true) {
    printJson({ agrees, rtol, atol, backend, eager: options.eager ?? false, outputs: results });
    return;
  }
  const rows = results.map((result) => [
    result.agrees ? "ok" : "DIFFERS",
    result.run,
    result.output,
    result.type,
    `max abs ${formatNumber(result.maxAbsoluteError)}`,
    `max rel ${formatNumber(result.maxRelativeError)}`,
    result.problem,
  ]);
  const verdict = agrees ? "all outputs agree" : "the outputs differ";
  print(...table(rows, ""), `${verdict} (${backend}, rtol ${rtol}, atol ${atol})`);
}
