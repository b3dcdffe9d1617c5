// Why cases of the corpus fail: docs/SUPPORT.md shows the reason beside each failure, and cannot be
// made while a failure has none or a reason has no failure.

export interface Reason {
  /** `group/id`, or `group/` for all of a group. */
  readonly cases: readonly string[];
  readonly why: string;
}

export const reasons: readonly Reason[] = [
  {
    cases: ["sort/015", "sort/020", "approx_top_k/006"],
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
      "The exported program takes the bits of floats as int32, which WebGL keeps in float32: 24 " +
      "of the 32 bits are left.",
  },
];

/** The reason for a failed case, or undefined. */
export function reasonFor(id: string): Reason | undefined {
  const [group = ""] = id.split("/");
  return reasons.find(({ cases }) => cases.includes(id) || cases.includes(`${group}/`));
}
