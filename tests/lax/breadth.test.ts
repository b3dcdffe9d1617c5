// The rest of lax's public functions and of nn, against what JAX computes.
import { expect, test } from "vitest";
import { grad, vmap } from "../../src/api/index.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import "../../src/run/install.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { describeOnBackend } from "../support/backends.js";
import { data, expectRecorded } from "./recorded.js";

type A = ArrayValue;

const int = (...numbers: readonly number[]): A =>
  lax.reshape(Int32Array.from(numbers), [numbers.length]);
const column = (...numbers: readonly number[]): A =>
  lax.reshape(int(...numbers), [numbers.length, 1]);
const pair = [
  [0, 0],
  [0, 0],
] as const;

const cases: Readonly<Record<string, () => unknown>> = {
  "conv/transposed": () => {
    const [x, k] = [data([1, 3, 4, 2]), data([3, 2, 2, 3], 1)];
    const wide = data([2, 4, 5, 2]);
    const [low, high] = [
      [1, 2],
      [0, 1],
    ] as const;
    return [
      lax.convTranspose(x, k, [2, 2], "SAME"),
      lax.convTranspose(x, k, [2, 3], "VALID"),
      lax.convTranspose(x, k, [1, 2], [low, high]),
      lax.convTranspose(x, k, [2, 2], "VALID", { rhsDilation: [2, 1] }),
      lax.convTranspose(x, data([3, 2, 3, 2]), [2, 2], "SAME", { transposeKernel: true }),
      lax.convTranspose(x, k, [2, 2], [[1, 1], high], { useConsistentPadding: true }),
      lax.convTranspose(data([2, 5, 2]), data([3, 2, 3]), [2], "SAME"),
      lax.convTranspose(data([2, 2, 4, 5]), data([3, 2, 3, 3]), [2, 1], "SAME", {
        dimensionNumbers: ["NCHW", "OIHW", "NCHW"],
      }),
      grad((kernel: A) => np.sum(lax.convTranspose(wide, kernel, [2, 2], "SAME")))(k),
    ];
  },
  "conv/patches": () => {
    const x = data([2, 3, 5, 6]);
    const nhwc = ["NHWC", "OIHW", "NHWC"] as const;
    const pads = [
      [0, 1],
      [1, 0],
    ] as const;
    const patches = lax.convGeneralDilatedPatches;
    return [
      patches(x, [2, 3], [1, 1], "VALID"),
      patches(x, [2, 2], [2, 1], "SAME"),
      patches(x, [2, 2], [1, 1], pads, { rhsDilation: [2, 1] }),
      patches(data([2, 5, 6, 3]), [2, 2], [1, 1], "VALID", { dimensionNumbers: nhwc }),
      patches(data([1, 2, 7]), [3], [2], "VALID"),
      lax.convGeneralDilatedLocal(data([2, 3, 4, 5]), data([4, 12, 3, 4]), [1, 1], "VALID", [2, 2]),
      lax.convGeneralDilatedLocal(
        data([2, 4, 5, 3]),
        data([3, 4, 12, 4]),
        [1, 1],
        "VALID",
        [2, 2],
        { dimensionNumbers: ["NHWC", "HWIO", "NHWC"] },
      ),
    ];
  },
  "conv/shapes": () => {
    const layouts = ["NHWC", "HWIO", "NHWC"] as const;
    const mixed = ["NHWC", "HWIO", "NCHW"] as const;
    const [image, kernel] = [
      [2, 8, 9, 3],
      [3, 2, 3, 4],
    ];
    const shapes = [
      lax.convShapeTuple([2, 3, 8, 9], [4, 3, 3, 2], [1, 2], "SAME"),
      lax.convShapeTuple(
        [2, 3, 8, 9],
        [4, 3, 3, 2],
        [1, 2],
        [
          [1, 0],
          [0, 0],
        ],
      ),
      lax.convGeneralShapeTuple(image, kernel, [2, 1], "VALID", layouts),
      lax.convTransposeShapeTuple(image, kernel, [2, 1], "SAME", layouts),
      lax.convTransposeShapeTuple(
        image,
        kernel,
        [2, 1],
        [
          [1, 1],
          [0, 1],
        ],
        mixed,
      ),
      lax.reduceWindowShapeTuple(
        [8, 9],
        [3, 2],
        [2, 1],
        [
          [0, 1],
          [1, 0],
        ],
        { baseDilation: [2, 1], windowDilation: [1, 2] },
      ),
      ...lax.convGeneralPermutations(mixed),
      ...lax.padtypeToPads([8, 9], [3, 2], [2, 1], "SAME"),
    ];
    return shapes.map((sizes) => int(...(sizes as readonly number[])));
  },
  "dot/ragged": () => {
    const sizes = int(2, 0, 3);
    const contracted = {
      dotDimensionNumbers: [
        [[0], [0]],
        [[], []],
      ],
      lhsRaggedDimensions: [0],
      rhsGroupDimensions: [],
    } as const;
    const rhs = data([3, 4, 2]);
    return [
      lax.raggedDot(data([5, 4]), rhs, sizes),
      lax.raggedDot(data([6, 4]), rhs, sizes),
      lax.raggedDotGeneral(data([5, 4]), data([5, 2]), sizes, contracted),
      grad((x: A) => np.sum(np.square(lax.raggedDot(x, rhs, sizes))))(data([5, 4])),
      lax.scaledDot(data([4, 8]), data([8, 3]), {
        lhsScale: np.add(data([4, 2]), 2),
        rhsScale: np.add(data([2, 3]), 2),
        preferredElementType: "float32",
      }),
      lax.scaledDot(data([2, 4, 8]), data([2, 8, 3]), {
        lhsScale: np.add(data([2, 4, 4]), 2),
        preferredElementType: "float32",
      }),
    ];
  },
  "scatter/apply": () => {
    const rows = { updateWindowDims: [1], insertedWindowDims: [0], scatterDimsToOperandDims: [0] };
    const points = { ...rows, updateWindowDims: [] };
    return [
      lax.scatterApply(data([4, 3]), column(1, 3), (x) => np.add(np.multiply(x, 2), 1), rows, {
        updateShape: [2, 3],
      }),
      lax.scatterApply(data([5]), column(1, 1, 4), (x) => np.multiply(x, x), points, {
        updateShape: [3],
      }),
      lax.indexTake(data([4, 3]), [int(0, -1, 5), int(2, 1, -3)], [0, 1]),
      lax.indexTake(data([4, 3, 2]), [int(0, -1)], [0]),
    ];
  },
  "window/select": () => {
    const [x, source] = [data([4, 6]), data([2, 3], 2)];
    const select = lax.selectAndScatter;
    const isLarger = (a: A, b: A): A => np.greaterEqual(np.abs(a), np.abs(b));
    return [
      select(x, lax.ge, [2, 2], [2, 2], pair, source, 0, lax.add),
      select(x, lax.le, [2, 2], [2, 2], pair, source, 1, lax.mul),
      select(x, isLarger, [3, 2], [1, 2], pair, data([2, 3]), 0, lax.add),
    ];
  },
  "shapes/more": () => [
    lax.broadcastLike(data([3]), data([2, 3])),
    lax.broadcastToRank(data([3]), 3),
    lax.shapeAsValue([2, 3]),
    lax.shapeAsValue([]),
    lax.randomGammaGrad(np.add(data([3]), 2), np.add(data([3], 1), 2)),
    lax.composite((x: A) => np.multiply(np.sin(x), 2), "my.sine")(data([3])),
    lax.platformDependent({ cpu: np.sin, default: np.cos }, data([3])),
  ],
  "collectives/more": () => {
    const axis = { axisName: "i" };
    const m = data([3, 3]);
    return [
      vmap((x: A) => lax.pshuffle(x, "i", [2, 0, 1]), axis)(data([3])),
      vmap((x: A) => lax.pswapaxes(x, "i", 0), axis)(m),
      vmap((x: A) => lax.pbroadcast(x, "i", 1), axis)(m),
    ];
  },
  "nn/activations": () => {
    const x = np.multiply(data([8]), 3);
    const functions: readonly ((x: A) => A)[] = [
      (v) => nn.celu(v),
      nn.hardTanh,
      nn.hardSigmoid,
      nn.hardSilu,
      nn.hardSwish,
      nn.identity,
      nn.mish,
      nn.sparsePlus,
      nn.sparseSigmoid,
      (v) => nn.squareplus(v),
    ];
    return [
      ...functions.map((f) => f(x)),
      nn.celu(x, 0.5),
      nn.squareplus(x, 1),
      nn.log1mexp(np.abs(x)),
      nn.glu(x),
      nn.glu(data([4, 3]), 0),
      nn.logmeanexp(x),
      nn.logmeanexp(data([2, 3]), { axis: 1, keepdims: true }),
      ...functions.map((f) => grad((v: A) => np.sum(f(v)))(x)),
    ];
  },
  "nn/attention": () => {
    const [q, k, v] = [data([2, 4, 4, 3]), data([2, 5, 4, 3], 1), data([2, 5, 4, 3], 2)];
    const [few, other] = [data([2, 5, 2, 3], 1), data([2, 5, 2, 3], 2)];
    const mask = np.greater(data([2, 1, 4, 5]), -0.3);
    const attend = nn.dotProductAttention;
    const firstOf = (x: A): A => np.index(x, 0);
    return [
      attend(q, k, v),
      attend(q, few, other),
      attend(q, k, v, { bias: data([1, 4, 4, 5]), scale: 0.5 }),
      attend(q, k, v, { mask }),
      attend(q, k, v, { isCausal: true }),
      attend(q, k, v, { localWindowSize: 1 }),
      attend(q, k, v, { localWindowSize: [2, 0] }),
      attend(q, k, v, { querySeqLengths: int(2, 4), keyValueSeqLengths: int(3, 5) }),
      attend(firstOf(q), firstOf(k), firstOf(v)),
      nn.dotProductAttentionWithResidual(q, k, v),
      grad((x: A) => np.sum(attend(x, k, v, { isCausal: true })))(q),
      nn.scaledDotGeneral(data([2, 3]), data([3, 4]), [
        [[1], [0]],
        [[], []],
      ]),
    ];
  },
  "nn/initializers": () => {
    const init = nn.initializers;
    const key = random.key(3);
    const makers = [
      init.glorotUniform,
      init.glorotNormal,
      init.lecunUniform,
      init.lecunNormal,
      init.heUniform,
      init.heNormal,
      init.orthogonal,
      init.deltaOrthogonal,
    ];
    const fans = { inAxis: 0, outAxis: [1, 2], batchAxis: 3 };
    return [
      ...makers.map((make) => make()(key, [3, 2, 4])),
      init.zeros(key, [2]),
      init.ones(key, [2]),
      init.constant(2.5)(key, [2]),
      init.uniform()(key, [3]),
      init.normal(0.5)(key, [3]),
      init.truncatedNormal(0.5, { lower: -1, upper: 1.5 })(key, [3]),
      init.varianceScaling(2, "fan_out", "normal")(key, [3, 4]),
      init.varianceScaling(2, "fan_geo_avg", "uniform", fans)(key, [3, 4, 2, 2]),
      init.orthogonal(2, { columnAxis: 0 })(key, [4, 3]),
    ];
  },
};

