// Derivatives of imported programs, forward and reverse, against those that JAX recorded: groups
// whose exports are recognised or raised first, or whose rules are long.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, test } from "vitest";
import { readNpz } from "../../src/files/npz.js";
import { importExported } from "../../src/import/program.js";
import { asFloat32, fromNumbers, type HostArray } from "../../src/ir/hostArray.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { optimize } from "../../src/passes/optimize.js";
import { prepareForDerivatives } from "../../src/passes/prepare.js";
import { jvpProgram, vjpProgram } from "../../src/transform/index.js";
import { compareArrays } from "../support/compare.js";
import { readOracle, readOracleText } from "../support/oracle.js";
import { lowered, run } from "../support/runLowered.js";

interface Recorded {
  readonly dtype: string;
  readonly key: string;
}

interface Case {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly npz: string;
  readonly inputs: readonly Recorded[];
  readonly outputs: readonly Recorded[];
  readonly jvp: boolean;
  readonly vjp: boolean;
  readonly tangents?: readonly Recorded[];
  readonly jvp_outputs?: readonly Recorded[];
  readonly cotangents?: readonly Recorded[];
  readonly vjp_outputs?: readonly Recorded[];
  readonly deriv_rtol: number;
  readonly deriv_atol: number;
}

const groups = [
  "igamma",
  "igammac",
  "lgamma",
  "bessel_i1e",
  "cholesky",
  "qr",
  "triangular_solve",
  "tridiagonal_solve",
  "custom_linear_solve",
];

const folder = (group: string): string => `public/primitives/${group}`;

/** Cases whose arrays are all float32: what the test is about needs no other. */
function casesOf(group: string): readonly Case[] {
  const cases = JSON.parse(readOracleText(`${folder(group)}/cases.json`)) as readonly Case[];
  return cases.filter(({ inputs, outputs }) =>
    [...inputs, ...outputs].every(({ dtype }) => dtype === "float32"),
  );
}

/** The number at the end of a key: which argument or result it belongs to. */
const place = ({ key }: Recorded): number => Number(key.slice(key.lastIndexOf("_") + 1));

async function check(
  program: ClosedJaxpr,
  args: readonly HostArray[],
  wanted: readonly { readonly position: number; readonly array: HostArray }[],
  { deriv_rtol: rtol, deriv_atol: atol }: Case,
): Promise<void> {
  const optimized = optimize(program, { level: "full" });
  const tensors = args.map((array) => tf.tensor(asFloat32(array), [...array.shape], "float32"));
  const results = await run(lowered(optimized, ["cpu"]), tensors);
  tf.dispose(tensors);
  for (const { position, array } of wanted) {
    const found = results[position] ?? [];
    const comparison = compareArrays(found, asFloat32(array), "float", { rtol, atol });
    expect(comparison.agrees, comparison.summary).toBe(true);
  }
}

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe.each(groups)("%s", (group) => {
  const cases = casesOf(group);

  function load(recorded: Case): {
    readonly program: ClosedJaxpr;
    readonly get: (item: Recorded) => HostArray;
  } {
    const npz = readNpz(readOracle(`${folder(group)}/${recorded.npz}`));
    const get = ({ key }: Recorded): HostArray => {
      const array = npz.get(key);
      if (array === undefined) throw new Error(`no array ${key}`);
      return array;
    };
    const imported = importExported(readOracle(`${folder(group)}/${recorded.file}`));
    return { program: prepareForDerivatives(imported.jaxpr), get };
  }

  const zeros = (like: HostArray): HostArray =>
    fromNumbers(
      "float32",
      like.shape,
      Array.from(asFloat32(like), () => 0),
    );

  test.each(cases.filter(({ jvp }) => jvp))("jvp $id $name", async (recorded) => {
    const { program, get } = load(recorded);
    const { tangents = [], jvp_outputs: outputs = [] } = recorded;
    const values = recorded.inputs.map(get);
    const directions = values.map((value, index) => {
      const tangent = tangents.find((item) => place(item) === index);
      return tangent === undefined ? zeros(value) : get(tangent);
    });
    const all = program.jaxpr.invars.map(() => true);
    const count = program.jaxpr.outvars.length;
    const derived = jvpProgram(
      program,
      all,
      program.jaxpr.outvars.map(() => true),
    );
    const wanted = outputs.map((item) => ({ position: count + place(item), array: get(item) }));
    await check(derived.program, [...values, ...directions], wanted, recorded);
  });

  test.each(cases.filter(({ vjp }) => vjp))("vjp $id $name", async (recorded) => {
    const { program, get } = load(recorded);
    const { cotangents = [], vjp_outputs: outputs = [] } = recorded;
    const pulled = vjpProgram(
      program,
      program.jaxpr.invars.map(() => true),
    );
    const incoming = recorded.outputs.map((output, index) => {
      const cotangent = cotangents.find((item) => place(item) === index);
      return cotangent === undefined ? zeros(get(output)) : get(cotangent);
    });
    const count = program.jaxpr.outvars.length;
    const wanted = outputs.map((item) => ({ position: count + place(item), array: get(item) }));
    await check(pulled.program, [...recorded.inputs.map(get), ...incoming], wanted, recorded);
  });
});
