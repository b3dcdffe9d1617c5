/**
 * An array in plain memory: constants of a program, parameters, recorded results. The bytes are
 * what files hold (little-endian, C order); typed values are made on demand. Used by the readers of
 * files, the importer, constant folding and the tests.
 */
import { type DType, kindOf, storageBytesOf } from "./dtypes.js";
import { Jax2TfjsError } from "./errors.js";
import { decodeTable, encodeSmallFloat, isSmallFloat } from "./smallFloats.js";

/** A dense array: `bytes` are its elements in C order, little-endian, sub-byte types one a byte. */
export interface HostArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * Element values: see `valuesOf` for which dtype gives which. Numbers for all but int64 and uint64,
 * which give bigints.
 */
export type HostValues =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** What `fromNumbers` accepts. */
export type HostValueInput = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>;

/**
 * The number of elements of a shape.
 *
 * @throws Jax2TfjsError `array-shape` for a size that is no whole number, or a product above 2^53.
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new Jax2TfjsError(
        "array-shape",
        `${String(size)} is not a size: shape [${shape.join(", ")}]`,
      );
    }
    count *= size;
  }
  // A zero anywhere makes the array empty, however large the other sizes are.
  if (shape.includes(0)) return 0;
  if (!Number.isSafeInteger(count)) {
    throw new Jax2TfjsError("array-shape", `shape [${shape.join(", ")}] has too many elements`);
  }
  return count;
}

/** Bytes that an array of this dtype and shape takes. */
export function byteLengthOf(dtype: DType, shape: readonly number[]): number {
  return elementCount(shape) * storageBytesOf(dtype);
}

/**
 * An array over existing bytes, which are not copied.
 *
 * @throws Jax2TfjsError `array-bytes` if the bytes are not as many as dtype and shape say.
 */
export function hostArray(dtype: DType, shape: readonly number[], bytes: Uint8Array): HostArray {
  const expected = byteLengthOf(dtype, shape);
  if (bytes.byteLength !== expected) {
    throw new Jax2TfjsError(
      "array-bytes",
      `${dtype}[${shape.join(",")}] takes ${expected} bytes, not ${bytes.byteLength}`,
    );
  }
  return { dtype, shape, bytes };
}

const littleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

interface TypedArrayConstructor<T> {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** A typed array over `bytes`: a view where alignment and byte order allow it, else a copy. */
function typedView<T>(constructor: TypedArrayConstructor<T>, bytes: Uint8Array): T {
  const size = constructor.BYTES_PER_ELEMENT;
  let source = bytes;
  // Not slice(): that of Node's Buffer, which also is a Uint8Array, gives a view.
  if (bytes.byteOffset % size !== 0) source = new Uint8Array(bytes);
  if (!littleEndianHost && size > 1) source = swapBytes(source, size);
  return new constructor(source.buffer, source.byteOffset, source.byteLength / size);
}

/** A copy of `bytes` with each group of `size` bytes reversed: the other byte order. */
export function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  const swapped = new Uint8Array(bytes.byteLength);
  for (let start = 0; start < bytes.byteLength; start += size) {
    for (let index = 0; index < size; index++) {
      swapped[start + index] = bytes[start + size - 1 - index] ?? 0;
    }
  }
  return swapped;
}

/** The little-endian bytes of a typed array: a view on every common machine. */
function littleEndianBytes(values: HostValues): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return littleEndianHost ? bytes : swapBytes(bytes, values.BYTES_PER_ELEMENT);
}

/**
 * The elements of an array, in C order, as the narrowest natural typed array; a view of its bytes
 * where possible, so do not write to it.
 *
 * - bool, uint2, uint4, uint8: Uint8Array (bool as stored: 0 is false, all else true)
 * - integers up to 32 bits: the typed array of that width; int2, int4: Int8Array
 * - int64, uint64: BigInt64Array, BigUint64Array
 * - float32, float64: Float32Array, Float64Array; narrower floats: Float32Array (exact)
 * - complex64, complex128: Float32Array, Float64Array of interleaved real and imaginary parts
 * - keys: Uint32Array of the key words, 2 or 4 an element; float0, token: an empty Uint8Array
 */
