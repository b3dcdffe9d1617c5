// The shape-polymorphic corpus as functions written here: traced with symbolic sizes, converted once
// and run at every recorded size; calls that JAX refuses are refused in its words.
import { beforeAll, describe, expect, test } from "vitest";
import {
  convert,
  dims,
  exportFunction,
  fromNumbers,
  Jax2TfjsError,
  loadGraph,
  numpy as np,
  ShapeDtypeStruct,
  valuesOf,
  type ArrayValue,
  type Dim,
  type HostArray,
  type LoadedProgram,
  type Program,
} from "../../src/index.js";
import { isDType, type DType } from "../../src/ir/dtypes.js";
import {
  messageOfRefusal,
  runsOf,
  shapePolyCases,
  type Refusal,
  type ShapePolyCase,
} from "../runtime/shapePolyCases.js";
import { useBackend } from "../support/backends.js";
import { expectAgrees, type Numbers } from "../support/compare.js";
import {
  caseFunctions,
  furtherFunctions,
  notExpressible,
  type CaseFunction,
} from "./symbolicFunctions.js";

beforeAll(() => useBackend("cpu"));

function elementType(name: string | undefined): DType {
  if (name === undefined || !isDType(name)) throw new Error(`no element type ${name ?? ""}`);
  return name;
}

function functionOf({ name }: ShapePolyCase): CaseFunction {
  const f = caseFunctions.get(name);
  if (f === undefined) throw new Error(`${name} has no function`);
  return f;
}

function programOf(item: ShapePolyCase): Program {
  const f = functionOf(item);
  const inputs = item.runs[0]?.inputs ?? [];
  const specs = item.specs.map((spec) => spec ?? "");
  const examples = inputs.map(
    ({ dtype, shape }) => new ShapeDtypeStruct(shape, elementType(dtype)),
  );
  return exportFunction(f, {
    polymorphicShapes: specs,
    polymorphicConstraints: item.constraints,
  })(...examples);
}

const load = async (item: ShapePolyCase): Promise<LoadedProgram> =>
  loadGraph(convert(programOf(item), { backends: ["cpu"] }));

const isExpressible = ({ name }: ShapePolyCase): boolean => !notExpressible.has(name);

test("every case has a function, or a reason why not", () => {
  const missing = shapePolyCases.filter(
    (item) => isExpressible(item) && !caseFunctions.has(item.name),
  );
  expect(missing.map(({ name }) => name)).toEqual([]);
});

describe("results at every recorded size", () => {
  test.each(shapePolyCases.filter(isExpressible))("$name", async (item) => {
    const loaded = await load(item);
    for (const { dims: sizes, inputs, outputs } of runsOf(item)) {
      const results = await loaded.run(inputs);
      expect(results).toHaveLength(outputs.length);
      const label = [...sizes].map(([name, size]) => `${name} = ${size}`).join(", ");
      outputs.forEach((output, index) => {
        expectResult(`${label}, result ${index}`, results[index], output, item);
      });
    }
    loaded.dispose();
  });
});

describe("symbolic sizes give what actual ones give", () => {
  const rows = Float32Array.from({ length: 45 }, (_, index) => Math.sin(index) * 10);
  test.each(Object.entries(furtherFunctions))("%s", async (_, f) => {
    const specs = { polymorphicShapes: "b, _", polymorphicConstraints: ["b >= 2"] };
    const program = exportFunction(f, specs)(new ShapeDtypeStruct([2, 5]));
    const loaded = await loadGraph(convert(program, { backends: ["cpu"] }));
    for (const size of [2, 3, 4, 7, 9]) {
      const x = fromNumbers("float32", [size, 5], rows.subarray(0, size * 5));
      const expected = f(x as unknown as ArrayValue);
      const [result] = await loaded.run([x]);
      expect(result?.shape).toEqual(expected.shape);
      expect(result && Array.from(valuesOf(result) as Float32Array)).toEqual(
        Array.from(expected.dataSync()),
      );
    }
    loaded.dispose();
  });
});

function expectResult(
  label: string,
  result: HostArray | undefined,
  expected: HostArray,
  tolerance: ShapePolyCase,
): void {
  if (result === undefined) throw new Error(`${label} is missing`);
  expect([result.dtype, result.shape]).toEqual([expected.dtype, expected.shape]);
  const [actual, recorded] = [result, expected].map((array) => valuesOf(array) as Numbers);
  if (actual === undefined || recorded === undefined) throw new Error(`${label} has no values`);
  expectAgrees(label, actual, recorded, expected.dtype, tolerance);
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.message;
    throw error;
  }
  return "accepted";
}

const argumentsOf = ({ inputs }: Refusal): readonly HostArray[] =>
  inputs.map(({ dtype, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return fromNumbers(elementType(dtype), shape, new Float32Array(count).fill(1));
  });

const refusals = shapePolyCases.filter(({ errors }) => errors.length > 0);

describe("calls that JAX refuses", () => {
  test.each(refusals)("$name", async (item) => {
    const loaded = await load(item);
    for (const refusal of item.errors) {
      const message = messageOf(() => loaded.check(argumentsOf(refusal)));
      expect(message).toContain(messageOfRefusal(refusal));
    }
    loaded.dispose();
  });

  test.each(refusals)("$name as a converted function", (item) => {
    const converted = convert(functionOf(item), {
      polymorphicShapes: item.specs,
      polymorphicConstraints: item.constraints,
    });
    for (const refusal of item.errors) {
      const arrays = argumentsOf(refusal) as unknown as ArrayValue[];
      const message = messageOf(() => converted(...arrays));
      // Known sizes are compared where the text of the shape is read, as by jax2tf.convert.
      const isRead = message.startsWith(`syntax error in symbolic shape '${item.specs[0] ?? ""}'`);
      expect(isRead ? ["bad_static_dim", "bad_rank"] : [item.name]).toContain(item.name);
      if (!isRead) expect(message).toContain(messageOfRefusal(refusal));
    }
  });
});

test("what depends on the values of sizes is refused when it is traced", () => {
  const traced =
    (f: (x: ArrayValue) => unknown): (() => unknown) =>
    () =>
      exportFunction(f, { polymorphicShapes: "b, a" })(new ShapeDtypeStruct([2, 3]));
  const difference = (x: ArrayValue): Dim => dims.subtract(np.size(x, 0), np.size(x, 1));
  const refused: [f: (x: ArrayValue) => unknown, code: string, message: string][] = [
    [(x) => np.index(x, np.slice(difference(x))), "inconclusive-dimension", "is inconclusive"],
    [(x) => np.arange(0, 9, difference(x)), "inconclusive-dimension", "is inconclusive"],
    [(x) => np.pad(x, 1, { mode: "reflect" }), "invalid-parameter", "reflect of pad needs a known"],
    [(x) => np.pad(x, [[difference(x), 0.5]]), "invalid-parameter", "the pad width must be sizes"],
    [(x) => np.index(x, np.slice(np.size(x, 0), 0.5)), "invalid-index", "slice(b, 0.5, 1)"],
  ];
  for (const [f, code, message] of refused) {
    expect(traced(f)).toThrow(expect.objectContaining({ code }));
    expect(messageOf(traced(f))).toContain(message);
  }
});
