// `jax2tfjs inspect`: artifacts and saved models, for people and for programs.
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli, withTemporaryFolder } from "../support/cli.js";
import { oracleRoot } from "../support/oracle.js";
import { mlp, modelFolder, readBytes, runJson, withText, writeInto } from "./support.js";

test("an artifact", async () => {
  const { code, stdout, stderr } = await runCli(["inspect", mlp().artifact]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/model\.jaxexport: JAX export artifact, [\d.]+ KiB\n/);
  expect(stdout).toMatch(/function +apply\n/);
  expect(stdout).toMatch(/version +calling convention 10, serialization \d+, StableHLO_v/);
  expect(stdout).toMatch(/platforms +cpu\n/);
  expect(stdout).toMatch(/stored VJP +no\n/);
  expect(stdout).toMatch(/\['Dense_0'\]\['kernel'\] +float32\[32,64\] +8\.0 KiB\n/);
  expect(stdout).toMatch(/dimension variables +b\n/);
  expect(stdout).toMatch(/argument 0 +6 leaves, 6,922 elements, 27\.0 KiB\n/);
  expect(stdout).toMatch(/cost at b=1 +[\d,]+ FLOPs/);
  expect(stdout).toMatch(/dot_general +3\n/);
});

test("an artifact as JSON", async () => {
  const { code, json } = await runJson(["inspect", mlp().artifact]);
  expect(code).toBe(0);
  expect(json).toMatchObject({
    kind: "jax.export",
    name: "apply",
    callingConventionVersion: 10,
    platforms: ["cpu"],
    effects: [],
    storedVjp: false,
    dimensionVariables: ["b"],
    parameters: [{ argument: "0", leaves: 6, elements: 6922, bytes: 27688 }],
    outputs: [{ dtype: "float32", shape: ["b", 10] }],
    operations: { dot_general: 3, tanh: 1 },
    cost: { sizes: { b: 1 } },
    warnings: [],
  });
});

test("the cost grows with the sizes", async () => {
  interface Inspected {
    readonly cost: { readonly flops: number; readonly sizes: Readonly<Record<string, number>> };
  }
  const one = (await runJson(["inspect", mlp().artifact])).json as Inspected;
  const eight = (await runJson(["inspect", mlp().artifact, "--set", "b=8"])).json as Inspected;
  expect(eight.cost.sizes).toEqual({ b: 8 });
  // Three matrix products with 32, 64 and 64 terms, and little beside.
  const products = 2 * (32 * 64 + 64 * 64 + 64 * 10);
  expect(one.cost.flops).toBeGreaterThan(products);
  expect(one.cost.flops).toBeLessThan(1.2 * products);
  expect(eight.cost.flops / one.cost.flops).toBeCloseTo(8, 0);
  expect((await runCli(["inspect", mlp().artifact, "--set", "n=8"])).code).toBe(1);
});

test("--jaxpr prints the program, --mlir the module", async () => {
  const jaxpr = await runCli(["inspect", mlp().artifact, "--jaxpr"]);
  expect(jaxpr.code).toBe(0);
  expect(jaxpr.stdout).toMatch(/^\{ lambda ; a:f32\[64\] b:f32\[32,64\]/);
  expect(jaxpr.stdout).toMatch(/:f32\[b,64\] = dot_general\[\s+dimension_numbers=/);
  const mlir = await runCli(["inspect", mlp().artifact, "--mlir"]);
  expect(mlir.code).toBe(0);
  expect(mlir.stdout).toMatch(/^"builtin\.module"/);
});

test("a stored VJP, several platforms, effects", async () => {
  const vjp = await runJson(["inspect", modelFolder("wild/vjp_serialized").artifact]);
  expect(vjp.json).toMatchObject({ storedVjp: true });
  const platforms = await runJson(["inspect", modelFolder("wild/multiplatform_linen").artifact]);
  expect((platforms.json as { platforms: string[] }).platforms.length).toBeGreaterThan(1);
});

test("a saved model", () =>
  withTemporaryFolder(async (folder) => {
    const { artifact, params } = mlp();
    const out = join(folder, "model");
    await runCli(["convert", artifact, out, "--params", params]);
    const { code, stdout } = await runCli(["inspect", out]);
    expect(code).toBe(0);
    expect(stdout).toContain(": graph model of apply");
    expect(stdout).toMatch(/written by +jax2tfjs \d/);
    expect(stdout).toMatch(/float32\[b,32\]/);
    expect(stdout).toMatch(/params\/Dense_0\/kernel +float32\[32,64\] +8\.0 KiB/);
    const { json } = await runJson(["inspect", join(out, "model.json")]);
    expect(json).toMatchObject({
      kind: "graph-model",
      execute: "execute",
      parameters: 6,
      inputs: [{ dtype: "float32", shape: ["b", 32] }],
      operations: { Placeholder: 1 },
    });
    const jaxpr = await runCli(["inspect", out, "--jaxpr"]);
    expect(jaxpr.code).toBe(2);
  }));

test("an artifact that cannot be imported still shows its header", () =>
  withTemporaryFolder(async (folder) => {
    const artifact = join(oracleRoot(), "public/shape_poly/000.jaxexport");
    const changed = withText(readBytes(artifact), "shape_assertion", "shape_assertioX");
    const { code, stdout, stderr } = await runCli([
      "inspect",
      writeInto(folder, "model.jaxexport", changed),
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error unsupported-custom-call: /);
    expect(stdout).toMatch(/platforms +cpu/);
    expect(stdout).toMatch(/stablehlo\.custom_call +\d/);
  }));
