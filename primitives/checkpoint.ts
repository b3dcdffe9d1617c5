/**
 * `checkpoint` (rematerialisation): values of the inner program are computed again when derivatives
 * need them instead of being kept. With it `name`, which policies choose values by.
 */
import { inlineCalls, removeUnused } from "../src/ir/cleanup.js";
import { closedJaxpr, type ClosedJaxpr, type Equation, type Var } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import type { DotDimensionNumbers } from "../src/ir/params.js";
import {
  definePrimitive,
  type MaybeZero,
  type Primitive,
  type SplitEquation,
  type TransposeInput,
} from "../src/ir/primitive.js";
import { callBatch, callJvp, filled, spreadTangents, typesOf, where } from "./callTransforms.js";
import { optimizationBarrier } from "./iota.js";
import { at } from "./support.js";

/** Which values may be kept, by the names of JAX's `jax.checkpoint_policies`; null keeps none. */
export type CheckpointPolicy =
  | { readonly kind: "everything_saveable" }
  | { readonly kind: "nothing_saveable" }
  | { readonly kind: "dots_saveable" }
  | { readonly kind: "dots_with_no_batch_dims_saveable" }
  | { readonly kind: "save_only_these_names"; readonly names: readonly string[] }
  | { readonly kind: "save_any_names_but_these"; readonly names: readonly string[] }
  | { readonly kind: "save_anything_except_these_names"; readonly names: readonly string[] };

export type CheckpointParams = {
  readonly jaxpr: ClosedJaxpr;
  readonly prevent_cse: boolean;
  /** It is part of a derivative already: the inner program is a second computation. */
  readonly differentiated: boolean;
  readonly policy: CheckpointPolicy | null;
};

export type NameParams = { readonly name: string };

/** The identity, under a name that policies know (`checkpoint_name`). */
export const checkpointName: Primitive<NameParams> = definePrimitive<NameParams>({
  name: "name",
  abstractEval: (inputs) => inputs,
  jvp: (o, primals, tangents, params) => ({
    primals: o.bind(checkpointName, primals, params),
    tangents: tangents.map((tangent) =>
      tangent === null ? null : at(o.bind(checkpointName, [tangent], params), 0),
    ),
  }),
  transpose: (_o, cotangents) => cotangents,
  batch: (o, inputs, dims, params) => ({
    outputs: o.bind(checkpointName, inputs, params),
    dims,
  }),
  tfjs: (_tf, inputs) => inputs,
  fold: (inputs) => inputs,
  traits: { view: true },
});

/** True if a policy lets the results of an equation be kept. */
function isSaveable({ primitive, params }: Equation, policy: CheckpointPolicy): boolean {
  const isDot = ["dot_general", "conv_general_dilated"].includes(primitive.name);
  const name = primitive.name === "name" ? (params.name as string) : null;
  switch (policy.kind) {
    case "everything_saveable":
      return true;
    case "nothing_saveable":
      return false;
    case "dots_saveable":
      return isDot;
    case "dots_with_no_batch_dims_saveable": {
      if (primitive.name !== "dot_general") return false;
      const [, [lhs, rhs]] = params.dimension_numbers as DotDimensionNumbers;
      return lhs.length === 0 && rhs.length === 0;
    }
    case "save_only_these_names":
      return name !== null && policy.names.includes(name);
    case "save_any_names_but_these":
      return name !== null && !policy.names.includes(name);
    case "save_anything_except_these_names":
      return name === null || !policy.names.includes(name);
  }
}

/**
 * Partial evaluation: the known part computes the known outputs and what the policy keeps; the
 * unknown part is a checkpoint again, which computes everything else once more.
 */
