// npz archives: what NumPy and Python's zipfile wrote, round trips, and damaged archives.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/files/byteSource.js";
import { crc32 } from "../../src/files/crc32.js";
import { openNpz, readNpz, writeNpz } from "../../src/files/npz.js";
import { writeZip, zipEntries, zipEntryPieces } from "../../src/files/zip.js";
import { fromNumbers, type HostArray } from "../../src/ir/hostArray.js";
import { errorCodeOf, hexOf, readParamsFile, recordedFiles } from "../support/params.js";

const archives = recordedFiles.filter(([file]) => file.endsWith(".npz"));

describe("readNpz", () => {
  it.each(archives)("%s", (file, recorded) => {
    if ("error" in recorded) {
      expect(errorCodeOf(() => readNpz(readParamsFile(file)))).toBe(recorded.error);
      return;
    }
    const arrays = Array.from(readNpz(readParamsFile(file)), ([name, { dtype, shape, bytes }]) => ({
      name,
      dtype,
      shape,
      hex: hexOf(bytes),
    }));
    expect(arrays).toEqual(recorded.arrays);
  });

  it("leaves elements in place where they are stored plainly", () => {
    const file = readParamsFile("dtypes_stored.npz");
    expect(readNpz(file).get("float32")?.bytes.buffer).toBe(file.buffer);
  });

  it("gives the same bytes in pieces", () => {
    for (const name of ["dtypes.npz", "dtypes_stored.npz", "orders.npz"]) {
      for (const member of openNpz(memorySource(readParamsFile(name))).members) {
        const pieces = Array.from(member.pieces(), (piece) => hexOf(piece));
        expect(pieces.join("")).toBe(hexOf(member.read()));
      }
    }
  });

  it("reads arrays of many pieces", () => {
    const values = Float32Array.from({ length: 3_000_000 }, (_, index) => Math.sin(index));
    const array = fromNumbers("float32", [3000, 1000], values);
    for (const compress of [true, false]) {
      const [member] = openNpz(memorySource(writeNpz([["x", array]], { compress }))).members;
      let checksum = 0;
      let pieces = 0;
      for (const piece of member?.pieces() ?? []) {
        checksum = crc32(piece, checksum);
        pieces++;
      }
      expect(pieces).toBeGreaterThan(1);
      expect(checksum).toBe(crc32(array.bytes));
      expect(crc32(member?.read() ?? new Uint8Array(0))).toBe(checksum);
    }
  });

  it("names other files", () => {
    const zip = writeZip([["a.txt", Uint8Array.of(1)]]);
    expect(openNpz(memorySource(zip))).toEqual({ members: [], others: ["a.txt"] });
    expect(readNpz(writeNpz([]))).toEqual(new Map());
  });
});

describe("writeNpz", () => {
  it("survives reading", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 5 });
    fc.assert(
      fc.property(names, fc.boolean(), (keys, compress) => {
        const arrays = keys.map((key, index): [string, HostArray] => [
          key,
          fromNumbers(
            "int16",
            [index],
            Array.from({ length: index }, (_, at) => at - 2),
          ),
        ]);
        const again = readNpz(writeNpz(arrays, { compress }));
        expect([...again.keys()]).toEqual(keys);
        expect([...again.values()].map(({ bytes }) => hexOf(bytes))).toEqual(
          arrays.map(([, { bytes }]) => hexOf(bytes)),
        );
      }),
    );
  });

  it("is deterministic", () => {
    const arrays: [string, HostArray][] = [["a", fromNumbers("float32", [3], [1, 2, 3])]];
    expect(hexOf(writeNpz(arrays))).toBe(hexOf(writeNpz(arrays)));
  });
});

