// The whole test run: lint, types, build, then each vitest project. `npm test` runs everything,
// `npm test -- unit cli` only the named phases. Every phase runs even when an earlier one failed.
// The last line is `N passed, N failed`, of tests; a failed phase without failed tests counts as
// one failure. Exit code 1 when anything failed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reports = join(root, ".cache/test");
/** A phase that takes longer has hung: it is ended and counts as failed. */
const phaseLimitMinutes = 20;
/** At most so many names in the summary. */
const shownFailures = 100;

const checks = ["lint", "types", "build"];
const projects = ["unit", "oracle", "cli", "browser"];

const total = { passed: 0, failed: 0, skipped: 0 };
/** Names of failed tests and phases, for the summary. */
const failures = [];

function fail(name) {
  total.failed += 1;
  failures.push(name);
}

/** Runs a command with its output shown; the exit status, or a word saying why there is none. */
function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: phaseLimitMinutes * 60_000,
    killSignal: "SIGTERM",
  });
  return status ?? signal ?? error?.message ?? "no status";
}

function runCheck(name) {
  const status = run("npm", ["run", "--silent", name]);
  if (status !== 0) fail(`${name} (exit ${status})`);
}

/** Runs one vitest project and adds the counts of its report. */
function runProject(name) {
  const report = join(reports, `${name}.json`);
  rmSync(report, { force: true });
  const status = run(process.execPath, [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    `--project=${name}`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  const failedBefore = total.failed;
  if (existsSync(report)) {
    for (const file of JSON.parse(readFileSync(report, "utf8")).testResults) addFile(name, file);
  }
  if (status !== 0 && total.failed === failedBefore) fail(`${name}: vitest ended with ${status}`);
}

function addFile(project, file) {
  const path = relative(root, file.name);
  let failedHere = 0;
  for (const test of file.assertionResults) {
    if (test.status === "passed") total.passed += 1;
    else if (test.status === "failed") {
      fail(`${project}: ${path}: ${test.fullName}`);
      failedHere += 1;
    } else total.skipped += 1;
  }
  // A file that does not load, or a hook that fails, has no failed test of its own.
  if (file.status === "failed" && failedHere === 0) {
    const [reason] = file.message.split("\n");
    fail(`${project}: ${path}: ${reason || "a hook failed, see above"}`);
  }
}

const wanted = process.argv.slice(2);
const known = [...checks, ...projects];
const unknown = wanted.filter((phase) => !known.includes(phase));
if (unknown.length > 0) {
  console.error(`no such phase: ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exit(2);
}

mkdirSync(reports, { recursive: true });
const times = [];
for (const phase of known.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n== ${phase}`);
  const start = performance.now();
  if (checks.includes(phase)) runCheck(phase);
  else runProject(phase);
  times.push(`${phase} ${((performance.now() - start) / 1000).toFixed(0)} s`);
}

console.log(`\nphases: ${times.join(", ")}`);
if (failures.length > 0) {
  const shown = failures.slice(0, shownFailures).map((name) => `  ${name}`);
  if (failures.length > shown.length) shown.push(`  … ${failures.length - shown.length} more`);
  console.log(`\nfailed:\n${shown.join("\n")}`);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = failures.length > 0 ? 1 : 0;