export function valuesOf(array: HostArray): HostValues {
  const { dtype, bytes } = array;
  if (isSmallFloat(dtype)) {
    const codes = storageBytesOf(dtype) === 2 ? typedView(Uint16Array, bytes) : bytes;
    const table = decodeTable(dtype);
    const mask = table.length - 1;
    const values = new Float32Array(codes.length);
    for (let index = 0; index < codes.length; index++) {
      values[index] = table[(codes[index] ?? 0) & mask] ?? 0;
    }
    return values;
  }
  switch (dtype) {
    case "bool":
    case "uint2":
    case "uint4":
    case "uint8":
    case "float0":
    case "token":
      return bytes;
    case "int2":
    case "int4":
    case "int8":
      return typedView(Int8Array, bytes);
    case "int16":
      return typedView(Int16Array, bytes);
    case "uint16":
      return typedView(Uint16Array, bytes);
    case "int32":
      return typedView(Int32Array, bytes);
    case "uint32":
    case "key<fry>":
    case "key<rbg>":
    case "key<urbg>":
      return typedView(Uint32Array, bytes);
    case "int64":
      return typedView(BigInt64Array, bytes);
    case "uint64":
      return typedView(BigUint64Array, bytes);
    case "float32":
    case "complex64":
      return typedView(Float32Array, bytes);
    case "float64":
    case "complex128":
      return typedView(Float64Array, bytes);
  }
}

/** Real numbers only: what has no single float value is refused. */
function requireReal(array: HostArray, wanted: string): void {
  const kind = kindOf(array.dtype);
  if (kind === "complex" || kind === "key" || kind === "token" || kind === "float0") {
    throw new Jax2TfjsError("array-dtype", `a ${array.dtype} array has no ${wanted} values`);
  }
}

/** Booleans as 0 and 1, whatever byte stands for true. */
function boolsAsNumbers<T extends Float64Array | Float32Array | Int32Array>(
  bytes: Uint8Array,
  target: T,
): T {
  for (let index = 0; index < bytes.length; index++) target[index] = bytes[index] === 0 ? 0 : 1;
  return target;
}

/**
 * The elements as float64 numbers: exact for all but 64-bit integers above 2^53, which round.
 *
 * @throws Jax2TfjsError `array-dtype` for complex numbers, keys, float0 and tokens.
 */
export function toNumbers(array: HostArray): Float64Array {
  requireReal(array, "float64");
  if (array.dtype === "bool")
    return boolsAsNumbers(array.bytes, new Float64Array(array.bytes.length));
  const values = valuesOf(array);
  if (values instanceof Float64Array) return values;
  return Float64Array.from(values as ArrayLike<number | bigint>, Number);
}

/**
 * The elements as float32 numbers, rounded to nearest even; a view for a float32 array.
 *
 * @throws Jax2TfjsError `array-dtype` for complex numbers, keys, float0 and tokens.
 */
export function asFloat32(array: HostArray): Float32Array {
  requireReal(array, "float32");
  if (array.dtype === "bool")
    return boolsAsNumbers(array.bytes, new Float32Array(array.bytes.length));
  const values = valuesOf(array);
  if (values instanceof Float32Array) return values;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const rounded = new Float32Array(values.length);
    for (let index = 0; index < values.length; index++) rounded[index] = Number(values[index]);
    return rounded;
  }
  return new Float32Array(values);
}

/**
 * The elements of an integer or boolean array as int32; a view for an int32 array.
 *
 * `overflow` says what becomes of a value outside int32: `error` (the default) or `wrap`, which
 * keeps the low 32 bits, so that uint32 gives its bit pattern.
 *
 * @throws Jax2TfjsError `array-dtype` for other dtypes, `array-value` for a value out of range.
 */
export function asInt32(
  array: HostArray,
  { overflow = "error" }: { readonly overflow?: "error" | "wrap" } = {},
): Int32Array {
  const kind = kindOf(array.dtype);
  if (kind === "bool") return boolsAsNumbers(array.bytes, new Int32Array(array.bytes.length));
  if (kind !== "signed" && kind !== "unsigned") {
    throw new Jax2TfjsError("array-dtype", `a ${array.dtype} array has no int32 values`);
  }
  const values = valuesOf(array);
  if (values instanceof Int32Array) return values;
  const integers = new Int32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    const low = typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value | 0;
    if (overflow === "error" && low !== Number(value)) {
      throw new Jax2TfjsError(
        "array-value",
        `${array.dtype} value ${value} does not fit into int32`,
      );
    }
    integers[index] = low;
  }
  return integers;
}

