// Parameter files that are damaged or made to harm: every one is refused by a clear error, fast.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/files/byteSource.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import { readSafetensors, writeSafetensors } from "../../src/import/params/safetensors.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import { errorCodeOf, readParamsFile } from "../support/params.js";

const fileCodes = [
  "file-truncated",
  "file-corrupt",
  "file-unsupported",
  "file-format",
  "array-shape",
];

/** Reads everything that a file offers. */
function readAll(bytes: Uint8Array): void {
  for (const leaf of readParameters(bytes).leaves) leaf.read();
}

function safetensorsFile(header: string, dataBytes: number, headerBytes?: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes ?? text.length), true);
  file.set(text, 8);
  return file;
}

const tensor = (begin: number, end: number, dtype = "U8", shape = [end - begin]): unknown => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  it.each<[string, unknown, number, string, RegExp]>([
    ["a gap", { a: tensor(0, 4), b: tensor(6, 8) }, 8, "file-corrupt", /2 bytes before "b"/],
    ["a gap at the start", { a: tensor(4, 8) }, 8, "file-corrupt", /4 bytes before "a"/],
    [
      "overlapping tensors",
      { a: tensor(0, 4), b: tensor(2, 6) },
      6,
      "file-corrupt",
      /"b" overlaps/,
    ],
    ["surplus bytes", { a: tensor(0, 4) }, 6, "file-corrupt", /2 bytes follow/],
    ["missing bytes", { a: tensor(0, 4) }, 3, "file-truncated", /ends at byte/],
    [
      "a range backwards",
      { a: tensor(4, 0, "U8", [0]) },
      4,
      "file-corrupt",
      /data_offsets \[4, 0\]/,
    ],
    [
      "too few bytes for its shape",
      { a: tensor(0, 4, "F32", [2]) },
      4,
      "file-corrupt",
      /8 bytes, but has 4/,
    ],
    [
      "one offset",
      { a: { dtype: "U8", shape: [], data_offsets: [0] } },
      0,
      "file-corrupt",
      /data_offsets/,
    ],
    ["an unknown dtype", { a: tensor(0, 4, "F6_E3M2") }, 4, "file-unsupported", /F6_E3M2/],
    [
      "a dtype of Object.prototype",
      { a: tensor(0, 4, "toString") },
      4,
      "file-unsupported",
      /toString/,
    ],
    ["a fractional size", { a: tensor(0, 4, "U8", [1.5]) }, 4, "file-corrupt", /lacks/],
    ["a negative offset", { a: tensor(-4, 0) }, 4, "file-corrupt", /lacks|data_offsets/],
    ["an offset beyond 2^53", { a: tensor(0, 2 ** 60) }, 4, "file-corrupt", /lacks/],
    [
      "a shape that overflows",
      { a: tensor(0, 4, "U8", [2 ** 40, 2 ** 40]) },
      4,
      "array-shape",
      /too many/,
    ],
    ["no entry object", { a: 3 }, 0, "file-corrupt", /no JSON object/],
    ["no shape", { a: { dtype: "U8", data_offsets: [0, 1] } }, 1, "file-corrupt", /lacks/],
  ])("with %s", (_, header, dataBytes, code, message) => {
    const file = safetensorsFile(JSON.stringify(header), dataBytes);
    expect(errorCodeOf(() => readParameters(file))).toBe(code);
    expect(() => readParameters(file)).toThrow(message);
  });

  it("with a header that is longer than the file, huge, or no JSON", () => {
    expect(errorCodeOf(() => readParameters(safetensorsFile("{}", 0, 3)))).toBe("file-truncated");
    expect(errorCodeOf(() => readParameters(safetensorsFile("{}", 0, 2 ** 40)))).toBe(
      "file-corrupt",
    );
    expect(errorCodeOf(() => readParameters(safetensorsFile("{}", 0, 2 ** 53)))).toBe(
      "file-corrupt",
    );
    expect(errorCodeOf(() => readParameters(safetensorsFile("{a}", 0)))).toBe("file-corrupt");
    expect(errorCodeOf(() => readParameters(safetensorsFile('{"a":', 0)))).toBe("file-corrupt");
    expect(errorCodeOf(() => readParameters(safetensorsFile("{".repeat(50), 0)))).toBe(
      "file-corrupt",
    );
    const notUtf8 = safetensorsFile('{"a":1}', 0);
    notUtf8[10] = 0xff;
    expect(errorCodeOf(() => readParameters(notUtf8))).toBe("file-corrupt");
    const list = memorySource(safetensorsFile("[]", 0));
    expect(errorCodeOf(() => readSafetensors(list))).toBe("file-corrupt");
  });

  it("with two tensors of one name", () => {
    const entry = JSON.stringify(tensor(0, 1));
    const file = safetensorsFile(`{"a":${entry},"a":${entry}}`, 1);
    expect(() => readParameters(file)).toThrow(/"a" occurs twice/);
  });

  it("accepts tensors in any order, empty ones, and spaces after the header", () => {
    const header = { c: tensor(4, 4), b: tensor(4, 6), a: tensor(0, 4) };
    const file = safetensorsFile(`${JSON.stringify(header)}   `, 6);
    expect(readParameters(file).leaves.map(({ name }) => name)).toEqual(["c", "b", "a"]);
  });
});

