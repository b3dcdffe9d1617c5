// Derivatives and batching of `while`, `cond`, `checkpoint` and functions with rules of their own,
// against numbers of JAX 0.10.
import { describe, expect, test } from "vitest";
import { checkpoint, checkpointName } from "../../primitives/checkpoint.js";
import { customJvpCall, customVjpCall } from "../../primitives/customDerivatives.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { LazyProgram } from "../../src/ir/params.js";
import { batchProgram, jvpProgram, splitProgram, vjpProgram } from "../../src/transform/index.js";
import { at, build, evaluate, expectNear, f32, gradient, i32 } from "./programs.js";

/** `while a < 10: a, b = a b + 1, 1.5 b`, from a = b = x. */
const growing = build([f32()], (o, [x]) => {
  if (x === undefined) return [];
  const condition = build([f32(), f32()], (inner, [a]) =>
    a === undefined ? [] : [inner.lt(a, inner.literal(10, "float32"))],
  );
  const body = build([f32(), f32()], (inner, [a, b]) => {
    if (a === undefined || b === undefined) return [];
    const next = inner.add(inner.mul(a, b), inner.literal(1, "float32"));
    return [next, inner.mul(b, inner.literal(1.5, "float32"))];
  });
  return o.while(condition, [], body, [], [x, x]);
});

describe("while", () => {
  test("rows that stop at different times", async () => {
    const { program } = batchProgram(growing, 3, [0], [0, 0]);
    expectNear(await evaluate(program, [[0.5, 3, 20]]), [
      [17.113235, 10, 20],
      [3.796875, 4.5, 20],
    ]);
  });

  test("jvp, and vmap of it", async () => {
    const { program } = jvpProgram(growing, [true]);
    expectNear(await evaluate(program, [[0.5], [1]]), [
      [17.113235],
      [3.796875],
      [90.62567],
      [7.59375],
    ]);
    const rows = batchProgram(program, 3, [0, null], [0, 0, 0, 0]).program;
    expectNear((await evaluate(rows, [[0.5, 3, 20], [1]])).slice(2), [
      [90.62567, 6, 1],
      [7.59375, 1.5, 1],
    ]);
  });

  test("reverse mode is refused in JAX's words", () => {
    expect(() => vjpProgram(growing, [true])).toThrow(
      "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop with " +
        "dynamic start/stop values. Try using lax.scan, or using fori_loop with static start/stop.",
    );
  });
});

/** `switch(i, sin(x) x, 3, exp(x) cos(x))`. */
const chosen = build([i32(), f32()], (o, [index, x]) => {
  if (index === undefined || x === undefined) return [];
  const branches = [
    build([f32()], (inner, [a]) => (a === undefined ? [] : [inner.mul(inner.sin(a), a)])),
    build([f32()], (inner) => [inner.literal(3, "float32")]),
    build([f32()], (inner, [a]) =>
      a === undefined ? [] : [inner.mul(inner.exp(a), inner.cos(a))],
    ),
  ];
  return o.cond(index, branches, [x]);
});

describe("cond", () => {
  const first = gradient(chosen, 1);
  const second = gradient(first, 1);

  test.each([
    [0, 0.45095235, 1.1796072, 1.078732],
    [1, 3, 0, 0],
    [2, 1.5402031, 0.24290797, -2.5945902],
  ])("branch %i and its derivatives", async (index, value, slope, curvature) => {
    const args = [[index], [0.7]];
    expectNear(await evaluate(chosen, args), [[value]]);
    expectNear(await evaluate(first, args), [[slope]]);
    expectNear(await evaluate(second, args), [[curvature]]);
  });

  test("vmap of a gradient with a branch per row", async () => {
    const { program } = batchProgram(first, 3, [0, 0], [0]);
    const args = [
      [0, 1, 2],
      [0.7, 0.7, 0.7],
    ];
    expectNear(await evaluate(program, args), [[1.1796072, 0, 0.242908]]);
  });

  test("residuals of one type share their place", () => {
    const { program } = jvpProgram(chosen, [false, true]);
    const split = splitProgram(program, [true, true, false]);
    expect(split.knownOutputs).toEqual([true, false]);
    // The index, x, and three scalars: cos and sin of one branch, exp, cos and sin of another.
    expect(split.residualCount).toBe(5);
    const names = split.unknown.jaxpr.equations.map(({ primitive }) => primitive.name);
    expect(names.filter((name) => name === "cond")).toHaveLength(1);
  });
});

