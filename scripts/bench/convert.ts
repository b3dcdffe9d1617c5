// Time and peak memory of conversions, each in a fresh process of the built command line:
//   npm run build && npm run bench:convert -- [FOLDER...]
// Converts the small mlp of the oracle and all-MiniLM-L6-v2, which `npm run setup:minilm` makes in
// .cache/minilm; or, instead of MiniLM, folders with model.jaxexport and params.safetensors.
// Exit code 1 if a limit is exceeded: 1 s for mlp, 4 s and three times the weights for the others.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { oracleRoot } from "../../tests/support/oracle.js";
import { repositoryRoot } from "../../tests/support/paths.js";

const repetitions = 5;
const mebibyte = 1024 * 1024;

/** Run before the command line: at its end reports peak memory in KiB and CPU time in µs. */
const reporter =
  "data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();" +
  "process.stderr.write('used '+u.maxRSS+' '+(u.userCPUTime+u.systemCPUTime)+'\\n')})";

interface Measurement {
  readonly seconds: number;
  /** Of all threads; on a busy machine it says more than the elapsed time. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

interface Limits {
  readonly seconds: number;
  /** Peak memory as a multiple of the parameter file, where it matters. */
  readonly weights?: number;
}

function convertOnce(folder: string): Measurement {
  const temporary = mkdtempSync(join(tmpdir(), "jax2tfjs-bench-"));
  try {
    const args = ["--import", reporter, join(repositoryRoot, "dist/src/cli/main.js"), "convert"];
    args.push(join(folder, "model.jaxexport"), join(temporary, "model"), "--quiet");
    args.push("--params", join(folder, "params.safetensors"));
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    const seconds = (performance.now() - start) / 1000;
    const [, peak, cpu] = /^used (\d+) (\d+)$/m.exec(stderr) ?? [];
    if (status !== 0 || peak === undefined) throw new Error(`${folder}: ${stderr}`);
    return { seconds, cpuSeconds: Number(cpu) / 1e6, peakBytes: Number(peak) * 1024 };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Prints one line. Returns whether the limits are kept. */
function bench(folder: string, limits: Limits): boolean {
  const runs = Array.from({ length: repetitions }, () => convertOnce(folder));
  const times = runs.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const best = times[0] ?? NaN;
  const middle = times[Math.floor(times.length / 2)] ?? NaN;
  const cpu = Math.min(...runs.map(({ cpuSeconds }) => cpuSeconds));
  const peak = Math.max(...runs.map(({ peakBytes }) => peakBytes));
  const weights = statSync(join(folder, "params.safetensors")).size;
  const isFast = best <= limits.seconds;
  const isSmall = limits.weights === undefined || peak <= limits.weights * weights;
  console.log(
    `${basename(folder).padEnd(12)} ${best.toFixed(2)} s best, ${middle.toFixed(2)} s median ` +
      `(limit ${limits.seconds} s), CPU ${cpu.toFixed(2)} s; peak ${(peak / mebibyte).toFixed(0)} MiB, ` +
      `${(weights / mebibyte).toFixed(2)} MiB of weights` +
      (limits.weights === undefined ? "" : ` (limit ${limits.weights} times the weights)`) +
      (isFast && isSmall ? "" : "  EXCEEDED"),
  );
  return isFast && isSmall;
}

const given = process.argv.slice(2).map((folder) => resolve(folder));
const minilm = join(repositoryRoot, ".cache/minilm");
const folders = given.length > 0 ? given : [minilm].filter((folder) => existsSync(folder));
const missing = folders.find((folder) => !existsSync(join(folder, "model.jaxexport")));
if (missing !== undefined) {
  console.error(`${missing} holds no model.jaxexport`);
  process.exit(2);
}
const mlp = bench(join(oracleRoot(), "public/models/mlp"), { seconds: 1 });
const others = folders.map((folder) => bench(folder, { seconds: 4, weights: 3 }));
if (folders.length === 0) {
  console.log(
    "minilm       is not there: npm run setup:minilm makes it (Python, 250 MB of downloads)",
  );
}
process.exitCode = [mlp, ...others].every(Boolean) ? 0 : 1;
