// Equations of gather and of the scatters, with random dimension numbers.
import { randomIndexing, type Indexing } from "../indexing.js";
import {
  distinct,
  floats,
  integers,
  signed,
  type Draw,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

/** `single`: no element is written twice, as the derivatives of some scatters want it. */
function drawIndexing(draw: Draw, single: boolean): Indexing {
  const found = randomIndexing((count) => draw.int(0, count - 1), single);
  if (!single || !draw.bool()) return found;
  // What JAX is told by users.
  const flags = { unique_indices: true };
  return {
    ...found,
    gather: { ...found.gather, ...flags },
    scatter: { ...found.scatter, ...flags },
  };
}

const gathering: Generator = (draw) => {
  const { operand, indices, gather } = drawIndexing(draw, draw.bool());
  const dtype = draw.pick(["float32", "float32", "complex64", "int32"] as const);
  const array = dtype === "int32" ? integers(operand, 0, 9) : floats(operand, -1, 1, dtype);
  return { inputs: [array, integers(indices, -1, 5)], params: gather };
};

type Values = (shape: readonly number[], isOperand: boolean) => Input;

const scattering =
  (array: Values, isSingle = (draw: Draw): boolean => draw.bool()): Generator =>
  (draw) => {
    const { operand, indices, windows, scatter } = drawIndexing(draw, isSingle(draw));
    return {
      inputs: [array(operand, true), integers(indices, -1, 5), array(windows, false)],
      params: scatter,
    };
  };

const anyValues: Values = (shape) => floats(shape);
const factors: Values = (shape) => signed(shape, 0.5, 1.5);
/** No number is close to another. */
const different: Values = (shape, isOperand) => distinct(shape, "float32", isOperand ? 0 : 0.15);

export const gathers: Generators = {
  gather: gathering,
  scatter: scattering(anyValues),
  "scatter-add": scattering(anyValues),
  "scatter-sub": scattering(anyValues),
  "scatter-mul": scattering(factors, () => true),
  "scatter-max": scattering(different),
  "scatter-min": scattering(different),
};
