/**
 * Makes an imported program fit for derivatives: calls inlined, special functions that were written
 * out recognised, counting loops made scans. Called before a transformation of an artifact.
 */
import { inlineCalls, removeUnused } from "../ir/cleanup.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { foldConstants } from "./fold.js";
import { recogniseGammaIntegrals } from "./gammaIntegrals.js";
import { recogniseFunctions, type KnownFunction } from "./probe.js";
import { raiseLoops } from "./raise.js";
import { rewriteProgram } from "./rewrite.js";
import { erfInv, lgamma } from "./specialValues.js";

/**
 * Functions that exports write out and that have derivatives of their own: the derivative of an
 * approximation is a bad one. To compute with, the written-out form is as good. (digamma is left
 * out: its series has a better derivative than the zeta function of negative arguments.)
 */
const specialFunctions: readonly KnownFunction[] = [
  { name: "lgamma", value: lgamma, build: (o, x) => o.lgamma(x), error: 1e-6 },
  { name: "erf_inv", value: erfInv, build: (o, x) => o.erfInv(x) },
];

/** The program to take derivatives of; it computes the same. */
export function prepareForDerivatives(program: ClosedJaxpr): ClosedJaxpr {
  const folded = removeUnused(rewriteProgram(inlineCalls(program), [foldConstants]));
  const recognised = rewriteProgram(folded, [recogniseFunctions(specialFunctions)]);
  const integrals = rewriteProgram(removeUnused(recognised), [recogniseGammaIntegrals()]);
  return raiseLoops(removeUnused(integrals));
}
