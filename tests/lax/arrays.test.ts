// Functions of `lax` on arrays, against what JAX computes.
import { expect, test } from "vitest";
import "../../src/run/install.js";
import * as lax from "../../src/lax/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { describeOnBackend } from "../support/backends.js";
import { data, expectRecorded, ints, namesOf } from "./recorded.js";

type Function = (...args: readonly ArrayLike[]) => ArrayValue;

const camelCase = (name: string): string =>
  name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function functionOf(name: string): Function {
  const found: unknown = (lax as Readonly<Record<string, unknown>>)[camelCase(name)];
  if (typeof found !== "function") throw new Error(`lax has no ${camelCase(name)}`);
  return found as Function;
}

const positive = new Set(["log", "log1p", "sqrt", "rsqrt", "acosh", "lgamma", "digamma"]);
const parametric = new Set(["igamma", "igammac"]);

/** The arguments that the script calls a function of one family with. */
function argumentsOf(family: string, name: string): readonly ArrayLike[] {
  switch (family) {
    case "unary":
      return [positive.has(name) ? lax.add(data([5]), 2.5) : lax.mul(data([5]), 0.9)];
    case "binary":
      if (parametric.has(name)) return [lax.add(data([4]), 2), lax.add(data([4], 1), 2)];
      return [data([2, 3]), data([2, 3], 1)];
    default:
      if (["bitwise_not", "population_count", "clz"].includes(name)) return [ints([6])];
      return [ints([6]), lax.add(ints([6], 5), 3)];
  }
}

