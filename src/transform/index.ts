/**
 * The transformations of programs, jaxpr to jaxpr: what tracing and the command line use. Importing
 * this file also gives the rules of control flow the transformations of their inner programs.
 */
import { batchProgram } from "./batch.js";
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
  batch: (program, size, inputDims, batchedOutputs) => {
    const wanted = batchedOutputs.map((batched) => (batched ? 0 : "any"));
    const result = batchProgram(program, size, inputDims, wanted);
    const outputs = result.outputDims.map((dim) => dim !== null);
    // A batch dimension that fell elsewhere is moved to the front as well.
    const front = outputs.map((batched) => (batched ? 0 : null));
    return { program: batchProgram(program, size, inputDims, front).program, batched: outputs };
  },
});

export { batchProgram, type BatchedProgram } from "./batch.js";
export { isDifferentiable, jvpProgram, type JvpProgram } from "./jvp.js";
export { splitProgram, transposeProgram, vjpProgram, type VjpProgram } from "./linearize.js";
