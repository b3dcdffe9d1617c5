/**
 * Errors about stand-ins for arrays: where values are asked for that are not there while a function
 * is traced, and where one outlives its trace. Called by trace.ts.
 */
import { printAval, type ShapedArray } from "../ir/aval.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { SourceInfo } from "../ir/jaxpr.js";
import { printSource } from "../ir/print.js";
import { callerSource } from "./source.js";

const userLine = (): string => printSource(callerSource(""));

/** About a traced array of which the user's program wants more than its type. */
export function concretization(aval: ShapedArray, traced: string, what: string): Jax2TfjsError {
  return new Jax2TfjsError(
    "concretization",
    `attempted to use the traced array ${printAval(aval)} as ${what}: while ${traced} is being ` +
      "traced there are no values, only shapes and types",
    {
      source: userLine(),
      fix:
        "use lax.select or np.where for values that depend on a condition, lax.cond, " +
        "lax.whileLoop or lax.scan for control flow, or compute outside of the traced function",
    },
  );
}

/** About a traced array that was given to tfjs itself. */
export function notATensor(aval: ShapedArray, traced: string): Jax2TfjsError {
  return new Jax2TfjsError(
    "concretization",
    `tfjs was given the traced array ${printAval(aval)}: while ${traced} is being traced there ` +
      "are no tensors, only shapes and types",
    {
      source: userLine(),
      fix:
        "use the functions of lax and np, or callTfjs; assign to a variable outside of the traced " +
        "function, which returns the new value",
    },
  );
}

/** About a traced array that is used after its function has returned; `made`: where it was made. */
export function leakedTracer(aval: ShapedArray, traced: string, made: SourceInfo): Jax2TfjsError {
  const place = printSource(made);
  return new Jax2TfjsError(
    "leaked-tracer",
    `a traced array of type ${printAval(aval)} is used after the tracing of ${traced} has ended; ` +
      `it was made at ${place === "" ? "an unknown place" : place}`,
    {
      source: userLine(),
      fix: "return the array from the function instead of storing it in an outer variable",
    },
  );
}
