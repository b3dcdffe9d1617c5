// Bad input: each gives one clear message and exit code 1, without a hang and with nothing
// half-written. Artifacts that are cut or damaged in many ways are read in this process, a few of
// each kind through the command line.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Builder } from "flatbuffers";
import { describe, expect, test } from "vitest";
import { importArtifact } from "../../src/cli/load.js";
import { convert } from "../../src/convert.js";
import { writeNpz } from "../../src/files/npz.js";
import { openParameterFile } from "../../src/import/params/nodeFile.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import { bindArgument } from "../../src/parameters.js";
import { runCli, withTemporaryFolder, type CliResult } from "../support/cli.js";
import { oracleRoot } from "../support/oracle.js";
import { repositoryRoot } from "../support/paths.js";
import {
  listing,
  mlp,
  randomBytes,
  readBytes,
  safetensors,
  withCallingConvention,
  withText,
  writeInto,
} from "./support.js";

/** One report: `error CODE: MESSAGE`, indented details, no stack. */
function expectReport({ code, stdout, stderr }: CliResult, errorCode: RegExp | string): void {
  expect(code).toBe(1);
  expect(stdout).toBe("");
  const [first = "", ...others] = stderr.trimEnd().split("\n");
  expect(first).toMatch(/^error [a-z-]+: \S/);
  expect(/^error ([a-z-]+): /.exec(first)?.[1]).toMatch(errorCode);
  for (const line of others) expect(line).toMatch(/^ {2}/);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stderr).not.toContain("internal");
}

/** Converts bytes through the command line; nothing may be left in the folder. */
async function refuses(bytes: Uint8Array, errorCode: RegExp | string): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const artifact = writeInto(folder, "model.jaxexport", bytes);
    const out = join(folder, "model");
    expectReport(await runCli(["convert", artifact, out], { timeoutMs: 20_000 }), errorCode);
    expect(listing(folder)).toEqual(["model.jaxexport"]);
    // What cannot be read at all cannot be inspected either.
    const inspected = await runCli(["inspect", artifact], { timeoutMs: 20_000 });
    expect(inspected.code).toBe(1);
    expect(inspected.stderr).toMatch(/^error [a-z-]+: /);
  });
}