/** msgpack pieces. */
const text = (value: string): number[] => [0xa0 + value.length, ...new TextEncoder().encode(value)];
const extension = (type: number, payload: number[]): number[] => [
  0xc7,
  payload.length,
  type,
  ...payload,
];
const ndarray = (shape: number[], dtype: string, data: number[]): number[] =>
  extension(1, [0x93, 0x90 + shape.length, ...shape, ...text(dtype), 0xc4, data.length, ...data]);
const map = (...entries: [string, number[]][]): number[] => [
  0x80 + entries.length,
  ...entries.flatMap(([key, value]) => [...text(key), ...value]),
];
const chunkedMark = [0xd9, 25, ...new TextEncoder().encode("__msgpack_chunked_array__"), 0xc3];

describe("Flax msgpack", () => {
  it("accepts the file that the others are variations of", () => {
    const file = Uint8Array.from(map(["a", ndarray([2], "uint8", [1, 2])]));
    expect([...(readParameters(file).leaves[0]?.read() ?? [])]).toEqual([1, 2]);
  });

  it.each<[string, number[], string]>([
    ["too few bytes", map(["a", ndarray([3], "uint8", [1, 2])]), "file-corrupt"],
    ["too many bytes", map(["a", ndarray([1], "uint8", [1, 2])]), "file-corrupt"],
    ["an unknown dtype", map(["a", ndarray([2], "thing", [1, 2])]), "file-unsupported"],
    ["an object dtype", map(["a", ndarray([2], "object", [1, 2])]), "file-unsupported"],
    [
      "a key dtype",
      map(["a", ndarray([], "key<fry>", [1, 2, 3, 4, 5, 6, 7, 8])]),
      "file-unsupported",
    ],
    ["a negative size", map(["a", ndarray([0xff], "uint8", [])]), "file-corrupt"],
    [
      "a text for a size",
      map(["a", extension(1, [0x93, 0x91, ...text("x"), ...text("uint8"), 0xc4, 0])]),
      "file-corrupt",
    ],
    [
      "a pair for an array",
      map(["a", extension(1, [0x92, 0x90, ...text("uint8")])]),
      "file-corrupt",
    ],
    [
      "bytes after an array",
      map(["a", extension(1, [0x93, 0x90, ...text("uint8"), 0xc4, 1, 7, 0])]),
      "file-corrupt",
    ],
    [
      "an array beyond its extension",
      map(["a", [0xd4, 1, 0x93, 0x90, ...text("uint8"), 0xc4, 1, 7]]),
      "file-corrupt",
    ],
    ["an unknown extension", map(["a", extension(4, [0])]), "file-unsupported"],
    ["a bad complex number", map(["a", extension(2, [0x92, 0x01, 0xc0])]), "file-corrupt"],
    ["a complex number of one part", map(["a", extension(2, [0x91, 0x01])]), "file-corrupt"],
    ["a key of another kind", [0x81, 0xc0, 0xc0], "file-corrupt"],
    ["a key that is no UTF-8", [0x81, 0xa1, 0xff, 0xc0], "file-corrupt"],
    ["a key twice", [0x82, ...text("a"), 0xc0, ...text("a"), 0xc0], "file-corrupt"],
    ["the byte that means nothing", map(["a", [0xc1]]), "file-corrupt"],
    ["bytes after the end", [...map(["a", [0xc0]]), 0], "file-corrupt"],
    ["more entries than bytes", [0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1], "file-truncated"],
    ["a list longer than the file", map(["a", [0xdd, 0xff, 0xff, 0xff, 0xff]]), "file-truncated"],
    ["a text longer than the file", map(["a", [0xdb, 0xff, 0xff, 0xff, 0xff]]), "file-truncated"],
    ["chunks without a shape", [0x81, ...chunkedMark], "file-corrupt"],
    [
      "chunks that are no arrays",
      [
        0x83,
        ...chunkedMark,
        ...text("shape"),
        ...map(["0", [1]]),
        ...text("chunks"),
        ...map(["0", [1]]),
      ],
      "file-corrupt",
    ],
    [
      "chunks that do not fill the shape",
      [
        0x83,
        ...chunkedMark,
        ...text("shape"),
        ...map(["0", [3]]),
        ...text("chunks"),
        ...map(["0", ndarray([2], "uint8", [1, 2])]),
      ],
      "file-corrupt",
    ],
    [
      "chunks of a negative shape",
      [
        0x83,
        ...chunkedMark,
        ...text("shape"),
        ...map(["0", [0xff]]),
        ...text("chunks"),
        ...map(["0", ndarray([2], "uint8", [1, 2])]),
      ],
      "file-corrupt",
    ],
    [
      "chunks of two dtypes",
      [
        0x83,
        ...chunkedMark,
        ...text("shape"),
        ...map(["0", [2]]),
        ...text("chunks"),
        ...map(["0", ndarray([1], "uint8", [1])], ["1", ndarray([1], "int8", [1])]),
      ],
      "file-corrupt",
    ],
    [
      "chunks that are not numbered",
      [
        0x83,
        ...chunkedMark,
        ...text("shape"),
        ...map(["0", [1]]),
        ...text("chunks"),
        ...map(["1", ndarray([1], "uint8", [1])]),
      ],
      "file-corrupt",
    ],
  ])("with %s", (_, bytes, code) => {
    expect(errorCodeOf(() => readParameters(Uint8Array.from(bytes)))).toBe(code);
  });

  it("with bottomless nesting", () => {
    const nested = new Uint8Array(3_000_000).fill(0x81);
    for (let at = 1; at < nested.length; at += 3) nested.set([0xa1, 0x61], at);
    expect(errorCodeOf(() => readParameters(nested))).toBe("file-corrupt");
    const lists = new Uint8Array(1_000_000).fill(0x91);
    lists.set([0x81, 0xa1, 0x61]);
    expect(errorCodeOf(() => readParameters(lists))).toBe("file-corrupt");
  });

  it("with lists that announce far more than they hold", () => {
    // An array of the announced length each would take gigabytes.
    const bytes: number[] = [0x81, 0xa1, 0x61];
    for (let depth = 0; depth < 100; depth++) bytes.push(0xdd, 0, 0, 0x01, 0x00);
    expect(errorCodeOf(() => readParameters(Uint8Array.from(bytes)))).toBe("file-truncated");
  });

  it("with more values than any model", () => {
    const many = new Uint8Array(2_000_000).fill(0xc0);
    many.set([0x81, 0xa1, 0x61, 0xdd, 0, 0x1e, 0x84, 0x78]);
    expect(errorCodeOf(() => readParameters(many))).toBe("file-corrupt");
  });
});

