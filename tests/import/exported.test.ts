// Export artifacts of all JAX versions in the corpus, and artifacts made by hand.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { artifactKind, readExported } from "../../src/import/exported.js";
import { readMlirModule } from "../../src/import/mlir/reader.js";
import { keyPaths, keyPathText, leafCount } from "../../src/import/pytreeDef.js";
import { listOracle, readOracle, readOracleText } from "../support/oracle.js";
import { repositoryRoot } from "../support/paths.js";
import { artifactBytes } from "./exportedBytes.js";
import { moduleBytes } from "./mlirBytes.js";

const readData = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(repositoryRoot, "tests/data/mlir", name)));

interface ModelMeta {
  readonly args: readonly { dtype: string; shape: (number | string)[]; path?: string | null }[];
  readonly outputs: readonly { dtype: string; shape: (number | string)[] }[];
  readonly kept_inputs: readonly number[];
  readonly calling_convention_version: number;
  readonly platforms?: readonly string[];
}

const modelFolders = [
  "public/models",
  "wild",
  ...listOracle("versions").map((v) => `versions/${v}`),
];

describe.each(modelFolders)("%s", (folder) => {
  test.each(listOracle(folder))("%s", (name) => {
    const bytes = readOracle(join(folder, name, "model.jaxexport"));
    const meta = JSON.parse(readOracleText(join(folder, name, "meta.json"))) as ModelMeta;
    const exported = readExported(bytes);
    expect(artifactKind(bytes)).toBe("exported");
    const shapesAndTypes = (
      avals: readonly { dtype: string; shape: readonly unknown[] }[],
    ): string =>
      JSON.stringify(
        avals.map(({ dtype, shape }) => [dtype.startsWith("key") ? "" : dtype, shape]),
      );
    const logical = meta.args.map((arg) => ({
      ...arg,
      ...("logical_dtype" in arg ? { dtype: "key", shape: [] } : {}),
    }));
    expect(exported.inAvals.length).toBe(meta.args.length);
    expect(shapesAndTypes(exported.outAvals)).toBe(shapesAndTypes(meta.outputs));
    if (!exported.inAvals.some(({ dtype }) => dtype.startsWith("key"))) {
      expect(shapesAndTypes(exported.inAvals)).toBe(shapesAndTypes(logical));
    }
    expect(exported.moduleKeptVarIdx).toEqual(meta.kept_inputs);
    expect(exported.callingConventionVersion).toBe(meta.calling_convention_version);
    expect(exported.platforms).toEqual(meta.platforms ?? ["cpu"]);
    expect(exported.nrDevices).toBe(1);
    expect(leafCount(exported.inTree)).toBe(exported.inAvals.length);
    const paths = keyPaths(exported.inTree).map(keyPathText);
    meta.args.forEach(({ path }, i) => {
      // Classes keep their field names to themselves unless they store plain names.
      if (typeof path !== "string" || /\.[a-z]/.test(path.replace(/\['[^']*'\]/g, ""))) return;
      if (!paths[i]?.includes("flat index")) expect(paths[i]).toContain(path);
    });
    expect(exported.mlirModuleSerialized.buffer).toBe(bytes.buffer);
  });
});

test("the vjp is an artifact of its own", () => {
  const exported = readExported(readOracle("wild/vjp_serialized/model.jaxexport"));
  const { vjp } = exported;
  expect(vjp).not.toBeNull();
  if (vjp === null) return;
  // Arguments and cotangents go in, cotangents of the arguments come out.
  expect(vjp.inAvals.length).toBe(exported.inAvals.length + exported.outAvals.length);
  expect(vjp.outAvals.length).toBe(exported.inAvals.length);
  expect(exported.vjp).toBe(vjp);
  expect(vjp.vjp).toBeNull();
  expect(readMlirModule(vjp.mlirModuleSerialized).operation.name).toBe("builtin.module");
});

test("containers, symbolic shapes, element types, checks and platforms", () => {
  const exported = readExported(readData("trees.jaxexport"));
  expect(keyPaths(exported.inTree).map(keyPathText)).toEqual([
    "[0][0]['key']",
    "[0][0]['layer'][<flat index 0>]",
    "[0][0]['layer'][<flat index 1>]",
    "[0][0]['od']['q']",
    "[0][1].x",
    "[0][1].y",
    "[1]['scale']",
  ]);
  expect(keyPaths(exported.outTree).map(keyPathText)).toEqual([
    "['a'][0]",
    "['a'][2][0]",
    "['b']['z']",
    "['b']['a']",
    "['p'].x",
    "['p'].y",
  ]);
  expect(exported.inAvals.map(({ dtype, shape }) => [dtype, shape])).toEqual([
    ["key<fry>", []],
    ["float32", ["b", 3]],
    ["bfloat16", ["n"]],
    ["bool", []],
    ["uint16", ["2*b + 1"]],
    ["complex64", []],
    ["float8_e4m3fn", []],
  ]);
  expect([...exported.disabledSafetyChecks].sort()).toEqual(["custom_call:my_call", "platform"]);
  expect(exported.platforms).toEqual(["cpu", "cuda"]);
  expect(exported.functionName).toBe("f");
  expect(exported.usesGlobalConstants).toBe(true);
  const layer = exported.inTree.kind === "tuple" ? exported.inTree.children[0] : undefined;
  const first = layer?.kind === "tuple" ? layer.children[0] : undefined;
  const custom = first?.kind === "dict" ? first.children[first.keys.indexOf("layer")] : undefined;
  // A pickle: kept as bytes, not looked into.
  expect(custom).toMatchObject({ kind: "custom", name: "demo.Layer", fields: null });
  expect(custom?.kind === "custom" && custom.auxData[0]).toBe(0x80);
});

test("named shardings", () => {
  const exported = readExported(readData("sharded.jaxexport"));
  expect(exported.nrDevices).toBe(4);
  const axes = [
    { name: "x", size: 2 },
    { name: "y", size: 2 },
  ];
  expect(exported.inShardings).toEqual([
    { kind: "named", axes, spec: [["x"], []], memoryKind: "device" },
    { kind: "named", axes, spec: [[], ["x", "y"]], memoryKind: "device" },
  ]);
});

describe("made by hand", () => {
  const codeOf = (bytes: Uint8Array): unknown => {
    try {
      readExported(bytes);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test.each([2, 3, 4, 5, 6, 8, 9, 10, 11, 12])("serialization version %d", (version) => {
    const exported = readExported(artifactBytes({ serializationVersion: version }));
    expect(exported.serializationVersion).toBe(version);
    expect(exported.inTree).toEqual({ kind: "leaf" });
    expect(exported.jaxVersion).toBeNull();
  });

  test("older fields: few devices, shardings as protocol buffers", () => {
    const parts = {
      serializationVersion: 2,
      callingConventionVersion: 9,
      nrDevicesShort: 2,
      hloShardings: [Uint8Array.of(8, 1), null],
      effects: ["<class 'jax._src.debugging.OrderedDebugEffect'>"],
      checks: [[0], [1, "foo"], [2]] as const,
    };
    const exported = readExported(artifactBytes(parts));
    expect(exported.nrDevices).toBe(2);
    expect(exported.inShardings).toEqual([
      { kind: "hlo", proto: Uint8Array.of(8, 1) },
      { kind: "unspecified" },
    ]);
    expect(exported.orderedEffects).toEqual(parts.effects);
    expect(exported.disabledSafetyChecks).toEqual([
      "platform",
      "custom_call:foo",
      "shape_assertions",
    ]);
  });

  test("newer fields: types listed once, the JAX version", () => {
    const uniqueAvals = [{ shape: ["b"], dtype: 3 }];
    const bytes = artifactBytes({
      uniqueAvals,
      inAvalsIdxs: [0],
      jaxVersion: "0.12.0",
      nrDevices: 1,
    });
    const exported = readExported(bytes);
    expect(exported.inAvals).toEqual([
      { shape: ["b"], dtype: "int32", memorySpace: "unspecified" },
    ]);
    expect(exported.jaxVersion).toBe("0.12.0");
  });

  test("versions that are not known", () => {
    const unsupported = { code: "artifact-version-unsupported" };
    expect(codeOf(artifactBytes({ serializationVersion: 99 }))).toMatchObject(unsupported);
    expect(codeOf(artifactBytes({ serializationVersion: 1 }))).toMatchObject(unsupported);
    expect(codeOf(artifactBytes({ callingConventionVersion: 11 }))).toMatchObject(unsupported);
    expect(codeOf(artifactBytes({ callingConventionVersion: 8 }))).toMatchObject(unsupported);
    const newDtype = artifactBytes({ inAvals: [{ shape: [], dtype: 30 }] });
    expect(codeOf(newDtype)).toMatchObject(unsupported);
  });

  const corrupt = { code: "artifact-corrupt" };
  test.each([
    ["no argument tree", { inTree: null }],
    ["a tree with too many leaves", { inTree: { kind: 2, children: [{ kind: 0 }, { kind: 0 }] } }],
    ["a tree node of unknown kind", { inTree: { kind: 9 } }],
    ["a dictionary with too few keys", { inTree: { kind: 4, children: [{ kind: 0 }] } }],
    ["an argument kept that is not there", { keptVarIdx: [1] }],
    ["a type that is not there", { uniqueAvals: [], inAvalsIdxs: [7] }],
    ["an empty module", { module: new Uint8Array() }],
    ["a dimension without size", { inAvals: [{ shape: [""], dtype: 10 }] }],
  ])("%s", (_what, parts) => {
    expect(codeOf(artifactBytes(parts))).toMatchObject(corrupt);
  });

  test("a broken vjp is an error only where it is asked for", () => {
    const exported = readExported(artifactBytes({ vjp: { inTree: { kind: 9 } } }));
    expect(() => exported.vjp).toThrow("unknown kind 9");
    expect(readExported(artifactBytes({ vjp: {} })).vjp?.functionName).toBe("f");
  });

  test("fields named in JSON that are not plain names are left alone", () => {
    const auxData = new TextEncoder().encode('[1, {"a": 2}]');
    const children = [{ kind: 0 }];
    const exported = readExported(
      artifactBytes({ inTree: { kind: 5, customName: "x", auxData, children } }),
    );
    expect(exported.inTree).toMatchObject({ kind: "custom", name: "x", fields: null });
  });
});

test("other files are told apart", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  expect(artifactKind(new Uint8Array())).toBe("empty");
  expect(artifactKind(moduleBytes({}))).toBe("mlir-bytecode");
  expect(artifactKind(text("module @jit_f {"))).toBe("mlir-text");
  expect(artifactKind(text("PK\x03\x04 and so on"))).toBe("zip");
  expect(artifactKind(Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59))).toBe("npy");
  expect(artifactKind(Uint8Array.of(0x80, 4, 0x95, 0x10, 0, 0, 0, 0, 0, 0, 0))).toBe("pickle");
  expect(artifactKind(text("hello"))).toBe("unknown");
  for (const other of [moduleBytes({}), text("module @jit_f {"), text("hello")]) {
    expect(() => readExported(other)).toThrow("not the result of jax.export");
  }
  expect(() => readExported(new Uint8Array())).toThrow("empty (0 bytes)");
});

test("paths are written as jax.tree_util.keystr writes them", () => {
  const key = (name: string): string => keyPathText([{ kind: "key", key: name }]);
  expect(key("a b")).toBe("['a b']");
  expect(key("it's")).toBe(`["it's"]`);
  expect(key("\\\n")).toBe("['\\\\\\n']");
});
