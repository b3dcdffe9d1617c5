// Packing and unpacking the oracle corpus: layout, order and damage.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import { expect, test } from "vitest";
import { readPackList, unpack, writePacks } from "../../scripts/data/oraclePacks.js";
import { readTar, writeTar } from "../../scripts/data/tar.js";
import { withTemporaryFolder } from "../support/cli.js";
import { listOracle, readOracle, readOracleText } from "../support/oracle.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a tar archive gives back its files, whatever their size and the length of the path", () => {
  const entries = [
    { path: "a", bytes: bytes("") },
    { path: `${"folder/".repeat(20)}file`, bytes: bytes("x".repeat(512)) },
    { path: "b/c.json", bytes: bytes("{}") },
  ];
  const read = readTar(writeTar(entries));
  expect(read.map(({ path, bytes: content }) => [path, Buffer.from(content).toString()])).toEqual(
    entries.map(({ path, bytes: content }) => [path, Buffer.from(content).toString()]),
  );
  expect(() => readTar(writeTar(entries).subarray(0, 700))).toThrow("broken tar");
  expect(() => writeTar([{ path: "x".repeat(200), bytes: bytes("") }])).toThrow("path too long");
});

/** A corpus with one file of each kind. */
function writeSmallCorpus(corpus: string): void {
  const files: Record<string, Uint8Array> = {
    "public/primitives/add/cases.json": bytes("[]"),
    "public/primitives/add/000.npz": zipSync({ "in_0.npy": bytes("in"), "out_0.npy": bytes("o") }),
    "public/shape_poly/cases.json": bytes("[]"),
    "public/models/mlp/module.mlir.gz": gzipSync(bytes("module {}")),
    "versions/0.1/mlp/meta.json": bytes("{}"),
    "wild/other/meta.json": bytes("{}"),
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(corpus, path)), { recursive: true });
    writeFileSync(join(corpus, path), content);
  }
}

test("unpacking restores the layout that was packed", async () => {
  await withTemporaryFolder(async (folder) => {
    const [corpus, packs, target] = [`${folder}/corpus`, `${folder}/packs`, `${folder}/out`];
    writeSmallCorpus(corpus);
    writePacks(corpus, packs);
    expect(readPackList(packs).map(({ files }) => files)).toEqual([2, 1, 2, 1]);
    unpack(packs, target);
    const npz = unzipSync(readFileSync(`${target}/public/primitives/add/000.npz`));
    expect(Object.keys(npz)).toEqual(["in_0.npy", "out_0.npy"]);
    expect(npz["in_0.npy"]).toEqual(bytes("in"));
    expect(readFileSync(`${target}/versions/0.1/mlp/meta.json`, "utf8")).toBe("{}");

    // Packing again changes nothing; a damaged pack is refused.
    expect(writePacks(target, `${folder}/again`)).toEqual(readPackList(packs));
    writeFileSync(`${packs}/wild.tar.br`, "damaged");
    expect(() => unpack(packs, `${folder}/bad`)).toThrow("wild.tar.br differs from packs.json");
    await Promise.resolve();
  });
});

test("the corpus of this repository reads as its README says", () => {
  expect(listOracle("public")).toEqual(["models", "primitives", "shape_poly"]);
  const modules = JSON.parse(readOracleText("public/primitives/add/modules.json.gz")) as Record<
    string,
    string
  >;
  expect(modules["000"]).toContain("stablehlo.add");
  const artifact = readOracle("public/primitives/add/000.jaxexport");
  expect(createHash("sha256").update(artifact).digest("hex")).toHaveLength(64);
});