describe("checkpoint", () => {
  const inner = build([f32()], (o, [x]) =>
    x === undefined
      ? []
      : [o.sin(at(o.bind(checkpointName, [o.sin(o.sin(x))], { name: "kept" }), 0))],
  );
  const wrapped = (policy: Parameters<typeof bindCheckpoint>[0]): ClosedJaxpr =>
    bindCheckpoint(policy);
  function bindCheckpoint(
    policy: null | { kind: "dots_saveable" } | { kind: "save_only_these_names"; names: string[] },
  ): ClosedJaxpr {
    return build([f32()], (o, inputs) =>
      o.bind(checkpoint, inputs, {
        jaxpr: inner,
        prevent_cse: true,
        differentiated: false,
        policy,
      }),
    );
  }
  const policies = [
    null,
    { kind: "dots_saveable" as const },
    { kind: "save_only_these_names" as const, names: ["kept"] },
  ];

  test.each(policies)("derivatives with policy %o", async (policy) => {
    const x = 0.6;
    const [s1, s2] = [Math.sin(x), Math.sin(Math.sin(x))];
    const slope = Math.cos(s2) * Math.cos(s1) * Math.cos(x);
    for (const level of ["required", "full"] as const) {
      const first = gradient(wrapped(policy), 0);
      expectNear(await evaluate(first, [[x]], { level }), [[slope]]);
      const plain = gradient(gradient(inner, 0), 0);
      const second = gradient(first, 0);
      expectNear(await evaluate(second, [[x]], { level }), await evaluate(plain, [[x]]));
    }
  });

  test("without a policy only the inputs are kept", () => {
    const { program } = jvpProgram(wrapped(null), [true]);
    expect(splitProgram(program, [true, false]).residualCount).toBe(1);
    const split = splitProgram(program, [true, false]);
    const named = jvpProgram(wrapped({ kind: "save_only_these_names", names: ["kept"] }), [true]);
    expect(splitProgram(named.program, [true, false]).residualCount).toBe(2);
    expect(split.residualCount).toBe(1);
  });
});

describe("custom_jvp_call", () => {
  const rule: LazyProgram = new LazyProgram(() =>
    build([f32(), f32()], (o, [x, t]) => {
      if (x === undefined || t === undefined) return [];
      const [y] = o.call("square", square, [x]);
      return y === undefined ? [] : [y, o.mul(o.mul(o.literal(10, "float32"), x), t)];
    }),
  );
  /** x^2 with a derivative of 10 x t, made by calling the function again. */
  const square: ClosedJaxpr = build([f32()], (o, [x]) => {
    if (x === undefined) return [];
    const body = build([f32()], (inner, [a]) => (a === undefined ? [] : [inner.mul(a, a)]));
    return o.bind(customJvpCall, [x], { call_jaxpr: body, jvp_jaxpr_fun: rule, num_consts: 0 });
  });

  test("values, jvp, gradients of first and second order", async () => {
    const own = build([f32()], (o, inputs) => o.call("square", square, inputs));
    expectNear(await evaluate(own, [[3]]), [[9]]);
    expectNear(await evaluate(jvpProgram(own, [true]).program, [[3], [2]]), [[9], [60]]);
    expectNear(await evaluate(gradient(own, 0), [[3]]), [[30]]);
    expectNear(await evaluate(gradient(gradient(own, 0), 0), [[3]]), [[10]]);
  });

  test("the rule survives vmap", async () => {
    const { program } = batchProgram(square, 3, [0], [0]);
    const { program: tangents } = jvpProgram(program, [true]);
    const results = await evaluate(tangents, [
      [1, 2, 3],
      [1, 1, 1],
    ]);
    expectNear(results, [
      [1, 4, 9],
      [10, 20, 30],
    ]);
  });

  test("closed-over values have no derivative", () => {
    const body = build([f32(), f32()], (o, [c, x]) =>
      c === undefined || x === undefined ? [] : [o.mul(c, x)],
    );
    const program = build([f32(), f32()], (o, inputs) =>
      o.bind(customJvpCall, inputs, { call_jaxpr: body, jvp_jaxpr_fun: rule, num_consts: 1 }),
    );
    expect(() => jvpProgram(program, [true, false])).toThrow(
      /differentiation of a custom_jvp function with respect to a closed-over value/,
    );
  });
});

describe("custom_vjp_call", () => {
  /** w x, whose cotangents are 100 times what they should be. */
  const product = build([f32(), f32()], (o, inputs) =>
    o.bind(customVjpCall, inputs, {
      call_jaxpr: build([f32(), f32()], (inner, [w, x]) =>
        w === undefined || x === undefined ? [] : [inner.mul(w, x)],
      ),
      fwd_jaxpr_thunk: new LazyProgram(() =>
        build([f32(), f32()], (inner, [w, x]) =>
          w === undefined || x === undefined ? [] : [w, x, inner.mul(w, x)],
        ),
      ),
      bwd: new LazyProgram(() =>
        build([f32(), f32(), f32()], (inner, [w, x, ct]) => {
          if (w === undefined || x === undefined || ct === undefined) return [];
          const scaled = inner.mul(inner.literal(100, "float32"), ct);
          return [inner.mul(scaled, x), inner.mul(scaled, w)];
        }),
      ),
      num_consts: 0,
    }),
  );

  test("reverse mode follows the rule, also twice", async () => {
    const { program } = vjpProgram(product, [true, true]);
    expectNear(await evaluate(program, [[2], [3], [1]]), [[6], [300], [200]]);
    const mixed = gradient(gradient(product, 0), 1);
    expectNear(await evaluate(mixed, [[2], [3]]), [[100]]);
  });

  test("a weight shared by the rows of a batch gets the sum", async () => {
    const batched = batchProgram(product, 3, [null, 0], [0]).program;
    const { program } = vjpProgram(batched, [true, true]);
    expectNear(await evaluate(program, [[2], [1, 2, 3], [1, 1, 1]]), [
      [2, 4, 6],
      [600],
      [200, 200, 200],
    ]);
  });

  test("forward mode is refused in JAX's words", async () => {
    const { program } = jvpProgram(product, [true, true]);
    await expect(evaluate(program, [[2], [3], [1], [1]])).rejects.toThrow(
      "can't apply forward-mode differentiation (jvp) to a custom_vjp function.",
    );
  });
});
