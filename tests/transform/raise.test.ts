// Counting loops, as exports hold them, become scans again and get their reverse derivatives.
import { describe, expect, test } from "vitest";
import { scan } from "../../primitives/scan.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { optimize } from "../../src/passes/optimize.js";
import { raiseLoops } from "../../src/passes/raise.js";
import { build, evaluate, expectNear, f32, gradient, i32 } from "./programs.js";

const primitives = (program: ClosedJaxpr): readonly string[] =>
  program.jaxpr.equations.map(({ primitive }) => primitive.name);

/** `c -> sin(c + x)` over the rows of xs, with stacked results c x; outputs the sum of both. */
function recurrence(reverse: boolean): ClosedJaxpr {
  const body = build([f32(), f32()], (o, [c, x]) =>
    c === undefined || x === undefined ? [] : [o.sin(o.add(c, x)), o.mul(c, x)],
  );
  return build([f32(), f32(4)], (o, inputs) => {
    const [last, ys] = o.bind(scan, inputs, {
      reverse,
      length: 4,
      jaxpr: body,
      num_consts: 0,
      num_carry: 1,
      linear: [false, false],
      unroll: 1,
    });
    return last === undefined || ys === undefined ? [] : [o.add(last, o.reduceSum(ys, [0]))];
  });
}

const point = [[0.2], [0.3, -0.5, 0.9, 0.4]];

describe.each([false, true])("a scan exported as a loop, reverse %s", (reverse) => {
  const original = recurrence(reverse);
  const exported = optimize(original, { level: "required" });
  const raised = raiseLoops(exported);

  test("is a scan over rows again", () => {
    expect(primitives(exported)).toContain("while");
    expect(primitives(raised)).not.toContain("while");
    const equation = raised.jaxpr.equations.find(({ primitive }) => primitive.name === "scan");
    expect(equation?.params).toMatchObject({ length: 4, num_consts: 0, num_carry: 1 });
  });

  test("has the same values and derivatives", async () => {
    expectNear(await evaluate(raised, point), await evaluate(original, point));
    for (const argument of [0, 1]) {
      const wanted = await evaluate(gradient(original, argument), point);
      expectNear(await evaluate(gradient(raised, argument), point), wanted);
    }
  });
});

/** A loop from `start` to `limit` with carried (counter, x); the body may use all three. */
function counting(start: number, limit: number, step: number): ClosedJaxpr {
  const condition = build([i32(), f32()], (o, [i]) =>
    i === undefined ? [] : [o.lt(i, o.literal(limit, "int32"))],
  );
  const body = build([f32(6), i32(), f32()], (o, [w, i, x]) => {
    if (w === undefined || i === undefined || x === undefined) return [];
    const [weight] = [o.reshape(o.dynamicSlice(w, [i], [1]), [])];
    const scaled = o.mul(o.convertElementType(i, "float32"), x);
    return [o.add(i, o.literal(step, "int32")), o.add(o.mul(weight, x), scaled)];
  });
  return build([f32(6), f32()], (o, [w, x]) => {
    if (w === undefined || x === undefined) return [];
    return o.while(condition, [], body, [w], [o.literal(start, "int32"), x]).slice(1);
  });
}

describe("counting loops", () => {
  const args = [[1, 2, 3, 4, 5, 6], [0.5]];

  test("rows may start anywhere, and the counter is a value", async () => {
    const raised = raiseLoops(counting(1, 4, 1));
    expect(primitives(raised)).toContain("scan");
    // ((0.5 (2 + 1)) (3 + 2)) (4 + 3)
    expectNear(await evaluate(raised, args), [[52.5]]);
    expectNear(await evaluate(gradient(raised, 1), args), [[105]]);
    expectNear(await evaluate(gradient(raised, 0), args), [[0, 17.5, 10.5, 7.5, 0, 0]]);
  });

  test("a loop without trips is its initial value", async () => {
    expectNear(await evaluate(raiseLoops(counting(4, 1, 1)), args), [[0.5]]);
  });

  test("rows out of bounds are clamped, as in the loop", async () => {
    const loop = counting(4, 7, 1);
    expectNear(await evaluate(raiseLoops(loop), args), await evaluate(loop, args));
  });

  test("other steps stay a loop", () => {
    expect(primitives(raiseLoops(counting(0, 4, 2)))).toContain("while");
  });
});
