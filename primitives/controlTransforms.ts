/**
 * Derivatives and batching of control flow: what `jit`, `cond` and `while` become under jvp,
 * transposition and vmap. Used by the records in call.ts and control.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import type { Dim } from "../src/ir/dims.js";
import { kindOf } from "../src/ir/dtypes.js";
import { closedJaxpr, newVar, type ClosedJaxpr, type Var } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { MaybeZero, TransposeInput } from "../src/ir/primitive.js";
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

const present = (values: readonly MaybeZero[]): readonly Value[] =>
  values.filter((value) => value !== null);

const isFloating = (aval: ShapedArray): boolean =>
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

// --- cond ----------------------------------------------------------------------------------------

/**
 * Forward derivative of `cond` as two: one gives the results and what the derivatives need, one is
 * linear in the tangents, so that reverse mode recomputes nothing.
 */
export function condJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  branches: readonly ClosedJaxpr[],
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const [index, ...operands] = primals;
  if (index === undefined) throw new Error("internal error: cond without index");
  const active = tangents.slice(1).map((tangent) => tangent !== null);
  const count = at(branches, 0).jaxpr.outvars.length;
  const floating = at(branches, 0).jaxpr.outvars.map((atom) => isFloating(atom.aval));
  const parts = branches.map((branch) => {
    const derived = o.programs.jvp(branch, active, floating);
    const knownInputs = derived.program.jaxpr.invars.map((_, place) => place < operands.length);
    return allTangentsUnknown(o, derived.program, knownInputs, count);
  });
  const residualTypes = parts.flatMap(({ residuals }) => residuals);
  const offsets = parts.map((_, place) =>
    parts.slice(0, place).reduce((sum, { residuals }) => sum + residuals.length, 0),
  );
  const known = parts.map(({ known: program, residuals }, place) =>
    o.programs.build(
      operands.map((operand) => operand.aval),
      (inner, inputs) => {
        const results = inner.call("branch", program, inputs);
        const own = results.slice(count);
        const all = residualTypes.map((aval, position) => {
          const index = position - at(offsets, place);
          return index >= 0 && index < residuals.length ? at(own, index) : zeros(inner, aval);
        });
        return [...results.slice(0, count), ...all];
      },
    ),
  );
  const results = o.cond(index, known, operands);
  const residuals = results.slice(count);
  const directions = present(tangents.slice(1));
  const linear = parts.map(({ unknown, residuals: own }, place) =>
    o.programs.build(
      [...residualTypes, ...directions.map((direction) => direction.aval)],
      (inner, inputs) => {
        const start = at(offsets, place);
        const args = [
          ...inputs.slice(start, start + own.length),
          ...inputs.slice(residualTypes.length),
        ];
        return inner.call("branch", unknown, args);
      },
    ),
  );
  const tangentResults = o.cond(index, linear, [...residuals, ...directions]);
  return { primals: results.slice(0, count), tangents: spreadTangents(tangentResults, floating) };
}

const zeros = (o: Ops, { shape, dtype }: ShapedArray): Value =>
  o.full(shape, dtype === "bool" ? false : 0, dtype);

/**
 * Splits a program with tangents so that every tangent output comes from the second part, also
 * those that are constant zeros.
 */
export function allTangentsUnknown(
  o: Ops,
  program: ClosedJaxpr,
  knownInputs: readonly boolean[],
  primalCount: number,
): {
  readonly known: ClosedJaxpr;
  readonly unknown: ClosedJaxpr;
  readonly residuals: readonly ShapedArray[];
} {
  const split = o.programs.split(program, knownInputs);
  const knownCount = split.known.jaxpr.outvars.length - split.residualCount;
  const extra = knownCount - primalCount;
  // Tangents known to be constant count as residuals that the second part hands on.
  const { jaxpr, consts } = split.unknown;
  const handed = split.known.jaxpr.outvars
    .slice(primalCount, knownCount)
    .map((atom) => newVar(atom.aval));
  let [nextKnown, nextUnknown] = [0, 0];
  const outvars = split.knownOutputs
    .slice(primalCount)
    .map((isKnown) => (isKnown ? at(handed, nextKnown++) : at(jaxpr.outvars, nextUnknown++)));
  const unknown = closedJaxpr({ ...jaxpr, invars: [...handed, ...jaxpr.invars], outvars }, consts);
  const residuals = split.known.jaxpr.outvars.slice(primalCount).map((atom) => atom.aval);
  if (residuals.length !== extra + split.residualCount)
    throw new Error("internal error: residuals");
  return { known: split.known, unknown, residuals };
}

