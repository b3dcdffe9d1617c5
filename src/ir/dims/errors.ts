/**
 * The errors about questions without an answer and constraints without a solution, in JAX's words.
 * Thrown by the other files in this folder.
 */
import { Jax2TfjsError } from "../errors.js";

const helpMessage = `
This error arises for comparison operations with shapes that
are non-constant, and the result of the operation cannot be represented as
a boolean value for all values of the symbolic dimensions involved.

Please see https://docs.jax.dev/en/latest/export/shape_poly.html#comparison-of-symbolic-dimensions-is-partially-supported
for more details.
`;

/** The error for questions that have no answer for all values of the variables. */
export function inconclusive(message: string): Jax2TfjsError {
  return new Jax2TfjsError("inconclusive-dimension", message + helpMessage, {
    fix: "add constraints to the symbolic shapes, or make the dimension static",
  });
}

/** The error for constraints that no values satisfy. */
export function unsatisfiable(message: string): Jax2TfjsError {
  return new Jax2TfjsError("unsatisfiable-dimension-constraint", message, {
    fix: "remove or correct the constraints of the symbolic shapes",
  });
}
