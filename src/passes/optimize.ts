/**
 * The passes in order. "required" is what lowering relies on; "full" adds what only makes models
 * smaller and faster.
 */
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { inlineCalls, removeUnused, shareEqual } from "../ir/cleanup.js";
import { carryKeys } from "./carryKeys.js";
import { boundsRows } from "./bounds.js";
import { gatherRows } from "./constantGather.js";
import { expandEquations } from "./expand.js";
import { foldConstants } from "./fold.js";
import { foldRows } from "./foldFunctions.js";
import { pickPlaces } from "./pickOne.js";
import { recogniseFunctions } from "./probe.js";
import { recoverRows } from "./recover.js";
import { rewriteProgram } from "./rewrite.js";
import { joinProducts } from "./products.js";
import { mergeLoops } from "./mergeLoops.js";
import { recoverMirrorPad } from "./mirror.js";
import { joinSlices, splitSequences } from "./slices.js";
import { simplifyRows } from "./simplify.js";
import { spreadRows } from "./spread.js";
import { spectraRows, windowedProduct } from "./spectra.js";
import { unrollLoops } from "./unroll.js";

export interface OptimizeOptions {
  readonly level: "required" | "full";
  /** Equations that unrolled loops may add. */
  readonly unrollBudget?: number;
}

/** Rounds of simplification at most: each may make room for the next. */
const maxRounds = 4;

const exactRows = [...foldRows, ...boundsRows, ...simplifyRows, ...gatherRows, ...spreadRows];

/** Applies exact rewrites until nothing changes any more. */
function simplifyFully(program: ClosedJaxpr): ClosedJaxpr {
  let current = program;
  for (let round = 0; round < maxRounds; round++) {
    const next = shareEqual(removeUnused(rewriteProgram(current, exactRows)));
    const isSame = next.jaxpr.equations.length === current.jaxpr.equations.length;
    current = next;
    if (isSame && round > 0) break;
  }
  return current;
}

/** Passes over a program; the result computes the same. */
export function optimize(program: ClosedJaxpr, options: OptimizeOptions): ClosedJaxpr {
  const inlined = removeUnused(inlineCalls(expandEquations(carryKeys(program))));
  if (options.level === "required") return inlined;
  const folded = removeUnused(rewriteProgram(inlined, [foldConstants]));
  const unrolled = unrollLoops(mergeLoops(folded), options.unrollBudget);
  const simplified = simplifyFully(inlineCalls(unrolled));
  const shared = shareEqual(removeUnused(simplified));
  const recognised = removeUnused(rewriteProgram(shared, [recogniseFunctions()]));
  const rows = [...recoverRows, recoverMirrorPad, ...spectraRows];
  const recovered = removeUnused(rewriteProgram(recognised, rows));
  const simple = removeUnused(
    shareEqual(rewriteProgram(recovered, [...simplifyRows, windowedProduct])),
  );
  const joined = joinSlices(joinProducts(simple));
  const last = shareEqual(rewriteProgram(splitSequences(joinProducts(joined)), simplifyRows));
  return removeUnused(pickPlaces(removeUnused(last)));
}
