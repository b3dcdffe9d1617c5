/**
 * What the transformations share: building a program with the lax-like methods, copying equations,
 * and the errors about missing rules.
 */
import { asAtom, JaxprBuilder } from "../ir/builder.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../ir/ops.js";
import { printEquation, printSource } from "../ir/print.js";
import { createOps } from "../lax/ops.js";

/** A program under construction, with the lax-like methods over it. */
export interface Building {
  readonly builder: JaxprBuilder;
  readonly o: Ops;
}

/**
 * The transformations of inner programs that rules of control flow ask for. The transformations
 * call those rules in turn, so they are put in here by index.ts instead of being imported.
 */
let programs: ProgramTransforms | undefined;

export function provideTransforms(transforms: ProgramTransforms): void {
  programs = transforms;
}

/** @param changed transformations of inner programs that differ from the usual ones */
export function startBuilding(changed: Partial<ProgramTransforms> = {}): Building {
  const builder = new JaxprBuilder();
  const o = createOps({
    bind: (primitive, inputs, params) => builder.bind(primitive, inputs, params),
    constant: (value) => builder.constant(value),
    ...(programs === undefined ? {} : { programs: { ...programs, ...changed } }),
  });
  return { builder, o };
}

/** Copies an equation onto new inputs. */
export function copyEquation(
  builder: JaxprBuilder,
  equation: Equation,
  inputs: readonly Value[],
): readonly Value[] {
  return builder.append(
    { ...equation, inputs: inputs.map(asAtom) },
    equation.outputs.map((output) => output.aval),
  );
}

/** An error about a rule that a transformation needs and a record does not have. */
export function missingRule(kind: string, equation: Equation, reason: string): Jax2TfjsError {
  return new Jax2TfjsError(
    `no-${kind}-rule`,
    `${equation.primitive.name} has no ${kind} rule: ${reason}`,
    {
      primitive: equation.primitive.name,
      equation: printEquation(equation),
      source: printSource(equation.source),
    },
  );
}
