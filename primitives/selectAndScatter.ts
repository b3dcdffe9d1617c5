/**
 * The derivatives of windowed maxima and minima: select_and_scatter_add and select_and_scatter (to
 * the operand), select_and_gather_add (of the result). Written with other primitives.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { printShape, shapeEquals, strideDim, addDims, type Shape } from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import {
  definePrimitive,
  none,
  type JvpRule,
  type Primitive,
  type TransposeRule,
} from "../src/ir/primitive.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { identityOf } from "./reduce.js";
import { mapScalarProgram } from "./scalarProgram.js";
import { scatterWinners, type Windows } from "./scatterWinners.js";
import { at, emptyValue } from "./support.js";
import { foldWindows, scalarValue, type WindowCombine } from "./windowFold.js";
import { monoidOf } from "./windowGeneral.js";
import { checkPositive, windowedShape } from "./windowShape.js";
import { allAtFront, insertDilatedWindowDim, insertWindowDim } from "./windowTransforms.js";

/** `ge` chooses maxima, `le` minima; the first of equal elements wins. */
export type SelectPrimitive = "ge" | "le";

export type SelectAndScatterAddParams = Windows & { readonly select_prim: SelectPrimitive };

export type SelectAndScatterParams = Windows & {
  /** `(chosen, element) -> bool`: whether the chosen one stays. */
  readonly select_jaxpr: ClosedJaxpr;
  /** `(sum so far, source) -> sum` */
  readonly scatter_jaxpr: ClosedJaxpr;
};

export type SelectAndGatherAddParams = ReduceWindowParams & {
  readonly select_prim: SelectPrimitive;
};

function checkWindows(primitive: string, operand: Shape, source: Shape, windows: Windows): void {
  const { window_dimensions, window_strides, padding } = windows;
  checkPositive(primitive, "window_dimensions", window_dimensions);
  checkPositive(primitive, "window_strides", window_strides);
  if (window_dimensions.length !== window_strides.length) {
    throw new Jax2TfjsError(
      "invalid-parameter",
      `${primitive} got inconsistent window_strides and window_dimensions: got window_strides ` +
        `${printShape(window_strides)} and window_dimensions ${printShape(window_dimensions)}.`,
    );
  }
  const ranks = [window_dimensions.length, padding.length, source.length];
  if (ranks.some((rank) => rank !== operand.length)) {
    throw new Jax2TfjsError(
      "invalid-parameter",
      `${primitive} got an operand of shape ${printShape(operand)}, a source of shape ` +
        `${printShape(source)}, ${padding.length} pairs of padding and window_dimensions ` +
        `${printShape(window_dimensions)}: all must have the same rank.`,
    );
  }
  const expected = operand.map((size, dim) => {
    const [low, high] = at(padding, dim);
    const padded = addDims(size, addDims(low, high));
    return strideDim(padded, at(window_dimensions, dim), at(window_strides, dim));
  });
  if (shapeEquals(expected, source)) return;
  throw new Jax2TfjsError(
    "shape-mismatch",
    `${primitive} source must have one element for each window, ${printShape(expected)}, got ` +
      `${printShape(source)}.`,
  );
}

function twoInputs(primitive: string, inputs: readonly ShapedArray[]) {
  const [first, second] = inputs;
  if (first !== undefined && second !== undefined) return [first, second] as const;
  throw new Jax2TfjsError("invalid-parameter", `${primitive} takes two operands`);
}

/** Forward derivative of what is linear in its first input; JAX ignores how the choice changes. */
function linearInFirst<P>(self: () => Primitive<P>): JvpRule<P> {
  return (o, primals, [tangent = null], params) => ({
    primals: o.bind(self(), primals, params),
    tangents: [tangent && at(o.bind(self(), [tangent, at(primals, 1)], params), 0)],
  });
}

