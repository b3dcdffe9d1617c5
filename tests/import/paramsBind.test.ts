// Binding parameter files to the leaves of a program: every tree with every file that holds it,
// what is forgiven, and the one error for what is not.
import { describe, expect, it } from "vitest";
import { bindParameters, type BoundParameter } from "../../src/import/params/bind.js";
import type { ExpectedLeaf, PathEntry } from "../../src/import/params/expected.js";
import { parseKeyPath } from "../../src/import/params/keyPath.js";
import { ParameterMismatchError } from "../../src/import/params/mismatch.js";
import { distinctNames } from "../../src/import/params/names.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import { writeSafetensors } from "../../src/import/params/safetensors.js";
import { writeNpz } from "../../src/files/npz.js";
import type { DType } from "../../src/ir/dtypes.js";
import { fromNumbers, hostArray, toNumbers, valuesOf } from "../../src/ir/hostArray.js";
import { type RecordedTree, readParamsFile, recordedTrees } from "../support/params.js";

const entriesOf = (text: string): readonly PathEntry[] => parseKeyPath(text)?.entries ?? ["?"];

const expectedOf = (tree: RecordedTree): readonly ExpectedLeaf[] =>
  tree.leaves.map(({ path, dtype, shape }, position) => ({
    path: entriesOf(path),
    dtype,
    shape,
    position,
  }));

/** The number that all elements of each parameter have, as the generating script wrote them. */
const numbersOf = (parameters: readonly BoundParameter[]): readonly number[] =>
  parameters.map((parameter) => {
    const array = hostArray(parameter.dtype, parameter.shape, parameter.read());
    const numbers = new Set(toNumbers(array));
    expect(numbers.size).toBe(1);
    return [...numbers][0] ?? NaN;
  });

/** An expected leaf from its path, dtype and shape. */
function leaf(
  path: string | readonly PathEntry[],
  shape: readonly (number | string)[] = [],
  dtype: DType = "float32",
): ExpectedLeaf {
  return { path: typeof path === "string" ? path.split("/") : path, dtype, shape, position: 0 };
}

/** A safetensors file with leaves of these names, the i-th filled with i. */
function fileOf(
  names: Readonly<Record<string, readonly number[]>>,
): ReturnType<typeof readParameters> {
  return readParameters(
    writeSafetensors(
      Object.entries(names).map(([name, shape], index) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return [name, fromNumbers("float32", shape, new Float32Array(count).fill(index))];
      }),
    ),
  );
}

