// `jax2tfjs conformance`, and the checks it is made of.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compareArrays } from "../../src/cli/compare.js";
import { findCases, type NamedCase } from "../../src/cli/conformance/corpus.js";
import { checkDecomposition } from "../../src/cli/conformance/reconstruct.js";
import type { ConformanceResult } from "../../src/cli/conformance/report.js";
import type { DType } from "../../src/ir/dtypes.js";
import { fromNumbers, type HostArray } from "../../src/ir/hostArray.js";
import { runCli, withTemporaryFolder } from "../support/cli.js";
import { oracleRoot } from "../support/oracle.js";
import { randomBytes, writeInto } from "./support.js";

const publicCorpus = (): string => join(oracleRoot(), "public");

/** Runs with `--json -`. */
async function conformance(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly result: ConformanceResult }> {
  const { code, stdout, stderr } = await runCli(["conformance", ...args, "--json", "-"]);
  expect(stderr).toBe("");
  return { code, result: JSON.parse(stdout) as ConformanceResult };
}

describe("the command", () => {
  test.each([
    ["cpu", "graph", []],
    ["cpu", "eager", ["--eager"]],
    ["wasm", "graph", []],
    ["wasm", "eager", ["--eager"]],
  ])("a primitive's group on %s, %s", async (backend, mode, options) => {
    const { code, result } = await conformance(
      ...[publicCorpus(), "--only", "tanh,models/mlp", "--backend", backend, ...options],
    );
    expect(code).toBe(0);
    expect(result).toMatchObject({ passed: 4, failed: 0, skipped: 0, backend, mode, failures: [] });
    expect(result.groups).toEqual({
      models: { passed: 1, failed: 0, skipped: 0 },
      tanh: { passed: 3, failed: 0, skipped: 0 },
    });
    if (mode === "graph") expect(result.medianNodes).toBeGreaterThan(1);
    else expect(result.medianNodes).toBeNull();
  });

  test("symbolic shapes at all recorded sizes, and refusals", async () => {
    const { code, result } = await conformance(
      ...[publicCorpus(), "--only", "shape_poly/000,shape_poly/002", "--jobs", "2"],
    );
    expect(code).toBe(0);
    expect(result).toMatchObject({ passed: 2, failed: 0 });
    const refusals = findCases([join(publicCorpus(), "shape_poly")])
      .filter(({ name }) => name.startsWith("bad_"))
      .map(({ id }) => `shape_poly/${id}`);
    expect(refusals.length).toBeGreaterThan(5);
    const refused = await conformance(publicCorpus(), "--only", refusals.join(","));
    expect(refused.result.failures).toEqual([]);
    expect(refused.result.passed).toBe(refusals.length);
  });

  test("prints a table and writes a file", () =>
    withTemporaryFolder(async (folder) => {
      const json = join(folder, "result.json");
      const folders = [
        join(publicCorpus(), "primitives/sin"),
        join(publicCorpus(), "primitives/tan"),
      ];
      const { code, stdout } = await runCli(["conformance", ...folders, "--json", json]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^group +passed +failed +skipped\nsin +4 +0 +0\ntan +2 +0 +0\n/);
      expect(stdout).toMatch(/\n6 cases on cpu, graph, median [\d.]+ nodes, [\d.]+ s\n/);
      expect(stdout).toMatch(/\n6 passed, 0 failed, 0 skipped\n$/);
      expect(JSON.parse(readFileSync(json, "utf8"))).toMatchObject({ passed: 6 });
    }));

  test("damaged cases fail by cause and the others go on", () =>
    withTemporaryFolder(async (folder) => {
      const group = join(folder, "tanh");
      cpSync(join(publicCorpus(), "primitives/tanh"), group, { recursive: true });
      const cases = findCases([group]);
      const [first, second, third] = cases.map(({ id }) => id);
      writeInto(group, `${first ?? ""}.jaxexport`, randomBytes(500, 5));
      // The sine of the same argument type: the numbers differ.
      const dtype = (named: NamedCase | undefined): string | undefined =>
        named?.case.kind === "primitive" ? named.case.data.inputs[0]?.dtype : undefined;
      const sine = findCases([join(publicCorpus(), "primitives/sin")]).find(
        (named) => dtype(named) === dtype(cases[1]),
      );
      const artifact = join(publicCorpus(), `primitives/sin/${sine?.id ?? ""}.jaxexport`);
      cpSync(artifact, join(group, `${second ?? ""}.jaxexport`));
      const { code, result } = await conformance(folder);
      expect(code).toBe(1);
      expect(result).toMatchObject({ passed: 1, failed: 2, groups: { tanh: { failed: 2 } } });
      expect(result.failures.map(({ id }) => id)).toEqual([first, second]);
      expect(result.failures[0]).toMatchObject({ group: "tanh", name: cases[0]?.name });
      expect(result.failures.map(({ cause }) => cause)).toEqual([
        expect.stringMatching(/^artifact-/),
        "numbers",
      ]);
      expect(third).toBeDefined();
      const { stdout } = await runCli(["conformance", folder]);
      expect(stdout).toContain("failures by cause\n  1 × ");
    }));

  test("a case that takes too long is ended", () =>
    withTemporaryFolder(async (folder) => {
      const group = join(folder, "slow");
      mkdirSync(group);
      // A pipe that nobody writes to: reading the artifact never ends.
      const fifo = join(group, "000.jaxexport");
      if (spawnSync("mkfifo", [fifo]).status !== 0) return;
      const slow = { id: "000", name: "slow", file: "000.jaxexport", npz: "000.npz" };
      const data = { ...slow, inputs: [], outputs: [], rtol: 0, atol: 0 };
      writeFileSync(join(group, "cases.json"), JSON.stringify([data]));
      const { code, result } = await conformance(folder, "--timeout", "2");
      expect(code).toBe(1);
      expect(result.failures).toMatchObject([{ group: "slow", id: "000", cause: "timeout" }]);
    }));

  test("wrong folders and groups", () =>
    withTemporaryFolder(async (folder) => {
      const none = await runCli(["conformance", folder]);
      expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^error file-open: /)]);
      const missing = await runCli(["conformance", join(folder, "no")]);
      expect(missing.code).toBe(1);
      const group = await runCli(["conformance", publicCorpus(), "--only", "no_such_group"]);
      expect(group.code).toBe(1);
      expect(group.stderr).toMatch(/^error no-such-group: /);
      const models = join(publicCorpus(), "models");
      const transform = await runCli(["conformance", models, "--transform", "jvp"]);
      expect(transform.code).toBe(1);
      expect(transform.stderr).toContain("no case has a recorded jvp");
    }));

  test.each(["jvp", "vjp", "vmap"])("--transform %s compares with JAX's numbers", async (name) => {
    const { code, result } = await conformance(
      join(publicCorpus(), "primitives"),
      "--transform",
      name,
      "--only",
      "dot_general/000,cumsum,svd/002,svd/003",
    );
    expect([code, result.failed]).toEqual([0, 0]);
    expect(result.passed).toBeGreaterThan(5);
  });
});

