// Whole models called by callTfjs and saved within another program: the same numbers, and hardly
// more nodes than the models had.
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import {
  callTfjs,
  exportFunction,
  modelArtifacts,
  useBackend,
  type ArrayLike,
  type ConvertedModel,
} from "../../src/index.js";
import { tensorsOf } from "../../src/run/tensors.js";
import { importRecorded } from "./convertedModels.js";
import { recordedModel, recordedRuns } from "./recordedModels.js";

beforeAll(() => useBackend("cpu"));

const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

async function loaded(model: ConvertedModel): Promise<(inputs: tf.Tensor[]) => tf.Tensor[]> {
  const artifacts = modelArtifacts(model) as tf.io.ModelArtifacts;
  const graphModel = await loadGraphModel(tf.io.fromMemory(artifacts));
  const outputs = model.graph.outputs.map(({ tensor }) => tensor);
  return (inputs) => {
    const feeds = model.graph.inputs.map(({ tensor }, index) => [tensor, inputs[index]]);
    return listOf(graphModel.execute(Object.fromEntries(feeds) as tf.NamedTensorMap, outputs));
  };
}

test.each(["resnet_small", "bert_mini", "deepset_sort", "mixer_bf16", "gnn_mpnn"])(
  "%s",
  async (name) => {
    const path = `public/models/${name}`;
    const { program, parameters } = importRecorded(path);
    const inner = convert(program, { parameters });
    const predict = await loaded(inner);
    const [run] = recordedRuns(recordedModel(path)).slice(-1);
    const inputs = (run?.inputs ?? []).flatMap((array) => tensorsOf(array, 1));
    const call = callTfjs({ predict }) as (...args: ArrayLike[]) => ArrayLike | ArrayLike[];
    const outer = convert(exportFunction(call)(...inputs));
    expect(outer.graph.nodes.length).toBeLessThanOrEqual(inner.graph.nodes.length * 1.1);
    const results = (await loaded(outer))(inputs);
    predict(inputs).forEach((wanted, index) => {
      expect(Array.from(results[index]?.dataSync() ?? [])).toEqual(Array.from(wanted.dataSync()));
    });
  },
);
