// Shape-polymorphic programs through the runtime loader: right numbers at every recorded size, and
// JAX's message for every call that JAX refuses.
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { byteLengthOf, hostArray, valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import { isDType } from "../../src/ir/dtypes.js";
import { arrayOf, tensorsOf } from "../../src/run/tensors.js";
import {
  loadModel,
  type LoadedModel,
  type ModelResult,
  type ModelValue,
} from "../../src/runtime/index.js";
import { useBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import {
  handlerOf,
  importCase,
  messageOfRefusal,
  runsOf,
  shapePolyCases,
  type Refusal,
} from "./shapePolyCases.js";

beforeAll(() => useBackend("cpu"));

const valueOf = (array: HostArray): ModelValue => {
  const [real, imag] = tensorsOf(array, 2);
  if (real === undefined) throw new Error("an array without tensor");
  return imag === undefined ? real : { real, imag };
};

function tensorsIn(value: ModelResult): readonly tf.Tensor[] {
  if (value instanceof tf.Tensor) return [value];
  return "high" in value ? [value.high, value.low] : [value.real, value.imag];
}

async function runOf(model: LoadedModel, inputs: readonly HostArray[]): Promise<HostArray[]> {
  const values = inputs.map(valueOf);
  const results = await model.executeAsync(values);
  const arrays: HostArray[] = [];
  for (const [index, leaf] of model.outputs.entries()) {
    const result = results[index];
    arrays.push(await arrayOf(leaf, result === undefined ? [] : tensorsIn(result)));
  }
  tf.dispose([...values, ...results].flatMap(tensorsIn));
  return arrays;
}

function expectRefusal(model: LoadedModel, refusal: Refusal): void {
  const values = refusal.inputs.map(({ dtype, shape }) => {
    if (!isDType(dtype)) throw new Error(dtype);
    return valueOf(hostArray(dtype, shape, new Uint8Array(byteLengthOf(dtype, shape))));
  });
  expect(() => model.check(values)).toThrow(
    expect.objectContaining({ message: messageOfRefusal(refusal) }) as Error,
  );
  tf.dispose(values.flatMap(tensorsIn));
}

describe("programs of symbolic sizes", () => {
  test.each(shapePolyCases)("$name", async (item) => {
    const model = await loadModel(handlerOf(importCase(item)));
    for (const { inputs, outputs } of runsOf(item)) {
      const results = await runOf(model, inputs);
      expect(results.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
      results.forEach((result, index) => {
        const expected = outputs[index];
        if (expected === undefined) return;
        expectAgrees(`output ${index}`, valuesOf(result), valuesOf(expected), expected.dtype, item);
      });
    }
    for (const refusal of item.errors) expectRefusal(model, refusal);
    model.dispose();
  });
});