const tolerance = { rtol: 1e-4, atol: 1e-5 };

const array = (dtype: DType, values: readonly number[], shape = [values.length]): HostArray =>
  fromNumbers(dtype, shape, values);

describe("comparison", () => {
  test.each([
    ["equal", "float32", [1, 2], [1, 2], true],
    ["within", "float32", [1.00005], [1], true],
    ["beyond", "float32", [1.001], [1], false],
    ["NaN", "float32", [NaN], [NaN], true],
    ["NaN and a number", "float32", [NaN], [1], false],
    ["infinities", "float32", [Infinity, -Infinity], [Infinity, -Infinity], true],
    ["other infinity", "float32", [Infinity], [-Infinity], false],
    ["a number and infinity", "float32", [1e30], [Infinity], false],
    ["integers", "int32", [5], [6], false],
    ["bools", "bool", [1, 0], [1, 0], true],
    ["complex modulus", "complex64", [3, 4.0001], [3, 4], true],
    ["complex NaN", "complex64", [NaN, 1], [2, NaN], true],
    ["complex infinity", "complex64", [Infinity, 1], [Infinity, 2], false],
  ] as const)("%s", (_, dtype, actual, expected, agrees) => {
    const shape = dtype === "complex64" ? [actual.length / 2] : [actual.length];
    const comparison = compareArrays(
      array(dtype, actual, shape),
      array(dtype, expected, shape),
      tolerance,
    );
    expect(comparison.agrees).toBe(agrees);
    expect(comparison.problem === "").toBe(agrees);
  });

  test("64-bit integers are compared without rounding", () => {
    const big = (value: bigint): HostArray => fromNumbers("int64", [1], [value]);
    expect(compareArrays(big(2n ** 60n), big(2n ** 60n + 1n), tolerance).agrees).toBe(false);
    expect(compareArrays(array("int32", [7]), big(7n), tolerance).agrees).toBe(true);
  });
});

