// Converted models are smaller than those of the official route (jax2tf of JAX 0.4.30, TensorFlow 2.16,
// tensorflowjs 4.22), and as small as the README says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { convert, type ConvertOptions } from "../../src/convert.js";
import { repositoryRoot } from "../support/paths.js";
import { importRecorded } from "./convertedModels.js";

/** Nodes of the official route for any batch size and for batch size 1, on the same programs. */
const official: Readonly<Record<string, readonly [any: number, one: number]>> = {
  actor_critic: [119, 60],
  bert_mini: [483, 306],
  cnn_mnist: [46, 24],
  gpt_mini_generate: [1309, 744],
  gpt_mini_logits: [575, 307],
  lstm_seq: [581, 423],
  mlp: [68, 39],
  resnet_small: [120, 99],
  spectrogram_cnn: [73, 37],
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
  "actor and critic": "actor_critic",
};

const counts = new Map<string, readonly [any: number, one: number]>();
function nodesOf(name: string): readonly [any: number, one: number] {
  const known = counts.get(name);
  if (known !== undefined) return known;
  const { program, parameters } = importRecorded(`public/models/${name}`);
  const nodes = (options: ConvertOptions): number => {
    const { graph } = convert(program, { parameters, ...options });
    return graph.functions.reduce((sum, { nodes }) => sum + nodes.length, graph.nodes.length);
  };
  const count = [nodes({}), nodes({ dimensions: new Map([["b", 1]]) })] as const;
  counts.set(name, count);
  return count;
}

test.each(Object.entries(official))("%s has less than %j nodes", (name, limits) => {
  nodesOf(name).forEach((count, index) => {
    expect(count).toBeLessThan(limits[index] ?? 0);
  });
});

test("the README's node counts are no lower than the real ones", () => {
  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  for (const [row, name] of Object.entries(inReadme)) {
    const cells = readme.split("\n").find((line) => line.startsWith(`| ${row} `));
    const [any, ourAny, one, ourOne] = (cells ?? "").split("|").slice(2, 6).map(Number);
    const ours = nodesOf(name);
    expect([any, one], row).toEqual(official[name]);
    expect(ourAny, row).toBeGreaterThanOrEqual(ours[0]);
    expect(ourOne, row).toBeGreaterThanOrEqual(ours[1]);
  }
});
