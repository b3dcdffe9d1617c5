// Converted models are smaller than those of the official route (jax2tf of JAX 0.4.30, TensorFlow 2.16,
// tensorflowjs 4.22), and as small as the README says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import { repositoryRoot } from "../support/paths.js";
import { importRecorded } from "./convertedModels.js";

/** Nodes of the official route with a symbolic batch, measured on the same programs. */
const official: Readonly<Record<string, number>> = {
  actor_critic: 119,
  bert_mini: 483,
  cnn_mnist: 46,
  gpt_mini_generate: 1309,
  gpt_mini_logits: 575,
  lstm_seq: 581,
  mlp: 68,
  resnet_small: 120,
  spectrogram_cnn: 73,
};

/** Rows of the README's table. */
const inReadme: Readonly<Record<string, string>> = {
  MLP: "mlp",
  "convolutional network": "cnn_mnist",
  "small ResNet": "resnet_small",
  "small BERT": "bert_mini",
  "small GPT, logits": "gpt_mini_logits",
  LSTM: "lstm_seq",
  "spectrogram + CNN": "spectrogram_cnn",
};

const counts = new Map<string, number>();
function nodesOf(name: string): number {
  const known = counts.get(name);
  if (known !== undefined) return known;
  const { program, parameters } = importRecorded(`public/models/${name}`);
  const { graph } = convert(program, { parameters });
  const inFunctions = graph.functions.reduce((sum, { nodes }) => sum + nodes.length, 0);
  const count = graph.nodes.length + inFunctions;
  counts.set(name, count);
  return count;
}

test.each(Object.entries(official))("%s has less than %d nodes", (name, limit) => {
  expect(nodesOf(name)).toBeLessThan(limit);
});

test("the README's node counts are no lower than the real ones", () => {
  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  for (const [row, name] of Object.entries(inReadme)) {
    const cells = readme.split("\n").find((line) => line.startsWith(`| ${row} `));
    const [before, ours] = (cells ?? "").split("|").slice(2, 4).map(Number);
    expect(before, row).toBe(official[name]);
    expect(ours, row).toBeGreaterThanOrEqual(nodesOf(name));
  }
});
