/**
 * Calls of named programs: `jit` (also what an artifact's private functions become). They are
 * inlined by passes and by the tfjs rule; eager mode steps into them.
 */
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import { definePrimitive, none } from "../src/ir/primitive.js";

export type JitParams = {
  readonly name: string;
  readonly jaxpr: ClosedJaxpr;
};

export const jitCall = definePrimitive<JitParams>({
  name: "jit",
  abstractEval: (_, { jaxpr }) => jaxpr.jaxpr.outvars.map((atom) => atom.aval),
  jvp: none("not written yet: forward derivative of a call"),
  transpose: none("not written yet: transposition of a call"),
  batch: none("not written yet: vmap of a call"),
  tfjs: (tf, inputs, { jaxpr }) => tf.call(jaxpr, inputs),
  eager: (control, inputs, { jaxpr }) => control.run(jaxpr, inputs),
  traits: { inlines: "jaxpr" },
});
