/**
 * Recovers operations that TensorFlow has as one node from what JAX writes as several: softmax,
 * log-softmax, mean, inference batch norm. Results agree up to float32 rounding.
 */
import { batchNorm, logSoftmax, mean, softmax } from "../../primitives/fused.js";
import { boundsOf, dimEquals, DimExpr, shapeEquals, shapeSize, type Dim } from "../ir/dims.js";
import { isFloat } from "../ir/dtypes.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt, numbersParam } from "./simplify.js";

/** The value under identities that change neither numbers nor their order. */
function plain(value: Value, match: Match): Value {
  for (const name of ["stop_gradient", "copy", "optimization_barrier"]) {
    const made = match.made(value, name);
    if (made !== undefined) return plain(inputAt(made, 0), match);
  }
  return value;
}

/** The value under broadcasts and reshapes that only spread it over further or unit dimensions. */
function unspread(value: Value, match: Match): Value {
  const inner = plain(value, match);
  const made = match.made(inner, "broadcast_in_dim") ?? match.made(inner, "reshape");
  if (made === undefined) return inner;
  const source = inputAt(made, 0);
  const isView =
    made.primitive.name === "broadcast_in_dim" ||
    withoutUnits(source).length === withoutUnits(inner).length;
  return isView ? unspread(source, match) : inner;
}

const withoutUnits = (value: Value): readonly unknown[] =>
  value.aval.shape.filter((dim) => dim !== 1);

/** `value` as a reduction over the last axis of `x`, spread out again. */
function lastAxisReduction(value: Value, primitive: string, match: Match): Value | null {
  const made = match.made(unspread(value, match), primitive);
  if (made === undefined) return null;
  const x = inputAt(made, 0);
  const axes = numbersParam(made, "axes");
  return axes.length === 1 && axes[0] === x.aval.shape.length - 1 ? x : null;
}

/** `x - max(x)` over the last axis: gives x. */
function shifted(value: Value, match: Match): Value | null {
  const sub = match.made(plain(value, match), "sub");
  if (sub === undefined) return null;
  const x = inputAt(sub, 0);
  const reduced = lastAxisReduction(inputAt(sub, 1), "reduce_max", match);
  return reduced !== null && plain(reduced, match) === plain(x, match) ? x : null;
}

const recoverSoftmax: Row = {
  name: "softmax",
  primitives: ["div"],
  rewrite: (o, equation, match) => {
    const numerator = inputAt(equation, 0);
    const exp = match.made(numerator, "exp");
    if (exp === undefined || !isFloat(numerator.aval.dtype)) return null;
    const summed = lastAxisReduction(inputAt(equation, 1), "reduce_sum", match);
    if (summed !== numerator) return null;
    const x = shifted(inputAt(exp, 0), match);
    return x === null ? null : o.bind(softmax, [x], {});
  },
};

const recoverLogSoftmax: Row = {
  name: "log-softmax",
  primitives: ["sub"],
  rewrite: (o, equation, match) => {
    const shiftedValue = inputAt(equation, 0);
    const x = shifted(shiftedValue, match);
    const log = match.made(unspread(inputAt(equation, 1), match), "log");
    if (x === null || log === undefined) return null;
    const summed = lastAxisReduction(inputAt(log, 0), "reduce_sum", match);
    const exp = summed === null ? undefined : match.made(summed, "exp");
    if (exp === undefined || inputAt(exp, 0) !== shiftedValue) return null;
    return o.bind(logSoftmax, [x], {});
  },
};

/** A known number, or a size of the program as a number of any type; undefined for other values. */
function sizeOf(value: Value, match: Match): Dim | undefined {
  const known = match.scalar(value);
  if (known !== undefined) return typeof known === "number" ? known : undefined;
  const converted = match.made(unspread(value, match), "convert_element_type");
  const size = converted === undefined ? unspread(value, match) : inputAt(converted, 0);
  const dim = match.made(size, "dim_as_value")?.params.dim;
  return typeof dim === "number" || dim instanceof DimExpr ? dim : undefined;
}