for (const backend of ["cpu", "wasm"] as const)
  describeOnBackend(backend, () => {
    test.each(["unary", "binary", "integer"])("%s functions", (family) => {
      for (const name of namesOf(family)) {
        const short = name.slice(family.length + 1);
        expectRecorded(name, functionOf(short)(...argumentsOf(family, short)), 1e-4);
      }
    });

    test("the other elementwise functions, and numbers that take types", () => {
      const [x, y] = [data([4]), data([4], 2)];
      const z = lax.complex(x, y);
      expectRecorded("elementwise/rest", [
        lax.round(lax.mul(x, 3)),
        lax.round(lax.mul(x, 3), { roundingMethod: "TO_NEAREST_EVEN" }),
        lax.pow(x, 2),
        lax.pow(lax.add(x, 2), y),
        lax.integerPow(x, -3),
        lax.reciprocal(x),
        lax.betainc(lax.add(x, 2), lax.add(y, 2), new Float32Array([0.1, 0.4, 0.6, 0.9])),
        lax.real(lax.mul(z, z)),
        lax.imag(lax.conj(z)),
        lax.select(lax.gt(x, y), x, y),
        lax.selectN(new Int32Array([0, 1, 2, 1]), x, y, lax.add(x, y)),
        lax.clamp(-0.5, x, 0.5),
        lax.convertElementType(lax.mul(x, 10), "int32"),
        lax.bitcastConvertType(x, "int32"),
        lax.reducePrecision(x, 5, 4),
        lax.add(x, 2),
        lax.mul(ints([3]), 2),
      ]);
    });

    test("shapes", () => {
      const x = data([2, 3]);
      expectRecorded("shapes", [
        lax.full([2, 2], 7, "int32"),
        lax.fullLike(x, 2.5),
        lax.iota("int32", 4),
        lax.broadcastedIota("float32", [2, 3], 1),
        lax.broadcastInDim(data([3]), [2, 3], [1]),
        lax.broadcast(x, [2]),
        lax.reshape(x, [-1, 2]),
        lax.reshape(x, [6], { dimensions: [1, 0] }),
        lax.transpose(x),
        lax.squeeze(data([1, 3, 1]), [0, -1]),
        lax.expandDims(x, [0, -1]),
        lax.collapse(data([2, 3, 2]), 1),
        lax.rev(x, [1]),
        lax.concatenate([x, x], 1),
        lax.split(data([6]), [2, 4]),
        lax.pad(x, 0.5, [
          [1, 0, 1],
          [-1, 2, 0],
        ]),
        lax.tile(x, [2, 1]),
      ]);
      expect(lax.unstack(lax.stack([x, x], 1), 1).map((part) => part.shape)).toEqual([
        [2, 3],
        [2, 3],
      ]);
    });

    test("slices", () => {
      const x = data([4, 5]);
      const ones = (...shape: number[]): ArrayValue => lax.full(shape, 1, "float32");
      expectRecorded("slices", [
        lax.slice(x, [1, 0], [3, 5], [1, 2]),
        lax.sliceInDim(x, -3, null, 2, 1),
        lax.indexInDim(x, -1, 0),
        lax.indexInDim(x, 1, 1, false),
        lax.dynamicSlice(x, [3n, 1], [2, 3]),
        lax.dynamicSlice(x, [-2n, -2], [2, 2]),
        lax.dynamicSliceInDim(x, 2, 2, 1),
        lax.dynamicIndexInDim(x, 2, 0, false),
        lax.dynamicUpdateSlice(x, ones(2, 2), [1, 2]),
        lax.dynamicUpdateSliceInDim(x, ones(1, 5), 2, 0),
        lax.dynamicUpdateIndexInDim(x, ones(4), 3, 1),
      ]);
    });

    test("gather and scatter", () => {
      const x = data([4, 3]);
      const rows = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0] };
      const index = lax.reshape(new Int32Array([2, 0, 9, 3]), [4, 1]);
      expectRecorded("gather", [
        lax.gather(x, index, rows, [1, 3]),
        lax.gather(x, index, rows, [1, 3], { mode: "clip" }),
        lax.gather(x, index, rows, [1, 3], { mode: "fill", fillValue: -1 }),
        lax.gather(ints([4, 3]), index, rows, [1, 3]),
      ]);
      const numbers = {
        updateWindowDims: [1],
        insertedWindowDims: [0],
        scatterDimsToOperandDims: [0],
      };
      const places = lax.reshape(new Int32Array([2, 0, 2, 9]), [4, 1]);
      const updates = data([4, 3], 3);
      const functions = [
        lax.scatterAdd,
        lax.scatterMul,
        lax.scatterMin,
        lax.scatterMax,
        lax.scatterSub,
      ];
      const row = lax.full([1, 3], 1, "float32");
      expectRecorded("scatter", [
        ...functions.map((f) => f(x, places, updates, numbers)),
        lax.scatter(x, lax.full([1, 1], 1, "int32"), row, numbers),
        lax.scatterAdd(x, places, updates, numbers, { mode: "clip" }),
      ]);
    });

    test("reductions", () => {
      const x = data([3, 4]);
      const bits = lax.gt(x, 0);
      type Pair = readonly [ArrayValue, ArrayValue];
      const larger = (a: Pair, b: Pair): Pair => {
        const isFirst = lax.ge(a[0], b[0]);
        return [lax.select(isFirst, a[0], b[0]), lax.select(isFirst, a[1], b[1])];
      };
      const positions = lax.broadcastedIota("int32", [3, 4], 1);
      const sums = [lax.reduceSum, lax.reduceProd, lax.reduceMax, lax.reduceMin];
      expectRecorded("reductions", [
        ...sums.map((f) => f(x, [0])),
        ...[lax.reduceAnd, lax.reduceOr, lax.reduceXor].map((f) => f(bits, [1])),
        lax.argmax(x, 1),
        lax.argmin(x, 0),
        lax.cumsum(x, 1),
        lax.cumprod(x, 0, { reverse: true }),
        lax.cummax(x, 1),
        lax.cummin(x, 1, { reverse: true }),
        lax.cumlogsumexp(x, 0),
        lax.reduce(x, 0, lax.add, [1]),
        lax.reduce(x, -Infinity, lax.max, [0]),
        lax.reduce(x, 1, (a: ArrayValue, b: ArrayValue) => lax.add(lax.mul(a, b), 0), [0, 1]),
        lax.reduce([x, positions], [-Infinity, 0], larger, [1]),
      ]);
    });

    test("windows", () => {
      const x = data([5, 6]);
      expectRecorded("windows", [
        lax.reduceWindow(x, 0, lax.add, [2, 3], [1, 2], "VALID"),
        lax.reduceWindow(x, 0, lax.add, [2, 3], [2, 2], "SAME"),
        lax.reduceWindow(x, -Infinity, lax.max, [2, 2], [1, 1], "SAME_LOWER"),
        lax.reduceWindow(
          x,
          Infinity,
          lax.min,
          [2, 2],
          [2, 2],
          [
            [0, 1],
            [1, 0],
          ],
        ),
        lax.reduceWindow(x, 0, lax.add, [2, 2], [1, 1], "VALID", { windowDilation: [2, 1] }),
        lax.reduceWindow(x, 1, lax.mul, [2, 2], [1, 1], "VALID"),
      ]);
    });

    test("contractions", () => {
      const [x, w] = [data([2, 6, 6, 3]), data([3, 3, 3, 4], 1)];
      const layouts = { dimensionNumbers: ["NHWC", "HWIO", "NHWC"] } as const;
      const padding = [
        [2, 1],
        [0, 2],
      ] as const;
      const ones = [
        [1, 1],
        [1, 1],
      ] as const;
      expectRecorded("contractions", [
        lax.dot(data([3]), data([3], 1)),
        lax.dot(data([2, 3]), data([3, 2], 1)),
        lax.dotGeneral(data([2, 3, 4]), data([2, 4, 2]), [
          [[2], [1]],
          [[0], [0]],
        ]),
        lax.batchMatmul(data([2, 3, 4]), data([2, 4, 2])),
        lax.convGeneralDilated(x, w, [1, 1], "SAME", layouts),
        lax.convGeneralDilated(x, w, [2, 2], "VALID", layouts),
        lax.convGeneralDilated(x, w, [1, 1], padding, { ...layouts, rhsDilation: [2, 1] }),
        lax.convGeneralDilated(x, w, [1, 1], ones, { ...layouts, lhsDilation: [2, 2] }),
        lax.convGeneralDilated(data([1, 4, 4, 4]), data([3, 3, 2, 6]), [1, 1], "SAME", {
          ...layouts,
          featureGroupCount: 2,
        }),
        lax.conv(data([1, 2, 5, 5]), data([4, 2, 3, 3]), [1, 1], "SAME"),
      ]);
    });

    test("sorting", () => {
      const x = data([3, 5]);
      const positions = lax.iota("int32", 7);
      expectRecorded("sorting", [
        lax.sort(x),
        lax.sort(x, { dimension: 0 }),
        // Python divides towards minus infinity.
        lax.sort([lax.shiftRightArithmetic(ints([7]), 1), ints([7], 5), positions], { numKeys: 2 }),
        lax.sortKeyVal(ints([7]), positions),
        lax.topK(x, 2),
        lax.approxMaxK(x, 2),
        lax.approxMinK(x, 2),
      ]);
    });

    test("linear algebra", () => {
      const a = data([3, 3]);
      const eye = lax.convertElementType(
        lax.eq(lax.broadcastedIota("int32", [3, 3], 0), lax.broadcastedIota("int32", [3, 3], 1)),
        "float32",
      );
      const isUpper = lax.le(
        lax.broadcastedIota("int32", [3, 3], 0),
        lax.broadcastedIota("int32", [3, 3], 1),
      );
      const spd = lax.add(lax.dot(a, lax.transpose(a)), lax.mul(eye, 3));
      const upper = lax.add(lax.select(isUpper, a, 0), lax.mul(eye, 2));
      const b = data([3, 2], 2);
      const column = lax.indexInDim(b, 0, 1, false);
      expectRecorded("linalg", [
        lax.linalg.cholesky(spd),
        lax.linalg.eigh(spd)[1],
        lax.linalg.lu(a),
        lax.linalg.svd(a, { computeUv: false }),
        lax.linalg.triangularSolve(upper, b, { leftSide: true }),
        lax.linalg.triangularSolve(upper, column, { leftSide: true, transposeA: true }),
        lax.linalg.tridiagonalSolve(
          data([4]),
          lax.add(data([4], 1), 4),
          data([4], 2),
          data([4, 1]),
        ),
      ]);
    });

    test("Fourier transforms", () => {
      const x = data([2, 8]);
      const z = lax.fft(lax.convertElementType(x, "complex64"), "FFT", [8]);
      expectRecorded("fft", [
        lax.real(z),
        lax.imag(z),
        lax.imag(lax.fft(x, "RFFT", [8])),
        lax.fft(lax.fft(x, "RFFT", [8]), "IRFFT", [8]),
      ]);
    });
  });
