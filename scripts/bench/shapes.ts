// Prints what a symbolic batch costs in nodes, per model of the corpus: npm run bench:shapes
// Exit code 1 if a model has more than 5 % more nodes than at a fixed batch, checks of sizes apart.
import { recordedModels } from "../../tests/oracle/recordedModels.js";
import { percentMore, shapeNodes } from "./shapeNodes.js";

const limit = 5;
const percent = (value: number): string => `${value >= 0 ? "+" : ""}${value.toFixed(1)} %`;

console.log("| model | fixed batch | symbolic batch | more | with checks of sizes | more |");
console.log("| --- | --- | --- | --- | --- | --- |");
const models = [...recordedModels("public"), ...recordedModels("wild")];
let exceeded = 0;
for (const model of models) {
  try {
    const row = shapeNodes(model);
    if (row === undefined) continue;
    const [more, withChecks] = [row.symbolic, row.checked].map((n) => percentMore(n, row.fixed));
    if ((more ?? 0) > limit) exceeded += 1;
    const cells = [
      model.path,
      row.fixed,
      row.symbolic,
      percent(more ?? 0),
      row.checked,
      percent(withChecks ?? 0),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  } catch (error) {
    console.log(`| ${model.path} | ${error instanceof Error ? error.message : String(error)} |`);
  }
}
console.log(`\n${exceeded} models above ${limit} %`);
process.exitCode = exceeded > 0 ? 1 : 0;
