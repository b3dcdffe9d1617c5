// What recorded artifacts are imported as: the first program of the corpus with each op that has a
// region, each composite and each custom call, and shape-polymorphic control flow, as printed jaxprs.
import { describe, expect, test } from "vitest";
import { importExported } from "../../src/import/program.js";
import { printJaxpr } from "../../src/ir/print.js";
import { listOracle, readOracle, readOracleText } from "../support/oracle.js";
import { importCase, shapePolyCase } from "../runtime/shapePolyCases.js";

interface RecordedCase {
  readonly file: string;
  readonly name: string;
  readonly ops: readonly string[];
  readonly custom_calls?: readonly string[];
  readonly composites?: readonly string[];
}

/** Ops whose bodies say what they are. */
const withRegions = [
  "stablehlo.reduce",
  "stablehlo.reduce_window",
  "stablehlo.select_and_scatter",
  "stablehlo.sort",
  "stablehlo.scatter",
  "stablehlo.while",
  "stablehlo.case",
];

/** Longer programs are for other tests. */
const longest = 3000;

/** Per op of interest the first program of the corpus that is short enough to be read. */
function firstPrograms(): readonly { readonly op: string; readonly text: string }[] {
  const found = new Map<string, string>();
  for (const group of listOracle("public/primitives")) {
    const folder = `public/primitives/${group}`;
    const cases = JSON.parse(readOracleText(`${folder}/cases.json`)) as readonly RecordedCase[];
    for (const { file, ops, custom_calls = [], composites = [] } of cases) {
      const regions = ops.filter((op) => withRegions.includes(op));
      const open = [...regions, ...custom_calls, ...composites].filter((op) => !found.has(op));
      if (open.length === 0) continue;
      const text = printJaxpr(importExported(readOracle(`${folder}/${file}`)).jaxpr);
      if (text.length <= longest) for (const op of open) found.set(op, text);
    }
  }
  return [...found].map(([op, text]) => ({ op, text })).sort((x, y) => (x.op < y.op ? -1 : 1));
}

describe("operations", () => {
  test.each(firstPrograms())("$op", ({ text }) => {
    expect(text).toMatchSnapshot();
  });
});

describe("symbolic sizes", () => {
  const names = [
    "cond_batch",
    "while_accumulate",
    "scan_over_time",
    "reduce_window_symbolic",
    "conv1d_spatial",
    "sort_batch",
    "scatter_add_batch",
    "dynamic_update_row",
    "top_k_batch",
    "pad_edge",
  ];
  test.each(names)("%s", (name) => {
    expect(printJaxpr(importCase(shapePolyCase(name)).jaxpr)).toMatchSnapshot();
  });
});
