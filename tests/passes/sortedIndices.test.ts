// Indices that a sort gives are in bounds: no comparison with 0, no wrapping around.
import { beforeAll, expect, test } from "vitest";
import {
  convert,
  exportFunction,
  lax,
  numpy as np,
  useBackend,
  type ArrayValue,
} from "../../src/index.js";

beforeAll(() => useBackend("cpu"));

const opsOf = (f: (x: ArrayValue) => ArrayValue): readonly string[] => {
  const model = convert(exportFunction(f)(np.zeros([3, 7])));
  return model.graph.nodes.map(({ op }) => op);
};

test.each([
  ["argsort", (x: ArrayValue) => np.argsort(x, { axis: 1 })],
  ["topK", (x: ArrayValue) => lax.topK(x, 3)[1]],
])("%s", (_, indices) => {
  const clamped = (x: ArrayValue): ArrayValue => {
    const places = indices(x);
    const wrapped = np.where(np.less(places, 0), np.add(places, 7), places);
    return np.minimum(np.maximum(wrapped, 0), 6);
  };
  expect(opsOf(clamped)).toEqual(opsOf(indices));
});