describe("decompositions", () => {
  /** A symmetric matrix with eigenvalues 1 and 3. */
  const symmetric = array("float32", [2, 1, 1, 2], [2, 2]);
  const half = Math.SQRT1_2;
  const check = (
    group: string,
    name: string,
    input: HostArray,
    actual: readonly HostArray[],
    expected = actual,
  ): string => checkDecomposition({ group, name, inputs: [input], actual, expected, tolerance });

  test("eigh: signs are free, vectors must fit", () => {
    const w = array("float32", [1, 3]);
    const v = array("float32", [-half, half, half, half], [2, 2]);
    const flipped = array("float32", [half, -half, -half, -half], [2, 2]);
    const wrong = array("float32", [1, 0, 0, 1], [2, 2]);
    expect(check("eigh", "eigh_lower_True", symmetric, [v, w])).toBe("");
    expect(check("eigh", "eigh_lower_True", symmetric, [flipped, w], [v, w])).toBe("");
    expect(check("eigh", "eigh_lower_True", symmetric, [wrong, w], [v, w])).toContain("A v");
    const other = array("float32", [1, 2]);
    expect(check("eigh", "eigh_lower_True", symmetric, [v, other], [v, w])).toContain("w is off");
  });

  test("eigh takes the triangle that the name says", () => {
    const lower = array("float32", [2, 99, 1, 2], [2, 2]);
    const upper = array("float32", [2, 1, 99, 2], [2, 2]);
    const results = [array("float32", [-half, half, half, half], [2, 2]), array("float32", [1, 3])];
    expect(check("eigh", "eigh_lower_True", lower, results)).toBe("");
    expect(check("eigh", "eigh_lower_False", upper, results)).toBe("");
    expect(check("eigh", "eigh_lower_False", lower, results)).not.toBe("");
  });

  test("eig: eigenvalues in any order", () => {
    const name = "eig_computelefteigenvectors_False_computerighteigenvectors_True";
    const w = array("complex64", [3, 0, 1, 0], [2]);
    const vr = array("complex64", [half, 0, -half, 0, half, 0, half, 0], [2, 2]);
    const swapped = [
      array("complex64", [1, 0, 3, 0], [2]),
      array("complex64", [0, half, half, 0, 0, -half, half, 0], [2, 2]),
    ];
    expect(check("eig", name, symmetric, swapped, [w, vr])).toBe("");
    expect(check("eig", name, symmetric, [w, swapped[1] ?? w], [w, vr])).toContain("vr");
  });

  test("svd and qr", () => {
    const input = array("float32", [3, 0, 0, -2], [2, 2]);
    const unit = array("float32", [1, 0, 0, 1], [2, 2]);
    const s = array("float32", [3, 2]);
    const vh = array("float32", [1, 0, 0, -1], [2, 2]);
    expect(check("svd", "svd", input, [s, unit, vh])).toBe("");
    expect(check("svd", "svd", input, [s, unit, unit])).toContain("u diag(s) vh");
    expect(check("svd", "svd", input, [s])).toBe("");
    expect(check("qr", "qr", input, [unit, input])).toBe("");
    expect(check("qr", "qr", input, [input, unit])).not.toBe("");
  });

  test("lu and cholesky", () => {
    const input = array("float32", [1, 2, 4, 6], [2, 2]);
    const packed = array("float32", [4, 6, 0.25, 0.5], [2, 2]);
    const pivots = array("int32", [1, 1]);
    const results = [packed, pivots, array("int32", [1, 0])];
    expect(check("lu", "lu", input, results)).toBe("");
    expect(check("lu", "lu", input, [packed, pivots, array("int32", [0, 1])])).toContain("L U");
    const factor = array("float32", [Math.SQRT2, 0, half, Math.sqrt(1.5)], [2, 2]);
    expect(check("cholesky", "cholesky", symmetric, [factor])).toBe("");
    const failed = array("float32", [NaN, NaN, NaN, NaN], [2, 2]);
    expect(check("cholesky", "cholesky", symmetric, [factor], [failed])).not.toBe("");
    expect(check("cholesky", "cholesky", symmetric, [failed])).toBe("");
  });

  test("other shapes are refused", () => {
    const w = array("float32", [1, 3]);
    expect(check("svd", "svd", symmetric, [w], [array("float32", [1])])).toContain("float32[2]");
  });
});
