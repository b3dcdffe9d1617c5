// Small programs exported by JAX with its results (scripts/data/make_exports.py), each of which was
// wrong once: run as graphs for one backend and for all, and equation by equation.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import { importExported, type Program } from "../../src/import/program.js";
import type { DType } from "../../src/ir/dtypes.js";
import { hostArray, valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import type { Backend } from "../../src/ir/tf.js";
import { loadEager } from "../../src/run/eagerProgram.js";
import { loadConverted } from "../../src/run/graphProgram.js";
import type { LoadedProgram } from "../../src/run/loaded.js";
import { modelArtifacts } from "../../src/run/modelFiles.js";
import { describeOnBackend, nodeBackends } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import { repositoryRoot } from "../support/paths.js";

interface EncodedArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: string;
}

interface ExportedCase {
  readonly name: string;
  readonly artifact: string;
  readonly runs: readonly {
    readonly inputs: readonly EncodedArray[];
    readonly outputs: readonly EncodedArray[];
  }[];
  /** Inputs whose sizes do not fit the symbolic shapes. */
  readonly refused: readonly (readonly EncodedArray[])[];
}

const cases = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/exports.json.gz"))).toString("utf8"),
) as readonly ExportedCase[];

const programOf = ({ artifact }: ExportedCase): Program =>
  importExported(new Uint8Array(Buffer.from(artifact, "base64")));

const arrayOf = ({ dtype, shape, data }: EncodedArray): HostArray =>
  hostArray(dtype, shape, new Uint8Array(Buffer.from(data, "base64")));

async function expectResults(loaded: LoadedProgram, { runs }: ExportedCase): Promise<void> {
  for (const { inputs, outputs } of runs) {
    const results = await loaded.run(inputs.map(arrayOf));
    expect(results).toHaveLength(outputs.length);
    outputs.map(arrayOf).forEach((wanted, index) => {
      const found = results[index];
      expect(found?.shape).toEqual(wanted.shape);
      if (found === undefined) return;
      const label = `result ${index}`;
      expectAgrees(label, valuesOf(found), valuesOf(wanted), wanted.dtype, tolerance);
    });
  }
  loaded.dispose();
}

const tolerance = { rtol: 1e-4, atol: 1e-4 };
const allBackends: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];

for (const backend of nodeBackends) {
  describeOnBackend(backend, () => {
    test.each(cases)("$name", async (item) => {
      for (const backends of [[backend], allBackends]) {
        await expectResults(loadConverted(convert(programOf(item), { backends })), item);
      }
      await expectResults(loadEager(programOf(item), { backend }), item);
    });
  });
}

describeOnBackend("cpu", () => {
  test.each(cases.filter(({ refused }) => refused.length > 0))("$name refuses", async (item) => {
    const converted = convert(programOf(item), { backends: ["cpu"] });
    const model = await loadGraphModel(tf.io.fromMemory(modelArtifacts(converted)));
    const names = model.inputs.map(({ name }) => name);
    for (const inputs of item.refused) {
      const feeds = inputs.map((input, index) => [
        names[index] ?? "",
        tf.zeros([...input.shape], input.dtype as tf.DataType),
      ]);
      expect(() => model.execute(Object.fromEntries(feeds) as tf.NamedTensorMap)).toThrow();
    }
    model.dispose();
  });
});
