/**
 * Functions with derivative rules of their own: `custom_jvp_call`, `custom_vjp_call`. The rules are
 * programs that are made when a derivative asks for them, for they may call the function again.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import type { Dim } from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import { LazyProgram } from "../src/ir/params.js";
import { definePrimitive, none, type MaybeZero, type Primitive } from "../src/ir/primitive.js";
import {
  batchSize,
  callSplit,
  callTranspose,
  isFloating,
  spreadTangents,
  typesOf,
  where,
  zeros,
} from "./callTransforms.js";
import { at, upTo } from "./support.js";

export type CustomJvpParams = {
  readonly call_jaxpr: ClosedJaxpr;
  /**
   * From the inputs after the first `num_consts`, then a tangent for each floating or complex one of
   * them, to the outputs, then a tangent for each floating or complex output.
   */
  readonly jvp_jaxpr_fun: LazyProgram;
  /** Leading inputs that are values the function closed over. */
  readonly num_consts: number;
};

export type CustomVjpParams = {
  readonly call_jaxpr: ClosedJaxpr;
  /** From the inputs after the first `num_consts` to residuals, then the outputs. */
  readonly fwd_jaxpr_thunk: LazyProgram;
  /**
   * From the residuals, then a cotangent for each floating or complex output, to a cotangent for
   * each floating or complex input after the first `num_consts`.
   */
  readonly bwd: LazyProgram;
  readonly num_consts: number;
};

const floating = (values: readonly { readonly aval: ShapedArray }[]): readonly boolean[] =>
  values.map((value) => isFloating(value.aval));

/** Tangents of the explicit inputs, zeros in place of symbolic ones. */
function explicitTangents(
  o: Ops,
  kind: "jvp" | "vjp",
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  constCount: number,
): readonly Value[] {
  if (tangents.slice(0, constCount).some((tangent) => tangent !== null)) {
    const rule = `custom ${kind.toUpperCase()} rule`;
    throw new Jax2TfjsError(
      "closed-over-derivative",
      `Detected differentiation of a custom_${kind} function with respect to a closed-over value. ` +
        `That's not supported because the ${rule} only specifies how to differentiate the ` +
        `custom_${kind} function with respect to explicit input parameters. Try passing the ` +
        `closed-over value into the custom_${kind} function as an argument, and adapting the ` +
        `custom_${kind} rule.`,
    );
  }
  return primals.flatMap((primal, index) =>
    index < constCount || !isFloating(primal.aval)
      ? []
      : [tangents[index] ?? zeros(o, primal.aval)],
  );
}

/** The batched primal program: all outputs are batched, so that rules agree on what is. */
function batchCall(
  programs: ProgramTransforms,
  program: ClosedJaxpr,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
): ClosedJaxpr {
  const all = program.jaxpr.outvars.map(() => true);
  return programs.batch(program, batchSize(inputs, dims), dims, all).program;
}

export const customJvpCall: Primitive<CustomJvpParams> = definePrimitive<CustomJvpParams>({
  name: "custom_jvp_call",
  abstractEval: (_, { call_jaxpr }) => call_jaxpr.jaxpr.outvars.map((atom) => atom.aval),
  jvp: (o, primals, tangents, { jvp_jaxpr_fun, num_consts, call_jaxpr }) => {
    const given = explicitTangents(o, "jvp", primals, tangents, num_consts);
    const args = [...primals.slice(num_consts), ...given];
    const results = o.call("jvp", jvp_jaxpr_fun.get(), args);
    const count = call_jaxpr.jaxpr.outvars.length;
    const outputs = results.slice(0, count);
    return {
      primals: outputs,
      tangents: spreadTangents(results.slice(count), floating(outputs)),
    };
  },
  transpose: (o, cotangents, inputs, { call_jaxpr }) =>
    callTranspose(o, cotangents, inputs, call_jaxpr, (program, args) =>
      o.call("transpose", program, args),
    ),
  batch: (o, inputs, dims, { call_jaxpr, jvp_jaxpr_fun, num_consts }) => {
    const { programs } = o;
    const size = batchSize(inputs, dims);
    const explicit = dims.slice(num_consts);
    const isActive = floating(inputs.slice(num_consts));
    const rule = new LazyProgram(() => {
      const program = jvp_jaxpr_fun.get();
      const all = program.jaxpr.outvars.map(() => true);
      return programs.batch(program, size, [...explicit, ...where(explicit, isActive)], all)
        .program;
    });
    const outputs = o.bind(customJvpCall, inputs, {
      call_jaxpr: batchCall(programs, call_jaxpr, inputs, dims),
      jvp_jaxpr_fun: rule,
      num_consts,
    });
    return { outputs, dims: outputs.map(() => 0) };
  },
  split: (programs, _inputs, known, { call_jaxpr }) => callSplit(programs, call_jaxpr, known),
  tfjs: (tf, inputs, { call_jaxpr }) => tf.call(call_jaxpr, inputs),
  eager: (control, inputs, { call_jaxpr }) => control.run(call_jaxpr, inputs),
  traits: { inlines: "call_jaxpr" },
});

