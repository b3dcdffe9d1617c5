// Random equations of dot_general, conv_general_dilated, windowed reductions and their gradients
// against the results of JAX (scripts/data/make_contractions.py), as graphs on each backend.
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { HostArray } from "../../src/ir/hostArray.js";
import type { Backend } from "../../src/ir/tf.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import {
  cases,
  decode,
  interleave,
  numbersOf,
  programOf,
  tensorsOf,
  type Case,
} from "../support/contractions.js";
import { lowered, run } from "../support/runLowered.js";

/** The recorded numbers as the graph's outputs hold them. */
function expectedNumbers(array: HostArray): readonly number[] {
  const numbers = numbersOf(array);
  return array.dtype === "uint32" ? numbers.map((value) => value | 0) : numbers;
}

async function check(
  test: Case,
  targets: readonly Backend[],
  sizes: "static" | "symbolic" = "static",
): Promise<void> {
  const inputs = test.inputs.map(decode);
  const output = decode(test.output);
  const closed = programOf(test, sizes === "symbolic");
  if (sizes === "static") {
    expect(closed.jaxpr.outvars.map((atom) => atom.aval.shape)).toEqual([output.shape]);
  }
  const tensors = inputs.flatMap((array) => tensorsOf(array.dtype, array.shape, numbersOf(array)));
  const actual = interleave(await run(lowered(closed, targets), tensors));
  tf.dispose([...tensors]);
  const expected = expectedNumbers(output);
  const largest = expected.reduce(
    (max, x) => Math.max(max, Number.isFinite(x) ? Math.abs(x) : 0),
    1,
  );
  const tolerance = { rtol: test.rtol, atol: test.rtol * largest };
  expectAgrees(test.primitive, actual, expected, output.dtype, tolerance);
}

const portable = ["cpu", "wasm", "webgl", "webgpu"] as const;

/** Name, index and case; several cases have one primitive. */
const table = cases.map((test, index) => [`${index} ${test.primitive}`, test] as const);

describeOnBackend("cpu", () => {
  it.each(table)("%s", (_, test) => check(test, ["cpu"]));
});

/** Windows of sizes that are too small have no elements: with symbolic sizes that is an error. */
const hasElements = table.filter(([, test]) => !test.output.shape.includes(0));

describeOnBackend("cpu", () => {
  it.each(hasElements)("%s of symbolic sizes", (_, test) => check(test, portable, "symbolic"));
});

describeOnBackend("wasm", () => {
  it.each(table)("%s", (_, test) => check(test, portable));
});

describeOnBackend("tensorflow", () => {
  it.each(table)("%s", (_, test) => check(test, ["tensorflow"]));
});
