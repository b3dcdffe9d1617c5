/**
 * Runs recorded in an npz file: which arrays are inputs and outputs of which run. Called by verify.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import type { HostArray } from "../ir/hostArray.js";
import type { LoadedProgram } from "../run/loaded.js";
import { assignArrays, inputArrays } from "./inputArrays.js";

/** One recorded run. */
export interface RecordedRun {
  /** What comes before `in_0` in the keys, such as `b5`; empty if there is one run. */
  readonly name: string;
  readonly inputs: readonly HostArray[];
  /** Per output its recorded array; an output may be left out. */
  readonly outputs: readonly (HostArray | undefined)[];
}

/** `b1_in_0`, `in_0`, `input_0`, `b5_inputs_0`. */
const numbered = /^(?:(.*)[_/])?(in|input|inputs|out|output|outputs)_(\d+)$/;
/** `inputs/image`, `b1/outputs/logits`. */
const named = /^(?:(.*)\/)?(in|input|inputs|out|output|outputs)\/(.+)$/;

interface RunKeys {
  readonly inputs: Map<string, HostArray>;
  readonly outputs: Map<string, HostArray>;
}

function groupKeys(arrays: ReadonlyMap<string, HostArray>): {
  readonly runs: ReadonlyMap<string, RunKeys>;
  readonly unknown: readonly string[];
} {
  const runs = new Map<string, RunKeys>();
  const unknown: string[] = [];
  for (const [key, array] of arrays) {
    const [, run = "", side, name] = numbered.exec(key) ?? named.exec(key) ?? [];
    if (side === undefined || name === undefined) {
      unknown.push(key);
      continue;
    }
    let keys = runs.get(run);
    if (keys === undefined) runs.set(run, (keys = { inputs: new Map(), outputs: new Map() }));
    (side.startsWith("in") ? keys.inputs : keys.outputs).set(name, array);
  }
  return { runs, unknown };
}

/**
 * The runs of a reference file.
 *
 * @throws Jax2TfjsError `reference-keys` if it has none or other keys, `inputs-mismatch` if
 * inputs are missing or do not fit
 */
export function recordedRuns(
  arrays: ReadonlyMap<string, HostArray>,
  program: Pick<LoadedProgram, "inputs" | "outputs">,
): readonly RecordedRun[] {
  const { runs, unknown } = groupKeys(arrays);
  const recorded = [...runs].map(([name, { inputs, outputs }]): RecordedRun => {
    const { arrays: assigned, problems } = assignArrays(outputs, program.outputs);
    if (problems.length > 0) throw wrongKeys(problems);
    return { name, inputs: inputArrays(inputs, program.inputs), outputs: assigned };
  });
  if (unknown.length > 0) throw wrongKeys(unknown.map((key) => `unknown ${key}`));
  const compared = recorded.some(({ outputs }) => outputs.some((array) => array !== undefined));
  if (!compared) throw wrongKeys(["it records no outputs"]);
  return recorded;
}

function wrongKeys(problems: readonly string[]): Jax2TfjsError {
  return new Jax2TfjsError(
    "reference-keys",
    `the reference file does not fit:\n${problems.map((line) => `  ${line}`).join("\n")}`,
    {
      fix:
        "name its arrays in_0, in_1, …, out_0, … in flattened order (with a prefix such as b1_ for " +
        "each of several runs), or inputs/NAME and outputs/NAME",
    },
  );
}
