// The MLIR reader against MLIR: for every artifact of the corpus, the module read and printed here is
// the text that MLIR prints after reading the same bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readExported } from "../../src/import/exported.js";
import { printMlirModule } from "../../src/import/mlir/print.js";
import { readMlirModule } from "../../src/import/mlir/reader.js";
import { listOracle, readOracle, readOracleText } from "../support/oracle.js";
import { repositoryRoot } from "../support/paths.js";

const textOf = (artifact: Uint8Array): string =>
  printMlirModule(readMlirModule(readExported(artifact).mlirModuleSerialized));

/** Compares line by line, so that a difference is shown where it is. */
function expectSameText(found: string, expected: string, what: string): void {
  if (found === expected) return;
  const [foundLines, expectedLines] = [found.split("\n"), expected.split("\n")];
  const line = foundLines.findIndex((text, i) => text !== expectedLines[i]);
  expect(foundLines[line], `${what}, line ${line + 1}`).toBe(expectedLines[line]);
  expect(foundLines.length, what).toBe(expectedLines.length);
}

describe.each(["public/primitives", "public/shape_poly"])("%s", (folder) => {
  const groups = folder.endsWith("primitives") ? listOracle(folder) : [""];
  test.each(groups)("%s", (group) => {
    const path = join(folder, group);
    const texts = JSON.parse(readOracleText(join(path, "modules.json.gz"))) as Record<
      string,
      string
    >;
    const artifacts = listOracle(path).filter((name) => name.endsWith(".jaxexport"));
    expect(artifacts.length).toBeGreaterThan(0);
    for (const name of artifacts) {
      const expected = texts[name.replace(".jaxexport", "")];
      expect(expected, name).toBeDefined();
      expectSameText(textOf(readOracle(join(path, name))), expected ?? "", `${path}/${name}`);
    }
  });
});

const modelFolders = [
  "public/models",
  "wild",
  ...listOracle("versions").map((v) => `versions/${v}`),
];

describe.each(modelFolders)("%s", (folder) => {
  test.each(listOracle(folder))("%s", (model) => {
    const path = join(folder, model);
    const expected = readOracleText(join(path, "module.mlir.gz"));
    expectSameText(textOf(readOracle(join(path, "model.jaxexport"))), expected, path);
  });
});

describe("modules made with jaxlib", () => {
  const data = join(repositoryRoot, "tests/data/mlir");
  const read = (name: string): string =>
    printMlirModule(readMlirModule(new Uint8Array(readFileSync(join(data, name)))));
  const text = (name: string): string => {
    const bytes = readFileSync(join(data, name));
    return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  };

  test("all element types, strings, structures, control flow", () => {
    expectSameText(read("coverage.mlirbc"), text("coverage.mlir.gz"), "coverage");
  });

  test("builtin and sharding attributes, and a resource", () => {
    expectSameText(read("misc.mlirbc"), text("misc.mlir"), "misc");
  });

  test.each(["0_9_0", "0_12_0", "0_17_0", "1_0_0", "1_8_0", "1_13_0"])(
    "a program for StableHLO %s reads as the current one",
    (version) => {
      expectSameText(read(`older_${version}.mlirbc`), text("older.mlir"), version);
    },
  );
});
