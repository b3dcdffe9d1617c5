// Loops, branches, functions with rules of their own and collectives, against what JAX computes.
import { test } from "vitest";
import "../../src/run/install.js";
import {
  checkpoint,
  customJvp,
  customVjp,
  grad,
  hessian,
  jit,
  jvp,
  vmap,
} from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { describeOnBackend } from "../support/backends.js";
import { data, expectRecorded, f32 } from "./recorded.js";

const sum = (x: ArrayValue): ArrayValue =>
  lax.reduceSum(
    x,
    x.shape.map((_, axis) => axis),
  );

const affine = (c: ArrayValue, x: ArrayValue): [ArrayValue, ArrayValue] => {
  const y = lax.sin(lax.add(lax.mul(c, 0.7), x));
  return [y, lax.mul(y, y)];
};

const last = (x0: ArrayValue, xs: ArrayValue): ArrayValue => {
  const [c, ys] = lax.scan(affine, x0, xs);
  return lax.add(c, sum(ys));
};

function body(): void {
  test("scan, map and loops", () => {
    const xs = data([4]);
    const x0 = f32(0.3);
    const total = jit((n: ArrayValue) => lax.foriLoop(0n, n, (i, c) => lax.add(c, i), 0n));
    expectRecorded("scan", [
      lax.scan(affine, x0, xs),
      lax.scan(affine, x0, xs, { reverse: true }),
      lax.scan((c) => [lax.mul(c, 2), c], 1, null, { length: 4 }),
      lax.scan(
        ([a, b], { a: x }) => [[lax.add(a, x), lax.mul(b, 0.5)], { y: lax.mul(a, b) }],
        [0, new Float32Array([1, 1])],
        { a: xs },
      ),
      lax.scan(affine, x0, xs, { unroll: 2 }),
      lax.map((x) => lax.mul(x, x), xs),
      lax.map((x) => lax.mul(x, x), data([5]), { batchSize: 2 }),
      lax.foriLoop(
        0,
        5,
        (i, c) => lax.add(lax.mul(c, 1.5), lax.convertElementType(i, "float32")),
        1,
      ),
      lax.foriLoop(3, 1, (_i, c) => lax.mul(c, 2), 1),
      total(5n),
      lax.whileLoop(
        (c) => lax.lt(c, 100),
        (c) => lax.mul(c, 3),
        1n,
      ),
      lax.associativeScan((a, b) => lax.mul(a, b), lax.add(data([7]), 1.5)),
      lax.associativeScan((a, b) => lax.add(a, b), data([3, 4]), { reverse: true, axis: 1 }),
    ]);
  });

  test("derivatives of scans, up to the third", () => {
    const xs = data([4]);
    const x0 = f32(0.3);
    const first = grad(last);
    const second = grad(first);
    expectRecorded(
      "scan derivatives",
      [
        grad(last, { argnums: [0, 1] })(x0, xs),
        second(x0, xs),
        grad(second)(x0, xs),
        hessian((rows: ArrayValue) => last(x0, rows))(xs),
        jvp(last, [x0, xs], [f32(1), xs]),
        vmap(first, { inAxes: [0, null] })(data([3]), xs),
        vmap(grad(jit(last)), { inAxes: [null, 0] })(x0, data([2, 4])),
        jit(vmap(first, { inAxes: [0, null] }))(data([3]), xs),
        grad((x: ArrayValue) => lax.foriLoop(0, 3, (_i, c) => lax.mul(lax.sin(c), x), x))(x0),
        grad((x: ArrayValue) => sum(lax.map((y) => lax.sin(lax.mul(x, y)), xs)))(x0),
        grad((x: ArrayValue) => sum(lax.associativeScan((a, b) => lax.mul(a, b), x)))(xs),
      ],
      1e-4,
    );
  });

  test("branches", () => {
    const pick = (p: ArrayLike, x: ArrayValue): ArrayValue =>
      lax.cond(
        p,
        (y) => lax.sin(y),
        (y) => lax.mul(y, y),
        x,
      );
    const three = (i: ArrayLike, x: ArrayValue): ArrayValue =>
      lax.switch(i, [lax.sin, lax.cos, (y: ArrayValue) => lax.mul(lax.mul(y, y), y)], x);
    const x = f32(0.7);
    const closed = (y: ArrayValue): ArrayValue =>
      lax.cond(
        lax.gt(y, 0),
        () => lax.mul(y, y),
        () => lax.neg(y),
      );
    const slope = grad((p: ArrayValue, y: ArrayValue) => pick(p, y), { argnums: 1 });
    const bend = grad((p: ArrayValue, y: ArrayValue) => slope(p, y), { argnums: 1 });
    const index = new Int32Array([-1, 0, 1, 2, 5]);
    const truths = lax.gt(new Float32Array([1, -1]), 0);
    expectRecorded("branches", [
      pick(true, x),
      pick(false, x),
      pick(2, x),
      [-3, 0, 1, 2, 9].map((i) => three(i, x)),
      slope(true, x),
      bend(true, x),
      vmap(pick)(truths, data([2])),
      vmap(slope)(truths, data([2])),
      vmap(pick, { inAxes: [null, 0] })(true, data([2])),
      vmap(three, { inAxes: [0, null] })(index, x),
      vmap(grad(three, { argnums: 1 }), { inAxes: [0, null] })(index, x),
      grad(closed)(x),
      grad(closed)(lax.neg(x)),
    ]);
  });

  test("whileLoop, with conditions that differ in a batch", () => {
    const steps = (x: ArrayValue): [ArrayValue, ArrayValue] =>
      lax.whileLoop(
        ([, c]) => lax.lt(c, 10),
        ([i, c]) => [lax.add(i, 1), lax.mul(c, x)],
        [lax.full([], 0, "int32"), f32(1)],
      );
    const xs = new Float32Array([1.5, 2, 3]);
    const size = (x: ArrayValue): ArrayValue => steps(x)[1];
    expectRecorded("whileLoop", [
      steps(f32(1.5)),
      vmap(steps)(xs),
      vmap((n: ArrayValue) => lax.foriLoop(0, n, (_i, c) => lax.mul(c, 2), f32(1)))(
        lax.iota("int32", 4),
      ),
      jvp(size, [f32(1.5)], [f32(1)]),
      vmap((x: ArrayValue) => jvp(size, [x], [f32(1)])[1])(xs),
    ]);
  });

  test("customJvp", () => {
    const softplus = customJvp((x: ArrayValue) => lax.log(lax.add(1, lax.exp(x))));
    softplus.defjvp(([x], [t]) => [softplus(x), lax.mul(t, lax.logistic(x))]);
    const product = customJvp((x: ArrayValue, y: ArrayValue) => lax.mul(lax.sin(x), y));
    product.defjvps(
      (t: ArrayValue, _result: ArrayValue, x: ArrayValue, y: ArrayValue) =>
        lax.mul(lax.mul(lax.mul(2, lax.cos(x)), y), t),
      (t: ArrayValue, _result: ArrayValue, x: ArrayValue) => lax.mul(lax.sin(x), t),
    );
    const first = grad(softplus);
    const looped = grad(
      (x: ArrayValue) => lax.scan((c, y) => [softplus(lax.mul(c, y)), c], x, data([3]))[0],
    );
    const x = f32(0.4);
    expectRecorded(
      "customJvp",
      [
        softplus(x),
        first(x),
        first(100),
        grad(first)(x),
        grad(grad(first))(x),
        jvp(softplus, [x], [f32(2)]),
        vmap(first)(data([3])),
        vmap(grad(jit(softplus)))(data([3])),
        grad(product, { argnums: [0, 1] })(x, 3),
        looped(x),
        grad(looped)(x),
      ],
      1e-4,
    );
  });

  test("customVjp", () => {
    const f = customVjp((x: ArrayValue, y: ArrayValue) => lax.mul(lax.sin(x), y));
    f.defvjp(
      (x, y) => [f(x, y), { c: lax.cos(x), s: lax.sin(x), y }],
      ({ c, s, y }, g) => [lax.mul(lax.mul(lax.mul(2, c), y), g), lax.mul(s, g)],
    );
    const [x, y] = [f32(0.4), f32(3)];
    const both = grad(f, { argnums: [0, 1] });
    expectRecorded("customVjp", [
      f(x, y),
      both(x, y),
      grad(grad(f))(x, y),
      vmap(both, { inAxes: [0, null] })(data([3]), y),
      grad((z: ArrayValue) => sum(vmap(f, { inAxes: [0, null] })(data([3]), z)))(y),
      grad((z: ArrayValue) => lax.scan((c, w) => [f(c, w), c], z, data([3]))[0])(x),
      jit(grad(f))(x, y),
    ]);
  });

  test("solutions with implicit derivatives", () => {
    const places = (axis: number): ArrayValue => lax.broadcastedIota("int32", [3, 3], axis);
    const eye = lax.convertElementType(lax.eq(places(0), places(1)), "float32");
    const a = lax.add(data([3, 3]), lax.mul(eye, 3));
    const b = data([3], 2);
    const solve = (m: ArrayValue, right: ArrayValue): ArrayValue => {
      const t = lax.select(lax.le(places(0), places(1)), m, 0);
      return lax.customLinearSolve(
        (x) => lax.dot(t, x),
        right,
        (_matvec, y) => lax.linalg.triangularSolve(t, y, { leftSide: true }),
        {
          transposeSolve: (_vecmat, y) =>
            lax.linalg.triangularSolve(t, y, { leftSide: true, transposeA: true }),
        },
      );
    };
    const loss = (m: ArrayValue, y: ArrayValue): ArrayValue => sum(lax.square(solve(m, y)));
    const root = (square: ArrayValue): ArrayValue =>
      lax.customRoot(
        (x) => lax.sub(lax.mul(x, x), square),
        1,
        (f, guess) =>
          lax.foriLoop(
            0,
            12,
            (_i, x) => lax.sub(x, lax.div(f(x) as ArrayValue, lax.mul(2, x))),
            guess,
          ),
        (g, y) => lax.div(y, g(f32(1)) as ArrayValue),
      );
    const slope = grad(loss);
    const squares = new Float32Array([2, 9]);
    expectRecorded(
      "solves",
      [
        solve(a, b),
        grad(loss, { argnums: [0, 1] })(a, b),
        grad((y: ArrayValue) => sum(slope(a, y)))(b),
        jvp(solve, [a, b], [lax.mul(a, a), b]),
        vmap(slope, { inAxes: [null, 0] })(a, data([2, 3])),
        vmap(root)(squares),
        vmap(grad(root))(squares),
        grad(grad(root))(9),
      ],
      1e-4,
    );
  });

  test("collectives", () => {
    const [x, m] = [data([3]), data([3, 3])];
    const mapped = (f: (row: ArrayValue) => unknown, rows: ArrayLike): unknown =>
      vmap(f, { axisName: "i" })(rows);
    const turn = [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const;
    const sums = (row: ArrayValue): ArrayValue => lax.psum(lax.mul(row, row), "i");
    const nested = (f: (row: ArrayValue) => ArrayValue): unknown =>
      vmap((row: ArrayValue) => vmap(f, { axisName: "j" })(row), { axisName: "i" })(m);
    const index = (): ArrayValue => lax.convertElementType(lax.axisIndex("i"), "float32");
    expectRecorded(
      "collectives",
      [
        mapped(sums, x),
        mapped((row) => lax.pmean(row, "i"), m),
        mapped((row) => lax.pmax(row, "i"), m),
        mapped((row) => lax.pmin(row, "i"), m),
        mapped((row) => lax.allGather(row, "i", { axis: 1 }), m),
        mapped((row) => lax.allGather(row, "i", { tiled: true }), m),
        mapped((row) => lax.psumScatter(row, "i"), m),
        mapped((row) => lax.psumScatter(row, "i", { tiled: true }), m),
        mapped((row) => lax.ppermute(row, "i", turn), m),
        mapped((row) => lax.allToAll(row, "i", 0, 0), m),
        mapped((row) => lax.allToAll(row, "i", 0, 1, { tiled: true }), data([3, 3, 2])),
        mapped((row) => lax.mul(row, index()), x),
        mapped(grad(sums), x),
        grad((rows: ArrayValue) => sum(mapped(sums, rows) as ArrayValue))(x),
        mapped((row) => jvp(sums, [row], [row]), x),
        mapped(
          grad((row: ArrayValue) => sum(lax.square(lax.allGather(row, "i")))),
          x,
        ),
        mapped(
          grad((row: ArrayValue) => lax.ppermute(lax.mul(row, row), "i", turn)),
          x,
        ),
        mapped(
          grad((row: ArrayValue) => sum(lax.mul(lax.square(lax.allToAll(row, "i", 0, 0)), row))),
          m,
        ),
        mapped((row) => lax.foriLoop(0, 2, (_i, c) => lax.add(c, lax.psum(c, "i")), row), x),
        nested((row) => lax.psum(row, ["i", "j"])),
        nested((row) => lax.psum(row, "i")),
      ],
      1e-4,
    );
  });

  test("checkpoint changes no number", () => {
    const xs = data([4]);
    const kept = checkpoint(last);
    const plain = grad(last, { argnums: [0, 1] })(f32(0.3), xs);
    const again = grad(kept, { argnums: [0, 1] })(f32(0.3), xs);
    const [a, b] = [plain, again].map((parts) => parts.map((part) => Array.from(part.dataSync())));
    if (String(a) !== String(b)) throw new Error(`${String(a)} and ${String(b)}`);
  });
}

for (const backend of ["cpu", "wasm"] as const) describeOnBackend(backend, body);
