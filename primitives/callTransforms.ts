/**
 * What the transformations of calls and control flow share, and those of calls: `jit` and its like
 * under jvp, transposition, vmap and partial evaluation.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import type { Dim } from "../src/ir/dims.js";
import { kindOf } from "../src/ir/dtypes.js";
import { closedJaxpr, newVar, type ClosedJaxpr, type Var } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import type { MaybeZero, SplitEquation, TransposeInput } from "../src/ir/primitive.js";
import { at } from "./support.js";

/** The program with its inputs in another order; -1 stands for a new input that is not used. */
export function reorderInputs(
  program: ClosedJaxpr,
  order: readonly number[],
  unused: readonly ShapedArray[] = [],
): ClosedJaxpr {
  const { jaxpr, consts } = program;
  let next = 0;
  const invars = order.map((index): Var =>
    index < 0 ? newVar(at(unused, next++)) : at(jaxpr.invars, index),
  );
  return closedJaxpr({ ...jaxpr, invars }, consts);
}

export const present = (values: readonly MaybeZero[]): readonly Value[] =>
  values.filter((value) => value !== null);

export const isFloating = (aval: ShapedArray): boolean =>
  ["float", "complex"].includes(kindOf(aval.dtype));

/** Puts the tangents that a program gave back to where its outputs are. */
export function spreadTangents(
  tangents: readonly Value[],
  present: readonly boolean[],
): readonly MaybeZero[] {
  let next = 0;
  return present.map((has) => (has ? at(tangents, next++) : null));
}

/** Forward derivative of a call: the tangent program follows the primal one. */
export function callJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  program: ClosedJaxpr,
  call: (program: ClosedJaxpr, args: readonly Value[]) => readonly Value[],
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const active = tangents.map((tangent) => tangent !== null);
  const derived = o.programs.jvp(program, active, []);
  const results = call(derived.program, [...primals, ...present(tangents)]);
  const count = program.jaxpr.outvars.length;
  return {
    primals: results.slice(0, count),
    tangents: spreadTangents(results.slice(count), derived.outputTangents),
  };
}

/** Transposition of a call that is linear in some of its inputs. */
export function callTranspose(
  o: Ops,
  cotangents: readonly MaybeZero[],
  inputs: readonly TransposeInput[],
  program: ClosedJaxpr,
  call: (program: ClosedJaxpr, args: readonly Value[]) => readonly Value[],
): readonly MaybeZero[] {
  const linear = inputs.map((input) => input.kind === "linear");
  const known = inputs.flatMap((input) => (input.kind === "known" ? [input.value] : []));
  const results = call(o.programs.transpose(program, linear), [
    ...known,
    ...filled(o, cotangents, program),
  ]);
  return spreadTangents(results, linear);
}

/** Cotangents with zeros in place of symbolic ones. */
export function filled(
  o: Ops,
  cotangents: readonly MaybeZero[],
  program: ClosedJaxpr,
): readonly Value[] {
  return cotangents.map((cotangent, index) => {
    const { shape, dtype } = at(program.jaxpr.outvars, index).aval;
    return cotangent ?? o.full(shape, 0, dtype);
  });
}

/** The size of the batch, from any batched input. */
export function batchSize(inputs: readonly Value[], dims: readonly (number | null)[]): Dim {
  const index = dims.findIndex((dim) => dim !== null);
  return at(at(inputs, index).aval.shape, at(dims, index) ?? 0);
}

export const zeros = (o: Ops, { shape, dtype }: ShapedArray): Value =>
  o.full(shape, dtype === "bool" ? false : 0, dtype);

/** Grows a mask until a step of a loop does not grow it any more. */
export function fixedPoint(
  start: readonly boolean[],
  step: (mask: readonly boolean[]) => readonly boolean[],
): readonly boolean[] {
  let mask = start;
  for (;;) {
    const next = step(mask).map((value, index) => value || at(mask, index));
    if (next.every((value, index) => value === mask[index])) return mask;
    mask = next;
  }
}

/** A value with its batch dimension first; one without is repeated. */
export function toFront(o: Ops, value: Value, dim: number | null, size: Dim): Value {
  const { shape } = value.aval;
  if (dim === null) {
    return o.broadcastInDim(
      value,
      [size, ...shape],
      shape.map((_, axis) => axis + 1),
    );
  }
  if (dim === 0) return value;
  const rest = shape.map((_, axis) => axis).filter((axis) => axis !== dim);
  return o.transpose(value, [dim, ...rest]);
}

/** `vmap` of a call. */
export function callBatch(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  program: ClosedJaxpr,
  call: (program: ClosedJaxpr, args: readonly Value[]) => readonly Value[],
): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] } {
  const wanted = program.jaxpr.outvars.map(() => false);
  const batched = o.programs.batch(program, batchSize(inputs, dims), dims, wanted);
  return {
    outputs: call(batched.program, inputs),
    dims: batched.batched.map((is) => (is ? 0 : null)),
  };
}

/** The items at places that are marked. */
export function where<T>(items: readonly T[], mask: readonly boolean[]): readonly T[] {
  return items.filter((_, index) => mask[index] === true);
}

export const notMarked = (mask: readonly boolean[]): readonly boolean[] => mask.map((is) => !is);

export const typesOf = (values: readonly { readonly aval: ShapedArray }[]): ShapedArray[] =>
  values.map((value) => value.aval);

/** Partial evaluation of a call: its known equations, then the others. */
export function callSplit(
  programs: ProgramTransforms,
  program: ClosedJaxpr,
  known: readonly boolean[],
): SplitEquation {
  return programs.split(program, known);
}
