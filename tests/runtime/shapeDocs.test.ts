// The situations of JAX's documentation of shape polymorphism, recorded from JAX by
// scripts/data/make_shape_docs.py: programs give its results and refuse calls in its words; what fails
// in JAX before there is a program fails here with the same message.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { add } from "../../primitives/binary.js";
import { dotGeneral } from "../../primitives/dot.js";
import { shapedArray } from "../../src/ir/aval.js";
import {
  addDims,
  divideShapeSizes,
  evaluateDim,
  greaterEqual,
  modDims,
  parseDim,
  printDim,
  symbolicScope,
} from "../../src/ir/dims.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { solveDims, symbolicShape } from "../../src/ir/shapeSpec.js";
import { importExported } from "../../src/import/program.js";
import { arrayOf } from "../../src/run/tensors.js";
import { toNumbers } from "../../src/ir/hostArray.js";
import { loadModel } from "../../src/runtime/index.js";
import { useBackend } from "../support/backends.js";
import { repositoryRoot } from "../support/paths.js";
import { handlerOf } from "./shapePolyCases.js";

type Shapes = readonly (readonly number[])[];

interface Recorded {
  readonly programs: readonly {
    readonly name: string;
    readonly artifact: string;
    readonly in: readonly string[];
    readonly out: readonly string[];
    readonly calls: readonly {
      readonly shapes: Shapes;
      readonly results: readonly {
        readonly dtype: string;
        readonly shape: readonly number[];
        readonly values: readonly number[];
      }[];
    }[];
    readonly refused: readonly { readonly shapes: Shapes; readonly message: string }[];
  }[];
  readonly messages: Readonly<Record<string, string>>;
  readonly sum: string;
}

const recorded = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/shape_docs.json.gz"))).toString(),
) as Recorded;

beforeAll(() => useBackend("cpu"));

const counting = (shape: readonly number[]): tf.Tensor => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return tf.tensor(
    Int32Array.from({ length: size }, (_, i) => i),
    [...shape],
    "int32",
  );
};

describe("programs", () => {
  test.each(recorded.programs)("$name", async ({ artifact, in: inTypes, out, calls, refused }) => {
    const program = importExported(new Uint8Array(Buffer.from(artifact, "base64")));
    const typesOf = (values: typeof program.outputs): readonly string[] =>
      values.map(({ aval }) => `${aval.dtype}[${aval.shape.map(printDim).join()}]`);
    expect(typesOf(program.inputs)).toEqual(inTypes);
    expect(typesOf(program.outputs)).toEqual(out.map((type) => type.replace("~", "")));
    const model = await loadModel(handlerOf(program));
    for (const { shapes, results } of calls) {
      const found = await model.executeAsync(shapes.map(counting));
      for (const [index, expected] of results.entries()) {
        const [leaf, value] = [model.outputs[index], found[index]];
        if (leaf === undefined || !(value instanceof tf.Tensor)) throw new Error("no result");
        const array = await arrayOf(leaf, [value]);
        expect([array.dtype, array.shape]).toEqual([expected.dtype, expected.shape]);
        Array.from(toNumbers(array)).forEach((number, place) => {
          expect(number).toBeCloseTo(expected.values[place] ?? NaN, 5);
        });
      }
    }
    for (const { shapes, message } of refused) {
      // JAX hides the assertion behind a failure of its own in some cases.
      const wanted = message.startsWith("Error refining") ? /symbolic shape constraint/ : message;
      expect(() => model.check(shapes.map(counting))).toThrow(wanted);
    }
    model.dispose();
  });
});

/** The message of what an action throws, without the identities of scopes. */
function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.message.replace(/ scope #\d+/g, " scope");
    throw error;
  }
  return "no failure";
}

describe("failures", () => {
  const scope = symbolicScope();
  const typed = (shape: string): ReturnType<typeof shapedArray> =>
    shapedArray("int32", symbolicShape(shape, { scope }));
  const actions: Readonly<Record<string, () => unknown>> = {
    add: () => add.abstractEval([typed("v,"), typed("4,")], {}),
    matmul: () =>
      dotGeneral.abstractEval([typed("v, 4"), typed("v, 4")], {
        dimension_numbers: [
          [[1], [0]],
          [[], []],
        ],
        precision: null,
        preferred_element_type: null,
      }),
    comparison: () => greaterEqual(parseDim("a + 1", scope), parseDim("b", scope)),
    slice: () => greaterEqual(parseDim("b", scope), modDims(parseDim("b", scope), 3)),
    scopes: () => addDims(parseDim("a", symbolicScope()), parseDim("a", symbolicScope(["a >= 8"]))),
    "not linear": () => solveDims([{ name: "args[0]", shape: symbolicShape("a*a,") }]),
    reshape: () => divideShapeSizes(symbolicShape("b,"), [2, -1]),
    "a variable of no argument": () => evaluateDim(parseDim("k", scope), new Map()),
  };
  test("are the recorded ones", () => {
    expect(Object.keys(actions).sort()).toEqual(Object.keys(recorded.messages).sort());
  });
  test.each(Object.entries(actions))("%s", (name, action) => {
    expect(messageOf(action)).toBe(recorded.messages[name]);
  });
});

test("a scope that is used again", () => {
  const scope = symbolicScope(["a >= 8"]);
  expect(printDim(addDims(parseDim("a", scope), parseDim("b", scope)))).toBe(recorded.sum);
});
