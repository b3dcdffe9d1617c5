// The public interface, used as a program would: import, bind, convert, run, save.
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  argumentNames,
  bindArgument,
  convert,
  fromNumbers,
  importExported,
  importModule,
  Jax2TfjsError,
  loadEager,
  loadGraph,
  modelArtifacts,
  openParameters,
  printJaxpr,
  readNpz,
  saveModel,
  toNumbers,
  useBackend,
  type BoundParameter,
  type HostArray,
  type LoadedProgram,
  type Program,
} from "../src/index.js";
import { readExported } from "../src/import/exported.js";
import { bundleForBrowser } from "./support/chromium.js";
import { withTemporaryFolder } from "./support/cli.js";
import { oracleRoot, readOracle } from "./support/oracle.js";

const folder = "public/models/mlp";
const artifact = (): Uint8Array => readOracle(`${folder}/model.jaxexport`);

/** The mlp with its parameters, which are read at once. */
async function boundProgram(): Promise<{
  readonly program: Program;
  readonly parameters: readonly BoundParameter[];
}> {
  const program = importExported(artifact());
  const file = await openParameters(join(oracleRoot(), folder, "params.safetensors"));
  try {
    const parameters = bindArgument(program, file).map((parameter) => {
      const bytes = parameter.read();
      return { ...parameter, read: () => bytes };
    });
    return { program, parameters };
  } finally {
    file.close();
  }
}

function recorded(name: string): HostArray {
  const array = readNpz(readOracle(`${folder}/ref.npz`)).get(name);
  if (array === undefined) throw new Error(`there is no ${name}`);
  return array;
}

/** Runs both recorded batch sizes and compares with JAX's results. */
async function expectRecorded(loaded: LoadedProgram): Promise<void> {
  for (const batch of ["b1", "b5"]) {
    const [output] = await loaded.run([recorded(`${batch}_in_0`)]);
    const expected = recorded(`${batch}_out_0`);
    expect(output?.shape).toEqual(expected.shape);
    const values = output === undefined ? [] : toNumbers(output);
    toNumbers(expected).forEach((value, index) => {
      expect(values[index]).toBeCloseTo(value, 5);
    });
  }
}

beforeAll(() => useBackend("cpu"));

test("a program tells its arguments and prints its jaxpr", () => {
  const program = importExported(artifact());
  expect(program.name).toBe("apply");
  expect(argumentNames(program)).toEqual(["0", "1"]);
  expect(program.dimensionVariables).toEqual(["b"]);
  expect(printJaxpr(program.jaxpr)).toMatch(/dot_general\[\s*dimension_numbers=/);
});

test("a converted model runs at any batch size and frees its tensors", async () => {
  const { program, parameters } = await boundProgram();
  const before = tf.memory().numTensors;
  const loaded = await loadGraph(convert(program, { parameters }));
  expect(loaded.inputs.map(({ path, dtype, shape }) => [path, dtype, shape])).toEqual([
    ["args[1]", "float32", ["b", 32]],
  ]);
  await expectRecorded(loaded);
  const afterRuns = tf.memory().numTensors;
  await expectRecorded(loaded);
  expect(tf.memory().numTensors).toBe(afterRuns);
  loaded.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test("eager mode shows every equation and frees its tensors", async () => {
  const { program, parameters } = await boundProgram();
  const names: string[] = [];
  const loaded = await loadEager(program, {
    backend: "cpu",
    parameters,
    onEquation: ({ equation, outputs }) => {
      names.push(equation.primitive.name);
      expect(outputs).toHaveLength(equation.outputs.length);
    },
  });
  await expectRecorded(loaded);
  expect(names.filter((name) => name === "dot_general")).toHaveLength(6);
  const afterRuns = tf.memory().numTensors;
  await expectRecorded(loaded);
  expect(tf.memory().numTensors).toBe(afterRuns);
  loaded.dispose();
});

describe("calls that do not fit are refused in JAX's words", () => {
  const float = (shape: readonly number[]): HostArray =>
    fromNumbers("float32", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

  test.each(["graph", "eager"])("%s", async (mode) => {
    const { program, parameters } = await boundProgram();
    const loaded =
      mode === "graph"
        ? await loadGraph(convert(program, { parameters }))
        : await loadEager(program, { backend: "cpu", parameters });
    const messages: string[] = [];
    const integers = fromNumbers("int32", [1, 32], new Int32Array(32));
    for (const inputs of [[], [float([32])], [integers], [float([1, 31])], [float([0, 32])]]) {
      await loaded.run(inputs).catch((error: unknown) => {
        if (!(error instanceof Jax2TfjsError)) throw error;
        messages.push(`${error.code}: ${error.message}`);
      });
    }
    expect(messages.slice(0, 4)).toEqual([
      "shape-mismatch: Expected 1 arguments and called with 0.",
      "shape-mismatch: Rank mismatch for args[1]: expected (b, 32) and called with (32,)",
      "dtype-mismatch: Dtype mismatch for args[1]: expected float32 and called with int32",
      "shape-mismatch: Shape mismatch for args[1].shape[1] (expected same constant): expected " +
        "(b, 32) and called with (1, 31)",
    ]);
    expect(messages[4]).toContain("Expected value >= 1 for dimension variable 'b'");
    loaded.dispose();
  });
});

test("tfjs loads a model from memory and from its folder", () =>
  withTemporaryFolder(async (temporary) => {
    const { program, parameters } = await boundProgram();
    const model = convert(program, { parameters });
    const input = tf.ones([2, 32]);
    const artifacts = modelArtifacts(model) as tf.io.ModelArtifacts;
    const fromMemory = await loadGraphModel(tf.io.fromMemory(artifacts));
    const saved = await saveModel(model, join(temporary, "model"));
    expect(saved.files).toEqual(["model.json", "group1-shard1of1.bin"]);
    const fromDisk = await loadGraphModel({
      load: () => {
        const read = (name: string): Buffer => readFileSync(join(saved.directory, name));
        const json = JSON.parse(read("model.json").toString("utf8")) as tf.io.ModelJSON;
        return tf.io.getModelArtifactsForJSON(json, (manifest) => {
          const bytes = new Uint8Array(read("group1-shard1of1.bin"));
          return Promise.resolve([manifest.flatMap(({ weights }) => weights), bytes.buffer]);
        });
      },
    });
    const [a, b] = [fromMemory.predict(input), fromDisk.predict(input)] as tf.Tensor[];
    expect(a?.shape).toEqual([2, 10]);
    expect(Array.from(a?.dataSync() ?? [])).toEqual(Array.from(b?.dataSync() ?? [1]));
    await expect(saveModel(model, saved.directory)).rejects.toMatchObject({
      code: "output-exists",
    });
  }));

test("a bare StableHLO module is a program of its own", async () => {
  const program = importModule(readExported(artifact()).mlirModuleSerialized);
  expect(program.source.format).toBe("stablehlo");
  expect(program.inputs).toHaveLength(7);
  const loaded = await loadGraph(convert(program));
  expect(loaded.outputs).toHaveLength(1);
  loaded.dispose();
});

test("bundlers for browsers follow nothing of Node", async () => {
  const page = `import { convert, importExported } from ${JSON.stringify(
    join(import.meta.dirname, "../src/index.ts"),
  )}; console.log(convert, importExported);`;
  const bundle = await bundleForBrowser(page);
  expect(bundle).not.toContain("node:fs");
});