/** `reduce_sum(x) / n` with n the number of summed elements. */
const recoverMean: Row = {
  name: "mean",
  primitives: ["div"],
  rewrite: (o, equation, match) => {
    const quotient = inputAt(equation, 0);
    const view = match.made(quotient, "reshape") ?? match.made(quotient, "broadcast_in_dim");
    const summed = view === undefined ? quotient : unspread(quotient, match);
    const sum = match.made(summed, "reduce_sum");
    const divisor = sizeOf(inputAt(equation, 1), match);
    if (sum === undefined || divisor === undefined || boundsOf(divisor)[0] <= 0) return null;
    const x = inputAt(sum, 0);
    const axes = numbersParam(sum, "axes");
    const count = shapeSize(axes.map((axis) => x.aval.shape[axis] ?? 0));
    if (!isFloat(x.aval.dtype) || !dimEquals(count, divisor)) return null;
    const [result] = o.bind(mean, [x], { axes });
    if (view === undefined || result === undefined) return result === undefined ? null : [result];
    const isView = withoutUnits(quotient).length === withoutUnits(result).length;
    return isView ? [o.reshape(result, quotient.aval.shape)] : null;
  },
};

/** A vector over the last dimension that a value spreads, or null. */
function channelVector(value: Value, channels: unknown, match: Match): Value | null {
  const vector = unspread(value, match);
  const { shape } = vector.aval;
  return shape.length === 1 && shape[0] === channels ? vector : null;
}

/** Both orders of a commutative equation's two inputs. */
function bothOrders(equation: Equation): readonly (readonly [Value, Value])[] {
  const [x, y] = [inputAt(equation, 0), inputAt(equation, 1)];
  return [
    [x, y],
    [y, x],
  ];
}

interface Normalized {
  readonly x: Value;
  readonly mean: Value;
  readonly scale: Value;
  readonly variance: Value;
  readonly epsilon: number;
}

/** `rsqrt(variance + epsilon)`. */
function inverseDeviation(
  value: Value,
  channels: unknown,
  match: Match,
): { readonly variance: Value; readonly epsilon: number } | null {
  const rsqrt = match.made(unspread(value, match), "rsqrt");
  const add = rsqrt === undefined ? undefined : match.made(plain(inputAt(rsqrt, 0), match), "add");
  if (add === undefined) return null;
  for (const [left, right] of bothOrders(add)) {
    const epsilon = match.scalar(right);
    const variance = channelVector(left, channels, match);
    if (typeof epsilon === "number" && variance !== null) return { variance, epsilon };
  }
  return null;
}

/** `(x - mean) * (rsqrt(variance + epsilon) * scale)`. */
function normalized(value: Value, channels: unknown, match: Match): Normalized | null {
  const product = match.made(value, "mul");
  if (product === undefined) return null;
  for (const [left, right] of bothOrders(product)) {
    const centred = match.made(left, "sub");
    const factor = match.made(unspread(right, match), "mul");
    if (centred === undefined || factor === undefined) continue;
    const meanVector = channelVector(inputAt(centred, 1), channels, match);
    if (meanVector === null) continue;
    for (const [first, second] of bothOrders(factor)) {
      const deviation = inverseDeviation(first, channels, match);
      const scale = channelVector(second, channels, match);
      if (deviation === null || scale === null) continue;
      return { x: inputAt(centred, 0), mean: meanVector, scale, ...deviation };
    }
  }
  return null;
}

