// The shape-polymorphic programs of the oracle with their runs and refusals, as the tests of the
// runtime loader and of specialised programs read them.
import { convert, type ConvertOptions } from "../../src/convert.js";
import { readNpz } from "../../src/files/npz.js";
import { importExported, type Program } from "../../src/import/program.js";
import { isDType, type DType } from "../../src/ir/dtypes.js";
import { hostArray, type HostArray } from "../../src/ir/hostArray.js";
import { modelArtifacts } from "../../src/run/modelFiles.js";
import { readOracle, readOracleText } from "../support/oracle.js";
import * as tf from "@tensorflow/tfjs-core";

interface ArrayDescription {
  readonly key: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A call that JAX refuses. */
export interface Refusal {
  readonly inputs: readonly { readonly dtype: string; readonly shape: readonly number[] }[];
  readonly type: string;
  readonly message: string;
  readonly assertion?: string | null;
}

export interface ShapePolyCase {
  readonly file: string;
  readonly npz: string;
  readonly name: string;
  readonly specs: readonly (string | null)[];
  readonly constraints: readonly string[];
  readonly runs: readonly {
    readonly dims: Readonly<Record<string, number>>;
    readonly inputs: readonly ArrayDescription[];
    readonly outputs: readonly ArrayDescription[];
  }[];
  readonly errors: readonly Refusal[];
  readonly rtol: number;
  readonly atol: number;
}

export const shapePolyCases = JSON.parse(
  readOracleText("public/shape_poly/cases.json"),
) as readonly ShapePolyCase[];

export function shapePolyCase(name: string): ShapePolyCase {
  const found = shapePolyCases.find((item) => item.name === name);
  if (found === undefined) throw new Error(`the corpus has no shape-polymorphic case ${name}`);
  return found;
}

export function importCase({ file }: Pick<ShapePolyCase, "file">): Program {
  return importExported(readOracle(`public/shape_poly/${file}`));
}

/** The message that a refused call must have: that of the program's own assertion, where one is. */
export const messageOfRefusal = ({ message, assertion }: Refusal): string => assertion ?? message;

function elementType(name: string): DType {
  if (!isDType(name)) throw new Error(`the corpus has an array of the unknown dtype ${name}`);
  return name;
}

export interface CaseRun {
  readonly dims: ReadonlyMap<string, number>;
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly HostArray[];
}

export function runsOf({ npz, runs }: ShapePolyCase): readonly CaseRun[] {
  const arrays = readNpz(readOracle(`public/shape_poly/${npz}`), npz);
  const read = ({ key, dtype, shape }: ArrayDescription): HostArray => {
    const stored = arrays.get(key);
    if (stored === undefined) throw new Error(`${npz} has no ${key}`);
    return hostArray(elementType(dtype), shape, stored.bytes);
  };
  return runs.map(({ dims, inputs, outputs }) => ({
    dims: new Map(Object.entries(dims)),
    inputs: inputs.map(read),
    outputs: outputs.map(read),
  }));
}

/** A program converted, as a page would load it. */
export function handlerOf(program: Program, options: ConvertOptions = {}): tf.io.IOHandler {
  const artifacts = modelArtifacts(convert(program, options));
  return tf.io.fromMemory(artifacts);
}
