// What the MLIR reader makes of a module: values, attributes, constants, locations, errors.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readExported } from "../../src/import/exported.js";
import { floatText, floatValue } from "../../src/import/mlir/floats.js";
import {
  type MlirAttribute,
  type MlirLocation,
  type MlirModule,
  type MlirOperation,
} from "../../src/import/mlir/ir.js";
import { printMlirModule } from "../../src/import/mlir/print.js";
import { printAttribute } from "../../src/import/mlir/printAttribute.js";
import { isMlirBytecode, readMlirModule } from "../../src/import/mlir/reader.js";
import { readOracle } from "../support/oracle.js";
import { repositoryRoot } from "../support/paths.js";
import { moduleBytes, varint } from "./mlirBytes.js";

const readData = (name: string): MlirModule =>
  readMlirModule(new Uint8Array(readFileSync(join(repositoryRoot, "tests/data/mlir", name))));

function operationsOf(operation: MlirOperation): MlirOperation[] {
  const inner = operation.regions.flatMap(({ blocks }) =>
    blocks.flatMap(({ operations }) => operations.flatMap(operationsOf)),
  );
  return [operation, ...inner];
}

function find(module: MlirModule, name: string): MlirOperation {
  const operation = operationsOf(module.operation).find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`no ${name}`);
  return operation;
}

const attribute = (operation: MlirOperation, name: string): MlirAttribute | undefined =>
  operation.attributes.get(name);

