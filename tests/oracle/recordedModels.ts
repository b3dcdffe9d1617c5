// The whole models of the oracle corpus: where they are, what their meta.json says, the recorded
// runs. Used by the tests of models in Node and in the browser.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readNpz } from "../../src/files/npz.js";
import { isDType, type DType } from "../../src/ir/dtypes.js";
import { hostArray, type HostArray } from "../../src/ir/hostArray.js";
import { listOracle, oracleRoot, readOracle, readOracleText } from "../support/oracle.js";

/** An array of `ref.npz`; `dtype` is the true element type of the bytes under `key`. */
interface ArrayDescription {
  readonly key: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The fields of meta.json that tests read; scripts/oracle/README.md describes all. */
export interface ModelMeta {
  readonly jax: string;
  readonly poly: readonly string[] | null;
  readonly args: readonly { readonly kind: "param" | "input" }[];
  readonly rtol: number;
  readonly atol: number;
  readonly ref: readonly {
    readonly batch: number;
    readonly inputs: readonly ArrayDescription[];
    readonly outputs: readonly ArrayDescription[];
  }[];
}

export interface RecordedModel {
  /** The folder in the corpus: `public/models/mlp`, `versions/0.6.2/mlp`, `wild/haiku_lstm`. */
  readonly path: string;
  readonly meta: ModelMeta;
}

/** One call with what JAX computed for it. */
export interface RecordedRun {
  readonly batch: number;
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly HostArray[];
}

/** The model in a folder of the corpus. */
export function recordedModel(path: string): RecordedModel {
  return { path, meta: JSON.parse(readOracleText(`${path}/meta.json`)) as ModelMeta };
}

function modelsIn(folder: string): RecordedModel[] {
  return listOracle(folder)
    .map((name) => `${folder}/${name}`)
    .filter((path) => existsSync(join(oracleRoot(), path, "model.jaxexport")))
    .map(recordedModel);
}

/** Models of one part of the corpus, sorted by path. */
export function recordedModels(part: "public" | "versions" | "wild"): RecordedModel[] {
  switch (part) {
    case "public":
      return modelsIn("public/models");
    case "versions":
      return listOracle("versions").flatMap((version) => modelsIn(`versions/${version}`));
    case "wild":
      return modelsIn("wild");
  }
}

function elementType(name: string): DType {
  if (!isDType(name)) throw new Error(`the corpus has an array of the unknown dtype ${name}`);
  return name;
}

/** The recorded runs of a model, with arrays in their true dtypes. */
export function recordedRuns({ path, meta }: RecordedModel): RecordedRun[] {
  const arrays = readNpz(readOracle(`${path}/ref.npz`), `${path}/ref.npz`);
  const read = ({ key, dtype, shape }: ArrayDescription): HostArray => {
    const stored = arrays.get(key);
    if (stored === undefined) throw new Error(`${path}/ref.npz has no ${key}`);
    return hostArray(elementType(dtype), shape, stored.bytes);
  };
  return meta.ref.map(({ batch, inputs, outputs }) => ({
    batch,
    inputs: inputs.map(read),
    outputs: outputs.map(read),
  }));
}
