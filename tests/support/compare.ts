// Compares computed arrays with recorded ones by the rule of the oracle corpus: see "Comparison" in
// scripts/oracle/README.md. Used by the oracle, browser and command line tests.

/** How elements of a dtype are compared. Complex arrays are interleaved: re, im, re, im … */
export type ComparisonKind = "float" | "exact" | "complex";

/** Numbers as they come out of a tensor or an npz file; 64-bit integers may be bigint. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** Bounds of |x - r| <= atol + rtol * |r|. Not used for integers and booleans. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** The outcome of one comparison. Errors and indices are of elements, counted flat. */
export interface Comparison {
  readonly agrees: boolean;
  /** Largest |x - r| over the elements where both are finite. */
  readonly maxAbsoluteError: number;
  /** Largest |x - r| / |r| over the same elements, where r is not 0. */
  readonly maxRelativeError: number;
  readonly mismatches: number;
  /** The mismatch that is furthest outside the tolerance; `undefined` when all agree. */
  readonly worstIndex: number | undefined;
  /** One line for an error message. */
  readonly summary: string;
}

/** The comparison for a NumPy dtype name: `float32`, `bfloat16`, `complex64`, `int32`, `bool` … */
export function comparisonKind(dtype: string): ComparisonKind {
  if (dtype.startsWith("complex")) return "complex";
  if (/^(float|bfloat)/.test(dtype)) return "float";
  if (/^(u?int\d+|bool|key.*)$/.test(dtype)) return "exact";
  throw new Error(`no comparison for dtype ${dtype}`);
}

/** What a rule says about one element. `excess` is 0 within the tolerance, above it the overshoot. */
interface Verdict {
  readonly error: number;
  readonly magnitude: number;
  readonly excess: number;
}

const same: Verdict = { error: 0, magnitude: 0, excess: 0 };
const different: Verdict = { error: Number.NaN, magnitude: 0, excess: Number.POSITIVE_INFINITY };

function compareFinite(error: number, magnitude: number, { rtol, atol }: Tolerance): Verdict {
  return { error, magnitude, excess: Math.max(0, error - (atol + rtol * magnitude)) };
}

function compareReal(x: number, r: number, tolerance: Tolerance): Verdict {
  if (x === r) return { error: 0, magnitude: Math.abs(r), excess: 0 };
  if (Number.isNaN(x) && Number.isNaN(r)) return same;
  // Without this an infinite r would allow every x.
  if (!Number.isFinite(x) || !Number.isFinite(r)) return different;
  return compareFinite(Math.abs(x - r), Math.abs(r), tolerance);
}

type Pair = readonly [number, number];

function compareComplex(x: Pair, r: Pair, tolerance: Tolerance): Verdict {
  const isNaN = ([re, im]: Pair): boolean => Number.isNaN(re) || Number.isNaN(im);
  if (isNaN(x) && isNaN(r)) return same;
  if (![...x, ...r].every(Number.isFinite)) {
    // An infinite part must be the same infinity; the other part follows the real rule.
    const parts = [compareReal(x[0], r[0], tolerance), compareReal(x[1], r[1], tolerance)];
    return parts.every((part) => part.excess === 0) ? same : different;
  }
  return compareFinite(Math.hypot(x[0] - r[0], x[1] - r[1]), Math.hypot(r[0], r[1]), tolerance);
}

function compareExact(x: number | bigint, r: number | bigint): Verdict {
  // Loose equality compares a number and a bigint by value, without rounding.
  // eslint-disable-next-line eqeqeq
  const equal = x == r;
  const magnitude = Math.abs(Number(r));
  if (equal) return { error: 0, magnitude, excess: 0 };
  const error = Math.abs(Number(x) - Number(r));
  return { error, magnitude, excess: error > 0 ? error : Number.POSITIVE_INFINITY };
}

/**
 * Compares `actual` with the recorded `expected`, element by element.
 * Both NaN, or equal (infinities included), or |x - r| <= atol + rtol * |r|; complex numbers by the
 * modulus of the difference; integers and booleans exactly.
 */
export function compareArrays(
  actual: Numbers,
  expected: Numbers,
  kind: ComparisonKind,
  tolerance: Tolerance,
): Comparison {
  if (actual.length !== expected.length) {
    return outcome({
      mismatches: Math.max(actual.length, expected.length),
      problem: `${actual.length} numbers instead of ${expected.length}`,
    });
  }
  const at = (numbers: Numbers, index: number): number | bigint => numbers[index] ?? Number.NaN;
  const pair = (numbers: Numbers, index: number): Pair => [
    Number(at(numbers, 2 * index)),
    Number(at(numbers, 2 * index + 1)),
  ];
  const verdictAt = (index: number): Verdict => {
    switch (kind) {
      case "float":
        return compareReal(Number(at(actual, index)), Number(at(expected, index)), tolerance);
      case "complex":
        return compareComplex(pair(actual, index), pair(expected, index), tolerance);
      case "exact":
        return compareExact(at(actual, index), at(expected, index));
    }
  };
  const show = (numbers: Numbers, index: number): string =>
    kind === "complex" ? pair(numbers, index).join(" + i ") : String(at(numbers, index));

  const count = kind === "complex" ? actual.length / 2 : actual.length;
  const found = { mismatches: 0, maxAbsoluteError: 0, maxRelativeError: 0 };
  let worst: { readonly index: number; readonly excess: number } | undefined;
  for (let index = 0; index < count; index++) {
    const { error, magnitude, excess } = verdictAt(index);
    if (!Number.isNaN(error)) {
      found.maxAbsoluteError = Math.max(found.maxAbsoluteError, error);
      if (magnitude > 0) {
        found.maxRelativeError = Math.max(found.maxRelativeError, error / magnitude);
      }
    }
    if (excess === 0) continue;
    found.mismatches += 1;
    if (worst === undefined || excess > worst.excess) worst = { index, excess };
  }
  if (worst === undefined) return outcome(found);
  const { index } = worst;
  const problem =
    `${found.mismatches} of ${count} differ, most at [${index}]: ` +
    `${show(actual, index)} instead of ${show(expected, index)}`;
  return outcome({ ...found, worstIndex: index, problem });
}

function outcome(found: {
  readonly mismatches: number;
  readonly maxAbsoluteError?: number;
  readonly maxRelativeError?: number;
  readonly worstIndex?: number;
  readonly problem?: string;
}): Comparison {
  const { mismatches, maxAbsoluteError = 0, maxRelativeError = 0, worstIndex, problem } = found;
  const errors =
    `max abs error ${maxAbsoluteError.toPrecision(3)}, ` +
    `max rel error ${maxRelativeError.toPrecision(3)}`;
  return {
    agrees: problem === undefined,
    maxAbsoluteError,
    maxRelativeError,
    mismatches,
    worstIndex,
    summary: problem === undefined ? errors : `${problem} (${errors})`,
  };
}

/**
 * Asserts that `actual` agrees with `expected`, arrays of the dtype named `dtype`.
 * @throws Error with the worst element and the largest errors, prefixed by `label`.
 */
export function expectAgrees(
  label: string,
  actual: Numbers,
  expected: Numbers,
  dtype: string,
  tolerance: Tolerance,
): Comparison {
  const comparison = compareArrays(actual, expected, comparisonKind(dtype), tolerance);
  if (!comparison.agrees) {
    const bounds = `rtol ${tolerance.rtol}, atol ${tolerance.atol}`;
    throw new Error(`${label} (${dtype}, ${bounds}): ${comparison.summary}`);
  }
  return comparison;
}
