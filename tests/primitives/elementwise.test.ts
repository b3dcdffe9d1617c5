// Elementwise primitives against the numbers of JAX: special values, integers of all widths, known
// and unknown arguments, derivatives, on each backend in Node, both for it alone and for all.
import { describe, expect, it } from "vitest";
import { shapedArray } from "../../src/ir/aval.js";
import { valuesOf, type HostArray } from "../../src/ir/hostArray.js";
import { allBackends } from "../../src/convert.js";
import { describeOnBackend, nodeBackends } from "../support/backends.js";
import { compareArrays, comparisonKind } from "../support/compare.js";
import {
  readCases,
  recordNamed,
  runCase,
  toArray,
  type ElementwiseCase,
} from "./elementwiseHarness.js";

const cases = readCases();
const primitives = [...new Set(cases.map((test) => test.primitive))];

function describeCase({ primitive, params, inputs, known, jvp }: ElementwiseCase): string {
  const types = inputs.map((input, index) => {
    const literal = known?.includes(index) === true ? ` = ${firstValue(toArray(input))}` : "";
    return input.dtype + literal;
  });
  const settings = Object.entries(params).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${jvp === undefined ? "" : "jvp of "}${primitive}[${settings.join(" ")}] ${types.join(", ")}`;
}

const firstValue = (array: HostArray): string => String(valuesOf(array)[0]);

/** What is wrong with a result, or null. */
function difference(test: ElementwiseCase, actual: HostArray, expected: HostArray): string | null {
  const found = `${actual.dtype}[${actual.shape.join(",")}]`;
  const wanted = `${expected.dtype}[${expected.shape.join(",")}]`;
  if (found !== wanted) return `${describeCase(test)}: ${found} instead of ${wanted}`;
  const kind = comparisonKind(expected.dtype);
  const result = compareArrays(valuesOf(actual), valuesOf(expected), kind, test);
  return result.agrees ? null : `${describeCase(test)}: ${result.summary}`;
}

describe.each(nodeBackends)("on %s", (backend) => {
  describeOnBackend(backend, () => {
    const runnable = cases.filter((test) => backend !== "tensorflow" || test.subnormals !== true);
    it.each(primitives)("%s", async (primitive) => {
      const problems: (string | null)[] = [];
      for (const test of runnable.filter((item) => item.primitive === primitive)) {
        const expected = [...test.outputs, ...(test.jvp === undefined ? [] : [test.jvp])];
        for (const targets of [[backend], allBackends]) {
          const results = await runCase(test, targets);
          results.forEach((result, index) => {
            const wanted = expected[index];
            if (wanted !== undefined) problems.push(difference(test, result, toArray(wanted)));
          });
        }
      }
      expect(problems.filter((problem) => problem !== null)).toEqual([]);
    });
  });
});

describe("folding", () => {
  it.each(primitives)("%s", (primitive) => {
    const { fold } = recordNamed(primitive);
    const problems = cases
      .filter((test) => test.primitive === primitive && test.jvp === undefined)
      .map((test) => {
        const [expected] = test.outputs.map(toArray);
        if (expected === undefined || fold === undefined) return null;
        const out = shapedArray(expected.dtype, expected.shape);
        const [folded] = fold(test.inputs.map(toArray), test.params, [out]) ?? [];
        return folded === undefined ? null : difference(test, folded, expected);
      });
    expect(problems.filter((problem) => problem !== null)).toEqual([]);
  });

  it("is there for all integers but those of 64 bits beyond 2^53", () => {
    const integerCases = cases.filter(
      (test) =>
        (test.inputs[0]?.dtype.includes("int") ?? false) &&
        test.jvp === undefined &&
        !["convert_element_type", "pow"].includes(test.primitive),
    );
    const unfolded = integerCases.filter(
      ({ primitive, inputs, params, outputs }) =>
        (recordNamed(primitive).fold?.(
          inputs.map(toArray),
          params,
          outputs.map((output) => {
            const { dtype, shape } = toArray(output);
            return shapedArray(dtype, shape);
          }),
        ) ?? null) === null,
    );
    expect(unfolded.map(describeCase)).toEqual([]);
  });
});
