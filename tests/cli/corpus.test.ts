// JAX's primitive test suite through `jax2tfjs conformance`: what fails is what docs/SUPPORT.md says,
// case by case.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ConformanceSummary } from "../../scripts/docs/conformanceSummary.js";
import type { ConformanceResult } from "../../src/cli/conformance/report.js";
import { inCi, whyMissing, type NodeBackend } from "../support/backends.js";
import { runCli } from "../support/cli.js";
import { oracleRoot } from "../support/oracle.js";
import { repositoryRoot } from "../support/paths.js";

const summary = JSON.parse(
  readFileSync(join(repositoryRoot, "docs/support/conformance.json"), "utf8"),
) as ConformanceSummary;

/** Passed cases of all, in percent, that each run must reach. */
const runs: readonly (readonly [NodeBackend, "graph" | "eager", number])[] = [
  ["cpu", "graph", 99.5],
  ["wasm", "graph", 99],
  ["tensorflow", "graph", 99],
  ["wasm", "eager", 99],
];

const fiveMinutes = 300_000;

test.each(runs)(
  "all cases on %s, %s",
  async (backend, mode, least) => {
    if (whyMissing(backend) !== undefined && !inCi) return;
    const { stdout, stderr } = await runCli(
      [
        ...["conformance", join(oracleRoot(), "public/primitives"), "--json", "-", "--jobs", "2"],
        ...["--backend", backend, ...(mode === "eager" ? ["--eager"] : [])],
      ],
      { timeoutMs: fiveMinutes },
    );
    expect(stderr).toBe("");
    const { passed, failed, skipped, failures } = JSON.parse(stdout) as ConformanceResult;
    expect(skipped).toBe(0);
    expect((100 * passed) / (passed + failed)).toBeGreaterThanOrEqual(least);
    const known = summary.failures
      .filter((failure) => failure.runs.includes(`${backend} ${mode}`))
      .map(({ id }) => id);
    expect(failures.map(({ group, id }) => `${group}/${id}`)).toEqual(known);
  },
  fiveMinutes,
);
