// Checks the laws for families of primitives, and that the equations reach every rule. Used by the
// test files of this folder.
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { registry } from "../../../primitives/index.js";
import { isNoRule, type Primitive } from "../../../src/ir/primitive.js";
import { isDifferentiable } from "../../../src/transform/index.js";
import { describeOnBackend, nodeBackends, type NodeBackend } from "../../support/backends.js";
import { Laws } from "./checks.js";
import { Draw, type Example, type Generators } from "./draw.js";

export type Rule = "jvp" | "transpose" | "batch";
export const rules: readonly Rule[] = ["jvp", "transpose", "batch"];

/** Rules that equations of their own primitive do not reach, and why. */
export const exceptions: Readonly<Record<string, Partial<Record<Rule, string>>>> = {
  custom_lin: { transpose: "derivatives of custom_vjp_call make it, and their laws reach it" },
  rng_bit_generator: { batch: "all rows are drawn at once from the first key, as in JAX" },
};

export const hasRule = (primitive: Primitive, rule: Rule): boolean => !isNoRule(primitive[rule]);

/** Random equations are the same in every run, unless another seed is asked for. */
const seed = Number(process.env.JAX2TFJS_PROPERTY_SEED ?? 1);

/** For longer searches, and for those of one primitive. */
const numRuns = Number(process.env.JAX2TFJS_PROPERTY_RUNS ?? 6);
const only = process.env.JAX2TFJS_PROPERTY_ONLY?.split(",");

/** Where equations run. */
const usual = nodeBackends.find((name) => name === process.env.JAX2TFJS_PROPERTY_BACKEND) ?? "cpu";

const takesTangents = ({ inputs, active }: Example): boolean =>
  active === undefined ? inputs.some(({ dtype }) => isDifferentiable(dtype)) : active.length > 0;

/** Counts calls of a rule; gives null for one that does not exist. */
function watch(primitive: Primitive, rule: Rule): (() => number) | null {
  if (!hasRule(primitive, rule)) return null;
  const watched = vi.spyOn(primitive as unknown as Record<Rule, () => unknown>, rule);
  return () => {
    const { length } = watched.mock.calls;
    watched.mockRestore();
    return length;
  };
}

/** Tests of the laws for these primitives, on the cpu backend by default. */
export function testLaws(family: Generators, backend: NodeBackend = usual): void {
  const tested = Object.entries(family).filter(([name]) => only?.includes(name) ?? true);
  describeOnBackend(backend, () => {
    it.each(tested)("%s", async (name, generator) => {
      const primitive = registry.get(name);
      if (primitive === undefined) throw new Error(`no primitive is named ${name}`);
      const calls = rules.map((rule) => [rule, watch(primitive, rule)] as const);
      const seen = { tangents: false };
      const laws = fc.asyncProperty(fc.gen(), async (value) => {
        const draw = new Draw(value);
        const example = generator(draw);
        seen.tangents ||= takesTangents(example);
        await new Laws(primitive, example, draw).check();
      });
      try {
        await fc.assert(laws, { seed, numRuns, interruptAfterTimeLimit: 20_000 });
      } finally {
        const missed = calls.flatMap(([rule, count]) => (count?.() === 0 ? [rule] : []));
        // No tangent reaches what takes integers only.
        const expected = seen.tangents ? missed : missed.filter((rule) => rule === "batch");
        const reasons = exceptions[name] ?? {};
        const unreached = expected.filter((rule) => reasons[rule] === undefined);
        expect(unreached, "rules that were never called").toEqual([]);
      }
    });
  });
}
