// A symbolic batch costs next to no nodes: all models with one, beside the same model at a fixed batch.
import { expect, test } from "vitest";
import { percentMore, shapeNodes } from "../../scripts/bench/shapeNodes.js";
import { convert } from "../../src/convert.js";
import { importRecorded } from "./convertedModels.js";
import { recordedModels } from "./recordedModels.js";

test.each(recordedModels("public"))("$path: at most 5 % more nodes", (model) => {
  const row = shapeNodes(model);
  if (row === undefined) return;
  expect(percentMore(row.symbolic, row.fixed)).toBeLessThanOrEqual(5);
  // The checks of sizes, where more than one size is symbolic, are at most five nodes per input.
  const inputs = model.meta.args.filter(({ kind }) => kind === "input").length;
  expect(row.checked - row.symbolic).toBeLessThanOrEqual(5 * (inputs - 1));
});

/** Ops that compute with sizes. */
const sizeOps = ["Shape", "Range", "Fill", "BroadcastTo"];

test.each(["cnn_mnist", "digits_cnn", "mlp", "resnet_small", "spectrogram_cnn"])(
  "%s has no shape arithmetic: -1 does",
  (name) => {
    const { program, parameters } = importRecorded(`public/models/${name}`);
    const ops = convert(program, { parameters }).graph.nodes.map(({ op }) => op);
    expect(ops.filter((op) => sizeOps.includes(op))).toEqual([]);
  },
);
