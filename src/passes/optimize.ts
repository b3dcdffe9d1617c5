/**
 * The passes in order. "required" is what lowering relies on; "full" adds what only makes models
 * smaller and faster.
 */
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { inlineCalls, removeUnused, shareEqual } from "../ir/cleanup.js";
import { expandEquations } from "./expand.js";
import { foldConstants } from "./fold.js";
import { recogniseFunctions } from "./probe.js";
import { recoverRows } from "./recover.js";
import { rewriteProgram } from "./rewrite.js";
import { joinProducts } from "./products.js";
import { recoverMirrorPad } from "./mirror.js";
import { joinSlices } from "./slices.js";
import { simplifyRows } from "./simplify.js";
import { spectraRows, windowedProduct } from "./spectra.js";
import { unrollLoops } from "./unroll.js";

export interface OptimizeOptions {
  readonly level: "required" | "full";
  /** Equations that unrolled loops may add. */
  readonly unrollBudget?: number;
}

/** Passes over a program; the result computes the same. */
export function optimize(program: ClosedJaxpr, options: OptimizeOptions): ClosedJaxpr {
  const inlined = removeUnused(inlineCalls(expandEquations(program)));
  if (options.level === "required") return inlined;
  const folded = removeUnused(rewriteProgram(inlined, [foldConstants]));
  const unrolled = unrollLoops(folded, options.unrollBudget);
  const simplified = rewriteProgram(inlineCalls(unrolled), [foldConstants, ...simplifyRows]);
  const shared = shareEqual(removeUnused(simplified));
  const recognised = removeUnused(rewriteProgram(shared, [recogniseFunctions()]));
  const rows = [...recoverRows, recoverMirrorPad, ...spectraRows];
  const recovered = removeUnused(rewriteProgram(recognised, rows));
  const simple = removeUnused(
    shareEqual(rewriteProgram(recovered, [...simplifyRows, windowedProduct])),
  );
  const joined = joinSlices(joinProducts(simple));
  return removeUnused(shareEqual(rewriteProgram(joinProducts(joined), simplifyRows)));
}
