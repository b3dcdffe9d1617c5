// Models of the corpus that cannot be converted yet, and how the conversion says so. A model that
// starts to work must leave this table: its test fails until it does.

export interface ExpectedFailure {
  /** Code of the error. */
  readonly code: string;
  /** The primitive or StableHLO op that the error names. */
  readonly primitive: string;
  readonly why: string;
}

const cholesky: ExpectedFailure = {
  code: "unsupported-op",
  primitive: "cholesky",
  why: "linear algebra comes later",
};

/** By the model's folder in the corpus. */
export const expectedFailures: Readonly<Record<string, ExpectedFailure>> = {
  "public/models/gp_regression": cholesky,
  "versions/0.12.0.1/gp_regression": cholesky,
  "versions/0.4.38/gp_regression": cholesky,
  "versions/0.6.2/gp_regression": cholesky,
  "wild/linalg_mix": cholesky,
};