/** Smallest and largest value of an integer dtype of at most 32 bits, or undefined. */
function integerRange(dtype: DType): readonly [number, number] | undefined {
  const parts = /^(u?)int(2|4|8|16|32)$/.exec(dtype);
  if (parts === null) return undefined;
  const bits = Number(parts[2]);
  return parts[1] === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** An empty typed array that holds elements of `dtype`, with `words` places. */
function allocate(dtype: DType, words: number): HostValues {
  if (dtype === "int64") return new BigInt64Array(words);
  if (dtype === "uint64") return new BigUint64Array(words);
  if (dtype === "float32" || dtype === "complex64") return new Float32Array(words);
  if (dtype === "float64" || dtype === "complex128") return new Float64Array(words);
  if (kindOf(dtype) === "key") return new Uint32Array(words);
  switch (storageBytesOf(dtype)) {
    case 4:
      return kindOf(dtype) === "signed" ? new Int32Array(words) : new Uint32Array(words);
    case 2:
      return kindOf(dtype) === "signed" ? new Int16Array(words) : new Uint16Array(words);
    default:
      return kindOf(dtype) === "signed" ? new Int8Array(words) : new Uint8Array(words);
  }
}

/** Numbers per element in `valuesOf` and `fromNumbers`: 2 for complex, the words of a key, else 1. */
export function valuesPerElement(dtype: DType): number {
  const kind = kindOf(dtype);
  if (kind === "complex") return 2;
  if (kind === "key") return storageBytesOf(dtype) / 4;
  return kind === "token" || kind === "float0" ? 0 : 1;
}

/**
 * An array from values in C order (complex: real and imaginary parts in turn; keys: their words).
 * Floats are rounded to nearest even. A typed array that already has the right form is not copied.
 *
 * @throws Jax2TfjsError `array-value` for a wrong number of values, or a value that an integer
 * dtype cannot hold.
 */
export function fromNumbers(
  dtype: DType,
  shape: readonly number[],
  values: HostValueInput,
): HostArray {
  const expected = elementCount(shape) * valuesPerElement(dtype);
  if (values.length !== expected) {
    throw new Jax2TfjsError(
      "array-value",
      `${dtype}[${shape.join(",")}] takes ${expected} values, not ${values.length}`,
    );
  }
  if (hasStoredForm(dtype, values)) return hostArray(dtype, shape, littleEndianBytes(values));
  const target = allocate(dtype, expected);
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    fillBigIntegers(dtype, target, values);
  } else {
    fillNumbers(dtype, target, values);
  }
  return hostArray(dtype, shape, littleEndianBytes(target));
}

/** True if the values are the typed array that `valuesOf` would give without decoding. */
function hasStoredForm(
  dtype: DType,
  values: HostValueInput,
): values is HostValues & HostValueInput {
  if (!ArrayBuffer.isView(values) || isSmallFloat(dtype) || dtype === "bool") return false;
  if (storageBytesOf(dtype) === 1 && !dtype.endsWith("int8")) return false;
  return Object.getPrototypeOf(values) === Object.getPrototypeOf(allocate(dtype, 0));
}

function fillBigIntegers(
  dtype: DType,
  target: BigInt64Array | BigUint64Array,
  values: HostValueInput,
): void {
  for (let index = 0; index < target.length; index++) {
    const value = values[index] ?? 0;
    if (typeof value === "number" && !Number.isInteger(value)) throw unfit(dtype, value);
    const integer = BigInt(value);
    target[index] = integer;
    if (target[index] !== integer) throw unfit(dtype, value);
  }
}

function fillNumbers(
  dtype: DType,
  target: Exclude<HostValues, BigInt64Array | BigUint64Array>,
  values: HostValueInput,
): void {
  const range = integerRange(kindOf(dtype) === "key" ? "uint32" : dtype);
  for (let index = 0; index < target.length; index++) {
    const number = Number(values[index] ?? 0);
    if (range !== undefined) {
      if (!Number.isInteger(number) || number < range[0] || number > range[1]) {
        throw unfit(dtype, number);
      }
      target[index] = number;
    } else if (isSmallFloat(dtype)) {
      target[index] = encodeSmallFloat(dtype, number);
    } else {
      target[index] = dtype === "bool" ? Number(number !== 0) : number;
    }
  }
}

function unfit(dtype: DType, value: number | bigint | boolean): Jax2TfjsError {
  return new Jax2TfjsError("array-value", `${String(value)} is not a ${dtype} value`);
}

/** True if a parameter value of an equation is an array. */
export function isHostArray(value: unknown): value is HostArray {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as { bytes?: unknown }).bytes instanceof Uint8Array
  );
}

/** True for arrays of the same dtype and shape with the same bytes. */
export function arrayEquals(left: HostArray, right: HostArray): boolean {
  if (left.dtype !== right.dtype || left.shape.join() !== right.shape.join()) return false;
  const isShared =
    left.bytes.buffer === right.bytes.buffer && left.bytes.byteOffset === right.bytes.byteOffset;
  return isShared || left.bytes.every((byte, index) => byte === right.bytes[index]);
}
