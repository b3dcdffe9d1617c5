/**
 * What a model takes and gives, and the checks of a call against it in JAX's words. Used by the
 * loader of this folder, and by src/run for programs that are not saved.
 */
import { kindOf, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { checkCall, planFromSpecification, type DimPlan } from "../ir/shapeSpec.js";

/** One flattened argument or result. */
export interface SignatureLeaf {
  /** Its name in the signature of the model. */
  readonly name: string;
  /** What messages call it, as JAX does: `args[0]['image']`. */
  readonly path: string;
  /** The element type in JAX; typed PRNG keys are their uint32 words. */
  readonly dtype: DType;
  /** Sizes; a text is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

/** What a call must fit. */
export interface CallSignature {
  /** The arguments to feed, in flattened order, without bound parameters. */
  readonly inputs: readonly SignatureLeaf[];
  readonly outputs: readonly SignatureLeaf[];
  /** All arguments, bound ones included: dimension variables may only be in these. */
  readonly allInputs: readonly SignatureLeaf[];
  /** Constraints on the dimension variables, such as `b >= 4`. */
  readonly constraints: readonly string[];
  /** Checks that are switched off, as JAX's `disabled_checks`. */
  readonly disabledChecks?: readonly SafetyCheck[];
}

/**
 * Checks that can be switched off. `shape_assertions`: whether sizes fit the symbolic shapes and the
 * constraints; ranks, dtypes and sizes that are numbers are checked in any case. JAX's counterpart is
 * `jax.export.DisabledSafetyCheck.shape_assertions()`.
 */
export type SafetyCheck = "shape_assertions";

/** All checks that can be switched off. */
export const safetyChecks: readonly SafetyCheck[] = ["shape_assertions"];

/** `float32[b,32]`. */
export function leafType(leaf: Pick<SignatureLeaf, "dtype" | "shape">): string {
  return `${leaf.dtype}[${leaf.shape.join(",")}]`;
}

/** A shape as Python prints a tuple: JAX's messages have it so. */
export function tupleText(shape: readonly (number | string)[]): string {
  return shape.length === 1 ? `(${shape[0] ?? ""},)` : `(${shape.join(", ")})`;
}

/** The dtype under which a leaf of a typed key or of float0 is stored. */
export function storedDType(dtype: DType): DType {
  if (kindOf(dtype) === "key") return "uint32";
  return dtype === "float0" ? "bool" : dtype;
}

/** The plan that computes dimension variables from the shapes of the arguments that are fed. */
export function dimPlanOf(signature: CallSignature): DimPlan {
  return planFromSpecification({
    arguments: signature.inputs.map(({ path, shape }) => ({ name: path, shape })),
    constraints: signature.constraints,
  });
}

/** An argument of a call, as far as it is checked. */
export interface CheckedArgument {
  readonly shape: readonly number[];
  /** What messages call its dtype. */
  readonly dtype: string;
  /** Whether the dtype serves for the leaf. */
  readonly dtypeFits: boolean;
  /** What to do if it does not. */
  readonly fix?: string;
}

/** What is wrong with one argument by itself, in JAX's words; undefined if nothing is. */
export function argumentProblem(
  leaf: SignatureLeaf,
  argument: CheckedArgument,
): Jax2TfjsError | undefined {
  const { shape, dtype } = argument;
  const shapes = `expected ${tupleText(leaf.shape)} and called with ${tupleText(shape)}`;
  if (shape.length !== leaf.shape.length) {
    return new Jax2TfjsError("shape-mismatch", `Rank mismatch for ${leaf.path}: ${shapes}`);
  }
  if (!argument.dtypeFits) {
    return new Jax2TfjsError(
      "dtype-mismatch",
      `Dtype mismatch for ${leaf.path}: expected ${leaf.dtype} and called with ${dtype}`,
      argument.fix === undefined ? {} : { fix: argument.fix },
    );
  }
  const axis = leaf.shape.findIndex(
    (size, position) => typeof size === "number" && size !== shape[position],
  );
  if (axis < 0) return undefined;
  return new Jax2TfjsError(
    "shape-mismatch",
    `Shape mismatch for ${leaf.path}.shape[${axis}] (expected same constant): ${shapes}`,
  );
}

/**
 * Checks the arguments of a call.
 *
 * @param plan null where `shape_assertions` are switched off
 * @returns the values of the dimension variables; none without a plan
 * @throws Jax2TfjsError `shape-mismatch`, `dtype-mismatch` with JAX's message for the first
 * argument that does not fit, a size that disagrees with others, or a constraint
 */
export function checkCallArguments(
  plan: DimPlan | null,
  leaves: readonly SignatureLeaf[],
  args: readonly CheckedArgument[],
): ReadonlyMap<string, number> {
  if (args.length !== leaves.length) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      `Expected ${leaves.length} arguments and called with ${args.length}.`,
    );
  }
  args.forEach((argument, index) => {
    const leaf = leaves[index];
    const problem = leaf === undefined ? undefined : argumentProblem(leaf, argument);
    if (problem !== undefined) throw problem;
  });
  if (plan === null) return new Map();
  return checkCall(
    plan,
    args.map(({ shape }) => shape),
  );
}