export const customVjpCall: Primitive<CustomVjpParams> = definePrimitive<CustomVjpParams>({
  name: "custom_vjp_call",
  abstractEval: (_, { call_jaxpr }) => call_jaxpr.jaxpr.outvars.map((atom) => atom.aval),
  jvp: (o, primals, tangents, { call_jaxpr, fwd_jaxpr_thunk, bwd, num_consts }) => {
    const given = explicitTangents(o, "vjp", primals, tangents, num_consts);
    const results = o.call("fwd", fwd_jaxpr_thunk.get(), primals.slice(num_consts));
    const residuals = results.slice(0, results.length - call_jaxpr.jaxpr.outvars.length);
    const outputs = results.slice(residuals.length);
    const linear = o.bind(customLin, [...residuals, ...given], {
      num_res: residuals.length,
      call_jaxpr,
      bwd,
    });
    return { primals: outputs, tangents: spreadTangents(linear, floating(outputs)) };
  },
  transpose: none("custom_vjp_call is not linear"),
  batch: (o, inputs, dims, { call_jaxpr, fwd_jaxpr_thunk, bwd, num_consts }) => {
    const { programs } = o;
    const size = batchSize(inputs, dims);
    const explicit = dims.slice(num_consts);
    const active: readonly (number | null)[] = where(explicit, floating(inputs.slice(num_consts)));
    const count = call_jaxpr.jaxpr.outvars.length;
    const forwards = (): {
      readonly program: ClosedJaxpr;
      readonly batched: readonly boolean[];
    } => {
      const program = fwd_jaxpr_thunk.get();
      const residualCount = program.jaxpr.outvars.length - count;
      const wanted = program.jaxpr.outvars.map((_, index) => index >= residualCount);
      return programs.batch(program, size, explicit, wanted);
    };
    const outputs = o.bind(customVjpCall, inputs, {
      call_jaxpr: batchCall(programs, call_jaxpr, inputs, dims),
      fwd_jaxpr_thunk: new LazyProgram(() => forwards().program),
      bwd: new LazyProgram(() => {
        const program = bwd.get();
        const { batched } = forwards();
        const inputDims = [
          ...batched.slice(0, batched.length - count).map((is) => (is ? 0 : null)),
          ...call_jaxpr.jaxpr.outvars.flatMap(({ aval }) => (isFloating(aval) ? [0] : [])),
        ];
        return batchedBackwards(programs, program, { size, inputDims, active });
      }),
      num_consts,
    });
    return { outputs, dims: outputs.map(() => 0) };
  },
  split: (programs, _inputs, known, { call_jaxpr }) => callSplit(programs, call_jaxpr, known),
  tfjs: (tf, inputs, { call_jaxpr }) => tf.call(call_jaxpr, inputs),
  eager: (control, inputs, { call_jaxpr }) => control.run(call_jaxpr, inputs),
  traits: { inlines: "call_jaxpr" },
});

/** The batched backward rule; what an unbatched input gets from the rows is summed. */
function batchedBackwards(
  programs: ProgramTransforms,
  backwards: ClosedJaxpr,
  rows: {
    readonly size: Dim;
    readonly inputDims: readonly (number | null)[];
    /** Where the batch dimension of each floating input is. */
    readonly active: readonly (number | null)[];
  },
): ClosedJaxpr {
  const all = backwards.jaxpr.outvars.map(() => true);
  const { program } = programs.batch(backwards, rows.size, rows.inputDims, all);
  return programs.build(typesOf(program.jaxpr.invars), (o, args) =>
    o.call("bwd", program, args).map((cotangent, index) => {
      const dim = rows.active[index] ?? null;
      if (dim === null) return o.reduceSum(cotangent, [0]);
      const rest = upTo(cotangent.aval.shape.length).slice(1);
      return dim === 0 ? cotangent : o.transpose(cotangent, rest.toSpliced(dim, 0, 0));
    }),
  );
}

const forwardMode = "can't apply forward-mode differentiation (jvp) to a custom_vjp function.";

export type CustomLinParams = {
  readonly num_res: number;
  /** The function itself; its results have the types of the tangents. */
  readonly call_jaxpr: ClosedJaxpr;
  readonly bwd: LazyProgram;
};

/**
 * The derivative of a function with a backward rule: linear in its tangents, known only by how it
 * runs backwards. Inputs are the residuals, then the tangents.
 */
export const customLin: Primitive<CustomLinParams> = definePrimitive<CustomLinParams>({
  name: "custom_lin",
  abstractEval: (_, { call_jaxpr }) =>
    typesOf(call_jaxpr.jaxpr.outvars).filter((aval) => isFloating(aval)),
  jvp: none(forwardMode),
  transpose: (o, cotangents, inputs, { num_res, call_jaxpr, bwd }) => {
    const outputs = typesOf(call_jaxpr.jaxpr.outvars).filter((aval) => isFloating(aval));
    const incoming = cotangents.map(
      (cotangent, index) => cotangent ?? zeros(o, at(outputs, index)),
    );
    const residuals = inputs.slice(0, num_res).map((input) => {
      if (input.kind === "known") return input.value;
      throw new Error("internal error: custom_lin with a linear residual");
    });
    const pulled = o.call("bwd", bwd.get(), [...residuals, ...incoming]);
    return inputs.map((input, index) =>
      input.kind === "known" ? null : at(pulled, index - num_res),
    );
  },
  batch: none(forwardMode),
  tfjs: none(forwardMode),
});
