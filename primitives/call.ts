/**
 * Calls of named programs: `jit` (also what an artifact's private functions become). They are
 * inlined by passes and by the tfjs rule; eager mode steps into them.
 */
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import { definePrimitive } from "../src/ir/primitive.js";
import { callBatch, callJvp, callSplit, callTranspose } from "./callTransforms.js";

export type JitParams = {
  readonly name: string;
  readonly jaxpr: ClosedJaxpr;
};

export const jitCall = definePrimitive<JitParams>({
  name: "jit",
  abstractEval: (_, { jaxpr }) => jaxpr.jaxpr.outvars.map((atom) => atom.aval),
  jvp: (o, primals, tangents, { name, jaxpr }) =>
    callJvp(o, primals, tangents, jaxpr, (program, args) => o.call(name, program, args)),
  transpose: (o, cotangents, inputs, { name, jaxpr }) =>
    callTranspose(o, cotangents, inputs, jaxpr, (program, args) => o.call(name, program, args)),
  batch: (o, inputs, dims, { name, jaxpr }) =>
    callBatch(o, inputs, dims, jaxpr, (program, args) => o.call(name, program, args)),
  split: (programs, _inputs, known, { jaxpr }) => callSplit(programs, jaxpr, known),
  tfjs: (tf, inputs, { jaxpr }) => tf.call(jaxpr, inputs),
  eager: (control, inputs, { jaxpr }) => control.run(jaxpr, inputs),
  traits: { inlines: "jaxpr" },
});
