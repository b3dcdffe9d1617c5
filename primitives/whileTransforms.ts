/**
 * Derivatives, batching and partial evaluation of `while`. Used by its record in control.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { closedJaxpr, type ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import type { MaybeZero, SplitEquation } from "../src/ir/primitive.js";
import {
  batchSize,
  fixedPoint,
  present,
  reorderInputs,
  spreadTangents,
  toFront,
  where,
  zeros,
} from "./callTransforms.js";
import { at } from "./support.js";

export interface WhileParts {
  readonly condition: ClosedJaxpr;
  readonly body: ClosedJaxpr;
  readonly conditionConsts: readonly number[];
  readonly bodyConsts: readonly number[];
  readonly carry: readonly number[];
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

/**
 * Partial evaluation of a loop whose condition is known: the known carried values are computed
 * first, by a loop of their own; the loop that gives the others computes them once more.
 */
export function whileSplit(
  programs: ProgramTransforms,
  inputs: readonly ShapedArray[],
  known: readonly boolean[],
  loop: WhileParts,
): SplitEquation | null {
  const pick = <T>(items: readonly T[], places: readonly number[]): readonly T[] =>
    places.map((place) => at(items, place));
  const [conditionKnown, bodyKnown] = [
    pick(known, loop.conditionConsts),
    pick(known, loop.bodyConsts),
  ];
  const unknownCarry = fixedPoint(
    pick(known, loop.carry).map((is) => !is),
    (mask) => {
      const inputsKnown = [...bodyKnown, ...mask.map((is) => !is)];
      return programs.split(loop.body, inputsKnown).knownOutputs.map((is) => !is);
    },
  );
  const carryKnown = unknownCarry.map((is) => !is);
  const test = programs.split(loop.condition, [...conditionKnown, ...carryKnown]);
  if (test.knownOutputs[0] !== true || !carryKnown.includes(true)) return null;
  const step = programs.split(loop.body, [...bodyKnown, ...carryKnown], unknownCarry);
  const { jaxpr, consts } = step.known;
  const outvars = jaxpr.outvars.slice(0, where(carryKnown, carryKnown).length);
  const body = closedJaxpr({ ...jaxpr, outvars }, consts);
  const all = [...loop.conditionConsts, ...loop.bodyConsts, ...loop.carry];
  const knownPlaces = all.filter((place) => known[place] === true);
  const unknownPlaces = all.filter((place) => known[place] !== true);
  const run = (
    o: Ops,
    args: readonly Value[],
    places: readonly number[],
    condition: ClosedJaxpr,
    program: ClosedJaxpr,
    carried: readonly boolean[],
  ): readonly Value[] => {
    const values = (wanted: readonly number[]): readonly Value[] =>
      wanted.flatMap((place) => (places.includes(place) ? [at(args, places.indexOf(place))] : []));
    return o.while(
      condition,
      values(loop.conditionConsts),
      program,
      values(loop.bodyConsts),
      values(where(loop.carry, carried)),
    );
  };
  const early = programs.build(pick(inputs, knownPlaces), (o, args) => [
    ...run(o, args, knownPlaces, test.known, body, carryKnown),
    ...args,
  ]);
  const places = [...knownPlaces, ...unknownPlaces];
  const late = programs.build(pick(inputs, places), (o, args) => {
    const everything = loop.carry.map(() => true);
    const results = run(o, args, places, loop.condition, loop.body, everything);
    return where(results, unknownCarry);
  });
  return { known: early, unknown: late, knownOutputs: carryKnown };
}
