/**
 * Walks a jaxpr and lets each primitive's tfjs rule emit its nodes. The one interpreter behind
 * graph mode (a whole program) and eager mode (one equation).
 */
import { avalEquals, printAval } from "../ir/aval.js";
import { isComplex } from "../ir/dtypes.js";
import { fromNumbers, valuesOf, type HostArray } from "../ir/hostArray.js";
import type { Atom, ClosedJaxpr, Equation, Literal, Var } from "../ir/jaxpr.js";
import { isNoRule } from "../ir/primitive.js";
import type { GraphValue, Tf } from "../ir/tf.js";
import type { GraphCore } from "./core.js";
import { tfDtypeOf } from "./tf/carriers.js";
import { createTf } from "./tf/index.js";
import type { VariableSource } from "./tf/dimensions.js";

/** The node builder with its lowering over one graph. */
export interface Lowering {
  readonly tf: Tf;
  lower(program: ClosedJaxpr, args: readonly GraphValue[]): readonly GraphValue[];
  constant(array: HostArray): GraphValue;
}

/** A captured constant as a value; complex ones become a pair of arrays. */
function constantValue(tf: Tf, array: HostArray): GraphValue {
  const aval = { shape: array.shape, dtype: array.dtype, weakType: false };
  if (!isComplex(array.dtype)) return tf.value(tf.array(array), aval);
  const values = valuesOf(array);
  const part = (offset: number): HostArray =>
    fromNumbers(
      "float32",
      array.shape,
      Float32Array.from({ length: values.length / 2 }, (_, i) => Number(values[2 * i + offset])),
    );
  return tf.fromPair(tf.array(part(0)), tf.array(part(1)), aval);
}

function literalValue(core: GraphCore, tf: Tf, literal: Literal): GraphValue {
  const { value, aval } = literal;
  if (typeof value === "object") {
    return tf.fromPair(tf.scalar(value.re, "float32"), tf.scalar(value.im, "float32"), aval);
  }
  if (isComplex(aval.dtype)) {
    return tf.fromPair(tf.scalar(Number(value), "float32"), tf.scalar(0, "float32"), aval);
  }
  const dtype = tfDtypeOf(aval.dtype);
  if (dtype === null) {
    throw core.error("unsupported-constant", `no tensor holds a ${aval.dtype} literal`);
  }
  const number = aval.dtype === "uint32" ? Number(value) | 0 : Number(value);
  return tf.value(tf.scalar(number, dtype), aval);
}

export function createLowering(core: GraphCore, variable: VariableSource): Lowering {
  function lower(tf: Tf, program: ClosedJaxpr, args: readonly GraphValue[]): readonly GraphValue[] {
    const { jaxpr, consts } = program;
    const values = new Map<Var, GraphValue>();
    jaxpr.constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array === undefined) throw new Error("internal error: constant without value");
      values.set(variable, constantValue(tf, array));
    });
    jaxpr.invars.forEach((variable, index) => {
      const arg = args[index];
      if (arg === undefined) throw new Error("internal error: missing argument");
      values.set(variable, arg);
    });
    const read = (atom: Atom): GraphValue => {
      if (atom.kind === "literal") return literalValue(core, tf, atom);
      const value = values.get(atom);
      if (value === undefined) throw new Error("internal error: variable before its definition");
      return value;
    };
    for (const equation of jaxpr.equations) {
      const results = core.within(equation, () =>
        lowerEquation(core, tf, equation, equation.inputs.map(read)),
      );
      equation.outputs.forEach((output, index) => {
        const result = results[index];
        if (result !== undefined) values.set(output, result);
      });
    }
    return jaxpr.outvars.map(read);
  }

  const tf = createTf({ core, variable, lower });
  return {
    tf,
    lower: (program, args) => lower(tf, program, args),
    constant: (array) => constantValue(tf, array),
  };
}

/** Runs one rule and holds its results against the types that the equation promises. */
function lowerEquation(
  core: GraphCore,
  tf: Tf,
  equation: Equation,
  inputs: readonly GraphValue[],
): readonly GraphValue[] {
  const { primitive, outputs, params } = equation;
  if (isNoRule(primitive.tfjs)) {
    throw core.error(
      "no-tfjs-rule",
      `${primitive.name} has no tfjs rule: ${primitive.tfjs.reason}`,
    );
  }
  const avals = outputs.map((output) => output.aval);
  const results = primitive.tfjs(tf, inputs, params, avals);
  if (results.length !== outputs.length) {
    throw core.error(
      "internal-rule-type",
      `the tfjs rule of ${primitive.name} gave ${results.length} results, not ${outputs.length}`,
    );
  }
  results.forEach((result, index) => {
    const expected = avals[index];
    if (expected !== undefined && !avalEquals(result.aval, expected)) {
      throw core.error(
        "internal-rule-type",
        `the tfjs rule of ${primitive.name} gave ${printAval(result.aval)}, ` +
          `not ${printAval(expected)}`,
      );
    }
  });
  return results;
}
