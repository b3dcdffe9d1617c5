/**
 * What an MLIR value is while its function is imported: an atom of the jaxpr, or something that
 * need not be in the jaxpr yet (constants, broadcast scalars, iotas, shape arithmetic). Such values
 * become equations only where they are used as data.
 */
import { shapedArray, type ShapedArray } from "../../ir/aval.js";
import { isStaticShape, type Dim } from "../../ir/dims.js";
import { kindOf, type DType } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { fromNumbers, hostArray, toNumbers, valuesOf, type HostArray } from "../../ir/hostArray.js";
import type { Atom, Literal, LiteralValue, SourceInfo } from "../../ir/jaxpr.js";
import { scalarKey, type ScalarType, type SymbolicScalar } from "./symbolicScalar.js";
import { canonicalDType } from "./types.js";

/** Tensors with more elements than this are not evaluated as shape arithmetic. */
export const MAX_KNOWN_ELEMENTS = 64;

/** A constant of the module, still in its own element type (maybe 64-bit). */
export interface ConstantValue {
  readonly kind: "constant";
  /** All elements, or one (of shape ()) if they are all equal. */
  readonly array: HostArray;
  readonly splat: boolean;
  /** With the element type it is computed in. */
  readonly aval: ShapedArray;
}

/**
 * An atom of the jaxpr that is still to be broadcast (JAX's `broadcast_in_dim`), or only to be given
 * dimensions of size 1: broadcasts of broadcasts become one, and scalars stay scalars.
 */
export interface BroadcastValue {
  readonly kind: "broadcast";
  readonly source: Atom;
  /** For each dimension of `source` its place in the result, increasing. */
  readonly dimensions: readonly number[];
  readonly aval: ShapedArray;
  /** Where the broadcast was written. */
  readonly origin: SourceInfo;
}

export interface IotaValue {
  readonly kind: "iota";
  readonly dimension: number;
  readonly aval: ShapedArray;
  readonly origin: SourceInfo;
}

/** Integers or booleans that are known, maybe in terms of dimension variables. */
export interface SymbolicValue {
  readonly kind: "symbolic";
  /** In row-major order. */
  readonly elements: readonly SymbolicScalar[];
  readonly type: ScalarType;
  readonly aval: ShapedArray;
}

export interface AtomValue {
  readonly kind: "atom";
  readonly atom: Atom;
}

/** A uint64 counter: `constant + sum of coefficient * iota(dimension)`, none of them negative. */
export interface CounterValue {
  readonly kind: "counter";
  /** Coefficients by dimension. */
  readonly terms: ReadonlyMap<number, Dim>;
  readonly constant: Dim;
  /** With the element type of its lower word. */
  readonly aval: ShapedArray;
}

/** 64-bit integers of which both words are known: nothing is computed with them. */
export interface WordsValue {
  readonly kind: "words";
  /** uint32, with the two words (low first) in the last dimension. */
  readonly words: Atom;
  /** Of the integers, with the element type of the words. */
  readonly aval: ShapedArray;
}

/** Orders effects; carries nothing. */
export interface TokenValue {
  readonly kind: "token";
}

export type Imported =
  | AtomValue
  | BroadcastValue
  | ConstantValue
  | CounterValue
  | IotaValue
  | SymbolicValue
  | TokenValue
  | WordsValue;

export const token: TokenValue = { kind: "token" };

export function avalOf(value: Imported): ShapedArray {
  if (value.kind === "atom") return value.atom.aval;
  if (value.kind === "token") return shapedArray("token", []);
  return value.aval;
}

export function literal(value: LiteralValue, dtype: DType): Literal {
  return { kind: "literal", value, aval: shapedArray(dtype, []) };
}

/** The element type of shape arithmetic, if values of `dtype` take part in it. */
export function scalarTypeOf(dtype: DType): ScalarType | undefined {
  return dtype === "bool" || dtype === "int32" || dtype === "int64" ? dtype : undefined;
}

/** Known elements, with the type the module gives them; null for data. */
export function knownElements(
  value: Imported,
): { readonly elements: readonly SymbolicScalar[]; readonly type: ScalarType } | null {
  if (value.kind === "symbolic") return value;
  if (value.kind !== "constant") return null;
  const type = scalarTypeOf(value.array.dtype);
  if (type === undefined || !isStaticShape(value.aval.shape)) return null;
  const count = value.aval.shape.reduce((product, size) => product * size, 1);
  if (count > MAX_KNOWN_ELEMENTS) return null;
  const numbers = Array.from(toNumbers(value.array));
  if (!numbers.every(Number.isSafeInteger)) return null;
  const elements = type === "bool" ? numbers.map((number) => number !== 0) : numbers;
  const [only] = elements;
  if (!value.splat || only === undefined) return { elements, type };
  return { elements: Array.from({ length: count }, () => only), type };
}

