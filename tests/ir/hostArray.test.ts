// Arrays in plain memory: typed access, conversions and the small floating formats, the latter
// against ml_dtypes (tests/data/params/small_floats.npz, made by scripts/data/make_params.py).
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNpz } from "../../src/files/npz.js";
import { type DType, dtypes, kindOf, storageBytesOf } from "../../src/ir/dtypes.js";

import {
  asFloat32,
  asInt32,
  byteLengthOf,
  elementCount,
  fromNumbers,
  hostArray,
  toNumbers,
  valuesOf,
  valuesPerElement,
} from "../../src/ir/hostArray.js";
import { decodeSmallFloat, encodeSmallFloat, smallFloatDTypes } from "../../src/ir/smallFloats.js";
import { errorCodeOf, readParamsFile } from "../support/params.js";

const recorded = readNpz(readParamsFile("small_floats.npz"));

function numbersOf(key: string): Float64Array {
  const array = recorded.get(key);
  if (array === undefined) throw new Error(`no ${key}`);
  return toNumbers(array);
}

describe("small floats", () => {
  it.each(smallFloatDTypes)("%s decodes every bit pattern as ml_dtypes does", (dtype) => {
    const values = numbersOf(`decode/${dtype}`);
    const wrong = values.findIndex(
      (value, bits) => !Object.is(decodeSmallFloat(dtype, bits), value),
    );
    expect(wrong).toBe(-1);
  });

  it.each(smallFloatDTypes)("%s rounds as ml_dtypes does", (dtype) => {
    const numbers = numbersOf("numbers");
    const codes = numbersOf(`encode/${dtype}`);
    const wrong: unknown[] = [];
    numbers.forEach((number, index) => {
      // NaNs have many patterns; one of them must come out.
      const bits = encodeSmallFloat(dtype, number);
      if (bits === codes[index]) return;
      if (Number.isNaN(number) && Number.isNaN(decodeSmallFloat(dtype, bits))) return;
      wrong.push({ number, bits, expected: codes[index] });
    });
    expect(numbers.length).toBeGreaterThan(1000);
    expect(wrong).toEqual([]);
  });

  it("rounds float64 once, not by way of float32", () => {
    // Just above the tie between 1 and 1 + 2^-7; float32 would round to the tie, then to 1.
    const value = 1 + 2 ** -8 + 2 ** -40;
    expect(decodeSmallFloat("bfloat16", encodeSmallFloat("bfloat16", value))).toBe(1 + 2 ** -7);
  });

  it.each(smallFloatDTypes)("%s: encoding a decoded value gives its bits", (dtype) => {
    const count = storageBytesOf(dtype) === 2 ? 65536 : dtype === "float4_e2m1fn" ? 16 : 256;
    for (let bits = 0; bits < count; bits++) {
      const value = decodeSmallFloat(dtype, bits);
      if (!Number.isNaN(value)) expect(encodeSmallFloat(dtype, value)).toBe(bits);
    }
  });
});

describe("elementCount", () => {
  it("multiplies sizes", () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([2, 3, 4])).toBe(24);
    expect(elementCount([2 ** 40, 0, 2 ** 40])).toBe(0);
  });

  it.each([[[-1]], [[1.5]], [[NaN]], [[2 ** 30, 2 ** 30]], [[2 ** 60]]])("refuses %j", (shape) => {
    expect(errorCodeOf(() => elementCount(shape))).toBe("array-shape");
  });
});

describe("hostArray", () => {
  it("holds the bytes it was given", () => {
    const bytes = new Uint8Array(8);
    expect(hostArray("float32", [2], bytes).bytes).toBe(bytes);
  });

  it("refuses another number of bytes", () => {
    expect(errorCodeOf(() => hostArray("float32", [2], new Uint8Array(7)))).toBe("array-bytes");
  });

  it("gives views of aligned bytes and copies of others", () => {
    const buffer = new Uint8Array(17).buffer;
    const aligned = hostArray("int32", [2], new Uint8Array(buffer, 4, 8));
    expect(valuesOf(aligned).buffer).toBe(buffer);
    const shifted = hostArray("int32", [2], new Uint8Array(buffer, 5, 8));
    expect(Array.from(valuesOf(shifted), Number)).toEqual([0, 0]);
    // A dtype of single bytes is always a view, a copy must not reach beyond its bytes.
    expect(valuesOf(hostArray("int8", [3], new Uint8Array(buffer, 5, 3))).length).toBe(3);
  });
});

