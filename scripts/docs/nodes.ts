// Lists how many nodes the rules emit, per primitive over all equations of a corpus:
//   npx tsx scripts/docs/nodes.ts FOLDER [MORE_THAN]
// Rules above 40 nodes say why in their records (`manyNodes`).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findCases } from "../../src/cli/conformance/corpus.js";
import { importArtifact } from "../../src/cli/load.js";
import type { ClosedJaxpr, Equation, Var } from "../../src/ir/jaxpr.js";
import { lowerProgram } from "../../src/lower/lowerProgram.js";
import { optimize } from "../../src/passes/optimize.js";
import { registry } from "../../primitives/index.js";

const [folder = "", moreThan = "0"] = process.argv.slice(2);
const counts = new Map<string, number[]>();

/** The equation as a program of its own. */
function alone(equation: Equation): ClosedJaxpr {
  const invars = [...new Set(equation.inputs.filter((atom): atom is Var => atom.kind === "var"))];
  return {
    kind: "closed-jaxpr",
    jaxpr: { invars, constvars: [], equations: [equation], outvars: equation.outputs },
    consts: [],
  };
}

function nodesOf(program: ClosedJaxpr): number {
  const { nodes, functions } = lowerProgram({
    program,
    inputs: program.jaxpr.invars.map((_, index) => ({ key: `x${index}`, weight: null })),
    outputs: program.jaxpr.outvars.map((_, index) => `y${index}`),
    backends: new Set(["cpu"]),
    complexBorders: "pair",
  });
  return functions.reduce((sum, inner) => sum + inner.nodes.length, nodes.length);
}

for (const { case: item } of findCases([folder])) {
  if (item.kind !== "primitive") continue;
  try {
    const bytes = new Uint8Array(readFileSync(join(item.folder, item.data.file)));
    const { jaxpr } = optimize(importArtifact(bytes).jaxpr, { level: "full" });
    for (const equation of jaxpr.equations) {
      const { name } = equation.primitive;
      counts.set(name, [...(counts.get(name) ?? []), nodesOf(alone(equation))]);
    }
  } catch (error) {
    console.error(`${item.data.name}: ${String(error).split("\n")[0] ?? ""}`);
  }
}

for (const [name, list] of [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
  const sorted = list.toSorted((a, b) => a - b);
  const largest = sorted.at(-1) ?? 0;
  if (largest <= Number(moreThan)) continue;
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const why = registry.get(name)?.manyNodes ?? "";
  console.log(
    `${name.padEnd(28)} ${list.length} equations, median ${median}, most ${largest}  ${why}`,
  );
}
