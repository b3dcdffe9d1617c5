// Damaged and hostile artifacts: whatever the bytes, the readers answer quickly with a Jax2TfjsError
// (or a module, where the damage does not matter), and never hang or run out of memory or stack.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readExported } from "../../src/import/exported.js";
import { printMlirModule } from "../../src/import/mlir/print.js";
import { isMlirBytecode, readMlirModule } from "../../src/import/mlir/reader.js";
import { keyPaths } from "../../src/import/pytreeDef.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { readOracle } from "../support/oracle.js";
import { artifactBytes, type TreeNode } from "./exportedBytes.js";
import { moduleBytes, type ModuleParts, nestedRegions, varint } from "./mlirBytes.js";

const samples = [
  "public/primitives/conv_general_dilated/000.jaxexport",
  "public/models/gpt_mini_generate/model.jaxexport",
  "versions/0.4.38/bert_mini/model.jaxexport",
  "wild/sharded_mlp/model.jaxexport",
];

/** Longest time for one attempt in ms, on a busy machine: damaged files are small. */
const patience = 10_000;

/** Reads everything there is; returns the error's code, or "ok". Other errors are not caught. */
function readAll(bytes: Uint8Array): string {
  const start = performance.now();
  try {
    const exported = readExported(bytes);
    keyPaths(exported.inTree);
    keyPaths(exported.outTree);
    const modules = [exported, exported.vjp].flatMap((program) =>
      program === null ? [] : [program.mlirModuleSerialized],
    );
    for (const module of modules) printMlirModule(readMlirModule(module));
    return "ok";
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  } finally {
    expect(performance.now() - start).toBeLessThan(patience);
  }
}

function readModule(bytes: Uint8Array): string {
  const start = performance.now();
  try {
    printMlirModule(readMlirModule(bytes));
    return "ok";
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  } finally {
    expect(performance.now() - start).toBeLessThan(patience);
  }
}

describe.each(samples)("%s", (path) => {
  const bytes = readOracle(path);
  const module = readExported(bytes).mlirModuleSerialized;

  test("cut off at any point", () => {
    for (let percent = 0; percent < 100; percent++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * percent) / 100));
      const expected = percent === 0 ? "artifact-empty" : "artifact-truncated";
      expect(readAll(cut), `${percent} %`).toBe(expected);
      const cutModule = module.subarray(0, Math.floor((module.length * percent) / 100));
      const code = percent === 0 ? "artifact-empty" : "artifact-truncated";
      expect(readModule(cutModule), `${percent} % of the module`).toBe(code);
    }
  });

  test("bytes changed anywhere", () => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), (changes) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        readAll(damaged);
      }),
      { numRuns: 300 },
    );
  });

  test("each of the first bytes changed to the extremes", () => {
    for (let at = 0; at < Math.min(bytes.length, 200); at++) {
      for (const value of [0, 0x80, 0xff]) {
        const damaged = bytes.slice();
        damaged[at] = value;
        readAll(damaged);
      }
    }
  });

  test("each byte of the module's tables set to 0 (a 64-bit number follows) or to 255", () => {
    const step = Math.max(1, Math.floor(module.length / 150));
    for (let at = 4; at < module.length; at += step) {
      for (const value of [0, 0xff]) {
        const damaged = module.slice();
        damaged[at] = value;
        readModule(damaged);
      }
    }
  });
});

test("random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(readAll(bytes)).not.toBe("ok");
      const withMagic = Uint8Array.from([0x4d, 0x4c, 0xef, 0x52, 0x0d, 0, ...bytes]);
      expect(isMlirBytecode(withMagic)).toBe(true);
      expect(readModule(withMagic)).not.toBe("ok");
    }),
    { numRuns: 500 },
  );
});

describe("attributes", () => {
  /** Attribute 1 is a dictionary `module = attribute 3`; attribute 2 is its key. */
  const holder = [
    [...varint(1), ...varint(1), ...varint(2), ...varint(3)],
    [...varint(2), ...varint(1)],
  ];
  const unit = varint(7);
  const withAttributes = (...others: number[][]): Uint8Array =>
    moduleBytes({ attributes: [...holder, ...others] });
  const array = (...indices: number[]): number[] => [
    ...varint(0),
    ...varint(indices.length),
    ...indices.flatMap(varint),
  ];
  /** Attribute 3 and on: each an array of the next one, `copies` times; the last is a unit. */
  const chain = (length: number, copies: number): Uint8Array =>
    withAttributes(
      ...Array.from({ length }, (_, i) =>
        i === length - 1 ? unit : array(...Array.from({ length: copies }, () => i + 4)),
      ),
    );

  test("that are sound", () => {
    expect(readModule(withAttributes(array(4), unit))).toBe("ok");
    expect(readModule(chain(200, 1))).toBe("ok");
    expect(readModule(chain(8, 2))).toBe("ok");
  });

  test("that contain themselves", () => {
    expect(readModule(withAttributes(array(3)))).toBe("artifact-corrupt");
    expect(readModule(withAttributes(array(4), array(5), array(3)))).toBe("artifact-corrupt");
  });

  test("that nest deeply, or multiply when printed", () => {
    expect(readModule(chain(20_000, 1))).toBe("artifact-corrupt");
    expect(readModule(chain(100, 2))).toBe("artifact-corrupt");
  });

  test("of impossible sizes", () => {
    const huge = varint(2n ** 63n);
    const code = (...encoding: number[]): string => readModule(withAttributes(encoding));
    expect(code(...varint(0), ...huge)).toBe("artifact-corrupt");
    expect(code(...varint(0), ...varint(1000), 3)).toBe("artifact-corrupt");
    expect(code(...varint(2), ...varint(77))).toBe("artifact-corrupt");
    expect(code(...varint(0), ...varint(1), ...varint(99))).toBe("artifact-corrupt");
    // Dense elements of type 0, `tensor<1048576 x 1048576 x 1048576 x i1>`, in no bytes.
    const million = varint(2n * 1048576n);
    const types = [
      [...varint(0), ...varint(1 << 2)],
      [...varint(13), ...varint(3), ...million, ...million, ...million, ...varint(0)],
    ];
    const dense = [...varint(18), ...varint(1), ...varint(0)];
    const parts: ModuleParts = { attributes: [...holder, dense], types };
    expect(readModule(moduleBytes(parts))).toBe("artifact-corrupt");
  });

  test("an attribute of an unknown kind is kept", () => {
    expect(readModule(withAttributes([...varint(60), 1, 2, 3]))).toBe("ok");
  });

  test("locations that nest deeply are cut", () => {
    // Each a call site: called from the next one.
    const chainOfCalls = Array.from({ length: 5000 }, (_, i) =>
      i === 4999 ? varint(15) : [...varint(10), ...varint(0), ...varint(i + 2)],
    );
    const operations = [...varint(2), ...varint(0), 0x00, ...varint(1)];
    expect(readModule(moduleBytes({ attributes: chainOfCalls, operations }))).toBe("ok");
  });
});

