/**
 * What a program or a saved model takes and gives, and the checks of a call against it. Made from
 * an imported program or from a model's metadata; used by everything in this folder.
 */
import { kindOf, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { fromNumbers, hostArray, valuesOf, type HostArray } from "../ir/hostArray.js";
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
}

/** `float32[b,32]`. */
export function leafType(leaf: Pick<SignatureLeaf, "dtype" | "shape">): string {
  return `${leaf.dtype}[${leaf.shape.join(",")}]`;
}

/** A shape as Python prints a tuple: JAX's messages have it so. */
export function tupleText(shape: readonly (number | string)[]): string {
  return shape.length === 1 ? `(${shape[0] ?? ""},)` : `(${shape.join(", ")})`;
}

/** The plan that computes dimension variables from the shapes of the arguments that are fed. */
export function dimPlanOf(signature: CallSignature): DimPlan {
  return planFromSpecification({
    arguments: signature.inputs.map(({ path, shape }) => ({ name: path, shape })),
    constraints: signature.constraints,
  });
}

/** Dtypes that JAX narrows when 64-bit types are disabled, its default. */
const narrowed: Readonly<Partial<Record<DType, DType>>> = {
  float64: "float32",
  int64: "int32",
  uint64: "uint32",
  complex128: "complex64",
};

/** The dtype under which a leaf of a typed key or of float0 is stored. */
export function storedDType(dtype: DType): DType {
  if (kindOf(dtype) === "key") return "uint32";
  return dtype === "float0" ? "bool" : dtype;
}

/** True if the bytes of `array` are those of the leaf's dtype, under a name that NumPy knows. */
function sameBits(dtype: DType, array: HostArray): boolean {
  if (dtype === "bfloat16") return array.dtype === "uint16";
  return /^float[48]_/.test(dtype) && array.dtype === "uint8";
}

/**
 * The array in the leaf's dtype. Dtypes must be equal, except that 64-bit arrays (NumPy's default)
 * serve for 32-bit inputs, as in JAX without x64, and that unsigned integers may hold the bits of
 * bfloat16 and float8. Undefined if the dtype is another.
 *
 * @throws Jax2TfjsError `array-value` for a 64-bit integer that does not fit
 */
export function fitInput(leaf: SignatureLeaf, array: HostArray): HostArray | undefined {
  const { dtype } = leaf;
  if (array.dtype === dtype) return array;
  if (sameBits(dtype, array)) return hostArray(dtype, array.shape, array.bytes);
  if (narrowed[array.dtype] === dtype || narrowed[dtype] === array.dtype) {
    return fromNumbers(dtype, array.shape, valuesOf(array));
  }
  return undefined;
}

/** What is wrong with one argument by itself, in JAX's words; undefined if nothing is. */
function problemOf(leaf: SignatureLeaf, array: HostArray): Jax2TfjsError | undefined {
  const shapes = `expected ${tupleText(leaf.shape)} and called with ${tupleText(array.shape)}`;
  if (array.shape.length !== leaf.shape.length) {
    return new Jax2TfjsError("shape-mismatch", `Rank mismatch for ${leaf.path}: ${shapes}`);
  }
  const fits = narrowed[array.dtype] === leaf.dtype || narrowed[leaf.dtype] === array.dtype;
  if (array.dtype !== leaf.dtype && !sameBits(leaf.dtype, array) && !fits) {
    return new Jax2TfjsError(
      "dtype-mismatch",
      `Dtype mismatch for ${leaf.path}: expected ${leaf.dtype} and called with ${array.dtype}`,
    );
  }
  const axis = leaf.shape.findIndex(
    (size, position) => typeof size === "number" && size !== array.shape[position],
  );
  if (axis < 0) return undefined;
  return new Jax2TfjsError(
    "shape-mismatch",
    `Shape mismatch for ${leaf.path}.shape[${axis}] (expected same constant): ${shapes}`,
  );
}

/** All arguments that do not fit by themselves; symbolic sizes are not looked at. */
export function argumentProblems(
  leaves: readonly SignatureLeaf[],
  arrays: readonly HostArray[],
): readonly Jax2TfjsError[] {
  return leaves.flatMap((leaf, index) => {
    const array = arrays[index];
    const problem = array === undefined ? undefined : problemOf(leaf, array);
    return problem === undefined ? [] : [problem];
  });
}

/**
 * Checks the arguments of a call.
 *
 * @returns the values of the dimension variables
 * @throws Jax2TfjsError `shape-mismatch`, `dtype-mismatch` with JAX's message for the first
 * argument that does not fit, a size that disagrees with others, or a constraint
 */
export function checkArguments(
  plan: DimPlan,
  leaves: readonly SignatureLeaf[],
  arrays: readonly HostArray[],
): ReadonlyMap<string, number> {
  if (arrays.length !== leaves.length) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      `Expected ${leaves.length} arguments and called with ${arrays.length}.`,
    );
  }
  const [problem] = argumentProblems(leaves, arrays);
  if (problem !== undefined) throw problem;
  return checkCall(
    plan,
    arrays.map((array) => array.shape),
  );
}
