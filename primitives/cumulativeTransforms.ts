/**
 * The derivatives of cumsum, cumprod, cummax, cummin and cumlogsumexp, and what each of them does
 * to two elements. Used by cumulative.ts.
 */
import { isComplex, type DType } from "../src/ir/dtypes.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { JvpRule, Primitive } from "../src/ir/primitive.js";
import { balancedShare } from "./binary.js";
import { associativeScan, scanByDoubling, type CumulativeParams } from "./cumulativeScan.js";
import { constantLike } from "./factories.js";
import { identityOf } from "./reduce.js";
import { unaryTranspose } from "./shapeTransforms.js";
import { at } from "./support.js";

export type CumulativeKind = "sum" | "prod" | "max" | "min" | "logsumexp";

/** The value that changes nothing when it is combined with others. */
export function neutralOf(kind: CumulativeKind, dtype: DType): number | boolean {
  return kind === "logsumexp" ? -Infinity : identityOf(kind, dtype);
}

/** An angle moved by multiples of 2 pi to [-pi, pi). */
function wrapAngle(o: Ops, x: Value): Value {
  const [half, turn] = [constantLike(o, x, Math.PI), constantLike(o, x, 2 * Math.PI)];
  const rest = o.rem(o.add(x, half), turn);
  const isNegative = o.lt(rest, constantLike(o, rest, 0));
  return o.sub(o.selectN(isNegative, rest, o.add(rest, turn)), half);
}

/** `log(exp(x) + exp(y))` without overflow; JAX's `logaddexp`. */
export function logAddExp(o: Ops, x: Value, y: Value): Value {
  const larger = o.max(x, y);
  if (isComplex(x.aval.dtype)) {
    const difference = o.sub(o.add(x, y), o.mul(larger, constantLike(o, larger, 2)));
    const sum = o.add(larger, o.log1p(o.exp(difference)));
    return o.complex(o.real(sum), wrapAngle(o, o.imag(sum)));
  }
  const difference = o.sub(x, y);
  const isNan = o.ne(difference, difference);
  const smooth = o.add(larger, o.log1p(o.exp(o.neg(o.abs(difference)))));
  // Infinite x and y give a NaN difference; the sum is then right, or NaN because one of them is.
  return o.selectN(isNan, smooth, o.add(x, y));
}

/** 0 in place of positive infinity, so that the difference of two of them is a number. */
function withoutInfinity(o: Ops, x: Value): Value {
  const real = isComplex(x.aval.dtype) ? o.real(x) : x;
  const isInfinite = o.eq(real, constantLike(o, real, Infinity));
  return o.selectN(isInfinite, x, o.full(x.aval.shape, 0, x.aval.dtype));
}

/** The combination of an element and a later one. */
export function combineValues(o: Ops, kind: CumulativeKind, x: Value, y: Value): Value {
  switch (kind) {
    case "sum":
      return o.add(x, y);
    case "prod":
      return o.mul(x, y);
    case "max":
      return o.max(x, y);
    case "min":
      return o.min(x, y);
    case "logsumexp":
      return logAddExp(o, x, y);
  }
}

/** How much the combination changes with each of its two elements. */
function slopes(
  o: Ops,
  kind: Exclude<CumulativeKind, "sum">,
  x: Value,
  y: Value,
  result: Value,
): readonly [Value, Value] {
  switch (kind) {
    case "prod":
      return [y, x];
    case "max":
    case "min":
      return [balancedShare(o, x, result, y), balancedShare(o, y, result, x)];
    case "logsumexp": {
      const size = withoutInfinity(o, result);
      const share = (part: Value): Value => o.exp(o.sub(withoutInfinity(o, part), size));
      return [share(x), share(y)];
    }
  }
}

/** Scans pairs of elements and their tangents. */
export function cumulativeJvp(
  kind: Exclude<CumulativeKind, "sum">,
  self: () => Primitive<CumulativeParams>,
): JvpRule<CumulativeParams> {
  return (o, primals, [tangent = null], params) => {
    const x = at(primals, 0);
    const outputs = o.bind(self(), primals, params);
    if (tangent === null) return { primals: outputs, tangents: [null] };
    const combine = (left: readonly Value[], right: readonly Value[]): readonly Value[] => {
      const [a, b] = [at(left, 0), at(right, 0)];
      const result = combineValues(o, kind, a, b);
      const [first, second] = slopes(o, kind, a, b, result);
      return [result, o.add(o.mul(at(left, 1), first), o.mul(at(right, 1), second))];
    };
    const size = at(x.aval.shape, params.axis);
    const { dtype } = x.aval;
    const fills = [o.literal(neutralOf(kind, dtype), dtype), o.literal(0, dtype)];
    const scanned =
      typeof size === "number"
        ? associativeScan(o, [x, tangent], params, size, combine)
        : scanByDoubling(o, [x, tangent], fills, params, combine);
    return { primals: outputs, tangents: [at(scanned, 1)] };
  };
}

/** Each element counts in all sums behind it. */
export const cumsumTranspose = unaryTranspose<CumulativeParams>(
  (o, cotangent, _shape, { axis, reverse }) => o.cumsum(cotangent, axis, !reverse),
);
