// What goes wrong in traced functions: each a clear error, with the user's line.
import * as tf from "@tensorflow/tfjs-core";
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
  customJvp,
  exportFunction,
  jit,
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

  const freed = (): tf.Tensor => {
    const tensor = tf.tensor1d([1, 2, 3]);
    tensor.dispose();
    return tensor;
  };
  /** Functions of a disposed tensor, by what finds it. */
  const disposals: readonly (readonly [string, (tensor: tf.Tensor) => unknown])[] = [
    ["an argument", (tensor) => sin(tensor)],
    ["an argument of jit", (tensor) => jit((x: ArrayValue) => sin(x))(tensor)],
    ["captured by jit", (tensor) => jit((x: ArrayValue) => add(x, tensor))(vector)],
    ["captured by vmap", (tensor) => vmap((x: ArrayValue) => add(x, tensor))(vector)],
    ["captured by convert", (tensor) => convert((x: ArrayValue) => add(x, tensor))(vector)],
    ["captured by makeJaxpr", (tensor) => makeJaxpr((x: ArrayValue) => add(x, tensor))(vector)],
    ["an export", (tensor) => exportFunction((x: ArrayValue) => add(x, tensor))(vector)],
    ["returned", (tensor) => jit((_: ArrayValue) => tensor)(vector)],
    [
      "captured by a rule",
      (tensor) => {
        const f = customJvp((x: ArrayValue) => sin(x));
        f.defjvp(([x], [dx]) => [f(x), mul(dx, tensor)]);
        return jvp(f, [vector], [vector]);
      },
    ],
  ];

  test.each(disposals)("a disposed tensor: %s", (_, run) => {
    const error = errorOf(() => run(freed()));
    expect([error.code, error.details.source]).toEqual([
      "tensor-disposed",
      expect.stringContaining("errors.test.ts"),
    ]);
  });

  test.each([
    ["jit", jit],
    ["convert", convert],
  ])("a captured tensor that is disposed of between two calls of %s", (_, transform) => {
    const tensor = tf.tensor1d([1, 2, 3]);
    const f = transform((x: ArrayValue) => add(x, tensor));
    f(vector);
    tensor.dispose();
    const error = errorOf(() => f(vector));
    expect(error.code).toBe("tensor-disposed");
    expect(error.details.source).toContain("errors.test.ts");
  });

  /** What a program written for tfjs does with its arrays. */
  const uses: readonly (readonly [string, (x: tf.Tensor) => unknown])[] = [
    ["tf.add", (x) => tf.add(x, 1)],
    ["tf.add of a tensor", (x) => tf.add(tf.ones([3]), x)],
    ["tf.matMul", (x) => tf.matMul(tf.reshape(x, [1, 3]), tf.ones([3, 1]))],
    ["tf.concat", (x) => tf.concat([x, x])],
    ["tf.clone", (x) => tf.clone(x)],
    ["a new variable", (x) => tf.variable(x)],
    ["an assignment", (x) => (tf.variable(tf.zeros([3])).assign(x), x)],
    ["arraySync", (x) => x.arraySync()],
    ["data", (x) => x.data()],
    ["a loop over it", (x) => [...(x as unknown as Iterable<ArrayValue>)]],
    ["a copy into a typed array", (x) => new Float32Array(x as unknown as ArrayLike<number>)],
  ];

  test.each(uses)("a traced array in %s", (_, use) => {
    const f = (x: ArrayValue): ArrayValue => use(x as unknown as tf.Tensor) as ArrayValue;
    for (const run of [jit(f), grad(f), vmap(f, { inAxes: null, axisSize: 2 }), convert(f)]) {
      const error = errorOf(() => run(vector));
      expect(error.code).toBe("concretization");
      expect(error.message).toContain("f32[3]");
      expect(error.details.source).toContain("errors.test.ts");
    }
  });

  test("an element by JavaScript's own brackets says what reads one", () => {
    const error = errorOf(() =>
      jit((x: ArrayValue) => sin((x as unknown as readonly ArrayValue[])[0] ?? undefinedArray))(1),
    );
    expect(error.details.fix).toContain("np.index");
  });
});

/** What `x[0]` of an array is. */
const undefinedArray = undefined as unknown as ArrayValue;

describe("side effects in traced functions", () => {
  test("what is written into a typed array later changes nothing made before", () => {
    const numbers = new Float32Array([1, 1]);
    const identity = jit((x: ArrayValue) => x);
    const shifted = jit((x: ArrayValue) => {
      const sum = add(x, numbers);
      numbers[0] = 50;
      return sum;
    });
    const [same, sum] = [identity(numbers), shifted(new Float32Array([2, 3]))];
    numbers.fill(100);
    expect(Array.from(same.dataSync())).toEqual([1, 1]);
    expect(Array.from(sum.dataSync())).toEqual([3, 4]);
    expect(Array.from(shifted(new Float32Array([2, 3])).dataSync())).toEqual([3, 4]);
  });

  test("tf.tidy, keep and dispose let traced arrays pass", () => {
    const f = jit((x: ArrayValue) => {
      const y = tf.tidy(() => tf.keep(sin(x) as unknown as tf.Tensor));
      tf.dispose(y);
      return add(y, 1);
    });
    expect(f(0).dataSync()[0]).toBe(1);
  });
});
