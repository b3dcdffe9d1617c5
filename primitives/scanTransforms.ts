/**
 * Derivatives and batching of `scan`. Used by its record in scan.ts, which gives `bind` to break the
 * circle between a record and its rules.
 */
import type { Dim } from "../src/ir/dims.js";
import { closedJaxpr, type ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { MaybeZero, TransposeInput } from "../src/ir/primitive.js";
import { addAny } from "./binary.js";
import {
  batchSize,
  fixedPoint,
  present,
  spreadTangents,
  toFront,
  typesOf,
  where,
  zeros,
} from "./callTransforms.js";
import { at, upTo } from "./support.js";

/** The body takes constants, carried values and one row of each scanned array. */
export type ScanParams = {
  readonly reverse: boolean;
  readonly length: Dim;
  readonly jaxpr: ClosedJaxpr;
  readonly num_consts: number;
  readonly num_carry: number;
  /** Per input: known to be linear. JAX's hint to its own transposition; nothing here reads it. */
  readonly linear: readonly boolean[];
  readonly unroll: number;
};

/** Adds a scan equation. */
export type BindScan = (
  o: Ops,
  inputs: {
    readonly consts: readonly Value[];
    readonly carry: readonly Value[];
    readonly xs: readonly Value[];
  },
  body: ClosedJaxpr,
  loop: Pick<ScanParams, "reverse" | "length" | "unroll">,
) => readonly Value[];

/** Items given per input of a scan, by the part of the inputs. */
export function parts<T>(
  items: readonly T[],
  { num_consts, num_carry }: ScanParams,
): { readonly consts: readonly T[]; readonly carry: readonly T[]; readonly xs: readonly T[] } {
  const start = num_consts + num_carry;
  return {
    consts: items.slice(0, num_consts),
    carry: items.slice(num_consts, start),
    xs: items.slice(start),
  };
}

/** A program with inputs and outputs in another order. */
function rearrange(
  { jaxpr, consts }: ClosedJaxpr,
  inputs: readonly number[],
  outputs: readonly number[],
): ClosedJaxpr {
  const invars = inputs.map((place) => at(jaxpr.invars, place));
  const outvars = outputs.map((place) => at(jaxpr.outvars, place));
  return closedJaxpr({ ...jaxpr, invars, outvars }, consts);
}

const range = (start: number, length: number): readonly number[] =>
  Array.from({ length }, (_, index) => start + index);

/** Forward derivative: tangents of constants, carried values and rows travel beside them. */
export function scanJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  params: ScanParams,
  bind: BindScan,
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const { jaxpr: body, num_carry, num_consts } = params;
  const [values, directions] = [parts(primals, params), parts(tangents, params)];
  const has = (items: readonly MaybeZero[]): readonly boolean[] =>
    items.map((tangent) => tangent !== null);
  const activeWith = (mask: readonly boolean[]): readonly boolean[] => [
    ...has(directions.consts),
    ...mask,
    ...has(directions.xs),
  ];
  const carried = fixedPoint(has(directions.carry), (mask) =>
    o.programs.jvp(body, activeWith(mask), mask).outputTangents.slice(0, num_carry),
  );
  const derived = o.programs.jvp(body, activeWith(carried), carried);
  const stackedTangents = derived.outputTangents.slice(num_carry);
  const counts = {
    consts: present(directions.consts).length,
    carry: carried.filter(Boolean).length,
    xs: present(directions.xs).length,
  };
  const inputCount = primals.length;
  const outputCount = body.jaxpr.outvars.length;
  const program = rearrange(
    derived.program,
    [
      ...range(0, num_consts),
      ...range(inputCount, counts.consts),
      ...range(num_consts, num_carry),
      ...range(inputCount + counts.consts, counts.carry),
      ...range(num_consts + num_carry, values.xs.length),
      ...range(inputCount + counts.consts + counts.carry, counts.xs),
    ],
    [
      ...range(0, num_carry),
      ...range(outputCount, counts.carry),
      ...range(num_carry, outputCount - num_carry),
      ...range(outputCount + counts.carry, stackedTangents.filter(Boolean).length),
    ],
  );
  const initial = values.carry.flatMap((value, index) =>
    at(carried, index) ? [directions.carry[index] ?? zeros(o, value.aval)] : [],
  );
  const inputs = {
    consts: [...values.consts, ...present(directions.consts)],
    carry: [...values.carry, ...initial],
    xs: [...values.xs, ...present(directions.xs)],
  };
  const results = bind(o, inputs, program, params);
  const ys = num_carry + counts.carry;
  const ysTangents = ys + outputCount - num_carry;
  return {
    primals: [...results.slice(0, num_carry), ...results.slice(ys, ysTangents)],
    tangents: spreadTangents(
      [...results.slice(num_carry, ys), ...results.slice(ysTangents)],
      [...carried, ...stackedTangents],
    ),
  };
}

/**
 * Transposition: a scan in the other direction that carries the cotangents of the carried values
 * and sums up those of the linear constants. All carried values are linear: the known ones were
 * split off before.
 */
