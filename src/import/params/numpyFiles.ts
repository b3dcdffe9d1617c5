/**
 * Parameters in NumPy's formats: npz archives (`numpy.savez`), and npy files of one array or of
 * several behind one another, as `equinox.tree_serialise_leaves` writes them. Called by
 * readParameters.ts.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { ByteCursor, type ByteSource } from "../../files/byteSource.js";
import { isPlain, type NpyHeader, plainBytes, readNpyHeader } from "../../files/npy.js";
import { openNpz } from "../../files/npz.js";
import { type ParameterContents, type ParameterLeaf, rangeLeaf } from "./parameterFile.js";

/** What a header says about a leaf. */
function described(
  name: string,
  { dtype, shape, rawBits }: NpyHeader,
): Pick<ParameterLeaf, "name" | "path" | "dtype" | "shape" | "origin"> {
  return { name, path: [name], dtype, shape, ...(rawBits ? { origin: "raw" as const } : {}) };
}

/**
 * Reads the headers of an npz archive.
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt`, `file-unsupported`.
 */
export function readNpzParameters(source: ByteSource): ParameterContents {
  const { members, others } = openNpz(source);
  if (others.some((name) => name.endsWith("data.pkl"))) {
    throw new Jax2TfjsError("file-format", `${source.name} is a PyTorch file`, {
      fix: "save the parameters of the JAX program, as safetensors, npz or Flax msgpack",
    });
  }
  const leaves = members.map((member) => ({
    ...described(member.name, member.header),
    byteLength: member.header.byteLength,
    read: () => member.read(),
    pieces: () => member.pieces(),
  }));
  return { format: "npz", leaves, ignored: others };
}

/**
 * Reads the headers of one or more npy arrays behind one another; the leaves are "0", "1", ….
 *
 * @throws Jax2TfjsError `file-truncated`, `file-corrupt`, `file-unsupported`.
 */
export function readNpyParameters(source: ByteSource): ParameterContents {
  const cursor = new ByteCursor(source, 0, source.byteLength, 1024);
  const leaves: ParameterLeaf[] = [];
  while (leaves.length === 0 || cursor.remaining > 0) {
    const name = String(leaves.length);
    const header = readNpyHeader(cursor, `array ${name} of ${source.name}`);
    const range = { offset: cursor.position, length: header.byteLength };
    cursor.skip(header.byteLength);
    const stored = rangeLeaf(source, described(name, header), [range]);
    const read = (): Uint8Array => plainBytes(header, stored.read());
    leaves.push(isPlain(header) ? stored : { ...stored, read, pieces: () => [read()] });
  }
  return { format: "npy", leaves, ignored: [] };
}
