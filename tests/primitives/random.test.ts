import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it, test } from "vitest";
import { iota2x32Shape, threefry2x32 } from "../../primitives/random.js";
import { threefryWords } from "../../primitives/threefry.js";
import { printAval, shapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import { fromNumbers, toNumbers } from "../../src/ir/hostArray.js";
import type { Literal } from "../../src/ir/jaxpr.js";
import type { Backend } from "../../src/ir/tf.js";
import { describeOnBackend } from "../support/backends.js";
import { lowered, program, run } from "../support/runLowered.js";

const word = (shape: Shape) => shapedArray("uint32", shape);
const everywhere: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];

// From the authors' file of known answers (Random123, kat_vectors).
const knownAnswers = [
  [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
  [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
] as const;

test.each(knownAnswers)("threefry of key %i, %i and counter %i, %i", (k0, k1, x0, x1, y0, y1) => {
  expect(threefryWords(k0, k1, x0, x1)).toEqual([y0, y1]);
});

describe("threefry2x32: types", () => {
  it("broadcasts", () => {
    const scope = symbolicScope();
    const counts = word(parseShape("b, 4", scope));
    const outs = threefry2x32.abstractEval([word([]), word([]), counts, counts], {});
    expect(outs.map(printAval)).toEqual(["u32[b,4]", "u32[b,4]"]);
  });

  it("takes words alone", () => {
    const signed = shapedArray("int32", []);
    expect(() => threefry2x32.abstractEval([word([]), word([]), signed, signed], {})).toThrow(
      "Arguments to threefry2x32 must have uint32 type, got uint32, uint32, int32, int32",
    );
    expect(() => threefry2x32.abstractEval([word([])], {})).toThrow("takes 4 arguments, got 1");
  });

  it("folds", () => {
    const inputs = [7, 8, 9].map((value) => fromNumbers("uint32", [], [value]));
    const counts = fromNumbers("uint32", [3], [0, 1, 0xffffffff]);
    const folded = threefry2x32.fold?.([...inputs, counts], {}, [word([3]), word([3])]);
    const expected = [0, 1, 0xffffffff].map((count) => threefryWords(7, 8, 9, count));
    expect(folded?.map((array) => [...toNumbers(array)])).toEqual([
      expected.map(([first]) => first),
      expected.map(([, second]) => second),
    ]);
  });
});

test("iota_2x32_shape counts in C order", () => {
  const outs = iota2x32Shape.abstractEval([], { shape: [2, 3] });
  expect(outs.map(printAval)).toEqual(["u32[2,3]", "u32[2,3]"]);
  const folded = iota2x32Shape.fold?.([], { shape: [2, 3] }, outs);
  expect(folded?.map((array) => [...toNumbers(array)])).toEqual([
    [0, 0, 0, 0, 0, 0],
    [0, 1, 2, 3, 4, 5],
  ]);
});

/** Words like noise, the same in every run. */
function words(count: number, seed: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 15)) >>> 0;
  });
}

const bits = (values: Uint32Array): Int32Array => new Int32Array(values.buffer);
const unsigned = (values: ArrayLike<number> | undefined): Uint32Array =>
  Uint32Array.from(values ?? [], (value) => value >>> 0);
const literal = (value: number): Literal => ({ kind: "literal", value, aval: word([]) });

const count = 300;
const x0 = words(count, 1);
const x1 = words(count, 2);
// The words at which sums of halves carry.
[0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff, 0x7fffffff, 0x80000000].forEach((value, index) => {
  x0[index] = value;
  x1[count - 1 - index] = value;
});

for (const backend of ["cpu", "wasm", "tensorflow"] as const) {
  describeOnBackend(backend, () => {
    for (const targets of [[backend], everywhere]) {
      const title = targets.length === 1 ? "for this backend" : "for all backends";
      test(`one known key, ${title}`, async () => {
        for (const [k0, k1] of [
          [0, 0],
          [0xdeadbeef, 0xffffffff],
        ] as const) {
          const closed = program([word([count]), word([count])], (builder, inputs) =>
            builder.bind(threefry2x32, [literal(k0), literal(k1), ...inputs], {}),
          );
          const inputs = [x0, x1].map((values) => tf.tensor(bits(values), [count], "int32"));
          const actual = await run(lowered(closed, targets), inputs);
          const expected = [...x0].map((x, index) => threefryWords(k0, k1, x, x1[index] ?? 0));
          expect(unsigned(actual[0])).toEqual(Uint32Array.from(expected, ([y]) => y));
          expect(unsigned(actual[1])).toEqual(Uint32Array.from(expected, ([, y]) => y));
        }
      });

      test(`one key as data, ${title}`, async () => {
        const shape = [3, 100];
        const closed = program(
          [word([]), word([]), word(shape), word([100])],
          (builder, [key0, key1, a, b]) => {
            if (!key0 || !key1 || !a || !b) throw new Error("four inputs");
            return builder.bind(threefry2x32, [key0, key1, a, a], {});
          },
        );
        const [k0, k1] = [0x9e3779b9, 0x80000001];
        const inputs = [
          tf.scalar(k0 | 0, "int32"),
          tf.scalar(k1 | 0, "int32"),
          tf.tensor(bits(x0), shape, "int32"),
          tf.tensor(bits(x1.slice(0, 100)), [100], "int32"),
        ];
        const actual = await run(lowered(closed, targets), inputs);
        const expected = [...x0].map((x) => threefryWords(k0, k1, x, x));
        expect(unsigned(actual[0])).toEqual(Uint32Array.from(expected, ([y]) => y));
        expect(unsigned(actual[1])).toEqual(Uint32Array.from(expected, ([, y]) => y));
      });

      test(`a key per row, ${title}`, async () => {
        const closed = program(
          [word([3, 1]), word([3, 1]), word([1, 100])],
          (builder, [key0, key1, a]) => {
            if (!key0 || !key1 || !a) throw new Error("three inputs");
            return builder.bind(threefry2x32, [key0, key1, literal(0), a], {});
          },
        );
        const keys = [x0.slice(20, 23), x1.slice(20, 23)] as const;
        const inputs = [
          ...keys.map((values) => tf.tensor(bits(values), [3, 1], "int32")),
          tf.tensor(bits(x0.slice(0, 100)), [1, 100], "int32"),
        ];
        const actual = await run(lowered(closed, targets), inputs);
        const expected = [0, 1, 2].flatMap((row) =>
          [...x0.slice(0, 100)].map((x) =>
            threefryWords(keys[0][row] ?? 0, keys[1][row] ?? 0, 0, x),
          ),
        );
        expect(unsigned(actual[0])).toEqual(Uint32Array.from(expected, ([y]) => y));
        expect(unsigned(actual[1])).toEqual(Uint32Array.from(expected, ([, y]) => y));
      });
    }
  });
}
