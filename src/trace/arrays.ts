/**
 * What users hand in and get back: tensors of tfjs, tracers, typed arrays, numbers. Nothing here
 * knows tfjs itself: a tensor is told by its shape, and its JAX type is kept beside it.
 */
import { printAval, shapedArray, type ShapedArray } from "../ir/aval.js";
import type { Dim } from "../ir/dims.js";
import { isDType, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { fromNumbers, isHostArray, type HostArray } from "../ir/hostArray.js";
import type { LiteralValue } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";

/** The values of a result. */
export type ArrayData = Float32Array | Int32Array | Uint8Array;

/**
 * An array as programs see it: a tensor of tfjs when code runs, a tracer while it is traced. A
 * tensor of tfjs is one; `dtype` is what tfjs calls it, `lax.dtype` what JAX does.
 */
export interface ArrayValue {
  /** Sizes. Under symbolic shapes they may be dimension expressions: see `lax.shape`. */
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly size: number;
  /** The values. @throws Jax2TfjsError `concretization` for a tracer, which has none */
  dataSync(): ArrayData;
  data(): Promise<ArrayData>;
}

export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/**
 * What functions take as an array. A JavaScript number is a scalar of weak type: it takes the type
 * of what it meets (an integer array keeps its type when the number is whole), and is float32 alone;
 * a bigint is a weak integer.
 */
export type ArrayLike = ArrayValue | HostArray | NumberArray | number | bigint | boolean;

/** An array that has values: a tensor, or the two real tensors of a complex array. */
export interface Concrete extends Value {
  readonly kind: "concrete";
  readonly array: ArrayValue;
}

/** A number or truth value that has no type of its own yet. */
export interface WeakScalar extends Value {
  readonly kind: "literal";
  readonly value: LiteralValue;
  readonly aval: ShapedArray;
}

export function isConcrete(value: Value): value is Concrete {
  return (value as { readonly kind?: unknown }).kind === "concrete";
}

const types = new WeakMap<object, ShapedArray>();

/** Remembers the JAX type of a tensor, where tfjs has none (uint8, weak types, keys). */
export function rememberType(array: ArrayValue, aval: ShapedArray): void {
  types.set(array, aval);
}

/** True for a tensor of tfjs (of whichever copy of it), or anything that looks like one. */
export function isTensorLike(value: unknown): value is ArrayValue {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as Partial<Record<keyof ArrayValue, unknown>>;
  return (
    Array.isArray(candidate.shape) &&
    typeof candidate.dtype === "string" &&
    typeof candidate.dataSync === "function"
  );
}

/** The JAX type of a tensor. */
export function tensorType(tensor: ArrayValue): ShapedArray {
  const known = types.get(tensor);
  if (known !== undefined) return known;
  if (!isDType(tensor.dtype)) {
    throw new Jax2TfjsError("not-an-array", `a tensor of type ${tensor.dtype} is no JAX array`, {
      fix: "use float32, int32, bool or complex64 tensors",
    });
  }
  return shapedArray(tensor.dtype, tensor.shape);
}

const typedArrays: readonly (readonly [string, DType])[] = [
  ["Float32Array", "float32"],
  ["Float64Array", "float32"],
  ["Int8Array", "int8"],
  ["Int16Array", "int16"],
  ["Int32Array", "int32"],
  ["Uint8Array", "uint8"],
  ["Uint8ClampedArray", "uint8"],
  ["Uint16Array", "uint16"],
  ["Uint32Array", "uint32"],
];

/** The element type of a typed array; null for anything else. */
function typedArrayType(value: unknown): DType | null {
  if (!ArrayBuffer.isView(value)) return null;
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return typedArrays.find(([known]) => known === name)?.[1] ?? null;
}

/** The type of a typed array or a host array; null for anything else. */
export function hostType(value: unknown): ShapedArray | null {
  if (isHostArray(value)) return shapedArray(value.dtype, value.shape);
  const dtype = typedArrayType(value);
  return dtype === null ? null : shapedArray(dtype, [(value as NumberArray).length]);
}

/**
 * A typed array as an array of one dimension; null for anything else. It is a copy: what is written
 * into the typed array later must not change tensors and programs made before.
 */
export function typedArrayValue(value: unknown): HostArray | null {
  const dtype = typedArrayType(value);
  if (dtype === null) return null;
  const numbers = value as NumberArray;
  return fromNumbers(dtype, [numbers.length], numbers.slice());
}

/** A JavaScript number, bigint or boolean as a scalar of weak type. */
export function scalarValue(value: number | bigint | boolean): WeakScalar {
  if (typeof value === "boolean") {
    return { kind: "literal", value, aval: shapedArray("bool", []) };
  }
  if (typeof value === "number") {
    return { kind: "literal", value, aval: shapedArray("float32", [], true) };
  }
  if (BigInt.asIntN(32, value) !== value) {
    throw new Jax2TfjsError("array-value", `the integer ${value} does not fit into int32`, {
      fix: "JAX without x64 has 32-bit integers",
    });
  }
  return { kind: "literal", value: Number(value), aval: shapedArray("int32", [], true) };
}

/** What an argument is, for errors: its type, class or text. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function")
    return `a function${value.name === "" ? "" : ` (${value.name})`}`;
  if (typeof value === "symbol") return "a symbol";
  if (typeof value !== "object") return `${typeof value} ${value as number}`;
  if (Array.isArray(value)) return "a JavaScript array";
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "Object" ? `a ${name}` : "an object";
}

/** The error about a tensor that was freed before it is used. */
export function disposed(tensor: ArrayValue): Jax2TfjsError {
  return new Jax2TfjsError(
    "tensor-disposed",
    `a tensor of type ${printAval(tensorType(tensor))} was disposed of before it is used`,
    { fix: "keep it with tf.keep, or call dispose later, or outside of tf.tidy" },
  );
}

function fixFor(value: unknown): string {
  if (value instanceof Promise) {
    return "traced functions are synchronous: await the value before the call";
  }
  return value === undefined
    ? "arrays have no elements as JavaScript's do: read x[0] with np.index(x, 0)"
    : "pass a tensor, a typed array, a number or a boolean; nested numbers go through np.array";
}

/** The error about a value that is no array. */
export function notAnArray(value: unknown): Jax2TfjsError {
  return new Jax2TfjsError("not-an-array", `${describeValue(value)} is no array`, {
    fix: fixFor(value),
  });
}

export { isHostArray };
export type { Dim };