/** The code of the error that reading and converting the bytes gives. */
function errorCodeOf(bytes: Uint8Array): string {
  try {
    convert(importArtifact(bytes));
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "none";
}

/** A flatbuffer with many fields and the identifier of another format. */
function otherFlatbuffer(): Uint8Array {
  const builder = new Builder(64);
  const name = builder.createString("model");
  builder.startObject(24);
  for (let field = 0; field < 24; field++) builder.addFieldOffset(field, name, 0);
  builder.finish(builder.endObject(), "TFL3");
  return builder.asUint8Array();
}

describe("artifacts", () => {
  const whole = (): Uint8Array => readBytes(mlp().artifact);

  test("empty", () => refuses(new Uint8Array(0), "artifact-empty"));

  test.each([1, 10, 50, 90, 99])("cut at %i %% through the command line", (percent) => {
    const bytes = whole();
    return refuses(bytes.subarray(0, Math.floor((bytes.length * percent) / 100)), /^artifact-/);
  });

  test.each(["public/models/mlp", "wild/kmeans_while", "versions/0.4.38/cnn_mnist"])(
    "%s cut at every 1 %% of its length",
    (model) => {
      const bytes = readBytes(join(oracleRoot(), model, "model.jaxexport"));
      for (let percent = 0; percent < 100; percent++) {
        const length = Math.floor((bytes.length * percent) / 100);
        expect(errorCodeOf(bytes.slice(0, length))).toMatch(/^artifact-/);
      }
    },
  );

  test("the module inside cut at every 1 % of its length", () => {
    const bytes = whole();
    const start = Buffer.from(bytes).indexOf("ML\xefR", 0, "latin1");
    expect(start).toBeGreaterThan(0);
    const length = bytes.length - start;
    for (let percent = 1; percent < 90; percent++) {
      const module = bytes.slice(start, start + Math.floor((length * percent) / 100));
      expect(errorCodeOf(module)).toMatch(/^artifact-/);
    }
  });

  test("random bytes", async () => {
    await refuses(randomBytes(4096, 1), /^artifact-/);
    for (let seed = 0; seed < 300; seed++) {
      expect(errorCodeOf(randomBytes(1 + ((seed * 37) % 3000), seed))).toMatch(/^artifact-/);
      const bytecode = randomBytes(64 + seed, seed);
      bytecode.set([0x4d, 0x4c, 0xef, 0x52]);
      expect(errorCodeOf(bytecode)).toMatch(/^artifact-/);
    }
  });

  test("single damaged bytes never crash the reader", () => {
    const bytes = whole();
    for (let index = 0; index < bytes.length; index += 7) {
      const damaged = bytes.slice();
      damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
      // Some damage is harmless (a name, an unused field); the rest must be our own error.
      expect(errorCodeOf(damaged)).toMatch(/^[a-z-]+$/);
    }
  });

  test("a flatbuffer of another format", () => refuses(otherFlatbuffer(), /^artifact-/));

  test("a newer calling convention", () =>
    refuses(withCallingConvention(whole(), 12), "artifact-version-unsupported"));

  test("an unknown VHLO operation", () =>
    refuses(withText(whole(), "tanh_v2", "tanq_v2"), "unknown-op"));

  test("an unsupported custom call names the call and the line", () =>
    withTemporaryFolder(async (folder) => {
      const bytes = readBytes(join(oracleRoot(), "public/shape_poly/000.jaxexport"));
      const damaged = withText(bytes, "shape_assertion", "shape_assertioX");
      const artifact = writeInto(folder, "model.jaxexport", damaged);
      const result = await runCli(["convert", artifact, join(folder, "model")]);
      expectReport(result, "unsupported-custom-call");
      expect(result.stderr).toContain("shape_assertioX");
      expect(listing(folder)).toEqual(["model.jaxexport"]);
    }));

  test.each([
    ["a zip file", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0)],
    ["a pickle", Uint8Array.of(0x80, 4, 0x95, 0, 0)],
    ["MLIR text", new TextEncoder().encode('module @jit_f { func.func @main() { "return"() } }')],
    ["an npy file", new TextEncoder().encode("\u0093NUMPY\u0001\u0000")],
  ])("%s", (_, bytes) => refuses(bytes, /^artifact-/));

  test("a folder without a model", () =>
    withTemporaryFolder(async (folder) => {
      expectReport(await runCli(["inspect", folder]), "file-open");
      expectReport(await runCli(["convert", folder, join(folder, "model")]), "file-open");
      expect(listing(folder)).toEqual([]);
    }));
});

