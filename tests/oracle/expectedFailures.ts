// Models of the corpus that cannot be converted yet, and how the conversion says so. A model that
// starts to work must leave this table: its test fails until it does.

export interface ExpectedFailure {
  /** Code of the error. */
  readonly code: string;
  /** The primitive or StableHLO op that the error names. */
  readonly primitive: string;
  readonly why: string;
}

/** By the model's folder in the corpus. Empty: all convert. */
export const expectedFailures: Readonly<Record<string, ExpectedFailure>> = {};