function mismatchOf(action: () => unknown): ParameterMismatchError {
  try {
    action();
  } catch (error) {
    if (error instanceof ParameterMismatchError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("trees as the libraries save them", () => {
  const cases = recordedTrees.flatMap(([name, tree]) =>
    tree.files.map((file) => [name, file, tree] as const),
  );

  it.each(cases)("%s from %s", (_, file, tree) => {
    const parameters = bindParameters(expectedOf(tree), readParameters(readParamsFile(file)));
    expect(numbersOf(parameters)).toEqual(tree.leaves.map((_leaf, index) => index));
    expect(parameters.map(({ position }) => position)).toEqual([...tree.leaves.keys()]);
    for (const parameter of parameters) {
      const pieces = Array.from(parameter.pieces(), (piece) => piece.byteLength);
      expect(pieces.reduce((sum, bytes) => sum + bytes, 0)).toBe(parameter.byteLength);
    }
  });

  it("names parameters by the program's paths", () => {
    const tree = recordedTrees.find(([name]) => name === "collision")?.[1];
    if (tree === undefined) throw new Error("no tree");
    const file = readParameters(readParamsFile("collision.safetensors"));
    const parameters = bindParameters(expectedOf(tree), file);
    expect(parameters.map(({ name }) => name)).toEqual([
      "enc//b",
      "enc/dense/w",
      "enc.dense.w",
      "enc/dense/w#1",
      'β~\'["0"]',
    ]);
    expect(parameters[3]?.fileName).toBe("enc/dense/w#1");
  });

  it("binds a program without parameters to an empty file", () => {
    expect(bindParameters([], fileOf({}))).toEqual([]);
  });
});

describe("names", () => {
  const bound = (
    expected: readonly ExpectedLeaf[],
    names: Readonly<Record<string, readonly number[]>>,
    prefix?: string,
  ): readonly string[] =>
    bindParameters(expected, fileOf(names), prefix === undefined ? {} : { prefix }).map(
      ({ fileName }) => fileName,
    );

  it("forgives a prefix on either side, of up to three entries", () => {
    expect(bound([leaf("a"), leaf("b")], { "x/y/z/a": [], "x/y/z/b": [] })).toEqual([
      "x/y/z/a",
      "x/y/z/b",
    ]);
    expect(bound([leaf("x/y/z/a"), leaf("x/y/z/b")], { b: [], a: [] })).toEqual(["a", "b"]);
    expect(() => bound([leaf("a")], { "w/x/y/z/a": [] })).toThrow(ParameterMismatchError);
    // Not one on each side: the names have nothing but their ends in common.
    expect(() => bound([leaf("x/a")], { "y/a": [] })).toThrow(ParameterMismatchError);
  });

  it("forgives a last entry `value`, but keeps leaves that are called so", () => {
    expect(bound([leaf("a/value"), leaf("b")], { "b/value": [], a: [] })).toEqual(["a", "b/value"]);
    expect(bound([leaf("a/value"), leaf("a/key")], { "a/key": [], "a/value": [] })).toEqual([
      "a/value",
      "a/key",
    ]);
    expect(bound([leaf("value")], { value: [] })).toEqual(["value"]);
  });

  it("reads dots as slashes only where that is unambiguous", () => {
    expect(bound([leaf("a/b"), leaf("c")], { "a.b": [], c: [] })).toEqual(["a.b", "c"]);
    expect(bound([leaf(["a.b"]), leaf("a/b")], { "a.b": [], "a/b": [] })).toEqual(["a.b", "a/b"]);
    expect(() => bound([leaf(["a.b"]), leaf("a/b")], { "a/b": [], "a.b.value": [] })).toThrow(
      ParameterMismatchError,
    );
  });

  it("takes a part of the file by prefix", () => {
    const names = { "params/a": [], "opt/a": [], "params/b/c": [] };
    expect(bound([leaf("a"), leaf("b/c")], names, "params")).toEqual(["a", "b/c"]);
    expect(bound([leaf("c")], names, "params/b/")).toEqual(["c"]);
    expect(() => bound([leaf("a")], names, "none")).toThrow(/1 missing/);
  });

  it("takes a part of a Flax file whose keys contain slashes", () => {
    const expected = [leaf(["mlp/~/linear_0", "b"], [3])];
    const file = readParameters(readParamsFile("haiku.msgpack"));
    const only = {
      format: file.format,
      leaves: file.leaves.filter(({ name }) => name.endsWith("linear_0/b")),
    };
    expect(bindParameters(expected, only, { prefix: "0" })[0]?.fileName).toBe("mlp/~/linear_0/b");
    const inner = [leaf(["~/linear_0", "b"], [3])];
    expect(bindParameters(inner, only, { prefix: "0/mlp" })[0]?.fileName).toBe("~/linear_0/b");
  });

  it("binds numbered arrays in flattened order, numerically", () => {
    const expected = Array.from({ length: 12 }, (_, index) =>
      leaf(`layer/${"abcdefghijkl"[index] ?? ""}`),
    );
    const positional = Object.fromEntries(expected.map((_, index) => [`arr_${11 - index}`, []]));
    expect(bound(expected, positional)).toEqual(expected.map((_, index) => `arr_${index}`));
  });

  it("does not take other numbers for positions", () => {
    expect(() => bound([leaf("a"), leaf("b")], { "1": [], "2": [] })).toThrow(
      ParameterMismatchError,
    );
    expect(() => bound([leaf("a"), leaf("b")], { "0": [], arr_1: [] })).toThrow(
      ParameterMismatchError,
    );
    expect(() => bound([leaf("a"), leaf("b")], { "0": [], "01": [] })).toThrow(
      ParameterMismatchError,
    );
  });

  it("says so when positions do not fit", () => {
    const more = mismatchOf(() => bound([leaf("a"), leaf("b")], { "0": [], "1": [], "2": [] }));
    expect(more.message).toContain("the file has no names and 3 arrays; the program takes 2");
    expect(more.problems).toMatchObject([{ kind: "surplus", name: "2" }]);
    const fewer = mismatchOf(() => bound([leaf("a"), leaf("b")], { "0": [] }));
    expect(fewer.problems).toMatchObject([{ kind: "missing", name: "b" }]);
    const other = mismatchOf(() => bound([leaf("a"), leaf("b", [2])], { "0": [2], "1": [] }));
    expect(other.message).toContain("taken in flattened order");
    expect(other.problems.map(({ kind }) => kind)).toEqual(["shape", "shape"]);
  });
});

describe("custom nodes without names", () => {
  const at = (index: number, typeName = "Custom"): PathEntry => ({ index, typeName });

  it("finds nnx states by the order of their sorted keys", () => {
    const state = (index: number): PathEntry => at(index, "flax.nnx.State");
    const value = at(0, "flax.nnx.Param");
    const expected = [
      leaf([state(0), "w", value], [2]),
      leaf([state(1), "w", value], [2]),
      leaf([state(2), "w", value], [2]),
    ];
    const names = { "Z/w/value": [2], "a/w/value": [2], "_/w/value": [2] };
    const files = bindParameters(expected, fileOf(names)).map(({ fileName }) => fileName);
    expect(files).toEqual(["Z/w/value", "_/w/value", "a/w/value"]);
    const numbered = Object.fromEntries([10, 9, 2].map((key) => [`params/${key}/w`, [2]]));
    const inOrder = bindParameters(expected, fileOf(numbered)).map(({ fileName }) => fileName);
    expect(inOrder).toEqual(["params/2/w", "params/9/w", "params/10/w"]);
  });

  it("finds children by shape, if only one arrangement fits", () => {
    const expected = [leaf(["m", at(0)], [2, 3]), leaf(["m", at(1)], [3])];
    const files = bindParameters(expected, fileOf({ "m/bias": [3], "m/weight": [2, 3] }));
    expect(files.map(({ fileName }) => fileName)).toEqual(["m/weight", "m/bias"]);
  });

  it("refuses to guess between children of equal shape", () => {
    const expected = [leaf(["m", at(0)], [3]), leaf(["m", at(1)], [3])];
    const error = mismatchOf(() =>
      bindParameters(expected, fileOf({ "m/bias": [3], "m/scale": [3] })),
    );
    expect(error.message).toContain("custom pytree nodes without names");
    // Numbers say which is which.
    const files = bindParameters(expected, fileOf({ "m/1": [3], "m/0": [3] }));
    expect(files.map(({ fileName }) => fileName)).toEqual(["m/0", "m/1"]);
  });

  it("refuses trees of other forms", () => {
    const expected = [leaf([at(0), "a"], [3]), leaf([at(0), "b"], [3])];
    const wrong = [
      { "m/a": [3], "m/c": [3] },
      { "m/a": [3], "n/b": [3] },
      { "m/a": [3], "m/b/x": [3] },
      { "m/a": [3], "m/b": [4] },
      { "m/a": [3], "m/a/b": [3] },
      { m: [3], n: [3] },
    ];
    for (const names of wrong) {
      expect(() => bindParameters(expected, fileOf(names))).toThrow(ParameterMismatchError);
    }
    expect(bindParameters(expected, fileOf({ "m/a": [3], "m/b/value": [3] })).length).toBe(2);
  });

  it("does not look for a needle in deep names", () => {
    const names = { ["a/".repeat(5000) + "a"]: [3] };
    expect(() => bindParameters([leaf([at(0)], [3])], fileOf(names))).toThrow(
      ParameterMismatchError,
    );
  });
});

describe("dtypes and shapes", () => {
  const npzOf = (array: ReturnType<typeof fromNumbers>): ReturnType<typeof readParameters> =>
    readParameters(writeNpz([["x", array]]));
  const read = (
    expected: ExpectedLeaf,
    array: ReturnType<typeof fromNumbers>,
  ): readonly unknown[] =>
    bindParameters([expected], npzOf(array)).flatMap((parameter) => [
      ...valuesOf(hostArray(parameter.dtype, parameter.shape, parameter.read())),
    ]);

  it("takes keys as their words", () => {
    const words = fromNumbers("uint32", [3, 2], [1, 2, 3, 4, 5, 6]);
    const [parameter] = bindParameters([leaf("x", [3], "key<fry>")], npzOf(words));
    expect(parameter).toMatchObject({ dtype: "key<fry>", shape: [3], byteLength: 24 });
    const wide = fromNumbers("uint32", [4], [1, 2, 3, 4]);
    expect(read(leaf("x", [], "key<rbg>"), wide)).toEqual([1, 2, 3, 4]);
    expect(mismatchOf(() => read(leaf("x", [], "key<fry>"), wide)).message).toContain(
      "has shape [4], not [2]",
    );
    const signed = fromNumbers("int32", [2], [1, 2]);
    expect(mismatchOf(() => read(leaf("x", [], "key<fry>"), signed)).problems[0]?.kind).toBe(
      "dtype",
    );
  });

  it("takes raw bits as the type that the program names", () => {
    const bits = fromNumbers("uint16", [2], [0x3f80, 0xc000]);
    expect(read(leaf("x", [2], "bfloat16"), bits)).toEqual([1, -2]);
    expect(
      read(leaf("x", [2], "float8_e4m3fn"), fromNumbers("float8_e4m3fn", [2], [1, -2])),
    ).toEqual([1, -2]);
    expect(read(leaf("x", [2], "float8_e4m3fn"), fromNumbers("uint8", [2], [0x38, 0]))).toEqual([
      1, 0,
    ]);
    expect(read(leaf("x", [2], "int4"), fromNumbers("int4", [2], [-8, 7]))).toEqual([-8, 7]);
    // float16 has a name in NumPy, and raw bytes are no uint8.
    expect(() => read(leaf("x", [2], "float16"), bits)).toThrow(ParameterMismatchError);
    expect(() => read(leaf("x", [1], "uint8"), fromNumbers("int4", [1], [1]))).toThrow(
      ParameterMismatchError,
    );
    // safetensors has a name for bfloat16, so integers there are integers.
    const tensors = readParameters(writeSafetensors([["x", bits]]));
    expect(() => bindParameters([leaf("x", [2], "bfloat16")], tensors)).toThrow(
      ParameterMismatchError,
    );
  });

  it("takes 64-bit arrays whose values are exact in 32 bits", () => {
    expect(read(leaf("x", [4]), fromNumbers("float64", [4], [0.5, NaN, -Infinity, -0]))).toEqual([
      0.5,
      NaN,
      -Infinity,
      -0,
    ]);
    expect(read(leaf("x", [1], "int32"), fromNumbers("int64", [1], [-7n]))).toEqual([-7]);
    expect(read(leaf("x", [1], "uint32"), fromNumbers("uint64", [1], [2n ** 32n - 1n]))).toEqual([
      2 ** 32 - 1,
    ]);
    expect(read(leaf("x", [1], "complex64"), fromNumbers("complex128", [1], [1, 2]))).toEqual([
      1, 2,
    ]);
  });

  it.each<[DType, DType, readonly number[]]>([
    ["float64", "float32", [0.1]],
    ["float64", "float32", [1e300]],
    ["int64", "int32", [2 ** 31]],
    ["uint64", "uint32", [2 ** 32]],
    ["complex128", "complex64", [1, 0.1]],
  ])("refuses %s for %s with values that do not fit", (stored, dtype, values) => {
    const error = mismatchOf(() => read(leaf("x", [1], dtype), fromNumbers(stored, [1], values)));
    expect(error.message).toContain(
      `is ${stored}, not ${dtype}, and has values that ${dtype} cannot hold`,
    );
    expect(error.details.fix).toContain(`save it as ${dtype}`);
  });

  it.each<[DType, DType]>([
    ["float16", "float32"],
    ["bfloat16", "float32"],
    ["float32", "bfloat16"],
    ["float32", "float64"],
    ["int32", "float32"],
    ["int64", "uint32"],
    ["int64", "float32"],
    ["uint8", "bool"],
  ])("refuses %s for %s", (stored, dtype) => {
    const error = mismatchOf(() => read(leaf("x", [1], dtype), fromNumbers(stored, [1], [1])));
    expect(error.problems).toMatchObject([{ kind: "dtype", name: "x" }]);
    expect(error.details.fix).toContain(`export the program with ${stored} parameters`);
  });

  it("rounds Python numbers as JAX does", () => {
    const python = readParameters(readParamsFile("dtypes.msgpack"));
    const pick = (name: string, dtype: DType): readonly unknown[] => {
      const file = { ...python, leaves: python.leaves.filter((found) => found.name === name) };
      return bindParameters([leaf(name, [], dtype)], file).flatMap((parameter) => [
        ...valuesOf(hostArray(dtype, [], parameter.read())),
      ]);
    };
    expect(pick("python/rate", "float32")).toEqual([Math.fround(0.1)]);
    expect(pick("python/rate", "bfloat16")).toEqual([0.10009765625]);
    expect(pick("python/step", "int32")).toEqual([7]);
    expect(pick("python/step", "float32")).toEqual([7]);
    expect(pick("python/flag", "bool")).toEqual([1]);
    expect(pick("python/complex", "complex64")).toEqual([1.5, -2]);
    expect(() => pick("python/big", "int32")).toThrow(/cannot hold/);
    expect(() => pick("python/rate", "int32")).toThrow(/is float64, not int32/);
    expect(() => pick("python/flag", "int32")).toThrow(/is bool, not int32/);
  });

  it("tells scalars from vectors of one", () => {
    const one = fromNumbers("float32", [1], [1]);
    expect(mismatchOf(() => read(leaf("x"), one)).message).toContain("has shape [1], not []");
    const scalar = fromNumbers("float32", [], [1]);
    expect(mismatchOf(() => read(leaf("x", [1]), scalar)).message).toContain(
      "has shape [], not [1]",
    );
  });

  it("lets symbolic sizes be any", () => {
    const array = fromNumbers("float32", [2, 1], [1, 2]);
    expect(bindParameters([leaf("x", ["b", 1])], npzOf(array))[0]?.shape).toEqual([2, 1]);
  });

  it("recognises a transposed matrix", () => {
    const array = fromNumbers("float32", [2, 1], [1, 2]);
    expect(mismatchOf(() => read(leaf("x", [1, 2]), array)).message).toContain("(transposed?)");
  });
});

describe("params-mismatch", () => {
  it("lists everything at once, with the names that were meant", () => {
    const expected = [
      leaf("params/Dense_0/kernel", [4, 3]),
      leaf("params/Dense_0/bias", [3]),
      leaf("params/Dense_1/kernel", [3, 2]),
      leaf("params/Dense_1/scale", [2], "int32"),
    ];
    const file = fileOf({
      "params/Dense_0/kernel": [4, 5],
      "params/dense_0/bias": [3],
      "params/Dense_1/scale": [2],
      "opt/count": [],
    });
    const error = mismatchOf(() => bindParameters(expected, file));
    expect(error.code).toBe("params-mismatch");
    expect(error.report()).toMatchInlineSnapshot(`
      "params-mismatch: the parameters do not fit the program: 2 missing, 2 surplus, 1 of another shape, 1 of another dtype
        shape   params/Dense_0/kernel has shape [4,5], not [4,3]
        missing params/Dense_0/bias float32[3] (the file has params/dense_0/bias)
        missing params/Dense_1/kernel float32[3,2]
        dtype   params/Dense_1/scale is float32, not int32
        surplus params/dense_0/bias float32[3]
        surplus opt/count float32[]
        fix   save it as int32, or export the program with float32 parameters; save the same tree that the program was exported with, or give the prefix of the part of the file that holds it"
    `);
    expect(error.problems.map(({ kind }) => kind)).toEqual([
      "shape",
      "missing",
      "missing",
      "dtype",
      "surplus",
      "surplus",
    ]);
  });

  it("ignores surplus leaves if asked to", () => {
    const file = fileOf({ step: [], "params/a": [], "stats/m": [], "opt/params/a": [] });
    const expected = [leaf("params/a"), leaf("stats/m")];
    const error = mismatchOf(() => bindParameters(expected, file));
    expect(error.details.fix).toContain("surplus leaves be ignored");
    const bound = bindParameters(expected, file, { surplus: "ignore" });
    expect(bound.map(({ fileName }) => fileName)).toEqual(["params/a", "stats/m"]);
    // Two parts would fit: which one is not guessed.
    const twice = fileOf({ "params/w": [], "average/w": [] });
    const action = (): unknown => bindParameters([leaf("w")], twice, { surplus: "ignore" });
    expect(mismatchOf(action).details.fix).toContain("prefix");
    const numbered = fileOf({ "0": [], "1": [] });
    const first = (): unknown => bindParameters([leaf("w")], numbered, { surplus: "ignore" });
    expect(mismatchOf(first).problems).toMatchObject([{ kind: "missing", name: "w" }]);
    const missing = mismatchOf(() => bindParameters([leaf("b")], file, { surplus: "ignore" }));
    expect(missing.problems.map(({ kind }) => kind)).toEqual(["missing"]);
  });

  it("finds the subtree that was meant in a training checkpoint", () => {
    const names = { "params/a": [], "params/b": [], "opt/mu/a": [], "opt/mu/b": [], step: [] };
    const error = mismatchOf(() => bindParameters([leaf("a"), leaf("b")], fileOf(names)));
    expect(error.problems).toMatchObject([
      { kind: "surplus", name: "opt/mu/a" },
      { kind: "surplus", name: "opt/mu/b" },
      { kind: "surplus", name: "step" },
    ]);
    expect(error.details.fix).toContain('below "params"');
  });

  it("stays short and fast for a file of another program", () => {
    const names = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [`x/${index}/y`, []]),
    );
    const expected = Array.from({ length: 3000 }, (_, index) => leaf(`p/${index}/q`));
    const error = mismatchOf(() => bindParameters(expected, fileOf(names)));
    expect(error.problems.length).toBe(6000);
    expect(error.message.split("\n").length).toBe(1002);
  });
});

describe("parseKeyPath", () => {
  it.each<[string, readonly PathEntry[]]>([
    ["", []],
    ["params['a'][0].value", ["a", "0", "value"]],
    ["[<flat index 3>]['x']", [{ index: 3 }, "x"]],
    [
      `["it's"]['"\\'']['\\\\ \\n \\x07 \\u200b \\U0001f600']`,
      ["it's", "\"'", "\\ \n \x07 \u200b \u{1f600}"],
    ],
    ["[-1][(1, 2)]", ["-1", "(1, 2)"]],
    ["args[0]['a]']['b[']", ["0", "a]", "b["]],
  ])("%s", (text, entries) => {
    expect(parseKeyPath(text)?.entries).toEqual(entries);
  });

  it.each(["['open]", "[0", "a]", "['a'", "..", "[]"])("refuses %s", (text) => {
    expect(parseKeyPath(text)).toBeUndefined();
  });

  it("gives the argument's name", () => {
    expect(parseKeyPath("params['a']")?.root).toBe("params");
  });
});

describe("distinctNames", () => {
  it("numbers repeats in order, passing over names that exist", () => {
    expect(distinctNames(["a", "a", "b", "a", "a#1"])).toEqual(["a", "a#2", "b", "a#3", "a#1"]);
  });
});
