/**
 * Compares arrays with recorded ones: both NaN, or equal (infinities included), or
 * |x - r| <= atol + rtol * |r|; complex numbers by the modulus of the difference, integers and
 * booleans exactly. Called by verify and conformance.
 */
import { kindOf, type DType } from "../ir/dtypes.js";
import { valuesOf, type HostArray } from "../ir/hostArray.js";

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** The outcome of one comparison. */
export interface Comparison {
  readonly agrees: boolean;
  /** Largest |x - r| where both are finite. */
  readonly maxAbsoluteError: number;
  /** Largest |x - r| / |r| where both are finite and r is not 0. */
  readonly maxRelativeError: number;
  /** How many elements are outside the tolerance. */
  readonly mismatches: number;
  readonly elements: number;
  /** What is wrong; empty if nothing is. */
  readonly problem: string;
}

interface Verdict {
  readonly error: number;
  readonly magnitude: number;
  /** 0 within the tolerance, else by how much it is exceeded. */
  readonly excess: number;
}

const same: Verdict = { error: 0, magnitude: 0, excess: 0 };
const different: Verdict = { error: NaN, magnitude: 0, excess: Infinity };

function compareReal(x: number, r: number, { rtol, atol }: Tolerance): Verdict {
  if (x === r) return { error: 0, magnitude: Math.abs(r), excess: 0 };
  if (Number.isNaN(x) && Number.isNaN(r)) return same;
  // Without this an infinite r would allow every x.
  if (!Number.isFinite(x) || !Number.isFinite(r)) return different;
  const error = Math.abs(x - r);
  const magnitude = Math.abs(r);
  return { error, magnitude, excess: Math.max(0, error - (atol + rtol * magnitude)) };
}

type Pair = readonly [re: number, im: number];

function compareComplex(x: Pair, r: Pair, tolerance: Tolerance): Verdict {
  const hasNaN = (pair: Pair): boolean => pair.some(Number.isNaN);
  if (hasNaN(x) && hasNaN(r)) return same;
  if (![...x, ...r].every(Number.isFinite)) {
    const parts = [compareReal(x[0], r[0], tolerance), compareReal(x[1], r[1], tolerance)];
    return parts.every((part) => part.excess === 0) ? same : different;
  }
  const error = Math.hypot(x[0] - r[0], x[1] - r[1]);
  const magnitude = Math.hypot(...r);
  return {
    error,
    magnitude,
    excess: Math.max(0, error - (tolerance.atol + tolerance.rtol * magnitude)),
  };
}

function compareExact(x: number | bigint, r: number | bigint): Verdict {
  const error = Math.abs(Number(x) - Number(r));
  const equal = typeof x === typeof r ? x === r : BigInt(x) === BigInt(r);
  return { error, magnitude: Math.abs(Number(r)), excess: equal ? 0 : Math.max(error, 1) };
}

const refused = (problem: string, elements: number): Comparison => ({
  agrees: false,
  maxAbsoluteError: NaN,
  maxRelativeError: NaN,
  mismatches: elements,
  elements,
  problem,
});

/** What JAX without x64 makes of a dtype: results recorded in 64 bits compare with 32-bit ones. */
function narrow(dtype: DType): string {
  return dtype.replace(/^(u?int|float)64$/, "$132").replace("complex128", "complex64");
}

/** Compares an array with the recorded one; dtype and shape must be equal. */
export function compareArrays(
  actual: HostArray,
  expected: HostArray,
  tolerance: Tolerance,
): Comparison {
  const type = ({ dtype, shape }: HostArray): string => `${dtype}[${shape.join(",")}]`;
  const { length } = valuesOf(expected);
  const sameShape = actual.shape.join() === expected.shape.join();
  if (!sameShape || narrow(actual.dtype) !== narrow(expected.dtype)) {
    return refused(`${type(actual)} instead of ${type(expected)}`, length);
  }
  return compareValues(actual, expected, tolerance);
}

function compareValues(actual: HostArray, expected: HostArray, tolerance: Tolerance): Comparison {
  const [xs, rs] = [valuesOf(actual), valuesOf(expected)];
  const kind = kindOf(expected.dtype);
  const verdictAt = (index: number): Verdict => {
    if (kind === "complex") {
      const pair = (values: ArrayLike<number | bigint>): Pair => [
        Number(values[2 * index]),
        Number(values[2 * index + 1]),
      ];
      return compareComplex(pair(xs), pair(rs), tolerance);
    }
    const [x, r] = [xs[index] ?? NaN, rs[index] ?? NaN];
    if (kind === "bool") return compareExact(Number(x !== 0), Number(r !== 0));
    return kind === "float" ? compareReal(Number(x), Number(r), tolerance) : compareExact(x, r);
  };
  const elements = kind === "complex" ? rs.length / 2 : rs.length;
  let [maxAbsoluteError, maxRelativeError, mismatches, worstExcess, worst] = [0, 0, 0, 0, -1];
  for (let index = 0; index < elements; index++) {
    const { error, magnitude, excess } = verdictAt(index);
    if (error > maxAbsoluteError) maxAbsoluteError = error;
    if (magnitude > 0) maxRelativeError = Math.max(maxRelativeError, error / magnitude || 0);
    if (excess === 0) continue;
    mismatches++;
    if (excess > worstExcess) [worstExcess, worst] = [excess, index];
  }
  const show = (values: ArrayLike<number | bigint>, index: number): string =>
    kind === "complex"
      ? `${showValue(values[2 * index])}+${showValue(values[2 * index + 1])}i`
      : showValue(values[index]);
  const problem =
    worst < 0
      ? ""
      : `${mismatches} of ${elements} differ, most at [${worst}]: ` +
        `${show(xs, worst)} instead of ${show(rs, worst)}`;
  return {
    agrees: worst < 0,
    maxAbsoluteError,
    maxRelativeError,
    mismatches,
    elements,
    problem,
  };
}

/** Enough digits to see in what two float32 numbers differ. */
function showValue(value: number | bigint | undefined): string {
  return typeof value === "number" ? String(Number(value.toPrecision(9))) : String(value ?? NaN);
}
