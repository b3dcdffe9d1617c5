/**
 * reduce_window_sum, reduce_window_max and reduce_window_min: pooling nodes where they say the same
 * (windowPool.ts), else folded element by element (windowFold.ts).
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { shapeEquals, shapeSize, subDims, type Shape } from "../src/ir/dims.js";
import { bitsOf, isComplex, isFloat, isInteger, kindOf, type DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { LiteralValue } from "../src/ir/jaxpr.js";
import type { Value, Ops } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import { definePrimitive, none, type Limit } from "../src/ir/primitive.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { wrapToDtype } from "./integerProducts.js";
import { combineWith, identityOf } from "./reduce.js";
import { at, emptyValue, upTo } from "./support.js";
import { selectAndGatherAdd } from "./selectAndScatter.js";
import { foldWindows, scalarValue } from "./windowFold.js";
import { planPool, poolWindows, type PoolKind } from "./windowPool.js";
import { windowedShape } from "./windowShape.js";
import { insertDilatedWindowDim, transposeWindowSum } from "./windowTransforms.js";

/** What padding counts as: the value that changes no result. */
function windowIdentity(kind: PoolKind, dtype: DType): LiteralValue {
  if (isComplex(dtype) && kind !== "sum")
    return { re: kind === "max" ? -Infinity : Infinity, im: 0 };
  return identityOf(kind, dtype);
}

/** Elements combined with other primitives: right for every dtype and all parameters. */
function fold(tf: Tf, kind: PoolKind, x: GraphValue, params: ReduceWindowParams): GraphValue {
  const { dtype } = x.aval;
  const padding = scalarValue(tf, windowIdentity(kind, dtype), dtype);
  const windows = foldWindows(tf, [x], [padding], params, (o, left, right) => [
    combineWith(o, kind)(at(left, 0), at(right, 0)),
  ]);
  return at(windows, 0);
}

function scanWith(o: Ops, kind: PoolKind, x: Value, { axis, reverse }: Scan): Value {
  switch (kind) {
    case "sum":
      return o.cumsum(x, axis, reverse);
    case "max":
      return o.cummax(x, axis, reverse);
    case "min":
      return o.cummin(x, axis, reverse);
  }
}

interface Scan {
  readonly axis: number;
  readonly reverse: boolean;
}

/** A window over all elements up to each (or from each on): a cumulative operation. */
function asScan(shape: Shape, params: ReduceWindowParams): Scan | null {
  const { window_dimensions, window_strides, padding, base_dilation, window_dilation } = params;
  const ones = [window_strides, base_dilation, window_dilation];
  if (ones.some((list) => list.some((n) => n !== 1))) return null;
  const long = upTo(shape.length).filter((axis) => window_dimensions[axis] !== 1);
  const [axis] = long;
  if (axis === undefined || long.length !== 1) return null;
  const size = at(shape, axis);
  if (size === 0) return null;
  const scanPadding = (reverse: boolean): ReduceWindowParams["padding"] =>
    shape.map((_, dim) => {
      if (dim !== axis) return [0, 0];
      return reverse ? [0, subDims(size, 1)] : [subDims(size, 1), 0];
    });
  const isWhole = shapeEquals([at(window_dimensions, axis)], [size]);
  const matches = (reverse: boolean): boolean =>
    shapeEquals(padding.flat(), scanPadding(reverse).flat());
  if (!isWhole || (!matches(false) && !matches(true))) return null;
  return { axis, reverse: !matches(false) };
}

/** Whether float32 pooling nodes compute this dtype exactly enough, and with what. */
function poolable(kind: PoolKind, dtype: DType, params: ReduceWindowParams): boolean {
  if (isFloat(dtype)) return true;
  if (dtype === "bool") return kind !== "sum";
  if (!isInteger(dtype) || bitsOf(dtype) > 16) return false;
  if (kind !== "sum") return true;
  const taps = shapeSize(params.window_dimensions);
  return typeof taps === "number" && taps * 2 ** bitsOf(dtype) <= 2 ** 24;
}

