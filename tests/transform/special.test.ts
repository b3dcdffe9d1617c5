// Derivatives of special functions, against numbers of JAX 0.10.
import { describe, expect, test } from "vitest";
import * as incomplete from "../../primitives/incomplete.js";
import * as special from "../../primitives/special.js";
import type { NoParams } from "../../src/ir/params.js";
import type { Primitive } from "../../src/ir/primitive.js";
import { jvpProgram, vjpProgram } from "../../src/transform/index.js";
import { at, build, evaluate, expectNear, f32 } from "./programs.js";

const a = [0.5, 2.3, 7.1];
const x = [0.4, 3.1, 5.2];
const b = [1.5, 0.7, 3.2];
const p = [0.2, 0.5, 0.8];

/** The `order`-th elementwise derivative by one argument, by reverse mode. */
async function derivative(
  primitive: Primitive<NoParams>,
  args: readonly (readonly number[])[],
  argument: number,
  order: number,
): Promise<readonly number[]> {
  const types = args.map(() => f32(3));
  let program = build(types, (o, inputs) => o.bind(primitive, inputs, {}));
  for (let step = 0; step < order; step++) {
    const active = types.map((_, index) => index === argument);
    const pulled = vjpProgram(program, active).program;
    program = build(types, (o, inputs) =>
      o.call("vjp", pulled, [...inputs, o.full([3], 1, "float32")]).slice(1),
    );
  }
  return at(await evaluate(program, args), 0);
}

describe("derivatives of special functions", () => {
  test.each([
    ["igamma", incomplete.igamma, [a, x], 0, 1, [-0.709535, -0.208992, -0.129139]],
    ["igamma", incomplete.igamma, [a, x], 1, 1, [0.597967, 0.168071, 0.14801]],
    ["igamma", incomplete.igamma, [a, x], 1, 2, [-1.345426, -0.09759, 0.025617]],
    ["igammac", incomplete.igammac, [a, x], 0, 1, [0.709535, 0.208992, 0.129139]],
    ["igammac", incomplete.igammac, [a, x], 1, 1, [-0.597967, -0.168071, -0.14801]],
    [
      "regularized_incomplete_beta",
      incomplete.regularizedIncompleteBeta,
      [a, b, p],
      2,
      1,
      [1.273239, 0.660303, 2.52793],
    ],
    ["polygamma", incomplete.polygamma, [[1, 2, 1], x], 1, 1, [-32.239136, 0.106283, -0.04477]],
    ["bessel_i0e", incomplete.besselI0e, [x], 0, 1, [-0.560639, -0.043621, -0.018366]],
    ["bessel_i1e", incomplete.besselI1e, [x], 0, 1, [0.218731, -0.019248, -0.012669]],
    ["bessel_i1e", incomplete.besselI1e, [x], 0, 2, [-0.471427, 0.002117, 0.002707]],
    ["erf_inv", special.erfInv, [p], 0, 2, [0.300052, 1.180747, 7.355553]],
    ["lgamma", special.lgamma, [x], 0, 3, [-32.239136, -0.142868, -0.04477]],
  ] as const)("%s (%#)", async (_name, primitive, args, argument, order, wanted) => {
    expectNear([await derivative(primitive, args, argument, order)], [wanted], 3e-4);
  });

  test("samples of the gamma distribution by their parameter", async () => {
    const program = build([f32(3), f32(3)], (o, inputs) =>
      o.bind(incomplete.randomGammaGrad, inputs, {}),
    );
    expectNear(await evaluate(program, [a, x]), [[1.186579, 1.243473, 0.872505]]);
  });

  test.each([
    [incomplete.regularizedIncompleteBeta, 3, /gradient with respect to a and b not supported/],
    [incomplete.polygamma, 2, /gradient with respect to m is not supported/],
    [incomplete.zeta, 2, /zeta has no derivative in JAX/],
  ] as const)("what JAX refuses (%#)", (primitive, count, message) => {
    const types = Array.from({ length: count }, () => f32());
    const program = build(types, (o, inputs) => o.bind(primitive, inputs, {}));
    const active = types.map((_, index) => index === 0);
    expect(() => jvpProgram(program, active)).toThrow(message);
  });

  test("nothing flows through nextafter", () => {
    const program = build([f32(), f32()], (o, inputs) => o.bind(special.nextafter, inputs, {}));
    expect(() => jvpProgram(program, [true, true])).toThrow(/nextafter/);
  });
});
