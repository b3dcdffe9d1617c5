/**
 * Applies a program on scalars (the body of reduce, scatter, reduce_window …) to whole arrays,
 * element by element: its equations are bound again with arrays in place of scalars.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import type { Shape } from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import {
  isClosedJaxpr,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { at } from "./support.js";

/**
 * `program` on arrays of one common shape (or scalars): all its values are scalars, and its
 * equations elementwise or calls.
 *
 * @throws Jax2TfjsError `unsupported-computation` for other equations
 */
export function mapScalarProgram(
  o: Ops,
  program: ClosedJaxpr,
  args: readonly Value[],
  shape: Shape,
): readonly Value[] {
  const { jaxpr, consts } = program;
  const env = new Map<Var, Value>();
  jaxpr.constvars.forEach((variable, index) => env.set(variable, o.constant(at(consts, index))));
  jaxpr.invars.forEach((variable, index) => env.set(variable, at(args, index)));
  const read = (atom: Atom): Value => {
    if (atom.kind === "literal") return o.literal(atom.value, atom.aval.dtype);
    const value = env.get(atom);
    if (value === undefined)
      throw new Error("internal error: unbound variable of a scalar program");
    return value;
  };
  for (const equation of jaxpr.equations) {
    const results = applyEquation(o, equation, equation.inputs.map(read), shape);
    equation.outputs.forEach((variable, index) => env.set(variable, at(results, index)));
  }
  return jaxpr.outvars.map((atom) => spreadTo(o, read(atom), shape));
}

/** A scalar broadcast to the shape; arrays have it already. */
function spreadTo(o: Ops, value: Value, shape: Shape): Value {
  if (value.aval.shape.length === shape.length) return value;
  return o.broadcastInDim(value, shape, []);
}

function isScalar(aval: ShapedArray): boolean {
  return aval.shape.length === 0;
}

function applyEquation(
  o: Ops,
  equation: Equation,
  inputs: readonly Value[],
  shape: Shape,
): readonly Value[] {
  const { primitive, params } = equation;
  if (inputs.every((input) => isScalar(input.aval))) return o.bind(primitive, inputs, params);
  const scalarsOnly = [...equation.inputs, ...equation.outputs].every((atom) =>
    isScalar(atom.aval),
  );
  const inner = primitive.traits?.inlines;
  const program = inner === undefined ? undefined : params[inner];
  if (scalarsOnly && isClosedJaxpr(program)) return mapScalarProgram(o, program, inputs, shape);
  if (scalarsOnly && primitive.traits?.elementwise === true) {
    const arrays = inputs.map((input) => spreadTo(o, input, shape));
    return o.bind(primitive, arrays, params);
  }
  // Of scalars, these do nothing.
  if (scalarsOnly && primitive.traits?.view === true && inputs.length === 1) return inputs;
  throw new Jax2TfjsError(
    "unsupported-computation",
    `${primitive.name} inside a computation on scalars cannot be applied to whole arrays`,
    {
      primitive: primitive.name,
      fix: "write the computation with elementwise operations, or as a loop (lax.scan)",
    },
  );
}