for (const backend of ["cpu", "wasm"] as const)
  describeOnBackend(backend, () => {
    test.each(Object.keys(cases))("%s", (name) => {
      expectRecorded(name, cases[name]?.(), 5e-5);
    });

    test("numbers without a key differ, and stay in their range", () => {
      const [first, second] = [lax.rngUniform(2, 5, [50]), lax.rngUniform(2, 5, [50])];
      const values = [first, second].map((draw) => Array.from(draw.dataSync()));
      expect(values.flat().every((value) => value >= 2 && value < 5)).toBe(true);
      expect(values[0]).not.toEqual(values[1]);
      const whole = Array.from(lax.rngUniform(0n, 3n, [40]).dataSync());
      expect(new Set(whole)).toEqual(new Set([0, 1, 2]));
    });
  });

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.code;
    throw error;
  }
  return "none";
}

test("wrong arguments", () => {
  const x = data([2, 4, 5, 2]);
  const wrong: readonly (() => unknown)[] = [
    () => lax.convTranspose(data([1, 1, 1, 1, 1, 1]), data([1, 1, 1, 1, 1, 1]), [1], "SAME"),
    () => lax.convShapeTuple([1, 1, 4], [1, 1, 2], [1], pair),
    () => lax.raggedDot(data([4, 2]), data([3, 2, 2]), int(2, 2)),
    () => lax.scaledDot(data([2, 4]), data([4, 2]), { lhsScale: data([2, 3]) }),
    () => lax.platformDependent({ tpu: np.sin }, x),
    () => lax.broadcastLike(x, data([2])),
    () => nn.glu(data([3])),
    () => nn.dotProductAttention(data([2]), data([2]), data([2])),
    () => nn.dotProductAttention(data([2, 3, 3]), data([2, 2, 3]), data([2, 2, 3])),
    () => nn.initializers.glorotNormal()(random.key(0), [3]),
    () => nn.initializers.orthogonal()(random.key(0), [3]),
    () => nn.initializers.deltaOrthogonal()(random.key(0), [3, 4, 2]),
    () => lax.rngUniform(data([2]), 1, [2]),
    () => vmap((v: A) => lax.pshuffle(v, "i", [0, 0, 1]), { axisName: "i" })(data([3])),
  ];
  expect(wrong.map(codeOf)).toEqual(wrong.map(() => "invalid-parameter"));
  expect(codeOf(() => lax.rngUniform(np.float32(1), np.int32(2), [2]))).toBe("dtype-mismatch");
});
