/**
 * The one error for a parameter file that does not fit a program: all problems at once, each with
 * the name that was probably meant. Called by bind.ts.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { closestName } from "./names.js";

export type ParameterProblem =
  /** The program takes a leaf that the file has not. */
  | { readonly kind: "missing"; readonly name: string; readonly type: string }
  /** The file has a leaf that the program does not take. */
  | { readonly kind: "surplus"; readonly name: string; readonly type: string }
  /** A leaf has the right name, but not the right shape or dtype. */
  | {
      readonly kind: "shape" | "dtype";
      readonly name: string;
      readonly what: string;
      readonly fix?: string;
    };

/** What else is known about the failure. */
export interface MismatchContext {
  /** How the names were compared, if not as names. */
  readonly note?: string;
  /** The part of the file that would fit. */
  readonly prefix?: string;
}

/** Error `params-mismatch`; `problems` are the same in data as the lines of the message. */
export class ParameterMismatchError extends Jax2TfjsError {
  readonly problems: readonly ParameterProblem[];

  constructor(problems: readonly ParameterProblem[], { note, prefix }: MismatchContext = {}) {
    super("params-mismatch", describe(problems, note), { fix: fixFor(problems, prefix) });
    this.name = "ParameterMismatchError";
    this.problems = problems;
  }
}

/** A file with more problems than this is another program's; the rest would not be read. */
const mostLines = 1000;
/** Above this many comparisons no similar names are looked for. */
const mostComparisons = 20_000;

function describe(problems: readonly ParameterProblem[], note: string | undefined): string {
  const kinds = {
    missing: "missing",
    surplus: "surplus",
    shape: "of another shape",
    dtype: "of another dtype",
  };
  const counts = Object.entries(kinds)
    .map(([kind, text]) => ({ text, count: problems.filter((one) => one.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ text, count }) => `${count} ${text}`);
  const similar = similarNames(problems);
  const lines = problems.slice(0, mostLines).map((problem) => {
    const what = "what" in problem ? problem.what : problem.type;
    const guess = similar.get(problem);
    const hint = guess === undefined ? "" : ` (the file has ${guess})`;
    return `  ${problem.kind.padEnd(7)} ${problem.name} ${what}${hint}`;
  });
  if (problems.length > mostLines) lines.push(`  and ${problems.length - mostLines} more`);
  const head = `the parameters do not fit the program: ${counts.join(", ")}`;
  return [head, ...(note === undefined ? [] : [`  ${note}`]), ...lines].join("\n");
}

/** For each missing leaf the most similar name among the surplus ones. */
function similarNames(
  problems: readonly ParameterProblem[],
): ReadonlyMap<ParameterProblem, string> {
  const missing = problems.filter(({ kind }) => kind === "missing");
  const surplus = problems.filter(({ kind }) => kind === "surplus").map(({ name }) => name);
  const similar = new Map<ParameterProblem, string>();
  if (missing.length * surplus.length > mostComparisons) return similar;
  for (const problem of missing) {
    const guess = closestName(problem.name, surplus);
    if (guess !== undefined) similar.set(problem, guess);
  }
  return similar;
}

function fixFor(problems: readonly ParameterProblem[], prefix: string | undefined): string {
  const fixes = new Set<string>();
  for (const problem of problems) {
    if ("fix" in problem) fixes.add(problem.fix);
  }
  if (prefix !== undefined) {
    fixes.add(`take the part of the file below "${prefix}" by giving that as prefix`);
  } else if (problems.some(({ kind }) => kind === "missing")) {
    fixes.add(
      "save the same tree that the program was exported with, or give the prefix of the part of the file that holds it",
    );
  } else if (problems.some(({ kind }) => kind === "surplus")) {
    fixes.add("save the tree that the program was exported with, or let surplus leaves be ignored");
  }
  if (fixes.size === 0) fixes.add("save the parameters that the program was exported with");
  return [...fixes].slice(0, 4).join("; ");
}