describe("damaged archives", () => {
  const stored = readParamsFile("zip_comment.npz");
  const deflated = readParamsFile("dtypes.npz");
  const codes = ["file-truncated", "file-corrupt", "file-unsupported", "array-shape"];

  it("are refused when truncated anywhere", () => {
    for (const file of [stored, deflated]) {
      for (let percent = 0; percent < 100; percent++) {
        const part = file.subarray(0, Math.floor((file.length * percent) / 100));
        expect(codes).toContain(errorCodeOf(() => readNpz(part)));
      }
    }
  });

  it("never crash or hang when bytes are changed", () => {
    const small = readParamsFile("zip_local64.npz");
    const change = fc.tuple(fc.nat(small.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const file = small.slice();
        for (const [at, byte] of changes) file[at] = byte;
        expect([...codes, "none"]).toContain(errorCodeOf(() => readNpz(file)));
      }),
      { numRuns: 2000 },
    );
  });

  /** The archive with a field of its (only) directory record, or of the end record, replaced. */
  function patched(
    file: Uint8Array,
    signature: number,
    offset: number,
    bytes: number[],
  ): Uint8Array {
    const copy = file.slice();
    const view = new DataView(copy.buffer);
    for (let at = 0; at + 4 < copy.length; at++) {
      if (view.getUint32(at, true) !== signature) continue;
      copy.set(bytes, at + offset);
      return copy;
    }
    throw new Error("no such record");
  }
  const directory = 0x02014b50;
  const end = 0x06054b50;
  const one = fromNumbers("float32", [4], [1, 2, 3, 4]);
  const plain = writeNpz([["a", one]], { compress: false });
  const packed = writeNpz([["a", one]]);

  it.each([
    ["a wrong checksum (stored)", plain, directory, 16, [1, 2, 3, 4], "file-corrupt"],
    ["a wrong checksum (deflated)", packed, directory, 16, [1, 2, 3, 4], "file-corrupt"],
    ["a declared size too small", packed, directory, 24, [140, 0, 0, 0], "file-corrupt"],
    ["a declared size too large", packed, directory, 24, [160, 0, 0, 0], "file-corrupt"],
    ["a size that deflate cannot reach", packed, directory, 24, [0, 0, 0, 0x40], "file-corrupt"],
    ["stored sizes that differ", plain, directory, 24, [1, 0, 0, 0], "file-corrupt"],
    ["a compressed size beyond the file", packed, directory, 20, [0, 0, 0, 1], "file-truncated"],
    ["an encrypted file", packed, directory, 8, [1, 0], "file-unsupported"],
    ["another compression", packed, directory, 10, [12, 0], "file-unsupported"],
    ["a local header elsewhere", packed, directory, 42, [1, 0, 0, 0], "file-corrupt"],
    ["a local header beyond the file", packed, directory, 42, [0, 0, 0, 1], "file-truncated"],
    [
      "zip64 sizes without their field",
      packed,
      directory,
      24,
      [255, 255, 255, 255],
      "file-corrupt",
    ],
    ["a directory elsewhere", packed, end, 16, [1, 0, 0, 0], "file-corrupt"],
    ["a directory beyond the file", packed, end, 16, [0, 0, 0, 1], "file-truncated"],
    ["more files than its directory holds", packed, end, 10, [9, 0], "file-corrupt"],
    ["one part of several", packed, end, 4, [1, 0], "file-unsupported"],
    ["a comment longer than the file", packed, end, 20, [9, 0], "file-truncated"],
  ])("with %s", (_, file, signature, offset, bytes, code) => {
    expect(errorCodeOf(() => readNpz(patched(file, signature, offset, bytes)))).toBe(code);
  });

  it("with data cut short inside deflate", () => {
    const [entry] = zipEntries(memorySource(packed));
    if (entry === undefined) throw new Error("no entry");
    const cut = { ...entry, compressedBytes: entry.compressedBytes - 9 };
    expect(errorCodeOf(() => [...zipEntryPieces(memorySource(packed), cut)])).toBe("file-corrupt");
  });

  it("with two files of one name, or overlapping ones", () => {
    const two = writeNpz(
      [
        ["a", one],
        ["b", one],
      ],
      { compress: false },
    );
    const text = Buffer.from(two).toString("latin1");
    const same = Buffer.from(text.replaceAll("b.npy", "a.npy"), "latin1");
    expect(errorCodeOf(() => readNpz(new Uint8Array(same)))).toBe("file-corrupt");
    // The second record of the directory points to the first file.
    const second = text.lastIndexOf("PK\x01\x02");
    const overlapping = two.slice();
    overlapping.set([0, 0, 0, 0], second + 42);
    expect(errorCodeOf(() => readNpz(overlapping))).toBe("file-corrupt");
  });
});

describe("crc32", () => {
  it("agrees with known values, whole and in parts", () => {
    const bytes = new TextEncoder().encode("123456789");
    expect(crc32(bytes)).toBe(0xcbf43926);
    expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
});