/** Batch norm with stored statistics: FusedBatchNormV3 takes four dimensions, channels last. */
const recoverBatchNorm: Row = {
  name: "batch-norm",
  primitives: ["add"],
  rewrite: (o: Ops, equation, match) => {
    const { shape } = equation.outputs[0]?.aval ?? { shape: [] };
    const channels = shape[3];
    if (shape.length !== 4 || typeof channels !== "number") return null;
    for (const [left, right] of bothOrders(equation)) {
      const offset = channelVector(right, channels, match);
      const found = offset === null ? null : normalized(left, channels, match);
      if (offset === null || found === null) continue;
      const inputs = [found.x, found.scale, offset, found.mean, found.variance];
      return o.bind(batchNorm, inputs, { epsilon: found.epsilon });
    }
    return null;
  },
};

/** Whether a value lies between -1 and 1. */
const isSmall = (value: Value, match: Match): boolean =>
  ["tanh", "logistic", "sin", "cos", "erf", "softmax"].includes(
    match.definition(value)?.primitive.name ?? "",
  );

/**
 * `(1 - t) * x + t * y` with t between 0 and 1, as a gated cell mixes its old and new state, is
 * `x + t * (y - x)`. Where x is small, the error is what rounding t makes in any case.
 */
const mixStates: Row = {
  name: "mix-states",
  primitives: ["add"],
  rewrite: (o, equation, match) => {
    for (const [left, right] of bothOrders(equation)) {
      const [rest, part] = [match.made(left, "mul"), match.made(right, "mul")];
      if (rest === undefined || part === undefined || rest === part) continue;
      for (const [factor, x] of bothOrders(rest)) {
        const complement = match.made(factor, "sub");
        if (complement === undefined || !isSmall(x, match)) continue;
        const share = inputAt(complement, 1);
        const isShare = match.made(share, "logistic") !== undefined;
        if (!isShare || match.scalar(inputAt(complement, 0)) !== 1) continue;
        const other = bothOrders(part).find(([first]) => first === share)?.[1];
        if (other === undefined || !shapeEquals(other.aval.shape, x.aval.shape)) continue;
        return [o.add(x, o.mul(share, o.sub(other, x)))];
      }
    }
    return null;
  },
};

/** `1 / (1 + exp(-x))`, which is how flax and older exports write the logistic function. */
const recoverLogistic: Row = {
  name: "logistic",
  primitives: ["div"],
  rewrite: (o, equation, match) => {
    if (match.scalar(inputAt(equation, 0)) !== 1) return null;
    const add = match.made(inputAt(equation, 1), "add");
    if (add === undefined || !isFloat(inputAt(equation, 1).aval.dtype)) return null;
    for (const [one, other] of bothOrders(add)) {
      const exp = match.scalar(one) === 1 ? match.made(other, "exp") : undefined;
      const neg = exp === undefined ? undefined : match.made(inputAt(exp, 0), "neg");
      if (neg !== undefined) return [o.logistic(inputAt(neg, 0))];
    }
    return null;
  },
};

/**
 * `x / sqrt(y)` as `x * rsqrt(y)`: a node less, the same at 0 and infinity, and free of the guard
 * that a quotient of unknown sign needs on webgl, which takes 0 / 0 for 1.
 */
const divideBySqrt: Row = {
  name: "divide-by-sqrt",
  primitives: ["div"],
  rewrite: (o, equation, match) => {
    const [x, divisor] = [inputAt(equation, 0), inputAt(equation, 1)];
    if (!isFloat(x.aval.dtype)) return null;
    const spread = match.made(divisor, "broadcast_in_dim");
    const sqrt = match.made(spread === undefined ? divisor : inputAt(spread, 0), "sqrt");
    if (sqrt === undefined) return null;
    const inverse = o.rsqrt(inputAt(sqrt, 0));
    if (spread === undefined) return [o.mul(x, inverse)];
    const dimensions = numbersParam(spread, "broadcast_dimensions");
    return [o.mul(x, o.broadcastInDim(inverse, divisor.aval.shape, dimensions))];
  },
};

export const recoverRows: readonly Row[] = [
  divideBySqrt,
  recoverLogistic,
  recoverSoftmax,
  recoverLogSoftmax,
  recoverMean,
  recoverBatchNorm,
  mixStates,
];