describe("parameter files", () => {
  const entry = (begin: number, end: number): Readonly<Record<string, unknown>> => ({
    dtype: "F32",
    shape: [(end - begin) / 4],
    data_offsets: [begin, end],
  });
  const npz = (): Uint8Array =>
    writeNpz([["w", fromNumbers("float32", [64], new Float32Array(64))]]);

  const files: readonly (readonly [
    name: string,
    bytes: () => Uint8Array,
    code: string | RegExp,
  ])[] = [
    ["empty", () => new Uint8Array(0), "file-truncated"],
    ["random", () => randomBytes(1000, 2), /^file-/],
    ["a safetensors header longer than the file", () => safetensors({}, 0, 10_000), /^file-/],
    ["a safetensors header of 2^60 bytes", () => safetensors({}, 0, 2 ** 60), /^file-/],
    [
      "overlapping safetensors offsets",
      () => safetensors({ a: entry(0, 8), b: entry(4, 12) }, 12),
      "file-corrupt",
    ],
    ["safetensors offsets outside", () => safetensors({ a: entry(0, 80) }, 8), /^file-/],
    ["a safetensors header that is no JSON", () => safetensors("{", 0), /^file-/],
    ["an npz without its end", () => npz().subarray(0, 60), /^file-/],
    ["an npz with damaged data", () => withDamage(npz(), 45), /^file-/],
    ["a pickle", () => Uint8Array.of(0x80, 4, 0x95, 1, 0, 0, 0), "file-format"],
  ];

  test.each(files)("%s", (_, bytes, code) =>
    withTemporaryFolder(async (folder) => {
      const params = writeInto(folder, "params", bytes());
      const out = join(folder, "model");
      const args = ["convert", mlp().artifact, out, "--params", params];
      expectReport(await runCli(args, { timeoutMs: 20_000 }), code);
      expect(listing(folder)).toEqual(["params"]);
    }),
  );

  test("a file that is not there", async () => {
    const args = ["convert", mlp().artifact, "no/where", "--params", "no/such/file"];
    expectReport(await runCli(args), "file-open");
  });

  test("another model's parameters: every leaf is listed", () =>
    withTemporaryFolder(async (folder) => {
      const arrays = [["params/Dense_0/kernel", fromNumbers("float32", [2], [1, 2])]] as const;
      const params = writeInto(folder, "params.npz", writeNpz(arrays));
      const result = await runCli([
        ...["convert", mlp().artifact, join(folder, "model"), "--params", params],
      ]);
      expectReport(result, "params-mismatch");
      expect(result.stderr.match(/^ {2}missing /gm)).toHaveLength(5);
      expect(result.stderr).toContain("params/Dense_0/kernel has shape [2], not [32,64]");
      expect(listing(folder)).toEqual(["params.npz"]);
    }));

  test("a cut file at every 1 % of its length", () =>
    withTemporaryFolder((folder) => {
      const bytes = readBytes(mlp().params);
      const program = importArtifact(readBytes(mlp().artifact));
      for (let percent = 0; percent < 100; percent++) {
        const cut = bytes.subarray(0, Math.floor((bytes.length * percent) / 100));
        const path = writeInto(folder, "params", cut);
        let code = "none";
        try {
          const file = openParameterFile(path);
          bindArgument(program, file);
          file.close();
        } catch (error) {
          if (!(error instanceof Jax2TfjsError)) throw error;
          code = error.code;
        }
        expect(code).toMatch(/^file-/);
      }
      return Promise.resolve();
    }));
});

/** The bytes with one inverted. */
function withDamage(bytes: Uint8Array, index: number): Uint8Array {
  const damaged = bytes.slice();
  damaged[index] = (damaged[index] ?? 0) ^ 0xff;
  return damaged;
}

/** Runs the command line through another command, which it is appended to. */
async function runThrough(command: readonly string[], args: readonly string[]): Promise<CliResult> {
  const main = join(repositoryRoot, "dist/src/cli/main.js");
  const [program = "", ...options] = [...command, process.execPath, main, ...args];
  const child = spawn(program, options, {
    env: { ...process.env, NO_COLOR: "1" },
    timeout: 60_000,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr, durationMs: 0 };
}

/**
 * Runs a command without root's right to write everywhere; as another user nothing is needed. Where
 * `setpriv` (util-linux) is not there for root, the test that needs it is skipped.
 */
const withoutRights: readonly string[] =
  process.getuid?.() === 0
    ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]
    : ["env"];
const canLoseRights =
  process.platform !== "win32" && spawnSync(withoutRights[0] ?? "", ["--version"]).status === 0;

/** Runs the command line with a limit on the size of files, which acts like a full disk. */
function convertWithLimit(kibibytes: number, args: readonly string[]): Promise<CliResult> {
  // bash counts in KiB, a plain sh in blocks of 512 bytes.
  const script = `ulimit -f ${kibibytes}; exec "$0" "$@"`;
  return runThrough(["bash", "-c", script], args);
}

