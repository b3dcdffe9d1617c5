/**
 * Puts the node builder together: the object that tfjs rules call `tf`.
 */
import type { ClosedJaxpr } from "../../ir/jaxpr.js";
import { arrayEquals, type HostArray } from "../../ir/hostArray.js";
import type { Backend, GraphValue, Tensor, Tf, TfDtype } from "../../ir/tf.js";
import { JaxprBuilder } from "../../ir/builder.js";
import { canonicalBytes } from "../arrays.js";
import { createOps } from "../../lax/ops.js";
import type { GraphCore } from "../core.js";
import { carrierOps, tfDtypeOf } from "./carriers.js";
import { contractOps } from "./contract.js";
import { controlOps } from "./control.js";
import { dimensionOps, type VariableSource } from "./dimensions.js";
import { elementwiseOps } from "./elementwise.js";
import { indexingOps } from "./indexing.js";
import { reduceOps } from "./reduce.js";
import { shapeOps } from "./shape.js";

/** Backends whose int32 tensors hold 32 bits. */
export const exactBackends: ReadonlySet<Backend> = new Set(["cpu", "wasm", "tensorflow"]);

export interface TfOptions {
  readonly core: GraphCore;
  /** Tells the value of a dimension variable as an int32 scalar. */
  readonly variable: VariableSource;
  /** Lowers a program in the current scope (given by lowerJaxpr, which needs `tf` in turn). */
  readonly lower: (
    tf: Tf,
    program: ClosedJaxpr,
    args: readonly GraphValue[],
  ) => readonly GraphValue[];
}

/** Makes the node builder over a graph. */
export function createTf({ core, variable, lower }: TfOptions): Tf {
  const dimensions = dimensionOps(core, variable);
  const shapes = shapeOps(core, dimensions);
  const elementwise = elementwiseOps(core, shapes);
  const carriers = carrierOps(core, shapes, elementwise);

  const call: Tf["call"] = (program, args) => lower(tf, program, args);

  const inline: Tf["inline"] = (inputs, build) => {
    const builder = new JaxprBuilder();
    const o = createOps({
      bind: (primitive, values, params) => builder.bind(primitive, values, params),
      constant: (value) => builder.constant(value),
    });
    const variables = inputs.map((input) => builder.input(input.aval));
    return call(builder.build(build(o, variables)), inputs);
  };

  /** Weights of functions of tfjs: several calls share them. */
  const weights = new Map<string, readonly (readonly [HostArray, Tensor])[]>();
  const tensorDtype = ({ dtype }: HostArray): TfDtype => {
    const held = tfDtypeOf(dtype);
    if (held !== null && held !== "complex64") return held;
    throw core.error("unsupported-constant", `no tensor holds a constant of ${dtype}`);
  };
  const tf: Tf = {
    backends: core.backends,
    exactIntegers: [...core.backends].every((backend) => exactBackends.has(backend)),
    ...dimensions,
    ...shapes,
    ...elementwise,
    ...carriers,
    ...reduceOps(core, shapes, elementwise),
    ...contractOps(core, dimensions, elementwise),
    ...indexingOps(core, dimensions, shapes, elementwise),
    ...controlOps(core, () => tf, call),
    call,
    inline,
    constant: (values, dtype, shape): Tensor => core.numbers(values, dtype, shape),
    weight: (name, array) => {
      const dtype = tensorDtype(array);
      const known = weights.get(name)?.find(([other]) => arrayEquals(other, array));
      if (known !== undefined) return known[1];
      const weight = core.parameter(name, dtype, array.shape, { read: () => array });
      weights.set(name, [...(weights.get(name) ?? []), [array, weight]]);
      return weight;
    },
    array: (array) => {
      const dtype = tensorDtype(array);
      return core.constant(canonicalBytes(array, dtype), dtype, "constant");
    },
    node: (op, inputs, attrs, outs) => core.emit(op, inputs, attrs, outs),
  };
  return tf;
}
