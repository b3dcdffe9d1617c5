// Elementwise records without numbers from JAX: result types and errors in JAX's words, batching and
// transposition against the unbatched rules, the registry.
import { describe, expect, it } from "vitest";
import { alignBatches } from "../../primitives/factories.js";
import { registry } from "../../primitives/index.js";
import { allBackends } from "../../src/convert.js";
import { printAval, shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { fromNumbers, toNumbers, type HostArray } from "../../src/ir/hostArray.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import type { Params } from "../../src/ir/params.js";
import { isNoRule } from "../../src/ir/primitive.js";
import { describeOnBackend } from "../support/backends.js";
import { evaluate, recordNamed } from "./elementwiseHarness.js";

const scope = symbolicScope();
const symbolic = (text: string): Shape => parseShape(text, scope);

type Argument = readonly [DType, Shape] | readonly [DType, Shape, "weak"];

const avalOf = ([dtype, shape, weak]: Argument): ShapedArray =>
  shapedArray(dtype, shape, weak === "weak");

function typeOf(name: string, args: readonly Argument[], params: Params = {}): string {
  return recordNamed(name).abstractEval(args.map(avalOf), params).map(printAval).join(", ");
}

describe("types", () => {
  it.each<[string, string, readonly Argument[], Params?]>([
    [
      "f32[b,4]",
      "add",
      [
        ["float32", symbolic("b, 4")],
        ["float32", symbolic("b, 4")],
      ],
    ],
    [
      "f32[b,4]",
      "mul",
      [
        ["float32", symbolic("b, 4")],
        ["float32", []],
      ],
    ],
    [
      "f32[b,4]",
      "mul",
      [
        ["float32", symbolic("b, 1")],
        ["float32", [1, 4]],
      ],
    ],
    [
      "~f32[]",
      "sub",
      [
        ["float32", [], "weak"],
        ["float32", [], "weak"],
      ],
    ],
    [
      "f32[3]",
      "sub",
      [
        ["float32", [3]],
        ["float32", [], "weak"],
      ],
    ],
    [
      "bool[3]",
      "lt",
      [
        ["uint8", [3]],
        ["uint8", [3]],
      ],
    ],
    ["f32[3]", "abs", [["complex64", [3]]]],
    [
      "c64[3]",
      "complex",
      [
        ["float32", [3]],
        ["float32", []],
      ],
    ],
    ["f64[3]", "real", [["complex128", [3]]]],
    [
      "f32[2]",
      "pow",
      [
        ["float32", [2]],
        ["int32", [2]],
      ],
    ],
    [
      "i32[2]",
      "convert_element_type",
      [["float32", [2]]],
      { new_dtype: "int32", weak_type: false },
    ],
    ["u8[b,4]", "bitcast_convert_type", [["float32", symbolic("b")]], { new_dtype: "uint8" }],
    ["f32[b]", "bitcast_convert_type", [["uint16", symbolic("b, 2")]], { new_dtype: "float32" }],
    [
      "f32[b]",
      "select_n",
      [
        ["bool", symbolic("b")],
        ["float32", symbolic("b")],
        ["float32", symbolic("b")],
      ],
    ],
    [
      "i8[3]",
      "select_n",
      [
        ["int32", []],
        ["int8", [3]],
        ["int8", [3]],
        ["int8", [3]],
      ],
    ],
    [
      "f32[3]",
      "clamp",
      [
        ["float32", []],
        ["float32", [3]],
        ["float32", [3]],
      ],
    ],
  ])("%s from %s", (expected, name, args, params = {}) => {
    expect(typeOf(name, args, params)).toBe(expected);
  });

  it.each<[string, string, string, readonly Argument[], Params?]>([
    [
      "add got incompatible shapes for broadcasting: (v,), (4,).",
      "shape-mismatch",
      "add",
      [
        ["float32", symbolic("v")],
        ["float32", [4]],
      ],
    ],
    [
      "add: arrays must have the same number of dimensions, got {1, 2}",
      "shape-mismatch",
      "add",
      [
        ["float32", [4]],
        ["float32", [1, 4]],
      ],
    ],
    [
      "lax.add requires arguments to have the same dtypes, got float32, int32.",
      "dtype-mismatch",
      "add",
      [
        ["float32", []],
        ["int32", []],
      ],
    ],
    [
      "add does not accept dtype bool at position 0. Accepted dtypes at position 0 are subtypes of",
      "dtype-mismatch",
      "add",
      [
        ["bool", []],
        ["bool", []],
      ],
    ],
    ["exp does not accept dtype int32. Accepted", "dtype-mismatch", "exp", [["int32", []]]],
    ["Called exp with a float0", "dtype-mismatch", "exp", [["float0", []]]],
    ["exp takes 1 arguments, got 0", "invalid-parameter", "exp", []],
    [
      "lt does not accept dtype complex64",
      "dtype-mismatch",
      "lt",
      [
        ["complex64", []],
        ["complex64", []],
      ],
    ],
    [
      "Integers cannot be raised to negative powers, got integer_pow(int32, -1)",
      "dtype-mismatch",
      "integer_pow",
      [["int32", []]],
      { y: -1 },
    ],
    [
      "1.5 is no integer exponent",
      "invalid-parameter",
      "integer_pow",
      [["float32", []]],
      { y: 1.5 },
    ],
    [
      "the first argument to pow must have an inexact dtype (float or complex)",
      "dtype-mismatch",
      "pow",
      [
        ["float32", []],
        ["complex64", []],
      ],
    ],
    [
      "complex does not accept dtype float16. Accepted dtypes are subtypes of float32, float64.",
      "dtype-mismatch",
      "complex",
      [
        ["float16", []],
        ["float16", []],
      ],
    ],
    [
      "float31 is no element type",
      "invalid-parameter",
      "convert_element_type",
      [["int8", []]],
      { new_dtype: "float31", weak_type: false },
    ],
    [
      "Cannot convert_element_type from key<fry> to int32",
      "dtype-mismatch",
      "convert_element_type",
      [["key<fry>", []]],
      { new_dtype: "int32", weak_type: false },
    ],
    [
      "Attempting to convert array of shape (3,) from uint8 of size 8 bits to uint32 of size 32, " +
        "bits but 3 * 8 != 32",
      "shape-mismatch",
      "bitcast_convert_type",
      [["uint8", [3]]],
      { new_dtype: "uint32" },
    ],
    [
      "does not support bool or complex values unless the operand and destination types match",
      "dtype-mismatch",
      "bitcast_convert_type",
      [["bool", [3]]],
      { new_dtype: "uint8" },
    ],
    [
      "exponent_bits must be positive; got 0",
      "invalid-parameter",
      "reduce_precision",
      [["float32", []]],
      { exponent_bits: 0, mantissa_bits: 3 },
    ],
    [
      "mantissa_bits must be non-negative; got -1",
      "invalid-parameter",
      "reduce_precision",
      [["float32", []]],
      { exponent_bits: 5, mantissa_bits: -1 },
    ],
    ["select must have at least one case", "shape-mismatch", "select_n", [["bool", []]]],
    [
      "select cases must have the same shapes, got [(2,), (3,)].",
      "shape-mismatch",
      "select_n",
      [
        ["bool", []],
        ["float32", [2]],
        ["float32", [3]],
      ],
    ],
    [
      "got `which` shape (3,) but case shape (2,).",
      "shape-mismatch",
      "select_n",
      [
        ["bool", [3]],
        ["float32", [2]],
        ["float32", [2]],
      ],
    ],
    [
      "select `which` must be boolean or integer type, got float32.",
      "dtype-mismatch",
      "select_n",
      [
        ["float32", []],
        ["float32", [2]],
        ["float32", [2]],
      ],
    ],
    [
      "select with boolean `which` cannot have > 2 cases.",
      "dtype-mismatch",
      "select_n",
      [
        ["bool", []],
        ["float32", []],
        ["float32", []],
        ["float32", []],
      ],
    ],
    [
      "clamp requires max.shape == operand.shape or max.shape == (), got max.shape=(2,), operand.shape=(3,).",
      "shape-mismatch",
      "clamp",
      [
        ["float32", []],
        ["float32", [3]],
        ["float32", [2]],
      ],
    ],
  ])("%s (%s)", (message, code, name, args, params = {}) => {
    let caught: unknown;
    try {
      typeOf(name, args, params);
    } catch (error) {
      caught = error;
    }
    if (!(caught instanceof Jax2TfjsError)) throw new Error("no error, or another one");
    expect([caught.code, caught.message]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe("the registry", () => {
  it("has each record under its own name", () => {
    for (const [name, record] of registry) expect(record.name).toBe(name);
    expect(registry.size).toBeGreaterThan(130);
  });
});

/** Different numbers of all signs. */
function sample(dtype: DType, shape: readonly number[], seed: number): HostArray {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Array.from({ length: count }, (_, index) => ((index * 7 + seed * 3) % 11) - 4.5);
  if (dtype === "float32") return fromNumbers(dtype, shape, values);
  if (dtype === "bool")
    return fromNumbers(
      dtype,
      shape,
      values.map((value) => value > 0),
    );
  return fromNumbers(
    dtype,
    shape,
    values.map((value) => Math.abs(Math.round(value)) % 3),
  );
}

type Batched = readonly [dtype: DType, shape: readonly number[], dim: number | null];

/** Runs a batch rule, and the primitive on each slice; both results with the batch in front. */
async function bothWays(name: string, inputs: readonly Batched[]): Promise<readonly number[][]> {
  const record = recordNamed(name);
  const { batch } = record;
  if (isNoRule(batch)) throw new Error(batch.reason);
  const arrays = inputs.map(([dtype, shape], index) => sample(dtype, shape, index + 1));
  const size = inputs.flatMap(([, shape, dim]) => (dim === null ? [] : [shape[dim] ?? 0]))[0] ?? 0;
  const slice = (o: Ops, value: Value, dim: number | null, place: number): Value => {
    if (dim === null) return value;
    const { shape } = value.aval;
    const start = shape.map((_, axis) => (axis === dim ? place : 0));
    const limit = shape.map((length, axis) => (axis === dim ? place + 1 : length));
    return o.squeeze(o.slice(value, start, limit), [dim]);
  };
  const results = await evaluate(arrays, allBackends, (o, values) => {
    const { outputs, dims } = batch(
      o,
      values,
      inputs.map(([, , dim]) => dim),
      {},
    );
    const slices = Array.from({ length: size }, (_, place) => {
      const args = values.map((value, index) => slice(o, value, inputs[index]?.[2] ?? null, place));
      const [result] = o.bind(record, args, {});
      if (result === undefined) throw new Error("no result");
      return o.reshape(result, [1, ...result.aval.shape]);
    });
    const [output] = outputs;
    if (output === undefined || dims[0] === null || dims[0] === undefined)
      throw new Error("no batch");
    const axes = output.aval.shape.map((_, axis) => axis).filter((axis) => axis !== dims[0]);
    return [o.transpose(output, [dims[0], ...axes]), o.concatenate(slices, 0)];
  });
  return results.map((result) => [...result.shape, ...toNumbers(result)]);
}

describeOnBackend("cpu", () => {
  describe("batching", () => {
    it.each<[string, readonly Batched[]]>([
      ["exp", [["float32", [2, 3, 4], 1]]],
      [
        "add",
        [
          ["float32", [3, 2], 0],
          ["float32", [2, 3], 1],
        ],
      ],
      [
        "mul",
        [
          ["float32", [2, 3], 1],
          ["float32", [], null],
        ],
      ],
      [
        "sub",
        [
          ["float32", [3], 0],
          ["float32", [2, 4], null],
        ],
      ],
      [
        "div",
        [
          ["float32", [2, 4], null],
          ["float32", [2, 4, 3], 2],
        ],
      ],
      [
        "lt",
        [
          ["float32", [1, 3], 1],
          ["float32", [4], null],
        ],
      ],
      [
        "igamma",
        [
          ["float32", [3], 0],
          ["float32", [2], null],
        ],
      ],
      [
        "select_n",
        [
          ["bool", [3], 0],
          ["float32", [2, 3], 1],
          ["float32", [2], null],
        ],
      ],
      [
        "select_n",
        [
          ["bool", [2, 3], 1],
          ["float32", [2, 3], 1],
          ["float32", [3, 2], 0],
        ],
      ],
      [
        "select_n",
        [
          ["int32", [], null],
          ["float32", [2, 3], 1],
          ["float32", [2], null],
          ["float32", [2], null],
        ],
      ],
      [
        "select_n",
        [
          ["bool", [3], 0],
          ["float32", [], null],
          ["float32", [3], 0],
        ],
      ],
      [
        "clamp",
        [
          ["float32", [3], 0],
          ["float32", [2, 4], null],
          ["float32", [], null],
        ],
      ],
      [
        "clamp",
        [
          ["float32", [], null],
          ["float32", [2, 3], 1],
          ["float32", [2], null],
        ],
      ],
      [
        "clamp",
        [
          ["float32", [2, 3], 1],
          ["float32", [3, 2], 0],
          ["float32", [3], 0],
        ],
      ],
    ])("%s %j", async (name, inputs) => {
      const [batched, slices] = await bothWays(name, inputs);
      expect(batched).toEqual(slices);
    });

    it("of a bitcast that changes the width", async () => {
      const record = recordNamed("bitcast_convert_type");
      const { batch } = record;
      if (isNoRule(batch)) throw new Error(batch.reason);
      const bytes = fromNumbers("uint8", [4, 2], [1, 5, 2, 6, 3, 7, 4, 128]);
      const [result] = await evaluate(
        [bytes],
        allBackends,
        (o, values) => batch(o, values, [1], { new_dtype: "uint32" }).outputs,
      );
      expect(Array.from(toNumbers(result ?? bytes))).toEqual([0x04030201, 0x80070605]);
    });

    it("keeps batch dimensions in place where all inputs agree", () => {
      const value = { aval: shapedArray("float32", [2, 3]) };
      const none = {} as Ops;
      expect(alignBatches(none, [value, value], [1, 1])).toEqual({
        values: [value, value],
        dim: 1,
      });
    });
  });

  describe("transposition", () => {
    /** Cotangents of the linear inputs (marked by null) for a cotangent of ones. */
    async function pullBack(
      name: string,
      inputs: readonly (readonly [DType, readonly number[]] | HostArray)[],
      shape: readonly number[],
      params: Params = {},
    ): Promise<readonly number[][]> {
      const { transpose } = recordNamed(name);
      if (isNoRule(transpose)) throw new Error(transpose.reason);
      const known = inputs.filter((input): input is HostArray => "bytes" in input);
      const results = await evaluate(known, allBackends, (o, values) => {
        const rest = [...values];
        const described = inputs.map((input) => {
          if (!("bytes" in input)) {
            return { kind: "linear", aval: shapedArray(input[0], input[1]) } as const;
          }
          const value = rest.shift();
          if (value === undefined) throw new Error("too few values");
          return { kind: "known", value } as const;
        });
        const cotangents = transpose(o, [o.full(shape, 1, "float32")], described, params);
        return cotangents.filter((cotangent) => cotangent !== null);
      });
      return results.map((result) => [...result.shape, ...toNumbers(result)]);
    }

    const numbers = fromNumbers("float32", [2, 2], [1, 2, 3, 4]);

    it("sums over what was broadcast", async () => {
      expect(
        await pullBack(
          "add",
          [
            ["float32", []],
            ["float32", [2, 2]],
          ],
          [2, 2],
        ),
      ).toEqual([[4], [2, 2, 1, 1, 1, 1]]);
      expect(
        await pullBack(
          "sub",
          [
            ["float32", [2, 2]],
            ["float32", [1, 2]],
          ],
          [2, 2],
        ),
      ).toEqual([
        [2, 2, 1, 1, 1, 1],
        [1, 2, -2, -2],
      ]);
      expect(await pullBack("mul", [numbers, ["float32", [2, 1]]], [2, 2])).toEqual([[2, 1, 3, 7]]);
      expect(await pullBack("div", [["float32", []], numbers], [2, 2])).toEqual([
        [1 + 1 / 2 + Math.fround(1 / 3) + 1 / 4].map(Math.fround),
      ]);
    });

    it("of select_n, by bool and by index", async () => {
      const which = fromNumbers("bool", [2], [false, true]);
      const linear: readonly [DType, readonly number[]] = ["float32", [2]];
      expect(await pullBack("select_n", [which, linear, linear], [2])).toEqual([
        [2, 1, 0],
        [2, 0, 1],
      ]);
      const index = fromNumbers("int32", [2], [2, 7]);
      expect(await pullBack("select_n", [index, linear, linear, linear], [2])).toEqual([
        [2, 0, 0],
        [2, 0, 0],
        [2, 1, 1],
      ]);
    });

    it("of a conversion", async () => {
      const params = { new_dtype: "float32", weak_type: false };
      const input = ["bfloat16", [2]] as const;
      expect(await pullBack("convert_element_type", [input], [2], params)).toEqual([[2, 1, 1]]);
    });

    it("refuses what is not linear", async () => {
      await expect(pullBack("div", [numbers, ["float32", [2, 2]]], [2, 2])).rejects.toThrow(
        "div is not linear in argument 1",
      );
      await expect(
        pullBack(
          "mul",
          [
            ["float32", [2, 2]],
            ["float32", [2, 2]],
          ],
          [2, 2],
        ),
      ).rejects.toThrow("mul is not linear in all its arguments");
    });
  });
});
