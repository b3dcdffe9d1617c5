// The type of tests/data/dims.json, what JAX computes with symbolic dimensions, and its reader.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { repositoryRoot } from "../support/paths.js";

type BinaryOp = "add" | "floordiv" | "max" | "min" | "mod" | "mul" | "sub";
type Comparison = "<" | "<=" | "==" | ">" | ">=";

/** A dimension as it is computed: a number, text to parse, or an operation. */
export type DimTree =
  | number
  | string
  | readonly [BinaryOp | "neg" | "pow", DimTree]
  | readonly [BinaryOp | "neg" | "pow", DimTree, DimTree];

export interface RecordedFailure {
  readonly error: string;
  readonly kind?: "inconclusive" | "value";
  /** The message ends in the explanation that all inconclusive operations share. */
  readonly help?: boolean;
}

type Outcome<T> = RecordedFailure | { readonly result: T };

export interface RecordedDims {
  readonly expressions: readonly ({
    readonly constraints: readonly string[];
    readonly tree: DimTree;
    readonly bounds?: RecordedFailure | readonly [number | null, number | null];
  } & Outcome<string>)[];
  readonly comparisons: readonly ({
    readonly constraints: readonly string[];
    readonly left: DimTree;
    readonly comparison: Comparison;
    readonly right: DimTree;
  } & Outcome<boolean>)[];
  readonly shapes: readonly {
    readonly text: string | null;
    readonly like: readonly (number | null)[] | null;
    readonly result?: readonly string[];
    readonly error?: string;
    /** JAX fails with an error of Python that is of no use to anybody. */
    readonly fails?: boolean;
  }[];
  readonly systems: readonly {
    readonly constraints: readonly string[];
    readonly shapes: readonly string[];
    readonly printed: readonly string[];
    readonly error?: string;
    readonly calls?: readonly {
      readonly shapes: readonly (readonly number[])[];
      readonly values?: Readonly<Record<string, number>>;
      readonly error?: string;
    }[];
  }[];
  readonly constraints: readonly {
    readonly constraints: readonly string[];
    readonly error?: string;
  }[];
  readonly mixing: readonly ({ readonly operation: BinaryOp | Comparison } & Outcome<boolean>)[];
  readonly divisions: readonly ({
    readonly dividend: string;
    readonly divisor: string;
  } & Outcome<string>)[];
}

export const recordedDims = JSON.parse(
  readFileSync(join(repositoryRoot, "tests/data/dims.json"), "utf8"),
) as RecordedDims;

/** The explanation at the end of messages about inconclusive operations. */
export const helpMessage = `
This error arises for comparison operations with shapes that
are non-constant, and the result of the operation cannot be represented as
a boolean value for all values of the symbolic dimensions involved.

Please see https://docs.jax.dev/en/latest/export/shape_poly.html#comparison-of-symbolic-dimensions-is-partially-supported
for more details.
`;

/** The message of the Jax2TfjsError that `compute` throws, with scope numbers left out. */
export function messageOf(compute: () => unknown): string {
  try {
    compute();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error.message.replace(/scope #\d+/g, "scope #");
    throw error;
  }
  return "(no error)";
}