describe("a small module", () => {
  const module = readData("older_0_9_0.mlirbc");

  test("header, functions, and who uses what", () => {
    expect(module.bytecodeVersion).toBe(0);
    expect(module.producer).toBe("StableHLO_v0.9.0");
    const [main, helper] = module.operation.regions[0]?.blocks[0]?.operations ?? [];
    expect(main?.name).toBe("func.func");
    expect(helper?.attributes.get("sym_visibility")).toEqual({ kind: "string", value: "private" });
    const block = main?.regions[0]?.blocks[0];
    const dot = block?.operations[0];
    expect(dot?.name).toBe("stablehlo.dot_general");
    // Identity of values is that of the objects.
    expect(dot?.operands[0]).toBe(block?.arguments[0]);
    expect(block?.operations.at(-1)?.operands[0]).toBe(dot?.results[0]);
    expect(dot?.results[0]?.type).toEqual({
      kind: "tensor",
      shape: [2, 4],
      elementType: { kind: "float", name: "f32" },
    });
    const ids = operationsOf(module.operation).flatMap(({ results }) =>
      results.map(({ id }) => id),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("attributes are grouped, and defaults left out", () => {
    expect(attribute(find(module, "stablehlo.dot_general"), "dot_dimension_numbers")).toEqual({
      kind: "dotDimensionNumbers",
      lhsBatchingDimensions: [],
      rhsBatchingDimensions: [],
      lhsContractingDimensions: [1],
      rhsContractingDimensions: [0],
    });
    expect(attribute(find(module, "stablehlo.gather"), "slice_sizes")).toEqual({
      kind: "denseArray",
      elementType: { kind: "integer", width: 64, signedness: "signless" },
      values: [1n, 3n],
    });
    const scatter = find(module, "stablehlo.scatter");
    expect([...scatter.attributes.keys()]).toEqual(["scatter_dimension_numbers", "unique_indices"]);
    expect(attribute(find(module, "stablehlo.all_reduce"), "channel_handle")).toEqual({
      kind: "channelHandle",
      handle: 5n,
      type: 0n,
    });
    expect(attribute(find(module, "func.call"), "callee")).toEqual({
      kind: "symbolRef",
      root: "helper",
      nested: [],
    });
  });
});

describe("constants", () => {
  test("are views of the artifact; booleans take a byte", () => {
    const bytes = readOracle("public/models/gp_regression/model.jaxexport");
    const module = readMlirModule(readExported(bytes).mlirModuleSerialized);
    const constants = operationsOf(module.operation).flatMap((operation) => {
      const value = attribute(operation, "value");
      return value?.kind === "denseElements" ? [value] : [];
    });
    expect(constants.length).toBeGreaterThan(0);
    for (const { bytes: view, type } of constants) {
      const isBool = type.elementType.kind === "integer" && type.elementType.width === 1;
      if (!isBool) expect(view.buffer).toBe(bytes.buffer);
    }
    const [booleans] = operationsOf(readData("older_1_8_0.mlirbc").operation).flatMap(
      (operation) => {
        const value = attribute(operation, "value");
        return value?.kind === "denseElements" ? [value] : [];
      },
    );
    expect(booleans?.splat).toBe(false);
    expect([...(booleans?.bytes ?? [])]).toEqual([1, 0, 1]);
  });

  test("a resource is a view too", () => {
    const value = readData("misc.mlirbc").operation.attributes.get("jax.x");
    expect(value?.kind).toBe("denseResource");
    if (value?.kind !== "denseResource") return;
    expect(value.key).toBe("blob1");
    expect([...(value.bytes ?? [])]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
  });

  test("above the limit are elided, otherwise printed in full", () => {
    const module = readData("coverage.mlirbc");
    expect(printMlirModule(module)).toContain("dense_resource<__elided__> : tensor<65xi32>");
    const full = printMlirModule(module, { largeElementsLimit: Infinity });
    expect(full).not.toContain("__elided__");
    expect(full).toContain("dense<[0, 1, 2,");
  });

  test("of more than a hundred elements are printed in hexadecimal", () => {
    const type = {
      kind: "tensor",
      shape: [101],
      elementType: { kind: "integer", width: 8, signedness: "unsigned" },
    } as const;
    const bytes = Uint8Array.from({ length: 101 }, (_, i) => i);
    const text = printAttribute({ kind: "denseElements", type, bytes, splat: false });
    expect(text).toMatch(/^dense<"0x000102[0-9A-F]+64"> : tensor<101xui8>$/);
  });
});

test("locations lead to the line of the program", () => {
  const artifact = readExported(readOracle("wild/eqx_mlp/model.jaxexport"));
  const module = readMlirModule(artifact.mlirModuleSerialized);
  const files: string[] = [];
  const names: string[] = [];
  const visit = (location: MlirLocation): void => {
    if (location.kind === "file" && location.line > 0) files.push(location.file);
    if (location.kind === "name") {
      names.push(location.name);
      visit(location.child);
    }
    if (location.kind === "callSite") {
      visit(location.callee);
      visit(location.caller);
    }
    if (location.kind === "fused") location.locations.forEach(visit);
  };
  for (const operation of operationsOf(module.operation)) visit(operation.location);
  expect(files.some((file) => file.endsWith(".py"))).toBe(true);
  expect(names.some((name) => name.includes("dot_general"))).toBe(true);
});

describe("floats", () => {
  const f32 = (value: number): bigint =>
    BigInt(new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0);
  test.each([
    [0, "0.000000e+00"],
    [-0, "-0.000000e+00"],
    [1, "1.000000e+00"],
    [0.797884583, "0.797884583"],
    [1e-5, "9.99999974E-6"],
    [0.044715, "4.471500e-02"],
    [-1e30, "-1.000000e+30"],
    [16777216, "0x4B800000"],
    [Infinity, "0x7F800000"],
    [NaN, "0x7FC00000"],
    [1.401298464324817e-45, "1.401300e-45"],
    [3.4028234663852886e38, "3.40282347E+38"],
  ])("%d is printed as %s", (value, text) => {
    expect(floatText("f32", f32(value))).toBe(text);
  });

  test.each([
    ["f64", 0x3ff8000000000000n, 1.5],
    ["f32", 0xff800000n, -Infinity],
    ["f16", 0x0001n, 2 ** -24],
    ["bf16", 0x3fc0n, 1.5],
    ["tf32", 0x7fc00n >> 1n, NaN],
    ["f8E4M3FN", 0x7fn, NaN],
    ["f8E4M3FNUZ", 0x80n, NaN],
    ["f8E5M2", 0xfcn, -Infinity],
    ["f8E8M0FNU", 0x7fn, 1],
    ["f4E2M1FN", 0xfn, -6],
    ["f80", (0x3fffn << 64n) | (1n << 63n), 1],
    ["f128", 0x4000n << 112n, 2],
  ] as const)("%s %s is %d", (name, bits, value) => {
    expect(floatValue(name, bits)).toBe(value);
  });
});

describe("errors", () => {
  const codeOf = (bytes: Uint8Array): unknown => {
    try {
      readMlirModule(bytes);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test("an operation of a newer StableHLO is named, with its producer", () => {
    // The versioned name of an operation, raised beyond what is known.
    const artifact = readExported(readOracle("public/primitives/abs/000.jaxexport"));
    const bytes = artifact.mlirModuleSerialized.slice();
    const text = Buffer.from(bytes.buffer).indexOf("abs_v1");
    expect(text).toBeGreaterThan(0);
    bytes[text + 5] = "7".charCodeAt(0);
    expect(codeOf(bytes)).toMatchObject({
      code: "unknown-op",
      message: expect.stringMatching(/vhlo\.abs_v7.*StableHLO_v/) as unknown,
    });
  });

  test("newer bytecode, no bytecode, nothing", () => {
    expect(codeOf(moduleBytes({ version: 7, producer: "MLIR99" }))).toMatchObject({
      code: "artifact-version-unsupported",
      message: expect.stringContaining("MLIR99") as unknown,
    });
    expect(codeOf(Uint8Array.of(1, 2, 3))).toMatchObject({ code: "artifact-not-mlir" });
    expect(codeOf(new Uint8Array())).toMatchObject({ code: "artifact-empty" });
    expect(isMlirBytecode(moduleBytes({}))).toBe(true);
  });

  test("StableHLO that is not in its portable form", () => {
    // Operation 0 becomes a registered stablehlo.constant with properties.
    const bytes = Buffer.from(
      moduleBytes({
        operations: [...varint(2), ...varint(0), 0x40, ...varint(0), ...varint(0)],
        extraSections: [[8, [...varint(1), ...varint(0)]]],
        names: ["stablehlo", "constant"],
      }),
    );
    expect(codeOf(new Uint8Array(bytes))).toMatchObject({
      code: "artifact-not-portable",
      message: expect.stringContaining("stablehlo.constant") as unknown,
    });
  });
});
