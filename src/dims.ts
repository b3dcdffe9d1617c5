/**
 * Arithmetic on sizes that may be symbolic, for functions traced for all sizes: JAX overloads `+` and
 * `//` of dimension expressions, TypeScript cannot. Exported as `dims`.
 */
export {
  addDims as add,
  floordivDims as floorDivide,
  isSymbolic,
  maxDim as max,
  minDim as min,
  modDims as mod,
  mulDims as multiply,
  negDim as negative,
  powDim as power,
  shapeSize as size,
  subDims as subtract,
} from "./ir/dims.js";
