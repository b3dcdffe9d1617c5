// Runs a corpus in headless Chromium and prints what `jax2tfjs conformance` prints:
//   npm run conformance:browser -- FOLDER… [--backend webgl|webgpu] [--only GROUP,…] [--json FILE]
//     [--jobs N] [--no-forward]
// --no-forward also computes small tensors on the GPU, which tfjs does on the CPU otherwise.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { checkCase, type CaseOutcome } from "../../src/cli/conformance/checkCase.js";
import { findCases, type NamedCase } from "../../src/cli/conformance/corpus.js";
import { ConformanceReport, reportLines } from "../../src/cli/conformance/report.js";
import { BrowserRunner, type BrowserBackend } from "./browserProgram.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: "string", default: "webgl" },
    only: { type: "string" },
    json: { type: "string" },
    jobs: { type: "string", default: "2" },
    timeout: { type: "string", default: "60" },
    verbose: { type: "boolean", default: false },
    "no-forward": { type: "boolean", default: false },
  },
});

function browserBackend(name: string): BrowserBackend {
  if (name === "webgl" || name === "webgpu") return name;
  throw new Error(`--backend is webgl or webgpu, not ${name}`);
}
const backend = browserBackend(values.backend);
const wanted = values.only?.split(",");
const cases = findCases(positionals).filter(
  ({ group, id }) => wanted?.some((name) => name === group || name === `${group}/${id}`) ?? true,
);
const report = new ConformanceReport(cases);
const timeout = Number(values.timeout) * 1000;

async function checkWithin(named: NamedCase, runner: BrowserRunner): Promise<CaseOutcome> {
  const { loadModel } = runner;
  const options = { backend, backends: [backend], eager: false, loadModel } as const;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CaseOutcome>((resolve) => {
    timer = setTimeout(() => {
      const message = `no result after ${timeout / 1000} s`;
      const seconds = timeout / 1000;
      resolve({ status: "failed", cause: "timeout", message, nodes: null, seconds });
    }, timeout);
  });
  const outcome = await Promise.race([checkCase(named, options), late]);
  clearTimeout(timer);
  // A page that was too slow or crashed may do so to the next case.
  if (outcome.cause === "timeout" || outcome.cause.startsWith("crash")) await runner.reset();
  return outcome;
}

function write(): void {
  if (values.json === undefined) return;
  const result = report.result(backend, "graph");
  writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
}

const queue = cases.values();
async function work(): Promise<void> {
  const flags: Readonly<Record<string, boolean>> = values["no-forward"]
    ? { WEBGL_CPU_FORWARD: false, WEBGPU_CPU_FORWARD: false }
    : {};
  const runner = new BrowserRunner(backend, flags);
  for (const named of queue) {
    const outcome = await checkWithin(named, runner);
    report.add(named, outcome);
    if (outcome.status === "failed" && values.verbose) {
      process.stderr.write(`${named.group}/${named.id} ${named.name}\n${outcome.message}\n\n`);
    }
    if (report.finished % 100 === 0) {
      process.stderr.write(`${report.finished}/${cases.length}, ${report.failed} failed\n`);
      write();
    }
  }
  await runner.reset();
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
write();
process.stdout.write(`${reportLines(report.result(backend, "graph")).join("\n")}\n`);
if (report.failed > 0) process.exitCode = 1;
