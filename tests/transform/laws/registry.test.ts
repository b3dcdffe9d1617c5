// Every primitive with a rule of derivatives or batches has equations that its laws are checked with.
import { describe, expect, it } from "vitest";
import { registry } from "../../../primitives/index.js";
import type { Params } from "../../../src/ir/params.js";
import { isNoRule } from "../../../src/ir/primitive.js";
import { startBuilding } from "../../../src/transform/building.js";
import { describeOnBackend } from "../../support/backends.js";
import { evaluate, expectEqual } from "./arrays.js";
import { contractions } from "./contractions.js";
import { control } from "./control.js";
import type { Generators } from "./draw.js";
import { elementwise } from "./elementwise.js";
import { exceptions, hasRule, rules } from "./families.js";
import { gathers } from "./gathers.js";
import { linalg } from "./linalg.js";
import { others } from "./others.js";
import { reductions } from "./reductions.js";
import { structure } from "./structure.js";

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

/** Primitives without inputs, with parameters: nothing of theirs is differentiated or batched. */
const withoutInputs: Readonly<Record<string, Params>> = {
  axis_index: { axis_name: "rows" },
  dim_as_value: { dim: 5 },
  empty: { dtype: "float32", shape: [0, 2] },
  iota: { dtype: "float32", shape: [3, 2], dimension: 0 },
  iota_2x32_shape: { shape: [2, 3] },
};

/** Rules that exist and for which nothing says how equations with them are made. */
function unknownRules(name: string): readonly string[] {
  const primitive = registry.get(name);
  if (primitive === undefined || name in generators || name in withoutInputs) return [];
  return rules.filter((rule) => hasRule(primitive, rule) && exceptions[name]?.[rule] === undefined);
}

describe("the laws are checked", () => {
  it.each([...registry.keys()])("of %s", (name) => {
    expect(unknownRules(name)).toEqual([]);
  });

  it("of primitives that exist", () => {
    const names = [...Object.keys(generators), ...Object.keys(withoutInputs)];
    expect([...names, ...Object.keys(exceptions)].filter((name) => !registry.has(name))).toEqual(
      [],
    );
  });
});

describeOnBackend("cpu", () => {
  it.each(Object.entries(withoutInputs))("%s has values alone", async (name, params) => {
    const primitive = registry.get(name);
    if (primitive === undefined || isNoRule(primitive.jvp) || isNoRule(primitive.batch)) {
      throw new Error(`${name} lacks a rule`);
    }
    const { builder, o } = startBuilding();
    const plain = o.bind(primitive, [], params);
    const derived = primitive.jvp(o, [], [], params);
    const batched = primitive.batch(o, [], [], params);
    expect(derived.tangents).toEqual(plain.map(() => null));
    expect(batched.dims).toEqual(plain.map(() => null));
    // Collectives can be built alone, not run.
    if (isNoRule(primitive.tfjs)) return;
    const all = [...plain, ...derived.primals, ...batched.outputs];
    const values = await evaluate(builder.build(all), []);
    values.forEach((value, index) => {
      const wanted = values[index % plain.length];
      if (wanted !== undefined) expectEqual(name, value, wanted, 0);
    });
  });
});
