/**
 * Pairs the arrays of an npz file with the inputs (or outputs) of a program, by name or position.
 * Called by run, verify and conformance.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import type { HostArray } from "../ir/hostArray.js";
import { argumentProblems, leafType, type SignatureLeaf } from "../run/signature.js";

/** `0`, `arr_0`, `in_0`, `input_0`, `args_0`, `out_0`, `output_0`, `result_0`. */
const positional = /^(?:(?:arr|in|input|inputs|arg|args|out|output|outputs|result)_)?(\d+)$/;

/** The leaf that a key of a file means, or -1. */
function positionOf(key: string, leaves: readonly SignatureLeaf[]): number {
  const named = leaves.findIndex(({ name, path }) => name === key || path === key);
  if (named >= 0) return named;
  const digits = positional.exec(key)?.[1];
  const position = digits === undefined ? -1 : Number(digits);
  return position < leaves.length ? position : -1;
}

export interface Assignment {
  /** Per leaf its array, where the file has one. */
  readonly arrays: readonly (HostArray | undefined)[];
  /** What does not fit, one line each. */
  readonly problems: readonly string[];
}

/** Pairs arrays with leaves. Missing arrays are no problem here, unknown and double ones are. */
export function assignArrays(
  arrays: ReadonlyMap<string, HostArray>,
  leaves: readonly SignatureLeaf[],
): Assignment {
  const assigned: (HostArray | undefined)[] = leaves.map(() => undefined);
  const problems: string[] = [];
  for (const [key, array] of arrays) {
    const position = positionOf(key, leaves);
    if (position < 0) problems.push(`unknown ${key} (${leafType(array)})`);
    else if (assigned[position] !== undefined) problems.push(`${key} is given twice`);
    else assigned[position] = array;
  }
  return { arrays: assigned, problems };
}

/**
 * The arrays for all inputs, in order.
 *
 * @throws Jax2TfjsError `inputs-mismatch` that lists every missing, unknown and unfitting input
 */
export function inputArrays(
  arrays: ReadonlyMap<string, HostArray>,
  leaves: readonly SignatureLeaf[],
): readonly HostArray[] {
  const { arrays: assigned, problems } = assignArrays(arrays, leaves);
  const found: HostArray[] = [];
  const foundLeaves: SignatureLeaf[] = [];
  const missing: string[] = [];
  leaves.forEach((leaf, index) => {
    const array = assigned[index];
    if (array === undefined) missing.push(`missing ${leaf.name} (${leafType(leaf)})`);
    else {
      found.push(array);
      foundLeaves.push(leaf);
    }
  });
  const misfits = argumentProblems(foundLeaves, found).map((problem) => problem.message);
  const all = [...missing, ...problems, ...misfits];
  if (all.length === 0) return found;
  const names = leaves.map((leaf, index) => `${index}: ${leaf.name} ${leafType(leaf)}`);
  throw new Jax2TfjsError(
    "inputs-mismatch",
    `the inputs do not fit the program:\n${all.map((line) => `  ${line}`).join("\n")}`,
    { fix: `name the arrays by input or position: ${names.join(", ") || "it takes none"}` },
  );
}