describe("OUT_DIR", () => {
  const convertTo = (out: string, ...more: string[]): ReturnType<typeof runCli> =>
    runCli(["convert", mlp().artifact, out, "--params", mlp().params, ...more]);

  test("is a file", () =>
    withTemporaryFolder(async (folder) => {
      const out = writeInto(folder, "model", "mine");
      expectReport(await convertTo(out), "output-exists");
      expect(readBytes(out)).toHaveLength(4);
      expect(listing(folder)).toEqual(["model"]);
    }));

  test("is a file, with --force", () =>
    withTemporaryFolder(async (folder) => {
      const out = writeInto(folder, "model", "mine");
      expectReport(await convertTo(out, "--force"), "output-exists");
      expect(listing(folder)).toEqual(["model"]);
    }));

  test("is in folders that do not exist yet", () =>
    withTemporaryFolder(async (folder) => {
      expect((await convertTo(join(folder, "a/b/model"), "--quiet")).code).toBe(0);
      expect(listing(join(folder, "a/b"))).toEqual(["model"]);
    }));

  test("is below a file", () =>
    withTemporaryFolder(async (folder) => {
      const file = writeInto(folder, "file", "mine");
      expectReport(await convertTo(join(file, "model")), /^(write-failed|output-exists)$/);
      expect(listing(folder)).toEqual(["file"]);
    }));

  test.skipIf(!canLoseRights)("is in a folder that cannot be written", () =>
    withTemporaryFolder(async (folder) => {
      const closed = join(folder, "closed");
      mkdirSync(closed);
      chmodSync(closed, 0o555);
      try {
        const args = ["convert", mlp().artifact, join(closed, "model"), "--params", mlp().params];
        expectReport(await runThrough(withoutRights, args), "write-failed");
        expect(listing(closed)).toEqual([]);
      } finally {
        chmodSync(closed, 0o755);
      }
    }),
  );

  test.skipIf(process.platform !== "linux")("is where no folders can be made", async () => {
    expectReport(await convertTo("/proc/jax2tfjs/model"), "write-failed");
  });
});

describe.skipIf(process.platform === "win32")("a full disk", () => {
  test.each([
    ["in the weights", 8, []],
    ["in model.json", 2, ["--shard-bytes", "1000"]],
  ])("%s: nothing is left behind", (_, limit, options) =>
    withTemporaryFolder(async (folder) => {
      const args = ["convert", mlp().artifact, join(folder, "model"), "--params", mlp().params];
      const result = await convertWithLimit(limit, [...args, ...options]);
      expectReport(result, "write-failed");
      expect(result.stderr).toMatch(/EFBIG|too large/);
      expect(listing(folder)).toEqual([]);
    }),
  );

  test("folders made for it are removed", () =>
    withTemporaryFolder(async (folder) => {
      const args = ["convert", mlp().artifact, join(folder, "a/b"), "--params", mlp().params];
      expectReport(await convertWithLimit(8, args), "write-failed");
      expect(listing(folder)).toEqual([]);
    }));

  test("with --force the old model stays", () =>
    withTemporaryFolder(async (folder) => {
      const out = join(folder, "model");
      mkdirSync(out);
      writeInto(out, "model.json", "{}");
      const args = ["convert", mlp().artifact, out, "--params", mlp().params, "--force"];
      expectReport(await convertWithLimit(8, args), "write-failed");
      expect(listing(folder)).toEqual(["model"]);
      expect(listing(out)).toEqual(["model.json"]);
    }));
});

describe("saved models", () => {
  const model = (paths: readonly string[]): unknown => ({
    format: "graph-model",
    modelTopology: { node: [] },
    weightsManifest: [{ paths, weights: [{ name: "w", shape: [4], dtype: "float32" }] }],
  });

  test.each([
    ["no JSON", "{", {}],
    ["no topology", "{}", {}],
    ["a layers model", '{"format": "layers-model"}', {}],
    ["weights too short", JSON.stringify(model(["a.bin"])), { "a.bin": new Uint8Array(8) }],
    ["weights that are not there", JSON.stringify(model(["a.bin"])), {}],
    ["weights outside the folder", JSON.stringify(model(["../a.bin"])), {}],
  ])("%s", (_, json, files) =>
    withTemporaryFolder(async (folder) => {
      writeInto(folder, "model.json", json);
      for (const [name, bytes] of Object.entries(files)) writeInto(folder, name, bytes);
      const result = await runCli(["run", folder, "--quiet"]);
      expectReport(result, /^(model-corrupt|model-format|file-open)$/);
    }),
  );

  test("an npz that is damaged", () =>
    withTemporaryFolder(async (folder) => {
      const inputs = writeInto(folder, "in.npz", randomBytes(100, 3));
      expectReport(await runCli(["run", mlp().artifact, "--inputs", inputs]), /^file-/);
    }));
});
