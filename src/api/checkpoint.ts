/** `checkpoint`: values are computed again when derivatives need them, instead of being kept. */
import {
  checkpoint as checkpointPrimitive,
  checkpointName as namePrimitive,
  type CheckpointPolicy,
} from "../../primitives/checkpoint.js";
import { isComplex, isFloat } from "../ir/dtypes.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import type { ArrayLike } from "../trace/arrays.js";
import { flatten, unflatten } from "../tree/pytree.js";
import { flattenArguments, nameOf, traceCall, unflattenValues } from "./calls.js";
import { named } from "./derivatives.js";
import type { Arguments, Arrays, Traceable } from "./types.js";

export type { CheckpointPolicy };

/** What may be kept for the backward pass. JAX's counterpart is `jax.checkpoint_policies`. */
export const checkpointPolicies = {
  /** Everything: as without `checkpoint`. */
  everythingSaveable: { kind: "everything_saveable" },
  /** Nothing but the inputs: the default. */
  nothingSaveable: { kind: "nothing_saveable" },
  /** Results of contractions and convolutions. */
  dotsSaveable: { kind: "dots_saveable" },
  /** Results of contractions without batch dimensions: those with weights. */
  dotsWithNoBatchDimsSaveable: { kind: "dots_with_no_batch_dims_saveable" },
  /** Values given one of these names by `checkpointName`. */
  saveOnlyTheseNames: (...names: readonly string[]): CheckpointPolicy => ({
    kind: "save_only_these_names",
    names,
  }),
  /** Values with a name that is none of these. */
  saveAnyNamesButThese: (...names: readonly string[]): CheckpointPolicy => ({
    kind: "save_any_names_but_these",
    names,
  }),
  /** Everything but values with one of these names. */
  saveAnythingExceptTheseNames: (...names: readonly string[]): CheckpointPolicy => ({
    kind: "save_anything_except_these_names",
    names,
  }),
} as const satisfies Record<
  string,
  CheckpointPolicy | ((...names: readonly string[]) => CheckpointPolicy)
>;

export interface CheckpointOptions {
  /** Keeps the second computation apart from the first. Default: true. */
  readonly preventCse?: boolean;
  /** What is kept all the same. Default: nothing. */
  readonly policy?: CheckpointPolicy | null;
  /** Arguments that are no arrays. */
  readonly staticArgnums?: number | readonly number[];
}

/**
 * The function, whose inner values are not kept for its derivative but computed again.
 *
 * JAX's counterpart is `jax.checkpoint`.
 */
export function checkpoint<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  { preventCse = true, policy = null, staticArgnums = [] }: CheckpointOptions = {},
): (...args: Arguments<Args>) => Arrays<Result> {
  const statics = typeof staticArgnums === "number" ? [staticArgnums] : staticArgnums;
  const call = f as unknown as (...args: unknown[]) => unknown;
  return named(nameOf(f), (...args) => {
    const isStatic = (index: number): boolean =>
      statics.includes(index) || statics.includes(index - args.length);
    const { values, inTree } = flattenArguments(args.filter((_, index) => !isStatic(index)));
    const whole = named(nameOf(f), (...arrays: unknown[]): unknown => {
      let next = 0;
      return call(...args.map((arg, index) => (isStatic(index) ? arg : arrays[next++])));
    });
    const avals = values.map(({ aval }) => aval);
    const { program, captured, outTree } = traceCall(whole, inTree, avals, "checkpoint");
    const results = o.bind(checkpointPrimitive, [...values, ...captured], {
      jaxpr: program,
      prevent_cse: preventCse,
      differentiated: false,
      policy,
    });
    return unflattenValues(outTree, results) as Arrays<Result>;
  });
}

/** Applies a function of values to the arrays of a pytree. */
function mapValues<T>(tree: T, f: (value: ReturnType<typeof toValue>) => unknown): Arrays<T> {
  const [leaves, structure] = flatten(tree);
  const results = leaves.map((leaf) => f(toValue(leaf as ArrayLike)));
  return unflatten(structure, results) as Arrays<T>;
}

/**
 * Arrays under a name that policies of `checkpoint` know.
 *
 * JAX's counterpart is `jax.ad_checkpoint.checkpoint_name`.
 */
export function checkpointName<const T>(x: T, name: string): Arrays<T> {
  return mapValues(x, (value) => {
    const [result] = o.bind(namePrimitive, [value], { name });
    if (result === undefined) throw new Error("internal error: name without result");
    return fromValue(result);
  });
}

/**
 * The arrays of a pytree, which count as constants in derivatives.
 *
 * JAX's counterpart is `lax.stop_gradient`.
 */
export function stopGradient<const T>(x: T): Arrays<T> {
  return mapValues(x, (value) => {
    const { dtype } = value.aval;
    return fromValue(isFloat(dtype) || isComplex(dtype) ? o.stopGradient(value) : value);
  });
}
