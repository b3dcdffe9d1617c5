/**
 * Evaluates small programs on the host for one element of their arrays, to find out what a function
 * of the module computes. Only elementwise equations, broadcasts and lookups in small constants are
 * evaluated, so that what holds for the element holds for the arrays. Called by random.ts.
 */
import type { ShapedArray } from "../../ir/aval.js";
import { dimEquals, isStaticShape } from "../../ir/dims.js";
import { fromNumbers, type HostArray } from "../../ir/hostArray.js";
import {
  isClosedJaxpr,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../../ir/jaxpr.js";

/** Programs with more equations than this are not worth a look. */
const maxEquations = 2000;

/** An array of shape () stands for one element of an array of any shape. */
const pointType = (aval: ShapedArray): ShapedArray => ({ ...aval, shape: [] });

const isPoint = (array: HostArray): boolean => array.shape.length === 0;

/** True if each element of the result is the element of the input at the same place. */
function keepsPlaces(equation: Equation): boolean {
  const [input] = equation.inputs;
  const [output] = equation.outputs;
  if (input === undefined || output === undefined || equation.inputs.length !== 1) return false;
  if (input.aval.shape.length === 0) return true;
  const dimensions = equation.params.broadcast_dimensions;
  const { shape } = output.aval;
  return (
    Array.isArray(dimensions) &&
    shape.length === input.aval.shape.length &&
    dimensions.every((dimension, axis) => dimension === axis) &&
    input.aval.shape.every((dim, axis) => dim === 1 || dimEquals(dim, shape[axis] ?? NaN))
  );
}

class Evaluation {
  #count = 0;

  run(program: ClosedJaxpr, args: readonly HostArray[]): readonly HostArray[] | null {
    const { jaxpr, consts } = program;
    const values = new Map<Var, HostArray>();
    jaxpr.constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array !== undefined) values.set(variable, array);
    });
    jaxpr.invars.forEach((variable, index) => {
      const arg = args[index];
      if (arg !== undefined) values.set(variable, arg);
    });
    const read = (atom: Atom): HostArray | undefined => {
      if (atom.kind === "var") return values.get(atom);
      const { value, aval } = atom;
      return typeof value === "object" ? undefined : fromNumbers(aval.dtype, [], [Number(value)]);
    };
    const readAll = (atoms: readonly Atom[]): readonly HostArray[] | null => {
      const arrays = atoms.map(read).filter((array) => array !== undefined);
      return arrays.length === atoms.length ? arrays : null;
    };
    for (const equation of jaxpr.equations) {
      const inputs = readAll(equation.inputs);
      const results = inputs === null ? null : this.#equation(equation, inputs);
      // What cannot be evaluated may still be unused.
      results?.forEach((result, index) => {
        const output = equation.outputs[index];
        if (output !== undefined) values.set(output, result);
      });
      if (this.#count > maxEquations) return null;
    }
    return readAll(jaxpr.outvars);
  }

  #equation(equation: Equation, inputs: readonly HostArray[]): readonly HostArray[] | null {
    this.#count++;
    const { traits, fold } = equation.primitive;
    const { params, outputs } = equation;
    if (traits?.inlines !== undefined) {
      const inner = params[traits.inlines];
      return isClosedJaxpr(inner) ? this.run(inner, inputs) : null;
    }
    const avals = outputs.map((output) => output.aval);
    if (traits?.elementwise === true && inputs.every(isPoint)) {
      return fold?.(inputs, params, avals.map(pointType)) ?? null;
    }
    if (traits?.view !== true) return null;
    const [only] = inputs;
    if (only !== undefined && isPoint(only)) return keepsPlaces(equation) ? [only] : null;
    const whole = avals.every(({ shape }) => isStaticShape(shape));
    return whole ? (fold?.(inputs, params, avals) ?? null) : null;
  }
}

/**
 * The results of a program for one element.
 *
 * @param args per input the element (shape ()), or a whole small array
 * @returns null if the program does anything but elementwise arithmetic
 */
export function evaluatePoint(
  program: ClosedJaxpr,
  args: readonly HostArray[],
): readonly HostArray[] | null {
  return new Evaluation().run(program, args);
}
