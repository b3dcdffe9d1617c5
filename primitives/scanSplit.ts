/**
 * Partial evaluation of `scan`: known values and stacked residuals first, the rest later. Used by
 * its record in scan.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { closedJaxpr, type Atom, type ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../src/ir/ops.js";
import type { SplitEquation } from "../src/ir/primitive.js";
import { fixedPoint, notMarked, reorderInputs, typesOf, where } from "./callTransforms.js";
import { parts, type BindScan, type ScanParams } from "./scanTransforms.js";
import { at, upTo } from "./support.js";

/** Where a residual of the body comes from, seen from outside of the loop. */
type ResidualPlan =
  | { readonly kind: "const"; readonly index: number }
  | { readonly kind: "row"; readonly index: number }
  /** The same in all steps: computed once, before the loops. */
  | { readonly kind: "invariant"; readonly atom: Atom }
  | { readonly kind: "stacked"; readonly atom: Atom };

/** Which of the inputs, carried values and outputs are known. */
interface Knowledge {
  readonly consts: readonly boolean[];
  /** Initial values that are known; the loop may make the carried value unknown. */
  readonly initial: readonly boolean[];
  readonly carry: readonly boolean[];
  readonly xs: readonly boolean[];
}

const count = (mask: readonly boolean[]): number => mask.filter(Boolean).length;

/**
 * A first scan computes the known values and stacks what the rest needs of each step; a second scan
 * computes the rest. JAX's counterpart is `_scan_partial_eval`.
 */
export function scanSplit(
  programs: ProgramTransforms,
  inputs: readonly ShapedArray[],
  known: readonly boolean[],
  params: ScanParams,
  bind: BindScan,
): SplitEquation {
  const { jaxpr: body, num_carry } = params;
  const { consts, carry: initial, xs } = parts(known, params);
  const unknownCarry = fixedPoint(notMarked(initial), (mask) => {
    const split = programs.split(body, [...consts, ...notMarked(mask), ...xs], mask);
    return notMarked(split.knownOutputs.slice(0, num_carry));
  });
  const knowledge: Knowledge = { consts, initial, carry: notMarked(unknownCarry), xs };
  const split = programs.split(body, [...consts, ...knowledge.carry, ...xs], unknownCarry);
  const plans = planResiduals(split.known, split.residualCount, knowledge);
  const first = firstScan(
    programs,
    where(inputs, known),
    split.known,
    plans,
    knowledge,
    (o, args, program) => bind(o, args, program, params),
  );
  const outputCount = count(split.knownOutputs);
  const residualTypes = typesOf(first.jaxpr.outvars.slice(outputCount));
  const unknownTypes = inputs.filter((_, index) => known[index] !== true);
  const second = programs.build([...residualTypes, ...unknownTypes], (o, args) =>
    secondScan(args, split.unknown, plans, knowledge, (loop, program) =>
      bind(o, loop, program, params),
    ),
  );
  return { known: first, unknown: second, knownOutputs: split.knownOutputs };
}

function planResiduals(
  { jaxpr }: ClosedJaxpr,
  residualCount: number,
  { consts, carry }: Knowledge,
): readonly ResidualPlan[] {
  const constCount = count(consts);
  const rowStart = constCount + count(carry);
  const invariant = new Set<Atom>([...jaxpr.constvars, ...jaxpr.invars.slice(0, constCount)]);
  for (const { inputs, outputs } of jaxpr.equations) {
    if (!inputs.every((atom) => atom.kind === "literal" || invariant.has(atom))) continue;
    outputs.forEach((output) => invariant.add(output));
  }
  return jaxpr.outvars.slice(jaxpr.outvars.length - residualCount).map((atom): ResidualPlan => {
    const index = jaxpr.invars.findIndex((variable) => variable === atom);
    if (index >= 0 && index < constCount) return { kind: "const", index };
    if (index >= rowStart) return { kind: "row", index: index - rowStart };
    return { kind: invariant.has(atom) ? "invariant" : "stacked", atom };
  });
}

type RunScan = (o: Ops, inputs: Parameters<BindScan>[1], body: ClosedJaxpr) => readonly Value[];

