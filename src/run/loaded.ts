/**
 * What can be run: the common face of a converted model, a saved model and an eager program. The
 * command line, tests and examples run everything through it.
 */
import type { HostArray } from "../ir/hostArray.js";
import type { CallSignature, SignatureLeaf } from "./signature.js";

/** A program that is ready to run on the current tfjs backend. */
export interface LoadedProgram {
  readonly signature: CallSignature;
  /** The arguments that `run` takes, in order. */
  readonly inputs: readonly SignatureLeaf[];
  /** The results that `run` gives, in order. */
  readonly outputs: readonly SignatureLeaf[];
  /**
   * Checks arguments without running.
   *
   * @returns the values of the dimension variables
   * @throws Jax2TfjsError `shape-mismatch`, `dtype-mismatch`, in JAX's words
   */
  check(inputs: readonly HostArray[]): ReadonlyMap<string, number>;
  /**
   * Runs the program on arrays of the dtypes and shapes of its inputs (64-bit arrays serve for
   * 32-bit inputs, as in JAX without x64).
   *
   * @throws Jax2TfjsError as `check` does, or an error of tfjs
   */
  run(inputs: readonly HostArray[]): Promise<readonly HostArray[]>;
  /** Frees the weights and cached graphs. */
  dispose(): void;
}
