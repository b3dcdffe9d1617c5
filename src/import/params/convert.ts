/**
 * Whether an array of a file can serve as a leaf that a program expects, and its bytes in the
 * expected dtype. Shapes and dtypes must be equal, with the exceptions listed at `fitLeaf`. Called
 * by bind.ts and matchTrees.ts.
 */
import {
  type DType,
  isComplex,
  isFloat,
  isInteger,
  kindOf,
  storageBytesOf,
} from "../../ir/dtypes.js";
import { fromNumbers, hostArray, valuesOf } from "../../ir/hostArray.js";
import type { ExpectedLeaf } from "./expected.js";
import type { ParameterFormat, ParameterLeaf } from "./parameterFile.js";

/** Bytes of a leaf in the dtype that the program expects. */
export type LeafReader = Pick<ParameterLeaf, "read" | "pieces">;

/** How a leaf fits: with a reader, or not, because of its shape or dtype. */
export type Fit =
  | { readonly kind: "fits"; readonly shape: readonly number[]; readonly reader: LeafReader }
  | { readonly kind: "shape" | "dtype"; readonly what: string; readonly fix?: string };

/** Dtypes that JAX narrows when 64-bit types are disabled, its default. */
const narrowed: Readonly<Partial<Record<DType, DType>>> = {
  float64: "float32",
  int64: "int32",
  uint64: "uint32",
  complex128: "complex64",
};

/** Shape of the stored array that stands for an expected leaf: keys have their words as last axis. */
function storedShape(expected: ExpectedLeaf): readonly (number | string)[] {
  if (kindOf(expected.dtype) !== "key") return expected.shape;
  return [...expected.shape, storageBytesOf(expected.dtype) / 4];
}

const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(",")}]`;

/** True if the shapes agree; a symbolic size agrees with any. */
export function shapeFits(expected: ExpectedLeaf, leaf: ParameterLeaf): boolean {
  const wanted = storedShape(expected);
  return (
    wanted.length === leaf.shape.length &&
    wanted.every((size, axis) => typeof size === "string" || size === leaf.shape[axis])
  );
}

/**
 * Compares a leaf of a file with the expected one. A dtype may differ only where the values are the
 * same: typed PRNG keys are stored as uint32 words; npz and npy files may hold the bits of
 * ml_dtypes' types as raw bytes or unsigned integers; 64-bit arrays serve for 32-bit leaves if
 * every value is exact there (NumPy's default dtypes are 64-bit, JAX's are not); Python numbers are
 * rounded, as JAX does with them. Checking exactness reads the leaf.
 */
export function fitLeaf(expected: ExpectedLeaf, leaf: ParameterLeaf, format: ParameterFormat): Fit {
  if (!shapeFits(expected, leaf)) {
    const wanted = storedShape(expected);
    const hint =
      wanted.length === 2 && wanted[0] === leaf.shape[1] && wanted[1] === leaf.shape[0]
        ? " (transposed?)"
        : "";
    return {
      kind: "shape",
      what: `has shape ${shapeText(leaf.shape)}, not ${shapeText(wanted)}${hint}`,
    };
  }
  const reader = readerFor(expected.dtype, leaf, format);
  if (typeof reader === "object") {
    const rank = expected.shape.length;
    return { kind: "fits", shape: leaf.shape.slice(0, rank), reader };
  }
  if (reader === "inexact") {
    return {
      kind: "dtype",
      what: `is ${leaf.dtype}, not ${expected.dtype}, and has values that ${expected.dtype} cannot hold`,
      fix: `save it as ${expected.dtype}`,
    };
  }
  return {
    kind: "dtype",
    what: `is ${leaf.dtype}, not ${expected.dtype}`,
    fix: `save it as ${expected.dtype}, or export the program with ${leaf.dtype} parameters`,
  };
}

/** True if a leaf's dtype could serve, its values aside. */
export function dtypeFits(dtype: DType, leaf: ParameterLeaf, format: ParameterFormat): boolean {
  return sameBits(dtype, leaf, format) || conversionTo(dtype, leaf) !== undefined;
}

function readerFor(
  dtype: DType,
  leaf: ParameterLeaf,
  format: ParameterFormat,
): LeafReader | "inexact" | "other" {
  if (sameBits(dtype, leaf, format)) return leaf;
  const rounding = conversionTo(dtype, leaf);
  if (rounding === undefined) return "other";
  const read = (): Uint8Array | undefined => convert(dtype, leaf, rounding);
  if (read() === undefined) return "inexact";
  const readAgain = (): Uint8Array => read() ?? new Uint8Array(0);
  return { read: readAgain, pieces: () => [readAgain()] };
}

/** True if the stored bytes are those of the expected dtype. */
function sameBits(dtype: DType, leaf: ParameterLeaf, format: ParameterFormat): boolean {
  const kind = kindOf(dtype);
  if (kind === "key") return leaf.dtype === "uint32";
  if (leaf.origin === "raw") {
    const native = dtype === "bool" || dtype === "int8" || dtype === "uint8";
    return storageBytesOf(dtype) === 1 && !native;
  }
  if (dtype === leaf.dtype) return true;
  if (format !== "npz" && format !== "npy") return false;
  if (dtype === "bfloat16") return leaf.dtype === "uint16";
  return /^float[48]_/.test(dtype) && leaf.dtype === "uint8";
}

type Rounding = "exact" | "round";

/** Whether the values of a leaf may be converted, and whether they must be exact. */
function conversionTo(dtype: DType, leaf: ParameterLeaf): Rounding | undefined {
  if (leaf.origin === "python") {
    if (isFloat(dtype) && isFloat(leaf.dtype)) return "round";
    if (isComplex(dtype) && isComplex(leaf.dtype)) return "round";
    return isInteger(leaf.dtype) && (isInteger(dtype) || isFloat(dtype)) ? "exact" : undefined;
  }
  return narrowed[leaf.dtype] === dtype ? "exact" : undefined;
}

/** The leaf's bytes in another dtype; undefined if they must be exact and are not. */
function convert(dtype: DType, leaf: ParameterLeaf, rounding: Rounding): Uint8Array | undefined {
  const from = valuesOf(hostArray(leaf.dtype, leaf.shape, leaf.read()));
  try {
    // Integers that do not fit are refused here, floats are rounded.
    const converted = fromNumbers(dtype, leaf.shape, from);
    if (rounding === "exact" && !sameValues(from, valuesOf(converted))) return undefined;
    return converted.bytes;
  } catch {
    return undefined;
  }
}

function sameValues(from: ArrayLike<number | bigint>, to: ArrayLike<number | bigint>): boolean {
  for (let index = 0; index < from.length; index++) {
    if (!sameValue(from[index] ?? 0, to[index] ?? 0)) return false;
  }
  return true;
}

function sameValue(before: number | bigint, after: number | bigint): boolean {
  if (typeof before === typeof after) {
    return before === after || (Number.isNaN(before) && Number.isNaN(after));
  }
  return Number.isInteger(Number(after)) && BigInt(before) === BigInt(after);
}
