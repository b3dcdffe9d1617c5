// Words from outside where int32 is float32: small tensors are computed on the CPU, as long as no
// kernel of the GPU has read them, or the constants beside them, in this call or an earlier one.
import { expect, test } from "vitest";
import { add } from "../../primitives/binary.js";
import { shapedArray } from "../../src/ir/aval.js";
import { lowered, program } from "../support/runLowered.js";

test("arguments and the constants they meet are read by products and sums alone", () => {
  const word = shapedArray("uint32", [2]);
  const closed = program([word, word], (builder, inputs) => builder.bind(add, inputs, {}));
  const { nodes, inputs } = lowered(closed, ["webgl"]);
  const readers = (name: string): readonly string[] =>
    nodes.filter(({ input }) => input.includes(name)).map(({ op }) => op);
  for (const { tensor } of inputs)
    expect(new Set(readers(tensor))).toEqual(new Set(["AddV2", "Mul"]));
  const hostReads = nodes.filter(({ input }) => input.some((name) => name.includes("host_const")));
  expect(hostReads).toHaveLength(4);
  for (const { input } of hostReads) {
    expect(inputs.some(({ tensor }) => input.includes(tensor))).toBe(true);
  }
});
