/**
 * The transformations of programs, jaxpr to jaxpr: what tracing and the command line use. Importing
 * this file also gives the rules of control flow the transformations of their inner programs.
 */
import { batchInner } from "./batch.js";
import { provideTransforms, startBuilding } from "./building.js";
import { jvpProgram } from "./jvp.js";
import { splitProgram, transposeProgram } from "./linearize.js";

provideTransforms({
  build: (avals, body) => {
    const { builder, o } = startBuilding();
    const inputs = avals.map((aval) => builder.input(aval));
    return builder.build(body(o, inputs));
  },
  jvp: jvpProgram,
  split: splitProgram,
  transpose: transposeProgram,
  batch: batchInner,
});

export { batchProgram, type BatchedProgram } from "./batch.js";
export { isDifferentiable, jvpProgram, type JvpProgram } from "./jvp.js";
export { splitProgram, transposeProgram, vjpProgram, type VjpProgram } from "./linearize.js";
