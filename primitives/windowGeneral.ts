/**
 * reduce_window with any computation, on one or several operands. Computations that are one known
 * operation go the way of reduce_window_sum and its relatives.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { printShape, shapeEquals } from "../src/ir/dims.js";
import { isComplex, isFloat } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ReduceWindowParams } from "../src/ir/params.js";
import {
  definePrimitive,
  none,
  type BatchRule,
  type JvpRule,
  type Primitive,
} from "../src/ir/primitive.js";
import type { GraphValue, Tf } from "../src/ir/tf.js";
import { combineWith, identityOf, type Monoid } from "./reduce.js";
import { mapScalarProgram } from "./scalarProgram.js";
import { at, emptyValue } from "./support.js";
import { foldWindows, scalarValue } from "./windowFold.js";
import { windowedShape } from "./windowShape.js";
import { allAtFront, insertDilatedWindowDim } from "./windowTransforms.js";

export type GeneralReduceWindowParams = ReduceWindowParams & {
  /** `(accumulators, elements) -> accumulators`, on scalars. */
  readonly jaxpr: ClosedJaxpr;
};

const monoids: Readonly<Record<string, Monoid>> = {
  add: "sum",
  add_any: "sum",
  mul: "prod",
  max: "max",
  min: "min",
  and: "and",
  or: "or",
  xor: "xor",
};

/** The operation that a computation of two scalars consists of, if it is one. */
export function monoidOf(program: ClosedJaxpr): Monoid | null {
  const { invars, equations, outvars } = program.jaxpr;
  const [equation] = equations;
  if (equation === undefined || equations.length !== 1 || invars.length !== 2) return null;
  const monoid = monoids[equation.primitive.name];
  const takesBoth =
    new Set(equation.inputs).size === 2 && invars.every((v) => equation.inputs.includes(v));
  if (monoid === undefined || !takesBoth || outvars[0] !== equation.outputs[0]) return null;
  return monoid;
}

/** The windows of a known operation: padding counts for nothing, as XLA leaves it out. */
function monoidWindows(
  tf: Tf,
  x: GraphValue,
  monoid: Monoid,
  params: ReduceWindowParams,
): readonly GraphValue[] {
  const { dtype } = x.aval;
  const named = (build: (o: Ops, x: Value) => Value): readonly GraphValue[] =>
    tf.inline([x], (o, values) => [build(o, at(values, 0))]);
  if (monoid === "sum" && dtype !== "bool") return named((o, v) => o.reduceWindowSum(v, params));
  if (monoid === "max") return named((o, v) => o.reduceWindowMax(v, params));
  if (monoid === "min") return named((o, v) => o.reduceWindowMin(v, params));
  const padding = scalarValue(tf, identityOf(monoid, dtype), dtype);
  return foldWindows(tf, [x], [padding], params, (o, left, right) => [
    combineWith(o, monoid)(at(left, 0), at(right, 0)),
  ]);
}

/** The windows of several operands, without the initial values. */
function windowsOf(
  tf: Tf,
  inputs: readonly GraphValue[],
  { jaxpr, ...params }: GeneralReduceWindowParams,
): readonly GraphValue[] {
  const count = inputs.length / 2;
  const monoid = count === 1 ? monoidOf(jaxpr) : null;
  if (monoid !== null) return monoidWindows(tf, at(inputs, 0), monoid, params);
  const [operands, initial] = [inputs.slice(0, count), inputs.slice(count)];
  return foldWindows(tf, operands, initial, params, (o, left, right) =>
    mapScalarProgram(o, jaxpr, [...left, ...right], at(left, 0).aval.shape),
  );
}

type Avals = readonly ShapedArray[];

function checkInputs(operands: Avals, initial: Avals, program: ClosedJaxpr): void {
  const count = operands.length;
  const list = (avals: Avals, part: (aval: ShapedArray) => string): string =>
    `[${avals.map(part).join(", ")}]`;
  if (count === 0 || initial.length !== count) {
    throw new Jax2TfjsError(
      "invalid-parameter",
      `reduce_window takes as many init_values as operands, got ${count} and ${initial.length}`,
    );
  }
  if (operands.some((operand, index) => operand.dtype !== at(initial, index).dtype)) {
    throw new Jax2TfjsError(
      "dtype-mismatch",
      "reduce_window got inconsistent dtypes for operands and init_values: got operand dtypes " +
        `${list(operands, (aval) => aval.dtype)} and init_value dtypes ` +
        `${list(initial, (aval) => aval.dtype)}.`,
    );
  }
  if (initial.some((value) => value.shape.length > 0)) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      "reduce_window expected init_values to be scalars but init_values have shapes " +
        `${list(initial, (aval) => printShape(aval.shape))}.`,
    );
  }
  if (!operands.every((operand) => shapeEquals(operand.shape, at(operands, 0).shape))) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      `reduce_window operands must have one shape, got ${list(operands, (a) => printShape(a.shape))}.`,
    );
  }
  const { invars, outvars } = program.jaxpr;
  if (invars.length !== 2 * count || outvars.length !== count) {
    throw new Jax2TfjsError(
      "invalid-parameter",
      `reduce_window of ${count} operands needs a computation of ${2 * count} arguments and ` +
        `${count} results, got ${invars.length} and ${outvars.length}`,
    );
  }
}

