/** The record of reduce with a general computation, on one or several operands. */
import { shapedArray } from "../src/ir/aval.js";
import { printShape, shapeEquals, type Shape } from "../src/ir/dims.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import { generalReduceBatch, generalReduceJvp } from "./reduceTransforms.js";
import { mapScalarProgram } from "./scalarProgram.js";
import { at, dtypeMismatch, invalid, shapeMismatch, withoutAxes } from "./support.js";
import { treeReduce } from "./treeReduce.js";

export type GeneralReduceParams = {
  readonly dimensions: readonly number[];
  /** `(accumulators, elements) -> accumulators`, on scalars. */
  readonly jaxpr: ClosedJaxpr;
};

function checkDimensions(dimensions: readonly number[], shape: Shape): void {
  const isValid = dimensions.every(
    (axis) => Number.isInteger(axis) && axis >= 0 && axis < shape.length,
  );
  if (!isValid || new Set(dimensions).size !== dimensions.length) {
    throw invalid(
      `reduce dimensions ${printShape(dimensions)} are not distinct dimensions of an operand of ` +
        `shape ${printShape(shape)}`,
    );
  }
}

export const reduce: Primitive<GeneralReduceParams> = definePrimitive<GeneralReduceParams>({
  name: "reduce",
  manyNodes: "A general body is applied to halves, in as many steps as the logarithm of the size.",
  abstractEval: (inputs, { dimensions, jaxpr }) => {
    const count = inputs.length / 2;
    if (!Number.isInteger(count) || count === 0) {
      throw invalid(`reduce takes as many initial values as operands, got ${inputs.length} inputs`);
    }
    const operands = inputs.slice(0, count);
    const initial = inputs.slice(count);
    if (initial.some((value) => value.shape.length > 0)) {
      const shapes = initial.map((value) => printShape(value.shape)).join(", ");
      throw shapeMismatch(`reduce found non-scalar initial value: [${shapes}]`);
    }
    const { shape } = at(operands, 0);
    if (!operands.every((operand) => shapeEquals(operand.shape, shape))) {
      const shapes = operands.map((operand) => printShape(operand.shape)).join(", ");
      throw shapeMismatch(`reduce operands must have the same shape, got ${shapes}`);
    }
    operands.forEach((operand, index) => {
      if (operand.dtype === at(initial, index).dtype) return;
      const listed = (avals: typeof operands): string => avals.map((aval) => aval.dtype).join(", ");
      throw dtypeMismatch(
        "reduce operand dtypes should match corresponding initial value dtypes, got " +
          `operands=[${listed(operands)}] and initial_values=[${listed(initial)}]`,
      );
    });
    checkDimensions(dimensions, shape);
    if (jaxpr.jaxpr.invars.length !== 2 * count || jaxpr.jaxpr.outvars.length !== count) {
      throw invalid(
        `reduce of ${count} operands needs a computation of ${2 * count} arguments and ${count} ` +
          `results, got ${jaxpr.jaxpr.invars.length} and ${jaxpr.jaxpr.outvars.length}`,
      );
    }
    const rest = withoutAxes(shape, dimensions);
    return operands.map((operand, index) =>
      shapedArray(operand.dtype, rest, operand.weakType && at(initial, index).weakType),
    );
  },
  jvp: generalReduceJvp(() => reduce),
  transpose: none("a general reduction is not linear"),
  batch: generalReduceBatch(() => reduce),
  tfjs: (tf, inputs, { dimensions, jaxpr }) => {
    const count = inputs.length / 2;
    // As XLA does: without dimensions the initial value does not count.
    if (dimensions.length === 0) return inputs.slice(0, count);
    return tf.inline(inputs, (o, values) => {
      const initial = values.slice(count);
      const { shape } = at(values, 0).aval;
      const rest = withoutAxes(shape, dimensions);
      // The initial value counts once, also where it is not the identity.
      const spread = initial.map((value) => o.broadcastInDim(value, rest, []));
      if (dimensions.some((axis) => shape[axis] === 0)) return spread;
      const reduced = treeReduce(o, values.slice(0, count), initial, dimensions, (left, right) =>
        mapScalarProgram(o, jaxpr, [...left, ...right], at(left, 0).aval.shape),
      );
      return mapScalarProgram(o, jaxpr, [...spread, ...reduced], rest);
    });
  },
  limits: [
    {
      when: "the computation has loops, conditionals or array operations",
      effect: "error unsupported-computation",
      why: "it is applied to whole arrays element by element",
    },
    {
      when: "a reduced dimension is symbolic and larger than 2^24",
      effect: "elements beyond are ignored",
      why: "the number of halving steps is fixed at conversion time",
    },
  ],
});