function splitCheckpoint(
  programs: ProgramTransforms,
  known: readonly boolean[],
  params: CheckpointParams,
): SplitEquation {
  const { policy } = params;
  const program = policy === null ? params.jaxpr : inlineCalls(params.jaxpr);
  const { jaxpr, consts } = program;
  const { knownOutputs } = programs.split(program, known);
  const kept = policy === null ? [] : keptValues(program, known, policy);
  const outvars = [...where(jaxpr.outvars, knownOutputs), ...kept];
  const keepsAll = closedJaxpr({ ...jaxpr, outvars }, consts);
  const first = programs.split(keepsAll, known).known;
  const knownTypes = typesOf(where(jaxpr.invars, known));
  const early = programs.build(knownTypes, (o, args) => {
    const results = o.call("checkpoint", first, args);
    return [...results, ...args];
  });
  const isKept = new Set<Var>(kept);
  const equations = jaxpr.equations.filter(
    ({ outputs }) => outputs.length === 0 || !outputs.every((output) => isKept.has(output)),
  );
  const unknownInvars = jaxpr.invars.filter((_, index) => known[index] !== true);
  const rest = closedJaxpr(
    {
      ...jaxpr,
      invars: [...kept, ...where(jaxpr.invars, known), ...unknownInvars],
      equations,
      outvars: jaxpr.outvars.filter((_, index) => knownOutputs[index] !== true),
    },
    consts,
  );
  const late = programs.build(typesOf(rest.jaxpr.invars), (o, args) =>
    o.bind(checkpoint, args, { ...params, jaxpr: removeUnused(rest), differentiated: true }),
  );
  return { known: early, unknown: late, knownOutputs };
}

/** The values that do not depend on unknown inputs and that the policy lets be kept. */
function keptValues(
  { jaxpr }: ClosedJaxpr,
  known: readonly boolean[],
  policy: CheckpointPolicy,
): readonly Var[] {
  const unknown = new Set<unknown>(jaxpr.invars.filter((_, index) => known[index] !== true));
  return jaxpr.equations.flatMap((equation) => {
    if (equation.inputs.some((atom) => unknown.has(atom))) {
      equation.outputs.forEach((output) => unknown.add(output));
      return [];
    }
    return isSaveable(equation, policy) ? equation.outputs : [];
  });
}

/** Transposition: what the linear part needs is computed again, behind a barrier. */
function transposeCheckpoint(
  o: Ops,
  cotangents: readonly MaybeZero[],
  inputs: readonly TransposeInput[],
  params: CheckpointParams,
): readonly MaybeZero[] {
  const linear = inputs.map((input) => input.kind === "linear");
  const known = inputs.flatMap((input) => (input.kind === "known" ? [input.value] : []));
  const backwards = o.programs.transpose(params.jaxpr, linear);
  const barrier = (inner: Ops, args: readonly Value[]): readonly Value[] =>
    params.prevent_cse && known.length > 0
      ? [
          ...inner.bind(optimizationBarrier, args.slice(0, known.length), {}),
          ...args.slice(known.length),
        ]
      : args;
  const guarded = o.programs.build(typesOf(backwards.jaxpr.invars), (inner, args) =>
    inner.call("checkpoint", backwards, barrier(inner, args)),
  );
  const results = o.bind(checkpoint, [...known, ...filled(o, cotangents, params.jaxpr)], {
    ...params,
    jaxpr: guarded,
    differentiated: true,
  });
  return spreadTangents(results, linear);
}

export const checkpoint: Primitive<CheckpointParams> = definePrimitive<CheckpointParams>({
  name: "checkpoint",
  abstractEval: (_, { jaxpr }) => typesOf(jaxpr.jaxpr.outvars),
  jvp: (o, primals, tangents, params) =>
    callJvp(o, primals, tangents, params.jaxpr, (jaxpr, args) =>
      o.bind(checkpoint, args, { ...params, jaxpr }),
    ),
  transpose: transposeCheckpoint,
  batch: (o, inputs, dims, params) =>
    callBatch(o, inputs, dims, params.jaxpr, (jaxpr, args) =>
      o.bind(checkpoint, args, { ...params, jaxpr }),
    ),
  split: (programs, _inputs, known, params) => splitCheckpoint(programs, known, params),
  tfjs: (tf, inputs, { jaxpr }) => tf.call(jaxpr, inputs),
  eager: (control, inputs, { jaxpr }) => control.run(jaxpr, inputs),
  traits: { inlines: "jaxpr" },
});
