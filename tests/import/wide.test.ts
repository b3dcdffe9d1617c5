// Programs of JAX's x64 mode: computed in 32 bits with one warning, or refused; constants that do not
// fit into 32 bits are errors. Exported by scripts/data/make_wide.py.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import { importExported, type Program } from "../../src/import/program.js";
import { fromNumbers, toNumbers } from "../../src/ir/hostArray.js";
import { loadConverted } from "../../src/run/graphProgram.js";
import { describeOnBackend } from "../support/backends.js";
import { repositoryRoot } from "../support/paths.js";

const programs = JSON.parse(
  readFileSync(join(repositoryRoot, "tests/data/wide.json"), "utf8"),
) as Readonly<Record<string, string>>;

function load(name: string, strictDtypes = false): Program {
  const bytes = new Uint8Array(Buffer.from(programs[name] ?? "", "base64"));
  return importExported(bytes, { strictDtypes });
}

describe("64-bit types", () => {
  test.each([
    ["float64", "float32"],
    ["int64", "int32"],
    ["uint64", "uint32"],
    ["complex128", "complex64"],
  ])("%s: one warning, or refused", (name, narrow) => {
    const { warnings } = convert(load(name));
    expect(warnings).toEqual([expect.stringMatching(`^${name} values are computed as ${narrow}`)]);
    expect(() => load(name, true)).toThrow(`the program computes with ${name} values`);
  });

  test.each([
    ["largeInteger", "1099511627776 (int64), which does not fit into int32"],
    ["largeIntegers", "8589934592 (int64), which does not fit into int32"],
    ["largeUnsigned", "4294967296 (uint64), which does not fit into uint32"],
    ["largeFloat", "1e+300 (float64), which does not fit into float32"],
    ["largeFloats", "1e+300 (float64), which does not fit into float32"],
  ])("%s does not fit", (name, message) => {
    expect(() => convert(load(name))).toThrow(`a constant holds ${message}`);
  });

  test("infinity fits", () => {
    expect(convert(load("infinity")).warnings).toHaveLength(1);
  });
});

describeOnBackend("cpu", () => {
  test("arguments of 64 bits serve; those that do not fit are errors", async () => {
    const loaded = loadConverted(convert(load("int64"), { backends: ["cpu"] }));
    const [result] = await loaded.run([fromNumbers("int64", [3], [1n, -2n, 3n])]);
    expect(result === undefined ? [] : [...toNumbers(result)]).toEqual([8, 5, 10]);
    await expect(loaded.run([fromNumbers("int64", [3], [1n, 2n ** 40n, 3n])])).rejects.toThrow();
    loaded.dispose();
  });
});
