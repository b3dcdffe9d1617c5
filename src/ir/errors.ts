/**
 * Errors as data: every failure of jax2tfjs that a user can cause is a Jax2TfjsError with a stable
 * code, so that programs can branch on it and the command line can print it without a stack trace.
 */

/** A place in the original program: a JAX Python file (through MLIR locations) or a TypeScript file. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The function the frame belongs to, where known. */
  readonly functionName?: string;
}

export interface ErrorDetails {
  /** The primitive (or StableHLO op) at fault. */
  readonly primitive?: string;
  /** The printed equation. */
  readonly equation?: string;
  /** Where in the user's program the equation comes from. */
  readonly source?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/**
 * An error that the user of jax2tfjs caused or can act upon.
 *
 * `code` is stable and kebab-case (`artifact-truncated`, `no-tfjs-rule`, …); `message` is one
 * sentence; `details` says which equation, from which source line, and what to do.
 */
export class Jax2TfjsError extends Error {
  readonly code: string;
  readonly details: ErrorDetails;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "Jax2TfjsError";
    this.code = code;
    this.details = details;
  }

  /** The whole report: `code: message`, then one indented line per known detail. */
  report(): string {
    const lines = [`${this.code}: ${this.message}`];
    if (this.details.equation !== undefined) lines.push(`  eqn   ${this.details.equation}`);
    if (this.details.source !== undefined) lines.push(`  from  ${this.details.source}`);
    if (this.details.fix !== undefined) lines.push(`  fix   ${this.details.fix}`);
    return lines.join("\n");
  }
}

/** Marks code that the types rule out; the message is for us, not for users. */
export function unreachable(value: never, what: string): never {
  throw new Error(`internal error: unexpected ${what}: ${String(value)}`);
}
