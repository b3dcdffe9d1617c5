/**
 * The safetensors format: eight bytes of header length, a JSON header with dtype, shape and byte
 * range of every tensor, then the bytes. Leaves are ranges of the file. Called by
 * readParameters.ts; the writer by the runtime and by tests.
 */
import { type DType, kindOf, storageBytesOf } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { byteLengthOf, type HostArray } from "../../ir/hostArray.js";
import { type ByteSource, requireRange } from "../../files/byteSource.js";
import { JsonError, type JsonValue, parseStrictJson } from "../../files/strictJson.js";
import { type ParameterContents, rangeLeaf } from "./parameterFile.js";

const lengthBytes = 8;
/** The limit of the format's own implementation. */
const longestHeader = 100_000_000;

/** The format's dtype names; its types below a byte are packed and have no JAX counterpart here. */
const dtypeOfName: Readonly<Record<string, DType>> = {
  BOOL: "bool",
  U8: "uint8",
  I8: "int8",
  U16: "uint16",
  I16: "int16",
  U32: "uint32",
  I32: "int32",
  U64: "uint64",
  I64: "int64",
  F16: "float16",
  BF16: "bfloat16",
  F32: "float32",
  F64: "float64",
  C64: "complex64",
  F8_E4M3: "float8_e4m3fn",
  F8_E5M2: "float8_e5m2",
  F8_E8M0: "float8_e8m0fnu",
  F8_E4M3FNUZ: "float8_e4m3fnuz",
  F8_E5M2FNUZ: "float8_e5m2fnuz",
};

const corrupt = (source: ByteSource, what: string, cause?: unknown): Jax2TfjsError =>
  new Jax2TfjsError("file-corrupt", `${source.name} is a damaged safetensors file: ${what}`, {
    fix: "write or download the file again",
    cause,
  });

/** True if the bytes can be the beginning of a safetensors file: a length, then a JSON object. */
export function startsAsSafetensors(bytes: Uint8Array): boolean {
  return bytes[lengthBytes] === 0x7b && bytes.length > lengthBytes;
}

interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads the header of a safetensors file.
 *
 * @throws Jax2TfjsError `file-truncated` if header or data are not all there, `file-corrupt` for a
 * header that is no JSON, duplicate names, ranges that overlap, leave gaps or do not fit dtype and
 * shape, `file-unsupported` for dtypes that JAX has not.
 */
export function readSafetensors(source: ByteSource): ParameterContents {
  const { header, dataOffset } = readHeader(source);
  const tensors: Tensor[] = [];
  for (const [name, value] of header) {
    if (name === "__metadata__") continue;
    tensors.push(readTensor(source, name, value));
  }
  checkRanges(source, tensors, dataOffset);
  const leaves = tensors.map(({ name, dtype, shape, begin, end }) =>
    rangeLeaf(source, { name, path: [name], dtype, shape }, [
      { offset: dataOffset + begin, length: end - begin },
    ]),
  );
  return { format: "safetensors", leaves, ignored: [] };
}

function readHeader(source: ByteSource): {
  readonly header: ReadonlyMap<string, JsonValue>;
  readonly dataOffset: number;
} {
  const prefix = source.read(0, lengthBytes);
  const length = new DataView(prefix.buffer, prefix.byteOffset, lengthBytes).getBigUint64(0, true);
  if (length > BigInt(longestHeader)) throw corrupt(source, `a header of ${length} bytes`);
  const headerBytes = Number(length);
  requireRange(source, lengthBytes, headerBytes);
  let header: JsonValue;
  try {
    const bytes = source.read(lengthBytes, headerBytes);
    header = parseStrictJson(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    );
  } catch (cause) {
    if (cause instanceof JsonError) {
      throw corrupt(source, `its header is no JSON (${cause.message} at ${cause.position})`, cause);
    }
    if (cause instanceof TypeError) throw corrupt(source, "its header is no UTF-8", cause);
    throw cause;
  }
  if (!(header instanceof Map)) throw corrupt(source, "its header is no JSON object");
  return {
    header: header as ReadonlyMap<string, JsonValue>,
    dataOffset: lengthBytes + headerBytes,
  };
}