describe("operations", () => {
  const code = (operations: number[], parts: ModuleParts = {}): string =>
    readModule(moduleBytes({ ...parts, operations }));
  const one = varint(2);

  test("regions that nest", () => {
    expect(code(nestedRegions(100))).toBe("ok");
    expect(code(nestedRegions(1000))).toBe("artifact-corrupt");
  });

  test("what refers to nothing", () => {
    expect(code([...one, ...varint(9), 0, 0])).toBe("artifact-corrupt");
    expect(code([...one, ...varint(0), 0, ...varint(9)])).toBe("artifact-corrupt");
    expect(code([...one, ...varint(0), 0x04, ...varint(0), ...varint(1), ...varint(5)])).toBe(
      "artifact-corrupt",
    );
    expect(code([...one, ...varint(0), 0x08, ...varint(0), ...varint(1), ...varint(5)])).toBe(
      "artifact-corrupt",
    );
    expect(code([...one, ...varint(0), 0x40, ...varint(0), ...varint(3)])).toBe("artifact-corrupt");
  });

  test("counts that the file cannot hold", () => {
    const huge = varint(2n ** 52n);
    for (const mask of [0x02, 0x04, 0x08, 0x10]) {
      expect(code([...one, ...varint(0), mask, ...varint(0), ...huge])).toBe("artifact-corrupt");
    }
    expect(code([...varint(2n ** 40n)])).toBe("artifact-corrupt");
    expect(code([...varint(0)])).toBe("artifact-corrupt");
  });

  test("a value that is used but never defined", () => {
    // A region of one value, in it an operation that uses value 0.
    const use = [...varint(0), 0x04, ...varint(0), ...varint(1), ...varint(0)];
    const region = [...varint(1), ...varint(1), ...varint(2), ...use];
    expect(code([...one, ...varint(0), 0x10, ...varint(0), ...varint(2), ...region])).toBe(
      "artifact-corrupt",
    );
  });

  test("sections that are missing, doubled or unknown", () => {
    expect(readModule(moduleBytes({ extraSections: [[0, [1]]] }))).toBe("artifact-corrupt");
    expect(readModule(moduleBytes({ extraSections: [[30, [1]]] }))).toBe("artifact-corrupt");
    expect(readModule(moduleBytes({ extraSections: [[5, [1]]] }))).toBe("artifact-truncated");
    expect(readModule(moduleBytes({ offsets: [] }))).toBe("artifact-truncated");
    expect(readModule(moduleBytes({ offsets: [...varint(99), ...varint(0)] }))).toBe(
      "artifact-corrupt",
    );
  });
});

describe("trees", () => {
  const nest = (depth: number): TreeNode => {
    let node: TreeNode = { kind: 0 };
    for (let i = 0; i < depth; i++) node = { kind: 2, children: [node] };
    return node;
  };

  test("that nest deeply", () => {
    expect(readExported(artifactBytes({ inTree: nest(100) })).inTree.kind).toBe("tuple");
    expect(readAll(artifactBytes({ inTree: nest(2000) }))).toBe("artifact-corrupt");
  });

  test("whose nodes share their children without end", () => {
    // Two children, of which the second is made the first: the same table, again and again.
    let node: TreeNode = { kind: 0 };
    for (let i = 0; i < 60; i++) node = { kind: 2, children: [node, { kind: 1 }] };
    const bytes = artifactBytes({ inTree: node }).slice();
    const view = new DataView(bytes.buffer);
    let shared = 0;
    for (let at = 0; at + 12 <= bytes.length; at += 4) {
      if (view.getUint32(at, true) !== 2) continue;
      const [first, second] = [at + 4, at + 8];
      const target = first + view.getUint32(first, true);
      if (target <= second || target >= bytes.length) continue;
      view.setUint32(second, target - second, true);
      shared++;
    }
    expect(shared).toBeGreaterThan(50);
    expect(readAll(bytes)).toBe("artifact-corrupt");
  });
});
