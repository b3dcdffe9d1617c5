// `jax2tfjs run` and `verify`: artifacts and saved models, in graph and eager mode.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readNpz, writeNpz } from "../../src/files/npz.js";
import { fromNumbers, hostArray, toNumbers, type HostArray } from "../../src/ir/hostArray.js";
import { runCli, withTemporaryFolder } from "../support/cli.js";
import { mlp, modelFolder, readBytes, runJson, writeInto } from "./support.js";

const recorded = (name: string): HostArray => {
  const array = readNpz(readBytes(mlp().reference)).get(name);
  if (array === undefined) throw new Error(`there is no ${name}`);
  return array;
};

const writeArrays = (folder: string, arrays: Readonly<Record<string, HostArray>>): string =>
  writeInto(folder, "in.npz", writeNpz(Object.entries(arrays)));

const withParams = (): string[] => [mlp().artifact, "--params", mlp().params];

/** Converts the mlp into a folder. */
async function convertMlp(folder: string): Promise<string> {
  const out = join(folder, "model");
  const [artifact = "", ...params] = withParams();
  const { code, stderr } = await runCli(["convert", artifact, out, ...params]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return out;
}

function expectClose(actual: HostArray | undefined, expected: HostArray): void {
  expect(actual?.shape).toEqual(expected.shape);
  const numbers = actual === undefined ? [] : toNumbers(actual);
  toNumbers(expected).forEach((value, index) => {
    expect(Math.abs((numbers[index] ?? NaN) - value)).toBeLessThan(1e-4);
  });
}

describe("run", () => {
  test.each([
    ["0", []],
    ["arr_0", ["--eager"]],
    ["args[0]", ["--backend", "wasm"]],
    ["args[0]", ["--backend", "wasm", "--eager"]],
  ])("an artifact with an input named %s, %s", (name, options) =>
    withTemporaryFolder(async (folder) => {
      const inputs = writeArrays(folder, { [name]: recorded("b5_in_0") });
      const out = join(folder, "out.npz");
      const args = ["run", ...withParams(), "--inputs", inputs, "--out", out, ...options];
      const { code, stdout, stderr } = await runCli(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^result +float32\[5,10\] +min .* max .* mean /);
      expectClose([...readNpz(readBytes(out)).values()][0], recorded("b5_out_0"));
    }),
  );

  test("a saved model, with JSON", () =>
    withTemporaryFolder(async (folder) => {
      const model = await convertMlp(folder);
      const inputs = writeArrays(folder, { 0: recorded("b1_in_0") });
      const { code, json } = await runJson(["run", model, "--inputs", inputs]);
      expect(code).toBe(0);
      expect(json).toMatchObject({
        backend: "cpu",
        outputs: [{ name: "result", dtype: "float32", shape: [1, 10], nanCount: 0 }],
      });
    }));

  test("64-bit arrays serve for 32-bit inputs", () =>
    withTemporaryFolder(async (folder) => {
      const wide = fromNumbers("float64", [1, 32], toNumbers(recorded("b1_in_0")));
      const out = join(folder, "out.npz");
      const inputs = writeArrays(folder, { 0: wide });
      const { code } = await runCli([
        ...["run", ...withParams(), "--inputs", inputs, "--out", out, "--quiet"],
      ]);
      expect(code).toBe(0);
      expectClose(readNpz(readBytes(out)).get("result"), recorded("b1_out_0"));
    }));

  test("lists everything that is wrong with the inputs", () =>
    withTemporaryFolder(async (folder) => {
      const inputs = writeArrays(folder, {
        other: fromNumbers("int32", [2], [1, 2]),
        6: fromNumbers("int32", [1, 31], new Int32Array(31)),
        1: fromNumbers("float32", [32, 63], new Float32Array(32 * 63)),
      });
      const { code, json, stderr } = await runJson([
        ...["run", mlp().artifact, "--inputs", inputs],
      ]);
      expect(code).toBe(1);
      const lines = stderr.split("\n").map((line) => line.trim());
      expect(lines[0]).toBe("error inputs-mismatch: the inputs do not fit the program:");
      expect(lines.filter((line) => line.startsWith("missing "))).toHaveLength(5);
      expect(lines).toContain("unknown other (int32[2])");
      expect(lines).toContain("Dtype mismatch for args[1]: expected float32 and called with int32");
      expect(lines).toContain(
        "Shape mismatch for args[0]['params']['Dense_0']['kernel'].shape[1] (expected same " +
          "constant): expected (32, 64) and called with (32, 63)",
      );
      expect(json).toMatchObject({ error: { code: "inputs-mismatch" } });
    }));

  test("says in JAX's words which symbolic sizes disagree", () =>
    withTemporaryFolder(async (folder) => {
      const { artifact, params } = modelFolder("wild/hf_bert_seqcls");
      const inputs = writeArrays(folder, {
        0: fromNumbers("int32", [2, 12], new Int32Array(24)),
        1: fromNumbers("int32", [3, 12], new Int32Array(36)),
      });
      for (const mode of [[], ["--eager"]]) {
        const args = ["run", artifact, "--params", params, "--inputs", inputs, ...mode];
        const { code, stderr } = await runCli(args);
        expect(code).toBe(1);
        expect(stderr).toMatch(
          /shape-mismatch: Input shapes do not match the polymorphic shapes specification/,
        );
      }
    }));

  test("--trace shows each equation with its values and its source", () =>
    withTemporaryFolder(async (folder) => {
      const inputs = writeArrays(folder, { 0: recorded("b1_in_0") });
      const args = ["run", ...withParams(), "--inputs", inputs, "--eager", "--trace"];
      const { code, stdout } = await runCli(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/ {3}0 {2}\w+:f32\[1,64\] = dot_general/);
      expect(stdout).toMatch(/ = tanh .*\n +min .* max .* mean /);
      const { json } = await runJson(args);
      const { trace } = json as { trace: readonly { equation: string; outputs: unknown[] }[] };
      expect(trace.length).toBeGreaterThan(10);
      expect(trace[0]?.outputs[0]).toMatchObject({ nanCount: 0 });
    }));

  test("--check-nans stops at the equation that makes a NaN", () =>
    withTemporaryFolder(async (folder) => {
      const values = new Float32Array(32);
      values[3] = Infinity;
      const inputs = writeArrays(folder, { 0: fromNumbers("float32", [1, 32], values) });
      const args = ["run", ...withParams(), "--inputs", inputs, "--eager", "--check-nans"];
      const { code, stderr } = await runCli(args);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error nan-produced: \w+ makes \d+ NaN from numbers\n/);
      expect(stderr).toMatch(/\n {2}eqn {3}/);
      const given = new Float32Array(32).fill(NaN);
      const harmless = writeArrays(folder, { 0: fromNumbers("float32", [1, 32], given) });
      const passed = await runCli([
        ...["run", ...withParams(), "--inputs", harmless, "--eager", "--check-nans"],
      ]);
      expect(passed.code).toBe(0);
    }));

  test("a saved model has no equations and its own parameters", () =>
    withTemporaryFolder(async (folder) => {
      const model = await convertMlp(folder);
      const inputs = writeArrays(folder, { 0: recorded("b1_in_0") });
      const eager = await runCli(["run", model, "--inputs", inputs, "--eager"]);
      expect(eager.code).toBe(2);
      expect(eager.stderr).toContain("--eager needs the artifact");
      const params = await runCli(["run", model, "--inputs", inputs, "--params", mlp().params]);
      expect(params.code).toBe(2);
    }));

  test.skipIf(process.platform !== "linux")("--out to a full disk", () =>
    withTemporaryFolder(async (folder) => {
      const inputs = writeArrays(folder, { 0: recorded("b1_in_0") });
      const args = ["run", ...withParams(), "--inputs", inputs, "--out", "/dev/full"];
      const { code, stderr } = await runCli(args);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error write-failed: cannot write \/dev\/full: ENOSPC/);
    }),
  );
});

