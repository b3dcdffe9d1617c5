// What docs/SUPPORT.md needs of conformance runs, small enough to be committed
// (docs/support/conformance.json): counts per group and element type, failures, node counts.
import type { ConformanceResult } from "../../src/cli/conformance/report.js";

/** One run over the corpus; `name` is `cpu graph`, `wasm eager`, `cpu vjp`. */
export interface RunSummary {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly medianNodes: number | null;
}

export interface FailureSummary {
  /** `group/id`. */
  readonly id: string;
  readonly name: string;
  readonly dtype: string | null;
  readonly runs: readonly string[];
}

/** Nodes of the cases of a group, converted for cpu. */
export interface NodeSummary {
  readonly median: number;
  readonly largest: number;
}

export interface ConformanceSummary {
  readonly runs: readonly RunSummary[];
  /** Cases per group and element type. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly failures: readonly FailureSummary[];
  readonly nodes: Readonly<Record<string, NodeSummary>>;
}

const runName = ({ backend, mode, transform }: ConformanceResult): string =>
  `${backend} ${transform ?? mode}`;

function nodesOf(result: ConformanceResult | undefined): ConformanceSummary["nodes"] {
  const counts = new Map<string, number[]>();
  for (const { group, nodes } of result?.cases ?? []) {
    if (nodes !== null) counts.set(group, [...(counts.get(group) ?? []), nodes]);
  }
  const entries = [...counts].map(([group, list]) => {
    const sorted = list.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    return [group, { median, largest: sorted.at(-1) ?? 0 }] as const;
  });
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function groupsOf(result: ConformanceResult | undefined): ConformanceSummary["groups"] {
  const groups = new Map<string, Map<string, number>>();
  for (const { group, dtype } of result?.cases ?? []) {
    const counts = groups.get(group) ?? new Map<string, number>();
    const key = dtype ?? "-";
    counts.set(key, (counts.get(key) ?? 0) + 1);
    groups.set(group, counts);
  }
  const byName = <Value>([a]: [string, Value], [b]: [string, Value]): number => (a < b ? -1 : 1);
  return Object.fromEntries(
    [...groups]
      .toSorted(byName)
      .map(([group, counts]) => [group, Object.fromEntries([...counts].toSorted(byName))]),
  );
}

/** Puts the results of runs over one corpus together; the first one is of cpu, graph. */
export function summarise(results: readonly ConformanceResult[]): ConformanceSummary {
  const failures = new Map<string, { name: string; dtype: string | null; runs: string[] }>();
  for (const result of results) {
    for (const { group, id, name, dtype, status } of result.cases) {
      if (status === "passed") continue;
      const key = `${group}/${id}`;
      const known = failures.get(key) ?? { name, dtype, runs: [] };
      known.runs.push(runName(result));
      failures.set(key, known);
    }
  }
  return {
    runs: results.map((result) => ({
      name: runName(result),
      passed: result.passed,
      failed: result.failed,
      skipped: result.skipped,
      medianNodes: result.medianNodes,
    })),
    groups: groupsOf(results[0]),
    failures: [...failures]
      .map(([id, failure]) => ({ id, ...failure }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    nodes: nodesOf(results[0]),
  };
}