/** Transposition of a `cond` that is linear in some operands (its index is known). */
export function condTranspose(
  o: Ops,
  cotangents: readonly MaybeZero[],
  inputs: readonly TransposeInput[],
  branches: readonly ClosedJaxpr[],
): readonly MaybeZero[] {
  const [index, ...operands] = inputs;
  if (index?.kind !== "known") throw new Error("internal error: cond with a linear index");
  const linear = operands.map((input) => input.kind === "linear");
  const known = operands.flatMap((input) => (input.kind === "known" ? [input.value] : []));
  const transposed = branches.map((branch) => o.programs.transpose(branch, linear));
  const results = o.cond(index.value, transposed, [
    ...known,
    ...filled(o, cotangents, at(branches, 0)),
  ]);
  return [null, ...spreadTangents(results, linear)];
}

/** `vmap` of `cond`: with one index for all rows a cond, else both branches and a selection. */
export function condBatch(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  branches: readonly ClosedJaxpr[],
): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] } {
  const size = batchSize(inputs, dims);
  const [index, ...operands] = inputs;
  const [indexDim = null, ...operandDims] = dims;
  if (index === undefined) throw new Error("internal error: cond without index");
  const all = at(branches, 0).jaxpr.outvars.map(() => true);
  const batched = branches.map(
    (branch) => o.programs.batch(branch, size, operandDims, all).program,
  );
  if (indexDim === null) {
    return { outputs: o.cond(index, batched, operands), dims: all.map(() => 0) };
  }
  const results = batched.map((branch) => o.call("branch", branch, operands));
  const last = branches.length - 1;
  const which =
    index.aval.dtype === "bool"
      ? index
      : o.clamp(o.literal(0, index.aval.dtype), index, o.literal(last, index.aval.dtype));
  const outputs = all.map((_, output) => {
    const cases = results.map((result) => at(result, output));
    const { shape } = at(cases, 0).aval;
    return o.selectN(o.broadcastInDim(which, shape, [0]), ...cases);
  });
  return { outputs, dims: all.map(() => 0) };
}

// --- while ---------------------------------------------------------------------------------------

export interface WhileParts {
  readonly condition: ClosedJaxpr;
  readonly body: ClosedJaxpr;
  readonly conditionConsts: readonly number[];
  readonly bodyConsts: readonly number[];
  readonly carry: readonly number[];
}

/** Grows a mask until a step of the loop does not grow it any more. */
function fixedPoint(
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

/** Forward derivative of a loop: the tangents travel with the carried values. */
export function whileJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  loop: WhileParts,
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const pick = <T>(items: readonly T[], places: readonly number[]): readonly T[] =>
    places.map((place) => at(items, place));
  const isActive = (tangent: MaybeZero): boolean => tangent !== null;
  const constActive = pick(tangents, loop.bodyConsts).map(isActive);
  const carried = pick(tangents, loop.carry);
  const active = fixedPoint(
    carried.map(isActive),
    (mask) => o.programs.jvp(loop.body, [...constActive, ...mask], mask).outputTangents,
  );
  const derived = o.programs.jvp(loop.body, [...constActive, ...active], active).program;
  const [consts, count] = [loop.bodyConsts.length, loop.carry.length];
  const constTangents = present(pick(tangents, loop.bodyConsts));
  const primalInputs = consts + count;
  const activeCount = active.filter(Boolean).length;
  const range = (start: number, length: number): readonly number[] =>
    Array.from({ length }, (_, index) => start + index);
  // (consts, const tangents, carry, carry tangents) instead of (consts, carry, tangents).
  const body = reorderInputs(derived, [
    ...range(0, consts),
    ...range(primalInputs, constTangents.length),
    ...range(consts, count),
    ...range(primalInputs + constTangents.length, activeCount),
  ]);
  const carryPrimals = pick(primals, loop.carry);
  const carryTangents = carryPrimals.flatMap((primal, index) =>
    at(active, index) ? [carried[index] ?? zeros(o, primal.aval)] : [],
  );
  const condition = reorderInputs(
    loop.condition,
    [...range(0, loop.conditionConsts.length + count), ...carryTangents.map(() => -1)],
    carryTangents.map((tangent) => tangent.aval),
  );
  const results = o.while(
    condition,
    pick(primals, loop.conditionConsts),
    body,
    [...pick(primals, loop.bodyConsts), ...constTangents],
    [...carryPrimals, ...carryTangents],
  );
  return {
    primals: results.slice(0, count),
    tangents: spreadTangents(results.slice(count), active),
  };
}

