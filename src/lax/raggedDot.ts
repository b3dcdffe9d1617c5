/** Products of groups of rows with a matrix each, of `lax`. */
import { dimEquals, type Dim } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import { at, invalid, operands } from "./arguments.js";
import { dotGeneral, type ContractionOptions, type DotDimensionNumbers } from "./contractions.js";

/** Which dimensions are cut into groups. JAX's `lax.RaggedDotDimensionNumbers`. */
export interface RaggedDotDimensionNumbers {
  readonly dotDimensionNumbers: DotDimensionNumbers;
  /** The dimension of `lhs` that the group sizes cut up: one. */
  readonly lhsRaggedDimensions: readonly number[];
  /** The dimension of `rhs` that counts the groups: one, or none if a contracting one is cut. */
  readonly rhsGroupDimensions: readonly number[];
}

/** For each group, which places along the ragged dimension are its own: [groups, places]. */
function membership(sizes: Value, places: Dim): Value {
  const groups = at(sizes.aval.shape, 0);
  const ends = o.cumsum(sizes, 0, false);
  const starts = o.sub(ends, sizes);
  const shape = [groups, places];
  const wide = (x: Value): Value => o.broadcastInDim(x, shape, [0]);
  const place = o.iota(sizes.aval.dtype, shape, 1);
  return o.and(o.ge(place, wide(starts)), o.lt(place, wide(ends)));
}

/** `lhs` once per group, in front, zero outside of the group. */
function masked(lhs: Value, sizes: Value, axis: number): Value {
  const groups = at(sizes.aval.shape, 0);
  const { shape, dtype } = lhs.aval;
  const all = [groups, ...shape];
  const inside = o.broadcastInDim(membership(sizes, at(shape, axis)), all, [0, axis + 1]);
  const wide = o.broadcastInDim(
    lhs,
    all,
    shape.map((_, dim) => dim + 1),
  );
  return o.selectN(inside, o.full(all, 0, dtype), wide);
}

const shifted = (axes: readonly number[]): readonly number[] => axes.map((axis) => axis + 1);

/**
 * Products in groups: group g of the ragged dimension of `lhs` meets part g of `rhs`; a contracting
 * dimension that is cut gives one product per group. Places beyond the groups give zeros.
 *
 * JAX's counterpart is `lax.ragged_dot_general`.
 */
export function raggedDotGeneral(
  lhs: ArrayLike,
  rhs: ArrayLike,
  groupSizes: ArrayLike,
  numbers: RaggedDotDimensionNumbers,
  options: ContractionOptions = {},
): ArrayValue {
  const [left, right] = operands(lhs, rhs);
  if (left === undefined || right === undefined) throw new Error("internal error: no operands");
  const sizes = toValue(groupSizes);
  const [ragged, ...others] = numbers.lhsRaggedDimensions;
  if (ragged === undefined || others.length > 0) {
    throw invalid("ragged_dot_general expects exactly one lhs ragged dimension");
  }
  if (sizes.aval.shape.length !== 1)
    throw invalid("ragged_dot_general takes one row of group sizes");
  const [[lhsContracting, rhsContracting], [lhsBatch, rhsBatch]] = numbers.dotDimensionNumbers;
  if (lhsBatch.includes(ragged)) return dotGeneral(lhs, rhs, numbers.dotDimensionNumbers, options);
  const expanded = fromValue(masked(left, sizes, ragged));
  if (lhsContracting.includes(ragged)) {
    // Batch dimensions come first in a product; the groups go in front of them.
    const product = toValue(
      dotGeneral(
        expanded,
        rhs,
        [
          [shifted(lhsContracting), rhsContracting],
          [shifted(lhsBatch), rhsBatch],
        ],
        options,
      ),
    );
    const axes = product.aval.shape.map((_, axis) => axis);
    const group = lhsBatch.length;
    return fromValue(o.transpose(product, [group, ...axes.filter((axis) => axis !== group)]));
  }
  const [group] = numbers.rhsGroupDimensions;
  const count = group === undefined ? undefined : right.aval.shape[group];
  if (group === undefined || count === undefined || !dimEquals(count, at(sizes.aval.shape, 0))) {
    throw invalid("ragged_dot_general expects rhs group dimension size to match group_sizes");
  }
  return dotGeneral(
    expanded,
    rhs,
    [
      [
        [0, ...shifted(lhsContracting)],
        [group, ...rhsContracting],
      ],
      [shifted(lhsBatch), rhsBatch],
    ],
    options,
  );
}

/**
 * Rows in groups times a matrix each: `lhs` is [m, k], `rhs` [groups, k, n], the result [m, n]. JAX's
 * `lax.ragged_dot`.
 */
export function raggedDot(
  lhs: ArrayLike,
  rhs: ArrayLike,
  groupSizes: ArrayLike,
  options: ContractionOptions = {},
): ArrayValue {
  const numbers: RaggedDotDimensionNumbers = {
    dotDimensionNumbers: [
      [[1], [1]],
      [[], []],
    ],
    lhsRaggedDimensions: [0],
    rhsGroupDimensions: [0],
  };
  return raggedDotGeneral(lhs, rhs, groupSizes, numbers, options);
}

export interface ScaledDotOptions {
  readonly lhsScale?: ArrayLike;
  readonly rhsScale?: ArrayLike;
  readonly dimensionNumbers?: DotDimensionNumbers;
  readonly preferredElementType?: ContractionOptions["preferredElementType"];
}

/** float32 numbers that bfloat16 holds, which JAX scales in. */
const rounded = (x: Value): Value => o.reducePrecision(o.convertElementType(x, "float32"), 8, 7);

/** Repeats scales along each dimension until they have the sizes of what they scale. */
function scaled(x: Value, scale: ArrayLike | undefined): Value {
  if (scale === undefined) return rounded(x);
  let factors = rounded(toValue(scale));
  x.aval.shape.forEach((size, axis) => {
    const own = factors.aval.shape[axis];
    if (typeof size !== "number" || typeof own !== "number" || own === 0 || size % own !== 0) {
      throw invalid("scaled_dot: the sizes of operands must be multiples of those of their scales");
    }
    const { shape } = factors.aval;
    const inner = shape.toSpliced(axis + 1, 0, size / own);
    const dims = shape.map((_, dim) => (dim <= axis ? dim : dim + 1));
    factors = o.reshape(o.broadcastInDim(factors, inner, dims), shape.with(axis, size));
  });
  return rounded(o.mul(rounded(x), factors));
}

/**
 * `(lhs * lhsScale) @ (rhs * rhsScale)`, where one scale serves for several neighbours and scaled
 * numbers are bfloat16. JAX's `lax.scaled_dot`.
 */
export function scaledDot(
  lhs: ArrayLike,
  rhs: ArrayLike,
  { lhsScale, rhsScale, dimensionNumbers, preferredElementType }: ScaledDotOptions = {},
): ArrayValue {
  const [left, right] = [toValue(lhs), toValue(rhs)];
  const rank = left.aval.shape.length;
  const numbers: DotDimensionNumbers =
    dimensionNumbers ??
    (rank === 2
      ? [
          [[1], [0]],
          [[], []],
        ]
      : [
          [[2], [1]],
          [[0], [0]],
        ]);
  const product = dotGeneral(
    fromValue(scaled(left, lhsScale)),
    fromValue(scaled(right, rhsScale)),
    numbers,
    { preferredElementType: "float32" },
  );
  const to = preferredElementType ?? "bfloat16";
  return fromValue(o.convertElementType(toValue(product), to));
}
