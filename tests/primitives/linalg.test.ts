import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/ir/tf.js";
import { describeOnBackend, nodeBackends } from "../support/backends.js";
import { problemOf, recordedLinalg, runEquation } from "../support/recordedLinalg.js";

const everywhere: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];
const recorded = recordedLinalg();
const names = [...new Set(recorded.map(({ name }) => name))];

for (const backend of nodeBackends) {
  describeOnBackend(backend, () => {
    describe("recorded results, converted for all backends", () => {
      it.each(names)("%s", { timeout: 120_000 }, async (name) => {
        const failures: string[] = [];
        for (const equation of recorded.filter((one) => one.name === name)) {
          try {
            const { results } = await runEquation(equation, everywhere);
            const problem = problemOf(equation, results);
            if (problem !== "") failures.push(`${equation.title}: ${problem}`);
          } catch (error) {
            failures.push(`${equation.title}: ${String(error)}`);
          }
        }
        expect(failures).toEqual([]);
      });
    });
  });
}
