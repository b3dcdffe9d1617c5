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

/** Error `params-mismatch`; `problems` are the same in data as the lines of the message. */
export class ParameterMismatchError extends Jax2TfjsError {
  readonly problems: readonly ParameterProblem[];

  constructor(
    problems: readonly ParameterProblem[],
    { note, fileNames }: { readonly note?: string; readonly fileNames: readonly string[] },
  ) {
    super("params-mismatch", describe(problems, note, fileNames), { fix: fixFor(problems) });
    this.name = "ParameterMismatchError";
    this.problems = problems;
  }
}

/** A file with more problems than this is another program's; the rest would not be read. */
const mostLines = 1000;
/** Above this many comparisons no similar names are looked for. */
const mostComparisons = 20_000;

function describe(
  problems: readonly ParameterProblem[],
  note: string | undefined,
  fileNames: readonly string[],
): string {
  const kinds = ["missing", "surplus", "shape", "dtype"] as const;
  const counts = kinds
    .map((kind) => ({ kind, count: problems.filter((problem) => problem.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(
      ({ kind, count }) =>
        `${count} ${kind === "shape" || kind === "dtype" ? `of another ${kind}` : kind}`,
    );
  const similar = similarNames(problems, fileNames);
  const lines = problems.slice(0, mostLines).map((problem) => {
    const kind = problem.kind.padEnd(7);
    if ("what" in problem) {
      return `  ${kind} ${problem.name} ${problem.what}`;
    }
    const guess = similar.get(problem);
    const hint = guess === undefined ? "" : ` (the file has ${guess})`;
    return `  ${kind} ${problem.name} ${problem.type}${hint}`;
  });
  if (problems.length > mostLines) lines.push(`  and ${problems.length - mostLines} more`);
  const head = `the parameters do not fit the program: ${counts.join(", ")}`;
  return [head, ...(note === undefined ? [] : [`  ${note}`]), ...lines].join("\n");
}

/** For each missing leaf the most similar name of the file, surplus ones before all others. */
function similarNames(
  problems: readonly ParameterProblem[],
  fileNames: readonly string[],
): ReadonlyMap<ParameterProblem, string> {
  const missing = problems.filter(({ kind }) => kind === "missing");
  const surplus = problems.filter(({ kind }) => kind === "surplus").map(({ name }) => name);
  const similar = new Map<ParameterProblem, string>();
  for (const problem of missing) {
    const isCheap = (names: readonly string[]): boolean =>
      names.length * missing.length <= mostComparisons;
    const guess =
      (isCheap(surplus) ? closestName(problem.name, surplus) : undefined) ??
      (isCheap(fileNames) ? closestName(problem.name, fileNames) : undefined);
    if (guess !== undefined) similar.set(problem, guess);
  }
  return similar;
}

function fixFor(problems: readonly ParameterProblem[]): string {
  const fixes = new Set<string>();
  for (const problem of problems) {
    if ("fix" in problem) fixes.add(problem.fix);
  }
  if (problems.some(({ kind }) => kind === "missing" || kind === "surplus")) {
    fixes.add(
      "save the same tree that the program was exported with, or choose a part of the file by prefix",
    );
  }
  if (fixes.size === 0) fixes.add("save the parameters that the program was exported with");
  return [...fixes].slice(0, 4).join("; ");
}
