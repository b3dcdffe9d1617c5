/**
 * Element types of a jaxpr, by JAX's names, with sizes and JAX's short forms (`f32`, `i32`).
 * What tfjs can hold of them is decided in src/lower, not here.
 */

export const dtypes = [
  "bool",
  "int2",
  "int4",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint2",
  "uint4",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "float8_e3m4",
  "float8_e4m3",
  "float8_e4m3b11fnuz",
  "float8_e4m3fn",
  "float8_e4m3fnuz",
  "float8_e5m2",
  "float8_e5m2fnuz",
  "float8_e8m0fnu",
  "float4_e2m1fn",
  "bfloat16",
  "float16",
  "float32",
  "float64",
  "complex64",
  "complex128",
  "float0",
  "token",
  "key<fry>",
  "key<rbg>",
  "key<urbg>",
] as const;

/** A JAX element type, `float0`, an abstract token or a typed PRNG key. */
export type DType = (typeof dtypes)[number];

export type DTypeKind =
  "bool" | "signed" | "unsigned" | "float" | "complex" | "float0" | "token" | "key";

/** The kind of number a dtype holds. */
export function kindOf(dtype: DType): DTypeKind {
  if (dtype === "bool" || dtype === "float0" || dtype === "token") return dtype;
  if (dtype.startsWith("key<")) return "key";
  if (dtype.startsWith("uint")) return "unsigned";
  if (dtype.startsWith("int")) return "signed";
  if (dtype.startsWith("complex")) return "complex";
  return "float";
}

export const isInteger = (dtype: DType): boolean =>
  kindOf(dtype) === "signed" || kindOf(dtype) === "unsigned";
/** True for the types of random keys, which are carried as words (`carriedAval`). */
export const isKey = (dtype: DType): boolean => kindOf(dtype) === "key";
export const isFloat = (dtype: DType): boolean => kindOf(dtype) === "float";
export const isComplex = (dtype: DType): boolean => kindOf(dtype) === "complex";

/** Bits of one element as JAX counts them (`jnp.iinfo(dtype).bits`); bool is 8, keys are 64. */
export function bitsOf(dtype: DType): number {
  if (dtype === "bool") return 8;
  if (dtype === "float0" || dtype === "token") return 0;
  if (dtype === "key<fry>") return 64;
  if (dtype.startsWith("key<")) return 128;
  const digits = /^(?:bfloat|u?int|float|complex)(\d+)/.exec(dtype);
  return Number(digits?.[1]);
}

/** JAX's short name, as in printed jaxprs: `f32`, `bf16`, `i32`, `u8`, `c64`, `bool`. */
export function shortName(dtype: DType): string {
  if (dtype === "bool" || dtype === "float0" || dtype === "token" || dtype.startsWith("key<"))
    return dtype;
  return dtype
    .replace(/^bfloat/, "bf")
    .replace(/^float/, "f")
    .replace(/^uint/, "u")
    .replace(/^int/, "i")
    .replace(/^complex/, "c");
}

/** Bytes of one element as files store it (npy, safetensors, MLIR dense): sub-byte types take one. */
export function storageBytesOf(dtype: DType): number {
  return Math.ceil(bitsOf(dtype) / 8);
}

/** True if `text` is a JAX dtype name. */
export function isDType(text: string): text is DType {
  return (dtypes as readonly string[]).includes(text);
}