/** Identifies what a call is specialised for: the type of data, the contents of known values. */
export function specialisationKey(value: Imported): string {
  if (value.kind === "symbolic") {
    const shape = value.aval.shape.join(",");
    return `${value.type}[${shape}]=${value.elements.map(scalarKey).join(",")}`;
  }
  const { dtype, shape } = avalOf(value);
  return `${dtype}[${shape.map(scalarKey).join(",")}]`;
}

/** A scalar element of a constant as a literal value, or undefined for an empty array. */
export function elementValue(array: HostArray, index = 0): LiteralValue | undefined {
  const values = valuesOf(array);
  if (kindOf(array.dtype) === "complex") {
    const [re, im] = [values[2 * index], values[2 * index + 1]];
    return re === undefined || im === undefined ? undefined : { re: Number(re), im: Number(im) };
  }
  const value = values[index];
  if (value === undefined) return undefined;
  return array.dtype === "bool" ? value !== 0 : value;
}

/** The real number that all elements of a constant equal, or undefined. */
export function uniformNumber(value: Imported): number | undefined {
  if (value.kind !== "constant" || !value.splat) return undefined;
  const scalar = elementValue(value.array);
  return typeof scalar === "object" || scalar === undefined ? undefined : Number(scalar);
}

/** The constant with its elements in the type they are computed in. */
export function canonicalArray(array: HostArray): HostArray {
  const dtype = canonicalDType(array.dtype);
  if (dtype === array.dtype) return array;
  const values = valuesOf(array);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return narrowIntegers(array, dtype, values);
  }
  const narrow = new Float32Array(values.length);
  for (let index = 0; index < narrow.length; index++) {
    const value = Number(values[index]);
    narrow[index] = value;
    if (Number.isFinite(value) && !Number.isFinite(narrow[index])) {
      throw outOfRange(array, dtype, value);
    }
  }
  return fromNumbers(dtype, array.shape, narrow);
}

function narrowIntegers(
  array: HostArray,
  dtype: DType,
  values: BigInt64Array | BigUint64Array,
): HostArray {
  const [low, high] = dtype === "int32" ? [-(2n ** 31n), 2n ** 31n - 1n] : [0n, 2n ** 32n - 1n];
  const numbers: number[] = [];
  for (const value of values) {
    if (value < low || value > high) throw outOfRange(array, dtype, value);
    numbers.push(Number(value));
  }
  return fromNumbers(dtype, array.shape, numbers);
}

function outOfRange(array: HostArray, dtype: DType, value: number | bigint): Jax2TfjsError {
  return new Jax2TfjsError(
    "value-out-of-range",
    `a constant holds ${value} (${array.dtype}), which does not fit into ${dtype}`,
    { fix: `export the function with jax_enable_x64 off, so that JAX computes in ${dtype}` },
  );
}

/** A constant value from the bytes of a module's dense attribute. */
export function constantValue(
  dtype: DType,
  shape: readonly number[],
  bytes: Uint8Array,
  splat: boolean,
): ConstantValue {
  const aval = shapedArray(canonicalDType(dtype), shape);
  const single = splat || shape.length === 0;
  return {
    kind: "constant",
    array: hostArray(dtype, single ? [] : shape, bytes),
    splat: single,
    aval,
  };
}

/** True for values that are one scalar repeated. */
export function isUniform(value: Imported): boolean {
  if (value.kind === "broadcast") return value.dimensions.length === 0;
  return value.kind === "constant" && value.splat;
}

/** A known value whose elements are one number or truth value, as a constant. */
export function uniformConstant(value: SymbolicValue): ConstantValue | undefined {
  const [first] = value.elements;
  if (typeof first !== "number" && typeof first !== "boolean") return undefined;
  if (!value.elements.every((element) => element === first)) return undefined;
  const dtype = value.type;
  const scalar = fromNumbers(dtype, [], [first].map(Number));
  return { kind: "constant", array: scalar, splat: true, aval: value.aval };
}