describe("verify", () => {
  test.each([[[]], [["--eager"]], [["--backend", "wasm"]]])("an artifact agrees, %s", (options) =>
    withTemporaryFolder(async () => {
      const args = ["verify", ...withParams(), "--reference", mlp().reference, ...options];
      const { code, stdout, stderr } = await runCli(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^ok +b1 +result +float32\[1,10\] +max abs .* max rel /);
      expect(stdout).toMatch(/\nok +b5 +result +float32\[5,10\]/);
      expect(stdout).toMatch(/\nall outputs agree \(/);
    }),
  );

  test("a saved model differs beyond the tolerance", () =>
    withTemporaryFolder(async (folder) => {
      const model = await convertMlp(folder);
      const args = ["verify", model, "--reference", mlp().reference];
      expect((await runCli(args)).code).toBe(0);
      const { code, json } = await runJson([...args, "--rtol", "0", "--atol", "1e-12"]);
      expect(code).toBe(1);
      expect(json).toMatchObject({ agrees: false, rtol: 0, atol: 1e-12, backend: "cpu" });
      const { outputs } = json as { outputs: readonly { maxAbsoluteError: number }[] };
      expect(outputs[0]?.maxAbsoluteError).toBeLessThan(1e-5);
    }));

  test.each([
    ["in_0", "out_0"],
    ["inputs/0", "outputs/result"],
    ["input_0", "output_0"],
  ])("keys %s and %s", (input, output) =>
    withTemporaryFolder(async (folder) => {
      const reference = writeArrays(folder, {
        [input]: recorded("b1_in_0"),
        [output]: recorded("b1_out_0"),
      });
      const args = ["verify", ...withParams(), "--reference", reference];
      expect(await runCli(args)).toMatchObject({ code: 0 });
    }),
  );

  test("a wrong dtype or shape differs", () =>
    withTemporaryFolder(async (folder) => {
      const { bytes } = recorded("b1_out_0");
      const reference = writeArrays(folder, {
        in_0: recorded("b1_in_0"),
        out_0: hostArray("int32", [10], bytes),
      });
      const { code, stdout } = await runCli(["verify", ...withParams(), "--reference", reference]);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^DIFFERS .* float32\[1,10\] instead of int32\[10\]/);
    }));

  test("a file without outputs or with other keys is refused", () =>
    withTemporaryFolder(async (folder) => {
      for (const arrays of [{ in_0: recorded("b1_in_0") }, { "out-0": recorded("b1_out_0") }]) {
        const reference = writeArrays(folder, arrays);
        const { code, stderr } = await runCli([
          ...["verify", ...withParams(), "--reference", reference],
        ]);
        expect(code).toBe(1);
        expect(stderr).toMatch(/^error reference-keys: /);
      }
    }));
});