/** Transpose of what is linear in its first input. */
function transposeInFirst<P>(
  name: string,
  pull: (o: Ops, cotangent: Value, operand: Value, params: P) => Value,
): TransposeRule<P> {
  return (o, [cotangent = null], inputs, params) => {
    const [linear, operand] = [at(inputs, 0), at(inputs, 1)];
    if (cotangent === null || linear.kind === "known") return [null, null];
    if (operand.kind === "known") return [pull(o, cotangent, operand.value, params), null];
    throw new Jax2TfjsError("not-linear", `${name} is not linear in the array it selects by`, {
      primitive: name,
    });
  };
}

export const selectAndScatterAdd: Primitive<SelectAndScatterAddParams> = definePrimitive({
  name: "select_and_scatter_add",
  manyNodes: "Every place of a window is tried in turn.",
  abstractEval: (inputs, params) => {
    const [source, operand] = twoInputs("select_and_scatter_add", inputs);
    checkWindows("select_and_scatter_add", operand.shape, source.shape, params);
    return [shapedArray(source.dtype, operand.shape, source.weakType && operand.weakType)];
  },
  jvp: linearInFirst(() => selectAndScatterAdd),
  transpose: transposeInFirst("select_and_scatter_add", (o, cotangent, operand, params) => {
    const ones = params.window_strides.map(() => 1);
    const dilated = { ...params, base_dilation: ones, window_dilation: ones };
    return at(o.bind(selectAndGatherAdd, [cotangent, operand], dilated), 0);
  }),
  batch: (o, inputs, dims, params) => ({
    outputs: o.bind(selectAndScatterAdd, allAtFront(o, inputs, dims), insertWindowDim(params, 0)),
    dims: [0],
  }),
  tfjs: (tf, inputs, { select_prim, ...windows }, [out]) => {
    if (out === undefined) return [];
    if (out.shape.includes(0)) return [emptyValue(tf, out)];
    const [source, operand] = [at(inputs, 0), at(inputs, 1)];
    const isBool = source.aval.dtype === "bool";
    return scatterWinners(tf, operand, source, windows, {
      keeps: (o, chosen, element) => o[select_prim](chosen, element),
      // JAX pads with the worst value, so that padding may win against nothing better.
      padding: identityOf(select_prim === "ge" ? "max" : "min", operand.aval.dtype),
      initial: null,
      scatter: (o, sum, value) => (isBool ? o.or(sum, value) : o.add(sum, value)),
      adds: !isBool,
    });
  },
});

export const selectAndScatter: Primitive<SelectAndScatterParams> = definePrimitive({
  name: "select_and_scatter",
  manyNodes: "Every place of a window is tried in turn.",
  abstractEval: (inputs, params) => {
    const [operand, source] = twoInputs("select_and_scatter", inputs);
    checkWindows("select_and_scatter", operand.shape, source.shape, params);
    return [shapedArray(operand.dtype, operand.shape)];
  },
  jvp: none("JAX differentiates select_and_scatter_add only"),
  transpose: none("a general select_and_scatter is not linear"),
  batch: (o, inputs, dims, params) => {
    if ((dims[2] ?? null) !== null) {
      throw new Jax2TfjsError(
        "no-batch-rule",
        "select_and_scatter has no batch rule for a batch of initial values",
        { primitive: "select_and_scatter" },
      );
    }
    const arrays = allAtFront(o, inputs.slice(0, 2), dims.slice(0, 2));
    const windows = insertWindowDim(params, 0);
    return { outputs: o.bind(selectAndScatter, [...arrays, at(inputs, 2)], windows), dims: [0] };
  },
  tfjs: (tf, inputs, { select_jaxpr, scatter_jaxpr, ...windows }, [out]) => {
    if (out === undefined) return [];
    if (out.shape.includes(0)) return [emptyValue(tf, out)];
    const apply =
      (program: ClosedJaxpr) =>
      (o: Ops, x: Value, y: Value): Value =>
        at(mapScalarProgram(o, program, [x, y], x.aval.shape), 0);
    return scatterWinners(tf, at(inputs, 0), at(inputs, 1), windows, {
      keeps: apply(select_jaxpr),
      padding: null,
      initial: at(inputs, 2),
      scatter: apply(scatter_jaxpr),
      adds: monoidOf(scatter_jaxpr) === "sum",
    });
  },
});