/** From the known inputs to the known outputs, the residuals, and the initial values made unknown. */
function firstScan(
  programs: ProgramTransforms,
  types: readonly ShapedArray[],
  { jaxpr, consts }: ClosedJaxpr,
  plans: readonly ResidualPlan[],
  { consts: constsKnown, initial, carry }: Knowledge,
  run: RunScan,
): ClosedJaxpr {
  const constCount = count(constsKnown);
  const atoms = (kind: "invariant" | "stacked"): readonly Atom[] =>
    plans.flatMap((plan) => (plan.kind === kind ? [plan.atom] : []));
  const [hoisted, stacked] = [atoms("invariant"), atoms("stacked")];
  const outputCount = jaxpr.outvars.length - plans.length;
  const outvars = [...jaxpr.outvars.slice(0, outputCount), ...stacked];
  const body = closedJaxpr({ ...jaxpr, outvars }, consts);
  const isConst = jaxpr.invars.map((_, index) => index < constCount);
  const before = programs.split(closedJaxpr({ ...jaxpr, outvars: hoisted }, consts), isConst).known;
  return programs.build(types, (o, args) => {
    const fixed = args.slice(0, constCount);
    const initials = args.slice(constCount, constCount + count(initial));
    const xs = args.slice(fixed.length + initials.length);
    const started = where(initials, where(carry, initial));
    const invariant = hoisted.length === 0 ? [] : o.call("before", before, fixed);
    const results = outvars.length === 0 ? [] : run(o, { consts: fixed, carry: started, xs }, body);
    const [hoistedValues, stackedValues] = [
      invariant.values(),
      results.slice(outputCount).values(),
    ];
    const residuals = plans.map((plan): Value => {
      if (plan.kind === "const") return at(fixed, plan.index);
      if (plan.kind === "row") return at(xs, plan.index);
      const values = plan.kind === "invariant" ? hoistedValues : stackedValues;
      const value = values.next().value;
      if (value === undefined) throw new Error("internal error: missing residual");
      return value;
    });
    const left = where(initials, where(notMarked(carry), initial));
    return [...results.slice(0, outputCount), ...residuals, ...left];
  });
}

/** The scan of what is unknown, from residuals, initial values that are known, unknown inputs. */
function secondScan(
  args: readonly Value[],
  body: ClosedJaxpr,
  plans: readonly ResidualPlan[],
  { consts, initial, carry, xs }: Knowledge,
  run: (inputs: Parameters<BindScan>[1], body: ClosedJaxpr) => readonly Value[],
): readonly Value[] {
  const places = upTo(plans.length);
  const isFixed = plans.map(({ kind }) => kind === "const" || kind === "invariant");
  const [fixed, rows] = [where(places, isFixed), where(places, notMarked(isFixed))];
  let next = plans.length;
  const take = (length: number): readonly number[] => Array.from({ length }, () => next++);
  // The order of the body's inputs: residuals, then unknown constants, carried values and rows.
  const bodyOrder = {
    consts: take(count(notMarked(consts))),
    carry: take(count(notMarked(carry))),
    xs: take(count(notMarked(xs))),
  };
  const program = reorderInputs(body, [
    ...fixed,
    ...bodyOrder.consts,
    ...bodyOrder.carry,
    ...rows,
    ...bodyOrder.xs,
  ]);
  next = plans.length;
  const pick = (from: readonly number[]): readonly Value[] => from.map((place) => at(args, place));
  const knownInitials = pick(take(count(where(initial, notMarked(carry))))).values();
  const unknownConsts = pick(take(bodyOrder.consts.length));
  const unknownInitials = pick(take(count(notMarked(initial)))).values();
  const unknownRows = pick(take(bodyOrder.xs.length));
  const started = where(initial, notMarked(carry)).map((isKnown): Value => {
    const value = (isKnown ? knownInitials : unknownInitials).next().value;
    if (value === undefined) throw new Error("internal error: missing initial value");
    return value;
  });
  return run(
    {
      consts: [...pick(fixed), ...unknownConsts],
      carry: started,
      xs: [...pick(rows), ...unknownRows],
    },
    program,
  );
}
