// First and second derivatives of decompositions by reverse mode, against numbers of JAX 0.10. What
// is summed does not depend on signs of vectors, which are free.
import { describe, expect, test } from "vitest";
import { cholesky } from "../../primitives/linalg/cholesky.js";
import { eig } from "../../primitives/linalg/eig.js";
import { eigh } from "../../primitives/linalg/eigh.js";
import { lu } from "../../primitives/linalg/lu.js";
import { qr } from "../../primitives/linalg/qr.js";
import { svd } from "../../primitives/linalg/svd.js";
import { triangularSolve } from "../../primitives/linalg/triangularSolve.js";
import { fromNumbers } from "../../src/ir/hostArray.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../src/ir/ops.js";
import { batchProgram, jvpProgram } from "../../src/transform/index.js";
import { at, build, evaluate, expectNear, f32, gradient } from "./programs.js";

const positive = [4, 1, 0.5, 1, 3, -0.2, 0.5, -0.2, 2];
const general = [1, 2, -0.3, 0.4, -1.2, 0.8, 0.6, 0.5, 1.7];
const weights = fromNumbers("float32", [3, 3], [0.3, -0.5, 0.2, 0.7, 0.1, -0.4, 0.2, 0.6, 0.9]);
const signs = fromNumbers("float32", [3], [1, 2, -1]);

const sum = (o: Ops, x: Value): Value =>
  o.reduceSum(
    x,
    x.aval.shape.map((_, axis) => axis),
  );
const weighted = (o: Ops, x: Value): Value => sum(o, o.mul(o.constant(weights), x));
const matmul = (o: Ops, x: Value, y: Value): Value =>
  o.dotGeneral(x, y, {
    dimension_numbers: [
      [[1], [0]],
      [[], []],
    ],
    precision: null,
    preferred_element_type: null,
  });
const asColumns = (o: Ops, x: Value): Value => o.broadcastInDim(x, [3, 3], [1]);

/** What JAX's functions do with their argument first. */
const symmetrized = (o: Ops, a: Value): Value =>
  o.mul(o.literal(0.5, "float32"), o.add(a, o.transpose(a, [1, 0])));

type Loss = (o: Ops, a: Value) => Value;

const losses: Readonly<Record<string, Loss>> = {
  cholesky: (o, a) => {
    return weighted(o, lower(o, at(o.bind(cholesky, [symmetrized(o, a)], {}), 0)));
  },
  eighValues: (o, a) => {
    const w = at(o.bind(eigh, [a], eighParams), 1);
    return sum(o, o.mul(o.constant(signs), o.square(w)));
  },
  eighVectors: (o, a) => {
    const [v, w] = o.bind(eigh, [symmetrized(o, a)], eighParams);
    if (v === undefined || w === undefined) return a;
    const scaled = o.mul(v, asColumns(o, o.sin(w)));
    return weighted(o, matmul(o, scaled, o.transpose(v, [1, 0])));
  },
  svdValues: (o, a) => {
    const s = at(o.bind(svd, [a], { ...svdParams, compute_uv: false }), 0);
    return sum(o, o.mul(o.constant(signs), o.square(s)));
  },
  svdVectors: (o, a) => {
    const [s, u, vt] = o.bind(svd, [a], svdParams);
    if (s === undefined || u === undefined || vt === undefined) return a;
    return weighted(o, matmul(o, o.mul(u, asColumns(o, o.sin(s))), vt));
  },
  lu: (o, a) => weighted(o, at(o.bind(lu, [a], {}), 0)),
  qr: (o, a) => {
    const [q, r] = o.bind(qr, [a], qrParams);
    if (q === undefined || r === undefined) return a;
    return o.add(weighted(o, q), weighted(o, o.square(r)));
  },
  triangularSolve: (o, a) => {
    const x = at(o.bind(triangularSolve, [a, o.constant(weights)], solveParams), 0);
    return weighted(o, o.square(x));
  },
};

const eighParams = {
  lower: true,
  sort_eigenvalues: true,
  subset_by_index: null,
  algorithm: null,
} as const;
const svdParams = {
  full_matrices: true,
  compute_uv: true,
  subset_by_index: null,
  algorithm: null,
} as const;
const qrParams = { pivoting: false, full_matrices: true, use_magma: null } as const;
const solveParams = {
  left_side: true,
  lower: true,
  transpose_a: false,
  conjugate_a: false,
  unit_diagonal: false,
} as const;

function lower(o: Ops, x: Value): Value {
  const keep = o.ge(o.iota("int32", [3, 3], 0), o.iota("int32", [3, 3], 1));
  return o.selectN(keep, o.full([3, 3], 0, "float32"), x);
}

