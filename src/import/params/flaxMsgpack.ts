/**
 * Flax's msgpack files (`flax.serialization.to_bytes`, `msgpack_serialize`): nested maps whose
 * leaves are extension values holding (shape, dtype name, bytes). Only heads are read here; the
 * leaves are ranges of the file. Called by readParameters.ts.
 */
import { type DType, isDType, kindOf } from "../../ir/dtypes.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { byteLengthOf, fromNumbers, type HostArray } from "../../ir/hostArray.js";
import { ByteCursor, type ByteSource, memorySource } from "../../files/byteSource.js";
import { type MsgpackHead, readMsgpackHead } from "../../files/msgpack.js";
import { distinctNames } from "./names.js";
import {
  type ByteRange,
  type ParameterContents,
  type ParameterLeaf,
  rangeLeaf,
} from "./parameterFile.js";

/** What a file is decoded into; arrays stay in the file. */
type Node =
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, Node> }
  | ArrayNode
  | NumberNode
  /** Text and bytes, which are no parameters. */
  | { readonly kind: "other" }
  | { readonly kind: "none" };

interface ArrayNode {
  readonly kind: "array";
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly ranges: readonly ByteRange[];
}

interface NumberNode {
  readonly kind: "number";
  readonly value: bigint | number | boolean | { readonly real: number; readonly imaginary: number };
}

/** Flax's extension types. */
const ndarrayExtension = 1;
const complexExtension = 2;
const scalarExtension = 3;

/** Key by which Flax marks an array that it split, because msgpack allows no value of 4 GiB. */
const chunkedKey = "__msgpack_chunked_array__";

const deepest = 128;
/** No model has so many values; a hostile file that claims them would exhaust the memory. */
const mostValues = 1_000_000;

/** True if the bytes can begin a Flax file: a map, or one array alone. */
export function startsAsFlaxMsgpack(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const isMap = (first & 0xf0) === 0x80 || first === 0xde || first === 0xdf;
  const isExtension = (first >= 0xc7 && first <= 0xc9) || (first >= 0xd4 && first <= 0xd8);
  return isMap || isExtension;
}

/**
 * Reads the structure of a Flax msgpack file. Lists and tuples have the keys "0", "1", …; None
 * gives no leaf; strings are ignored; Python numbers are leaves with origin `python`.
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt`, or `file-unsupported` for dtypes and
 * extensions that Flax does not write.
 */
export function readFlaxMsgpack(source: ByteSource): ParameterContents {
  const root = new FlaxReader(source).root();
  const found: { readonly path: readonly string[]; readonly node: ArrayNode | NumberNode }[] = [];
  const ignored: string[] = [];
  const visit = (node: Node, path: readonly string[]): void => {
    switch (node.kind) {
      case "map":
        for (const [key, child] of node.entries) visit(child, [...path, key]);
        return;
      case "other":
        ignored.push(path.join("/"));
        return;
      case "none":
        return;
      case "array":
      case "number":
        found.push({ path, node });
    }
  };
  // An array alone is the only leaf of a positional file.
  visit(root, root.kind === "map" ? [] : ["0"]);
  const names = distinctNames(found.map(({ path }) => path.join("/")));
  const leaves = found.map(({ path, node }, index) => {
    const place = { name: names[index] ?? "", path };
    return node.kind === "number" ? numberLeaf(place, node) : arrayLeaf(source, place, node);
  });
  return { format: "flax-msgpack", leaves, ignored };
}

type Place = Pick<ParameterLeaf, "name" | "path">;

function arrayLeaf(source: ByteSource, place: Place, node: ArrayNode): ParameterLeaf {
  return rangeLeaf(source, { ...place, dtype: node.dtype, shape: node.shape }, node.ranges);
}

function numberLeaf(place: Place, node: NumberNode): ParameterLeaf {
  const { dtype, shape, bytes } = pythonScalar(node.value);
  return rangeLeaf(memorySource(bytes), { ...place, dtype, shape, origin: "python" }, [
    { offset: 0, length: bytes.byteLength },
  ]);
}

/** A Python number as the widest dtype of its kind. */
function pythonScalar(value: NumberNode["value"]): HostArray {
  if (typeof value === "boolean") return fromNumbers("bool", [], [value]);
  if (typeof value === "number") return fromNumbers("float64", [], [value]);
  if (typeof value === "object") {
    return fromNumbers("complex128", [], [value.real, value.imaginary]);
  }
  return fromNumbers(value >= 2n ** 63n ? "uint64" : "int64", [], [value]);
}

class FlaxReader {
  private readonly cursor: ByteCursor;
  private values = 0;

  constructor(private readonly source: ByteSource) {
    this.cursor = new ByteCursor(source);
  }

  root(): Node {
    const node = this.node(0);
    if (this.cursor.remaining > 0) {
      throw this.corrupt(`${this.cursor.remaining} bytes follow the value`);
    }
    return node;
  }

  private head(): MsgpackHead {
    return readMsgpackHead(this.cursor, this.source.name);
  }

  private node(depth: number): Node {
    if (depth > deepest) throw this.corrupt(`it is nested more than ${deepest} levels deep`);
    if (++this.values > mostValues) throw this.corrupt(`it has more than ${mostValues} values`);
    const head = this.head();
    switch (head.kind) {
      case "map":
        return this.map(head.length, depth);
      case "array":
        return this.list(head.length, depth);
      case "extension":
        return this.extension(head);
      case "text":
      case "bytes":
        this.cursor.skip(head.length);
        return { kind: "other" };
      case "nil":
        return { kind: "none" };
      case "integer":
      case "float":
      case "boolean":
        return { kind: "number", value: head.value };
    }
  }

