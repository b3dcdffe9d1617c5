// Writes docs/SUPPORT.md from the committed summary of conformance runs and from the records of the
// primitives. Pure text: support.ts and the test of the page's freshness call it.
import { isNoRule, type Limit, type Primitive } from "../../src/ir/primitive.js";
import { shortName, isDType } from "../../src/ir/dtypes.js";
import type { ConformanceSummary, FailureSummary, RunSummary } from "./conformanceSummary.js";
import { reasonFor, reasons } from "./supportReasons.js";

/** Something that tests expect to fail, with the reason. */
export interface ExpectedFailureRow {
  readonly what: string;
  readonly why: string;
}

export interface SupportPageInput {
  readonly summary: ConformanceSummary;
  readonly primitives: readonly Primitive[];
  readonly expectedFailures: readonly ExpectedFailureRow[];
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [head, ...rows].map((row) => row.map(cell));
  const widths = head.map((_, column) =>
    Math.max(3, ...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(all[0] ?? []), line(rule), ...all.slice(1).map(line)];
}

const dtypeName = (dtype: string | null): string =>
  dtype === null ? "" : isDType(dtype) ? shortName(dtype) : dtype;

/** Two decimals, never rounded up to 100. */
function percent(passed: number, total: number): string {
  if (total === 0) return "";
  return `${(Math.floor((10000 * passed) / total) / 100).toFixed(2)} %`;
}

function ratesTable(runs: readonly RunSummary[]): readonly string[] {
  return table(
    ["run", "cases", "passed", "failed", "rate", "median nodes"],
    runs.map(({ name, passed, failed, skipped, medianNodes }) => {
      const total = passed + failed + skipped;
      const counts = [total, passed, failed].map(String);
      return [name, ...counts, percent(passed, total), String(medianNodes ?? "")];
    }),
  );
}

/** Throws where a failure has no reason, or a reason no failure. */
function checkReasons(failures: readonly FailureSummary[]): void {
  const missing = failures.filter(({ id }) => reasonFor(id) === undefined).map(({ id }) => id);
  if (missing.length > 0) throw new Error(`no reason for ${missing.join(", ")}`);
  const used = new Set(failures.map(({ id }) => reasonFor(id)));
  const unused = reasons.filter((reason) => !used.has(reason)).map(({ cases }) => cases.join(", "));
  if (unused.length > 0) throw new Error(`reasons without a failure: ${unused.join("; ")}`);
}

function failureRows(failures: readonly FailureSummary[]): readonly string[] {
  return table(
    ["case", "dtype", "fails on", "why"],
    failures.map(({ id, dtype, runs }) => [
      id,
      dtypeName(dtype),
      runs.join(", "),
      reasonFor(id)?.why ?? "",
    ]),
  );
}

/** Per group: which element types pass on each run. */
function matrix({ runs, groups, failures, nodes }: ConformanceSummary): readonly string[] {
  const rows = Object.entries(groups).map(([group, counts]) => {
    const types = Object.entries(counts).map(([dtype, count]) => `${dtypeName(dtype)} ${count}`);
    const cells = runs.map(({ name }) => {
      const failed = new Map<string, number>();
      for (const failure of failures) {
        if (!failure.id.startsWith(`${group}/`) || !failure.runs.includes(name)) continue;
        const dtype = dtypeName(failure.dtype);
        failed.set(dtype, (failed.get(dtype) ?? 0) + 1);
      }
      if (failed.size === 0) return "all";
      return [...failed].map(([dtype, count]) => `not ${count} ${dtype}`).join(", ");
    });
    const { median, largest } = nodes[group] ?? { median: 0, largest: 0 };
    return [group, types.join(", "), ...cells, `${median} / ${largest}`];
  });
  return table(["cases of", "dtypes and cases", ...runs.map(({ name }) => name), "nodes"], rows);
}

function limitRows(primitives: readonly Primitive[]): readonly string[] {
  const rows = primitives.flatMap(({ name, limits }) =>
    (limits ?? []).map(({ when, effect, why }: Limit) => [name, when, effect, why]),
  );
  return table(["primitive", "when", "effect", "why"], rows);
}

function missingRules(primitives: readonly Primitive[]): readonly string[] {
  const rows = primitives.flatMap(({ name, tfjs }) =>
    isNoRule(tfjs) ? [[name, tfjs.reason]] : [],
  );
  return rows.length === 0 ? ["None."] : table(["primitive", "why"], rows);
}

/** The whole page. @throws Error where a failure has no reason */
export function supportPage({ summary, primitives, expectedFailures }: SupportPageInput): string {
  checkReasons(summary.failures);
  const sorted = primitives.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const plain = summary.runs.filter(({ name }) => /(graph|eager)$/.test(name));
  const transformed = summary.runs.filter((run) => !plain.includes(run));
  const of = (runs: readonly RunSummary[]): ConformanceSummary["failures"] =>
    summary.failures
      .map((failure) => ({
        ...failure,
        runs: failure.runs.filter((name) => runs.some((run) => run.name === name)),
      }))
      .filter(({ runs: names }) => names.length > 0);
  return [
    "<!-- Made by `npm run docs:support`; do not edit. -->",
    "",
    "# What is supported",
    "",
    "Every primitive of `jax.lax` with its cases in JAX's own test suite, exported by JAX and run with",
    "JAX's results beside them, with the tolerance that each case states. `graph` runs the converted",
    "model through `tf.loadGraphModel`; `eager` runs it equation by equation. webgl and webgpu run",
    "in headless Chromium, in software.",
    "",
    ...ratesTable(plain),
    "",
    ...(transformed.length === 0
      ? []
      : [
          "Derivatives and batches (the cases for which JAX's results are recorded):",
          "",
          ...ratesTable(transformed),
          "",
        ]),
    "## What fails",
    "",
    ...failureRows(of(plain)),
    "",
    ...(transformed.length === 0
      ? []
      : ["Of derivatives and batches:", "", ...failureRows(of(transformed)), ""]),
    ...(expectedFailures.length === 0
      ? []
      : [
          "Tests also expect these to fail:",
          "",
          ...table(
            ["what", "why"],
            expectedFailures.map(({ what, why }) => [what, why]),
          ),
          "",
        ]),
    "## Primitives, dtypes and backends",
    "",
    "Numbers after a dtype are numbers of cases; `all` means that all of them pass. Nodes are the median",
    "and the largest number of nodes of a case's model, converted for cpu.",
    "",
    ...matrix({ ...summary, runs: plain }),
    "",
    "## Limits",
    "",
    "What the records of the primitives state themselves, whether a case shows it or not.",
    "",
    ...limitRows(sorted),
    "",
    "## Rules of many nodes",
    "",
    "Rules that may emit more than 40 nodes for one equation, and why.",
    "",
    ...table(
      ["primitive", "why"],
      sorted.flatMap(({ name, manyNodes }) => (manyNodes === undefined ? [] : [[name, manyNodes]])),
    ),
    "",
    "## Primitives without a rule for TensorFlow.js",
    "",
    ...missingRules(sorted),
    "",
    "## Element types",
    "",
    "float64, int64, uint64 and complex128 are computed in 32 bits, with one warning, or refused with",
    "`--strict-dtypes`; values that do not fit into 32 bits are errors. bfloat16 and float16 are computed",
    "in float32. On webgl and webgpu int32 is exact to 24 bits; uint32 is exact everywhere, and its results",
    "are two int32 tensors `NAME/high` and `NAME/low` of 16 bits each where the model is made for one of",
    "these two.",
    "",
  ].join("\n");
}