const program = (loss: Loss): ClosedJaxpr =>
  build([f32(3, 3)], (o, [a]) => (a === undefined ? [] : [loss(o, a)]));

/** The gradient of the weighted sum of the gradient. */
function second(first: ClosedJaxpr): ClosedJaxpr {
  const directional = build([f32(3, 3)], (o, inputs) =>
    o.call("gradient", first, inputs).map((value) => weighted(o, value)),
  );
  return gradient(directional, 0);
}

describe("derivatives of decompositions", () => {
  test.each([
    [
      "cholesky",
      positive,
      [0.047327, 0.13354, -0.045692, 0.13354, 0.056092, 0.219498, -0.045692, 0.219498, 0.326542],
      [
        0.001539, -0.011919, -0.002799, -0.011919, -0.006847, -0.017599, -0.002799, -0.017599,
        -0.074515,
      ],
    ],
    [
      "eighValues",
      positive,
      [-4.921628, -7.51736, 0.067728, -7.51736, 4.42064, -3.676898, 0.067728, -3.676898, 5.168205],
      [
        -1.562553, 0.971908, -1.436381, 0.971908, 0.065268, -2.002107, -1.436381, -2.002107,
        3.075665,
      ],
    ],
    [
      "eighVectors",
      positive,
      [
        -0.005428, 0.031833, -0.221306, 0.031833, -0.005105, 0.065094, -0.221306, 0.065094,
        -0.339522,
      ],
      [0.182699, 0.054664, 0.122879, 0.054664, 0.017732, 0.005261, 0.122879, 0.005261, -0.618369],
    ],
    [
      "svdValues",
      general,
      [1.059015, 4.392417, -0.065252, -0.187767, -1.76206, 3.958699, 3.417484, 0.607498, 6.37263],
      [
        -2.534307, -0.513512, -2.781545, -1.069542, -0.641732, 2.26508, 0.315623, -2.601209,
        2.755562,
      ],
    ],
    [
      "svdVectors",
      general,
      [
        0.242537, 0.150596, -0.52821, 0.374926, -0.483164, -0.252688, -0.395608, -0.126153,
        -0.172195,
      ],
      [
        -0.228936, -0.143293, 0.040929, -0.211563, 0.264985, 0.066975, -0.126297, -0.392657,
        -0.930745,
      ],
    ],
    [
      "lu",
      general,
      [0.00868, -0.59244, -0.054, 0.3653, 0.0601, -0.715, 0.242, 0.114, 0.9],
      [-0.306273, 0.022282, 0.18772, -0.042863, 0.131529, 0.52245, 0.17784, -0.18672, 0],
    ],
    [
      "qr",
      general,
      [
        0.924916, -1.888923, -0.33567, 4.226239, -1.463059, -1.374303, -2.839017, 1.090243,
        2.168985,
      ],
      [0.498514, 1.151202, -1.379399, -4.566894, 0.892864, 1.532682, -0.832993, 0.174038, 3.252071],
    ],
    [
      "triangularSolve",
      general,
      [0.161239, 0, 0, -0.14763, 0.167716, 0, 0.129689, -0.020592, -0.385438],
      [-0.074052, 0, 0, 0.118035, -0.076264, 0, -0.086884, 0.205482, 0.587788],
    ],
  ])("%s", async (name, point, wantedFirst, wantedSecond) => {
    const loss = losses[name];
    if (loss === undefined) throw new Error(`no loss ${name}`);
    const first = gradient(program(loss), 0);
    expectNear(await evaluate(first, [point]), [wantedFirst], 5e-4);
    expectNear(await evaluate(second(first), [point]), [wantedSecond], 2e-3);
  });

  test("vmap of a gradient", async () => {
    const first = gradient(
      program((o, a) => losses.qr?.(o, a) ?? a),
      0,
    );
    const { program: rows } = batchProgram(first, 2, [0], [0]);
    const wanted = at(await evaluate(first, [general]), 0);
    const found = at(await evaluate(rows, [[...general, ...general]]), 0);
    expectNear([found], [[...wanted, ...wanted]]);
  });

  test("what JAX refuses", () => {
    const full = build([f32(4, 3)], (o, inputs) => o.bind(svd, inputs, svdParams));
    expect(() => jvpProgram(full, [true])).toThrow(
      "Singular value decomposition JVP not implemented for full matrices",
    );
    const vectors = build([f32(3, 3)], (o, inputs) =>
      o.bind(eig, inputs, {
        compute_left_eigenvectors: false,
        compute_right_eigenvectors: true,
        enable_eigvec_derivs: false,
        implementation: null,
      }),
    );
    expect(() => jvpProgram(vectors, [true])).toThrow(/enable_eigvec_derivs=True/);
  });
});
