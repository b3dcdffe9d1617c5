// docs/SUPPORT.md is what the records and the committed conformance results make it.
import { expect, test } from "vitest";
import type { NoParams } from "../../src/ir/params.js";
import { shapedArray } from "../../src/ir/aval.js";
import { definePrimitive, none } from "../../src/ir/primitive.js";
import type { ConformanceResult } from "../../src/cli/conformance/report.js";
import { summarise } from "../../scripts/docs/conformanceSummary.js";
import { currentSupportPage, writtenSupportPage } from "../../scripts/docs/support.js";
import { supportPage } from "../../scripts/docs/supportPage.js";

test("the page is up to date; if not, run `npm run docs:support`", () => {
  expect(writtenSupportPage()).toBe(currentSupportPage());
});

const result = (status: "passed" | "failed", group: string): ConformanceResult => ({
  passed: status === "passed" ? 1 : 0,
  failed: status === "failed" ? 1 : 0,
  skipped: 0,
  backend: "cpu",
  mode: "graph",
  groups: {},
  failures: [],
  medianNodes: 3,
  seconds: 1,
  cases: [{ group, id: "000", name: "case", dtype: "float32", status, nodes: 3 }],
});

const primitive = definePrimitive<NoParams>({
  name: "example",
  abstractEval: () => [shapedArray("float32", [])],
  jvp: none("an example"),
  transpose: none("an example"),
  batch: none("an example"),
  tfjs: none("an example"),
  limits: [{ when: "a | b", effect: "less", why: "so" }],
});

test("a failure without a reason stops the page", () => {
  const summary = summarise([result("failed", "unheard_of")]);
  expect(() => supportPage({ summary, primitives: [], expectedFailures: [] })).toThrow(
    "no reason for unheard_of/000",
  );
});

test("a reason without a failure stops the page", () => {
  const summary = summarise([result("passed", "example")]);
  expect(() => supportPage({ summary, primitives: [primitive], expectedFailures: [] })).toThrow(
    /^reasons without a failure: sort\/015/,
  );
});

test("a summary counts cases by group and element type", () => {
  const summary = summarise([result("passed", "example"), result("failed", "example")]);
  expect(summary.groups).toEqual({ example: { float32: 1 } });
  expect(summary.nodes).toEqual({ example: { median: 3, largest: 3 } });
  expect(summary.failures).toEqual([
    { id: "example/000", name: "case", dtype: "float32", runs: ["cpu graph"] },
  ]);
});