describe("any format", () => {
  const samples = [
    "dtypes.safetensors",
    "dtypes.npz",
    "dtypes_stored.npz",
    "dtypes.msgpack",
    "chunked.msgpack",
    "linen.safetensors",
  ];

  it.each(samples)("%s truncated at every percent", (name) => {
    const file = readParamsFile(name);
    for (let percent = 0; percent < 100; percent++) {
      const part = file.subarray(0, Math.floor((file.length * percent) / 100));
      expect(fileCodes).toContain(
        errorCodeOf(() => {
          readAll(part);
        }),
      );
    }
  });

  it("a stream of npy arrays truncated anywhere, but between two arrays", () => {
    const file = readParamsFile("stream.npy");
    const codes = Array.from(file, (_, length) =>
      errorCodeOf(() => {
        readAll(file.subarray(0, length));
      }),
    );
    expect(new Set(codes)).toEqual(new Set(["file-truncated", "file-format", "none"]));
    expect(codes.filter((code) => code === "none").length).toBe(4);
  });

  it.each([...samples, "orders.npz", "stream.npy"])("%s with changed bytes", (name) => {
    const original = readParamsFile(name);
    // Headers are at the start, or in npz files at the end.
    const place = fc.oneof(
      fc.nat(600),
      fc.nat(600).map((back) => original.length - 1 - back),
      fc.nat(),
    );
    const change = fc.tuple(place, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
        const file = original.slice();
        for (const [at, byte] of changes) file[Math.abs(at) % file.length] = byte;
        expect([...fileCodes, "none"]).toContain(
          errorCodeOf(() => {
            readAll(file);
          }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("random bytes behind the beginning of each format", () => {
    const starts = [
      [],
      [0x50, 0x4b, 3, 4],
      [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0],
      [0x20, 0, 0, 0, 0, 0, 0, 0, 0x7b],
      [0x81],
      [0xde],
      [0xc7],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        const file = Uint8Array.from([...start, ...rest]);
        expect([...fileCodes, "none"]).toContain(
          errorCodeOf(() => {
            readAll(file);
          }),
        );
      }),
      { numRuns: 3000 },
    );
  });

  it("a file that only its writer could tell from another format", () => {
    // A header of 0x81 bytes makes a safetensors file begin like a Flax map.
    const arrays = Array.from({ length: 40 }, (_, index) => {
      const file = writeSafetensors([["x".repeat(index + 1), fromNumbers("uint8", [1], [index])]]);
      return { first: file[0] ?? 0, file };
    });
    const alike = arrays.filter(({ first }) => first >= 0x50);
    expect(alike.length).toBeGreaterThan(5);
    for (const { file } of alike) expect(readParameters(file).format).toBe("safetensors");
  });
});
