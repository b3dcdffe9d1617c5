// Makes docs/SUPPORT.md:  npm run docs:support [-- --results FILE…]
// The files are what `jax2tfjs conformance --json` and `npm run conformance:browser -- --json` write,
// cpu in graph mode first; they are put together in docs/support/conformance.json.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registry } from "../../primitives/index.js";
import type { ConformanceResult } from "../../src/cli/conformance/report.js";
import { expectedFailures } from "../../tests/oracle/expectedFailures.js";
import { repositoryRoot } from "../../tests/support/paths.js";
import { summarise, type ConformanceSummary } from "./conformanceSummary.js";
import { supportPage } from "./supportPage.js";

const summaryPath = join(repositoryRoot, "docs/support/conformance.json");
const pagePath = join(repositoryRoot, "docs/SUPPORT.md");

/** The page as the committed summary and the records have it. */
export function currentSupportPage(): string {
  return supportPage({
    summary: JSON.parse(readFileSync(summaryPath, "utf8")) as ConformanceSummary,
    primitives: [...registry.values()],
    expectedFailures: Object.entries(expectedFailures).map(([what, { why }]) => ({ what, why })),
  });
}

/** The page as it is on disk. */
export const writtenSupportPage = (): string => readFileSync(pagePath, "utf8");

function main(args: readonly string[]): void {
  if (args[0] === "--results") {
    const results = args
      .slice(1)
      .map((path) => JSON.parse(readFileSync(path, "utf8")) as ConformanceResult);
    writeFileSync(summaryPath, `${JSON.stringify(summarise(results), null, 1)}\n`);
  }
  writeFileSync(pagePath, currentSupportPage());
}

if (process.argv[1]?.endsWith("support.ts") === true) main(process.argv.slice(2));
