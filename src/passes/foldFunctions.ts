/**
 * Functions of known floats (angles of positions, frequencies, windows) are computed at conversion,
 * in float64 and rounded once: closer to the true value than any backend comes. Part of the rows of
 * `optimize`; eager mode computes them on its backend.
 */
import { isFloat } from "../ir/dtypes.js";
import { elementCount, fromNumbers, toNumbers, type HostArray } from "../ir/hostArray.js";
import { isStaticShape } from "../ir/dims.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import { foldConstants, knownArray, knownValue, maxFoldedElements } from "./fold.js";
import type { Match, Row } from "./rewrite.js";

const unary: Readonly<Record<string, (x: number) => number>> = {
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  logistic: (x) => 1 / (1 + Math.exp(-x)),
  rsqrt: (x) => 1 / Math.sqrt(x),
  cbrt: Math.cbrt,
};

/** The power as JAX has it: IEEE's pow, for which 1 to any power is 1. */
const power = (x: number, y: number): number =>
  x === 1 || (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) ? 1 : x ** y;

const binary: Readonly<Record<string, (x: number, y: number) => number>> = {
  pow: power,
  atan2: Math.atan2,
};

function compute(equation: Equation, inputs: readonly HostArray[]): HostArray | null {
  const [output] = equation.outputs;
  const [x, y] = inputs;
  if (output === undefined || x === undefined) return null;
  const { shape, dtype } = output.aval;
  if (!isFloat(dtype) || !isFloat(x.dtype) || !isStaticShape(shape)) return null;
  const count = elementCount(shape);
  if (count > maxFoldedElements) return null;
  const left = toNumbers(x);
  const at = (values: ArrayLike<number>, index: number): number =>
    values[values.length === 1 ? 0 : index] ?? NaN;
  const make = (value: (index: number) => number): HostArray =>
    fromNumbers(
      dtype,
      [...shape],
      Float64Array.from({ length: count }, (_, index) => value(index)),
    );
  const { name } = equation.primitive;
  const one = unary[name];
  if (one !== undefined) return make((index) => one(at(left, index)));
  const two = binary[name];
  if (two === undefined || y === undefined) return null;
  const right = toNumbers(y);
  return make((index) => two(at(left, index), at(right, index)));
}

const foldFunctions: Row = {
  name: "fold-functions",
  primitives: [...Object.keys(unary), ...Object.keys(binary)],
  rewrite: (o, equation, match) => {
    const inputs: HostArray[] = [];
    for (const atom of equation.inputs) {
      const array = knownArray(atom, match);
      if (array === undefined) return null;
      inputs.push(array);
    }
    // What is only spread out is computed before it is spread.
    const spread = equation.inputs.some(
      (atom) => atom.kind === "var" && match.constant(atom) === undefined,
    );
    const array = spread ? null : compute(equation, inputs);
    return array === null ? null : [knownValue(o, array)];
  },
};

export const foldRows: readonly Row[] = [foldConstants, foldFunctions];

/** The value of an equation whose inputs are all known; null for others. */
export function foldKnown(o: Ops, equation: Equation, match: Match): readonly Value[] | null {
  return foldConstants.rewrite(o, equation, match) ?? foldOnly(o, equation, match);
}

function foldOnly(o: Ops, equation: Equation, match: Match): readonly Value[] | null {
  const isOne = foldFunctions.primitives?.includes(equation.primitive.name) ?? false;
  return isOne ? foldFunctions.rewrite(o, equation, match) : null;
}
