/**
 * A program cut in two: what can be computed before tangents are known, and a linear program on
 * tangents. Forward and reverse derivatives of traced functions are made of it.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { printEquation, printSource } from "../ir/print.js";
import { isNoRule } from "../ir/primitive.js";
import { jvpProgram } from "./jvp.js";
import { splitProgram, transposeProgram } from "./linearize.js";

/** A program and its derivative as two programs. */
export interface LinearizedProgram {
  /** From the inputs to the outputs, then the residuals. */
  readonly forward: ClosedJaxpr;
  readonly outputCount: number;
  readonly residualCount: number;
  /** From the residuals and the tangents of the active inputs to tangents of some outputs. */
  readonly linear: ClosedJaxpr;
  /** Which outputs `linear` gives tangents of; the tangents of the others are zero. */
  readonly outputTangents: readonly boolean[];
}

/**
 * Linearizes a program in its active inputs. JAX's counterpart is `linearize_jaxpr`.
 *
 * @throws Jax2TfjsError `no-jvp-rule`, `not-reversible` for a loop of unknown length
 */
export function linearizeProgram(
  program: ClosedJaxpr,
  active: readonly boolean[],
): LinearizedProgram {
  const inputCount = program.jaxpr.invars.length;
  const outputCount = program.jaxpr.outvars.length;
  const { program: withTangents, outputTangents } = jvpProgram(program, active);
  const known = withTangents.jaxpr.invars.map((_, index) => index < inputCount);
  const split = splitProgram(withTangents, known);
  if (split.knownOutputs.slice(0, outputCount).includes(false)) throw notReversible(split.unknown);
  // Tangents that depend on no input tangent are zero: they stay out of the linear program.
  let next = outputCount;
  const depends = outputTangents.map((present) => present && split.knownOutputs[next++] === false);
  const { jaxpr, consts } = split.known;
  const outvars = jaxpr.outvars.filter(
    (_, index) => index < outputCount || index >= jaxpr.outvars.length - split.residualCount,
  );
  return {
    forward: { ...split.known, jaxpr: { ...jaxpr, outvars }, consts },
    outputCount,
    residualCount: split.residualCount,
    linear: split.unknown,
    outputTangents: depends,
  };
}

/** The error about an equation that computes values and tangents at once, as a loop does. */
function notReversible({ jaxpr }: ClosedJaxpr): Jax2TfjsError {
  for (const equation of jaxpr.equations) {
    const rule = equation.primitive.transpose;
    if (!isNoRule(rule)) continue;
    return new Jax2TfjsError("not-reversible", rule.reason, {
      primitive: equation.primitive.name,
      equation: printEquation(equation),
      source: printSource(equation.source),
    });
  }
  throw new Error("internal error: a result depends on tangents");
}

/** The program from the residuals and cotangents of the linear outputs to those of the inputs. */
export function pullbackProgram({ linear, residualCount }: LinearizedProgram): ClosedJaxpr {
  return transposeProgram(
    linear,
    linear.jaxpr.invars.map((_, index) => index >= residualCount),
  );
}