/**
 * `vmap` of a loop. Where rows stop at different times the loop runs until the last one stops, and
 * rows that have stopped keep their values.
 */
export function whileBatch(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  loop: WhileParts,
): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] } {
  const size = batchSize(inputs, dims);
  const pickDims = (places: readonly number[]): readonly (number | null)[] =>
    places.map((place) => dims[place] ?? null);
  const pick = (places: readonly number[]): readonly Value[] =>
    places.map((place) => at(inputs, place));
  const front = (mask: readonly boolean[]): readonly (number | null)[] =>
    mask.map((batched) => (batched ? 0 : null));
  const conditionDims = pickDims(loop.conditionConsts);
  const bodyDims = pickDims(loop.bodyConsts);
  const none = loop.carry.map(() => false);
  const predicateOf = (mask: readonly boolean[]): boolean =>
    at(
      o.programs.batch(loop.condition, size, [...conditionDims, ...front(mask)], [false]).batched,
      0,
    );
  const batched = fixedPoint(
    pickDims(loop.carry).map((dim) => dim !== null),
    (mask) =>
      predicateOf(mask)
        ? mask.map(() => true)
        : o.programs.batch(loop.body, size, [...bodyDims, ...front(mask)], none).batched,
  );
  const carryDims = front(batched);
  const condition = o.programs.batch(
    loop.condition,
    size,
    [...conditionDims, ...carryDims],
    [false],
  );
  const body = o.programs.batch(loop.body, size, [...bodyDims, ...carryDims], batched);
  const initial = pick(loop.carry).map((value, index) =>
    at(batched, index) ? toFront(o, value, dims[at(loop.carry, index)] ?? null, size) : value,
  );
  if (condition.batched[0] !== true) {
    const outputs = o.while(
      condition.program,
      pick(loop.conditionConsts),
      body.program,
      pick(loop.bodyConsts),
      initial,
    );
    return { outputs, dims: carryDims };
  }
  const conditionConsts = pick(loop.conditionConsts);
  const bodyConsts = pick(loop.bodyConsts);
  const carryTypes = initial.map((value) => value.aval);
  const constTypes = conditionConsts.map((value) => value.aval);
  const anyRow = o.programs.build([...constTypes, ...carryTypes], (inner, args) => {
    const [predicate] = inner.call("cond", condition.program, args);
    return predicate === undefined ? [] : [inner.reduceOr(predicate, [0])];
  });
  const bodyTypes = bodyConsts.map((value) => value.aval);
  const step = o.programs.build([...constTypes, ...bodyTypes, ...carryTypes], (inner, args) => {
    const carry = args.slice(constTypes.length + bodyTypes.length);
    const [predicate] = inner.call("cond", condition.program, [
      ...args.slice(0, constTypes.length),
      ...carry,
    ]);
    const next = inner.call("body", body.program, args.slice(constTypes.length));
    return carry.map((old, index) => {
      const value = at(next, index);
      if (predicate === undefined) return value;
      return inner.selectN(inner.broadcastInDim(predicate, value.aval.shape, [0]), old, value);
    });
  });
  const outputs = o.while(
    anyRow,
    conditionConsts,
    step,
    [...conditionConsts, ...bodyConsts],
    initial,
  );
  return { outputs, dims: carryDims };
}

function toFront(o: Ops, value: Value, dim: number | null, size: Dim): Value {
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