describe("values", () => {
  const storable = dtypes.filter(
    (dtype) => kindOf(dtype) !== "token" && kindOf(dtype) !== "float0",
  );

  it.each(storable)("%s survives valuesOf and fromNumbers", (dtype) => {
    // Small integers are exact in all but the narrowest types.
    const small = Array.from({ length: 2 * valuesPerElement(dtype) }, (_, index) => index % 2);
    const numbers = dtype === "float8_e8m0fnu" ? small.map((value) => value + 1) : small;
    const array = fromNumbers(dtype, [2], numbers);
    expect(array.bytes.byteLength).toBe(byteLengthOf(dtype, [2]));
    expect(Array.from(valuesOf(array), Number)).toEqual(numbers);
  });

  it.each<DType>(["float0", "token"])("%s has no values", (dtype) => {
    expect(valuesOf(hostArray(dtype, [3], new Uint8Array(0))).length).toBe(0);
    expect(errorCodeOf(() => toNumbers(hostArray(dtype, [], new Uint8Array(0))))).toBe(
      "array-dtype",
    );
  });

  it("reads any non-zero byte as true", () => {
    const array = hostArray("bool", [3], Uint8Array.of(0, 1, 255));
    expect([...toNumbers(array)]).toEqual([0, 1, 1]);
    expect([...asFloat32(array)]).toEqual([0, 1, 1]);
    expect([...asInt32(array)]).toEqual([0, 1, 1]);
  });

  it("keeps 64-bit integers exact", () => {
    const values = [2n ** 63n - 1n, -(2n ** 63n)];
    expect([...valuesOf(fromNumbers("int64", [2], values))]).toEqual(values);
    expect([...valuesOf(fromNumbers("uint64", [1], [2n ** 64n - 1n]))]).toEqual([2n ** 64n - 1n]);
    expect(asFloat32(fromNumbers("int64", [1], [2n ** 40n]))).toEqual(Float32Array.of(2 ** 40));
  });

  it("interleaves complex numbers", () => {
    const array = fromNumbers("complex64", [2], [1, 2, 3, 4]);
    expect(array.bytes.byteLength).toBe(16);
    expect(errorCodeOf(() => asFloat32(array))).toBe("array-dtype");
    expect(errorCodeOf(() => asInt32(array))).toBe("array-dtype");
  });

  it("does not copy what is stored so already", () => {
    const values = Float32Array.of(1, 2);
    const array = fromNumbers("float32", [2], values);
    expect(array.bytes.buffer).toBe(values.buffer);
    expect(asFloat32(array).buffer).toBe(values.buffer);
    const integers = Int32Array.of(1, 2);
    expect(asInt32(fromNumbers("int32", [2], integers)).buffer).toBe(integers.buffer);
    // Two bits of a byte must be checked, booleans normalised.
    expect(errorCodeOf(() => fromNumbers("uint2", [1], Uint8Array.of(7)))).toBe("array-value");
    expect(fromNumbers("bool", [1], Uint8Array.of(7)).bytes).toEqual(Uint8Array.of(1));
  });

  it.each<[DType, readonly (number | bigint)[]]>([
    ["int8", [128]],
    ["uint8", [-1]],
    ["int4", [8]],
    ["uint32", [2 ** 32]],
    ["int32", [0.5]],
    ["int32", [NaN]],
    ["int64", [0.5]],
    ["int64", [2n ** 63n]],
    ["uint64", [-1n]],
    ["key<fry>", [-1, 0]],
  ])("%s cannot hold %s", (dtype, values) => {
    expect(errorCodeOf(() => fromNumbers(dtype, [1], values as number[]))).toBe("array-value");
  });

  it("refuses a wrong number of values", () => {
    expect(errorCodeOf(() => fromNumbers("float32", [2], [1]))).toBe("array-value");
    expect(errorCodeOf(() => fromNumbers("key<fry>", [1], [1]))).toBe("array-value");
  });

  it("checks or wraps integers beyond int32", () => {
    const array = fromNumbers("uint32", [2], [1, 2 ** 32 - 1]);
    expect(errorCodeOf(() => asInt32(array))).toBe("array-value");
    expect([...asInt32(array, { overflow: "wrap" })]).toEqual([1, -1]);
    const wide = fromNumbers("int64", [2], [-5n, 2n ** 40n + 3n]);
    expect(errorCodeOf(() => asInt32(wide))).toBe("array-value");
    expect([...asInt32(wide, { overflow: "wrap" })]).toEqual([-5, 3]);
    expect(errorCodeOf(() => asInt32(fromNumbers("float32", [], [1])))).toBe("array-dtype");
  });

  it("rounds float64 to float32", () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (numbers) => {
        const array = fromNumbers("float64", [numbers.length], numbers);
        expect([...asFloat32(array)]).toEqual(numbers.map(Math.fround));
        expect([...toNumbers(array)]).toEqual(numbers);
        const narrow = fromNumbers("float32", [numbers.length], numbers);
        expect([...asFloat32(narrow)]).toEqual(numbers.map(Math.fround));
      }),
    );
  });
});
