// Parameter files of every format, as the real libraries wrote them: names, dtypes, shapes, bytes;
// from memory and from disk; and round trips of what is written here.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode, ExtensionCodec } from "@msgpack/msgpack";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openParameterFile } from "../../src/import/params/nodeFile.js";
import type { ParameterFile } from "../../src/import/params/parameterFile.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import { writeSafetensors } from "../../src/import/params/safetensors.js";
import { byteLengthOf, fromNumbers, hostArray } from "../../src/ir/hostArray.js";
import {
  errorCodeOf,
  hexOf,
  paramsPath,
  readParamsFile,
  recordedFiles,
} from "../support/params.js";

/** What a file holds, by name: safetensors and Flax files have an order of their own. */
function contents(file: ParameterFile): unknown {
  return byName(
    file.leaves.map((leaf) => ({
      name: leaf.name,
      dtype: leaf.dtype,
      shape: leaf.shape,
      hex: hexOf(leaf.read()),
    })),
  );
}

const byName = <T extends { readonly name: string }>(arrays: readonly T[]): readonly T[] =>
  [...arrays].sort((a, b) => (a.name < b.name ? -1 : 1));

describe("readParameters", () => {
  it.each(recordedFiles)("%s in memory", (name, recorded) => {
    if ("error" in recorded) {
      expect(errorCodeOf(() => readParameters(readParamsFile(name)))).toBe(recorded.error);
      return;
    }
    const file = readParameters(readParamsFile(name));
    expect(contents(file)).toEqual(byName(recorded.arrays));
    expect([...file.ignored].sort()).toEqual([...(recorded.ignored ?? [])].sort());
    for (const leaf of file.leaves) {
      expect(leaf.byteLength).toBe(byteLengthOf(leaf.dtype, leaf.shape));
      const pieces = Array.from(leaf.pieces(), hexOf);
      expect(pieces.join("")).toBe(hexOf(leaf.read()));
    }
    file.close();
  });

  it.each(recordedFiles)("%s on disk", (name, recorded) => {
    if ("error" in recorded) {
      expect(errorCodeOf(() => openParameterFile(paramsPath(name)))).toBe(recorded.error);
      return;
    }
    const file = openParameterFile(paramsPath(name));
    expect(contents(file)).toEqual(byName(recorded.arrays));
    file.close();
  });

  it("gives views of safetensors and msgpack files in memory", () => {
    for (const name of ["dtypes.safetensors", "dtypes.msgpack", "dtypes_stored.npz"]) {
      const bytes = readParamsFile(name);
      const leaf = readParameters(bytes).leaves.find(({ shape }) => shape.length === 2);
      expect(leaf?.read().buffer).toBe(bytes.buffer);
    }
  });

  it("marks raw bits and Python numbers", () => {
    const raw = readParameters(readParamsFile("dtypes.npz")).leaves;
    expect(raw.find(({ name }) => name === "extra_int4")?.origin).toBe("raw");
    expect(raw.find(({ name }) => name === "uint8")?.origin).toBeUndefined();
    const python = readParameters(readParamsFile("dtypes.msgpack")).leaves;
    expect(python.find(({ name }) => name === "python/step")?.origin).toBe("python");
    expect(python.find(({ name }) => name === "scalars/int64")?.origin).toBeUndefined();
  });

  it("says what to do about other files", () => {
    expect(() => readParameters(readParamsFile("pickle.pkl"))).toThrow(
      /pickle, which is never read/,
    );
    expect(() => readParameters(readParamsFile("pytorch.pt"))).toThrow(/PyTorch/);
    expect(() => readParameters(new TextEncoder().encode("hello"), "a.txt")).toThrow(
      /a\.txt is no/,
    );
  });
});

