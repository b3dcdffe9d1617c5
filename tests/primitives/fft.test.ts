import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it, test } from "vitest";
import { fft, type FftParams } from "../../primitives/fft.js";
import { splitLength } from "../../primitives/fftLowering.js";
import { printAval, shapedArray } from "../../src/ir/aval.js";
import { parseShape, symbolicScope, type Shape } from "../../src/ir/dims.js";
import type { DType } from "../../src/ir/dtypes.js";
import { describeOnBackend } from "../support/backends.js";
import { lowered, program, run } from "../support/runLowered.js";

const scope = symbolicScope();

function typeOf(dtype: DType, shape: Shape, fft_type: string, fft_lengths: Shape): string {
  const [out] = fft.abstractEval([shapedArray(dtype, shape)], { fft_type, fft_lengths });
  return out === undefined ? "" : printAval(out);
}

describe("fft: types", () => {
  it.each<[string, DType, Shape, string, Shape]>([
    ["c64[3,8]", "complex64", [3, 8], "FFT", [8]],
    ["c64[3,8]", "complex64", [3, 8], "IFFT", [3, 8]],
    ["c64[3,5]", "float32", [3, 8], "RFFT", [8]],
    ["c64[b,4]", "float32", parseShape("b, 7", scope), "RFFT", [7]],
    ["f32[3,8]", "complex64", [3, 5], "IRFFT", [8]],
    ["f32[b,3,9]", "complex64", parseShape("b, 3, 5", scope), "IRFFT", [3, 9]],
  ])("%s from %s %s by %s of %s", (expected, dtype, shape, type, lengths) => {
    expect(typeOf(dtype, shape, type, lengths)).toBe(expected);
  });

  it.each<[string, DType, Shape, string, Shape]>([
    ["RFFT input must be float32 or float64, got complex64", "complex64", [8], "RFFT", [8]],
    ["FFT input must be complex64 or complex128, got float32", "float32", [8], "FFT", [8]],
    ["IRFFT input must be complex64 or complex128, got float32", "float32", [8], "IRFFT", [8]],
    ["must have at least as many input dimensions as fft_lengths", "float32", [8], "RFFT", [8, 8]],
    ["minor dimensions must be equal to fft_lengths (9,)", "complex64", [8], "FFT", [9]],
    ["minor dimensions must be equal to all except the last", "complex64", [4, 5], "IRFFT", [3, 8]],
    ["must end in 5 for the fft_length 8", "complex64", [4], "IRFFT", [8]],
    ["Unknown FFT type 'DCT'", "float32", [8], "DCT", [8]],
    [
      "fft_lengths must be constant",
      "float32",
      parseShape("n", scope),
      "RFFT",
      parseShape("n", scope),
    ],
    ["fft_lengths is empty", "float32", [8], "RFFT", []],
  ])("%s", (message, dtype, shape, type, lengths) => {
    expect(() => typeOf(dtype, shape, type, lengths)).toThrow(message);
  });
});

test("an axis that is too long is refused", () => {
  const params = { fft_type: "RFFT", fft_lengths: [2 ** 21] };
  const closed = program([shapedArray("float32", [2 ** 21])], (builder, inputs) =>
    builder.bind(fft, inputs, params),
  );
  expect(() => lowered(closed, ["cpu"])).toThrow("an fft of length 2097152 is too long");
});

test("lengths are split into factors near each other", () => {
  expect(splitLength(1024)).toEqual([32, 32]);
  expect(splitLength(1000)).toEqual([25, 40]);
  expect(splitLength(1009)).toEqual([1, 1009]);
});

/** Values like noise, the same in every run. */
function noise(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => {
    const x = Math.sin((index + 1) * 12.9898 + seed) * 43758.5453;
    return 2 * (x - Math.floor(x)) - 1;
  });
}

/** The transform of one row by its definition, in float64. */
function reference(
  re: ArrayLike<number>,
  im: ArrayLike<number>,
  sign: number,
): { readonly re: Float64Array; readonly im: Float64Array } {
  const n = re.length;
  const result = { re: new Float64Array(n), im: new Float64Array(n) };
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const angle = (sign * 2 * Math.PI * ((j * k) % n)) / n;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const [x, y] = [re[j] ?? 0, im[j] ?? 0];
      result.re[k] = (result.re[k] ?? 0) + x * c - y * s;
      result.im[k] = (result.im[k] ?? 0) + x * s + y * c;
    }
  }
  return result;
}

/** The largest difference, relative to the largest value expected. */
function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 1];
  for (let index = 0; index < expected.length; index++) {
    const value = expected[index] ?? 0;
    difference = Math.max(difference, Math.abs((actual[index] ?? NaN) - value));
    size = Math.max(size, Math.abs(value));
  }
  return actual.length === expected.length ? difference / size : Infinity;
}

async function transform(
  params: FftParams,
  dtype: DType,
  parts: readonly Float32Array[],
  size: number,
): Promise<readonly ArrayLike<number>[]> {
  const rows = (parts[0]?.length ?? 0) / size;
  const aval = shapedArray(dtype, [rows, size]);
  const closed = program([aval], (builder, inputs) => builder.bind(fft, inputs, params));
  const graph = lowered(closed, ["cpu", "wasm", "webgl", "webgpu", "tensorflow"]);
  const inputs = parts.map((part) => tf.tensor(part, [rows, size], "float32"));
  const outputs = await run(graph, inputs);
  tf.dispose(inputs);
  return outputs;
}

// One matrix, two stages, two stages of two stages, long primes (alone and as a factor).
const lengths = [1, 2, 3, 7, 16, 128, 130, 256, 480, 509, 787, 1024, 1574, 4096];

for (const backend of ["cpu", "wasm"] as const) {
  describeOnBackend(backend, () => {
    test.each(lengths)("length %i", async (n) => {
      const re = noise(n, 1);
      const im = noise(n, 2);
      const both = { fft_lengths: [n] };
      const forward = reference(re, im, -1);
      const actual = await transform({ ...both, fft_type: "FFT" }, "complex64", [re, im], n);
      expect(worst(actual[0] ?? [], forward.re)).toBeLessThan(2e-6);
      expect(worst(actual[1] ?? [], forward.im)).toBeLessThan(2e-6);

      const back = await transform(
        { ...both, fft_type: "IFFT" },
        "complex64",
        [Float32Array.from(forward.re), Float32Array.from(forward.im)],
        n,
      );
      expect(worst(back[0] ?? [], re)).toBeLessThan(2e-6);
      expect(worst(back[1] ?? [], im)).toBeLessThan(2e-6);

      const half = Math.floor(n / 2) + 1;
      const real = reference(re, new Float32Array(n), -1);
      const spectrum = [real.re.subarray(0, half), real.im.subarray(0, half)] as const;
      const rfft = await transform({ ...both, fft_type: "RFFT" }, "float32", [re], n);
      expect(worst(rfft[0] ?? [], spectrum[0])).toBeLessThan(2e-6);
      expect(worst(rfft[1] ?? [], spectrum[1])).toBeLessThan(2e-6);
      const irfft = await transform(
        { ...both, fft_type: "IRFFT" },
        "complex64",
        spectrum.map((part) => Float32Array.from(part)),
        half,
      );
      expect(worst(irfft[0] ?? [], re)).toBeLessThan(2e-6);
    });
  });
}
