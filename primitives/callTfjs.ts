/**
 * `call_tfjs`: a function of tfjs, or a loaded graph model, called inside of a program. JAX's
 * counterpart was jax2tf's `call_tf`. src/run/callTfjs.ts binds it, with a backward rule around it.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import type { Shape } from "../src/ir/dims.js";
import type { DType } from "../src/ir/dtypes.js";
import type { HostFunction } from "../src/ir/params.js";
import { definePrimitive, none } from "../src/ir/primitive.js";

export type CallTfjsParams = {
  readonly function: HostFunction;
  readonly output_types: readonly { readonly dtype: DType; readonly shape: Shape }[];
};

const typesOf = ({ output_types }: CallTfjsParams): readonly ShapedArray[] =>
  output_types.map(({ dtype, shape }) => shapedArray(dtype, shape));

export const callTfjs = definePrimitive<CallTfjsParams>({
  name: "call_tfjs",
  abstractEval: (_, params) => typesOf(params),
  jvp: none("tfjs has no forward derivatives; use reverse mode (grad, vjp, jacrev)"),
  transpose: none("a function of tfjs is not known to be linear"),
  batch: none("a function of tfjs is not known row by row; call it on the whole batch"),
  tfjs: none(
    "a function of tfjs is not in the graph: it runs, but cannot be saved; write it with numpy " +
      "and lax, or save its part as a model of its own",
  ),
  eager: (control, inputs, params) => control.host(params.function, inputs, typesOf(params)),
  traits: { host: true },
});
