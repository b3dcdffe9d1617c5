// The backends share one tfjs-core and agree on a sum: what every other numeric test relies on.
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { describeOnBackend, nodeBackends, useBackend } from "../support/backends.js";

for (const backend of nodeBackends) {
  describeOnBackend(backend, () => {
    test("runs kernels of the tfjs-core that the sources import", async () => {
      expect(tf.getBackend()).toBe(backend);
      const sum = tf.tidy(() => tf.add(tf.tensor([1, 2]), 2));
      expect(Array.from(await sum.data())).toEqual([3, 4]);
    });

    test("can be left and taken again", async () => {
      await useBackend("cpu");
      expect(tf.getBackend()).toBe("cpu");
      await useBackend(backend);
      expect(tf.getBackend()).toBe(backend);
    });
  });
}
