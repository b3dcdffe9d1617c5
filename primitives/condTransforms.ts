/**
 * Derivatives, batching and partial evaluation of `cond`. Used by its record in control.ts.
 */
import { avalEquals, type ShapedArray } from "../src/ir/aval.js";
import type { Atom, ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import type { MaybeZero, SplitEquation, TransposeInput } from "../src/ir/primitive.js";
import {
  batchSize,
  filled,
  isFloating,
  present,
  spreadTangents,
  where,
  zeros,
} from "./callTransforms.js";
import { at, upTo } from "./support.js";

/** Forward derivative of `cond`: each branch gives its tangents too. */
export function condJvp(
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  branches: readonly ClosedJaxpr[],
): { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] } {
  const [index, ...operands] = primals;
  if (index === undefined) throw new Error("internal error: cond without index");
  const active = tangents.slice(1).map((tangent) => tangent !== null);
  const { outvars } = at(branches, 0).jaxpr;
  const perBranch = branches.map((branch) => o.programs.jvp(branch, active, []).outputTangents);
  const wanted = outvars.map(
    (atom, place) => isFloating(atom.aval) && perBranch.some((has) => has[place] === true),
  );
  const derived = branches.map((branch) => o.programs.jvp(branch, active, wanted).program);
  const results = o.cond(index, derived, [...operands, ...present(tangents.slice(1))]);
  return {
    primals: results.slice(0, outvars.length),
    tangents: spreadTangents(results.slice(outvars.length), wanted),
  };
}

/** A branch split into known and unknown part, and where its residuals come from. */
interface BranchParts {
  readonly known: ClosedJaxpr;
  readonly unknown: ClosedJaxpr;
  readonly knownOutputs: readonly boolean[];
  readonly sources: readonly ResidualSource[];
}

/** A residual is an operand itself, or computed by the known branch into a slot that all share. */
type ResidualSource =
  | { readonly kind: "operand"; readonly index: number }
  | { readonly kind: "slot"; readonly slot: number; readonly atom: Atom };

/**
 * Partial evaluation of `cond`: a first `cond` gives what is known and the residuals of the branch
 * taken, a second one the rest. Residuals of one type share a place, whatever their branch; the
 * places that a branch does not use hold zeros.
 */
export function condSplit(
  programs: ProgramTransforms,
  inputs: readonly ShapedArray[],
  known: readonly boolean[],
  branches: readonly ClosedJaxpr[],
): SplitEquation | null {
  const [indexIsKnown, ...operandsKnown] = known;
  const [indexType] = inputs;
  if (indexIsKnown !== true || indexType === undefined) return null;
  const { outvars } = at(branches, 0).jaxpr;
  const unknownOutputs = outvars.map((_, place) =>
    branches.some((branch) => programs.split(branch, operandsKnown).knownOutputs[place] !== true),
  );
  const slots: ShapedArray[] = [];
  const parts = branches.map((branch) =>
    splitBranch(programs, branch, operandsKnown, unknownOutputs, slots),
  );
  const knownOutputs = unknownOutputs.map((is) => !is);
  const knownTypes = where(inputs.slice(1), operandsKnown);
  const unknownTypes = inputs.slice(1).filter((_, place) => operandsKnown[place] !== true);
  const isUsed = knownTypes.map((_, place) =>
    parts.some(({ sources }) =>
      sources.some((source) => source.kind === "operand" && source.index === place),
    ),
  );
  const first = parts.map((part) => knownBranch(programs, part, knownTypes, slots));
  const early = programs.build([indexType, ...knownTypes], (o, [index, ...operands]) => {
    if (index === undefined) throw new Error("internal error: cond without index");
    const count = where(outvars, knownOutputs).length;
    const results = count + slots.length > 0 ? o.cond(index, first, operands) : [];
    return [...results.slice(0, count), index, ...where(operands, isUsed), ...results.slice(count)];
  });
  const passed = where(knownTypes, isUsed);
  const second = parts.map((part) => {
    const own = part.sources.map((source) =>
      source.kind === "slot"
        ? passed.length + source.slot
        : where(upTo(knownTypes.length), isUsed).indexOf(source.index),
    );
    return programs.build([...passed, ...slots, ...unknownTypes], (o, args) =>
      o.call("branch", part.unknown, [
        ...own.map((place) => at(args, place)),
        ...args.slice(passed.length + slots.length),
      ]),
    );
  });
  const late = programs.build(
    [indexType, ...passed, ...slots, ...unknownTypes],
    (o, [index, ...operands]) => {
      if (index === undefined) throw new Error("internal error: cond without index");
      return o.cond(index, second, operands);
    },
  );
  return { known: early, unknown: late, knownOutputs };
}

/** Splits one branch; residuals that need a place take one of their type, or add it to `slots`. */
function splitBranch(
  programs: ProgramTransforms,
  branch: ClosedJaxpr,
  operandsKnown: readonly boolean[],
  unknownOutputs: readonly boolean[],
  slots: ShapedArray[],
): BranchParts {
  const { known, unknown, knownOutputs, residualCount } = programs.split(
    branch,
    operandsKnown,
    unknownOutputs,
  );
  const { invars, outvars } = known.jaxpr;
  const taken = new Set<number>();
  const sources = outvars.slice(outvars.length - residualCount).map((atom): ResidualSource => {
    const index = invars.findIndex((variable) => variable === atom);
    if (index >= 0) return { kind: "operand", index };
    const free = slots.findIndex((type, place) => !taken.has(place) && avalEquals(type, atom.aval));
    const slot = free >= 0 ? free : slots.push(atom.aval) - 1;
    taken.add(slot);
    return { kind: "slot", slot, atom };
  });
  return { known, unknown, knownOutputs, sources };
}

/** The known branch, with its residuals in the places that the branches share. */
function knownBranch(
  programs: ProgramTransforms,
  { known, sources }: BranchParts,
  types: readonly ShapedArray[],
  slots: readonly ShapedArray[],
): ClosedJaxpr {
  return programs.build(types, (o, inputs) => {
    const results = o.call("branch", known, inputs);
    const count = results.length - sources.length;
    const places = slots.map((type, slot) => {
      const own = sources.findIndex((source) => source.kind === "slot" && source.slot === slot);
      return own < 0 ? zeros(o, type) : at(results, count + own);
    });
    return [...results.slice(0, count), ...places];
  });
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