/**
 * The computation on values and tangents together: `(x, dx, y, dy) -> (z, dz)`, where only values of
 * differentiable types have tangents.
 */
function dualComputation(
  o: Ops,
  program: ClosedJaxpr,
  hasTangent: readonly boolean[],
): ClosedJaxpr {
  const active = [...hasTangent, ...hasTangent];
  const dual = o.programs.jvp(program, active, hasTangent);
  const avals = program.jaxpr.invars.map((variable) => variable.aval);
  const count = hasTangent.length;
  const tangentCount = hasTangent.filter(Boolean).length;
  const side = (own: Avals): Avals => [...own, ...own.filter((_, index) => hasTangent[index])];
  const inputs = [...side(avals.slice(0, count)), ...side(avals.slice(count))];
  return o.programs.build(inputs, (inner, values) => {
    const [left, right] = [
      values.slice(0, count + tangentCount),
      values.slice(count + tangentCount),
    ];
    const args = [
      ...left.slice(0, count),
      ...right.slice(0, count),
      ...left.slice(count),
      ...right.slice(count),
    ];
    return mapScalarProgram(inner, dual.program, args, []);
  });
}

/** As in JAX, one windowed reduction of values and tangents: it has no reverse derivative. */
const generalJvp: JvpRule<GeneralReduceWindowParams> = (o, primals, tangents, params) => {
  const count = primals.length / 2;
  if (tangents.slice(count).some((tangent) => tangent !== null)) {
    throw new Jax2TfjsError(
      "no-jvp-rule",
      "reduce_window jvp does not support non-zero init_value_tangent.",
      { primitive: "reduce_window" },
    );
  }
  const [operands, initial] = [primals.slice(0, count), primals.slice(count)];
  const hasTangent = operands.map(({ aval }) => isFloat(aval.dtype) || isComplex(aval.dtype));
  const zero = ({ aval }: Value): Value => o.full(aval.shape, 0, aval.dtype);
  const select = (values: readonly Value[]) => values.filter((_, index) => hasTangent[index]);
  const operandTangents = operands.map((operand, index) => tangents[index] ?? zero(operand));
  const results = o.bind(
    reduceWindow,
    [...operands, ...select(operandTangents), ...initial, ...select(initial.map(zero))],
    { ...params, jaxpr: dualComputation(o, params.jaxpr, hasTangent) },
  );
  let next = count;
  return {
    primals: results.slice(0, count),
    tangents: hasTangent.map((has) => (has ? at(results, next++) : null)),
  };
};

const generalBatch: BatchRule<GeneralReduceWindowParams> = (o, inputs, dims, params) => {
  const count = inputs.length / 2;
  if (dims.slice(count).some((dim) => dim !== null)) {
    throw new Jax2TfjsError(
      "no-batch-rule",
      "reduce_window batching is not implemented for initial values",
      { primitive: "reduce_window" },
    );
  }
  const operands = allAtFront(o, inputs.slice(0, count), dims.slice(0, count));
  const windows = insertDilatedWindowDim(params, 0);
  const outputs = o.bind(reduceWindow, [...operands, ...inputs.slice(count)], windows);
  return { outputs, dims: outputs.map(() => 0) };
};

export const reduceWindow: Primitive<GeneralReduceWindowParams> = definePrimitive({
  name: "reduce_window",
  manyNodes: "A general body is applied to shifted copies, in logarithmically many steps.",
  abstractEval: (inputs, params) => {
    const count = Math.floor(inputs.length / 2);
    const operands = inputs.slice(0, count);
    checkInputs(operands, inputs.slice(count), params.jaxpr);
    const shape = windowedShape(at(operands, 0).shape, params);
    return operands.map((operand) => shapedArray(operand.dtype, shape));
  },
  jvp: generalJvp,
  transpose: none("a general windowed reduction is not linear"),
  batch: generalBatch,
  tfjs: (tf, inputs, params, outs) => {
    if (at(outs, 0).shape.includes(0)) return outs.map((out) => emptyValue(tf, out));
    const windows = windowsOf(tf, inputs, params);
    const initial = inputs.slice(outs.length);
    // The initial value counts once for each window, also where it is not the identity.
    return tf.inline([...initial, ...windows], (o, values) => {
      const { shape } = at(outs, 0);
      const spread = values
        .slice(0, outs.length)
        .map((value) => o.broadcastInDim(value, shape, []));
      return mapScalarProgram(o, params.jaxpr, [...spread, ...values.slice(outs.length)], shape);
    });
  },
  limits: [
    {
      when: "the computation has loops, conditionals or array operations",
      effect: "error unsupported-computation",
      why: "it is applied to whole arrays element by element",
    },
    {
      when: "padding or base dilation with an initial value that changes results",
      effect: "the initial value counts once more for each element of padding, as StableHLO says",
      why: "XLA leaves padding out, which a fold without knowledge of the computation cannot",
    },
  ],
});