function lower(
  tf: Tf,
  kind: PoolKind,
  x: GraphValue,
  params: ReduceWindowParams,
  out: ShapedArray,
): GraphValue {
  if (out.shape.includes(0)) return emptyValue(tf, out);
  const scan = asScan(x.aval.shape, params);
  if (scan !== null) {
    return at(
      tf.inline([x], (o, values) => [scanWith(o, kind, at(values, 0), scan)]),
      0,
    );
  }
  const usePool = poolable(kind, out.dtype, params);
  const plan = usePool ? planPool(kind, x.aval.shape, params) : null;
  if (plan === null) return fold(tf, kind, x, params);
  const identity = Number(identityOf(kind, out.dtype));
  const input = tf.cast(tf.tensor(x), "float32");
  const pooled = poolWindows(tf, kind, input, plan, identity);
  if (isFloat(out.dtype)) return tf.value(pooled, out);
  if (out.dtype === "bool") return tf.value(tf.cast(pooled, "bool"), out);
  return tf.value(wrapToDtype(tf, tf.cast(pooled, "int32"), out.dtype), out);
}

const nanLimit: Limit = {
  when: "a window of a float array holds NaN (pooling nodes)",
  effect: "the result is the extremum of the other elements, where JAX gives NaN",
  why: "MaxPool ignores NaN on the cpu, wasm and webgl backends",
};

const emptyLimit: Limit = {
  when: "a symbolic size is so small at run time that there is no window",
  effect: "TensorFlow.js throws, where JAX gives an array without elements",
  why: "the kernels do not slice or pool to nothing",
};

function windowWith(o: Ops, kind: PoolKind, x: Value, params: ReduceWindowParams): Value {
  switch (kind) {
    case "sum":
      return o.reduceWindowSum(x, params);
    case "max":
      return o.reduceWindowMax(x, params);
    case "min":
      return o.reduceWindowMin(x, params);
  }
}

/** Extrema take the tangent of the element that they chose, as JAX does. */
function tangentOf(
  o: Ops,
  kind: PoolKind,
  tangent: Value,
  x: Value,
  params: ReduceWindowParams,
): Value {
  if (kind === "sum") return o.reduceWindowSum(tangent, params);
  const select_prim = kind === "max" ? "ge" : "le";
  return at(o.bind(selectAndGatherAdd, [tangent, x], { ...params, select_prim }), 0);
}

function windowReduction(kind: PoolKind) {
  const name = `reduce_window_${kind}`;
  return definePrimitive<ReduceWindowParams>({
    name,
    abstractEval: ([x], params) => {
      if (x === undefined)
        throw new Jax2TfjsError("invalid-parameter", `${name} takes one operand`);
      if (kind === "sum" && (kindOf(x.dtype) === "bool" || !isNumber(x.dtype))) {
        throw new Jax2TfjsError(
          "dtype-mismatch",
          `operand to reduce_window_sum must have a number dtype, got ${x.dtype}`,
          { primitive: name },
        );
      }
      return [shapedArray(x.dtype, windowedShape(x.shape, params), x.weakType)];
    },
    jvp: (o, primals, [tangent = null], params) => {
      const x = at(primals, 0);
      const primal = windowWith(o, kind, x, params);
      return { primals: [primal], tangents: [tangent && tangentOf(o, kind, tangent, x, params)] };
    },
    transpose:
      kind === "sum"
        ? (o, [cotangent = null], [input], params) =>
            input?.kind === "linear" && cotangent !== null
              ? [transposeWindowSum(o, cotangent, input.aval, params)]
              : [null]
        : none(`${name} is not linear in its operand`),
    batch: (o, inputs, [dim], params) => {
      const place = dim ?? 0;
      const windows = insertDilatedWindowDim(params, place);
      return { outputs: [windowWith(o, kind, at(inputs, 0), windows)], dims: [place] };
    },
    tfjs: (tf, [x], params, [out]) =>
      x === undefined || out === undefined ? [] : [lower(tf, kind, x, params, out)],
    limits: kind === "sum" ? [emptyLimit] : [nanLimit, emptyLimit],
    flops: (_inputs, params, [out]) => {
      const size = shapeSize(
        [...(out?.shape ?? []), ...params.window_dimensions].filter(
          (dim) => typeof dim === "number",
        ),
      );
      return typeof size === "number" ? size : 0;
    },
  });
}

const isNumber = (dtype: DType): boolean => isInteger(dtype) || isFloat(dtype) || isComplex(dtype);

export const reduceWindowSum = windowReduction("sum");
export const reduceWindowMax = windowReduction("max");
export const reduceWindowMin = windowReduction("min");
