// What goes wrong in traced functions: each a clear error, with the user's line.
import { beforeAll, describe, expect, test } from "vitest";
import {
  grad,
  jacfwd,
  jvp,
  linearTranspose,
  makeJaxpr,
  ShapeDtypeStruct,
  valueAndGrad,
  vjp,
  vmap,
  convert,
  exportFunction,
  Jax2TfjsError,
  useBackend,
  type ArrayValue,
} from "../../src/index.js";
import { add, mul, sin } from "../../src/lax/elementwise.js";

beforeAll(() => useBackend("cpu"));

function errorOf(run: () => unknown): Jax2TfjsError {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

const vector = new Float32Array([1, 2, 3]);
const integers = new Int32Array([1, 2, 3]);

/** What is wrong, its code, and a part of the message. */
const cases: readonly (readonly [string, () => unknown, string, string])[] = [
  ["text as an array", () => sin("1" as unknown as number), "not-an-array", "string 1"],
  [
    "a list as an array",
    () => sin([1, 2] as unknown as number),
    "not-an-array",
    "JavaScript array",
  ],
  [
    "a promise as an array",
    () => sin(Promise.resolve(1) as unknown as number),
    "not-an-array",
    "a Promise",
  ],
  [
    "a wrong leaf of a dict",
    () => vmap((x: { a: ArrayValue }) => x.a)({ a: "x" as unknown as number }),
    "not-an-array",
    "args[0]['a']",
  ],
  [
    "an asynchronous function",
    () => makeJaxpr((x: ArrayValue) => Promise.resolve(x))(1),
    "async-function",
    "synchronous",
  ],
  ["no result", () => makeJaxpr((_: ArrayValue) => undefined)(1), "not-an-array", "nothing"],
  [
    "a text as result",
    () => makeJaxpr((_: ArrayValue) => "done")(1),
    "not-an-array",
    "the result of",
  ],
  [
    "a traced array as a number",
    () => grad((x: ArrayValue) => ((x as unknown as number) > 0 ? x : mul(x, 2)))(1),
    "concretization",
    "JavaScript number or boolean",
  ],
  [
    "values of a traced array",
    () => vmap((x: ArrayValue) => mul(x, x.dataSync()[0] ?? 0))(vector),
    "concretization",
    "its values",
  ],
  [
    "a traced array as JSON",
    () => makeJaxpr((x: ArrayValue) => (JSON.stringify(x) === "" ? x : x))(1),
    "concretization",
    "JSON",
  ],
  [
    "different shapes",
    () => add(vector, new Float32Array(4)),
    "shape-mismatch",
    "add got incompatible shapes for broadcasting: (3,), (4,)",
  ],
  [
    "grad of a vector",
    () => grad((x: ArrayValue) => sin(x))(vector),
    "grad-not-scalar",
    "Output had shape: (3,)",
  ],
  [
    "grad of two results",
    () => grad((x: ArrayValue) => [x, x])(1),
    "grad-not-scalar",
    "returned 2 arrays",
  ],
  [
    "grad of an integer",
    () => grad((x: ArrayValue) => x)(3n),
    "grad-dtype",
    "grad requires real- or complex-valued inputs",
  ],
  [
    "grad to an integer result",
    () => grad((_: ArrayValue) => 1n as unknown as ArrayValue)(1),
    "grad-dtype",
    "grad requires real-valued outputs",
  ],
  [
    "holomorphic grad of a real number",
    () => grad((x: ArrayValue) => x, { holomorphic: true })(1),
    "grad-dtype",
    "complex dtype",
  ],
  [
    "argnums too large",
    () => grad((x: ArrayValue) => x, { argnums: 1 })(1),
    "argnums",
    "argument 1",
  ],
  ["jacfwd of integers", () => jacfwd((x: ArrayValue) => x)(integers), "grad-dtype", "int32"],
  [
    "hasAux without a pair",
    () => valueAndGrad((x: ArrayValue) => x, { hasAux: true })(1),
    "invalid-result",
    "must return a pair",
  ],
  [
    "tangents of another structure",
    () => jvp((x: ArrayValue) => x, [1], [[1]]),
    "pytree-mismatch",
    "tangents",
  ],
  [
    "tangents of another type",
    () => jvp((x: ArrayValue) => x, [vector], [new Float32Array(4)]),
    "type-mismatch",
    "f32[4] is given for f32[3]",
  ],
  [
    "cotangents of another type",
    () => vjp((x: ArrayValue) => sin(x), vector)[1](1),
    "type-mismatch",
    "cotangents",
  ],
  [
    "the transpose of what is not linear",
    () => linearTranspose((x: ArrayValue) => sin(x), vector)(vector),
    "no-transpose-rule",
    "sin",
  ],
  [
    "batches of different sizes",
    () => vmap((x: ArrayValue, y: ArrayValue) => add(x, y))(vector, new Float32Array(4)),
    "vmap-size",
    "inconsistent sizes",
  ],
  ["no batch", () => vmap((x: ArrayValue) => x, { inAxes: null })(1), "vmap-size", "axisSize"],
  ["a batch of a scalar", () => vmap((x: ArrayValue) => x)(1), "vmap-axes", "rank 0"],
  [
    "axes for another number of arguments",
    () => vmap((x: ArrayValue) => x, { inAxes: [0, 0] })(vector),
    "vmap-axes",
    "2 entries",
  ],
  [
    "axes of another structure",
    () => vmap((x: { a: ArrayValue }) => x.a, { inAxes: [{ b: 0 }] })({ a: vector }),
    "pytree-mismatch",
    "inAxes",
  ],
  [
    "a mapped result without its axis",
    () => vmap((x: ArrayValue) => x, { outAxes: null })(vector),
    "vmap-axes",
    "outAxes is null",
  ],
  [
    "an integer beyond 32 bits",
    () => add(vector, 2n ** 40n),
    "array-value",
    "does not fit into int32",
  ],
  [
    "sizes against the specification",
    () => {
      const f = convert((x: ArrayValue) => sin(x), { polymorphicShapes: "2*b" });
      return [f(new Float32Array(4)), f(vector)];
    },
    "shape-mismatch",
    "Division had remainder 1",
  ],
  [
    "a specification that cannot be solved",
    () =>
      exportFunction((x: ArrayValue) => sin(x), { polymorphicShapes: "a * b" })(
        new ShapeDtypeStruct([6]),
      ),
    "unsolvable-dimensions",
    "Cannot solve for values of dimension variables {'a', 'b'}",
  ],
];

describe("errors", () => {
  test.each(cases)("%s", (_, run, code, message) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
    expect(error.details.source ?? "").toContain("errors.test.ts");
  });

  test("a tracer that outlives its trace says where it was made", () => {
    let leaked: ArrayValue | undefined;
    vmap((x: ArrayValue) => {
      leaked = sin(x);
      return x;
    })(vector);
    const error = errorOf(() => (leaked === undefined ? 0 : add(leaked, 1)));
    expect(error.code).toBe("leaked-tracer");
    expect(error.message).toContain("errors.test.ts");
    expect(error.details.source).toContain("errors.test.ts");
  });

  test("a disposed tensor", async () => {
    const tf = await import("@tensorflow/tfjs-core");
    const tensor = tf.tensor1d([1]);
    tensor.dispose();
    expect(errorOf(() => sin(tensor)).code).toBe("tensor-disposed");
  });
});
