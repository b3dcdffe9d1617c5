// Derivatives and batching of `scan`, against numbers of JAX 0.10.
import { describe, expect, test } from "vitest";
import { scan } from "../../primitives/scan.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import { batchProgram, jvpProgram, vjpProgram } from "../../src/transform/index.js";
import { at, build, evaluate, expectNear, f32, gradient } from "./programs.js";

const names = ["forwards", "reverse"] as const;
type Direction = (typeof names)[number];

/** The body `(w, c, s, x) -> (sin(c w + x), s + (c x)^2, c x)`. */
const step = build([f32(), f32(), f32(), f32()], (o, inputs) => {
  const [w, c, s, x] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(inputs, 3)];
  const y = o.mul(c, x);
  return [o.sin(o.add(o.mul(c, w), x)), o.add(s, o.mul(y, y)), y];
});

/** From (c0, xs, w) to (last c, sum of squares, ys). */
function recurrence(direction: Direction): ClosedJaxpr {
  return build([f32(), f32(3), f32()], (o, [c0, xs, w]) => {
    if (c0 === undefined || xs === undefined || w === undefined) return [];
    return o.bind(scan, [w, c0, o.literal(0, "float32"), xs], {
      reverse: direction === "reverse",
      length: 3,
      jaxpr: step,
      num_consts: 1,
      num_carry: 2,
      linear: [false, false, false, false],
      unroll: 1,
    });
  });
}

/** The last carried value and the sum of squares, added. */
function loss(direction: Direction): ClosedJaxpr {
  const program = recurrence(direction);
  return build([f32(), f32(3), f32()], (o, inputs) => {
    const [c, s] = o.call("recurrence", program, inputs);
    return c === undefined || s === undefined ? [] : [o.add(c, s)];
  });
}

const point = [[0.3], [0.1, -0.4, 0.7], [1.3]];

const recorded = {
  forwards: {
    values: [
      [0.82674855],
      [0.03 ** 2 + 0.18825036 ** 2 + 0.14716335 ** 2],
      [0.03, -0.18825036, 0.14716335],
    ],
    gradients: [[1.5452602], [1.2020463, 0.7392316, 0.6244489], [0.9047774]],
    second: 0.5549358,
    third: -6.8886538,
    directional: [[5.354406], [0.4, 0.07656569, 4.083647]],
    rows: [0.9047774, -0.14890194],
    secondRows: [0.5549358, 0.89198637],
  },
  reverse: {
    values: [
      [0.83526504],
      [0.06835498 ** 2 + 0.3546508 ** 2 + 0.21 ** 2],
      [0.06835498, -0.3546508, 0.21],
    ],
    gradients: [[0.88017017], [0.6432955, -0.09717087, 0.5769001], [0.98255104]],
    second: -2.0249743,
    third: -7.881044,
    directional: [[3.4084315], [1.0571723, 0.95003, 1.6]],
    rows: [0.98255104, 0.4462972],
    secondRows: [-2.0249743, 1.879086],
  },
};

describe.each(names)("scan, %s", (direction) => {
  const wanted = recorded[direction];

  test.each(["required", "full"] as const)("values at level %s", async (level) => {
    expectNear(await evaluate(recurrence(direction), point, { level }), wanted.values);
  });

  test("jvp", async () => {
    const { program, outputTangents } = jvpProgram(recurrence(direction), [true, true, true]);
    expect(outputTangents).toEqual([true, true, true]);
    const results = await evaluate(program, [...point, [1], [1, 2, 3], [0.5]]);
    expectNear([at(results, 3), at(results, 5)], wanted.directional);
  });

  test("vjp with cotangents of stacked results", async () => {
    const { program } = vjpProgram(recurrence(direction), [true, true, true]);
    const ys = at(wanted.values, 2).map((y) => 2 * y);
    for (const unrollBudget of [0, 2000]) {
      const options = { level: "full", unrollBudget } as const;
      const results = await evaluate(program, [...point, [1], [0], ys], options);
      expectNear(results.slice(3), wanted.gradients);
    }
  });

  test("first to third derivative by reverse mode", async () => {
    const first = gradient(loss(direction), 2);
    const second = gradient(first, 2);
    const third = gradient(second, 2);
    expectNear(await evaluate(first, point), [at(wanted.gradients, 2)]);
    expectNear(await evaluate(second, point), [[wanted.second]]);
    expectNear(await evaluate(third, point), [[wanted.third]], 1e-3);
  });

  test("vmap of the first and second derivative", async () => {
    const first = gradient(loss(direction), 2);
    const rows = [at(point, 0), at(point, 1), [1.3, 0.5]];
    const dims = [null, null, 0];
    expectNear(await evaluate(batchProgram(first, 2, dims, [0]).program, rows), [wanted.rows]);
    const second = batchProgram(gradient(first, 2), 2, dims, [0]).program;
    expectNear(await evaluate(second, rows), [wanted.secondRows]);
  });

  test("the derivative of vmap", async () => {
    const batched = batchProgram(loss(direction), 2, [null, 0, null], [0]).program;
    const { program } = vjpProgram(batched, [false, true, false]);
    const xs = at(point, 1);
    const both = [at(point, 0), [...xs, ...xs.map((x) => 2 * x)], at(point, 2), [1, 1]];
    const [, rows = []] = await evaluate(program, both);
    expectNear([rows.slice(0, 3)], [at(wanted.gradients, 1)]);
  });
});

test("residuals that are the same in all steps are not stacked", () => {
  const { program } = vjpProgram(loss("forwards"), [true, false, false]);
  const scans = program.jaxpr.equations.filter(({ primitive }) => primitive.name === "scan");
  expect(scans).toHaveLength(2);
  // Per step: cos(c w + x) and c x; w and x are there already.
  const stacked = at(scans, 0).outputs.filter(({ aval }) => aval.shape.length === 1);
  expect(stacked.length).toBeLessThanOrEqual(4);
});

test("a body of other types is refused in JAX's words", () => {
  const wrong = build([f32(), f32()], (o, [c, x]) =>
    c === undefined || x === undefined ? [] : [o.full([2], 0, "float32"), o.add(c, x)],
  );
  const bind = (length: number): ClosedJaxpr =>
    build([f32(), f32(3)], (o, inputs) =>
      o.bind(scan, inputs, {
        reverse: false,
        length,
        jaxpr: wrong,
        num_consts: 0,
        num_carry: 1,
        linear: [false, false],
        unroll: 1,
      }),
    );
  expect(() => bind(3)).toThrow(/carry input and carry output must have the same type structure/);
  expect(() => bind(4)).toThrow(/disagrees with leading axis sizes/);
});
