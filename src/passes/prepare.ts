/**
 * Makes an imported program fit for derivatives: calls inlined, special functions that were written
 * out recognised, counting loops made scans. Called before a transformation of an artifact.
 */
import { inlineCalls, removeUnused } from "../ir/cleanup.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { foldConstants } from "./fold.js";
import { recogniseFunctions } from "./probe.js";
import { raiseLoops } from "./raise.js";
import { rewriteProgram } from "./rewrite.js";
import { specialFunctions } from "./specialFunctions.js";

/** The program to take derivatives of; it computes the same. */
export function prepareForDerivatives(program: ClosedJaxpr): ClosedJaxpr {
  const folded = removeUnused(rewriteProgram(inlineCalls(program), [foldConstants]));
  const recognised = rewriteProgram(folded, [recogniseFunctions(specialFunctions)]);
  return raiseLoops(removeUnused(recognised));
}