describe("openParameterFile", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "params-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it("refuses files that are not there, and folders", () => {
    expect(errorCodeOf(() => openParameterFile(join(folder, "none")))).toBe("file-open");
    expect(errorCodeOf(() => openParameterFile(folder))).toBe("file-open");
  });

  it("refuses to read once closed, or beyond a shortened file", () => {
    const path = join(folder, "x.safetensors");
    const values = new Float32Array(50_000);
    writeFileSync(path, writeSafetensors([["x", fromNumbers("float32", [50_000], values)]]));
    const file = openParameterFile(path);
    const [leaf] = file.leaves;
    expect(leaf?.read().length).toBe(200_000);
    truncateSync(path, 1000);
    expect(errorCodeOf(() => leaf?.read())).toBe("file-truncated");
    file.close();
    file.close();
    expect(errorCodeOf(() => leaf?.read())).toBe("file-open");
  });

  it("does not read elements before they are asked for", () => {
    const path = join(folder, "sparse.safetensors");
    const size = 2 ** 33;
    const header = JSON.stringify({
      a: { dtype: "U8", shape: [size], data_offsets: [0, size] },
      b: { dtype: "U8", shape: [4], data_offsets: [size, size + 4] },
    });
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([start, Buffer.from(header)]));
    truncateSync(path, 8 + header.length + size + 4);
    const file = openParameterFile(path);
    expect(file.leaves[1]?.read()).toEqual(new Uint8Array(4));
    file.close();
  });
});

describe("writeSafetensors", () => {
  it("survives reading, and is aligned", () => {
    const anyName = fc.string({ unit: "grapheme", maxLength: 10 });
    const dtype = fc.constantFrom("bool", "uint16", "float32", "bfloat16", "complex64", "int64");
    const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
    const entry = fc.tuple(anyName, dtype as fc.Arbitrary<"float32">, shape);
    const entries = fc.uniqueArray(entry, { selector: ([name]) => name, maxLength: 6 });
    fc.assert(
      fc.property(entries, (list) => {
        const arrays = list
          .filter(([name]) => name !== "__metadata__")
          .map(([name, type, sizes], index) => {
            const bytes = new Uint8Array(byteLengthOf(type, sizes)).fill(index + 1);
            return [name, hostArray(type, sizes, bytes)] as const;
          });
        const file = writeSafetensors(arrays);
        const again = readParameters(file);
        expect(again.leaves.map(({ name }) => name)).toEqual(arrays.map(([name]) => name));
        expect(contents(again)).toEqual(
          byName(
            arrays.map(([name, { dtype, shape, bytes }]) => ({
              name,
              dtype,
              shape,
              hex: hexOf(bytes),
            })),
          ),
        );
        const headerBytes = new DataView(file.buffer).getUint32(0, true);
        expect(headerBytes % 8).toBe(0);
      }),
    );
  });

  it("stores keys as words and refuses dtypes without a name", () => {
    const key = fromNumbers("key<fry>", [3], [1, 2, 3, 4, 5, 6]);
    const [leaf] = readParameters(writeSafetensors([["k", key]])).leaves;
    expect(leaf).toMatchObject({ dtype: "uint32", shape: [3, 2] });
    const complex = fromNumbers("complex128", [], [1, 2]);
    expect(errorCodeOf(() => writeSafetensors([["c", complex]]))).toBe("array-dtype");
  });
});

describe("Flax msgpack", () => {
  it("reads what another encoder writes, whatever the widths of its lengths", () => {
    const extensionCodec = new ExtensionCodec();
    extensionCodec.register({
      type: 1,
      encode: (value) =>
        value instanceof Float64Array
          ? encode([[value.length], "float64", new Uint8Array(value.buffer)])
          : null,
      decode: () => null,
    });
    const keys = fc.string({ maxLength: 300 });
    const leaf = fc.oneof(
      fc.nat(70_000).map((length) => new Float64Array(length / 100).fill(length)),
      fc.constant(null),
    );
    const tree = fc.dictionary(keys, fc.dictionary(keys, leaf, { maxKeys: 40 }), { maxKeys: 20 });
    fc.assert(
      fc.property(tree, (value) => {
        const expected = Object.entries(value).flatMap(([outer, inner]) =>
          Object.entries(inner)
            .filter(([, array]) => array !== null)
            .map(([key, array]) => ({ path: [outer, key], shape: [array?.length] })),
        );
        const file = readParameters(encode(value, { extensionCodec }));
        expect(file.leaves.map(({ path, shape }) => ({ path, shape }))).toEqual(expected);
      }),
      // A brace where safetensors has one.
      { numRuns: 30, examples: [[{ "  ": { "  {": null } }]] },
    );
  });
});
