/**
 * What a conformance run found: counts per group, failures by cause. Called by the command.
 */
import { formatCount, plural, table } from "../terminal.js";
import type { CaseOutcome } from "./checkCase.js";
import type { NamedCase, Transform } from "./corpus.js";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface Failure {
  readonly group: string;
  readonly id: string;
  readonly name: string;
  /** An error code with its primitive, `numbers`, `refusal`, `timeout` or `crash: …`. */
  readonly cause: string;
  readonly message: string;
}

/** One case in short. */
export interface CaseSummary {
  readonly group: string;
  readonly id: string;
  readonly name: string;
  /** Of the first input, else of the first result; null for models. */
  readonly dtype: string | null;
  readonly status: CaseOutcome["status"];
  readonly nodes: number | null;
}

/** The content of `--json`. */
export interface ConformanceResult extends Counts {
  readonly backend: string;
  readonly mode: "graph" | "eager";
  /** What was checked instead of the programs themselves. */
  readonly transform?: Transform;
  readonly groups: Readonly<Record<string, Counts>>;
  readonly failures: readonly Failure[];
  /** Median of the nodes of the cases that were converted; null in eager mode. */
  readonly medianNodes: number | null;
  readonly seconds: number;
  /** All cases, by group and id. */
  readonly cases: readonly CaseSummary[];
}

const noCounts = (): Counts => ({ passed: 0, failed: 0, skipped: 0 });

/** Collects outcomes in whatever order they come. */
export class ConformanceReport {
  readonly #total = noCounts();
  readonly #groups = new Map<string, Counts>();
  readonly #failures: Failure[] = [];
  readonly #cases: CaseSummary[] = [];
  readonly #start = performance.now();

  constructor(cases: readonly NamedCase[]) {
    for (const { group } of cases) this.#groups.set(group, noCounts());
  }

  add(named: NamedCase, outcome: CaseOutcome): void {
    const { group, id, name } = named;
    const { status, nodes } = outcome;
    this.#total[outcome.status]++;
    const counts = this.#groups.get(group);
    if (counts !== undefined) counts[outcome.status]++;
    this.#cases.push({ group, id, name, dtype: dtypeOf(named), status, nodes });
    if (outcome.status !== "failed") return;
    this.#failures.push({ group, id, name, cause: outcome.cause, message: outcome.message });
  }

  get finished(): number {
    return this.#total.passed + this.#total.failed + this.#total.skipped;
  }

  get failed(): number {
    return this.#total.failed;
  }

  result(backend: string, mode: "graph" | "eager", transform?: Transform): ConformanceResult {
    return {
      ...this.#total,
      backend,
      mode,
      ...(transform === undefined ? {} : { transform }),
      groups: Object.fromEntries(this.#groups),
      failures: this.#failures.toSorted(byIdentity),
      medianNodes: median(this.#cases.flatMap(({ nodes }) => nodes ?? [])),
      seconds: Math.round((performance.now() - this.#start) / 10) / 100,
      cases: this.#cases.toSorted(byIdentity),
    };
  }
}

type Identity = Pick<CaseSummary, "group" | "id">;

function byIdentity(a: Identity, b: Identity): number {
  const key = ({ group, id }: Identity): string => `${group}/${id}`;
  return key(a) < key(b) ? -1 : 1;
}

function dtypeOf({ case: item }: NamedCase): string | null {
  switch (item.kind) {
    case "primitive":
      return (item.data.inputs[0] ?? item.data.outputs[0])?.dtype ?? null;
    case "shape-poly":
      return item.data.runs[0]?.inputs[0]?.dtype ?? null;
    case "model":
      return null;
  }
}

function median(numbers: readonly number[]): number | null {
  if (numbers.length === 0) return null;
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Names of cases per cause before the list is cut. */
const shownPerCause = 6;

/** The result as text: a table of groups, then failures by cause, most frequent first. */
export function reportLines(result: ConformanceResult): readonly string[] {
  const rows = Object.entries(result.groups).map(([group, { passed, failed, skipped }]) => [
    group,
    String(passed),
    String(failed),
    String(skipped),
  ]);
  const causes = new Map<string, Failure[]>();
  for (const failure of result.failures) {
    causes.set(failure.cause, [...(causes.get(failure.cause) ?? []), failure]);
  }
  const byCount = [...causes].toSorted(([, a], [, b]) => b.length - a.length);
  const failures = byCount.flatMap(([cause, list]) => [
    `  ${list.length} × ${cause}`,
    `      ${shownIds(list)}`,
  ]);
  const nodes = result.medianNodes === null ? "" : `, median ${result.medianNodes} nodes`;
  return [
    ...table([["group", "passed", "failed", "skipped"], ...rows], ""),
    ...(failures.length === 0 ? [] : ["", "failures by cause", ...failures]),
    "",
    `${plural(result.passed + result.failed + result.skipped, "case")} on ${result.backend}, ` +
      `${result.mode}${nodes}, ${result.seconds.toFixed(1)} s`,
    `${formatCount(result.passed)} passed, ${formatCount(result.failed)} failed, ` +
      `${formatCount(result.skipped)} skipped`,
  ];
}

function shownIds(failures: readonly Failure[]): string {
  const ids = failures.map(({ group, id }) => `${group}/${id}`);
  const shown = ids.slice(0, shownPerCause).join(" ");
  return ids.length > shownPerCause ? `${shown} … ${ids.length - shownPerCause} more` : shown;
}
