// npy files: what NumPy wrote, round trips, and headers that lie.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteCursor, memorySource } from "../../src/files/byteSource.js";
import { readNpy, readNpyHeader, writeNpy } from "../../src/files/npy.js";
import { type DType, dtypes, kindOf, storageBytesOf } from "../../src/ir/dtypes.js";
import { byteLengthOf, fromNumbers, type HostArray, hostArray } from "../../src/ir/hostArray.js";
import { errorCodeOf, hexOf, readParamsFile, recordedFiles } from "../support/params.js";

/** An npy file with this header text. */
function npyFile(header: string, data = new Uint8Array(0), version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const start = version === 1 ? 10 : 12;
  const file = new Uint8Array(start + text.length + data.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, text.length & 255, text.length >> 8]);
  file.set(text, start);
  file.set(data, start + text.length);
  return file;
}

const header = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

describe("readNpy", () => {
  const singles = recordedFiles.filter(([file]) => /^version\d\.npy$/.test(file));

  it.each(singles)("reads %s as NumPy wrote it", (file, recorded) => {
    const array = readNpy(readParamsFile(file));
    const [expected] = "arrays" in recorded ? recorded.arrays : [];
    expect({ dtype: array.dtype, shape: array.shape, hex: hexOf(array.bytes) }).toEqual({
      dtype: expected?.dtype,
      shape: expected?.shape,
      hex: expected?.hex,
    });
  });

  it("gives a view of the file", () => {
    const file = readParamsFile("version1.npy");
    expect(readNpy(file).bytes.buffer).toBe(file.buffer);
  });

  it("accepts the long integers and spacing of older versions of Python", () => {
    const file = npyFile(
      `{ "shape":(2L,1L),"fortran_order":True , 'descr' :"|u1"}`,
      Uint8Array.of(1, 2),
    );
    expect(readNpy(file)).toEqual(hostArray("uint8", [2, 1], Uint8Array.of(1, 2)));
  });

  it.each([
    ["no dictionary", "[1]"],
    ["a missing key", "{'descr': '<f4', 'shape': (), }"],
    ["code for a value", header("__import__('os')", "()")],
    ["an unclosed shape", header("'<f4'", "(1, 2")],
    ["a negative size", header("'<f4'", "(-1,)")],
    ["a size beyond 2^53", header("'<f4'", "(99999999999999999999,)")],
    ["no boolean", header("'<f4'", "()", "0")],
    ["nothing", ""],
  ])("refuses a header with %s", (_, text) => {
    expect(errorCodeOf(() => readNpy(npyFile(text)))).toBe("file-corrupt");
  });

  it.each([
    "'<f16'",
    "'<f3'",
    "'<i16'",
    "'<c32'",
    "'|V7'",
    "'|O'",
    "'<U3'",
    "'>f4x'",
    "''",
    "'__proto__'",
  ])("refuses elements of type %s", (descr) => {
    expect(errorCodeOf(() => readNpy(npyFile(header(descr, "()"))))).toBe("file-unsupported");
  });

  it("refuses a shape whose product overflows", () => {
    const text = header("'<f4'", "(9007199254740991, 9007199254740991)");
    expect(errorCodeOf(() => readNpy(npyFile(text)))).toBe("array-shape");
  });

  it("refuses other versions, huge headers, missing and surplus bytes", () => {
    const text = header("'|u1'", "(3,)");
    const data = Uint8Array.of(1, 2, 3);
    expect(errorCodeOf(() => readNpy(npyFile(text, data)))).toBe("none");
    expect(errorCodeOf(() => readNpy(npyFile(text, data, 4)))).toBe("file-unsupported");
    expect(errorCodeOf(() => readNpy(npyFile(text, data.subarray(1))))).toBe("file-truncated");
    expect(errorCodeOf(() => readNpy(npyFile(text, new Uint8Array(4))))).toBe("file-corrupt");
    const huge = npyFile(text, data, 2).fill(0xff, 8, 12);
    expect(errorCodeOf(() => readNpy(huge))).toBe("file-corrupt");
    expect(errorCodeOf(() => readNpy(Uint8Array.of(0x93, 1)))).toBe("file-truncated");
    expect(errorCodeOf(() => readNpy(new Uint8Array(20)))).toBe("file-corrupt");
  });

  it("refuses every truncation", () => {
    const file = readParamsFile("version1.npy");
    for (let length = 0; length < file.length; length++) {
      expect(errorCodeOf(() => readNpy(file.subarray(0, length)))).toBe("file-truncated");
    }
  });
});

/** Any array that NumPy can store. */
const storable = dtypes.filter((dtype) => kindOf(dtype) !== "token" && kindOf(dtype) !== "float0");
const anyArray: fc.Arbitrary<HostArray> = fc
  .tuple(fc.constantFrom(...storable), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }))
  .chain(([dtype, shape]) => {
    const length = byteLengthOf(dtype, shape);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => hostArray(dtype, shape, bytes));
  });

describe("writeNpy", () => {
  it("writes what NumPy writes", () => {
    const file = readParamsFile("version1.npy");
    expect(hexOf(writeNpy(readNpy(file)))).toBe(hexOf(file));
  });

  it("aligns the elements and survives reading, for every dtype", () => {
    fc.assert(
      fc.property(anyArray, (array) => {
        const file = writeNpy(array);
        const again = readNpy(file);
        expect((file.length - array.bytes.length) % 64).toBe(0);
        expect(hexOf(again.bytes)).toBe(hexOf(array.bytes));
        expect([again.dtype, again.shape]).toEqual(storedForm(array));
      }),
    );
  });

  it("marks types without a NumPy name as raw bits", () => {
    const file = writeNpy(fromNumbers("float8_e4m3fn", [2], [1, 2]));
    const read = readNpyHeader(new ByteCursor(memorySource(file)), "it");
    expect(read).toMatchObject({ dtype: "uint8", rawBits: true, shape: [2] });
  });

  it("refuses what is no array", () => {
    expect(errorCodeOf(() => writeNpy(hostArray("token", [], new Uint8Array(0))))).toBe(
      "array-dtype",
    );
  });
});

/** dtype and shape under which NumPy knows an array. */
function storedForm({ dtype, shape }: HostArray): readonly [DType, readonly number[]] {
  if (kindOf(dtype) === "key") return ["uint32", [...shape, storageBytesOf(dtype) / 4]];
  const named = /^(bool|u?int(8|16|32|64)|float(16|32|64)|bfloat16|complex.*|float8_e5m2)$/;
  return [named.test(dtype) ? dtype : "uint8", shape];
}
