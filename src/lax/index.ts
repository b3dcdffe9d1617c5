/**
 * `lax`: a function for every primitive, and control flow, under JAX's names in camelCase. Arrays are
 * not promoted: they must have one type and shape, only scalars and JavaScript numbers adapt.
 */
export * from "./elementwise.js";
export * from "./shapes.js";
export * from "./slicing.js";
export * from "./reductions.js";
export * from "./contractions.js";
export * from "./convVariants.js";
export * from "./raggedDot.js";
export * from "./sorting.js";
export * from "./fft.js";
export * from "./randomBits.js";
export * as linalg from "./linalg.js";
export { type Padding } from "./padding.js";
export { associativeScan, type AssociativeScanOptions } from "./control/associativeScan.js";
export { cond, switch, type Operands } from "./control/branches.js";
export {
  composite,
  dceSink,
  platformDependent,
  type PlatformBranches,
} from "./control/composite.js";
export { foriLoop, whileLoop, type ForiOptions } from "./control/loops.js";
export {
  customLinearSolve,
  customRoot,
  type LinearFunction,
  type LinearSolveOptions,
} from "./control/linearSolve.js";
export { map, scan, type MapOptions, type ScanOptions } from "./control/scan.js";
export { stopGradient } from "../api/checkpoint.js";
export * from "../api/collectives.js";
