// Graphs that fail by themselves, in plain TensorFlow.js, where input sizes do not fit the symbolic
// shapes; and that give the right numbers where they do, on every backend of Node.
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import { describeOnBackend, nodeBackends } from "../support/backends.js";
import { handlerOf, importCase, shapePolyCase, shapePolyCases } from "./shapePolyCases.js";

/** The recorded refusals, but for sizes of 0, which plain TensorFlow.js takes. */
const refusals = shapePolyCases.flatMap((item) =>
  item.errors
    .filter(({ inputs }) => inputs.every(({ shape }) => !shape.includes(0)))
    .map((refusal) => ({
      item,
      refusal,
      title: `${item.name} with ${refusal.inputs.map(({ shape }) => `[${shape.join()}]`).join()}`,
    })),
);

const tfDtype = (dtype: string): tf.DataType => (dtype.includes("int") ? "int32" : "float32");

for (const backend of nodeBackends) {
  describeOnBackend(backend, () => {
    test.each(refusals)("$title", async ({ item, refusal }) => {
      const model = await loadGraphModel(handlerOf(importCase(item)));
      const keys = model.inputs.map(({ name }) => name);
      const feeds = Object.fromEntries(
        refusal.inputs.map(({ dtype, shape }, index) => [
          keys[index] ?? "",
          tf.zeros([...shape], tfDtype(dtype)),
        ]),
      );
      expect(() => model.execute(feeds)).toThrow();
      model.dispose();
    });
  });
}

describe("guards", () => {
  const opsOf = (name: string, guarded: boolean): readonly string[] => {
    const options = guarded ? {} : { disabledChecks: ["shape_assertions"] as const };
    return convert(importCase(shapePolyCase(name)), options).graph.nodes.map(({ op }) => op);
  };

  test("cost nothing where one input has one symbolic size", () => {
    for (const name of ["reshape_keep_batch", "layer_norm", "conv1d_batch"]) {
      expect(opsOf(name, true), name).toEqual(opsOf(name, false));
    }
  });

  test("take a Reshape for a size, a SplitV for constraints", () => {
    const added = (name: string): readonly string[] => {
      const plain = [...opsOf(name, false)];
      return opsOf(name, true).filter((op) => {
        const place = plain.indexOf(op);
        if (place >= 0) plain.splice(place, 1);
        return place < 0;
      });
    };
    expect(added("bad_multiple")).toContain("Reshape");
    expect(added("bad_constraint_ge")).toContain("SplitV");
  });
});