  private map(length: number, depth: number): Node {
    const entries = new Map<string, Node>();
    for (let index = 0; index < length; index++) {
      const key = this.key();
      if (entries.has(key)) throw this.corrupt(`the key ${JSON.stringify(key)} occurs twice`);
      entries.set(key, this.node(depth + 1));
    }
    return entries.has(chunkedKey) ? this.joined(entries) : { kind: "map", entries };
  }

  private list(length: number, depth: number): Node {
    const entries = new Map<string, Node>();
    for (let index = 0; index < length; index++) entries.set(String(index), this.node(depth + 1));
    return { kind: "map", entries };
  }

  private key(): string {
    const head = this.head();
    if (head.kind === "text" || head.kind === "bytes") return this.text(head.length);
    if (head.kind === "integer") return String(head.value);
    throw this.corrupt("a key is neither text nor an integer");
  }

  private text(length: number): string {
    const bytes = this.cursor.take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.corrupt("a text is no UTF-8");
    }
  }

  /** An extension value; the cursor ends up behind it. */
  private extension({ length, type }: Extract<MsgpackHead, { kind: "extension" }>): Node {
    const end = this.cursor.position + length;
    let node: Node;
    if (type === complexExtension) node = this.complex();
    else if (type === ndarrayExtension || type === scalarExtension) node = this.array();
    else {
      throw new Jax2TfjsError(
        "file-unsupported",
        `${this.source.name} has a msgpack extension of type ${type}, which Flax does not write`,
      );
    }
    if (this.cursor.position !== end) throw this.corrupt("an array does not fill its place");
    return node;
  }

  /** (shape, dtype name, bytes). */
  private array(): ArrayNode {
    const triple = this.head();
    const sizes = this.head();
    if (triple.kind !== "array" || triple.length !== 3 || sizes.kind !== "array") {
      throw this.corrupt("an array is not shape, dtype and bytes");
    }
    const shape = Array.from({ length: sizes.length }, () => this.size());
    const dtype = this.dtype();
    const data = this.head();
    const expected = byteLengthOf(dtype, shape);
    if ((data.kind !== "bytes" && data.kind !== "text") || data.length !== expected) {
      throw this.corrupt(`an array ${dtype}[${shape.join(",")}] does not have ${expected} bytes`);
    }
    const ranges = [{ offset: this.cursor.position, length: expected }];
    this.cursor.skip(expected);
    return { kind: "array", dtype, shape, ranges };
  }

  private size(): number {
    const head = this.head();
    return head.kind === "integer" ? this.checkedSize(head.value) : this.checkedSize(-1n);
  }

  private checkedSize(value: bigint): number {
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.corrupt("the shape of an array has no sizes");
    }
    return Number(value);
  }

  private dtype(): DType {
    const head = this.head();
    const isText = head.kind === "text" || head.kind === "bytes";
    const name = isText ? this.text(head.length) : head.kind;
    if (isText && isDType(name)) {
      const kind = kindOf(name);
      if (kind !== "key" && kind !== "token" && kind !== "float0") return name;
    }
    throw new Jax2TfjsError(
      "file-unsupported",
      `${this.source.name} has an array of dtype ${JSON.stringify(name.slice(0, 40))}`,
      { fix: "save arrays of a dtype that JAX has" },
    );
  }

  private complex(): NumberNode {
    const pair = this.head();
    if (pair.kind !== "array" || pair.length !== 2) throw this.corrupt("a bad complex number");
    const [real, imaginary] = [this.real(), this.real()];
    return { kind: "number", value: { real, imaginary } };
  }

  private real(): number {
    const head = this.head();
    if (head.kind === "float" || head.kind === "integer") return Number(head.value);
    throw this.corrupt("a bad complex number");
  }

  /** One array from the chunks that Flax made of it. */
  private joined(entries: ReadonlyMap<string, Node>): ArrayNode {
    const chunks = sequenceOf(entries.get("chunks"));
    const sizes = sequenceOf(entries.get("shape"));
    const [first] = chunks ?? [];
    if (chunks === undefined || sizes === undefined || first?.kind !== "array") {
      throw this.corrupt("an array in chunks lacks its shape or its chunks");
    }
    const shape = sizes.map((size) =>
      size.kind === "number" && typeof size.value === "bigint"
        ? this.checkedSize(size.value)
        : this.checkedSize(-1n),
    );
    const ranges: ByteRange[] = [];
    for (const chunk of chunks) {
      if (chunk.kind !== "array" || chunk.dtype !== first.dtype) {
        throw this.corrupt("the chunks of an array differ in dtype");
      }
      ranges.push(...chunk.ranges);
    }
    const length = ranges.reduce((sum, range) => sum + range.length, 0);
    if (length !== byteLengthOf(first.dtype, shape)) {
      throw this.corrupt(`chunks of ${length} bytes do not make a shape [${shape.join(",")}]`);
    }
    return { kind: "array", dtype: first.dtype, shape, ranges };
  }

  private corrupt(what: string): Jax2TfjsError {
    return new Jax2TfjsError(
      "file-corrupt",
      `${this.source.name} is no Flax msgpack file, or a damaged one: ${what}`,
      { fix: "write it again with flax.serialization.to_bytes" },
    );
  }
}

/** The values of a map with the keys "0", "1", … in order of these. */
function sequenceOf(node: Node | undefined): readonly Node[] | undefined {
  if (node?.kind !== "map") return undefined;
  const values: Node[] = [];
  for (let index = 0; index < node.entries.size; index++) {
    const value = node.entries.get(String(index));
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}
