/**
 * Records of cumsum, cumprod, cummax, cummin and cumlogsumexp. Where TensorFlow has no kernel,
 * every element is combined with the one 1, 2, 4, … places before it: log2(n) steps.
 */
import { shapedArray } from "../src/ir/aval.js";
import { minDim, negDim, printShape, subDims, type Dim } from "../src/ir/dims.js";
import { isComplex, isFloat, isInteger, type DType } from "../src/ir/dtypes.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { identityOf, wrapInteger } from "./reduce.js";
import { at, dtypeMismatch, invalid, moveData } from "./support.js";
import { halvingSteps } from "./treeReduce.js";

export type CumulativeParams = { readonly axis: number; readonly reverse: boolean };

type Kind = "sum" | "prod" | "max" | "min" | "logsumexp";

/** The value that changes nothing when it is shifted in. */
function neutral(kind: Kind, dtype: DType): number {
  if (kind === "logsumexp") return -Infinity;
  return Number(identityOf(kind, dtype));
}

/** `log(exp(x) + exp(y))` without overflow; equal infinities stay. */
function logAddExp(o: Ops, x: Value, y: Value): Value {
  const larger = o.max(x, y);
  const difference = o.sub(x, y);
  const isNan = o.ne(difference, difference);
  const smooth = o.add(larger, o.log1p(o.exp(o.neg(o.abs(difference)))));
  // Infinite x and y give a NaN difference; the sum is then right, or NaN because one of them is.
  return o.selectN(isNan, smooth, o.add(x, y));
}

function combine(o: Ops, kind: Kind, x: Value, y: Value): Value {
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

/** The elements moved `distance` places along the axis, with `fill` moving in. */
function shifted(o: Ops, x: Value, axis: number, distance: Dim, fill: Value): Value {
  const config = x.aval.shape.map((_, index) =>
    index === axis ? ([distance, negDim(distance), 0] as const) : ([0, 0, 0] as const),
  );
  return o.pad(x, fill, config);
}

/**
 * Like `shifted`, but the elements at the border stay where they are: for max and min, which
 * elements do not change when they meet themselves, and where a fill value may not be exact.
 */
function shiftedKeeping(
  o: Ops,
  x: Value,
  { axis, reverse }: CumulativeParams,
  distance: Dim,
): Value {
  const size = at(x.aval.shape, axis);
  const piece = (start: Dim, limit: Dim): Value =>
    o.slice(
      x,
      x.aval.shape.map((_, index) => (index === axis ? start : 0)),
      x.aval.shape.map((dim, index) => (index === axis ? limit : dim)),
    );
  const rest = subDims(size, distance);
  return reverse
    ? o.concatenate([piece(distance, size), piece(rest, size)], axis)
    : o.concatenate([piece(0, distance), piece(0, rest)], axis);
}

/** Inclusive scan by doubling distances. */
function scanByDoubling(o: Ops, kind: Kind, x: Value, params: CumulativeParams): Value {
  const { axis, reverse } = params;
  const keepsBorder = (kind === "max" || kind === "min") && !isFloat(x.aval.dtype);
  const size = at(x.aval.shape, axis);
  const fill = o.literal(neutral(kind, x.aval.dtype), x.aval.dtype);
  let result = x;
  for (let step = 0; step < halvingSteps(size); step++) {
    const distance = typeof size === "number" ? 2 ** step : minDim(2 ** step, size);
    const before = keepsBorder
      ? shiftedKeeping(o, result, params, distance)
      : shifted(o, result, axis, reverse ? negDim(distance) : distance, fill);
    result = combine(o, kind, before, result);
  }
  return result;
}

/** True if a TensorFlow kernel computes it as JAX does. */
function hasKernel(kind: Kind, dtype: DType): boolean {
  if (kind === "sum") return true;
  return kind === "prod" && isFloat(dtype);
}

function cumulativeRule(
  tf: Tf,
  kind: Kind,
  x: GraphValue,
  params: CumulativeParams,
): readonly GraphValue[] {
  const { aval } = x;
  const size = at(aval.shape, params.axis);
  if (size === 0 || size === 1 || aval.shape.includes(0)) return [x];
  if (!hasKernel(kind, aval.dtype)) {
    return tf.inline([x], (o, values) => [scanByDoubling(o, kind, at(values, 0), params)]);
  }
  const op = kind === "sum" ? "Cumsum" : "Cumprod";
  const scan = (part: Tensor): Tensor =>
    tf.cumulative(op, part, params.axis, { reverse: params.reverse, exclusive: false });
  if (isInteger(aval.dtype)) return [wrapInteger(tf, scan(tf.tensor(x)), aval)];
  return [moveData(tf, [x], aval, (parts) => scan(at(parts, 0)))];
}

function cumulative(kind: Kind): Primitive<CumulativeParams> {
  const name = `cum${kind}`;
  const record: Primitive<CumulativeParams> = definePrimitive<CumulativeParams>({
    name,
    abstractEval: (inputs, { axis }) => {
      checkCount(name, inputs, 1);
      const x = at(inputs, 0);
      if (axis < 0) throw invalid("XLA operations do not allow negative axes");
      if (!(Number.isInteger(axis) && axis < x.shape.length)) {
        throw invalid(`axis ${axis} is out of bounds for array of shape ${printShape(x.shape)}`);
      }
      if (!isInteger(x.dtype) && !isFloat(x.dtype) && !isComplex(x.dtype)) {
        throw dtypeMismatch(
          `${name} does not accept dtype ${x.dtype}. Accepted dtypes are subtypes of number.`,
        );
      }
      return [shapedArray(x.dtype, x.shape, x.weakType)];
    },
    jvp: none("not written yet: jvp"),
    transpose: none("not written yet: transpose"),
    batch: (o, inputs, dims, params) => {
      const batch = dims[0] ?? null;
      const axis = batch !== null && params.axis >= batch ? params.axis + 1 : params.axis;
      return { outputs: o.bind(record, inputs, { ...params, axis }), dims: [batch] };
    },
    tfjs: (tf, inputs, params) => cumulativeRule(tf, kind, at(inputs, 0), params),
  });
  return record;
}

export const cumsum = cumulative("sum");
export const cumprod = cumulative("prod");
export const cummax = cumulative("max");
export const cummin = cumulative("min");
export const cumlogsumexp = cumulative("logsumexp");
