/**
 * NumPy's npy format (NEP 1, versions 1 to 3): one array behind a header that is a Python literal.
 * Reads any byte order and Fortran order; writes little-endian C order. Called by npz.ts, the
 * readers of parameter files and tests.
 */
import { type DType, kindOf, storageBytesOf } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { byteLengthOf, type HostArray, hostArray, swapBytes } from "../ir/hostArray.js";
import { ByteCursor, type ByteSource, memorySource } from "./byteSource.js";

/** What the header of an npy file says. */
export interface NpyHeader {
  readonly dtype: DType;
  /**
   * True if the file has a bare one-byte type: NumPy cannot name the float8 and 4-bit types of
   * ml_dtypes. `dtype` is then uint8, and the bytes are the bits of the true type.
   */
  readonly rawBits: boolean;
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Size of the groups of bytes that are stored big-endian; 1 if none are. */
  readonly swapBytes: number;
  /** Bytes of the elements. */
  readonly byteLength: number;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const preambleBytes = 8;
/** Longest header accepted; NumPy itself refuses headers above 10000 characters. */
export const longestNpyHeader = 0xffff;

/** True if the bytes begin as an npy file does. */
export function startsAsNpy(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

const corrupt = (name: string, what: string): Jax2TfjsError =>
  new Jax2TfjsError("file-corrupt", `${name} is a damaged npy file: ${what}`);

/**
 * Reads the header at the cursor, which is left at the first element.
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt`, or `file-unsupported` for elements that
 * are not numbers (objects, strings, records) or have no JAX dtype (long double).
 */
export function readNpyHeader(cursor: ByteCursor, name: string): NpyHeader {
  const preamble = cursor.take(preambleBytes);
  if (!startsAsNpy(preamble)) throw corrupt(name, "it does not begin with \\x93NUMPY");
  const version = preamble[6] ?? 0;
  if (version < 1 || version > 3) {
    throw new Jax2TfjsError("file-unsupported", `${name} has npy version ${version}, not 1 to 3`);
  }
  const headerBytes =
    version === 1
      ? cursor.number(2, (view) => view.getUint16(0, true))
      : cursor.number(4, (view) => view.getUint32(0, true));
  if (headerBytes > longestNpyHeader) throw corrupt(name, `a header of ${headerBytes} bytes`);
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(cursor.take(headerBytes));
  return { ...parseHeader(text, name) };
}

const dictionary = /^\s*\{(.*)\}\s*$/s;
/** One entry: a key, then a string, a boolean, a tuple of integers, or the start of a list. */
const entryPattern =
  /\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"]*)\3|(True|False)|\(([\s\dL,]*)\)|(\[))\s*(?:,|$)/y;

function parseHeader(text: string, name: string): NpyHeader {
  const body = dictionary.exec(text)?.[1];
  if (body === undefined) throw corrupt(name, "its header is no Python dictionary");
  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: readonly number[] | undefined;
  entryPattern.lastIndex = 0;
  while (entryPattern.lastIndex < body.trimEnd().length) {
    const entry = entryPattern.exec(body);
    if (entry === null && /'descr'\s*:\s*\[/.test(body)) {
      throw new Jax2TfjsError("file-unsupported", `${name} holds records, not numbers`);
    }
    if (entry === null) throw corrupt(name, "its header is not what NumPy writes");
    const [, , key, , string, boolean, tuple] = entry;
    if (key === "descr") descr = string;
    if (key === "fortran_order" && boolean !== undefined) fortranOrder = boolean === "True";
    if (key === "shape" && tuple !== undefined) shape = parseShape(tuple, name);
  }
  if (descr === undefined || fortranOrder === undefined || shape === undefined) {
    throw corrupt(name, "its header lacks descr, fortran_order or shape");
  }
  const element = parseDescr(descr, name);
  return { ...element, shape, fortranOrder, byteLength: byteLengthOf(element.dtype, shape) };
}

function parseShape(tuple: string, name: string): readonly number[] {
  const sizes = tuple.split(",").map((size) => size.trim());
  if (sizes.at(-1) === "") sizes.pop();
  return sizes.map((size) => {
    // Python 2 wrote long integers with an L.
    const digits = /^(\d+)L?$/.exec(size)?.[1];
    if (digits === undefined || !Number.isSafeInteger(Number(digits))) {
      throw corrupt(name, `its shape is (${tuple.slice(0, 80)})`);
    }
    return Number(digits);
  });
}

/** NumPy's type codes, without byte order. */
const dtypeOfCode: Readonly<Record<string, DType>> = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
  c8: "complex64",
  c16: "complex128",
  // The types of ml_dtypes: float8_e5m2 alone has a code, bfloat16 is the only one of two bytes.
  f1: "float8_e5m2",
  V2: "bfloat16",
  V1: "uint8",
};

const notNumbers: Readonly<Record<string, string>> = {
  O: "Python objects (pickled), which are never read",
  U: "strings",
  S: "byte strings",
  a: "byte strings",
  M: "dates",
  m: "time spans",
};

function parseDescr(
  descr: string,
  name: string,
): Pick<NpyHeader, "dtype" | "rawBits" | "swapBytes"> {
  const parts = /^([<>|=]?)([a-zA-Z])(\d*)/.exec(descr);
  const [, order = "", kind = "", size = ""] = parts ?? [];
  const dtype = Object.hasOwn(dtypeOfCode, kind + size) ? dtypeOfCode[kind + size] : undefined;
  if (dtype === undefined || parts?.[0] !== descr) {
    const what = notNumbers[kind] ?? `elements of type ${JSON.stringify(descr.slice(0, 40))}`;
    throw new Jax2TfjsError("file-unsupported", `${name} holds ${what}`, {
      fix: "save arrays of a numeric dtype, for instance with numpy.asarray(x, numpy.float32)",
    });
  }
  // A complex number is two numbers, each with its own byte order.
  const group = storageBytesOf(dtype) / (kindOf(dtype) === "complex" ? 2 : 1);
  return { dtype, rawBits: kind + size === "V1", swapBytes: order === ">" ? group : 1 };
}

/** True if the stored bytes are already what a HostArray holds. */
export function isPlain(header: NpyHeader): boolean {
  return header.swapBytes === 1 && (!header.fortranOrder || header.shape.length < 2);
}

/** Stored element bytes as little-endian C order; the same bytes where they are so already. */
export function plainBytes(header: NpyHeader, stored: Uint8Array): Uint8Array {
  if (isPlain(header)) return stored;
  const swapped = header.swapBytes === 1 ? stored : swapBytes(stored, header.swapBytes);
  if (!header.fortranOrder) return swapped;
  return fortranToC(swapped, header.shape, storageBytesOf(header.dtype));
}

/** Elements of `size` bytes from first-axis-fastest to last-axis-fastest order. */
function fortranToC(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  if (bytes.byteLength === 0) return result;
  const strides: number[] = [];
  let stride = size;
  for (const length of shape) {
    strides.push(stride);
    stride *= length;
  }
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to += size) {
    for (let byte = 0; byte < size; byte++) result[to + byte] = bytes[from + byte] ?? 0;
    // Count up the index, last axis first, moving `from` along.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      const step = strides[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        from += step;
        break;
      }
      index[axis] = 0;
      from -= step * (next - 1);
    }
  }
  return result;
}

