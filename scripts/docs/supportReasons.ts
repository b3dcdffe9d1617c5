// Why cases of the corpus fail: docs/SUPPORT.md shows the reason beside each failure, and cannot be
// made while a failure has none or a reason has no failure.

export interface Reason {
  /** `group/id`, or `group/` for all of a group. */
  readonly cases: readonly string[];
  readonly why: string;
}

export const reasons: readonly Reason[] = [
  {
    cases: ["sort/015", "sort/020", "approx_top_k/"],
    why:
      "An unstable sort with equal keys: their order is the choice of XLA's own sort, which no " +
      "specification fixes. Ours is stable, so the results are another order of equal keys.",
  },
  {
    cases: ["top_k/010"],
    why:
      "NaN with its sign bit set: JAX sorts it below all numbers, NaN without it above. No " +
      "TensorFlow.js op tells the sign of NaN; every NaN is taken as the largest number.",
  },
  {
    cases: [
      "bitcast_convert_type/013",
      "bitcast_convert_type/017",
      "bitcast_convert_type/022",
      "bitcast_convert_type/026",
    ],
    why:
      "The bits of subnormal numbers: TensorFlow's kernels and GPUs flush subnormal results to 0, " +
      "and no other op makes a number of bits that are data.",
  },
  {
    cases: ["nextafter/000", "nextafter/004"],
    why:
      "The exported program takes the bits of floats as int32, which WebGL keeps in float32 and " +
      "WebGPU's kernels pass through it: 24 of the 32 bits are left.",
  },
  {
    cases: ["stop_gradient/"],
    why:
      "Exported programs do not hold `stop_gradient`: JAX leaves it out of what it compiles, so " +
      "nobody can tell from the artifact where a derivative should stop.",
  },
  {
    cases: [
      "gather/003",
      "gather/006",
      "gather/007",
      "gather/144",
      "gather/149",
      "gather/150",
      "gather/152",
    ],
    why:
      "JAX exports the modes `clip` and `promise_in_bounds` as the same operation. It is taken as " +
      "`clip`, whose gradient goes to the nearest element; JAX's for indices that break the " +
      "promise goes nowhere.",
  },
  {
    cases: ["eigh/003", "eigh/004", "eigh/009"],
    why:
      "The program passes one triangle only, and JAX's own derivative takes the matrix for " +
      "symmetric: its point is another one than that of the recorded result, so that the signs of " +
      "the vectors, which are free, are not known.",
  },
  {
    cases: ["digamma/001"],
    why: "JAX's zeta function of negative arguments is far off at four of the 400 points.",
  },
  {
    cases: ["random_gamma/001"],
    why:
      "The exported sampler is a loop; the derivative that JAX gives it by a rule of its own is " +
      "not in the artifact.",
  },
  {
    cases: ["integer_pow/016", "pow/006"],
    why:
      "Inner results beyond the range of float16 are infinite in JAX, which rounds each of them; " +
      "short floats are computed in float32 here.",
  },
];

/** The reason for a failed case, or undefined. */
export function reasonFor(id: string): Reason | undefined {
  const [group = ""] = id.split("/");
  return reasons.find(({ cases }) => cases.includes(id) || cases.includes(`${group}/`));
}