export function scanTranspose(
  o: Ops,
  cotangents: readonly MaybeZero[],
  inputs: readonly TransposeInput[],
  params: ScanParams,
  bind: BindScan,
): readonly MaybeZero[] {
  const { jaxpr: body, num_carry } = params;
  const { consts, carry, xs } = parts(inputs, params);
  const isLinear = ({ kind }: TransposeInput): boolean => kind === "linear";
  const known = (items: readonly TransposeInput[]): readonly Value[] =>
    items.flatMap((input) => (input.kind === "known" ? [input.value] : []));
  const linear = [...consts.map(isLinear), ...carry.map(() => true), ...xs.map(isLinear)];
  const backwards = o.programs.transpose(body, linear);
  const bodyTypes = typesOf(body.jaxpr.invars);
  const outTypes = typesOf(body.jaxpr.outvars);
  const { consts: constTypes, carry: carryTypes, xs: rowTypes } = parts(bodyTypes, params);
  const sumTypes = where(constTypes, consts.map(isLinear));
  const [fixed, rows] = [known(consts), known(xs)];
  const incoming = cotangents.slice(num_carry);
  const stackedTypes = where(
    outTypes.slice(num_carry),
    incoming.map((ct) => ct !== null),
  );
  const fixedTypes = typesOf(fixed);
  const types = [
    ...fixedTypes,
    ...sumTypes,
    ...carryTypes,
    ...rowTypes.filter((_, index) => !isLinear(at(xs, index))),
    ...stackedTypes,
  ].map((aval) => ({ ...aval, weakType: false }));
  const step = o.programs.build(types, (inner, args) => {
    let start = 0;
    const take = (count: number): readonly Value[] => args.slice(start, (start += count));
    const [own, sums, pulled] = [take(fixed.length), take(sumTypes.length), take(num_carry)];
    const ownRows = take(rows.length);
    const stacked = take(stackedTypes.length).values();
    const arriving = incoming.map((ct, index) => {
      const value = ct === null ? undefined : stacked.next().value;
      return value ?? zeros(inner, at(outTypes, num_carry + index));
    });
    const results = inner.call("body", backwards, [...own, ...ownRows, ...pulled, ...arriving]);
    const added = sums.map((sum, index) =>
      at(inner.bind(addAny, [sum, at(results, index)], {}), 0),
    );
    return [...added, ...results.slice(sums.length)];
  });
  const initial = carryTypes.map((aval, index) => cotangents[index] ?? zeros(o, aval));
  const results = bind(
    o,
    {
      consts: fixed,
      carry: [...sumTypes.map((aval) => zeros(o, aval)), ...initial],
      xs: [...rows, ...present(incoming)],
    },
    step,
    { ...params, reverse: !params.reverse },
  );
  const all = spreadTangents(results, linear);
  return all.map((cotangent, index) => (at(inputs, index).kind === "linear" ? cotangent : null));
}

/** `vmap`: rows have their batch dimension behind the scanned one. */
export function scanBatch(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  params: ScanParams,
  bind: BindScan,
): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] } {
  const { jaxpr: body, num_carry } = params;
  const size = batchSize(inputs, dims);
  const [values, places] = [parts(inputs, params), parts(dims, params)];
  const front = (mask: readonly boolean[]): readonly (number | null)[] =>
    mask.map((batched) => (batched ? 0 : null));
  const has = (items: readonly (number | null)[]): readonly boolean[] =>
    items.map((dim) => dim !== null);
  const dimsWith = (mask: readonly boolean[]): readonly (number | null)[] => [
    ...front(has(places.consts)),
    ...front(mask),
    ...front(has(places.xs)),
  ];
  const ysUnforced = body.jaxpr.outvars.slice(num_carry).map(() => false);
  const carried = fixedPoint(has(places.carry), (mask) =>
    o.programs
      .batch(body, size, dimsWith(mask), [...mask, ...ysUnforced])
      .batched.slice(0, num_carry),
  );
  const batched = o.programs.batch(body, size, dimsWith(carried), [...carried, ...ysUnforced]);
  const outputs = bind(
    o,
    {
      consts: values.consts.map((value, index) => moveTo(o, value, at(places.consts, index), 0)),
      carry: values.carry.map((value, index) =>
        at(carried, index) ? toFront(o, value, at(places.carry, index), size) : value,
      ),
      xs: values.xs.map((value, index) => moveTo(o, value, at(places.xs, index), 1)),
    },
    batched.program,
    params,
  );
  const stackedDims = batched.batched.slice(num_carry).map((is) => (is ? 1 : null));
  return { outputs, dims: [...front(carried), ...stackedDims] };
}

/** Moves the batch dimension of a value, if it has one. */
function moveTo(o: Ops, value: Value, from: number | null, to: number): Value {
  if (from === null || from === to) return value;
  const rest = upTo(value.aval.shape.length).filter((axis) => axis !== from);
  return o.transpose(value, rest.toSpliced(to, 0, from));
}
