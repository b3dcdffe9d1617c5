/**
 * What a conformance run found: counts per group, failures by cause. Called by the command.
 */
import { formatCount, plural, table } from "../terminal.js";
import type { CaseOutcome } from "./checkCase.js";
import type { NamedCase } from "./corpus.js";

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

/** The content of `--json`. */
export interface ConformanceResult extends Counts {
  readonly backend: string;
  readonly mode: "graph" | "eager";
  readonly groups: Readonly<Record<string, Counts>>;
  readonly failures: readonly Failure[];
  /** Median of the nodes of the cases that were converted; null in eager mode. */
  readonly medianNodes: number | null;
  readonly seconds: number;
}

const noCounts = (): Counts => ({ passed: 0, failed: 0, skipped: 0 });

/** Collects outcomes in whatever order they come. */
export class ConformanceReport {
  readonly #total = noCounts();
  readonly #groups = new Map<string, Counts>();
  readonly #failures: Failure[] = [];
  readonly #nodes: number[] = [];
  readonly #start = performance.now();

  constructor(cases: readonly NamedCase[]) {
    for (const { group } of cases) this.#groups.set(group, noCounts());
  }

  add({ group, id, name }: NamedCase, outcome: CaseOutcome): void {
    this.#total[outcome.status]++;
    const counts = this.#groups.get(group);
    if (counts !== undefined) counts[outcome.status]++;
    if (outcome.nodes !== null) this.#nodes.push(outcome.nodes);
    if (outcome.status !== "failed") return;
    this.#failures.push({ group, id, name, cause: outcome.cause, message: outcome.message });
  }

  get finished(): number {
    return this.#total.passed + this.#total.failed + this.#total.skipped;
  }

  get failed(): number {
    return this.#total.failed;
  }

  result(backend: string, mode: "graph" | "eager"): ConformanceResult {
    return {
      ...this.#total,
      backend,
      mode,
      groups: Object.fromEntries(this.#groups),
      failures: this.#failures.toSorted(byIdentity),
      medianNodes: median(this.#nodes),
      seconds: Math.round((performance.now() - this.#start) / 10) / 100,
    };
  }
}

function byIdentity(a: Failure, b: Failure): number {
  const key = ({ group, id }: Failure): string => `${group}/${id}`;
  return key(a) < key(b) ? -1 : 1;
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