/**
 * Reads an npy file.
 *
 * @returns The array; its bytes are a view of the file where byte order and axis order allow.
 * Elements of a bare one-byte type (float8 and 4-bit types of ml_dtypes) come as uint8 bits.
 * @throws Jax2TfjsError as `readNpyHeader`; `file-corrupt` if bytes follow the array.
 */
export function readNpy(file: Uint8Array | ByteSource, name = "the file"): HostArray {
  const source = file instanceof Uint8Array ? memorySource(file, name) : file;
  const cursor = new ByteCursor(source);
  const header = readNpyHeader(cursor, name);
  if (cursor.remaining > header.byteLength) throw corrupt(name, "bytes follow the array");
  const stored = source.read(cursor.position, header.byteLength);
  return hostArray(header.dtype, header.shape, plainBytes(header, stored));
}

const codeOfDType = new Map(
  Object.entries(dtypeOfCode)
    .filter(([code]) => code !== "V1")
    .map(([code, dtype]) => [dtype, code]),
);

/** The npy type code of a dtype; types that NumPy cannot name become raw bytes, as it writes them. */
function descrOf(dtype: DType): string {
  const kind = kindOf(dtype);
  if (kind === "token" || kind === "float0") {
    throw new Jax2TfjsError("array-dtype", `${dtype} cannot be stored in an npy file`);
  }
  if (kind === "key") return "<u4";
  return (storageBytesOf(dtype) === 1 ? "|" : "<") + (codeOfDType.get(dtype) ?? "V1");
}

/**
 * The npy file (version 1) of an array, as NumPy writes it. PRNG keys are written as their uint32
 * words, with one more axis, as `jax.random.key_data` gives them.
 */
export function writeNpy(array: HostArray): Uint8Array {
  const words = kindOf(array.dtype) === "key" ? [storageBytesOf(array.dtype) / 4] : [];
  const shape = [...array.shape, ...words];
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(", ")})`;
  const literal = `{'descr': '${descrOf(array.dtype)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Padded so that the elements begin at a multiple of 64.
  const start = Math.ceil((preambleBytes + 2 + literal.length + 1) / 64) * 64;
  const headerBytes = start - preambleBytes - 2;
  const header = literal.padEnd(headerBytes - 1) + "\n";
  const file = new Uint8Array(start + array.bytes.byteLength);
  file.set([...magic, 1, 0, headerBytes & 0xff, headerBytes >> 8]);
  file.set(new TextEncoder().encode(header), preambleBytes + 2);
  file.set(array.bytes, start);
  return file;
}