/** The element of each window that the comparison chooses, as JAX folds pairs (key, value). */
function gatherChosen(
  tf: Tf,
  tangents: GraphValue,
  operand: GraphValue,
  { select_prim, ...params }: SelectAndGatherAddParams,
): readonly GraphValue[] {
  const { dtype } = operand.aval;
  const worst = identityOf(select_prim === "ge" ? "max" : "min", dtype);
  const padding = [scalarValue(tf, worst, dtype), scalarValue(tf, 0, tangents.aval.dtype)];
  const choose: WindowCombine = (o, left, right) => {
    const stays = o[select_prim](at(left, 0), at(right, 0));
    return left.map((value, index) => o.selectN(stays, at(right, index), value));
  };
  const found = foldWindows(tf, [operand, tangents], padding, params, choose);
  // The fold starts from (worst, 0), which an element equal to it does not replace.
  return tf.inline(found, (o, values) => {
    const [key, value] = [at(values, 0), at(values, 1)];
    const full = (literal: number | boolean, like: Value): Value =>
      o.full(key.aval.shape, literal, like.aval.dtype);
    return [o.selectN(o[select_prim](full(worst, key), key), value, full(0, value))];
  });
}

/**
 * The cotangents of the tangents: each goes to the element that its window chose. With base dilation
 * the elements between are the worst, so that they win nothing.
 */
function scatterChosen(
  o: Ops,
  cotangent: Value,
  operand: Value,
  params: SelectAndGatherAddParams,
): Value {
  const { base_dilation, window_dilation, ...windows } = params;
  if (window_dilation.some((factor) => factor !== 1)) {
    throw new Jax2TfjsError(
      "no-transpose-rule",
      "VJP not implemented for select_and_gather (MaxPool) with window dilation, got " +
        `window_dilation=${printShape(window_dilation)}.`,
      { primitive: "select_and_gather_add" },
    );
  }
  const scatter = (chosenBy: Value): Value =>
    at(o.bind(selectAndScatterAdd, [cotangent, chosenBy], windows), 0);
  if (base_dilation.every((factor) => factor === 1)) return scatter(operand);
  const { dtype } = operand.aval;
  const worst = o.literal(identityOf(params.select_prim === "ge" ? "max" : "min", dtype), dtype);
  const spaced = o.pad(
    operand,
    worst,
    base_dilation.map((factor) => [0, 0, factor - 1] as const),
  );
  const { shape } = spaced.aval;
  return o.slice(
    scatter(spaced),
    shape.map(() => 0),
    shape,
    base_dilation,
  );
}

export const selectAndGatherAdd: Primitive<SelectAndGatherAddParams> = definePrimitive({
  name: "select_and_gather_add",
  manyNodes: "The choice of every window is carried along with the value, by pairs.",
  abstractEval: (inputs, params) => {
    const [tangents, operand] = twoInputs("select_and_gather_add", inputs);
    if (!shapeEquals(tangents.shape, operand.shape)) {
      throw new Jax2TfjsError(
        "shape-mismatch",
        "select_and_gather_add tangents and operand shapes must match, got " +
          `${printShape(tangents.shape)} and ${printShape(operand.shape)}.`,
      );
    }
    const shape = windowedShape(operand.shape, params);
    return [shapedArray(tangents.dtype, shape, tangents.weakType && operand.weakType)];
  },
  jvp: linearInFirst(() => selectAndGatherAdd),
  transpose: transposeInFirst("select_and_gather_add", scatterChosen),
  batch: (o, inputs, dims, params) => ({
    outputs: o.bind(
      selectAndGatherAdd,
      allAtFront(o, inputs, dims),
      insertDilatedWindowDim(params, 0),
    ),
    dims: [0],
  }),
  tfjs: (tf, inputs, params, [out]) => {
    if (out === undefined) return [];
    if (out.shape.includes(0)) return [emptyValue(tf, out)];
    return gatherChosen(tf, at(inputs, 0), at(inputs, 1), params);
  },
});
