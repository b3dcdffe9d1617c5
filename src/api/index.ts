/** Tracing and transforming functions, under JAX's names. */
export { ShapeDtypeStruct, Float0Array } from "./calls.js";
export {
  checkpoint,
  checkpointName,
  checkpointPolicies,
  stopGradient,
  type CheckpointOptions,
  type CheckpointPolicy,
} from "./checkpoint.js";
export {
  allGather,
  allToAll,
  axisIndex,
  axisSize,
  pmax,
  pmean,
  pmin,
  ppermute,
  psum,
  psumScatter,
  type AxisName,
} from "./collectives.js";
export {
  customJvp,
  customVjp,
  type CustomJvp,
  type CustomOptions,
  type CustomVjp,
} from "./customDerivatives.js";
export {
  grad,
  jvp,
  linearize,
  linearTranspose,
  valueAndGrad,
  vjp,
  vjpWithAux,
  type AuxOptions,
  type Gradient,
  type GradOf,
  type GradOptions,
  type Pullback,
  type ValueOf,
} from "./derivatives.js";
export { hessian, jacfwd, jacrev } from "./jacobians.js";
export { closureConvert, evalShape, jit, makeJaxpr, type JitOptions } from "./jit.js";
export { vmap, type Axes, type VmapOptions } from "./vmap.js";
export type { Argument, Arguments, Arrays, Traceable } from "./types.js";