function isSizes(value: JsonValue | undefined): value is readonly number[] {
  return (
    Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0)
  );
}

function readTensor(source: ByteSource, name: string, value: JsonValue): Tensor {
  const label = JSON.stringify(name);
  if (!(value instanceof Map)) throw corrupt(source, `the entry of ${label} is no JSON object`);
  const fields = value as ReadonlyMap<string, JsonValue>;
  const dtypeName = fields.get("dtype");
  const shape = fields.get("shape");
  const offsets = fields.get("data_offsets");
  if (typeof dtypeName !== "string" || !isSizes(shape) || !isSizes(offsets)) {
    throw corrupt(source, `the entry of ${label} lacks a dtype, shape or data_offsets`);
  }
  const dtype = Object.hasOwn(dtypeOfName, dtypeName) ? dtypeOfName[dtypeName] : undefined;
  if (dtype === undefined) {
    throw new Jax2TfjsError(
      "file-unsupported",
      `${label} in ${source.name} has dtype ${dtypeName.slice(0, 40)}, which is not read`,
      { fix: `save it as one of ${Object.keys(dtypeOfName).join(", ")}` },
    );
  }
  const [begin = 0, end = 0] = offsets;
  if (offsets.length !== 2 || end < begin) {
    throw corrupt(source, `${label} has data_offsets [${offsets.join(", ")}]`);
  }
  const expected = byteLengthOf(dtype, shape);
  if (end - begin !== expected) {
    throw corrupt(
      source,
      `${label} is ${dtypeName} of shape [${shape.join(", ")}], ${expected} bytes, ` +
        `but has ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** The format demands that the tensors fill the rest of the file, in any order. */
function checkRanges(source: ByteSource, tensors: readonly Tensor[], dataOffset: number): void {
  const ordered = [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let filled = 0;
  for (const { name, begin, end } of ordered) {
    if (begin < filled) throw corrupt(source, `${JSON.stringify(name)} overlaps another tensor`);
    if (begin > filled) {
      throw corrupt(
        source,
        `${begin - filled} bytes before ${JSON.stringify(name)} belong to none`,
      );
    }
    filled = end;
  }
  requireRange(source, dataOffset, filled);
  const surplus = source.byteLength - dataOffset - filled;
  if (surplus > 0) throw corrupt(source, `${surplus} bytes follow the last tensor`);
}

const nameOfDType = new Map(Object.entries(dtypeOfName).map(([name, dtype]) => [dtype, name]));

/**
 * The safetensors file of named arrays, in the given order. PRNG keys are written as their uint32
 * words, with one more axis.
 *
 * @throws Jax2TfjsError `array-dtype` for a dtype that the format has not.
 */
export function writeSafetensors(
  arrays: Iterable<readonly [name: string, array: HostArray]>,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const entries: [string, unknown][] = [];
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of arrays) {
    const isKey = kindOf(dtype) === "key";
    const dtypeName = nameOfDType.get(isKey ? "uint32" : dtype);
    if (dtypeName === undefined) {
      throw new Jax2TfjsError("array-dtype", `${dtype} cannot be stored in a safetensors file`);
    }
    const begin = end;
    end += bytes.byteLength;
    const storedShape = isKey ? [...shape, storageBytesOf(dtype) / 4] : shape;
    entries.push([name, { dtype: dtypeName, shape: storedShape, data_offsets: [begin, end] }]);
    parts.push(bytes);
  }
  const json = `{${entries.map((entry) => entry.map((part) => JSON.stringify(part)).join(":")).join()}}`;
  const unpadded = new TextEncoder().encode(json);
  // Padded with spaces so that the data begin at a multiple of eight.
  const headerBytes = Math.ceil(unpadded.byteLength / 8) * 8;
  const file = new Uint8Array(lengthBytes + headerBytes + end).fill(0x20, 0, 8 + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(unpadded, lengthBytes);
  let at = lengthBytes + headerBytes;
  for (const part of parts) {
    file.set(part, at);
    at += part.byteLength;
  }
  return file;
}
