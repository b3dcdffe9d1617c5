// `jax2tfjs convert`: what it writes and prints.
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli, withTemporaryFolder } from "../support/cli.js";
import { listing, mlp, modelFolder, readBytes, runJson, writeInto } from "./support.js";

interface ModelJson {
  readonly format: string;
  readonly signature: {
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly outputs: Readonly<Record<string, unknown>>;
  };
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly { readonly name: string }[];
  }[];
}

const readModel = (folder: string): ModelJson =>
  JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as ModelJson;

const weightNames = (folder: string): string[] =>
  readModel(folder).weightsManifest.flatMap(({ weights }) => weights.map(({ name }) => name));

/** What `--json` prints. */
interface Summary {
  readonly directory: string;
  readonly files: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly nodes: number;
  readonly weightBytes: number;
  readonly execute: string;
}

test("a model with parameters", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const out = join(folder, "model");
    const { code, stdout, stderr } = await runCli(["convert", artifact, out, "--params", params]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`apply -> ${out}`);
    expect(stdout).toMatch(/float32\[\?,32\]/);
    expect(stdout).toMatch(/run with +model\.execute\n/);
    expect(listing(folder)).toEqual(["model"]);
    expect(listing(out)).toEqual(["group1-shard1of1.bin", "model.json"]);
    expect(weightNames(out)).toContain("params/Dense_0/kernel");
    expect(readModel(out).format).toBe("graph-model");
    expect(Object.keys(readModel(out).signature.inputs)).toHaveLength(1);
  }));

test("--json prints the summary alone", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const out = join(folder, "model");
    const { code, json } = await runJson(["convert", artifact, out, "--params", params]);
    const summary = json as Summary;
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      directory: out,
      files: ["model.json", "group1-shard1of1.bin"],
      inputs: [{ dtype: "float32", shape: [-1, 32] }],
      outputs: [{ dtype: "float32", shape: [-1, 10] }],
      execute: "execute",
      warnings: [],
    });
    expect(summary.weightBytes).toBe(statSync(join(out, "group1-shard1of1.bin")).size);
    expect(summary.nodes).toBeGreaterThan(5);
  }));

test("--quiet prints nothing; - reads standard input", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact } = mlp();
    const { code, stdout, stderr } = await runCli(
      ["convert", "-", join(folder, "model"), "--quiet"],
      { input: readBytes(artifact) },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    // Without --params all seven leaves are inputs.
    expect(Object.keys(readModel(join(folder, "model")).signature.inputs)).toHaveLength(7);
  }));

test.each(["--shard-bytes", "--weight_shard_size_bytes"])("%s sets the size of files", (option) =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const out = join(folder, "model");
    const args = ["convert", artifact, out, "--params", params, option, "10KiB"];
    expect((await runCli(args)).code).toBe(0);
    const shards = listing(out).filter((name) => name.endsWith(".bin"));
    expect(shards).toHaveLength(3);
    expect(readModel(out).weightsManifest[0]?.paths).toEqual(shards);
    expect(statSync(join(out, shards[0] ?? "")).size).toBe(10240);
  }),
);

test("--set fixes sizes", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const args = ["convert", artifact, join(folder, "model"), "--params", params];
    const { code, json } = await runJson([...args, "--set", "b=3"]);
    expect(code).toBe(0);
    expect((json as Summary).inputs[0]?.shape).toEqual([3, 32]);
    const unknown = await runCli([...args, "--set", "batch=3"]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("the program has no dimension variable batch");
    expect(unknown.stderr).toContain("its dimension variables are b");
  }));

test("--disable-checks is noted in the model", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const out = join(folder, "model");
    const args = ["convert", artifact, out, "--params", params, "--disable-checks"];
    expect((await runCli([...args, "shape_assertions"])).code).toBe(0);
    expect(readFileSync(join(out, "model.json"), "utf8")).toContain("shape_assertions");
    const wrong = await runCli([...args, "shapes"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("shape_assertions")]);
  }));

test("--sync refuses a model that needs executeAsync", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = modelFolder("wild/kmeans_while");
    const args = ["convert", artifact, join(folder, "model"), "--params", params];
    const { code, stderr } = await runCli([...args, "--sync"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error needs-async: /);
    expect(listing(folder)).toEqual([]);
    const allowed = await runJson(args);
    expect((allowed.json as Summary).execute).toBe("executeAsync");
  }));

test("--no-optimize makes more nodes", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const args = (name: string): string[] => {
      return ["convert", artifact, join(folder, name), "--params", params];
    };
    const optimized = await runJson(args("optimized"));
    const plain = await runJson([...args("plain"), "--no-optimize"]);
    expect(plain.code).toBe(0);
    expect((plain.json as Summary).nodes).toBeGreaterThan((optimized.json as Summary).nodes);
  }));

describe("--params-arg", () => {
  test("another argument than the first", () =>
    withTemporaryFolder(async (folder) => {
      const { artifact, params } = mlp();
      const args = ["convert", artifact, join(folder, "model"), "--params", params];
      const { code, stderr } = await runCli([...args, "--params-arg", "1"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error params-mismatch: /);
      const none = await runCli([...args, "--params-arg", "7"]);
      expect(none.code).toBe(1);
      expect(none.stderr).toMatch(/^error no-such-argument: .*\n {2}fix {3}its arguments are 0, 1/);
    }));

  test("a wrong number of them is wrong usage", async () => {
    const { artifact, params } = mlp();
    const args = ["convert", artifact, "out", "--params", params, "--params-arg", "0"];
    expect((await runCli([...args, "--params-arg", "1"])).code).toBe(2);
    expect((await runCli([...args, "--params", params])).code).toBe(2);
    expect(existsSync("out")).toBe(false);
  });
});

describe("OUT_DIR exists", () => {
  const convert = (out: string, ...more: string[]): ReturnType<typeof runCli> => {
    const { artifact, params } = mlp();
    return runCli(["convert", artifact, out, "--params", params, ...more]);
  };

  test("it is left as it was", () =>
    withTemporaryFolder(async (folder) => {
      const out = join(folder, "model");
      mkdirSync(out);
      writeInto(out, "mine.txt", "mine");
      const { code, stderr } = await convert(out);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error output-exists: /);
      expect(stderr).toContain("--force");
      expect(listing(folder)).toEqual(["model"]);
      expect(listing(out)).toEqual(["mine.txt"]);
    }));

  test("--force replaces it as a whole", () =>
    withTemporaryFolder(async (folder) => {
      const out = join(folder, "model");
      mkdirSync(out);
      writeInto(out, "old.bin", "old");
      expect((await convert(out, "--force")).code).toBe(0);
      expect(listing(folder)).toEqual(["model"]);
      expect(listing(out)).toEqual(["group1-shard1of1.bin", "model.json"]);
    }));
});
