// Recurrent cells: how many nodes a step takes, and that both directions of a network share them.
import { beforeAll, describe, expect, test } from "vitest";
import * as lax from "../../src/lax/index.js";
import { useBackend } from "../../src/node/backends.js";
import * as np from "../../src/numpy/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { compared, float, traced } from "../support/optimized.js";

beforeAll(() => useBackend("cpu"));

const [batch, features, hidden] = [2, 3, 4];

/** Weights of the input and of the state, for three gates side by side, and the state's bias. */
type Weights = readonly [ArrayValue, ArrayValue, ArrayValue];

const gates = (x: ArrayValue): readonly [ArrayValue, ArrayValue, ArrayValue] => {
  const part = (index: number): ArrayValue =>
    lax.sliceInDim(x, index * hidden, (index + 1) * hidden, 1, 1);
  return [part(0), part(1), part(2)];
};

function gatedStep([input, state, bias]: Weights, h: ArrayValue, x: ArrayValue): ArrayValue {
  const [xr, xz, xn] = gates(lax.dot(x, input));
  const [hr, hz, hn] = gates(np.add(lax.dot(h, state), bias));
  const reset = lax.logistic(lax.add(xr, hr));
  const update = lax.logistic(lax.add(xz, hz));
  const next = lax.tanh(lax.add(xn, lax.mul(reset, hn)));
  return lax.add(lax.mul(lax.sub(1, update), next), lax.mul(update, h));
}

function gated(weights: Weights, xs: ArrayValue, reverse = false): ArrayValue {
  const step = (h: ArrayValue, x: ArrayValue): [ArrayValue, ArrayValue] => {
    const next = gatedStep(weights, h, x);
    return [next, next];
  };
  return lax.scan(step, lax.full([batch, hidden], 0, "float32"), xs, { reverse })[1];
}

const weightTypes = [
  float(features, 3 * hidden),
  float(hidden, 3 * hidden),
  float(3 * hidden),
] as const;

const perStep = async (f: (...args: never[]) => unknown, count: number): Promise<number> => {
  const types = Array.from({ length: count }, () => weightTypes).flat();
  const nodes = async (steps: number): Promise<number> => {
    const { ops } = await compared(traced(f, ...types, float(steps, batch, features)));
    return ops.length;
  };
  return ((await nodes(12)) - (await nodes(6))) / 6;
};

describe("gated recurrent unit", () => {
  // Biases are inputs here, not weights, and so a node of their own.
  test("a step is twelve nodes", async () => {
    const f = (a: ArrayValue, b: ArrayValue, c: ArrayValue, xs: ArrayValue): ArrayValue =>
      gated([a, b, c], xs);
    expect(await perStep(f, 1)).toBeLessThanOrEqual(12);
  });

  test("a step in both directions is sixteen", async () => {
    const f = (...args: ArrayValue[]): readonly ArrayValue[] => {
      const [a, b, c, d, e, g, xs] = args as [Weights[0], ...Weights, ...Weights];
      return [gated([a, b, c], xs), gated([d, e, g], xs, true)];
    };
    expect(await perStep(f, 2)).toBeLessThanOrEqual(16);
  });

  test("long sequences in both directions are one loop", async () => {
    const f = (...args: ArrayValue[]): readonly ArrayValue[] => {
      const [a, b, c, d, e, g, xs] = args as [Weights[0], ...Weights, ...Weights];
      return [gated([a, b, c], xs), gated([d, e, g], xs, true)];
    };
    const types = [...weightTypes, ...weightTypes];
    const { ops } = await compared(traced(f, ...types, float(400, batch, features)));
    expect(ops.filter((op) => op === "StatelessWhile")).toHaveLength(1);
  });
});

describe("loops that stay apart", () => {
  const loops = (ops: readonly string[]): number =>
    ops.filter((op) => op === "StatelessWhile").length;

  test("where the second needs the first", async () => {
    const f = (...args: ArrayValue[]): ArrayValue => {
      const [a, b, c, xs] = args as [ArrayValue, ArrayValue, ArrayValue, ArrayValue];
      const first = gated([a, b, c], xs);
      return gated([a, b, c], lax.sliceInDim(first, 0, features, 1, 2));
    };
    const { ops } = await compared(traced(f, ...weightTypes, float(400, batch, features)));
    expect(loops(ops)).toBe(2);
  });

  test("where they do different things", async () => {
    const f = (...args: ArrayValue[]): readonly ArrayValue[] => {
      const [a, b, c, xs] = args as [ArrayValue, ArrayValue, ArrayValue, ArrayValue];
      const plain = (h: ArrayValue, x: ArrayValue): [ArrayValue, ArrayValue] => {
        const [next] = gates(lax.tanh(np.add(lax.dot(x, a), lax.dot(h, b))));
        return [next, next];
      };
      const zeros = lax.full([batch, hidden], 0, "float32");
      return [gated([a, b, c], xs), lax.scan(plain, zeros, xs)[1]];
    };
    const { ops } = await compared(traced(f, ...weightTypes, float(400, batch, features)));
    expect(loops(ops)).toBe(2);
  });

  test("where they have different lengths", async () => {
    const f = (...args: ArrayValue[]): readonly ArrayValue[] => {
      const [a, b, c, xs] = args as [ArrayValue, ArrayValue, ArrayValue, ArrayValue];
      return [gated([a, b, c], xs), gated([a, b, c], lax.sliceInDim(xs, 0, 390, 1, 0))];
    };
    const { ops } = await compared(traced(f, ...weightTypes, float(400, batch, features)));
    expect(loops(ops)).toBe(2);
  });
});
