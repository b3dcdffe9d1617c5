/** Functions of `lax` that say how a computation is to be seen: named parts, platforms, sinks. */
import { jit } from "../../api/jit.js";
import type { Arguments, Arrays, Traceable } from "../../api/types.js";
import { invalid } from "../arguments.js";

/**
 * A function that is one named call in the jaxpr. The name is for readers: what runs is the
 * function. JAX's `lax.composite`.
 */
export function composite<Args extends readonly unknown[], Result>(
  decomposition: Traceable<Args, Result>,
  name: string,
): (...args: Arguments<Args>) => Arrays<Result> {
  return jit(decomposition, { name });
}

/** Names of platforms that JAX knows; TensorFlow.js is none of them. */
export interface PlatformBranches<Args extends readonly unknown[], Result> {
  readonly default?: (...args: Args) => Result;
  readonly [platform: string]: ((...args: Args) => Result) | undefined;
}

/**
 * The branch for the platform: `tfjs` if it is there, else `cpu`, else `default`. JAX's
 * `lax.platform_dependent`.
 */
export function platformDependent<Args extends readonly unknown[], Result>(
  branches: PlatformBranches<Args, Result>,
  ...args: Args
): Result {
  const { tfjs, cpu } = branches;
  const branch = tfjs ?? cpu ?? branches.default;
  if (branch !== undefined) return branch(...args);
  const names = Object.keys(branches).join(", ");
  throw invalid(`platformDependent has branches for ${names} and no default`);
}

/** Says that values are used; nothing else. JAX's `lax.dce_sink`. */
export function dceSink(_value: unknown): void {
  // Equations that nothing uses are removed from graphs, whatever is said of them.
}
