/**
 * Records of cumsum, cumprod, cummax, cummin and cumlogsumexp. Where TensorFlow has no kernel,
 * every element is combined with the one 1, 2, 4, … places before it: log2(n) steps.
 */
import { shapedArray } from "../src/ir/aval.js";
import { isSymbolic, printShape, subDims } from "../src/ir/dims.js";
import { isComplex, isFloat, isInteger, type DType } from "../src/ir/dtypes.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { scanByDoubling, type CumulativeParams } from "./cumulativeScan.js";
import {
  combineValues,
  cumsumTranspose,
  cumulativeJvp,
  neutralOf,
  type CumulativeKind,
} from "./cumulativeTransforms.js";
import { checkCount } from "./factories.js";
import { wrapInteger } from "./reduce.js";
import { linearJvp, unaryBatch } from "./shapeTransforms.js";
import { at, dtypeMismatch, invalid, moveData } from "./support.js";
import { halvingSteps } from "./treeReduce.js";

export type { CumulativeParams };

/** True if a TensorFlow kernel computes it as JAX does. */
function hasKernel(kind: CumulativeKind, dtype: DType): boolean {
  if (kind === "sum") return true;
  return kind === "prod" && isFloat(dtype);
}

/** Doubling along a size that is not known: fewer nodes by gathering than by moving. */
function scanUnknown(
  tf: Tf,
  kind: CumulativeKind,
  x: GraphValue,
  { axis, reverse }: CumulativeParams,
): GraphValue {
  const { aval } = x;
  const size = at(aval.shape, axis);
  const range = tf.range(size);
  const border = reverse ? tf.dim(subDims(size, 1)) : tf.scalar(0, "int32");
  let result = x;
  for (let step = 0; step < halvingSteps(size); step++) {
    const distance = tf.scalar(2 ** step, "int32");
    const before = tf.binary(reverse ? "AddV2" : "Sub", range, distance);
    const places = tf.binary(reverse ? "Minimum" : "Maximum", before, border);
    const taken = moveData(tf, [result], aval, (parts) => tf.gather(at(parts, 0), places, axis));
    // Elements that have none before them meet the border: extremes may meet an element twice.
    const inside =
      kind === "max" || kind === "min"
        ? []
        : [tf.value(tf.binary("Equal", before, places), shapedArray("bool", [size]))];
    const combined = tf.inline([taken, result, ...inside], (o, [earlier, later, isInside]) => {
      if (earlier === undefined || later === undefined) return [];
      if (isInside === undefined) return [combineValues(o, kind, earlier, later)];
      const nothing = o.full(aval.shape, neutralOf(kind, aval.dtype), aval.dtype);
      const spread = o.broadcastInDim(isInside, aval.shape, [axis]);
      return [combineValues(o, kind, o.selectN(spread, nothing, earlier), later)];
    });
    result = at(combined, 0);
  }
  return result;
}

function cumulativeRule(
  tf: Tf,
  kind: CumulativeKind,
  x: GraphValue,
  params: CumulativeParams,
): readonly GraphValue[] {
  const { aval } = x;
  const size = at(aval.shape, params.axis);
  if (size === 0 || size === 1 || aval.shape.includes(0)) return [x];
  if (!hasKernel(kind, aval.dtype) && isSymbolic(size)) return [scanUnknown(tf, kind, x, params)];
  if (!hasKernel(kind, aval.dtype)) {
    // Max and min of integers: a fill value may not be exact where int32 is float32.
    const keepsBorder = (kind === "max" || kind === "min") && !isFloat(aval.dtype);
    return tf.inline([x], (o, values) => {
      const fill = o.literal(neutralOf(kind, aval.dtype), aval.dtype);
      return scanByDoubling(o, values, keepsBorder ? null : [fill], params, (left, right) => [
        combineValues(o, kind, at(left, 0), at(right, 0)),
      ]);
    });
  }
  const op = kind === "sum" ? "Cumsum" : "Cumprod";
  const scan = (part: Tensor): Tensor =>
    tf.cumulative(op, part, params.axis, { reverse: params.reverse, exclusive: false });
  if (isInteger(aval.dtype)) return [wrapInteger(tf, scan(tf.tensor(x)), aval)];
  return [moveData(tf, [x], aval, (parts) => scan(at(parts, 0)))];
}

function cumulative(kind: CumulativeKind): Primitive<CumulativeParams> {
  const name = `cum${kind}`;
  const record: Primitive<CumulativeParams> = definePrimitive<CumulativeParams>({
    name,
    manyNodes: "Doubling steps: as many as the logarithm of the size.",
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
    jvp: kind === "sum" ? linearJvp(() => record) : cumulativeJvp(kind, () => record),
    transpose: kind === "sum" ? cumsumTranspose : none(`${name} is not linear in its operand`),
    batch: unaryBatch(
      () => record,
      (batch, params) => ({
        params: { ...params, axis: params.axis >= batch ? params.axis + 1 : params.axis },
        dim: batch,
      }),
    ),
    tfjs: (tf, inputs, params) => cumulativeRule(tf, kind, at(inputs, 0), params),
  });
  return record;
}

export const cumsum = cumulative("sum");
export const cumprod = cumulative("prod");
export const cummax = cumulative("max");
export const cummin = cumulative("min");
export const cumlogsumexp = cumulative("logsumexp");
